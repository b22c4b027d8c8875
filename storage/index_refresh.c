/* Brings the segments in use in line with the repository's index folder: see repository_impl.h. */

#include <stdlib.h>
#include <string.h>

#include "storage/ahead.h"
#include "storage/repository_impl.h"

#define PIECE (1u << 20)

static int
by_name(const void *a, const void *b)
{
    return memcmp(
        ((const struct sp_index_found *)a)->name, ((const struct sp_index_found *)b)->name, 32);
}

/* Larger ones first: a merged segment comes before those that it replaces, which then need not be
 * fetched. */
static int
by_size(const void *a, const void *b)
{
    const struct sp_index_found *x = *(struct sp_index_found *const *)a,
                                *y = *(struct sp_index_found *const *)b;

    if (x->size != y->size)
        return x->size > y->size ? -1 : 1;
    return memcmp(x->name, y->name, 32);
}

static bool
listed(const struct sp_index_listing *l, const uint8_t *name)
{
    struct sp_index_found key = {.size = 0};

    memcpy(key.name, name, 32);
    return l->n > 0 && bsearch(&key, l->v, l->n, sizeof(*l->v), by_name) != NULL;
}

enum sp_code
sp_index_see(struct sp_index_listing *l, const char *object, uint64_t size, struct sp_err *e)
{
    uint8_t name[32];

    if (size == 0 || !sp_index_object_parse(object, name))
        return SP_OK;
    if (l->n == l->cap) {
        size_t cap = l->cap == 0 ? 32 : l->cap * 2;
        struct sp_index_found *more = realloc(l->v, cap * sizeof(*more));

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

static bool
known(struct sp_repository *r, const uint8_t *name, bool *ret_filter)
{
    bool yes;

    sp_mutex_lock(&r->lock);
    yes = sp_index_set_find(&r->index, name) != NULL || sp_index_set_superseded(&r->index, name);
    *ret_filter = sp_index_set_keep_filter(&r->index);
    sp_mutex_unlock(&r->lock);
    return yes;
}

/* Takes a listed segment into use when the cache folder has it. */
static enum sp_code
take_cached(
    struct sp_repository *r, const struct sp_index_found *f, bool *ret_wanted, struct sp_err *e)
{
    struct sp_index_segment *segment = NULL;
    struct sp_err why = {0};
    bool filter;
    enum sp_code rc;

    *ret_wanted = false;
    if (known(r, f->name, &filter))
        return SP_OK;
    rc = sp_index_cache_use(&r->cache, f->name, false, filter, &segment, &why);
    if (rc == SP_OK)
        return add(r, segment, false, e);
    *ret_wanted = rc == SP_ABSENT || rc == SP_CORRUPT;
    if (*ret_wanted)
        return SP_OK;
    *e = why;
    return rc;
}

/* --- those that have to be fetched: side by side where the store is far -------------------------
 */

struct fetching {
    struct sp_repository *r;
    struct sp_index_found **v;
    size_t n;
    size_t next; /* to ask for: a segment, and from where on */
    uint64_t at;
    size_t failed;              /* of this one no more is asked for */
    struct sp_index_fetch file; /* of v[current] */
    size_t current;
    bool open;
};

static bool
next_piece(void *arg, struct sp_ahead_read *ret)
{
    struct fetching *x = arg;
    const struct sp_index_found *f;
    bool ignored;

    if (x->at > 0 && x->next == x->failed) {
        x->next++;
        x->at = 0;
    }
    /* One that a merged segment told to be replaced in the meantime is not needed. */
    while (
        x->next < x->n && x->at == 0 &&
        (x->v[x->next]->size > SP_INDEX_SEGMENT_MAX || known(x->r, x->v[x->next]->name, &ignored)))
        x->next++;
    if (x->next == x->n)
        return false;
    f = x->v[x->next];
    sp_index_object_name(f->name, ret->name);
    ret->offset = x->at;
    ret->n = f->size - x->at < PIECE ? (size_t)(f->size - x->at) : PIECE;
    ret->tag = x->next;
    x->at += ret->n;
    if (x->at == f->size) {
        x->next++;
        x->at = 0;
    }
    return true;
}

/* One that is not to be had or bad is done without: its packs tell themselves what they hold, and
 * check reports it. */
static enum sp_code
finish(struct fetching *x, enum sp_code rc, bool whole, struct sp_err *e)
{
    const struct sp_index_found *f = x->v[x->current];
    struct sp_index_segment *segment = NULL;
    struct sp_err why = {0};
    bool good = false, filter;

    x->open = false;
    rc = sp_index_fetch_end(&x->r->cache, &x->file, f->name, rc, whole, &good, &why, e);
    if (rc != SP_OK || !good || known(x->r, f->name, &filter))
        return rc;
    rc = sp_index_cache_use(&x->r->cache, f->name, false, filter, &segment, &why);
    if (rc == SP_OK)
        return add(x->r, segment, false, e);
    if (rc == SP_CORRUPT)
        return SP_OK;
    *e = why;
    return rc;
}

static enum sp_code
take_piece(struct fetching *x, const struct sp_ahead_read *read, enum sp_code got, const uint8_t *p,
    size_t n, const struct sp_err *why, struct sp_err *e)
{
    enum sp_code rc = SP_OK;

    if (read->tag == x->failed)
        return SP_OK;
    if (read->offset == 0) {
        x->current = (size_t)read->tag;
        if ((rc = sp_index_fetch_begin(&x->r->cache, &x->file, e)) != SP_OK)
            return rc;
        x->open = true;
    }
    if (got != SP_OK && sp_store_fatal(got)) {
        *e = *why;
        return got;
    }
    if (got != SP_OK) {
        x->failed = x->current;
        return finish(x, SP_OK, false, e);
    }
    if ((rc = sp_index_fetch_add(&x->file, p, n, e)) != SP_OK)
        return rc;
    return read->offset + n < x->v[x->current]->size ? SP_OK : finish(x, SP_OK, true, e);
}

static enum sp_code
fetch(struct sp_repository *r, struct sp_index_found **v, size_t n, struct sp_err *e)
{
    struct fetching x = {.r = r, .v = v, .n = n, .failed = SIZE_MAX};
    struct sp_ahead *ahead = NULL;
    const struct sp_ahead_read *read;
    const uint8_t *p;
    size_t len;
    enum sp_code rc, got;

    if (n == 0)
        return SP_OK;
    if ((rc = sp_ahead_new(r->backend, next_piece, &x, &ahead, e)) != SP_OK)
        return rc;
    while (rc == SP_OK && (rc = sp_repository_live(r, e)) == SP_OK) {
        struct sp_err why = {0};

        got = sp_ahead_take(ahead, &read, &p, &len, &why);
        if (read == NULL)
            break;
        rc = take_piece(&x, read, got, p, len, &why, e);
    }
    if (x.open)
        rc = finish(&x, rc, false, e);
    sp_ahead_free(ahead);
    return rc;
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
    const struct sp_index_listing *l;
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
    const struct sp_index_listing *l;
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
drop_gone(struct sp_repository *r, const struct sp_index_listing *l, struct sp_err *e)
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
sp_index_refresh(struct sp_repository *r, struct sp_index_listing *l, struct sp_err *e)
{
    struct cached c = {r, l};
    struct sp_index_found **order = NULL;
    size_t i, wanted = 0;
    bool fetch_it;
    enum sp_code rc = SP_OK;

    if (l->n > 0) {
        qsort(l->v, l->n, sizeof(*l->v), by_name);
        if ((order = malloc(l->n * sizeof(struct sp_index_found *))) == NULL)
            return sp_fail_nomem(e);
        for (i = 0; i < l->n; i++)
            order[i] = &l->v[i];
        qsort(order, l->n, sizeof(struct sp_index_found *), by_size);
    }
    for (i = 0; i < l->n; i++) {
        if ((rc = sp_repository_live(r, e)) != SP_OK ||
            (rc = take_cached(r, order[i], &fetch_it, e)) != SP_OK)
            goto out;
        if (fetch_it)
            order[wanted++] = order[i];
    }
    if ((rc = fetch(r, order, wanted, e)) != SP_OK || (rc = drop_gone(r, l, e)) != SP_OK)
        goto out;
    rc = sp_index_cache_list(&r->cache, look_at_file, &c, e);
out:
    free(order);
    return rc;
}
