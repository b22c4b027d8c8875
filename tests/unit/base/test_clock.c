#include "support.h"

#include <time.h>

#include "base/clock.h"

static void
utc(int64_t ns, const char *text, const char *name)
{
    char to[32];

    sp_time_utc(ns, to);
    assert_string_equal(to, text);
    sp_time_name(ns, to);
    assert_string_equal(to, name);
}

static void
times_are_written(void **state)
{
    (void)state;
    utc(0, "1970-01-01T00:00:00Z", "19700101t000000z");
    utc(-1, "1969-12-31T23:59:59Z", "19691231t235959z");
    utc(999999999, "1970-01-01T00:00:00Z", "19700101t000000z");
    utc(INT64_C(1795342347) * SP_SECOND, "2026-11-22T10:12:27Z", "20261122t101227z");
    utc(INT64_C(951782400) * SP_SECOND, "2000-02-29T00:00:00Z", "20000229t000000z");
    utc(INT64_MAX, "2262-04-11T23:47:16Z", "22620411t234716z");
    utc(INT64_MIN, "1677-09-21T00:12:43Z", "16770921t001243z");
}

static void
what_is_no_time_is_refused(void **state)
{
    static const char *const bad[] = {"", "2026", "2026-11", "2026-13-01", "2026-00-01",
        "2026-11-00", "2026-11-31", "2026-02-29", "1900-02-29", "2026-11-22 ", "2026-11-22 1",
        "2026-11-22 10", "2026-11-22 24:00", "2026-11-22 10:60", "2026-11-22 10:12:60",
        "2026-11-22 10:12:", "2026-11-22 10:12:27x", "2026-11-22Z", "2026-11-22x10:12",
        " 2026-11-22", "26-11-22", "2026-1-22", "2026/11/22", "+026-11-22", "2026-11-22T10:12:27z",
        "9999-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "9999-01-01", "1500-01-01 00:00"};
    int64_t ns = 4711;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (sp_time_parse(bad[i], &ns) != -1 || ns != 4711)
            fail_msg("'%s' was taken", bad[i]);
    assert_int_equal(sp_time_parse("2024-02-29", &ns), 0);
    assert_int_equal(sp_time_parse("2000-02-29", &ns), 0);
}

static void
the_clocks_run(void **state)
{
    int64_t mono = sp_clock_mono(&sp_clock_system), wall = sp_clock_wall(&sp_clock_system);

    (void)state;
    assert_true(wall / SP_SECOND - (int64_t)time(NULL) < 5);
    assert_true((int64_t)time(NULL) - wall / SP_SECOND < 5);
    sp_sleep_ms(20);
    assert_true(sp_clock_mono(&sp_clock_system) - mono >= 20 * 1000000);
}

static int64_t
fixed(void *self)
{
    return *(int64_t *)self;
}

static void
a_clock_can_be_replaced(void **state)
{
    int64_t now = 42;
    struct sp_clock c = {fixed, fixed, &now};

    (void)state;
    assert_int_equal(sp_clock_wall(&c), 42);
    now = 43;
    assert_int_equal(sp_clock_mono(&c), 43);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_are_written),
        cmocka_unit_test(what_is_no_time_is_refused),
        cmocka_unit_test(the_clocks_run),
        cmocka_unit_test(a_clock_can_be_replaced),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
