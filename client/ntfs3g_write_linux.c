/* Setting what an entry says of Windows: see ntfs3g_linux.h. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "client/ntfs.h"
#include "client/ntfs3g_names.h"

/* What ntfs-3g takes (its layout.h, FILE_ATTR_SETTABLE). */
#define SETTABLE                                                                                   \
    (NTFS_READONLY | NTFS_HIDDEN | NTFS_SYSTEM | NTFS_ARCHIVE | NTFS_TEMPORARY | NTFS_OFFLINE |    \
        NTFS_NOT_INDEXED)

static void
path_of(int fd, char to[32])
{
    (void)snprintf(to, 32, "/proc/self/fd/%d", fd);
}

static int
set(int fd, const char *name, const void *p, size_t n)
{
    char proc[32];

    path_of(fd, proc);
    return setxattr(proc, name, p, n, 0) == 0 ? 0 : errno;
}

static int
drop(int fd, const char *name)
{
    char proc[32];

    path_of(fd, proc);
    return removexattr(proc, name) == 0 || errno == ENODATA ? 0 : errno;
}

static void
failed(struct sp_ntfs3g_told *told, int why, const char *what, const char *name)
{
    if (told->why != 0)
        return;
    told->why = why;
    (void)snprintf(told->what, sizeof(told->what), "%s%s cannot be set", what, name);
}

/* This user or this mount may not, or cannot; everything else is a failure. */
static void
result(struct sp_ntfs3g_told *told, int why, unsigned lack, const char *what, const char *name)
{
    if (why == 0)
        return;
    if (why == EOPNOTSUPP || why == EPERM || why == EACCES)
        told->lacks |= lack;
    else
        failed(told, why, what, name);
}

/* --- streams -------------------------------------------------------------------------------------
 */

static const char *
stream_of(const struct sp_attribute *a)
{
    size_t n = strlen(WINDOWS_STREAM);

    return strncmp(a->name, WINDOWS_STREAM, n) == 0 ? a->name + n : NULL;
}

static bool
has_stream(
    const struct sp_entry *en, const struct sp_ntfs_part *parts, size_t nparts, const char *stream)
{
    for (size_t i = 0; i < en->nattributes; i++) {
        const char *name = stream_of(&en->attributes[i]);

        if (name != NULL && strcmp(name, stream) == 0)
            return true;
    }
    for (size_t i = 0; i < nparts; i++)
        if (strcmp(parts[i].name, stream) == 0)
            return true;
    return false;
}

static int
write_all(int fd, const uint8_t *p, size_t n)
{
    for (size_t at = 0; at < n;) {
        ssize_t did = pwrite(fd, p + at, n - at, (off_t)at);

        if (did < 0 && errno == EINTR)
            continue;
        if (did <= 0)
            return did < 0 ? errno : EIO;
        at += (size_t)did;
    }
    return 0;
}

static int
stream_write(const struct sp_ntfs3g_object *o, const char *stream, const struct sp_attribute *a)
{
    struct sp_buf name = SP_BUF_INIT;
    int fd = -1, why;

    if ((o->traits & SP_NTFS3G_NAMES) == 0) {
        ntfs3g_stream_attribute(o->traits, stream, &name);
        sp_buf_str(&name);
        why = name.failed ? ENOMEM : set(o->fd, (const char *)name.data, a->value, a->len);
        sp_buf_free(&name);
        return why;
    }
    if (o->dir < 0)
        return EOPNOTSUPP;
    if ((why = sp_ntfs3g_stream_open(o, stream, O_WRONLY | O_CREAT | O_TRUNC, &fd)) != 0)
        return why;
    why = write_all(fd, a->value, a->len);
    if (close(fd) != 0 && why == 0)
        why = errno;
    return why;
}

static int
stream_drop(const struct sp_ntfs3g_object *o, const char *stream)
{
    struct sp_buf name = SP_BUF_INIT;
    int why;

    if ((o->traits & SP_NTFS3G_NAMES) == 0) {
        ntfs3g_stream_attribute(o->traits, stream, &name);
    } else {
        if (strcmp(o->name, ".") != 0)
            sp_buf_put_str(&name, o->name);
        sp_buf_put_u8(&name, ':');
        sp_buf_put_str(&name, stream);
    }
    sp_buf_str(&name);
    if (name.failed)
        why = ENOMEM;
    else if ((o->traits & SP_NTFS3G_NAMES) == 0)
        why = drop(o->fd, (const char *)name.data);
    else
        why = o->dir < 0                                          ? EOPNOTSUPP
              : unlinkat(o->dir, (const char *)name.data, 0) == 0 ? 0
                                                                  : errno;
    sp_buf_free(&name);
    return why;
}

/* A name that would lead elsewhere, or a value that is not here, is none. */
static void
write_streams(
    const struct sp_ntfs3g_object *o, const struct sp_entry *en, struct sp_ntfs3g_told *told)
{
    const struct sp_attribute *table = sp_ntfs_find(en, WINDOWS_STREAMS);
    struct sp_ntfs_part *parts = NULL;
    struct sp_buf names = SP_BUF_INIT;
    struct sp_err ignored = {0};
    size_t nparts = 0;

    if (table != NULL && !table->external)
        (void)sp_ntfs_parts_decode(table->value, table->len, en->extra, &parts, &nparts, &ignored);
    if (ntfs3g_streams(o, &names) == 0)
        for (size_t at = 0; at < names.len; at += strlen((const char *)names.data + at) + 1) {
            const char *stream = (const char *)names.data + at;

            if (sp_ntfs_stream_name_ok(stream, strlen(stream)) &&
                !has_stream(en, parts, nparts, stream))
                result(told, stream_drop(o, stream), SP_NTFS3G_NO_STREAMS, "the alternate stream ",
                    stream);
        }
    for (size_t i = 0; i < en->nattributes; i++) {
        const char *stream = stream_of(&en->attributes[i]);

        if (stream == NULL)
            continue;
        if (!sp_ntfs_stream_name_ok(stream, strlen(stream)) || en->attributes[i].external)
            failed(told, EINVAL, "the alternate stream ", stream);
        else
            result(told, stream_write(o, stream, &en->attributes[i]), SP_NTFS3G_NO_STREAMS,
                "the alternate stream ", stream);
    }
    free(parts);
    sp_buf_free(&names);
}

/* --- values --------------------------------------------------------------------------------------
 */

/* As on the disk: the last leads to its own end, filled up. */
static void
disk_ea(const struct sp_attribute *a, struct sp_buf *ret)
{
    size_t at = 0;

    sp_buf_put(ret, a->value, a->len);
    sp_buf_put_zero(ret, (4 - a->len % 4) % 4);
    if (ret->failed)
        return;
    while (sp_le32(ret->data + at) != 0)
        at += sp_le32(ret->data + at);
    sp_store_le32(ret->data + at, (uint32_t)(ret->len - at));
}

static const struct sp_attribute *
find(const struct sp_entry *en, const char *name)
{
    const struct sp_attribute *a = sp_ntfs_find(en, name);

    return a != NULL && !a->external ? a : NULL;
}

static void
write_ea(const struct sp_ntfs3g_object *o, const struct sp_entry *en, struct sp_ntfs3g_told *told)
{
    const struct sp_attribute *a = find(en, WINDOWS_EA);
    struct sp_buf b = SP_BUF_INIT;
    int why;

    if (a == NULL)
        why = ntfs3g_get(o->fd, NTFS3G_EA, &b) == 0 ? drop(o->fd, NTFS3G_EA) : 0;
    else if (!sp_ntfs_ea_ok(a->value, a->len))
        why = EINVAL;
    else {
        disk_ea(a, &b);
        why = b.failed ? ENOMEM : set(o->fd, NTFS3G_EA, b.data, b.len);
    }
    result(told, why, SP_NTFS3G_NO_EA, "the list of its extended attributes", "");
    sp_buf_free(&b);
}

static void
write_object_id(
    const struct sp_ntfs3g_object *o, const struct sp_entry *en, struct sp_ntfs3g_told *told)
{
    const struct sp_attribute *a = find(en, WINDOWS_OBJECT_ID);
    struct sp_buf b = SP_BUF_INIT;
    int why;

    if (a == NULL)
        why = ntfs3g_get(o->fd, NTFS3G_OBJECT_ID, &b) == 0 ? drop(o->fd, NTFS3G_OBJECT_ID) : 0;
    else
        why = set(o->fd, NTFS3G_OBJECT_ID, a->value, a->len);
    /* There is one of it on a volume: the file that was backed up may have it still. */
    result(told, why == EEXIST ? EPERM : why, SP_NTFS3G_NO_OBJECT_ID, "its object id", "");
    sp_buf_free(&b);
}

void
sp_ntfs3g_write(
    const struct sp_ntfs3g_object *o, const struct sp_entry *en, struct sp_ntfs3g_told *told)
{
    const struct sp_attribute *security = find(en, WINDOWS_SECURITY);
    const struct sp_attribute *reparse = find(en, WINDOWS_REPARSE);

    write_streams(o, en, told);
    write_ea(o, en, told);
    write_object_id(o, en, told);
    if (security != NULL)
        result(told, set(o->fd, NTFS3G_SECURITY, security->value, security->len),
            SP_NTFS3G_NO_SECURITY, "its security descriptor", "");
    /* It becomes something else by this: what has to be done to a file or folder was done. */
    if (reparse != NULL) {
        int why = sp_ntfs_reparse_ok(reparse->value, reparse->len)
                      ? set(o->fd, NTFS3G_REPARSE, reparse->value, reparse->len)
                      : EINVAL;

        if (why != 0)
            failed(told, why, "its reparse data", "");
    }
}

static void
seal_short_name(
    const struct sp_ntfs3g_object *o, const struct sp_entry *en, struct sp_ntfs3g_told *told)
{
    const struct sp_attribute *a = find(en, WINDOWS_SHORT_NAME);
    struct sp_buf b = SP_BUF_INIT;
    int why = ntfs3g_get(o->fd, NTFS3G_SHORT_NAME, &b);

    if (a == NULL)
        why = why == 0 ? drop(o->fd, NTFS3G_SHORT_NAME) : 0;
    else if (why == 0 && b.len == a->len && memcmp(b.data, a->value, a->len) == 0)
        why = 0;
    else
        why = set(o->fd, NTFS3G_SHORT_NAME, a->value, a->len);
    if (why != 0) /* another file may have it; Windows makes one when it wants one */
        told->lacks |= SP_NTFS3G_NO_SHORT_NAME;
    sp_buf_free(&b);
}

static void
put_big(uint8_t *p, uint64_t v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)(v >> (8 * (n - 1 - i)));
}

static void
seal_times(const struct sp_ntfs3g_object *o, const struct sp_entry *en, struct sp_ntfs3g_told *told)
{
    const int64_t wanted[3] = {en->btime_ns, en->mtime_ns, en->atime_ns};
    int64_t times[4] = {0};
    uint8_t bytes[24];
    int why = sp_ntfs3g_times(o->fd, times);

    for (size_t i = 0; i < 3; i++)
        put_big(bytes + 8 * i, (uint64_t)(wanted[i] != 0 ? sp_ntfs_ticks(wanted[i]) : times[i]), 8);
    if (why == 0)
        why = set(o->fd, NTFS3G_TIMES, bytes, sizeof(bytes));
    if (why != 0)
        failed(told, why, "its times", "");
}

void
sp_ntfs3g_seal(
    const struct sp_ntfs3g_object *o, const struct sp_entry *en, struct sp_ntfs3g_told *told)
{
    uint32_t wanted = sp_ntfs_attributes_of(en), now = 0;
    uint8_t bytes[4];
    int why = 0;

    if (o->dir < 0 || strcmp(o->name, ".") != 0)
        seal_short_name(o, en, told);
    if (wanted != 0) {
        put_big(bytes, wanted, sizeof(bytes));
        why = set(o->fd, NTFS3G_ATTRIBUTES, bytes, sizeof(bytes));
    }
    if (why != 0 || (why = ntfs3g_attributes(o->fd, &now)) != 0)
        failed(told, why, "its attributes", "");
    if ((wanted & ~now & NTFS_COMPRESSED) != 0)
        told->lacks |= SP_NTFS3G_NO_COMPRESSION;
    if ((wanted & ~now & NTFS_ENCRYPTED) != 0)
        told->lacks |= SP_NTFS3G_NO_ENCRYPTION;
    if (find(en, WINDOWS_CASE) != NULL)
        told->lacks |= SP_NTFS3G_NO_CASE;
    seal_times(o, en, told);
}

void
sp_ntfs3g_prepare(int fd, const struct sp_entry *en)
{
    uint32_t now = 0;
    uint8_t bytes[4];

    if ((sp_ntfs_attributes_of(en) & NTFS_COMPRESSED) == 0 || ntfs3g_attributes(fd, &now) != 0)
        return;
    put_big(bytes, now | NTFS_COMPRESSED, sizeof(bytes));
    (void)set(fd, NTFS3G_ATTRIBUTES, bytes, sizeof(bytes)); /* told when it is sealed */
}

/* --- whether ------------------------------------------------------------------------------------
 */

static bool
same_value(const struct sp_ntfs3g_seen *s, const struct sp_attribute *a)
{
    for (size_t i = 0; i < s->n; i++) {
        const char *name = (const char *)s->bytes.data + s->v[i].name;

        if (strcmp(name, a->name) != 0)
            continue;
        if (strcmp(name, WINDOWS_ATTRIBUTES) == 0)
            return a->len == 4 &&
                   ((sp_le32(s->bytes.data + s->v[i].at) ^ sp_le32(a->value)) & SETTABLE) == 0;
        return s->v[i].len == a->len &&
               (a->len == 0 || memcmp(s->bytes.data + s->v[i].at, a->value, a->len) == 0);
    }
    return false;
}

enum sp_code
sp_ntfs3g_differs(const struct sp_ntfs3g_object *o, enum sp_entry_type shown,
    const struct sp_entry *en, bool *ret, struct sp_err *e)
{
    struct sp_ntfs3g_seen s = {0};
    struct sp_ntfs3g_kind kind;
    enum sp_code rc;

    if (sp_ntfs3g_kind(o, shown, &kind) != 0) {
        *ret = true;
        return SP_OK;
    }
    if ((rc = sp_ntfs3g_read(o, &kind, &s, e)) != SP_OK)
        goto out;
    *ret = kind.type != en->type || s.problem.len > 0 || s.n != en->nattributes ||
           s.extra != en->extra || sp_ntfs_ns(s.times[1]) != en->mtime_ns ||
           (en->btime_ns != 0 && sp_ntfs_ns(s.times[0]) != en->btime_ns);
    for (size_t i = 0; i < en->nattributes && !*ret; i++)
        *ret = !same_value(&s, &en->attributes[i]);
out:
    sp_ntfs3g_seen_free(&s);
    return rc;
}
