#ifndef SP_STORAGE_BACKEND_SFTP_IMPL_H
#define SP_STORAGE_BACKEND_SFTP_IMPL_H

/* What the files of the sftp backend share; nobody else includes it.
 *
 * Locks, from the outside in: `naming`, `barrier` → `lock`, `pool.lock` → a connection's. None of
 * ours is held while a caller's function runs (but `stop`, which only looks at a flag), or while an
 * answer is waited for, but `naming` and `barrier`. */

#include <stdatomic.h>

#include "base/thread.h"
#include "storage/backend_sftp.h"
#include "storage/empty.h"
#include "storage/sftp_ops.h"

#define SP_SFTP_LANES_MAX 16u
#define SP_SFTP_WINDOW ((size_t)4 << 20) /* not acknowledged, of each stream */
#define SP_SFTP_AHEAD ((size_t)8 << 20)
#define SP_SFTP_PROBE "probe-" /* kinds of temporary files; "" is what is being written */
#define SP_SFTP_NOW "now-"

struct sp_sftp_lane { /* a connection of the pool, alive while somebody uses it */
    struct sp_sftp_conn *c;
    unsigned users;
    bool out; /* no longer of the pool: the last user frees it */
};

struct sp_sftp_pool {
    struct sp_mutex lock;
    struct sp_cond changed;
    struct sp_sftp_lane *lanes[SP_SFTP_LANES_MAX];
    unsigned n, limit;
    bool dialling; /* somebody is connecting: one at a time */
    struct sp_sftp_conn *fresh; /* the connection that is being made: a stop ends it, too */
    bool grow, closing;
    uint64_t carried; /* bytes of content, both ways */
    struct sp_thread *thread;

    /* Since a request was answered the last time: */
    unsigned tries;     /* attempts to connect */
    unsigned refused;   /* logins that were refused, … */
    unsigned broken;    /* … connections that broke the protocol */
    int64_t since_ns;   /* when the first of them began */
    bool told;          /* a notice was given */
    struct sp_err why;  /* what ended the last connection */
    struct sp_err over; /* set: for good */
};

struct sp_sftp_folder { /* below the root; records are only added */
    char *path;         /* "packs/ab"; "" is the root */
    bool there;         /* known to exist */
    bool named;         /* got a name, or lost one, since the last barrier */
    bool given;         /* got one */
    bool listed;        /* had something when it was listed, and no barrier looked at it since */
};

enum sp_sftp_probed {
    SP_SFTP_UNPROBED,
    SP_SFTP_PROBING,
    SP_SFTP_NAMES_PROBED, /* all but whether files can be removed */
    SP_SFTP_PROBED
};

struct sp_sftp_store {
    struct sp_backend head;
    struct sp_env env;
    struct sp_sftp_backend_options o; /* strings are copies */
    char *root;   /* as the server resolved it; set by the first connection, then fixed */
    bool doubted; /* whether anything can be written: repository.conf cannot be opened for it */
    bool settled; /* there is a repository, or the beginning of one: a new connection looks */
    struct sp_sftp_pool pool;
    atomic_bool stopped;
    atomic_uint number;    /* of temporary names */
    atomic_uint forgotten; /* requests under way that nobody waits for */

    struct sp_mutex naming;     /* one name at a time, where RENAME replaces */
    struct sp_mutex barrier;    /* one barrier at a time; guards: */
    struct sp_err barrier_lost; /* no barrier holds any more */

    struct sp_mutex lock; /* guards the rest */
    struct sp_cond probe_changed;
    enum sp_sftp_probed probed;
    struct sp_thread *probe;
    struct sp_err probe_error;
    struct sp_sftp_gaps gaps;
    bool tmp_there;
    bool look_first, flushes_folders; /* fixed once it is probed */
    int64_t probe_now_ns;             /* the server's clock, at the probe; 0: unknown */
    struct sp_sftp_folder *folders;   /* sorted by path */
    size_t nfolders, folders_cap;
};

/* root + "/" + name, malloc'd; the root itself for "". */
enum sp_code
sp_sftp_path(const struct sp_sftp_store *s, const char *name, char **ret, struct sp_err *e);
/* "<root>/tmp/<kind><32 hex of the run>-<n>". */
enum sp_code
sp_sftp_temporary(struct sp_sftp_store *s, const char *kind, char **ret, struct sp_err *e);

/* --- backend_sftp_pool.c, backend_sftp_dial.c ------------------------------------------------ */

enum sp_code sp_sftp_pool_begin(struct sp_sftp_store *s, struct sp_err *e);
/* Nothing connects any more, and what is under way is over. */
void sp_sftp_pool_close(struct sp_sftp_store *s);
void sp_sftp_pool_end(struct sp_sftp_store *s);
/* A living connection; connects, waits and tries again as backend_sftp.h says. */
enum sp_code sp_sftp_lane_get(struct sp_sftp_store *s, struct sp_sftp_lane **ret, struct sp_err *e);
/* Whether the connection is why something failed: then it is taken out of the pool, and what is
 * harmless may be asked over another one. *e becomes SP_CANCELLED when the run was stopped. */
bool sp_sftp_lane_lost(struct sp_sftp_store *s, struct sp_sftp_lane *lane, struct sp_err *e);
/* answered: the server did what it was asked, or said why not; any outage is over. */
void sp_sftp_lane_put(struct sp_sftp_store *s, struct sp_sftp_lane *lane, bool answered);
/* One that lives now, without connecting; NULL: none. */
struct sp_sftp_lane *sp_sftp_lane_living(struct sp_sftp_store *s);
/* Bytes of content went over a connection. */
void sp_sftp_carried(struct sp_sftp_store *s, uint64_t n);

/* Inside the pool; its lock is held, and may be let go in the meantime, but by connect_one. */
enum sp_code
sp_sftp_connect_one(struct sp_sftp_store *s, struct sp_sftp_lane **ret, struct sp_err *e);
void sp_sftp_add_lane(struct sp_sftp_pool *p, struct sp_sftp_lane *lane);
/* A connection was lost, or could not be made: another try may help, or nothing will. */
void sp_sftp_judge(struct sp_sftp_store *s, const struct sp_err *why);
/* Waits as long as is due, and tries once. */
void sp_sftp_dial(struct sp_sftp_store *s);
bool sp_sftp_stopped(struct sp_sftp_store *s);
enum sp_code sp_sftp_fail_stopped(const struct sp_sftp_store *s, struct sp_err *e);
void sp_sftp_notice(const struct sp_sftp_store *s, const char *sentence);

/* --- backend_sftp_ask.c ---------------------------------------------------------------------- */

/* Asks, again over another connection when one is lost: `ask` must be harmless when done twice. */
typedef enum sp_code (*sp_sftp_ask_fn)(
    struct sp_sftp_store *s, struct sp_sftp_conn *c, void *arg, struct sp_err *e);
enum sp_code sp_sftp_ask(struct sp_sftp_store *s, sp_sftp_ask_fn ask, void *arg, struct sp_err *e);
/* Submits all n, and waits until all are done; each has its own error. */
void sp_sftp_call_all(struct sp_sftp_conn *c, struct sp_sftp_request *q, size_t n);
/* Removes a file of ours in tmp/, or closes a handle, without waiting for the answer. One that
 * stays is swept when its run is dead. */
void sp_sftp_drop(struct sp_sftp_store *s, const char *path);
/* REMOVE or MKDIR, whose answer nobody needs. */
void sp_sftp_forget_path(
    struct sp_sftp_store *s, struct sp_sftp_conn *c, enum sp_sftp_type type, const char *path);
void sp_sftp_forget_handle(
    struct sp_sftp_store *s, struct sp_sftp_conn *c, const uint8_t *handle, size_t n);
/* Before the connections end: what was sent without waiting is to be done, if that takes no time.
 */
void sp_sftp_await_forgotten(struct sp_sftp_store *s);

/* --- backend_sftp_look.c: what is there ------------------------------------------------------ */

enum sp_sftp_kind { SP_SFTP_NOTHING, SP_SFTP_FILE, SP_SFTP_FOLDER, SP_SFTP_ODD };
struct sp_sftp_seen {
    enum sp_sftp_kind kind;
    uint64_t size;
    int64_t mtime_ns; /* 0: nobody tells */
};
/* LSTAT of n paths at once. */
enum sp_code sp_sftp_look(struct sp_sftp_store *s, const char *const *paths, size_t n,
    struct sp_sftp_seen *ret, struct sp_err *e);
/* SP_UNREACHABLE when the repository is no longer where it was. */
enum sp_code sp_sftp_present(struct sp_sftp_store *s, struct sp_err *e);
/* SP_ABSENT of the object, or what sp_sftp_present says. */
enum sp_code sp_sftp_absent(struct sp_sftp_store *s, const char *name, struct sp_err *e);
/* The failure of a request about an object, with a folder or a file in the place of one. */
enum sp_code
sp_sftp_settle(struct sp_sftp_store *s, const char *name, enum sp_code rc, struct sp_err *e);
/* There is a file in its place, or above it: nothing lies below. */
bool sp_sftp_no_folder(struct sp_sftp_store *s, const char *name);
enum sp_code sp_sftp_size(struct sp_backend *b, const char *name, uint64_t *ret, struct sp_err *e);
enum sp_code sp_sftp_space(struct sp_backend *b, struct sp_os_space *ret, struct sp_err *e);
/* A failure without a reason: SP_FULL when there is no room for `n` bytes. */
enum sp_code sp_sftp_full(struct sp_sftp_store *s, uint64_t n, enum sp_code rc, struct sp_err *e);

/* --- backend_sftp_read.c --------------------------------------------------------------------- */

/* n bytes of a file by its path. */
enum sp_code sp_sftp_read_path(struct sp_sftp_store *s, const char *path, uint64_t offset, void *to,
    size_t n, struct sp_err *e);

enum sp_code sp_sftp_get(
    struct sp_backend *b, const char *name, uint64_t offset, void *to, size_t n, struct sp_err *e);
enum sp_code
sp_sftp_fetch_start(struct sp_backend *b, struct sp_backend_fetch *f, struct sp_err *e);
enum sp_code
sp_sftp_fetch_finish(struct sp_backend *b, struct sp_backend_fetch *f, struct sp_err *e);
enum sp_code sp_sftp_list_one(
    struct sp_backend *b, const char *prefix, sp_backend_list_fn each, void *arg, struct sp_err *e);
enum sp_code sp_sftp_list_all(struct sp_backend *b, const char *const *prefixes, size_t n,
    sp_backend_list_fn each, void *arg, struct sp_err *e);

/* --- backend_sftp_folders.c: folders that got names, and the barrier ------------------------- */

bool sp_sftp_folder_known(struct sp_sftp_store *s, const char *name);
/* The folder that holds `name` lost a name, or may have got one: it is there, and the next barrier
 * covers it. */
enum sp_code sp_sftp_folder_named(struct sp_sftp_store *s, const char *name, struct sp_err *e);
/* It got `name`: it has to be there at the next barrier. */
enum sp_code sp_sftp_folder_given(struct sp_sftp_store *s, const char *name, struct sp_err *e);
enum sp_code sp_sftp_folder_listed(struct sp_sftp_store *s, const char *name, struct sp_err *e);
/* Makes the folders above `name` that are missing, below the root. */
enum sp_code sp_sftp_make_folders(struct sp_sftp_store *s, const char *name, struct sp_err *e);
/* Makes the folder that `name` will lie in when nobody has seen it yet, without waiting: RENAME
 * finds it there. Never one in the root, which may be the mount point of a volume that has gone. */
void sp_sftp_expect_folder(struct sp_sftp_store *s, struct sp_sftp_conn *c, const char *name);
enum sp_code sp_sftp_sync(struct sp_backend *b, struct sp_err *e);
/* At once, of a folder by its path. */
enum sp_code sp_sftp_flush_folder(struct sp_sftp_store *s, char *path, struct sp_err *e);
void sp_sftp_folders_free(struct sp_sftp_store *s);

/* --- backend_sftp_write.c, backend_sftp_name.c ----------------------------------------------- */

enum sp_code sp_sftp_begin(struct sp_backend *b, struct sp_backend_writer **ret, struct sp_err *e);
enum sp_code sp_sftp_write(struct sp_backend_writer *w, const void *p, size_t n, struct sp_err *e);
enum sp_code sp_sftp_publish(struct sp_backend_writer *w, const char *name, struct sp_err *e);
void sp_sftp_abort(struct sp_backend_writer *w);
/* Gives the file at path `from`, of `size` bytes, the object name `to`. SP_ABSENT: there is nothing
 * at `from`. */
enum sp_code sp_sftp_name(
    struct sp_sftp_store *s, const char *from, uint64_t size, const char *to, struct sp_err *e);
enum sp_code sp_sftp_remove(struct sp_backend *b, const char *name, struct sp_err *e);
enum sp_code sp_sftp_move(struct sp_backend *b, const char *from, const char *to, struct sp_err *e);

/* --- backend_sftp_probe.c, backend_sftp_clock.c ---------------------------------------------- */

/* Starts the probe when it has not run; returns at once. */
enum sp_code sp_sftp_probe_start(struct sp_sftp_store *s, struct sp_err *e);
bool sp_sftp_removes(struct sp_sftp_store *s); /* not an append-only account, as far as known */
/* SP_DENIED when it is known that nothing can be written. */
enum sp_code sp_sftp_check_writable(struct sp_sftp_store *s, struct sp_err *e);
/* Starts, and waits for as much: what was found is in caps, gaps and look_first then. */
enum sp_code
sp_sftp_probe_wait(struct sp_sftp_store *s, enum sp_sftp_probed much, struct sp_err *e);
/* Waits for it a moment, so that it can tidy up, then closes the pool under it. */
void sp_sftp_probe_end(struct sp_sftp_store *s);
/* tmp/, before the first file in it. */
enum sp_code sp_sftp_need_tmp(struct sp_sftp_store *s, struct sp_err *e);

/* What lies in the folder at `path`: `each` is called behind the reading of it. A folder that is
 * not there has nothing. */
struct sp_sftp_entry {
    const char *name;
    bool file; /* neither a folder nor a link */
    int64_t mtime_ns; /* 0: nobody tells */
};
enum sp_code sp_sftp_read_folder(struct sp_sftp_store *s, const char *path,
    enum sp_code (*each)(void *arg, const struct sp_sftp_entry *at, struct sp_err *e), void *arg,
    struct sp_err *e);
enum sp_code
sp_sftp_written(struct sp_backend *b, const char *name, int64_t *ret_ns, struct sp_err *e);
enum sp_code sp_sftp_now(struct sp_backend *b, int64_t *ret_ns, struct sp_err *e);
enum sp_code
sp_sftp_sweep(struct sp_backend *b, sp_backend_dead_fn dead, void *arg, struct sp_err *e);

#endif
