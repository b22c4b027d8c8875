#include <windows.h>

#include <stdlib.h>
#include <string.h>

#include "base/os.h"
#include "base/path.h"
#include "client/canonical.h"

const bool sp_paths_fold = true;

/* GetFinalPathNameByHandle gives the path with links followed and in the case that the disk has:
 * learn.microsoft.com/en-us/windows/win32/api/fileapi/nf-fileapi-getfinalpathnamebyhandlew */

static enum sp_code
failed(const char *path, struct sp_err *e)
{
    return sp_fail_os(e, SP_DOM_SOURCE, (int)GetLastError(), "%s cannot be backed up", path);
}

/* "C:/x" → "\\?\C:\x", "//server/share" → "\\?\UNC\server\share": no limit of length, nothing
 * mangled. */
static enum sp_code
wide_path(const char *absolute, WCHAR **ret, struct sp_err *e)
{
    struct sp_buf b = SP_BUF_INIT;
    uint16_t *wide = NULL;
    size_t n = 0;
    enum sp_code rc;

    if (strncmp(absolute, "//?/", 4) == 0)
        sp_buf_put(&b, absolute, strlen(absolute));
    else if (strncmp(absolute, "//", 2) == 0)
        sp_buf_printf(&b, "//?/UNC/%s", absolute + 2);
    else
        sp_buf_printf(&b, "//?/%s", absolute);
    sp_buf_put_u8(&b, 0);
    if ((rc = sp_buf_ok(&b, e)) == SP_OK) {
        for (size_t i = 0; i < b.len; i++)
            if (b.data[i] == '/')
                b.data[i] = '\\';
        rc = sp_wtf8_to_utf16((const char *)b.data, b.len, &wide, &n, e);
    }
    sp_buf_free(&b);
    if (rc == SP_OK)
        *ret = (WCHAR *)wide;
    return rc;
}

static enum sp_code
final_path(HANDLE h, const char *path, WCHAR **ret, size_t *ret_n, struct sp_err *e)
{
    DWORD room = 512, n;
    WCHAR *to = NULL, *more;

    for (;;) {
        if ((more = realloc(to, room * sizeof *to)) == NULL) {
            free(to);
            return sp_fail_nomem(e);
        }
        to = more;
        n = GetFinalPathNameByHandleW(h, to, room, FILE_NAME_NORMALIZED | VOLUME_NAME_DOS);
        if (n == 0) {
            free(to);
            return failed(path, e);
        }
        if (n < room)
            break;
        room = n + 1;
    }
    *ret = to;
    *ret_n = n;
    return SP_OK;
}

/* Back to the inside form. */
static enum sp_code
inside_path(const WCHAR *wide, size_t n, char **ret, struct sp_err *e)
{
    char *text = NULL;
    size_t len = 0;
    enum sp_code rc;

    if ((rc = sp_utf16_to_wtf8((const uint16_t *)wide, n, &text, &len, e)) != SP_OK)
        return rc;
    rc = sp_os_absolute(text, ret, e); /* takes \\?\ and \\?\UNC\ off */
    free(text);
    return rc;
}

enum sp_code
sp_path_canonical(const char *path, char **ret, struct sp_err *e)
{
    char *absolute = NULL;
    WCHAR *wide = NULL, *final = NULL;
    size_t n = 0;
    HANDLE h = INVALID_HANDLE_VALUE;
    enum sp_code rc;

    if ((rc = sp_os_absolute(path, &absolute, e)) != SP_OK ||
        (rc = wide_path(absolute, &wide, e)) != SP_OK)
        goto out;
    h = CreateFileW(wide, FILE_READ_ATTRIBUTES,
        FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL, OPEN_EXISTING,
        FILE_FLAG_BACKUP_SEMANTICS, NULL);
    if (h == INVALID_HANDLE_VALUE) {
        rc = failed(path, e);
        goto out;
    }
    if ((rc = final_path(h, path, &final, &n, e)) == SP_OK)
        rc = inside_path(final, n, ret, e);
out:
    if (h != INVALID_HANDLE_VALUE)
        (void)CloseHandle(h);
    free(final);
    free(wide);
    free(absolute);
    return rc;
}
