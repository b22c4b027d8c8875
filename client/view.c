#include "client/view.h"

#include <stdlib.h>
#include <string.h>

#include "base/fold.h"
#include "base/path.h"
#include "base/text.h"
#include "client/view_impl.h"

static enum sp_code
copy_view(const struct sp_view_map *from, int64_t started_ns, struct sp_view *to, struct sp_err *e)
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
    /* A shadow is named as the system names it ("\\?\GLOBALROOT\Device\…"), paths are inside. */
    for (char *p = to->read_path; p != NULL && sp_path_backslash && *p != '\0'; p++) {
        if (*p == '\\')
            *p = '/';
    }
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
        struct sp_view *view = &v->views[v->n++];

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
    while (v->volumes != NULL) {
        struct sp_view_volume *next = v->volumes->next;

        sp_dir_release(v->volumes->anchor);
        free(v->volumes);
        v->volumes = next;
    }
    sp_dir_release(v->live.anchor);
    free(v->views);
    free(v);
}

/* Windows' writers name files in a case of their own, which no walk will write. */
static bool
covers(const struct sp_view *v, const void *key, size_t n)
{
    const char *k = key;

    if (!sp_path_backslash)
        return sp_key_within(v->key, v->key_len, key, n);
    return v->key_len == 0 ||
           (v->key_len <= n && (v->key_len == n || k[v->key_len] == '\0') &&
               sp_fold_equal((const char *)v->key, v->key_len, k, v->key_len));
}

/* The last one of equal keys, so that the caller's order says which holds. */
struct sp_view *
sp_views_longest(const struct sp_views *v, const void *key, size_t n)
{
    struct sp_view *found = NULL;

    for (size_t i = 0; i < v->n; i++)
        if (covers(&v->views[i], key, n) &&
            (found == NULL || v->views[i].key_len >= found->key_len))
            found = &v->views[i];
    return found;
}

enum sp_view_here
sp_views_here(const struct sp_views *v, const void *key, size_t n)
{
    const struct sp_view *view;

    if (v->n == 1 || (view = sp_views_longest(v, key, n))->key_len != n)
        return SP_VIEW_NONE;
    return view->skip ? SP_VIEW_SKIPPED : SP_VIEW_MOUNTED;
}

bool
sp_views_switch(
    const struct sp_views *v, const struct sp_source_dir *from, const void *key, size_t n)
{
    const struct sp_dir_kind *now = sp_dir_kind(from);
    const struct sp_view *view;

    if (sp_views_here(v, key, n) != SP_VIEW_MOUNTED)
        return false;
    view = sp_views_longest(v, key, n);
    /* A live volume below a live folder is where it always is. */
    return !view->kind.live || !now->live || view->kind.shadow != now->shadow ||
           view->kind.instant_ns != now->instant_ns;
}

enum sp_code
sp_views_go_down(
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
        union sp_dir_at at;
        enum sp_code rc = sp_dir_open(d, rest, NULL, true, &below, &at, e);

        sp_dir_release(d);
        if (rc != SP_OK)
            return rc;
        sp_dir_unuse(below);
        d = below;
    }
    *ret = (struct sp_place){d, rest};
    return SP_OK;
}

enum sp_code
sp_views_file(
    const struct sp_views *v, const struct sp_view *view, struct sp_place *ret, struct sp_err *e)
{
    const char *last = NULL;
    struct sp_place place = {0};
    char *folder;
    enum sp_code rc;

    // NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): a view of a file has a path
    for (const char *p = view->read_path; *p != '\0'; p++)
        if (*p == '/')
            last = p;
    if (last == NULL || last[1] == '\0')
        return sp_fail(e, SP_INVALID, SP_DOM_CONFIG, "'%.400s' is no absolute path of a file",
            view->read_path);
    if ((folder = sp_text_copy(view->read_path, (size_t)(last - view->read_path) + 1)) == NULL)
        return sp_fail_nomem(e);
    if ((rc = sp_dir_anchor(v->pool, folder, &view->kind, &place.dir, e)) == SP_OK) {
        place.name = last + 1;
        *ret = place;
    }
    free(folder);
    return rc;
}
