/* Changing what is open. */
#include <stdlib.h>
#include <string.h>

#include "client/ntfs_nt_win32.h"

enum {
    REPLACE = 1,
    POSIX = 2,
    RENAME_READONLY = 0x40,
    LINK_READONLY = 0x40
}; /* …_IGNORE_READONLY_ATTRIBUTE */
enum { DISPOSE = 1, DISPOSE_POSIX = 2, DISPOSE_READONLY = 0x10 };

enum sp_code
nt_set_basic(void *self, struct sp_ntfs_handle *h, const struct sp_ntfs_info *to, struct sp_err *e)
{
    const uint32_t settable = NTFS_READONLY | NTFS_HIDDEN | NTFS_SYSTEM | NTFS_ARCHIVE |
                              NTFS_NORMAL | NTFS_TEMPORARY | NTFS_OFFLINE | NTFS_NOT_INDEXED |
                              NTFS_PINNED | NTFS_UNPINNED;
    struct nt_basic basic = {
        .btime = to->btime, .atime = to->atime, .mtime = to->mtime, .ctime = to->ctime};

    (void)self;
    if ((h->granted & FILE_WRITE_ATTRIBUTES) == 0 || h->removed)
        return nt_fail_os(e, ERROR_ACCESS_DENIED, "attributes");
    basic.attributes = to->attributes & settable;
    if ((basic.attributes & ~NTFS_NORMAL) != 0) /* valid only alone */
        basic.attributes &= ~NTFS_NORMAL;
    else if (to->attributes != 0)
        basic.attributes = NTFS_NORMAL;
    const NTSTATUS status = nt_set(h, CLASS_BASIC, &basic, sizeof basic);
    return status < 0 ? nt_fail(e, status, "attributes and times") : SP_OK;
}

enum sp_code
nt_set_security(void *self, struct sp_ntfs_handle *h, const void *p, size_t n, bool owner,
    bool dacl, bool sacl, struct sp_err *e)
{
    SECURITY_INFORMATION what = 0;
    SECURITY_DESCRIPTOR_RELATIVE *copy;
    struct sp_ntfs_volume volume;
    enum sp_code rc;

    if (h->removed)
        return nt_fail_os(e, ERROR_INVALID_HANDLE, "access rights");
    if ((rc = nt_volume(self, h, &volume, e)) != SP_OK)
        return rc;
    if ((volume.flags & NTFS_FS_ACLS) == 0)
        return nt_fail_os(e, ERROR_NOT_SUPPORTED, "access rights");
    if (n < sizeof *copy || n > 65536 * 4)
        return nt_fail_os(e, ERROR_INVALID_SECURITY_DESCR, "access rights");
    if ((copy = malloc(n)) == NULL)
        return sp_fail_nomem(e);
    memcpy(copy, p, n);
    if (!IsValidSecurityDescriptor(copy) || GetSecurityDescriptorLength(copy) > n) {
        free(copy);
        return nt_fail_os(e, ERROR_INVALID_SECURITY_DESCR, "access rights");
    }
    /* AUTO_INHERITED stays only where it is requested: MS-DTYP 2.4.6 (control bits DR, SR), and
     * learn.microsoft.com/en-us/windows/win32/secauthz/security-descriptor-control. */
    if ((copy->Control & SE_DACL_AUTO_INHERITED) != 0)
        copy->Control |= SE_DACL_AUTO_INHERIT_REQ;
    if ((copy->Control & SE_SACL_AUTO_INHERITED) != 0)
        copy->Control |= SE_SACL_AUTO_INHERIT_REQ;
    if (owner && copy->Owner != 0)
        what |= OWNER_SECURITY_INFORMATION;
    if (owner && copy->Group != 0)
        what |= GROUP_SECURITY_INFORMATION;
    if (dacl)
        what |= DACL_SECURITY_INFORMATION;
    if (sacl)
        what |= SACL_SECURITY_INFORMATION | LABEL_SECURITY_INFORMATION |
                ATTRIBUTE_SECURITY_INFORMATION | SCOPE_SECURITY_INFORMATION;
    const NTSTATUS status = NtSetSecurityObject(h->h, what, copy);
    free(copy);
    return status < 0 ? nt_fail(e, status, "access rights") : SP_OK;
}

enum sp_code
nt_set_eas(void *self, struct sp_ntfs_handle *h, const void *p, size_t n, struct sp_err *e)
{
    struct sp_ntfs_volume volume;
    IO_STATUS_BLOCK io;
    enum sp_code rc = nt_volume(self, h, &volume, e);

    if (rc != SP_OK)
        return rc;
    if ((volume.flags & NTFS_FS_EAS) == 0)
        return nt_fail_os(e, ERROR_EAS_NOT_SUPPORTED, "extended attributes");
    if (h->removed || (h->granted & FILE_WRITE_EA) == 0)
        return nt_fail_os(e, ERROR_ACCESS_DENIED, "extended attributes");
    const NTSTATUS status = NtSetEaFile(h->h, &io, p, (ULONG)n);
    return status < 0 ? nt_fail(e, status, "extended attributes") : SP_OK;
}

enum sp_code
nt_set_short_name(void *self, struct sp_ntfs_handle *h, const char *name, struct sp_err *e)
{
    struct {
        uint32_t len;
        uint16_t name[14];
    } to = {0};
    struct nt_name n = {0};
    enum sp_code rc;

    (void)self;
    /* FILE_NAME_INFORMATION: at most 8.3 */
    if ((rc = nt_name_make(name, &n, e)) != SP_OK)
        return rc;
    const bool fits = n.s.Length <= 24;
    if (fits) {
        to.len = n.s.Length;
        memcpy(to.name, n.units, n.s.Length);
    }
    free(n.units);
    if (!fits)
        return nt_fail_os(e, ERROR_INVALID_NAME, "a short name");
    const NTSTATUS status = nt_set(h, CLASS_SHORT_NAME, &to, 4 + (to.len > 0 ? to.len : 2));
    return status < 0 ? nt_fail(e, status, "a short name") : SP_OK;
}

enum sp_code
nt_set_case_sensitive(void *self, struct sp_ntfs_handle *h, bool on, struct sp_err *e)
{
    const uint32_t flags = on ? 1 : 0;
    const NTSTATUS status = nt_set(h, CLASS_CASE, &flags, sizeof flags);

    (void)self;
    if (status == NT_INVALID_PARAMETER)
        return nt_fail_os(e, ERROR_NOT_SUPPORTED, "case sensitivity");
    return status < 0 ? nt_fail(e, status, "case sensitivity") : SP_OK;
}

/* Takes READONLY from a name that stands in the way, where the system cannot look past it. */
static void
make_writable(void *self, struct sp_ntfs_handle *dir, const char *name)
{
    struct sp_ntfs_handle *h;
    struct sp_ntfs_info info;
    struct sp_err ignored = {0};

    if (nt_open_at(self, dir, name, NTFS_FILE, NTFS_CHANGE, &h, &ignored) != SP_OK)
        return;
    if (nt_info(self, h, &info, &ignored) == SP_OK && (info.attributes & NTFS_READONLY) != 0) {
        const struct sp_ntfs_info to = {
            .attributes = (info.attributes & ~NTFS_READONLY) | NTFS_NORMAL};
        nt_set_basic(self, h, &to, &ignored);
    }
    nt_close(self, h, &ignored);
}

/* A folder is never replaced, also where POSIX semantics would allow it for an empty one. */
static enum sp_code
no_folder(void *self, struct sp_ntfs_handle *dir, const char *name, struct sp_err *e)
{
    struct sp_ntfs_handle *h;
    struct sp_err ignored = {0};
    const enum sp_code rc = nt_open_at(self, dir, name, NTFS_FILE, NTFS_LOOK, &h, &ignored);

    if (rc == SP_OK)
        nt_close(self, h, &ignored);
    return rc == SP_CHANGED ? nt_fail_os(e, ERROR_ACCESS_DENIED, "a folder has the name") : SP_OK;
}

static bool
not_so_new(NTSTATUS status)
{
    return nt_unknown(status) || status == NT_INVALID_PARAMETER;
}

/* Rename and link have one structure. The newer class first; the older one where this Windows
 * (before 10 1709) or file system does not know it: ns-ntifs-_file_rename_information,
 * ns-ntifs-_file_link_information. */
static NTSTATUS
give_name(void *self, struct sp_ntfs_handle *h, struct sp_ntfs_handle *dir, const char *name,
    const struct nt_name *n, bool replace, int newer, int older)
{
    const size_t size = sizeof(struct nt_rename) + n->s.Length;
    struct nt_rename *to = calloc(1, size);
    NTSTATUS status;

    if (to == NULL)
        return (NTSTATUS)0xC0000017; /* STATUS_NO_MEMORY */
    to->root = dir->h;
    to->name_len = n->s.Length;
    memcpy(to->name, n->units, n->s.Length);
    to->flags = replace ? REPLACE | POSIX | RENAME_READONLY : 0;
    status = nt_set(h, newer, to, (ULONG)size);
    if (not_so_new(status)) {
        to->flags = replace ? 1 : 0;
        status = nt_set(h, older, to, (ULONG)size);
        if (status == NT_ACCESS_DENIED && replace) {
            make_writable(self, dir, name);
            status = nt_set(h, older, to, (ULONG)size);
        }
    }
    free(to);
    return status;
}

enum sp_code
nt_rename(void *self, struct sp_ntfs_handle *h, struct sp_ntfs_handle *dir, const char *name,
    bool replace, struct sp_err *e)
{
    struct nt_name n = {0};
    enum sp_code rc;

    if (h->removed || h->stream || (h->granted & DELETE) == 0)
        return nt_fail_os(e, ERROR_ACCESS_DENIED, "a new name");
    if (name[0] == '\0')
        return nt_fail_os(e, ERROR_INVALID_NAME, "a new name");
    if (replace && (rc = no_folder(self, dir, name, e)) != SP_OK)
        return rc;
    if ((rc = nt_name_make(name, &n, e)) != SP_OK)
        return rc;
    const NTSTATUS status =
        give_name(self, h, dir, name, &n, replace, CLASS_RENAME_EX, CLASS_RENAME);
    free(n.units);
    return status < 0 ? nt_fail(e, status, "a new name") : SP_OK;
}

enum sp_code
nt_link(void *self, struct sp_ntfs_handle *h, struct sp_ntfs_handle *dir, const char *name,
    bool replace, struct sp_err *e)
{
    struct nt_name n = {0};
    enum sp_code rc;

    if (h->removed || h->stream || (h->granted & FILE_WRITE_ATTRIBUTES) == 0)
        return nt_fail_os(e, ERROR_ACCESS_DENIED, "one more name");
    if (name[0] == '\0')
        return nt_fail_os(e, ERROR_INVALID_NAME, "one more name");
    if (replace && (rc = no_folder(self, dir, name, e)) != SP_OK)
        return rc;
    if ((rc = nt_name_make(name, &n, e)) != SP_OK)
        return rc;
    const NTSTATUS status = give_name(self, h, dir, name, &n, replace, CLASS_LINK_EX, CLASS_LINK);
    free(n.units);
    if (status == NT_FILE_IS_A_DIRECTORY)
        return nt_fail_os(e, ERROR_ACCESS_DENIED, "one more name");
    return status < 0 ? nt_fail(e, status, "one more name") : SP_OK;
}

/* ns-ntddk-_file_disposition_information_ex; before Windows 10 1809, and on other file systems, the
 * old class, which minds READONLY. */
enum sp_code
nt_remove(void *self, struct sp_ntfs_handle *h, struct sp_err *e)
{
    const uint32_t flags = DISPOSE | DISPOSE_POSIX | DISPOSE_READONLY;
    const uint8_t yes = 1;
    struct sp_ntfs_info info;
    NTSTATUS status;

    if (h->removed || (h->granted & DELETE) == 0)
        return nt_fail_os(e, ERROR_ACCESS_DENIED, "removal");
    status = nt_set(h, CLASS_DISPOSITION_EX, &flags, sizeof flags);
    if (not_so_new(status)) {
        status = nt_set(h, CLASS_DISPOSITION, &yes, sizeof yes);
        if ((status == NT_CANNOT_DELETE || status == NT_ACCESS_DENIED) &&
            nt_info(self, h, &info, e) == SP_OK && (info.attributes & NTFS_READONLY) != 0) {
            const struct sp_ntfs_info plain = {
                .attributes = (info.attributes & ~NTFS_READONLY) | NTFS_NORMAL};
            enum sp_code rc = nt_set_basic(self, h, &plain, e);
            if (rc != SP_OK)
                return rc;
            status = nt_set(h, CLASS_DISPOSITION, &yes, sizeof yes);
            if (status < 0)
                nt_set_basic(self, h, &info, e);
        }
    }
    if (status < 0)
        return nt_fail(e, status, "removal");
    h->removed = true;
    return SP_OK;
}
