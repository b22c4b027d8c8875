#ifndef SP_SERVER_WORK_H
#define SP_SERVER_WORK_H

/* Work on libuv's worker threads: `run` there, then `done` on the loop's thread. For what blocks on
 * a disk, never for what waits for a peer. */

#include <stdbool.h>
#include <uv.h>

/* false: no memory; nothing will be called. */
bool sp_work(uv_loop_t *loop, void (*run)(void *arg), void (*done)(void *arg), void *arg);

#endif
