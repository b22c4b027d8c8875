#ifndef SP_STORAGE_NODE_H
#define SP_STORAGE_NODE_H

/* Nodes: chunks that refer to others (docs/format.md §10). Where they come from and go to is the
 * caller's: a source gives opened nodes by id (store, cache), a sink takes new ones (upload). */

#include "storage/block.h"

struct sp_node { /* one opened node; malloc'd in one piece, freed with free() */
    struct sp_id id;
    enum sp_chunk_kind kind;
    const struct sp_id *refs;
    size_t nrefs;
    const uint8_t *data;
    size_t len;
};
enum sp_code sp_node_copy(const struct sp_chunk *c, struct sp_node **ret, struct sp_err *e);

struct sp_node_source {
    /* Fills ret[0..n) (all or nothing; each freed by the caller). SP_ABSENT names the first id that is
     * not to be had. A batch costs one round trip at most. Ids were verified when the block was opened. */
    enum sp_code (*get)(void *self, const struct sp_id *ids, size_t n, struct sp_node **ret,
        struct sp_err *e);
    void *self;
};

struct sp_node_sink {
    /* Takes a copy. The id is already computed. May be called with an id that it has seen before. */
    enum sp_code (*put)(void *self, enum sp_chunk_kind kind, const struct sp_id *id,
        const struct sp_id *refs, size_t nrefs, const void *p, size_t n, struct sp_err *e);
    void *self;
};

#endif
