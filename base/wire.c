/* Protocol Buffers wire format: see wire.h. */

#include "base/wire.h"

#include <assert.h>
#include <string.h>

#define MAX_FIELD ((UINT32_C(1) << 29) - 1)

/* The 64 bits of a varint take ten bytes, of which the last holds one bit. */
#define MAX_VARINT 10

void
sp_wire_put_varint(struct sp_buf *b, uint64_t v)
{
    uint8_t p[MAX_VARINT];
    size_t n = 0;

    while (v >= 0x80) {
        p[n++] = (uint8_t)(v | 0x80);
        v >>= 7;
    }
    p[n++] = (uint8_t)v;
    sp_buf_put(b, p, n);
}

size_t
sp_wire_varint_size(uint64_t v)
{
    size_t n = 1;

    while (v >= 0x80) {
        v >>= 7;
        n++;
    }
    return n;
}

static void
put_tag(struct sp_buf *b, uint32_t field, enum sp_wire_type type)
{
    assert(field >= 1 && field <= MAX_FIELD);
    sp_wire_put_varint(b, (uint64_t)field << 3 | (uint64_t)type);
}

void
sp_wire_put_uint(struct sp_buf *b, uint32_t field, uint64_t v)
{
    if (v == 0)
        return;
    put_tag(b, field, SP_WIRE_VARINT);
    sp_wire_put_varint(b, v);
}

void
sp_wire_put_sint(struct sp_buf *b, uint32_t field, int64_t v)
{
    sp_wire_put_uint(b, field, (uint64_t)v << 1 ^ (v < 0 ? UINT64_MAX : 0));
}

void
sp_wire_put_fixed64(struct sp_buf *b, uint32_t field, uint64_t v)
{
    if (v == 0)
        return;
    put_tag(b, field, SP_WIRE_FIXED64);
    sp_buf_put_u64(b, v);
}

void
sp_wire_put_bytes(struct sp_buf *b, uint32_t field, const void *p, size_t n)
{
    if (n > 0)
        sp_wire_put_item(b, field, p, n);
}

void
sp_wire_put_item(struct sp_buf *b, uint32_t field, const void *p, size_t n)
{
    put_tag(b, field, SP_WIRE_BYTES);
    sp_wire_put_varint(b, n);
    sp_buf_put(b, p, n);
}

uint64_t
sp_wire_varint(struct sp_cur *c)
{
    uint64_t v = 0;

    for (unsigned i = 0; i < MAX_VARINT; i++) {
        uint8_t byte = sp_cur_u8(c);

        if (i == MAX_VARINT - 1 && byte > 1)
            break;
        v |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (byte < 0x80) {
            /* A last byte of zero could have been left out: a second encoding of the same number,
             * which nodes that are named by their bytes must not have. */
            if (byte == 0 && i > 0)
                break;
            return sp_cur_ok(c) ? v : 0;
        }
    }
    sp_cur_fail(c);
    return 0;
}

bool
sp_wire_next(struct sp_cur *c, struct sp_wire_field *ret)
{
    struct sp_wire_field f = {0};
    uint64_t tag, n;

    if (sp_cur_left(c) == 0)
        return false;
    tag = sp_wire_varint(c);
    if (tag >> 3 < 1 || tag >> 3 > MAX_FIELD)
        sp_cur_fail(c);
    f.number = (uint32_t)(tag >> 3);
    f.bytes = sp_cur_of(NULL, 0);
    switch (tag & 7) {
    case SP_WIRE_VARINT:
        f.type = SP_WIRE_VARINT;
        f.value = sp_wire_varint(c);
        break;
    case SP_WIRE_FIXED64:
        f.type = SP_WIRE_FIXED64;
        f.value = sp_cur_u64(c);
        break;
    case SP_WIRE_BYTES:
        f.type = SP_WIRE_BYTES;
        n = sp_wire_varint(c);
        if (n > sp_cur_left(c))
            sp_cur_fail(c);
        else
            f.bytes = sp_cur_sub(c, (size_t)n);
        break;
    case SP_WIRE_FIXED32:
        f.type = SP_WIRE_FIXED32;
        f.value = sp_cur_u32(c);
        break;
    default:
        sp_cur_fail(c);
    }
    if (!sp_cur_ok(c))
        return false;
    *ret = f;
    return true;
}

int64_t
sp_wire_zigzag(uint64_t v)
{
    uint64_t half = v >> 1;

    return (v & 1) != 0 ? -(int64_t)half - 1 : (int64_t)half;
}

bool
sp_wire_take(const struct sp_wire_field *f, void *to, size_t n)
{
    struct sp_cur c = f->bytes;

    if (f->type != SP_WIRE_BYTES || sp_cur_left(&c) != n)
        return false;
    sp_cur_copy(&c, to, n);
    return true;
}

bool
sp_wire_take_text(const struct sp_wire_field *f, char *to, size_t room)
{
    struct sp_cur c = f->bytes;
    size_t n = sp_cur_left(&c);

    if (f->type != SP_WIRE_BYTES || n >= room)
        return false;
    memset(to, 0, room);
    sp_cur_copy(&c, to, n);
    return strlen(to) == n;
}
