#ifndef SP_CLIENT_BACKUP_RUN_H
#define SP_CLIENT_BACKUP_RUN_H

/* Inside the backup pipeline: what its parts (backup.c, backup_*.c) share. See backup.h for the picture.
 *
 * Locks, never nested but run->lock innermost: gather (builders, recent ids, what is under way), order (the
 * list that keeps the walk's order), run->lock (first error), events_lock (callbacks). Counters are atomic. */

#include <stdatomic.h>

#include "base/clock.h"
#include "base/queue.h"
#include "base/random.h"
#include "base/thread.h"
#include "client/backup.h"
#include "client/nodes.h"
#include "client/recent.h"
#include "client/seen.h"
#include "client/usn.h"
#include "storage/chunklist.h"
#include "storage/compress.h"

struct backup;

/* --- work: one object on its way from the walk to the catalog -------------------------------------- */

struct work {
    struct sp_item *item;
    struct sp_entry *old;   /* the parent's entry, to compare with; NULL when there is none or its chunks
                               may not be relied on */
    struct sp_entry *entry; /* what goes into the catalog; NULL: nothing */
    struct sp_fault *fault; /* to be recorded */
    bool audit;             /* read although unchanged */
    bool read;              /* a reader has to look at it */
    bool abandoned;         /* the run was interrupted before it was read */
    bool done;              /* under order.lock */
    size_t weight;
    struct work *next, *next_read;
};
void backup_work_free(struct work *w);

/* The walk's order: a list whose head is taken only when it is done; and within it what waits for a reader.
 * Nobody is woken for each single object where nobody waits for it: the catalog's thread hears of several at
 * a time (or looks again after 200 ms), the walk goes on when there is room for many. */
struct order {
    struct sp_mutex lock;
    struct sp_cond room, unread, ready; /* heard by the walk, the readers, the catalog's thread */
    struct work *head, *tail;
    struct work *first_unread, *last_unread;
    size_t bytes, peak, nunread;
    unsigned idle_readers, ripe; /* ripe: done since the catalog's thread was told */
    bool walk_waits, catalog_waits;
    bool ended, aborted;
};
#define ORDER_LIMIT (6u << 20)
#define READ_AHEAD 256 /* each that waits for a reader may hold a folder open */

void order_init(struct order *o);
void order_destroy(struct order *o);
bool order_push(struct order *o, struct work *w); /* false: aborted; w is still the caller's */
/* The next to be read; NULL: ended or aborted. It stays in the list. */
struct work *order_take(struct order *o);
void order_done(struct order *o, struct work *w); /* weighs it again: what was read of it counts */
/* The first that are done, linked by `next`. NULL: ended or aborted; or, with *ret_waiting, nothing was ready
 * for 200 ms. */
struct work *order_pop(struct order *o, bool *ret_waiting);
void order_end(struct order *o);
void order_abort(struct order *o);

/* --- gather: chunks → have it? → blocks ------------------------------------------------------------- */

#define MAX_READERS 8
#define ASKERS 4
#define MAX_SEALERS 8
#define ASK_LIMIT (6u << 20)
#define ASK_BATCH_BYTES (2u << 20)
#define ASK_BATCH_IDS 1024
#define BUNDLE_IDS 64 /* go to the askers together */
#define BUNDLE_BYTES (512u << 10)
#define SEAL_LIMIT (4u << 20)
#define BUILDERS 3 /* files, images, nodes */
#define WHOLE_NODES 16384

struct chunk;
struct bundle { /* chunks on their way to the askers, linked */
    struct chunk *first, *last;
    size_t n, weight;
};

struct gather {
    struct sp_mutex lock;
    struct sp_cond changed;
    struct sp_recent *recent;
    struct sp_seen *whole; /* nodes read of a parent: the store has them, so they are not asked about */
    struct sp_block_builder *open[BUILDERS];
    struct bundle *filling; /* NULL: none */
    uint64_t asking; /* chunks given in and neither known nor in a builder yet */
    uint64_t blocks; /* builders given to the sealers and not yet taken by the store */
    bool closed;     /* the gate: readers wait before they give in more */
    bool aborted;
    struct sp_queue *ask, *seal;
};

enum sp_code gather_init(struct backup *b, struct sp_err *e);
void gather_destroy(struct backup *b);
void gather_abort(struct backup *b);
/* Gives one chunk in. Known ids cost nothing. `catalog`: the caller is the catalog's thread, which passes the
 * closed gate. SP_CANCELLED after an abort. */
enum sp_code gather_submit(struct backup *b, bool catalog, enum sp_block_kind block,
    enum sp_chunk_kind kind, const struct sp_id *id, const struct sp_id *refs, size_t nrefs,
    const void *p, size_t n, struct sp_err *e);
/* The store is known to have this node. */
void gather_known(struct backup *b, const struct sp_id *node);
/* Closes the gate, waits until everything given in is with the store; gather_open lets the readers go on. */
enum sp_code gather_drain(struct backup *b, struct sp_err *e);
void gather_open(struct backup *b);
void gather_asker(void *arg);
void gather_sealer(void *arg);

/* --- the parent ------------------------------------------------------------------------------------- */

/* A node source without what the store is known to lack, wherever else it may be: what hangs below such a
 * node may be missing too, and nobody has looked (R6). */
struct whole_nodes {
    struct backup *b;
    struct sp_node_source below;
};
struct sp_node_source backup_whole_source(struct whole_nodes *w);

struct parent { /* entries of the last set, or of a checkpoint up to its last key and the set behind it */
    struct whole_nodes nodes;
    struct sp_node_source source;
    struct sp_catalog *first, *second;
    uint8_t *last_key; /* first is good up to here */
    size_t last_key_len;
    bool first_ended, second_sought;
    const struct sp_entry *at; /* the entry looked at, or NULL */
    struct sp_catalog *from;   /* whose entry it is */
    bool ended;
};
enum sp_code parent_open(struct backup *b, struct sp_err *e);
void parent_close(struct parent *p);
/* The parent's entry of this key, or NULL. Keys must rise. */
enum sp_code parent_find(struct backup *b, const uint8_t *key, size_t n, const struct sp_entry **ret,
    struct sp_err *e);
bool backup_id_missing(const struct backup *b, const struct sp_id *id);

/* --- the run ------------------------------------------------------------------------------------------ */

struct counters { /* of files: as the first pass found them, against the last set */
    atomic_uint_fast64_t files_new, files_changed, files_unchanged, files_audited, bytes_read, bytes_new,
        bytes_stored, chunks_new, audit_differences, files_vanished, files_vouched, journal_audited,
        journal_differences;
};

struct backup {
    const struct sp_env *env;
    struct sp_store *store;
    const struct sp_keys *keys;
    const struct sp_backup_options *o;
    const struct sp_backup_events *events;
    bool (*cancelled)(void *arg);
    void *cancelled_arg;

    struct sp_store_info info;
    struct sp_store_head head;
    struct sp_set last, checkpoint; /* decoded clear parts of head */
    bool use_set, use_checkpoint;   /* as a parent */
    struct sp_id root_set, root_checkpoint;
    uint8_t *checkpoint_key; /* last key of the checkpoint */
    size_t checkpoint_key_len;
    const struct sp_id *missing; /* sorted: not to be relied on */
    size_t nmissing;

    struct sp_splitter *splitter;
    struct sp_sealer *sealer;
    struct sp_nodes *nodes; /* of the walking thread: parent's catalog */
    struct parent parent;
    struct sp_source *source;
    struct gather gather;
    struct order order;

    struct sp_mutex lock;
    struct sp_err first_error;
    atomic_bool failed;
    atomic_bool stopping; /* interrupted: finish what is under way, checkpoint, end */

    struct sp_mutex events_lock;
    struct counters count;

    /* of the catalog's thread */
    struct sp_hasher *hasher;
    struct sp_opener *opener;
    struct sp_compressor *compressor;
    struct sp_set_sealed sealed;
    size_t fault_bytes; /* of the faults kept in it */
    enum sp_level applications, files_level; /* of the record: the caller's, until before_commit says */
    uint64_t files_away; /* in the catalog, so far */
    struct sp_buf away; /* the path of the first file whose content is elsewhere, as it is shown */
    struct sp_catalog_totals totals;
    struct sp_id root;
    uint64_t checkpoints;
    int64_t started_ns;
    uint8_t set_id[16];
    uint64_t pass;
};

/* Keeps the first error and stops everything. */
void backup_fail(struct backup *b, const struct sp_err *e);
bool backup_stopping(struct backup *b); /* asks the caller's `cancelled` too */
void backup_stats(struct backup *b, struct sp_backup_stats *ret);
void backup_note(struct backup *b, const char *text);
/* Counts an entry of the catalog whose content is elsewhere; tells of all of them. */
enum sp_code backup_note_away(struct backup *b, const struct sp_entry *en, struct sp_err *e);
void backup_tell_away(struct backup *b);
void backup_count(struct backup *b, atomic_uint_fast64_t *files); /* one more, in the first pass */
/* The change journals (backup_journal.c). compare: the parent is known, the walk has not begun; finish: the set is
 * committed. vouches: the listing's line agrees with the parent's entry, and the journal says nothing of it;
 * audit: it was looked at nevertheless, which `there` and the item tell. */
void backup_journal_compare(struct backup *b);
bool backup_journal_vouches(const struct backup *b, const struct work *w, const struct sp_entry *old);
void backup_journal_audit(struct backup *b, const struct work *w, const struct sp_entry *old, bool there);
void backup_journal_finish(struct backup *b, const struct sp_backup_result *result);
void backup_walker(void *arg);
void backup_reader(void *arg);
/* The catalog's thread: takes work in order until the end; gives the root. */
enum sp_code backup_catalog(struct backup *b, struct sp_err *e);
/* Makes a record and throws it away: what would fail after hours (a job's name that is no text, ten thousand
 * excludes) fails before anything is read. */
enum sp_code backup_try_record(struct backup *b, struct sp_err *e);
/* Asks what the run found out about consistency, for the record. */
enum sp_code backup_before_commit(struct backup *b, struct sp_err *e);
/* Drains, flushes, seals a record and commits it. */
enum sp_code backup_commit(struct backup *b, enum sp_record_type type, const struct sp_id *root,
    const struct sp_catalog_totals *totals, struct sp_commit_result *ret, uint8_t ret_hash[32],
    enum sp_set_state *ret_state, struct sp_err *e);
struct sp_fault *backup_fault_new(const struct sp_entry *en, enum sp_fault_kind kind,
    const struct sp_err *why);
void backup_fault_free(struct sp_fault *f);

#endif
