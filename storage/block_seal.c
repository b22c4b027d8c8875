/* Sealing: the one place where salts and counters live (rule R27). */

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "storage/block_format.h"
#include "storage/compress.h"
#include "storage/crypto.h"

struct sp_sealer {
    uint8_t group[16], salt[16], conn[32];
    uint32_t epoch;
    _Atomic uint64_t next; /* 2^64 blocks are never reached */
};

enum sp_code
sp_sealer_new(
    const struct sp_keys *k, const struct sp_random *r, struct sp_sealer **ret, struct sp_err *e)
{
    struct sp_sealer *s = calloc(1, sizeof(*s));
    enum sp_code rc;

    if (s == NULL)
        return sp_fail_nomem(e);
    s->epoch = sp_keys_epoch(k);
    memcpy(s->group, sp_keys_group(k), 16);
    atomic_init(&s->next, 0);
    if ((rc = sp_random_fill(r, s->salt, sizeof(s->salt), e)) != SP_OK ||
        (rc = sp_block_conn_key(sp_keys_seal(k, s->epoch), s->salt, s->conn, e)) != SP_OK) {
        sp_sealer_free(s);
        return rc;
    }
    *ret = s;
    return SP_OK;
}

void
sp_sealer_free(struct sp_sealer *s)
{
    if (s == NULL)
        return;
    sp_wipe(s->conn, sizeof(s->conn));
    free(s);
}

uint64_t
sp_sealer_count(struct sp_sealer *s)
{
    return atomic_load(&s->next);
}

static int
by_id(const void *a, const void *b)
{
    const struct sp_built_chunk *const *x = a, *const *y = b;

    return sp_id_cmp(&(*x)->id, &(*y)->id);
}

static void
store_le16(uint8_t *p, size_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}

/* The chunks in the order of their ids. */
static enum sp_code
sort_chunks(const struct sp_block_builder *b, const struct sp_built_chunk **order, struct sp_err *e)
{
    for (size_t i = 0; i < b->n; i++)
        order[i] = &b->chunks[i];
    qsort(order, b->n, sizeof(void *), by_id);
    for (size_t i = 1; i < b->n; i++)
        if (sp_id_cmp(&order[i - 1]->id, &order[i]->id) == 0)
            return sp_fail(e, SP_INVALID, SP_DOM_SELF, "the chunk %s is in the block twice",
                sp_hex8(order[i]->id.b).s);
    return SP_OK;
}

/* The table in front of the contents; gives where it begins. */
static const uint8_t *
write_table(const struct sp_block_builder *b, const struct sp_built_chunk **order)
{
    uint8_t *table = b->raw.data + TABLE_ROOM - b->n * TABLE_ENTRY;

    for (size_t i = 0; i < b->n; i++) {
        size_t at = (size_t)(order[i] - b->chunks);
        uint8_t *p = table + at * TABLE_ENTRY;

        store_le16(p, i);
        p[2] = (uint8_t)order[i]->kind;
        p[3] = 0;
        sp_store_le32(p + 4, order[i]->len);
    }
    return table;
}

static size_t
header_length(const struct sp_block_builder *b)
{
    size_t n = BLOCK_FIXED + b->n * SP_ID_SIZE;

    if (b->kind == SP_BLOCK_NODES)
        n += b->n * 4 + b->refs.len;
    return n;
}

/* All but the length of the sealed part and the counter, which are known later. */
static void
write_header(const struct sp_sealer *s, const struct sp_block_builder *b,
    const struct sp_built_chunk **order, uint8_t *p)
{
    memcpy(p, BLOCK_MAGIC, 4);
    p[AT_SUITE] = BLOCK_SUITE;
    p[AT_KIND] = (uint8_t)b->kind;
    store_le16(p + AT_COUNT, b->n);
    sp_store_le32(p + AT_HEADER_LEN, (uint32_t)header_length(b));
    memcpy(p + AT_GROUP, s->group, 16);
    sp_store_le32(p + AT_EPOCH, s->epoch);
    sp_store_le32(p + AT_ZERO, 0);
    memcpy(p + AT_SALT, s->salt, 16);
    p += BLOCK_FIXED;
    for (size_t i = 0; i < b->n; i++, p += SP_ID_SIZE)
        memcpy(p, order[i]->id.b, SP_ID_SIZE);
    if (b->kind != SP_BLOCK_NODES)
        return;
    for (size_t i = 0; i < b->n; i++, p += 4)
        sp_store_le32(p, order[i]->nrefs);
    for (size_t i = 0; i < b->n; i++) {
        size_t n = order[i]->nrefs * (size_t)SP_ID_SIZE;

        if (n > 0)
            memcpy(p, b->refs.data + order[i]->ref_at * SP_ID_SIZE, n);
        p += n;
    }
}

/* Head, packed bytes and padding, written where they will be encrypted in place. */
static enum sp_code
write_plain(struct sp_compressor *c, const uint8_t *raw, size_t raw_n, uint8_t *p, size_t *ret_n,
    struct sp_err *e)
{
    size_t packed = 0;
    enum sp_code rc = sp_compress(c, raw, raw_n, p + PLAIN_HEAD, raw_n, &packed, e);

    if (rc != SP_OK)
        return rc;
    memset(p, 0, PLAIN_HEAD);
    p[0] = packed > 0 ? PACKED_ZSTD : PACKED_NONE;
    if (packed == 0) {
        memcpy(p + PLAIN_HEAD, raw, raw_n);
        packed = raw_n;
    }
    sp_store_le32(p + 4, (uint32_t)packed);
    sp_store_le32(p + 8, (uint32_t)raw_n);
    size_t n = sp_padme(PLAIN_HEAD + packed);
    memset(p + PLAIN_HEAD + packed, 0, n - PLAIN_HEAD - packed);
    *ret_n = n;
    return SP_OK;
}

/* R13. What does not open here is our own mistake or bad memory; nothing in the store is to blame.
 */
static enum sp_code
open_again(struct sp_opener *o, const uint8_t *block, size_t n, struct sp_err *e)
{
    struct sp_opened *opened = NULL;
    enum sp_code rc = sp_block_peek(o, block, n, &opened, e);

    sp_opened_free(opened);
    if (rc == SP_CORRUPT || rc == SP_AUTH) {
        sp_err_context(e, "a block just sealed is not what it must be (is the memory faulty?)");
        e->domain = SP_DOM_SELF;
        rc = e->code = SP_INTERNAL;
    }
    return rc;
}

enum sp_code
sp_block_seal(struct sp_sealer *s, struct sp_compressor *c, struct sp_opener *verify,
    const struct sp_block_builder *b, struct sp_buf *ret, struct sp_err *e)
{
    const struct sp_built_chunk *order[SP_BLOCK_MAX_IDS];
    uint8_t key[32];
    size_t plain_n = 0;
    enum sp_code rc;

    if (b->n == 0)
        return sp_fail(e, SP_INVALID, SP_DOM_SELF, "a block without chunks is not sealed");
    if ((rc = sort_chunks(b, order, e)) != SP_OK)
        return rc;
    size_t raw_n = b->n * TABLE_ENTRY + sp_block_builder_raw(b);
    size_t header_n = header_length(b);
    size_t most = sp_padme(PLAIN_HEAD + raw_n) + SP_GCM_TAG;
    if (most > SP_BLOCK_MAX_SEALED || raw_n > SP_BLOCK_MAX_RAW)
        return sp_fail(e, SP_INVALID, SP_DOM_SELF, "%zu bytes are too many for a block", raw_n);
    if (!sp_buf_reserve(ret, header_n + most))
        return sp_buf_ok(ret, e);

    uint8_t *block = ret->data + ret->len, *plain = block + header_n;
    const uint8_t *raw = write_table(b, order);
    if ((rc = write_plain(c, raw, raw_n, plain, &plain_n, e)) != SP_OK)
        return rc;
    uint64_t counter = atomic_fetch_add(&s->next, 1);
    write_header(s, b, order, block);
    sp_store_le32(block + AT_SEALED_LEN, (uint32_t)(plain_n + SP_GCM_TAG));
    sp_store_le64(block + AT_COUNTER, counter);
    if ((rc = sp_block_key(s->conn, counter, b->kind, block + BLOCK_FIXED, b->n, key, e)) == SP_OK)
        rc = sp_aead_seal(key, block, header_n, plain, plain_n, plain, e);
    sp_wipe(key, sizeof(key));

    size_t block_n = header_n + plain_n + SP_GCM_TAG;
    if (rc == SP_OK && verify != NULL)
        rc = open_again(verify, block, block_n, e);
    if (rc == SP_OK)
        ret->len += block_n;
    return rc;
}
