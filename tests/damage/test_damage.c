/* Damage: every object of a repository in turn harmed in every way, one at a time and two at once.
 * What check says, what a restore gives, and what the next backup mends is held against what the
 * test works out itself (oracle.h).
 *
 * A seeded slice of all cases; STILLPOINT_LONG=1 runs all. SP_SEED sets the seed, SP_CASE=n runs
 * one, SP_KIND=k the cases of one kind of object (see state.h), SP_OP=o those of one damage (see
 * harm.h), SP_REGION=r those where it is done. SP_FORK=1 runs each case in a process of its own and
 * tells of all that fail. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/damage/harm.h"
#include "tests/damage/heal.h"
#include "tests/unit/base/support.h"

#define SLICE_SECONDS 20

/* Freed memory is kept for a while by ASan; more of it means new pages for each case. */
const char *__asan_default_options(void);
const char *
__asan_default_options(void)
{
    return "quarantine_size_mb=8";
}

static struct world w;
static struct harms harms;

struct plan {
    uint64_t seed;
    int64_t until_ns; /* 0: all */
    long only;        /* case; -1: all */
    long kind, op;    /* -1: all */
    bool fork;
    size_t ran, failed;
};

static long
number(const char *name)
{
    const char *text = getenv(name);

    return text == NULL ? -1 : atol(text);
}

static void
judge(const struct state *s, const char *what, uint64_t random, bool all)
{
    struct oracle o;
    struct look l = {.w = &w, .s = s, .o = &o, .below = state_backend(s), .what = what};
    struct sp_err err = {0};
    size_t site = (random >> 8) % 2;

    oracle_ask(&w, s, &o);
    if (!o.opens) {
        struct sp_store *store = look_open(&l, 0, &err);

        if (store != NULL)
            fail_msg("%s: it opens", what);
        assert_true(err.code == SP_CORRUPT || err.code == SP_ABSENT || err.code == SP_UNSUPPORTED);
        state_assert_same(s, l.below, "opening");
        goto out;
    }
    look_check(&l);
    look_list(&l);
    for (size_t i = 0; i < w.nsets; i++)
        if (w.sets[i].kind == SET &&
            (all || oracle_set(&o, i, 1) != CLEAN || (random >> 16) % w.nsets == i))
            look_restore(&l, i);
    heal(&l, site, random % 2 == 0, (random >> 1) % 2 == 0);
out:
    oracle_clear(&o);
    sp_backend_free(l.below);
}

static void
run_case(size_t first, size_t second, uint64_t random, bool all)
{
    static struct state s;
    char what[1200], more[600];
    int n;

    state_copy(&w.whole, &s);
    if (!harm_do(&w, &harms.v[first], &s))
        fail_msg("case %zu cannot be done", first);
    harm_tell(&w, &harms.v[first], more, sizeof more);
    n = snprintf(what, sizeof what, "case %zu: %s", first, more);
    if (second != SIZE_MAX && harm_do(&w, &harms.v[second], &s)) {
        harm_tell(&w, &harms.v[second], more, sizeof more);
        (void)snprintf(what + n, sizeof what - (size_t)n, "\n  and %zu: %s", second, more);
    }
    judge(&s, what, random, all);
    state_clear(&s);
}

static void
run_apart(struct plan *p, size_t first, size_t second, uint64_t random, bool all)
{
    pid_t child;
    int status;

    if (!p->fork) {
        run_case(first, second, random, all);
        return;
    }
    (void)fflush(stdout);
    assert_true((child = fork()) >= 0);
    if (child == 0) {
        (void)setenv("CMOCKA_TEST_ABORT", "1", 1);
        run_case(first, second, random, all);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    p->failed += status != 0;
}

static bool
time_is_up(const struct plan *p)
{
    return p->until_ns != 0 && sp_clock_mono(&sp_clock_system) > p->until_ns;
}

static bool
taken(const struct plan *p, size_t i)
{
    const char *region = getenv("SP_REGION");

    if (region != NULL && (harms.v[i].region == NULL || strstr(harms.v[i].region, region) == NULL))
        return false;
    return (p->only < 0 || (size_t)p->only == i) && (p->op < 0 || p->op == (long)harms.v[i].op) &&
           (p->kind < 0 || (size_t)p->kind == (size_t)w.whole.v[harms.v[i].object].kind);
}

/* All cases in an order by the seed, so that any time gives a fair share of them. */
static size_t *
shuffled(uint64_t *seed)
{
    size_t *order = malloc(harms.n * sizeof *order);

    assert_non_null(order);
    for (size_t i = 0; i < harms.n; i++) {
        size_t k = (size_t)(test_random(seed) % (i + 1));

        order[i] = order[k];
        order[k] = i;
    }
    return order;
}

static void
test_nothing(void **state)
{
    static struct state s;

    (void)state;
    state_copy(&w.whole, &s);
    judge(&s, "no damage", 0, true);
    judge(&s, "no damage", 3, false);
    state_clear(&s);
}

static void
run_plan(struct plan *p, bool two, bool all)
{
    size_t *order = shuffled(&p->seed);

    for (size_t i = 0; i < harms.n && !time_is_up(p); i++) {
        uint64_t random = test_random(&p->seed);

        if (!taken(p, order[i]))
            continue;
        run_apart(p, order[i], two ? order[(i + 1 + random % (harms.n - 1)) % harms.n] : SIZE_MAX,
            random, all);
        p->ran++;
    }
    free(order);
}

static void
run(bool two, int64_t seconds)
{
    bool all = getenv("STILLPOINT_LONG") != NULL;
    int64_t began = sp_clock_mono(&sp_clock_system);
    struct plan p = {.seed = test_seed(),
        .only = number("SP_CASE"),
        .kind = number("SP_KIND"),
        .op = number("SP_OP"),
        .fork = getenv("SP_FORK") != NULL};
    uint64_t seed = p.seed;

    p.until_ns = all && !two ? 0 : began + seconds * SP_SECOND;
    run_plan(&p, two, all);
    print_message("%zu of %zu %s, seed %llu, %.1f s\n", p.ran, harms.n,
        two ? "pairs of damages" : "damages", (unsigned long long)seed,
        (double)(sp_clock_mono(&sp_clock_system) - began) / (double)SP_SECOND);
    assert_int_equal(p.failed, 0);
}

static void
test_one(void **state)
{
    (void)state;
    run(false, SLICE_SECONDS * 3 / 4);
}

static void
test_two(void **state)
{
    (void)state;
    run(true, getenv("STILLPOINT_LONG") != NULL ? 60 : SLICE_SECONDS / 4);
}

static int
begin(void **state)
{
    (void)state;
    /* Thousands of small restores: nothing here is about disks. */
    if (getenv("TMPDIR") == NULL && access("/dev/shm", W_OK) == 0)
        (void)setenv("TMPDIR", "/dev/shm", 1);
    world_new(&w);
    harms_all(&w, &harms);
    return 0;
}

static int
end(void **state)
{
    (void)state;
    harms_clear(&harms);
    world_free(&w);
    return 0;
}

/* `kind=K op=O region=R`: as the environment variables, all cases of them and nothing else. */
static void
take_arguments(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "kind=", 5) == 0)
            (void)setenv("SP_KIND", argv[i] + 5, 1);
        else if (strncmp(argv[i], "op=", 3) == 0)
            (void)setenv("SP_OP", argv[i] + 3, 1);
        else if (strncmp(argv[i], "region=", 7) == 0)
            (void)setenv("SP_REGION", argv[i] + 7, 1);
    }
    (void)setenv("STILLPOINT_LONG", "1", 1);
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest some[] = {cmocka_unit_test(test_one)};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_one),
        cmocka_unit_test(test_two),
    };

    if (argc > 1) {
        take_arguments(argc, argv);
        return cmocka_run_group_tests(some, begin, end);
    }
    return cmocka_run_group_tests(tests, begin, end);
}
