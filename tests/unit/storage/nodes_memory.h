#ifndef SP_TESTS_STORAGE_NODES_MEMORY_H
#define SP_TESTS_STORAGE_NODES_MEMORY_H

/* Nodes in memory, for tests: a sink and a source that count, and that can be made to lose or to
 * lie. */

#include "storage/node.h"

struct nodes {
    struct sp_node_sink sink;
    struct sp_node_source source;
    struct sp_node **slots; /* open addressing */
    size_t cap, used;
    size_t puts;   /* calls of the sink */
    size_t added;  /* of them, new nodes */
    size_t gets;   /* calls of the source */
    size_t read;   /* nodes it gave */
    long fail_put; /* the n-th put from now fails; negative: none */
};
void nodes_init(struct nodes *m);
void nodes_free(struct nodes *m);
struct sp_node *nodes_find(struct nodes *m, const struct sp_id *id);
void nodes_remove(struct nodes *m, const struct sp_id *id); /* then absent */
/* From now on the source gives these bytes (and refs) under the id. */
void nodes_lie(struct nodes *m, const struct sp_id *id, enum sp_chunk_kind kind,
    const struct sp_id *refs, size_t nrefs, const void *p, size_t n);

#endif
