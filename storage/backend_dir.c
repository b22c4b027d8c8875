/* Repository files in a folder: opening, reading, removing, moving; see backend.h and
 * backend_dir.h. */

#include "storage/backend_dir.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "base/random.h"

enum sp_code
sp_dir_path(const struct sp_dir *d, const char *name, char **ret, struct sp_err *e)
{
    char *path = name[0] == '\0' ? strdup(d->root) : sp_path_join(d->root, name);

    if (path == NULL)
        return sp_fail_nomem(e);
    *ret = path;
    return SP_OK;
}

static enum sp_code
stat_name(struct sp_dir *d, const char *name, struct sp_os_stat *ret, struct sp_err *e)
{
    char *path;
    enum sp_code rc = sp_dir_path(d, name, &path, e);

    if (rc != SP_OK)
        return rc;
    rc = d->env.os->stat(d->env.os->self, path, ret, e);
    free(path);
    return rc;
}

enum sp_code
sp_dir_present(struct sp_dir *d, struct sp_err *e)
{
    struct sp_os_stat st;
    enum sp_code rc = stat_name(d, SP_FOLDER_TMP, &st, e);

    /* A repository on a read-only medium may have come without its tmp/. */
    if (rc == SP_ABSENT)
        rc = stat_name(d, SP_FOLDER_CONF, &st, e);
    if (rc == SP_ABSENT)
        return sp_fail(e, SP_UNREACHABLE, SP_DOM_STORE,
            "there is no repository in %s any more; is it still mounted?", d->root);
    return rc;
}

enum sp_code
sp_dir_absent(struct sp_dir *d, const char *name, struct sp_err *e)
{
    enum sp_code rc = sp_dir_present(d, e);

    if (rc != SP_OK)
        return rc;
    return sp_fail(e, SP_ABSENT, SP_DOM_STORE, "there is no object %s in %s", name, d->root);
}

enum sp_code
sp_dir_check_writable(const struct sp_dir *d, struct sp_err *e)
{
    if (d->head.caps.writable)
        return SP_OK;
    return sp_fail(e, SP_DENIED, SP_DOM_STORE, "%s cannot be written to by this user", d->root);
}

/* The name of an object, with a folder or a file in the place of one. */
static enum sp_code
settle(struct sp_dir *d, const char *name, enum sp_code rc, struct sp_err *e)
{
    struct sp_os_stat st;
    struct sp_err ignored;

    if (rc == SP_ABSENT)
        return sp_dir_absent(d, name, e);
    /* Names are flat: "a/b" is absent where "a" is an object. */
    if (rc == SP_IO && sp_os_reason(e->os) == SP_OS_NOT_FOLDER)
        return sp_dir_absent(d, name, e);
    /* A folder is no object. (Opening one is refused, denied or a plain failure, by the platform.)
     */
    if (rc != SP_OK && stat_name(d, name, &st, &ignored) == SP_OK && st.type == SP_OS_DIR)
        return sp_dir_absent(d, name, e);
    return rc;
}

static enum sp_code
read_range(
    struct sp_dir *d, const char *path, uint64_t offset, void *to, size_t n, struct sp_err *e)
{
    const struct sp_os *os = d->env.os;
    struct sp_file *f;
    struct sp_err closing = {0};
    struct sp_os_stat st = {.size = 0};
    bool within = n <= INT64_MAX && offset <= (uint64_t)INT64_MAX - n; /* no file is longer */
    size_t got = 0;
    enum sp_code rc;

    if ((rc = os->open_read(os->self, path, &f, e)) != SP_OK)
        return rc;
    if (within && n > 0) {
        rc = os->read_at(os->self, f, offset, to, n, &got, e);
        within = got == n;
    } else if (within) {
        rc = os->file_stat(os->self, f, &st, e);
        within = offset <= st.size;
    }
    if (rc == SP_OK && !within)
        rc = sp_fail(e, SP_CORRUPT, SP_DOM_STORE, "%s is shorter than expected", path);
    /* Network file systems may tell of a failed read as late as here. */
    if (os->close(os->self, f, &closing) != SP_OK && rc == SP_OK) {
        *e = closing;
        rc = closing.code;
    }
    return rc;
}

static enum sp_code
dir_get(
    struct sp_backend *b, const char *name, uint64_t offset, void *to, size_t n, struct sp_err *e)
{
    struct sp_dir *d = (struct sp_dir *)b;
    char *path;
    enum sp_code rc = sp_dir_path(d, name, &path, e);

    if (rc != SP_OK)
        return rc;
    rc = settle(d, name, read_range(d, path, offset, to, n, e), e);
    free(path);
    return rc;
}

enum sp_code
sp_dir_stat(struct sp_dir *d, const char *name, struct sp_os_stat *ret, struct sp_err *e)
{
    struct sp_os_stat st;
    enum sp_code rc = settle(d, name, stat_name(d, name, &st, e), e);

    if (rc != SP_OK)
        return rc;
    if (st.type == SP_OS_DIR)
        return sp_dir_absent(d, name, e);
    if (st.type != SP_OS_FILE)
        return sp_fail(e, SP_REFUSED, SP_DOM_STORE, "%s in %s is not a file", name, d->root);
    *ret = st;
    return SP_OK;
}

static enum sp_code
dir_size(struct sp_backend *b, const char *name, uint64_t *ret, struct sp_err *e)
{
    struct sp_os_stat st;
    enum sp_code rc = sp_dir_stat((struct sp_dir *)b, name, &st, e);

    if (rc == SP_OK)
        *ret = st.size;
    return rc;
}

static enum sp_code
dir_remove(struct sp_backend *b, const char *name, struct sp_err *e)
{
    struct sp_dir *d = (struct sp_dir *)b;
    char *path;
    enum sp_code rc;

    if ((rc = sp_dir_check_writable(d, e)) != SP_OK)
        return rc;
    if ((rc = sp_dir_path(d, name, &path, e)) != SP_OK)
        return rc;
    rc = settle(d, name, d->env.os->remove(d->env.os->self, path, e), e);
    free(path);
    return rc;
}

static enum sp_code
dir_move(struct sp_backend *b, const char *from, const char *to, struct sp_err *e)
{
    struct sp_dir *d = (struct sp_dir *)b;
    struct sp_dir_folder *left;
    uint64_t size;
    char *path = NULL;
    enum sp_code rc;

    if ((rc = sp_dir_check_writable(d, e)) != SP_OK)
        return rc;
    /* Also so that no folder is moved under the name of an object. */
    if ((rc = dir_size(b, from, &size, e)) != SP_OK)
        return rc;
    if ((rc = sp_dir_folder_of(d, from, &left, e)) != SP_OK)
        return rc;
    if ((rc = sp_dir_path(d, from, &path, e)) != SP_OK)
        return rc;
    rc = sp_dir_name(d, path, to, e);
    if (rc == SP_ABSENT)
        rc = sp_dir_absent(d, from, e);
    if (rc == SP_OK)
        sp_dir_named(d, left);
    free(path);
    return rc;
}

static enum sp_code
dir_space(struct sp_backend *b, struct sp_os_space *ret, struct sp_err *e)
{
    struct sp_dir *d = (struct sp_dir *)b;
    enum sp_code rc = sp_dir_present(d, e);

    return rc != SP_OK ? rc : d->env.os->space(d->env.os->self, d->root, ret, e);
}

static void
dir_free(struct sp_backend *b)
{
    struct sp_dir *d = (struct sp_dir *)b;

    sp_dir_folders_free(d);
    sp_mutex_destroy(&d->lock);
    sp_mutex_destroy(&d->sync_lock);
    free(d->root);
    free(d);
}

static const struct sp_backend_ops dir_ops = {.kind = "dir",
    .begin = sp_dir_begin,
    .write = sp_dir_write,
    .publish = sp_dir_publish,
    .abort = sp_dir_abort,
    .sync = sp_dir_sync,
    .get = dir_get,
    .size = dir_size,
    .list = sp_dir_list,
    .remove = dir_remove,
    .move = dir_move,
    .space = dir_space,
    .written = sp_dir_written,
    .now = sp_dir_now,
    .sweep = sp_dir_sweep,
    .free = dir_free};

/* --- opening --------------------------------------------------------------------------------- */

static enum sp_code
note_found(void *arg, const char *name, const struct sp_os_stat *st, struct sp_err *e)
{
    (void)st;
    (void)e;
    sp_found_note(arg, name);
    return SP_OK;
}

static enum sp_code
check_empty(struct sp_dir *d, struct sp_err *e)
{
    struct sp_found f = {.begun = false};
    enum sp_code rc = d->env.os->list(d->env.os->self, d->root, false, note_found, &f, e);

    return rc == SP_OK ? sp_found_judge(&f, d->root, e) : rc;
}

/* The root's own name: its owner may have made it by hand a moment ago. (Folders above it that were
 * missing are flushed by sp_os_mkdirs.) */
static enum sp_code
flush_above(struct sp_dir *d, struct sp_err *e)
{
    char *path = strdup(d->root), *slash;
    enum sp_code rc;

    if (path == NULL)
        return sp_fail_nomem(e);
    slash = strrchr(path, '/');
    slash[slash == path] = '\0';
    rc = d->env.os->sync_dir(d->env.os->self, path, e);
    free(path);
    /* That folder is not the repository's: what cannot be flushed there (or only by its owner) was
     * not flushed by anyone before, and the probe has yet to look at the root's own. */
    return rc == SP_UNSUPPORTED || rc == SP_DENIED ? SP_OK : rc;
}

static enum sp_code
make_root(struct sp_dir *d, struct sp_err *e)
{
    const struct sp_os *os = d->env.os;
    char *tmp;
    enum sp_code rc;

    if ((rc = sp_os_mkdirs(os, d->root, e)) != SP_OK)
        return rc;
    if ((rc = check_empty(d, e)) != SP_OK)
        return rc;
    if ((rc = sp_dir_path(d, SP_FOLDER_TMP, &tmp, e)) != SP_OK)
        return rc;
    rc = os->mkdir(os->self, tmp, e);
    free(tmp);
    if (rc != SP_OK && rc != SP_EXISTS)
        return rc;
    return flush_above(d, e);
}

static enum sp_code
find_root(struct sp_dir *d, struct sp_err *e)
{
    struct sp_os_stat st;
    enum sp_code rc = stat_name(d, SP_FOLDER_CONF, &st, e);

    /* R20: never taken for an empty repository. */
    if (rc == SP_ABSENT || (rc == SP_OK && st.type != SP_OS_FILE))
        return sp_fail(e, SP_ABSENT, SP_DOM_STORE,
            "there is no repository in %s (no file %s); if this folder is a mount point, what "
            "belongs "
            "there may not be mounted",
            d->root, SP_FOLDER_CONF);
    return rc;
}

enum sp_code
sp_backend_dir_open(const struct sp_env *env, const char *path, bool create,
    struct sp_backend **ret, struct sp_err *e)
{
    struct sp_dir *d = calloc(1, sizeof(*d));
    enum sp_code rc;

    if (d == NULL)
        return sp_fail_nomem(e);
    d->head.ops = &dir_ops;
    d->env = *env;
    atomic_init(&d->temporaries, 0);
    sp_mutex_init(&d->lock);
    sp_mutex_init(&d->sync_lock);
    if ((rc = sp_random_fill(env->random, d->head.run, sizeof(d->head.run), e)) != SP_OK)
        goto out;
    if ((rc = sp_os_absolute(path, &d->root, e)) != SP_OK)
        goto out;
    if ((rc = create ? make_root(d, e) : find_root(d, e)) != SP_OK)
        goto out;
    if ((rc = sp_dir_probe(d, e)) != SP_OK)
        goto out;
    if (create && (rc = sp_dir_check_writable(d, e)) != SP_OK)
        goto out;
    *ret = &d->head;
    d = NULL;
out:
    if (d != NULL)
        dir_free(&d->head);
    return rc;
}
