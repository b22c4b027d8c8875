/* How a pack becomes durable, and what follows from it: see upload_impl.h. */

#include <stdlib.h>
#include <string.h>

#include "storage/upload_impl.h"

#define SLOTS_MAX 4096u /* copied into one trailer */
#define AGAIN_MAX 16u   /* names that are marked, of the same blocks */

enum sp_code
sp_upload_state(struct sp_upload *u, struct sp_err *e)
{
    if (u->failed.code != SP_OK) {
        *e = u->failed;
        return e->code;
    }
    return sp_repository_live(u->r, e);
}

void
sp_upload_poison(struct sp_upload *u, const struct sp_err *e)
{
    if (u->failed.code == SP_OK)
        u->failed = *e;
}

void
sp_lane_pack_clear(struct sp_lane_pack *c)
{
    free(c->blocks);
    free(c->ids);
    sp_keyset_clear(&c->pending);
    c->writer = NULL;
    c->blocks = NULL;
    c->ids = NULL;
    c->again = false;
    c->nblocks = c->blocks_cap = c->nids = c->ids_cap = 0;
}

/* --- slots --------------------------------------------------------------------------------- */

static enum sp_code
add_slot(void *arg, const uint8_t *slot, size_t n, struct sp_err *e)
{
    struct sp_buf *b = arg;

    sp_buf_put_u32(b, (uint32_t)n);
    sp_buf_put(b, slot, n);
    return sp_buf_ok(b, e);
}

static enum sp_code
load_slots(struct sp_upload *u, struct sp_err *e)
{
    uint64_t gen;
    enum sp_code rc;

    sp_mutex_lock(&u->r->lock);
    gen = u->r->slots_gen;
    sp_mutex_unlock(&u->r->lock);
    if (u->slots_loaded && gen == u->slots_gen)
        return SP_OK;
    sp_buf_reset(&u->slots);
    if ((rc = sp_repository_slots(u->r, u->origin.group, add_slot, &u->slots, e)) != SP_OK)
        return rc;
    u->slots_gen = gen;
    u->slots_loaded = true;
    return SP_OK;
}

/* Blocks that were sent before, as they are (a connection was cut, or they are copied from another
 * repository), become the pack that they were, and a removal may be going to take it, at a time
 * that nobody here knows. Under another name they stay. */
static enum sp_code
avoid_marked(struct sp_upload *u, struct sp_lane *l, const struct sp_pack_extra *extra,
    uint8_t name[32], uint64_t *size, struct sp_err *e)
{
    uint8_t again[32];
    uint64_t again_size = *size;
    unsigned times;
    enum sp_code rc;

    memcpy(again, name, sizeof(again));
    for (times = 1; sp_marks_has(u->r, l->kind, again); times++) {
        if (times > AGAIN_MAX)
            return sp_fail(e, SP_BUSY, SP_DOM_STORE,
                "what is to be written lies in packs that a removal is about to take; run it again "
                "when the removal is over");
        memcpy(again, name, sizeof(again));
        again_size = *size;
        if ((rc = sp_pack_write_again(
                 u->r->backend, l->kind, &u->origin, extra, times, again, &again_size, e)) != SP_OK)
            return rc;
    }
    l->closing.again = times > 1;
    memcpy(name, again, sizeof(again));
    *size = again_size;
    return SP_OK;
}

static void
abort_lane(struct sp_lane *l)
{
    sp_pack_writer_abort(l->closing.writer);
    l->closing.writer = NULL;
}

/* Publishes the pack of a lane that is closing. The writer is gone in every case. */
static enum sp_code
publish(struct sp_upload *u, struct sp_lane *l, uint8_t ret_name[32], uint64_t *ret_size,
    struct sp_err *e)
{
    struct sp_pack_writer *w = l->closing.writer;
    struct sp_pack_extra extra;
    struct sp_span *spans = NULL;
    struct sp_cur c;
    size_t n = 0;
    enum sp_code rc = SP_OK;

    l->closing.writer = NULL;
    if (l->kind == SP_PACK_NODES) {
        if ((rc = load_slots(u, e)) != SP_OK)
            goto abort;
        if ((spans = malloc(SLOTS_MAX * sizeof(*spans))) == NULL) {
            rc = sp_fail_nomem(e);
            goto abort;
        }
        for (c = sp_cur_of(u->slots.data, u->slots.len); sp_cur_left(&c) > 0 && n < SLOTS_MAX;
             n++) {
            spans[n].n = sp_cur_u32(&c);
            spans[n].p = sp_cur_bytes(&c, spans[n].n);
        }
    }
    extra = (struct sp_pack_extra){u->r->conf_text, u->r->conf_n, spans, n};
    rc = sp_pack_writer_finish(w, extra.conf, extra.conf_n, spans, n, ret_name, ret_size, e);
    if (rc == SP_OK)
        rc = avoid_marked(u, l, &extra, ret_name, ret_size, e);
    free(spans);
    return rc;
abort:
    sp_pack_writer_abort(w);
    return rc;
}

/* The pack is durable: now it counts. The repository's lock is held. */
static enum sp_code
enter(struct sp_upload *u, const struct sp_lane *l, const uint8_t name[32], uint64_t size,
    struct sp_err *e)
{
    struct sp_repository *r = u->r;
    const struct sp_lane_pack *c = &l->closing;
    struct sp_pack_state *s;
    uint32_t origin, ordinal, k;
    size_t i, id = 0;
    enum sp_code rc;

    rc = sp_presence_origin(r->presence, u->origin.uploader, u->origin.group, &origin, e);
    if (rc == SP_OK)
        rc = sp_memtable_reserve(r->memtable, c->nids, e);
    if (rc == SP_OK)
        rc = sp_presence_finished(r->presence, l->kind, name, size, origin, &ordinal, e);
    if (rc != SP_OK)
        return rc;
    s = sp_presence_at(r->presence, ordinal);
    sp_prove_note(s, sp_prove_now(r));
    if (s->indexed) /* the very same pack was there */
        return SP_OK;
    if (c->again) /* it tells itself what it holds, at the next refresh */
        return SP_OK;
    for (i = 0; i < c->nblocks; i++)
        for (k = 0; k < c->blocks[i].nids; k++)
            sp_memtable_add(r->memtable, c->ids[id++], ordinal, c->blocks[i].place.offset,
                c->blocks[i].place.length);
    s->indexed = true;
    return SP_OK;
}

struct publishing { /* of one lane */
    struct sp_upload *u;
    struct sp_lane *l;
    uint8_t name[32];
    uint64_t size;
    enum sp_code rc;
    struct sp_err err;
};

static void
run_publishing(void *arg)
{
    struct publishing *p = arg;

    p->rc = publish(p->u, p->l, p->name, &p->size, &p->err);
}

/* Of a store far away both lanes' packs are on their way at the same time. */
static enum sp_code
publish_lanes(struct publishing *p, size_t n, struct sp_err *e)
{
    struct sp_err ignored = {0};
    struct sp_thread *thread = NULL;
    bool beside = n > 1 && p[0].u->r->backend->ahead > 0;
    size_t i;
    enum sp_code rc = SP_OK;

    if (beside && sp_thread_start("publish", run_publishing, &p[1], &thread, &ignored) != SP_OK)
        beside = false;
    for (i = 0; i < n; i++) {
        if (i == 1 && beside)
            sp_thread_join(thread);
        else if (rc == SP_OK || beside)
            run_publishing(&p[i]);
        else
            abort_lane(p[i].l);
        if (rc == SP_OK && p[i].rc != SP_OK) {
            *e = p[i].err;
            rc = p[i].rc;
        }
    }
    return rc;
}

static void
begin_closing(struct sp_upload *u, struct sp_lane *l)
{
    l->closing = l->open;
    l->closing_end = l->put;
    memset(&l->open, 0, sizeof(l->open));
    sp_keyset_init(&l->open.pending, u->r->seed);
    l->busy = true;
}

enum sp_code
sp_upload_close(struct sp_upload *u, struct sp_lane *lanes, size_t n, struct sp_err *e)
{
    struct publishing p[SP_LANES];
    size_t i, any = 0;
    enum sp_code rc = SP_OK;

    for (i = 0; i < n; i++)
        if (lanes[i].open.nblocks > 0) {
            begin_closing(u, &lanes[i]);
            memset(&p[any], 0, sizeof(p[any]));
            p[any].u = u;
            p[any++].l = &lanes[i];
        }
    if (any == 0)
        return SP_OK;
    sp_mutex_unlock(&u->lock);

    rc = publish_lanes(p, any, e);
    if (rc == SP_OK)
        rc = sp_backend_sync(u->r->backend, e);
    if (rc == SP_OK) {
        sp_mutex_lock(&u->r->lock);
        for (i = 0; i < any && rc == SP_OK; i++)
            rc = enter(u, p[i].l, p[i].name, p[i].size, e);
        sp_mutex_unlock(&u->r->lock);
    }

    sp_mutex_lock(&u->lock);
    for (i = 0; i < n; i++) {
        if (!lanes[i].busy)
            continue;
        if (rc == SP_OK)
            lanes[i].durable = lanes[i].closing_end;
        sp_lane_pack_clear(&lanes[i].closing);
        lanes[i].busy = false;
    }
    if (rc != SP_OK)
        sp_upload_poison(u, e);
    sp_cond_broadcast(&u->changed);
    return rc;
}

/* --- index --------------------------------------------------------------------------------- */

static enum sp_code
poisoned(struct sp_upload *u, enum sp_code rc, const struct sp_err *e)
{
    if (rc != SP_OK) {
        sp_mutex_lock(&u->lock);
        sp_upload_poison(u, e);
        sp_mutex_unlock(&u->lock);
    }
    return rc;
}

enum sp_code
sp_upload_spill(struct sp_upload *u, struct sp_err *e)
{
    bool full;

    sp_mutex_lock(&u->r->lock);
    full = sp_memtable_count(u->r->memtable) >= SP_MEMTABLE_FULL;
    sp_mutex_unlock(&u->r->lock);
    return full ? poisoned(u, sp_index_flush(u->r, e), e) : SP_OK;
}

enum sp_code
sp_upload_index(struct sp_upload *u, struct sp_err *e)
{
    struct sp_repository *r = u->r;
    uint64_t published, synced;
    enum sp_code rc;

    if ((rc = sp_index_flush(r, e)) != SP_OK)
        return poisoned(u, rc, e);
    sp_mutex_lock(&r->lock);
    published = r->index_published;
    synced = r->index_synced;
    sp_mutex_unlock(&r->lock);
    if (synced >= published)
        return SP_OK;
    if ((rc = sp_backend_sync(r->backend, e)) != SP_OK)
        return poisoned(u, rc, e);
    sp_mutex_lock(&r->lock);
    if (r->index_synced < published)
        r->index_synced = published;
    sp_mutex_unlock(&r->lock);
    return SP_OK;
}
