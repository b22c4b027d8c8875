#include "support.h"

#include <stdatomic.h>

#include "base/clock.h"
#include "base/queue.h"
#include "base/thread.h"

static struct sp_queue *
new_queue(size_t limit, unsigned producers, void (*drop)(void *))
{
    struct sp_queue *q = NULL;

    assert_ok(sp_queue_new(limit, producers, drop, &q, e));
    return q;
}

static void
first_in_first_out_then_the_end(void **state)
{
    struct sp_queue *q = new_queue(1000000, 1, NULL);
    int items[100];

    (void)state;
    /* More than the ring begins with, taken and added across its end. */
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 100; i++)
            assert_true(sp_queue_push(q, &items[i], 1));
        for (int i = 0; i < 100; i++)
            assert_ptr_equal(sp_queue_pop(q), &items[i]);
    }
    assert_true(sp_queue_push(q, &items[7], 1));
    sp_queue_done(q);
    assert_ptr_equal(sp_queue_pop(q), &items[7]);
    assert_null(sp_queue_pop(q));
    assert_null(sp_queue_pop(q));
    assert_false(sp_queue_aborted(q));
    assert_int_equal(sp_queue_peak_bytes(q), 100);
    sp_queue_free(q);
    sp_queue_free(NULL);
}

static void
growing_across_the_end_keeps_the_order(void **state)
{
    struct sp_queue *q = new_queue(1000000, 1, NULL);
    int items[200];

    (void)state;
    for (int i = 0; i < 10; i++)
        assert_true(sp_queue_push(q, &items[i], 1));
    for (int i = 0; i < 10; i++)
        assert_ptr_equal(sp_queue_pop(q), &items[i]);
    for (int i = 0; i < 200; i++)
        assert_true(sp_queue_push(q, &items[i], 1));
    for (int i = 0; i < 200; i++)
        assert_ptr_equal(sp_queue_pop(q), &items[i]);
    sp_queue_free(q);
}

static void
try_pop_never_waits(void **state)
{
    struct sp_queue *q = new_queue(10, 1, NULL);
    bool empty = false;
    int item;

    (void)state;
    assert_null(sp_queue_try_pop(q, &empty));
    assert_true(empty);
    assert_true(sp_queue_push(q, &item, 1));
    assert_ptr_equal(sp_queue_try_pop(q, &empty), &item);
    assert_false(empty);
    sp_queue_done(q);
    empty = true;
    assert_null(sp_queue_try_pop(q, &empty));
    assert_false(empty);
    sp_queue_free(q);
}

static void
pop_ms_waits_as_long(void **state)
{
    struct sp_queue *q = new_queue(10, 1, NULL);
    bool empty = false;
    int item;
    int64_t before = sp_clock_mono(&sp_clock_system);

    (void)state;
    assert_null(sp_queue_pop_ms(q, 50, &empty));
    assert_true(empty);
    assert_true(sp_clock_mono(&sp_clock_system) - before >= 50 * 1000000);
    assert_true(sp_queue_push(q, &item, 1));
    assert_ptr_equal(sp_queue_pop_ms(q, 60000, &empty), &item);
    assert_false(empty);
    assert_null(sp_queue_pop_ms(q, 0, &empty));
    assert_true(empty);
    sp_queue_abort(q);
    assert_null(sp_queue_pop_ms(q, 60000, &empty));
    assert_false(empty);
    sp_queue_free(q);
}

static void
an_item_over_the_limit_passes_an_empty_queue(void **state)
{
    struct sp_queue *q = new_queue(10, 1, NULL);
    int item;

    (void)state;
    assert_true(sp_queue_push(q, &item, 1000));
    assert_ptr_equal(sp_queue_pop(q), &item);
    assert_true(sp_queue_push(q, &item, SIZE_MAX));
    assert_ptr_equal(sp_queue_pop(q), &item);
    assert_int_equal(sp_queue_peak_bytes(q), SIZE_MAX);
    sp_queue_free(q);
}

struct pusher {
    struct sp_queue *q;
    size_t bytes;
    int item;
    atomic_int started, returned, result;
};

static void
push_one(void *arg)
{
    struct pusher *p = arg;

    atomic_store(&p->started, 1);
    atomic_store(&p->result, sp_queue_push(p->q, &p->item, p->bytes));
    atomic_store(&p->returned, 1);
}

static void
a_full_queue_holds_the_producer(void **state)
{
    struct sp_queue *q = new_queue(10, 2, NULL);
    struct pusher p = {.q = q, .bytes = 6};
    struct sp_thread *t;
    int first;

    (void)state;
    assert_true(sp_queue_push(q, &first, 5));
    assert_ok(sp_thread_start("push", push_one, &p, &t, e));
    while (!atomic_load(&p.started))
        sp_sleep_ms(1);
    sp_sleep_ms(30);
    assert_false(atomic_load(&p.returned));
    assert_ptr_equal(sp_queue_pop(q), &first);
    assert_ptr_equal(sp_queue_pop(q), &p.item);
    sp_thread_join(t);
    assert_true(atomic_load(&p.result));
    assert_int_equal(sp_queue_peak_bytes(q), 6);
    sp_queue_free(q);
}

/* Without turns, small items that always fit could keep a large one waiting for ever. */
static void
a_large_item_has_its_turn(void **state)
{
    struct sp_queue *q = new_queue(10, 3, NULL);
    struct pusher large = {.q = q, .bytes = 100}, small = {.q = q, .bytes = 1};
    struct sp_thread *a, *b;
    int first;

    (void)state;
    assert_true(sp_queue_push(q, &first, 5));
    assert_ok(sp_thread_start("large", push_one, &large, &a, e));
    while (!atomic_load(&large.started))
        sp_sleep_ms(1);
    sp_sleep_ms(50);
    assert_ok(sp_thread_start("small", push_one, &small, &b, e));
    sp_sleep_ms(30);
    /* It would fit, but another was first. */
    assert_false(atomic_load(&small.returned));
    assert_ptr_equal(sp_queue_pop(q), &first);
    assert_ptr_equal(sp_queue_pop(q), &large.item);
    assert_ptr_equal(sp_queue_pop(q), &small.item);
    sp_thread_join(a);
    sp_thread_join(b);
    sp_queue_free(q);
}

/* One pop makes room for many: each must hear that its turn has come, in whatever order they wake.
 */
static void
all_that_fit_get_in(void **state)
{
    (void)state;
    for (int round = 0; round < 30; round++) {
        struct sp_queue *q = new_queue(100, 9, NULL);
        struct pusher p[8];
        struct sp_thread *t[8];
        int first;

        assert_true(sp_queue_push(q, &first, 100));
        for (size_t i = 0; i < 8; i++) {
            p[i] = (struct pusher){.q = q, .bytes = 10};
            assert_ok(sp_thread_start("push", push_one, &p[i], &t[i], e));
        }
        for (size_t i = 0; i < 8; i++)
            while (!atomic_load(&p[i].started))
                sp_sleep_ms(1);
        sp_sleep_ms(2);
        assert_ptr_equal(sp_queue_pop(q), &first);
        for (size_t i = 0; i < 8; i++)
            sp_thread_join(t[i]);
        assert_int_equal(sp_queue_peak_bytes(q), 100);
        sp_queue_free(q);
    }
}

static atomic_int dropped;

static void
drop_counts(void *item)
{
    atomic_fetch_add(&dropped, *(int *)item);
}

static void
free_drops_what_is_left(void **state)
{
    struct sp_queue *q = new_queue(10, 1, drop_counts);
    int one = 1, ten = 10;

    (void)state;
    atomic_store(&dropped, 0);
    assert_true(sp_queue_push(q, &one, 1));
    assert_true(sp_queue_push(q, &ten, 1));
    sp_queue_free(q);
    assert_int_equal(atomic_load(&dropped), 11);
}

static void
pop_one(void *arg)
{
    struct pusher *p = arg;

    atomic_store(&p->started, 1);
    atomic_store(&p->result, sp_queue_pop(p->q) != NULL);
    atomic_store(&p->returned, 1);
}

static void
abort_frees_a_waiting_consumer(void **state)
{
    struct sp_queue *q = new_queue(10, 1, drop_counts);
    struct pusher p = {.q = q, .result = 5};
    struct sp_thread *t;

    (void)state;
    assert_ok(sp_thread_start("pop", pop_one, &p, &t, e));
    while (!atomic_load(&p.started))
        sp_sleep_ms(1);
    sp_sleep_ms(20);
    assert_false(atomic_load(&p.returned));
    sp_queue_abort(q);
    sp_thread_join(t);
    assert_int_equal(atomic_load(&p.result), 0);
    assert_true(sp_queue_aborted(q));
    sp_queue_free(q);
}

static void
the_end_reaches_every_consumer(void **state)
{
    (void)state;
    for (int aborts = 0; aborts < 2; aborts++) {
        struct sp_queue *q = new_queue(10, 1, NULL);
        struct pusher p[4];
        struct sp_thread *t[4];

        for (size_t i = 0; i < 4; i++) {
            p[i] = (struct pusher){.q = q, .result = 5};
            assert_ok(sp_thread_start("pop", pop_one, &p[i], &t[i], e));
        }
        for (size_t i = 0; i < 4; i++)
            while (!atomic_load(&p[i].started))
                sp_sleep_ms(1);
        sp_sleep_ms(20);
        if (aborts)
            sp_queue_abort(q);
        else
            sp_queue_done(q);
        for (size_t i = 0; i < 4; i++) {
            sp_thread_join(t[i]);
            assert_int_equal(atomic_load(&p[i].result), 0);
        }
        sp_queue_free(q);
    }
}

static void
abort_frees_producers_and_drops(void **state)
{
    struct sp_queue *q = new_queue(10, 2, drop_counts);
    struct pusher p = {.q = q, .bytes = 10, .item = 100, .result = 5};
    struct sp_thread *t;
    int first = 1;

    (void)state;
    atomic_store(&dropped, 0);
    assert_true(sp_queue_push(q, &first, 10));
    assert_ok(sp_thread_start("push", push_one, &p, &t, e));
    while (!atomic_load(&p.started))
        sp_sleep_ms(1);
    sp_queue_abort(q);
    sp_thread_join(t);
    /* The one inside was dropped; the one that was refused is still its owner's. */
    assert_int_equal(atomic_load(&p.result), 0);
    assert_int_equal(atomic_load(&dropped), 1);
    assert_false(sp_queue_push(q, &first, 1));
    assert_null(sp_queue_pop(q));
    sp_queue_abort(q);
    sp_queue_done(q);
    sp_queue_done(q);
    sp_queue_free(q);
    assert_int_equal(atomic_load(&dropped), 1);
}

/* Many producers and consumers; every item carries a number and must arrive once. */
#define PRODUCERS 6
#define CONSUMERS 5
#define EACH 3000

struct crowd {
    struct sp_queue *q;
    atomic_uint next_producer;
    atomic_uchar seen[PRODUCERS * EACH];
    atomic_ulong popped, refused;
    unsigned abort_at; /* 0: never */
};

static void
produce(void *arg)
{
    struct crowd *c = arg;
    unsigned who = atomic_fetch_add(&c->next_producer, 1);

    for (unsigned i = 0; i < EACH; i++) {
        unsigned *item = malloc(sizeof(*item));

        assert_non_null(item);
        *item = who * EACH + i;
        /* Now and then one over the limit. */
        if (!sp_queue_push(c->q, item, i % 500 == 499 ? 5000 : i % 97)) {
            atomic_fetch_add(&c->refused, 1);
            free(item);
        }
    }
    sp_queue_done(c->q);
}

static void
consume(void *arg)
{
    struct crowd *c = arg;
    unsigned long n;
    bool empty;

    for (unsigned turn = 0;; turn++) {
        unsigned *item = turn % 3 == 0   ? sp_queue_try_pop(c->q, &empty)
                         : turn % 3 == 1 ? sp_queue_pop_ms(c->q, 1, &empty)
                                         : sp_queue_pop(c->q);

        if (item == NULL && turn % 3 != 2 && empty)
            continue;
        if (item == NULL)
            return;
        atomic_fetch_add(&c->seen[*item], 1);
        free(item);
        n = atomic_fetch_add(&c->popped, 1) + 1;
        if (n == c->abort_at)
            sp_queue_abort(c->q);
    }
}

static void
drop_free(void *item)
{
    atomic_fetch_add(&dropped, 1);
    free(item);
}

static void
run_crowd(struct crowd *c)
{
    struct sp_thread *t[PRODUCERS + CONSUMERS];

    atomic_store(&dropped, 0);
    c->q = new_queue(1000, PRODUCERS, drop_free);
    for (size_t i = 0; i < PRODUCERS + CONSUMERS; i++)
        assert_ok(sp_thread_start("crowd", i < PRODUCERS ? produce : consume, c, &t[i], e));
    for (size_t i = 0; i < PRODUCERS + CONSUMERS; i++)
        sp_thread_join(t[i]);
}

static void
a_crowd_loses_nothing(void **state)
{
    struct crowd *c = calloc(1, sizeof(*c));

    (void)state;
    assert_non_null(c);
    run_crowd(c);
    for (size_t i = 0; i < PRODUCERS * EACH; i++)
        assert_int_equal(atomic_load(&c->seen[i]), 1);
    assert_int_equal(atomic_load(&dropped), 0);
    /* The limit held: only a single item may go over it, and only alone. */
    assert_int_equal(sp_queue_peak_bytes(c->q), 5000);
    sp_queue_free(c->q);
    free(c);
}

static void
an_aborted_crowd_leaks_nothing(void **state)
{
    struct crowd *c = calloc(1, sizeof(*c));

    (void)state;
    assert_non_null(c);
    c->abort_at = 2000;
    run_crowd(c);
    assert_true(sp_queue_aborted(c->q));
    /* Each item was popped, dropped or refused. */
    assert_int_equal(
        atomic_load(&c->popped) + atomic_load(&c->refused) + (unsigned long)atomic_load(&dropped),
        PRODUCERS * EACH);
    assert_true(atomic_load(&c->refused) > 0);
    sp_queue_free(c->q);
    free(c);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_in_first_out_then_the_end),
        cmocka_unit_test(growing_across_the_end_keeps_the_order),
        cmocka_unit_test(try_pop_never_waits),
        cmocka_unit_test(pop_ms_waits_as_long),
        cmocka_unit_test(an_item_over_the_limit_passes_an_empty_queue),
        cmocka_unit_test(a_full_queue_holds_the_producer),
        cmocka_unit_test(a_large_item_has_its_turn),
        cmocka_unit_test(all_that_fit_get_in),
        cmocka_unit_test(free_drops_what_is_left),
        cmocka_unit_test(abort_frees_a_waiting_consumer),
        cmocka_unit_test(the_end_reaches_every_consumer),
        cmocka_unit_test(abort_frees_producers_and_drops),
        cmocka_unit_test(a_crowd_loses_nothing),
        cmocka_unit_test(an_aborted_crowd_leaks_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
