/* Check: the records, and whether what each set needs is there. */

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "storage/check_impl.h"

struct rooted { /* a set or checkpoint whose closure is to be looked at */
    struct sp_record_name name;
    struct sp_id root;
    uint8_t group[16];
    char *job;
};

struct host_pass { /* the records of one host */
    struct sp_check *c;
    bool has_record;
    struct sp_host record;
    struct sp_check_chain *chain;
    struct sp_check_completions *completions;
    struct sp_closure_view view; /* what this check proved itself */
    struct rooted *rooted;
    size_t nrooted, rooted_cap;
};

static int
by_host(const void *a, const void *b)
{
    const struct sp_record_name *x = a, *y = b;
    int order = memcmp(x->host, y->host, sizeof(x->host));

    if (order != 0)
        return order;
    if (x->published_ns != y->published_ns)
        return x->published_ns > y->published_ns ? -1 : 1;
    return memcmp(x->set_id, y->set_id, sizeof(x->set_id));
}

static enum sp_code
remember_root(struct host_pass *h, const struct sp_record_name *name, const struct sp_set *set,
    struct sp_err *e)
{
    struct rooted *x;

    if (h->nrooted == h->rooted_cap) {
        size_t cap = h->rooted_cap == 0 ? 64 : h->rooted_cap * 2;
        struct rooted *more = realloc(h->rooted, cap * sizeof(*more));

        if (more == NULL)
            return sp_fail_nomem(e);
        h->rooted = more;
        h->rooted_cap = cap;
    }
    x = &h->rooted[h->nrooted];
    x->name = *name;
    x->root = set->root;
    memcpy(x->group, set->group, sizeof(x->group));
    if ((x->job = strdup(set->job)) == NULL)
        return sp_fail_nomem(e);
    h->nrooted++;
    return SP_OK;
}

static enum sp_code
check_closure(struct host_pass *h, const struct rooted *x, struct sp_err *e)
{
    const struct sp_reader_scope scope = {x->name.host, x->group};
    bool is_set = x->name.type == SP_RECORD_SET;
    struct sp_missing m;
    char object[160];
    bool whole;
    enum sp_code rc;

    sp_missing_init(&m, h->c->r);
    rc = sp_closure_walk(h->c->r, &scope, &x->root, &h->view, &m, &whole, e);
    sp_record_object_name(x->name.type, x->name.host, x->name.published_ns, x->name.set_id, object);
    /* A checkpoint is only a help for the next run, which replaces it. */
    if (rc == SP_OK && !whole)
        rc = sp_check_tell(h->c, is_set, object, x->name.set_id, m.ids, m.n, e,
            "%s%zu chunks that the %s of job \"%.100s\" needs are not in the repository",
            m.more ? "more than " : "", m.n, is_set ? "set" : "checkpoint", x->job);
    sp_missing_free(&m);
    return rc;
}

/* Of a store far away all sets are walked at once: when they are whole, nothing is left to be
 * looked at one by one; what they lack is told set by set. */
static enum sp_code
walk_beside(struct host_pass *h, struct sp_err *e)
{
    struct sp_reader_scope scope;
    struct sp_missing ignored;
    struct sp_id *roots;
    size_t i, n = h->nrooted;
    bool whole;
    enum sp_code rc;

    for (i = 1; i < n; i++)
        if (memcmp(h->rooted[i].group, h->rooted[0].group, 16) != 0)
            return SP_OK;
    if (n < 2 || h->c->r->backend->ahead == 0)
        return SP_OK;
    if ((roots = malloc(n * sizeof(*roots))) == NULL)
        return sp_fail_nomem(e);
    for (i = 0; i < n; i++)
        roots[i] = h->rooted[i].root;
    qsort(roots, n, sizeof(*roots), sp_id_cmp);
    scope.host = h->rooted[0].name.host;
    scope.group = h->rooted[0].group;
    sp_missing_init(&ignored, h->c->r);
    rc = sp_closure_walk_all(h->c->r, &scope, roots, n, &h->view, &ignored, &whole, e);
    sp_missing_free(&ignored);
    free(roots);
    return rc;
}

static enum sp_code
check_closures(struct host_pass *h, struct sp_err *e)
{
    size_t i;
    enum sp_code rc = walk_beside(h, e);

    for (i = 0; i < h->nrooted && rc == SP_OK; i++)
        if ((rc = sp_check_live(h->c, e)) == SP_OK &&
            (rc = check_closure(h, &h->rooted[i], e)) == SP_OK)
            h->c->progress.sets++;
    return rc;
}

/* Nothing of the record can be believed, so nothing follows from it; but it is why its chain has a
 * gap there. */
static enum sp_code
damaged(struct host_pass *h, const struct sp_record_name *name, const char *object, const char *why,
    struct sp_err *e)
{
    enum sp_code rc = sp_check_tell(h->c, true, object, name->set_id, NULL, 0, e, "%.380s", why);

    if (rc != SP_OK || name->type != SP_RECORD_SET ||
        (rc = sp_check_completions_set(h->completions, name->set_id, NULL, e)) != SP_OK)
        return rc;
    return sp_check_chain_damaged(h->chain, name->published_ns, e);
}

static enum sp_code
check_set(struct host_pass *h, const struct sp_record_name *name, const char *object,
    const uint8_t *p, size_t n, struct sp_err *e)
{
    struct sp_err why = {0};
    struct sp_set set;
    uint8_t hash[32];
    bool checkpoint = name->type == SP_RECORD_CHECKPOINT;
    enum sp_code rc;

    rc = sp_set_record_decode(p, n, &set, &why);
    if (sp_code_is_ours(rc)) {
        *e = why;
        return rc;
    }
    if (rc != SP_OK)
        return damaged(h, name, object, why.text, e);
    if (memcmp(set.set_id, name->set_id, sizeof(set.set_id)) != 0 ||
        memcmp(set.host, name->host, sizeof(set.host)) != 0 ||
        (set.state == SP_SET_CHECKPOINT) != checkpoint)
        return damaged(h, name, object, "the record's content belongs to another name", e);
    if (!checkpoint) {
        h->c->totals.sets++;
        if ((rc = sp_record_hash(p, n, hash, e)) != SP_OK ||
            (rc = sp_check_chain_set(h->chain, object, name->published_ns, &set, hash, e)) !=
                SP_OK ||
            (rc = sp_check_completions_set(h->completions, set.set_id, hash, e)) != SP_OK)
            return rc;
    }
    return remember_root(h, name, &set, e);
}

static enum sp_code
check_removal(struct host_pass *h, const struct sp_record_name *name, const char *object,
    const uint8_t *p, size_t n, struct sp_err *e)
{
    struct sp_err why = {0};
    struct sp_removal removal;
    enum sp_code rc = sp_removal_decode(p, n, &removal, &why);

    if (rc == SP_OK && memcmp(removal.host, name->host, sizeof(removal.host)) != 0)
        rc = sp_fail(&why, SP_CORRUPT, SP_DOM_STORE, "the removal record is of another host");
    if (sp_code_is_ours(rc)) {
        *e = why;
        return rc;
    }
    if (rc != SP_OK)
        return sp_check_tell(h->c, true, object, name->set_id, NULL, 0, e, "%.380s", why.text);
    if ((rc = sp_check_completions_removal(h->completions, &removal, e)) != SP_OK)
        return rc;
    return sp_check_chain_removal(h->chain, &removal, e);
}

static enum sp_code
check_completion(struct host_pass *h, const struct sp_record_name *name, const char *object,
    const uint8_t *p, size_t n, struct sp_err *e)
{
    struct sp_completion completion;
    struct sp_err why = {0};
    enum sp_code rc = sp_completion_decode(p, n, &completion, &why);

    if (sp_code_is_ours(rc)) {
        *e = why;
        return rc;
    }
    if (rc != SP_OK)
        return damaged(h, name, object, why.text, e);
    if (memcmp(completion.set_id, name->set_id, sizeof(completion.set_id)) != 0 ||
        memcmp(completion.host, name->host, sizeof(completion.host)) != 0)
        return damaged(h, name, object, "the record's content belongs to another name", e);
    return sp_check_completions_seen(h->completions, name, &completion, e);
}

static enum sp_code
check_record(struct host_pass *h, const struct sp_record_name *name, enum sp_code rc,
    const uint8_t *p, size_t n, const struct sp_err *failed, struct sp_err *e)
{
    struct sp_err why = *failed;
    char object[160];

    sp_record_object_name(name->type, name->host, name->published_ns, name->set_id, object);
    if (rc == SP_ABSENT) /* replaced since it was listed */
        return SP_OK;
    if (rc != SP_OK)
        return sp_store_fatal(rc) ? sp_check_bad(h->c, true, object, name->set_id, rc, &why, e)
                                  : damaged(h, name, object, why.text, e);
    if (h->has_record)
        rc = sp_record_check_signature(name->type, p, n, &h->record, &why);
    if (sp_code_is_ours(rc))
        *e = why;
    else if (rc != SP_OK)
        rc = damaged(h, name, object, why.text, e);
    else if (name->type == SP_RECORD_SET || name->type == SP_RECORD_CHECKPOINT)
        rc = check_set(h, name, object, p, n, e);
    else if (name->type == SP_RECORD_REMOVAL)
        rc = check_removal(h, name, object, p, n, e);
    else
        rc = check_completion(h, name, object, p, n, e);
    return rc;
}

static enum sp_code
take_record(void *arg, const struct sp_record_name *name, enum sp_code rc, const uint8_t *p,
    size_t n, const struct sp_err *why, bool *ret_more, struct sp_err *e)
{
    struct host_pass *h = arg;

    (void)ret_more;
    rc = check_record(h, name, rc, p, n, why, e);
    return rc != SP_OK ? rc : sp_check_live(h->c, e);
}

static enum sp_code
load_host(struct host_pass *h, const uint8_t host[16], struct sp_err *e)
{
    struct sp_err why = {0};
    uint8_t *p = NULL;
    size_t n;
    enum sp_code rc = sp_repository_host(h->c->r, host, &p, &n, &why);

    if (rc == SP_OK) {
        rc = sp_host_decode(p, n, NULL, &h->record, &why);
        h->has_record = rc == SP_OK;
        free(p);
    }
    if (rc == SP_OK)
        return SP_OK;
    if (rc == SP_ABSENT)
        return sp_check_tell(h->c, true, NULL, NULL, NULL, 0, e,
            "there is no record of host %s: the signatures of its sets cannot be checked",
            sp_hex16(host).s);
    return sp_check_bad(h->c, true, NULL, NULL, rc, &why, e);
}

static enum sp_code
live(void *arg, struct sp_err *e)
{
    return sp_check_live(arg, e);
}

static enum sp_code
check_host(struct sp_check *c, const struct sp_record_name *v, size_t n, struct sp_err *e)
{
    struct host_pass h;
    size_t i;
    enum sp_code rc;

    memset(&h, 0, sizeof(h));
    h.c = c;
    h.view.live = live;
    h.view.arg = c;
    sp_keyset_init(&h.view.known, c->r->seed);
    h.view.bad = c->bad;
    h.view.nbad = c->nbad;
    if ((rc = sp_check_chain_new(c, v[0].host, &h.chain, e)) != SP_OK ||
        (rc = sp_check_completions_new(c, v[0].host, &h.completions, e)) != SP_OK ||
        (rc = load_host(&h, v[0].host, e)) != SP_OK)
        goto out;
    if ((rc = sp_records_each(c->r, v, n, NULL, false, take_record, &h, e)) != SP_OK)
        goto out;
    c->progress.sets_total -= n - h.nrooted;
    if ((rc = check_closures(&h, e)) != SP_OK)
        goto out;
    if ((rc = sp_check_chain_end(h.chain, e)) == SP_OK)
        rc = sp_check_completions_end(h.completions, e);
out:
    for (i = 0; i < h.nrooted; i++)
        free(h.rooted[i].job);
    free(h.rooted);
    sp_check_completions_free(h.completions);
    sp_check_chain_free(h.chain);
    sp_keyset_clear(&h.view.known);
    return rc;
}

enum sp_code
sp_check_records(struct sp_check *c, struct sp_err *e)
{
    struct sp_record_names names = {NULL, 0, 0};
    size_t i, n;
    enum sp_code rc = SP_OK;

    if (c->has_names) {
        names = c->names;
        memset(&c->names, 0, sizeof(c->names));
    } else if ((rc = sp_records_list(c->r, c->host, &names, e)) != SP_OK) {
        return rc;
    }
    c->progress.sets_total = names.n;
    if (names.n > 0)
        qsort(names.v, names.n, sizeof(*names.v), by_host);
    for (i = 0; i < names.n && rc == SP_OK; i += n) {
        for (n = 1; i + n < names.n && memcmp(names.v[i].host, names.v[i + n].host, 16) == 0; n++)
            ;
        rc = check_host(c, names.v + i, n, e);
    }
    sp_records_free(&names);
    return rc;
}
