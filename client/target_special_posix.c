#include "client/target_impl_posix.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "client/stat_posix.h"

/* Symbolic links, devices, FIFOs and sockets, and further names of one object. */

static enum sp_code
make_link(int dir, const char *temp, const struct sp_entry *en, struct sp_err *e)
{
    char *target = malloc(en->target_len + 1);
    int rc;

    if (target == NULL)
        return sp_fail_nomem(e);
    if (en->target_len > 0)
        memcpy(target, en->target, en->target_len);
    target[en->target_len] = '\0';
    rc = symlinkat(target, dir, temp);
    free(target);
    if (rc != 0)
        return sp_fail_os(e, SP_DOM_DESTINATION, errno, "the symbolic link cannot be made");
    return SP_OK;
}

static mode_t
mode_of(enum sp_entry_type type)
{
    switch (type) {
    case SP_ENTRY_CHAR:
        return S_IFCHR;
    case SP_ENTRY_BLOCK:
        return S_IFBLK;
    case SP_ENTRY_FIFO:
        return S_IFIFO;
    case SP_ENTRY_SOCKET:
        return S_IFSOCK;
    default:
        return 0;
    }
}

static enum sp_code
make(int dir, const char *temp, const struct sp_entry *en, struct sp_err *e)
{
    mode_t type = mode_of(en->type);
    uint64_t major_n = en->rdev >> 32, minor_n = en->rdev & UINT32_MAX;
    dev_t rdev = 0;

    if (en->type == SP_ENTRY_LINK)
        return make_link(dir, temp, en, e);
    if (type == 0)
        return sp_fail(e, SP_INTERNAL, SP_DOM_SELF, "no special file");
    if (S_ISCHR(type) || S_ISBLK(type)) {
        rdev = makedev((unsigned)major_n, (unsigned)minor_n);
        if (major(rdev) != major_n || minor(rdev) != minor_n)
            return sp_fail(e, SP_INVALID, SP_DOM_STORE, "there is no device of such a number");
    }
    if (mknodat(dir, temp, type | 0600, rdev) == 0)
        return SP_OK;
    if (errno == EPERM && rdev != 0)
        return sp_fail_os(
            e, SP_DOM_DESTINATION, errno, "a device cannot be made by this user or here");
    return sp_fail_os(e, SP_DOM_DESTINATION, errno, "it cannot be made here");
}

static enum sp_code
same(int fd, const struct sp_entry *en, bool *ret, struct sp_err *e)
{
    struct sp_entry now = {0};
    struct statx st;
    char *target;
    ssize_t n;

    if (sp_source_stat(fd, "", &st) != 0)
        return sp_fail_os(e, SP_DOM_DESTINATION, errno, "what is there cannot be looked at");
    sp_stat_fill(&now, &st);
    *ret = now.type == en->type &&
           (now.rdev == en->rdev || mode_of(en->type) == S_IFIFO || mode_of(en->type) == S_IFSOCK);
    if (!*ret || en->type != SP_ENTRY_LINK || target_ntfs_same_link(fd, en, ret))
        return SP_OK;
    if ((target = malloc(en->target_len + 1)) == NULL)
        return sp_fail_nomem(e);
    n = readlinkat(fd, "", target, en->target_len + 1);
    *ret = n >= 0 && (size_t)n == en->target_len && memcmp(target, en->target, (size_t)n) == 0;
    free(target);
    return SP_OK;
}

static enum sp_code
open_path(int dir, const char *name, int *ret_fd, struct sp_err *e)
{
    int fd;

    do
        fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    while (fd < 0 && errno == EINTR);
    if (fd < 0)
        return sp_fail_os(e, SP_DOM_DESTINATION, errno, "what is there cannot be opened");
    *ret_fd = fd;
    return SP_OK;
}

/* Attributes through a handle of what was just made. In a folder of somebody else the name may
 * already be something else: that gets nothing. */
static enum sp_code
dress(struct sp_target *t, int dir, const char *temp, const struct sp_entry *en,
    struct sp_target_stat *ret, struct sp_err *flaw, struct sp_err *e)
{
    struct target_handle h;
    struct sp_target_stat st;
    bool is_same = false;
    int fd = -1;
    enum sp_code rc;

    if ((rc = open_path(dir, temp, &fd, e)) != SP_OK)
        return rc;
    if ((rc = same(fd, en, &is_same, e)) != SP_OK)
        goto out;
    if ((rc = target_stat(fd, "", &st, e)) != SP_OK)
        goto out;
    if (!is_same || st.links != 1) {
        rc = sp_fail(e, SP_CHANGED, SP_DOM_DESTINATION,
            "it was replaced by another process while it was being made");
        goto out;
    }
    h = target_handle_of(fd, true);
    target_apply(t, &h, en, flaw);
    if (flaw->code == SP_FULL) {
        *e = *flaw;
        rc = SP_FULL;
        goto out;
    }
    rc = target_stat(fd, "", ret, e);
out:
    (void)close(fd);
    return rc;
}

enum sp_code
sp_target_special(struct sp_target_dir *d, const struct sp_entry *en, const char *name,
    bool replace, struct sp_target_stat *ret, struct sp_err *flaw, struct sp_err *e)
{
    struct sp_target_stat st = {0};
    char temp[TARGET_TEMP_NAME];
    bool ntfs = false;
    int dir;
    enum sp_code rc;

    sp_err_clear(flaw);
    if ((rc = target_dir_use(d, &dir, e)) != SP_OK)
        return rc;
    target_sweep(d, dir);
    target_temp_name(&d->t->temp, temp);
    rc = target_ntfs_make(d->t, dir, temp, en, &st, &ntfs, flaw, e);
    if (rc != SP_OK && !ntfs)
        goto out;
    if (!ntfs) {
        if ((rc = make(dir, temp, en, e)) != SP_OK)
            goto out;
        rc = dress(d->t, dir, temp, en, &st, flaw, e);
    }
    if (rc == SP_OK)
        rc = target_place(dir, temp, name, replace, e);
    if (rc == SP_OK && (en->flags & SP_ENTRY_WINDOWS) != 0)
        target_ntfs_seal(d->t, dir, name, st.inode, en, flaw);
    if (rc != SP_OK)
        target_ntfs_unmake(dir, temp);
    else if (ret != NULL)
        *ret = st;
out:
    target_dir_unuse(d);
    return rc;
}

enum sp_code
sp_target_is_same(struct sp_target_dir *d, const char *name, const struct sp_entry *en, bool *ret,
    struct sp_err *e)
{
    int dir, fd = -1;
    enum sp_code rc;

    if ((rc = target_name_check(name, strlen(name), e)) != SP_OK)
        return rc;
    if ((rc = target_dir_use(d, &dir, e)) != SP_OK)
        return rc;
    if ((rc = open_path(dir, name, &fd, e)) == SP_OK) {
        rc = same(fd, en, ret, e);
        (void)close(fd);
    }
    target_dir_unuse(d);
    return rc;
}

/* --- further names
 * ------------------------------------------------------------------------------------- */

static enum sp_code
link_temp(int from_dir, const char *from_name, const struct sp_target_stat *from, int dir,
    const char *temp, struct sp_err *e)
{
    struct sp_target_stat st;
    enum sp_code rc;

    if (linkat(from_dir, from_name, dir, temp, 0) != 0) {
        int why = errno;

        (void)sp_fail_os(e, SP_DOM_DESTINATION, why, "it cannot be linked to %.200s", from_name);
        /* EPERM: the file system has no links, or the system's rule for links of foreign files. */
        if (why == EXDEV || why == EMLINK || why == EPERM || why == ENOTSUP)
            e->code = SP_UNSUPPORTED;
        return e->code;
    }
    if ((rc = target_stat(dir, temp, &st, e)) == SP_OK &&
        (st.device != from->device || st.inode != from->inode))
        rc = sp_fail(e, SP_CHANGED, SP_DOM_DESTINATION,
            "what it is a link of was replaced by another process");
    if (rc != SP_OK)
        (void)unlinkat(dir, temp, 0);
    return rc;
}

enum sp_code
sp_target_link(struct sp_target_dir *from_dir, const char *from_name,
    const struct sp_target_stat *from, struct sp_target_dir *d, const struct sp_entry *en,
    const char *name, bool replace, struct sp_err *e)
{
    struct sp_err flaw = {0}; /* its first name has told it */
    char temp[TARGET_TEMP_NAME];
    int from_fd, dir;
    enum sp_code rc;

    if ((rc = target_name_check(from_name, strlen(from_name), e)) != SP_OK)
        return rc;
    if ((rc = target_dir_use(from_dir, &from_fd, e)) != SP_OK)
        return rc;
    if ((rc = target_dir_use(d, &dir, e)) != SP_OK)
        goto out;
    target_sweep(d, dir);
    target_temp_name(&d->t->temp, temp);
    if ((rc = link_temp(from_fd, from_name, from, dir, temp, e)) == SP_OK) {
        rc = target_place(dir, temp, name, replace, e);
        if (rc == SP_OK && (en->flags & SP_ENTRY_WINDOWS) != 0)
            target_ntfs_seal(d->t, dir, name, from->inode, en, &flaw);
        /* Also after a success: rename does nothing when both names are one file already. */
        (void)unlinkat(dir, temp, 0);
    }
    target_dir_unuse(d);
out:
    target_dir_unuse(from_dir);
    return rc;
}
