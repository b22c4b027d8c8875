/* Absolute POSIX paths and keys: see path.h. */

#include "base/path.h"

#include <string.h>

const bool sp_path_backslash = false;

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

enum sp_code
sp_key_from_path(const char *path, struct sp_buf *ret, struct sp_err *e)
{
    struct sp_buf key = SP_BUF_INIT;
    const char *p = path;
    enum sp_code rc;

    if (*p != '/')
        return fail_shown(e, path, "is not an absolute path");
    while (*p != '\0') {
        size_t n = strcspn(p, "/");

        if (n > 0)
            sp_key_push(&key, p, n);
        p += n;
        p += *p == '/';
    }
    if ((rc = sp_buf_ok(&key, e)) != SP_OK)
        goto out;
    if (!sp_key_valid(key.data, key.len)) {
        rc = fail_shown(e, path, "has a component . or ..");
        goto out;
    }
    sp_buf_put(ret, key.data, key.len);
    rc = sp_buf_ok(ret, e);
out:
    sp_buf_free(&key);
    return rc;
}

void
sp_key_to_path(const void *key, size_t n, struct sp_buf *ret)
{
    const uint8_t *p = key;

    sp_buf_put_u8(ret, '/');
    for (size_t i = 0; i < n; i++)
        sp_buf_put_u8(ret, p[i] != '\0' ? p[i] : '/');
}
