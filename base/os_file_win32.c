/* One open file over Win32: see os.h and os_win32.h. */

#include "base/os_win32.h"

#include <stdlib.h>
#include <string.h>

#include "base/path.h"

struct sp_file {
    HANDLE handle;
    char *path; /* for messages */
};

static enum sp_code
fail_path(struct sp_err *e, DWORD number, const char *what, const char *path)
{
    return sp_win32_fail(e, SP_DOM_STORE, number, what, path);
}

static enum sp_code
fail_not_file(struct sp_err *e, const char *path)
{
    struct sp_buf shown = SP_BUF_INIT;
    enum sp_code rc;

    sp_path_show(path, strlen(path), &shown);
    rc = sp_fail(e, SP_REFUSED, SP_DOM_STORE, "%s is not a file", sp_buf_str(&shown));
    sp_buf_free(&shown);
    return rc;
}

static DWORD
tag_of(HANDLE h)
{
    FILE_ATTRIBUTE_TAG_INFO info;

    return GetFileInformationByHandleEx(h, FileAttributeTagInfo, &info, sizeof(info))
               ? info.ReparseTag
               : 0;
}

enum sp_code
sp_win32_stat(HANDLE h, const char *path, struct sp_os_stat *ret, struct sp_err *e)
{
    BY_HANDLE_FILE_INFORMATION info;
    bool reparse;

    if (!GetFileInformationByHandle(h, &info))
        return fail_path(e, GetLastError(), "look at", path);
    reparse = (info.dwFileAttributes & FILE_ATTRIBUTE_REPARSE_POINT) != 0;
    *ret = (struct sp_os_stat){
        .type = SP_OS_FILE,
        .size = (uint64_t)info.nFileSizeHigh << 32 | info.nFileSizeLow,
        .mtime_ns = sp_win32_time_ns((uint64_t)info.ftLastWriteTime.dwHighDateTime << 32 |
                                     info.ftLastWriteTime.dwLowDateTime),
        .device = info.dwVolumeSerialNumber,
        .inode = (uint64_t)info.nFileIndexHigh << 32 | info.nFileIndexLow,
    };
    if (reparse && sp_win32_is_link(info.dwFileAttributes, tag_of(h)))
        ret->type = SP_OS_LINK;
    else if ((info.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) != 0)
        ret->type = SP_OS_DIR;
    else if (GetFileType(h) != FILE_TYPE_DISK)
        ret->type = SP_OS_OTHER;
    if (ret->type != SP_OS_FILE)
        ret->size = 0;
    return SP_OK;
}

static enum sp_code
new_file(const char *path, struct sp_file **ret, wchar_t **ret_wide, struct sp_err *e)
{
    struct sp_file *f = calloc(1, sizeof(*f));
    enum sp_code rc;

    if (f == NULL || (f->path = strdup(path)) == NULL) {
        free(f);
        return sp_fail_nomem(e);
    }
    f->handle = INVALID_HANDLE_VALUE;
    if ((rc = sp_win32_path(path, ret_wide, e)) != SP_OK) {
        free(f->path);
        free(f);
        return rc;
    }
    *ret = f;
    return SP_OK;
}

enum sp_code
win32_close(void *self, struct sp_file *f, struct sp_err *e)
{
    enum sp_code rc = SP_OK;

    (void)self;
    if (f->handle != INVALID_HANDLE_VALUE && !CloseHandle(f->handle))
        rc = fail_path(e, GetLastError(), "close", f->path);
    free(f->path);
    free(f);
    return rc;
}

/* FILE_FLAG_OPEN_REPARSE_POINT has a link opened as itself, so that it can be refused;
 * FILE_FLAG_BACKUP_SEMANTICS lets a folder be opened, so that it is not mistaken for a lack of
 * rights (learn.microsoft.com/windows/win32/api/fileapi/nf-fileapi-createfilew). */
static HANDLE
open_as_is(const wchar_t *path)
{
    return CreateFileW(path, GENERIC_READ, SP_WIN32_SHARE_ALL, NULL, OPEN_EXISTING,
        FILE_FLAG_OPEN_REPARSE_POINT | FILE_FLAG_BACKUP_SEMANTICS, NULL);
}

/* A deduplicated, compressed or cloud file is only itself when its tag is obeyed. Opened by name
 * once more, so it must be seen that this name has not become a link meanwhile. */
static enum sp_code
obey_tag(struct sp_file *f, const wchar_t *path, struct sp_err *e)
{
    struct sp_os_stat was, is;
    HANDLE h;
    enum sp_code rc;

    if ((rc = sp_win32_stat(f->handle, f->path, &was, e)) != SP_OK)
        return rc;
    h = CreateFileW(path, GENERIC_READ, SP_WIN32_SHARE_ALL, NULL, OPEN_EXISTING, 0, NULL);
    if (h == INVALID_HANDLE_VALUE)
        return fail_path(e, GetLastError(), "open", f->path);
    (void)CloseHandle(f->handle);
    f->handle = h;
    if ((rc = sp_win32_stat(h, f->path, &is, e)) != SP_OK)
        return rc;
    if (is.device != was.device || is.inode != was.inode)
        return sp_fail(
            e, SP_REFUSED, SP_DOM_STORE, "%s became another file while it was opened", f->path);
    return SP_OK;
}

enum sp_code
win32_open_read(void *self, const char *path, struct sp_file **ret, struct sp_err *e)
{
    FILE_ATTRIBUTE_TAG_INFO tag = {0, 0};
    struct sp_file *f = NULL;
    struct sp_err ignored;
    struct sp_os_stat st;
    wchar_t *wide = NULL;
    enum sp_code rc;

    if ((rc = new_file(path, &f, &wide, e)) != SP_OK)
        return rc;
    if ((f->handle = open_as_is(wide)) == INVALID_HANDLE_VALUE)
        rc = fail_path(e, GetLastError(), "open", path);
    if (rc == SP_OK && (rc = sp_win32_stat(f->handle, path, &st, e)) == SP_OK &&
        st.type != SP_OS_FILE)
        rc = fail_not_file(e, path);
    if (rc == SP_OK &&
        GetFileInformationByHandleEx(f->handle, FileAttributeTagInfo, &tag, sizeof(tag)) &&
        (tag.FileAttributes & FILE_ATTRIBUTE_REPARSE_POINT) != 0)
        rc = obey_tag(f, wide, e);
    free(wide);
    if (rc != SP_OK) {
        (void)win32_close(self, f, &ignored);
        return rc;
    }
    *ret = f;
    return SP_OK;
}

/* Readers, and whoever removes, may come while it is written; a second writer may not. */
enum sp_code
win32_create(void *self, const char *path, struct sp_file **ret, struct sp_err *e)
{
    SECURITY_ATTRIBUTES rights = {sizeof(rights), NULL, FALSE};
    struct sp_file *f = NULL;
    struct sp_err ignored;
    wchar_t *wide = NULL;
    enum sp_code rc;

    if ((rc = new_file(path, &f, &wide, e)) != SP_OK)
        return rc;
    if (!sp_win32_is_remote(wide))
        rc = sp_win32_tight(false, &rights.lpSecurityDescriptor, e);
    if (rc == SP_OK) {
        f->handle =
            CreateFileW(wide, GENERIC_READ | GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_DELETE,
                &rights, CREATE_NEW, FILE_ATTRIBUTE_NORMAL | FILE_FLAG_OPEN_REPARSE_POINT, NULL);
        if (f->handle == INVALID_HANDLE_VALUE)
            rc = fail_path(e, GetLastError(), "create", path);
    }
    (void)LocalFree(rights.lpSecurityDescriptor);
    free(wide);
    if (rc != SP_OK) {
        (void)win32_close(self, f, &ignored);
        return rc;
    }
    *ret = f;
    return SP_OK;
}

/* A single call over a share is bounded by what its server keeps ready for it. */
#define MOST_AT_ONCE ((size_t)16 << 20)

static bool
range_ok(uint64_t offset, size_t n)
{
    return offset <= INT64_MAX && n <= (uint64_t)INT64_MAX - offset;
}

static OVERLAPPED
at(uint64_t offset)
{
    OVERLAPPED o;

    memset(&o, 0, sizeof(o));
    o.Offset = (DWORD)(offset & UINT32_MAX);
    o.OffsetHigh = (DWORD)(offset >> 32);
    return o;
}

/* The place is given with each call; on a handle that is not opened for overlapped work the call
 * still waits (learn.microsoft.com/windows/win32/api/fileapi/nf-fileapi-readfile). */
enum sp_code
win32_read_at(void *self, struct sp_file *f, uint64_t offset, void *to, size_t n, size_t *ret_n,
    struct sp_err *e)
{
    uint8_t *out = to;
    size_t done = 0;

    (void)self;
    if (!range_ok(offset, n))
        return fail_path(e, ERROR_ARITHMETIC_OVERFLOW, "read", f->path);
    while (done < n) {
        OVERLAPPED where = at(offset + done);
        size_t part = n - done < MOST_AT_ONCE ? n - done : MOST_AT_ONCE;
        DWORD got = 0;

        if (!ReadFile(f->handle, out + done, (DWORD)part, &got, &where)) {
            DWORD why = GetLastError();

            if (why == ERROR_HANDLE_EOF)
                break;
            return fail_path(e, why, "read", f->path);
        }
        if (got == 0)
            break;
        done += got;
    }
    *ret_n = done;
    return SP_OK;
}

enum sp_code
win32_write_at(
    void *self, struct sp_file *f, uint64_t offset, const void *p, size_t n, struct sp_err *e)
{
    const uint8_t *in = p;
    size_t done = 0;

    (void)self;
    if (!range_ok(offset, n))
        return fail_path(e, ERROR_FILE_TOO_LARGE, "write", f->path);
    while (done < n) {
        OVERLAPPED where = at(offset + done);
        size_t part = n - done < MOST_AT_ONCE ? n - done : MOST_AT_ONCE;
        DWORD put = 0;

        if (!WriteFile(f->handle, in + done, (DWORD)part, &put, &where))
            return fail_path(e, GetLastError(), "write", f->path);
        /* Nothing written and no reason given: going on would never end. */
        if (put == 0)
            return fail_path(e, ERROR_WRITE_FAULT, "write", f->path);
        done += put;
    }
    return SP_OK;
}

enum sp_code
win32_file_stat(void *self, struct sp_file *f, struct sp_os_stat *ret, struct sp_err *e)
{
    (void)self;
    return sp_win32_stat(f->handle, f->path, ret, e);
}

enum sp_code
win32_sync(void *self, struct sp_file *f, struct sp_err *e)
{
    (void)self;
    return FlushFileBuffers(f->handle) ? SP_OK : fail_path(e, GetLastError(), "flush", f->path);
}
