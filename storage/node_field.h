#ifndef SP_STORAGE_NODE_FIELD_H
#define SP_STORAGE_NODE_FIELD_H

/* sp_wire_next for nodes: millions of fields are read where a catalog is, so the two kinds of
 * fields that nodes have are taken here without a call. Whatever is not plain (the other kinds,
 * short or over-long input, the end) is left to sp_wire_next, which alone decides what is bad.
 * Internal to storage/. */

#include "base/wire.h"

/* A number of up to nine bytes; false: not plain, and *at is untouched. */
static inline bool
sp_node_varint(const uint8_t **at, const uint8_t *end, uint64_t *ret)
{
    const uint8_t *p = *at;
    uint64_t v;
    unsigned shift = 7;

    if (p == end)
        return false;
    v = *p++;
    if (v >= 0x80) {
        uint64_t byte;

        v &= 0x7f;
        do {
            if (p == end || shift == 63)
                return false;
            byte = *p++;
            v |= (byte & 0x7f) << shift;
            shift += 7;
        } while (byte >= 0x80);
        if (byte == 0)
            return false;
    }
    *at = p;
    *ret = v;
    return true;
}

static inline bool
sp_node_next(struct sp_cur *c, struct sp_wire_field *ret)
{
    const uint8_t *p = c->p, *end = c->p + c->left;
    uint64_t tag, n;

    if (c->bad || !sp_node_varint(&p, end, &tag) || tag < 8 || tag > UINT16_MAX)
        return sp_wire_next(c, ret);
    if ((tag & 7) == SP_WIRE_VARINT) {
        if (!sp_node_varint(&p, end, &ret->value))
            return sp_wire_next(c, ret);
        ret->type = SP_WIRE_VARINT;
    } else if ((tag & 7) == SP_WIRE_BYTES) {
        if (!sp_node_varint(&p, end, &n) || n > (size_t)(end - p))
            return sp_wire_next(c, ret);
        ret->type = SP_WIRE_BYTES;
        ret->value = 0;
        ret->bytes = (struct sp_cur){p, (size_t)n, false};
        p += n;
    } else {
        return sp_wire_next(c, ret);
    }
    ret->number = (uint32_t)(tag >> 3);
    c->p = p;
    c->left = (size_t)(end - p);
    return true;
}

/* Whether a known field, numbered below 32, is what it must be: after *last (which it becomes),
 * once unless `repeated`, bytes or a number as the bits of `bytes` say, a u32 where `u32` does. */
#define SP_FIELD(n) (UINT32_C(1) << (n))
static inline bool
sp_node_field(
    const struct sp_wire_field *f, uint32_t *last, uint32_t bytes, uint32_t u32, uint32_t repeated)
{
    uint32_t bit = SP_FIELD(f->number);

    if (f->number < *last || (f->number == *last && (repeated & bit) == 0))
        return false;
    *last = f->number;
    if (f->type != ((bytes & bit) != 0 ? SP_WIRE_BYTES : SP_WIRE_VARINT))
        return false;
    return (u32 & bit) == 0 || f->value <= UINT32_MAX;
}

#endif
