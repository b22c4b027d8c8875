#include "client/config.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/ini.h"
#include "base/path.h"
#include "client/config_impl.h"

#define COMMAND_TIMEOUT (5 * 60 * SP_SECOND)

/* --- jobs
 * -------------------------------------------------------------------------------------------------
 */

static void
job_clear(struct sp_job *j)
{
    free(j->name);
    free(j->repository);
    sp_strings_clear(&j->paths);
    sp_strings_clear(&j->exclude);
    sp_strings_clear(&j->require);
    sp_strings_clear(&j->application);
    sp_strings_clear(&j->application_exclude);
    free(j->before);
    free(j->after);
    free(j->on_success);
    free(j->on_failure);
    free(j->ping_url);
    free(j->bandwidth);
    memset(j, 0, sizeof(*j));
}

static enum sp_code
job_defaults(struct sp_job *j, struct sp_err *e)
{
    char **texts[] = {&j->repository, &j->before, &j->after, &j->on_success, &j->on_failure,
        &j->ping_url, &j->bandwidth};
    size_t i;
    enum sp_code rc = SP_OK;

    memset(j, 0, sizeof(*j));
    for (i = 0; i < sizeof(texts) / sizeof(texts[0]) && rc == SP_OK; i++)
        rc = sp_config_text(texts[i], "", e);
    j->cachedir_tag = true;
    j->change_journal = true;
    j->system_excludes = true;
    j->shadow = SP_SHADOW_AUTO;
    j->second_shadow = true;
    j->command_timeout_ns = COMMAND_TIMEOUT;
    j->compression = 3;
    j->audit = 90;
    j->catch_up = j->on_battery = j->on_metered = true;
    return rc;
}

static enum sp_code
copy_strings(struct sp_strings *to, const struct sp_strings *from, struct sp_err *e)
{
    size_t i;
    enum sp_code rc = SP_OK;

    for (i = 0; i < from->n && rc == SP_OK; i++)
        rc = sp_strings_add(to, from->s[i], e); // NOLINT(clang-analyzer-unix.Malloc): several lists
    return rc;
}

static enum sp_code
job_copy_into(const struct sp_job *from, struct sp_job *to, struct sp_err *e)
{
    enum sp_code rc;

    *to = *from;
    to->name = to->repository = to->before = to->after = NULL;
    to->on_success = to->on_failure = to->ping_url = to->bandwidth = NULL;
    memset(&to->paths, 0, sizeof(to->paths));
    memset(&to->exclude, 0, sizeof(to->exclude));
    memset(&to->require, 0, sizeof(to->require));
    memset(&to->application, 0, sizeof(to->application));
    memset(&to->application_exclude, 0, sizeof(to->application_exclude));
    if ((rc = copy_strings(&to->paths, &from->paths, e)) != SP_OK ||
        (rc = copy_strings(&to->exclude, &from->exclude, e)) != SP_OK ||
        (rc = copy_strings(&to->require, &from->require, e)) != SP_OK ||
        (rc = copy_strings(&to->application, &from->application, e)) != SP_OK ||
        (rc = copy_strings(&to->application_exclude, &from->application_exclude, e)) != SP_OK ||
        (rc = sp_config_text(&to->repository, from->repository, e)) != SP_OK ||
        (rc = sp_config_text(&to->before, from->before, e)) != SP_OK ||
        (rc = sp_config_text(&to->after, from->after, e)) != SP_OK ||
        (rc = sp_config_text(&to->on_success, from->on_success, e)) != SP_OK ||
        (rc = sp_config_text(&to->on_failure, from->on_failure, e)) != SP_OK ||
        (rc = sp_config_text(&to->ping_url, from->ping_url, e)) != SP_OK ||
        (rc = sp_config_text(&to->bandwidth, from->bandwidth, e)) != SP_OK)
        return rc;
    return from->name == NULL ? SP_OK : sp_config_text(&to->name, from->name, e);
}

enum sp_code
sp_job_copy(const struct sp_job *from, struct sp_job **ret, struct sp_err *e)
{
    struct sp_job *j = calloc(1, sizeof(*j));
    enum sp_code rc;

    if (j == NULL)
        return sp_fail_nomem(e);
    if ((rc = job_copy_into(from, j, e)) != SP_OK) {
        sp_job_free(j);
        return rc;
    }
    *ret = j;
    return SP_OK;
}

void
sp_job_free(struct sp_job *j)
{
    if (j == NULL)
        return;
    job_clear(j);
    free(j);
}

/* --- the file
 * --------------------------------------------------------------------------------------------- */

static enum sp_code
start_job(struct sp_config *c, const char *name, struct sp_err *e)
{
    struct sp_job *more;
    size_t i;
    enum sp_code rc;

    for (i = 0; i < c->njobs; i++) {
        if (strcmp(c->jobs[i].name, name) == 0)
            return sp_fail(e, SP_INVALID, SP_DOM_CONFIG, "the job [%s] is there twice", name);
    }
    if (strlen(name) > 255 || strpbrk(name, "/\\:\n") != NULL || name[0] == '\0')
        return sp_fail(e, SP_INVALID, SP_DOM_CONFIG,
            "[%s] cannot be a job's name: 1 to 255 bytes without / \\ and :", name);
    more = realloc(c->jobs, (c->njobs + 1) * sizeof(*more));
    if (more == NULL)
        return sp_fail_nomem(e);
    c->jobs = more;
    memset(&more[c->njobs], 0, sizeof(more[0]));
    rc = job_copy_into(&c->defaults, &more[c->njobs], e);
    c->njobs++;
    return rc == SP_OK ? sp_config_text(&c->jobs[c->njobs - 1].name, name, e) : rc;
}

static enum sp_code
read_value(void *arg, const char *section, const char *key, const char *value, unsigned line,
    struct sp_err *e)
{
    struct sp_config *c = arg;
    bool defaults = strcmp(section, "defaults") == 0;

    (void)line;
    if (strcmp(section, "sftp") == 0)
        return key == NULL ? SP_OK : sp_sftp_configure(&c->sftp, key, value, e);
    if (key == NULL) {
        if (defaults && c->njobs > 0)
            return sp_fail(
                e, SP_INVALID, SP_DOM_CONFIG, "[defaults] has to come before the first job");
        return defaults ? SP_OK : start_job(c, section, e);
    }
    if (section[0] == '\0')
        return sp_fail(e, SP_INVALID, SP_DOM_CONFIG,
            "'%s' stands before the first section; begin one with [defaults] or [NAME]", key);
    return sp_job_set(defaults ? &c->defaults : &c->jobs[c->njobs - 1], key, value, e);
}

static enum sp_code
usual_file(char **ret, struct sp_err *e)
{
    char *place = NULL;
    enum sp_code rc;

    if ((rc = sp_os_place(SP_PLACE_CONFIG, &place, e)) != SP_OK)
        return rc;
    *ret = sp_path_join(place, "stillpoint.conf");
    free(place);
    return *ret == NULL ? sp_fail_nomem(e) : SP_OK;
}

enum sp_code
sp_config_load(const struct sp_env *env, const char *file, struct sp_config **ret, struct sp_err *e)
{
    struct sp_config *c = calloc(1, sizeof(*c));
    uint8_t *text = NULL;
    char *path = NULL;
    size_t n = 0, i;
    enum sp_code rc;

    if (c == NULL)
        return sp_fail_nomem(e);
    if ((rc = job_defaults(&c->defaults, e)) != SP_OK)
        goto out;
    rc = file != NULL ? sp_os_absolute(file, &path, e) : usual_file(&path, e);
    if (rc != SP_OK)
        goto out;
    rc = sp_os_read_file(env->os, path, SP_CONFIG_FILE_LIMIT, &text, &n, e);
    if (rc == SP_ABSENT && file == NULL) {
        rc = SP_OK;
    } else if (rc != SP_OK) {
        e->domain = SP_DOM_CONFIG;
        goto out;
    } else {
        c->file = path;
        path = NULL;
        if ((rc = sp_ini_parse(c->file, (const char *)text, n, read_value, c, e)) != SP_OK)
            goto out;
    }
    for (i = 0; i < c->njobs; i++) {
        if (c->jobs[i].paths.n == 0 && c->jobs[i].application.n == 0) {
            rc = sp_fail(e, SP_INVALID, SP_DOM_CONFIG,
                "%s: the job [%s] has no path; add 'path = /what/to/back/up'", c->file,
                c->jobs[i].name);
            goto out;
        }
    }
    *ret = c;
    c = NULL;
out:
    free(text);
    free(path);
    sp_config_free(c);
    return rc;
}

void
sp_config_free(struct sp_config *c)
{
    size_t i;

    if (c == NULL)
        return;
    for (i = 0; i < c->njobs; i++)
        job_clear(&c->jobs[i]);
    free(c->jobs);
    job_clear(&c->defaults);
    sp_sftp_clear(&c->sftp);
    free(c->file);
    free(c);
}

enum sp_code
sp_config_job(
    const struct sp_config *c, const char *name, const struct sp_job **ret, struct sp_err *e)
{
    struct sp_buf names = SP_BUF_INIT;
    size_t i;
    enum sp_code rc;

    for (i = 0; i < c->njobs; i++) {
        if (strcmp(c->jobs[i].name, name) == 0) {
            *ret = &c->jobs[i];
            sp_buf_free(&names);
            return SP_OK;
        }
        sp_buf_printf(&names, "%s%s", i > 0 ? ", " : "", c->jobs[i].name);
    }
    if (c->file == NULL)
        rc = sp_fail(e, SP_ABSENT, SP_DOM_CONFIG,
            "there is no job '%s' and no configuration file; to back up a folder of that name "
            "write "
            "./%s",
            name, name);
    else
        rc = sp_fail(e, SP_ABSENT, SP_DOM_CONFIG, "there is no job '%s' in %s, which has: %s", name,
            c->file, c->njobs > 0 ? sp_buf_str(&names) : "none");
    sp_buf_free(&names);
    return rc;
}
