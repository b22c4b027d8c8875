#include "pair.h"

struct sp_session_options
client_options(void)
{
    struct sp_session_options o = {.role = SP_ROLE_CLIENT, .hello = {.type = SP_MSG_CLIENT_HELLO}};

    strcpy(o.hello.client_hello.program, "stillpoint 0.1.0");
    return o;
}

struct sp_session_options
server_options(void)
{
    struct sp_session_options o = {.role = SP_ROLE_SERVER,
        .hello = {.type = SP_MSG_SERVER_HELLO, .server_hello = {.writable = true}},
        .hello_payload = (const uint8_t *)"conf",
        .hello_payload_len = 4};

    strcpy(o.hello.server_hello.program, "stillpointd 0.1.0");
    strcpy(o.hello.server_hello.host_name, "alpha");
    return o;
}

void
pair_new(struct pair *p, const struct sp_session_options *client,
    const struct sp_session_options *server)
{
    memset(p, 0, sizeof(*p));
    p->now = 1000 * SP_SECOND;
    p->piece = SIZE_MAX;
    assert_ok(sp_session_new(client, p->now, &p->client.s, e));
    assert_ok(sp_session_new(server, p->now, &p->server.s, e));
}

void
pair_free(struct pair *p)
{
    struct side *sides[2] = {&p->client, &p->server};

    for (int i = 0; i < 2; i++) {
        sp_session_free(sides[i]->s);
        sp_event_clear(&sides[i]->last);
        sp_buf_free(&sides[i]->log);
        sp_buf_free(&sides[i]->sent);
    }
}

static uint32_t
checksum(const uint8_t *p, size_t n)
{
    uint32_t h = 2166136261u;

    for (size_t i = 0; i < n; i++)
        h = (h ^ p[i]) * 16777619u;
    return h;
}

void
side_event(struct pair *p, struct side *to, struct sp_event *ev)
{
    const struct sp_msg *m = &ev->frame.msg;

    switch (ev->type) {
    case SP_EVENT_NONE:
        return;
    case SP_EVENT_READY:
        sp_buf_printf(&to->log, "ready %s\n",
            m->type == SP_MSG_SERVER_HELLO ? m->server_hello.program : m->client_hello.program);
        break;
    case SP_EVENT_MESSAGE:
        sp_buf_printf(&to->log, "%s %u %s %zu %08x\n", sp_msg_info(m->type)->name, (unsigned)m->tag,
            sp_msg_info(ev->request)->name, ev->frame.payload_len,
            (unsigned)checksum(ev->frame.payload, ev->frame.payload_len));
        if (!p->hold && sp_msg_info(m->type)->kind == SP_KIND_ITEM)
            assert_ok(sp_session_consumed(to->s, ev->frame.payload_len, e));
        break;
    case SP_EVENT_ROOM:
        sp_buf_printf(&to->log, "room\n");
        break;
    case SP_EVENT_CLOSED:
        sp_buf_printf(&to->log, "closed %s\n", sp_code_word(ev->why.code));
        to->closed++;
        to->why = ev->why;
        to->by_peer = ev->by_peer;
        break;
    }
    to->payload_len = ev->frame.payload_len;
    sp_event_clear(&to->last);
    to->last = *ev;
    memset(ev, 0, sizeof(*ev));
    free(to->last.frame.payload);
    to->last.frame.payload = NULL;
}

void
side_feed(struct pair *p, struct side *to, const void *bytes, size_t n)
{
    const uint8_t *in = bytes;

    for (size_t at = 0; at < n;) {
        struct sp_event ev;
        size_t step = n - at < p->piece ? n - at : p->piece, used = 0;

        sp_session_feed(to->s, p->now, in + at, step, &used, &ev);
        assert_true(used <= step);
        assert_true(used == step || ev.type != SP_EVENT_NONE);
        at += used;
        side_event(p, to, &ev);
    }
}

bool
pair_move(struct pair *p, struct side *from, struct side *to)
{
    const uint8_t *bytes;
    size_t n;

    if (!sp_session_output(from->s, &bytes, &n))
        return false;
    assert_true(n > 0);
    if (n > p->piece)
        n = p->piece;
    if (p->record)
        sp_buf_put(&from->sent, bytes, n);
    side_feed(p, to, bytes, n);
    sp_session_sent(from->s, p->now, n);
    return true;
}

void
pair_pump(struct pair *p)
{
    bool moved;

    do {
        moved = pair_move(p, &p->server, &p->client);
        moved = pair_move(p, &p->client, &p->server) || moved;
    } while (moved);
    assert_int_equal(sp_session_queued(p->client.s), 0);
    assert_int_equal(sp_session_queued(p->server.s), 0);
}

void
pair_ready(struct pair *p)
{
    struct sp_session_options client = client_options(), server = server_options();

    pair_new(p, &client, &server);
    pair_pump(p);
    assert_true(sp_session_is_ready(p->client.s));
    assert_true(sp_session_is_ready(p->server.s));
}

void
side_feed_message(struct pair *p, struct side *to, const struct sp_msg *m, size_t payload_len)
{
    struct sp_buf b = SP_BUF_INIT;
    size_t offset = 0, slice;
    uint8_t *payload = any_payload(payload_len);

    do {
        assert_ok(sp_frame_encode(m, payload_len, offset, &b, &slice, e));
        if (slice > 0)
            sp_buf_put(&b, payload + offset, slice);
        offset += slice;
    } while (offset < payload_len);
    assert_ok(sp_buf_ok(&b, e));
    side_feed(p, to, b.data, b.len);
    free(payload);
    sp_buf_free(&b);
}
