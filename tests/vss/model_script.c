/* Reads a script (the grammar is in model.h): words of a line, then the line by its first word. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/vss/model_internal.h"

#define MAX_WORDS 32

struct line {
    struct model *m;
    char *words[MAX_WORDS];
    size_t n, used;
    const char *wrong; /* NULL: nothing yet */
};

static const char *
next(struct line *l)
{
    if (l->used < l->n)
        return l->words[l->used++];
    if (!l->wrong)
        l->wrong = "a word is missing";
    return "";
}

static uint64_t
number(struct line *l, const char *word)
{
    char *end;
    unsigned long long v = strtoull(word, &end, 0);

    if ((!*word || *end) && !l->wrong)
        l->wrong = "a number is expected";
    return v;
}

/* The value of key=…, taken from what is left of the line; NULL: not there. */
static const char *
value(struct line *l, const char *key)
{
    size_t n = strlen(key);

    for (size_t i = l->used; i < l->n; i++)
        if (strncmp(l->words[i], key, n) == 0 && l->words[i][n] == '=') {
            char *word = l->words[i];

            memmove(&l->words[i], &l->words[i + 1], (l->n - i - 1) * sizeof l->words[0]);
            l->n--;
            l->words[l->n] = word;
            return word + n + 1;
        }
    return NULL;
}

static bool
flag(struct line *l, const char *word)
{
    for (size_t i = l->used; i < l->n; i++)
        if (strcmp(l->words[i], word) == 0) {
            memmove(&l->words[i], &l->words[i + 1], (l->n - i - 1) * sizeof l->words[0]);
            l->n--;
            return true;
        }
    return false;
}

static uint32_t
number_of(struct line *l, const char *key, uint32_t otherwise)
{
    const char *v = value(l, key);

    return v ? (uint32_t)number(l, v) : otherwise;
}

static char *
text_of(struct line *l, const char *key)
{
    const char *v = value(l, key);

    return v ? model_copy(v) : NULL;
}

/* Paths are written with / in scripts for any platform. */
static char *
native(struct line *l, const char *word)
{
    char *path = model_copy(word);

    for (char *c = path; *c; c++)
        if (*c == '/')
            *c = l->m->host.separator;
    return path;
}

static char *
path_of(struct line *l, const char *key)
{
    const char *v = value(l, key);

    return v ? native(l, v) : NULL;
}

static unsigned
stage(struct line *l, const char *word)
{
    static const char *const names[] = {"prepared", "snapshot", "complete", "idle"};

    for (unsigned i = 0; i < 4; i++)
        if (strcmp(word, names[i]) == 0)
            return i;
    if (!l->wrong)
        l->wrong = "a stage is idle, prepared, snapshot or complete";
    return 0;
}

/* GUIDs with or without braces, in any case; kept as texts of 36 small letters. */
static void
guid(struct line *l, const char *word, char ret[37])
{
    size_t n = strlen(word);

    if (n == 38 && word[0] == '{' && word[37] == '}')
        word++;
    else if (n != 36) {
        if (!l->wrong)
            l->wrong = "a GUID is expected";
        return;
    }
    for (int i = 0; i < 36; i++)
        ret[i] = (char)(word[i] >= 'A' && word[i] <= 'F' ? word[i] - 'A' + 'a' : word[i]);
    ret[36] = '\0';
}

bool
model_call_named(const char *name, enum model_call *ret, bool *ret_async)
{
    const char *dot = strchr(name, '.');
    size_t n = dot ? (size_t)(dot - name) : strlen(name);

    *ret_async = dot && strcmp(dot, ".async") == 0;
    if (dot && !*ret_async)
        return false;
    for (int i = 0; i < MODEL_CALLS; i++)
        if (strlen(model_call_names[i]) == n && strncmp(model_call_names[i], name, n) == 0) {
            *ret = (enum model_call)i;
            return true;
        }
    return false;
}

static void
call(struct line *l, struct model_rule *r)
{
    if (!model_call_named(next(l), &r->call, &r->async) && !l->wrong)
        l->wrong = "there is no call of that name";
}

static struct model_writer *
writer(struct line *l)
{
    static struct model_writer none;

    if (l->m->nwriters)
        return &l->m->writers[l->m->nwriters - 1];
    if (!l->wrong)
        l->wrong = "a writer comes before";
    memset(&none, 0, sizeof none);
    return &none;
}

static struct model_component *
component(struct line *l)
{
    static struct model_component none;
    struct model_writer *w = writer(l);

    if (w->ncomponents)
        return &w->components[w->ncomponents - 1];
    if (!l->wrong)
        l->wrong = "a component comes before";
    memset(&none, 0, sizeof none);
    return &none;
}

static void
files(struct line *l, struct model_files **v, size_t *n, unsigned kind)
{
    struct model_files f = {0};

    f.path = native(l, next(l));
    f.spec = model_copy(next(l));
    f.recursive = flag(l, "recursive");
    f.alternate = path_of(l, "alternate");
    if (!f.alternate)
        f.alternate = model_copy("");
    f.kind = kind;
    if (l->wrong) {
        free(f.path);
        free(f.spec);
        free(f.alternate);
        return;
    }
    *v = model_more(*v, n, sizeof **v);
    (*v)[*n - 1] = f;
}

static void
read_volume(struct line *l)
{
    struct model *m = l->m;
    struct model_volume *v;

    m->volumes = model_more(m->volumes, &m->nvolumes, sizeof *m->volumes);
    v = &m->volumes[m->nvolumes - 1];
    v->name = model_copy(next(l));
    v->mount = native(l, next(l));
    v->file_system = text_of(l, "fs");
    if (!v->file_system)
        v->file_system = model_copy("NTFS");
    v->covers = path_of(l, "covers");
    v->unsupported = flag(l, "unsupported");
    v->remote = flag(l, "remote");
}

static void
read_writer(struct line *l)
{
    struct model *m = l->m;
    struct model_writer *w;

    m->writers = model_more(m->writers, &m->nwriters, sizeof *m->writers);
    w = &m->writers[m->nwriters - 1];
    guid(l, next(l), w->class_id);
    guid(l, next(l), w->instance_id);
    w->name = model_copy(next(l));
    w->instance_name = text_of(l, "instance-name");
    if (!w->instance_name)
        w->instance_name = model_copy("");
    w->stable = flag(l, "stable");
    w->silent = flag(l, "silent");
    w->only_attempt = number_of(l, "only-attempt", 0);
}

static void
read_component(struct line *l)
{
    struct model_writer *w = writer(l);
    struct model_component *c;
    const char *type = next(l);

    if (l->wrong)
        return;
    w->components = model_more(w->components, &w->ncomponents, sizeof *w->components);
    c = &w->components[w->ncomponents - 1];
    if (strcmp(type, "database") == 0)
        c->type = 1;
    else if (strcmp(type, "filegroup") == 0)
        c->type = 2;
    else
        l->wrong = "a component is a database or a filegroup";
    c->logical = model_copy(next(l));
    c->name = model_copy(next(l));
    c->caption = text_of(l, "caption");
    if (!c->caption)
        c->caption = model_copy("");
    c->selectable = !flag(l, "unselectable");
    c->notify = flag(l, "notify");
}

static void
read_depends(struct line *l)
{
    struct model_component *c = component(l);
    struct model_depends *d;

    if (l->wrong)
        return;
    c->depends = model_more(c->depends, &c->ndepends, sizeof *c->depends);
    d = &c->depends[c->ndepends - 1];
    guid(l, next(l), d->class_id);
    d->logical = model_copy(next(l));
    d->name = model_copy(next(l));
}

static void
read_failure(struct line *l)
{
    struct model_component *c = component(l);
    struct model_failure *f;
    const char *at;

    if (l->wrong)
        return;
    c->failures = model_more(c->failures, &c->nfailures, sizeof *c->failures);
    f = &c->failures[c->nfailures - 1];
    f->hresult = (uint32_t)number(l, next(l));
    f->app = number_of(l, "app", 0);
    f->text = text_of(l, "text");
    f->attempt = number_of(l, "attempt", 0);
    at = value(l, "at");
    f->stage = at ? stage(l, at) : MODEL_SNAPSHOT;
    f->alone = flag(l, "alone");
}

static void
read_answer(struct line *l, bool gone)
{
    struct model_writer *w = writer(l);
    struct model_answer *a;

    if (l->wrong)
        return;
    w->answers = model_more(w->answers, &w->nanswers, sizeof *w->answers);
    a = &w->answers[w->nanswers - 1];
    a->gone = gone;
    a->stage = stage(l, next(l));
    if (!gone) {
        a->state = (uint32_t)number(l, next(l));
        a->hresult = (uint32_t)number(l, next(l));
        a->app = number_of(l, "app", 0);
        a->text = text_of(l, "text");
    }
    a->attempt = number_of(l, "attempt", 0);
    a->with = text_of(l, "with");
}

static void
read_rule(struct line *l, bool pend)
{
    struct model *m = l->m;
    struct model_rule *r;
    const char *word;

    m->rules = model_more(m->rules, &m->nrules, sizeof *m->rules);
    r = &m->rules[m->nrules - 1];
    r->pend = pend;
    call(l, r);
    word = next(l);
    if (!pend)
        r->hresult = (uint32_t)number(l, word);
    else if (strcmp(word, "forever") == 0)
        r->ms = UINT64_MAX;
    else
        r->ms = number(l, word);
    if (pend && !r->async && !l->wrong)
        l->wrong = "only an async pends: CALL.async";
    r->at = number_of(l, "at", 1);
    r->times = number_of(l, "times", pend ? 0 : 1);
}

static void
read_event(struct line *l)
{
    struct model *m = l->m;
    struct model_event *v;

    m->events = model_more(m->events, &m->nevents, sizeof *m->events);
    v = &m->events[m->nevents - 1];
    v->log = model_copy(next(l));
    v->source = model_copy(next(l));
    v->id = (uint32_t)number(l, next(l));
    v->severity = (uint32_t)number(l, next(l));
    v->text = model_copy(next(l));
}

static void
read_guest(struct line *l)
{
    struct model *m = l->m;

    m->guests = model_more(m->guests, &m->nguests, sizeof *m->guests);
    m->guests[m->nguests - 1].component = model_copy(next(l));
    m->guests[m->nguests - 1].version = model_copy(next(l));
}

static void
read_words(struct line *l)
{
    static const char *const kinds[] = {"file", "database", "log"};
    struct model *m = l->m;
    const char *word = next(l);

    for (unsigned i = 0; i < 3; i++)
        if (strcmp(word, kinds[i]) == 0) {
            struct model_component *c = component(l);

            if (!l->wrong)
                files(l, &c->files, &c->nfiles, i);
            return;
        }
    if (strcmp(word, "volume") == 0)
        read_volume(l);
    else if ((strcmp(word, "shadows") == 0 && m->shadows) ||
             (strcmp(word, "device") == 0 && m->device) ||
             (strcmp(word, "no-start") == 0 && m->no_start))
        l->wrong = "it is said twice";
    else if (strcmp(word, "shadows") == 0)
        m->shadows = native(l, next(l));
    else if (strcmp(word, "device") == 0)
        m->device = model_copy(next(l));
    else if (strcmp(word, "no-start") == 0) {
        m->no_start = model_copy(next(l));
        m->denied = flag(l, "denied");
    } else if (strcmp(word, "writer") == 0)
        read_writer(l);
    else if (strcmp(word, "component") == 0)
        read_component(l);
    else if (strcmp(word, "depends") == 0)
        read_depends(l);
    else if (strcmp(word, "stamp") == 0)
        component(l)->stamp = true;
    else if (strcmp(word, "failure") == 0)
        read_failure(l);
    else if (strcmp(word, "exclude") == 0) {
        struct model_writer *w = writer(l);

        if (!l->wrong)
            files(l, &w->excludes, &w->nexcludes, 0);
    } else if (strcmp(word, "status") == 0 || strcmp(word, "gone") == 0)
        read_answer(l, *word == 'g');
    else if (strcmp(word, "fail") == 0 || strcmp(word, "pend") == 0)
        read_rule(l, *word == 'p');
    else if (strcmp(word, "event") == 0)
        read_event(l);
    else if (strcmp(word, "guest") == 0)
        read_guest(l);
    else
        l->wrong = "no line begins like that";
}

/* Splits at blanks outside of quotes; quotes themselves go. */
static void
split(struct line *l, char *text)
{
    char *to;
    bool quoted = false;

    for (;;) {
        while (*text == ' ' || *text == '\t' || *text == '\r')
            text++;
        if (!*text || *text == '#')
            return;
        if (l->n == MAX_WORDS) {
            l->wrong = "too many words";
            return;
        }
        l->words[l->n++] = to = text;
        for (; *text && (quoted || (*text != ' ' && *text != '\t' && *text != '\r')); text++)
            if (*text == '"')
                quoted = !quoted;
            else
                *to++ = *text;
        if (*text)
            text++;
        *to = '\0';
        if (quoted)
            l->wrong = "a quote is not closed";
    }
}

bool
model_script_read(struct model *m, const char *script, char why[256])
{
    char *all = model_copy(script);
    unsigned at = 0;
    bool well = true;

    for (char *line = all, *end; well && line; line = end) {
        struct line l = {.m = m};

        end = strchr(line, '\n');
        if (end)
            *end++ = '\0';
        at++;
        split(&l, line);
        if (l.n && !l.wrong)
            read_words(&l);
        if (!l.wrong && l.used < l.n)
            l.wrong = "there are words too many, or a key is misspelt";
        if (!l.wrong)
            continue;
        snprintf(why, 256, "line %u (%s): %s", at, l.n ? l.words[0] : "", l.wrong);
        well = false;
    }
    free(all);
    return well;
}
