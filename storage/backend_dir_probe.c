/* What a file system can do, found by doing it (R20).
 *
 * The probe writes a file in tmp/, reads it back, and tries to publish another over it. An answer
 * that says "I cannot flush" is remembered and tolerated from then on, exactly that one; a file
 * system that gives back other bytes is refused. */

#include "storage/backend_dir.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/random.h"

#define PROBE_KIND "probe-"
#define PROBE_BYTES 256
#define SETTLED_NS (3600 * SP_SECOND) /* by then every file system has written it by itself */

/* --- the probe ------------------------------------------------------------------------------- */

struct probe {
    struct sp_dir *d;
    char *tmp, *a, *b, *c;
    uint8_t bytes[PROBE_BYTES];
    bool dated; /* now_ns, by the folder's own clock (R9), is known */
    int64_t now_ns;
    bool published; /* was tried */
};

/* "I cannot do that", which is no loss of anything; all else is a failure. */
static bool
cannot_flush(enum sp_code rc, const struct sp_err *e)
{
    return rc == SP_UNSUPPORTED || (rc == SP_IO && sp_os_reason(e->os) == SP_OS_BAD_REQUEST);
}

static enum sp_code
remember(struct sp_dir_fault *fault, enum sp_code rc, const struct sp_err *why, struct sp_err *e)
{
    if (rc == SP_OK)
        return SP_OK;
    if (cannot_flush(rc, why)) {
        *fault = (struct sp_dir_fault){true, rc, why->os};
        return SP_OK;
    }
    *e = *why;
    return rc;
}

/* Creates, writes, flushes and closes; `n` may be 0. */
static enum sp_code
put_file(struct probe *p, const char *path, size_t n, struct sp_err *e)
{
    const struct sp_os *os = p->d->env.os;
    struct sp_err why = {0}, closing = {0};
    struct sp_os_stat st;
    struct sp_file *f;
    enum sp_code rc, close_rc;

    if ((rc = os->create(os->self, path, &f, e)) != SP_OK)
        return rc;
    if (n > 0)
        rc = os->write_at(os->self, f, 0, p->bytes, n, e);
    if (rc == SP_OK)
        rc = remember(&p->d->file_flush, os->sync(os->self, f, &why), &why, e);
    close_rc = os->close(os->self, f, &closing);
    if (rc == SP_OK && (rc = close_rc) != SP_OK)
        *e = closing;
    /* After the close: only then has a network file system's server set the time. */
    if (rc == SP_OK && (rc = os->stat(os->self, path, &st, e)) == SP_OK)
        p->now_ns = st.mtime_ns;
    p->dated = p->dated || rc == SP_OK;
    return rc;
}

static enum sp_code
read_back(struct probe *p, struct sp_err *e)
{
    uint8_t *bytes = NULL;
    size_t n = 0;
    enum sp_code rc = sp_os_read_file(p->d->env.os, p->a, PROBE_BYTES, &bytes, &n, e);

    if (rc == SP_REFUSED || (rc == SP_OK && (n != PROBE_BYTES || memcmp(bytes, p->bytes, n) != 0)))
        rc = sp_fail(e, SP_REFUSED, SP_DOM_STORE,
            "%s gives back other bytes than were written to it; no repository can be kept there",
            p->d->root);
    free(bytes);
    return rc;
}

/* Whether publish replaces, and whether it works at all. */
static enum sp_code
try_publish(struct probe *p, struct sp_err *e)
{
    const char *from = p->b;
    enum sp_code rc;

    if ((rc = put_file(p, p->b, 0, e)) != SP_OK)
        return rc;
    p->published = true;
    rc = sp_dir_rename(p->d, p->b, p->a, e);
    if (rc == SP_OK)
        from = p->a; /* it has replaced */
    else if (rc == SP_EXISTS)
        p->d->head.caps.exclusive = true;
    else
        return rc;
    return sp_dir_rename(p->d, from, p->c, e);
}

static enum sp_code
try_files(struct probe *p, struct sp_err *e)
{
    const struct sp_os *os = p->d->env.os;
    struct sp_err ignored;
    enum sp_code rc = put_file(p, p->a, PROBE_BYTES, e);

    if (rc == SP_OK) {
        rc = read_back(p, e);
    } else if (rc == SP_FULL) {
        /* An empty file may still have room, and tells all but whether bytes come back. */
        (void)os->remove(os->self, p->a, &ignored);
        rc = put_file(p, p->a, 0, e);
    }
    return rc != SP_OK ? rc : try_publish(p, e);
}

static enum sp_code
try_all(struct probe *p, struct sp_err *e)
{
    struct sp_dir *d = p->d;
    const struct sp_os *os = d->env.os;
    struct sp_err why = {0};
    enum sp_code rc;

    rc = os->mkdir(os->self, p->tmp, e);
    if (rc == SP_OK || rc == SP_EXISTS)
        rc = try_files(p, e);
    /* R19: a full store opens, so that it can be made less full. What could not be tried is
     * tolerated in nothing. */
    if (rc != SP_OK && rc != SP_FULL)
        return rc;
    return remember(&d->folder_flush, os->sync_dir(os->self, d->root, &why), &why, e);
}

static enum sp_code
make_names(struct probe *p, struct sp_err *e)
{
    enum sp_code rc;

    if ((rc = sp_random_fill(p->d->env.random, p->bytes, sizeof(p->bytes), e)) != SP_OK)
        return rc;
    if ((rc = sp_dir_path(p->d, SP_FOLDER_TMP, &p->tmp, e)) != SP_OK)
        return rc;
    if ((rc = sp_dir_temporary(p->d, PROBE_KIND, &p->a, e)) != SP_OK)
        return rc;
    if ((rc = sp_dir_temporary(p->d, PROBE_KIND, &p->b, e)) != SP_OK)
        return rc;
    return sp_dir_temporary(p->d, PROBE_KIND, &p->c, e);
}

static void
clean_up(struct probe *p)
{
    const struct sp_os *os = p->d->env.os;
    char *const paths[] = {p->a, p->b, p->c};
    struct sp_err ignored;

    for (size_t i = 0; i < 3; i++) {
        /* One of them is always absent; one that stays is swept by a later run. */
        if (paths[i] != NULL)
            (void)os->remove(os->self, paths[i], &ignored);
        free(paths[i]);
    }
}

enum sp_code
sp_dir_probe(struct sp_dir *d, struct sp_err *e)
{
    struct probe p = {.d = d};
    struct sp_err why = {0};
    enum sp_code rc;

    if ((rc = make_names(&p, e)) != SP_OK)
        goto out;
    rc = try_all(&p, &why);
    if (rc == SP_DENIED) {
        d->head.caps = (struct sp_backend_caps){.space = true};
        rc = SP_OK;
        goto out;
    }
    if (rc != SP_OK) {
        *e = why;
        sp_err_context(e, "trying what %s can do", d->root);
        goto out;
    }
    d->head.caps.writable = d->head.caps.remove = d->head.caps.space = true;
    d->head.caps.flush_file = !d->file_flush.seen;
    d->head.caps.flush_folder = !d->folder_flush.seen;
    d->look_first = !d->head.caps.exclusive;
    if (!p.published)
        d->head.caps.exclusive = true;
    d->old_ns = p.dated ? p.now_ns - SETTLED_NS : INT64_MIN;
out:
    clean_up(&p);
    free(p.tmp);
    return rc;
}
