/* Peers that break the rules, and streams that are cut. */

#include "pair.h"

/* The side said goodbye with a reason, once, and the reason is this. */
static void
assert_refused(struct pair *p, struct side *side, const char *reason)
{
    struct side *other = side == &p->server ? &p->client : &p->server;

    if (side->closed != 1)
        fail_msg("not refused: %s", reason);
    assert_int_equal(side->why.code, SP_PROTOCOL);
    assert_contains(side->why.text, reason);
    assert_contains(side->why.text, "broke the protocol");
    assert_false(side->by_peer);
    /* And the other side, had it been honest, hears why. */
    while (pair_move(p, side, other))
        continue;
    assert_int_equal(other->closed, 1);
    assert_true(other->by_peer);
    assert_contains(other->why.text, reason);
}

static void
hostile_clients(void **state)
{
    static const struct {
        struct sp_msg m;
        size_t payload;
        unsigned times;
        const char *reason;
    } cases[] = {
        {{.type = SP_MSG_CLIENT_HELLO, .client_hello = {.major = 1}}, 0, 1, "after the hello"},
        {{.type = SP_MSG_SERVER_HELLO, .server_hello = {.major = 1}}, 0, 1, "from the wrong side"},
        {{.type = SP_MSG_ACK}, 0, 1, "from the wrong side"},
        {{.type = SP_MSG_DONE, .tag = 1}, 0, 1, "from the wrong side"},
        {{.type = SP_MSG_BLOCK, .tag = 1, .block = {.wanted = 1}}, 10, 1, "from the wrong side"},
        {{.type = SP_MSG_FLUSH, .tag = 3}, 0, 2, "tag 3, which is in flight"},
        {{.type = SP_MSG_PUT}, 5 << 20, 5, "over the credit"},
        {{.type = SP_MSG_CREDIT}, 0, 1, "a Credit of nothing"},
        {{.type = SP_MSG_CREDIT, .credit = {.bytes = UINT32_MAX}}, 0, 1, "more than the protocol"},
        {{.type = SP_MSG_CREDIT, .credit = {.bytes = 100 << 20}}, 0, 3, "more than the protocol"},
        {{.type = SP_MSG_PONG}, 0, 1, "a Pong that nobody asked"},
        {{.type = SP_MSG_ENROLL, .tag = 1, .enroll = {.secret_len = 16, .host_name = "x"}}, 10, 1,
            "outside of enrolling"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pair p;

        pair_ready(&p);
        for (unsigned n = 0; n < cases[i].times; n++) {
            assert_int_equal(p.server.closed, 0);
            side_feed_message(&p, &p.server, &cases[i].m, cases[i].payload);
        }
        assert_refused(&p, &p.server, cases[i].reason);
        pair_free(&p);
    }
}

static void
pings_wait_for_their_answer(void **state)
{
    struct pair p;

    (void)state;
    pair_ready(&p);
    side_feed_message(&p, &p.server, &(struct sp_msg){.type = SP_MSG_PING}, 0);
    assert_true(sp_session_queued(p.server.s) > 0);
    sp_session_sent(p.server.s, p.now, sp_session_queued(p.server.s));
    side_feed_message(&p, &p.server, &(struct sp_msg){.type = SP_MSG_PING}, 0);
    assert_int_equal(p.server.closed, 0);
    side_feed_message(&p, &p.server, &(struct sp_msg){.type = SP_MSG_PING}, 0);
    assert_int_equal(p.server.closed, 1);
    assert_contains(p.server.why.text, "a second Ping");
    pair_free(&p);
}

static void
hostile_bytes(void **state)
{
    static const struct {
        const char *p;
        size_t n;
        const char *reason;
    } cases[] = {
#define RAW(s, reason) {s, sizeof(s) - 1, reason}
        RAW("GET / HTTP/1.1\r\nHost: x\r\n\r\n", "a header of 542393671 bytes"),
        RAW("\xff\xff\xff\xff\xff\xff\xff\xff", "a header of 4294967295 bytes"),
        RAW("\x10\0\0\0\xff\xff\xff\x7f", "a payload of 2147483647 bytes"),
        RAW("\x05\0\0\0\0\0\0\0"
            "\x08\x05\xfa\x3e\x00",
            "an unknown type"),
        RAW("\x02\0\0\0\0\0\0\0"
            "\x08\x05",
            "an unknown type"),
        RAW("\x03\0\0\0\0\0\0\0"
            "\xff\xff\xff",
            "cannot be read"),
        RAW("\x03\0\0\0\0\0\0\0"
            "\xa2\x01\x00",
            "a Flush with a field that cannot be"),
        RAW("\x05\0\0\0\x10\0\0\0"
            "\x08\x05\xa2\x01\x00",
            "a payload of 16 bytes"),
#undef RAW
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pair p;

        pair_ready(&p);
        side_feed(&p, &p.server, cases[i].p, cases[i].n);
        assert_refused(&p, &p.server, cases[i].reason);
        pair_free(&p);
    }
}

static void
nothing_comes_before_the_hello(void **state)
{
    struct pair p;
    struct sp_session_options c = client_options(), s = server_options();

    (void)state;
    pair_new(&p, &c, &s);
    side_feed_message(&p, &p.server, &(struct sp_msg){.type = SP_MSG_FLUSH, .tag = 1}, 0);
    assert_refused(&p, &p.server, "a Flush before the hello");
    pair_free(&p);

    pair_new(&p, &c, &s); /* a goodbye may: the server is full */
    side_feed_message(&p, &p.client,
        &(struct sp_msg){.type = SP_MSG_GOODBYE, .error = {.code = SP_BUSY, .text = "full"}}, 0);
    assert_int_equal(p.client.why.code, SP_BUSY);
    assert_true(p.client.by_peer);
    pair_free(&p);

    pair_new(&p, &c, &s);
    side_feed_message(&p, &p.server,
        &(struct sp_msg){.type = SP_MSG_CLIENT_HELLO, .client_hello = {.major = 1}}, 0);
    assert_refused(&p, &p.server, "a reply credit out of bounds");
    pair_free(&p);

    pair_new(&p, &c, &s);
    side_feed_message(&p, &p.client,
        &(struct sp_msg){.type = SP_MSG_SERVER_HELLO,
            .server_hello = {.major = 1, .writable = true, .put_credit = 1}},
        0);
    assert_refused(&p, &p.client, "a put credit out of bounds");
    pair_free(&p);
}

static void
a_server_gets_no_more_requests_than_it_allows(void **state)
{
    struct pair p;

    (void)state;
    pair_ready(&p);
    for (uint32_t tag = 1; tag <= SP_REQUESTS_MAX; tag++)
        side_feed_message(&p, &p.server, &(struct sp_msg){.type = SP_MSG_FLUSH, .tag = tag}, 0);
    assert_int_equal(p.server.closed, 0);
    side_feed_message(&p, &p.server, &(struct sp_msg){.type = SP_MSG_FLUSH, .tag = 1000}, 0);
    assert_refused(&p, &p.server, "more than 64 requests");
    pair_free(&p);

    pair_ready(&p);
    for (uint32_t tag = 1; tag <= 8; tag++)
        side_feed_message(
            &p, &p.server, &(struct sp_msg){.type = SP_MSG_GET, .tag = tag}, 32 * SP_IDS_MAX);
    assert_int_equal(p.server.closed, 0);
    side_feed_message(&p, &p.server, &(struct sp_msg){.type = SP_MSG_GET, .tag = 9}, 32);
    assert_refused(&p, &p.server, "requests in flight with more than");
    pair_free(&p);
}

static void
hostile_servers(void **state)
{
    static const struct {
        enum sp_msg_type ask;
        size_t ask_payload;
        struct sp_msg m;
        size_t payload;
        unsigned times;
        const char *reason;
    } cases[] = {
        {SP_MSG_FLUSH, 0, {.type = SP_MSG_DONE, .tag = 77, .last = true}, 0, 1, "nobody asked"},
        {SP_MSG_FLUSH, 0, {.type = SP_MSG_DONE, .tag = 1}, 0, 1, "a Done in answer to a Flush"},
        {SP_MSG_FLUSH, 0, {.type = SP_MSG_FLUSHED, .tag = 1}, 0, 2, "nobody asked"},
        {SP_MSG_FLUSH, 0, {.type = SP_MSG_FLUSHED, .tag = 1, .ack = {.data = 1}}, 0, 1,
            "blocks that were not put"},
        {SP_MSG_FLUSH, 0, {.type = SP_MSG_ACK, .ack = {.nodes = UINT64_MAX}}, 0, 1,
            "blocks that were not put"},
        {SP_MSG_FLUSH, 0, {.type = SP_MSG_ACK, .ack = {.credit = UINT32_MAX}}, 0, 1,
            "more credit than"},
        {SP_MSG_HAVE, 64, {.type = SP_MSG_HAVE_REPLY, .tag = 1}, 3, 1, "3 answers to 2 ids"},
        {SP_MSG_GET, 64, {.type = SP_MSG_BLOCK, .tag = 1, .block = {.wanted = 3}}, 100, 1,
            "more than was asked for"},
        {SP_MSG_GET, 64, {.type = SP_MSG_BLOCK, .tag = 1, .block = {.wanted = 1}}, 100, 3,
            "more than was asked for"},
        {SP_MSG_GET, 640, {.type = SP_MSG_BLOCK, .tag = 1, .block = {.wanted = 1}}, 5 << 20, 5,
            "over the credit"},
        {SP_MSG_GET, 64, {.type = SP_MSG_LIST_ITEM, .tag = 1, .list_item = {.type = 1}}, 9, 1,
            "a ListItem in answer to a Get"},
        {SP_MSG_GET, 64, {.type = SP_MSG_FLUSH, .tag = 5}, 0, 1, "from the wrong side"},
        {SP_MSG_GET, 64, {.type = SP_MSG_PUT}, 5, 1, "from the wrong side"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pair p;
        uint32_t tag = 0;

        pair_ready(&p);
        p.hold = true;
        assert_ok(sp_session_request(p.client.s, &(struct sp_msg){.type = cases[i].ask},
            any_payload(cases[i].ask_payload), cases[i].ask_payload, &tag, e));
        assert_int_equal(tag, 1);
        pair_pump(&p);
        for (unsigned n = 0; n < cases[i].times; n++) {
            assert_int_equal(p.client.closed, 0);
            side_feed_message(&p, &p.client, &cases[i].m, cases[i].payload);
        }
        assert_refused(&p, &p.client, cases[i].reason);
        pair_free(&p);
    }
}

/* --- a recorded exchange ------------------------------------------------------------------- */

static void
reply_to(struct pair *p, struct sp_msg m, uint32_t tag, size_t n)
{
    m.tag = tag;
    assert_ok(sp_session_reply(p->server.s, &m, any_payload(n), n, e));
}

static void
ask(struct sp_session *c, const struct sp_msg *m, size_t n)
{
    uint8_t *payload = any_payload(n);
    struct sp_err e = {0};
    uint32_t tag = 0;

    if (sp_session_request(c, m, payload, n, &tag, &e) != SP_OK)
        free(payload);
}

static void
put(struct sp_session *c, bool nodes, size_t n)
{
    uint8_t *payload = any_payload(n);
    struct sp_err e = {0};

    if (sp_session_put(c, nodes, payload, n, &e) != SP_OK)
        free(payload);
}

/* What is refused is missing from the log: a damaged hello may say that the server is read-only. */
static void
ask_all(struct sp_session *c)
{
    ask(c, &(struct sp_msg){.type = SP_MSG_HAVE}, 64);
    put(c, false, 50);
    put(c, true, 60);
    ask(c, &(struct sp_msg){.type = SP_MSG_GET}, 96);
    ask(c, &(struct sp_msg){.type = SP_MSG_HEAD, .head = {.job = "home"}}, 0);
    assert_ok(sp_session_cancel(c, 2, e));
}

/* A little of everything; what each side sent is in `sent`, what it saw in `log`. */
static void
play(struct pair *p)
{
    struct sp_session_options c = client_options(), s = server_options();

    pair_new(p, &c, &s);
    p->record = true;
    pair_pump(p);
    ask_all(p->client.s);
    pair_pump(p);
    reply_to(p, (struct sp_msg){.type = SP_MSG_HAVE_REPLY}, 1, 2);
    assert_ok(sp_session_ack(p->server.s, 1, 0, e));
    reply_to(p, (struct sp_msg){.type = SP_MSG_BLOCK, .block = {.wanted = 2}}, 2, 70);
    reply_to(p, (struct sp_msg){.type = SP_MSG_DONE}, 2, 0);
    reply_to(p,
        (struct sp_msg){.type = SP_MSG_HEAD_REPLY, .head_reply = {.has_set = true, .set_len = 40}},
        3, 72);
    pair_pump(p);
    sp_session_goodbye(p->client.s, NULL);
    pair_pump(p);
}

/* Feeds the first n recorded bytes to a new side in pieces, then ends the stream; gives its log. */
static void
replay(
    const struct sp_buf *bytes, size_t n, size_t piece, enum sp_role role, struct sp_buf *ret_log)
{
    struct pair p;
    struct sp_session_options c = client_options(), s = server_options();
    struct side *to = role == SP_ROLE_CLIENT ? &p.client : &p.server;
    struct sp_event ev;
    bool asked = role == SP_ROLE_SERVER;

    pair_new(&p, &c, &s);
    for (size_t at = 0; at < n;) {
        size_t step = n - at < piece ? n - at : piece, used = 0;

        if (!asked && sp_session_is_ready(to->s)) {
            ask_all(to->s);
            asked = true;
        }
        sp_session_feed(to->s, p.now, bytes->data + at, step, &used, &ev);
        side_event(&p, to, &ev);
        at += used;
    }
    sp_session_end(to->s, NULL, &ev);
    side_event(&p, to, &ev);
    assert_int_equal(to->closed, 1);
    sp_buf_reset(ret_log);
    sp_buf_put(ret_log, to->log.data, to->log.len);
    pair_free(&p);
}

static void
a_recorded_exchange_in_any_pieces_and_cut_anywhere(void **state)
{
    static const char unreachable[] = "closed unreachable\n";
    struct pair p;
    struct sp_buf log = SP_BUF_INIT;

    (void)state;
    play(&p);
    assert_string_equal(sp_buf_str(&p.server.log), "ready stillpoint 0.1.0\n"
                                                   "Have 1  64 7b7d69c5\n"
                                                   "Put 0  50 1e0969c8\n"
                                                   "Put 0  60 a5cdc875\n"
                                                   "Get 2  96 a1550405\n"
                                                   "Head 3  0 811c9dc5\n"
                                                   "Cancel 2 Get 0 811c9dc5\n"
                                                   "closed ok\n");
    assert_string_equal(sp_buf_str(&p.client.log), "ready stillpointd 0.1.0\n"
                                                   "HaveReply 1 Have 2 0a768cc8\n"
                                                   "Ack 0  0 811c9dc5\n"
                                                   "Block 2 Get 70 537fa988\n"
                                                   "Done 2 Get 0 811c9dc5\n"
                                                   "HeadReply 3 Head 72 65d9df15\n");
    for (int role = 0; role < 2; role++) {
        struct side *from = role == SP_ROLE_CLIENT ? &p.server : &p.client;
        struct side *to = role == SP_ROLE_CLIENT ? &p.client : &p.server;
        const char *want = sp_buf_str(&to->log);

        for (size_t piece = 1; piece < 50; piece++) {
            replay(&from->sent, from->sent.len, piece, (enum sp_role)role, &log);
            assert_true(log.len >= to->log.len);
            assert_memory_equal(log.data, want, to->log.len);
        }
        for (size_t n = 0; n < from->sent.len; n++) {
            size_t events;

            replay(&from->sent, n, 7, (enum sp_role)role, &log);
            assert_true(log.len >= sizeof(unreachable) - 1);
            events = log.len - (sizeof(unreachable) - 1);
            assert_string_equal(sp_buf_str(&log) + events, unreachable);
            assert_true(events <= to->log.len);
            assert_memory_equal(log.data, want, events);
        }
    }
    sp_buf_free(&log);
    pair_free(&p);
}

/* Flipped bits: events or an end with a reason, never anything else. */
static void
a_damaged_exchange_ends_cleanly(void **state)
{
    struct chance c = chance_new("a_damaged_exchange_ends_cleanly");
    struct sp_buf bytes = SP_BUF_INIT, log = SP_BUF_INIT;
    struct pair p;

    (void)state;
    play(&p);
    for (unsigned round = 0; round < 3000; round++) {
        enum sp_role role = chance_below(&c, 2) == 0 ? SP_ROLE_CLIENT : SP_ROLE_SERVER;
        const struct sp_buf *from = role == SP_ROLE_CLIENT ? &p.server.sent : &p.client.sent;

        sp_buf_reset(&bytes);
        sp_buf_put(&bytes, from->data, from->len);
        for (size_t flips = 1 + chance_below(&c, 3); flips > 0; flips--)
            bytes.data[chance_below(&c, bytes.len)] ^= (uint8_t)(1u << chance_below(&c, 8));
        replay(&bytes, bytes.len, 1 + chance_below(&c, 200), role, &log);
        assert_non_null(strstr(sp_buf_str(&log), "closed "));
    }
    sp_buf_free(&bytes);
    sp_buf_free(&log);
    pair_free(&p);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hostile_clients),
        cmocka_unit_test(pings_wait_for_their_answer),
        cmocka_unit_test(hostile_bytes),
        cmocka_unit_test(nothing_comes_before_the_hello),
        cmocka_unit_test(a_server_gets_no_more_requests_than_it_allows),
        cmocka_unit_test(hostile_servers),
        cmocka_unit_test(a_recorded_exchange_in_any_pieces_and_cut_anywhere),
        cmocka_unit_test(a_damaged_exchange_ends_cleanly),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
