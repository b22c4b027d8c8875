/* The thread of the libuv loop: connections, timers, wake-ups. See remote_impl.h. */

#include <stdlib.h>
#include <string.h>

#include "client/remote_impl.h"

void
sp_remote_wake(struct remote *r)
{
    /* Fails only for a handle that is closing: then nobody waits any more. */
    (void)uv_async_send(&r->wake);
}

struct sp_session *
sp_remote_session(struct remote *r)
{
    struct sp_session *s;

    if (r->channel == NULL || r->closing || (s = sp_channel_session(r->channel)) == NULL)
        return NULL;
    return sp_session_is_ready(s) ? s : NULL;
}

/* The sentence was left by whoever held the lock. */
static void
tell_main(struct remote *r)
{
    char sentence[sizeof(r->sentence)];

    if (r->sentence[0] == '\0')
        return;
    memcpy(sentence, r->sentence, sizeof(sentence));
    r->sentence[0] = '\0';
    if (r->o.notice != NULL)
        r->o.notice(r->o.arg, sentence);
}

/* --- the channel ------------------------------------------------------------------------------ */

static void
on_event(struct sp_channel *channel, void *arg, struct sp_event *ev)
{
    struct remote *r = arg;

    (void)channel;
    sp_mutex_lock(&r->lock);
    if (ev->type == SP_EVENT_READY)
        sp_remote_begin(r, &ev->frame);
    else if (ev->type == SP_EVENT_MESSAGE && r->failed.code == SP_OK)
        sp_remote_message(r, ev);
    sp_remote_pump(r);
    sp_mutex_unlock(&r->lock);
    tell_main(r);
}

static void end_handles(struct remote *r);

static void
on_closed(struct sp_channel *channel, void *arg, const struct sp_err *why, bool by_peer)
{
    struct remote *r = arg;

    (void)channel;
    sp_mutex_lock(&r->lock);
    r->channel = NULL;
    r->closing = r->more = false;
    if (r->starving)
        (void)uv_timer_stop(&r->timer);
    r->starving = false;
    sp_remote_lost(r, why, by_peer);
    if (r->stopping)
        end_handles(r);
    sp_mutex_unlock(&r->lock);
    tell_main(r);
}

static const struct sp_channel_ops channel_ops = {
    .event = on_event,
    .closed = on_closed,
};

enum sp_code
sp_remote_connect(struct remote *r, struct sp_err *e)
{
    struct sp_connect c = {
        .address = r->target,
        .tls = r->tls,
        .timeout_ms = r->o.connect_ms,
        .session = {.role = SP_ROLE_CLIENT,
            .service = SP_SERVICE_NORMAL,
            .hello = {.type = SP_MSG_CLIENT_HELLO},
            .handshake_ms = r->o.connect_ms},
    };
    struct sp_err never = {0}; /* it is a word, and the first */

    strcpy(c.session.hello.client_hello.program, "stillpoint " SP_VERSION);
    (void)sp_features_add(
        &c.session.hello.client_hello.features, SP_FEATURE_COMPLETIONS, &never);
    c.session.hello.client_hello.has_group = r->o.has_group;
    memcpy(c.session.hello.client_hello.group, r->o.group, 16);
    r->connection++;
    return sp_channel_connect(&r->loop, &c, &channel_ops, r, &r->channel, e);
}

/* --- the thread ------------------------------------------------------------------------------- */

static void
connect_now(struct remote *r)
{
    struct sp_err e = {0};

    if (sp_remote_connect(r, &e) != SP_OK)
        sp_remote_lost(r, &e, false);
}

static void
on_timer(uv_timer_t *t)
{
    struct remote *r = t->data;
    struct sp_session *s;

    sp_mutex_lock(&r->lock);
    if (r->failed.code == SP_OK && !r->stopping) {
        if (r->channel == NULL) {
            connect_now(r);
        } else if (r->starving) {
            r->starving = false;
            if (r->flush_tag == 0 && sp_remote_starved(r) && (s = sp_remote_session(r)) != NULL)
                sp_remote_send_flush(r, s);
            sp_remote_pump(r);
        }
    }
    sp_mutex_unlock(&r->lock);
    tell_main(r);
}

void
sp_remote_sleep(struct remote *r, uint32_t ms)
{
    (void)uv_timer_start(&r->timer, on_timer, ms, 0); /* fails only while closing */
}

/* Before the loop waits, after it has sent: is there room for more? */
static void
on_prepare(uv_prepare_t *k)
{
    struct remote *r = k->data;
    struct sp_session *s;

    if (!r->more || (s = sp_remote_session(r)) == NULL || sp_session_queued(s) > SP_OUTPUT_LOW)
        return;
    sp_mutex_lock(&r->lock);
    sp_remote_pump(r);
    sp_mutex_unlock(&r->lock);
    tell_main(r);
}

/* The last handles: then the loop has nothing to do and its thread ends. */
static void
end_handles(struct remote *r)
{
    if (r->handles_closed)
        return;
    r->handles_closed = true;
    uv_close((uv_handle_t *)&r->timer, NULL);
    uv_close((uv_handle_t *)&r->prepare, NULL);
    uv_close((uv_handle_t *)&r->wake, NULL);
}

static void
shut_down(struct remote *r)
{
    if (r->channel == NULL) {
        end_handles(r);
    } else if (r->closing || r->failed.code != SP_OK) {
        r->closing = true;
        sp_channel_abort(r->channel);
    } else {
        r->closing = true;
        sp_channel_close(r->channel, NULL);
    }
}

static void
on_wake(uv_async_t *a)
{
    struct remote *r = a->data;

    sp_mutex_lock(&r->lock);
    if (r->stopping) {
        shut_down(r);
    } else {
        if (r->channel != NULL && !r->closing && (r->cut || r->restart)) {
            r->closing = true;
            if (r->cut)
                sp_channel_abort(r->channel);
            else
                sp_channel_close(r->channel, NULL);
        }
        r->cut = false;
        sp_remote_pump(r);
    }
    sp_mutex_unlock(&r->lock);
    tell_main(r);
}

static void
run(void *arg)
{
    struct remote *r = arg;

    sp_mutex_lock(&r->lock);
    connect_now(r);
    sp_mutex_unlock(&r->lock);
    tell_main(r);
    (void)uv_run(&r->loop, UV_RUN_DEFAULT);
}

static enum sp_code
uv_failed(int status, const char *what, struct sp_err *e)
{
    return status == UV_ENOMEM
               ? sp_fail_nomem(e)
               : sp_fail(e, SP_INTERNAL, SP_DOM_SELF, "%s: %s", what, uv_strerror(status));
}

enum sp_code
sp_remote_start(struct remote *r, struct sp_err *e)
{
    int status;
    enum sp_code rc;

    if ((status = uv_loop_init(&r->loop)) != 0)
        return uv_failed(status, "an event loop", e);
    if ((status = uv_async_init(&r->loop, &r->wake, on_wake)) != 0) {
        (void)uv_loop_close(&r->loop);
        return uv_failed(status, "an event loop", e);
    }
    (void)uv_timer_init(&r->loop, &r->timer); /* these three never fail */
    (void)uv_prepare_init(&r->loop, &r->prepare);
    (void)uv_prepare_start(&r->prepare, on_prepare);
    r->wake.data = r->timer.data = r->prepare.data = r;
    if ((rc = sp_thread_start("sp-remote", run, r, &r->thread, e)) != SP_OK) {
        end_handles(r);
        (void)uv_run(&r->loop, UV_RUN_DEFAULT);
        (void)uv_loop_close(&r->loop);
    }
    return rc;
}

void
sp_remote_stop(struct remote *r)
{
    if (r->thread == NULL)
        return;
    sp_mutex_lock(&r->lock);
    r->stopping = true;
    sp_mutex_unlock(&r->lock);
    sp_remote_wake(r);
    sp_thread_join(r->thread);
    r->thread = NULL;
    (void)uv_loop_close(&r->loop); /* every handle is closed: see end_handles */
}
