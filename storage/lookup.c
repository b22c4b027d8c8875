/* Where a chunk lies: the memtable, then the segments: see repository_impl.h. */

#include "storage/repository_impl.h"

struct pass {
    struct sp_repository *r;
    const struct sp_index_use *use; /* NULL: the memtable, whose packs are ordinals already */
    sp_place_fn each;
    void *arg;
    bool enough;
};

void
sp_lookup_begin(struct sp_lookup *l, struct sp_repository *r)
{
    l->r = r;
    l->view = NULL;
}

void
sp_lookup_end(struct sp_lookup *l)
{
    sp_index_view_free(l->view);
    l->view = NULL;
}

/* The lock is held. */
static bool
consider(struct pass *p, uint32_t ordinal, const struct sp_index_entry *en)
{
    struct sp_place at = {ordinal, en->offset, en->length};
    const struct sp_pack_state *s;

    if (ordinal == SP_NO_PACK)
        return true;
    s = sp_presence_at(p->r->presence, ordinal);
    if (!s->listed || en->length < 64 || en->length > SP_BLOCK_MAX_SIZE ||
        (uint64_t)en->offset + en->length > s->size)
        return true;
    if (!p->each(p->arg, s, &at))
        p->enough = true;
    return !p->enough;
}

static bool
memtable_entry(void *arg, const struct sp_index_entry *en)
{
    return consider(arg, en->pack, en);
}

static bool
segment_entry(void *arg, const struct sp_index_entry *en)
{
    struct pass *p = arg;
    bool more = true;

    if (en->pack >= sp_index_segment_packs(p->use->segment))
        return true;
    sp_mutex_lock(&p->r->lock);
    more = consider(p, p->use->ordinals[en->pack], en);
    sp_mutex_unlock(&p->r->lock);
    return more;
}

enum sp_code
sp_lookup_id(
    struct sp_lookup *l, const struct sp_id *id, sp_place_fn each, void *arg, struct sp_err *e)
{
    struct sp_repository *r = l->r;
    struct pass p = {r, NULL, each, arg, false};
    struct sp_index_view *old = NULL;
    size_t i;
    enum sp_code rc;

    sp_mutex_lock(&r->lock);
    /* The view of the same instant: what leaves the memtable is in it. */
    if (l->view != r->index.view) {
        old = l->view;
        l->view = sp_index_set_view(&r->index);
    }
    if (sp_memtable_find(r->memtable, id->b, memtable_entry, &p) && r->frozen != NULL)
        (void)sp_memtable_find(r->frozen, id->b, memtable_entry, &p);
    sp_mutex_unlock(&r->lock);
    sp_index_view_free(old);

    for (i = 0; i < l->view->n && !p.enough; i++) {
        p.use = l->view->uses[i];
        if ((rc = sp_index_segment_find(p.use->segment, id->b, segment_entry, &p, e)) != SP_OK) {
            sp_err_context(e, "local index");
            return rc;
        }
    }
    return SP_OK;
}
