#include "support.h"

#include "base/path.h"
#include "base/random.h"

#define STR(s) (s), sizeof(s) - 1

static void
utf8(void **state)
{
    (void)state;
    assert_true(sp_utf8_valid(STR("")));
    assert_true(sp_utf8_valid(NULL, 0));
    assert_true(sp_utf8_valid(STR("a\0b")));
    assert_true(sp_utf8_valid(STR("\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf")));
    assert_true(sp_utf8_valid(STR("\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\xed\x9f\xbf\xee\x80\x80")));
    assert_false(sp_utf8_valid(STR("\x80")));
    assert_false(sp_utf8_valid(STR("\xc0\x80")));         /* over-long */
    assert_false(sp_utf8_valid(STR("\xc1\xbf")));         /* over-long */
    assert_false(sp_utf8_valid(STR("\xe0\x9f\xbf")));     /* over-long */
    assert_false(sp_utf8_valid(STR("\xf0\x8f\xbf\xbf"))); /* over-long */
    assert_false(sp_utf8_valid(STR("\xf4\x90\x80\x80"))); /* over U+10FFFF */
    assert_false(sp_utf8_valid(STR("\xf5\x80\x80\x80")));
    assert_false(sp_utf8_valid(STR("\xff")));
    assert_false(sp_utf8_valid(STR("\xed\xa0\x80"))); /* surrogate */
    assert_false(sp_utf8_valid(STR("\xed\xbf\xbf")));
    assert_false(sp_utf8_valid(STR("a\xc3")));
    assert_false(sp_utf8_valid(STR("\xe2\x82")));
    assert_false(sp_utf8_valid(STR("\xf0\x9f\x98")));
    assert_false(sp_utf8_valid(STR("\xc3\x28")));
}

static void
wtf8(void **state)
{
    (void)state;
    assert_true(sp_wtf8_valid(STR("a\xed\xa0\x80z")));            /* a lone high */
    assert_true(sp_wtf8_valid(STR("\xed\xb0\x80\xed\xa0\x80")));  /* low before high */
    assert_false(sp_wtf8_valid(STR("\xed\xa0\x80\xed\xb0\x80"))); /* a pair */
    assert_false(sp_wtf8_valid(STR("\xed\xa0\x81\xed\xa0\x80\xed\xb0\x80")));
    assert_true(sp_wtf8_valid(STR("\xf0\x9f\x98\x80")));
    assert_false(sp_wtf8_valid(STR("\xff")));
    assert_false(sp_wtf8_valid(STR("\xed\xa0")));
}

/* Every UTF-16, well-formed or not, must come back: NTFS allows any units in a name. */
static void
any_utf16_round_trips(void **state)
{
    static const uint16_t kinds[] = {0x41, 0xe4, 0x20ac, 0xd83d, 0xde00, 0xdbff, 0xdfff, 0xffff, 0};
    struct sp_random_seeded s = {.state = 16};
    struct sp_random r = sp_random_seeded_of(&s);

    (void)state;
    for (int i = 0; i < 5000; i++) {
        uint8_t pick[12];
        uint16_t in[12], *back;
        char *text;
        size_t n = (size_t)i % 13, text_n, back_n;

        assert_ok(sp_random_fill(&r, pick, sizeof(pick), e));
        for (size_t k = 0; k < n; k++)
            in[k] = kinds[pick[k] % 9];
        assert_ok(sp_utf16_to_wtf8(in, n, &text, &text_n, e));
        assert_int_equal(text[text_n], 0);
        assert_true(sp_wtf8_valid(text, text_n));
        assert_ok(sp_wtf8_to_utf16(text, text_n, &back, &back_n, e));
        assert_int_equal(back_n, n);
        assert_int_equal(back[n], 0);
        if (n > 0)
            assert_memory_equal(back, in, n * 2);
        free(text);
        free(back);
    }
}

static void
known_utf16(void **state)
{
    static const uint16_t units[] = {0x41, 0x20ac, 0xd83d, 0xde00, 0xd800};
    const char *bytes = "A\xe2\x82\xac\xf0\x9f\x98\x80\xed\xa0\x80";
    uint16_t *out;
    char *text;
    size_t n;

    (void)state;
    assert_ok(sp_wtf8_to_utf16(bytes, strlen(bytes), &out, &n, e));
    assert_int_equal(n, 5);
    assert_memory_equal(out, units, sizeof(units));
    free(out);
    assert_ok(sp_utf16_to_wtf8(units, 5, &text, &n, e));
    assert_int_equal(n, strlen(bytes));
    assert_string_equal(text, bytes);
    free(text);
}

static void
what_is_not_wtf8_is_refused(void **state)
{
    uint16_t *out = NULL;
    size_t n = 5;

    (void)state;
    assert_code(SP_INVALID, sp_wtf8_to_utf16("\xff", 1, &out, &n, e));
    assert_code(SP_INVALID, sp_wtf8_to_utf16(STR("\xed\xa0\x80\xed\xb0\x80"), &out, &n, e));
    assert_null(out);
    assert_int_equal(n, 5);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(utf8),
        cmocka_unit_test(wtf8),
        cmocka_unit_test(any_utf16_round_trips),
        cmocka_unit_test(known_utf16),
        cmocka_unit_test(what_is_not_wtf8_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
