/* Blocks for ids: see repository.h. The index says where copies lie; the block's own header decides
 * whether the id is inside. */

#include <stdlib.h>
#include <string.h>

#include "storage/repository_impl.h"

#define IDS_MAX 65536u
#define COPIES_MAX 64u /* of one id that are told apart */

struct copy {
    struct sp_fetch f;
    bool own;
};

struct gather { /* the copies of one id */
    struct sp_repository *r;
    const struct sp_reader_scope *scope;
    struct copy v[COPIES_MAX];
    size_t n;
};

static bool
copy_found(void *arg, const struct sp_pack_state *s, const struct sp_place *at)
{
    struct gather *g = arg;
    const struct sp_presence *p = g->r->presence;
    const struct sp_reader_scope *scope = g->scope;
    struct copy *c = &g->v[g->n];

    if (scope->group != NULL && memcmp(sp_presence_group(p, s), scope->group, 16) != 0)
        return true;
    c->own = scope->host != NULL && memcmp(sp_presence_uploader(p, s), scope->host, 16) == 0;
    c->f.place = *at;
    memcpy(c->f.name, s->name, sizeof(c->f.name));
    c->f.kind = s->kind;
    return ++g->n < COPIES_MAX;
}

/* The host's own copies first; else an order that stays the same from call to call, so that asking
 * for the next copy gives another one. */
static int
copy_cmp(const void *a, const void *b)
{
    const struct copy *x = a, *y = b;
    int order;

    if (x->own != y->own)
        return x->own ? -1 : 1;
    if ((order = memcmp(x->f.name, y->f.name, sizeof(x->f.name))) != 0)
        return order;
    if (x->f.place.offset != y->f.place.offset)
        return x->f.place.offset < y->f.place.offset ? -1 : 1;
    return 0;
}

/* The same block may be in the memtable and in a segment, or in two segments. */
static void
unique(struct gather *g)
{
    size_t i, n = 0;

    if (g->n == 0)
        return;
    qsort(g->v, g->n, sizeof(g->v[0]), copy_cmp);
    for (i = 1; i < g->n; i++)
        if (copy_cmp(&g->v[n], &g->v[i]) != 0)
            g->v[++n] = g->v[i];
    g->n = n + 1;
}

struct delivery {
    const struct sp_id *ids;
    uint32_t *wanted;
    sp_store_block_fn each;
    void *arg;
};

static enum sp_code
deliver(void *arg, const struct sp_fetch *f, size_t n, const struct sp_block_header *h,
    const uint8_t *block, struct sp_err *e)
{
    struct delivery *d = arg;
    size_t i, inside = 0;

    for (i = 0; i < n; i++)
        if (bsearch(d->ids[f[i].want].b, h->ids, h->nids, SP_ID_SIZE, sp_id_cmp) != NULL)
            d->wanted[inside++] = f[i].want;
    if (inside == 0)
        return SP_OK;
    return d->each(d->arg, block, (size_t)h->header_len + h->sealed_len, d->wanted, inside, e);
}

enum sp_code
sp_repository_get(struct sp_repository *r, const struct sp_reader_scope *scope,
    const struct sp_id *ids, size_t n, unsigned copy, sp_store_block_fn each, void *arg,
    struct sp_err *e)
{
    static const struct sp_reader_scope everything;
    struct gather g = {.r = r, .scope = scope == NULL ? &everything : scope};
    struct delivery d = {ids, NULL, each, arg};
    struct sp_lookup lookup;
    struct sp_fetch *f = NULL;
    size_t i, count = 0;
    enum sp_code rc = SP_OK;

    if (n > IDS_MAX)
        return sp_fail(e, SP_INVALID, SP_DOM_SELF, "%zu ids in one question", n);
    if ((rc = sp_repository_ready(r, e)) != SP_OK)
        return rc;
    sp_lookup_begin(&lookup, r);
    f = malloc((n + 1) * sizeof(*f));
    d.wanted = malloc((n + 1) * sizeof(*d.wanted));
    if (f == NULL || d.wanted == NULL) {
        rc = sp_fail_nomem(e);
        goto out;
    }
    for (i = 0; i < n; i++) {
        g.n = 0;
        if ((rc = sp_lookup_id(&lookup, &ids[i], copy_found, &g, e)) != SP_OK)
            goto out;
        unique(&g);
        if (copy >= g.n)
            continue;
        f[count] = g.v[copy].f;
        f[count++].want = (uint32_t)i;
    }
    rc = sp_fetch_blocks(r, f, count, deliver, &d, e);
out:
    sp_lookup_end(&lookup);
    free(d.wanted);
    free(f);
    return rc;
}
