#ifndef SP_STORAGE_BACKEND_H
#define SP_STORAGE_BACKEND_H

/* Where repository files live: dir, sftp, memory, behind one contract that
 * tests/unit/storage/conformance.c holds every backend to.
 *
 *  - Objects are named by 1–4 components [0-9a-z._-]{1,80} joined by '/', flat in meaning (no empty
 *    folders are seen) and immutable. Another name is refused with SP_INVALID.
 *  - A writer's object appears under its name all at once, whole, its bytes flushed before (R3), or not
 *    at all; never over an existing one (SP_EXISTS).
 *  - After sp_backend_sync returned SP_OK all objects published and moved before it survive a power cut,
 *    unless the store cannot flush; caps say so. So do those that were listed before it through the same
 *    backend, or found to exist (SP_EXISTS): another program may have been killed between naming them
 *    and its own barrier.
 *  - SP_ABSENT means that the store said so. An unreachable or unmounted store is SP_UNREACHABLE, all
 *    else SP_IO.
 *  - get gives exactly the bytes asked for; asking beyond the end is SP_CORRUPT ("shorter than expected").
 *  - Any thread may call; one writer belongs to one thread.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/os.h"

struct sp_backend;
struct sp_backend_writer;

struct sp_backend_caps { /* probed by doing (R20), §10 of the design */
    bool flush_file;     /* fsync of a file works */
    bool flush_folder;   /* fsync of a folder works, or the platform has no need of it */
    bool exclusive;      /* publish cannot replace an existing name, even in a race */
    bool writable;
    bool space;  /* sp_backend_space answers */
    bool remove; /* what was written can be removed again: not on an append-only account */
};

/* One read that may be under way while others are asked for: a link with a long round trip stays busy.
 * The fields stay as they are, and `name` and `to` alive, from start to finish. */
struct sp_backend_fetch {
    const char *name;
    uint64_t offset; /* of a part: n bytes from there to `to` */
    void *to;
    size_t n;
    bool whole;   /* the whole object instead, of at most `limit` bytes (SP_CORRUPT beyond) */
    size_t limit; /* … with whole */
    uint8_t *bytes; /* … filled by finish, malloc'd, n bytes of them */
    void *pending;  /* the backend's */
};

typedef enum sp_code (*sp_backend_list_fn)(void *arg, const char *name, uint64_t size,
    struct sp_err *e);

/* Of a temporary file: the run that wrote it, and when, by the store's clock. */
typedef bool (*sp_backend_dead_fn)(void *arg, const uint8_t run[16], int64_t written_ns);

struct sp_backend_ops {
    const char *kind; /* "dir", "memory", "sftp" */
    enum sp_code (*begin)(struct sp_backend *b, struct sp_backend_writer **ret, struct sp_err *e);
    enum sp_code (*write)(struct sp_backend_writer *w, const void *p, size_t n, struct sp_err *e);
    /* Flushes, closes, names. Releases w in every case. */
    enum sp_code (*publish)(struct sp_backend_writer *w, const char *name, struct sp_err *e);
    void (*abort)(struct sp_backend_writer *w);
    enum sp_code (*sync)(struct sp_backend *b, struct sp_err *e);
    enum sp_code (*get)(struct sp_backend *b, const char *name, uint64_t offset, void *to, size_t n,
        struct sp_err *e);
    enum sp_code (*size)(struct sp_backend *b, const char *name, uint64_t *ret, struct sp_err *e);
    enum sp_code (*list)(struct sp_backend *b, const char *prefix, sp_backend_list_fn each, void *arg,
        struct sp_err *e);
    enum sp_code (*remove)(struct sp_backend *b, const char *name, struct sp_err *e);
    enum sp_code (*move)(struct sp_backend *b, const char *from, const char *to, struct sp_err *e);
    enum sp_code (*space)(struct sp_backend *b, struct sp_os_space *ret, struct sp_err *e);
    /* When an object was written, by the store's own clock; naming and moving it change nothing. */
    enum sp_code (*written)(struct sp_backend *b, const char *name, int64_t *ret_ns, struct sp_err *e);
    /* The store's own clock now: the time of a file that is made for it. */
    enum sp_code (*now)(struct sp_backend *b, int64_t *ret_ns, struct sp_err *e);
    /* Temporary files: removes those that `dead` says so of. */
    enum sp_code (*sweep)(struct sp_backend *b, sp_backend_dead_fn dead, void *arg, struct sp_err *e);
    /* NULL: by the calls above, one after the other. */
    enum sp_code (*fetch_start)(struct sp_backend *b, struct sp_backend_fetch *f, struct sp_err *e);
    enum sp_code (*fetch_finish)(struct sp_backend *b, struct sp_backend_fetch *f, struct sp_err *e);
    enum sp_code (*list_all)(struct sp_backend *b, const char *const *prefixes, size_t n,
        sp_backend_list_fn each, void *arg, struct sp_err *e);
    /* Before the first writing: decides caps.writable. NULL: opening did. */
    enum sp_code (*may_write)(struct sp_backend *b, struct sp_err *e);
    void (*free)(struct sp_backend *b);
};

struct sp_backend { /* the head of every implementation's own structure */
    const struct sp_backend_ops *ops;
    struct sp_backend_caps caps;
    /* Of this opening, random: in the names of its temporary files and of its lease (storage/lease.h). */
    uint8_t run[16];
    /* Bytes of fetches that are worth having under way at once; 0: the store is near, finish does the work. */
    size_t ahead;
};

/* A folder. create: it must be absent or empty, and is made (SP_EXISTS otherwise). Without create:
 * SP_ABSENT when there is no repository.conf ("an unmounted share never looks like an empty
 * repository": the sentence says that the folder may be an unmounted mount point). Probes caps; a folder
 * that cannot be written opens with caps.writable = false. */
enum sp_code sp_backend_dir_open(const struct sp_env *env, const char *path, bool create,
    struct sp_backend **ret, struct sp_err *e);
enum sp_code sp_backend_memory_new(struct sp_backend **ret, struct sp_err *e);
void sp_backend_free(struct sp_backend *b); /* NULL is harmless */

/* Whoever is going to write asks this first: caps.writable says then whether it can (SP_OK in either case).
 * Who only reads does not ask, since finding out may take a file that nobody can remove (R12). */
enum sp_code sp_backend_may_write(struct sp_backend *b, struct sp_err *e);
/* The calls: check names, then ops. */
enum sp_code sp_backend_begin(struct sp_backend *b, struct sp_backend_writer **ret, struct sp_err *e);
enum sp_code sp_backend_write(struct sp_backend *b, struct sp_backend_writer *w, const void *p,
    size_t n, struct sp_err *e);
enum sp_code sp_backend_publish(struct sp_backend *b, struct sp_backend_writer *w, const char *name,
    struct sp_err *e); /* releases w in every case, also for a bad name */
void sp_backend_abort(struct sp_backend *b, struct sp_backend_writer *w); /* NULL is harmless */
/* begin, write, publish in one. */
enum sp_code sp_backend_put(struct sp_backend *b, const char *name, const void *p, size_t n,
    struct sp_err *e);
enum sp_code sp_backend_sync(struct sp_backend *b, struct sp_err *e);
enum sp_code sp_backend_get(struct sp_backend *b, const char *name, uint64_t offset, void *to,
    size_t n, struct sp_err *e);
/* A whole small object, at most `limit` bytes (SP_CORRUPT beyond); *ret malloc'd. */
enum sp_code sp_backend_get_all(struct sp_backend *b, const char *name, size_t limit, uint8_t **ret,
    size_t *ret_n, struct sp_err *e);
enum sp_code sp_backend_size(struct sp_backend *b, const char *name, uint64_t *ret, struct sp_err *e);
/* Every object below `prefix` ("packs", "sets/<host>", "" for all but tmp/), all depths, in no order. A
 * folder that is not there lists nothing. */
enum sp_code sp_backend_list(struct sp_backend *b, const char *prefix, sp_backend_list_fn each,
    void *arg, struct sp_err *e);
enum sp_code sp_backend_remove(struct sp_backend *b, const char *name, struct sp_err *e);
enum sp_code sp_backend_move(struct sp_backend *b, const char *from, const char *to,
    struct sp_err *e);
enum sp_code sp_backend_space(struct sp_backend *b, struct sp_os_space *ret, struct sp_err *e);
/* The reads of several callers and objects at once. After start succeeded finish must follow, once, from any
 * thread; it waits. A start that fails needs none. */
enum sp_code sp_backend_fetch_start(struct sp_backend *b, struct sp_backend_fetch *f, struct sp_err *e);
enum sp_code sp_backend_fetch_finish(struct sp_backend *b, struct sp_backend_fetch *f, struct sp_err *e);
/* What lies below any of the prefixes, in no order, as one question where the store can. */
enum sp_code sp_backend_list_all(struct sp_backend *b, const char *const *prefixes, size_t n,
    sp_backend_list_fn each, void *arg, struct sp_err *e);
enum sp_code sp_backend_written(struct sp_backend *b, const char *name, int64_t *ret_ns,
    struct sp_err *e);
enum sp_code sp_backend_now(struct sp_backend *b, int64_t *ret_ns, struct sp_err *e);
enum sp_code sp_backend_sweep(struct sp_backend *b, sp_backend_dead_fn dead, void *arg,
    struct sp_err *e);
bool sp_object_name_valid(const char *name);

#endif
