/* When the service starts a job: nights, sleep, clocks that are set, what was missed. */

#include "tests/unit/client/sched_world.h"

/* Also over the night without a 02:30 (28 March), and not for what was before the job was. */
static void
every_night(void **state)
{
    (void)state;
    write_config(NIGHTLY);
    serve(4 * DAY);
    ran("files 03-27 01:30|files 03-28 01:00|files 03-29 00:30|files 03-30 00:30");
    said("1 files: the run of");
    said("2 files: the run ended with 0 and left no words"); /* this double writes no result */
}

/* 31 October 2027: 02:30 comes twice. */
static void
twice_is_once(void **state)
{
    (void)state;
    assert_int_equal(sp_time_parse("2027-10-30T12:00:00Z", &world.wall), 0);
    write_config(NIGHTLY);
    serve(2 * DAY);
    ran("files 10-31 00:30|files 11-01 01:30");
}

static void
asleep_a_week(void)
{
    world.wall += 7 * DAY + 3 * HOUR; /* and no monotonic time */
}

static void
missed_is_made_up_for_once(void **state)
{
    (void)state;
    write_config(NIGHTLY);
    at(5 * HOUR, asleep_a_week); /* 17:00 UTC; awake on 2 April, 20:00 */
    serve(DAY);
    ran("files 04-02 20:00|files 04-03 00:30");
    said("it is made up for now");
}

static void
missed_without_catch_up(void **state)
{
    (void)state;
    write_config(NIGHTLY "catch-up = no\n");
    at(5 * HOUR, asleep_a_week);
    serve(DAY);
    ran("files 04-03 00:30");
    said("catch-up = no");
}

static void
missed_while_off(void **state)
{
    (void)state;
    write_config(NIGHTLY);
    serve(HOUR);
    ran("");
    pass(3 * DAY); /* no service */
    serve(HOUR);
    ran("files 03-29 13:00");
    /* settled: another start makes up for nothing */
    serve(HOUR);
    ran("files 03-29 13:00");
}

static void
a_lost_state_costs_the_catching_up(void **state)
{
    (void)state;
    write_config(NIGHTLY);
    serve(HOUR);
    pass(3 * DAY);
    assert_int_equal(remove(world.state), 0);
    serve(HOUR);
    ran("");
    serve(DAY);
    assert_int_equal(world.nruns, 1);
}

static void
a_damaged_state_is_told(void **state)
{
    FILE *f;

    (void)state;
    write_config(NIGHTLY);
    f = fopen(world.state, "w");
    assert_non_null(f);
    assert_true(fputs("[files\nwhat", f) >= 0);
    assert_int_equal(fclose(f), 0);
    serve(DAY);
    said("is not known");
    ran("files 03-27 01:30");
}

static void
back_an_hour(void)
{
    world.wall -= HOUR;
}

static void
back_ten_days(void)
{
    world.wall -= 10 * DAY;
}

static void
ahead_a_year(void)
{
    world.wall += 200 * DAY;
}

static void
back_a_year(void)
{
    world.wall -= 200 * DAY;
}

/* 02:30 comes twice because the clock was set back: it ran. */
static void
clock_set_back_a_little(void **state)
{
    (void)state;
    write_config(NIGHTLY);
    at(14 * HOUR, back_an_hour); /* 02:00 UTC, 03:00 there, back to 02:00 */
    serve(DAY);
    ran("files 03-27 01:30");
}

static void
clock_set_back_far(void **state)
{
    (void)state;
    write_config(NIGHTLY);
    at(20 * HOUR, back_ten_days);
    serve(2 * DAY);
    said("set back");
    ran("files 03-27 01:30|files 03-18 01:30");
}

static void
clock_wrong_for_a_while(void **state)
{
    (void)state;
    write_config(NIGHTLY);
    at(2 * HOUR, ahead_a_year); /* one run to catch up with a year that was not */
    at(3 * HOUR, back_a_year);
    serve(DAY);
    ran("files 10-12 14:00|files 03-27 01:30");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {TEST(every_night), TEST(twice_is_once),
        TEST(missed_is_made_up_for_once), TEST(missed_without_catch_up), TEST(missed_while_off),
        TEST(a_lost_state_costs_the_catching_up), TEST(a_damaged_state_is_told),
        TEST(clock_set_back_a_little), TEST(clock_set_back_far), TEST(clock_wrong_for_a_while)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
