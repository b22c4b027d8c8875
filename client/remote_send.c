/* What is sent next, and what callers left to do. See remote_impl.h. */

#include <stdlib.h>
#include <string.h>

#include "client/remote_impl.h"

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

void
sp_remote_send_flush(struct remote *r, struct sp_session *s)
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
        sp_remote_send_flush(r, s);
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
