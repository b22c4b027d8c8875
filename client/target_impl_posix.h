#ifndef SP_CLIENT_TARGET_IMPL_POSIX_H
#define SP_CLIENT_TARGET_IMPL_POSIX_H

/* What the files of the POSIX target share; see target.h.
 *
 * Folders are held as O_PATH handles: a user may restore below folders that may be searched but not
 * read. Where a descriptor cannot act itself (O_PATH of a link or a device), its name in /proc/self/fd
 * does, which leads to that very object and nowhere else. */

#include <sys/stat.h>

#include "client/ntfs3g_parts_linux.h"
#include "client/target.h"
#include "client/target_handles.h"
#include "client/target_share.h"

#define TARGET_HANDLES 256 /* descriptors of folders kept open */

struct target_ids; /* names of users and groups to numbers */

struct sp_target {
    const struct sp_env *env;
    struct sp_target_dir *root; /* its descriptor stays open */
    bool made, folds, numeric_owner;
    uint32_t euid;
    gid_t *groups; /* that this process is in, when it is not root */
    size_t ngroups;
    struct target_ids *ids;

    struct target_handles handles;
    struct target_temp temp;
    struct target_notes notes;
};

struct sp_target_dir {
    struct target_node node; /* first */
    atomic_uint refs;
    struct sp_target *t;
    struct sp_target_dir *up; /* counted; NULL: the target itself */
    uint64_t device, inode;
    bool existed;       /* it was not made by this run */
    atomic_bool swept;  /* what an earlier run left was removed */
    bool opened_up;     /* of one thread: mode and mtime are those of before */
    bool loosened;      /* and mode was changed */
    uint32_t mode;
    struct timespec mtime;
    int fd; /* while the node is open */
    char name[];
};

/* The descriptor, good for *at calls until unuse. */
enum sp_code target_dir_use(struct sp_target_dir *d, int *ret_fd, struct sp_err *e);
void target_dir_unuse(struct sp_target_dir *d);

/* An object to set attributes of. */
struct target_handle {
    int fd;
    bool path; /* O_PATH: acts through `proc` */
    char proc[32];
    int dir;          /* where it is, and its name there, for NAME:STREAM of NTFS … */
    const char *name; /* … NULL: not known */
};
struct target_handle target_handle_of(int fd, bool path);
/* Gives it what `en` says. What could not be set is told by *flaw (cleared first) and goes on; with
 * SP_FULL, here and in all of them, the caller ends. */
void target_apply(struct sp_target *t, const struct target_handle *h, const struct sp_entry *en,
    struct sp_err *flaw);
/* Something that target_apply would set differs. */
enum sp_code target_differs(struct sp_target *t, const struct target_handle *h,
    const struct sp_entry *en, bool *ret, struct sp_err *e);

enum target_kind { /* of attributes, for notes */
    TARGET_OWNER,
    TARGET_SPECIAL_BITS,
    TARGET_MODE,
    TARGET_ACL,
    TARGET_USER,
    TARGET_TRUSTED,
    TARGET_SECURITY,
    TARGET_SYSTEM,
    TARGET_SIZE,
    TARGET_WINDOWS_SECURITY,
    TARGET_WINDOWS_STREAMS,
    TARGET_WINDOWS_LONG_STREAMS,
    TARGET_WINDOWS_ATTRIBUTES,
    TARGET_WINDOWS_EA,
    TARGET_WINDOWS_OBJECT_ID,
    TARGET_WINDOWS_SHORT_NAME,
    TARGET_WINDOWS_REPARSE,
    TARGET_WINDOWS_COMPRESSED,
    TARGET_WINDOWS_ENCRYPTED,
    TARGET_WINDOWS_CASE,
};
void target_unsupported(struct sp_target *t, enum target_kind kind);

/* target_xattr_posix.c. *ret_changed: something was set or removed. `mode`: the permission bits as they
 * are, for lending the owner's write bit where setting needs it. */
void target_xattrs_set(struct sp_target *t, const struct target_handle *h, const struct sp_entry *en,
    uint32_t mode, bool *ret_changed, struct sp_err *flaw);
enum sp_code target_xattrs_differ(const struct target_handle *h, const struct sp_entry *en, bool *ret,
    struct sp_err *e);

/* target_ntfs_posix.c: entries from NTFS. */
/* The object is on NTFS through ntfs-3g, and `en` (NULL: any) comes from NTFS. */
bool target_is_ntfs(const struct target_handle *h, const struct sp_entry *en, unsigned *ret_traits);
void target_ntfs_apply(struct sp_target *t, const struct target_handle *h, const struct sp_entry *en,
    unsigned traits, struct sp_err *flaw);
/* A new folder of it: what is made inside takes up some of what it says. */
void target_ntfs_prepare(struct sp_target_dir *d, const struct sp_entry *en);
/* What giving a name has taken back, of an object that has it now. */
void target_ntfs_seal(struct sp_target *t, int dir, const char *name, uint64_t inode,
    const struct sp_entry *en, struct sp_err *flaw);
/* True: *ret says whether it is the link of the entry. False: a link of another kind. */
bool target_ntfs_same_link(int fd, const struct sp_entry *en, bool *ret);
/* A link of Windows under a temporary name; *ret_made false with SP_OK: to be made otherwise. */
enum sp_code target_ntfs_make(struct sp_target *t, int dir, const char *temp, const struct sp_entry *en,
    struct sp_target_stat *ret, bool *ret_made, struct sp_err *flaw, struct sp_err *e);
void target_ntfs_unmake(int dir, const char *temp);
/* target_file_ntfs_posix.c: a file that is being written there. */
struct target_ntfs_file {
    unsigned traits; /* 0: it is not there, and none of the others is used */
    bool sparse;
    struct sp_ntfs3g_object object;
    struct sp_ntfs3g_parts *parts; /* its long streams, where they can be had */
};
/* SP_UNSUPPORTED: a file that is away, which cannot be made here. `temp` outlives it. */
enum sp_code target_ntfs_file_begin(struct target_ntfs_file *f, struct sp_target *t, int dir,
    const char *temp, const struct sp_entry *en, struct sp_err *e);
/* What lies behind the file's own bytes; `offset` from there. */
enum sp_code target_ntfs_file_write(struct target_ntfs_file *f, struct sp_target_dir *d, uint64_t offset,
    const void *p, size_t n, struct sp_err *e);
/* So many zeros at `p` stay a hole. */
size_t target_ntfs_file_hole(
    const struct target_ntfs_file *f, const uint8_t *p, size_t n, uint64_t offset);
/* Closes *fd and sets everything; `is`: what is open there. */
enum sp_code target_ntfs_file_finish(struct target_ntfs_file *f, struct sp_target_dir *d, int *fd,
    const struct sp_entry *en, const struct sp_target_stat *is, struct sp_err *flaw, struct sp_err *e);
/* What the entry is to a file system that is not NTFS; names what is lost (t not NULL). */
void target_windows_plain(struct sp_target *t, const struct sp_entry *en, const struct sp_entry *now,
    struct sp_entry *ret);

/* target_owner_posix.c: false when there is no such name here. */
enum sp_code target_ids_new(struct target_ids **ret, struct sp_err *e);
void target_ids_free(struct target_ids *ids);
bool target_ids_find(struct target_ids *ids, bool group, const char *name, uint32_t *ret);

enum sp_code target_name_check(const void *name, size_t n, struct sp_err *e);
/* target_name_posix.c: temporary names and how the real one is given.
 * Removes what earlier runs left in a folder that is about to be written to. */
void target_sweep(struct sp_target_dir *d, int fd);
enum sp_code target_place(int dir, const char *temp, const char *name, bool replace, struct sp_err *e);
void target_probe_folding(struct sp_target *t);

/* Fills a stat of the object behind `fd` (O_PATH or not). */
enum sp_code target_stat(int fd, const char *name, struct sp_target_stat *ret, struct sp_err *e);
struct timespec target_timespec(int64_t ns);

#endif
