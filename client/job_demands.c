#include "client/job_impl.h"

#include <stdlib.h>
#include <string.h>

#include "base/fold.h"

/* What the job demands, and what happens to what is below it: see demand.h. */

/* Whether it was told before; from now on it was. Without memory it is told again. */
static bool
told_before(struct run *r, const struct sp_demand_finding *f)
{
    size_t demand = (size_t)(f->demand - r->demands.v);
    struct told *more;

    for (size_t i = 0; i < r->ntold; i++)
        if (r->told[i].demand == demand && r->told[i].component == f->component &&
            f->component != SIZE_MAX)
            return true;
    if ((more = realloc(r->told, (r->ntold + 1) * sizeof *more)) != NULL) {
        r->told = more;
        r->told[r->ntold++] = (struct told){demand, f->component};
    }
    return false;
}

static bool
is_left_out(const struct run *r, const struct sp_demand_finding *f)
{
    return f->component != SIZE_MAX && r->verdict.components[f->component].level == SP_LEVEL_NONE &&
           r->verdict.components[f->component].why == SP_WHY_LEFT_OUT;
}

static bool
has_files(const struct run *r, size_t component)
{
    size_t n = 0;

    (void)sp_shadow_files(r->shadow, component, &n);
    return n > 0;
}

/* Only what VSS knows the files of, and only before they are read. All the files of one may be those of what comes with
 * it: a mailbox store of Exchange has none itself. What comes with it is below with it, and left out by itself. */
static bool
can_leave_out(const struct run *r, const struct sp_demand_finding *f, enum job_moment moment)
{
    bool can;

    if (moment != JOB_TAKEN || f->component == SIZE_MAX)
        return false;
    can = has_files(r, f->component);
    for (size_t i = 0; i < r->verdict.ncomponents && !can; i++)
        can = r->verdict.components[i].parent == f->component && has_files(r, i);
    return can;
}

static enum sp_code
leave_out(struct run *r, size_t component, struct sp_err *e)
{
    if (r->left == NULL && (r->left = calloc(r->verdict.ncomponents + 1, 1)) == NULL)
        return sp_fail_nomem(e);
    r->left[component] = 1;
    return SP_OK;
}

/* A VM or a document that no writer speaks for is found by the walk. */
static bool
may_be_found(const struct sp_demand_finding *f)
{
    const struct sp_vss_pattern *p = f->demand->pattern;
    const char *text;
    size_t n;

    if (f->component != SIZE_MAX || p == NULL || sp_vss_pattern_is_path(p))
        return false;
    text = sp_vss_pattern_text(p);
    n = strcspn(text, ":");
    return sp_fold_equal(text, n, "vm", 2) || sp_fold_equal(text, n, "document", 8);
}

/* What follows a text begins with a full stop, which some texts have already. */
static const char *
behind(const char *text, const char *then)
{
    size_t n = strlen(text);

    return n > 0 && text[n - 1] == '.' && then[0] == '.' ? then + 1 : then;
}

/* *ret_against: the first that lets no set be made. */
static enum sp_code
act(struct run *r, const struct sp_demand_findings *f, enum job_moment moment,
    const struct sp_demand_finding **ret_against, struct sp_err *e)
{
    enum sp_code rc = SP_OK;

    for (size_t i = 0; i < f->n && rc == SP_OK; i++) {
        const struct sp_demand_finding *one = &f->v[i];
        const char *then = "";

        if (is_left_out(r, one)) /* told when it was */
            continue;
        if (moment == JOB_TAKEN && may_be_found(one))
            continue;
        if (moment == JOB_FINISHED) {
            r->below = true;
            then = ". The set is made";
        } else if (one->below == SP_BELOW_KEEP) {
            r->below = true;
            then = ". The set is made all the same";
        } else if (one->below == SP_BELOW_LEAVE_OUT && can_leave_out(r, one, moment)) {
            r->below = true;
            then = ". It is left out of the set";
            rc = leave_out(r, one->component, e);
        } else if (*ret_against == NULL) {
            *ret_against = one;
            continue;
        }
        if (!told_before(r, one))
            sp_cli_warn(r->c, "%s: %s%s", r->job->name, one->text, behind(one->text, then));
    }
    return rc;
}

static enum sp_code
refuse(const struct run *r, const struct sp_demand_findings *f,
    const struct sp_demand_finding *against, struct sp_err *e)
{
    size_t others = 0;

    for (size_t i = 0; i < f->n; i++)
        others +=
            &f->v[i] != against && f->v[i].below == SP_BELOW_DISCARD && !is_left_out(r, &f->v[i]);
    if (others > 0)
        return sp_fail(e, SP_UNSUPPORTED, SP_DOM_SHADOW, "no set was made, since %s (and %zu more)",
            against->text, others);
    return sp_fail(e, SP_UNSUPPORTED, SP_DOM_SHADOW, "no set was made, since %s", against->text);
}

enum sp_code
job_meet_demands(struct run *r, enum job_moment moment, struct sp_err *e)
{
    struct sp_demand_subject subject = {.verdict = r->has_verdict ? &r->verdict : NULL,
        .files_level = sp_shadow_weakest(r->shadow),
        .volumes = r->volumes,
        .nvolumes = r->nvolumes};
    struct sp_demand_findings found = {0};
    const struct sp_demand_finding *against = NULL;
    bool first = r->left == NULL;
    enum sp_code rc;

    if ((rc = sp_demands_check(&r->demands, &subject, &found, e)) == SP_OK)
        rc = act(r, &found, moment, &against, e);
    if (rc == SP_OK && against != NULL)
        rc = refuse(r, &found, against, e);
    else if (rc == SP_OK && first && r->left != NULL)
        rc = job_make_filter(r, e);
    sp_demand_findings_clear(&found);
    return rc;
}
