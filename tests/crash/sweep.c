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
at_flush(const struct memdisk *played, size_t k)
{
    return (k > 0 && memdisk_op_flushes(played, k - 1)) ||
           (k < memdisk_ops(played) && memdisk_op_flushes(played, k));
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

static void
one_cut(struct sweep *s, const struct memdisk *played, const struct memdisk *now,
    sweep_verify verify, void *arg)
{
    uint64_t prints[PRINTS];
    size_t n = 0, k = memdisk_ops(now);

    s->points++;
    s->flushes += at_flush(played, k);
    for (uint64_t i = 0; i < MEMDISK_RANDOM + s->randoms; i++) {
        uint64_t residue = i < MEMDISK_RANDOM ? i : i + s->seed * 1000003, print;
        struct memdisk *found = memdisk_survive(now, residue, &print);
        char why[512] = "";

        if (!met(prints, &n, print)) {
            s->cases++;
            if (!verify(arg, found, k, why))
                fail_msg("%s, seed %" PRIu64 ", cut after %zu (%s), residue %" PRIu64 ": %s",
                    memdisk_mode_of(found), s->seed, k, k > 0 ? memdisk_op(played, k - 1) : "",
                    residue, why);
        }
        memdisk_free(found);
    }
}

void
sweep_all(struct sweep *s, const struct memdisk *played, size_t from, size_t stride,
    sweep_verify verify, void *arg)
{
    struct memdisk *now = memdisk_at(played, from);

    for (size_t k = from;; k++) {
        if (stride <= 1 || (k + s->seed) % stride == 0 || at_flush(played, k))
            one_cut(s, played, now, verify, arg);
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
