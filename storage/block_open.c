/* Opening: decrypt, unpack, and believe nothing that the ids do not prove (rules R13, R16, R18,
 * R22). */

#include <stdlib.h>
#include <string.h>

#include "base/spare.h"
#include "base/text.h"
#include "storage/block_format.h"
#include "storage/compress.h"
#include "storage/crypto.h"

/* Blocks of a few runs alternate in a restore; each run has one salt. */
#define CACHED_KEYS 16

struct conn_key {
    uint32_t epoch; /* 0: not in use */
    uint8_t salt[16], key[32];
};

struct sp_opener {
    const struct sp_keys *keys;
    struct sp_hasher *hasher;
    struct sp_compressor *compressor;
    uint8_t *plain; /* the decrypted part, between calls only kept as memory */
    size_t plain_cap;
    struct conn_key cache[CACHED_KEYS];
    size_t next; /* the one to give way */
};

struct entry {
    uint32_t at, len, nrefs;
    size_t ref_at;
    enum sp_chunk_kind kind;
};

struct sp_opened {
    size_t n, raw_n, refs_total;
    const uint8_t *raw; /* the table and the contents */
    uint8_t *own;       /* their memory; NULL: the opener's, until it opens another block */
    struct sp_id *ids;  /* n, sorted; behind the entries, as are the refs */
    struct sp_id *refs; /* refs_total */
    struct entry entries[];
};

enum sp_code
sp_opener_new(const struct sp_keys *k, struct sp_opener **ret, struct sp_err *e)
{
    struct sp_opener *o = calloc(1, sizeof(*o));
    enum sp_code rc;

    if (o == NULL)
        return sp_fail_nomem(e);
    o->keys = k;
    if ((rc = sp_hasher_new(k, &o->hasher, e)) != SP_OK ||
        (rc = sp_compressor_new(1, &o->compressor, e)) != SP_OK) {
        sp_opener_free(o);
        return rc;
    }
    *ret = o;
    return SP_OK;
}

void
sp_opener_free(struct sp_opener *o)
{
    if (o == NULL)
        return;
    sp_hasher_free(o->hasher);
    sp_compressor_free(o->compressor);
    free(o->plain);
    sp_wipe(o->cache, sizeof(o->cache));
    free(o);
}

static enum sp_code
conn_key(
    struct sp_opener *o, const struct sp_block_header *h, const uint8_t **ret, struct sp_err *e)
{
    for (size_t i = 0; i < CACHED_KEYS; i++) {
        if (o->cache[i].epoch == h->epoch && memcmp(o->cache[i].salt, h->salt, 16) == 0) {
            *ret = o->cache[i].key;
            return SP_OK;
        }
    }
    const uint8_t *seal = sp_keys_seal(o->keys, h->epoch);
    if (seal == NULL)
        return sp_fail(e, SP_AUTH, SP_DOM_CRYPTO,
            "the block was sealed under epoch %u, which these keys do not have", h->epoch);

    struct conn_key *c = &o->cache[o->next];
    c->epoch = 0;
    enum sp_code rc = sp_block_conn_key(seal, h->salt, c->key, e);
    if (rc != SP_OK)
        return rc;
    c->epoch = h->epoch;
    memcpy(c->salt, h->salt, 16);
    o->next = (o->next + 1) % CACHED_KEYS;
    *ret = c->key;
    return SP_OK;
}

/* Into o->plain. */
static enum sp_code
decrypt(
    struct sp_opener *o, const struct sp_block_header *h, const uint8_t *block, struct sp_err *e)
{
    const uint8_t *conn = NULL;
    uint8_t key[32];
    enum sp_code rc;

    if (memcmp(h->group, sp_keys_group(o->keys), 16) != 0)
        return sp_fail(e, SP_AUTH, SP_DOM_CRYPTO, "the block was sealed by another key group (%s)",
            sp_hex16(h->group).s);
    if ((rc = conn_key(o, h, &conn, e)) != SP_OK ||
        (rc = sp_block_key(conn, h->counter, h->kind, h->ids, h->nids, key, e)) != SP_OK)
        return rc;
    if (o->plain_cap < h->sealed_len) {
        free(o->plain);
        o->plain_cap = 0;
        if ((o->plain = malloc(h->sealed_len)) == NULL) {
            rc = sp_fail_nomem(e);
            goto out;
        }
        o->plain_cap = h->sealed_len;
    }
    rc = sp_aead_open(key, block, h->header_len, block + h->header_len, h->sealed_len, o->plain, e);
    if (rc == SP_CORRUPT)
        rc = sp_fail(e, SP_CORRUPT, SP_DOM_STORE,
            "the block does not authenticate: it was altered or damaged");
out:
    sp_wipe(key, sizeof(key));
    return rc;
}

static enum sp_code
malformed(struct sp_err *e)
{
    return sp_fail(e, SP_CORRUPT, SP_DOM_STORE, "what is sealed in the block is malformed");
}

/* `lend`: what was not packed may stay where it was decrypted to. */
static enum sp_code
unpack(struct sp_opener *o, const struct sp_block_header *h, bool lend, struct sp_opened *b,
    struct sp_err *e)
{
    const uint8_t *p = o->plain;
    size_t n = h->sealed_len - SP_GCM_TAG - PLAIN_HEAD;
    size_t packed = sp_le32(p + 4), raw_n = sp_le32(p + 8);

    if (p[0] > PACKED_ZSTD || p[1] != 0 || p[2] != 0 || p[3] != 0 || packed > n ||
        raw_n > SP_BLOCK_MAX_RAW || raw_n < h->nids * TABLE_ENTRY ||
        (p[0] == PACKED_NONE && packed != raw_n))
        return malformed(e);
    for (size_t i = packed; i < n; i++)
        if (p[PLAIN_HEAD + i] != 0)
            return malformed(e);
    b->raw = p + PLAIN_HEAD;
    b->raw_n = raw_n;
    if (p[0] == PACKED_NONE && lend)
        return SP_OK;
    if ((b->own = sp_spare_alloc(raw_n)) == NULL)
        return sp_fail_nomem(e);
    b->raw = b->own;
    if (p[0] == PACKED_ZSTD)
        return sp_decompress(o->compressor, p + PLAIN_HEAD, packed, b->own, raw_n, e);
    memcpy(b->own, p + PLAIN_HEAD, raw_n);
    return SP_OK;
}

static enum sp_code
opened_new(const struct sp_block_header *h, struct sp_opened **ret, struct sp_err *e)
{
    size_t entries = h->nids * sizeof(struct entry);
    size_t ids = h->nids * sizeof(struct sp_id), refs = h->refs_total * sizeof(struct sp_id);
    struct sp_opened *b = calloc(1, sizeof(*b) + entries + ids + refs);
    size_t ref_at = 0;

    if (b == NULL)
        return sp_fail_nomem(e);
    b->n = h->nids;
    b->refs_total = h->refs_total;
    b->ids = (struct sp_id *)(void *)(b->entries + b->n);
    b->refs = b->ids + b->n;
    memcpy(b->ids, h->ids, ids);
    if (refs > 0)
        memcpy(b->refs, h->refs, refs);
    for (size_t i = 0; i < b->n && h->nrefs != NULL; i++) {
        b->entries[i].ref_at = ref_at;
        b->entries[i].nrefs = sp_le32(h->nrefs + 4 * i);
        ref_at += b->entries[i].nrefs;
    }
    *ret = b;
    return SP_OK;
}

/* Every ordinal once, the contents fill what is there exactly. */
static enum sp_code
read_table(struct sp_opened *b, struct sp_err *e)
{
    struct sp_cur c = sp_cur_of(b->raw, b->raw_n);
    struct sp_cur table = sp_cur_sub(&c, b->n * TABLE_ENTRY);
    size_t at = b->n * TABLE_ENTRY;

    for (size_t i = 0; i < b->n; i++) {
        size_t ordinal = sp_cur_u16(&table);
        uint8_t kind = sp_cur_u8(&table), zero = sp_cur_u8(&table);
        uint32_t len = sp_cur_u32(&table);

        if (ordinal >= b->n || b->entries[ordinal].kind != 0 || zero != 0 || kind < SP_CHUNK_DATA ||
            kind > SP_CHUNK_DOCUMENT || len > b->raw_n - at)
            return malformed(e);
        struct entry *en = &b->entries[ordinal];
        en->kind = (enum sp_chunk_kind)kind;
        en->at = (uint32_t)at;
        en->len = len;
        at += len;
        if (en->nrefs > 0 && !sp_chunk_may_refer(en->kind))
            return malformed(e);
    }
    return at == b->raw_n ? SP_OK : malformed(e);
}

static enum sp_code
check_ids(struct sp_opener *o, const struct sp_opened *b, struct sp_err *e)
{
    for (size_t i = 0; i < b->n; i++) {
        struct sp_chunk c;
        struct sp_id id;
        enum sp_code rc;

        sp_opened_get(b, i, &c);
        rc = sp_hasher_id(o->hasher, c.kind, c.refs, c.nrefs, c.data, c.len, &id, e);
        if (rc != SP_OK)
            return rc;
        if (sp_id_cmp(&id, c.id) != 0)
            return sp_fail(e, SP_CORRUPT, SP_DOM_STORE,
                "the chunk %s in the block has another content than its id says",
                sp_hex8(c.id->b).s);
    }
    return SP_OK;
}

static enum sp_code
open_block(struct sp_opener *o, const void *block, size_t n, bool lend, struct sp_opened **ret,
    struct sp_err *e)
{
    struct sp_block_header h;
    struct sp_opened *b = NULL;
    enum sp_code rc;

    if ((rc = sp_block_header_parse(block, n, &h, e)) != SP_OK)
        return rc;
    if (n != (size_t)h.header_len + h.sealed_len)
        return sp_fail(e, SP_CORRUPT, SP_DOM_STORE, "the block has %zu bytes instead of %zu", n,
            (size_t)h.header_len + h.sealed_len);
    if ((rc = decrypt(o, &h, block, e)) != SP_OK || (rc = opened_new(&h, &b, e)) != SP_OK ||
        (rc = unpack(o, &h, lend, b, e)) != SP_OK || (rc = read_table(b, e)) != SP_OK ||
        (rc = check_ids(o, b, e)) != SP_OK)
        goto out;
    *ret = b;
    b = NULL;
out:
    sp_opened_free(b);
    return rc;
}

enum sp_code
sp_block_open(
    struct sp_opener *o, const void *block, size_t n, struct sp_opened **ret, struct sp_err *e)
{
    return open_block(o, block, n, false, ret, e);
}

enum sp_code
sp_block_peek(
    struct sp_opener *o, const void *block, size_t n, struct sp_opened **ret, struct sp_err *e)
{
    return open_block(o, block, n, true, ret, e);
}

size_t
sp_opened_count(const struct sp_opened *b)
{
    return b->n;
}

void
sp_opened_get(const struct sp_opened *b, size_t i, struct sp_chunk *ret)
{
    const struct entry *en = &b->entries[i];

    *ret = (struct sp_chunk){.id = &b->ids[i],
        .kind = en->kind,
        .data = b->raw + en->at,
        .len = en->len,
        .refs = en->nrefs > 0 ? b->refs + en->ref_at : NULL,
        .nrefs = en->nrefs};
}

bool
sp_opened_find(const struct sp_opened *b, const struct sp_id *id, struct sp_chunk *ret)
{
    const struct sp_id *at = bsearch(id, b->ids, b->n, sizeof(*id), sp_id_cmp);

    if (at == NULL)
        return false;
    sp_opened_get(b, (size_t)(at - b->ids), ret);
    return true;
}

size_t
sp_opened_bytes(const struct sp_opened *b)
{
    return sizeof(*b) + b->n * (sizeof(struct entry) + sizeof(struct sp_id)) +
           b->refs_total * sizeof(struct sp_id) + b->raw_n;
}

void
sp_opened_free(struct sp_opened *b)
{
    if (b == NULL)
        return;
    sp_spare_free(b->own);
    free(b);
}
