#include <windows.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/sys_win32.h"
#include "client/job_files.h"

/* One run at a time: a byte of the file is locked, far behind the note, because Windows' locks keep
 * others from reading what they cover. The system lets go of it when the process ends.
 * https://learn.microsoft.com/en-us/windows/win32/api/fileapi/nf-fileapi-lockfileex */

#define LOCK_AT 0x10000000u

struct sp_run_lock {
    HANDLE file;
};

static void
read_note(HANDLE file, struct sp_buf *ret)
{
    char note[400];
    OVERLAPPED at = {0};
    DWORD n = 0;

    if (ReadFile(file, note, sizeof(note), &n, &at) && n > 0)
        sp_buf_put(ret, note, n);
}

static enum sp_code
open_file(const char *path, HANDLE *ret, struct sp_err *e)
{
    wchar_t *wide = NULL;
    HANDLE file;
    enum sp_code rc;

    if ((rc = sp_win32_path(path, &wide, e)) != SP_OK)
        return rc;
    file = CreateFileW(wide, GENERIC_READ | GENERIC_WRITE,
        FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL, OPEN_ALWAYS,
        FILE_ATTRIBUTE_NORMAL | FILE_FLAG_OPEN_REPARSE_POINT, NULL);
    free(wide);
    if (file == INVALID_HANDLE_VALUE)
        return sp_win32_fail(e, SP_DOM_SELF, GetLastError(), "open", path);
    *ret = file;
    return SP_OK;
}

enum sp_code
sp_run_lock_try(const char *path, const char *note, struct sp_run_lock **ret,
    struct sp_buf *ret_note, struct sp_err *e)
{
    struct sp_run_lock *l = calloc(1, sizeof(*l));
    OVERLAPPED where = {.Offset = LOCK_AT}, start = {0};
    DWORD n = 0, why;
    enum sp_code rc;

    if (l == NULL)
        return sp_fail_nomem(e);
    if ((rc = open_file(path, &l->file, e)) != SP_OK) {
        free(l);
        return rc;
    }
    if (!LockFileEx(
            l->file, LOCKFILE_EXCLUSIVE_LOCK | LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, &where)) {
        why = GetLastError();
        if (why == ERROR_LOCK_VIOLATION || why == ERROR_IO_PENDING) {
            read_note(l->file, ret_note);
            rc = sp_fail(e, SP_BUSY, SP_DOM_SELF, "%s is held by another run", path);
        } else if (why == ERROR_NOT_SUPPORTED || why == ERROR_INVALID_FUNCTION) {
            rc = sp_fail(e, SP_UNSUPPORTED, SP_DOM_SELF, "%s: no locks are possible there", path);
        } else {
            rc = sp_fail_os(e, SP_DOM_SELF, (int)why, "cannot lock %s", path);
        }
        (void)CloseHandle(l->file);
        free(l);
        return rc;
    }
    /* The note is for messages: without it the lock holds as well. */
    if (SetFilePointer(l->file, 0, NULL, FILE_BEGIN) == 0 && SetEndOfFile(l->file))
        (void)WriteFile(l->file, note, (DWORD)strlen(note), &n, &start);
    *ret = l;
    return SP_OK;
}

void
sp_run_lock_free(struct sp_run_lock *l)
{
    if (l == NULL)
        return;
    (void)CloseHandle(l->file);
    free(l);
}

void
sp_run_lock_self(char to[64])
{
    char now[32];

    sp_time_local(sp_clock_wall(&sp_clock_system), now);
    (void)snprintf(to, 64, "%lu since %s", GetCurrentProcessId(), now);
}
