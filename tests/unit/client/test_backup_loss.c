/* The backup pipeline over stores that fail, are slow, are interrupted, or lose what they had: no
 * run hangs, no failed run leaves a set, the error told is the cause, and the next run mends all.
 */

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/base/thin.h"
#include "tests/unit/client/site.h"

#define MIB ((size_t)1 << 20)

static void
some_files(struct site *s)
{
    site_many(s, "many", 150, 50);
    site_random_file(s, "large", 3 * MIB, 1);
    site_random_file(s, "middle", 200000, 2);
    site_file(s, "z", "last", 4);
}

static void
checkpoints(struct site *s)
{
    s->o.checkpoint_bytes = MIB;
    s->o.checkpoint_ns = 20 * 1000000;
}

/* The same set as if nothing had happened. */
static void
assert_mended(struct site *s, size_t sets)
{
    struct outcome o;

    site_reopen(s);
    site_run_well(s, "mended", &o);
    assert_int_equal(site_sets(s).sets, sets);
    assert_int_equal(site_sets(s).checkpoints, 0);
    site_assert_equal(s);
}

/* --- interruption --------------------------------------------------------------------------------
 */

struct interruption {
    struct site *s;
    enum wrap_call call;
    size_t nth;
    bool store; /* the store itself is cancelled, as by a second signal */
    atomic_bool now;
};

static bool
interrupted(void *arg)
{
    return atomic_load(&((struct interruption *)arg)->now);
}

static void
interrupt(void *arg, enum wrap_call call, size_t nth)
{
    struct interruption *i = arg;

    if (call != i->call || nth < i->nth)
        return;
    atomic_store(&i->now, true);
    if (i->store)
        sp_store_cancel(i->s->repository);
}

static void
interrupt_each(struct site *s, enum wrap_call call, bool store)
{
    struct outcome o;
    char what[80];
    size_t n;

    for (n = 1; n < 2000; n += THIN * (n < 6 ? 1 : n / 3)) {
        struct interruption i = {.s = s, .call = call, .nth = n, .store = store};

        site_renew(s);
        s->wrap.before = interrupt;
        s->wrap.arg = &i;
        s->cancelled = interrupted;
        s->cancelled_arg = &i;
        (void)snprintf(what, sizeof what, "interrupted at %s %zu", wrap_names[call], n);
        site_run(s, what, &o);
        s->cancelled = NULL;
        if (s->wrap.calls[call] < n)
            break;
        /* What comes when all is read and the commit runs comes too late. */
        if (o.code != SP_OK) {
            assert_int_equal(o.code, SP_CANCELLED);
            assert_int_equal(site_sets(s).sets, 0);
        }
        if (n % 5 == 1)
            assert_mended(s, o.code == SP_OK ? 2 : 1);
    }
    if (o.code != SP_OK)
        fail_msg("%s: %s", what, o.err.text);
    assert_true(n > 1 && n < 2000);
}

static void
test_interrupted_at_calls(void **state)
{
    struct site s;

    (void)state;
    site_new(&s, false);
    some_files(&s);
    checkpoints(&s);
    for (int store = 0; store < 2; store++) {
        interrupt_each(&s, WRAP_HAVE, store);
        interrupt_each(&s, WRAP_PUT, store);
        interrupt_each(&s, WRAP_COMMIT, store);
        interrupt_each(&s, WRAP_HEAD, store);
    }
    site_free(&s);
}

/* --- losses --------------------------------------------------------------------------------------
 */

struct loss {
    struct site *s;
    const char *prefix;
    size_t most, times, lost;
    atomic_bool soon;
};

static void
commit_begins(void *arg, enum wrap_call call, size_t nth)
{
    struct loss *l = arg;

    if (call == WRAP_COMMIT && nth <= l->times)
        atomic_store(&l->soon, true);
}

/* What was put is in packs by then, and the commit is about to look what is there. */
static void
commit_lists(void *arg, const char *op, const char *name)
{
    struct loss *l = arg;

    if (strcmp(op, "list") == 0 && strncmp(name, l->prefix, strlen(l->prefix)) == 0 &&
        atomic_exchange(&l->soon, false))
        l->lost += site_lose(l->s, l->prefix, l->most);
}

static void
lose_packs(struct site *s, const char *prefix, size_t most, size_t times)
{
    struct loss l = {.s = s, .prefix = prefix, .most = most, .times = times};
    struct outcome o;

    site_renew(s);
    s->wrap.before = commit_begins;
    s->wrap.arg = &l;
    s->recorder->before = commit_lists;
    s->recorder->arg = &l;
    site_run(s, "packs lost before the commit", &o);
    assert_true(l.lost >= times);
    assert_int_equal(o.nfaults, 0);
    assert_true(o.nnotes >= 1);
    if (times > 2) {
        assert_int_equal(o.code, SP_IO);
        assert_int_equal(site_sets(s).sets, 0);
        assert_mended(s, 1);
        return;
    }
    assert_int_equal(o.code, SP_OK);
    assert_int_equal(s->wrap.calls[WRAP_COMMIT], times + 1);
    assert_int_equal(o.result.state, SP_SET_COMPLETE);
    assert_int_equal(o.result.sequence, 1);
    assert_int_equal(o.result.stats.files_new, 153);
    assert_int_equal(o.result.stats.files_changed + o.result.stats.files_unchanged, 0);
    assert_int_equal(o.result.stats.files, 153);
    assert_int_equal(site_sets(s).sets, 1);
    assert_memory_equal(site_sets(s).newest.set_id, o.result.set_id, 16);
    site_assert_equal(s);
}

static void
test_lost_before_commit(void **state)
{
    struct site s;

    (void)state;
    site_new(&s, false);
    some_files(&s);
    lose_packs(&s, "packs", 1, 1);
    lose_packs(&s, "packs", 64, 1);
    lose_packs(&s, "nodes", 64, 1);
    lose_packs(&s, "packs", 2, 2);
    lose_packs(&s, "nodes", 64, 2);
    lose_packs(&s, "packs", 64, 3);
    site_free(&s);
}

/* Between two runs: the files are read again and the set is whole, with the node cache (which
 * still has what the store has not) and without. */
static void
lose_between(struct site *s, const char *prefix, size_t most, bool cache)
{
    struct outcome o;

    site_renew(s);
    site_run_well(s, "before the loss", &o);
    assert_true(site_lose(s, prefix, most) > 0);
    if (!cache)
        site_drop_cache(s);
    site_reopen(s);
    site_run_well(s, "after the loss", &o);
    assert_true(o.nnotes >= 1);
    assert_int_equal(s->wrap.calls[WRAP_COMMIT], 1); /* found out before, not by the commit */
    assert_true(o.result.stats.bytes_read > 0);
    site_assert_equal(s);
    site_reopen(s);
    site_run_well(s, "mended", &o);
    assert_int_equal(o.result.stats.bytes_read, 0);
    assert_int_equal(o.nnotes, 0);
}

static void
test_lost_between_runs(void **state)
{
    struct site s;

    (void)state;
    site_new(&s, false);
    /* Chunks so small that a file has lists of lists, and node packs are several. */
    s.split = (struct sp_split_params){64, 128, 512, 4096};
    site_many(&s, "many", 600, 50);
    site_random_file(&s, "large", 250000, 1);
    for (int cache = 0; cache < 2; cache++) {
        lose_between(&s, "packs", 1, cache);
        lose_between(&s, "packs", 64, cache);
        lose_between(&s, "nodes", 1, cache);
        lose_between(&s, "nodes", 3, cache);
        lose_between(&s, "nodes", 64, cache);
    }
    site_free(&s);
}

/* Both the nodes and what hung below them: what the store cannot see it cannot name. */
static void
test_lost_level_by_level(void **state)
{
    struct site s;
    struct outcome o;

    (void)state;
    site_new(&s, false);
    s.split = (struct sp_split_params){64, 128, 512, 4096};
    site_random_file(&s, "large", 250000, 1);
    site_many(&s, "many", 300, 50);
    for (size_t nodes = 1; nodes < 4; nodes++) {
        site_renew(&s);
        site_run_well(&s, "before the loss", &o);
        assert_true(site_lose(&s, "nodes", nodes) > 0);
        assert_true(site_lose(&s, "packs", 64) > 0);
        site_reopen(&s);
        site_run_well(&s, "after the loss", &o);
        site_assert_equal(&s);
    }
    site_free(&s);
}

/* --- slowness ------------------------------------------------------------------------------------
 */

static void
test_slow(void **state)
{
    struct site s;
    struct outcome o;

    (void)state;
    site_new(&s, false);
    some_files(&s);
    checkpoints(&s);
    s.wrap.delay_ms = 40;
    site_run_well(&s, "slow", &o);
    assert_true(o.ncheckpoints > 0);
    assert_true(o.nprogress > 0);
    assert_int_equal(o.result.stats.checkpoints, o.ncheckpoints);
    /* Many files, few questions: they are batched. */
    assert_true(s.wrap.calls[WRAP_HAVE] < 100);
    assert_int_equal(site_sets(&s).checkpoints, 0);
    site_assert_equal(&s);
    site_free(&s);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_interrupted_at_calls),
        cmocka_unit_test(test_lost_before_commit),
        cmocka_unit_test(test_lost_between_runs),
        cmocka_unit_test(test_lost_level_by_level),
        cmocka_unit_test(test_slow),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
