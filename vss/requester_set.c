#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/path.h"
#include "vss/explain.h"
#include "vss/journal.h"
#include "vss/requester_impl.h"

/* One shadow set: from StartSnapshotSet to the devices. Whoever calls closes the session on any
 * other end than RQ_TAKEN. */

/* Failures of the whole set that a new one may not meet: writers' own, and writes that could not be
 * flushed or held in time (learn.microsoft.com/windows/win32/vss/volume-shadow-copy-error-codes).
 */
static bool
may_pass(uint32_t hr)
{
    return sp_vss_retryable(hr) || hr == SP_VSS_E_SET_IN_PROGRESS || hr == 0x80042313u ||
           hr == 0x80042314u || hr == SP_VSS_E_WRITER_SILENT || hr == SP_VSS_E_STATUS_UNAVAILABLE;
}

static enum sp_code
fail(struct rq_try *t, uint32_t hr, const char *call, struct sp_err *e)
{
    t->again = may_pass(hr);
    t->hresult = hr;
    return sp_vss_fail(e, hr, call);
}

/* --- what it is made of ---------------------------------------------------------------------- */

static enum sp_code
start_set(struct sp_requester *r, struct rq_session *ses, struct rq_try *t, struct sp_err *e)
{
    const struct sp_clock *clock = r->o.env->clock;
    int64_t until = sp_clock_mono(clock) + r->limit.busy_ms * INT64_C(1000000);
    uint32_t hr;
    bool told = false;
    enum sp_code rc;

    while (sp_vss_failed(hr = rq_api(r)->start_set(ses->s, ses->set_id))) {
        if (hr != SP_VSS_E_SET_IN_PROGRESS || sp_clock_mono(clock) >= until) {
            rc = fail(t, hr, "StartSnapshotSet", e);
            t->again = t->again && hr != SP_VSS_E_SET_IN_PROGRESS; /* that was waited for */
            return rc;
        }
        if (!told)
            rq_say(r, "another program is making a shadow set (%s): waiting up to %u s for it",
                rq_code(hr).s, (r->limit.busy_ms + 999) / 1000);
        told = true;
        if ((rc = rq_pause(r, r->limit.busy_pause_ms, e)) != SP_OK)
            return rc;
    }
    ses->begun = true;
    return SP_OK;
}

/* What is said of one volume, and not of the set. */
static bool
of_the_volume(uint32_t hr)
{
    return hr == SP_VSS_E_VOLUME_UNSUPPORTED || hr == 0x8004230Eu || hr == SP_VSS_E_NOT_FOUND ||
           hr == 0x8004232Cu || hr == 0x8004232Du;
}

const struct rq_shadow *
rq_shadow_of(const struct rq_session *ses, const char *volume)
{
    for (size_t i = 0; ses->taken && i < ses->nshadows; i++) {
        if (strcmp(ses->shadows[i].volume, volume) == 0)
            return &ses->shadows[i];
    }
    return NULL;
}

static bool
to_be_added(const struct sp_requester *r, size_t i, const uint8_t *on)
{
    const struct rq_volume *v = &r->volumes.v[i];

    return v->wanted && v->can && (on == NULL || on[i]);
}

bool
rq_any_volume(const struct sp_requester *r, const uint8_t *on)
{
    for (size_t i = 0; i < r->volumes.n; i++) {
        if (to_be_added(r, i, on))
            return true;
    }
    return false;
}

static bool
is_in(const struct rq_session *ses, const char *volume)
{
    for (size_t i = 0; i < ses->nshadows; i++) {
        if (strcmp(ses->shadows[i].volume, volume) == 0)
            return true;
    }
    return false;
}

/* All of them into the one set; a volume that is mounted twice is in it once. */
static enum sp_code
add_volumes(struct sp_requester *r, struct rq_session *ses, struct rq_try *t, struct sp_err *e)
{
    enum sp_code rc;

    ses->shadows = calloc(r->volumes.n + 1, sizeof *ses->shadows);
    if (ses->shadows == NULL)
        return sp_fail_nomem(e);
    for (size_t i = 0; i < r->volumes.n; i++) {
        struct rq_volume *v = &r->volumes.v[i];
        struct rq_shadow *to = &ses->shadows[ses->nshadows];
        char reason[160];
        uint32_t hr;

        if (!to_be_added(r, i, t->on) || is_in(ses, v->volume))
            continue;
        hr = rq_api(r)->add_volume(ses->s, v->volume, to->id);
        if (of_the_volume(hr)) {
            (void)snprintf(reason, sizeof reason, "VSS does not take it into a shadow set (%s)",
                rq_code(hr).s);
            if ((rc = rq_volume_refuse(v, reason, e)) != SP_OK)
                return rc;
            rq_say(r, "%s: %s", v->mount, reason);
            t->end = RQ_CHOOSE;
            continue;
        }
        if (sp_vss_failed(hr)) {
            rc = fail(t, hr, "AddToSnapshotSet", e);
            sp_err_context(e, "%s", v->mount);
            return rc;
        }
        if ((to->volume = strdup(v->volume)) == NULL)
            return sp_fail_nomem(e);
        ses->nshadows++;
    }
    return SP_OK;
}

/* Its own failure is its own matter; a call in the wrong state, or no memory, is everybody's. */
static enum sp_code
add_component(
    struct sp_requester *r, struct rq_session *ses, struct rq_try *t, size_t i, struct sp_err *e)
{
    struct sp_verdict_component *c = &r->verdict.components[i];
    struct sp_vss_component_ref ref = rq_ref(r, ses, i);
    bool gone = ref.instance_id[0] == '\0';
    uint32_t hr = gone ? SP_VSS_E_NOT_FOUND : rq_api(r)->add_component(ses->s, &ref);

    c->added = !sp_vss_failed(hr);
    if (c->added) {
        ses->part[i] = RQ_ADDED;
        return SP_OK;
    }
    if (hr == SP_VSS_E_BAD_STATE || hr == SP_VSS_E_OUTOFMEMORY || hr == SP_VSS_E_UNEXPECTED)
        return fail(t, hr, "AddComponent", e);
    rq_say(r, "%s cannot take part: %s (%s)", c->unit,
        gone ? "its writer is no longer there" : "VSS did not take it (AddComponent)",
        rq_code(hr).s);
    c->why = gone ? SP_WHY_SILENT : SP_WHY_WRITER_FAILED;
    c->hresult = hr;
    return SP_OK;
}

static enum sp_code
add_components(struct sp_requester *r, struct rq_session *ses, struct rq_try *t, struct sp_err *e)
{
    struct sp_verdict *v = &r->verdict;
    enum sp_code rc = SP_OK;

    for (size_t i = 0; i < v->ncomponents && rc == SP_OK; i++) {
        if (t->take[i] && r->plan.choices[i].added)
            rc = add_component(r, ses, t, i, e);
    }
    for (size_t i = 0; i < v->ncomponents && rc == SP_OK; i++) {
        size_t parent = r->plan.choices[i].parent;

        if (parent == SIZE_MAX || !t->take[i])
            continue;
        if (ses->part[parent] == RQ_ADDED) {
            ses->part[i] = RQ_CHILD;
        } else {
            v->components[i].why = v->components[parent].why;
            v->components[i].hresult = v->components[parent].hresult;
        }
    }
    if (rc == SP_OK)
        rq_forget(r, ses);
    return rc;
}

/* --- making it ------------------------------------------------------------------------------- */

static enum sp_code
write_journal(struct sp_requester *r, struct rq_session *ses, struct sp_err *e)
{
    char name[64];

    if (r->o.journal_dir == NULL)
        return SP_OK;
    (void)snprintf(name, sizeof name, "vss-%s" SP_JOURNAL_SUFFIX, ses->set_id);
    if ((ses->journal = sp_path_join(r->o.journal_dir, name)) == NULL)
        return sp_fail_nomem(e);
    return sp_journal_write_set(r->o.env, ses->journal, ses->set_id, e);
}

static enum sp_code
snapshot(struct sp_requester *r, struct rq_session *ses, struct rq_try *t, struct sp_err *e)
{
    const struct sp_clock *clock = r->o.env->clock;
    int64_t from = sp_clock_mono(clock);
    uint32_t hr = 0;
    enum sp_code rc;

    ses->instant_ns = sp_clock_wall(clock);
    rc = rq_async(r, ses->s, rq_api(r)->do_snapshot, r->limit.snapshot_ms, "DoSnapshotSet", &hr, e);
    if (rc == SP_OK && hr != 0)
        rc = fail(t, hr, "DoSnapshotSet", e);
    ses->took_ns = (uint64_t)(sp_clock_mono(clock) - from);
    ses->taken = rc == SP_OK;
    return rc;
}

static const char *
stage_word(enum sp_stage stage)
{
    return stage == SP_STAGE_PREPARED ? "after PrepareForBackup" : "after DoSnapshotSet";
}

/* Asks the writers; RQ_TAKEN: go on. */
static enum sp_code
ask(struct sp_requester *r, struct rq_session *ses, enum sp_stage stage, struct rq_try *t,
    struct sp_err *e)
{
    enum sp_vss_next next = SP_VSS_GO_ON;
    uint32_t hr = 0;
    enum sp_code rc = rq_gather(r, ses, stage, &hr, e);

    if (rc != SP_OK)
        return rc;
    if (hr != 0) { /* nobody's status is known: a set that nobody vouches for is no use */
        rc = sp_vss_fail(e, hr, "GatherWriterStatus");
        t->again = rc != SP_NOMEM;
        t->hresult = hr;
        return rc;
    }
    if ((rc = rq_next(r, ses, stage, &next, t->failed, &hr, e)) != SP_OK)
        return rc;
    if (next == SP_VSS_RETRY && t->may_retry) {
        t->end = RQ_RETRY;
        t->hresult = hr;
        rq_say(r, "VSS: %s a writer failed in a way that may pass (%s)", stage_word(stage),
            rq_code(hr).s);
    } else if (next == SP_VSS_GO_WITHOUT && t->may_without) {
        t->end = RQ_WITHOUT;
        t->hresult = hr;
    }
    return SP_OK;
}

static enum sp_code
find_devices(struct sp_requester *r, struct rq_session *ses, struct rq_try *t, struct sp_err *e)
{
    for (size_t i = 0; i < ses->nshadows; i++) {
        struct sp_vss_shadow shadow = {0};
        uint32_t hr = rq_api(r)->properties(ses->s, ses->shadows[i].id, &shadow);

        if (sp_vss_failed(hr))
            return fail(t, hr, "GetSnapshotProperties", e);
        ses->shadows[i].device = shadow.device;
        ses->shadows[i].created_ns = shadow.created_ns;
        if (shadow.created_ns != 0 && (i == 0 || shadow.created_ns < ses->instant_ns))
            ses->instant_ns = shadow.created_ns;
    }
    return SP_OK;
}

enum sp_code
rq_make_set(struct sp_requester *r, struct rq_session *ses, struct rq_try *t, struct sp_err *e)
{
    uint32_t hr = 0;
    enum sp_code rc;

    t->end = RQ_TAKEN;
    t->again = false;
    t->hresult = 0;
    if ((rc = start_set(r, ses, t, e)) != SP_OK || (rc = add_volumes(r, ses, t, e)) != SP_OK ||
        t->end != RQ_TAKEN || (rc = add_components(r, ses, t, e)) != SP_OK)
        return rc;
    rc = rq_async(r, ses->s, rq_api(r)->prepare, r->limit.prepare_ms, "PrepareForBackup", &hr, e);
    if (rc == SP_OK && hr != 0)
        rc = fail(t, hr, "PrepareForBackup", e);
    if (rc != SP_OK || (rc = ask(r, ses, SP_STAGE_PREPARED, t, e)) != SP_OK || t->end != RQ_TAKEN)
        return rc;
    /* Its name is on disk before it can be left behind. */
    if ((rc = write_journal(r, ses, e)) != SP_OK || (rc = snapshot(r, ses, t, e)) != SP_OK ||
        (rc = ask(r, ses, SP_STAGE_SNAPSHOT, t, e)) != SP_OK || t->end != RQ_TAKEN)
        return rc;
    return find_devices(r, ses, t, e);
}
