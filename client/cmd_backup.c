#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "client/commands.h"
#include "client/job_run.h"

static const char usage[] =
    "usage: stillpoint backup JOB…          (sections of the configuration)\n"
    "       stillpoint backup PATH…         (anything with a / ; no configuration needed)\n"
    "       stillpoint backup --all         (all jobs of the configuration)\n\n"
    "Makes one backup set of each job. Only what changed since the last one is read and sent.\n\n"
    "      --job NAME             the name for PATH…'s sets (default: 'paths')\n"
    "      --exclude PATTERN      leave out (gitignore's patterns); may be repeated\n"
    "      --exclude-file FILE    patterns from a file\n"
    "      --one-file-system      do not enter other file systems\n"
    "      --no-cachedir-tag      take folders marked as caches too\n"
    "      --shadow auto|none|require   VSS, btrfs snapshots (default: auto, the best there is)\n"
    "      --require 'LEVEL [for WHAT] [else keep|discard|leave-out]'   LEVEL: application, crash or live;\n"
    "                             what is below it makes no set (discard), or what else says; may be repeated\n"
    "      --if-below keep|discard|leave-out      where --require does not say (default: discard)\n"
    "      --application WHAT     take the files of applications (vm:web01, database:*, writer:NAME); may be\n"
    "                             repeated; 'stillpoint vss plan' shows what there is\n"
    "      --application-exclude WHAT             without their application's part\n"
    "      --before COMMAND, --after COMMAND      around the shadow\n"
    "      --on-success COMMAND, --on-failure COMMAND, --ping-url URL\n"
    "      --command-timeout 5m   --bandwidth '08:00-18:00 2M, 18:00-08:00 none'\n"
    "      --compression 1…19     zstd level (default 3)\n"
    "      --set KEY=VALUE        any key of the configuration\n"
    "      --reread               read every file, whatever its times say\n"
    "      --explain              only say what would be taken and left out, and why\n";

enum { OPT_ALL = 1000, OPT_JOB, OPT_REREAD, OPT_SET, OPT_ONE_FS, OPT_NO_TAG, OPT_EXPLAIN, OPT_KEY };

/* Options that are keys of the configuration under another dress. */
static const char *const keys[] = {"exclude", "exclude-file", "shadow", "require", "if-below",
    "application", "application-exclude", "before", "after",
    "on-success", "on-failure", "ping-url", "command-timeout", "bandwidth", "compression"};
#define NKEYS (sizeof(keys) / sizeof(keys[0]))

struct asked {
    bool all, reread, explain;
    const char *job;
    struct sp_strings set; /* key, value, key, value … */
};

static enum sp_code
add_pair(struct asked *a, const char *key, const char *value, struct sp_err *e)
{
    enum sp_code rc = sp_strings_add(&a->set, key, e);

    return rc == SP_OK ? sp_strings_add(&a->set, value, e) : rc;
}

static enum sp_code
add_set(struct asked *a, const char *text, struct sp_err *e)
{
    const char *eq = strchr(text, '=');
    char *key;
    enum sp_code rc;

    if (eq == NULL)
        return sp_fail(e, SP_INVALID, SP_DOM_CONFIG, "--set takes KEY=VALUE, not '%s'", text);
    if ((key = strdup(text)) == NULL)
        return sp_fail_nomem(e);
    key[eq - text] = '\0';
    rc = add_pair(a, key, eq + 1, e);
    free(key);
    return rc;
}

static enum sp_code
apply(const struct asked *a, struct sp_job *j, struct sp_err *e)
{
    size_t i;
    enum sp_code rc = SP_OK;

    for (i = 0; i + 1 < a->set.n && rc == SP_OK; i += 2)
        rc = sp_job_set(j, a->set.s[i], a->set.s[i + 1], e);
    return rc;
}

/* The worst of several: interrupted, then the higher failure, then "partly". */
static enum sp_exit
worse(enum sp_exit a, enum sp_exit b)
{
    return (int)a > (int)b ? a : b;
}

static enum sp_exit
run_one(struct sp_cli *c, const struct sp_job *from, const struct asked *a, char **paths,
    size_t npaths, struct sp_json *json)
{
    struct sp_job *j = NULL;
    struct sp_err e = {0};
    enum sp_exit code;
    enum sp_code rc;
    size_t i;

    rc = sp_job_copy(from, &j, &e);
    if (rc == SP_OK && npaths > 0) {
        free(j->name);
        j->name = strdup(a->job != NULL ? a->job : "paths");
        if (j->name == NULL)
            rc = sp_fail_nomem(&e);
        for (i = 0; i < npaths && rc == SP_OK; i++)
            rc = sp_strings_add(&j->paths, paths[i], &e);
    }
    if (rc == SP_OK)
        rc = apply(a, j, &e);
    if (rc != SP_OK)
        code = sp_cli_fail(c, &e);
    else
        code = a->explain ? sp_job_explain(c, j, json) : sp_job_run(c, j, a->reread, json);
    sp_job_free(j);
    return code;
}

static enum sp_exit
run_asked(struct sp_cli *c, const struct asked *a, struct sp_json *json)
{
    const struct sp_job *job;
    struct sp_err e = {0};
    enum sp_exit code = SP_EXIT_DONE;
    int first = optind, i;
    size_t k;

    if (sp_cli_config(c, &e) != SP_OK)
        return sp_cli_fail(c, &e);
    if (a->all) {
        if (c->config->njobs == 0)
            return sp_cli_usage(c, "the configuration has no job");
        for (k = 0; k < c->config->njobs && !sp_signals_stop(NULL); k++)
            code = worse(code, run_one(c, &c->config->jobs[k], a, NULL, 0, json));
        return code;
    }
    if (first == c->argc)
        return sp_cli_usage(c, "say what: a JOB of the configuration, or a PATH");
    for (i = first; i < c->argc; i++) {
        if (sp_cli_is_path(c->argv[i]) != sp_cli_is_path(c->argv[first]))
            return sp_cli_usage(c, "jobs and paths cannot be mixed: '%s' and '%s'", c->argv[first],
                c->argv[i]);
    }
    if (sp_cli_is_path(c->argv[first]))
        return run_one(
            c, &c->config->defaults, a, c->argv + first, (size_t)(c->argc - first), json);
    for (i = first; i < c->argc; i++) { /* all names first, so that a mistyped one stops nothing half-way */
        if (sp_config_job(c->config, c->argv[i], &job, &e) != SP_OK)
            return sp_cli_fail(c, &e);
    }
    for (i = first; i < c->argc && !sp_signals_stop(NULL); i++) {
        (void)sp_config_job(c->config, c->argv[i], &job, &e);
        code = worse(code, run_one(c, job, a, NULL, 0, json));
    }
    return code;
}

static enum sp_exit
run(struct sp_cli *c)
{
    struct option longs[NKEYS + 8] = {{"all", no_argument, NULL, OPT_ALL},
        {"job", required_argument, NULL, OPT_JOB}, {"reread", no_argument, NULL, OPT_REREAD},
        {"set", required_argument, NULL, OPT_SET}, {"one-file-system", no_argument, NULL, OPT_ONE_FS},
        {"no-cachedir-tag", no_argument, NULL, OPT_NO_TAG}, {"explain", no_argument, NULL, OPT_EXPLAIN}};
    struct asked a = {0};
    struct sp_buf out = SP_BUF_INIT;
    struct sp_json json;
    struct sp_err e = {0};
    enum sp_exit code;
    enum sp_code rc = SP_OK;
    size_t i;
    int opt;

    for (i = 0; i < NKEYS; i++) {
        longs[7 + i].name = keys[i];
        longs[7 + i].has_arg = required_argument;
        longs[7 + i].val = OPT_KEY + (int)i;
    }
    while (rc == SP_OK && (opt = sp_cli_getopt(c, "", longs)) != -1) {
        if (opt == OPT_ALL)
            a.all = true;
        else if (opt == OPT_JOB)
            a.job = optarg;
        else if (opt == OPT_REREAD)
            a.reread = true;
        else if (opt == OPT_EXPLAIN)
            a.explain = true;
        else if (opt == OPT_SET)
            rc = add_set(&a, optarg, &e);
        else if (opt == OPT_ONE_FS)
            rc = add_pair(&a, "one-file-system", "yes", &e);
        else if (opt == OPT_NO_TAG)
            rc = add_pair(&a, "cachedir-tag", "no", &e);
        else if (opt >= OPT_KEY)
            rc = add_pair(&a, keys[opt - OPT_KEY], optarg, &e);
        else {
            sp_strings_clear(&a.set);
            return SP_EXIT_USAGE;
        }
    }
    if (rc != SP_OK) {
        code = sp_cli_fail(c, &e);
    } else {
        sp_signals_install();
        if (c->json) {
            sp_json_init(&json, &out);
            sp_json_array(&json);
        }
        code = run_asked(c, &a, c->json ? &json : NULL);
        if (c->json) {
            sp_json_array_end(&json);
            if (sp_buf_ok(&out, &e) == SP_OK) {
                sp_cli_print_json(&out);
            } else { /* what was made is made */
                sp_cli_warn(c, "the result could not be written: %s", e.text);
                code = code == SP_EXIT_DONE ? SP_EXIT_PARTLY : code;
            }
        }
    }
    sp_buf_free(&out);
    sp_strings_clear(&a.set);
    return code;
}

const struct sp_command sp_cmd_backup = {"backup", "make a backup set", usage, run};
