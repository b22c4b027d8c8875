/* The life of a session: see session.h and session_impl.h. */

#include "proto/session_impl.h"

#include <stdlib.h>
#include <string.h>

#define MS INT64_C(1000000)

void
sp_event_clear(struct sp_event *ev)
{
    sp_frame_clear(&ev->frame);
    memset(ev, 0, sizeof(*ev));
}

const char *
sp_session_peer_word(const struct sp_session *s)
{
    return s->role == SP_ROLE_CLIENT ? "the server" : "the client";
}

/* --- the end ------------------------------------------------------------------------------- */

/* The first reason counts. */
static void
close_with(struct sp_session *s, const struct sp_err *why, bool by_peer)
{
    if (s->state == SESSION_CLOSED)
        return;
    s->state = SESSION_CLOSED;
    s->tell = true;
    s->why = *why;
    s->by_peer = by_peer;
}

void
sp_session_tell(struct sp_session *s, struct sp_event *ret)
{
    if (!s->tell)
        return;
    s->tell = false;
    ret->type = SP_EVENT_CLOSED;
    ret->why = s->why;
    ret->by_peer = s->by_peer;
}

/* A Goodbye behind everything that waits. When there is no memory for it, the connection just ends.
 */
static void
queue_goodbye(struct sp_session *s, const struct sp_err *why)
{
    struct sp_msg m = {.tag = 0};
    struct sp_err ignored = {0};

    sp_msg_set_error(&m, SP_MSG_GOODBYE, why);
    (void)sp_session_queue(s, &m, NULL, 0, &ignored);
}

void
sp_session_goodbye(struct sp_session *s, const struct sp_err *why)
{
    static const struct sp_err orderly = {0};

    if (s->state == SESSION_CLOSED)
        return;
    if (why == NULL)
        why = &orderly;
    queue_goodbye(s, why);
    close_with(s, why, false);
}

void
sp_session_break(struct sp_session *s, const struct sp_err *e)
{
    sp_session_goodbye(s, e);
}

/* The peer broke a rule: it is told which, and so is our user. Both sides are untouched otherwise.
 */
static void
refuse_peer(struct sp_session *s, const struct sp_err *what)
{
    struct sp_err why = *what;

    if (s->state == SESSION_CLOSED)
        return;
    queue_goodbye(s, what);
    if (what->code == SP_PROTOCOL)
        sp_err_context(&why, "%s broke the protocol", sp_session_peer_word(s));
    close_with(s, &why, false);
}

/* --- making -------------------------------------------------------------------------------- */

static int64_t
span(uint32_t ms, uint32_t usual)
{
    return (ms != 0 ? ms : usual) * MS;
}

static enum sp_code
prepare_hello(struct sp_session *s, const struct sp_session_options *o, struct sp_err *e)
{
    struct sp_msg *h = &s->hello;
    uint32_t major = o->major != 0 ? o->major : SP_PROTO_MAJOR;
    uint32_t minor = o->major != 0 ? o->minor : SP_PROTO_MINOR;

    *h = o->hello;
    h->tag = 0;
    if (h->type != (o->role == SP_ROLE_SERVER ? SP_MSG_SERVER_HELLO : SP_MSG_CLIENT_HELLO))
        return sp_fail(e, SP_INVALID, SP_DOM_SELF, "the hello of the other role");
    if (o->role == SP_ROLE_SERVER) {
        h->server_hello.major = major;
        h->server_hello.minor = minor;
        if (h->server_hello.put_credit == 0)
            h->server_hello.put_credit = SP_PUT_CREDIT;
        if (h->server_hello.put_credit < SP_PUT_CREDIT_MIN ||
            h->server_hello.put_credit > SP_PUT_CREDIT_MAX)
            return sp_fail(e, SP_INVALID, SP_DOM_SELF, "a put credit out of bounds");
        s->put_credit = h->server_hello.put_credit;
    } else {
        h->client_hello.major = major;
        h->client_hello.minor = minor;
        if (h->client_hello.reply_credit == 0)
            h->client_hello.reply_credit = SP_REPLY_CREDIT;
        if (h->client_hello.reply_credit < SP_REPLY_CREDIT_MIN ||
            h->client_hello.reply_credit > SP_REPLY_CREDIT_MAX)
            return sp_fail(e, SP_INVALID, SP_DOM_SELF, "a reply credit out of bounds");
        s->reply_credit = s->reply_window = h->client_hello.reply_credit;
    }
    if (o->hello_payload_len == 0)
        return SP_OK;
    if ((s->hello_payload = malloc(o->hello_payload_len)) == NULL)
        return sp_fail_nomem(e);
    memcpy(s->hello_payload, o->hello_payload, o->hello_payload_len);
    s->hello_payload_len = o->hello_payload_len;
    return SP_OK;
}

static enum sp_code
send_hello(struct sp_session *s, struct sp_err *e)
{
    enum sp_code rc;

    if ((rc = sp_session_queue(s, &s->hello, s->hello_payload, s->hello_payload_len, e)) != SP_OK)
        return rc;
    s->hello_payload = NULL;
    s->hello_payload_len = 0;
    return SP_OK;
}

enum sp_code
sp_session_new(
    const struct sp_session_options *o, int64_t now_ns, struct sp_session **ret, struct sp_err *e)
{
    struct sp_session *s = calloc(1, sizeof(*s));
    enum sp_code rc;

    if (s == NULL)
        return sp_fail_nomem(e);
    s->role = o->role;
    s->service = o->service;
    s->next_tag = 1;
    s->out_end = &s->out;
    s->now = s->started = s->heard = s->moved = now_ns;
    s->handshake_ns = span(o->handshake_ms, SP_HANDSHAKE_MS);
    s->ping_ns = span(o->ping_ms, SP_PING_MS);
    s->idle_ns = span(o->idle_ms, SP_IDLE_MS);
    s->stall_ns = span(o->stall_ms, SP_STALL_MS);
    s->enroll_ns = span(o->enroll_ms, SP_ENROLL_MS);
    if ((rc = prepare_hello(s, o, e)) != SP_OK)
        goto out;
    if ((rc = sp_frame_decoder_new(sp_session_admit, s, &s->decoder, e)) != SP_OK)
        goto out;
    if (s->role == SP_ROLE_SERVER && (rc = send_hello(s, e)) != SP_OK)
        goto out;
    *ret = s;
    s = NULL;
out:
    sp_session_free(s);
    return rc;
}

void
sp_session_free(struct sp_session *s)
{
    if (s == NULL)
        return;
    sp_session_drop_output(s);
    sp_session_free_charges(s);
    sp_frame_decoder_free(s->decoder);
    free(s->hello_payload);
    free(s);
}

/* --- hello --------------------------------------------------------------------------------- */

static enum sp_code
check_version(const struct sp_session *s, uint32_t major, uint32_t minor, const char *program,
    struct sp_err *e)
{
    bool server = s->role == SP_ROLE_SERVER;
    uint32_t our_major = server ? s->hello.server_hello.major : s->hello.client_hello.major;
    uint32_t our_minor = server ? s->hello.server_hello.minor : s->hello.client_hello.minor;
    uint32_t apart = minor > our_minor ? minor - our_minor : our_minor - minor;

    if (major == our_major && apart <= 1)
        return SP_OK;
    /* The same sentence goes to both sides: it names them by what they are. */
    return sp_fail(e, SP_UNSUPPORTED, SP_DOM_NET,
        "the %s (%s) speaks version %u.%u of the protocol and the %s %u.%u, which do not work "
        "together: update the older one",
        server ? "client" : "server", program, (unsigned)major, (unsigned)minor,
        server ? "server" : "client", (unsigned)our_major, (unsigned)our_minor);
}

static enum sp_code
take_server_hello(struct sp_session *s, const struct sp_msg *m, struct sp_err *e)
{
    enum sp_code rc;

    if ((rc = check_version(
             s, m->server_hello.major, m->server_hello.minor, m->server_hello.program, e)) != SP_OK)
        return rc;
    if (m->server_hello.put_credit > SP_PUT_CREDIT_MAX ||
        (m->server_hello.writable && m->server_hello.put_credit < SP_PUT_CREDIT_MIN))
        return sp_fail(e, SP_PROTOCOL, SP_DOM_NET, "a hello with a put credit out of bounds");
    s->put_credit = m->server_hello.put_credit;
    s->minor = m->server_hello.minor < s->hello.client_hello.minor ? m->server_hello.minor
                                                                   : s->hello.client_hello.minor;
    return send_hello(s, e);
}

static enum sp_code
take_client_hello(struct sp_session *s, const struct sp_msg *m, struct sp_err *e)
{
    enum sp_code rc;

    if ((rc = check_version(
             s, m->client_hello.major, m->client_hello.minor, m->client_hello.program, e)) != SP_OK)
        return rc;
    if (m->client_hello.reply_credit < SP_REPLY_CREDIT_MIN ||
        m->client_hello.reply_credit > SP_REPLY_CREDIT_MAX)
        return sp_fail(e, SP_PROTOCOL, SP_DOM_NET, "a hello with a reply credit out of bounds");
    s->reply_credit = m->client_hello.reply_credit;
    s->minor = m->client_hello.minor < s->hello.server_hello.minor ? m->client_hello.minor
                                                                   : s->hello.server_hello.minor;
    return SP_OK;
}

static enum sp_code
take_hello(struct sp_session *s, const struct sp_msg *m, struct sp_event *ret, struct sp_err *e)
{
    enum sp_code rc =
        m->type == SP_MSG_SERVER_HELLO ? take_server_hello(s, m, e) : take_client_hello(s, m, e);

    if (rc != SP_OK)
        return rc;
    s->peer_hello = *m;
    s->state = SESSION_READY;
    ret->type = SP_EVENT_READY;
    return SP_OK;
}

/* --- messages ------------------------------------------------------------------------------ */

/* While the certificate is expired everything but the renewal is answered here. */
static enum sp_code
refuse_expired(struct sp_session *s, uint32_t tag, struct sp_err *e)
{
    struct sp_msg m = {.tag = tag};
    struct sp_err why = {0};

    (void)sp_fail(&why, SP_AUTH, SP_DOM_STORE,
        "the certificate of this host expired; nothing but its renewal is served");
    sp_msg_set_error(&m, SP_MSG_ERROR, &why);
    return sp_session_queue(s, &m, NULL, 0, e);
}

static enum sp_code
take_request(struct sp_session *s, const struct sp_frame *f, struct sp_event *ret, struct sp_err *e)
{
    enum sp_code rc;

    if (s->hello.server_hello.renew_only && f->msg.type != SP_MSG_RENEW)
        return refuse_expired(s, f->msg.tag, e);
    if ((rc = sp_session_begin_request(s, &f->msg, f->payload_len, e)) == SP_OK)
        ret->type = SP_EVENT_MESSAGE;
    return rc;
}

static enum sp_code
take_put(struct sp_session *s, const struct sp_frame *f, struct sp_event *ret, struct sp_err *e)
{
    enum sp_code rc = sp_session_charge_put(s, f->msg.put.nodes, f->payload_len, e);

    if (rc == SP_OK && !s->puts_failed)
        ret->type = SP_EVENT_MESSAGE;
    return rc;
}

/* Admitted before: the counters and the sum are within bounds. */
static void
take_ack(struct sp_session *s, const struct sp_msg *m)
{
    s->durable[0] = m->ack.data;
    s->durable[1] = m->ack.nodes;
    s->put_credit += m->ack.credit;
}

static enum sp_code
take_answer(struct sp_session *s, const struct sp_frame *f, struct sp_event *ret)
{
    struct request *r = sp_session_find(s, f->msg.tag);
    uint32_t charge = sp_session_charge(f->payload_len);

    ret->type = SP_EVENT_MESSAGE;
    if (r == NULL) /* an ERROR that speaks of the puts */
        return SP_OK;
    ret->request = r->type;
    if (sp_msg_info(f->msg.type)->kind == SP_KIND_ITEM) {
        r->answered += f->msg.type == SP_MSG_BLOCK ? f->msg.block.wanted : 1;
        s->reply_credit -= charge;
        s->reply_held += charge;
        return SP_OK;
    }
    if (f->msg.type == SP_MSG_FLUSHED)
        take_ack(s, &f->msg);
    sp_session_end_request(s, r);
    return SP_OK;
}

static enum sp_code
take_control(struct sp_session *s, const struct sp_frame *f, struct sp_event *ret, struct sp_err *e)
{
    const struct sp_msg *m = &f->msg;
    struct sp_msg pong = {.type = SP_MSG_PONG};
    struct sp_err why = {0};
    struct request *r;

    switch (m->type) {
    case SP_MSG_GOODBYE:
        if (m->error.code != SP_OK)
            (void)sp_msg_get_error(m, &why);
        close_with(s, &why, true);
        sp_session_drop_output(s); /* nobody reads it any more */
        return SP_OK;
    case SP_MSG_PING:
        pong.ping.nonce = m->ping.nonce;
        return sp_session_queue(s, &pong, NULL, 0, e);
    case SP_MSG_PONG:
        s->pinging = false;
        return SP_OK;
    case SP_MSG_PUT:
        return take_put(s, f, ret, e);
    case SP_MSG_CREDIT:
        s->reply_credit += m->credit.bytes;
        ret->type = SP_EVENT_ROOM;
        return SP_OK;
    case SP_MSG_CANCEL: /* it may have crossed with the last reply */
        if ((r = sp_session_find(s, m->tag)) == NULL || r->cancelled)
            return SP_OK;
        r->cancelled = true;
        ret->request = r->type;
        ret->type = SP_EVENT_MESSAGE;
        return SP_OK;
    default: /* ACK */
        take_ack(s, m);
        ret->type = SP_EVENT_MESSAGE;
        return SP_OK;
    }
}

/* A whole message that was admitted. With an event the frame goes to the user. */
static enum sp_code
take(struct sp_session *s, struct sp_frame *f, struct sp_event *ret, struct sp_err *e)
{
    enum sp_code rc = SP_OK;

    switch (sp_msg_info(f->msg.type)->kind) {
    case SP_KIND_HELLO:
        rc = take_hello(s, &f->msg, ret, e);
        break;
    case SP_KIND_REQUEST:
        rc = take_request(s, f, ret, e);
        break;
    case SP_KIND_REPLY:
    case SP_KIND_ITEM:
        rc = take_answer(s, f, ret);
        break;
    case SP_KIND_CONTROL:
    case SP_KIND_NONE:
        rc = take_control(s, f, ret, e);
        break;
    }
    if (rc == SP_OK && ret->type != SP_EVENT_NONE) {
        ret->frame = *f;
        memset(f, 0, sizeof(*f));
    }
    return rc;
}

void
sp_session_feed(struct sp_session *s, int64_t now_ns, const void *p, size_t n, size_t *ret_used,
    struct sp_event *ret)
{
    const uint8_t *in = p;
    size_t used = 0;

    memset(ret, 0, sizeof(*ret));
    s->now = now_ns;
    if (n > 0)
        s->heard = now_ns;
    while (s->state != SESSION_CLOSED && used < n && ret->type == SP_EVENT_NONE) {
        struct sp_frame f = {0};
        struct sp_err e = {0};
        size_t step = 0;
        bool whole = false;
        enum sp_code rc = sp_frame_feed(s->decoder, in + used, n - used, &step, &whole, &f, &e);

        used += step;
        if (whole)
            s->begun = 0;
        if (rc == SP_OK && whole)
            rc = take(s, &f, ret, &e);
        sp_frame_clear(&f);
        if (rc != SP_OK) {
            ret->type = SP_EVENT_NONE;
            refuse_peer(s, &e);
        }
    }
    if (s->begun == 0 && !sp_frame_decoder_idle(s->decoder))
        s->begun = now_ns;
    if (ret->type == SP_EVENT_NONE)
        sp_session_tell(s, ret);
    *ret_used = s->state == SESSION_CLOSED ? n : used;
}

void
sp_session_end(struct sp_session *s, const struct sp_err *error, struct sp_event *ret)
{
    struct sp_err why = {0};

    memset(ret, 0, sizeof(*ret));
    if (error != NULL)
        why = *error;
    else
        (void)sp_fail(&why, SP_UNREACHABLE, SP_DOM_NET, "%s ended the connection%s",
            sp_session_peer_word(s),
            s->state == SESSION_HELLO            ? " before its hello"
            : !sp_frame_decoder_idle(s->decoder) ? " in the middle of a message"
                                                 : " without a goodbye");
    close_with(s, &why, false);
    sp_session_drop_output(s);
    sp_session_tell(s, ret);
}

/* --- questions ----------------------------------------------------------------------------- */

bool
sp_session_is_ready(const struct sp_session *s)
{
    return s->state == SESSION_READY;
}

bool
sp_session_is_closed(const struct sp_session *s)
{
    return s->state == SESSION_CLOSED;
}

uint32_t
sp_session_minor(const struct sp_session *s)
{
    return s->minor;
}

bool
sp_session_feature(const struct sp_session *s, const char *name)
{
    bool server = s->role == SP_ROLE_SERVER;
    const struct sp_msg *client = server ? &s->peer_hello : &s->hello;

    return s->peer_hello.type != SP_MSG_NONE &&
           sp_features_have(&client->client_hello.features, name) &&
           sp_features_have(
               server ? &s->hello.server_hello.features : &s->peer_hello.server_hello.features,
               name);
}

const struct sp_msg *
sp_session_peer_hello(const struct sp_session *s)
{
    return s->peer_hello.type != SP_MSG_NONE ? &s->peer_hello : NULL;
}
