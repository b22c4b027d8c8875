/* Times against the C library of POSIX, and local time by TZ; Windows: test_place_win32.c. */

#include "support.h"

#include <time.h>

#include "base/clock.h"

/* Against the C library, over the whole range. */
static void
times_agree_with_gmtime(void **state)
{
    (void)state;
    for (int64_t s = INT64_C(-9223372036); s < INT64_C(9223372036); s += 7654321) {
        time_t t = (time_t)s;
        struct tm tm;
        char want[32], got[32];
        int64_t back;

        assert_non_null(gmtime_r(&t, &tm));
        assert_true(strftime(want, sizeof(want), "%Y-%m-%dT%H:%M:%SZ", &tm) > 0);
        sp_time_utc(s * SP_SECOND, got);
        assert_string_equal(got, want);
        assert_int_equal(sp_time_parse(got, &back), 0);
        assert_true(back == s * SP_SECOND);
    }
}

static void
in_zone(const char *zone)
{
    assert_int_equal(setenv("TZ", zone, 1), 0);
    tzset();
}

static void
local_times(void **state)
{
    char to[32];
    int64_t ns;

    (void)state;
    in_zone("CET-1CEST,M3.5.0,M10.5.0/3");
    sp_time_local(INT64_C(1795342347) * SP_SECOND, to);
    assert_string_equal(to, "2026-11-22 11:12:27");
    assert_int_equal(sp_time_parse("2026-11-22 11:12:27", &ns), 0);
    assert_true(ns == INT64_C(1795342347) * SP_SECOND);
    assert_int_equal(sp_time_parse("2026-11-22T11:12:27", &ns), 0);
    assert_true(ns == INT64_C(1795342347) * SP_SECOND);
    assert_int_equal(sp_time_parse("2026-11-22T10:12:27Z", &ns), 0);
    assert_true(ns == INT64_C(1795342347) * SP_SECOND);
    /* Summer time; and without a time the day begins. */
    assert_int_equal(sp_time_parse("2026-07-01 12:00", &ns), 0);
    sp_time_utc(ns, to);
    assert_string_equal(to, "2026-07-01T10:00:00Z");
    assert_int_equal(sp_time_parse("2026-07-01", &ns), 0);
    sp_time_utc(ns, to);
    assert_string_equal(to, "2026-06-30T22:00:00Z");
    sp_time_local(-1, to);
    assert_string_equal(to, "1970-01-01 00:59:59");
    in_zone("UTC0");
    /* mktime's answer for this is its own sign of failure. */
    assert_int_equal(sp_time_parse("1969-12-31 23:59:59", &ns), 0);
    assert_true(ns == -SP_SECOND);
    sp_time_local(INT64_MIN, to);
    assert_string_equal(to, "1677-09-21 00:12:43");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_agree_with_gmtime),
        cmocka_unit_test(local_times),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
