#include "client/job_impl.h"

#include <string.h>

#include "base/path.h"
#include "client/in_use.h"
#include "client/watch.h"

/* VMs and documents that no writer speaks for (watch.h), as this run reads them. */

static enum sp_code
read_path(void *arg, const void *key, size_t n, struct sp_buf *ret, struct sp_err *e)
{
    const struct run *r = arg;
    const struct sp_view_map *view = job_view_of(r, key, n);
    const uint8_t *p = key;
    size_t at;

    if (view == NULL || view->read_path == NULL) {
        sp_key_to_path(key, n, ret);
        return sp_buf_ok(ret, e);
    }
    sp_buf_put_str(ret, view->read_path);
    at = view->key_len + (view->key_len > 0 && view->key_len < n); /* the NUL between */
    while (at < n && ret->len > 0 &&
           (ret->data[ret->len - 1] == '/' || ret->data[ret->len - 1] == '\\'))
        ret->len--;
    if (at < n)
        sp_buf_put_u8(ret, '/');
    for (; at < n; at++)
        sp_buf_put_u8(ret, p[at] == '\0' ? '/' : p[at]);
    return sp_buf_ok(ret, e);
}

static bool
in_set(void *arg, const void *key, size_t n)
{
    const struct run *r = arg;
    const uint8_t *p = key;
    size_t root = SIZE_MAX;

    for (size_t i = 0; i < r->nroots && root == SIZE_MAX; i++)
        if (sp_key_within(r->roots[i].p, r->roots[i].n, key, n))
            root = r->roots[i].n;
    if (root == SIZE_MAX)
        return false;
    for (size_t at = root + 1; at <= n; at++) /* the root itself is always in */
        if ((at == n || p[at] == '\0') && sp_filter_excludes(r->filter, key, at, at < n))
            return false;
    return true;
}

static enum sp_level
level(void *arg, const void *key, size_t n)
{
    const struct run *r = arg;
    const struct sp_shadow_volume *on = NULL;

    if (!in_set(arg, key, n))
        return SP_LEVEL_NONE;
    if (job_reads_live(r, key, n))
        return SP_LEVEL_LIVE;
    for (size_t i = 0; i < sp_shadow_count(r->shadow); i++) {
        const struct sp_shadow_volume *v = sp_shadow_volume(r->shadow, i);

        if (sp_key_within(v->key, v->key_len, key, n) && (on == NULL || v->key_len >= on->key_len))
            on = v;
    }
    return on != NULL ? on->level : SP_LEVEL_LIVE;
}

static bool
in_use(void *arg, const void *key, size_t n)
{
    struct sp_buf path = SP_BUF_INIT;
    bool held;

    (void)arg;
    sp_key_to_path(key, n, &path);
    held = !path.failed && sp_file_in_use(sp_buf_str(&path));
    sp_buf_free(&path);
    return held;
}

enum sp_code
job_watched(struct run *r, struct sp_verdict *v, struct sp_err *e)
{
    const struct sp_watch_place place = {read_path, level, in_set, in_use, r};
    size_t notes = v->nnotes;
    enum sp_code rc = sp_watch_finish(r->watch, &place, v, e);

    r->watch_notes = notes;
    r->nwatch_notes = v->nnotes - notes;
    return rc;
}

/* What a writer's unit is part of decides over it, as it ended. */
static void
follow_parent(const struct sp_verdict *v, struct sp_verdict_component *c, size_t nsaid)
{
    const struct sp_verdict_component *of;

    if (c->parent >= nsaid)
        return;
    of = &v->components[c->parent];
    c->level = of->level;
    c->why = of->why;
    c->hresult = of->hresult;
}

enum sp_code
job_watched_before(const struct run *r, struct sp_verdict *v, size_t nbefore, struct sp_err *e)
{
    struct sp_verdict old = {0};
    size_t nsaid = v->ncomponents;
    enum sp_code rc;

    if ((rc = sp_verdict_copy(&r->verdict, &old, e)) != SP_OK)
        return rc;
    for (size_t i = nbefore; i < old.ncomponents && rc == SP_OK; i++) {
        struct sp_verdict_component *c;

        if ((rc = sp_verdict_add_component(v, &c, e)) == SP_OK) { /* moved */
            *c = old.components[i];
            memset(&old.components[i], 0, sizeof old.components[i]);
            follow_parent(v, c, nsaid);
        }
    }
    for (size_t i = 0; i < r->nwatch_notes && rc == SP_OK; i++)
        rc = sp_verdict_note(v, e, "%s", old.notes[r->watch_notes + i]);
    sp_verdict_clear(&old);
    return rc;
}
