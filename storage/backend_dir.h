#ifndef SP_STORAGE_BACKEND_DIR_H
#define SP_STORAGE_BACKEND_DIR_H

/* What the files of the dir backend share; nobody else includes it. The backend touches the disk
 * only through the table of base/os.h, so that a test (or Windows) can stand below it.
 *
 *   backend_dir.c        opening, reading, removing, moving
 *   backend_dir_write.c  writers, and giving names
 *   backend_dir_flush.c  which folders got names, and the barrier
 *   backend_dir_list.c   listing
 *   backend_dir_probe.c  what the file system can do
 *   backend_dir_sweep.c  temporary files: their names, whose they are, sweeping; the folder's clock
 *
 * Writing lies in tmp/ under names of its run until it is flushed (R3); tmp/ is made when a repository
 * is opened and stays, and is so the witness of a mount: an unmounted mount point has none. */

#include <stdatomic.h>

#include "base/thread.h"
#include "storage/backend.h"
#include "storage/empty.h"

/* A refusal to flush that the probe met; the very same one is tolerated later, no other (§10 of the
 * design: never EIO or ESTALE). */
struct sp_dir_fault {
    bool seen;
    enum sp_code code;
    int os;
};

/* A folder that got names from this process. Records are only added, so pointers stay good. */
struct sp_dir_folder {
    char *path;               /* "packs/ab"; "" is the root */
    struct sp_dir_folder *up; /* NULL for the root */
    bool named;               /* got a name since the last sync */
    bool anchored;            /* its own name was flushed, or will be by the next sync */
    int64_t changed_ns;       /* its time of change when it was last listed */
    size_t listed;            /* what was found then; 0: it was not listed */
};

struct sp_dir {
    struct sp_backend head;
    struct sp_env env;
    char *root;
    struct sp_dir_fault file_flush, folder_flush;
    bool look_first; /* publish might replace: look whether the name is taken */
    int64_t old_ns; /* a folder that has not changed since then, by its own clock, is on the disk */

    atomic_uint_fast64_t temporaries; /* names of temporary files given so far */

    struct sp_mutex lock; /* guards the table of folders and the flags of its records */
    struct sp_dir_folder **folders;
    size_t nfolders, cap;

    struct sp_mutex sync_lock; /* one barrier at a time; also guards flush_lost */
    bool flush_lost;           /* a folder could not be flushed: no barrier holds any more */
};

/* root + "/" + name, malloc'd; the root itself for "". */
enum sp_code sp_dir_path(const struct sp_dir *d, const char *name, char **ret, struct sp_err *e);
/* An object's file: SP_ABSENT when there is none, or a folder in its place. */
enum sp_code
sp_dir_stat(struct sp_dir *d, const char *name, struct sp_os_stat *ret, struct sp_err *e);
/* SP_UNREACHABLE when the repository is no longer where it was, as when its share was unmounted. */
enum sp_code sp_dir_present(struct sp_dir *d, struct sp_err *e);
/* Says whose absence it was: SP_ABSENT of the object, or what sp_dir_present says. */
enum sp_code sp_dir_absent(struct sp_dir *d, const char *name, struct sp_err *e);
enum sp_code sp_dir_check_writable(const struct sp_dir *d, struct sp_err *e);

/* --- backend_dir_probe.c --------------------------------------------------------------------- */

/* Sets caps and the tolerated faults. */
enum sp_code sp_dir_probe(struct sp_dir *d, struct sp_err *e);

/* --- backend_dir_sweep.c --------------------------------------------------------------------- */

#define SP_DIR_PROBE "probe-" /* kinds of temporary files; "" is what is being written */
#define SP_DIR_NOW "now-"

/* A new path in tmp/: "<root>/tmp/<kind><run, 32 hex>-<n>". */
enum sp_code sp_dir_temporary(struct sp_dir *d, const char *kind, char **ret, struct sp_err *e);
enum sp_code
sp_dir_written(struct sp_backend *b, const char *name, int64_t *ret_ns, struct sp_err *e);
enum sp_code sp_dir_now(struct sp_backend *b, int64_t *ret_ns, struct sp_err *e);
enum sp_code
sp_dir_sweep(struct sp_backend *b, sp_backend_dead_fn dead, void *arg, struct sp_err *e);

/* --- backend_dir_flush.c --------------------------------------------------------------------- */

bool sp_dir_tolerated(const struct sp_dir_fault *f, enum sp_code rc, const struct sp_err *e);
/* The record of the folder that holds `name`. */
enum sp_code
sp_dir_folder_of(struct sp_dir *d, const char *name, struct sp_dir_folder **ret, struct sp_err *e);
/* `f` has got a name: the next sync flushes it, and the folders above it that may be new. */
void sp_dir_named(struct sp_dir *d, struct sp_dir_folder *f);
/* `folder` was listed, and `listed` bytes of names found: when it has changed of late, and since it
 * was listed before, the next sync flushes it. Is called behind the listing, so that no sync in
 * between takes that for done, and no name that was found is younger than the time of change. */
enum sp_code sp_dir_seen(struct sp_dir *d, const char *folder, size_t listed, struct sp_err *e);
enum sp_code sp_dir_sync(struct sp_backend *b, struct sp_err *e);
void sp_dir_folders_free(struct sp_dir *d);

/* --- backend_dir_write.c, backend_dir_list.c: the rest of the table -------------------------- */

/* Publishes path as path; tries again for a while when something holds the file. */
enum sp_code
sp_dir_rename(const struct sp_dir *d, const char *from, const char *to, struct sp_err *e);
/* Makes a new file in tmp/, and tmp/ when it was tidied away. */
enum sp_code sp_dir_create(
    struct sp_dir *d, const char *kind, char **ret_path, struct sp_file **ret, struct sp_err *e);
/* Gives the file at path `from` the object name `to`, making folders on the way. SP_ABSENT: there
 * is nothing at `from`. */
enum sp_code sp_dir_name(struct sp_dir *d, const char *from, const char *to, struct sp_err *e);
enum sp_code sp_dir_begin(struct sp_backend *b, struct sp_backend_writer **ret, struct sp_err *e);
enum sp_code sp_dir_write(struct sp_backend_writer *w, const void *p, size_t n, struct sp_err *e);
enum sp_code sp_dir_publish(struct sp_backend_writer *w, const char *name, struct sp_err *e);
void sp_dir_abort(struct sp_backend_writer *w);
enum sp_code sp_dir_list(
    struct sp_backend *b, const char *prefix, sp_backend_list_fn each, void *arg, struct sp_err *e);

#endif
