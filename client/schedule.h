#ifndef SP_CLIENT_SCHEDULE_H
#define SP_CLIENT_SCHEDULE_H

/* When a job is to run, as the configuration says it:
 *
 *   daily at 02:00              weekdays at 20:30            weekends at 4:00, 16:00
 *   mon,wed,fri at 07:15, 19:00 sat-mon at 12:00             monthly on 1, 15, last at 03:00
 *   every 6h                    cron 15 2 * * 1-5            cron @daily
 *
 * A schedule is a set of minutes on the clock on the wall, and pure: it reads no clock and no zone
 * but those it is given. What summer time does to it: a time that does not exist that day runs at
 * the next that does (all that fall into one gap are one); a time that comes twice runs once, the
 * first time; only `every` of an hour or less runs on through the hour that comes twice, because it
 * is the pause that matters there. `every N` counts the minutes on the wall from 1 January 1970, a
 * Thursday: what divides a day begins anew at midnight (`every 6h`: 00:00, 06:00, 12:00, 18:00).
 * `monthly on 31` passes over the months without one; `last` is there for those who want them.
 * cron: five fields, as crontab(5) tells them: names, lists, ranges, steps, 0 and 7 are Sunday, and
 * a day matches when either field does, unless one of the two begins with a `*`. */

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"

#define SP_SCHEDULE_TEXT 256
#define SP_DAY_MINUTES 1440

struct sp_schedule {
    bool set;                    /* false: `none`, never by itself */
    char text[SP_SCHEDULE_TEXT]; /* in words, as it was written; lower case, single spaces */
    uint64_t minutes[23];        /* bit m: the minute m of the day */
    uint32_t days;               /* bits 1 … 31; bit 0: the last of the month */
    uint16_t months;             /* bits 1 … 12 */
    uint8_t weekdays;            /* bits 0 (Sunday) … 6 */
    bool either;                 /* of days and weekdays one is enough */
    uint32_t every;              /* minutes; 0: by the calendar above */
};

/* Local time of somewhere; like sp_civil_local, with `self`. */
struct sp_local {
    bool (*civil)(void *self, int64_t seconds, struct sp_civil *ret);
    void *self;
};
extern const struct sp_local sp_local_system;

/* SP_INVALID (SP_DOM_CONFIG) tells what is wrong and what a schedule looks like; one that can never
 * come (30 February) is refused as well. */
enum sp_code sp_schedule_parse(const char *text, struct sp_schedule *ret, struct sp_err *e);
/* The first time after `after_ns`. false: there is none (not set, or the platform cannot say local
 * time). */
bool sp_schedule_next(
    const struct sp_schedule *s, const struct sp_local *local, int64_t after_ns, int64_t *ret_ns);
/* From 0 to below `most_ns`, in whole seconds: always the same for one host and job, spread evenly
 * over many. */
int64_t sp_schedule_delay(const char *host, const char *job, int64_t most_ns);

/* The same set of times for others (schedule_tell.c); SP_UNSUPPORTED when they cannot say it
 * exactly. Appends one line a piece: for systemd an OnCalendar expression (systemd.time(7)), for
 * cron the five fields. */
enum sp_code sp_schedule_systemd(const struct sp_schedule *s, struct sp_buf *ret, struct sp_err *e);
enum sp_code sp_schedule_cron(const struct sp_schedule *s, struct sp_buf *ret, struct sp_err *e);

#endif
