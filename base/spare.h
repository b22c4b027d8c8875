#ifndef SP_BASE_SPARE_H
#define SP_BASE_SPARE_H

/* Large buffers that come and go by the thousand. The C library gives each back to the system,
 * which hands out the next one page by page, cleared: a quarter of the processor's time of a backup
 * or a restore. Here the last few that were let go wait for the next who wants one of about their
 * size.
 *
 * It is malloc's memory: what sp_spare_alloc gave may be passed to free or realloc, what malloc
 * gave to sp_spare_free. Small ones go straight through. Any thread may call. */

#include <stddef.h>

#define SP_SPARE_LEAST ((size_t)64 << 10) /* smaller ones are malloc's own business */
#define SP_SPARE_MOST ((size_t)10 << 20)  /* bytes that wait, of all together */

/* NULL: out of memory. What is in it is undefined. */
void *sp_spare_alloc(size_t n);
void sp_spare_free(void *p); /* NULL is harmless */
/* Gives back to the system what waits: a job is done. */
void sp_spare_empty(void);
size_t sp_spare_waiting(void); /* bytes */
/* What malloc gave for p, at least what was asked for: of the platform (spare_posix.c, _win32.c).
 */
size_t sp_spare_size(void *p);

#endif
