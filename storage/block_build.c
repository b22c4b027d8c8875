/* Gathering chunks for one block. */

#include <stdlib.h>
#include <string.h>

#include "storage/block_format.h"
#include "storage/crypto.h"

#define ANY_CHUNK (1u << 20) /* what an empty builder takes of any kind */

/* The limit on the sealed part (docs/format.md §6.2 end). A record is one chunk and must fit as it
 * is, since there is no second block for the rest of it. */
static size_t
limit_of(enum sp_block_kind kind)
{
    switch (kind) {
    case SP_BLOCK_FILES:
    case SP_BLOCK_DOCUMENTS:
        return 1u << 20;
    case SP_BLOCK_IMAGES:
        return 256u << 10;
    case SP_BLOCK_NODES:
        return 128u << 10;
    case SP_BLOCK_RECORD:
        return SP_BLOCK_MAX_SEALED;
    }
    return 0;
}

static bool
belongs(enum sp_block_kind block, enum sp_chunk_kind chunk)
{
    switch (block) {
    case SP_BLOCK_FILES:
    case SP_BLOCK_IMAGES:
        return chunk == SP_CHUNK_DATA;
    case SP_BLOCK_NODES:
        return chunk == SP_CHUNK_LIST || chunk == SP_CHUNK_TREE;
    case SP_BLOCK_RECORD:
        return chunk == SP_CHUNK_RECORD;
    case SP_BLOCK_DOCUMENTS:
        return chunk == SP_CHUNK_DOCUMENT;
    }
    return false;
}

enum sp_code
sp_block_builder_new(enum sp_block_kind kind, struct sp_block_builder **ret, struct sp_err *e)
{
    struct sp_block_builder *b = calloc(1, sizeof(*b));

    if (b == NULL)
        return sp_fail_nomem(e);
    b->kind = kind;
    size_t room = limit_of(kind) < ANY_CHUNK ? limit_of(kind) : ANY_CHUNK;
    if (!sp_buf_reserve(&b->raw, TABLE_ROOM + room)) {
        sp_block_builder_free(b);
        return sp_fail_nomem(e);
    }
    sp_block_builder_reset(b);
    *ret = b;
    return SP_OK;
}

void
sp_block_builder_free(struct sp_block_builder *b)
{
    if (b == NULL)
        return;
    sp_buf_free(&b->raw);
    sp_buf_free(&b->refs);
    free(b);
}

void
sp_block_builder_reset(struct sp_block_builder *b)
{
    b->n = 0;
    sp_buf_reset(&b->refs);
    sp_buf_reset(&b->raw);
    sp_buf_put_zero(&b->raw, TABLE_ROOM);
}

bool
sp_block_builder_empty(const struct sp_block_builder *b)
{
    return b->n == 0;
}

size_t
sp_block_builder_raw(const struct sp_block_builder *b)
{
    return b->raw.len - TABLE_ROOM;
}

/* As if nothing could be compressed: what does fit then fits always. */
static bool
within_limit(const struct sp_block_builder *b, size_t more)
{
    size_t limit = limit_of(b->kind);

    if (more > limit)
        return false;
    size_t raw = (b->n + 1) * TABLE_ENTRY + sp_block_builder_raw(b) + more;
    return sp_padme(PLAIN_HEAD + raw) + SP_GCM_TAG <= limit;
}

bool
sp_block_builder_fits(const struct sp_block_builder *b, size_t chunk_len)
{
    if (b->n == 0)
        return chunk_len <= ANY_CHUNK || within_limit(b, chunk_len);
    if (b->n == SP_BLOCK_MAX_IDS || b->kind == SP_BLOCK_RECORD)
        return false;
    return within_limit(b, chunk_len);
}

enum sp_code
sp_block_builder_add(struct sp_block_builder *b, enum sp_chunk_kind kind, const struct sp_id *id,
    const struct sp_id *refs, size_t nrefs, const void *p, size_t n, struct sp_err *e)
{
    size_t header = BLOCK_FIXED + (b->n + 1) * (SP_ID_SIZE + 4) + b->refs.len;

    if (!belongs(b->kind, kind))
        return sp_fail(e, SP_INVALID, SP_DOM_SELF,
            "a chunk of kind %d does not go into a block of kind %d", (int)kind, (int)b->kind);
    if (!sp_block_builder_fits(b, n))
        return sp_fail(e, SP_INVALID, SP_DOM_SELF,
            "a chunk of %zu bytes does not fit into the block beside %zu", n,
            sp_block_builder_raw(b));
    if ((nrefs > 0 && !sp_chunk_may_refer(kind)) || !sp_ids_sorted(refs, nrefs))
        return sp_fail(e, SP_INVALID, SP_DOM_SELF,
            "the references of a chunk are not sorted, or its kind has none");
    if (header > SP_BLOCK_MAX_HEADER || nrefs > (SP_BLOCK_MAX_HEADER - header) / SP_ID_SIZE)
        return sp_fail(e, SP_INVALID, SP_DOM_SELF,
            "%zu references do not fit into the header of a block", nrefs);
    if (!sp_buf_reserve(&b->raw, n) || !sp_buf_reserve(&b->refs, nrefs * SP_ID_SIZE))
        return sp_fail_nomem(e);

    b->chunks[b->n++] = (struct sp_built_chunk){.id = *id,
        .len = (uint32_t)n,
        .nrefs = (uint32_t)nrefs,
        .ref_at = b->refs.len / SP_ID_SIZE,
        .kind = kind};
    sp_buf_put(&b->raw, p, n);
    sp_buf_put(&b->refs, refs, nrefs * SP_ID_SIZE);
    return SP_OK;
}
