#include "client/vss_cmds.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/path.h"
#include "client/canonical.h"

/* --- from the command line -------------------------------------------------------------------- */

static enum sp_code
add_roots(struct vss_subject *s, struct sp_err *e)
{
    const struct sp_strings *paths = &s->job->paths;
    char *path = NULL;
    enum sp_code rc = SP_OK;

    s->keys = calloc(paths->n + 1, sizeof(*s->keys));
    s->roots = calloc(paths->n + 1, sizeof(*s->roots));
    if (s->keys == NULL || s->roots == NULL)
        return sp_fail_nomem(e);
    for (size_t i = 0; i < paths->n && rc == SP_OK; i++) {
        if ((rc = sp_path_canonical(paths->s[i], &path, e)) != SP_OK)
            break;
        rc = sp_key_from_path(path, &s->keys[i], e);
        s->roots[s->nroots].p = s->keys[i].data;
        s->roots[s->nroots++].n = s->keys[i].len;
        free(path);
        path = NULL;
    }
    return rc;
}

static enum sp_code
make_patterns(
    const struct sp_strings *texts, struct sp_vss_pattern ***ret, size_t *ret_n, struct sp_err *e)
{
    enum sp_code rc = SP_OK;

    if ((*ret = calloc(texts->n + 1, sizeof(**ret))) == NULL)
        return sp_fail_nomem(e);
    for (size_t i = 0; i < texts->n && rc == SP_OK; i++) {
        if ((rc = sp_vss_pattern_new(texts->s[i], &(*ret)[i], e)) == SP_OK)
            *ret_n = i + 1;
    }
    return rc;
}

static enum sp_code
make_journal_dir(struct vss_command *v, struct vss_subject *s, struct sp_err *e)
{
    char *state = NULL;
    enum sp_code rc = sp_os_place(SP_PLACE_STATE, &state, e);

    if (rc == SP_OK && (s->journal_dir = sp_path_join(state, "shadows")) == NULL)
        rc = sp_fail_nomem(e);
    if (rc == SP_OK)
        rc = sp_os_mkdirs(v->c->env->os, s->journal_dir, e);
    free(state);
    return rc;
}

/* `paths`, `application`: beside the job's own. */
static enum sp_code
add_subject(struct vss_command *v, struct vss_subjects *to, const struct sp_job *from,
    const char *name, char **paths, size_t npaths, const char *application, struct sp_err *e)
{
    struct vss_subject *s, *more = realloc(to->v, (to->n + 1) * sizeof(*more));
    enum sp_code rc;

    if (more == NULL)
        return sp_fail_nomem(e);
    to->v = more;
    s = &more[to->n++];
    memset(s, 0, sizeof(*s));
    if ((s->name = strdup(name)) == NULL)
        return sp_fail_nomem(e);
    if ((rc = sp_job_copy(from, &s->job, e)) != SP_OK)
        return rc;
    for (size_t i = 0; i < npaths && rc == SP_OK; i++)
        rc = sp_strings_add(&s->job->paths, paths[i], e);
    if (rc == SP_OK && application != NULL)
        rc = sp_strings_add(&s->job->application, application, e);
    if (rc == SP_OK)
        rc = add_roots(s, e);
    if (rc == SP_OK)
        rc = make_patterns(&s->job->application, &s->asked, &s->nasked, e);
    if (rc == SP_OK)
        rc = make_patterns(&s->job->application_exclude, &s->excluded, &s->nexcluded, e);
    if (rc == SP_OK)
        rc = make_journal_dir(v, s, e);
    return rc;
}

static enum sp_code
add_job(struct vss_command *v, struct vss_subjects *to, const char *name, struct sp_err *e)
{
    const struct sp_job *job;
    char title[SP_ERR_TEXT];
    enum sp_code rc;

    if ((rc = sp_config_job(v->c->config, name, &job, e)) != SP_OK)
        return rc;
    (void)snprintf(title, sizeof(title), "[%s]", job->name);
    return add_subject(v, to, job, title, NULL, 0, NULL, e);
}

static enum sp_code
find(struct vss_command *v, struct vss_subjects *to, struct sp_err *e)
{
    const struct sp_job *defaults = &v->c->config->defaults;
    bool paths;
    enum sp_code rc = SP_OK;

    if (v->nwords == 0)
        return add_subject(v, to, defaults, "this machine", NULL, 0, "writer:*", e);
    paths = sp_cli_is_path(v->words[0]);
    for (size_t i = 0; i < v->nwords; i++) {
        if (sp_cli_is_path(v->words[i]) != paths)
            return sp_fail(e, SP_INVALID, SP_DOM_CONFIG,
                "jobs and paths cannot be mixed: '%s' and '%s'", v->words[0], v->words[i]);
    }
    if (paths)
        return add_subject(v, to, defaults, "the paths", v->words, v->nwords, NULL, e);
    for (size_t i = 0; i < v->nwords && rc == SP_OK; i++)
        rc = add_job(v, to, v->words[i], e);
    return rc;
}

enum sp_code
vss_subjects_find(struct vss_command *v, struct vss_subjects *ret, struct sp_err *e)
{
    struct vss_subjects found = {0};
    enum sp_code rc;

    if ((rc = sp_cli_config(v->c, e)) == SP_OK)
        rc = find(v, &found, e);
    if (rc != SP_OK) {
        vss_subjects_clear(&found);
        return rc;
    }
    *ret = found;
    return SP_OK;
}

void
vss_subjects_clear(struct vss_subjects *to)
{
    for (size_t i = 0; i < to->n; i++) {
        struct vss_subject *s = &to->v[i];
        size_t npaths = s->job != NULL && s->keys != NULL ? s->job->paths.n : 0;

        for (size_t k = 0; k < npaths; k++)
            sp_buf_free(&s->keys[k]);
        for (size_t k = 0; k < s->nasked; k++)
            sp_vss_pattern_free(s->asked[k]);
        for (size_t k = 0; k < s->nexcluded; k++)
            sp_vss_pattern_free(s->excluded[k]);
        free(s->asked);
        free(s->excluded);
        free(s->keys);
        free(s->roots);
        free(s->journal_dir);
        free(s->name);
        sp_job_free(s->job);
    }
    free(to->v);
    memset(to, 0, sizeof(*to));
}

/* --- what is asked ---------------------------------------------------------------------------- */

static void
say(void *arg, const char *sentence)
{
    struct vss_command *v = arg;

    sp_cli_warn(v->c, "%s", sentence);
}

static bool
cancelled(void *arg)
{
    (void)arg;
    return sp_signals_stop(NULL);
}

void
vss_subject_options(
    struct vss_command *v, const struct vss_subject *s, struct sp_requester_options *ret)
{
    memset(ret, 0, sizeof(*ret));
    ret->env = v->c->env;
    ret->api = v->api;
    ret->roots = s->roots;
    ret->nroots = s->nroots;
    ret->asked = s->asked;
    ret->nasked = s->nasked;
    ret->excluded = s->excluded;
    ret->nexcluded = s->nexcluded;
    ret->one_file_system = s->job->one_file_system;
    ret->backup_type = s->job->backup_type;
    ret->second_set = s->job->second_shadow;
    ret->limits.attempts = s->job->writer_attempts;
    ret->limits.pause_ms = (uint32_t)(s->job->writer_pause_ns / (SP_SECOND / 1000));
    ret->journal_dir = s->journal_dir;
    ret->say = say;
    ret->cancelled = cancelled;
    ret->arg = v;
}

/* --- words ------------------------------------------------------------------------------------ */

void
vss_unit_pattern(enum sp_unit_kind kind, const char *unit, struct sp_buf *to)
{
    sp_buf_printf(to, "%s:", sp_unit_kind_word(kind));
    sp_text_show(unit, to);
}

void
vss_volume_text(const struct sp_requester_volume *v, struct sp_buf *to)
{
    sp_text_show(v->mount, to);
    sp_buf_printf(to, " (%s)",
        v->remote                   ? "a share"
        : v->file_system[0] != '\0' ? v->file_system
                                    : "unknown file system");
}

void
vss_json_component(
    struct sp_json *j, const struct sp_vss_writer *w, const struct sp_vss_component *c)
{
    sp_json_kstr(j, "writer", w->name);
    sp_json_kstr(j, "writer_id", w->class_id);
    sp_json_kstr(j, "instance_id", w->instance_id);
    sp_json_kstr(j, "type", c->type == SP_VSS_TYPE_DATABASE ? "database" : "file group");
    sp_json_kstr(j, "logical_path", c->logical_path);
    sp_json_kstr(j, "name", c->name);
    sp_json_kstr(j, "caption", c->caption);
}
