#ifndef SP_CLIENT_NTFS_H
#define SP_CLIENT_NTFS_H

/* The file system below the Windows half of source and target, as a table: what NTFS (and ReFS, FAT,
 * SMB) can be asked through a handle. ntfs_win32.c is the real one, over NtCreateFile and its kin;
 * tests/ntfs/ has a double that behaves as Microsoft documents, so that walking, describing, reading
 * and restoring (walk_win32.c, target_win32.c and the files beside them, which use nothing of Windows
 * but this table) are tested with every feature on any system, under the sanitizers.
 *
 * Everything is relative to handles, one name at a time, and no reparse point is ever followed (R24):
 * open_at always opens the point itself (FILE_OPEN_REPARSE_POINT). The one exception, NTFS_READ of a file
 * whose tag is no name surrogate (NTFS_TAG_IS_SURROGATE; deduplicated, system-compressed): its content
 * comes through the filter that owns the tag, since the raw one is zeros; file id and volume are held
 * against the point's own (SP_CHANGED). Names are WTF-8, one component without / \ : and NUL; the table
 * turns them into UTF-16. Case is the folder's: insensitive unless the folder says otherwise. A short name
 * (8.3) opens its file as well: who must know what a name really names asks `find`. All is opened for
 * backup or restore intent where the process has the privileges (SeBackup, SeRestore, SeSecurity,
 * SeCreateSymbolicLink: enabled once, what is missing is told by `privileges`), and shares read, write and
 * delete.
 *
 * Failures: the code, and the Win32 error number in e->os. Domain SP_DOM_NONE: the caller says whose
 * fault it is. SP_ABSENT: nothing there, also no reparse point, no object id, no
 * USN journal (os 1178, 1179), its records gone (1181; another journal id is SP_INVALID); SP_EXISTS; SP_DENIED; SP_BUSY: sharing or lock violation, after
 * bounded retries (five, 50 ms to 800 ms) inside; SP_UNSUPPORTED: this file system or this version of
 * Windows has no such thing (STATUS_INVALID_DEVICE_REQUEST, STATUS_NOT_SUPPORTED, …), and asking again
 * is pointless; SP_INVALID: a name that the file system cannot have, a buffer that the system finds
 * malformed, a handle of the wrong kind. Any thread; one handle may be read by several, everything else by
 * one at a time. What a call calls back (each, take, give) may call the table for other handles; a code
 * other than SP_OK from it ends the call and is its answer.
 *
 * What a handle may do is fixed when it is opened. A call that it was not opened for is SP_DENIED
 * (ERROR_ACCESS_DENIED), as in Windows; so is security, eas after an NTFS_LOOK where the ACL gives no more
 * than the attributes.
 *
 * Times are ticks as NTFS keeps them: 100 ns since 1601-01-01 UTC (FILETIME); 0: not known, or, when
 * set: leave it. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

/* FILE_ATTRIBUTE_*: learn.microsoft.com/en-us/windows/win32/fileio/file-attribute-constants */
#define NTFS_READONLY UINT32_C(0x1)
#define NTFS_HIDDEN UINT32_C(0x2)
#define NTFS_SYSTEM UINT32_C(0x4)
#define NTFS_DIRECTORY UINT32_C(0x10)
#define NTFS_ARCHIVE UINT32_C(0x20)
#define NTFS_NORMAL UINT32_C(0x80)
#define NTFS_TEMPORARY UINT32_C(0x100)
#define NTFS_SPARSE UINT32_C(0x200)
#define NTFS_REPARSE UINT32_C(0x400)
#define NTFS_COMPRESSED UINT32_C(0x800)
#define NTFS_OFFLINE UINT32_C(0x1000)
#define NTFS_NOT_INDEXED UINT32_C(0x2000)
#define NTFS_ENCRYPTED UINT32_C(0x4000)
#define NTFS_INTEGRITY UINT32_C(0x8000)
#define NTFS_NO_SCRUB UINT32_C(0x20000)
#define NTFS_PINNED UINT32_C(0x80000)
#define NTFS_UNPINNED UINT32_C(0x100000)
#define NTFS_RECALL_ON_OPEN UINT32_C(0x40000)
#define NTFS_RECALL_ON_DATA UINT32_C(0x400000)

/* Flags of a file system: learn.microsoft.com/en-us/windows/win32/api/fileapi/nf-fileapi-getvolumeinformationbyhandlew */
#define NTFS_FS_ACLS UINT32_C(0x8)
#define NTFS_FS_COMPRESSION UINT32_C(0x10)
#define NTFS_FS_SPARSE UINT32_C(0x40)
#define NTFS_FS_REPARSE UINT32_C(0x80)
#define NTFS_FS_POSIX_UNLINK UINT32_C(0x400) /* a removed name is free at once, open or not */
#define NTFS_FS_OBJECT_IDS UINT32_C(0x10000)
#define NTFS_FS_ENCRYPTION UINT32_C(0x20000)
#define NTFS_FS_STREAMS UINT32_C(0x40000)
#define NTFS_FS_READ_ONLY UINT32_C(0x80000)
#define NTFS_FS_HARD_LINKS UINT32_C(0x400000)
#define NTFS_FS_EAS UINT32_C(0x800000)
#define NTFS_FS_OPEN_BY_ID UINT32_C(0x1000000)
#define NTFS_FS_USN UINT32_C(0x2000000)

enum { /* what the process may do; bits */
    NTFS_MAY_BACKUP = 1,   /* read everything, whatever its ACL says */
    NTFS_MAY_RESTORE = 2,  /* write everything, set any owner, short names */
    NTFS_MAY_SECURITY = 4, /* read and set SACLs */
    NTFS_MAY_LINK = 8      /* make symbolic links */
};

enum sp_ntfs_access {
    NTFS_LOOK,   /* attributes, security, reparse data, EAs, object id, names of streams: no content */
    NTFS_READ,   /* and content, allocated ranges, USN data; never of an object that NTFS_MUST_NOT_READ */
    NTFS_LIST,   /* LOOK, and a folder's names */
    NTFS_CHANGE, /* LOOK, and attributes, times, security, name, links, short name, removal */
    NTFS_WRITE   /* everything: content, EAs, reparse data, object id, sparse, compression, case. SP_DENIED: a
                    read-only file, which no privilege lifts: take the attribute away by NTFS_CHANGE first */
};
/* Reading it, or so much as opening it (RECALL_ON_OPEN: only listings show it), may have the system fetch
 * it from elsewhere: learn.microsoft.com/en-us/windows/win32/fileio/file-attribute-constants */
#define NTFS_MUST_NOT_READ (NTFS_OFFLINE | NTFS_RECALL_ON_OPEN | NTFS_RECALL_ON_DATA)
enum sp_ntfs_what { NTFS_ANY, NTFS_FILE, NTFS_FOLDER }; /* SP_CHANGED: it is the other one */

struct sp_ntfs_handle;

struct sp_ntfs_info { /* FILE_ALL_INFORMATION, FILE_ATTRIBUTE_TAG_INFORMATION */
    uint32_t attributes, reparse_tag; /* tag 0: none */
    int64_t btime, atime, mtime, ctime; /* ticks */
    uint64_t size, allocated;
    uint32_t links;
    uint32_t ea_size; /* 0: it has no extended attributes */
    uint64_t file_id; /* ReFS: its 128 bits folded */
    uint64_t volume;  /* serial number */
};
struct sp_ntfs_listed { /* FILE_ID_BOTH_DIR_INFORMATION: no links, and what NTFS copied into the folder,
                           which may be older than the file where it has several names, or is being written
                           (devblogs.microsoft.com/oldnewthing/20111226-00/?p=8813). ea_size is 0 for a
                           reparse point, whose tag has its place there */
    const char *name; /* WTF-8, until the next call */
    size_t name_len;
    const char *short_name; /* "" : none */
    struct sp_ntfs_info info; /* links, volume 0 */
};
struct sp_ntfs_volume {
    char file_system[32]; /* "NTFS" */
    uint32_t flags;       /* NTFS_FS_* */
    uint32_t cluster;     /* bytes */
    uint64_t serial;
    bool remote, removable;
};

typedef enum sp_code (*sp_ntfs_each_name)(void *arg, const struct sp_ntfs_listed *l, struct sp_err *e);
typedef enum sp_code (*sp_ntfs_each_stream)(
    void *arg, const char *name, size_t name_len, uint64_t size, uint64_t allocated, struct sp_err *e);
typedef enum sp_code (*sp_ntfs_take)(void *arg, const void *p, size_t n, struct sp_err *e);
/* Gives the next bytes, at most n; *ret_n 0: the end. */
typedef enum sp_code (*sp_ntfs_give)(void *arg, void *to, size_t n, size_t *ret_n, struct sp_err *e);

struct sp_ntfs {
    void *self;
    unsigned (*privileges)(void *self); /* NTFS_MAY_* */

    /* --- opening. A volume's root, a shadow's or a share's by path ("C:/", "//server/share/",
     * "//?/GLOBALROOT/Device/HarddiskVolumeShadowCopy1/", or any folder below such): links in it are
     * followed, it is ours or the user's. "//./C:" and "//?/Volume{guid}", without a slash at the end, are
     * the volume itself (NTFS_READ): for its USN journal; SP_DENIED for who is no administrator. */
    enum sp_code (*open_path)(void *self, const char *path, enum sp_ntfs_access access,
        struct sp_ntfs_handle **ret, struct sp_err *e);
    /* name "": `dir` once more (which may be a file here), for another access. */
    enum sp_code (*open_at)(void *self, struct sp_ntfs_handle *dir, const char *name,
        enum sp_ntfs_what what, enum sp_ntfs_access access, struct sp_ntfs_handle **ret, struct sp_err *e);
    /* Opens (NTFS_READ) or makes (NTFS_WRITE; SP_EXISTS) an alternate stream of what `h` is, which may be a
     * folder or a reparse point; NTFS_CHANGE opens one to `remove` it. Name without colons and type. The
     * handle knows the content calls, info (its own size), control, set_basic (of the file), close. */
    enum sp_code (*open_stream)(void *self, struct sp_ntfs_handle *h, const char *stream,
        enum sp_ntfs_access access, struct sp_ntfs_handle **ret, struct sp_err *e);
    /* A new file or folder, NTFS_WRITE. `security` (self-relative, may be NULL) is its descriptor from the
     * first instant; without, or where its DACL is not protected, the folder's inheritable ACEs come too
     * (MS-DTYP 2.5.3.4). `attributes`: R, H, S, A, T, not-indexed (a file gets ARCHIVE in any case);
     * NTFS_ENCRYPTED has it encrypted for this user. It is compressed or encrypted where the folder is. A name
     * that was removed or renamed away in the last 15 s gives its time of creation and its short name to what
     * takes it, by create_at or rename (tunneling): set the times after the last of the two.
     * SP_EXISTS: another's name or short name. SP_BUSY: a removed one's that is still open. */
    enum sp_code (*create_at)(void *self, struct sp_ntfs_handle *dir, const char *name, bool folder,
        uint32_t attributes, const void *security, size_t security_len, struct sp_ntfs_handle **ret,
        struct sp_err *e);
    enum sp_code (*close)(void *self, struct sp_ntfs_handle *h, struct sp_err *e); /* always frees */

    /* --- looking */
    enum sp_code (*info)(void *self, struct sp_ntfs_handle *h, struct sp_ntfs_info *ret, struct sp_err *e);
    enum sp_code (*volume)(
        void *self, struct sp_ntfs_handle *h, struct sp_ntfs_volume *ret, struct sp_err *e);
    /* All names but . and .., in the file system's order, from the first at every call. A listing that breaks
     * off is an error. */
    enum sp_code (*list)(void *self, struct sp_ntfs_handle *dir, sp_ntfs_each_name each, void *arg,
        struct sp_err *e);
    /* The listing's one line for a name: how its letters really are, and the long name where `name` is its
     * short one. `dir` as for list. */
    enum sp_code (*find)(void *self, struct sp_ntfs_handle *dir, const char *name, sp_ntfs_each_name each,
        void *arg, struct sp_err *e);
    /* Alternate data streams ($DATA only, not the unnamed one), names without colons and type. `each` sees
     * the names as they were when the call began. */
    enum sp_code (*streams)(void *self, struct sp_ntfs_handle *h, sp_ntfs_each_stream each, void *arg,
        struct sp_err *e);
    /* Self-relative SECURITY_DESCRIPTOR with owner, group, DACL, and SACL where NTFS_MAY_SECURITY. */
    enum sp_code (*security)(void *self, struct sp_ntfs_handle *h, struct sp_buf *ret, struct sp_err *e);
    /* FILE_FULL_EA_INFORMATION list; empty when there are none. */
    enum sp_code (*eas)(void *self, struct sp_ntfs_handle *h, struct sp_buf *ret, struct sp_err *e);
    enum sp_code (*case_sensitive)(void *self, struct sp_ntfs_handle *dir, bool *ret, struct sp_err *e);
    /* DeviceIoControl with its own structures, little-endian (FSCTL_GET_REPARSE_POINT,
     * FSCTL_QUERY_ALLOCATED_RANGES, FSCTL_GET_OBJECT_ID, FSCTL_SET_…, USN). More output than `room`:
     * *ret_more, and what fitted. learn.microsoft.com/en-us/windows-hardware/drivers/ifs/ */
    enum sp_code (*control)(void *self, struct sp_ntfs_handle *h, uint32_t code, const void *in,
        size_t in_len, size_t room, struct sp_buf *ret, bool *ret_more, struct sp_err *e);

    /* --- content */
    /* Fewer than n only at the end. */
    enum sp_code (*read)(void *self, struct sp_ntfs_handle *h, uint64_t offset, void *to, size_t n,
        size_t *ret_n, struct sp_err *e);
    enum sp_code (*write)(void *self, struct sp_ntfs_handle *h, uint64_t offset, const void *p, size_t n,
        struct sp_err *e);
    enum sp_code (*resize)(void *self, struct sp_ntfs_handle *h, uint64_t size, struct sp_err *e);
    enum sp_code (*flush)(void *self, struct sp_ntfs_handle *h, struct sp_err *e);
    /* EFS: ReadEncryptedFileRaw, WriteEncryptedFileRaw: learn.microsoft.com/en-us/windows/win32/fileio/
     * backup-and-restore-of-encrypted-files. The import makes the file. */
    enum sp_code (*efs_export)(void *self, struct sp_ntfs_handle *dir, const char *name, sp_ntfs_take take,
        void *arg, struct sp_err *e);
    enum sp_code (*efs_import)(void *self, struct sp_ntfs_handle *dir, const char *name, bool folder,
        sp_ntfs_give give, void *arg, struct sp_err *e);

    /* --- changing */
    /* FILE_BASIC_INFORMATION; times and attributes of 0 stay, attributes of NTFS_NORMAL clears all that can
     * be cleared. Only R, H, S, A, T, OFFLINE, NOT_INDEXED, PINNED, UNPINNED can be set here, all other bits
     * of `to` are ignored. A time set holds for this handle (MS-FSA UserSetModificationTime and its kin: its
     * own later writes do not touch it), and until the next change through another: link, set_short_name,
     * or opening anew and changing security, EAs, streams, reparse data. So times come last. */
    enum sp_code (*set_basic)(void *self, struct sp_ntfs_handle *h, const struct sp_ntfs_info *to,
        struct sp_err *e);
    /* What of the descriptor: owner and group, DACL with its control bits (protected, auto-inherited),
     * SACL. Inherited ACEs come exactly as they are in it, and nothing is passed on to what is in a folder. An
     * owner other than the user (ERROR_INVALID_OWNER) needs NTFS_MAY_RESTORE, a SACL NTFS_MAY_SECURITY. */
    enum sp_code (*set_security)(void *self, struct sp_ntfs_handle *h, const void *p, size_t n, bool owner,
        bool dacl, bool sacl, struct sp_err *e);
    /* Merges a FILE_FULL_EA_INFORMATION list into what it has; an empty value removes that one. Names become
     * upper case. SP_UNSUPPORTED where it has a reparse point: one or the other. */
    enum sp_code (*set_eas)(void *self, struct sp_ntfs_handle *h, const void *p, size_t n, struct sp_err *e);
    /* "": none. SP_EXISTS: another's, in the same folder. Needs NTFS_MAY_RESTORE (SP_DENIED). */
    enum sp_code (*set_short_name)(
        void *self, struct sp_ntfs_handle *h, const char *name, struct sp_err *e);
    /* On a folder that is not empty: refused (SP_EXISTS, ERROR_DIR_NOT_EMPTY) unless the names of this one
     * differ in more than case. */
    enum sp_code (*set_case_sensitive)(
        void *self, struct sp_ntfs_handle *dir, bool on, struct sp_err *e);
    /* Gives the open object (NTFS_CHANGE, NTFS_WRITE) the name in `dir` (same volume; opened for anything).
     * replace: a file that has it goes, read-only or not; never a folder (SP_DENIED); else SP_EXISTS. A name
     * that differs in case only is its own name and no clash. A short name that belongs to another counts
     * like its name: `find` first. A folder in which something is open: SP_DENIED. */
    enum sp_code (*rename)(void *self, struct sp_ntfs_handle *h, struct sp_ntfs_handle *dir,
        const char *name, bool replace, struct sp_err *e);
    /* One more name. SP_UNSUPPORTED: other volume, too many links (1024), no such thing. */
    enum sp_code (*link)(void *self, struct sp_ntfs_handle *h, struct sp_ntfs_handle *dir,
        const char *name, bool replace, struct sp_err *e);
    /* This name of it; read-only or not. SP_EXISTS: a folder that is not empty (ERROR_DIR_NOT_EMPTY). The name
     * is free at once with NTFS_FS_POSIX_UNLINK, else when the last handle is closed. The handle can only
     * be closed afterwards. */
    enum sp_code (*remove)(void *self, struct sp_ntfs_handle *h, struct sp_err *e);
};

extern const struct sp_ntfs sp_ntfs_system; /* ntfs_win32.c */

/* Control codes and reparse tags: winioctl.h, ntifs.h, learn.microsoft.com/en-us/openspecs/
 * windows_protocols/ms-fscc/c8e77b37-3909-4fe6-a4ea-2b9d423b1ee4 */
#define FSCTL_SP_GET_REPARSE UINT32_C(0x000900A8)
#define FSCTL_SP_SET_REPARSE UINT32_C(0x000900A4)
#define FSCTL_SP_DELETE_REPARSE UINT32_C(0x000900AC)
#define FSCTL_SP_GET_OBJECT_ID UINT32_C(0x0009009C)
#define FSCTL_SP_SET_OBJECT_ID UINT32_C(0x00090098)
#define FSCTL_SP_SET_SPARSE UINT32_C(0x000900C4)
#define FSCTL_SP_SET_ZERO_DATA UINT32_C(0x000980C8)
#define FSCTL_SP_QUERY_ALLOCATED_RANGES UINT32_C(0x000940CF)
#define FSCTL_SP_GET_COMPRESSION UINT32_C(0x0009003C)
#define FSCTL_SP_SET_COMPRESSION UINT32_C(0x0009C040)
#define FSCTL_SP_QUERY_USN_JOURNAL UINT32_C(0x000900F4)
#define FSCTL_SP_READ_USN_JOURNAL UINT32_C(0x000900BB)
#define FSCTL_SP_READ_FILE_USN_DATA UINT32_C(0x000900EB)

/* Stands for another name: learn.microsoft.com/en-us/windows/win32/fileio/reparse-point-tags */
#define NTFS_TAG_IS_SURROGATE(t) (((t) & UINT32_C(0x20000000)) != 0)
#define NTFS_TAG_MOUNT_POINT UINT32_C(0xA0000003)
#define NTFS_TAG_SYMLINK UINT32_C(0xA000000C)
#define NTFS_TAG_DEDUP UINT32_C(0x80000013)
#define NTFS_TAG_WOF UINT32_C(0x80000017) /* system compression: reads as plain content */
#define NTFS_TAG_APPEXECLINK UINT32_C(0x8000001B)
#define NTFS_TAG_LX_SYMLINK UINT32_C(0xA000001D)
#define NTFS_TAG_LX_FIFO UINT32_C(0x80000024)
#define NTFS_TAG_LX_CHR UINT32_C(0x80000025)
#define NTFS_TAG_LX_BLK UINT32_C(0x80000026)
#define NTFS_TAG_AF_UNIX UINT32_C(0x80000023)
#define NTFS_TAG_HSM UINT32_C(0xC0000004)
#define NTFS_TAG_HSM2 UINT32_C(0x80000006)
#define NTFS_TAG_IS_CLOUD(t) (((t) & UINT32_C(0xFFFF0FFF)) == UINT32_C(0x9000001A))

#endif
