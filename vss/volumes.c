#include "vss/volumes.h"

#include <stdlib.h>
#include <string.h>

#include "base/path.h"

static void
volume_clear(struct volume *v)
{
    free(v->v.key);
    free(v->v.file_system);
    free(v->v.read_path);
    free(v->v.reason);
    free(v->path);
    free(v->subvolume);
    free(v->shadow);
}

enum sp_code
volumes_add(struct sp_shadow *s, const char *path, const char *file_system, struct volume **ret,
    struct sp_err *e)
{
    struct sp_buf key = SP_BUF_INIT;
    struct volume *more, v;
    size_t i;
    enum sp_code rc;

    for (i = 0; i < s->n; i++) {
        if (strcmp(s->volumes[i].path, path) == 0) {
            *ret = &s->volumes[i];
            return SP_OK;
        }
    }
    memset(&v, 0, sizeof(v));
    more = realloc(s->volumes, (s->n + 1) * sizeof(*more));
    if (more == NULL)
        return sp_fail_nomem(e);
    s->volumes = more;
    if ((rc = sp_key_from_path(path, &key, e)) != SP_OK)
        goto fail;
    if ((rc = sp_buf_take(&key, &v.v.key, &v.v.key_len, e)) != SP_OK)
        goto fail;
    v.v.file_system = strdup(file_system);
    v.v.reason = strdup("");
    v.path = strdup(path);
    if (v.v.file_system == NULL || v.v.reason == NULL || v.path == NULL) {
        rc = sp_fail_nomem(e);
        goto fail;
    }
    v.v.source = "none";
    v.v.level = SP_LEVEL_LIVE;
    s->volumes[s->n] = v;
    *ret = &s->volumes[s->n++];
    return SP_OK;
fail:
    sp_buf_free(&key);
    volume_clear(&v);
    return rc;
}

enum sp_code
volume_set_reason(struct volume *v, const char *text, struct sp_err *e)
{
    char *copy = strdup(text);

    if (copy == NULL)
        return sp_fail_nomem(e);
    free(v->v.reason);
    v->v.reason = copy;
    return SP_OK;
}

static int
by_key(const void *a, const void *b)
{
    const struct volume *x = a, *y = b;

    return sp_key_cmp(x->v.key, x->v.key_len, y->v.key, y->v.key_len);
}

void
volumes_sort(struct sp_shadow *s)
{
    if (s->n > 1)
        qsort(s->volumes, s->n, sizeof(*s->volumes), by_key);
}

enum sp_code
volumes_required(const struct sp_shadow *s, const char *advice, struct sp_err *e)
{
    for (size_t i = 0; i < s->n; i++) {
        const struct volume *v = &s->volumes[i];

        if (!v->v.pseudo && v->v.level <= SP_LEVEL_LIVE)
            return sp_fail(e, SP_UNSUPPORTED, SP_DOM_SHADOW,
                "a shadow was required and %s (%s) cannot have one: %s. Use shadow = auto to read "
                "such volumes live%s",
                v->path, v->v.file_system, v->v.reason, advice);
    }
    return SP_OK;
}

void
volumes_free(struct sp_shadow *s)
{
    size_t i;

    for (i = 0; i < s->n; i++)
        volume_clear(&s->volumes[i]);
    free(s->volumes);
    free(s->journal);
    sp_verdict_clear(&s->verdict);
    free(s);
}

size_t
sp_shadow_count(const struct sp_shadow *s)
{
    return s->n;
}

const struct sp_shadow_volume *
sp_shadow_volume(const struct sp_shadow *s, size_t i)
{
    return &s->volumes[i].v;
}

enum sp_level
sp_shadow_weakest(const struct sp_shadow *s)
{
    enum sp_level weakest = SP_LEVEL_APPLICATION;
    bool any = false;
    size_t i;

    for (i = 0; i < s->n; i++) {
        if (s->volumes[i].v.pseudo)
            continue;
        any = true;
        if (s->volumes[i].v.level < weakest)
            weakest = s->volumes[i].v.level;
    }
    return any ? weakest : SP_LEVEL_LIVE;
}
