/* Writing into a folder: a name of the run in tmp/, flush, close, and only then the object's own
 * name (R3). */

#include "storage/backend_dir.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define TWINS 64u /* names that a twin may have left */
#define NAME_TRIES 10u
#define NAME_PAUSE_MS 5u

struct sp_backend_writer {
    struct sp_dir *d;
    struct sp_file *f; /* NULL once closed */
    char *path;        /* NULL once it has its name */
    uint64_t size;
    bool failed; /* what is in the file is not what was written */
};

static void
writer_free(struct sp_backend_writer *w)
{
    const struct sp_os *os = w->d->env.os;
    struct sp_err ignored;

    /* The first failure is the one to tell, and what stays behind in tmp/ is swept when its run is
     * dead. */
    if (w->f != NULL)
        (void)os->close(os->self, w->f, &ignored);
    if (w->path != NULL)
        (void)os->remove(os->self, w->path, &ignored);
    free(w->path);
    free(w);
}

/* A process that was copied while it ran (a cloned machine, a fork) has its twin's run and numbers:
 * what the twin left is passed over. */
static enum sp_code
create_next(
    struct sp_dir *d, const char *kind, char **ret_path, struct sp_file **ret, struct sp_err *e)
{
    const struct sp_os *os = d->env.os;
    enum sp_code rc = SP_EXISTS;

    for (unsigned i = 0; i < TWINS && rc == SP_EXISTS; i++) {
        free(*ret_path);
        *ret_path = NULL;
        if ((rc = sp_dir_temporary(d, kind, ret_path, e)) == SP_OK)
            rc = os->create(os->self, *ret_path, ret, e);
    }
    return rc;
}

enum sp_code
sp_dir_create(
    struct sp_dir *d, const char *kind, char **ret_path, struct sp_file **ret, struct sp_err *e)
{
    const struct sp_os *os = d->env.os;
    char *path = NULL, *tmp = NULL;
    enum sp_code rc;

    rc = create_next(d, kind, &path, ret, e);
    if (rc == SP_ABSENT && path != NULL) {
        /* Someone tidied tmp/ away — or the whole share is gone, and then nothing is made here. */
        if ((rc = sp_dir_present(d, e)) != SP_OK ||
            (rc = sp_dir_path(d, SP_FOLDER_TMP, &tmp, e)) != SP_OK)
            goto out;
        if ((rc = os->mkdir(os->self, tmp, e)) != SP_OK && rc != SP_EXISTS)
            goto out;
        rc = os->create(os->self, path, ret, e);
        /* "Absent" is said of objects only. */
        if (rc == SP_ABSENT)
            rc = e->code = SP_IO;
    }
    if (rc != SP_OK)
        goto out;
    *ret_path = path;
    path = NULL;
out:
    free(path);
    free(tmp);
    return rc;
}

enum sp_code
sp_dir_begin(struct sp_backend *b, struct sp_backend_writer **ret, struct sp_err *e)
{
    struct sp_dir *d = (struct sp_dir *)b;
    struct sp_backend_writer *w;
    enum sp_code rc;

    if ((rc = sp_dir_check_writable(d, e)) != SP_OK)
        return rc;
    if ((w = calloc(1, sizeof(*w))) == NULL)
        return sp_fail_nomem(e);
    w->d = d;
    if ((rc = sp_dir_create(d, "", &w->path, &w->f, e)) != SP_OK) {
        free(w);
        return rc;
    }
    *ret = w;
    return SP_OK;
}

enum sp_code
sp_dir_write(struct sp_backend_writer *w, const void *p, size_t n, struct sp_err *e)
{
    const struct sp_os *os = w->d->env.os;
    enum sp_code rc;

    if (w->failed)
        return sp_fail(e, SP_IO, SP_DOM_STORE, "writing to %s failed before", w->d->root);
    rc = os->write_at(os->self, w->f, w->size, p, n, e);
    if (rc == SP_OK)
        w->size += n;
    else
        w->failed = true;
    return rc;
}

void
sp_dir_abort(struct sp_backend_writer *w)
{
    writer_free(w);
}

/* Flushes and closes. Whatever fails here, the bytes are written again under a new name by whoever
 * wants them: a second flush that succeeds would prove nothing. */
static enum sp_code
seal_file(struct sp_backend_writer *w, struct sp_err *e)
{
    const struct sp_os *os = w->d->env.os;
    struct sp_err why = {0};
    struct sp_file *f = w->f;
    enum sp_code rc;

    if (w->failed)
        return sp_fail(e, SP_IO, SP_DOM_STORE, "writing to %s failed before", w->d->root);
    rc = os->sync(os->self, f, &why);
    if (rc != SP_OK && !sp_dir_tolerated(&w->d->file_flush, rc, &why)) {
        *e = why;
        return rc;
    }
    w->f = NULL;
    return os->close(os->self, f, e);
}

/* Makes the folders above `path` that are missing, below the root. */
static enum sp_code
make_folders(struct sp_dir *d, const char *path, struct sp_err *e)
{
    const struct sp_os *os = d->env.os;
    char *folder = strdup(path), *slash;
    enum sp_code rc = SP_OK;

    if (folder == NULL)
        return sp_fail_nomem(e);
    slash = folder + strlen(d->root);
    while (rc == SP_OK && (slash = strchr(slash + 1, '/')) != NULL) {
        *slash = '\0';
        rc = os->mkdir(os->self, folder, e);
        if (rc == SP_EXISTS)
            rc = SP_OK;
        *slash = '/';
    }
    free(folder);
    return rc;
}

/* A scanner that looks at a new file keeps it from being renamed, for a moment (§10 of the design).
 */
static bool
held(enum sp_code rc, const struct sp_err *e)
{
    enum sp_os_reason reason = sp_os_reason(e->os);

    return (rc == SP_BUSY || rc == SP_DENIED) && reason != SP_OS_NOT_PERMITTED &&
           reason != SP_OS_READ_ONLY;
}

enum sp_code
sp_dir_rename(const struct sp_dir *d, const char *from, const char *to, struct sp_err *e)
{
    const struct sp_os *os = d->env.os;
    enum sp_code rc;

    for (unsigned i = 0;; i++) {
        rc = os->publish(os->self, from, to, e);
        if (i + 1 == NAME_TRIES || !held(rc, e))
            return rc;
        sp_sleep_ms(NAME_PAUSE_MS << i); /* 2.5 s in all */
    }
}

static enum sp_code
give_name(struct sp_dir *d, const char *from, const char *path, struct sp_err *e)
{
    const struct sp_os *os = d->env.os;
    struct sp_os_stat st;
    enum sp_code rc;

    if (d->look_first) {
        rc = os->stat(os->self, path, &st, e);
        if (rc == SP_OK)
            return sp_fail(e, SP_EXISTS, SP_DOM_STORE, "%s is there already", path);
        if (rc != SP_ABSENT)
            return rc;
    }
    return sp_dir_rename(d, from, path, e);
}

enum sp_code
sp_dir_name(struct sp_dir *d, const char *from, const char *to, struct sp_err *e)
{
    const struct sp_os *os = d->env.os;
    struct sp_dir_folder *folder;
    struct sp_os_stat st;
    char *path = NULL;
    enum sp_code rc;

    /* Before the name is given, so that nothing can fail after it. */
    if ((rc = sp_dir_folder_of(d, to, &folder, e)) != SP_OK)
        return rc;
    if ((rc = sp_dir_path(d, to, &path, e)) != SP_OK)
        return rc;
    rc = give_name(d, from, path, e);
    if (rc == SP_ABSENT) {
        /* Either end may be what is missing; an unmounted share lacks both, and no folder is to be
         * made in its mount point. */
        if ((rc = sp_dir_present(d, e)) != SP_OK)
            goto out;
        if ((rc = os->stat(os->self, from, &st, e)) != SP_OK)
            goto out;
        if ((rc = make_folders(d, path, e)) != SP_OK)
            goto out;
        rc = give_name(d, from, path, e);
    }
    /* Also when it was there: who named it may have been killed before the barrier, and it is
     * relied on now. */
    if (rc == SP_OK || rc == SP_EXISTS)
        sp_dir_named(d, folder);
out:
    free(path);
    return rc;
}

enum sp_code
sp_dir_publish(struct sp_backend_writer *w, const char *name, struct sp_err *e)
{
    enum sp_code rc;

    if ((rc = seal_file(w, e)) != SP_OK)
        goto out;
    rc = sp_dir_name(w->d, w->path, name, e);
    if (rc == SP_ABSENT)
        rc = sp_fail(e, SP_IO, SP_DOM_STORE,
            "the unfinished file %s has gone; when this run was suspended for hours, another one "
            "has "
            "tidied up behind it: run it again",
            w->path);
    if (rc == SP_OK) {
        free(w->path);
        w->path = NULL;
    }
out:
    if (rc != SP_OK)
        sp_err_context(e, "object %s", name);
    writer_free(w);
    return rc;
}
