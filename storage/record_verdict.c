/* Verdicts: their rules, and reading them. An index that leads nowhere, or a level that there is
 * not, makes the record SP_CORRUPT; reasons and kinds grow with versions, and a reader that does
 * not know one shows it as unknown (SP_WHY_UNKNOWN) and other (SP_UNIT_OTHER). */

#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "storage/record_pb.h"

/* --- rules ------------------------------------------------------------------------------------ */

/* "66841cd4-6ded-4f4b-8f17-fd23f8ddc3de", or empty. */
static bool
is_uuid(const char *s)
{
    static const char form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";

    if (s[0] == '\0')
        return true;
    for (size_t i = 0; i < sizeof form - 1; i++) {
        bool digit = (s[i] >= '0' && s[i] <= '9') || (s[i] >= 'a' && s[i] <= 'f');

        if (form[i] == 'x' ? !digit : s[i] != '-')
            return false;
    }
    return s[sizeof form - 1] == '\0';
}

static bool
is_index(uint32_t i, size_t n)
{
    return i == SP_NO_INDEX || i < n;
}

/* Whoever walks from a component to its parents comes to an end. In a circle the one who goes two
 * steps at a time meets the one who goes one (R. W. Floyd). */
static bool
parents_end(const struct sp_verdict *v)
{
    const struct sp_verdict_component *c = v->components;

    for (size_t i = 0; i < v->ncomponents; i++) {
        uint32_t slow = (uint32_t)i, fast = (uint32_t)i;

        while (fast != SP_NO_INDEX && (fast = c[fast].parent) != SP_NO_INDEX) {
            slow = c[slow].parent;
            fast = c[fast].parent;
            if (fast != SP_NO_INDEX && fast == slow)
                return false;
        }
    }
    return true;
}

static const char *
component_problem(const struct sp_verdict *v, const struct sp_verdict_component *c)
{
    if (c->level > SP_LEVEL_APPLICATION)
        return "an unknown consistency";
    if (!is_index(c->writer, v->nwriters) || !is_index(c->parent, v->ncomponents) ||
        !is_index(c->shadow, v->nshadows))
        return "a component that refers to nothing";
    for (size_t i = 0; i < c->ndepends; i++)
        if (c->depends[i] >= v->ncomponents)
            return "a component that depends on nothing";
    return NULL;
}

const char *
sp_verdict_problem(const struct sp_verdict *v)
{
    const char *problem;

    for (size_t i = 0; i < v->nwriters; i++) {
        if (v->writers[i].level > SP_LEVEL_APPLICATION)
            return "an unknown consistency";
        if (!is_uuid(v->writers[i].class_id) || !is_uuid(v->writers[i].instance_id))
            return "an impossible identifier of a writer";
    }
    for (size_t i = 0; i < v->nshadows; i++)
        if (!is_uuid(v->shadows[i].id))
            return "an impossible identifier of a shadow set";
    for (size_t i = 0; i < v->ncomponents; i++)
        if ((problem = component_problem(v, &v->components[i])) != NULL)
            return problem;
    return parents_end(v) ? NULL : "components that are each other's parents";
}

/* --- from a message --------------------------------------------------------------------------- */

struct taking {
    const char **problem;
    size_t paths, depends; /* of all components so far */
};

/* "" is NULL: not known. False: no memory. */
static bool
take_text(struct taking *t, const char *from, char **to)
{
    if (strlen(from) > SP_VERDICT_MAX_TEXT) {
        *t->problem = "a text in its verdict that is too long";
        return true;
    }
    return from[0] == '\0' || sp_pb_keep_text(from, to, t->problem);
}

static bool
take_texts(struct taking *t, char *const *from, size_t n, char ***to, size_t *to_n)
{
    if (n > 0 && (*to = calloc(n, sizeof(char *))) == NULL)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (strlen(from[i]) > SP_VERDICT_MAX_TEXT || !sp_utf8_valid(from[i], strlen(from[i]))) {
            *t->problem = "a text in its verdict that is too long or no UTF-8";
            return true;
        }
        if (((*to)[*to_n] = strdup(from[i])) == NULL)
            return false;
        ++*to_n;
    }
    return true;
}

static void
take_uuid(struct taking *t, const char *from, char to[37])
{
    if (!sp_pb_take_text(from, to, 37))
        *t->problem = "an impossible identifier in its verdict";
}

static enum sp_level
take_level(struct taking *t, uint32_t level)
{
    if (level <= SP_LEVEL_APPLICATION)
        return (enum sp_level)level;
    *t->problem = "an unknown consistency";
    return SP_LEVEL_NONE;
}

/* A number that this version has no word for is of a newer one. */
static enum sp_why
take_why(uint32_t why)
{
    return why > 0xffff || strcmp(sp_why_word((enum sp_why)why), sp_why_word(SP_WHY_UNKNOWN)) == 0
               ? SP_WHY_UNKNOWN
               : (enum sp_why)why;
}

static uint32_t
take_index(uint32_t ordinal)
{
    return ordinal == 0 ? SP_NO_INDEX : ordinal - 1;
}

static bool
take_status(struct taking *t, const Sp__Format__VerdictStatus *from, struct sp_verdict_status *to)
{
    if (from == NULL)
        return true;
    to->asked = true;
    to->answered = from->answered;
    to->state = from->state;
    to->hresult = from->hresult;
    to->app_hresult = from->app_hresult;
    return take_text(t, from->app_text, &to->app_text);
}

static bool
take_writer(struct taking *t, const Sp__Format__VerdictWriter *from, struct sp_verdict_writer *to)
{
    take_uuid(t, from->class_id, to->class_id);
    take_uuid(t, from->instance_id, to->instance_id);
    to->concerned = from->concerned;
    to->level = take_level(t, from->level);
    to->why = take_why(from->why);
    to->hresult = from->hresult;
    return take_text(t, from->name, &to->name) &&
           take_text(t, from->instance_name, &to->instance_name) &&
           take_text(t, from->rule, &to->rule) &&
           take_status(t, from->prepared, &to->stages[SP_STAGE_PREPARED]) &&
           take_status(t, from->snapshot, &to->stages[SP_STAGE_SNAPSHOT]) &&
           take_status(t, from->complete, &to->stages[SP_STAGE_COMPLETE]);
}

static bool
take_component(
    struct taking *t, const Sp__Format__VerdictComponent *from, struct sp_verdict_component *to)
{
    t->paths += from->n_paths;
    t->depends += from->n_depends;
    if (t->paths > SP_VERDICT_MAX_PATHS || t->depends > SP_VERDICT_MAX_DEPENDS) {
        *t->problem = "too many paths or dependencies in its verdict";
        return true;
    }
    to->writer = take_index(from->writer);
    to->parent = take_index(from->parent);
    to->shadow = take_index(from->shadow);
    to->type = from->type;
    to->kind = from->kind > SP_UNIT_DOCUMENT ? SP_UNIT_OTHER : (enum sp_unit_kind)from->kind;
    to->added = from->added;
    to->failure_known = from->failure_known;
    to->failure = from->failure;
    to->app_failure = from->app_failure;
    to->stamped = from->stamped;
    to->files_live = from->files_live;
    to->level = take_level(t, from->level);
    to->why = take_why(from->why);
    to->hresult = from->hresult;
    if (from->n_depends > 0 &&
        (to->depends = malloc(from->n_depends * sizeof to->depends[0])) == NULL)
        return false;
    for (to->ndepends = 0; to->ndepends < from->n_depends; to->ndepends++)
        to->depends[to->ndepends] = take_index(from->depends[to->ndepends]);
    if (!take_text(t, from->unit, &to->unit) ||
        (to->unit == NULL && (to->unit = strdup("")) == NULL))
        return false;
    return take_text(t, from->logical_path, &to->logical_path) &&
           take_text(t, from->name, &to->name) && take_text(t, from->caption, &to->caption) &&
           take_text(t, from->method, &to->method) && take_text(t, from->version, &to->version) &&
           take_text(t, from->failure_text, &to->failure_text) &&
           take_text(t, from->detail, &to->detail) &&
           take_texts(t, from->paths, from->n_paths, &to->paths, &to->npaths);
}

static bool
take_shadows(struct taking *t, const Sp__Format__Verdict *m, struct sp_verdict *v)
{
    struct sp_err ignored = {0};

    for (size_t i = 0; i < m->n_shadows; i++) {
        const Sp__Format__VerdictShadow *from = m->shadows[i];
        struct sp_verdict_shadow *to;

        if (sp_verdict_add_shadow(v, &to, &ignored) != SP_OK)
            return false;
        take_uuid(t, from->id, to->id);
        to->instant_ns = from->instant_ns;
        to->took_ns = from->took_ns;
        to->attempts = from->attempts;
        to->retried_for = from->retried_for;
        to->backup_type = from->backup_type;
        to->completed = from->completed;
        to->complete_hresult = from->complete_hresult;
    }
    return true;
}

static bool
take_events(struct taking *t, const Sp__Format__Verdict *m, struct sp_verdict *v)
{
    struct sp_err ignored = {0};

    for (size_t i = 0; i < m->n_events; i++) {
        const Sp__Format__VerdictEvent *from = m->events[i];
        struct sp_verdict_event *to;

        if (sp_verdict_add_event(v, &to, &ignored) != SP_OK)
            return false;
        to->at_ns = from->at_ns;
        to->id = from->id;
        to->severity = from->severity;
        if (!take_text(t, from->log, &to->log) || !take_text(t, from->source, &to->source) ||
            !take_text(t, from->text, &to->text))
            return false;
    }
    return true;
}

bool
sp_verdict_take(const Sp__Format__Verdict *m, struct sp_verdict *v, const char **problem)
{
    struct taking t = {.problem = problem};
    struct sp_err ignored = {0};

    if (m->n_writers > SP_VERDICT_MAX_WRITERS || m->n_components > SP_VERDICT_MAX_COMPONENTS ||
        m->n_shadows > SP_VERDICT_MAX_SHADOWS || m->n_events > SP_VERDICT_MAX_EVENTS ||
        m->n_notes > SP_VERDICT_MAX_NOTES) {
        *problem = "a verdict with too much in it";
        return true;
    }
    v->vss = m->vss;
    v->confirmed = m->confirmed;
    for (size_t i = 0; i < m->n_writers; i++) {
        struct sp_verdict_writer *w;

        if (sp_verdict_add_writer(v, &w, &ignored) != SP_OK || !take_writer(&t, m->writers[i], w))
            return false;
    }
    /* At once: there may be many. */
    if (m->n_components > 0 &&
        (v->components = calloc(m->n_components, sizeof v->components[0])) == NULL)
        return false;
    while (v->ncomponents < m->n_components) {
        size_t i = v->ncomponents++;

        if (!take_component(&t, m->components[i], &v->components[i]))
            return false;
    }
    if (!take_shadows(&t, m, v) || !take_events(&t, m, v) ||
        !take_texts(&t, m->notes, m->n_notes, &v->notes, &v->nnotes))
        return false;
    if (*problem == NULL)
        *problem = sp_verdict_problem(v);
    return true;
}
