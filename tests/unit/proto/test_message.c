#include "support.h"

#include "base/text.h"

/* Decodes a header that was encoded for a payload that fits into one frame. */
static enum sp_code
decode(const struct sp_buf *b, struct sp_msg *ret, struct sp_err *e)
{
    uint32_t total = 77;
    bool part = true;
    enum sp_code rc = sp_msg_decode(b->data, b->len, ret, &total, &part, e);

    if (rc == SP_OK) {
        assert_int_equal(total, 0);
        assert_false(part);
    }
    return rc;
}

static void
every_type_round_trips(void **state)
{
    struct chance c = chance_new("every_type_round_trips");
    struct sp_buf b = SP_BUF_INIT;

    (void)state;
    for (unsigned round = 0; round < 50; round++) {
        for (unsigned type = 1; type < SP_MSG_TYPES; type++) {
            struct sp_msg m, back;
            size_t n;

            any_message(&c, (enum sp_msg_type)type, 1000, &m, &n);
            assert_true(sp_msg_valid(&m));
            assert_ok(sp_msg_check_payload(&m, n, e));
            sp_buf_reset(&b);
            assert_ok(sp_msg_encode(&m, n, 0, &b, e));
            assert_ok(decode(&b, &back, e));
            assert_same_message(&m, &back);
        }
    }
    sp_buf_free(&b);
}

/* The bytes of docs/protocol.md §3: a second implementation can be held against them. */
static void
known_headers(void **state)
{
    struct sp_buf b = SP_BUF_INIT;
    struct sp_msg m = {.type = SP_MSG_HAVE, .tag = 5, .have = {.nodes = true}};

    (void)state;
    assert_ok(sp_msg_encode(&m, 64, 0, &b, e));
    assert_int_equal(b.len, 7);
    assert_memory_equal(b.data, "\x08\x05\xaa\x01\x02\x08\x01", 7);

    sp_buf_reset(&b);
    m = (struct sp_msg){.type = SP_MSG_HEAD_REPLY,
        .tag = 300,
        .head_reply = {.has_set = true, .set_len = 10u << 20}};
    assert_ok(sp_msg_encode(&m, 10u << 20, 0, &b, e));
    assert_memory_equal(b.data, "\x08\xac\x02\x10\x01\x18\x80\x80\x80\x05\xb2\x03", 12);

    sp_buf_reset(&b); /* its continuation */
    assert_ok(sp_msg_encode(&m, 10u << 20, SP_FRAME_PAYLOAD_MAX, &b, e));
    assert_int_equal(b.len, 5);
    assert_memory_equal(b.data, "\x08\xac\x02\x4a\x00", 5);

    sp_buf_reset(&b);
    m = (struct sp_msg){.type = SP_MSG_ERROR,
        .tag = 1,
        .error = {.code = SP_FULL, .domain = SP_DOM_STORE, .text = "full"}};
    assert_ok(sp_msg_encode(&m, 0, 0, &b, e));
    assert_int_equal(b.len, 17);
    assert_memory_equal(b.data,
        "\x08\x01\x10\x01\x92\x03\x0a\x08\x05\x10\x03\x1a\x04"
        "full",
        17);
    sp_buf_free(&b);
}

static void
fields_out_of_bounds_are_refused(void **state)
{
    struct sp_buf b = SP_BUF_INIT;
    struct sp_msg m;

    (void)state;
#define REFUSED(...)                                                                               \
    do {                                                                                           \
        m = (struct sp_msg){__VA_ARGS__};                                                          \
        assert_code(SP_INVALID, sp_msg_encode(&m, 0, 0, &b, e));                                   \
        assert_int_equal(b.len, 0);                                                                \
    } while (0)
    REFUSED(.type = SP_MSG_NONE);
    REFUSED(.type = SP_MSG_TYPES);
    REFUSED(.type = SP_MSG_FLUSH, .tag = 0);
    REFUSED(.type = SP_MSG_PING, .tag = 1);
    REFUSED(.type = SP_MSG_HEAD, .tag = 1);
    REFUSED(.type = SP_MSG_HEAD, .tag = 1, .head = {.job = "a\nb"});
    REFUSED(.type = SP_MSG_HEAD, .tag = 1, .head = {.job = "a\xff"});
    REFUSED(.type = SP_MSG_HEAD, .tag = 1,
        .head = {.job = "a\xe2\x80\xae"
                        "b"});
    REFUSED(.type = SP_MSG_COMMIT, .tag = 1, .commit = {.type = 3});
    REFUSED(.type = SP_MSG_CHECK, .tag = 1, .check = {.depth = 2});
    REFUSED(.type = SP_MSG_CHECK, .tag = 1, .check = {.part = 3, .parts = 2});
    REFUSED(.type = SP_MSG_CHECK, .tag = 1, .check = {.part = 0, .parts = 2});
    REFUSED(.type = SP_MSG_BLOCK, .tag = 1, .block = {.wanted = 0});
    REFUSED(.type = SP_MSG_BLOCK, .tag = 1, .block = {.wanted = SP_IDS_MAX + 1});
    REFUSED(.type = SP_MSG_ERROR, .tag = 1, .error = {.code = SP_OK});
    REFUSED(.type = SP_MSG_HEAD_REPLY, .tag = 1, .head_reply = {.has_set = true});
    REFUSED(.type = SP_MSG_ENROLL, .tag = 1, .enroll = {.secret_len = 15, .host_name = "h"});
    REFUSED(.type = SP_MSG_ENROLL, .tag = 1, .enroll = {.secret_len = 65, .host_name = "h"});
    REFUSED(.type = SP_MSG_ENROLL_END, .tag = 1, .enroll_end = {.nslots = 9});
#undef REFUSED
    sp_buf_free(&b);
}

static void
sentences_are_cleaned(void **state)
{
    struct sp_buf b = SP_BUF_INIT;
    struct sp_msg m = {.type = SP_MSG_ERROR,
                      .tag = 1,
                      .error = {.code = SP_IO,
                          .text = "tab\tred \x1b[31m bad \xff\xc3 fine \xc3\xa4"}},
                  back;

    (void)state;
    assert_ok(sp_msg_encode(&m, 0, 0, &b, e));
    assert_ok(decode(&b, &back, e));
    assert_string_equal(back.error.text, "tab?red ?[31m bad ?? fine \xc3\xa4");

    /* Full, and not ended: cut between two characters. */
    memset(m.error.text, 'x', sizeof(m.error.text));
    memcpy(m.error.text + SP_TEXT_MAX - 1, "\xc3\xa4", 2);
    sp_buf_reset(&b);
    assert_ok(sp_msg_encode(&m, 0, 0, &b, e));
    assert_ok(decode(&b, &back, e));
    assert_int_equal(strlen(back.error.text), SP_TEXT_MAX - 1);
    sp_buf_free(&b);
}

/* What no encoder of ours makes: raw bytes against the decoder's checks. */
static void
foreign_headers_are_checked(void **state)
{
    static const struct {
        const char *why;
        const char *p;
        size_t n;
    } bad[] = {
#define RAW(why, s) {why, s, sizeof(s) - 1}
        RAW("empty", ""),
        RAW("a tag and no type", "\x08\x05"),
        RAW("a type of the future", "\x08\x05\xfa\x3e\x00"),
        RAW("a request without a tag", "\xa2\x01\x00"),
        RAW("a request marked last", "\x08\x05\x10\x01\xa2\x01\x00"),
        RAW("a reply not marked last", "\x08\x05\x9a\x03\x00"),
        RAW("an id of 15 bytes", "\x08\x05\xd2\x01\x11\x0a\x0f"
                                 "123456789012345"),
        RAW("an id of 17 bytes", "\x08\x05\xd2\x01\x13\x0a\x11"
                                 "12345678901234567"),
        RAW("a group of one byte", "\x08\x05\xda\x01\x03\x0a\x01x"),
        RAW("a job with an escape", "\x08\x05\xb2\x01\x05\x0a\x03"
                                    "a\x1b"
                                    "b"),
        RAW("a field that runs out", "\x08\x05\xb2\x01\x05\x0a\x09"
                                     "abc"),
        RAW("a group (wire type 3)", "\x0b"),
        RAW("an invitation without its proof", "\x08\x05\x8a\x02\x59\x0a\x08"
                                               "12345678"
                                               "\x12\x10"
                                               "1234567890123456"
                                               "\x1a\x01h"
                                               "\x22\x20"
                                               "12345678901234567890123456789012"
                                               "\x2a\x10"
                                               "1234567890123456"),
#undef RAW
    };
    struct sp_msg m;
    uint32_t total;
    bool part;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct sp_err e = {0};

        if (sp_msg_decode(bad[i].p, bad[i].n, &m, &total, &part, &e) != SP_PROTOCOL)
            fail_msg("accepted: %s", bad[i].why);
    }
}

/* Thousands of features, each of which costs the decoder more memory than its byte on the wire. */
static void
a_swollen_header_is_refused(void **state)
{
    struct sp_buf inner = SP_BUF_INIT, b = SP_BUF_INIT;
    struct sp_msg m;
    uint32_t total;
    bool part;

    (void)state;
    for (unsigned i = 0; i < 30000; i++)
        sp_buf_put(&inner, "\x1a\x00", 2);
    sp_buf_put(&b, "\x5a\xe0\xd4\x03", 4); /* client_hello of 60000 bytes */
    sp_buf_put(&b, inner.data, inner.len);
    assert_code(SP_PROTOCOL, sp_msg_decode(b.data, b.len, &m, &total, &part, e));
    sp_buf_put_zero(&b, SP_FRAME_HEADER_MAX);
    assert_code(SP_PROTOCOL, sp_msg_decode(b.data, b.len, &m, &total, &part, e));
    sp_buf_free(&inner);
    sp_buf_free(&b);
}

static void
unknown_fields_are_ignored(void **state)
{
    struct sp_msg m;
    uint32_t total;
    bool part;

    (void)state;
    /* Have { nodes, field 9 }, and field 200 of the header. */
    assert_ok(sp_msg_decode(
        "\x08\x05\xaa\x01\x04\x08\x01\x48\x07\xc0\x0c\x01", 12, &m, &total, &part, e));
    assert_int_equal(m.type, SP_MSG_HAVE);
    assert_true(m.have.nodes);
}

static void
codes_of_the_future_become_internal(void **state)
{
    struct sp_msg m;
    struct sp_err got = {0};
    uint32_t total;
    bool part;

    (void)state;
    assert_ok(sp_msg_decode(
        "\x08\x01\x10\x01\x92\x03\x07\x08\x63\x10\x62\x1a\x01x", 14, &m, &total, &part, e));
    assert_int_equal(sp_msg_get_error(&m, &got), SP_INTERNAL);
    assert_int_equal(got.domain, SP_DOM_NONE);
    assert_string_equal(got.text, "x");
}

static void
damaged_headers_never_crash(void **state)
{
    struct chance c = chance_new("damaged_headers_never_crash");
    struct sp_buf b = SP_BUF_INIT;
    unsigned accepted = 0;

    (void)state;
    for (unsigned round = 0; round < 20000; round++) {
        struct sp_msg m, back;
        struct sp_err e = {0};
        size_t n;
        uint32_t total;
        bool part;

        any_message(&c, (enum sp_msg_type)(1 + chance_below(&c, SP_MSG_TYPES - 1)), 100, &m, &n);
        sp_buf_reset(&b);
        assert_int_equal(sp_msg_encode(&m, n, 0, &b, &e), SP_OK);
        for (size_t flips = 1 + chance_below(&c, 4); flips > 0 && b.len > 0; flips--)
            b.data[chance_below(&c, b.len)] ^= (uint8_t)(1u << chance_below(&c, 8));
        if (chance_below(&c, 3) == 0)
            b.len = chance_below(&c, b.len + 1);
        if (sp_msg_decode(b.data, b.len, &back, &total, &part, &e) == SP_OK) {
            accepted++;
            if (!part)
                assert_true(sp_msg_valid(&back));
        } else {
            assert_int_equal(e.code, SP_PROTOCOL);
        }
    }
    assert_true(accepted > 0); /* flips in a nonce harm nothing: the decoder was reached */
    sp_buf_free(&b);
}

static void
payloads_are_held_to_their_type(void **state)
{
    struct sp_msg m = {.type = SP_MSG_HAVE, .tag = 1};

    (void)state;
    assert_code(SP_PROTOCOL, sp_msg_check_payload(&m, 0, e));
    assert_code(SP_PROTOCOL, sp_msg_check_payload(&m, 33, e));
    assert_code(SP_PROTOCOL, sp_msg_check_payload(&m, 32 * (SP_IDS_MAX + 1), e));
    assert_ok(sp_msg_check_payload(&m, (size_t)32 * SP_IDS_MAX, e));

    m = (struct sp_msg){.type = SP_MSG_PUT};
    assert_ok(sp_msg_check_payload(&m, SP_BLOCK_MAX, e));
    assert_code(SP_PROTOCOL, sp_msg_check_payload(&m, SP_BLOCK_MAX + 1, e));

    m = (struct sp_msg){.type = SP_MSG_HEAD_REPLY, .head_reply = {.has_set = true, .set_len = 10}};
    assert_ok(sp_msg_check_payload(&m, 10 + 64, e));
    assert_code(SP_PROTOCOL, sp_msg_check_payload(&m, 9, e));
    assert_code(SP_PROTOCOL, sp_msg_check_payload(&m, 10 + 63, e));
    assert_code(SP_PROTOCOL, sp_msg_check_payload(&m, 10 + 32 * (SP_IDS_MAX + 1), e));
    m.head_reply.set_len = SP_RECORD_MAX + 1;
    assert_code(SP_PROTOCOL, sp_msg_check_payload(&m, SP_RECORD_MAX + 1, e));

    m = (struct sp_msg){.type = SP_MSG_BLOCK, .tag = 1, .block = {.wanted = 2}};
    assert_code(SP_PROTOCOL, sp_msg_check_payload(&m, 8, e));
    assert_ok(sp_msg_check_payload(&m, 9, e));
    assert_code(SP_PROTOCOL, sp_msg_check_payload(&m, 9 + SP_BLOCK_MAX, e));

    m = (struct sp_msg){.type = SP_MSG_ENROLL_REPLY,
        .enroll_reply = {.chain_len = 5, .authority_len = 6, .conf_len = 7, .slot_len = 8}};
    assert_ok(sp_msg_check_payload(&m, 26, e));
    assert_code(SP_PROTOCOL, sp_msg_check_payload(&m, 27, e));
    m.enroll_reply.conf_len = UINT32_MAX; /* a sum that would wrap in 32 bits */
    m.enroll_reply.slot_len = 15;
    assert_code(SP_PROTOCOL, sp_msg_check_payload(&m, 25, e));

    m = (struct sp_msg){.type = SP_MSG_ENROLL_END,
        .enroll_end = {.record_len = 5, .nslots = 2, .slot_len = {6, 7}}};
    assert_ok(sp_msg_check_payload(&m, 18, e));
    assert_code(SP_PROTOCOL, sp_msg_check_payload(&m, 17, e));
}

static void
requests_and_their_answers(void **state)
{
    (void)state;
    for (unsigned type = 1; type < SP_MSG_TYPES; type++) {
        enum sp_msg_type t = (enum sp_msg_type)type;
        bool request = sp_msg_info(t)->kind == SP_KIND_REQUEST;
        unsigned replies = 0, items = 0;

        for (unsigned other = 0; other <= SP_MSG_TYPES; other++)
            if (sp_msg_answers(t, (enum sp_msg_type)other)) {
                replies += sp_msg_info((enum sp_msg_type)other)->kind == SP_KIND_REPLY;
                items += sp_msg_info((enum sp_msg_type)other)->kind == SP_KIND_ITEM;
            }
        assert_int_equal(replies, request ? 2 : 0); /* its own and ERROR */
        assert_true(items <= 1);
    }
    assert_true(sp_msg_answers(SP_MSG_GET, SP_MSG_BLOCK));
    assert_false(sp_msg_answers(SP_MSG_GET, SP_MSG_HAVE_REPLY));
    assert_false(sp_msg_answers(SP_MSG_PUT, SP_MSG_ERROR));
}

static void
features_are_words(void **state)
{
    struct sp_features f = {0};
    char name[40];

    (void)state;
    assert_code(SP_INVALID, sp_features_add(&f, "", e));
    assert_code(SP_INVALID, sp_features_add(&f, "Upper", e));
    memset(name, 'a', sizeof(name));
    name[SP_FEATURE_MAX + 1] = '\0';
    assert_code(SP_INVALID, sp_features_add(&f, name, e));
    name[SP_FEATURE_MAX] = '\0';
    assert_ok(sp_features_add(&f, name, e));
    assert_ok(sp_features_add(&f, name, e));
    assert_int_equal(f.n, 1);
    assert_true(sp_features_have(&f, name));
    for (unsigned i = 1; i < SP_FEATURES_MAX; i++) {
        (void)snprintf(name, sizeof(name), "f%u", i);
        assert_ok(sp_features_add(&f, name, e));
    }
    assert_code(SP_INVALID, sp_features_add(&f, "one-more", e));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_round_trips),
        cmocka_unit_test(known_headers),
        cmocka_unit_test(fields_out_of_bounds_are_refused),
        cmocka_unit_test(sentences_are_cleaned),
        cmocka_unit_test(foreign_headers_are_checked),
        cmocka_unit_test(a_swollen_header_is_refused),
        cmocka_unit_test(unknown_fields_are_ignored),
        cmocka_unit_test(codes_of_the_future_become_internal),
        cmocka_unit_test(damaged_headers_never_crash),
        cmocka_unit_test(payloads_are_held_to_their_type),
        cmocka_unit_test(requests_and_their_answers),
        cmocka_unit_test(features_are_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
