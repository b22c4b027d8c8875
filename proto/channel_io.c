/* Bytes through a channel: see channel_impl.h. */

#include "proto/channel_impl.h"

#include <string.h>

/* --- out ----------------------------------------------------------------------------------- */

static void
on_written(uv_write_t *req, int status)
{
    struct sp_channel *c = req->data;
    struct sp_err e = {0};

    c->writing = false;
    if (c->phase == CHANNEL_CLOSING)
        return;
    if (status != 0) {
        (void)sp_channel_fail_uv(&e, status, "the connection broke");
        sp_channel_decide(c, &e, false);
        sp_channel_shut(c);
        return;
    }
    sp_channel_turn(c);
}

/* Ciphertext to the socket until it takes no more. false: the connection broke. */
static bool
send_ciphertext(struct sp_channel *c)
{
    struct sp_err e = {0};

    while (!c->writing) {
        size_t n = sp_tls_take(c->tls, c->write_buf, sizeof(c->write_buf));
        uv_buf_t buf = uv_buf_init((char *)c->write_buf, (unsigned int)n);
        int sent;

        if (n == 0)
            return true;
        sent = uv_try_write((uv_stream_t *)&c->tcp, &buf, 1);
        if (sent < 0 && sent != UV_EAGAIN) {
            (void)sp_channel_fail_uv(&e, sent, "the connection broke");
            sp_channel_decide(c, &e, false);
            sp_channel_shut(c);
            return false;
        }
        c->out += n;
        if (sent < 0)
            sent = 0;
        if ((size_t)sent == n)
            continue;
        buf = uv_buf_init((char *)c->write_buf + sent, (unsigned int)(n - (size_t)sent));
        c->write_req.data = c;
        c->writing = true;
        sent = uv_write(&c->write_req, (uv_stream_t *)&c->tcp, &buf, 1, on_written);
        if (sent != 0) {
            c->writing = false;
            (void)sp_channel_fail_uv(&e, sent, "the connection broke");
            sp_channel_decide(c, &e, false);
            sp_channel_shut(c);
            return false;
        }
    }
    return true;
}

/* The session's output into TLS, as much as it takes. false: nothing moved. */
static bool
encrypt(struct sp_channel *c)
{
    const uint8_t *p;
    size_t n, used;
    bool moved = false;

    while (!c->mute && c->session != NULL && sp_session_output(c->session, &p, &n)) {
        struct sp_err e = {0};

        used = 0;
        if (sp_tls_write(c->tls, p, n, &used, &e) != SP_OK) {
            c->mute = true;
            sp_channel_decide(c, &e, false);
            return true; /* an alert */
        }
        if (used == 0)
            break;
        sp_session_sent(c->session, sp_channel_now(), used);
        moved = true;
    }
    return moved;
}

/* Until nothing is left or the socket takes no more. false: the connection broke. */
static bool
send_all(struct sp_channel *c)
{
    do
        if (!send_ciphertext(c))
            return false;
    while (!c->writing && encrypt(c));
    return true;
}

/* --- in ------------------------------------------------------------------------------------ */

/* TLS ended without a goodbye, or the socket did. */
static void
end_of_stream(struct sp_channel *c)
{
    struct sp_event ev;
    struct sp_err e = {0};

    if (c->session != NULL) {
        sp_session_end(c->session, NULL, &ev);
        if (ev.type == SP_EVENT_CLOSED)
            sp_channel_decide(c, &ev.why, ev.by_peer);
        return;
    }
    (void)sp_fail(&e, SP_UNREACHABLE, SP_DOM_NET, "%s ended the connection during the handshake",
        c->server ? "the client" : "the server");
    sp_channel_decide(c, &e, false);
}

static void
handle_event(struct sp_channel *c, struct sp_event *ev)
{
    if (ev->type == SP_EVENT_CLOSED)
        sp_channel_decide(c, &ev->why, ev->by_peer);
    else if (ev->type != SP_EVENT_NONE) {
        if (ev->type == SP_EVENT_READY) {
            c->greeted = true;
            /* Who enrols has shown nothing yet: it stays a stranger. */
            if (c->listener != NULL && sp_tls_peer(c->tls)->has_certificate)
                sp_listener_ready(c);
        }
        c->ops->event(c, c->arg, ev);
    }
    sp_event_clear(ev);
}

/* The handshake is over. */
static void
secured(struct sp_channel *c)
{
    struct sp_err e = {0};

    c->phase = CHANNEL_SECURED;
    c->deadline = sp_channel_now() + c->handshake_ns;
    if (c->ops->secured != NULL)
        c->ops->secured(c, c->arg);
    if (c->server || c->phase != CHANNEL_SECURED)
        return;
    c->client.service = sp_tls_peer(c->tls)->service;
    if (sp_session_new(&c->client, sp_channel_now(), &c->session, &e) != SP_OK) {
        sp_channel_decide(c, &e, false);
        return;
    }
    c->phase = CHANNEL_OPEN;
    c->deadline = INT64_MAX;
}

/* May events be given now? A server whose client does not take its replies gives it no further
 * requests; a client always listens, or both could wait for each other. */
static bool
may_listen(const struct sp_channel *c)
{
    if (c->stopped || sp_tls_waiting(c->tls) > 4 * SP_CIPHERTEXT_HIGH)
        return false;
    if (c->phase == CHANNEL_SHAKING)
        return true;
    return c->phase == CHANNEL_OPEN && !(c->server && c->high);
}

/* Plaintext to the session, events to the user, until there is no more or something stops it. */
static void
receive_all(struct sp_channel *c)
{
    struct sp_err e = {0};

    while (may_listen(c)) {
        size_t n = 0;

        if (c->plain_at < c->plain_len) {
            struct sp_event ev;

            sp_session_feed(c->session, sp_channel_now(), c->plain + c->plain_at,
                c->plain_len - c->plain_at, &n, &ev);
            c->plain_at += n;
            handle_event(c, &ev);
            if (c->session != NULL && sp_session_queued(c->session) > SP_OUTPUT_HIGH)
                c->high = true;
            continue;
        }
        /* Not yet the first byte of what comes after the handshake: there is no session for it. */
        if (sp_tls_read(c->tls, c->plain, c->phase == CHANNEL_SHAKING ? 0 : sizeof(c->plain), &n,
                &e) != SP_OK) {
            sp_channel_decide(c, &e, false);
            return;
        }
        if (c->phase == CHANNEL_SHAKING && sp_tls_ready(c->tls)) {
            secured(c);
            continue;
        }
        c->plain_at = 0;
        c->plain_len = n;
        if (n > 0)
            continue;
        if (c->eof || sp_tls_ended(c->tls))
            end_of_stream(c);
        return;
    }
}

static void
on_alloc(uv_handle_t *handle, size_t wanted, uv_buf_t *buf)
{
    struct sp_channel *c = handle->data;

    (void)wanted;
    *buf = uv_buf_init((char *)c->read_buf, sizeof(c->read_buf));
}

static void
on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct sp_channel *c = stream->data;
    struct sp_err e = {0};

    if (n == 0 || c->phase == CHANNEL_CLOSING)
        return;
    if (n > 0) {
        c->in += (uint64_t)n;
        if (c->phase != CHANNEL_ENDING && sp_tls_feed(c->tls, buf->base, (size_t)n, &e) != SP_OK)
            sp_channel_decide(c, &e, false);
    } else {
        uv_read_stop(stream);
        c->reading = false;
        c->eof = true;
        if (n != UV_EOF) {
            (void)sp_channel_fail_uv(&e, (int)n, "the connection broke");
            sp_channel_decide(c, &e, false);
            sp_channel_shut(c);
            return;
        }
    }
    sp_channel_turn(c);
}

/* Reads from the socket only what there is a use for. */
static void
set_reading(struct sp_channel *c)
{
    bool want = !c->eof && (may_listen(c) || c->phase == CHANNEL_ENDING);

    if (want == c->reading)
        return;
    c->reading = want;
    if (want)
        (void)uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read);
    else
        uv_read_stop((uv_stream_t *)&c->tcp);
    if (c->session != NULL)
        sp_session_pause(c->session, !want, sp_channel_now());
}

/* --- turns --------------------------------------------------------------------------------- */

static void
on_shutdown(uv_shutdown_t *req, int status)
{
    struct sp_channel *c = req->data;

    if (c->phase == CHANNEL_CLOSING)
        return;
    if (status != 0)
        c->eof = true; /* nobody is there any more */
    sp_channel_turn(c);
}

/* Everything was sent: says so, and waits for the other side's end, so that the last words are not
 * lost in a reset. */
static void
finish(struct sp_channel *c)
{
    if (!c->shut) {
        if (c->writing || (!c->mute && c->session != NULL && sp_session_queued(c->session) > 0))
            return;
        c->shut = true;
        sp_tls_end(c->tls);
        if (!send_ciphertext(c))
            return;
        c->shutdown_req.data = c;
        if (uv_shutdown(&c->shutdown_req, (uv_stream_t *)&c->tcp, on_shutdown) != 0)
            sp_channel_shut(c);
        return;
    }
    if (c->eof || c->by_peer)
        sp_channel_shut(c);
}

static void
check_deadline(struct sp_channel *c)
{
    int64_t now = sp_channel_now();
    struct sp_event ev;
    struct sp_err e = {0};

    if (c->session != NULL && now >= sp_session_deadline(c->session)) {
        sp_session_tick(c->session, now, &ev);
        handle_event(c, &ev);
    }
    if (now < c->deadline)
        return;
    switch (c->phase) {
    case CHANNEL_RESOLVING:
    case CHANNEL_CONNECTING:
        sp_channel_connect_timeout(c);
        break;
    case CHANNEL_ENDING:
        sp_channel_shut(c);
        break;
    case CHANNEL_CLOSING:
        break;
    default:
        (void)sp_fail(&e, SP_TIMEOUT, SP_DOM_NET, "the handshake with %s took too long",
            c->server ? "the client" : "the server");
        sp_channel_decide(c, &e, false);
        sp_channel_shut(c); /* there is nothing to say to it */
        break;
    }
}

void
sp_channel_turn(struct sp_channel *c)
{
    check_deadline(c);
    if (c->phase >= CHANNEL_SHAKING && c->phase <= CHANNEL_OPEN) {
        bool was_high;

        receive_all(c);
        if (c->phase != CHANNEL_CLOSING && !send_all(c))
            return;
        was_high = c->high;
        c->high = c->session != NULL &&
                  sp_session_queued(c->session) > (was_high ? SP_OUTPUT_LOW : SP_OUTPUT_HIGH);
        if (was_high && !c->high && c->phase == CHANNEL_OPEN) {
            if (c->ops->drained != NULL)
                c->ops->drained(c, c->arg);
            sp_channel_kick(c); /* for what lies in our buffers */
        }
    }
    if (c->phase == CHANNEL_ENDING) {
        if (!send_all(c))
            return;
        finish(c);
    }
    if (c->phase >= CHANNEL_SHAKING && c->phase != CHANNEL_CLOSING)
        set_reading(c);
    sp_channel_set_timer(c);
}
