/* From the memtable into segments: into the cache folder when it is full, into the repository when
 * the run wants its barrier. See repository_impl.h. */

#include <stdlib.h>
#include <string.h>

#include "storage/repository_impl.h"

/* Fills the builder with what is still there; the lock is held. */
static enum sp_code
fill(struct sp_repository *r, const struct sp_memtable *m, struct sp_index_builder *b,
    struct sp_err *e)
{
    uint32_t *ordinals = calloc(sp_presence_count(r->presence) + 1, sizeof(*ordinals));
    size_t i, n = sp_memtable_count(m);
    enum sp_code rc = SP_OK;

    if (ordinals == NULL)
        return sp_fail_nomem(e);
    for (i = 0; i < n && rc == SP_OK; i++) {
        const struct sp_index_entry *en = sp_memtable_at(m, i);
        struct sp_pack_state *s = sp_presence_at(r->presence, en->pack);
        uint8_t id[32] = {0};

        if (!s->listed) {
            s->indexed = false; /* learnt again, should it come back */
            continue;
        }
        if (ordinals[en->pack] == 0) {
            struct sp_index_pack p = {.size = s->size, .kind = (enum sp_pack_kind)s->kind};

            memcpy(p.name, s->name, 32);
            memcpy(p.uploader, sp_presence_uploader(r->presence, s), 16);
            memcpy(p.group, sp_presence_group(r->presence, s), 16);
            if ((rc = sp_index_builder_pack(b, &p, &ordinals[en->pack], e)) != SP_OK)
                break;
            ordinals[en->pack]++;
        }
        memcpy(id, en->key, SP_INDEX_KEY);
        rc = sp_index_builder_add(b, id, ordinals[en->pack] - 1, en->offset, en->length, e);
    }
    free(ordinals);
    return rc;
}

/* Writes `m` as a segment of the cache folder and takes it into use in the memtable's stead. */
static enum sp_code
write_frozen(struct sp_repository *r, struct sp_memtable *m, struct sp_err *e)
{
    struct sp_index_builder *b = NULL;
    struct sp_index_segment *segment = NULL;
    struct sp_buf bytes = SP_BUF_INIT;
    uint8_t name[32];
    bool filter;
    enum sp_code rc;

    if ((rc = sp_index_builder_new(&b, e)) != SP_OK)
        return rc;
    sp_mutex_lock(&r->lock);
    rc = fill(r, m, b, e);
    filter = sp_index_set_keep_filter(&r->index);
    sp_mutex_unlock(&r->lock);
    if (rc != SP_OK)
        goto out;
    if (sp_index_builder_count(b) > 0) {
        if ((rc = sp_index_builder_finish(b, NULL, 0, &bytes, name, e)) != SP_OK ||
            (rc = sp_index_cache_write(&r->cache, name, true, bytes.data, bytes.len, e)) != SP_OK ||
            (rc = sp_index_cache_use(&r->cache, name, true, filter, &segment, e)) != SP_OK)
            goto out;
    }
    sp_mutex_lock(&r->lock);
    if (segment != NULL)
        rc = sp_index_set_add(&r->index, r->presence, segment, true, false, e);
    if (rc == SP_OK)
        r->frozen = NULL;
    sp_mutex_unlock(&r->lock);
    if (rc == SP_OK)
        sp_memtable_free(m);
out:
    sp_buf_free(&bytes);
    sp_index_builder_free(b);
    return rc;
}

/* Until at most `keep` entries are in memory only. What failed to be written before comes first. */
static enum sp_code
drain(struct sp_repository *r, size_t keep, struct sp_err *e)
{
    struct sp_memtable *fresh, *m;
    enum sp_code rc;

    for (;;) {
        fresh = NULL;
        if ((rc = sp_memtable_new(r->seed, &fresh, e)) != SP_OK)
            return rc;
        sp_mutex_lock(&r->lock);
        if (r->frozen == NULL && sp_memtable_count(r->memtable) > keep) {
            r->frozen = r->memtable;
            r->memtable = fresh;
            fresh = NULL;
        }
        m = r->frozen;
        sp_mutex_unlock(&r->lock);
        sp_memtable_free(fresh);
        if (m == NULL)
            return SP_OK;
        if ((rc = write_frozen(r, m, e)) != SP_OK)
            return rc;
    }
}

enum sp_code
sp_index_spill(struct sp_repository *r, struct sp_err *e)
{
    return drain(r, SP_MEMTABLE_FULL - 1, e);
}

/* The name of a segment that is only in the cache folder. */
static bool
next_local(struct sp_repository *r, uint8_t name[32])
{
    bool found = false;
    size_t i;

    sp_mutex_lock(&r->lock);
    for (i = 0; i < r->index.view->n && !found; i++) {
        const struct sp_index_use *u = r->index.view->uses[i];

        if (u->local) {
            memcpy(name, sp_index_segment_name(u->segment), 32);
            found = true;
        }
    }
    sp_mutex_unlock(&r->lock);
    return found;
}

static void
published(struct sp_repository *r, const uint8_t name[32])
{
    size_t i;

    sp_mutex_lock(&r->lock);
    for (i = 0; i < r->index.view->n; i++) {
        struct sp_index_use *u = r->index.view->uses[i];

        if (memcmp(sp_index_segment_name(u->segment), name, 32) == 0) {
            u->local = false;
            u->own = true;
        }
    }
    r->index_published++;
    sp_mutex_unlock(&r->lock);
}

enum sp_code
sp_index_flush(struct sp_repository *r, struct sp_err *e)
{
    uint8_t name[32];
    enum sp_code rc;

    sp_mutex_lock(&r->index_io);
    rc = drain(r, 0, e);
    while (rc == SP_OK && next_local(r, name)) {
        if ((rc = sp_index_cache_publish(&r->cache, r->backend, name, e)) == SP_OK)
            published(r, name);
    }
    sp_mutex_unlock(&r->index_io);
    return rc;
}
