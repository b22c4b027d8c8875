#include "client/target_impl_posix.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/path.h"

/* Names: what may be one, temporary ones, and how a finished object gets its own. */

enum sp_code
sp_target_name_check(const struct sp_target_dir *d, const void *name, size_t n, uint32_t flags,
    struct sp_err *e)
{
    (void)d;
    (void)flags;
    return target_name_check(name, n, e);
}

enum sp_code
target_name_check(const void *name, size_t n, struct sp_err *e)
{
    /* A name without a NUL is a key of one component. */
    if (n == 0 || memchr(name, 0, n) != NULL || !sp_key_valid(name, n))
        return sp_fail(e, SP_INVALID, SP_DOM_STORE, "its name cannot be the name of a file here");
    return SP_OK;
}

/* A file that is being written is locked by its writer; everything else under such a name is made
 * and renamed at once. */
static bool
is_abandoned(int dir, const char *name)
{
    struct stat st;
    bool free_to_go;
    int fd;

    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0 || S_ISDIR(st.st_mode))
        return false;
    if (!S_ISREG(st.st_mode))
        return true;
    fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return errno == EACCES; /* it already has its final rights: about to be renamed, or dead */
    free_to_go = flock(fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK;
    (void)close(fd);
    return free_to_go;
}

/* A courtesy: what goes wrong here hinders nothing. */
void
target_sweep(struct sp_target_dir *d, int dir)
{
    struct dirent *entry;
    DIR *list;
    int fd;

    if (!d->existed || atomic_exchange(&d->swept, true))
        return;
    if ((fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
        return;
    if ((list = fdopendir(fd)) == NULL) {
        (void)close(fd);
        return;
    }
    while ((entry = readdir(list)) != NULL) {
        if (target_temp_foreign(&d->t->temp, entry->d_name) &&
            is_abandoned(dir, entry->d_name))
            (void)unlinkat(dir, entry->d_name, 0);
    }
    (void)closedir(list);
}

static enum sp_code
rename_new(int dir, const char *temp, const char *name, struct sp_err *e)
{
    struct stat st;

    if (renameat2(dir, temp, dir, name, RENAME_NOREPLACE) == 0)
        return SP_OK;
    /* File systems without the flag (EINVAL: FUSE, some network mounts) and kernels without the
     * call. */
    if (errno == EINVAL || errno == ENOSYS) {
        if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
            errno = EEXIST;
        else if (errno == ENOENT && renameat(dir, temp, dir, name) == 0)
            return SP_OK;
    }
    if (errno == EEXIST)
        return sp_fail(e, SP_EXISTS, SP_DOM_DESTINATION,
            "another object took its name meanwhile, or one whose name differs in case only");
    return sp_fail_os(e, SP_DOM_DESTINATION, errno, "it cannot be given its name");
}

enum sp_code
target_place(int dir, const char *temp, const char *name, bool replace, struct sp_err *e)
{
    enum sp_code rc;

    if ((rc = target_name_check(name, strlen(name), e)) != SP_OK)
        return rc;
    if (!replace)
        return rename_new(dir, temp, name, e);
    if (renameat(dir, temp, dir, name) == 0)
        return SP_OK;
    if (errno == EISDIR || errno == EEXIST || errno == ENOTEMPTY) {
        if (unlinkat(dir, name, AT_REMOVEDIR) != 0)
            return sp_fail_os(
                e, SP_DOM_DESTINATION, errno, "a folder is in the way that cannot be removed");
        if (renameat(dir, temp, dir, name) == 0)
            return SP_OK;
    }
    return sp_fail_os(e, SP_DOM_DESTINATION, errno, "it cannot be given its name");
}

/* By doing: a file, and a look at its name in capitals. Where nothing can be made nothing folds. */
void
target_probe_folding(struct sp_target *t)
{
    char name[TARGET_TEMP_NAME] = "", twin[TARGET_TEMP_NAME];
    struct stat a, b;
    struct sp_err e = {0};
    int dir, fd;

    if (target_dir_use(t->root, &dir, &e) != SP_OK)
        return;
    target_temp_name(&t->temp, name);
    for (size_t i = 0; i < sizeof twin; i++)
        twin[i] = (char)toupper((unsigned char)name[i]);
    fd = openat(dir, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd >= 0) {
        t->folds = fstat(fd, &a) == 0 && fstatat(dir, twin, &b, AT_SYMLINK_NOFOLLOW) == 0 &&
                   a.st_dev == b.st_dev && a.st_ino == b.st_ino;
        (void)close(fd);
        (void)unlinkat(dir, name, 0);
    }
    target_dir_unuse(t->root);
}
