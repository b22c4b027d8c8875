#include "client/target_impl_posix.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "client/ntfs.h"
#include "client/stat_posix.h"

/* A file from NTFS that is written to NTFS, through ntfs-3g. */

#define SPARSE_UNIT ((uint64_t)64 << 10) /* what NTFS leaves out: 16 clusters of 4 KiB */

/* Only NTFS has files whose content is elsewhere: what is left of them is their reparse data. */
static bool
may_be_away(const struct target_ntfs_file *f, const struct sp_entry *en)
{
    return f->traits != 0 && en->extra == 0 && sp_ntfs_find(en, WINDOWS_REPARSE) != NULL;
}

enum sp_code
target_ntfs_file_begin(struct target_ntfs_file *f, struct sp_target *t, int dir, const char *temp,
    const struct sp_entry *en, struct sp_err *e)
{
    struct target_handle h = target_handle_of(dir, true);
    enum sp_code rc = SP_OK;

    (void)target_is_ntfs(&h, en, &f->traits);
    if ((en->flags & SP_ENTRY_AWAY) != 0 && !may_be_away(f, en))
        return sp_fail(e, SP_UNSUPPORTED, SP_DOM_DESTINATION,
            "its content is not in the set in a form that this system can write (a cloud "
            "placeholder, or encrypted by Windows); restore it on Windows");
    if (f->traits == 0)
        return SP_OK;
    f->sparse = (sp_ntfs_attributes_of(en) & NTFS_SPARSE) != 0;
    f->object = (struct sp_ntfs3g_object){.fd = -1, .dir = -1, .name = temp, .traits = f->traits};
    if (en->extra > 0 && (f->traits & SP_NTFS3G_NAMES) != 0)
        rc = sp_ntfs3g_parts_new(&f->object, en, &f->parts, e);
    if (rc == SP_OK && en->extra > 0 && f->parts == NULL)
        target_unsupported(t, TARGET_WINDOWS_LONG_STREAMS);
    return rc;
}

enum sp_code
target_ntfs_file_write(struct target_ntfs_file *f, struct sp_target_dir *d, uint64_t offset,
    const void *p, size_t n, struct sp_err *e)
{
    const uint8_t *from = p;
    int why = 0;
    enum sp_code rc;

    if (f->parts == NULL) /* it was told */
        return SP_OK;
    if ((rc = target_dir_use(d, &f->object.dir, e)) != SP_OK)
        return rc;
    while (n > 0 && why == 0) {
        size_t did = 0;

        why = sp_ntfs3g_parts_write(f->parts, offset, from, n, &did);
        from += did;
        n -= did;
        offset += did;
    }
    target_dir_unuse(d);
    if (why != 0)
        return sp_fail_os(e, SP_DOM_DESTINATION, why, "an alternate stream cannot be written");
    return SP_OK;
}

size_t
target_ntfs_file_hole(const struct target_ntfs_file *f, const uint8_t *p, size_t n, uint64_t offset)
{
    size_t to = (size_t)(SPARSE_UNIT - offset % SPARSE_UNIT), i = 0;

    if (!f->sparse)
        return 0;
    to = to < n ? to : n;
    while (i < to && p[i] == 0)
        i++;
    return i == to ? to : 0;
}

/* A close may still set times, so everything is set after it, through a place that leads there. */
enum sp_code
target_ntfs_file_finish(struct target_ntfs_file *f, struct sp_target_dir *d, int *fd,
    const struct sp_entry *en, const struct sp_target_stat *is, struct sp_err *flaw,
    struct sp_err *e)
{
    struct target_handle h;
    struct statx st;
    int dir, place = -1, data = *fd, why;
    enum sp_code rc;

    if ((rc = target_dir_use(d, &dir, e)) != SP_OK)
        return rc;
    f->object.dir = dir;
    if (f->parts != NULL && (why = sp_ntfs3g_parts_finish(f->parts)) != 0) {
        rc = sp_fail_os(e, SP_DOM_DESTINATION, why, "an alternate stream cannot be written");
        goto out;
    }
    place = openat(dir, f->object.name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (place < 0 || sp_source_stat(place, "", &st) != 0) {
        rc = sp_fail_os(e, SP_DOM_DESTINATION, errno, "what was written cannot be opened again");
        goto out;
    }
    if (st.stx_ino != is->inode) {
        rc = sp_fail(e, SP_CHANGED, SP_DOM_DESTINATION,
            "it was replaced by another process while it was being written");
        goto out;
    }
    *fd = -1;
    if (close(data) != 0) {
        rc = sp_fail_os(e, SP_DOM_DESTINATION, errno, "it cannot be stored");
        goto out;
    }
    h = target_handle_of(place, true);
    h.dir = dir;
    h.name = f->object.name;
    target_ntfs_apply(d->t, &h, en, f->traits, flaw);
    if (flaw->code == SP_FULL) {
        *e = *flaw;
        rc = SP_FULL;
    }
    /* With reparse data the kernel has to find that it is something else now. */
    (void)statx(place, "", AT_EMPTY_PATH | AT_STATX_FORCE_SYNC, STATX_BASIC_STATS, &st);
out:
    if (place >= 0)
        (void)close(place); /* a place only */
    target_dir_unuse(d);
    return rc;
}
