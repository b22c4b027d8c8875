/* UTF-16, times and errors: see sys_win32.h. */

#include "base/sys_win32.h"

#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "base/clock.h"
#include "base/path.h"

_Static_assert(sizeof(wchar_t) == sizeof(uint16_t), "Windows has UTF-16");

enum sp_code
sp_win32_wide(const char *text, wchar_t **ret, struct sp_err *e)
{
    uint16_t *units = NULL, *ended;
    size_t n;
    enum sp_code rc;

    if ((rc = sp_wtf8_to_utf16(text, strlen(text), &units, &n, e)) != SP_OK)
        return rc;
    if ((ended = realloc(units, (n + 1) * sizeof(*ended))) == NULL) {
        free(units);
        return sp_fail_nomem(e);
    }
    ended[n] = 0;
    *ret = ended;
    return SP_OK;
}

enum sp_code
sp_win32_narrow(const wchar_t *text, char **ret, struct sp_err *e)
{
    char *bytes = NULL, *ended;
    size_t n;
    enum sp_code rc;

    if ((rc = sp_utf16_to_wtf8(text, wcslen(text), &bytes, &n, e)) != SP_OK)
        return rc;
    if ((ended = realloc(bytes, n + 1)) == NULL) {
        free(bytes);
        return sp_fail_nomem(e);
    }
    ended[n] = '\0';
    *ret = ended;
    return SP_OK;
}

enum sp_code
sp_win32_fail(
    struct sp_err *e, enum sp_domain domain, DWORD number, const char *what, const char *path)
{
    struct sp_buf shown = SP_BUF_INIT;
    enum sp_code rc;

    sp_path_show(path, strlen(path), &shown);
    rc = sp_fail_os(e, domain, (int)number, "cannot %s %s", what, sp_buf_str(&shown));
    sp_buf_free(&shown);
    return rc;
}

#define EPOCH INT64_C(116444736000000000) /* 1970 in units of 100 ns since 1601 */

int64_t
sp_win32_time_ns(uint64_t filetime)
{
    int64_t since;

    if (filetime > (uint64_t)INT64_MAX)
        return INT64_MAX;
    since = (int64_t)filetime - EPOCH;
    if (since > INT64_MAX / 100)
        return INT64_MAX;
    return since < INT64_MIN / 100 ? INT64_MIN : since * 100;
}

bool
sp_win32_is_link(DWORD attributes, DWORD tag)
{
    return (attributes & FILE_ATTRIBUTE_REPARSE_POINT) != 0 && IsReparseTagNameSurrogate(tag);
}

bool
sp_win32_is_remote(const wchar_t *path)
{
    wchar_t root[] = L"C:\\";

    if (wcsncmp(path, L"\\\\?\\UNC\\", 8) == 0)
        return true;
    if (wcsncmp(path, L"\\\\?\\", 4) != 0 || path[4] == 0 || path[5] != L':')
        return false;
    root[0] = path[4];
    return GetDriveTypeW(root) == DRIVE_REMOTE;
}
