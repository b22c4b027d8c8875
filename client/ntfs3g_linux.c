/* What ntfs-3g shows of an object: see ntfs3g_linux.h. */

#include "client/ntfs3g_linux.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "client/ntfs.h"
#include "client/ntfs3g_names.h"

#define FUSE_MAGIC 0x65735546

static ssize_t
get(int fd, const char *name, void *to, size_t n)
{
    char proc[32];

    (void)snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
    return getxattr(proc, name, to, n);
}

/* --- the mount
 * ------------------------------------------------------------------------------------
 */

/* Which of the interfaces: only `windows` has a list of streams as an attribute; of the others,
 * none answers for a name of any kind but `xattr`, for user.*, and `openxattr`. */
static unsigned
streams_of(int fd)
{
    char value[1];

    if (get(fd, NTFS3G_STREAMS, NULL, 0) >= 0)
        return SP_NTFS3G_NAMES;
    if (errno == ENODATA)
        return SP_NTFS3G_OPEN;
    if (get(fd, "user.stillpoint.none", value, sizeof(value)) >= 0 || errno == ENODATA ||
        errno == ERANGE)
        return SP_NTFS3G_USER;
    return 0;
}

unsigned
sp_ntfs3g_of(int fd)
{
    struct statfs fs;
    uint8_t attributes[4];

    if (fstatfs(fd, &fs) != 0 || fs.f_type != FUSE_MAGIC ||
        get(fd, NTFS3G_ATTRIBUTES, attributes, sizeof(attributes)) != sizeof(attributes))
        return 0;
    return SP_NTFS3G | streams_of(fd);
}

/* --- single values -------------------------------------------------------------------------------
 */

static uint64_t
big(const uint8_t *p, size_t n)
{
    uint64_t v = 0;

    for (size_t i = 0; i < n; i++)
        v = v << 8 | p[i];
    return v;
}

int
sp_ntfs3g_times(int fd, int64_t ret[4])
{
    uint8_t bytes[32];

    if (get(fd, NTFS3G_TIMES, bytes, sizeof(bytes)) != sizeof(bytes))
        return errno != 0 ? errno : EIO;
    for (int i = 0; i < 4; i++)
        ret[i] = (int64_t)big(bytes + 8 * i, 8);
    return 0;
}

void
sp_ntfs3g_set_times(struct sp_entry *en, const int64_t times[4])
{
    en->btime_ns = sp_ntfs_ns(times[0]);
    en->atime_ns = sp_ntfs_ns(times[2]);
    /* Of the others stat is what runs compare: ntfs-3g may keep the time of change of an object
     * that it has in memory some ticks later than on the disk. */
    if (en->mtime_ns < 0)
        en->mtime_ns = sp_ntfs_ns(times[1]);
    if (en->ctime_ns < 0)
        en->ctime_ns = sp_ntfs_ns(times[3]);
}

int
ntfs3g_attributes(int fd, uint32_t *ret)
{
    uint8_t bytes[4];

    if (get(fd, NTFS3G_ATTRIBUTES, bytes, sizeof(bytes)) != sizeof(bytes))
        return errno != 0 ? errno : EIO;
    *ret = (uint32_t)big(bytes, 4);
    return 0;
}

/* Some objects cannot have some of it: the same as having none. */
static bool
has_none(int why)
{
    return why == ENODATA || why == EOPNOTSUPP;
}

int
ntfs3g_get(int fd, const char *name, struct sp_buf *to)
{
    ssize_t n;

    if (!sp_buf_reserve(to, NTFS3G_MOST))
        return ENOMEM;
    if ((n = get(fd, name, to->data + to->len, NTFS3G_MOST)) < 0)
        return has_none(errno) ? ENODATA : errno;
    if (n > (ssize_t)NTFS3G_MOST)
        return E2BIG;
    to->len += (size_t)n;
    return n == 0 ? ENODATA : 0;
}

bool
sp_ntfs3g_reparse(int fd, struct sp_buf *ret)
{
    return ntfs3g_get(fd, NTFS3G_REPARSE, ret) == 0;
}

/* --- what it is ----------------------------------------------------------------------------------
 */

/* Nothing is behind them: all that they are is in the reparse data. */
static bool
is_whole(uint32_t tag)
{
    return tag == NTFS_TAG_APPEXECLINK || tag == NTFS_TAG_AF_UNIX || tag == NTFS_TAG_LX_FIFO ||
           tag == NTFS_TAG_LX_CHR || tag == NTFS_TAG_LX_BLK;
}

static void
kind_of_point(const struct sp_buf *data, uint32_t attributes, struct sp_ntfs3g_kind *ret)
{
    uint32_t tag = sp_ntfs_reparse_tag(data->data, data->len);
    struct sp_buf target = SP_BUF_INIT;
    struct sp_err ignored = {0};
    bool relative = false, volume = false, folder = (attributes & NTFS_DIRECTORY) != 0;
    enum sp_code rc =
        sp_ntfs_reparse_target(data->data, data->len, &target, &relative, &volume, &ignored);

    sp_buf_free(&target);
    ret->tag = tag;
    if (rc == SP_OK && !volume) {
        ret->type = SP_ENTRY_LINK;
    } else if (folder) {
        ret->type = SP_ENTRY_DIR;
        ret->lost = !volume;
    } else {
        ret->type = SP_ENTRY_FILE;
        ret->flags |= SP_ENTRY_AWAY;
        ret->lost = !is_whole(tag);
    }
}

int
sp_ntfs3g_kind(
    const struct sp_ntfs3g_object *o, enum sp_entry_type shown, struct sp_ntfs3g_kind *ret)
{
    struct sp_buf data = SP_BUF_INIT;
    uint32_t attributes = 0;
    int why;

    *ret = (struct sp_ntfs3g_kind){.type = shown, .flags = SP_ENTRY_WINDOWS};
    /* What it shows as a file or folder it reads as one, by a plugin. */
    if (shown == SP_ENTRY_FILE || shown == SP_ENTRY_DIR)
        return 0;
    if ((why = ntfs3g_attributes(o->fd, &attributes)) != 0)
        return why;
    if ((why = ntfs3g_get(o->fd, NTFS3G_REPARSE, &data)) == 0)
        kind_of_point(&data, attributes, ret);
    else if (why == ENODATA) /* Interix: a file of special content */
        why = 0;
    sp_buf_free(&data);
    return why;
}
