/* What packs say of their blocks, asked for many of them at once: see copy_impl.h. */

#include <stdlib.h>
#include <string.h>

#include "storage/copy_impl.h"

struct asking {
    const struct sp_fetch *f; /* by pack */
    size_t n;
    struct sp_copy_said *said;
};

static bool
same_pack(const struct sp_fetch *a, const struct sp_fetch *b)
{
    return a->kind == b->kind && memcmp(a->name, b->name, sizeof(a->name)) == 0;
}

static int
by_pack(const void *a, const void *b)
{
    const struct sp_fetch *x = a, *y = b;

    if (x->kind != y->kind)
        return x->kind < y->kind ? -1 : 1;
    return memcmp(x->name, y->name, sizeof(x->name));
}

static void
note(const struct sp_pack_trailer *t, const struct sp_place *at, struct sp_copy_said *to)
{
    size_t low = 0, high = sp_pack_trailer_count(t);

    while (low < high) {
        size_t mid = low + (high - low) / 2;
        struct sp_pack_block b;

        sp_pack_trailer_block(t, mid, &b);
        if (b.offset < at->offset) {
            low = mid + 1;
        } else if (b.offset > at->offset) {
            high = mid;
        } else {
            to->told = b.length == at->length;
            memcpy(to->sha256, b.sha256, sizeof(to->sha256));
            return;
        }
    }
}

/* A trailer that cannot be read tells nothing, and so of no block. */
static enum sp_code
take(void *arg, const struct sp_pack_ref *pack, struct sp_pack_trailer *t, enum sp_code rc,
    const struct sp_err *why, struct sp_err *e)
{
    const struct asking *a = arg;

    if (t == NULL) {
        if (!sp_store_fatal(rc))
            return SP_OK;
        *e = *why;
        return rc;
    }
    for (size_t i = pack->tag; i < a->n && same_pack(&a->f[i], &a->f[pack->tag]); i++)
        note(t, &a->f[i].place, &a->said[a->f[i].want]);
    sp_pack_trailer_free(t);
    return SP_OK;
}

enum sp_code
sp_copy_trailers(struct sp_repository *r, struct sp_fetch *f, size_t n, struct sp_copy_said *said,
    struct sp_err *e)
{
    struct asking a = {f, n, said};
    struct sp_pack_ref *packs = malloc((n + 1) * sizeof(*packs));
    size_t i, npacks = 0;
    enum sp_code rc;

    if (packs == NULL)
        return sp_fail_nomem(e);
    if (n > 0)
        qsort(f, n, sizeof(*f), by_pack);
    sp_mutex_lock(&r->lock);
    for (i = 0; i < n; i++) {
        said[f[i].want].told = false;
        if (i > 0 && same_pack(&f[i - 1], &f[i]))
            continue;
        memcpy(packs[npacks].name, f[i].name, sizeof(packs[npacks].name));
        packs[npacks].kind = (enum sp_pack_kind)f[i].kind;
        packs[npacks].size = sp_presence_at(r->presence, f[i].place.pack)->size;
        packs[npacks++].tag = (uint32_t)i; /* the first of f in it */
    }
    sp_mutex_unlock(&r->lock);
    rc = sp_pack_trailers(r->backend, packs, npacks, take, &a, e);
    free(packs);
    return rc;
}
