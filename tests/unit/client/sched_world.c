#include "tests/unit/client/sched_world.h"

struct sched_world world;

struct sp_child {
    int run; /* of world.runs */
};

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

void
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

void
write_config(const char *text)
{
    FILE *f = fopen(world.config, "w");

    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

int
sched_setup(void **state)
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

int
sched_teardown(void **state)
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

void
at(int64_t since_start, void (*what)(void))
{
    world.happenings[world.nhappenings].at = world.mono + since_start;
    world.happenings[world.nhappenings++].what = what;
}

enum sp_code
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
    struct sp_scheduler_options o = {&env, &table, world.config, world.state, "host", world.may_idle};

    return sp_scheduler_run(&o, e);
}

void
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

void
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

void
said(const char *words)
{
    if (strstr(world.said, words) == NULL)
        fail_msg("no '%s' in:\n%s", words, world.said);
}
