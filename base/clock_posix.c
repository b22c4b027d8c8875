/* The system's clocks and local time: see clock.h. */

#include "base/clock.h"

#include <errno.h>
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

bool
sp_civil_local(int64_t seconds, struct sp_civil *ret)
{
    time_t t = (time_t)seconds;
    struct tm tm;

    /* localtime_r is not obliged to look at TZ. */
    tzset();
    if (localtime_r(&t, &tm) == NULL)
        return false;
    *ret = (struct sp_civil){
        tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec};
    return true;
}

bool
sp_civil_seconds(const struct sp_civil *c, int64_t *ret_seconds)
{
    struct tm tm = {.tm_year = c->year - 1900,
        .tm_mon = c->month - 1,
        .tm_mday = c->day,
        .tm_hour = c->hour,
        .tm_min = c->minute,
        .tm_sec = c->second,
        .tm_isdst = -1,
        .tm_wday = -1};
    time_t t = mktime(&tm);

    /* -1 is also a time; a success always fills in the day of the week. */
    if (t == (time_t)-1 && tm.tm_wday == -1)
        return false;
    *ret_seconds = (int64_t)t;
    return true;
}
