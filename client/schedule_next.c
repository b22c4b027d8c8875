#include <string.h>

#include "client/schedule.h"

/* When a schedule comes next. Wall time is counted here in minutes since 1970-01-01 00:00 on the
 * clock on the wall, without zone, real time in minutes since 1970 UTC; the difference is the
 * zone's offset. */

#define DAY SP_DAY_MINUTES
#define NS_PER_MINUTE (60 * SP_SECOND)
/* From one 29 February on a given day of the week to the next, across 2100: 40 years. */
#define DAYS_AHEAD (41 * 366)

static bool
system_civil(void *self, int64_t seconds, struct sp_civil *ret)
{
    (void)self;
    return sp_civil_local(seconds, ret);
}

const struct sp_local sp_local_system = {system_civil, NULL};

static int64_t
floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* The calendar of Howard Hinnant's date algorithms, as in base/clock.c. */
static int64_t
days_of(int year, int month, int day)
{
    int64_t y = year - (month <= 2), era = floor_div(y, 400), yoe = y - era * 400;
    int64_t doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

    return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static void
date_of(int64_t days, int *year, int *month, int *day)
{
    int64_t z = days + 719468, era = floor_div(z, 146097), doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;

    *day = (int)(doy - (153 * mp + 2) / 5 + 1);
    *month = (int)(mp < 10 ? mp + 3 : mp - 9);
    *year = (int)(yoe + era * 400 + (*month <= 2));
}

/* Real minutes to wall minutes. */
static bool
wall_of(const struct sp_local *l, int64_t real, int64_t *ret)
{
    struct sp_civil c;

    if (!l->civil(l->self, real * 60, &c))
        return false;
    *ret = days_of(c.year, c.month, c.day) * DAY + c.hour * 60 + c.minute;
    return true;
}

/* The first real minute at which the wall shows `wall` or, when it jumps over that, more. Offsets
 * lie between -12 and +14 hours, so what matters lies within a day of `wall` taken as UTC; at most
 * one change of the offset lies there. */
static bool
real_of(const struct sp_local *l, int64_t wall, int64_t *ret)
{
    int64_t low = wall - DAY, high = wall + DAY, middle, before, behind, w;

    if (!wall_of(l, low, &w))
        return false;
    before = w - low;
    if (!wall_of(l, high, &w))
        return false;
    behind = w - high;
    if (before != behind) {
        while (high - low > 1) { /* high: the first minute with the new offset */
            middle = low + (high - low) / 2;
            if (!wall_of(l, middle, &w))
                return false;
            if (w - middle == before)
                low = middle;
            else
                high = middle;
        }
        if (wall - before >= high) {
            *ret = wall - behind > high ? wall - behind : high;
            return true;
        }
    }
    *ret = wall - before;
    return true;
}

static bool
day_matches(const struct sp_schedule *s, int64_t days)
{
    int year, month, day, next_month, next_day;
    bool of_month, of_week;

    date_of(days, &year, &month, &day);
    if ((s->months >> month & 1) == 0)
        return false;
    of_month = (s->days >> day & 1) != 0;
    if (!of_month && (s->days & 1) != 0) {
        date_of(days + 1, &year, &next_month, &next_day);
        of_month = next_day == 1;
    }
    of_week = (s->weekdays >> ((days % 7 + 11) % 7) & 1) != 0; /* day 0 was a Thursday, 4 */
    return s->either ? of_month || of_week : of_month && of_week;
}

/* `every` of an hour or less: minute by minute, also through an hour that comes twice. */
static bool
next_by_minute(const struct sp_schedule *s, const struct sp_local *l, int64_t after, int64_t *ret)
{
    int64_t real = after, was, now;

    if (!wall_of(l, real, &was))
        return false;
    for (;;) {
        if (!wall_of(l, ++real, &now))
            return false;
        /* Behind a gap: what fell into it is due as well. */
        if (floor_div(now, s->every) != floor_div(now > was ? was : now - 1, s->every)) {
            *ret = real;
            return true;
        }
        was = now;
    }
}

/* `every` of more than an hour. */
static bool
next_by_count(const struct sp_schedule *s, const struct sp_local *l, int64_t after, int64_t *ret)
{
    int64_t wall, real;

    if (!wall_of(l, after, &wall))
        return false;
    for (wall = floor_div(wall, s->every) * s->every;; wall += s->every) {
        if (!real_of(l, wall, &real))
            return false;
        if (real > after) {
            *ret = real;
            return true;
        }
    }
}

static bool
next_by_calendar(const struct sp_schedule *s, const struct sp_local *l, int64_t after, int64_t *ret)
{
    int64_t wall, day, end, real;

    if (!wall_of(l, after, &wall))
        return false;
    day = floor_div(wall, DAY); /* what comes after `after` shows more on the wall than now */
    for (end = day + DAYS_AHEAD; day < end; day++) {
        if (!day_matches(s, day))
            continue;
        for (unsigned m = 0; m < DAY; m++) {
            if ((s->minutes[m / 64] >> (m % 64) & 1) == 0 || day * DAY + m <= wall)
                continue;
            if (!real_of(l, day * DAY + m, &real))
                return false;
            if (real > after) {
                *ret = real;
                return true;
            }
        }
    }
    return false;
}

bool
sp_schedule_next(
    const struct sp_schedule *s, const struct sp_local *local, int64_t after_ns, int64_t *ret_ns)
{
    int64_t after = floor_div(after_ns, NS_PER_MINUTE), real;
    bool found;

    if (!s->set)
        return false;
    if (s->every > 0 && s->every <= 60)
        found = next_by_minute(s, local, after, &real);
    else if (s->every > 0)
        found = next_by_count(s, local, after, &real);
    else
        found = next_by_calendar(s, local, after, &real);
    if (!found || real > INT64_MAX / NS_PER_MINUTE)
        return false;
    *ret_ns = real * NS_PER_MINUTE;
    return true;
}
