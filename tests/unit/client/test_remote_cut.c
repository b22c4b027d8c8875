/* The remote store over a connection that is cut: callers notice nothing but time. */

#include "fake_server.h"

#include "base/clock.h"
#include "fake_proxy.h"

struct fixture {
    struct fake *f;
    struct proxy *p;
    struct sp_store *s;
    char address[64];
    unsigned lost, again;
};

static int
setup(void **state)
{
    struct fixture *x = calloc(1, sizeof(*x));

    sure(x != NULL);
    x->f = fake_new();
    *state = x;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *x = *state;

    sp_store_free(x->s);
    if (x->p != NULL)
        proxy_free(x->p);
    fake_free(x->f);
    free(x);
    return 0;
}

static void
notice(void *arg, const char *sentence)
{
    struct fixture *x = arg;

    if (strstr(sentence, "was lost (") != NULL)
        x->lost++;
    else if (strstr(sentence, "again") != NULL)
        x->again++;
    else
        fake_fail("an unexpected notice: %s", sentence);
}

/* Through a proxy when there is a seed for it. */
static struct sp_store *
begin(struct fixture *x, uint64_t seed, uint32_t retry_ms)
{
    struct sp_remote_options o;

    fake_run(x->f);
    o = fake_options(x->f);
    if (seed != 0) {
        x->p = proxy_new(x->f->port, seed);
        (void)snprintf(x->address, sizeof(x->address), "127.0.0.1:%u", (unsigned)proxy_port(x->p));
        o.address = x->address;
    }
    o.retry_ms = retry_ms;
    o.notice = notice;
    o.arg = x;
    assert_ok(fake_try(x->f, &o, &x->s, e));
    return x->s;
}

static void
put(struct sp_store *s, uint32_t number, bool nodes, size_t nids, size_t body)
{
    size_t n = 0;
    uint8_t *b = fake_block(number, nodes, nids, body, &n);

    assert_ok(sp_store_put(s, b, n, e));
}

/* Everything is there, and nothing was sent that did not have to be. */
static void
check_blocks(struct fake *f, uint32_t from, uint32_t n)
{
    sp_mutex_lock(&f->lock);
    for (uint32_t i = from; i < from + n; i++) {
        const struct fake_block *b = &f->blocks[i];

        if (!b->durable)
            fake_fail("block %u is not durable; it came %u times", (unsigned)i, b->times);
        if (b->sent_in_vain > 0)
            fake_fail("block %u was sent though it was there", (unsigned)i);
    }
    sp_mutex_unlock(&f->lock);
}

struct getting {
    const struct sp_id *ids;
    uint8_t *seen; /* of each id */
    unsigned blocks;
    unsigned cut_at; /* blocks after which the caller's end cuts the wire */
    struct sp_store *s;
};

static enum sp_code
take_block(void *arg, const uint8_t *block, size_t n, const uint32_t *wanted, size_t nwanted,
    struct sp_err *e)
{
    struct getting *g = arg;
    struct sp_block_header h;

    sure((sp_block_header_parse(block, n, &h, e)) == (SP_OK));
    for (size_t i = 0; i < nwanted; i++) {
        sure(fake_number(g->ids[wanted[i]].b) == fake_number(h.ids));
        sure(g->seen[wanted[i]] == 0); /* never twice */
        g->seen[wanted[i]] = 1;
    }
    if (++g->blocks == g->cut_at)
        sp_store_remote_cut(g->s);
    return SP_OK;
}

/* `blocks` from `first` on, each_ids ids of each; all must come. */
static void
get_all(struct sp_store *s, uint32_t first, uint32_t blocks, unsigned each, unsigned cut_at)
{
    struct getting g = {.cut_at = cut_at, .s = s};
    struct sp_id *ids = calloc((size_t)blocks * each, sizeof(*ids));

    sure(ids != NULL);
    g.seen = calloc((size_t)blocks * each, 1);
    g.ids = ids;
    for (uint32_t i = 0; i < blocks * each; i++)
        ids[i] = fake_id(first + i % blocks, i / blocks);
    assert_ok(sp_store_get(s, ids, (size_t)blocks * each, 0, take_block, &g, e));
    sure(g.blocks == blocks);
    for (uint32_t i = 0; i < blocks * each; i++)
        sure(g.seen[i] == 1);
    free(ids);
    free(g.seen);
}

struct listing {
    unsigned sets;
    uint8_t seen[64];
};

static enum sp_code
take_set(void *arg, const struct sp_set_info *i, struct sp_err *e)
{
    struct listing *l = arg;

    (void)e;
    sure(i->set_id[0] < 64);
    sure(l->seen[i->set_id[0]] == 0);
    l->seen[i->set_id[0]] = 1;
    l->sets++;
    return SP_OK;
}

static enum sp_code
take_slot(void *arg, const uint8_t *slot, size_t n, struct sp_err *e)
{
    (void)e;
    (void)slot;
    sure(n == 14 || n == 15);
    ++*(unsigned *)arg;
    return SP_OK;
}

static enum sp_code
take_finding(void *arg, const struct sp_check_finding *f, struct sp_err *e)
{
    (void)e;
    sure(strcmp(f->object, "packs/ab/cd") == 0);
    ++*(unsigned *)arg;
    return SP_OK;
}

/* --- at every message ------------------------------------------------------------------------- */

/* One of everything, in an order that a run has. */
static void
small_run(struct sp_store *s, const struct sp_buf *record)
{
    struct sp_commit_result r = {0};
    struct sp_store_head h = {0};
    struct sp_check_totals totals;
    struct sp_check_options o = {.depth = SP_CHECK_STRUCTURE};
    struct listing sets = {0};
    struct sp_id ids[3] = {fake_id(0, 0), fake_id(1, 0), fake_id(2, 0)};
    uint8_t answers[3], *host = NULL, id[16] = {0};
    struct sp_id *missing = NULL;
    size_t n;
    unsigned slots = 0, findings = 0;
    bool more;

    put(s, 0, false, 3, 5000);
    put(s, 1, true, 2, 300);
    put(s, 2, false, 1, 100);
    assert_ok(sp_store_have(s, false, ids, 3, answers, e));
    sure(memcmp(answers, ((uint8_t[]){1, 0, 1}), 3) == 0);
    assert_ok(sp_store_have(s, true, ids, 3, answers, e));
    sure(memcmp(answers, ((uint8_t[]){0, 1, 0}), 3) == 0);
    assert_ok(sp_store_flush(s, e));
    put(s, 3, true, 2, 300);
    put(s, 4, false, 2, 300);
    assert_ok(sp_store_commit(s, SP_RECORD_SET, record->data, record->len, &r, e));
    sure(r.published_ns == 1001);
    sure(r.nmissing == 0);
    assert_ok(sp_store_head(s, "the job", &h, e));
    sure(h.set_len == record->len);
    sp_store_head_clear(&h);
    assert_ok(sp_store_list(s, false, false, take_set, &sets, e));
    sure(sets.sets == 1);
    get_all(s, 100, 5, 2, 0);
    assert_ok(sp_store_slots(s, NULL, take_slot, &slots, e));
    sure(slots == 2);
    assert_ok(sp_store_put_slot(s, (const uint8_t *)"slot", 4, e));
    assert_ok(sp_store_remote_put_host(s, (const uint8_t *)"host", 4, e));
    assert_ok(sp_store_host(s, fake_host, &host, &n, e));
    free(host);
    assert_ok(sp_store_missing(s, id, &missing, &n, &more, e));
    free(missing);
    assert_ok(sp_store_check(s, &o, take_finding, &findings, &totals, e));
    sure(findings >= 1);
    sure(totals.faults == 1);
}

/* cut_at: as in fake_server.h. false: the run had fewer messages. */
static bool
run_cut_at(uint64_t cut_at, bool lose, const struct sp_buf *record)
{
    struct fixture *x = NULL;
    void *state;
    bool cut;

    (void)setup(&state);
    x = state;
    x->f->lose_on_cut = lose;
    x->f->cut_at = cut_at;
    x->f->pack_bytes = 5000; /* now and then something is acknowledged */
    for (uint32_t i = 100; i < 105; i++)
        fake_has(x->f, i, false, 2, 20000);
    begin(x, 0, 0);
    small_run(x->s, record);
    check_blocks(x->f, 0, 5);
    sure(x->f->nrecords == 1);
    sure(x->f->commits == 1);
    sp_mutex_lock(&x->f->lock);
    cut = x->f->cut_done > 0;
    sp_mutex_unlock(&x->f->lock);
    sp_store_free(x->s); /* the last cut may still be on its way */
    x->s = NULL;
    (void)teardown(&state);
    return cut;
}

static void
every_message(bool lose)
{
    struct sp_buf record = SP_BUF_INIT;
    uint64_t at = 2;

    fake_record(SP_RECORD_SET, 1, NULL, &record);
    while (run_cut_at(at, lose, &record))
        at++;
    sure(at > 36); /* 18 messages, each before and after */
    sp_buf_free(&record);
}

static void
test_every_message(void **state)
{
    (void)state;
    every_message(false);
}

static void
test_every_message_losing(void **state)
{
    (void)state;
    every_message(true);
}

/* --- at any byte ------------------------------------------------------------------------------ */

struct putter {
    struct fixture *x;
    struct sp_thread *thread;
    uint64_t random;
    uint32_t from, n;
};

static void
put_many(void *arg)
{
    struct putter *t = arg;
    struct sp_store *s = t->x->s;

    for (uint32_t i = t->from; i < t->from + t->n; i++) {
        uint64_t z = fake_random(&t->random);
        uint32_t back = i - (uint32_t)((z >> 20) % (i - t->from + 1));
        struct sp_id ids[2] = {fake_id(back, 0), fake_id(19999, 0)};
        uint8_t answers[2];

        put(s, i, i % 4 == 0, 1 + z % 9, (size_t)((z >> 8) % 4 == 0 ? 300000 : (z >> 10) % 9000));
        if ((z >> 40) % 4 == 0) { /* what was put is there, whatever happened since */
            assert_ok(sp_store_have(s, back % 4 == 0, ids, 2, answers, e));
            sure(answers[0] == SP_HAVE_MINE);
            sure(answers[1] == SP_HAVE_NO);
        }
        if ((z >> 50) % 32 == 0)
            assert_ok(sp_store_flush(s, e));
    }
}

static void
read_many(void *arg)
{
    struct putter *t = arg;

    for (uint32_t i = 0; i < 3; i++)
        get_all(t->x->s, 19000, 40, 2, 0);
}

/* One run: uploads from three threads, a restore beside them, and a commit. */
static void
random_run(struct fixture *x, uint64_t *random, uint8_t number, struct sp_buf *last)
{
    struct putter t[4];
    struct sp_commit_result r = {0};
    struct sp_buf record = SP_BUF_INIT;
    uint32_t base = 3000u * (number - 1u);

    sp_mutex_lock(&x->f->lock);
    x->f->lose_on_cut = fake_random(random) % 2 == 0;
    x->f->pack_bytes = 1000 + fake_random(random) % 2000000;
    sp_mutex_unlock(&x->f->lock);
    for (uint32_t i = 0; i < 4; i++) {
        t[i] = (struct putter){
            .x = x, .random = fake_random(random), .from = base + 1000 * i, .n = 100};
        assert_ok(sp_thread_start("putter", i < 3 ? put_many : read_many, &t[i], &t[i].thread, e));
    }
    for (uint32_t i = 0; i < 4; i++)
        sp_thread_join(t[i].thread);
    fake_record(SP_RECORD_SET, number, last->len > 0 ? last : NULL, &record);
    assert_ok(sp_store_commit(x->s, SP_RECORD_SET, record.data, record.len, &r, e));
    sure((r.published_ns) == (1000 + number));
    for (uint32_t i = 0; i < 3; i++)
        check_blocks(x->f, base + 1000 * i, 100);
    sure(x->f->nrecords == number);
    sp_buf_free(last);
    *last = record;
}

static void
test_any_byte(void **state)
{
    struct fixture *x = *state;
    uint64_t random = fake_seed("test_any_byte");
    struct sp_buf last = SP_BUF_INIT;
    uint8_t number = 0;

    for (uint32_t i = 0; i < 40; i++)
        fake_has(x->f, 19000 + i, false, 2, 60000);
    begin(x, fake_random(&random) | 1, 0);
    proxy_cut_after(x->p, 1000, 12000000);
    while (number < 2 || (proxy_cuts(x->p) < 60 && number < 6))
        random_run(x, &random, ++number, &last);
    sure(proxy_cuts(x->p) >= 60);
    print_message("%u cuts in %u runs\n", proxy_cuts(x->p), (unsigned)number);
    sp_store_free(x->s); /* its thread counts */
    x->s = NULL;
    sure(x->lost > 0);
    sure(x->again <= x->lost && x->again + 1 >= x->lost);
    sp_buf_free(&last);
}

/* --- a single cut, at a chosen place ---------------------------------------------------------- */

static void
test_get_goes_on(void **state)
{
    struct fixture *x = *state;

    for (uint32_t i = 0; i < 60; i++)
        fake_has(x->f, i, false, 3, 1 << 19);
    begin(x, 0, 0);
    get_all(x->s, 0, 60, 3, 10);
    get_all(x->s, 0, 60, 3, 60); /* when all is there, or nearly */
    sp_mutex_lock(&x->f->lock);
    sure(x->f->connections >= 2);
    sp_mutex_unlock(&x->f->lock);
}

static void
test_list_goes_on(void **state)
{
    struct fixture *x = *state;
    struct sp_buf last = SP_BUF_INIT;
    uint64_t random = fake_seed("test_list_goes_on");

    for (uint8_t i = 1; i < 60; i++) {
        struct sp_buf *b = &x->f->records[x->f->nrecords];

        fake_record(SP_RECORD_SET, i, i > 1 ? &last : NULL, b);
        x->f->record_type[x->f->nrecords++] = SP_RECORD_SET;
        last = *b;
    }
    begin(x, random | 1, 0);
    proxy_cut_after(x->p, 6000, 200000);
    for (unsigned i = 0; i < 100 && proxy_cuts(x->p) < 5; i++) {
        struct listing l = {0};
        unsigned slots = 0;

        assert_ok(sp_store_list(x->s, true, true, take_set, &l, e));
        sure(l.sets == 59);
        assert_ok(sp_store_slots(x->s, NULL, take_slot, &slots, e));
        sure(slots == 2);
    }
    sure(proxy_cuts(x->p) >= 5);
}

struct late {
    unsigned step;
    uint8_t *record;
    size_t n;
};

/* The first commit is still at work when its connection is cut, and wins while the second is on its
 * way. */
static bool
commit_late(struct fake *f, struct fake_session *s, struct sp_event *ev)
{
    struct late *l = f->on_arg;

    if (ev->frame.msg.type == SP_MSG_COMMIT && l->step == 0) {
        l->step = 1;
        l->record = ev->frame.payload;
        l->n = ev->frame.payload_len;
        ev->frame.payload = NULL;
        sp_channel_abort(s->channel);
        return true;
    }
    if (ev->frame.msg.type == SP_MSG_HEAD && l->step == 1) {
        l->step = 2;
        fake_handle(s, ev); /* not there yet */
        sp_buf_put(&f->records[f->nrecords], l->record, l->n);
        f->record_type[f->nrecords++] = SP_RECORD_SET;
        return true;
    }
    return false;
}

static void
test_commit_wins_late(void **state)
{
    struct fixture *x = *state;
    struct late l = {0};
    struct sp_buf record = SP_BUF_INIT;
    struct sp_commit_result r = {0};

    x->f->on = commit_late;
    x->f->on_arg = &l;
    fake_record(SP_RECORD_SET, 1, NULL, &record);
    begin(x, 0, 0);
    assert_ok(sp_store_commit(x->s, SP_RECORD_SET, record.data, record.len, &r, e));
    sure(r.published_ns == 1001);
    sure(x->f->nrecords == 1);
    sure(l.step == 2);
    sp_buf_free(&record);
    free(l.record);
}

/* A checkpoint, too, is not committed twice. */
static void
test_checkpoint_answer_lost(void **state)
{
    struct fixture *x = *state;
    struct sp_buf record = SP_BUF_INIT;
    struct sp_commit_result r = {0};

    fake_record(SP_RECORD_CHECKPOINT, 1, NULL, &record);
    x->f->cut_at = 3; /* after the first message */
    begin(x, 0, 0);
    assert_ok(sp_store_commit(x->s, SP_RECORD_CHECKPOINT, record.data, record.len, &r, e));
    sure(r.published_ns == 1001);
    sure(x->f->nrecords == 1);
    sp_buf_free(&record);
}

static bool
abort_commits(struct fake *f, struct fake_session *s, struct sp_event *ev)
{
    (void)f;
    if (ev->frame.msg.type != SP_MSG_COMMIT)
        return false;
    sp_channel_abort(s->channel);
    return true;
}

/* A server that dies of a commit is not asked for ever. */
static void
test_deadly_commit(void **state)
{
    struct fixture *x = *state;
    struct sp_buf record = SP_BUF_INIT;
    struct sp_commit_result r = {0};

    x->f->on = abort_commits;
    fake_record(SP_RECORD_SET, 1, NULL, &record);
    begin(x, 0, 0);
    assert_code(
        SP_UNREACHABLE, sp_store_commit(x->s, SP_RECORD_SET, record.data, record.len, &r, e));
    sure(fake_count(x->f, SP_MSG_COMMIT) > 2);
    sp_buf_free(&record);
}

/* The new connection gives less credit than the blocks cost that are to be sent again. */
static void
test_less_credit(void **state)
{
    struct fixture *x = *state;

    x->f->lose_on_cut = true;
    x->f->pack_bytes = UINT64_MAX;
    begin(x, 0, 0);
    for (uint32_t i = 0; i < 20; i++)
        put(x->s, i, false, 1, 1 << 20);
    sp_mutex_lock(&x->f->lock);
    x->f->hello.server_hello.put_credit = SP_PUT_CREDIT_MIN;
    sp_mutex_unlock(&x->f->lock);
    sp_store_remote_cut(x->s);
    put(x->s, 20, false, 1, 1 << 20);
    assert_ok(sp_store_flush(x->s, e));
    check_blocks(x->f, 0, 21);
}

/* --- a connection that does not come back ----------------------------------------------------- */

static void
test_gives_up(void **state)
{
    struct fixture *x = *state;
    struct sp_id id = fake_id(1, 1);
    uint8_t answer;
    struct sp_err err = {0};
    int64_t began;

    begin(x, 1, 400);
    proxy_refuse(x->p, true);
    began = sp_clock_mono(&sp_clock_system);
    sp_store_remote_cut(x->s);
    sure((sp_store_have(x->s, false, &id, 1, &answer, &err)) == (SP_UNREACHABLE));
    assert_contains(err.text, "could not be had again");
    began = (sp_clock_mono(&sp_clock_system) - began) / 1000000;
    sure(began >= 300 && began < 3000);
    proxy_refuse(x->p, false);
    assert_code(SP_UNREACHABLE, sp_store_flush(x->s, e)); /* and stays so */
}

/* It comes back late, but in time. */
static void
test_comes_back(void **state)
{
    struct fixture *x = *state;

    begin(x, 1, 20000);
    proxy_refuse(x->p, true);
    sp_store_remote_cut(x->s);
    for (uint32_t i = 0; i < 10; i++) /* what the credit allows is taken meanwhile */
        put(x->s, i, false, 1, 1000);
    sp_sleep_ms(200);
    proxy_refuse(x->p, false);
    assert_ok(sp_store_flush(x->s, e));
    check_blocks(x->f, 0, 10);
    sp_store_free(x->s);
    x->s = NULL;
    sure(x->lost == 1);
    sure(x->again == 1);
}

static void
test_cancelled_while_away(void **state)
{
    struct fixture *x = *state;

    begin(x, 1, 60000);
    proxy_refuse(x->p, true);
    sp_store_remote_cut(x->s);
    sp_sleep_ms(50);
    sp_store_cancel(x->s);
    assert_code(SP_CANCELLED, sp_store_flush(x->s, e));
}

/* What trying again does not change. */
static void
not_tried_again(struct fixture *x, enum sp_code code, const char *words)
{
    struct sp_err err = {0};
    unsigned connections;

    sp_store_remote_cut(x->s);
    sure((sp_store_flush(x->s, &err)) == (code));
    assert_contains(err.text, words);
    sp_mutex_lock(&x->f->lock);
    connections = x->f->connections;
    sp_mutex_unlock(&x->f->lock);
    sp_sleep_ms(60);
    sp_mutex_lock(&x->f->lock);
    sure(x->f->connections == connections);
    sure(connections == 2);
    sp_mutex_unlock(&x->f->lock);
}

static void
test_revoked_meanwhile(void **state)
{
    struct fixture *x = *state;

    begin(x, 0, 0);
    sp_mutex_lock(&x->f->lock);
    x->f->admit_code = SP_AUTH;
    sp_mutex_unlock(&x->f->lock);
    not_tried_again(x, SP_AUTH, "revoked");
}

static void
test_expired_meanwhile(void **state)
{
    struct fixture *x = *state;

    begin(x, 0, 0);
    sp_mutex_lock(&x->f->lock);
    x->f->hello.server_hello.renew_only = true;
    sp_mutex_unlock(&x->f->lock);
    not_tried_again(x, SP_AUTH, "the next run renews it");
}

static void
test_another_repository(void **state)
{
    struct fixture *x = *state;
    struct sp_repository_conf conf = {.id = {7}, .split = sp_split_defaults, .pack_size = 1 << 24};

    begin(x, 0, 0);
    sp_mutex_lock(&x->f->lock);
    sp_buf_reset(&x->f->conf);
    assert_ok(sp_repository_conf_encode(&conf, &x->f->conf, e));
    sp_mutex_unlock(&x->f->lock);
    not_tried_again(x, SP_REFUSED, "another repository");
}

static void
test_read_only_meanwhile(void **state)
{
    struct fixture *x = *state;

    x->f->lose_on_cut = true;
    begin(x, 0, 0);
    put(x->s, 1, false, 1, 100);
    sp_mutex_lock(&x->f->lock);
    x->f->hello.server_hello.writable = false;
    sp_mutex_unlock(&x->f->lock);
    not_tried_again(x, SP_REFUSED, "no backups any more");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_message),
        cmocka_unit_test(test_every_message_losing),
        TEST(test_any_byte),
        TEST(test_get_goes_on),
        TEST(test_list_goes_on),
        TEST(test_commit_wins_late),
        TEST(test_checkpoint_answer_lost),
        TEST(test_deadly_commit),
        TEST(test_less_credit),
        TEST(test_gives_up),
        TEST(test_comes_back),
        TEST(test_cancelled_while_away),
        TEST(test_revoked_meanwhile),
        TEST(test_expired_meanwhile),
        TEST(test_another_repository),
        TEST(test_read_only_meanwhile),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
