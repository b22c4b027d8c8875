#include "client/target_impl_win32.h"

#include <stdlib.h>
#include <string.h>

#include "base/fold.h"

/* Names in a folder. A short name (8.3) opens its file like the long one, and a rename replaces
 * what has it: so what has a name is found in the folder's listing first, and a short name that
 * Windows gave to something by itself never makes it the file that is looked for. */

struct found {
    const char *name;
    bool is_short; /* the name is only its short one */
    uint64_t file_id;
    char *long_name; /* malloc'd when it is wanted */
    bool want_long, no_memory;
};

static enum sp_code
take_found(void *arg, const struct sp_ntfs_listed *l, struct sp_err *e)
{
    struct found *f = arg;
    size_t n = strlen(f->name);

    (void)e;
    f->file_id = l->info.file_id;
    f->is_short = sp_fold_equal(l->short_name, strlen(l->short_name), f->name, n) &&
                  !sp_fold_equal(l->name, l->name_len, f->name, n);
    if (!f->want_long)
        return SP_OK;
    f->long_name = malloc(l->name_len + 1);
    f->no_memory = f->long_name == NULL;
    if (f->long_name != NULL) {
        memcpy(f->long_name, l->name, l->name_len);
        f->long_name[l->name_len] = '\0';
    }
    return SP_OK;
}

static enum sp_code
open_as(struct sp_target *t, struct sp_ntfs_handle *dir, const char *name, enum sp_ntfs_what what,
    enum sp_ntfs_access access, struct sp_ntfs_handle **ret, struct sp_ntfs_info *ret_info,
    struct sp_err *e)
{
    const struct sp_ntfs *fs = t->fs;
    struct found f = {.name = name};
    struct sp_ntfs_handle *h = NULL;
    enum sp_code rc;

    if ((rc = fs->find(fs->self, dir, name, take_found, &f, e)) != SP_OK)
        return target_fail(e, "what is there cannot be looked at");
    if (f.is_short)
        return sp_fail(e, SP_ABSENT, SP_DOM_DESTINATION, "nothing has this name");
    if ((rc = fs->open_at(fs->self, dir, name, what, access, &h, e)) != SP_OK)
        return target_fail(e, "what is there cannot be opened");
    if ((rc = fs->info(fs->self, h, ret_info, e)) != SP_OK)
        (void)target_fail(e, "what is there cannot be looked at");
    else if (ret_info->file_id != f.file_id)
        rc = sp_fail(e, SP_CHANGED, SP_DOM_DESTINATION, "another object took its place meanwhile");
    if (rc != SP_OK) {
        target_close(t, h);
        return rc;
    }
    *ret = h;
    return SP_OK;
}

enum sp_code
target_open_named(struct sp_target_dir *d, struct sp_ntfs_handle *dir, const char *name,
    enum sp_ntfs_what what, enum sp_ntfs_access access, struct sp_ntfs_handle **ret,
    struct sp_ntfs_info *ret_info, struct sp_err *e)
{
    char *as = NULL;
    bool stands_for;
    enum sp_code rc;

    if ((rc = target_name_check(d, name, e)) != SP_OK)
        return rc;
    if ((rc = target_name_in(d, name, &as, &stands_for, e)) != SP_OK)
        return rc;
    rc = open_as(d->t, dir, as, what, access, ret, ret_info, e);
    free(as);
    return rc;
}

/* --- short names in the way
 * ---------------------------------------------------------------------------- */

enum sp_code
target_free_short(
    struct sp_target_dir *d, struct sp_ntfs_handle *dir, const char *name, struct sp_err *e)
{
    const struct sp_ntfs *fs = d->t->fs;
    struct found f = {.name = name, .want_long = true};
    struct sp_ntfs_handle *h = NULL;
    enum sp_code rc;

    if ((rc = fs->find(fs->self, dir, name, take_found, &f, e)) != SP_OK) {
        (void)target_fail(e, "what is there cannot be looked at");
        goto out;
    }
    if (f.no_memory) {
        rc = sp_fail_nomem(e);
        goto out;
    }
    if (!f.is_short) {
        rc = sp_fail(e, SP_ABSENT, SP_DOM_DESTINATION, "it is no short name");
        goto out;
    }
    if (d->existed) {
        rc = sp_fail(e, SP_EXISTS, SP_DOM_DESTINATION,
            "its name is already the short name (8.3) of %.200s; rename that, or restore to an "
            "empty "
            "folder",
            f.long_name);
        goto out;
    }
    rc = fs->open_at(fs->self, dir, f.long_name, NTFS_ANY, NTFS_CHANGE, &h, e);
    if (rc == SP_OK)
        rc = fs->set_short_name(fs->self, h, "", e);
    target_close(d->t, h);
    if (rc != SP_OK)
        (void)target_fail(e, "its name is the short name (8.3) of another file");
out:
    free(f.long_name);
    return rc;
}

/* --- giving names
 * -------------------------------------------------------------------------------------- */

static enum sp_code
remove_folder(
    struct sp_target_dir *d, struct sp_ntfs_handle *dir, const char *name, struct sp_err *e)
{
    const struct sp_ntfs *fs = d->t->fs;
    struct sp_ntfs_handle *h = NULL;
    struct sp_ntfs_info info;
    struct sp_err ignored = {0};
    enum sp_code rc;

    rc = target_open_named(d, dir, name, NTFS_FOLDER, NTFS_CHANGE, &h, &info, e);
    if (rc != SP_OK)
        return rc;
    rc = fs->remove(fs->self, h, e);
    (void)fs->close(fs->self, h, &ignored);
    return rc == SP_OK ? SP_OK : target_fail(e, "a folder is in the way that cannot be removed");
}

typedef enum sp_code (*give_fn)(void *self, struct sp_ntfs_handle *h, struct sp_ntfs_handle *dir,
    const char *name, bool replace, struct sp_err *e);

/* What is replaced is what has the name itself. */
static enum sp_code
no_stranger(struct sp_target_dir *d, struct sp_ntfs_handle *dir, const char *name, struct sp_err *e)
{
    struct sp_err why = {0};
    enum sp_code rc = target_free_short(d, dir, name, &why);

    if (rc == SP_OK || rc == SP_ABSENT)
        return SP_OK;
    *e = why;
    return rc;
}

static enum sp_code
give_as(struct sp_target_dir *d, struct sp_ntfs_handle *dir, struct sp_ntfs_handle *h,
    const char *name, bool replace, give_fn fn, struct sp_err *e)
{
    void *self = d->t->fs->self;
    struct sp_err why = {0};
    enum sp_code rc;

    if (replace && (rc = no_stranger(d, dir, name, e)) != SP_OK)
        return rc;
    rc = fn(self, h, dir, name, replace, e);
    if (rc == SP_EXISTS && !replace) {
        if ((rc = no_stranger(d, dir, name, e)) != SP_OK)
            return rc;
        rc = fn(self, h, dir, name, false, e);
    } else if ((rc == SP_EXISTS || rc == SP_DENIED) && replace) {
        enum sp_code gone = remove_folder(d, dir, name, &why);

        if (gone == SP_EXISTS) {
            *e = why;
            return gone;
        }
        if (gone == SP_OK)
            rc = fn(self, h, dir, name, replace, e);
    }
    if (rc == SP_EXISTS)
        return sp_fail(e, SP_EXISTS, SP_DOM_DESTINATION,
            "another object took its name meanwhile, or one whose name differs in case only");
    return rc == SP_OK ? SP_OK : target_fail(e, "it cannot be given its name");
}

static enum sp_code
give(struct sp_target_dir *d, struct sp_ntfs_handle *dir, struct sp_ntfs_handle *h,
    const char *name, bool replace, give_fn fn, struct sp_err *e)
{
    char *as = NULL;
    bool stands_for;
    enum sp_code rc;

    if ((rc = target_name_check(d, name, e)) != SP_OK)
        return rc;
    if ((rc = target_name_in(d, name, &as, &stands_for, e)) != SP_OK)
        return rc;
    rc = give_as(d, dir, h, as, replace, fn, e);
    free(as);
    return rc;
}

enum sp_code
target_place(struct sp_target_dir *d, struct sp_ntfs_handle *dir, struct sp_ntfs_handle *h,
    const char *name, bool replace, struct sp_err *e)
{
    return give(d, dir, h, name, replace, d->t->fs->rename, e);
}

enum sp_code
target_place_link(struct sp_target_dir *d, struct sp_ntfs_handle *dir, struct sp_ntfs_handle *h,
    const char *name, bool replace, struct sp_err *e)
{
    return give(d, dir, h, name, replace, d->t->fs->link, e);
}

void
target_discard(struct sp_target *t, struct sp_ntfs_handle *h)
{
    struct sp_err ignored = {0};

    if (h == NULL)
        return;
    (void)t->fs->remove(t->fs->self, h, &ignored);
    (void)t->fs->close(t->fs->self, h, &ignored);
}

/* --- looking and removing
 * ------------------------------------------------------------------------------ */

enum sp_code
sp_target_look(
    struct sp_target_dir *d, const char *name, struct sp_target_stat *ret, struct sp_err *e)
{
    struct sp_target_dir *top = NULL;
    struct sp_ntfs_handle *dir = NULL, *h = NULL;
    struct sp_ntfs_info info;
    enum sp_code rc;

    if (d->is_virtual) { /* a drive is there when it can be entered */
        if ((rc = sp_target_dir_enter(d, name, &top, e)) != SP_OK)
            return rc;
        *ret = (struct sp_target_stat){
            .type = SP_ENTRY_DIR, .device = top->volume, .inode = top->file_id, .links = 1};
        sp_target_dir_release(top);
        return SP_OK;
    }
    if ((rc = target_dir_use(d, &dir, e)) != SP_OK)
        return rc;
    rc = target_open_named(d, dir, name, NTFS_ANY, NTFS_LOOK, &h, &info, e);
    if (rc == SP_OK)
        rc = target_stat(d->t, h, ret, e);
    target_close(d->t, h);
    target_dir_unuse(d);
    return rc;
}

static enum sp_code
remove_open(struct sp_target *t, struct sp_ntfs_handle *h, bool is_dir, struct sp_err *e)
{
    struct sp_target_stat st;
    enum sp_code rc;

    if ((rc = target_stat(t, h, &st, e)) != SP_OK)
        return rc;
    if ((st.type == SP_ENTRY_DIR) != is_dir)
        return sp_fail(e, SP_CHANGED, SP_DOM_DESTINATION,
            "what is in its place was changed while it was being restored");
    if ((rc = t->fs->remove(t->fs->self, h, e)) != SP_OK)
        return target_fail(e, "what is in its place cannot be removed");
    return SP_OK;
}

enum sp_code
sp_target_remove(struct sp_target_dir *d, const char *name, bool is_dir, struct sp_err *e)
{
    struct sp_ntfs_handle *dir = NULL, *h = NULL;
    struct sp_ntfs_info info;
    enum sp_code rc;

    if ((rc = target_dir_use(d, &dir, e)) != SP_OK)
        return rc;
    rc = target_open_named(d, dir, name, NTFS_ANY, NTFS_CHANGE, &h, &info, e);
    if (rc == SP_OK)
        rc = remove_open(d->t, h, is_dir, e);
    target_close(d->t, h);
    target_dir_unuse(d);
    return rc;
}
