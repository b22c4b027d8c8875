#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "client/recent.h"

static void
id_of(uint64_t n, struct sp_id *ret)
{
    struct sp_random_seeded s = {n};
    struct sp_random r = sp_random_seeded_of(&s);
    struct sp_err e = {0};

    assert_int_equal(sp_random_fill(&r, ret->b, sizeof(ret->b), &e), SP_OK);
}

static void
test_remembers(void **state)
{
    struct sp_recent *r;
    struct sp_err e = {0};
    struct sp_id id;
    uint64_t i;

    (void)state;
    assert_int_equal(sp_recent_new(&r, &e), SP_OK);
    for (i = 0; i < 10; i++) {
        id_of(i, &id);
        assert_false(sp_recent_add(r, &id));
        assert_true(sp_recent_add(r, &id));
    }
    sp_recent_clear(r);
    id_of(3, &id);
    assert_false(sp_recent_add(r, &id));
    sp_recent_free(r);
}

/* The promise: the last SP_RECENT_KEEP ids are there, however many came before; memory stays. */
static void
test_bounded(void **state)
{
    struct sp_recent *r;
    struct sp_err e = {0};
    struct sp_id id;
    uint64_t i, n = 5 * (uint64_t)SP_RECENT_KEEP;

    (void)state;
    assert_int_equal(sp_recent_new(&r, &e), SP_OK);
    for (i = 0; i < n; i++) {
        id_of(i, &id);
        assert_false(sp_recent_add(r, &id));
        if (i >= SP_RECENT_KEEP && i % 997 == 0) {
            id_of(i - SP_RECENT_KEEP + 1, &id);
            assert_true(sp_recent_add(r, &id));
        }
    }
    id_of(0, &id); /* long forgotten */
    assert_false(sp_recent_add(r, &id));
    sp_recent_free(r);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_remembers),
        cmocka_unit_test(test_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
