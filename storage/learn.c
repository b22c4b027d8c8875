/* Packs that no segment speaks of tell themselves what they hold: see repository_impl.h. So what
 * was durable before a crash, or before the index was lost, is known and is not sent twice. */

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "storage/repository_impl.h"

/* The packs to learn, malloc'd; tagged with their ordinals. */
static enum sp_code
unknown(struct sp_repository *r, struct sp_pack_ref **ret, size_t *ret_n, struct sp_err *e)
{
    struct sp_pack_ref *v = NULL;
    size_t n = 0, cap = 0, i;
    enum sp_code rc = SP_OK;

    sp_mutex_lock(&r->lock);
    for (i = 0; i < sp_presence_count(r->presence); i++) {
        const struct sp_pack_state *s = sp_presence_at(r->presence, (uint32_t)i);

        if (!s->listed || s->indexed || (s->bad && !s->transient))
            continue;
        if (n == cap) {
            struct sp_pack_ref *more = realloc(v, (cap = cap == 0 ? 64 : cap * 2) * sizeof(*v));

            if (more == NULL) {
                rc = sp_fail_nomem(e);
                break;
            }
            v = more;
        }
        v[n] = (struct sp_pack_ref){
            .size = s->size, .kind = (enum sp_pack_kind)s->kind, .tag = (uint32_t)i};
        memcpy(v[n++].name, s->name, sizeof(s->name));
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
learn_one(void *arg, const struct sp_pack_ref *pack, struct sp_pack_trailer *t, enum sp_code rc,
    const struct sp_err *why, struct sp_err *e)
{
    struct sp_repository *r = arg;
    struct sp_pack_state *s;

    if (rc == SP_OK && memcmp(sp_pack_trailer_origin(t)->repository, r->conf.id, 16) != 0)
        rc = SP_CORRUPT; /* a pack of another repository is none of ours */
    if (rc != SP_OK && sp_store_fatal(rc)) {
        *e = *why;
        return rc;
    }
    sp_mutex_lock(&r->lock);
    if (rc == SP_OK) {
        rc = enter(r, pack->tag, t, e);
    } else {
        s = sp_presence_at(r->presence, pack->tag);
        s->bad = true;
        s->transient = rc != SP_CORRUPT;
        rc = SP_OK;
    }
    sp_mutex_unlock(&r->lock);
    sp_pack_trailer_free(t);
    if (rc == SP_OK && (rc = sp_repository_live(r, e)) == SP_OK)
        rc = sp_index_spill(r, e);
    return rc;
}

enum sp_code
sp_repository_learn(struct sp_repository *r, struct sp_err *e)
{
    struct sp_pack_ref *v = NULL;
    size_t n = 0;
    enum sp_code rc;

    if ((rc = unknown(r, &v, &n, e)) == SP_OK && n > 0 && (rc = sp_repository_live(r, e)) == SP_OK)
        rc = sp_pack_trailers(r->backend, v, n, learn_one, r, e);
    free(v);
    return rc;
}
