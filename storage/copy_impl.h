#ifndef SP_STORAGE_COPY_IMPL_H
#define SP_STORAGE_COPY_IMPL_H

/* What the files of copy share; nobody else includes it. One thread walks and reads, two write. */

#include "base/queue.h"
#include "storage/copy.h"
#include "storage/copy_gap.h"
#include "storage/upload_impl.h"

#define SP_COPY_QUEUE (24u << 20) /* bytes read and not yet written */
#define SP_COPY_IDS 32768u        /* asked for and fetched at once */
#define SP_COPY_WRITERS 2u

/* --- copy_list.c: the sets of a side ------------------------------------------------------- */

struct sp_copy_item {
    struct sp_set set; /* of one that is damaged only host and set_id */
    int64_t published_ns;
    uint8_t hash[32];
    bool damaged; /* its record cannot be read, or is another's, or is not signed by its host */
    bool wanted;
    bool refused;                 /* by its chain */
    uint8_t *record, *completion; /* of a server's: it is not asked for each again */
    size_t record_len, completion_len;
};
struct sp_copy_items {
    struct sp_copy_item *v; /* by host, group, time, number */
    size_t n, cap;
};
/* host NULL: of all. */
enum sp_code sp_copy_list(const struct sp_copy_side *side, const uint8_t *host,
    struct sp_copy_items *ret, struct sp_err *e);
enum sp_code
sp_copy_items_add(struct sp_copy_items *l, const struct sp_copy_item *item, struct sp_err *e);
struct sp_copy_item *sp_copy_items_find(struct sp_copy_items *l, const uint8_t set_id[16]);
void sp_copy_items_clear(struct sp_copy_items *l);

struct sp_copy_removal { /* a removal record of the source, or of the target */
    struct sp_removal r;
    int64_t published_ns;
};
struct sp_copy_removals {
    struct sp_copy_removal *v;
    size_t n, cap;
};
/* Those of a host that read; a server's are not told. */
enum sp_code sp_copy_removals(const struct sp_copy_side *side, const uint8_t host[16],
    struct sp_copy_removals *ret, struct sp_err *e);
void sp_copy_removals_clear(struct sp_copy_removals *l);

/* --- the whole ----------------------------------------------------------------------------- */

struct sp_copy_ref { /* an id, and what is known of it */
    struct sp_id id;
    enum { SP_COPY_NOWHERE, SP_COPY_DATA, SP_COPY_NODE } kind; /* in the source */
    bool own;                                                  /* in a pack of the host itself */
    bool done;                                                 /* nothing is left to do about it */
};

struct sp_copy_writers;

struct sp_copy {
    const struct sp_copy_side *from, *to;
    const struct sp_copy_options *o;
    struct sp_copy_totals *totals;
    struct sp_copy_items sets, there; /* of the source; of the host under way at the target */
    struct sp_copy_removals removed, removed_there; /* of the host under way */
    struct sp_gaps gaps, gaps_there;

    uint8_t host[16], group[16]; /* under way */
    struct sp_host signer;       /* its record, which the target does not contradict */
    bool joined;                 /* it is, and removals are taken over */
    struct sp_upload *upload;
    struct sp_opener *opener; /* NULL: blocks are not opened */

    struct sp_copy_writers *writers;
    struct sp_keyset seen; /* nodes of this set; of a dry run: of this host */
    char why[400];         /* why a block did not serve, last */
};

enum sp_code sp_copy_live(struct sp_copy *c, struct sp_err *e);
void sp_copy_tell(struct sp_copy *c, enum sp_copy_what what, const struct sp_copy_item *item,
    const char *fmt, ...) SP_PRINTF(4, 5);

/* --- copy_chain.c -------------------------------------------------------------------------- */

/* Marks and names what its chain forbids to copy: v[0..n) are all sets of one host in the source.
 */
enum sp_code sp_copy_judge(struct sp_copy *c, struct sp_copy_item *v, size_t n, struct sp_err *e);

/* --- copy_read.c: from the source ---------------------------------------------------------- */

/* Fills kind and own of each. */
enum sp_code sp_copy_classify(struct sp_copy *c, struct sp_copy_ref *v, size_t n, struct sp_err *e);
/* A block that is good; `wanted` index v. */
typedef enum sp_code (*sp_copy_block_fn)(void *arg, const uint8_t *block, size_t len,
    const uint32_t *wanted, size_t nwanted, struct sp_err *e);
/* Good blocks for all of v that are not done, by pack and offset, from one copy after the other;
 * those served are done. Those for which no copy is good stay as they are. `nodes`: what kind of
 * pack they lie in. */
enum sp_code sp_copy_fetch(struct sp_copy *c, bool nodes, struct sp_copy_ref *v, size_t n,
    sp_copy_block_fn each, void *arg, struct sp_err *e);
/* copy_trailers.c: what the packs' trailers say of the blocks of f, for f[i] in said[f[i].want].
 * Sorts f. */
struct sp_copy_said {
    uint8_t sha256[32];
    bool told; /* else the trailer has no such block, or cannot be read */
};
enum sp_code sp_copy_trailers(struct sp_repository *r, struct sp_fetch *f, size_t n,
    struct sp_copy_said *said, struct sp_err *e);
/* The length of the blocks that fetch would read, each once. */
enum sp_code sp_copy_measure(struct sp_copy *c, struct sp_copy_ref *v, size_t n,
    uint64_t *ret_blocks, uint64_t *ret_bytes, struct sp_err *e);

/* --- copy_write.c: to the target ----------------------------------------------------------- */

enum sp_code sp_copy_writers_start(struct sp_copy *c, struct sp_err *e);
/* Copies the block. Waits for room. */
enum sp_code sp_copy_put(struct sp_copy *c, const uint8_t *block, size_t len, struct sp_err *e);
/* Until everything was taken by the target: then have() knows of it. */
enum sp_code sp_copy_drain(struct sp_copy *c, struct sp_err *e);
void sp_copy_writers_stop(struct sp_copy *c);
/* Those of v that need no sending become done. */
enum sp_code
sp_copy_have(struct sp_copy *c, bool nodes, struct sp_copy_ref *v, size_t n, struct sp_err *e);
/* Whether the closure of this node is known to be at the target. */
bool sp_copy_known(struct sp_copy *c, const uint8_t id[32]);

/* --- copy_stale.c -------------------------------------------------------------------------- */

/* What the target lacks of a set that is there; *ret malloc'd. */
enum sp_code sp_copy_lacks(struct sp_copy *c, const struct sp_copy_item *item, struct sp_id **ret,
    size_t *ret_n, struct sp_err *e);
/* Whether the source has packs that it had not when it was listed: then what was not found there
 * may be there. */
bool sp_copy_more_came(struct sp_copy *c);

/* --- copy_walk.c --------------------------------------------------------------------------- */

/* Sends what the target lacks of the closures of `roots`. SP_CORRUPT: something of it has no good
 * copy in the source. */
enum sp_code
sp_copy_closure(struct sp_copy *c, const struct sp_id *roots, size_t n, struct sp_err *e);

/* --- copy_keys.c --------------------------------------------------------------------------- */

/* Host record and key slots of the host under way; c->signer. SP_REFUSED: other keys at the target.
 */
enum sp_code sp_copy_host(struct sp_copy *c, struct sp_err *e);
/* SP_REFUSED unless the target is a copy of the source, empty, or groups may be added. */
enum sp_code sp_copy_may(struct sp_copy *c, struct sp_err *e);

/* --- copy_commit.c ------------------------------------------------------------------------- */

/* The record and its completion, published. `missing` as a commit's. SP_REFUSED: the target's
 * chain. */
enum sp_code sp_copy_commit(struct sp_copy *c, const struct sp_copy_item *item,
    const uint8_t *record, size_t n, struct sp_commit_result *ret, struct sp_err *e);
enum sp_code sp_copy_completion(struct sp_copy *c, const struct sp_copy_item *item,
    const uint8_t *record, size_t n, struct sp_err *e);
/* Removal records of the source for what neither side has, as far as c->signer signed them. */
enum sp_code sp_copy_take_removals(struct sp_copy *c, struct sp_err *e);
/* Gaps at the target that are none any more. A failure harms nobody. */
void sp_copy_tidy_gaps(struct sp_copy *c);

#endif
