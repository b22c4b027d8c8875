#include <stdlib.h>
#include <string.h>

#include "vss/requester_impl.h"

/* Sessions until one has made the main shadow set: again after what may pass, without what failed
 * for good. */

struct taking {
    struct sp_requester *r;
    struct rq_try t;
    uint8_t *take;
    uint32_t attempts, rounds; /* sessions that were tried; and how often some were left behind */
    uint32_t retried_for;
};

/* The main session's writers are the first of the verdict's, one for one. */
static void
main_writers(struct sp_requester *r)
{
    for (size_t i = 0; i < r->metadata.nwriters; i++) {
        r->main.writers[i] = (uint32_t)i;
        if (r->main.instance[i][0] != '\0') /* it may have been restarted */
            memcpy(r->verdict.writers[i].instance_id, r->main.instance[i],
                sizeof r->verdict.writers[i].instance_id);
    }
}

static enum sp_code
choose_again(struct taking *k, struct sp_err *e)
{
    struct sp_requester *r = k->r;
    size_t n = r->plan.nchoices;
    enum sp_code rc;

    if ((rc = rq_select(r, r->main.s, e)) != SP_OK)
        return rc;
    if (r->plan.nchoices != n)
        return sp_fail(e, SP_INTERNAL, SP_DOM_SELF, "a component came or went with a volume");
    if ((rc = rq_verdict_begin(r, e)) != SP_OK)
        return rc;
    for (size_t i = 0; i < n; i++) {
        if (r->without[i])
            r->verdict.components[i].why = SP_WHY_COMPONENT_FAILED;
    }
    return SP_OK;
}

/* Children go with their parents. */
static void
mark_without(struct taking *k)
{
    struct sp_requester *r = k->r;

    for (size_t i = 0; i < r->plan.nchoices; i++) {
        size_t parent = r->plan.choices[i].parent;

        if (parent != SIZE_MAX && k->t.failed[parent])
            k->t.failed[i] = 1;
    }
    for (size_t i = 0; i < r->plan.nchoices; i++) {
        if (!k->t.failed[i])
            continue;
        r->without[i] = 1;
        k->take[i] = 0;
        if (r->plan.choices[i].added)
            rq_say(r, "%s failed (%s): a new shadow set is made without it",
                r->verdict.components[i].unit, rq_code(k->t.hresult).s);
    }
}

/* What follows from a session that made no set; SP_OK: the next one. */
static enum sp_code
after(struct taking *k, enum sp_code rc, struct sp_err *e)
{
    struct sp_requester *r = k->r;
    enum rq_end end = k->t.end;

    if (rc == SP_OK && end == RQ_WITHOUT) {
        if ((rc = rq_keep_evidence(r, &r->main, k->t.failed, e)) == SP_OK)
            mark_without(k);
        k->rounds++;
        return rc;
    }
    if (rc == SP_OK && end == RQ_CHOOSE)
        return SP_OK;
    if (rc != SP_OK && (!k->t.again || k->attempts >= r->limit.attempts))
        return rc;
    if (rc != SP_OK)
        rq_say(r, "%s", e->text);
    k->retried_for = k->t.hresult;
    rq_session_close(r, &r->main); /* nothing is held meanwhile */
    rq_say(r, "a new shadow set is tried in %u s (attempt %u of %u)",
        (r->limit.pause_ms + 999) / 1000, k->attempts + 1, r->limit.attempts);
    k->attempts++;
    return rq_pause(r, r->limit.pause_ms, e);
}

static enum sp_code
take_main(struct taking *k, struct sp_err *e)
{
    struct sp_requester *r = k->r;
    enum sp_code rc = SP_OK;

    k->attempts = 1;
    while (rc == SP_OK && rq_any_volume(r, NULL)) {
        if (rq_cancelled(r))
            return sp_fail(
                e, SP_CANCELLED, SP_DOM_SHADOW, "interrupted before the shadow set was made");
        if (r->main.s == NULL && (rc = rq_session_open(r, &r->main, false, e)) != SP_OK)
            return rc;
        if (k->t.end == RQ_CHOOSE && (rc = choose_again(k, e)) != SP_OK)
            return rc;
        main_writers(r);
        k->t.may_retry = k->attempts < r->limit.attempts;
        k->t.may_without = k->rounds < r->limit.attempts;
        rc = rq_make_set(r, &r->main, &k->t, e);
        if (rc == SP_OK && k->t.end == RQ_TAKEN)
            return SP_OK;
        rc = after(k, rc, e);
        rq_session_close(r, &r->main);
    }
    return rc;
}

/* --- what came of it ------------------------------------------------------------------------- */

enum sp_code
rq_verdict_shadow(struct sp_requester *r, struct rq_session *ses, uint32_t attempts,
    uint32_t retried_for, struct sp_err *e)
{
    struct sp_verdict_shadow *to;
    enum sp_code rc = sp_verdict_add_shadow(&r->verdict, &to, e);

    if (rc != SP_OK)
        return rc;
    memcpy(to->id, ses->set_id, sizeof to->id);
    to->instant_ns = ses->instant_ns;
    to->took_ns = ses->took_ns;
    to->attempts = attempts;
    to->retried_for = retried_for;
    to->backup_type = r->o.backup_type != 0 ? r->o.backup_type : SP_VSS_BT_COPY;
    ses->shadow = (uint32_t)(r->verdict.nshadows - 1);
    return SP_OK;
}

/* `why`: of a shadow set that was to be made and was not; NULL. */
static enum sp_code
place_components(struct sp_requester *r, const char *why, struct sp_err *e)
{
    enum sp_code rc = SP_OK;

    for (size_t i = 0; i < r->verdict.ncomponents && rc == SP_OK; i++) {
        struct sp_verdict_component *c = &r->verdict.components[i];

        rc = rq_files_live(r, i, &c->files_live, e);
        c->shadow = c->files_live == 0 && r->main.taken ? r->main.shadow : SP_NO_INDEX;
        if (rc == SP_OK && why != NULL) {
            char *detail = strdup(why);

            if (detail == NULL)
                return sp_fail_nomem(e);
            free(c->detail);
            c->detail = detail;
            c->why = SP_WHY_NO_SHADOW;
            c->added = false;
        }
    }
    return rc;
}

static void
show_again(struct sp_requester *r)
{
    for (size_t i = 0; i < r->nshown; i++) {
        struct sp_requester_volume *to = &r->shown[i];

        for (size_t k = 0; k < r->volumes.n; k++) {
            const struct rq_volume *v = &r->volumes.v[k];
            const struct rq_shadow *shadow;

            if (v->mount != to->mount)
                continue;
            shadow = rq_shadow_of(&r->main, v->volume);
            to->reason = shadow == NULL ? v->reason : NULL;
            to->device = shadow != NULL ? shadow->device : NULL;
            to->shadow = shadow != NULL ? r->main.shadow : SP_NO_INDEX;
            to->instant_ns = shadow != NULL ? r->main.instant_ns : 0;
        }
    }
}

/* The shadows are there; all that follows is about who took part. */
static enum sp_code
settle(struct taking *k, struct sp_err *e)
{
    struct sp_requester *r = k->r;
    enum sp_code rc = SP_OK;

    if (r->main.taken)
        rc = rq_verdict_shadow(r, &r->main, k->attempts, k->retried_for, e);
    if (rc == SP_OK)
        rc = place_components(r, NULL, e);
    if (rc != SP_OK)
        return rc;
    sp_vss_judge(&r->verdict, false);
    if (!r->main.taken)
        return SP_OK;
    rq_keep_document(r, &r->main);
    return r->o.second_set ? rq_take_second(r, e) : SP_OK;
}

enum sp_code
sp_requester_take(struct sp_requester *r, struct sp_err *e)
{
    struct taking k = {.r = r};
    struct sp_err ignored = {0};
    enum sp_code rc = SP_OK;

    if (r->taken)
        return sp_fail(e, SP_INTERNAL, SP_DOM_SELF, "shadows were taken before");
    r->taken = true;
    k.take = malloc(r->plan.nchoices + 1);
    k.t.failed = calloc(r->plan.nchoices + 1, 1);
    if (k.take == NULL || k.t.failed == NULL) {
        rc = sp_fail_nomem(e);
        goto out;
    }
    memset(k.take, 1, r->plan.nchoices + 1);
    k.t.take = k.take;
    if ((rc = take_main(&k, e)) == SP_OK)
        rc = settle(&k, e);
    if (rc == SP_OK) {
        rq_read_events(r);
        rq_read_versions(r);
        sp_vss_judge(&r->verdict, false);
    } else {
        rq_session_close(r, &r->second);
        rq_session_close(r, &r->main);
        r->verdict.nshadows = 0;
        if (place_components(r, e->text, &ignored) == SP_OK)
            sp_vss_judge(&r->verdict, false);
        rq_read_events(r); /* they may tell why */
    }
    show_again(r);
out:
    free(k.take);
    free(k.t.failed);
    return rc;
}
