#include "client/schedule.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "client/schedule_parse.h"

/* Reads a schedule in words. */

#define LONGEST_EVERY (366 * (int64_t)SP_DAY_MINUTES)

enum sp_code
sp_schedule_bad(struct sp_err *e, const char *text, const char *why)
{
    return sp_fail(e, SP_INVALID, SP_DOM_CONFIG,
        "schedule = %.200s makes no sense: %s. A schedule is 'daily at 02:00', 'every 6h', "
        "'weekdays "
        "at 20:30', 'mon,wed,fri at 07:15, 19:00', 'monthly on 1, last at 03:00' or 'cron 15 2 * * "
        "1-5'",
        text, why);
}

void
sp_schedule_minute(struct sp_schedule *s, unsigned minute)
{
    s->minutes[minute / 64] |= UINT64_C(1) << (minute % 64);
}

int
sp_schedule_weekday(const char *word, size_t n)
{
    static const char *const names[] = {
        "sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"};

    for (int i = 0; i < 7; i++) {
        if ((n == 3 || n == strlen(names[i])) && memcmp(word, names[i], n) == 0)
            return i;
    }
    return -1;
}

/* One item of a list: up to the next comma or space; empty ones are passed over. */
static bool
next_item(const char **p, const char **ret, size_t *ret_n)
{
    *p += strspn(*p, ", ");
    *ret = *p;
    *ret_n = strcspn(*p, ", ");
    *p += *ret_n;
    return *ret_n > 0;
}

/* "7:15", "07:15" */
static bool
parse_time(const char *s, size_t n, unsigned *ret_minute)
{
    unsigned hour = 0, minute;
    size_t i = 0;

    for (; i < 2 && i < n && s[i] >= '0' && s[i] <= '9'; i++)
        hour = hour * 10 + (unsigned)(s[i] - '0');
    if (i == 0 || n != i + 3 || s[i] != ':' || s[i + 1] < '0' || s[i + 1] > '5' || s[i + 2] < '0' ||
        s[i + 2] > '9' || hour > 23)
        return false;
    minute = (unsigned)(s[i + 1] - '0') * 10 + (unsigned)(s[i + 2] - '0');
    *ret_minute = hour * 60 + minute;
    return true;
}

static enum sp_code
parse_times(const char *p, struct sp_schedule *s, struct sp_err *e)
{
    const char *item;
    unsigned minute;
    bool some = false;
    size_t n;

    while (next_item(&p, &item, &n)) {
        if (!parse_time(item, n, &minute))
            return sp_schedule_bad(e, s->text, "a time is hours and minutes, 00:00 to 23:59");
        sp_schedule_minute(s, minute);
        some = true;
    }
    return some ? SP_OK : sp_schedule_bad(e, s->text, "after 'at' comes a time");
}

/* "mon", "mon-fri", "fri-mon": round the end of the week. */
static bool
add_weekdays(const char *word, size_t n, uint8_t *to)
{
    const char *dash = memchr(word, '-', n);
    size_t left = dash != NULL ? (size_t)(dash - word) : n;
    int from = sp_schedule_weekday(word, left);
    int till = dash != NULL ? sp_schedule_weekday(dash + 1, n - left - 1) : from;

    if (from < 0 || till < 0)
        return false;
    for (;; from = (from + 1) % 7) {
        *to |= (uint8_t)(1u << from);
        if (from == till)
            return true;
    }
}

static enum sp_code
parse_weekdays(const char *p, struct sp_schedule *s, struct sp_err *e)
{
    const char *item;
    size_t n;

    s->weekdays = 0;
    while (next_item(&p, &item, &n)) {
        if (n == 8 && memcmp(item, "weekdays", n) == 0)
            s->weekdays |= 0x3e;
        else if (n == 8 && memcmp(item, "weekends", n) == 0)
            s->weekdays |= 0x41;
        else if (!add_weekdays(item, n, &s->weekdays))
            return sp_schedule_bad(e, s->text,
                "before 'at' come daily, weekdays, weekends, names of days, or monthly on and "
                "days");
    }
    return s->weekdays != 0 ? SP_OK : sp_schedule_bad(e, s->text, "before 'at' come the days");
}

static enum sp_code
parse_days(const char *p, struct sp_schedule *s, struct sp_err *e)
{
    const char *item;
    unsigned day;
    size_t n, i;

    s->days = 0;
    while (next_item(&p, &item, &n)) {
        day = n <= 2 ? 0 : 32;
        for (i = 0; i < n && day < 32; i++)
            day = item[i] >= '0' && item[i] <= '9' ? day * 10 + (unsigned)(item[i] - '0') : 32;
        if (n == 4 && memcmp(item, "last", n) == 0)
            s->days |= 1;
        else if (day < 1 || day > 31)
            return sp_schedule_bad(e, s->text, "a day of the month is 1 to 31, or 'last'");
        else
            s->days |= UINT32_C(1) << day;
    }
    return s->days != 0 ? SP_OK : sp_schedule_bad(e, s->text, "after 'monthly on' come the days");
}

static enum sp_code
parse_every(const char *p, struct sp_schedule *s, struct sp_err *e)
{
    int64_t ns;

    if (!sp_text_parse_duration(p, &ns) || ns % (60 * SP_SECOND) != 0 || ns < 60 * SP_SECOND ||
        ns / (60 * SP_SECOND) > LONGEST_EVERY)
        return sp_schedule_bad(
            e, s->text, "after 'every' come whole minutes, like 15m, 6h, 2d, 1w; at most 366d");
    s->every = (uint32_t)(ns / (60 * SP_SECOND));
    return SP_OK;
}

/* Days, "at", times. */
static enum sp_code
parse_calendar(struct sp_schedule *s, struct sp_err *e)
{
    char days[SP_SCHEDULE_TEXT];
    const char *at = strstr(s->text, " at ");
    enum sp_code rc = SP_OK;

    if (at == NULL)
        return sp_schedule_bad(e, s->text, "no such words, or no 'at' with a time");
    (void)snprintf(days, sizeof(days), "%.*s", (int)(at - s->text), s->text);
    s->days = SP_ALL_DAYS;
    s->months = SP_ALL_MONTHS;
    s->weekdays = SP_ALL_WEEKDAYS;
    if (strncmp(days, "monthly on ", 11) == 0)
        rc = parse_days(days + 11, s, e);
    else if (strcmp(days, "daily") != 0)
        rc = parse_weekdays(days, s, e);
    return rc == SP_OK ? parse_times(at + 4, s, e) : rc;
}

/* Lower case, single spaces, none at the ends. false: longer than any schedule. */
static bool
tidy(const char *from, char *to)
{
    size_t n = 0;

    for (; *from != '\0'; from++) {
        bool space = *from == ' ' || *from == '\t';

        if (space && (n == 0 || to[n - 1] == ' '))
            continue;
        if (n + 1 == SP_SCHEDULE_TEXT)
            return false;
        to[n++] = space ? ' ' : *from >= 'A' && *from <= 'Z' ? (char)(*from + 32) : *from;
    }
    while (n > 0 && to[n - 1] == ' ')
        n--;
    to[n] = '\0';
    return true;
}

enum sp_code
sp_schedule_parse(const char *text, struct sp_schedule *ret, struct sp_err *e)
{
    struct sp_schedule s;
    enum sp_code rc;

    memset(&s, 0, sizeof(s));
    if (!tidy(text, s.text))
        return sp_schedule_bad(e, text, "it is too long");
    if (s.text[0] == '\0' || strcmp(s.text, "none") == 0) {
        memset(ret, 0, sizeof(*ret));
        return SP_OK;
    }
    s.set = true;
    if (strncmp(s.text, "every ", 6) == 0)
        rc = parse_every(s.text + 6, &s, e);
    else if (strncmp(s.text, "cron ", 5) == 0)
        rc = sp_schedule_parse_cron(s.text + 5, &s, e);
    else if (s.text[0] == '@')
        rc = sp_schedule_parse_cron(s.text, &s, e);
    else
        rc = parse_calendar(&s, e);
    if (rc == SP_OK)
        *ret = s;
    return rc;
}

int64_t
sp_schedule_delay(const char *host, const char *job, int64_t most_ns)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    const char *const words[] = {host, job};

    /* FNV-1a, the NUL between the words included; then the finaliser of splitmix64, because FNV's
     * high bits hardly move for names that differ in their last letter. */
    for (size_t i = 0; i < 2; i++) {
        for (const char *p = words[i];; p++) {
            h = (h ^ (uint8_t)*p) * UINT64_C(0x100000001b3);
            if (*p == '\0')
                break;
        }
    }
    h = (h ^ (h >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    h = (h ^ (h >> 27)) * UINT64_C(0x94d049bb133111eb);
    h ^= h >> 31;
    return most_ns < SP_SECOND ? 0 : (int64_t)(h % (uint64_t)(most_ns / SP_SECOND)) * SP_SECOND;
}
