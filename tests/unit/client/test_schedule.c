/* Schedules: what is read and refused, and when they come next: against an oracle that walks minute
 * by minute through years of odd zones, and against systemd where it can say the same. */

#include "tests/unit/base/support.h"

#include "client/config.h"
#include "tests/unit/client/zones.h"

static struct sp_schedule
parsed(const char *text)
{
    struct sp_schedule s;

    memset(&s, 0x5a, sizeof(s));
    assert_ok(sp_schedule_parse(text, &s, e));
    return s;
}

/* --- the oracle
 * ------------------------------------------------------------------------------------ */

/* Schedules once more as plain C over what the clock on the wall shows: nothing of the parser is
 * used. */
static int
last_day(const struct tm *t)
{
    static const int longest[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int year = t->tm_year + 1900;

    return longest[t->tm_mon] +
           (t->tm_mon == 1 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0));
}

#define AT(h, m) (t->tm_hour == (h) && t->tm_min == (m))
#define CASE(name, expression)                                                                     \
    static bool name(const struct tm *t, int64_t wall)                                             \
    {                                                                                              \
        (void)t;                                                                                   \
        (void)wall;                                                                                \
        return expression;                                                                         \
    }
CASE(daily, AT(2, 0))
CASE(daily_many, AT(2, 30) || AT(0, 0) || AT(23, 59))
CASE(weekdays, t->tm_wday >= 1 && t->tm_wday <= 5 && AT(20, 30))
CASE(weekends, (t->tm_wday == 0 || t->tm_wday == 6) && (AT(4, 0) || AT(16, 0)))
CASE(some_days, (t->tm_wday == 1 || t->tm_wday == 3 || t->tm_wday == 5) && (AT(7, 15) || AT(19, 0)))
CASE(round_the_week, (t->tm_wday >= 5 || t->tm_wday <= 1) && AT(1, 59))
CASE(monthly, t->tm_mday == 1 && AT(3, 0))
CASE(monthly_last, (t->tm_mday == 15 || t->tm_mday == last_day(t)) && AT(0, 30))
CASE(monthly_31, t->tm_mday == 31 && AT(12, 0))
CASE(every_1m, true)
CASE(every_15m, wall % 15 == 0)
CASE(every_50m, wall % 50 == 0)
CASE(every_1h, wall % 60 == 0)
CASE(every_90m, wall % 90 == 0)
CASE(every_5h, wall % 300 == 0)
CASE(every_6h, wall % 360 == 0)
CASE(every_2d, wall % 2880 == 0)
CASE(every_1w, wall % 10080 == 0)
CASE(cron_weekdays, t->tm_wday >= 1 && t->tm_wday <= 5 && AT(2, 15))
CASE(cron_either, (t->tm_mday == 13 || t->tm_wday == 5) && AT(0, 0))
CASE(cron_both, (t->tm_mday - 1) % 2 == 0 && t->tm_wday == 1 && AT(2, 10))
CASE(cron_steps, t->tm_min % 10 == 5 && t->tm_hour >= 1 && t->tm_hour <= 3)
CASE(cron_leap, t->tm_mon == 1 && t->tm_mday == 29 && AT(2, 30))
CASE(cron_sunday, t->tm_wday == 0 && (t->tm_mon == 2 || t->tm_mon == 9) && AT(2, 30))
CASE(cron_hourly, t->tm_min == 0)

static const struct {
    const char *text;
    bool (*wanted)(const struct tm *t, int64_t wall);
    bool again; /* also in an hour that comes twice */
} cases[] = {{"daily at 02:00", daily, false}, {"daily at 2:30, 0:00 23:59", daily_many, false},
    {"weekdays at 20:30", weekdays, false}, {"Weekends at 4:00,16:00", weekends, false},
    {"mon,wed,fri at 07:15, 19:00", some_days, false},
    {"friday-mon at 01:59", round_the_week, false}, {"monthly on 1 at 03:00", monthly, false},
    {"monthly on 15, last at 0:30", monthly_last, false},
    {"monthly on 31 at 12:00", monthly_31, false}, {"every 1m", every_1m, true},
    {"every 15m", every_15m, true}, {"every 50m", every_50m, true}, {"every 1h", every_1h, true},
    {"every 90m", every_90m, false}, {"every 5h", every_5h, false}, {"every 6h", every_6h, false},
    {"every 2d", every_2d, false}, {"every 1w", every_1w, false},
    {"cron 15 2 * * 1-5", cron_weekdays, false}, {"cron 0 0 13 * fri", cron_either, false},
    {"cron 10 2 */2 * mon", cron_both, false}, {"cron 5-55/10 1-3 * * *", cron_steps, false},
    {"cron 30 2 29 feb *", cron_leap, false}, {"cron 30 2 * mar,10 7", cron_sunday, false},
    {"cron @hourly", cron_hourly, false}};
#define NCASES (sizeof(cases) / sizeof(cases[0]))

/* Real minutes of all runs in the zone's span, for all cases at once. */
struct runs {
    int64_t *at;
    size_t n;
};

static void
walk(const struct zone *z, struct runs runs[NCASES])
{
    int64_t highest = z->wall[0], from;
    time_t seconds;
    struct tm t;

    for (size_t c = 0; c < NCASES; c++) {
        runs[c].n = 0;
        runs[c].at = malloc((size_t)z->count * sizeof(int64_t));
        assert_non_null(runs[c].at);
    }
    for (int64_t i = 1; i < z->count; i++) {
        bool fresh = z->wall[i] > highest, due[NCASES] = {false};

        from = fresh ? highest + 1 : z->wall[i];
        for (int64_t w = from; w <= z->wall[i]; w++) { /* more than one: behind a gap */
            seconds = (time_t)w * 60;
            gmtime_r(&seconds, &t);
            for (size_t c = 0; c < NCASES; c++)
                due[c] = due[c] || ((fresh || cases[c].again) && cases[c].wanted(&t, w));
        }
        for (size_t c = 0; c < NCASES; c++) {
            if (due[c])
                runs[c].at[runs[c].n++] = z->first + i;
        }
        if (fresh)
            highest = z->wall[i];
    }
}

/* Every run follows the one before it, and from anywhere between two the next is the second. */
static void
compare(struct zone *z, size_t which, const struct runs *r, unsigned *seed)
{
    struct sp_schedule s = parsed(cases[which].text);
    struct sp_local local = zone_local(z);
    size_t n = r->n, i, step = n > 1000 ? n / 1000 : 1;
    int64_t *runs = r->at, at;

    for (i = 1; i < n; i += i % 97 < 10 ? 1 : step) {
        int64_t gap = runs[i] - runs[i - 1], real = runs[i];

        /* next looks a day ahead for changes of the clock */
        if (runs[i - 1] - z->first < 3000 || z->first + z->count - real < 3000)
            continue;
        assert_true(sp_schedule_next(&s, &local, runs[i - 1] * 60 * SP_SECOND, &at));
        if (at != real * 60 * SP_SECOND)
            fail_msg("%s, %s: after minute %lld comes %lld, not %lld", z->name, cases[which].text,
                (long long)runs[i - 1], (long long)real, (long long)(at / 60 / SP_SECOND));
        *seed = *seed * 1103515245 + 12345;
        at = 0;
        assert_true(sp_schedule_next(&s, &local,
            (runs[i - 1] + (int64_t)(*seed >> 8) % gap) * 60 * SP_SECOND + 59 * SP_SECOND, &at));
        assert_int_equal(at, real * 60 * SP_SECOND);
    }
}

static void
as_the_oracle_says(void **state)
{
    unsigned seed = 1;

    (void)state;
    for (size_t z = 0; z < NZONES; z++) {
        bool samoa_2011 = zone_list[z].tz == NULL;
        struct zone zone = zone_new(z, samoa_2011 ? 2011 : 2027, 2);
        struct runs runs[NCASES];

        walk(&zone, runs);
        for (size_t i = 0; i < NCASES; i++) {
            assert_true(runs[i].n > 0 || cases[i].wanted == cron_leap);
            compare(&zone, i, &runs[i], &seed);
            free(runs[i].at);
        }
        free(zone.wall);
    }
}

/* --- one by one
 * ------------------------------------------------------------------------------------ */

static void
next_is(struct zone *z, const char *schedule, const char *after, const char *want)
{
    struct sp_schedule s = parsed(schedule);
    struct sp_local local = zone_local(z);
    int64_t from, at = 0;
    char got[32];

    assert_int_equal(sp_time_parse(after, &from), 0);
    assert_true(sp_schedule_next(&s, &local, from, &at));
    sp_time_utc(at, got);
    assert_string_equal(got, want);
}

static void
summer_time(void **state)
{
    struct zone berlin = zone_new(1, 2027, 1);

    (void)state;
    /* 28 March 2027: 02:00 to 03:00 is missing, 01:00 UTC shows 03:00 */
    next_is(&berlin, "daily at 02:30", "2027-03-27T12:00:00Z", "2027-03-28T01:00:00Z");
    next_is(&berlin, "daily at 02:30", "2027-03-28T01:00:00Z", "2027-03-29T00:30:00Z");
    next_is(
        &berlin, "daily at 02:10, 02:30, 03:00", "2027-03-28T00:59:59Z", "2027-03-28T01:00:00Z");
    next_is(
        &berlin, "daily at 02:10, 02:30, 03:00", "2027-03-28T01:00:00Z", "2027-03-29T00:10:00Z");
    /* 31 October 2027: 02:00 to 03:00 comes twice, from 00:00 and from 01:00 UTC */
    next_is(&berlin, "daily at 02:30", "2027-10-30T12:00:00Z", "2027-10-31T00:30:00Z");
    next_is(&berlin, "daily at 02:30", "2027-10-31T00:30:00Z", "2027-11-01T01:30:00Z");
    next_is(&berlin, "every 30m", "2027-10-31T00:30:00Z", "2027-10-31T01:00:00Z");
    free(berlin.wall);
}

static void
leap_days(void **state)
{
    struct sp_schedule s = parsed("cron 0 12 29 2 *");
    struct zone utc = zone_new(0, 2096, 9);
    int64_t at;

    (void)state;
    next_is(&utc, "cron 0 12 29 2 *", "2096-03-01T00:00:00Z", "2104-02-29T12:00:00Z");
    next_is(&utc, "monthly on last at 12:00", "2100-02-01T00:00:00Z", "2100-02-28T12:00:00Z");
    next_is(&utc, "monthly on last at 12:00", "2104-02-01T00:00:00Z", "2104-02-29T12:00:00Z");
    /* a platform that cannot say local time gives no time, and no loop */
    assert_false(
        sp_schedule_next(&s, &(struct sp_local){zone_civil, &utc}, INT64_C(1000) * SP_SECOND, &at));
    memset(&s, 0, sizeof(s));
    assert_false(sp_schedule_next(&s, &sp_local_system, 0, &at));
    free(utc.wall);
}

static void
refused(void **state)
{
    static const struct {
        const char *text, *word;
    } bad[] = {{"daily", "'at'"}, {"daily at", "'at'"}, {"daily at 24:00", "00:00 to 23:59"},
        {"daily at 2", "00:00 to 23:59"}, {"daily at 12:60", "00:00"}, {"daily at 1:5", "00:00"},
        {"moon at 12:00", "names of days"}, {"mon- at 12:00", "names of days"},
        {"monthly on 32 at 1:00", "1 to 31"}, {"monthly on 0 at 1:00", "1 to 31"},
        {"monthly on 001 at 1:00", "1 to 31"}, {"monthly on at 1:00", "monthly on and days"},
        {"every", "no 'at'"}, {"every 30s", "whole minutes"}, {"every 90s", "whole minutes"},
        {"every 0m", "whole minutes"}, {"every 400d", "at most 366d"}, {"every banana", "minutes"},
        {"cron 0 0 30 2 *", "never run"}, {"cron 0 0 31 4,6,9,11 *", "never run"},
        {"cron 60 * * * *", "minutes (0-59)"}, {"cron * 24 * * *", "hours"},
        {"cron * * 0 * *", "days of the month"}, {"cron * * * 13 *", "months"},
        {"cron * * * * 8", "days of the week"}, {"cron * * * *", "five fields"},
        {"cron * * * * * *", "behind cron's five"}, {"cron 5/10 * * * *", "minutes"},
        {"cron 10-5 * * * *", "minutes"}, {"cron 1,,2 * * * *", "minutes"},
        {"cron 1, * * * *", "min"}, {"cron */0 * * * *", "minutes"},
        {"cron mon * * * *", "minutes"}, {"cron @reboot", "@daily"}, {"@fortnightly", "@daily"}};
    char longest[400];

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct sp_schedule s, untouched;
        struct sp_err e = {0};

        memset(&s, 0x5a, sizeof(s));
        untouched = s;
        if (sp_schedule_parse(bad[i].text, &s, &e) != SP_INVALID)
            fail_msg("'%s' was taken", bad[i].text);
        assert_int_equal(e.domain, SP_DOM_CONFIG);
        if (strstr(e.text, bad[i].word) == NULL)
            fail_msg("'%s': no '%s' in: %s", bad[i].text, bad[i].word, e.text);
        assert_memory_equal(&s, &untouched, sizeof(s));
    }
    memset(longest, 'x', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    assert_code(SP_INVALID, sp_schedule_parse(longest, &(struct sp_schedule){0}, e));
}

static void
words(void **state)
{
    struct sp_schedule s;

    (void)state;
    s = parsed("  Mon,  WED at\t07:15 ");
    assert_string_equal(s.text, "mon, wed at 07:15");
    assert_false(parsed("none").set);
    assert_false(parsed(" ").set);
    /* a day that cannot be, and another that can: either is enough */
    assert_true(parsed("cron 0 0 30 2 mon").set);
    assert_true(parsed("@weekly").weekdays == 1);
}

/* Every host the same delay for the same job, all delays below the most, and no two in step. */
static void
delays(void **state)
{
    const int64_t most = 20 * 60 * SP_SECOND;
    unsigned quarters[4] = {0};
    char host[32];

    (void)state;
    for (unsigned i = 0; i < 4000; i++) {
        int64_t d;

        (void)snprintf(host, sizeof(host), "host%u", i);
        d = sp_schedule_delay(host, "files", most);
        assert_true(d >= 0 && d < most && d % SP_SECOND == 0);
        assert_int_equal(d, sp_schedule_delay(host, "files", most));
        quarters[d * 4 / most]++;
    }
    for (unsigned q = 0; q < 4; q++)
        assert_in_range(quarters[q], 850, 1150);
    assert_int_not_equal(sp_schedule_delay("a", "bc", most), sp_schedule_delay("ab", "c", most));
    assert_int_equal(sp_schedule_delay("a", "b", 0), 0);
}

/* --- in the words of others
 * ------------------------------------------------------------------------- */

static void
tells(const char *schedule, const char *calendar, const char *cron)
{
    struct sp_schedule s = parsed(schedule);
    struct sp_buf b = SP_BUF_INIT;
    struct sp_err ignored = {0};

    if (calendar != NULL) {
        assert_ok(sp_schedule_systemd(&s, &b, e));
        assert_string_equal(sp_buf_str(&b), calendar);
    } else {
        assert_code(SP_UNSUPPORTED, sp_schedule_systemd(&s, &b, e));
    }
    sp_buf_reset(&b);
    if (cron != NULL) {
        assert_ok(sp_schedule_cron(&s, &b, e));
        assert_string_equal(sp_buf_str(&b), cron);
    } else {
        assert_int_equal(sp_schedule_cron(&s, &b, &ignored), SP_UNSUPPORTED);
    }
    sp_buf_free(&b);
}

static void
others(void **state)
{
    (void)state;
    tells("daily at 02:00", "*-*-* 02:00:00\n", "0 2 * * *\n");
    tells("weekdays at 20:30", "Mon,Tue,Wed,Thu,Fri *-*-* 20:30:00\n", "30 20 * * 1-5\n");
    tells("mon,wed at 07:15, 19:00, 20:00", "Mon,Wed *-*-* 07:15:00\nMon,Wed *-*-* 19,20:00:00\n",
        "15 7 * * 1,3\n0 19,20 * * 1,3\n");
    tells("monthly on 1, last at 03:00", "*-*-01 03:00:00\n*-*~01 03:00:00\n", NULL);
    tells("every 6h", "*-*-* 00,06,12,18:00:00\n", "0 0,6,12,18 * * *\n");
    tells("every 1m", "*-*-* *:*:00\n", "* * * * *\n");
    tells("every 1w", "Thu *-*-* 00:00:00\n", "0 0 * * 4\n");
    tells("every 5h", NULL, NULL);
    tells("every 2d", NULL, NULL);
    tells("cron 0 0 13 * fri", "*-*-13 00:00:00\nFri *-*-* 00:00:00\n", "0 0 13 * fri\n");
    tells("cron 0 0 */10 2-4 mon", "Mon *-02..04-01,11,21,31 00:00:00\n", "0 0 */10 2-4 mon\n");
}

/* The first `want` times that systemd names for one expression, in UTC; false: it is not there. */
static bool
ask_systemd(const char *line, int64_t base_ns, int64_t *ret, size_t want)
{
    char command[700], base[32], out[300], *at;
    size_t n = 0;
    FILE *p;

    sp_time_utc(base_ns, base);
    base[10] = ' ';
    base[19] = '\0';
    (void)snprintf(command, sizeof(command),
        "TZ=UTC LC_ALL=C systemd-analyze calendar --iterations=%zu --base-time='%s UTC' '%s' "
        "2>/dev/null",
        want, base, line);
    if ((p = popen(command, "r")) == NULL)
        return false;
    while (fgets(out, sizeof(out), p) != NULL && n < want) {
        if ((at = strstr(out, "elapse: ")) == NULL && (at = strstr(out, "Iter")) == NULL)
            continue;
        at = strstr(at, " 20"); /* "Next elapse: Thu 2027-01-07 00:00:00 UTC", "Iteration #2: …" */
        assert_non_null(at);
        at[20] = 'Z';
        at[11] = 'T';
        at[21] = '\0';
        assert_int_equal(sp_time_parse(at + 1, &ret[n++]), 0);
    }
    return pclose(p) == 0 && n == want;
}

#define TIMES 6
static void
as_systemd_says(void **state)
{
    int64_t base, at, times[4][TIMES];
    struct zone utc = zone_new(0, 2027, 10);
    struct sp_local local = zone_local(&utc);
    unsigned compared = 0;

    (void)state;
    if (system("systemd-analyze calendar daily >/dev/null 2>&1") != 0)
        skip();
    assert_int_equal(sp_time_parse("2027-02-11T10:20:30Z", &base), 0);
    for (size_t i = 0; i < NCASES; i++) {
        struct sp_schedule s = parsed(cases[i].text);
        struct sp_buf b = SP_BUF_INIT;
        struct sp_err ignored = {0};
        size_t nlines = 0;
        char *line, *save = NULL;

        if (sp_schedule_systemd(&s, &b, &ignored) != SP_OK ||
            strcmp(cases[i].text, "cron 30 2 29 feb *") == 0) {
            sp_buf_free(&b);
            continue;
        }
        (void)sp_buf_str(&b);
        for (line = strtok_r((char *)b.data, "\n", &save); line != NULL;
             line = strtok_r(NULL, "\n", &save)) {
            assert_in_range(nlines, 0, 3);
            if (!ask_systemd(line, base, times[nlines++], TIMES))
                fail_msg("systemd does not take '%s' for '%s'", line, cases[i].text);
        }
        /* the earliest of all lines, six times over */
        at = base;
        for (size_t k = 0; k < TIMES; k++) {
            int64_t first = INT64_MAX;

            for (size_t l = 0; l < nlines * TIMES; l++) {
                int64_t t = times[l / TIMES][l % TIMES];

                first = t > at && t < first ? t : first;
            }
            assert_true(sp_schedule_next(&s, &local, at, &at));
            if (at != first)
                fail_msg("'%s': the %zuth differs", cases[i].text, k);
        }
        compared++;
        sp_buf_free(&b);
    }
    assert_true(compared >= 18);
    free(utc.wall);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(as_the_oracle_says),
        cmocka_unit_test(summer_time), cmocka_unit_test(leap_days), cmocka_unit_test(refused),
        cmocka_unit_test(words), cmocka_unit_test(delays), cmocka_unit_test(others),
        cmocka_unit_test(as_systemd_says)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
