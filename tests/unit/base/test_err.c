#include "support.h"

#include <errno.h>

static void
fail_sets_everything(void **state)
{
    struct sp_err e = {.os = 7};

    (void)state;
    assert_int_equal(
        sp_fail(&e, SP_CORRUPT, SP_DOM_STORE, "block of %zu bytes", (size_t)5), SP_CORRUPT);
    assert_int_equal(e.code, SP_CORRUPT);
    assert_int_equal(e.domain, SP_DOM_STORE);
    assert_int_equal(e.os, 0);
    assert_string_equal(e.text, "block of 5 bytes");
}

static void
errno_picks_the_code(void **state)
{
    static const struct {
        int os;
        enum sp_code code;
    } cases[] = {{ENOENT, SP_ABSENT}, {EEXIST, SP_EXISTS}, {ENOTEMPTY, SP_EXISTS},
        {ENOSPC, SP_FULL}, {EDQUOT, SP_FULL}, {EACCES, SP_DENIED}, {EPERM, SP_DENIED},
        {EROFS, SP_DENIED}, {ENOMEM, SP_NOMEM}, {ESTALE, SP_UNREACHABLE}, {ENODEV, SP_UNREACHABLE},
        {ENOTCONN, SP_UNREACHABLE}, {ECONNREFUSED, SP_UNREACHABLE}, {ETIMEDOUT, SP_TIMEOUT},
        {ELOOP, SP_REFUSED}, {EBUSY, SP_BUSY}, {ENOSYS, SP_UNSUPPORTED}, {ENOTSUP, SP_UNSUPPORTED},
        {EIO, SP_IO}, {ENOTDIR, SP_IO}, {ENAMETOOLONG, SP_IO}, {EINVAL, SP_IO}, {0, SP_IO},
        {123456, SP_IO}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct sp_err e = {0};
        char text[SP_ERR_TEXT];

        assert_int_equal(
            sp_fail_os(&e, SP_DOM_SOURCE, cases[i].os, "cannot open %s", "x"), cases[i].code);
        assert_int_equal(e.code, cases[i].code);
        assert_int_equal(e.domain, SP_DOM_SOURCE);
        assert_int_equal(e.os, cases[i].os);
        (void)snprintf(text, sizeof(text), "cannot open x: %s", strerror(cases[i].os));
        assert_string_equal(e.text, text);
    }
}

static void
context_goes_before_and_keeps_the_rest(void **state)
{
    struct sp_err e = {0};

    (void)state;
    (void)sp_fail_os(&e, SP_DOM_NET, EIO, "read");
    (void)sp_fail(&e, SP_IO, SP_DOM_NET, "read %s", "failed");
    e.os = EIO;
    sp_err_context(&e, "pack %s", "12ab");
    sp_err_context(&e, "set %d", 3);
    assert_string_equal(e.text, "set 3: pack 12ab: read failed");
    assert_int_equal(e.code, SP_IO);
    assert_int_equal(e.domain, SP_DOM_NET);
    assert_int_equal(e.os, EIO);
}

static void
arguments_may_lie_in_the_error(void **state)
{
    struct sp_err e = {0};

    (void)state;
    (void)sp_fail(&e, SP_IO, SP_DOM_NET, "inner");
    (void)sp_fail(&e, SP_CORRUPT, SP_DOM_STORE, "outer (%s)", e.text);
    assert_string_equal(e.text, "outer (inner)");
    sp_err_context(&e, "%s", e.text);
    assert_string_equal(e.text, "outer (inner): outer (inner)");
}

static void
long_text_is_cut_at_the_end(void **state)
{
    struct sp_err e = {0};
    char longer[4 * SP_ERR_TEXT];

    (void)state;
    memset(longer, 'a', sizeof(longer));
    longer[sizeof(longer) - 1] = '\0';
    (void)sp_fail(&e, SP_IO, SP_DOM_NET, "%s", longer);
    assert_int_equal(strlen(e.text), SP_ERR_TEXT - 1);
    sp_err_context(&e, "first");
    assert_int_equal(strlen(e.text), SP_ERR_TEXT - 1);
    assert_memory_equal(e.text, "first: aaa", 10);
    sp_err_context(&e, "%s", longer);
    assert_int_equal(strlen(e.text), SP_ERR_TEXT - 1);
}

static void
a_character_is_not_cut_in_two(void **state)
{
    struct sp_err e = {0};
    char text[SP_ERR_TEXT + 8];

    (void)state;
    /* The last bytes that fit are the first three of a four-byte character. */
    memset(text, 'a', SP_ERR_TEXT - 4);
    strcpy(text + SP_ERR_TEXT - 4, "\xf0\x9f\x98\x80");
    (void)sp_fail(&e, SP_IO, SP_DOM_NET, "%s", text);
    assert_int_equal(strlen(e.text), SP_ERR_TEXT - 4);
    /* One earlier it fits as a whole. */
    strcpy(text + SP_ERR_TEXT - 5, "\xf0\x9f\x98\x80");
    (void)sp_fail(&e, SP_IO, SP_DOM_NET, "%s", text);
    assert_string_equal(e.text, text);
}

static void
clear_and_nomem(void **state)
{
    struct sp_err e = {0};
    static const struct sp_err zero;

    (void)state;
    assert_int_equal(sp_fail_nomem(&e), SP_NOMEM);
    assert_int_equal(e.code, SP_NOMEM);
    assert_int_equal(e.domain, SP_DOM_SELF);
    sp_err_clear(&e);
    assert_int_equal(e.code, zero.code);
    assert_int_equal(e.domain, zero.domain);
    assert_int_equal(e.os, 0);
    assert_string_equal(e.text, "");
}

/* The words are read by scripts: all there, all different, all plain. */
static void
words_are_distinct(void **state)
{
    (void)state;
    for (int a = SP_OK; a <= SP_INTERNAL; a++) {
        const char *w = sp_code_word((enum sp_code)a);

        assert_string_not_equal(w, "unknown");
        assert_int_equal(strspn(w, "abcdefghijklmnopqrstuvwxyz"), strlen(w));
        for (int b = SP_OK; b < a; b++)
            assert_string_not_equal(w, sp_code_word((enum sp_code)b));
    }
    assert_string_equal(sp_code_word((enum sp_code)99), "unknown");
    for (int a = SP_DOM_NONE; a <= SP_DOM_SELF; a++) {
        const char *w = sp_domain_word((enum sp_domain)a);

        assert_string_not_equal(w, "unknown");
        for (int b = SP_DOM_NONE; b < a; b++)
            assert_string_not_equal(w, sp_domain_word((enum sp_domain)b));
    }
    assert_string_equal(sp_domain_word((enum sp_domain)99), "unknown");
    assert_string_equal(sp_code_word(SP_ABSENT), "absent");
    assert_string_equal(sp_domain_word(SP_DOM_STORE), "store");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fail_sets_everything),
        cmocka_unit_test(errno_picks_the_code),
        cmocka_unit_test(context_goes_before_and_keeps_the_rest),
        cmocka_unit_test(arguments_may_lie_in_the_error),
        cmocka_unit_test(long_text_is_cut_at_the_end),
        cmocka_unit_test(a_character_is_not_cut_in_two),
        cmocka_unit_test(clear_and_nomem),
        cmocka_unit_test(words_are_distinct),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
