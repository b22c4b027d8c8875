/* The system's clocks and local time: see clock.h. */

#include "base/clock.h"

#include <stdlib.h>
#include <string.h>

#include "base/sys_win32.h"

static int64_t
system_wall(void *self)
{
    FILETIME t;

    (void)self;
    GetSystemTimePreciseAsFileTime(&t);
    return sp_win32_time_ns((uint64_t)t.dwHighDateTime << 32 | t.dwLowDateTime);
}

/* Neither call fails since Windows XP
 * (learn.microsoft.com/windows/win32/api/profileapi/nf-profileapi-queryperformancecounter). */
static int64_t
system_mono(void *self)
{
    LARGE_INTEGER count, rate;

    (void)self;
    if (!QueryPerformanceCounter(&count) || !QueryPerformanceFrequency(&rate) || rate.QuadPart <= 0)
        abort();
    return count.QuadPart / rate.QuadPart * SP_SECOND +
           count.QuadPart % rate.QuadPart * SP_SECOND / rate.QuadPart;
}

const struct sp_clock sp_clock_system = {system_wall, system_mono, NULL};

/* Sleep counts ticks of up to 16 ms, and the one that is running counts in full: it may wake early.
 */
void
sp_sleep_ms(uint32_t ms)
{
    int64_t until = system_mono(NULL) + (int64_t)ms * 1000000;

    for (;;) {
        int64_t left = (until - system_mono(NULL) + 999999) / 1000000;

        if (left <= 0)
            return;
        Sleep(left < INFINITE - 1 ? (DWORD)left : INFINITE - 1);
    }
}

/* Windows has rules of summer time by year for the zone that is set
 * (learn.microsoft.com/windows/win32/api/timezoneapi/nf-timezoneapi-gettimezoneinformationforyear);
 * localtime of the C library has this year's only, and mktime nothing before 1970. */
static bool
rules_of(int year, TIME_ZONE_INFORMATION *ret)
{
    DYNAMIC_TIME_ZONE_INFORMATION zone;

    return GetDynamicTimeZoneInformation(&zone) != TIME_ZONE_ID_INVALID &&
           GetTimeZoneInformationForYear((USHORT)year, &zone, ret);
}

bool
sp_civil_local(int64_t seconds, struct sp_civil *ret)
{
    int64_t since = seconds + INT64_C(11644473600); /* 1601 */
    TIME_ZONE_INFORMATION rules;
    SYSTEMTIME utc, local;
    ULARGE_INTEGER units;
    FILETIME t;

    if (since < 0 || since > INT64_MAX / 10000000)
        return false;
    units.QuadPart = (uint64_t)since * 10000000;
    t.dwLowDateTime = units.LowPart;
    t.dwHighDateTime = units.HighPart;
    if (!FileTimeToSystemTime(&t, &utc) || !rules_of(utc.wYear, &rules) ||
        !SystemTimeToTzSpecificLocalTime(&rules, &utc, &local))
        return false;
    *ret = (struct sp_civil){
        local.wYear, local.wMonth, local.wDay, local.wHour, local.wMinute, local.wSecond};
    return true;
}

bool
sp_civil_seconds(const struct sp_civil *c, int64_t *ret_seconds)
{
    TIME_ZONE_INFORMATION rules;
    SYSTEMTIME local, utc;
    FILETIME t;

    memset(&local, 0, sizeof(local));
    local.wYear = (WORD)c->year;
    local.wMonth = (WORD)c->month;
    local.wDay = (WORD)c->day;
    local.wHour = (WORD)c->hour;
    local.wMinute = (WORD)c->minute;
    local.wSecond = (WORD)c->second;
    if (!rules_of(c->year, &rules) || !TzSpecificLocalTimeToSystemTime(&rules, &local, &utc) ||
        !SystemTimeToFileTime(&utc, &t))
        return false;
    *ret_seconds = (int64_t)(((uint64_t)t.dwHighDateTime << 32 | t.dwLowDateTime) / 10000000) -
                   INT64_C(11644473600);
    return true;
}
