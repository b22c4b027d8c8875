#ifndef SP_STORAGE_REPOSITORY_IMPL_H
#define SP_STORAGE_REPOSITORY_IMPL_H

/* What the files behind repository.h share; nobody else includes it.
 *
 * Locks, in the order in which they may be taken together:
 *   commit    one chain check and record at a time
 *   index_io  one refresh, flush or merge of the index at a time
 *   lock      the state in memory; held briefly, never over I/O
 * An upload has a lock of its own, taken before `lock` and never together with the first two.
 */

#include <stdatomic.h>

#include "base/os.h"
#include "base/thread.h"
#include "storage/index_cache.h"
#include "storage/index_set.h"
#include "storage/keyset.h"
#include "storage/lease.h"
#include "storage/memtable.h"
#include "storage/presence.h"
#include "storage/repository.h"

#define SP_MISSING_MAX 65536u
#define SP_BLOCK_MAX_SIZE (SP_BLOCK_MAX_HEADER + SP_BLOCK_MAX_SEALED)
#define SP_CONF_NAME "repository.conf"
#define SP_OWNER_NAME "owner"
#define SP_SMALL_OBJECT (64u << 10) /* repository.conf, owner, slots, hosts */
#define SP_RECORD_MAX (16u << 20)

struct sp_known_host { /* nodes whose closure was proven, of one host's sets: known.c */
    uint8_t host[16], group[16];
    struct sp_keyset nodes;
    uint64_t used;     /* when, by r->known_clock */
    int64_t proved_ns; /* when the oldest of them were; 0: there are none */
    bool loaded;       /* what an earlier program proved was looked at */
    bool unsaved;
};

struct sp_marks { /* marks.c: what removals are going to take */
    struct sp_mark *v;
    size_t n;
    char bad[96], why[208]; /* one that cannot be understood; "": there is none */
    uint8_t (*seen)[16];    /* by the listing that is under way; index_io guards it */
    size_t nseen, seen_cap;
};

struct sp_record_name { /* what an object's name says */
    enum sp_record_type type;
    int64_t published_ns;
    uint8_t host[16], set_id[16];
    uint64_t size; /* as it was listed */
};
struct sp_record_names {
    struct sp_record_name *v;
    size_t n, cap;
};

struct sp_host_object { /* or a key slot */
    char object[96];
    uint64_t size;
};
struct sp_along { /* along.c */
    bool has_host;
    uint8_t host[16]; /* whose records */
    bool has_records, has_hosts, has_slots;
    struct sp_record_names records;
    struct sp_host_object *hosts;
    size_t nhosts, hosts_cap;
    int64_t at_ns; /* by the monotonic clock */
    char folder[64];
};

struct sp_kept_object { /* immutable, so that it is read once: only of a store far away */
    char object[160];
    uint8_t *bytes;
    size_t n;
};
#define SP_KEPT_OBJECTS 4u
#define SP_KEPT_MAX (256u << 10)

struct sp_repository {
    struct sp_backend *backend;
    const struct sp_env *env;
    struct sp_repository_conf conf;
    uint8_t *conf_text; /* as it lies in the repository */
    size_t conf_n;
    bool write;
    atomic_bool cancelled;
    uint64_t seed[2];
    struct sp_index_cache cache;

    struct sp_mutex commit, index_io, lock;
    struct sp_presence *presence;
    struct sp_index_set index;
    struct sp_memtable *memtable;
    struct sp_memtable *frozen;   /* being written as a segment; NULL when none is */
    uint64_t index_published;     /* segments so far */
    uint64_t index_synced;        /* those of them that a barrier has followed */
    struct sp_known_host **known; /* each lives as long as the repository */
    size_t nknown;
    uint64_t known_clock;
    struct sp_marks marks;    /* none of them where nothing is written */
    struct sp_lease *lease;   /* NULL where nothing is written */
    uint64_t lost;      /* how often packs vanished or proved bad: what was proven before is void */
    uint64_t slots_gen; /* how often slots were added or removed by this process */

    /* Of a store far away. */
    struct sp_mutex first;   /* held around the first refresh of a reader, taken before all others */
    atomic_bool unlisted;    /* opened for reading, and nothing was looked for yet */
    atomic_bool just_opened; /* its first head needs no other listing than that of opening */
    int64_t opened_ns;       /* by the monotonic clock */
    struct sp_along along;
    struct sp_kept_object kept[SP_KEPT_OBJECTS];
    size_t next_kept;
};

/* Before the first look into the index: who only lists sets of a store far away does without the listing of
 * packs. */
enum sp_code sp_repository_ready(struct sp_repository *r, struct sp_err *e);
/* As sp_repository_refresh, but not when a store far away was opened just now and it is the first one. */
enum sp_code sp_repository_refresh_lately(struct sp_repository *r, size_t *ret_lost, struct sp_err *e);
/* SP_CANCELLED once sp_repository_cancel was called. */
enum sp_code sp_repository_live(struct sp_repository *r, struct sp_err *e);
void sp_repository_cancel(struct sp_repository *r);
/* Whether a failed read of one object says something about the store, or this process, as a whole;
 * else it is that object's fault alone (R11). */
bool sp_store_fatal(enum sp_code rc);
/* SP_REFUSED unless opened for writing. */
enum sp_code sp_repository_may_write(struct sp_repository *r, struct sp_err *e);
/* A pack proved bad: nothing relies on it any more in this process (R6). Takes the lock. */
void sp_repository_distrust(struct sp_repository *r, uint32_t pack);

/* --- distrust.c: kept in the cache folder. A failure harms nobody. -------------------------- */

void sp_distrust_keep(struct sp_repository *r, const struct sp_pack_state *s);
/* It was read, and is good. */
void sp_distrust_forget(struct sp_repository *r, const struct sp_pack_state *s);
/* Marks the packs that are there and were kept. */
void sp_distrust_load(struct sp_repository *r);

/* --- marks.c ------------------------------------------------------------------------------- */

/* A listing of marks and packs together: begin, one call for each object (others than marks are passed
 * over), and at its end the new ones are read, and packs are marked or no longer. index_io is held. */
void sp_marks_begin(struct sp_repository *r);
enum sp_code sp_marks_see(struct sp_repository *r, const char *object, struct sp_err *e);
enum sp_code sp_marks_end(struct sp_repository *r, struct sp_err *e);
/* SP_REFUSED when there is one that cannot be understood: nothing is to be uploaded. */
enum sp_code sp_marks_check(struct sp_repository *r, struct sp_err *e);
bool sp_marks_has(struct sp_repository *r, enum sp_pack_kind kind, const uint8_t name[32]);
void sp_marks_free(struct sp_repository *r);

/* --- lookup.c ------------------------------------------------------------------------------ */

struct sp_place {  /* where a block lies */
    uint32_t pack; /* ordinal */
    uint32_t offset, length;
};
struct sp_lookup { /* one thread's */
    struct sp_repository *r;
    struct sp_index_view *view;
};
/* Is called with the lock held: looks, copies, and does not block. False: enough. */
typedef bool (*sp_place_fn)(void *arg, const struct sp_pack_state *pack, const struct sp_place *at);

void sp_lookup_begin(struct sp_lookup *l, struct sp_repository *r);
/* Every place that memtable and segments know of, the newest first, in packs that are listed. */
enum sp_code sp_lookup_id(
    struct sp_lookup *l, const struct sp_id *id, sp_place_fn each, void *arg, struct sp_err *e);
void sp_lookup_end(struct sp_lookup *l);

/* --- fetch.c ------------------------------------------------------------------------------- */

struct sp_fetch { /* one block to read */
    struct sp_place place;
    uint8_t name[32]; /* of the pack */
    uint8_t kind;
    uint32_t want; /* the caller's */
};
/* One block, and the n of those asked for that lie in it: f[0] … f[n-1]. */
typedef enum sp_code (*sp_fetch_fn)(void *arg, const struct sp_fetch *f, size_t n,
    const struct sp_block_header *h, const uint8_t *block, struct sp_err *e);
/* Reads blocks in the order of packs and offsets (sorts `f`), neighbours in one piece, each
 * distinct block once. Blocks that cannot be read, or whose header is none, are left out; their
 * packs are distrusted when it is the bytes that are wrong. */
enum sp_code sp_fetch_blocks(struct sp_repository *r, struct sp_fetch *f, size_t n,
    sp_fetch_fn each, void *arg, struct sp_err *e);

/* --- learn.c, index_flush.c, index_merge.c ------------------------------------------------- */

/* Reads the trailers of the packs that the index does not know. */
enum sp_code sp_repository_learn(struct sp_repository *r, struct sp_err *e);
struct sp_index_found {
    uint8_t name[32];
    uint64_t size;
};
struct sp_index_listing {
    struct sp_index_found *v;
    size_t n, cap;
};
/* One object of the folder `index`, whatever it is. */
enum sp_code sp_index_see(
    struct sp_index_listing *l, const char *object, uint64_t size, struct sp_err *e);
/* index_io is held. */
enum sp_code sp_index_refresh(
    struct sp_repository *r, struct sp_index_listing *l, struct sp_err *e);
/* A memtable that is full goes into a segment in the cache folder. index_io is held. */
enum sp_code sp_index_spill(struct sp_repository *r, struct sp_err *e);
/* Memtable and local segments into the repository (write). Takes index_io. Barrier: the caller. */
enum sp_code sp_index_flush(struct sp_repository *r, struct sp_err *e);
/* Merges small segments when there are many; what fails here harms nobody. Takes index_io. */
void sp_index_tidy(struct sp_repository *r);

/* --- closure.c ----------------------------------------------------------------------------- */

struct sp_missing { /* ids that are not there, each once */
    struct sp_id *ids;
    size_t n, cap;
    struct sp_keyset seen;
    bool more;
};
void sp_missing_init(struct sp_missing *m, struct sp_repository *r);
enum sp_code sp_missing_add(struct sp_missing *m, const uint8_t id[32], struct sp_err *e);
void sp_missing_free(struct sp_missing *m);
/* Moves the ids out, sorted. */
void sp_missing_take(struct sp_missing *m, struct sp_id **ret, size_t *ret_n, bool *ret_more);
/* What a walk of its own mind brings along: check. */
struct sp_closure_view {
    struct sp_keyset known;     /* nodes proven whole, by it alone; grows */
    const struct sp_place *bad; /* blocks that are not to be relied on, sorted by sp_place_cmp */
    size_t nbad;
    enum sp_code (*live)(void *arg, struct sp_err *e); /* asked now and then; other than SP_OK: ends */
    void *arg;
};
int sp_place_cmp(const void *a, const void *b); /* by pack and offset */
/* As an uploader sees it: what lies only in marked packs is missing (to sp_repository_closure and where
 * there is a `view`, which look for what can be read, marks are nothing). Adds to `m`. *ret_whole: this root lacks nothing. What is proven whole
 * is remembered: in `view` when the caller has one, else in the repository, for the host. */
enum sp_code sp_closure_walk(struct sp_repository *r, const struct sp_reader_scope *scope,
    const struct sp_id *root, struct sp_closure_view *view, struct sp_missing *m, bool *ret_whole,
    struct sp_err *e);
/* Of several roots at once, sorted, so that they are not waited for one after the other. *ret_whole: all are. */
enum sp_code sp_closure_walk_all(struct sp_repository *r, const struct sp_reader_scope *scope,
    const struct sp_id *roots, size_t n, struct sp_closure_view *view, struct sp_missing *m,
    bool *ret_whole, struct sp_err *e);

/* --- prove.c ------------------------------------------------------------------------------- */

/* Reads node packs of the host, those that were not read lately; bad ones are distrusted. *ret_any:
 * there were some. */
enum sp_code sp_prove_nodes(
    struct sp_repository *r, const uint8_t host[16], bool *ret_any, struct sp_err *e);
uint32_t sp_prove_now(const struct sp_repository *r); /* in minutes */
/* It was just read, or written. The lock is held. */
void sp_prove_note(struct sp_pack_state *s, uint32_t now_min);

/* --- known.c, known_file.c: what is known whole -------------------------------------------- */

/* The entry of the scope's host, with what an earlier program of this cache folder proved; NULL
 * when the scope is not one host's, or there is no memory: it only saves time. It lives as long as
 * the repository; its nodes are read under the lock. */
struct sp_known_host *sp_known_of(struct sp_repository *r, const struct sp_reader_scope *scope);
/* Proven at that time, and while r->lost was `lost`. */
void sp_known_remember(struct sp_repository *r, struct sp_known_host *k,
    const struct sp_keyset *nodes, int64_t proved_ns, uint64_t lost);
/* Writes what is new into the cache folder. A failure harms nobody. */
void sp_known_save(struct sp_repository *r, const uint8_t host[16], const uint8_t group[16]);
/* Everything proven so far is void; the lock is held. */
void sp_known_forget(struct sp_repository *r);
void sp_known_free(struct sp_repository *r);

/* The file: the packs that were relied on then, and the nodes. Taken at its word only while each of
 * those packs is there and relied on. */
void sp_known_read_file(struct sp_repository *r, struct sp_known_host *k);
void sp_known_write_file(struct sp_repository *r, struct sp_known_host *k);
/* A pack of them proved bad without a change of its name or size. */
void sp_known_remove_files(struct sp_repository *r);

/* --- records.c ----------------------------------------------------------------------------- */

/* One object below `sets`, whatever it is. */
enum sp_code sp_records_see(
    struct sp_record_names *l, const char *object, uint64_t size, struct sp_err *e);
/* All records of a host (NULL: of all), newest first; empty objects are absent. */
enum sp_code sp_records_list(
    struct sp_repository *r, const uint8_t *host, struct sp_record_names *ret, struct sp_err *e);
void sp_records_free(struct sp_record_names *l);
enum sp_code sp_record_read(struct sp_repository *r, const struct sp_record_name *name,
    uint8_t **ret, size_t *ret_n, struct sp_err *e);
/* The same, to be asked for ahead; but the tag. */
struct sp_ahead;
struct sp_ahead_read;
void sp_record_ahead(const struct sp_record_name *name, struct sp_ahead_read *ret);

/* Many records, read side by side where the store is far, in the order of v[0..n). `each` gets what
 * sp_record_read would have said of each, p[0..len) for as long as the call; *ret_more = false ends it. */
typedef enum sp_code (*sp_record_fn)(void *arg, const struct sp_record_name *name, enum sp_code rc,
    const uint8_t *p, size_t len, const struct sp_err *why, bool *ret_more, struct sp_err *e);
/* `wanted` (may be NULL): whether it is to be read at all. `few`: most often the first will do. */
enum sp_code sp_records_each(struct sp_repository *r, const struct sp_record_name *v, size_t n,
    bool (*wanted)(void *arg, const struct sp_record_name *name), bool few, sp_record_fn each,
    void *arg, struct sp_err *e);
/* Objects that a run asks for more than once, of a store far away: *ret malloc'd; false: not there. */
bool sp_kept_get(struct sp_repository *r, const char *object, uint8_t **ret, size_t *ret_n);
void sp_kept_put(struct sp_repository *r, const char *object, const uint8_t *p, size_t n);

struct sp_chain { /* the head of a job's chain: its newest set that is there */
    bool any;
    uint64_t sequence;
    uint8_t hash[32];
    uint8_t *set;
    size_t set_len;
};
void sp_chain_free(struct sp_chain *c);
enum sp_code sp_chain_head(struct sp_repository *r, const struct sp_record_names *names,
    const char *job, struct sp_chain *ret, struct sp_err *e);
/* The newest checkpoint that follows the chain's head; SP_ABSENT. */
enum sp_code sp_chain_checkpoint(struct sp_repository *r, const struct sp_record_names *names,
    const char *job, const struct sp_chain *head, uint8_t **ret, size_t *ret_n, struct sp_err *e);

/* As sp_store_missing: in the scope of the set's own host and group. SP_ABSENT when there is no
 * such set. */
enum sp_code sp_repository_set_missing(struct sp_repository *r, const uint8_t set_id[16],
    struct sp_id **ret, size_t *ret_n, bool *ret_more, struct sp_err *e);

/* --- along.c: what is listed together with the packs of a store far away ------------------------------ */

/* The prefixes to list as well; a.folder backs one of them. */
size_t sp_along_prefixes(
    struct sp_repository *r, struct sp_along *a, bool slots, const char *to[3]);
/* *ret_ours: it was an object of these prefixes. */
enum sp_code sp_along_see(
    struct sp_along *a, const char *object, uint64_t size, bool *ret_ours, struct sp_err *e);
void sp_along_clear(struct sp_along *a); /* not whose records are asked for */
/* The listing is complete. Takes `fresh` over. */
void sp_along_keep(struct sp_repository *r, struct sp_along *fresh);
/* This process changed something there. */
void sp_along_drop(struct sp_repository *r);
/* Whose records will be asked for; the first counts. */
void sp_along_host(struct sp_repository *r, const uint8_t host[16]);
/* What was listed just now; false: it has to be listed. The records are given once. */
bool sp_along_records(struct sp_repository *r, const uint8_t *host, struct sp_record_names *ret);
bool sp_along_names(struct sp_repository *r, const char *prefix, sp_backend_list_fn each, void *arg,
    enum sp_code *ret, struct sp_err *e); /* below "hosts" or "keys[/…]" */

/* --- completions.c ------------------------------------------------------------------------- */

struct sp_completions { /* of the sets of a listing */
    struct sp_repository *r;
    const struct sp_record_name **v; /* of the listing, which must outlive it; the first of each set first */
    size_t n;
    bool looked, known; /* for the record of host.id; it was good */
    struct sp_host host;
    /* Of a far store they are asked for ahead, in the order in which their sets are listed. */
    const struct sp_record_name **order;
    size_t norder, asked;
    struct sp_ahead *ahead;           /* NULL: each is read when its set comes */
    const struct sp_ahead_read *held; /* taken, and its set has not come yet */
    size_t len;
    enum sp_code rc;
    struct sp_err why;
};
/* Reads nothing. `in_order`: all sets will be asked about, in the order of `names`. */
enum sp_code sp_completions_begin(struct sp_completions *c, struct sp_repository *r,
    const struct sp_record_names *names, bool in_order, struct sp_err *e);
/* The first completion that the set's host signed for just this record, malloc'd; *ret = NULL: there is
 * none. Bad ones are passed over (R11: check names them); without a good host record signatures are
 * not looked at. Reads nothing when no object is named so. */
enum sp_code sp_completions_of(struct sp_completions *c, const struct sp_record_name *set,
    const uint8_t *record, size_t record_len, uint8_t **ret, size_t *ret_n, struct sp_err *e);
void sp_completions_end(struct sp_completions *c);

/* --- removal.c: what the clear part of a removal record says ------------------------------- */

struct sp_removal {
    uint8_t set_id[16], host[16], record[32];
    char job[256];
    uint64_t sequence;
};
enum sp_code sp_removal_decode(const void *p, size_t n, struct sp_removal *ret, struct sp_err *e);

#endif
