#ifndef SP_TESTS_NOMEM_H
#define SP_TESTS_NOMEM_H

/* Memory that runs out where a test wants it to: sp_nomem(program) in CMake sends the program's
 * calls of malloc, calloc, realloc and strdup through nomem.c. Any thread may allocate. */

#include <stdbool.h>

/* The n-th allocation from now fails, with ENOMEM, and no other one; 0: none does. Counting begins
 * anew. */
void nomem_at(long n);
/* Whether that allocation came; from here on none fails. */
bool nomem_came(void);
/* Allocations since nomem_at. */
long nomem_count(void);
/* While it is on every allocation fails. */
void nomem_all(bool on);
/* Of the calling thread: what it allocates while `own` says true neither fails nor counts. For the
 * test's own. */
void nomem_unless(bool (*own)(void));

#endif
