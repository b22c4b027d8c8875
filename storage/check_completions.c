/* Check: each completion is of a set that is there, or was. The signature was looked at before. */

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "storage/check_impl.h"

struct told {                           /* a set or removal record, or a completion */
    bool completion, removed, doubtful; /* doubtful: its record is damaged, which was told */
    int64_t published_ns;
    uint8_t set_id[16], hash[32];
};

struct sp_check_completions {
    struct sp_check *c;
    uint8_t host[16];
    struct told *v;
    size_t n, cap;
};

enum sp_code
sp_check_completions_new(
    struct sp_check *c, const uint8_t host[16], struct sp_check_completions **ret, struct sp_err *e)
{
    struct sp_check_completions *k = calloc(1, sizeof(*k));

    if (k == NULL)
        return sp_fail_nomem(e);
    k->c = c;
    memcpy(k->host, host, sizeof(k->host));
    *ret = k;
    return SP_OK;
}

void
sp_check_completions_free(struct sp_check_completions *k)
{
    if (k == NULL)
        return;
    free(k->v);
    free(k);
}

static enum sp_code
append(struct sp_check_completions *k, const struct told *t, struct sp_err *e)
{
    if (k->n == k->cap) {
        size_t cap = k->cap == 0 ? 64 : k->cap * 2;
        struct told *more = realloc(k->v, cap * sizeof(*more));

        if (more == NULL)
            return sp_fail_nomem(e);
        k->v = more;
        k->cap = cap;
    }
    k->v[k->n++] = *t;
    return SP_OK;
}

enum sp_code
sp_check_completions_set(
    struct sp_check_completions *k, const uint8_t set_id[16], const uint8_t *hash, struct sp_err *e)
{
    struct told t = {.doubtful = hash == NULL};

    memcpy(t.set_id, set_id, sizeof(t.set_id));
    if (hash != NULL)
        memcpy(t.hash, hash, sizeof(t.hash));
    return append(k, &t, e);
}

enum sp_code
sp_check_completions_removal(
    struct sp_check_completions *k, const struct sp_removal *removal, struct sp_err *e)
{
    struct told t = {.removed = true};

    memcpy(t.set_id, removal->set_id, sizeof(t.set_id));
    return append(k, &t, e);
}

enum sp_code
sp_check_completions_seen(struct sp_check_completions *k, const struct sp_record_name *name,
    const struct sp_completion *completion, struct sp_err *e)
{
    struct told t = {.completion = true, .published_ns = name->published_ns};

    memcpy(t.set_id, name->set_id, sizeof(t.set_id));
    memcpy(t.hash, completion->record, sizeof(t.hash));
    return append(k, &t, e);
}

/* By set; first the set, then its removal, then its completions, the first one first. */
static int
order(const void *a, const void *b)
{
    const struct told *x = a, *y = b;
    int by = memcmp(x->set_id, y->set_id, sizeof(x->set_id));

    if (by != 0)
        return by;
    if (x->completion != y->completion)
        return x->completion ? 1 : -1;
    if (x->removed != y->removed)
        return x->removed ? 1 : -1;
    return x->published_ns == y->published_ns ? 0 : x->published_ns < y->published_ns ? -1 : 1;
}

/* set NULL: there is none of it. earlier: it has a completion that counts. */
static enum sp_code
judge(struct sp_check_completions *k, const struct told *set, bool earlier, const struct told *t,
    struct sp_err *e)
{
    char object[160];

    sp_record_object_name(SP_RECORD_COMPLETION, k->host, t->published_ns, t->set_id, object);
    if (set == NULL)
        return sp_check_tell(k->c, false, object, t->set_id, NULL, 0, e,
            "it completes the set %s, which is not in the repository", sp_hex8(t->set_id).s);
    if (set->removed)
        return sp_check_tell(k->c, false, object, t->set_id, NULL, 0, e,
            "it completes the set %s, which was removed", sp_hex8(t->set_id).s);
    if (set->doubtful) /* told with the set */
        return SP_OK;
    if (memcmp(set->hash, t->hash, sizeof(t->hash)) != 0)
        return sp_check_tell(k->c, true, object, t->set_id, NULL, 0, e,
            "it completes another record than the one that the set %s has, and does not count",
            sp_hex8(t->set_id).s);
    return earlier ? sp_check_tell(k->c, false, object, t->set_id, NULL, 0, e,
                         "the set %s has an earlier completion, which counts", sp_hex8(t->set_id).s)
                   : SP_OK;
}

enum sp_code
sp_check_completions_end(struct sp_check_completions *k, struct sp_err *e)
{
    const struct told *set = NULL;
    bool earlier = false;
    enum sp_code rc = SP_OK;

    if (k->n > 0)
        qsort(k->v, k->n, sizeof(*k->v), order);
    for (size_t i = 0; i < k->n && rc == SP_OK; i++) {
        const struct told *t = &k->v[i];

        if (i == 0 || memcmp(t->set_id, k->v[i - 1].set_id, sizeof(t->set_id)) != 0) {
            set = NULL;
            earlier = false;
        }
        if (!t->completion) {
            set = set == NULL ? t : set;
            continue;
        }
        rc = judge(k, set, earlier, t, e);
        earlier = earlier || (set != NULL && !set->removed && !set->doubtful &&
                                 memcmp(set->hash, t->hash, sizeof(t->hash)) == 0);
    }
    return rc;
}
