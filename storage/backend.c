/* The calls of every backend: names are checked here, once; see backend.h. */

#include "storage/backend.h"

#include <stdlib.h>
#include <string.h>

#define MAX_COMPONENTS 4
#define MAX_COMPONENT 80

static bool
char_valid(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || c == '.' || c == '_' || c == '-';
}

bool
sp_object_name_valid(const char *name)
{
    const char *p = name;

    for (size_t i = 0; i < MAX_COMPONENTS; i++) {
        size_t n = 0;

        while (n <= MAX_COMPONENT && char_valid(p[n]))
            n++;
        if (n == 0 || n > MAX_COMPONENT || (p[n] != '\0' && p[n] != '/'))
            return false;
        /* They match the grammar, but mean other folders. */
        if ((n == 1 && p[0] == '.') || (n == 2 && p[0] == '.' && p[1] == '.'))
            return false;
        /* Where unfinished writing lies, in every backend. */
        if (i == 0 && n == 3 && memcmp(p, "tmp", 3) == 0)
            return false;
        if (p[n] == '\0')
            return true;
        p += n + 1;
    }
    return false;
}

static enum sp_code
check_name(const char *name, struct sp_err *e)
{
    if (sp_object_name_valid(name))
        return SP_OK;
    return sp_fail(e, SP_INVALID, SP_DOM_SELF, "\"%.100s\" is no name of an object", name);
}

enum sp_code
sp_backend_begin(struct sp_backend *b, struct sp_backend_writer **ret, struct sp_err *e)
{
    return b->ops->begin(b, ret, e);
}

enum sp_code
sp_backend_write(
    struct sp_backend *b, struct sp_backend_writer *w, const void *p, size_t n, struct sp_err *e)
{
    return b->ops->write(w, p, n, e);
}

enum sp_code
sp_backend_publish(
    struct sp_backend *b, struct sp_backend_writer *w, const char *name, struct sp_err *e)
{
    enum sp_code rc = check_name(name, e);

    if (rc != SP_OK) {
        b->ops->abort(w);
        return rc;
    }
    return b->ops->publish(w, name, e);
}

void
sp_backend_abort(struct sp_backend *b, struct sp_backend_writer *w)
{
    if (w != NULL)
        b->ops->abort(w);
}

enum sp_code
sp_backend_put(struct sp_backend *b, const char *name, const void *p, size_t n, struct sp_err *e)
{
    struct sp_backend_writer *w = NULL;
    enum sp_code rc;

    if ((rc = check_name(name, e)) != SP_OK)
        return rc;
    if ((rc = b->ops->begin(b, &w, e)) != SP_OK)
        return rc;
    if ((rc = b->ops->write(w, p, n, e)) != SP_OK) {
        b->ops->abort(w);
        return rc;
    }
    return b->ops->publish(w, name, e);
}

enum sp_code
sp_backend_sync(struct sp_backend *b, struct sp_err *e)
{
    return b->ops->sync(b, e);
}

enum sp_code
sp_backend_get(
    struct sp_backend *b, const char *name, uint64_t offset, void *to, size_t n, struct sp_err *e)
{
    enum sp_code rc = check_name(name, e);

    return rc != SP_OK ? rc : b->ops->get(b, name, offset, to, n, e);
}

enum sp_code
sp_backend_get_all(struct sp_backend *b, const char *name, size_t limit, uint8_t **ret,
    size_t *ret_n, struct sp_err *e)
{
    struct sp_backend_fetch f = {.name = name, .whole = true, .limit = limit};
    uint64_t size;
    uint8_t *bytes = NULL;
    enum sp_code rc;

    if (b->ahead > 0 && b->ops->fetch_start != NULL) { /* one question instead of two */
        if ((rc = sp_backend_fetch_start(b, &f, e)) != SP_OK ||
            (rc = sp_backend_fetch_finish(b, &f, e)) != SP_OK)
            return rc;
        *ret = f.bytes;
        *ret_n = f.n;
        return SP_OK;
    }
    if ((rc = sp_backend_size(b, name, &size, e)) != SP_OK)
        return rc;
    if (size > limit)
        return sp_fail(e, SP_CORRUPT, SP_DOM_STORE,
            "%s has %llu bytes, more than the %zu that such an object may have", name,
            (unsigned long long)size, limit);
    if ((bytes = malloc(size > 0 ? (size_t)size : 1)) == NULL)
        return sp_fail_nomem(e);
    if ((rc = b->ops->get(b, name, 0, bytes, (size_t)size, e)) != SP_OK)
        goto out;
    *ret = bytes;
    *ret_n = (size_t)size;
    bytes = NULL;
out:
    free(bytes);
    return rc;
}

enum sp_code
sp_backend_size(struct sp_backend *b, const char *name, uint64_t *ret, struct sp_err *e)
{
    enum sp_code rc = check_name(name, e);

    return rc != SP_OK ? rc : b->ops->size(b, name, ret, e);
}

enum sp_code
sp_backend_list(
    struct sp_backend *b, const char *prefix, sp_backend_list_fn each, void *arg, struct sp_err *e)
{
    enum sp_code rc = prefix[0] == '\0' ? SP_OK : check_name(prefix, e);

    return rc != SP_OK ? rc : b->ops->list(b, prefix, each, arg, e);
}

enum sp_code
sp_backend_list_all(struct sp_backend *b, const char *const *prefixes, size_t n,
    sp_backend_list_fn each, void *arg, struct sp_err *e)
{
    size_t i;
    enum sp_code rc = SP_OK;

    for (i = 0; i < n && rc == SP_OK; i++)
        if (prefixes[i][0] != '\0')
            rc = check_name(prefixes[i], e);
    if (rc == SP_OK && b->ops->list_all != NULL)
        return b->ops->list_all(b, prefixes, n, each, arg, e);
    for (i = 0; i < n && rc == SP_OK; i++)
        rc = b->ops->list(b, prefixes[i], each, arg, e);
    return rc;
}

enum sp_code
sp_backend_fetch_start(struct sp_backend *b, struct sp_backend_fetch *f, struct sp_err *e)
{
    enum sp_code rc = check_name(f->name, e);

    f->pending = NULL;
    f->bytes = NULL;
    if (rc != SP_OK || b->ops->fetch_start == NULL)
        return rc;
    return b->ops->fetch_start(b, f, e);
}

enum sp_code
sp_backend_fetch_finish(struct sp_backend *b, struct sp_backend_fetch *f, struct sp_err *e)
{
    if (b->ops->fetch_finish != NULL)
        return b->ops->fetch_finish(b, f, e);
    if (f->whole)
        return sp_backend_get_all(b, f->name, f->limit, &f->bytes, &f->n, e);
    return b->ops->get(b, f->name, f->offset, f->to, f->n, e);
}

enum sp_code
sp_backend_written(struct sp_backend *b, const char *name, int64_t *ret_ns, struct sp_err *e)
{
    enum sp_code rc = check_name(name, e);

    return rc != SP_OK ? rc : b->ops->written(b, name, ret_ns, e);
}

enum sp_code
sp_backend_now(struct sp_backend *b, int64_t *ret_ns, struct sp_err *e)
{
    return b->ops->now(b, ret_ns, e);
}

enum sp_code
sp_backend_may_write(struct sp_backend *b, struct sp_err *e)
{
    return b->ops->may_write != NULL ? b->ops->may_write(b, e) : SP_OK;
}

enum sp_code
sp_backend_sweep(struct sp_backend *b, sp_backend_dead_fn dead, void *arg, struct sp_err *e)
{
    return b->ops->sweep(b, dead, arg, e);
}

enum sp_code
sp_backend_remove(struct sp_backend *b, const char *name, struct sp_err *e)
{
    enum sp_code rc = check_name(name, e);

    return rc != SP_OK ? rc : b->ops->remove(b, name, e);
}

enum sp_code
sp_backend_move(struct sp_backend *b, const char *from, const char *to, struct sp_err *e)
{
    enum sp_code rc;

    if ((rc = check_name(from, e)) != SP_OK || (rc = check_name(to, e)) != SP_OK)
        return rc;
    return b->ops->move(b, from, to, e);
}

enum sp_code
sp_backend_space(struct sp_backend *b, struct sp_os_space *ret, struct sp_err *e)
{
    return b->ops->space(b, ret, e);
}

void
sp_backend_free(struct sp_backend *b)
{
    if (b != NULL)
        b->ops->free(b);
}
