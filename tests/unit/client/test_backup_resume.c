/* Runs that are interrupted or killed at random points, and gone on with until they are done: each
 * set is what the files are, and what was durable is not sent again. The seed is printed. */

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/unit/base/thin.h"
#include "tests/unit/client/site.h"

#define MIB ((size_t)1 << 20)
#define ROUNDS (20u / THIN)
#define FILES 240

static uint64_t seed;

static unsigned
below(unsigned n)
{
    return (unsigned)(test_random(&seed) % n);
}

static void
name_of(unsigned i, char path[32])
{
    (void)snprintf(path, 32, "%u/%u/%u", i % 3, i % 11, i);
}

static void
random_file(struct site *s, unsigned i)
{
    char path[32];
    size_t n = below(10) == 0 ? below(700000) : below(3000);

    name_of(i, path);
    site_random_file(s, path, n, test_random(&seed));
}

static void
random_change(struct site *s)
{
    char path[48];
    unsigned i = below(FILES);

    random_file(s, below(FILES));
    name_of(i, path);
    (void)snprintf(path, sizeof path, "files/%u/%u/%u", i % 3, i % 11, i);
    if (faccessat(s->tree.fd, path, F_OK, 0) == 0)
        tree_remove(&s->tree, path);
}

struct stop {
    atomic_uint questions;
    unsigned at;
};

static bool
stopped(void *arg)
{
    struct stop *stop = arg;

    return atomic_fetch_add(&stop->questions, 1) + 1 >= stop->at;
}

/* One round: over nothing, or over a set that is there already. Gives what was sent in all. */
static size_t
round_of(struct site *s, bool moving, unsigned *ret_attempts, bool *ret_from_checkpoint)
{
    struct outcome o;
    size_t sent = 0;
    unsigned attempts = 0;

    *ret_from_checkpoint = false;
    do {
        struct stop stop = {.at = attempts < 6 ? 20 + below(500) : 1000000};

        site_reopen(s);
        s->cancelled = stopped;
        s->cancelled_arg = &stop;
        s->o.checkpoint_bytes = MIB / 4 + below(MIB);
        s->wrap.delay_ms = below(3);
        site_run(s, "until it is done", &o);
        s->cancelled = NULL;
        sent += s->wrap.bytes_put;
        attempts++;
        *ret_from_checkpoint = *ret_from_checkpoint || o.result.from_checkpoint;
        if (o.code != SP_OK)
            assert_int_equal(o.code, SP_CANCELLED);
        if (o.code != SP_OK && moving)
            random_change(s);
    } while (o.code != SP_OK);
    assert_int_equal(o.nfaults, 0);
    assert_int_equal(site_sets(s).checkpoints, 0);
    *ret_attempts = attempts;
    return sent;
}

static void
test_interrupted(void **state)
{
    struct site s;
    struct outcome o;
    size_t whole, sent;
    unsigned attempts, total = 0, from = 0;
    bool from_checkpoint;

    (void)state;
    site_new(&s, false);
    for (unsigned i = 0; i < FILES; i++)
        random_file(&s, i);
    for (unsigned i = 0; i < ROUNDS; i++) {
        bool moving = i % 2 == 1;

        whole = 0;
        if (i % 3 == 0) {
            site_renew(&s);
            site_run_well(&s, "in one go", &o);
            whole = s.wrap.bytes_put;
            site_renew(&s);
        } else {
            for (int k = 0; k < 20; k++)
                random_change(&s);
        }
        sent = round_of(&s, moving, &attempts, &from_checkpoint);
        /* Nodes of checkpoints come on top. */
        if (whole > 0 && !moving && sent > whole + whole / 10 + attempts * 100000)
            fail_msg(
                "round %u: %zu bytes sent in %u attempts, %zu in one", i, sent, attempts, whole);
        total += attempts;
        from += from_checkpoint;
        site_assert_equal(&s);
    }
    print_message("%u attempts in %u rounds, %u rounds from a checkpoint\n", total, ROUNDS, from);
    assert_true(total > ROUNDS * 5 / 4);
    assert_true(from > (THIN == 1 ? 3 : 0));
    site_free(&s);
}

/* --- killed --------------------------------------------------------------------------------------
 */

static void
run_killed(struct site *s, unsigned ms)
{
    struct outcome o;
    pid_t child = fork();
    int status;

    assert_true(child >= 0);
    if (child == 0) {
        site_run(s, "to be killed", &o);
        _exit(0);
    }
    sp_sleep_ms(ms);
    (void)kill(child, SIGKILL);
    assert_int_equal(waitpid(child, &status, 0), child);
}

static void
test_killed(void **state)
{
    struct site s;
    struct outcome o;
    struct site_sets sets;
    size_t before = 0;

    (void)state;
    site_new(&s, true);
    for (unsigned i = 0; i < FILES; i++)
        random_file(&s, i);
    s.o.checkpoint_bytes = MIB / 2;
    for (int i = 0; i < 6; i++) {
        for (int k = 0; k < 3; k++) {
            site_reopen(&s);
            s.wrap.delay_ms = 3;
            run_killed(&s, 20 + below(250));
        }
        /* The last one may have made it; what is seen is whole in every case. */
        sets = site_sets(&s);
        assert_true(sets.sets >= before);
        site_reopen(&s);
        site_run_well(&s, "after the kill", &o);
        sets = site_sets(&s);
        assert_true(sets.sets > before);
        assert_int_equal(sets.checkpoints, 0);
        assert_int_equal(o.result.sequence, sets.sets);
        before = sets.sets;
        site_assert_equal(&s);
        for (int k = 0; k < 30; k++)
            random_change(&s);
    }
    site_free(&s);
}

/* --- the middle of a large file ------------------------------------------------------------------
 */

struct halfway {
    atomic_uint reads;
    size_t checkpoints;
    struct site *s;
};

/* The reader of the large file is held up until a checkpoint was made behind its back. */
static bool
hold(void *arg)
{
    struct halfway *h = arg;
    char name[16] = "";

    assert_int_equal(pthread_getname_np(pthread_self(), name, sizeof name), 0);
    if (strcmp(name, "read") == 0 && atomic_fetch_add(&h->reads, 1) == 20)
        sp_sleep_ms(700);
    return false;
}

static void
test_checkpoint_in_a_file(void **state)
{
    struct site s;
    struct outcome o;
    struct halfway h = {.s = &s};

    (void)state;
    site_new(&s, false);
    site_file(&s, "a", "a", 1);
    site_random_file(&s, "large", 24 * MIB, 1);
    s.cancelled = hold;
    s.cancelled_arg = &h;
    s.o.checkpoint_ns = 100 * 1000000;
    site_run_well(&s, "checkpoints", &o);
    s.cancelled = NULL;
    assert_true(o.ncheckpoints >= 1);
    assert_true(o.result.stats.bytes_new < 25 * MIB); /* nothing twice */
    site_assert_equal(&s);
    site_free(&s);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_interrupted),
        cmocka_unit_test(test_killed),
        cmocka_unit_test(test_checkpoint_in_a_file),
    };

    seed = test_seed();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
