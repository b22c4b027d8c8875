/* Packs that no segment speaks of tell themselves what they hold: see repository_impl.h. So what
 * was durable before a crash, or before the index was lost, is known and is not sent twice. */

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "storage/repository_impl.h"

/* Ordinals of the packs to learn, malloc'd. */
static enum sp_code
unknown(struct sp_repository *r, uint32_t **ret, size_t *ret_n, struct sp_err *e)
{
    uint32_t *v = NULL;
    size_t n = 0, cap = 0, i;
    enum sp_code rc = SP_OK;

    sp_mutex_lock(&r->lock);
    for (i = 0; i < sp_presence_count(r->presence); i++) {
        const struct sp_pack_state *s = sp_presence_at(r->presence, (uint32_t)i);

        if (!s->listed || s->indexed || (s->bad && !s->transient))
            continue;
        if (n == cap) {
            uint32_t *more = realloc(v, (cap = cap == 0 ? 64 : cap * 2) * sizeof(*v));

            if (more == NULL) {
                rc = sp_fail_nomem(e);
                break;
            }
            v = more;
        }
        v[n++] = (uint32_t)i;
    }
    sp_mutex_unlock(&r->lock);
    if (rc != SP_OK) {
        free(v);
        return rc;
    }
    *ret = v;
    *ret_n = n;
    return SP_OK;
}

/* All entries of the pack or none; the lock is held. */
static enum sp_code
enter(struct sp_repository *r, uint32_t ordinal, const struct sp_pack_trailer *t, struct sp_err *e)
{
    const struct sp_pack_origin *from = sp_pack_trailer_origin(t);
    size_t i, blocks = sp_pack_trailer_count(t), entries = 0;
    struct sp_pack_state *s = sp_presence_at(r->presence, ordinal);
    struct sp_pack_block b;
    uint32_t origin, k;
    enum sp_code rc;

    if (s->indexed)
        return SP_OK;
    for (i = 0; i < blocks; i++) {
        sp_pack_trailer_block(t, i, &b);
        entries += b.nids;
    }
    rc = sp_presence_origin(r->presence, from->uploader, from->group, &origin, e);
    if (rc == SP_OK)
        rc = sp_memtable_reserve(r->memtable, entries, e);
    if (rc != SP_OK)
        return rc;
    for (i = 0; i < blocks; i++) {
        sp_pack_trailer_block(t, i, &b);
        for (k = 0; k < b.nids; k++)
            sp_memtable_add(r->memtable, b.ids + (size_t)k * 32, ordinal, b.offset, b.length);
    }
    s->origin = origin;
    s->indexed = true;
    s->bad = s->transient = false;
    return SP_OK;
}

static enum sp_code
learn_one(struct sp_repository *r, uint32_t ordinal, struct sp_err *e)
{
    struct sp_pack_trailer *t = NULL;
    struct sp_pack_state pack, *s;
    struct sp_err why = {0};
    enum sp_code rc;

    sp_mutex_lock(&r->lock);
    pack = *sp_presence_at(r->presence, ordinal);
    sp_mutex_unlock(&r->lock);

    rc = sp_pack_trailer_read(
        r->backend, (enum sp_pack_kind)pack.kind, pack.name, pack.size, &t, &why);
    if (rc == SP_OK && memcmp(sp_pack_trailer_origin(t)->repository, r->conf.id, 16) != 0)
        rc = SP_CORRUPT; /* a pack of another repository is none of ours */
    if (rc != SP_OK && sp_store_fatal(rc)) {
        *e = why;
        return rc;
    }
    sp_mutex_lock(&r->lock);
    if (rc == SP_OK) {
        rc = enter(r, ordinal, t, e);
    } else {
        s = sp_presence_at(r->presence, ordinal);
        s->bad = true;
        s->transient = rc != SP_CORRUPT;
        rc = SP_OK;
    }
    sp_mutex_unlock(&r->lock);
    sp_pack_trailer_free(t);
    return rc;
}

enum sp_code
sp_repository_learn(struct sp_repository *r, struct sp_err *e)
{
    uint32_t *v = NULL;
    size_t n = 0, i;
    enum sp_code rc;

    if ((rc = unknown(r, &v, &n, e)) != SP_OK)
        return rc;
    for (i = 0; i < n && rc == SP_OK; i++) {
        if ((rc = sp_repository_live(r, e)) == SP_OK && (rc = learn_one(r, v[i], e)) == SP_OK)
            rc = sp_index_spill(r, e);
    }
    free(v);
    return rc;
}
