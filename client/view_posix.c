/* Finding places by the views on POSIX, where one tree has everything: see view.h. */

#include "client/view_impl.h"

/* A live view is opened from the root of everything, whatever lies between. */
static enum sp_code
anchor_of(const struct sp_views *v, struct sp_view *view, struct sp_err *e)
{
    const char *path = view->read_path != NULL ? view->read_path : "/";

    if (view->anchor != NULL)
        return SP_OK;
    return sp_dir_anchor(v->pool, path, &view->kind, &view->anchor, e);
}

enum sp_code
sp_views_find_live(
    struct sp_views *v, const char *key, size_t n, struct sp_place *ret, struct sp_err *e)
{
    enum sp_code rc = anchor_of(v, &v->live, e);

    return rc == SP_OK ? sp_views_go_down(v->live.anchor, key, n, ret, e) : rc;
}

enum sp_code
sp_views_find(struct sp_views *v, const char *key, size_t n, struct sp_place *ret, struct sp_err *e)
{
    struct sp_view *view = sp_views_longest(v, key, n);
    size_t used = view->read_path != NULL ? view->key_len : 0;
    enum sp_code rc;

    if ((rc = anchor_of(v, view, e)) == SP_CHANGED && used == n)
        return sp_views_file(v, view, ret, e);
    if (rc != SP_OK)
        return rc;
    used += used > 0 && used < n; /* the NUL behind the mount point */
    return sp_views_go_down(view->anchor, key + used, n - used, ret, e);
}
