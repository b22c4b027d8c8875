#include "sweep.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define PRINTS 256

struct sweep
sweep_begin(size_t randoms, size_t randoms_long)
{
    const char *seed = getenv("SP_SEED"), *cases = getenv("SP_CASES");
    struct sweep s = {.seed = seed != NULL ? strtoull(seed, NULL, 10) : 1,
        .lasting = getenv("STILLPOINT_LONG") != NULL,
        .began = time(NULL)};

    s.randoms = s.lasting ? randoms_long : randoms;
    if (cases != NULL)
        s.randoms = strtoull(cases, NULL, 10);
    return s;
}

bool
sweep_wrong(char why[512], const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(why, 512, fmt, ap);
    va_end(ap);
    return false;
}

static bool
behind_flush(const struct memdisk *played, size_t k)
{
    return k > 0 && memdisk_op_flushes(played, k - 1);
}

static bool
before_flush(const struct memdisk *played, size_t k)
{
    return k < memdisk_ops(played) && memdisk_op_flushes(played, k);
}

/* Whether this residue of this cut was met before. */
static bool
met(uint64_t *prints, size_t *n, uint64_t print)
{
    for (size_t i = 0; i < *n; i++)
        if (prints[i] == print)
            return true;
    if (*n < PRINTS)
        prints[(*n)++] = print;
    return false;
}

/* The last operations before the cut, and the next. */
static void
tell_ops(const struct memdisk *played, size_t k)
{
    const char *lines = getenv("SP_LINES");
    size_t n = lines != NULL ? strtoull(lines, NULL, 10) : 12;

    for (size_t i = k > n ? k - n : 0; i <= k && i < memdisk_ops(played); i++)
        print_error("%s %zu %s\n", i < k ? " " : "| never happened:", i + 1, memdisk_op(played, i));
}

static void
one_residue(struct sweep *s, const struct memdisk *played, const struct memdisk *now,
    uint64_t residue, uint64_t *prints, size_t *nprints, sweep_verify verify, void *arg)
{
    uint64_t print;
    size_t k = memdisk_ops(now);
    struct memdisk *found = memdisk_survive(now, residue, &print);
    char why[512] = "";

    if (!met(prints, nprints, print)) {
        s->cases++;
        if (!verify(arg, found, k, why)) {
            tell_ops(played, k);
            fail_msg("%s, seed %" PRIu64 ", cut after %zu (%s), residue %" PRIu64 ": %s",
                memdisk_mode_of(found), s->seed, k, k > 0 ? memdisk_op(played, k - 1) : "", residue,
                why);
        }
    }
    memdisk_free(found);
}

static void
one_cut(struct sweep *s, const struct memdisk *played, const struct memdisk *now, bool all,
    bool flush, sweep_verify verify, void *arg)
{
    uint64_t prints[PRINTS], random = MEMDISK_RANDOM + s->seed * 1000003;
    size_t n = 0, k = memdisk_ops(now);
    bool behind = flush && behind_flush(played, k), before = flush && before_flush(played, k);

    s->points += all || behind || before;
    s->flushes += behind || before;
    if (behind && !all)
        one_residue(s, played, now, MEMDISK_LEAST, prints, &n, verify, arg);
    if (before && !all)
        one_residue(s, played, now, random, prints, &n, verify, arg);
    for (uint64_t i = 0; all && i < MEMDISK_RANDOM + s->randoms; i++)
        one_residue(s, played, now, i < MEMDISK_RANDOM ? i : i - MEMDISK_RANDOM + random, prints,
            &n, verify, arg);
}

void
sweep_all(struct sweep *s, const struct memdisk *played, size_t from, size_t stride, size_t flushes,
    sweep_verify verify, void *arg)
{
    struct memdisk *now = memdisk_at(played, from);
    uint64_t nflushes = s->seed;

    for (size_t k = from;; k++) {
        nflushes += behind_flush(played, k);
        one_cut(s, played, now, stride <= 1 || (k + s->seed) % stride == 0,
            flushes <= 1 || nflushes % flushes == 0, verify, arg);
        if (k == memdisk_ops(played))
            break;
        memdisk_step(now, played);
    }
    memdisk_free(now);
}

void
sweep_end(const struct sweep *s, const char *what)
{
    printf("%s: %" PRIu64 " cases (operation and residue), %" PRIu64 " cuts, %" PRIu64
           " of them at a flush; seed %" PRIu64 ", %ld s\n",
        what, s->cases, s->points, s->flushes, s->seed, (long)(time(NULL) - s->began));
    (void)fflush(stdout);
}
