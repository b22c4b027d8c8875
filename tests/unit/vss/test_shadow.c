#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/path.h"
#include "vss/journal.h"
#include "vss/shadow.h"

/* The shadow source over a real btrfs on a loop device: needs root and loop mounts; without them
 * those tests are skipped and say so. The rest runs everywhere. */

static char top[64], data[96], journal[96];
static bool mounted;

static int
run(const char *fmt, ...)
{
    char command[1024];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(command, sizeof(command), fmt, ap);
    va_end(ap);
    return system(command);
}

static int
setup(void **state)
{
    (void)state;
    (void)strcpy(top, "/tmp/sp-shadow-XXXXXX");
    if (mkdtemp(top) == NULL)
        return -1;
    (void)snprintf(data, sizeof(data), "%s/data", top);
    (void)snprintf(journal, sizeof(journal), "%s/journal", top);
    if (mkdir(data, 0700) != 0 || mkdir(journal, 0700) != 0)
        return -1;
    mounted = geteuid() == 0 && run("truncate -s 200M %s/img", top) == 0 &&
              run("mkfs.btrfs -q %s/img >/dev/null 2>&1", top) == 0 &&
              run("mount -o loop %s/img %s 2>/dev/null", top, data) == 0;
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    if (mounted)
        (void)run("umount %s", data);
    return run("rm -rf %s", top);
}

static void
write_text(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static void
expect_text(const char *path, const char *text)
{
    char got[64] = "";
    FILE *f = fopen(path, "r");

    assert_non_null(f);
    assert_non_null(fgets(got, sizeof(got), f));
    assert_int_equal(fclose(f), 0);
    assert_string_equal(got, text);
}

static enum sp_code
take(const char *path, enum sp_shadow_want want, struct sp_shadow **ret, struct sp_err *e)
{
    struct sp_shadow_options o = {0};
    struct sp_shadow_root root;
    struct sp_shadow *s = NULL;
    struct sp_err ignored = {0};
    struct sp_buf key = SP_BUF_INIT;
    enum sp_code rc;

    assert_int_equal(sp_key_from_path(path, &key, e), SP_OK);
    root.key = key.data;
    root.key_len = key.len;
    o.roots = &root;
    o.nroots = 1;
    o.want = want;
    o.journal_dir = journal;
    rc = sp_shadow_plan(&sp_env_system, &o, &s, e);
    if (rc == SP_OK && (rc = sp_shadow_take(s, e)) != SP_OK)
        (void)sp_shadow_release(s, &ignored);
    if (rc == SP_OK)
        *ret = s;
    sp_buf_free(&key);
    return rc;
}

static int
shadows_left(void)
{
    return run("test -z \"$(find %s -name '.stillpoint-shadow-*' -prune)\"", data);
}

static void
test_none(void **state)
{
    struct sp_shadow *s;
    struct sp_err e = {0};

    (void)state;
    assert_int_equal(take(top, SP_SHADOW_NONE, &s, &e), SP_OK);
    assert_int_equal(sp_shadow_weakest(s), SP_LEVEL_LIVE);
    assert_true(sp_shadow_count(s) >= 1);
    assert_null(sp_shadow_volume(s, 0)->read_path);
    assert_int_equal(sp_shadow_release(s, &e), SP_OK);
}

static void
test_required_and_not_to_be_had(void **state)
{
    struct sp_shadow *s = NULL;
    struct sp_err e = {0};

    (void)state;
    assert_int_equal(take("/proc/self", SP_SHADOW_REQUIRE, &s, &e), SP_UNSUPPORTED);
    assert_null(s);
    assert_non_null(strstr(e.text, "/proc"));
}

static void
test_frozen(void **state)
{
    char path[160], shadow[256];
    const struct sp_shadow_volume *v;
    struct sp_shadow *s;
    struct sp_err e = {0};

    (void)state;
    if (!mounted) {
        print_message("no btrfs loop mount can be made here\n");
        skip();
    }
    assert_int_equal(run("mkdir -p %s/d && btrfs -q subvolume create %s/d/nested", data, data), 0);
    (void)snprintf(path, sizeof(path), "%s/d/f", data);
    write_text(path, "before");
    (void)snprintf(shadow, sizeof(shadow), "%s/d/nested/g", data);
    write_text(shadow, "inside");

    (void)snprintf(path, sizeof(path), "%s/d", data);
    assert_int_equal(take(path, SP_SHADOW_REQUIRE, &s, &e), SP_OK);
    assert_int_equal(sp_shadow_count(s), 2);
    assert_int_equal(sp_shadow_weakest(s), SP_LEVEL_CRASH);
    (void)snprintf(path, sizeof(path), "%s/d/f", data);
    write_text(path, "after");
    v = sp_shadow_volume(s, 0);
    assert_string_equal(v->source, "btrfs");
    assert_true(v->instant_ns > 0);
    (void)snprintf(shadow, sizeof(shadow), "%s/d/f", v->read_path);
    expect_text(shadow, "before");
    (void)snprintf(shadow, sizeof(shadow), "%s/g", sp_shadow_volume(s, 1)->read_path);
    expect_text(shadow, "inside");
    assert_int_equal(sp_shadow_release(s, &e), SP_OK);
    assert_int_equal(shadows_left(), 0);
}

/* A run that was killed: its journal names a process that is gone. */
static void
test_janitor(void **state)
{
    char file[160], path[160];
    const char *paths[2];
    struct sp_shadow *s;
    struct sp_err e = {0};
    size_t n = 99;

    (void)state;
    if (!mounted) {
        print_message("no btrfs loop mount can be made here\n");
        skip();
    }
    /* a living run's shadows are left alone */
    assert_int_equal(take(data, SP_SHADOW_REQUIRE, &s, &e), SP_OK);
    assert_int_equal(sp_shadow_janitor(&sp_env_system, journal, &n, &e), SP_OK);
    assert_int_equal(n, 0);
    assert_int_not_equal(shadows_left(), 0);
    assert_int_equal(sp_shadow_release(s, &e), SP_OK);

    /* a dead one's are removed, and nothing that is not named as ours */
    assert_int_equal(run("btrfs -q subvolume snapshot -r %s %s/mine && "
                         "btrfs -q subvolume snapshot -r %s %s/.stillpoint-shadow-dead-0",
                         data, data, data, data),
        0);
    (void)snprintf(path, sizeof(path), "%s/.stillpoint-shadow-dead-0", data);
    paths[0] = path;
    (void)snprintf(file, sizeof(file), "%s/dead.shadows", journal);
    assert_int_equal(sp_journal_write(&sp_env_system, file, paths, 1, &e), SP_OK);
    assert_int_equal(
        run("sed -i -e 's/^process .*/process 4194303 1/' -e '$a shadow %s/mine' %s", data, file),
        0);
    assert_int_equal(sp_shadow_janitor(&sp_env_system, journal, &n, &e), SP_OK);
    assert_int_equal(n, 1);
    assert_int_equal(shadows_left(), 0);
    assert_int_equal(run("test -d %s/mine && test ! -e %s", data, file), 0);
    assert_int_equal(run("btrfs -q subvolume delete %s/mine >/dev/null", data), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_none),
        cmocka_unit_test(test_required_and_not_to_be_had),
        cmocka_unit_test(test_frozen),
        cmocka_unit_test(test_janitor),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
