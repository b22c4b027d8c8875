#ifndef SP_STORAGE_STORE_H
#define SP_STORAGE_STORE_H

/* The seam (design §3): what a run uploads to and a restore reads from. Two implementations: a
 * repository opened from its folder (storage/store_repository.c) and a server that fronts one
 * (client/store_remote.c). tests/conformance holds both to this contract. The pipelines know nothing
 * else.
 *
 * Any thread may call anything at any time, except where a call says otherwise. Calls block; to keep a
 * slow link busy, call from several threads and in large batches. After the store failed (SP_IO,
 * SP_FULL, SP_UNREACHABLE after reconnecting was given up, …) every later call gives that first error
 * again: a store error ends the run (R1). Reads (get, list) do not poison it.
 *
 * Order: a have() that starts after a put() of the same id returned says yes. put() returning means
 * accepted, not durable; flush() returning means durable.
 */

#include "base/os.h"
#include "storage/record.h"
#include "storage/split.h"

struct sp_store;

struct sp_store_info {
    uint8_t repository[16];
    struct sp_split_params split;
    char address[512]; /* as the user gave it */
    bool writable;
    char why_not[256]; /* when not writable: the reason, for the user */
};

enum sp_have {
    SP_HAVE_NO = 0,
    SP_HAVE_MINE = 1,    /* in a present pack of this uploader: rely on it */
    SP_HAVE_MEMBERS = 2, /* in a pack of another member of the key group: fetch, open and check it once
                            before relying on it, or upload it again. Never said of nodes. */
};

struct sp_set_info { /* one record as the store has it */
    enum sp_record_type type; /* SET or CHECKPOINT */
    int64_t published_ns;     /* by the publisher's clock */
    uint8_t host[16], set_id[16];
    const uint8_t *record; /* the whole object; a view, valid during the callback */
    size_t record_len;
    /* The set's, as the store has it (its signature is the reader's to check); NULL: none, or none that can be read. */
    const uint8_t *completion;
    size_t completion_len;
};

/* Where a run stands: filled by head(). */
struct sp_store_head {
    bool has_set; /* newest set of this host and job: head of the chain */
    uint8_t *set;
    size_t set_len;
    uint8_t set_hash[32];
    bool set_whole; /* its closure was just proven, or known, to be in present packs */
    bool has_checkpoint; /* newest checkpoint after that set */
    uint8_t *checkpoint;
    size_t checkpoint_len;
    bool checkpoint_whole;
    /* Ids that are known to be missing below the two roots. At most 65536 of the first are named; `more`
     * says that there are others. Entries that refer to them must be read again (R6). */
    struct sp_id *missing;
    size_t nmissing;
    bool missing_more;
};
void sp_store_head_clear(struct sp_store_head *h);

struct sp_commit_result {
    int64_t published_ns;
    /* Non-empty: nothing was committed; these ids that the new root claims are not in present packs. The
     * caller uploads them (or their like) and commits again. At most 65536, sorted. */
    struct sp_id *missing;
    size_t nmissing;
    bool missing_more;
};
void sp_commit_result_clear(struct sp_commit_result *r);

/* A block that holds at least one of the ids asked for. The view is valid during the call. `wanted` are the
 * indices (into the ids asked for) of those inside. Called from one thread, in the order of the packs. A
 * code other than SP_OK ends the get and is returned. */
typedef enum sp_code (*sp_store_block_fn)(void *arg, const uint8_t *block, size_t n,
    const uint32_t *wanted, size_t nwanted, struct sp_err *e);

enum sp_check_depth {
    SP_CHECK_STRUCTURE = 0, /* objects, trailers, index, closure of every set */
    SP_CHECK_DATA = 1       /* and every byte of (a part of) the packs */
};
struct sp_check_progress {
    uint64_t packs, packs_total; /* looked at */
    uint64_t bytes, bytes_total; /* of packs that are read */
    uint64_t sets, sets_total;   /* walked */
};
struct sp_check_options {
    enum sp_check_depth depth;
    uint32_t part, parts; /* 1-based; parts 0: all. `auto` is resolved by the caller */
    /* Asked now and then, in the check's own thread; true ends it with SP_CANCELLED. A server does not
     * ask its client's: sp_store_cancel ends both. */
    bool (*stop)(void *arg); /* NULL: never */
    void (*progress)(void *arg, const struct sp_check_progress *so_far); /* NULL; not from a server */
    void *arg;
};
struct sp_check_finding {
    enum { SP_FINDING_NOTE, SP_FINDING_FAULT } severity;
    char object[192];   /* name of the object, or "" */
    uint8_t set_id[16]; /* zero when it concerns no set alone */
    char text[400];     /* one sentence */
    const struct sp_id *ids; /* chunks lost by it; a view */
    size_t nids;
};
typedef enum sp_code (*sp_check_fn)(void *arg, const struct sp_check_finding *f, struct sp_err *e);
struct sp_check_totals {
    uint64_t objects, packs, packs_read, bytes_read, sets, chunks, faults;
};

struct sp_store_ops {
    const char *kind; /* "repository", "server" */
    enum sp_code (*info)(struct sp_store *s, struct sp_store_info *ret, struct sp_err *e);
    enum sp_code (*slots)(struct sp_store *s, const uint8_t group[16],
        enum sp_code (*each)(void *arg, const uint8_t *slot, size_t n, struct sp_err *e), void *arg,
        struct sp_err *e);
    enum sp_code (*put_slot)(struct sp_store *s, const uint8_t *slot, size_t n, struct sp_err *e);
    enum sp_code (*host)(struct sp_store *s, const uint8_t host[16], uint8_t **ret, size_t *ret_n,
        struct sp_err *e);
    enum sp_code (*head)(struct sp_store *s, const char *job, struct sp_store_head *ret,
        struct sp_err *e);
    enum sp_code (*have)(struct sp_store *s, bool nodes, const struct sp_id *ids, size_t n,
        uint8_t *ret_answers, struct sp_err *e);
    enum sp_code (*put)(struct sp_store *s, uint8_t *block, size_t n, struct sp_err *e);
    enum sp_code (*flush)(struct sp_store *s, struct sp_err *e);
    enum sp_code (*commit)(struct sp_store *s, enum sp_record_type type, const uint8_t *record,
        size_t n, struct sp_commit_result *ret, struct sp_err *e);
    enum sp_code (*complete)(struct sp_store *s, const uint8_t *completion, size_t n, struct sp_err *e);
    enum sp_code (*get)(struct sp_store *s, const struct sp_id *ids, size_t n, unsigned copy,
        sp_store_block_fn each, void *arg, struct sp_err *e);
    enum sp_code (*list)(struct sp_store *s, bool all_hosts, bool checkpoints,
        enum sp_code (*each)(void *arg, const struct sp_set_info *i, struct sp_err *e), void *arg,
        struct sp_err *e);
    enum sp_code (*missing)(struct sp_store *s, const uint8_t set_id[16], struct sp_id **ret,
        size_t *ret_n, bool *ret_more, struct sp_err *e);
    enum sp_code (*check)(struct sp_store *s, const struct sp_check_options *o, sp_check_fn each,
        void *arg, struct sp_check_totals *ret, struct sp_err *e);
    void (*cancel)(struct sp_store *s);
    void (*free)(struct sp_store *s);
};
struct sp_store { /* the head of every implementation's own structure */
    const struct sp_store_ops *ops;
};

enum sp_code sp_store_info(struct sp_store *s, struct sp_store_info *ret, struct sp_err *e);
/* Key slots of a group, each encoded; group NULL: of all that this caller may see. */
enum sp_code sp_store_slots(struct sp_store *s, const uint8_t group[16],
    enum sp_code (*each)(void *arg, const uint8_t *slot, size_t n, struct sp_err *e), void *arg,
    struct sp_err *e);
enum sp_code sp_store_put_slot(struct sp_store *s, const uint8_t *slot, size_t n, struct sp_err *e);
/* An encoded host record, malloc'd; SP_ABSENT. */
enum sp_code sp_store_host(struct sp_store *s, const uint8_t host[16], uint8_t **ret, size_t *ret_n,
    struct sp_err *e);
/* Of the calling host's job. */
enum sp_code sp_store_head(struct sp_store *s, const char *job, struct sp_store_head *ret,
    struct sp_err *e);
/* n at most 65536. ret_answers[i] is an enum sp_have, by the listing that the last head() or commit()
 * made: what vanished since is still said to be there. That costs a round and no set: commit lists anew
 * and names it. */
enum sp_code sp_store_have(struct sp_store *s, bool nodes, const struct sp_id *ids, size_t n,
    uint8_t *ret_answers, struct sp_err *e);
/* Takes ownership of `block` (malloc'd), also on failure. Waits for credit. */
enum sp_code sp_store_put(struct sp_store *s, uint8_t *block, size_t n, struct sp_err *e);
enum sp_code sp_store_flush(struct sp_store *s, struct sp_err *e);
/* The order of R2: what was put becomes durable, then the index, then the closure of the record's root is
 * rechecked against the packs that are there now, then the record is published, then a last barrier. SP_OK
 * with result->nmissing > 0: not committed. SP_REFUSED: the chain moved on (another run of this job
 * finished), the host was revoked, or the store is read-only. A committed checkpoint replaces the job's one before;
 * a committed set removes its checkpoints. */
enum sp_code sp_store_commit(struct sp_store *s, enum sp_record_type type, const uint8_t *record,
    size_t n, struct sp_commit_result *ret, struct sp_err *e);
/* Publishes the completion of a set of the calling host, durable when it returns. The very same bytes being there
 * already is success: sending it again is harmless. SP_ABSENT: no such set, or its record is another; SP_EXISTS: it has
 * another one (the first counts); SP_REFUSED: another host's; SP_CORRUPT: grammar or signature; SP_UNSUPPORTED: the
 * server is older than completions. */
enum sp_code sp_store_complete(struct sp_store *s, const uint8_t *completion, size_t n, struct sp_err *e);
/* Blocks for n ids (at most 65536), each block once, in pack order. copy: 0 the best copy, 1 the next, … —
 * for when a copy proved bad. Ids that have no (such) copy are left out without an error: the caller counts. */
enum sp_code sp_store_get(struct sp_store *s, const struct sp_id *ids, size_t n, unsigned copy,
    sp_store_block_fn each, void *arg, struct sp_err *e);
/* Newest first. all_hosts: whatever this caller may see. */
enum sp_code sp_store_list(struct sp_store *s, bool all_hosts, bool checkpoints,
    enum sp_code (*each)(void *arg, const struct sp_set_info *i, struct sp_err *e), void *arg,
    struct sp_err *e);
/* What is missing below a set's root, *ret malloc'd; n = 0: whole. */
enum sp_code sp_store_missing(struct sp_store *s, const uint8_t set_id[16], struct sp_id **ret,
    size_t *ret_n, bool *ret_more, struct sp_err *e);
/* Never writes (R12). `each` may be called from any thread, one at a time. SP_OK also when faults were found:
 * they are counted. */
enum sp_code sp_store_check(struct sp_store *s, const struct sp_check_options *o, sp_check_fn each,
    void *arg, struct sp_check_totals *ret, struct sp_err *e);
/* From a signal-driven thread: every waiting call returns SP_CANCELLED soon, and so do later ones. */
void sp_store_cancel(struct sp_store *s);
void sp_store_free(struct sp_store *s);

#endif
