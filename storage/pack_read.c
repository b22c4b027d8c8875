/* Reading the trailers of packs: see pack.h. */

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "storage/pack_format.h"

/* The end of a pack that is read at once: most trailers are within. */
#define TAIL ((size_t)64 << 10)

static enum sp_code
fail_trailer(struct sp_err *e, const char *what)
{
    return sp_fail(e, SP_CORRUPT, SP_DOM_STORE, "its trailer is damaged: %s", what);
}

static enum sp_code
parse_blocks(struct sp_pack_trailer *t, struct sp_cur *c, uint64_t room, struct sp_err *e)
{
    uint32_t n = sp_cur_u32(c);
    uint64_t offset = PACK_HEADER, end = PACK_HEADER + room;

    if (!sp_cur_ok(c) || n == 0 || n > sp_cur_left(c) / PACK_MIN_ENTRY)
        return fail_trailer(e, "an impossible number of blocks");
    if ((t->blocks = calloc(n, sizeof(*t->blocks))) == NULL)
        return sp_fail_nomem(e);
    for (uint32_t i = 0; i < n; i++) {
        struct sp_pack_block *b = &t->blocks[i];

        b->length = sp_cur_u32(c);
        b->nids = sp_cur_u32(c);
        b->sha256 = sp_cur_bytes(c, 32);
        if (!sp_cur_ok(c) || b->nids == 0 || b->nids > SP_BLOCK_MAX_IDS)
            return fail_trailer(e, "an impossible number of ids");
        b->ids = sp_cur_bytes(c, (size_t)b->nids * 32);
        if (!sp_cur_ok(c))
            return fail_trailer(e, "it is too short");
        for (uint32_t j = 1; j < b->nids; j++)
            if (memcmp(b->ids + 32 * (j - 1), b->ids + 32 * j, 32) >= 0)
                return fail_trailer(e, "ids out of order");
        if (b->length < PACK_MIN_BLOCK + 32 * b->nids ||
            b->length > SP_BLOCK_MAX_HEADER + SP_BLOCK_MAX_SEALED || b->length > end - offset)
            return fail_trailer(e, "an impossible length of a block");
        b->offset = (uint32_t)offset; /* below PACK_MAX, as `end` is */
        offset += b->length;
    }
    t->nblocks = n;
    return offset == end ? SP_OK : fail_trailer(e, "its blocks do not fill the pack");
}

static enum sp_code
parse_copies(struct sp_pack_trailer *t, struct sp_cur *c, enum sp_pack_kind kind, struct sp_err *e)
{
    uint32_t n;

    t->conf.n = sp_cur_u32(c);
    t->conf.p = sp_cur_bytes(c, t->conf.n);
    n = sp_cur_u32(c);
    if (!sp_cur_ok(c) || n > sp_cur_left(c) / 4)
        return fail_trailer(e, "an impossible number of key slots");
    if (kind != SP_PACK_NODES && (n > 0 || t->conf.n > 0))
        return fail_trailer(e, "key slots in a data pack");
    if (t->conf.n == 0)
        t->conf.p = NULL;
    if (n > 0 && (t->slots = calloc(n, sizeof(*t->slots))) == NULL)
        return sp_fail_nomem(e);
    for (uint32_t i = 0; i < n; i++) {
        t->slots[i].n = sp_cur_u32(c);
        t->slots[i].p = sp_cur_bytes(c, t->slots[i].n);
    }
    t->nslots = n;
    return sp_cur_done(c) ? SP_OK : fail_trailer(e, "it is too short or too long");
}

/* `room`: the bytes between header and trailer. */
static enum sp_code
parse(struct sp_pack_trailer *t, enum sp_pack_kind kind, const uint8_t name[32], uint64_t room,
    struct sp_err *e)
{
    struct sp_cur c = sp_cur_of(t->bytes, t->n);
    uint8_t hash[32];
    enum sp_code rc;

    if ((rc = sp_sha256(t->bytes, t->n, hash, e)) != SP_OK)
        return rc;
    if (memcmp(hash, t->bytes + t->n, 32) != 0)
        return fail_trailer(e, "its hash differs");
    if ((rc = sp_pack_name(kind, t->bytes, t->n + PACK_FOOTER, hash, e)) != SP_OK)
        return rc;
    if (memcmp(hash, name, 32) != 0)
        return fail_trailer(e, "it is another pack's, by the name");
    sp_cur_copy(&c, t->origin.uploader, 16);
    sp_cur_copy(&c, t->origin.group, 16);
    sp_cur_copy(&c, t->origin.repository, 16);
    if ((rc = parse_blocks(t, &c, room, e)) != SP_OK)
        return rc;
    return parse_copies(t, &c, kind, e);
}

/* Length of the trailer, from the footer. */
static enum sp_code
check_footer(const uint8_t footer[PACK_FOOTER], uint64_t size, size_t *ret, struct sp_err *e)
{
    uint32_t n = sp_le32(footer + 32);

    if (memcmp(footer + 40, PACK_ENDING, 8) != 0 || sp_le32(footer + 36) != 0)
        return sp_fail(e, SP_CORRUPT, SP_DOM_STORE, "it does not end as a pack does");
    if (n < PACK_MIN_TRAILER || n > PACK_MAX_TRAILER || n > size - PACK_HEADER - PACK_FOOTER)
        return fail_trailer(e, "an impossible length");
    *ret = n;
    return SP_OK;
}

size_t
sp_pack_tail(uint64_t size)
{
    return size < TAIL ? (size_t)size : TAIL;
}

static enum sp_code
check_size(uint64_t size, struct sp_err *e)
{
    if (size < PACK_HEADER + PACK_MIN_TRAILER + PACK_FOOTER || size > PACK_MAX)
        return sp_fail(
            e, SP_CORRUPT, SP_DOM_STORE, "a pack cannot have %llu bytes", (unsigned long long)size);
    return SP_OK;
}

enum sp_code
sp_pack_trailer_length(const uint8_t name[32], uint64_t size, const uint8_t *tail, size_t n,
    size_t *ret, struct sp_err *e)
{
    enum sp_code rc;

    if ((rc = check_size(size, e)) == SP_OK)
        rc = n < PACK_FOOTER ? fail_trailer(e, "it is too short")
                             : check_footer(tail + n - PACK_FOOTER, size, ret, e);
    if (rc == SP_OK)
        *ret += PACK_FOOTER;
    else
        sp_err_context(e, "pack %s", sp_hex8(name).s);
    return rc;
}

enum sp_code
sp_pack_trailer_parse(enum sp_pack_kind kind, const uint8_t name[32], uint64_t size,
    struct sp_span rest, struct sp_span tail, struct sp_pack_trailer **ret, struct sp_err *e)
{
    struct sp_pack_trailer *t = NULL;
    size_t whole;
    enum sp_code rc = sp_pack_trailer_length(name, size, tail.p, tail.n, &whole, e);

    if (rc != SP_OK)
        return rc;
    if (whole > rest.n + tail.n || (whole > tail.n && whole != rest.n + tail.n))
        return sp_fail(e, SP_INVALID, SP_DOM_SELF, "the trailer is not all there");
    if ((t = calloc(1, sizeof(*t))) == NULL || (t->bytes = malloc(whole)) == NULL) {
        sp_pack_trailer_free(t);
        return sp_fail_nomem(e);
    }
    t->n = whole - PACK_FOOTER;
    if (whole <= tail.n) {
        memcpy(t->bytes, (const uint8_t *)tail.p + tail.n - whole, whole);
    } else {
        memcpy(t->bytes, rest.p, rest.n);
        memcpy(t->bytes + rest.n, tail.p, tail.n);
    }
    if ((rc = parse(t, kind, name, size - PACK_HEADER - PACK_FOOTER - t->n, e)) == SP_OK) {
        *ret = t;
        return SP_OK;
    }
    sp_err_context(e, "pack %s", sp_hex8(name).s);
    sp_pack_trailer_free(t);
    return rc;
}

enum sp_code
sp_pack_trailer_read(struct sp_backend *b, enum sp_pack_kind kind, const uint8_t name[32],
    uint64_t size, struct sp_pack_trailer **ret, struct sp_err *e)
{
    struct sp_span rest = {NULL, 0}, tail = {NULL, sp_pack_tail(size)};
    uint8_t *bytes = NULL, *more = NULL;
    char object[96];
    size_t whole;
    enum sp_code rc;

    sp_pack_object_name(kind, name, object);
    if ((rc = check_size(size, e)) != SP_OK)
        goto out;
    if ((bytes = malloc(tail.n)) == NULL) {
        rc = sp_fail_nomem(e);
        goto out;
    }
    if ((rc = sp_backend_get(b, object, size - tail.n, bytes, tail.n, e)) != SP_OK)
        goto out;
    tail.p = bytes;
    if ((rc = sp_pack_trailer_length(name, size, tail.p, tail.n, &whole, e)) != SP_OK) {
        free(bytes);
        return rc; /* it names the pack */
    }
    if (whole > tail.n) {
        if ((more = malloc(whole - tail.n)) == NULL) {
            rc = sp_fail_nomem(e);
            goto out;
        }
        if ((rc = sp_backend_get(b, object, size - whole, more, whole - tail.n, e)) != SP_OK)
            goto out;
        rest = (struct sp_span){more, whole - tail.n};
    }
    rc = sp_pack_trailer_parse(kind, name, size, rest, tail, ret, e);
    free(bytes);
    free(more);
    return rc;
out:
    sp_err_context(e, "pack %s", sp_hex8(name).s);
    free(bytes);
    free(more);
    return rc;
}

void
sp_pack_trailer_free(struct sp_pack_trailer *t)
{
    if (t == NULL)
        return;
    free(t->bytes);
    free(t->blocks);
    free(t->slots);
    free(t);
}

const struct sp_pack_origin *
sp_pack_trailer_origin(const struct sp_pack_trailer *t)
{
    return &t->origin;
}

size_t
sp_pack_trailer_count(const struct sp_pack_trailer *t)
{
    return t->nblocks;
}

void
sp_pack_trailer_block(const struct sp_pack_trailer *t, size_t i, struct sp_pack_block *ret)
{
    *ret = t->blocks[i];
}

struct sp_span
sp_pack_trailer_conf(const struct sp_pack_trailer *t)
{
    return t->conf;
}

size_t
sp_pack_trailer_slots(const struct sp_pack_trailer *t)
{
    return t->nslots;
}

struct sp_span
sp_pack_trailer_slot(const struct sp_pack_trailer *t, size_t i)
{
    return t->slots[i];
}
