#include "client/job_impl.h"

#include <stdlib.h>

#include "base/path.h"
#include "client/canonical.h"
#include "client/system_excludes.h"

/* What a run backs up: its roots, what is left out, and the change journals of their volumes. */

static int
by_key(const void *a, const void *b)
{
    const struct sp_bytes *x = a, *y = b;

    return sp_key_cmp(x->p, x->n, y->p, y->n);
}

enum sp_code
job_find_roots(struct run *r, struct sp_err *e)
{
    struct sp_buf key = SP_BUF_INIT;
    char *path = NULL;
    size_t i, n = 0;
    enum sp_code rc = SP_OK;

    r->roots = calloc(r->job->paths.n, sizeof(*r->roots));
    if (r->roots == NULL)
        return sp_fail_nomem(e);
    for (i = 0; i < r->job->paths.n && rc == SP_OK; i++) {
        rc = sp_path_canonical(r->job->paths.s[i], &path, e);
        if (rc == SP_OK)
            rc = sp_key_from_path(path, &key, e);
        if (rc == SP_OK)
            rc = sp_buf_take(&key, &r->roots[r->nroots].p, &r->roots[r->nroots].n, e);
        if (rc == SP_OK)
            r->nroots++;
        free(path);
        path = NULL;
    }
    sp_buf_free(&key);
    if (rc != SP_OK)
        return rc;
    qsort(r->roots, r->nroots, sizeof(*r->roots), by_key);
    for (i = 0; i < r->nroots; i++) { /* what lies within another root is taken with it */
        if (n > 0 && sp_key_within(r->roots[n - 1].p, r->roots[n - 1].n, r->roots[i].p, r->roots[i].n))
            free(r->roots[i].p);
        else
            r->roots[n++] = r->roots[i];
    }
    r->nroots = n;
    return SP_OK;
}

enum sp_code
job_make_filter(struct run *r, struct sp_err *e)
{
    struct sp_system_excludes system = {0};
    enum sp_code rc = sp_system_excludes_get(&system, e);

    if (rc == SP_OK)
        rc = sp_job_patterns(r->job, &system, NULL, &r->patterns, e);
    sp_system_excludes_clear(&system);
    if (rc != SP_OK)
        return rc;
    return sp_filter_new((const char *const *)r->patterns.s, r->patterns.n, sp_paths_fold, &r->filter, e);
}

enum sp_code
job_begin_journals(struct run *r, struct sp_err *e)
{
    const struct sp_ntfs *t = sp_usn_here();
    struct sp_usn_options o = {.job = r->job->name,
        .roots = r->roots,
        .nroots = r->nroots,
        .patterns = (const char *const *)r->patterns.s,
        .npatterns = r->patterns.n,
        .one_file_system = r->job->one_file_system,
        .cachedir_tag = r->job->cachedir_tag};
    char *state = NULL, *folder = NULL;
    enum sp_code rc;

    if (t == NULL || !r->job->change_journal)
        return SP_OK;
    if ((rc = sp_os_place(SP_PLACE_STATE, &state, e)) != SP_OK)
        return rc;
    if ((folder = sp_path_join(state, "usn")) == NULL)
        rc = sp_fail_nomem(e);
    o.folder = folder;
    if (rc == SP_OK && (rc = sp_os_mkdirs(r->c->env->os, folder, e)) == SP_OK)
        rc = sp_usn_begin(r->c->env, t, &o, &r->usn, e);
    free(state);
    free(folder);
    return rc;
}
