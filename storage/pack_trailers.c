/* The trailers of many packs, side by side: see pack.h. */

#include <stdlib.h>
#include <string.h>

#include "storage/ahead.h"
#include "storage/pack.h"

#define LATER 16u /* packs whose trailers are longer than the tail that was read, at one time */

struct later { /* its tail is here, the rest of its trailer is asked for */
    bool used, asked;
    size_t pack, rest;
    uint8_t *tail;
    size_t n;
};

struct pass {
    struct sp_backend *b;
    const struct sp_pack_ref *v;
    size_t n, next;
    struct later later[LATER];
    sp_pack_trailer_fn each;
    void *arg;
};

#define REST (UINT64_C(1) << 63) /* in a tag: the rest for later[i] */

static bool
next_read(void *arg, struct sp_ahead_read *ret)
{
    struct pass *p = arg;
    const struct sp_pack_ref *pack;
    size_t i;

    for (i = 0; i < LATER; i++) {
        struct later *l = &p->later[i];

        if (!l->used || l->asked)
            continue;
        l->asked = true;
        pack = &p->v[l->pack];
        sp_pack_object_name(pack->kind, pack->name, ret->name);
        ret->offset = pack->size - l->n - l->rest;
        ret->n = l->rest;
        ret->tag = REST | i;
        return true;
    }
    if (p->next == p->n)
        return false;
    pack = &p->v[p->next];
    sp_pack_object_name(pack->kind, pack->name, ret->name);
    ret->n = sp_pack_tail(pack->size);
    ret->offset = pack->size - ret->n;
    ret->tag = p->next++;
    return true;
}

static enum sp_code
give(struct pass *p, size_t pack, enum sp_code rc, struct sp_pack_trailer *t,
    const struct sp_err *why, struct sp_err *e)
{
    return p->each(p->arg, &p->v[pack], rc == SP_OK ? t : NULL, rc, why, e);
}

/* The tail of a pack came. */
static enum sp_code
take_tail(struct pass *p, size_t at, struct sp_span tail, struct sp_err *e)
{
    static const struct sp_span nothing;
    const struct sp_pack_ref *pack = &p->v[at];
    struct sp_pack_trailer *t = NULL;
    struct sp_err why = {0};
    struct later *l = NULL;
    size_t whole = 0, i;
    enum sp_code rc = sp_pack_trailer_length(pack->name, pack->size, tail.p, tail.n, &whole, &why);

    if (rc != SP_OK)
        return give(p, at, rc, NULL, &why, e);
    if (whole <= tail.n) {
        rc = sp_pack_trailer_parse(pack->kind, pack->name, pack->size, nothing, tail, &t, &why);
        return give(p, at, rc, t, &why, e);
    }
    for (i = 0; p->b->ahead > 0 && i < LATER && l == NULL; i++)
        if (!p->later[i].used)
            l = &p->later[i];
    if (l == NULL || (l->tail = malloc(tail.n)) == NULL) { /* at once */
        rc = sp_pack_trailer_read(p->b, pack->kind, pack->name, pack->size, &t, &why);
        return give(p, at, rc, t, &why, e);
    }
    memcpy(l->tail, tail.p, tail.n);
    l->n = tail.n;
    l->rest = whole - tail.n;
    l->pack = at;
    l->used = true;
    l->asked = false;
    return SP_OK;
}

static enum sp_code
take_rest(struct pass *p, struct later *l, struct sp_span rest, enum sp_code rc,
    const struct sp_err *failed, struct sp_err *e)
{
    const struct sp_pack_ref *pack = &p->v[l->pack];
    struct sp_pack_trailer *t = NULL;
    struct sp_err why = *failed;

    if (rc == SP_OK)
        rc = sp_pack_trailer_parse(
            pack->kind, pack->name, pack->size, rest, (struct sp_span){l->tail, l->n}, &t, &why);
    free(l->tail);
    l->tail = NULL;
    l->used = false;
    return give(p, l->pack, rc, t, &why, e);
}

enum sp_code
sp_pack_trailers(struct sp_backend *b, const struct sp_pack_ref *v, size_t n,
    sp_pack_trailer_fn each, void *arg, struct sp_err *e)
{
    struct pass p = {.b = b, .v = v, .n = n, .each = each, .arg = arg};
    struct sp_ahead *ahead = NULL;
    const struct sp_ahead_read *read;
    const uint8_t *bytes;
    size_t i, len;
    enum sp_code rc, got;

    if ((rc = sp_ahead_new(b, next_read, &p, &ahead, e)) != SP_OK)
        return rc;
    while (rc == SP_OK) {
        struct sp_err why = {0};

        got = sp_ahead_take(ahead, &read, &bytes, &len, &why);
        if (read == NULL)
            break;
        if ((read->tag & REST) != 0)
            rc = take_rest(
                &p, &p.later[read->tag & ~REST], (struct sp_span){bytes, len}, got, &why, e);
        else if (got != SP_OK)
            rc = give(&p, (size_t)read->tag, got, NULL, &why, e);
        else
            rc = take_tail(&p, (size_t)read->tag, (struct sp_span){bytes, len}, e);
    }
    sp_ahead_free(ahead);
    for (i = 0; i < LATER; i++)
        free(p.later[i].tail);
    return rc;
}
