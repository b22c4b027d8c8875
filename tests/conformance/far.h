#ifndef SP_TESTS_FAR_H
#define SP_TESTS_FAR_H

/* A store far away, as it would be behind the SFTP backend, without waiting: it stands on another
 * backend and counts, on a clock of its own, how long the answers would be under way. The unit is a
 * round: a question and its answer. Each thread has its time; a thread that is new begins at the
 * latest time there is, and a sync waits for all. What overlaps counts once.
 *
 *   get, fetch      2 rounds (open, read); 1 when the object was read just before
 *   size, remove, move, written, space   1
 *   list            2 for each level of folders, those of one level side by side; list_all: the
 * same, once publish, now    5 (last write, flush, close, look, rename); begin and write: nothing,
 * they are not waited for bytes           through one pipe, `per_round` of them in a round (0: any
 * number)
 *
 * Fetches are under way from start to finish; the backend must be freed with none of them left. Any
 * thread. */

#include "base/thread.h"
#include "storage/backend.h"

#define FAR_ROUND 1000u /* ticks */
#define FAR_KEPT 16u    /* objects that are open, because they were read just before */

struct far {
    struct sp_backend head;
    struct sp_backend *below; /* owned */
    struct sp_mutex lock;
    uint64_t generation;
    uint64_t latest, pipe; /* ticks: of any thread; when the pipe is free */
    size_t per_round;
    char kept[FAR_KEPT][192];
    size_t next_kept;

    size_t calls, lists, publishes; /* since far_reset; calls: everything that was waited for */
    uint64_t bytes;                 /* read */
    size_t under_way, under_way_bytes, most_bytes;
    uint64_t idle; /* ticks between two fetches in which the pipe had nothing to do */

    const char *fail_prefix;              /* reads of objects whose names begin so … */
    size_t fail_start_at, fail_finish_at; /* … the n-th of them fails with `code`; 0: none */
    size_t starts, finishes;
    enum sp_code code;
    void (*before)(void *arg, const char *op, const char *name); /* may be NULL */
    void *arg;
};

/* Takes over below. `ahead`: as struct sp_backend says. */
struct far *far_new(struct sp_backend *below, size_t ahead);
/* Everything from zero; nothing is open. */
void far_reset(struct far *f);
/* Rounds since then, of what took longest; rounded up. */
size_t far_rounds(struct far *f);

#endif
