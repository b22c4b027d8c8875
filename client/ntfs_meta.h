#ifndef SP_CLIENT_NTFS_META_H
#define SP_CLIENT_NTFS_META_H

/* How an entry of the catalog holds what NTFS knows of an object (docs/format.md §10 "Windows"): the
 * flag SP_ENTRY_WINDOWS, the times btime, atime, mtime, ctime, file id, links, and attributes with these
 * names, whose values are the system's own structures, byte for byte, so that what we do not understand
 * is kept too. Used by the Windows source and target and, on Linux, by what reads and writes NTFS through
 * ntfs-3g (ntfs3g_linux.c). Plain bytes in, plain bytes out; no I/O. */

#include "base/buf.h"
#include "storage/entry.h"

#define WINDOWS_ATTRIBUTES "windows.attributes"         /* FILE_ATTRIBUTE_*, u32le; always there */
#define WINDOWS_CASE "windows.case-sensitive"           /* of a folder: u8 1 */
#define WINDOWS_EA "windows.ea"                         /* FILE_FULL_EA_INFORMATION list */
#define WINDOWS_OBJECT_ID "windows.object-id"           /* FILE_OBJECTID_BUFFER, 64 bytes */
#define WINDOWS_REPARSE "windows.reparse"               /* REPARSE_DATA_BUFFER */
#define WINDOWS_SECURITY "windows.security"             /* self-relative SECURITY_DESCRIPTOR */
#define WINDOWS_SHORT_NAME "windows.short-name"         /* WTF-8 */
#define WINDOWS_STREAM "windows.stream."                /* + name: an alternate stream of at most 64 KiB */
#define WINDOWS_STREAMS "windows.streams"               /* the longer ones, which follow a file's content */
#define WINDOWS_STREAM_MAX ((size_t)64 << 10)

/* How the types map. A symbolic link, a junction and a WSL link are SP_ENTRY_LINK, their target as a
 * path of this house ('/'), their reparse data beside it; a folder that mounts a volume is SP_ENTRY_DIR
 * with reparse data. A file with any other reparse tag is a file: read as the system gives it when its
 * content is there (deduplicated, system-compressed, …: the tag is not put back, since what it points at
 * is not in the set), and SP_ENTRY_AWAY when it is not (cloud placeholders, HSM: recorded, never
 * recalled; its `size` bytes are one hole).
 * A file that EFS encrypted has SP_ENTRY_AWAY too, and its raw export as the one extra part. */

/* What follows a file's `size` bytes in its content (`extra` bytes in all): parts in order. */
enum sp_ntfs_part_kind { NTFS_PART_STREAM = 1, NTFS_PART_EFS = 2 };
struct sp_ntfs_part {
    enum sp_ntfs_part_kind kind;
    const char *name; /* of the stream; "" for EFS */
    uint64_t size;
};
/* The value of WINDOWS_STREAMS: per part u8 kind, u32le length of the name, name, u64le size. */
enum sp_code sp_ntfs_parts_encode(
    const struct sp_ntfs_part *parts, size_t n, struct sp_buf *ret, struct sp_err *e);
/* SP_CORRUPT: malformed, a name that is none or comes twice, or their sum is not `extra`. *ret in one
 * allocation, names included; *ret NULL when there are none. */
enum sp_code sp_ntfs_parts_decode(const void *p, size_t n, uint64_t extra, struct sp_ntfs_part **ret,
    size_t *ret_n, struct sp_err *e);
/* A stream's name as the system allows it: no NUL / \ :, at most 255 UTF-16 units, not empty. */
bool sp_ntfs_stream_name_ok(const char *name, size_t n);

const struct sp_attribute *sp_ntfs_find(const struct sp_entry *en, const char *name); /* NULL: none */
uint32_t sp_ntfs_attributes_of(const struct sp_entry *en); /* 0: none, or not an inline u32 */

/* 100 ns since 1601 ↔ ns since 1970. Ticks outside what int64 ns can say (before 1677, after 2262)
 * become the nearest; 0 ticks (not known) is 0. Going back, 0 ns is 0 ticks. */
int64_t sp_ntfs_ns(int64_t ticks);
int64_t sp_ntfs_ticks(int64_t ns);

/* A REPARSE_DATA_BUFFER is well-formed as a whole: length, tag, and for symlinks and mount points the
 * names inside (MS-FSCC 2.1.2). */
bool sp_ntfs_reparse_ok(const void *p, size_t n);
uint32_t sp_ntfs_reparse_tag(const void *p, size_t n); /* 0: too short */
/* Where a symlink, junction or LX symlink leads, with '/'; *ret_volume: it mounts a volume
 * ("\??\Volume{…}\"). SP_UNSUPPORTED: another tag; SP_CORRUPT. */
enum sp_code sp_ntfs_reparse_target(const void *p, size_t n, struct sp_buf *ret, bool *ret_relative,
    bool *ret_volume, struct sp_err *e);
/* A symlink's buffer for a target as SP_ENTRY_LINK has it (made on Linux, or without reparse data):
 * '/' becomes '\'; an absolute "C:/…" gets "\??\". */
enum sp_code sp_ntfs_reparse_make(const void *target, size_t n, struct sp_buf *ret, struct sp_err *e);

/* A self-relative descriptor whose offsets, SIDs and ACLs lie inside it (MS-DTYP 2.4.6). */
bool sp_ntfs_security_ok(const void *p, size_t n);

/* A chain of FILE_FULL_EA_INFORMATION inside the buffer, as NtQueryEaFile gives it: the last has no
 * next (MS-FSCC 2.4.16). Not empty. */
bool sp_ntfs_ea_ok(const void *p, size_t n);

/* What an entry without SP_ENTRY_WINDOWS is to Linux, and what one with it is: permission bits that
 * Linux shows for it: 0755 for folders, 0644, 0444 with READONLY. */
uint32_t sp_ntfs_mode(const struct sp_entry *en);

#endif
