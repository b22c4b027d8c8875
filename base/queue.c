/* Bounded queue: see queue.h.
 *
 * Items lie in a ring that grows. Producers are served in the order in which they came (`ticket`),
 * so that a large item cannot be starved by small ones that always fit. */

#include "base/queue.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/thread.h"

struct slot {
    void *item;
    size_t bytes;
};

struct sp_queue {
    struct sp_mutex lock;
    struct sp_cond room;  /* heard by producers */
    struct sp_cond items; /* heard by consumers */
    struct slot *ring;
    size_t cap, first, count;
    size_t limit, bytes, peak;
    uint64_t next_ticket, serving;
    unsigned producers; /* still to call done */
    bool aborted;
    void (*drop)(void *item);
};

enum sp_code
sp_queue_new(size_t limit_bytes, unsigned producers, void (*drop)(void *item),
    struct sp_queue **ret, struct sp_err *e)
{
    struct sp_queue *q = calloc(1, sizeof(*q));

    assert(producers >= 1);
    if (q == NULL)
        return sp_fail_nomem(e);
    q->cap = 16;
    q->ring = calloc(q->cap, sizeof(*q->ring));
    if (q->ring == NULL) {
        free(q);
        return sp_fail_nomem(e);
    }
    q->limit = limit_bytes;
    q->producers = producers;
    q->drop = drop;
    sp_mutex_init(&q->lock);
    sp_cond_init(&q->room);
    sp_cond_init(&q->items);
    *ret = q;
    return SP_OK;
}

static struct slot
take(struct sp_queue *q)
{
    struct slot s = q->ring[q->first];

    q->first = (q->first + 1) % q->cap;
    q->count--;
    q->bytes -= s.bytes;
    return s;
}

void
sp_queue_free(struct sp_queue *q)
{
    if (q == NULL)
        return;
    while (q->count > 0) {
        struct slot s = take(q);

        if (q->drop != NULL)
            q->drop(s.item);
    }
    sp_cond_destroy(&q->items);
    sp_cond_destroy(&q->room);
    sp_mutex_destroy(&q->lock);
    free(q->ring);
    free(q);
}

static bool
grow(struct sp_queue *q)
{
    struct slot *ring;

    if (q->cap > SIZE_MAX / 2 / sizeof(*ring))
        return false;
    ring = malloc(2 * q->cap * sizeof(*ring));
    if (ring == NULL)
        return false;
    for (size_t i = 0; i < q->count; i++)
        ring[i] = q->ring[(q->first + i) % q->cap];
    free(q->ring);
    q->ring = ring;
    q->cap *= 2;
    q->first = 0;
    return true;
}

/* The ring never loses its slots, so without memory for more a producer waits as it does for bytes:
 * an empty queue always has room. */
static bool
fits(struct sp_queue *q, size_t bytes)
{
    if (q->count == 0)
        return true;
    if (q->bytes >= q->limit || bytes > q->limit - q->bytes)
        return false;
    return q->count < q->cap || grow(q);
}

bool
sp_queue_push(struct sp_queue *q, void *item, size_t bytes)
{
    uint64_t ticket;
    bool pushed = false;

    assert(item != NULL);
    sp_mutex_lock(&q->lock);
    assert(q->producers > 0);
    ticket = q->next_ticket++;
    while (!q->aborted && (ticket != q->serving || !fits(q, bytes)))
        sp_cond_wait(&q->room, &q->lock);
    if (!q->aborted) {
        q->ring[(q->first + q->count) % q->cap] = (struct slot){item, bytes};
        q->count++;
        q->bytes += bytes;
        if (q->bytes > q->peak)
            q->peak = q->bytes;
        q->serving++;
        pushed = true;
        sp_cond_signal(&q->items);
        /* The next in the line cannot know that it is its turn. */
        if (q->serving != q->next_ticket)
            sp_cond_broadcast(&q->room);
    }
    sp_mutex_unlock(&q->lock);
    return pushed;
}

static bool
must_wait(const struct sp_queue *q)
{
    return !q->aborted && q->count == 0 && q->producers > 0;
}

/* With the lock held and nothing left to wait for. */
static void *
take_or_end(struct sp_queue *q)
{
    void *item;

    if (q->aborted || q->count == 0)
        return NULL;
    item = take(q).item;
    if (q->serving != q->next_ticket)
        sp_cond_broadcast(&q->room);
    return item;
}

void *
sp_queue_pop(struct sp_queue *q)
{
    void *item;

    sp_mutex_lock(&q->lock);
    while (must_wait(q))
        sp_cond_wait(&q->items, &q->lock);
    item = take_or_end(q);
    sp_mutex_unlock(&q->lock);
    return item;
}

void *
sp_queue_try_pop(struct sp_queue *q, bool *ret_empty)
{
    void *item;

    sp_mutex_lock(&q->lock);
    *ret_empty = must_wait(q);
    item = take_or_end(q);
    sp_mutex_unlock(&q->lock);
    return item;
}

void *
sp_queue_pop_ms(struct sp_queue *q, unsigned ms, bool *ret_empty)
{
    const int64_t until = sp_clock_mono(&sp_clock_system) + (int64_t)ms * 1000000;
    void *item;

    sp_mutex_lock(&q->lock);
    while (must_wait(q)) {
        /* Another consumer may have been faster: the rest of the time, not all of it again. */
        int64_t left = until - sp_clock_mono(&sp_clock_system);

        if (left <= 0)
            break;
        (void)sp_cond_wait_ms(&q->items, &q->lock, (uint32_t)((left + 999999) / 1000000));
    }
    *ret_empty = must_wait(q);
    item = take_or_end(q);
    sp_mutex_unlock(&q->lock);
    return item;
}

void
sp_queue_done(struct sp_queue *q)
{
    sp_mutex_lock(&q->lock);
    assert(q->producers > 0);
    if (--q->producers == 0)
        sp_cond_broadcast(&q->items);
    sp_mutex_unlock(&q->lock);
}

void
sp_queue_abort(struct sp_queue *q)
{
    sp_mutex_lock(&q->lock);
    q->aborted = true;
    sp_cond_broadcast(&q->room);
    sp_cond_broadcast(&q->items);
    /* Nobody adds or takes after this: the lock can be open while an item is dropped. */
    while (q->count > 0) {
        struct slot s = take(q);

        sp_mutex_unlock(&q->lock);
        if (q->drop != NULL)
            q->drop(s.item);
        sp_mutex_lock(&q->lock);
    }
    sp_mutex_unlock(&q->lock);
}

bool
sp_queue_aborted(struct sp_queue *q)
{
    bool aborted;

    sp_mutex_lock(&q->lock);
    aborted = q->aborted;
    sp_mutex_unlock(&q->lock);
    return aborted;
}

size_t
sp_queue_peak_bytes(struct sp_queue *q)
{
    size_t peak;

    sp_mutex_lock(&q->lock);
    peak = q->peak;
    sp_mutex_unlock(&q->lock);
    return peak;
}
