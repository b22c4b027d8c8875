/* Messages in the wrong place, hellos, tags, requests and credit. */

#include "hostile_client.h"

#include "server/conn.h"

/* TLS and the server's hello, but not ours. */
static void
open_mute(struct wire *w, struct stage *s, const struct member *m)
{
    const struct wire_tls tls = {.chain = m != NULL ? m->tls_chain : NULL,
        .key = m != NULL ? m->tls_key : NULL,
        .alpn = m != NULL ? WIRE_NORMAL : WIRE_ENROLL};
    struct sp_frame f;

    assert_true(wire_connect(w, s->r.port, stage_from(s)));
    if (!wire_shake(w, &tls, 5000))
        fail_msg("no handshake: %s", w->error);
    assert_true(wire_frame(w, &f, 5000));
    assert_int_equal(f.msg.type, SP_MSG_SERVER_HELLO);
    sp_frame_clear(&f);
}

/* Every message at every place where it has no business. */
void
test_wrong_places(void **state)
{
    struct stage *s = *state;
    struct sp_buf b = SP_BUF_INIT;

    for (enum sp_msg_type type = SP_MSG_SERVER_HELLO; type < SP_MSG_TYPES; type++) {
        const struct sp_msg_info *info = sp_msg_info(type);
        const char *reason = !info->from_client   ? "from the wrong side"
                             : !info->when_normal ? "outside of enrolling"
                                                  : "before the hello";
        struct wire w;

        if (type == SP_MSG_GOODBYE)
            continue;
        sp_buf_reset(&b);
        put_any(&b, type);
        if (type != SP_MSG_CLIENT_HELLO) { /* before the hello */
            open_mute(&w, s, &s->mallory);
            assert_true(wire_send(&w, b.data, b.len, 2000));
            closed_with(&w, info->name, reason);
        }
        if (!info->from_client || !info->when_normal ||
            type == SP_MSG_CLIENT_HELLO) { /* after it */
            wire_open(&w, &s->r, &s->mallory, stage_from(s));
            assert_true(wire_send(&w, b.data, b.len, 2000));
            closed_with(&w, info->name, type == SP_MSG_CLIENT_HELLO ? "after the hello" : reason);
        }
        if (!info->when_enrolling || !info->from_client) { /* while enrolling */
            wire_open(&w, &s->r, NULL, stage_from(s));
            assert_true(wire_send(&w, b.data, b.len, 2000));
            closed_with(
                &w, info->name, !info->from_client ? "from the wrong side" : "while enrolling");
        }
    }
    sp_buf_free(&b);
    stage_goes_on(s, 1, 10000);
    stage_passed++;
}

void
test_hellos(void **state)
{
    static const struct {
        const char *name;
        struct sp_msg m;
        enum sp_code code;
        const char *reason;
    } rows[] = {
        {"version 2", {.client_hello = {.major = 2, .reply_credit = SP_REPLY_CREDIT}},
            SP_UNSUPPORTED, "version 2.0"},
        {"version 0", {.client_hello = {.major = 0, .reply_credit = SP_REPLY_CREDIT}},
            SP_UNSUPPORTED, "version 0.0"},
        {"version 1.9", {.client_hello = {.major = 1, .minor = 9, .reply_credit = SP_REPLY_CREDIT}},
            SP_UNSUPPORTED, "version 1.9"},
        {"no credit", {.client_hello = {.major = 1}}, SP_PROTOCOL, "credit out of bounds"},
        {"all credit", {.client_hello = {.major = 1, .reply_credit = UINT32_MAX}}, SP_PROTOCOL,
            "credit out of bounds"},
        {"another group",
            {.client_hello = {.major = 1,
                 .reply_credit = SP_REPLY_CREDIT,
                 .has_group = true,
                 .group = {1, 2, 3}}},
            SP_REFUSED, "another key group"},
    };
    struct stage *s = *state;
    struct sp_buf b = SP_BUF_INIT, h = SP_BUF_INIT, f = SP_BUF_INIT;
    struct wire w;
    struct ending end;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct sp_msg m = rows[i].m;

        m.type = SP_MSG_CLIENT_HELLO;
        sp_buf_reset(&b);
        frame_put(&b, &m, NULL, 0);
        open_mute(&w, s, &s->mallory);
        assert_true(wire_send(&w, b.data, b.len, 1000));
        wire_ending(&w, &end, 5000);
        if (!end.closed || !end.goodbye || end.bye.error.code != rows[i].code ||
            strstr(end.bye.error.text, rows[i].reason) == NULL)
            fail_msg("%s: %s", rows[i].name, end.bye.error.text);
        wire_close(&w);
        cases++;
    }
    /* Thousands of features; one that is no word; a program that draws on the terminal. */
    for (int i = 0; i < 3; i++) {
        sp_buf_reset(&b);
        sp_buf_reset(&h);
        sp_buf_reset(&f);
        pb_varint(&f, 1, 1);
        pb_varint(&f, 6, SP_REPLY_CREDIT);
        if (i == 0)
            while (f.len < 60000)
                pb_bytes(&f, 3, "a", 1);
        else if (i == 1)
            pb_bytes(&f, 3, "../x", 4);
        else
            pb_bytes(&f, 4, "\x1b]0;x\x07", 6);
        pb_bytes(&h, B_HELLO, f.data, f.len);
        frame_raw(&b, h.data, h.len, 0);
        open_mute(&w, s, &s->mallory);
        assert_true(wire_send(&w, b.data, b.len, 1000));
        closed_with(&w, "a hello", i == 0 ? "cannot be read" : "a ClientHello with a field");
    }
    sp_buf_free(&b);
    sp_buf_free(&h);
    sp_buf_free(&f);
    stage_passed++;
}

/* --- tags, requests, credit ----------------------------------------------------------------------
 */

void
test_order(void **state)
{
    struct stage *s = *state;
    struct sp_buf b = SP_BUF_INIT;
    struct sp_msg m;
    struct wire w;
    uint32_t tag;

    m = any_of(SP_MSG_FLUSH); /* a tag in flight again */
    frame_put(&b, &m, NULL, 0);
    frame_put(&b, &m, NULL, 0);
    wire_open(&w, &s->r, &s->mallory, stage_from(s));
    assert_true(wire_send(&w, b.data, b.len, 1000));
    closed_with(&w, "a tag twice", "tag 5, which is in flight");

    sp_buf_reset(&b); /* one request too many */
    for (tag = 1; tag <= SP_REQUESTS_MAX + 1; tag++) {
        m = any_of(SP_MSG_MISSING);
        m.tag = tag;
        frame_put(&b, &m, NULL, 0);
    }
    wire_open(&w, &s->r, &s->mallory, stage_from(s));
    assert_true(wire_send(&w, b.data, b.len, 1000));
    closed_with(&w, "65 requests", "more than 64 requests");

    sp_buf_reset(&b);
    m = any_of(SP_MSG_PONG);
    frame_put(&b, &m, NULL, 0);
    wire_open(&w, &s->r, &s->mallory, stage_from(s));
    assert_true(wire_send(&w, b.data, b.len, 1000));
    closed_with(&w, "a Pong", "a Pong that nobody asked");

    sp_buf_reset(&b);
    m = any_of(SP_MSG_PING);
    for (int i = 0; i < 1000; i++)
        frame_put(&b, &m, NULL, 0);
    wire_open(&w, &s->r, &s->mallory, stage_from(s));
    (void)wire_send(&w, b.data, b.len, 1000);
    closed_with(&w, "Pings", "a second Ping");

    m = any_of(SP_MSG_CREDIT);
    for (int i = 0; i < 3; i++) {
        sp_buf_reset(&b);
        m.credit.bytes = i == 0 ? 0 : i == 1 ? UINT32_MAX : 200u << 20;
        frame_put(&b, &m, NULL, 0);
        if (i == 2)
            frame_put(&b, &m, NULL, 0);
        wire_open(&w, &s->r, &s->mallory, stage_from(s));
        assert_true(wire_send(&w, b.data, b.len, 1000));
        closed_with(&w, "Credit", "a Credit of nothing or of more");
    }
    sp_buf_free(&b);
    stage_goes_on(s, 1, 10000);
    stage_passed++;
}

/* Puts wait while this is set, as they do on a slow disk: how many wait is not the machine's choice. */
static atomic_bool disk_is_slow;
enum sp_code __real_sp_conn_run_put(struct sp_conn *c, struct conn_job *j, struct sp_err *e);
enum sp_code __wrap_sp_conn_run_put(struct sp_conn *c, struct conn_job *j, struct sp_err *e);

enum sp_code
__wrap_sp_conn_run_put(struct sp_conn *c, struct conn_job *j, struct sp_err *e)
{
    for (int i = 0; i < 1000 && atomic_load(&disk_is_slow); i++)
        (void)nanosleep(&(struct timespec){0, 10000000}, NULL);
    return __real_sp_conn_run_put(c, j, e);
}

/* More is put than was granted, in the smallest pieces: the server holds no more than the credit.
 */
void
test_put_beyond_credit(void **state)
{
    struct stage *s = *state;
    struct sp_buf b = SP_BUF_INIT, block = SP_BUF_INIT;
    struct sp_msg m = any_of(SP_MSG_PUT);
    struct wire w;
    struct sp_id id;
    size_t before = heap_now(), most = 0;
    unsigned n = 0;

    member_block(&s->mallory, SP_BLOCK_FILES, NULL, 0, NULL, 10, &block, &id);
    for (int i = 0; i < 100; i++)
        frame_put(&b, &m, block.data, block.len);
    assert_true(b.len <= 65536); /* one write of TLS: what could not be sent yet goes with the next */
    wire_open(&w, &s->r, &s->mallory, stage_from(s));
    atomic_store(&disk_is_slow, true);
    while (n < 80000) {
        if (!wire_send(&w, b.data, b.len, 300) && !atomic_exchange(&disk_is_slow, false))
            break;
        n += 100;
        note_heap(before, &most);
        if (wire_fill(&w, 0) && w.eof)
            break;
    }
    atomic_store(&disk_is_slow, false);
    closed_with(&w, "puts", "over the credit");
    print_message("puts beyond credit: %u sent, at most %zu KiB more in use\n", n, most >> 10);
    if (most > (14u << 20))
        fail_msg("%zu bytes in use for the puts that wait", most);
    sp_buf_free(&b);
    sp_buf_free(&block);
    stage_goes_on(s, 1, 20000);
    stage_memory(s, 8u << 20, "puts");
    stage_passed++;
}
