#ifndef SP_CLIENT_BACKUP_H
#define SP_CLIENT_BACKUP_H

/* One run of one job: from the source to a committed set (design §3).
 *
 *   walk ──► merge with the parent ──► order ───────────────────────────────► catalog ──► commit
 *              │ unchanged: reuse        ▲ content known                         │ nodes
 *              └ changed ─► readers ─────┘                                       ▼
 *                             read, split, id ─► askers: have it? ─► blocks ─► sealers ─► store
 *
 * Threads: one walks and merges, a few read, a few ask, one per core seals, one writes the catalog. Queues
 * between are bounded in bytes. The catalog's thread takes entries in the order of the walk, whatever the
 * readers finish first. A checkpoint stops the intake, drains, flushes, commits what is there, goes on.
 *
 * Faults of single source files are warnings (the set is then incomplete and names them); everything else
 * ends the run without a set (R1). */

#include "base/os.h"
#include "client/source.h"
#include "storage/catalog.h"
#include "storage/store.h"

struct sp_ratelimit; /* client/ratelimit.h */
struct sp_usn;       /* client/usn.h */

struct sp_backup_options {
    const char *job;               /* at most 255 bytes */
    uint8_t host[16];
    const char *host_name;
    const uint8_t *signing_secret; /* Ed25519, 32 bytes */
    struct sp_source_options source;
    const struct sp_volume *volumes; /* recorded; consistency per volume */
    size_t nvolumes;
    enum sp_level applications, files_level;
    const char *const *excludes; /* recorded */
    size_t nexcludes;
    int compression;               /* zstd level; 0: 3 */
    unsigned audit;                /* one of this many unchanged files is read anyway; 0: 90; UINT_MAX: none */
    bool reread;                   /* read everything, reuse nothing */
    struct sp_usn *usn;            /* change journals, begun; NULL: none */
    unsigned usn_audit;            /* one of this many files that they vouch for is looked at anyway; 0: 30 */
    uint64_t checkpoint_ns, checkpoint_bytes; /* 0: 15 minutes, 8 GiB */
    const char *cache_dir, *temp_dir;
    struct sp_ratelimit *limit;    /* of bytes given to the store; NULL: none */
    uint64_t run_seed; /* where the rotating share to audit begins; the chain's sequence turns it, so the same
                          number for all runs of a job lets every file have its turn */
    uint64_t known_sequence;       /* R21: what this machine remembers of the chain's head; 0: nothing */
    uint8_t known_hash[32];
};

struct sp_backup_stats {
    uint64_t entries, files, bytes;
    uint64_t files_new, files_changed, files_unchanged, files_audited;
    uint64_t bytes_read, bytes_new, bytes_stored, chunks_new;
    uint64_t files_vanished;
    uint64_t files_vouched;        /* not even looked at, since a change journal vouches for them */
    uint64_t journal_audited, journal_differences; /* looked at although it does; and had changed */
    uint64_t files_away;           /* placeholders: recorded without their content */
    uint64_t bytes_total_guess;    /* from the parent, for progress; 0 unknown */
    uint64_t faults, audit_differences;
    uint64_t checkpoints;
    uint64_t excluded, crossed;
};

struct sp_backup_events { /* any may be NULL; called by one thread at a time */
    void (*fault)(void *arg, const struct sp_fault *f);
    void (*audit)(void *arg, const void *key, size_t key_len); /* content differs although nothing said so */
    void (*journal)(void *arg, const void *key, size_t key_len); /* changed, and its change journal is silent: it
                                                                    is not believed any more */
    void (*progress)(void *arg, const struct sp_backup_stats *so_far, const void *key, size_t key_len);
    void (*checkpoint)(void *arg, const struct sp_backup_stats *so_far);
    void (*note)(void *arg, const char *sentence);
    void (*seen)(void *arg, const void *key, size_t key_len); /* by the walk, each file that is in the set, once
                                                                 (in the first pass) */
    void (*left_out)(void *arg, const void *key, size_t key_len, bool is_dir); /* by the walk: see client/source.h */
    /* Once the catalog is whole and before its record is made, in each pass: what the run found out about
     * consistency is complete. Fills *ret_verdict (borrowed until sp_backup_run returns; NULL: none) and the two levels
     * of the record. */
    enum sp_code (*before_commit)(void *arg, const struct sp_verdict **ret_verdict, enum sp_level *ret_applications,
        enum sp_level *ret_files, struct sp_err *e);
    void *arg;
};

struct sp_backup_result {
    struct sp_backup_stats stats;
    uint8_t set_id[16];
    enum sp_set_state state; /* COMPLETE or INCOMPLETE */
    uint64_t sequence;
    int64_t started_ns, ended_ns, published_ns;
    bool from_checkpoint;
    bool chain_broken;        /* R21: the store does not have the set that this machine remembers as its last */
    uint8_t record_hash[32];  /* of the committed set: the chain's new head */
};

/* `cancelled` (may be NULL) is asked now and then; true ends the run with SP_CANCELLED after a last
 * checkpoint was tried. */
enum sp_code sp_backup_run(const struct sp_env *env, struct sp_store *store, const struct sp_keys *keys,
    const struct sp_backup_options *o, const struct sp_backup_events *events,
    bool (*cancelled)(void *arg), void *cancelled_arg, struct sp_backup_result *ret,
    struct sp_err *e);

#endif
