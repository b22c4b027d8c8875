#include "client/job_impl.h"

#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "client/canonical.h"
#include "client/job_files.h"

/* What the writers say of themselves and the session's document, as VSS gives them (XML): a restore
 * through the writers begins with them
 * (learn.microsoft.com/windows/win32/vss/overview-of-preparing-for-restore). They are written into
 * a folder of this job's, which is a part of the set. */

/* The first document makes the folder. */
static enum sp_code
make_folder(struct run *r, struct sp_err *e)
{
    char *folder = NULL;
    enum sp_code rc;

    if ((rc = sp_job_documents(r->c->env, r->job->name, &folder, e)) == SP_OK &&
        (rc = sp_path_canonical(folder, &r->documents, e)) == SP_OK)
        rc = sp_key_from_path(r->documents, &r->documents_key, e);
    free(folder);
    return rc;
}

static enum sp_code
write_one(void *arg, const char *name, const void *p, size_t n, struct sp_err *e)
{
    struct run *r = arg;
    char *path;
    enum sp_code rc;

    if (r->documents == NULL && (rc = make_folder(r, e)) != SP_OK)
        return rc;
    if ((path = sp_path_join(r->documents, name)) == NULL)
        return sp_fail_nomem(e);
    rc = sp_os_write_file(r->c->env->os, path, p, n, e);
    free(path);
    return rc;
}

/* A folder above it that the job's patterns leave out takes it along: what is in such a folder
 * cannot be taken back. */
static bool
out_of_reach(const struct run *r)
{
    const uint8_t *key = r->documents_key.data;
    size_t n = r->documents_key.len, root = 0;

    for (size_t i = 0; i < r->nroots; i++)
        if (sp_key_within(r->roots[i].p, r->roots[i].n, key, n))
            root = r->roots[i].n;
    for (size_t at = root + 1; at <= n; at++)
        if ((at == n || key[at] == '\0') && sp_filter_excludes(r->filter, key, at, true))
            return true;
    return false;
}

enum sp_code
job_write_documents(struct run *r, struct sp_err *e)
{
    enum sp_code rc = sp_shadow_documents(r->shadow, write_one, r, e);

    if (rc != SP_OK) {
        sp_err_context(e, "VSS's documents, which belong to the set");
        return rc;
    }
    if (r->taken && r->documents != NULL && out_of_reach(r))
        sp_cli_warn(r->c,
            "%s: VSS's documents lie in %s, which the job leaves out: the set is without them, and "
            "a restore by the "
            "applications' writers needs them",
            r->job->name, r->documents);
    return SP_OK;
}
