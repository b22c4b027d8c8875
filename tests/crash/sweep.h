#ifndef SP_TESTS_SWEEP_H
#define SP_TESTS_SWEEP_H

/* Every cut of what was played on a memdisk, and for each of them the residues that always matter
 * and some random ones; what is found is verified by the test that asks. */

#include <time.h>

#include "memdisk.h"

struct sweep {
    uint64_t seed;
    bool lasting;   /* STILLPOINT_LONG */
    size_t randoms; /* residues a cut, besides those that always matter */
    uint64_t cases, points,
        flushes; /* points: cuts; flushes: those just before and after a flush */
    time_t began;
};

struct sweep sweep_begin(size_t randoms, size_t randoms_long);
/* False: `why` says what is wrong. Nothing of it is kept on `found`. */
typedef bool (*sweep_verify)(void *arg, struct memdisk *found, size_t k, char why[512]);
/* Says what is wrong; false. */
bool sweep_wrong(char why[512], const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Cuts after k = from, from + 1, …: one in `stride` of them with all residues; of the others those
 * at one in `flushes` of the flushes: behind one with what it made durable and no more, before one
 * with something at random. */
void sweep_all(struct sweep *s, const struct memdisk *played, size_t from, size_t stride,
    size_t flushes, sweep_verify verify, void *arg);
/* The closing line. */
void sweep_end(const struct sweep *s, const char *what);

#endif
