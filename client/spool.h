#ifndef SP_CLIENT_SPOOL_H
#define SP_CLIENT_SPOOL_H

/* Bytes whose number has to be known before the first is used, from who only pushes them: in memory
 * up to 1 MiB, then in a temporary file that only its owner may read. One thread. */

#include "base/os.h"

struct sp_spool;
/* `folder`: for the file; NULL: what does not fit into memory is SP_INVALID. */
enum sp_code
sp_spool_new(const struct sp_env *env, const char *folder, struct sp_spool **ret, struct sp_err *e);
enum sp_code sp_spool_put(struct sp_spool *s, const void *p, size_t n, struct sp_err *e);
uint64_t sp_spool_size(const struct sp_spool *s);
/* Up to n bytes, fewer only at the end. */
enum sp_code sp_spool_read(
    struct sp_spool *s, uint64_t offset, void *to, size_t n, size_t *ret_n, struct sp_err *e);
void sp_spool_free(struct sp_spool *s); /* NULL is harmless; removes the file */

#endif
