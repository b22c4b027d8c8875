#include <stdlib.h>
#include <string.h>

#include "vss/explain.h"
#include "vss/journal.h"
#include "vss/requester.h"

/* Shadows of ours go with their object, also when its process dies; where one has outlived it, it
 * is deleted by its name, which the journal of a dead run has. Nothing else is looked at. */

struct sweep {
    const struct sp_env *env;
    const struct sp_vss_api *api;
    bool started;
    size_t removed;
    enum sp_code rc; /* the first failure */
    struct sp_err first;
};

/* "VSS_CTX_ALL" sees shadows of every context (learn.microsoft.com/windows/win32/api/vss/
 * ne-vss-vss_snapshot_context, and nf-vsbackup-ivssbackupcomponents-deletesnapshots). */
static enum sp_code
delete_set(struct sweep *w, const char *id, struct sp_err *e)
{
    struct sp_vss_session *s = NULL;
    int32_t deleted = 0;
    uint32_t hr = w->api->create(w->api->self, &s);

    if (sp_vss_failed(hr))
        return sp_vss_fail(e, hr, "CreateVssBackupComponents");
    if (sp_vss_failed(hr = w->api->initialize_for_backup(s)))
        (void)sp_vss_fail(e, hr, "InitializeForBackup");
    else if (sp_vss_failed(hr = w->api->set_context(s, SP_VSS_CTX_ALL)))
        (void)sp_vss_fail(e, hr, "SetContext");
    else if (sp_vss_failed(hr = w->api->delete_set(s, id, &deleted)) && hr != SP_VSS_E_NOT_FOUND)
        (void)sp_vss_fail(e, hr, "DeleteSnapshots");
    w->api->release(s);
    if (sp_vss_failed(hr) && hr != SP_VSS_E_NOT_FOUND) {
        sp_err_context(e, "shadow set %s of an earlier run", id);
        return e->code;
    }
    w->removed += deleted > 0;
    return SP_OK;
}

static enum sp_code
delete_sets(struct sweep *w, const struct sp_journal *j, struct sp_err *e)
{
    enum sp_code rc = SP_OK;

    if (!w->started) {
        if ((rc = w->api->start(w->api->self, e)) != SP_OK)
            return rc;
        w->started = true;
    }
    for (size_t i = 0; i < j->nsets && rc == SP_OK; i++)
        rc = delete_set(w, j->sets[i], e);
    return rc;
}

static enum sp_code
sweep_one(void *arg, const char *file, struct sp_err *e)
{
    struct sweep *w = arg;
    struct sp_journal j = {0};
    enum sp_code rc = sp_journal_read(w->env, file, &j, e);

    if (rc != SP_OK) /* what is not readable as a journal is not ours to act on */
        return SP_OK;
    if (!j.alive && j.nsets > 0) {
        rc = delete_sets(w, &j, e);
        if (rc == SP_OK)
            rc = w->env->os->remove(w->env->os->self, file, e);
        if (rc != SP_OK && w->rc == SP_OK) {
            w->rc = rc;
            w->first = *e;
        }
    }
    sp_journal_clear(&j);
    return SP_OK;
}

enum sp_code
sp_requester_janitor(const struct sp_env *env, const struct sp_vss_api *api,
    const char *journal_dir, size_t *ret_n, struct sp_err *e)
{
    struct sweep w = {.env = env, .api = api};
    enum sp_code rc = sp_journals(env, journal_dir, sweep_one, &w, e);

    if (w.started)
        api->end(api->self);
    if (rc == SP_OK && w.rc != SP_OK) {
        *e = w.first;
        rc = w.rc;
    }
    *ret_n = w.removed;
    return rc;
}
