#ifndef SP_CLIENT_RUNNER_WIN32_H
#define SP_CLIENT_RUNNER_WIN32_H

#include "client/service.h"

#define SP_SERVICE_NAME L"Stillpoint" /* and the Event Log's source */

/* The path of this program, malloc'd, with '/'. */
enum sp_code sp_runner_program(char **ret, struct sp_err *e);
/* The scheduler among processes; stop and wake from any thread. */
struct sp_runner;
enum sp_code
sp_runner_new(const struct sp_service_ask *a, struct sp_runner **ret, struct sp_err *e);
/* Under the service manager: events go to the Event Log, and a console is made to stop runs
 * through. */
enum sp_code sp_runner_as_service(struct sp_runner *r, struct sp_err *e);
enum sp_code sp_runner_run(struct sp_runner *r, struct sp_err *e);
void sp_runner_stop(struct sp_runner *r);
void sp_runner_wake(struct sp_runner *r);
void sp_runner_free(struct sp_runner *r); /* NULL is harmless */

#endif
