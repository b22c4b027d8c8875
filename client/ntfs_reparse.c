/* Reparse points: see ntfs_meta.h. The structures are those of MS-FSCC 2.1.2,
 * learn.microsoft.com/en-us/openspecs/windows_protocols/ms-fscc/c3a420cb-8a72-4adf-87e8-eee95379d78f
 */

#include "client/ntfs_meta.h"

#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "client/ntfs.h"

#define MOST 16384                     /* MAXIMUM_REPARSE_DATA_BUFFER_SIZE */
#define HEADER 8                       /* tag, length, reserved */
#define GUID 16                        /* between header and data when the tag is not Microsoft's */
#define MICROSOFT UINT32_C(0x80000000) /* a bit of the tag */
#define LAST_RESERVED 2u               /* tags 0, 1 and 2 are nobody's */
#define RELATIVE UINT32_C(1)           /* SYMLINK_FLAG_RELATIVE */
#define LX_VERSION 2u                  /* before the target of a WSL link */

struct names { /* of a symlink or a mount point, in UTF-16LE */
    const uint8_t *substitute, *print;
    size_t substitute_len, print_len; /* bytes */
    uint32_t flags;
};

uint32_t
sp_ntfs_reparse_tag(const void *p, size_t n)
{
    return n < HEADER ? 0 : sp_le32(p);
}

/* The data behind header and GUID. */
static bool
data_of(const void *p, size_t n, struct sp_cur *ret)
{
    struct sp_cur c = sp_cur_of(p, n);
    uint32_t tag = sp_cur_u32(&c);
    uint16_t length = sp_cur_u16(&c);

    (void)sp_cur_u16(&c);
    if ((tag & MICROSOFT) == 0)
        (void)sp_cur_bytes(&c, GUID);
    if (!sp_cur_ok(&c) || n > MOST || tag <= LAST_RESERVED || sp_cur_left(&c) != length)
        return false;
    *ret = c;
    return true;
}

static bool
name_inside(const uint8_t *buffer, size_t room, uint16_t at, uint16_t len, const uint8_t **ret,
    size_t *ret_len)
{
    if (at % 2 != 0 || len % 2 != 0 || at > room || len > room - at)
        return false;
    *ret = buffer + at;
    *ret_len = len;
    return true;
}

static bool
names_of(struct sp_cur c, uint32_t tag, struct names *ret)
{
    uint16_t at[2], len[2];
    const uint8_t *buffer;
    size_t room;

    memset(ret, 0, sizeof(*ret));
    for (int i = 0; i < 2; i++) {
        at[i] = sp_cur_u16(&c);
        len[i] = sp_cur_u16(&c);
    }
    if (tag == NTFS_TAG_SYMLINK)
        ret->flags = sp_cur_u32(&c);
    room = sp_cur_left(&c);
    buffer = sp_cur_bytes(&c, room);
    return sp_cur_ok(&c) &&
           name_inside(buffer, room, at[0], len[0], &ret->substitute, &ret->substitute_len) &&
           name_inside(buffer, room, at[1], len[1], &ret->print, &ret->print_len);
}

bool
sp_ntfs_reparse_ok(const void *p, size_t n)
{
    uint32_t tag = sp_ntfs_reparse_tag(p, n);
    struct names names;
    struct sp_cur c;

    if (!data_of(p, n, &c))
        return false;
    return (tag != NTFS_TAG_SYMLINK && tag != NTFS_TAG_MOUNT_POINT) || names_of(c, tag, &names);
}

/* --- where it leads ------------------------------------------------------------------------------
 */

static enum sp_code
fail_corrupt(struct sp_err *e)
{
    return sp_fail(e, SP_CORRUPT, SP_DOM_NONE, "what a link of Windows leads to is malformed");
}

/* UTF-16LE to WTF-8 with '/'. */
static enum sp_code
text_of(const uint8_t *p, size_t n, char **ret, size_t *ret_len, struct sp_err *e)
{
    uint16_t *units = malloc(n + 2);
    enum sp_code rc;

    if (units == NULL)
        return sp_fail_nomem(e);
    for (size_t i = 0; i < n / 2; i++)
        units[i] = sp_le16(p + 2 * i);
    rc = sp_utf16_to_wtf8(units, n / 2, ret, ret_len, e);
    free(units);
    if (rc != SP_OK)
        return rc;
    for (size_t i = 0; i < *ret_len; i++)
        if ((*ret)[i] == '\\')
            (*ret)[i] = '/';
    return SP_OK;
}

static bool
begins(const char *s, size_t n, const char *with)
{
    size_t len = strlen(with);

    if (n < len)
        return false;
    for (size_t i = 0; i < len; i++) {
        char c = s[i] >= 'a' && s[i] <= 'z' ? (char)(s[i] - 'a' + 'A') : s[i];

        if (c != with[i])
            return false;
    }
    return true;
}

static bool
is_letter(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* "X:/…" */
static bool
has_drive(const char *s, size_t n)
{
    return n >= 3 && is_letter(s[0]) && s[1] == ':' && s[2] == '/';
}

/* A path of the system's object names, '/' for '\', as programs write it. */
static void
absolute(const char *s, size_t n, struct sp_buf *ret, bool *ret_volume)
{
    const size_t detour = strlen("/\?\?/GLOBALROOT");

    *ret_volume = false;
    while (begins(s, n, "/\?\?/GLOBALROOT/")) { /* which is no way at all */
        s += detour;
        n -= detour;
    }
    if (!begins(s, n, "/\?\?/")) { /* not below "\??": "\Device\…" */
        sp_buf_put_str(ret, "//?/GLOBALROOT");
        sp_buf_put(ret, s, n);
        return;
    }
    s += 4;
    n -= 4;
    /* No server has the name "?", which would make another path of it. */
    if (begins(s, n, "UNC/") && !begins(s, n, "UNC/?/")) {
        sp_buf_put_str(ret, "//");
        sp_buf_put(ret, s + 4, n - 4);
        return;
    }
    if (!has_drive(s, n))
        sp_buf_put_str(ret, "//?/");
    sp_buf_put(ret, s, n);
    if (begins(s, n, "VOLUME{")) {
        const char *slash = memchr(s, '/', n);

        *ret_volume = slash == NULL || slash == s + n - 1;
    }
}

static enum sp_code
target_of(const struct names *names, uint32_t tag, struct sp_buf *ret, bool *ret_relative,
    bool *ret_volume, struct sp_err *e)
{
    bool relative = tag == NTFS_TAG_SYMLINK && (names->flags & RELATIVE) != 0, volume = false;
    char *text = NULL;
    size_t n = 0;
    enum sp_code rc;

    if ((rc = text_of(names->substitute, names->substitute_len, &text, &n, e)) != SP_OK)
        return rc;
    if (n == 0 || memchr(text, '\0', n) != NULL || (!relative && text[0] != '/')) {
        rc = fail_corrupt(e);
        goto out;
    }
    if (relative)
        sp_buf_put(ret, text, n);
    else
        absolute(text, n, ret, &volume);
    if ((rc = sp_buf_ok(ret, e)) != SP_OK)
        goto out;
    *ret_relative = relative;
    *ret_volume = volume && tag == NTFS_TAG_MOUNT_POINT;
out:
    free(text);
    return rc;
}

/* UTF-8 behind a version: github.com/microsoft/WSL/blob/master/doc, and ntfs-3g's reparse.c */
static enum sp_code
lx_target(
    struct sp_cur c, struct sp_buf *ret, bool *ret_relative, bool *ret_volume, struct sp_err *e)
{
    uint32_t version = sp_cur_u32(&c);
    size_t n = sp_cur_left(&c);
    const uint8_t *p = sp_cur_bytes(&c, n);
    enum sp_code rc;

    if (!sp_cur_ok(&c) || version != LX_VERSION || n == 0 || memchr(p, 0, n) != NULL)
        return fail_corrupt(e);
    sp_buf_put(ret, p, n);
    if ((rc = sp_buf_ok(ret, e)) != SP_OK)
        return rc;
    *ret_relative = p[0] != '/';
    *ret_volume = false;
    return SP_OK;
}

enum sp_code
sp_ntfs_reparse_target(const void *p, size_t n, struct sp_buf *ret, bool *ret_relative,
    bool *ret_volume, struct sp_err *e)
{
    uint32_t tag = sp_ntfs_reparse_tag(p, n);
    struct names names;
    struct sp_cur c;

    if (!data_of(p, n, &c))
        return fail_corrupt(e);
    if (tag == NTFS_TAG_LX_SYMLINK)
        return lx_target(c, ret, ret_relative, ret_volume, e);
    if (tag != NTFS_TAG_SYMLINK && tag != NTFS_TAG_MOUNT_POINT)
        return sp_fail(
            e, SP_UNSUPPORTED, SP_DOM_NONE, "it is no link (tag %08lx)", (unsigned long)tag);
    if (!names_of(c, tag, &names))
        return fail_corrupt(e);
    return target_of(&names, tag, ret, ret_relative, ret_volume, e);
}

/* --- making one ----------------------------------------------------------------------------------
 */

static void
put_units(struct sp_buf *b, const uint16_t *units, size_t n)
{
    for (size_t i = 0; i < n; i++)
        sp_buf_put_u16(b, units[i]);
}

/* The name that the system resolves, in units: `prefix` for `drop` units of the one that people
 * read. */
static enum sp_code
put_symlink(const uint16_t *print, size_t n, const char *prefix, size_t drop, bool relative,
    struct sp_buf *ret, struct sp_err *e)
{
    size_t before = strlen(prefix), substitute = 2 * (before + n - drop), length;

    length = 12 + substitute + 2 * n;
    if (length > MOST - HEADER)
        return sp_fail(
            e, SP_INVALID, SP_DOM_NONE, "what the link leads to is too long for Windows");
    sp_buf_put_u32(ret, NTFS_TAG_SYMLINK);
    sp_buf_put_u16(ret, (uint16_t)length);
    sp_buf_put_u16(ret, 0);
    sp_buf_put_u16(ret, 0);
    sp_buf_put_u16(ret, (uint16_t)substitute);
    sp_buf_put_u16(ret, (uint16_t)substitute);
    sp_buf_put_u16(ret, (uint16_t)(2 * n));
    sp_buf_put_u32(ret, relative ? RELATIVE : 0);
    for (size_t i = 0; i < before; i++)
        sp_buf_put_u16(ret, (uint16_t)prefix[i]);
    put_units(ret, print + drop, n - drop);
    put_units(ret, print, n);
    return sp_buf_ok(ret, e);
}

enum sp_code
sp_ntfs_reparse_make(const void *target, size_t n, struct sp_buf *ret, struct sp_err *e)
{
    struct sp_buf text = SP_BUF_INIT; /* with '/' only, as Windows will see it */
    const char *s;
    uint16_t *units = NULL;
    size_t nunits = 0;
    enum sp_code rc;

    if (n == 0 || n > MOST || memchr(target, '\0', n) != NULL)
        return sp_fail(e, SP_INVALID, SP_DOM_NONE, "no link of Windows can lead to that");
    if ((rc = sp_wtf8_to_utf16(target, n, &units, &nunits, e)) != SP_OK)
        return rc;
    sp_buf_put(&text, target, n);
    if ((rc = sp_buf_ok(&text, e)) != SP_OK)
        goto out;
    s = (const char *)text.data;
    for (size_t i = 0; i < n; i++)
        if (text.data[i] == '\\')
            text.data[i] = '/';
    for (size_t i = 0; i < nunits; i++)
        if (units[i] == '/')
            units[i] = '\\';
    if (begins(s, n, "//?/GLOBALROOT/"))
        rc = put_symlink(units, nunits, "", strlen("//?/GLOBALROOT"), false, ret, e);
    else if (begins(s, n, "//?/"))
        rc = put_symlink(units, nunits, "\\??\\", 4, false, ret, e);
    else if (begins(s, n, "//"))
        rc = put_symlink(units, nunits, "\\??\\UNC\\", 2, false, ret, e);
    else if (has_drive(s, n))
        rc = put_symlink(units, nunits, "\\??\\", 0, false, ret, e);
    else
        rc = put_symlink(units, nunits, "", 0, true, ret, e);
out:
    free(units);
    sp_buf_free(&text);
    return rc;
}
