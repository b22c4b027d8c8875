#ifndef SP_CLIENT_JOB_RUN_H
#define SP_CLIENT_JOB_RUN_H

/* One run of a job from its configuration: commands, shadow, pipeline, what follows success and failure. */

#include "client/backup.h"
#include "client/cli.h"

/* Gives the run's exit code; prints (or adds to `json`, when not NULL, as one object) what it did. */
enum sp_exit sp_job_run(struct sp_cli *c, const struct sp_job *job, bool reread,
    struct sp_json *json);
/* What it would take and leave out, and why (job_explain.c). */
enum sp_exit sp_job_explain(struct sp_cli *c, const struct sp_job *job, struct sp_json *json);

#endif
