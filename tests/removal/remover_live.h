#ifndef SP_TESTS_REMOVER_LIVE_H
#define SP_TESTS_REMOVER_LIVE_H

/* What lies in the packs, and what of it the sets need; nobody but remover.c includes it. */

#include "remover.h"
#include "storage/keyset.h"

struct live_pack {
    enum sp_pack_kind kind;
    uint8_t name[32];
    uint64_t size;
};
struct live_chunk { /* one place of one id */
    uint8_t id[32];
    uint32_t pack, offset, length;
};
struct live {
    struct sp_backend *b;
    struct live_pack *packs;
    size_t npacks, packs_cap;
    struct live_chunk *chunks; /* sorted by id */
    size_t nchunks, chunks_cap;
    struct sp_keyset needed; /* by the sets looked at */
    uint8_t (*stack)[32];
    size_t depth, stack_cap;
    size_t sets, broken;
    const char *what;
};

/* Reads every trailer, and follows every set and checkpoint. Something that is needed and not there
 * makes its set `broken`. */
enum sp_code live_read(struct sp_backend *b, const char *what, struct live *ret, struct sp_err *e);
void live_free(struct live *l);
bool live_needs(const struct live *l, size_t pack); /* any of its chunks */

#endif
