/* UTF-8, WTF-8 and UTF-16: the encodings of names (path.h). */

#include "base/path.h"

#include <stdlib.h>
#include <string.h>

#include "base/utf.h"

size_t
sp_utf8_next(const uint8_t *p, size_t n, bool surrogates, uint32_t *ret)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    uint32_t v;
    size_t len;

    if (n == 0)
        return 0;
    if (p[0] < 0x80) {
        *ret = p[0];
        return 1;
    }
    if (p[0] >= 0xc2 && p[0] <= 0xdf)
        len = 2;
    else if (p[0] >= 0xe0 && p[0] <= 0xef)
        len = 3;
    else if (p[0] >= 0xf0 && p[0] <= 0xf4)
        len = 4;
    else
        return 0;
    if (len > n)
        return 0;
    v = p[0] & (0xffu >> (len + 1));
    for (size_t i = 1; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        v = v << 6 | (p[i] & 0x3f);
    }
    if (v < least[len] || v > 0x10ffff || (!surrogates && v >= 0xd800 && v <= 0xdfff))
        return 0;
    *ret = v;
    return len;
}

bool
sp_utf8_valid(const void *s, size_t n)
{
    const uint8_t *p = s;
    uint32_t v;

    while (n > 0) {
        size_t len = sp_utf8_next(p, n, false, &v);

        if (len == 0)
            return false;
        p += len;
        n -= len;
    }
    return true;
}

static bool
is_high(uint32_t v)
{
    return v >= 0xd800 && v <= 0xdbff;
}

static bool
is_low(uint32_t v)
{
    return v >= 0xdc00 && v <= 0xdfff;
}

bool
sp_wtf8_valid(const void *s, size_t n)
{
    const uint8_t *p = s;
    uint32_t v, last = 0;

    while (n > 0) {
        size_t len = sp_utf8_next(p, n, true, &v);

        /* A pair must be written as the character it stands for. */
        if (len == 0 || (is_high(last) && is_low(v)))
            return false;
        last = v;
        p += len;
        n -= len;
    }
    return true;
}

enum sp_code
sp_wtf8_to_utf16(const char *s, size_t n, uint16_t **ret, size_t *ret_n, struct sp_err *e)
{
    const uint8_t *p = (const uint8_t *)s;
    uint16_t *out;
    size_t len = 0;

    if (!sp_wtf8_valid(s, n))
        return sp_fail(e, SP_INVALID, SP_DOM_NONE, "a name is not valid WTF-8");
    /* No character takes more units than it has bytes; one more for a zero at the end. */
    if (n > SIZE_MAX / sizeof(*out) - 1 || (out = malloc((n + 1) * sizeof(*out))) == NULL)
        return sp_fail_nomem(e);
    while (n > 0) {
        uint32_t v = 0;
        size_t took = sp_utf8_next(p, n, true, &v);

        if (v >= 0x10000) {
            out[len++] = (uint16_t)(0xd800 + ((v - 0x10000) >> 10));
            out[len++] = (uint16_t)(0xdc00 + ((v - 0x10000) & 0x3ff));
        } else {
            out[len++] = (uint16_t)v;
        }
        p += took;
        n -= took;
    }
    out[len] = 0;
    *ret = out;
    *ret_n = len;
    return SP_OK;
}

static size_t
put_utf8(uint8_t *to, uint32_t v)
{
    if (v < 0x80) {
        to[0] = (uint8_t)v;
        return 1;
    }
    if (v < 0x800) {
        to[0] = (uint8_t)(0xc0 | v >> 6);
        to[1] = (uint8_t)(0x80 | (v & 0x3f));
        return 2;
    }
    if (v < 0x10000) {
        to[0] = (uint8_t)(0xe0 | v >> 12);
        to[1] = (uint8_t)(0x80 | (v >> 6 & 0x3f));
        to[2] = (uint8_t)(0x80 | (v & 0x3f));
        return 3;
    }
    to[0] = (uint8_t)(0xf0 | v >> 18);
    to[1] = (uint8_t)(0x80 | (v >> 12 & 0x3f));
    to[2] = (uint8_t)(0x80 | (v >> 6 & 0x3f));
    to[3] = (uint8_t)(0x80 | (v & 0x3f));
    return 4;
}

enum sp_code
sp_utf16_to_wtf8(const uint16_t *s, size_t n, char **ret, size_t *ret_n, struct sp_err *e)
{
    char *out;
    size_t len = 0;

    /* Three bytes a unit at most: a pair of them makes four. */
    if (n > (SIZE_MAX - 1) / 3 || (out = malloc(n * 3 + 1)) == NULL)
        return sp_fail_nomem(e);
    for (size_t i = 0; i < n; i++) {
        uint32_t v = s[i];

        if (is_high(v) && i + 1 < n && is_low(s[i + 1]))
            v = 0x10000 + ((v - 0xd800) << 10) + (s[++i] - 0xdc00u);
        len += put_utf8((uint8_t *)out + len, v);
    }
    out[len] = '\0';
    *ret = out;
    *ret_n = len;
    return SP_OK;
}
