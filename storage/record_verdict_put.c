/* Verdicts as messages, and what is left out of one that is too long for its record: a backup does
 * not fail for its evidence. First go the events, then paths, then texts that only explain, then
 * notes, and last components, from the end: those that came with another and are as it is, those
 * that are `application`, all others. The levels in the clear part are of the whole verdict. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "storage/record_pb.h"

#define NOTE_ROOM 320 /* the note on what is left out */

struct putting {
    struct sp_loan *l;
    const struct sp_verdict *v;
    Sp__Format__Verdict *m;
    Sp__Format__VerdictComponent *components; /* all of them; m->components: those that stay */
    size_t room;
    size_t paths, depends; /* that may still be taken */
    size_t events_out, paths_out, texts_out, notes_out, components_out, others_out;
};

/* --- to a message ----------------------------------------------------------------------------- */

/* Whole characters of a text, as many as are allowed. NULL: no memory. */
static char *
put_text(struct putting *p, const char *s)
{
    static const char more[] = "\xe2\x80\xa6";
    char *text = sp_loan_text(p->l, s), *cut;
    size_t n;

    if (text == NULL || (n = strlen(text)) <= SP_VERDICT_MAX_TEXT)
        return text;
    n = SP_VERDICT_MAX_TEXT - (sizeof more - 1);
    while (n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80)
        n--;
    if ((cut = sp_loan_take(p->l, n + sizeof more)) == NULL)
        return NULL;
    memcpy(cut, text, n);
    memcpy(cut + n, more, sizeof more);
    return cut;
}

static uint32_t
put_index(uint32_t i, size_t n)
{
    return i < n ? i + 1 : 0;
}

static Sp__Format__VerdictStatus *
put_status(struct putting *p, const struct sp_verdict_status *from)
{
    Sp__Format__VerdictStatus *to;

    if (!from->asked || (to = sp_loan_take(p->l, sizeof *to)) == NULL)
        return NULL;
    sp__format__verdict_status__init(to);
    to->answered = from->answered;
    to->state = from->state;
    to->hresult = from->hresult;
    to->app_hresult = from->app_hresult;
    to->app_text = put_text(p, from->app_text);
    return to;
}

static void
put_writers(struct putting *p)
{
    size_t n = p->v->nwriters < SP_VERDICT_MAX_WRITERS ? p->v->nwriters : SP_VERDICT_MAX_WRITERS;
    Sp__Format__VerdictWriter *w = sp_loan_take(p->l, n * sizeof *w);

    p->m->writers = sp_loan_take(p->l, n * sizeof(Sp__Format__VerdictWriter *));
    if (w == NULL || p->m->writers == NULL)
        return;
    p->others_out += p->v->nwriters - n;
    for (size_t i = 0; i < n; i++, w++) {
        const struct sp_verdict_writer *from = &p->v->writers[i];

        sp__format__verdict_writer__init(w);
        w->class_id = (char *)(uintptr_t)from->class_id;
        w->instance_id = (char *)(uintptr_t)from->instance_id;
        w->name = put_text(p, from->name);
        w->instance_name = put_text(p, from->instance_name);
        w->prepared = put_status(p, &from->stages[SP_STAGE_PREPARED]);
        w->snapshot = put_status(p, &from->stages[SP_STAGE_SNAPSHOT]);
        w->complete = put_status(p, &from->stages[SP_STAGE_COMPLETE]);
        w->concerned = from->concerned;
        w->rule = put_text(p, from->rule);
        w->level = (uint32_t)from->level;
        w->why = (uint32_t)from->why;
        w->hresult = from->hresult;
        p->m->writers[p->m->n_writers++] = w;
    }
}

static void
put_shadows(struct putting *p)
{
    size_t n = p->v->nshadows < SP_VERDICT_MAX_SHADOWS ? p->v->nshadows : SP_VERDICT_MAX_SHADOWS;
    Sp__Format__VerdictShadow *s = sp_loan_take(p->l, n * sizeof *s);

    p->m->shadows = sp_loan_take(p->l, n * sizeof(Sp__Format__VerdictShadow *));
    if (s == NULL || p->m->shadows == NULL)
        return;
    p->others_out += p->v->nshadows - n;
    for (size_t i = 0; i < n; i++, s++) {
        const struct sp_verdict_shadow *from = &p->v->shadows[i];

        sp__format__verdict_shadow__init(s);
        s->id = (char *)(uintptr_t)from->id;
        s->instant_ns = from->instant_ns;
        s->took_ns = from->took_ns;
        s->attempts = from->attempts;
        s->retried_for = from->retried_for;
        s->backup_type = from->backup_type;
        s->completed = from->completed;
        s->complete_hresult = from->complete_hresult;
        p->m->shadows[p->m->n_shadows++] = s;
    }
}

/* Paths and dependencies, as many as all components together may still have. */
static void
put_lists(
    struct putting *p, const struct sp_verdict_component *from, Sp__Format__VerdictComponent *to)
{
    size_t npaths = from->npaths < p->paths ? from->npaths : p->paths;
    size_t ndepends = from->ndepends < p->depends ? from->ndepends : p->depends;

    to->paths = sp_loan_take(p->l, npaths * sizeof(char *));
    to->depends = sp_loan_take(p->l, ndepends * sizeof to->depends[0]);
    if (to->paths == NULL || to->depends == NULL)
        return;
    for (; to->n_paths < npaths; to->n_paths++)
        if ((to->paths[to->n_paths] = put_text(p, from->paths[to->n_paths])) == NULL)
            return;
    for (; to->n_depends < ndepends; to->n_depends++)
        to->depends[to->n_depends] = from->depends[to->n_depends] + 1;
    p->paths -= npaths;
    p->paths_out += from->npaths - npaths;
    p->depends -= ndepends;
    p->others_out += from->ndepends - ndepends;
}

static void
put_component(
    struct putting *p, const struct sp_verdict_component *from, Sp__Format__VerdictComponent *to)
{
    sp__format__verdict_component__init(to);
    to->writer = put_index(from->writer, p->m->n_writers);
    to->type = from->type;
    to->logical_path = put_text(p, from->logical_path);
    to->name = put_text(p, from->name);
    to->caption = put_text(p, from->caption);
    to->kind = (uint32_t)from->kind;
    to->unit = put_text(p, from->unit);
    to->method = put_text(p, from->method);
    to->version = put_text(p, from->version);
    to->added = from->added;
    to->parent = put_index(from->parent, p->v->ncomponents);
    to->shadow = put_index(from->shadow, p->m->n_shadows);
    to->failure_known = from->failure_known;
    to->failure = from->failure;
    to->app_failure = from->app_failure;
    to->failure_text = put_text(p, from->failure_text);
    to->stamped = from->stamped;
    to->files_live = from->files_live;
    to->level = (uint32_t)from->level;
    to->why = (uint32_t)from->why;
    to->hresult = from->hresult;
    to->detail = put_text(p, from->detail);
    put_lists(p, from, to);
}

static void
put_components(struct putting *p)
{
    size_t n = p->v->ncomponents;

    p->components = sp_loan_take(p->l, n * sizeof *p->components);
    p->m->components = sp_loan_take(p->l, n * sizeof(Sp__Format__VerdictComponent *));
    if (p->components == NULL || p->m->components == NULL)
        return;
    for (size_t i = 0; i < n && !p->l->no_memory; i++) {
        put_component(p, &p->v->components[i], &p->components[i]);
        p->m->components[p->m->n_components++] = &p->components[i];
    }
}

static void
put_events(struct putting *p)
{
    size_t n = p->v->nevents < SP_VERDICT_MAX_EVENTS ? p->v->nevents : SP_VERDICT_MAX_EVENTS;
    Sp__Format__VerdictEvent *to = sp_loan_take(p->l, n * sizeof *to);

    p->m->events = sp_loan_take(p->l, n * sizeof(Sp__Format__VerdictEvent *));
    if (to == NULL || p->m->events == NULL)
        return;
    p->events_out += p->v->nevents - n;
    for (size_t i = 0; i < n; i++, to++) {
        const struct sp_verdict_event *from = &p->v->events[i];

        sp__format__verdict_event__init(to);
        to->at_ns = from->at_ns;
        to->log = put_text(p, from->log);
        to->source = put_text(p, from->source);
        to->text = put_text(p, from->text);
        to->id = from->id;
        to->severity = from->severity;
        p->m->events[p->m->n_events++] = to;
    }
}

static void
put_notes(struct putting *p)
{
    /* One may come to them. */
    size_t n = p->v->nnotes < SP_VERDICT_MAX_NOTES ? p->v->nnotes : SP_VERDICT_MAX_NOTES - 1;

    if ((p->m->notes = sp_loan_take(p->l, (n + 1) * sizeof(char *))) == NULL)
        return;
    p->notes_out += p->v->nnotes - n;
    for (; p->m->n_notes < n; p->m->n_notes++)
        if ((p->m->notes[p->m->n_notes] = put_text(p, p->v->notes[p->m->n_notes])) == NULL)
            return;
}

/* --- what is too much ------------------------------------------------------------------------- */

static bool
fits(const struct putting *p)
{
    size_t note = p->events_out + p->paths_out + p->texts_out + p->notes_out + p->components_out +
                              p->others_out >
                          0
                      ? NOTE_ROOM
                      : 0;

    /* Tag and length of the verdict itself are at most 6 bytes. */
    return p->m->n_components <= SP_VERDICT_MAX_COMPONENTS &&
           sp__format__verdict__get_packed_size(p->m) + note + 6 <= p->room;
}

static void
keep_events(struct putting *p, size_t most)
{
    if (p->m->n_events <= most)
        return;
    p->events_out += p->m->n_events - most;
    p->m->n_events = most;
}

static void
keep_notes(struct putting *p, size_t most)
{
    if (p->m->n_notes <= most)
        return;
    p->notes_out += p->m->n_notes - most;
    p->m->n_notes = most;
}

static void
keep_paths(struct putting *p, size_t most)
{
    for (size_t i = 0; i < p->m->n_components; i++) {
        Sp__Format__VerdictComponent *c = p->m->components[i];

        if (c->n_paths <= most)
            continue;
        p->paths_out += c->n_paths - most;
        c->n_paths = most;
    }
}

static void
drop_text(struct putting *p, char **text)
{
    if ((*text)[0] == '\0')
        return;
    *text = (char *)(uintptr_t)protobuf_c_empty_string;
    p->texts_out++;
}

static void
drop_texts(struct putting *p)
{
    for (size_t i = 0; i < p->m->n_components; i++) {
        drop_text(p, &p->m->components[i]->caption);
        drop_text(p, &p->m->components[i]->detail);
        drop_text(p, &p->m->components[i]->failure_text);
    }
}

enum { AS_ITS_PARENT, APPLICATION, ANY, CLASSES };

static bool
is_of_class(const struct putting *p, const Sp__Format__VerdictComponent *c, int k)
{
    if (k == AS_ITS_PARENT)
        return c->parent != 0 && c->level >= p->components[c->parent - 1].level;
    return k == ANY || c->level == SP_LEVEL_APPLICATION;
}

/* Closes the gaps; what refers to a component that stays refers to its new place. */
static void
renumber(struct putting *p, const uint32_t *place)
{
    size_t n = 0;

    for (size_t i = 0; i < p->v->ncomponents; i++) {
        Sp__Format__VerdictComponent *c = &p->components[i];
        size_t ndepends = 0;

        if (place[i] == 0)
            continue;
        if (c->parent != 0)
            c->parent = place[c->parent - 1];
        for (size_t k = 0; k < c->n_depends; k++)
            if (place[c->depends[k] - 1] != 0)
                c->depends[ndepends++] = place[c->depends[k] - 1];
        c->n_depends = ndepends;
        p->m->components[n++] = c;
    }
    p->m->n_components = n;
}

static void
drop_components(struct putting *p)
{
    size_t n = p->v->ncomponents, left = n, size, most = p->room;
    uint32_t *place = sp_loan_take(p->l, n * sizeof *place), at = 0;

    if (place == NULL)
        return;
    for (size_t i = 0; i < n; i++)
        place[i] = 1;
    size = sp__format__verdict__get_packed_size(p->m) + NOTE_ROOM + 6;
    for (int k = 0; k < CLASSES; k++)
        for (size_t i = n; i-- > 0 && (size > most || left > SP_VERDICT_MAX_COMPONENTS);) {
            Sp__Format__VerdictComponent *c = &p->components[i];

            if (place[i] == 0 || !is_of_class(p, c, k))
                continue;
            place[i] = 0;
            left--;
            size -= sp__format__verdict_component__get_packed_size(c); /* and its tag */
        }
    for (size_t i = 0; i < n; i++)
        if (place[i] != 0)
            place[i] = ++at;
    p->components_out = n - left;
    renumber(p, place);
}

static void
trim(struct putting *p)
{
    static const size_t events[] = {200, 50, 0}, paths[] = {64, 16, 4, 1, 0};

    for (size_t i = 0; i < sizeof events / sizeof events[0] && !fits(p); i++)
        keep_events(p, events[i]);
    for (size_t i = 0; i < sizeof paths / sizeof paths[0] && !fits(p); i++)
        keep_paths(p, paths[i]);
    if (!fits(p))
        drop_texts(p);
    if (!fits(p))
        keep_notes(p, 50);
    if (!fits(p))
        drop_components(p);
    if (!fits(p)) { /* no verdict of a real machine comes here: no component is left */
        keep_notes(p, 0);
        p->others_out += p->m->n_writers;
        p->m->n_writers = 0;
    }
}

static void
add_part(char *to, size_t room, size_t n, const char *what)
{
    size_t at = strlen(to);

    if (n > 0)
        (void)snprintf(to + at, room - at, "%s%zu %s", at == 0 ? "" : ", ", n, what);
}

static void
put_note(struct putting *p)
{
    char what[192] = "", *note;

    add_part(what, sizeof what, p->events_out, "events");
    add_part(what, sizeof what, p->paths_out, "paths");
    add_part(what, sizeof what, p->texts_out, "texts");
    add_part(what, sizeof what, p->notes_out, "notes");
    add_part(what, sizeof what, p->components_out, "components");
    add_part(what, sizeof what, p->others_out, "writers, shadow sets or dependencies");
    if (what[0] == '\0' || (note = sp_loan_take(p->l, NOTE_ROOM)) == NULL)
        return;
    (void)snprintf(note, NOTE_ROOM,
        "The verdict was too long for the set's record, which leaves out of it: %s.", what);
    p->m->notes[p->m->n_notes++] = note;
}

Sp__Format__Verdict *
sp_verdict_message(struct sp_loan *l, const struct sp_verdict *v, size_t room)
{
    struct putting p = {.l = l,
        .v = v,
        .room = room < SP_VERDICT_MAX ? room : SP_VERDICT_MAX,
        .paths = SP_VERDICT_MAX_PATHS,
        .depends = SP_VERDICT_MAX_DEPENDS};

    if ((p.m = sp_loan_take(l, sizeof *p.m)) == NULL)
        return NULL;
    sp__format__verdict__init(p.m);
    p.m->vss = v->vss;
    p.m->confirmed = v->confirmed;
    put_writers(&p);
    put_shadows(&p);
    put_components(&p);
    put_events(&p);
    put_notes(&p);
    if (l->no_memory)
        return NULL;
    trim(&p);
    put_note(&p);
    return l->no_memory ? NULL : p.m;
}
