#ifndef SP_TESTS_CLIENT_SITE_H
#define SP_TESTS_CLIENT_SITE_H

/* A machine with files and a repository for them, for the tests of the backup pipeline: runs with
 * everything they tell, each under a deadline of its own, and restores held against the files.
 * Whatever goes wrong fails the test. */

#include "tests/unit/client/tree.h"

#include "client/backup.h"
#include "storage/backend.h"
#include "tests/conformance/recorder.h"
#include "tests/unit/client/store_wrap.h"

struct site {
    struct tree tree; /* `files` is backed up; repository, caches, restores lie beside */
    struct sp_backend *below;
    struct sp_keys *keys;
    struct sp_host host;
    uint8_t secret[32];
    struct sp_store *repository; /* over a recorder over below */
    struct recorder *recorder;
    struct store_wrap wrap;
    const char *job;
    bool folder;
    struct sp_split_params split; /* of repositories made by site_renew; zero: defaults */
    uint32_t pack_size;           /* the same; 0: 1 MiB */
    bool guest;                   /* `below` is another site's */
    unsigned opens;

    struct sp_backup_options o; /* what site_run does not fill in may be changed */
    bool settled;               /* nothing is RECHECK: as if the run began a minute from now */
    bool (*cancelled)(void *arg);
    void *cancelled_arg;
    void (*around)(bool begins); /* just before and after the pipeline runs; NULL */
    const struct sp_backup_events *more; /* its seen and before_commit, with its arg; NULL */
    unsigned deadline_s;
};

struct outcome {
    enum sp_code code;
    struct sp_err err;
    struct sp_backup_result result;
    size_t nfaults, nnotes, naudits, nprogress, ncheckpoints;
    struct sp_fault faults[32]; /* the first, without key */
    char fault_paths[32][256];  /* behind files/ */
    char notes[8][256];
};

void site_new(struct site *s, bool folder); /* the repository in a folder, or in memory */
/* Another machine at the same repository: a member of the key group, or a stranger. Freed first. */
void site_guest(struct site *s, const struct site *at, bool member);
void site_free(struct site *s);
/* Another, empty repository; the node cache and what was known of the chain are gone too. */
void site_renew(struct site *s);
/* The store anew, as another process would open it. */
void site_reopen(struct site *s);
/* One run of `files`; `what` names it when it takes too long. */
void site_run(struct site *s, const char *what, struct outcome *ret);
/* And it must succeed and be complete. */
void site_run_well(struct site *s, const char *what, struct outcome *ret);
const struct sp_fault *outcome_fault(const struct outcome *o, const char *path); /* NULL: none */

struct site_sets {
    size_t sets, checkpoints;
    struct sp_set newest; /* set */
};
struct site_sets site_sets(struct site *s); /* by a store of its own */
/* Entry of the newest set, by path below `files` ("" is the folder); free() it. NULL: none. */
struct sp_entry *site_entry(struct site *s, const char *path);
/* Restores the newest set and compares. */
void site_assert_equal(struct site *s);
/* Forgets the local node cache. */
void site_drop_cache(struct site *s);
/* Removes objects whose name begins so; how many. At most `most`. */
size_t site_lose(struct site *s, const char *prefix, size_t most);

void site_file(struct site *s, const char *path, const void *p, size_t n); /* below files */
void site_random_file(struct site *s, const char *path, size_t n, uint64_t seed);
void site_many(struct site *s, const char *folder, size_t n, size_t size);
#endif
