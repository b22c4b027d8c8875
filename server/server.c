/* Opening, running and ending: see server.h and server_impl.h. */

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/spare.h"
#include "base/text.h"
#include "server/conn.h"
#include "server/wall.h"

#define CONF_MAX (64u << 10)

/* --- hosts
 * ------------------------------------------------------------------------------------------ */

enum sp_code
sp_server_load_roster(struct sp_server *s, struct sp_roster **ret, struct sp_err *e)
{
    uint64_t order = atomic_fetch_add(&s->roster_order, 1) + 1;

    return sp_roster_load(s->state, order, ret, e);
}

void
sp_server_take_roster(struct sp_server *s, struct sp_roster *r)
{
    struct sp_conn *c, *next;
    struct sp_err e = {0};

    if (s->roster != NULL && sp_roster_order(r) < sp_roster_order(s->roster)) {
        sp_roster_free(r);
        return;
    }
    sp_roster_free(s->roster);
    s->roster = r;
    for (c = s->conns; c != NULL; c = next) {
        const struct sp_state_certificate *known;

        next = c->next;
        if (!c->begun || c->channel == NULL)
            continue;
        known = sp_roster_find(r, c->fingerprint);
        if (known != NULL && !known->revoked)
            continue;
        (void)sp_fail(&e, SP_AUTH, SP_DOM_STORE,
            "this host was revoked on the server, or its certificate was replaced; its sets are "
            "kept");
        sp_conn_end(c, &e);
    }
}

/* --- opening
 * ---------------------------------------------------------------------------------------- */

static enum sp_code
open_state(struct sp_server *s, struct sp_err *e)
{
    char *db = NULL, *lock = NULL;
    int64_t now_ns = sp_clock_wall(s->env->clock);
    enum sp_code rc;

    if ((rc = sp_home_path(&s->home, "state.db", &db, e)) != SP_OK ||
        (rc = sp_home_path(&s->home, "run.lock", &lock, e)) != SP_OK)
        goto out;
    rc = sp_state_lock(lock, &s->lock, e);
    if (rc == SP_BUSY)
        rc = sp_fail(e, SP_REFUSED, SP_DOM_CONFIG, "a server runs on %s already", s->home.dir);
    /* The version before the roster: what changes between the two is seen by the watch. */
    if (rc != SP_OK || (rc = sp_state_open(db, false, &s->state, e)) != SP_OK ||
        (rc = sp_state_sessions_lost(s->state, now_ns, e)) != SP_OK ||
        (rc = sp_state_version(s->state, &s->state_version, e)) != SP_OK)
        goto out;
    rc = sp_server_load_roster(s, &s->roster, e);
out:
    free(lock);
    free(db);
    return rc;
}

/* What a client may have in flight: what the open packs hold back at most (repository.h), and four
 * blocks on their way. */
static uint32_t
credit_for(const struct sp_repository_conf *conf)
{
    uint64_t credit = (uint64_t)conf->pack_size + conf->pack_size / 4 + (4u << 20);

    if (credit < SP_PUT_CREDIT_MIN)
        return SP_PUT_CREDIT_MIN;
    return credit > SP_PUT_CREDIT_MAX ? SP_PUT_CREDIT_MAX : (uint32_t)credit;
}

static enum sp_code
open_repository(struct sp_server *s, struct sp_err *e)
{
    struct sp_repository_options o = {.write = true, .server_id = s->home.server_id};
    struct sp_backend *b = NULL;
    char *cache = NULL;
    enum sp_code rc;

    if ((rc = sp_home_path(&s->home, "cache", &cache, e)) != SP_OK)
        return rc;
    o.cache_dir = cache;
    if ((rc = sp_backend_dir_open(s->env, s->home.config.repository, false, &b, e)) == SP_OK)
        rc = sp_repository_open(b, s->env, &o, &s->repository, e);
    if (rc == SP_ABSENT) /* the folder or what it should hold: a store that is not there */
        e->domain = SP_DOM_STORE;
    if (rc == SP_OK)
        rc = sp_backend_get_all(sp_repository_backend(s->repository), "repository.conf", CONF_MAX,
            &s->conf, &s->conf_len, e);
    if (rc != SP_OK)
        sp_err_context(e, "repository %s", s->home.config.repository);
    else
        s->put_credit = credit_for(sp_repository_conf(s->repository));
    free(cache);
    return rc;
}

static enum sp_code
raise_wall(struct sp_server *s, struct sp_err *e)
{
    const char *folders[3] = {s->home.dir, s->home.config.repository};
    struct sp_os_stat st;
    struct sp_err ignored = {0};
    char *cache;
    bool raised = false;
    enum sp_code rc = sp_home_path(&s->home, "cache", &cache, e);

    if (rc != SP_OK)
        return rc;
    /* It may be a link to a faster disk. */
    if (s->env->os->stat(s->env->os->self, cache, &st, &ignored) == SP_OK)
        folders[2] = cache;
    rc = sp_wall_raise(folders, folders[2] == NULL ? 2 : 3, &raised, e);
    free(cache);
    if (rc == SP_ABSENT) /* said better when the repository is opened, which is next */
        return SP_OK;
    if (rc == SP_OK && !raised)
        sp_log(s->log, SP_LOG_WARN,
            "%s: the server is not confined to its folder and the repository", sp_wall_lack);
    return rc;
}

static enum sp_code
open_enroller(struct sp_server *s, struct sp_err *e)
{
    const struct sp_enroller_options o = {
        .env = s->env,
        .home = &s->home,
        .state = s->state,
        .repository = s->repository,
        .conf = s->conf,
        .conf_len = s->conf_len,
    };

    return sp_enroller_new(&o, &s->enroller, e);
}

/* --- the loop
 * --------------------------------------------------------------------------------------- */

void
sp_server_post(struct sp_server *s, void (*fn)(void *arg), void *arg)
{
    while (!sp_loop_post(s->calls, fn, arg))
        sp_sleep_ms(10);
}

static void
on_tick(uv_timer_t *timer)
{
    sp_upkeep_tick(timer->data);
}

/* What the poll wrote made room in outputs. */
static void
on_after_poll(uv_check_t *check)
{
    struct sp_server *s = check->data;
    struct sp_conn *c, *next;

    for (c = s->conns; c != NULL; c = next) {
        next = c->next;
        if (c->channel == NULL || !c->ready)
            continue;
        sp_stream_pump(c);
        sp_conn_advance(c);
    }
}

static void
on_signal(uv_signal_t *handle, int number)
{
    struct sp_server *s = handle->data;

    if (s->stopping) /* asked twice: what was acknowledged is safe */
        _Exit(128 + number);
    sp_log(s->log, SP_LOG_INFO, "ending on a signal");
    sp_server_begin_stop(s);
}

static enum sp_code
open_loop(struct sp_server *s, struct sp_err *e)
{
    int status = uv_loop_init(&s->loop);
    enum sp_code rc;
    size_t i;

    if (status != 0)
        return sp_fail(e, SP_IO, SP_DOM_SELF, "no event loop: %s", uv_strerror(status));
    s->has_loop = true;
    if ((rc = sp_loop_queue_new(&s->loop, &s->calls, e)) != SP_OK)
        return rc;
    /* These four fail for wrong arguments only. */
    (void)uv_timer_init(&s->loop, &s->tick);
    (void)uv_timer_init(&s->loop, &s->stopper);
    (void)uv_check_init(&s->loop, &s->after_poll);
    s->tick.data = s->stopper.data = s->after_poll.data = s;
    if (s->signals) {
        for (; sp_platform_ends[s->nends] != 0; s->nends++) {
            (void)uv_signal_init(&s->loop, &s->ends[s->nends]);
            s->ends[s->nends].data = s;
        }
    }
    s->has_handles = true;
    (void)uv_timer_start(&s->tick, on_tick, 0, SP_TICK_MS);
    (void)uv_check_start(&s->after_poll, on_after_poll);
    for (i = 0; i < s->nends; i++) {
        status = uv_signal_start(&s->ends[i], on_signal, sp_platform_ends[i]);
        if (status != 0)
            return sp_fail(
                e, SP_IO, SP_DOM_SELF, "signals cannot be heard: %s", uv_strerror(status));
    }
    return SP_OK;
}

enum sp_code
sp_server_new(const struct sp_server_options *o, struct sp_server **ret, struct sp_err *e)
{
    struct sp_server *s = calloc(1, sizeof(*s));
    enum sp_code rc;

    if (s == NULL)
        return sp_fail_nomem(e);
    s->env = o->env;
    s->log = o->log;
    s->signals = o->signals;
    s->started_ns = sp_clock_wall(o->env->clock);
    atomic_init(&s->roster_order, 0);
    sp_mutex_init(&s->check_lock);
    sp_cond_init(&s->check_free);
    if ((rc = sp_home_open(o->env, o->dir, &s->home, e)) != SP_OK ||
        (o->wall && (rc = raise_wall(s, e)) != SP_OK) ||
        (rc = open_state(s, e)) != SP_OK || (rc = open_repository(s, e)) != SP_OK ||
        (rc = open_enroller(s, e)) != SP_OK || (rc = open_loop(s, e)) != SP_OK ||
        (rc = sp_server_listen(s, e)) != SP_OK)
        goto out;
    *ret = s;
    s = NULL;
out:
    sp_server_free(s);
    return rc;
}

uint16_t
sp_server_port(const struct sp_server *s)
{
    return s->port;
}

enum sp_code
sp_server_run(struct sp_server *s, struct sp_err *e)
{
    const struct sp_server_config *c = &s->home.config;

    sp_log(s->log, SP_LOG_INFO, "listening on %s port %u; repository %s",
        c->listen[0] != '\0' ? c->listen : "every address", (unsigned)s->port, c->repository);
    (void)uv_run(&s->loop, UV_RUN_DEFAULT);
    if (!s->closing)
        return sp_fail(e, SP_INTERNAL, SP_DOM_SELF, "the event loop ended by itself");
    sp_log(s->log, SP_LOG_INFO, "ended");
    return SP_OK;
}

/* --- ending
 * ----------------------------------------------------------------------------------------- */

void
sp_server_close(struct sp_server *s)
{
    size_t i;

    if (s->closing)
        return;
    s->closing = true;
    if (s->has_handles) {
        uv_close((uv_handle_t *)&s->tick, NULL);
        uv_close((uv_handle_t *)&s->after_poll, NULL);
        for (i = 0; i < s->nends; i++)
            uv_close((uv_handle_t *)&s->ends[i], NULL);
    }
    if (s->calls != NULL)
        sp_loop_queue_close(s->calls);
}

void
sp_server_conn_gone(struct sp_server *s)
{
    sp_spare_empty();
    if (s->stopping && s->conns == NULL)
        sp_server_close(s);
}

/* Ten seconds: a disk that hangs must not keep the machine from shutting down. What was
 * acknowledged is on it. */
static void
on_late(uv_timer_t *timer)
{
    struct sp_server *s = timer->data;

    if (sp_clock_mono(s->env->clock) - s->stop_mono >= SP_DIE_MS * INT64_C(1000000)) {
        sp_log(s->log, SP_LOG_WARN, "ended without waiting for the repository any longer");
        _Exit(0);
    }
    sp_log(s->log, SP_LOG_WARN, "sessions are cut: they did not end in time");
    for (struct sp_conn *c = s->conns; c != NULL; c = c->next)
        if (c->channel != NULL)
            sp_channel_abort(c->channel);
}

void
sp_server_begin_stop(struct sp_server *s)
{
    struct sp_conn *c, *next;

    if (s->stopping)
        return;
    s->stopping = true;
    s->stop_mono = sp_clock_mono(s->env->clock);
    sp_listener_close(s->listener, NULL, NULL);
    s->listener = NULL;
    /* It watches over work on a disk that hangs, too, and keeps nothing alive by itself. */
    (void)uv_timer_start(&s->stopper, on_late, SP_STOP_MS, SP_DIE_MS - SP_STOP_MS);
    uv_unref((uv_handle_t *)&s->stopper);
    if (s->conns == NULL) {
        sp_server_close(s);
        return;
    }
    for (c = s->conns; c != NULL; c = next) {
        next = c->next;
        sp_conn_stop(c);
    }
}

static void
stop_posted(void *arg)
{
    sp_server_begin_stop(arg);
}

void
sp_server_stop(struct sp_server *s)
{
    sp_server_post(s, stop_posted, s);
}

void
sp_server_free(struct sp_server *s)
{
    if (s == NULL)
        return;
    if (s->listener != NULL)
        sp_listener_close(s->listener, NULL, NULL);
    if (s->has_loop) {
        sp_server_close(s);
        if (s->has_handles)
            uv_close((uv_handle_t *)&s->stopper, NULL);
        (void)uv_run(&s->loop, UV_RUN_DEFAULT);
        (void)uv_loop_close(&s->loop);
    }
    sp_tls_context_free(s->tls);
    sp_enroller_free(s->enroller);
    sp_roster_free(s->roster);
    sp_repository_free(s->repository);
    free(s->conf);
    sp_state_close(s->state);
    sp_state_unlock(s->lock);
    sp_home_close(&s->home);
    sp_cond_destroy(&s->check_free);
    sp_mutex_destroy(&s->check_lock);
    free(s);
}
