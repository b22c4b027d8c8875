#include "client/target_impl_win32.h"

#include <stdlib.h>
#include <string.h>

#include "base/fold.h"
#include "base/path.h"
#include "base/utf.h"

/* Names: learn.microsoft.com/en-us/windows/win32/fileio/naming-a-file.
 *
 * What NTFS itself cannot hold is refused for everyone. A device's name, or one with a dot or a
 * space at the end, is one that NT can make and programs of Win32 cannot open, since their paths
 * lose it on the way: made for a set from Windows, where it was like this, and refused for others,
 * since nobody there wanted a file that cannot be deleted.
 *
 * The target's own folder has names for what a key begins with, each for one only: a drive is one
 * letter, a volume begins with "Volume{", a share has a plus, which no server's name has
 * (learn.microsoft.com/en-us/troubleshoot/windows-server/active-directory/naming-conventions-for-computer-domain-site-ou).
 */

#define MOST_UNITS 255

static bool
is_letter(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static bool
is_drive(const char *p, size_t n)
{
    return n == 2 && is_letter(p[0]) && p[1] == ':';
}

/* "\\server\share"; *ret_server: the length of "server". */
static bool
is_share(const char *p, size_t n, size_t *ret_server)
{
    const char *end;

    if (n < 5 || p[0] != '\\' || p[1] != '\\' || p[2] == '?' || p[2] == '.')
        return false;
    end = memchr(p + 2, '\\', n - 2);
    if (end == NULL || end == p + 2 || end + 1 == p + n ||
        memchr(end + 1, '\\', (size_t)(p + n - end) - 1) != NULL)
        return false;
    *ret_server = (size_t)(end - p) - 2;
    return memchr(p, '+', *ret_server + 2) == NULL;
}

#define DEVICE "\\\\?\\"
#define VOLUME DEVICE "Volume{"

static bool
is_volume(const char *p, size_t n)
{
    return n > sizeof VOLUME && memcmp(p, VOLUME, sizeof VOLUME - 1) == 0 && p[n - 1] == '}' &&
           memchr(p + sizeof VOLUME - 1, '\\', n - sizeof VOLUME + 1) == NULL;
}

/* --- one component
 * ------------------------------------------------------------------------------------- */

/* CON, com1.txt, "LPT² .x": up to the first dot, without spaces at its end. */
static bool
is_device(const char *p, size_t n)
{
    static const char *const whole[] = {"con", "prn", "aux", "nul", "conin$", "conout$"};
    static const char *const digits[] = {
        "1", "2", "3", "4", "5", "6", "7", "8", "9", "0", "\xc2\xb9", "\xc2\xb2", "\xc2\xb3"};
    const char *dot = memchr(p, '.', n);

    n = dot != NULL ? (size_t)(dot - p) : n;
    while (n > 0 && p[n - 1] == ' ')
        n--;
    for (size_t i = 0; i < sizeof whole / sizeof whole[0]; i++)
        if (sp_fold_equal(p, n, whole[i], strlen(whole[i])))
            return true;
    if (n < 4 || (!sp_fold_equal(p, 3, "com", 3) && !sp_fold_equal(p, 3, "lpt", 3)))
        return false;
    for (size_t i = 0; i < sizeof digits / sizeof digits[0]; i++)
        if (n - 3 == strlen(digits[i]) && memcmp(p + 3, digits[i], n - 3) == 0)
            return true;
    return false;
}

static enum sp_code
bad(struct sp_err *e, const char *why)
{
    return sp_fail(
        e, SP_INVALID, SP_DOM_STORE, "its name cannot be the name of a file here: %s", why);
}

static enum sp_code
check_characters(const uint8_t *p, size_t n, struct sp_err *e)
{
    size_t units = 0;

    for (size_t at = 0; at < n;) {
        uint32_t c = 0;
        size_t len = sp_utf8_next(p + at, n - at, true, &c);

        if (len == 0)
            return bad(e, "it is not Unicode");
        if (c < 32)
            return bad(e, "it has a control character");
        if (c < 128 && strchr("<>:\"/\\|?*", (int)c) != NULL)
            return sp_fail(e, SP_INVALID, SP_DOM_STORE,
                "its name cannot be the name of a file here: Windows allows no '%c' in one; "
                "restore it "
                "on another system",
                (char)c);
        units += c > 0xFFFF ? 2 : 1;
        at += len;
    }
    if (units > MOST_UNITS)
        return bad(e, "it is longer than 255 characters");
    /* Two halves of one character apart are not WTF-8. */
    return sp_wtf8_valid(p, n) ? SP_OK : bad(e, "it is not Unicode");
}

static enum sp_code
check_plain(const char *p, size_t n, uint32_t flags, struct sp_err *e)
{
    enum sp_code rc;

    if (n == 0 || (p[0] == '.' && (n == 1 || (n == 2 && p[1] == '.'))))
        return bad(e, "it is none");
    if ((rc = check_characters((const uint8_t *)p, n, e)) != SP_OK)
        return rc;
    if ((flags & SP_ENTRY_WINDOWS) != 0)
        return SP_OK;
    if (p[n - 1] == '.' || p[n - 1] == ' ')
        return bad(e,
            "programs on Windows cannot open one that ends with a dot or a space; restore it "
            "on another system");
    if (is_device(p, n))
        return bad(
            e, "programs on Windows take it for that of a device; restore it on another system");
    return SP_OK;
}

/* --- in its folder
 * ------------------------------------------------------------------------------------- */

static bool
is_top(const char *p, size_t n)
{
    size_t server;

    return is_drive(p, n) || is_share(p, n, &server) || is_volume(p, n);
}

enum sp_code
sp_target_name_check(
    const struct sp_target_dir *d, const void *name, size_t n, uint32_t flags, struct sp_err *e)
{
    bool top = is_top(name, n) && (flags & SP_ENTRY_WINDOWS) != 0;
    char *as = NULL, *copy;
    bool stands_for;
    enum sp_code rc = SP_OK;

    if (d == NULL || d->up != NULL || !(top || d->is_virtual))
        return check_plain(name, n, flags, e);
    if (!top)
        return sp_fail(e, SP_INVALID, SP_DOM_STORE,
            "nothing but drives and shares can be where Windows has them; restore it to a target "
            "folder");
    if (memchr(name, 0, n) != NULL)
        return bad(e, "it has a NUL");
    if ((copy = malloc(n + 1)) == NULL)
        return sp_fail_nomem(e);
    memcpy(copy, name, n);
    copy[n] = '\0';
    if ((rc = target_name_in(d, copy, &as, &stands_for, e)) == SP_OK && !d->is_virtual)
        rc = check_plain(as, strlen(as), flags, e);
    free(as);
    free(copy);
    return rc;
}

enum sp_code
target_name_check(const struct sp_target_dir *d, const char *name, struct sp_err *e)
{
    return sp_target_name_check(d, name, strlen(name), SP_ENTRY_WINDOWS, e);
}

/* As open_path takes it. */
static void
put_path(const char *name, struct sp_buf *to)
{
    for (const char *p = name; *p != '\0'; p++)
        sp_buf_put_u8(to, *p == '\\' ? '/' : (uint8_t)*p);
    sp_buf_put_str(to, "/");
}

enum sp_code
target_name_in(const struct sp_target_dir *d, const char *name, char **ret, bool *ret_stands_for,
    struct sp_err *e)
{
    struct sp_buf b = SP_BUF_INIT;
    size_t n = strlen(name), server = 0, len;
    bool top = d->up == NULL && is_top(name, n);
    uint8_t *p = NULL;
    enum sp_code rc;

    if (top && d->is_virtual) {
        put_path(name, &b);
    } else if (top && is_drive(name, n)) {
        sp_buf_put_u8(&b, (uint8_t)(name[0] & ~0x20)); /* "c:" and "C:" are one drive */
    } else if (top && is_share(name, n, &server)) {
        sp_buf_put(&b, name + 2, server);
        sp_buf_put_u8(&b, '+');
        sp_buf_put_str(&b, name + 2 + server + 1);
    } else if (top) {
        sp_buf_put_str(&b, name + sizeof DEVICE - 1);
    } else {
        sp_buf_put_str(&b, name);
    }
    sp_buf_put_u8(&b, 0);
    if ((rc = sp_buf_take(&b, &p, &len, e)) != SP_OK)
        return rc;
    *ret = (char *)p;
    *ret_stands_for = top && !d->is_virtual;
    return SP_OK;
}
