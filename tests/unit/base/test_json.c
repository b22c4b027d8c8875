#include "support.h"

#include "base/clock.h"
#include "base/json.h"

static void
an_object_of_everything(void **state)
{
    struct sp_buf b = SP_BUF_INIT;
    struct sp_json j;

    (void)state;
    sp_json_init(&j, &b);
    sp_json_object(&j);
    sp_json_kstr(&j, "name", "x");
    sp_json_ku64(&j, "big", UINT64_MAX);
    sp_json_kbool(&j, "yes", true);
    sp_json_key(&j, "no");
    sp_json_bool(&j, false);
    sp_json_key(&j, "none");
    sp_json_null(&j);
    sp_json_key(&j, "least");
    sp_json_i64(&j, INT64_MIN);
    sp_json_key(&j, "id");
    sp_json_hex(&j, "\x00\xff", 2);
    sp_json_key(&j, "time");
    sp_json_time(&j, INT64_C(1795342347) * SP_SECOND);
    sp_json_key(&j, "list");
    sp_json_array(&j);
    sp_json_u64(&j, 1);
    sp_json_str(&j, "two");
    sp_json_array(&j);
    sp_json_array_end(&j);
    sp_json_object(&j);
    sp_json_object_end(&j);
    sp_json_array_end(&j);
    sp_json_kstr(&j, "last", "");
    sp_json_object_end(&j);
    assert_string_equal(sp_buf_str(&b),
        "{\"name\":\"x\",\"big\":18446744073709551615,\"yes\":true,\"no\":false,\"none\":null,"
        "\"least\":-9223372036854775808,\"id\":\"00ff\",\"time\":\"2026-11-22T10:12:27Z\","
        "\"list\":[1,\"two\",[],{}],\"last\":\"\"}");
    assert_int_equal(j.depth, 0);
    sp_buf_free(&b);
}

static void
written(const char *in, size_t n, const char *want)
{
    struct sp_buf b = SP_BUF_INIT;
    struct sp_json j;

    sp_json_init(&j, &b);
    sp_json_strn(&j, in, n);
    assert_string_equal(sp_buf_str(&b), want);
    sp_buf_free(&b);
}
#define assert_written(text, want) written(text, sizeof(text) - 1, want)

static void
strings_are_escaped(void **state)
{
    (void)state;
    assert_written("", "\"\"");
    assert_written("a\"b\\c/d", "\"a\\\"b\\\\c/d\"");
    assert_written("\n\t\r\x01\x1f\x7f", "\"\\n\\t\\r\\u0001\\u001f\\u007f\"");
    assert_written("\xc2\x9b\xe2\x80\xae", "\"\\u009b\\u202e\"");
    assert_written("a\0b", "\"a\\u0000b\"");
    assert_written("J\xc3\xb6rg \xe2\x82\xac \xf0\x9f\x98\x80",
        "\"J\xc3\xb6rg \xe2\x82\xac \xf0\x9f\x98\x80\"");
}

/* As Python's surrogateescape writes them, so that a reader gets the very bytes of a name back. */
static void
bad_bytes_survive(void **state)
{
    (void)state;
    assert_written("a\xff"
                   "b",
        "\"a\\udcffb\"");
    assert_written("\xc3", "\"\\udcc3\"");
    assert_written("\xe2\x82"
                   "A",
        "\"\\udce2\\udc82A\"");
    assert_written("\xc0\x80", "\"\\udcc0\\udc80\"");
    /* A lone surrogate of Windows is not UTF-8 either. */
    assert_written("\xed\xa0\x80", "\"\\udced\\udca0\\udc80\"");
    assert_written("\xf4\x90\x80\x80", "\"\\udcf4\\udc90\\udc80\\udc80\"");
}

static void
thirty_two_deep(void **state)
{
    struct sp_buf b = SP_BUF_INIT;
    struct sp_json j;

    (void)state;
    sp_json_init(&j, &b);
    for (int i = 0; i < 32; i++) {
        sp_json_array(&j);
        sp_json_u64(&j, 1);
    }
    for (int i = 0; i < 31; i++) {
        sp_json_array_end(&j);
        sp_json_u64(&j, 2);
    }
    sp_json_array_end(&j);
    assert_int_equal(b.len, 32 * 2 + 31 + 31 * 2 + 32);
    assert_memory_equal(b.data, "[1,[1,[1", 8);
    assert_memory_equal(b.data + b.len - 9, ",2],2],2]", 9);
    sp_buf_free(&b);
}

/* The caller empties the buffer in the middle and between values. */
static void
the_buffer_may_be_emptied_any_time(void **state)
{
    struct sp_buf b = SP_BUF_INIT;
    struct sp_json j;

    (void)state;
    sp_json_init(&j, &b);
    sp_json_array(&j);
    sp_json_u64(&j, 1);
    sp_buf_reset(&b);
    sp_json_u64(&j, 2);
    assert_string_equal(sp_buf_str(&b), ",2");
    sp_json_array_end(&j);
    sp_buf_reset(&b);
    sp_json_u64(&j, 3);
    assert_string_equal(sp_buf_str(&b), "3");
    sp_buf_free(&b);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_object_of_everything),
        cmocka_unit_test(strings_are_escaped),
        cmocka_unit_test(bad_bytes_survive),
        cmocka_unit_test(thirty_two_deep),
        cmocka_unit_test(the_buffer_may_be_emptied_any_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
