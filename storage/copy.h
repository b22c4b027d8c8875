#ifndef SP_STORAGE_COPY_H
#define SP_STORAGE_COPY_H

/* Copies of backup sets from one repository to another: the offsite copy of 3-2-1. Blocks, records,
 * completions and key slots go over as they are, byte for byte, so no key is needed; packs and
 * index are written anew (a pack bears its repository's id). Either side is a repository or a
 * server, which shows this machine's own sets and takes no others.
 *
 *  - A set is copied when its record is published at the target, after everything that it claims is
 *    durable there and was found in place by a fresh listing (R2, R8). What is there is not sent
 * again, so a copy that was cut goes on where it was, and a second one moves nothing. A set whose
 * record is there but which lacks something is made whole.
 *  - Each block is held against the hash that its pack's trailer has of it; a server shows no
 * trailers, so blocks from there have to be opened, and every id recomputed, by who has the key. A
 * bad block is looked for in the next copy. When none is good, the set that needs it is not copied,
 * is named, and the others go on (R11).
 *  - Who uploaded what stays: the blocks of each host go into packs of that host (R23 is the
 *    target's, so a server takes them from that host alone).
 *  - The records of a job form a chain (R21). A gap without a removal record, or a fork, in the
 * source is named and the job is not copied, unless gaps are accepted. What is left out leaves a
 * gap at the target, which an object of its own tells of (docs/format.md §9.3), so that check knows
 * a gap that was left from one that came to be. Two sets of one number never come together.
 *  - A record keeps the time in its name where the target is a repository: the newest stays the
 * newest.
 *
 * Memory: some hundred bytes a set, 32 a node of the set under way, and 40 MiB. */

#include "base/json.h"
#include "storage/repository.h"

struct sp_copy_side { /* one of the two */
    struct sp_repository *repository;
    struct sp_store *store;      /* a server's */
    uint8_t host[16], group[16]; /* … and this machine there */
};

enum sp_copy_what {
    SP_COPY_SET_COPIED,
    SP_COPY_SET_THERE,   /* it was there already, whole */
    SP_COPY_SET_HEALED,  /* it was there and lacked something */
    SP_COPY_SET_FAILED,  /* not copied: what it needs is damaged, or its record is */
    SP_COPY_SET_REFUSED, /* not copied, for safety: its chain, or that of the target */
    SP_COPY_NOTE,        /* something that the user should know */
    SP_COPY_DAMAGE       /* an object of the source is bad; another copy may serve */
};
struct sp_copy_event {
    enum sp_copy_what what;
    const struct sp_set *set; /* NULL: of none */
    int64_t published_ns;
    const char *text; /* "" or a sentence */
};

struct sp_copy_totals {
    uint64_t sets_copied, sets_there, sets_healed, sets_failed, sets_refused;
    uint64_t damaged;          /* objects of the source that were found bad */
    uint64_t blocks, bytes;    /* sent; of a dry run: that would be */
    uint64_t chunks_there;     /* that needed no sending */
    uint64_t sets, sets_total; /* done with, of those that were asked for */
    bool bytes_known;          /* of a dry run: a server does not say how long its blocks are */
};

/* One word for --json: "copied", "there", … */
const char *sp_copy_word(enum sp_copy_what what);
/* Into an open object. */
void sp_copy_totals_json(struct sp_json *j, const struct sp_copy_totals *t, bool dry_run);

struct sp_copy_options {
    /* Which sets; NULL: all. */
    bool (*wanted)(void *arg, const struct sp_set *set, int64_t published_ns);
    void *wanted_arg;
    const struct sp_keys *keys; /* open every block; needed for a server as the source */
    /* The source took its host records from the hosts themselves: a server's own repository. Else a
     * key that the target does not know of a host it knows is refused, unless `keys` prove it. */
    bool hosts_proven;
    bool accept_gaps;
    bool add_groups;         /* to a target that holds other key groups and none of the source's */
    bool dry_run;            /* nothing is written */
    bool (*stop)(void *arg); /* asked now and then; true: SP_CANCELLED. NULL: never */
    void (*event)(void *arg, const struct sp_copy_event *ev); /* NULL is harmless */
    void (*progress)(void *arg, const struct sp_copy_totals *so_far);
    void *arg;
};

/* SP_OK also when sets were not copied: they are counted. *ret is filled in every case. The target
 * is open for writing (unless it is a dry run). SP_REFUSED: the target is of another key group, or
 * a host has other keys there; SP_INVALID: source and target are the same repository. */
enum sp_code sp_copy(const struct sp_copy_side *from, const struct sp_copy_side *to,
    const struct sp_copy_options *o, struct sp_copy_totals *ret, struct sp_err *e);

/* Host records and key slots of all of the source's groups, into a repository that was just made.
 */
enum sp_code
sp_copy_keys(const struct sp_copy_side *from, struct sp_repository *to, struct sp_err *e);

#endif
