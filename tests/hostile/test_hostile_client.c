/* A hostile client against the real server: with a certificate, without one, without TLS. An honest
 * host goes on beside every attack (stage.h). */

#include "stage.h"

#include <sys/resource.h>

#include <openssl/err.h>

#include "storage/crypto.h"

static unsigned long cases;

static void
note_heap(size_t before, size_t *most)
{
    size_t now = heap_now();

    if (now > before && now - before > *most)
        *most = now - before;
}

static void
closed_with(struct wire *w, const char *name, const char *reason)
{
    struct ending end;

    wire_ending(w, &end, 5000);
    cases++;
    if (!end.closed)
        fail_msg("%s: the connection is open after %d ms", name, (int)end.took_ms);
    if (!end.goodbye)
        fail_msg("%s: no goodbye", name);
    if (end.bye.error.code != SP_PROTOCOL || strstr(end.bye.error.text, reason) == NULL)
        fail_msg("%s: %s: %s; wanted \"%s\"", name, sp_code_word(end.bye.error.code),
            end.bye.error.text, reason);
    wire_close(w);
}

/* The server still answers over this connection, and ends it in order. */
static void
served(struct wire *w, const char *name)
{
    struct sp_msg flush = {.type = SP_MSG_FLUSH, .tag = 77777}, bye = {.type = SP_MSG_GOODBYE};
    struct sp_buf b = SP_BUF_INIT;
    struct sp_frame f;
    struct ending end;
    bool found = false;

    cases++;
    frame_put(&b, &flush, NULL, 0);
    if (!wire_send(w, b.data, b.len, 2000))
        fail_msg("%s: nothing more is taken", name);
    while (!found && wire_frame(w, &f, 8000)) {
        if (f.msg.type == SP_MSG_GOODBYE)
            fail_msg("%s: goodbye: %s", name, f.msg.error.text);
        found = f.msg.tag == 77777;
        sp_frame_clear(&f);
    }
    if (!found)
        fail_msg("%s: the server does not answer any more", name);
    sp_buf_reset(&b);
    frame_put(&b, &bye, NULL, 0);
    assert_true(wire_send(w, b.data, b.len, 2000));
    sp_buf_free(&b);
    wire_ending(w, &end, 5000);
    assert_true(end.closed);
    wire_close(w);
}

/* --- frames --------------------------------------------------------------------------------------
 */

/* Header with a tag and one body. */
static void
header(struct sp_buf *b, uint64_t tag, unsigned body, const void *p, size_t n)
{
    pb_varint(b, 1, tag);
    pb_bytes(b, body, p, n);
}

enum {
    B_HELLO = 11,
    B_PUT = 15,
    B_CANCEL = 17,
    B_FLUSH = 20,
    B_HAVE = 21,
    B_HEAD = 22,
    B_COMMIT = 23,
    B_GET = 24,
    B_MISSING = 26,
    B_SLOTS = 27,
    B_HOST = 29,
    B_PART = 9
};

struct raw_case {
    const char *name;
    void (*make)(struct sp_buf *b);
    const char *reason; /* NULL: it is served */
};

static void
prefix(struct sp_buf *b, uint32_t head, uint32_t payload)
{
    sp_buf_put_u32(b, head);
    sp_buf_put_u32(b, payload);
}

#define CASE(name) static void name(struct sp_buf *b)
#define BODY(body, bytes)                                                                          \
    do {                                                                                           \
        struct sp_buf h_ = SP_BUF_INIT;                                                            \
        header(&h_, 5, body, bytes, sizeof(bytes) - 1);                                            \
        frame_raw(b, h_.data, h_.len, 0);                                                          \
        sp_buf_free(&h_);                                                                          \
    } while (0)
#define CLAIM(body, bytes, payload)                                                                \
    do {                                                                                           \
        struct sp_buf h_ = SP_BUF_INIT;                                                            \
        header(&h_, 5, body, bytes, sizeof(bytes) - 1);                                            \
        frame_raw(b, h_.data, h_.len, payload);                                                    \
        sp_buf_free(&h_);                                                                          \
    } while (0)

CASE(header_of_nothing)
{
    prefix(b, 0, 0);
}
CASE(header_of_4g)
{
    prefix(b, UINT32_MAX, 0);
}
CASE(header_one_over)
{
    prefix(b, SP_FRAME_HEADER_MAX + 1, 0);
}
CASE(payload_of_4g)
{
    prefix(b, 1, UINT32_MAX);
}
CASE(payload_one_over)
{
    prefix(b, 4, SP_FRAME_PAYLOAD_MAX + 1);
}
CASE(sum_overflows)
{
    prefix(b, 0x80000000u, 0x80000008u);
}
CASE(put_one_over)
{
    struct sp_buf h = SP_BUF_INIT;

    pb_bytes(&h, B_PUT, "", 0);
    frame_raw(b, h.data, h.len, SP_BLOCK_MAX + 1);
    sp_buf_free(&h);
}
CASE(put_of_nothing)
{
    struct sp_buf h = SP_BUF_INIT;

    pb_bytes(&h, B_PUT, "", 0);
    frame_raw(b, h.data, h.len, 0);
    sp_buf_free(&h);
}
CASE(put_with_a_tag)
{
    CLAIM(B_PUT, "", 10);
}
CASE(have_of_2_32_ids)
{
    CLAIM(B_HAVE, "", 0xffffffe0u);
}
CASE(have_one_too_many)
{
    CLAIM(B_HAVE, "", 32 * (SP_IDS_MAX + 1));
}
CASE(have_of_none)
{
    BODY(B_HAVE, "");
}
CASE(half_an_id)
{
    CLAIM(B_HAVE, "", 48);
}
CASE(get_of_none)
{
    BODY(B_GET, "");
}
CASE(record_too_long)
{
    struct sp_buf h = SP_BUF_INIT;

    pb_varint(&h, 1, 5);
    pb_varint(&h, 3, UINT32_MAX); /* total */
    pb_bytes(&h, B_COMMIT, "\x08\x01", 2);
    frame_raw(b, h.data, h.len, SP_FRAME_PAYLOAD_MAX);
    sp_buf_free(&h);
}
CASE(cut_too_early)
{
    struct sp_buf h = SP_BUF_INIT;

    pb_varint(&h, 1, 5);
    pb_varint(&h, 3, 10u << 20);
    pb_bytes(&h, B_COMMIT, "\x08\x01", 2);
    frame_raw(b, h.data, h.len, 4096);
    sp_buf_free(&h);
}
CASE(a_part_of_nothing)
{
    BODY(B_PART, "");
}
CASE(a_message_in_a_message)
{
    struct sp_buf h = SP_BUF_INIT;

    pb_varint(&h, 1, 5);
    pb_varint(&h, 3, 10u << 20);
    pb_bytes(&h, B_COMMIT, "\x08\x01", 2);
    frame_raw(b, h.data, h.len, SP_FRAME_PAYLOAD_MAX);
    sp_buf_put_zero(b, SP_FRAME_PAYLOAD_MAX);
    sp_buf_free(&h);
    BODY(B_FLUSH, "");
}
CASE(no_body)
{
    struct sp_buf h = SP_BUF_INIT;

    pb_varint(&h, 1, 5);
    frame_raw(b, h.data, h.len, 0);
    sp_buf_free(&h);
}
CASE(body_of_tomorrow)
{
    BODY(999, "");
}
CASE(body_zero_field)
{
    BODY(0, "");
}
CASE(varint_without_end)
{
    frame_raw(b, "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 14, 0);
}
CASE(length_beyond_the_header)
{
    frame_raw(b, "\x08\x05\xb2\x01\x7f\x0a", 6, 0);
}
CASE(length_of_2_63)
{
    frame_raw(b, "\x08\x05\xb2\x01\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 13, 0);
}
CASE(groups_of_old)
{
    frame_raw(b, "\x08\x05\xa3\x01\xa4\x01", 6, 0);
}
CASE(tag_as_a_string)
{
    frame_raw(b, "\x0a\x01\x05\xa2\x01\x00", 6, 0);
}
CASE(tag_zero)
{
    struct sp_buf h = SP_BUF_INIT;

    header(&h, 0, B_FLUSH, "", 0);
    frame_raw(b, h.data, h.len, 0);
    sp_buf_free(&h);
}
CASE(a_request_that_is_the_last)
{
    struct sp_buf h = SP_BUF_INIT;

    pb_varint(&h, 2, 1);
    header(&h, 5, B_FLUSH, "", 0);
    frame_raw(b, h.data, h.len, 0);
    sp_buf_free(&h);
}
CASE(host_of_15_bytes)
{
    BODY(B_HOST, "\x0a\x0f"
                 "123456789012345");
}
CASE(host_of_17_bytes)
{
    BODY(B_HOST, "\x0a\x11"
                 "12345678901234567");
}
CASE(group_of_4_bytes)
{
    BODY(B_SLOTS, "\x0a\x04"
                  "1234");
}
CASE(job_of_nothing)
{
    BODY(B_HEAD, "");
}
CASE(job_with_a_nul)
{
    BODY(B_HEAD, "\x0a\x03"
                 "a\0b");
}
CASE(job_with_an_escape)
{
    BODY(B_HEAD, "\x0a\x06"
                 "\x1b[31mx");
}
CASE(job_that_is_no_utf8)
{
    BODY(B_HEAD, "\x0a\x04"
                 "\xff\xfe\xc0\x80");
}
CASE(job_with_a_bidi_control)
{
    BODY(B_HEAD, "\x0a\x05"
                 "a\xe2\x80\xae"
                 "b");
}
CASE(job_of_256_bytes)
{
    struct sp_buf h = SP_BUF_INIT, job = SP_BUF_INIT;
    uint8_t text[256];

    memset(text, 'j', sizeof(text));
    pb_bytes(&job, 1, text, sizeof(text));
    header(&h, 5, B_HEAD, job.data, job.len);
    frame_raw(b, h.data, h.len, 0);
    sp_buf_free(&h);
    sp_buf_free(&job);
}
CASE(commit_of_no_type)
{
    CLAIM(B_COMMIT, "", 10);
}
CASE(commit_of_type_minus_1)
{
    CLAIM(B_COMMIT, "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10);
}
CASE(check_of_depth_9)
{
    BODY(31, "\x08\x09");
}
CASE(check_of_part_3_of_2)
{
    BODY(31, "\x10\x03\x18\x02");
}
CASE(a_second_hello)
{
    BODY(B_HELLO, "\x08\x01\x30\x80\x80\x80\x0a");
}
CASE(random_bytes)
{
    uint64_t seed = hostile_seed();

    for (int i = 0; i < 1000; i++)
        sp_buf_put_u8(b, (uint8_t)hostile_random(&seed));
    b->data[3] = 0xee; /* whatever the seed: no header is so long */
}
/* What is odd, but allowed. */
CASE(a_field_a_million_times)
{
    struct sp_buf h = SP_BUF_INIT;

    while (h.len < SP_FRAME_HEADER_MAX - 16)
        pb_varint(&h, 1, 1 + h.len);
    header(&h, 5, B_FLUSH, "", 0);
    frame_raw(b, h.data, h.len, 0);
    sp_buf_free(&h);
}
CASE(a_body_ten_thousand_times)
{
    struct sp_buf h = SP_BUF_INIT;

    pb_varint(&h, 1, 5);
    while (h.len < SP_FRAME_HEADER_MAX - 16)
        pb_bytes(&h, B_HEAD, "\x0a\x01j", 3);
    frame_raw(b, h.data, h.len, 0);
    sp_buf_free(&h);
}
CASE(ten_thousand_unknown_fields)
{
    struct sp_buf h = SP_BUF_INIT;

    header(&h, 5, B_FLUSH, "", 0);
    while (h.len < SP_FRAME_HEADER_MAX - 16)
        pb_bytes(&h, 15000, "x", 1);
    frame_raw(b, h.data, h.len, 0);
    sp_buf_free(&h);
}
CASE(a_thousand_unknown_fields)
{
    struct sp_buf h = SP_BUF_INIT;

    header(&h, 5, B_FLUSH, "", 0);
    for (int i = 0; i < 1000; i++)
        pb_bytes(&h, 15000, "x", 1);
    frame_raw(b, h.data, h.len, 0);
    sp_buf_free(&h);
}
CASE(a_field_five_hundred_times)
{
    struct sp_buf h = SP_BUF_INIT;

    for (uint64_t i = 0; i < 500; i++)
        pb_varint(&h, 1, 1 + i);
    header(&h, 5, B_FLUSH, "", 0);
    frame_raw(b, h.data, h.len, 0);
    sp_buf_free(&h);
}
CASE(two_bodies)
{
    struct sp_buf h = SP_BUF_INIT;

    header(&h, 5, B_FLUSH, "", 0);
    pb_bytes(&h, B_HEAD, "\x0a\x01j", 3);
    frame_raw(b, h.data, h.len, 0);
    sp_buf_free(&h);
}
CASE(copy_of_2_32)
{
    struct sp_buf h = SP_BUF_INIT;
    header(&h, 5, B_GET, "\x08\xff\xff\xff\xff\x0f", 6);
    frame_raw(b, h.data, h.len, 32);
    sp_buf_put_zero(b, 32);
    sp_buf_free(&h);
}
CASE(job_with_a_path)
{
    BODY(B_HEAD, "\x0a\x11"
                 "../../../etc/pass");
}
CASE(job_that_is_dots)
{
    BODY(B_HEAD, "\x0a\x02"
                 "..");
}
CASE(cancel_of_nothing)
{
    BODY(B_CANCEL, "");
}
CASE(missing_of_nothing)
{
    BODY(B_MISSING, "\x0a\x10"
                    "1234567890123456");
}

static const struct raw_case raw_cases[] = {
    {"header_of_nothing", header_of_nothing, "a header of 0 bytes"},
    {"header_of_4g", header_of_4g, "a header of 4294967295 bytes"},
    {"header_one_over", header_one_over, "a header of 65537 bytes"},
    {"payload_of_4g", payload_of_4g, "a payload of 4294967295 bytes"},
    {"payload_one_over", payload_one_over, "a payload of 9437185 bytes"},
    {"sum_overflows", sum_overflows, "a header of 2147483648 bytes"},
    {"put_one_over", put_one_over, "a payload of 8392705 bytes"},
    {"put_of_nothing", put_of_nothing, "a payload of 0 bytes"},
    {"put_with_a_tag", put_with_a_tag, "Put"},
    {"have_of_2_32_ids", have_of_2_32_ids, "a payload of 4294967264 bytes"},
    {"have_one_too_many", have_one_too_many, "a payload of 2097184 bytes"},
    {"have_of_none", have_of_none, "a payload of 0 bytes"},
    {"half_an_id", half_an_id, "not made of the parts"},
    {"get_of_none", get_of_none, "a payload of 0 bytes"},
    {"record_too_long", record_too_long, "a payload of 4294967295 bytes"},
    {"cut_too_early", cut_too_early, "cut at the wrong place"},
    {"a_part_of_nothing", a_part_of_nothing, "the continuation of no message"},
    {"a_message_in_a_message", a_message_in_a_message, "a Flush inside another message"},
    {"no_body", no_body, "an unknown type"},
    {"body_of_tomorrow", body_of_tomorrow, "an unknown type"},
    {"body_zero_field", body_zero_field, ""},
    {"varint_without_end", varint_without_end, "cannot be read"},
    {"length_beyond_the_header", length_beyond_the_header, "cannot be read"},
    {"length_of_2_63", length_of_2_63, "cannot be read"},
    {"groups_of_old", groups_of_old, ""},
    {"tag_as_a_string", tag_as_a_string, ""},
    {"tag_zero", tag_zero, "a Flush with a field"},
    {"a_request_that_is_the_last", a_request_that_is_the_last, "a Flush with a field"},
    {"host_of_15_bytes", host_of_15_bytes, "a Host with a field"},
    {"host_of_17_bytes", host_of_17_bytes, "a Host with a field"},
    {"group_of_4_bytes", group_of_4_bytes, "a Slots with a field"},
    {"job_of_nothing", job_of_nothing, "a Head with a field"},
    {"job_with_a_nul", job_with_a_nul, NULL}, /* a job named by what stands before it */
    {"job_with_an_escape", job_with_an_escape, "a Head with a field"},
    {"job_that_is_no_utf8", job_that_is_no_utf8, ""},
    {"job_with_a_bidi_control", job_with_a_bidi_control, "a Head with a field"},
    {"job_of_256_bytes", job_of_256_bytes, "a Head with a field"},
    {"commit_of_no_type", commit_of_no_type, "a Commit with a field"},
    {"commit_of_type_minus_1", commit_of_type_minus_1, "a Commit with a field"},
    {"check_of_depth_9", check_of_depth_9, "a Check with a field"},
    {"check_of_part_3_of_2", check_of_part_3_of_2, "a Check with a field"},
    {"a_second_hello", a_second_hello, "a ClientHello with a field"},
    {"random_bytes", random_bytes, "a header of "},
    {"a_field_a_million_times", a_field_a_million_times, "cannot be read"},
    {"a_body_ten_thousand_times", a_body_ten_thousand_times, "cannot be read"},
    {"ten_thousand_unknown_fields", ten_thousand_unknown_fields, "cannot be read"},
    {"a_thousand_unknown_fields", a_thousand_unknown_fields, NULL},
    {"a_field_five_hundred_times", a_field_five_hundred_times, NULL},
    {"two_bodies", two_bodies, NULL},
    {"copy_of_2_32", copy_of_2_32, NULL},
    {"job_with_a_path", job_with_a_path, NULL},
    {"job_that_is_dots", job_that_is_dots, NULL},
    {"cancel_of_nothing", cancel_of_nothing, NULL},
    {"missing_of_nothing", missing_of_nothing, NULL},
};

static void
test_frames(void **state)
{
    struct stage *s = *state;
    struct sp_buf b = SP_BUF_INIT;

    for (size_t i = 0; i < sizeof(raw_cases) / sizeof(raw_cases[0]); i++) {
        const struct raw_case *c = &raw_cases[i];
        unsigned before = heard_with(&s->heard, "broke the protocol");
        struct wire w;

        sp_buf_reset(&b);
        c->make(&b);
        wire_open(&w, &s->r, &s->mallory, stage_from(s));
        /* It may close before it took all. */
        (void)wire_send(&w, b.data, b.len, 2000);
        if (c->reason == NULL) {
            served(&w, c->name);
            continue;
        }
        closed_with(&w, c->name, c->reason);
        for (int k = 0; k < 200 && heard_with(&s->heard, "broke the protocol") == before; k++)
            sp_sleep_ms(5);
        if (heard_with(&s->heard, "broke the protocol") != before + 1)
            fail_msg("%s: not one line in the log", c->name);
    }
    sp_buf_free(&b);
    stage_goes_on(s, 2, 10000);
    stage_memory(s, 4u << 20, "frames");
    stage_passed++;
}

/* Byte by byte it is the same. */
static void
test_frames_in_pieces(void **state)
{
    struct stage *s = *state;
    struct sp_buf b = SP_BUF_INIT;

    for (size_t i = 0; i < sizeof(raw_cases) / sizeof(raw_cases[0]); i++) {
        const struct raw_case *c = &raw_cases[i];
        struct wire w;

        sp_buf_reset(&b);
        c->make(&b);
        if (b.len > (hostile_long() ? 4096u : 32u))
            continue;
        wire_open(&w, &s->r, &s->mallory, stage_from(s));
        for (size_t at = 0; at < b.len; at++)
            if (!wire_send(&w, b.data + at, 1, 2000))
                break;
        if (c->reason == NULL)
            served(&w, c->name);
        else
            closed_with(&w, c->name, c->reason);
    }
    sp_buf_free(&b);
    stage_passed++;
}

/* --- messages in the wrong place -----------------------------------------------------------------
 */

static struct sp_msg
any_of(enum sp_msg_type type)
{
    struct sp_msg m;

    memset(&m, 0, sizeof(m));
    m.type = type;
    switch (sp_msg_info(type)->kind) {
    case SP_KIND_REQUEST:
    case SP_KIND_REPLY:
    case SP_KIND_ITEM:
        m.tag = 5;
        break;
    default:
        m.tag = type == SP_MSG_CANCEL ? 5 : 0;
    }
    if (type == SP_MSG_HEAD)
        strcpy(m.head.job, "j");
    if (type == SP_MSG_COMMIT || type == SP_MSG_LIST_ITEM)
        m.commit.type = m.list_item.type = 1;
    if (type == SP_MSG_BLOCK)
        m.block.wanted = 1;
    if (type == SP_MSG_ERROR)
        m.error.code = SP_FULL;
    if (type == SP_MSG_ENROLL) {
        m.enroll.secret_len = 16;
        strcpy(m.enroll.host_name, "x");
    }
    if (type == SP_MSG_ENROLL_REPLY) {
        strcpy(m.enroll_reply.host_name, "x");
        m.enroll_reply.chain_len = m.enroll_reply.authority_len = 16;
    }
    if (type == SP_MSG_ENROLL_END)
        m.enroll_end.record_len = 32;
    if (type == SP_MSG_CLIENT_HELLO) {
        m.client_hello.major = 1;
        m.client_hello.reply_credit = SP_REPLY_CREDIT;
    }
    return m;
}

static void
put_any(struct sp_buf *b, enum sp_msg_type type)
{
    struct sp_msg m = any_of(type);
    uint8_t payload[64] = {0};
    const struct sp_msg_info *info = sp_msg_info(type);
    size_t n = info->payload_min;

    if (type == SP_MSG_ENROLL_REPLY || type == SP_MSG_ENROLL_END)
        n = 32;
    frame_put(b, &m, payload, n);
}

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
static void
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

static void
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

static void
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

/* More is put than was granted, in the smallest pieces: the server holds no more than the credit.
 */
static void
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
    for (int i = 0; i < 500; i++)
        frame_put(&b, &m, block.data, block.len);
    wire_open(&w, &s->r, &s->mallory, stage_from(s));
    while (n < 80000 && wire_send(&w, b.data, b.len, 300)) {
        n += 500;
        note_heap(before, &most);
        if (wire_fill(&w, 0) && w.eof)
            break;
    }
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

/* --- what is asked for but not due ---------------------------------------------------------------
 */

/* The reply to one request, as code (SP_OK: no Error). */
static enum sp_code
ask_as(struct stage *s, const struct member *who, const struct sp_msg *m, const void *p, size_t n,
    struct sp_buf *ret_payload, unsigned *ret_items)
{
    struct sp_buf b = SP_BUF_INIT;
    struct sp_frame f;
    struct wire w;
    enum sp_code rc = SP_TIMEOUT;

    *ret_items = 0;
    cases++;
    wire_open(&w, &s->r, who, stage_from(s));
    frame_put(&b, m, p, n);
    assert_true(wire_send(&w, b.data, b.len, 2000));
    while (rc == SP_TIMEOUT && wire_frame(&w, &f, 8000)) {
        if (f.msg.type == SP_MSG_ERROR && f.msg.tag == m->tag) {
            rc = f.msg.error.code;
            assert_true(f.msg.error.text[0] != '\0');
        } else if (f.msg.type == SP_MSG_GOODBYE) {
            fail_msg("%s: %s", sp_msg_info(m->type)->name, f.msg.error.text);
        } else if (f.msg.tag == m->tag && !f.msg.last) {
            (*ret_items)++;
        } else if (f.msg.tag == m->tag) {
            rc = SP_OK;
            if (ret_payload != NULL) {
                sp_buf_reset(ret_payload);
                sp_buf_put(ret_payload, f.payload, f.payload_len);
            }
        }
        sp_frame_clear(&f);
    }
    sp_buf_free(&b);
    wire_close(&w);
    assert_true(rc != SP_TIMEOUT);
    return rc;
}

static void
test_foreign_things(void **state)
{
    struct stage *s = *state;
    const struct peer_set *set = &s->honest.first;
    struct sp_buf p = SP_BUF_INIT, record = SP_BUF_INIT;
    struct sp_id ids[2] = {set->data, set->root};
    struct member liar;
    struct sp_msg m;
    unsigned items;
    uint8_t set_id[16];

    m = any_of(SP_MSG_GET);
    assert_int_equal(ask_as(s, &s->mallory, &m, ids, sizeof(ids), NULL, &items), SP_OK);
    assert_int_equal(items, 0);
    for (int nodes = 0; nodes < 2; nodes++) {
        m = any_of(SP_MSG_HAVE);
        m.have.nodes = nodes;
        assert_int_equal(ask_as(s, &s->mallory, &m, ids, sizeof(ids), &p, &items), SP_OK);
        assert_int_equal(p.len, 2);
        assert_true(p.data[0] == 0 && p.data[1] == 0);
    }
    m = any_of(SP_MSG_MISSING);
    memcpy(m.missing.set_id, set->set_id, 16);
    assert_int_equal(ask_as(s, &s->mallory, &m, NULL, 0, NULL, &items), SP_ABSENT);
    assert_int_equal(ask_as(s, &s->mate, &m, NULL, 0, NULL, &items), SP_ABSENT);
    m = any_of(SP_MSG_HOST);
    memcpy(m.host.host, s->honest.m.host, 16);
    assert_int_equal(ask_as(s, &s->mallory, &m, NULL, 0, NULL, &items), SP_ABSENT);
    m = any_of(SP_MSG_SLOTS);
    m.slots.has_group = true;
    memcpy(m.slots.group, s->honest.m.group, 16);
    assert_int_equal(ask_as(s, &s->mallory, &m, NULL, 0, NULL, &items), SP_DENIED);
    m = any_of(SP_MSG_LIST);
    m.list.all_hosts = true;
    assert_int_equal(ask_as(s, &s->mallory, &m, NULL, 0, NULL, &items), SP_OK);
    assert_int_equal(items, 0);
    assert_int_equal(ask_as(s, &s->mate, &m, NULL, 0, NULL, &items), SP_OK);
    assert_int_equal(items, 0);
    m = any_of(SP_MSG_HEAD); /* of another host's job: there is no such thing */
    strcpy(m.head.job, "first");
    assert_int_equal(ask_as(s, &s->mate, &m, NULL, 0, &p, &items), SP_OK);
    assert_int_equal(p.len, 0);

    /* Records: of another host, of another group, not signed by the host, of a root that is another
     * host's, without anything below them. */
    m = any_of(SP_MSG_COMMIT);
    liar = s->mate; /* keys of the group; says that it is the honest host */
    memcpy(liar.host, s->honest.m.host, 16);
    member_set(&liar, SP_RECORD_SET, "files", 1, NULL, &set->root, &record, set_id);
    assert_int_equal(ask_as(s, &s->mate, &m, record.data, record.len, NULL, &items), SP_REFUSED);
    sp_buf_reset(&record);
    member_set(&s->mate, SP_RECORD_SET, "files", 1, NULL, &set->root, &record, set_id);
    assert_int_equal(ask_as(s, &s->mate, &m, record.data, record.len, &p, &items), SP_OK);
    assert_int_equal(p.len, 32); /* nodes of others are not its own: missing */
    assert_memory_equal(p.data, set->root.b, 32);
    assert_true(ask_as(s, &s->mallory, &m, record.data, record.len, NULL, &items) != SP_OK);
    sp_buf_reset(&record);
    liar = s->mallory;
    memcpy(liar.group, s->honest.m.group, 16);
    member_set(&liar, SP_RECORD_SET, "files", 1, NULL, &set->root, &record, set_id);
    assert_true(ask_as(s, &s->mallory, &m, record.data, record.len, NULL, &items) != SP_OK);
    sp_buf_reset(&record);
    liar = s->mallory;
    memset(liar.secret, 7, 32);
    member_set(&liar, SP_RECORD_SET, "files", 1, NULL, &set->root, &record, set_id);
    assert_true(
        ask_as(s, &s->mallory, &m, record.data, record.len, &p, &items) != SP_OK || p.len == 32);
    /* Commit of a set that says it is a checkpoint, of half a record, of noise. */
    m.commit.type = 2;
    assert_true(ask_as(s, &s->mallory, &m, record.data, record.len, NULL, &items) != SP_OK);
    m.commit.type = 1;
    assert_true(ask_as(s, &s->mallory, &m, record.data, record.len / 2, NULL, &items) != SP_OK);
    assert_true(ask_as(s, &s->mallory, &m, "noise", 5, NULL, &items) != SP_OK);
    /* A chain that begins in the middle. */
    sp_buf_reset(&record);
    member_set(&s->mallory, SP_RECORD_SET, "files", 7, set->hash, &set->root, &record, set_id);
    assert_true(
        ask_as(s, &s->mallory, &m, record.data, record.len, &p, &items) != SP_OK || p.len == 32);
    /* Nothing of it is there. */
    m = any_of(SP_MSG_LIST);
    assert_int_equal(ask_as(s, &s->mallory, &m, NULL, 0, NULL, &items), SP_OK);
    assert_int_equal(items, 0);
    assert_int_equal(ask_as(s, &s->mate, &m, NULL, 0, NULL, &items), SP_OK);
    assert_int_equal(items, 0);
    /* Keys and certificates. */
    m = any_of(SP_MSG_PUT_SLOT);
    assert_int_equal(ask_as(s, &s->mallory, &m, "noise", 5, NULL, &items), SP_INVALID);
    m = any_of(SP_MSG_HOST_PUT);
    assert_int_equal(ask_as(s, &s->mallory, &m, "noise", 5, NULL, &items), SP_INVALID);
    sp_buf_reset(&record);
    member_record(&s->mate, &record);
    assert_int_equal(ask_as(s, &s->mallory, &m, record.data, record.len, NULL, &items), SP_INVALID);
    m = any_of(SP_MSG_RENEW);
    assert_true(ask_as(s, &s->mallory, &m, "noise", 5, NULL, &items) != SP_OK);
    sp_buf_free(&p);
    sp_buf_free(&record);
    stage_goes_on(s, 1, 10000);
    stage_passed++;
}

/* --- blocks --------------------------------------------------------------------------------------
 */

/* Puts one block and flushes; the code that the uploads failed with, SP_OK: it was taken. */
static enum sp_code
put_as(struct stage *s, const struct member *who, bool nodes, const void *p, size_t n)
{
    struct sp_msg put = {.type = SP_MSG_PUT, .put = {.nodes = nodes}}, flush = any_of(SP_MSG_FLUSH);
    struct sp_buf b = SP_BUF_INIT;
    struct sp_frame f;
    struct wire w;
    enum sp_code rc = SP_OK;
    bool over = false;

    cases++;
    wire_open(&w, &s->r, who, stage_from(s));
    frame_put(&b, &put, p, n);
    frame_put(&b, &flush, NULL, 0);
    assert_true(wire_send(&w, b.data, b.len, 2000));
    while (!over && wire_frame(&w, &f, 8000)) {
        if (f.msg.type == SP_MSG_ERROR && f.msg.tag == 0)
            rc = f.msg.error.code;
        over = f.msg.tag == flush.tag;
        sp_frame_clear(&f);
    }
    assert_true(over);
    sp_buf_free(&b);
    wire_close(&w);
    return rc;
}

/* Whatever is changed in the clear part of a block that the server can know: refused. */
static void
test_blocks(void **state)
{
    struct stage *s = *state;
    struct sp_buf data = SP_BUF_INIT, node = SP_BUF_INIT, b = SP_BUF_INIT;
    struct sp_id id, root;
    /* magic, suite, kind, ids, lengths, group, epoch, zero, and an id out of order by its nature */
    static const unsigned at[] = {0, 3, 4, 5, 6, 7, 8, 10, 11, 12, 14, 15, 16, 24, 31};

    member_block(&s->mallory, SP_BLOCK_FILES, NULL, 0, NULL, 1000, &data, &id);
    member_block(&s->mallory, SP_BLOCK_NODES, &id, 1, NULL, 100, &node, &root);
    for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
        sp_buf_reset(&b);
        sp_buf_put(&b, data.data, data.len);
        b.data[at[i]] ^= 0x50;
        if (put_as(s, &s->mallory, false, b.data, b.len) == SP_OK)
            fail_msg("a block with byte %u changed was taken", at[i]);
    }
    for (size_t n = 1; n < data.len; n = n * 2 + 1)
        if (put_as(s, &s->mallory, false, data.data, n) == SP_OK)
            fail_msg("the first %zu bytes of a block were taken", n);
    sp_buf_reset(&b); /* more behind it */
    sp_buf_put(&b, data.data, data.len);
    sp_buf_put_zero(&b, 100);
    assert_true(put_as(s, &s->mallory, false, b.data, b.len) != SP_OK);
    assert_true(put_as(s, &s->mallory, true, data.data, data.len) != SP_OK);
    assert_true(put_as(s, &s->mallory, false, node.data, node.len) != SP_OK);
    sp_buf_reset(&b); /* refs: more than are there */
    sp_buf_put(&b, node.data, node.len);
    b.data[64 + 32] ^= 0x7f;
    assert_true(put_as(s, &s->mallory, true, b.data, b.len) != SP_OK);
    assert_int_equal(put_as(s, &s->mate, false, data.data, data.len), SP_REFUSED); /* other group */
    assert_int_equal(put_as(s, &s->mallory, false, data.data, data.len), SP_OK);
    sp_buf_free(&data);
    sp_buf_free(&node);
    sp_buf_free(&b);
    stage_passed++;
}

/* A block that claims an id it does not have: the server cannot know. It hurts nobody but who sent
 * it, not even in the same key group. */
static void
test_false_ids(void **state)
{
    struct stage *s = *state;
    struct sp_buf data = SP_BUF_INIT, p = SP_BUF_INIT;
    struct sp_id id, theirs = s->honest.first.data;
    struct member *who[2] = {&s->mallory, &s->mate};
    struct sp_msg m;
    unsigned items;

    for (int i = 0; i < 2; i++) {
        sp_buf_reset(&data);
        member_block(who[i], SP_BLOCK_FILES, NULL, 0, NULL, 1000, &data, &id);
        memcpy(data.data + 64, theirs.b, 32);
        assert_int_equal(put_as(s, who[i], false, data.data, data.len), SP_OK);
        m = any_of(SP_MSG_HAVE);
        assert_int_equal(ask_as(s, who[i], &m, theirs.b, 32, &p, &items), SP_OK);
        assert_int_equal(p.len, 1);
        assert_int_equal(p.data[0], 1); /* "mine": of its own garbage */
    }
    /* The honest host reads its own. */
    {
        struct sp_buf b = SP_BUF_INIT;
        struct sp_frame f;
        struct sp_opener *opener = NULL;
        struct sp_opened *opened = NULL;
        struct sp_chunk c;
        struct wire w;

        m = any_of(SP_MSG_GET);
        frame_put(&b, &m, theirs.b, 32);
        wire_open(&w, &s->r, &s->honest.m, 0);
        assert_true(wire_send(&w, b.data, b.len, 2000));
        assert_true(wire_frame(&w, &f, 8000));
        assert_int_equal(f.msg.type, SP_MSG_BLOCK);
        assert_ok(sp_opener_new(s->honest.m.keys, &opener, e));
        assert_ok(sp_block_open(opener, f.payload + 4, f.payload_len - 4, &opened, e));
        assert_true(sp_opened_find(opened, &theirs, &c));
        sp_opened_free(opened);
        sp_opener_free(opener);
        sp_frame_clear(&f);
        wire_close(&w);
        sp_buf_free(&b);
    }
    sp_buf_free(&data);
    sp_buf_free(&p);
    stage_goes_on(s, 1, 10000);
    stage_passed++;
}

/* --- floods over one session ---------------------------------------------------------------------
 */

/* The smallest frames there are, as fast as they go; and the dearest headers. */
static void
test_tiny_frames(void **state)
{
    struct stage *s = *state;
    struct sp_buf b = SP_BUF_INIT;
    struct sp_msg m = any_of(SP_MSG_CANCEL);
    struct wire w;
    unsigned total = hostile_long() ? 1000000 : 120000, n = 0;
    size_t before = heap_now(), most = 0;
    int64_t began = now_ms();

    while (b.len < 60000) {
        frame_put(&b, &m, NULL, 0);
        n++;
    }
    wire_open(&w, &s->r, &s->mallory, stage_from(s));
    for (unsigned sent = 0; sent < total; sent += n) {
        assert_true(wire_send(&w, b.data, b.len, 10000));
        note_heap(before, &most);
    }
    stage_goes_on(s, 1, 10000);
    served(&w, "tiny frames");
    print_message("%u tiny frames in %d ms, at most %zu KiB more in use\n", total,
        (int)(now_ms() - began), most >> 10);
    assert_true(most < (8u << 20));

    sp_buf_reset(&b);
    a_thousand_unknown_fields(&b);
    began = now_ms();
    wire_open(&w, &s->r, &s->mallory, stage_from(s));
    for (int i = 0; i < (hostile_long() ? 5000 : 300); i++) {
        struct sp_frame f;

        assert_true(wire_send(&w, b.data, b.len, 10000));
        assert_true(wire_frame(&w, &f, 10000));
        assert_int_equal(f.msg.type, SP_MSG_FLUSHED);
        sp_frame_clear(&f);
        note_heap(before, &most);
    }
    print_message("dear headers: %d ms\n", (int)(now_ms() - began));
    assert_true(most < (12u << 20));
    served(&w, "dear headers");
    sp_buf_free(&b);
    stage_goes_on(s, 1, 10000);
    stage_memory(s, 4u << 20, "tiny frames");
    stage_passed++;
}

/* Requests that fail, thousands of them: few lines in the log. */
static void
test_log_is_bounded(void **state)
{
    struct stage *s = *state;
    struct sp_buf b = SP_BUF_INIT;
    struct sp_msg m = any_of(SP_MSG_PUT_SLOT);
    unsigned before = heard_warnings(&s->heard);
    struct wire w;

    frame_put(&b, &m, "noise", 5);
    wire_open(&w, &s->r, &s->mallory, stage_from(s));
    for (int i = 0; i < 1000; i++) {
        struct sp_frame f;

        assert_true(wire_send(&w, b.data, b.len, 5000));
        assert_true(wire_frame(&w, &f, 5000));
        assert_int_equal(f.msg.type, SP_MSG_ERROR);
        sp_frame_clear(&f);
    }
    served(&w, "refusals");
    if (heard_warnings(&s->heard) > before + 20)
        fail_msg("%u warnings of 1000 refusals", heard_warnings(&s->heard) - before);
    assert_true(heard_warnings(&s->heard) > before);
    sp_buf_free(&b);
    stage_passed++;
}

/* Never reads: its answers wait, bounded; nobody else waits. */
static void
test_never_reads(void **state)
{
    struct stage *s = *state;
    struct sp_buf block = SP_BUF_INIT, b = SP_BUF_INIT;
    struct sp_msg put = any_of(SP_MSG_PUT), get = any_of(SP_MSG_GET), flush = any_of(SP_MSG_FLUSH);
    struct sp_msg head = any_of(SP_MSG_HEAD);
    struct sp_id ids[24];
    struct sp_frame f;
    struct wire w;
    size_t before, most = 0;

    wire_open(&w, &s->r, &s->mallory, stage_from(s));
    for (size_t i = 0; i < 24; i++) {
        sp_buf_reset(&block);
        sp_buf_reset(&b);
        member_block(&s->mallory, SP_BLOCK_FILES, NULL, 0, NULL, 900000, &block, &ids[i]);
        frame_put(&b, &put, block.data, block.len);
        assert_true(wire_send(&w, b.data, b.len, 10000));
    }
    sp_buf_reset(&b);
    frame_put(&b, &flush, NULL, 0);
    assert_true(wire_send(&w, b.data, b.len, 10000));
    while (wire_frame(&w, &f, 10000) && f.msg.type != SP_MSG_FLUSHED)
        sp_frame_clear(&f);
    assert_int_equal(f.msg.type, SP_MSG_FLUSHED);
    sp_frame_clear(&f);
    before = heap_now();
    sp_buf_reset(&b);
    for (get.tag = 1; get.tag <= 20; get.tag++)
        frame_put(&b, &get, ids, sizeof(ids));
    for (head.tag = 21; head.tag <= SP_REQUESTS_MAX; head.tag++)
        frame_put(&b, &head, NULL, 0);
    assert_true(wire_send(&w, b.data, b.len, 5000));
    for (int64_t end = now_ms() + 1200; now_ms() < end; sp_sleep_ms(5))
        note_heap(before, &most);
    stage_goes_on(s, 3, 10000); /* it puts, commits, gets meanwhile */
    print_message("never reads: at most %zu KiB more in use\n", most >> 10);
    assert_true(most > (1u << 20)); /* there is something to bound */
    if (most > (24u << 20))
        fail_msg("%zu bytes wait for who never reads", most);
    cases++;
    wire_close(&w);

    /* Its requests wait for it: no more of them are taken than the protocol allows. */
    {
        uint8_t *many = calloc(SP_IDS_MAX, 32);

        assert_non_null(many);
        wire_open(&w, &s->r, &s->mallory, stage_from(s));
        sp_buf_reset(&b);
        get.tag = 1;
        frame_put(&b, &get, ids, sizeof(ids));
        for (get.tag = 2; get.tag <= 10; get.tag++)
            frame_put(&b, &get, many, 32 * SP_IDS_MAX);
        (void)wire_send(&w, b.data, b.len, 5000);
        closed_with(&w, "18 MiB of requests", "requests in flight with more than");
        free(many);
    }
    sp_buf_free(&block);
    sp_buf_free(&b);
    stage_memory(s, 4u << 20, "who never reads");
    stage_passed++;
}

/* --- connections ---------------------------------------------------------------------------------
 */

static void
test_half_open(void **state)
{
    struct stage *s = *state;
    unsigned many = hostile_long() ? 800 : 300, open = 0, lines = s->heard.lines;
    struct wire *w = calloc(many, sizeof(*w));
    unsigned let_in = atomic_load(&s->honest.connects);
    size_t before = heap_now();

    assert_non_null(w);
    for (unsigned i = 0; i < many; i++) {
        assert_true(wire_connect(&w[i], s->r.port, 250));
        open++;
        if (i % 64 == 63)
            sp_sleep_ms(20);
    }
    cases += many;
    /* Honest ones are let in while they all are there: at least two new connections. */
    for (int64_t end = now_ms() + 15000; atomic_load(&s->honest.connects) < let_in + 2;) {
        if (now_ms() > end)
            fail_msg("%u half-open connections keep the honest ones out", open);
        sp_sleep_ms(10);
    }
    if (heap_now() > before && heap_now() - before > (24u << 20))
        fail_msg("%zu bytes for half-open connections", heap_now() - before);
    for (unsigned i = 0; i < many; i++)
        wire_close(&w[i]);
    free(w);
    assert_true(s->heard.lines < lines + many / 4 + 40);
    stage_goes_on(s, 1, 10000);
    stage_memory(s, 4u << 20, "half-open connections");
    stage_passed++;
}

/* The enrolment service wants no certificate: who sits there takes no place from others. */
static void
test_squatters(void **state)
{
    struct stage *s = *state;
    enum { MANY = 160 };
    static struct wire w[MANY];
    unsigned let_in, seated = 0;
    size_t before = heap_now();

    memset(w, 0, sizeof(w));
    for (unsigned i = 0; i < MANY; i++) {
        w[i].fd = -1;
        if (wire_try_open(&w[i], &s->r, NULL, 200 + i % 4))
            seated++;
    }
    cases += MANY;
    let_in = atomic_load(&s->honest.connects);
    for (int64_t end = now_ms() + 15000; atomic_load(&s->honest.connects) < let_in + 2;) {
        if (now_ms() > end)
            fail_msg("%u who pretend to enrol keep the honest ones out", seated);
        sp_sleep_ms(10);
    }
    /* A new host comes in, too. */
    {
        struct member fresh = {.keys = NULL};

        peer_enroll(&s->r, "fresh", &fresh);
        member_clear(&fresh);
    }
    for (unsigned i = 0, there = 0; i < MANY; i++) {
        while (w[i].fd >= 0 && wire_fill(&w[i], 0) && !w[i].eof)
            continue;
        there += w[i].fd >= 0 && !w[i].eof;
        if (i == MANY - 1 && there > SP_HALF_OPEN_MAX)
            fail_msg("%u strangers sit there at once", there);
    }
    if (heap_now() > before && heap_now() - before > (48u << 20))
        fail_msg("%zu bytes for strangers", heap_now() - before);
    for (unsigned i = 0; i < MANY; i++)
        wire_close(&w[i]);
    stage_goes_on(s, 1, 10000);
    stage_passed++;
}

/* One address that comes too often is turned away; the others are not. */
static void
test_flood(void **state)
{
    struct stage *s = *state;
    unsigned many = 400, turned_away = 0, let_in = atomic_load(&s->honest.connects);
    unsigned warnings = heard_warnings(&s->heard);

    for (unsigned i = 0; i < many; i++) {
        struct wire w;

        assert_true(wire_connect(&w, s->r.port, 251));
        (void)wire_send_raw(&w, "\x16\x03\x01\x00\x05hello", 10, 500);
        if (wire_fill(&w, 1000) && w.eof)
            turned_away++; /* without an alert */
        wire_close(&w);
    }
    cases += many;
    print_message("a flood of %u: %u turned away at once\n", many, turned_away);
    assert_true(turned_away > many / 2); /* 100 at once, 10 a second */
    assert_true(turned_away <= many - 50);
    for (int64_t end = now_ms() + 15000; atomic_load(&s->honest.connects) < let_in + 1;) {
        assert_true(now_ms() < end);
        sp_sleep_ms(10);
    }
    if (heard_warnings(&s->heard) - warnings > 40)
        fail_msg("%u warnings of one flood", heard_warnings(&s->heard) - warnings);
    stage_passed++;
}

/* --- TLS -----------------------------------------------------------------------------------------
 */

static void
no_tls(struct stage *s, const char *name, const void *p, size_t n)
{
    struct wire w;
    struct ending end;

    cases++;
    assert_true(wire_connect(&w, s->r.port, stage_from(s)));
    assert_true(wire_send_raw(&w, p, n, 1000));
    wire_ending(&w, &end, 5000);
    if (!end.closed)
        fail_msg("%s: not closed", name);
    if (w.got.len > 0 && w.got.data[0] != 21) /* an alert, nothing else */
        fail_msg("%s: %zu bytes came back", name, w.got.len);
    wire_close(&w);
}

static void
refused_tls(struct stage *s, const char *name, const struct wire_tls *o, int alert)
{
    struct wire w;
    struct ending end;
    bool shaken;

    cases++;
    assert_true(wire_connect(&w, s->r.port, stage_from(s)));
    shaken = wire_shake(&w, o, 5000);
    if (shaken && w.alert < 0)
        wire_ending(&w, &end, 5000); /* TLS 1.3: the first thing that is read */
    if (w.alert != alert || (alert < 0 && !w.eof))
        fail_msg("%s: alert %d (%s)", name, w.alert, w.error);
    if (w.got.len > 0)
        fail_msg("%s: %zu bytes were said to it", name, w.got.len);
    wire_close(&w);
}

static void
test_tls(void **state)
{
    struct stage *s = *state;
    struct sp_validity v = sp_validity_of(sp_clock_wall(&sp_clock_system), DAY_NS);
    struct wire_tls o = {.alpn = WIRE_NORMAL};
    struct sp_home home;
    char *authority = NULL, *key = NULL, *csr = NULL, *chain = NULL, *chain2 = NULL,
         *own_key = NULL;
    const char *names[] = {"127.0.0.1"};
    char *server_chain = NULL, *server_key = NULL;
    uint8_t noise[4096], id[16] = {4};
    uint64_t seed = hostile_seed();

    no_tls(s, "HTTP", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27);
    no_tls(s, "SSH", "SSH-2.0-OpenSSH_9.2\r\n", 21);
    no_tls(s, "zeros", (uint8_t[600]){0}, 600);
    no_tls(s, "a frame",
        "\x04\0\0\0\x03\0\0\0\x7a\x02\x08\x01"
        "abc",
        15);
    no_tls(s, "a record of 64 KiB", "\x16\x03\x01\xff\xff\x01\x00", 7);
    no_tls(s, "application data at once", "\x17\x03\x03\x00\x05hello", 10);
    no_tls(s, "an alert at once", "\x15\x03\x03\x00\x02\x02\x28", 7);
    {
        static uint8_t record[5 + 16384] = "\x16\x03\x01\x40\x00\x01\xff\xff\xff\x03\x03";

        no_tls(s, "a ClientHello of 16 MiB", record, sizeof(record));
    }
    for (int i = 0; i < (hostile_long() ? 200 : 10); i++) {
        for (size_t k = 0; k < sizeof(noise); k++)
            noise[k] = (uint8_t)hostile_random(&seed);
        noise[0] = 0xfe; /* never a record that waits for more */
        no_tls(s, "noise", noise, sizeof(noise));
    }

    o.version = TLS1_2_VERSION;
    refused_tls(s, "TLS 1.2", &o, SSL_AD_PROTOCOL_VERSION);
    o.version = TLS1_VERSION;
    refused_tls(s, "TLS 1.0", &o, SSL_AD_PROTOCOL_VERSION);
    o.version = 0;
    refused_tls(s, "no certificate", &o, SSL_AD_CERTIFICATE_REQUIRED);
    o.chain = s->mallory.tls_chain;
    o.key = s->mallory.tls_key;
    o.alpn = NULL; /* OpenSSL has no word for it: the connection just ends */
    refused_tls(s, "no ALPN", &o, -1);
    o.alpn = "h2,http/1.1,stillpoint/2,stillpoint";
    refused_tls(s, "another ALPN", &o, SSL_AD_NO_APPLICATION_PROTOCOL);

    /* Another authority; our authority, but not known; a server's certificate; an authority's own.
     */
    assert_ok(sp_cert_key(&own_key, e));
    assert_ok(sp_cert_request(own_key, &csr, e));
    assert_ok(sp_cert_authority(v, &authority, &key, e));
    assert_ok(
        sp_cert_issue(authority, key, csr, strlen(csr), s->honest.m.host, v, &chain, NULL, e));
    o = (struct wire_tls){.alpn = WIRE_NORMAL, .chain = chain, .key = own_key};
    refused_tls(s, "another authority", &o, SSL_AD_UNKNOWN_CA);
    o.chain = authority;
    o.key = key;
    refused_tls(s, "an authority", &o, SSL_AD_UNKNOWN_CA);
    assert_ok(sp_home_open(&s->place.env, s->place.home, &home, e));
    assert_ok(sp_cert_issue(
        home.authority, home.authority_key, csr, strlen(csr), id, v, &chain2, NULL, e));
    o.chain = chain2;
    o.key = own_key;
    refused_tls(s, "not known", &o, SSL_AD_UNKNOWN_CA);
    assert_ok(sp_cert_server(
        home.authority, home.authority_key, names, 1, v, &server_chain, &server_key, e));
    o.chain = server_chain;
    o.key = server_key;
    {
        struct wire w;
        struct ending end;

        cases++;
        assert_true(wire_connect(&w, s->r.port, stage_from(s)));
        if (wire_shake(&w, &o, 5000) && w.alert < 0)
            wire_ending(&w, &end, 5000);
        assert_true(w.alert > 0);
        assert_int_equal(w.got.len, 0);
        wire_close(&w);
    }
    sp_home_close(&home);
    sp_pem_free(authority);
    sp_pem_free(key);
    sp_pem_free(csr);
    sp_pem_free(chain);
    sp_pem_free(chain2);
    sp_pem_free(own_key);
    sp_pem_free(server_chain);
    sp_pem_free(server_key);
    stage_goes_on(s, 1, 10000);
    stage_passed++;
}

/* An honest handshake byte by byte; key updates; what follows a close_notify; a record that was
 * touched; no tickets, no early data, no renegotiation. */
static void
test_tls_oddities(void **state)
{
    struct stage *s = *state;
    const struct wire_tls o = {
        .alpn = WIRE_NORMAL, .chain = s->mallory.tls_chain, .key = s->mallory.tls_key};
    struct ending end;
    struct sp_frame f;
    struct wire w;
    SSL_SESSION *session;

    assert_true(wire_connect(&w, s->r.port, stage_from(s)));
    wire_start_tls(&w, &o);
    for (int i = 0; i < 20000 && BIO_ctrl_pending(w.out) > 0; i++)
        assert_true(wire_flush(&w, 1, 1000));
    for (int64_t until = now_ms() + 8000; !w.shaken && now_ms() < until;) {
        (void)wire_fill(&w, 100);
        ERR_clear_error();
        w.shaken = SSL_do_handshake(w.ssl) == 1;
        while (BIO_ctrl_pending(w.out) > 0)
            assert_true(wire_flush(&w, 1, 1000));
    }
    assert_true(w.shaken);
    assert_true(wire_frame(&w, &f, 5000));
    assert_int_equal(f.msg.type, SP_MSG_SERVER_HELLO);
    sp_frame_clear(&f);
    session = SSL_get1_session(w.ssl);
    assert_int_equal(SSL_SESSION_is_resumable(session), 0); /* no ticket came */
    assert_int_equal(SSL_SESSION_get_max_early_data(session), 0);
    SSL_SESSION_free(session);
    assert_int_not_equal(SSL_renegotiate(w.ssl), 1);
    ERR_clear_error();
    wire_close(&w);
    cases++;

    /* Key updates are TLS 1.3. */
    wire_open(&w, &s->r, &s->mallory, stage_from(s));
    assert_int_equal(SSL_key_update(w.ssl, SSL_KEY_UPDATE_REQUESTED), 1);
    served(&w, "a key update");
    wire_open(&w, &s->r, &s->mallory, stage_from(s));
    for (int i = 0; i < 2000; i++) {
        ERR_clear_error();
        if (SSL_key_update(w.ssl, SSL_KEY_UPDATE_NOT_REQUESTED) != 1 ||
            SSL_do_handshake(w.ssl) != 1 || !wire_flush(&w, 0, 500))
            break;
    }
    served(&w, "two thousand key updates"); /* they cost what they are worth */

    /* Empty records. */
    wire_open(&w, &s->r, &s->mallory, stage_from(s));
    (void)wire_send_raw(&w, "\x17\x03\x03\x00\x00", 5, 500);
    wire_ending(&w, &end, 5000);
    assert_true(end.closed);
    assert_true(w.alert > 0);
    wire_close(&w);
    cases++;

    /* After the end: nothing is heard any more. */
    wire_open(&w, &s->r, &s->mallory, stage_from(s));
    (void)SSL_shutdown(w.ssl);
    ERR_clear_error();
    assert_true(wire_flush(&w, 0, 500));
    (void)wire_send_raw(&w, "garbage after the end, and more of it", 37, 500);
    wire_ending(&w, &end, 5000);
    assert_true(end.closed);
    assert_false(end.goodbye);
    wire_close(&w);
    cases++;

    /* A record that somebody touched. */
    wire_open(&w, &s->r, &s->mallory, stage_from(s));
    {
        struct sp_buf b = SP_BUF_INIT;
        struct sp_msg m = any_of(SP_MSG_FLUSH);
        uint8_t cipher[1024];
        size_t used;
        int n;

        frame_put(&b, &m, NULL, 0);
        assert_int_equal(SSL_write_ex(w.ssl, b.data, b.len, &used), 1);
        n = BIO_read(w.out, cipher, sizeof(cipher));
        assert_true(n > 10);
        cipher[n - 1] ^= 1;
        assert_true(wire_send_raw(&w, cipher, (size_t)n, 500));
        sp_buf_free(&b);
    }
    wire_ending(&w, &end, 5000);
    assert_true(end.closed);
    assert_int_equal(w.alert, SSL_AD_BAD_RECORD_MAC);
    assert_int_equal(end.last, 0); /* the Flush was not answered */
    wire_close(&w);
    cases++;
    stage_goes_on(s, 1, 10000);
    stage_passed++;
}

/* --- enrolment -----------------------------------------------------------------------------------
 */

/* Sends one Enroll (and `end` after it); gives the code of the answer. The connection stays open in
 * w. */
static enum sp_code
enroll_with(struct stage *s, struct wire *w, struct member *m, const struct sp_token *t,
    struct sp_msg *ret_reply, struct sp_buf *ret_payload)
{
    struct sp_buf b = SP_BUF_INIT;
    struct sp_msg msg;
    struct sp_frame f;
    char *csr = NULL;
    enum sp_code rc;

    cases++;
    member_csr(m, &csr);
    member_enroll_message(m, t, NULL, &msg);
    frame_put(&b, &msg, csr, strlen(csr));
    wire_open(w, &s->r, NULL, stage_from(s));
    assert_true(wire_send(w, b.data, b.len, 2000));
    assert_true(wire_frame(w, &f, 8000));
    rc = f.msg.type == SP_MSG_ERROR ? f.msg.error.code : SP_OK;
    if (rc == SP_OK) {
        assert_int_equal(f.msg.type, SP_MSG_ENROLL_REPLY);
        *ret_reply = f.msg;
        if (ret_payload != NULL) {
            sp_buf_reset(ret_payload);
            sp_buf_put(ret_payload, f.payload, f.payload_len);
        }
    }
    sp_frame_clear(&f);
    sp_buf_free(&b);
    sp_pem_free(csr);
    return rc;
}

static void
test_enrolment(void **state)
{
    struct stage *s = *state;
    struct sp_buf b = SP_BUF_INIT, payload = SP_BUF_INIT, end_payload = SP_BUF_INIT;
    struct sp_token t, wrong;
    struct sp_msg reply, msg;
    struct member m, other;
    struct wire w;
    struct sp_frame f;
    char *csr = NULL;
    char out[4096];

    member_make(&m, NULL);
    member_make(&other, NULL);
    place_token(&s->place, "add", "victim", &t);
    wrong = t;
    wrong.id[3] ^= 1;
    assert_int_equal(enroll_with(s, &w, &m, &wrong, &reply, NULL), SP_AUTH);
    wire_close(&w);
    /* A token that is guessed at: after ten wrong secrets the right one is void. */
    wrong = t;
    for (int i = 0; i < 10; i++) {
        wrong.secret[0]++;
        assert_int_equal(enroll_with(s, &w, &m, &wrong, &reply, NULL), SP_AUTH);
        wire_close(&w);
    }
    assert_int_equal(enroll_with(s, &w, &m, &t, &reply, NULL), SP_AUTH);
    wire_close(&w);

    /* A second Enroll on one connection, also a right one. */
    place_token(&s->place, "add", "victim", &t);
    wrong = t;
    wrong.secret[0]++;
    assert_int_equal(enroll_with(s, &w, &m, &wrong, &reply, NULL), SP_AUTH);
    member_csr(&m, &csr);
    member_enroll_message(&m, &t, NULL, &msg);
    msg.tag = 2;
    frame_put(&b, &msg, csr, strlen(csr));
    assert_true(wire_send(&w, b.data, b.len, 2000));
    closed_with(&w, "a second Enroll", "a second Enroll");
    /* Two at once. */
    sp_buf_reset(&b);
    msg.tag = 1;
    frame_put(&b, &msg, csr, strlen(csr));
    msg.tag = 2;
    frame_put(&b, &msg, csr, strlen(csr));
    wire_open(&w, &s->r, NULL, stage_from(s));
    assert_true(wire_send(&w, b.data, b.len, 2000));
    closed_with(&w, "two Enrolls", "a second Enroll");
    /* EnrollEnd without Enroll, and after a refused one. */
    sp_buf_reset(&b);
    put_any(&b, SP_MSG_ENROLL_END);
    wire_open(&w, &s->r, NULL, stage_from(s));
    assert_true(wire_send(&w, b.data, b.len, 2000));
    closed_with(&w, "an EnrollEnd", "does not follow a granted Enroll");
    assert_int_equal(enroll_with(s, &w, &m, &wrong, &reply, NULL), SP_AUTH);
    assert_true(wire_send(&w, b.data, b.len, 2000));
    closed_with(&w, "an EnrollEnd", "does not follow a granted Enroll");
    /* Requests that are noise: a request that is no certificate request; a secret too short, too
     * long. */
    sp_buf_reset(&b);
    msg.tag = 1;
    frame_put(&b, &msg, "noise", 5);
    wire_open(&w, &s->r, NULL, stage_from(s));
    assert_true(wire_send(&w, b.data, b.len, 2000));
    assert_true(wire_frame(&w, &f, 8000));
    assert_int_equal(f.msg.type, SP_MSG_ERROR);
    sp_frame_clear(&f);
    wire_close(&w);
    for (size_t n = 0; n <= 60000; n = n == 0 ? 15 : n == 15 ? 65 : n == 65 ? 60000 : 60001) {
        struct sp_buf h = SP_BUF_INIT, e_ = SP_BUF_INIT;
        uint8_t *secret = calloc(1, n + 1);

        assert_non_null(secret);
        pb_bytes(&e_, 1, t.id, 8);
        pb_bytes(&e_, 2, secret, n);
        pb_bytes(&e_, 3, "../../../etc", 12);
        pb_bytes(&e_, 4, m.identity, 32);
        header(&h, 1, 33, e_.data, e_.len);
        sp_buf_reset(&b);
        frame_raw(&b, h.data, h.len, 10);
        sp_buf_put_zero(&b, 10);
        wire_open(&w, &s->r, NULL, stage_from(s));
        assert_true(wire_send(&w, b.data, b.len, 2000));
        closed_with(&w, "a secret", "a Enroll with a field");
        sp_buf_free(&h);
        sp_buf_free(&e_);
        free(secret);
    }
    /* The right one is used once. */
    place_token(&s->place, "add", "victim", &t);
    assert_int_equal(enroll_with(s, &w, &m, &t, &reply, &payload), SP_OK);
    member_take_reply(&m, &reply, payload.data, payload.len);
    { /* not with the record of another host */
        struct member liar = m;

        memcpy(liar.host, s->honest.m.host, 16);
        sp_buf_reset(&b);
        sp_buf_reset(&end_payload);
        member_end_message(&liar, 1, &msg, &end_payload);
        frame_put(&b, &msg, end_payload.data, end_payload.len);
        assert_true(wire_send(&w, b.data, b.len, 2000));
        assert_true(wire_frame(&w, &f, 8000));
        assert_int_equal(f.msg.type, SP_MSG_ERROR);
        sp_frame_clear(&f);
        wire_close(&w);
    }
    { /* not into the group of another host */
        struct member liar = m;

        assert_int_equal(enroll_with(s, &w, &m, &t, &reply, &payload), SP_OK);
        member_take_reply(&m, &reply, payload.data, payload.len);
        liar = m;
        liar.keys = s->mate.keys; /* known to mallory or not: there is no invitation */
        memcpy(liar.group, s->mate.group, 16);
        sp_buf_reset(&b);
        sp_buf_reset(&end_payload);
        member_end_message(&liar, 0, &msg, &end_payload);
        frame_put(&b, &msg, end_payload.data, end_payload.len);
        assert_true(wire_send(&w, b.data, b.len, 2000));
        assert_true(wire_frame(&w, &f, 8000));
        assert_int_equal(f.msg.type, SP_MSG_ERROR);
        sp_frame_clear(&f);
        wire_close(&w);
    }
    assert_int_equal(enroll_with(s, &w, &m, &t, &reply, &payload), SP_OK);
    member_take_reply(&m, &reply, payload.data, payload.len);
    sp_buf_reset(&b);
    sp_buf_reset(&end_payload);
    member_end_message(&m, 1, &msg, &end_payload);
    frame_put(&b, &msg, end_payload.data, end_payload.len);
    assert_true(wire_send(&w, b.data, b.len, 2000));
    assert_true(wire_frame(&w, &f, 8000));
    assert_int_equal(f.msg.type, SP_MSG_DONE);
    sp_frame_clear(&f);
    wire_close(&w);
    assert_int_equal(enroll_with(s, &w, &other, &t, &reply, NULL), SP_AUTH);
    wire_close(&w);
    assert_int_equal(place_run(&s->place, out, sizeof(out), "host", "list"), SP_EXIT_DONE);
    assert_non_null(strstr(out, "victim"));
    assert_null(strstr(out, "etc"));
    sp_pem_free(csr);
    sp_buf_free(&b);
    sp_buf_free(&payload);
    sp_buf_free(&end_payload);
    member_clear(&m);
    member_clear(&other);
    stage_goes_on(s, 1, 10000);
    stage_passed++;
}

/* --- afterwards ----------------------------------------------------------------------------------
 */

/* Nothing was written where nothing is to be, nothing is left open. */
static void
test_nothing_is_left(void **state)
{
    struct stage *s = *state;
    char out[65536];
    int64_t end = now_ms() + 5000;

    stage_memory(s, 6u << 20, "all attacks together");
    do {
        assert_int_equal(place_run(&s->place, out, sizeof(out), "status", "--json"), SP_EXIT_DONE);
        sp_sleep_ms(50);
    } while (strstr(out, "\"running\":true") == NULL && now_ms() < end);
    assert_non_null(strstr(out, "\"running\":true"));
    stage_goes_on(s, 4, 15000);
    /* A sentence is never the peer's alone: its name or address stands before it. */
    assert_int_equal(heard_with(&s->heard, "\x1b"), 0);
    stage_passed++;
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frames),
        cmocka_unit_test(test_frames_in_pieces),
        cmocka_unit_test(test_wrong_places),
        cmocka_unit_test(test_hellos),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_put_beyond_credit),
        cmocka_unit_test(test_foreign_things),
        cmocka_unit_test(test_blocks),
        cmocka_unit_test(test_false_ids),
        cmocka_unit_test(test_tiny_frames),
        cmocka_unit_test(test_log_is_bounded),
        cmocka_unit_test(test_never_reads),
        cmocka_unit_test(test_half_open),
        cmocka_unit_test(test_squatters),
        cmocka_unit_test(test_flood),
        cmocka_unit_test(test_tls),
        cmocka_unit_test(test_tls_oddities),
        cmocka_unit_test(test_enrolment),
        cmocka_unit_test(test_nothing_is_left),
    };
    int64_t began = now_ms();
    int failed;

    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
        stage_alone = true;
    }
    failed = cmocka_run_group_tests(tests, stage_setup, stage_teardown);
    hostile_closing("hostile client", cases, began);
    return failed;
}
