#include "tests/fuzz/material.h"

#include <string.h>

#include "tests/fuzz/fuzz.h"

const uint8_t fuzz_signing[32] = {7, 7, 7};

/* What is made once lives until the program ends. */

const struct sp_keys *
fuzz_keys(void)
{
    static struct sp_keys *keys;
    struct sp_buf b = SP_BUF_INIT;
    struct sp_err e = {0};

    if (keys == NULL) {
        sp_buf_put_u8(&b, 1);
        for (uint8_t i = 0; i < 32; i++)
            sp_buf_put_u8(&b, i);
        sp_buf_put_u16(&b, FUZZ_EPOCH);
        for (uint32_t epoch = 1; epoch <= FUZZ_EPOCH; epoch++) {
            sp_buf_put_u32(&b, epoch);
            for (uint8_t i = 0; i < 32; i++)
                sp_buf_put_u8(&b, (uint8_t)(i + 100 * epoch));
        }
        FUZZ_OK(sp_keys_decode(b.data, b.len, &keys, &e));
        sp_buf_free(&b);
    }
    return keys;
}

struct sp_hasher *
fuzz_hasher(void)
{
    static struct sp_hasher *hasher;
    struct sp_err e = {0};

    if (hasher == NULL)
        FUZZ_OK(sp_hasher_new(fuzz_keys(), &hasher, &e));
    return hasher;
}

struct sp_opener *
fuzz_opener(void)
{
    static struct sp_opener *opener;
    struct sp_err e = {0};

    if (opener == NULL)
        FUZZ_OK(sp_opener_new(fuzz_keys(), &opener, &e));
    return opener;
}

struct sp_compressor *
fuzz_compressor(void)
{
    static struct sp_compressor *compressor;
    struct sp_err e = {0};

    if (compressor == NULL)
        FUZZ_OK(sp_compressor_new(1, &compressor, &e));
    return compressor;
}

const struct sp_host *
fuzz_host(void)
{
    static struct sp_host host;
    struct sp_err e = {0};

    if (host.nkeys == 0) {
        memset(host.id, 0x11, sizeof(host.id));
        memcpy(host.group, sp_keys_group(fuzz_keys()), sizeof(host.group));
        strcpy(host.name, "fuzz");
        FUZZ_OK(sp_ed25519_public(fuzz_signing, host.keys[0], &e));
        host.nkeys = 1;
    }
    return &host;
}

struct sp_id
fuzz_id(unsigned i)
{
    struct sp_id id = {{(uint8_t)(i >> 8), (uint8_t)i, 0x5a}};

    return id;
}

static void
put_header(enum sp_block_kind kind, const struct sp_id *ids, size_t nids, const uint32_t *nrefs,
    const struct sp_id *refs, size_t sealed, struct sp_buf *b)
{
    size_t total = 0, header = BLOCK_FIXED + nids * SP_ID_SIZE;

    for (size_t i = 0; nrefs != NULL && i < nids; i++)
        total += nrefs[i];
    if (kind == SP_BLOCK_NODES)
        header += 4 * nids + SP_ID_SIZE * total;
    sp_buf_put(b, BLOCK_MAGIC, 4);
    sp_buf_put_u8(b, BLOCK_SUITE);
    sp_buf_put_u8(b, (uint8_t)kind);
    sp_buf_put_u16(b, (uint16_t)nids);
    sp_buf_put_u32(b, (uint32_t)header);
    sp_buf_put_u32(b, (uint32_t)sealed);
    sp_buf_put(b, sp_keys_group(fuzz_keys()), SP_GROUP_SIZE);
    sp_buf_put_u32(b, FUZZ_EPOCH);
    sp_buf_put_zero(b, 4 + 16 + 8);
    sp_buf_put(b, ids, nids * sizeof(*ids));
    if (kind != SP_BLOCK_NODES)
        return;
    for (size_t i = 0; i < nids; i++)
        sp_buf_put_u32(b, nrefs != NULL ? nrefs[i] : 0);
    sp_buf_put(b, refs, total * sizeof(*refs));
}

void
fuzz_seal(enum sp_block_kind kind, const struct sp_id *ids, size_t nids, const uint32_t *nrefs,
    const struct sp_id *refs, const void *plain, size_t n, struct sp_buf *ret)
{
    static const uint8_t salt[16];
    struct sp_buf header = SP_BUF_INIT;
    struct sp_err e = {0};
    uint8_t conn[32], key[32];
    size_t at;

    put_header(kind, ids, nids, nrefs, refs, n + SP_GCM_TAG, &header);
    FUZZ_MUST(!header.failed);
    FUZZ_OK(sp_block_conn_key(sp_keys_seal(fuzz_keys(), FUZZ_EPOCH), salt, conn, &e));
    FUZZ_OK(sp_block_key(conn, 0, kind, (const uint8_t *)ids, nids, key, &e));
    sp_buf_put(ret, header.data, header.len);
    at = ret->len;
    sp_buf_put_zero(ret, n + SP_GCM_TAG);
    FUZZ_MUST(!ret->failed);
    FUZZ_OK(sp_aead_seal(key, header.data, header.len, plain, n, ret->data + at, &e));
    sp_buf_free(&header);
}
