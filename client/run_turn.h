#ifndef SP_CLIENT_RUN_TURN_H
#define SP_CLIENT_RUN_TURN_H

/* One run at a time per repository on this machine, whoever starts it: the service, a timer, or a
 * user by hand. `folder` is the profile's, `job` is said to whoever has to wait. */

#include "client/cli.h"
#include "client/job_files.h"

/* SP_BUSY: another run has it; the text names it. Where no locks are possible: a warning, SP_OK and
 * *ret NULL. */
enum sp_code sp_run_lock_now(struct sp_cli *c, const char *folder, const char *job,
    struct sp_run_lock **ret, struct sp_err *e);
/* Waits for it; SP_CANCELLED when a signal says not to. */
enum sp_code sp_run_lock_wait(struct sp_cli *c, const char *folder, const char *job,
    struct sp_run_lock **ret, struct sp_err *e);

#endif
