/* Listing a folder's objects. Names of a folder are gathered before any is told, so that `each` may
 * call the backend, and no folder is open while another is.
 *
 * What is listed is relied on, and who named it may have been killed before its barrier: the next
 * sync flushes every folder that has changed of late, too. */

#include "storage/backend_dir.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

#define MAX_NAME 330 /* 4 components of 80, and more than that to see what is too long */

#define FOLDER UINT64_MAX /* in the place of a size */

struct listing {
    struct sp_dir *d;
    sp_backend_list_fn each;
    void *arg;
};

/* Appends u64 size (FOLDER: a folder) and the name with its NUL. Links, pipes and the like are
 * never objects, nor is what a name of our grammar cannot say (".DS_Store"). */
static enum sp_code
gather(void *arg, const char *name, const struct sp_os_stat *st, struct sp_err *e)
{
    struct sp_buf *found = arg;

    if (st->type != SP_OS_FILE && st->type != SP_OS_DIR)
        return SP_OK;
    sp_buf_put_u64(found, st->type == SP_OS_DIR ? FOLDER : st->size);
    sp_buf_put(found, name, strlen(name) + 1);
    return sp_buf_ok(found, e);
}

static enum sp_code
gather_folder(struct sp_dir *d, const char *folder, struct sp_buf *found, struct sp_err *e)
{
    struct sp_err why = {0};
    char *path;
    enum sp_code rc;

    if ((rc = sp_dir_path(d, folder, &path, e)) != SP_OK)
        return rc;
    rc = d->env.os->list(d->env.os->self, path, true, gather, found, &why);
    free(path);
    /* Folders may come and go while we look; whether all of it went is asked at the end. An object
     * in the place of a folder has nothing below it. */
    if (rc == SP_ABSENT || (rc == SP_IO && sp_os_reason(why.os) == SP_OS_NOT_FOLDER))
        return SP_OK;
    if (rc != SP_OK)
        *e = why;
    return rc;
}

static enum sp_code
list_folder(const struct listing *l, const char *folder, struct sp_err *e)
{
    struct sp_buf found = SP_BUF_INIT;
    enum sp_code rc = gather_folder(l->d, folder, &found, e);

    if (rc == SP_OK && found.len > 0)
        rc = sp_dir_seen(l->d, folder, found.len, e);
    for (size_t at = 0; rc == SP_OK && at < found.len;) {
        uint64_t size = sp_le64(found.data + at);
        const char *last = (const char *)found.data + at + 8;
        char name[MAX_NAME];
        int n = snprintf(name, sizeof(name), "%s%s%s", folder, folder[0] == '\0' ? "" : "/", last);

        at += 8 + strlen(last) + 1;
        /* That also ends the descent: a name has at most four components. */
        if (n < 0 || (size_t)n >= sizeof(name) || !sp_object_name_valid(name))
            continue;
        rc = size == FOLDER ? list_folder(l, name, e) : l->each(l->arg, name, size, e);
    }
    sp_buf_free(&found);
    return rc;
}

enum sp_code
sp_dir_list(
    struct sp_backend *b, const char *prefix, sp_backend_list_fn each, void *arg, struct sp_err *e)
{
    struct sp_dir *d = (struct sp_dir *)b;
    struct listing l = {d, each, arg};
    enum sp_code rc = list_folder(&l, prefix, e);

    /* A share that was unmounted, before or meanwhile, must not look like one with few objects. */
    return rc != SP_OK ? rc : sp_dir_present(d, e);
}
