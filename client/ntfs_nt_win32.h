#ifndef SP_CLIENT_NTFS_NT_WIN32_H
#define SP_CLIENT_NTFS_NT_WIN32_H

/* What the files ntfs*_win32.c share: the calls of ntdll with their structures, and an open object.
 * learn.microsoft.com/en-us/windows-hardware/drivers/ddi/ntifs/ has every one of them; the layouts
 * are held against what it says. */

#include <windows.h>

#include <winternl.h>

#include "client/ntfs.h"

/* Classes that the cross compiler's headers do not know: MS-FSCC 2.4,
 * ne-wdm-_file_information_class. */
enum {
    CLASS_BASIC = 4,
    CLASS_STANDARD = 5,
    CLASS_INTERNAL = 6,
    CLASS_EA = 7,
    CLASS_RENAME = 10,
    CLASS_LINK = 11,
    CLASS_DISPOSITION = 13,
    CLASS_END_OF_FILE = 20,
    CLASS_STREAM = 22,
    CLASS_TAG = 35,
    CLASS_ID_BOTH_DIRECTORY = 37,
    CLASS_SHORT_NAME = 40,
    CLASS_ID = 59,
    CLASS_DISPOSITION_EX = 64,
    CLASS_RENAME_EX = 65,
    CLASS_CASE = 71,
    CLASS_LINK_EX = 72
};
enum { CLASS_FS_VOLUME = 1, CLASS_FS_SIZE = 3, CLASS_FS_DEVICE = 4, CLASS_FS_ATTRIBUTE = 5 };

/* ntstatus.h, as far as it is looked at here */
#define NT_BUFFER_OVERFLOW ((NTSTATUS)0x80000005)
#define NT_NO_MORE_FILES ((NTSTATUS)0x80000006)
#define NT_NO_EAS_ON_FILE ((NTSTATUS)0xC0000052)
#define NT_NOT_IMPLEMENTED ((NTSTATUS)0xC0000002)
#define NT_INVALID_INFO_CLASS ((NTSTATUS)0xC0000003)
#define NT_INFO_LENGTH_MISMATCH ((NTSTATUS)0xC0000004)
#define NT_INVALID_PARAMETER ((NTSTATUS)0xC000000D)
#define NT_NO_SUCH_FILE ((NTSTATUS)0xC000000F)
#define NT_INVALID_DEVICE_REQUEST ((NTSTATUS)0xC0000010)
#define NT_END_OF_FILE ((NTSTATUS)0xC0000011)
#define NT_ACCESS_DENIED ((NTSTATUS)0xC0000022)
#define NT_BUFFER_TOO_SMALL ((NTSTATUS)0xC0000023)
#define NT_SHARING_VIOLATION ((NTSTATUS)0xC0000043)
#define NT_LOCK_CONFLICT ((NTSTATUS)0xC0000054)
#define NT_PRIVILEGE_NOT_HELD ((NTSTATUS)0xC0000061)
#define NT_FILE_IS_A_DIRECTORY ((NTSTATUS)0xC00000BA)
#define NT_NOT_SUPPORTED ((NTSTATUS)0xC00000BB)
#define NT_NOT_A_DIRECTORY ((NTSTATUS)0xC0000103)
#define NT_CANNOT_DELETE ((NTSTATUS)0xC0000121)
#define NT_OBJECTID_NOT_FOUND ((NTSTATUS)0xC00002F0)

struct nt_basic {
    int64_t btime, atime, mtime, ctime;
    uint32_t attributes, pad;
};
struct nt_standard {
    int64_t allocated, size;
    uint32_t links;
    uint8_t delete_pending, directory, pad[2];
};
struct nt_tag {
    uint32_t attributes, tag;
};
struct nt_listed { /* FILE_ID_BOTH_DIR_INFORMATION */
    uint32_t next, index;
    int64_t btime, atime, mtime, ctime, size, allocated;
    uint32_t attributes, name_len, ea_size; /* or the reparse tag */
    uint8_t short_len, pad;
    uint16_t short_name[12];
    uint64_t id;
    uint16_t name[1];
};
struct nt_stream {
    uint32_t next, name_len;
    int64_t size, allocated;
    uint16_t name[1];
};
struct nt_rename {  /* FILE_RENAME_INFORMATION, FILE_LINK_INFORMATION */
    uint32_t flags; /* a BOOLEAN in the old classes */
    uint32_t pad;
    HANDLE root;
    uint32_t name_len;
    uint16_t name[1];
};
struct nt_fs_attribute {
    uint32_t flags, max_name, name_len;
    uint16_t name[34];
};
struct nt_fs_volume {
    int64_t created;
    uint32_t serial, label_len;
    uint16_t rest[34];
};
struct nt_fs_size {
    int64_t total, free;
    uint32_t sectors, bytes;
};
struct nt_fs_device {
    uint32_t type, characteristics;
};
_Static_assert(sizeof(struct nt_basic) == 40, "FILE_BASIC_INFORMATION");
_Static_assert(sizeof(struct nt_standard) == 24, "FILE_STANDARD_INFORMATION");
_Static_assert(offsetof(struct nt_listed, attributes) == 56, "FILE_ID_BOTH_DIR_INFORMATION");
_Static_assert(offsetof(struct nt_listed, short_len) == 68, "FILE_ID_BOTH_DIR_INFORMATION");
_Static_assert(offsetof(struct nt_listed, short_name) == 70, "FILE_ID_BOTH_DIR_INFORMATION");
_Static_assert(offsetof(struct nt_listed, id) == 96, "FILE_ID_BOTH_DIR_INFORMATION");
_Static_assert(offsetof(struct nt_listed, name) == 104, "FILE_ID_BOTH_DIR_INFORMATION");
_Static_assert(offsetof(struct nt_stream, name) == 24, "FILE_STREAM_INFORMATION");
_Static_assert(offsetof(struct nt_rename, name_len) == 16, "FILE_RENAME_INFORMATION");
_Static_assert(offsetof(struct nt_rename, name) == 20, "FILE_RENAME_INFORMATION");
_Static_assert(offsetof(struct nt_fs_attribute, name) == 12, "FILE_FS_ATTRIBUTE_INFORMATION");
_Static_assert(sizeof(struct nt_fs_size) == 24, "FILE_FS_SIZE_INFORMATION");

/* Not in winternl.h. */
NTSTATUS NTAPI NtQueryDirectoryFile(HANDLE file, HANDLE event, PIO_APC_ROUTINE apc, void *context,
    IO_STATUS_BLOCK *io, void *to, ULONG len, ULONG class, BOOLEAN one, UNICODE_STRING *name,
    BOOLEAN restart);
NTSTATUS NTAPI NtReadFile(HANDLE file, HANDLE event, PIO_APC_ROUTINE apc, void *context,
    IO_STATUS_BLOCK *io, void *to, ULONG len, LARGE_INTEGER *offset, ULONG *key);
NTSTATUS NTAPI NtWriteFile(HANDLE file, HANDLE event, PIO_APC_ROUTINE apc, void *context,
    IO_STATUS_BLOCK *io, const void *from, ULONG len, LARGE_INTEGER *offset, ULONG *key);
NTSTATUS NTAPI NtQueryEaFile(HANDLE file, IO_STATUS_BLOCK *io, void *to, ULONG len, BOOLEAN one,
    void *list, ULONG list_len, ULONG *index, BOOLEAN restart);
NTSTATUS NTAPI NtSetEaFile(HANDLE file, IO_STATUS_BLOCK *io, const void *from, ULONG len);
NTSTATUS NTAPI NtQuerySecurityObject(
    HANDLE file, SECURITY_INFORMATION what, void *to, ULONG len, ULONG *needed);
BOOLEAN NTAPI RtlValidRelativeSecurityDescriptor(
    void *descriptor, ULONG len, SECURITY_INFORMATION required);
NTSTATUS NTAPI NtSetSecurityObject(HANDLE file, SECURITY_INFORMATION what, const void *from);

struct ahead { /* the next piece of a file that is read in order, asked for before anybody wants it
                */
    uint8_t *data;
    ULONG size;
    uint64_t offset, expected; /* of the request; where the last read ended */
    bool pending;
    IO_STATUS_BLOCK io;
    HANDLE event;
};
struct sp_ntfs_handle {
    HANDLE h;
    ACCESS_MASK granted; /* asked for, and given */
    enum sp_ntfs_access access;
    bool whole_volume, stream, removed, waits; /* waits: opened for requests in order */
    SRWLOCK lock;                              /* over `ahead` */
    struct ahead ahead;
};

/* --- ntfs_status_win32.c --- */
enum sp_code nt_fail(struct sp_err *e, NTSTATUS status, const char *what);
enum sp_code nt_fail_os(struct sp_err *e, DWORD os, const char *what);
/* This file system or this Windows has no such thing. */
bool nt_unknown(NTSTATUS status);
unsigned nt_privileges(void); /* NTFS_MAY_*, enabled at the first call */

/* --- ntfs_win32.c --- */
struct nt_name { /* UTF-16, as ntdll takes it */
    UNICODE_STRING s;
    uint16_t *units;
};
enum sp_code
nt_name_make(const char *name, struct nt_name *ret, struct sp_err *e); /* one component */
NTSTATUS nt_open(HANDLE root, UNICODE_STRING *name, ACCESS_MASK access, ULONG disposition,
    ULONG options, ULONG attributes, const void *security, HANDLE *ret);
enum sp_code
nt_open_at(void *self, struct sp_ntfs_handle *dir, const char *name, enum sp_ntfs_what what,
    enum sp_ntfs_access access, struct sp_ntfs_handle **ret, struct sp_err *e);
enum sp_code nt_close(void *self, struct sp_ntfs_handle *h, struct sp_err *e);
NTSTATUS nt_query(struct sp_ntfs_handle *h, int class, void *to, ULONG len);
NTSTATUS nt_set(struct sp_ntfs_handle *h, int class, const void *from, ULONG len);

/* --- the table's entries --- */
#define NT_SELF void *self, struct sp_ntfs_handle *h
enum sp_code nt_info(NT_SELF, struct sp_ntfs_info *ret, struct sp_err *e);
enum sp_code nt_volume(NT_SELF, struct sp_ntfs_volume *ret, struct sp_err *e);
enum sp_code nt_list(NT_SELF, sp_ntfs_each_name each, void *arg, struct sp_err *e);
enum sp_code
nt_find(NT_SELF, const char *name, sp_ntfs_each_name each, void *arg, struct sp_err *e);
enum sp_code nt_streams(NT_SELF, sp_ntfs_each_stream each, void *arg, struct sp_err *e);
enum sp_code nt_security(NT_SELF, struct sp_buf *ret, struct sp_err *e);
enum sp_code nt_eas(NT_SELF, struct sp_buf *ret, struct sp_err *e);
enum sp_code nt_case_sensitive(NT_SELF, bool *ret, struct sp_err *e);
enum sp_code nt_control(NT_SELF, uint32_t code, const void *in, size_t in_len, size_t room,
    struct sp_buf *ret, bool *ret_more, struct sp_err *e);
enum sp_code nt_read(NT_SELF, uint64_t offset, void *to, size_t n, size_t *ret_n, struct sp_err *e);
void nt_read_stop(struct sp_ntfs_handle *h); /* before closing */
enum sp_code nt_write(NT_SELF, uint64_t offset, const void *p, size_t n, struct sp_err *e);
enum sp_code nt_resize(NT_SELF, uint64_t size, struct sp_err *e);
enum sp_code nt_flush(NT_SELF, struct sp_err *e);
enum sp_code
nt_efs_export(NT_SELF, const char *name, sp_ntfs_take take, void *arg, struct sp_err *e);
enum sp_code nt_efs_import(
    NT_SELF, const char *name, bool folder, sp_ntfs_give give, void *arg, struct sp_err *e);
enum sp_code nt_set_basic(NT_SELF, const struct sp_ntfs_info *to, struct sp_err *e);
enum sp_code nt_set_security(
    NT_SELF, const void *p, size_t n, bool owner, bool dacl, bool sacl, struct sp_err *e);
enum sp_code nt_set_eas(NT_SELF, const void *p, size_t n, struct sp_err *e);
enum sp_code nt_set_short_name(NT_SELF, const char *name, struct sp_err *e);
enum sp_code nt_set_case_sensitive(NT_SELF, bool on, struct sp_err *e);
enum sp_code
nt_rename(NT_SELF, struct sp_ntfs_handle *dir, const char *name, bool replace, struct sp_err *e);
enum sp_code
nt_link(NT_SELF, struct sp_ntfs_handle *dir, const char *name, bool replace, struct sp_err *e);
enum sp_code nt_remove(NT_SELF, struct sp_err *e);

#endif
