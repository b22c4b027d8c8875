#include "client/target_impl_posix.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/clock.h"
#include "client/stat_posix.h"

/* Files of the target: written under a temporary name, and existing ones read. */

#define COPY_BUFFER ((size_t)256 << 10)
#define MOST_EDGE ((uint64_t)64 << 10) /* blocks of file systems are hardly larger */

struct sp_target_file {
    struct sp_target_dir *dir; /* counted */
    int fd;
    char temp[TARGET_TEMP_NAME];
    uint64_t own; /* what begins here in the content is of parts that no POSIX file has */
    struct target_ntfs_file ntfs;
};

struct sp_target_old {
    int fd;
};

struct timespec
target_timespec(int64_t ns)
{
    struct timespec ts;
    int64_t rest = ns % SP_SECOND;

    ts.tv_sec = (time_t)(ns / SP_SECOND - (rest < 0 ? 1 : 0));
    ts.tv_nsec = (long)(rest < 0 ? rest + SP_SECOND : rest);
    return ts;
}

enum sp_code
target_stat(int fd, const char *name, struct sp_target_stat *ret, struct sp_err *e)
{
    struct sp_entry en = {0};
    struct statx st;

    if (sp_source_stat(fd, name, &st) != 0)
        return sp_fail_os(e, SP_DOM_DESTINATION, errno, "what is there cannot be looked at");
    sp_stat_fill(&en, &st);
    ret->type = en.type;
    ret->size = en.size;
    ret->mtime_ns = en.mtime_ns;
    ret->device = sp_stat_device(&st);
    ret->inode = st.stx_ino;
    ret->links = st.stx_nlink;
    return SP_OK;
}

enum sp_code
sp_target_look(
    struct sp_target_dir *d, const char *name, struct sp_target_stat *ret, struct sp_err *e)
{
    int dir;
    enum sp_code rc;

    if ((rc = target_name_check(name, strlen(name), e)) != SP_OK)
        return rc;
    if ((rc = target_dir_use(d, &dir, e)) != SP_OK)
        return rc;
    rc = target_stat(dir, name, ret, e);
    target_dir_unuse(d);
    return rc;
}

enum sp_code
sp_target_remove(struct sp_target_dir *d, const char *name, bool is_dir, struct sp_err *e)
{
    int dir;
    enum sp_code rc;

    if ((rc = target_name_check(name, strlen(name), e)) != SP_OK)
        return rc;
    if ((rc = target_dir_use(d, &dir, e)) != SP_OK)
        return rc;
    if (unlinkat(dir, name, is_dir ? AT_REMOVEDIR : 0) != 0)
        rc = sp_fail_os(e, SP_DOM_DESTINATION, errno, "what is in its place cannot be removed");
    target_dir_unuse(d);
    return rc;
}

/* --- writing
 * ------------------------------------------------------------------------------------------- */

enum sp_code
sp_target_file_create(struct sp_target_dir *d, const struct sp_entry *en,
    struct sp_target_file **ret, struct sp_err *e)
{
    struct sp_target_file *f;
    int dir;
    enum sp_code rc;

    if ((f = calloc(1, sizeof *f)) == NULL)
        return sp_fail_nomem(e);
    if ((rc = target_dir_use(d, &dir, e)) != SP_OK) {
        free(f);
        return rc;
    }
    if ((rc = target_ntfs_file_begin(&f->ntfs, d->t, dir, f->temp, en, e)) != SP_OK)
        goto out;
    target_sweep(d, dir);
    do {
        target_temp_name(&d->t->temp, f->temp);
        f->fd = openat(dir, f->temp, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    } while (f->fd < 0 && (errno == EEXIST || errno == EINTR));
    if (f->fd < 0)
        rc = sp_fail_os(e, SP_DOM_DESTINATION, errno, "a file cannot be made here");
out:
    target_dir_unuse(d);
    if (rc != SP_OK) {
        sp_ntfs3g_parts_free(f->ntfs.parts);
        free(f);
        return rc;
    }
    /* For target_sweep of others; where locks do not work, they may take it for abandoned. */
    (void)flock(f->fd, LOCK_EX | LOCK_NB);
    f->dir = sp_target_dir_hold(d);
    f->own = en->extra > 0 ? en->size : UINT64_MAX;
    *ret = f;
    return SP_OK;
}

enum sp_code
sp_target_file_write(
    struct sp_target_file *f, uint64_t offset, const void *p, size_t n, struct sp_err *e)
{
    const uint8_t *from = p;

    if (offset >= f->own)
        return target_ntfs_file_write(&f->ntfs, f->dir, offset - f->own, p, n, e);
    while (n > 0) {
        ssize_t did = (ssize_t)target_ntfs_file_hole(&f->ntfs, from, n, offset);

        if (offset > INT64_MAX)
            return sp_fail(e, SP_INVALID, SP_DOM_DESTINATION, "no file can be that long");
        if (did == 0)
            did = pwrite(f->fd, from, n, (off_t)offset);
        if (did < 0 && errno == EINTR)
            continue;
        if (did < 0)
            return sp_fail_os(e, SP_DOM_DESTINATION, errno, "it cannot be written");
        if (did == 0)
            return sp_fail(e, SP_IO, SP_DOM_DESTINATION, "it cannot be written: no bytes taken");
        from += did;
        n -= (size_t)did;
        offset += (uint64_t)did;
    }
    return SP_OK;
}

enum sp_code
sp_target_file_resize(struct sp_target_file *f, uint64_t size, struct sp_err *e)
{
    int rc;

    if (size > INT64_MAX)
        return sp_fail(e, SP_INVALID, SP_DOM_DESTINATION, "no file can be that long");
    do
        rc = ftruncate(f->fd, (off_t)size);
    while (rc != 0 && errno == EINTR);
    if (rc != 0)
        return sp_fail_os(e, SP_DOM_DESTINATION, errno, "it cannot be made as long as it was");
    return SP_OK;
}

/* Removes the temporary name, if it is still there. */
static void
forget(struct sp_target_file *f, bool named)
{
    struct sp_err ignored = {0};
    int dir;

    if (f->fd >= 0)
        (void)close(f->fd);
    sp_ntfs3g_parts_free(f->ntfs.parts);
    if (named && target_dir_use(f->dir, &dir, &ignored) == SP_OK) {
        (void)unlinkat(dir, f->temp, 0);
        target_dir_unuse(f->dir);
    }
    sp_target_dir_release(f->dir);
    free(f);
}

void
sp_target_file_drop(struct sp_target_file *f)
{
    if (f != NULL)
        forget(f, true);
}

static enum sp_code
finish(struct sp_target_file *f, const struct sp_entry *en, struct sp_target_stat *ret,
    struct sp_err *flaw, struct sp_err *e)
{
    struct target_handle h = target_handle_of(f->fd, false);
    struct sp_target_stat st;
    int fd = f->fd;
    enum sp_code rc;

    if ((rc = target_stat(fd, "", &st, e)) != SP_OK)
        return rc;
    if (st.size != en->size)
        return sp_fail(e, SP_IO, SP_DOM_DESTINATION, "it has %llu bytes after %llu were written",
            (unsigned long long)st.size, (unsigned long long)en->size);
    if (f->ntfs.traits != 0) {
        *ret = st;
        ret->mtime_ns = en->mtime_ns;
        return target_ntfs_file_finish(&f->ntfs, f->dir, &f->fd, en, &st, flaw, e);
    }
    target_apply(f->dir->t, &h, en, flaw);
    if (flaw->code == SP_FULL) {
        *e = *flaw;
        return SP_FULL;
    }
    if ((rc = target_stat(fd, "", ret, e)) != SP_OK)
        return rc;
    /* Some file systems tell only now that something could not be stored. */
    f->fd = -1;
    if (close(fd) != 0)
        return sp_fail_os(e, SP_DOM_DESTINATION, errno, "it cannot be stored");
    return SP_OK;
}

enum sp_code
sp_target_file_publish(struct sp_target_file *f, const struct sp_entry *en, const char *name,
    bool replace, struct sp_target_stat *ret, struct sp_err *flaw, struct sp_err *e)
{
    struct sp_target_stat st = {0};
    bool named = true; /* under its temporary name */
    int dir;
    enum sp_code rc;

    sp_err_clear(flaw);
    if ((rc = finish(f, en, &st, flaw, e)) != SP_OK)
        goto out;
    if ((rc = target_dir_use(f->dir, &dir, e)) != SP_OK)
        goto out;
    rc = target_place(dir, f->temp, name, replace, e);
    if (rc == SP_OK && f->ntfs.traits != 0)
        target_ntfs_seal(f->dir->t, dir, name, st.inode, en, flaw);
    target_dir_unuse(f->dir);
    named = rc != SP_OK;
    if (rc == SP_OK && ret != NULL)
        *ret = st;
out:
    forget(f, named);
    return rc;
}

/* --- reading
 * ------------------------------------------------------------------------------------------- */

static int
open_old(int dir, const char *name)
{
    int fd;

    do
        fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    while (fd < 0 && errno == EINTR);
    return fd;
}

static enum sp_code
old_new(int fd, struct sp_target_old **ret, struct sp_err *e)
{
    struct sp_target_old *o;
    struct stat st;

    if (fstat(fd, &st) != 0)
        return sp_fail_os(e, SP_DOM_DESTINATION, errno, "the existing file cannot be read");
    if (!S_ISREG(st.st_mode))
        return sp_fail(e, SP_REFUSED, SP_DOM_DESTINATION, "it is no regular file");
    if ((o = calloc(1, sizeof *o)) == NULL)
        return sp_fail_nomem(e);
    o->fd = fd;
    *ret = o;
    return SP_OK;
}

enum sp_code
sp_target_old_open(
    struct sp_target_dir *d, const char *name, struct sp_target_old **ret, struct sp_err *e)
{
    int dir, fd;
    enum sp_code rc;

    if ((rc = target_name_check(name, strlen(name), e)) != SP_OK)
        return rc;
    if ((rc = target_dir_use(d, &dir, e)) != SP_OK)
        return rc;
    if ((fd = open_old(dir, name)) < 0)
        rc = sp_fail_os(e, SP_DOM_DESTINATION, errno, "the existing file cannot be read");
    else if ((rc = old_new(fd, ret, e)) != SP_OK)
        (void)close(fd); /* was not read */
    target_dir_unuse(d);
    return rc;
}

static enum sp_code
read_at(int fd, uint64_t offset, void *to, size_t n, size_t *ret_n, struct sp_err *e)
{
    uint8_t *p = to;
    size_t got = 0;

    while (got < n && offset + got <= INT64_MAX) {
        ssize_t did = pread(fd, p + got, n - got, (off_t)(offset + got));

        if (did < 0 && errno == EINTR)
            continue;
        if (did < 0)
            return sp_fail_os(e, SP_DOM_DESTINATION, errno, "the existing file cannot be read");
        if (did == 0)
            break;
        got += (size_t)did;
    }
    *ret_n = got;
    return SP_OK;
}

enum sp_code
sp_target_old_read(
    struct sp_target_old *o, uint64_t offset, void *to, size_t n, size_t *ret_n, struct sp_err *e)
{
    return read_at(o->fd, offset, to, n, ret_n, e);
}

static bool
is_zero(int fd, uint64_t from, uint64_t to)
{
    uint8_t bytes[4096];
    struct sp_err ignored = {0};

    while (from < to) {
        size_t n = to - from < sizeof bytes ? (size_t)(to - from) : sizeof bytes, got;

        if (read_at(fd, from, bytes, n, &got, &ignored) != SP_OK || got != n)
            return false;
        for (size_t i = 0; i < n; i++)
            if (bytes[i] != 0)
                return false;
        from += n;
    }
    return true;
}

/* File systems keep holes in blocks: where one begins or ends within a block there are zeros. */
static bool
is_hole(int fd, uint64_t offset, uint64_t n)
{
    uint64_t end = offset + n, first, last;
    off_t data;

    if (offset > INT64_MAX - MOST_EDGE || n > INT64_MAX - MOST_EDGE - offset)
        return false;
    first = (offset + MOST_EDGE - 1) / MOST_EDGE * MOST_EDGE;
    last = end / MOST_EDGE * MOST_EDGE;
    if (first >= last)
        return is_zero(fd, offset, end);
    data = lseek(fd, (off_t)first, SEEK_DATA);
    return (data < 0 ? errno == ENXIO : (uint64_t)data >= last) && is_zero(fd, offset, first) &&
           is_zero(fd, last, end);
}

bool
sp_target_old_is_hole(struct sp_target_old *o, uint64_t offset, uint64_t n)
{
    return is_hole(o->fd, offset, n);
}

void
sp_target_old_close(struct sp_target_old *o)
{
    if (o == NULL)
        return;
    (void)close(o->fd); /* was only read */
    free(o);
}

/* --- an existing file gets attributes
 * ------------------------------------------------------------------ */

static enum sp_code
copy_content(int from, struct sp_target_file *to, uint64_t size, struct sp_err *e)
{
    uint8_t *buffer = malloc(COPY_BUFFER);
    uint64_t offset = 0;
    size_t got;
    enum sp_code rc = SP_OK;

    if (buffer == NULL)
        return sp_fail_nomem(e);
    while (rc == SP_OK && offset < size) {
        off_t data = lseek(from, (off_t)offset, SEEK_DATA);

        if (data < 0 && errno == ENXIO)
            break;
        if (data > (off_t)offset)
            offset = (uint64_t)data;
        if ((rc = read_at(from, offset, buffer, COPY_BUFFER, &got, e)) != SP_OK || got == 0)
            break;
        rc = sp_target_file_write(to, offset, buffer, got, e);
        offset += got;
    }
    if (rc == SP_OK)
        rc = sp_target_file_resize(to, size, e);
    free(buffer);
    return rc;
}

/* Its other names are not ours to change: a copy takes its place. */
static enum sp_code
adjust_copy(struct sp_target_dir *d, const char *name, int fd, const struct sp_entry *en,
    struct sp_target_stat *ret, struct sp_err *flaw, struct sp_err *e)
{
    struct sp_target_file *f = NULL;
    enum sp_code rc;

    if ((rc = sp_target_file_create(d, en, &f, e)) != SP_OK)
        return rc;
    if ((rc = copy_content(fd, f, en->size, e)) != SP_OK) {
        sp_target_file_drop(f);
        return rc;
    }
    return sp_target_file_publish(f, en, name, true, ret, flaw, e);
}

static enum sp_code
adjust(struct sp_target_dir *d, const char *name, int dir, int fd, bool path,
    const struct sp_entry *en, struct sp_target_stat *ret, struct sp_err *flaw, struct sp_err *e)
{
    struct target_handle h = target_handle_of(fd, path);
    struct sp_target_stat st;
    bool differs = false;
    enum sp_code rc;

    h.dir = dir;
    h.name = name;
    if ((rc = target_stat(fd, "", &st, e)) != SP_OK)
        return rc;
    if (st.type != en->type || st.size != en->size)
        return sp_fail(
            e, SP_CHANGED, SP_DOM_DESTINATION, "it was changed while it was being restored");
    if (st.links > 1 && (rc = target_differs(d->t, &h, en, &differs, e)) != SP_OK)
        return rc;
    if (st.links > 1 && (differs || en->links <= 1)) {
        if (en->type != SP_ENTRY_FILE)
            return sp_fail(e, SP_UNSUPPORTED, SP_DOM_DESTINATION, "it has other names too");
        return adjust_copy(d, name, fd, en, ret, flaw, e);
    }
    target_apply(d->t, &h, en, flaw); /* touches only what differs */
    if (flaw->code == SP_FULL) {
        *e = *flaw;
        return SP_FULL;
    }
    return ret != NULL ? target_stat(fd, "", ret, e) : SP_OK;
}

enum sp_code
sp_target_adjust(struct sp_target_dir *d, const char *name, const struct sp_entry *en,
    struct sp_target_stat *ret, struct sp_err *flaw, struct sp_err *e)
{
    int dir, fd;
    bool path = en->type != SP_ENTRY_FILE;
    enum sp_code rc;

    sp_err_clear(flaw);
    if ((rc = target_name_check(name, strlen(name), e)) != SP_OK)
        return rc;
    if ((rc = target_dir_use(d, &dir, e)) != SP_OK)
        return rc;
    fd = path ? -1 : open_old(dir, name);
    /* Without the right to read, what has a handle can still be given attributes. */
    if (path || (fd < 0 && errno == EACCES)) {
        path = true;
        fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    }
    if (fd < 0)
        rc = sp_fail_os(e, SP_DOM_DESTINATION, errno, "what exists cannot be opened");
    else
        rc = adjust(d, name, dir, fd, path, en, ret, flaw, e);
    target_dir_unuse(d);
    if (fd >= 0)
        (void)close(fd); /* was not written */
    return rc;
}
