#include "client/target_impl_win32.h"

#include <string.h>

/* Symbolic links, junctions and links of WSL, and further names of one object. Devices, FIFOs and
 * sockets of another system have no like on Windows; those of WSL are files with reparse data and
 * restored as such. */

/* Whether a link is a folder of its own making is fixed when it is made. One from another system
 * does not know: what it leads to is a folder, or looks like one. */
static bool
ends_as_folder(const struct sp_entry *en)
{
    const char *p = (const char *)en->target;
    size_t n = en->target_len;

    if (n == 0)
        return false;
    if (p[n - 1] == '/')
        return true;
    return (p[n - 1] == '.' && (n == 1 || p[n - 2] == '/')) ||
           (n >= 2 && p[n - 1] == '.' && p[n - 2] == '.' && (n == 2 || p[n - 3] == '/'));
}

/* A relative target that stands already, looked up one name at a time through folders only. */
static bool
leads_to_folder(struct sp_target_dir *d, const struct sp_entry *en)
{
    struct sp_target_dir *at = sp_target_dir_hold(d), *next;
    const char *p = (const char *)en->target, *end = p + en->target_len;
    struct sp_err ignored = {0};
    char name[1024];

    if (p < end && *p == '/')
        p = end;
    while (p < end && at != NULL) {
        const char *slash = memchr(p, '/', (size_t)(end - p));
        size_t n = slash != NULL ? (size_t)(slash - p) : (size_t)(end - p);

        if (n >= sizeof name)
            break;
        memcpy(name, p, n);
        name[n] = '\0';
        p += n + (slash != NULL);
        if (n == 0 || strcmp(name, ".") == 0)
            continue;
        next = NULL;
        if (strcmp(name, "..") == 0)
            next = at->up != NULL ? sp_target_dir_hold(at->up) : NULL;
        else if (sp_target_dir_enter(at, name, &next, &ignored) != SP_OK)
            next = NULL;
        sp_target_dir_release(at);
        at = next;
        if (p == end && at != NULL) {
            sp_target_dir_release(at);
            return true;
        }
    }
    sp_target_dir_release(at);
    return false;
}

static bool
is_folder(struct sp_target_dir *d, const struct sp_entry *en)
{
    if ((en->flags & SP_ENTRY_WINDOWS) != 0)
        return (sp_ntfs_attributes_of(en) & NTFS_DIRECTORY) != 0;
    return ends_as_folder(en) || leads_to_folder(d, en);
}

/* Its reparse data as it is kept, or made of where it leads. */
static enum sp_code
data_of(const struct sp_entry *en, struct sp_buf *ret, struct sp_err *e)
{
    const struct sp_attribute *a = sp_ntfs_find(en, WINDOWS_REPARSE);

    if ((en->flags & SP_ENTRY_WINDOWS) == 0 || a == NULL || a->external)
        return sp_ntfs_reparse_make(en->target, en->target_len, ret, e);
    if (!sp_ntfs_reparse_ok(a->value, a->len))
        return sp_fail(e, SP_CORRUPT, SP_DOM_STORE, "its reparse data makes no sense");
    sp_buf_put(ret, a->value, a->len);
    return sp_buf_ok(ret, e);
}

static enum sp_code
make_link(
    struct sp_target_dir *d, struct sp_ntfs_handle *h, const struct sp_entry *en, struct sp_err *e)
{
    const struct sp_ntfs *fs = d->t->fs;
    struct sp_buf data = SP_BUF_INIT, nothing = SP_BUF_INIT;
    bool more = false;
    enum sp_code rc;

    if ((rc = data_of(en, &data, e)) != SP_OK)
        goto out;
    rc = fs->control(fs->self, h, FSCTL_SP_SET_REPARSE, data.data, data.len, 0, &nothing, &more, e);
    if (rc == SP_OK)
        goto out;
    if (rc == SP_DENIED && sp_ntfs_reparse_tag(data.data, data.len) == NTFS_TAG_SYMLINK)
        rc = sp_fail(e, SP_DENIED, SP_DOM_DESTINATION,
            "this user may not make symbolic links: run as an administrator, or switch on the "
            "developer mode of Windows");
    else if (rc == SP_UNSUPPORTED)
        rc = sp_fail(e, SP_UNSUPPORTED, SP_DOM_DESTINATION,
            "this file system has no links; restore it to an NTFS volume");
    else
        (void)target_fail(e, "the link cannot be made");
out:
    sp_buf_free(&data);
    sp_buf_free(&nothing);
    return rc;
}

static enum sp_code
special(struct sp_target_dir *d, struct sp_ntfs_handle *dir, struct target_new *n,
    const struct sp_entry *en, const char *name, bool replace, struct sp_target_stat *ret,
    struct sp_err *flaw, struct sp_err *e)
{
    enum sp_code rc;

    if ((rc = make_link(d, n->h, en, e)) != SP_OK)
        return rc;
    target_dress(d, n->h, en, true, flaw);
    if (flaw->code == SP_FULL) {
        *e = *flaw;
        return SP_FULL;
    }
    if ((rc = target_place(d, dir, n->h, name, replace, e)) != SP_OK)
        return rc;
    target_finish(d, d, n->h, en, flaw);
    return target_stat(d->t, n->h, ret, e);
}

enum sp_code
sp_target_special(struct sp_target_dir *d, const struct sp_entry *en, const char *name,
    bool replace, struct sp_target_stat *ret, struct sp_err *flaw, struct sp_err *e)
{
    struct sp_target_stat st = {0};
    struct target_new n;
    struct sp_ntfs_handle *dir = NULL;
    enum sp_code rc;

    sp_err_clear(flaw);
    if (en->type != SP_ENTRY_LINK)
        return sp_fail(e, SP_UNSUPPORTED, SP_DOM_DESTINATION,
            "Windows has no devices, FIFOs or sockets among its files; restore it on the system "
            "that "
            "it comes from");
    if ((rc = target_name_check(d, name, e)) != SP_OK)
        return rc;
    if ((rc = target_dir_use(d, &dir, e)) != SP_OK)
        return rc;
    if ((rc = target_make(d, en, is_folder(d, en), &n, e)) == SP_OK) {
        rc = special(d, dir, &n, en, name, replace, &st, flaw, e);
        target_make_end(&n, rc != SP_OK);
    }
    target_dir_unuse(d);
    if (rc == SP_OK && ret != NULL)
        *ret = st;
    return rc;
}

/* --- what is there
 * ------------------------------------------------------------------------------------- */

static enum sp_code
same_link(struct sp_target_dir *d, struct sp_ntfs_handle *h, const struct sp_ntfs_info *info,
    const struct sp_entry *en, bool *ret, struct sp_err *e)
{
    struct sp_buf has = SP_BUF_INIT, want = SP_BUF_INIT;
    bool folder = (info->attributes & NTFS_DIRECTORY) != 0;
    enum sp_code rc;

    *ret = false;
    if (info->reparse_tag == 0)
        return SP_OK;
    if ((en->flags & SP_ENTRY_WINDOWS) != 0 && folder != is_folder(d, en))
        return SP_OK;
    if ((rc = target_reparse(d->t, h, &has, e)) == SP_OK && (rc = data_of(en, &want, e)) == SP_OK)
        *ret = has.len == want.len && memcmp(has.data, want.data, has.len) == 0;
    sp_buf_free(&has);
    sp_buf_free(&want);
    return rc;
}

enum sp_code
sp_target_is_same(struct sp_target_dir *d, const char *name, const struct sp_entry *en, bool *ret,
    struct sp_err *e)
{
    struct sp_ntfs_handle *dir = NULL, *h = NULL;
    struct sp_ntfs_info info;
    enum sp_code rc;

    if ((rc = target_dir_use(d, &dir, e)) != SP_OK)
        return rc;
    rc = target_open_named(d, dir, name, NTFS_ANY, NTFS_LOOK, &h, &info, e);
    if (rc == SP_OK) {
        *ret = false;
        if (en->type == SP_ENTRY_LINK)
            rc = same_link(d, h, &info, en, ret, e);
        target_close(d->t, h);
    }
    target_dir_unuse(d);
    return rc;
}

/* --- further names
 * ------------------------------------------------------------------------------------- */

/* The new name is a change of what it names: everything is set again as it was. */
static enum sp_code
put_back(struct sp_target_dir *d, struct sp_ntfs_handle *h, const struct sp_ntfs_info *was,
    struct sp_err *e)
{
    const struct sp_ntfs *fs = d->t->fs;
    struct sp_ntfs_info to = {.btime = was->btime,
        .atime = was->atime,
        .mtime = was->mtime,
        .ctime = was->ctime,
        .attributes = was->attributes};

    if (fs->set_basic(fs->self, h, &to, e) == SP_OK)
        return SP_OK;
    return target_fail(e, "its times cannot be set again after it was linked");
}

/* The short name belongs to one of the names: the handle has to come by that one. */
static enum sp_code
short_name(struct sp_target_dir *d, struct sp_ntfs_handle *dir, const struct sp_entry *en,
    const char *name, const struct sp_ntfs_info *was, struct sp_err *e)
{
    struct sp_ntfs_handle *h = NULL;
    struct sp_ntfs_info info;
    struct sp_err flaw = {0};
    enum sp_code rc;

    if (sp_ntfs_find(en, WINDOWS_SHORT_NAME) == NULL)
        return SP_OK;
    rc = target_open_named(d, dir, name, NTFS_ANY, NTFS_CHANGE, &h, &info, e);
    if (rc != SP_OK)
        return rc;
    target_short_name_set(d, h, en, &flaw);
    rc = put_back(d, h, was, e);
    target_close(d->t, h);
    if (rc == SP_OK && flaw.code != SP_OK) {
        *e = flaw;
        rc = flaw.code;
    }
    return rc;
}

static enum sp_code
link_open(struct sp_target_dir *d, struct sp_ntfs_handle *dir, struct sp_ntfs_handle *h,
    const struct sp_ntfs_info *was, const struct sp_entry *en, const char *name, bool replace,
    struct sp_err *e)
{
    enum sp_code rc;

    /* Tried, whatever the flags say: Windows before 7, many a share's server and Wine have hard links
     * and not the flag (FILE_SUPPORTS_HARD_LINKS, GetVolumeInformationByHandleW). */
    if ((rc = target_place_link(d, dir, h, name, replace, e)) != SP_OK)
        return rc;
    if ((rc = put_back(d, h, was, e)) != SP_OK)
        return rc;
    return short_name(d, dir, en, name, was, e);
}

enum sp_code
sp_target_link(struct sp_target_dir *from_dir, const char *from_name,
    const struct sp_target_stat *from, struct sp_target_dir *d, const struct sp_entry *en,
    const char *name, bool replace, struct sp_err *e)
{
    struct sp_ntfs_handle *from_in = NULL, *dir = NULL, *h = NULL;
    struct sp_ntfs_info info;
    enum sp_code rc;

    if ((rc = target_name_check(d, name, e)) != SP_OK)
        return rc;
    if ((rc = target_dir_use(from_dir, &from_in, e)) != SP_OK)
        return rc;
    if ((rc = target_dir_use(d, &dir, e)) != SP_OK)
        goto out;
    rc = target_open_named(from_dir, from_in, from_name, NTFS_ANY, NTFS_CHANGE, &h, &info, e);
    if (rc == SP_OK && (info.volume != from->device || info.file_id != from->inode))
        rc = sp_fail(e, SP_CHANGED, SP_DOM_DESTINATION,
            "what it is a link of was replaced by another process");
    if (rc == SP_OK)
        rc = link_open(d, dir, h, &info, en, name, replace, e);
    target_close(d->t, h);
    target_dir_unuse(d);
out:
    target_dir_unuse(from_dir);
    return rc;
}
