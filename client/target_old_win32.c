#include "client/target_impl_win32.h"

#include <stdlib.h>
#include <string.h>

/* Existing files, read to be compared. */

#define EDGE ((uint64_t)64 << 10) /* holes begin and end at sixteen clusters */

struct sp_target_old {
    struct sp_target_dir *dir; /* counted */
    struct sp_ntfs_handle *h;  /* NULL: opened for each call, see below */
    uint64_t file_id;
    bool sparse;
    char name[];
};

/* Where a file whose name is taken by a rename may not be open meanwhile, it is only open while it
 * is read. */
static enum sp_code
old_use(struct sp_target_old *o, struct sp_ntfs_handle **ret, struct sp_err *e)
{
    struct sp_ntfs_handle *dir = NULL;
    struct sp_ntfs_info info;
    enum sp_code rc;

    *ret = o->h;
    if (o->h != NULL)
        return SP_OK;
    if ((rc = target_dir_use(o->dir, &dir, e)) != SP_OK)
        return rc;
    rc = target_open_named(o->dir, dir, o->name, NTFS_FILE, NTFS_READ, ret, &info, e);
    target_dir_unuse(o->dir);
    if (rc == SP_OK && info.file_id != o->file_id) {
        target_close(o->dir->t, *ret);
        rc = sp_fail(e, SP_CHANGED, SP_DOM_DESTINATION, "another file took its place meanwhile");
    }
    return rc;
}

static void
old_unuse(struct sp_target_old *o, struct sp_ntfs_handle *h)
{
    if (h != o->h)
        target_close(o->dir->t, h);
}

static enum sp_code
open_plain(struct sp_target_dir *d, struct sp_ntfs_handle *dir, const char *name,
    struct sp_ntfs_handle **ret, struct sp_ntfs_info *info, struct sp_err *e)
{
    struct sp_ntfs_handle *h = NULL;
    enum sp_code rc;

    rc = target_open_named(d, dir, name, NTFS_FILE, NTFS_LOOK, &h, info, e);
    target_close(d->t, h);
    if (rc == SP_CHANGED)
        return sp_fail(e, SP_REFUSED, SP_DOM_DESTINATION, "it is no regular file");
    if (rc != SP_OK)
        return rc;
    /* Reading what is elsewhere would fetch it. */
    if (info->reparse_tag != 0 || (info->attributes & NTFS_MUST_NOT_READ) != 0)
        return sp_fail(e, SP_REFUSED, SP_DOM_DESTINATION,
            "it is no regular file, or its content is elsewhere");
    return target_open_named(d, dir, name, NTFS_FILE, NTFS_READ, ret, info, e);
}

enum sp_code
sp_target_old_open(
    struct sp_target_dir *d, const char *name, struct sp_target_old **ret, struct sp_err *e)
{
    struct sp_ntfs_handle *dir = NULL, *h = NULL;
    struct sp_ntfs_info info;
    struct sp_target_old *o;
    size_t n = strlen(name);
    enum sp_code rc;

    if ((rc = target_dir_use(d, &dir, e)) != SP_OK)
        return rc;
    rc = open_plain(d, dir, name, &h, &info, e);
    target_dir_unuse(d);
    if (rc != SP_OK)
        return rc;
    if ((o = calloc(1, sizeof *o + n + 1)) == NULL) {
        target_close(d->t, h);
        return sp_fail_nomem(e);
    }
    memcpy(o->name, name, n + 1);
    o->dir = sp_target_dir_hold(d);
    o->file_id = info.file_id;
    o->sparse = (info.attributes & NTFS_SPARSE) != 0;
    o->h = h;
    if ((d->flags & NTFS_FS_POSIX_UNLINK) == 0) {
        target_close(d->t, h);
        o->h = NULL;
    }
    *ret = o;
    return SP_OK;
}

void
sp_target_old_close(struct sp_target_old *o)
{
    if (o == NULL)
        return;
    target_close(o->dir->t, o->h);
    sp_target_dir_release(o->dir);
    free(o);
}

enum sp_code
sp_target_old_read(
    struct sp_target_old *o, uint64_t offset, void *to, size_t n, size_t *ret_n, struct sp_err *e)
{
    const struct sp_ntfs *fs = o->dir->t->fs;
    struct sp_ntfs_handle *h = NULL;
    enum sp_code rc;

    if ((rc = old_use(o, &h, e)) != SP_OK)
        return rc;
    if ((rc = fs->read(fs->self, h, offset, to, n, ret_n, e)) != SP_OK)
        (void)target_fail(e, "the existing file cannot be read");
    old_unuse(o, h);
    return rc;
}

/* --- holes
 * ---------------------------------------------------------------------------------------------- */

static bool
is_zero(struct sp_target_old *o, struct sp_ntfs_handle *h, uint64_t from, uint64_t to)
{
    const struct sp_ntfs *fs = o->dir->t->fs;
    uint8_t bytes[4096];
    struct sp_err ignored = {0};

    while (from < to) {
        size_t n = to - from < sizeof bytes ? (size_t)(to - from) : sizeof bytes, got = 0;

        if (fs->read(fs->self, h, from, bytes, n, &got, &ignored) != SP_OK || got != n)
            return false;
        for (size_t i = 0; i < n; i++)
            if (bytes[i] != 0)
                return false;
        from += n;
    }
    return true;
}

/* FSCTL_QUERY_ALLOCATED_RANGES finds nothing. */
static bool
is_free(struct sp_target_old *o, struct sp_ntfs_handle *h, uint64_t from, uint64_t to)
{
    const struct sp_ntfs *fs = o->dir->t->fs;
    struct sp_buf in = SP_BUF_INIT, out = SP_BUF_INIT;
    struct sp_err ignored = {0};
    bool more = false, free_there;

    sp_buf_put_u64(&in, from);
    sp_buf_put_u64(&in, to - from);
    free_there = !in.failed &&
                 fs->control(fs->self, h, FSCTL_SP_QUERY_ALLOCATED_RANGES, in.data, in.len, 16,
                     &out, &more, &ignored) == SP_OK &&
                 out.len == 0 && !more;
    sp_buf_free(&in);
    sp_buf_free(&out);
    return free_there;
}

bool
sp_target_old_is_hole(struct sp_target_old *o, uint64_t offset, uint64_t n)
{
    struct sp_ntfs_handle *h = NULL;
    struct sp_err ignored = {0};
    uint64_t first, last;
    bool is;

    if (!o->sparse || offset > INT64_MAX - EDGE || n > INT64_MAX - EDGE - offset ||
        old_use(o, &h, &ignored) != SP_OK)
        return false;
    first = (offset + EDGE - 1) / EDGE * EDGE;
    last = (offset + n) / EDGE * EDGE;
    if (first >= last)
        is = is_zero(o, h, offset, offset + n);
    else
        is = is_free(o, h, first, last) && is_zero(o, h, offset, first) &&
             is_zero(o, h, last, offset + n);
    old_unuse(o, h);
    return is;
}
