#include "tests/fuzz/conversation.h"

#include <stdlib.h>

#include "tests/fuzz/fuzz.h"

struct sp_session *
talk_session(unsigned flags)
{
    struct sp_session_options o;
    struct sp_session *s = NULL;
    struct sp_err e = {0};

    memset(&o, 0, sizeof(o));
    o.role = (flags & TALK_CLIENT) != 0 ? SP_ROLE_CLIENT : SP_ROLE_SERVER;
    o.service = (flags & TALK_ENROLLING) != 0 ? SP_SERVICE_ENROLL : SP_SERVICE_NORMAL;
    o.hello.type = (flags & TALK_CLIENT) != 0 ? SP_MSG_CLIENT_HELLO : SP_MSG_SERVER_HELLO;
    if ((flags & TALK_CLIENT) != 0) {
        strcpy(o.hello.client_hello.program, "fuzz");
    } else {
        strcpy(o.hello.server_hello.program, "fuzzd");
        strcpy(o.hello.server_hello.host_name, "alpha");
        o.hello.server_hello.writable = (flags & TALK_READ_ONLY) == 0;
        if ((flags & TALK_READ_ONLY) != 0)
            strcpy(o.hello.server_hello.reason, "not today");
        o.hello.server_hello.renew_only = (flags & TALK_RENEWING) != 0;
        if ((flags & TALK_ENROLLING) == 0) {
            o.hello_payload = (const uint8_t *)"conf";
            o.hello_payload_len = 4;
        }
    }
    FUZZ_OK(sp_session_new(&o, TALK_NOW, &s, &e));
    return s;
}

static uint8_t *
zeros(size_t n)
{
    uint8_t *p = n > 0 ? calloc(1, n) : NULL;

    FUZZ_MUST(p != NULL || n == 0);
    return p;
}

static void
reply(struct talk_server *t, const struct sp_msg *m, size_t n)
{
    struct sp_err e = {0};
    uint8_t *payload = zeros(n);
    enum sp_code rc = FUZZ_TRY(sp_session_reply(t->s, m, payload, n, &e));

    FUZZ_MUST(rc == SP_OK || rc == SP_BUSY || rc == SP_REFUSED);
    if (rc != SP_OK)
        free(payload);
}

/* An item before the end of a stream. */
static void
item(struct talk_server *t, uint32_t tag, enum sp_msg_type type)
{
    struct sp_msg m;

    memset(&m, 0, sizeof(m));
    m.type = type;
    m.tag = tag;
    if (type == SP_MSG_BLOCK)
        m.block.wanted = 1;
    if (type == SP_MSG_LIST_ITEM)
        m.list_item.type = 1;
    reply(t, &m, type == SP_MSG_BLOCK ? 5000 : 64);
}

void
talk_answer(struct talk_server *t, const struct sp_frame *f)
{
    const struct sp_err no = {.code = SP_ABSENT, .domain = SP_DOM_STORE, .text = "it is not there"};
    struct sp_msg m;
    struct sp_err e = {0};
    size_t n = 0;

    memset(&m, 0, sizeof(m));
    m.tag = f->msg.tag;
    m.type = SP_MSG_DONE;
    switch (f->msg.type) {
    case SP_MSG_FLUSH:
        m.type = SP_MSG_FLUSHED;
        m.ack.data = t->data;
        m.ack.nodes = t->nodes;
        break;
    case SP_MSG_HAVE:
        m.type = SP_MSG_HAVE_REPLY;
        n = f->payload_len / 32;
        break;
    case SP_MSG_HEAD:
        m.type = SP_MSG_HEAD_REPLY;
        n = 32;
        break;
    case SP_MSG_COMMIT:
        m.type = SP_MSG_COMMIT_REPLY;
        break;
    case SP_MSG_GET:
        item(t, m.tag, SP_MSG_BLOCK);
        break;
    case SP_MSG_LIST:
        item(t, m.tag, SP_MSG_LIST_ITEM);
        break;
    case SP_MSG_SLOTS:
        item(t, m.tag, SP_MSG_SLOT);
        break;
    case SP_MSG_MISSING:
        m.type = SP_MSG_MISSING_REPLY;
        break;
    case SP_MSG_HOST:
        FUZZ_MUST(sp_session_reply_error(t->s, m.tag, &no, &e) != SP_INTERNAL);
        return;
    case SP_MSG_CHECK:
        m.type = SP_MSG_CHECK_DONE;
        break;
    case SP_MSG_RENEW:
        m.type = SP_MSG_RENEW_REPLY;
        n = 100;
        break;
    case SP_MSG_ENROLL:
        m.type = SP_MSG_ENROLL_REPLY;
        strcpy(m.enroll_reply.host_name, "alpha");
        m.enroll_reply.chain_len = m.enroll_reply.authority_len = m.enroll_reply.conf_len = 10;
        n = 30;
        break;
    case SP_MSG_PUT:
        if (f->msg.put.nodes)
            t->nodes++;
        else
            t->data++;
        if ((t->flags & TALK_LAZY) == 0)
            FUZZ_MUST(sp_session_ack(t->s, t->data, t->nodes, &e) != SP_INTERNAL);
        return;
    case SP_MSG_CANCEL:
        return; /* it was answered */
    default:
        break;
    }
    reply(t, &m, n);
}

void
talk_ask(struct sp_session *s, uint8_t number)
{
    struct sp_msg m;
    struct sp_err e = {0};
    uint32_t tag;
    size_t n;
    uint8_t *payload;
    enum sp_code rc;

    memset(&m, 0, sizeof(m));
    m.type = (enum sp_msg_type)(SP_MSG_FLUSH + number % (SP_MSG_ENROLL_END - SP_MSG_FLUSH + 1));
    if (number >= TALK_PUT)
        m.type = SP_MSG_PUT;
    n = sp_msg_info(m.type)->payload_min;
    switch (m.type) {
    case SP_MSG_HEAD:
        strcpy(m.head.job, "job");
        break;
    case SP_MSG_COMMIT:
        m.commit.type = 1;
        break;
    case SP_MSG_HAVE:
    case SP_MSG_GET:
        n = 64;
        break;
    case SP_MSG_ENROLL:
        m.enroll.secret_len = SP_TOKEN_SECRET_MIN;
        strcpy(m.enroll.host_name, "alpha");
        break;
    case SP_MSG_ENROLL_END:
        m.enroll_end.record_len = 10;
        n = 10;
        break;
    default:
        break;
    }
    payload = zeros(n);
    if (m.type == SP_MSG_PUT)
        rc = FUZZ_TRY(sp_session_put(s, (number & 1) != 0, payload, n, &e));
    else
        rc = FUZZ_TRY(sp_session_request(s, &m, payload, n, &tag, &e));
    if (rc != SP_OK)
        free(payload);
    else if (m.type != SP_MSG_PUT && number % 7 == 3)
        FUZZ_OK(sp_session_cancel(s, tag, &e));
}
