#include "client/job_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "client/hooks.h"
#include "client/job_files.h"

/* The user's commands around a run, and what follows it. */

enum sp_code
job_hook(struct run *r, const char *what, const char *command, const char *status, struct sp_err *e)
{
    const struct sp_hook_env vars[] = {{"STILLPOINT_JOB", r->job->name},
        {"STILLPOINT_REPOSITORY", r->store.address != NULL ? r->store.address : ""},
        {"STILLPOINT_STATUS", status},
        {"STILLPOINT_SET", r->result.sequence > 0 ? sp_hex16(r->result.set_id).s : ""},
        {NULL, NULL}};

    if (command[0] == '\0')
        return SP_OK;
    return sp_hook_run(what, command, vars, r->job->command_timeout_ns, e);
}

void
job_follow_up(struct run *r, bool success, const char *status)
{
    struct sp_err e = {0};
    char *url;

    if (job_hook(r, success ? "on-success" : "on-failure",
            success ? r->job->on_success : r->job->on_failure, status, &e) != SP_OK)
        sp_cli_warn(r->c, "%s", e.text);
    if (r->job->ping_url[0] == '\0')
        return;
    url = malloc(strlen(r->job->ping_url) + 8);
    if (url == NULL)
        return;
    (void)sprintf(url, "%s%s", r->job->ping_url, success ? "" : "/fail");
    if (sp_http_get(url, &e) != SP_OK)
        sp_cli_warn(r->c, "the ping failed: %s", e.text);
    free(url);
}

void
job_remember(struct run *r, int64_t started_ns, enum sp_exit code)
{
    struct sp_last_run last = {.started_ns = started_ns, .exit_code = (int)code};
    struct sp_err e = {0};

    last.ended_ns = sp_clock_wall(r->c->env->clock);
    last.success_ns = code == SP_EXIT_DONE || code == SP_EXIT_PARTLY ? last.ended_ns : 0;
    (void)snprintf(last.text, sizeof(last.text), "%s", r->closing);
    if (sp_last_run_write(r->c->env, r->job->name, &last, &e) != SP_OK)
        sp_cli_warn(r->c, "how this run went cannot be kept for 'service status': %s", e.text);
}
