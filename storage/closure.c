/* What a root needs and what of it is not there: see repository_impl.h. The walk needs no key: refs
 * are in the clear headers of node blocks. It is iterative, reads blocks in the order in which they
 * lie, and keeps in memory the ids of nodes only. */

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "storage/repository_impl.h"

#define BATCH 4096u /* nodes read in one pass */
#define TRIES 4u    /* copies of a node that are looked at */

struct pending { /* a node to read */
    struct sp_id id;
    struct sp_place place;
    uint8_t tries;
    bool done;
};

struct walk {
    struct sp_repository *r;
    const struct sp_reader_scope *scope;
    const struct sp_id *roots; /* sorted */
    size_t nroots;
    struct sp_lookup lookup;
    struct sp_keyset seen; /* nodes of this walk */
    const struct sp_keyset *known;
    const struct sp_closure_view *view;
    struct sp_missing *missing;
    bool reading; /* marks are nothing to it */
    bool lacks;
    struct pending *stack;
    size_t n, cap;
    struct pending *batch;
};

/* --- what was found about one id ----------------------------------------------------------- */

struct sighting {
    const struct walk *w;
    const struct sp_place *avoid; /* a copy that could not be read */
    bool node, data;
    struct sp_place place; /* of the node */
};

int
sp_place_cmp(const void *a, const void *b)
{
    const struct sp_place *x = a, *y = b;

    if (x->pack != y->pack)
        return x->pack < y->pack ? -1 : 1;
    return x->offset < y->offset ? -1 : x->offset > y->offset;
}

static bool
proven_bad(const struct walk *w, const struct sp_place *at)
{
    return w->view != NULL && w->view->nbad > 0 &&
           bsearch(at, w->view->bad, w->view->nbad, sizeof(*at), sp_place_cmp) != NULL;
}

static bool
in_scope(const struct walk *w, const struct sp_pack_state *s, bool node)
{
    const struct sp_presence *p = w->r->presence;
    const struct sp_reader_scope *scope = w->scope;

    if (!sp_pack_relied(s) && !(w->reading && sp_pack_readable(s)))
        return false;
    if (scope->group != NULL && memcmp(sp_presence_group(p, s), scope->group, 16) != 0)
        return false;
    /* A member's node is never relied on. */
    return !node || scope->host == NULL || memcmp(sp_presence_uploader(p, s), scope->host, 16) == 0;
}

static bool
sight(void *arg, const struct sp_pack_state *s, const struct sp_place *at)
{
    struct sighting *f = arg;
    bool node = s->kind == SP_PACK_NODES;

    if (!in_scope(f->w, s, node) || proven_bad(f->w, at))
        return true;
    if (!node) {
        f->data = true;
        return true;
    }
    if (f->avoid != NULL && sp_place_cmp(f->avoid, at) == 0)
        return true;
    f->node = true;
    f->place = *at;
    return false;
}

static enum sp_code
miss(struct walk *w, const uint8_t *id, struct sp_err *e)
{
    w->lacks = true;
    return sp_missing_add(w->missing, id, e);
}

static enum sp_code
push(struct walk *w, const struct sp_id *id, const struct sp_place *at, uint8_t tries,
    struct sp_err *e)
{
    struct pending *p;

    if (w->n == w->cap) {
        size_t cap = w->cap == 0 ? 256 : w->cap * 2;
        struct pending *more = realloc(w->stack, cap * sizeof(*more));

        if (more == NULL)
            return sp_fail_nomem(e);
        w->stack = more;
        w->cap = cap;
    }
    p = &w->stack[w->n++];
    p->id = *id;
    p->place = *at;
    p->tries = tries;
    p->done = false;
    return SP_OK;
}

static bool
is_known(struct walk *w, const uint8_t *id)
{
    bool yes;

    if (w->known == NULL)
        return false;
    sp_mutex_lock(&w->r->lock);
    yes = sp_keyset_has(w->known, id);
    sp_mutex_unlock(&w->r->lock);
    return yes;
}

/* A ref: a node to follow, data that is there, or missing. `must` be a node: the root. */
static enum sp_code
follow(struct walk *w, const uint8_t *ref, bool must, struct sp_err *e)
{
    struct sighting f = {.w = w};
    struct sp_id id;
    enum sp_code rc;

    if (sp_keyset_has(&w->seen, ref) || is_known(w, ref))
        return SP_OK;
    memcpy(id.b, ref, sizeof(id.b));
    if ((rc = sp_lookup_id(&w->lookup, &id, sight, &f, e)) != SP_OK)
        return rc;
    if (f.node) {
        if ((rc = sp_keyset_add(&w->seen, ref, NULL, e)) != SP_OK)
            return rc;
        return push(w, &id, &f.place, 1, e);
    }
    return f.data && !must ? SP_OK : miss(w, ref, e);
}

/* --- one batch ----------------------------------------------------------------------------- */

static const uint8_t *
find_id(const struct sp_block_header *h, const struct sp_id *id, size_t *ret)
{
    const uint8_t *at =
        h->nids == 0 ? NULL : bsearch(id->b, h->ids, h->nids, SP_ID_SIZE, sp_id_cmp);

    if (at != NULL)
        *ret = (size_t)(at - h->ids) / SP_ID_SIZE;
    return at;
}

static enum sp_code
expand(void *arg, const struct sp_fetch *f, size_t n, const struct sp_block_header *h,
    const uint8_t *block, struct sp_err *e)
{
    struct walk *w = arg;
    size_t i, k, at, nrefs;
    const uint8_t *refs;
    enum sp_code rc;

    (void)block;
    if (h->kind != SP_BLOCK_NODES)
        return SP_OK;
    for (i = 0; i < n; i++) {
        struct pending *p = &w->batch[f[i].want];

        if (find_id(h, &p->id, &at) == NULL)
            continue; /* only the first half of the id is the same */
        p->done = true;
        refs = sp_block_refs(h, at, &nrefs);
        for (k = 0; k < nrefs; k++)
            if ((rc = follow(w, refs + k * SP_ID_SIZE, false, e)) != SP_OK)
                return rc;
    }
    return SP_OK;
}

/* Nodes whose copy could not be read: another copy, or missing. What is no node was found in a pack
 * of data that lies among the nodes; then any copy in its right place will do, but for the root. */
static enum sp_code
retry(struct walk *w, size_t n, struct sp_err *e)
{
    size_t i;
    enum sp_code rc;

    for (i = 0; i < n; i++) {
        struct pending *p = &w->batch[i];
        struct sighting f = {.w = w, .avoid = &p->place};

        if (p->done)
            continue;
        if (p->tries < TRIES) {
            if ((rc = sp_lookup_id(&w->lookup, &p->id, sight, &f, e)) != SP_OK)
                return rc;
        }
        if (f.node)
            rc = push(w, &p->id, &f.place, (uint8_t)(p->tries + 1), e);
        else if (f.data &&
                 bsearch(p->id.b, w->roots, w->nroots, sizeof(*w->roots), sp_id_cmp) == NULL)
            rc = SP_OK;
        else
            rc = miss(w, p->id.b, e);
        if (rc != SP_OK)
            return rc;
    }
    return SP_OK;
}

static enum sp_code
read_batch(struct walk *w, struct sp_err *e)
{
    size_t n = w->n < BATCH ? w->n : BATCH, i;
    struct sp_fetch *f = malloc(n * sizeof(*f));
    enum sp_code rc;

    if (f == NULL)
        return sp_fail_nomem(e);
    w->n -= n;
    memcpy(w->batch, w->stack + w->n, n * sizeof(*w->batch));
    sp_mutex_lock(&w->r->lock);
    for (i = 0; i < n; i++) {
        const struct sp_pack_state *s = sp_presence_at(w->r->presence, w->batch[i].place.pack);

        f[i].place = w->batch[i].place;
        memcpy(f[i].name, s->name, sizeof(f[i].name));
        f[i].kind = s->kind;
        f[i].want = (uint32_t)i;
    }
    sp_mutex_unlock(&w->r->lock);
    if ((rc = sp_fetch_blocks(w->r, f, n, expand, w, e)) == SP_OK)
        rc = retry(w, n, e);
    free(f);
    return rc;
}

/* --- the whole walk -------------------------------------------------------------------------- */

/* From the roots down; w->seen and the stack are empty. */
static enum sp_code
walk_once(struct walk *w, struct sp_err *e)
{
    size_t i;
    enum sp_code rc = SP_OK;

    for (i = 0; i < w->nroots && rc == SP_OK; i++)
        rc = follow(w, w->roots[i].b, true, e);
    while (rc == SP_OK && w->n > 0) {
        rc = w->view != NULL ? w->view->live(w->view->arg, e) : sp_repository_live(w->r, e);
        if (rc == SP_OK)
            rc = read_batch(w, e);
    }
    return rc;
}

static enum sp_code
walk_all(struct sp_repository *r, const struct sp_reader_scope *scope, const struct sp_id *roots,
    size_t n, struct sp_closure_view *view, bool reading, struct sp_missing *m, bool *ret_whole,
    struct sp_err *e)
{
    struct walk w = {.r = r,
        .scope = scope,
        .roots = roots,
        .nroots = n,
        .view = view,
        .reading = reading,
        .missing = m};
    struct sp_known_host *mine = NULL;
    uint64_t lost, before;
    bool proved = false;
    enum sp_code rc = SP_OK;

    sp_lookup_begin(&w.lookup, r);
    sp_keyset_init(&w.seen, r->seed);
    if (view == NULL) {
        mine = sp_known_of(r, scope); /* and when its packs were read */
        if (r->write && scope->host != NULL &&
            (rc = sp_prove_nodes(r, scope->host, &proved, e)) != SP_OK)
            goto out;
    }
    sp_mutex_lock(&r->lock);
    if (mine != NULL) /* or the next run reads the same packs again, and never others */
        mine->unsaved = mine->unsaved || proved;
    lost = r->lost;
    w.known = view != NULL ? &view->known : mine != NULL ? &mine->nodes : NULL;
    sp_mutex_unlock(&r->lock);
    if ((w.batch = malloc(BATCH * sizeof(*w.batch))) == NULL) {
        rc = sp_fail_nomem(e);
        goto out;
    }
    /* A pack that vanished or proved bad on the way was relied on before that: once more. */
    do {
        before = lost;
        sp_keyset_clear(&w.seen);
        if ((rc = walk_once(&w, e)) != SP_OK)
            goto out;
        sp_mutex_lock(&r->lock);
        lost = r->lost;
        sp_mutex_unlock(&r->lock);
        if (lost != before && view != NULL)
            sp_keyset_clear(&view->known);
    } while (lost != before);
    /* What a reader finds whole may lie in packs that an uploader must not rely on. */
    if (!w.lacks && mine != NULL && !reading)
        sp_known_remember(r, mine, &w.seen, sp_clock_wall(r->env->clock), lost);
    else if (!w.lacks && view != NULL && (rc = sp_keyset_merge(&view->known, &w.seen, e)) != SP_OK)
        goto out;
    *ret_whole = !w.lacks;
out:
    sp_lookup_end(&w.lookup);
    sp_keyset_clear(&w.seen);
    free(w.batch);
    free(w.stack);
    return rc;
}

enum sp_code
sp_closure_walk(struct sp_repository *r, const struct sp_reader_scope *scope,
    const struct sp_id *root, struct sp_closure_view *view, struct sp_missing *m, bool *ret_whole,
    struct sp_err *e)
{
    return walk_all(r, scope, root, 1, view, view != NULL, m, ret_whole, e);
}

enum sp_code
sp_closure_walk_all(struct sp_repository *r, const struct sp_reader_scope *scope,
    const struct sp_id *roots, size_t n, struct sp_closure_view *view, struct sp_missing *m,
    bool *ret_whole, struct sp_err *e)
{
    return walk_all(r, scope, roots, n, view, view != NULL, m, ret_whole, e);
}

enum sp_code
sp_repository_closure(struct sp_repository *r, const struct sp_reader_scope *scope,
    const struct sp_id *root, struct sp_id **ret_missing, size_t *ret_n, bool *ret_more,
    struct sp_err *e)
{
    static const struct sp_reader_scope everything;
    struct sp_missing m;
    bool whole;
    enum sp_code rc;

    if ((rc = sp_repository_ready(r, e)) != SP_OK)
        return rc;
    sp_missing_init(&m, r);
    rc = walk_all(r, scope == NULL ? &everything : scope, root, 1, NULL, true, &m, &whole, e);
    if (rc == SP_OK)
        sp_missing_take(&m, ret_missing, ret_n, ret_more);
    sp_missing_free(&m);
    return rc;
}
