#ifndef SP_TESTS_HISTORY_H
#define SP_TESTS_HISTORY_H

/* What is done to a repository before a power cut, and what must hold after it, whatever it lies
 * on.
 *
 * A history is played once in a world that counts its operations; from what the world wrote down,
 * its owner makes what a cut after operation k may have left, and has that verified. So a case
 * costs the verifying only.
 *
 * The hosts here are small but true ones: they drive the store (storage/store.h) or, as a server
 * does, repository and uploads (storage/repository.h) with real blocks, nodes and signed records,
 * in one thread, and decide what to reuse as the backup pipeline does: from a parent that the store
 * calls whole, or what is not named missing. A set's content is a function of the set, so that it
 * is compared exactly.
 */

#include "storage/backend.h"

struct history;

/* Where the repository lies. */
struct history_world {
    void *arg;
    /* A backend over what is there now, to be freed as one. create: as sp_backend_dir_open. Called
     * again for every program that begins; never two at a time are in use. */
    enum sp_code (*open)(void *arg, bool create, struct sp_backend **ret, struct sp_err *e);
    /* Operations so far. A cut "after k" has seen operations 1…k and no more. NULL in a world that
     * is only verified. */
    uint64_t (*operations)(void *arg);
    /* Hours pass between two runs: whatever was written has reached the disk by itself. NULL: a
     * world in which nothing does. */
    void (*idle)(void *arg);
};

/* What the world promises of a cut (header of cutstore.h): only by them is a loss judged. */
enum {
    HISTORY_NAMES = 1, /* what a sync covered is there */
    HISTORY_BYTES = 2, /* and an object that is there is whole */
    HISTORY_SURE = HISTORY_NAMES | HISTORY_BYTES,
    /* Without BYTES: an object may even have its right length and other bytes. Nobody sees that
     * before a check has read it. */
    HISTORY_SILENT = 4
};

enum history_scenario {
    HISTORY_RUNS,        /* init, a run, a run with changes, another at once */
    HISTORY_CHECKPOINTS, /* a run with checkpoints that dies, and is resumed with more of them */
    HISTORY_MEMBERS,     /* two hosts of one key group, interleaved, as a server drives them */
    HISTORY_MERGE,       /* small runs until index segments are merged, twice */
    HISTORY_SCENARIOS
};
extern const char *const history_names[HISTORY_SCENARIOS];

/* Plays it in an empty world. When the world dies under it, it ends: whether it said "done" of
 * something that was not is seen by verifying. The same seed, the same history. What is wrong
 * without any cut fails the test. */
struct history *
history_play(enum history_scenario scenario, uint64_t seed, const struct history_world *w);
void history_free(struct history *h); /* NULL is harmless */
/* It came to its end: the world did not die. */
bool history_ended(const struct history *h);

struct history_cut {
    uint64_t after;    /* operations that happened */
    unsigned promises; /* HISTORY_… */
    bool no_cache;     /* another machine goes on: the local cache folders are empty */
    bool lose_one;     /* the store loses a pack under the next run, just before it commits */
};
/* Whether what must hold does:
 *  - the repository opens; it may refuse only when init had not said that it is done
 *  - sets that were reported done are listed, in their chain, called whole, and are (NAMES, BYTES)
 *  - what the store calls whole is whole, of every record that is listed (but for SILENT, before a
 *    check with data has read it)
 *  - blocks that were acknowledged as durable are there (NAMES, BYTES)
 *  - a check with data finds no fault (NAMES, BYTES); else no fault stays untold
 *  - the next run of every job succeeds, is whole, restores equal, also for another machine without
 *    a cache, and the check of what it made is clean
 * The world is written to. False: `why` says what does not. */
bool history_verify(const struct history *h, const struct history_world *survivor,
    const struct history_cut *cut, char why[512]);

#endif
