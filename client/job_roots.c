#include "client/job_impl.h"

#include <stdlib.h>
#include <string.h>

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

/* As the path is really called. */
static enum sp_code
add_root(struct run *r, const char *path, struct sp_err *e)
{
    struct sp_bytes *more = realloc(r->roots, (r->nroots + 1) * sizeof *more);
    struct sp_buf key = SP_BUF_INIT;
    char *real = NULL;
    enum sp_code rc;

    if (more == NULL)
        return sp_fail_nomem(e);
    r->roots = more;
    if ((rc = sp_path_canonical(path, &real, e)) == SP_OK &&
        (rc = sp_key_from_path(real, &key, e)) == SP_OK)
        rc = sp_buf_take(&key, &more[r->nroots].p, &more[r->nroots].n, e);
    if (rc == SP_OK)
        r->nroots++;
    sp_buf_free(&key);
    free(real);
    return rc;
}

/* What lies within another root is taken with it. */
static void
settle_roots(struct run *r)
{
    size_t n = 0;

    if (r->nroots > 0)
        qsort(r->roots, r->nroots, sizeof(*r->roots), by_key);
    for (size_t i = 0; i < r->nroots; i++) {
        if (n > 0 && sp_key_within(r->roots[n - 1].p, r->roots[n - 1].n, r->roots[i].p, r->roots[i].n))
            free(r->roots[i].p);
        else
            r->roots[n++] = r->roots[i];
    }
    r->nroots = n;
}

enum sp_code
job_find_roots(struct run *r, struct sp_err *e)
{
    enum sp_code rc = SP_OK;

    for (size_t i = 0; i < r->job->paths.n && rc == SP_OK; i++)
        rc = add_root(r, r->job->paths.s[i], e);
    if (rc == SP_OK)
        settle_roots(r);
    return rc;
}

/* A writer may name what is not there (a folder of snapshots that no VM has): nothing is lost with that. */
static enum sp_code
add_application_root(struct run *r, const char *path, struct sp_err *e)
{
    struct sp_err why = {0};
    enum sp_code rc = add_root(r, path, &why);

    if (rc == SP_ABSENT && why.domain == SP_DOM_SOURCE) {
        if (r->c->verbose)
            sp_cli_say(r->c, "%s: %s, which an application names, is not there", r->job->name, path);
        return SP_OK;
    }
    if (rc != SP_OK)
        *e = why;
    return rc;
}

enum sp_code
job_add_roots(struct run *r, struct sp_err *e)
{
    size_t n;
    const char *const *roots = sp_shadow_roots(r->shadow, &n);
    enum sp_code rc = SP_OK;

    for (size_t i = 0; i < n && rc == SP_OK; i++)
        rc = add_application_root(r, roots[i], e);
    if (rc == SP_OK && r->documents != NULL)
        rc = add_root(r, r->documents, e);
    if (rc != SP_OK)
        return rc;
    settle_roots(r);
    if (r->nroots == 0)
        return sp_fail(e, SP_ABSENT, SP_DOM_SOURCE,
            "none of the files of the applications that the job asks for is there");
    return SP_OK;
}

/* --- what is left out ------------------------------------------------------------------------- */

void
job_pattern_of(const void *key, size_t n, struct sp_buf *to)
{
    const uint8_t *p = key;

    sp_buf_put_u8(to, '/');
    for (size_t i = 0; i < n; i++) {
        if (p[i] != '\0' && strchr("\\*?[]!# ", p[i]) != NULL)
            sp_buf_put_u8(to, '\\');
        sp_buf_put_u8(to, p[i] == '\0' ? '/' : p[i]);
    }
}

static bool
has_writer(const void *arg, const char *name)
{
    return sp_shadow_has_writer(arg, name);
}

/* VSS's documents are taken whatever the job's patterns say of names like theirs. */
static enum sp_code
take_documents(struct run *r, struct sp_err *e)
{
    struct sp_buf b = SP_BUF_INIT;
    enum sp_code rc;

    if (r->documents == NULL)
        return SP_OK;
    sp_buf_put_u8(&b, '!');
    job_pattern_of(r->documents_key.data, r->documents_key.len, &b);
    sp_buf_put_str(&b, "/*");
    (void)sp_buf_str(&b);
    if ((rc = sp_buf_ok(&b, e)) == SP_OK)
        rc = sp_strings_add(&r->patterns, sp_buf_str(&b), e);
    sp_buf_free(&b);
    return rc;
}

/* Of the components that fell below what is demanded of them. First all of it, so that folders that it takes back
 * (vss/shadow_vss_files.c) stay out where the job leaves them out; at last what takes nothing back, so that the job takes none
 * of it back either. */
static enum sp_code
leave_out(struct run *r, bool first, struct sp_err *e)
{
    const struct sp_verdict *v = r->shadow != NULL ? sp_shadow_verdict(r->shadow) : NULL;
    enum sp_code rc = SP_OK;

    for (size_t i = 0; r->left != NULL && i < v->ncomponents && rc == SP_OK; i++) {
        size_t n = 0;
        const char *const *files = r->left[i] ? sp_shadow_files(r->shadow, i, &n) : NULL;

        for (size_t k = 0; k < n && rc == SP_OK; k++)
            if (first || (files[k][0] != '!' && (k + 1 == n || files[k + 1][0] != '!')))
                rc = sp_strings_add(&r->patterns, files[k], e);
    }
    return rc;
}

enum sp_code
job_make_filter(struct run *r, struct sp_err *e)
{
    struct sp_system_excludes system = {0};
    struct sp_writers_excludes writers = {.has_writer = has_writer, .arg = r->shadow};
    enum sp_code rc;

    sp_filter_free(r->filter);
    r->filter = NULL;
    sp_strings_clear(&r->patterns);
    if (r->shadow != NULL)
        writers.patterns = sp_shadow_excludes(r->shadow, &writers.n);
    rc = sp_system_excludes_get(&system, e);
    if (rc == SP_OK)
        rc = leave_out(r, true, e);
    if (rc == SP_OK)
        rc = sp_job_patterns(r->job, &system, r->shadow != NULL ? &writers : NULL, &r->patterns, e);
    sp_system_excludes_clear(&system);
    if (rc == SP_OK)
        rc = take_documents(r, e);
    if (rc == SP_OK)
        rc = leave_out(r, false, e);
    if (rc != SP_OK)
        return rc;
    return sp_filter_new((const char *const *)r->patterns.s, r->patterns.n, sp_paths_fold, &r->filter, e);
}

/* --- change journals -------------------------------------------------------------------------- */

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
