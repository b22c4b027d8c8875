/* The machine as a whole: made from a script, counted, freed. */

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/vss/model_internal.h"

void *
model_more(void *v, size_t *n, size_t size)
{
    char *p = realloc(v, (*n + 1) * size);

    if (!p)
        abort();
    memset(p + *n * size, 0, size);
    (*n)++;
    return p;
}

char *
model_copy(const char *s)
{
    size_t n = strlen(s) + 1;
    char *p = malloc(n);

    if (!p)
        abort();
    return memcpy(p, s, n);
}

bool
model_same(const char *a, const char *b)
{
    for (; *a && *b; a++, b++)
        if (tolower((unsigned char)*a) != tolower((unsigned char)*b))
            return false;
    return *a == *b;
}

/* Ids differ from process to process, so that a journal's never means another run's. */
void
model_new_id(struct model *m, unsigned kind, char ret[37])
{
    m->ids++;
    snprintf(ret, 37, "%08x-%04x-4000-8000-%012llx", m->ids & 0xffffffffu, kind & 0xffffu,
        (unsigned long long)(m->host.now_ms(m->host.arg) & 0xffffffffffffu));
}

struct model *
model_new(const char *script, const struct model_host *host, char why[256])
{
    struct model *m = calloc(1, sizeof *m);
    size_t rows;

    if (!m)
        abort();
    m->host = *host;
    model_rows(&rows);
    m->hits = calloc(rows, sizeof *m->hits);
    if (!m->hits)
        abort();
    if (!model_script_read(m, script, why)) {
        model_free(m);
        return NULL;
    }
    for (size_t i = 0; i < m->nwriters; i++)
        model_writer_document(&m->writers[i]);
    if (m->shadows)
        model_sets_load(m);
    return m;
}

void
model_free(struct model *m)
{
    if (!m)
        return;
    for (size_t i = m->nsets; i > 0; i--)
        if (m->sets[i - 1].made)
            model_sets_drop(m, i - 1);
    for (size_t i = 0; i < m->nsets; i++)
        free(m->sets[i].copies);
    free(m->sets);
    for (size_t i = 0; i < m->ntold; i++)
        free(m->told[i].component);
    free(m->told);
    model_script_free(m);
    free(m->trace_file);
    free(m->trace.p);
    free(m->hits);
    free(m);
}

const char *
model_start(struct model *m, bool *ret_denied)
{
    m->calls[MODEL_start]++;
    model_line(m, "0 start%s", m->no_start ? " refused" : "");
    *ret_denied = m->denied;
    return m->no_start;
}

void
model_end(struct model *m)
{
    m->calls[MODEL_end]++;
    model_line(m, "0 end");
}

size_t
model_volumes(const struct model *m, const struct model_volume **ret)
{
    *ret = m->volumes;
    return m->nvolumes;
}

size_t
model_events(const struct model *m, const struct model_event **ret)
{
    *ret = m->events;
    return m->nevents;
}

const char *
model_guest(const struct model *m, const char *component)
{
    for (size_t i = 0; i < m->nguests; i++)
        if (model_same(m->guests[i].component, component))
            return m->guests[i].version;
    return NULL;
}

static bool
separates(const struct model *m, char c)
{
    return c == m->host.separator || (c == '/' && m->host.fold);
}

bool
model_below(const struct model *m, const char *folder, const char *path, bool same)
{
    size_t n = strlen(folder);

    while (n > 0 && separates(m, folder[n - 1]))
        n--;
    for (size_t i = 0; i < n; i++) {
        char a = folder[i], b = path[i];

        if (separates(m, a) && separates(m, b))
            continue;
        if (m->host.fold ? tolower((unsigned char)a) != tolower((unsigned char)b) : a != b)
            return false;
    }
    path += n;
    if (*path && !separates(m, *path))
        return false;
    while (separates(m, *path))
        path++;
    return *path || same;
}

const struct model_volume *
model_covering(const struct model *m, const char *path)
{
    const struct model_volume *best = NULL;

    for (size_t i = 0; i < m->nvolumes; i++)
        if (model_below(m, m->volumes[i].mount, path, true) &&
            (!best || strlen(m->volumes[i].mount) > strlen(best->mount)))
            best = &m->volumes[i];
    return best;
}

unsigned
model_illegal(const struct model *m)
{
    return m->illegal;
}

unsigned
model_sessions_open(const struct model *m)
{
    return m->sessions_open;
}

unsigned
model_asyncs_open(const struct model *m)
{
    return m->asyncs_open;
}

unsigned
model_shadows(const struct model *m)
{
    return (unsigned)m->nsets;
}

unsigned
model_unended(const struct model *m)
{
    return m->unended;
}

unsigned
model_count(const struct model *m, const char *call)
{
    enum model_call c;
    bool async;

    if (!model_call_named(call, &c, &async))
        abort(); /* a test that misspells would count nothing */
    return async ? m->asyncs_begun[c] : m->calls[c];
}

unsigned
model_row_hits(const struct model *m, size_t row)
{
    return m->hits[row];
}

bool
model_succeeded(const struct model *m, const char *component, bool *ret)
{
    for (size_t i = m->ntold; i > 0; i--) {
        const char *full = m->told[i - 1].component, *last = strrchr(full, '\\');

        if (!model_same(full, component) && (!last || !model_same(last + 1, component)))
            continue;
        *ret = m->told[i - 1].well;
        return true;
    }
    return false;
}
