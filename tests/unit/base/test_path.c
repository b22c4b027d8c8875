#include "support.h"

#include "base/path.h"

#define KEY(s) (s), sizeof(s) - 1

static void
keys_sort_component_by_component(void **state)
{
    /* Rising: a folder directly before all that is inside it, though '.' and ' ' sort below '/'. */
    static const struct {
        const char *key;
        size_t n;
    } sorted[] = {{KEY("")}, {KEY("a")}, {KEY("a\0b")}, {KEY("a\0b\0c")}, {KEY("a\0b.c")},
        {KEY("a ")}, {KEY("a b")}, {KEY("a.b")}, {KEY("aa")}, {KEY("b")}, {KEY("\xc3\xa4")}};
    size_t count = sizeof(sorted) / sizeof(sorted[0]);

    (void)state;
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < count; k++) {
            int c = sp_key_cmp(sorted[i].key, sorted[i].n, sorted[k].key, sorted[k].n);

            assert_int_equal((c > 0) - (c < 0), (i > k) - (i < k));
        }
    assert_int_equal(sp_key_cmp(NULL, 0, NULL, 0), 0);
}

static void
within_is_by_component(void **state)
{
    (void)state;
    assert_true(sp_key_within(KEY(""), KEY("")));
    assert_true(sp_key_within(KEY(""), KEY("a")));
    assert_true(sp_key_within(KEY("a"), KEY("a")));
    assert_true(sp_key_within(KEY("a"), KEY("a\0b")));
    assert_true(sp_key_within(KEY("a\0b"), KEY("a\0b\0c")));
    assert_false(sp_key_within(KEY("a"), KEY("ab")));
    assert_false(sp_key_within(KEY("a\0b"), KEY("a")));
    assert_false(sp_key_within(KEY("a"), KEY("")));
    assert_false(sp_key_within(KEY("a"), KEY("b\0a")));
}

static void
depth_and_name(void **state)
{
    size_t n;

    (void)state;
    assert_int_equal(sp_key_depth(KEY("")), 0);
    assert_int_equal(sp_key_depth(KEY("usr")), 1);
    assert_int_equal(sp_key_depth(KEY("usr\0share")), 2);
    assert_memory_equal(sp_key_name(KEY("usr\0share"), &n), "share", 5);
    assert_int_equal(n, 5);
    assert_memory_equal(sp_key_name(KEY("usr"), &n), "usr", 3);
    assert_int_equal(n, 3);
    assert_non_null(sp_key_name(NULL, 0, &n));
    assert_int_equal(n, 0);
}

static void
push_puts_the_nul_between(void **state)
{
    struct sp_buf b = SP_BUF_INIT;

    (void)state;
    sp_key_push(&b, "usr", 3);
    sp_key_push(&b, "share", 5);
    assert_int_equal(b.len, 9);
    assert_memory_equal(b.data, "usr\0share", 9);
    sp_buf_free(&b);
}

static void
validity_of_keys(void **state)
{
    (void)state;
    assert_true(sp_key_valid(KEY("")));
    assert_true(sp_key_valid(NULL, 0));
    assert_true(sp_key_valid(KEY("a")));
    assert_true(sp_key_valid(KEY("a\0b")));
    assert_true(sp_key_valid(KEY("...")));
    assert_true(sp_key_valid(KEY(".a\0..b\0c.")));
    assert_true(sp_key_valid(KEY("C:\0Users")));
    assert_true(sp_key_valid(KEY("\xff\xfe\n")));
    assert_false(sp_key_valid(KEY("\0")));
    assert_false(sp_key_valid(KEY("a\0")));
    assert_false(sp_key_valid(KEY("\0a")));
    assert_false(sp_key_valid(KEY("a\0\0b")));
    assert_false(sp_key_valid(KEY(".")));
    assert_false(sp_key_valid(KEY("..")));
    assert_false(sp_key_valid(KEY("a\0..")));
    assert_false(sp_key_valid(KEY("a\0.\0b")));
    assert_false(sp_key_valid(KEY("a/b")));
    assert_false(sp_key_valid(KEY("a\0b/")));
}

static void
shown(const char *in, size_t n, const char *want)
{
    struct sp_buf b = SP_BUF_INIT;

    sp_path_show(in, n, &b);
    assert_string_equal(sp_buf_str(&b), want);
    sp_buf_free(&b);
}

static void
names_are_shown_harmless(void **state)
{
    (void)state;
    shown(KEY(""), "");
    shown(KEY("/home/J\xc3\xb6rg/a b"), "/home/J\xc3\xb6rg/a b");
    shown(KEY("a\nb\tc"), "a\\nb\\tc");
    shown(KEY("\x1b[31m\x7f\r"), "\\x1b[31m\\x7f\\x0d");
    shown(KEY("a\\b"), sp_path_backslash ? "a\\b" : "a\\\\b");
    shown(KEY("a\0b"), "a\\x00b");
    shown(KEY("\xff\xc3"), "\\xff\\xc3");
    shown(KEY("\xed\xa0\x80"), "\\xed\\xa0\\x80");
    shown(KEY("\xe2\x80\xaegpj.exe"), "\\u{202e}gpj.exe");
    shown(KEY("\xe2\x81\xa6x\xe2\x81\xa9"), "\\u{2066}x\\u{2069}");
    shown(KEY("\xe2\x80\x8e\xd8\x9c"), "\\u{200e}\\u{61c}");
    shown(KEY("\xe2\x80\xa8\xc2\x85"), "\\u{2028}\\u{85}");
    shown(KEY("\xe2\x82\xac\xf0\x9f\x98\x80"), "\xe2\x82\xac\xf0\x9f\x98\x80");
}

static void
sentences_are_shown_harmless(void **state)
{
    struct sp_buf b = SP_BUF_INIT;

    (void)state;
    sp_text_show("a\\\\x1b of \x1b[2J\n\xc2\x9b\xff J\xc3\xb6rg", &b);
    assert_string_equal(sp_buf_str(&b), "a\\\\x1b of \\x1b[2J\\n\\u{9b}\\xff J\xc3\xb6rg");
    sp_buf_free(&b);
}

static void
join(void **state)
{
    char *p;

    (void)state;
    p = sp_path_join("/a", "b");
    assert_string_equal(p, "/a/b");
    free(p);
    p = sp_path_join("/", "b");
    assert_string_equal(p, "/b");
    free(p);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_sort_component_by_component),
        cmocka_unit_test(within_is_by_component),
        cmocka_unit_test(depth_and_name),
        cmocka_unit_test(push_puts_the_nul_between),
        cmocka_unit_test(validity_of_keys),
        cmocka_unit_test(names_are_shown_harmless),
        cmocka_unit_test(sentences_are_shown_harmless),
        cmocka_unit_test(join),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
