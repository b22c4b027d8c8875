/* The thread of the libuv loop: the channel's events, and what is sent next. See remote_impl.h. */

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
tell(struct remote *r)
{
    char sentence[sizeof(r->sentence)];

    if (r->sentence[0] == '\0')
        return;
    memcpy(sentence, r->sentence, sizeof(sentence));
    r->sentence[0] = '\0';
    if (r->o.notice != NULL)
        r->o.notice(r->o.arg, sentence);
}

/* --- sending ---------------------------------------------------------------------------------- */

/* A stream that was cut waits until its caller has had what came before: so what is held never
 * grows over one connection's credit. */
static struct call *
next_call(struct remote *r)
{
    struct call *c = r->calls;

    while (c != NULL && (c->sent || c->ending || c->items != NULL))
        c = c->next;
    return c;
}

static enum sp_code
make_payload(struct call *c, uint8_t **ret, size_t *ret_n, struct sp_err *e)
{
    uint8_t *p;

    if (c->make != NULL)
        return c->make(c, ret, ret_n, e);
    if (c->body_len == 0)
        return SP_OK;
    if ((p = malloc(c->body_len)) == NULL)
        return sp_fail_nomem(e);
    memcpy(p, c->body, c->body_len);
    *ret = p;
    *ret_n = c->body_len;
    return SP_OK;
}

/* false: nothing more can be sent now. */
static bool
send_call(struct remote *r, struct sp_session *s, struct call *c)
{
    struct sp_err e = {0};
    uint8_t *payload = NULL;
    size_t n = 0;
    enum sp_code rc = make_payload(c, &payload, &n, &e);

    if (rc == SP_OK && c->make != NULL && n == 0) {
        sp_call_finish(r, c, NULL);
        return true;
    }
    if (rc == SP_OK && (rc = sp_session_request(s, &c->msg, payload, n, &c->tag, &e)) == SP_OK) {
        c->sent = true;
        c->sendings++;
        return true;
    }
    free(payload);
    /* Too many are in flight, or the session just ended: its end will be told. */
    if (rc == SP_BUSY || sp_session_is_closed(s))
        return false;
    sp_call_finish(r, c, &e);
    return true;
}

static bool
send_block(struct remote *r, struct sp_session *s, unsigned lane)
{
    struct sp_err e = {0};
    enum sp_code rc = sp_remote_send_block(r, lane, &e);

    if (rc == SP_OK)
        return true;
    if (rc != SP_BUSY && !sp_session_is_closed(s))
        sp_remote_fail(r, &e);
    return false;
}

/* Queues blocks and calls by their numbers. The session's queue is kept short: what is in it is a
 * copy. */
static void
send_some(struct remote *r, struct sp_session *s)
{
    r->more = false;
    while (r->failed.code == SP_OK) {
        unsigned lane = 0;
        const struct put_block *b = sp_remote_next_block(r, &lane);
        struct call *c = next_call(r);

        if (b == NULL && c == NULL)
            break;
        if ((r->more = sp_session_queued(s) > SP_OUTPUT_LOW))
            break; /* see on_prepare */
        if (b != NULL && (c == NULL || b->number < c->number)) {
            if (!send_block(r, s, lane))
                break;
        } else if (!send_call(r, s, c)) {
            break;
        }
    }
}

static void
send_flush(struct remote *r, struct sp_session *s)
{
    struct sp_msg m = {.type = SP_MSG_FLUSH};
    struct sp_err e = {0};
    enum sp_code rc = sp_session_request(s, &m, NULL, 0, &r->flush_tag, &e);

    if (rc == SP_NOMEM)
        sp_remote_fail(r, &e);
}

/* A server acknowledges whole packs: when all it has is less than one, only a FLUSH brings credit
 * back. */
static void
feed_starving(struct remote *r, struct sp_session *s)
{
    if (!sp_remote_starved(r)) {
        if (r->starving)
            (void)uv_timer_stop(&r->timer);
        r->starving = false;
        return;
    }
    if (r->flush_tag != 0)
        return;
    if (sp_remote_must_flush(r)) {
        send_flush(r, s);
    } else if (!r->starving) {
        r->starving = true;
        sp_remote_sleep(r, r->pace.starved_ms);
    }
}

/* --- what callers left to do ------------------------------------------------------------------ */

static void
settle_spent(struct remote *r)
{
    struct sp_session *s = sp_remote_session(r);

    while (r->spent != NULL) {
        struct item *it = r->spent;
        struct sp_err e = {0};

        r->spent = it->next;
        if (s != NULL && it->connection == r->connection &&
            sp_session_consumed(s, it->len, &e) != SP_OK)
            sp_remote_fail(r, &e);
        free(it);
    }
}

static void
settle_ending(struct remote *r)
{
    struct sp_session *s = sp_remote_session(r);
    struct call *c = r->calls;

    while (c != NULL) {
        struct call *next = c->next;
        struct sp_err e = {0};

        if (c->ending && s != NULL && c->sent && sp_session_cancel(s, c->tag, &e) != SP_OK) {
            sp_remote_fail(r, &e); /* ends all of them */
            return;
        }
        if (c->ending)
            sp_call_finish(r, c, NULL);
        c = next;
    }
}

static void
close_failed(struct remote *r)
{
    if (r->channel == NULL || r->closing)
        return;
    r->closing = true;
    if (r->failed.code == SP_CANCELLED)
        sp_channel_abort(r->channel);
    else
        sp_channel_close(r->channel, r->failed.code == SP_PROTOCOL ? &r->failed : NULL);
}

void
sp_remote_pump(struct remote *r)
{
    struct sp_session *s;

    settle_spent(r);
    settle_ending(r);
    if (r->failed.code == SP_OK && (s = sp_remote_session(r)) != NULL) {
        if (r->state == REMOTE_RESUMING)
            sp_remote_resume(r, s);
        if (r->state == REMOTE_LIVE) {
            send_some(r, s);
            feed_starving(r, s);
        }
        if (sp_session_queued(s) > 0)
            sp_channel_flush(r->channel);
    }
    if (r->failed.code != SP_OK)
        close_failed(r);
}

/* --- the channel's events --------------------------------------------------------------------- */

static void
item_came(struct remote *r, struct call *c, struct sp_frame *f)
{
    struct sp_session *s = sp_remote_session(r);
    size_t len = f->payload_len;
    struct sp_err e = {0};
    struct item *it;
    bool drop = c == NULL || c->ending;

    if (!drop && c->came != NULL && c->came(c, f, &drop, &e) != SP_OK) {
        sp_remote_fail(r, &e);
        return;
    }
    if (drop) {
        if (s != NULL && sp_session_consumed(s, len, &e) != SP_OK)
            sp_remote_fail(r, &e);
        return;
    }
    if ((it = calloc(1, sizeof(*it))) == NULL) {
        (void)sp_fail_nomem(&e);
        sp_remote_fail(r, &e);
        return;
    }
    it->connection = r->connection;
    it->len = len;
    it->frame = *f;
    memset(f, 0, sizeof(*f));
    *c->items_end = it;
    c->items_end = &it->next;
    sp_remote_forward(r);
    sp_cond_signal(&c->changed);
}

static void
answer_came(struct remote *r, struct call *c, struct sp_frame *f)
{
    struct sp_err err = {0};

    if (c == NULL) /* its caller left */
        return;
    sp_remote_forward(r);
    if (f->msg.type == SP_MSG_ERROR) {
        (void)sp_msg_get_error(&f->msg, &err);
        sp_call_finish(r, c, &err);
        return;
    }
    c->answer = *f;
    memset(f, 0, sizeof(*f));
    sp_call_finish(r, c, NULL);
}

/* Of a request of our own. */
static void
own_answer_came(struct remote *r, struct sp_frame *f)
{
    struct sp_err err = {0};

    if (f->msg.type == SP_MSG_ERROR) {
        (void)sp_msg_get_error(&f->msg, &err);
        sp_remote_fail(r, &err);
    } else if (f->msg.tag == r->have_tag) {
        sp_remote_resumed(r, f);
    } else {
        r->flush_tag = 0;
    }
}

static void
message(struct remote *r, struct sp_event *ev)
{
    struct sp_frame *f = &ev->frame;
    struct sp_err err = {0};
    struct call *c;

    if (f->msg.type == SP_MSG_ACK || f->msg.type == SP_MSG_FLUSHED)
        sp_remote_acked(r, f->msg.ack.data, f->msg.ack.nodes);
    if (f->msg.tag == 0) {
        if (f->msg.type == SP_MSG_ERROR) { /* puts failed for good */
            (void)sp_msg_get_error(&f->msg, &err);
            sp_remote_fail(r, &err);
        }
        return;
    }
    if (f->msg.tag == r->have_tag || f->msg.tag == r->flush_tag) {
        own_answer_came(r, f);
        return;
    }
    c = sp_call_find(r, f->msg.tag);
    if (sp_msg_info(f->msg.type)->kind == SP_KIND_ITEM)
        item_came(r, c, f);
    else
        answer_came(r, c, f);
}

static void
on_event(struct sp_channel *channel, void *arg, struct sp_event *ev)
{
    struct remote *r = arg;

    (void)channel;
    sp_mutex_lock(&r->lock);
    if (ev->type == SP_EVENT_READY)
        sp_remote_begin(r, &ev->frame);
    else if (ev->type == SP_EVENT_MESSAGE && r->failed.code == SP_OK)
        message(r, ev);
    sp_remote_pump(r);
    sp_mutex_unlock(&r->lock);
    tell(r);
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
    tell(r);
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

    strcpy(c.session.hello.client_hello.program, "stillpoint " SP_VERSION);
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
                send_flush(r, s);
            sp_remote_pump(r);
        }
    }
    sp_mutex_unlock(&r->lock);
    tell(r);
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
    tell(r);
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
    tell(r);
}

static void
run(void *arg)
{
    struct remote *r = arg;

    sp_mutex_lock(&r->lock);
    connect_now(r);
    sp_mutex_unlock(&r->lock);
    tell(r);
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
