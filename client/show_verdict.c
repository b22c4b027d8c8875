#include "client/show_verdict.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/path.h"
#include "client/present.h"
#include "client/present_verdict.h"
#include "vss/explain.h"
#include "vss/hresult.h"

/* Each line of a text, indented and escaped: names and an application's words may be anyone's. */
static void
put_lines(int indent, const char *text)
{
    struct sp_buf line = SP_BUF_INIT, shown = SP_BUF_INIT;
    const char *end;

    for (; *text != '\0'; text = *end == '\n' ? end + 1 : end) {
        end = text + strcspn(text, "\n");
        sp_buf_reset(&line);
        sp_buf_reset(&shown);
        sp_buf_put(&line, text, (size_t)(end - text));
        sp_text_show(sp_buf_str(&line), &shown);
        (void)printf("%*s%s\n", indent, "", sp_buf_str(&shown));
    }
    sp_buf_free(&line);
    sp_buf_free(&shown);
}

static void put_line(int indent, const char *fmt, ...) SP_PRINTF(2, 3);

static void
put_line(int indent, const char *fmt, ...)
{
    char text[2048];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    put_lines(indent, text);
}

static const char *
or_unknown(const char *s)
{
    return s != NULL && s[0] != '\0' ? s : "?";
}

void
sp_show_units(const struct sp_verdict *v, const char *lead, int width)
{
    struct sp_buf line = SP_BUF_INIT;

    for (size_t i = 0; i < v->ncomponents; i++) {
        sp_buf_reset(&line);
        sp_vss_summary_component(v, i, &line);
        (void)printf("%-*s", width, i == 0 ? lead : "");
        put_lines(0, sp_buf_str(&line));
    }
    sp_buf_free(&line);
}

/* --- writers ---------------------------------------------------------------------------------- */

static void
put_code(int indent, const char *what, uint32_t code)
{
    const struct sp_vss_hresult *h = sp_vss_hresult_find(code);

    if (code == 0)
        return;
    if (h == NULL)
        put_line(indent, "%s0x%08" PRIx32, what, code);
    else
        put_line(
            indent, "%s0x%08" PRIx32 " %s: %s. %s", what, code, h->name, h->meaning, h->advice);
}

static void
writer_evidence(const struct sp_verdict_writer *w)
{
    static const char *const when[SP_STAGES] = {
        "after PrepareForBackup", "after DoSnapshotSet", "after BackupComplete"};

    put_line(4, "class %s, instance %s%s%s", w->class_id, w->instance_id,
        w->instance_name != NULL && w->instance_name[0] != '\0' ? ", " : "",
        w->instance_name != NULL ? w->instance_name : "");
    for (int i = 0; i < SP_STAGES; i++) {
        const struct sp_verdict_status *s = &w->stages[i];

        if (!s->asked)
            put_line(4, "%s: not asked", when[i]);
        else if (!s->answered)
            put_line(4, "%s: it did not answer", when[i]);
        else
            put_line(4, "%s: %s (state %" PRIu32 "), 0x%08" PRIx32, when[i],
                sp_vss_state_word(s->state), s->state, s->hresult);
        put_code(6, "", s->hresult);
        put_code(6, "the application's own: ", s->app_hresult);
        if (s->app_text != NULL && s->app_text[0] != '\0')
            put_line(6, "in its own words: %s", s->app_text);
    }
    if (w->rule != NULL)
        put_line(4, "judged by the exception '%s' (docs/vss.md)", w->rule);
}

static void
show_writer(const struct sp_verdict *v, size_t index, bool evidence)
{
    const struct sp_verdict_writer *w = &v->writers[index];
    uint64_t of[SP_LEVEL_APPLICATION + 1] = {0}, all = 0;
    struct sp_buf line = SP_BUF_INIT;

    for (size_t i = 0; i < v->ncomponents; i++) {
        if (v->components[i].writer != index || v->components[i].level > SP_LEVEL_APPLICATION)
            continue;
        all++;
        of[v->components[i].level]++;
    }
    sp_buf_printf(&line, "%s: ", or_unknown(w->name));
    if (!w->concerned || all == 0) {
        sp_buf_put_str(&line, "none of it is in the set, so it decides nothing");
        if (sp_vss_failed(w->hresult))
            sp_buf_printf(&line, " (it failed: 0x%08" PRIx32 ")", w->hresult);
    } else {
        sp_buf_printf(&line, "%s", sp_present_count(all, "component", "components").s);
        for (int l = SP_LEVEL_APPLICATION; l >= SP_LEVEL_NONE; l--) {
            if (of[l] > 0)
                sp_buf_printf(&line, ", %s %s", sp_text_count(of[l]).s,
                    l == SP_LEVEL_NONE ? "not in the set" : sp_level_word((enum sp_level)l));
        }
        if (w->hresult != 0)
            sp_buf_printf(&line, "; it failed: 0x%08" PRIx32, w->hresult);
    }
    put_lines(2, sp_buf_str(&line));
    sp_buf_free(&line);
    if (evidence)
        writer_evidence(w);
}

/* --- the rest --------------------------------------------------------------------------------- */

static void
show_component(const struct sp_verdict *v, size_t i, bool evidence)
{
    struct sp_buf said = SP_BUF_INIT;

    sp_vss_explain_component(v, i, &said);
    put_lines(2, sp_buf_str(&said));
    sp_buf_reset(&said);
    if (evidence) {
        sp_vss_evidence_component(v, i, &said);
        put_lines(4, sp_buf_str(&said));
    }
    sp_buf_free(&said);
}

static void
show_volume(const struct sp_volume *v)
{
    char instant[32] = "";

    if (v->instant_ns != 0)
        sp_time_local(v->instant_ns, instant);
    if (v->consistency == SP_LEVEL_LIVE)
        put_line(2, "%s (%s): read live, while in use%s%s", v->path, v->file_system,
            v->reason[0] != '\0' ? ": " : "", v->reason);
    else
        put_line(2, "%s (%s): read from a shadow of %s by %s%s%s", v->path, v->file_system, instant,
            v->source, v->reason[0] != '\0' ? ": " : "", v->reason);
}

static void
show_shadow(const struct sp_verdict_shadow *s)
{
    char instant[32], type[24];

    sp_time_local(s->instant_ns, instant);
    sp_present_backup_type(s->backup_type, type);
    put_line(2, "%s of %s, made in %s (the freeze lies within), backup type %s", s->id, instant,
        sp_text_duration((int64_t)s->took_ns).s, type);
    if (s->attempts > 1)
        put_line(4, "attempt %" PRIu32 " was the one that counts", s->attempts);
    put_code(4, "tried again for ", s->retried_for);
    put_line(4, "%s",
        s->completed ? "BackupComplete ended well: the applications know that they were backed up"
                     : "BackupComplete did not end well, or was not called");
    put_code(4, "", s->complete_hresult);
}

static void
show_event(const struct sp_verdict_event *ev)
{
    static const char *const severities[] = {"", "critical", "error", "warning", "information"};
    char at[32];

    sp_time_local(ev->at_ns, at);
    put_line(2, "%s %s %s %" PRIu32 " (%s): %s", at, or_unknown(ev->log), or_unknown(ev->source),
        ev->id, ev->severity >= 1 && ev->severity <= 4 ? severities[ev->severity] : "?",
        or_unknown(ev->text));
}

void
sp_show_consistency(const struct sp_show_subject *s, bool evidence)
{
    const struct sp_verdict *v = s->verdict;
    struct sp_buf said = SP_BUF_INIT;
    size_t i;

    if (v != NULL) {
        sp_vss_explain_set(v, &said);
        put_lines(0, sp_buf_str(&said));
        sp_buf_free(&said);
    }
    if (v == NULL || (!v->vss && v->ncomponents == 0))
        put_line(0, "No application was asked to take part: this was made without VSS.");
    if (v != NULL && v->ncomponents > 0) {
        put_line(0, "Applications");
        for (i = 0; i < v->ncomponents; i++)
            show_component(v, i, evidence);
    }
    if (s->nvolumes > 0)
        put_line(0, "Volumes");
    for (i = 0; i < s->nvolumes; i++)
        show_volume(&s->volumes[i]);
    if (v == NULL)
        return;
    if (v->nwriters > 0)
        put_line(0, "Writers");
    for (i = 0; i < v->nwriters; i++)
        show_writer(v, i, evidence);
    if (evidence && v->nshadows > 0)
        put_line(0, "Shadow sets");
    for (i = 0; evidence && i < v->nshadows; i++)
        show_shadow(&v->shadows[i]);
    if (evidence && v->nevents > 0)
        put_line(0, "What the system's logs say of that time");
    for (i = 0; evidence && i < v->nevents; i++)
        show_event(&v->events[i]);
    if (v->nnotes > 0)
        put_line(0, "Notes");
    for (i = 0; i < v->nnotes; i++)
        put_lines(2, v->notes[i]);
}

/* --- data ------------------------------------------------------------------------------------- */

void
sp_show_json_volumes(struct sp_json *j, const struct sp_volume *v, size_t n)
{
    sp_json_key(j, "volumes");
    sp_json_array(j);
    for (size_t i = 0; i < n; i++) {
        sp_json_object(j);
        sp_json_kstr(j, "path", v[i].path);
        sp_json_kstr(j, "file_system", v[i].file_system);
        sp_json_kstr(j, "source", v[i].source);
        sp_json_kstr(j, "consistency", sp_level_word(v[i].consistency));
        sp_json_kstr(j, "reason", v[i].reason);
        sp_json_key(j, "instant");
        if (v[i].instant_ns != 0)
            sp_json_time(j, v[i].instant_ns);
        else
            sp_json_null(j);
        sp_json_object_end(j);
    }
    sp_json_array_end(j);
}

void
sp_show_json_verdict(struct sp_json *j, const struct sp_verdict *v)
{
    sp_json_key(j, "consistency");
    if (v != NULL)
        sp_present_json_verdict(j, v);
    else
        sp_json_null(j);
}
