#include "client/stat_posix.h"

#include <errno.h>
#include <fcntl.h>

#include "base/clock.h"

#define WANTED (STATX_BASIC_STATS | STATX_BTIME)

int
sp_source_stat(int dir, const char *name, struct statx *ret)
{
    int rc;

    do
        rc = statx(dir, name,
            AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | (*name == '\0' ? AT_EMPTY_PATH : 0), WANTED,
            ret);
    while (rc != 0 && errno == EINTR);
    return rc;
}

uint64_t
sp_stat_device(const struct statx *st)
{
    return (uint64_t)st->stx_dev_major << 32 | st->stx_dev_minor;
}

enum sp_entry_type
sp_stat_type(const struct statx *st)
{
    switch (st->stx_mode & S_IFMT) {
    case S_IFREG:
        return SP_ENTRY_FILE;
    case S_IFDIR:
        return SP_ENTRY_DIR;
    case S_IFLNK:
        return SP_ENTRY_LINK;
    case S_IFCHR:
        return SP_ENTRY_CHAR;
    case S_IFBLK:
        return SP_ENTRY_BLOCK;
    case S_IFIFO:
        return SP_ENTRY_FIFO;
    case S_IFSOCK:
        return SP_ENTRY_SOCKET;
    default:
        return (enum sp_entry_type)0;
    }
}

/* Times outside of what an int64 of nanoseconds can say (a broken file system) go to its ends. */
static int64_t
ns_of(const struct statx_timestamp *t)
{
    if (t->tv_sec >= INT64_MAX / SP_SECOND)
        return INT64_MAX;
    if (t->tv_sec <= INT64_MIN / SP_SECOND)
        return INT64_MIN;
    return t->tv_sec * SP_SECOND + t->tv_nsec;
}

void
sp_stat_fill(struct sp_entry *en, const struct statx *st)
{
    bool device;

    en->type = sp_stat_type(st);
    device = en->type == SP_ENTRY_CHAR || en->type == SP_ENTRY_BLOCK;
    en->size = en->type == SP_ENTRY_FILE ? st->stx_size : 0;
    en->mtime_ns = ns_of(&st->stx_mtime);
    en->ctime_ns = ns_of(&st->stx_ctime);
    en->btime_ns = (st->stx_mask & STATX_BTIME) != 0 ? ns_of(&st->stx_btime) : 0;
    en->file_id = st->stx_ino;
    /* A folder's count is the number of folders in it: no link of anything, and noise in a diff. */
    en->links = en->type == SP_ENTRY_DIR ? 1 : st->stx_nlink;
    en->mode = st->stx_mode & 07777u;
    en->uid = st->stx_uid;
    en->gid = st->stx_gid;
    en->rdev = device ? (uint64_t)st->stx_rdev_major << 32 | st->stx_rdev_minor : 0;
}

enum sp_domain
sp_source_domain(int os_errno)
{
    return os_errno == EMFILE || os_errno == ENFILE || os_errno == ENOMEM ? SP_DOM_SELF
                                                                          : SP_DOM_SOURCE;
}
