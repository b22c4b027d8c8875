/* IVssExamineWriterMetadata(Ex), IVssWMComponent, IVssWMFiledesc, IVssWMDependency. */

#include "tests/vss/vssapi/vssapi.h"

#include <stdlib.h>
#include <string.h>

/* Each object is its table, a count and what it speaks of; nothing else is told apart. */
struct object {
    const void *table;
    LONG refs;
    const void *what;
};

static void *
object_new(const void *table, const void *what)
{
    struct object *o = calloc(1, sizeof(*o));

    if (o == NULL)
        abort();
    o->table = table;
    o->refs = 1;
    o->what = what;
    dll_given(1);
    return o;
}

static const void *
what(void *This)
{
    return ((struct object *)This)->what;
}

static ULONG
release_object(void *This)
{
    struct object *o = This;

    if (--o->refs > 0)
        return (ULONG)o->refs;
    dll_given(-1);
    free(o);
    return 0;
}

/* None of the three can be asked for by an IID of its own (vswriter.h has zeros). */
#define COMMON(type, prefix)                                                                       \
    static HRESULT STDMETHODCALLTYPE prefix##_query(type *This, REFIID id, void **ret)             \
    {                                                                                              \
        if (!IsEqualGUID(id, &IID_IUnknown)) {                                                     \
            *ret = NULL;                                                                           \
            return E_NOINTERFACE;                                                                  \
        }                                                                                          \
        ((struct object *)(void *)This)->refs++;                                                   \
        *ret = This;                                                                               \
        return S_OK;                                                                               \
    }                                                                                              \
    static ULONG STDMETHODCALLTYPE prefix##_add_ref(type *This)                                    \
    {                                                                                              \
        return (ULONG)++((struct object *)(void *)This)->refs;                                     \
    }                                                                                              \
    static ULONG STDMETHODCALLTYPE prefix##_release(type *This)                                    \
    {                                                                                              \
        return release_object(This);                                                               \
    }

#define TEXT_OF(type, name, struct_type, member)                                                   \
    static HRESULT STDMETHODCALLTYPE name(type *This, BSTR *ret)                                   \
    {                                                                                              \
        *ret = dll_bstr(((const struct struct_type *)what(This))->member);                         \
        return S_OK;                                                                               \
    }

/* --- files */
COMMON(IVssWMFiledesc, files)
TEXT_OF(IVssWMFiledesc, files_path, model_files, path)
TEXT_OF(IVssWMFiledesc, files_spec, model_files, spec)
TEXT_OF(IVssWMFiledesc, files_alternate, model_files, alternate)

static HRESULT STDMETHODCALLTYPE
files_recursive(IVssWMFiledesc *This, boolean *ret)
{
    *ret = ((const struct model_files *)what(This))->recursive;
    return S_OK;
}

static HRESULT STDMETHODCALLTYPE
files_mask(IVssWMFiledesc *This, DWORD *ret)
{
    (void)This;
    *ret = VSS_FSBT_ALL_BACKUP_REQUIRED | VSS_FSBT_ALL_SNAPSHOT_REQUIRED;
    return S_OK;
}

static const IVssWMFiledescVtbl files_table = {files_query, files_add_ref, files_release,
    files_path, files_spec, files_recursive, files_alternate, files_mask};

IVssWMFiledesc *
dll_files_new(const struct model_files *f)
{
    return object_new(&files_table, f);
}

/* --- dependencies */
COMMON(IVssWMDependency, depends)
TEXT_OF(IVssWMDependency, depends_path, model_depends, logical)
TEXT_OF(IVssWMDependency, depends_name, model_depends, name)

static HRESULT STDMETHODCALLTYPE
depends_writer(IVssWMDependency *This, VSS_ID *ret)
{
    *ret = dll_id(((const struct model_depends *)what(This))->class_id);
    return S_OK;
}

static const IVssWMDependencyVtbl depends_table = {
    depends_query, depends_add_ref, depends_release, depends_writer, depends_path, depends_name};

/* --- components */
COMMON(IVssWMComponent, component)

static UINT
count(const struct model_component *c, unsigned kind)
{
    UINT n = 0;

    for (size_t i = 0; i < c->nfiles; i++)
        n += c->files[i].kind == kind;
    return n;
}

static HRESULT STDMETHODCALLTYPE
component_info(IVssWMComponent *This, PVSSCOMPONENTINFO *ret)
{
    const struct model_component *c = what(This);
    VSS_COMPONENTINFO *info = calloc(1, sizeof(*info));

    if (info == NULL)
        abort();
    info->type = (VSS_COMPONENT_TYPE)c->type;
    info->bstrLogicalPath = dll_bstr(c->logical);
    info->bstrComponentName = dll_bstr(c->name);
    info->bstrCaption = dll_bstr(c->caption);
    info->bNotifyOnBackupComplete = c->notify;
    info->bSelectable = c->selectable;
    info->bSelectableForRestore = c->selectable;
    info->cFileCount = count(c, 0);
    info->cDatabases = count(c, 1);
    info->cLogFiles = count(c, 2);
    info->cDependencies = (UINT)c->ndepends;
    dll_given(1);
    *ret = info;
    return S_OK;
}

static HRESULT STDMETHODCALLTYPE
component_free_info(IVssWMComponent *This, PVSSCOMPONENTINFO info)
{
    (void)This;
    SysFreeString(info->bstrLogicalPath);
    SysFreeString(info->bstrComponentName);
    SysFreeString(info->bstrCaption);
    free((void *)(uintptr_t)info);
    dll_given(-1);
    return S_OK;
}

static HRESULT
nth(IVssWMComponent *This, unsigned kind, UINT n, IVssWMFiledesc **ret)
{
    const struct model_component *c = what(This);

    for (size_t i = 0; i < c->nfiles; i++)
        if (c->files[i].kind == kind && n-- == 0) {
            *ret = dll_files_new(&c->files[i]);
            return S_OK;
        }
    return (HRESULT)0x80042308L;
}

static HRESULT STDMETHODCALLTYPE
component_file(IVssWMComponent *This, UINT i, IVssWMFiledesc **ret)
{
    return nth(This, 0, i, ret);
}

static HRESULT STDMETHODCALLTYPE
component_database(IVssWMComponent *This, UINT i, IVssWMFiledesc **ret)
{
    return nth(This, 1, i, ret);
}

static HRESULT STDMETHODCALLTYPE
component_log(IVssWMComponent *This, UINT i, IVssWMFiledesc **ret)
{
    return nth(This, 2, i, ret);
}

static HRESULT STDMETHODCALLTYPE
component_dependency(IVssWMComponent *This, UINT i, IVssWMDependency **ret)
{
    const struct model_component *c = what(This);

    if (i >= c->ndepends)
        return (HRESULT)0x80042308L;
    *ret = object_new(&depends_table, &c->depends[i]);
    return S_OK;
}

static const IVssWMComponentVtbl component_table = {component_query, component_add_ref,
    component_release, component_info, component_free_info, component_file, component_database,
    component_log, component_dependency};

/* --- writers */
static HRESULT STDMETHODCALLTYPE
writer_query(IVssExamineWriterMetadataEx *This, REFIID id, void **ret)
{
    if (!IsEqualGUID(id, &IID_IUnknown) && !IsEqualGUID(id, &IID_IVssExamineWriterMetadata) &&
        (!IsEqualGUID(id, &IID_IVssExamineWriterMetadataEx) || dll_old())) {
        *ret = NULL;
        return E_NOINTERFACE;
    }
    ((struct object *)(void *)This)->refs++;
    *ret = This;
    return S_OK;
}

static ULONG STDMETHODCALLTYPE
writer_add_ref(IVssExamineWriterMetadataEx *This)
{
    return (ULONG)++((struct object *)(void *)This)->refs;
}

static ULONG STDMETHODCALLTYPE
writer_release(IVssExamineWriterMetadataEx *This)
{
    return release_object(This);
}

static HRESULT STDMETHODCALLTYPE
writer_identity_ex(IVssExamineWriterMetadataEx *This, VSS_ID *ret_instance, VSS_ID *ret_writer,
    BSTR *ret_name, BSTR *ret_instance_name, VSS_USAGE_TYPE *ret_usage, VSS_SOURCE_TYPE *ret_source)
{
    const struct model_writer *w = what(This);

    *ret_instance = dll_id(w->instance_id);
    *ret_writer = dll_id(w->class_id);
    *ret_name = dll_bstr(w->name);
    *ret_instance_name = dll_bstr(w->instance_name);
    *ret_usage = VSS_UT_USERDATA;
    *ret_source = VSS_ST_TRANSACTEDDB;
    return S_OK;
}

static HRESULT STDMETHODCALLTYPE
writer_identity(IVssExamineWriterMetadataEx *This, VSS_ID *ret_instance, VSS_ID *ret_writer,
    BSTR *ret_name, VSS_USAGE_TYPE *ret_usage, VSS_SOURCE_TYPE *ret_source)
{
    BSTR instance_name = NULL;
    HRESULT hr = writer_identity_ex(
        This, ret_instance, ret_writer, ret_name, &instance_name, ret_usage, ret_source);

    SysFreeString(instance_name);
    return hr;
}

static HRESULT STDMETHODCALLTYPE
writer_counts(
    IVssExamineWriterMetadataEx *This, UINT *ret_includes, UINT *ret_excludes, UINT *ret_components)
{
    const struct model_writer *w = what(This);

    *ret_includes = 0;
    *ret_excludes = (UINT)w->nexcludes;
    *ret_components = (UINT)w->ncomponents;
    return S_OK;
}

static HRESULT STDMETHODCALLTYPE
writer_exclude(IVssExamineWriterMetadataEx *This, UINT i, IVssWMFiledesc **ret)
{
    const struct model_writer *w = what(This);

    if (i >= w->nexcludes)
        return (HRESULT)0x80042308L;
    *ret = dll_files_new(&w->excludes[i]);
    return S_OK;
}

static HRESULT STDMETHODCALLTYPE
writer_component(IVssExamineWriterMetadataEx *This, UINT i, IVssWMComponent **ret)
{
    const struct model_writer *w = what(This);

    if (i >= w->ncomponents)
        return (HRESULT)0x80042308L;
    *ret = object_new(&component_table, &w->components[i]);
    return S_OK;
}

static HRESULT STDMETHODCALLTYPE
writer_schema(IVssExamineWriterMetadataEx *This, DWORD *ret)
{
    (void)This;
    *ret = VSS_BS_COPY;
    return S_OK;
}

static HRESULT STDMETHODCALLTYPE
writer_save(IVssExamineWriterMetadataEx *This, BSTR *ret)
{
    *ret = dll_bstr(((const struct model_writer *)what(This))->xml);
    return S_OK;
}

IVssExamineWriterMetadataEx *
dll_metadata_new(const struct model_writer *w)
{
    static IVssExamineWriterMetadataExVtbl table;

    dll_unserved(&table, sizeof(table));
    table.QueryInterface = writer_query;
    table.AddRef = writer_add_ref;
    table.Release = writer_release;
    table.GetIdentity = writer_identity;
    table.GetIdentityEx = writer_identity_ex;
    table.GetFileCounts = writer_counts;
    table.GetExcludeFile = writer_exclude;
    table.GetComponent = writer_component;
    table.GetBackupSchema = writer_schema;
    table.SaveAsXML = writer_save;
    return object_new(&table, w);
}
