/* Check: the sets of one host form a chain for each job (R21). */

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "storage/check_impl.h"
#include "storage/copy_gap.h"

struct link {
    char *job, *object;
    uint64_t sequence;
    int64_t published_ns;
    bool removed; /* what a removal record says of a set that is gone */
    bool has_previous;
    uint8_t set_id[16], hash[32], previous[32];
};

struct sp_check_chain {
    struct sp_check *c;
    uint8_t host[16];
    struct link *v;
    size_t n, cap;
    int64_t *damaged; /* when records were published that cannot be understood */
    size_t ndamaged, damaged_cap;
    struct sp_gaps gaps; /* that a copy left */
    bool gaps_loaded;
};

enum sp_code
sp_check_chain_new(
    struct sp_check *c, const uint8_t host[16], struct sp_check_chain **ret, struct sp_err *e)
{
    struct sp_check_chain *h = calloc(1, sizeof(*h));

    if (h == NULL)
        return sp_fail_nomem(e);
    h->c = c;
    memcpy(h->host, host, sizeof(h->host));
    *ret = h;
    return SP_OK;
}

void
sp_check_chain_free(struct sp_check_chain *h)
{
    size_t i;

    if (h == NULL)
        return;
    for (i = 0; i < h->n; i++) {
        free(h->v[i].job);
        free(h->v[i].object);
    }
    sp_gaps_clear(&h->gaps);
    free(h->v);
    free(h->damaged);
    free(h);
}

static enum sp_code
append(struct sp_check_chain *h, const char *job, const char *object, struct link **ret,
    struct sp_err *e)
{
    struct link *l;

    if (h->n == h->cap) {
        size_t cap = h->cap == 0 ? 64 : h->cap * 2;
        struct link *more = realloc(h->v, cap * sizeof(*more));

        if (more == NULL)
            return sp_fail_nomem(e);
        h->v = more;
        h->cap = cap;
    }
    l = &h->v[h->n];
    memset(l, 0, sizeof(*l));
    l->job = strdup(job);
    l->object = strdup(object);
    if (l->job == NULL || l->object == NULL) {
        free(l->job);
        free(l->object);
        return sp_fail_nomem(e);
    }
    h->n++;
    *ret = l;
    return SP_OK;
}

enum sp_code
sp_check_chain_set(struct sp_check_chain *h, const char *object, int64_t published_ns,
    const struct sp_set *set, const uint8_t hash[32], struct sp_err *e)
{
    struct link *l;
    enum sp_code rc = append(h, set->job, object, &l, e);

    if (rc != SP_OK)
        return rc;
    l->sequence = set->sequence;
    l->published_ns = published_ns;
    l->has_previous = set->has_previous;
    memcpy(l->previous, set->previous, sizeof(l->previous));
    memcpy(l->set_id, set->set_id, sizeof(l->set_id));
    memcpy(l->hash, hash, sizeof(l->hash));
    return SP_OK;
}

enum sp_code
sp_check_chain_removal(struct sp_check_chain *h, const struct sp_removal *removal, struct sp_err *e)
{
    struct link *l;
    enum sp_code rc = append(h, removal->job, "", &l, e);

    if (rc != SP_OK)
        return rc;
    l->removed = true;
    l->sequence = removal->sequence;
    memcpy(l->set_id, removal->set_id, sizeof(l->set_id));
    memcpy(l->hash, removal->record, sizeof(l->hash));
    return SP_OK;
}

enum sp_code
sp_check_chain_damaged(struct sp_check_chain *h, int64_t published_ns, struct sp_err *e)
{
    if (h->ndamaged == h->damaged_cap) {
        size_t cap = h->damaged_cap == 0 ? 16 : h->damaged_cap * 2;
        int64_t *more = realloc(h->damaged, cap * sizeof(*more));

        if (more == NULL)
            return sp_fail_nomem(e);
        h->damaged = more;
        h->damaged_cap = cap;
    }
    h->damaged[h->ndamaged++] = published_ns;
    return SP_OK;
}

static int
by_job(const void *a, const void *b)
{
    const struct link *x = a, *y = b;
    int order = strcmp(x->job, y->job);

    if (order != 0)
        return order;
    if (x->sequence != y->sequence)
        return x->sequence < y->sequence ? -1 : 1;
    return (int)x->removed - (int)y->removed;
}

/* The links of one number: v[0..n). before[0..nbefore): those of the number before it. */
static enum sp_code
check_number(struct sp_check *c, const struct link *v, size_t n, const struct link *before,
    size_t nbefore, struct sp_err *e)
{
    size_t i, k;
    enum sp_code rc;

    for (i = 0; i < n && !v[i].removed; i++) {
        const struct link *l = &v[i];
        bool follows = l->sequence == 1 && !l->has_previous;

        if (i > 0 && (rc = sp_check_tell(c, true, l->object, l->set_id, NULL, 0, e,
                          "job \"%.100s\" has two sets with the number %llu", l->job,
                          (unsigned long long)l->sequence)) != SP_OK)
            return rc;
        for (k = 0; k < nbefore && !follows; k++)
            follows =
                l->has_previous && memcmp(l->previous, before[k].hash, sizeof(l->previous)) == 0;
        /* Without the set before it there is a gap, which is told by itself. */
        if (!follows && (nbefore > 0 || l->sequence == 1) &&
            (rc = sp_check_tell(c, true, l->object, l->set_id, NULL, 0, e,
                 "the set does not follow the set with the number %llu of its job \"%.100s\"",
                 (unsigned long long)(l->sequence - 1), l->job)) != SP_OK)
            return rc;
    }
    return SP_OK;
}

/* Sets are missing before `l`, from the number `first` on; `last` is before them, NULL: none. When
 * as many records of that time are damaged, which was told, it is they that are missed: the set
 * behind the gap is none the worse for it. */
static enum sp_code
tell_gap(struct sp_check_chain *h, const struct link *last, const struct link *l, uint64_t first,
    struct sp_err *e)
{
    uint64_t n = l->sequence - first, damaged = 0;
    const struct sp_gap *left;
    size_t i;
    enum sp_code rc;

    if (!h->gaps_loaded && (rc = sp_gaps_load(h->c->r, h->host, &h->gaps, e)) != SP_OK)
        return rc;
    h->gaps_loaded = true;
    if ((left = sp_gaps_cover(&h->gaps, l->job, first, l->sequence - 1)) != NULL)
        return sp_check_tell(h->c, false, l->object, NULL, NULL, 0, e,
            "job \"%.100s\" has no sets with the numbers %llu to %llu here: they were not copied "
            "from repository %s",
            l->job, (unsigned long long)first, (unsigned long long)(l->sequence - 1),
            sp_hex16(left->source).s);
    for (i = 0; i < h->ndamaged; i++)
        damaged += (last == NULL || last->removed || h->damaged[i] >= last->published_ns) &&
                   (l->removed || h->damaged[i] <= l->published_ns);
    if (damaged >= n)
        return sp_check_tell(h->c, false, l->object, NULL, NULL, 0, e,
            "job \"%.100s\" lacks the sets with the numbers %llu to %llu: damaged records are from "
            "that time",
            l->job, (unsigned long long)first, (unsigned long long)(l->sequence - 1));
    return sp_check_tell(h->c, true, l->object, l->set_id, NULL, 0, e,
        "job \"%.100s\" lacks the sets with the numbers %llu to %llu, and no removal record says "
        "that they were removed",
        l->job, (unsigned long long)first, (unsigned long long)(l->sequence - 1));
}

enum sp_code
sp_check_chain_end(struct sp_check_chain *h, struct sp_err *e)
{
    size_t i, n, nbefore = 0;
    enum sp_code rc;

    if (h->n > 0)
        qsort(h->v, h->n, sizeof(*h->v), by_job);
    for (i = 0; i < h->n; i += n) {
        const struct link *l = &h->v[i];
        bool first = i == 0 || strcmp(h->v[i - 1].job, l->job) != 0;
        uint64_t expected = first ? 1 : h->v[i - 1].sequence + 1;

        for (n = 1; i + n < h->n && strcmp(h->v[i + n].job, l->job) == 0 &&
                    h->v[i + n].sequence == l->sequence;
             n++)
            ;
        if (first)
            nbefore = 0;
        if (l->sequence > expected) {
            nbefore = 0;
            if ((rc = tell_gap(h, first ? NULL : l - 1, l, expected, e)) != SP_OK)
                return rc;
        }
        if ((rc = check_number(h->c, l, n, l - nbefore, nbefore, e)) != SP_OK)
            return rc;
        nbefore = n;
    }
    return SP_OK;
}
