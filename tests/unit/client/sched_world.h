#ifndef SP_TESTS_SCHED_WORLD_H
#define SP_TESTS_SCHED_WORLD_H

/* The world around the service's loop, under a clock of its own: weeks pass in milliseconds. The
 * zone is Berlin's; "now" begins on Friday 26 March 2027, 12:00 UTC (13:00 there). */

#include "tests/unit/base/support.h"

#include "base/path.h"
#include "client/job_files.h"
#include "client/scheduler.h"
#include "tests/unit/client/zones.h"

#define MINUTE (60 * SP_SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define MOST 64

/* What happens from outside at a given time (monotonic). */
struct happening {
    int64_t at;
    void (*what)(void);
};

extern struct sched_world {
    char *folder, *config, *state;
    int64_t wall, mono, start_mono;
    struct zone zone;
    struct happening happenings[16];
    size_t nhappenings, happened;
    bool stop;
    struct {
        char job[32];
        int64_t wall, mono, ends_mono; /* start, start, end */
        bool over, gently, now;
        int exit_code;
    } runs[MOST];
    int nruns;
    int64_t lasts; /* how long a run takes */
    int exit_code;
    bool deaf; /* to a gentle stop */
    bool fails_to_start;
    bool may_idle;
    enum sp_known battery, metered;
    char said[16384];
    size_t waits;
} world;

#define NIGHTLY "[files]\npath = /etc\nschedule = daily at 02:30\n"

int sched_setup(void **state);
int sched_teardown(void **state);
void write_config(const char *text);
void pass(int64_t ns);
/* What is to happen so long after now, in the order of calls. */
void at(int64_t since_start, void (*what)(void));
enum sp_code try_run(struct sp_err *e);
/* The service for so long; what was to happen is done. */
void serve(int64_t ns);
/* Starts as "JOB 03-27 01:00", UTC, in their order, separated by '|'. */
void ran(const char *want);
void said(const char *words);

#define TEST(f) cmocka_unit_test_setup_teardown(f, sched_setup, sched_teardown)

#endif
