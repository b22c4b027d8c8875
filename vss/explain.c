#include "vss/explain.h"

#include <string.h>

#include "vss/hresult.h"
#include "vss/sentences.h"
#include "vss/words.h"

/* --- what goes into the gaps ------------------------------------------------------------------ */

/* The gathering that `why` is about; SP_STAGES: none of them. */
static int
stage_of(const struct sp_verdict_writer *w, enum sp_why why)
{
    int first = why == SP_WHY_COMPLETE_FAILED ? SP_STAGE_COMPLETE : SP_STAGE_PREPARED;

    for (int i = first; i < SP_STAGES; i++) {
        const struct sp_verdict_status *s = &w->stages[i];
        uint32_t code = sp_vss_failure(s->hresult, s->app_hresult);
        bool failed_state = s->state >= SP_VSS_FAILED_AT_IDENTIFY;

        if (!s->asked)
            continue;
        switch (why) {
        case SP_WHY_SILENT:
            if (!s->answered || sp_vss_silent(code))
                return i;
            break;
        case SP_WHY_UNEXPECTED:
            if (s->state == SP_VSS_UNKNOWN || s->state > SP_VSS_FAILED_AT_BACKUPSHUTDOWN ||
                (i != SP_STAGE_PREPARED && s->state > SP_VSS_STABLE &&
                    s->state < SP_VSS_WAITING_FOR_BACKUP_COMPLETE))
                return i;
            break;
        default:
            if (s->answered && (failed_state || code != 0))
                return i;
        }
    }
    return SP_STAGES;
}

static void
put_status(
    struct sp_buf *to, const struct sp_verdict *v, const struct sp_verdict_component *c, int stage)
{
    if (stage == SP_STAGES) {
        if (c->why == SP_WHY_SILENT)
            sp_buf_put_str(to, "when it was asked");
        else if (c->why == SP_WHY_COMPLETE_FAILED)
            sp_buf_put_str(to, "BackupComplete did not succeed");
        else
            sp_buf_put_str(to, "in an earlier attempt of this run");
        return;
    }
    if (c->why == SP_WHY_SILENT) {
        sp_buf_put_str(to, sp_vss_stage_word((enum sp_stage)stage));
        return;
    }
    uint32_t state = v->writers[c->writer].stages[stage].state;
    sp_buf_printf(to, "it was in state %u (%s) %s", (unsigned)state, sp_vss_state_word(state),
        sp_vss_stage_word((enum sp_stage)stage));
}

static void
put_meaning(struct sp_buf *to, uint32_t code, const char *before)
{
    const struct sp_vss_hresult *h = sp_vss_hresult_find(code);

    if (code == 0)
        return;
    sp_buf_put_str(to, before);
    sp_vss_put_code(to, code);
    if (h != NULL)
        sp_buf_printf(to, ", %s", h->meaning);
}

static void
put_lean(struct sp_buf *to, const struct sp_verdict *v, const struct sp_verdict_component *c)
{
    for (size_t i = 0; i < c->ndepends; i++) {
        const struct sp_verdict_component *d;

        if (c->depends[i] >= v->ncomponents)
            continue;
        d = &v->components[c->depends[i]];
        if (d->level == SP_LEVEL_APPLICATION)
            continue;
        sp_vss_put_unit(to, d);
        sp_buf_put_str(to, d->level == SP_LEVEL_NONE   ? ", which is not in the set"
                           : d->level == SP_LEVEL_LIVE ? ", which was read live"
                                                       : ", which is only crash-consistent");
        return;
    }
    sp_buf_put_str(to, "another component that is not application-consistent");
}

static void
put_live(struct sp_buf *to, const struct sp_verdict_component *c)
{
    if (c->files_live == 1)
        sp_buf_put_str(to, "one of its files was read live, outside the shadow");
    else if (c->files_live > 1)
        sp_buf_printf(to, "%llu of its files were read live, outside the shadow",
            (unsigned long long)c->files_live);
    else
        sp_buf_put_str(to, "its volume has no shadow");
}

static void
put_gap(struct sp_buf *to, const struct sp_verdict *v, const struct sp_verdict_component *c,
    const char *name, size_t n)
{
    const struct sp_verdict_writer *w = c->writer < v->nwriters ? &v->writers[c->writer] : NULL;
    int stage = w != NULL ? stage_of(w, c->why) : SP_STAGES;

    if (strncmp(name, "writer", n) == 0) {
        sp_vss_put_writer(to, v, c);
    } else if (strncmp(name, "status", n) == 0) {
        put_status(to, v, c, stage);
    } else if (strncmp(name, "code", n) == 0) {
        put_meaning(to, c->hresult, c->why == SP_WHY_SILENT ? " (" : ": ");
        if (c->why == SP_WHY_SILENT && c->hresult != 0)
            sp_buf_put_str(to, ")");
    } else if (strncmp(name, "method", n) == 0) {
        sp_vss_put_text(to, c->method);
    } else if (strncmp(name, "lean", n) == 0) {
        put_lean(to, v, c);
    } else if (strncmp(name, "live", n) == 0) {
        put_live(to, c);
    } else if (strncmp(name, "rule", n) == 0) {
        sp_vss_put_text(to, w != NULL ? w->rule : NULL);
    } else if (c->detail != NULL && c->detail[0] != '\0') { /* detail */
        sp_buf_put_str(to, ": ");
        sp_vss_put_text(to, c->detail);
    }
}

static void
fill(struct sp_buf *to, const struct sp_verdict *v, const struct sp_verdict_component *c,
    const char *text)
{
    while (*text != '\0') {
        size_t n = strcspn(text, "{");

        sp_buf_put(to, text, n);
        text += n;
        if (*text == '{') {
            n = strcspn(++text, "}");
            put_gap(to, v, c, text, n);
            text += n + 1;
        }
    }
}

/* --- the rest of the paragraph ---------------------------------------------------------------- */

/* What the application itself said, where it is about this. */
static void
put_own_words(struct sp_buf *to, const struct sp_verdict *v, const struct sp_verdict_component *c)
{
    const char *text = c->failure_text;
    uint32_t code = c->app_failure;
    int stage;

    if (c->why == SP_WHY_WRITER_FAILED || c->why == SP_WHY_COMPLETE_FAILED ||
        c->why == SP_WHY_PARTIAL_UNKNOWN || c->why == SP_WHY_SILENT) {
        if (c->writer >= v->nwriters)
            return;
        if ((stage = stage_of(&v->writers[c->writer], c->why)) == SP_STAGES)
            return;
        text = v->writers[c->writer].stages[stage].app_text;
        code = v->writers[c->writer].stages[stage].app_hresult;
    } else if (c->why != SP_WHY_COMPONENT_FAILED) {
        return;
    }
    if (text != NULL && text[0] != '\0') {
        sp_buf_put_str(to, " The application says: \"");
        sp_vss_put_text(to, text);
        sp_buf_put_str(to, "\"");
        if (code != 0 && code != c->hresult)
            put_meaning(to, code, ", ");
        sp_buf_put_str(to, ".");
    } else if (code != 0 && code != c->hresult) {
        put_meaning(to, code, " The application's own code is ");
        sp_buf_put_str(to, ".");
    }
}

static bool
failed(enum sp_why why)
{
    return why == SP_WHY_WRITER_FAILED || why == SP_WHY_COMPONENT_FAILED ||
           why == SP_WHY_PARTIAL_UNKNOWN || why == SP_WHY_SILENT || why == SP_WHY_COMPLETE_FAILED ||
           why == SP_WHY_STABLE;
}

static void
put_next(struct sp_buf *to, const struct sp_verdict *v, const struct sp_verdict_component *c,
    const struct sp_vss_sentence *s)
{
    const struct sp_vss_hresult *h = NULL;

    if (s->coded && sp_vss_failed(c->hresult))
        h = sp_vss_hresult_find(c->hresult);
    if (h != NULL)
        sp_buf_printf(to, " %s", h->advice);
    if (s->next[0] != '\0' && (h == NULL || c->why == SP_WHY_COMPLETE_FAILED))
        sp_buf_printf(to, " %s", s->next);
    if (c->why == SP_WHY_METHOD)
        sp_buf_put_str(to, sp_vss_method_needs());
    if (c->kind == SP_UNIT_VM && failed(c->why))
        sp_buf_put_str(to,
            " For a VM look also into the host's event log Hyper-V-VMMS and into the logs inside "
            "the"
            " VM: its guest service of backups must run, and its own writers be well.");
    if (sp_vss_unconfirmed(v, c))
        sp_buf_put_str(to,
            " Unconfirmed: the run ended before the application's answer to the end of the backup"
            " (BackupComplete) was recorded. The files are whole; the application may not have"
            " truncated its logs nor moved the base of its differential backups. The next backup"
            " sets that right.");
}

/* It was told, and the set is without some of it all the same. */
static const struct sp_vss_sentence lacking = {SP_WHY_PARTLY_OUTSIDE,
    "{writer} prepared it for the shadow, but the set is without some of its files{detail}. The "
    "writer was not told of a good backup",
    "Take the pattern that leaves them out from the job, or mend what kept them from being read, "
    "and run the job again.",
    false};

static bool
took_part(const struct sp_verdict *v, const struct sp_verdict_component *c)
{
    return c->added || (c->parent < v->ncomponents && v->components[c->parent].added);
}

void
sp_vss_explain_component(const struct sp_verdict *v, size_t component, struct sp_buf *to)
{
    static const char *const levels[] = {" is not in the set", " was read live",
        " is crash-consistent", " is application-consistent"};
    const struct sp_verdict_component *c = &v->components[component];
    const struct sp_vss_sentence *s = sp_vss_sentence(c->why, c->kind);

    if (c->why == SP_WHY_PARTLY_OUTSIDE && took_part(v, c))
        s = &lacking;
    sp_vss_put_unit(to, c);
    sp_buf_put_str(to, levels[c->level <= SP_LEVEL_APPLICATION ? c->level : SP_LEVEL_LIVE]);
    if (sp_vss_unconfirmed(v, c))
        sp_buf_put_str(to, ", unconfirmed");
    sp_buf_put_str(to, ": ");
    fill(to, v, c, s->because);
    sp_buf_put_str(to, ".");
    if (c->why == SP_WHY_METHOD)
        sp_buf_put_str(to, sp_vss_method_is(c->method));
    put_own_words(to, v, c);
    if (c->files_live > 0 && c->why != SP_WHY_NO_SHADOW) {
        sp_buf_put_str(to, " Besides, ");
        put_live(to, c);
        sp_buf_put_str(to, ".");
    }
    sp_buf_printf(to, " %s", sp_vss_level_means(c->level, c->kind));
    put_next(to, v, c, s);
}
