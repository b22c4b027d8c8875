#ifndef SP_STORAGE_BLOCK_FORMAT_H
#define SP_STORAGE_BLOCK_FORMAT_H

/* What the files that build, seal and open blocks share (docs/format.md §6.2): the layout in
 * numbers and the keys of a block. */

#include "storage/block.h"

#define BLOCK_MAGIC "SPB1"
#define BLOCK_SUITE 1
#define BLOCK_FIXED 64 /* of the header, before the ids */

/* Offsets in the header. */
enum {
    AT_SUITE = 4,
    AT_KIND = 5,
    AT_COUNT = 6,
    AT_HEADER_LEN = 8,
    AT_SEALED_LEN = 12,
    AT_GROUP = 16,
    AT_EPOCH = 32,
    AT_ZERO = 36,
    AT_SALT = 40,
    AT_COUNTER = 56
};

#define PLAIN_HEAD 12 /* compression, zeros, packed and raw length */
#define TABLE_ENTRY 8 /* ordinal, chunk kind, zero, length */
enum { PACKED_NONE = 0, PACKED_ZSTD = 1 };

/* n ids of 32 bytes, sorted as byte strings, none twice. */
bool sp_ids_sorted(const void *ids, size_t n);
/* Only chunk lists and tree nodes refer to others. */
bool sp_chunk_may_refer(enum sp_chunk_kind kind);

/* The key of a connection or run, and from it the key of one block; the caller wipes them. */
enum sp_code sp_block_conn_key(
    const uint8_t seal[32], const uint8_t salt[16], uint8_t ret[32], struct sp_err *e);
enum sp_code sp_block_key(const uint8_t conn[32], uint64_t counter, enum sp_block_kind kind,
    const uint8_t *ids, size_t nids, uint8_t ret[32], struct sp_err *e);

struct sp_built_chunk {
    struct sp_id id;
    uint32_t len;
    uint32_t nrefs;
    size_t ref_at; /* the first of its refs among the builder's, in ids */
    enum sp_chunk_kind kind;
};

/* The contents lie in `raw` one after the other, as in the block, behind room for the table: when
 * the block is sealed the table is written directly before them, and nothing is moved. */
#define TABLE_ROOM (SP_BLOCK_MAX_IDS * TABLE_ENTRY)
struct sp_block_builder {
    enum sp_block_kind kind;
    size_t n;
    struct sp_buf raw;
    struct sp_buf refs; /* 32 bytes each */
    struct sp_built_chunk chunks[SP_BLOCK_MAX_IDS];
};

#endif
