#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "vss/requester_impl.h"

/* Which volumes there are. A share's shadows would be its server's; what VSS says of a volume is
 * asked once. */

static void
volume_clear(struct rq_volume *v)
{
    free(v->mount);
    free(v->volume);
    free(v->file_system);
    free(v->reason);
    free(v->key);
}

void
rq_volumes_clear(struct rq_volumes *t)
{
    for (size_t i = 0; i < t->n; i++)
        volume_clear(&t->v[i]);
    free(t->v);
    memset(t, 0, sizeof *t);
}

enum sp_code
rq_volume_refuse(struct rq_volume *v, const char *reason, struct sp_err *e)
{
    char *copy = strdup(reason);

    if (copy == NULL)
        return sp_fail_nomem(e);
    free(v->reason);
    v->reason = copy;
    v->can = false;
    return SP_OK;
}

static enum sp_code
ask(struct rq_volume *v, const struct sp_vss_api *api, struct sp_vss_session *s, struct sp_err *e)
{
    bool supported = true;

    v->can = true;
    v->remote = api->remote(api->self, v->mount);
    if (v->remote)
        return rq_volume_refuse(
            v, "it is on a share: only the server of the share could make a shadow", e);
    /* Handed to AddToSnapshotSet it would be E_INVALIDARG, and the end of the whole set. */
    if (v->volume[0] == '\0')
        return rq_volume_refuse(v,
            "the system has no volume of its own for it (a drive made with subst, or by a "
            "program): "
            "VSS makes no shadows of such; where it stands for a folder, name that folder",
            e);
    /* Where that cannot be told AddToSnapshotSet tells it. */
    if (s != NULL && !sp_vss_failed(api->volume_supported(s, v->volume, &supported)) && !supported)
        return rq_volume_refuse(v, "VSS makes no shadows of volumes of this kind", e);
    return SP_OK;
}

static enum sp_code
add(struct rq_volumes *t, const struct sp_vss_api *api, struct sp_vss_session *s, const char *mount,
    const char *volume, size_t *ret, struct sp_err *e)
{
    struct rq_volume v = {0}, *more;
    struct sp_buf key = SP_BUF_INIT;
    enum sp_code rc;

    for (size_t i = 0; i < t->n; i++) {
        if (strcmp(t->v[i].mount, mount) == 0) {
            *ret = i;
            return SP_OK;
        }
    }
    if ((more = realloc(t->v, (t->n + 1) * sizeof *more)) == NULL)
        return sp_fail_nomem(e);
    t->v = more;
    v.mount = strdup(mount);
    v.volume = strdup(volume != NULL ? volume : "");
    v.file_system = api->file_system(api->self, mount);
    if (v.mount == NULL || v.volume == NULL || v.file_system == NULL) {
        rc = sp_fail_nomem(e);
        goto out;
    }
    if ((rc = sp_key_from_path(mount, &key, e)) != SP_OK ||
        (rc = sp_buf_take(&key, &v.key, &v.key_len, e)) != SP_OK ||
        (rc = ask(&v, api, s, e)) != SP_OK)
        goto out;
    *ret = t->n;
    t->v[t->n++] = v;
    memset(&v, 0, sizeof v);
out:
    sp_buf_free(&key);
    volume_clear(&v);
    return rc;
}

enum sp_code
rq_volumes_cover(struct rq_volumes *t, const struct sp_vss_api *api, struct sp_vss_session *s,
    const char *path, size_t *ret, struct sp_err *e)
{
    char *mount = NULL, *volume = NULL;
    enum sp_code rc = api->covering(api->self, path, &mount, &volume, e);

    if (rc == SP_OK)
        rc = add(t, api, s, mount, volume, ret, e);
    free(mount);
    free(volume);
    return rc;
}

struct search {
    struct rq_volumes *t;
    const struct sp_vss_api *api;
    struct sp_vss_session *s;
};

static enum sp_code
found(void *arg, const char *mount, const char *volume, struct sp_err *e)
{
    struct search *search = arg;
    size_t at;
    enum sp_code rc = add(search->t, search->api, search->s, mount, volume, &at, e);

    if (rc == SP_OK)
        search->t->v[at].wanted = true;
    return rc;
}

enum sp_code
rq_volumes_want(struct rq_volumes *t, const struct sp_vss_api *api, struct sp_vss_session *s,
    const char *root, bool below, struct sp_err *e)
{
    struct search search = {t, api, s};
    size_t at;
    enum sp_code rc = rq_volumes_cover(t, api, s, root, &at, e);

    if (rc == SP_OK)
        t->v[at].wanted = true;
    if (rc == SP_OK && below)
        rc = api->below(api->self, root, found, &search, e);
    return rc;
}

static int
by_key(const void *a, const void *b)
{
    const struct rq_volume *x = a, *y = b;

    return sp_key_cmp(x->key, x->key_len, y->key, y->key_len);
}

void
rq_volumes_sort(struct rq_volumes *t)
{
    if (t->n > 1)
        qsort(t->v, t->n, sizeof *t->v, by_key);
}

/* The path's own components below the mount point, counted from the mount point's: that one may be
 * written in another case. */
enum sp_code
rq_volume_place(
    const struct rq_volume *v, const char *device, const char *path, char **ret, struct sp_err *e)
{
    struct sp_buf key = SP_BUF_INIT, place = SP_BUF_INIT;
    size_t skip = sp_key_depth(v->key, v->key_len), at = 0;
    uint8_t *text;
    size_t n;
    enum sp_code rc;

    if ((rc = sp_key_from_path(path, &key, e)) != SP_OK)
        goto out;
    for (; skip > 0 && at < key.len; skip--) {
        while (at < key.len && key.data[at] != '\0')
            at++;
        at += at < key.len;
    }
    sp_buf_put_str(&place, device);
    if (at < key.len || sp_path_backslash) /* a device alone is no folder */
        sp_buf_put_u8(&place, sp_path_backslash ? '\\' : '/');
    for (; at < key.len; at++)
        sp_buf_put_u8(&place, key.data[at] != '\0' ? key.data[at] : sp_path_backslash ? '\\' : '/');
    sp_buf_put_u8(&place, '\0');
    if ((rc = sp_buf_take(&place, &text, &n, e)) == SP_OK)
        *ret = (char *)text;
out:
    sp_buf_free(&key);
    sp_buf_free(&place);
    return rc;
}
