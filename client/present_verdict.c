#include "client/present_verdict.h"

#include <inttypes.h>
#include <stdio.h>

#include "vss/explain.h"
#include "vss/hresult.h"

void
sp_present_backup_type(uint32_t type, char to[24])
{
    /* learn.microsoft.com/windows/win32/api/vss/ne-vss-vss_backup_type */
    static const char *const words[] = {NULL, "full", "incremental", "differential", "log", "copy"};

    if (type < sizeof(words) / sizeof(words[0]) && words[type] != NULL)
        (void)snprintf(to, 24, "%s", words[type]);
    else
        (void)snprintf(to, 24, "type %" PRIu32, type);
}

static void
text(struct sp_json *j, const char *key, const char *s)
{
    sp_json_key(j, key);
    if (s != NULL && s[0] != '\0')
        sp_json_str(j, s);
    else
        sp_json_null(j);
}

static void
at(struct sp_json *j, const char *key, uint32_t i)
{
    sp_json_key(j, key);
    if (i != SP_NO_INDEX)
        sp_json_u64(j, i);
    else
        sp_json_null(j);
}

static void
instant(struct sp_json *j, const char *key, int64_t ns)
{
    sp_json_key(j, key);
    if (ns != 0)
        sp_json_time(j, ns);
    else
        sp_json_null(j);
}

void
sp_present_json_hresult(struct sp_json *j, const char *key, uint32_t code)
{
    const struct sp_vss_hresult *h = sp_vss_hresult_find(code);
    char number[16];

    sp_json_key(j, key);
    if (code == 0) {
        sp_json_null(j);
        return;
    }
    (void)snprintf(number, sizeof(number), "0x%08" PRIx32, code);
    sp_json_object(j);
    sp_json_kstr(j, "code", number);
    text(j, "name", h != NULL ? h->name : NULL);
    text(j, "meaning", h != NULL ? h->meaning : NULL);
    text(j, "advice", h != NULL ? h->advice : NULL);
    sp_json_object_end(j);
}

static void
sentence(struct sp_json *j, struct sp_buf *said)
{
    sp_json_key(j, "text");
    sp_json_str(j, sp_buf_str(said));
    if (said->failed) /* the document's writer asks for it */
        j->out->failed = true;
    sp_buf_free(said);
}

static void
stage(struct sp_json *j, const char *key, const struct sp_verdict_status *s)
{
    sp_json_key(j, key);
    if (!s->asked) {
        sp_json_null(j);
        return;
    }
    sp_json_object(j);
    sp_json_kbool(j, "answered", s->answered);
    if (s->answered) {
        sp_json_ku64(j, "state", s->state);
        sp_json_kstr(j, "state_text", sp_vss_state_word(s->state));
    }
    sp_present_json_hresult(j, "hresult", s->hresult);
    sp_present_json_hresult(j, "application_hresult", s->app_hresult);
    text(j, "application_text", s->app_text);
    sp_json_object_end(j);
}

static void
writer(struct sp_json *j, const struct sp_verdict_writer *w)
{
    sp_json_object(j);
    text(j, "name", w->name);
    text(j, "instance_name", w->instance_name);
    sp_json_kstr(j, "class_id", w->class_id);
    sp_json_kstr(j, "instance_id", w->instance_id);
    sp_json_kbool(j, "concerned", w->concerned);
    sp_json_kstr(j, "level", sp_level_word(w->level));
    sp_json_kstr(j, "why", sp_why_word(w->why));
    sp_present_json_hresult(j, "hresult", w->hresult);
    text(j, "rule", w->rule);
    sp_json_key(j, "stages");
    sp_json_object(j);
    stage(j, "prepared", &w->stages[SP_STAGE_PREPARED]);
    stage(j, "snapshot", &w->stages[SP_STAGE_SNAPSHOT]);
    stage(j, "complete", &w->stages[SP_STAGE_COMPLETE]);
    sp_json_object_end(j);
    sp_json_object_end(j);
}

static void
component(struct sp_json *j, const struct sp_verdict *v, size_t index)
{
    const struct sp_verdict_component *c = &v->components[index];
    struct sp_buf said = SP_BUF_INIT;
    size_t i;

    sp_json_object(j);
    sp_json_kstr(j, "unit", c->unit != NULL ? c->unit : "");
    sp_json_kstr(j, "kind", sp_unit_kind_word(c->kind));
    sp_json_kstr(j, "level", sp_level_word(c->level));
    sp_json_kstr(j, "why", sp_why_word(c->why));
    sp_vss_explain_component(v, index, &said);
    sentence(j, &said);
    sp_present_json_hresult(j, "hresult", c->hresult);
    text(j, "detail", c->detail);
    at(j, "writer", c->writer);
    sp_json_key(j, "type");
    if (c->type == 1 || c->type == 2)
        sp_json_str(j, c->type == 1 ? "database" : "file group");
    else
        sp_json_null(j);
    text(j, "logical_path", c->logical_path);
    text(j, "name", c->name);
    text(j, "caption", c->caption);
    text(j, "method", c->method);
    text(j, "version", c->version);
    sp_json_kbool(j, "added", c->added);
    at(j, "parent", c->parent);
    sp_json_key(j, "depends");
    sp_json_array(j);
    for (i = 0; i < c->ndepends; i++)
        sp_json_u64(j, c->depends[i]);
    sp_json_array_end(j);
    at(j, "shadow", c->shadow);
    instant(j, "instant", c->shadow < v->nshadows ? v->shadows[c->shadow].instant_ns : 0);
    sp_json_kbool(j, "failure_known", c->failure_known);
    sp_present_json_hresult(j, "failure", c->failure);
    sp_present_json_hresult(j, "application_failure", c->app_failure);
    text(j, "failure_text", c->failure_text);
    sp_json_kbool(j, "stamped", c->stamped);
    sp_json_ku64(j, "files_live", c->files_live);
    sp_json_key(j, "paths");
    sp_json_array(j);
    for (i = 0; i < c->npaths; i++)
        sp_json_str(j, c->paths[i]);
    sp_json_array_end(j);
    sp_json_object_end(j);
}

static void
shadow(struct sp_json *j, const struct sp_verdict_shadow *s)
{
    char type[24];

    sp_present_backup_type(s->backup_type, type);
    sp_json_object(j);
    sp_json_kstr(j, "id", s->id);
    instant(j, "instant", s->instant_ns);
    sp_json_ku64(j, "took_ms", s->took_ns / 1000000u);
    sp_json_ku64(j, "attempts", s->attempts);
    sp_present_json_hresult(j, "retried_for", s->retried_for);
    sp_json_kstr(j, "backup_type", type);
    sp_json_kbool(j, "completed", s->completed);
    sp_present_json_hresult(j, "complete_hresult", s->complete_hresult);
    sp_json_object_end(j);
}

static void
event(struct sp_json *j, const struct sp_verdict_event *ev)
{
    sp_json_object(j);
    instant(j, "at", ev->at_ns);
    text(j, "log", ev->log);
    text(j, "source", ev->source);
    sp_json_ku64(j, "id", ev->id);
    sp_json_ku64(j, "severity", ev->severity);
    text(j, "text", ev->text);
    sp_json_object_end(j);
}

void
sp_present_json_verdict(struct sp_json *j, const struct sp_verdict *v)
{
    struct sp_buf said = SP_BUF_INIT;
    size_t i;

    sp_json_object(j);
    sp_json_kbool(j, "vss", v->vss);
    sp_json_kbool(j, "confirmed", v->confirmed);
    sp_json_kstr(j, "applications", sp_level_word(sp_verdict_applications(v)));
    sp_vss_explain_set(v, &said);
    sentence(j, &said);
    sp_json_key(j, "components");
    sp_json_array(j);
    for (i = 0; i < v->ncomponents; i++)
        component(j, v, i);
    sp_json_array_end(j);
    sp_json_key(j, "writers");
    sp_json_array(j);
    for (i = 0; i < v->nwriters; i++)
        writer(j, &v->writers[i]);
    sp_json_array_end(j);
    sp_json_key(j, "shadows");
    sp_json_array(j);
    for (i = 0; i < v->nshadows; i++)
        shadow(j, &v->shadows[i]);
    sp_json_array_end(j);
    sp_json_key(j, "events");
    sp_json_array(j);
    for (i = 0; i < v->nevents; i++)
        event(j, &v->events[i]);
    sp_json_array_end(j);
    sp_json_key(j, "notes");
    sp_json_array(j);
    for (i = 0; i < v->nnotes; i++)
        sp_json_str(j, v->notes[i]);
    sp_json_array_end(j);
    sp_json_object_end(j);
}
