/* Bandwidth by the hour. */

#include "tests/unit/base/support.h"

#include <time.h>

#include "client/ratelimit.h"

#define HOUR (INT64_C(3600) * SP_SECOND)

static struct sp_ratelimit *
make(const char *rule)
{
    struct sp_ratelimit *l = NULL;

    assert_ok(sp_ratelimit_new(rule, &sp_clock_system, &l, e));
    return l;
}

static uint64_t
at(const struct sp_ratelimit *l, int hour, int minute)
{
    /* 2026-01-05, UTC, which is local time here */
    return sp_ratelimit_at(l, (INT64_C(1767571200) * SP_SECOND) + hour * HOUR + minute * HOUR / 60);
}

static void
rates(void **state)
{
    struct sp_ratelimit *l = make("10M");

    (void)state;
    assert_int_equal(at(l, 0, 0), 10 << 20);
    assert_int_equal(at(l, 23, 59), 10 << 20);
    sp_ratelimit_free(l);

    l = make("08:00-18:00 2M, 18:00-08:00 none");
    assert_int_equal(at(l, 7, 59), 0);
    assert_int_equal(at(l, 8, 0), 2 << 20);
    assert_int_equal(at(l, 17, 59), 2 << 20);
    assert_int_equal(at(l, 18, 0), 0);
    sp_ratelimit_free(l);

    l = make("22:30-06:15 5MB"); /* over midnight; at other times none is said: no limit */
    assert_int_equal(at(l, 22, 29), 0);
    assert_int_equal(at(l, 22, 30), 5000000);
    assert_int_equal(at(l, 0, 0), 5000000);
    assert_int_equal(at(l, 6, 14), 5000000);
    assert_int_equal(at(l, 6, 15), 0);
    sp_ratelimit_free(l);

    l = make("12:00-13:00 1M , 00:00-24:00 4K"); /* the first that covers */
    assert_int_equal(at(l, 12, 30), 1 << 20);
    assert_int_equal(at(l, 13, 0), 4096);
    assert_int_equal(at(l, 23, 59), 4096);
    sp_ratelimit_free(l);
    sp_ratelimit_free(NULL);
}

static void
wrong_rules(void **state)
{
    static const char *const wrong[] = {"fast", "0", "100", "-1M", "8-18 2M", "25:00-18:00 2M",
        "08:00-18:60 2M", "24:30-08:00 2M", "08:00-18:00", "08:00-18:00 2M 3M", "2M, x"};
    struct sp_ratelimit *l = NULL;
    struct sp_err err;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        sp_err_clear(&err);
        if (sp_ratelimit_new(wrong[i], &sp_clock_system, &l, &err) != SP_INVALID)
            fail_msg("'%s' was taken", wrong[i]);
        assert_int_equal(err.domain, SP_DOM_CONFIG);
        assert_non_null(strstr(err.text, "08:00-18:00 2M"));
        assert_null(l);
    }
}

/* A bucket of a second, empty at first: so many bytes take so long, also in one piece. */
static void
takes_its_time(void **state)
{
    struct sp_ratelimit *l = make("1M");
    int64_t start = sp_clock_mono(&sp_clock_system), took;
    int i;

    (void)state;
    for (i = 0; i < 4; i++)
        sp_ratelimit_take(l, 52429);
    sp_ratelimit_take(l, 104858);
    took = sp_clock_mono(&sp_clock_system) - start;
    assert_true(took >= SP_SECOND * 28 / 100); /* 0.3 s, but for the clock's grain */
    assert_true(took < 5 * SP_SECOND);
    sp_ratelimit_free(l);

    l = make("00:00-24:00 none");
    start = sp_clock_mono(&sp_clock_system);
    sp_ratelimit_take(l, UINT64_MAX / 2);
    sp_ratelimit_take(NULL, UINT64_MAX / 2);
    assert_true(sp_clock_mono(&sp_clock_system) - start < SP_SECOND);
    sp_ratelimit_free(l);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rates),
        cmocka_unit_test(wrong_rules),
        cmocka_unit_test(takes_its_time),
    };

    if (setenv("TZ", "UTC", 1) != 0)
        return 1;
    tzset();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
