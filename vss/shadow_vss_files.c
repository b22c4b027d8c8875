#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "vss/shadow_vss.h"

/* The files of a component as patterns of client/filter.h, anchored. */

static void
put_quoted(struct sp_buf *b, const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (p[i] == '\0') {
            sp_buf_put_u8(b, '/');
            continue;
        }
        if (strchr("*?[]\\!# ", p[i]) != NULL)
            sp_buf_put_u8(b, '\\');
        sp_buf_put_u8(b, p[i]);
    }
}

static bool
is_every(const char *spec)
{
    return spec[0] == '\0' || strcmp(spec, "*") == 0 || strcmp(spec, "*.*") == 0;
}

/* Of a name's wildcards * and ? mean the same there; "*.*" is any name, with or without a dot
 * (learn.microsoft.com/windows/win32/vss/file-specifications-in-vss: as for the file system). */
static void
put_spec(struct sp_buf *b, const char *spec)
{
    if (is_every(spec))
        spec = "*";
    for (; *spec != '\0'; spec++) {
        if (*spec == '*' || *spec == '?')
            sp_buf_put_u8(b, (uint8_t)*spec);
        else
            put_quoted(b, (const uint8_t *)spec, 1);
    }
}

/* Of files; a pattern with wildcards means folders of such names as well, and all that is in them.
 * Those are taken back, unless all below belongs to the component. */
static bool
speaks_of_folders(const struct sp_vss_files *f)
{
    return is_every(f->spec) ? !f->recursive : strpbrk(f->spec, "*?") != NULL;
}

/* Appended to a list that has room. What is no place of a file here, whatever a writer says, is not
 * walked either: no pattern, and nobody's backup fails for it. */
static enum sp_code
pattern_of(const struct sp_vss_files *f, bool back, char **list, size_t *n, struct sp_err *e)
{
    struct sp_buf key = SP_BUF_INIT, b = SP_BUF_INIT;
    struct sp_err why = {0};
    uint8_t *text;
    size_t len;
    enum sp_code rc = sp_key_from_path(
        f->alternate != NULL && f->alternate[0] != '\0' ? f->alternate : f->path, &key, &why);

    if (rc == SP_NOMEM) {
        *e = why;
        goto out;
    }
    if (rc != SP_OK || (key.len > 0 && memchr(key.data, '\n', key.len) != NULL) ||
        strchr(f->spec, '\n') != NULL) {
        rc = SP_OK;
        goto out;
    }
    sp_buf_put_str(&b, back ? "!/" : "/");
    put_quoted(&b, key.data, key.len);
    if (key.len > 0)
        sp_buf_put_u8(&b, '/');
    if (f->recursive)
        sp_buf_put_str(&b, "**/");
    put_spec(&b, f->spec);
    if (back)
        sp_buf_put_u8(&b, '/');
    sp_buf_put_u8(&b, '\0');
    if ((rc = sp_buf_take(&b, &text, &len, e)) == SP_OK)
        list[(*n)++] = (char *)text;
out:
    sp_buf_free(&key);
    sp_buf_free(&b);
    return rc;
}

enum sp_code
shadow_vss_patterns(const struct sp_vss_component *c, char ***ret, size_t *ret_n, struct sp_err *e)
{
    char **list = calloc(2 * c->nfiles + 1, sizeof *list);
    size_t n = 0;
    enum sp_code rc = SP_OK;

    if (list == NULL)
        return sp_fail_nomem(e);
    for (size_t i = 0; i < c->nfiles && rc == SP_OK; i++) {
        rc = pattern_of(&c->files[i], false, list, &n, e);
        if (rc == SP_OK && speaks_of_folders(&c->files[i]))
            rc = pattern_of(&c->files[i], true, list, &n, e);
    }
    if (rc == SP_OK) {
        *ret = list;
        *ret_n = n;
        return SP_OK;
    }
    while (n > 0)
        free(list[--n]);
    free(list);
    return rc;
}
