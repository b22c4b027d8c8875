#include "slow.h"

#include <stdatomic.h>
#include <uv.h>

uint64_t __real_uv_hrtime(void);
uint64_t __wrap_uv_hrtime(void);
int __real_uv_timer_start(uv_timer_t *t, uv_timer_cb cb, uint64_t timeout, uint64_t repeat);
int __wrap_uv_timer_start(uv_timer_t *t, uv_timer_cb cb, uint64_t timeout, uint64_t repeat);

/* Since `real`, when the clock showed `shown`, it runs `times` as fast. Set while nobody else looks
 * but who may see either. */
static atomic_uint_fast64_t real, shown;
static atomic_uint times = 1;

uint64_t
__wrap_uv_hrtime(void)
{
    return atomic_load(&shown) + (__real_uv_hrtime() - atomic_load(&real)) * atomic_load(&times);
}

int
__wrap_uv_timer_start(uv_timer_t *t, uv_timer_cb cb, uint64_t timeout, uint64_t repeat)
{
    unsigned n = atomic_load(&times);

    return __real_uv_timer_start(t, cb, (timeout + n - 1) / n, (repeat + n - 1) / n);
}

void
slow_speed(unsigned n)
{
    uint64_t now = __real_uv_hrtime();

    atomic_store(&shown, __wrap_uv_hrtime());
    atomic_store(&real, now);
    atomic_store(&times, n);
}

int64_t
slow_now_ms(void)
{
    return (int64_t)(__wrap_uv_hrtime() / 1000000);
}

int64_t
slow_mono(void *unused)
{
    (void)unused;
    return (int64_t)__wrap_uv_hrtime();
}
