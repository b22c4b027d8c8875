/* The completions of sets as they lie in the repository, and how one comes to be:
 * repository_impl.h. */

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "storage/ahead.h"
#include "storage/upload_impl.h"

/* --- finding ---------------------------------------------------------------------------------- */

static int
by_set(const void *a, const void *b)
{
    const struct sp_record_name *x = *(const struct sp_record_name *const *)a;
    const struct sp_record_name *y = *(const struct sp_record_name *const *)b;
    int order = memcmp(x->host, y->host, sizeof(x->host));

    if (order == 0)
        order = memcmp(x->set_id, y->set_id, sizeof(x->set_id));
    if (order == 0 && x->published_ns != y->published_ns)
        order = x->published_ns < y->published_ns ? -1 : 1;
    return order;
}

static int
same_set(const void *a, const void *b)
{
    const struct sp_record_name *x = a, *y = *(const struct sp_record_name *const *)b;
    int order = memcmp(x->host, y->host, sizeof(x->host));

    return order != 0 ? order : memcmp(x->set_id, y->set_id, sizeof(x->set_id));
}

/* Those of the set are v[*ret_first .. + what is returned). */
static size_t
of_set(const struct sp_completions *c, const struct sp_record_name *set, size_t *ret_first)
{
    const struct sp_record_name **at =
        c->n == 0 ? NULL : bsearch(set, c->v, c->n, sizeof(*c->v), same_set);
    size_t n = 0;

    if (at == NULL)
        return 0;
    while (at > c->v && same_set(set, at - 1) == 0)
        at--;
    *ret_first = (size_t)(at - c->v);
    while (at + n < c->v + c->n && same_set(set, at + n) == 0)
        n++;
    return n;
}

static bool
next_completion(void *arg, struct sp_ahead_read *ret)
{
    struct sp_completions *c = arg;

    if (c->asked == c->norder)
        return false;
    sp_record_ahead(c->order[c->asked], ret);
    ret->tag = c->asked++;
    return true;
}

static enum sp_code
ask_ahead(struct sp_completions *c, const struct sp_record_names *names, struct sp_err *e)
{
    if ((c->order = malloc(c->n * sizeof(*c->order))) == NULL)
        return sp_fail_nomem(e);
    for (size_t i = 0; i < names->n; i++) {
        size_t first = 0;
        size_t n = names->v[i].type == SP_RECORD_SET ? of_set(c, &names->v[i], &first) : 0;

        for (size_t k = 0; k < n && c->norder < c->n; k++)
            c->order[c->norder++] = c->v[first + k];
    }
    return sp_ahead_new(c->r->backend, next_completion, c, &c->ahead, e);
}

enum sp_code
sp_completions_begin(struct sp_completions *c, struct sp_repository *r,
    const struct sp_record_names *names, bool in_order, struct sp_err *e)
{
    size_t i, n = 0;

    memset(c, 0, sizeof(*c));
    c->r = r;
    for (i = 0; i < names->n; i++)
        n += names->v[i].type == SP_RECORD_COMPLETION;
    if (n == 0)
        return SP_OK;
    if ((c->v = malloc(n * sizeof(*c->v))) == NULL)
        return sp_fail_nomem(e);
    for (i = 0; i < names->n; i++)
        if (names->v[i].type == SP_RECORD_COMPLETION)
            c->v[c->n++] = &names->v[i];
    qsort(c->v, c->n, sizeof(*c->v), by_set);
    return in_order && r->backend->ahead > 0 ? ask_ahead(c, names, e) : SP_OK;
}

void
sp_completions_end(struct sp_completions *c)
{
    sp_ahead_free(c->ahead);
    free(c->order);
    free(c->v);
    memset(c, 0, sizeof(*c));
}

/* True: it is the one that is held. What was asked for before it is of sets that nobody asked
 * about. */
static bool
comes(struct sp_completions *c, const struct sp_record_name *name)
{
    size_t at = c->held != NULL ? (size_t)c->held->tag : 0;
    const uint8_t *bytes; /* whoever wants them keeps them */

    if (c->ahead == NULL)
        return false;
    while (at < c->norder && c->order[at] != name)
        at++;
    if (at == c->norder || (c->held != NULL && c->held->tag == at)) /* that one was given out */
        return false;
    while (c->held == NULL || c->held->tag < at) {
        sp_err_clear(&c->why);
        c->rc = sp_ahead_take(c->ahead, &c->held, &bytes, &c->len, &c->why);
        if (c->held == NULL || c->held->tag > at) /* it was passed by */
            return false;
    }
    return true;
}

/* malloc'd */
static enum sp_code
read_one(struct sp_completions *c, const struct sp_record_name *name, uint8_t **ret, size_t *ret_n,
    struct sp_err *e)
{
    if (!comes(c, name))
        return sp_record_read(c->r, name, ret, ret_n, e);
    *e = c->why;
    *ret_n = c->len;
    return c->rc != SP_OK ? c->rc : sp_ahead_keep(c->ahead, ret, e);
}

/* The record of the host that signs, once for all its sets. Without one, or with a bad one, no
 * signature can be checked, and check tells of it. */
static enum sp_code
load_host(struct sp_completions *c, const uint8_t host[16], struct sp_err *e)
{
    struct sp_err why = {0};
    uint8_t *p = NULL;
    size_t n;
    enum sp_code rc;

    if (c->looked && memcmp(c->host.id, host, sizeof(c->host.id)) == 0)
        return SP_OK;
    c->looked = c->known = false;
    rc = sp_repository_host(c->r, host, &p, &n, &why);
    if (rc == SP_OK) {
        rc = sp_host_decode(p, n, NULL, &c->host, &why);
        c->known = rc == SP_OK;
        free(p);
    }
    if (sp_code_is_ours(rc)) {
        *e = why;
        return rc;
    }
    memcpy(c->host.id, host, sizeof(c->host.id));
    c->looked = true;
    return SP_OK;
}

/* SP_CORRUPT: it is not the completion of this record. */
static enum sp_code
judge(struct sp_completions *c, const struct sp_record_name *set, const uint8_t hash[32],
    const uint8_t *p, size_t n, struct sp_err *e)
{
    struct sp_completion completion;
    enum sp_code rc;

    if ((rc = sp_completion_decode(p, n, &completion, e)) != SP_OK)
        return rc;
    if (memcmp(completion.host, set->host, 16) != 0 ||
        memcmp(completion.set_id, set->set_id, 16) != 0 || memcmp(completion.record, hash, 32) != 0)
        return sp_fail(e, SP_CORRUPT, SP_DOM_STORE, "the completion is of another set");
    if ((rc = load_host(c, set->host, e)) != SP_OK || !c->known)
        return rc;
    return sp_record_check_signature(SP_RECORD_COMPLETION, p, n, &c->host, e);
}

enum sp_code
sp_completions_of(struct sp_completions *c, const struct sp_record_name *set, const uint8_t *record,
    size_t record_len, uint8_t **ret, size_t *ret_n, struct sp_err *e)
{
    size_t first = 0, all = of_set(c, set, &first);
    uint8_t hash[32];
    enum sp_code rc;

    *ret = NULL;
    *ret_n = 0;
    if (all == 0)
        return SP_OK;
    if ((rc = sp_record_hash(record, record_len, hash, e)) != SP_OK)
        return rc;
    for (size_t i = first; i < first + all; i++) {
        struct sp_err why = {0};
        uint8_t *p = NULL;
        size_t n = 0;

        if ((rc = read_one(c, c->v[i], &p, &n, &why)) != SP_OK) {
            if (!sp_store_fatal(rc))
                continue;
            *e = why;
            return rc;
        }
        if ((rc = judge(c, set, hash, p, n, &why)) == SP_OK) {
            *ret = p;
            *ret_n = n;
            return SP_OK;
        }
        free(p);
        if (sp_code_is_ours(rc)) {
            *e = why;
            return rc;
        }
    }
    return SP_OK;
}

/* --- publishing ------------------------------------------------------------------------------- */

static enum sp_code
no_such_set(struct sp_err *e, const uint8_t set_id[16], const char *why)
{
    return sp_fail(e, SP_ABSENT, SP_DOM_STORE,
        "the set %s whose writers completed %s; its consistency stays unconfirmed",
        sp_hex8(set_id).s, why);
}

/* The record that it is of, malloc'd. */
static enum sp_code
read_set(struct sp_repository *r, const struct sp_record_names *names,
    const struct sp_completion *c, const struct sp_record_name **ret_name, uint8_t **ret,
    size_t *ret_n, struct sp_err *e)
{
    const struct sp_record_name *name = NULL;
    struct sp_err why = {0};
    uint8_t hash[32];
    enum sp_code rc;

    for (size_t i = 0; i < names->n && name == NULL; i++)
        if (names->v[i].type == SP_RECORD_SET &&
            memcmp(names->v[i].set_id, c->set_id, sizeof(c->set_id)) == 0)
            name = &names->v[i];
    if (name == NULL)
        return no_such_set(e, c->set_id, "is not in the repository");
    if ((rc = sp_record_read(r, name, ret, ret_n, &why)) != SP_OK) {
        if (rc == SP_ABSENT || rc == SP_CORRUPT)
            return no_such_set(e, c->set_id, "has a record that cannot be read");
        *e = why;
        return rc;
    }
    if ((rc = sp_record_hash(*ret, *ret_n, hash, e)) != SP_OK)
        return rc;
    if (memcmp(hash, c->record, sizeof(hash)) != 0)
        return no_such_set(e, c->set_id, "has another record than they completed");
    *ret_name = name;
    return SP_OK;
}

/* The first counts. The very same, sent again because its answer was lost, is there already: it
 * only has to be durable. */
static enum sp_code
meet_earlier(struct sp_repository *r, const struct sp_record_names *names,
    const struct sp_record_name *set, const uint8_t *record, size_t record_len,
    const uint8_t *completion, size_t n, bool *ret_there, struct sp_err *e)
{
    struct sp_completions all;
    uint8_t *p = NULL;
    size_t earlier_n = 0;
    enum sp_code rc;

    if ((rc = sp_completions_begin(&all, r, names, false, e)) != SP_OK)
        return rc;
    if ((rc = sp_completions_of(&all, set, record, record_len, &p, &earlier_n, e)) == SP_OK &&
        p != NULL) {
        *ret_there = earlier_n == n && memcmp(p, completion, n) == 0;
        rc = *ret_there ? sp_backend_sync(r->backend, e)
                        : sp_fail(e, SP_EXISTS, SP_DOM_STORE,
                              "the set %s has a completion already; the first counts",
                              sp_hex8(set->set_id).s);
    }
    free(p);
    sp_completions_end(&all);
    return rc;
}

static enum sp_code
conclude(struct sp_repository *r, const struct sp_completion *c, const uint8_t *completion,
    size_t n, struct sp_err *e)
{
    struct sp_record_names names = {NULL, 0, 0};
    const struct sp_record_name *set = NULL;
    char object[160];
    uint8_t *record = NULL;
    size_t record_len = 0;
    int64_t at_ns = 0;
    bool there = false;
    enum sp_code rc;

    sp_mutex_lock(&r->commit);
    if ((rc = sp_repository_live(r, e)) != SP_OK ||
        (rc = sp_records_list(r, c->host, &names, e)) != SP_OK ||
        (rc = read_set(r, &names, c, &set, &record, &record_len, e)) != SP_OK ||
        (rc = meet_earlier(r, &names, set, record, record_len, completion, n, &there, e)) !=
            SP_OK ||
        there)
        goto out;
    if ((rc = sp_publishing_time(r, &names, &at_ns, e)) != SP_OK)
        goto out;
    sp_record_object_name(SP_RECORD_COMPLETION, c->host, at_ns, c->set_id, object);
    rc = sp_publish(r, object, true, completion, n, e);
out:
    sp_mutex_unlock(&r->commit);
    free(record);
    sp_records_free(&names);
    return rc;
}

enum sp_code
sp_upload_complete(struct sp_upload *u, const uint8_t *completion, size_t n, struct sp_err *e)
{
    struct sp_completion c;
    struct sp_host host;
    enum sp_code rc;

    if ((rc = sp_completion_decode(completion, n, &c, e)) != SP_OK)
        return rc;
    if (memcmp(c.host, u->origin.uploader, sizeof(c.host)) != 0)
        return sp_fail(e, SP_REFUSED, SP_DOM_STORE, "the completion is of another host");
    if ((rc = sp_upload_host(u, &host, e)) != SP_OK ||
        (rc = sp_record_check_signature(SP_RECORD_COMPLETION, completion, n, &host, e)) != SP_OK)
        return rc;
    return conclude(u->r, &c, completion, n, e);
}
