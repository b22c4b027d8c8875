/* Blocks to the target, by threads of their own, so that reading and writing go on at the same
 * time: see copy_impl.h. */

#include <stdlib.h>
#include <string.h>

#include "storage/copy_impl.h"

struct block {
    size_t len;
    uint8_t *bytes;
};

struct sp_copy_writers {
    struct sp_copy *c;
    struct sp_queue *queue;
    struct sp_thread *threads[SP_COPY_WRITERS];
    struct sp_mutex lock;
    struct sp_cond changed;
    uint64_t under_way; /* blocks pushed and not yet taken by the target */
    uint64_t blocks,
        bytes; /* taken, and not yet in the totals, which are the copier's own thread's */
    struct sp_err failed;
};

/* The lock is held. */
static void
count_taken(struct sp_copy_writers *w)
{
    w->c->totals->blocks += w->blocks;
    w->c->totals->bytes += w->bytes;
    w->blocks = w->bytes = 0;
}

static void
drop(void *item)
{
    struct block *b = item;

    free(b->bytes);
    free(b);
}

static enum sp_code
write_block(struct sp_copy *c, struct block *b, struct sp_err *e)
{
    struct sp_upload_durable ignored;
    uint8_t *bytes = b->bytes;

    if (c->to->repository != NULL)
        return sp_upload_put(c->upload, bytes, b->len, &ignored, e);
    b->bytes = NULL; /* taken over in every case */
    return sp_store_put(c->to->store, bytes, b->len, e);
}

static void
write_all(void *arg)
{
    struct sp_copy_writers *w = arg;
    struct block *b;

    while ((b = sp_queue_pop(w->queue)) != NULL) {
        struct sp_err e = {0};
        enum sp_code rc = write_block(w->c, b, &e);

        sp_mutex_lock(&w->lock);
        if (rc == SP_OK) {
            w->blocks++;
            w->bytes += b->len;
        } else if (w->failed.code == SP_OK) {
            w->failed = e;
        }
        w->under_way--;
        sp_cond_broadcast(&w->changed);
        sp_mutex_unlock(&w->lock);
        drop(b);
        if (rc != SP_OK)
            sp_queue_abort(w->queue);
    }
}

enum sp_code
sp_copy_writers_start(struct sp_copy *c, struct sp_err *e)
{
    struct sp_copy_writers *w = calloc(1, sizeof(*w));
    enum sp_code rc;

    if (w == NULL)
        return sp_fail_nomem(e);
    w->c = c;
    sp_mutex_init(&w->lock);
    sp_cond_init(&w->changed);
    c->writers = w;
    if ((rc = sp_queue_new(SP_COPY_QUEUE, 1, drop, &w->queue, e)) != SP_OK)
        return rc;
    for (unsigned i = 0; i < SP_COPY_WRITERS && rc == SP_OK; i++)
        rc = sp_thread_start("copy", write_all, w, &w->threads[i], e);
    return rc;
}

void
sp_copy_writers_stop(struct sp_copy *c)
{
    struct sp_copy_writers *w = c->writers;

    if (w == NULL)
        return;
    if (w->queue != NULL)
        sp_queue_abort(w->queue);
    for (unsigned i = 0; i < SP_COPY_WRITERS; i++)
        sp_thread_join(w->threads[i]);
    sp_queue_free(w->queue);
    sp_mutex_lock(&w->lock);
    count_taken(w);
    sp_mutex_unlock(&w->lock);
    sp_cond_destroy(&w->changed);
    sp_mutex_destroy(&w->lock);
    free(w);
    c->writers = NULL;
}

static enum sp_code
failure(struct sp_copy_writers *w, struct sp_err *e)
{
    enum sp_code rc;

    sp_mutex_lock(&w->lock);
    if (w->failed.code != SP_OK)
        *e = w->failed;
    rc = w->failed.code;
    sp_mutex_unlock(&w->lock);
    return rc;
}

enum sp_code
sp_copy_put(struct sp_copy *c, const uint8_t *block, size_t len, struct sp_err *e)
{
    struct sp_copy_writers *w = c->writers;
    struct block *b = malloc(sizeof(*b));
    enum sp_code rc;

    if (b == NULL || (b->bytes = malloc(len)) == NULL) {
        free(b);
        return sp_fail_nomem(e);
    }
    memcpy(b->bytes, block, len);
    b->len = len;
    sp_mutex_lock(&w->lock);
    w->under_way++;
    count_taken(w);
    sp_mutex_unlock(&w->lock);
    if (!sp_queue_push(w->queue, b, len)) {
        drop(b);
        if ((rc = failure(w, e)) == SP_OK)
            rc = sp_fail(e, SP_CANCELLED, SP_DOM_SELF, "interrupted");
        return rc;
    }
    return SP_OK;
}

enum sp_code
sp_copy_drain(struct sp_copy *c, struct sp_err *e)
{
    struct sp_copy_writers *w = c->writers;

    if (w == NULL) /* a dry run */
        return SP_OK;
    sp_mutex_lock(&w->lock);
    while (w->under_way > 0 && w->failed.code == SP_OK)
        sp_cond_wait(&w->changed, &w->lock);
    count_taken(w);
    sp_mutex_unlock(&w->lock);
    return failure(w, e);
}

/* --- asking --------------------------------------------------------------------------------- */

struct sighting {
    const struct sp_copy *c;
    bool nodes;
    uint8_t answer;
};

static bool
sight(void *arg, const struct sp_pack_state *s, const struct sp_place *at)
{
    struct sighting *g = arg;
    const struct sp_presence *all = g->c->to->repository->presence;

    (void)at;
    if (!sp_pack_relied(s) || (s->kind == SP_PACK_NODES) != g->nodes ||
        memcmp(sp_presence_group(all, s), g->c->group, 16) != 0)
        return true;
    if (memcmp(sp_presence_uploader(all, s), g->c->host, 16) == 0)
        g->answer = SP_HAVE_MINE;
    else if (!g->nodes)
        g->answer = SP_HAVE_MEMBERS;
    return g->answer != SP_HAVE_MINE;
}

/* A dry run has no upload that could be asked. */
static enum sp_code
look(struct sp_copy *c, bool nodes, const struct sp_id *ids, size_t n, uint8_t *answers,
    struct sp_err *e)
{
    struct sp_lookup lookup;
    enum sp_code rc = SP_OK;

    sp_lookup_begin(&lookup, c->to->repository);
    for (size_t i = 0; i < n && rc == SP_OK; i++) {
        struct sighting g = {c, nodes, SP_HAVE_NO};

        rc = sp_lookup_id(&lookup, &ids[i], sight, &g, e);
        answers[i] = g.answer;
    }
    sp_lookup_end(&lookup);
    return rc;
}

static enum sp_code
ask(struct sp_copy *c, bool nodes, const struct sp_id *ids, size_t n, uint8_t *answers,
    struct sp_err *e)
{
    if (c->to->repository == NULL)
        return sp_store_have(c->to->store, nodes, ids, n, answers, e);
    return c->upload != NULL ? sp_upload_have(c->upload, nodes, ids, n, answers, e)
                             : look(c, nodes, ids, n, answers, e);
}

enum sp_code
sp_copy_have(struct sp_copy *c, bool nodes, struct sp_copy_ref *v, size_t n, struct sp_err *e)
{
    struct sp_id *ids = malloc(SP_COPY_IDS * sizeof(*ids));
    uint8_t *answers = malloc(SP_COPY_IDS);
    size_t i, k, count;
    enum sp_code rc;

    if (ids == NULL || answers == NULL) {
        rc = sp_fail_nomem(e);
        goto out;
    }
    if ((rc = sp_copy_drain(c, e)) != SP_OK)
        goto out;
    for (i = 0; i < n; i += count) {
        count = n - i < SP_COPY_IDS ? n - i : SP_COPY_IDS;
        if ((rc = sp_copy_live(c, e)) != SP_OK)
            goto out;
        for (k = 0; k < count; k++)
            ids[k] = v[i + k].id;
        if ((rc = ask(c, nodes, ids, count, answers, e)) != SP_OK)
            goto out;
        for (k = 0; k < count; k++) {
            /* A member's copy will do only where the host had none of its own: it may be another
             * one than what the host relied on. */
            v[i + k].done = answers[k] == SP_HAVE_MINE ||
                            (answers[k] == SP_HAVE_MEMBERS && !nodes && !v[i + k].own);
            c->totals->chunks_there += v[i + k].done && !nodes;
        }
    }
out:
    free(answers);
    free(ids);
    return rc;
}

bool
sp_copy_known(struct sp_copy *c, const uint8_t id[32])
{
    const struct sp_reader_scope scope = {c->host, c->group};
    struct sp_repository *r = c->to->repository;
    struct sp_known_host *k = r == NULL ? NULL : sp_known_of(r, &scope);
    bool yes;

    if (k == NULL)
        return false;
    sp_mutex_lock(&r->lock);
    yes = sp_keyset_has(&k->nodes, id);
    sp_mutex_unlock(&r->lock);
    return yes;
}
