#ifndef SP_CLIENT_PROVER_H
#define SP_CLIENT_PROVER_H

/* Proves that a store has chunks: fetches their blocks, in pack order, and has a few threads open
 * them, each once, with every id recomputed. What is bad in one copy is looked for in the others.
 * One caller at a time. */

#include "storage/store.h"

struct sp_proof {
    bool proven;
    uint64_t length; /* of a proven chunk */
    char *why;       /* of the last bad copy, malloc'd; NULL: none was found */
};

struct sp_prover;
enum sp_code sp_prover_new(
    struct sp_store *store, const struct sp_keys *keys, struct sp_prover **ret, struct sp_err *e);
void sp_prover_free(struct sp_prover *p);
/* At most 65536 different ids; proofs[i] is of ids[i], and was cleared by the caller. Adds to
 * *bytes what was fetched. An error is about the store: nothing is known of what is not proven. */
enum sp_code sp_prover_run(struct sp_prover *p, const struct sp_id *ids, size_t n,
    struct sp_proof *proofs, uint64_t *bytes, struct sp_err *e);

#endif
