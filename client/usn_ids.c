#include "client/usn_ids.h"

#include <stdlib.h>
#include <string.h>

#define FRESH 65536u

struct sp_usn_new {
    uint64_t id;
    uint32_t order;
    uint8_t how;
};

void
sp_usn_ids_init(struct sp_usn_ids *s, size_t most)
{
    memset(s, 0, sizeof *s);
    s->most = most;
}

void
sp_usn_ids_free(struct sp_usn_ids *s)
{
    free(s->ids);
    free(s->open);
    free(s->fresh);
    sp_usn_ids_init(s, s->most);
}

enum sp_code
sp_usn_ids_add(struct sp_usn_ids *s, uint64_t id, enum sp_usn_seen how, struct sp_err *e)
{
    enum sp_code rc;

    if (s->fresh == NULL && (s->fresh = calloc(FRESH, sizeof *s->fresh)) == NULL)
        return sp_fail_nomem(e);
    if (s->nfresh == FRESH && (rc = sp_usn_ids_settle(s, e)) != SP_OK)
        return rc;
    s->fresh[s->nfresh] =
        (struct sp_usn_new){.id = id, .order = (uint32_t)s->nfresh, .how = (uint8_t)how};
    s->nfresh++;
    return SP_OK;
}

static int
by_id(const void *a, const void *b)
{
    const struct sp_usn_new *x = a, *y = b;

    if (x->id != y->id)
        return x->id < y->id ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

/* One for each id: the last that says anything. */
static size_t
squeeze(struct sp_usn_new *v, size_t n)
{
    size_t to = 0;

    for (size_t i = 0; i < n; i++) {
        if (to > 0 && v[to - 1].id == v[i].id) {
            if (v[i].how != SP_USN_SEEN)
                v[to - 1].how = v[i].how;
        } else {
            v[to++] = v[i];
        }
    }
    return to;
}

static enum sp_code
grow(struct sp_usn_ids *s, size_t need, struct sp_err *e)
{
    size_t room = s->room + s->room / 2;
    uint64_t *ids;
    uint8_t *open;

    if (need > s->most)
        return sp_fail(e, SP_FULL, SP_DOM_NONE, "it names more than %zu files", s->most);
    if (need <= s->room)
        return SP_OK;
    room = room < need ? need : room > s->most ? s->most : room;
    if ((ids = realloc(s->ids, room * sizeof *ids)) == NULL)
        return sp_fail_nomem(e);
    s->ids = ids;
    if ((open = realloc(s->open, room)) == NULL)
        return sp_fail_nomem(e);
    s->open = open;
    s->room = room;
    return SP_OK;
}

enum sp_code
sp_usn_ids_settle(struct sp_usn_ids *s, struct sp_err *e)
{
    size_t nfresh, i, k, to, both = 0;
    enum sp_code rc;

    if (s->nfresh == 0)
        return SP_OK;
    qsort(s->fresh, s->nfresh, sizeof *s->fresh, by_id);
    nfresh = squeeze(s->fresh, s->nfresh);
    s->nfresh = 0;
    for (i = 0, k = 0; i < s->n && k < nfresh;) {
        both += s->ids[i] == s->fresh[k].id;
        if (s->ids[i] < s->fresh[k].id)
            i++;
        else
            k++;
    }
    if ((rc = grow(s, s->n + nfresh - both, e)) != SP_OK)
        return rc;
    /* From the end, so that nothing is written over before it has moved. */
    i = s->n;
    k = nfresh;
    to = s->n = s->n + nfresh - both;
    while (k > 0) {
        const struct sp_usn_new *f = &s->fresh[k - 1];

        if (i > 0 && s->ids[i - 1] >= f->id) {
            i--;
            to--;
            s->ids[to] = s->ids[i];
            s->open[to] = s->open[i];
            if (s->ids[to] != f->id)
                continue;
            if (f->how != SP_USN_SEEN)
                s->open[to] = f->how == SP_USN_OPEN;
        } else {
            to--;
            s->ids[to] = f->id;
            s->open[to] = f->how == SP_USN_OPEN;
        }
        k--;
    }
    return SP_OK;
}

bool
sp_usn_ids_has(const struct sp_usn_ids *s, uint64_t id)
{
    size_t low = 0, high = s->n;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (s->ids[mid] == id)
            return true;
        if (s->ids[mid] < id)
            low = mid + 1;
        else
            high = mid;
    }
    return false;
}
