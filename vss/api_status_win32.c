/* What writers say of how they did, as a whole and of one component: see api.h. */

#include "vss/api_win32.h"

#include <stdlib.h>
#include <string.h>
#include <wchar.h>

uint32_t
vss_status_count(struct sp_vss_session *s, uint32_t *ret)
{
    UINT n = 0;
    HRESULT hr = IVssBackupComponents_GetWriterStatusCount(s->base, &n);

    if (SUCCEEDED(hr))
        *ret = n;
    return (uint32_t)hr;
}

uint32_t
vss_free_status(struct sp_vss_session *s)
{
    return (uint32_t)IVssBackupComponents_FreeWriterStatus(s->base);
}

/* The application's own code and message only from Windows 7 on
 * (learn.microsoft.com/windows/win32/api/vsbackup/nf-vsbackup-ivssbackupcomponentsex3-getwriterstatusex).
 */
uint32_t
vss_status(struct sp_vss_session *s, uint32_t i, struct sp_vss_status *ret)
{
    struct sp_vss_status st = {0};
    VSS_ID instance, class;
    BSTR name = NULL, message = NULL;
    VSS_WRITER_STATE state = VSS_WS_UNKNOWN;
    HRESULT hr, failure = S_OK, application = S_OK;

    if (s->ex3 != NULL)
        hr = IVssBackupComponentsEx3_GetWriterStatusEx(
            s->ex3, i, &instance, &class, &name, &state, &failure, &application, &message);
    else
        hr = IVssBackupComponents_GetWriterStatus(
            s->base, i, &instance, &class, &name, &state, &failure);
    if (FAILED(hr))
        return (uint32_t)hr;
    vss_id_text(&instance, st.instance_id);
    vss_id_text(&class, st.class_id);
    st.state = (uint32_t)state;
    st.hresult = (uint32_t)failure;
    st.app_hresult = (uint32_t)application;
    if (SUCCEEDED(hr = vss_text(name, &st.name)) && message != NULL)
        hr = vss_text(message, &st.app_text);
    SysFreeString(name);
    SysFreeString(message);
    if (SUCCEEDED(hr))
        *ret = st;
    else
        sp_vss_status_clear(&st);
    return (uint32_t)hr;
}

/* IVssWriterComponentsExt is IVssWriterComponents, which is no IUnknown, and IUnknown: Release is
 * in the second table
 * (learn.microsoft.com/windows/win32/api/vsbackup/nl-vsbackup-ivsswritercomponentsext). */
static void
release_writer(IVssWriterComponentsExt *w)
{
    (void)IUnknown_Release((IUnknown *)(void *)((void **)w + 1));
}

static HRESULT
same_text(IVssComponent *c, HRESULT(STDMETHODCALLTYPE *get)(IVssComponent *, BSTR *),
    const char *wanted, bool *ret)
{
    BSTR text = NULL;
    char *narrow;
    HRESULT hr = get(c, &text);

    if (SUCCEEDED(hr) && SUCCEEDED(hr = vss_take_text(text, &narrow))) {
        *ret = strcmp(narrow, wanted) == 0;
        free(narrow);
    }
    return hr;
}

static HRESULT
is_wanted(IVssComponent *c, const struct sp_vss_component_ref *wanted, bool *ret)
{
    VSS_COMPONENT_TYPE type;
    bool name = false, path = false;
    HRESULT hr;

    if (FAILED(hr = IVssComponent_GetComponentType(c, &type)) ||
        FAILED(hr = same_text(c, c->lpVtbl->GetComponentName, wanted->name, &name)) ||
        FAILED(hr = same_text(c, c->lpVtbl->GetLogicalPath,
                   wanted->logical_path != NULL ? wanted->logical_path : "", &path)))
        return hr;
    *ret = (uint32_t)type == wanted->type && name && path;
    return S_OK;
}

/* Among the added components of one writer; *ret stays NULL where it is not. */
static HRESULT
find_in_writer(
    IVssWriterComponentsExt *w, const struct sp_vss_component_ref *wanted, IVssComponent **ret)
{
    UINT n = 0;
    HRESULT hr = w->lpVtbl->GetComponentCount(w, &n);

    for (UINT i = 0; i < n && SUCCEEDED(hr) && *ret == NULL; i++) {
        IVssComponent *c = NULL;
        bool found = false;

        if (FAILED(hr = w->lpVtbl->GetComponent(w, i, &c)))
            break;
        if (SUCCEEDED(hr = is_wanted(c, wanted, &found)) && found)
            *ret = c;
        else
            (void)IVssComponent_Release(c);
    }
    return hr;
}

static HRESULT
find(struct sp_vss_session *s, const struct sp_vss_component_ref *wanted, IVssComponent **ret)
{
    GUID class, instance;
    UINT n = 0;
    HRESULT hr;

    if (FAILED(hr = vss_id_parse(wanted->writer_id, &class)) ||
        FAILED(hr = vss_id_parse(wanted->instance_id, &instance)))
        return hr;
    hr = IVssBackupComponents_GetWriterComponentsCount(s->base, &n);
    for (UINT i = 0; i < n && SUCCEEDED(hr) && *ret == NULL; i++) {
        IVssWriterComponentsExt *w = NULL;
        VSS_ID its_instance, its_class;

        if (FAILED(hr = IVssBackupComponents_GetWriterComponents(s->base, i, &w)))
            break;
        if (SUCCEEDED(hr = w->lpVtbl->GetWriterInfo(w, &its_instance, &its_class)) &&
            IsEqualGUID(&its_instance, &instance) && IsEqualGUID(&its_class, &class))
            hr = find_in_writer(w, wanted, ret);
        release_writer(w);
    }
    if (SUCCEEDED(hr) && *ret == NULL)
        hr = (HRESULT)SP_VSS_E_NOT_FOUND;
    return hr;
}

/* What a call gives that answers S_FALSE, or no string, where there is none. */
static bool
gives_something(IVssComponent *c, HRESULT(STDMETHODCALLTYPE *get)(IVssComponent *, BSTR *))
{
    BSTR text = NULL;
    bool some = get(c, &text) == S_OK && text != NULL && *text != 0;

    SysFreeString(text);
    return some;
}

/* Windows 7 and later
 * (learn.microsoft.com/windows/win32/api/vswriter/nf-vswriter-ivsscomponentex2-getfailure). */
static HRESULT
failure_of(IVssComponent *c, struct sp_vss_component_report *ret)
{
    IVssComponentEx2 *ex2 = NULL;
    HRESULT hr = S_OK, failure = S_OK, application = S_OK;
    BSTR message = NULL;
    DWORD reserved = 0;

    if (FAILED(IVssComponent_QueryInterface(c, &IID_IVssComponentEx2, (void **)&ex2)))
        return S_OK;
    hr = IVssComponentEx2_GetFailure(ex2, &failure, &application, &message, &reserved);
    if (SUCCEEDED(hr)) {
        ret->failure_known = true;
        ret->failure = (uint32_t)failure;
        ret->app_failure = (uint32_t)application;
        if (message != NULL)
            hr = vss_text(message, &ret->failure_text);
    }
    SysFreeString(message);
    (void)IVssComponentEx2_Release(ex2);
    return hr;
}

uint32_t
vss_component_report(struct sp_vss_session *s, const struct sp_vss_component_ref *c,
    struct sp_vss_component_report *ret)
{
    struct sp_vss_component_report report = {0};
    IVssComponent *component = NULL;
    HRESULT hr = find(s, c, &component);

    if (SUCCEEDED(hr) && SUCCEEDED(hr = failure_of(component, &report)))
        report.stamped = gives_something(component, component->lpVtbl->GetBackupStamp) ||
                         gives_something(component, component->lpVtbl->GetBackupMetadata);
    if (component != NULL)
        (void)IVssComponent_Release(component);
    if (SUCCEEDED(hr))
        *ret = report;
    else
        sp_vss_component_report_clear(&report);
    return (uint32_t)hr;
}
