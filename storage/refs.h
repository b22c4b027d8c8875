#ifndef SP_STORAGE_REFS_H
#define SP_STORAGE_REFS_H

/* A node names the chunks that it refers to by their ordinals in its sorted refs (docs/format.md
 * §10). Here are both directions: collecting ids while a node is written, and taking ordinals back
 * to ids while one is read, with a count of which were used. */

#include <stdbool.h>

#include "storage/node.h"

struct sp_refs { /* zero-initialised is empty */
    struct sp_id *ids;
    size_t n, cap;
};
enum sp_code sp_refs_add(struct sp_refs *r, const struct sp_id *id, struct sp_err *e);
/* Sorts and makes unique; then ordinals may be asked for. */
void sp_refs_settle(struct sp_refs *r);
/* Ordinal + 1 of an id that was added. */
uint32_t sp_refs_ordinal(const struct sp_refs *r, const struct sp_id *id);
void sp_refs_reset(struct sp_refs *r);
void sp_refs_free(struct sp_refs *r);

struct sp_ref_use { /* zero-initialised is empty; reusable for the next node */
    const struct sp_node *node;
    uint8_t *bits;
    size_t cap, used;
};
enum sp_code sp_ref_use_start(struct sp_ref_use *u, const struct sp_node *node, struct sp_err *e);
/* The id of ordinal + 1; NULL when the node has no such ref. */
const struct sp_id *sp_ref_use_get(struct sp_ref_use *u, uint64_t ref);
bool sp_ref_use_all(const struct sp_ref_use *u); /* each ref of the node was asked for */
void sp_ref_use_free(struct sp_ref_use *u);

#endif
