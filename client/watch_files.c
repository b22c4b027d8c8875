#include <stdlib.h>
#include <string.h>

#include "base/os.h"
#include "base/path.h"
#include "client/watch_impl.h"

enum sp_code
watch_read(const struct sp_watch_place *place, const void *key, size_t n, bool end, size_t limit,
    struct sp_buf *ret, struct sp_err *e)
{
    const struct sp_os *os = &sp_os_system;
    struct sp_buf path = SP_BUF_INIT;
    struct sp_file *f = NULL;
    struct sp_os_stat st;
    struct sp_err ignored;
    size_t got = 0;
    enum sp_code rc = place->read_path(place->arg, key, n, &path, e);

    sp_buf_reset(ret);
    if (rc != SP_OK || (rc = sp_buf_ok(&path, e)) != SP_OK ||
        (rc = os->open_read(os->self, sp_buf_str(&path), &f, e)) != SP_OK ||
        (rc = os->file_stat(os->self, f, &st, e)) != SP_OK)
        goto out;
    if (!sp_buf_reserve(ret, limit)) {
        rc = sp_fail_nomem(e);
        goto out;
    }
    rc = os->read_at(
        os->self, f, end && st.size > limit ? st.size - limit : 0, ret->data, limit, &got, e);
    ret->len = rc == SP_OK ? got : 0;
out:
    if (f != NULL)
        (void)os->close(os->self, f, &ignored); /* only read */
    sp_buf_free(&path);
    return rc;
}

enum sp_code
watch_is_there(
    const struct sp_watch_place *place, const void *key, size_t n, bool *ret, struct sp_err *e)
{
    struct sp_buf path = SP_BUF_INIT;
    struct sp_os_stat st;
    struct sp_err why;
    enum sp_code rc = place->read_path(place->arg, key, n, &path, &why);

    if (rc == SP_OK && (rc = sp_buf_ok(&path, &why)) == SP_OK)
        rc = sp_os_system.stat(sp_os_system.self, sp_buf_str(&path), &st, &why);
    *ret = rc == SP_OK && st.type == SP_OS_FILE;
    sp_buf_free(&path);
    if (rc != SP_NOMEM)
        return SP_OK; /* what cannot be looked at is not there */
    *e = why;
    return rc;
}

char *
watch_native(const void *key, size_t n)
{
    struct sp_buf path = SP_BUF_INIT;
    struct sp_err ignored;
    char *copy;

    sp_key_to_path(key, n, &path);
    copy = sp_buf_ok(&path, &ignored) == SP_OK ? strdup(sp_buf_str(&path)) : NULL;
    sp_buf_free(&path);
    return copy;
}

/* Read live it stays live when the verdict is judged again: a volume without a shadow says so. */
enum sp_code
watch_add(struct sp_verdict *v, enum sp_unit_kind kind, const char *unit, enum sp_level level,
    struct sp_verdict_component **ret, struct sp_err *e)
{
    struct sp_verdict_component *c;
    enum sp_code rc = sp_verdict_add_component(v, &c, e);

    if (rc != SP_OK)
        return rc;
    c->kind = kind;
    c->level = level < SP_LEVEL_CRASH ? level : SP_LEVEL_CRASH;
    c->why = level == SP_LEVEL_LIVE ? SP_WHY_NO_SHADOW : SP_WHY_NO_WRITER;
    if (level >= SP_LEVEL_CRASH && v->nshadows > 0)
        c->shadow = 0;
    if ((c->unit = strdup(unit)) == NULL)
        return sp_fail_nomem(e);
    *ret = c;
    return SP_OK;
}

enum sp_code
watch_add_path(struct sp_verdict_component *c, const void *key, size_t n, struct sp_err *e)
{
    char **more = realloc(c->paths, (c->npaths + 1) * sizeof *more);

    if (more == NULL)
        return sp_fail_nomem(e);
    c->paths = more;
    if ((more[c->npaths] = watch_native(key, n)) == NULL)
        return sp_fail_nomem(e);
    c->npaths++;
    return SP_OK;
}
