/* POSIX paths and keys; Windows: test_path_win32.c. */

#include "support.h"

#include "base/path.h"

#define KEY(s) s, sizeof(s) - 1

static void
path_to_key(const char *path, const char *key, size_t n)
{
    struct sp_buf b = SP_BUF_INIT;

    assert_ok(sp_key_from_path(path, &b, e));
    assert_int_equal(b.len, n);
    if (n > 0)
        assert_memory_equal(b.data, key, n);
    sp_buf_free(&b);
}

static void
paths_and_keys(void **state)
{
    static const char *const exact[] = {"/", "/usr", "/usr/share", "/a b/\xff\xfe/\\", "/.../..x"};
    struct sp_buf b = SP_BUF_INIT;

    (void)state;
    path_to_key("/", KEY(""));
    path_to_key("/usr/share", KEY("usr\0share"));
    path_to_key("//usr///share/", KEY("usr\0share"));
    for (size_t i = 0; i < sizeof(exact) / sizeof(exact[0]); i++) {
        struct sp_buf key = SP_BUF_INIT, path = SP_BUF_INIT;

        assert_ok(sp_key_from_path(exact[i], &key, e));
        sp_key_to_path(key.data, key.len, &path);
        assert_string_equal(sp_buf_str(&path), exact[i]);
        sp_buf_free(&key);
        sp_buf_free(&path);
    }
    sp_buf_put_str(&b, "kept");
    assert_code(SP_INVALID, sp_key_from_path("", &b, e));
    assert_code(SP_INVALID, sp_key_from_path("usr", &b, e));
    assert_code(SP_INVALID, sp_key_from_path("/usr/../etc", &b, e));
    assert_code(SP_INVALID, sp_key_from_path("/.", &b, e));
    assert_string_equal(sp_buf_str(&b), "kept");
    sp_buf_free(&b);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(paths_and_keys)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
