#include <stdlib.h>
#include <string.h>

#include "vss/requester_impl.h"

/* What the writers say when they are asked, into the verdict, as it came. */

static struct sp_verdict_writer *
writer_of(struct sp_requester *r, const struct rq_session *ses, size_t w)
{
    return ses->writers[w] != SP_NO_INDEX ? &r->verdict.writers[ses->writers[w]] : NULL;
}

static void
forget_status(struct sp_verdict_status *s)
{
    free(s->app_text);
    memset(s, 0, sizeof *s);
}

static void
forget_report(struct sp_verdict_component *c)
{
    free(c->failure_text);
    c->failure_text = NULL;
    c->failure_known = c->stamped = false;
    c->failure = c->app_failure = 0;
}

void
rq_forget(struct sp_requester *r, const struct rq_session *ses)
{
    for (size_t i = 0; i < r->metadata.nwriters; i++) {
        struct sp_verdict_writer *w = writer_of(r, ses, i);

        for (int k = 0; w != NULL && k < SP_STAGES; k++)
            forget_status(&w->stages[k]);
    }
    for (size_t i = 0; i < r->plan.nchoices; i++) {
        struct sp_verdict_component *c = &r->verdict.components[i];

        if (ses->part[i] == RQ_OUT)
            continue;
        forget_report(c);
        c->hresult = 0;
        c->why = r->plan.choices[i].why;
    }
}

/* --- writers --------------------------------------------------------------------------------- */

/* `st` gives its text away. */
static void
put_status(struct sp_requester *r, const struct rq_session *ses, enum sp_stage stage,
    struct sp_vss_status *st)
{
    for (size_t i = 0; i < r->metadata.nwriters; i++) {
        struct sp_verdict_writer *w = writer_of(r, ses, i);
        struct sp_verdict_status *to;

        if (w == NULL || strcmp(st->class_id, w->class_id) != 0 ||
            strcmp(st->instance_id, ses->instance[i]) != 0)
            continue;
        to = &w->stages[stage];
        to->answered = true;
        to->state = st->state;
        to->hresult = st->hresult;
        to->app_hresult = st->app_hresult;
        free(to->app_text);
        to->app_text = st->app_text;
        st->app_text = NULL;
        return;
    }
}

static uint32_t
read_all(struct sp_requester *r, const struct rq_session *ses, enum sp_stage stage)
{
    const struct sp_vss_api *api = rq_api(r);
    uint32_t n = 0, hr = api->status_count(ses->s, &n);

    for (uint32_t i = 0; i < n && !sp_vss_failed(hr); i++) {
        struct sp_vss_status st = {0};
        uint32_t one = api->status(ses->s, i, &st);

        /* Whose status that would have been is not known: he stays one who gave none. */
        if (sp_vss_failed(one))
            rq_say(r, "VSS: the status of one writer could not be read (%s)", rq_code(one).s);
        else
            put_status(r, ses, stage, &st);
        sp_vss_status_clear(&st);
    }
    return sp_vss_failed(hr) ? hr : 0;
}

/* --- components ------------------------------------------------------------------------------ */

/* After a partial failure each component's own; after the shadow also what it was stamped with. */
static bool
to_be_asked(const struct sp_verdict_status *s, enum sp_stage stage)
{
    return s->answered && (stage == SP_STAGE_SNAPSHOT || s->hresult == SP_VSS_E_PARTIAL_FAILURE);
}

static enum sp_code
ask_components(
    struct sp_requester *r, const struct rq_session *ses, enum sp_stage stage, struct sp_err *e)
{
    for (size_t i = 0; i < r->plan.nchoices; i++) {
        struct sp_verdict_component *c = &r->verdict.components[i];
        const struct sp_verdict_writer *w = writer_of(r, ses, r->plan.choices[i].writer);
        struct sp_vss_component_ref ref;
        struct sp_vss_component_report report = {0};
        uint32_t hr;

        if (ses->part[i] != RQ_ADDED || w == NULL || !to_be_asked(&w->stages[stage], stage))
            continue;
        ref = rq_ref(r, ses, i);
        hr = rq_api(r)->component_report(ses->s, &ref, &report);
        if (hr == SP_VSS_E_OUTOFMEMORY)
            return sp_fail_nomem(e);
        if (sp_vss_failed(hr)) {
            rq_say(r, "VSS: what happened to %s could not be asked (%s)", c->unit, rq_code(hr).s);
            continue;
        }
        c->stamped = c->stamped || report.stamped;
        /* A failure that was told stays told. */
        if (report.failure_known &&
            !(c->failure_known && sp_vss_failure(c->failure, c->app_failure) != 0)) {
            c->failure_known = true;
            c->failure = report.failure;
            c->app_failure = report.app_failure;
            free(c->failure_text);
            c->failure_text = report.failure_text;
            report.failure_text = NULL;
        }
        sp_vss_component_report_clear(&report);
    }
    return SP_OK;
}

enum sp_code
rq_gather(struct sp_requester *r, struct rq_session *ses, enum sp_stage stage, uint32_t *ret_hr,
    struct sp_err *e)
{
    const struct sp_vss_api *api = rq_api(r);
    uint32_t hr = 0, freed;
    enum sp_code rc;

    for (size_t i = 0; i < r->metadata.nwriters; i++) {
        struct sp_verdict_writer *w = writer_of(r, ses, i);

        if (w == NULL)
            continue;
        forget_status(&w->stages[stage]);
        w->stages[stage].asked = true;
    }
    rc = rq_async(r, ses->s, api->gather_status, r->limit.status_ms, "GatherWriterStatus", &hr, e);
    if (rc != SP_OK)
        return rc;
    if (hr == 0) {
        hr = read_all(r, ses, stage);
        if (sp_vss_failed(freed = api->free_status(ses->s)) && hr == 0)
            hr = freed;
    }
    *ret_hr = hr;
    return hr == 0 ? ask_components(r, ses, stage, e) : SP_OK;
}

/* --- what follows ---------------------------------------------------------------------------- */

/* The part of the verdict that this session is about: shallow, and nobody's to clear but its
 * arrays. */
struct part {
    struct sp_verdict v;
    size_t *from; /* of its components: the index in the whole */
};

static void
part_free(struct part *p)
{
    for (size_t i = 0; i < p->v.ncomponents; i++)
        free(p->v.components[i].depends);
    free(p->v.components);
    free(p->from);
}

static uint32_t
within(const struct part *p, uint32_t whole)
{
    for (size_t i = 0; i < p->v.ncomponents; i++) {
        if (p->from[i] == whole)
            return (uint32_t)i;
    }
    return SP_NO_INDEX;
}

static enum sp_code
part_of(struct sp_requester *r, const struct rq_session *ses, struct part *p, struct sp_err *e)
{
    struct sp_verdict *v = &r->verdict;

    *p = (struct part){.v = {.vss = true, .writers = v->writers, .nwriters = v->nwriters}};
    p->v.components = calloc(v->ncomponents + 1, sizeof *p->v.components);
    p->from = calloc(v->ncomponents + 1, sizeof *p->from);
    if (p->v.components == NULL || p->from == NULL)
        return sp_fail_nomem(e);
    for (size_t i = 0; i < v->ncomponents; i++) {
        if (ses->part[i] == RQ_OUT)
            continue;
        p->from[p->v.ncomponents] = i;
        p->v.components[p->v.ncomponents] = v->components[i];
        p->v.components[p->v.ncomponents].writer = ses->writers[r->plan.choices[i].writer];
        p->v.components[p->v.ncomponents++].depends = NULL;
    }
    for (size_t i = 0; i < p->v.ncomponents; i++) {
        struct sp_verdict_component *c = &p->v.components[i];
        const struct sp_verdict_component *whole = &v->components[p->from[i]];

        c->parent = within(p, c->parent);
        c->ndepends = 0;
        if ((c->depends = calloc(whole->ndepends + 1, sizeof *c->depends)) == NULL)
            return sp_fail_nomem(e);
        for (size_t k = 0; k < whole->ndepends; k++) {
            uint32_t on = within(p, whole->depends[k]);

            if (on != SP_NO_INDEX)
                c->depends[c->ndepends++] = on;
        }
    }
    return SP_OK;
}

/* The first failure of a writer that somebody here belongs to. */
static uint32_t
first_failure(const struct part *p, enum sp_stage stage)
{
    uint32_t partial = 0;

    for (size_t i = 0; i < p->v.ncomponents; i++) {
        const struct sp_verdict_component *c = &p->v.components[i];
        const struct sp_verdict_status *s = &p->v.writers[c->writer].stages[stage];

        if (!s->answered)
            return SP_VSS_E_WRITER_SILENT;
        if (s->hresult != 0 && s->hresult != SP_VSS_E_PARTIAL_FAILURE)
            return s->hresult;
        if (s->hresult != 0 && partial == 0)
            partial = s->hresult;
        if (c->failure_known && c->failure != 0)
            partial = c->failure;
    }
    return partial;
}

enum sp_code
rq_next(struct sp_requester *r, const struct rq_session *ses, enum sp_stage stage,
    enum sp_vss_next *ret, uint8_t *failed, uint32_t *ret_hr, struct sp_err *e)
{
    struct part p = {0};
    uint8_t *marks = calloc(r->verdict.ncomponents + 1, 1);
    enum sp_code rc = marks == NULL ? sp_fail_nomem(e) : part_of(r, ses, &p, e);

    if (rc == SP_OK) {
        *ret = sp_vss_next_step(&p.v, stage, marks);
        *ret_hr = first_failure(&p, stage);
        memset(failed, 0, r->verdict.ncomponents);
        for (size_t i = 0; i < p.v.ncomponents; i++)
            failed[p.from[i]] = marks[i];
    }
    part_free(&p);
    free(marks);
    return rc;
}

static enum sp_code
keep_one(struct sp_requester *r, uint32_t from, uint32_t *ret, struct sp_err *e)
{
    struct sp_verdict one = {.writers = &r->verdict.writers[from], .nwriters = 1}, copy = {0};
    struct sp_verdict_writer *to;
    enum sp_code rc = sp_verdict_copy(&one, &copy, e);

    if (rc == SP_OK && (rc = sp_verdict_add_writer(&r->verdict, &to, e)) == SP_OK) {
        *to = copy.writers[0];
        copy.nwriters = 0;
        *ret = (uint32_t)(r->verdict.nwriters - 1);
    }
    sp_verdict_clear(&copy);
    return rc;
}

enum sp_code
rq_keep_evidence(
    struct sp_requester *r, const struct rq_session *ses, const uint8_t *which, struct sp_err *e)
{
    uint32_t *kept = calloc(r->metadata.nwriters + 1, sizeof *kept); /* 0: none yet */
    enum sp_code rc = kept == NULL ? sp_fail_nomem(e) : SP_OK;

    for (size_t i = 0; i < r->plan.nchoices && rc == SP_OK; i++) {
        size_t w = r->plan.choices[i].writer;

        if (!which[i] || ses->part[i] == RQ_OUT)
            continue;
        if (kept[w] == 0)
            rc = keep_one(r, ses->writers[w], &kept[w], e);
        if (rc == SP_OK)
            r->verdict.components[i].writer = kept[w];
    }
    free(kept);
    return rc;
}
