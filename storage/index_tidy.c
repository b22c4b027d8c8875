/* When there are many segments, the smaller ones become one: see repository_impl.h. */

#include <stdlib.h>
#include <string.h>

#include "storage/index_merge.h"
#include "storage/repository_impl.h"

#define SEGMENTS_MANY 8u
#define SEGMENT_LARGE (SP_INDEX_MAX_ENTRIES / 2) /* from here on it is left alone */

static int
by_count(const void *a, const void *b)
{
    uint64_t x = sp_index_segment_count((*(struct sp_index_use *const *)a)->segment);
    uint64_t y = sp_index_segment_count((*(struct sp_index_use *const *)b)->segment);

    return x < y ? -1 : x > y;
}

/* The uses to merge, the smallest first: at least so many that half of what is allowed is left, and
 * then those that are not much larger than what is taken already (each entry is so rewritten a
 * logarithmic number of times). 0: nothing to do. */
static size_t
choose(struct sp_index_view *v, struct sp_index_use **to)
{
    size_t i, n = 0, taken = 0;
    uint64_t total = 0;

    for (i = 0; i < v->n; i++)
        if (!v->uses[i]->local && sp_index_segment_count(v->uses[i]->segment) < SEGMENT_LARGE)
            to[n++] = v->uses[i];
    if (n <= SEGMENTS_MANY)
        return 0;
    qsort(to, n, sizeof(struct sp_index_use *), by_count);
    for (i = 0; i < n; i++) {
        uint64_t size = sp_index_segment_count(to[i]->segment);

        if (total + size > SP_INDEX_MAX_ENTRIES ||
            (n - taken < SEGMENTS_MANY / 2 && size > 2 * total))
            break;
        total += size;
        taken++;
    }
    return taken < 2 ? 0 : taken;
}

struct plan {
    struct sp_index_merge_input *in;
    size_t n;
    struct sp_index_pack *packs;
    size_t npacks;
};

static void
plan_free(struct plan *p)
{
    size_t i;

    for (i = 0; p->in != NULL && i < p->n; i++)
        free(p->in[i].packs);
    free(p->in);
    free(p->packs);
}

/* Which packs the result speaks of: those that are there. The lock is held. */
static enum sp_code
make_plan(
    struct sp_repository *r, struct sp_index_use **uses, size_t n, struct plan *p, struct sp_err *e)
{
    uint32_t *ordinals = calloc(sp_presence_count(r->presence) + 1, sizeof(*ordinals));
    size_t i, k, total = 0;
    enum sp_code rc = SP_OK;

    for (i = 0; i < n; i++)
        total += sp_index_segment_packs(uses[i]->segment);
    p->n = n;
    p->in = calloc(n, sizeof(*p->in));
    p->packs = malloc((total + 1) * sizeof(*p->packs));
    if (ordinals == NULL || p->in == NULL || p->packs == NULL) {
        rc = sp_fail_nomem(e);
        goto out;
    }
    for (i = 0; i < n; i++) {
        size_t packs = sp_index_segment_packs(uses[i]->segment);

        p->in[i].segment = uses[i]->segment;
        if ((p->in[i].packs = malloc((packs + 1) * sizeof(*p->in[i].packs))) == NULL) {
            rc = sp_fail_nomem(e);
            goto out;
        }
        for (k = 0; k < packs; k++) {
            uint32_t at = uses[i]->ordinals[k];
            struct sp_pack_state *s = at == SP_NO_PACK ? NULL : sp_presence_at(r->presence, at);

            p->in[i].packs[k] = SP_NO_PACK;
            if (s == NULL)
                continue;
            if (!s->listed) {
                s->indexed = false; /* learnt again, should it come back */
                continue;
            }
            if (ordinals[at] == 0) {
                p->packs[p->npacks++] = *sp_index_segment_pack(uses[i]->segment, k);
                ordinals[at] = (uint32_t)p->npacks;
            }
            p->in[i].packs[k] = ordinals[at] - 1;
        }
    }
out:
    free(ordinals);
    return rc;
}

static bool
superseded(void *arg, const struct sp_index_use *u)
{
    return sp_index_set_superseded(arg, sp_index_segment_name(u->segment));
}

/* The result into the repository, and only then (after a barrier) away with what it replaces. */
static enum sp_code
replace(struct sp_repository *r, const struct plan *p, const uint8_t name[32], struct sp_err *e)
{
    struct sp_index_segment *segment = NULL;
    struct sp_err ignored = {0};
    char object[96];
    bool filter;
    size_t i;
    enum sp_code rc;

    if ((rc = sp_index_cache_publish(&r->cache, r->backend, name, e)) != SP_OK ||
        (rc = sp_backend_sync(r->backend, e)) != SP_OK)
        return rc;
    sp_mutex_lock(&r->lock);
    filter = sp_index_set_keep_filter(&r->index);
    sp_mutex_unlock(&r->lock);
    if ((rc = sp_index_cache_use(&r->cache, name, false, filter, &segment, e)) != SP_OK)
        return rc;
    sp_mutex_lock(&r->lock);
    rc = sp_index_set_add(&r->index, r->presence, segment, false, true, e);
    if (rc == SP_OK)
        rc = sp_index_set_drop(&r->index, superseded, &r->index, e);
    sp_mutex_unlock(&r->lock);
    if (rc != SP_OK)
        return rc;
    for (i = 0; i < p->n; i++) {
        sp_index_object_name(sp_index_segment_name(p->in[i].segment), object);
        (void)sp_backend_remove(r->backend, object, &ignored); /* superseded, so it harms nobody */
        sp_index_cache_remove(&r->cache, sp_index_segment_name(p->in[i].segment), false);
    }
    return SP_OK;
}

void
sp_index_tidy(struct sp_repository *r)
{
    struct sp_index_view *view;
    struct sp_index_use **uses = NULL;
    struct plan plan = {NULL, 0, NULL, 0};
    struct sp_err ignored = {0};
    uint8_t name[32];
    size_t n = 0;
    enum sp_code rc = SP_OK;

    sp_mutex_lock(&r->index_io);
    sp_mutex_lock(&r->lock);
    view = sp_index_set_view(&r->index);
    if (view->n > SEGMENTS_MANY && (uses = malloc(view->n * sizeof(struct sp_index_use *))) != NULL)
        n = choose(view, uses);
    if (n > 0)
        rc = make_plan(r, uses, n, &plan, &ignored);
    sp_mutex_unlock(&r->lock);
    if (n > 0 && rc == SP_OK &&
        sp_index_merge(&r->cache, plan.in, plan.n, plan.packs, plan.npacks, name, &ignored) ==
            SP_OK)
        (void)replace(r, &plan, name, &ignored); /* a hint more or less (R5) */
    plan_free(&plan);
    free(uses);
    sp_index_view_free(view);
    sp_mutex_unlock(&r->index_io);
}
