#include <stdlib.h>
#include <string.h>

#include "base/fold.h"
#include "vss/glob.h"
#include "vss/select_impl.h"

/* --- keys without case ------------------------------------------------------------------------ */

static void
put_key(struct sp_buf *b, const void *key, size_t n)
{
    if (sp_path_backslash)
        sp_fold_put(b, key, n);
    else
        sp_buf_put(b, key, n);
}

enum sp_code
select_scope_key(const char *path, struct sp_buf *to, bool *ret, struct sp_err *e)
{
    struct sp_buf key = SP_BUF_INIT;
    struct sp_err why;
    enum sp_code rc = sp_key_from_path(path, &key, &why);

    *ret = rc == SP_OK;
    if (rc == SP_NOMEM) {
        *e = why;
    } else {
        if (rc == SP_OK)
            put_key(to, key.data, key.len);
        rc = sp_buf_ok(to, e);
    }
    sp_buf_free(&key);
    return rc;
}

/* --- the set ---------------------------------------------------------------------------------- */

enum sp_code
select_scope_take(struct scope *s, struct scope_key *k, struct sp_err *e)
{
    struct scope_key *more = s->v;

    if ((s->n & (s->n - 1)) == 0 &&
        (more = realloc(s->v, (s->n == 0 ? 1 : 2 * s->n) * sizeof *more)) == NULL)
        return sp_fail_nomem(e);
    s->v = more;
    s->v[s->n++] = *k;
    *k = (struct scope_key){0};
    return SP_OK;
}

enum sp_code
select_scope_add(struct scope *s, const void *key, size_t n, const char *path, struct sp_err *e)
{
    struct sp_buf b = SP_BUF_INIT;
    struct scope_key k = {0};
    enum sp_code rc;

    put_key(&b, key, n);
    sp_buf_put_u8(&b, 0); /* so that the root of everything has memory as well */
    if ((rc = sp_buf_take(&b, &k.p, &k.n, e)) == SP_OK) {
        k.n--;
        if (path != NULL && (k.path = strdup(path)) == NULL)
            rc = sp_fail_nomem(e);
        else
            rc = select_scope_take(s, &k, e);
    }
    free(k.p);
    free(k.path);
    sp_buf_free(&b);
    return rc;
}

static int
by_key(const void *a, const void *b)
{
    const struct scope_key *x = a, *y = b;

    return sp_key_cmp(x->p, x->n, y->p, y->n);
}

void
select_scope_settle(struct scope *s)
{
    size_t kept = 0;

    if (s->n > 0)
        qsort(s->v, s->n, sizeof *s->v, by_key);
    for (size_t i = 0; i < s->n; i++) {
        if (kept > 0 && sp_key_within(s->v[kept - 1].p, s->v[kept - 1].n, s->v[i].p, s->v[i].n)) {
            free(s->v[i].p);
            free(s->v[i].path);
        } else {
            s->v[kept++] = s->v[i];
        }
    }
    s->n = kept;
}

void
select_scope_clear(struct scope *s)
{
    for (size_t i = 0; i < s->n; i++) {
        free(s->v[i].p);
        free(s->v[i].path);
    }
    free(s->v);
    *s = (struct scope){0};
}

/* The first that comes behind the key. */
static size_t
behind(const struct scope *s, const void *key, size_t n)
{
    size_t low = 0, high = s->n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (sp_key_cmp(s->v[middle].p, s->v[middle].n, key, n) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* What lies in the folder and is in the set: with `f` not recursive only what its pattern may speak
 * of. A root directly in the folder may be a folder, of which the pattern does not speak, or a
 * file; where the pattern is of everything, that cannot be told, and is left alone. */
static bool
touches(const struct scope *s, size_t at, const void *key, size_t n, const struct sp_vss_files *f)
{
    bool every = strcmp(f->spec, "*") == 0 || strcmp(f->spec, "*.*") == 0 || f->spec[0] == '\0';

    if (every && !f->recursive)
        return false;
    for (size_t i = at; i < s->n && sp_key_within(key, n, s->v[i].p, s->v[i].n); i++) {
        size_t len;
        const char *name = sp_key_name(s->v[i].p, s->v[i].n, &len);

        if (f->recursive)
            return true;
        if (sp_key_depth(s->v[i].p, s->v[i].n) == sp_key_depth(key, n) + 1 &&
            sp_vss_glob(f->spec, strlen(f->spec), name, len, sp_path_backslash))
            return true;
    }
    return false;
}

enum sp_code
select_scope_of_files(
    const struct scope *s, const struct sp_vss_files *f, enum extent *ret, struct sp_err *e)
{
    struct sp_buf key = SP_BUF_INIT;
    char *path = select_files_path(f, false);
    size_t at;
    bool has_key = false;
    enum sp_code rc = path != NULL ? select_scope_key(path, &key, &has_key, e) : sp_fail_nomem(e);

    if (rc == SP_OK) {
        at = behind(s, key.data, key.len);
        if (!has_key)
            *ret = OUTSIDE;
        else if (at > 0 && sp_key_within(s->v[at - 1].p, s->v[at - 1].n, key.data, key.len))
            *ret = INSIDE;
        else
            *ret = select_files_are_pattern(f) && touches(s, at, key.data, key.len, f) ? PARTLY
                                                                                       : OUTSIDE;
    }
    free(path);
    sp_buf_free(&key);
    return rc;
}

/* --- files of components ---------------------------------------------------------------------- */

bool
select_files_are_pattern(const struct sp_vss_files *f)
{
    return f->recursive || f->spec[0] == '\0' || strpbrk(f->spec, "*?") != NULL;
}

const char *
select_files_folder(const struct sp_vss_files *f)
{
    return f->alternate[0] != '\0' ? f->alternate : f->path;
}

char *
select_files_path(const struct sp_vss_files *f, bool spec)
{
    const char *folder = select_files_folder(f);
    size_t n = strlen(folder), m = strlen(f->spec);
    char separator = sp_path_backslash ? '\\' : '/';
    char *p = malloc(n + m + 2);

    if (p == NULL)
        return NULL;
    memcpy(p, folder, n + 1);
    if (m > 0 && (spec || !select_files_are_pattern(f))) {
        if (n > 0 && p[n - 1] != separator)
            p[n++] = separator;
        memcpy(p + n, f->spec, m + 1);
    }
    return p;
}
