#ifndef SP_CLIENT_SCHEDULER_IMPL_H
#define SP_CLIENT_SCHEDULER_IMPL_H

/* Between scheduler.c (the loop, runs), scheduler_due.c (which time has come) and scheduler_state.c
 * (what is kept, and the configuration). */

#include "client/scheduler.h"

#define SP_LATE (2 * 60 * SP_SECOND)       /* later than this is missed */
#define SP_SET_BACK (3 * 3600 * SP_SECOND) /* further than this the clock begins anew */

struct sp_task { /* a job with a schedule, or one that still runs after it lost it */
    char *name;
    const struct sp_job *job; /* of the present configuration; NULL: no longer scheduled */
    struct sp_schedule schedule;
    int64_t delay_ns;
    int64_t decided_ns; /* all times of the schedule up to here are settled; wall */
    int64_t missed_ns;  /* the last one missed and not caught up; 0: none */
    bool due, told_held;
    int64_t due_ns;        /* wall: the time it is due for, delay included */
    unsigned attempts;     /* that could not reach the store */
    int64_t not_before_ns; /* monotonic: the pause before the next attempt */
    struct sp_child *child;
    char *repository;   /* of the run */
    int64_t started_ns; /* wall */
};

struct sp_scheduler {
    const struct sp_scheduler_options *o;
    const struct sp_scheduler_table *t;
    struct sp_config *config;
    char *config_path, *state_path;
    struct sp_os_stat config_stat; /* of the file as it was last looked at */
    bool config_there;
    struct sp_task *tasks;
    size_t ntasks;
    bool dirty; /* the state is to be written */
    bool stopping;
};

void sp_scheduler_tell(struct sp_scheduler *s, enum sp_event what, const char *job, const char *fmt,
    ...) SP_PRINTF(4, 5);

/* --- scheduler_due.c
 * ---------------------------------------------------------------------------------- */

/* Settles the times that came. */
void sp_task_decide(struct sp_scheduler *s, struct sp_task *t, int64_t now);
/* When the next time comes; false: never. */
bool sp_task_next(const struct sp_scheduler *s, const struct sp_task *t, int64_t *ret);
/* Whether battery and network let it run; tells once when not. What may not be caught up is
 * dropped. */
bool sp_task_allowed(struct sp_scheduler *s, struct sp_task *t, int64_t now);

/* --- scheduler_state.c
 * -------------------------------------------------------------------------------- */

/* Reads the configuration when it changed (or `first`), and makes the tasks follow it. Only at
 * first it fails. */
enum sp_code sp_scheduler_configure(struct sp_scheduler *s, bool first, struct sp_err *e);
void sp_scheduler_keep(struct sp_scheduler *s); /* writes the state when it is dirty */
void sp_task_clear(struct sp_task *t);

#endif
