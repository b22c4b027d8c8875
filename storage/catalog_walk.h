#ifndef SP_STORAGE_CATALOG_WALK_H
#define SP_STORAGE_CATALOG_WALK_H

/* A place in a catalog tree, in key order, that may rest on a node not yet read as well as on an
 * entry: what cursors and differences are made of. Only `enter` and `seek` read. Internal to
 * storage/. */

#include "storage/tree_node.h"

struct sp_walk;

/* Reads the root. `ahead`: up to how many leaves are read in one batch while going on in order. */
enum sp_code sp_walk_new(const struct sp_node_source *source, const struct sp_id *root,
    size_t ahead, struct sp_walk **ret, struct sp_err *e);
void sp_walk_free(struct sp_walk *w);
/* Read ahead only what `other` does not hold at the same place: for differences. */
void sp_walk_beside(struct sp_walk *w, const struct sp_walk *other);

struct sp_walk_place {
    const uint8_t *key; /* of the entry; of a node, its first */
    size_t key_len;
    unsigned height;        /* 0: an entry; n: a node of level n - 1 */
    const struct sp_id *id; /* of the node */
    const struct sp_entry *entry;
};
/* Where w is; false at the end. Valid until w moves. */
bool sp_walk_at(const struct sp_walk *w, struct sp_walk_place *ret);
/* Reads the node at the place and goes to its first item. When that fails, w stays before the node.
 */
enum sp_code sp_walk_enter(struct sp_walk *w, struct sp_err *e);
/* Goes behind the entry or the whole node at the place. */
enum sp_code sp_walk_pass(struct sp_walk *w, struct sp_err *e);
/* Goes to the first entry whose key is not below, or before the node that begins with it. When
 * reading fails, w stays before that node. */
enum sp_code sp_walk_seek(struct sp_walk *w, const void *key, size_t n, struct sp_err *e);
/* Sums over the root's items. */
enum sp_code
sp_walk_totals(struct sp_walk *w, uint64_t *ret_entries, uint64_t *ret_bytes, struct sp_err *e);

#endif
