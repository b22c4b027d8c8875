#include "base/verdict.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- words ------------------------------------------------------------------------------------ */

static const char *const level_words[] = {"none", "live", "crash", "application"};

const char *
sp_level_word(enum sp_level l)
{
    return (unsigned)l < sizeof level_words / sizeof level_words[0] ? level_words[l] : "unknown";
}

bool
sp_level_parse(const char *word, enum sp_level *ret)
{
    for (unsigned i = SP_LEVEL_LIVE; i <= SP_LEVEL_APPLICATION; i++) {
        if (strcmp(word, level_words[i]) == 0) {
            *ret = (enum sp_level)i;
            return true;
        }
    }
    return false;
}

const char *
sp_unit_kind_word(enum sp_unit_kind k)
{
    static const char *const words[] = {
        "other", "vm", "database", "mailboxes", "system", "host", "document"};

    return (unsigned)k < sizeof words / sizeof words[0] ? words[k] : "other";
}

const char *
sp_why_word(enum sp_why w)
{
    switch (w) {
    case SP_WHY_UNKNOWN:
        break;
    case SP_WHY_TOOK_PART:
        return "took-part";
    case SP_WHY_EVIDENCE:
        return "evidence";
    case SP_WHY_RULE:
        return "rule";
    case SP_WHY_STABLE:
        return "stable";
    case SP_WHY_WRITER_FAILED:
        return "writer-failed";
    case SP_WHY_COMPONENT_FAILED:
        return "component-failed";
    case SP_WHY_PARTIAL_UNKNOWN:
        return "partial-unknown";
    case SP_WHY_SILENT:
        return "silent";
    case SP_WHY_METHOD:
        return "method";
    case SP_WHY_COMPLETE_FAILED:
        return "complete-failed";
    case SP_WHY_PARTLY_OUTSIDE:
        return "partly-outside";
    case SP_WHY_NO_WRITER:
        return "no-writer";
    case SP_WHY_NOT_CHOSEN:
        return "not-chosen";
    case SP_WHY_DEPENDENCY:
        return "dependency";
    case SP_WHY_UNEXPECTED:
        return "unexpected-state";
    case SP_WHY_UNFINISHED:
        return "unfinished";
    case SP_WHY_NO_SHADOW:
        return "no-shadow";
    case SP_WHY_NOT_ASKED:
        return "not-asked";
    case SP_WHY_LEFT_OUT:
        return "left-out";
    }
    return "unknown";
}

/* --- memory ----------------------------------------------------------------------------------- */

static void
clear_writer(struct sp_verdict_writer *w)
{
    free(w->name);
    free(w->instance_name);
    free(w->rule);
    for (int i = 0; i < SP_STAGES; i++)
        free(w->stages[i].app_text);
}

static void
clear_component(struct sp_verdict_component *c)
{
    free(c->logical_path);
    free(c->name);
    free(c->caption);
    free(c->unit);
    free(c->method);
    free(c->version);
    free(c->depends);
    free(c->failure_text);
    free(c->detail);
    for (size_t i = 0; i < c->npaths; i++)
        free(c->paths[i]);
    free(c->paths);
}

void
sp_verdict_clear(struct sp_verdict *v)
{
    for (size_t i = 0; i < v->nwriters; i++)
        clear_writer(&v->writers[i]);
    for (size_t i = 0; i < v->ncomponents; i++)
        clear_component(&v->components[i]);
    for (size_t i = 0; i < v->nevents; i++) {
        free(v->events[i].log);
        free(v->events[i].source);
        free(v->events[i].text);
    }
    for (size_t i = 0; i < v->nnotes; i++)
        free(v->notes[i]);
    free(v->writers);
    free(v->components);
    free(v->shadows);
    free(v->events);
    free(v->notes);
    memset(v, 0, sizeof *v);
}

static void *
grow(void *array, size_t *n, size_t size)
{
    char *more = realloc(array, (*n + 1) * size);

    if (more != NULL)
        memset(more + (*n)++ * size, 0, size);
    return more;
}

#define ADD(v, array, n, ret, e)                                                                   \
    do {                                                                                           \
        void *more_ = grow((v)->array, &(v)->n, sizeof *(v)->array);                               \
        if (more_ == NULL)                                                                         \
            return sp_fail_nomem(e);                                                               \
        (v)->array = more_;                                                                        \
        *(ret) = &(v)->array[(v)->n - 1];                                                          \
    } while (0)

enum sp_code
sp_verdict_add_writer(struct sp_verdict *v, struct sp_verdict_writer **ret, struct sp_err *e)
{
    ADD(v, writers, nwriters, ret, e);
    return SP_OK;
}

enum sp_code
sp_verdict_add_component(struct sp_verdict *v, struct sp_verdict_component **ret, struct sp_err *e)
{
    struct sp_verdict_component *c;

    ADD(v, components, ncomponents, &c, e);
    c->writer = c->parent = c->shadow = SP_NO_INDEX;
    *ret = c;
    return SP_OK;
}

enum sp_code
sp_verdict_add_shadow(struct sp_verdict *v, struct sp_verdict_shadow **ret, struct sp_err *e)
{
    ADD(v, shadows, nshadows, ret, e);
    return SP_OK;
}

enum sp_code
sp_verdict_add_event(struct sp_verdict *v, struct sp_verdict_event **ret, struct sp_err *e)
{
    ADD(v, events, nevents, ret, e);
    return SP_OK;
}

/* Takes `text`, which is freed on failure. */
static enum sp_code
note_take(struct sp_verdict *v, char *text, struct sp_err *e)
{
    char **more = text != NULL ? realloc(v->notes, (v->nnotes + 1) * sizeof *more) : NULL;

    if (more == NULL) {
        free(text);
        return sp_fail_nomem(e);
    }
    v->notes = more;
    v->notes[v->nnotes++] = text;
    return SP_OK;
}

enum sp_code
sp_verdict_note(struct sp_verdict *v, struct sp_err *e, const char *fmt, ...)
{
    va_list ap;
    char *text;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0)
        return sp_fail(e, SP_INTERNAL, SP_DOM_SELF, "a note could not be written: %s", fmt);
    if ((text = malloc((size_t)n + 1)) != NULL) {
        va_start(ap, fmt);
        (void)vsnprintf(text, (size_t)n + 1, fmt, ap);
        va_end(ap);
    }
    return note_take(v, text, e);
}

/* --- copies ----------------------------------------------------------------------------------- */

static bool
copy_text(char **to)
{
    return *to == NULL || (*to = strdup(*to)) != NULL;
}

/* `to` was a plain copy: what it points to becomes its own, or NULL. So what is there when memory
 * runs out can be cleared. */
static bool
own_writer(struct sp_verdict_writer *w)
{
    bool ok = copy_text(&w->name);

    ok = copy_text(&w->instance_name) && ok;
    ok = copy_text(&w->rule) && ok;
    for (int i = 0; i < SP_STAGES; i++)
        ok = copy_text(&w->stages[i].app_text) && ok;
    return ok;
}

static bool
own_component(struct sp_verdict_component *c)
{
    char **const texts[] = {&c->logical_path, &c->name, &c->caption, &c->unit, &c->method,
        &c->version, &c->failure_text, &c->detail};
    const uint32_t *depends = c->depends;
    char **paths = c->paths;
    size_t npaths = c->npaths;
    bool ok = true;

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        ok = copy_text(texts[i]) && ok;
    c->depends = NULL;
    c->paths = NULL;
    c->npaths = 0;
    if (c->ndepends > 0) {
        if ((c->depends = malloc(c->ndepends * sizeof *c->depends)) != NULL)
            memcpy(c->depends, depends, c->ndepends * sizeof *c->depends);
        else
            ok = false;
    }
    if (npaths > 0 && (c->paths = calloc(npaths, sizeof *c->paths)) == NULL)
        return false;
    for (; c->npaths < npaths && ok; c->npaths++)
        ok = (c->paths[c->npaths] = strdup(paths[c->npaths])) != NULL;
    return ok;
}

enum sp_code
sp_verdict_copy(const struct sp_verdict *v, struct sp_verdict *ret, struct sp_err *e)
{
    struct sp_verdict to = {.vss = v->vss, .confirmed = v->confirmed};
    struct sp_verdict_writer *w;
    struct sp_verdict_component *c;
    struct sp_verdict_shadow *s;
    struct sp_verdict_event *event;
    enum sp_code rc = SP_OK;
    bool ok = true;

    for (size_t i = 0; i < v->nwriters && ok && rc == SP_OK; i++) {
        if ((rc = sp_verdict_add_writer(&to, &w, e)) == SP_OK) {
            *w = v->writers[i];
            ok = own_writer(w);
        }
    }
    for (size_t i = 0; i < v->ncomponents && ok && rc == SP_OK; i++) {
        if ((rc = sp_verdict_add_component(&to, &c, e)) == SP_OK) {
            *c = v->components[i];
            ok = own_component(c);
        }
    }
    for (size_t i = 0; i < v->nshadows && ok && rc == SP_OK; i++) {
        if ((rc = sp_verdict_add_shadow(&to, &s, e)) == SP_OK)
            *s = v->shadows[i];
    }
    for (size_t i = 0; i < v->nevents && ok && rc == SP_OK; i++) {
        if ((rc = sp_verdict_add_event(&to, &event, e)) == SP_OK) {
            *event = v->events[i];
            ok = copy_text(&event->log);
            ok = copy_text(&event->source) && ok;
            ok = copy_text(&event->text) && ok;
        }
    }
    for (size_t i = 0; i < v->nnotes && ok && rc == SP_OK; i++)
        rc = note_take(&to, strdup(v->notes[i]), e);
    if (rc == SP_OK && !ok)
        rc = sp_fail_nomem(e);
    if (rc != SP_OK) {
        sp_verdict_clear(&to);
        return rc;
    }
    *ret = to;
    return SP_OK;
}

enum sp_level
sp_verdict_applications(const struct sp_verdict *v)
{
    enum sp_level weakest = SP_LEVEL_NONE;

    for (size_t i = 0; i < v->ncomponents; i++) {
        enum sp_level l = v->components[i].level;

        if (l != SP_LEVEL_NONE && (weakest == SP_LEVEL_NONE || l < weakest))
            weakest = l;
    }
    return weakest;
}
