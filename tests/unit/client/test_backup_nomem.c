/* The backup pipeline when a thread cannot be started, or memory runs out, at any point: the run
 * ends, with an error and no set, or with a whole set. */

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/thread.h"
#include "tests/unit/base/nomem.h"
#include "tests/unit/client/site.h"

/* --- the n-th fails ------------------------------------------------------------------------------
 */

static atomic_long until_thread; /* 0: none fails; 1: the next */
static long fail_at;             /* which allocation of the next run */

enum sp_code __real_sp_thread_start(
    const char *name, void (*run)(void *arg), void *arg, struct sp_thread **ret, struct sp_err *e);
enum sp_code __wrap_sp_thread_start(
    const char *name, void (*run)(void *arg), void *arg, struct sp_thread **ret, struct sp_err *e);

enum sp_code
__wrap_sp_thread_start(
    const char *name, void (*run)(void *arg), void *arg, struct sp_thread **ret, struct sp_err *e)
{
    if (atomic_load(&until_thread) > 0 && atomic_fetch_sub(&until_thread, 1) == 1)
        return sp_fail(e, SP_NOMEM, SP_DOM_SELF, "no more threads");
    return __real_sp_thread_start(name, run, arg, ret, e);
}

/* --- tests ---------------------------------------------------------------------------------------
 */

static void
some_files(struct site *s)
{
    site_many(s, "many", 40, 50);
    site_random_file(s, "large", 2u << 20, 1);
    tree_symlink(&s->tree, "files/link", "large");
    s->o.checkpoint_bytes = 1u << 20;
}

static void
arm(bool begins)
{
    if (begins)
        nomem_at(fail_at);
    else
        (void)nomem_came();
}

static void
test_threads(void **state)
{
    struct site s;
    struct outcome o;
    long n, without = 0;

    (void)state;
    site_new(&s, false);
    some_files(&s);
    for (n = 1; n < 100; n++) {
        atomic_store(&until_thread, n);
        site_run(&s, "no more threads", &o);
        if (atomic_exchange(&until_thread, 0) > 0)
            break;
        if (o.code == SP_OK) { /* the lease's keeper: a run does without it */
            assert_int_equal(site_sets(&s).sets, 1);
            site_assert_equal(&s);
            site_renew(&s);
            without++;
            continue;
        }
        assert_int_equal(o.code, SP_NOMEM);
        assert_string_equal(o.err.text, "no more threads");
        assert_int_equal(site_sets(&s).sets, 0);
        site_reopen(&s);
    }
    assert_int_equal(o.code, SP_OK);
    assert_true(n > 8 && n < 100);
    assert_int_equal(without, 1);
    site_assert_equal(&s);
    site_free(&s);
}

static void
test_memory(void **state)
{
    struct site s;
    struct outcome o;
    long n, all, fatal = 0;
    uint64_t seed = test_seed();
    size_t sets;

    (void)state;
    site_new(&s, false);
    some_files(&s);
    site_run_well(&s, "before", &o);
    site_random_file(&s, "large", 2u << 20, 2);
    site_renew(&s);
    s.around = arm;
    site_run_well(&s, "to count", &o);
    all = nomem_count();
    /* The first are the most different ones. */
    for (n = 1; n <= all; n += n < 60 ? 1 : 1 + (long)(test_random(&seed) % 60)) {
        if (n % 2 == 0)
            site_renew(&s);
        else
            site_reopen(&s);
        sets = site_sets(&s).sets;
        fail_at = n;
        site_run(&s, "no memory", &o);
        if (o.code != SP_OK) {
            fatal++;
            if (o.code != SP_NOMEM)
                fail_msg("allocation %ld: %s", n, o.err.text);
            if (site_sets(&s).sets != sets)
                fail_msg("allocation %ld: a set, and yet an error: %s", n, o.err.text);
        } else {
            assert_int_equal(site_sets(&s).sets, sets + 1);
        }
    }
    print_message("%ld allocations, %ld fatal failures\n", all, fatal);
    assert_true(fatal > 50);
    fail_at = 0;
    site_reopen(&s);
    site_run_well(&s, "after", &o);
    site_assert_equal(&s);
    site_free(&s);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
