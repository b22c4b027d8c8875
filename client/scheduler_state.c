#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/ini.h"
#include "base/path.h"
#include "client/scheduler_impl.h"

/* The tasks follow the configuration; what must outlive the service is kept. */

#define STATE_LIMIT (1u << 20)

void
sp_task_clear(struct sp_task *t)
{
    free(t->name);
    free(t->repository);
    memset(t, 0, sizeof(*t));
}

static struct sp_task *
task_of(struct sp_scheduler *s, const char *name)
{
    for (size_t i = 0; i < s->ntasks; i++) {
        if (strcmp(s->tasks[i].name, name) == 0)
            return &s->tasks[i];
    }
    return NULL;
}

/* --- the state file
 * --------------------------------------------------------------------------------- */

struct reading {
    struct sp_scheduler *s;
    struct sp_task *task;
};

static enum sp_code
read_value(void *arg, const char *section, const char *key, const char *value, unsigned line,
    struct sp_err *e)
{
    struct reading *r = arg;

    (void)line;
    (void)e;
    if (key == NULL) {
        r->task = task_of(r->s, section);
    } else if (r->task == NULL) {
        return SP_OK; /* a job that is gone */
    } else if (strcmp(key, "schedule") == 0) {
        if (strcmp(value, r->task->schedule.text) != 0)
            r->task = NULL; /* another schedule since: it begins now */
    } else if (strcmp(key, "decided") == 0) {
        r->task->decided_ns = strtoll(value, NULL, 10);
    } else if (strcmp(key, "missed") == 0) {
        r->task->missed_ns = strtoll(value, NULL, 10);
    }
    return SP_OK;
}

/* What cannot be read is told and forgotten: it costs the catching-up. */
static void
read_state(struct sp_scheduler *s)
{
    struct reading r = {s, NULL};
    struct sp_err e = {0};
    uint8_t *text = NULL;
    size_t n;
    enum sp_code rc;

    rc = sp_os_read_file(s->o->env->os, s->state_path, STATE_LIMIT, &text, &n, &e);
    if (rc == SP_OK)
        rc = sp_ini_parse(s->state_path, (const char *)text, n, read_value, &r, &e);
    if (rc != SP_OK && rc != SP_ABSENT)
        sp_scheduler_tell(s, SP_EVENT_NOTE, NULL,
            "what was missed before the service started is not known: %s", e.text);
    free(text);
}

/* What is due or runs is settled only when that has ended. */
static int64_t
settled(const struct sp_task *t)
{
    return t->due || t->child != NULL ? t->due_ns - t->delay_ns - 1 : t->decided_ns;
}

void
sp_scheduler_keep(struct sp_scheduler *s)
{
    struct sp_buf b = SP_BUF_INIT;
    struct sp_err e = {0};

    if (!s->dirty)
        return;
    for (size_t i = 0; i < s->ntasks; i++) {
        const struct sp_task *t = &s->tasks[i];

        if (t->job != NULL)
            sp_buf_printf(&b, "[%s]\nschedule = %s\ndecided = %" PRId64 "\nmissed = %" PRId64 "\n",
                t->name, t->schedule.text, settled(t), t->missed_ns);
    }
    if (sp_buf_ok(&b, &e) == SP_OK)
        (void)sp_os_write_file(s->o->env->os, s->state_path, b.data, b.len, &e);
    if (e.code != SP_OK)
        sp_scheduler_tell(
            s, SP_EVENT_NOTE, NULL, "the schedule's state cannot be kept: %s", e.text);
    s->dirty = false; /* tried again with the next change */
    sp_buf_free(&b);
}

/* --- the configuration
 * ------------------------------------------------------------------------------- */

static enum sp_code
add_task(struct sp_scheduler *s, const struct sp_job *job, struct sp_task **ret, struct sp_err *e)
{
    struct sp_task *more = realloc(s->tasks, (s->ntasks + 1) * sizeof(*more));
    char *name = strdup(job->name);

    if (more != NULL)
        s->tasks = more;
    if (more == NULL || name == NULL) {
        free(name);
        return sp_fail_nomem(e);
    }
    *ret = &more[s->ntasks++];
    memset(*ret, 0, sizeof(**ret));
    (*ret)->name = name;
    return SP_OK;
}

/* A job that is new, or has another schedule, begins now: nothing of before is made up for. */
static enum sp_code
follow(struct sp_scheduler *s, const struct sp_job *job, struct sp_err *e)
{
    struct sp_task *t = task_of(s, job->name);
    enum sp_code rc;

    if (t == NULL && (rc = add_task(s, job, &t, e)) != SP_OK)
        return rc;
    t->job = job;
    t->delay_ns = sp_schedule_delay(s->o->host, job->name, job->random_delay_ns);
    if (strcmp(t->schedule.text, job->schedule.text) == 0)
        return SP_OK;
    t->schedule = job->schedule;
    t->decided_ns = sp_clock_wall(s->o->env->clock);
    t->missed_ns = 0;
    t->due = false;
    t->attempts = 0;
    s->dirty = true;
    return SP_OK;
}

static enum sp_code
adopt(struct sp_scheduler *s, struct sp_config *c, struct sp_err *e)
{
    size_t i, kept = 0;
    enum sp_code rc = SP_OK;

    for (i = 0; i < s->ntasks; i++)
        s->tasks[i].job = NULL;
    for (i = 0; i < c->njobs && rc == SP_OK; i++) {
        if (c->jobs[i].schedule.set)
            rc = follow(s, &c->jobs[i], e);
    }
    for (i = 0; i < s->ntasks; i++) {
        struct sp_task *t = &s->tasks[i];

        if (t->job == NULL) {
            t->due = false;
            memset(&t->schedule, 0, sizeof(t->schedule));
        }
        if (t->job == NULL && t->child == NULL)
            sp_task_clear(t);
        else
            s->tasks[kept++] = *t;
    }
    s->ntasks = kept;
    s->dirty = true;
    sp_config_free(s->config);
    s->config = c;
    return rc;
}

/* Whether the file is another than when it was last looked at. */
static bool
changed(struct sp_scheduler *s)
{
    struct sp_os_stat st = {0};
    struct sp_err ignored = {0};
    bool there = s->o->env->os->stat(s->o->env->os->self, s->config_path, &st, &ignored) == SP_OK;
    bool same = there == s->config_there && st.size == s->config_stat.size &&
                st.mtime_ns == s->config_stat.mtime_ns && st.inode == s->config_stat.inode;

    s->config_stat = st;
    s->config_there = there;
    return !same;
}

static bool
scheduled(const struct sp_config *c)
{
    for (size_t i = 0; i < c->njobs; i++) {
        if (c->jobs[i].schedule.set)
            return true;
    }
    return false;
}

enum sp_code
sp_scheduler_configure(struct sp_scheduler *s, bool first, struct sp_err *e)
{
    struct sp_config *c = NULL;
    enum sp_code rc;

    if (!changed(s) && !first)
        return SP_OK;
    rc = sp_config_load(s->o->env, first ? s->o->config_file : s->config_path, &c, e);
    if (rc == SP_OK && first && !scheduled(c) && !s->o->may_idle) {
        rc = sp_fail(e, SP_INVALID, SP_DOM_CONFIG,
            "no job of %s has a schedule; add one, for example 'schedule = daily at 02:00'",
            c->file != NULL ? c->file : "the configuration (there is none)");
        sp_config_free(c);
    } else if (rc == SP_OK) {
        rc = adopt(s, c, e);
    }
    if (rc != SP_OK && !first)
        sp_scheduler_tell(s, SP_EVENT_NOTE, NULL,
            "the configuration was changed and is not taken: %s. What was read before stays in "
            "force",
            e->text);
    else if (rc == SP_OK && !first)
        sp_scheduler_tell(s, SP_EVENT_NOTE, NULL, "the configuration was read again");
    if (rc == SP_OK && first) {
        read_state(s);
        s->dirty = true;
    }
    return rc;
}
