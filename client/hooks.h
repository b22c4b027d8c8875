#ifndef SP_CLIENT_HOOKS_H
#define SP_CLIENT_HOOKS_H

/* The user's commands around a run. Run by the platform's shell, with a time limit after which the command and all
 * that it started are ended. Its output goes to ours. STILLPOINT_* variables tell it what is going on. */

#include "base/err.h"
#include "client/config.h"

struct sp_hook_env { /* NULL ends */
    const char *name, *value;
};
/* SP_OK: exit status 0. SP_TIMEOUT: ended by us. SP_IO: another exit status or signal, named. */
enum sp_code sp_hook_run(const char *what, const char *command, const struct sp_hook_env *vars,
    int64_t timeout_ns, struct sp_err *e);

/* GET of an http(s) URL, 10 s; SP_OK for an answer below 400. */
enum sp_code sp_http_get(const char *url, struct sp_err *e);

#endif
