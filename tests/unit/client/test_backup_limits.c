/* Inside the pipeline: queues keep their limits with many tiny chunks, what comes twice is sent
 * once, a drain never takes lost chunks for stored ones, and the walk's order is kept. */

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "client/backup_run.h"
#include "tests/unit/base/support.h"
#include "tests/unit/client/site.h"

#define GIVERS 3
#define TINY 20000u

struct part { /* of the pipeline: from gather_submit to the store */
    struct site s;
    struct backup b;
    struct sp_backup_options o;
    struct sp_backup_events events;
    struct sp_thread *askers[ASKERS], *sealers[2];
};

static void
part_start(struct part *p)
{
    struct backup *b = &p->b;

    memset(b, 0, sizeof *b);
    memset(&p->o, 0, sizeof p->o);
    memset(&p->events, 0, sizeof p->events);
    b->env = &sp_env_system;
    b->store = &p->s.wrap.store;
    b->keys = p->s.keys;
    b->o = &p->o;
    b->events = &p->events;
    sp_mutex_init(&b->lock);
    sp_mutex_init(&b->events_lock);
    order_init(&b->order);
    assert_ok(gather_init(b, e));
    assert_ok(sp_sealer_new(b->keys, &sp_random_system, &b->sealer, e));
    assert_ok(sp_nodes_new(b->env, b->store, b->keys, NULL, &b->nodes, e));
    for (size_t i = 0; i < ASKERS; i++)
        assert_ok(sp_thread_start("ask", gather_asker, b, &p->askers[i], e));
    for (size_t i = 0; i < 2; i++)
        assert_ok(sp_thread_start("seal", gather_sealer, b, &p->sealers[i], e));
}

static void
part_stop(struct part *p)
{
    struct backup *b = &p->b;

    sp_queue_done(b->gather.ask);
    for (size_t i = 0; i < ASKERS; i++)
        sp_thread_join(p->askers[i]);
    sp_queue_done(b->gather.seal);
    for (size_t i = 0; i < 2; i++)
        sp_thread_join(p->sealers[i]);
    gather_destroy(b);
    order_destroy(&b->order);
    sp_nodes_free(b->nodes);
    sp_sealer_free(b->sealer);
    sp_mutex_destroy(&b->events_lock);
    sp_mutex_destroy(&b->lock);
}

static enum sp_code
give(struct backup *b, struct sp_hasher *h, uint32_t value, size_t n, struct sp_err *e)
{
    static const uint8_t zeros[100000];
    uint8_t *p = malloc(n);
    struct sp_id id;
    enum sp_code rc;

    assert_non_null(p);
    memcpy(p, zeros, n);
    memcpy(p, &value, n < 4 ? n : 4);
    rc = sp_hasher_id(h, SP_CHUNK_DATA, NULL, 0, p, n, &id, e);
    if (rc == SP_OK)
        rc = gather_submit(b, false, SP_BLOCK_FILES, SP_CHUNK_DATA, &id, NULL, 0, p, n, e);
    free(p);
    return rc;
}

/* All givers give the same. */
static void
giver(void *arg)
{
    struct backup *b = arg;
    struct sp_hasher *h = NULL;

    assert_ok(sp_hasher_new(b->keys, &h, e));
    for (uint32_t i = 0; i < TINY; i++)
        assert_ok(give(b, h, i, 4, e));
    sp_hasher_free(h);
}

/* The first answers are late: until there is a queue. */
static void
wait_for_queue(void *arg, enum wrap_call call, size_t nth)
{
    struct part *p = arg;

    for (int i = 0; call == WRAP_HAVE && nth <= ASKERS && i < 10000 &&
                    sp_queue_peak_bytes(p->b.gather.ask) < ASK_LIMIT / 4 * 3;
         i++)
        sp_sleep_ms(1);
}

static void
test_tiny_chunks(void **state)
{
    struct part p;
    struct sp_thread *givers[GIVERS];

    (void)state;
    site_new(&p.s, false);
    p.s.wrap.delay_ms = 3;
    p.s.wrap.before = wait_for_queue;
    p.s.wrap.arg = &p;
    part_start(&p);
    for (size_t i = 0; i < GIVERS; i++)
        assert_ok(sp_thread_start("give", giver, &p.b, &givers[i], e));
    for (size_t i = 0; i < GIVERS; i++)
        sp_thread_join(givers[i]);
    assert_ok(gather_drain(&p.b, e));
    /* The limit was needed, and held. */
    assert_true(sp_queue_peak_bytes(p.b.gather.ask) > ASK_LIMIT / 2);
    assert_true(sp_queue_peak_bytes(p.b.gather.ask) <= ASK_LIMIT);
    assert_true(sp_queue_peak_bytes(p.b.gather.seal) <= SEAL_LIMIT);
    assert_int_equal(atomic_load(&p.b.count.chunks_new), TINY);
    assert_int_equal(p.s.wrap.ids_asked, TINY);
    assert_true(p.s.wrap.calls[WRAP_PUT] < TINY / SP_BLOCK_MAX_IDS + 5);
    assert_int_equal(p.b.gather.asking, 0);
    assert_int_equal(p.b.gather.blocks, 0);
    part_stop(&p);
    site_free(&p.s);
}

/* With the last put or have failing, whoever drains hears of it and not of success. */
static void
test_drain_after_failure(void **state)
{
    struct part p;
    struct sp_hasher *h = NULL;
    struct sp_err err;

    (void)state;
    site_new(&p.s, false);
    assert_ok(sp_hasher_new(p.s.keys, &h, e));
    for (uint32_t i = 0; i < 300; i++) {
        wrap_reset(&p.s.wrap);
        p.s.wrap.fail_call = i % 2 == 0 ? WRAP_PUT : WRAP_HAVE;
        p.s.wrap.fail_at = 1;
        p.s.wrap.fail_code = SP_IO;
        part_start(&p);
        memset(&err, 0, sizeof err);
        if (give(&p.b, h, i, 4, &err) == SP_OK)
            assert_int_equal(gather_drain(&p.b, &err), SP_CANCELLED);
        assert_int_equal(p.b.first_error.code, SP_IO);
        part_stop(&p);
    }
    sp_hasher_free(h);
    site_free(&p.s);
}

/* Readers wait at the closed gate and go on when it opens, or when all is over. */
static void
gate_giver(void *arg)
{
    struct part *p = arg;
    struct sp_hasher *h = NULL;
    struct sp_err err = {0};
    enum sp_code rc = SP_OK;

    assert_ok(sp_hasher_new(p->b.keys, &h, e));
    for (uint32_t i = 0; rc == SP_OK && i < 3000; i++)
        rc = give(&p->b, h, i, 1000, &err);
    assert_true(rc == SP_OK || rc == SP_CANCELLED);
    sp_hasher_free(h);
}

static void
test_gate(void **state)
{
    struct part p;
    struct sp_thread *givers[GIVERS];
    struct sp_err err = {0};

    (void)state;
    for (int fails = 0; fails < 2; fails++) {
        site_new(&p.s, false);
        part_start(&p);
        for (size_t i = 0; i < GIVERS; i++)
            assert_ok(sp_thread_start("give", gate_giver, &p, &givers[i], e));
        for (int i = 0; i < 20; i++) {
            assert_ok(gather_drain(&p.b, e));
            assert_int_equal(p.b.gather.asking, 0);
            assert_int_equal(p.b.gather.blocks, 0);
            if (fails && i == 10)
                break;
            gather_open(&p.b);
        }
        if (fails) { /* while they wait at the gate */
            (void)sp_fail(&err, SP_IO, SP_DOM_STORE, "over");
            backup_fail(&p.b, &err);
        }
        for (size_t i = 0; i < GIVERS; i++)
            sp_thread_join(givers[i]);
        if (!fails) {
            assert_ok(gather_drain(&p.b, e));
            assert_int_equal(atomic_load(&p.b.count.chunks_new), 3000);
        }
        part_stop(&p);
        site_free(&p.s);
    }
}

/* --- order ---------------------------------------------------------------------------------------
 */

#define WORKS 3000u

struct line {
    struct order o;
    struct work *works[WORKS];
    size_t pushed;
    bool refused;
};

static struct work *
new_work(uint32_t number)
{
    struct work *w = calloc(1, sizeof *w);
    struct sp_entry en = {.user = "", .group = "", .key = (const uint8_t *)"", .file_id = number};
    uint8_t big[4000] = {0};

    assert_non_null(w);
    en.target = big;
    en.target_len = sizeof big;
    assert_ok(sp_entry_copy(&en, &w->entry, e));
    return w;
}

static void
pusher(void *arg)
{
    struct line *l = arg;

    for (uint32_t i = 0; i < WORKS; i++) {
        struct work *w = new_work(i);

        l->works[i] = w;
        if (!order_push(&l->o, w)) {
            backup_work_free(w);
            l->refused = true;
            return;
        }
        sp_mutex_lock(&l->o.lock);
        l->pushed++;
        sp_mutex_unlock(&l->o.lock);
    }
    order_end(&l->o);
}

static size_t
pushed(struct line *l)
{
    size_t n;

    sp_mutex_lock(&l->o.lock);
    n = l->pushed;
    sp_mutex_unlock(&l->o.lock);
    return n;
}

static void
test_order(void **state)
{
    struct line *l = calloc(1, sizeof *l);
    struct sp_thread *t = NULL;
    struct work *w, *next;
    size_t done = 0, taken = 0, now;
    bool waiting;

    (void)state;
    assert_non_null(l);
    order_init(&l->o);
    assert_ok(sp_thread_start("push", pusher, l, &t, e));
    while (taken < WORKS) {
        /* From the youngest to the oldest of what is there. */
        now = pushed(l);
        for (size_t i = now; i-- > done;)
            order_done(&l->o, l->works[i]);
        done = now;
        while (taken < done) {
            w = order_pop(&l->o, &waiting);
            assert_non_null(w);
            assert_false(waiting);
            for (; w != NULL; w = next) {
                next = w->next;
                assert_int_equal(w->entry->file_id, taken++);
                backup_work_free(w);
            }
        }
        if (done < WORKS) {
            w = order_pop(&l->o, &waiting); /* not done: nothing comes */
            assert_null(w);
            assert_true(waiting);
        }
    }
    w = order_pop(&l->o, &waiting);
    assert_null(w);
    assert_false(waiting);
    sp_thread_join(t);
    assert_true(l->o.peak > ORDER_LIMIT / 2);
    assert_true(l->o.peak <= ORDER_LIMIT);
    assert_int_equal(l->o.bytes, 0);
    order_destroy(&l->o);
    free(l);
}

/* Each work goes to one reader, few wait for one, and they come out in order. */
struct readers {
    struct order o;
    atomic_uint most_unread;
};

static void
reader(void *arg)
{
    struct readers *r = arg;
    struct work *w;
    uint64_t random = (uint64_t)(uintptr_t)&w;

    while ((w = order_take(&r->o)) != NULL) {
        assert_false(w->abandoned);
        w->abandoned = true; /* taken once */
        if (test_random(&random) % 16 == 0)
            sp_sleep_ms(1);
        order_done(&r->o, w);
    }
}

static void
walk_to_readers(void *arg)
{
    struct readers *r = arg;

    for (uint32_t i = 0; i < WORKS; i++) {
        struct work *w = new_work(i);

        w->read = i % 5 != 0;
        w->done = !w->read;
        assert_true(order_push(&r->o, w));
        sp_mutex_lock(&r->o.lock);
        if (r->o.nunread > atomic_load(&r->most_unread))
            atomic_store(&r->most_unread, (unsigned)r->o.nunread);
        sp_mutex_unlock(&r->o.lock);
    }
    order_end(&r->o);
}

static void
test_order_readers(void **state)
{
    struct readers *r = calloc(1, sizeof *r);
    struct sp_thread *walk = NULL, *readers[4];
    struct work *w, *next;
    size_t taken = 0;
    bool waiting = false;

    (void)state;
    assert_non_null(r);
    order_init(&r->o);
    for (size_t i = 0; i < 4; i++)
        assert_ok(sp_thread_start("read", reader, r, &readers[i], e));
    assert_ok(sp_thread_start("walk", walk_to_readers, r, &walk, e));
    while ((w = order_pop(&r->o, &waiting)) != NULL || waiting) {
        for (; w != NULL; w = next) {
            next = w->next;
            assert_int_equal(w->entry->file_id, taken);
            assert_int_equal(w->abandoned, taken % 5 != 0);
            taken++;
            backup_work_free(w);
        }
    }
    sp_thread_join(walk);
    for (size_t i = 0; i < 4; i++)
        sp_thread_join(readers[i]);
    assert_int_equal(taken, WORKS);
    assert_int_equal(r->o.bytes, 0);
    assert_int_equal(r->o.nunread, 0);
    assert_true(atomic_load(&r->most_unread) <= READ_AHEAD);
    assert_true(r->o.peak <= ORDER_LIMIT);
    order_destroy(&r->o);
    free(r);
}

/* What a reader adds to an entry counts: who pushes waits for it. */
static void
test_order_weighs_again(void **state)
{
    struct order o;
    struct work *w = calloc(1, sizeof *w), *light = new_work(0);
    struct sp_entry en = {.user = "", .group = "", .key = (const uint8_t *)""};
    size_t before;
    bool waiting;

    (void)state;
    assert_non_null(w);
    order_init(&o);
    assert_true(order_push(&o, w));
    before = o.bytes;
    en.target = calloc(1, 1u << 20);
    en.target_len = 1u << 20;
    assert_non_null(en.target);
    assert_ok(sp_entry_copy(&en, &w->entry, e));
    order_done(&o, w);
    assert_true(o.bytes >= before + (1u << 20));
    assert_true(order_push(&o, light));
    backup_work_free(order_pop(&o, &waiting));
    order_done(&o, light);
    backup_work_free(order_pop(&o, &waiting));
    assert_int_equal(o.bytes, 0);
    order_destroy(&o);
    free((void *)(uintptr_t)en.target);
}

static void
test_order_abort(void **state)
{
    struct line *l = calloc(1, sizeof *l);
    struct sp_thread *t = NULL;
    struct work *w;
    bool waiting;

    (void)state;
    assert_non_null(l);
    order_init(&l->o);
    assert_ok(sp_thread_start("push", pusher, l, &t, e));
    while (pushed(l) < 100)
        sp_sleep_ms(1);
    order_abort(&l->o);
    sp_thread_join(t);
    assert_true(l->refused);
    w = order_pop(&l->o, &waiting);
    assert_null(w);
    assert_false(waiting);
    order_destroy(&l->o); /* frees what is left */
    free(l);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tiny_chunks),
        cmocka_unit_test(test_drain_after_failure),
        cmocka_unit_test(test_gate),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_order_readers),
        cmocka_unit_test(test_order_weighs_again),
        cmocka_unit_test(test_order_abort),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
