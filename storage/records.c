/* Records as they lie in the repository: names, and the chain of a job: see repository_impl.h. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "storage/repository_impl.h"

static enum sp_code
see(void *arg, const char *object, uint64_t size, struct sp_err *e)
{
    struct sp_record_names *l = arg;
    struct sp_record_name name;

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
    enum sp_code rc;

    if (host != NULL)
        (void)snprintf(prefix, sizeof(prefix), "sets/%.32s", sp_hex16(host).s);
    if ((rc = sp_backend_list(r->backend, prefix, see, &l, e)) != SP_OK) {
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

/* Reads a set or checkpoint of the job. *ret = NULL: it is of another job, or bad (R11: check names
 * it). */
static enum sp_code
read_set(struct sp_repository *r, const struct sp_record_name *name, const char *job, uint8_t **ret,
    size_t *ret_n, struct sp_set *ret_set, struct sp_err *e)
{
    struct sp_err why = {0};
    uint8_t *p = NULL;
    size_t n = 0;
    enum sp_code rc = sp_record_read(r, name, &p, &n, &why);

    *ret = NULL;
    if (rc == SP_CORRUPT || rc == SP_ABSENT)
        return SP_OK;
    if (rc != SP_OK) {
        *e = why;
        return rc;
    }
    rc = sp_set_record_decode(p, n, ret_set, &why);
    if (rc != SP_OK || strcmp(ret_set->job, job) != 0 || !is_named(ret_set, name)) {
        free(p);
        if (!sp_code_is_ours(rc))
            return SP_OK;
        *e = why; /* or the chain would seem to end before this set */
        return rc;
    }
    *ret = p;
    *ret_n = n;
    return SP_OK;
}

enum sp_code
sp_chain_head(struct sp_repository *r, const struct sp_record_names *names, const char *job,
    struct sp_chain *ret, struct sp_err *e)
{
    struct sp_chain c;
    int64_t found_ns = 0;
    size_t i;
    enum sp_code rc = SP_OK;

    memset(&c, 0, sizeof(c));
    /* Names of one host never go back in time (R9), so the job's newest set by name is its last;
     * only one of the same second could be later in the chain. */
    for (i = 0; i < names->n; i++) {
        struct sp_set set;
        uint8_t *p;
        size_t n;

        if (names->v[i].type != SP_RECORD_SET)
            continue;
        if (c.any && names->v[i].published_ns < found_ns)
            break;
        if ((rc = read_set(r, &names->v[i], job, &p, &n, &set, e)) != SP_OK)
            goto out;
        if (p == NULL)
            continue;
        if (c.any && set.sequence <= c.sequence) {
            free(p);
            continue;
        }
        free(c.set);
        c.any = true;
        c.sequence = set.sequence;
        c.set = p;
        c.set_len = n;
        found_ns = names->v[i].published_ns;
        if ((rc = sp_record_hash(p, n, c.hash, e)) != SP_OK)
            goto out;
    }
    *ret = c;
    return SP_OK;
out:
    sp_chain_free(&c);
    return rc;
}

enum sp_code
sp_chain_checkpoint(struct sp_repository *r, const struct sp_record_names *names, const char *job,
    const struct sp_chain *head, uint8_t **ret, size_t *ret_n, struct sp_err *e)
{
    size_t i;
    enum sp_code rc;

    for (i = 0; i < names->n; i++) {
        struct sp_set set;
        uint8_t *p;
        size_t n;

        if (names->v[i].type != SP_RECORD_CHECKPOINT)
            continue;
        if ((rc = read_set(r, &names->v[i], job, &p, &n, &set, e)) != SP_OK)
            return rc;
        if (p == NULL)
            continue;
        if (set.sequence == head->sequence + 1 && set.has_previous == head->any &&
            (!head->any || memcmp(set.previous, head->hash, sizeof(head->hash)) == 0)) {
            *ret = p;
            *ret_n = n;
            return SP_OK;
        }
        free(p);
    }
    return sp_fail(e, SP_ABSENT, SP_DOM_STORE, "the job has no checkpoint");
}

enum sp_code
sp_repository_list(struct sp_repository *r, const uint8_t *host, bool checkpoints,
    enum sp_code (*each)(void *arg, const struct sp_set_info *i, struct sp_err *e), void *arg,
    struct sp_err *e)
{
    static const uint8_t nothing[1];
    struct sp_record_names l = {NULL, 0, 0};
    struct sp_completions completions;
    struct sp_err why = {0};
    size_t i;
    enum sp_code rc;

    if ((rc = sp_records_list(r, host, &l, e)) != SP_OK)
        return rc;
    rc = sp_completions_begin(&completions, r, &l, e);
    for (i = 0; i < l.n && rc == SP_OK; i++) {
        const struct sp_record_name *name = &l.v[i];
        struct sp_set_info info = {.type = name->type, .published_ns = name->published_ns};
        uint8_t *p = NULL, *completion = NULL;

        if (name->type != SP_RECORD_SET && (name->type != SP_RECORD_CHECKPOINT || !checkpoints))
            continue;
        if ((rc = sp_repository_live(r, e)) != SP_OK)
            break;
        rc = sp_record_read(r, name, &p, &info.record_len, &why);
        if (rc == SP_ABSENT) { /* removed since it was listed */
            rc = SP_OK;
            continue;
        }
        if (rc != SP_OK && sp_store_fatal(rc)) {
            *e = why;
            break;
        }
        /* A record that cannot be read is shown, without content: it does not hide (R11). */
        info.record = rc == SP_OK ? p : nothing;
        if (rc != SP_OK)
            info.record_len = 0;
        memcpy(info.host, name->host, sizeof(info.host));
        memcpy(info.set_id, name->set_id, sizeof(info.set_id));
        rc = name->type != SP_RECORD_SET || p == NULL
                 ? SP_OK
                 : sp_completions_of(&completions, name, info.record, info.record_len, &completion,
                       &info.completion_len, e);
        info.completion = completion;
        if (rc == SP_OK)
            rc = each(arg, &info, e);
        free(completion);
        free(p);
    }
    sp_completions_end(&completions);
    sp_records_free(&l);
    return rc;
}
