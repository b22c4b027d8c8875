#ifndef SP_CLIENT_TARGET_IMPL_POSIX_H
#define SP_CLIENT_TARGET_IMPL_POSIX_H

/* What the files of the POSIX target share; see target.h.
 *
 * Folders are held as O_PATH handles: a user may restore below folders that may be searched but not
 * read. Where a descriptor cannot act itself (O_PATH of a link or a device), its name in /proc/self/fd
 * does, which leads to that very object and nowhere else. */

#include <sys/stat.h>

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
};
void target_unsupported(struct sp_target *t, enum target_kind kind);

/* target_xattr_posix.c. *ret_changed: something was set or removed. `mode`: the permission bits as they
 * are, for lending the owner's write bit where setting needs it. */
void target_xattrs_set(struct sp_target *t, const struct target_handle *h, const struct sp_entry *en,
    uint32_t mode, bool *ret_changed, struct sp_err *flaw);
enum sp_code target_xattrs_differ(const struct target_handle *h, const struct sp_entry *en, bool *ret,
    struct sp_err *e);

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
