#include <stdlib.h>

#include "base/clock.h"
#include "proto/session.h"
#include "tests/fuzz/fuzz.h"

/* `u8 flags ‖ u8 n ‖ n × u8 request ‖ stream`: one side of a connection and what its peer sends, at
 * once and in pieces: the same events, the same bytes sent. The server answers what it is asked;
 * the client asks the requests first. */

enum { CLIENT = 1, ENROLLING = 2, READ_ONLY = 4, RENEWING = 8, LAZY = 16 };

#define NOW (1000 * SP_SECOND)

struct run {
    struct sp_session *s;
    struct sp_buf log;
    unsigned flags;
    struct fuzz_in requests;
    uint64_t data, nodes; /* server: what was put */
    bool closed;
};

static struct sp_session *
session(unsigned flags)
{
    struct sp_session_options o;
    struct sp_session *s = NULL;
    struct sp_err e = {0};

    memset(&o, 0, sizeof(o));
    o.role = (flags & CLIENT) != 0 ? SP_ROLE_CLIENT : SP_ROLE_SERVER;
    o.service = (flags & ENROLLING) != 0 ? SP_SERVICE_ENROLL : SP_SERVICE_NORMAL;
    o.hello.type = (flags & CLIENT) != 0 ? SP_MSG_CLIENT_HELLO : SP_MSG_SERVER_HELLO;
    if ((flags & CLIENT) != 0) {
        strcpy(o.hello.client_hello.program, "fuzz");
    } else {
        strcpy(o.hello.server_hello.program, "fuzzd");
        strcpy(o.hello.server_hello.host_name, "alpha");
        o.hello.server_hello.writable = (flags & READ_ONLY) == 0;
        if ((flags & READ_ONLY) != 0)
            strcpy(o.hello.server_hello.reason, "not today");
        o.hello.server_hello.renew_only = (flags & RENEWING) != 0;
        if ((flags & ENROLLING) == 0) {
            o.hello_payload = (const uint8_t *)"conf";
            o.hello_payload_len = 4;
        }
    }
    FUZZ_OK(sp_session_new(&o, NOW, &s, &e));
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
reply(struct run *r, const struct sp_msg *m, size_t n)
{
    struct sp_err e = {0};
    uint8_t *payload = zeros(n);
    enum sp_code rc = FUZZ_TRY(sp_session_reply(r->s, m, payload, n, &e));

    FUZZ_MUST(rc == SP_OK || rc == SP_BUSY || rc == SP_REFUSED);
    if (rc != SP_OK)
        free(payload);
}

/* An item before the end of a stream. */
static void
item(struct run *r, uint32_t tag, enum sp_msg_type type)
{
    struct sp_msg m;

    memset(&m, 0, sizeof(m));
    m.type = type;
    m.tag = tag;
    if (type == SP_MSG_BLOCK)
        m.block.wanted = 1;
    if (type == SP_MSG_LIST_ITEM)
        m.list_item.type = 1;
    reply(r, &m, type == SP_MSG_BLOCK ? 5000 : 64);
}

static void
answer(struct run *r, const struct sp_frame *f)
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
        m.ack.data = r->data;
        m.ack.nodes = r->nodes;
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
        item(r, m.tag, SP_MSG_BLOCK);
        break;
    case SP_MSG_LIST:
        item(r, m.tag, SP_MSG_LIST_ITEM);
        break;
    case SP_MSG_SLOTS:
        item(r, m.tag, SP_MSG_SLOT);
        break;
    case SP_MSG_MISSING:
        m.type = SP_MSG_MISSING_REPLY;
        break;
    case SP_MSG_HOST:
        FUZZ_MUST(sp_session_reply_error(r->s, m.tag, &no, &e) != SP_INTERNAL);
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
            r->nodes++;
        else
            r->data++;
        if ((r->flags & LAZY) == 0)
            FUZZ_MUST(sp_session_ack(r->s, r->data, r->nodes, &e) != SP_INTERNAL);
        return;
    case SP_MSG_CANCEL:
        return; /* it was answered */
    default:
        break;
    }
    reply(r, &m, n);
}

/* The client's next request. */
static void
ask(struct run *r, uint8_t type)
{
    struct sp_msg m;
    struct sp_err e = {0};
    uint32_t tag;
    size_t n;
    uint8_t *payload;
    enum sp_code rc;

    memset(&m, 0, sizeof(m));
    m.type = (enum sp_msg_type)(SP_MSG_FLUSH + type % (SP_MSG_ENROLL_END - SP_MSG_FLUSH + 1));
    if (type >= 250)
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
        rc = FUZZ_TRY(sp_session_put(r->s, (type & 1) != 0, payload, n, &e));
    else
        rc = FUZZ_TRY(sp_session_request(r->s, &m, payload, n, &tag, &e));
    if (rc != SP_OK)
        free(payload);
    else if (m.type != SP_MSG_PUT && type % 7 == 3)
        FUZZ_OK(sp_session_cancel(r->s, tag, &e));
}

static void
drain(struct run *r)
{
    const uint8_t *p;
    size_t n;

    while (sp_session_output(r->s, &p, &n)) {
        sp_buf_put(&r->log, p, n);
        sp_session_sent(r->s, NOW, n);
    }
    FUZZ_MUST(sp_session_queued(r->s) == 0);
}

static void
event(struct run *r, struct sp_event *ev)
{
    struct sp_err e = {0};

    if (ev->type == SP_EVENT_NONE)
        return;
    FUZZ_MUST(!r->closed); /* nothing comes behind the end */
    sp_buf_put_u32(&r->log, (uint32_t)ev->type);
    sp_buf_put(&r->log, &ev->frame.msg, sizeof(ev->frame.msg));
    sp_buf_put(&r->log, ev->frame.payload, ev->frame.payload_len);
    if (ev->type == SP_EVENT_CLOSED) {
        r->closed = true;
        sp_buf_put_str(&r->log, ev->why.text);
    } else if (ev->type == SP_EVENT_READY && (r->flags & CLIENT) != 0) {
        while (r->requests.n > 0)
            ask(r, fuzz_u8(&r->requests));
    } else if (ev->type == SP_EVENT_MESSAGE && (r->flags & CLIENT) == 0) {
        answer(r, &ev->frame);
    } else if (ev->type == SP_EVENT_MESSAGE &&
               sp_msg_info(ev->frame.msg.type)->kind == SP_KIND_ITEM) {
        FUZZ_OK(sp_session_consumed(r->s, ev->frame.payload_len, &e));
    }
    sp_event_clear(ev);
    drain(r);
}

static void
run(struct run *r, const uint8_t *p, size_t n, struct fuzz_dice *dice)
{
    struct sp_event ev;

    r->s = session(r->flags);
    drain(r);
    for (size_t at = 0; at < n;) {
        size_t piece = n - at, used = 0;

        if (dice != NULL && piece > 1)
            piece = 1 + fuzz_below(dice, piece < 50 ? piece : 50);
        memset(&ev, 0, sizeof(ev));
        sp_session_feed(r->s, NOW, p + at, piece, &used, &ev);
        FUZZ_MUST(used <= piece && (used == piece || ev.type != SP_EVENT_NONE));
        at += used;
        event(r, &ev);
    }
    drain(r);
    /* A peer that says no more is gone after a while, and a ping is asked for before. */
    for (int64_t later = NOW; !r->closed; later += 20 * SP_SECOND) {
        FUZZ_MUST(later < NOW + 1000 * SP_SECOND);
        memset(&ev, 0, sizeof(ev));
        sp_session_tick(r->s, later, &ev);
        event(r, &ev);
    }
    memset(&ev, 0, sizeof(ev));
    sp_session_end(r->s, NULL, &ev);
    FUZZ_MUST(ev.type == SP_EVENT_NONE && sp_session_is_closed(r->s));
    sp_session_free(r->s);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_dice dice = fuzz_dice_of(data, size);
    struct fuzz_in in = {data, size};
    struct run whole = {.log = SP_BUF_INIT}, pieces = {.log = SP_BUF_INIT};

    whole.flags = pieces.flags = fuzz_u8(&in);
    whole.requests = pieces.requests = fuzz_take(&in, fuzz_u8(&in));
    run(&whole, in.p, in.n, NULL);
    run(&pieces, in.p, in.n, &dice);
    FUZZ_MUST(whole.log.len == pieces.log.len);
    FUZZ_MUST(memcmp(whole.log.data, pieces.log.data, whole.log.len) == 0);
    sp_buf_free(&whole.log);
    sp_buf_free(&pieces.log);
    return 0;
}
