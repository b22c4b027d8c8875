#include "client/select.h"

#include <stdlib.h>
#include <string.h>

#include "base/path.h"

enum sp_code
sp_select_path(struct sp_strings *patterns, const char *path, struct sp_err *e)
{
    struct sp_buf b = SP_BUF_INIT;
    char *absolute = NULL;
    const char *s;
    enum sp_code rc;

    if ((rc = sp_os_absolute(path, &absolute, e)) != SP_OK)
        return rc;
    for (s = absolute; *s != '\0'; s++) {
        if (*s == '\n') {
            sp_buf_put_u8(&b, '?');
            continue;
        }
        if (strchr("\\*?[] !#", *s) != NULL)
            sp_buf_put_u8(&b, '\\');
        sp_buf_put_u8(&b, (uint8_t)*s);
    }
    if ((rc = sp_buf_ok(&b, e)) == SP_OK)
        rc = sp_strings_add(patterns, sp_buf_str(&b), e);
    sp_buf_free(&b);
    free(absolute);
    return rc;
}

enum sp_code
sp_select_key(const char *path, struct sp_buf *ret, struct sp_err *e)
{
    char *absolute = NULL;
    enum sp_code rc;

    if ((rc = sp_os_absolute(path, &absolute, e)) == SP_OK)
        rc = sp_key_from_path(absolute, ret, e);
    free(absolute);
    return rc;
}

enum sp_code
sp_select_filter(const struct sp_strings *patterns, struct sp_filter **ret, struct sp_err *e)
{
    if (patterns->n == 0) {
        *ret = NULL;
        return SP_OK;
    }
    return sp_filter_new((const char *const *)patterns->s, patterns->n, false, ret, e);
}
