#include "client/target_impl_win32.h"

#include <string.h>

/* What an object gets beside its content, in the order of target_impl_win32.h. */

#define SETTABLE                                                                                   \
    (NTFS_READONLY | NTFS_HIDDEN | NTFS_SYSTEM | NTFS_ARCHIVE | NTFS_TEMPORARY |                   \
        NTFS_NOT_INDEXED | NTFS_PINNED | NTFS_UNPINNED)

void
target_unsupported(struct sp_target *t, enum target_kind kind)
{
    static const char *const sentences[] = {
        [TARGET_SECURITY] = "access control lists and owners cannot be set on this file system",
        [TARGET_OWNER] = "owners cannot be set by this user: such files belong to whoever restores "
                         "them; run as an administrator to keep them",
        [TARGET_AUDIT] = "what is audited (system access control lists) cannot be set by this user "
                         "or on this file system; run as an administrator to keep it",
        [TARGET_STREAMS] = "alternate data streams cannot be set on this file system",
        [TARGET_EAS] = "extended attributes cannot be set on this file system, or beside what else "
                       "the file has",
        [TARGET_OBJECT_ID] = "object ids that this user or file system cannot set, or that another "
                             "file of the volume has, are left out",
        [TARGET_SHORT_NAME] = "short names (8.3) that this user or file system cannot set, or that "
                              "another file in the folder has, are left out",
        [TARGET_COMPRESSION] = "files cannot be compressed on this file system: they are restored "
                               "uncompressed",
        [TARGET_SPARSE] = "files cannot have holes on this file system: zeros are in their place",
        [TARGET_CASE] =
            "folders cannot be made case-sensitive here, by this user, or when something "
            "is in them",
        [TARGET_REPARSE] = "what makes a file or folder a link, a mount point or a part of another "
                           "program's store cannot be set on this file system or by us: it is "
                           "restored as a plain one",
        [TARGET_EFS_FOLDER] = "folders cannot be made to encrypt (EFS) here: what was encrypted is "
                              "restored so, what is new in them will not be",
        [TARGET_EFS_PLAIN] = "the target folder encrypts what is made in it (EFS): files that were "
                             "plain are encrypted for the user who restores them",
        [TARGET_INTEGRITY] = "integrity streams cannot be set on this file system",
        [TARGET_FOREIGN] = "owner, group and permission bits of another system cannot be set on "
                           "Windows: such files have the rights of their folder",
        [TARGET_FOREIGN_XATTR] = "extended attributes of another system cannot be set on Windows",
    };

    target_notes_add(&t->notes, kind, sentences[kind]);
}

void
target_flaw(struct sp_err *flaw, const struct sp_err *e)
{
    if (flaw->code == SP_OK || (e->code == SP_FULL && flaw->code != SP_FULL))
        *flaw = *e;
}

static bool
of_windows(const struct sp_entry *en)
{
    return (en->flags & SP_ENTRY_WINDOWS) != 0;
}

/* --- reparse data
 * -------------------------------------------------------------------------------------- */

/* Its content reads the same without the tag. */
static bool
is_transparent(uint32_t tag)
{
    return tag == NTFS_TAG_DEDUP || tag == NTFS_TAG_WOF;
}

static enum sp_code
set_reparse(struct sp_target_dir *d, struct sp_ntfs_handle *h, const struct sp_attribute *a,
    struct sp_err *e)
{
    const struct sp_ntfs *fs = d->t->fs;
    struct sp_buf has = SP_BUF_INIT, nothing = SP_BUF_INIT;
    struct sp_ntfs_info info;
    bool more = false, same = false;
    enum sp_code rc;

    if ((rc = fs->info(fs->self, h, &info, e)) != SP_OK)
        return rc;
    if (info.reparse_tag != 0 && (rc = target_reparse(d->t, h, &has, e)) == SP_OK)
        same = has.len == a->len && memcmp(has.data, a->value, a->len) == 0;
    sp_buf_free(&has);
    if (rc != SP_OK || same)
        return rc;
    rc = fs->control(fs->self, h, FSCTL_SP_SET_REPARSE, a->value, a->len, 0, &nothing, &more, e);
    sp_buf_free(&nothing);
    return rc;
}

void
target_reparse_set(struct sp_target_dir *d, struct sp_ntfs_handle *h, const struct sp_entry *en,
    struct sp_err *flaw)
{
    const struct sp_attribute *a = sp_ntfs_find(en, WINDOWS_REPARSE);
    struct sp_err why = {0};
    uint32_t tag;
    enum sp_code rc;

    if (a == NULL || a->external)
        return;
    tag = sp_ntfs_reparse_tag(a->value, a->len);
    if (is_transparent(tag))
        return;
    if (!target_tag_is_whole(tag) || (d->flags & NTFS_FS_REPARSE) == 0) {
        target_unsupported(d->t, TARGET_REPARSE);
        return;
    }
    rc = sp_ntfs_reparse_ok(a->value, a->len)
             ? set_reparse(d, h, a, &why)
             : sp_fail(&why, SP_CORRUPT, SP_DOM_STORE, "its reparse data makes no sense");
    /* What was read through a mount point is in the folder now, which so can be none. */
    if (rc == SP_UNSUPPORTED || (rc == SP_EXISTS && en->type == SP_ENTRY_DIR)) {
        target_unsupported(d->t, TARGET_REPARSE);
    } else if (rc != SP_OK) {
        (void)target_fail(&why, "its reparse point cannot be set");
        target_flaw(flaw, &why);
    }
}

void
target_dress(struct sp_target_dir *d, struct sp_ntfs_handle *h, const struct sp_entry *en,
    bool is_new, struct sp_err *flaw)
{
    if (!of_windows(en)) {
        target_unsupported(d->t, TARGET_FOREIGN);
        if (en->nattributes > 0)
            target_unsupported(d->t, TARGET_FOREIGN_XATTR);
        return;
    }
    target_streams_set(d, h, en, is_new, flaw);
    target_eas_set(d, h, en, flaw);
    if (en->type != SP_ENTRY_LINK)
        target_reparse_set(d, h, en, flaw);
    target_security_set(d, h, en, flaw);
}

/* --- what the name brings with it
 * ---------------------------------------------------------------------- */

#define OBJECT_ID_LEN 64

static const struct sp_attribute *
object_id(const struct sp_entry *en)
{
    const struct sp_attribute *a = sp_ntfs_find(en, WINDOWS_OBJECT_ID);

    return of_windows(en) && a != NULL && a->len == OBJECT_ID_LEN ? a : NULL;
}

enum sp_code
target_object_id_differs(struct sp_target_dir *d, struct sp_ntfs_handle *h,
    const struct sp_entry *en, bool *ret, struct sp_err *e)
{
    const struct sp_attribute *a = object_id(en);
    const struct sp_ntfs *fs = d->t->fs;
    struct sp_buf has = SP_BUF_INIT;
    bool more = false;
    enum sp_code rc;

    *ret = false;
    if (a == NULL || (d->flags & NTFS_FS_OBJECT_IDS) == 0)
        return SP_OK;
    rc = fs->control(fs->self, h, FSCTL_SP_GET_OBJECT_ID, NULL, 0, OBJECT_ID_LEN, &has, &more, e);
    if (rc == SP_ABSENT || rc == SP_UNSUPPORTED) {
        *ret = rc == SP_ABSENT;
        rc = SP_OK;
    } else if (rc != SP_OK) {
        (void)target_fail(e, "its object id cannot be read");
    } else {
        *ret = has.len != a->len || memcmp(has.data, a->value, a->len) != 0;
    }
    sp_buf_free(&has);
    return rc;
}

static void
set_object_id(struct sp_target_dir *d, struct sp_ntfs_handle *h, const struct sp_entry *en,
    struct sp_err *flaw)
{
    const struct sp_attribute *a = object_id(en);
    const struct sp_ntfs *fs = d->t->fs;
    struct sp_buf nothing = SP_BUF_INIT;
    struct sp_err why = {0};
    bool more = false, differs = false;
    enum sp_code rc;

    if (a == NULL)
        return;
    if ((d->flags & NTFS_FS_OBJECT_IDS) == 0) {
        target_unsupported(d->t, TARGET_OBJECT_ID);
        return;
    }
    if ((rc = target_object_id_differs(d, h, en, &differs, &why)) == SP_OK && differs)
        rc = fs->control(
            fs->self, h, FSCTL_SP_SET_OBJECT_ID, a->value, a->len, 0, &nothing, &more, &why);
    sp_buf_free(&nothing);
    if (rc == SP_EXISTS || rc == SP_DENIED || rc == SP_UNSUPPORTED) {
        target_unsupported(d->t, TARGET_OBJECT_ID);
    } else if (rc != SP_OK) {
        (void)target_fail(&why, "its object id cannot be set");
        target_flaw(flaw, &why);
    }
}

/* Windows gave others their short names as they came; in a folder of our own they give way. */
static enum sp_code
take_short_name(
    struct sp_target_dir *in, struct sp_ntfs_handle *h, const char *name, struct sp_err *e)
{
    const struct sp_ntfs *fs = in->t->fs;
    struct sp_ntfs_handle *dir = NULL;
    struct sp_err why = {0};
    enum sp_code rc;

    if ((rc = fs->set_short_name(fs->self, h, name, e)) != SP_EXISTS)
        return rc;
    if (target_dir_use(in, &dir, &why) != SP_OK)
        return rc;
    if (target_free_short(in, dir, name, &why) == SP_OK) {
        sp_err_clear(e);
        rc = fs->set_short_name(fs->self, h, name, e);
    }
    target_dir_unuse(in);
    return rc;
}

void
target_short_name_set(struct sp_target_dir *in, struct sp_ntfs_handle *h, const struct sp_entry *en,
    struct sp_err *flaw)
{
    const struct sp_attribute *a = sp_ntfs_find(en, WINDOWS_SHORT_NAME);
    char name[64];
    struct sp_err why = {0};
    enum sp_code rc;

    if (in == NULL || !of_windows(en) || a == NULL || a->len == 0 || a->len >= sizeof name ||
        memchr(a->value, 0, a->len) != NULL)
        return;
    memcpy(name, a->value, a->len);
    name[a->len] = '\0';
    rc = target_name_check(in, name, &why);
    if (rc == SP_OK)
        rc = take_short_name(in, h, name, &why);
    if (rc == SP_EXISTS || rc == SP_DENIED || rc == SP_UNSUPPORTED) {
        target_unsupported(in->t, TARGET_SHORT_NAME);
    } else if (rc != SP_OK) {
        (void)target_fail(&why, "its short name cannot be set");
        target_flaw(flaw, &why);
    }
}

/* OFFLINE and what recalls would say that the content, which is here now, is elsewhere. 0 would
 * leave them. */
static uint32_t
attributes_of(const struct sp_entry *en, const struct sp_ntfs_info *now)
{
    uint32_t keep = now->attributes & SETTABLE & ~NTFS_READONLY, to;

    if (of_windows(en))
        to = sp_ntfs_attributes_of(en) & SETTABLE;
    else
        to = keep | (en->type == SP_ENTRY_FILE && (en->mode & 0200) == 0 ? NTFS_READONLY : 0);
    return to != 0 ? to : NTFS_NORMAL;
}

struct sp_ntfs_info
target_basic(const struct sp_entry *en, const struct sp_ntfs_info *now)
{
    struct sp_ntfs_info to = {.attributes = attributes_of(en, now),
        .btime = sp_ntfs_ticks(en->btime_ns),
        .atime = sp_ntfs_ticks(en->atime_ns),
        .mtime = sp_ntfs_ticks(en->mtime_ns)};

    if (of_windows(en))
        to.ctime = sp_ntfs_ticks(en->ctime_ns);
    return to;
}

static void
set_basic(struct sp_target_dir *d, struct sp_ntfs_handle *h, const struct sp_entry *en,
    struct sp_err *flaw)
{
    const struct sp_ntfs *fs = d->t->fs;
    struct sp_ntfs_info now, to;
    struct sp_err why = {0};

    if (fs->info(fs->self, h, &now, &why) == SP_OK) {
        to = target_basic(en, &now);
        if (fs->set_basic(fs->self, h, &to, &why) == SP_OK)
            return;
    }
    (void)target_fail(&why, "its attributes and times cannot be set");
    target_flaw(flaw, &why);
}

void
target_finish(struct sp_target_dir *d, struct sp_target_dir *in, struct sp_ntfs_handle *h,
    const struct sp_entry *en, struct sp_err *flaw)
{
    set_object_id(d, h, en, flaw);
    target_short_name_set(in, h, en, flaw);
    set_basic(d, h, en, flaw);
}
