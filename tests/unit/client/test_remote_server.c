/* The remote store against the real server on loopback: the store suite, and cuts. Hosts come to it
 * by enrolment, members of a group by an invitation. */

#include "../server/peer.h"

#include "client/remote_impl.h"
#include "store.h"

#define HOSTS 8

struct known { /* what a host keeps */
    const struct sp_keys *keys;
    struct sp_enrolled en;
};
struct fixture {
    struct place place;
    struct running r;
    struct sp_backend *below;
    struct known known[HOSTS];
    size_t n;
};

/* --- a server --------------------------------------------------------------------------------- */

/* As init makes it, but with packs of 64 KiB. */
static void
make_small_packs(struct fixture *f)
{
    const struct sp_repository_conf conf = {.pack_size = 64u << 10};
    struct sp_home h = {0};
    struct sp_backend *b = NULL;

    assert_ok(sp_home_open(&f->place.env, f->place.home, &h, e));
    assert_ok(sp_os_remove_tree(&sp_os_system, f->place.repository, e));
    assert_ok(sp_backend_dir_open(&sp_env_system, f->place.repository, true, &b, e));
    assert_ok(sp_repository_create(b, &sp_env_system, &conf, h.server_id, e));
    sp_backend_free(b);
    sp_home_close(&h);
}

static void
begin(void *arg)
{
    struct fixture *f = arg;
    char out[4096] = "";

    place_make(&f->place);
    place_init(&f->place);
    make_small_packs(f);
    running_start(&f->r, &f->place);
    /* Tokens want an address: the first heartbeat says the port. */
    for (int i = 0; i < 200 && strstr(out, "\"port\":") == NULL; i++) {
        sp_sleep_ms(10);
        assert_int_equal(
            place_run(&f->place, out, sizeof(out), "status", "--json", NULL), SP_EXIT_DONE);
    }
    assert_non_null(strstr(out, "\"running\":true"));
    assert_ok(sp_backend_dir_open(&sp_env_system, f->place.repository, false, &f->below, e));
}

static void
end(void *arg)
{
    struct fixture *f = arg;

    while (f->n > 0)
        sp_enrolled_clear(&f->known[--f->n].en);
    running_stop(&f->r);
    sp_backend_free(f->below);
    place_remove(&f->place);
}

static struct sp_backend *
below(void *arg)
{
    return ((struct fixture *)arg)->below;
}

/* --- hosts ------------------------------------------------------------------------------------ */

static struct sp_store *
open_known(const struct known *k)
{
    static const struct remote_pace pace = {.first_ms = 5, .longest_ms = 100, .starved_ms = 1000};
    struct sp_remote_options o = {
        .address = k->en.address,
        .tls_key = k->en.tls_key,
        .tls_chain = k->en.tls_chain,
        .tls_authority = k->en.tls_authority,
        .has_group = true,
    };
    struct sp_store *s = NULL;

    memcpy(o.authority_fingerprint, k->en.authority_fingerprint, 32);
    memcpy(o.group, sp_keys_group(k->keys), 16);
    assert_ok(sp_remote_open_paced(&sp_env_system, &o, &pace, &s, e));
    return s;
}

/* The server says who it is: the party's record is made anew with that id. */
static enum sp_code
finish(void *arg, const struct sp_enrolled *en, struct sp_buf *record, struct sp_buf *slots,
    size_t *slot_lens, size_t *nslots, struct sp_err *e)
{
    struct party *p = arg;

    memcpy(p->host, en->host, 16);
    memcpy(p->record.id, en->host, 16);
    (void)snprintf(p->record.name, sizeof(p->record.name), "%s", en->host_name);
    sp_buf_free(&p->encoded);
    assert_int_equal(sp_host_encode(&p->record, p->keys, &p->encoded, e), SP_OK);
    sp_buf_put(record, p->encoded.data, p->encoded.len);
    if (!en->has_group) {
        sp_buf_put(slots, p->slot.data, p->slot.len);
        slot_lens[0] = p->slot.len;
        *nslots = 1;
    } else {
        assert_memory_equal(en->group, party_group(p), 16);
        assert_true(en->slots_len > 0);
    }
    return SP_OK;
}

/* A member of the same group invites; NULL: there is none. */
static const uint8_t *
invite(struct fixture *f, const struct party *p, uint8_t secret[32])
{
    struct sp_buf slot = SP_BUF_INIT;
    struct sp_store *s;

    for (size_t i = 0; i < f->n; i++) {
        if (memcmp(sp_keys_group(f->known[i].keys), party_group(p), 16) != 0)
            continue;
        assert_ok(sp_random_fill(&sp_random_system, secret, 32, e));
        assert_ok(sp_slot_seal_invitation(
            p->keys, secret, "test", sp_clock_wall(&sp_clock_system), &sp_random_system, &slot, e));
        s = open_known(&f->known[i]);
        assert_ok(sp_store_put_slot(s, slot.data, slot.len, e));
        sp_store_free(s);
        sp_buf_free(&slot);
        return secret;
    }
    return NULL;
}

static void
admit(void *arg, const struct party *party)
{
    struct fixture *f = arg;
    struct party *p = (struct party *)party; /* the suite's own; it learns who it is */
    struct known *k = &f->known[f->n];
    struct sp_enroll_options o = {.host_name = "whatever"};
    uint8_t secret[32];
    char out[4096];

    assert_true(f->n < HOSTS);
    o.invitation = invite(f, p, secret);
    assert_int_equal(
        place_run(&f->place, out, sizeof(out), "host", "add", p->record.name, NULL), SP_EXIT_DONE);
    o.token = last_line(out);
    memcpy(o.identity_public, p->record.keys[0], 32);
    assert_ok(sp_enroll(&sp_env_system, &o, finish, p, &k->en, e));
    assert_string_equal(k->en.host_name, p->record.name);
    k->keys = p->keys;
    f->n++;
}

/* A run begins with head(), by which the server looks at what lies there now: it keeps its
 * repository open from one client to the next. */
static struct sp_store *
open_store(void *arg, const struct party *p)
{
    struct fixture *f = arg;
    struct sp_store_head h = {0};
    struct sp_store *s;

    for (size_t i = 0; i < f->n; i++)
        if (memcmp(f->known[i].en.host, p->host, 16) == 0) {
            s = open_known(&f->known[i]);
            assert_ok(sp_store_head(s, "no job", &h, e));
            sp_store_head_clear(&h);
            return s;
        }
    fail_msg("a party that was not admitted");
    return NULL;
}

/* --- cuts ------------------------------------------------------------------------------------- */

struct cutter {
    struct sp_store *s;
    atomic_bool stop;
    atomic_uint cuts;
};

/* The longer it takes the seldomer: where a session cannot even begin within such a pause, on a
 * machine that has much else to do, it would never end. */
static void
cut_often(void *arg)
{
    struct cutter *k = arg;
    uint8_t wait = 0;

    while (!atomic_load(&k->stop)) {
        assert_ok(sp_random_fill(&sp_random_system, &wait, 1, e));
        sp_sleep_ms(15 + wait % 40u + atomic_load(&k->cuts) / 2);
        sp_store_remote_cut(k->s);
        atomic_fetch_add(&k->cuts, 1);
    }
}

static enum sp_code
no_fault(void *arg, const struct sp_check_finding *f, struct sp_err *e)
{
    (void)arg;
    (void)e;
    if (f->severity == SP_FINDING_FAULT)
        fail_msg("%s: %s", f->object, f->text);
    return SP_OK;
}

static enum sp_code
count_wanted(void *arg, const uint8_t *block, size_t n, const uint32_t *wanted, size_t nwanted,
    struct sp_err *e)
{
    (void)block;
    (void)n;
    (void)wanted;
    (void)e;
    *(size_t *)arg += nwanted;
    return SP_OK;
}

static enum sp_code
count_completed(void *arg, const struct sp_set_info *i, struct sp_err *err)
{
    (void)err;
    *(size_t *)arg += i->completion != NULL;
    return SP_OK;
}

#define SETS 3
#define CHUNKS 150

/* Three sets one after the other over a wire that breaks many times a second; in the end each is
 * whole, and nothing is wrong with the repository. */
static void
test_cut_often(void **state)
{
    struct session x;
    struct sp_id ids[CHUNKS + 1];
    struct made_record r[SETS];
    struct sp_store_head h = {0};
    struct sp_check_options o = {.depth = SP_CHECK_DATA};
    struct sp_check_totals totals = {0};
    struct cutter k;
    struct sp_thread *thread = NULL;
    size_t got = 0, ignored = 0, completed;
    struct sp_buf c = SP_BUF_INIT;

    (void)state;
    suite->begin(suite->arg);
    session_begin(&x, "one", NULL);
    k.s = x.s;
    atomic_init(&k.stop, false);
    atomic_init(&k.cuts, 0);
    assert_ok(sp_thread_start("cutter", cut_often, &k, &thread, e));
    for (int i = 0; i < SETS; i++) {
        make_set(x.s, &x.p, "job", i > 0 ? &r[i - 1] : NULL, CHUNKS, ids, &r[i]);
        sp_buf_reset(&c);
        party_completion(&x.p, &r[i], SP_LEVEL_APPLICATION, &c);
        assert_ok(sp_store_complete(x.s, c.data, c.len, e));
        completed = 0;
        assert_ok(sp_store_list(x.s, false, false, count_completed, &completed, e));
        assert_int_equal(completed, i + 1);
        got = 0;
        assert_ok(sp_store_get(x.s, ids, CHUNKS, 0, count_wanted, &got, e));
        assert_int_equal(got, CHUNKS);
    }
    atomic_store(&k.stop, true);
    sp_thread_join(thread);
    print_message("%u cuts\n", atomic_load(&k.cuts));
    assert_ok(sp_store_head(x.s, "job", &h, e));
    assert_true(h.has_set && h.set_whole);
    assert_memory_equal(h.set_hash, r[SETS - 1].hash, 32);
    sp_store_head_clear(&h);
    assert_ok(sp_store_check(x.s, &o, no_fault, &ignored, &totals, e));
    assert_int_equal(totals.sets, SETS);
    assert_int_equal(totals.faults, 0);
    for (int i = 0; i < SETS; i++)
        sp_buf_free(&r[i].object);
    sp_buf_free(&c);
    session_end(&x);
    suite->end(suite->arg);
}

int
main(void)
{
    struct fixture f = {.n = 0};
    struct store_conformance c = {.kind = "server",
        .begin = begin,
        .end = end,
        .admit = admit,
        .open = open_store,
        .below = below,
        .arg = &f};
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cut_often)};
    int failed = store_conformance_run(&c);

    return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
