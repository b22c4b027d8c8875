#ifndef SP_CLIENT_NODES_H
#define SP_CLIENT_NODES_H

/* A node source over a store: fetches the blocks of the nodes asked for, opens and verifies them (another
 * copy is tried when one is bad), and keeps them, sealed as they are, in a local cache file per repository, so
 * that an unchanged run asks the store for almost nothing. Deleting the cache costs only time. */

#include "base/os.h"
#include "storage/node.h"
#include "storage/store.h"

struct sp_nodes;
/* cache_dir NULL: no cache. One thread uses the source; several objects may share a cache folder. `store` and
 * `keys` outlive it. */
enum sp_code sp_nodes_new(const struct sp_env *env, struct sp_store *store, const struct sp_keys *keys,
    const char *cache_dir, struct sp_nodes **ret, struct sp_err *e);
/* Another source for another thread, over the same store and the very same cache: what the one keeps the other
 * finds, and the cache's table is in memory once. Freed in any order. Keeps few opened blocks. Any thread. */
enum sp_code sp_nodes_beside(const struct sp_nodes *other, struct sp_nodes **ret, struct sp_err *e);
void sp_nodes_free(struct sp_nodes *n);
struct sp_node_source sp_nodes_source(struct sp_nodes *n);
/* A node block that this run made itself: kept too. Any thread. */
void sp_nodes_add_block(struct sp_nodes *n, const uint8_t *block, size_t len);
/* After a success: drops cached blocks that neither this object nor those beside it used. */
void sp_nodes_trim(struct sp_nodes *n);

#endif
