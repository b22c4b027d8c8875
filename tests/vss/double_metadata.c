/* A writer of the model as the product sees it. */

#include <stdlib.h>
#include <string.h>

#include "tests/vss/double_internal.h"

static void *
zeroed(size_t n, size_t size)
{
    void *p = calloc(n ? n : 1, size);

    if (!p)
        abort();
    return p;
}

static char *
copy(const char *s)
{
    char *p = zeroed(strlen(s) + 1, 1);

    return strcpy(p, s);
}

static struct sp_vss_files *
files(const struct model_files *v, size_t n)
{
    static const enum sp_vss_file_kind kinds[] = {
        SP_VSS_FILE, SP_VSS_DATABASE_FILE, SP_VSS_LOG_FILE};
    struct sp_vss_files *ret = zeroed(n, sizeof *ret);

    for (size_t i = 0; i < n; i++) {
        ret[i].path = copy(v[i].path);
        ret[i].spec = copy(v[i].spec);
        ret[i].recursive = v[i].recursive;
        ret[i].alternate = copy(v[i].alternate);
        ret[i].kind = kinds[v[i].kind];
    }
    return ret;
}

static void
component(const struct model_component *c, struct sp_vss_component *ret)
{
    ret->type = c->type;
    ret->logical_path = copy(c->logical);
    ret->name = copy(c->name);
    ret->caption = copy(c->caption);
    ret->selectable = ret->selectable_for_restore = c->selectable;
    ret->notify = c->notify;
    ret->files = files(c->files, c->nfiles);
    ret->nfiles = c->nfiles;
    ret->dependencies = zeroed(c->ndepends, sizeof *ret->dependencies);
    ret->ndependencies = c->ndepends;
    for (size_t i = 0; i < c->ndepends; i++) {
        memcpy(ret->dependencies[i].writer_id, c->depends[i].class_id, 37);
        ret->dependencies[i].logical_path = copy(c->depends[i].logical);
        ret->dependencies[i].name = copy(c->depends[i].name);
    }
}

void
double_writer(const struct model_writer *w, struct sp_vss_writer *ret)
{
    memset(ret, 0, sizeof *ret);
    memcpy(ret->class_id, w->class_id, 37);
    memcpy(ret->instance_id, w->instance_id, 37);
    ret->name = copy(w->name);
    ret->instance_name = copy(w->instance_name);
    ret->usage = 3;  /* VSS_UT_USERDATA */
    ret->source = 3; /* VSS_ST_OTHERDB: learn.microsoft.com/windows/win32/api/vsbackup */
    ret->components = zeroed(w->ncomponents, sizeof *ret->components);
    ret->ncomponents = w->ncomponents;
    for (size_t i = 0; i < w->ncomponents; i++)
        component(&w->components[i], &ret->components[i]);
    ret->excludes = files(w->excludes, w->nexcludes);
    ret->nexcludes = w->nexcludes;
    ret->xml = copy(w->xml);
    ret->xml_len = strlen(w->xml);
}
