#include <stdlib.h>
#include <string.h>

#include "vss/explain.h"
#include "vss/requester_impl.h"

/* --- what the writers are -------------------------------------------------------------------- */

static enum sp_code
read_metadata(
    struct sp_requester *r, struct sp_vss_session *s, struct sp_vss_metadata *m, struct sp_err *e)
{
    const struct sp_vss_api *api = rq_api(r);
    struct sp_vss_writer *w;
    uint32_t n = 0, hr = api->metadata_count(s, &n);
    enum sp_code rc;

    if (sp_vss_failed(hr))
        return sp_vss_fail(e, hr, "GetWriterMetadataCount");
    for (uint32_t i = 0; i < n; i++) {
        if ((rc = sp_vss_metadata_add(m, &w, e)) != SP_OK)
            return rc;
        hr = api->metadata(s, i, w);
        if (hr == SP_VSS_E_OUTOFMEMORY)
            return sp_vss_fail(e, hr, "GetWriterMetadata");
        if (sp_vss_failed(hr)) { /* one writer's matter: the others are not to suffer */
            memset(w, 0, sizeof *w);
            m->nwriters--;
            rq_say(r,
                "the metadata of writer %u of %u could not be read (%s): what it has is not known",
                i + 1, n, rq_code(hr).s);
        }
    }
    hr = api->free_metadata(s);
    return sp_vss_failed(hr) ? sp_vss_fail(e, hr, "FreeWriterMetadata") : SP_OK;
}

static bool
same_text(const char *a, const char *b)
{
    return strcmp(a != NULL ? a : "", b != NULL ? b : "") == 0;
}

/* A writer that was restarted has another instance id, and its class and instance name still
 * (learn.microsoft.com/windows/win32/vss/writer-class-id-and-instance-id). */
static void
find_instance(const struct sp_vss_metadata *m, const struct sp_vss_writer *w, char ret[37])
{
    const struct sp_vss_writer *found = NULL;

    for (size_t i = 0; i < m->nwriters; i++) {
        if (strcmp(m->writers[i].class_id, w->class_id) != 0)
            continue;
        if (strcmp(m->writers[i].instance_id, w->instance_id) == 0) {
            found = &m->writers[i];
            break;
        }
        if (same_text(m->writers[i].instance_name, w->instance_name) &&
            same_text(m->writers[i].name, w->name))
            found = &m->writers[i];
    }
    memcpy(ret, found != NULL ? found->instance_id : "", found != NULL ? 37 : 1);
}

static enum sp_code
name_writers(struct sp_requester *r, struct rq_session *ses, const struct sp_vss_metadata *m,
    struct sp_err *e)
{
    size_t n = r->metadata.nwriters;

    if ((ses->instance = calloc(n + 1, sizeof *ses->instance)) == NULL)
        return sp_fail_nomem(e);
    for (size_t i = 0; i < n; i++)
        find_instance(m, &r->metadata.writers[i], ses->instance[i]);
    return SP_OK;
}

/* --- opening and closing --------------------------------------------------------------------- */

static enum sp_code
prepare_object(struct sp_requester *r, struct sp_vss_session *s, struct sp_err *e)
{
    const struct sp_vss_api *api = rq_api(r);
    uint32_t type = r->o.backup_type != 0 ? r->o.backup_type : SP_VSS_BT_COPY, hr;
    enum sp_code rc;

    if (sp_vss_failed(hr = api->initialize_for_backup(s)))
        return sp_vss_fail(e, hr, "InitializeForBackup");
    /* Shadows that go with the object, with writers and their recovery: Hyper-V's needs
     * PostSnapshot (learn.microsoft.com/windows/win32/api/vss/ne-vss-vss_snapshot_context). */
    if (sp_vss_failed(hr = api->set_context(s, SP_VSS_CTX_BACKUP)))
        return sp_vss_fail(e, hr, "SetContext");
    if (sp_vss_failed(hr = api->set_backup_state(s, true, true, type, false)))
        return sp_vss_fail(e, hr, "SetBackupState");
    rc = rq_async(r, s, api->gather_metadata, r->limit.metadata_ms, "GatherWriterMetadata", &hr, e);
    if (rc == SP_OK && hr != 0)
        rc = sp_vss_fail(e, hr, "GatherWriterMetadata");
    return rc;
}

enum sp_code
rq_session_open(struct sp_requester *r, struct rq_session *ses, bool first, struct sp_err *e)
{
    struct sp_vss_metadata again = {0}, *m = first ? &r->metadata : &again;
    uint32_t hr;
    enum sp_code rc;

    memset(ses, 0, sizeof *ses);
    ses->shadow = SP_NO_INDEX;
    if (sp_vss_failed(hr = rq_api(r)->create(rq_api(r)->self, &ses->s))) {
        ses->s = NULL;
        return sp_vss_fail(e, hr, "CreateVssBackupComponents");
    }
    if ((rc = prepare_object(r, ses->s, e)) != SP_OK ||
        (rc = read_metadata(r, ses->s, m, e)) != SP_OK ||
        (rc = name_writers(r, ses, m, e)) != SP_OK)
        goto out;
    if (!first)
        rc = rq_session_room(r, ses, e);
out:
    sp_vss_metadata_clear(&again);
    if (rc != SP_OK)
        rq_session_close(r, ses);
    return rc;
}

enum sp_code
rq_session_room(struct sp_requester *r, struct rq_session *ses, struct sp_err *e)
{
    ses->part = calloc(r->plan.nchoices + 1, sizeof *ses->part);
    ses->writers = calloc(r->metadata.nwriters + 1, sizeof *ses->writers);
    if (ses->part == NULL || ses->writers == NULL)
        return sp_fail_nomem(e);
    for (size_t i = 0; i < r->metadata.nwriters; i++)
        ses->writers[i] = SP_NO_INDEX;
    return SP_OK;
}

/* "Must be called if a backup operation terminates" between StartSnapshotSet and BackupComplete
 * (learn.microsoft.com/windows/win32/api/vsbackup/nf-vsbackup-ivssbackupcomponents-abortbackup). */
void
rq_session_abort(struct sp_requester *r, struct rq_session *ses)
{
    uint32_t hr;

    if (!ses->begun || ses->ended)
        return;
    ses->ended = true;
    if (sp_vss_failed(hr = rq_api(r)->abort(ses->s)))
        rq_say(
            r, "VSS: AbortBackup failed (%s); the shadow set goes with its object", rq_code(hr).s);
}

void
rq_session_close(struct sp_requester *r, struct rq_session *ses)
{
    struct sp_err why = {0};

    rq_session_abort(r, ses);
    if (ses->s != NULL)
        rq_api(r)->release(ses->s);
    if (ses->journal != NULL &&
        r->o.env->os->remove(r->o.env->os->self, ses->journal, &why) != SP_OK)
        rq_say(r, "the journal of a shadow set that is gone could not be removed: %s", why.text);
    for (size_t i = 0; i < ses->nshadows; i++) {
        free(ses->shadows[i].volume);
        free(ses->shadows[i].device);
    }
    free(ses->shadows);
    free(ses->instance);
    free(ses->part);
    free(ses->writers);
    free(ses->journal);
    free(ses->document);
    memset(ses, 0, sizeof *ses);
    ses->shadow = SP_NO_INDEX;
}

struct sp_vss_component_ref
rq_ref(const struct sp_requester *r, const struct rq_session *ses, size_t component)
{
    const struct sp_vss_choice *c = &r->plan.choices[component];
    const struct sp_vss_writer *w = &r->metadata.writers[c->writer];
    const struct sp_vss_component *m = &w->components[c->component];

    return (struct sp_vss_component_ref){
        w->class_id, ses->instance[c->writer], m->type, m->logical_path, m->name};
}
