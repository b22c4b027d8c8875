/* Check: the records, and whether what each set needs is there. */

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "storage/check_impl.h"

struct host_pass { /* the records of one host */
    struct sp_check *c;
    bool has_record;
    struct sp_host record;
    struct sp_check_chain *chain;
    struct sp_check_completions *completions;
    struct sp_closure_view view; /* what this check proved itself */
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
check_closure(struct host_pass *h, const struct sp_record_name *name, const char *object,
    const struct sp_set *set, struct sp_err *e)
{
    const struct sp_reader_scope scope = {set->host, set->group};
    struct sp_missing m;
    bool whole;
    enum sp_code rc;

    sp_missing_init(&m, h->c->r);
    rc = sp_closure_walk(h->c->r, &scope, &set->root, &h->view, &m, &whole, e);
    /* A checkpoint is only a help for the next run, which replaces it. */
    if (rc == SP_OK && !whole)
        rc = sp_check_tell(h->c, name->type == SP_RECORD_SET, object, set->set_id, m.ids, m.n, e,
            "%s%zu chunks that the %s of job \"%.100s\" needs are not in the repository",
            m.more ? "more than " : "", m.n, name->type == SP_RECORD_SET ? "set" : "checkpoint",
            set->job);
    sp_missing_free(&m);
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
    return check_closure(h, name, object, &set, e);
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
check_record(struct host_pass *h, const struct sp_record_name *name, struct sp_err *e)
{
    struct sp_err why = {0};
    char object[160];
    uint8_t *p = NULL;
    size_t n;
    enum sp_code rc;

    sp_record_object_name(name->type, name->host, name->published_ns, name->set_id, object);
    rc = sp_record_read(h->c->r, name, &p, &n, &why);
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
    free(p);
    return rc;
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
    for (i = 0; i < n; i++)
        if ((rc = sp_check_live(c, e)) != SP_OK || (rc = check_record(&h, &v[i], e)) != SP_OK)
            goto out;
        else
            c->progress.sets++;
    if ((rc = sp_check_chain_end(h.chain, e)) == SP_OK)
        rc = sp_check_completions_end(h.completions, e);
out:
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
    enum sp_code rc;

    if ((rc = sp_records_list(c->r, c->host, &names, e)) != SP_OK)
        return rc;
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
