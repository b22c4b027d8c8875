#ifndef SP_TESTS_NTFS_DOUBLE_H
#define SP_TESTS_NTFS_DOUBLE_H

/* NTFS (and what else a drive of Windows can be) in memory: the table of client/ntfs.h over a tree
 * that behaves as Microsoft documents; each behaviour names its page where it is made (double_*.c).
 * MS-FSA is learn.microsoft.com/en-us/openspecs/windows_protocols/ms-fsa, the file system as an
 * algorithm.
 *
 * Paths here are "C:/x/y", relative to a volume that was made before. What builds or changes the
 * tree from outside (everything below but the table) needs no privileges, counts no calls, meets no
 * injected fault, and ends the program with a sentence when it cannot do what a test says. Any
 * thread. */

#include "base/buf.h"
#include "client/ntfs.h"

struct ntfs_double;

struct ntfs_double *ntfs_double_new(void);    /* no volume, every privilege, keys of EFS present */
void ntfs_double_free(struct ntfs_double *d); /* NULL is harmless */
const struct sp_ntfs *ntfs_double_table(struct ntfs_double *d);
/* What sp_ntfs_here (client/ntfs_here.h) gives from now on. */
void ntfs_double_set_here(struct ntfs_double *d);

/* --- volumes
 * -------------------------------------------------------------------------------------- */

enum ntfs_double_kind {
    NTFS_DOUBLE_NTFS,
    NTFS_DOUBLE_REFS, /* no short names, EAs, object ids, EFS, compression; hard links since 2022 */
    NTFS_DOUBLE_FAT32, /* no ACLs, links, streams, reparse points; 2 s times; files below 4 GiB */
    NTFS_DOUBLE_EXFAT, /* the same with 10 ms times and large files */
    NTFS_DOUBLE_SMB    /* NTFS behind a share: no short names set, object ids, EFS raw, USN */
};
/* `path` as open_path takes it, with the slash at its end: "C:/", "//server/share/",
 * "//?/Volume{…}/". Flags and file system are those of the kind. */
void ntfs_double_volume(struct ntfs_double *d, const char *path, enum ntfs_double_kind kind);
/* The same volume by another path ("C:/mnt/", "//?/Volume{…}/"). */
void ntfs_double_alias(struct ntfs_double *d, const char *path, const char *alias);
/* A copy of a volume as it is now, read-only: a shadow. */
void ntfs_double_shadow(struct ntfs_double *d, const char *path, const char *as);
void ntfs_double_flags(struct ntfs_double *d, const char *path, uint32_t flags); /* NTFS_FS_* */
void
ntfs_double_capacity(struct ntfs_double *d, const char *path, uint64_t bytes); /* then SP_FULL */
void ntfs_double_short_names(
    struct ntfs_double *d, const char *path, bool made); /* by itself; NTFS: yes */
uint64_t ntfs_double_used(struct ntfs_double *d, const char *path);

/* --- the process and its time
 * --------------------------------------------------------------------- */

void ntfs_double_privileges(struct ntfs_double *d, unsigned may); /* NTFS_MAY_* */
void ntfs_double_key(struct ntfs_double *d, bool present); /* content of EFS files can be read */
/* Ticks. Every call of the table takes a millisecond. It begins at 2024-01-01. */
void ntfs_double_set_now(struct ntfs_double *d, int64_t ticks);
int64_t ntfs_double_now(struct ntfs_double *d);
#define NTFS_DOUBLE_SECOND INT64_C(10000000)

/* --- building; folders above that are missing are made
 * ---------------------------------------------- */

void ntfs_double_folder(struct ntfs_double *d, const char *path);
/* A new file, or the whole new content of one that exists. */
void ntfs_double_file(struct ntfs_double *d, const char *path, const void *p, size_t n);
void ntfs_double_text(struct ntfs_double *d, const char *path, const char *text);
void ntfs_double_write(
    struct ntfs_double *d, const char *path, uint64_t offset, const void *p, size_t n);
/* A sparse file of `size` with data in the `n` ranges (offset, length); the bytes are (offset >> 9)
 * + 1. */
struct ntfs_double_range {
    uint64_t offset, length;
};
void ntfs_double_sparse(struct ntfs_double *d, const char *path, uint64_t size,
    const struct ntfs_double_range *ranges, size_t n);
void ntfs_double_stream(
    struct ntfs_double *d, const char *path, const char *stream, const void *p, size_t n);
/* Sets these and clears the others of R, H, S, A, T, OFFLINE, NOT_INDEXED, PINNED, UNPINNED. */
void ntfs_double_attributes(struct ntfs_double *d, const char *path, uint32_t attributes);
/* 0: stays. */
void ntfs_double_times(
    struct ntfs_double *d, const char *path, int64_t b, int64_t a, int64_t m, int64_t c);
/* SDDL, its common part: O: G: D: S:, flags P AI AR, ACEs of types A D AU with flags OI CI IO NP ID
 * SA FA, rights FA FR FW FX or hex, SIDs S-1-… or SY BA BU WD CO LA. Parts not said stay as they
 * are. learn.microsoft.com/en-us/windows/win32/secauthz/security-descriptor-string-format */
void ntfs_double_security(struct ntfs_double *d, const char *path, const char *sddl);
/* The descriptor's bytes, for tests that hand one to the table. */
void ntfs_double_sddl(const char *sddl, struct sp_buf *ret);
void ntfs_double_ea(struct ntfs_double *d, const char *path, const char *name, const void *p,
    size_t n, uint8_t flags);
/* A whole REPARSE_DATA_BUFFER on what exists. */
void ntfs_double_reparse(struct ntfs_double *d, const char *path, const void *p, size_t n);
/* `target` with backslashes, as it is in the buffer: "..\\x", "\\??\\C:\\x". */
void ntfs_double_symlink(
    struct ntfs_double *d, const char *path, const char *target, bool folder, bool relative);
void ntfs_double_junction(struct ntfs_double *d, const char *path, const char *target);
void ntfs_double_object_id(struct ntfs_double *d, const char *path, const uint8_t id[16]);
void ntfs_double_link(struct ntfs_double *d, const char *existing, const char *path);
void ntfs_double_compress(struct ntfs_double *d, const char *path);
void ntfs_double_encrypt(struct ntfs_double *d, const char *path); /* EFS */
void ntfs_double_short_name(struct ntfs_double *d, const char *path, const char *name);
void ntfs_double_case(struct ntfs_double *d, const char *path, bool sensitive);
/* A placeholder: `size` bytes that are elsewhere, with `tag` (NTFS_TAG_HSM, 0x9000001A, …) and
 * `attributes` (NTFS_OFFLINE, NTFS_RECALL_ON_DATA, …; RECALL_ON_OPEN is shown in listings only, and
 * any opening fetches). Whoever reads it has it fetched: ntfs_double_recalls counts. */
void ntfs_double_placeholder(
    struct ntfs_double *d, const char *path, uint64_t size, uint32_t attributes, uint32_t tag);
uint64_t ntfs_double_recalls(struct ntfs_double *d);
/* Gives a file with content the tag of a filter (NTFS_TAG_DEDUP): reads as before, nothing is
 * allocated. */
void ntfs_double_filtered(struct ntfs_double *d, const char *path, uint32_t tag);

void
ntfs_double_rename(struct ntfs_double *d, const char *from, const char *to); /* replaces a file */
void ntfs_double_remove(struct ntfs_double *d, const char *path); /* with all that is in it */
bool ntfs_double_exists(struct ntfs_double *d, const char *path);
void ntfs_double_info(struct ntfs_double *d, const char *path, struct sp_ntfs_info *ret);
/* The unnamed content ("" for stream) or another stream's; false: none. */
bool
ntfs_double_read(struct ntfs_double *d, const char *path, const char *stream, struct sp_buf *ret);

/* --- faults
 * --------------------------------------------------------------------------------------- */

/* The next n openings of it (by any name) find a sharing violation: SP_BUSY. */
void ntfs_double_busy(struct ntfs_double *d, const char *path, unsigned n);
/* Its ACL gives the process nothing but attributes, unless it has NTFS_MAY_BACKUP (to look, read
 * and list) or NTFS_MAY_RESTORE (to change and write). `always`: not even then (another's EFS key,
 * a filter driver). */
enum ntfs_double_deny { NTFS_DOUBLE_ALLOW, NTFS_DOUBLE_DENY, NTFS_DOUBLE_DENY_ALWAYS };
void ntfs_double_deny(struct ntfs_double *d, const char *path, enum ntfs_double_deny deny);
/* The n-th call from now on fails with `code` (1: the next), and does nothing. A close that fails
 * closes. */
void ntfs_double_fail(struct ntfs_double *d, uint64_t nth, enum sp_code code);
uint64_t ntfs_double_calls(struct ntfs_double *d);   /* of the table, so far */
uint64_t ntfs_double_handles(struct ntfs_double *d); /* open now: 0 at the end of a test */
/* Called before every call of the table, outside the lock, by its name ("open_at", "read", …) and
 * the path of the object or, when opening, of the name asked for; may change the tree by the
 * functions above. */
typedef void (*ntfs_double_hook_fn)(
    void *arg, struct ntfs_double *d, uint64_t nth, const char *call, const char *path);
void ntfs_double_hook(struct ntfs_double *d, ntfs_double_hook_fn fn, void *arg); /* NULL: none */

/* --- the USN journal: off until made
 * ---------------------------------------------------------------- */

void ntfs_double_journal(
    struct ntfs_double *d, const char *path, uint64_t id); /* new, or anew with this id */
void ntfs_double_journal_off(struct ntfs_double *d, const char *path); /* deleted */
void ntfs_double_journal_trim(
    struct ntfs_double *d, const char *path, uint64_t first); /* older ones are gone */
/* It lies: what changes while it is mute leaves no record. */
void ntfs_double_journal_mute(struct ntfs_double *d, const char *path, bool mute);
uint64_t ntfs_double_journal_next(struct ntfs_double *d, const char *path);

/* --- comparing two trees
 * ---------------------------------------------------------------------------- */

enum { /* what two trees may differ in */
    NTFS_SAME_BTIME = 1,
    NTFS_SAME_ATIME = 2,
    NTFS_SAME_MTIME = 4,
    NTFS_SAME_CTIME = 8,
    NTFS_SAME_SECURITY = 0x10,
    NTFS_SAME_SHORT_NAMES = 0x20,
    NTFS_SAME_RANGES = 0x40,
    NTFS_SAME_COMPRESSION = 0x80,
    NTFS_SAME_OBJECT_IDS = 0x100,
    NTFS_SAME_EFS = 0x200,
    NTFS_SAME_EAS = 0x400,
    NTFS_SAME_STREAMS = 0x800,
    NTFS_SAME_REPARSE = 0x1000,
    NTFS_SAME_LINKS = 0x2000,
    NTFS_SAME_CASE = 0x4000,
    NTFS_SAME_ATTRIBUTES = 0x8000,
    NTFS_SAME_CONTENT = 0x10000,
    NTFS_SAME_ALL = 0x1FFFF
};
/* Everything below the two paths, and the two themselves; `what`: which features are compared,
 * names always. One line a difference in `report` ("x/y: mtime 5, not 4"); gives their number. */
size_t ntfs_double_compare(struct ntfs_double *a, const char *path_a, struct ntfs_double *b,
    const char *path_b, unsigned what, struct sp_buf *report);

#endif
