#include "pair.h"

/* --- hello --------------------------------------------------------------------------------- */

static void
hello_makes_both_ready(void **state)
{
    struct pair p;
    struct sp_session_options c = client_options(), s = server_options();
    const struct sp_msg *hello;

    (void)state;
    assert_ok(sp_features_add(&c.hello.client_hello.features, "both", e));
    assert_ok(sp_features_add(&c.hello.client_hello.features, "only-client", e));
    assert_ok(sp_features_add(&s.hello.server_hello.features, "both", e));
    assert_ok(sp_features_add(&s.hello.server_hello.features, "only-server", e));
    pair_new(&p, &c, &s);
    assert_false(sp_session_output(p.client.s, &(const uint8_t *){0}, &(size_t){0}));
    pair_pump(&p);
    assert_true(sp_session_is_ready(p.client.s) && sp_session_is_ready(p.server.s));
    assert_true(sp_session_feature(p.client.s, "both") && sp_session_feature(p.server.s, "both"));
    assert_false(sp_session_feature(p.client.s, "only-client"));
    assert_false(sp_session_feature(p.server.s, "only-client"));
    assert_false(sp_session_feature(p.client.s, "only-server"));
    hello = sp_session_peer_hello(p.client.s);
    assert_string_equal(hello->server_hello.host_name, "alpha");
    assert_int_equal(hello->server_hello.put_credit, SP_PUT_CREDIT);
    assert_int_equal(p.client.payload_len, 4);
    hello = sp_session_peer_hello(p.server.s);
    assert_int_equal(hello->client_hello.reply_credit, SP_REPLY_CREDIT);
    pair_free(&p);
}

static void
versions(void **state)
{
    static const struct {
        uint32_t client_major, client_minor, server_major, server_minor;
        bool works;
        uint32_t minor;
    } cases[] = {
        {1, 3, 1, 3, true, 3},
        {1, 3, 1, 4, true, 3},
        {1, 4, 1, 3, true, 3},
        {1, 3, 1, 5, false, 0},
        {1, 5, 1, 3, false, 0},
        {2, 3, 1, 3, false, 0},
        {1, 3, 2, 3, false, 0},
        {1, UINT32_MAX, 1, 0, false, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pair p;
        struct sp_session_options c = client_options(), s = server_options();

        c.major = cases[i].client_major;
        c.minor = cases[i].client_minor;
        s.major = cases[i].server_major;
        s.minor = cases[i].server_minor;
        pair_new(&p, &c, &s);
        pair_pump(&p);
        assert_int_equal(sp_session_is_ready(p.client.s), cases[i].works);
        assert_int_equal(sp_session_is_ready(p.server.s), cases[i].works);
        if (cases[i].works) {
            assert_int_equal(sp_session_minor(p.client.s), cases[i].minor);
            assert_int_equal(sp_session_minor(p.server.s), cases[i].minor);
        } else { /* the client sees it first, and says so to the server */
            assert_int_equal(p.client.why.code, SP_UNSUPPORTED);
            assert_int_equal(p.server.why.code, SP_UNSUPPORTED);
            assert_true(p.server.by_peer);
            assert_contains(p.client.why.text, "update the older one");
        }
        pair_free(&p);
    }
}

/* --- requests and replies ------------------------------------------------------------------ */

static uint32_t
ask(struct pair *p, const struct sp_msg *m, size_t n)
{
    uint32_t tag = 0;

    assert_ok(sp_session_request(p->client.s, m, any_payload(n), n, &tag, e));
    assert_true(tag != 0);
    return tag;
}

static void
answer(struct pair *p, struct sp_msg m, uint32_t tag, size_t n)
{
    m.tag = tag;
    assert_ok(sp_session_reply(p->server.s, &m, any_payload(n), n, e));
}

static void
requests_are_pipelined_and_answered_in_any_order(void **state)
{
    struct pair p;
    uint32_t have, head, list;

    (void)state;
    pair_ready(&p);
    have = ask(&p, &(struct sp_msg){.type = SP_MSG_HAVE}, 96);
    head = ask(&p, &(struct sp_msg){.type = SP_MSG_HEAD, .head = {.job = "home"}}, 0);
    list = ask(&p, &(struct sp_msg){.type = SP_MSG_LIST}, 0);
    sp_buf_reset(&p.server.log);
    sp_buf_reset(&p.client.log);
    pair_pump(&p);
    assert_contains(sp_buf_str(&p.server.log), "Have 1  96");
    assert_contains(sp_buf_str(&p.server.log), "Head 2  0");
    assert_contains(sp_buf_str(&p.server.log), "List 3  0");

    answer(&p, (struct sp_msg){.type = SP_MSG_LIST_ITEM, .list_item = {.type = 1}}, list, 500);
    answer(&p, (struct sp_msg){.type = SP_MSG_HEAD_REPLY}, head, 0);
    answer(&p, (struct sp_msg){.type = SP_MSG_LIST_ITEM, .list_item = {.type = 2}}, list, 600);
    answer(&p, (struct sp_msg){.type = SP_MSG_DONE}, list, 0);
    answer(&p, (struct sp_msg){.type = SP_MSG_HAVE_REPLY}, have, 3);
    pair_pump(&p);
    assert_contains(sp_buf_str(&p.client.log), "ListItem 3 List 500");
    assert_contains(sp_buf_str(&p.client.log), "HeadReply 2 Head 0");
    assert_contains(sp_buf_str(&p.client.log), "ListItem 3 List 600");
    assert_contains(sp_buf_str(&p.client.log), "Done 3 List 0");
    assert_contains(sp_buf_str(&p.client.log), "HaveReply 1 Have 3");
    assert_true(p.client.last.frame.msg.last);
    /* All tags are free again, and an answer to one is our own mistake. */
    assert_code(SP_INTERNAL, sp_session_reply(p.server.s,
                                 &(struct sp_msg){.type = SP_MSG_DONE, .tag = list}, NULL, 0, e));
    pair_free(&p);
}

static void
errors_are_replies(void **state)
{
    struct pair p;
    struct sp_err full = {0}, got = {0};
    uint32_t tag;

    (void)state;
    pair_ready(&p);
    tag = ask(&p, &(struct sp_msg){.type = SP_MSG_COMMIT, .commit = {.type = 1}}, 100);
    pair_pump(&p);
    (void)sp_fail(&full, SP_FULL, SP_DOM_STORE, "the disk of the server is full");
    assert_ok(sp_session_reply_error(p.server.s, tag, &full, e));
    pair_pump(&p);
    assert_int_equal(p.client.last.request, SP_MSG_COMMIT);
    assert_int_equal(sp_msg_get_error(&p.client.last.frame.msg, &got), SP_FULL);
    assert_int_equal(got.domain, SP_DOM_STORE);
    assert_string_equal(got.text, "the disk of the server is full");
    assert_true(sp_session_is_ready(p.client.s));
    pair_free(&p);
}

static void
our_own_mistakes_send_nothing(void **state)
{
    struct pair p;
    uint32_t tag = 0;

    (void)state;
    pair_ready(&p);
    assert_code(SP_INVALID,
        sp_session_request(p.client.s, &(struct sp_msg){.type = SP_MSG_PUT}, NULL, 0, &tag, e));
    assert_code(SP_INVALID,
        sp_session_request(p.client.s, &(struct sp_msg){.type = SP_MSG_ENROLL}, NULL, 0, &tag, e));
    assert_code(SP_INVALID,
        sp_session_request(p.client.s, &(struct sp_msg){.type = SP_MSG_HAVE}, NULL, 0, &tag, e));
    assert_code(SP_INTERNAL,
        sp_session_request(p.server.s, &(struct sp_msg){.type = SP_MSG_FLUSH}, NULL, 0, &tag, e));
    assert_code(SP_INVALID, sp_session_put(p.client.s, false, NULL, 0, e));
    tag = ask(&p, &(struct sp_msg){.type = SP_MSG_HAVE}, 64);
    pair_pump(&p);
    assert_code(
        SP_INTERNAL, sp_session_reply(p.server.s,
                         &(struct sp_msg){.type = SP_MSG_HAVE_REPLY, .tag = tag}, NULL, 1, e));
    assert_code(SP_INTERNAL, sp_session_reply(p.server.s,
                                 &(struct sp_msg){.type = SP_MSG_DONE, .tag = tag}, NULL, 0, e));
    assert_code(SP_INTERNAL, sp_session_ack(p.server.s, 1, 0, e));
    assert_int_equal(sp_session_queued(p.client.s) + sp_session_queued(p.server.s), 0);
    assert_true(sp_session_is_ready(p.server.s));
    pair_free(&p);
}

static void
requests_in_flight_are_bounded(void **state)
{
    struct pair p;
    uint32_t tag = 0;
    uint8_t *payload = any_payload(32 * SP_IDS_MAX);
    unsigned n;

    (void)state;
    pair_ready(&p);
    for (n = 0; n < SP_REQUESTS_MAX; n++)
        (void)ask(&p, &(struct sp_msg){.type = SP_MSG_FLUSH}, 0);
    assert_code(SP_BUSY,
        sp_session_request(p.client.s, &(struct sp_msg){.type = SP_MSG_FLUSH}, NULL, 0, &tag, e));
    pair_pump(&p);
    answer(&p, (struct sp_msg){.type = SP_MSG_FLUSHED}, 7, 0);
    pair_pump(&p);
    (void)ask(&p, &(struct sp_msg){.type = SP_MSG_FLUSH}, 0);
    pair_pump(&p);
    assert_true(sp_session_is_ready(p.server.s));
    pair_free(&p);

    /* And their bytes: eight questions of 2 MiB, then no more. */
    pair_ready(&p);
    for (n = 0; n < 8; n++)
        (void)ask(&p, &(struct sp_msg){.type = SP_MSG_HAVE}, 32 * SP_IDS_MAX);
    assert_code(SP_BUSY, sp_session_request(p.client.s, &(struct sp_msg){.type = SP_MSG_HAVE},
                             payload, 32, &tag, e));
    pair_pump(&p);
    answer(&p, (struct sp_msg){.type = SP_MSG_HAVE_REPLY}, 1, SP_IDS_MAX);
    pair_pump(&p);
    assert_ok(sp_session_request(
        p.client.s, &(struct sp_msg){.type = SP_MSG_HAVE}, payload, 32, &tag, e));
    pair_pump(&p);
    assert_true(sp_session_is_ready(p.server.s));
    pair_free(&p);
}

static void
a_record_of_many_frames_arrives_whole(void **state)
{
    struct pair p;
    uint32_t tag;
    struct sp_msg reply = {.type = SP_MSG_HEAD_REPLY,
        .head_reply = {.has_set = true,
            .set_len = SP_RECORD_MAX,
            .has_checkpoint = true,
            .checkpoint_len = SP_RECORD_MAX,
            .more = true}};

    (void)state;
    pair_ready(&p);
    (void)ask(&p, &(struct sp_msg){.type = SP_MSG_COMMIT, .commit = {.type = 2}}, SP_RECORD_MAX);
    pair_pump(&p);
    assert_int_equal(p.server.last.frame.msg.type, SP_MSG_COMMIT);
    assert_int_equal(p.server.payload_len, SP_RECORD_MAX);
    tag = ask(&p, &(struct sp_msg){.type = SP_MSG_HEAD, .head = {.job = "j"}}, 0);
    pair_pump(&p);
    answer(&p, reply, tag, 2 * SP_RECORD_MAX + 32 * SP_IDS_MAX);
    pair_pump(&p);
    assert_int_equal(p.client.payload_len, 2 * SP_RECORD_MAX + 32 * SP_IDS_MAX);
    pair_free(&p);
}

static void
cancelling(void **state)
{
    struct pair p;
    uint32_t get, other;
    struct sp_err why = {0};

    (void)state;
    pair_ready(&p);
    get = ask(&p, &(struct sp_msg){.type = SP_MSG_GET}, 320);
    other = ask(&p, &(struct sp_msg){.type = SP_MSG_FLUSH}, 0);
    pair_pump(&p);
    assert_ok(sp_session_cancel(p.client.s, get, e));
    assert_ok(sp_session_cancel(p.client.s, get, e)); /* once is enough */
    pair_pump(&p);
    assert_int_equal(p.server.last.frame.msg.type, SP_MSG_CANCEL);
    assert_int_equal(p.server.last.frame.msg.tag, get);
    assert_int_equal(p.server.last.request, SP_MSG_GET);
    (void)sp_fail(&why, SP_CANCELLED, SP_DOM_NET, "cancelled");
    assert_ok(sp_session_reply_error(p.server.s, get, &why, e));

    /* One that crosses with the last reply is nobody's mistake. */
    answer(&p, (struct sp_msg){.type = SP_MSG_FLUSHED}, other, 0);
    assert_ok(sp_session_cancel(p.client.s, other, e));
    pair_pump(&p);
    assert_true(sp_session_is_ready(p.server.s) && sp_session_is_ready(p.client.s));
    assert_ok(sp_session_cancel(p.client.s, other, e));
    assert_int_equal(sp_session_queued(p.client.s), 0);
    pair_free(&p);
}

/* --- puts ---------------------------------------------------------------------------------- */

static void
put(struct pair *p, bool nodes, size_t n)
{
    assert_ok(sp_session_put(p->client.s, nodes, any_payload(n), n, e));
}

static void
puts_cost_credit_that_acknowledgements_give_back(void **state)
{
    struct pair p;
    uint8_t *block = any_payload(1 << 20);
    unsigned sent = 0;

    (void)state;
    pair_ready(&p);
    while (sp_session_put_fits(p.client.s, 1 << 20)) {
        put(&p, sent % 3 == 0, 1 << 20);
        sent++;
    }
    assert_int_equal(sent, 24);
    assert_code(SP_BUSY, sp_session_put(p.client.s, false, block, 1 << 20, e));
    pair_pump(&p);
    assert_int_equal(p.server.last.frame.msg.type, SP_MSG_PUT);
    assert_false(p.server.last.frame.msg.put.nodes);

    assert_ok(sp_session_ack(p.server.s, 0, 3, e));
    assert_ok(sp_session_ack(p.server.s, 0, 3, e)); /* nothing new: nothing is sent */
    pair_pump(&p);
    assert_int_equal(p.client.last.frame.msg.type, SP_MSG_ACK);
    assert_int_equal(p.client.last.frame.msg.ack.nodes, 3);
    assert_int_equal(p.client.last.frame.msg.ack.credit, 3 << 20);
    assert_code(SP_INTERNAL, sp_session_ack(p.server.s, 0, 2, e));
    assert_code(SP_INTERNAL, sp_session_ack(p.server.s, 17, 3, e));
    put(&p, false, 1 << 20);
    put(&p, false, 2 << 20);
    assert_false(sp_session_put_fits(p.client.s, 1));

    (void)ask(&p, &(struct sp_msg){.type = SP_MSG_FLUSH}, 0);
    pair_pump(&p);
    answer(&p, (struct sp_msg){.type = SP_MSG_FLUSHED, .ack = {.data = 18, .nodes = 8}}, 1, 0);
    pair_pump(&p);
    assert_int_equal(p.client.last.frame.msg.ack.credit, 24 << 20);
    assert_ok(sp_session_put(p.client.s, false, block, 1 << 20, e));
    pair_free(&p);
}

static void
small_puts_cost_a_minimum(void **state)
{
    struct pair p;
    unsigned sent = 0;

    (void)state;
    pair_ready(&p);
    for (; sp_session_put_fits(p.client.s, 10); sent++)
        put(&p, false, 10);
    assert_int_equal(sent, SP_PUT_CREDIT / SP_CHARGE_MIN);
    pair_pump(&p);
    assert_ok(sp_session_ack(p.server.s, sent, 0, e));
    pair_pump(&p);
    assert_int_equal(p.client.last.frame.msg.ack.credit, SP_PUT_CREDIT);
    pair_free(&p);
}

static void
failed_puts_are_told_once_and_dropped(void **state)
{
    struct pair p;
    struct sp_err full = {0}, got = {0};

    (void)state;
    pair_ready(&p);
    put(&p, false, 100);
    put(&p, false, 100);
    pair_move(&p, &p.client, &p.server);
    (void)sp_fail(&full, SP_FULL, SP_DOM_STORE, "no space left");
    assert_ok(sp_session_fail_puts(p.server.s, &full, e));
    assert_ok(sp_session_fail_puts(p.server.s, &full, e));
    sp_buf_reset(&p.server.log);
    sp_buf_reset(&p.client.log);
    put(&p, true, 100);
    pair_pump(&p);
    assert_null(strstr(sp_buf_str(&p.server.log), "Put"));
    assert_string_equal(sp_buf_str(&p.client.log), "Error 0  0 811c9dc5\n");
    assert_int_equal(sp_msg_get_error(&p.client.last.frame.msg, &got), SP_FULL);
    assert_true(sp_session_is_ready(p.client.s)); /* reading goes on */
    pair_free(&p);
}

static void
a_read_only_server_gets_no_puts(void **state)
{
    struct pair p;
    struct sp_session_options c = client_options(), s = server_options();

    (void)state;
    s.hello.server_hello.writable = false;
    strcpy(s.hello.server_hello.reason, "it is being repaired");
    pair_new(&p, &c, &s);
    pair_pump(&p);
    {
        struct sp_err e = {0};

        assert_int_equal(
            sp_session_put(p.client.s, false, (uint8_t *)(uintptr_t) "x", 1, &e), SP_DENIED);
        assert_contains(e.text, "it is being repaired");
    }
    side_feed_message(&p, &p.server, &(struct sp_msg){.type = SP_MSG_PUT}, 10);
    assert_contains(p.server.why.text, "not writable");
    pair_free(&p);
}

/* --- streamed replies ---------------------------------------------------------------------- */

static void
items_cost_credit_that_the_reader_gives_back(void **state)
{
    struct pair p;
    struct sp_msg block = {.type = SP_MSG_BLOCK, .block = {.wanted = 1}};
    uint8_t *payload = any_payload(1 << 20);
    unsigned sent = 0;

    (void)state;
    pair_ready(&p);
    p.hold = true;
    block.tag = ask(&p, &(struct sp_msg){.type = SP_MSG_GET}, 3200);
    pair_pump(&p);
    for (; sp_session_reply_fits(p.server.s, 1 << 20); sent++)
        answer(&p, block, block.tag, 1 << 20);
    assert_int_equal(sent, SP_REPLY_CREDIT >> 20);
    assert_code(SP_BUSY, sp_session_reply(p.server.s, &block, payload, 1 << 20, e));
    pair_pump(&p);
    sp_buf_reset(&p.server.log);
    /* Two are less than an eighth of the window, three are more. */
    assert_ok(sp_session_consumed(p.client.s, 1 << 20, e));
    assert_ok(sp_session_consumed(p.client.s, 1 << 20, e));
    pair_pump(&p);
    assert_string_equal(sp_buf_str(&p.server.log), "");
    assert_ok(sp_session_consumed(p.client.s, 1 << 20, e));
    pair_pump(&p);
    assert_string_equal(sp_buf_str(&p.server.log), "room\n");
    assert_true(sp_session_reply_fits(p.server.s, 3 << 20));
    assert_false(sp_session_reply_fits(p.server.s, (3 << 20) + 1));
    /* What is no item passes without credit. */
    answer(&p, (struct sp_msg){.type = SP_MSG_DONE}, block.tag, 0);
    pair_pump(&p);
    for (; sent > 3; sent--)
        assert_ok(sp_session_consumed(p.client.s, 1 << 20, e));
    assert_code(SP_INTERNAL, sp_session_consumed(p.client.s, 1 << 20, e));
    /* All was given back but less than an eighth: the longest item fits. */
    pair_pump(&p);
    assert_true(sp_session_reply_fits(p.server.s, SP_RECORD_MAX));
    free(payload);
    pair_free(&p);
}

/* --- enrolment and renewal ----------------------------------------------------------------- */

static void
enrolling_pair(struct pair *p)
{
    struct sp_session_options c = client_options(), s = server_options();

    c.service = s.service = SP_SERVICE_ENROLL;
    s.hello.server_hello.writable = false;
    s.hello_payload_len = 0;
    pair_new(p, &c, &s);
    pair_pump(p);
    assert_true(sp_session_is_ready(p->client.s) && sp_session_is_ready(p->server.s));
}

static const struct sp_msg enroll = {
    .type = SP_MSG_ENROLL, .tag = 1, .enroll = {.secret_len = 16, .host_name = "beta"}};
static const struct sp_msg enroll_reply = {.type = SP_MSG_ENROLL_REPLY,
    .enroll_reply = {.host_name = "beta", .chain_len = 10, .authority_len = 5}};
static const struct sp_msg enroll_end = {.type = SP_MSG_ENROLL_END,
    .tag = 2,
    .enroll_end = {.record_len = 9, .nslots = 1, .slot_len = {4}}};

static void
enrolling(void **state)
{
    struct pair p;
    uint32_t tag;

    (void)state;
    enrolling_pair(&p);
    tag = ask(&p, &enroll, 100);
    pair_pump(&p);
    assert_string_equal(p.server.last.frame.msg.enroll.host_name, "beta");
    answer(&p, enroll_reply, tag, 15);
    pair_pump(&p);
    assert_int_equal(p.client.last.request, SP_MSG_ENROLL);
    tag = ask(&p, &enroll_end, 13);
    pair_pump(&p);
    answer(&p, (struct sp_msg){.type = SP_MSG_DONE}, tag, 0);
    pair_pump(&p);
    assert_int_equal(p.client.last.frame.msg.type, SP_MSG_DONE);
    assert_true(sp_session_is_ready(p.server.s));
    side_feed_message(&p, &p.server, &enroll, 100);
    assert_contains(p.server.why.text, "second Enroll");
    pair_free(&p);
}

static void
enrolling_out_of_order(void **state)
{
    struct pair p;
    struct sp_err no = {0};
    uint32_t tag;

    (void)state;
    enrolling_pair(&p);
    side_feed_message(&p, &p.server, &enroll_end, 13);
    assert_contains(p.server.why.text, "does not follow");
    pair_free(&p);

    enrolling_pair(&p);
    side_feed_message(&p, &p.server, &(struct sp_msg){.type = SP_MSG_FLUSH, .tag = 1}, 0);
    assert_contains(p.server.why.text, "while enrolling");
    pair_free(&p);

    /* A wrong token is not guessed twice on one connection. */
    enrolling_pair(&p);
    tag = ask(&p, &enroll, 100);
    pair_pump(&p);
    (void)sp_fail(&no, SP_AUTH, SP_DOM_STORE, "no such token");
    assert_ok(sp_session_reply_error(p.server.s, tag, &no, e));
    pair_pump(&p);
    side_feed_message(&p, &p.server, &enroll, 100);
    assert_contains(p.server.why.text, "second Enroll");
    pair_free(&p);
}

static void
an_expired_host_may_only_renew(void **state)
{
    struct pair p;
    struct sp_session_options c = client_options(), s = server_options();
    uint32_t tag = 0;

    (void)state;
    s.hello.server_hello.renew_only = true;
    pair_new(&p, &c, &s);
    pair_pump(&p);
    assert_code(SP_AUTH,
        sp_session_request(p.client.s, &(struct sp_msg){.type = SP_MSG_FLUSH}, NULL, 0, &tag, e));
    assert_code(SP_AUTH, sp_session_put(p.client.s, false, NULL, 1, e));
    tag = ask(&p, &(struct sp_msg){.type = SP_MSG_RENEW}, 400);
    pair_pump(&p);
    assert_int_equal(p.server.last.frame.msg.type, SP_MSG_RENEW);
    answer(&p, (struct sp_msg){.type = SP_MSG_RENEW_REPLY}, tag, 1000);
    pair_pump(&p);
    assert_int_equal(p.client.last.frame.msg.type, SP_MSG_RENEW_REPLY);

    /* A client that does not look is answered without its server hearing of it. */
    sp_buf_reset(&p.server.log);
    side_feed_message(&p, &p.server, &(struct sp_msg){.type = SP_MSG_LIST, .tag = 9}, 0);
    assert_int_equal(p.server.log.len, 0);
    assert_true(sp_session_queued(p.server.s) > 0);
    side_feed_message(&p, &p.server, &(struct sp_msg){.type = SP_MSG_PUT}, 9);
    assert_contains(p.server.why.text, "not writable");
    pair_free(&p);
}

/* --- goodbye and time ---------------------------------------------------------------------- */

static void
goodbye_reaches_the_other_side_behind_what_was_sent(void **state)
{
    struct pair p;
    struct sp_err why = {0};
    struct sp_event ev;
    uint32_t tag = 0;
    size_t used;

    (void)state;
    pair_ready(&p);
    (void)ask(&p, &(struct sp_msg){.type = SP_MSG_FLUSH}, 0);
    pair_pump(&p);
    answer(&p, (struct sp_msg){.type = SP_MSG_FLUSHED}, 1, 0);
    (void)sp_fail(&why, SP_BUSY, SP_DOM_STORE, "the server is going down for repairs");
    sp_session_goodbye(p.server.s, &why);
    sp_session_goodbye(p.server.s, &why);
    assert_code(SP_REFUSED, sp_session_ack(p.server.s, 0, 0, e));
    sp_buf_reset(&p.client.log);
    pair_pump(&p);
    assert_string_equal(sp_buf_str(&p.client.log), "Flushed 1 Flush 0 811c9dc5\nclosed busy\n");
    assert_true(p.client.by_peer);
    assert_string_equal(p.client.why.text, why.text);
    assert_code(SP_REFUSED,
        sp_session_request(p.client.s, &(struct sp_msg){.type = SP_MSG_FLUSH}, NULL, 0, &tag, e));
    sp_session_feed(p.client.s, p.now, "anything", 8, &used, &ev);
    assert_int_equal(used, 8);
    assert_int_equal(ev.type, SP_EVENT_NONE);
    /* The side that said it hears it once, too. */
    assert_true(sp_session_deadline(p.server.s) <= p.now);
    sp_session_tick(p.server.s, p.now, &ev);
    assert_int_equal(ev.type, SP_EVENT_CLOSED);
    assert_false(ev.by_peer);
    sp_session_end(p.server.s, NULL, &ev);
    assert_int_equal(ev.type, SP_EVENT_NONE);
    assert_int_equal(sp_session_deadline(p.server.s), INT64_MAX);
    pair_free(&p);
}

static void
an_orderly_goodbye(void **state)
{
    struct pair p;

    (void)state;
    pair_ready(&p);
    sp_session_goodbye(p.client.s, NULL);
    pair_pump(&p);
    assert_int_equal(p.server.closed, 1);
    assert_int_equal(p.server.why.code, SP_OK);
    assert_true(p.server.by_peer);
    pair_free(&p);
}

/* Lets the time pass to the next deadline of a side; gives the seconds. */
static int64_t
wait_for(struct pair *p, struct side *side)
{
    int64_t at = sp_session_deadline(side->s), passed = at - p->now;
    struct sp_event ev;

    assert_true(at < INT64_MAX);
    if (passed > 0) {
        sp_session_tick(side->s, at - 1, &ev);
        assert_int_equal(ev.type, SP_EVENT_NONE);
        p->now = at;
    }
    sp_session_tick(side->s, p->now, &ev);
    side_event(p, side, &ev);
    return passed / SP_SECOND;
}

static void
deadlines(void **state)
{
    struct pair p;
    struct sp_session_options c = client_options(), s = server_options();

    (void)state;
    pair_new(&p, &c, &s); /* no hello comes */
    assert_int_equal(wait_for(&p, &p.client), SP_HANDSHAKE_MS / 1000);
    assert_int_equal(p.client.why.code, SP_TIMEOUT);
    assert_contains(p.client.why.text, "the server did not say hello");
    pair_free(&p);

    pair_ready(&p); /* silence: a ping, its answer, a ping, no answer */
    assert_int_equal(wait_for(&p, &p.client), SP_PING_MS / 1000);
    pair_pump(&p);
    assert_int_equal(sp_session_deadline(p.client.s), p.now + SP_PING_MS * INT64_C(1000000));
    assert_int_equal(wait_for(&p, &p.client), SP_PING_MS / 1000);
    sp_session_sent(p.client.s, p.now, sp_session_queued(p.client.s)); /* and gone */
    assert_int_equal(wait_for(&p, &p.client), (SP_IDLE_MS - SP_PING_MS) / 1000);
    assert_int_equal(p.client.why.code, SP_TIMEOUT);
    assert_contains(p.client.why.text, "the server was silent for 2 min");
    assert_true(sp_session_queued(p.client.s) > 0); /* a goodbye, for what it is worth */
    pair_free(&p);

    pair_ready(&p); /* a peer that takes nothing, but talks */
    (void)ask(&p, &(struct sp_msg){.type = SP_MSG_FLUSH}, 0);
    for (unsigned i = 0; i < SP_STALL_MS / 1000; i++) {
        assert_true(sp_session_is_ready(p.client.s));
        p.now += SP_SECOND;
        side_feed_message(&p, &p.client, &(struct sp_msg){.type = SP_MSG_ACK}, 0);
        (void)sp_session_deadline(p.client.s);
    }
    assert_int_equal(wait_for(&p, &p.client), 0);
    assert_contains(p.client.why.text, "the server took nothing");
    pair_free(&p);

    enrolling_pair(&p); /* a whole enrolment */
    for (unsigned i = 0; i < 20 && p.server.closed == 0; i++) {
        (void)wait_for(&p, &p.server);
        pair_pump(&p);
    }
    assert_int_equal(p.now, 1000 * SP_SECOND + SP_ENROLL_MS * INT64_C(1000000));
    assert_contains(p.server.why.text, "did not finish enrolling");
    pair_free(&p);
}

static void
silence_is_not_counted_while_reading_is_stopped(void **state)
{
    struct pair p;

    (void)state;
    pair_ready(&p);
    sp_session_pause(p.client.s, true, p.now);
    assert_int_equal(sp_session_deadline(p.client.s), INT64_MAX);
    p.now += 1000 * SP_SECOND;
    sp_session_pause(p.client.s, false, p.now);
    assert_int_equal(sp_session_deadline(p.client.s), p.now + SP_PING_MS * INT64_C(1000000));
    pair_free(&p);
}

static void
the_end_of_the_stream_is_told(void **state)
{
    struct pair p;
    struct sp_event ev;
    struct sp_err reset = {0};

    (void)state;
    pair_ready(&p);
    sp_session_end(p.client.s, NULL, &ev);
    assert_int_equal(ev.why.code, SP_UNREACHABLE);
    assert_contains(ev.why.text, "without a goodbye");
    (void)sp_fail(&reset, SP_UNREACHABLE, SP_DOM_NET, "reset");
    sp_session_end(p.server.s, &reset, &ev);
    assert_string_equal(ev.why.text, "reset");
    pair_free(&p);

    pair_ready(&p);
    side_feed(&p, &p.client, "\x05", 1);
    sp_session_end(p.client.s, NULL, &ev);
    assert_contains(ev.why.text, "in the middle of a message");
    pair_free(&p);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hello_makes_both_ready),
        cmocka_unit_test(versions),
        cmocka_unit_test(requests_are_pipelined_and_answered_in_any_order),
        cmocka_unit_test(errors_are_replies),
        cmocka_unit_test(our_own_mistakes_send_nothing),
        cmocka_unit_test(requests_in_flight_are_bounded),
        cmocka_unit_test(a_record_of_many_frames_arrives_whole),
        cmocka_unit_test(cancelling),
        cmocka_unit_test(puts_cost_credit_that_acknowledgements_give_back),
        cmocka_unit_test(small_puts_cost_a_minimum),
        cmocka_unit_test(failed_puts_are_told_once_and_dropped),
        cmocka_unit_test(a_read_only_server_gets_no_puts),
        cmocka_unit_test(items_cost_credit_that_the_reader_gives_back),
        cmocka_unit_test(enrolling),
        cmocka_unit_test(enrolling_out_of_order),
        cmocka_unit_test(an_expired_host_may_only_renew),
        cmocka_unit_test(goodbye_reaches_the_other_side_behind_what_was_sent),
        cmocka_unit_test(an_orderly_goodbye),
        cmocka_unit_test(deadlines),
        cmocka_unit_test(silence_is_not_counted_while_reading_is_stopped),
        cmocka_unit_test(the_end_of_the_stream_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
