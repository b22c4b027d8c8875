#ifndef SP_TESTS_HOSTILE_SLOW_H
#define SP_TESTS_HOSTILE_SLOW_H

/* Time that runs faster: the deadlines of proto/limits.h pass in seconds. Programs that use it are
 * linked with -Wl,--wrap=uv_hrtime,--wrap=uv_timer_start: channels and their timers follow it. */

#include <stdint.h>

/* From now on so many times as fast; timers that run already keep their pace. */
void slow_speed(unsigned times);
int64_t slow_now_ms(void);       /* by that clock */
int64_t slow_mono(void *unused); /* for a struct sp_clock */

#endif
