#ifndef SP_CLIENT_SERVICE_H
#define SP_CLIENT_SERVICE_H

/* The platform's end of `stillpoint service`: how the machine is told to run jobs by their
 * schedule.
 *
 * Linux (service_linux.c, units_linux.c): systemd. By default a timer and a service a job
 * (`stillpoint-backup@JOB`), which `systemctl list-timers` shows; with `scheduler` one service that
 * runs our own loop. For the machine or for one user. Files of ours begin with a line that says so;
 * others are never touched. Windows (service_win32.c): the service "Stillpoint", which runs our own
 * loop as LocalSystem. */

#include "base/buf.h"
#include "base/os.h"
#include "client/config.h"
#include "client/scheduler.h"

struct sp_service_ask {
    const struct sp_env *env;
    const struct sp_config
        *config;             /* NULL: not needed (remove, stop), or it cannot be read (status) */
    const char *config_file; /* --config, NULL: the usual place */
    const char *root;        /* Linux: write below this folder and talk to nobody; NULL: here */
    bool user, scheduler;
};

enum sp_service_state {
    SP_SERVICE_ABSENT,
    SP_SERVICE_STOPPED,
    SP_SERVICE_RUNNING,
    SP_SERVICE_INSTALLED, /* and nobody can say more: --root, systemd is not running */
    SP_SERVICE_CHANGING   /* starting, stopping */
};
struct sp_service_look {
    enum sp_service_state state;
    bool stale;     /* older than the configuration: to be installed again */
    char what[200]; /* "timers of systemd in …" */
};

/* Each appends lines for the user to `said`, also when it fails. SP_DENIED: not elevated. */
enum sp_code
sp_service_install(const struct sp_service_ask *a, struct sp_buf *said, struct sp_err *e);
enum sp_code
sp_service_remove(const struct sp_service_ask *a, struct sp_buf *said, struct sp_err *e);
enum sp_code
sp_service_start(const struct sp_service_ask *a, struct sp_buf *said, struct sp_err *e);
enum sp_code sp_service_stop(const struct sp_service_ask *a, struct sp_buf *said, struct sp_err *e);
enum sp_code
sp_service_look(const struct sp_service_ask *a, struct sp_service_look *ret, struct sp_err *e);

/* `service run`: under the service manager or, told by it, in the foreground; until it is stopped.
 */
enum sp_code sp_service_serve(const struct sp_service_ask *a, struct sp_err *e);

/* What the platform knows of power and network (power_linux.c, power_win32.c). */
enum sp_known sp_machine_on_battery(void);
enum sp_known sp_machine_on_metered(void);

#endif
