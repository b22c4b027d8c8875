/* What the writers told of themselves, as plain data: see api.h and metadata.h. */

#include "vss/api_win32.h"

#include <stdlib.h>
#include <string.h>

uint32_t
vss_metadata_count(struct sp_vss_session *s, uint32_t *ret)
{
    UINT n = 0;
    HRESULT hr = IVssBackupComponents_GetWriterMetadataCount(s->base, &n);

    if (SUCCEEDED(hr))
        *ret = n;
    return (uint32_t)hr;
}

uint32_t
vss_free_metadata(struct sp_vss_session *s)
{
    return (uint32_t)IVssBackupComponents_FreeWriterMetadata(s->base);
}

/* Takes the description over. */
static HRESULT
add_files(IVssWMFiledesc *d, enum sp_vss_file_kind kind, struct sp_vss_files **v, size_t *n)
{
    char *path = NULL, *spec = NULL, *alternate = NULL;
    BSTR text = NULL;
    boolean recursive = FALSE;
    struct sp_err e;
    HRESULT hr;

    if (FAILED(hr = IVssWMFiledesc_GetPath(d, &text)) || FAILED(hr = vss_take_path(text, &path)))
        goto out;
    text = NULL;
    if (FAILED(hr = IVssWMFiledesc_GetFilespec(d, &text)) ||
        FAILED(hr = vss_take_text(text, &spec)))
        goto out;
    text = NULL;
    if (FAILED(hr = IVssWMFiledesc_GetRecursive(d, &recursive)) ||
        FAILED(hr = IVssWMFiledesc_GetAlternateLocation(d, &text)) ||
        FAILED(hr = vss_take_path(text, &alternate)))
        goto out;
    hr = vss_of_code(sp_vss_files_add(v, n, path, spec, recursive != 0, alternate, kind, &e));
out:
    free(path);
    free(spec);
    free(alternate);
    (void)IVssWMFiledesc_Release(d);
    return hr;
}

/* Takes the dependency over. */
static HRESULT
add_dependency(IVssWMDependency *d, struct sp_vss_component *c)
{
    char *path = NULL, *name = NULL, id[37];
    BSTR text = NULL;
    VSS_ID writer;
    struct sp_err e;
    HRESULT hr;

    if (FAILED(hr = IVssWMDependency_GetWriterId(d, &writer)) ||
        FAILED(hr = IVssWMDependency_GetLogicalPath(d, &text)) ||
        FAILED(hr = vss_take_text(text, &path)))
        goto out;
    text = NULL;
    if (FAILED(hr = IVssWMDependency_GetComponentName(d, &text)) ||
        FAILED(hr = vss_take_text(text, &name)))
        goto out;
    vss_id_text(&writer, id);
    hr = vss_of_code(sp_vss_dependency_add(c, id, path, name, &e));
out:
    free(path);
    free(name);
    (void)IVssWMDependency_Release(d);
    return hr;
}

typedef HRESULT(STDMETHODCALLTYPE *get_files)(IVssWMComponent *This, UINT i, IVssWMFiledesc **ret);

static HRESULT
add_all_files(IVssWMComponent *from, get_files get, UINT n, enum sp_vss_file_kind kind,
    struct sp_vss_component *c)
{
    IVssWMFiledesc *d;
    HRESULT hr = S_OK;

    for (UINT i = 0; i < n && SUCCEEDED(hr); i++)
        if (SUCCEEDED(hr = get(from, i, &d)))
            hr = add_files(d, kind, &c->files, &c->nfiles);
    return hr;
}

/* The strings that sp_vss_writer_add may have made empty ones of give way. */
static HRESULT
put_text(const wchar_t *from, char **to)
{
    char *text;
    HRESULT hr = vss_text(from, &text);

    if (SUCCEEDED(hr)) {
        free(*to);
        *to = text;
    }
    return hr;
}

static HRESULT
fill_component(IVssWMComponent *from, PVSSCOMPONENTINFO info, struct sp_vss_component *c)
{
    IVssWMDependency *d;
    HRESULT hr;

    c->type = (uint32_t)info->type;
    c->selectable = info->bSelectable != 0;
    c->selectable_for_restore = info->bSelectableForRestore != 0;
    c->notify = info->bNotifyOnBackupComplete != 0;
    c->flags = info->dwComponentFlags;
    if (FAILED(hr = put_text(info->bstrLogicalPath, &c->logical_path)) ||
        FAILED(hr = put_text(info->bstrComponentName, &c->name)) ||
        FAILED(hr = put_text(info->bstrCaption, &c->caption)) ||
        FAILED(hr = add_all_files(from, from->lpVtbl->GetFile, info->cFileCount, SP_VSS_FILE, c)) ||
        FAILED(hr = add_all_files(from, from->lpVtbl->GetDatabaseFile, info->cDatabases,
                   SP_VSS_DATABASE_FILE, c)) ||
        FAILED(hr = add_all_files(
                   from, from->lpVtbl->GetDatabaseLogFile, info->cLogFiles, SP_VSS_LOG_FILE, c)))
        return hr;
    for (UINT i = 0; i < info->cDependencies && SUCCEEDED(hr); i++)
        if (SUCCEEDED(hr = IVssWMComponent_GetDependency(from, i, &d)))
            hr = add_dependency(d, c);
    return hr;
}

static HRESULT
add_component(IVssExamineWriterMetadata *m, UINT i, struct sp_vss_writer *w)
{
    IVssWMComponent *from = NULL;
    PVSSCOMPONENTINFO info = NULL;
    struct sp_vss_component *c;
    struct sp_err e;
    HRESULT hr = IVssExamineWriterMetadata_GetComponent(m, i, &from);

    if (FAILED(hr))
        return hr;
    if (SUCCEEDED(hr = IVssWMComponent_GetComponentInfo(from, &info)) &&
        SUCCEEDED(hr = vss_of_code(sp_vss_writer_add(w, &c, &e))))
        hr = fill_component(from, info, c);
    if (info != NULL)
        (void)IVssWMComponent_FreeComponentInfo(from, info);
    (void)IVssWMComponent_Release(from);
    return hr;
}

/* Instances of SQL Server's kind have a name each, which only the newer interface tells. */
static HRESULT
identify(IVssExamineWriterMetadata *m, IVssExamineWriterMetadataEx *ex, struct sp_vss_writer *w)
{
    VSS_ID instance, class;
    BSTR name = NULL, instance_name = NULL;
    VSS_USAGE_TYPE usage;
    VSS_SOURCE_TYPE source;
    HRESULT hr;

    if (ex != NULL)
        hr = IVssExamineWriterMetadataEx_GetIdentityEx(
            ex, &instance, &class, &name, &instance_name, &usage, &source);
    else
        hr = IVssExamineWriterMetadata_GetIdentity(m, &instance, &class, &name, &usage, &source);
    if (FAILED(hr))
        return hr;
    vss_id_text(&instance, w->instance_id);
    vss_id_text(&class, w->class_id);
    w->usage = (uint32_t)usage;
    w->source = (uint32_t)source;
    if (SUCCEEDED(hr = put_text(name, &w->name)))
        hr = put_text(instance_name, &w->instance_name);
    SysFreeString(name);
    SysFreeString(instance_name);
    return hr;
}

/* A writer of before Windows Server 2003 has no schema; a document that cannot be had is NULL. */
static HRESULT
add_document(IVssExamineWriterMetadata *m, struct sp_vss_writer *w)
{
    BSTR xml = NULL;
    DWORD schema = 0;
    HRESULT hr;

    if (SUCCEEDED(IVssExamineWriterMetadata_GetBackupSchema(m, &schema)))
        w->schema = schema;
    if (FAILED(IVssExamineWriterMetadata_SaveAsXML(m, &xml)))
        return S_OK;
    if (SUCCEEDED(hr = vss_take_text(xml, &w->xml)))
        w->xml_len = strlen(w->xml);
    return hr;
}

static HRESULT
fill_writer(IVssExamineWriterMetadata *m, IVssExamineWriterMetadataEx *ex, struct sp_vss_writer *w)
{
    UINT includes = 0, excludes = 0, components = 0;
    IVssWMFiledesc *d;
    HRESULT hr;

    if (FAILED(hr = identify(m, ex, w)) ||
        FAILED(hr = IVssExamineWriterMetadata_GetFileCounts(m, &includes, &excludes, &components)))
        return hr;
    for (UINT i = 0; i < components && SUCCEEDED(hr); i++)
        hr = add_component(m, i, w);
    for (UINT i = 0; i < excludes && SUCCEEDED(hr); i++)
        if (SUCCEEDED(hr = IVssExamineWriterMetadata_GetExcludeFile(m, i, &d)))
            hr = add_files(d, SP_VSS_FILE, &w->excludes, &w->nexcludes);
    return SUCCEEDED(hr) ? add_document(m, w) : hr;
}

/* IVssExamineWriterMetadataEx begins with the older interface's calls. */
static HRESULT
examine(struct sp_vss_session *s, UINT i, IVssExamineWriterMetadataEx **ret_ex,
    IVssExamineWriterMetadata **ret)
{
    VSS_ID instance;
    HRESULT hr;

    if (s->ex == NULL)
        return IVssBackupComponents_GetWriterMetadata(s->base, i, &instance, ret);
    if (SUCCEEDED(hr = IVssBackupComponentsEx_GetWriterMetadataEx(s->ex, i, &instance, ret_ex)))
        *ret = (IVssExamineWriterMetadata *)(void *)*ret_ex;
    return hr;
}

uint32_t
vss_metadata(struct sp_vss_session *s, uint32_t i, struct sp_vss_writer *ret)
{
    struct sp_vss_metadata one = {0};
    struct sp_vss_writer *w;
    IVssExamineWriterMetadata *m = NULL;
    IVssExamineWriterMetadataEx *ex = NULL;
    struct sp_err e;
    HRESULT hr = examine(s, i, &ex, &m);

    if (FAILED(hr))
        return (uint32_t)hr;
    hr = vss_of_code(sp_vss_metadata_add(&one, &w, &e));
    if (SUCCEEDED(hr) && SUCCEEDED(hr = fill_writer(m, ex, w))) {
        *ret = *w;
        free(one.writers); /* what it holds is the caller's now */
        one = (struct sp_vss_metadata){0};
    }
    sp_vss_metadata_clear(&one);
    (void)IVssExamineWriterMetadata_Release(m);
    return (uint32_t)hr;
}
