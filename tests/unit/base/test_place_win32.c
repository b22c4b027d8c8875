/* Where things are on Windows, who may touch them, what its numbers mean, and local time. */

#include "support.h"

#include <aclapi.h>
#include <sddl.h>
#include <wchar.h>
#include <windows.h>

#include "base/clock.h"
#include "base/path.h"
#include "base/sys_win32.h"

static wchar_t *
sddl_of(PSECURITY_DESCRIPTOR sd)
{
    wchar_t *text = NULL;

    assert_true(ConvertSecurityDescriptorToStringSecurityDescriptorW(
        sd, SDDL_REVISION_1, DACL_SECURITY_INFORMATION, &text, NULL));
    return text;
}

/* This user, SYSTEM and Administrators; nothing from above. */
static void
tight_is_three(void **state)
{
    PSECURITY_DESCRIPTOR sd = NULL;
    wchar_t *text, *ace;
    unsigned n = 0;

    (void)state;
    assert_ok(sp_win32_tight(false, &sd, e));
    text = sddl_of(sd);
    assert_memory_equal(text, L"D:P(A;;FA;;;SY)(A;;FA;;;BA)(A;;FA;;;", 36 * sizeof(wchar_t));
    for (ace = text; (ace = wcschr(ace, L'(')) != NULL; ace++)
        n++;
    assert_int_equal(n, 3);
    (void)LocalFree(text);
    (void)LocalFree(sd);
    assert_ok(sp_win32_tight(true, &sd, e));
    text = sddl_of(sd);
    assert_non_null(wcsstr(text, L"(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;FA;;;"));
    (void)LocalFree(text);
    (void)LocalFree(sd);
}

/* Wine keeps of a list only what the mode bits of the disk below can say: for everyone else
 * nothing. */
static void
what_is_made_is_ours_alone(void **state)
{
    static const char *const names[] = {"f", "d"};

    for (size_t i = 0; i < 2; i++) {
        char *path = sp_path_join(*state, names[i]);
        wchar_t *wide = NULL, *text;
        PSECURITY_DESCRIPTOR sd = NULL;
        struct sp_file *f = NULL;
        bool trusted = false;

        if (i == 0) {
            assert_ok(sp_os_system.create(NULL, path, &f, e));
            assert_ok(sp_os_system.close(NULL, f, e));
        } else {
            assert_ok(sp_os_system.mkdir(NULL, path, e));
        }
        assert_ok(sp_win32_path(path, &wide, e));
        assert_int_equal(GetNamedSecurityInfoW(wide, SE_FILE_OBJECT, DACL_SECURITY_INFORMATION,
                             NULL, NULL, NULL, NULL, &sd),
            ERROR_SUCCESS);
        text = sddl_of(sd);
        assert_null(wcsstr(text, L";;;WD)")); /* everyone */
        assert_null(wcsstr(text, L";;;BU)")); /* users */
        assert_null(wcsstr(text, L";;;AU)")); /* who is logged in */
        assert_non_null(wcsstr(text, L"(A;"));
        assert_ok(sp_win32_owner_trusted(wide, &trusted, e));
        assert_true(trusted);
        (void)LocalFree(text);
        (void)LocalFree(sd);
        free(wide);
        free(path);
    }
}

static void
a_file_is_no_folder_of_ours(void **state)
{
    char *path = sp_path_join(*state, "f"), *none = sp_path_join(*state, "none");
    struct sp_file *f = NULL;

    assert_ok(sp_os_system.create(NULL, path, &f, e));
    assert_ok(sp_os_system.close(NULL, f, e));
    assert_code(SP_REFUSED, sp_win32_check_ours(path, e));
    assert_ok(sp_win32_check_ours(none, e));
    assert_ok(sp_win32_check_ours(*state, e));
    free(path);
    free(none);
}

/* One that was made by hand, by us, in a folder that lets everyone in. */
static void
a_folder_open_to_all_is_not_obeyed(void **state)
{
    PSECURITY_DESCRIPTOR sd = NULL;
    char *path = sp_path_join(*state, "open");
    struct sp_err why = {0};
    BOOL there = FALSE, by_default = FALSE;
    PACL list = NULL;
    wchar_t *wide = NULL;

    assert_true(ConvertStringSecurityDescriptorToSecurityDescriptorW(
        L"D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;FA;;;WD)", SDDL_REVISION_1, &sd, NULL));
    assert_ok(sp_win32_path(path, &wide, e));
    assert_true(CreateDirectoryW(wide, NULL));
    /* Wine obeys the umask at making, as it should not. */
    assert_true(GetSecurityDescriptorDacl(sd, &there, &list, &by_default));
    assert_int_equal(SetNamedSecurityInfoW(wide, SE_FILE_OBJECT,
                         DACL_SECURITY_INFORMATION | PROTECTED_DACL_SECURITY_INFORMATION, NULL,
                         NULL, list, NULL),
        ERROR_SUCCESS);
    assert_int_equal(sp_win32_check_ours(path, &why), SP_REFUSED);
    assert_non_null(strstr(why.text, "icacls"));
    (void)LocalFree(sd);
    free(wide);
    free(path);
}

static void
places(void **state)
{
    static const struct {
        enum sp_os_place which;
        const wchar_t *variable;
        const char *end;
    } cases[] = {{SP_PLACE_CONFIG, L"STILLPOINT_CONFIG_DIR", "/Stillpoint/config"},
        {SP_PLACE_STATE, L"STILLPOINT_STATE_DIR", "/Stillpoint/state"},
        {SP_PLACE_CACHE, L"STILLPOINT_CACHE_DIR", "/Stillpoint/cache"}};
    char *path = NULL;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_true(SetEnvironmentVariableW(cases[i].variable, NULL));
        assert_ok(sp_os_place(cases[i].which, &path, e));
        assert_true(path[1] == ':' && path[2] == '/' && strchr(path, '\\') == NULL);
        assert_string_equal(path + strlen(path) - strlen(cases[i].end), cases[i].end);
        free(path);
        assert_true(SetEnvironmentVariableW(cases[i].variable, L"D:\\sp\\\x00e9"));
        assert_ok(sp_os_place(cases[i].which, &path, e));
        assert_string_equal(path, "D:/sp/\xc3\xa9");
        free(path);
        assert_true(SetEnvironmentVariableW(cases[i].variable, NULL));
    }
    assert_ok(sp_os_hostname(&path, e));
    assert_true(strlen(path) > 0);
    free(path);
    (void)sp_os_is_admin();
}

static void
what_numbers_mean(void **state)
{
    static const struct {
        DWORD os;
        enum sp_code code;
        enum sp_os_reason reason;
    } cases[] = {{ERROR_FILE_NOT_FOUND, SP_ABSENT, SP_OS_NO_REASON},
        {ERROR_PATH_NOT_FOUND, SP_ABSENT, SP_OS_NO_REASON},
        {ERROR_FILE_EXISTS, SP_EXISTS, SP_OS_NO_REASON},
        {ERROR_ALREADY_EXISTS, SP_EXISTS, SP_OS_NO_REASON},
        {ERROR_DISK_FULL, SP_FULL, SP_OS_NO_REASON}, {1295, SP_FULL, SP_OS_NO_REASON},
        {ERROR_ACCESS_DENIED, SP_DENIED, SP_OS_NO_REASON},
        {ERROR_WRITE_PROTECT, SP_DENIED, SP_OS_READ_ONLY},
        {ERROR_PRIVILEGE_NOT_HELD, SP_DENIED, SP_OS_NOT_PERMITTED},
        {ERROR_SHARING_VIOLATION, SP_BUSY, SP_OS_NO_REASON},
        {ERROR_NETNAME_DELETED, SP_UNREACHABLE, SP_OS_NO_REASON},
        {ERROR_BAD_NETPATH, SP_UNREACHABLE, SP_OS_NO_REASON},
        {ERROR_INVALID_FUNCTION, SP_UNSUPPORTED, SP_OS_NO_REASON},
        {ERROR_INVALID_PARAMETER, SP_IO, SP_OS_BAD_REQUEST},
        {ERROR_DIRECTORY, SP_IO, SP_OS_NOT_FOLDER}, {ERROR_CRC, SP_IO, SP_OS_NO_REASON}};
    struct sp_err err = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(sp_fail_os(&err, SP_DOM_STORE, (int)cases[i].os, "x"), cases[i].code);
        assert_int_equal(err.os, cases[i].os);
        assert_int_equal(sp_os_reason(err.os), cases[i].reason);
    }
    (void)sp_fail_os(&err, SP_DOM_STORE, ERROR_FILE_NOT_FOUND, "x");
    assert_memory_equal(err.text, "x: ", 3);
    assert_non_null(strstr(err.text, " (Windows error 2)"));
    assert_null(strpbrk(err.text, "\r\n"));
    (void)sp_fail_os(&err, SP_DOM_STORE, 0x7fff0123, "x");
    assert_string_equal(err.text, "x: Windows error 2147418403");
}

/* There and back through all seasons of years with and without rules; an hour that happens twice is
 * one of two. */
static void
local_time_comes_back(void **state)
{
    (void)state;
    for (int64_t s = INT64_C(-2000000000); s < INT64_C(4000000000); s += 3456789) {
        struct sp_civil c, again;
        int64_t back;

        assert_true(sp_civil_local(s, &c));
        assert_true(sp_civil_seconds(&c, &back));
        assert_true(back - s <= 3600 && s - back <= 3600);
        assert_true(sp_civil_local(back, &again));
        assert_memory_equal(&c, &again, sizeof(c));
    }
    assert_int_equal(sp_win32_time_ns(UINT64_C(116444736000000000)), 0);
    assert_true(sp_win32_time_ns(UINT64_MAX) == INT64_MAX);
    assert_true(sp_win32_time_ns(0) == INT64_MIN);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tight_is_three),
        cmocka_unit_test_setup_teardown(what_is_made_is_ours_alone, tmp_setup, tmp_teardown),
        cmocka_unit_test_setup_teardown(a_file_is_no_folder_of_ours, tmp_setup, tmp_teardown),
        cmocka_unit_test_setup_teardown(
            a_folder_open_to_all_is_not_obeyed, tmp_setup, tmp_teardown),
        cmocka_unit_test(places),
        cmocka_unit_test(what_numbers_mean),
        cmocka_unit_test(local_time_comes_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
