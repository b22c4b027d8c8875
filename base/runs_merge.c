#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/path.h"
#include "base/runs_internal.h"

/* A window of each run in memory, and a heap of the runs by their first records; equal keys come
 * from the earlier run first. */

#define LEAST_WINDOW (4u << 10)
#define USUAL_WINDOW (64u << 10)
#define LEAST_FAN 4
#define MOST_FAN 256

struct lane {
    uint64_t at, to; /* what of the run is not in the window yet */
    uint8_t *window;
    size_t cap, len, pos; /* the record at pos is whole */
    size_t place;         /* of the run */
};

struct sp_merge {
    struct sp_spill *spill;
    struct lane *lanes;
    size_t n;
    struct lane **heap;
    size_t left;
    bool given; /* the first lane's record was given and has to go */
    bool due;   /* it went, the one behind it is not read yet */
};

static size_t
fan(size_t memory)
{
    size_t n = memory / USUAL_WINDOW;

    return n < LEAST_FAN ? LEAST_FAN : n > MOST_FAN ? MOST_FAN : n;
}

/* At least `need` bytes behind pos, and as much more as the window holds. */
static enum sp_code
fill(struct sp_merge *m, struct lane *l, size_t need, struct sp_err *e)
{
    size_t have = l->len - l->pos, n;
    enum sp_code rc;

    if (have >= need)
        return SP_OK;
    if (need - have > l->to - l->at)
        return sp_fail(e, SP_IO, SP_DOM_SELF, "a temporary file does not hold what was written");
    if (l->pos > 0)
        memmove(l->window, l->window + l->pos, have);
    l->pos = 0;
    l->len = have;
    if (need > l->cap) {
        uint8_t *p = realloc(l->window, need);

        if (p == NULL)
            return sp_fail_nomem(e);
        l->window = p;
        l->cap = need;
    }
    n = l->cap - have;
    if (n > l->to - l->at)
        n = (size_t)(l->to - l->at);
    if ((rc = sp_spill_read(m->spill, l->at, l->window + have, n, e)) != SP_OK)
        return rc;
    l->at += n;
    l->len += n;
    return SP_OK;
}

static bool
finished(const struct lane *l)
{
    return l->pos == l->len && l->at == l->to;
}

static size_t
record_at(const struct lane *l)
{
    const uint8_t *p = l->window + l->pos;

    return SP_RUN_HEAD + (size_t)sp_le32(p) + sp_le32(p + 4);
}

static enum sp_code
load(struct sp_merge *m, struct lane *l, struct sp_err *e)
{
    enum sp_code rc;

    if ((rc = fill(m, l, SP_RUN_HEAD, e)) != SP_OK)
        return rc;
    return fill(m, l, record_at(l), e);
}

static bool
before(const struct lane *a, const struct lane *b)
{
    const uint8_t *x = a->window + a->pos, *y = b->window + b->pos;
    int d = sp_key_cmp(x + SP_RUN_HEAD, sp_le32(x), y + SP_RUN_HEAD, sp_le32(y));

    return d != 0 ? d < 0 : a->place < b->place;
}

static void
sink_down(struct sp_merge *m, size_t i)
{
    for (;;) {
        size_t least = i, c = 2 * i + 1;

        if (c < m->left && before(m->heap[c], m->heap[least]))
            least = c;
        if (c + 1 < m->left && before(m->heap[c + 1], m->heap[least]))
            least = c + 1;
        if (least == i)
            return;
        struct lane *l = m->heap[i];
        m->heap[i] = m->heap[least];
        m->heap[least] = l;
        i = least;
    }
}

enum sp_code
sp_merge_new(struct sp_spill *s, size_t first, size_t n, size_t memory, struct sp_merge **ret,
    struct sp_err *e)
{
    struct sp_merge *m = calloc(1, sizeof *m);
    size_t window = n > 0 ? memory / n : 0;
    enum sp_code rc = SP_OK;

    window = window < LEAST_WINDOW ? LEAST_WINDOW : window;
    if (m == NULL || (m->lanes = calloc(n + 1, sizeof m->lanes[0])) == NULL ||
        (m->heap = calloc(n + 1, sizeof(struct lane *))) == NULL) {
        rc = sp_fail_nomem(e);
        goto out;
    }
    m->spill = s;
    m->n = n;
    for (size_t i = 0; i < n; i++) {
        struct lane *l = &m->lanes[i];

        sp_spill_run(s, first + i, &l->at, &l->to);
        l->place = i;
        l->cap = window;
        if ((l->window = malloc(window)) == NULL) {
            rc = sp_fail_nomem(e);
            goto out;
        }
        if (finished(l))
            continue;
        if ((rc = load(m, l, e)) != SP_OK)
            goto out;
        m->heap[m->left++] = l;
    }
    for (size_t i = m->left / 2; i-- > 0;)
        sink_down(m, i);
    *ret = m;
    m = NULL;
out:
    sp_merge_free(m);
    return rc;
}

void
sp_merge_free(struct sp_merge *m)
{
    if (m == NULL)
        return;
    for (size_t i = 0; i < m->n; i++)
        free(m->lanes[i].window);
    free(m->lanes);
    free(m->heap);
    free(m);
}

enum sp_code
sp_merge_next(struct sp_merge *m, const uint8_t **ret, struct sp_err *e)
{
    enum sp_code rc;

    if (m->given) {
        m->heap[0]->pos += record_at(m->heap[0]);
        m->given = false;
        m->due = true;
    }
    if (m->due) {
        if (finished(m->heap[0]))
            m->heap[0] = m->heap[--m->left];
        else if ((rc = load(m, m->heap[0], e)) != SP_OK)
            return rc;
        sink_down(m, 0);
        m->due = false;
    }
    *ret = m->left == 0 ? NULL : m->heap[0]->window + m->heap[0]->pos;
    m->given = m->left > 0;
    return SP_OK;
}

static enum sp_code
merge_some(struct sp_spill *from, size_t first, size_t n, size_t memory, struct sp_spill *to,
    struct sp_err *e)
{
    struct sp_merge *m = NULL;
    const uint8_t *p = NULL;
    enum sp_code rc;

    if ((rc = sp_merge_new(from, first, n, memory, &m, e)) != SP_OK)
        return rc;
    while ((rc = sp_merge_next(m, &p, e)) == SP_OK && p != NULL) {
        size_t len = SP_RUN_HEAD + (size_t)sp_le32(p) + sp_le32(p + 4);

        if ((rc = sp_spill_put(to, p, len, e)) != SP_OK)
            break;
    }
    if (rc == SP_OK)
        rc = sp_spill_end_run(to, e);
    sp_merge_free(m);
    return rc;
}

enum sp_code
sp_merge_reduce(struct sp_spill **s, const struct sp_env *env, const char *folder, size_t memory,
    struct sp_err *e)
{
    size_t f = fan(memory);
    enum sp_code rc;

    while (sp_spill_runs(*s) > f) {
        struct sp_spill *to = NULL;
        size_t n = sp_spill_runs(*s);

        if ((rc = sp_spill_new(env, folder, memory / 8, &to, e)) != SP_OK)
            return rc;
        for (size_t i = 0; i < n; i += f) {
            size_t some = n - i < f ? n - i : f;

            if ((rc = merge_some(*s, i, some, memory, to, e)) != SP_OK) {
                sp_spill_free(to);
                return rc;
            }
        }
        sp_spill_free(*s);
        *s = to;
    }
    return SP_OK;
}
