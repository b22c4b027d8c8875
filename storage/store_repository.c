/* A repository as a store: see repository.h. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/spare.h"
#include "storage/lease.h"
#include "storage/repository_impl.h"

struct repository_store {
    struct sp_store head;
    struct sp_repository *r;
    struct sp_upload *upload; /* NULL: for reading only */
    bool has_host;
    uint8_t host[16], group[16];
    char address[512];
    struct sp_mutex lock;
    struct sp_err failed; /* the first store error: it ends the run (R1) */
};

static struct repository_store *
self(struct sp_store *s)
{
    return (struct repository_store *)s;
}

/* Every call begins with it. */
static enum sp_code
ready(struct repository_store *s, struct sp_err *e)
{
    enum sp_code rc = sp_repository_live(s->r, e);

    if (rc != SP_OK)
        return rc;
    sp_mutex_lock(&s->lock);
    if (s->failed.code != SP_OK)
        *e = s->failed;
    rc = s->failed.code;
    sp_mutex_unlock(&s->lock);
    return rc;
}

static enum sp_code
ready_to_write(struct repository_store *s, struct sp_err *e)
{
    enum sp_code rc = ready(s, e);

    if (rc == SP_OK && s->upload == NULL)
        rc = sp_fail(e, SP_REFUSED, SP_DOM_STORE, "the repository was opened for reading only");
    return rc;
}

/* Remembers a failure of the store; an answer to a wrong question is none. */
static enum sp_code
done(struct repository_store *s, enum sp_code rc, const struct sp_err *e)
{
    switch (rc) {
    case SP_IO:
    case SP_FULL:
    case SP_DENIED:
    case SP_AUTH:
    case SP_UNREACHABLE:
    case SP_TIMEOUT:
    case SP_NOMEM:
    case SP_INTERNAL:
        sp_mutex_lock(&s->lock);
        if (s->failed.code == SP_OK)
            s->failed = *e;
        sp_mutex_unlock(&s->lock);
        break;
    default:
        break;
    }
    return rc;
}

static struct sp_reader_scope
scope_of(const struct repository_store *s)
{
    struct sp_reader_scope scope = {NULL, NULL};

    if (s->has_host) {
        scope.host = s->host;
        scope.group = s->group;
    }
    return scope;
}

static enum sp_code
store_info(struct sp_store *store, struct sp_store_info *ret, struct sp_err *e)
{
    struct repository_store *s = self(store);

    (void)e;
    memset(ret, 0, sizeof(*ret));
    memcpy(ret->repository, s->r->conf.id, sizeof(ret->repository));
    ret->split = s->r->conf.split;
    memcpy(ret->address, s->address, sizeof(ret->address));
    ret->writable = s->upload != NULL;
    if (!ret->writable)
        (void)snprintf(ret->why_not, sizeof(ret->why_not), "%s",
            s->r->write ? "no host was named that would upload"
                        : "the repository was opened read-only");
    return SP_OK;
}

static enum sp_code
store_slots(struct sp_store *store, const uint8_t group[16],
    enum sp_code (*each)(void *arg, const uint8_t *slot, size_t n, struct sp_err *e), void *arg,
    struct sp_err *e)
{
    struct repository_store *s = self(store);
    enum sp_code rc = ready(s, e);

    return rc != SP_OK ? rc : sp_repository_slots(s->r, group, each, arg, e);
}

static enum sp_code
store_put_slot(struct sp_store *store, const uint8_t *slot, size_t n, struct sp_err *e)
{
    struct repository_store *s = self(store);
    enum sp_code rc = ready(s, e);

    return rc != SP_OK ? rc : done(s, sp_repository_put_slot(s->r, slot, n, e), e);
}

static enum sp_code
store_host(
    struct sp_store *store, const uint8_t host[16], uint8_t **ret, size_t *ret_n, struct sp_err *e)
{
    struct repository_store *s = self(store);
    enum sp_code rc = ready(s, e);

    return rc != SP_OK ? rc : sp_repository_host(s->r, host, ret, ret_n, e);
}

static enum sp_code
store_head(struct sp_store *store, const char *job, struct sp_store_head *ret, struct sp_err *e)
{
    struct repository_store *s = self(store);
    enum sp_code rc = ready(s, e);

    if (rc != SP_OK)
        return rc;
    if (!s->has_host)
        return sp_fail(e, SP_INVALID, SP_DOM_SELF, "no host was named whose job it is");
    return done(s, sp_repository_head(s->r, s->host, s->group, job, ret, e), e);
}

static enum sp_code
store_have(struct sp_store *store, bool nodes, const struct sp_id *ids, size_t n,
    uint8_t *ret_answers, struct sp_err *e)
{
    struct repository_store *s = self(store);
    enum sp_code rc = ready_to_write(s, e);

    return rc != SP_OK ? rc : done(s, sp_upload_have(s->upload, nodes, ids, n, ret_answers, e), e);
}

static enum sp_code
store_put(struct sp_store *store, uint8_t *block, size_t n, struct sp_err *e)
{
    struct repository_store *s = self(store);
    struct sp_upload_durable ignored;
    enum sp_code rc = ready_to_write(s, e);

    if (rc == SP_OK)
        rc = done(s, sp_upload_put(s->upload, block, n, &ignored, e), e);
    sp_spare_free(block);
    return rc;
}

static enum sp_code
store_flush(struct sp_store *store, struct sp_err *e)
{
    struct repository_store *s = self(store);
    struct sp_upload_durable ignored;
    enum sp_code rc = ready_to_write(s, e);

    return rc != SP_OK ? rc : done(s, sp_upload_flush(s->upload, &ignored, e), e);
}

static enum sp_code
store_commit(struct sp_store *store, enum sp_record_type type, const uint8_t *record, size_t n,
    struct sp_commit_result *ret, struct sp_err *e)
{
    struct repository_store *s = self(store);
    enum sp_code rc = ready_to_write(s, e);

    return rc != SP_OK ? rc : done(s, sp_upload_commit(s->upload, type, record, n, ret, e), e);
}

static enum sp_code
store_complete(struct sp_store *store, const uint8_t *completion, size_t n, struct sp_err *e)
{
    struct repository_store *s = self(store);
    enum sp_code rc = ready_to_write(s, e);

    return rc != SP_OK ? rc : done(s, sp_upload_complete(s->upload, completion, n, e), e);
}

static enum sp_code
store_get(struct sp_store *store, const struct sp_id *ids, size_t n, unsigned copy,
    sp_store_block_fn each, void *arg, struct sp_err *e)
{
    struct repository_store *s = self(store);
    struct sp_reader_scope scope = scope_of(s);
    enum sp_code rc = ready(s, e);

    return rc != SP_OK ? rc : sp_repository_get(s->r, &scope, ids, n, copy, each, arg, e);
}

static enum sp_code
store_list(struct sp_store *store, bool all_hosts, bool checkpoints,
    enum sp_code (*each)(void *arg, const struct sp_set_info *i, struct sp_err *e), void *arg,
    struct sp_err *e)
{
    struct repository_store *s = self(store);
    const uint8_t *host = all_hosts || !s->has_host ? NULL : s->host;
    enum sp_code rc = ready(s, e);

    return rc != SP_OK ? rc : sp_repository_list(s->r, host, checkpoints, each, arg, e);
}

static enum sp_code
store_missing(struct sp_store *store, const uint8_t set_id[16], struct sp_id **ret, size_t *ret_n,
    bool *ret_more, struct sp_err *e)
{
    struct repository_store *s = self(store);
    enum sp_code rc = ready(s, e);

    return rc != SP_OK ? rc : sp_repository_set_missing(s->r, set_id, ret, ret_n, ret_more, e);
}

static enum sp_code
store_check(struct sp_store *store, const struct sp_check_options *o, sp_check_fn each, void *arg,
    struct sp_check_totals *ret, struct sp_err *e)
{
    struct repository_store *s = self(store);
    enum sp_code rc = ready(s, e);

    return rc != SP_OK ? rc : sp_repository_check(s->r, NULL, o, each, arg, ret, e);
}

static void
store_cancel(struct sp_store *store)
{
    sp_repository_cancel(self(store)->r);
}

static void
store_free(struct sp_store *store)
{
    struct repository_store *s = self(store);

    if (s->failed.code == SP_UNREACHABLE || s->failed.code == SP_TIMEOUT)
        sp_lease_leave(s->r->lease);
    sp_upload_free(s->upload);
    sp_repository_free(s->r);
    sp_mutex_destroy(&s->lock);
    free(s);
}

static const struct sp_store_ops ops = {
    .kind = "repository",
    .info = store_info,
    .slots = store_slots,
    .put_slot = store_put_slot,
    .host = store_host,
    .head = store_head,
    .have = store_have,
    .put = store_put,
    .flush = store_flush,
    .commit = store_commit,
    .complete = store_complete,
    .get = store_get,
    .list = store_list,
    .missing = store_missing,
    .check = store_check,
    .cancel = store_cancel,
    .free = store_free,
};

struct sp_repository *
sp_store_repository(struct sp_store *s)
{
    return s->ops == &ops ? self(s)->r : NULL;
}

enum sp_code
sp_store_repository_new(struct sp_repository *r, const char *address, const uint8_t *host,
    const uint8_t *group, struct sp_store **ret, struct sp_err *e)
{
    struct repository_store *s = calloc(1, sizeof(*s));
    size_t n = strlen(address);
    enum sp_code rc;

    if (s == NULL) {
        sp_repository_free(r);
        return sp_fail_nomem(e);
    }
    s->head.ops = &ops;
    s->r = r;
    sp_mutex_init(&s->lock);
    if (n >= sizeof(s->address))
        n = sizeof(s->address) - 1;
    memcpy(s->address, address, n); /* for people: an overlong one is cut */
    if (host != NULL && group != NULL) {
        s->has_host = true;
        memcpy(s->host, host, sizeof(s->host));
        memcpy(s->group, group, sizeof(s->group));
        sp_along_host(r, host);
        if (r->write && (rc = sp_upload_new(r, host, group, &s->upload, e)) != SP_OK) {
            store_free(&s->head);
            return rc;
        }
    }
    *ret = &s->head;
    return SP_OK;
}
