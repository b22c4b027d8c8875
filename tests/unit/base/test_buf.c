#include "support.h"

#include "base/buf.h"

static void
numbers_are_little_endian(void **state)
{
    static const uint8_t want[] = {0x01, 0x03, 0x02, 0x07, 0x06, 0x05, 0x04, 0x0f, 0x0e, 0x0d, 0x0c,
        0x0b, 0x0a, 0x09, 0x88, 0, 0, 'h', 'i'};
    struct sp_buf b = SP_BUF_INIT;
    struct sp_err e = {0};
    struct sp_cur c;
    uint8_t copy[7];

    (void)state;
    sp_buf_put_u8(&b, 1);
    sp_buf_put_u16(&b, 0x0203);
    sp_buf_put_u32(&b, 0x04050607);
    sp_buf_put_u64(&b, UINT64_C(0x88090a0b0c0d0e0f));
    sp_buf_put_zero(&b, 2);
    sp_buf_put_str(&b, "hi");
    assert_int_equal(sp_buf_ok(&b, &e), SP_OK);
    assert_int_equal(b.len, sizeof(want));
    assert_memory_equal(b.data, want, sizeof(want));

    c = sp_cur_of(b.data, b.len);
    assert_int_equal(sp_cur_u8(&c), 1);
    assert_int_equal(sp_cur_u16(&c), 0x0203);
    assert_int_equal(sp_cur_u32(&c), 0x04050607);
    assert_true(sp_cur_u64(&c) == UINT64_C(0x88090a0b0c0d0e0f));
    assert_int_equal(sp_cur_left(&c), 4);
    assert_false(sp_cur_done(&c));
    assert_int_equal(sp_cur_u16(&c), 0);
    assert_memory_equal(sp_cur_bytes(&c, 2), "hi", 2);
    assert_true(sp_cur_ok(&c));
    assert_true(sp_cur_done(&c));
    c = sp_cur_of(b.data, b.len);
    sp_cur_copy(&c, copy, sizeof(copy));
    assert_memory_equal(copy, want, sizeof(copy));
    assert_int_equal(sp_cur_left(&c), sizeof(want) - sizeof(copy));
    sp_buf_free(&b);
    assert_null(b.data);
    assert_int_equal(b.len + b.cap, 0);
}

static void
plain_loads_and_stores(void **state)
{
    uint8_t p[8];

    (void)state;
    sp_store_le64(p, UINT64_C(0xfedcba9876543210));
    assert_int_equal(p[0], 0x10);
    assert_int_equal(p[7], 0xfe);
    assert_true(sp_le64(p) == UINT64_C(0xfedcba9876543210));
    assert_true(sp_le32(p + 4) == UINT32_C(0xfedcba98));
    assert_int_equal(sp_le16(p + 6), 0xfedc);
    sp_store_le32(p, UINT32_C(0xffeeddcc));
    assert_true(sp_le32(p) == UINT32_C(0xffeeddcc));
    assert_int_equal(p[4], 0x98);
}

static void
growing_keeps_the_bytes(void **state)
{
    struct sp_buf b = SP_BUF_INIT;

    (void)state;
    for (uint32_t i = 0; i < 100000; i++)
        sp_buf_put_u32(&b, i);
    assert_false(b.failed);
    assert_int_equal(b.len, 400000);
    for (uint32_t i = 0; i < 100000; i++)
        assert_int_equal(sp_le32(b.data + 4 * i), i);
    sp_buf_reset(&b);
    assert_int_equal(b.len, 0);
    assert_true(b.cap >= 400000);
    sp_buf_free(&b);
}

static void
a_failure_sticks_until_reset(void **state)
{
    struct sp_buf b = SP_BUF_INIT;
    struct sp_err e = {0};
    uint8_t *taken = (uint8_t *)&b;
    size_t n = 77;

    (void)state;
    sp_buf_put_str(&b, "abc");
    assert_false(sp_buf_reserve(&b, SIZE_MAX));
    assert_true(b.failed);
    assert_false(sp_buf_reserve(&b, 0));
    sp_buf_put_str(&b, "more");
    sp_buf_put_zero(&b, 3);
    sp_buf_printf(&b, "%d", 5);
    assert_int_equal(b.len, 3);
    assert_string_equal(sp_buf_str(&b), "");
    assert_int_equal(sp_buf_ok(&b, &e), SP_NOMEM);
    assert_int_equal(e.code, SP_NOMEM);
    assert_int_equal(sp_buf_take(&b, &taken, &n, &e), SP_NOMEM);
    assert_ptr_equal(taken, &b);
    assert_int_equal(n, 77);
    sp_buf_reset(&b);
    sp_buf_put_str(&b, "x");
    assert_string_equal(sp_buf_str(&b), "x");
    sp_buf_free(&b);
}

static void
sizes_at_the_limit_fail_and_do_not_wrap(void **state)
{
    struct sp_buf b = SP_BUF_INIT;

    (void)state;
    sp_buf_put_u8(&b, 1);
    assert_false(sp_buf_reserve(&b, SIZE_MAX / 2));
    sp_buf_reset(&b);
    sp_buf_put_u8(&b, 1);
    assert_false(sp_buf_reserve(&b, SIZE_MAX - 1));
    assert_int_equal(b.len, 1);
    sp_buf_free(&b);
}

static void
text_and_printf(void **state)
{
    struct sp_buf b = SP_BUF_INIT;
    char big[5000];

    (void)state;
    assert_string_equal(sp_buf_str(&b), "");
    sp_buf_printf(&b, "%s-%d", "a", 12);
    assert_int_equal(b.len, 4);
    assert_string_equal(sp_buf_str(&b), "a-12");
    assert_int_equal(b.len, 4);
    memset(big, 'z', sizeof(big));
    big[sizeof(big) - 1] = '\0';
    sp_buf_printf(&b, "<%s>", big);
    assert_int_equal(b.len, 4 + 2 + sizeof(big) - 1);
    assert_string_equal(sp_buf_str(&b) + b.len - 2, "z>");
    sp_buf_put(&b, NULL, 0);
    assert_false(b.failed);
    sp_buf_free(&b);
}

static void
take_moves_the_bytes_out(void **state)
{
    struct sp_buf b = SP_BUF_INIT;
    struct sp_err e = {0};
    uint8_t *p;
    size_t n;

    (void)state;
    sp_buf_put_str(&b, "abc");
    assert_int_equal(sp_buf_take(&b, &p, &n, &e), SP_OK);
    assert_int_equal(n, 3);
    assert_memory_equal(p, "abc", 3);
    assert_null(b.data);
    assert_int_equal(b.len + b.cap, 0);
    free(p);
    assert_int_equal(sp_buf_take(&b, &p, &n, &e), SP_OK);
    assert_int_equal(n, 0);
    assert_non_null(p);
    free(p);
}

static void
wipe_empties(void **state)
{
    struct sp_buf b = SP_BUF_INIT;

    (void)state;
    sp_buf_wipe(&b);
    sp_buf_put_str(&b, "secret");
    sp_buf_wipe(&b);
    assert_null(b.data);
    assert_int_equal(b.len + b.cap, 0);
}

static void
a_bad_cursor_gives_zeros(void **state)
{
    static const uint8_t in[] = {1, 2, 3};
    uint8_t out[4] = {9, 9, 9, 9};
    struct sp_cur c = sp_cur_of(in, sizeof(in)), sub;

    (void)state;
    assert_int_equal(sp_cur_u32(&c), 0);
    assert_false(sp_cur_ok(&c));
    /* It stays bad although one byte would be there. */
    assert_int_equal(sp_cur_u8(&c), 0);
    assert_int_equal(sp_cur_left(&c), 0);
    assert_false(sp_cur_done(&c));
    assert_null(sp_cur_bytes(&c, 1));
    assert_null(sp_cur_bytes(&c, 0));
    sp_cur_copy(&c, out, sizeof(out));
    assert_memory_equal(out, "\0\0\0\0", 4);
    sub = sp_cur_sub(&c, 0);
    assert_false(sp_cur_ok(&sub));
}

static void
every_read_stops_at_the_end(void **state)
{
    uint8_t in[8] = {1, 1, 1, 1, 1, 1, 1, 1};

    (void)state;
    for (size_t n = 0; n <= sizeof(in); n++) {
        /* Of exactly n bytes, so that the sanitizer sees one too many. */
        uint8_t *exact = malloc(n + 1);
        struct sp_cur c;

        assert_non_null(exact);
        memcpy(exact + 1, in, n);
        c = sp_cur_of(exact + 1, n);
        (void)sp_cur_u8(&c);
        assert_int_equal(sp_cur_ok(&c), n >= 1);
        c = sp_cur_of(exact + 1, n);
        (void)sp_cur_u16(&c);
        assert_int_equal(sp_cur_ok(&c), n >= 2);
        c = sp_cur_of(exact + 1, n);
        (void)sp_cur_u32(&c);
        assert_int_equal(sp_cur_ok(&c), n >= 4);
        c = sp_cur_of(exact + 1, n);
        (void)sp_cur_u64(&c);
        assert_int_equal(sp_cur_ok(&c), n >= 8);
        c = sp_cur_of(exact + 1, n);
        assert_null(sp_cur_bytes(&c, SIZE_MAX));
        free(exact);
    }
}

static void
sub_cursors_are_apart(void **state)
{
    static const uint8_t in[] = {1, 2, 3, 4};
    struct sp_cur c = sp_cur_of(in, sizeof(in));
    struct sp_cur sub = sp_cur_sub(&c, 3);

    (void)state;
    assert_int_equal(sp_cur_left(&sub), 3);
    assert_int_equal(sp_cur_left(&c), 1);
    (void)sp_cur_u32(&sub);
    assert_false(sp_cur_ok(&sub));
    assert_true(sp_cur_ok(&c));
    assert_int_equal(sp_cur_u8(&c), 4);
    assert_true(sp_cur_done(&c));
    sub = sp_cur_sub(&c, 1);
    assert_false(sp_cur_ok(&sub));
    assert_false(sp_cur_ok(&c));
}

static void
nothing_is_a_pointer(void **state)
{
    struct sp_cur c = sp_cur_of(NULL, 0);

    (void)state;
    assert_true(sp_cur_done(&c));
    assert_non_null(sp_cur_bytes(&c, 0));
    assert_true(sp_cur_ok(&c));
    sp_cur_copy(&c, NULL, 0);
    assert_true(sp_cur_ok(&c));
    sp_cur_fail(&c);
    assert_false(sp_cur_ok(&c));
    assert_false(sp_cur_done(&c));
    c = sp_cur_of(NULL, 1);
    assert_false(sp_cur_ok(&c));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_little_endian),
        cmocka_unit_test(plain_loads_and_stores),
        cmocka_unit_test(growing_keeps_the_bytes),
        cmocka_unit_test(a_failure_sticks_until_reset),
        cmocka_unit_test(sizes_at_the_limit_fail_and_do_not_wrap),
        cmocka_unit_test(text_and_printf),
        cmocka_unit_test(take_moves_the_bytes_out),
        cmocka_unit_test(wipe_empties),
        cmocka_unit_test(a_bad_cursor_gives_zeros),
        cmocka_unit_test(every_read_stops_at_the_end),
        cmocka_unit_test(sub_cursors_are_apart),
        cmocka_unit_test(nothing_is_a_pointer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
