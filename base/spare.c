/* Buffers between two uses: see spare.h. */

#include "base/spare.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/thread.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#else /* who uses a buffer after letting it go is caught only there */
#define ASAN_POISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#define ASAN_UNPOISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#endif

#define SLOTS 32u
#define GRAIN ((size_t)64 << 10) /* sizes are rounded up to it, so that more of them are alike */

static struct {
    struct sp_mutex lock;
    struct {
        void *p;
        size_t n;
    } slots[SLOTS]; /* the oldest first */
    size_t n, bytes;
} spare;

/* The lock is held. */
static void *
take_out(size_t i)
{
    void *p = spare.slots[i].p;

    ASAN_UNPOISON_MEMORY_REGION(p, spare.slots[i].n);
    spare.bytes -= spare.slots[i].n;
    spare.n--;
    memmove(&spare.slots[i], &spare.slots[i + 1], (spare.n - i) * sizeof(spare.slots[0]));
    return p;
}

/* The smallest that is large enough, and not so large that most of it would lie idle. */
static void *
take(size_t n)
{
    size_t best = SLOTS, i;
    void *p = NULL;

    sp_mutex_lock(&spare.lock);
    for (i = 0; i < spare.n; i++) {
        size_t has = spare.slots[i].n;

        if (has >= n && has / 2 <= n && (best == SLOTS || has < spare.slots[best].n))
            best = i;
    }
    if (best < SLOTS)
        p = take_out(best);
    sp_mutex_unlock(&spare.lock);
    return p;
}

void *
sp_spare_alloc(size_t n)
{
    void *p;

    if (n < SP_SPARE_LEAST || n > SIZE_MAX - GRAIN)
        return malloc(n > 0 ? n : 1);
    p = take(n);
    return p != NULL ? p : malloc((n + GRAIN - 1) / GRAIN * GRAIN);
}

void
sp_spare_free(void *p)
{
    size_t n = p != NULL ? sp_spare_size(p) : 0;

    if (n < SP_SPARE_LEAST || n > SP_SPARE_MOST) {
        free(p);
        return;
    }
    sp_mutex_lock(&spare.lock);
    while (spare.n == SLOTS || spare.bytes > SP_SPARE_MOST - n)
        free(take_out(0));
    spare.slots[spare.n].p = p;
    spare.slots[spare.n++].n = n;
    spare.bytes += n;
    ASAN_POISON_MEMORY_REGION(p, n);
    sp_mutex_unlock(&spare.lock);
}

void
sp_spare_empty(void)
{
    sp_mutex_lock(&spare.lock);
    while (spare.n > 0)
        free(take_out(spare.n - 1));
    sp_mutex_unlock(&spare.lock);
}

size_t
sp_spare_waiting(void)
{
    size_t n;

    sp_mutex_lock(&spare.lock);
    n = spare.bytes;
    sp_mutex_unlock(&spare.lock);
    return n;
}
