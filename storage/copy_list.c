/* The sets of either side, and the removal records of a source: see copy_impl.h. */

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "storage/copy_impl.h"

/* --- who signs ------------------------------------------------------------------------------ */

struct signers {
    struct sp_host *v;
    size_t n, cap;
};

static enum sp_code
add_signer(
    struct signers *s, const uint8_t *record, size_t n, const uint8_t id[16], struct sp_err *e)
{
    struct sp_err why = {0};
    struct sp_host h;
    enum sp_code rc = sp_host_decode(record, n, NULL, &h, &why);

    if (rc != SP_OK || memcmp(h.id, id, sizeof(h.id)) != 0) {
        if (!sp_code_is_ours(rc))
            return SP_OK; /* as good as none */
        *e = why;
        return rc;
    }
    if (s->n == s->cap) {
        size_t cap = s->cap == 0 ? 8 : s->cap * 2;
        struct sp_host *more = realloc(s->v, cap * sizeof(*more));

        if (more == NULL)
            return sp_fail_nomem(e);
        s->v = more;
        s->cap = cap;
    }
    s->v[s->n++] = h;
    return SP_OK;
}

struct ids {
    uint8_t (*v)[16];
    size_t n, cap;
};

/* hosts/<id>, and not its later versions, which come with it. */
static enum sp_code
see_host(void *arg, const char *object, uint64_t size, struct sp_err *e)
{
    struct ids *l = arg;
    uint8_t id[16];

    if (size == 0 || strncmp(object, "hosts/", 6) != 0 || !sp_hex_parse(object + 6, id, 16))
        return SP_OK;
    if (l->n == l->cap) {
        size_t cap = l->cap == 0 ? 8 : l->cap * 2;
        uint8_t(*more)[16] = realloc(l->v, cap * sizeof(*more));

        if (more == NULL)
            return sp_fail_nomem(e);
        l->v = more;
        l->cap = cap;
    }
    memcpy(l->v[l->n++], id, 16);
    return SP_OK;
}

static enum sp_code
one_signer(
    const struct sp_copy_side *side, const uint8_t id[16], struct signers *s, struct sp_err *e)
{
    struct sp_err why = {0};
    uint8_t *p = NULL;
    size_t n = 0;
    enum sp_code rc = side->repository != NULL
                          ? sp_repository_host(side->repository, id, &p, &n, &why)
                          : sp_store_host(side->store, id, &p, &n, &why);

    if (rc == SP_OK)
        rc = add_signer(s, p, n, id, e);
    else if (sp_store_fatal(rc))
        *e = why;
    else
        rc = SP_OK;
    free(p);
    return rc;
}

static enum sp_code
load_signers(
    const struct sp_copy_side *side, const uint8_t *host, struct signers *s, struct sp_err *e)
{
    struct ids l = {NULL, 0, 0};
    size_t i;
    enum sp_code rc = SP_OK;

    if (side->repository == NULL || host != NULL)
        return one_signer(side, host != NULL ? host : side->host, s, e);
    rc = sp_backend_list(side->repository->backend, "hosts", see_host, &l, e);
    for (i = 0; i < l.n && rc == SP_OK; i++)
        rc = one_signer(side, l.v[i], s, e);
    free(l.v);
    return rc;
}

static const struct sp_host *
signer_of(const struct signers *s, const uint8_t host[16])
{
    for (size_t i = 0; i < s->n; i++)
        if (memcmp(s->v[i].id, host, 16) == 0)
            return &s->v[i];
    return NULL;
}

/* --- the sets ------------------------------------------------------------------------------- */

struct listing {
    struct sp_copy_items out;
    const struct signers *signers;
    bool keep; /* the records' bytes */
};

enum sp_code
sp_copy_items_add(struct sp_copy_items *l, const struct sp_copy_item *item, struct sp_err *e)
{
    if (l->n == l->cap) {
        size_t cap = l->cap == 0 ? 64 : l->cap * 2;
        struct sp_copy_item *more = realloc(l->v, cap * sizeof(*more));

        if (more == NULL)
            return sp_fail_nomem(e);
        l->v = more;
        l->cap = cap;
    }
    l->v[l->n++] = *item;
    return SP_OK;
}

static enum sp_code
keep_bytes(const uint8_t *p, size_t n, uint8_t **ret, size_t *ret_n, struct sp_err *e)
{
    if (p == NULL)
        return SP_OK;
    if ((*ret = malloc(n + 1)) == NULL)
        return sp_fail_nomem(e);
    memcpy(*ret, p, n);
    *ret_n = n;
    return SP_OK;
}

static enum sp_code
take(void *arg, const struct sp_set_info *i, struct sp_err *e)
{
    struct listing *l = arg;
    struct sp_copy_item item;
    const struct sp_host *signer;
    struct sp_err why = {0};
    enum sp_code rc;

    memset(&item, 0, sizeof(item));
    item.published_ns = i->published_ns;
    rc = sp_set_record_decode(i->record, i->record_len, &item.set, &why);
    if (rc == SP_OK &&
        (memcmp(item.set.host, i->host, 16) != 0 || memcmp(item.set.set_id, i->set_id, 16) != 0 ||
            item.set.state == SP_SET_CHECKPOINT))
        rc = SP_CORRUPT;
    signer = signer_of(l->signers, i->host);
    if (rc == SP_OK && signer != NULL)
        rc = sp_record_check_signature(SP_RECORD_SET, i->record, i->record_len, signer, &why);
    if (sp_code_is_ours(rc)) {
        *e = why;
        return rc;
    }
    if (rc != SP_OK) { /* nothing that it says can be believed */
        memset(&item.set, 0, sizeof(item.set));
        memcpy(item.set.host, i->host, 16);
        memcpy(item.set.set_id, i->set_id, 16);
        item.damaged = true;
        return sp_copy_items_add(&l->out, &item, e);
    }
    if ((rc = sp_record_hash(i->record, i->record_len, item.hash, e)) != SP_OK)
        return rc;
    if (l->keep)
        rc = keep_bytes(i->record, i->record_len, &item.record, &item.record_len, e);
    if (rc == SP_OK && l->keep)
        rc =
            keep_bytes(i->completion, i->completion_len, &item.completion, &item.completion_len, e);
    if (rc == SP_OK)
        rc = sp_copy_items_add(&l->out, &item, e);
    if (rc != SP_OK) {
        free(item.record);
        free(item.completion);
    }
    return rc;
}

static int
in_order(const void *a, const void *b)
{
    const struct sp_copy_item *x = a, *y = b;
    int order = memcmp(x->set.host, y->set.host, 16);

    if (order == 0)
        order = memcmp(x->set.group, y->set.group, 16);
    if (order != 0)
        return order;
    if (x->published_ns != y->published_ns)
        return x->published_ns < y->published_ns ? -1 : 1;
    if (x->set.sequence != y->set.sequence)
        return x->set.sequence < y->set.sequence ? -1 : 1;
    return memcmp(x->set.set_id, y->set.set_id, 16);
}

enum sp_code
sp_copy_list(const struct sp_copy_side *side, const uint8_t *host, struct sp_copy_items *ret,
    struct sp_err *e)
{
    struct signers signers = {NULL, 0, 0};
    struct listing l = {.signers = &signers, .keep = side->repository == NULL};
    enum sp_code rc;

    if ((rc = load_signers(side, host, &signers, e)) == SP_OK)
        rc = side->repository != NULL
                 ? sp_repository_list(side->repository, host, false, take, &l, e)
                 : sp_store_list(side->store, false, false, take, &l, e);
    free(signers.v);
    if (rc != SP_OK) {
        sp_copy_items_clear(&l.out);
        return rc;
    }
    if (l.out.n > 0)
        qsort(l.out.v, l.out.n, sizeof(*l.out.v), in_order);
    *ret = l.out;
    return SP_OK;
}

struct sp_copy_item *
sp_copy_items_find(struct sp_copy_items *l, const uint8_t set_id[16])
{
    for (size_t i = 0; i < l->n; i++)
        if (memcmp(l->v[i].set.set_id, set_id, 16) == 0)
            return &l->v[i];
    return NULL;
}

void
sp_copy_items_clear(struct sp_copy_items *l)
{
    for (size_t i = 0; i < l->n; i++) {
        free(l->v[i].record);
        free(l->v[i].completion);
    }
    free(l->v);
    memset(l, 0, sizeof(*l));
}

/* --- removals ------------------------------------------------------------------------------- */

static enum sp_code
keep_removal(
    struct sp_copy_removals *l, const struct sp_removal *r, int64_t published_ns, struct sp_err *e)
{
    if (l->n == l->cap) {
        size_t cap = l->cap == 0 ? 16 : l->cap * 2;
        struct sp_copy_removal *more = realloc(l->v, cap * sizeof(*more));

        if (more == NULL)
            return sp_fail_nomem(e);
        l->v = more;
        l->cap = cap;
    }
    l->v[l->n].r = *r;
    l->v[l->n++].published_ns = published_ns;
    return SP_OK;
}

enum sp_code
sp_copy_removals(const struct sp_copy_side *side, const uint8_t host[16],
    struct sp_copy_removals *ret, struct sp_err *e)
{
    struct sp_record_names names = {NULL, 0, 0};
    struct sp_copy_removals l = {NULL, 0, 0};
    struct signers signers = {NULL, 0, 0};
    size_t i;
    enum sp_code rc = SP_OK;

    if (side->repository == NULL)
        return SP_OK;
    if ((rc = load_signers(side, host, &signers, e)) == SP_OK)
        rc = sp_records_list(side->repository, host, &names, e);
    for (i = 0; i < names.n && rc == SP_OK; i++) {
        struct sp_err why = {0};
        struct sp_removal r;
        uint8_t *p = NULL;
        size_t n = 0;

        if (names.v[i].type != SP_RECORD_REMOVAL)
            continue;
        rc = sp_record_read(side->repository, &names.v[i], &p, &n, &why);
        if (rc == SP_OK)
            rc = sp_removal_decode(p, n, &r, &why);
        if (rc == SP_OK && (memcmp(r.host, host, sizeof(r.host)) != 0 || signers.n == 0))
            rc = SP_CORRUPT;
        if (rc == SP_OK)
            rc = sp_record_check_signature(SP_RECORD_REMOVAL, p, n, signers.v, &why);
        free(p);
        if (rc == SP_OK)
            rc = keep_removal(&l, &r, names.v[i].published_ns, e);
        else if (sp_store_fatal(rc) || sp_code_is_ours(rc))
            *e = why;
        else
            rc = SP_OK; /* it removes nothing */
    }
    sp_records_free(&names);
    free(signers.v);
    if (rc != SP_OK) {
        sp_copy_removals_clear(&l);
        return rc;
    }
    *ret = l;
    return SP_OK;
}

void
sp_copy_removals_clear(struct sp_copy_removals *l)
{
    free(l->v);
    memset(l, 0, sizeof(*l));
}
