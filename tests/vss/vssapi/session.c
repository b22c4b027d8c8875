/* IVssBackupComponents, up to Ex4. */

#include "tests/vss/vssapi/vssapi.h"

#include <stdlib.h>
#include <string.h>

static struct dll_session *
of(IVssBackupComponentsEx4 *This)
{
    return (struct dll_session *)(void *)This;
}

static HRESULT STDMETHODCALLTYPE
query(IVssBackupComponentsEx4 *This, REFIID id, void **ret)
{
    bool first = IsEqualGUID(id, &IID_IUnknown) || IsEqualGUID(id, &IID_IVssBackupComponents);
    bool later = IsEqualGUID(id, &IID_IVssBackupComponentsEx) ||
                 IsEqualGUID(id, &IID_IVssBackupComponentsEx2) ||
                 IsEqualGUID(id, &IID_IVssBackupComponentsEx3) ||
                 IsEqualGUID(id, &IID_IVssBackupComponentsEx4);

    if (!first && (!later || dll_old())) {
        *ret = NULL;
        return E_NOINTERFACE;
    }
    of(This)->refs++;
    *ret = This;
    return S_OK;
}

static ULONG STDMETHODCALLTYPE
add_ref(IVssBackupComponentsEx4 *This)
{
    return (ULONG)++of(This)->refs;
}

static ULONG STDMETHODCALLTYPE
release(IVssBackupComponentsEx4 *This)
{
    struct dll_session *s = of(This);

    if (--s->refs > 0)
        return (ULONG)s->refs;
    if (dll_out() != s->out)
        dll_breach("the session ends, and what it gave out was not given back");
    model_release(s->session);
    free(s);
    return 0;
}

static HRESULT STDMETHODCALLTYPE
initialize(IVssBackupComponentsEx4 *This, BSTR xml)
{
    if (xml != NULL)
        dll_breach("InitializeForBackup with a document");
    return (HRESULT)model_initialize_for_backup(of(This)->session);
}

static HRESULT STDMETHODCALLTYPE
set_context(IVssBackupComponentsEx4 *This, LONG context)
{
    return (HRESULT)model_set_context(of(This)->session, context);
}

static HRESULT STDMETHODCALLTYPE
set_state(IVssBackupComponentsEx4 *This, boolean select, boolean bootable, VSS_BACKUP_TYPE type,
    boolean partial)
{
    return (HRESULT)model_set_backup_state(
        of(This)->session, select, bootable, (uint32_t)type, partial);
}

static HRESULT
async_of(uint32_t hr, struct model_async *a, IVssAsync **ret)
{
    return hr == 0 ? dll_async_new(a, ret) : (HRESULT)hr;
}

#define ASYNC_ROW(name, call)                                                                      \
    static HRESULT STDMETHODCALLTYPE name(IVssBackupComponentsEx4 *This, IVssAsync **ret)          \
    {                                                                                              \
        struct model_async *a = NULL;                                                              \
        uint32_t hr = call(of(This)->session, &a);                                                 \
                                                                                                   \
        return async_of(hr, a, ret);                                                               \
    }
ASYNC_ROW(gather_metadata, model_gather_metadata)
ASYNC_ROW(prepare, model_prepare)
ASYNC_ROW(gather_status, model_gather_status)
ASYNC_ROW(do_snapshot, model_do_snapshot)
ASYNC_ROW(complete, model_complete)

static HRESULT STDMETHODCALLTYPE
metadata_count(IVssBackupComponentsEx4 *This, UINT *ret)
{
    uint32_t n = 0, hr = model_metadata_count(of(This)->session, &n);

    *ret = n;
    return (HRESULT)hr;
}

static HRESULT STDMETHODCALLTYPE
metadata_ex(
    IVssBackupComponentsEx4 *This, UINT i, VSS_ID *ret_instance, IVssExamineWriterMetadataEx **ret)
{
    const struct model_writer *w = NULL;
    uint32_t hr = model_metadata(of(This)->session, i, &w);

    if (hr != 0)
        return (HRESULT)hr;
    *ret_instance = dll_id(w->instance_id);
    *ret = dll_metadata_new(w);
    return S_OK;
}

static HRESULT STDMETHODCALLTYPE
metadata(
    IVssBackupComponentsEx4 *This, UINT i, VSS_ID *ret_instance, IVssExamineWriterMetadata **ret)
{
    return metadata_ex(This, i, ret_instance, (IVssExamineWriterMetadataEx **)(void *)ret);
}

static HRESULT STDMETHODCALLTYPE
free_metadata(IVssBackupComponentsEx4 *This)
{
    return (HRESULT)model_free_metadata(of(This)->session);
}

static HRESULT STDMETHODCALLTYPE
start_set(IVssBackupComponentsEx4 *This, VSS_ID *ret)
{
    char id[37];
    uint32_t hr = model_start_set(of(This)->session, id);

    if (hr == 0)
        *ret = dll_id(id);
    return (HRESULT)hr;
}

static HRESULT STDMETHODCALLTYPE
supported(IVssBackupComponentsEx4 *This, VSS_ID provider, VSS_PWSZ volume, WINBOOL *ret)
{
    char *name = dll_narrow(volume);
    bool yes = false;
    uint32_t hr = model_volume_supported(of(This)->session, name, &yes);

    (void)provider;
    *ret = yes;
    free(name);
    return (HRESULT)hr;
}

static HRESULT STDMETHODCALLTYPE
add_volume(IVssBackupComponentsEx4 *This, VSS_PWSZ volume, VSS_ID provider, VSS_ID *ret)
{
    char *name = dll_narrow(volume), id[37];
    uint32_t hr = model_add_volume(of(This)->session, name, id);

    (void)provider;
    if (hr == 0)
        *ret = dll_id(id);
    free(name);
    return (HRESULT)hr;
}

/* add: 1; succeeded: 2; not: 3 */
static HRESULT
on_component(struct dll_session *s, VSS_ID *instance, VSS_ID *writer, VSS_COMPONENT_TYPE type,
    LPCWSTR path, LPCWSTR name, int what)
{
    char class_id[37], instance_id[37], *logical = dll_narrow(path), *own = dll_narrow(name);
    struct model_ref r = {class_id, instance_id, (unsigned)type, logical, own};
    uint32_t hr;

    if (path != NULL && *path == 0)
        dll_breach("an empty logical path: VSS wants none");
    dll_id_text(writer, class_id);
    dll_id_text(instance, instance_id);
    hr = what == 1 ? model_add_component(s->session, &r)
                   : model_set_succeeded(s->session, &r, what == 2);
    free(logical);
    free(own);
    return (HRESULT)hr;
}

static HRESULT STDMETHODCALLTYPE
add_component(IVssBackupComponentsEx4 *This, VSS_ID instance, VSS_ID writer,
    VSS_COMPONENT_TYPE type, LPCWSTR path, LPCWSTR name)
{
    return on_component(of(This), &instance, &writer, type, path, name, 1);
}

static HRESULT STDMETHODCALLTYPE
succeeded(IVssBackupComponentsEx4 *This, VSS_ID instance, VSS_ID writer, VSS_COMPONENT_TYPE type,
    LPCWSTR path, LPCWSTR name, boolean well)
{
    return on_component(of(This), &instance, &writer, type, path, name, well ? 2 : 3);
}

static HRESULT STDMETHODCALLTYPE
abort_backup(IVssBackupComponentsEx4 *This)
{
    return (HRESULT)model_abort(of(This)->session);
}

static HRESULT STDMETHODCALLTYPE
status_count(IVssBackupComponentsEx4 *This, UINT *ret)
{
    uint32_t n = 0, hr = model_status_count(of(This)->session, &n);

    *ret = n;
    return (HRESULT)hr;
}

static HRESULT STDMETHODCALLTYPE
free_status(IVssBackupComponentsEx4 *This)
{
    return (HRESULT)model_free_status(of(This)->session);
}

static HRESULT STDMETHODCALLTYPE
status_ex(IVssBackupComponentsEx4 *This, UINT i, VSS_ID *ret_instance, VSS_ID *ret_writer,
    BSTR *ret_name, VSS_WRITER_STATE *ret_state, HRESULT *ret_failure, HRESULT *ret_app,
    BSTR *ret_text)
{
    struct model_status st;
    uint32_t hr = model_status(of(This)->session, i, &st);

    if (hr != 0)
        return (HRESULT)hr;
    *ret_instance = dll_id(st.writer->instance_id);
    *ret_writer = dll_id(st.writer->class_id);
    *ret_name = dll_bstr(st.writer->name);
    *ret_state = (VSS_WRITER_STATE)st.state;
    *ret_failure = (HRESULT)st.hresult;
    *ret_app = (HRESULT)st.app;
    *ret_text = dll_bstr(st.text);
    return S_OK;
}

static HRESULT STDMETHODCALLTYPE
status(IVssBackupComponentsEx4 *This, UINT i, VSS_ID *ret_instance, VSS_ID *ret_writer,
    BSTR *ret_name, VSS_WRITER_STATE *ret_state, HRESULT *ret_failure)
{
    HRESULT app, hr;
    BSTR text = NULL;

    hr =
        status_ex(This, i, ret_instance, ret_writer, ret_name, ret_state, ret_failure, &app, &text);
    SysFreeString(text);
    return hr;
}

static HRESULT STDMETHODCALLTYPE
components_count(IVssBackupComponentsEx4 *This, UINT *ret)
{
    *ret = dll_writers(of(This));
    return S_OK;
}

static HRESULT STDMETHODCALLTYPE
components(IVssBackupComponentsEx4 *This, UINT i, IVssWriterComponentsExt **ret)
{
    *ret = dll_writer_new(of(This), i);
    return *ret != NULL ? S_OK : (HRESULT)0x80042308L; /* VSS_E_OBJECT_NOT_FOUND */
}

static wchar_t *
task_text(const char *text)
{
    wchar_t *wide = dll_wide(text), *copy = CoTaskMemAlloc((wcslen(wide) + 1) * sizeof(*copy));

    if (copy == NULL)
        abort();
    wcscpy(copy, wide);
    free(wide);
    return copy;
}

/* The system's own provider (learn.microsoft.com/windows/win32/vss/providers). */
#define PROVIDER "b5946137-7b9f-4925-af80-51abd60b20d5"

static HRESULT STDMETHODCALLTYPE
properties(IVssBackupComponentsEx4 *This, VSS_ID id, VSS_SNAPSHOT_PROP *ret)
{
    struct model_shadow shadow;
    char text[37];
    uint32_t hr;

    dll_id_text(&id, text);
    if ((hr = model_properties(of(This)->session, text, &shadow)) != 0)
        return (HRESULT)hr;
    memset(ret, 0, sizeof(*ret));
    ret->m_SnapshotId = id;
    ret->m_SnapshotSetId = dll_id(shadow.set);
    ret->m_lSnapshotsCount = 1;
    ret->m_pwszSnapshotDeviceObject = task_text(shadow.device);
    ret->m_pwszOriginalVolumeName = task_text(shadow.volume);
    ret->m_ProviderId = dll_id(PROVIDER);
    ret->m_tsCreationTimestamp =
        (VSS_TIMESTAMP)(shadow.created_ms * 10000 + UINT64_C(116444736000000000));
    ret->m_eStatus = VSS_SS_CREATED;
    dll_given(1);
    return S_OK;
}

static HRESULT STDMETHODCALLTYPE
save(IVssBackupComponentsEx4 *This, BSTR *ret)
{
    const char *xml;
    size_t n;
    uint32_t hr = model_document(of(This)->session, &xml, &n);

    if (hr == 0)
        *ret = dll_bstr_n(xml, n);
    return (HRESULT)hr;
}

static HRESULT STDMETHODCALLTYPE
delete_shadows(IVssBackupComponentsEx4 *This, VSS_ID id, VSS_OBJECT_TYPE type, WINBOOL force,
    LONG *ret_n, VSS_ID *ret_left)
{
    char text[37];
    int32_t n = 0;
    uint32_t hr;

    (void)force;
    if (type != VSS_OBJECT_SNAPSHOT_SET)
        dll_breach("DeleteSnapshots of something that is no shadow set");
    dll_id_text(&id, text);
    hr = model_delete_set(of(This)->session, text, &n);
    *ret_n = n;
    memset(ret_left, 0, sizeof(*ret_left));
    return (HRESULT)hr;
}

static IVssBackupComponentsEx4Vtbl table;

static void
fill_table(void)
{
    dll_unserved(&table, sizeof(table));
    table.QueryInterface = query;
    table.AddRef = add_ref;
    table.Release = release;
    table.GetWriterComponentsCount = components_count;
    table.GetWriterComponents = components;
    table.InitializeForBackup = initialize;
    table.SetBackupState = set_state;
    table.GatherWriterMetadata = gather_metadata;
    table.GetWriterMetadataCount = metadata_count;
    table.GetWriterMetadata = metadata;
    table.GetWriterMetadataEx = metadata_ex;
    table.FreeWriterMetadata = free_metadata;
    table.AddComponent = add_component;
    table.PrepareForBackup = prepare;
    table.AbortBackup = abort_backup;
    table.GatherWriterStatus = gather_status;
    table.GetWriterStatusCount = status_count;
    table.FreeWriterStatus = free_status;
    table.GetWriterStatus = status;
    table.GetWriterStatusEx = status_ex;
    table.SetBackupSucceeded = succeeded;
    table.SaveAsXML = save;
    table.BackupComplete = complete;
    table.SetContext = set_context;
    table.StartSnapshotSet = start_set;
    table.AddToSnapshotSet = add_volume;
    table.DoSnapshotSet = do_snapshot;
    table.DeleteSnapshots = delete_shadows;
    table.GetSnapshotProperties = properties;
    table.IsVolumeSupported = supported;
}

HRESULT
dll_session_new(struct model *m, IVssBackupComponents **ret)
{
    struct model_session *session;
    struct dll_session *s;
    uint32_t hr = model_create(m, &session);

    if (hr != 0)
        return (HRESULT)hr;
    if ((s = calloc(1, sizeof(*s))) == NULL)
        abort();
    fill_table();
    s->com.lpVtbl = &table;
    s->refs = 1;
    s->session = session;
    s->model = m;
    s->out = dll_out();
    *ret = (IVssBackupComponents *)(void *)&s->com;
    return S_OK;
}
