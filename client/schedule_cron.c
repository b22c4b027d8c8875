#include <stdio.h>
#include <string.h>

#include "client/schedule_parse.h"

/* Reads cron's five fields, as crontab(5) of Vixie's cron tells them. */

static const char *const months[] = {
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec", NULL};

struct field {
    const char *what;
    unsigned low, high;
    bool weekday, month; /* may be said by name */
};
static const struct field fields[] = {{"minutes (0-59)", 0, 59, false, false},
    {"hours (0-23)", 0, 23, false, false}, {"days of the month (1-31)", 1, 31, false, false},
    {"months (1-12, jan-dec)", 1, 12, false, true},
    {"days of the week (0-7, sun-sat)", 0, 7, true, false}};

/* A number or a name at *p. */
static bool
take_value(const struct field *f, const char **p, unsigned *ret)
{
    size_t n = 0;
    unsigned v = 0;
    int day;

    while ((*p)[n] >= 'a' && (*p)[n] <= 'z')
        n++;
    if (n > 0 && f->weekday && n == 3 && (day = sp_schedule_weekday(*p, n)) >= 0) {
        *ret = (unsigned)day;
        *p += n;
        return true;
    }
    for (unsigned i = 0; n == 3 && f->month && months[i] != NULL; i++) {
        if (memcmp(*p, months[i], 3) == 0) {
            *ret = i + 1;
            *p += n;
            return true;
        }
    }
    for (n = 0; n < 2 && **p >= '0' && **p <= '9'; n++)
        v = v * 10 + (unsigned)(*(*p)++ - '0');
    *ret = v;
    return n > 0 && v >= f->low && v <= f->high;
}

/* `*`, a value or a range, and a step behind all but a single value. */
static bool
take_item(const struct field *f, const char **p, uint64_t *bits)
{
    unsigned from = f->low, till = f->high, step = 1;
    bool single = false;

    if (**p == '*') {
        ++*p;
    } else {
        if (!take_value(f, p, &from))
            return false;
        till = from;
        single = **p != '-';
        if (!single) {
            ++*p;
            if (!take_value(f, p, &till) || till < from)
                return false;
        }
    }
    if (**p == '/') {
        size_t n = 0;

        ++*p;
        for (step = 0; n < 2 && **p >= '0' && **p <= '9'; n++)
            step = step * 10 + (unsigned)(*(*p)++ - '0');
        if (single || n == 0 || step == 0)
            return false;
    }
    for (; from <= till; from += step)
        *bits |= UINT64_C(1) << from;
    return true;
}

static enum sp_code
parse_field(
    const struct field *f, const char **p, const char *whole, uint64_t *ret, struct sp_err *e)
{
    char why[200];
    const char *start = *p;

    *ret = 0;
    while (take_item(f, p, ret)) {
        if (**p != ',')
            break;
        ++*p;
    }
    if (*p > start && *ret != 0 && (**p == ' ' || **p == '\0') && (*p)[-1] != ',')
        return SP_OK;
    (void)snprintf(why, sizeof(why), "the field of the %s cannot be read at '%.20s'", f->what, *p);
    return sp_schedule_bad(e, whole, why);
}

/* With both day fields one of them may be impossible; with days alone one of them must be in one of
 * the months. */
static bool
ever(const struct sp_schedule *s)
{
    static const unsigned longest[] = {0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    if (s->either)
        return true;
    for (unsigned m = 1; m <= 12; m++) {
        for (unsigned d = 1; d <= longest[m]; d++) {
            if ((s->months >> m & 1) != 0 && (s->days >> d & 1) != 0)
                return true;
        }
    }
    return false;
}

static const struct {
    const char *name, *fields;
} nicknames[] = {{"@hourly", "0 * * * *"}, {"@daily", "0 0 * * *"}, {"@midnight", "0 0 * * *"},
    {"@weekly", "0 0 * * 0"}, {"@monthly", "0 0 1 * *"}, {"@yearly", "0 0 1 1 *"},
    {"@annually", "0 0 1 1 *"}};

enum sp_code
sp_schedule_parse_cron(const char *p, struct sp_schedule *s, struct sp_err *e)
{
    const char *starts[5];
    uint64_t bits[5];
    enum sp_code rc;

    for (size_t i = 0; i < sizeof(nicknames) / sizeof(nicknames[0]); i++) {
        if (strcmp(p, nicknames[i].name) == 0)
            p = nicknames[i].fields;
    }
    if (*p == '@')
        return sp_schedule_bad(
            e, s->text, "cron's names are @hourly, @daily, @weekly, @monthly and @yearly here");
    for (size_t i = 0; i < 5; i++) {
        if (i > 0 && *p == ' ')
            p++;
        starts[i] = p;
        if (*p == '\0')
            return sp_schedule_bad(e, s->text,
                "cron takes five fields: minutes, hours, days of the month, months, days of the "
                "week");
        if ((rc = parse_field(&fields[i], &p, s->text, &bits[i], e)) != SP_OK)
            return rc;
    }
    if (*p != '\0')
        return sp_schedule_bad(e, s->text, "there is more behind cron's five fields");
    for (unsigned m = 0; m < SP_DAY_MINUTES; m++) {
        if ((bits[0] >> (m % 60) & 1) != 0 && (bits[1] >> (m / 60) & 1) != 0)
            sp_schedule_minute(s, m);
    }
    s->days = (uint32_t)bits[2];
    s->months = (uint16_t)bits[3];
    s->weekdays = (uint8_t)((bits[4] | bits[4] >> 7) & SP_ALL_WEEKDAYS); /* 7 is Sunday too */
    s->either = *starts[2] != '*' && *starts[4] != '*';
    if (!ever(s))
        return sp_schedule_bad(
            e, s->text, "no month it names has such a day, so it would never run");
    return SP_OK;
}
