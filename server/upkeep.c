/* What happens by the clock. Each kind of work is under way at most once; it runs on a worker
 * thread and comes back to the loop with what it found. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "server/conn.h"
#include "server/invite.h"
#include "server/work.h"

#define MS INT64_C(1000000)
#define KEEP_NS (400 * 86400 * SP_SECOND) /* sessions, events */

struct task {
    struct sp_server *s;
    struct sp_err error;
    /* watch */
    int64_t version;
    struct sp_roster *roster;
    /* beat */
    struct sp_state_beat beat;
    /* sweep */
    size_t removed;
};

static bool
start(struct sp_server *s, struct task *t, void (*run)(void *arg), void (*done)(void *arg))
{
    t->s = s;
    if (sp_work(&s->loop, run, done, t))
        return true;
    free(t);
    return false;
}

/* A fault is told once, and again when it is over. */
static void
log_fault(struct sp_server *s, const struct sp_err *e)
{
    const char *text = e->code == SP_OK ? "" : e->text;

    if (strncmp(s->trouble, text, sizeof(s->trouble) - 1) == 0)
        return;
    if (text[0] != '\0')
        sp_log(s->log, SP_LOG_ERROR, "%s", text);
    else
        sp_log(s->log, SP_LOG_INFO, "it works again: %s", s->trouble);
    (void)snprintf(s->trouble, sizeof(s->trouble), "%.255s", text);
}

/* --- hosts that the administrator revoked, or let in
 * ------------------------------------------------ */

static void
run_watch(void *arg)
{
    struct task *t = arg;
    int64_t version;

    /* The number before the roster: what changes between the two is seen next time. */
    if (sp_state_version(t->s->state, &version, &t->error) != SP_OK || version == t->version)
        return;
    if (sp_server_load_roster(t->s, &t->roster, &t->error) == SP_OK)
        t->version = version;
}

static void
watch_done(void *arg)
{
    struct task *t = arg;
    struct sp_server *s = t->s;

    s->watching = false;
    s->state_version = t->version;
    if (t->error.code != SP_OK)
        sp_log(s->log, SP_LOG_ERROR, "%s", t->error.text);
    if (t->roster != NULL)
        sp_server_take_roster(s, t->roster);
    free(t);
}

static void
watch(struct sp_server *s)
{
    struct task *t;

    if (s->watching || (t = calloc(1, sizeof(*t))) == NULL)
        return;
    t->version = s->state_version;
    s->watching = start(s, t, run_watch, watch_done);
}

/* --- heartbeat
 * -------------------------------------------------------------------------------------- */

static void
run_beat(void *arg)
{
    struct task *t = arg;
    struct sp_backend *b = sp_repository_backend(t->s->repository);
    struct sp_os_space space = {0};
    uint64_t size;

    /* A share that hangs holds this worker, and the heartbeat stops: that is what it is for. */
    if (sp_backend_size(b, "repository.conf", &size, &t->error) == SP_OK)
        (void)sp_backend_space(b, &space, &t->error);
    if (t->error.code != SP_OK) {
        sp_err_context(&t->error, "the repository %.200s", t->s->home.config.repository);
        (void)snprintf(t->beat.trouble, sizeof(t->beat.trouble), "%.255s", t->error.text);
    }
    t->beat.free_bytes = space.free_bytes;
    t->beat.total_bytes = space.total_bytes;
    t->beat.beat_ns = sp_clock_wall(t->s->env->clock);
    if (t->error.code == SP_OK)
        (void)sp_state_beat_write(t->s->state, &t->beat, &t->error);
    else {
        struct sp_err ignored = {0};

        (void)sp_state_beat_write(t->s->state, &t->beat, &ignored);
    }
}

static void
beat_done(void *arg)
{
    struct task *t = arg;

    t->s->beating = false;
    log_fault(t->s, &t->error);
    free(t);
}

static void
beat(struct sp_server *s)
{
    struct task *t;

    if (s->beating || (t = calloc(1, sizeof(*t))) == NULL)
        return;
    t->beat.started_ns = s->started_ns;
    (void)snprintf(t->beat.address, sizeof(t->beat.address), "%s", s->home.config.listen);
    t->beat.port = s->port;
    t->beat.sessions = s->nsessions;
    s->beating = start(s, t, run_beat, beat_done);
}

/* --- sweeping
 * --------------------------------------------------------------------------------------- */

static void
run_sweep(void *arg)
{
    struct task *t = arg;
    struct sp_server *s = t->s;
    int64_t now_ns = sp_clock_wall(s->env->clock);

    if (sp_invitation_sweep(s->repository, s->state, now_ns, &t->removed, &t->error) == SP_OK)
        (void)sp_state_trim(s->state, now_ns - KEEP_NS, &t->error);
}

static void
sweep_done(void *arg)
{
    struct task *t = arg;
    struct sp_server *s = t->s;

    s->sweeping = false;
    if (t->error.code != SP_OK)
        sp_log(s->log, SP_LOG_WARN, "sweeping: %s", t->error.text);
    else if (t->removed > 0)
        sp_log(s->log, SP_LOG_INFO, "%zu old invitations removed", t->removed);
    free(t);
}

static void
sweep(struct sp_server *s)
{
    struct task *t;

    if (s->sweeping || (t = calloc(1, sizeof(*t))) == NULL)
        return;
    s->sweeping = start(s, t, run_sweep, sweep_done);
}

/* --- the server's certificate
 * ----------------------------------------------------------------------- */

/* Small files on local disk, once in a year: the loop may wait for them. */
static void
renew(struct sp_server *s)
{
    struct sp_tls_context *fresh = NULL;
    struct sp_err e = {0};
    bool renewed = false;

    if (sp_home_renew(s->env, &s->home, &renewed, &e) != SP_OK ||
        (renewed && sp_server_make_tls(s, &fresh, &e) != SP_OK)) {
        sp_log(s->log, SP_LOG_ERROR, "the server's certificate is not renewed: %s", e.text);
        return;
    }
    if (!renewed)
        return;
    sp_listener_set_tls(s->listener, fresh);
    sp_tls_context_free(s->tls);
    s->tls = fresh;
    sp_log(s->log, SP_LOG_INFO, "the server's certificate was renewed");
}

/* --- strangers
 * -------------------------------------------------------------------------------------- */

/* Who was turned away since the last time: one line, however many they were. */
static void
tell_strangers(struct sp_server *s)
{
    struct sp_listener_stats now;
    uint64_t often, many;

    sp_listener_stats(s->listener, &now);
    often = now.refused_rate - s->told.refused_rate;
    many = now.refused_half_open + now.refused_full + now.evicted - s->told.refused_half_open -
           s->told.refused_full - s->told.evicted;
    if (often > 0 || many > 0 || s->strangers_untold > 0)
        sp_log(s->log, SP_LOG_WARN,
            "connections turned away in the last minute: %llu of addresses that came too often, "
            "%llu for want of room, and %u refused that are not told one by one",
            (unsigned long long)often, (unsigned long long)many, s->strangers_untold);
    s->told = now;
    s->strangers_told = s->strangers_untold = 0;
}

void
sp_upkeep_tick(struct sp_server *s)
{
    int64_t now_mono = sp_clock_mono(s->env->clock);
    struct sp_conn *c, *next;

    for (c = s->conns; c != NULL; c = next) {
        next = c->next;
        sp_conn_tick(c, now_mono);
    }
    if (s->stopping)
        return;
    watch(s);
    if (s->beat_mono == 0 || now_mono - s->beat_mono >= SP_BEAT_MS * MS) {
        s->beat_mono = now_mono;
        beat(s);
    }
    if (now_mono - s->tell_mono >= SP_TELL_MS * MS) {
        s->tell_mono = now_mono;
        tell_strangers(s);
    }
    if (s->sweep_mono == 0 || now_mono - s->sweep_mono >= SP_SWEEP_MS * MS) {
        s->sweep_mono = now_mono;
        sweep(s);
        renew(s);
    }
}
