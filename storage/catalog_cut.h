#ifndef SP_STORAGE_CATALOG_CUT_H
#define SP_STORAGE_CATALOG_CUT_H

/* Where catalog nodes are cut (docs/format.md §10): by a keyed hash of the key at the cut and by
 * weights, so that a cut depends on what is near it only, and its place tells nothing without the
 * key. Internal to storage/. */

#include "storage/tree_node.h"

#define SP_CUT_LEAST (8u << 10) /* weight from which a node may be closed */
#define SP_CUT_USUAL (32u << 10)
#define SP_CUT_MOST (64u << 10) /* weight that a node of two items does not pass */

struct sp_cutter;
enum sp_code sp_cutter_new(const struct sp_keys *k, struct sp_cutter **ret, struct sp_err *e);
void sp_cutter_free(struct sp_cutter *c);
/* Whether a node of this level may be closed after an item of this key and weight. */
enum sp_code sp_cutter_after(struct sp_cutter *c, unsigned level, const uint8_t *key, size_t n,
    uint64_t weight, bool *ret, struct sp_err *e);

uint64_t sp_entry_weight(const struct sp_entry *en);
uint64_t sp_child_weight(const struct sp_tree_child *c);

#endif
