#ifndef SP_STORAGE_PACK_FORMAT_H
#define SP_STORAGE_PACK_FORMAT_H

/* The fixed parts of a pack (docs/format.md §7), for pack_write.c, pack_read.c and pack_verify.c.
 */

#include "storage/pack.h"

#define PACK_HEADER 8  /* "SPP1", version, kind, u16 0 */
#define PACK_FOOTER 48 /* hash of the trailer, its length, u32 0, "SPPTRAIL" */
#define PACK_ENDING "SPPTRAIL"
#define PACK_MAX (UINT64_C(1) << 30)
#define PACK_MAX_TRAILER ((size_t)64 << 20)

/* The least a trailer says of a block: lengths, hash, one id. */
#define PACK_MIN_ENTRY (4 + 4 + 32 + 32)
/* The least a block has beside its ids: the header's fields and the tag. */
#define PACK_MIN_BLOCK (64 + SP_GCM_TAG)
/* Origin, number of blocks, length of the configuration, number of slots. */
#define PACK_MIN_TRAILER (48 + 4 + 4 + 4)

void sp_pack_header(enum sp_pack_kind kind, uint8_t to[PACK_HEADER]);
/* The name of the pack that ends in this trailer and its footer. */
enum sp_code sp_pack_name(
    enum sp_pack_kind kind, const uint8_t *end, size_t n, uint8_t ret[32], struct sp_err *e);

struct sp_pack_trailer {
    uint8_t *bytes; /* the trailer, then the footer */
    size_t n;       /* of the trailer */
    struct sp_pack_origin origin;
    struct sp_pack_block *blocks; /* views into bytes */
    size_t nblocks;
    struct sp_span conf;
    struct sp_span *slots;
    size_t nslots;
};

#endif
