/* Whole files, folders and trees over any table of file operations: see os.h. */

#include "base/os.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/path.h"
#include "base/random.h"
#include "base/text.h"

#define TEMPORARY ".tmp-"
#define LEFT_NS (INT64_C(24) * 3600 * SP_SECOND)

static enum sp_code
fail_shown(struct sp_err *e, enum sp_code code, const char *path, const char *what)
{
    struct sp_buf shown = SP_BUF_INIT;
    enum sp_code rc;

    sp_path_show(path, strlen(path), &shown);
    rc = sp_fail(e, code, SP_DOM_STORE, "%s %s", sp_buf_str(&shown), what);
    sp_buf_free(&shown);
    return rc;
}

/* The folder of a path, malloc'd. */
static char *
folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    size_t n = slash == NULL ? 0 : slash == path ? 1 : (size_t)(slash - path);
    char *dir;

    if (n == 0)
        return strdup(".");
    dir = malloc(n + 1);
    if (dir != NULL) {
        memcpy(dir, path, n);
        dir[n] = '\0';
    }
    return dir;
}

/* Creates a file beside `path` under a name nobody else has: 64 random bits. */
static enum sp_code
create_beside(const struct sp_os *os, const char *path, char **ret_name, struct sp_file **ret,
    struct sp_err *e)
{
    uint8_t id[8];
    struct sp_buf name = SP_BUF_INIT;
    uint8_t *bytes;
    size_t n;
    enum sp_code rc;

    if ((rc = sp_random_fill(&sp_random_system, id, sizeof(id), e)) != SP_OK)
        return rc;
    sp_buf_printf(&name, "%s" TEMPORARY "%s", path, sp_hex8(id).s);
    sp_buf_put_u8(&name, 0);
    if ((rc = sp_buf_take(&name, &bytes, &n, e)) != SP_OK)
        goto out;
    if ((rc = os->create(os->self, (char *)bytes, ret, e)) != SP_OK) {
        free(bytes);
        goto out;
    }
    *ret_name = (char *)bytes;
out:
    sp_buf_free(&name);
    return rc;
}

/* --- what a killed writer left -----------------------------------------------------------------
 */

struct left {
    const char *name; /* the file's own */
    int64_t now_ns;   /* by the folder's own clock */
    struct sp_buf names;
};

static enum sp_code
note_left(void *arg, const char *name, const struct sp_os_stat *st, struct sp_err *e)
{
    struct left *l = arg;
    size_t n = strlen(l->name), m = strlen(TEMPORARY);
    uint8_t id[8];

    if (st->type != SP_OS_FILE || st->mtime_ns > l->now_ns - LEFT_NS ||
        strncmp(name, l->name, n) != 0 || strncmp(name + n, TEMPORARY, m) != 0 ||
        !sp_hex_parse(name + n + m, id, sizeof(id)))
        return SP_OK;
    sp_buf_put(&l->names, name, strlen(name) + 1);
    return sp_buf_ok(&l->names, e);
}

/* Writers that were killed leave a temporary file beside `path`; the next writer removes it once it
 * is old. What resists harms nobody. */
static void
sweep_left(const struct sp_os *os, const char *dir, const char *path)
{
    const char *slash = strrchr(path, '/');
    struct left l = {slash == NULL ? path : slash + 1, 0, SP_BUF_INIT};
    struct sp_os_stat st;
    struct sp_err ignored = {0};

    if (os->stat(os->self, path, &st, &ignored) != SP_OK)
        return;
    l.now_ns = st.mtime_ns;
    if (os->list(os->self, dir, true, note_left, &l, &ignored) == SP_OK)
        for (size_t at = 0; at < l.names.len; at += strlen((char *)l.names.data + at) + 1) {
            char *old = sp_path_join(dir, (char *)l.names.data + at);

            if (old != NULL)
                (void)os->remove(os->self, old, &ignored);
            free(old);
        }
    sp_buf_free(&l.names);
}

enum sp_code
sp_os_write_file(
    const struct sp_os *os, const char *path, const void *p, size_t n, struct sp_err *e)
{
    struct sp_file *f = NULL;
    char *temporary = NULL, *dir = folder_of(path);
    struct sp_err ignored = {0};
    enum sp_code rc;

    if (dir == NULL)
        return sp_fail_nomem(e);
    if ((rc = create_beside(os, path, &temporary, &f, e)) != SP_OK)
        goto out;
    if ((rc = os->write_at(os->self, f, 0, p, n, e)) != SP_OK)
        goto out;
    if ((rc = os->sync(os->self, f, e)) != SP_OK)
        goto out;
    rc = os->close(os->self, f, e);
    f = NULL;
    if (rc != SP_OK)
        goto out;
    if ((rc = os->replace(os->self, temporary, path, e)) != SP_OK)
        goto out;
    free(temporary);
    temporary = NULL;
    rc = os->sync_dir(os->self, dir, e);
    /* Where folders cannot be flushed there is nothing better to do. */
    if (rc == SP_UNSUPPORTED)
        rc = SP_OK;
    if (rc == SP_OK)
        sweep_left(os, dir, path);
out:
    /* The first failure is the one to tell; a file left behind under a temporary name harms nobody.
     */
    if (f != NULL)
        (void)os->close(os->self, f, &ignored);
    if (temporary != NULL)
        (void)os->remove(os->self, temporary, &ignored);
    free(temporary);
    free(dir);
    return rc;
}

enum sp_code
sp_os_read_file(const struct sp_os *os, const char *path, size_t limit, uint8_t **ret,
    size_t *ret_n, struct sp_err *e)
{
    struct sp_file *f = NULL;
    struct sp_os_stat st;
    struct sp_buf b = SP_BUF_INIT;
    struct sp_err closing = {0};
    size_t want, got;
    enum sp_code rc;

    if ((rc = os->open_read(os->self, path, &f, e)) != SP_OK)
        goto out;
    if ((rc = os->file_stat(os->self, f, &st, e)) != SP_OK)
        goto out;
    if (st.size > limit)
        goto too_large;
    /* The size is only advice: the file may grow, and some file systems say 0. One byte more than
     * expected is asked for, so that the end is seen and not guessed. */
    want = (size_t)st.size;
    do {
        want = want < SIZE_MAX ? want + 1 : want;
        if (!sp_buf_reserve(&b, want)) {
            rc = sp_buf_ok(&b, e);
            goto out;
        }
        if ((rc = os->read_at(os->self, f, b.len, b.data + b.len, want, &got, e)) != SP_OK)
            goto out;
        b.len += got;
        if (b.len > limit)
            goto too_large;
        if (got < want)
            break;
        want = limit - b.len < 65536 ? limit - b.len : 65536;
    } while (true);
    rc = sp_buf_take(&b, ret, ret_n, e);
    goto out;
too_large:
    rc = fail_shown(e, SP_REFUSED, path, "is larger than such a file may be");
out:
    /* Nothing was written: a failing close of a file that was read to its end loses nothing. */
    if (f != NULL)
        (void)os->close(os->self, f, &closing);
    sp_buf_free(&b);
    return rc;
}

/* The new name of a folder outlives a power cut; where that cannot be had (or not by us) there is
 * nothing better to do. */
static enum sp_code
flush_name(const struct sp_os *os, const char *path, struct sp_err *e)
{
    char *dir = folder_of(path);
    enum sp_code rc;

    if (dir == NULL)
        return sp_fail_nomem(e);
    rc = os->sync_dir(os->self, dir, e);
    free(dir);
    return rc == SP_UNSUPPORTED || rc == SP_DENIED ? SP_OK : rc;
}

/* Makes one folder; one that is there, or a link to one, is as good. */
static enum sp_code
make_one(const struct sp_os *os, const char *path, struct sp_err *e)
{
    struct sp_os_stat st;
    enum sp_code rc = os->mkdir(os->self, path, e);

    if (rc == SP_OK)
        return flush_name(os, path, e);
    if (rc == SP_EXISTS) {
        if ((rc = os->stat(os->self, path, &st, e)) != SP_OK)
            return rc;
        if (st.type == SP_OS_DIR || st.type == SP_OS_LINK)
            return SP_OK;
        return fail_shown(e, SP_EXISTS, path, "is there and is not a folder");
    }
    return rc;
}

enum sp_code
sp_os_mkdirs(const struct sp_os *os, const char *path, struct sp_err *e)
{
    size_t n = strlen(path), end;
    char *p = strdup(path);
    struct sp_err why = {0};
    enum sp_code rc;

    if (p == NULL)
        return sp_fail_nomem(e);
    while (n > 1 && p[n - 1] == '/')
        p[--n] = '\0';
    /* From the end, so that nothing is tried in folders above one that is there: those may be
     * closed to us. */
    end = n;
    while ((rc = make_one(os, p, &why)) == SP_ABSENT) {
        char *slash = strrchr(p, '/');

        if (slash == NULL || slash == p)
            goto out;
        *slash = '\0';
        end = (size_t)(slash - p);
    }
    while (rc == SP_OK && end < n) {
        p[end] = '/';
        end += strlen(p + end);
        rc = make_one(os, p, &why);
    }
out:
    if (rc != SP_OK)
        *e = why;
    free(p);
    return rc;
}

/* Collects the names of a folder, each with its NUL, folders marked. */
static enum sp_code
collect(void *arg, const char *name, const struct sp_os_stat *st, struct sp_err *e)
{
    struct sp_buf *names = arg;

    sp_buf_put_u8(names, st->type == SP_OS_DIR);
    sp_buf_put(names, name, strlen(name) + 1);
    return sp_buf_ok(names, e);
}

/* Someone else may remove at the same time. */
static enum sp_code
absent_is_ok(enum sp_code rc)
{
    return rc == SP_ABSENT ? SP_OK : rc;
}

/* As deep as the tree; a path's length limits that. */
static enum sp_code
remove_folder(const struct sp_os *os, const char *path, struct sp_err *e)
{
    struct sp_buf names = SP_BUF_INIT;
    enum sp_code rc;

    /* All names first: a folder that changes while it is listed may skip some. */
    rc = os->list(os->self, path, false, collect, &names, e);
    for (size_t at = 0; rc == SP_OK && at < names.len;) {
        bool folder = names.data[at] != 0;
        const char *name = (const char *)names.data + at + 1;
        char *child = sp_path_join(path, name);

        if (child == NULL) {
            rc = sp_fail_nomem(e);
            break;
        }
        rc = absent_is_ok(folder ? remove_folder(os, child, e) : os->remove(os->self, child, e));
        free(child);
        at += 1 + strlen(name) + 1;
    }
    if (rc == SP_OK)
        rc = os->rmdir(os->self, path, e);
    sp_buf_free(&names);
    return absent_is_ok(rc);
}

enum sp_code
sp_os_remove_tree(const struct sp_os *os, const char *path, struct sp_err *e)
{
    struct sp_os_stat st;
    struct sp_err why = {0};
    enum sp_code rc = os->stat(os->self, path, &st, &why);

    if (rc == SP_OK)
        rc =
            st.type == SP_OS_DIR ? remove_folder(os, path, &why) : os->remove(os->self, path, &why);
    rc = absent_is_ok(rc);
    if (rc != SP_OK)
        *e = why;
    return rc;
}
