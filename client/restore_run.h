#ifndef SP_CLIENT_RESTORE_RUN_H
#define SP_CLIENT_RESTORE_RUN_H

/* Inside the restore pipeline: what its parts (restore.c, restore_*.c) share. See restore.h for the rules.
 *
 *   planner ──► window ──► fetcher: what exists already? get what is missing ──► writing ──► folders done
 *   (catalog)                         └── workers: read and hash, open blocks ──┘ workers: write, name
 *
 * Threads: the caller's plans; one fetches, window by window; a few work: they hash what exists, open
 * blocks, and write files. While window n is written, n + 1 is fetched and n + 2 planned; only the two
 * behind the planner hold content, so memory is bounded by their limits.
 *
 * A folder stays until everything inside is done: `pending` counts the planner while it is inside, its
 * files and its folders. Whoever takes the last one away gives it its attributes and goes on with the
 * folder above.
 *
 * Locks: restore->lock (windows, counters of tasks, first error), tell_lock (stats and callbacks), the carry's
 * and inside of it a window's (its chunks' data); no others are nested.
 */

#include <stdatomic.h>

#include "base/queue.h"
#include "base/runs.h"
#include "base/thread.h"
#include "client/nodes.h"
#include "client/restore.h"
#include "client/target.h"
#include "storage/chunklist.h"

#define WINDOW_BYTES (16u << 20)  /* of different content */
#define WINDOW_CONTENT (WINDOW_BYTES + (1u << 20))
#define WINDOW_PIECES 4096
#define WINDOW_PARTS 16384
#define WINDOW_ABREAST 4          /* large files planned side by side */
#define WINDOW_MEMORY (4u << 20)  /* of entries */
#define RESTORE_COPIES 8          /* of a block are tried */
#define RESTORE_TASKS (6u << 20)  /* bytes of sealed blocks that wait to be opened */
#define MAX_WORKERS 8

struct restore;
struct window;
struct worker;

/* --- folders (restore_folder.c) ---------------------------------------------------------------------- */

struct nameset;

struct folder {
    struct restore *r;
    struct folder *up; /* holds one of its `pending`; NULL: the root of the catalog */
    struct folder *below; /* while going down a chain */
    struct sp_target_dir *dir; /* counted; NULL: not made yet, refused, or in a dry run not there */
    struct sp_entry *entry;    /* key left out; NULL: nothing is known of it */
    struct sp_err *refused;    /* it could not be made, and so nothing below it */
    struct nameset *names;     /* restored in it, where names that differ in case only are one */
    atomic_size_t pending;
    size_t key_len;
    size_t depth;
    bool tried;   /* it was made or entered, or refused */
    bool taken;   /* asked for: not merely on the way to something */
    bool apply;   /* gets the entry's attributes */
    bool late;    /* entered again for hard links: gets back its time */
    size_t name_len;
    char name[];
};

enum sp_code folder_new(struct restore *r, struct folder *up, const void *name, size_t name_len,
    const struct sp_entry *en, struct folder **ret, struct sp_err *e);
/* Makes it and those above it. SP_OK also when it was refused: folder->refused. */
enum sp_code folder_make(struct folder *f, struct sp_err *e);
void folder_hold(struct folder *f);
void folder_release(struct folder *f);
/* Appends the folder's key in the catalog. */
void folder_key(const struct folder *f, struct sp_buf *ret);
/* The folder's path before what the target said. */
void folder_err_at(const struct folder *f, struct sp_err *e);
/* False: another name of this folder is the same on this target. */
enum sp_code folder_claim(struct folder *f, const char *name, size_t n, bool *ret, struct sp_err *e);
void nameset_free(struct nameset *s);

/* --- files and windows (restore_window.c) -------------------------------------------------------------- */

struct leader { /* the first of a hard-link group that was restored */
    struct sp_target_dir *dir; /* counted; NULL: none so far */
    char *name;
    struct sp_target_stat st;
    enum sp_entry_type type;
    struct sp_err *lost; /* its content is lost, and so that of all */
};

enum file_how {
    FILE_WRITE,   /* a new file */
    FILE_COMPARE, /* is the existing one equal? Then ADJUST, else WRITE */
    FILE_ADJUST,  /* the existing one is equal: attributes only */
};

struct file {
    atomic_uint refs; /* the planner and every piece */
    struct folder *folder;
    struct sp_entry *entry; /* without segments */
    const char *name;       /* ends in NUL */
    enum file_how how;
    bool replace;
    uint64_t old_size;
    struct sp_target_old *old;  /* existing file: what is equal in it is not fetched */
    struct leader *leader;      /* to be told; NULL */
    /* Of the thread that has its piece. */
    struct sp_target_file *out;
    uint64_t written; /* of the content dealt with, holes too */
    uint64_t end;     /* of what was written last of its own bytes */
    struct sp_err *failed;
    atomic_bool gone;    /* failed: what is left of it need not be fetched */
    atomic_bool differs; /* while comparing */
};

struct task {
    void (*run)(struct worker *w, struct task *t);
    struct window *window;
};

struct part { /* a range of a file */
    uint64_t offset, length;
    uint32_t chunk; /* PART_HOLE: none */
};
#define PART_HOLE UINT32_MAX

struct piece { /* parts of one file in this window, in order */
    struct task task;
    size_t run; /* pieces from here on that its task takes */
    struct file *file; /* counted */
    size_t first, n;   /* parts */
    bool last;
    bool probe; /* look at the existing file first */
    bool equal; /* the existing file has it all */
    struct sp_err *lost; /* its list of chunks ends here */
};

struct chunk {
    struct sp_id id;
    uint32_t room; /* the longest that was claimed; what is longer is not kept */
    bool wanted, taken;
    size_t at;     /* its place in the window's content */
    uint8_t *data; /* there, once it is; NULL before */
    uint32_t got;  /* length of data */
};

struct window {
    struct restore *r;
    struct piece *pieces;
    struct part *parts;
    struct chunk *chunks;
    uint8_t *content; /* of all chunks; from when it is fetched */
    size_t content_size;
    uint32_t *table; /* of chunks by id, open addressing, power of two */
    size_t npieces, nparts, nchunks, parts_cap, chunks_cap, table_cap;
    uint64_t bytes;
    size_t memory;
    bool open;    /* the last piece takes more parts */
    bool writing; /* under restore->lock */
    size_t busy;  /* tasks that are not done; under restore->lock */
    struct sp_mutex lock;
    struct sp_err why; /* code SP_OK: every block could be opened so far */
};

enum sp_code window_new(struct restore *r, struct window **ret, struct sp_err *e);
void window_free(struct window *w);
/* Room for the content of its chunks: none of them may be added any more. */
enum sp_code window_make_room(struct window *w, struct sp_err *e);
uint32_t window_find(const struct window *w, const struct sp_id *id); /* PART_HOLE: not there */
enum sp_code window_add_chunk(
    struct window *w, const struct sp_id *id, uint32_t room, uint32_t *ret, struct sp_err *e);
/* To the piece that was opened last. */
enum sp_code window_add_part(
    struct window *w, uint64_t offset, uint64_t length, uint32_t chunk, struct sp_err *e);
/* A file's entry is taken over by copying it. */
enum sp_code file_new(struct folder *folder, const struct sp_entry *en, struct file **ret,
    struct sp_err *e);
void file_release(struct file *f);
/* Of the thread that has its piece; the first reason stays. */
void file_fail(struct file *f, const struct sp_err *why);

/* --- content (restore_content.c) ----------------------------------------------------------------------- */

/* All that a file on disk shows by its bytes is all that `en` has: no streams behind them, nothing away. Only
 * then can an existing file be said to be equal. */
bool plan_is_bare(const struct sp_entry *en);
/* The content fits into one window. */
bool plan_is_small(const struct sp_entry *en);
/* Plans the whole content of `en`, over as many windows as it takes; a large file's perhaps later, with others. */
enum sp_code plan_content(
    struct restore *r, struct file *f, const struct sp_entry *en, struct sp_err *e);
/* A piece without parts: attributes only, or an end. */
enum sp_code plan_end(struct restore *r, struct file *f, struct sp_err *e);
/* Gives the window that is planned to the fetcher. */
enum sp_code plan_submit(struct restore *r, struct sp_err *e);
/* And waits until everything planned is done. */
enum sp_code plan_drain(struct restore *r, struct sp_err *e);
/* Lets go of large files that wait for others to be planned with. */
void plan_forget(struct restore *r);

/* --- planning (restore_plan.c) ------------------------------------------------------------------------- */

enum sp_code plan_catalog(struct restore *r, struct sp_err *e);
/* One object that is no folder, in `folder`, which was made. `leader` (may be NULL) is told where it went. */
enum sp_code plan_object(struct restore *r, struct folder *folder, const struct sp_entry *en,
    struct leader *leader, struct sp_err *e);
/* What stands under this name, and what if_exists says to it. *ret_kept: it is left alone, and that was
 * counted. SP_ABSENT when there is nothing. */
enum sp_code plan_look(struct restore *r, struct folder *folder, const struct sp_entry *en,
    const char *name, struct sp_target_stat *ret, bool *ret_kept, struct sp_err *e);

/* --- hard links (restore_links.c, restore_pack.c) ------------------------------------------------------- */

bool is_linked(const struct sp_entry *en);
enum sp_code links_add(struct restore *r, const struct sp_entry *en, struct sp_err *e);
enum sp_code links_run(struct restore *r, struct sp_err *e);
void entry_pack(const struct sp_entry *en, struct sp_buf *to);
/* One allocation; free() it. */
enum sp_code entry_unpack(const void *p, size_t n, struct sp_entry **ret, struct sp_err *e);

/* --- fetching and writing (restore_fetch.c, restore_write.c) -------------------------------------------- */

struct worker {
    struct restore *r;
    struct sp_thread *thread;
    struct sp_opener *opener;
    struct sp_hasher *hasher;
    uint8_t *scratch; /* SP_BLOCK_MAX_RAW bytes, when it was needed */
};

void restore_worker(void *arg);
void restore_fetcher(void *arg);
/* A file that has its content elsewhere cannot be made everywhere (SP_UNSUPPORTED). Where what it has besides
 * would be fetched for nothing, that is found out before. */
enum sp_code file_try(struct folder *folder, const struct sp_entry *en, struct sp_err *e);
void window_write(struct worker *w, struct task *t); /* a task: a run of pieces */
/* (restore_values.c) A copy of `en` with the values of all attributes inside, fetched at once when they are not. *flaw tells
 * of one that is lost: it is left out. */
enum sp_code fetch_attributes(struct restore *r, const struct sp_entry *en, struct sp_entry **ret,
    struct sp_err *flaw, struct sp_err *e);
/* Content of a chunk that the window wants: the first one to come with it. n is at most c->room. */
void keep_data(struct window *w, struct chunk *c, const uint8_t *data, size_t n);
/* Counts a task of the window as done; the last one wakes the fetcher or, in writing, ends the window. */
void task_done(struct window *w);

/* --- what the next window may want (restore_carry.c) ------------------------------------------------------ */

struct carry;
enum sp_code carry_new(struct carry **ret, struct sp_err *e);
void carry_free(struct carry *c);
/* The chunks of an opened block that the window does not want. */
void carry_add(struct window *w, const struct sp_opened *opened);
/* Gives the window what it wants of them. Of the fetcher. */
void carry_take(struct window *w);

/* --- the run (restore.c) --------------------------------------------------------------------------------- */

struct restore {
    const struct sp_env *env;
    struct sp_store *store;
    const struct sp_keys *keys;
    const struct sp_restore_options *o;
    const struct sp_restore_events *events;

    struct sp_target *target;
    struct sp_nodes *nodes;
    struct sp_node_source source;
    struct sp_catalog *catalog;
    size_t strip; /* 0 in place */
    char *temp_dir;
    struct sp_runs *links;

    /* of the planner */
    struct folder *root, *at; /* root: of the catalog; at: where the planner is */
    struct sp_buf at_key, leaf_key;
    struct window *plan; /* being filled */
    struct abreast *abreast; /* large files that wait for others; NULL */

    struct sp_mutex lock;
    struct sp_cond changed;
    size_t windows; /* given to the fetcher and not done */
    bool is_writing;
    uint8_t *spare[2]; /* content of windows that are done, WINDOW_CONTENT bytes */
    struct sp_err first_error;
    atomic_bool failed;

    struct sp_queue *to_fetch, *tasks;
    struct sp_thread *fetcher;
    struct worker workers[MAX_WORKERS];
    size_t nworkers;

    struct carry *carry;

    struct sp_mutex tell_lock;
    struct sp_restore_stats stats;
};

/* Keeps the first error and stops everything. */
void restore_fail(struct restore *r, const struct sp_err *e);
/* Not the fault of one object: the run cannot go on. */
bool restore_is_fatal(const struct sp_err *e);
/* Puts the path before what the target said: an error that ends the run names where it met it, as a fault's
 * key does. */
void restore_err_at(struct sp_err *e, const void *key, size_t key_len);
/* Waits until nothing that was planned is under way; after a failure too. */
void restore_quiesce(struct restore *r);
void restore_fault(struct restore *r, const void *key, size_t key_len, const struct sp_err *why);
void restore_count(struct restore *r, const struct sp_entry *en, bool equal);
void restore_kept(struct restore *r);
void restore_would(struct restore *r, const struct sp_entry *en, const char *what);
void restore_progress(struct restore *r);
/* Never NULL: without memory it is another error, which says so. */
struct sp_err *restore_err_copy(const struct sp_err *e);
void restore_err_free(struct sp_err *e);

#endif
