#include "base/path.h"
#include "storage/catalog.h"
#include "storage/catalog_walk.h"

/* Two walks side by side. What begins first is opened or told first; where both begin at the same
 * key, the higher is opened; two nodes of one level with one id are passed unread. Nodes are cut by
 * content, so behind a difference both walks come to rest on the same boundaries again. */

#define READ_AHEAD 16

struct diff {
    struct sp_walk *old, *now;
    sp_catalog_diff_fn each;
    void *arg;
};

/* One side begins first: its entry is only there, its node is opened. */
static enum sp_code
one_side(struct diff *d, struct sp_walk *w, const struct sp_walk_place *p, struct sp_err *e)
{
    enum sp_code rc;

    if (p->entry == NULL)
        return sp_walk_enter(w, e);
    rc = w == d->old ? d->each(d->arg, p->entry, NULL, e) : d->each(d->arg, NULL, p->entry, e);
    return rc != SP_OK ? rc : sp_walk_pass(w, e);
}

static enum sp_code
pass_both(struct diff *d, struct sp_err *e)
{
    enum sp_code rc = sp_walk_pass(d->old, e);

    return rc != SP_OK ? rc : sp_walk_pass(d->now, e);
}

static enum sp_code
both_sides(
    struct diff *d, const struct sp_walk_place *a, const struct sp_walk_place *b, struct sp_err *e)
{
    enum sp_code rc;

    if (a->height != b->height)
        return sp_walk_enter(a->height > b->height ? d->old : d->now, e);
    if (a->height > 0) {
        if (sp_id_cmp(a->id, b->id) == 0)
            return pass_both(d, e);
        if ((rc = sp_walk_enter(d->old, e)) != SP_OK)
            return rc;
        return sp_walk_enter(d->now, e);
    }
    if (!sp_entry_same(a->entry, b->entry) &&
        (rc = d->each(d->arg, a->entry, b->entry, e)) != SP_OK)
        return rc;
    return pass_both(d, e);
}

static enum sp_code
go(struct diff *d, struct sp_err *e)
{
    struct sp_walk_place a, b;
    enum sp_code rc = SP_OK;

    while (rc == SP_OK) {
        bool more_old = sp_walk_at(d->old, &a), more_now = sp_walk_at(d->now, &b);
        int order;

        if (!more_old && !more_now)
            break;
        order = !more_old ? 1 : !more_now ? -1 : sp_key_cmp(a.key, a.key_len, b.key, b.key_len);
        rc = order < 0   ? one_side(d, d->old, &a, e)
             : order > 0 ? one_side(d, d->now, &b, e)
                         : both_sides(d, &a, &b, e);
    }
    return rc;
}

enum sp_code
sp_catalog_diff(const struct sp_node_source *source, const struct sp_id *old_root,
    const struct sp_id *new_root, sp_catalog_diff_fn each, void *arg, struct sp_err *e)
{
    struct diff d = {.each = each, .arg = arg};
    enum sp_code rc;

    if (sp_id_cmp(old_root, new_root) == 0)
        return SP_OK;
    if ((rc = sp_walk_new(source, old_root, READ_AHEAD, &d.old, e)) != SP_OK ||
        (rc = sp_walk_new(source, new_root, READ_AHEAD, &d.now, e)) != SP_OK)
        goto out;
    sp_walk_beside(d.old, d.now);
    sp_walk_beside(d.now, d.old);
    rc = go(&d, e);
out:
    sp_walk_free(d.old);
    sp_walk_free(d.now);
    return rc;
}
