/* Reading whole packs and holding them against their trailers and names: see pack.h. */

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "storage/ahead.h"
#include "storage/pack_format.h"

#define PIECE ((size_t)1 << 20)

struct reading {
    struct sp_ahead *ahead; /* of the pieces; NULL: all is in the first */
    char object[96];
    const uint8_t *piece;
    size_t at, have; /* within the piece */
    uint64_t next;   /* offset of the next piece to ask for */
    uint64_t end;    /* where the blocks end */
    uint8_t *block;  /* room for the longest */
};

static bool
next_piece(void *arg, struct sp_ahead_read *ret)
{
    struct reading *r = arg;

    if (r->next == r->end)
        return false;
    memcpy(ret->name, r->object, sizeof(r->object));
    ret->offset = r->next;
    ret->n = r->end - r->next < PIECE ? (size_t)(r->end - r->next) : PIECE;
    r->next += ret->n;
    return true;
}

static enum sp_code
read_piece(struct reading *r, struct sp_err *e)
{
    const struct sp_ahead_read *read = NULL;
    enum sp_code rc;

    r->at = r->have = 0;
    if (r->ahead != NULL && (rc = sp_ahead_take(r->ahead, &read, &r->piece, &r->have, e)) != SP_OK)
        return rc;
    if (read == NULL)
        return sp_fail(e, SP_INTERNAL, SP_DOM_SELF, "read beyond the blocks");
    return SP_OK;
}

/* The next n bytes of header or blocks. */
static enum sp_code
take(struct reading *r, uint8_t *to, size_t n, struct sp_err *e)
{
    while (n > 0) {
        size_t part;
        enum sp_code rc;

        if (r->at == r->have) {
            if ((rc = read_piece(r, e)) != SP_OK)
                return rc;
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

static size_t
longest(const struct sp_pack_trailer *t)
{
    size_t most = 1;

    for (size_t i = 0; i < t->nblocks; i++)
        if (t->blocks[i].length > most)
            most = t->blocks[i].length;
    return most;
}

/* That the trailer is the one that the name speaks for was seen when it was read; with each block's
 * hash it speaks for all. */
static enum sp_code
verify(struct reading *r, const struct sp_pack_trailer *t, enum sp_pack_kind kind,
    sp_pack_block_fn each, void *arg, struct sp_err *e)
{
    enum sp_code rc;

    if ((r->block = malloc(longest(t))) == NULL)
        return sp_fail_nomem(e);
    if ((rc = read_header(r, kind, e)) != SP_OK)
        return rc;
    return read_blocks(r, t, kind, each, arg, e);
}

enum sp_code
sp_pack_verify(struct sp_backend *b, enum sp_pack_kind kind, const uint8_t name[32], uint64_t size,
    sp_pack_block_fn each, void *arg, struct sp_err *e)
{
    struct sp_pack_trailer *t = NULL;
    struct reading r = {.ahead = NULL};
    enum sp_code rc;

    if ((rc = sp_pack_trailer_read(b, kind, name, size, &t, e)) != SP_OK)
        return rc;
    sp_pack_object_name(kind, name, r.object);
    r.end = size - PACK_FOOTER - t->n;
    if ((rc = sp_ahead_new(b, next_piece, &r, &r.ahead, e)) == SP_OK)
        rc = verify(&r, t, kind, each, arg, e);
    if (rc != SP_OK)
        sp_err_context(e, "pack %s", sp_hex8(name).s);
    sp_ahead_free(r.ahead);
    free(r.block);
    sp_pack_trailer_free(t);
    return rc;
}

enum sp_code
sp_pack_verify_bytes(enum sp_pack_kind kind, const uint8_t name[32], const uint8_t *bytes, size_t n,
    sp_pack_block_fn each, void *arg, struct sp_err *e)
{
    struct sp_pack_trailer *t = NULL;
    struct reading r = {.piece = bytes};
    struct sp_span rest = {NULL, 0}, all = {bytes, n};
    enum sp_code rc;

    if ((rc = sp_pack_trailer_parse(kind, name, n, rest, all, &t, e)) != SP_OK)
        return rc;
    r.have = n - PACK_FOOTER - t->n;
    if ((rc = verify(&r, t, kind, each, arg, e)) != SP_OK)
        sp_err_context(e, "pack %s", sp_hex8(name).s);
    free(r.block);
    sp_pack_trailer_free(t);
    return rc;
}
