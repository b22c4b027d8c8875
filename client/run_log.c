#include "client/run_log.h"

#include <stdio.h>
#include <stdlib.h>

#include "client/job_files.h"

#define KEPT 3

enum sp_code
sp_run_log(const struct sp_env *env, const char *job, char **ret, struct sp_err *e)
{
    struct sp_os_stat st;
    struct sp_err ignored = {0};
    char *log = NULL, *from = NULL, *to = NULL, suffix[16];
    enum sp_code rc;

    if ((rc = sp_job_file(env, job, ".log", true, &log, e)) != SP_OK)
        return rc;
    if (env->os->stat(env->os->self, log, &st, &ignored) != SP_OK || st.size < SP_RUN_LOG_MOST)
        goto out;
    for (int i = KEPT; i >= 1 && rc == SP_OK; i--) { /* .2 to .3, .1 to .2, then the log to .1 */
        (void)snprintf(suffix, sizeof(suffix), ".log.%d", i);
        rc = sp_job_file(env, job, suffix, false, &to, e);
        (void)snprintf(suffix, sizeof(suffix), ".log.%d", i - 1);
        if (rc == SP_OK)
            rc = sp_job_file(env, job, i == 1 ? ".log" : suffix, false, &from, e);
        if (rc == SP_OK) /* one that is not there yet is fine; one that stays is written on */
            (void)env->os->replace(env->os->self, from, to, &ignored);
        free(from);
        free(to);
        from = to = NULL;
    }
out:
    if (rc == SP_OK)
        *ret = log;
    else
        free(log);
    return rc;
}
