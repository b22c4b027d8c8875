#include "client/target_impl_win32.h"

#include <stdlib.h>

/* What exists already gets the attributes of an entry. Rights, attributes, times and the short name
 * are set on it; where anything else differs, or it has other names that must not change, a copy
 * takes its place. */

#define COPY_BUFFER ((size_t)256 << 10)

static const uint32_t lasting = /* set when it is made */
    NTFS_COMPRESSED | NTFS_SPARSE | NTFS_INTEGRITY | NTFS_ENCRYPTED;

/* What is not set on an existing object. */
static enum sp_code
differs_inside(struct sp_target_dir *d, struct sp_ntfs_handle *h, const struct sp_entry *en,
    const struct sp_ntfs_info *now, bool *ret, struct sp_err *e)
{
    enum sp_code rc;

    *ret = false;
    if ((en->flags & SP_ENTRY_WINDOWS) == 0)
        return SP_OK;
    *ret = ((sp_ntfs_attributes_of(en) ^ now->attributes) & lasting) != 0;
    if (!*ret && (rc = target_streams_differ(d, h, en, ret, e)) != SP_OK)
        return rc;
    if (!*ret && (rc = target_eas_differ(d, h, en, ret, e)) != SP_OK)
        return rc;
    return *ret ? SP_OK : target_object_id_differs(d, h, en, ret, e);
}

static enum sp_code
differs_outside(struct sp_target_dir *d, struct sp_ntfs_handle *h, const struct sp_entry *en,
    const struct sp_ntfs_info *now, bool *ret, struct sp_err *e)
{
    struct sp_ntfs_info to = target_basic(en, now);
    uint32_t attributes = to.attributes & ~NTFS_NORMAL;

    *ret = (to.btime != 0 && to.btime != now->btime) || (to.atime != 0 && to.atime != now->atime) ||
           (to.mtime != 0 && to.mtime != now->mtime) || (to.ctime != 0 && to.ctime != now->ctime) ||
           ((now->attributes ^ attributes) &
               (NTFS_READONLY | NTFS_HIDDEN | NTFS_SYSTEM | NTFS_ARCHIVE | NTFS_NOT_INDEXED)) != 0;
    return *ret ? SP_OK : target_security_differs(d, h, en, ret, e);
}

/* --- a copy
 * -------------------------------------------------------------------------------------------- */

/* FILE_ALLOCATED_RANGE_BUFFER: offset and length. */
static enum sp_code
next_data(struct sp_target *t, struct sp_ntfs_handle *h, uint64_t from, uint64_t size,
    uint64_t *ret_begin, uint64_t *ret_end, struct sp_err *e)
{
    const struct sp_ntfs *fs = t->fs;
    struct sp_buf in = SP_BUF_INIT, out = SP_BUF_INIT;
    bool more = false;
    enum sp_code rc;

    sp_buf_put_u64(&in, from);
    sp_buf_put_u64(&in, size - from);
    if ((rc = sp_buf_ok(&in, e)) != SP_OK)
        goto done;
    rc = fs->control(
        fs->self, h, FSCTL_SP_QUERY_ALLOCATED_RANGES, in.data, in.len, 16, &out, &more, e);
    if (rc == SP_UNSUPPORTED) { /* no holes on this file system */
        sp_err_clear(e);
        *ret_begin = from;
        *ret_end = size;
        rc = SP_OK;
    } else if (rc == SP_OK && out.len < 16) {
        *ret_begin = *ret_end = size;
    } else if (rc == SP_OK) {
        *ret_begin = sp_le64(out.data) > from ? sp_le64(out.data) : from;
        *ret_end = sp_le64(out.data) + sp_le64(out.data + 8);
        if (*ret_end <= *ret_begin || *ret_end > size)
            *ret_end = size;
    }
done:
    sp_buf_free(&in);
    sp_buf_free(&out);
    return rc;
}

/* Behind its end there is nothing allocated either, and nothing to be read: zeros would be what
 * remains of it. */
static enum sp_code
still_whole(struct sp_target *t, struct sp_ntfs_handle *h, uint64_t size, struct sp_err *e)
{
    struct sp_ntfs_info info;
    enum sp_code rc;

    if ((rc = t->fs->info(t->fs->self, h, &info, e)) != SP_OK)
        return rc;
    return info.size == size
               ? SP_OK
               : sp_fail(e, SP_CHANGED, SP_DOM_DESTINATION,
                     "it was changed while it was being restored: it has another length now");
}

enum sp_code
target_copy_content(struct sp_target *t, struct sp_ntfs_handle *from, struct sp_target_file *to,
    uint64_t size, struct sp_err *e)
{
    uint8_t *buffer = malloc(COPY_BUFFER);
    uint64_t at = 0, end = 0;
    enum sp_code rc = SP_OK;

    if (buffer == NULL)
        return sp_fail_nomem(e);
    while (rc == SP_OK && at < size) {
        size_t n, got = 0;

        if (at >= end && (rc = next_data(t, from, at, size, &at, &end, e)) != SP_OK)
            break;
        n = end - at < COPY_BUFFER ? (size_t)(end - at) : COPY_BUFFER;
        if (n == 0)
            break;
        if ((rc = t->fs->read(t->fs->self, from, at, buffer, n, &got, e)) != SP_OK || got == 0)
            break;
        rc = sp_target_file_write(to, at, buffer, got, e);
        at += got;
    }
    free(buffer);
    if (rc == SP_OK)
        rc = still_whole(t, from, size, e);
    if (rc != SP_OK)
        return target_fail(e, "the existing file cannot be copied");
    return sp_target_file_resize(to, size, e);
}

static enum sp_code
adjust_copy(struct sp_target_dir *d, struct sp_ntfs_handle *dir, const char *name, uint64_t file_id,
    const struct sp_entry *en, struct sp_target_stat *ret, struct sp_err *flaw, struct sp_err *e)
{
    struct sp_target_file *f = NULL;
    struct sp_ntfs_handle *h = NULL;
    struct sp_ntfs_info info;
    enum sp_code rc;

    rc = target_open_named(d, dir, name, NTFS_FILE, NTFS_READ, &h, &info, e);
    if (rc != SP_OK)
        return rc;
    if (info.file_id != file_id)
        rc = sp_fail(
            e, SP_CHANGED, SP_DOM_DESTINATION, "it was changed while it was being restored");
    if (rc == SP_OK && (rc = sp_target_file_create(d, en, &f, e)) == SP_OK)
        rc = target_copy_content(d->t, h, f, en->size, e);
    target_close(d->t, h);
    if (rc != SP_OK) {
        sp_target_file_drop(f);
        return rc;
    }
    return sp_target_file_publish(f, en, name, true, ret, flaw, e);
}

/* --- adjusting
 * ----------------------------------------------------------------------------------------- */

static void
set_outside(struct sp_target_dir *d, struct sp_ntfs_handle *h, const struct sp_entry *en,
    struct sp_err *flaw)
{
    struct sp_err why = {0};
    bool differs = false;

    if ((en->flags & SP_ENTRY_WINDOWS) == 0) {
        target_unsupported(d->t, TARGET_FOREIGN);
        if (en->nattributes > 0)
            target_unsupported(d->t, TARGET_FOREIGN_XATTR);
    } else if (target_security_differs(d, h, en, &differs, &why) != SP_OK) {
        target_flaw(flaw, &why);
    } else if (differs) {
        target_security_set(d, h, en, flaw);
    }
    target_finish(d, d, h, en, flaw);
}

static enum sp_code
adjust(struct sp_target_dir *d, struct sp_ntfs_handle *h, const struct sp_ntfs_info *info,
    const struct sp_entry *en, struct sp_target_stat *ret, struct sp_err *flaw, bool *ret_copy,
    struct sp_err *e)
{
    struct sp_target_stat st;
    bool inside = false, outside = false;
    enum sp_code rc;

    if ((rc = target_stat(d->t, h, &st, e)) != SP_OK)
        return rc;
    if (st.type != en->type || st.size != en->size)
        return sp_fail(
            e, SP_CHANGED, SP_DOM_DESTINATION, "it was changed while it was being restored");
    if ((rc = differs_inside(d, h, en, info, &inside, e)) != SP_OK)
        return rc;
    if (!inside && (rc = differs_outside(d, h, en, info, &outside, e)) != SP_OK)
        return rc;
    if (inside || (st.links > 1 && (outside || en->links <= 1))) {
        *ret_copy = true;
        if (en->type != SP_ENTRY_FILE)
            return sp_fail(e, SP_UNSUPPORTED, SP_DOM_DESTINATION,
                "it has other names too, or something that only a new one can have");
        return SP_OK;
    }
    set_outside(d, h, en, flaw);
    if (flaw->code == SP_FULL) {
        *e = *flaw;
        return SP_FULL;
    }
    return ret != NULL ? target_stat(d->t, h, ret, e) : SP_OK;
}

enum sp_code
sp_target_adjust(struct sp_target_dir *d, const char *name, const struct sp_entry *en,
    struct sp_target_stat *ret, struct sp_err *flaw, struct sp_err *e)
{
    struct sp_ntfs_handle *dir = NULL, *h = NULL;
    struct sp_ntfs_info info = {0};
    bool copy = false;
    enum sp_code rc;

    sp_err_clear(flaw);
    if (en->extra > 0 || (en->flags & SP_ENTRY_AWAY) != 0)
        return sp_fail(e, SP_INTERNAL, SP_DOM_SELF, "what follows its content was not compared");
    if ((rc = target_dir_use(d, &dir, e)) != SP_OK)
        return rc;
    rc = target_open_named(d, dir, name, NTFS_ANY, NTFS_CHANGE, &h, &info, e);
    if (rc == SP_OK) {
        rc = adjust(d, h, &info, en, ret, flaw, &copy, e);
        target_close(d->t, h);
        if (rc == SP_OK && copy)
            rc = adjust_copy(d, dir, name, info.file_id, en, ret, flaw, e);
    }
    target_dir_unuse(d);
    return rc;
}
