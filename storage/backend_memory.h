#ifndef SP_STORAGE_BACKEND_MEMORY_H
#define SP_STORAGE_BACKEND_MEMORY_H

/* What only the memory backend has: its store can be opened more than once, and its clock moved. */

#include "storage/backend.h"

/* The same store, as somebody else opens it: with a run of its own. It lives until the last of its
 * backends is freed. */
enum sp_code
sp_backend_memory_again(struct sp_backend *b, struct sp_backend **ret, struct sp_err *e);
/* Moves the store's clock, forward or back; what is there keeps its times. */
void sp_backend_memory_advance(struct sp_backend *b, int64_t ns);

#endif
