/* Bytes as text and numbers as people read them: see text.h; base32 is in base32.c. */

#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char digits[] = "0123456789abcdef";

static void
hex(char *to, const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        *to++ = digits[p[i] >> 4];
        *to++ = digits[p[i] & 15];
    }
    *to = '\0';
}

struct sp_hex
sp_hex8(const uint8_t *p)
{
    struct sp_hex h;

    hex(h.s, p, 8);
    return h;
}

struct sp_hex
sp_hex16(const uint8_t *p)
{
    struct sp_hex h;

    hex(h.s, p, 16);
    return h;
}

struct sp_hex
sp_hex32(const uint8_t *p)
{
    struct sp_hex h;

    hex(h.s, p, 32);
    return h;
}

void
sp_buf_put_hex(struct sp_buf *b, const void *p, size_t n)
{
    const uint8_t *in = p;

    if (n > SIZE_MAX / 4) {
        b->failed = true;
        return;
    }
    if (!sp_buf_reserve(b, 2 * n))
        return;
    for (size_t i = 0; i < n; i++) {
        b->data[b->len++] = (uint8_t)digits[in[i] >> 4];
        b->data[b->len++] = (uint8_t)digits[in[i] & 15];
    }
}

static int
hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return -1;
}

bool
sp_hex_parse(const char *s, void *to, size_t n)
{
    uint8_t *out = to;

    /* First the whole text, so that `to` is untouched when it is wrong. */
    for (size_t i = 0; i < n; i++)
        if (hex_digit(s[2 * i]) < 0 || hex_digit(s[2 * i + 1]) < 0)
            return false;
    if (s[2 * n] != '\0')
        return false;
    for (size_t i = 0; i < n; i++)
        out[i] = (uint8_t)(hex_digit(s[2 * i]) * 16 + hex_digit(s[2 * i + 1]));
    return true;
}

struct sp_text
sp_text_bytes(uint64_t n)
{
    static const char units[] = "kMGTPE";
    struct sp_text t;
    uint64_t unit = 1000, shown;
    size_t u = 0;
    int decimals = 2;

    if (n < 1000) {
        (void)snprintf(t.s, sizeof(t.s), "%" PRIu64 " B", n);
        return t;
    }
    /* Three digits, rounded; what rounds up to 1000 of a unit is 1.00 of the next. */
    while (u < 5 && (n / unit >= 1000 || (n / unit == 999 && n % unit >= unit / 2))) {
        unit *= 1000;
        u++;
    }
    for (;;) {
        uint64_t step = decimals == 2 ? unit / 100 : decimals == 1 ? unit / 10 : unit;

        shown = n / step + (n % step >= step / 2);
        if (shown < 1000 || decimals == 0)
            break;
        decimals--;
    }
    if (decimals == 2)
        (void)snprintf(
            t.s, sizeof(t.s), "%" PRIu64 ".%02" PRIu64 " %cB", shown / 100, shown % 100, units[u]);
    else if (decimals == 1)
        (void)snprintf(
            t.s, sizeof(t.s), "%" PRIu64 ".%" PRIu64 " %cB", shown / 10, shown % 10, units[u]);
    else
        (void)snprintf(t.s, sizeof(t.s), "%" PRIu64 " %cB", shown, units[u]);
    return t;
}

struct sp_text
sp_text_count(uint64_t n)
{
    struct sp_text t;
    char plain[24];
    int len = snprintf(plain, sizeof(plain), "%" PRIu64, n);
    char *to = t.s;

    for (int i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0)
            *to++ = ' ';
        *to++ = plain[i];
    }
    *to = '\0';
    return t;
}

struct sp_text
sp_text_duration(int64_t ns)
{
    struct sp_text t;
    const char *sign = ns < 0 ? "-" : "";
    uint64_t n = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;
    uint64_t hundredths = (n + 5000000) / 10000000;
    uint64_t tenths = (n + 50000000) / 100000000;
    uint64_t s = (n + 500000000) / 1000000000;

    if (hundredths < 1000)
        (void)snprintf(t.s, sizeof(t.s), "%s%" PRIu64 ".%02" PRIu64 " s", sign, hundredths / 100,
            hundredths % 100);
    else if (tenths < 600)
        (void)snprintf(
            t.s, sizeof(t.s), "%s%" PRIu64 ".%" PRIu64 " s", sign, tenths / 10, tenths % 10);
    else if (s < 3600)
        (void)snprintf(t.s, sizeof(t.s), "%s%" PRIu64 " min %02" PRIu64 " s", sign, s / 60, s % 60);
    else
        (void)snprintf(
            t.s, sizeof(t.s), "%s%" PRIu64 " h %02" PRIu64 " min", sign, s / 3600, s % 3600 / 60);
    return t;
}

/* Takes a run of digits off *s; false when there is none or it does not fit. */
static bool
take_digits(const char **s, uint64_t *ret)
{
    const char *p = *s;
    uint64_t v = 0;

    for (; *p >= '0' && *p <= '9'; p++) {
        uint64_t d = (uint64_t)(*p - '0');

        if (v > (UINT64_MAX - d) / 10)
            return false;
        v = v * 10 + d;
    }
    if (p == *s)
        return false;
    *s = p;
    *ret = v;
    return true;
}

bool
sp_text_parse_u64(const char *s, uint64_t *ret)
{
    uint64_t v;

    if (!take_digits(&s, &v) || *s != '\0')
        return false;
    *ret = v;
    return true;
}

static char
lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* The factor of a unit; 0 when it is none. */
static uint64_t
unit_factor(const char *s)
{
    static const char prefixes[] = "kmgtpe";
    const char *prefix;
    uint64_t base, factor = 1;

    if (s[0] == '\0' || (lower(s[0]) == 'b' && s[1] == '\0'))
        return 1;
    prefix = strchr(prefixes, lower(s[0]));
    if (prefix == NULL)
        return 0;
    if (s[1] == '\0' || (lower(s[1]) == 'i' && (s[2] == '\0' || (lower(s[2]) == 'b' && !s[3]))))
        base = 1024;
    else if (lower(s[1]) == 'b' && s[2] == '\0')
        base = 1000;
    else
        return 0;
    for (const char *p = prefixes; p <= prefix; p++)
        factor *= base;
    return factor;
}

bool
sp_text_parse_bytes(const char *s, uint64_t *ret)
{
    uint64_t whole, part = 0, scale = 1, factor;

    if (!take_digits(&s, &whole))
        return false;
    if (*s == '.') {
        const char *from = ++s;

        if (!take_digits(&s, &part) || s - from > 9)
            return false;
        for (; from < s; from++)
            scale *= 10;
    }
    if (*s == ' ' && s[1] != '\0')
        s++;
    factor = unit_factor(s);
    /* Half a byte is a mistake. */
    if (factor == 0 || (factor == 1 && scale > 1) || whole > UINT64_MAX / factor)
        return false;
    /* part * factor / scale, without leaving 64 bits: part < scale <= 10^9. */
    part = factor / scale * part + factor % scale * part / scale;
    if (part > UINT64_MAX - whole * factor)
        return false;
    *ret = whole * factor + part;
    return true;
}

bool
sp_text_parse_duration(const char *s, int64_t *ret_ns)
{
    uint64_t v, unit;

    if (!take_digits(&s, &v))
        return false;
    switch (*s) {
    case '\0':
    case 's':
        unit = 1;
        break;
    case 'm':
        unit = 60;
        break;
    case 'h':
        unit = 3600;
        break;
    case 'd':
        unit = 86400;
        break;
    case 'w':
        unit = UINT64_C(7) * 86400;
        break;
    default:
        return false;
    }
    if ((*s != '\0' && s[1] != '\0') || v > (uint64_t)INT64_MAX / (unit * 1000000000))
        return false;
    *ret_ns = (int64_t)(v * unit * 1000000000);
    return true;
}

char *
sp_text_copy(const char *s, size_t n)
{
    char *copy = malloc(n + 1);

    if (copy == NULL)
        return NULL;
    if (n > 0)
        memcpy(copy, s, n);
    copy[n] = '\0';
    return copy;
}

void
sp_wipe(void *p, size_t n)
{
    /* A call through a volatile pointer could be anything, so it cannot be left out. */
    static void *(*const volatile set)(void *, int, size_t) = memset;

    if (n > 0)
        set(p, 0, n);
}

bool
sp_equal_const(const void *a, const void *b, size_t n)
{
    const volatile uint8_t *x = a, *y = b;
    uint8_t differ = 0;

    for (size_t i = 0; i < n; i++)
        differ |= (uint8_t)(x[i] ^ y[i]);
    return differ == 0;
}
