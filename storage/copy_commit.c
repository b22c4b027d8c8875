/* A record at the target, under the time that it has in the source, where its number belongs: see
 * copy_impl.h. The order is that of every commit (R2). */

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "storage/copy_impl.h"

/* --- the target's chain --------------------------------------------------------------------- */

struct neighbours {                            /* of a number, in the target */
    const struct sp_copy_item *before, *after; /* the nearest that are there */
    uint64_t removed_before;                   /* the nearest removal record below it; 0: none */
    const uint8_t *removed_hash;               /* of number - 1 */
    const struct sp_copy_item *same;
};

static struct neighbours
look_around(const struct sp_copy *c, const struct sp_set *set)
{
    struct neighbours n;
    size_t i;

    memset(&n, 0, sizeof(n));
    for (i = 0; i < c->there.n; i++) {
        const struct sp_copy_item *t = &c->there.v[i];

        if (t->damaged || strcmp(t->set.job, set->job) != 0)
            continue;
        if (t->set.sequence == set->sequence)
            n.same = t;
        else if (t->set.sequence < set->sequence)
            n.before = n.before == NULL || n.before->set.sequence < t->set.sequence ? t : n.before;
        else
            n.after = n.after == NULL || n.after->set.sequence > t->set.sequence ? t : n.after;
    }
    for (i = 0; i < c->removed_there.n; i++) {
        const struct sp_removal *r = &c->removed_there.v[i].r;

        if (strcmp(r->job, set->job) != 0 || r->sequence >= set->sequence)
            continue;
        if (r->sequence > n.removed_before)
            n.removed_before = r->sequence;
        if (r->sequence + 1 == set->sequence)
            n.removed_hash = r->record;
    }
    return n;
}

static enum sp_code
forked(const struct sp_set *set, struct sp_err *e)
{
    return sp_fail(e, SP_REFUSED, SP_DOM_STORE,
        "job \"%.100s\" goes another way at the target than in the source, around number %llu: "
        "sets were made there that the source does not have, or the other way round",
        set->job, (unsigned long long)set->sequence);
}

/* Between its neighbours, or the newest would not stay the newest. */
static enum sp_code
place_in_time(
    const struct sp_copy_item *item, const struct neighbours *n, int64_t *ret_ns, struct sp_err *e)
{
    int64_t at_ns = item->published_ns;
    enum sp_code rc;

    if (n->before != NULL && n->before->published_ns > at_ns &&
        (rc = sp_time_behind(n->before->published_ns, &at_ns, e)) != SP_OK)
        return rc;
    if (n->after != NULL && n->after->published_ns < at_ns)
        return sp_fail(e, SP_REFUSED, SP_DOM_STORE,
            "it would have to lie between sets of its job that the target has under other times "
            "than the source");
    *ret_ns = at_ns;
    return SP_OK;
}

static enum sp_code
check_place(const struct sp_copy_item *item, const struct neighbours *n, struct sp_err *e)
{
    const struct sp_set *set = &item->set;

    if (n->same != NULL)
        return forked(set, e);
    if (n->before != NULL && n->before->set.sequence + 1 == set->sequence &&
        (!set->has_previous || memcmp(set->previous, n->before->hash, 32) != 0))
        return forked(set, e);
    if (n->removed_hash != NULL &&
        (!set->has_previous || memcmp(set->previous, n->removed_hash, 32) != 0))
        return forked(set, e);
    if (n->after != NULL && n->after->set.sequence == set->sequence + 1 &&
        (!n->after->set.has_previous || memcmp(n->after->set.previous, item->hash, 32) != 0))
        return forked(set, e);
    return SP_OK;
}

/* The numbers between the record and what is there before it are told of before it is there. */
static enum sp_code
tell_gap(struct sp_copy *c, const struct sp_set *set, const struct neighbours *n, struct sp_err *e)
{
    struct sp_buf object = SP_BUF_INIT;
    uint64_t first = n->before == NULL ? 1 : n->before->set.sequence + 1;
    struct sp_gap g;
    char name[96];
    enum sp_code rc;

    if (n->removed_before >= first)
        first = n->removed_before + 1;
    if (first >= set->sequence ||
        sp_gaps_cover(&c->gaps_there, set->job, first, set->sequence - 1) != NULL)
        return SP_OK;
    memset(&g, 0, sizeof(g));
    memcpy(g.host, set->host, sizeof(g.host));
    memcpy(g.job, set->job, sizeof(g.job));
    g.first = first;
    g.last = set->sequence - 1;
    if (c->from->repository != NULL) {
        memcpy(g.source, c->from->repository->conf.id, sizeof(g.source));
    } else {
        struct sp_store_info info;

        if ((rc = sp_store_info(c->from->store, &info, e)) != SP_OK)
            return rc;
        memcpy(g.source, info.repository, sizeof(g.source));
    }
    if ((rc = sp_gap_encode(&g, name, &object, e)) == SP_OK)
        rc = sp_backend_put(c->to->repository->backend, name, object.data, object.len, e);
    if (rc == SP_EXISTS)
        rc = SP_OK;
    if (rc == SP_OK)
        rc = sp_gaps_add(&c->gaps_there, &g, e);
    sp_buf_free(&object);
    return rc;
}

void
sp_copy_tidy_gaps(struct sp_copy *c)
{
    struct sp_err ignored = {0};

    if (c->to->repository == NULL || c->o->dry_run)
        return;
    for (size_t i = 0; i < c->gaps_there.n; i++) {
        const struct sp_gap *g = &c->gaps_there.v[i];
        struct sp_buf object = SP_BUF_INIT;
        uint64_t arrived = 0;
        char name[96];

        for (size_t k = 0; k < c->there.n; k++)
            arrived += !c->there.v[k].damaged && strcmp(c->there.v[k].set.job, g->job) == 0 &&
                       c->there.v[k].set.sequence >= g->first &&
                       c->there.v[k].set.sequence <= g->last;
        if (arrived == g->last - g->first + 1 && sp_gap_encode(g, name, &object, &ignored) == SP_OK)
            (void)sp_backend_remove(c->to->repository->backend, name, &ignored);
        sp_buf_free(&object);
    }
}

/* --- the record ----------------------------------------------------------------------------- */

/* Whether there are sets of the host at the target that were not there when it was listed. */
static enum sp_code
any_news(const struct sp_copy *c, const struct sp_record_names *names, bool *ret, struct sp_err *e)
{
    struct sp_keyset known;
    bool news = false;
    size_t i;
    enum sp_code rc = SP_OK;

    sp_keyset_init(&known, c->to->repository->seed);
    for (i = 0; i < c->there.n && rc == SP_OK; i++)
        rc = sp_keyset_add(&known, c->there.v[i].set.set_id, NULL, e);
    for (i = 0; i < names->n && rc == SP_OK && !news; i++)
        news = names->v[i].type == SP_RECORD_SET && !sp_keyset_has(&known, names->v[i].set_id);
    sp_keyset_clear(&known);
    if (rc == SP_OK)
        *ret = news;
    return rc;
}

/* Another copy is under way: its sets are neighbours too. */
static enum sp_code
catch_up(struct sp_copy *c, const struct sp_record_names *names, struct sp_err *e)
{
    struct sp_copy_items fresh = {NULL, 0, 0};
    bool news = false;
    enum sp_code rc;

    if ((rc = any_news(c, names, &news, e)) != SP_OK || !news)
        return rc;
    if ((rc = sp_copy_list(c->to, c->host, &fresh, e)) != SP_OK)
        return rc;
    sp_copy_items_clear(&c->there);
    c->there = fresh;
    return SP_OK;
}

struct placement {
    struct sp_copy *c;
    const struct sp_copy_item *item;
};

/* The place of a record, and what it leaves open before it. */
static enum sp_code
place(void *arg, const struct sp_set *set, const struct sp_record_names *names, int64_t *ret_ns,
    bool *ret_there, struct sp_err *e)
{
    const struct placement *p = arg;
    const struct sp_copy_item *same;
    struct neighbours around;
    enum sp_code rc;

    if ((rc = catch_up(p->c, names, e)) != SP_OK)
        return rc;
    same = sp_copy_items_find(&p->c->there, set->set_id);
    if (same != NULL && !same->damaged && memcmp(same->hash, p->item->hash, 32) == 0) {
        *ret_ns = same->published_ns; /* by another, meanwhile */
        *ret_there = true;
        return SP_OK;
    }
    around = look_around(p->c, set);
    if ((rc = check_place(p->item, &around, e)) != SP_OK ||
        (rc = place_in_time(p->item, &around, ret_ns, e)) != SP_OK)
        return rc;
    return tell_gap(p->c, set, &around, e);
}

enum sp_code
sp_copy_commit(struct sp_copy *c, const struct sp_copy_item *item, const uint8_t *record, size_t n,
    struct sp_commit_result *ret, struct sp_err *e)
{
    struct placement p = {c, item};
    const struct sp_placing placing = {place, &p};
    struct sp_copy_item placed = *item;
    struct sp_commit_result result;
    enum sp_code rc;

    if (c->to->repository == NULL)
        return sp_store_commit(c->to->store, SP_RECORD_SET, record, n, ret, e);
    memset(&result, 0, sizeof(result));
    if ((rc = sp_upload_commit_placed(c->upload, record, n, &placing, &result, e)) != SP_OK)
        return rc;
    *ret = result;
    if (result.nmissing > 0 || sp_copy_items_find(&c->there, item->set.set_id) != NULL)
        return SP_OK;
    placed.published_ns = result.published_ns;
    placed.record = placed.completion = NULL;
    return sp_copy_items_add(&c->there, &placed, e);
}

/* --- what follows a set --------------------------------------------------------------------- */

/* Completions of a set in a listing, the first one first. */
static enum sp_code
completion_of(struct sp_repository *r, const uint8_t host[16], const struct sp_copy_item *item,
    const uint8_t *record, size_t record_len, uint8_t **ret, size_t *ret_n, int64_t *ret_ns,
    struct sp_err *e)
{
    struct sp_record_names names = {NULL, 0, 0};
    struct sp_completions all;
    struct sp_record_name set = {.type = SP_RECORD_SET};
    enum sp_code rc;

    memcpy(set.host, host, 16);
    memcpy(set.set_id, item->set.set_id, 16);
    if ((rc = sp_records_list(r, host, &names, e)) != SP_OK)
        return rc;
    if ((rc = sp_completions_begin(&all, r, &names, false, e)) == SP_OK) {
        rc = sp_completions_of(&all, &set, record, record_len, ret, ret_n, e);
        sp_completions_end(&all);
    }
    for (size_t i = names.n; i-- > 0 && rc == SP_OK && *ret != NULL;) {
        struct sp_err ignored = {0};
        uint8_t *p = NULL;
        size_t n = 0;
        bool it;

        if (names.v[i].type != SP_RECORD_COMPLETION ||
            memcmp(names.v[i].set_id, item->set.set_id, 16) != 0 ||
            sp_record_read(r, &names.v[i], &p, &n, &ignored) != SP_OK)
            continue;
        it = n == *ret_n && memcmp(p, *ret, n) == 0;
        free(p);
        if (it) {
            *ret_ns = names.v[i].published_ns;
            break;
        }
    }
    sp_records_free(&names);
    return rc;
}

static enum sp_code
publish_completion(struct sp_copy *c, const struct sp_copy_item *item, const uint8_t *record,
    size_t record_len, const uint8_t *completion, size_t n, int64_t at_ns, struct sp_err *e)
{
    struct sp_repository *r = c->to->repository;
    const struct sp_copy_item *set = sp_copy_items_find(&c->there, item->set.set_id);
    uint8_t *there = NULL;
    size_t there_n = 0;
    int64_t there_ns = 0;
    char object[160];
    enum sp_code rc;

    sp_mutex_lock(&r->commit);
    rc = completion_of(r, c->host, item, record, record_len, &there, &there_n, &there_ns, e);
    if (rc == SP_OK && there == NULL) {
        if (set != NULL && at_ns <= set->published_ns)
            rc = sp_time_behind(set->published_ns, &at_ns, e);
        sp_record_object_name(SP_RECORD_COMPLETION, c->host, at_ns, item->set.set_id, object);
        if (rc == SP_OK)
            rc = sp_publish(r, object, false, completion, n, e);
    }
    sp_mutex_unlock(&r->commit);
    free(there);
    return rc;
}

/* Whether it is of this record and signed by the host that the target knows; no other is passed on.
 */
static bool
is_completion(const struct sp_copy *c, const struct sp_copy_item *item, const uint8_t *p, size_t n)
{
    struct sp_completion of;
    struct sp_err ignored = {0};

    return sp_completion_decode(p, n, &of, &ignored) == SP_OK &&
           memcmp(of.host, c->host, sizeof(of.host)) == 0 &&
           memcmp(of.set_id, item->set.set_id, sizeof(of.set_id)) == 0 &&
           memcmp(of.record, item->hash, sizeof(of.record)) == 0 &&
           sp_record_check_signature(SP_RECORD_COMPLETION, p, n, &c->signer, &ignored) == SP_OK;
}

enum sp_code
sp_copy_completion(struct sp_copy *c, const struct sp_copy_item *item, const uint8_t *record,
    size_t n, struct sp_err *e)
{
    uint8_t *found = NULL;
    const uint8_t *completion = item->completion;
    size_t len = item->completion_len;
    int64_t at_ns = 0;
    enum sp_code rc = SP_OK;

    if (c->from->repository != NULL) {
        rc = completion_of(c->from->repository, c->host, item, record, n, &found, &len, &at_ns, e);
        completion = found;
    }
    if (rc == SP_OK && completion != NULL && !is_completion(c, item, completion, len))
        completion = NULL;
    if (rc == SP_OK && completion != NULL)
        rc = c->to->repository != NULL
                 ? publish_completion(c, item, record, n, completion, len, at_ns, e)
                 : sp_store_complete(c->to->store, completion, len, e);
    if (rc == SP_EXISTS) /* the first counts */
        rc = SP_OK;
    free(found);
    return rc;
}

/* --- removals ------------------------------------------------------------------------------- */

/* Whether these bytes, read again, are the removal that was listed, and signed by the host that the
 * target knows: a store that lies may give others the second time. */
static enum sp_code
is_removal(struct sp_copy *c, const struct sp_removal *listed, const uint8_t *p, size_t n,
    bool *ret, struct sp_err *e)
{
    struct sp_err why = {0};
    struct sp_removal r;
    enum sp_code rc = sp_removal_decode(p, n, &r, &why);

    if (rc == SP_OK && (memcmp(r.host, listed->host, sizeof(r.host)) != 0 ||
                           memcmp(r.set_id, listed->set_id, sizeof(r.set_id)) != 0))
        rc = SP_CORRUPT;
    if (rc == SP_OK)
        rc = sp_record_check_signature(SP_RECORD_REMOVAL, p, n, &c->signer, &why);
    *ret = rc == SP_OK;
    if (!sp_code_is_ours(rc))
        return SP_OK; /* it removes nothing */
    *e = why;
    return rc;
}

enum sp_code
sp_copy_take_removals(struct sp_copy *c, struct sp_err *e)
{
    struct sp_repository *from = c->from->repository, *to = c->to->repository;
    size_t i;
    enum sp_code rc = SP_OK;

    if (from == NULL || to == NULL || c->o->dry_run)
        return SP_OK;
    for (i = 0; i < c->removed.n && rc == SP_OK; i++) {
        const struct sp_copy_removal *r = &c->removed.v[i];
        struct sp_record_name name = {.type = SP_RECORD_REMOVAL, .published_ns = r->published_ns};
        uint8_t *p = NULL;
        size_t n = 0;
        char object[160];
        bool ours = false;

        /* What is removed here stays there: copies have a retention of their own. */
        if (sp_copy_items_find(&c->there, r->r.set_id) != NULL)
            continue;
        memcpy(name.host, c->host, 16);
        memcpy(name.set_id, r->r.set_id, 16);
        if ((rc = sp_record_read(from, &name, &p, &n, e)) != SP_OK)
            break;
        sp_record_object_name(name.type, name.host, name.published_ns, name.set_id, object);
        if ((rc = is_removal(c, &r->r, p, n, &ours, e)) == SP_OK && ours)
            rc = sp_backend_put(to->backend, object, p, n, e);
        if (rc == SP_EXISTS)
            rc = SP_OK;
        free(p);
    }
    return rc;
}
