/* Crockford's base32 with a checksum, for keys that people copy by hand: see text.h.
 *
 * The bytes are taken as bits, most significant first, five to a character, the last character
 * filled up with zero bits. Two characters follow, also most significant first: the CRC-10 of the
 * bytes with the polynomial x^10+x^9+x^8+x^7+x^6+x^4+x^3+1 (0x3d9), starting value 0x3ff, not
 * reflected, no final xor (known as CRC-10/CDMA2000; of "123456789" it is 0x233). It sees every
 * change inside two neighbouring characters: any one typed wrongly, any two swapped. A '-' follows
 * every fifth character that is not the last. */

#include "base/text.h"

#include <string.h>

static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

static unsigned
crc10(const uint8_t *p, size_t n)
{
    unsigned crc = 0x3ff;

    for (size_t i = 0; i < n; i++) {
        crc ^= (unsigned)p[i] << 2;
        for (int bit = 0; bit < 8; bit++)
            crc = (crc & 0x200) != 0 ? (crc << 1 ^ 0x3d9) & 0x3ff : crc << 1;
    }
    return crc;
}

static void
put_char(struct sp_buf *b, unsigned value, size_t *count)
{
    if (*count > 0 && *count % 5 == 0)
        sp_buf_put_u8(b, '-');
    sp_buf_put_u8(b, (uint8_t)alphabet[value & 31]);
    ++*count;
}

void
sp_base32_put(struct sp_buf *b, const void *p, size_t n)
{
    const uint8_t *in = p;
    unsigned bits = 0, have = 0, crc = crc10(in, n);
    size_t count = 0;

    /* At once, so that growing leaves no copy of a key behind. */
    if (n > SIZE_MAX / 8 || !sp_buf_reserve(b, n * 2 + 4)) {
        b->failed = true;
        return;
    }
    for (size_t i = 0; i < n; i++) {
        bits = (bits << 8 | in[i]) & 0xfff;
        for (have += 8; have >= 5; have -= 5)
            put_char(b, bits >> (have - 5), &count);
    }
    if (have > 0)
        put_char(b, bits << (5 - have), &count);
    put_char(b, crc >> 5, &count);
    put_char(b, crc, &count);
}

static int
value_of(char c)
{
    const char *at;

    if (c >= 'a' && c <= 'z')
        c = (char)(c - 'a' + 'A');
    if (c == 'O')
        return 0;
    if (c == 'I' || c == 'L')
        return 1;
    at = c != '\0' ? strchr(alphabet, c) : NULL;
    return at != NULL ? (int)(at - alphabet) : -1;
}

enum sp_code
sp_base32_parse(const char *s, struct sp_buf *ret, struct sp_err *e)
{
    struct sp_buf chars = SP_BUF_INIT, bytes = SP_BUF_INIT;
    unsigned bits = 0, have = 0;
    size_t len = strlen(s), n;
    enum sp_code rc;

    (void)sp_buf_reserve(&chars, len + 1);
    (void)sp_buf_reserve(&bytes, len + 1);
    for (size_t i = 0; i < len; i++) {
        int v;

        if (s[i] == '-' || s[i] == ' ' || s[i] == '\t' || s[i] == '\r' || s[i] == '\n')
            continue;
        v = value_of(s[i]);
        if (v < 0) {
            rc = sp_fail(e, SP_INVALID, SP_DOM_CONFIG,
                "character %zu of the code is not one of 0-9 and A-Z without U", i + 1);
            goto out;
        }
        sp_buf_put_u8(&chars, (uint8_t)v);
    }
    if ((rc = sp_buf_ok(&chars, e)) != SP_OK || (rc = sp_buf_ok(&bytes, e)) != SP_OK)
        goto out;
    n = chars.len < 2 ? 0 : chars.len - 2;
    for (size_t i = 0; i < n; i++) {
        bits = (bits << 5 | chars.data[i]) & 0xfff;
        have += 5;
        if (have >= 8) {
            have -= 8;
            sp_buf_put_u8(&bytes, (uint8_t)(bits >> have));
        }
    }
    /* What fills the last character is shorter than a character and zero. */
    if (chars.len < 2 || have >= 5 || (bits & ((1u << have) - 1)) != 0 ||
        crc10(bytes.data, bytes.len) != (unsigned)(chars.data[n] << 5 | chars.data[n + 1])) {
        rc = sp_fail(e, SP_INVALID, SP_DOM_CONFIG,
            "the code has a typing mistake: its last two characters do not match the rest");
        goto out;
    }
    sp_buf_put(ret, bytes.data, bytes.len);
    rc = sp_buf_ok(ret, e);
out:
    sp_buf_wipe(&chars);
    sp_buf_wipe(&bytes);
    return rc;
}
