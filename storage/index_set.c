/* The list of segments in use: see index_set.h. */

#include "storage/index_set.h"

#include <stdlib.h>
#include <string.h>

static void
use_free(struct sp_index_use *u)
{
    if (u == NULL || atomic_fetch_sub(&u->refs, 1) != 1)
        return;
    sp_index_segment_free(u->segment);
    free(u->ordinals);
    free(u);
}

static struct sp_index_view *
view_new(size_t room)
{
    struct sp_index_view *v = malloc(sizeof(*v) + room * sizeof(struct sp_index_use *));

    if (v != NULL) {
        atomic_init(&v->refs, 1);
        v->n = 0;
    }
    return v;
}

static void
view_add(struct sp_index_view *v, struct sp_index_use *u)
{
    atomic_fetch_add(&u->refs, 1);
    v->uses[v->n++] = u;
}

void
sp_index_view_free(struct sp_index_view *v)
{
    if (v == NULL || atomic_fetch_sub(&v->refs, 1) != 1)
        return;
    while (v->n > 0)
        use_free(v->uses[--v->n]);
    free(v);
}

enum sp_code
sp_index_set_init(struct sp_index_set *s, struct sp_err *e)
{
    memset(s, 0, sizeof(*s));
    if ((s->view = view_new(0)) == NULL)
        return sp_fail_nomem(e);
    return SP_OK;
}

void
sp_index_set_clear(struct sp_index_set *s)
{
    sp_index_view_free(s->view);
    s->view = NULL;
}

struct sp_index_view *
sp_index_set_view(struct sp_index_set *s)
{
    atomic_fetch_add(&s->view->refs, 1);
    return s->view;
}

const struct sp_index_use *
sp_index_set_find(const struct sp_index_set *s, const uint8_t name[32])
{
    size_t i;

    for (i = 0; i < s->view->n; i++)
        if (memcmp(sp_index_segment_name(s->view->uses[i]->segment), name, 32) == 0)
            return s->view->uses[i];
    return NULL;
}

bool
sp_index_set_superseded(const struct sp_index_set *s, const uint8_t name[32])
{
    uint8_t other[32];
    size_t i, j;

    for (i = 0; i < s->view->n; i++) {
        struct sp_index_segment *g = s->view->uses[i]->segment;

        for (j = 0; j < sp_index_segment_supersedes(g, j, other); j++)
            if (memcmp(other, name, 32) == 0)
                return true;
    }
    return false;
}

bool
sp_index_set_keep_filter(const struct sp_index_set *s)
{
    return s->filters < SP_INDEX_FILTER_BUDGET;
}

static void
replace_view(struct sp_index_set *s, struct sp_index_view *v)
{
    size_t i;

    sp_index_view_free(s->view);
    s->view = v;
    s->filters = 0;
    for (i = 0; i < v->n; i++)
        s->filters += sp_index_segment_memory(v->uses[i]->segment);
}

static void
mark_use(const struct sp_index_use *u, struct sp_presence *p)
{
    size_t i, n = sp_index_segment_packs(u->segment);

    for (i = 0; i < n; i++)
        if (u->ordinals[i] != SP_NO_PACK)
            sp_presence_at(p, u->ordinals[i])->indexed = true;
}

enum sp_code
sp_index_set_add(struct sp_index_set *s, struct sp_presence *p, struct sp_index_segment *segment,
    bool local, bool own, struct sp_err *e)
{
    size_t i, n = sp_index_segment_packs(segment);
    struct sp_index_use *u = calloc(1, sizeof(*u));
    struct sp_index_view *v = view_new(s->view->n + 1);
    enum sp_code rc = SP_OK;

    if (u == NULL) {
        sp_index_segment_free(segment);
        rc = sp_fail_nomem(e);
        goto out;
    }
    atomic_init(&u->refs, 1);
    u->segment = segment;
    u->local = local;
    u->own = own;
    u->ordinals = malloc((n == 0 ? 1 : n) * sizeof(*u->ordinals));
    if (v == NULL || u->ordinals == NULL) {
        rc = sp_fail_nomem(e);
        goto out;
    }
    for (i = 0; i < n; i++) {
        const struct sp_index_pack *k = sp_index_segment_pack(segment, i);
        struct sp_pack_state *state;
        uint32_t origin;

        rc = sp_presence_mention(p, k->kind, k->name, k->size, &u->ordinals[i], e);
        if (rc != SP_OK)
            goto out;
        if (u->ordinals[i] == SP_NO_PACK)
            continue;
        if ((rc = sp_presence_origin(p, k->uploader, k->group, &origin, e)) != SP_OK)
            goto out;
        state = sp_presence_at(p, u->ordinals[i]);
        if (!state->indexed) /* else a trailer, or a segment before, said it */
            state->origin = origin;
    }
    view_add(v, u);
    for (i = 0; i < s->view->n; i++)
        view_add(v, s->view->uses[i]);
    mark_use(u, p);
    replace_view(s, v);
    v = NULL;
out:
    sp_index_view_free(v);
    use_free(u);
    return rc;
}

enum sp_code
sp_index_set_drop(struct sp_index_set *s, bool (*drop)(void *arg, const struct sp_index_use *u),
    void *arg, struct sp_err *e)
{
    struct sp_index_view *v = view_new(s->view->n);
    size_t i;

    if (v == NULL)
        return sp_fail_nomem(e);
    for (i = 0; i < s->view->n; i++)
        if (!drop(arg, s->view->uses[i]))
            view_add(v, s->view->uses[i]);
    replace_view(s, v);
    return SP_OK;
}

void
sp_index_set_mark(const struct sp_index_set *s, struct sp_presence *p)
{
    size_t i;

    for (i = 0; i < s->view->n; i++)
        mark_use(s->view->uses[i], p);
}
