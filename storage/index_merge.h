#ifndef SP_STORAGE_INDEX_MERGE_H
#define SP_STORAGE_INDEX_MERGE_H

/* Merges segments into one file of the cache folder as streams: memory is a filter and a piece of
 * each input, whatever their size. */

#include "storage/index_cache.h"
#include "storage/presence.h"

struct sp_index_merge_input {
    struct sp_index_segment *segment;
    uint32_t *packs; /* for each of its packs the ordinal in the result; SP_NO_PACK: left out */
};

/* The result supersedes every input; it is a local file named by its hash. Entries that two inputs
 * say alike come once. At most SP_INDEX_MAX_ENTRIES entries go in. */
enum sp_code
sp_index_merge(struct sp_index_cache *c, const struct sp_index_merge_input *in, size_t n,
    const struct sp_index_pack *packs, size_t npacks, uint8_t ret_name[32], struct sp_err *e);

#endif
