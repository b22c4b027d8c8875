#include "vss/judge.h"

#include <string.h>

#include "vss/describe.h"
#include "vss/hresult.h"

/* Why something is not `application`; UNKNOWN: nothing is against it (so far). */
struct reason {
    enum sp_why why;
    uint32_t hresult;
};
static const struct reason none = {SP_WHY_UNKNOWN, 0};

static bool
state_failed(uint32_t state)
{
    return state >= SP_VSS_FAILED_AT_IDENTIFY && state <= SP_VSS_FAILED_AT_BACKUPSHUTDOWN;
}

/* --- writers ---------------------------------------------------------------------------------- */

/* What one gathering says against all components of the writer. A partial failure is the
 * components' matter, unless the state says that the writer was out of it, too. */
static struct reason
against_at(const struct sp_verdict_writer *w, enum sp_stage stage)
{
    const struct sp_verdict_status *s = &w->stages[stage];
    enum sp_why failed = stage == SP_STAGE_COMPLETE ? SP_WHY_COMPLETE_FAILED : SP_WHY_WRITER_FAILED;
    uint32_t code = sp_vss_failure(s->hresult, s->app_hresult);

    if (!s->asked) {
        if (stage == SP_STAGE_PREPARED)
            return none;
        return (struct reason){stage == SP_STAGE_SNAPSHOT ? SP_WHY_SILENT : SP_WHY_UNFINISHED, 0};
    }
    if (!s->answered || sp_vss_silent(code))
        return (struct reason){SP_WHY_SILENT, s->answered ? code : 0};
    if (state_failed(s->state) || (code != 0 && code != SP_VSS_E_PARTIAL_FAILURE))
        return (struct reason){failed, code};
    /* UNKNOWN "indicates an error on the part of the writer" (the page of VSS_WRITER_STATE). */
    if (s->state == SP_VSS_UNKNOWN || s->state > SP_VSS_FAILED_AT_BACKUPSHUTDOWN)
        return (struct reason){SP_WHY_UNEXPECTED, 0};
    /* Between freeze and post-snapshot nobody is any more once DoSnapshotSet has ended. */
    if (stage != SP_STAGE_PREPARED && s->state != SP_VSS_STABLE &&
        s->state != SP_VSS_WAITING_FOR_BACKUP_COMPLETE)
        return (struct reason){SP_WHY_UNEXPECTED, 0};
    return none;
}

static bool
partial_at(const struct sp_verdict_writer *w, int stage)
{
    const struct sp_verdict_status *s = &w->stages[stage];

    return s->asked && s->answered && s->hresult == SP_VSS_E_PARTIAL_FAILURE;
}

/* The first thing against the writer as a whole up to and with `last`. */
static struct reason
against_writer(const struct sp_verdict_writer *w, enum sp_stage last)
{
    struct reason r = none;

    for (int i = SP_STAGE_PREPARED; i <= (int)last && r.why == SP_WHY_UNKNOWN; i++)
        r = against_at(w, (enum sp_stage)i);
    return r;
}

static const struct sp_vss_rule *
rule_for(const struct sp_verdict_writer *w)
{
    size_t n;
    const struct sp_vss_rule *rules = sp_vss_rules(&n);

    for (size_t i = 0; i < n; i++) {
        if (strcmp(rules[i].class_id, w->class_id) == 0 &&
            rules[i].state == w->stages[SP_STAGE_SNAPSHOT].state)
            return &rules[i];
    }
    return NULL;
}

/* How the writer showed that it took part, when nothing is against it. */
static enum sp_why
took_part(const struct sp_verdict_writer *w, bool stamped)
{
    if (w->stages[SP_STAGE_SNAPSHOT].state == SP_VSS_WAITING_FOR_BACKUP_COMPLETE)
        return SP_WHY_TOOK_PART;
    if (stamped)
        return SP_WHY_EVIDENCE;
    return rule_for(w) != NULL ? SP_WHY_RULE : SP_WHY_STABLE;
}

static bool
shown(enum sp_why why)
{
    return why == SP_WHY_TOOK_PART || why == SP_WHY_EVIDENCE || why == SP_WHY_RULE;
}

static void
judge_writer(struct sp_verdict *v, uint32_t index, bool final)
{
    struct sp_verdict_writer *w = &v->writers[index];
    struct reason r = against_writer(w, final ? SP_STAGE_COMPLETE : SP_STAGE_SNAPSHOT);
    bool stamped = false;

    for (size_t i = 0; i < v->ncomponents; i++)
        stamped = stamped || (v->components[i].writer == index && v->components[i].stamped);
    w->hresult = r.hresult;
    w->why = r.why != SP_WHY_UNKNOWN ? r.why : took_part(w, stamped);
    w->level = shown(w->why) ? SP_LEVEL_APPLICATION : SP_LEVEL_CRASH;
    for (int i = SP_STAGE_PREPARED; i < SP_STAGES && r.why == SP_WHY_UNKNOWN; i++) {
        if (partial_at(w, i))
            w->hresult = SP_VSS_E_PARTIAL_FAILURE; /* not of all of it: see its components */
    }
}

/* --- components ------------------------------------------------------------------------------- */

/* The one whose AddComponent it came with: itself, or its parent. NULL: none. */
static const struct sp_verdict_component *
head_of(const struct sp_verdict *v, const struct sp_verdict_component *c)
{
    if (c->added)
        return c;
    if (c->parent < v->ncomponents && v->components[c->parent].added)
        return &v->components[c->parent];
    return NULL;
}

static uint32_t
shadow_of(const struct sp_verdict *v, const struct sp_verdict_component *c)
{
    const struct sp_verdict_component *head = head_of(v, c);

    return c->shadow == SP_NO_INDEX && head != NULL ? head->shadow : c->shadow;
}

/* All its files, in one. Where VSS was not driven another kind of shadow may be there, which no
 * index tells of; whoever put the component in knows when there is none, and says so by `why`. */
static bool
in_shadow(const struct sp_verdict *v, const struct sp_verdict_component *c)
{
    if (c->files_live > 0 || c->why == SP_WHY_NOT_ASKED)
        return false;
    if (v->vss)
        return shadow_of(v, c) < v->nshadows;
    return c->why != SP_WHY_NO_SHADOW;
}

/* A known failure of the component counts, whatever the writer says; where the writer says that
 * some failed, so does not knowing. A child goes by itself and by the one that it came with. */
static struct reason
against_component(
    const struct sp_verdict_component *c, const struct sp_verdict_component *head, bool partial)
{
    uint32_t code = c->failure_known ? sp_vss_failure(c->failure, c->app_failure) : 0;

    if (code == 0 && head->failure_known)
        code = sp_vss_failure(head->failure, head->app_failure);
    if (code != 0)
        return (struct reason){SP_WHY_COMPONENT_FAILED, code};
    if (partial && !head->failure_known)
        return (struct reason){SP_WHY_PARTIAL_UNKNOWN, SP_VSS_E_PARTIAL_FAILURE};
    return none;
}

/* What speaks against one that took part, in the order of the run. A method that cannot be better
 * is told only where nothing failed: a failure is news, the method is not. */
static struct reason
against_part(const struct sp_verdict *v, const struct sp_verdict_component *c,
    const struct sp_verdict_component *head, bool final)
{
    const struct sp_verdict_writer *w = &v->writers[c->writer];
    const struct sp_verdict_shadow *shadow = &v->shadows[shadow_of(v, c)];
    struct reason r;

    for (int i = SP_STAGE_PREPARED; i <= SP_STAGE_SNAPSHOT; i++) {
        if (partial_at(w, i) && (r = against_component(c, head, true)).why != SP_WHY_UNKNOWN)
            return r;
        if ((r = against_at(w, (enum sp_stage)i)).why != SP_WHY_UNKNOWN)
            return r;
    }
    if ((r = against_component(c, head, false)).why != SP_WHY_UNKNOWN)
        return r;
    if (sp_vss_method_cap(c->method) < SP_LEVEL_APPLICATION)
        return (struct reason){SP_WHY_METHOD, 0};
    if (!shown(took_part(w, c->stamped || head->stamped)))
        return (struct reason){SP_WHY_STABLE, 0};
    if (!final)
        return none;
    if (!shadow->completed)
        return shadow->complete_hresult != 0
                   ? (struct reason){SP_WHY_COMPLETE_FAILED, shadow->complete_hresult}
                   : (struct reason){SP_WHY_UNFINISHED, 0};
    if (partial_at(w, SP_STAGE_COMPLETE) &&
        (r = against_component(c, head, true)).why != SP_WHY_UNKNOWN)
        return r;
    return against_at(w, SP_STAGE_COMPLETE);
}

/* Set by whoever left the component out of VSS's part, and kept: selection, or a requester that
 * went without it. */
static bool
kept(enum sp_why why)
{
    return why == SP_WHY_PARTLY_OUTSIDE || why == SP_WHY_NOT_CHOSEN ||
           why == SP_WHY_WRITER_FAILED || why == SP_WHY_COMPONENT_FAILED ||
           why == SP_WHY_PARTIAL_UNKNOWN || why == SP_WHY_SILENT || why == SP_WHY_UNEXPECTED;
}

static struct reason
against(const struct sp_verdict *v, const struct sp_verdict_component *c, bool final)
{
    const struct sp_verdict_component *head = head_of(v, c);
    struct reason r;

    if (c->writer >= v->nwriters) {
        if (!v->vss && (c->why == SP_WHY_NO_SHADOW || c->why == SP_WHY_NOT_ASKED))
            return (struct reason){c->why, 0};
        if (v->vss && shadow_of(v, c) >= v->nshadows)
            return (struct reason){SP_WHY_NO_SHADOW, 0};
        return (struct reason){SP_WHY_NO_WRITER, 0};
    }
    if (!v->vss)
        return (struct reason){SP_WHY_NOT_ASKED, 0};
    if (head == NULL && kept(c->why))
        return (struct reason){c->why, c->hresult};
    if (shadow_of(v, c) >= v->nshadows)
        return (struct reason){SP_WHY_NO_SHADOW, 0};
    if (head == NULL) {
        r = against_component(c, c, false);
        return r.why != SP_WHY_UNKNOWN ? r : (struct reason){SP_WHY_NOT_CHOSEN, 0};
    }
    if ((r = against_part(v, c, head, final)).why != SP_WHY_UNKNOWN)
        return r;
    if (c->files_live > 0)
        return (struct reason){SP_WHY_NO_SHADOW, 0};
    /* It took part, and whoever read it says that the set is without some of it. */
    return c->why == SP_WHY_PARTLY_OUTSIDE ? (struct reason){c->why, 0} : none;
}

static void
judge_component(const struct sp_verdict *v, struct sp_verdict_component *c, bool final)
{
    const struct sp_verdict_component *head;
    struct reason r;

    if (c->why == SP_WHY_LEFT_OUT) {
        c->level = SP_LEVEL_NONE;
        return;
    }
    /* Whoever found one without a writer knows where it lies (client/watch.h). */
    if (c->writer >= v->nwriters && c->level != SP_LEVEL_NONE) {
        if (c->files_live > 0)
            c->level = SP_LEVEL_LIVE;
        return;
    }
    r = against(v, c, final);
    head = head_of(v, c);
    c->hresult = r.hresult;
    if (r.why == SP_WHY_UNKNOWN) {
        c->level = SP_LEVEL_APPLICATION;
        c->why = took_part(&v->writers[c->writer], c->stamped || (head != NULL && head->stamped));
        return;
    }
    c->why = r.why;
    c->level = in_shadow(v, c) ? SP_LEVEL_CRASH : SP_LEVEL_LIVE;
}

/* One whose dependency is below application is, too; what depends on it then, as well. */
static bool
depend_once(struct sp_verdict *v)
{
    bool changed = false;

    for (size_t i = 0; i < v->ncomponents; i++) {
        struct sp_verdict_component *c = &v->components[i];

        for (size_t k = 0; k < c->ndepends && c->level == SP_LEVEL_APPLICATION; k++) {
            if (c->depends[k] >= v->ncomponents ||
                v->components[c->depends[k]].level == SP_LEVEL_APPLICATION)
                continue;
            c->why = SP_WHY_DEPENDENCY;
            c->level = SP_LEVEL_CRASH;
            changed = true;
        }
    }
    return changed;
}

void
sp_vss_judge(struct sp_verdict *v, bool final)
{
    for (size_t i = 0; i < v->nwriters; i++)
        judge_writer(v, (uint32_t)i, final);
    for (size_t i = 0; i < v->ncomponents; i++)
        judge_component(v, &v->components[i], final);
    while (depend_once(v))
        continue;
}
