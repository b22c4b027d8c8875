#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "client/canonical.h"
#include "client/doctor.h"
#include "client/present.h"
#include "vss/shadow.h"

#define JOURNAL_SUFFIX ".shadows"

/* What file systems a path is on, and whether they can have shadows. Nothing is made. */
static void
tell_volumes(struct sp_doctor *d, const struct sp_job *j, const char *path)
{
    struct sp_shadow_options o = {.nroots = 1, .want = SP_SHADOW_NONE};
    struct sp_shadow_root root;
    struct sp_shadow *s = NULL;
    struct sp_buf key = SP_BUF_INIT, live = SP_BUF_INIT, shown = SP_BUF_INIT;
    struct sp_err e = {0};
    size_t i, shadows = 0;

    o.one_file_system = j->one_file_system;
    o.roots = &root;
    if (sp_key_from_path(path, &key, &e) != SP_OK)
        goto out;
    root.key = key.data;
    root.key_len = key.len;
    if (sp_shadow_plan(d->c->env, &o, &s, &e) != SP_OK)
        goto out;
    for (i = 0; i < sp_shadow_count(s); i++) {
        const struct sp_shadow_volume *v = sp_shadow_volume(s, i);

        if (v->pseudo)
            continue;
        if (strcmp(v->file_system, "btrfs") == 0) {
            shadows++;
            continue;
        }
        sp_buf_printf(&live, "%s", live.len > 0 ? ", " : "");
        sp_present_key(v->key, v->key_len, &live);
        sp_buf_printf(&live, " (%s)", v->file_system);
    }
    sp_path_show(path, strlen(path), &shown);
    if (live.len == 0)
        sp_doctor_tell(d, SP_HEALTH_GOOD, "shadows", NULL, "[%s] %s: possible, it is on btrfs",
            j->name, sp_buf_str(&shown));
    else if (j->shadow == SP_SHADOW_REQUIRE || sp_job_demands_most(j) > SP_LEVEL_LIVE)
        sp_doctor_tell(d, SP_HEALTH_WARNING, "shadows",
            "put the data on btrfs, or let the job read live (shadow = auto, require = live)",
            "[%s] %s: the job requires them, and they are not possible for %s", j->name,
            sp_buf_str(&shown), sp_buf_str(&live));
    else
        sp_doctor_tell(d, SP_HEALTH_GOOD, "shadows", NULL, "[%s] %s: read live: %s%s", j->name,
            sp_buf_str(&shown), sp_buf_str(&live), shadows > 0 ? "; the rest is on btrfs" : "");
out:
    if (e.code != SP_OK)
        sp_doctor_tell(d, SP_HEALTH_WARNING, "shadows", NULL, "[%s] %s", j->name, e.text);
    sp_err_clear(&e);
    if (s != NULL && sp_shadow_release(s, &e) != SP_OK)
        sp_doctor_tell(d, SP_HEALTH_WARNING, "shadows", NULL, "%s", e.text);
    sp_buf_free(&key);
    sp_buf_free(&live);
    sp_buf_free(&shown);
}

static void
look_at_job(struct sp_doctor *d, const struct sp_job *j)
{
    struct sp_err e = {0};
    char *path = NULL;
    size_t i;

    for (i = 0; i < j->paths.n; i++) {
        if (sp_path_canonical(j->paths.s[i], &path, &e) != SP_OK) {
            sp_doctor_tell(d, SP_HEALTH_WARNING, "path",
                "correct the configuration; the job fails as long as a path does not exist",
                "[%s] %s", j->name, e.text);
            continue;
        }
        tell_volumes(d, j, path);
        free(path);
        path = NULL;
    }
}

void
sp_doctor_jobs(struct sp_doctor *d)
{
    struct sp_err e = {0};
    size_t i;

    if (sp_cli_config(d->c, &e) != SP_OK) {
        sp_doctor_bad(d, "configuration", "correct the line; docs/operations.md has the keys", &e);
        return;
    }
    if (d->c->config->file == NULL)
        sp_doctor_tell(d, SP_HEALTH_GOOD, "configuration", NULL,
            "there is no file; 'stillpoint backup PATH…' needs none");
    else
        sp_doctor_tell(d, SP_HEALTH_GOOD, "configuration", NULL, "%s has %s", d->c->config->file,
            sp_present_count(d->c->config->njobs, "job", "jobs").s);
    for (i = 0; i < d->c->config->njobs; i++)
        look_at_job(d, &d->c->config->jobs[i]);
}

struct count {
    const char *suffix;
    size_t n;
};

static enum sp_code
count_name(void *arg, const char *name, const struct sp_os_stat *st, struct sp_err *e)
{
    struct count *c = arg;
    size_t len = strlen(name), suffix = strlen(c->suffix);

    (void)st;
    (void)e;
    c->n += len > suffix && strcmp(name + len - suffix, c->suffix) == 0;
    return SP_OK;
}

enum sp_code
sp_doctor_count(struct sp_doctor *d, const char *folder, const char *suffix, size_t *ret_n,
    char **ret_folder, struct sp_err *e)
{
    const struct sp_os *os = d->c->env->os;
    struct count c = {.suffix = suffix};
    char *state = NULL, *path = NULL;
    enum sp_code rc;

    *ret_folder = NULL;
    if ((rc = sp_os_place(SP_PLACE_STATE, &state, e)) != SP_OK)
        return rc;
    path = sp_path_join(state, folder);
    free(state);
    if (path == NULL)
        return sp_fail_nomem(e);
    rc = os->list(os->self, path, false, count_name, &c, e);
    if (rc != SP_OK && rc != SP_ABSENT) {
        free(path);
        return rc;
    }
    *ret_n = c.n;
    *ret_folder = path;
    return SP_OK;
}

void
sp_doctor_leftovers(struct sp_doctor *d)
{
    struct sp_err e = {0};
    char *folder = NULL;
    size_t n = 0;

    if (sp_doctor_count(d, "shadows", JOURNAL_SUFFIX, &n, &folder, &e) != SP_OK)
        sp_doctor_tell(d, SP_HEALTH_WARNING, "shadows", NULL, "%s", e.text);
    else if (n > 0)
        sp_doctor_tell(d, SP_HEALTH_WARNING, "shadows",
            "if no backup is running, the next one removes them",
            "%s of shadows: a run that goes on, or one that died",
            sp_present_count(n, "journal", "journals").s);
    else
        sp_doctor_tell(d, SP_HEALTH_GOOD, "shadows", NULL, "none left behind");
    free(folder);
}
