/* Names: what is one, upper case, and the 8.3 names that NTFS makes by itself. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "double_tree.h"

/* $UpCase, for the scripts that the tests use: one unit at a time, never a change of length.
 * learn.microsoft.com/en-us/openspecs/windows_protocols/ms-fscc (upcase table) */
static uint16_t
upper(uint16_t c)
{
    if ((c >= 'a' && c <= 'z') || (c >= 0xE0 && c <= 0xFE && c != 0xF7) ||
        (c >= 0x3B1 && c <= 0x3C9) || (c >= 0x430 && c <= 0x44F))
        return (uint16_t)(c - (c == 0x3C2 ? 31 : 32));
    if (c == 0xFF)
        return 0x178;
    if (c >= 0x450 && c <= 0x45F)
        return (uint16_t)(c - 80);
    if ((c >= 0x100 && c <= 0x137 && c != 0x131) || (c >= 0x14A && c <= 0x177))
        return (uint16_t)(c & ~1u);
    return c;
}

void
dbl_fold(const char *name, uint16_t **ret, size_t *ret_n)
{
    struct sp_err e = {0};

    *ret = NULL;
    *ret_n = 0;
    if (sp_wtf8_to_utf16(name, strlen(name), ret, ret_n, &e) != SP_OK)
        return;
    for (size_t i = 0; i < *ret_n; i++)
        (*ret)[i] = upper((*ret)[i]);
}

bool
dbl_same_name(const char *a, const char *b, bool sensitive)
{
    uint16_t *fa, *fb;
    size_t na, nb;

    if (sensitive)
        return strcmp(a, b) == 0;
    dbl_fold(a, &fa, &na);
    dbl_fold(b, &fb, &nb);
    const bool same = fa != NULL && fb != NULL && na == nb && memcmp(fa, fb, na * 2) == 0;
    free(fa);
    free(fb);
    return same;
}

/* 1 to 255 units, none below 32 and none of the reserved ones:
 * learn.microsoft.com/en-us/windows/win32/fileio/naming-a-file */
bool
dbl_name_ok(const char *name)
{
    uint16_t *units;
    size_t n;

    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return false;
    for (const char *c = name; *c != '\0'; c++)
        if ((unsigned char)*c < 32 || strchr("\"*/:<>?\\|", *c) != NULL)
            return false;
    dbl_fold(name, &units, &n);
    free(units);
    return n >= 1 && n <= 255;
}

static bool
short_char(unsigned char c)
{
    return isupper(c) || isdigit(c) || c >= 128 ||
           (c != '\0' && strchr("!#$%&'()-@^_`{}~", c) != NULL);
}

/* MS-FSCC 2.1.5.2.1: up to eight, a dot, up to three. */
bool
dbl_short_ok(const char *name)
{
    const char *dot = strchr(name, '.');
    const size_t base = dot != NULL ? (size_t)(dot - name) : strlen(name);
    const size_t ext = dot != NULL ? strlen(dot + 1) : 0;

    if (base < 1 || base > 8 || ext > 3 || (dot != NULL && ext == 0))
        return false;
    for (const char *c = name; *c != '\0'; c++)
        if (c != dot && (!short_char((unsigned char)*c) || (unsigned char)*c >= 128))
            return false;
    return true;
}

bool
dbl_short_same(const char *a, const char *b)
{
    while (*a != '\0' && toupper((unsigned char)*a) == toupper((unsigned char)*b)) {
        a++;
        b++;
    }
    return *a == '\0' && *b == '\0';
}

/* Six letters, ~, a digit:
 * learn.microsoft.com/en-us/windows/win32/fileio/naming-a-file#short-vs-long-names. A name that
 * is 8.3 but for the case of its letters has itself. */
void
dbl_short_make(struct dbl_node *dir, const char *name, char to[48])
{
    char up[16] = "", base[8] = "", ext[4] = "";
    const char *dot = strrchr(name, '.');
    size_t n = 0;

    for (; name[n] != '\0' && n < sizeof up - 1; n++)
        up[n] = (char)toupper((unsigned char)name[n]);
    to[0] = '\0';
    if (name[n] == '\0' && dbl_short_ok(up))
        return;
    n = 0;
    for (const char *c = name; *c != '\0' && c != dot && n < 6; c++)
        if (short_char((unsigned char)toupper((unsigned char)*c)) && (unsigned char)*c < 128)
            base[n++] = (char)toupper((unsigned char)*c);
    n = 0;
    for (const char *c = dot != NULL && dot != name ? dot + 1 : ""; *c != '\0' && n < 3; c++)
        if (short_char((unsigned char)toupper((unsigned char)*c)) && (unsigned char)*c < 128)
            ext[n++] = (char)toupper((unsigned char)*c);
    /* The fifth of a kind and those after it have two letters and a number made of the whole name.
     */
    unsigned sum = 0;
    for (const char *c = name; *c != '\0'; c++)
        sum = sum * 37 + (unsigned char)*c;
    for (unsigned i = 1; i < 100; i++) {
        if (i > 4)
            (void)snprintf(to, 48, "%.2s%04X~%u%s%s", base, (sum + i / 10) & 0xFFFF, i % 9 + 1,
                n > 0 ? "." : "", ext);
        else
            (void)snprintf(to, 48, "%s~%u%s%s", base, i, n > 0 ? "." : "", ext);
        if (dbl_find(dir, to) == NULL)
            return;
    }
    to[0] = '\0';
}
