#ifndef SP_CLIENT_RATELIMIT_H
#define SP_CLIENT_RATELIMIT_H

/* Bandwidth limit by the hour: "10M" always, or "08:00-18:00 2M, 18:00-08:00 none" in local time. A token
 * bucket of one second. Any thread. */

#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"

struct sp_ratelimit;
enum sp_code sp_ratelimit_new(const char *rule, const struct sp_clock *clock,
    struct sp_ratelimit **ret, struct sp_err *e);
void sp_ratelimit_free(struct sp_ratelimit *l);
/* Waits until n bytes may go. NULL: no limit. */
void sp_ratelimit_take(struct sp_ratelimit *l, uint64_t n);
/* Bytes a second at that wall time; 0: no limit. */
uint64_t sp_ratelimit_at(const struct sp_ratelimit *l, int64_t wall_ns);

#endif
