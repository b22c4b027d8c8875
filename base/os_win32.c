/* The table of file operations over Win32: names and folders. See os.h; open files are in
 * os_file_win32.c, listings in os_list_win32.c.
 *
 * Scanners and indexers open what was just written, and while they do so it cannot be renamed,
 * replaced or removed: tried ten times with growing pauses (§10 of the design). `publish` is tried
 * once: the repository's own code knows when to try again (sp_dir_rename). */

#include "base/os_win32.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "base/clock.h"

#define TRIES 10u
#define PAUSE_MS 5u /* 2.5 s in all */

static enum sp_code
fail_path(struct sp_err *e, DWORD number, const char *what, const char *path)
{
    return sp_win32_fail(e, SP_DOM_STORE, number, what, path);
}

/* Access is denied too where a name is being removed, and where what would be replaced is open. */
static bool
may_pass(DWORD why)
{
    return why == ERROR_SHARING_VIOLATION || why == ERROR_LOCK_VIOLATION ||
           why == ERROR_ACCESS_DENIED || why == ERROR_DELETE_PENDING ||
           why == ERROR_USER_MAPPED_FILE;
}

struct two {
    const wchar_t *from, *to;
    void *info; /* for rename_posix */
    DWORD info_bytes;
};

/* Calls `act` until it gives 0 or what will not pass. */
static DWORD
again(DWORD (*act)(const struct two *names), const struct two *names)
{
    for (unsigned i = 0;; i++) {
        DWORD why = act(names);

        if (why == 0 || i + 1 == TRIES || !may_pass(why))
            return why;
        sp_sleep_ms(PAUSE_MS << i);
    }
}

static enum sp_code
two_paths(const char *a, const char *b, wchar_t **ret_a, wchar_t **ret_b, struct sp_err *e)
{
    enum sp_code rc = sp_win32_path(a, ret_a, e);

    if (rc == SP_OK && (rc = sp_win32_path(b, ret_b, e)) != SP_OK)
        free(*ret_a);
    return rc;
}

/* A file is there already under the name that it has, whatever the case of its letters; to rename
 * it to itself would succeed. */
static DWORD
taken_by_itself(const wchar_t *from, const wchar_t *to)
{
    if (CompareStringOrdinal(from, -1, to, -1, TRUE) != CSTR_EQUAL)
        return 0;
    return GetFileAttributesW(from) != INVALID_FILE_ATTRIBUTES ? ERROR_ALREADY_EXISTS
                                                               : GetLastError();
}

/* Without MOVEFILE_REPLACE_EXISTING a name that is taken answers ERROR_ALREADY_EXISTS; without
 * MOVEFILE_COPY_ALLOWED it is one step of the file system
 * (learn.microsoft.com/windows/win32/api/winbase/nf-winbase-movefileexw). */
static enum sp_code
win32_publish(void *self, const char *from, const char *to, struct sp_err *e)
{
    wchar_t *a = NULL, *b = NULL;
    DWORD why;
    enum sp_code rc;

    (void)self;
    if ((rc = two_paths(from, to, &a, &b, e)) != SP_OK)
        return rc;
    if ((why = taken_by_itself(a, b)) == 0 && !MoveFileExW(a, b, MOVEFILE_WRITE_THROUGH))
        why = GetLastError();
    if (why != 0)
        rc = fail_path(e, why, "publish", to);
    free(a);
    free(b);
    return rc;
}

/* FILE_RENAME_INFO of Windows 10 1607, which the cross compiler's headers have without flags
 * (learn.microsoft.com/windows-hardware/drivers/ddi/ntifs/ns-ntifs-_file_rename_information). */
struct rename_info {
    DWORD flags;
    HANDLE root;
    DWORD bytes;
    wchar_t name[1];
};
#define FILE_RENAME_INFO_EX ((FILE_INFO_BY_HANDLE_CLASS)22)
#define RENAME_REPLACE 1u
#define RENAME_POSIX 2u
#define RENAME_IGNORE_READONLY 0x40u

static enum sp_code
new_info(struct two *names, struct sp_err *e)
{
    size_t n = wcslen(names->to);
    size_t room = offsetof(struct rename_info, name) + (n + 1) * sizeof(wchar_t);
    struct rename_info *info = calloc(1, room);

    if (info == NULL)
        return sp_fail_nomem(e);
    info->flags = RENAME_REPLACE | RENAME_POSIX | RENAME_IGNORE_READONLY;
    info->bytes = (DWORD)(n * sizeof(wchar_t));
    memcpy(info->name, names->to, (n + 1) * sizeof(wchar_t));
    names->info = info;
    names->info_bytes = (DWORD)room;
    return SP_OK;
}

/* POSIX semantics: the name goes over to the new file at once, also while others read the old one.
 */
static DWORD
rename_posix(const struct two *names)
{
    HANDLE h = CreateFileW(names->from, DELETE | SYNCHRONIZE, SP_WIN32_SHARE_ALL, NULL,
        OPEN_EXISTING,
        FILE_FLAG_OPEN_REPARSE_POINT | FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_WRITE_THROUGH, NULL);
    DWORD why = 0;

    if (h == INVALID_HANDLE_VALUE)
        return GetLastError();
    if (!SetFileInformationByHandle(h, FILE_RENAME_INFO_EX, names->info, names->info_bytes))
        why = GetLastError();
    (void)CloseHandle(h);
    return why;
}

static DWORD
rename_over(const struct two *names)
{
    return MoveFileExW(names->from, names->to, MOVEFILE_REPLACE_EXISTING | MOVEFILE_WRITE_THROUGH)
               ? 0
               : GetLastError();
}

/* What file systems and shares answer that do not know POSIX semantics. */
static bool
is_unknown(DWORD why)
{
    return why == ERROR_INVALID_PARAMETER || why == ERROR_NOT_SUPPORTED ||
           why == ERROR_INVALID_FUNCTION || why == ERROR_INVALID_LEVEL ||
           why == ERROR_CALL_NOT_IMPLEMENTED;
}

static enum sp_code
win32_replace(void *self, const char *from, const char *to, struct sp_err *e)
{
    struct two names = {NULL, NULL, NULL, 0};
    wchar_t *a = NULL, *b = NULL;
    DWORD why;
    enum sp_code rc;

    (void)self;
    if ((rc = two_paths(from, to, &a, &b, e)) != SP_OK)
        return rc;
    names.from = a;
    names.to = b;
    if ((rc = new_info(&names, e)) == SP_OK) {
        why = again(rename_posix, &names);
        if (is_unknown(why))
            why = again(rename_over, &names);
        if (why != 0)
            rc = fail_path(e, why, "replace", to);
    }
    free(names.info);
    free(a);
    free(b);
    return rc;
}

/* A link to a folder is a folder to Windows, and goes without what it points to. */
static bool
is_folder_link(const wchar_t *path)
{
    WIN32_FIND_DATAW found;
    HANDLE h = FindFirstFileExW(path, FindExInfoBasic, &found, FindExSearchNameMatch, NULL, 0);

    if (h == INVALID_HANDLE_VALUE)
        return false;
    (void)FindClose(h);
    return (found.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) != 0 &&
           sp_win32_is_link(found.dwFileAttributes, found.dwReserved0);
}

#define DIRECTORY_NOT_SUPPORTED 336 /* ERROR_…: a folder where a file was meant */

static DWORD
remove_file(const struct two *names)
{
    DWORD why, attributes;

    if (DeleteFileW(names->from))
        return 0;
    why = GetLastError();
    if (why != ERROR_ACCESS_DENIED)
        return why;
    /* A file with the attribute "read-only" is not removed (nf-fileapi-deletefilew). */
    attributes = GetFileAttributesW(names->from);
    if (attributes == INVALID_FILE_ATTRIBUTES)
        return why;
    if ((attributes & FILE_ATTRIBUTE_DIRECTORY) != 0)
        return !is_folder_link(names->from)    ? DIRECTORY_NOT_SUPPORTED
               : RemoveDirectoryW(names->from) ? 0
                                               : GetLastError();
    if ((attributes & FILE_ATTRIBUTE_READONLY) != 0 &&
        SetFileAttributesW(names->from, FILE_ATTRIBUTE_NORMAL) && DeleteFileW(names->from))
        return 0;
    return why;
}

static DWORD
remove_folder(const struct two *names)
{
    return RemoveDirectoryW(names->from) ? 0 : GetLastError();
}

static enum sp_code
remove_by(
    DWORD (*act)(const struct two *names), const char *path, const char *what, struct sp_err *e)
{
    struct two names = {NULL, NULL, NULL, 0};
    wchar_t *wide = NULL;
    DWORD why;
    enum sp_code rc;

    if ((rc = sp_win32_path(path, &wide, e)) != SP_OK)
        return rc;
    names.from = wide;
    if ((why = again(act, &names)) != 0)
        rc = fail_path(e, why, what, path);
    free(wide);
    return rc;
}

static enum sp_code
win32_remove(void *self, const char *path, struct sp_err *e)
{
    (void)self;
    return remove_by(remove_file, path, "remove", e);
}

static enum sp_code
win32_rmdir(void *self, const char *path, struct sp_err *e)
{
    (void)self;
    return remove_by(remove_folder, path, "remove folder", e);
}

static enum sp_code
win32_mkdir(void *self, const char *path, struct sp_err *e)
{
    SECURITY_ATTRIBUTES rights = {sizeof(rights), NULL, FALSE};
    wchar_t *wide = NULL;
    enum sp_code rc;

    (void)self;
    if ((rc = sp_win32_path(path, &wide, e)) != SP_OK)
        return rc;
    if (!sp_win32_is_remote(wide))
        rc = sp_win32_tight(true, &rights.lpSecurityDescriptor, e);
    if (rc == SP_OK && !CreateDirectoryW(wide, &rights)) {
        DWORD why = GetLastError(), attributes = GetFileAttributesW(wide);

        /* A root is denied where it would be said of others that they are there. */
        if (why == ERROR_ACCESS_DENIED && attributes != INVALID_FILE_ATTRIBUTES)
            why = ERROR_ALREADY_EXISTS;
        rc = fail_path(e, why, "create folder", path);
    }
    (void)LocalFree(rights.lpSecurityDescriptor);
    free(wide);
    return rc;
}

/* A folder opened for writing can be flushed on NTFS and ReFS, which writes out its log. Where that
 * is not offered, servers answer with an invalid function or parameter, or deny it of a handle that
 * they gave the right to write (Samba, smb2_flush.c). The number stays in e->os for the probe,
 * which tolerates exactly what it saw. */
static enum sp_code
win32_sync_dir(void *self, const char *path, struct sp_err *e)
{
    wchar_t *wide = NULL;
    HANDLE h;
    DWORD why;
    enum sp_code rc;

    (void)self;
    if ((rc = sp_win32_path(path, &wide, e)) != SP_OK)
        return rc;
    h = CreateFileW(wide, GENERIC_WRITE, SP_WIN32_SHARE_ALL, NULL, OPEN_EXISTING,
        FILE_FLAG_BACKUP_SEMANTICS, NULL);
    free(wide);
    if (h == INVALID_HANDLE_VALUE)
        return fail_path(e, GetLastError(), "open folder", path);
    if (!FlushFileBuffers(h)) {
        why = GetLastError();
        rc = fail_path(e, why, "flush folder", path);
        if (is_unknown(why) || why == ERROR_ACCESS_DENIED)
            rc = e->code = SP_UNSUPPORTED;
    }
    if (!CloseHandle(h) && rc == SP_OK)
        rc = fail_path(e, GetLastError(), "close folder", path);
    return rc;
}

static enum sp_code
win32_stat(void *self, const char *path, struct sp_os_stat *ret, struct sp_err *e)
{
    wchar_t *wide = NULL;
    HANDLE h;
    enum sp_code rc;

    (void)self;
    if ((rc = sp_win32_path(path, &wide, e)) != SP_OK)
        return rc;
    h = CreateFileW(wide, FILE_READ_ATTRIBUTES, SP_WIN32_SHARE_ALL, NULL, OPEN_EXISTING,
        FILE_FLAG_OPEN_REPARSE_POINT | FILE_FLAG_BACKUP_SEMANTICS, NULL);
    free(wide);
    if (h == INVALID_HANDLE_VALUE)
        return fail_path(e, GetLastError(), "look at", path);
    rc = sp_win32_stat(h, path, ret, e);
    (void)CloseHandle(h);
    return rc;
}

static enum sp_code
win32_space(void *self, const char *path, struct sp_os_space *ret, struct sp_err *e)
{
    ULARGE_INTEGER mine, total;
    wchar_t *wide = NULL;
    enum sp_code rc;

    (void)self;
    if ((rc = sp_win32_path(path, &wide, e)) != SP_OK)
        return rc;
    if (!GetDiskFreeSpaceExW(wide, &mine, &total, NULL))
        rc = fail_path(e, GetLastError(), "ask for the free space of", path);
    else
        *ret = (struct sp_os_space){mine.QuadPart, total.QuadPart};
    free(wide);
    return rc;
}

const struct sp_os sp_os_system = {.open_read = win32_open_read,
    .create = win32_create,
    .read_at = win32_read_at,
    .write_at = win32_write_at,
    .file_stat = win32_file_stat,
    .sync = win32_sync,
    .close = win32_close,
    .publish = win32_publish,
    .replace = win32_replace,
    .remove = win32_remove,
    .mkdir = win32_mkdir,
    .rmdir = win32_rmdir,
    .sync_dir = win32_sync_dir,
    .list = win32_list,
    .stat = win32_stat,
    .space = win32_space};
