/* The system's clocks and local time: see clock.h. */

#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static int64_t
read_clock(clockid_t id)
{
    struct timespec t;

    /* Both clocks exist on every system this file is for. */
    if (clock_gettime(id, &t) != 0)
        abort();
    return (int64_t)t.tv_sec * SP_SECOND + t.tv_nsec;
}

static int64_t
system_wall(void *self)
{
    (void)self;
    return read_clock(CLOCK_REALTIME);
}

static int64_t
system_mono(void *self)
{
    (void)self;
    return read_clock(CLOCK_MONOTONIC);
}

const struct sp_clock sp_clock_system = {system_wall, system_mono, NULL};

void
sp_sleep_ms(uint32_t ms)
{
    struct timespec left = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000};

    while (clock_nanosleep(CLOCK_MONOTONIC, 0, &left, &left) == EINTR)
        continue;
}

void
sp_time_local(int64_t wall_ns, char to[32])
{
    time_t t = (time_t)(wall_ns / SP_SECOND - (wall_ns % SP_SECOND < 0));
    struct tm tm;

    /* localtime_r is not obliged to look at TZ. */
    tzset();
    if (localtime_r(&t, &tm) == NULL)
        sp_time_utc(wall_ns, to);
    else
        (void)snprintf(to, 32, "%04d-%02d-%02d %02d:%02d:%02d", (tm.tm_year + 1900) % 10000,
            tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
}
