#include "client/target_impl_win32.h"

#include <stdlib.h>
#include <string.h>

/* Folders of the target: handles, how a closed one comes back, making and entering. */

enum sp_code
target_fail(struct sp_err *e, const char *what)
{
    if (e->domain == SP_DOM_NONE)
        e->domain = SP_DOM_DESTINATION;
    sp_err_context(e, "%s", what);
    return e->code;
}

void
target_close(struct sp_target *t, struct sp_ntfs_handle *h)
{
    struct sp_err ignored = {0};

    if (h != NULL)
        (void)t->fs->close(t->fs->self, h, &ignored);
}

/* --- handles
 * ------------------------------------------------------------------------------------------- */

static struct sp_target_dir *
dir_of(struct target_node *n)
{
    return (struct sp_target_dir *)n;
}

static enum sp_code
open_folder(struct sp_target *t, struct sp_ntfs_handle *up, const char *name,
    struct sp_ntfs_handle **ret, struct sp_ntfs_info *ret_info, struct sp_err *e)
{
    const struct sp_ntfs *fs = t->fs;
    struct sp_ntfs_handle *h = NULL;
    enum sp_code rc;

    rc = up != NULL ? fs->open_at(fs->self, up, name, NTFS_FOLDER, NTFS_LIST, &h, e)
                    : fs->open_path(fs->self, name, NTFS_LIST, &h, e);
    if (rc == SP_CHANGED)
        return sp_fail(
            e, SP_REFUSED, SP_DOM_DESTINATION, "something that is no folder is in its place");
    if (rc != SP_OK)
        return target_fail(e, "the folder cannot be opened");
    if ((rc = fs->info(fs->self, h, ret_info, e)) != SP_OK) {
        target_close(t, h);
        return target_fail(e, "the folder cannot be looked at");
    }
    *ret = h;
    return SP_OK;
}

enum sp_code
target_dir_open_again(struct target_node *n, struct target_node *up, struct sp_err *e)
{
    struct sp_target_dir *d = dir_of(n);
    struct sp_ntfs_info info;
    struct sp_ntfs_handle *h = NULL;
    enum sp_code rc;

    rc = open_folder(d->t, d->from_path ? NULL : dir_of(up)->h, d->name, &h, &info, e);
    if (rc != SP_OK)
        return rc;
    if (info.volume != d->volume || info.file_id != d->file_id) {
        target_close(d->t, h);
        return sp_fail(e, SP_CHANGED, SP_DOM_DESTINATION,
            "another folder was put in the place of one that is being restored");
    }
    d->h = h;
    return SP_OK;
}

void
target_dir_close(struct target_node *n)
{
    target_close(dir_of(n)->t, dir_of(n)->h);
    dir_of(n)->h = NULL;
}

enum sp_code
target_dir_use(struct sp_target_dir *d, struct sp_ntfs_handle **ret, struct sp_err *e)
{
    enum sp_code rc;

    if (d->is_virtual)
        return sp_fail(e, SP_REFUSED, SP_DOM_DESTINATION,
            "nothing can be made where Windows has its drives; restore it to a target folder");
    if (d->point)
        return sp_fail(e, SP_REFUSED, SP_DOM_DESTINATION,
            "its folder is a mount point here, which leads to another volume: nothing is restored "
            "through it; restore it to a target folder");
    if ((rc = target_handles_use(&d->t->handles, &d->node, e)) == SP_OK)
        *ret = d->h;
    return rc;
}

void
target_dir_unuse(struct sp_target_dir *d)
{
    target_handles_unuse(&d->t->handles, &d->node);
}

enum sp_code
target_dir_again(struct sp_target_dir *d, enum sp_ntfs_access access, struct sp_ntfs_handle **ret,
    struct sp_err *e)
{
    const struct sp_ntfs *fs = d->t->fs;
    enum sp_code rc;

    if ((rc = target_handles_use(&d->t->handles, &d->node, e)) != SP_OK)
        return rc;
    if ((rc = fs->open_at(fs->self, d->h, "", NTFS_ANY, access, ret, e)) != SP_OK)
        (void)target_fail(e, "the folder cannot be opened for changing it");
    target_dir_unuse(d);
    return rc;
}

struct sp_target_dir *
target_dir_new(struct sp_target *t, struct sp_target_dir *up, const char *name)
{
    size_t n = strlen(name);
    struct sp_target_dir *d = calloc(1, sizeof *d + n + 1);

    if (d == NULL)
        return NULL;
    memcpy(d->name, name, n + 1);
    atomic_init(&d->refs, 1);
    d->t = t;
    d->up = up != NULL ? sp_target_dir_hold(up) : NULL;
    d->node.up = up != NULL ? &up->node : NULL;
    return d;
}

/* A folder with another's tag holds what is in it (cloud files); a name surrogate leads elsewhere,
 * and so does one whose tag has no bit for folders with content:
 * learn.microsoft.com/en-us/windows/win32/fileio/reparse-point-tags */
static bool
leads_away(const struct sp_ntfs_info *info)
{
    return info->reparse_tag != 0 && (NTFS_TAG_IS_SURROGATE(info->reparse_tag) ||
                                         (info->reparse_tag & UINT32_C(0x10000000)) == 0);
}

static enum sp_code
look_around(struct sp_target_dir *d, struct sp_ntfs_handle *h, struct sp_err *e)
{
    const struct sp_ntfs *fs = d->t->fs;
    struct sp_ntfs_volume volume;
    struct sp_ntfs_info info;
    struct sp_err why = {0};
    bool sensitive = false;
    enum sp_code rc;

    if ((rc = fs->info(fs->self, h, &info, e)) != SP_OK)
        return target_fail(e, "the folder cannot be looked at");
    d->volume = info.volume;
    d->file_id = info.file_id;
    d->encrypted = (info.attributes & NTFS_ENCRYPTED) != 0;
    d->point = leads_away(&info);
    if (d->up != NULL && !d->from_path) {
        d->flags = d->up->flags;
        d->remote = d->up->remote;
        d->would_fold = d->up->would_fold;
    } else {
        if ((rc = fs->volume(fs->self, h, &volume, e)) != SP_OK)
            return target_fail(e, "the volume of the folder cannot be looked at");
        d->flags = volume.flags;
        d->remote = volume.remote;
        d->would_fold = d->t->probe;
    }
    rc = fs->case_sensitive(fs->self, h, &sensitive, &why);
    if (rc != SP_OK && rc != SP_UNSUPPORTED) {
        *e = why;
        return target_fail(e, "the folder cannot be looked at");
    }
    d->folds = d->would_fold && !(rc == SP_OK && sensitive);
    return SP_OK;
}

/* What was made has a handle for everything but its names. */
static enum sp_code
for_names(struct sp_target *t, struct sp_ntfs_handle **h, struct sp_err *e)
{
    struct sp_ntfs_handle *made = *h;
    enum sp_code rc;

    *h = NULL;
    rc = t->fs->open_at(t->fs->self, made, "", NTFS_FOLDER, NTFS_LIST, h, e);
    target_close(t, made);
    return rc == SP_OK ? SP_OK : target_fail(e, "the folder that was made cannot be opened");
}

enum sp_code
target_dir_begin(struct sp_target_dir *d, struct sp_ntfs_handle *h, bool existed, struct sp_err *e)
{
    enum sp_code rc;

    if (!existed && (rc = for_names(d->t, &h, e)) != SP_OK)
        return rc;
    if ((rc = look_around(d, h, e)) != SP_OK) {
        target_close(d->t, h);
        return rc;
    }
    d->existed = existed;
    d->h = h;
    target_handles_add(&d->t->handles, &d->node, d->up == NULL);
    return SP_OK;
}

bool
sp_target_dir_is_new(const struct sp_target_dir *d)
{
    return !d->existed;
}

struct sp_target_dir *
sp_target_dir_hold(struct sp_target_dir *d)
{
    atomic_fetch_add(&d->refs, 1);
    return d;
}

void
sp_target_dir_release(struct sp_target_dir *d)
{
    /* A loop, not a recursion: a chain may be as deep as the tree. */
    while (d != NULL && atomic_fetch_sub(&d->refs, 1) == 1) {
        struct sp_target_dir *up = d->up;

        target_handles_remove(&d->t->handles, &d->node);
        free(d);
        d = up;
    }
}

/* --- making and entering
 * ------------------------------------------------------------------------------- */

/* Only an empty folder takes it: learn.microsoft.com/en-us/windows/wsl/case-sensitivity. Folders
 * made by some have it from the one above. */
static enum sp_code
set_case(
    struct sp_target_dir *up, struct sp_ntfs_handle *h, const struct sp_entry *en, struct sp_err *e)
{
    const struct sp_ntfs *fs = up->t->fs;
    struct sp_err why = {0};
    bool want = sp_ntfs_find(en, WINDOWS_CASE) != NULL, has = false;
    enum sp_code rc;

    if (fs->case_sensitive(fs->self, h, &has, &why) == SP_OK && has == want)
        return SP_OK;
    if (!want && !has)
        return SP_OK;
    rc = fs->set_case_sensitive(fs->self, h, want, e);
    if (rc == SP_UNSUPPORTED || rc == SP_DENIED) {
        target_unsupported(up->t, TARGET_CASE);
        return SP_OK;
    }
    return rc == SP_OK ? SP_OK : target_fail(e, "its case sensitivity cannot be set");
}

static enum sp_code
create(struct sp_target_dir *up, struct sp_ntfs_handle *in, const char *name, uint32_t attributes,
    const struct sp_entry *en, struct sp_ntfs_handle **ret, struct sp_err *e)
{
    const struct sp_ntfs *fs = up->t->fs;
    const void *security = NULL;
    size_t n = 0;

    if (en != NULL)
        security = target_private(up, en, &n);
    return fs->create_at(fs->self, in, name, true, attributes, security, n, ret, e);
}

enum sp_code
target_dir_create(struct sp_target_dir *up, struct sp_ntfs_handle *in, const char *name,
    const struct sp_entry *en, struct sp_ntfs_handle **ret, struct sp_err *e)
{
    struct sp_err why = {0};
    struct sp_ntfs_handle *h = NULL;
    bool encrypt = en != NULL && (sp_ntfs_attributes_of(en) & NTFS_ENCRYPTED) != 0;
    uint32_t attributes =
        encrypt && (up->flags & NTFS_FS_ENCRYPTION) != 0 ? NTFS_ENCRYPTED : UINT32_C(0);
    enum sp_code rc;

    rc = create(up, in, name, attributes, en, &h, e);
    if ((rc == SP_UNSUPPORTED || rc == SP_DENIED) && attributes != 0) {
        attributes = 0;
        rc = create(up, in, name, 0, en, &h, e);
    }
    if (rc == SP_EXISTS && target_free_short(up, in, name, &why) == SP_OK)
        rc = create(up, in, name, attributes, en, &h, e);
    if (rc != SP_OK)
        return target_fail(e, "the folder cannot be made");
    if (encrypt && attributes == 0)
        target_unsupported(up->t, TARGET_EFS_FOLDER);
    if (en != NULL && (rc = set_case(up, h, en, e)) != SP_OK) {
        target_discard(up->t, h);
        return rc;
    }
    *ret = h;
    return SP_OK;
}

/* What is not encrypted comes into an encrypted folder by being renamed into it. */
static enum sp_code
make(struct sp_target_dir *up, struct sp_ntfs_handle *in, const char *name,
    const struct sp_entry *en, struct sp_ntfs_handle **ret, struct sp_err *e)
{
    struct target_new made;
    bool plain = en != NULL && (sp_ntfs_attributes_of(en) & NTFS_ENCRYPTED) == 0;
    enum sp_code rc;

    if (!up->encrypted || !plain || (en->flags & SP_ENTRY_WINDOWS) == 0)
        return target_dir_create(up, in, name, en, ret, e);
    if ((rc = target_make(up, en, true, &made, e)) != SP_OK)
        return rc;
    if ((rc = target_place(up, in, made.h, name, false, e)) == SP_OK &&
        (rc = up->t->fs->open_at(up->t->fs->self, made.h, "", NTFS_FOLDER, NTFS_WRITE, ret, e)) !=
            SP_OK)
        (void)target_fail(e, "the folder cannot be opened");
    target_make_end(&made, rc != SP_OK);
    return rc;
}

enum sp_code
sp_target_dir_make(struct sp_target_dir *up, const char *name, const struct sp_entry *en,
    struct sp_target_dir **ret, struct sp_err *e)
{
    struct sp_target_dir *d = NULL;
    struct sp_ntfs_handle *in = NULL, *h = NULL;
    char *as = NULL;
    bool stands_for = false;
    enum sp_code rc;

    if ((rc = target_name_check(up, name, e)) != SP_OK)
        return rc;
    if (up->is_virtual)
        return sp_fail(e, SP_ABSENT, SP_DOM_DESTINATION,
            "there is no such drive or share here, and none can be made; restore it to a target "
            "folder");
    if ((rc = target_dir_use(up, &in, e)) != SP_OK)
        return rc;
    if ((rc = target_name_in(up, name, &as, &stands_for, e)) != SP_OK)
        goto out;
    if ((d = target_dir_new(up->t, up, as)) == NULL) {
        rc = sp_fail_nomem(e);
        goto out;
    }
    d->stands_for = stands_for;
    if ((rc = make(up, in, as, en, &h, e)) != SP_OK)
        goto out;
    if ((rc = target_dir_begin(d, h, false, e)) != SP_OK)
        goto out;
    *ret = d;
    d = NULL;
out:
    sp_target_dir_release(d);
    free(as);
    target_dir_unuse(up);
    return rc;
}

static enum sp_code
open_below(
    struct sp_target_dir *up, const char *name, struct sp_ntfs_handle **ret, struct sp_err *e)
{
    struct sp_ntfs_handle *in = NULL;
    struct sp_ntfs_info info;
    enum sp_code rc;

    if (up->is_virtual)
        return open_folder(up->t, NULL, name, ret, &info, e);
    if ((rc = target_dir_use(up, &in, e)) != SP_OK)
        return rc;
    rc = target_open_named(up, in, name, NTFS_FOLDER, NTFS_LIST, ret, &info, e);
    target_dir_unuse(up);
    if (rc == SP_CHANGED)
        return sp_fail(
            e, SP_REFUSED, SP_DOM_DESTINATION, "something that is no folder is in its place");
    return rc;
}

enum sp_code
sp_target_dir_enter(
    struct sp_target_dir *up, const char *name, struct sp_target_dir **ret, struct sp_err *e)
{
    struct sp_target *t = up->t;
    struct sp_target_dir *d = NULL;
    struct sp_ntfs_handle *h = NULL;
    struct sp_target_stat st;
    char *as = NULL;
    bool stands_for = false;
    enum sp_code rc;

    if ((rc = target_name_check(up, name, e)) != SP_OK)
        return rc;
    if ((rc = target_name_in(up, name, &as, &stands_for, e)) != SP_OK)
        return rc;
    if ((d = target_dir_new(t, up, as)) == NULL) {
        rc = sp_fail_nomem(e);
        goto out;
    }
    d->stands_for = stands_for;
    d->from_path = up->is_virtual;
    if ((rc = open_below(up, as, &h, e)) != SP_OK)
        goto out;
    if ((rc = target_stat(t, h, &st, e)) != SP_OK) {
        target_close(t, h);
        goto out;
    }
    if (st.type != SP_ENTRY_DIR) {
        target_close(t, h);
        rc = sp_fail(e, SP_REFUSED, SP_DOM_DESTINATION, "a link is in its place");
        goto out;
    }
    if ((rc = target_dir_begin(d, h, true, e)) != SP_OK)
        goto out;
    *ret = d;
    d = NULL;
out:
    sp_target_dir_release(d);
    free(as);
    return rc;
}
