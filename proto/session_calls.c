/* What a session's user sends: see session.h. */

#include "proto/session_impl.h"

#include <string.h>

struct request *
sp_session_find(struct sp_session *s, uint32_t tag)
{
    for (size_t i = 0; i < s->nrequests; i++)
        if (s->requests[i].tag == tag)
            return &s->requests[i];
    return NULL;
}

static void
step_enrolment(struct sp_session *s, enum sp_msg_type type)
{
    switch (type) {
    case SP_MSG_ENROLL:
        s->enroll = ENROLL_ASKED;
        break;
    case SP_MSG_ENROLL_REPLY:
        s->enroll = ENROLL_GRANTED;
        break;
    case SP_MSG_ENROLL_END:
        s->enroll = ENROLL_ENDING;
        break;
    default: /* DONE or ERROR */
        s->enroll = ENROLL_OVER;
        break;
    }
}

enum sp_code
sp_session_begin_request(struct sp_session *s, const struct sp_msg *m, size_t n, struct sp_err *e)
{
    if (s->nrequests >= SP_REQUESTS_MAX)
        return sp_fail(e, SP_BUSY, SP_DOM_NET, "%d requests are in flight", SP_REQUESTS_MAX);
    s->requests[s->nrequests++] =
        (struct request){.tag = m->tag, .type = m->type, .bytes = (uint32_t)n};
    s->request_bytes += n;
    if (s->service == SP_SERVICE_ENROLL)
        step_enrolment(s, m->type);
    return SP_OK;
}

void
sp_session_end_request(struct sp_session *s, struct request *r)
{
    s->request_bytes -= r->bytes;
    *r = s->requests[--s->nrequests];
}

static enum sp_code
check_open(const struct sp_session *s, enum sp_role role, struct sp_err *e)
{
    if (s->role != role)
        return sp_fail(e, SP_INTERNAL, SP_DOM_SELF, "a call of the other role");
    if (s->state == SESSION_READY)
        return SP_OK;
    return sp_fail(e, SP_REFUSED, SP_DOM_NET, "the connection to %s is %s",
        role == SP_ROLE_CLIENT ? "the server" : "the client",
        s->state == SESSION_HELLO ? "not ready" : "closed");
}

/* --- client -------------------------------------------------------------------------------- */

static enum sp_code
check_request(const struct sp_session *s, const struct sp_msg *m, size_t n, struct sp_err *e)
{
    const struct sp_msg_info *info = sp_msg_info(m->type);

    if (info->kind != SP_KIND_REQUEST ||
        !(s->service == SP_SERVICE_ENROLL ? info->when_enrolling : info->when_normal))
        return sp_fail(e, SP_INVALID, SP_DOM_SELF, "a %s is no request here", info->name);
    if (s->peer_hello.server_hello.renew_only && m->type != SP_MSG_RENEW)
        return sp_fail(e, SP_AUTH, SP_DOM_STORE,
            "the certificate of this host expired; the server serves nothing but its renewal");
    if (s->nrequests >= SP_REQUESTS_MAX ||
        (s->nrequests > 0 && s->request_bytes + n > SP_REQUEST_BYTES_MAX))
        return sp_fail(e, SP_BUSY, SP_DOM_NET, "too many requests are in flight");
    return SP_OK;
}

enum sp_code
sp_session_request(struct sp_session *s, const struct sp_msg *m, uint8_t *payload, size_t n,
    uint32_t *ret_tag, struct sp_err *e)
{
    struct sp_msg copy = *m;
    enum sp_code rc;

    if ((rc = check_open(s, SP_ROLE_CLIENT, e)) != SP_OK)
        return rc;
    if ((rc = check_request(s, m, n, e)) != SP_OK)
        return rc;
    do
        copy.tag = s->next_tag++;
    while (copy.tag == 0 || sp_session_find(s, copy.tag) != NULL);
    if ((rc = sp_session_queue(s, &copy, payload, n, e)) != SP_OK)
        return rc;
    if ((rc = sp_session_begin_request(s, &copy, n, e)) != SP_OK)
        return rc;
    *ret_tag = copy.tag;
    return SP_OK;
}

enum sp_code
sp_session_put(struct sp_session *s, bool nodes, uint8_t *block, size_t n, struct sp_err *e)
{
    struct sp_msg m = {.type = SP_MSG_PUT, .put = {.nodes = nodes}};
    const struct sp_msg *hello = &s->peer_hello;
    enum sp_code rc;

    if ((rc = check_open(s, SP_ROLE_CLIENT, e)) != SP_OK)
        return rc;
    if (s->service != SP_SERVICE_NORMAL)
        return sp_fail(e, SP_INVALID, SP_DOM_SELF, "a put while enrolling");
    if (hello->server_hello.renew_only)
        return sp_fail(e, SP_AUTH, SP_DOM_STORE,
            "the certificate of this host expired; the server serves nothing but its renewal");
    if (!hello->server_hello.writable)
        return sp_fail(e, SP_DENIED, SP_DOM_STORE, "the server takes no backups: %s",
            hello->server_hello.reason[0] != '\0' ? hello->server_hello.reason : "it is read-only");
    if ((rc = sp_msg_check_payload(&m, n, e)) != SP_OK)
        return e->code = SP_INVALID;
    if (!sp_session_put_fits(s, n))
        return sp_fail(e, SP_BUSY, SP_DOM_NET, "no credit for a block of %zu bytes", n);
    if ((rc = sp_session_queue(s, &m, block, n, e)) != SP_OK)
        return rc;
    return sp_session_charge_put(s, nodes, n, e); /* cannot fail for a client */
}

enum sp_code
sp_session_cancel(struct sp_session *s, uint32_t tag, struct sp_err *e)
{
    struct sp_msg m = {.type = SP_MSG_CANCEL, .tag = tag};
    struct request *r;
    enum sp_code rc;

    if (s->state != SESSION_READY || s->service != SP_SERVICE_NORMAL ||
        (r = sp_session_find(s, tag)) == NULL || r->cancelled)
        return SP_OK;
    if ((rc = sp_session_queue(s, &m, NULL, 0, e)) == SP_OK)
        r->cancelled = true;
    return rc;
}

/* --- server -------------------------------------------------------------------------------- */

enum sp_code
sp_session_reply(
    struct sp_session *s, const struct sp_msg *m, uint8_t *payload, size_t n, struct sp_err *e)
{
    const struct sp_msg_info *info = sp_msg_info(m->type);
    struct sp_msg copy = *m;
    struct request *r;
    enum sp_code rc;

    if ((rc = check_open(s, SP_ROLE_SERVER, e)) != SP_OK)
        return rc;
    if ((r = sp_session_find(s, m->tag)) == NULL)
        return sp_fail(e, SP_INTERNAL, SP_DOM_SELF, "a %s for tag %u, which is not in flight",
            info->name, (unsigned)m->tag);
    if (!sp_msg_answers(r->type, m->type))
        return sp_fail(e, SP_INTERNAL, SP_DOM_SELF, "a %s does not answer a %s", info->name,
            sp_msg_info(r->type)->name);
    if (m->type == SP_MSG_HAVE_REPLY && n != r->bytes / 32)
        return sp_fail(
            e, SP_INTERNAL, SP_DOM_SELF, "%zu answers to %u ids", n, (unsigned)(r->bytes / 32));
    if (info->kind == SP_KIND_ITEM && !sp_session_reply_fits(s, n))
        return sp_fail(e, SP_BUSY, SP_DOM_NET, "the client gave no credit for %zu bytes", n);
    if (m->type == SP_MSG_FLUSHED) {
        if ((rc = sp_msg_check_payload(m, n, e)) != SP_OK)
            return e->code = SP_INVALID;
        if ((rc = sp_session_release(s, m->ack.data, m->ack.nodes, &copy.ack.credit, e)) != SP_OK)
            return rc;
    }
    if ((rc = sp_session_queue(s, &copy, payload, n, e)) != SP_OK) {
        /* The credit is accounted for and will never arrive: the two sides would differ for good.
         */
        if (m->type == SP_MSG_FLUSHED)
            sp_session_break(s, e);
        return rc;
    }
    if (info->kind == SP_KIND_ITEM) {
        s->reply_credit -= sp_session_charge(n);
        return SP_OK;
    }
    if (s->service == SP_SERVICE_ENROLL)
        step_enrolment(s, m->type);
    sp_session_end_request(s, r);
    return SP_OK;
}

enum sp_code
sp_session_reply_error(
    struct sp_session *s, uint32_t tag, const struct sp_err *error, struct sp_err *e)
{
    struct sp_msg m = {.tag = tag};

    sp_msg_set_error(&m, SP_MSG_ERROR, error);
    return sp_session_reply(s, &m, NULL, 0, e);
}

enum sp_code
sp_session_ack(struct sp_session *s, uint64_t data, uint64_t nodes, struct sp_err *e)
{
    struct sp_msg m = {.type = SP_MSG_ACK, .ack = {.data = data, .nodes = nodes}};
    enum sp_code rc;

    if ((rc = check_open(s, SP_ROLE_SERVER, e)) != SP_OK)
        return rc;
    if (data == s->durable[0] && nodes == s->durable[1])
        return SP_OK;
    if ((rc = sp_session_release(s, data, nodes, &m.ack.credit, e)) != SP_OK)
        return rc;
    if ((rc = sp_session_queue(s, &m, NULL, 0, e)) != SP_OK)
        sp_session_break(s, e);
    return rc;
}

enum sp_code
sp_session_fail_puts(struct sp_session *s, const struct sp_err *error, struct sp_err *e)
{
    struct sp_msg m = {.tag = 0};
    enum sp_code rc;

    if ((rc = check_open(s, SP_ROLE_SERVER, e)) != SP_OK)
        return rc;
    if (s->puts_failed)
        return SP_OK;
    sp_msg_set_error(&m, SP_MSG_ERROR, error);
    if ((rc = sp_session_queue(s, &m, NULL, 0, e)) == SP_OK)
        s->puts_failed = true;
    return rc;
}
