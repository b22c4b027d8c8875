/* Long streams, one after the other: see ntfs3g_parts_linux.h. */

#include "client/ntfs3g_parts_linux.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct sp_ntfs3g_parts {
    const struct sp_ntfs3g_object *object;
    struct sp_ntfs_part *v;
    size_t n;
    uint64_t size;
    size_t at; /* the open one */
    int fd;    /* -1: none is open */
    int flags;
};

/* Of an object that was not described. */
static enum sp_code
look(const struct sp_ntfs3g_object *o, struct sp_ntfs3g_parts *p, struct sp_err *e)
{
    const struct sp_ntfs3g_kind kind = {.type = SP_ENTRY_FILE};
    struct sp_ntfs3g_seen s = {0};
    enum sp_code rc;

    if ((rc = sp_ntfs3g_read(o, &kind, &s, e)) != SP_OK)
        goto out;
    for (size_t i = 0; i < s.n && rc == SP_OK; i++)
        if (strcmp((const char *)s.bytes.data + s.v[i].name, WINDOWS_STREAMS) == 0)
            rc = sp_ntfs_parts_decode(
                s.bytes.data + s.v[i].at, s.v[i].len, s.extra, &p->v, &p->n, e);
    p->size = s.extra;
out:
    sp_ntfs3g_seen_free(&s);
    return rc;
}

enum sp_code
sp_ntfs3g_parts_new(const struct sp_ntfs3g_object *o, const struct sp_entry *en,
    struct sp_ntfs3g_parts **ret, struct sp_err *e)
{
    const struct sp_attribute *table = sp_ntfs_find(en, WINDOWS_STREAMS);
    struct sp_ntfs3g_parts *p = calloc(1, sizeof(*p));
    enum sp_code rc = SP_OK;

    if (p == NULL)
        return sp_fail_nomem(e);
    p->object = o;
    p->fd = -1;
    if (table != NULL && !table->external) {
        rc = sp_ntfs_parts_decode(table->value, table->len, en->extra, &p->v, &p->n, e);
        p->size = en->extra;
    } else if (sp_ntfs_find(en, WINDOWS_ATTRIBUTES) == NULL) {
        rc = look(o, p, e);
    }
    if (rc == SP_OK && p->n > 0) {
        *ret = p;
        p = NULL;
    }
    sp_ntfs3g_parts_free(p);
    return rc;
}

uint64_t
sp_ntfs3g_parts_size(const struct sp_ntfs3g_parts *p)
{
    return p != NULL ? p->size : 0;
}

/* The part at *offset, which becomes the one in it; n: the end. */
static size_t
part_at(const struct sp_ntfs3g_parts *p, uint64_t *offset)
{
    size_t i = 0;

    while (i < p->n && *offset >= p->v[i].size)
        *offset -= p->v[i++].size;
    return i;
}

uint64_t
sp_ntfs3g_parts_left(const struct sp_ntfs3g_parts *p, uint64_t offset)
{
    size_t i = part_at(p, &offset);

    return i < p->n ? p->v[i].size - offset : 0;
}

static int
close_part(struct sp_ntfs3g_parts *p)
{
    int fd = p->fd;

    p->fd = -1;
    return fd < 0 || close(fd) == 0 || p->flags == O_RDONLY ? 0 : errno;
}

static int
open_part(struct sp_ntfs3g_parts *p, size_t i, int flags)
{
    int why;

    if (p->fd >= 0 && p->at == i && p->flags == flags)
        return 0;
    if ((why = close_part(p)) != 0)
        return why;
    if (p->v[i].kind != NTFS_PART_STREAM)
        return EOPNOTSUPP;
    p->at = i;
    p->flags = flags;
    return sp_ntfs3g_stream_open(p->object, p->v[i].name, flags, &p->fd);
}

int
sp_ntfs3g_parts_read(struct sp_ntfs3g_parts *p, uint64_t offset, void *to, size_t n, size_t *ret_n)
{
    size_t i = part_at(p, &offset);
    ssize_t did;
    int why;

    *ret_n = 0;
    if (i == p->n)
        return 0;
    if ((why = open_part(p, i, O_RDONLY)) != 0)
        return why;
    if (n > p->v[i].size - offset)
        n = (size_t)(p->v[i].size - offset);
    do
        did = pread(p->fd, to, n, (off_t)offset);
    while (did < 0 && errno == EINTR);
    if (did < 0)
        return errno;
    *ret_n = (size_t)did;
    return 0;
}

int
sp_ntfs3g_parts_write(
    struct sp_ntfs3g_parts *p, uint64_t offset, const void *from, size_t n, size_t *ret_n)
{
    size_t i = part_at(p, &offset);
    ssize_t did;
    int why;

    if (i == p->n)
        return EFBIG;
    if ((why = open_part(p, i, O_WRONLY | O_CREAT)) != 0)
        return why;
    if (n > p->v[i].size - offset)
        n = (size_t)(p->v[i].size - offset);
    do
        did = pwrite(p->fd, from, n, (off_t)offset);
    while (did < 0 && errno == EINTR);
    if (did <= 0)
        return did < 0 ? errno : EIO;
    *ret_n = (size_t)did;
    return 0;
}

int
sp_ntfs3g_parts_finish(struct sp_ntfs3g_parts *p)
{
    int why = 0;

    for (size_t i = 0; i < p->n && why == 0; i++) {
        if ((why = open_part(p, i, O_WRONLY | O_CREAT)) == 0 &&
            ftruncate(p->fd, (off_t)p->v[i].size) != 0)
            why = errno;
    }
    if (why == 0)
        why = close_part(p);
    return why;
}

void
sp_ntfs3g_parts_free(struct sp_ntfs3g_parts *p)
{
    if (p == NULL)
        return;
    (void)close_part(p); /* after finish nothing is open */
    free(p->v);
    free(p);
}
