#ifndef SP_CLIENT_DIR_H
#define SP_CLIENT_DIR_H

/* Handles of source folders: counted, any number of them, over a bounded number of open ones.
 *
 * A handle knows the folder above it, its name there, and which folder it was when it was opened
 * (file system and file id). What is open of it is closed when others are needed more, and comes
 * back by walking down again from the nearest folder above that is still open, one name at a time,
 * no link followed, each step held against file system and file id: SP_CHANGED when another folder
 * has taken the place, never a wrong one. The top of a chain is an anchor (the root of a volume or
 * a shadow), known by its path. So neither the depth of a tree nor the items that wait in queues
 * cost descriptors, and no path is ever long.
 *
 * Any thread. The pool lives until the source and the last handle let go of it. What the platforms
 * give to it: dir_os.h. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/os.h"

struct sp_ntfs_handle;
struct sp_source_host;

union sp_dir_at { /* an open folder, as the platform has it */
    int fd;
    struct sp_ntfs_handle *ntfs;
};

struct sp_dirs; /* the pool, counted */
/* `host`: what the platform wants beside it (dir_os.h); the pool's own from here on in every case.
 * NULL: nothing is asked but folders. */
enum sp_code
sp_dirs_new(size_t most_open, struct sp_source_host *host, struct sp_dirs **ret, struct sp_err *e);
void sp_dirs_release(struct sp_dirs *p); /* NULL is harmless */
/* Folders that are open now: at most most_open, and one more for each sp_dir_use that has not
 * ended. */
size_t sp_dirs_open_count(struct sp_dirs *p);
struct sp_source_host *sp_dirs_host(struct sp_dirs *p);

struct sp_dir_kind { /* what is read below an anchor; inherited */
    bool shadow;
    bool live;          /* read at the path that the keys say */
    int64_t instant_ns; /* entries with times not older than this by 2 s are read again next time */
};
struct sp_dir_known { /* which folder it is */
    uint64_t device, file_id;
    uint32_t traits; /* of its file system: Windows, NTFS_FS_*; inherited */
};

struct sp_source_dir;
/* By a path of ours (links in it are followed). SP_CHANGED: it is there but no folder. Not in use.
 */
enum sp_code sp_dir_anchor(struct sp_dirs *p, const char *path, const struct sp_dir_kind *kind,
    struct sp_source_dir **ret, struct sp_err *e);
/* The folder `name` in `up`, listable, or else just searchable when `search` allows it; already in
 * use: one sp_dir_unuse ends that. SP_CHANGED: it is no folder, or not the one that `seen` (may be
 * NULL) says; SP_ABSENT: nothing there. A fault of domain SELF is our own (descriptors, memory),
 * else the source's. */
enum sp_code
sp_dir_open(struct sp_source_dir *up, const char *name, const struct sp_dir_known *seen,
    bool search, struct sp_source_dir **ret, union sp_dir_at *ret_at, struct sp_err *e);
struct sp_source_dir *sp_dir_hold(struct sp_source_dir *d);
void sp_dir_release(struct sp_source_dir *d); /* NULL is harmless; not while it is in use */

/* The open folder, good for opening and asking by names in it until sp_dir_unuse, from any number
 * of threads; opened again when it was closed. SP_ABSENT: the folder went away; SP_CHANGED: another
 * one is there. */
enum sp_code sp_dir_use(struct sp_source_dir *d, union sp_dir_at *ret, struct sp_err *e);
void sp_dir_unuse(struct sp_source_dir *d);

const struct sp_dir_kind *sp_dir_kind(const struct sp_source_dir *d);
const struct sp_dir_known *sp_dir_known(const struct sp_source_dir *d);
struct sp_dirs *sp_dir_pool(const struct sp_source_dir *d);

#endif
