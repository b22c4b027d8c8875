#include "client/job_impl.h"

#include <stdlib.h>
#include <string.h>

#include "base/path.h"

/* Where a run reads: its shadows, and what the record says of each volume. */

enum sp_code
job_take_shadow(struct run *r, struct sp_err *e)
{
    struct sp_shadow_options o = {0};
    struct sp_shadow_root *roots = calloc(r->nroots, sizeof(*roots));
    size_t i, removed = 0;
    struct sp_err janitor = {0};
    enum sp_code rc;

    if (roots == NULL)
        return sp_fail_nomem(e);
    for (i = 0; i < r->nroots; i++) {
        roots[i].key = r->roots[i].p;
        roots[i].key_len = r->roots[i].n;
    }
    o.roots = roots;
    o.nroots = r->nroots;
    o.want = r->job->shadow;
    o.one_file_system = r->job->one_file_system;
    o.journal_dir = r->state_dir;
    if (sp_shadow_janitor(r->c->env, r->state_dir, &removed, &janitor) != SP_OK)
        sp_cli_warn(r->c, "shadows of an earlier run: %s", janitor.text);
    else if (removed > 0)
        sp_cli_warn(r->c, "removed %zu shadows that an earlier run had left", removed);
    rc = sp_shadow_plan(r->c->env, &o, &r->shadow, e);
    if (rc == SP_OK)
        rc = sp_shadow_take(r->shadow, e);
    free(roots);
    return rc;
}

enum sp_code
job_map_volumes(struct run *r, struct sp_err *e)
{
    const struct sp_shadow_volume *v;
    size_t i, n = sp_shadow_count(r->shadow);
    struct sp_view_map *view;
    struct sp_volume *record;

    r->views = calloc(n + 1, sizeof(*r->views));
    r->volumes = calloc(n + 1, sizeof(*r->volumes));
    if (r->views == NULL || r->volumes == NULL)
        return sp_fail_nomem(e);
    /* The longest match wins; the first one is for everything that no volume covers. */
    r->views[0].key = (const uint8_t *)"";
    r->nviews = 1;
    for (i = 0; i < n; i++) {
        struct sp_buf path = SP_BUF_INIT;

        v = sp_shadow_volume(r->shadow, i);
        view = &r->views[v->key_len == 0 ? 0 : r->nviews++];
        view->key = v->key;
        view->key_len = v->key_len;
        view->read_path = v->read_path;
        view->shadow = v->read_path != NULL;
        view->instant_ns = v->instant_ns;
        view->skip = v->pseudo;
        if (v->pseudo)
            continue;
        record = &r->volumes[r->nvolumes];
        sp_key_to_path(v->key, v->key_len, &path);
        record->path = strdup(sp_buf_str(&path));
        sp_buf_free(&path);
        if (record->path == NULL)
            return sp_fail_nomem(e);
        r->nvolumes++;
        record->file_system = v->file_system;
        record->source = (char *)(uintptr_t)v->source;
        record->reason = v->reason;
        record->consistency = v->level;
        record->instant_ns = v->instant_ns;
    }
    return SP_OK;
}
