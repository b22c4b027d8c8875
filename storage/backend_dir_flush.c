/* Which folders got names, and the barrier that makes those names durable.
 *
 * A flush that failed proves nothing when it is asked again (R3; Linux reports a lost page once):
 * after one, no sync of this backend succeeds any more. Whoever needs one opens the repository anew
 * and writes again what was not covered. Only a share that had gone was never asked: what it is to
 * flush is asked of it when it is back. */

#include "storage/backend_dir.h"

#include <stdlib.h>
#include <string.h>

#include "base/path.h"

bool
sp_dir_tolerated(const struct sp_dir_fault *f, enum sp_code rc, const struct sp_err *e)
{
    return f->seen && rc == f->code && e->os == f->os;
}

/* The place of the folder's record, or where it would be inserted; paths are compared by bytes. */
static size_t
position(const struct sp_dir *d, const char *path, size_t n, bool *ret_there)
{
    size_t lo = 0, hi = d->nfolders;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        const char *other = d->folders[mid]->path;
        int order = strncmp(other, path, n);

        if (order == 0 && other[n] == '\0') {
            *ret_there = true;
            return mid;
        }
        if (order < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    *ret_there = false;
    return lo;
}

static enum sp_code
add_folder(struct sp_dir *d, const char *path, size_t n, struct sp_dir_folder *up,
    struct sp_dir_folder **ret, struct sp_err *e)
{
    struct sp_dir_folder *f;
    bool there;
    size_t at = position(d, path, n, &there);

    if (there) {
        *ret = d->folders[at];
        return SP_OK;
    }
    if (d->nfolders == d->cap) {
        size_t cap = d->cap == 0 ? 64 : d->cap * 2;
        struct sp_dir_folder **more = realloc(d->folders, cap * sizeof(struct sp_dir_folder *));

        if (more == NULL)
            return sp_fail_nomem(e);
        d->folders = more;
        d->cap = cap;
    }
    if ((f = calloc(1, sizeof(*f))) == NULL || (f->path = malloc(n + 1)) == NULL) {
        free(f);
        return sp_fail_nomem(e);
    }
    memcpy(f->path, path, n);
    f->path[n] = '\0';
    f->up = up;
    f->anchored = up == NULL;
    memmove(
        d->folders + at + 1, d->folders + at, (d->nfolders - at) * sizeof(struct sp_dir_folder *));
    d->folders[at] = f;
    d->nfolders++;
    *ret = f;
    return SP_OK;
}

enum sp_code
sp_dir_folder_of(struct sp_dir *d, const char *name, struct sp_dir_folder **ret, struct sp_err *e)
{
    struct sp_dir_folder *f = NULL;
    const char *slash = name;
    enum sp_code rc;

    sp_mutex_lock(&d->lock);
    rc = add_folder(d, "", 0, NULL, &f, e);
    while (rc == SP_OK && (slash = strchr(slash, '/')) != NULL) {
        rc = add_folder(d, name, (size_t)(slash - name), f, &f, e);
        slash++;
    }
    sp_mutex_unlock(&d->lock);
    if (rc == SP_OK)
        *ret = f;
    return rc;
}

void
sp_dir_named(struct sp_dir *d, struct sp_dir_folder *f)
{
    sp_mutex_lock(&d->lock);
    f->named = true;
    /* Also when the folder was there before: whoever made it may have died before it flushed. */
    for (; !f->anchored; f = f->up) {
        f->anchored = true;
        f->up->named = true;
    }
    sp_mutex_unlock(&d->lock);
}

enum sp_code
sp_dir_seen(struct sp_dir *d, const char *folder, size_t listed, struct sp_err *e)
{
    struct sp_dir_folder *f;
    struct sp_os_stat st;
    char *path, *inside = NULL;
    bool news;
    enum sp_code rc;

    if (!d->head.caps.writable || !d->head.caps.flush_folder)
        return SP_OK;
    if ((rc = sp_dir_path(d, folder, &path, e)) != SP_OK)
        return rc;
    rc = d->env.os->stat(d->env.os->self, path, &st, e);
    free(path);
    if (rc == SP_ABSENT) /* it went meanwhile: nothing is left to be flushed */
        return SP_OK;
    if (rc != SP_OK || st.mtime_ns < d->old_ns)
        return rc;
    if (folder[0] != '\0' && (inside = sp_path_join(folder, "x")) == NULL)
        return sp_fail_nomem(e);
    rc = sp_dir_folder_of(d, inside == NULL ? "x" : inside, &f, e);
    free(inside);
    if (rc != SP_OK)
        return rc;
    sp_mutex_lock(&d->lock);
    /* Clocks of file systems are coarse: two names may be of one time. */
    news = f->changed_ns != st.mtime_ns || f->listed != listed;
    f->changed_ns = st.mtime_ns;
    f->listed = listed;
    sp_mutex_unlock(&d->lock);
    if (news)
        sp_dir_named(d, f);
    return SP_OK;
}

/* Takes the folders to flush; from here on new names count for the next sync. */
static enum sp_code
take_named(struct sp_dir *d, struct sp_dir_folder ***ret, size_t *ret_n, struct sp_err *e)
{
    struct sp_dir_folder **taken;
    size_t n = 0;

    sp_mutex_lock(&d->lock);
    taken = malloc((d->nfolders + 1) * sizeof(struct sp_dir_folder *));
    for (size_t i = 0; taken != NULL && i < d->nfolders; i++) {
        if (d->folders[i]->named)
            taken[n++] = d->folders[i];
        d->folders[i]->named = false;
    }
    sp_mutex_unlock(&d->lock);
    if (taken == NULL)
        return sp_fail_nomem(e);
    *ret = taken;
    *ret_n = n;
    return SP_OK;
}

/* *ret_asked: the folder was there to be flushed. */
static enum sp_code
flush_folder(struct sp_dir *d, const struct sp_dir_folder *f, bool *ret_asked, struct sp_err *e)
{
    struct sp_err why = {0};
    char *path;
    enum sp_code rc;

    if ((rc = sp_dir_path(d, f->path, &path, e)) != SP_OK)
        return rc;
    rc = d->env.os->sync_dir(d->env.os->self, path, &why);
    free(path);
    if (rc == SP_OK || sp_dir_tolerated(&d->folder_flush, rc, &why))
        return SP_OK;
    *e = why;
    /* A folder that objects were put into is gone: that is no answer about an object. */
    if (rc != SP_ABSENT)
        return rc;
    rc = sp_dir_present(d, e);
    *ret_asked = rc != SP_UNREACHABLE;
    if (rc == SP_OK)
        rc = sp_fail(e, SP_IO, SP_DOM_STORE, "folder %s of %s has gone", f->path, d->root);
    return rc;
}

static void
give_back(struct sp_dir *d, struct sp_dir_folder **folders, size_t n)
{
    sp_mutex_lock(&d->lock);
    for (size_t i = 0; i < n; i++)
        folders[i]->named = true;
    sp_mutex_unlock(&d->lock);
}

enum sp_code
sp_dir_sync(struct sp_backend *b, struct sp_err *e)
{
    struct sp_dir *d = (struct sp_dir *)b;
    struct sp_dir_folder **named = NULL;
    size_t n = 0, i;
    bool asked = true;
    enum sp_code rc;

    /* Held to the end: a second caller's objects may be among those that the first is flushing. */
    sp_mutex_lock(&d->sync_lock);
    if (d->flush_lost) {
        rc = sp_fail(e, SP_IO, SP_DOM_STORE,
            "%s could not be flushed before; what was written since then is not proven to be "
            "stored. Only when it is opened anew is it asked again: run it again, or restart the "
            "server",
            d->root);
        goto out;
    }
    if ((rc = take_named(d, &named, &n, e)) != SP_OK)
        goto out;
    for (i = 0; i < n; i++)
        if ((rc = flush_folder(d, named[i], &asked, e)) != SP_OK)
            break;
    if (rc != SP_OK && !asked)
        give_back(d, named + i, n - i);
    d->flush_lost = rc != SP_OK && asked;
out:
    sp_mutex_unlock(&d->sync_lock);
    free(named);
    return rc;
}

void
sp_dir_folders_free(struct sp_dir *d)
{
    for (size_t i = 0; i < d->nfolders; i++) {
        free(d->folders[i]->path);
        free(d->folders[i]);
    }
    free(d->folders);
}
