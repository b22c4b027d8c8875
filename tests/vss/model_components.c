/* Components: found, added, asked about. */

#include <stdlib.h>
#include <string.h>

#include "tests/vss/model_internal.h"

static bool
is(const struct model_component *c, const struct model_ref *r)
{
    return strcmp(c->logical, r->logical ? r->logical : "") == 0 && strcmp(c->name, r->name) == 0;
}

static const struct model_component *
find(const struct model_session *s, const struct model_ref *r,
    const struct model_writer **ret_writer)
{
    for (size_t i = 0; i < s->npresent; i++) {
        const struct model_writer *w = s->present[i];

        if (!model_same(w->class_id, r->class_id) || !model_same(w->instance_id, r->instance_id))
            continue;
        *ret_writer = w;
        for (size_t j = 0; j < w->ncomponents; j++)
            if (is(&w->components[j], r) && w->components[j].type == r->type)
                return &w->components[j];
    }
    return NULL;
}

/* Whether `above` is an ancestor: its logical path and name begin the other's logical path, part by
 * part. */
static bool
ancestor(const struct model_component *above, const struct model_component *c)
{
    struct model_text full = {0};
    bool yes;

    model_text_add(&full, "%s%s%s", above->logical, *above->logical ? "\\" : "", above->name);
    yes = strncmp(full.p, c->logical, full.n) == 0 &&
          (c->logical[full.n] == '\0' || c->logical[full.n] == '\\');
    free(full.p);
    return yes;
}

/* Nonselectable components with a selectable ancestor come with it and are never added themselves:
 * learn.microsoft.com/windows/win32/api/vsbackup/nf-vsbackup-ivssbackupcomponents-addcomponent */
static bool
implied(const struct model_writer *w, const struct model_component *c)
{
    for (size_t i = 0; !c->selectable && i < w->ncomponents; i++)
        if (&w->components[i] != c && w->components[i].selectable && ancestor(&w->components[i], c))
            return true;
    return false;
}

uint32_t
model_add_component(struct model_session *s, const struct model_ref *r)
{
    const struct model_writer *w = NULL;
    const struct model_component *c = find(s, r, &w);
    uint32_t hr = model_enter(s, MODEL_add_component);

    if (!hr && (!c || !w))
        hr = SP_VSS_E_NOT_FOUND;
    for (size_t i = 0; !hr && i < s->nadded; i++)
        if (s->added[i].component == c)
            hr = SP_VSS_E_EXISTS;
    if (!hr && implied(w, c)) {
        model_illegal_line(s, MODEL_add_component, "it comes with its selectable ancestor",
            "api/vsbackup/nf-vsbackup-ivssbackupcomponents-addcomponent");
        hr = SP_VSS_E_INVALIDARG;
    }
    if (!hr) {
        s->added = model_more(s->added, &s->nadded, sizeof *s->added);
        s->added[s->nadded - 1].writer = w;
        s->added[s->nadded - 1].component = c;
    }
    return model_leave(s, MODEL_add_component, hr, "%s \"%s\" \"%s\"", w ? w->name : r->class_id,
        r->logical ? r->logical : "", r->name);
}

size_t
model_added(const struct model_session *s)
{
    return s->nadded;
}

void
model_added_at(const struct model_session *s, size_t i, const struct model_writer **ret_writer,
    const struct model_component **ret_component)
{
    *ret_writer = s->added[i].writer;
    *ret_component = s->added[i].component;
}

static struct model_added *
added(const struct model_session *s, const struct model_ref *r)
{
    for (size_t i = 0; i < s->nadded; i++)
        if (model_same(s->added[i].writer->class_id, r->class_id) &&
            model_same(s->added[i].writer->instance_id, r->instance_id) &&
            is(s->added[i].component, r))
            return &s->added[i];
    return NULL;
}

uint32_t
model_component_report(struct model_session *s, const struct model_ref *r, struct model_report *ret)
{
    const struct model_added *a = added(s, r);
    const struct model_failure *f;
    uint32_t hr = model_enter(s, MODEL_component_report);

    if (!hr && !a)
        hr = SP_VSS_E_NOT_FOUND;
    if (!hr) {
        f = model_failing(s, a->writer, a->component);
        memset(ret, 0, sizeof *ret);
        ret->known = true;
        ret->failure = f ? f->hresult : 0;
        ret->app = f ? f->app : 0;
        ret->text = f ? f->text : NULL;
        ret->stamped = a->component->stamp && (s->facts >> FACT_PREPARED & 1);
    }
    return model_leave(
        s, MODEL_component_report, hr, "\"%s\" \"%s\"", r->logical ? r->logical : "", r->name);
}

uint32_t
model_set_succeeded(struct model_session *s, const struct model_ref *r, bool well)
{
    struct model_added *a = added(s, r);
    uint32_t hr = model_enter(s, MODEL_succeeded);
    struct model_text full = {0};

    if (!hr && !a) {
        model_illegal_line(s, MODEL_succeeded, "the component was not added",
            "api/vsbackup/nf-vsbackup-ivssbackupcomponents-setbackupsucceeded");
        hr = SP_VSS_E_NOT_FOUND;
    }
    if (!hr) {
        a->told = true;
        a->well = well;
        model_text_add(&full, "%s%s%s", a->component->logical, *a->component->logical ? "\\" : "",
            a->component->name);
        s->m->told = model_more(s->m->told, &s->m->ntold, sizeof *s->m->told);
        s->m->told[s->m->ntold - 1].component = full.p;
        s->m->told[s->m->ntold - 1].well = well;
    }
    return model_leave(s, MODEL_succeeded, hr, "\"%s\" \"%s\" %s", r->logical ? r->logical : "",
        r->name, well ? "yes" : "no");
}
