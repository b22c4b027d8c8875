#include "client/scheduler.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/path.h"
#include "client/cli.h"
#include "client/job_files.h"
#include "client/scheduler_impl.h"

/* The loop of the service, and the runs it starts. */

#define WAIT_MOST (60 * SP_SECOND)
#define PAUSE_FIRST (60 * SP_SECOND)
#define PAUSE_MOST (3600 * SP_SECOND)
#define STOP_GENTLY (60 * SP_SECOND)
#define STOP_NOW (10 * SP_SECOND)

void
sp_scheduler_tell(struct sp_scheduler *s, enum sp_event what, const char *job, const char *fmt, ...)
{
    char text[SP_ERR_TEXT + 256];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    s->t->event(s->t->self, what, job, text);
}

enum sp_event
sp_event_of_exit(int exit_code)
{
    return exit_code == SP_EXIT_DONE     ? SP_EVENT_SUCCESS
           : exit_code == SP_EXIT_PARTLY ? SP_EVENT_PARTLY
                                         : SP_EVENT_FAILURE;
}

const char *
sp_exit_word(int exit_code)
{
    static const char *const words[] = {
        "done", "partly", "failed", "damage found", "refused", "configuration", "unreachable"};

    if (exit_code >= 0 && exit_code <= SP_EXIT_UNREACHABLE)
        return words[exit_code];
    return exit_code == 130 || exit_code == 143 ? "interrupted" : "ended by itself";
}

/* --- runs
 * --------------------------------------------------------------------------------------------- */

static void
pause_for_store(struct sp_scheduler *s, struct sp_task *t, int64_t now)
{
    int64_t pause = PAUSE_FIRST, end;

    for (unsigned i = 0; i < t->attempts && pause < PAUSE_MOST; i++)
        pause *= 2;
    pause = pause > PAUSE_MOST ? PAUSE_MOST : pause;
    if (t->job == NULL || (sp_task_next(s, t, &end) && now + pause >= end))
        return; /* the next time is near enough */
    t->attempts++;
    t->due = true;
    t->not_before_ns = sp_clock_mono(s->o->env->clock) + pause;
    sp_scheduler_tell(
        s, SP_EVENT_NOTE, t->name, "it is tried again in %s", sp_text_duration(pause).s);
}

/* The run's own words when it left some; a run that crashed leaves none, so they are written for
 * it. */
static void
result_of(
    struct sp_scheduler *s, struct sp_task *t, int exit_code, int64_t now, struct sp_last_run *last)
{
    struct sp_err ignored = {0};

    if (sp_last_run_read(s->o->env, t->name, last, &ignored) == SP_OK &&
        last->started_ns >= t->started_ns && last->exit_code == exit_code)
        return;
    memset(last, 0, sizeof(*last));
    last->started_ns = t->started_ns;
    last->ended_ns = now;
    last->exit_code = exit_code;
    if (exit_code > 128 && exit_code != 130 && exit_code != 143)
        (void)snprintf(last->text, sizeof(last->text), "the run crashed (%d); its log tells more",
            exit_code - 128);
    else
        (void)snprintf(last->text, sizeof(last->text),
            "the run ended with %d and left no words of its own; its log tells more", exit_code);
    (void)sp_last_run_write(s->o->env, t->name, last, &ignored);
}

static void
run_ended(struct sp_scheduler *s, struct sp_task *t, int exit_code, int64_t now)
{
    struct sp_last_run last;

    t->child = NULL;
    free(t->repository);
    t->repository = NULL;
    s->dirty = true; /* its time is settled */
    result_of(s, t, exit_code, now, &last);
    if (exit_code == SP_EXIT_DONE || exit_code == SP_EXIT_PARTLY) {
        t->missed_ns = 0;
        sp_scheduler_tell(s, sp_event_of_exit(exit_code), t->name, "%s", last.text);
        return;
    }
    sp_scheduler_tell(s, SP_EVENT_FAILURE, t->name, "%s (exit %d, %s)", last.text, exit_code,
        sp_exit_word(exit_code));
    if (s->stopping) /* by us, most likely: made up for at the next start */
        t->due = t->job != NULL;
    else if (exit_code == SP_EXIT_UNREACHABLE)
        pause_for_store(s, t, now);
}

static void
collect(struct sp_scheduler *s)
{
    int exit_code;

    for (size_t i = 0; i < s->ntasks; i++) {
        struct sp_task *t = &s->tasks[i];

        if (t->child != NULL && s->t->ended(s->t->self, t->child, &exit_code))
            run_ended(s, t, exit_code, sp_clock_wall(s->o->env->clock));
    }
}

static bool
repository_busy(const struct sp_scheduler *s, const char *repository)
{
    for (size_t i = 0; i < s->ntasks; i++) {
        if (s->tasks[i].child != NULL && strcmp(s->tasks[i].repository, repository) == 0)
            return true;
    }
    return false;
}

static void
start_run(struct sp_scheduler *s, struct sp_task *t, int64_t now)
{
    struct sp_err e = {0};
    char when[32];

    t->due = false;
    s->dirty = true;
    sp_time_local(t->due_ns, when);
    if ((t->repository = strdup(t->job->repository)) == NULL) {
        (void)sp_fail_nomem(&e);
    } else {
        t->started_ns = now;
        sp_scheduler_tell(s, SP_EVENT_START, t->name, "the run of %s begins%s", when,
            t->attempts > 0 ? " once more" : "");
        if (s->t->start(s->t->self, t->job, &t->child, &e) == SP_OK)
            return;
    }
    free(t->repository);
    t->repository = NULL;
    t->child = NULL;
    sp_scheduler_tell(s, SP_EVENT_FAILURE, t->name, "the run could not be started: %s", e.text);
    pause_for_store(s, t, now);
}

/* Of those that are due and may run, the one whose time came first. */
static struct sp_task *
next_to_start(struct sp_scheduler *s, int64_t now)
{
    int64_t mono = sp_clock_mono(s->o->env->clock);
    struct sp_task *first = NULL;

    for (size_t i = 0; i < s->ntasks; i++) {
        struct sp_task *t = &s->tasks[i];

        if (!t->due || t->job == NULL || t->child != NULL || t->not_before_ns > mono ||
            (first != NULL && first->due_ns <= t->due_ns) ||
            repository_busy(s, t->job->repository) || !sp_task_allowed(s, t, now))
            continue;
        first = t;
    }
    return first;
}

/* --- the loop
 * ------------------------------------------------------------------------------------------ */

/* What has come is settled and started; gives how long nothing more can come. */
static int64_t
step(struct sp_scheduler *s)
{
    int64_t wait = WAIT_MOST, now = sp_clock_wall(s->o->env->clock);
    int64_t mono = sp_clock_mono(s->o->env->clock), at;
    struct sp_err ignored = {0};
    struct sp_task *t;

    collect(s);
    (void)sp_scheduler_configure(s, false, &ignored);
    for (size_t i = 0; i < s->ntasks; i++)
        sp_task_decide(s, &s->tasks[i], now);
    while ((t = next_to_start(s, now)) != NULL)
        start_run(s, t, now);
    sp_scheduler_keep(s);
    for (size_t i = 0; i < s->ntasks; i++) {
        t = &s->tasks[i];
        if (sp_task_next(s, t, &at) && at - now < wait)
            wait = at - now;
        if (t->due && t->child == NULL && t->not_before_ns > mono && t->not_before_ns - mono < wait)
            wait = t->not_before_ns - mono;
    }
    return wait;
}

static bool
any_child(const struct sp_scheduler *s)
{
    for (size_t i = 0; i < s->ntasks; i++) {
        if (s->tasks[i].child != NULL)
            return true;
    }
    return false;
}

/* Until no child is left, or the time is over. */
static void
wait_for_children(struct sp_scheduler *s, int64_t ns)
{
    int64_t end = sp_clock_mono(s->o->env->clock) + ns, left;

    for (;;) {
        collect(s);
        left = end - sp_clock_mono(s->o->env->clock);
        if (!any_child(s) || left <= 0)
            return;
        (void)s->t->wait(s->t->self, left < SP_SECOND / 10 ? 1 : 100);
    }
}

static void
stop_all(struct sp_scheduler *s)
{
    s->stopping = true;
    sp_scheduler_keep(s);
    for (size_t i = 0; i < s->ntasks; i++) {
        if (s->tasks[i].child != NULL)
            s->t->stop(s->t->self, s->tasks[i].child, false);
    }
    wait_for_children(s, STOP_GENTLY);
    for (size_t i = 0; i < s->ntasks; i++) {
        if (s->tasks[i].child != NULL)
            s->t->stop(s->t->self, s->tasks[i].child, true);
    }
    wait_for_children(s, STOP_NOW);
    sp_scheduler_keep(s);
}

static enum sp_code
paths(struct sp_scheduler *s, struct sp_err *e)
{
    char *place = NULL;
    enum sp_code rc;

    if (s->o->state_file != NULL) {
        s->state_path = strdup(s->o->state_file);
    } else {
        if ((rc = sp_os_place(SP_PLACE_STATE, &place, e)) != SP_OK ||
            (rc = sp_os_mkdirs(s->o->env->os, place, e)) != SP_OK) {
            free(place);
            return rc;
        }
        s->state_path = sp_path_join(place, "schedule");
        free(place);
    }
    if (s->o->config_file != NULL)
        return s->state_path == NULL ? sp_fail_nomem(e)
                                     : sp_os_absolute(s->o->config_file, &s->config_path, e);
    if ((rc = sp_os_place(SP_PLACE_CONFIG, &place, e)) != SP_OK)
        return rc;
    s->config_path = sp_path_join(place, "stillpoint.conf");
    free(place);
    return s->state_path == NULL || s->config_path == NULL ? sp_fail_nomem(e) : SP_OK;
}

enum sp_code
sp_scheduler_run(const struct sp_scheduler_options *o, struct sp_err *e)
{
    struct sp_scheduler s = {.o = o, .t = o->table};
    enum sp_wake wake = SP_WAKE_TIME;
    int64_t wait;
    enum sp_code rc;

    if ((rc = paths(&s, e)) != SP_OK || (rc = sp_scheduler_configure(&s, true, e)) != SP_OK)
        goto out;
    sp_scheduler_tell(&s, SP_EVENT_SERVICE, NULL, "started; jobs with a schedule: %zu", s.ntasks);
    while (wake != SP_WAKE_STOP) {
        wait = step(&s);
        /* Rounded up, so that the minute has come when it is looked at. */
        wake = s.t->wait(s.t->self, (uint32_t)((wait + 999999) / 1000000));
    }
    stop_all(&s);
    sp_scheduler_tell(&s, SP_EVENT_SERVICE, NULL, "stopped");
out:
    for (size_t i = 0; i < s.ntasks; i++)
        sp_task_clear(&s.tasks[i]);
    free(s.tasks);
    sp_config_free(s.config);
    free(s.config_path);
    free(s.state_path);
    return rc;
}
