#ifndef SP_CLIENT_NODECACHE_H
#define SP_CLIENT_NODECACHE_H

/* Sealed node blocks kept in a local folder, one per repository and job. Files of `u32 length ‖ block`, the
 * newest made by the run that is going on; nothing in it is trusted (blocks are opened and verified as those
 * from the store), damage only costs time. Not locked. */

#include "base/os.h"
#include "storage/block.h"

struct sp_nodecache;
/* Reads what is there; a folder that cannot be used gives an empty cache that keeps nothing. */
enum sp_code sp_nodecache_open(const struct sp_env *env, const char *folder, struct sp_nodecache **ret,
    struct sp_err *e);
void sp_nodecache_free(struct sp_nodecache *c);
/* The block that holds the id: *ret malloc'd; false when there is none. */
bool sp_nodecache_get(struct sp_nodecache *c, const struct sp_id *id, uint8_t **ret, size_t *ret_n);
/* Notes that this run needs the block of this id. */
void sp_nodecache_use(struct sp_nodecache *c, const struct sp_id *id);
/* Keeps a block of this run; one whose first id is there already is passed over. */
void sp_nodecache_add(struct sp_nodecache *c, const uint8_t *block, size_t n);
/* After a success: names this run's file, and drops what no run needs when that is more than half. */
void sp_nodecache_trim(struct sp_nodecache *c);

#endif
