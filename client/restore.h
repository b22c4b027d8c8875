#ifndef SP_CLIENT_RESTORE_H
#define SP_CLIENT_RESTORE_H

/* Restoring from a set (design §3, R11, R16, R24). The plan: entries are taken in catalog order in windows
 * bounded by memory; for each window the blocks that hold what must be written are fetched in pack order,
 * each opened once, and its chunks written to the files that need them; a file gets its name when it is
 * whole and verified, its folder's attributes when all in it is done. Hard links come last, out of runs
 * sorted on local disk, so that no table holds them all. One bad object never blocks the others: each file
 * that could not be restored whole is reported, and the result says that it was partial. */

#include "base/os.h"
#include "client/filter.h"
#include "storage/catalog.h"
#include "storage/store.h"

enum sp_if_exists {
    SP_IF_EXISTS_REPLACE, /* make it as in the set; what is equal already is not written again */
    SP_IF_EXISTS_KEEP,    /* leave every existing file alone */
    SP_IF_EXISTS_NEWER    /* replace only what is older than in the set */
};

struct sp_restore_options {
    const char *target; /* folder; made when missing. NULL: in place (every key at its own path) */
    const struct sp_filter *select; /* NULL: all */
    enum sp_if_exists if_exists;
    size_t strip;       /* leading components to leave out below target (0: the whole path is kept) */
    bool numeric_owner; /* do not map owner and group by name */
    bool dry_run;       /* say what would be done, write nothing */
    unsigned threads;   /* 0: by the machine */
    const char *temp_dir;
};

struct sp_restore_stats {
    uint64_t entries, files, bytes;      /* restored, or found equal already */
    uint64_t files_equal, bytes_equal;   /* of these: already there as in the set */
    uint64_t bytes_fetched;              /* of blocks */
    uint64_t kept;                       /* left alone by if_exists */
    uint64_t faults;                     /* entries that are not as in the set */
    uint64_t not_supported;              /* attributes that the target cannot hold */
    uint64_t matched;                    /* entries that `select` took; 0 with select: nothing matched */
};

struct sp_restore_events { /* any may be NULL; called by one thread at a time */
    void (*fault)(void *arg, const void *key, size_t key_len, const struct sp_err *why);
    /* An attribute that this target cannot hold: once per kind of attribute. */
    void (*note)(void *arg, const char *sentence);
    void (*would)(void *arg, const struct sp_entry *en, const char *what); /* dry run */
    void (*progress)(void *arg, const struct sp_restore_stats *so_far);
    void *arg;
};

/* SP_OK also when single entries failed: stats->faults counts them. Other codes: nothing sensible could go
 * on (store lost, target full or not writable, catalog's root unreadable). */
enum sp_code sp_restore_run(const struct sp_env *env, struct sp_store *store, const struct sp_keys *keys,
    const struct sp_id *root, const struct sp_restore_options *o,
    const struct sp_restore_events *events, struct sp_restore_stats *ret, struct sp_err *e);

#endif
