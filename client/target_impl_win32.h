#ifndef SP_CLIENT_TARGET_IMPL_WIN32_H
#define SP_CLIENT_TARGET_IMPL_WIN32_H

/* What the files of the Windows target share; see target.h. Nothing of Windows is used but the table of
 * ntfs.h, so tests/ntfs has all of it run on any system.
 *
 * The order in which things stick, of one file:
 *   1. made under a temporary name with a protected descriptor (owner, SYSTEM, Administrators), so that nobody
 *      else reads meanwhile; compression, integrity and sparse before the first byte
 *      (learn.microsoft.com/en-us/windows/win32/fileio/sparse-file-operations: what was written before is not
 *      given back)
 *   2. content; long streams and the raw form of EFS follow it by their offsets (target_parts_win32.c). EFS:
 *      the raw form waits in a file beside it and is imported when it is whole, since the import asks for it and
 *      not the other way round (…/win32/fileio/backup-and-restore-of-encrypted-files); it holds all streams
 *   3. short streams; then either extended attributes or reparse data, which exclude each other (MS-FSCC 2.1.2)
 *   4. the security descriptor, on the handle itself (NtSetSecurityObject): SetNamedSecurityInfo would compute
 *      the inherited ACEs anew from the folder above and pass them on to what is inside
 *   5. the real name. It is the whole file now with all its rights; what the name brings with it comes after:
 *   6. object id (the file that was replaced may have had the same), short name (a rename makes a new one)
 *   7. attributes, READONLY among them, and the four times, in one call (FILE_BASIC_INFORMATION): 5 and 6 and
 *      each step before change them.
 * Folders are made with 1 and, while they are empty, case sensitivity; 3 to 7 when all that is inside is done.
 * A further name changes what 7 set, so it is set again from what it was. */

#include "client/ntfs.h"
#include "client/ntfs_meta.h"
#include "client/target.h"
#include "client/target_handles.h"
#include "client/target_share.h"

#define TARGET_HANDLES 256 /* of folders kept open */

struct sp_target {
    const struct sp_env *env;
    const struct sp_ntfs *fs;
    unsigned may; /* NTFS_MAY_* */
    struct sp_target_dir *root;
    bool in_place, made, probe;
    struct target_handles handles;
    struct target_temp temp;
    struct target_notes notes;
};

struct sp_target_dir {
    struct target_node node; /* first */
    atomic_uint refs;
    struct sp_target *t;
    struct sp_target_dir *up; /* counted; NULL: the target itself */
    uint64_t volume, file_id;
    uint32_t flags;    /* of its volume: NTFS_FS_* */
    bool remote;       /* its volume */
    bool existed;      /* it was not made by this run */
    bool is_virtual;   /* in place: what holds the drives; it has no handle */
    bool from_path;    /* a drive or share in place: opened by path */
    bool stands_for;   /* a folder that stands for a drive or share */
    bool point;        /* a mount point: it leads elsewhere, and nothing is made in it */
    bool encrypted;    /* what is made in it is encrypted too */
    bool would_fold;   /* folders of its volume fold case unless they are told not to */
    bool folds;        /* and this one does */
    atomic_bool swept; /* what an earlier run left was removed */
    bool opened_up;    /* of one thread: `before` is how it was */
    struct sp_ntfs_info before;
    struct sp_ntfs_handle *h; /* while the node is open */
    char name[];              /* as it is opened below `up`, or by path */
};

enum target_kind { /* of what cannot be had here, for notes */
    TARGET_SECURITY,
    TARGET_OWNER,
    TARGET_AUDIT,
    TARGET_STREAMS,
    TARGET_EAS,
    TARGET_OBJECT_ID,
    TARGET_SHORT_NAME,
    TARGET_COMPRESSION,
    TARGET_SPARSE,
    TARGET_CASE,
    TARGET_REPARSE,
    TARGET_EFS_FOLDER,
    TARGET_EFS_PLAIN,
    TARGET_INTEGRITY,
    TARGET_FOREIGN,
    TARGET_FOREIGN_XATTR,
};
void target_unsupported(struct sp_target *t, enum target_kind kind);

/* An error of the table becomes one of the destination, with what was being done before it. */
enum sp_code target_fail(struct sp_err *e, const char *what);
/* Keeps the first. */
void target_flaw(struct sp_err *flaw, const struct sp_err *e);

/* --- target_dir_win32.c. The handle, for listing, good for all calls until unuse. SP_REFUSED: nothing may be
 * done by name in this one. */
enum sp_code target_dir_use(
    struct sp_target_dir *d, struct sp_ntfs_handle **ret, struct sp_err *e);
void target_dir_unuse(struct sp_target_dir *d);
enum sp_code target_dir_open_again( /* for target_handles */
    struct target_node *n, struct target_node *up, struct sp_err *e);
void target_dir_close(struct target_node *n);
struct sp_target_dir *target_dir_new(
    struct sp_target *t, struct sp_target_dir *up, const char *name);
/* What `h`, which it takes over in every case, is becomes that of `d`, and is kept open. */
enum sp_code target_dir_begin(
    struct sp_target_dir *d, struct sp_ntfs_handle *h, bool existed, struct sp_err *e);
/* One more handle of the same folder. */
enum sp_code target_dir_again(struct sp_target_dir *d, enum sp_ntfs_access access,
    struct sp_ntfs_handle **ret, struct sp_err *e);
/* A new folder under its name: an empty one of `en`, which may be NULL. */
enum sp_code target_dir_create(struct sp_target_dir *up, struct sp_ntfs_handle *in, const char *name,
    const struct sp_entry *en, struct sp_ntfs_handle **ret, struct sp_err *e);

/* --- target_root_win32.c */
enum sp_code target_root_enter(
    struct sp_target *t, const struct sp_target_options *o, struct sp_err *e);
bool target_probe_folding(struct sp_target *t, struct sp_ntfs_handle *dir);

/* --- target_name_win32.c */
enum sp_code target_name_check(const struct sp_target_dir *d, const char *name, struct sp_err *e);
/* The name in `d`, malloc'd, and whether it stands for a drive or share; in place its path. */
enum sp_code target_name_in(const struct sp_target_dir *d, const char *name, char **ret,
    bool *ret_stands_for, struct sp_err *e);

/* --- target_place_win32.c: names in a folder */
/* What has this very name: not what has it as its short one. SP_ABSENT: nothing. */
enum sp_code target_open_named(struct sp_target_dir *d, struct sp_ntfs_handle *dir, const char *name,
    enum sp_ntfs_what what, enum sp_ntfs_access access, struct sp_ntfs_handle **ret,
    struct sp_ntfs_info *ret_info, struct sp_err *e);
/* Takes the short name `name` from whatever in this new folder got it by itself. SP_ABSENT: nobody's. */
enum sp_code target_free_short(
    struct sp_target_dir *d, struct sp_ntfs_handle *dir, const char *name, struct sp_err *e);
enum sp_code target_place(struct sp_target_dir *d, struct sp_ntfs_handle *dir, struct sp_ntfs_handle *h,
    const char *name, bool replace, struct sp_err *e);
/* Another name of `h`; the same rules. */
enum sp_code target_place_link(struct sp_target_dir *d, struct sp_ntfs_handle *dir,
    struct sp_ntfs_handle *h, const char *name, bool replace, struct sp_err *e);
/* Removes what earlier runs left and did not change in the hour before `now`. */
void target_sweep(struct sp_target_dir *d, struct sp_ntfs_handle *dir, int64_t now);
/* Removes the object that `h` is, by whatever name it was opened, and closes. Failing is harmless. */
void target_discard(struct sp_target *t, struct sp_ntfs_handle *h);
/* Closes what was only looked at. */
void target_close(struct sp_target *t, struct sp_ntfs_handle *h);

/* --- target_stat_win32.c */
/* What an object is to the catalog. Reads its reparse data when it has a tag. */
enum sp_code target_type(struct sp_target *t, struct sp_ntfs_handle *h,
    const struct sp_ntfs_info *info, enum sp_entry_type *ret, struct sp_err *e);
enum sp_code target_stat(
    struct sp_target *t, struct sp_ntfs_handle *h, struct sp_target_stat *ret, struct sp_err *e);
/* REPARSE_DATA_BUFFER. */
enum sp_code target_reparse(
    struct sp_target *t, struct sp_ntfs_handle *h, struct sp_buf *ret, struct sp_err *e);
/* The tag says all there is to say: it is put back. What others need for it is not in the set. */
bool target_tag_is_whole(uint32_t tag);

/* --- target_make_win32.c: new objects under a temporary name */
struct target_new {
    struct sp_target_dir *dir; /* counted: where its temporary name is */
    struct sp_ntfs_handle *h;
    char temp[TARGET_TEMP_NAME];
};
/* `d` is where it will get its name. A file, or a folder (for links to folders). */
enum sp_code target_make(struct sp_target_dir *d, const struct sp_entry *en, bool folder,
    struct target_new *ret, struct sp_err *e);
void target_make_end(struct target_new *n, bool remove); /* closes */
/* Compression, sparseness and integrity as `en` has them, where it has not. */
void target_layout(struct sp_target_dir *d, struct sp_ntfs_handle *h, const struct sp_entry *en,
    struct sp_err *flaw);

/* --- target_parts_win32.c: what follows a file's own bytes */
struct target_parts;
enum sp_code target_parts_new(struct sp_target_dir *d, struct sp_ntfs_handle *h,
    const struct sp_entry *en, struct target_parts **ret, struct sp_err *e);
enum sp_code target_parts_write(
    struct target_parts *p, uint64_t at, const void *from, size_t n, struct sp_err *e);
/* Everything is written: with the whole entry. *ret_import: the raw form of EFS is here. */
enum sp_code target_parts_end(
    struct target_parts *p, const struct sp_entry *en, bool *ret_import, struct sp_err *e);
/* Makes the encrypted file under `temp` in `dir`. */
enum sp_code target_parts_import(struct target_parts *p, struct sp_ntfs_handle *dir, const char *temp,
    struct sp_err *e);
void target_parts_free(struct target_parts *p); /* NULL is harmless */

/* --- target_stream_win32.c: alternate streams of up to 64 KiB, extended attributes */
void target_streams_set(struct sp_target_dir *d, struct sp_ntfs_handle *h, const struct sp_entry *en,
    bool is_new, struct sp_err *flaw);
enum sp_code target_streams_differ(struct sp_target_dir *d, struct sp_ntfs_handle *h,
    const struct sp_entry *en, bool *ret, struct sp_err *e);
void target_eas_set(struct sp_target_dir *d, struct sp_ntfs_handle *h, const struct sp_entry *en,
    struct sp_err *flaw);
enum sp_code target_eas_differ(struct sp_target_dir *d, struct sp_ntfs_handle *h,
    const struct sp_entry *en, bool *ret, struct sp_err *e);

/* --- target_security_win32.c */
/* What a new object has until it is whole; NULL where it is to have its folder's rights. */
const void *target_private(const struct sp_target_dir *d, const struct sp_entry *en, size_t *ret_n);
void target_security_set(struct sp_target_dir *d, struct sp_ntfs_handle *h, const struct sp_entry *en,
    struct sp_err *flaw);
/* What target_security_set could change differs. */
enum sp_code target_security_differs(struct sp_target_dir *d, struct sp_ntfs_handle *h,
    const struct sp_entry *en, bool *ret, struct sp_err *e);

/* --- target_attr_win32.c: the steps 3, 6 and 7 above */
void target_dress(struct sp_target_dir *d, struct sp_ntfs_handle *h, const struct sp_entry *en,
    bool is_new, struct sp_err *flaw);
/* `in`: the folder that has its name, NULL for a volume's own. */
void target_finish(struct sp_target_dir *d, struct sp_target_dir *in, struct sp_ntfs_handle *h,
    const struct sp_entry *en, struct sp_err *flaw);
/* Attributes and times as `en` says, over those that are. */
struct sp_ntfs_info target_basic(const struct sp_entry *en, const struct sp_ntfs_info *now);
enum sp_code target_object_id_differs(struct sp_target_dir *d, struct sp_ntfs_handle *h,
    const struct sp_entry *en, bool *ret, struct sp_err *e);
void target_short_name_set(struct sp_target_dir *in, struct sp_ntfs_handle *h,
    const struct sp_entry *en, struct sp_err *flaw);
/* Of a link, or of a file or folder whose tag is all there is to it. */
void target_reparse_set(struct sp_target_dir *d, struct sp_ntfs_handle *h, const struct sp_entry *en,
    struct sp_err *flaw);

/* --- target_adjust_win32.c */
/* Copies what `from` has between holes. */
enum sp_code target_copy_content(struct sp_target *t, struct sp_ntfs_handle *from,
    struct sp_target_file *to, uint64_t size, struct sp_err *e);

#endif
