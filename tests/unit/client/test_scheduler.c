/* The service's loop under a clock of its own: weeks pass in milliseconds. The zone is Berlin's;
 * "now" begins on Friday 26 March 2027, 12:00 UTC (13:00 there). */

#include "tests/unit/base/support.h"

#include "base/path.h"
#include "client/job_files.h"
#include "client/scheduler.h"
#include "tests/unit/client/zones.h"

#define MINUTE (60 * SP_SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define MOST 64

struct sp_child {
    int run; /* of world.runs */
};

/* What happens from outside at a given time (monotonic). */
struct happening {
    int64_t at;
    void (*what)(void);
};

static struct {
    char *folder, *config, *state;
    int64_t wall, mono, start_mono;
    struct zone zone;
    struct happening happenings[16];
    size_t nhappenings, happened;
    bool stop;
    struct {
        char job[32];
        int64_t wall, mono, ends_mono; /* start, start, end */
        bool over, gently, now;
        int exit_code;
    } runs[MOST];
    int nruns;
    int64_t lasts; /* how long a run takes */
    int exit_code;
    bool deaf; /* to a gentle stop */
    bool fails_to_start;
    enum sp_known battery, metered;
    char said[16384];
    size_t waits;
} world;

/* --- the table
 * ------------------------------------------------------------------------------------------ */

static int64_t
wall_ns(void *self)
{
    (void)self;
    return world.wall;
}

static int64_t
mono_ns(void *self)
{
    (void)self;
    return world.mono;
}

static const struct sp_clock clock_of_world = {wall_ns, mono_ns, NULL};

static void
pass(int64_t ns)
{
    world.mono += ns;
    world.wall += ns;
}

static enum sp_wake
wait_for(void *self, uint32_t ms)
{
    int64_t end = world.mono + (int64_t)ms * 1000000, next = end;
    int which = -1;

    (void)self;
    world.waits++;
    assert_true(ms <= 60000);
    for (int i = 0; i < world.nruns; i++) {
        if (!world.runs[i].over && world.runs[i].ends_mono < next) {
            next = world.runs[i].ends_mono;
            which = i;
        }
    }
    if (world.happened < world.nhappenings && world.happenings[world.happened].at <= next) {
        int64_t at = world.happenings[world.happened].at;

        pass(at > world.mono ? at - world.mono : 0);
        world.happenings[world.happened++].what();
        if (world.stop) {
            world.stop = false;
            return SP_WAKE_STOP;
        }
        return SP_WAKE_TIME;
    }
    pass(next > world.mono ? next - world.mono : 0);
    return which >= 0 ? SP_WAKE_CHILD : SP_WAKE_TIME;
}

static enum sp_code
start(void *self, const struct sp_job *job, struct sp_child **ret, struct sp_err *e)
{
    (void)self;
    if (world.fails_to_start)
        return sp_fail(e, SP_NOMEM, SP_DOM_SELF, "no process");
    assert_true(world.nruns < MOST);
    *ret = malloc(sizeof(**ret));
    assert_non_null(*ret);
    (*ret)->run = world.nruns;
    (void)snprintf(world.runs[world.nruns].job, 32, "%s", job->name);
    world.runs[world.nruns].wall = world.wall;
    world.runs[world.nruns].mono = world.mono;
    world.runs[world.nruns].ends_mono = world.mono + world.lasts;
    world.runs[world.nruns].exit_code = world.exit_code;
    world.nruns++;
    return SP_OK;
}

static bool
ended(void *self, struct sp_child *c, int *ret_exit)
{
    int run = c->run;

    (void)self;
    if (world.runs[run].ends_mono > world.mono)
        return false;
    world.runs[run].over = true;
    *ret_exit = world.runs[run].exit_code;
    free(c);
    return true;
}

static void
stop(void *self, struct sp_child *c, bool now)
{
    (void)self;
    *(now ? &world.runs[c->run].now : &world.runs[c->run].gently) = true;
    if (now || !world.deaf) {
        world.runs[c->run].ends_mono = world.mono + 5 * SP_SECOND;
        world.runs[c->run].exit_code = now ? 137 : 143;
    }
}

static enum sp_known
on_battery(void *self)
{
    (void)self;
    return world.battery;
}

static enum sp_known
on_metered(void *self)
{
    (void)self;
    return world.metered;
}

static void
event(void *self, enum sp_event what, const char *job, const char *sentence)
{
    size_t n = strlen(world.said);

    (void)self;
    (void)snprintf(world.said + n, sizeof(world.said) - n, "%d %s: %s\n", (int)what,
        job != NULL ? job : "-", sentence);
}

/* --- the world
 * ------------------------------------------------------------------------------------------- */

static void
write_config(const char *text)
{
    FILE *f = fopen(world.config, "w");

    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static int
setup(void **state)
{
    if (tmp_setup(state) != 0)
        return -1;
    memset(&world, 0, sizeof(world));
    world.folder = *state;
    world.config = sp_path_join(world.folder, "stillpoint.conf");
    world.state = sp_path_join(world.folder, "schedule");
    setenv("STILLPOINT_STATE_DIR", world.folder, 1);
    world.zone = zone_new(1, 2027, 1);
    world.battery = world.metered = SP_KNOWN_NOT;
    world.lasts = 10 * MINUTE;
    world.mono = 77 * SP_SECOND;
    return sp_time_parse("2027-03-26T12:00:00Z", &world.wall);
}

static int
teardown(void **state)
{
    free(world.config);
    free(world.state);
    free(world.zone.wall);
    return tmp_teardown(state);
}

static void
say_stop(void)
{
    world.stop = true;
}

static void
at(int64_t since_start, void (*what)(void))
{
    world.happenings[world.nhappenings].at = world.mono + since_start;
    world.happenings[world.nhappenings++].what = what;
}

static enum sp_code
try_run(struct sp_err *e)
{
    struct sp_scheduler_table table = {.local = zone_local(&world.zone),
        .wait = wait_for,
        .start = start,
        .ended = ended,
        .stop = stop,
        .on_battery = on_battery,
        .on_metered = on_metered,
        .event = event};
    struct sp_env env = {&sp_os_system, &clock_of_world, NULL};
    struct sp_scheduler_options o = {&env, &table, world.config, world.state, "host"};

    return sp_scheduler_run(&o, e);
}

/* The service for so long; what was to happen is done. */
static void
serve(int64_t ns)
{
    struct sp_err e = {0};

    at(ns, say_stop);
    if (try_run(&e) != SP_OK)
        fail_msg("%s", e.text);
    assert_int_equal(world.happened, world.nhappenings);
    world.nhappenings = world.happened = 0;
    for (int i = 0; i < world.nruns; i++)
        assert_true(world.runs[i].over);
}

/* Starts as "JOB 03-27 01:00", UTC, in their order, separated by '|'. */
static void
ran(const char *want)
{
    char got[2048] = "", when[32];
    size_t n = 0;

    for (int i = 0; i < world.nruns; i++) {
        sp_time_utc(world.runs[i].wall, when);
        n += (size_t)snprintf(got + n, sizeof(got) - n, "%s%s %.5s %.5s", i > 0 ? "|" : "",
            world.runs[i].job, when + 5, when + 11);
    }
    if (strcmp(got, want) != 0)
        fail_msg("ran:    %s\nwanted: %s\nsaid:\n%s", got, want, world.said);
}

static void
said(const char *words)
{
    if (strstr(world.said, words) == NULL)
        fail_msg("no '%s' in:\n%s", words, world.said);
}

#define NIGHTLY "[files]\npath = /etc\nschedule = daily at 02:30\n"

/* --- tests
 * ------------------------------------------------------------------------------------------------
 */

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

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int
main(void)
{
    const struct CMUnitTest tests[] = {TEST(every_night), TEST(twice_is_once),
        TEST(missed_is_made_up_for_once), TEST(missed_without_catch_up), TEST(missed_while_off),
        TEST(a_lost_state_costs_the_catching_up), TEST(a_damaged_state_is_told),
        TEST(clock_set_back_a_little), TEST(clock_set_back_far), TEST(clock_wrong_for_a_while),
        TEST(one_at_a_time), TEST(longer_than_its_rhythm), TEST(random_delay),
        TEST(unreachable_is_tried_again), TEST(unreachable_until_the_next_time),
        TEST(other_failures_wait), TEST(a_crash_is_told_and_kept),
        TEST(success_is_told_in_the_runs_words), TEST(no_process), TEST(battery_and_metered),
        TEST(unknown_holds_nothing_back), TEST(configuration_changes), TEST(configuration_vanishes),
        TEST(job_removed_while_it_runs), TEST(stop_lets_a_run_end), TEST(stop_is_bounded),
        TEST(interrupted_by_a_power_cut), TEST(nothing_to_do), TEST(a_quiet_quarter)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
