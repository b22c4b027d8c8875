#include <stdlib.h>
#include <string.h>

#include "base/spare.h"
#include "client/restore_run.h"

/* A block at the edge of two windows would be fetched twice: readers and askers of a backup work
 * side by side, so the chunks of a few blocks are mixed with those of their neighbours. What a
 * window does not want of a block is kept for the next one, up to a few megabytes; the oldest goes
 * first. */

#define CARRY_BYTES (4u << 20)
#define CARRY_MOST 4096 /* chunks */

struct carried {
    struct sp_id id;
    uint8_t *data;
    size_t n;
};

struct carry {
    struct sp_mutex lock;
    struct carried *ring;
    size_t first, count, bytes;
};

enum sp_code
carry_new(struct carry **ret, struct sp_err *e)
{
    struct carry *c = calloc(1, sizeof *c);

    if (c == NULL || (c->ring = calloc(CARRY_MOST, sizeof *c->ring)) == NULL) {
        free(c);
        return sp_fail_nomem(e);
    }
    sp_mutex_init(&c->lock);
    *ret = c;
    return SP_OK;
}

static void
drop_oldest(struct carry *c)
{
    struct carried *p = &c->ring[c->first];

    c->bytes -= p->n;
    sp_spare_free(p->data);
    p->data = NULL;
    c->first = (c->first + 1) % CARRY_MOST;
    c->count--;
}

void
carry_free(struct carry *c)
{
    if (c == NULL)
        return;
    while (c->count > 0)
        drop_oldest(c);
    sp_mutex_destroy(&c->lock);
    free(c->ring);
    free(c);
}

static void
add(struct carry *c, const struct sp_chunk *chunk)
{
    uint8_t *data = sp_spare_alloc(chunk->len);

    if (data == NULL)
        return; /* only a saving */
    memcpy(data, chunk->data, chunk->len);
    sp_mutex_lock(&c->lock);
    while (c->count > 0 && (c->count == CARRY_MOST || c->bytes + chunk->len > CARRY_BYTES))
        drop_oldest(c);
    c->ring[(c->first + c->count++) % CARRY_MOST] = (struct carried){*chunk->id, data, chunk->len};
    c->bytes += chunk->len;
    sp_mutex_unlock(&c->lock);
}

void
carry_add(struct window *w, const struct sp_opened *opened)
{
    struct sp_chunk chunk;

    for (size_t i = 0; i < sp_opened_count(opened); i++) {
        sp_opened_get(opened, i, &chunk);
        if (chunk.kind == SP_CHUNK_DATA && chunk.len > 0 && chunk.len <= CARRY_BYTES / 4 &&
            window_find(w, chunk.id) == PART_HOLE)
            add(w->r->carry, &chunk);
    }
}

static int
by_id(const void *a, const void *b)
{
    const struct carried *const *x = a, *const *y = b;

    return memcmp((*x)->id.b, (*y)->id.b, SP_ID_SIZE);
}

void
carry_take(struct window *w)
{
    struct carry *c = w->r->carry;
    const struct carried **sorted = calloc(CARRY_MOST, sizeof(struct carried *));
    struct carried key, *key_at = &key;

    if (sorted == NULL)
        return;
    sp_mutex_lock(&c->lock);
    for (size_t i = 0; i < c->count; i++)
        sorted[i] = &c->ring[(c->first + i) % CARRY_MOST];
    qsort(sorted, c->count, sizeof(struct carried *), by_id);
    for (size_t i = 0; i < w->nchunks && c->count > 0; i++) {
        struct chunk *want = &w->chunks[i];
        const struct carried *const *found;

        if (!want->wanted || want->data != NULL)
            continue;
        key.id = want->id;
        found = bsearch(&key_at, sorted, c->count, sizeof(struct carried *), by_id);
        if (found != NULL && (*found)->n <= want->room)
            keep_data(w, want, (*found)->data, (*found)->n);
    }
    sp_mutex_unlock(&c->lock);
    free(sorted);
}
