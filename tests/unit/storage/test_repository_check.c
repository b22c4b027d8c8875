/* Check: what it finds, what it calls a fault, and whom it names. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/text.h"
#include "base/wire.h"
#include "expect.h"
#include "place.h"
#include "storage/crypto.h"
#include "storage/index_cache.h"

static struct place place;
static struct party host;
static struct sp_store *store;

static int
begin(void **state)
{
    (void)state;
    place_begin(&place, false);
    party_init(&host, "host", NULL);
    place_admit(&place, &host);
    store = place_store(&place, &host, "cache");
    return 0;
}

static int
end(void **state)
{
    (void)state;
    sp_store_free(store);
    party_free(&host);
    place_end(&place);
    return 0;
}

struct found {
    size_t faults, notes;
    char faulty[8][192], noted[8][192]; /* objects */
    char text[400];                     /* of the last one */
    uint8_t set_id[16];                 /* of the last fault */
    size_t ids;
};

static enum sp_code
take(void *arg, const struct sp_check_finding *f, struct sp_err *e)
{
    struct found *c = arg;

    (void)e;
    strcpy(c->text, f->text);
    if (f->severity == SP_FINDING_NOTE) {
        strcpy(c->noted[c->notes++ % 8], f->object);
    } else {
        strcpy(c->faulty[c->faults++ % 8], f->object);
        memcpy(c->set_id, f->set_id, 16);
        c->ids += f->nids;
    }
    return SP_OK;
}

static struct found
check_of(const uint8_t *who, enum sp_check_depth depth)
{
    const struct sp_check_options o = {.depth = depth};
    struct sp_repository *r = NULL;
    struct sp_check_totals t;
    struct found c;

    memset(&c, 0, sizeof(c));
    ok(place_open(&place, false, "checker", NULL, &r));
    ok(sp_repository_check(r, who, &o, take, &c, &t, &err));
    assert_int_equal(t.faults, c.faults);
    sp_repository_free(r);
    return c;
}

static struct found
check(void)
{
    return check_of(NULL, SP_CHECK_STRUCTURE);
}

static void
put_object(const char *name, const char *text)
{
    ok(sp_backend_put(place.below, name, text, strlen(text), &err));
}

/* `n` sets of a job, one after the other. */
static void
make_sets(struct made_record *r, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct sp_id ids[3];

        make_set(store, &host, "job", i == 0 ? NULL : &r[i - 1], 2, ids, &r[i]);
    }
}

static void
free_sets(struct made_record *r, size_t n)
{
    for (size_t i = 0; i < n; i++)
        sp_buf_free(&r[i].object);
}

struct search {
    const uint8_t *id;
    char name[192];
};

static enum sp_code
match(void *arg, const char *name, uint64_t size, struct sp_err *e)
{
    struct search *s = arg;

    (void)size;
    (void)e;
    if (strstr(name, sp_hex16(s->id).s) != NULL)
        (void)snprintf(s->name, sizeof(s->name), "%s", name);
    return SP_OK;
}

/* The object of a set. */
static struct search
object_of(const struct made_record *r)
{
    struct search s = {.id = r->set_id};

    ok(sp_backend_list(place.below, "sets", match, &s, &err));
    assert_true(s.name[0] != '\0');
    return s;
}

/* Puts a record where a commit would not. */
static void
put_record(enum sp_record_type type, const struct party *of, const uint8_t *set_id,
    int64_t published_ns, const struct sp_buf *object)
{
    char name[160];

    sp_record_object_name(type, of->host, published_ns, set_id, name);
    ok(sp_backend_put(place.below, name, object->data, object->len, &err));
}

static void
test_clean(void **state)
{
    struct made_record r[3], c;
    struct sp_id ids[2];
    struct found f;

    (void)state;
    f = check();
    assert_int_equal(f.faults + f.notes, 0);
    make_sets(r, 3);
    ids[0] = put_data(store, &host, 100);
    ids[1] = put_node(store, &host, ids, 1);
    party_record(&host, SP_RECORD_CHECKPOINT, "job", &r[2], &ids[1], &c);
    commit(store, SP_RECORD_CHECKPOINT, &c);
    put_object("leases/one", "x");
    put_object("trash/one", "x");
    f = check_of(NULL, SP_CHECK_DATA);
    assert_int_equal(f.faults + f.notes, 0);
    f = check_of(host.host, SP_CHECK_DATA);
    assert_int_equal(f.faults + f.notes, 0);
    free_sets(r, 3);
    sp_buf_free(&c.object);
}

static void
test_names(void **state)
{
    struct found f;

    (void)state;
    put_object("stray/thing", "x");
    put_object("packs/ab/abcd", "x");
    put_object("packs/ab/abcd.bad", "x");
    f = check();
    assert_int_equal(f.faults, 0);
    assert_int_equal(f.notes, 3);
}

static void
test_small_objects(void **state)
{
    struct found f;
    char name[192];
    uint8_t *p;
    size_t n;

    (void)state;
    first_object(place.below, "keys", name, NULL);
    ok(sp_backend_get_all(place.below, name, 1u << 16, &p, &n, &err));
    overwrite(place.below, name, p, n - 1);
    f = check();
    assert_int_equal(f.faults, 1);
    assert_string_equal(f.faulty[0], name);
    overwrite(place.below, name, p, n);
    strcpy(strrchr(name, '/'), "/00000000000000000000000000000000");
    ok(sp_backend_put(place.below, name, p, n, &err)); /* a slot under another's name */
    free(p);
    f = check();
    assert_int_equal(f.faults, 1);
    assert_string_equal(f.faulty[0], name);
    ok(sp_backend_remove(place.below, name, &err));

    first_object(place.below, "hosts", name, NULL);
    overwrite(place.below, name, "rubbish", 7);
    put_object("owner", "nobody\n");
    f = check();
    assert_int_equal(f.faults, 2);
    overwrite(place.below, name, "", 0);
    f = check();
    assert_int_equal(f.faults, 2);
}

static void
put_removal(const struct made_record *of, int64_t at_ns)
{
    struct sp_buf clear = SP_BUF_INIT, object = SP_BUF_INIT, signedb = SP_BUF_INIT;
    uint8_t signature[64];

    sp_wire_put_uint(&clear, 1, 1);
    sp_wire_put_bytes(&clear, 2, of->set_id, 16);
    sp_wire_put_bytes(&clear, 3, host.host, 16);
    sp_wire_put_bytes(&clear, 4, "job", 3);
    sp_wire_put_uint(&clear, 5, of->sequence);
    sp_wire_put_bytes(&clear, 7, of->hash, 32);
    sp_wire_put_uint(&clear, 8, 5);
    sp_buf_put_str(&signedb, "stillpoint record 1");
    sp_buf_put_u8(&signedb, 4);
    sp_buf_put_u32(&signedb, (uint32_t)clear.len);
    sp_buf_put(&signedb, clear.data, clear.len);
    ok(sp_ed25519_sign(host.secret, signedb.data, signedb.len, signature, &err));
    sp_wire_put_bytes(&object, 1, clear.data, clear.len);
    sp_wire_put_bytes(&object, 3, signature, 64);
    ok(sp_buf_ok(&object, &err));
    put_record(SP_RECORD_REMOVAL, &host, of->set_id, at_ns, &object);
    sp_buf_free(&clear);
    sp_buf_free(&signedb);
    sp_buf_free(&object);
}

/* A set that is gone needs a removal record (R21). */
static void
test_chain(void **state)
{
    struct made_record r[4];
    struct search s;
    struct found f;

    (void)state;
    make_sets(r, 4);
    s = object_of(&r[1]);
    ok(sp_backend_remove(place.below, s.name, &err));
    f = check();
    assert_int_equal(f.faults, 1);
    assert_memory_equal(f.set_id, r[2].set_id, 16);
    assert_non_null(strstr(f.text, "numbers 2 to 2"));
    put_removal(&r[1], 1000 * SP_SECOND);
    f = check();
    assert_int_equal(f.faults, 0);

    s = object_of(&r[0]); /* the first ones as well */
    ok(sp_backend_remove(place.below, s.name, &err));
    f = check();
    assert_int_equal(f.faults, 1);
    assert_non_null(strstr(f.text, "numbers 1 to 1"));
    put_removal(&r[0], 2000 * SP_SECOND);
    f = check();
    assert_int_equal(f.faults, 0);

    s = object_of(&r[2]); /* a removal record of another set is none of this one */
    ok(sp_backend_remove(place.below, s.name, &err));
    r[2].hash[0] ^= 1;
    put_removal(&r[2], 3000 * SP_SECOND);
    f = check();
    assert_int_equal(f.faults, 1);
    assert_memory_equal(f.set_id, r[3].set_id, 16);
    free_sets(r, 4);
}

/* A record that cannot be understood is told once, and not the set that follows it. */
static void
test_damaged_in_a_chain(void **state)
{
    struct made_record r[3];
    struct search s;
    struct found f;
    uint8_t *p;
    size_t n;

    (void)state;
    make_sets(r, 3);
    s = object_of(&r[1]);
    ok(sp_backend_get_all(place.below, s.name, 1u << 20, &p, &n, &err));
    for (int way = 0; way < 2; way++) {
        if (way == 0)
            memset(p, 0, 4); /* no message */
        else
            memcpy(p, r[1].object.data, 4), p[n - 1] ^= 1; /* not signed */
        overwrite(place.below, s.name, p, n);
        f = check();
        assert_int_equal(f.faults, 1);
        assert_memory_equal(f.set_id, r[1].set_id, 16);
        assert_string_equal(f.faulty[0], s.name);
        assert_int_equal(f.notes, 1); /* the gap, and why */
    }
    free(p);
    ok(sp_backend_remove(place.below, s.name, &err));
    f = check();
    assert_int_equal(f.faults, 1); /* nobody says why */
    assert_memory_equal(f.set_id, r[2].set_id, 16);
    free_sets(r, 3);
}

/* A copy of a data pack among the nodes hides nothing of what lies in its right place. */
static void
test_data_among_nodes(void **state)
{
    struct made_record r;
    struct sp_id ids[4];
    struct found f;
    char name[192], other[192];
    uint8_t *p;
    size_t n;

    (void)state;
    make_set(store, &host, "job", NULL, 3, ids, &r);
    first_object(place.below, "packs", name, NULL);
    ok(sp_backend_get_all(place.below, name, 1u << 20, &p, &n, &err));
    (void)snprintf(other, sizeof(other), "nodes%s", strchr(name, '/'));
    ok(sp_backend_put(place.below, other, p, n, &err));
    free(p);
    for (int deep = 0; deep < 2; deep++) { /* its name is not that of such a pack */
        f = deep == 0 ? check() : check_of(NULL, SP_CHECK_DATA);
        assert_int_equal(f.faults, 1);
        assert_string_equal(f.faulty[0], other);
    }
    sp_buf_free(&r.object);
}

static void
test_forks(void **state)
{
    struct made_record r[3], other, wrong;
    struct sp_id ids[3];
    struct found f;

    (void)state;
    make_set(store, &host, "job", NULL, 2, ids, &r[0]);
    make_set(store, &host, "job", &r[0], 2, ids, &r[1]);
    party_record(&host, SP_RECORD_SET, "job", &r[0], &ids[2], &other);
    put_record(SP_RECORD_SET, &host, other.set_id, 77 * SP_SECOND, &other.object);
    f = check();
    assert_int_equal(f.faults, 1);
    assert_non_null(strstr(f.text, "two sets"));
    wrong = r[1];
    wrong.hash[5] ^= 1;
    party_record(&host, SP_RECORD_SET, "job", &wrong, &ids[2], &r[2]);
    put_record(SP_RECORD_SET, &host, r[2].set_id, 78 * SP_SECOND, &r[2].object);
    f = check();
    assert_int_equal(f.faults, 2);
    free_sets(r, 3);
    sp_buf_free(&other.object);
}

static void
test_signatures(void **state)
{
    struct party liar;
    struct made_record r, false_one;
    struct sp_id ids[3];
    struct found f;
    struct search s;
    char name[192];

    (void)state;
    make_set(store, &host, "job", NULL, 2, ids, &r);
    party_init(&liar, "liar", &host);
    memcpy(liar.host, host.host, sizeof(liar.host));
    party_record(&liar, SP_RECORD_SET, "job", &r, &ids[2], &false_one);
    put_record(SP_RECORD_SET, &host, false_one.set_id, 99 * SP_SECOND, &false_one.object);
    f = check();
    assert_int_equal(f.faults, 1);
    assert_memory_equal(f.set_id, false_one.set_id, 16);
    s = object_of(&false_one);
    assert_string_equal(f.faulty[0], s.name);

    /* Without the host's record nothing can be said of signatures: damage, for no set of that host
     * is restored without being told to, and it can add none. */
    first_object(place.below, "hosts", name, NULL);
    ok(sp_backend_remove(place.below, name, &err));
    f = check();
    assert_int_equal(f.faults, 1);
    assert_non_null(strstr(f.text, "no record of host"));
    put_record(SP_RECORD_SET, &host, r.set_id, 98 * SP_SECOND, &false_one.object);
    f = check(); /* under another set's name */
    assert_int_equal(f.faults, 2);
    party_free(&liar);
    sp_buf_free(&r.object);
    sp_buf_free(&false_one.object);
}

/* --- the index ----------------------------------------------------------------------------- */

/* A segment about the pack of `name`, with some of what is true of it and some of what is not. */
static void
put_segment(const char *name, uint64_t size, const struct sp_id *ids, size_t n, bool lie)
{
    struct sp_index_builder *b;
    struct sp_index_pack pack = {.size = size, .kind = SP_PACK_DATA};
    struct sp_pack_trailer *t;
    struct sp_buf bytes = SP_BUF_INIT;
    enum sp_pack_kind kind;
    uint8_t hash[32];
    uint32_t ordinal;
    char object[96];

    assert_true(sp_pack_object_parse(name, &kind, pack.name));
    memcpy(pack.uploader, host.host, 16);
    memcpy(pack.group, party_group(&host), 16);
    ok(sp_pack_trailer_read(place.below, kind, pack.name, size, &t, &err));
    ok(sp_index_builder_new(&b, &err));
    ok(sp_index_builder_pack(b, &pack, &ordinal, &err));
    for (size_t i = 0; i < sp_pack_trailer_count(t); i++) {
        struct sp_pack_block block;

        sp_pack_trailer_block(t, i, &block);
        for (size_t k = 0; k < n; k++)
            if (memcmp(block.ids, ids[k].b, 32) == 0)
                ok(sp_index_builder_add(b, ids[k].b, ordinal, block.offset, block.length, &err));
        if (lie && i == 0) {
            uint8_t id[32] = {1, 2, 3};

            ok(sp_index_builder_add(b, id, ordinal, block.offset, block.length, &err));
        }
    }
    ok(sp_index_builder_finish(b, NULL, 0, &bytes, hash, &err));
    sp_index_object_name(hash, object);
    ok(sp_backend_put(place.below, object, bytes.data, bytes.len, &err));
    sp_buf_free(&bytes);
    sp_pack_trailer_free(t);
    sp_index_builder_free(b);
}

/* The index is a hint: what is wrong with it is told, and is no fault. */
static void
test_index(void **state)
{
    struct made_record r;
    struct sp_id ids[4];
    struct found f;
    char name[192], index[192];
    uint64_t size;
    uint8_t *p;
    size_t n;

    (void)state;
    make_set(store, &host, "job", NULL, 3, ids, &r);
    first_object(place.below, "packs", name, &size);
    put_segment(name, size, ids, 3, false); /* the truth again */
    f = check();
    assert_int_equal(f.faults + f.notes, 0);
    put_segment(name, size, ids, 3, true); /* and more than the truth */
    f = check();
    assert_int_equal(f.faults, 0);
    assert_int_equal(f.notes, 1);
    assert_string_equal(f.noted[0], name);
    put_segment(name, size, ids, 2, false); /* and less */
    f = check();
    assert_int_equal(f.faults, 0);
    assert_int_equal(f.notes, 2);

    assert_true(remove_all(place.below, "index") > 0);
    put_segment(name, size, ids, 3, false);
    first_object(place.below, "index", index, NULL);
    ok(sp_backend_get_all(place.below, index, 1u << 20, &p, &n, &err));
    p[n / 2] ^= 4;
    overwrite(place.below, index, p, n);
    free(p);
    f = check();
    assert_int_equal(f.faults, 0);
    assert_int_equal(f.notes, 1);
    assert_string_equal(f.noted[0], index);
    sp_buf_free(&r.object);
}

/* --- packs --------------------------------------------------------------------------------- */

static void
test_trailer(void **state)
{
    struct made_record r;
    struct sp_id ids[4];
    struct found f;
    char name[192];
    uint8_t *p;
    size_t n;

    (void)state;
    make_set(store, &host, "job", NULL, 3, ids, &r);
    first_object(place.below, "packs", name, NULL);
    ok(sp_backend_get_all(place.below, name, 1u << 20, &p, &n, &err));
    p[n - 60] ^= 1; /* in the trailer, whose hash the footer holds */
    overwrite(place.below, name, p, n);
    free(p);
    f = check();
    assert_int_equal(f.faults, 2); /* the pack, and the set that counts on it */
    assert_string_equal(f.faulty[0], name);
    assert_memory_equal(f.set_id, r.set_id, 16);
    assert_int_equal(f.ids, 3);
    sp_buf_free(&r.object);
}

/* The index still says what is in the pack: whoever uploads next, as another program with the same
 * cache folder, does not rely on it (R6). */
static void
test_trailer_told(void **state)
{
    struct sp_repository *r = NULL;
    struct sp_upload *u = NULL;
    struct made_record made;
    struct sp_id ids[4];
    uint8_t answers[3], *p;
    char name[192];
    size_t n;

    (void)state;
    make_set(store, &host, "job", NULL, 3, ids, &made);
    assert_int_equal(check().faults, 0);
    first_object(place.below, "packs", name, NULL);
    ok(sp_backend_get_all(place.below, name, 1u << 20, &p, &n, &err));
    memset(p + n - 60, 0, 60); /* of the right length, as a write-back store may leave it */
    overwrite(place.below, name, p, n);
    free(p);
    assert_int_equal(check().faults, 2);
    ok(place_open(&place, true, "checker", NULL, &r));
    ok(sp_upload_new(r, host.host, party_group(&host), &u, &err));
    ok(sp_upload_have(u, false, ids, 3, answers, &err));
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(answers[i], SP_HAVE_NO);
    sp_upload_free(u);
    sp_repository_free(r);
    sp_buf_free(&made.object);
}

/* One host's check tells of that host only. */
static void
test_one_host(void **state)
{
    struct party other;
    struct sp_store *theirs;
    struct made_record mine, r;
    struct sp_id ids[4];
    struct found f;
    char name[192];
    uint8_t *p;
    size_t n;

    (void)state;
    party_init(&other, "other", NULL);
    place_admit(&place, &other);
    theirs = place_store(&place, &other, "theirs");
    make_set(theirs, &other, "job", NULL, 3, ids, &r);
    first_object(place.below, "packs", name, NULL);
    ok(sp_backend_get_all(place.below, name, 1u << 20, &p, &n, &err));
    p[500] ^= 1;
    overwrite(place.below, name, p, n);
    free(p);
    make_set(store, &host, "job", NULL, 3, ids, &mine);
    put_object("stray/thing", "x");
    f = check_of(host.host, SP_CHECK_DATA);
    assert_int_equal(f.faults + f.notes, 0);
    f = check_of(other.host, SP_CHECK_DATA);
    assert_int_equal(f.faults, 2);
    assert_int_equal(f.notes, 0);
    assert_memory_equal(f.set_id, r.set_id, 16);
    f = check_of(NULL, SP_CHECK_DATA);
    assert_int_equal(f.faults, 2);
    assert_int_equal(f.notes, 1);
    sp_store_free(theirs);
    party_free(&other);
    sp_buf_free(&r.object);
    sp_buf_free(&mine.object);
}

static enum sp_code
stop(void *arg, const struct sp_check_finding *f, struct sp_err *e)
{
    (void)arg;
    (void)f;
    return sp_fail(e, SP_BUSY, SP_DOM_SELF, "enough");
}

struct questions {
    size_t asked, most;
    struct sp_check_progress last;
};

static bool
enough(void *arg)
{
    struct questions *q = arg;

    return q->asked++ >= q->most;
}

static void
seen(void *arg, const struct sp_check_progress *so_far)
{
    struct questions *q = arg;

    q->last = *so_far;
}

static void
test_stop(void **state)
{
    const struct sp_check_options o = {.depth = SP_CHECK_STRUCTURE};
    struct sp_check_totals t;

    (void)state;
    put_object("stray/thing", "x");
    gives(SP_BUSY, sp_store_check(store, &o, stop, NULL, &t, &err));
    {
        struct questions q = {.most = SIZE_MAX};
        const struct sp_check_options p = {
            .depth = SP_CHECK_DATA, .stop = enough, .progress = seen, .arg = &q};
        struct made_record r[2];
        struct found f;

        make_sets(r, 2);
        memset(&f, 0, sizeof(f));
        ok(sp_store_check(store, &p, take, &f, &t, &err));
        assert_int_equal(q.last.packs, q.last.packs_total);
        assert_int_equal(q.last.packs, t.packs);
        assert_int_equal(q.last.bytes, q.last.bytes_total);
        assert_int_equal(q.last.bytes, t.bytes_read);
        assert_int_equal(q.last.sets_total, 2);
        /* Wherever it is asked to end, it does. */
        for (size_t n = q.asked; n-- > 0;) {
            struct questions again = {.most = n};

            q = again;
            gives(SP_CANCELLED, sp_store_check(store, &p, take, &f, &t, &err));
            assert_int_equal(q.asked, n + 1);
        }
        free_sets(r, 2);
    }
    sp_store_cancel(store);
    gives(SP_CANCELLED, sp_store_check(store, &o, stop, NULL, &t, &err));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_clean, begin, end),
        cmocka_unit_test_setup_teardown(test_names, begin, end),
        cmocka_unit_test_setup_teardown(test_small_objects, begin, end),
        cmocka_unit_test_setup_teardown(test_chain, begin, end),
        cmocka_unit_test_setup_teardown(test_damaged_in_a_chain, begin, end),
        cmocka_unit_test_setup_teardown(test_data_among_nodes, begin, end),
        cmocka_unit_test_setup_teardown(test_forks, begin, end),
        cmocka_unit_test_setup_teardown(test_signatures, begin, end),
        cmocka_unit_test_setup_teardown(test_index, begin, end),
        cmocka_unit_test_setup_teardown(test_trailer, begin, end),
        cmocka_unit_test_setup_teardown(test_trailer_told, begin, end),
        cmocka_unit_test_setup_teardown(test_one_host, begin, end),
        cmocka_unit_test_setup_teardown(test_stop, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
