#ifndef SP_CLIENT_SCHEDULER_H
#define SP_CLIENT_SCHEDULER_H

/* What the service does: which job runs when. Jobs come from the configuration file, which is read
 * again when it changes; a broken new one is told and the old one stays. A run is a process of its
 * own (`stillpoint backup JOB`), so that a crash of one never ends the service; they write their
 * log and their result themselves (job_files.h).
 *
 * Rules:
 *   - one run at a time per repository; further jobs wait in the order of their times (a run
 * started by hand is waited for by the run itself, run_turn.h);
 *   - a time that passed more than two minutes ago when it is noticed (off, asleep, held by battery
 * or a metered network) is missed: with `catch-up` it runs once as soon as it can, however many
 * were missed; a time that comes while the job still runs is passed over;
 *   - a run that could not reach its store (exit 6) is tried again after 1, 2, 4 … 60 minutes,
 * until the schedule's next time;
 *   - the wall clock says when something is due, the monotonic one how long to wait (R9). Set back
 * by up to three hours, nothing runs twice; by more, counting begins anew there. Never is longer
 * waited than a minute, so sleep and a set clock are noticed within one;
 *   - asked to stop, runs are asked to stop and have 60 seconds for their checkpoint; what was
 * interrupted is due again when the service starts.
 *
 * What must outlive the service (up to which time each job's schedule was looked at) is kept in the
 * state folder, `schedule`: a time is settled there only when its run has ended, so what a power
 * cut interrupts is made up for as well. A lost file costs at most the catching-up. Time,
 * processes, power and network stand behind a table, so tests run weeks in milliseconds. One
 * thread. */

#include "base/os.h"
#include "client/config.h"
#include "client/schedule.h"

enum sp_event { /* the numbers are those of the Event Log (cmake/windows/events.mc) */
    SP_EVENT_START = 1,
    SP_EVENT_SUCCESS = 2,
    SP_EVENT_PARTLY = 3,
    SP_EVENT_FAILURE = 4,
    SP_EVENT_SERVICE = 5, /* started, stopped */
    SP_EVENT_NOTE = 6     /* missed, held, tried again, configuration */
};
enum sp_known { SP_KNOWN_NO, SP_KNOWN_YES, SP_KNOWN_NOT };
enum sp_wake { SP_WAKE_TIME, SP_WAKE_CHILD, SP_WAKE_STOP };

struct sp_child; /* a run; the table's */
struct sp_scheduler_table {
    void *self;
    struct sp_local local;
    /* Until the time passed, a child ended, or the service is to stop (which is said once). */
    enum sp_wake (*wait)(void *self, uint32_t ms);
    enum sp_code (*start)(
        void *self, const struct sp_job *job, struct sp_child **ret, struct sp_err *e);
    /* True when it ended: frees it. 128 + number for a signal or a crash. */
    bool (*ended)(void *self, struct sp_child *c, int *ret_exit);
    void (*stop)(void *self, struct sp_child *c, bool now); /* gently, or now */
    enum sp_known (*on_battery)(void *self);
    enum sp_known (*on_metered)(void *self);
    void (*event)(void *self, enum sp_event what, const char *job, const char *sentence);
};

struct sp_scheduler_options {
    const struct sp_env *env;
    const struct sp_scheduler_table *table;
    const char *config_file; /* NULL: the usual place */
    const char *state_file;  /* NULL: `schedule` in the state folder */
    const char *host;        /* for random-delay */
    bool may_idle; /* no job has a schedule yet: the configuration is waited for (Windows' service,
                      which the installer starts before there is any) */
};

/* Until it is told to stop. Fails only before its first wait: a configuration that cannot be read,
 * no job with a schedule (unless it may idle). */
enum sp_code sp_scheduler_run(const struct sp_scheduler_options *o, struct sp_err *e);

/* Shared with `service status`. */
enum sp_event sp_event_of_exit(int exit_code);
const char *sp_exit_word(int exit_code); /* done, partly, failed, unreachable … */

#endif
