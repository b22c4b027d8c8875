/* What becomes of runs: one at a time, tried again, held, stopped; and of a configuration that
 * changes. */

#include "tests/unit/client/sched_world.h"

/* Two jobs, one repository: the second waits for the first; a third elsewhere does not. */
static void
one_at_a_time(void **state)
{
    (void)state;
    world.lasts = 40 * MINUTE;
    write_config("[a]\npath = /etc\nrepository = /r\nschedule = daily at 14:00\n"
                 "[b]\npath = /etc\nrepository = /r\nschedule = daily at 14:10\n"
                 "[c]\npath = /etc\nrepository = /other\nschedule = daily at 14:10\n"
                 "[d]\npath = /etc\nrepository = /r\nschedule = daily at 14:05\n");
    serve(6 * HOUR);
    ran("a 03-26 13:00|c 03-26 13:10|d 03-26 13:40|b 03-26 14:20");
}

/* A run longer than its rhythm: what comes meanwhile is passed over. */
static void
longer_than_its_rhythm(void **state)
{
    (void)state;
    world.lasts = 25 * MINUTE;
    write_config("[a]\npath = /etc\nschedule = every 10m\n");
    serve(HOUR + 5 * MINUTE);
    ran("a 03-26 12:10|a 03-26 12:40");
}

static void
random_delay(void **state)
{
    int64_t late;

    (void)state;
    write_config("[a]\npath = /etc\nschedule = daily at 14:00\nrandom-delay = 2h\n");
    late = sp_schedule_delay("host", "a", 2 * HOUR);
    assert_true(late > MINUTE);
    serve(3 * DAY);
    assert_int_equal(world.nruns, 3);
    for (int i = 0; i < 3; i++) /* 28 March: an hour earlier by UTC */
        assert_int_equal(world.runs[i].wall % DAY, (i < 2 ? 13 : 12) * HOUR + late);
}

static void
store_is_back(void)
{
    world.exit_code = 0;
}

/* 1, 2, 4 … minutes apart, and with success it is over. */
static void
unreachable_is_tried_again(void **state)
{
    (void)state;
    world.lasts = MINUTE;
    world.exit_code = 6;
    write_config("[a]\npath = /etc\nschedule = daily at 14:00\n");
    at(HOUR + 12 * MINUTE, store_is_back);
    serve(20 * HOUR);
    ran("a 03-26 13:00|a 03-26 13:02|a 03-26 13:05|a 03-26 13:10|a 03-26 13:19");
    said("tried again in");
    said("unreachable");
}

/* Pauses grow to an hour, and end with the next time of the schedule. */
static void
unreachable_until_the_next_time(void **state)
{
    (void)state;
    world.lasts = MINUTE;
    world.exit_code = 6;
    write_config("[a]\npath = /etc\nschedule = every 6h\n");
    serve(DAY);
    for (int i = 1; i < world.nruns; i++)
        assert_true(world.runs[i].mono - world.runs[i - 1].mono <= HOUR + 2 * MINUTE + 30 * MINUTE);
    assert_true(world.nruns > 30 && world.nruns < 50);
}

static void
other_failures_wait(void **state)
{
    (void)state;
    world.exit_code = 2;
    write_config("[a]\npath = /etc\nschedule = daily at 14:00\n");
    serve(2 * DAY);
    ran("a 03-26 13:00|a 03-27 13:00");
    said("4 a: ");
}

static void
a_crash_is_told_and_kept(void **state)
{
    struct sp_last_run last;

    (void)state;
    world.exit_code = 128 + 11;
    write_config("[a]\npath = /etc\nschedule = daily at 14:00\n");
    serve(2 * HOUR);
    said("4 a: the run crashed (11)");
    assert_ok(sp_last_run_read(&sp_env_system, "a", &last, e));
    assert_int_equal(last.exit_code, 139);
    assert_int_equal(last.started_ns, world.runs[0].wall);
}

static void
run_says_what_it_did(void)
{
    struct sp_last_run last = {
        .started_ns = world.wall, .ended_ns = world.wall, .success_ns = world.wall};

    (void)snprintf(last.text, sizeof(last.text), "a: set 12 \"quoted\" \\ and all");
    assert_ok(sp_last_run_write(&sp_env_system, "a", &last, e));
}

static void
success_is_told_in_the_runs_words(void **state)
{
    (void)state;
    write_config("[a]\npath = /etc\nschedule = daily at 14:00\n");
    at(HOUR + 5 * MINUTE, run_says_what_it_did);
    serve(2 * HOUR);
    said("2 a: a: set 12 \"quoted\" \\ and all\n");
}

static void
no_process(void **state)
{
    (void)state;
    world.fails_to_start = true;
    write_config("[a]\npath = /etc\nschedule = daily at 14:00\n");
    serve(2 * HOUR);
    ran("");
    said("4 a: the run could not be started: no process");
    said("tried again");
}

static void
plugged_in(void)
{
    world.battery = SP_KNOWN_NO;
}

static void
unmetered(void)
{
    world.metered = SP_KNOWN_NO;
}

static void
battery_and_metered(void **state)
{
    (void)state;
    world.battery = world.metered = SP_KNOWN_YES;
    write_config("[a]\npath = /etc\nrepository = /a\nschedule = daily at 14:00\non-battery = no\n"
                 "[b]\npath = /etc\nrepository = /b\nschedule = daily at 14:00\non-metered = no\n"
                 "[c]\npath = /etc\nrepository = /c\nschedule = daily at 14:00\non-battery = no\n"
                 "catch-up = no\n"
                 "[d]\npath = /etc\nrepository = /d\nschedule = daily at 14:00\n");
    at(3 * HOUR + 30 * SP_SECOND, plugged_in);
    at(4 * HOUR + 30 * SP_SECOND, unmetered);
    serve(DAY);
    ran("d 03-26 13:00|a 03-26 15:00|b 03-26 16:00");
    said("6 a: it waits: this machine runs on its battery");
    said("6 b: it waits: the network is metered");
    said("6 c: this machine runs on its battery (on-battery = no), and catch-up = no");
}

static void
unknown_holds_nothing_back(void **state)
{
    (void)state;
    write_config("[a]\npath = /etc\nschedule = daily at 14:00\non-battery = no\non-metered = no\n");
    serve(2 * HOUR);
    ran("a 03-26 13:00");
}

static void
new_schedule(void)
{
    write_config("[files]\npath = /etc\nschedule = daily at 20:00\n[more]\npath = /etc\n"
                 "schedule = daily at 21:00\n");
}

static void
broken_schedule(void)
{
    write_config("[files]\npath = /etc\nschedule = daily at 25:00\n");
}

static void
no_file(void)
{
    assert_int_equal(remove(world.config), 0);
}

static void
configuration_changes(void **state)
{
    (void)state;
    write_config(NIGHTLY);
    at(HOUR, new_schedule);        /* 13:00 */
    at(8 * HOUR, broken_schedule); /* 20:00 UTC: what was read stays in force */
    serve(2 * DAY);
    ran("files 03-26 19:00|more 03-26 20:00|files 03-27 19:00|more 03-27 20:00");
    said("the configuration was read again");
    said("the configuration was changed and is not taken");
    said("25:00");
    assert_ptr_equal(strstr(strstr(world.said, "is not taken") + 1, "is not taken"), NULL);
}

static void
configuration_vanishes(void **state)
{
    (void)state;
    write_config(NIGHTLY);
    at(HOUR, no_file);
    serve(DAY);
    said("is not taken");
    ran("files 03-27 01:30");
}

/* A job taken out while it runs: the run ends in peace, and its name is forgotten. */
static void
only_more(void)
{
    write_config("[more]\npath = /etc\nschedule = daily at 21:00\n");
}

static void
job_removed_while_it_runs(void **state)
{
    (void)state;
    world.lasts = HOUR;
    write_config("[files]\npath = /etc\nschedule = daily at 14:00\n");
    at(90 * MINUTE, only_more);
    serve(2 * DAY);
    ran("files 03-26 13:00|more 03-26 20:00|more 03-27 20:00");
}

static void
stop_lets_a_run_end(void **state)
{
    (void)state;
    world.lasts = 5 * HOUR;
    write_config("[a]\npath = /etc\nschedule = daily at 14:00\n");
    serve(2 * HOUR);
    ran("a 03-26 13:00");
    assert_true(world.runs[0].gently && !world.runs[0].now);
    /* interrupted: due again at the next start, and once only */
    pass(6 * HOUR);
    world.lasts = MINUTE;
    serve(HOUR);
    ran("a 03-26 13:00|a 03-26 20:00");
    serve(HOUR);
    assert_int_equal(world.nruns, 2);
}

static void
stop_is_bounded(void **state)
{
    int64_t before;

    (void)state;
    world.lasts = 100 * HOUR;
    world.deaf = true;
    write_config("[a]\npath = /etc\nschedule = daily at 14:00\n");
    before = world.mono;
    serve(2 * HOUR);
    assert_true(world.runs[0].gently && world.runs[0].now);
    assert_true(world.mono - before - 2 * HOUR <= 70 * SP_SECOND);
}

/* The state on disk says so while it runs: a power cut leaves it due. */
static void
power_cut(void)
{
    struct sp_err e = {0};
    uint8_t *text = NULL;
    size_t n;
    char *copy = sp_path_join(world.folder, "cut");

    assert_int_equal(sp_os_read_file(&sp_os_system, world.state, 65536, &text, &n, &e), SP_OK);
    assert_int_equal(sp_os_write_file(&sp_os_system, copy, text, n, &e), SP_OK);
    free(text);
    free(copy);
}

static void
interrupted_by_a_power_cut(void **state)
{
    char *copy = sp_path_join(*state, "cut");

    write_config("[a]\npath = /etc\nschedule = daily at 14:00\n");
    at(HOUR + 5 * MINUTE, power_cut);
    serve(2 * HOUR);
    ran("a 03-26 13:00");
    assert_int_equal(rename(copy, world.state), 0);
    serve(HOUR);
    ran("a 03-26 13:00|a 03-26 14:00");
    free(copy);
}

static void
nothing_to_do(void **state)
{
    struct sp_err e = {0};

    (void)state;
    write_config("[a]\npath = /etc\n");
    assert_int_equal(try_run(&e), SP_INVALID);
    assert_non_null(strstr(e.text, "no job of"));
    write_config("[a]\npath = /etc\nschedule = cron 0 0 30 2 *\n");
    assert_int_equal(try_run(&e), SP_INVALID);
    assert_non_null(strstr(e.text, "stillpoint.conf:3"));
    assert_int_equal(remove(world.config), 0);
    assert_int_equal(try_run(&e), SP_ABSENT);
}

static void
first_schedule(void)
{
    write_config("[a]\npath = /etc\nschedule = every 1h\n");
}

/* A service that is installed before anybody wrote a schedule waits for one. */
static void
idle_until_there_is_a_schedule(void **state)
{
    (void)state;
    world.may_idle = true;
    world.lasts = SP_SECOND;
    write_config("[a]\npath = /etc\n");
    at(30 * MINUTE, first_schedule);
    serve(2 * HOUR + MINUTE);
    ran("a 03-26 13:00|a 03-26 14:00");
    said("jobs with a schedule: 0");
}

/* A quarter of a year: every time once, and no more wakes than one a minute. */
static void
a_quiet_quarter(void **state)
{
    (void)state;
    world.lasts = SP_SECOND;
    write_config("[a]\npath = /etc\nschedule = monthly on 1 at 03:00\n");
    serve(90 * DAY);
    ran("a 04-01 01:00|a 05-01 01:00|a 06-01 01:00");
    assert_true(world.waits < 90 * 24 * 61);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {TEST(one_at_a_time), TEST(longer_than_its_rhythm),
        TEST(random_delay), TEST(unreachable_is_tried_again), TEST(unreachable_until_the_next_time),
        TEST(other_failures_wait), TEST(a_crash_is_told_and_kept),
        TEST(success_is_told_in_the_runs_words), TEST(no_process), TEST(battery_and_metered),
        TEST(unknown_holds_nothing_back), TEST(configuration_changes), TEST(configuration_vanishes),
        TEST(job_removed_while_it_runs), TEST(stop_lets_a_run_end), TEST(stop_is_bounded),
        TEST(interrupted_by_a_power_cut), TEST(nothing_to_do), TEST(idle_until_there_is_a_schedule),
        TEST(a_quiet_quarter)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
