/* Volumes on Windows where VSS is not to be had (Wine) or not wanted: read live, and said so. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <windows.h>

#include "base/path.h"
#include "vss/journal.h"
#include "vss/shadow.h"

static struct sp_err err;

static enum sp_code
take(const char *path, enum sp_shadow_want want, struct sp_shadow **ret)
{
    struct sp_buf key = SP_BUF_INIT;
    struct sp_err ignored = {0};
    struct sp_shadow *s = NULL;
    struct sp_shadow_root root;
    struct sp_shadow_options o = {.roots = &root, .nroots = 1, .want = want};
    enum sp_code rc;

    assert_int_equal(sp_key_from_path(path, &key, &err), SP_OK);
    root = (struct sp_shadow_root){key.data, key.len};
    rc = sp_shadow_plan(&sp_env_system, &o, &s, &err);
    if (rc == SP_OK && (rc = sp_shadow_take(s, &err)) != SP_OK)
        (void)sp_shadow_release(s, &ignored);
    if (rc == SP_OK)
        *ret = s;
    sp_buf_free(&key);
    return rc;
}

static void
a_volume_is_read_live_and_says_why(void **state)
{
    static const char *const roots[] = {"C:\\", "c:\\windows", "C:\\windows\\no such folder"};
    const struct sp_shadow_volume *v;
    struct sp_shadow *s = NULL;

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(take(roots[i], SP_SHADOW_AUTO, &s), SP_OK);
        assert_int_equal(sp_shadow_count(s), 1);
        v = sp_shadow_volume(s, 0);
        assert_int_equal(v->key_len, 2);
        assert_memory_equal(v->key, "C:", 2);
        assert_null(v->read_path);
        assert_int_equal(v->level, SP_LEVEL_LIVE);
        assert_string_equal(v->source, "none");
        assert_true(strlen(v->file_system) > 0);
        assert_non_null(strstr(v->reason, "VSS"));
        assert_false(v->failed);
        assert_int_equal(v->instant_ns, 0);
        assert_false(v->pseudo);
        assert_int_equal(sp_shadow_weakest(s), SP_LEVEL_LIVE);
        assert_int_equal(sp_shadow_release(s, &err), SP_OK);
    }
    assert_int_equal(take("C:\\", SP_SHADOW_NONE, &s), SP_OK);
    assert_string_equal(sp_shadow_volume(s, 0)->reason, "no shadow was asked for");
    assert_int_equal(sp_shadow_release(s, &err), SP_OK);
}

static void
a_required_shadow_is_refused(void **state)
{
    struct sp_shadow *s = NULL;

    (void)state;
    assert_int_equal(take("C:\\windows", SP_SHADOW_REQUIRE, &s), SP_UNSUPPORTED);
    assert_null(s);
    assert_int_equal(err.domain, SP_DOM_SHADOW);
    assert_non_null(strstr(err.text, "VSS"));
}

/* A process is known by its number and when it was made. */
static void
processes_are_told_apart(void **state)
{
    STARTUPINFOW si = {.cb = sizeof(si)};
    wchar_t command[] = L"cmd.exe /c exit";
    PROCESS_INFORMATION child;
    FILETIME made, ended, kernel, user;
    uint64_t pid, start, born;

    (void)state;
    sp_process_self(&pid, &start);
    assert_int_equal(pid, GetCurrentProcessId());
    assert_true(start != 0);
    assert_true(sp_process_alive(pid, start));
    assert_false(sp_process_alive(pid, start + 1));
    assert_false(sp_process_alive(0, start));
    assert_false(sp_process_alive(UINT64_MAX, start));
    assert_true(CreateProcessW(NULL, command, NULL, NULL, FALSE, 0, NULL, NULL, &si, &child));
    assert_int_equal(WaitForSingleObject(child.hProcess, 20000), WAIT_OBJECT_0);
    assert_true(GetProcessTimes(child.hProcess, &made, &ended, &kernel, &user));
    born = (uint64_t)made.dwHighDateTime << 32 | made.dwLowDateTime;
    assert_false(sp_process_alive(child.dwProcessId, born)); /* our handle keeps its number */
    assert_true(CloseHandle(child.hProcess) && CloseHandle(child.hThread));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_volume_is_read_live_and_says_why),
        cmocka_unit_test(a_required_shadow_is_refused),
        cmocka_unit_test(processes_are_told_apart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
