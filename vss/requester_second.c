#include <stdlib.h>
#include <string.h>

#include "vss/requester_impl.h"

/* One more session for those that failed, alone. Whoever does not reach `application` there stays
 * with the main shadow set and with what was told of it before. */

struct second {
    struct sp_requester *r;
    uint8_t *which; /* per component: tried, then: taken over */
    uint8_t *on;    /* per volume */
    struct rq_overrides overrides;
    struct sp_verdict_component *before; /* per component: as it was */
    size_t nwriters;                     /* of the verdict, before */
};

/* What may change of a component; its texts are moved there and back. */
static void
move_state(struct sp_verdict_component *to, struct sp_verdict_component *from)
{
    free(to->failure_text);
    to->writer = from->writer;
    to->shadow = from->shadow;
    to->added = from->added;
    to->failure_known = from->failure_known;
    to->failure = from->failure;
    to->app_failure = from->app_failure;
    to->failure_text = from->failure_text;
    to->stamped = from->stamped;
    to->why = from->why;
    to->hresult = from->hresult;
    to->level = from->level;
    from->failure_text = NULL;
}

static bool
any(const struct second *s)
{
    return memchr(s->which, 1, s->r->plan.nchoices) != NULL;
}

static void
leave_out(struct second *s, size_t component)
{
    s->which[component] = 0;
    for (size_t i = 0; i < s->r->plan.nchoices; i++) {
        if (s->r->plan.choices[i].parent == component)
            s->which[i] = 0;
    }
}

/* Again for as long as somebody goes: who stays then may have shared with him. */
static void
leave_out_clashing(struct second *s, const uint8_t *with)
{
    struct sp_requester *r = s->r;
    bool changed = true;

    while (changed) {
        changed = false;
        for (size_t i = 0; i < r->plan.nchoices; i++) {
            if (!s->which[i] || !r->plan.choices[i].added ||
                !rq_overrides_clash(r, &s->overrides, i, with))
                continue;
            rq_say(r, "%s shares files or folders with others and gets no shadow set of its own",
                r->verdict.components[i].unit);
            leave_out(s, i);
            changed = true;
        }
    }
}

static enum sp_code
find_out(struct second *s, struct sp_err *e)
{
    struct sp_requester *r = s->r;
    size_t n = r->plan.nchoices;
    enum sp_code rc;

    if ((s->which = malloc(n + 1)) == NULL ||
        (s->before = calloc(n + 1, sizeof *s->before)) == NULL)
        return sp_fail_nomem(e);
    memcpy(s->which, r->without, n);
    if (!any(s))
        return SP_OK;
    if ((rc = rq_overrides_find(r, s->which, &s->overrides, e)) != SP_OK)
        return rc;
    leave_out_clashing(s, r->without);
    if ((s->on = calloc(r->volumes.n + 1, 1)) == NULL)
        return sp_fail_nomem(e);
    for (size_t i = 0; i < s->overrides.n; i++) {
        if (s->which[s->overrides.v[i].component])
            s->on[s->overrides.v[i].volume] = 1;
    }
    return SP_OK;
}

/* Writers of their own in the verdict: what they tell here is not what they told before. */
static enum sp_code
add_writers(struct second *s, struct sp_err *e)
{
    struct sp_requester *r = s->r;
    struct rq_session *ses = &r->second;

    for (size_t i = 0; i < r->plan.nchoices; i++) {
        size_t w = r->plan.choices[i].writer;
        struct sp_verdict one = {.nwriters = 1}, copy = {0};
        struct sp_verdict_writer plain, *to;
        enum sp_code rc;

        if (!s->which[i] || ses->writers[w] != SP_NO_INDEX)
            continue;
        plain = r->verdict.writers[w];
        memset(plain.stages, 0, sizeof plain.stages);
        plain.rule = NULL;
        one.writers = &plain;
        rc = sp_verdict_copy(&one, &copy, e);
        if (rc == SP_OK && (rc = sp_verdict_add_writer(&r->verdict, &to, e)) == SP_OK) {
            *to = copy.writers[0];
            copy.nwriters = 0;
            memcpy(to->instance_id, ses->instance[w], sizeof to->instance_id);
            ses->writers[w] = (uint32_t)(r->verdict.nwriters - 1);
        }
        sp_verdict_clear(&copy);
        if (rc != SP_OK)
            return rc;
    }
    return SP_OK;
}

static void
drop(struct second *s)
{
    struct sp_verdict *v = &s->r->verdict;
    struct sp_verdict gone = {0};

    gone.nwriters = v->nwriters - s->nwriters;
    if (s->r->second.shadow != SP_NO_INDEX)
        v->nshadows--;
    if (gone.nwriters > 0 &&
        (gone.writers = malloc(gone.nwriters * sizeof *gone.writers)) != NULL) {
        memcpy(gone.writers, v->writers + s->nwriters, gone.nwriters * sizeof *gone.writers);
        v->nwriters = s->nwriters;
        sp_verdict_clear(&gone);
    }
    rq_session_close(s->r, &s->r->second);
}

/* Those that reached it are read from here; the others are as they were. */
static enum sp_code
take_over(struct second *s, struct sp_err *e)
{
    struct sp_requester *r = s->r;
    struct sp_verdict *v = &r->verdict;

    for (size_t i = 0; i < v->ncomponents; i++) {
        if (!s->which[i])
            continue;
        v->components[i].writer = r->second.writers[r->plan.choices[i].writer];
        v->components[i].shadow = r->second.shadow;
    }
    sp_vss_judge(v, false);
    for (size_t i = 0; i < v->ncomponents; i++) {
        if (s->which[i] && r->plan.choices[i].added &&
            v->components[i].level != SP_LEVEL_APPLICATION) {
            rq_say(r, "%s failed alone, too (%s): it is read crash-consistent",
                v->components[i].unit,
                v->components[i].hresult != 0 ? rq_code(v->components[i].hresult).s
                                              : sp_why_word(v->components[i].why));
            leave_out(s, i);
        }
    }
    leave_out_clashing(s, s->which);
    return any(s) ? rq_overrides_keep(r, &s->overrides, s->which, e) : SP_OK;
}

static enum sp_code
drive(struct second *s, struct sp_err *e)
{
    struct sp_requester *r = s->r;
    struct rq_try t = {.take = s->which, .on = s->on};
    enum sp_code rc;

    if ((rc = rq_session_open(r, &r->second, false, e)) != SP_OK ||
        (rc = add_writers(s, e)) != SP_OK)
        return rc;
    if ((t.failed = calloc(r->plan.nchoices + 1, 1)) == NULL)
        return sp_fail_nomem(e);
    rc = rq_make_set(r, &r->second, &t, e);
    free(t.failed);
    if (rc == SP_OK && t.end != RQ_TAKEN)
        rc = sp_fail(e, SP_UNSUPPORTED, SP_DOM_SHADOW, "a volume did not take part");
    if (rc == SP_OK)
        rc = rq_verdict_shadow(r, &r->second, 1, 0, e);
    return rc == SP_OK ? take_over(s, e) : rc;
}

/* What an earlier session told of components that are better by now is history. */
static void
unconcern(struct sp_verdict *v, size_t from)
{
    for (size_t i = from; i < v->nwriters; i++) {
        bool used = false;

        for (size_t k = 0; k < v->ncomponents && !used; k++)
            used = v->components[k].writer == i;
        v->writers[i].concerned = used;
    }
}

static bool
ends_the_run(enum sp_code rc)
{
    return rc == SP_NOMEM || rc == SP_CANCELLED || rc == SP_INTERNAL;
}

enum sp_code
rq_take_second(struct sp_requester *r, struct sp_err *e)
{
    struct second s = {.r = r, .nwriters = r->verdict.nwriters};
    struct sp_verdict *v = &r->verdict;
    size_t n = r->plan.nchoices;
    enum sp_code rc = find_out(&s, e);

    if (rc != SP_OK && !ends_the_run(rc)) {
        rq_say(r, "no second shadow set is made: %s", e->text);
        rc = SP_OK;
        goto out;
    }
    if (rc != SP_OK || !any(&s))
        goto out;
    rq_say(r, "one more shadow set is made, for what failed alone");
    for (size_t i = 0; i < n; i++) {
        uint8_t tried = s.which[i];

        if (tried)
            move_state(&s.before[i], &v->components[i]);
        s.before[i].npaths = tried; /* a mark: this one is to be given back */
    }
    rc = drive(&s, e);
    for (size_t i = 0; i < n; i++) {
        if (s.before[i].npaths && (rc != SP_OK || !s.which[i]))
            move_state(&v->components[i], &s.before[i]);
    }
    if (rc != SP_OK && !ends_the_run(rc)) {
        rq_say(r,
            "the second shadow set could not be made: %s. What failed before is read "
            "crash-consistent",
            e->text);
        rc = SP_OK;
        memset(s.which, 0, n);
    }
    if (rc != SP_OK || !any(&s))
        drop(&s);
    else
        rq_keep_document(r, &r->second);
    unconcern(v, r->metadata.nwriters);
    sp_vss_judge(v, false);
out:
    for (size_t i = 0; s.before != NULL && i < n; i++)
        free(s.before[i].failure_text);
    free(s.before);
    free(s.which);
    free(s.on);
    rq_overrides_clear(&s.overrides);
    return rc;
}
