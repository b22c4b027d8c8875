#ifndef SP_BASE_WIRE_H
#define SP_BASE_WIRE_H

/* Protocol Buffers wire format (https://protobuf.dev/programming-guides/encoding/) over sp_buf and
 * sp_cur, without allocation: for catalog and chunk-list nodes, whose bytes must be canonical (equal
 * content, equal bytes, equal id) and which hold millions of entries. Writers emit fields in rising
 * order and leave out zero values; that makes the encoding canonical. Everything else uses protobuf-c. */

#include "base/buf.h"

enum sp_wire_type { SP_WIRE_VARINT = 0, SP_WIRE_FIXED64 = 1, SP_WIRE_BYTES = 2, SP_WIRE_FIXED32 = 5 };

void sp_wire_put_varint(struct sp_buf *b, uint64_t v);
/* A zero value (empty bytes) is left out. */
void sp_wire_put_uint(struct sp_buf *b, uint32_t field, uint64_t v);
void sp_wire_put_sint(struct sp_buf *b, uint32_t field, int64_t v); /* sint64, zigzag */
void sp_wire_put_fixed64(struct sp_buf *b, uint32_t field, uint64_t v);
void sp_wire_put_bytes(struct sp_buf *b, uint32_t field, const void *p, size_t n);
/* Always written, even when empty: for repeated and nested messages. */
void sp_wire_put_item(struct sp_buf *b, uint32_t field, const void *p, size_t n);
size_t sp_wire_varint_size(uint64_t v);

struct sp_wire_field {
    uint32_t number;
    enum sp_wire_type type;
    uint64_t value;      /* VARINT, FIXED64, FIXED32 */
    struct sp_cur bytes; /* BYTES */
};

/* Takes the next field; false at the end or when the cursor is bad (groups, field 0 or over 2^29-1,
 * over-long varints and short input make it bad). */
bool sp_wire_next(struct sp_cur *c, struct sp_wire_field *ret);
uint64_t sp_wire_varint(struct sp_cur *c); /* a bare varint, for packed repeated fields */
int64_t sp_wire_zigzag(uint64_t v);
/* False: the field is not of exactly n bytes. */
bool sp_wire_take(const struct sp_wire_field *f, void *to, size_t n);
/* False: the field is no text that fits, or has a zero in it. What is behind the text is zeros. */
bool sp_wire_take_text(const struct sp_wire_field *f, char *to, size_t room);

#endif
