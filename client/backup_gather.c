#include "client/backup_run.h"

#include <stdlib.h>
#include <string.h>

#include "base/spare.h"
#include "client/ratelimit.h"

/* The least that a chunk and a block count for: tiny ones must not get in by the hundred thousand,
 * or `recent` could forget an id before its block is with the store, and the chunk be sent twice.
 */
#define CHUNK_WEIGHT 768u
#define BLOCK_WEIGHT (256u << 10)
_Static_assert(
    ASK_LIMIT / CHUNK_WEIGHT + ASKERS * ASK_BATCH_IDS + (MAX_READERS + 2) * BUNDLE_IDS +
            (BUILDERS + SEAL_LIMIT / BLOCK_WEIGHT + ASKERS + 1 + MAX_SEALERS) * SP_BLOCK_MAX_IDS <=
        SP_RECENT_KEEP,
    "more chunks may be under way than are remembered");

/* Chunks come in from the readers and the catalog; askers find out in batches which the store
 * lacks; those are gathered into blocks in the order in which they came; sealers seal them and hand
 * them to the store. */

struct chunk {
    struct chunk *next;
    enum sp_block_kind block;
    enum sp_chunk_kind kind;
    struct sp_id id;
    size_t nrefs, len;
    struct sp_id *refs; /* behind the structure */
    uint8_t *data;      /* behind the refs */
};

static size_t
chunk_weight(const struct chunk *c)
{
    size_t n = sizeof(*c) + c->nrefs * sizeof(struct sp_id) + c->len;

    return n < CHUNK_WEIGHT ? CHUNK_WEIGHT : n;
}

static size_t
builder_slot(enum sp_block_kind kind)
{
    return kind == SP_BLOCK_IMAGES ? 1 : kind == SP_BLOCK_NODES ? 2 : 0;
}

static const enum sp_block_kind slot_kind[BUILDERS] = {
    SP_BLOCK_FILES, SP_BLOCK_IMAGES, SP_BLOCK_NODES};

static void
drop_bundle(void *item)
{
    struct bundle *d = item;
    struct chunk *c;

    if (d == NULL)
        return;
    while ((c = d->first) != NULL) {
        d->first = c->next;
        sp_spare_free(c);
    }
    free(d);
}

static void
drop_builder(void *item)
{
    sp_block_builder_free(item);
}

enum sp_code
gather_init(struct backup *b, struct sp_err *e)
{
    struct gather *g = &b->gather;
    enum sp_code rc;
    size_t i;

    sp_mutex_init(&g->lock);
    sp_cond_init(&g->changed);
    if ((rc = sp_recent_new(&g->recent, e)) != SP_OK ||
        (rc = sp_seen_new(WHOLE_NODES, &g->whole, e)) != SP_OK)
        return rc;
    for (i = 0; i < BUILDERS; i++) {
        if ((rc = sp_block_builder_new(slot_kind[i], &g->open[i], e)) != SP_OK)
            return rc;
    }
    /* Producers end by gather_abort or by the queues' being closed in backup.c. */
    if ((rc = sp_queue_new(ASK_LIMIT, 1, drop_bundle, &g->ask, e)) != SP_OK)
        return rc;
    return sp_queue_new(SEAL_LIMIT, 1, drop_builder, &g->seal, e);
}

void
gather_destroy(struct backup *b)
{
    struct gather *g = &b->gather;
    size_t i;

    drop_bundle(g->filling);
    sp_queue_free(g->ask);
    sp_queue_free(g->seal);
    for (i = 0; i < BUILDERS; i++)
        sp_block_builder_free(g->open[i]);
    sp_recent_free(g->recent);
    sp_seen_free(g->whole);
    sp_cond_destroy(&g->changed);
    sp_mutex_destroy(&g->lock);
}

void
gather_abort(struct backup *b)
{
    struct gather *g = &b->gather;

    sp_mutex_lock(&g->lock);
    g->aborted = true;
    sp_cond_broadcast(&g->changed);
    sp_mutex_unlock(&g->lock);
    if (g->ask != NULL)
        sp_queue_abort(g->ask);
    if (g->seal != NULL)
        sp_queue_abort(g->seal);
}

static enum sp_code
cancelled(struct sp_err *e)
{
    return sp_fail(e, SP_CANCELLED, SP_DOM_SELF, "stopped because another part of the run failed");
}

static void
settle(struct gather *g, uint64_t n)
{
    sp_mutex_lock(&g->lock);
    g->asking -= n;
    if (g->asking == 0)
        sp_cond_broadcast(&g->changed);
    sp_mutex_unlock(&g->lock);
}

void
gather_known(struct backup *b, const struct sp_id *node)
{
    struct gather *g = &b->gather;

    sp_mutex_lock(&g->lock);
    sp_seen_add(g->whole, node->b);
    sp_mutex_unlock(&g->lock);
}

static enum sp_code
chunk_new(enum sp_block_kind block, enum sp_chunk_kind kind, const struct sp_id *id,
    const struct sp_id *refs, size_t nrefs, const void *p, size_t n, struct chunk **ret,
    struct sp_err *e)
{
    struct chunk *c = sp_spare_alloc(sizeof(*c) + nrefs * sizeof(struct sp_id) + n);

    if (c == NULL)
        return sp_fail_nomem(e);
    c->next = NULL;
    c->block = block;
    c->kind = kind;
    c->id = *id;
    c->nrefs = nrefs;
    c->len = n;
    c->refs = (struct sp_id *)(c + 1);
    c->data = (uint8_t *)(c->refs + nrefs);
    if (nrefs > 0)
        memcpy(c->refs, refs, nrefs * sizeof(struct sp_id));
    if (n > 0)
        memcpy(c->data, p, n);
    *ret = c;
    return SP_OK;
}

/* Takes the chunk, unless it fails. *ret_full: a bundle that is to be pushed; a partial one too
 * when somebody drains, who has pushed what there was before. */
static enum sp_code
bundle_up(struct gather *g, struct chunk *c, struct bundle **ret_full, struct sp_err *e)
{
    struct bundle *d;
    enum sp_code rc = SP_OK;

    sp_mutex_lock(&g->lock);
    if (g->filling == NULL && (g->filling = calloc(1, sizeof(*d))) == NULL) {
        rc = sp_fail_nomem(e);
        goto out;
    }
    d = g->filling;
    if (d->last != NULL)
        d->last->next = c;
    else
        d->first = c;
    d->last = c;
    d->n++;
    d->weight += chunk_weight(c);
    if (d->n == BUNDLE_IDS || d->weight >= BUNDLE_BYTES || g->closed) {
        *ret_full = d;
        g->filling = NULL;
    }
out:
    sp_mutex_unlock(&g->lock);
    return rc;
}

/* Takes the bundle in every case. */
static bool
push_bundle(struct gather *g, struct bundle *d)
{
    size_t n = d->n;

    if (sp_queue_push(g->ask, d, d->weight))
        return true;
    drop_bundle(d);
    settle(g, n);
    return false;
}

enum sp_code
gather_submit(struct backup *b, bool catalog, enum sp_block_kind block, enum sp_chunk_kind kind,
    const struct sp_id *id, const struct sp_id *refs, size_t nrefs, const void *p, size_t n,
    struct sp_err *e)
{
    struct gather *g = &b->gather;
    struct chunk *c = NULL;
    struct bundle *full = NULL;
    bool known, aborted;
    enum sp_code rc;

    sp_mutex_lock(&g->lock);
    while (g->closed && !catalog && !g->aborted)
        sp_cond_wait(&g->changed, &g->lock);
    aborted = g->aborted;
    known = aborted || sp_seen_has(g->whole, id->b) || sp_recent_add(g->recent, id);
    if (!known)
        g->asking++;
    sp_mutex_unlock(&g->lock);
    if (aborted)
        return cancelled(e);
    if (known)
        return SP_OK;

    rc = chunk_new(block, kind, id, refs, nrefs, p, n, &c, e);
    if (rc == SP_OK && (rc = bundle_up(g, c, &full, e)) != SP_OK)
        sp_spare_free(c);
    if (rc != SP_OK) {
        backup_fail(b, e);
        settle(g, 1);
        return rc;
    }
    return full == NULL || push_bundle(g, full) ? SP_OK : cancelled(e);
}

/* Gives a full (or, draining, a partial) builder to the sealers and puts an empty one in its place.
 */
static enum sp_code
hand_over(struct gather *g, size_t slot, struct sp_block_builder **ret_full, struct sp_err *e)
{
    struct sp_block_builder *fresh = NULL;
    enum sp_code rc;

    if ((rc = sp_block_builder_new(slot_kind[slot], &fresh, e)) != SP_OK)
        return rc;
    *ret_full = g->open[slot];
    g->open[slot] = fresh;
    g->blocks++;
    return SP_OK;
}

static bool
push_block(struct gather *g, struct sp_block_builder *full)
{
    size_t weight = sp_block_builder_raw(full);

    if (weight < BLOCK_WEIGHT)
        weight = BLOCK_WEIGHT;
    if (sp_queue_push(g->seal, full, weight))
        return true;
    sp_block_builder_free(full);
    return false;
}

static enum sp_code
add_new(struct backup *b, const struct chunk *c, struct sp_err *e)
{
    struct gather *g = &b->gather;
    struct sp_block_builder *full = NULL;
    size_t slot = builder_slot(c->block);
    enum sp_code rc = SP_OK;

    sp_mutex_lock(&g->lock);
    if (!sp_block_builder_empty(g->open[slot]) && !sp_block_builder_fits(g->open[slot], c->len))
        rc = hand_over(g, slot, &full, e);
    if (rc == SP_OK)
        rc = sp_block_builder_add(
            g->open[slot], c->kind, &c->id, c->refs, c->nrefs, c->data, c->len, e);
    sp_mutex_unlock(&g->lock);
    if (full != NULL && !push_block(g, full) && rc == SP_OK)
        rc = cancelled(e);
    if (rc == SP_OK) {
        atomic_fetch_add(&b->count.chunks_new, 1);
        atomic_fetch_add(&b->count.bytes_new, c->len);
    }
    return rc;
}

/* A member's chunk is relied on only after it was fetched, opened and its id recomputed (design
 * §4). */
struct proof {
    struct sp_opener *opener;
    const struct sp_id *ids;
    uint8_t *answers;
};

static enum sp_code
prove_block(void *arg, const uint8_t *block, size_t n, const uint32_t *wanted, size_t nwanted,
    struct sp_err *e)
{
    struct proof *p = arg;
    struct sp_opened *opened = NULL;
    struct sp_chunk chunk;
    struct sp_err ignored = {0};
    size_t i;

    (void)e;
    if (sp_block_peek(p->opener, block, n, &opened, &ignored) != SP_OK)
        return SP_OK; /* unproven: it will be uploaded again */
    for (i = 0; i < nwanted; i++) {
        if (sp_opened_find(opened, &p->ids[wanted[i]], &chunk) && chunk.kind == SP_CHUNK_DATA)
            p->answers[wanted[i]] = SP_HAVE_MINE;
    }
    sp_opened_free(opened);
    return SP_OK;
}

static enum sp_code
prove_members(struct backup *b, struct sp_opener *opener, const struct sp_id *ids, size_t n,
    uint8_t *answers, struct sp_err *e)
{
    struct sp_id *ask;
    uint8_t *proven;
    uint32_t *where;
    struct proof p;
    enum sp_code rc = SP_OK;
    size_t i, m = 0;

    for (i = 0; i < n; i++)
        m += answers[i] == SP_HAVE_MEMBERS;
    if (m == 0)
        return SP_OK;
    ask = calloc(m, sizeof(*ask));
    proven = calloc(m, 1);
    where = calloc(m, sizeof(*where));
    if (ask == NULL || proven == NULL || where == NULL) {
        rc = sp_fail_nomem(e);
        goto out;
    }
    for (i = 0, m = 0; i < n; i++) {
        if (answers[i] == SP_HAVE_MEMBERS) {
            ask[m] = ids[i];
            where[m++] = (uint32_t)i;
        }
    }
    p.opener = opener;
    p.ids = ask;
    p.answers = proven;
    if ((rc = sp_store_get(b->store, ask, m, 0, prove_block, &p, e)) != SP_OK)
        goto out;
    for (i = 0; i < m; i++)
        answers[where[i]] = proven[i] == SP_HAVE_MINE ? SP_HAVE_MINE : SP_HAVE_NO;
out:
    free(ask);
    free(proven);
    free(where);
    return rc;
}

/* Asks about the chunks of one batch that are (or are not) nodes, and passes on what is new. */
static enum sp_code
ask_some(struct backup *b, struct sp_opener *opener, struct chunk **batch, size_t n, bool nodes,
    struct sp_err *e)
{
    struct sp_id ids[ASK_BATCH_IDS];
    uint8_t answers[ASK_BATCH_IDS];
    struct chunk *of[ASK_BATCH_IDS];
    size_t i, m = 0;
    enum sp_code rc;

    for (i = 0; i < n; i++) {
        if ((batch[i]->block == SP_BLOCK_NODES) == nodes) {
            ids[m] = batch[i]->id;
            of[m++] = batch[i];
        }
    }
    if (m == 0)
        return SP_OK;
    if ((rc = sp_store_have(b->store, nodes, ids, m, answers, e)) != SP_OK)
        return rc;
    if ((rc = prove_members(b, opener, ids, m, answers, e)) != SP_OK)
        return rc;
    for (i = 0; i < m; i++) {
        if (answers[i] == SP_HAVE_NO && (rc = add_new(b, of[i], e)) != SP_OK)
            return rc;
    }
    return SP_OK;
}

/* Into one question: bundles that wait, as far as they fit. */
static size_t
fill_batch(struct gather *g, struct bundle *d, struct chunk **batch)
{
    size_t n = 0, weight = 0;
    struct chunk *c;
    bool empty;

    do {
        weight += d->weight;
        while ((c = d->first) != NULL) {
            d->first = c->next;
            batch[n++] = c;
        }
        free(d);
        d = n + BUNDLE_IDS <= ASK_BATCH_IDS && weight < ASK_BATCH_BYTES
                ? sp_queue_try_pop(g->ask, &empty)
                : NULL;
    } while (d != NULL);
    return n;
}

void
gather_asker(void *arg)
{
    struct backup *b = arg;
    struct gather *g = &b->gather;
    struct sp_opener *opener = NULL;
    struct chunk *batch[ASK_BATCH_IDS];
    struct bundle *d;
    struct sp_err e = {0};
    enum sp_code rc;
    size_t n, i;

    rc = sp_opener_new(b->keys, &opener, &e);
    while (rc == SP_OK && (d = sp_queue_pop(g->ask)) != NULL) {
        n = fill_batch(g, d, batch);
        rc = ask_some(b, opener, batch, n, false, &e);
        if (rc == SP_OK)
            rc = ask_some(b, opener, batch, n, true, &e);
        for (i = 0; i < n; i++)
            sp_spare_free(batch[i]);
        /* Before they count as settled: who drains must not take lost chunks for stored ones. */
        if (rc != SP_OK)
            backup_fail(b, &e);
        settle(g, n);
    }
    if (rc != SP_OK)
        backup_fail(b, &e);
    sp_opener_free(opener);
}

void
gather_sealer(void *arg)
{
    struct backup *b = arg;
    struct gather *g = &b->gather;
    struct sp_compressor *compressor = NULL;
    struct sp_opener *opener = NULL;
    struct sp_block_builder *builder;
    struct sp_buf out = SP_BUF_INIT;
    struct sp_err e = {0};
    uint8_t *block;
    size_t n;
    bool nodes;
    enum sp_code rc;

    rc = sp_compressor_new(b->o->compression > 0 ? b->o->compression : 3, &compressor, &e);
    if (rc == SP_OK)
        rc = sp_opener_new(b->keys, &opener, &e);
    while (rc == SP_OK && (builder = sp_queue_pop(g->seal)) != NULL) {
        rc = sp_block_seal(b->sealer, compressor, opener, builder, &out, &e);
        sp_block_builder_free(builder);
        if (rc == SP_OK)
            rc = sp_buf_take(&out, &block, &n, &e);
        if (rc == SP_OK) {
            nodes = block[5] == SP_BLOCK_NODES; /* kind: docs/format.md §6.2 */
            if (nodes)
                sp_nodes_add_block(b->nodes, block, n);
            sp_ratelimit_take(b->o->limit, n);
            if ((rc = sp_store_put(b->store, block, n, &e)) == SP_OK)
                atomic_fetch_add(&b->count.bytes_stored, n);
        }
        /* As for the askers: a block that was lost is not one that the store took. */
        if (rc != SP_OK)
            backup_fail(b, &e);
        sp_mutex_lock(&g->lock);
        g->blocks--;
        if (g->blocks == 0)
            sp_cond_broadcast(&g->changed);
        sp_mutex_unlock(&g->lock);
    }
    if (rc != SP_OK)
        backup_fail(b, &e);
    sp_buf_free(&out);
    sp_opener_free(opener);
    sp_compressor_free(compressor);
}

enum sp_code
gather_drain(struct backup *b, struct sp_err *e)
{
    struct gather *g = &b->gather;
    struct sp_block_builder *full;
    struct bundle *rest;
    enum sp_code rc = SP_OK;
    size_t i;
    bool aborted;

    sp_mutex_lock(&g->lock);
    g->closed = true;
    rest = g->filling;
    g->filling = NULL;
    sp_mutex_unlock(&g->lock);
    if (rest != NULL && !push_bundle(g, rest))
        return cancelled(e);
    sp_mutex_lock(&g->lock);
    while (g->asking > 0 && !g->aborted)
        sp_cond_wait(&g->changed, &g->lock);
    for (i = 0; i < BUILDERS && rc == SP_OK && !g->aborted; i++) {
        if (sp_block_builder_empty(g->open[i]))
            continue;
        rc = hand_over(g, i, &full, e);
        if (rc != SP_OK)
            break;
        sp_mutex_unlock(&g->lock);
        if (!push_block(g, full))
            rc = cancelled(e);
        sp_mutex_lock(&g->lock);
    }
    while (rc == SP_OK && g->blocks > 0 && !g->aborted)
        sp_cond_wait(&g->changed, &g->lock);
    aborted = g->aborted;
    sp_mutex_unlock(&g->lock);
    if (rc == SP_OK && aborted)
        rc = cancelled(e);
    return rc;
}

void
gather_open(struct backup *b)
{
    struct gather *g = &b->gather;

    sp_mutex_lock(&g->lock);
    g->closed = false;
    sp_cond_broadcast(&g->changed);
    sp_mutex_unlock(&g->lock);
}
