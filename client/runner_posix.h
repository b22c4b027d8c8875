#ifndef SP_CLIENT_RUNNER_POSIX_H
#define SP_CLIENT_RUNNER_POSIX_H

#include "base/err.h"
#include "client/scheduler.h"

/* The path of this program, malloc'd. */
enum sp_code sp_runner_program(char **ret, struct sp_err *e);
/* Whether what stands below a folder like /sys/class/power_supply is a machine on its battery. */
enum sp_known sp_power_in(const char *folder);

#endif
