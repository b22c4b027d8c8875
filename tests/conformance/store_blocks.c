/* The store suite: slots, hosts, have, put, get. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/thread.h"
#include "store.h"
#include "unit/storage/expect.h"

static int
begin(void **state)
{
    (void)state;
    suite->begin(suite->arg);
    return 0;
}

static int
end(void **state)
{
    (void)state;
    suite->end(suite->arg);
    return 0;
}

static void
test_info(void **state)
{
    struct session x;
    struct sp_store_info i;

    (void)state;
    session_begin(&x, "one", NULL);
    ok(sp_store_info(x.s, &i, &err));
    assert_true(i.writable);
    assert_true(sp_split_params_valid(&i.split));
    assert_true(strlen(i.address) > 0);
    session_end(&x);
}

struct slots {
    const struct sp_buf *expected;
    size_t n, same;
};

static enum sp_code
count_slot(void *arg, const uint8_t *slot, size_t n, struct sp_err *e)
{
    struct slots *c = arg;

    (void)e;
    c->n++;
    if (n == c->expected->len && memcmp(slot, c->expected->data, n) == 0)
        c->same++;
    return SP_OK;
}

static void
test_slots(void **state)
{
    struct session x;
    struct sp_buf more = SP_BUF_INIT;
    struct slots c;
    uint8_t invitation[32];

    (void)state;
    session_begin(&x, "one", NULL);
    c = (struct slots){&x.p.slot, 0, 0};
    ok(sp_store_slots(x.s, party_group(&x.p), count_slot, &c, &err));
    assert_int_equal(c.n, 1);
    assert_int_equal(c.same, 1);

    ok(sp_random_fill(&sp_random_system, invitation, sizeof invitation, &err));
    ok(sp_slot_seal_invitation(x.p.keys, invitation, "test", 2, &sp_random_system, &more, &err));
    ok(sp_store_put_slot(x.s, more.data, more.len, &err));
    ok(sp_store_put_slot(x.s, more.data, more.len, &err)); /* the very same */
    c = (struct slots){&more, 0, 0};
    ok(sp_store_slots(x.s, NULL, count_slot, &c, &err));
    assert_int_equal(c.n, 2);
    assert_int_equal(c.same, 1);
    sp_buf_free(&more);
    session_end(&x);
}

static void
test_host(void **state)
{
    struct session x;
    const uint8_t nobody[16] = {9};
    uint8_t *p = NULL;
    size_t n;

    (void)state;
    session_begin(&x, "one", NULL);
    ok(sp_store_host(x.s, x.p.host, &p, &n, &err));
    assert_int_equal(n, x.p.encoded.len);
    assert_memory_equal(p, x.p.encoded.data, n);
    free(p);
    gives(SP_ABSENT, sp_store_host(x.s, nobody, &p, &n, &err));
    session_end(&x);
}

static void
test_have(void **state)
{
    struct session x;
    struct sp_id data, node, ids[3];
    uint8_t answers[3];
    size_t n;
    uint8_t *block;

    (void)state;
    session_begin(&x, "one", NULL);
    block = party_data(&x.p, 1000, &data, &n);
    assert_int_equal(have_one(x.s, false, &data), SP_HAVE_NO);
    put_block(x.s, block, n);
    assert_int_equal(have_one(x.s, false, &data), SP_HAVE_MINE); /* accepted is enough */
    node = put_node(x.s, &x.p, &data, 1);
    /* Nodes and data do not answer for each other. */
    assert_int_equal(have_one(x.s, true, &node), SP_HAVE_MINE);
    assert_int_equal(have_one(x.s, false, &node), SP_HAVE_NO);
    assert_int_equal(have_one(x.s, true, &data), SP_HAVE_NO);

    ok(sp_store_flush(x.s, &err));
    ok(sp_store_flush(x.s, &err)); /* nothing to do is no failure */
    memset(&ids[0], 7, sizeof(ids[0]));
    ids[1] = data;
    memset(&ids[2], 8, sizeof(ids[2]));
    ok(sp_store_have(x.s, false, ids, 3, answers, &err));
    assert_int_equal(answers[0], SP_HAVE_NO);
    assert_int_equal(answers[1], SP_HAVE_MINE);
    assert_int_equal(answers[2], SP_HAVE_NO);
    ok(sp_store_have(x.s, false, ids, 0, answers, &err));

    session_again(&x);
    assert_int_equal(have_one(x.s, false, &data), SP_HAVE_MINE);
    assert_int_equal(have_one(x.s, true, &node), SP_HAVE_MINE);
    session_end(&x);
}

static void
test_have_others(void **state)
{
    struct session mine, member, foreign;
    struct sp_id data, node;

    (void)state;
    session_begin(&mine, "mine", NULL);
    data = put_data(mine.s, &mine.p, 1000);
    node = put_node(mine.s, &mine.p, &data, 1);
    ok(sp_store_flush(mine.s, &err));

    session_begin(&member, "member", &mine.p);
    assert_int_equal(have_one(member.s, false, &data), SP_HAVE_MEMBERS);
    assert_int_equal(have_one(member.s, true, &node), SP_HAVE_NO); /* never said of nodes */
    session_begin(&foreign, "foreign", NULL);
    assert_int_equal(have_one(foreign.s, false, &data), SP_HAVE_NO);
    assert_int_equal(have_one(foreign.s, true, &node), SP_HAVE_NO);
    session_end(&foreign);
    session_end(&member);
    session_end(&mine);
}

/* --- get ----------------------------------------------------------------------------------- */

struct got {
    struct party *p;
    const struct sp_id *ids;
    size_t blocks, chunks, stop_after;
    uint8_t seen[4096];
};

/* Opens every block and finds in it what it is said to hold. */
static enum sp_code
take(void *arg, const uint8_t *block, size_t n, const uint32_t *wanted, size_t nwanted,
    struct sp_err *e)
{
    struct got *g = arg;
    struct sp_opened *o;
    struct sp_chunk c;

    assert_true(nwanted > 0);
    ok(sp_block_open(g->p->opener, block, n, &o, &err));
    for (size_t i = 0; i < nwanted; i++) {
        assert_true(sp_opened_find(o, &g->ids[wanted[i]], &c));
        assert_int_equal(g->seen[wanted[i]], 0);
        g->seen[wanted[i]] = 1;
        g->chunks++;
    }
    sp_opened_free(o);
    g->blocks++;
    if (g->stop_after != 0 && g->blocks == g->stop_after)
        return sp_fail(e, SP_BUSY, SP_DOM_SELF, "enough");
    return SP_OK;
}

static struct got
get(struct session *x, const struct sp_id *ids, size_t n, unsigned copy)
{
    struct got g = {.p = &x->p, .ids = ids};

    ok(sp_store_get(x->s, ids, n, copy, take, &g, &err));
    return g;
}

static void
test_get(void **state)
{
    struct session x;
    struct sp_id ids[40];
    struct got g = {.p = &x.p, .ids = ids};
    size_t n;
    uint8_t *block;

    (void)state;
    session_begin(&x, "one", NULL);
    block = party_many(&x.p, 10, 500, ids, &n); /* ten chunks in one block */
    put_block(x.s, block, n);
    for (size_t i = 10; i < 39; i++) /* and many blocks, in several packs */
        ids[i] = put_data(x.s, &x.p, 8000);
    memset(&ids[39], 0x55, sizeof(ids[39])); /* nobody has it */
    ok(sp_store_flush(x.s, &err));

    g = get(&x, ids, 40, 0);
    assert_int_equal(g.chunks, 39);
    assert_int_equal(g.blocks, 30);
    assert_int_equal(g.seen[39], 0);
    assert_int_equal(get(&x, ids + 39, 1, 0).blocks, 0);
    assert_int_equal(get(&x, ids, 40, 1).blocks, 0); /* no second copy */
    ok(sp_store_get(x.s, ids, 0, 0, take, &g, &err));

    g = (struct got){.p = &x.p, .ids = ids, .stop_after = 3};
    gives(SP_BUSY, sp_store_get(x.s, ids, 40, 0, take, &g, &err));
    assert_int_equal(g.blocks, 3);
    assert_int_equal(get(&x, ids, 40, 0).chunks, 39); /* which harmed nothing */
    session_end(&x);
}

static void
test_get_copies(void **state)
{
    struct session a, b, c;
    struct sp_id id;
    size_t n;
    uint8_t *block, *again;

    (void)state;
    session_begin(&a, "first", NULL);
    session_begin(&b, "second", &a.p);
    session_begin(&c, "foreign", NULL);
    block = party_data(&a.p, 1000, &id, &n);
    again = malloc(n);
    assert_non_null(again);
    memcpy(again, block, n);
    put_block(a.s, block, n);
    put_block(b.s, again, n);
    ok(sp_store_flush(a.s, &err));
    ok(sp_store_flush(b.s, &err));
    session_again(&a);
    session_again(&b);
    session_again(&c);
    for (unsigned copy = 0; copy < 3; copy++) {
        assert_int_equal(get(&a, &id, 1, copy).chunks, copy < 2);
        assert_int_equal(get(&b, &id, 1, copy).chunks, copy < 2);
        assert_int_equal(get(&c, &id, 1, copy).chunks, 0); /* another group sees nothing */
    }
    session_end(&c);
    session_end(&b);
    session_end(&a);
}

/* --- many at once -------------------------------------------------------------------------- */

#define THREADS 4
#define EACH 24

struct worker {
    struct session *x;
    struct party p; /* its own contexts, the same host */
    struct sp_thread *t;
    struct sp_id ids[EACH];
    size_t wrong;
};

static void
work(void *arg)
{
    struct worker *w = arg;
    struct sp_err e = {0};
    size_t n;
    uint8_t answer;

    for (size_t i = 0; i < EACH; i++) {
        uint8_t *block = party_data(&w->p, 5000, &w->ids[i], &n);

        if (sp_store_put(w->x->s, block, n, &e) != SP_OK ||
            sp_store_have(w->x->s, false, &w->ids[i], 1, &answer, &e) != SP_OK ||
            answer != SP_HAVE_MINE)
            w->wrong++;
        if (i == EACH / 2 && sp_store_flush(w->x->s, &e) != SP_OK)
            w->wrong++;
    }
}

static void
test_threads(void **state)
{
    struct session x;
    struct worker w[THREADS];
    struct sp_id all[THREADS * EACH];
    struct made_record r;
    struct sp_id root;

    (void)state;
    session_begin(&x, "one", NULL);
    for (size_t i = 0; i < THREADS; i++) {
        memset(&w[i], 0, sizeof(w[i]));
        w[i].x = &x;
        party_init(&w[i].p, "worker", &x.p);
        ok(sp_thread_start("worker", work, &w[i], &w[i].t, &err));
    }
    for (size_t i = 0; i < THREADS; i++) {
        sp_thread_join(w[i].t);
        assert_int_equal(w[i].wrong, 0);
        memcpy(all + i * EACH, w[i].ids, sizeof(w[i].ids));
        party_free(&w[i].p);
    }
    root = put_node(x.s, &x.p, all, THREADS * EACH);
    party_record(&x.p, SP_RECORD_SET, "job", NULL, &root, &r);
    commit(x.s, SP_RECORD_SET, &r);
    assert_int_equal(get(&x, all, THREADS * EACH, 0).chunks, THREADS * EACH);
    sp_buf_free(&r.object);
    session_end(&x);
}

static void
test_cancel(void **state)
{
    struct session x;
    struct sp_id id;
    struct got g = {.p = &x.p, .ids = &id};
    uint8_t answer, *block;
    size_t n;

    (void)state;
    session_begin(&x, "one", NULL);
    id = put_data(x.s, &x.p, 1000);
    sp_store_cancel(x.s);
    block = party_data(&x.p, 1000, &id, &n);
    gives(SP_CANCELLED, sp_store_put(x.s, block, n, &err));
    gives(SP_CANCELLED, sp_store_have(x.s, false, &id, 1, &answer, &err));
    gives(SP_CANCELLED, sp_store_get(x.s, &id, 1, 0, take, &g, &err));
    gives(SP_CANCELLED, sp_store_flush(x.s, &err));
    session_end(&x);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

const struct CMUnitTest store_tests_blocks[] = {
    TEST(test_info),
    TEST(test_slots),
    TEST(test_host),
    TEST(test_have),
    TEST(test_have_others),
    TEST(test_get),
    TEST(test_get_copies),
    TEST(test_threads),
    TEST(test_cancel),
};
const size_t store_tests_blocks_n = sizeof(store_tests_blocks) / sizeof(store_tests_blocks[0]);
