/* More open documents than are named: the rest is told as a number. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/path.h"
#include "client/watch.h"

static enum sp_code
read_path(void *arg, const void *key, size_t n, struct sp_buf *ret, struct sp_err *e)
{
    (void)arg;
    sp_key_to_path(key, n, ret);
    return sp_buf_ok(ret, e);
}

static enum sp_level
level(void *arg, const void *key, size_t n)
{
    (void)arg;
    (void)key;
    (void)n;
    return SP_LEVEL_CRASH;
}

static bool
yes(void *arg, const void *key, size_t n)
{
    (void)arg;
    (void)key;
    (void)n;
    return true;
}

static void
test_many(void **state)
{
    const struct sp_watch_place place = {
        .read_path = read_path, .level = level, .in_set = yes, .in_use = yes};
    struct sp_verdict v = {0};
    struct sp_watch *w;
    struct sp_err e;

    (void)state;
    assert_int_equal(sp_watch_new(&w, &e), SP_OK);
    for (int i = 0; i < 10003; i++) {
        char key[64] = "mail";
        int n = snprintf(key + 5, sizeof key - 5, "%05d.pst", i);

        sp_watch_see(w, key, 5 + (size_t)n);
    }
    assert_int_equal(sp_watch_finish(w, &place, &v, &e), SP_OK);
    assert_int_equal(v.ncomponents, 10000);
    assert_int_equal(v.nnotes, 1);
    assert_non_null(strstr(v.notes[0], "3 more documents"));
    sp_verdict_clear(&v);
    sp_watch_free(w);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
