#ifndef SP_BASE_BUF_H
#define SP_BASE_BUF_H

/* Growable byte buffer and checked cursor: the only way bytes are built and parsed.
 *
 * Both carry their failure inside ("sticky"): a writer appends without looking and asks once at the
 * end (sp_buf_ok), a reader takes fields without looking and asks once (sp_cur_ok / sp_cur_done)
 * before it believes any of them. After a failure all reads give zero and all appends do nothing.
 * A count read from foreign bytes is bounded by sp_cur_left() before memory is taken for it. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct sp_buf {
    uint8_t *data;
    size_t len, cap;
    bool failed; /* out of memory, or grew over SIZE_MAX/2 */
};
#define SP_BUF_INIT {NULL, 0, 0, false}

void sp_buf_free(struct sp_buf *b);                /* frees and makes it empty again */
void sp_buf_wipe(struct sp_buf *b);                /* overwrites with zeros, then frees */
void sp_buf_reset(struct sp_buf *b);               /* len = 0, failed = false, keeps memory */
bool sp_buf_reserve(struct sp_buf *b, size_t more); /* room for `more` bytes; false: failed is set */
void sp_buf_put(struct sp_buf *b, const void *p, size_t n);
void sp_buf_put_zero(struct sp_buf *b, size_t n);
void sp_buf_put_u8(struct sp_buf *b, uint8_t v);
void sp_buf_put_u16(struct sp_buf *b, uint16_t v); /* little endian, as everything on disk */
void sp_buf_put_u32(struct sp_buf *b, uint32_t v);
void sp_buf_put_u64(struct sp_buf *b, uint64_t v);
void sp_buf_put_str(struct sp_buf *b, const char *s); /* without the NUL */
void sp_buf_printf(struct sp_buf *b, const char *fmt, ...) SP_PRINTF(2, 3);
/* NUL-terminates without counting it; gives the string ("" after a failure). */
const char *sp_buf_str(struct sp_buf *b);
/* SP_OK or SP_NOMEM. */
enum sp_code sp_buf_ok(const struct sp_buf *b, struct sp_err *e);
/* Moves the bytes out: the caller frees *ret with free(). The buffer is empty afterwards. */
enum sp_code sp_buf_take(struct sp_buf *b, uint8_t **ret, size_t *ret_len, struct sp_err *e);

struct sp_cur {
    const uint8_t *p;
    size_t left;
    bool bad;
};

struct sp_cur sp_cur_of(const void *p, size_t n);
size_t sp_cur_left(const struct sp_cur *c); /* 0 once bad */
uint8_t sp_cur_u8(struct sp_cur *c);
uint16_t sp_cur_u16(struct sp_cur *c);
uint32_t sp_cur_u32(struct sp_cur *c);
uint64_t sp_cur_u64(struct sp_cur *c);
/* A view of the next n bytes inside the cursor's memory; NULL (and bad) when fewer are left. n = 0
 * gives a non-NULL pointer that must not be read. */
const uint8_t *sp_cur_bytes(struct sp_cur *c, size_t n);
void sp_cur_copy(struct sp_cur *c, void *to, size_t n); /* zeros `to` when bad */
struct sp_cur sp_cur_sub(struct sp_cur *c, size_t n);   /* the next n bytes as a cursor of their own */
bool sp_cur_ok(const struct sp_cur *c);                 /* nothing failed so far */
bool sp_cur_done(const struct sp_cur *c);               /* ok and nothing left */
void sp_cur_fail(struct sp_cur *c);                     /* the caller saw something impossible */

/* Plain loads and stores, little endian, for fixed layouts. */
uint16_t sp_le16(const uint8_t *p);
uint32_t sp_le32(const uint8_t *p);
uint64_t sp_le64(const uint8_t *p);
void sp_store_le32(uint8_t *p, uint32_t v);
void sp_store_le64(uint8_t *p, uint64_t v);

#endif
