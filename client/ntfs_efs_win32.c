/* EFS: the encrypted form, out and in. It knows paths only, so the folder's is asked for each time:
 * learn.microsoft.com/en-us/windows/win32/api/winbase/nf-winbase-openencryptedfileraww */
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "client/ntfs_nt_win32.h"

struct pump {
    sp_ntfs_take take;
    sp_ntfs_give give;
    void *arg;
    enum sp_code rc;
    struct sp_err *e;
};

/* A volume may have no letter, and a shadow, which the mount manager does not know, has a device's
 * name only: nf-fileapi-getfinalpathnamebyhandlew. */
static DWORD
final_path(HANDLE dir, WCHAR *to, DWORD room)
{
    static const WCHAR global[] = L"\\\\?\\GLOBALROOT";
    const DWORD before = sizeof global / sizeof global[0] - 1;
    DWORD len = GetFinalPathNameByHandleW(dir, to, room, FILE_NAME_NORMALIZED | VOLUME_NAME_DOS);

    if (len == 0)
        len = GetFinalPathNameByHandleW(dir, to, room, FILE_NAME_NORMALIZED | VOLUME_NAME_GUID);
    if (len != 0)
        return len;
    len = GetFinalPathNameByHandleW(
        dir, to + before, room - before, FILE_NAME_NORMALIZED | VOLUME_NAME_NT);
    if (len == 0 || len >= room - before)
        return len == 0 ? 0 : room;
    memcpy(to, global, before * sizeof *to);
    return len + before;
}

/* \\?\C:\folder\name */
static enum sp_code
path_of(struct sp_ntfs_handle *dir, const char *name, WCHAR **ret, struct sp_err *e)
{
    const DWORD room = 32768 + 256;
    WCHAR *path = malloc((room + 2) * sizeof *path);
    struct nt_name n = {0};
    enum sp_code rc = path != NULL ? nt_name_make(name, &n, e) : sp_fail_nomem(e);
    DWORD len;

    if (rc != SP_OK) {
        free(path);
        return rc;
    }
    len = final_path(dir->h, path, room - 256);
    if (len == 0 || len >= room - 256) {
        rc = nt_fail_os(
            e, len == 0 ? GetLastError() : ERROR_FILENAME_EXCED_RANGE, "the folder's path");
        free(path);
    } else {
        if (path[len - 1] != L'\\')
            path[len++] = L'\\';
        memcpy(path + len, n.units, n.s.Length);
        path[len + n.s.Length / 2] = 0;
        *ret = path;
    }
    free(n.units);
    return rc;
}

static enum sp_code
offered(void *self, struct sp_ntfs_handle *dir, struct sp_err *e)
{
    struct sp_ntfs_volume volume;
    const enum sp_code rc = nt_volume(self, dir, &volume, e);

    if (rc != SP_OK)
        return rc;
    return (volume.flags & NTFS_FS_ENCRYPTION) != 0
               ? SP_OK
               : nt_fail_os(e, ERROR_NOT_SUPPORTED, "encryption");
}

static DWORD WINAPI
on_data(BYTE *data, void *context, ULONG n)
{
    struct pump *p = context;

    p->rc = n > 0 ? p->take(p->arg, data, n, p->e) : SP_OK;
    return p->rc == SP_OK ? ERROR_SUCCESS : ERROR_CANCELLED;
}

static DWORD WINAPI
on_room(BYTE *data, void *context, ULONG *n)
{
    struct pump *p = context;
    size_t got = 0;

    p->rc = p->give(p->arg, data, *n, &got, p->e);
    *n = (ULONG)got;
    return p->rc == SP_OK ? ERROR_SUCCESS : ERROR_CANCELLED;
}

static enum sp_code
result(const struct pump *p, DWORD os, const char *what)
{
    return p->rc != SP_OK ? p->rc : os != ERROR_SUCCESS ? nt_fail_os(p->e, os, what) : SP_OK;
}

enum sp_code
nt_efs_export(void *self, struct sp_ntfs_handle *dir, const char *name, sp_ntfs_take take,
    void *arg, struct sp_err *e)
{
    struct pump p = {.take = take, .arg = arg, .e = e};
    void *raw = NULL;
    WCHAR *path;
    enum sp_code rc = offered(self, dir, e);

    if (rc != SP_OK || (rc = path_of(dir, name, &path, e)) != SP_OK)
        return rc;
    DWORD os = OpenEncryptedFileRawW(path, 0, &raw);
    if (os == ERROR_SUCCESS) {
        os = ReadEncryptedFileRaw(on_data, &p, raw);
        CloseEncryptedFileRaw(raw);
    }
    free(path);
    return result(&p, os, "the encrypted form");
}

enum sp_code
nt_efs_import(void *self, struct sp_ntfs_handle *dir, const char *name, bool folder,
    sp_ntfs_give give, void *arg, struct sp_err *e)
{
    struct pump p = {.give = give, .arg = arg, .e = e};
    struct sp_ntfs_handle *there;
    struct sp_err ignored = {0};
    void *raw = NULL;
    WCHAR *path;
    enum sp_code rc = offered(self, dir, e);

    if (rc != SP_OK)
        return rc;
    /* The import would write over what is there. */
    if ((rc = nt_open_at(self, dir, name, NTFS_ANY, NTFS_LOOK, &there, e)) == SP_OK) {
        nt_close(self, there, &ignored);
        return nt_fail_os(e, ERROR_ALREADY_EXISTS, "the encrypted form");
    }
    if (rc != SP_ABSENT)
        return rc;
    sp_err_clear(e);
    if ((rc = path_of(dir, name, &path, e)) != SP_OK)
        return rc;
    DWORD os =
        OpenEncryptedFileRawW(path, CREATE_FOR_IMPORT | (folder ? CREATE_FOR_DIR : 0u), &raw);
    if (os == ERROR_SUCCESS) {
        os = WriteEncryptedFileRaw(on_room, &p, raw);
        CloseEncryptedFileRaw(raw);
    }
    free(path);
    return result(&p, os, "the encrypted form");
}
