/* Names, keys and how they are shown: see path.h; the encodings are in utf.c, the system's own form
 * of a path in path_posix.c. */

#include "base/path.h"

#include <stdlib.h>
#include <string.h>

#include "base/utf.h"

int
sp_key_cmp(const void *a, size_t an, const void *b, size_t bn)
{
    size_t n = an < bn ? an : bn;
    int c = n > 0 ? memcmp(a, b, n) : 0;

    return c != 0 ? c : (an > bn) - (an < bn);
}

bool
sp_key_within(const void *dir, size_t dn, const void *key, size_t n)
{
    if (dn == 0)
        return true;
    if (n < dn || memcmp(dir, key, dn) != 0)
        return false;
    return n == dn || ((const char *)key)[dn] == '\0';
}

size_t
sp_key_depth(const void *key, size_t n)
{
    const char *p = key;
    size_t depth = n > 0;

    for (size_t i = 0; i < n; i++)
        depth += p[i] == '\0';
    return depth;
}

const char *
sp_key_name(const void *key, size_t n, size_t *ret_name_len)
{
    const char *p = n > 0 ? key : "";
    size_t start = n;

    while (start > 0 && p[start - 1] != '\0')
        start--;
    *ret_name_len = n - start;
    return p + start;
}

void
sp_key_push(struct sp_buf *key, const void *name, size_t n)
{
    if (key->len > 0)
        sp_buf_put_u8(key, 0);
    sp_buf_put(key, name, n);
}

static bool
name_valid(const char *p, size_t n)
{
    if (n == 0 || (n == 1 && p[0] == '.') || (n == 2 && p[0] == '.' && p[1] == '.'))
        return false;
    return memchr(p, '/', n) == NULL;
}

bool
sp_key_valid(const void *key, size_t n)
{
    const char *p = key;

    if (n == 0)
        return true;
    for (;;) {
        const char *end = memchr(p, '\0', n);
        size_t len = end != NULL ? (size_t)(end - p) : n;

        if (!name_valid(p, len))
            return false;
        if (end == NULL)
            return true;
        p += len + 1;
        n -= len + 1;
        if (n == 0)
            return false; /* ends in a NUL: an empty last component */
    }
}

bool
sp_utf8_misleads(uint32_t v)
{
    return v < 0x20 || (v >= 0x7f && v <= 0x9f) || v == 0x061c || v == 0x200e || v == 0x200f ||
           v == 0x2028 || v == 0x2029 || (v >= 0x202a && v <= 0x202e) ||
           (v >= 0x2066 && v <= 0x2069);
}

/* A name must not be able to look like another, nor like two lines. */
static void
show(const uint8_t *p, size_t n, bool backslash, struct sp_buf *ret)
{
    while (n > 0) {
        uint32_t v = 0;
        size_t len = sp_utf8_next(p, n, false, &v);

        if (len == 0) {
            sp_buf_printf(ret, "\\x%02x", p[0]);
            len = 1;
        } else if (v == '\\' && backslash) {
            sp_buf_put_str(ret, "\\\\");
        } else if (v == '\n') {
            sp_buf_put_str(ret, "\\n");
        } else if (v == '\t') {
            sp_buf_put_str(ret, "\\t");
        } else if (v < 0x80 && sp_utf8_misleads(v)) {
            sp_buf_printf(ret, "\\x%02x", (unsigned)v);
        } else if (sp_utf8_misleads(v)) {
            sp_buf_printf(ret, "\\u{%x}", (unsigned)v);
        } else {
            sp_buf_put(ret, p, len);
        }
        p += len;
        n -= len;
    }
}

void
sp_path_show(const void *path, size_t n, struct sp_buf *ret)
{
    show(path, n, !sp_path_backslash, ret);
}

void
sp_text_show(const char *text, struct sp_buf *ret)
{
    show((const uint8_t *)text, strlen(text), false, ret);
}

char *
sp_path_join(const char *a, const char *b)
{
    size_t an = strlen(a), bn = strlen(b);
    size_t slash = an == 0 || a[an - 1] != '/';
    char *path = malloc(an + slash + bn + 1);

    if (path == NULL)
        return NULL;
    memcpy(path, a, an);
    if (slash)
        path[an] = '/';
    memcpy(path + an + slash, b, bn + 1);
    return path;
}
