/* Reading one file: see source.h. */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/path.h"
#include "client/dir_posix.h"
#include "client/item.h"
#include "client/ntfs3g_parts_linux.h"
#include "client/stat_posix.h"

#define TRIES 5
#define FIRST_PAUSE_MS 10u /* doubles each time */
#define MOST_AT_ONCE ((size_t)1 << 30)

struct sp_reading {
    int fd;
    struct sp_entry seen; /* size and times at the opening; its pointers are not used */
    bool no_holes;        /* the file system cannot tell */
    /* On a mount of ntfs-3g, which has more than the file's own bytes: */
    struct sp_ntfs3g_parts *parts; /* NULL: none */
    struct sp_ntfs3g_object object;
    struct sp_source_dir *in; /* in use while there are parts; NULL: not */
    bool away;                /* nothing of its own content can be read */
    char *name;
    size_t key_len;
    uint8_t key[]; /* for messages */
};

static enum sp_code
fail_file(const void *key, size_t key_len, int why, const char *what, struct sp_err *e)
{
    struct sp_buf path = SP_BUF_INIT, shown = SP_BUF_INIT;
    enum sp_code rc;

    sp_key_to_path(key, key_len, &path);
    sp_path_show(path.data, path.len, &shown);
    rc = sp_fail_os(e, sp_source_domain(why), why, "cannot %s '%.500s'", what, sp_buf_str(&shown));
    sp_buf_free(&path);
    sp_buf_free(&shown);
    return rc;
}

/* Files under a lease (Samba's oplocks) answer EAGAIN and are given up when asked for; others are
 * busy for a moment. -1 and errno. */
static int
open_patiently(int dir, const char *name)
{
    uint32_t pause = FIRST_PAUSE_MS;
    int fd;

    for (int tries = 1;; tries++) {
        fd = sp_source_openat(dir, name, O_RDONLY | O_NONBLOCK);
        if (fd >= 0 || tries == TRIES || (errno != EAGAIN && errno != EBUSY && errno != ETXTBSY))
            return fd;
        sp_sleep_ms(pause);
        pause *= 2;
    }
}

/* What was opened is what is stored from now on. When it is not what the walk saw, attributes and
 * content may belong to two different states: the next run looks again. */
static void
refresh(struct sp_entry *en, const struct statx *st, const int64_t *ntfs, int64_t instant_ns)
{
    struct sp_entry now = *en;

    sp_stat_fill(&now, st);
    if (ntfs != NULL)
        sp_ntfs3g_set_times(&now, ntfs);
    if (now.file_id != en->file_id || now.ctime_ns != en->ctime_ns ||
        now.mtime_ns != en->mtime_ns || now.size != en->size)
        en->flags |= SP_ENTRY_RECHECK;
    en->size = (en->flags & SP_ENTRY_AWAY) != 0 ? en->size : now.size;
    en->mtime_ns = now.mtime_ns;
    en->ctime_ns = now.ctime_ns;
    en->btime_ns = now.btime_ns;
    en->atime_ns = now.atime_ns;
    en->file_id = now.file_id;
    if ((en->flags & SP_ENTRY_WINDOWS) == 0) /* there it was described better */
        en->links = now.links;
    sp_item_recheck(en, instant_ns);
}

static void
reading_free(struct sp_reading *r)
{
    sp_ntfs3g_parts_free(r->parts);
    if (r->in != NULL) {
        sp_dir_unuse(r->in);
        sp_dir_release(r->in);
    }
    if (r->fd >= 0)
        (void)close(r->fd); /* nothing was written through it: what close says changes nothing */
    free(r->name);
    free(r);
}

/* Its long streams: their folder stays open as long as they are read. */
static enum sp_code
open_ntfs(struct sp_item *it, struct sp_reading *r, int dir, struct sp_err *e)
{
    struct sp_entry *en = it->entry;
    union sp_dir_at in;
    enum sp_code rc;

    if ((r->name = strdup(it->name)) == NULL)
        return sp_fail_nomem(e);
    r->object = (struct sp_ntfs3g_object){
        .fd = r->fd, .dir = dir, .name = r->name, .traits = sp_dir_known(it->dir)->traits};
    if (r->away)
        return SP_OK;
    if ((rc = sp_ntfs3g_parts_new(&r->object, en, &r->parts, e)) != SP_OK)
        return rc;
    en->extra = sp_ntfs3g_parts_size(r->parts);
    if (r->parts == NULL)
        return SP_OK;
    if ((rc = sp_dir_use(it->dir, &in, e)) != SP_OK)
        return rc;
    r->in = sp_dir_hold(it->dir);
    r->object.dir = in.fd;
    return SP_OK;
}

enum sp_code
sp_reading_open(struct sp_item *it, struct sp_reading **ret, struct sp_err *e)
{
    struct sp_entry *en = it->entry;
    struct sp_reading *r = NULL;
    struct statx st;
    int64_t times[4];
    bool ntfs;
    union sp_dir_at dir;
    enum sp_code rc;

    if (it->dir == NULL)
        return sp_fail(e, SP_INTERNAL, SP_DOM_SELF, "an item without a place cannot be read");
    if ((rc = sp_dir_use(it->dir, &dir, e)) != SP_OK)
        return rc;
    if ((r = calloc(1, sizeof *r + en->key_len)) == NULL) {
        rc = sp_fail_nomem(e);
        goto out;
    }
    r->fd = -1;
    r->key_len = en->key_len;
    if (en->key_len > 0)
        memcpy(r->key, en->key, en->key_len);
    r->away = (en->flags & SP_ENTRY_AWAY) != 0;
    r->fd = r->away ? sp_source_openat(dir.fd, it->name, O_PATH) : open_patiently(dir.fd, it->name);
    if (r->fd < 0) {
        int why = errno;

        rc = fail_file(en->key, en->key_len, why, "open", e);
        if (why == ELOOP || why == ENXIO ||
            why == ENODEV) /* a link, a socket, a device without driver */
            rc = e->code = SP_ABSENT;
        goto out;
    }
    if (sp_source_stat(r->fd, "", &st) != 0) {
        rc = fail_file(en->key, en->key_len, errno, "look at", e);
        goto out;
    }
    if (!r->away && sp_stat_type(&st) != SP_ENTRY_FILE) {
        rc = fail_file(en->key, en->key_len, ENOENT, "open", e);
        goto out;
    }
    ntfs = (sp_dir_known(it->dir)->traits & SP_NTFS3G) != 0;
    refresh(en, &st, ntfs && sp_ntfs3g_times(r->fd, times) == 0 ? times : NULL,
        sp_dir_kind(it->dir)->instant_ns);
    sp_stat_fill(&r->seen, &st);
    r->seen.size = en->size;
    if (ntfs && (rc = open_ntfs(it, r, dir.fd, e)) != SP_OK)
        goto out;
    *ret = r;
    r = NULL;
out:
    sp_dir_unuse(it->dir);
    if (r != NULL)
        reading_free(r);
    return rc;
}

static enum sp_code
fail_reading(const struct sp_reading *r, int why, const char *what, struct sp_err *e)
{
    return fail_file(r->key, r->key_len, why, what, e);
}

/* A file that has shrunk has no data behind its end either: that is no hole. */
static bool
still_reaches(const struct sp_reading *r)
{
    struct statx st;

    return sp_source_stat(r->fd, "", &st) == 0 && st.stx_size >= r->seen.size;
}

/* The first offset from `offset` on that is data (or a hole), at most the size; -1 and errno. */
static int64_t
seek(const struct sp_reading *r, uint64_t offset, int whence)
{
    off_t at = lseek(r->fd, (off_t)offset, whence);

    if (at < 0 && errno == ENXIO)
        return whence == SEEK_DATA && !still_reaches(r) ? (int64_t)offset : (int64_t)r->seen.size;
    return (uint64_t)at > r->seen.size && at >= 0 ? (int64_t)r->seen.size : (int64_t)at;
}

enum sp_code
sp_reading_extent(
    struct sp_reading *r, uint64_t offset, bool *ret_hole, uint64_t *ret_length, struct sp_err *e)
{
    uint64_t size = r->seen.size;
    int64_t end;
    bool hole = false;

    if (offset >= size && r->parts != NULL) {
        *ret_hole = false;
        *ret_length = sp_ntfs3g_parts_left(r->parts, offset - size);
        return SP_OK;
    }
    if (r->away) {
        *ret_hole = true;
        *ret_length = offset >= size ? 0 : size - offset;
        return SP_OK;
    }
    if (offset >= size || r->no_holes) {
        *ret_hole = false;
        *ret_length = offset >= size ? 0 : size - offset;
        return SP_OK;
    }
    end = seek(r, offset, SEEK_DATA);
    if (end > (int64_t)offset) {
        hole = true;
    } else if (end >= 0) {
        end = seek(r, offset, SEEK_HOLE);
        /* The hole was made since: it is read as what it is. */
        if (end == (int64_t)offset)
            end = (int64_t)size;
    }
    if (end < 0) {
        if (errno != EINVAL && errno != ENOTSUP && errno != ENOSYS)
            return fail_reading(r, errno, "find the holes of", e);
        r->no_holes = true;
        end = (int64_t)size;
        hole = false;
    }
    *ret_hole = hole;
    *ret_length = (uint64_t)end - offset;
    return SP_OK;
}

enum sp_code
sp_reading_read(
    struct sp_reading *r, uint64_t offset, void *to, size_t n, size_t *ret_n, struct sp_err *e)
{
    uint8_t *out = to;
    size_t done = 0;

    if (offset >= r->seen.size && r->parts != NULL) {
        int why = sp_ntfs3g_parts_read(r->parts, offset - r->seen.size, to, n, ret_n);

        return why == 0 ? SP_OK : fail_reading(r, why, "read an alternate stream of", e);
    }
    if (r->away)
        n = 0;
    /* What was appended since the opening is the next run's. */
    if (offset >= r->seen.size)
        n = 0;
    else if (n > r->seen.size - offset)
        n = (size_t)(r->seen.size - offset);
    while (done < n) {
        size_t part = n - done < MOST_AT_ONCE ? n - done : MOST_AT_ONCE;
        ssize_t got = pread(r->fd, out + done, part, (off_t)(offset + done));

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return fail_reading(r, errno, "read", e);
        if (got == 0)
            break;
        done += (size_t)got;
    }
    *ret_n = done;
    return SP_OK;
}

enum sp_code
sp_reading_close(struct sp_reading *r, bool *ret_changed, struct sp_err *e)
{
    struct sp_entry now = {0};
    struct statx st;
    enum sp_code rc = SP_OK;

    if (sp_source_stat(r->fd, "", &st) != 0) {
        rc = fail_reading(r, errno, "look at", e);
    } else {
        sp_stat_fill(&now, &st);
        now.size = r->away ? r->seen.size : now.size;
        *ret_changed = now.size != r->seen.size || now.mtime_ns != r->seen.mtime_ns ||
                       now.ctime_ns != r->seen.ctime_ns;
    }
    reading_free(r);
    return rc;
}
