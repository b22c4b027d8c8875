#include "vss/survey.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "vss/explain.h"

#define METADATA_MS (5u * 60000u)
#define STATUS_MS 60000u
#define SLICE_MS 500u
#define CANCEL_MS                                                                                  \
    10000u /* for what was cancelled to end: a session must not go while a call is at work */

/* --- waiting ---------------------------------------------------------------------------------- */

static enum sp_code
ended(uint32_t status, const char *call, struct sp_err *e)
{
    if (status == SP_VSS_S_ASYNC_FINISHED || status == SP_VSS_S_OK)
        return SP_OK;
    if (status == SP_VSS_S_ASYNC_CANCELLED)
        return sp_fail(e, SP_CANCELLED, SP_DOM_SHADOW, "VSS: %s was cancelled", call);
    return sp_vss_fail(e, status, call);
}

/* Until it ended, the deadline, or whoever waits has enough; gives the async back. */
static enum sp_code
finish(const struct sp_vss_survey_options *o, struct sp_vss_async *a, const char *call,
    uint32_t most_ms, struct sp_err *e)
{
    int64_t until = sp_clock_mono(o->env->clock) + (int64_t)most_ms * (SP_SECOND / 1000);
    uint32_t status = SP_VSS_S_ASYNC_PENDING, hr;
    bool enough = false, late = false;
    enum sp_code rc = SP_OK;

    while (rc == SP_OK && status == SP_VSS_S_ASYNC_PENDING && !enough && !late) {
        hr = o->api->wait(a, most_ms < SLICE_MS ? most_ms : SLICE_MS, &status);
        if (sp_vss_failed(hr))
            rc = sp_vss_fail(e, hr, call);
        enough = o->cancelled != NULL && o->cancelled(o->arg);
        late = sp_clock_mono(o->env->clock) >= until;
    }
    if (rc == SP_OK && status != SP_VSS_S_ASYNC_PENDING) {
        rc = ended(status, call, e);
    } else {
        (void)o->api->cancel(a);
        (void)o->api->wait(a, CANCEL_MS, &status);
        if (rc == SP_OK && enough)
            rc = sp_fail(
                e, SP_CANCELLED, SP_DOM_SHADOW, "interrupted while VSS was asked: %s", call);
        else if (rc == SP_OK)
            rc = sp_fail(e, SP_TIMEOUT, SP_DOM_SHADOW,
                "VSS: %s did not end within %u s: a writer hangs, or the machine is very busy. "
                "'vssadmin list writers' shows whether Windows' own tool gets further; restarting "
                "the service of the application whose writer is missing there helps most often",
                call, most_ms / 1000);
    }
    o->api->release_async(a);
    return rc;
}

/* --- asking ----------------------------------------------------------------------------------- */

static enum sp_code
begin(const struct sp_vss_api *api, struct sp_vss_session **ret, struct sp_err *e)
{
    uint32_t hr = api->create(api->self, ret);

    if (sp_vss_failed(hr))
        return sp_vss_fail(e, hr, "CreateVssBackupComponents");
    if (sp_vss_failed(hr = api->initialize_for_backup(*ret)))
        return sp_vss_fail(e, hr, "InitializeForBackup");
    if (sp_vss_failed(hr = api->set_context(*ret, SP_VSS_CTX_BACKUP)))
        return sp_vss_fail(e, hr, "SetContext");
    if (sp_vss_failed(hr = api->set_backup_state(*ret, true, true, SP_VSS_BT_COPY, false)))
        return sp_vss_fail(e, hr, "SetBackupState");
    return SP_OK;
}

static enum sp_code
gather_metadata(const struct sp_vss_survey_options *o, struct sp_vss_session *s,
    struct sp_vss_survey *to, struct sp_err *e)
{
    struct sp_vss_async *a = NULL;
    struct sp_vss_writer *w;
    uint32_t hr = o->api->gather_metadata(s, &a), n = 0;
    enum sp_code rc;

    if (sp_vss_failed(hr))
        return sp_vss_fail(e, hr, "GatherWriterMetadata");
    rc =
        finish(o, a, "GatherWriterMetadata", o->metadata_ms != 0 ? o->metadata_ms : METADATA_MS, e);
    if (rc != SP_OK)
        return rc;
    if (sp_vss_failed(hr = o->api->metadata_count(s, &n)))
        return sp_vss_fail(e, hr, "GetWriterMetadataCount");
    for (uint32_t i = 0; i < n && rc == SP_OK; i++) {
        if ((rc = sp_vss_metadata_add(&to->metadata, &w, e)) == SP_OK &&
            sp_vss_failed(hr = o->api->metadata(s, i, w))) {
            to->metadata
                .nwriters--; /* one that cannot be read hides no other: it may still answer */
            memset(w, 0, sizeof(*w));
            rc = hr == SP_VSS_E_OUTOFMEMORY ? sp_fail_nomem(e) : SP_OK;
        }
    }
    return rc;
}

static void
take_status(struct sp_vss_survey *to, struct sp_vss_status *st)
{
    size_t i;

    for (i = 0; i < to->n; i++) {
        if (to->v[i].writer != NULL && !to->v[i].answered &&
            strcmp(to->v[i].writer->instance_id, st->instance_id) == 0)
            break;
    }
    if (i == to->n)
        to->n++;
    to->v[i].answered = true;
    to->v[i].status = *st;
    memset(st, 0, sizeof(*st));
}

static enum sp_code
gather_status(const struct sp_vss_survey_options *o, struct sp_vss_session *s,
    struct sp_vss_survey *to, struct sp_err *e)
{
    struct sp_vss_async *a = NULL;
    struct sp_vss_status st = {0};
    uint32_t hr = o->api->gather_status(s, &a), n = 0;
    enum sp_code rc;

    if (sp_vss_failed(hr))
        return sp_vss_fail(e, hr, "GatherWriterStatus");
    rc = finish(o, a, "GatherWriterStatus", o->status_ms != 0 ? o->status_ms : STATUS_MS, e);
    if (rc != SP_OK)
        return rc;
    if (sp_vss_failed(hr = o->api->status_count(s, &n)))
        return sp_vss_fail(e, hr, "GetWriterStatusCount");
    to->v = calloc(to->metadata.nwriters + n + 1, sizeof(*to->v));
    if (to->v == NULL)
        return sp_fail_nomem(e);
    for (to->n = 0; to->n < to->metadata.nwriters; to->n++)
        to->v[to->n].writer = &to->metadata.writers[to->n];
    for (uint32_t i = 0; i < n && rc == SP_OK; i++) {
        if (!sp_vss_failed(hr = o->api->status(s, i, &st)))
            take_status(to, &st);
        else
            rc = sp_vss_fail(e, hr, "GetWriterStatus");
    }
    (void)o->api->free_status(s);
    return rc;
}

enum sp_code
sp_vss_survey(const struct sp_vss_survey_options *o, struct sp_vss_survey *ret, struct sp_err *e)
{
    struct sp_vss_session *s = NULL;
    struct sp_vss_survey found = {0};
    enum sp_code rc;

    if ((rc = o->api->start(o->api->self, e)) != SP_OK)
        return rc;
    if ((rc = begin(o->api, &s, e)) == SP_OK && (rc = gather_metadata(o, s, &found, e)) == SP_OK)
        rc = gather_status(o, s, &found, e);
    o->api->release(s);
    o->api->end(o->api->self);
    if (rc != SP_OK) {
        sp_vss_survey_clear(&found);
        return rc;
    }
    *ret = found;
    return SP_OK;
}

void
sp_vss_survey_clear(struct sp_vss_survey *s)
{
    for (size_t i = 0; i < s->n; i++)
        sp_vss_status_clear(&s->v[i].status);
    free(s->v);
    sp_vss_metadata_clear(&s->metadata);
    memset(s, 0, sizeof(*s));
}

bool
sp_vss_survey_failed(const struct sp_vss_survey_writer *w)
{
    return w->answered &&
           (w->status.state >= SP_VSS_FAILED_AT_IDENTIFY || sp_vss_failed(w->status.hresult));
}
