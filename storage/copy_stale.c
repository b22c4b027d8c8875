/* Packs are listed before sets, and a copy takes its time: what came meanwhile is looked for before
 * it is said to be missing. See copy_impl.h. */

#include "storage/copy_impl.h"

enum sp_code
sp_copy_lacks(struct sp_copy *c, const struct sp_copy_item *item, struct sp_id **ret, size_t *ret_n,
    struct sp_err *e)
{
    const struct sp_reader_scope scope = {c->host, c->group};
    struct sp_repository *r = c->to->repository;
    struct sp_missing m;
    bool more, whole;
    size_t lost;
    enum sp_code rc;

    if (r == NULL)
        return sp_store_missing(c->to->store, item->set.set_id, ret, ret_n, &more, e);
    /* What is whole for uploaders is remembered; else marks are nothing to a set that is there. */
    sp_missing_init(&m, r);
    rc = sp_closure_walk(r, &scope, &item->set.root, NULL, &m, &whole, e);
    sp_missing_free(&m);
    if (rc != SP_OK || whole) {
        *ret_n = 0;
        return rc;
    }
    /* Another copy may have brought set and packs since the packs were listed. */
    if ((rc = sp_repository_refresh(r, &lost, e)) != SP_OK)
        return rc;
    return sp_repository_closure(r, &scope, &item->set.root, ret, ret_n, &more, e);
}

bool
sp_copy_more_came(struct sp_copy *c)
{
    struct sp_repository *r = c->from->repository;
    struct sp_err ignored = {0};
    size_t before, lost;
    bool came;

    if (r == NULL)
        return false;
    sp_mutex_lock(&r->lock);
    before = sp_presence_count(r->presence);
    sp_mutex_unlock(&r->lock);
    if (sp_repository_refresh(r, &lost, &ignored) != SP_OK)
        return false;
    sp_mutex_lock(&r->lock);
    came = sp_presence_count(r->presence) > before;
    sp_mutex_unlock(&r->lock);
    return came;
}
