#include "client/target_impl_win32.h"

/* What folders get when everything inside is done. */

/* The rights of a folder may let its attributes be changed and nothing be made in it. */
static enum sp_code
open_for_change(struct sp_target_dir *d, struct sp_ntfs_handle **ret, struct sp_err *e)
{
    enum sp_code rc;

    if ((rc = target_dir_again(d, NTFS_WRITE, ret, e)) != SP_DENIED)
        return rc;
    sp_err_clear(e);
    return target_dir_again(d, NTFS_CHANGE, ret, e);
}

/* One that existed may be of the other kind, and not empty. */
static void
set_case(struct sp_target_dir *d, struct sp_ntfs_handle *h, const struct sp_entry *en)
{
    const struct sp_ntfs *fs = d->t->fs;
    bool want = sp_ntfs_find(en, WINDOWS_CASE) != NULL, has = false;
    struct sp_err ignored = {0};

    if (!d->existed || (en->flags & SP_ENTRY_WINDOWS) == 0 ||
        fs->case_sensitive(fs->self, h, &has, &ignored) != SP_OK || has == want)
        return;
    if (fs->set_case_sensitive(fs->self, h, want, &ignored) != SP_OK)
        target_unsupported(d->t, TARGET_CASE);
}

/* A drive's own folder is hidden by its nature; the folder that stands for it would not be found.
 */
static void
set_shown(struct sp_target_dir *d, struct sp_ntfs_handle *h, struct sp_err *flaw)
{
    const struct sp_ntfs *fs = d->t->fs;
    struct sp_ntfs_info now, to = {0};
    struct sp_err why = {0};

    if (fs->info(fs->self, h, &now, &why) == SP_OK) {
        to.attributes = now.attributes & ~(NTFS_HIDDEN | NTFS_SYSTEM | NTFS_DIRECTORY);
        to.attributes = to.attributes != 0 ? to.attributes : NTFS_NORMAL;
        to.ctime = now.ctime;
        if (fs->set_basic(fs->self, h, &to, &why) == SP_OK)
            return;
    }
    (void)target_fail(&why, "its attributes cannot be set");
    target_flaw(flaw, &why);
}

enum sp_code
sp_target_dir_apply(struct sp_target_dir *d, const struct sp_entry *en, struct sp_err *e)
{
    struct sp_target *t = d->t;
    struct sp_target_dir *in = d->up != NULL && !d->up->is_virtual ? d->up : NULL;
    struct sp_ntfs_handle *h = NULL;
    struct sp_err flaw = {0};
    enum sp_code rc;

    d->opened_up = false;
    if (d->is_virtual)
        return SP_OK;
    if ((rc = open_for_change(d, &h, e)) != SP_OK)
        return rc;
    set_case(d, h, en);
    target_layout(d, h, en, &flaw);
    target_dress(d, h, en, !d->existed, &flaw);
    target_finish(d, d->stands_for ? NULL : in, h, en, &flaw);
    if (d->stands_for)
        set_shown(d, h, &flaw);
    if ((rc = t->fs->close(t->fs->self, h, e)) != SP_OK)
        return target_fail(e, "the folder's attributes cannot be stored");
    if (flaw.code != SP_OK)
        *e = flaw;
    return flaw.code;
}

enum sp_code
sp_target_dir_open_up(struct sp_target_dir *d, struct sp_err *e)
{
    const struct sp_ntfs *fs = d->t->fs;
    struct sp_ntfs_handle *h = NULL;
    enum sp_code rc;

    if (d->opened_up || d->is_virtual)
        return SP_OK;
    if ((rc = target_dir_again(d, NTFS_LOOK, &h, e)) != SP_OK)
        return rc;
    if ((rc = fs->info(fs->self, h, &d->before, e)) != SP_OK)
        (void)target_fail(e, "the folder cannot be looked at");
    else
        d->opened_up = true;
    target_close(d->t, h);
    return rc;
}

enum sp_code
sp_target_dir_put_back(struct sp_target_dir *d, bool time, struct sp_err *e)
{
    const struct sp_ntfs *fs = d->t->fs;
    struct sp_ntfs_info to = {.btime = d->before.btime,
        .atime = d->before.atime,
        .mtime = d->before.mtime,
        .ctime = d->before.ctime};
    struct sp_ntfs_handle *h = NULL;
    bool opened_up = d->opened_up;
    enum sp_code rc;

    d->opened_up = false;
    if (!opened_up || !time)
        return SP_OK;
    if ((rc = target_dir_again(d, NTFS_CHANGE, &h, e)) != SP_OK)
        return rc;
    if ((rc = fs->set_basic(fs->self, h, &to, e)) != SP_OK)
        (void)target_fail(e, "the folder's times cannot be put back");
    target_close(d->t, h);
    return rc;
}
