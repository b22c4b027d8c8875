/* From the roots down, over the clear headers of the source's nodes; what the target lacks is sent:
 * see copy_impl.h. In memory are the ids of the nodes, and what one batch of them refers to. */

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "storage/copy_impl.h"

#define BATCH 256u /* nodes read in one pass: at most 1024 refs each, most have some dozens */

struct walk {
    struct sp_copy *c;
    struct sp_copy_ref *nodes; /* stack */
    size_t n, cap;
    struct sp_copy_ref *refs; /* of the batch */
    size_t nrefs, refs_cap;
    struct sp_copy_ref batch[BATCH];
    bool there[BATCH]; /* the target has the node */
};

static enum sp_code
grow(struct sp_copy_ref **v, size_t *cap, size_t need, struct sp_err *e)
{
    size_t wanted = *cap == 0 ? 1024 : *cap;
    struct sp_copy_ref *more;

    if (need <= *cap)
        return SP_OK;
    while (wanted < need)
        wanted *= 2;
    if ((more = realloc(*v, wanted * sizeof(*more))) == NULL)
        return sp_fail_nomem(e);
    *v = more;
    *cap = wanted;
    return SP_OK;
}

static enum sp_code
add_ref(struct walk *w, const uint8_t id[32], struct sp_err *e)
{
    enum sp_code rc = grow(&w->refs, &w->refs_cap, w->nrefs + 1, e);

    if (rc != SP_OK)
        return rc;
    memset(&w->refs[w->nrefs], 0, sizeof(*w->refs));
    memcpy(w->refs[w->nrefs++].id.b, id, SP_ID_SIZE);
    return SP_OK;
}

static enum sp_code
lost(const struct sp_copy *c, const struct sp_id *id, struct sp_err *e)
{
    return sp_fail(e, SP_CORRUPT, SP_DOM_STORE, "chunk %s has no good copy in the source%s%s",
        sp_hex8(id->b).s, c->why[0] != '\0' ? ": " : "", c->why);
}

static int
by_id(const void *a, const void *b)
{
    const struct sp_copy_ref *x = a, *y = b;

    return memcmp(x->id.b, y->id.b, SP_ID_SIZE);
}

/* Each once, and without the nodes that were seen. */
static void
sort_refs(struct walk *w)
{
    size_t i, n = 0;

    if (w->nrefs > 0)
        qsort(w->refs, w->nrefs, sizeof(*w->refs), by_id);
    for (i = 0; i < w->nrefs; i++)
        if ((n == 0 || by_id(&w->refs[n - 1], &w->refs[i]) != 0) &&
            !sp_keyset_has(&w->c->seen, w->refs[i].id.b))
            w->refs[n++] = w->refs[i];
    w->nrefs = n;
}

/* Nodes onto the stack, the rest of the refs are data. */
static enum sp_code
split_refs(struct walk *w, struct sp_err *e)
{
    struct sp_copy *c = w->c;
    size_t i, n = 0;
    enum sp_code rc;

    sort_refs(w);
    if ((rc = sp_copy_classify(c, w->refs, w->nrefs, e)) != SP_OK)
        return rc;
    for (i = 0; i < w->nrefs; i++) {
        struct sp_copy_ref *r = &w->refs[i];

        if (r->kind == SP_COPY_NOWHERE)
            return lost(c, &r->id, e);
        if (r->kind == SP_COPY_DATA) {
            w->refs[n++] = *r;
            continue;
        }
        if (sp_copy_known(c, r->id.b))
            continue;
        if ((rc = sp_keyset_add(&c->seen, r->id.b, NULL, e)) != SP_OK ||
            (rc = grow(&w->nodes, &w->cap, w->n + 1, e)) != SP_OK)
            return rc;
        w->nodes[w->n++] = *r;
    }
    w->nrefs = n;
    return SP_OK;
}

static enum sp_code
put_data(
    void *arg, const uint8_t *block, size_t len, const uint32_t *wanted, size_t n, struct sp_err *e)
{
    struct walk *w = arg;

    (void)wanted;
    (void)n;
    return sp_copy_put(w->c, block, len, e);
}

static enum sp_code
send_data(struct walk *w, struct sp_err *e)
{
    struct sp_copy *c = w->c;
    size_t i;
    enum sp_code rc;

    if (w->nrefs == 0)
        return SP_OK;
    if ((rc = sp_copy_have(c, false, w->refs, w->nrefs, e)) != SP_OK)
        return rc;
    if (c->o->dry_run)
        return c->totals->bytes_known
                   ? sp_copy_measure(c, w->refs, w->nrefs, &c->totals->blocks, &c->totals->bytes, e)
                   : SP_OK;
    if ((rc = sp_copy_fetch(c, false, w->refs, w->nrefs, put_data, w, e)) != SP_OK)
        return rc;
    for (i = 0; i < w->nrefs; i++)
        if (!w->refs[i].done)
            return lost(c, &w->refs[i].id, e);
    return SP_OK;
}

/* One block of nodes: those wanted are expanded, and it is sent when the target lacks one of them.
 */
static enum sp_code
expand(
    void *arg, const uint8_t *block, size_t len, const uint32_t *wanted, size_t n, struct sp_err *e)
{
    struct walk *w = arg;
    struct sp_block_header h;
    bool send = false;
    size_t i, k, nrefs;
    enum sp_code rc;

    if ((rc = sp_block_header_parse(block, len, &h, e)) != SP_OK)
        return rc;
    for (i = 0; i < n; i++) {
        const uint8_t *id = w->batch[wanted[i]].id.b;
        const uint8_t *at = bsearch(id, h.ids, h.nids, SP_ID_SIZE, sp_id_cmp), *refs;

        send = send || !w->there[wanted[i]];
        if (at == NULL || h.kind != SP_BLOCK_NODES)
            return lost(w->c, &w->batch[wanted[i]].id, e);
        refs = sp_block_refs(&h, (size_t)(at - h.ids) / SP_ID_SIZE, &nrefs);
        for (k = 0; k < nrefs; k++)
            if ((rc = add_ref(w, refs + k * SP_ID_SIZE, e)) != SP_OK)
                return rc;
    }
    if (!send)
        return SP_OK;
    if (!w->c->o->dry_run)
        return sp_copy_put(w->c, block, len, e);
    w->c->totals->blocks++;
    w->c->totals->bytes += len;
    return SP_OK;
}

static enum sp_code
read_batch(struct walk *w, struct sp_err *e)
{
    struct sp_copy *c = w->c;
    size_t n = w->n < BATCH ? w->n : BATCH, i, kept = 0;
    enum sp_code rc;

    w->n -= n;
    memcpy(w->batch, w->nodes + w->n, n * sizeof(*w->batch));
    if ((rc = sp_copy_have(c, true, w->batch, n, e)) != SP_OK)
        return rc;
    for (i = 0; i < n; i++) {
        w->there[kept] = w->batch[i].done;
        /* A server is taken at its word for what lies below; its commit names what is not there. */
        if (w->batch[i].done && c->to->repository == NULL)
            continue;
        w->batch[kept] = w->batch[i];
        w->batch[kept++].done = false;
    }
    w->nrefs = 0;
    if ((rc = sp_copy_fetch(c, true, w->batch, kept, expand, w, e)) != SP_OK)
        return rc;
    for (i = 0; i < kept; i++)
        if (!w->batch[i].done)
            return lost(c, &w->batch[i].id, e);
    if ((rc = split_refs(w, e)) != SP_OK)
        return rc;
    return send_data(w, e);
}

enum sp_code
sp_copy_closure(struct sp_copy *c, const struct sp_id *roots, size_t n, struct sp_err *e)
{
    struct walk *w = calloc(1, sizeof(*w));
    size_t i;
    enum sp_code rc = SP_OK;

    if (w == NULL)
        return sp_fail_nomem(e);
    w->c = c;
    c->why[0] = '\0';
    for (i = 0; i < n && rc == SP_OK; i++)
        rc = add_ref(w, roots[i].b, e);
    if (rc == SP_OK)
        rc = split_refs(w, e);
    if (rc == SP_OK)
        rc = send_data(w, e);
    while (rc == SP_OK && w->n > 0)
        if ((rc = sp_copy_live(c, e)) == SP_OK)
            rc = read_batch(w, e);
    free(w->refs);
    free(w->nodes);
    free(w);
    return rc;
}
