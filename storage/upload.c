/* One uploader's open packs: see repository.h. A lane per kind of pack; while the full pack of a
 * lane is being finished the next one already fills. */

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "storage/upload_impl.h"

static const enum sp_pack_kind kind_of_lane[SP_LANES] = {SP_PACK_DATA, SP_PACK_NODES};

static uint64_t
lane_limit(const struct sp_upload *u, const struct sp_lane *l)
{
    uint64_t size = u->r->conf.pack_size;

    return l->kind == SP_PACK_NODES ? size / 4 : size;
}

enum sp_code
sp_upload_new(struct sp_repository *r, const uint8_t host[16], const uint8_t group[16],
    struct sp_upload **ret, struct sp_err *e)
{
    struct sp_upload *u;
    size_t i;
    enum sp_code rc;

    if ((rc = sp_repository_may_write(r, e)) != SP_OK || (rc = sp_marks_check(r, e)) != SP_OK)
        return rc;
    if ((u = calloc(1, sizeof(*u))) == NULL)
        return sp_fail_nomem(e);
    u->r = r;
    memcpy(u->origin.uploader, host, 16);
    memcpy(u->origin.group, group, 16);
    memcpy(u->origin.repository, r->conf.id, 16);
    sp_mutex_init(&u->lock);
    sp_cond_init(&u->changed);
    for (i = 0; i < SP_LANES; i++) {
        u->lanes[i].kind = kind_of_lane[i];
        sp_keyset_init(&u->lanes[i].open.pending, r->seed);
        sp_keyset_init(&u->lanes[i].closing.pending, r->seed);
    }
    *ret = u;
    return SP_OK;
}

/* --- have ---------------------------------------------------------------------------------- */

struct having {
    const struct sp_upload *u;
    bool nodes;
    uint8_t answer;
};

static bool
have_place(void *arg, const struct sp_pack_state *s, const struct sp_place *at)
{
    struct having *h = arg;
    const struct sp_presence *p = h->u->r->presence;

    (void)at;
    if (!sp_pack_relied(s) || (s->kind == SP_PACK_NODES) != h->nodes ||
        memcmp(sp_presence_group(p, s), h->u->origin.group, 16) != 0)
        return true;
    if (memcmp(sp_presence_uploader(p, s), h->u->origin.uploader, 16) == 0)
        h->answer = SP_HAVE_MINE;
    else if (!h->nodes)
        h->answer = SP_HAVE_MEMBERS;
    return h->answer != SP_HAVE_MINE;
}

enum sp_code
sp_upload_have(struct sp_upload *u, bool nodes, const struct sp_id *ids, size_t n,
    uint8_t *ret_answers, struct sp_err *e)
{
    const struct sp_lane *l = &u->lanes[nodes ? SP_LANE_NODES : SP_LANE_DATA];
    struct sp_lookup lookup;
    uint8_t *answers;
    size_t i;
    enum sp_code rc = SP_OK;

    if (n > 65536)
        return sp_fail(e, SP_INVALID, SP_DOM_SELF, "%zu ids in one question", n);
    if ((answers = calloc(n + 1, 1)) == NULL)
        return sp_fail_nomem(e);
    /* Open packs before the index: what leaves the one is in the other by then. */
    sp_mutex_lock(&u->lock);
    for (i = 0; i < n; i++)
        if (sp_keyset_has(&l->open.pending, ids[i].b) ||
            sp_keyset_has(&l->closing.pending, ids[i].b))
            answers[i] = SP_HAVE_MINE;
    sp_mutex_unlock(&u->lock);
    sp_lookup_begin(&lookup, u->r);
    for (i = 0; i < n && rc == SP_OK; i++) {
        struct having h = {u, nodes, SP_HAVE_NO};

        if (answers[i] == SP_HAVE_MINE)
            continue;
        rc = sp_lookup_id(&lookup, &ids[i], have_place, &h, e);
        answers[i] = h.answer;
    }
    sp_lookup_end(&lookup);
    if (rc == SP_OK)
        memcpy(ret_answers, answers, n);
    free(answers);
    return rc;
}

/* --- putting ------------------------------------------------------------------------------- */

static enum sp_code
remember_block(struct sp_lane_pack *c, const struct sp_block_header *h, size_t n, struct sp_err *e)
{
    size_t i;
    enum sp_code rc;

    if (c->nblocks == c->blocks_cap) {
        size_t cap = c->blocks_cap == 0 ? 64 : c->blocks_cap * 2;
        struct sp_lane_block *more = realloc(c->blocks, cap * sizeof(*more));

        if (more == NULL)
            return sp_fail_nomem(e);
        c->blocks = more;
        c->blocks_cap = cap;
    }
    if (c->nids + h->nids > c->ids_cap) {
        size_t cap = c->ids_cap == 0 ? 2 * SP_BLOCK_MAX_IDS : c->ids_cap * 2;
        uint8_t(*more)[SP_INDEX_KEY] = realloc(c->ids, cap * sizeof(*more));

        if (more == NULL)
            return sp_fail_nomem(e);
        c->ids = more;
        c->ids_cap = cap;
    }
    for (i = 0; i < h->nids; i++) {
        if ((rc = sp_keyset_add(&c->pending, h->ids + i * SP_ID_SIZE, NULL, e)) != SP_OK)
            return rc;
        memcpy(c->ids[c->nids + i], h->ids + i * SP_ID_SIZE, SP_INDEX_KEY);
    }
    c->blocks[c->nblocks].nids = (uint32_t)h->nids;
    c->blocks[c->nblocks].place.length = (uint32_t)n;
    c->nids += h->nids;
    return SP_OK;
}

/* The lock is held. */
static enum sp_code
add_block(struct sp_upload *u, struct sp_lane *l, const struct sp_block_header *h,
    const uint8_t *block, size_t n, struct sp_err *e)
{
    struct sp_lane_pack *c = &l->open;
    enum sp_code rc;

    if (!u->leased) {
        u->leased = true;
        sp_lease_hold(u->r->lease);
    }
    if (c->writer == NULL &&
        (rc = sp_pack_writer_new(u->r->backend, l->kind, &u->origin, &c->writer, e)) != SP_OK)
        return rc;
    if ((rc = remember_block(c, h, n, e)) != SP_OK ||
        (rc = sp_pack_writer_add(c->writer, block, n, &c->blocks[c->nblocks].place, e)) != SP_OK)
        return rc;
    c->nblocks++;
    l->put++;
    return SP_OK;
}

static bool
full(const struct sp_upload *u, const struct sp_lane *l, size_t more)
{
    uint64_t size = l->open.writer == NULL ? 0 : sp_pack_writer_size(l->open.writer);

    return size > 0 && size + more > lane_limit(u, l);
}

static void
counts(const struct sp_upload *u, struct sp_upload_durable *ret)
{
    ret->data = u->lanes[SP_LANE_DATA].durable;
    ret->nodes = u->lanes[SP_LANE_NODES].durable;
}

static enum sp_code
check_block(struct sp_upload *u, const uint8_t *block, size_t n, struct sp_block_header *ret,
    struct sp_err *e)
{
    size_t length;
    enum sp_code rc;

    if ((rc = sp_block_length(block, n, &length, e)) != SP_OK ||
        (rc = sp_block_header_parse(block, n, ret, e)) != SP_OK)
        return rc;
    if (length != n)
        return sp_fail(
            e, SP_CORRUPT, SP_DOM_STORE, "a block of %zu bytes says that it has %zu", n, length);
    if (ret->kind == SP_BLOCK_RECORD)
        return sp_fail(e, SP_INVALID, SP_DOM_STORE, "records are committed, not put");
    if (memcmp(ret->group, u->origin.group, 16) != 0)
        return sp_fail(e, SP_REFUSED, SP_DOM_STORE, "the block is of another key group");
    return SP_OK;
}

/* Until n more bytes fit: the pack that is full is finished by whoever comes first. The lock is
 * held. */
static enum sp_code
make_room(struct sp_upload *u, struct sp_lane *l, size_t n, struct sp_err *e)
{
    enum sp_code rc;

    while ((rc = sp_upload_state(u, e)) == SP_OK && full(u, l, n)) {
        if (l->busy)
            sp_cond_wait(&u->changed, &u->lock);
        else if ((rc = sp_upload_close(u, l, 1, e)) != SP_OK)
            break;
    }
    return rc;
}

enum sp_code
sp_upload_put(struct sp_upload *u, const uint8_t *block, size_t n, struct sp_upload_durable *ret,
    struct sp_err *e)
{
    struct sp_upload_durable durable;
    struct sp_block_header h;
    struct sp_lane *l;
    enum sp_code rc;

    if ((rc = check_block(u, block, n, &h, e)) != SP_OK)
        return rc;
    l = &u->lanes[h.kind == SP_BLOCK_NODES ? SP_LANE_NODES : SP_LANE_DATA];
    sp_lease_renew(u->r->lease);
    sp_mutex_lock(&u->lock);
    /* What does not fit any more has the pack finished first, so that never more than a pack is in
     * doubt. */
    rc = make_room(u, l, n, e);
    if (rc == SP_OK && (rc = add_block(u, l, &h, block, n, e)) != SP_OK)
        sp_upload_poison(u, e);
    if (rc == SP_OK)
        rc = make_room(u, l, 1, e);
    counts(u, &durable);
    sp_mutex_unlock(&u->lock);
    if (rc != SP_OK || (rc = sp_upload_spill(u, e)) != SP_OK)
        return rc;
    *ret = durable;
    return SP_OK;
}

enum sp_code
sp_upload_flush(struct sp_upload *u, struct sp_upload_durable *ret, struct sp_err *e)
{
    struct sp_upload_durable durable;
    enum sp_code rc;

    sp_mutex_lock(&u->lock);
    while ((rc = sp_upload_state(u, e)) == SP_OK &&
           (u->lanes[SP_LANE_DATA].busy || u->lanes[SP_LANE_NODES].busy))
        sp_cond_wait(&u->changed, &u->lock);
    if (rc == SP_OK)
        rc = sp_upload_close(u, u->lanes, SP_LANES, e);
    counts(u, &durable);
    sp_mutex_unlock(&u->lock);
    if (rc != SP_OK || (rc = sp_upload_index(u, e)) != SP_OK)
        return rc;
    *ret = durable;
    return SP_OK;
}

void
sp_upload_free(struct sp_upload *u)
{
    struct sp_upload_durable ignored;
    struct sp_err why = {0};
    size_t i;

    if (u == NULL)
        return;
    (void)sp_upload_flush(u, &ignored, &why); /* what does not work is sent again by the next run */
    for (i = 0; i < SP_LANES; i++) {
        sp_pack_writer_abort(u->lanes[i].open.writer);
        sp_lane_pack_clear(&u->lanes[i].open);
        sp_lane_pack_clear(&u->lanes[i].closing);
    }
    if (u->leased)
        sp_lease_release(u->r->lease);
    free(u->slots.data);
    sp_cond_destroy(&u->changed);
    sp_mutex_destroy(&u->lock);
    free(u);
}
