/* What the peer may send now. Asked when a header is there and its payload is not (R18): see
 * session.h. A failure here is the peer's mistake and ends the session. */

#include "proto/session_impl.h"

static enum sp_code
mistake(struct sp_err *e, const char *what)
{
    return sp_fail(e, SP_PROTOCOL, SP_DOM_NET, "%s", what);
}

static enum sp_code
admit_enrolment(const struct sp_session *s, const struct sp_msg *m, struct sp_err *e)
{
    if (m->type == SP_MSG_ENROLL && s->enroll != ENROLL_NOT_YET)
        return mistake(e, "a second Enroll on one connection");
    if (m->type == SP_MSG_ENROLL_END && s->enroll != ENROLL_GRANTED)
        return mistake(e, "an EnrollEnd that does not follow a granted Enroll");
    return SP_OK;
}

static enum sp_code
admit_request(struct sp_session *s, const struct sp_msg *m, size_t n, struct sp_err *e)
{
    if (sp_session_find(s, m->tag) != NULL)
        return sp_fail(e, SP_PROTOCOL, SP_DOM_NET, "a %s with tag %u, which is in flight",
            sp_msg_info(m->type)->name, (unsigned)m->tag);
    if (s->nrequests >= SP_REQUESTS_MAX)
        return sp_fail(
            e, SP_PROTOCOL, SP_DOM_NET, "more than %d requests in flight", SP_REQUESTS_MAX);
    if (m->type == SP_MSG_COMPLETE && !sp_session_feature(s, SP_FEATURE_COMPLETIONS))
        return mistake(e, "a Complete without the feature");
    if (s->nrequests > 0 && s->request_bytes + n > SP_REQUEST_BYTES_MAX)
        return sp_fail(e, SP_PROTOCOL, SP_DOM_NET, "requests in flight with more than %u bytes",
            (unsigned)SP_REQUEST_BYTES_MAX);
    return admit_enrolment(s, m, e);
}

static enum sp_code
admit_put(const struct sp_session *s, size_t n, struct sp_err *e)
{
    if (!s->hello.server_hello.writable || s->hello.server_hello.renew_only)
        return mistake(e, "a Put to a server that said that it is not writable");
    if (sp_session_charge(n) > s->put_credit)
        return sp_fail(e, SP_PROTOCOL, SP_DOM_NET,
            "a Put of %zu bytes over the credit, of which %llu are left", n,
            (unsigned long long)s->put_credit);
    return SP_OK;
}

static enum sp_code
admit_ack(const struct sp_session *s, const struct sp_msg *m, struct sp_err *e)
{
    if (m->ack.data < s->durable[0] || m->ack.nodes < s->durable[1] ||
        m->ack.data > s->charges[0].put || m->ack.nodes > s->charges[1].put)
        return mistake(e, "an acknowledgement of blocks that were not put");
    if (s->put_credit + m->ack.credit > SP_PUT_CREDIT_MAX)
        return mistake(e, "more credit than the protocol allows");
    return SP_OK;
}

/* A reply or an item. */
static enum sp_code
admit_answer(struct sp_session *s, const struct sp_msg *m, size_t n, struct sp_err *e)
{
    const struct sp_msg_info *info = sp_msg_info(m->type);
    const struct request *r;

    if (m->type == SP_MSG_ERROR && m->tag == 0)
        return s->service == SP_SERVICE_NORMAL ? SP_OK : mistake(e, "an Error of no request");
    if ((r = sp_session_find(s, m->tag)) == NULL)
        return sp_fail(e, SP_PROTOCOL, SP_DOM_NET, "a %s with tag %u, which nobody asked",
            info->name, (unsigned)m->tag);
    if (!sp_msg_answers(r->type, m->type))
        return sp_fail(e, SP_PROTOCOL, SP_DOM_NET, "a %s in answer to a %s", info->name,
            sp_msg_info(r->type)->name);
    if (m->type == SP_MSG_HAVE_REPLY && n != r->bytes / 32)
        return sp_fail(
            e, SP_PROTOCOL, SP_DOM_NET, "%zu answers to %u ids", n, (unsigned)(r->bytes / 32));
    if (m->type == SP_MSG_LIST_ITEM && m->list_item.type == 3 &&
        !sp_session_feature(s, SP_FEATURE_COMPLETIONS))
        return mistake(e, "a completion without the feature");
    if (m->type == SP_MSG_BLOCK && m->block.wanted > r->bytes / 32 - r->answered)
        return mistake(e, "a Block that holds more than was asked for");
    if (info->kind == SP_KIND_ITEM && r->answered >= SP_ITEMS_MAX)
        return sp_fail(e, SP_PROTOCOL, SP_DOM_NET, "more than %u items in answer to a %s",
            (unsigned)SP_ITEMS_MAX, sp_msg_info(r->type)->name);
    if (m->type == SP_MSG_FLUSHED)
        return admit_ack(s, m, e);
    if (info->kind == SP_KIND_ITEM && sp_session_charge(n) > s->reply_credit)
        return sp_fail(e, SP_PROTOCOL, SP_DOM_NET,
            "a %s of %zu bytes over the credit, of which %llu are left", info->name, n,
            (unsigned long long)s->reply_credit);
    return SP_OK;
}

static enum sp_code
admit_control(struct sp_session *s, const struct sp_msg *m, size_t n, struct sp_err *e)
{
    switch (m->type) {
    case SP_MSG_PUT:
        return admit_put(s, n, e);
    case SP_MSG_ACK:
        return admit_ack(s, m, e);
    case SP_MSG_CREDIT:
        if (m->credit.bytes == 0 || s->reply_credit + m->credit.bytes > SP_REPLY_CREDIT_MAX)
            return mistake(e, "a Credit of nothing or of more than the protocol allows");
        return SP_OK;
    case SP_MSG_PING:
        return s->pong_waits ? mistake(e, "a second Ping before the answer to the first") : SP_OK;
    case SP_MSG_PONG:
        if (!s->pinging || m->ping.nonce != s->ping_nonce)
            return mistake(e, "a Pong that nobody asked");
        return SP_OK;
    default:
        return SP_OK;
    }
}

enum sp_code
sp_session_admit(void *arg, const struct sp_msg *m, size_t payload_len, struct sp_err *e)
{
    struct sp_session *s = arg;
    const struct sp_msg_info *info = sp_msg_info(m->type);
    bool from_peer = s->role == SP_ROLE_SERVER ? info->from_client : info->from_server;

    if (!from_peer)
        return sp_fail(e, SP_PROTOCOL, SP_DOM_NET, "a %s from the wrong side", info->name);
    if (!(s->service == SP_SERVICE_ENROLL ? info->when_enrolling : info->when_normal))
        return sp_fail(e, SP_PROTOCOL, SP_DOM_NET, "a %s %s", info->name,
            s->service == SP_SERVICE_ENROLL ? "while enrolling" : "outside of enrolling");
    if (m->type == SP_MSG_GOODBYE)
        return SP_OK;
    if ((s->state == SESSION_HELLO) != (info->kind == SP_KIND_HELLO))
        return sp_fail(e, SP_PROTOCOL, SP_DOM_NET, "a %s %s", info->name,
            s->state == SESSION_HELLO ? "before the hello" : "after the hello");
    switch (info->kind) {
    case SP_KIND_CONTROL:
        return admit_control(s, m, payload_len, e);
    case SP_KIND_REQUEST:
        return admit_request(s, m, payload_len, e);
    case SP_KIND_REPLY:
    case SP_KIND_ITEM:
        return admit_answer(s, m, payload_len, e);
    case SP_KIND_HELLO:
    case SP_KIND_NONE:
        break;
    }
    return SP_OK;
}
