/* Commit (R2): packs, barrier, index, barrier, recheck, record, barrier. See repository.h.
 *
 * A run may be suspended anywhere (R8), and a removal go on meanwhile: it marks packs, waits for
 * SP_GRACE, looks at every set once more, and takes what none of them needs (docs/format.md §13).
 * What was relied on is what was listed, so what counts is the time from that listing to the
 * record's name:
 *
 *   record begun as a temporary file ─ listing ─ recheck ─ [time?] ─ name ─ barrier ─ [time?]
 *
 *  - No more than half of the grace: the removal that marked after the listing is not over, and
 * will see the record.
 *  - More, before the name is given: listed and rechecked once more. After it: the record is looked
 * at once more behind its name, against a listing that shows the marks of whoever did not see it,
 * and taken back when something is gone.
 *  - Killed between the name and that look: the record's temporary file is older than the listing,
 * so a removal that marked after the listing has swept it, and there was nothing to give the name
 * to.
 *
 * The times are the store's (R9). One that cannot be had, or goes back, says nothing: it is looked
 * again.
 */

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

enum sp_code
sp_time_behind(int64_t published_ns, int64_t *ret_ns, struct sp_err *e)
{
    if (published_ns > INT64_MAX - SP_SECOND)
        return sp_fail(e, SP_CORRUPT, SP_DOM_STORE,
            "a record of this host lies under the year 2262, behind which there is no time: no set "
            "can follow it. Somebody has renamed it; run check, and move it away");
    *ret_ns = published_ns + SP_SECOND;
    return SP_OK;
}

enum sp_code
sp_publishing_time(
    struct sp_repository *r, const struct sp_record_names *names, int64_t *ret_ns, struct sp_err *e)
{
    int64_t now_ns = sp_clock_wall(r->env->clock);

    now_ns -= now_ns % SP_SECOND;
    if (names->n > 0 && names->v[0].published_ns >= now_ns)
        return sp_time_behind(names->v[0].published_ns, ret_ns, e);
    *ret_ns = now_ns;
    return SP_OK;
}

/* Releases w. `ours`: nobody else gives this name. Copies of a set all give it the one that it has
 * in the source: what is there after a failure may be another one's, which has told that it is
 * safe. */
static enum sp_code
give_name(struct sp_repository *r, const char *object, bool ours, struct sp_backend_writer *w,
    struct sp_err *e)
{
    struct sp_err ignored = {0};
    enum sp_code rc;

    sp_along_drop(r); /* what was listed with the packs is without this one */
    rc = sp_backend_publish(r->backend, w, object, e);
    if (rc == SP_EXISTS)
        return rc;
    if (rc == SP_OK && (rc = sp_backend_sync(r->backend, e)) == SP_OK)
        return SP_OK;
    if (ours)
        (void)sp_backend_remove(r->backend, object, &ignored);
    return rc;
}

/* Bytes in a temporary file, without a name yet. */
static enum sp_code
begin_record(struct sp_repository *r, const uint8_t *record, size_t n,
    struct sp_backend_writer **ret, struct sp_err *e)
{
    struct sp_backend_writer *w = NULL;
    enum sp_code rc;

    if ((rc = sp_backend_begin(r->backend, &w, e)) != SP_OK)
        return rc;
    if ((rc = sp_backend_write(r->backend, w, record, n, e)) != SP_OK) {
        sp_backend_abort(r->backend, w);
        return rc;
    }
    *ret = w;
    return SP_OK;
}

enum sp_code
sp_publish(struct sp_repository *r, const char *object, bool ours, const uint8_t *record, size_t n,
    struct sp_err *e)
{
    struct sp_backend_writer *w;
    enum sp_code rc = begin_record(r, record, n, &w, e);

    return rc != SP_OK ? rc : give_name(r, object, ours, w, e);
}

/* --- R8 ------------------------------------------------------------------------------------ */

#define LISTINGS 3 /* before naming; what hurries on all the time is looked at behind it */
#define HURRY_NS (60 * SP_SECOND)

struct listed {               /* when what is relied on was listed, or before */
    int64_t store_ns;         /* 0: the store could not say */
    int64_t mono_ns, wall_ns; /* this machine's */
};

static void
before_listing(struct sp_repository *r, int64_t store_ns, struct listed *ret)
{
    struct sp_err ignored = {0};

    ret->store_ns = store_ns;
    if (store_ns == 0 && sp_lease_since(r->lease, &ret->store_ns, &ignored) != SP_OK)
        ret->store_ns = 0;
    ret->mono_ns = sp_clock_mono(r->env->clock);
    ret->wall_ns = sp_clock_wall(r->env->clock);
}

/* *ret_now_ns: the store's clock, 0 when it cannot be had. */
static bool
too_late(struct sp_repository *r, const struct listed *t, int64_t *ret_now_ns)
{
    struct sp_err ignored = {0};
    int64_t now_ns = 0;

    if (sp_lease_ask(r->lease, &now_ns, &ignored) != SP_OK)
        now_ns = 0;
    *ret_now_ns = now_ns;
    return now_ns == 0 || t->store_ns == 0 || now_ns < t->store_ns ||
           now_ns - t->store_ns > SP_GRACE / 2;
}

/* Whether a store that is far away need not be asked before naming: both of this machine's clocks
 * say that it went on without a pause. They may be wrong (a virtual machine that was stopped): the
 * question behind the name is always asked. */
static bool
in_a_hurry(const struct sp_repository *r, const struct listed *t)
{
    int64_t mono_ns = sp_clock_mono(r->env->clock) - t->mono_ns;
    int64_t wall_ns = sp_clock_wall(r->env->clock) - t->wall_ns;

    return r->backend->ahead > 0 && mono_ns >= 0 && mono_ns < HURRY_NS && wall_ns >= 0 &&
           wall_ns < HURRY_NS;
}

static enum sp_code
list_and_recheck(struct sp_upload *u, const struct sp_id *root, struct sp_missing *missing,
    bool *ret_whole, struct sp_err *e)
{
    const struct sp_reader_scope scope = {u->origin.uploader, u->origin.group};
    size_t lost;
    enum sp_code rc;

    if ((rc = sp_repository_refresh(u->r, &lost, e)) != SP_OK ||
        (rc = sp_marks_check(u->r, e)) != SP_OK)
        return rc;
    return sp_closure_walk(u->r, &scope, root, NULL, missing, ret_whole, e);
}

/* Until what was found whole was listed lately. */
static enum sp_code
recheck(struct sp_upload *u, const struct sp_id *root, struct listed *at,
    struct sp_missing *missing, bool *ret_whole, struct sp_err *e)
{
    int64_t now_ns = 0;
    bool good = false;
    unsigned i;
    enum sp_code rc = SP_OK;

    for (i = 0; i < LISTINGS; i++) {
        before_listing(u->r, now_ns, at);
        if ((rc = list_and_recheck(u, root, missing, &good, e)) != SP_OK)
            return rc;
        if (!good || in_a_hurry(u->r, at) || !too_late(u->r, at, &now_ns))
            break;
    }
    *ret_whole = good;
    return SP_OK;
}

/* A record that has its name although what it needs may be gone. */
static enum sp_code
take_back(struct sp_repository *r, const char *object, struct sp_err *e)
{
    struct sp_err why = {0};
    enum sp_code rc = sp_backend_remove(r->backend, object, &why);

    if (rc == SP_OK || rc == SP_ABSENT)
        rc = sp_backend_sync(r->backend, &why);
    if (rc == SP_OK)
        return SP_OK;
    return sp_fail(e, SP_REFUSED, SP_DOM_STORE,
        "this run was suspended while it made the set, a removal has taken what the set needs, and "
        "its record %s could not be taken back (%.160s): the set is there, and not whole. Run "
        "check, "
        "and the backup again",
        object, why.text);
}

/* Behind the name: whether all is still there; else the record goes again. */
static enum sp_code
look_behind(struct sp_upload *u, const struct sp_id *root, const struct listed *at,
    const char *object, struct sp_missing *missing, bool *ret_stays, struct sp_err *e)
{
    struct sp_err ignored = {0};
    int64_t now_ns;
    bool good = true;
    enum sp_code rc = SP_OK;

    if (too_late(u->r, at, &now_ns))
        rc = list_and_recheck(u, root, missing, &good, e);
    if (rc != SP_OK)
        (void)take_back(u->r, object, &ignored);
    else if (!good)
        rc = take_back(u->r, object, e);
    *ret_stays = good;
    return rc;
}

/* --- naming -------------------------------------------------------------------------------- */

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

/* Behind the newest of its host, as the next of its chain. */
static enum sp_code
place_last(struct sp_repository *r, const struct sp_set *set, const struct sp_record_names *names,
    int64_t *ret_ns, struct sp_err *e)
{
    struct sp_chain head;
    enum sp_code rc;

    memset(&head, 0, sizeof(head));
    if ((rc = sp_chain_head(r, names, set->job, &head, e)) == SP_OK &&
        (rc = check_chain(set, &head, e)) == SP_OK)
        rc = sp_publishing_time(r, names, ret_ns, e);
    sp_chain_free(&head);
    return rc;
}

/* A name that was taken although the record was not there a moment before: it may be this record.
 */
static enum sp_code
named_meanwhile(struct sp_repository *r, const struct sp_set *set, const struct sp_placing *placing,
    int64_t *ret_ns, struct sp_err *e)
{
    struct sp_record_names names = {NULL, 0, 0};
    struct sp_err taken = *e, ignored = {0};
    bool there = false;
    enum sp_code rc;

    if ((rc = sp_records_list(r, set->host, &names, e)) == SP_OK &&
        (placing->place(placing->arg, set, &names, ret_ns, &there, &ignored) != SP_OK || !there)) {
        *e = taken;
        rc = e->code;
    }
    sp_records_free(&names);
    return rc;
}

/* From the chain to the last barrier and the look behind it, one commit at a time. Takes w over.
 * *ret_stays = false: the record was taken back, and what it lacks is in `missing`. */
static enum sp_code
conclude(struct sp_upload *u, enum sp_record_type type, const struct sp_set *set,
    const struct sp_placing *placing, const struct listed *at, struct sp_backend_writer *w,
    struct sp_missing *missing, bool *ret_stays, int64_t *ret_published_ns, struct sp_err *e)
{
    struct sp_repository *r = u->r;
    struct sp_record_names names = {NULL, 0, 0};
    char object[160];
    int64_t at_ns = 0;
    bool there = false;
    enum sp_code rc;

    sp_mutex_lock(&r->commit);
    if ((rc = sp_repository_live(r, e)) != SP_OK ||
        (rc = sp_records_list(r, set->host, &names, e)) != SP_OK)
        goto out;
    rc = placing != NULL ? placing->place(placing->arg, set, &names, &at_ns, &there, e)
                         : place_last(r, set, &names, &at_ns, e);
    if (rc != SP_OK)
        goto out;
    if (there) {
        *ret_published_ns = at_ns;
        goto out;
    }
    sp_record_object_name(type, set->host, at_ns, set->set_id, object);
    rc = give_name(r, object, placing == NULL, w, e);
    w = NULL;
    if (rc == SP_EXISTS && placing != NULL) {
        rc = named_meanwhile(r, set, placing, ret_published_ns, e);
        goto out;
    }
    if (rc != SP_OK ||
        (rc = look_behind(u, &set->root, at, object, missing, ret_stays, e)) != SP_OK)
        goto out;
    *ret_published_ns = at_ns;
    if (*ret_stays)
        remove_replaced(r, &names, set);
out:
    sp_mutex_unlock(&r->commit);
    sp_backend_abort(r->backend, w);
    sp_records_free(&names);
    return rc;
}

static enum sp_code
commit(struct sp_upload *u, enum sp_record_type type, const uint8_t *record, size_t n,
    const struct sp_placing *placing, struct sp_commit_result *ret, struct sp_err *e)
{
    struct sp_upload_durable durable;
    struct sp_commit_result result;
    struct sp_backend_writer *w = NULL;
    struct sp_missing missing;
    struct listed at;
    struct sp_set set;
    bool whole, stays = true;
    enum sp_code rc;

    memset(&result, 0, sizeof(result));
    sp_missing_init(&missing, u->r);
    if ((rc = check_record(u, type, record, n, &set, e)) != SP_OK ||
        (rc = sp_upload_flush(u, &durable, e)) != SP_OK)
        goto out;
    sp_lease_renew(u->r->lease);
    if ((rc = begin_record(u->r, record, n, &w, e)) != SP_OK ||
        (rc = recheck(u, &set.root, &at, &missing, &whole, e)) != SP_OK)
        goto out;
    if (!whole) {
        sp_missing_take(&missing, &result.missing, &result.nmissing, &result.missing_more);
        *ret = result;
        goto out;
    }
    rc = conclude(u, type, &set, placing, &at, w, &missing, &stays, &result.published_ns, e);
    w = NULL;
    if (rc != SP_OK)
        goto out;
    if (!stays) {
        sp_missing_take(&missing, &result.missing, &result.nmissing, &result.missing_more);
        result.published_ns = 0;
    }
    *ret = result;
    sp_known_save(u->r, u->origin.uploader, u->origin.group);
    sp_index_tidy(u->r);
out:
    sp_backend_abort(u->r->backend, w);
    sp_missing_free(&missing);
    return rc;
}

enum sp_code
sp_upload_commit(struct sp_upload *u, enum sp_record_type type, const uint8_t *record, size_t n,
    struct sp_commit_result *ret, struct sp_err *e)
{
    return commit(u, type, record, n, NULL, ret, e);
}

enum sp_code
sp_upload_commit_placed(struct sp_upload *u, const uint8_t *record, size_t n,
    const struct sp_placing *placing, struct sp_commit_result *ret, struct sp_err *e)
{
    return commit(u, SP_RECORD_SET, record, n, placing, ret, e);
}
