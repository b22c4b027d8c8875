#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/path.h"
#include "client/commands.h"
#include "client/job_files.h"
#include "client/service.h"
#include "client/table.h"

static const char usage[] =
    "usage: stillpoint service install [--user] [--scheduler]   run jobs by their schedule\n"
    "       stillpoint service remove|start|stop [--user]\n"
    "       stillpoint service status [--user] [JOB…]    when each job runs next, and how it went\n"
    "       stillpoint service run       the schedule itself, until it is stopped; what the "
    "service\n"
    "                                    manager starts, and it works in the foreground too\n"
    "       stillpoint service allowed JOB   exit 0 when battery and network let it run now, 1 "
    "when not\n\n"
    "A job says when it runs ('schedule = daily at 02:00'; docs/operations.md has all of it). On "
    "Linux\n"
    "install writes a timer of systemd for each job and starts them; again after the "
    "configuration\n"
    "changed. On Windows it makes the service Stillpoint, which follows changes by itself.\n\n"
    "      --user        for this user's own jobs, without root (Linux)\n"
    "      --scheduler   one service that follows every schedule itself, instead of timers "
    "(Linux)\n"
    "      --root DIR    write units below DIR and start nothing (Linux: images, packages)\n";

enum { OPT_USER = 1000, OPT_SCHEDULER, OPT_ROOT };

/* --- status
 * --------------------------------------------------------------------------------------------- */

static const char *
state_words(enum sp_service_state s)
{
    switch (s) {
    case SP_SERVICE_ABSENT:
        return "not installed";
    case SP_SERVICE_STOPPED:
        return "stopped";
    case SP_SERVICE_RUNNING:
        return "running";
    case SP_SERVICE_INSTALLED:
        return "installed";
    case SP_SERVICE_CHANGING:
        return "starting or stopping";
    }
    return "?";
}

struct job_status {
    const struct sp_job *job;
    struct sp_last_run last;
    bool ran;
    int64_t next_ns; /* 0: never by itself */
};

static void
look_at_job(struct sp_cli *c, const struct sp_job *j, const char *host, struct job_status *ret)
{
    struct sp_err ignored = {0};
    int64_t delay = sp_schedule_delay(host, j->name, j->random_delay_ns), at;

    memset(ret, 0, sizeof(*ret));
    ret->job = j;
    ret->ran = sp_last_run_read(c->env, j->name, &ret->last, &ignored) == SP_OK;
    if (sp_schedule_next(&j->schedule, &sp_local_system, sp_clock_wall(c->env->clock) - delay, &at))
        ret->next_ns = at + delay;
}

static void
json_time(struct sp_json *j, const char *key, int64_t ns)
{
    sp_json_key(j, key);
    if (ns == 0)
        sp_json_null(j);
    else
        sp_json_time(j, ns);
}

static void
json_job(struct sp_json *j, const struct job_status *s)
{
    const struct sp_job *job = s->job;

    sp_json_object(j);
    sp_json_kstr(j, "job", job->name);
    sp_json_kstr(j, "schedule", job->schedule.set ? job->schedule.text : "none");
    sp_json_kbool(j, "catch_up", job->catch_up);
    sp_json_ku64(j, "random_delay_s", (uint64_t)(job->random_delay_ns / SP_SECOND));
    sp_json_kbool(j, "on_battery", job->on_battery);
    sp_json_kbool(j, "on_metered", job->on_metered);
    json_time(j, "next", s->next_ns);
    json_time(j, "last_start", s->ran ? s->last.started_ns : 0);
    json_time(j, "last_end", s->ran ? s->last.ended_ns : 0);
    json_time(j, "last_success", s->ran ? s->last.success_ns : 0);
    sp_json_key(j, "last_exit");
    if (s->ran)
        sp_json_i64(j, s->last.exit_code);
    else
        sp_json_null(j);
    sp_json_key(j, "last_result");
    if (s->ran)
        sp_json_str(j, s->last.text);
    else
        sp_json_null(j);
    sp_json_object_end(j);
}

static enum sp_code
print_jobs(const struct job_status *jobs, size_t n, struct sp_err *e)
{
    static const struct sp_column columns[] = {{"job", false}, {"schedule", false}, {"next", false},
        {"last run", false}, {"result", false}};
    struct sp_table t;
    char next[32], last[32];
    enum sp_code rc;

    sp_table_init(&t, columns, 5);
    for (size_t i = 0; i < n; i++) {
        const struct job_status *s = &jobs[i];

        sp_time_local(s->next_ns, next);
        sp_time_local(s->last.started_ns, last);
        sp_table_cell(&t, "%s", s->job->name);
        sp_table_cell(&t, "%s", s->job->schedule.set ? s->job->schedule.text : "by hand");
        sp_table_cell(&t, "%s", s->next_ns != 0 ? next : "-");
        sp_table_cell(&t, "%s", s->ran ? last : "never");
        sp_table_cell(&t, "%s", s->ran ? sp_exit_word(s->last.exit_code) : "-");
    }
    rc = n > 0 ? sp_table_print(&t, e) : SP_OK;
    sp_table_clear(&t);
    for (size_t i = 0; i < n && rc == SP_OK; i++) {
        struct sp_buf line = SP_BUF_INIT;

        if (!jobs[i].ran || jobs[i].last.text[0] == '\0')
            continue;
        sp_text_show(jobs[i].last.text, &line);
        (void)printf("%s\n", sp_buf_str(&line));
        sp_buf_free(&line);
    }
    return rc;
}

/* Of the jobs named, or of all. */
static enum sp_code
look_at_jobs(struct sp_cli *c, struct job_status *jobs, size_t *ret_n, struct sp_err *e)
{
    char *host = NULL;
    const struct sp_job *job;
    size_t n = 0;
    enum sp_code rc;

    if ((rc = sp_os_hostname(&host, e)) != SP_OK)
        return rc;
    for (int i = optind + 1; i < c->argc && rc == SP_OK; i++) {
        if ((rc = sp_config_job(c->config, c->argv[i], &job, e)) == SP_OK && n < c->config->njobs)
            look_at_job(c, job, host, &jobs[n++]);
    }
    if (optind + 1 >= c->argc) {
        for (; n < c->config->njobs; n++)
            look_at_job(c, &c->config->jobs[n], host, &jobs[n]);
    }
    free(host);
    *ret_n = n;
    return rc;
}

static enum sp_exit
status(struct sp_cli *c, const struct sp_service_ask *a)
{
    struct sp_service_look look = {0};
    struct job_status *jobs = calloc(c->config->njobs + 1, sizeof(*jobs));
    struct sp_buf out = SP_BUF_INIT;
    struct sp_json j;
    struct sp_err e = {0};
    size_t n = 0;
    enum sp_code rc = jobs == NULL ? sp_fail_nomem(&e) : SP_OK;

    if (rc == SP_OK && (rc = look_at_jobs(c, jobs, &n, &e)) == SP_OK)
        rc = sp_service_look(a, &look, &e);
    if (rc == SP_OK && c->json) {
        sp_json_init(&j, &out);
        sp_json_object(&j);
        sp_json_kstr(&j, "service", state_words(look.state));
        sp_json_kstr(&j, "by", look.what);
        sp_json_kbool(&j, "outdated", look.stale);
        sp_json_key(&j, "jobs");
        sp_json_array(&j);
        for (size_t i = 0; i < n; i++)
            json_job(&j, &jobs[i]);
        sp_json_array_end(&j);
        sp_json_object_end(&j);
        if ((rc = sp_buf_ok(&out, &e)) == SP_OK)
            sp_cli_print_json(&out);
    } else if (rc == SP_OK) {
        (void)printf("service: %s%s%s\n", state_words(look.state), look.what[0] != '\0' ? ", " : "",
            look.what);
        if (look.stale)
            (void)printf("It is older than the configuration: run 'stillpoint service install%s' "
                         "again\n",
                a->user ? " --user" : "");
        rc = print_jobs(jobs, n, &e);
    }
    sp_buf_free(&out);
    free(jobs);
    return rc == SP_OK ? SP_EXIT_DONE : sp_cli_fail(c, &e);
}

/* --- the others
 * ------------------------------------------------------------------------------------------- */

/* systemd takes every exit of ExecCondition= from 1 to 254 for "not now", which fails nothing and
 * is told to nobody: what cannot be known lets the run begin, which fails by the same reason aloud.
 */
static enum sp_exit
unknown(struct sp_cli *c, const struct sp_err *e)
{
    (void)sp_cli_fail(c, e);
    return SP_EXIT_DONE;
}

static enum sp_exit
allowed(struct sp_cli *c)
{
    const struct sp_job *job;
    struct sp_err e = {0};
    const char *why = NULL;

    if (optind + 2 != c->argc)
        return sp_cli_usage(c, "allowed takes one JOB");
    if (sp_config_job(c->config, c->argv[optind + 1], &job, &e) != SP_OK)
        return unknown(c, &e);
    if (!job->on_battery && sp_machine_on_battery() == SP_KNOWN_YES)
        why = "this machine runs on its battery (on-battery = no)";
    else if (!job->on_metered && sp_machine_on_metered() == SP_KNOWN_YES)
        why = "the network is metered (on-metered = no)";
    if (why == NULL)
        return SP_EXIT_DONE;
    sp_cli_say(c, "%s: not now, %s", job->name, why);
    return SP_EXIT_PARTLY;
}

static bool
scheduled(const struct sp_config *config)
{
    for (size_t i = 0; i < config->njobs; i++) {
        if (config->jobs[i].schedule.set)
            return true;
    }
    return false;
}

static enum sp_exit
act(struct sp_cli *c, const struct sp_service_ask *a, const char *closing,
    enum sp_code (*f)(const struct sp_service_ask *a, struct sp_buf *said, struct sp_err *e))
{
    struct sp_buf said = SP_BUF_INIT;
    struct sp_err e = {0};
    enum sp_code rc;

    if (optind + 1 < c->argc)
        return sp_cli_usage(c, "'%s' is too much", c->argv[optind + 1]);
    rc = f(a, &said, &e);
    if (said.len > 0 && !c->json && (!c->quiet || rc != SP_OK))
        (void)fputs(sp_buf_str(&said), stdout);
    sp_buf_free(&said);
    if (rc != SP_OK)
        return sp_cli_fail(c, &e);
    sp_cli_say(c, "%s", closing);
    return SP_EXIT_DONE;
}

static enum sp_exit
install(struct sp_cli *c, const struct sp_service_ask *a)
{
    if (!scheduled(c->config))
        return sp_cli_usage(c,
            "no job of %s has a schedule; add one, for example 'schedule = daily at 02:00'",
            c->config->file != NULL ? c->config->file : "the configuration (there is none)");
    return act(c, a, "Jobs run by their schedule now; 'stillpoint service status' tells when",
        sp_service_install);
}

static enum sp_exit
serve(struct sp_cli *c, const struct sp_service_ask *a)
{
    struct sp_err e = {0};

    if (optind + 1 < c->argc)
        return sp_cli_usage(c, "'%s' is too much", c->argv[optind + 1]);
    return sp_service_serve(a, &e) == SP_OK ? SP_EXIT_DONE : sp_cli_fail(c, &e);
}

static enum sp_exit
dispatch(struct sp_cli *c, struct sp_service_ask *a, const char *verb)
{
    struct sp_err e = {0};

    /* remove and stop work whatever became of the configuration, and run tells it to the log. */
    if (strcmp(verb, "remove") == 0)
        return act(c, a, "No job runs by itself any more", sp_service_remove);
    if (strcmp(verb, "stop") == 0)
        return act(c, a,
            "Stopped until the next start of the machine, or 'stillpoint service start'",
            sp_service_stop);
    if (strcmp(verb, "start") == 0)
        return act(c, a, "Started", sp_service_start);
    if (strcmp(verb, "run") == 0)
        return serve(c, a);
    if (sp_cli_config(c, &e) != SP_OK)
        return strcmp(verb, "allowed") == 0 ? unknown(c, &e) : sp_cli_fail(c, &e);
    a->config = c->config;
    if (strcmp(verb, "install") == 0)
        return install(c, a);
    if (strcmp(verb, "status") == 0)
        return status(c, a);
    if (strcmp(verb, "allowed") == 0)
        return allowed(c);
    return sp_cli_usage(c, "there is no 'service %s'", verb);
}

static enum sp_exit
run(struct sp_cli *c)
{
    static const struct option longs[] = {{"user", no_argument, NULL, OPT_USER},
        {"scheduler", no_argument, NULL, OPT_SCHEDULER},
        {"root", required_argument, NULL, OPT_ROOT}, {NULL, 0, NULL, 0}};
    struct sp_service_ask a = {.env = c->env};
    struct sp_err e = {0};
    char *config = NULL, *root = NULL;
    enum sp_exit code = SP_EXIT_USAGE;
    enum sp_code rc = SP_OK;
    int opt;

    while ((opt = sp_cli_getopt(c, "", longs)) != -1) {
        if (opt == OPT_USER)
            a.user = true;
        else if (opt == OPT_SCHEDULER)
            a.scheduler = true;
        else if (opt == OPT_ROOT && root == NULL)
            rc = sp_os_absolute(optarg, &root, &e);
        else if (opt == '?')
            goto out;
    }
    if (rc == SP_OK && c->config_file != NULL) /* the service stands in another folder */
        rc = sp_os_absolute(c->config_file, &config, &e);
    a.config_file = config;
    a.root = root;
    if (rc != SP_OK)
        code = sp_cli_fail(c, &e);
    else if (optind >= c->argc)
        code = sp_cli_usage(c, "say what: install, remove, start, stop, status or run");
    else
        code = dispatch(c, &a, c->argv[optind]);
out:
    free(config);
    free(root);
    return code;
}

const struct sp_command sp_cmd_service = {"service", "run jobs by their schedule", usage, run};
