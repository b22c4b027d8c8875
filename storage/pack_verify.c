/* Reading whole packs and holding them against their trailers and names: see pack.h. */

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "storage/pack_format.h"

#define PIECE ((size_t)1 << 20)

struct reading {
    struct sp_backend *b;
    char object[96];
    struct sp_sha256 *hash; /* of all that was taken */
    uint8_t *piece;
    size_t at, have; /* within the piece */
    uint64_t next;   /* offset of what comes after the piece */
    uint64_t end;    /* where the blocks end */
    uint8_t *block;  /* room for the longest */
};

/* The next n bytes of header or blocks. */
static enum sp_code
take(struct reading *r, uint8_t *to, size_t n, struct sp_err *e)
{
    while (n > 0) {
        size_t part;
        enum sp_code rc;

        if (r->at == r->have) {
            r->at = 0;
            r->have = r->end - r->next < PIECE ? (size_t)(r->end - r->next) : PIECE;
            if ((rc = sp_backend_get(r->b, r->object, r->next, r->piece, r->have, e)) != SP_OK)
                return rc;
            if ((rc = sp_sha256_add(r->hash, r->piece, r->have, e)) != SP_OK)
                return rc;
            r->next += r->have;
        }
        part = r->have - r->at < n ? r->have - r->at : n;
        memcpy(to, r->piece + r->at, part);
        r->at += part;
        to += part;
        n -= part;
    }
    return SP_OK;
}

static enum sp_code
check_block(const struct sp_pack_trailer *t, enum sp_pack_kind kind, const struct sp_pack_block *p,
    const uint8_t *block, struct sp_err *e)
{
    struct sp_block_header h;
    uint8_t hash[32];
    enum sp_code rc;

    if ((rc = sp_sha256(block, p->length, hash, e)) != SP_OK)
        return rc;
    if (memcmp(hash, p->sha256, 32) != 0)
        return sp_fail(e, SP_CORRUPT, SP_DOM_STORE, "its bytes have changed");
    if ((rc = sp_block_header_parse(block, p->length, &h, e)) != SP_OK)
        return rc;
    if ((uint64_t)h.header_len + h.sealed_len != p->length || h.nids != p->nids ||
        memcmp(h.ids, p->ids, (size_t)32 * p->nids) != 0 ||
        memcmp(h.group, t->origin.group, 16) != 0 || h.kind == SP_BLOCK_RECORD ||
        sp_pack_kind_of(h.kind) != kind)
        return sp_fail(e, SP_CORRUPT, SP_DOM_STORE, "its header and the pack's trailer disagree");
    return SP_OK;
}

static enum sp_code
read_header(struct reading *r, enum sp_pack_kind kind, struct sp_err *e)
{
    uint8_t header[PACK_HEADER], want[PACK_HEADER];
    enum sp_code rc = take(r, header, sizeof(header), e);

    if (rc != SP_OK)
        return rc;
    sp_pack_header(kind, want);
    if (memcmp(header, want, sizeof(want)) != 0)
        return sp_fail(e, SP_CORRUPT, SP_DOM_STORE, "it does not begin as a pack does");
    return SP_OK;
}

static enum sp_code
read_blocks(struct reading *r, const struct sp_pack_trailer *t, enum sp_pack_kind kind,
    sp_pack_block_fn each, void *arg, struct sp_err *e)
{
    for (size_t i = 0; i < t->nblocks; i++) {
        const struct sp_pack_block *p = &t->blocks[i];
        enum sp_code rc;

        if ((rc = take(r, r->block, p->length, e)) != SP_OK ||
            (rc = check_block(t, kind, p, r->block, e)) != SP_OK) {
            sp_err_context(e, "block %zu at %lu", i, (unsigned long)p->offset);
            return rc;
        }
        if (each != NULL && (rc = each(arg, p, r->block, e)) != SP_OK)
            return rc;
    }
    return SP_OK;
}

/* Trailer and footer are the bytes that were read already. */
static enum sp_code
check_name(
    struct reading *r, const struct sp_pack_trailer *t, const uint8_t name[32], struct sp_err *e)
{
    uint8_t hash[32];
    enum sp_code rc;

    if ((rc = sp_sha256_add(r->hash, t->bytes, t->n + PACK_FOOTER, e)) != SP_OK ||
        (rc = sp_sha256_end(r->hash, hash, e)) != SP_OK)
        return rc;
    if (memcmp(hash, name, 32) != 0)
        return sp_fail(
            e, SP_CORRUPT, SP_DOM_STORE, "its bytes do not have the hash that is its name");
    return SP_OK;
}

static size_t
longest(const struct sp_pack_trailer *t)
{
    size_t most = 1;

    for (size_t i = 0; i < t->nblocks; i++)
        if (t->blocks[i].length > most)
            most = t->blocks[i].length;
    return most;
}

enum sp_code
sp_pack_verify(struct sp_backend *b, enum sp_pack_kind kind, const uint8_t name[32], uint64_t size,
    sp_pack_block_fn each, void *arg, struct sp_err *e)
{
    struct sp_pack_trailer *t = NULL;
    struct reading r = {.b = b};
    enum sp_code rc;

    if ((rc = sp_pack_trailer_read(b, kind, name, size, &t, e)) != SP_OK)
        return rc;
    sp_pack_object_name(kind, name, r.object);
    r.end = size - PACK_FOOTER - t->n;
    if ((r.piece = malloc(r.end < PIECE ? (size_t)r.end + 1 : PIECE)) == NULL ||
        (r.block = malloc(longest(t))) == NULL) {
        rc = sp_fail_nomem(e);
        goto out;
    }
    if ((rc = sp_sha256_new(&r.hash, e)) != SP_OK)
        goto out;
    if ((rc = read_header(&r, kind, e)) != SP_OK)
        goto out;
    if ((rc = read_blocks(&r, t, kind, each, arg, e)) != SP_OK)
        goto out;
    rc = check_name(&r, t, name, e);
out:
    if (rc != SP_OK)
        sp_err_context(e, "pack %s", sp_hex8(name).s);
    sp_sha256_free(r.hash);
    free(r.piece);
    free(r.block);
    sp_pack_trailer_free(t);
    return rc;
}
