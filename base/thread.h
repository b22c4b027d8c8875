#ifndef SP_BASE_THREAD_H
#define SP_BASE_THREAD_H

/* Threads, mutexes and condition variables of the platform (thread_posix.c, thread_win32.c). A lock
 * that cannot be taken is our own mistake and aborts. */

#include <stdint.h>
#include <stdbool.h>

#include "base/err.h"

#ifdef __cplusplus
#error "C only"
#endif

struct sp_mutex {
    void *impl[8]; /* room for pthread_mutex_t (40 bytes on Linux) or SRWLOCK; checked in the .c */
};
struct sp_cond {
    void *impl[8];
};
struct sp_thread;

void sp_mutex_init(struct sp_mutex *m); /* a static one, all zeros, needs it not */
void sp_mutex_destroy(struct sp_mutex *m);
void sp_mutex_lock(struct sp_mutex *m);
void sp_mutex_unlock(struct sp_mutex *m);
void sp_cond_init(struct sp_cond *c); /* waits by the monotonic clock */
void sp_cond_destroy(struct sp_cond *c);
void sp_cond_wait(struct sp_cond *c, struct sp_mutex *m);
/* false: the time passed. */
bool sp_cond_wait_ms(struct sp_cond *c, struct sp_mutex *m, uint32_t ms);
void sp_cond_signal(struct sp_cond *c);
void sp_cond_broadcast(struct sp_cond *c);

/* `name` (at most 15 bytes) is shown by debuggers. The thread must be joined. Signals are blocked in
 * it: only the main thread hears them. */
enum sp_code sp_thread_start(const char *name, void (*run)(void *arg), void *arg,
    struct sp_thread **ret, struct sp_err *e);
void sp_thread_join(struct sp_thread *t); /* frees t; NULL is harmless */
unsigned sp_cpu_count(void);              /* processors this process may use, at least 1 */

#endif
