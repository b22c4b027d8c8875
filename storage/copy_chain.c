/* The chains of a host's jobs in the source (R21): see copy_impl.h. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "storage/copy_impl.h"

static int
by_job(const void *a, const void *b)
{
    const struct sp_copy_item *x = *(struct sp_copy_item *const *)a;
    const struct sp_copy_item *y = *(struct sp_copy_item *const *)b;
    int order = strcmp(x->set.job, y->set.job);

    if (order != 0)
        return order;
    return x->set.sequence < y->set.sequence ? -1 : x->set.sequence > y->set.sequence;
}

static const struct sp_removal *
removed(const struct sp_copy *c, const char *job, uint64_t sequence)
{
    for (size_t i = 0; i < c->removed.n; i++)
        if (c->removed.v[i].r.sequence == sequence && strcmp(c->removed.v[i].r.job, job) == 0)
            return &c->removed.v[i].r;
    return NULL;
}

/* Whether all of first … last is accounted for: removed, left out by an earlier copy, or as many
 * records of this host are damaged, which is told of each. */
static bool
explained(const struct sp_copy *c, const char *job, uint64_t first, uint64_t last, size_t damaged)
{
    uint64_t lacking = 0, i;

    if (sp_gaps_cover(&c->gaps, job, first, last) != NULL)
        return true;
    for (i = first; i <= last && lacking <= damaged; i++)
        lacking += removed(c, job, i) == NULL;
    return lacking <= damaged;
}

/* One job: its sets by number. */
static bool
whole_chain(struct sp_copy *c, struct sp_copy_item **v, size_t n, size_t damaged, bool *ret_forked,
    char *why, size_t room)
{
    uint64_t expected = 1;
    size_t i;

    *ret_forked = false;
    for (i = 0; i < n; i++) {
        const struct sp_set *s = &v[i]->set;
        const struct sp_removal *before = removed(c, s->job, s->sequence - 1);
        bool follows = s->sequence == 1 ? !s->has_previous : s->has_previous;

        if (i > 0 && s->sequence == v[i - 1]->set.sequence) {
            *ret_forked = true;
            (void)snprintf(
                why, room, "has two sets with the number %llu", (unsigned long long)s->sequence);
            return false;
        }
        if (i > 0 && s->sequence == v[i - 1]->set.sequence + 1)
            follows = follows && memcmp(s->previous, v[i - 1]->hash, 32) == 0;
        else if (before != NULL)
            follows = follows && memcmp(s->previous, before->record, 32) == 0;
        if (!follows) {
            *ret_forked = true;
            (void)snprintf(why, room,
                "has a set with the number %llu that does not follow the one "
                "before it",
                (unsigned long long)s->sequence);
            return false;
        }
        if (s->sequence > expected && !explained(c, s->job, expected, s->sequence - 1, damaged)) {
            (void)snprintf(why, room,
                "lacks sets with numbers between %llu and %llu, and no removal record says that "
                "they were removed",
                (unsigned long long)expected, (unsigned long long)(s->sequence - 1));
            return false;
        }
        expected = s->sequence + 1;
    }
    return true;
}

static void
judge_job(struct sp_copy *c, struct sp_copy_item **v, size_t n, size_t damaged)
{
    char why[256];
    bool forked, wanted = false;
    size_t i;

    for (i = 0; i < n; i++)
        wanted = wanted || v[i]->wanted;
    if (!wanted || whole_chain(c, v, n, damaged, &forked, why, sizeof(why)))
        return;
    if (!forked && c->o->accept_gaps) {
        sp_copy_tell(c, SP_COPY_NOTE, NULL, "job \"%.100s\" %s; it is copied all the same",
            v[0]->set.job, why);
        return;
    }
    sp_copy_tell(c, SP_COPY_NOTE, NULL, "job \"%.100s\" %s: it is not copied%s", v[0]->set.job, why,
        forked ? "" : " (--accept-gaps copies what there is)");
    for (i = 0; i < n; i++)
        v[i]->refused = v[i]->wanted;
}

enum sp_code
sp_copy_judge(struct sp_copy *c, struct sp_copy_item *items, size_t n, struct sp_err *e)
{
    struct sp_copy_item **v;
    size_t i, k, good = 0;

    if ((v = malloc((n + 1) * sizeof(*v))) == NULL)
        return sp_fail_nomem(e);
    for (i = 0; i < n; i++)
        if (!items[i].damaged)
            v[good++] = &items[i];
    qsort(v, good, sizeof(*v), by_job);
    for (i = 0; i < good; i += k) {
        for (k = 1; i + k < good && strcmp(v[i]->set.job, v[i + k]->set.job) == 0; k++)
            ;
        judge_job(c, v + i, k, n - good);
    }
    free(v);
    return SP_OK;
}
