/* Byte buffer and cursor: see buf.h. */

#include "base/buf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/spare.h"
#include "base/text.h"

void
sp_buf_free(struct sp_buf *b)
{
    sp_spare_free(b->data);
    *b = (struct sp_buf)SP_BUF_INIT;
}

void
sp_buf_wipe(struct sp_buf *b)
{
    sp_wipe(b->data, b->cap);
    sp_buf_free(b);
}

void
sp_buf_reset(struct sp_buf *b)
{
    b->len = 0;
    b->failed = false;
}

bool
sp_buf_reserve(struct sp_buf *b, size_t more)
{
    const size_t max = SIZE_MAX / 2;
    size_t cap;
    uint8_t *data;

    if (b->failed)
        return false;
    if (more <= b->cap - b->len)
        return true;
    if (more > max - b->len) {
        b->failed = true;
        return false;
    }
    cap = b->cap < 32 ? 64 : b->cap > max / 2 ? max : b->cap * 2;
    if (cap < b->len + more)
        cap = b->len + more;
    data = b->data == NULL ? sp_spare_alloc(cap) : realloc(b->data, cap);
    if (data == NULL) {
        b->failed = true;
        return false;
    }
    b->data = data;
    b->cap = cap;
    return true;
}

void
sp_buf_put(struct sp_buf *b, const void *p, size_t n)
{
    if (n == 0 || !sp_buf_reserve(b, n))
        return;
    memcpy(b->data + b->len, p, n);
    b->len += n;
}

void
sp_buf_put_zero(struct sp_buf *b, size_t n)
{
    if (n == 0 || !sp_buf_reserve(b, n))
        return;
    memset(b->data + b->len, 0, n);
    b->len += n;
}

void
sp_buf_put_u8(struct sp_buf *b, uint8_t v)
{
    sp_buf_put(b, &v, 1);
}

void
sp_buf_put_u16(struct sp_buf *b, uint16_t v)
{
    uint8_t p[2] = {(uint8_t)v, (uint8_t)(v >> 8)};

    sp_buf_put(b, p, sizeof(p));
}

void
sp_buf_put_u32(struct sp_buf *b, uint32_t v)
{
    uint8_t p[4];

    sp_store_le32(p, v);
    sp_buf_put(b, p, sizeof(p));
}

void
sp_buf_put_u64(struct sp_buf *b, uint64_t v)
{
    uint8_t p[8];

    sp_store_le64(p, v);
    sp_buf_put(b, p, sizeof(p));
}

void
sp_buf_put_str(struct sp_buf *b, const char *s)
{
    sp_buf_put(b, s, strlen(s));
}

void
sp_buf_printf(struct sp_buf *b, const char *fmt, ...)
{
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0) {
        b->failed = true;
        return;
    }
    if (!sp_buf_reserve(b, (size_t)n + 1))
        return;
    va_start(ap, fmt);
    n = vsnprintf((char *)b->data + b->len, (size_t)n + 1, fmt, ap);
    va_end(ap);
    if (n < 0)
        b->failed = true;
    else
        b->len += (size_t)n;
}

const char *
sp_buf_str(struct sp_buf *b)
{
    if (!sp_buf_reserve(b, 1))
        return "";
    b->data[b->len] = '\0';
    return (const char *)b->data;
}

enum sp_code
sp_buf_ok(const struct sp_buf *b, struct sp_err *e)
{
    return b->failed ? sp_fail_nomem(e) : SP_OK;
}

enum sp_code
sp_buf_take(struct sp_buf *b, uint8_t **ret, size_t *ret_len, struct sp_err *e)
{
    /* Memory even for nothing, so that NULL never has to mean "empty". */
    if (b->data == NULL)
        (void)sp_buf_reserve(b, 1);
    if (b->failed)
        return sp_fail_nomem(e);
    *ret = b->data;
    *ret_len = b->len;
    *b = (struct sp_buf)SP_BUF_INIT;
    return SP_OK;
}

struct sp_cur
sp_cur_of(const void *p, size_t n)
{
    /* So that a view of nothing is still a pointer. */
    static const uint8_t nothing;

    return (struct sp_cur){p != NULL ? p : &nothing, p != NULL ? n : 0, p == NULL && n != 0};
}

size_t
sp_cur_left(const struct sp_cur *c)
{
    return c->bad ? 0 : c->left;
}

const uint8_t *
sp_cur_bytes(struct sp_cur *c, size_t n)
{
    const uint8_t *p = c->p;

    if (c->bad || n > c->left) {
        c->bad = true;
        return NULL;
    }
    c->p += n;
    c->left -= n;
    return p;
}

uint8_t
sp_cur_u8(struct sp_cur *c)
{
    const uint8_t *p = sp_cur_bytes(c, 1);

    return p != NULL ? *p : 0;
}

uint16_t
sp_cur_u16(struct sp_cur *c)
{
    const uint8_t *p = sp_cur_bytes(c, 2);

    return p != NULL ? sp_le16(p) : 0;
}

uint32_t
sp_cur_u32(struct sp_cur *c)
{
    const uint8_t *p = sp_cur_bytes(c, 4);

    return p != NULL ? sp_le32(p) : 0;
}

uint64_t
sp_cur_u64(struct sp_cur *c)
{
    const uint8_t *p = sp_cur_bytes(c, 8);

    return p != NULL ? sp_le64(p) : 0;
}

void
sp_cur_copy(struct sp_cur *c, void *to, size_t n)
{
    const uint8_t *p = sp_cur_bytes(c, n);

    if (n == 0)
        return;
    if (p != NULL)
        memcpy(to, p, n);
    else
        memset(to, 0, n);
}

struct sp_cur
sp_cur_sub(struct sp_cur *c, size_t n)
{
    const uint8_t *p = sp_cur_bytes(c, n);
    struct sp_cur sub = sp_cur_of(p, p != NULL ? n : 0);

    if (p == NULL)
        sub.bad = true;
    return sub;
}

bool
sp_cur_ok(const struct sp_cur *c)
{
    return !c->bad;
}

bool
sp_cur_done(const struct sp_cur *c)
{
    return !c->bad && c->left == 0;
}

void
sp_cur_fail(struct sp_cur *c)
{
    c->bad = true;
}

uint16_t
sp_le16(const uint8_t *p)
{
    return (uint16_t)(p[0] | (unsigned)p[1] << 8);
}

uint32_t
sp_le32(const uint8_t *p)
{
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

uint64_t
sp_le64(const uint8_t *p)
{
    return sp_le32(p) | (uint64_t)sp_le32(p + 4) << 32;
}

void
sp_store_le32(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
    p[2] = (uint8_t)(v >> 16);
    p[3] = (uint8_t)(v >> 24);
}

void
sp_store_le64(uint8_t *p, uint64_t v)
{
    sp_store_le32(p, (uint32_t)v);
    sp_store_le32(p + 4, (uint32_t)(v >> 32));
}
