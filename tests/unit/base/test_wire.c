#include "support.h"

#include "base/random.h"
#include "base/wire.h"

#define assert_bytes(b, text)                                                                      \
    do {                                                                                           \
        assert_int_equal((b).len, sizeof(text) - 1);                                               \
        assert_memory_equal((b).data, text, sizeof(text) - 1);                                     \
        sp_buf_reset(&(b));                                                                        \
    } while (0)

/* The examples of https://protobuf.dev/programming-guides/encoding/. */
static void
known_encodings(void **state)
{
    struct sp_buf b = SP_BUF_INIT;

    (void)state;
    sp_wire_put_uint(&b, 1, 150);
    assert_bytes(b, "\x08\x96\x01");
    sp_wire_put_bytes(&b, 2, "testing", 7);
    assert_bytes(b, "\x12\x07testing");
    sp_wire_put_sint(&b, 1, -1);
    assert_bytes(b, "\x08\x01");
    sp_wire_put_sint(&b, 1, 1);
    assert_bytes(b, "\x08\x02");
    sp_wire_put_sint(&b, 1, INT64_MIN);
    assert_bytes(b, "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01");
    sp_wire_put_fixed64(&b, 3, 1);
    assert_bytes(b, "\x19\x01\0\0\0\0\0\0\0");
    sp_wire_put_uint(&b, (1u << 29) - 1, 1);
    assert_bytes(b, "\xf8\xff\xff\xff\x0f\x01");
    sp_buf_free(&b);
}

static void
zero_is_left_out_but_an_item_never(void **state)
{
    struct sp_buf b = SP_BUF_INIT;

    (void)state;
    sp_wire_put_uint(&b, 1, 0);
    sp_wire_put_sint(&b, 1, 0);
    sp_wire_put_fixed64(&b, 1, 0);
    sp_wire_put_bytes(&b, 1, "", 0);
    assert_int_equal(b.len, 0);
    sp_wire_put_item(&b, 1, NULL, 0);
    assert_bytes(b, "\x0a\0");
    sp_buf_free(&b);
}

static void
varints_round_trip(void **state)
{
    struct sp_buf b = SP_BUF_INIT;

    (void)state;
    for (unsigned bit = 0; bit < 64; bit++) {
        for (int d = -1; d <= 1; d++) {
            uint64_t v = (UINT64_C(1) << bit) + (uint64_t)(int64_t)d;
            struct sp_cur c;

            sp_buf_reset(&b);
            sp_wire_put_varint(&b, v);
            assert_int_equal(b.len, sp_wire_varint_size(v));
            c = sp_cur_of(b.data, b.len);
            assert_true(sp_wire_varint(&c) == v);
            assert_true(sp_cur_done(&c));
            /* Every shorter prefix is refused. */
            for (size_t n = 0; n < b.len; n++) {
                c = sp_cur_of(b.data, n);
                assert_true(sp_wire_varint(&c) == 0);
                assert_false(sp_cur_ok(&c));
            }
        }
    }
    assert_int_equal(sp_wire_varint_size(UINT64_MAX), 10);
    assert_int_equal(sp_wire_varint_size(0), 1);
    sp_buf_free(&b);
}

static void
zigzag_round_trips(void **state)
{
    static const int64_t values[] = {0, -1, 1, -2, 2, INT64_MAX, INT64_MIN, -123456789};
    struct sp_buf b = SP_BUF_INIT;

    (void)state;
    for (size_t i = 1; i < sizeof(values) / sizeof(values[0]); i++) {
        struct sp_wire_field f;
        struct sp_cur c;

        sp_buf_reset(&b);
        sp_wire_put_sint(&b, 9, values[i]);
        c = sp_cur_of(b.data, b.len);
        assert_true(sp_wire_next(&c, &f));
        assert_int_equal(f.number, 9);
        assert_true(sp_wire_zigzag(f.value) == values[i]);
    }
    assert_true(sp_wire_zigzag(0) == 0);
    sp_buf_free(&b);
}

static void
fields_come_back(void **state)
{
    struct sp_buf b = SP_BUF_INIT;
    struct sp_wire_field f;
    struct sp_cur c;

    (void)state;
    sp_wire_put_uint(&b, 1, UINT64_MAX);
    sp_wire_put_fixed64(&b, 2, 77);
    sp_wire_put_item(&b, 3, "abc", 3);
    sp_wire_put_item(&b, 3, "", 0);
    sp_buf_put(&b, "\x25\x01\x02\x03\x04", 5); /* field 4, fixed32: read, though never written */
    c = sp_cur_of(b.data, b.len);
    assert_true(sp_wire_next(&c, &f));
    assert_true(f.number == 1 && f.type == SP_WIRE_VARINT && f.value == UINT64_MAX);
    assert_true(sp_wire_next(&c, &f));
    assert_true(f.number == 2 && f.type == SP_WIRE_FIXED64 && f.value == 77);
    assert_true(sp_wire_next(&c, &f));
    assert_true(f.number == 3 && f.type == SP_WIRE_BYTES && f.value == 0);
    assert_int_equal(sp_cur_left(&f.bytes), 3);
    assert_memory_equal(sp_cur_bytes(&f.bytes, 3), "abc", 3);
    assert_true(sp_wire_next(&c, &f));
    assert_true(f.number == 3 && sp_cur_done(&f.bytes));
    assert_true(sp_wire_next(&c, &f));
    assert_true(f.number == 4 && f.type == SP_WIRE_FIXED32 && f.value == 0x04030201);
    assert_false(sp_wire_next(&c, &f));
    assert_true(sp_cur_done(&c));
    sp_buf_free(&b);
}

/* A failure leaves *ret alone and the cursor bad. */
static void
refused(const char *bytes, size_t n)
{
    struct sp_wire_field f = {.number = 4711};
    struct sp_cur c = sp_cur_of(bytes, n);

    assert_false(sp_wire_next(&c, &f));
    assert_false(sp_cur_ok(&c));
    assert_int_equal(f.number, 4711);
}
#define assert_refused(text) refused(text, sizeof(text) - 1)

static void
broken_input_is_refused(void **state)
{
    (void)state;
    assert_refused("\x00\x01");                                         /* field 0 */
    assert_refused("\x0b");                                             /* group */
    assert_refused("\x0c");                                             /* end of group */
    assert_refused("\x0e\x01");                                         /* type 6 */
    assert_refused("\x0f\x01");                                         /* type 7 */
    assert_refused("\x80\x80\x80\x80\x10\x01");                         /* field 2^29 */
    assert_refused("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02");     /* 65 bits */
    assert_refused("\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"); /* eleven bytes */
    assert_refused("\x08\x96\x81\x00");                                 /* longer than needed */
    assert_refused("\x88\x00\x01");                                     /* the same in a tag */
    assert_refused("\x12\x82\x00\x61\x61");                             /* and in a length */
    assert_refused("\x08");                                             /* no value */
    assert_refused("\x08\x80");                                         /* cut */
    assert_refused("\x12\x03\x61\x61");                                 /* length over the end */
    assert_refused("\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x61"); /* 2^64-1 bytes */
    assert_refused("\x19\x01\0\0\0\0\0\0");                             /* seven of eight */
    assert_refused("\x25\x01\0\0");                                     /* three of four */
}

static void
random_bytes_never_reach_outside(void **state)
{
    struct sp_random_seeded s = {.state = 0x5eed};
    struct sp_random r = sp_random_seeded_of(&s);
    struct sp_err e = {0};

    (void)state;
    for (int i = 0; i < 20000; i++) {
        uint8_t n, *p;
        struct sp_wire_field f;
        struct sp_cur c;
        size_t seen = 0, fields = 0;

        assert_int_equal(sp_random_fill(&r, &n, 1, &e), SP_OK);
        n &= 63;
        p = malloc((size_t)n + 1);
        assert_non_null(p);
        assert_int_equal(sp_random_fill(&r, p, n, &e), SP_OK);
        c = sp_cur_of(p, n);
        while (sp_wire_next(&c, &f)) {
            assert_in_range(f.number, 1, (1u << 29) - 1);
            seen += sp_cur_left(&f.bytes);
            assert_true(++fields <= n && seen <= n);
            if (sp_cur_left(&f.bytes) > 0)
                assert_true(f.bytes.p >= p && f.bytes.p + f.bytes.left <= p + n);
        }
        assert_true(!sp_cur_ok(&c) || sp_cur_done(&c));
        free(p);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_encodings),
        cmocka_unit_test(zero_is_left_out_but_an_item_never),
        cmocka_unit_test(varints_round_trip),
        cmocka_unit_test(zigzag_round_trips),
        cmocka_unit_test(fields_come_back),
        cmocka_unit_test(broken_input_is_refused),
        cmocka_unit_test(random_bytes_never_reach_outside),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
