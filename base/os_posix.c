/* The table of file operations over POSIX and Linux: see os.h.
 *
 * A fault is laid to the store, which is what the table is mostly used for; whoever uses it for
 * something else says so on the way up. */

#include "base/os.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/path.h"

struct sp_file {
    int fd;
    char *path; /* for messages */
};

/* "cannot <what> <path>: <why>" with the path made harmless. Keeps errno's value in e->os. */
static enum sp_code
fail_path(struct sp_err *e, int os_errno, const char *what, const char *path)
{
    struct sp_buf shown = SP_BUF_INIT;
    enum sp_code rc;

    sp_path_show(path, strlen(path), &shown);
    rc = sp_fail_os(e, SP_DOM_STORE, os_errno, "cannot %s %s", what, sp_buf_str(&shown));
    sp_buf_free(&shown);
    return rc;
}

static enum sp_code
fail_not_file(struct sp_err *e, const char *path)
{
    struct sp_buf shown = SP_BUF_INIT;
    enum sp_code rc;

    sp_path_show(path, strlen(path), &shown);
    rc = sp_fail(e, SP_REFUSED, SP_DOM_STORE, "%s is not a file", sp_buf_str(&shown));
    sp_buf_free(&shown);
    return rc;
}

static enum sp_os_type
type_of(mode_t mode)
{
    if (S_ISREG(mode))
        return SP_OS_FILE;
    if (S_ISDIR(mode))
        return SP_OS_DIR;
    return S_ISLNK(mode) ? SP_OS_LINK : SP_OS_OTHER;
}

/* Times outside of what an int64 of nanoseconds can say (a broken file system) go to its ends. */
static int64_t
ns_of(const struct timespec *t)
{
    if (t->tv_sec >= INT64_MAX / SP_SECOND)
        return INT64_MAX;
    if (t->tv_sec <= INT64_MIN / SP_SECOND)
        return INT64_MIN;
    return (int64_t)t->tv_sec * SP_SECOND + t->tv_nsec;
}

static struct sp_os_stat
stat_of(const struct stat *st)
{
    return (struct sp_os_stat){.type = type_of(st->st_mode),
        .size = st->st_size > 0 ? (uint64_t)st->st_size : 0,
        .mtime_ns = ns_of(&st->st_mtim),
        .device = (uint64_t)st->st_dev,
        .inode = (uint64_t)st->st_ino};
}

static int
open_again(const char *path, int flags)
{
    int fd;

    do
        fd = open(path, flags | O_CLOEXEC, 0600);
    while (fd < 0 && errno == EINTR);
    return fd;
}

static enum sp_code
open_file(const char *path, int flags, const char *what, struct sp_file **ret, struct sp_err *e)
{
    struct sp_file *f = calloc(1, sizeof(*f));

    if (f == NULL || (f->path = strdup(path)) == NULL) {
        free(f);
        return sp_fail_nomem(e);
    }
    f->fd = open_again(path, flags | O_NOFOLLOW | O_NOCTTY);
    /* Another process (Samba with kernel oplocks) has a lease and is being asked to give it up; a
     * pipe never answers like this, so waiting will end. */
    if (f->fd < 0 && errno == EAGAIN && (flags & O_NONBLOCK) != 0)
        f->fd = open_again(path, (flags & ~O_NONBLOCK) | O_NOFOLLOW | O_NOCTTY);
    if (f->fd < 0) {
        int why = errno;

        free(f->path);
        free(f);
        return fail_path(e, why, what, path);
    }
    *ret = f;
    return SP_OK;
}

static enum sp_code
posix_close(void *self, struct sp_file *f, struct sp_err *e)
{
    enum sp_code rc = SP_OK;

    (void)self;
    /* Linux releases the descriptor whatever close answers, also EINTR: never a second time. */
    if (close(f->fd) != 0)
        rc = fail_path(e, errno, "close", f->path);
    free(f->path);
    free(f);
    return rc;
}

static enum sp_code
posix_open_read(void *self, const char *path, struct sp_file **ret, struct sp_err *e)
{
    struct sp_file *f;
    struct sp_err ignored;
    struct stat st;
    enum sp_code rc;

    /* O_NONBLOCK: the name could be a pipe, and opening one would wait for a writer. */
    if ((rc = open_file(path, O_RDONLY | O_NONBLOCK, "open", &f, e)) != SP_OK)
        return rc;
    if (fstat(f->fd, &st) != 0)
        rc = fail_path(e, errno, "look at", path);
    else if (!S_ISREG(st.st_mode))
        rc = fail_not_file(e, path);
    if (rc != SP_OK) {
        (void)posix_close(self, f, &ignored);
        return rc;
    }
    *ret = f;
    return SP_OK;
}

static enum sp_code
posix_create(void *self, const char *path, struct sp_file **ret, struct sp_err *e)
{
    (void)self;
    return open_file(path, O_RDWR | O_CREAT | O_EXCL, "create", ret, e);
}

/* Offsets are signed in POSIX, and one call moves less than 2 GiB on Linux. */
static bool
range_ok(uint64_t offset, size_t n)
{
    return offset <= INT64_MAX && n <= (uint64_t)INT64_MAX - offset;
}

#define MOST_AT_ONCE ((size_t)1 << 30)

static enum sp_code
posix_read_at(void *self, struct sp_file *f, uint64_t offset, void *to, size_t n, size_t *ret_n,
    struct sp_err *e)
{
    uint8_t *out = to;
    size_t done = 0;

    (void)self;
    if (!range_ok(offset, n))
        return fail_path(e, EOVERFLOW, "read", f->path);
    while (done < n) {
        size_t part = n - done < MOST_AT_ONCE ? n - done : MOST_AT_ONCE;
        ssize_t got = pread(f->fd, out + done, part, (off_t)(offset + done));

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return fail_path(e, errno, "read", f->path);
        if (got == 0)
            break;
        done += (size_t)got;
    }
    *ret_n = done;
    return SP_OK;
}

static enum sp_code
posix_write_at(
    void *self, struct sp_file *f, uint64_t offset, const void *p, size_t n, struct sp_err *e)
{
    const uint8_t *in = p;
    size_t done = 0;

    (void)self;
    if (!range_ok(offset, n))
        return fail_path(e, EFBIG, "write", f->path);
    while (done < n) {
        size_t part = n - done < MOST_AT_ONCE ? n - done : MOST_AT_ONCE;
        ssize_t put = pwrite(f->fd, in + done, part, (off_t)(offset + done));

        if (put < 0 && errno == EINTR)
            continue;
        /* Nothing written and no reason given: going on would never end. */
        if (put <= 0)
            return fail_path(e, put < 0 ? errno : EIO, "write", f->path);
        done += (size_t)put;
    }
    return SP_OK;
}

static enum sp_code
posix_file_stat(void *self, struct sp_file *f, struct sp_os_stat *ret, struct sp_err *e)
{
    struct stat st;

    (void)self;
    if (fstat(f->fd, &st) != 0)
        return fail_path(e, errno, "look at", f->path);
    *ret = stat_of(&st);
    return SP_OK;
}

/* EINTR says that the flush was not waited for, not that it failed: asking again is no second proof
 * after a failure (R3). */
static int
fsync_again(int fd)
{
    int rc;

    do
        rc = fsync(fd);
    while (rc != 0 && errno == EINTR);
    return rc;
}

static enum sp_code
posix_sync(void *self, struct sp_file *f, struct sp_err *e)
{
    (void)self;
    return fsync_again(f->fd) != 0 ? fail_path(e, errno, "flush", f->path) : SP_OK;
}

static bool
same_file(const char *a, const char *b)
{
    struct stat x, y;

    return lstat(a, &x) == 0 && lstat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* The last resort, on file systems without hard links: between the look and the rename another
 * could take the name. Object names are hashes or random, so that other could only have the same
 * bytes. */
static enum sp_code
publish_by_rename(const char *from, const char *to, struct sp_err *e)
{
    struct stat st;

    if (lstat(to, &st) == 0)
        return fail_path(e, EEXIST, "publish", to);
    if (errno != ENOENT || rename(from, to) != 0)
        return fail_path(e, errno, "publish", to);
    return SP_OK;
}

static enum sp_code
publish_by_link(const char *from, const char *to, struct sp_err *e)
{
    /* Over NFS an answer can be lost and the request repeated, which then says EEXIST of our own
     * work: the link is ours when both names are one file (open(2), O_EXCL, says the same). */
    if (link(from, to) != 0) {
        int why = errno;

        /* EIO is rclone's word for "no links"; where it is meant, the rename meets it as well. */
        if (why == EPERM || why == ENOTSUP || why == EMLINK || why == ENOSYS || why == EIO)
            return publish_by_rename(from, to, e);
        if (why != EEXIST || !same_file(from, to))
            return fail_path(e, why, "publish", to);
    }
    if (unlink(from) != 0 && errno != ENOENT)
        return fail_path(e, errno, "remove the temporary name", from);
    return SP_OK;
}

static enum sp_code
posix_publish(void *self, const char *from, const char *to, struct sp_err *e)
{
    (void)self;
    if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
        return SP_OK;
    /* NFS and older FUSE and CIFS do not know the flag. */
    if (errno == EINVAL || errno == ENOSYS || errno == ENOTSUP)
        return publish_by_link(from, to, e);
    return fail_path(e, errno, "publish", to);
}

static enum sp_code
posix_replace(void *self, const char *from, const char *to, struct sp_err *e)
{
    (void)self;
    return rename(from, to) != 0 ? fail_path(e, errno, "replace", to) : SP_OK;
}

static enum sp_code
posix_remove(void *self, const char *path, struct sp_err *e)
{
    (void)self;
    return unlink(path) != 0 ? fail_path(e, errno, "remove", path) : SP_OK;
}

static enum sp_code
posix_mkdir(void *self, const char *path, struct sp_err *e)
{
    (void)self;
    return mkdir(path, 0700) != 0 ? fail_path(e, errno, "create folder", path) : SP_OK;
}

static enum sp_code
posix_rmdir(void *self, const char *path, struct sp_err *e)
{
    (void)self;
    return rmdir(path) != 0 ? fail_path(e, errno, "remove folder", path) : SP_OK;
}

static enum sp_code
posix_sync_dir(void *self, const char *path, struct sp_err *e)
{
    int fd = open_again(path, O_RDONLY | O_DIRECTORY);
    enum sp_code rc = SP_OK;

    (void)self;
    if (fd < 0)
        return fail_path(e, errno, "open folder", path);
    if (fsync_again(fd) != 0) {
        int why = errno;

        rc = fail_path(e, why, "flush folder", path);
        /* What CIFS and some FUSE file systems answer because they cannot do it. The number stays
         * in e->os for the probe, which tolerates exactly what it saw. */
        if (why == EINVAL || why == ENOENT || why == ENOTSUP || why == ENOSYS)
            rc = e->code = SP_UNSUPPORTED;
    }
    if (close(fd) != 0 && rc == SP_OK)
        rc = fail_path(e, errno, "close folder", path);
    return rc;
}

/* SP_ABSENT: the entry went away since it was listed. */
static enum sp_code
entry_stat(DIR *d, const struct dirent *entry, bool want_stat, const char *path,
    struct sp_os_stat *ret, struct sp_err *e)
{
    struct stat st;

    if (want_stat || entry->d_type == DT_UNKNOWN) {
        if (fstatat(dirfd(d), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
            enum sp_code rc = fail_path(e, errno, "look at", entry->d_name);

            sp_err_context(e, "folder %s", path);
            return rc;
        }
        *ret = stat_of(&st);
        return SP_OK;
    }
    *ret = (struct sp_os_stat){.type = entry->d_type == DT_REG   ? SP_OS_FILE
                                       : entry->d_type == DT_DIR ? SP_OS_DIR
                                       : entry->d_type == DT_LNK ? SP_OS_LINK
                                                                 : SP_OS_OTHER};
    return SP_OK;
}

static enum sp_code
posix_list(void *self, const char *path, bool want_stat,
    enum sp_code (*each)(
        void *arg, const char *name, const struct sp_os_stat *st, struct sp_err *e),
    void *arg, struct sp_err *e)
{
    struct sp_err entry_err = {0};
    struct dirent *entry;
    enum sp_code rc = SP_OK;
    DIR *d;
    int fd = open_again(path, O_RDONLY | O_DIRECTORY);

    (void)self;
    if (fd < 0)
        return fail_path(e, errno, "list", path);
    if ((d = fdopendir(fd)) == NULL) {
        rc = fail_path(e, errno, "list", path);
        (void)close(fd);
        return rc;
    }
    while (rc == SP_OK) {
        struct sp_os_stat st;

        errno = 0;
        if ((entry = readdir(d)) == NULL) {
            if (errno != 0)
                rc = fail_path(e, errno, "list", path);
            break;
        }
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        rc = entry_stat(d, entry, want_stat, path, &st, &entry_err);
        if (rc == SP_ABSENT)
            rc = SP_OK;
        else if (rc != SP_OK)
            *e = entry_err;
        else
            rc = each(arg, entry->d_name, &st, e);
    }
    if (closedir(d) != 0 && rc == SP_OK)
        rc = fail_path(e, errno, "list", path);
    return rc;
}

static enum sp_code
posix_stat(void *self, const char *path, struct sp_os_stat *ret, struct sp_err *e)
{
    struct stat st;

    (void)self;
    if (lstat(path, &st) != 0)
        return fail_path(e, errno, "look at", path);
    *ret = stat_of(&st);
    return SP_OK;
}

static enum sp_code
posix_space(void *self, const char *path, struct sp_os_space *ret, struct sp_err *e)
{
    struct statvfs fs;
    uint64_t unit;
    int rc;

    (void)self;
    do
        rc = statvfs(path, &fs);
    while (rc != 0 && errno == EINTR);
    if (rc != 0)
        return fail_path(e, errno, "ask for the free space of", path);
    unit = fs.f_frsize != 0 ? fs.f_frsize : fs.f_bsize;
    if (unit == 0)
        unit = 1;
    /* Cloud mounts pretend to be endless. */
    ret->free_bytes = fs.f_bavail > UINT64_MAX / unit ? UINT64_MAX : fs.f_bavail * unit;
    ret->total_bytes = fs.f_blocks > UINT64_MAX / unit ? UINT64_MAX : fs.f_blocks * unit;
    return SP_OK;
}

const struct sp_os sp_os_system = {.open_read = posix_open_read,
    .create = posix_create,
    .read_at = posix_read_at,
    .write_at = posix_write_at,
    .file_stat = posix_file_stat,
    .sync = posix_sync,
    .close = posix_close,
    .publish = posix_publish,
    .replace = posix_replace,
    .remove = posix_remove,
    .mkdir = posix_mkdir,
    .rmdir = posix_rmdir,
    .sync_dir = posix_sync_dir,
    .list = posix_list,
    .stat = posix_stat,
    .space = posix_space};
