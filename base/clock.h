#ifndef SP_BASE_CLOCK_H
#define SP_BASE_CLOCK_H

/* Time. Wall time is int64 nanoseconds since 1970-01-01 UTC; monotonic time has no meaning but its
 * differences. A `struct sp_clock` is passed to whoever needs one, so that tests can replace it. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sp_clock {
    int64_t (*wall_ns)(void *self);
    int64_t (*mono_ns)(void *self);
    void *self;
};

extern const struct sp_clock sp_clock_system;

#define SP_SECOND INT64_C(1000000000)

int64_t sp_clock_wall(const struct sp_clock *c);
int64_t sp_clock_mono(const struct sp_clock *c);
void sp_sleep_ms(uint32_t ms);

/* "2026-11-22T10:12:27Z" (seconds) into `to`, at least 32 bytes. Any int64 is handled. */
void sp_time_utc(int64_t wall_ns, char to[32]);
/* "20261122t101227z": the form used in object names: sorts as time, only [0-9a-z]. */
void sp_time_name(int64_t wall_ns, char to[32]);
/* "2026-11-22 11:12:27" in local time, for people. */
void sp_time_local(int64_t wall_ns, char to[32]);
/* Parses "2026-11-22", "2026-11-22 10:12[:27]" (local) or with T and Z (UTC). Returns 0, or -1. */
int sp_time_parse(const char *s, int64_t *ret_wall_ns);

/* Local time of the platform (clock_posix.c, clock_win32.c): seconds since 1970 UTC to and from what a
 * clock on the wall says, by the rules of that year. An hour that happens twice is either of the two.
 * false: the platform cannot say. */
struct sp_civil {
    int year, month, day, hour, minute, second;
};
bool sp_civil_local(int64_t seconds, struct sp_civil *ret);
bool sp_civil_seconds(const struct sp_civil *c, int64_t *ret_seconds);

#endif
