/* Commit (R2): packs, barrier, index, barrier, recheck, record, barrier. See repository.h. */

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "storage/upload_impl.h"

enum sp_code
sp_upload_host(struct sp_upload *u, struct sp_host *ret, struct sp_err *e)
{
    uint8_t *p = NULL;
    size_t n;
    enum sp_code rc = sp_repository_host(u->r, u->origin.uploader, &p, &n, e);

    if (rc == SP_ABSENT)
        return sp_fail(e, SP_REFUSED, SP_DOM_STORE, "this host is not known to the repository");
    if (rc != SP_OK)
        return rc;
    rc = sp_host_decode(p, n, NULL, ret, e);
    free(p);
    if (rc != SP_OK)
        return rc;
    if (memcmp(ret->group, u->origin.group, 16) != 0)
        return sp_fail(
            e, SP_REFUSED, SP_DOM_STORE, "the repository knows this host in another key group");
    return SP_OK;
}

/* Everything about the record that can be said without looking at other objects. */
static enum sp_code
check_record(struct sp_upload *u, enum sp_record_type type, const uint8_t *record, size_t n,
    struct sp_set *ret, struct sp_err *e)
{
    struct sp_host host;
    bool checkpoint = type == SP_RECORD_CHECKPOINT;
    enum sp_code rc;

    if (type != SP_RECORD_SET && !checkpoint)
        return sp_fail(e, SP_INVALID, SP_DOM_SELF, "only sets and checkpoints are committed");
    if (n > SP_RECORD_MAX)
        return sp_fail(e, SP_INVALID, SP_DOM_STORE, "a record of %zu bytes is too large", n);
    if ((rc = sp_set_record_decode(record, n, ret, e)) != SP_OK)
        return rc;
    if ((ret->state == SP_SET_CHECKPOINT) != checkpoint)
        return sp_fail(
            e, SP_INVALID, SP_DOM_STORE, "the record's state does not agree with its type");
    if (memcmp(ret->host, u->origin.uploader, 16) != 0 ||
        memcmp(ret->group, u->origin.group, 16) != 0)
        return sp_fail(e, SP_REFUSED, SP_DOM_STORE, "the record is of another host or key group");
    if ((rc = sp_upload_host(u, &host, e)) != SP_OK)
        return rc;
    return sp_record_check_signature(type, record, n, &host, e);
}

static enum sp_code
check_chain(const struct sp_set *set, const struct sp_chain *head, struct sp_err *e)
{
    bool next = set->sequence == head->sequence + 1 && set->has_previous == head->any &&
                (!head->any || memcmp(set->previous, head->hash, sizeof(head->hash)) == 0);

    return next ? SP_OK
                : sp_fail(e, SP_REFUSED, SP_DOM_STORE,
                      "another run of this job finished first (its newest set has number %llu, "
                      "this one expected %llu); run it again",
                      (unsigned long long)head->sequence, (unsigned long long)(set->sequence - 1));
}

int64_t
sp_publishing_time(struct sp_repository *r, const struct sp_record_names *names)
{
    int64_t now_ns = sp_clock_wall(r->env->clock);

    now_ns -= now_ns % SP_SECOND;
    if (names->n > 0 && names->v[0].published_ns >= now_ns)
        now_ns = names->v[0].published_ns + SP_SECOND;
    return now_ns;
}

enum sp_code
sp_publish(
    struct sp_repository *r, const char *object, const uint8_t *record, size_t n, struct sp_err *e)
{
    struct sp_err ignored = {0};
    enum sp_code rc = sp_backend_put(r->backend, object, record, n, e);

    if (rc == SP_EXISTS)
        return rc;
    if (rc == SP_OK && (rc = sp_backend_sync(r->backend, e)) == SP_OK)
        return SP_OK;
    (void)sp_backend_remove(r->backend, object, &ignored);
    return rc;
}

/* Checkpoints of the job that this record replaces. One that stays is superseded by its sequence,
 * or by the newer one of the same. */
static void
remove_replaced(
    struct sp_repository *r, const struct sp_record_names *names, const struct sp_set *set)
{
    struct sp_err ignored = {0};
    size_t i;

    for (i = 0; i < names->n; i++) {
        struct sp_set old;
        char object[160];
        uint8_t *p;
        size_t n;

        if (names->v[i].type != SP_RECORD_CHECKPOINT ||
            sp_record_read(r, &names->v[i], &p, &n, &ignored) != SP_OK)
            continue;
        if (sp_set_record_decode(p, n, &old, &ignored) == SP_OK && strcmp(old.job, set->job) == 0 &&
            old.sequence <= set->sequence) {
            sp_record_object_name(names->v[i].type, names->v[i].host, names->v[i].published_ns,
                names->v[i].set_id, object);
            (void)sp_backend_remove(r->backend, object, &ignored);
        }
        free(p);
    }
}

/* From the chain to the last barrier, one commit at a time. */
static enum sp_code
conclude(struct sp_upload *u, enum sp_record_type type, const struct sp_set *set,
    const uint8_t *record, size_t n, int64_t *ret_published_ns, struct sp_err *e)
{
    struct sp_repository *r = u->r;
    struct sp_record_names names = {NULL, 0, 0};
    struct sp_chain head;
    char object[160];
    int64_t at_ns;
    enum sp_code rc;

    memset(&head, 0, sizeof(head));
    sp_mutex_lock(&r->commit);
    if ((rc = sp_repository_live(r, e)) != SP_OK ||
        (rc = sp_records_list(r, set->host, &names, e)) != SP_OK ||
        (rc = sp_chain_head(r, &names, set->job, &head, e)) != SP_OK ||
        (rc = check_chain(set, &head, e)) != SP_OK)
        goto out;
    at_ns = sp_publishing_time(r, &names);
    sp_record_object_name(type, set->host, at_ns, set->set_id, object);
    if ((rc = sp_publish(r, object, record, n, e)) != SP_OK)
        goto out;
    *ret_published_ns = at_ns;
    remove_replaced(r, &names, set);
out:
    sp_mutex_unlock(&r->commit);
    sp_chain_free(&head);
    sp_records_free(&names);
    return rc;
}

enum sp_code
sp_upload_commit(struct sp_upload *u, enum sp_record_type type, const uint8_t *record, size_t n,
    struct sp_commit_result *ret, struct sp_err *e)
{
    const struct sp_reader_scope scope = {u->origin.uploader, u->origin.group};
    struct sp_upload_durable durable;
    struct sp_commit_result result;
    struct sp_missing missing;
    struct sp_set set;
    bool whole;
    size_t lost;
    enum sp_code rc;

    memset(&result, 0, sizeof(result));
    sp_missing_init(&missing, u->r);
    if ((rc = check_record(u, type, record, n, &set, e)) != SP_OK ||
        (rc = sp_upload_flush(u, &durable, e)) != SP_OK ||
        (rc = sp_repository_refresh(u->r, &lost, e)) != SP_OK ||
        (rc = sp_closure_walk(u->r, &scope, &set.root, NULL, &missing, &whole, e)) != SP_OK)
        goto out;
    if (!whole) {
        sp_missing_take(&missing, &result.missing, &result.nmissing, &result.missing_more);
        *ret = result;
        goto out;
    }
    if ((rc = conclude(u, type, &set, record, n, &result.published_ns, e)) != SP_OK)
        goto out;
    *ret = result;
    sp_known_save(u->r, u->origin.uploader, u->origin.group);
    sp_index_tidy(u->r);
out:
    sp_missing_free(&missing);
    return rc;
}
