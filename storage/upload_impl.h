#ifndef SP_STORAGE_UPLOAD_IMPL_H
#define SP_STORAGE_UPLOAD_IMPL_H

/* What upload.c, upload_close.c, commit.c and completions.c share; nobody else includes it. */

#include "storage/repository_impl.h"

enum { SP_LANE_DATA = 0, SP_LANE_NODES = 1, SP_LANES = 2 };

struct sp_lane_block {
    struct sp_pack_place place;
    uint32_t nids;
};

struct sp_lane_pack {              /* a pack that is not durable yet, and what is in it */
    struct sp_pack_writer *writer; /* NULL: none */
    struct sp_lane_block *blocks;
    size_t nblocks, blocks_cap;
    uint8_t (*ids)[SP_INDEX_KEY]; /* of the blocks, one after the other */
    size_t nids, ids_cap;
    struct sp_keyset pending;
    bool again; /* it became a pack with more in it than `blocks`: sp_pack_write_again */
};

struct sp_lane {
    enum sp_pack_kind kind;
    struct sp_lane_pack open;
    struct sp_lane_pack closing; /* being finished by some thread while `busy` */
    bool busy;
    uint64_t put;         /* blocks so far */
    uint64_t closing_end; /* … up to the end of `closing` */
    uint64_t durable;     /* … that are durable */
};

struct sp_upload {
    struct sp_repository *r;
    struct sp_pack_origin origin;
    struct sp_mutex lock;
    struct sp_cond changed; /* a lane is no longer busy */
    struct sp_lane lanes[SP_LANES];
    struct sp_err failed; /* the first failure: every later call gives it again */
    /* Copies of the group's key slots, for the trailers of node packs: u32 length and bytes each.
     * Used by the thread that finishes node packs. */
    struct sp_buf slots;
    uint64_t slots_gen;
    bool slots_loaded;
    bool leased; /* it holds the repository's lease: from its first put on */
};

/* The first failure, or SP_CANCELLED. The lock is held. */
enum sp_code sp_upload_state(struct sp_upload *u, struct sp_err *e);
void sp_upload_poison(struct sp_upload *u, const struct sp_err *e);
void sp_lane_pack_clear(struct sp_lane_pack *c);
/* Finishes the open packs of n lanes, none of them busy: publish, one barrier, then they count. The
 * lock is held, and released meanwhile. */
enum sp_code
sp_upload_close(struct sp_upload *u, struct sp_lane *lanes, size_t n, struct sp_err *e);
/* Writes the index out when the memtable is full; always, with a barrier. */
enum sp_code sp_upload_spill(struct sp_upload *u, struct sp_err *e);
enum sp_code sp_upload_index(struct sp_upload *u, struct sp_err *e);

/* --- commit.c ------------------------------------------------------------------------------ */

/* The uploader's record, which must be of the group that it uploads for: SP_REFUSED. */
enum sp_code sp_upload_host(struct sp_upload *u, struct sp_host *ret, struct sp_err *e);
/* Both with r->commit held. Our clock, but never behind the newest record of that host: the order of
 * names is the order of commits. */
enum sp_code sp_publishing_time(struct sp_repository *r, const struct sp_record_names *names,
    int64_t *ret_ns, struct sp_err *e);
/* The second behind it; SP_CORRUPT: there is none. */
enum sp_code sp_time_behind(int64_t published_ns, int64_t *ret_ns, struct sp_err *e);
/* Where a record's name places it in time, when that is not behind the newest: of copies. Asked with r->commit
 * held, after the recheck. *ret_there: the very same record has come meanwhile, and nothing is to be named: whoever did may not
 * have come to its barrier yet, so the caller needs one of its own. */
struct sp_placing {
    enum sp_code (*place)(void *arg, const struct sp_set *set, const struct sp_record_names *names,
        int64_t *ret_ns, bool *ret_there, struct sp_err *e);
    void *arg;
};
/* As sp_upload_commit of a set, in its place; `placing` also judges the chain. */
enum sp_code sp_upload_commit_placed(struct sp_upload *u, const uint8_t *record, size_t n,
    const struct sp_placing *placing, struct sp_commit_result *ret, struct sp_err *e);
/* Publishes and waits for the last barrier. What may have come to be without it is taken back, so
 * that nothing that failed leaves a record that is seen; but not where the name is not `ours` alone. */
enum sp_code sp_publish(struct sp_repository *r, const char *object, bool ours,
    const uint8_t *record, size_t n, struct sp_err *e);

#endif
