/* Absolute Windows paths and keys: see path.h. The first component of a key is "C:",
 * `\\server\share` or `\\?\Volume{…}`. A key whose first component is none of these comes from
 * another system, and is shown as there ("/usr/share"). */

#include "base/path.h"

#include <string.h>

#include "base/sys_win32.h"

const bool sp_path_backslash = true;

static enum sp_code
fail_shown(struct sp_err *e, const char *path, const char *what)
{
    struct sp_buf shown = SP_BUF_INIT;
    enum sp_code rc;

    sp_path_show(path, strlen(path), &shown);
    rc = sp_fail(e, SP_INVALID, SP_DOM_CONFIG, "'%s' %s", sp_buf_str(&shown), what);
    sp_buf_free(&shown);
    return rc;
}

static void
push_components(struct sp_buf *key, const char *p)
{
    while (*p != '\0') {
        size_t n = strcspn(p, "/");

        if (n > 0)
            sp_key_push(key, p, n);
        p += n;
        p += *p != '\0';
    }
}

static bool
has_dots(const char *path)
{
    while (*path != '\0') {
        size_t n = strcspn(path, "/\\");

        if ((n == 1 && path[0] == '.') || (n == 2 && path[0] == '.' && path[1] == '.'))
            return true;
        path += n;
        path += *path != '\0';
    }
    return false;
}

static enum sp_code
native(const char *path, struct sp_buf *key, struct sp_err *e)
{
    struct sp_buf inside = SP_BUF_INIT;
    bool drive =
        path[0] != '\0' && path[1] == ':' && (path[2] == '\0' || path[2] == '/' || path[2] == '\\');
    bool device = (path[0] == '/' || path[0] == '\\') && (path[1] == '/' || path[1] == '\\');
    char whole[] = {path[0], ':', '/', '\0'};
    size_t root = 0;
    enum sp_code rc;

    /* What is not whole would depend on where we are. */
    if (!drive && !device)
        return fail_shown(e, path, "is not an absolute path");
    if (has_dots(device ? path + 2 : path) && strncmp(path, "\\\\.", 3) != 0)
        return fail_shown(e, path, "has a component . or ..");
    rc = sp_win32_absolute(drive && path[2] == '\0' ? whole : path, &inside, &root, e);
    if (rc == SP_OK)
        rc = sp_buf_ok(&inside, e);
    if (rc == SP_OK) {
        const char *p = sp_buf_str(&inside);

        for (size_t i = 0; i < root; i++)
            sp_buf_put_u8(key, p[i] == '/' ? '\\' : (uint8_t)p[i]);
        push_components(key, p + root);
    }
    sp_buf_free(&inside);
    return rc;
}

enum sp_code
sp_key_from_path(const char *path, struct sp_buf *ret, struct sp_err *e)
{
    struct sp_buf key = SP_BUF_INIT;
    enum sp_code rc;

    if ((rc = native(path, &key, e)) == SP_OK && (rc = sp_buf_ok(&key, e)) == SP_OK) {
        sp_buf_put(ret, key.data, key.len);
        rc = sp_buf_ok(ret, e);
    }
    sp_buf_free(&key);
    return rc;
}

void
sp_key_to_path(const void *key, size_t n, struct sp_buf *ret)
{
    const uint8_t *p = key;
    size_t first = 0;
    bool drive, native_key;

    while (first < n && p[first] != '\0')
        first++;
    drive = first == 2 && p[1] == ':';
    native_key = drive || (first > 2 && p[0] == '\\' && p[1] == '\\');
    if (!native_key)
        sp_buf_put_u8(ret, '/');
    for (size_t i = 0; i < n; i++)
        sp_buf_put_u8(ret, p[i] != '\0' ? p[i] : native_key ? '\\' : '/');
    if (drive && n == first) /* "C:" would mean the drive's current folder */
        sp_buf_put_u8(ret, '\\');
}
