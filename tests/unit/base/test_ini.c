#include "support.h"

#include "base/buf.h"
#include "base/ini.h"

/* Writes what the parser calls as one line each: LINE section|key|value. */
static enum sp_code
record(void *arg, const char *section, const char *key, const char *value, unsigned line,
    struct sp_err *e)
{
    struct sp_buf *b = arg;

    if (key == NULL) {
        assert_null(value);
        sp_buf_printf(b, "%u [%s]\n", line, section);
    } else {
        sp_buf_printf(b, "%u %s|%s|%s\n", line, section, key, value);
    }
    return key != NULL && strcmp(key, "stop") == 0
               ? sp_fail(e, SP_REFUSED, SP_DOM_CONFIG, "no %s here", value)
               : SP_OK;
}

static void
parses(const char *text, size_t n, const char *want)
{
    struct sp_buf b = SP_BUF_INIT;

    assert_ok(sp_ini_parse("conf", text, n, record, &b, e));
    assert_string_equal(sp_buf_str(&b), want);
    sp_buf_free(&b);
}
#define assert_parses(text, want) parses(text, sizeof(text) - 1, want)

/* `before` is what was called until the mistake was seen. */
static void
refuses(const char *text, size_t n, const char *message, const char *before)
{
    struct sp_buf b = SP_BUF_INIT;
    struct sp_err err = {0};

    assert_int_equal(sp_ini_parse("conf", text, n, record, &b, &err), SP_INVALID);
    assert_int_equal(err.code, SP_INVALID);
    assert_int_equal(err.domain, SP_DOM_CONFIG);
    if (strncmp(err.text, message, strlen(message)) != 0)
        fail_msg("'%s' does not begin with '%s'", err.text, message);
    assert_string_equal(sp_buf_str(&b), before);
    sp_buf_free(&b);
}
#define assert_refuses(text, message, before) refuses(text, sizeof(text) - 1, message, before)

static void
sections_keys_and_values(void **state)
{
    (void)state;
    assert_parses("", "");
    assert_parses("\n\n  \n", "");
    assert_parses("top = 1\n[job home]\nkey=value\n  \n[empty]\n[ spaced ]  \nk = v",
        "1 |top|1\n2 [job home]\n3 job home|key|value\n5 [empty]\n6 [spaced]\n7 spaced|k|v\n");
    assert_parses("a b = c = d \t\n", "1 |a b|c = d\n");
    assert_parses("a=1\r\n[s]\r\nb = 2\r\n", "1 |a|1\n2 [s]\n3 s|b|2\n");
    assert_parses("\xef\xbb\xbf[s]\nk=\xc3\xa4\n", "1 [s]\n2 s|k|\xc3\xa4\n");
}

static void
comments_are_whole_lines(void **state)
{
    (void)state;
    assert_parses("# one\n; two\nk = v # not one ; nor this\n   # indented\n\t; too\n",
        "3 |k|v # not one ; nor this\n");
}

static void
paths_need_no_escapes(void **state)
{
    (void)state;
    assert_parses("p = C:\\Users\\new\\\n", "1 |p|C:\\Users\\new\\\n");
    assert_parses("p = \\\\server\\share\n", "1 |p|\\\\server\\share\n");
}

static void
quotes(void **state)
{
    (void)state;
    assert_parses("k = \"\"\n", "1 |k|\n");
    assert_parses("k = \"  spaces  \"  \n", "1 |k|  spaces  \n");
    assert_parses("k = \"say \\\"hi\\\" \\\\ C:\\new\"\n", "1 |k|say \"hi\" \\ C:\\new\n");
    assert_parses("k = in \"the\" middle\n", "1 |k|in \"the\" middle\n");
    assert_parses(
        "k = \"# no comment\"\n \"; nor this\"\n", "1 |k|# no comment\n2 |k|; nor this\n");
    assert_refuses("\nk = \"open\n", "conf:2: the quote", "");
    assert_refuses("k = \"\n", "conf:1: the quote", "");
    assert_refuses("k = \"C:\\\"\n", "conf:1: the quote", "");
    assert_refuses("k = \"a\" b\n", "conf:1: there is text", "");
}

static void
lists(void **state)
{
    (void)state;
    assert_parses("k = a\nk = b\n", "1 |k|a\n2 |k|b\n");
    assert_parses("k = a\n b\n\n\t[c]\n  # none\n d = e\nl = f\n",
        "1 |k|a\n2 |k|b\n4 |k|[c]\n6 |k|d = e\n7 |l|f\n");
    /* The items may all be on lines of their own. */
    assert_parses("k =\n  a\n  b\n", "2 |k|a\n3 |k|b\n");
    assert_parses("k = \"\"\n  a\n", "1 |k|\n2 |k|a\n");
    /* Without any, the value is empty; the order and the line stay. */
    assert_parses("k =\nl = 1\n", "1 |k|\n2 |l|1\n");
    assert_parses("k =\n\n[s]\n", "1 |k|\n3 [s]\n");
    assert_parses("[s]\nk =", "1 [s]\n2 s|k|\n");
}

static void
mistakes_name_file_and_line(void **state)
{
    (void)state;
    assert_refuses("a = 1\nnonsense\n", "conf:2: expected", "1 |a|1\n");
    assert_refuses("= 1\n", "conf:1: a value without a key", "");
    assert_refuses("[s\n", "conf:1: a section must end", "");
    assert_refuses("[s] x\n", "conf:1: a section must end", "");
    assert_refuses("[s] # c\n", "conf:1: a section must end", "");
    assert_refuses("[\n", "conf:1: a section must end", "");
    assert_refuses("[]\n", "conf:1: a section without", "");
    assert_refuses("[  ]\n", "conf:1: a section without", "");
    assert_refuses("[a] [b]\n", "conf:1: the name of a section", "");
    assert_refuses("  lost\n", "conf:1: an indented line", "");
    assert_refuses("k = 1\n[s]\n  lost\n", "conf:3: an indented line", "1 |k|1\n2 [s]\n");
    assert_refuses("a = 1\nk = \xff\n", "conf:2: the line is not UTF-8", "1 |a|1\n");
    assert_refuses("k = a\0b\n", "conf:1: the line is not UTF-8", "");
    assert_refuses("# \xff\n", "conf:1: the line is not UTF-8", "");
}

static void
the_callers_refusal_gets_its_place(void **state)
{
    struct sp_buf b = SP_BUF_INIT;
    struct sp_err err = {0};
    const char *text = "a = 1\n\nstop = x\nb = 2\n";

    (void)state;
    assert_int_equal(sp_ini_parse("/etc/c", text, strlen(text), record, &b, &err), SP_REFUSED);
    assert_int_equal(err.code, SP_REFUSED);
    assert_string_equal(err.text, "/etc/c:3: no x here");
    assert_string_equal(sp_buf_str(&b), "1 |a|1\n3 |stop|x\n");
    /* Also of a value that was held back for its list. */
    sp_buf_reset(&b);
    text = "stop =\n\n\nb = 2\n";
    assert_int_equal(sp_ini_parse("/etc/c", text, strlen(text), record, &b, &err), SP_REFUSED);
    assert_string_equal(err.text, "/etc/c:1: no  here");
    sp_buf_free(&b);
}

static enum sp_code
measure(void *arg, const char *section, const char *key, const char *value, unsigned line,
    struct sp_err *e)
{
    (void)section;
    (void)key;
    (void)line;
    (void)e;
    *(size_t *)arg = strlen(value);
    return SP_OK;
}

/* What the small parsers cut in silence. */
static void
long_lines_are_whole(void **state)
{
    size_t n = 200000, got = 0;
    char *text = malloc(n + 8);

    (void)state;
    assert_non_null(text);
    memcpy(text, "k = ", 4);
    memset(text + 4, 'x', n);
    assert_ok(sp_ini_parse("conf", text, 4 + n, measure, &got, e));
    assert_int_equal(got, n);
    free(text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sections_keys_and_values),
        cmocka_unit_test(comments_are_whole_lines),
        cmocka_unit_test(paths_need_no_escapes),
        cmocka_unit_test(quotes),
        cmocka_unit_test(lists),
        cmocka_unit_test(mistakes_name_file_and_line),
        cmocka_unit_test(the_callers_refusal_gets_its_place),
        cmocka_unit_test(long_lines_are_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
