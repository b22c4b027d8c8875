#include <inttypes.h>
#include <string.h>

#include "base/path.h"
#include "client/present.h"
#include "client/present_verdict.h"
#include "client/table.h"
#include "client/vss_cmds.h"
#include "vss/describe.h"
#include "vss/survey.h"

/* stillpoint vss writers: who can take part, and how each is. */

static bool
cancelled(void *arg)
{
    (void)arg;
    return sp_signals_stop(NULL);
}

static const char *
name_of(const struct sp_vss_survey_writer *w)
{
    return w->writer != NULL ? w->writer->name : w->status.name != NULL ? w->status.name : "?";
}

/* --- data ------------------------------------------------------------------------------------- */

static void
json_files(struct sp_json *j, const char *key, const struct sp_vss_files *f, size_t n)
{
    static const char *const kinds[] = {"file", "database", "log"};

    sp_json_key(j, key);
    sp_json_array(j);
    for (size_t i = 0; i < n; i++) {
        sp_json_object(j);
        sp_json_kstr(j, "kind", kinds[f[i].kind]);
        sp_json_kstr(j, "path", f[i].path);
        sp_json_kstr(j, "spec", f[i].spec);
        sp_json_kbool(j, "recursive", f[i].recursive);
        if (f[i].alternate[0] != '\0')
            sp_json_kstr(j, "alternate", f[i].alternate);
        sp_json_object_end(j);
    }
    sp_json_array_end(j);
}

static enum sp_code
json_component(struct sp_json *j, const struct sp_vss_writer *w, const struct sp_vss_component *c,
    struct sp_err *e)
{
    struct sp_unit unit = {0};
    enum sp_code rc;

    if ((rc = sp_vss_describe(w, c, &unit, e)) != SP_OK)
        return rc;
    sp_json_object(j);
    sp_json_kstr(j, "unit", unit.name);
    sp_json_kstr(j, "kind", sp_unit_kind_word(unit.kind));
    if (unit.method != NULL)
        sp_json_kstr(j, "method", unit.method);
    vss_json_component(j, w, c);
    sp_json_kbool(j, "selectable", c->selectable);
    json_files(j, "files", c->files, c->nfiles);
    sp_json_key(j, "dependencies");
    sp_json_array(j);
    for (size_t i = 0; i < c->ndependencies; i++) {
        sp_json_object(j);
        sp_json_kstr(j, "writer_id", c->dependencies[i].writer_id);
        sp_json_kstr(j, "logical_path", c->dependencies[i].logical_path);
        sp_json_kstr(j, "name", c->dependencies[i].name);
        sp_json_object_end(j);
    }
    sp_json_array_end(j);
    sp_json_object_end(j);
    sp_unit_clear(&unit);
    return SP_OK;
}

static enum sp_code
json_writer(struct sp_report *r, const struct sp_vss_survey_writer *s, struct sp_err *e)
{
    const struct sp_vss_writer *w = s->writer;
    struct sp_json *j = r->j;
    enum sp_code rc = SP_OK;

    sp_json_object(j);
    sp_json_kstr(j, "name", name_of(s));
    sp_json_kstr(j, "class_id", w != NULL ? w->class_id : s->status.class_id);
    sp_json_kstr(j, "instance_id", w != NULL ? w->instance_id : s->status.instance_id);
    if (w != NULL)
        sp_json_kstr(j, "instance_name", w->instance_name);
    sp_json_kbool(j, "answered", s->answered);
    sp_json_kbool(j, "failed", sp_vss_survey_failed(s));
    if (s->answered) {
        sp_json_ku64(j, "state", s->status.state);
        sp_json_kstr(j, "state_text", sp_vss_state_word(s->status.state));
        sp_present_json_hresult(j, "hresult", s->status.hresult);
        sp_present_json_hresult(j, "application_hresult", s->status.app_hresult);
        if (s->status.app_text != NULL)
            sp_json_kstr(j, "application_text", s->status.app_text);
    }
    sp_json_key(j, "components");
    sp_json_array(j);
    for (size_t i = 0; w != NULL && i < w->ncomponents && rc == SP_OK; i++)
        rc = json_component(j, w, &w->components[i], e);
    sp_json_array_end(j);
    json_files(j, "excludes", w != NULL ? w->excludes : NULL, w != NULL ? w->nexcludes : 0);
    sp_json_object_end(j);
    sp_report_flow(r);
    return rc;
}

static enum sp_code
json_writers(struct sp_report *r, const struct sp_vss_survey *s, struct sp_err *e)
{
    enum sp_code rc = SP_OK;

    sp_json_key(r->j, "writers");
    sp_json_array(r->j);
    for (size_t i = 0; i < s->n && rc == SP_OK; i++)
        rc = json_writer(r, &s->v[i], e);
    sp_json_array_end(r->j);
    return rc;
}

/* --- text ------------------------------------------------------------------------------------- */

static void
cell_failure(struct sp_table *t, uint32_t code)
{
    const struct sp_vss_hresult *h = sp_vss_hresult_find(code);

    if (code == 0)
        sp_table_cell(t, "none");
    else
        sp_table_cell(
            t, "0x%08" PRIx32 "%s%s", code, h != NULL ? " " : "", h != NULL ? h->name : "");
}

static enum sp_code
text_table(const struct sp_vss_survey *s, struct sp_err *e)
{
    static const struct sp_column columns[] = {
        {"WRITER", false}, {"STATE", false}, {"FAILURE", false}, {"COMPONENTS", true}, {"", false}};
    struct sp_table t;
    enum sp_code rc;

    sp_table_init(&t, columns, sizeof(columns) / sizeof(columns[0]));
    for (size_t i = 0; i < s->n; i++) {
        const struct sp_vss_survey_writer *w = &s->v[i];
        const char *instance = w->writer != NULL ? w->writer->instance_name : "";
        struct sp_buf name = SP_BUF_INIT;

        sp_text_show(name_of(w), &name);
        if (instance != NULL && instance[0] != '\0') {
            sp_buf_put_str(&name, " (");
            sp_text_show(instance, &name);
            sp_buf_put_str(&name, ")");
        }
        sp_table_cell(&t, "%s", sp_buf_str(&name));
        sp_table_cell(&t, "%s", w->answered ? sp_vss_state_word(w->status.state) : "no answer");
        cell_failure(&t, w->answered ? w->status.hresult : 0);
        sp_table_cell(
            &t, "%s", w->writer != NULL ? sp_text_count(w->writer->ncomponents).s : "not told");
        sp_table_cell(&t, "%s", sp_vss_survey_failed(w) ? "FAILED" : "");
        sp_buf_free(&name);
    }
    rc = s->n > 0 ? sp_table_print(&t, e) : SP_OK;
    sp_table_clear(&t);
    return rc;
}

static enum sp_code
text_component(const struct sp_vss_writer *w, const struct sp_vss_component *c, struct sp_err *e)
{
    struct sp_buf line = SP_BUF_INIT;
    struct sp_unit unit = {0};
    enum sp_code rc;

    if ((rc = sp_vss_describe(w, c, &unit, e)) != SP_OK)
        return rc;
    vss_unit_pattern(unit.kind, unit.name, &line);
    if (unit.method != NULL) {
        sp_buf_put_str(&line, ", ");
        sp_text_show(unit.method, &line);
    }
    (void)printf("  %s\n", sp_buf_str(&line));
    for (size_t i = 0; i < c->nfiles; i++) {
        const struct sp_vss_files *f = &c->files[i];
        size_t n = strlen(f->path);

        sp_buf_reset(&line);
        sp_text_show(f->path, &line);
        if (n > 0 && f->path[n - 1] != '\\' && f->path[n - 1] != '/')
            sp_buf_put_str(&line, strchr(f->path, '/') != NULL ? "/" : "\\");
        sp_text_show(f->spec, &line);
        (void)printf(
            "    %s%s\n", sp_buf_str(&line), f->recursive ? ", and in all folders below" : "");
    }
    sp_buf_free(&line);
    sp_unit_clear(&unit);
    return SP_OK;
}

static enum sp_code
text_components(const struct sp_vss_survey *s, struct sp_err *e)
{
    struct sp_buf name = SP_BUF_INIT;
    enum sp_code rc = SP_OK;

    for (size_t i = 0; i < s->metadata.nwriters && rc == SP_OK; i++) {
        const struct sp_vss_writer *w = &s->metadata.writers[i];

        sp_buf_reset(&name);
        sp_text_show(w->name, &name);
        (void)printf("\n%s {%s}, instance {%s}\n", sp_buf_str(&name), w->class_id, w->instance_id);
        for (size_t k = 0; k < w->ncomponents && rc == SP_OK; k++)
            rc = text_component(w, &w->components[k], e);
    }
    sp_buf_free(&name);
    return rc;
}

static void
tell_failed(struct sp_cli *c, const struct sp_vss_survey_writer *w)
{
    const struct sp_vss_hresult *h = sp_vss_hresult_find(w->status.hresult);

    sp_cli_warn(c, "%s is in state %" PRIu32 " (%s), 0x%08" PRIx32 "%s%s%s%s%s", name_of(w),
        w->status.state, sp_vss_state_word(w->status.state), w->status.hresult,
        h != NULL ? ": " : "", h != NULL ? h->meaning : "", h != NULL ? ". " : "",
        h != NULL ? h->advice : "",
        h == NULL ? ": its failure lasts until its service is restarted, or the next backup" : "");
}

enum sp_code
vss_writers(struct vss_command *v, struct sp_err *e)
{
    struct sp_vss_survey_options o = {
        .env = v->c->env, .api = v->api, .cancelled = cancelled, .arg = NULL};
    struct sp_vss_survey s = {0};
    size_t failed = 0;
    enum sp_code rc;

    if ((rc = sp_vss_survey(&o, &s, e)) != SP_OK)
        return rc;
    for (size_t i = 0; i < s.n; i++) {
        failed += sp_vss_survey_failed(&s.v[i]);
        if (sp_vss_survey_failed(&s.v[i]))
            tell_failed(v->c, &s.v[i]);
    }
    if (v->r.j != NULL) {
        rc = json_writers(&v->r, &s, e);
    } else if ((rc = text_table(&s, e)) == SP_OK) {
        if (v->c->verbose)
            rc = text_components(&s, e);
        sp_cli_say(v->c, "%s, %s", sp_present_count(s.n, "writer", "writers").s,
            failed > 0 ? sp_present_count(failed, "failed", "failed").s : "none failed");
    }
    sp_vss_survey_clear(&s);
    return rc;
}
