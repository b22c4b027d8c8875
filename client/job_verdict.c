#include "client/job_impl.h"

#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "client/watch.h"

/* How consistent the set is: what VSS says, and what only the walk knows: which files of an
 * application were read live after all, VMs and documents that no writer speaks for, and what was
 * left out. */

/* --- files that are read live ----------------------------------------------------------------- */

/* Itself, or something below it. */
static bool
may_be_live(const struct run *r, const void *key, size_t n)
{
    if (job_reads_live(r, key, n))
        return true;
    for (size_t i = 0; i < r->nviews; i++)
        if (r->views[i].read_path == NULL && !r->views[i].skip &&
            sp_key_within(key, n, r->views[i].key, r->views[i].key_len))
            return true;
    return false;
}

static enum sp_code
add_part(struct run *r, size_t component, const char *path, struct sp_err *e)
{
    struct sp_buf key = SP_BUF_INIT;
    struct sp_err ignored = {0};
    struct live_part *more, one = {.component = component};
    enum sp_code rc = SP_OK;

    if (sp_key_from_path(path, &key, &ignored) != SP_OK || !may_be_live(r, key.data, key.len))
        goto out; /* a path that is none is not walked either */
    if ((more = realloc(r->live, (r->nlive + 1) * sizeof *more)) == NULL) {
        rc = sp_fail_nomem(e);
        goto out;
    }
    r->live = more;
    if ((rc = sp_buf_take(&key, &one.key, &one.key_len, e)) == SP_OK)
        more[r->nlive++] = one;
out:
    sp_buf_free(&key);
    return rc;
}

enum sp_code
job_begin_verdict(struct run *r, struct sp_err *e)
{
    const struct sp_verdict *v = sp_shadow_verdict(r->shadow);
    enum sp_code rc = SP_OK;

    if ((r->live_files = calloc(v->ncomponents + 1, sizeof *r->live_files)) == NULL)
        return sp_fail_nomem(e);
    r->ncomponents = v->ncomponents;
    if ((rc = sp_watch_new(&r->watch, e)) != SP_OK || (rc = job_begin_lacks(r, e)) != SP_OK)
        return rc;
    for (size_t i = 0; i < v->ncomponents && rc == SP_OK; i++)
        for (size_t k = 0; k < v->components[i].npaths && rc == SP_OK; k++)
            rc = add_part(r, i, v->components[i].paths[k], e);
    return rc == SP_OK ? job_make_verdict(r, JOB_TAKEN, e) : rc;
}

/* VSS's own, which is about the shadow and was written after it: no application's file, wherever it lies. */
static bool
is_document(const struct run *r, const void *key, size_t n)
{
    return r->documents != NULL &&
           sp_key_within(r->documents_key.data, r->documents_key.len, key, n);
}

void
job_seen(struct run *r, const void *key, size_t n)
{
    size_t last = SIZE_MAX; /* counted for this component */

    sp_watch_see(r->watch, key, n);
    if (r->nlive == 0 || !job_reads_live(r, key, n) || is_document(r, key, n))
        return;
    for (size_t i = 0; i < r->nlive; i++) {
        const struct live_part *p = &r->live[i];

        if (p->component != last && sp_key_within(p->key, p->key_len, key, n)) {
            r->live_files[p->component]++;
            last = p->component;
        }
    }
}

/* --- the verdict ------------------------------------------------------------------------------ */

/* Before the writers hear of the set, they are judged by what it has. */
static enum sp_code
tell_found(struct run *r, struct sp_err *e)
{
    enum sp_code rc = SP_OK;

    for (size_t i = 0; i < r->ncomponents && rc == SP_OK; i++) {
        const char *lacks = job_lacks(r, i);

        if (r->live_files[i] > 0 || lacks != NULL)
            rc = sp_shadow_found(r->shadow, i, r->live_files[i], lacks, e);
    }
    return rc;
}

static void
mark_left(const struct run *r, struct sp_verdict *v, size_t n)
{
    for (size_t i = 0; r->left != NULL && i < n; i++) {
        if (!r->left[i])
            continue;
        v->components[i].level = SP_LEVEL_NONE;
        v->components[i].why = SP_WHY_LEFT_OUT;
        v->components[i].hresult = 0;
    }
}

enum sp_code
job_make_verdict(struct run *r, enum job_moment moment, struct sp_err *e)
{
    const struct sp_verdict *said = sp_shadow_verdict(r->shadow);
    struct sp_verdict v = {0};
    enum sp_code rc;

    if (moment == JOB_BEFORE_COMMIT && (rc = tell_found(r, e)) != SP_OK)
        return rc;
    if ((rc = sp_verdict_copy(said, &v, e)) != SP_OK)
        return rc;
    mark_left(r, &v, said->ncomponents);
    if (moment == JOB_BEFORE_COMMIT)
        rc = job_watched(r, &v, e);
    else if (moment == JOB_FINISHED)
        rc = job_watched_before(r, &v, r->ncomponents, e);
    if (rc != SP_OK) {
        sp_verdict_clear(&v);
        return rc;
    }
    sp_verdict_clear(&r->verdict);
    r->verdict = v;
    r->has_verdict = v.vss || v.ncomponents > 0;
    return SP_OK;
}

void
job_clear_verdict(struct run *r)
{
    sp_verdict_clear(&r->verdict);
    for (size_t i = 0; i < r->nlive; i++)
        free(r->live[i].key);
    free(r->live);
    free(r->live_files);
    free(r->left);
    job_clear_lacks(r);
    sp_watch_free(r->watch);
}

/* What is stable without evidence, has a method that cannot be better, or lies in part outside is
 * named; these are failures. */
bool
job_writer_failed(const struct run *r)
{
    for (size_t i = 0; r->has_verdict && i < r->verdict.ncomponents; i++) {
        switch (r->verdict.components[i].why) {
        case SP_WHY_WRITER_FAILED:
        case SP_WHY_COMPONENT_FAILED:
        case SP_WHY_PARTIAL_UNKNOWN:
        case SP_WHY_SILENT:
        case SP_WHY_COMPLETE_FAILED:
        case SP_WHY_UNEXPECTED:
        case SP_WHY_UNFINISHED:
            return true;
        default:
            break;
        }
    }
    return false;
}
