/* Check: the index against the trailers. Every pair of id and block that a trailer says must be in
 * each segment that speaks of the pack; and a segment must have no more entries for a pack than
 * were so found. */

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "storage/check_impl.h"

struct segment {
    struct sp_index_use *use;
    uint32_t *local;    /* for each ordinal of the registry the segment's own, + 1; 0: not in it */
    uint64_t *expected; /* for each of its packs: the entries found by the trailer */
    uint64_t *entries;  /* … and those that there are */
    bool *checked;      /* … the trailer was read, and nothing was told yet */
};

struct sp_check_index {
    struct sp_check *c;
    struct sp_index_view *view;
    struct segment *v;
    size_t n;
    size_t packs; /* of the registry, when we began */
};

void
sp_check_index_free(struct sp_check_index *x)
{
    size_t i;

    if (x == NULL)
        return;
    for (i = 0; x->v != NULL && i < x->n; i++) {
        free(x->v[i].local);
        free(x->v[i].expected);
        free(x->v[i].entries);
        free(x->v[i].checked);
    }
    free(x->v);
    sp_index_view_free(x->view);
    free(x);
}

enum sp_code
sp_check_index_new(struct sp_check *c, struct sp_check_index **ret, struct sp_err *e)
{
    struct sp_check_index *x = calloc(1, sizeof(*x));
    size_t i, k;

    if (x == NULL)
        return sp_fail_nomem(e);
    x->c = c;
    sp_mutex_lock(&c->r->lock);
    x->view = sp_index_set_view(&c->r->index);
    x->packs = sp_presence_count(c->r->presence);
    sp_mutex_unlock(&c->r->lock);
    if ((x->v = calloc(x->view->n + 1, sizeof(*x->v))) == NULL)
        goto nomem;
    for (i = 0; i < x->view->n; i++) {
        struct segment *s = &x->v[x->n++];
        size_t packs;

        s->use = x->view->uses[i];
        packs = sp_index_segment_packs(s->use->segment);
        s->local = calloc(x->packs + 1, sizeof(*s->local));
        s->expected = calloc(packs + 1, sizeof(*s->expected));
        s->entries = calloc(packs + 1, sizeof(*s->entries));
        s->checked = calloc(packs + 1, sizeof(*s->checked));
        if (s->local == NULL || s->expected == NULL || s->entries == NULL || s->checked == NULL)
            goto nomem;
        for (k = 0; k < packs; k++)
            if (s->use->ordinals[k] < x->packs)
                s->local[s->use->ordinals[k]] = (uint32_t)k + 1;
    }
    *ret = x;
    return SP_OK;
nomem:
    sp_check_index_free(x);
    return sp_fail_nomem(e);
}

struct search {
    uint32_t pack, offset, length;
    bool found;
};

static bool
match(void *arg, const struct sp_index_entry *en)
{
    struct search *s = arg;

    s->found = en->pack == s->pack && en->offset == s->offset && en->length == s->length;
    return !s->found;
}

static enum sp_code
disagree(struct sp_check_index *x, const struct segment *s, const char *object, struct sp_err *e)
{
    return sp_check_tell(x->c, false, object, NULL, NULL, 0, e,
        "index segment %.16s… does not say of this pack what its trailer says",
        sp_hex32(sp_index_segment_name(s->use->segment)).s);
}

static enum sp_code
pack_in_segment(struct sp_check_index *x, struct segment *s, uint32_t local, const char *object,
    const struct sp_pack_trailer *t, bool *agrees, struct sp_err *e)
{
    size_t i, k;
    enum sp_code rc;

    for (i = 0; i < sp_pack_trailer_count(t); i++) {
        struct sp_pack_block b;

        sp_pack_trailer_block(t, i, &b);
        for (k = 0; k < b.nids; k++) {
            struct search q = {local, b.offset, b.length, false};

            rc = sp_index_segment_find(s->use->segment, b.ids + k * SP_ID_SIZE, match, &q, e);
            if (rc != SP_OK)
                return rc;
            if (!q.found) {
                *agrees = false;
                return disagree(x, s, object, e);
            }
            s->expected[local]++;
        }
    }
    s->checked[local] = true;
    return SP_OK;
}

enum sp_code
sp_check_index_pack(struct sp_check_index *x, uint32_t ordinal, const char *object,
    const struct sp_pack_trailer *t, bool *ret_agrees, struct sp_err *e)
{
    bool agrees = true;
    size_t i;
    enum sp_code rc;

    for (i = 0; i < x->n && ordinal < x->packs; i++)
        if (x->v[i].local[ordinal] != 0 &&
            (rc = pack_in_segment(
                 x, &x->v[i], x->v[i].local[ordinal] - 1, object, t, &agrees, e)) != SP_OK)
            return rc;
    *ret_agrees = agrees;
    return SP_OK;
}

static enum sp_code
count_entry(void *arg, const struct sp_index_entry *en, struct sp_err *e)
{
    struct segment *s = arg;

    (void)e;
    if (en->pack < sp_index_segment_packs(s->use->segment))
        s->entries[en->pack]++;
    return SP_OK;
}

enum sp_code
sp_check_index_end(struct sp_check_index *x, struct sp_err *e)
{
    char object[96];
    size_t i, k;
    enum sp_code rc;

    for (i = 0; i < x->n; i++) {
        struct segment *s = &x->v[i];

        if ((rc = sp_check_live(x->c, e)) != SP_OK ||
            (rc = sp_index_segment_each(s->use->segment, count_entry, s, e)) != SP_OK)
            return rc;
        for (k = 0; k < sp_index_segment_packs(s->use->segment); k++) {
            const struct sp_index_pack *p = sp_index_segment_pack(s->use->segment, k);

            if (!s->checked[k] || s->entries[k] == s->expected[k])
                continue;
            sp_pack_object_name(p->kind, p->name, object);
            if ((rc = disagree(x, s, object, e)) != SP_OK)
                return rc;
        }
    }
    return SP_OK;
}
