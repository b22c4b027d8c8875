#include "tests/unit/vss/requester_kit.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/path.h"
#include "tests/vss/script_file.h"

/* Nobody cuts the power here, and a journal of each of hundreds of runs would be waited for. */
static enum sp_code
no_sync(void *self, struct sp_file *f, struct sp_err *e)
{
    (void)self;
    (void)f;
    (void)e;
    return SP_OK;
}

static enum sp_code
no_sync_dir(void *self, const char *path, struct sp_err *e)
{
    (void)self;
    (void)path;
    (void)e;
    return SP_OK;
}

static void
said(void *arg, const char *sentence)
{
    struct kit *k = arg;
    size_t n = k->said != NULL ? strlen(k->said) : 0;

    k->said = realloc(k->said, n + strlen(sentence) + 2);
    assert_non_null(k->said);
    memcpy(k->said + n, sentence, strlen(sentence));
    memcpy(k->said + n + strlen(sentence), "\n", 2);
}

static bool
cancelled(void *arg)
{
    struct kit *k = arg;

    k->asked++;
    return k->stop_at != 0 && k->asked >= k->stop_at;
}

void
kit_new(struct kit *k)
{
    static const char *const names[] = {"c", "d", "shadows", "journal"};
    char *const places[] = {k->c, k->d, k->shadows, k->journal};

    (void)alarm(20); /* who waits for ever is found out here */
    memset(k, 0, sizeof *k);
    (void)strcpy(k->top, "/tmp/sp-reqr-XXXXXX");
    assert_non_null(mkdtemp(k->top));
    for (int i = 0; i < 4; i++) {
        (void)snprintf(places[i], 80, "%.60s/%s", k->top, names[i]);
        assert_int_equal(mkdir(places[i], 0700), 0);
    }
    for (int i = 0; i < 2; i++) {
        assert_int_equal(sp_key_from_path(places[i], &k->keys[i], &k->err), SP_OK);
        k->roots[i] = (struct sp_vss_key){k->keys[i].data, k->keys[i].len};
    }
    k->os = sp_os_system;
    k->os.sync = no_sync;
    k->os.sync_dir = no_sync_dir;
    k->env = sp_env_system;
    k->env.os = &k->os;
    k->o = (struct sp_requester_options){.env = &k->env,
        .roots = k->roots,
        .nroots = 2,
        .journal_dir = k->journal,
        .say = said,
        .cancelled = cancelled,
        .arg = k,
        .limits = {.metadata_ms = 60,
            .status_ms = 60,
            .prepare_ms = 60,
            .snapshot_ms = 60,
            .complete_ms = 60,
            .busy_ms = 40,
            .busy_pause_ms = 5,
            .attempts = 3,
            .pause_ms = 1}};
}

void
kit_machine(struct kit *k, const char *const *parts)
{
    const struct script_place places[] = {{"C", k->c}, {"D", k->d}, {"SHADOWS", k->shadows}};
    const char *all[16] = {"machine"};
    char *script;

    for (size_t i = 0; parts[i] != NULL; i++)
        all[i + 1] = parts[i];
    script = script_make(all, places, 3);
    k->api = double_new(script, &k->m);
    k->o.api = k->api;
    free(script);
}

enum sp_code
kit_plan(struct kit *k)
{
    return sp_requester_plan(&k->o, &k->r, &k->err);
}

enum sp_code
kit_take(struct kit *k)
{
    enum sp_code rc = kit_plan(k);

    return rc == SP_OK ? sp_requester_take(k->r, &k->err) : rc;
}

enum sp_code
kit_run(struct kit *k, bool made)
{
    enum sp_code rc = kit_take(k);

    return rc == SP_OK ? sp_requester_finish(k->r, made, &k->err) : rc;
}

unsigned
kit_files_in(const char *folder)
{
    DIR *dir = opendir(folder);
    unsigned n = 0;

    assert_non_null(dir);
    while (readdir(dir) != NULL)
        n++;
    (void)closedir(dir);
    return n - 2;
}

void
kit_check(struct kit *k)
{
    sp_requester_free(k->r);
    k->r = NULL;
    if (model_illegal(k->m) != 0)
        fail_msg("out of order:\n%s", model_trace(k->m));
    if (model_unended(k->m) != 0 && !k->abort_fails)
        fail_msg("neither completed nor aborted:\n%s", model_trace(k->m));
    assert_int_equal(model_sessions_open(k->m), 0);
    assert_int_equal(model_asyncs_open(k->m), 0);
    assert_int_equal(model_shadows(k->m), 0);
    assert_int_equal(kit_files_in(k->journal), 0);
    /* What was started was ended. */
    assert_true(model_count(k->m, "end") <= model_count(k->m, "start"));
}

void
kit_free(struct kit *k)
{
    kit_check(k);
    double_free(k->api);
    free(k->said);
    for (int i = 0; i < 2; i++)
        sp_buf_free(&k->keys[i]);
    assert_int_equal(sp_os_remove_tree(&sp_os_system, k->top, &k->err), SP_OK);
}

const struct sp_verdict *
kit_verdict(const struct kit *k)
{
    return sp_requester_verdict(k->r);
}

const struct sp_verdict_component *
kit_component(const struct kit *k, const char *unit)
{
    const struct sp_verdict *v = kit_verdict(k);

    for (size_t i = 0; i < v->ncomponents; i++) {
        if (strcmp(v->components[i].unit, unit) == 0)
            return &v->components[i];
    }
    for (size_t i = 0; i < v->ncomponents; i++)
        print_message("there is: %s\n", v->components[i].unit);
    fail_msg("no component %s", unit);
    return NULL;
}

bool
kit_said(const struct kit *k, const char *part)
{
    return k->said != NULL && strstr(k->said, part) != NULL;
}

unsigned
kit_count(const struct kit *k, const char *call)
{
    return model_count(k->m, call);
}

void
kit_write(const char *folder, const char *name, const char *text)
{
    char path[256];
    FILE *f;

    (void)mkdir(folder, 0700);
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

void
kit_expect(const char *folder, const char *name, const char *text)
{
    char path[256], got[128] = "";
    FILE *f;

    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    f = fopen(path, "r");
    if (f == NULL)
        fail_msg("%s is not there", path);
    assert_non_null(fgets(got, sizeof got, f));
    assert_int_equal(fclose(f), 0);
    assert_string_equal(got, text);
}
