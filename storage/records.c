/* Records as they lie in the repository: names, and the chain of a job: see repository_impl.h. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "storage/ahead.h"
#include "storage/repository_impl.h"

#define FEW (512u << 10) /* counted for a record that most often is the last one to be read */

enum sp_code
sp_records_see(struct sp_record_names *l, const char *object, uint64_t size, struct sp_err *e)
{
    struct sp_record_name name = {.size = size};

    if (size == 0 ||
        !sp_record_object_parse(object, &name.type, name.host, &name.published_ns, name.set_id))
        return SP_OK;
    if (l->n == l->cap) {
        size_t cap = l->cap == 0 ? 64 : l->cap * 2;
        struct sp_record_name *more = realloc(l->v, cap * sizeof(*more));

        if (more == NULL)
            return sp_fail_nomem(e);
        l->v = more;
        l->cap = cap;
    }
    l->v[l->n++] = name;
    return SP_OK;
}

static enum sp_code
see(void *arg, const char *object, uint64_t size, struct sp_err *e)
{
    return sp_records_see(arg, object, size, e);
}

static int
newest_first(const void *a, const void *b)
{
    const struct sp_record_name *x = a, *y = b;
    int order;

    if (x->published_ns != y->published_ns)
        return x->published_ns > y->published_ns ? -1 : 1;
    if ((order = memcmp(x->host, y->host, sizeof(x->host))) != 0)
        return order;
    if ((order = memcmp(x->set_id, y->set_id, sizeof(x->set_id))) != 0)
        return order;
    return (int)x->type - (int)y->type;
}

enum sp_code
sp_records_list(
    struct sp_repository *r, const uint8_t *host, struct sp_record_names *ret, struct sp_err *e)
{
    struct sp_record_names l = {NULL, 0, 0};
    char prefix[64] = "sets";
    enum sp_code rc = SP_OK;

    if (host != NULL)
        (void)snprintf(prefix, sizeof(prefix), "sets/%.32s", sp_hex16(host).s);
    if (!sp_along_records(r, host, &l) &&
        (rc = sp_backend_list(r->backend, prefix, see, &l, e)) != SP_OK) {
        free(l.v);
        return rc;
    }
    if (l.n > 0)
        qsort(l.v, l.n, sizeof(*l.v), newest_first);
    *ret = l;
    return SP_OK;
}

void
sp_records_free(struct sp_record_names *l)
{
    free(l->v);
    memset(l, 0, sizeof(*l));
}

enum sp_code
sp_record_read(struct sp_repository *r, const struct sp_record_name *name, uint8_t **ret,
    size_t *ret_n, struct sp_err *e)
{
    char object[160];

    sp_record_object_name(name->type, name->host, name->published_ns, name->set_id, object);
    return sp_backend_get_all(r->backend, object, SP_RECORD_MAX, ret, ret_n, e);
}

struct reading {
    const struct sp_record_name *v;
    size_t n, at;
    bool (*wanted)(void *arg, const struct sp_record_name *name);
    bool few;
    void *arg;
};

static bool
is_wanted(const struct reading *d, size_t i)
{
    return d->wanted == NULL || d->wanted(d->arg, &d->v[i]);
}

void
sp_record_ahead(const struct sp_record_name *name, struct sp_ahead_read *ret)
{
    sp_record_object_name(name->type, name->host, name->published_ns, name->set_id, ret->name);
    ret->whole = true;
    ret->limit = SP_RECORD_MAX;
    if (name->size < SP_RECORD_MAX / 2) /* what a lying store makes of it stays within bounds */
        ret->limit = (size_t)name->size * 2 + SP_SMALL_OBJECT;
    ret->n = name->size < SP_RECORD_MAX ? (size_t)name->size : SP_RECORD_MAX;
}

static bool
next_record(void *arg, struct sp_ahead_read *ret)
{
    struct reading *d = arg;

    while (d->at < d->n && !is_wanted(d, d->at))
        d->at++;
    if (d->at == d->n)
        return false;
    sp_record_ahead(&d->v[d->at], ret);
    if (d->few && ret->n < FEW)
        ret->n = FEW;
    ret->tag = d->at++;
    return true;
}

enum sp_code
sp_records_each(struct sp_repository *r, const struct sp_record_name *v, size_t n,
    bool (*wanted)(void *arg, const struct sp_record_name *name), bool few, sp_record_fn each,
    void *arg, struct sp_err *e)
{
    struct reading d = {v, n, 0, wanted, few, arg};
    struct sp_ahead *ahead = NULL;
    const struct sp_ahead_read *read;
    const uint8_t *p;
    uint8_t *kept;
    char object[160];
    size_t len;
    bool more = true;
    enum sp_code rc = SP_OK, got;

    /* What was read just before comes first, when records are asked for again. */
    for (; few && d.at < n && rc == SP_OK && more; d.at++) {
        if (!is_wanted(&d, d.at))
            continue;
        sp_record_object_name(
            v[d.at].type, v[d.at].host, v[d.at].published_ns, v[d.at].set_id, object);
        if (!sp_kept_get(r, object, &kept, &len))
            break;
        rc = each(arg, &v[d.at], SP_OK, kept, len, NULL, &more, e);
        free(kept);
    }
    if (rc != SP_OK || !more ||
        (rc = sp_ahead_new(r->backend, next_record, &d, &ahead, e)) != SP_OK)
        return rc;
    while (rc == SP_OK && more) {
        struct sp_err why = {0};

        if ((rc = sp_repository_live(r, e)) != SP_OK)
            break;
        got = sp_ahead_take(ahead, &read, &p, &len, &why);
        if (read == NULL)
            break;
        rc = each(arg, &v[read->tag], got, p, len, &why, &more, e);
    }
    sp_ahead_free(ahead);
    return rc;
}

void
sp_chain_free(struct sp_chain *c)
{
    free(c->set);
    memset(c, 0, sizeof(*c));
}

/* A record under a name that is not its own is none: an older set's would pass for the newest. */
static bool
is_named(const struct sp_set *set, const struct sp_record_name *name)
{
    return memcmp(set->host, name->host, 16) == 0 && memcmp(set->set_id, name->set_id, 16) == 0 &&
           (set->state == SP_SET_CHECKPOINT) == (name->type == SP_RECORD_CHECKPOINT);
}

struct search { /* of a job's records */
    struct sp_repository *r;
    const char *job;
    enum sp_record_type type;
    struct sp_chain c; /* the head; of a checkpoint: what was found is `set` */
    const struct sp_chain *head;
    int64_t found_ns;
};

static bool
is_of_type(void *arg, const struct sp_record_name *name)
{
    const struct search *s = arg;

    return name->type == s->type && (!s->c.any || name->published_ns >= s->found_ns);
}

/* A set or checkpoint of the job. *ret_ours = false: it is of another job, or bad (R11: check names
 * it). */
static enum sp_code
judge(struct search *s, const struct sp_record_name *name, enum sp_code rc, const uint8_t *p,
    size_t n, const struct sp_err *failed, struct sp_set *ret_set, bool *ret_ours, struct sp_err *e)
{
    struct sp_err why = {0};

    *ret_ours = false;
    if (rc == SP_CORRUPT || rc == SP_ABSENT)
        return SP_OK;
    if (rc != SP_OK) {
        *e = *failed;
        return rc;
    }
    rc = sp_set_record_decode(p, n, ret_set, &why);
    if (rc != SP_OK || strcmp(ret_set->job, s->job) != 0 || !is_named(ret_set, name)) {
        if (!sp_code_is_ours(rc))
            return SP_OK;
        *e = why; /* or the chain would seem to end before this set */
        return rc;
    }
    *ret_ours = true;
    return SP_OK;
}

static enum sp_code
keep(struct search *s, const uint8_t *p, size_t n, struct sp_err *e)
{
    uint8_t *copy = malloc(n > 0 ? n : 1);

    if (copy == NULL)
        return sp_fail_nomem(e);
    memcpy(copy, p, n);
    free(s->c.set);
    s->c.set = copy;
    s->c.set_len = n;
    return SP_OK;
}

static enum sp_code
look_at_set(void *arg, const struct sp_record_name *name, enum sp_code got, const uint8_t *p,
    size_t n, const struct sp_err *why, bool *ret_more, struct sp_err *e)
{
    struct search *s = arg;
    struct sp_set set;
    char object[160];
    bool ours;
    enum sp_code rc;

    if (s->c.any && name->published_ns < s->found_ns) {
        *ret_more = false;
        return SP_OK;
    }
    if ((rc = judge(s, name, got, p, n, why, &set, &ours, e)) != SP_OK || !ours ||
        (s->c.any && set.sequence <= s->c.sequence) || (rc = keep(s, p, n, e)) != SP_OK)
        return rc;
    s->c.any = true;
    s->c.sequence = set.sequence;
    s->found_ns = name->published_ns;
    sp_record_object_name(name->type, name->host, name->published_ns, name->set_id, object);
    sp_kept_put(s->r, object, p, n); /* the commit asks for it again */
    return sp_record_hash(p, n, s->c.hash, e);
}

enum sp_code
sp_chain_head(struct sp_repository *r, const struct sp_record_names *names, const char *job,
    struct sp_chain *ret, struct sp_err *e)
{
    struct search s = {.r = r, .job = job, .type = SP_RECORD_SET};
    enum sp_code rc;

    /* Names of one host never go back in time (R9), so the job's newest set by name is its last;
     * only one of the same second could be later in the chain. */
    if ((rc = sp_records_each(r, names->v, names->n, is_of_type, true, look_at_set, &s, e)) !=
        SP_OK) {
        sp_chain_free(&s.c);
        return rc;
    }
    *ret = s.c;
    return SP_OK;
}

static enum sp_code
look_at_checkpoint(void *arg, const struct sp_record_name *name, enum sp_code got, const uint8_t *p,
    size_t n, const struct sp_err *why, bool *ret_more, struct sp_err *e)
{
    struct search *s = arg;
    const struct sp_chain *head = s->head;
    struct sp_set set;
    bool ours;
    enum sp_code rc;

    if ((rc = judge(s, name, got, p, n, why, &set, &ours, e)) != SP_OK || !ours ||
        set.sequence != head->sequence + 1 || set.has_previous != head->any ||
        (head->any && memcmp(set.previous, head->hash, sizeof(head->hash)) != 0))
        return rc;
    *ret_more = false;
    return keep(s, p, n, e);
}

enum sp_code
sp_chain_checkpoint(struct sp_repository *r, const struct sp_record_names *names, const char *job,
    const struct sp_chain *head, uint8_t **ret, size_t *ret_n, struct sp_err *e)
{
    struct search s = {.r = r, .job = job, .type = SP_RECORD_CHECKPOINT, .head = head};
    enum sp_code rc;

    rc = sp_records_each(r, names->v, names->n, is_of_type, true, look_at_checkpoint, &s, e);
    if (rc == SP_OK && s.c.set == NULL)
        rc = sp_fail(e, SP_ABSENT, SP_DOM_STORE, "the job has no checkpoint");
    if (rc != SP_OK) {
        sp_chain_free(&s.c);
        return rc;
    }
    *ret = s.c.set;
    *ret_n = s.c.set_len;
    return SP_OK;
}

struct listing {
    struct sp_completions completions;
    bool checkpoints;
    enum sp_code (*each)(void *arg, const struct sp_set_info *i, struct sp_err *e);
    void *arg;
};

static bool
is_listed(void *arg, const struct sp_record_name *name)
{
    return name->type == SP_RECORD_SET ||
           (name->type == SP_RECORD_CHECKPOINT && ((const struct listing *)arg)->checkpoints);
}

static enum sp_code
list_one(void *arg, const struct sp_record_name *name, enum sp_code rc, const uint8_t *p, size_t n,
    const struct sp_err *why, bool *ret_more, struct sp_err *e)
{
    static const uint8_t nothing[1];
    struct listing *l = arg;
    struct sp_set_info info = {.type = name->type, .published_ns = name->published_ns};
    uint8_t *completion = NULL;

    (void)ret_more;
    if (rc == SP_ABSENT) /* removed since it was listed */
        return SP_OK;
    if (rc != SP_OK && sp_store_fatal(rc)) {
        *e = *why;
        return rc;
    }
    /* A record that cannot be read is shown, without content: it does not hide (R11). */
    info.record = rc == SP_OK ? p : nothing;
    info.record_len = rc == SP_OK ? n : 0;
    memcpy(info.host, name->host, sizeof(info.host));
    memcpy(info.set_id, name->set_id, sizeof(info.set_id));
    rc = name->type != SP_RECORD_SET || rc != SP_OK
             ? SP_OK
             : sp_completions_of(&l->completions, name, info.record, info.record_len, &completion,
                   &info.completion_len, e);
    info.completion = completion;
    if (rc == SP_OK)
        rc = l->each(l->arg, &info, e);
    free(completion);
    return rc;
}

enum sp_code
sp_repository_list(struct sp_repository *r, const uint8_t *host, bool checkpoints,
    enum sp_code (*each)(void *arg, const struct sp_set_info *i, struct sp_err *e), void *arg,
    struct sp_err *e)
{
    struct sp_record_names names = {NULL, 0, 0};
    struct listing l = {.checkpoints = checkpoints, .each = each, .arg = arg};
    enum sp_code rc;

    if ((rc = sp_records_list(r, host, &names, e)) != SP_OK)
        return rc;
    if ((rc = sp_completions_begin(&l.completions, r, &names, true, e)) == SP_OK)
        rc = sp_records_each(r, names.v, names.n, is_listed, false, list_one, &l, e);
    sp_completions_end(&l.completions);
    sp_records_free(&names);
    return rc;
}
