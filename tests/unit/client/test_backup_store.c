/* The backup pipeline over stores that fail, are slow, are interrupted, or lose what they had: no
 * run hangs, no failed run leaves a set, the error told is the cause, and the next run mends all.
 */

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

/* --- failures ------------------------------------------------------------------------------------
 */

static void
assert_injected(const struct outcome *o, enum wrap_call call, size_t nth, enum sp_code code)
{
    char text[64];

    (void)snprintf(text, sizeof text, "%s %zu was made to fail", wrap_names[call], nth);
    if (o->code != code || strstr(o->err.text, text) == NULL)
        fail_msg("wanted '%s', got %s: %s", text, sp_code_word(o->code), o->err.text);
}

/* Every call of a kind fails in turn; with `again` over a set that is there and a cache that is
 * not, so that the parent is read from the store. */
static void
fail_each(struct site *s, enum wrap_call call, bool again)
{
    static const enum sp_code codes[] = {SP_IO, SP_FULL, SP_UNREACHABLE};
    struct outcome o;
    char what[80];
    size_t n;

    for (n = 1; n < 2000; n += THIN * (n < 8 ? 1 : n / 4)) {
        site_renew(s);
        if (again) {
            site_run_well(s, "before", &o);
            site_drop_cache(s);
            site_file(s, "many/000/00007", "changed", 7);
            site_random_file(s, "large", 3 * MIB, n + 100);
            site_reopen(s);
        }
        s->wrap.fail_call = call;
        s->wrap.fail_at = n;
        s->wrap.fail_code = codes[n % 3];
        s->wrap.delay_ms = n % 2;
        (void)snprintf(
            what, sizeof what, "%s %zu fails%s", wrap_names[call], n, again ? ", second run" : "");
        site_run(s, what, &o);
        if (s->wrap.calls[call] < n)
            break;
        assert_injected(&o, call, n, codes[n % 3]);
        assert_int_equal(site_sets(s).sets, again ? 1 : 0);
        if (n % 8 == 1)
            assert_mended(s, again ? 2 : 1);
    }
    assert_int_equal(o.code, SP_OK);
    assert_true(n > 1 && n < 2000);
    site_assert_equal(s);
}

static void
test_failing_calls(void **state)
{
    struct site s;

    (void)state;
    site_new(&s, false);
    some_files(&s);
    checkpoints(&s);
    fail_each(&s, WRAP_INFO, false);
    fail_each(&s, WRAP_HEAD, false);
    fail_each(&s, WRAP_HAVE, false);
    fail_each(&s, WRAP_PUT, false);
    fail_each(&s, WRAP_COMMIT, false);
    site_free(&s);
}

static void
test_failing_calls_again(void **state)
{
    struct site s;

    (void)state;
    site_new(&s, false);
    some_files(&s);
    checkpoints(&s);
    fail_each(&s, WRAP_HOST, true);
    fail_each(&s, WRAP_HEAD, true);
    fail_each(&s, WRAP_GET, true);
    fail_each(&s, WRAP_PUT, true);
    site_free(&s);
}

/* Below the store: whatever the backend fails at, the run fails and no set is seen, or it is
 * whole. */
static void
backend_fails(bool folder, bool for_ever, uint64_t step)
{
    struct site s;
    struct outcome o;
    char what[80];
    uint64_t n, calls, failed = 0;

    site_new(&s, folder);
    some_files(&s);
    checkpoints(&s);
    site_run_well(&s, "to count", &o);
    calls = s.recorder->calls;
    for (n = 1; n <= calls; n += step * THIN) {
        site_renew(&s);
        s.recorder->fail_at = s.recorder->calls + n;
        s.recorder->fail_on = for_ever;
        s.recorder->code = SP_IO;
        (void)snprintf(what, sizeof what, "backend call %llu fails", (unsigned long long)n);
        site_run(&s, what, &o);
        s.recorder->fail_at = 0;
        if (o.code != SP_OK) {
            assert_int_equal(o.code, SP_IO);
            assert_non_null(strstr(o.err.text, "made to fail"));
            failed++;
            /* What fails for ever after the record was published cannot take it back. */
            if (site_sets(&s).sets > 0) {
                assert_true(for_ever);
                site_assert_equal(&s);
            }
        } else {
            assert_int_equal(site_sets(&s).sets, 1);
            site_assert_equal(&s);
        }
    }
    assert_true(failed > 0);
    assert_mended(&s, site_sets(&s).sets + 1);
    site_free(&s);
}

static void
test_failing_backend(void **state)
{
    (void)state;
    backend_fails(false, false, 5);
    backend_fails(false, true, 13);
    backend_fails(true, false, 17);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_failing_calls),
        cmocka_unit_test(test_failing_calls_again),
        cmocka_unit_test(test_failing_backend),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
