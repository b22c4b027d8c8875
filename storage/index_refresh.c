/* Brings the segments in use in line with the repository's index folder: see repository_impl.h. */

#include <stdlib.h>
#include <string.h>

#include "storage/repository_impl.h"

struct found {
    uint8_t name[32];
    uint64_t size;
};

struct listing {
    struct found *v;
    size_t n, cap;
};

static int
by_name(const void *a, const void *b)
{
    return memcmp(((const struct found *)a)->name, ((const struct found *)b)->name, 32);
}

/* Larger ones first: a merged segment comes before those that it replaces, which then need not be
 * fetched. */
static int
by_size(const void *a, const void *b)
{
    const struct found *x = *(struct found *const *)a, *y = *(struct found *const *)b;

    if (x->size != y->size)
        return x->size > y->size ? -1 : 1;
    return memcmp(x->name, y->name, 32);
}

static bool
listed(const struct listing *l, const uint8_t *name)
{
    struct found key = {.size = 0};

    memcpy(key.name, name, 32);
    return l->n > 0 && bsearch(&key, l->v, l->n, sizeof(*l->v), by_name) != NULL;
}

static enum sp_code
see(void *arg, const char *object, uint64_t size, struct sp_err *e)
{
    struct listing *l = arg;
    uint8_t name[32];

    if (size == 0 || !sp_index_object_parse(object, name))
        return SP_OK;
    if (l->n == l->cap) {
        size_t cap = l->cap == 0 ? 32 : l->cap * 2;
        struct found *more = realloc(l->v, cap * sizeof(*more));

        if (more == NULL)
            return sp_fail_nomem(e);
        l->v = more;
        l->cap = cap;
    }
    memcpy(l->v[l->n].name, name, 32);
    l->v[l->n++].size = size;
    return SP_OK;
}

static enum sp_code
add(struct sp_repository *r, struct sp_index_segment *segment, bool local, struct sp_err *e)
{
    enum sp_code rc;

    sp_mutex_lock(&r->lock);
    rc = sp_index_set_add(&r->index, r->presence, segment, local, false, e);
    sp_mutex_unlock(&r->lock);
    return rc;
}

/* Takes a listed segment into use. One that is not to be had or bad is done without: its packs tell
 * themselves what they hold, and check reports it. */
static enum sp_code
take(struct sp_repository *r, const struct found *f, struct sp_err *e)
{
    struct sp_index_segment *segment = NULL;
    struct sp_err why = {0};
    bool known, filter, good;
    enum sp_code rc;

    sp_mutex_lock(&r->lock);
    known = sp_index_set_find(&r->index, f->name) != NULL ||
            sp_index_set_superseded(&r->index, f->name);
    filter = sp_index_set_keep_filter(&r->index);
    sp_mutex_unlock(&r->lock);
    if (known)
        return SP_OK;
    rc = sp_index_cache_use(&r->cache, f->name, false, filter, &segment, &why);
    if (rc == SP_ABSENT || rc == SP_CORRUPT) {
        rc = sp_index_cache_fetch(&r->cache, r->backend, f->name, f->size, &good, &why, e);
        if (rc != SP_OK || !good)
            return rc;
        rc = sp_index_cache_use(&r->cache, f->name, false, filter, &segment, &why);
        if (rc == SP_CORRUPT)
            return SP_OK;
    }
    if (rc != SP_OK) {
        *e = why;
        return rc;
    }
    return add(r, segment, false, e);
}

/* Whether the segment tells of a pack that nothing else tells of; the lock is held. */
static bool
tells_more(struct sp_repository *r, const struct sp_index_segment *g)
{
    size_t i;

    for (i = 0; i < sp_index_segment_packs(g); i++) {
        const struct sp_index_pack *k = sp_index_segment_pack(g, i);
        uint32_t at = sp_presence_find(r->presence, k->kind, k->name);
        const struct sp_pack_state *s;

        if (at == SP_NO_PACK)
            continue;
        s = sp_presence_at(r->presence, at);
        if (s->listed && !s->indexed && s->size == k->size)
            return true;
    }
    return false;
}

struct cached {
    struct sp_repository *r;
    const struct listing *l;
};

/* Files of the cache folder that no listed segment accounts for. */
static enum sp_code
look_at_file(void *arg, const uint8_t name[32], bool local, struct sp_err *e)
{
    struct cached *c = arg;
    struct sp_repository *r = c->r;
    struct sp_index_segment *segment = NULL;
    struct sp_err why = {0};
    bool known, filter, more;

    sp_mutex_lock(&r->lock);
    known = sp_index_set_find(&r->index, name) != NULL;
    filter = sp_index_set_keep_filter(&r->index);
    sp_mutex_unlock(&r->lock);
    if (known || (!local && listed(c->l, name)))
        return SP_OK;
    if (!local) {
        sp_index_cache_remove(&r->cache, name, false);
        return SP_OK;
    }
    if (sp_index_cache_use(&r->cache, name, true, filter, &segment, &why) != SP_OK)
        return SP_OK; /* a hint less */
    sp_mutex_lock(&r->lock);
    more = tells_more(r, segment);
    sp_mutex_unlock(&r->lock);
    if (more)
        return add(r, segment, true, e);
    sp_index_segment_free(segment);
    sp_index_cache_remove(&r->cache, name, true);
    return SP_OK;
}

struct dropping {
    struct sp_repository *r;
    const struct listing *l;
    bool any;
};

static bool
to_drop(void *arg, const struct sp_index_use *u)
{
    struct dropping *d = arg;
    const uint8_t *name = sp_index_segment_name(u->segment);
    bool gone = !u->local && !u->own && !listed(d->l, name);

    gone = gone || sp_index_set_superseded(&d->r->index, name);
    d->any = d->any || gone;
    return gone;
}

static void
mark_memtable(struct sp_repository *r, const struct sp_memtable *m)
{
    size_t i;

    for (i = 0; m != NULL && i < sp_memtable_count(m); i++)
        sp_presence_at(r->presence, sp_memtable_at(m, i)->pack)->indexed = true;
}

/* Segments that were replaced or have vanished; packs that only they told of have to be learnt. */
static enum sp_code
drop_gone(struct sp_repository *r, const struct listing *l, struct sp_err *e)
{
    struct dropping d = {r, l, false};
    size_t i;
    enum sp_code rc;

    sp_mutex_lock(&r->lock);
    rc = sp_index_set_drop(&r->index, to_drop, &d, e);
    if (rc == SP_OK && d.any) {
        for (i = 0; i < sp_presence_count(r->presence); i++)
            sp_presence_at(r->presence, (uint32_t)i)->indexed = false;
        sp_index_set_mark(&r->index, r->presence);
        mark_memtable(r, r->memtable);
        mark_memtable(r, r->frozen);
    }
    sp_mutex_unlock(&r->lock);
    return rc;
}

enum sp_code
sp_index_refresh(struct sp_repository *r, struct sp_err *e)
{
    struct listing l = {NULL, 0, 0};
    struct cached c = {r, &l};
    struct found **order = NULL;
    size_t i;
    enum sp_code rc;

    if ((rc = sp_backend_list(r->backend, "index", see, &l, e)) != SP_OK)
        goto out;
    if (l.n > 0) {
        qsort(l.v, l.n, sizeof(*l.v), by_name);
        if ((order = malloc(l.n * sizeof(struct found *))) == NULL) {
            rc = sp_fail_nomem(e);
            goto out;
        }
        for (i = 0; i < l.n; i++)
            order[i] = &l.v[i];
        qsort(order, l.n, sizeof(struct found *), by_size);
    }
    for (i = 0; i < l.n; i++)
        if ((rc = sp_repository_live(r, e)) != SP_OK || (rc = take(r, order[i], e)) != SP_OK)
            goto out;
    if ((rc = drop_gone(r, &l, e)) != SP_OK)
        goto out;
    rc = sp_index_cache_list(&r->cache, look_at_file, &c, e);
out:
    free(order);
    free(l.v);
    return rc;
}
