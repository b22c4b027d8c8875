#include "client/prover.h"

#include <stdlib.h>
#include <string.h>

#include "base/queue.h"
#include "base/spare.h"
#include "base/thread.h"
#include "client/set_reader.h"

#define QUEUE_BYTES (8u << 20)
#define COPIES 8
#define MAX_WORKERS 4

struct task {
    uint8_t *block;
    size_t n, nwanted;
    const uint32_t *indices; /* into `asked`; in the same allocation */
};

struct worker {
    struct sp_prover *p;
    struct sp_opener *opener;
    struct sp_thread *thread;
};

struct sp_prover {
    struct sp_store *store;
    struct sp_id *asked; /* still to be proven */
    uint32_t *which;     /* index into proofs */
    struct sp_proof *proofs;
    uint64_t fetched;
    bool any_block;

    struct sp_mutex lock; /* of proofs, busy, failed while workers run */
    struct sp_cond idle;
    size_t busy;
    struct sp_err failed;
    struct sp_queue *tasks;
    struct worker workers[MAX_WORKERS];
    size_t nworkers;
};

/* --- the workers ------------------------------------------------------------------------------ */

static void
drop_task(void *item)
{
    struct task *t = item;

    sp_spare_free(t->block);
    free(t);
}

static void
open_block(struct sp_prover *p, struct sp_opener *opener, const struct task *t)
{
    struct sp_opened *opened = NULL;
    struct sp_chunk chunk;
    struct sp_err why = {0};
    struct sp_proof *proof;
    size_t i;
    enum sp_code rc = sp_block_peek(opener, t->block, t->n, &opened, &why);

    sp_mutex_lock(&p->lock);
    for (i = 0; i < t->nwanted; i++) {
        proof = &p->proofs[p->which[t->indices[i]]];
        if (rc != SP_OK) {
            free(proof->why);
            proof->why = strdup(why.text);
        } else if (sp_opened_find(opened, &p->asked[t->indices[i]], &chunk)) {
            proof->proven = true;
            proof->length = chunk.len;
        }
    }
    if (rc != SP_OK && !sp_set_reader_goes_on(rc) && p->failed.code == SP_OK)
        p->failed = why; /* no memory: nothing is known of the block */
    sp_mutex_unlock(&p->lock);
    sp_opened_free(opened);
}

static void
task_done(struct sp_prover *p)
{
    sp_mutex_lock(&p->lock);
    if (--p->busy == 0)
        sp_cond_broadcast(&p->idle);
    sp_mutex_unlock(&p->lock);
}

static void
work(void *arg)
{
    struct worker *w = arg;
    struct task *t;

    while ((t = sp_queue_pop(w->p->tasks)) != NULL) {
        open_block(w->p, w->opener, t);
        drop_task(t);
        task_done(w->p);
    }
}

static enum sp_code
start_workers(struct sp_prover *p, const struct sp_keys *keys, struct sp_err *e)
{
    size_t n = sp_cpu_count() < MAX_WORKERS ? sp_cpu_count() : MAX_WORKERS;
    struct worker *w;
    enum sp_code rc;

    while (p->nworkers < n) {
        w = &p->workers[p->nworkers++];
        w->p = p;
        if ((rc = sp_opener_new(keys, &w->opener, e)) != SP_OK ||
            (rc = sp_thread_start("verify", work, w, &w->thread, e)) != SP_OK)
            return rc;
    }
    return SP_OK;
}

enum sp_code
sp_prover_new(
    struct sp_store *store, const struct sp_keys *keys, struct sp_prover **ret, struct sp_err *e)
{
    struct sp_prover *p = calloc(1, sizeof(*p));
    enum sp_code rc;

    if (p == NULL)
        return sp_fail_nomem(e);
    p->store = store;
    sp_mutex_init(&p->lock);
    sp_cond_init(&p->idle);
    if ((rc = sp_queue_new(QUEUE_BYTES, 1, drop_task, &p->tasks, e)) == SP_OK)
        rc = start_workers(p, keys, e);
    if (rc != SP_OK) {
        sp_prover_free(p);
        return rc;
    }
    *ret = p;
    return SP_OK;
}

void
sp_prover_free(struct sp_prover *p)
{
    size_t i;

    if (p == NULL)
        return;
    if (p->tasks != NULL)
        sp_queue_abort(p->tasks);
    for (i = 0; i < p->nworkers; i++) {
        sp_thread_join(p->workers[i].thread);
        sp_opener_free(p->workers[i].opener);
    }
    sp_queue_free(p->tasks);
    sp_mutex_destroy(&p->lock);
    sp_cond_destroy(&p->idle);
    free(p);
    sp_spare_empty();
}

/* --- fetching --------------------------------------------------------------------------------- */

static enum sp_code
fetched(void *arg, const uint8_t *block, size_t n, const uint32_t *indices, size_t nindices,
    struct sp_err *e)
{
    struct sp_prover *p = arg;
    struct task *t = malloc(sizeof(*t) + nindices * sizeof(*indices));
    uint8_t *copy = sp_spare_alloc(n);

    p->any_block = true;
    p->fetched += n;
    if (t == NULL || copy == NULL) {
        free(t);
        sp_spare_free(copy);
        return sp_fail_nomem(e);
    }
    memcpy(copy, block, n);
    memcpy(t + 1, indices, nindices * sizeof(*indices));
    t->block = copy;
    t->n = n;
    t->indices = (const uint32_t *)(const void *)(t + 1);
    t->nwanted = nindices;
    sp_mutex_lock(&p->lock);
    p->busy++;
    sp_mutex_unlock(&p->lock);
    if (!sp_queue_push(p->tasks, t, n)) {
        drop_task(t);
        task_done(p);
        return sp_fail(e, SP_CANCELLED, SP_DOM_SELF, "the check was ended");
    }
    return SP_OK;
}

/* Everything that was fetched is opened. */
static enum sp_code
wait_idle(struct sp_prover *p, struct sp_err *e)
{
    enum sp_code rc;

    sp_mutex_lock(&p->lock);
    while (p->busy > 0)
        sp_cond_wait(&p->idle, &p->lock);
    rc = p->failed.code;
    if (rc != SP_OK)
        *e = p->failed;
    sp_mutex_unlock(&p->lock);
    return rc;
}

static enum sp_code
run_copy(struct sp_prover *p, size_t n, unsigned copy, struct sp_err *e)
{
    struct sp_err opening = {0};
    enum sp_code rc, opened;

    p->any_block = false;
    rc = sp_store_get(p->store, p->asked, n, copy, fetched, p, e);
    opened =
        wait_idle(p, &opening); /* also after a failure: the workers use what is the caller's */
    if (rc == SP_OK && opened != SP_OK) {
        *e = opening;
        rc = opened;
    }
    return rc;
}

enum sp_code
sp_prover_run(struct sp_prover *p, const struct sp_id *ids, size_t n, struct sp_proof *proofs,
    uint64_t *bytes, struct sp_err *e)
{
    unsigned copy;
    size_t i, left;
    enum sp_code rc = SP_OK;

    p->asked = calloc(n > 0 ? n : 1, sizeof(*p->asked));
    p->which = calloc(n > 0 ? n : 1, sizeof(*p->which));
    p->proofs = proofs;
    p->fetched = 0;
    if (p->asked == NULL || p->which == NULL)
        rc = sp_fail_nomem(e);
    for (copy = 0; copy < COPIES && rc == SP_OK; copy++) {
        for (i = left = 0; i < n; i++) {
            if (proofs[i].proven)
                continue;
            p->asked[left] = ids[i];
            p->which[left++] = (uint32_t)i;
        }
        if (left == 0)
            break;
        rc = run_copy(p, left, copy, e);
        if (!p->any_block) /* there are no more copies */
            break;
    }
    free(p->asked);
    free(p->which);
    *bytes += p->fetched;
    return rc;
}
