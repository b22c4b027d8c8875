#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/filter.h"
#include "client/filter_match.h"

/* "a/b" as a key; a slash at the end says that it is a folder. */
static size_t
key_of(const char *path, char key[4096], bool *ret_dir)
{
    size_t n = strlen(path);

    assert_true(n < 4096);
    if ((*ret_dir = n > 0 && path[n - 1] == '/'))
        n--;
    for (size_t i = 0; i < n; i++)
        key[i] = path[i];
    for (size_t i = 0; i < n; i++)
        if (key[i] == '/')
            key[i] = '\0';
    return n;
}

/* Patterns one a line. */
static struct sp_filter *
filter_of(const char *lines, bool fold)
{
    struct sp_filter *f = NULL;
    struct sp_err e = {0};
    char *copy = strdup(lines), *save = NULL;
    const char *patterns[64];
    size_t n = 0;

    assert_non_null(copy);
    for (char *p = strtok_r(copy, "\n", &save); p != NULL; p = strtok_r(NULL, "\n", &save))
        patterns[n++] = p;
    if (sp_filter_new(patterns, n, fold, &f, &e) != SP_OK)
        fail_msg("'%s': %s", lines, e.text);
    free(copy);
    return f;
}

static bool
excludes(const struct sp_filter *f, const char *path)
{
    char key[4096];
    bool dir;
    size_t n = key_of(path, key, &dir);

    return sp_filter_excludes(f, key, n, dir);
}

static const struct {
    const char *patterns, *path;
    bool excluded;
} table[] = {
    /* gitignore(5), "PATTERN FORMAT" and "EXAMPLES" */
    {"hello.*", "hello.txt", true},
    {"hello.*", "a/hello.java", true},
    {"/hello.*", "hello.c", true},
    {"/hello.*", "a/hello.java", false},
    {"foo/", "foo/", true},
    {"foo/", "a/foo/", true},
    {"foo/", "foo", false},
    {"doc/frotz", "doc/frotz", true},
    {"/doc/frotz", "doc/frotz", true},
    {"doc/frotz", "a/doc/frotz", false},
    {"doc/frotz/", "doc/frotz/", true},
    {"doc/frotz/", "doc/frotz", false},
    {"doc/frotz/", "a/doc/frotz/", false},
    {"frotz/", "a/frotz/", true},
    {"foo/*", "foo/test.json", true},
    {"foo/*", "foo/bar/", true},
    {"foo/*", "foo/bar/hello.c", false},
    {"/*\n!/foo\n/foo/*\n!/foo/bar", "foo/", false},
    {"/*\n!/foo\n/foo/*\n!/foo/bar", "foo/bar/", false},
    {"/*\n!/foo\n/foo/*\n!/foo/bar", "foo/baz", true},
    {"/*\n!/foo\n/foo/*\n!/foo/bar", "other", true},
    {"*.[oa]\n!/vmlinux*", "a/b.o", true},
    {"*.[oa]\n!/vmlinux*", "vmlinux.a", false},
    {"*.[oa]\n!/vmlinux*", "x/vmlinux.a", true},
    /* ** */
    {"**/foo", "foo", true},
    {"**/foo", "a/b/foo", true},
    {"**/foo/bar", "foo/bar", true},
    {"**/foo/bar", "a/foo/bar", true},
    {"**/foo/bar", "foo/a/bar", false},
    {"abc/**", "abc/x", true},
    {"abc/**", "abc/x/y", true},
    {"abc/**", "abc/", false},
    {"a/**/b", "a/b", true},
    {"a/**/b", "a/x/b", true},
    {"a/**/b", "a/x/y/b", true},
    {"a/**/b", "a/x/y/c", false},
    {"a/**/b", "ab", false},
    {"a/***/b", "a/x/y/b", true},
    {"a/**/**/b", "a/b", true},
    {"a/**/b/**/c", "a/b/x/b/y/c", true},
    {"a/**/b/**/c", "a/c", false},
    {"a/**/b/*/c", "a/b/b/x/c", true},
    {"x/a**", "x/abc", true},
    {"x/a**", "x/abc/d", false},
    {"x/?**b/c", "x/aab/c", true},
    {"x/?**b/c", "x/a/b/c", false},
    {"**", "anything", true},
    {"**", "a/b/c/", true},
    {"/**", "a/b", true},
    {"**/", "a/", true},
    {"**/", "a", false},
    {"a\\*b", "a*b", true},
    {"a\\*b", "axb", false},
    /* one star stays in its component; a leading dot is nothing special */
    {"/a*c", "abc", true},
    {"/a*c", "a/c", false},
    {"/a?c", "a/c", false},
    {"*", ".hidden", true},
    {"?", "\xc3", true},
    {"?", "\xc3\xbc", false},
    {"*\xff*", "a\xff\xfe", true},
    /* sets */
    {"[abc]", "b", true},
    {"[!abc]", "b", false},
    {"[^abc]", "d", true},
    {"[a-c]x", "bx", true},
    {"[a-c]x", "dx", false},
    {"[]]", "]", true},
    {"[]-a]", "^", true},
    {"[!]a]", "]", false},
    {"[a-]", "-", true},
    {"[-a]", "-", true},
    {"[a\\]b]", "]", true},
    {"[\\a]", "a", true},
    {"[\\a-\\c]", "b", true},
    {"[a-c-e]", "d", false},
    {"[a-c-e]", "-", true},
    {"[[:digit:]]", "7", true},
    {"[[:digit:]a]", "a", true},
    {"[![:digit:]]", "7", false},
    {"[[:upper:][:digit:]]", "Q", true},
    {"[[:]", ":", true},
    {"[[a]", "[", true},
    {"/x[/]y", "x/y", false},
    {"[\xf0-\xff]", "\xfa", true},
    /* ! # spaces and backslashes */
    {"\\!a", "!a", true},
    {"\\#a", "#a", true},
    {"#a", "#a", false},
    {"a ", "a", true},
    {"a\\ ", "a ", true},
    {"a\\ ", "a", false},
    {"a\\  ", "a ", true},
    {" a", " a", true},
    {" a", "a", false},
    {"a b", "a b", true},
    {"*.txt\n!a.txt", "a.txt", false},
    {"!a.txt\n*.txt", "a.txt", true},
    {"*.txt\n!a.txt\na.*", "a.txt", true},
    {"!", "!", false},
    {"/", "a", false},
    {"//", "a/", false},
    {"//a", "a", false},
    {"a//", "a/", false},
    {"a//b", "a/b", false},
    /* our keys are absolute */
    {"/home/x/.cache", "home/x/.cache/", true},
    {"/home/x/.cache", "home/y/home/x/.cache/", false},
    {".cache", "home/x/.cache/", true},
    {"/home/*/.cache/**", "home/x/.cache/y/z", true},
};

static void
test_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct sp_filter *f = filter_of(table[i].patterns, false);

        if (excludes(f, table[i].path) != table[i].excluded)
            fail_msg("'%s' and '%s': not %d", table[i].patterns, table[i].path, table[i].excluded);
        sp_filter_free(f);
    }
}

static void
test_fold(void **state)
{
    struct sp_filter *f = filter_of("*.TXT\n/Win[d-f]ows\n[A]b", true);

    (void)state;
    assert_true(excludes(f, "a.txt"));
    assert_true(excludes(f, "A.Txt"));
    assert_true(excludes(f, "wINDOWS/"));
    assert_true(excludes(f, "winEows"));
    assert_true(excludes(f, "aB"));
    assert_false(excludes(f, "winhows"));
    sp_filter_free(f);
    f = filter_of("*.TXT\n[A]b", false);
    assert_false(excludes(f, "a.txt"));
    assert_false(excludes(f, "ab"));
    sp_filter_free(f);
}

static void
test_invalid(void **state)
{
    static const char *const bad[] = {"a\\", "[", "a[b", "[]", "[!]", "[a\\", "[a\\]", "[[:nix:]]",
        "[[:alpha:]", "a/[b/c", "one\ntwo", "[a-\\"};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const char *patterns[] = {"good", bad[i]};
        struct sp_filter *f = NULL;
        struct sp_err e = {0};

        if (sp_filter_new(patterns, 2, false, &f, &e) != SP_INVALID)
            fail_msg("'%s' is taken", bad[i]);
        assert_null(f);
        assert_int_equal(e.domain, SP_DOM_CONFIG);
        assert_non_null(strstr(e.text, "pattern '"));
        /* A line feed is shown escaped. */
        if (strchr(bad[i], '\\') == NULL && strchr(bad[i], '\n') == NULL)
            assert_non_null(strstr(e.text, bad[i]));
    }
}

static void
test_too_long(void **state)
{
    char *p = malloc(SP_GLOB_MOST + 2);
    const char *patterns[] = {p};
    struct sp_filter *f = NULL;
    struct sp_err e = {0};

    (void)state;
    assert_non_null(p);
    memset(p, '[', SP_GLOB_MOST + 1);
    p[SP_GLOB_MOST + 1] = '\0';
    assert_int_equal(sp_filter_new(patterns, 1, false, &f, &e), SP_INVALID);
    memset(p, 'a', SP_GLOB_MOST + 1);
    assert_int_equal(sp_filter_new(patterns, 1, false, &f, &e), SP_INVALID);
    p[SP_GLOB_MOST] = '\0';
    assert_int_equal(sp_filter_new(patterns, 1, false, &f, &e), SP_OK);
    sp_filter_free(f);
    free(p);
}

static void
test_patterns_are_kept(void **state)
{
    struct sp_filter *f = filter_of("a\n# no rule\n!b ", false);

    (void)state;
    assert_string_equal(sp_filter_pattern(f, 0), "a");
    assert_string_equal(sp_filter_pattern(f, 1), "# no rule");
    assert_string_equal(sp_filter_pattern(f, 2), "!b ");
    assert_null(sp_filter_pattern(f, 3));
    assert_null(sp_filter_pattern(f, SIZE_MAX));
    sp_filter_free(f);
    sp_filter_free(NULL);
    f = filter_of("", false);
    assert_null(sp_filter_pattern(f, 0));
    assert_false(excludes(f, "a"));
    sp_filter_free(f);
}

static bool
selects(const struct sp_filter *f, const char *path)
{
    char key[4096];
    bool dir;
    size_t n = key_of(path, key, &dir);

    return sp_filter_selects(f, key, n, dir);
}

static bool
may_below(const struct sp_filter *f, const char *path)
{
    char key[4096];
    bool dir;
    size_t n = key_of(path, key, &dir);

    return sp_filter_may_select_below(f, key, n);
}

static void
test_selects(void **state)
{
    struct sp_filter *f = filter_of("/home/x\n!/home/x/tmp\n/home/x/tmp/keep\n/srv/*/data/", false);

    (void)state;
    assert_false(selects(f, ""));
    assert_false(selects(f, "home/"));
    assert_true(selects(f, "home/x/"));
    assert_true(selects(f, "home/x/a/b"));
    assert_false(selects(f, "home/xy"));
    assert_false(selects(f, "home/x/tmp/"));
    assert_false(selects(f, "home/x/tmp/a/b"));
    assert_true(selects(f, "home/x/tmp/keep/a"));
    assert_true(selects(f, "srv/a/data/file"));
    assert_false(selects(f, "srv/a/data"));
    assert_true(may_below(f, ""));
    assert_true(may_below(f, "home/"));
    assert_true(may_below(f, "home/x/"));
    assert_true(may_below(f, "home/x/tmp/"));
    assert_true(may_below(f, "srv/"));
    assert_true(may_below(f, "srv/q/"));
    assert_false(may_below(f, "srv/q/other/"));
    assert_false(may_below(f, "usr/"));
    assert_false(may_below(f, "home/y/"));
    sp_filter_free(f);

    f = filter_of("*.c", false);
    assert_true(may_below(f, "usr/share/"));
    assert_true(selects(f, "usr/a.c"));
    assert_true(selects(f, "usr/dir.c/x"));
    sp_filter_free(f);

    f = filter_of("/a/**/z", false);
    assert_true(may_below(f, "a/b/c/"));
    assert_false(may_below(f, "b/"));
    sp_filter_free(f);

    f = filter_of("/", false);
    assert_true(selects(f, ""));
    assert_true(selects(f, "a/b"));
    sp_filter_free(f);
}

static uint64_t random_state;

static unsigned
below(unsigned n)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(random_state >> 33) % n;
}

/* What selecting means, said slowly: level by level, and at each the last pattern that matches. */
static bool
selects_slowly(char *const *patterns, size_t npatterns, const char *key, size_t n, bool is_dir)
{
    bool selected = false;

    for (size_t level = 0; level <= n; level++) {
        if (level > 0 && level < n && key[level] != '\0')
            continue;
        for (size_t i = npatterns; i-- > 0;) {
            bool negative = patterns[i][0] == '!', matches;
            struct sp_filter *one = filter_of(patterns[i] + negative, false);

            matches = sp_filter_excludes(one, key, level, level < n || is_dir);
            sp_filter_free(one);
            if (matches) {
                selected = !negative;
                break;
            }
        }
    }
    return selected;
}

static void
test_selects_as_told(void **state)
{
    static const char *const parts[] = {"a", "b", "*", "**", "a*", "**", "?"};
    const char *given = getenv("SP_SEED");
    uint64_t seed = given != NULL ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);
    unsigned yes = 0;

    (void)state;
    print_message("seed %llu\n", (unsigned long long)seed);
    random_state = seed;
    for (unsigned round = 0; round < 2000; round++) {
        char text[3][64], *patterns[3], all[256] = "", key[64] = "";
        size_t npatterns = 1 + below(3), n = 0;
        struct sp_filter *f;

        for (size_t i = 0; i < npatterns; i++) {
            unsigned count = 1 + below(5);
            char *to = patterns[i] = text[i];

            if (below(12) == 0)
                count = 0;
            to += sprintf(to, "%s%s", below(3) == 0 ? "!" : "", count == 0 || below(2) ? "/" : "");
            for (unsigned k = 0; k < count; k++)
                to += sprintf(to, "%s%s", k > 0 ? "/" : "", parts[below(7)]);
            if (count > 0 && below(4) == 0)
                strcpy(to, "/");
            strcat(strcat(all, text[i]), "\n");
        }
        f = filter_of(all, false);
        for (unsigned k = 0; k < 8; k++) {
            bool is_dir = below(2) == 0, selected;

            n = 0;
            for (unsigned count = below(7), c = 0; c < count; c++) {
                if (c > 0)
                    key[n++] = '\0';
                key[n++] = below(3) == 0 ? 'b' : 'a';
                if (below(4) == 0)
                    key[n++] = 'b';
            }
            selected = selects_slowly(patterns, npatterns, key, n, is_dir);
            yes += selected;
            if (sp_filter_selects(f, key, n, is_dir) != selected)
                fail_msg("round %u, key %u: '%s' should %sselect", round, k, all,
                    selected ? "" : "not ");
        }
        sp_filter_free(f);
    }
    assert_in_range(yes, 1000, 15000);
}

/* One pass, not one for each folder above: a catalog may hold one deeper than the other. */
static void
test_selects_deep(void **state)
{
    static const char *const patterns[] = {
        "/**/b", "**/a/b", "/a/**/b/**", "!/**/a/*/b", "b", "b/"};
    struct sp_filter *f = NULL;
    struct sp_err e = {0};
    size_t n = 2 * 16000 - 1;
    char *key = calloc(1, n);
    clock_t begun = clock();

    (void)state;
    assert_non_null(key);
    for (size_t i = 0; i < n; i += 2)
        key[i] = 'a';
    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++) {
        assert_int_equal(sp_filter_new(&patterns[i], 1, false, &f, &e), SP_OK);
        for (unsigned k = 0; k < 10; k++)
            assert_false(sp_filter_selects(f, key, n, true));
        sp_filter_free(f);
    }
    assert_true((double)(clock() - begun) / CLOCKS_PER_SEC < 2);
    free(key);
}

/* A way back for every star would take longer than the universe here. */
static void
test_hostile(void **state)
{
    static const char *const units[] = {"a*", "*a", "**/", "a/**/", "*/", "[a-b]*", "?*", "a*?*"};
    char pattern[4096], key[4096];
    clock_t begun = clock();

    (void)state;
    for (size_t u = 0; u < sizeof units / sizeof units[0]; u++) {
        const char *patterns[] = {pattern};
        struct sp_filter *f = NULL;
        struct sp_err e = {0};
        size_t n = 0;

        while (n + strlen(units[u]) < 1000) {
            strcpy(pattern + n, units[u]);
            n += strlen(units[u]);
        }
        strcpy(pattern + n, "b/b");
        assert_int_equal(sp_filter_new(patterns, 1, false, &f, &e), SP_OK);
        for (int shape = 0; shape < 3; shape++) {
            size_t len = 0;

            while (len < 4000)
                key[len] =
                    shape == 0 || len % 2 == 0 || (shape == 2 && len % 64 != 63) ? 'a' : '\0',
                len++;
            key[3999] = 'a';
            assert_false(sp_filter_excludes(f, key, 4000, false));
            (void)sp_filter_may_select_below(f, key, 400);
        }
        strcpy(pattern + n, "c");
        sp_filter_free(f);
        assert_int_equal(sp_filter_new(patterns, 1, false, &f, &e), SP_OK);
        memset(key, 'a', sizeof key);
        assert_false(sp_filter_excludes(f, key, 255, true));
        sp_filter_free(f);
    }
    assert_true((double)(clock() - begun) / CLOCKS_PER_SEC < 5);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_fold),
        cmocka_unit_test(test_invalid),
        cmocka_unit_test(test_too_long),
        cmocka_unit_test(test_patterns_are_kept),
        cmocka_unit_test(test_selects),
        cmocka_unit_test(test_selects_as_told),
        cmocka_unit_test(test_selects_deep),
        cmocka_unit_test(test_hostile),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
