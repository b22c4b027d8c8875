/* A copy from end to end: see copy.h. */

#include "storage/copy.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "storage/copy_impl.h"

#define ROUNDS 64u /* in which a set's missing chunks are sent again */

enum sp_code
sp_copy_live(struct sp_copy *c, struct sp_err *e)
{
    if (c->o->progress != NULL)
        c->o->progress(c->o->arg, c->totals);
    if (c->o->stop != NULL && c->o->stop(c->o->arg))
        return sp_fail(e, SP_CANCELLED, SP_DOM_SELF, "interrupted");
    return SP_OK;
}

void
sp_copy_tell(struct sp_copy *c, enum sp_copy_what what, const struct sp_copy_item *item,
    const char *fmt, ...)
{
    struct sp_copy_event ev = {.what = what};
    char text[640];
    va_list ap;

    if (c->o->event == NULL)
        return;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    ev.text = text;
    if (item != NULL) {
        ev.set = &item->set;
        ev.published_ns = item->published_ns;
    }
    c->o->event(c->o->arg, &ev);
}

/* --- one set -------------------------------------------------------------------------------- */

/* Whether the failure is of this set alone, and the others can go on. */
static bool
of_the_set(enum sp_code rc)
{
    return rc == SP_CORRUPT || rc == SP_ABSENT || rc == SP_REFUSED || rc == SP_AUTH;
}

/* The record's bytes, which must be those that were listed. */
static enum sp_code
read_record(struct sp_copy *c, const struct sp_copy_item *item, uint8_t **ret, size_t *ret_n,
    struct sp_err *e)
{
    struct sp_record_name name = {.type = SP_RECORD_SET, .published_ns = item->published_ns};
    uint8_t hash[32];
    enum sp_code rc = SP_OK;

    memcpy(name.host, item->set.host, 16);
    memcpy(name.set_id, item->set.set_id, 16);
    if (c->from->repository != NULL) {
        rc = sp_record_read(c->from->repository, &name, ret, ret_n, e);
    } else if ((*ret = malloc(item->record_len + 1)) == NULL) {
        rc = sp_fail_nomem(e);
    } else {
        memcpy(*ret, item->record, item->record_len);
        *ret_n = item->record_len;
    }
    if (rc != SP_OK)
        return rc;
    if ((rc = sp_record_hash(*ret, *ret_n, hash, e)) == SP_OK && memcmp(hash, item->hash, 32) != 0)
        rc = sp_fail(e, SP_CORRUPT, SP_DOM_STORE, "its record changed while it was read");
    if (rc == SP_OK)
        rc = sp_record_check_signature(SP_RECORD_SET, *ret, *ret_n, &c->signer, e);
    if (rc != SP_OK) {
        free(*ret);
        *ret = NULL;
    }
    return rc;
}

static enum sp_code
flush(struct sp_copy *c, struct sp_err *e)
{
    struct sp_upload_durable ignored;
    enum sp_code rc = sp_copy_drain(c, e);

    if (rc != SP_OK)
        return rc;
    return c->to->repository != NULL ? sp_upload_flush(c->upload, &ignored, e)
                                     : sp_store_flush(c->to->store, e);
}

/* One round: sends what lies below the roots. */
static enum sp_code
send(struct sp_copy *c, const struct sp_id *roots, size_t n, struct sp_err *e)
{
    enum sp_code rc;

    if (!c->o->dry_run) /* or what was seen before, and is missing, would be passed over */
        sp_keyset_clear(&c->seen);
    if ((rc = sp_copy_closure(c, roots, n, e)) != SP_OK)
        return rc;
    return sp_copy_drain(c, e);
}

/* Its record is at the target. */
static enum sp_code
heal(struct sp_copy *c, const struct sp_copy_item *item, bool *ret_healed, struct sp_err *e)
{
    struct sp_id *missing = NULL;
    size_t n = 0, round;
    enum sp_code rc;

    *ret_healed = false;
    for (round = 0;; round++) {
        if ((rc = sp_copy_lacks(c, item, &missing, &n, e)) != SP_OK || n == 0)
            break;
        if (round == ROUNDS) {
            rc = sp_fail(e, SP_IO, SP_DOM_STORE, "the target does not keep what it is sent");
            break;
        }
        *ret_healed = true;
        if (c->o->dry_run) {
            rc = send(c, missing, n, e);
            break;
        }
        if ((rc = send(c, missing, n, e)) != SP_OK || (rc = flush(c, e)) != SP_OK)
            break;
        free(missing);
        missing = NULL;
    }
    free(missing);
    return rc;
}

static enum sp_code
copy_new(struct sp_copy *c, const struct sp_copy_item *item, const uint8_t *record, size_t n,
    struct sp_err *e)
{
    struct sp_commit_result result;
    struct sp_id root = item->set.root;
    enum sp_code rc;

    memset(&result, 0, sizeof(result));
    if ((rc = send(c, &root, 1, e)) != SP_OK || c->o->dry_run)
        return rc;
    for (size_t round = 0;; round++) {
        if ((rc = sp_copy_commit(c, item, record, n, &result, e)) != SP_OK || result.nmissing == 0)
            break;
        if (round == ROUNDS) {
            rc = sp_fail(e, SP_IO, SP_DOM_STORE, "the target does not keep what it is sent");
            break;
        }
        if ((rc = send(c, result.missing, result.nmissing, e)) != SP_OK)
            break;
        sp_commit_result_clear(&result);
    }
    sp_commit_result_clear(&result);
    return rc;
}

static enum sp_code
copy_set(
    struct sp_copy *c, const struct sp_copy_item *item, enum sp_copy_what *ret, struct sp_err *e)
{
    const struct sp_copy_item *there = sp_copy_items_find(&c->there, item->set.set_id);
    uint8_t *record = NULL;
    size_t n = 0;
    bool healed = false;
    enum sp_code rc;

    if (item->damaged)
        return sp_fail(e, SP_CORRUPT, SP_DOM_STORE,
            "its record in the source is damaged, or not signed by its host");
    if (c->o->keys != NULL && memcmp(item->set.group, sp_keys_group(c->o->keys), 16) != 0)
        return sp_fail(e, SP_AUTH, SP_DOM_CRYPTO,
            "its blocks cannot be opened with the key that is here; without --open they are held "
            "against their hashes");
    if ((rc = read_record(c, item, &record, &n, e)) != SP_OK)
        return rc;
    if (there != NULL && !there->damaged && memcmp(there->hash, item->hash, 32) == 0) {
        rc = heal(c, item, &healed, e);
        *ret = healed ? SP_COPY_SET_HEALED : SP_COPY_SET_THERE;
    } else {
        rc = copy_new(c, item, record, n, e);
        *ret = SP_COPY_SET_COPIED;
    }
    if (rc == SP_OK && !c->o->dry_run)
        rc = sp_copy_completion(c, item, record, n, e);
    free(record);
    return rc;
}

/* Whether the source has removed the set since it was listed: then it is not missed. */
static bool
gone(struct sp_copy *c, const struct sp_copy_item *item)
{
    struct sp_err ignored = {0};
    char object[160];
    uint64_t size;

    if (c->from->repository == NULL)
        return false;
    sp_record_object_name(
        SP_RECORD_SET, item->set.host, item->published_ns, item->set.set_id, object);
    return sp_backend_size(c->from->repository->backend, object, &size, &ignored) == SP_ABSENT;
}

static enum sp_code
do_set(struct sp_copy *c, const struct sp_copy_item *item, struct sp_err *e)
{
    enum sp_copy_what what = SP_COPY_SET_FAILED;
    struct sp_err why = {0};
    enum sp_code rc = SP_OK;

    c->why[0] = '\0';
    if (item->refused) {
        c->totals->sets_refused++;
        c->totals->sets++;
        sp_copy_tell(c, SP_COPY_SET_REFUSED, item, "its job's chain has a gap or a fork");
        return SP_OK;
    }
    if ((rc = sp_copy_live(c, e)) != SP_OK)
        return rc;
    rc = copy_set(c, item, &what, &why);
    if ((rc == SP_CORRUPT || rc == SP_ABSENT) && sp_copy_more_came(c))
        rc = copy_set(c, item, &what, &why);
    if (rc != SP_OK && !of_the_set(rc)) {
        *e = why;
        return rc;
    }
    c->totals->sets++;
    if ((rc == SP_CORRUPT || rc == SP_ABSENT) && gone(c, item)) {
        sp_copy_tell(c, SP_COPY_NOTE, NULL,
            "set %s of job \"%.100s\" was removed from the source meanwhile",
            sp_hex8(item->set.set_id).s, item->set.job);
        return SP_OK;
    }
    if (rc != SP_OK)
        what = rc == SP_REFUSED ? SP_COPY_SET_REFUSED : SP_COPY_SET_FAILED;
    c->totals->sets_copied += what == SP_COPY_SET_COPIED;
    c->totals->sets_there += what == SP_COPY_SET_THERE;
    c->totals->sets_healed += what == SP_COPY_SET_HEALED;
    c->totals->sets_failed += what == SP_COPY_SET_FAILED;
    c->totals->sets_refused += what == SP_COPY_SET_REFUSED;
    sp_copy_tell(c, what, item, "%s", rc != SP_OK ? why.text : "");
    return SP_OK;
}

/* --- one uploader --------------------------------------------------------------------------- */

static void
leave_group(struct sp_copy *c)
{
    sp_copy_writers_stop(c);
    sp_upload_free(c->upload);
    c->upload = NULL;
}

/* Whether the target takes anything of this host and group. */
static enum sp_code
begin_group(struct sp_copy *c, struct sp_err *e)
{
    enum sp_code rc;

    if (c->to->repository == NULL &&
        (memcmp(c->host, c->to->host, 16) != 0 || memcmp(c->group, c->to->group, 16) != 0))
        return sp_fail(e, SP_REFUSED, SP_DOM_CONFIG,
            "a server takes from this machine only the sets of the host that it is there, under "
            "its "
            "own key; copy into a folder or an SFTP account instead");
    if ((rc = sp_copy_host(c, e)) != SP_OK)
        sp_err_context(e, "its host's record");
    return rc;
}

/* What was removed, once per host: not before it is known whose signature counts. */
static enum sp_code
join(struct sp_copy *c, struct sp_err *e)
{
    enum sp_code rc;

    if (c->joined)
        return SP_OK;
    if ((rc = sp_copy_take_removals(c, e)) == SP_OK)
        rc = sp_copy_removals(c->to, c->host, &c->removed_there, e);
    c->joined = rc == SP_OK;
    return rc;
}

/* The sets of one host and group. */
static enum sp_code
do_group(struct sp_copy *c, struct sp_copy_item *v, size_t n, struct sp_err *e)
{
    struct sp_err why = {0};
    size_t i;
    enum sp_code rc;

    if (v[0].damaged) { /* nobody knows of which group: they come by themselves */
        for (i = 0, rc = SP_OK; i < n && rc == SP_OK; i++)
            rc = do_set(c, &v[i], e);
        return rc;
    }
    memcpy(c->group, v[0].set.group, 16);
    rc = begin_group(c, &why);
    if (of_the_set(rc)) {
        for (i = 0; i < n; i++) {
            if (!v[i].wanted)
                continue;
            c->totals->sets++;
            c->totals->sets_refused += rc == SP_REFUSED;
            c->totals->sets_failed += rc != SP_REFUSED;
            sp_copy_tell(c, rc == SP_REFUSED ? SP_COPY_SET_REFUSED : SP_COPY_SET_FAILED, &v[i],
                "%s", why.text);
        }
        return SP_OK;
    }
    if (rc != SP_OK) {
        *e = why;
        return rc;
    }
    if ((rc = join(c, e)) != SP_OK)
        return rc;
    if (!c->o->dry_run) {
        if (c->to->repository != NULL &&
            (rc = sp_upload_new(c->to->repository, c->host, c->group, &c->upload, e)) != SP_OK)
            return rc;
        rc = sp_copy_writers_start(c, e);
    }
    for (i = 0; i < n && rc == SP_OK; i++)
        if (v[i].wanted)
            rc = do_set(c, &v[i], e);
    leave_group(c);
    if (c->to->repository != NULL)
        sp_known_save(c->to->repository, c->host, c->group);
    sp_keyset_clear(&c->seen);
    return rc;
}

static void
leave_host(struct sp_copy *c)
{
    sp_copy_items_clear(&c->there);
    sp_copy_removals_clear(&c->removed);
    sp_copy_removals_clear(&c->removed_there);
    sp_gaps_clear(&c->gaps);
    sp_gaps_clear(&c->gaps_there);
    c->joined = false;
}

static enum sp_code
do_host(struct sp_copy *c, struct sp_copy_item *v, size_t n, struct sp_err *e)
{
    size_t i, k;
    bool any = false;
    enum sp_code rc;

    for (i = 0; i < n; i++)
        any = any || v[i].wanted;
    if (!any)
        return SP_OK;
    memcpy(c->host, v[0].set.host, 16);
    if ((rc = sp_copy_removals(c->from, c->host, &c->removed, e)) != SP_OK ||
        (rc = sp_copy_list(c->to, c->host, &c->there, e)) != SP_OK ||
        (c->from->repository != NULL &&
            (rc = sp_gaps_load(c->from->repository, c->host, &c->gaps, e)) != SP_OK) ||
        (c->to->repository != NULL &&
            (rc = sp_gaps_load(c->to->repository, c->host, &c->gaps_there, e)) != SP_OK) ||
        (rc = sp_copy_judge(c, v, n, e)) != SP_OK)
        goto out;
    for (i = 0; i < n && rc == SP_OK; i += k) {
        for (k = 1; i + k < n && memcmp(v[i].set.group, v[i + k].set.group, 16) == 0; k++)
            ;
        rc = do_group(c, v + i, k, e);
    }
    if (rc == SP_OK)
        sp_copy_tidy_gaps(c);
out:
    leave_host(c);
    return rc;
}

/* --- all of it ------------------------------------------------------------------------------ */

static enum sp_code
repository_id(const struct sp_copy_side *side, uint8_t ret[16], struct sp_err *e)
{
    struct sp_store_info info;
    enum sp_code rc;

    if (side->repository != NULL) {
        memcpy(ret, side->repository->conf.id, 16);
        return SP_OK;
    }
    if ((rc = sp_store_info(side->store, &info, e)) == SP_OK)
        memcpy(ret, info.repository, 16);
    return rc;
}

static enum sp_code
check_sides(const struct sp_copy *c, struct sp_err *e)
{
    uint8_t from[16], to[16];
    enum sp_code rc;

    if ((rc = repository_id(c->from, from, e)) != SP_OK ||
        (rc = repository_id(c->to, to, e)) != SP_OK)
        return rc;
    if (memcmp(from, to, 16) == 0)
        return sp_fail(e, SP_INVALID, SP_DOM_CONFIG,
            "source and target are the same repository (%s)", sp_hex16(from).s);
    if (c->from->repository == NULL && c->o->keys == NULL)
        return sp_fail(e, SP_INVALID, SP_DOM_SELF, "blocks from a server have to be opened");
    if (c->from->repository != NULL && (rc = sp_repository_ready(c->from->repository, e)) != SP_OK)
        return rc;
    return c->to->repository != NULL ? sp_repository_ready(c->to->repository, e) : SP_OK;
}

static enum sp_code
select_sets(struct sp_copy *c, struct sp_err *e)
{
    enum sp_code rc = sp_copy_list(c->from, NULL, &c->sets, e);

    if (rc != SP_OK)
        return rc;
    for (size_t i = 0; i < c->sets.n; i++) {
        struct sp_copy_item *item = &c->sets.v[i];

        /* Which job a damaged one was of, nobody can tell: it may be one that was asked for. */
        item->wanted = c->o->wanted == NULL || item->damaged ||
                       c->o->wanted(c->o->wanted_arg, &item->set, item->published_ns);
        c->totals->sets_total += item->wanted;
    }
    return SP_OK;
}

enum sp_code
sp_copy(const struct sp_copy_side *from, const struct sp_copy_side *to,
    const struct sp_copy_options *o, struct sp_copy_totals *ret, struct sp_err *e)
{
    static const uint64_t no_seed[2] = {UINT64_C(0x9E3779B97F4A7C15), UINT64_C(0xD1B54A32D192ED03)};
    struct sp_copy c;
    size_t i, n;
    enum sp_code rc;

    memset(&c, 0, sizeof(c));
    memset(ret, 0, sizeof(*ret));
    c.from = from;
    c.to = to;
    c.o = o;
    c.totals = ret;
    ret->bytes_known = from->repository != NULL;
    sp_keyset_init(&c.seen, from->repository != NULL ? from->repository->seed
                            : to->repository != NULL ? to->repository->seed
                                                     : no_seed);
    if ((rc = check_sides(&c, e)) != SP_OK ||
        (o->keys != NULL && (rc = sp_opener_new(o->keys, &c.opener, e)) != SP_OK) ||
        (rc = select_sets(&c, e)) != SP_OK || (rc = sp_copy_may(&c, e)) != SP_OK)
        goto out;
    for (i = 0; i < c.sets.n && rc == SP_OK; i += n) {
        for (n = 1;
             i + n < c.sets.n && memcmp(c.sets.v[i].set.host, c.sets.v[i + n].set.host, 16) == 0;
             n++)
            ;
        rc = do_host(&c, c.sets.v + i, n, e);
    }
    /* What was there already, another copy may have named a moment ago and not come to its barrier.
     */
    if (rc == SP_OK && to->repository != NULL && !o->dry_run &&
        (rc = sp_backend_sync(to->repository->backend, e)) == SP_OK)
        sp_index_tidy(to->repository);
out:
    sp_opener_free(c.opener);
    sp_copy_items_clear(&c.sets);
    return rc;
}
