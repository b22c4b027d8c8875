/* Opening, making, closing, over NtCreateFile:
 * learn.microsoft.com/en-us/windows/win32/api/winternl/ nf-winternl-ntcreatefile. The table itself.
 */
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "client/ntfs_nt_win32.h"

#define LOOKING (FILE_READ_ATTRIBUTES | SYNCHRONIZE | FILE_READ_EA | READ_CONTROL)
#define CHANGING (LOOKING | FILE_WRITE_ATTRIBUTES | DELETE | WRITE_DAC | WRITE_OWNER)
#define SHARE_ALL (FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE)
#define NO_RECALL 0x00400000u /* FILE_OPEN_NO_RECALL */

static ACCESS_MASK
mask_of(enum sp_ntfs_access access)
{
    const ACCESS_MASK sacl =
        (nt_privileges() & NTFS_MAY_SECURITY) != 0 ? ACCESS_SYSTEM_SECURITY : 0;

    switch (access) {
    case NTFS_LOOK:
        return LOOKING | sacl;
    case NTFS_READ:
        return LOOKING | FILE_READ_DATA | sacl;
    case NTFS_LIST:
        return LOOKING | FILE_LIST_DIRECTORY | FILE_TRAVERSE | sacl;
    case NTFS_CHANGE:
        return CHANGING | sacl;
    default:
        return CHANGING | FILE_GENERIC_READ | FILE_GENERIC_WRITE | sacl;
    }
}

static ULONG
options_of(enum sp_ntfs_what what, enum sp_ntfs_access access)
{
    ULONG options = FILE_OPEN_FOR_BACKUP_INTENT | FILE_OPEN_REPARSE_POINT;

    /* Content is read by requests that overlap. */
    options |= access == NTFS_READ ? FILE_SEQUENTIAL_ONLY : FILE_SYNCHRONOUS_IO_NONALERT;
    options |= access == NTFS_LOOK ? NO_RECALL : 0;
    if (what == NTFS_FOLDER || access == NTFS_LIST)
        options |= FILE_DIRECTORY_FILE;
    return options | (what == NTFS_FILE ? FILE_NON_DIRECTORY_FILE : 0);
}

enum sp_code
nt_name_make(const char *name, struct nt_name *ret, struct sp_err *e)
{
    size_t n;

    if (strpbrk(name, "\\/:") != NULL || strlen(name) > 255 * 3)
        return nt_fail_os(e, ERROR_INVALID_NAME, "a name");
    enum sp_code rc = sp_wtf8_to_utf16(name, strlen(name), &ret->units, &n, e);
    if (rc != SP_OK)
        return rc;
    ret->s.Buffer = (WCHAR *)ret->units;
    ret->s.Length = (USHORT)(n * 2);
    ret->s.MaximumLength = ret->s.Length;
    return SP_OK;
}

/* A sharing or lock violation is waited for: five times, 50 ms to 800 ms. */
NTSTATUS
nt_open(HANDLE root, UNICODE_STRING *name, ACCESS_MASK access, ULONG disposition, ULONG options,
    ULONG attributes, const void *security, HANDLE *ret)
{
    OBJECT_ATTRIBUTES about = {.Length = sizeof about,
        .RootDirectory = root,
        .ObjectName = name,
        .Attributes = OBJ_CASE_INSENSITIVE,
        .SecurityDescriptor = (void *)(uintptr_t)security};
    NTSTATUS status;

    for (DWORD wait = 50;; wait *= 2) {
        IO_STATUS_BLOCK io;
        status = NtCreateFile(
            ret, access, &about, &io, NULL, attributes, SHARE_ALL, disposition, options, NULL, 0);
        if ((status != NT_SHARING_VIOLATION && status != NT_LOCK_CONFLICT) || wait > 800)
            return status;
        Sleep(wait);
    }
}

/* What an ACL may refuse although the rest is given, in the order in which it is left out. */
static const ACCESS_MASK optional[] = {0, ACCESS_SYSTEM_SECURITY, WRITE_OWNER, WRITE_DAC};

static NTSTATUS
open_most(HANDLE root, UNICODE_STRING *name, enum sp_ntfs_access access, ULONG disposition,
    ULONG options, ULONG attributes, const void *security, ACCESS_MASK *ret_granted, HANDLE *ret)
{
    ACCESS_MASK mask = mask_of(access);
    NTSTATUS status = NT_ACCESS_DENIED;

    for (size_t i = 0; i < sizeof optional / sizeof optional[0]; i++) {
        if (i > 0 && (mask & optional[i]) == 0)
            continue;
        mask &= ~optional[i];
        status = nt_open(root, name, mask, disposition, options, attributes, security, ret);
        if (status != NT_ACCESS_DENIED && status != NT_PRIVILEGE_NOT_HELD)
            break;
    }
    /* Attributes come with the right to list the folder above. */
    if (status == NT_ACCESS_DENIED && access == NTFS_LOOK) {
        mask = FILE_READ_ATTRIBUTES | SYNCHRONIZE;
        status = nt_open(root, name, mask, disposition, options, attributes, security, ret);
    }
    *ret_granted = mask;
    return status;
}

static enum sp_code
handle_new(HANDLE file, enum sp_ntfs_access access, ACCESS_MASK granted,
    struct sp_ntfs_handle **ret, struct sp_err *e)
{
    struct sp_ntfs_handle *h = calloc(1, sizeof *h);

    if (h == NULL) {
        CloseHandle(file);
        return sp_fail_nomem(e);
    }
    h->h = file;
    h->access = access;
    h->granted = granted;
    h->waits = access != NTFS_READ;
    InitializeSRWLock(&h->lock);
    *ret = h;
    return SP_OK;
}

static enum sp_code
fail_open(struct sp_err *e, NTSTATUS status)
{
    if (status == NT_FILE_IS_A_DIRECTORY || status == NT_NOT_A_DIRECTORY) {
        nt_fail_os(e, ERROR_DIRECTORY, "opening");
        e->code = SP_CHANGED;
        return SP_CHANGED;
    }
    return nt_fail(e, status, "opening");
}

/* "C:/x" is \??\C:\x, "//server/share" \??\UNC\server\share, "//?/…" and "//./…" \??\…:
 * learn.microsoft.com/en-us/windows-hardware/drivers/kernel/object-names */
static enum sp_code
native_path(const char *path, struct nt_name *ret, struct sp_err *e)
{
    const bool device = strncmp(path, "//?/", 4) == 0 || strncmp(path, "//./", 4) == 0;
    const bool share = !device && strncmp(path, "//", 2) == 0;
    struct sp_buf text = SP_BUF_INIT;
    enum sp_code rc;
    size_t n;

    sp_buf_put_str(&text, share ? "\\?\?\\UNC\\" : "\\?\?\\");
    sp_buf_put_str(&text, path + (device ? 4 : share ? 2 : 0));
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] == '/')
            text.data[i] = '\\';
    if ((rc = sp_buf_ok(&text, e)) == SP_OK &&
        (rc = sp_wtf8_to_utf16((const char *)text.data, text.len, &ret->units, &n, e)) == SP_OK) {
        if (n > 32766) {
            free(ret->units);
            rc = nt_fail_os(e, ERROR_FILENAME_EXCED_RANGE, "a path");
        } else {
            ret->s.Buffer = (WCHAR *)ret->units;
            ret->s.Length = (USHORT)(n * 2);
            ret->s.MaximumLength = ret->s.Length;
        }
    }
    sp_buf_free(&text);
    return rc;
}

static enum sp_code
nt_open_path(void *self, const char *path, enum sp_ntfs_access access, struct sp_ntfs_handle **ret,
    struct sp_err *e)
{
    /* "//./C:", "//?/Volume{…}": the volume itself */
    const bool device = strncmp(path, "//?/", 4) == 0 || strncmp(path, "//./", 4) == 0;
    const bool whole =
        device &&
        (strchr(path + 4, '/') == NULL ||
            (strncmp(path + 4, "GLOBALROOT/Device/", 18) == 0 && strchr(path + 22, '/') == NULL));
    ACCESS_MASK granted;
    struct nt_name name = {0};
    enum sp_code rc;
    NTSTATUS status;
    HANDLE file;

    (void)self;
    if ((rc = native_path(path, &name, e)) != SP_OK)
        return rc;
    const ULONG options =
        options_of(NTFS_ANY, access) & ~(ULONG)(FILE_OPEN_REPARSE_POINT | FILE_SEQUENTIAL_ONLY);
    if (whole) {
        granted = FILE_READ_DATA | FILE_READ_ATTRIBUTES | SYNCHRONIZE;
        status = nt_open(
            NULL, &name.s, granted, FILE_OPEN, FILE_SYNCHRONOUS_IO_NONALERT, 0, NULL, &file);
    } else {
        status = open_most(NULL, &name.s, access, FILE_OPEN, options, 0, NULL, &granted, &file);
    }
    free(name.units);
    if (status < 0)
        return fail_open(e, status);
    if ((rc = handle_new(file, access, granted, ret, e)) == SP_OK && whole)
        (*ret)->whole_volume = (*ret)->waits = true;
    return rc;
}

/* A file with a filter's tag: its content through that filter. It is the same file, or nothing is
 * opened. */
static enum sp_code
through_filter(struct sp_ntfs_handle **h, struct sp_err *e)
{
    struct nt_tag tag = {0};
    struct nt_basic basic = {0};
    uint64_t before[3] = {0}, after[3] = {0};
    UNICODE_STRING none = {0, 0, NULL};
    struct sp_ntfs_handle *seen = NULL;
    ACCESS_MASK granted;
    NTSTATUS status;
    HANDLE file;
    enum sp_code rc;

    /* Whose tag cannot be had is not read as it lies on the disk, where a filter left zeros. */
    if ((status = nt_query(*h, CLASS_BASIC, &basic, sizeof basic)) < 0 ||
        ((basic.attributes & NTFS_REPARSE) != 0 &&
            (status = nt_query(*h, CLASS_TAG, &tag, sizeof tag)) < 0))
        return nt_fail(e, status, "its reparse tag");
    if ((basic.attributes & NTFS_REPARSE) == 0 || (tag.attributes & NTFS_REPARSE) == 0 ||
        (tag.attributes & NTFS_DIRECTORY) != 0 || NTFS_TAG_IS_SURROGATE(tag.tag))
        return SP_OK;
    const ULONG options = options_of(NTFS_FILE, NTFS_READ) & ~(ULONG)FILE_OPEN_REPARSE_POINT;
    status = open_most((*h)->h, &none, NTFS_READ, FILE_OPEN, options, 0, NULL, &granted, &file);
    if (status < 0)
        return fail_open(e, status);
    if ((rc = handle_new(file, NTFS_READ, granted, &seen, e)) != SP_OK)
        return rc;
    /* FILE_ID_INFORMATION: the volume's serial number, 128 bits of id */
    if ((status = nt_query(*h, CLASS_ID, before, sizeof before)) < 0 ||
        (status = nt_query(seen, CLASS_ID, after, sizeof after)) < 0)
        rc = nt_fail(e, status, "the file's id");
    else if (memcmp(before, after, sizeof before) != 0)
        rc = sp_fail(e, SP_CHANGED, SP_DOM_NONE, "another file behind the reparse point");
    struct sp_ntfs_handle *drop = rc == SP_OK ? *h : seen;
    if (rc == SP_OK)
        *h = seen;
    struct sp_err ignored = {0};
    nt_close(NULL, drop, &ignored);
    return rc;
}

enum sp_code
nt_open_at(void *self, struct sp_ntfs_handle *dir, const char *name, enum sp_ntfs_what what,
    enum sp_ntfs_access access, struct sp_ntfs_handle **ret, struct sp_err *e)
{
    struct sp_ntfs_handle *h;
    ACCESS_MASK granted;
    struct nt_name n = {0};
    enum sp_code rc;
    NTSTATUS status;
    HANDLE file;

    if (dir->whole_volume || dir->stream)
        return nt_fail_os(e, ERROR_INVALID_HANDLE, "opening");
    if ((rc = nt_name_make(name, &n, e)) != SP_OK)
        return rc;
    status = open_most(
        dir->h, &n.s, access, FILE_OPEN, options_of(what, access), 0, NULL, &granted, &file);
    free(n.units);
    if (status < 0)
        return fail_open(e, status);
    if ((rc = handle_new(file, access, granted, &h, e)) != SP_OK)
        return rc;
    if (access == NTFS_READ && (rc = through_filter(&h, e)) != SP_OK) {
        struct sp_err ignored = {0};
        nt_close(self, h, &ignored);
        return rc;
    }
    *ret = h;
    return SP_OK;
}

/* Relative to the open file: ":name:$DATA".
 * learn.microsoft.com/en-us/windows/win32/fileio/file-streams */
static enum sp_code
nt_open_stream(void *self, struct sp_ntfs_handle *of, const char *stream,
    enum sp_ntfs_access access, struct sp_ntfs_handle **ret, struct sp_err *e)
{
    struct sp_ntfs_volume volume;
    struct sp_buf text = SP_BUF_INIT;
    struct nt_name name = {0};
    ACCESS_MASK granted;
    enum sp_code rc;
    NTSTATUS status;
    HANDLE file;
    size_t n;

    if (of->whole_volume || of->stream)
        return nt_fail_os(e, ERROR_INVALID_HANDLE, "a stream");
    if (stream[0] == '\0' || strpbrk(stream, "\\/:") != NULL || strlen(stream) > 255 * 3)
        return nt_fail_os(e, ERROR_INVALID_NAME, "a stream");
    if ((rc = nt_volume(self, of, &volume, e)) != SP_OK)
        return rc;
    if ((volume.flags & NTFS_FS_STREAMS) == 0)
        return nt_fail_os(e, ERROR_NOT_SUPPORTED, "streams");
    sp_buf_printf(&text, ":%s:$DATA", stream);
    if ((rc = sp_buf_ok(&text, e)) == SP_OK)
        rc = sp_wtf8_to_utf16((const char *)text.data, text.len, &name.units, &n, e);
    sp_buf_free(&text);
    if (rc != SP_OK)
        return rc;
    name.s.Buffer = (WCHAR *)name.units;
    name.s.Length = name.s.MaximumLength = (USHORT)(n * 2);
    status = open_most(of->h, &name.s, access, access == NTFS_WRITE ? FILE_CREATE : FILE_OPEN,
        options_of(NTFS_FILE, access), 0, NULL, &granted, &file);
    free(name.units);
    if (status < 0)
        return nt_fail(e, status, "a stream");
    if ((rc = handle_new(file, access, granted, ret, e)) == SP_OK)
        (*ret)->stream = true;
    return rc;
}

static enum sp_code
nt_create_at(void *self, struct sp_ntfs_handle *dir, const char *name, bool folder,
    uint32_t attributes, const void *security, size_t security_len, struct sp_ntfs_handle **ret,
    struct sp_err *e)
{
    const uint32_t settable = NTFS_READONLY | NTFS_HIDDEN | NTFS_SYSTEM | NTFS_ARCHIVE |
                              NTFS_TEMPORARY | NTFS_NOT_INDEXED | NTFS_ENCRYPTED;
    ACCESS_MASK granted;
    struct sp_ntfs_volume volume;
    struct nt_name n = {0};
    enum sp_code rc;
    NTSTATUS status;
    HANDLE file;

    if (dir->whole_volume || dir->stream || name[0] == '\0')
        return nt_fail_os(e, name[0] == '\0' ? ERROR_INVALID_NAME : ERROR_INVALID_HANDLE, "making");
    if (security != NULL &&
        (security_len < 20 || !IsValidSecurityDescriptor((void *)(uintptr_t)security)))
        return nt_fail_os(e, ERROR_INVALID_SECURITY_DESCR, "making");
    if ((attributes & NTFS_ENCRYPTED) != 0) {
        if ((rc = nt_volume(self, dir, &volume, e)) != SP_OK)
            return rc;
        if ((volume.flags & NTFS_FS_ENCRYPTION) == 0)
            return nt_fail_os(e, ERROR_NOT_SUPPORTED, "encryption");
    }
    if ((rc = nt_name_make(name, &n, e)) != SP_OK)
        return rc;
    status = open_most(dir->h, &n.s, NTFS_WRITE, FILE_CREATE,
        options_of(folder ? NTFS_FOLDER : NTFS_FILE, NTFS_WRITE), attributes & settable, security,
        &granted, &file);
    free(n.units);
    if (status < 0)
        return nt_fail(e, status, "making");
    return handle_new(file, NTFS_WRITE, granted, ret, e);
}

enum sp_code
nt_close(void *self, struct sp_ntfs_handle *h, struct sp_err *e)
{
    enum sp_code rc = SP_OK;

    (void)self;
    nt_read_stop(h);
    const NTSTATUS status = NtClose(h->h);
    if (status < 0)
        rc = nt_fail(e, status, "closing");
    free(h);
    return rc;
}

NTSTATUS
nt_query(struct sp_ntfs_handle *h, int class, void *to, ULONG len)
{
    IO_STATUS_BLOCK io;
    return NtQueryInformationFile(h->h, &io, to, len, (FILE_INFORMATION_CLASS) class);
}

NTSTATUS
nt_set(struct sp_ntfs_handle *h, int class, const void *from, ULONG len)
{
    IO_STATUS_BLOCK io;
    return NtSetInformationFile(
        h->h, &io, (void *)(uintptr_t)from, len, (FILE_INFORMATION_CLASS) class);
}

static unsigned
privileges(void *self)
{
    (void)self;
    return nt_privileges();
}

const struct sp_ntfs sp_ntfs_system = {.privileges = privileges,
    .open_path = nt_open_path,
    .open_at = nt_open_at,
    .open_stream = nt_open_stream,
    .create_at = nt_create_at,
    .close = nt_close,
    .info = nt_info,
    .volume = nt_volume,
    .list = nt_list,
    .find = nt_find,
    .streams = nt_streams,
    .security = nt_security,
    .eas = nt_eas,
    .case_sensitive = nt_case_sensitive,
    .control = nt_control,
    .read = nt_read,
    .write = nt_write,
    .resize = nt_resize,
    .flush = nt_flush,
    .efs_export = nt_efs_export,
    .efs_import = nt_efs_import,
    .set_basic = nt_set_basic,
    .set_security = nt_set_security,
    .set_eas = nt_set_eas,
    .set_short_name = nt_set_short_name,
    .set_case_sensitive = nt_set_case_sensitive,
    .rename = nt_rename,
    .link = nt_link,
    .remove = nt_remove};
