/* Time as text and back: see clock.h. */

#include "base/clock.h"

#include <stdbool.h>
#include <stdio.h>

int64_t
sp_clock_wall(const struct sp_clock *c)
{
    return c->wall_ns(c->self);
}

int64_t
sp_clock_mono(const struct sp_clock *c)
{
    return c->mono_ns(c->self);
}

/* Days since 1970-01-01 to and from the Gregorian calendar, as in Howard Hinnant's
 * "chrono-compatible low-level date algorithms"
 * (https://howardhinnant.github.io/date_algorithms.html): years begin in March, so that the leap
 * day is the last of a year; an era is 400 years, 146097 days. Own code because gmtime and timegm
 * differ between systems in range and name. */
static int64_t
days_from_civil(const struct sp_civil *c)
{
    int64_t y = c->year - (c->month <= 2);
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (c->month + (c->month > 2 ? -3 : 9)) + 2) / 5 + c->day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

    return era * 146097 + day_of_era - 719468;
}

static void
civil_from_days(int64_t days, struct sp_civil *c)
{
    int64_t z = days + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;

    c->day = (int)(doy - (153 * mp + 2) / 5 + 1);
    c->month = (int)(mp < 10 ? mp + 3 : mp - 9);
    c->year = (int)(yoe + era * 400 + (c->month <= 2));
}

static struct sp_civil
civil_of(int64_t wall_ns)
{
    int64_t s = wall_ns / SP_SECOND - (wall_ns % SP_SECOND < 0);
    int64_t days = s / 86400 - (s % 86400 < 0);
    int rest = (int)(s - days * 86400);
    struct sp_civil c;

    civil_from_days(days, &c);
    c.hour = rest / 3600;
    c.minute = rest / 60 % 60;
    c.second = rest % 60;
    return c;
}

/* An int64 of nanoseconds reaches from 1677 to 2262: the year always has four digits. */
void
sp_time_utc(int64_t wall_ns, char to[32])
{
    struct sp_civil c = civil_of(wall_ns);

    (void)snprintf(to, 32, "%04d-%02d-%02dT%02d:%02d:%02dZ", c.year % 10000, c.month % 100,
        c.day % 100, c.hour % 100, c.minute % 100, c.second % 100);
}

void
sp_time_name(int64_t wall_ns, char to[32])
{
    struct sp_civil c = civil_of(wall_ns);

    (void)snprintf(to, 32, "%04d%02d%02dt%02d%02d%02dz", c.year % 10000, c.month % 100, c.day % 100,
        c.hour % 100, c.minute % 100, c.second % 100);
}

void
sp_time_local(int64_t wall_ns, char to[32])
{
    struct sp_civil c;

    if (!sp_civil_local(wall_ns / SP_SECOND - (wall_ns % SP_SECOND < 0), &c))
        sp_time_utc(wall_ns, to);
    else
        (void)snprintf(to, 32, "%04d-%02d-%02d %02d:%02d:%02d", c.year % 10000, c.month % 100,
            c.day % 100, c.hour % 100, c.minute % 100, c.second % 100);
}

/* Exactly n digits. */
static bool
take_number(const char **s, int n, int *ret)
{
    int v = 0;

    for (int i = 0; i < n; i++) {
        if (**s < '0' || **s > '9')
            return false;
        v = v * 10 + (*(*s)++ - '0');
    }
    *ret = v;
    return true;
}

static bool
take_char(const char **s, char c)
{
    if (**s != c)
        return false;
    ++*s;
    return true;
}

static bool
parse_civil(const char *s, struct sp_civil *c, bool *utc)
{
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int length;

    *c = (struct sp_civil){0};
    *utc = false;
    if (!take_number(&s, 4, &c->year) || !take_char(&s, '-') || !take_number(&s, 2, &c->month) ||
        !take_char(&s, '-') || !take_number(&s, 2, &c->day))
        return false;
    if (c->month < 1 || c->month > 12)
        return false;
    length = lengths[c->month - 1];
    if (c->month == 2 && c->year % 4 == 0 && (c->year % 100 != 0 || c->year % 400 == 0))
        length = 29;
    if (c->day < 1 || c->day > length)
        return false;
    if (*s == '\0')
        return true;
    if (!take_char(&s, ' ') && !take_char(&s, 'T'))
        return false;
    if (!take_number(&s, 2, &c->hour) || !take_char(&s, ':') || !take_number(&s, 2, &c->minute) ||
        (take_char(&s, ':') && !take_number(&s, 2, &c->second)))
        return false;
    *utc = take_char(&s, 'Z');
    return *s == '\0' && c->hour < 24 && c->minute < 60 && c->second < 60;
}

int
sp_time_parse(const char *s, int64_t *ret_wall_ns)
{
    struct sp_civil c;
    int64_t seconds;
    bool utc;

    if (!parse_civil(s, &c, &utc))
        return -1;
    if (utc)
        seconds = days_from_civil(&c) * 86400 + c.hour * 3600 + c.minute * 60 + c.second;
    else if (!sp_civil_seconds(&c, &seconds))
        return -1;
    if (seconds > INT64_MAX / SP_SECOND || seconds < INT64_MIN / SP_SECOND)
        return -1;
    *ret_wall_ns = seconds * SP_SECOND;
    return 0;
}
