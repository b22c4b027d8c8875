/* Gives back what a script was read into. */

#include <stdlib.h>

#include "tests/vss/model_internal.h"

static void
files(struct model_files *v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(v[i].path);
        free(v[i].spec);
        free(v[i].alternate);
    }
    free(v);
}

static void
component(struct model_component *c)
{
    free(c->logical);
    free(c->name);
    free(c->caption);
    files(c->files, c->nfiles);
    for (size_t i = 0; i < c->ndepends; i++) {
        free(c->depends[i].logical);
        free(c->depends[i].name);
    }
    free(c->depends);
    for (size_t i = 0; i < c->nfailures; i++)
        free(c->failures[i].text);
    free(c->failures);
}

static void
writer(struct model_writer *w)
{
    for (size_t i = 0; i < w->ncomponents; i++)
        component(&w->components[i]);
    free(w->components);
    files(w->excludes, w->nexcludes);
    for (size_t i = 0; i < w->nanswers; i++) {
        free(w->answers[i].text);
        free(w->answers[i].with);
    }
    free(w->answers);
    free(w->name);
    free(w->instance_name);
    free(w->xml);
}

void
model_script_free(struct model *m)
{
    for (size_t i = 0; i < m->nvolumes; i++) {
        free(m->volumes[i].name);
        free(m->volumes[i].mount);
        free(m->volumes[i].file_system);
        free(m->volumes[i].covers);
    }
    free(m->volumes);
    for (size_t i = 0; i < m->nwriters; i++)
        writer(&m->writers[i]);
    free(m->writers);
    free(m->rules);
    for (size_t i = 0; i < m->nevents; i++) {
        free(m->events[i].log);
        free(m->events[i].source);
        free(m->events[i].text);
    }
    free(m->events);
    for (size_t i = 0; i < m->nguests; i++) {
        free(m->guests[i].component);
        free(m->guests[i].version);
    }
    free(m->guests);
    free(m->shadows);
    free(m->device);
    free(m->no_start);
}
