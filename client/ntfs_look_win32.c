/* Looking at what is open. */
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "client/ntfs_nt_win32.h"

#define LISTING ((size_t)64 << 10)
#define SECURITY_MOST ((ULONG)256 << 10) /* two ACLs of 64 KiB, and more */

static enum sp_code
known(const struct sp_ntfs_handle *h, struct sp_err *e)
{
    return h->removed ? nt_fail_os(e, ERROR_INVALID_HANDLE, "a removed file") : SP_OK;
}

enum sp_code
nt_info(void *self, struct sp_ntfs_handle *h, struct sp_ntfs_info *ret, struct sp_err *e)
{
    struct nt_basic basic;
    struct nt_standard standard;
    struct nt_tag tag = {0};
    struct nt_fs_volume volume;
    uint64_t id, wide[3];
    uint32_t eas = 0;
    IO_STATUS_BLOCK io;
    NTSTATUS status;
    enum sp_code rc = known(h, e);

    (void)self;
    if (rc != SP_OK || h->whole_volume)
        return rc != SP_OK ? rc : nt_fail_os(e, ERROR_INVALID_HANDLE, "a volume");
    if ((status = nt_query(h, CLASS_BASIC, &basic, sizeof basic)) < 0 ||
        (status = nt_query(h, CLASS_STANDARD, &standard, sizeof standard)) < 0 ||
        (status = nt_query(h, CLASS_INTERNAL, &id, sizeof id)) < 0 ||
        ((basic.attributes & NTFS_REPARSE) != 0 &&
            (status = nt_query(h, CLASS_TAG, &tag, sizeof tag)) < 0))
        return nt_fail(e, status, "its attributes");
    /* FileEaInformation: of a reparse point the tag on old systems, so only where there is none. */
    if ((basic.attributes & NTFS_REPARSE) == 0 && nt_query(h, CLASS_EA, &eas, sizeof eas) < 0)
        eas = 0;
    /* ReFS says all ones where 64 bits do not suffice: ns-ntifs-_file_internal_information. */
    if (id == UINT64_MAX && nt_query(h, CLASS_ID, wide, sizeof wide) >= 0)
        id = wide[1] ^ wide[2];
    /* Overflow: the label did not fit, which nobody asked for. */
    status = NtQueryVolumeInformationFile(
        h->h, &io, &volume, sizeof volume, (FS_INFORMATION_CLASS)CLASS_FS_VOLUME);
    if (status < 0 && status != NT_BUFFER_OVERFLOW)
        return nt_fail(e, status, "its volume");
    *ret = (struct sp_ntfs_info){.attributes = basic.attributes,
        .reparse_tag = tag.tag,
        .btime = basic.btime,
        .atime = basic.atime,
        .mtime = basic.mtime,
        .ctime = basic.ctime,
        .size = (uint64_t)standard.size,
        .allocated = (uint64_t)standard.allocated,
        .links = standard.links,
        .ea_size = eas,
        .file_id = id,
        .volume = volume.serial};
    return SP_OK;
}

enum sp_code
nt_volume(void *self, struct sp_ntfs_handle *h, struct sp_ntfs_volume *ret, struct sp_err *e)
{
    struct nt_fs_attribute about;
    struct nt_fs_volume volume;
    struct nt_fs_size size;
    struct nt_fs_device device;
    IO_STATUS_BLOCK io;
    NTSTATUS status;

    (void)self;
    status = NtQueryVolumeInformationFile(
        h->h, &io, &about, sizeof about, (FS_INFORMATION_CLASS)CLASS_FS_ATTRIBUTE);
    if (status < 0 && status != NT_BUFFER_OVERFLOW)
        return nt_fail(e, status, "the file system");
    status = NtQueryVolumeInformationFile(
        h->h, &io, &volume, sizeof volume, (FS_INFORMATION_CLASS)CLASS_FS_VOLUME);
    if (status < 0 && status != NT_BUFFER_OVERFLOW)
        return nt_fail(e, status, "the volume");
    status = NtQueryVolumeInformationFile(
        h->h, &io, &size, sizeof size, (FS_INFORMATION_CLASS)CLASS_FS_SIZE);
    if (status >= 0)
        status = NtQueryVolumeInformationFile(
            h->h, &io, &device, sizeof device, (FS_INFORMATION_CLASS)CLASS_FS_DEVICE);
    if (status < 0)
        return nt_fail(e, status, "the volume");
    memset(ret, 0, sizeof *ret);
    for (size_t i = 0; i < about.name_len / 2 && i < sizeof ret->file_system - 1 && i < 34; i++)
        ret->file_system[i] = about.name[i] < 128 ? (char)about.name[i] : '?';
    ret->flags = about.flags;
    ret->cluster = size.sectors * size.bytes;
    ret->serial = volume.serial;
    ret->remote = (device.characteristics & 0x10) != 0;   /* FILE_REMOTE_DEVICE */
    ret->removable = (device.characteristics & 0x1) != 0; /* FILE_REMOVABLE_MEDIA */
    return SP_OK;
}

static enum sp_code
tell(const struct nt_listed *l, sp_ntfs_each_name each, void *arg, struct sp_err *e)
{
    struct sp_ntfs_listed one = {0};
    char *name = NULL, *short_name = NULL;
    enum sp_code rc;
    size_t n;

    if ((rc = sp_utf16_to_wtf8(l->name, l->name_len / 2, &name, &one.name_len, e)) != SP_OK ||
        (rc = sp_utf16_to_wtf8(l->short_name, l->short_len / 2, &short_name, &n, e)) != SP_OK)
        goto out;
    one.name = name;
    one.short_name = strcmp(name, short_name) != 0 ? short_name : "";
    one.info = (struct sp_ntfs_info){.attributes = l->attributes,
        .btime = l->btime,
        .atime = l->atime,
        .mtime = l->mtime,
        .ctime = l->ctime,
        .size = (uint64_t)l->size,
        .allocated = (uint64_t)l->allocated,
        .file_id = l->id};
    /* ns-ntifs-_file_id_both_dir_information: EaSize is the tag where there is one. */
    if ((l->attributes & NTFS_REPARSE) != 0)
        one.info.reparse_tag = l->ea_size;
    else
        one.info.ea_size = l->ea_size;
    if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0)
        rc = each(arg, &one, e);
out:
    free(name);
    free(short_name);
    return rc;
}

/* A server's answer comes as it is: what it says of lengths is held against what it sent (R18). */
static bool
piece_fits(size_t at, size_t fixed, size_t name_len, size_t next, size_t len)
{
    return at % 8 == 0 && at <= len && fixed <= len - at && name_len <= len - at - fixed &&
           (next == 0 || (next >= fixed && next <= len - at));
}

static bool
listed_fits(const struct nt_listed *l, size_t at, size_t len)
{
    const size_t fixed = offsetof(struct nt_listed, name);

    return len <= LISTING && piece_fits(at, fixed, 0, 0, len) &&
           piece_fits(at, fixed, l->name_len, l->next, len) && l->short_len <= sizeof l->short_name;
}

static enum sp_code
listing(struct sp_ntfs_handle *h, UNICODE_STRING *only, sp_ntfs_each_name each, void *arg,
    struct sp_err *e)
{
    uint8_t *page = malloc(LISTING);
    enum sp_code rc = page != NULL ? SP_OK : sp_fail_nomem(e);
    bool first = true;

    while (rc == SP_OK) {
        IO_STATUS_BLOCK io;
        const NTSTATUS status = NtQueryDirectoryFile(h->h, NULL, NULL, NULL, &io, page,
            (ULONG)LISTING, CLASS_ID_BOTH_DIRECTORY, FALSE, only, first);
        if (status == NT_NO_MORE_FILES || (status == NT_NO_SUCH_FILE && only == NULL && first))
            break;
        if (status == NT_NO_SUCH_FILE && only == NULL) { /* broken off, not removed */
            rc = nt_fail_os(e, ERROR_INVALID_DATA, "listing");
            break;
        }
        if (status < 0) {
            rc = nt_fail(e, status, "listing");
            break;
        }
        for (size_t at = 0; rc == SP_OK;) {
            const struct nt_listed *l = (const struct nt_listed *)(const void *)(page + at);
            if (!listed_fits(l, at, io.Information)) {
                rc = nt_fail_os(e, ERROR_INVALID_DATA, "listing");
                break;
            }
            rc = tell(l, each, arg, e);
            if (l->next == 0)
                break;
            at += l->next;
        }
        first = false;
    }
    free(page);
    return rc;
}

enum sp_code
nt_list(void *self, struct sp_ntfs_handle *h, sp_ntfs_each_name each, void *arg, struct sp_err *e)
{
    (void)self;
    if (h->access != NTFS_LIST)
        return nt_fail_os(e, ERROR_ACCESS_DENIED, "listing");
    return listing(h, NULL, each, arg, e);
}

/* The pattern of a listing holds for the life of a handle, so this has one of its own. */
enum sp_code
nt_find(void *self, struct sp_ntfs_handle *dir, const char *name, sp_ntfs_each_name each, void *arg,
    struct sp_err *e)
{
    struct sp_ntfs_handle *again = NULL;
    struct nt_name n = {0};
    struct sp_err ignored = {0};
    enum sp_code rc;

    if (dir->access != NTFS_LIST)
        return nt_fail_os(e, ERROR_ACCESS_DENIED, "listing");
    if (name[0] == '\0' || strpbrk(name, "*?<>\"") != NULL)
        return nt_fail_os(e, ERROR_INVALID_NAME, "a name");
    if ((rc = nt_name_make(name, &n, e)) != SP_OK)
        return rc;
    if ((rc = nt_open_at(self, dir, "", NTFS_FOLDER, NTFS_LIST, &again, e)) == SP_OK) {
        rc = listing(again, &n.s, each, arg, e);
        nt_close(self, again, &ignored);
    }
    free(n.units);
    return rc;
}

static enum sp_code
tell_stream(const struct nt_stream *s, sp_ntfs_each_stream each, void *arg, struct sp_err *e)
{
    static const char type[] = ":$DATA";
    char *name;
    size_t n;
    enum sp_code rc = sp_utf16_to_wtf8(s->name, s->name_len / 2, &name, &n, e);

    if (rc != SP_OK)
        return rc;
    /* ":name:$DATA"; "::$DATA" is the content. */
    if (n > sizeof type && name[0] == ':' && strcmp(name + n - (sizeof type - 1), type) == 0) {
        n -= sizeof type - 1;
        name[n] = '\0';
        if (n > 1)
            rc = each(arg, name + 1, n - 1, (uint64_t)s->size, (uint64_t)s->allocated, e);
    }
    free(name);
    return rc;
}

enum sp_code
nt_streams(
    void *self, struct sp_ntfs_handle *h, sp_ntfs_each_stream each, void *arg, struct sp_err *e)
{
    uint8_t *page = NULL;
    IO_STATUS_BLOCK io = {0};
    NTSTATUS status = NT_BUFFER_OVERFLOW;
    struct sp_ntfs_volume volume;
    enum sp_code rc = known(h, e);

    if (rc == SP_OK)
        rc = nt_volume(self, h, &volume, e);
    if (rc == SP_OK && (volume.flags & NTFS_FS_STREAMS) == 0)
        rc = nt_fail_os(e, ERROR_NOT_SUPPORTED, "streams");
    if (rc != SP_OK)
        return rc;
    for (ULONG room = 4096; status == NT_BUFFER_OVERFLOW && room <= 64u << 20; room *= 4) {
        free(page);
        if ((page = malloc(room)) == NULL)
            return sp_fail_nomem(e);
        status =
            NtQueryInformationFile(h->h, &io, page, room, (FILE_INFORMATION_CLASS)CLASS_STREAM);
    }
    if (status == NT_END_OF_FILE) { /* a folder without any */
        io.Information = 0;
        status = 0;
    }
    if (status < 0)
        rc = nt_fail(e, status, "streams");
    for (size_t at = 0; rc == SP_OK && io.Information > 0;) {
        const size_t fixed = offsetof(struct nt_stream, name);
        const struct nt_stream *s = (const struct nt_stream *)(const void *)(page + at);
        if (!piece_fits(at, fixed, 0, 0, io.Information) ||
            !piece_fits(at, fixed, s->name_len, s->next, io.Information)) {
            rc = nt_fail_os(e, ERROR_INVALID_DATA, "streams");
            break;
        }
        rc = tell_stream(s, each, arg, e);
        if (s->next == 0)
            break;
        at += s->next;
    }
    free(page);
    return rc;
}

enum sp_code
nt_security(void *self, struct sp_ntfs_handle *h, struct sp_buf *ret, struct sp_err *e)
{
    SECURITY_INFORMATION what =
        OWNER_SECURITY_INFORMATION | GROUP_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION;
    struct sp_ntfs_volume volume;
    enum sp_code rc = known(h, e);
    NTSTATUS status = NT_BUFFER_TOO_SMALL;
    ULONG needed = 1024, room = 0;
    int tries = 0;

    if (rc == SP_OK)
        rc = nt_volume(self, h, &volume, e);
    if (rc != SP_OK)
        return rc;
    if ((volume.flags & NTFS_FS_ACLS) == 0)
        return nt_fail_os(e, ERROR_NOT_SUPPORTED, "access rights");
    /* All that a SACL may hold:
     * learn.microsoft.com/en-us/windows/win32/secauthz/security-information */
    if ((h->granted & ACCESS_SYSTEM_SECURITY) != 0)
        what |= SACL_SECURITY_INFORMATION | LABEL_SECURITY_INFORMATION |
                ATTRIBUTE_SECURITY_INFORMATION | SCOPE_SECURITY_INFORMATION;
    sp_buf_reset(ret);
    /* It may grow between two calls; a server may always say so. */
    for (; status == NT_BUFFER_TOO_SMALL && tries < 8 && needed <= SECURITY_MOST; tries++) {
        room = needed;
        if (!sp_buf_reserve(ret, room))
            return sp_fail_nomem(e);
        memset(ret->data, 0, room);
        status = NtQuerySecurityObject(h->h, what, ret->data, room, &needed);
    }
    if (status < 0)
        return nt_fail(e, status, "access rights");
    /* nf-ntifs-rtlvalidrelativesecuritydescriptor: before anything follows its offsets */
    if (!RtlValidRelativeSecurityDescriptor(ret->data, room, 0))
        return nt_fail_os(e, ERROR_INVALID_SECURITY_DESCR, "access rights");
    ret->len = GetSecurityDescriptorLength(ret->data);
    return SP_OK;
}

enum sp_code
nt_eas(void *self, struct sp_ntfs_handle *h, struct sp_buf *ret, struct sp_err *e)
{
    const ULONG room = 128u << 10; /* twice what NTFS takes */
    IO_STATUS_BLOCK io = {0};
    enum sp_code rc = known(h, e);

    (void)self;
    if (rc != SP_OK)
        return rc;
    sp_buf_reset(ret);
    if (!sp_buf_reserve(ret, room))
        return sp_fail_nomem(e);
    const NTSTATUS status = NtQueryEaFile(h->h, &io, ret->data, room, FALSE, NULL, 0, NULL, TRUE);
    if (status == NT_NO_EAS_ON_FILE)
        return SP_OK;
    if (status < 0)
        return nt_fail(e, status, "extended attributes");
    ret->len = io.Information;
    return SP_OK;
}

enum sp_code
nt_case_sensitive(void *self, struct sp_ntfs_handle *h, bool *ret, struct sp_err *e)
{
    uint32_t flags = 0;
    const NTSTATUS status = nt_query(h, CLASS_CASE, &flags, sizeof flags);

    (void)self;
    if (status == NT_INVALID_PARAMETER) /* Windows before 10 1803, file systems other than NTFS */
        return nt_fail_os(e, ERROR_NOT_SUPPORTED, "case sensitivity");
    if (status < 0)
        return nt_fail(e, status, "case sensitivity");
    *ret = (flags & 1) != 0;
    return SP_OK;
}

enum sp_code
nt_control(void *self, struct sp_ntfs_handle *h, uint32_t code, const void *in, size_t in_len,
    size_t room, struct sp_buf *ret, bool *ret_more, struct sp_err *e)
{
    HANDLE event = NULL;
    IO_STATUS_BLOCK io = {0};
    NTSTATUS status;

    (void)self;
    sp_buf_reset(ret);
    if (in_len > UINT32_MAX || room > UINT32_MAX || (room > 0 && !sp_buf_reserve(ret, room)))
        return sp_fail_nomem(e);
    if (!h->waits && (event = CreateEventW(NULL, TRUE, FALSE, NULL)) == NULL)
        return nt_fail_os(e, GetLastError(), "a request");
    status = NtFsControlFile(h->h, event, NULL, NULL, &io, code, (void *)(uintptr_t)in,
        (ULONG)in_len, room > 0 ? ret->data : NULL, (ULONG)room);
    if (status == STATUS_PENDING) {
        WaitForSingleObject(event != NULL ? event : h->h, INFINITE);
        status = io.Status;
    }
    if (event != NULL)
        CloseHandle(event);
    if (status < 0 && status != NT_BUFFER_OVERFLOW)
        return nt_fail(e, status, "a request");
    ret->len = io.Information <= room ? io.Information : room;
    if (ret_more != NULL)
        *ret_more = status == NT_BUFFER_OVERFLOW;
    return SP_OK;
}
