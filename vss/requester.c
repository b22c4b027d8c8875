#include "vss/requester.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/path.h"
#include "vss/requester_impl.h"

static uint32_t
or_default(uint32_t value, uint32_t otherwise)
{
    return value != 0 ? value : otherwise;
}

static void
set_limits(struct sp_requester *r)
{
    const struct sp_requester_limits *o = &r->o.limits;

    r->limit = (struct sp_requester_limits){
        .metadata_ms = or_default(o->metadata_ms, 5 * 60000),
        .status_ms = or_default(o->status_ms, 60000),
        .prepare_ms = or_default(o->prepare_ms, 10 * 60000),
        .snapshot_ms = or_default(o->snapshot_ms, 20 * 60000),
        .complete_ms = or_default(o->complete_ms, 10 * 60000),
        .busy_ms = or_default(o->busy_ms, 10 * 60000),
        .busy_pause_ms = or_default(o->busy_pause_ms, 15000),
        .attempts = or_default(o->attempts, 3),
        .pause_ms = or_default(o->pause_ms, 60000),
    };
}

static enum sp_code
want_roots(struct sp_requester *r, struct sp_err *e)
{
    struct sp_buf path = SP_BUF_INIT;
    enum sp_code rc = SP_OK;

    for (size_t i = 0; i < r->o.nroots && rc == SP_OK; i++) {
        sp_buf_reset(&path);
        sp_key_to_path(r->o.roots[i].p, r->o.roots[i].n, &path);
        if ((rc = sp_buf_ok(&path, e)) == SP_OK)
            rc = rq_volumes_want(
                &r->volumes, rq_api(r), r->main.s, sp_buf_str(&path), !r->o.one_file_system, e);
    }
    sp_buf_free(&path);
    return rc;
}

/* What was asked for by name lies where it lies. */
static enum sp_code
want_asked(struct sp_requester *r, struct sp_err *e)
{
    enum sp_code rc = SP_OK;

    for (size_t i = 0; i < r->plan.nroots && rc == SP_OK; i++)
        rc = rq_volumes_want(
            &r->volumes, rq_api(r), r->main.s, r->plan.roots[i], !r->o.one_file_system, e);
    return rc;
}

static enum sp_code
show_volumes(struct sp_requester *r, struct sp_err *e)
{
    rq_volumes_sort(&r->volumes);
    if ((r->shown = calloc(r->volumes.n + 1, sizeof *r->shown)) == NULL)
        return sp_fail_nomem(e);
    for (size_t i = 0; i < r->volumes.n; i++) {
        const struct rq_volume *v = &r->volumes.v[i];

        if (v->wanted)
            r->shown[r->nshown++] = (struct sp_requester_volume){.mount = v->mount,
                .volume = v->volume,
                .file_system = v->file_system,
                .reason = v->reason,
                .remote = v->remote,
                .shadow = SP_NO_INDEX};
    }
    return SP_OK;
}

enum sp_code
sp_requester_plan(const struct sp_requester_options *o, struct sp_requester **ret, struct sp_err *e)
{
    struct sp_requester *r = calloc(1, sizeof *r);
    enum sp_code rc;

    if (r == NULL)
        return sp_fail_nomem(e);
    r->o = *o;
    r->main.shadow = r->second.shadow = SP_NO_INDEX;
    set_limits(r);
    if ((rc = o->api->start(o->api->self, e)) != SP_OK)
        goto out;
    r->started = true;
    r->began_ns = sp_clock_wall(o->env->clock);
    if ((rc = rq_session_open(r, &r->main, true, e)) == SP_UNSUPPORTED)
        rc = e->code = SP_IO; /* VSS is there; what it refused is no lack of it */
    if (rc != SP_OK || (rc = want_roots(r, e)) != SP_OK ||
        (rc = rq_select(r, r->main.s, e)) != SP_OK || (rc = want_asked(r, e)) != SP_OK ||
        (rc = rq_session_room(r, &r->main, e)) != SP_OK || (rc = rq_verdict_begin(r, e)) != SP_OK ||
        (rc = show_volumes(r, e)) != SP_OK)
        goto out;
    if ((r->without = calloc(r->plan.nchoices + 1, 1)) == NULL) {
        rc = sp_fail_nomem(e);
        goto out;
    }
    for (size_t i = 0; i < r->plan.nlacks; i++)
        rq_say(r, "%s", r->plan.lacks[i]);
    *ret = r;
    r = NULL;
out:
    sp_requester_free(r);
    return rc;
}

const struct sp_vss_metadata *
sp_requester_metadata(const struct sp_requester *r)
{
    return &r->metadata;
}

const struct sp_vss_plan *
sp_requester_choice(const struct sp_requester *r)
{
    return &r->plan;
}

size_t
sp_requester_volumes(const struct sp_requester *r, const struct sp_requester_volume **ret)
{
    *ret = r->shown;
    return r->nshown;
}

size_t
sp_requester_overrides(const struct sp_requester *r, const struct sp_requester_override **ret)
{
    *ret = r->overrides;
    return r->noverrides;
}

const struct sp_verdict *
sp_requester_verdict(const struct sp_requester *r)
{
    return &r->verdict;
}

void
sp_requester_free(struct sp_requester *r)
{
    if (r == NULL)
        return;
    rq_session_close(r, &r->second);
    rq_session_close(r, &r->main);
    if (r->started)
        rq_api(r)->end(rq_api(r)->self);
    for (size_t i = 0; i < r->noverrides; i++) {
        free(r->overrides[i].path);
        free(r->overrides[i].read_path);
    }
    free(r->overrides);
    free(r->shown);
    free(r->without);
    rq_volumes_clear(&r->volumes);
    sp_vss_plan_clear(&r->plan);
    sp_vss_metadata_clear(&r->metadata);
    sp_verdict_clear(&r->verdict);
    free(r);
}
