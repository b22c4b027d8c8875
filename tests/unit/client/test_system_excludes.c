/* What FilesNotToBackup says, as patterns that the walk understands. */

#include "tests/unit/base/support.h"

#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "client/filter.h"
#include "client/system_excludes.h"

/* The value leaves out the one path (components joined by '|') and not the other. */
static void
check(const char *value, const char *pattern, const char *out, const char *in)
{
    struct sp_filter *f = NULL;
    char *got = NULL, key[200];

    assert_ok(sp_system_exclude_pattern(value, &got, e));
    assert_string_equal(got, pattern);
    assert_ok(sp_filter_new((const char *const *)&got, 1, true, &f, e));
    for (int i = 0; i < 2; i++) {
        const char *path = i == 0 ? out : in;
        size_t n = strlen(path);
        bool excluded = false;

        memcpy(key, path, n + 1);
        for (size_t k = 0; k < n; k++)
            if (key[k] == '|')
                key[k] = '\0';
        for (size_t k = 1; k <= n && !excluded; k++) /* as a walk comes down */
            if (k == n || key[k] == '\0')
                excluded = sp_filter_excludes(f, key, k, k < n);
        if (excluded != (i == 0))
            fail_msg("'%s' and '%s'", value, path);
    }
    sp_filter_free(f);
    free(got);
}

/* Values as a Windows Server has them. */
static void
test_values(void **state)
{
    (void)state;
    check("\\Pagefile.sys", "/?:/Pagefile.sys", "D:|pagefile.sys", "D:|x|pagefile.sys");
    check("\\hiberfil.sys", "/?:/hiberfil.sys", "C:|HIBERFIL.SYS", "C:|hiberfil.sys.txt");
    check("C:\\Windows\\Temp\\* /s", "/C:/Windows/Temp/*", "C:|Windows|Temp|a|b", "C:|Windows|Temps|a");
    check("\\System Volume Information\\*{3808876B-C176-4e48-B7AE-04046E6CC752} /s",
        "/?:/System\\ Volume\\ Information/**/*{3808876B-C176-4e48-B7AE-04046E6CC752}",
        "C:|System Volume Information|x|1{3808876b-c176-4e48-b7ae-04046e6cc752}",
        "C:|System Volume Information|x|1");
    check("C:\\Windows\\system32\\LogFiles\\WMI\\RtBackup\\*.*",
        "/C:/Windows/system32/LogFiles/WMI/RtBackup/*.*",
        "C:|Windows|System32|LogFiles|WMI|RtBackup|a.etl", "C:|Windows|System32|LogFiles|WMI|a.etl");
    check("\\Users\\*\\AppData\\Local\\Temp\\* /s", "/?:/Users/*/AppData/Local/Temp/*",
        "C:|Users|me|AppData|Local|Temp|x", "C:|Users|me|AppData|Local|Temporary");
    check("C:\\a [b]\\c", "/C:/a\\ \\[b\\]/c", "C:|a [b]|c", "C:|a b|c");
}

static void
test_not_understood(void **state)
{
    static const char *const values[] = {"", "Pagefile.sys", "\\\\server\\share\\x", "C:", "%NOTHING%\\x", "/s"};

    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        struct sp_err e = {0};
        char *got = NULL;

        assert_int_equal(sp_system_exclude_pattern(values[i], &got, &e), SP_UNSUPPORTED);
        assert_null(got);
    }
}

/* The job's own patterns come last: `!` takes back; and `system-excludes = no` does without. */
static void
test_order(void **state)
{
    struct sp_system_excludes system = {0};
    struct sp_strings all = {0};
    struct sp_job job = {.system_excludes = true};

    (void)state;
    assert_ok(sp_system_excludes_add(&system, "/?:/pagefile.sys", "the page file", NULL, e));
    assert_ok(sp_strings_add(&job.exclude, "!/C:/pagefile.sys", e));
    assert_ok(sp_job_patterns(&job, &system, NULL, &all, e));
    assert_int_equal(all.n, 2);
    assert_string_equal(all.s[0], "/?:/pagefile.sys");
    assert_string_equal(all.s[1], "!/C:/pagefile.sys");
    sp_strings_clear(&all);
    job.system_excludes = false;
    assert_ok(sp_job_patterns(&job, &system, NULL, &all, e));
    assert_int_equal(all.n, 1);
    assert_string_equal(all.s[0], "!/C:/pagefile.sys");
    sp_strings_clear(&all);
    sp_strings_clear(&job.exclude);
    sp_system_excludes_clear(&system);
}

static bool
has_writer(const void *arg, const char *name)
{
    return strcmp(arg, name) == 0;
}

/* A value that is named after a writer which is there is the writer's: what it says holds instead. */
static void
test_writers(void **state)
{
    static const char *const theirs[] = {"/C:/db/*.tmp"};
    struct sp_writers_excludes writers = {theirs, 1, has_writer, "Some Writer"};
    struct sp_system_excludes system = {0};
    struct sp_strings all = {0};
    struct sp_job job = {.system_excludes = true};

    (void)state;
    assert_ok(sp_system_excludes_add(&system, "/C:/db/*", "of the writer", "Some Writer", e));
    assert_ok(sp_system_excludes_add(&system, "/C:/x", "of another", "Other Writer", e));
    assert_ok(sp_system_excludes_add(&system, "/?:/pagefile.sys", "always", NULL, e));
    assert_ok(sp_strings_add(&job.exclude, "!/C:/db/a.tmp", e));
    assert_ok(sp_job_patterns(&job, &system, &writers, &all, e));
    assert_int_equal(all.n, 4);
    assert_string_equal(all.s[0], "/C:/x");
    assert_string_equal(all.s[1], "/?:/pagefile.sys");
    assert_string_equal(all.s[2], "/C:/db/*.tmp");
    assert_string_equal(all.s[3], "!/C:/db/a.tmp");
    sp_strings_clear(&all);
    /* It is not there: the registry's word holds. */
    writers.arg = "Third Writer";
    assert_ok(sp_job_patterns(&job, &system, &writers, &all, e));
    assert_int_equal(all.n, 5);
    assert_string_equal(all.s[0], "/C:/db/*");
    sp_strings_clear(&all);
    job.system_excludes = false;
    assert_ok(sp_job_patterns(&job, &system, &writers, &all, e));
    assert_int_equal(all.n, 1);
    sp_strings_clear(&all);
    sp_strings_clear(&job.exclude);
    sp_system_excludes_clear(&system);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_values),
        cmocka_unit_test(test_not_understood), cmocka_unit_test(test_order),
        cmocka_unit_test(test_writers)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
