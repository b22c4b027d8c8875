#include <string.h>

#include "client/schedule_parse.h"

/* A schedule in the words of others: OnCalendar= of systemd, the fields of crontab(5). Both say a
 * time as hours × minutes, so the minutes of the day are told hour by hour, hours of the same
 * minutes together. */

struct style {
    const char *range;
    int digits;
};
static const struct style systemd = {"..", 2}, cron = {"-", 1};

/* The bits low … high as "1,2,5..9"; "*" when they are all set. */
static void
put_list(struct sp_buf *b, const struct style *st, uint64_t bits, unsigned low, unsigned high)
{
    bool first = true, all = true;

    for (unsigned i = low; i <= high; i++)
        all = all && (bits >> i & 1) != 0;
    if (all) {
        sp_buf_put_str(b, "*");
        return;
    }
    for (unsigned i = low; i <= high; i++) {
        unsigned end = i;

        if ((bits >> i & 1) == 0)
            continue;
        while (end < high && (bits >> (end + 1) & 1) != 0)
            end++;
        if (!first)
            sp_buf_put_str(b, ",");
        first = false;
        if (end < i + 2) /* a range of two is no shorter than the two */
            end = i;
        sp_buf_printf(b, "%.*u", st->digits, i);
        if (end > i)
            sp_buf_printf(b, "%s%.*u", st->range, st->digits, end);
        i = end;
    }
}

static uint64_t
minutes_of(const struct sp_schedule *s, unsigned hour)
{
    uint64_t bits = 0;

    for (unsigned m = 0; m < 60; m++) {
        unsigned at = hour * 60 + m;

        bits |= (s->minutes[at / 64] >> (at % 64) & 1) << m;
    }
    return bits;
}

/* Calls `each` for every distinct set of minutes and the hours that have it. */
static void
by_hours(const struct sp_schedule *s, struct sp_buf *ret,
    void (*each)(struct sp_buf *ret, const struct sp_schedule *s, uint32_t hours, uint64_t minutes))
{
    uint32_t done = 0, hours;

    for (unsigned h = 0; h < 24; h++) {
        uint64_t minutes = minutes_of(s, h);

        if ((done >> h & 1) != 0 || minutes == 0)
            continue;
        hours = 0;
        for (unsigned other = h; other < 24; other++)
            hours |= minutes_of(s, other) == minutes ? UINT32_C(1) << other : 0;
        done |= hours;
        each(ret, s, hours, minutes);
    }
}

/* `every` as a calendar, when it begins anew with each day or week. */
static enum sp_code
calendar_of(const struct sp_schedule *s, struct sp_schedule *ret, struct sp_err *e)
{
    *ret = *s;
    if (s->every == 0)
        return SP_OK;
    ret->days = SP_ALL_DAYS;
    ret->months = SP_ALL_MONTHS;
    ret->weekdays = SP_ALL_WEEKDAYS;
    if (s->every == 7 * SP_DAY_MINUTES)
        ret->weekdays = 1u << 4; /* weeks are counted from a Thursday */
    else if (SP_DAY_MINUTES % s->every != 0)
        return sp_fail(e, SP_UNSUPPORTED, SP_DOM_CONFIG,
            "'%s' divides neither a day nor a week evenly, and a calendar cannot say it; use a "
            "time "
            "that does (1h, 90m, 2h, 3h, 4h, 6h, 8h, 12h, 1d, 1w)",
            s->text);
    for (unsigned m = 0; m < SP_DAY_MINUTES; m += s->every)
        sp_schedule_minute(ret, m);
    return SP_OK;
}

/* --- systemd
 * --------------------------------------------------------------------------------------- */

static void
put_calendar(struct sp_buf *b, const struct sp_schedule *s, uint8_t weekdays, const char *day_mark,
    uint32_t days, uint32_t hours, uint64_t minutes)
{
    static const char *const names[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    const char *between = "";

    if (weekdays != SP_ALL_WEEKDAYS) {
        for (unsigned d = 0; d < 7; d++) {
            if ((weekdays >> d & 1) == 0)
                continue;
            sp_buf_printf(b, "%s%s", between, names[d]);
            between = ",";
        }
        sp_buf_put_str(b, " ");
    }
    sp_buf_put_str(b, "*-");
    put_list(b, &systemd, s->months, 1, 12);
    sp_buf_put_str(b, day_mark);
    put_list(b, &systemd, days, 1, 31);
    sp_buf_put_str(b, " ");
    put_list(b, &systemd, hours, 0, 23);
    sp_buf_put_str(b, ":");
    put_list(b, &systemd, minutes, 0, 59);
    sp_buf_put_str(b, ":00\n");
}

/* systemd wants both day fields to match: where one is enough there are two lines. */
static void
each_calendar(struct sp_buf *b, const struct sp_schedule *s, uint32_t hours, uint64_t minutes)
{
    uint8_t weekdays = s->either ? SP_ALL_WEEKDAYS : s->weekdays;

    if ((s->days & SP_ALL_DAYS) != 0)
        put_calendar(b, s, weekdays, "-", s->days, hours, minutes);
    if ((s->days & 1) != 0) /* '~' counts from the end of the month */
        put_calendar(b, s, weekdays, "~", UINT32_C(1) << 1, hours, minutes);
    if (s->either)
        put_calendar(b, s, s->weekdays, "-", SP_ALL_DAYS, hours, minutes);
}

enum sp_code
sp_schedule_systemd(const struct sp_schedule *s, struct sp_buf *ret, struct sp_err *e)
{
    struct sp_schedule by_calendar;
    enum sp_code rc;

    if ((rc = calendar_of(s, &by_calendar, e)) != SP_OK)
        return rc;
    by_hours(&by_calendar, ret, each_calendar);
    return sp_buf_ok(ret, e);
}

/* --- cron
 * ------------------------------------------------------------------------------------------ */

static void
each_line(struct sp_buf *b, const struct sp_schedule *s, uint32_t hours, uint64_t minutes)
{
    put_list(b, &cron, minutes, 0, 59);
    sp_buf_put_str(b, " ");
    put_list(b, &cron, hours, 0, 23);
    sp_buf_put_str(b, " ");
    put_list(b, &cron, s->days, 1, 31);
    sp_buf_put_str(b, " ");
    put_list(b, &cron, s->months, 1, 12);
    sp_buf_put_str(b, " ");
    put_list(b, &cron, s->weekdays, 0, 6);
    sp_buf_put_str(b, "\n");
}

enum sp_code
sp_schedule_cron(const struct sp_schedule *s, struct sp_buf *ret, struct sp_err *e)
{
    struct sp_schedule by_calendar;
    enum sp_code rc;

    if (strncmp(s->text, "cron ", 5) == 0 && s->text[5] != '@') { /* its own words */
        sp_buf_printf(ret, "%s\n", s->text + 5);
        return sp_buf_ok(ret, e);
    }
    if ((rc = calendar_of(s, &by_calendar, e)) != SP_OK)
        return rc;
    if ((by_calendar.days & 1) != 0)
        return sp_fail(
            e, SP_UNSUPPORTED, SP_DOM_CONFIG, "'%s': cron knows no last day of a month", s->text);
    by_hours(&by_calendar, ret, each_line);
    return sp_buf_ok(ret, e);
}
