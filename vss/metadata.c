#include "vss/metadata.h"

#include <stdlib.h>
#include <string.h>

/* Room for one more element of `size`: lists double, so that their length alone tells their room.
 */
static void *
grow(void *v, size_t n, size_t size)
{
    if ((n & (n - 1)) != 0)
        return v;
    if (n > SIZE_MAX / 2 / size)
        return NULL;
    return realloc(v, (n == 0 ? 1 : 2 * n) * size);
}

static void
clear_files(struct sp_vss_files *v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(v[i].path);
        free(v[i].spec);
        free(v[i].alternate);
    }
    free(v);
}

static void
clear_component(struct sp_vss_component *c)
{
    free(c->logical_path);
    free(c->name);
    free(c->caption);
    clear_files(c->files, c->nfiles);
    for (size_t i = 0; i < c->ndependencies; i++) {
        free(c->dependencies[i].logical_path);
        free(c->dependencies[i].name);
    }
    free(c->dependencies);
}

void
sp_vss_metadata_clear(struct sp_vss_metadata *m)
{
    for (size_t i = 0; i < m->nwriters; i++) {
        struct sp_vss_writer *w = &m->writers[i];

        free(w->name);
        free(w->instance_name);
        for (size_t j = 0; j < w->ncomponents; j++)
            clear_component(&w->components[j]);
        free(w->components);
        clear_files(w->excludes, w->nexcludes);
        free(w->xml);
    }
    free(m->writers);
    *m = (struct sp_vss_metadata){0};
}

enum sp_code
sp_vss_metadata_add(struct sp_vss_metadata *m, struct sp_vss_writer **ret, struct sp_err *e)
{
    struct sp_vss_writer *more = grow(m->writers, m->nwriters, sizeof *more);

    if (more == NULL)
        return sp_fail_nomem(e);
    m->writers = more;
    more[m->nwriters] = (struct sp_vss_writer){0};
    *ret = &more[m->nwriters++];
    return SP_OK;
}

enum sp_code
sp_vss_writer_add(struct sp_vss_writer *w, struct sp_vss_component **ret, struct sp_err *e)
{
    struct sp_vss_component *more = grow(w->components, w->ncomponents, sizeof *more);

    if (more == NULL)
        return sp_fail_nomem(e);
    w->components = more;
    more[w->ncomponents] = (struct sp_vss_component){0};
    *ret = &more[w->ncomponents++];
    return SP_OK;
}

enum sp_code
sp_vss_files_add(struct sp_vss_files **v, size_t *n, const char *path, const char *spec,
    bool recursive, const char *alternate, enum sp_vss_file_kind kind, struct sp_err *e)
{
    struct sp_vss_files *more = grow(*v, *n, sizeof *more), *f;

    if (more == NULL)
        return sp_fail_nomem(e);
    *v = more;
    f = &more[*n];
    *f = (struct sp_vss_files){
        .path = strdup(path),
        .spec = strdup(spec),
        .recursive = recursive,
        .alternate = strdup(alternate),
        .kind = kind,
    };
    if (f->path == NULL || f->spec == NULL || f->alternate == NULL) {
        free(f->path);
        free(f->spec);
        free(f->alternate);
        return sp_fail_nomem(e);
    }
    ++*n;
    return SP_OK;
}

enum sp_code
sp_vss_dependency_add(struct sp_vss_component *c, const char *writer_id, const char *logical_path,
    const char *name, struct sp_err *e)
{
    struct sp_vss_dependency *more = grow(c->dependencies, c->ndependencies, sizeof *more), *d;
    size_t n = strnlen(writer_id, sizeof d->writer_id - 1);

    if (more == NULL)
        return sp_fail_nomem(e);
    c->dependencies = more;
    d = &more[c->ndependencies];
    *d = (struct sp_vss_dependency){.logical_path = strdup(logical_path), .name = strdup(name)};
    memcpy(d->writer_id, writer_id, n);
    if (d->logical_path == NULL || d->name == NULL) {
        free(d->logical_path);
        free(d->name);
        return sp_fail_nomem(e);
    }
    c->ndependencies++;
    return SP_OK;
}
