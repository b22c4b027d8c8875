#include <stdlib.h>

#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/material.h"

/* `u8 mode`, then
 *   0  a block as it stands, from a store
 *   1  `u8 kind ‖ u8 ids ‖ u8 refs of each ‖ u8 form ‖ bytes`: what a member of the key group may
 *      have sealed; the bytes are the plaintext (form 0), or what is packed in it
 *   2  `u8 kind ‖ parts`: chunks, sealed and opened by the rules; then one byte is changed */

static void
look(const struct sp_opened *b)
{
    struct sp_chunk c, found;

    for (size_t i = 0; i < sp_opened_count(b); i++) {
        struct sp_id id;
        struct sp_err e = {0};

        sp_opened_get(b, i, &c);
        FUZZ_MUST(sp_opened_find(b, c.id, &found) && found.data == c.data);
        FUZZ_OK(sp_hasher_id(fuzz_hasher(), c.kind, c.refs, c.nrefs, c.data, c.len, &id, &e));
        FUZZ_MUST(sp_id_cmp(&id, c.id) == 0);
    }
    FUZZ_MUST(sp_opened_bytes(b) < 16u << 20);
}

static enum sp_code
open_block(const void *p, size_t n)
{
    struct sp_opened *b = NULL;
    struct sp_err e = {0};
    enum sp_code rc = FUZZ_TRY(sp_block_open(fuzz_opener(), p, n, &b, &e));

    FUZZ_MUST(rc == SP_OK || rc == SP_CORRUPT || rc == SP_AUTH);
    if (rc == SP_OK)
        look(b);
    sp_opened_free(b);
    return rc;
}

static void
raw(const uint8_t *p, size_t n)
{
    struct sp_block_header h;
    struct sp_block_walk walk;
    struct sp_err e = {0};
    const uint8_t *id, *refs;
    size_t i = 0, total = 0, length = 0, nrefs;

    (void)open_block(p, n);
    if (FUZZ_TRY(sp_block_header_parse(p, n, &h, &e)) != SP_OK)
        return;
    FUZZ_OK(sp_block_length(p, n, &length, &e));
    FUZZ_MUST(length == (size_t)h.header_len + h.sealed_len);
    FUZZ_MUST(h.nids >= 1 && h.nids <= SP_BLOCK_MAX_IDS);
    sp_block_walk_start(&walk, &h);
    for (; sp_block_walk_next(&walk, &id, &refs, &nrefs); i++) {
        size_t same;

        FUZZ_MUST(id == h.ids + 32 * i);
        FUZZ_MUST(sp_block_refs(&h, i, &same) == refs && same == nrefs);
        FUZZ_MUST(nrefs == 0 || refs + 32 * nrefs <= p + h.header_len);
        for (size_t k = 1; k < nrefs; k++)
            FUZZ_MUST(memcmp(refs + 32 * (k - 1), refs + 32 * k, 32) < 0);
        total += nrefs;
    }
    FUZZ_MUST(i == h.nids && total == h.refs_total);
}

static void
sealed(struct fuzz_in *in)
{
    enum sp_block_kind kind = (enum sp_block_kind)(1 + fuzz_u8(in) % 5);
    size_t nids = 1 + fuzz_u8(in) % 8, each = fuzz_u8(in) % 4, n;
    uint8_t form = fuzz_u8(in);
    struct sp_buf plain = SP_BUF_INIT, block = SP_BUF_INIT;
    struct sp_id ids[8], refs[32];
    uint32_t nrefs[8];
    struct sp_err e = {0};

    for (unsigned i = 0; i < 8; i++) {
        ids[i] = fuzz_id(i);
        nrefs[i] = (uint32_t)each;
        for (unsigned k = 0; k < each; k++)
            refs[i * each + k] = fuzz_id(1000 + k);
    }
    if (form != 0) {
        bool zstd = (form & 2) != 0;
        uint32_t claim = zstd ? fuzz_u32(in) & 0x7fffff : (uint32_t)in->n;

        sp_buf_put_u32(&plain, zstd);
        sp_buf_put_u32(&plain, (uint32_t)in->n);
        sp_buf_put_u32(&plain, claim);
    }
    /* One chunk's id can be made to fit. */
    if ((form & 1) != 0 && (form & 2) == 0 && nids == 1 && in->n >= TABLE_ENTRY)
        FUZZ_OK(sp_hasher_id(fuzz_hasher(), (enum sp_chunk_kind)in->p[2],
            kind == SP_BLOCK_NODES ? refs : NULL, kind == SP_BLOCK_NODES ? each : 0,
            in->p + TABLE_ENTRY, in->n - TABLE_ENTRY, &ids[0], &e));
    sp_buf_put(&plain, in->p, in->n);
    n = plain.len < PLAIN_HEAD ? PLAIN_HEAD : sp_padme(plain.len);
    sp_buf_put_zero(&plain, n - plain.len);
    fuzz_seal(kind, ids, nids, nrefs, refs, plain.data, plain.len, &block);
    (void)open_block(block.data, block.len);
    sp_buf_free(&plain);
    sp_buf_free(&block);
}

static void
built(struct fuzz_in *in)
{
    enum sp_block_kind kind = (enum sp_block_kind)(1 + fuzz_u8(in) % 5);
    enum sp_chunk_kind chunk = kind == SP_BLOCK_NODES       ? SP_CHUNK_TREE
                               : kind == SP_BLOCK_RECORD    ? SP_CHUNK_RECORD
                               : kind == SP_BLOCK_DOCUMENTS ? SP_CHUNK_DOCUMENT
                                                            : SP_CHUNK_DATA;
    uint32_t change = fuzz_u32(in);
    struct sp_random_seeded seeded = {1};
    struct sp_random random = sp_random_seeded_of(&seeded);
    struct sp_block_builder *b = NULL;
    struct sp_sealer *sealer = NULL;
    struct sp_buf block = SP_BUF_INIT;
    struct sp_err e = {0};
    size_t n = 0;

    FUZZ_OK(sp_block_builder_new(kind, &b, &e));
    FUZZ_OK(sp_sealer_new(fuzz_keys(), &random, &sealer, &e));
    for (; in->n > 0 && n < SP_BLOCK_MAX_IDS; n++) {
        struct fuzz_in part = fuzz_part(in);
        struct sp_id id;

        if (!sp_block_builder_fits(b, part.n))
            break;
        FUZZ_OK(sp_hasher_id(fuzz_hasher(), chunk, NULL, 0, part.p, part.n, &id, &e));
        FUZZ_OK(sp_block_builder_add(b, chunk, &id, NULL, 0, part.p, part.n, &e));
    }
    if (n > 0 && FUZZ_TRY(sp_block_seal(sealer, fuzz_compressor(), NULL, b, &block, &e)) == SP_OK) {
        FUZZ_MUST(open_block(block.data, block.len) == SP_OK);
        raw(block.data, block.len);
        block.data[change % block.len] ^= (uint8_t)(1u << (change >> 29));
        FUZZ_MUST(open_block(block.data, block.len) != SP_OK);
    } else {
        FUZZ_MUST(n == 0 || e.code == SP_INVALID); /* the same chunk twice */
    }
    sp_block_builder_free(b);
    sp_sealer_free(sealer);
    sp_buf_free(&block);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_in in = {data, size};

    switch (fuzz_u8(&in) % 3) {
    case 0:
        raw(in.p, in.n);
        break;
    case 1:
        sealed(&in);
        break;
    default:
        built(&in);
        break;
    }
    return 0;
}
