/* Strings on the wire: see text.h. */

#include "proto/text.h"

#include <string.h>

#include "base/utf.h"

static bool
shown(uint32_t c)
{
    return c >= 0x20 && !(c >= 0x7f && c < 0xa0) && !(c >= 0x202a && c <= 0x202e) &&
           !(c >= 0x2066 && c <= 0x2069) && c != 0x2028 && c != 0x2029;
}

bool
sp_text_plain(const char *s, size_t cap)
{
    const uint8_t *p = (const uint8_t *)s;
    size_t n = strnlen(s, cap), step;
    uint32_t c;

    if (n == cap)
        return false;
    for (; n > 0; p += step, n -= step)
        if ((step = sp_utf8_next(p, n, false, &c)) == 0 || !shown(c))
            return false;
    return true;
}

bool
sp_text_word(const char *s, size_t cap)
{
    size_t n = strnlen(s, cap);

    return n < cap && strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == n;
}

void
sp_text_clean(const char *from, size_t from_cap, char *to, size_t to_cap)
{
    const uint8_t *p = (const uint8_t *)from;
    size_t n = strnlen(from, from_cap), used = 0;

    while (n > 0) {
        uint32_t c = 0;
        size_t step = sp_utf8_next(p, n, false, &c);
        bool good = step > 0 && shown(c);
        size_t more = good ? step : 1;

        if (step == 0)
            step = 1;
        if (used + more >= to_cap)
            break;
        if (good)
            memcpy(to + used, p, step);
        else
            to[used] = '?';
        used += more;
        p += step;
        n -= step;
    }
    to[used] = '\0';
}
