#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vss/requester_impl.h"

/* The end of the sessions: the writers hear of a set only when it is committed (R2). */

enum sp_code
rq_found(
    struct sp_requester *r, size_t component, uint64_t live, const char *lacks, struct sp_err *e)
{
    struct sp_verdict_component *c = &r->verdict.components[component];
    char *detail;

    if (live > c->files_live)
        c->files_live = live;
    if (lacks != NULL && c->level == SP_LEVEL_APPLICATION) {
        if ((detail = strdup(lacks)) == NULL)
            return sp_fail_nomem(e);
        free(c->detail);
        c->detail = detail;
        c->why = SP_WHY_PARTLY_OUTSIDE;
    }
    sp_vss_judge(&r->verdict, r->finished);
    return SP_OK;
}

/* What is added stands for all that comes with it. */
static bool
went_well(const struct sp_requester *r, const struct rq_session *ses, size_t component)
{
    for (size_t i = 0; i < r->verdict.ncomponents; i++) {
        const struct sp_verdict_component *c = &r->verdict.components[i];

        if ((i == component || c->parent == component) &&
            (c->level != SP_LEVEL_APPLICATION || c->shadow != ses->shadow))
            return false;
    }
    return true;
}

/* "Should be called for each component that was added"
 * (learn.microsoft.com/windows/win32/api/vsbackup/
 * nf-vsbackup-ivssbackupcomponents-setbackupsucceeded): logs go and differential bases move by it.
 */
static void
report(struct sp_requester *r, struct rq_session *ses)
{
    for (size_t i = 0; i < r->verdict.ncomponents; i++) {
        const struct sp_verdict_component *c = &r->verdict.components[i];
        struct sp_vss_component_ref ref;
        bool well = went_well(r, ses, i);
        uint32_t hr;

        if (ses->part[i] != RQ_ADDED)
            continue;
        ref = rq_ref(r, ses, i);
        if (sp_vss_failed(hr = rq_api(r)->succeeded(ses->s, &ref, well)))
            rq_say(r,
                "VSS: the writer of %s could not be told that it was %s (SetBackupSucceeded, %s)",
                c->unit, well ? "backed up" : "not backed up", rq_code(hr).s);
    }
}

static void
ask_after(struct sp_requester *r, struct rq_session *ses)
{
    struct sp_err why = {0};
    uint32_t hr = 0;
    enum sp_code rc = rq_gather(r, ses, SP_STAGE_COMPLETE, &hr, &why);

    if (rc != SP_OK)
        rq_say(r, "after BackupComplete the writers could not be asked: %s", why.text);
    else if (hr != 0)
        rq_say(r, "after BackupComplete the writers could not be asked (GatherWriterStatus, %s)",
            rq_code(hr).s);
}

static void
complete(struct sp_requester *r, struct rq_session *ses)
{
    struct sp_verdict_shadow *to = &r->verdict.shadows[ses->shadow];
    struct sp_err why = {0};
    uint32_t hr = 0;
    enum sp_code rc;

    report(r, ses);
    rc =
        rq_async(r, ses->s, rq_api(r)->complete, r->limit.complete_ms, "BackupComplete", &hr, &why);
    if (rc == SP_OK && hr == 0) {
        to->completed = true;
        ses->ended = true;
        ask_after(r, ses);
    } else {
        to->complete_hresult = rc == SP_OK          ? hr
                               : rc == SP_CANCELLED ? SP_VSS_S_ASYNC_CANCELLED
                                                    : SP_VSS_S_ASYNC_PENDING;
        if (rc == SP_OK)
            rq_say(r,
                "VSS: BackupComplete failed (%s): the applications do not know of this backup",
                rq_code(hr).s);
        else
            rq_say(r, "%s", why.text);
        rq_session_abort(r, ses);
    }
    rq_keep_document(r, ses);
}

enum sp_code
sp_requester_finish(struct sp_requester *r, bool made, struct sp_err *e)
{
    struct rq_session *const sessions[] = {&r->main, &r->second};

    if (r->finished)
        return sp_fail(e, SP_INTERNAL, SP_DOM_SELF, "the shadow sets were finished before");
    r->finished = true;
    for (size_t i = 0; i < 2; i++) {
        if (!sessions[i]->taken)
            continue;
        if (made)
            complete(r, sessions[i]);
        else
            rq_session_abort(r, sessions[i]);
    }
    if (!made)
        return SP_OK;
    rq_read_events(r);
    r->verdict.confirmed = true;
    sp_vss_judge(&r->verdict, true);
    return SP_OK;
}

/* --- documents ------------------------------------------------------------------------------- */

enum sp_code
sp_requester_documents(const struct sp_requester *r,
    enum sp_code (*each)(void *arg, const char *name, const void *p, size_t n, struct sp_err *e),
    void *arg, struct sp_err *e)
{
    const struct rq_session *const sessions[] = {&r->main, &r->second};
    char name[128];
    enum sp_code rc = SP_OK;

    for (size_t i = 0; i < r->metadata.nwriters && rc == SP_OK; i++) {
        const struct sp_vss_writer *w = &r->metadata.writers[i];

        if (w->xml == NULL)
            continue;
        (void)snprintf(name, sizeof name, "writer-%s-%s.xml", w->class_id, w->instance_id);
        rc = each(arg, name, w->xml, w->xml_len, e);
    }
    for (size_t i = 0; i < 2 && rc == SP_OK; i++) {
        if (sessions[i]->document == NULL)
            continue;
        (void)snprintf(name, sizeof name, "backup-%s.xml", sessions[i]->set_id);
        rc = each(arg, name, sessions[i]->document, sessions[i]->document_len, e);
    }
    return rc;
}
