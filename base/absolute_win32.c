/* Whatever Windows or a user calls an absolute or relative path, in the inside form: see
 * sys_win32.h.
 *
 * Not by GetFullPathName, which bends names: it drops dots and spaces at the end and turns a file
 * called "con" into the console. */

#include "base/sys_win32.h"

#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "base/os.h"
#include "base/path.h"

static bool
is_separator(char c)
{
    return c == '/' || c == '\\';
}

static size_t
component(const char *p)
{
    return strcspn(p, "/\\");
}

static bool
is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static char
upper(char c)
{
    return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

/* The word, in whatever case, as a whole component. */
static bool
is_word(const char *p, const char *word)
{
    size_t n = component(p);

    if (n != strlen(word))
        return false;
    for (size_t i = 0; i < n; i++)
        if (upper(p[i]) != word[i])
            return false;
    return true;
}

static enum sp_code
refuse(struct sp_err *e, const char *path, const char *why)
{
    struct sp_buf shown = SP_BUF_INIT;
    enum sp_code rc;

    sp_path_show(path, strlen(path), &shown);
    rc = sp_fail(e, SP_INVALID, SP_DOM_CONFIG, "'%s' %s", sp_buf_str(&shown), why);
    sp_buf_free(&shown);
    return rc;
}

/* Takes one component into `b` behind a '/'; false when there is none. */
static bool
take(struct sp_buf *b, const char **p)
{
    size_t n = component(*p);

    sp_buf_put_u8(b, '/');
    sp_buf_put(b, *p, n);
    *p += n;
    while (is_separator(**p))
        ++*p;
    return n > 0;
}

static enum sp_code
take_share(struct sp_buf *b, const char *path, const char **p, struct sp_err *e)
{
    sp_buf_put_u8(b, '/');
    if (!take(b, p) || !take(b, p))
        return refuse(e, path, "names a server without a share; write \\\\server\\share");
    return SP_OK;
}

/* Behind \\?\: a drive, a share, or a volume by its name. */
static enum sp_code
take_verbatim(struct sp_buf *b, const char *path, const char **p, struct sp_err *e)
{
    bool whole;

    if (is_letter((*p)[0]) && (*p)[1] == ':' && (is_separator((*p)[2]) || (*p)[2] == '\0')) {
        sp_buf_put_u8(b, (uint8_t)upper((*p)[0]));
        sp_buf_put_u8(b, ':');
        *p += 2;
        return SP_OK;
    }
    if (is_word(*p, "UNC")) {
        *p += 3;
        *p += is_separator(**p);
        return take_share(b, path, p, e);
    }
    whole = is_word(*p, "GLOBALROOT");
    sp_buf_put_str(b, "//?");
    if (!take(b, p) || (whole && (!take(b, p) || !take(b, p))))
        return refuse(e, path, "names no volume");
    return SP_OK;
}

/* The current folder, or with `drive` (a letter) that drive's own. */
static enum sp_code
current(char drive, char **ret, struct sp_err *e)
{
    wchar_t ask[] = L"C:", *text = NULL;
    DWORD n, got;
    enum sp_code rc;

    ask[0] = (wchar_t)drive;
    n = drive != '\0' ? GetFullPathNameW(ask, 0, NULL, NULL) : GetCurrentDirectoryW(0, NULL);
    if (n == 0 || (text = calloc((size_t)n + 1, sizeof(*text))) == NULL)
        return n == 0 ? sp_fail_os(
                            e, SP_DOM_CONFIG, (int)GetLastError(), "cannot find the current folder")
                      : sp_fail_nomem(e);
    got = drive != '\0' ? GetFullPathNameW(ask, n, text, NULL) : GetCurrentDirectoryW(n, text);
    if (got == 0 || got >= n) /* 0, or it changed meanwhile to a longer one */
        rc = sp_fail_os(e, SP_DOM_CONFIG, (int)GetLastError(), "cannot find the current folder");
    else
        rc = sp_win32_narrow(text, ret, e);
    free(text);
    return rc;
}

/* Appends the components of `from`, without '.', going up at '..' but not above the root. */
static enum sp_code
add_components(struct sp_buf *to, size_t root, const char *path, const char *from, struct sp_err *e)
{
    while (*from != '\0') {
        size_t n = component(from);

        if (n == 2 && from[0] == '.' && from[1] == '.') {
            while (to->len > root && to->data[--to->len] != '/')
                continue;
        } else if (n > 0 && !(n == 1 && from[0] == '.')) {
            /* Of NTFS it would be a stream of a file, and no name of its own. */
            if (memchr(from, ':', n) != NULL)
                return refuse(e, path, "has ':' in a name");
            sp_buf_put_u8(to, '/');
            sp_buf_put(to, from, n);
        }
        from += n;
        from += *from != '\0';
    }
    return SP_OK;
}

static enum sp_code
take_root(struct sp_buf *b, const char *path, const char **p, struct sp_err *e)
{
    if (is_letter((*p)[0]) && (*p)[1] == ':')
        return take_verbatim(b, path, p, e);
    if (!is_separator((*p)[0]) || !is_separator((*p)[1]))
        return refuse(e, path, "is not an absolute path");
    if ((*p)[2] == '.' && is_separator((*p)[3]))
        return refuse(e, path, "names a device, not a file");
    if ((*p)[2] == '?' && is_separator((*p)[3])) {
        *p += 4;
        return take_verbatim(b, path, p, e);
    }
    *p += 2;
    return take_share(b, path, p, e);
}

enum sp_code
sp_win32_absolute(const char *path, struct sp_buf *ret, size_t *ret_root, struct sp_err *e)
{
    bool drive = is_letter(path[0]) && path[1] == ':';
    bool whole =
        (drive && is_separator(path[2])) || (is_separator(path[0]) && is_separator(path[1]));
    struct sp_buf b = SP_BUF_INIT;
    const char *p = path, *here;
    char *folder = NULL;
    size_t root;
    enum sp_code rc;

    if (*path == '\0')
        return sp_fail(e, SP_INVALID, SP_DOM_CONFIG, "an empty path");
    if (!whole && (rc = current(drive ? path[0] : '\0', &folder, e)) != SP_OK)
        return rc;
    here = folder;
    if ((rc = take_root(&b, path, whole ? &p : &here, e)) != SP_OK)
        goto out;
    root = b.len;
    /* "\x" is below the root of where we are, "x" and "C:x" below where we are. */
    if (!whole && !is_separator(path[0]))
        rc = add_components(&b, root, path, here, e);
    if (rc == SP_OK)
        rc = add_components(&b, root, path, p + (drive && !whole ? 2 : 0), e);
    if (rc != SP_OK || (rc = sp_buf_ok(&b, e)) != SP_OK)
        goto out;
    sp_buf_put(ret, b.data, b.len);
    *ret_root = root;
    rc = sp_buf_ok(ret, e);
out:
    sp_buf_free(&b);
    free(folder);
    return rc;
}

enum sp_code
sp_os_absolute(const char *path, char **ret, struct sp_err *e)
{
    struct sp_buf b = SP_BUF_INIT;
    uint8_t *bytes;
    size_t n, root = 0;
    enum sp_code rc = sp_win32_absolute(path, &b, &root, e);

    if (rc == SP_OK) {
        if (b.len == root && root == 2) /* "C:" alone would mean the drive's current folder */
            sp_buf_put_u8(&b, '/');
        sp_buf_put_u8(&b, 0);
        rc = sp_buf_take(&b, &bytes, &n, e);
    }
    if (rc == SP_OK)
        *ret = (char *)bytes;
    sp_buf_free(&b);
    return rc;
}

enum sp_code
sp_win32_path(const char *path, wchar_t **ret, struct sp_err *e)
{
    /* sp_os_absolute gives "C:/", and whoever cuts it at the slash means the root still. */
    bool bare = is_letter(path[0]) && path[1] == ':' && path[2] == '\0';
    char drive[] = {path[0], ':', '/', '\0'};
    struct sp_buf inside = SP_BUF_INIT, text = SP_BUF_INIT;
    const char *p;
    size_t root = 0;
    enum sp_code rc;

    if ((rc = sp_win32_absolute(bare ? drive : path, &inside, &root, e)) != SP_OK)
        goto out;
    p = sp_buf_str(&inside);
    sp_buf_put_str(&text, "\\\\?\\");
    if (strncmp(p, "//?/", 4) == 0)
        p += 4;
    else if (p[0] == '/') {
        sp_buf_put_str(&text, "UNC\\");
        p += 2;
    }
    for (; *p != '\0'; p++)
        sp_buf_put_u8(&text, *p == '/' ? '\\' : (uint8_t)*p);
    if (inside.len == root)
        sp_buf_put_u8(&text, '\\');
    if ((rc = sp_buf_ok(&text, e)) == SP_OK && (rc = sp_buf_ok(&inside, e)) == SP_OK)
        rc = sp_win32_wide(sp_buf_str(&text), ret, e);
out:
    sp_buf_free(&inside);
    sp_buf_free(&text);
    return rc;
}
