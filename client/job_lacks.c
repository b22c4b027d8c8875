#include "client/job_impl.h"

#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "client/canonical.h"
#include "client/system_excludes.h"

/* A writer that hears of success may throw away what it believes to be in the set: SQL Server and
 * Exchange their logs. So what a writer names and the set does not have is looked for where the
 * walk leaves it out and where the reading fails. */

struct lacks {
    struct sp_filter *without_job; /* what would be left out if the job had no patterns */
    struct sp_filter **files;      /* of each component; NULL: it has none */
    char **first;                  /* of each component: the first that is missing */
    size_t n;
    bool no_memory;
};

static bool
has_writer(const void *arg, const char *name)
{
    return sp_shadow_has_writer(arg, name);
}

static enum sp_code
make_without_job(struct run *r, struct sp_filter **ret, struct sp_err *e)
{
    struct sp_writers_excludes writers = {.has_writer = has_writer, .arg = r->shadow};
    struct sp_system_excludes system = {0};
    struct sp_strings patterns = {0};
    struct sp_job job = *r->job;
    enum sp_code rc;

    job.exclude = (struct sp_strings){0};
    writers.patterns = sp_shadow_excludes(r->shadow, &writers.n);
    if ((rc = sp_system_excludes_get(&system, e)) == SP_OK)
        rc = sp_job_patterns(&job, &system, &writers, &patterns, e);
    if (rc == SP_OK)
        rc = sp_filter_new((const char *const *)patterns.s, patterns.n, sp_paths_fold, ret, e);
    sp_system_excludes_clear(&system);
    sp_strings_clear(&patterns);
    return rc;
}

enum sp_code
job_begin_lacks(struct run *r, struct sp_err *e)
{
    struct lacks *l = calloc(1, sizeof *l);
    enum sp_code rc;

    if (l == NULL)
        return sp_fail_nomem(e);
    r->lacks = l;
    l->files = calloc(r->ncomponents + 1, sizeof *l->files);
    l->first = calloc(r->ncomponents + 1, sizeof *l->first);
    if (l->files == NULL || l->first == NULL)
        return sp_fail_nomem(e);
    l->n = r->ncomponents;
    rc = make_without_job(r, &l->without_job, e);
    for (size_t i = 0; i < l->n && rc == SP_OK; i++) {
        size_t n = 0;
        const char *const *files = sp_shadow_files(r->shadow, i, &n);

        if (n > 0)
            rc = sp_filter_new(files, n, sp_paths_fold, &l->files[i], e);
    }
    return rc;
}

static char *
path_of(const void *key, size_t n)
{
    struct sp_buf path = SP_BUF_INIT;
    char *copy = NULL;

    sp_key_to_path(key, n, &path);
    if (!path.failed)
        copy = strdup(sp_buf_str(&path));
    sp_buf_free(&path);
    return copy;
}

void
job_left_out(struct run *r, const void *key, size_t n, bool is_dir)
{
    struct lacks *l = r->lacks;

    if (l == NULL || l->n == 0 || sp_filter_excludes(l->without_job, key, n, is_dir))
        return;
    for (size_t i = 0; i < l->n; i++) {
        if (l->files[i] == NULL || l->first[i] != NULL || (r->left != NULL && r->left[i]))
            continue;
        if (is_dir ? !sp_filter_may_select_below(l->files[i], key, n)
                   : !sp_filter_excludes(l->files[i], key, n, false))
            continue;
        if ((l->first[i] = path_of(key, n)) == NULL)
            l->no_memory = true;
    }
}

const char *
job_lacks(const struct run *r, size_t component)
{
    const struct lacks *l = r->lacks;

    if (l == NULL || component >= l->n)
        return NULL;
    /* Whose file it was is not known then: nobody is whole. */
    return l->first[component] == NULL && l->no_memory ? "" : l->first[component];
}

void
job_clear_lacks(struct run *r)
{
    struct lacks *l = r->lacks;

    if (l == NULL)
        return;
    for (size_t i = 0; i < l->n; i++) {
        sp_filter_free(l->files[i]);
        free(l->first[i]);
    }
    sp_filter_free(l->without_job);
    free(l->files);
    free(l->first);
    free(l);
}
