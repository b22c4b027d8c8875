/* One IVssBackupComponents: see api.h. Each row is one call; what VSS answers is handed on as it
 * came (learn.microsoft.com/windows/win32/api/vsbackup/nl-vsbackup-ivssbackupcomponents). */

#include "vss/api_win32.h"

#include <stdlib.h>
#include <string.h>

/* What older systems lack is NULL, and the rows that would use it do with less. */
uint32_t
vss_session_create(void *self, struct sp_vss_session **ret)
{
    struct sp_vss_session *s = calloc(1, sizeof(*s));
    HRESULT hr;

    (void)self;
    if (s == NULL)
        return SP_VSS_E_OUTOFMEMORY;
    if (FAILED(hr = vss_create(&s->base))) {
        free(s);
        return (uint32_t)hr;
    }
    if (FAILED(IVssBackupComponents_QueryInterface(
            s->base, &IID_IVssBackupComponentsEx, (void **)&s->ex)))
        s->ex = NULL;
    if (FAILED(IVssBackupComponents_QueryInterface(
            s->base, &IID_IVssBackupComponentsEx3, (void **)&s->ex3)))
        s->ex3 = NULL;
    *ret = s;
    return SP_VSS_S_OK;
}

void
vss_session_release(struct sp_vss_session *s)
{
    if (s == NULL)
        return;
    if (s->ex3 != NULL)
        (void)IVssBackupComponentsEx3_Release(s->ex3);
    if (s->ex != NULL)
        (void)IVssBackupComponentsEx_Release(s->ex);
    (void)IVssBackupComponents_Release(s->base);
    free(s);
}

uint32_t
vss_initialize(struct sp_vss_session *s)
{
    return (uint32_t)IVssBackupComponents_InitializeForBackup(s->base, NULL);
}

uint32_t
vss_set_context(struct sp_vss_session *s, int32_t context)
{
    return (uint32_t)IVssBackupComponents_SetContext(s->base, context);
}

uint32_t
vss_set_state(struct sp_vss_session *s, bool select, bool bootable, uint32_t type, bool partial)
{
    return (uint32_t)IVssBackupComponents_SetBackupState(
        s->base, select, bootable, (VSS_BACKUP_TYPE)type, partial);
}

/* An IVssAsync is what the table calls struct sp_vss_async; nobody but these rows looks into it. */
static uint32_t
async_of(HRESULT hr, IVssAsync *async, struct sp_vss_async **ret)
{
    if (FAILED(hr))
        return (uint32_t)hr;
    if (async == NULL)
        return SP_VSS_E_UNEXPECTED;
    *ret = (struct sp_vss_async *)(void *)async;
    return (uint32_t)hr;
}

uint32_t
vss_gather_metadata(struct sp_vss_session *s, struct sp_vss_async **ret)
{
    IVssAsync *async = NULL;
    HRESULT hr = IVssBackupComponents_GatherWriterMetadata(s->base, &async);

    return async_of(hr, async, ret);
}

uint32_t
vss_prepare(struct sp_vss_session *s, struct sp_vss_async **ret)
{
    IVssAsync *async = NULL;
    HRESULT hr = IVssBackupComponents_PrepareForBackup(s->base, &async);

    return async_of(hr, async, ret);
}

uint32_t
vss_gather_status(struct sp_vss_session *s, struct sp_vss_async **ret)
{
    IVssAsync *async = NULL;
    HRESULT hr = IVssBackupComponents_GatherWriterStatus(s->base, &async);

    return async_of(hr, async, ret);
}

uint32_t
vss_do_snapshot(struct sp_vss_session *s, struct sp_vss_async **ret)
{
    IVssAsync *async = NULL;
    HRESULT hr = IVssBackupComponents_DoSnapshotSet(s->base, &async);

    return async_of(hr, async, ret);
}

uint32_t
vss_complete(struct sp_vss_session *s, struct sp_vss_async **ret)
{
    IVssAsync *async = NULL;
    HRESULT hr = IVssBackupComponents_BackupComplete(s->base, &async);

    return async_of(hr, async, ret);
}

uint32_t
vss_abort(struct sp_vss_session *s)
{
    return (uint32_t)IVssBackupComponents_AbortBackup(s->base);
}

uint32_t
vss_start_set(struct sp_vss_session *s, char ret_id[37])
{
    VSS_ID id;
    HRESULT hr = IVssBackupComponents_StartSnapshotSet(s->base, &id);

    if (SUCCEEDED(hr))
        vss_id_text(&id, ret_id);
    return (uint32_t)hr;
}

/* By any provider. */
uint32_t
vss_volume_supported(struct sp_vss_session *s, const char *volume, bool *ret)
{
    wchar_t *wide = NULL;
    BOOL supported = FALSE;
    HRESULT hr = vss_wide(volume, &wide);

    if (SUCCEEDED(hr))
        hr = IVssBackupComponents_IsVolumeSupported(s->base, vss_id_null, wide, &supported);
    if (SUCCEEDED(hr))
        *ret = supported != 0;
    free(wide);
    return (uint32_t)hr;
}

uint32_t
vss_add_volume(struct sp_vss_session *s, const char *volume, char ret_shadow_id[37])
{
    wchar_t *wide = NULL;
    VSS_ID id;
    HRESULT hr = vss_wide(volume, &wide);

    if (SUCCEEDED(hr))
        hr = IVssBackupComponents_AddToSnapshotSet(s->base, wide, vss_id_null, &id);
    if (SUCCEEDED(hr))
        vss_id_text(&id, ret_shadow_id);
    free(wide);
    return (uint32_t)hr;
}

/* A component as VSS wants it named. */
struct named {
    GUID writer, instance;
    VSS_COMPONENT_TYPE type;
    wchar_t *path, *name;
};

static HRESULT
name_it(const struct sp_vss_component_ref *c, struct named *ret)
{
    HRESULT hr;

    *ret = (struct named){.type = (VSS_COMPONENT_TYPE)c->type};
    if (FAILED(hr = vss_id_parse(c->writer_id, &ret->writer)) ||
        FAILED(hr = vss_id_parse(c->instance_id, &ret->instance)) ||
        FAILED(hr = vss_wide_or_null(c->logical_path, &ret->path)))
        return hr;
    return vss_wide(c->name, &ret->name);
}

uint32_t
vss_add_component(struct sp_vss_session *s, const struct sp_vss_component_ref *c)
{
    struct named n;
    HRESULT hr = name_it(c, &n);

    if (SUCCEEDED(hr))
        hr = IVssBackupComponents_AddComponent(
            s->base, n.instance, n.writer, n.type, n.path, n.name);
    free(n.path);
    free(n.name);
    return (uint32_t)hr;
}

uint32_t
vss_succeeded(struct sp_vss_session *s, const struct sp_vss_component_ref *c, bool well)
{
    struct named n;
    HRESULT hr = name_it(c, &n);

    if (SUCCEEDED(hr))
        hr = IVssBackupComponents_SetBackupSucceeded(
            s->base, n.instance, n.writer, n.type, n.path, n.name, well);
    free(n.path);
    free(n.name);
    return (uint32_t)hr;
}

uint32_t
vss_properties(struct sp_vss_session *s, const char shadow_id[37], struct sp_vss_shadow *ret)
{
    VSS_SNAPSHOT_PROP p;
    struct sp_vss_shadow shadow;
    size_t n;
    VSS_ID id;
    HRESULT hr;

    memset(&p, 0, sizeof(p));
    if (FAILED(hr = vss_id_parse(shadow_id, &id)) ||
        FAILED(hr = IVssBackupComponents_GetSnapshotProperties(s->base, id, &p)))
        return (uint32_t)hr;
    shadow.created_ns = sp_win32_time_ns((uint64_t)p.m_tsCreationTimestamp);
    vss_id_text(&p.m_ProviderId, shadow.provider_id);
    hr = vss_text(p.m_pwszSnapshotDeviceObject, &shadow.device);
    vss_free_properties(&p);
    if (FAILED(hr))
        return (uint32_t)hr;
    n = strlen(shadow.device);
    while (n > 0 && shadow.device[n - 1] == '\\')
        shadow.device[--n] = '\0';
    if (n == 0) { /* what is below no device would be the live files */
        free(shadow.device);
        return SP_VSS_E_UNEXPECTED;
    }
    *ret = shadow;
    return (uint32_t)hr;
}

uint32_t
vss_document(struct sp_vss_session *s, char **ret, size_t *ret_n)
{
    BSTR xml = NULL;
    HRESULT hr = IVssBackupComponents_SaveAsXML(s->base, &xml);

    if (SUCCEEDED(hr) && SUCCEEDED(hr = vss_take_text(xml, ret)))
        *ret_n = strlen(*ret);
    return (uint32_t)hr;
}

/* Also one that is in use: it is of a run that is dead. */
uint32_t
vss_delete_set(struct sp_vss_session *s, const char set_id[37], int32_t *ret_deleted)
{
    VSS_ID id, left;
    LONG n = 0;
    HRESULT hr = vss_id_parse(set_id, &id);

    if (SUCCEEDED(hr))
        hr = IVssBackupComponents_DeleteSnapshots(
            s->base, id, VSS_OBJECT_SNAPSHOT_SET, TRUE, &n, &left);
    if (SUCCEEDED(hr))
        *ret_deleted = n;
    return (uint32_t)hr;
}

/* A wait that ran out of time is no failure of Wait; QueryStatus tells
 * (learn.microsoft.com/windows/win32/api/vss/nf-vss-ivssasync-wait). */
uint32_t
vss_wait(struct sp_vss_async *a, uint32_t timeout_ms, uint32_t *ret_status)
{
    IVssAsync *async = (IVssAsync *)(void *)a;
    HRESULT status = E_UNEXPECTED, hr = IVssAsync_Wait(async, timeout_ms);

    if (SUCCEEDED(hr))
        hr = IVssAsync_QueryStatus(async, &status, NULL);
    if (SUCCEEDED(hr))
        *ret_status = (uint32_t)status;
    return (uint32_t)hr;
}

uint32_t
vss_cancel(struct sp_vss_async *a)
{
    return (uint32_t)IVssAsync_Cancel((IVssAsync *)(void *)a);
}

void
vss_release_async(struct sp_vss_async *a)
{
    if (a != NULL)
        (void)IVssAsync_Release((IVssAsync *)(void *)a);
}
