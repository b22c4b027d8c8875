#include "client/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/ini.h"
#include "base/path.h"
#include "base/text.h"
#include "client/ratelimit.h"

#define FILE_LIMIT (4u << 20)
#define COMMAND_TIMEOUT (5 * 60 * SP_SECOND)

enum sp_code
sp_strings_add(struct sp_strings *l, const char *s, struct sp_err *e)
{
    char **more = realloc(l->s, (l->n + 1) * sizeof(*more));

    if (more == NULL)
        return sp_fail_nomem(e);
    l->s = more;
    if ((l->s[l->n] = strdup(s)) == NULL)
        return sp_fail_nomem(e);
    l->n++;
    return SP_OK;
}

void
sp_strings_clear(struct sp_strings *l)
{
    size_t i;

    for (i = 0; i < l->n; i++)
        free(l->s[i]);
    free(l->s);
    l->s = NULL;
    l->n = 0;
}

/* --- one key
 * -------------------------------------------------------------------------------------------- */

static enum sp_code
set_text(char **to, const char *value, struct sp_err *e)
{
    char *copy = strdup(value);

    if (copy == NULL)
        return sp_fail_nomem(e);
    free(*to);
    *to = copy;
    return SP_OK;
}

static enum sp_code
bad_value(struct sp_err *e, const char *key, const char *value, const char *possible)
{
    return sp_fail(
        e, SP_INVALID, SP_DOM_CONFIG, "%s = %s makes no sense: %s", key, value, possible);
}

static enum sp_code
set_bool(bool *to, const char *key, const char *value, struct sp_err *e)
{
    if (strcmp(value, "yes") == 0 || strcmp(value, "true") == 0 || strcmp(value, "1") == 0)
        *to = true;
    else if (strcmp(value, "no") == 0 || strcmp(value, "false") == 0 || strcmp(value, "0") == 0)
        *to = false;
    else
        return bad_value(e, key, value, "yes or no");
    return SP_OK;
}

static enum sp_code
set_number(
    uint64_t *to, const char *key, const char *value, uint64_t min, uint64_t max, struct sp_err *e)
{
    char possible[64];
    uint64_t v;

    (void)snprintf(possible, sizeof(possible), "a number from %llu to %llu",
        (unsigned long long)min, (unsigned long long)max);
    if (!sp_text_parse_u64(value, &v) || v < min || v > max)
        return bad_value(e, key, value, possible);
    *to = v;
    return SP_OK;
}

static enum sp_code
set_shadow(struct sp_job *j, const char *key, const char *value, struct sp_err *e)
{
    if (strcmp(value, "auto") == 0)
        j->shadow = SP_SHADOW_AUTO;
    else if (strcmp(value, "none") == 0)
        j->shadow = SP_SHADOW_NONE;
    else if (strcmp(value, "require") == 0)
        j->shadow = SP_SHADOW_REQUIRE;
    else
        return bad_value(e, key, value, "auto, none or require");
    return SP_OK;
}

static enum sp_code
set_require(struct sp_job *j, const char *key, const char *value, struct sp_err *e)
{
    if (strcmp(value, "live") == 0)
        j->require = SP_LEVEL_LIVE;
    else if (strcmp(value, "crash") == 0)
        j->require = SP_LEVEL_CRASH;
    else if (strcmp(value, "application") == 0)
        j->require = SP_LEVEL_APPLICATION;
    else
        return bad_value(e, key, value, "live, crash or application");
    return SP_OK;
}

static enum sp_code
add_exclude_file(struct sp_job *j, const char *file, struct sp_err *e)
{
    uint8_t *bytes = NULL;
    char *text, *line, *save = NULL;
    size_t n;
    enum sp_code rc;

    if ((rc = sp_os_read_file(&sp_os_system, file, FILE_LIMIT, &bytes, &n, e)) != SP_OK) {
        struct sp_err ignored = {0};
        char *inside = sp_path_join(file, ".");
        struct sp_os_stat st;

        e->domain = SP_DOM_CONFIG;
        if (inside != NULL && /* through a link too */
            sp_os_system.stat(sp_os_system.self, inside, &st, &ignored) == SP_OK &&
            st.type == SP_OS_DIR)
            rc = sp_fail(e, SP_INVALID, SP_DOM_CONFIG,
                "%s is a folder, and exclude-file takes a file of patterns", file);
        free(inside);
        return rc;
    }
    text = malloc(n + 1);
    if (text == NULL) {
        free(bytes);
        return sp_fail_nomem(e);
    }
    memcpy(text, bytes, n);
    text[n] = '\0';
    free(bytes);
    for (line = strtok_r(text, "\n", &save); line != NULL && rc == SP_OK;
         line = strtok_r(NULL, "\n", &save)) {
        size_t len = strlen(line);

        if (len > 0 && line[len - 1] == '\r')
            line[len - 1] = '\0';
        if (line[0] != '\0' && line[0] != '#')
            rc = sp_strings_add(&j->exclude, line, e);
    }
    free(text);
    return rc;
}

static enum sp_code
set_duration(int64_t *to, const char *key, const char *value, struct sp_err *e)
{
    if (!sp_text_parse_duration(value, to) || *to <= 0)
        return bad_value(e, key, value, "a duration as 90s, 15m, 8h or 2d");
    return SP_OK;
}

static enum sp_code
set_bandwidth(struct sp_job *j, const char *value, struct sp_err *e)
{
    struct sp_ratelimit *l = NULL;
    enum sp_code rc;

    if (value[0] != '\0') { /* said now, not when the backup starts at night */
        if ((rc = sp_ratelimit_new(value, &sp_clock_system, &l, e)) != SP_OK)
            return rc;
        sp_ratelimit_free(l);
    }
    return set_text(&j->bandwidth, value, e);
}

enum sp_code
sp_job_set(struct sp_job *j, const char *key, const char *value, struct sp_err *e)
{
    uint64_t v = 0;
    enum sp_code rc;

    if (strcmp(key, "repository") == 0)
        return set_text(&j->repository, value, e);
    if (strcmp(key, "path") == 0)
        return sp_strings_add(&j->paths, value, e);
    if (strcmp(key, "exclude") == 0)
        return sp_strings_add(&j->exclude, value, e);
    if (strcmp(key, "exclude-file") == 0)
        return add_exclude_file(j, value, e);
    if (strcmp(key, "one-file-system") == 0)
        return set_bool(&j->one_file_system, key, value, e);
    if (strcmp(key, "cachedir-tag") == 0)
        return set_bool(&j->cachedir_tag, key, value, e);
    if (strcmp(key, "system-excludes") == 0)
        return set_bool(&j->system_excludes, key, value, e);
    if (strcmp(key, "shadow") == 0)
        return set_shadow(j, key, value, e);
    if (strcmp(key, "require") == 0)
        return set_require(j, key, value, e);
    if (strcmp(key, "before") == 0)
        return set_text(&j->before, value, e);
    if (strcmp(key, "after") == 0)
        return set_text(&j->after, value, e);
    if (strcmp(key, "on-success") == 0)
        return set_text(&j->on_success, value, e);
    if (strcmp(key, "on-failure") == 0)
        return set_text(&j->on_failure, value, e);
    if (strcmp(key, "command-timeout") == 0)
        return set_duration(&j->command_timeout_ns, key, value, e);
    if (strcmp(key, "ping-url") == 0)
        return set_text(&j->ping_url, value, e);
    if (strcmp(key, "bandwidth") == 0)
        return set_bandwidth(j, value, e);
    if (strcmp(key, "checkpoint") == 0)
        return set_duration(&j->checkpoint_ns, key, value, e);
    if (strcmp(key, "compression") == 0) {
        if ((rc = set_number(&v, key, value, 1, 19, e)) == SP_OK)
            j->compression = (int)v;
        return rc;
    }
    if (strcmp(key, "audit") == 0) {
        if ((rc = set_number(&v, key, value, 0, 1000000, e)) == SP_OK)
            j->audit = (unsigned)v;
        return rc;
    }
    return sp_fail(e, SP_INVALID, SP_DOM_CONFIG,
        "there is no key '%s'; a job has: repository path exclude exclude-file one-file-system "
        "cachedir-tag system-excludes shadow require before after on-success on-failure command-timeout ping-url "
        "bandwidth compression audit checkpoint",
        key);
}

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
        rc = set_text(texts[i], "", e);
    j->cachedir_tag = true;
    j->system_excludes = true;
    j->shadow = SP_SHADOW_AUTO;
    j->require = SP_LEVEL_LIVE;
    j->command_timeout_ns = COMMAND_TIMEOUT;
    j->compression = 3;
    j->audit = 90;
    return rc;
}

static enum sp_code
copy_strings(struct sp_strings *to, const struct sp_strings *from, struct sp_err *e)
{
    size_t i;
    enum sp_code rc = SP_OK;

    for (i = 0; i < from->n && rc == SP_OK; i++)
        rc = sp_strings_add(to, from->s[i], e); // NOLINT(clang-analyzer-unix.Malloc): two lists
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
    if ((rc = copy_strings(&to->paths, &from->paths, e)) != SP_OK ||
        (rc = copy_strings(&to->exclude, &from->exclude, e)) != SP_OK ||
        (rc = set_text(&to->repository, from->repository, e)) != SP_OK ||
        (rc = set_text(&to->before, from->before, e)) != SP_OK ||
        (rc = set_text(&to->after, from->after, e)) != SP_OK ||
        (rc = set_text(&to->on_success, from->on_success, e)) != SP_OK ||
        (rc = set_text(&to->on_failure, from->on_failure, e)) != SP_OK ||
        (rc = set_text(&to->ping_url, from->ping_url, e)) != SP_OK ||
        (rc = set_text(&to->bandwidth, from->bandwidth, e)) != SP_OK)
        return rc;
    return from->name == NULL ? SP_OK : set_text(&to->name, from->name, e);
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
    return rc == SP_OK ? set_text(&c->jobs[c->njobs - 1].name, name, e) : rc;
}

static enum sp_code
read_value(void *arg, const char *section, const char *key, const char *value, unsigned line,
    struct sp_err *e)
{
    struct sp_config *c = arg;
    bool defaults = strcmp(section, "defaults") == 0;

    (void)line;
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
    rc = sp_os_read_file(env->os, path, FILE_LIMIT, &text, &n, e);
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
        if (c->jobs[i].paths.n == 0) {
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
