/* The trace, and what every call begins and ends with: the order, the injected failures, the line.
 */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/vss/model_internal.h"

static void
add(struct model_text *t, const char *fmt, va_list ap)
{
    va_list again;
    int n;

    va_copy(again, ap);
    n = vsnprintf(NULL, 0, fmt, again);
    va_end(again);
    if (n < 0)
        abort();
    if (t->n + (size_t)n + 1 > t->cap) {
        t->cap = (t->n + (size_t)n + 1) * 2;
        t->p = realloc(t->p, t->cap);
        if (!t->p)
            abort();
    }
    vsnprintf(t->p + t->n, (size_t)n + 1, fmt, ap);
    t->n += (size_t)n;
}

void
model_text_add(struct model_text *t, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    add(t, fmt, ap);
    va_end(ap);
}

static void
to_file(struct model *m, const char *line)
{
    FILE *f;

    if (!m->trace_file)
        return;
    f = fopen(m->trace_file, "ab");
    if (!f)
        return;
    fputs(line, f);
    fclose(f);
}

void
model_trace_to(struct model *m, const char *file)
{
    free(m->trace_file);
    m->trace_file = model_copy(file);
}

/* Opened for each line: what was called last is there, however the process ends. */
static void
end_line(struct model *m, size_t from)
{
    model_text_add(&m->trace, "\n");
    m->lines++;
    to_file(m, m->trace.p + from);
}

void
model_line(struct model *m, const char *fmt, ...)
{
    size_t from = m->trace.n;
    va_list ap;

    va_start(ap, fmt);
    add(&m->trace, fmt, ap);
    va_end(ap);
    end_line(m, from);
}

void
model_remark(struct model *m, const char *text)
{
    model_line(m, "%s", text);
}

void
model_breach(struct model *m, const char *text)
{
    m->illegal++;
    model_line(m, "illegal %s", text);
}

void
model_illegal_line(struct model_session *s, enum model_call call, const char *why, const char *page)
{
    s->m->illegal++;
    model_line(s->m, "illegal %u %s: %s (learn.microsoft.com/windows/win32/%s)", s->number,
        model_call_names[call], why, page);
}

uint32_t
model_enter(struct model_session *s, enum model_call call)
{
    struct model *m = s->m;
    const struct model_row *row = model_order_check(s->facts, call), *all;
    size_t n;

    m->calls[call]++;
    if (row) {
        all = model_rows(&n);
        m->hits[row - all]++;
        model_illegal_line(s, call, row->why, row->page);
        return SP_VSS_E_BAD_STATE;
    }
    for (size_t i = 0; i < m->nrules; i++) {
        const struct model_rule *r = &m->rules[i];

        if (!r->pend && !r->async && r->call == call && m->calls[call] >= r->at &&
            (r->times == 0 || m->calls[call] < r->at + r->times))
            return r->hresult;
    }
    return 0;
}

uint32_t
model_leave(struct model_session *s, enum model_call call, uint32_t hr, const char *fmt, ...)
{
    struct model *m = s->m;
    size_t from = m->trace.n;
    va_list ap;

    model_text_add(&m->trace, "%u %s ", s->number, model_call_names[call]);
    va_start(ap, fmt);
    add(&m->trace, fmt, ap);
    va_end(ap);
    model_text_add(&m->trace, " 0x%08lx", (unsigned long)hr);
    end_line(m, from);
    return hr;
}

uint32_t
model_left(struct model_session *s, enum model_call call, uint32_t hr)
{
    model_line(s->m, "%u %s 0x%08lx", s->number, model_call_names[call], (unsigned long)hr);
    return hr;
}

const char *
model_trace(const struct model *m)
{
    return m->trace.p ? m->trace.p : "";
}

unsigned
model_position(const struct model *m, const char *call, unsigned n)
{
    const char *at = model_trace(m);
    size_t len = strlen(call);
    unsigned line = 0, seen = 0;

    while (*at) {
        const char *end = strchr(at, '\n');
        const char *word = strchr(at, ' ');

        line++;
        if (word && word < end && strncmp(at, "illegal ", 8) != 0 &&
            (size_t)(end - word - 1) >= len && strncmp(word + 1, call, len) == 0 &&
            (word[1 + len] == ' ' || word[1 + len] == '\n') && ++seen == n)
            return line;
        at = end + 1;
    }
    return 0;
}
