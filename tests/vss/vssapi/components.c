/* IVssWriterComponentsExt, IVssComponentEx2: the session's document, writer by writer. */

#include "tests/vss/vssapi/vssapi.h"

#include <stdlib.h>
#include <string.h>

/* Two tables in one object, as C++ makes it of "IVssWriterComponents, IUnknown": the one that is
 * given out has no Release. */
struct writer {
    const IVssWriterComponentsExtVtbl *components;
    const IUnknownVtbl *unknown;
    LONG refs;
    struct dll_session *s;
    const struct model_writer *writer;
};
struct component {
    IVssComponentEx2 com;
    LONG refs;
    struct dll_session *s;
    const struct model_writer *writer;
    const struct model_component *component;
    bool asked; /* the model, once for all that is told of it */
    uint32_t hr;
    struct model_report report;
};

/* --- one component */
static struct component *
of(IVssComponentEx2 *This)
{
    return (struct component *)(void *)This;
}

static HRESULT STDMETHODCALLTYPE
component_query(IVssComponentEx2 *This, REFIID id, void **ret)
{
    bool later = IsEqualGUID(id, &IID_IVssComponentEx) || IsEqualGUID(id, &IID_IVssComponentEx2);

    if (!IsEqualGUID(id, &IID_IUnknown) && !IsEqualGUID(id, &IID_IVssComponent) &&
        (!later || dll_old())) {
        *ret = NULL;
        return E_NOINTERFACE;
    }
    of(This)->refs++;
    *ret = This;
    return S_OK;
}

static ULONG STDMETHODCALLTYPE
component_add_ref(IVssComponentEx2 *This)
{
    return (ULONG)++of(This)->refs;
}

static ULONG STDMETHODCALLTYPE
component_release(IVssComponentEx2 *This)
{
    struct component *c = of(This);

    if (--c->refs > 0)
        return (ULONG)c->refs;
    dll_given(-1);
    free(c);
    return 0;
}

static HRESULT STDMETHODCALLTYPE
component_path(IVssComponentEx2 *This, BSTR *ret)
{
    *ret = dll_bstr(of(This)->component->logical);
    return *ret != NULL ? S_OK : S_FALSE;
}

static HRESULT STDMETHODCALLTYPE
component_name(IVssComponentEx2 *This, BSTR *ret)
{
    *ret = dll_bstr(of(This)->component->name);
    return S_OK;
}

static HRESULT STDMETHODCALLTYPE
component_type(IVssComponentEx2 *This, VSS_COMPONENT_TYPE *ret)
{
    *ret = (VSS_COMPONENT_TYPE)of(This)->component->type;
    return S_OK;
}

static HRESULT
report(struct component *c)
{
    struct model_ref r = {c->writer->class_id, c->writer->instance_id, c->component->type,
        c->component->logical, c->component->name};

    if (!c->asked)
        c->hr = model_component_report(c->s->session, &r, &c->report);
    c->asked = true;
    return (HRESULT)c->hr;
}

static HRESULT STDMETHODCALLTYPE
component_stamp(IVssComponentEx2 *This, BSTR *ret)
{
    HRESULT hr = report(of(This));

    *ret = NULL;
    if (hr != S_OK || !of(This)->report.stamped)
        return hr != S_OK ? hr : S_FALSE;
    *ret = dll_bstr("2026-11-22");
    return S_OK;
}

static HRESULT STDMETHODCALLTYPE
component_metadata(IVssComponentEx2 *This, BSTR *ret)
{
    (void)This;
    *ret = NULL;
    return S_FALSE;
}

static HRESULT STDMETHODCALLTYPE
component_failure(
    IVssComponentEx2 *This, HRESULT *ret, HRESULT *ret_app, BSTR *ret_text, DWORD *ret_reserved)
{
    struct component *c = of(This);
    HRESULT hr = report(c);

    if (hr != S_OK)
        return hr;
    *ret = (HRESULT)c->report.failure;
    *ret_app = (HRESULT)c->report.app;
    *ret_text = dll_bstr(c->report.text);
    *ret_reserved = 0;
    return S_OK;
}

static IVssComponent *
component_new(
    struct dll_session *s, const struct model_writer *w, const struct model_component *component)
{
    static IVssComponentEx2Vtbl table;
    struct component *c = calloc(1, sizeof(*c));

    if (c == NULL)
        abort();
    dll_unserved(&table, sizeof(table));
    table.QueryInterface = component_query;
    table.AddRef = component_add_ref;
    table.Release = component_release;
    table.GetLogicalPath = component_path;
    table.GetComponentName = component_name;
    table.GetComponentType = component_type;
    table.GetBackupStamp = component_stamp;
    table.GetBackupMetadata = component_metadata;
    table.GetFailure = component_failure;
    c->com.lpVtbl = &table;
    c->refs = 1;
    c->s = s;
    c->writer = w;
    c->component = component;
    dll_given(1);
    return (IVssComponent *)(void *)&c->com;
}

/* --- the components of a writer that were added */
static const struct model_component *
nth_of(struct dll_session *s, const struct model_writer *w, UINT n, UINT *ret_count)
{
    const struct model_component *found = NULL, *c;
    const struct model_writer *its;

    *ret_count = 0;
    for (size_t i = 0; i < model_added(s->session); i++) {
        model_added_at(s->session, i, &its, &c);
        if (its == w && (*ret_count)++ == n)
            found = c;
    }
    return found;
}

static HRESULT STDMETHODCALLTYPE
writer_count(IVssWriterComponentsExt *This, UINT *ret)
{
    struct writer *w = (struct writer *)(void *)This;

    (void)nth_of(w->s, w->writer, 0, ret);
    return S_OK;
}

static HRESULT STDMETHODCALLTYPE
writer_info(IVssWriterComponentsExt *This, VSS_ID *ret_instance, VSS_ID *ret_writer)
{
    struct writer *w = (struct writer *)(void *)This;

    *ret_instance = dll_id(w->writer->instance_id);
    *ret_writer = dll_id(w->writer->class_id);
    return S_OK;
}

static HRESULT STDMETHODCALLTYPE
writer_component(IVssWriterComponentsExt *This, UINT i, IVssComponent **ret)
{
    struct writer *w = (struct writer *)(void *)This;
    UINT n;
    const struct model_component *c = nth_of(w->s, w->writer, i, &n);

    if (c == NULL)
        return (HRESULT)0x80042308L;
    *ret = component_new(w->s, w->writer, c);
    return S_OK;
}

static struct writer *
of_unknown(IUnknown *This)
{
    return (struct writer *)(void *)((char *)This - offsetof(struct writer, unknown));
}

static HRESULT STDMETHODCALLTYPE
unknown_query(IUnknown *This, REFIID id, void **ret)
{
    if (!IsEqualGUID(id, &IID_IUnknown)) {
        *ret = NULL;
        return E_NOINTERFACE;
    }
    of_unknown(This)->refs++;
    *ret = This;
    return S_OK;
}

static ULONG STDMETHODCALLTYPE
unknown_add_ref(IUnknown *This)
{
    return (ULONG)++of_unknown(This)->refs;
}

static ULONG STDMETHODCALLTYPE
unknown_release(IUnknown *This)
{
    struct writer *w = of_unknown(This);

    if (--w->refs > 0)
        return (ULONG)w->refs;
    dll_given(-1);
    free(w);
    return 0;
}

static const struct model_writer *
nth_writer(struct dll_session *s, UINT n, UINT *ret_count)
{
    const struct model_writer *w, *earlier;
    const struct model_writer *found = NULL;
    const struct model_component *c;

    *ret_count = 0;
    for (size_t i = 0; i < model_added(s->session); i++) {
        bool seen = false;

        model_added_at(s->session, i, &w, &c);
        for (size_t k = 0; k < i && !seen; k++) {
            model_added_at(s->session, k, &earlier, &c);
            seen = earlier == w;
        }
        if (!seen && (*ret_count)++ == n)
            found = w;
    }
    return found;
}

UINT
dll_writers(struct dll_session *s)
{
    UINT n;

    (void)nth_writer(s, 0, &n);
    return n;
}

IVssWriterComponentsExt *
dll_writer_new(struct dll_session *s, UINT i)
{
    static const IVssWriterComponentsExtVtbl components = {
        writer_count, writer_info, writer_component};
    static const IUnknownVtbl unknown = {unknown_query, unknown_add_ref, unknown_release};
    UINT n;
    const struct model_writer *writer = nth_writer(s, i, &n);
    struct writer *w;

    if (writer == NULL)
        return NULL;
    if ((w = calloc(1, sizeof(*w))) == NULL)
        abort();
    w->components = &components;
    w->unknown = &unknown;
    w->refs = 1;
    w->s = s;
    w->writer = writer;
    dll_given(1);
    return (IVssWriterComponentsExt *)(void *)w;
}
