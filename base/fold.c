#include "base/fold.h"

#include "base/utf.h"

static uint32_t
fold(uint32_t c)
{
    if ((c >= 'A' && c <= 'Z') || (c >= 0xc0 && c <= 0xde && c != 0xd7))
        return c + 0x20;
    if ((c >= 0x100 && c <= 0x137) || (c >= 0x14a && c <= 0x177) || (c >= 0x1e00 && c <= 0x1eff) ||
        (c >= 0x460 && c <= 0x481) || (c >= 0x48a && c <= 0x4bf) || (c >= 0x4d0 && c <= 0x52f))
        return c | 1; /* pairs: capital even, small odd */
    if ((c >= 0x139 && c <= 0x148) || (c >= 0x179 && c <= 0x17e) || (c >= 0x4c1 && c <= 0x4ce))
        return c + (c & 1); /* pairs: capital odd, small even */
    if ((c >= 0x391 && c <= 0x3a9) || (c >= 0x410 && c <= 0x42f))
        return c + 0x20;
    if (c >= 0x400 && c <= 0x40f)
        return c + 0x50;
    if (c >= 0x531 && c <= 0x556)
        return c + 0x30;
    return c;
}

uint32_t
sp_fold_next(const char **name, size_t *n)
{
    const uint8_t *p = (const uint8_t *)*name;
    uint32_t c = 0;
    size_t len = sp_utf8_next(p, *n, true, &c);

    if (len == 0) {
        c = 0x110000u + p[0];
        len = 1;
    }
    *name += len;
    *n -= len;
    return fold(c);
}

bool
sp_fold_equal(const char *a, size_t an, const char *b, size_t bn)
{
    while (an > 0 && bn > 0)
        if (sp_fold_next(&a, &an) != sp_fold_next(&b, &bn))
            return false;
    return an == bn;
}

/* Four bytes, whatever UTF-8 would need: the numbers above its range are bytes that begin no
 * character. */
static void
put(struct sp_buf *b, uint32_t c)
{
    if (c < 0x80) {
        sp_buf_put_u8(b, (uint8_t)c);
        return;
    }
    sp_buf_put_u8(b, (uint8_t)(0xf0 | c >> 18));
    sp_buf_put_u8(b, (uint8_t)(0x80 | (c >> 12 & 0x3f)));
    sp_buf_put_u8(b, (uint8_t)(0x80 | (c >> 6 & 0x3f)));
    sp_buf_put_u8(b, (uint8_t)(0x80 | (c & 0x3f)));
}

void
sp_fold_put(struct sp_buf *b, const void *text, size_t n)
{
    const char *p = text;

    while (n > 0)
        put(b, sp_fold_next(&p, &n));
}
