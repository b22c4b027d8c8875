#ifndef SP_BASE_QUEUE_H
#define SP_BASE_QUEUE_H

/* A bounded queue between threads, bounded in bytes: what keeps memory small whatever the number of
 * files. Any number of producers and consumers. An item larger than the limit passes when the queue
 * is empty, so nothing can hang for being large.
 *
 *   producers: push … then every producer calls sp_queue_done once
 *   consumers: pop until it gives NULL (all producers done and nothing left)
 *   anyone:    sp_queue_abort — every push and pop, waiting or to come, returns at once; what is
 *              left inside is given to `drop`
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct sp_queue;

/* `producers` ≥ 1. `drop` frees an item that nobody will pop; may be NULL. */
enum sp_code sp_queue_new(size_t limit_bytes, unsigned producers, void (*drop)(void *item),
    struct sp_queue **ret, struct sp_err *e);
/* Drops what is left. No thread may be inside. NULL is harmless. */
void sp_queue_free(struct sp_queue *q);
/* Waits for room. false: aborted, and the item is still the caller's. */
bool sp_queue_push(struct sp_queue *q, void *item, size_t bytes);
/* Waits for an item. NULL: finished or aborted (sp_queue_aborted tells which). */
void *sp_queue_pop(struct sp_queue *q);
/* Like pop, but gives NULL at once, with *ret_empty = true, when it would have to wait. */
void *sp_queue_try_pop(struct sp_queue *q, bool *ret_empty);
/* Like pop, but waits at most `ms`; *ret_empty = true when the time passed. */
void *sp_queue_pop_ms(struct sp_queue *q, unsigned ms, bool *ret_empty);
void sp_queue_done(struct sp_queue *q);
void sp_queue_abort(struct sp_queue *q);
bool sp_queue_aborted(struct sp_queue *q);
size_t sp_queue_peak_bytes(struct sp_queue *q); /* for tests and tuning */

#endif
