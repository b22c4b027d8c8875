#ifndef SP_CLIENT_RUN_LOG_H
#define SP_CLIENT_RUN_LOG_H

/* What both platforms' runners share. */

#include "base/err.h"
#include "base/os.h"

#define SP_RUN_LOG_MOST (1u << 20) /* of one log; three older ones are kept */

/* The path of the job's log, malloc'd; one that has grown too long is moved aside first. */
enum sp_code sp_run_log(const struct sp_env *env, const char *job, char **ret, struct sp_err *e);

#endif
