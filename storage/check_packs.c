/* Check: the packs. */

#include <stdlib.h>
#include <string.h>

#include "storage/check_impl.h"
#include "storage/crypto.h"

/* Whether this pack belongs to the part asked for: by its name, so that n runs cover everything
 * whatever is added or removed between them. */
static bool
in_part(const struct sp_check_options *o, const uint8_t name[32])
{
    return o->parts == 0 || sp_le32(name) % o->parts == o->part - 1;
}

static enum sp_code
bad_block(struct sp_check *c, uint32_t ordinal, const struct sp_pack_block *b,
    struct sp_missing *lost, struct sp_err *e)
{
    size_t k;
    enum sp_code rc = SP_OK;

    if (c->nbad == c->bad_cap) {
        size_t cap = c->bad_cap == 0 ? 16 : c->bad_cap * 2;
        struct sp_place *more = realloc(c->bad, cap * sizeof(*more));

        if (more == NULL)
            return sp_fail_nomem(e);
        c->bad = more;
        c->bad_cap = cap;
    }
    c->bad[c->nbad++] = (struct sp_place){ordinal, b->offset, b->length};
    for (k = 0; k < b->nids && rc == SP_OK; k++)
        rc = sp_missing_add(lost, b->ids + k * SP_ID_SIZE, e);
    return rc;
}

/* The blocks whose bytes are not what the trailer says, and their ids. */
static enum sp_code
find_bad(struct sp_check *c, uint32_t ordinal, const char *object, const struct sp_pack_trailer *t,
    struct sp_missing *lost, struct sp_err *e)
{
    uint8_t *block = NULL, hash[32];
    size_t i;
    enum sp_code rc = SP_OK;

    for (i = 0; i < sp_pack_trailer_count(t) && rc == SP_OK; i++) {
        struct sp_pack_block b;
        struct sp_err why = {0};
        bool good = false;

        sp_pack_trailer_block(t, i, &b);
        free(block);
        if ((block = malloc(b.length)) == NULL)
            return sp_fail_nomem(e);
        rc = sp_backend_get(c->r->backend, object, b.offset, block, b.length, &why);
        if (rc == SP_OK) {
            if ((rc = sp_sha256(block, b.length, hash, e)) != SP_OK)
                break;
            good = memcmp(hash, b.sha256, sizeof(hash)) == 0;
        } else if (sp_store_fatal(rc)) {
            *e = why;
            break;
        }
        rc = good ? SP_OK : bad_block(c, ordinal, &b, lost, e);
    }
    free(block);
    return rc;
}

/* Gives up soon when the user does. */
static enum sp_code
alive(void *arg, const struct sp_pack_block *place, const uint8_t *block, struct sp_err *e)
{
    struct sp_check *c = arg;

    (void)block;
    c->progress.bytes += place->length;
    return sp_check_live(c, e);
}

static enum sp_code
check_bytes(struct sp_check *c, uint32_t ordinal, const struct sp_pack_state *s, const char *object,
    const struct sp_pack_trailer *t, bool agrees, struct sp_err *e)
{
    struct sp_missing lost;
    struct sp_err why = {0};
    enum sp_code rc;

    rc =
        sp_pack_verify(c->r->backend, (enum sp_pack_kind)s->kind, s->name, s->size, alive, c, &why);
    c->totals.packs_read++;
    c->totals.bytes_read += s->size;
    c->progress.bytes = c->totals.bytes_read;
    if (rc == SP_OK) {
        sp_distrust_forget(c->r, s);
        return SP_OK;
    }
    if (sp_store_fatal(rc)) {
        *e = why;
        return rc;
    }
    sp_missing_init(&lost, c->r);
    if ((rc = find_bad(c, ordinal, object, t, &lost, e)) == SP_OK && lost.n > 0 &&
        why.code == SP_CORRUPT) /* not a read that failed: that may pass */
        sp_distrust_keep(c->r, s);
    /* A whole pack, but another's: what the index says lies here does not. */
    if (rc == SP_OK && why.code == SP_CORRUPT && !agrees) {
        sp_repository_distrust(c->r, ordinal);
        sp_distrust_keep(c->r, s);
    }
    if (rc == SP_OK)
        rc = sp_check_tell(c, true, object, NULL, lost.ids, lost.n, e, "%.380s", why.text);
    sp_missing_free(&lost);
    return rc;
}

/* What reading the trailer came to; it is the caller's. */
static enum sp_code
check_pack(struct sp_check *c, struct sp_check_index *x, uint32_t ordinal,
    const struct sp_pack_state *s, const struct sp_pack_trailer *t, enum sp_code rc,
    const struct sp_err *failed, struct sp_err *e)
{
    struct sp_err why = *failed;
    bool agrees = true;
    char object[96];
    size_t i;

    sp_pack_object_name((enum sp_pack_kind)s->kind, s->name, object);
    c->totals.packs++;
    if (rc != SP_OK) {
        if (!sp_store_fatal(rc))
            sp_repository_distrust(c->r, ordinal);
        /* The index may still speak of it, and who reads the index does not read trailers. */
        if (rc == SP_CORRUPT)
            sp_distrust_keep(c->r, s);
        return sp_check_bad(c, true, object, NULL, rc, &why, e);
    }
    for (i = 0; i < sp_pack_trailer_count(t); i++) {
        struct sp_pack_block b;

        sp_pack_trailer_block(t, i, &b);
        c->totals.chunks += b.nids;
    }
    if (memcmp(sp_pack_trailer_origin(t)->repository, c->r->conf.id, 16) != 0)
        rc = sp_check_tell(
            c, true, object, NULL, NULL, 0, e, "the pack belongs to another repository");
    else if (x != NULL)
        rc = sp_check_index_pack(x, ordinal, object, t, &agrees, e);
    if (rc == SP_OK && c->o->depth == SP_CHECK_DATA && in_part(c->o, s->name))
        rc = check_bytes(c, ordinal, s, object, t, agrees, e);
    return rc;
}

/* The n-th pack if it is to be looked at. */
static bool
wanted(struct sp_check *c, uint32_t ordinal, struct sp_pack_state *ret)
{
    const struct sp_pack_state *s;
    bool yes;

    sp_mutex_lock(&c->r->lock);
    s = sp_presence_at(c->r->presence, ordinal);
    yes = s->listed &&
          (c->host == NULL ||
              (s->indexed && memcmp(sp_presence_uploader(c->r->presence, s), c->host, 16) == 0));
    *ret = *s;
    sp_mutex_unlock(&c->r->lock);
    return yes;
}

struct pass {
    struct sp_check *c;
    struct sp_check_index *x; /* NULL: of one host only */
};

static enum sp_code
take_trailer(void *arg, const struct sp_pack_ref *pack, struct sp_pack_trailer *t, enum sp_code rc,
    const struct sp_err *why, struct sp_err *e)
{
    struct pass *p = arg;
    struct sp_pack_state s;

    if (wanted(p->c, pack->tag, &s)) { /* still */
        rc = check_pack(p->c, p->x, pack->tag, &s, t, rc, why, e);
        p->c->progress.packs++;
    } else {
        rc = SP_OK;
    }
    sp_pack_trailer_free(t);
    return rc != SP_OK ? rc : sp_check_live(p->c, e);
}

/* The packs to be looked at, malloc'd, tagged with their ordinals. */
static enum sp_code
gather(struct sp_check *c, struct sp_pack_ref **ret, size_t *ret_n, struct sp_err *e)
{
    struct sp_pack_state s;
    struct sp_pack_ref *v;
    size_t n, k = 0;
    uint32_t i;

    sp_mutex_lock(&c->r->lock);
    n = sp_presence_count(c->r->presence);
    sp_mutex_unlock(&c->r->lock);
    if ((v = malloc((n + 1) * sizeof(*v))) == NULL)
        return sp_fail_nomem(e);
    for (i = 0; i < n; i++) {
        if (!wanted(c, i, &s))
            continue;
        v[k] = (struct sp_pack_ref){.size = s.size, .kind = (enum sp_pack_kind)s.kind, .tag = i};
        memcpy(v[k++].name, s.name, sizeof(s.name));
        c->progress.packs_total++;
        if (c->o->depth == SP_CHECK_DATA && in_part(c->o, s.name))
            c->progress.bytes_total += s.size;
    }
    *ret = v;
    *ret_n = k;
    return SP_OK;
}

enum sp_code
sp_check_packs(struct sp_check *c, struct sp_err *e)
{
    struct pass p = {c, NULL};
    struct sp_pack_ref *v = NULL;
    size_t n = 0;
    enum sp_code rc = SP_OK;

    if (c->host == NULL && (rc = sp_check_index_new(c, &p.x, e)) != SP_OK)
        return rc;
    if ((rc = gather(c, &v, &n, e)) == SP_OK && (rc = sp_check_live(c, e)) == SP_OK)
        rc = sp_pack_trailers(c->r->backend, v, n, take_trailer, &p, e);
    if (c->nbad > 0)
        qsort(c->bad, c->nbad, sizeof(*c->bad), sp_place_cmp);
    if (rc == SP_OK && p.x != NULL)
        rc = sp_check_index_end(p.x, e);
    sp_check_index_free(p.x);
    free(v);
    return rc;
}
