/* Four uploaders at once, one of them suspended at each of its calls in turn across a removal by
 * another, then continued or killed: it stops or heals, and no set is ever unrestorable (R7, R8).
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/clock.h"
#include "expect.h"
#include "place.h"
#include "remover.h"
#include "storage/backend_memory.h"
#include "uploader.h"

#define HOUR (3600 * SP_SECOND)
#define OTHERS 3

static struct place place;
static struct uploader first, others[OTHERS]; /* others[0] is of the first one's group */

struct plan { /* what happens before which call of the first uploader; 0: never */
    uint64_t mark_at, take_at;
    bool expire; /* trash is emptied before it goes on */
    bool kill;   /* it dies as soon as its set has its name */
    bool wrong;  /* the remover leaves temporary files alone */
    bool checkpoint;
    bool clock_back; /* the store's clock goes back before it goes on */
};

struct course {
    struct plan plan;
    struct remover x;
    uint64_t calls;
    uint8_t mark[16];
    size_t marked, taken, back;
    bool named, took, expired;
};

/* --- the steps of the others --------------------------------------------------------------- */

static struct sp_store *
open_store(struct uploader *u, const char *cache, struct recorder **ret)
{
    struct sp_repository *r;
    struct sp_store *s;

    ok(place_open(&place, true, cache, ret, &r));
    ok(sp_store_repository_new(r, "test", u->p.host, party_group(&u->p), &s, &err));
    return s;
}

static void
begin(struct uploader *u, const char *cache)
{
    struct recorder *recorder;
    struct sp_store *s = open_store(u, cache, &recorder);

    uploader_begin(u, recorder, s);
    assert_int_equal(u->rc, SP_OK);
}

static void
mark(struct course *c)
{
    ok(remover_mark(&c->x, c->mark, &c->marked, &err));
}

/* The second one goes on within the grace, and its set counts; the third one was suspended, too. */
static void
take(struct course *c)
{
    sp_backend_memory_advance(place.below, HOUR);
    if (others[0].store != NULL) {
        uploader_finish(&others[0], false);
        assert_int_equal(others[0].rc, SP_OK);
    }
    if (c->marked > 0) {
        gives(SP_BUSY, remover_take(&c->x, c->mark, &c->taken, &err));
        sp_backend_memory_advance(place.below, SP_GRACE);
        ok(remover_take(&c->x, c->mark, &c->taken, &err));
    }
    c->took = true;
    if (c->plan.wrong) /* the fourth one would sweep, too */
        return;
    begin(&others[2], "others 2");
    uploader_finish(&others[2], false);
    assert_int_equal(others[2].rc, SP_OK);
}

static void
expire(struct course *c)
{
    sp_backend_memory_advance(place.below, SP_GRACE + HOUR);
    if (c->marked > 0)
        ok(remover_expire(&c->x, c->mark, &c->back, &err));
    c->expired = true;
}

/* --- the first one, step by step ----------------------------------------------------------- */

static void
before_call(void *arg, const char *op, const char *name)
{
    struct course *c = arg;
    struct recorder *r = first.recorder;
    uint64_t call = ++c->calls;

    if (c->plan.kill && c->named && r->fail_at == 0) {
        r->fail_on = true; /* nothing is heard of it any more */
        r->fail_at = r->calls + 1;
        r->code = SP_UNREACHABLE;
    }
    c->named = c->named || (strcmp(op, "publish") == 0 && strncmp(name, "sets/", 5) == 0);
    if (call == c->plan.mark_at)
        mark(c);
    if (call == c->plan.take_at) {
        take(c);
        if (c->plan.expire)
            expire(c);
        if (c->plan.clock_back)
            sp_backend_memory_advance(place.below, -4 * SP_GRACE);
    }
}

static void
check_all_whole(const struct course *c, const char *when)
{
    size_t broken = 0, sets = 0;

    ok(remover_broken(&c->x, "broken", &broken, &sets, &err));
    if (broken > 0)
        fail_msg(
            "%s: %zu of %zu sets are not whole (marked before call %u, taken before %u, of %u; "
            "expired %d, killed %d, wrong %d, checkpoint %d; the run: %s)",
            when, broken, sets, (unsigned)c->plan.mark_at, (unsigned)c->plan.take_at,
            (unsigned)c->calls, c->plan.expire, c->plan.kill, c->plan.wrong, c->plan.checkpoint,
            first.rc == SP_OK ? "done" : first.e.text);
}

static void
set_out(void)
{
    struct uploader *all[] = {&first, &others[0], &others[1], &others[2]};

    place_begin(&place, false);
    for (size_t i = 0; i < 4; i++) {
        char cache[32];
        struct recorder *ignored;

        (void)snprintf(cache, sizeof(cache), "old %u", (unsigned)i);
        place_admit(&place, &all[i]->p);
        uploader_old(all[i], place.below, open_store(all[i], cache, &ignored));
    }
}

/* One course of things. Gives how many calls the first uploader made. */
static uint64_t
play(const struct plan *plan, struct course *ret)
{
    struct course c = {.plan = *plan};
    struct recorder *recorder;
    struct sp_store *s;
    struct sp_repository *r;
    bool said;

    set_out();
    c.x = (struct remover){place.below, SP_GRACE, plan->wrong};
    begin(&others[0], "others 0");
    begin(&others[1], "others 1");
    s = open_store(&first, "first", &recorder);
    first.recorder = recorder;
    recorder->arg = &c;
    recorder->before = before_call;
    uploader_begin(&first, recorder, s);
    uploader_finish(&first, plan->checkpoint);
    said = first.rc == SP_OK;

    /* Whoever was not there yet. */
    if (others[1].store != NULL)
        uploader_finish(&others[1], false);
    if (c.plan.clock_back)
        sp_backend_memory_advance(place.below, 4 * SP_GRACE);
    if (plan->mark_at != 0 && c.marked > 0 && !c.took)
        take(&c);
    if (plan->mark_at != 0 && c.marked > 0 && !c.expired)
        expire(&c);
    if (others[0].store != NULL)
        uploader_finish(&others[0], false);
    check_all_whole(&c, "at the end");
    assert_true(!said || count_objects(place.below, "sets") >= 1);

    /* And the next run works, whatever became of this one. */
    ok(place_open(&place, true, "again", &recorder, &r));
    ok(sp_store_repository_new(r, "test", first.p.host, party_group(&first.p), &s, &err));
    *ret = c;
    ret->named = said;
    uploader_begin(&first, recorder, s);
    uploader_finish(&first, false);
    if (first.rc != SP_OK)
        fail_msg("the next run: %s (marked before call %u, taken before %u)", first.e.text,
            (unsigned)plan->mark_at, (unsigned)plan->take_at);
    check_all_whole(&c, "after the next run");
    place_end(&place);
    return c.calls;
}

/* --- the tests ----------------------------------------------------------------------------- */

struct tally {
    size_t plays, said, stopped, took;
};

static void
count(struct tally *t, const struct course *c)
{
    t->plays++;
    t->said += c->named;
    t->stopped += !c->named;
    t->took += c->taken > 0;
}

static void
tell(const char *what, const struct tally *t)
{
    print_message("%s: %zu courses: %zu made their set, %zu stopped; %zu removals took something\n",
        what, t->plays, t->said, t->stopped, t->took);
}

/* Suspended at each call: a whole removal passes. */
static void
sweep(const char *what, struct plan plan)
{
    struct tally t = {0};
    struct course c;
    uint64_t n = play(&(struct plan){.checkpoint = plan.checkpoint}, &c);

    assert_true(c.named && n > 20);
    for (uint64_t k = 1; k <= n; k++) {
        plan.mark_at = plan.take_at = k;
        (void)play(&plan, &c);
        count(&t, &c);
    }
    tell(what, &t);
    assert_true(t.took > n / 2); /* or nothing was tested */
}

static void
test_suspended(void **state)
{
    (void)state;
    sweep("suspended", (struct plan){.checkpoint = false});
    sweep("suspended, with a checkpoint", (struct plan){.checkpoint = true});
}

static void
test_suspended_until_expiry(void **state)
{
    (void)state;
    sweep("until trash is empty", (struct plan){.expire = true});
}

static void
test_killed_behind_the_name(void **state)
{
    (void)state;
    sweep("killed behind the name", (struct plan){.kill = true, .expire = true});
}

/* Without the sweep of temporary files the look behind the name is what is left. */
static void
test_taken_back(void **state)
{
    (void)state;
    sweep("taken back", (struct plan){.wrong = true, .expire = true});
}

/* The store's clock went back by more than the removal took: no duration says anything. */
static void
test_clock_back(void **state)
{
    (void)state;
    sweep("the clock goes back", (struct plan){.wrong = true, .clock_back = true});
}

/* Marked at one call, taken at a later one. */
static void
test_between(void **state)
{
    struct tally t = {0};
    struct course c;
    uint64_t n, k, j;

    (void)state;
    n = play(&(struct plan){.checkpoint = false}, &c);
    for (k = 1; k <= n; k += 6)
        for (j = k + 1; j <= n + 1; j += 9) {
            const struct plan plan = {
                .mark_at = k, .take_at = j, .wrong = (k + j) % 2 == 0, .expire = (k + j) % 3 == 0};

            (void)play(&plan, &c);
            count(&t, &c);
        }
    tell("between", &t);
    assert_true(t.plays > 20 && t.said > 0);
}

static int
begin_all(void **state)
{
    (void)state;
    uploader_init(&first, "first", NULL);
    uploader_init(&others[0], "second", &first);
    uploader_init(&others[1], "third", NULL);
    uploader_init(&others[2], "fourth", NULL);
    return 0;
}

static int
end_all(void **state)
{
    (void)state;
    uploader_free(&first);
    for (size_t i = 0; i < OTHERS; i++)
        uploader_free(&others[i]);
    return 0;
}

/* With an argument: those whose name it matches. */
int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_suspended),
        cmocka_unit_test(test_suspended_until_expiry),
        cmocka_unit_test(test_killed_behind_the_name),
        cmocka_unit_test(test_taken_back),
        cmocka_unit_test(test_clock_back),
        cmocka_unit_test(test_between),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, begin_all, end_all);
}
