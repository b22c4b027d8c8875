#include "client/demand.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "vss/explain.h"

/* A set held against what is demanded of it: see demand.h. */

static enum sp_if_below
resolved(const struct sp_demands *all, const struct sp_demand *d)
{
    if (d->below != SP_BELOW_DEFAULT)
        return d->below;
    return all->below != SP_BELOW_DEFAULT ? all->below : SP_BELOW_DISCARD;
}

/* "application is demanded of vm:web03, and " */
static void
begin(const struct sp_demand *d, struct sp_buf *to)
{
    sp_buf_printf(to, "%s is demanded of %s: ", sp_level_word(d->level),
        d->pattern != NULL ? sp_vss_pattern_text(d->pattern) : "all that the job takes");
}

/* Takes the text. */
static enum sp_code
add(const struct sp_demands *all, const struct sp_demand *d, size_t component, struct sp_buf *text,
    struct sp_demand_findings *ret, struct sp_err *e)
{
    struct sp_demand_finding *more, one = {.demand = d, .component = component};
    uint8_t *p = NULL;
    size_t n;
    enum sp_code rc;

    sp_buf_put_u8(text, 0);
    rc = sp_buf_take(text, &p, &n, e);
    sp_buf_free(text);
    if (rc != SP_OK)
        return rc;
    if ((more = realloc(ret->v, (ret->n + 1) * sizeof *more)) == NULL) {
        free(p);
        return sp_fail_nomem(e);
    }
    one.text = (char *)p;
    one.below = resolved(all, d);
    ret->v = more;
    ret->v[ret->n++] = one;
    return SP_OK;
}

static enum sp_code
add_component(const struct sp_demands *all, const struct sp_demand *d, const struct sp_verdict *v,
    size_t i, struct sp_demand_findings *ret, struct sp_err *e)
{
    struct sp_buf text = SP_BUF_INIT;

    begin(d, &text);
    sp_vss_explain_component(v, i, &text);
    return add(all, d, i, &text, ret, e);
}

static enum sp_code
add_volume(const struct sp_demands *all, const struct sp_demand *d, const struct sp_volume *v,
    struct sp_demand_findings *ret, struct sp_err *e)
{
    struct sp_buf text = SP_BUF_INIT;
    bool reason = v->reason != NULL && v->reason[0] != '\0';

    begin(d, &text);
    sp_buf_printf(&text, "the files of %s are %s%s%s", v->path, sp_level_word(v->consistency),
        reason ? ": " : "", reason ? v->reason : "");
    return add(all, d, SIZE_MAX, &text, ret, e);
}

static enum sp_code
add_words(const struct sp_demands *all, const struct sp_demand *d, const char *words,
    struct sp_demand_findings *ret, struct sp_err *e)
{
    struct sp_buf text = SP_BUF_INIT;

    begin(d, &text);
    sp_buf_put_str(&text, words);
    return add(all, d, SIZE_MAX, &text, ret, e);
}

/* Files have no application: one instant is all that can be had. */
static enum sp_level
of_files(const struct sp_demand *d)
{
    return d->level < SP_LEVEL_CRASH ? d->level : SP_LEVEL_CRASH;
}

/* Left out because the job says so: it is not in the set, so that the set as a whole cannot be
 * below by it. */
static bool
left_out(const struct sp_verdict_component *c)
{
    return c->level == SP_LEVEL_NONE && c->why == SP_WHY_LEFT_OUT;
}

static enum sp_code
check_components(const struct sp_demands *all, const struct sp_demand *d,
    const struct sp_verdict *v, size_t *ret_matched, struct sp_demand_findings *ret,
    struct sp_err *e)
{
    enum sp_code rc = SP_OK;

    for (size_t i = 0; v != NULL && i < v->ncomponents && rc == SP_OK; i++) {
        if (d->pattern == NULL ? left_out(&v->components[i])
                               : !sp_vss_pattern_match_component(d->pattern, v, i))
            continue;
        ++*ret_matched;
        if (v->components[i].level < d->level)
            rc = add_component(all, d, v, i, ret, e);
    }
    return rc;
}

/* The whole set: its weakest volumes are named. */
static enum sp_code
check_files(const struct sp_demands *all, const struct sp_demand *d,
    const struct sp_demand_subject *s, struct sp_demand_findings *ret, struct sp_err *e)
{
    bool named = false;
    enum sp_code rc = SP_OK;

    if (s->files_level >= of_files(d))
        return SP_OK;
    for (size_t i = 0; i < s->nvolumes && rc == SP_OK; i++) {
        if (s->volumes[i].consistency < of_files(d)) {
            named = true;
            rc = add_volume(all, d, &s->volumes[i], ret, e);
        }
    }
    return rc != SP_OK || named ? rc
                                : add_words(all, d, "the files were read while in use", ret, e);
}

/* The volume that the path lies on, and those below the path. */
static enum sp_code
check_path(const struct sp_demands *all, const struct sp_demand *d,
    const struct sp_demand_subject *s, size_t matched, struct sp_demand_findings *ret,
    struct sp_err *e)
{
    const struct sp_volume *on = NULL;
    enum sp_code rc = SP_OK;

    for (size_t i = 0; i < s->nvolumes && rc == SP_OK; i++) {
        const struct sp_volume *v = &s->volumes[i];

        if (sp_vss_pattern_covers(d->pattern, v->path, false)) {
            matched++;
            if (v->consistency < of_files(d))
                rc = add_volume(all, d, v, ret, e);
        } else if (sp_vss_pattern_covers(d->pattern, v->path, true) &&
                   (on == NULL || strlen(v->path) > strlen(on->path))) {
            on = v;
        }
    }
    if (rc == SP_OK && on != NULL) {
        matched++;
        if (on->consistency < of_files(d))
            rc = add_volume(all, d, on, ret, e);
    }
    return rc != SP_OK || matched > 0 ? rc : add_words(all, d, "nothing of it is taken", ret, e);
}

static enum sp_code
check_one(const struct sp_demands *all, const struct sp_demand *d,
    const struct sp_demand_subject *s, struct sp_demand_findings *ret, struct sp_err *e)
{
    size_t matched = 0;
    enum sp_code rc;

    if ((rc = check_components(all, d, s->verdict, &matched, ret, e)) != SP_OK)
        return rc;
    if (d->pattern == NULL)
        return check_files(all, d, s, ret, e);
    if (sp_vss_pattern_is_path(d->pattern))
        return check_path(all, d, s, matched, ret, e);
    if (matched > 0)
        return SP_OK;
    return add_words(all, d,
        s->verdict == NULL || !s->verdict->vss ? "no application took part"
                                               : "no application in the set is called so",
        ret, e);
}

enum sp_code
sp_demands_check(const struct sp_demands *d, const struct sp_demand_subject *s,
    struct sp_demand_findings *ret, struct sp_err *e)
{
    struct sp_demand_findings found = {0};
    enum sp_code rc = SP_OK;

    for (size_t i = 0; i < d->n && rc == SP_OK; i++)
        rc = check_one(d, &d->v[i], s, &found, e);
    if (rc != SP_OK)
        sp_demand_findings_clear(&found);
    else
        *ret = found;
    return rc;
}
