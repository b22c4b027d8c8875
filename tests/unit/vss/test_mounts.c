#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vss/mounts_linux.h"

static const char table[] = "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
                            "23 22 0:21 / /proc rw - proc proc rw\n"
                            "24 22 8:2 / /da\\040ta rw shared:5 master:2 - xfs /dev/sda2 rw\n"
                            "25 22 8:3 / /home rw - ext4 /dev/sda3 rw\n"
                            "26 25 0:40 /@home /home rw - btrfs /dev/sdb rw\n"
                            "a line that makes no sense\n";

static void
test_parse(void **state)
{
    struct mounts m;
    struct sp_err e = {0};

    (void)state;
    assert_int_equal(mounts_parse(table, &m, &e), SP_OK);
    assert_int_equal(m.n, 4);
    assert_string_equal(m.m[0].path, "/");
    assert_string_equal(m.m[1].path, "/da ta");
    assert_string_equal(m.m[2].path, "/home");
    assert_string_equal(m.m[2].type, "btrfs"); /* the later one hides the earlier */
    assert_true(mount_is_pseudo(&m.m[3]));
    assert_false(mount_is_pseudo(&m.m[1]));
    assert_string_equal(mounts_cover(&m, "/home/x/y")->path, "/home");
    assert_string_equal(mounts_cover(&m, "/homes")->path, "/");
    assert_string_equal(mounts_cover(&m, "/da ta")->path, "/da ta");
    mounts_clear(&m);
}

static void
test_empty(void **state)
{
    struct mounts m;
    struct sp_err e = {0};

    (void)state;
    assert_int_equal(mounts_parse("nothing\n", &m, &e), SP_IO);
}

static void
test_own(void **state)
{
    struct mounts m;
    struct sp_err e = {0};

    (void)state;
    assert_int_equal(mounts_read(&m, &e), SP_OK);
    assert_string_equal(mounts_cover(&m, "/")->path, "/");
    assert_string_equal(mounts_cover(&m, "/proc/self")->type, "proc");
    mounts_clear(&m);
}

static void
test_within(void **state)
{
    (void)state;
    assert_true(path_within("/", "/a"));
    assert_true(path_within("/a", "/a"));
    assert_true(path_within("/a", "/a/b"));
    assert_false(path_within("/a", "/ab"));
    assert_false(path_within("/a/b", "/a"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_own),
        cmocka_unit_test(test_within),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
