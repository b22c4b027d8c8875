#ifndef SP_TESTS_ZONES_H
#define SP_TESTS_ZONES_H

/* Local time of places that change their clocks oddly, without the machine's own zone: rules in
 * POSIX's notation (TZ), read by the C library, and a table for what cannot be said so. A zone is a
 * table of the minutes on the wall, minute by minute, for the span asked for: fast, and the
 * oracle's own. */

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/schedule.h"

struct zone {
    const char *name, *tz; /* tz NULL: Samoa, which left out 30 December 2011 */
    int64_t first, count;  /* real minutes since 1970 */
    int32_t *wall;         /* wall minutes since 1970 */
};

static const struct {
    const char *name, *tz;
} zone_list[] = {{"UTC", "UTC0"}, {"Berlin", "CET-1CEST,M3.5.0,M10.5.0/3"},
    {"New York", "EST5EDT,M3.2.0,M11.1.0"},
    {"Lord Howe, half an hour", "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0"},
    {"Dublin, winter is the exception", "IST-1GMT0,M10.5.0,M3.5.0/1"},
    {"Nuuk, on a Saturday", "<-02>2<-01>,M3.5.0/-1,M10.5.0/0"},
    {"Cairo, at midnight", "EET-2EEST,M4.5.5/0,M10.5.4/24"},
    {"Havana, midnight twice", "CST5CDT,M3.2.0/0,M11.1.0/1"},
    {"Chatham", "<+1245>-12:45<+1345>,M9.5.0/2:45,M4.1.0/3:45"}, {"Samoa 2011", NULL},
    {"Kathmandu", "<+0545>-5:45"}};
#define NZONES (sizeof(zone_list) / sizeof(zone_list[0]))

/* UTC-10 in summer time until 30 December 2011 10:00 UTC, then UTC+14. */
static inline int64_t
samoa(int64_t real)
{
    return real + (real < INT64_C(1325239200) / 60 ? -600 : 840);
}

static inline struct zone
zone_new(size_t which, int year, int years)
{
    struct zone z = {zone_list[which].name, zone_list[which].tz, 0, 0, NULL};
    struct tm t = {.tm_year = year - 1900, .tm_mday = 1}, local;

    z.first = timegm(&t) / 60;
    z.count = (int64_t)years * 366 * 1440;
    z.wall = malloc((size_t)z.count * sizeof(*z.wall));
    assert(z.wall != NULL);
    if (z.tz != NULL) {
        setenv("TZ", z.tz, 1);
        tzset();
    }
    for (int64_t i = 0; i < z.count; i++) {
        time_t at = (time_t)((z.first + i) * 60);

        if (z.tz == NULL) {
            z.wall[i] = (int32_t)samoa(z.first + i);
            continue;
        }
        assert(localtime_r(&at, &local) != NULL);
        z.wall[i] = (int32_t)(z.first + i + local.tm_gmtoff / 60);
    }
    return z;
}

/* As struct sp_local wants it; outside the span false. */
static inline bool
zone_civil(void *self, int64_t seconds, struct sp_civil *ret)
{
    const struct zone *z = self;
    int64_t i = seconds / 60 - z->first;
    struct tm tm;
    time_t wall;

    if (i < 0 || i >= z->count)
        return false;
    wall = (time_t)z->wall[i] * 60;
    gmtime_r(&wall, &tm);
    *ret = (struct sp_civil){
        tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, (int)(seconds % 60)};
    return true;
}

static inline struct sp_local
zone_local(struct zone *z)
{
    return (struct sp_local){zone_civil, z};
}

#endif
