#include "client/require.h"

#include <stdlib.h>
#include <string.h>

#include "client/present.h"

void
sp_require_lower(struct sp_verdict *v)
{
    for (size_t i = 0; i < v->ncomponents; i++) {
        struct sp_verdict_component *c = &v->components[i];

        if (c->level != SP_LEVEL_APPLICATION)
            continue;
        c->level = SP_LEVEL_CRASH;
        c->why = SP_WHY_UNFINISHED;
        c->hresult = 0;
        free(c->detail);
        c->detail = NULL;
    }
}

static void
json_finding(struct sp_json *j, const struct sp_verdict *v, const struct sp_demand_finding *f)
{
    const struct sp_demand *d = f->demand;

    sp_json_object(j);
    sp_json_kstr(j, "required", sp_level_word(d->level));
    sp_json_key(j, "for");
    if (d->pattern != NULL)
        sp_json_str(j, sp_vss_pattern_text(d->pattern));
    else
        sp_json_null(j);
    if (v != NULL && f->component < v->ncomponents) {
        const struct sp_verdict_component *c = &v->components[f->component];

        sp_json_kstr(j, "unit", c->unit);
        sp_json_kstr(j, "kind", sp_unit_kind_word(c->kind));
        sp_json_kstr(j, "level", sp_level_word(c->level));
        sp_json_kstr(j, "why", sp_why_word(c->why));
    }
    sp_json_kstr(j, "text", f->text);
    sp_json_object_end(j);
}

static void
tell(struct sp_report *r, const struct sp_verdict *v, const struct sp_demand_findings *found)
{
    for (size_t i = 0; i < found->n; i++)
        sp_cli_warn(r->c, "%s", found->v[i].text);
    if (r->j == NULL)
        return;
    sp_json_key(r->j, "below");
    sp_json_array(r->j);
    for (size_t i = 0; i < found->n; i++) {
        json_finding(r->j, v, &found->v[i]);
        sp_report_flow(r);
    }
    sp_json_array_end(r->j);
}

enum sp_code
sp_require_set(
    const struct sp_demands *d, const struct sp_found_set *f, struct sp_report *r, struct sp_err *e)
{
    struct sp_demand_subject s = {.files_level = f->set.files_level,
        .volumes = f->sealed.volumes,
        .nvolumes = f->sealed.nvolumes};
    struct sp_demand_findings found = {0};
    struct sp_verdict lowered = {0};
    struct sp_text id = sp_present_id(f->set.set_id);
    enum sp_code rc;

    if (d->n == 0)
        return SP_OK;
    if (!f->signed_ok)
        return sp_fail(e, SP_REFUSED, SP_DOM_STORE,
            "set %s is not shown to be its host's own, so nothing shows how consistent it is: with "
            "--require nothing was restored. Without --require, --accept-unsigned restores it",
            id.s);
    s.verdict = sp_found_set_verdict(f);
    if (s.verdict != NULL && s.verdict->vss && f->completed != SP_COMPLETED_WELL) {
        if ((rc = sp_verdict_copy(s.verdict, &lowered, e)) != SP_OK)
            return rc;
        sp_require_lower(&lowered);
        s.verdict = &lowered;
    }
    if ((rc = sp_demands_check(d, &s, &found, e)) == SP_OK && found.n > 0) {
        tell(r, s.verdict, &found);
        rc = sp_fail(e, SP_REFUSED, SP_DOM_SHADOW,
            "set %s is below what --require demands (%s named above): nothing was restored. "
            "'stillpoint show %s --consistency' tells what to do about it; an older set may be "
            "better ('stillpoint list'), and with a lower --require, or none, this one is restored",
            id.s, sp_present_count(found.n, "thing,", "things,").s, id.s);
    }
    sp_demand_findings_clear(&found);
    sp_verdict_clear(&lowered);
    return rc;
}
