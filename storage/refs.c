#include "storage/refs.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum sp_code
sp_refs_add(struct sp_refs *r, const struct sp_id *id, struct sp_err *e)
{
    if (r->n == r->cap) {
        size_t cap = r->cap == 0 ? 64 : r->cap * 2;
        struct sp_id *p = realloc(r->ids, cap * sizeof *p);

        if (p == NULL)
            return sp_fail_nomem(e);
        r->ids = p;
        r->cap = cap;
    }
    r->ids[r->n++] = *id;
    return SP_OK;
}

void
sp_refs_settle(struct sp_refs *r)
{
    size_t kept = 0;

    if (r->n == 0)
        return;
    qsort(r->ids, r->n, sizeof r->ids[0], sp_id_cmp);
    for (size_t i = 1; i < r->n; i++) {
        if (sp_id_cmp(&r->ids[i], &r->ids[kept]) != 0)
            r->ids[++kept] = r->ids[i];
    }
    r->n = kept + 1;
}

uint32_t
sp_refs_ordinal(const struct sp_refs *r, const struct sp_id *id)
{
    size_t low = 0, high = r->n;

    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int d = sp_id_cmp(&r->ids[mid], id);

        if (d == 0)
            return (uint32_t)mid + 1;
        if (d < 0)
            low = mid + 1;
        else
            high = mid;
    }
    assert(!"an id that was not added");
    return 0;
}

void
sp_refs_reset(struct sp_refs *r)
{
    r->n = 0;
}

void
sp_refs_free(struct sp_refs *r)
{
    free(r->ids);
    *r = (struct sp_refs){0};
}

enum sp_code
sp_ref_use_start(struct sp_ref_use *u, const struct sp_node *node, struct sp_err *e)
{
    size_t bytes = node->nrefs / 8 + 1;

    if (bytes > u->cap) {
        uint8_t *p = realloc(u->bits, bytes);

        if (p == NULL)
            return sp_fail_nomem(e);
        u->bits = p;
        u->cap = bytes;
    }
    memset(u->bits, 0, bytes);
    u->node = node;
    u->used = 0;
    return SP_OK;
}

const struct sp_id *
sp_ref_use_get(struct sp_ref_use *u, uint64_t ref)
{
    size_t i;
    uint8_t bit;

    if (ref < 1 || ref > u->node->nrefs)
        return NULL;
    i = (size_t)ref - 1;
    bit = (uint8_t)(1u << (i % 8));
    if ((u->bits[i / 8] & bit) == 0) {
        u->bits[i / 8] |= bit;
        u->used++;
    }
    return &u->node->refs[i];
}

bool
sp_ref_use_all(const struct sp_ref_use *u)
{
    return u->used == u->node->nrefs;
}

void
sp_ref_use_free(struct sp_ref_use *u)
{
    free(u->bits);
    *u = (struct sp_ref_use){0};
}
