#include "client/vss_cmds.h"

#include <string.h>

#include "base/path.h"
#include "client/present.h"

/* stillpoint vss plan: what would take part, what not and why. Writers are asked what they have; no
 * shadow is made. */

struct look {
    struct vss_command *v;
    const struct vss_subject *s;
    const struct sp_vss_metadata *metadata;
    const struct sp_vss_plan *plan;
    const struct sp_requester_volume *volumes;
    size_t nvolumes;
};

/* What keeps it from taking part. */
static void
put_reason(const struct sp_vss_choice *c, struct sp_buf *to)
{
    if (c->why == SP_WHY_PARTLY_OUTSIDE)
        sp_buf_put_str(to,
            "some of its files are outside of what is backed up, or on a volume without a shadow");
    else if (c->why == SP_WHY_NOT_CHOSEN)
        sp_buf_put_str(to, "the job leaves it out (application-exclude); its files are backed up");
    else if (c->why == SP_WHY_NO_SHADOW)
        sp_buf_put_str(to, "its volume gets no shadow");
    else
        sp_buf_put_str(to, sp_why_word(c->why));
    if (c->detail != NULL && c->detail[0] != '\0') {
        sp_buf_put_str(to, ": ");
        sp_text_show(c->detail, to);
    }
    if (c->why == SP_WHY_PARTLY_OUTSIDE) {
        sp_buf_put_str(to, " ('application = ");
        vss_unit_pattern(c->unit.kind, c->unit.name, to);
        sp_buf_put_str(to, "' in the job takes all of it)");
    }
}

static bool
takes_part(const struct sp_vss_choice *c)
{
    return c->added || c->parent != SIZE_MAX;
}

/* --- data ------------------------------------------------------------------------------------- */

static void
json_choice(const struct look *l, const struct sp_vss_choice *c)
{
    const struct sp_vss_writer *w = &l->metadata->writers[c->writer];
    struct sp_json *j = l->v->r.j;
    struct sp_buf reason = SP_BUF_INIT;

    sp_json_object(j);
    sp_json_kstr(j, "unit", c->unit.name);
    sp_json_kstr(j, "kind", sp_unit_kind_word(c->unit.kind));
    if (c->unit.method != NULL)
        sp_json_kstr(j, "method", c->unit.method);
    vss_json_component(j, w, &w->components[c->component]);
    sp_json_kbool(j, "asked", c->asked);
    sp_json_kbool(j, "added", c->added);
    if (c->parent != SIZE_MAX)
        sp_json_kstr(j, "comes_with", l->plan->choices[c->parent].unit.name);
    sp_json_key(j, "depends");
    sp_json_array(j);
    for (size_t i = 0; i < c->ndepends; i++)
        sp_json_str(j, l->plan->choices[c->depends[i]].unit.name);
    sp_json_array_end(j);
    if (!takes_part(c)) {
        put_reason(c, &reason);
        sp_json_kstr(j, "why", sp_why_word(c->why));
        sp_json_kstr(j, "text", sp_buf_str(&reason));
        sp_buf_free(&reason);
    }
    sp_json_key(j, "paths");
    sp_json_array(j);
    for (size_t i = 0; i < c->npaths; i++)
        sp_json_str(j, c->paths[i]);
    sp_json_array_end(j);
    sp_json_object_end(j);
    sp_report_flow(&l->v->r);
}

static void
json_choices(const struct look *l, const char *key, bool part)
{
    sp_json_key(l->v->r.j, key);
    sp_json_array(l->v->r.j);
    for (size_t i = 0; i < l->plan->nchoices; i++) {
        if (takes_part(&l->plan->choices[i]) == part)
            json_choice(l, &l->plan->choices[i]);
    }
    sp_json_array_end(l->v->r.j);
}

static void
json_strings(struct sp_json *j, const char *key, char *const *v, size_t n)
{
    sp_json_key(j, key);
    sp_json_array(j);
    for (size_t i = 0; i < n; i++)
        sp_json_str(j, v[i]);
    sp_json_array_end(j);
}

static void
json_look(const struct look *l)
{
    struct sp_json *j = l->v->r.j;

    sp_json_object(j);
    sp_json_kstr(j, "of", l->s->name);
    json_choices(l, "takes_part", true);
    json_choices(l, "does_not", false);
    sp_json_key(j, "volumes");
    sp_json_array(j);
    for (size_t i = 0; i < l->nvolumes; i++) {
        sp_json_object(j);
        sp_json_kstr(j, "path", l->volumes[i].mount);
        sp_json_kstr(j, "volume", l->volumes[i].volume);
        sp_json_kstr(j, "file_system", l->volumes[i].file_system);
        sp_json_kbool(j, "shadow", l->volumes[i].reason == NULL);
        if (l->volumes[i].reason != NULL)
            sp_json_kstr(j, "reason", l->volumes[i].reason);
        sp_json_object_end(j);
    }
    sp_json_array_end(j);
    json_strings(j, "more_paths", l->plan->roots, l->plan->nroots);
    json_strings(j, "left_out_by_writers", l->plan->excludes, l->plan->nexcludes);
    json_strings(j, "lacks", l->plan->lacks, l->plan->nlacks);
    sp_json_object_end(j);
}

/* --- text ------------------------------------------------------------------------------------- */

static void
text_choice(const struct look *l, const struct sp_vss_choice *c)
{
    struct sp_buf line = SP_BUF_INIT;

    vss_unit_pattern(c->unit.kind, c->unit.name, &line);
    if (c->unit.method != NULL) {
        sp_buf_put_str(&line, " (");
        sp_text_show(c->unit.method, &line);
        sp_buf_put_str(&line, ")");
    }
    sp_buf_put_str(&line, ", ");
    sp_text_show(l->metadata->writers[c->writer].name, &line);
    if (c->parent != SIZE_MAX) {
        sp_buf_put_str(&line, ", comes with ");
        sp_text_show(l->plan->choices[c->parent].unit.name, &line);
    }
    if (!takes_part(c)) {
        sp_buf_put_str(&line, ": ");
        put_reason(c, &line);
    }
    (void)printf("  %s\n", sp_buf_str(&line));
    for (size_t i = 0; l->v->c->verbose && i < c->npaths; i++) {
        sp_buf_reset(&line);
        sp_text_show(c->paths[i], &line);
        (void)printf("    %s\n", sp_buf_str(&line));
    }
    sp_buf_free(&line);
}

static void
text_choices(const struct look *l, const char *title, bool part)
{
    bool any = false;

    for (size_t i = 0; i < l->plan->nchoices; i++) {
        if (takes_part(&l->plan->choices[i]) != part)
            continue;
        if (!any)
            (void)printf("%s\n", title);
        any = true;
        text_choice(l, &l->plan->choices[i]);
    }
}

static void
text_strings(const char *title, char *const *v, size_t n)
{
    struct sp_buf line = SP_BUF_INIT;

    if (n > 0)
        (void)printf("%s\n", title);
    for (size_t i = 0; i < n; i++) {
        sp_buf_reset(&line);
        sp_text_show(v[i], &line);
        (void)printf("  %s\n", sp_buf_str(&line));
    }
    sp_buf_free(&line);
}

static void
text_look(const struct look *l)
{
    struct sp_buf line = SP_BUF_INIT;
    size_t part = 0;

    for (size_t i = 0; i < l->plan->nchoices; i++)
        part += takes_part(&l->plan->choices[i]);
    sp_text_show(l->s->name, &line);
    (void)printf("%s: %s of %s would take part\n", sp_buf_str(&line), sp_text_count(part).s,
        sp_present_count(l->plan->nchoices, "component", "components").s);
    text_choices(l, "takes part", true);
    text_choices(l, "does not take part", false);
    if (l->nvolumes > 0)
        (void)puts("volumes");
    for (size_t i = 0; i < l->nvolumes; i++) {
        sp_buf_reset(&line);
        vss_volume_text(&l->volumes[i], &line);
        sp_buf_put_str(&line, l->volumes[i].reason == NULL ? ": gets a shadow" : ": read live: ");
        if (l->volumes[i].reason != NULL)
            sp_text_show(l->volumes[i].reason, &line);
        (void)printf("  %s\n", sp_buf_str(&line));
    }
    text_strings(
        "backed up besides, for the applications that are named", l->plan->roots, l->plan->nroots);
    text_strings("left out, because the writers say so", l->plan->excludes, l->plan->nexcludes);
    text_strings("missing", l->plan->lacks, l->plan->nlacks);
    sp_buf_free(&line);
}

/* --- the command ------------------------------------------------------------------------------ */

static enum sp_code
plan_one(struct vss_command *v, const struct vss_subject *s, struct sp_err *e)
{
    struct sp_requester_options o;
    struct sp_requester *r = NULL;
    struct look l = {.v = v, .s = s};
    enum sp_code rc;

    vss_subject_options(v, s, &o);
    o.say = NULL; /* what is missing is shown with the rest */
    if ((rc = sp_requester_plan(&o, &r, e)) != SP_OK)
        return rc;
    l.metadata = sp_requester_metadata(r);
    l.plan = sp_requester_choice(r);
    l.nvolumes = sp_requester_volumes(r, &l.volumes);
    if (v->r.j != NULL)
        json_look(&l);
    else
        text_look(&l);
    if (s->job->shadow == SP_SHADOW_NONE)
        sp_cli_warn(v->c,
            "%s does without shadows (shadow = none): a run of it asks no application", s->name);
    sp_requester_free(r);
    return SP_OK;
}

enum sp_code
vss_plan(struct vss_command *v, enum sp_exit *ret_code, struct sp_err *e)
{
    struct vss_subjects s = {0};
    enum sp_code rc;

    if ((rc = vss_subjects_find(v, &s, e)) != SP_OK)
        return rc;
    if (v->r.j != NULL) {
        sp_json_key(v->r.j, "plans");
        sp_json_array(v->r.j);
    }
    for (size_t i = 0; i < s.n && rc == SP_OK; i++)
        rc = plan_one(v, &s.v[i], e);
    if (v->r.j != NULL)
        sp_json_array_end(v->r.j);
    vss_subjects_clear(&s);
    *ret_code = SP_EXIT_DONE;
    return rc;
}
