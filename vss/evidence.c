/* Summaries, the set as a whole, and the raw values behind a level: see explain.h. */

#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "vss/explain.h"
#include "vss/hresult.h"
#include "vss/words.h"

/* --- one line --------------------------------------------------------------------------------- */

/* The reason in a few words, where there is no code that says it shorter. */
static const char *
short_reason(enum sp_why why)
{
    switch (why) {
    case SP_WHY_UNKNOWN:
        return "for a reason that this version does not know";
    case SP_WHY_TOOK_PART:
    case SP_WHY_EVIDENCE:
    case SP_WHY_RULE:
        return "";
    case SP_WHY_STABLE:
        return "did not show that it took part";
    case SP_WHY_WRITER_FAILED:
        return "its writer failed";
    case SP_WHY_COMPONENT_FAILED:
        return "its writer reported its failure";
    case SP_WHY_PARTIAL_UNKNOWN:
        return "its writer failed in part";
    case SP_WHY_SILENT:
        return "its writer gave no status";
    case SP_WHY_METHOD:
        return "its method allows no more";
    case SP_WHY_COMPLETE_FAILED:
        return "BackupComplete failed";
    case SP_WHY_PARTLY_OUTSIDE:
        return "some of its files are outside";
    case SP_WHY_NO_WRITER:
        return "no writer speaks for it";
    case SP_WHY_NOT_CHOSEN:
        return "left out of VSS's part by the job";
    case SP_WHY_DEPENDENCY:
        return "what it needs is below";
    case SP_WHY_UNEXPECTED:
        return "its writer was in an impossible state";
    case SP_WHY_UNFINISHED:
        return "the end of the backup is not known";
    case SP_WHY_NO_SHADOW:
        return "no shadow";
    case SP_WHY_NOT_ASKED:
        return "shadows not asked for";
    case SP_WHY_LEFT_OUT:
        return "left out by the job's demand";
    }
    return "for a reason that this version does not know";
}

void
sp_vss_summary_component(const struct sp_verdict *v, size_t component, struct sp_buf *to)
{
    const struct sp_verdict_component *c = &v->components[component];

    sp_vss_put_unit(to, c);
    sp_buf_printf(
        to, ": %s", c->level == SP_LEVEL_NONE ? "not in the set" : sp_level_word(c->level));
    if (sp_vss_unconfirmed(v, c))
        sp_buf_put_str(to, ", unconfirmed");
    if (c->level == SP_LEVEL_APPLICATION)
        return;
    sp_buf_put_str(to, " (");
    if (c->why == SP_WHY_METHOD)
        sp_vss_put_text(to, c->method);
    else if (c->hresult != 0)
        sp_vss_put_code(to, c->hresult);
    else if (c->why == SP_WHY_NO_SHADOW && c->files_live > 0)
        sp_buf_printf(to, "%llu of its files read live", (unsigned long long)c->files_live);
    else
        sp_buf_put_str(to, short_reason(c->why));
    sp_buf_put_str(to, ")");
}

/* --- the set ---------------------------------------------------------------------------------- */

enum { NAMED = 3 };

/* "1 of 8 applications … (VM web01)" for those at that level. */
static void
put_those(struct sp_buf *to, const struct sp_verdict *v, enum sp_level level, size_t n)
{
    size_t said = 0;

    sp_buf_put_str(to, " (");
    for (size_t i = 0; i < v->ncomponents && said < NAMED; i++) {
        if (v->components[i].level != level)
            continue;
        if (said++ > 0)
            sp_buf_put_str(to, ", ");
        sp_vss_put_unit(to, &v->components[i]);
    }
    if (n > said)
        sp_buf_printf(to, " and %zu more", n - said);
    sp_buf_put_str(to, ")");
}

void
sp_vss_explain_set(const struct sp_verdict *v, struct sp_buf *to)
{
    size_t n[SP_LEVEL_APPLICATION + 1] = {0}, all;
    bool unconfirmed = v->vss && !v->confirmed;

    for (size_t i = 0; i < v->ncomponents; i++)
        n[v->components[i].level <= SP_LEVEL_APPLICATION ? v->components[i].level
                                                         : SP_LEVEL_LIVE]++;
    all = n[SP_LEVEL_LIVE] + n[SP_LEVEL_CRASH] + n[SP_LEVEL_APPLICATION];
    if (all == 0) {
        sp_buf_put_str(to, "no applications in the set");
    } else if (n[SP_LEVEL_APPLICATION] == all && unconfirmed) {
        sp_buf_put_str(to,
            "application, unconfirmed: the run ended before the applications' answers to"
            " the end of the backup were recorded; the files are whole");
    } else if (n[SP_LEVEL_APPLICATION] == all) {
        sp_buf_put_str(to, "application-consistent");
        if (all > 1)
            sp_buf_printf(to, ": all %zu applications took part", all);
    } else {
        if (n[SP_LEVEL_LIVE] > 0) {
            sp_buf_printf(to, "live: %zu of %zu applications %s read while in use",
                n[SP_LEVEL_LIVE], all, n[SP_LEVEL_LIVE] == 1 ? "was" : "were");
            put_those(to, v, SP_LEVEL_LIVE, n[SP_LEVEL_LIVE]);
        }
        if (n[SP_LEVEL_CRASH] > 0) {
            sp_buf_printf(to,
                n[SP_LEVEL_LIVE] > 0
                    ? "; %zu of %zu %s only crash-consistent"
                    : "crash-consistent: %zu of %zu applications %s no more than that",
                n[SP_LEVEL_CRASH], all, n[SP_LEVEL_CRASH] == 1 ? "is" : "are");
            put_those(to, v, SP_LEVEL_CRASH, n[SP_LEVEL_CRASH]);
        }
        if (n[SP_LEVEL_APPLICATION] > 0 && unconfirmed)
            sp_buf_put_str(to, "; the others are unconfirmed");
    }
    if (n[SP_LEVEL_NONE] > 0) {
        sp_buf_printf(to, "; left out: %zu", n[SP_LEVEL_NONE]);
        put_those(to, v, SP_LEVEL_NONE, n[SP_LEVEL_NONE]);
    }
}

/* --- the evidence ----------------------------------------------------------------------------- */

static void
put_app(struct sp_buf *to, uint32_t code, const char *text)
{
    if (code != 0) {
        sp_buf_put_str(to, "; the application's own code ");
        sp_vss_put_code(to, code);
    }
    if (text != NULL && text[0] != '\0') {
        sp_buf_put_str(to, "; it says \"");
        sp_vss_put_text(to, text);
        sp_buf_put_str(to, "\"");
    }
}

static void
put_writer(struct sp_buf *to, const struct sp_verdict_writer *w)
{
    sp_buf_put_str(to, "writer: ");
    sp_vss_put_text(to, w->name);
    sp_buf_printf(to, " {%s}", w->class_id);
    if (w->instance_name != NULL && w->instance_name[0] != '\0') {
        sp_buf_put_str(to, ", ");
        sp_vss_put_text(to, w->instance_name);
    }
    sp_buf_printf(to, ", instance {%s}\n", w->instance_id);
    for (int i = 0; i < SP_STAGES; i++) {
        const struct sp_verdict_status *s = &w->stages[i];

        sp_buf_printf(to, "%s: ", sp_vss_stage_word((enum sp_stage)i));
        if (!s->asked) {
            sp_buf_put_str(to, "not asked");
        } else if (!s->answered) {
            sp_buf_put_str(to, "no answer");
        } else {
            sp_buf_printf(to, "state %u (%s), ", (unsigned)s->state, sp_vss_state_word(s->state));
            sp_vss_put_code(to, s->hresult);
            put_app(to, s->app_hresult, s->app_text);
        }
        sp_buf_put_str(to, "\n");
    }
    if (w->rule != NULL && w->rule[0] != '\0') {
        sp_buf_put_str(to, "rule applied: ");
        sp_vss_put_text(to, w->rule);
        sp_buf_put_str(to, "\n");
    }
}

static const char *
type_word(uint32_t backup_type)
{
    static const char *const words[] = {
        "undefined", "full", "incremental", "differential", "log", "copy", "other"};

    return backup_type < sizeof words / sizeof words[0] ? words[backup_type] : "unknown";
}

static void
put_shadow(struct sp_buf *to, const struct sp_verdict_shadow *s)
{
    char when[32];

    sp_time_utc(s->instant_ns, when);
    sp_buf_printf(to,
        "shadow set: {%s} of %s, made in %s (freeze and thaw lie within), %u attempt%s", s->id,
        when, sp_text_duration((int64_t)s->took_ns).s, (unsigned)s->attempts,
        s->attempts == 1 ? "" : "s");
    if (s->retried_for != 0) {
        sp_buf_put_str(to, ", tried again for ");
        sp_vss_put_code(to, s->retried_for);
    }
    sp_buf_printf(to, ", backup type %s\nBackupComplete: ", type_word(s->backup_type));
    if (s->completed)
        sp_buf_put_str(to, "done");
    else if (s->complete_hresult != 0)
        sp_vss_put_code(to, s->complete_hresult);
    else
        sp_buf_put_str(to, "not recorded");
    sp_buf_put_str(to, "\n");
}

static void
put_component(struct sp_buf *to, const struct sp_verdict *v, const struct sp_verdict_component *c)
{
    sp_buf_printf(to, "level: %s (%s", sp_level_word(c->level), sp_why_word(c->why));
    if (c->hresult != 0) {
        sp_buf_put_str(to, ", ");
        sp_vss_put_code(to, c->hresult);
    }
    sp_buf_put_str(to, sp_vss_unconfirmed(v, c) ? "), unconfirmed\n" : ")\n");
    if (c->writer >= v->nwriters)
        return;
    sp_buf_put_str(to, "component: ");
    if (c->logical_path != NULL && c->logical_path[0] != '\0') {
        sp_vss_put_text(to, c->logical_path);
        sp_buf_put_str(to, " \\ ");
    }
    sp_vss_put_text(to, c->name);
    if (c->caption != NULL && c->caption[0] != '\0') {
        sp_buf_put_str(to, ", \"");
        sp_vss_put_text(to, c->caption);
        sp_buf_put_str(to, "\"");
    }
    sp_buf_put_str(to, c->type == 1 ? ", database" : c->type == 2 ? ", file group" : "");
    if (c->added) {
        sp_buf_put_str(to, ", added");
    } else if (c->parent < v->ncomponents) {
        sp_buf_put_str(to, ", came with ");
        sp_vss_put_unit(to, &v->components[c->parent]);
    } else {
        sp_buf_put_str(to, ", not added");
    }
    sp_buf_put_str(to, c->stamped ? ", marked by its writer during the run\n" : "\n");
    if (c->failure_known) {
        sp_buf_put_str(to, "its own failure: ");
        sp_vss_put_code(to, c->failure);
        put_app(to, c->app_failure, c->failure_text);
        sp_buf_put_str(to, "\n");
    }
}

static void
put_named(struct sp_buf *to, const char *label, const char *text)
{
    if (text == NULL || text[0] == '\0')
        return;
    sp_buf_printf(to, "%s: ", label);
    sp_vss_put_text(to, text);
    sp_buf_put_str(to, "\n");
}

void
sp_vss_evidence_component(const struct sp_verdict *v, size_t component, struct sp_buf *to)
{
    const struct sp_verdict_component *c = &v->components[component];
    uint32_t shadow = c->shadow;

    put_component(to, v, c);
    put_named(to, "method", c->method);
    put_named(to, "guest services", c->version);
    if (c->writer < v->nwriters)
        put_writer(to, &v->writers[c->writer]);
    if (shadow == SP_NO_INDEX && c->parent < v->ncomponents)
        shadow = v->components[c->parent].shadow;
    if (shadow < v->nshadows)
        put_shadow(to, &v->shadows[shadow]);
    for (size_t i = 0; i < c->ndepends; i++) {
        if (c->depends[i] >= v->ncomponents)
            continue;
        sp_buf_put_str(to, "needs: ");
        sp_vss_put_unit(to, &v->components[c->depends[i]]);
        sp_buf_printf(to, " (%s)\n", sp_level_word(v->components[c->depends[i]].level));
    }
    if (c->files_live > 0)
        sp_buf_printf(to, "read live: %s\n", sp_text_count(c->files_live).s);
    put_named(to, "detail", c->detail);
    for (size_t i = 0; i < c->npaths; i++)
        put_named(to, "file", c->paths[i]);
}
