#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "vss/glob.h"
#include "vss/requester_impl.h"
#include "vss/select_impl.h"

/* Which files of a component are read from a shadow set of its own: each file that is named
 * exactly, else the folder. */

static bool
exact(const struct sp_vss_files *f)
{
    return !f->recursive && f->spec[0] != '\0' && strpbrk(f->spec, "*?") == NULL;
}

static enum sp_code
path_of(const struct sp_vss_files *f, char **ret, struct sp_err *e)
{
    const char separator = sp_path_backslash ? '\\' : '/';
    struct sp_buf path = SP_BUF_INIT;
    uint8_t *text;
    size_t n;
    enum sp_code rc;

    sp_buf_put_str(&path, select_files_folder(f));
    if (exact(f)) {
        if (path.len > 0 && path.data[path.len - 1] != (uint8_t)separator)
            sp_buf_put_u8(&path, (uint8_t)separator);
        sp_buf_put_str(&path, f->spec);
    }
    sp_buf_put_u8(&path, '\0');
    if ((rc = sp_buf_take(&path, &text, &n, e)) == SP_OK)
        *ret = (char *)text;
    return rc;
}

static bool
there_already(const struct rq_overrides *o, const uint8_t *key, size_t n, size_t component)
{
    for (size_t i = 0; i < o->n; i++) {
        if (o->v[i].component == component && o->v[i].key_len == n &&
            memcmp(o->v[i].key, key, n) == 0)
            return true;
    }
    return false;
}

static enum sp_code
add(struct sp_requester *r, size_t component, const struct sp_vss_files *f, struct rq_overrides *o,
    struct sp_err *e)
{
    struct rq_override one = {.component = component}, *more;
    struct sp_buf key = SP_BUF_INIT;
    bool is_key = false;
    enum sp_code rc;

    if ((rc = path_of(f, &one.path, e)) != SP_OK ||
        (rc = select_scope_key(one.path, &key, &is_key, e)) != SP_OK)
        goto out;
    if (!is_key) {
        rc = sp_fail(e, SP_UNSUPPORTED, SP_DOM_SHADOW, "'%s' is no place of a file", one.path);
        goto out;
    }
    if ((rc = sp_buf_take(&key, &one.key, &one.key_len, e)) != SP_OK ||
        there_already(o, one.key, one.key_len, component))
        goto out;
    if ((rc = rq_volumes_cover(&r->volumes, rq_api(r), NULL, one.path, &one.volume, e)) != SP_OK)
        goto out;
    if ((more = realloc(o->v, (o->n + 1) * sizeof *more)) == NULL) {
        rc = sp_fail_nomem(e);
        goto out;
    }
    o->v = more;
    o->v[o->n++] = one;
    memset(&one, 0, sizeof one);
out:
    sp_buf_free(&key);
    free(one.path);
    free(one.key);
    return rc;
}

enum sp_code
rq_overrides_find(
    struct sp_requester *r, const uint8_t *which, struct rq_overrides *ret, struct sp_err *e)
{
    enum sp_code rc = SP_OK;

    for (size_t i = 0; i < r->plan.nchoices && rc == SP_OK; i++) {
        const struct sp_vss_choice *c = &r->plan.choices[i];
        const struct sp_vss_component *m = &r->metadata.writers[c->writer].components[c->component];

        for (size_t k = 0; which[i] && k < m->nfiles && rc == SP_OK; k++)
            rc = add(r, i, &m->files[k], ret, e);
    }
    return rc;
}

/* Whether a component's pattern speaks of what lies at the override. One that cannot be compared
 * does. */
static bool
speaks_of(const struct sp_vss_files *f, const struct rq_override *o)
{
    struct sp_buf key = SP_BUF_INIT;
    struct sp_err ignored;
    bool is_key = false, speaks;
    const char *name;
    size_t n;

    if (exact(f))
        return false;
    speaks = select_scope_key(select_files_folder(f), &key, &is_key, &ignored) != SP_OK || !is_key;
    if (!speaks && sp_key_within(key.data, key.len, o->key, o->key_len)) {
        name = sp_key_name(o->key, o->key_len, &n);
        speaks = f->recursive ||
                 (sp_key_depth(o->key, o->key_len) == sp_key_depth(key.data, key.len) + 1 &&
                     (f->spec[0] == '\0' || strcmp(f->spec, "*.*") == 0 ||
                         sp_vss_glob(f->spec, strlen(f->spec), name, n, sp_path_backslash)));
    }
    sp_buf_free(&key);
    return speaks;
}

/* Whether a file of a component that stays lies at or below the override, or the override below a
 * folder of it. */
static bool
takes_from(const struct sp_requester *r, const struct rq_override *o, const struct sp_vss_choice *c)
{
    const struct sp_vss_component *m = &r->metadata.writers[c->writer].components[c->component];
    bool takes = false;

    for (size_t i = 0; i < c->npaths && !takes; i++) {
        struct sp_buf key = SP_BUF_INIT;
        struct sp_err ignored;
        bool is_key = false;

        /* One that cannot be compared counts as taken. */
        takes = select_scope_key(c->paths[i], &key, &is_key, &ignored) != SP_OK || !is_key ||
                sp_key_within(o->key, o->key_len, key.data, key.len);
        sp_buf_free(&key);
    }
    for (size_t i = 0; i < m->nfiles && !takes; i++)
        takes = speaks_of(&m->files[i], o);
    return takes;
}

bool
rq_overrides_clash(
    struct sp_requester *r, const struct rq_overrides *o, size_t component, const uint8_t *which)
{
    for (size_t i = 0; i < o->n; i++) {
        if (o->v[i].component != component &&
            r->plan.choices[o->v[i].component].parent != component)
            continue;
        for (size_t k = 0; k < r->plan.nchoices; k++) {
            if (!which[k] && takes_from(r, &o->v[i], &r->plan.choices[k]))
                return true;
        }
    }
    return false;
}

static enum sp_code
keep(struct sp_requester *r, const struct rq_override *o, struct sp_err *e)
{
    const struct rq_volume *v = &r->volumes.v[o->volume];
    const struct rq_shadow *shadow = rq_shadow_of(&r->second, v->volume);
    struct sp_requester_override *to = &r->overrides[r->noverrides];
    char *place = NULL;
    enum sp_code rc;

    if (shadow == NULL)
        return sp_fail(e, SP_INTERNAL, SP_DOM_SELF, "%s is in no shadow of its set", o->path);
    if ((rc = rq_volume_place(v, shadow->device, o->path, &place, e)) != SP_OK)
        return rc;
    if ((to->path = strdup(o->path)) == NULL) {
        free(place);
        return sp_fail_nomem(e);
    }
    to->read_path = place;
    to->shadow = r->second.shadow;
    to->instant_ns = r->second.instant_ns;
    r->noverrides++;
    return SP_OK;
}

enum sp_code
rq_overrides_keep(
    struct sp_requester *r, const struct rq_overrides *o, const uint8_t *which, struct sp_err *e)
{
    enum sp_code rc = SP_OK;

    if ((r->overrides = calloc(o->n + 1, sizeof *r->overrides)) == NULL)
        return sp_fail_nomem(e);
    for (size_t i = 0; i < o->n && rc == SP_OK; i++) {
        if (which[o->v[i].component])
            rc = keep(r, &o->v[i], e);
    }
    return rc;
}

void
rq_overrides_clear(struct rq_overrides *o)
{
    for (size_t i = 0; i < o->n; i++) {
        free(o->v[i].path);
        free(o->v[i].key);
    }
    free(o->v);
    memset(o, 0, sizeof *o);
}
