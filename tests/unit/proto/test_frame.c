#include "support.h"

#include "base/text.h"
#include "proto/frame.h"

static void
put_frames(struct sp_buf *b, const struct sp_msg *m, const uint8_t *payload, size_t n)
{
    size_t offset = 0, slice;

    do {
        assert_ok(sp_frame_encode(m, n, offset, b, &slice, e));
        if (slice > 0)
            sp_buf_put(b, payload + offset, slice);
        offset += slice;
    } while (offset < n);
    assert_ok(sp_buf_ok(b, e));
}

static void
known_frame(void **state)
{
    struct sp_buf b = SP_BUF_INIT;
    struct sp_msg m = {.type = SP_MSG_PUT, .put = {.nodes = true}};

    (void)state;
    put_frames(&b, &m, (const uint8_t *)"abc", 3);
    assert_int_equal(b.len, 8 + 4 + 3);
    assert_memory_equal(b.data,
        "\x04\0\0\0\x03\0\0\0\x7a\x02\x08\x01"
        "abc",
        15);
    sp_buf_free(&b);
}

/* Feeds b in pieces of at most `piece` bytes and holds what comes out against msgs. */
static void
assert_frames(const struct sp_buf *b, size_t piece, const struct sp_msg *msgs,
    const size_t *lengths, size_t n)
{
    struct sp_frame_decoder *d = NULL;
    size_t at = 0, seen = 0;

    assert_ok(sp_frame_decoder_new(NULL, NULL, &d, e));
    while (at < b->len) {
        size_t step = b->len - at < piece ? b->len - at : piece, used = 0;
        struct sp_frame f = {0};
        bool whole = false;

        assert_ok(sp_frame_feed(d, b->data + at, step, &used, &whole, &f, e));
        at += used;
        if (!whole) {
            assert_int_equal(used, step);
            continue;
        }
        assert_true(seen < n);
        assert_same_message(&f.msg, &msgs[seen]);
        assert_int_equal(f.payload_len, lengths[seen]);
        if (f.payload_len > 0) {
            uint8_t *want = any_payload(f.payload_len);

            assert_memory_equal(f.payload, want, f.payload_len);
            free(want);
        }
        sp_frame_clear(&f);
        seen++;
    }
    assert_int_equal(seen, n);
    assert_true(sp_frame_decoder_idle(d));
    sp_frame_decoder_free(d);
}

static void
any_pieces_give_the_same_frames(void **state)
{
    struct chance c = chance_new("any_pieces_give_the_same_frames");
    struct sp_msg msgs[SP_MSG_TYPES];
    size_t lengths[SP_MSG_TYPES], n = 0;
    struct sp_buf b = SP_BUF_INIT;

    (void)state;
    for (unsigned type = 1; type < SP_MSG_TYPES; type++, n++) {
        uint8_t *payload;

        any_message(&c, (enum sp_msg_type)type, 200, &msgs[n], &lengths[n]);
        payload = any_payload(lengths[n]);
        put_frames(&b, &msgs[n], payload, lengths[n]);
        free(payload);
    }
    for (size_t piece = 1; piece < 20; piece++)
        assert_frames(&b, piece, msgs, lengths, n);
    assert_frames(&b, b.len, msgs, lengths, n);
    for (unsigned i = 0; i < 20; i++)
        assert_frames(&b, 1 + chance_below(&c, 3000), msgs, lengths, n);
    sp_buf_free(&b);
}

static void
long_payloads_take_several_frames(void **state)
{
    static const size_t sizes[] = {
        SP_FRAME_PAYLOAD_MAX, SP_FRAME_PAYLOAD_MAX + 1, 12u << 20, SP_RECORD_MAX};
    struct sp_buf b = SP_BUF_INIT;

    (void)state;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct sp_msg m = {.type = SP_MSG_COMMIT, .tag = 9, .commit = {.type = 1}};
        size_t n = sizes[i];
        uint8_t *payload = any_payload(n);

        sp_buf_reset(&b);
        put_frames(&b, &m, payload, n);
        assert_frames(&b, 60000, &m, &n, 1);
        free(payload);
    }
    sp_buf_free(&b);
}

static enum sp_code
refuse(void *arg, const struct sp_msg *m, size_t payload_len, struct sp_err *e)
{
    size_t *seen = arg;

    (void)m;
    *seen = payload_len;
    return sp_fail(e, SP_REFUSED, SP_DOM_NET, "not this one");
}

/* The bytes of a frame's start with no payload behind it: what is refused is refused before that.
 */
static void
assert_hostile(const char *why, const void *p, size_t n)
{
    struct sp_frame_decoder *d = NULL;
    struct sp_frame f = {0};
    struct sp_err e1 = {0}, e2 = {0};
    size_t used;
    bool whole;

    assert_ok(sp_frame_decoder_new(NULL, NULL, &d, e));
    if (sp_frame_feed(d, p, n, &used, &whole, &f, &e1) != SP_PROTOCOL)
        fail_msg("accepted: %s", why);
    /* And it stays so. */
    assert_int_equal(sp_frame_feed(d, "x", 1, &used, &whole, &f, &e2), SP_PROTOCOL);
    assert_string_equal(e1.text, e2.text);
    assert_false(sp_frame_decoder_idle(d));
    sp_frame_decoder_free(d);
}

static void
hostile_lengths_are_refused_before_memory(void **state)
{
    (void)state;
#define HOSTILE(why, s) assert_hostile(why, s, sizeof(s) - 1)
    HOSTILE("no header", "\0\0\0\0\0\0\0\0");
    HOSTILE("a header of 64 KiB and one", "\x01\0\x01\0\0\0\0\0");
    HOSTILE("a header of 4 GiB", "\xff\xff\xff\xff\0\0\0\0");
    HOSTILE("a payload of 4 GiB", "\x01\0\0\0\xff\xff\xff\xff");
    HOSTILE("a payload of 9 MiB and one", "\x01\0\0\0\x01\0\x90\0");
    HOSTILE("a ping with a payload", "\x02\0\0\0\x01\0\0\0"
                                     "\x6a\0");
    HOSTILE("a put of 9 MiB", "\x02\0\0\0\0\0\x90\0"
                              "\x7a\0");
    HOSTILE("one id and a half", "\x05\0\0\0\x30\0\0\0"
                                 "\x08\x05\xaa\x01\x00");
    HOSTILE("a continuation of nothing", "\x02\0\0\0\x01\0\0\0"
                                         "\x4a\0");
    HOSTILE("a total with a short first frame", "\x0c\0\0\0\x10\0\0\0"
                                                "\x08\x05\x18\x80\x80\x80\x05\xba\x01\x02\x08\x01");
    HOSTILE("a total that one frame holds", "\x0a\0\0\0\x10\0\0\0"
                                            "\x08\x05\x18\x10\xba\x01\x02\x08\x01\x00");
    HOSTILE("a total over the type's limit", "\x0c\0\0\0\0\0\x90\0"
                                             "\x08\x05\x18\x80\x80\x80\x40\xba\x01\x02\x08\x01");
#undef HOSTILE
}

static void
admit_is_asked_before_the_payload(void **state)
{
    struct sp_buf b = SP_BUF_INIT;
    struct sp_msg m = {.type = SP_MSG_COMMIT, .tag = 1, .commit = {.type = 2}};
    struct sp_frame_decoder *d = NULL;
    struct sp_frame f = {0};
    size_t slice, used, seen = 0;
    bool whole;

    (void)state;
    assert_ok(sp_frame_encode(&m, 10u << 20, 0, &b, &slice, e));
    assert_int_equal(slice, SP_FRAME_PAYLOAD_MAX);
    assert_ok(sp_frame_decoder_new(refuse, &seen, &d, e));
    assert_ok(sp_frame_feed(d, b.data, b.len - 1, &used, &whole, &f, e));
    assert_int_equal(seen, 0);
    assert_code(SP_REFUSED, sp_frame_feed(d, b.data + b.len - 1, 1, &used, &whole, &f, e));
    assert_int_equal(seen, 10u << 20);
    sp_frame_decoder_free(d);
    sp_buf_free(&b);
}

static void
continuations_follow_directly(void **state)
{
    struct sp_msg m = {.type = SP_MSG_COMMIT, .tag = 1, .commit = {.type = 2}};
    struct sp_msg ping = {.type = SP_MSG_PING};
    size_t n = SP_FRAME_PAYLOAD_MAX + 100, slice, used;
    uint8_t *payload = any_payload(n);
    struct sp_buf b = SP_BUF_INIT;

    (void)state;
    for (unsigned trial = 0; trial < 3; trial++) {
        struct sp_frame_decoder *d = NULL;
        struct sp_frame f = {0};
        bool whole = true;

        sp_buf_reset(&b);
        m.tag = 1;
        assert_ok(sp_frame_encode(&m, n, 0, &b, &slice, e));
        sp_buf_put(&b, payload, slice);
        if (trial == 0) { /* another message between */
            assert_ok(sp_frame_encode(&ping, 0, 0, &b, &slice, e));
        } else if (trial == 1) { /* another tag's */
            m.tag = 2;
            assert_ok(sp_frame_encode(&m, n, SP_FRAME_PAYLOAD_MAX, &b, &slice, e));
        } else { /* shorter than what is left */
            assert_ok(sp_frame_encode(&m, n - 1, SP_FRAME_PAYLOAD_MAX, &b, &slice, e));
        }
        assert_ok(sp_frame_decoder_new(NULL, NULL, &d, e));
        assert_code(SP_PROTOCOL, sp_frame_feed(d, b.data, b.len, &used, &whole, &f, e));
        sp_frame_decoder_free(d);
    }
    free(payload);
    sp_buf_free(&b);
}

static void
damaged_frames_never_crash(void **state)
{
    struct chance c = chance_new("damaged_frames_never_crash");
    struct sp_buf b = SP_BUF_INIT;

    (void)state;
    for (unsigned round = 0; round < 5000; round++) {
        struct sp_frame_decoder *d = NULL;
        size_t at = 0;
        enum sp_code rc = SP_OK;

        sp_buf_reset(&b);
        for (unsigned i = 0; i < 3; i++) {
            struct sp_msg m;
            size_t n;
            uint8_t *payload;

            any_message(
                &c, (enum sp_msg_type)(1 + chance_below(&c, SP_MSG_TYPES - 1)), 100, &m, &n);
            payload = any_payload(n);
            put_frames(&b, &m, payload, n);
            free(payload);
        }
        for (size_t flips = 1 + chance_below(&c, 4); flips > 0; flips--)
            b.data[chance_below(&c, b.len)] ^= (uint8_t)(1u << chance_below(&c, 8));
        assert_ok(sp_frame_decoder_new(NULL, NULL, &d, e));
        while (rc == SP_OK && at < b.len) {
            struct sp_frame f = {0};
            struct sp_err e = {0};
            bool whole = false;
            size_t used = 0;

            rc = sp_frame_feed(d, b.data + at, b.len - at, &used, &whole, &f, &e);
            assert_true(rc == SP_OK || rc == SP_PROTOCOL);
            at += used;
            if (whole)
                sp_frame_clear(&f);
        }
        sp_frame_decoder_free(d);
    }
    sp_buf_free(&b);
}

static void
an_encoder_keeps_the_limits(void **state)
{
    struct sp_buf b = SP_BUF_INIT;
    struct sp_msg m = {.type = SP_MSG_PUT};
    size_t slice;

    (void)state;
    assert_code(SP_INVALID, sp_frame_encode(&m, 0, 0, &b, &slice, e));
    assert_code(SP_INVALID, sp_frame_encode(&m, SP_BLOCK_MAX + 1, 0, &b, &slice, e));
    assert_code(SP_INVALID, sp_frame_encode(&m, SIZE_MAX, 0, &b, &slice, e));
    m.tag = 7;
    assert_code(SP_INVALID, sp_frame_encode(&m, 10, 0, &b, &slice, e));
    assert_int_equal(b.len, 0);
    sp_buf_free(&b);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_frame),
        cmocka_unit_test(any_pieces_give_the_same_frames),
        cmocka_unit_test(long_payloads_take_several_frames),
        cmocka_unit_test(hostile_lengths_are_refused_before_memory),
        cmocka_unit_test(admit_is_asked_before_the_payload),
        cmocka_unit_test(continuations_follow_directly),
        cmocka_unit_test(damaged_frames_never_crash),
        cmocka_unit_test(an_encoder_keeps_the_limits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
