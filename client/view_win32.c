/* Finding places by the views on Windows, where each drive, share and mounted folder is a tree of
 * its own: see view.h. The first component of a key is a drive ("C:") or a share
 * ("\\server\share"). */

#include <stdlib.h>
#include <string.h>

#include "client/look_win32.h"
#include "client/view_impl.h"

/* "C:\0mnt" is "C:/mnt/". */
static enum sp_code
path_of(const char *key, size_t n, struct sp_buf *ret, struct sp_err *e)
{
    size_t first = strnlen(key, n);

    for (size_t i = 0; i < n; i++)
        sp_buf_put_u8(ret, key[i] == '\0' || (i < first && key[i] == '\\') ? '/' : (uint8_t)key[i]);
    sp_buf_put_u8(ret, '/');
    (void)sp_buf_str(ret);
    return sp_buf_ok(ret, e);
}

enum sp_code
sp_views_volume(
    struct sp_views *v, const char *key, size_t n, struct sp_source_dir **ret, struct sp_err *e)
{
    struct sp_view_volume *volume = NULL;
    struct sp_buf path = SP_BUF_INIT;
    enum sp_code rc;

    if ((rc = path_of(key, n, &path, e)) != SP_OK)
        goto out;
    for (volume = v->volumes; volume != NULL; volume = volume->next) {
        if (strcmp(volume->path, sp_buf_str(&path)) == 0) {
            *ret = sp_dir_hold(volume->anchor);
            volume = NULL;
            goto out;
        }
    }
    if ((volume = calloc(1, sizeof *volume + path.len + 1)) == NULL) {
        rc = sp_fail_nomem(e);
        goto out;
    }
    memcpy(volume->path, sp_buf_str(&path), path.len + 1);
    rc = sp_dir_anchor(v->pool, volume->path, &v->live.kind, &volume->anchor, e);
    if (rc != SP_OK)
        goto out;
    volume->next = v->volumes;
    v->volumes = volume;
    *ret = sp_dir_hold(volume->anchor);
    volume = NULL;
out:
    free(volume);
    sp_buf_free(&path);
    return rc;
}

/* Whether a live volume is mounted on the folder `name` in `d`. */
static bool
is_mounted(struct sp_source_dir *d, const char *name)
{
    const struct sp_source_host *h = sp_dirs_host(sp_dir_pool(d));
    struct sp_ntfs_handle *of = NULL;
    struct sp_buf reparse = SP_BUF_INIT;
    struct sp_err ignored = {0};
    union sp_dir_at at;
    bool is;

    if (!sp_dir_kind(d)->live || sp_dir_use(d, &at, &ignored) != SP_OK)
        return false;
    is = h->t->open_at(h->t->self, at.ntfs, name, NTFS_FOLDER, NTFS_LOOK, &of, &ignored) == SP_OK &&
         sp_look_reparse(h, of, &reparse, &ignored) == SP_OK && sp_look_is_volume(&reparse);
    sp_dir_unuse(d);
    sp_look_close(h, of);
    sp_buf_free(&reparse);
    return is;
}

/* From `top`, which is what the first `used` bytes of the key say, down to the folder of the last
 * component. Takes `top`. */
static enum sp_code
go_down(struct sp_views *v, struct sp_source_dir *top, const char *key, size_t used, size_t n,
    struct sp_place *ret, struct sp_err *e)
{
    struct sp_source_dir *d = top;
    size_t at = used + 1, len;

    if (used == n) {
        *ret = (struct sp_place){d, "."};
        return SP_OK;
    }
    for (; (len = strlen(key + at)) < n - at; at += len + 1) {
        struct sp_source_dir *below = NULL;
        union sp_dir_at open;
        enum sp_code rc = sp_dir_open(d, key + at, NULL, true, &below, &open, e);

        if (rc == SP_OK)
            sp_dir_unuse(below);
        else if (rc == SP_CHANGED && is_mounted(d, key + at))
            rc = sp_views_volume(v, key, at + len, &below, e);
        sp_dir_release(d);
        if (rc != SP_OK)
            return rc;
        d = below;
    }
    *ret = (struct sp_place){d, key + at};
    return SP_OK;
}

/* On the live volume that is mounted at the first `used` bytes of the key. */
static enum sp_code
find_on(struct sp_views *v, size_t used, const char *key, size_t n, struct sp_place *ret,
    struct sp_err *e)
{
    struct sp_source_dir *top = NULL;
    enum sp_code rc = sp_views_volume(v, key, used, &top, e);

    return rc == SP_OK ? go_down(v, top, key, used, n, ret, e) : rc;
}

/* Above all drives there is no place. */
static bool
is_root(size_t n, struct sp_place *ret)
{
    if (n == 0)
        *ret = (struct sp_place){NULL, "."};
    return n == 0;
}

enum sp_code
sp_views_find_live(
    struct sp_views *v, const char *key, size_t n, struct sp_place *ret, struct sp_err *e)
{
    return is_root(n, ret) ? SP_OK : find_on(v, strnlen(key, n), key, n, ret, e);
}

enum sp_code
sp_views_find(struct sp_views *v, const char *key, size_t n, struct sp_place *ret, struct sp_err *e)
{
    struct sp_view *view = sp_views_longest(v, key, n);
    enum sp_code rc;

    if (is_root(n, ret))
        return SP_OK;
    if (view->read_path == NULL)
        return find_on(v, view->key_len > 0 ? view->key_len : strnlen(key, n), key, n, ret, e);
    if (view->anchor == NULL &&
        (rc = sp_dir_anchor(v->pool, view->read_path, &view->kind, &view->anchor, e)) != SP_OK)
        return rc == SP_CHANGED && view->key_len == n ? sp_views_file(v, view, ret, e) : rc;
    return go_down(v, sp_dir_hold(view->anchor), key, view->key_len, n, ret, e);
}
