#include "client/view_posix.h"

#include <stdlib.h>
#include <string.h>

#include "base/path.h"

struct view {
    uint8_t *key;
    size_t key_len;
    char *read_path; /* NULL: live */
    struct sp_dir_kind kind;
    bool skip;
    struct sp_source_dir *anchor; /* NULL: not needed so far */
};

struct sp_views {
    struct sp_dirs *pool; /* the source's, which outlives this */
    struct view live;     /* "/", whatever the views say */
    struct view *views;
    size_t n;
};

static enum sp_code
copy_view(const struct sp_view_map *from, int64_t started_ns, struct view *to, struct sp_err *e)
{
    if (!sp_key_valid(from->key, from->key_len))
        return sp_fail(e, SP_INVALID, SP_DOM_CONFIG, "a mount point is no valid key");
    if ((to->key = malloc(from->key_len + 1)) == NULL)
        return sp_fail_nomem(e);
    if (from->key_len > 0)
        memcpy(to->key, from->key, from->key_len);
    to->key_len = from->key_len;
    if (from->read_path != NULL && (to->read_path = strdup(from->read_path)) == NULL)
        return sp_fail_nomem(e);
    to->kind = (struct sp_dir_kind){.shadow = from->shadow,
        .live = from->read_path == NULL,
        .instant_ns = from->instant_ns != 0 ? from->instant_ns : started_ns};
    to->skip = from->skip;
    return SP_OK;
}

enum sp_code
sp_views_new(const struct sp_source_options *o, struct sp_dirs *pool, struct sp_views **ret,
    struct sp_err *e)
{
    struct sp_views *v = calloc(1, sizeof *v);
    bool has_root = false;
    enum sp_code rc = SP_OK;

    if (v == NULL || (v->views = calloc(o->nviews + 1, sizeof *v->views)) == NULL) {
        rc = sp_fail_nomem(e);
        goto out;
    }
    v->pool = pool;
    v->live.kind = (struct sp_dir_kind){.live = true, .instant_ns = o->started_ns};
    for (v->n = 0; v->n < o->nviews;) {
        struct view *view = &v->views[v->n++];

        if ((rc = copy_view(&o->views[v->n - 1], o->started_ns, view, e)) != SP_OK)
            goto out;
        has_root = has_root || view->key_len == 0;
    }
    if (!has_root) {
        rc = sp_fail(e, SP_INVALID, SP_DOM_CONFIG, "no view of the root of the file system");
        goto out;
    }
    *ret = v;
    v = NULL;
out:
    sp_views_free(v);
    return rc;
}

void
sp_views_free(struct sp_views *v)
{
    if (v == NULL)
        return;
    for (size_t i = 0; v->views != NULL && i < v->n; i++) {
        free(v->views[i].key);
        free(v->views[i].read_path);
        sp_dir_release(v->views[i].anchor);
    }
    sp_dir_release(v->live.anchor);
    free(v->views);
    free(v);
}

/* The last one of equal keys, so that the caller's order says which holds. */
static struct view *
longest(const struct sp_views *v, const void *key, size_t n)
{
    struct view *found = NULL;

    for (size_t i = 0; i < v->n; i++)
        if (sp_key_within(v->views[i].key, v->views[i].key_len, key, n) &&
            (found == NULL || v->views[i].key_len >= found->key_len))
            found = &v->views[i];
    return found;
}

enum sp_view_here
sp_views_here(const struct sp_views *v, const void *key, size_t n)
{
    const struct view *view;

    if (v->n == 1 || (view = longest(v, key, n))->key_len != n)
        return SP_VIEW_NONE;
    return view->skip ? SP_VIEW_SKIPPED : SP_VIEW_MOUNTED;
}

bool
sp_views_switch(
    const struct sp_views *v, const struct sp_source_dir *from, const void *key, size_t n)
{
    const struct sp_dir_kind *now = sp_dir_kind(from);
    const struct view *view;

    if (sp_views_here(v, key, n) != SP_VIEW_MOUNTED)
        return false;
    view = longest(v, key, n);
    /* A live volume below a live folder is where it always is. */
    return !view->kind.live || !now->live || view->kind.shadow != now->shadow ||
           view->kind.instant_ns != now->instant_ns;
}

/* A live view is opened from the root of everything, whatever lies between. */
static enum sp_code
anchor_of(const struct sp_views *v, struct view *view, struct sp_err *e)
{
    const char *path = view->read_path != NULL ? view->read_path : "/";

    if (view->anchor != NULL)
        return SP_OK;
    return sp_dir_anchor(v->pool, path, &view->kind, &view->anchor, e);
}

/* From `top` down the components of rest[0..n), the last of which is the name. */
static enum sp_code
go_down(
    struct sp_source_dir *top, const char *rest, size_t n, struct sp_place *ret, struct sp_err *e)
{
    struct sp_source_dir *d = sp_dir_hold(top);
    const char *end = rest + n;

    if (n == 0) {
        *ret = (struct sp_place){d, "."};
        return SP_OK;
    }
    for (size_t len; (len = strlen(rest)) < (size_t)(end - rest); rest += len + 1) {
        struct sp_source_dir *below;
        int fd;
        enum sp_code rc = sp_dir_open(d, rest, NULL, true, &below, &fd, e);

        sp_dir_release(d);
        if (rc != SP_OK)
            return rc;
        sp_dir_unuse(below);
        d = below;
    }
    *ret = (struct sp_place){d, rest};
    return SP_OK;
}

/* A file mounted over a file: its folder is the anchor. */
static enum sp_code
find_file(const struct sp_views *v, const struct view *view, struct sp_place *ret, struct sp_err *e)
{
    // NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): a view of a file has a path
    const char *slash = strrchr(view->read_path, '/');
    struct sp_place place = {0};
    char *folder;
    enum sp_code rc;

    if (slash == NULL || slash[1] == '\0')
        return sp_fail(e, SP_INVALID, SP_DOM_CONFIG, "'%.400s' is no absolute path of a volume",
            view->read_path);
    folder = strndup(view->read_path, (size_t)(slash - view->read_path) + 1);
    if (folder == NULL)
        return sp_fail_nomem(e);
    if ((rc = sp_dir_anchor(v->pool, folder, &view->kind, &place.dir, e)) == SP_OK) {
        place.name = slash + 1;
        *ret = place;
    }
    free(folder);
    return rc;
}

enum sp_code
sp_views_find_live(
    struct sp_views *v, const char *key, size_t n, struct sp_place *ret, struct sp_err *e)
{
    enum sp_code rc = anchor_of(v, &v->live, e);

    return rc == SP_OK ? go_down(v->live.anchor, key, n, ret, e) : rc;
}

enum sp_code
sp_views_find(struct sp_views *v, const char *key, size_t n, struct sp_place *ret, struct sp_err *e)
{
    struct view *view = longest(v, key, n);
    size_t used = view->read_path != NULL ? view->key_len : 0;
    enum sp_code rc;

    if ((rc = anchor_of(v, view, e)) == SP_CHANGED && used == n)
        return find_file(v, view, ret, e);
    if (rc != SP_OK)
        return rc;
    used += used > 0 && used < n; /* the NUL behind the mount point */
    return go_down(view->anchor, key + used, n - used, ret, e);
}
