#include "client/target_impl_win32.h"

#include <stdlib.h>

/* Files that are being written. */

#define GAP ((uint64_t)64 << 10) /* NTFS gives back sixteen clusters at a time */

struct sp_target_file {
    struct sp_target_dir *dir; /* counted: where it gets its name */
    struct target_new made;    /* none while the raw form of EFS is on its way */
    struct target_parts *parts;
    uint64_t size, end; /* of its own bytes: in all, and written so far */
    bool lazy;          /* it becomes sparse when there is a hole in it */
    struct sp_err flaw; /* met while it was made */
};

/* --- making
 * ------------------------------------------------------------------------------------------- */

static bool
is_encrypted(const struct sp_entry *en)
{
    const struct sp_attribute *a = sp_ntfs_find(en, WINDOWS_STREAMS);
    struct sp_ntfs_part *parts = NULL;
    struct sp_err ignored = {0};
    size_t n = 0;
    bool is;

    if (en->extra == 0 || a == NULL || a->external ||
        sp_ntfs_parts_decode(a->value, a->len, en->extra, &parts, &n, &ignored) != SP_OK)
        return false;
    is = n == 1 && parts[0].kind == NTFS_PART_EFS;
    free(parts);
    return is;
}

/* Zeros in the place of what is elsewhere would look like the file. */
static enum sp_code
check_away(const struct sp_target_dir *d, const struct sp_entry *en, struct sp_err *e)
{
    if ((en->flags & SP_ENTRY_AWAY) == 0)
        return SP_OK;
    if (!is_encrypted(en))
        return sp_fail(e, SP_UNSUPPORTED, SP_DOM_DESTINATION,
            "it lay in the cloud or in another store when it was backed up, so its content is not "
            "in "
            "the set: let the program that keeps it there fetch it");
    if ((d->flags & NTFS_FS_ENCRYPTION) == 0)
        return sp_fail(e, SP_UNSUPPORTED, SP_DOM_DESTINATION,
            "it is encrypted by Windows (EFS), which this volume cannot hold; restore it to an "
            "NTFS "
            "volume of this machine");
    return SP_OK;
}

enum sp_code
sp_target_file_create(struct sp_target_dir *d, const struct sp_entry *en,
    struct sp_target_file **ret, struct sp_err *e)
{
    struct sp_target_file *f = NULL;
    enum sp_code rc;

    if (d->is_virtual || d->point) {
        struct sp_ntfs_handle *none;

        return target_dir_use(d, &none, e); /* says why not */
    }
    if ((rc = check_away(d, en, e)) != SP_OK)
        return rc;
    if ((f = calloc(1, sizeof *f)) == NULL)
        return sp_fail_nomem(e);
    f->dir = sp_target_dir_hold(d);
    f->size = en->size;
    f->lazy = (en->flags & SP_ENTRY_WINDOWS) == 0 && (d->flags & NTFS_FS_SPARSE) != 0;
    if ((en->flags & SP_ENTRY_AWAY) == 0) {
        if ((rc = target_make(d, en, false, &f->made, e)) != SP_OK)
            goto fail;
        target_layout(d, f->made.h, en, &f->flaw);
    }
    if ((rc = target_parts_new(d, f->made.h, en, &f->parts, e)) != SP_OK)
        goto fail;
    *ret = f;
    return SP_OK;
fail:
    sp_target_file_drop(f);
    return rc;
}

void
sp_target_file_drop(struct sp_target_file *f)
{
    if (f == NULL)
        return;
    target_parts_free(f->parts);
    if (f->made.dir != NULL)
        target_make_end(&f->made, true);
    sp_target_dir_release(f->dir);
    free(f);
}

/* --- writing
 * ------------------------------------------------------------------------------------------- */

/* Nothing in an entry of another system tells beforehand that there is a hole. */
static enum sp_code
reach(struct sp_target_file *f, uint64_t offset, struct sp_err *e)
{
    const struct sp_ntfs *fs = f->dir->t->fs;
    struct sp_buf nothing = SP_BUF_INIT;
    bool more = false;
    enum sp_code rc;

    if (!f->lazy || offset < f->end || offset - f->end < GAP)
        return SP_OK;
    f->lazy = false;
    rc = fs->control(fs->self, f->made.h, FSCTL_SP_SET_SPARSE, NULL, 0, 0, &nothing, &more, e);
    sp_buf_free(&nothing);
    return rc == SP_OK || rc == SP_UNSUPPORTED ? SP_OK : target_fail(e, "it cannot be made sparse");
}

static enum sp_code
write_own(struct sp_target_file *f, uint64_t offset, const void *p, size_t n, struct sp_err *e)
{
    const struct sp_ntfs *fs = f->dir->t->fs;
    enum sp_code rc;

    if (f->made.h == NULL)
        return sp_fail(e, SP_CORRUPT, SP_DOM_STORE,
            "it has content in the set that its entry says is elsewhere");
    if ((rc = reach(f, offset, e)) != SP_OK)
        return rc;
    if ((rc = fs->write(fs->self, f->made.h, offset, p, n, e)) != SP_OK)
        return target_fail(e, "it cannot be written");
    if (offset + n > f->end)
        f->end = offset + n;
    return SP_OK;
}

enum sp_code
sp_target_file_write(
    struct sp_target_file *f, uint64_t offset, const void *p, size_t n, struct sp_err *e)
{
    const uint8_t *from = p;
    size_t own = n;
    enum sp_code rc;

    if (offset >= f->size)
        return n == 0 ? SP_OK : target_parts_write(f->parts, offset - f->size, from, n, e);
    if (own > f->size - offset)
        own = (size_t)(f->size - offset);
    if (own > 0 && (rc = write_own(f, offset, from, own, e)) != SP_OK)
        return rc;
    return n > own ? target_parts_write(f->parts, 0, from + own, n - own, e) : SP_OK;
}

enum sp_code
sp_target_file_resize(struct sp_target_file *f, uint64_t size, struct sp_err *e)
{
    const struct sp_ntfs *fs = f->dir->t->fs;
    enum sp_code rc;

    if (f->made.h == NULL) /* the import knows */
        return SP_OK;
    if ((rc = reach(f, size, e)) != SP_OK)
        return rc;
    if ((rc = fs->resize(fs->self, f->made.h, size, e)) != SP_OK)
        return target_fail(e, "it cannot be made as long as it was");
    return SP_OK;
}

/* --- giving it its name
 * --------------------------------------------------------------------------------- */

/* Without the key only attributes, rights and names can be changed. */
static enum sp_code
import(struct sp_target_file *f, struct sp_ntfs_handle *dir, struct sp_err *e)
{
    const struct sp_ntfs *fs = f->dir->t->fs;
    struct sp_ntfs_handle *h = NULL;
    char temp[TARGET_TEMP_NAME];
    enum sp_code rc;

    target_temp_name(&f->dir->t->temp, temp);
    rc = target_parts_import(f->parts, dir, temp, e);
    if (rc == SP_OK) {
        rc = fs->open_at(fs->self, dir, temp, NTFS_FILE, NTFS_WRITE, &h, e);
        if (rc == SP_DENIED) {
            sp_err_clear(e);
            rc = fs->open_at(fs->self, dir, temp, NTFS_FILE, NTFS_CHANGE, &h, e);
        }
        if (rc != SP_OK)
            (void)target_fail(e, "the imported file cannot be opened");
    } else {
        struct sp_err ignored = {0};

        /* What a broken import left. */
        if (fs->open_at(fs->self, dir, temp, NTFS_FILE, NTFS_CHANGE, &h, &ignored) == SP_OK)
            target_discard(f->dir->t, h);
        return rc;
    }
    if (rc == SP_OK)
        f->made = (struct target_new){.dir = sp_target_dir_hold(f->dir), .h = h};
    return rc;
}

/* The import brought all streams; short ones of the entry are the same ones. */
static void
dress(struct sp_target_file *f, const struct sp_entry *en, bool imported, struct sp_err *flaw)
{
    if (!imported) {
        target_dress(f->dir, f->made.h, en, true, flaw);
        return;
    }
    target_eas_set(f->dir, f->made.h, en, flaw);
    target_security_set(f->dir, f->made.h, en, flaw);
}

static enum sp_code
complete(struct sp_target_file *f, struct sp_ntfs_handle *dir, const struct sp_entry *en,
    struct sp_err *flaw, struct sp_err *e)
{
    const struct sp_ntfs *fs = f->dir->t->fs;
    struct sp_ntfs_info info;
    bool imported = false;
    enum sp_code rc;

    if ((rc = target_parts_end(f->parts, en, &imported, e)) != SP_OK)
        return rc;
    if (imported && (rc = import(f, dir, e)) != SP_OK)
        return rc;
    if ((rc = fs->info(fs->self, f->made.h, &info, e)) != SP_OK)
        return target_fail(e, "it cannot be looked at");
    if (info.size != en->size)
        return sp_fail(e, SP_IO, SP_DOM_DESTINATION, "it has %llu bytes after %llu were written",
            (unsigned long long)info.size, (unsigned long long)en->size);
    dress(f, en, imported, flaw);
    if (flaw->code == SP_FULL) {
        *e = *flaw;
        return SP_FULL;
    }
    /* A share tells only now that something could not be stored; a disk has it in its cache. */
    if (f->dir->remote && (rc = fs->flush(fs->self, f->made.h, e)) != SP_OK)
        return target_fail(e, "it cannot be stored");
    return SP_OK;
}

static enum sp_code
named(struct sp_target_file *f, const struct sp_entry *en, struct sp_target_stat *ret,
    struct sp_err *flaw, struct sp_err *e)
{
    struct sp_target *t = f->dir->t;
    struct sp_ntfs_handle *h = f->made.h;
    enum sp_code rc = SP_OK;

    target_finish(f->dir, f->dir, h, en, flaw);
    if (flaw->code == SP_FULL) {
        *e = *flaw;
        return SP_FULL;
    }
    if (ret != NULL && (rc = target_stat(t, h, ret, e)) != SP_OK)
        return rc;
    return SP_OK;
}

static enum sp_code
finish(struct sp_target_file *f, struct sp_ntfs_handle *dir, const struct sp_entry *en,
    const char *name, bool replace, struct sp_target_stat *ret, struct sp_err *flaw,
    struct sp_err *e)
{
    struct sp_target *t = f->dir->t;
    struct sp_ntfs_handle *h;
    struct sp_ntfs_info info;
    enum sp_code rc;

    if ((rc = complete(f, dir, en, flaw, e)) != SP_OK)
        return rc;
    if ((rc = target_place(f->dir, dir, f->made.h, name, replace, e)) != SP_OK)
        return rc;
    if ((rc = named(f, en, ret, flaw, e)) != SP_OK)
        return rc; /* removed again by its handle */
    h = f->made.h;
    f->made.h = NULL;
    if ((rc = t->fs->close(t->fs->self, h, e)) == SP_OK)
        return SP_OK;
    (void)target_fail(e, "it cannot be stored");
    if (target_open_named(
            f->dir, dir, name, NTFS_FILE, NTFS_CHANGE, &h, &info, &(struct sp_err){0}) == SP_OK)
        target_discard(t, h);
    return rc;
}

enum sp_code
sp_target_file_publish(struct sp_target_file *f, const struct sp_entry *en, const char *name,
    bool replace, struct sp_target_stat *ret, struct sp_err *flaw, struct sp_err *e)
{
    struct sp_target_stat st = {0};
    struct sp_ntfs_handle *dir = NULL;
    enum sp_code rc;

    *flaw = f->flaw;
    if ((rc = target_dir_use(f->dir, &dir, e)) == SP_OK) {
        rc = finish(f, dir, en, name, replace, ret != NULL ? &st : NULL, flaw, e);
        target_dir_unuse(f->dir);
    }
    if (rc == SP_OK && f->made.dir != NULL)
        target_make_end(&f->made, false);
    if (rc == SP_OK && ret != NULL)
        *ret = st;
    sp_target_file_drop(f);
    return rc;
}
