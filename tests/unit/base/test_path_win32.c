/* Windows' paths: the inside form, what Windows gets of it, keys, and what is shown. */

#include "support.h"

#include <wchar.h>
#include <windows.h>

#include "base/path.h"
#include "base/sys_win32.h"

static void
absolute(const char *in, const char *want)
{
    char *got = NULL;

    assert_ok(sp_os_absolute(in, &got, e));
    assert_string_equal(got, want);
    free(got);
}

static void
paths_become_absolute(void **state)
{
    static const char *const refused[] = {"", "\\\\.\\PhysicalDrive0", "//./pipe/x", "\\\\server",
        "//server/", "\\\\?\\UNC\\server", "\\\\?\\GLOBALROOT\\Device", "C:\\a:stream", "a:b:c"};
    char *cwd = NULL, *got = NULL;

    (void)state;
    absolute("C:\\Users\\me", "C:/Users/me");
    absolute("c:/Users//me\\", "C:/Users/me");
    absolute("C:\\a\\.\\b\\..\\c", "C:/a/c");
    absolute("C:\\..\\..", "C:/");
    absolute("C:\\", "C:/");
    absolute("C:\\name. \\CON\\x.", "C:/name. /CON/x."); /* not bent */
    absolute("\\\\server\\share\\x\\", "//server/share/x");
    absolute("//Server/Share", "//Server/Share");
    absolute("\\\\server\\share\\..\\..\\x", "//server/share/x");
    absolute("\\\\?\\c:\\x", "C:/x");
    absolute("\\\\?\\UNC\\server\\share\\x", "//server/share/x");
    absolute("//?/unc/server/share", "//server/share");
    absolute("\\\\?\\Volume{12345678-0000-0000-0000-000000000000}\\x",
        "//?/Volume{12345678-0000-0000-0000-000000000000}/x");
    absolute("\\\\?\\GLOBALROOT\\Device\\HarddiskVolumeShadowCopy1\\..\\x",
        "//?/GLOBALROOT/Device/HarddiskVolumeShadowCopy1/x");
    absolute("C:/\xed\xa0\x80", "C:/\xed\xa0\x80"); /* half of a pair, as WTF-8 */
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        assert_code(SP_INVALID, sp_os_absolute(refused[i], &got, e));

    assert_ok(sp_os_absolute(".", &cwd, e));
    assert_true(cwd[1] == ':' && cwd[2] == '/');
    assert_ok(sp_os_absolute("x\\y", &got, e));
    assert_memory_equal(got, cwd, strlen(cwd));
    assert_string_equal(got + strlen(got) - 4, "/x/y");
    free(got);
    /* The drive's own current folder, and the current drive's root. */
    assert_ok(sp_os_absolute((char[]){cwd[0], ':', 'z', '\0'}, &got, e));
    assert_memory_equal(got, cwd, strlen(cwd));
    assert_string_equal(got + strlen(got) - 2, "/z");
    free(got);
    assert_ok(sp_os_absolute("\\z", &got, e));
    assert_true(got[0] == cwd[0]);
    assert_string_equal(got + 1, ":/z");
    free(got);
    free(cwd);
}

static void
windows_gets(const char *in, const wchar_t *want)
{
    wchar_t *got = NULL;

    assert_ok(sp_win32_path(in, &got, e));
    if (wcscmp(got, want) != 0)
        fail_msg("%s: %ls", in, got);
    free(got);
}

static void
what_windows_gets(void **state)
{
    (void)state;
    windows_gets("C:/", L"\\\\?\\C:\\");
    windows_gets("C:", L"\\\\?\\C:\\");
    windows_gets("C:/x /y.", L"\\\\?\\C:\\x \\y.");
    windows_gets("//server/share", L"\\\\?\\UNC\\server\\share\\");
    windows_gets("//server/share/x", L"\\\\?\\UNC\\server\\share\\x");
    windows_gets("//?/GLOBALROOT/Device/HarddiskVolumeShadowCopy1",
        L"\\\\?\\GLOBALROOT\\Device\\HarddiskVolumeShadowCopy1\\");
    windows_gets("//?/Volume{1}/x", L"\\\\?\\Volume{1}\\x");
    windows_gets("C:/\xf0\x9f\x92\xbe\xed\xa0\x80", L"\\\\?\\C:\\\xd83d\xdcbe\xd800");
    assert_true(sp_win32_is_remote(L"\\\\?\\UNC\\server\\share\\x"));
    assert_false(sp_win32_is_remote(L"\\\\?\\C:\\x"));
    assert_false(sp_win32_is_remote(L"\\\\?\\Volume{1}\\x"));
}

#define KEY(s) s, sizeof(s) - 1

static void
path_to_key(const char *path, const char *key, size_t n, const char *back)
{
    struct sp_buf b = SP_BUF_INIT, p = SP_BUF_INIT;

    assert_ok(sp_key_from_path(path, &b, e));
    assert_int_equal(b.len, n);
    assert_memory_equal(b.data, key, n);
    sp_key_to_path(b.data, b.len, &p);
    assert_string_equal(sp_buf_str(&p), back);
    sp_buf_free(&b);
    sp_buf_free(&p);
}

static void
paths_and_keys(void **state)
{
    static const char *const refused[] = {"", "x", "/", "/usr/share", "\\x", "C:x", "C:\\a\\..\\b",
        "C:/.", "\\\\server", "\\\\.\\C:"};
    struct sp_buf b = SP_BUF_INIT;

    (void)state;
    path_to_key("C:\\Users\\me", KEY("C:\0Users\0me"), "C:\\Users\\me");
    path_to_key("c:/Users//me/", KEY("C:\0Users\0me"), "C:\\Users\\me");
    path_to_key("C:\\", KEY("C:"), "C:\\");
    path_to_key("c:", KEY("C:"), "C:\\");
    path_to_key("\\\\?\\C:\\x. ", KEY("C:\0x. "), "C:\\x. ");
    path_to_key("\\\\Server\\Share\\x", KEY("\\\\Server\\Share\0x"), "\\\\Server\\Share\\x");
    path_to_key("//Server/Share", KEY("\\\\Server\\Share"), "\\\\Server\\Share");
    path_to_key("\\\\?\\Volume{1}\\x", KEY("\\\\?\\Volume{1}\0x"), "\\\\?\\Volume{1}\\x");
    sp_buf_put_str(&b, "kept");
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        assert_code(SP_INVALID, sp_key_from_path(refused[i], &b, e));
    assert_string_equal(sp_buf_str(&b), "kept");
    /* From another system: as it is written there. */
    sp_buf_reset(&b);
    sp_key_to_path(KEY("usr\0share\0a\\b"), &b);
    assert_string_equal(sp_buf_str(&b), "/usr/share/a\\b");
    sp_buf_reset(&b);
    sp_key_to_path("", 0, &b);
    assert_string_equal(sp_buf_str(&b), "/");
    sp_buf_free(&b);
}

static void
backslashes_are_shown_as_they_are(void **state)
{
    struct sp_buf b = SP_BUF_INIT;

    (void)state;
    sp_path_show("C:\\a\nb\\\xed\xa0\x80", 10, &b);
    assert_string_equal(sp_buf_str(&b), "C:\\a\\nb\\\\xed\\xa0\\x80");
    sp_buf_free(&b);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_become_absolute),
        cmocka_unit_test(what_windows_gets),
        cmocka_unit_test(paths_and_keys),
        cmocka_unit_test(backslashes_are_shown_as_they_are),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
