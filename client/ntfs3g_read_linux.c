/* Everything that is kept of one object: see ntfs3g_linux.h. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/path.h"
#include "client/ntfs.h"
#include "client/ntfs3g_names.h"

#define OBJECT_ID 64 /* FILE_OBJECTID_BUFFER; without birth ids ntfs-3g gives 16 of it */
#define WOF_STREAM "WofCompressedData" /* the packed form of what is read as plain content */

void
sp_ntfs3g_seen_free(struct sp_ntfs3g_seen *s)
{
    sp_buf_free(&s->bytes);
    sp_buf_free(&s->target);
    sp_buf_free(&s->problem);
    free(s->v);
    memset(s, 0, sizeof(*s));
}

static enum sp_code
add(struct sp_ntfs3g_seen *s, const char *prefix, const char *name, const void *p, size_t n,
    struct sp_err *e)
{
    struct sp_ntfs3g_value v = {.name = s->bytes.len, .len = n};

    if (s->n == s->cap) {
        size_t cap = s->cap == 0 ? 8 : 2 * s->cap;
        struct sp_ntfs3g_value *more = realloc(s->v, cap * sizeof(*more));

        if (more == NULL)
            return sp_fail_nomem(e);
        s->v = more;
        s->cap = cap;
    }
    sp_buf_put_str(&s->bytes, prefix);
    sp_buf_put_str(&s->bytes, name);
    sp_buf_put_u8(&s->bytes, 0);
    v.at = s->bytes.len;
    sp_buf_put(&s->bytes, p, n);
    s->v[s->n++] = v;
    return sp_buf_ok(&s->bytes, e);
}

static void
problem(struct sp_ntfs3g_seen *s, int why, const char *what, const char *name)
{
    struct sp_err text = {0};

    if (s->problem.len > 0)
        return;
    if (why == 0)
        sp_buf_printf(&s->problem, "%s%s", what, name);
    else {
        (void)sp_fail_os(&text, SP_DOM_SOURCE, why, "%s%s cannot be read", what, name);
        sp_buf_put_str(&s->problem, text.text);
    }
}

/* --- streams -------------------------------------------------------------------------------------
 */

void
ntfs3g_stream_attribute(unsigned traits, const char *stream, struct sp_buf *ret)
{
    sp_buf_reset(ret);
    if ((traits & SP_NTFS3G_USER) != 0)
        sp_buf_put_str(ret, NTFS3G_USER_PREFIX);
    sp_buf_put_str(ret, stream);
}

/* The list as the mount has it, or its attributes, which are the streams. */
static int
raw_list(const struct sp_ntfs3g_object *o, struct sp_buf *ret)
{
    char proc[32];
    ssize_t n;

    (void)snprintf(proc, sizeof(proc), "/proc/self/fd/%d", o->fd);
    if (!sp_buf_reserve(ret, NTFS3G_MOST + 1))
        return ENOMEM;
    n = (o->traits & SP_NTFS3G_NAMES) != 0 ? getxattr(proc, NTFS3G_STREAMS, ret->data, NTFS3G_MOST)
                                           : listxattr(proc, (char *)ret->data, NTFS3G_MOST);
    if (n < 0)
        return errno == ENODATA || errno == EOPNOTSUPP ? 0 : errno;
    ret->len = (size_t)n;
    if (n > 0 && ret->data[n - 1] != 0)
        sp_buf_put_u8(ret, 0);
    return 0;
}

int
ntfs3g_streams(const struct sp_ntfs3g_object *o, struct sp_buf *ret)
{
    struct sp_buf raw = SP_BUF_INIT;
    int why = 0;

    if ((o->traits & (SP_NTFS3G_NAMES | SP_NTFS3G_USER | SP_NTFS3G_OPEN)) == 0)
        return 0;
    if ((why = raw_list(o, &raw)) != 0)
        goto out;
    for (size_t at = 0; at < raw.len;) {
        const char *name = (const char *)raw.data + at;
        size_t n = strlen(name), skip = 0;

        at += n + 1;
        if ((o->traits & SP_NTFS3G_USER) != 0) {
            skip = strlen(NTFS3G_USER_PREFIX);
            if (strncmp(name, NTFS3G_USER_PREFIX, skip) != 0)
                continue; /* of a Linux security module */
        }
        if (n > skip)
            sp_buf_put(ret, name + skip, n - skip + 1);
    }
    if (ret->failed)
        why = ENOMEM;
out:
    sp_buf_free(&raw);
    return why;
}

int
sp_ntfs3g_stream_open(const struct sp_ntfs3g_object *o, const char *stream, int flags, int *ret)
{
    struct sp_buf name = SP_BUF_INIT;
    int fd = -1, why;

    if (strcmp(o->name, ".") != 0)
        sp_buf_put_str(&name, o->name);
    sp_buf_put_u8(&name, ':');
    sp_buf_put_str(&name, stream);
    sp_buf_str(&name);
    if (name.failed) {
        sp_buf_free(&name);
        return ENOMEM;
    }
    do
        fd = openat(
            o->dir, (const char *)name.data, flags | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0600);
    while (fd < 0 && errno == EINTR);
    why = errno;
    sp_buf_free(&name);
    if (fd < 0)
        return why;
    *ret = fd;
    return 0;
}

static int
read_all(int fd, uint8_t *to, size_t n)
{
    for (size_t got = 0; got < n;) {
        ssize_t did = pread(fd, to + got, n - got, (off_t)got);

        if (did < 0 && errno == EINTR)
            continue;
        if (did < 0)
            return errno;
        if (did == 0)
            return EAGAIN; /* it became shorter: the next run has it as it is then */
        got += (size_t)did;
    }
    return 0;
}

struct parts {
    struct sp_ntfs_part *v;
    size_t n;
};

/* One as a file: short ones as a value, long ones into the table. */
static enum sp_code
stream_file(const struct sp_ntfs3g_object *o, const char *stream, struct sp_ntfs3g_seen *s,
    struct parts *parts, struct sp_err *e)
{
    struct sp_ntfs_part *more;
    struct stat st = {0};
    uint8_t *bytes = NULL;
    int fd = -1, why;
    enum sp_code rc = SP_OK;

    if ((why = sp_ntfs3g_stream_open(o, stream, O_RDONLY, &fd)) == 0 && fstat(fd, &st) != 0)
        why = errno;
    if (why != 0)
        goto out;
    if ((uint64_t)st.st_size > WINDOWS_STREAM_MAX) {
        if ((more = realloc(parts->v, (parts->n + 1) * sizeof(*more))) == NULL) {
            rc = sp_fail_nomem(e);
            goto out;
        }
        parts->v = more;
        parts->v[parts->n++] =
            (struct sp_ntfs_part){NTFS_PART_STREAM, stream, (uint64_t)st.st_size};
        s->extra += (uint64_t)st.st_size;
        goto out;
    }
    if ((bytes = malloc((size_t)st.st_size + 1)) == NULL) {
        rc = sp_fail_nomem(e);
        goto out;
    }
    if ((why = read_all(fd, bytes, (size_t)st.st_size)) == 0)
        rc = add(s, WINDOWS_STREAM, stream, bytes, (size_t)st.st_size, e);
out:
    if (why != 0)
        problem(s, why, "the alternate stream ", stream);
    if (fd >= 0)
        (void)close(fd);
    free(bytes);
    return rc;
}

static enum sp_code
stream_value(const struct sp_ntfs3g_object *o, const char *stream, struct sp_ntfs3g_seen *s,
    struct sp_err *e)
{
    struct sp_buf name = SP_BUF_INIT, value = SP_BUF_INIT;
    enum sp_code rc = SP_OK;
    int why;

    ntfs3g_stream_attribute(o->traits, stream, &name);
    why = ntfs3g_get(o->fd, sp_buf_str(&name), &value);
    if (why == 0 || why == ENODATA) /* empty ones count too */
        rc = add(s, WINDOWS_STREAM, stream, value.data, value.len, e);
    else if (why == E2BIG || why == ERANGE)
        problem(s, 0,
            "an alternate stream is longer than 64 KiB, which this mount cannot give (mount it "
            "with "
            "streams_interface=windows): ",
            stream);
    else
        problem(s, why, "the alternate stream ", stream);
    sp_buf_free(&name);
    sp_buf_free(&value);
    return rc;
}

static enum sp_code
read_streams(const struct sp_ntfs3g_object *o, const struct sp_ntfs3g_kind *kind, uint32_t tag,
    struct sp_ntfs3g_seen *s, struct sp_err *e)
{
    struct sp_buf names = SP_BUF_INIT, table = SP_BUF_INIT;
    struct parts parts = {0};
    enum sp_code rc = SP_OK;
    int why;

    if ((why = ntfs3g_streams(o, &names)) != 0) {
        problem(s, why, "the list of alternate streams", "");
        goto out;
    }
    for (size_t at = 0; rc == SP_OK && at < names.len;) {
        const char *stream = (const char *)names.data + at;

        at += strlen(stream) + 1;
        if (tag == NTFS_TAG_WOF && kind->tag == 0 && strcmp(stream, WOF_STREAM) == 0)
            continue;
        if (!sp_ntfs_stream_name_ok(stream, strlen(stream)))
            problem(s, 0, "an alternate stream has a name that none can have: ", stream);
        else if ((o->traits & SP_NTFS3G_NAMES) == 0)
            rc = stream_value(o, stream, s, e);
        else if (o->dir >= 0)
            rc = stream_file(o, stream, s, &parts, e);
    }
    if (rc != SP_OK || parts.n == 0)
        goto out;
    if ((rc = sp_ntfs_parts_encode(parts.v, parts.n, &table, e)) == SP_OK)
        rc = add(s, WINDOWS_STREAMS, "", table.data, table.len, e);
out:
    free(parts.v);
    sp_buf_free(&names);
    sp_buf_free(&table);
    return rc;
}

/* --- the rest ------------------------------------------------------------------------------------
 */

/* On the disk the last one leads to its own end, filled up to four bytes; Windows says 0 and ends.
 */
static bool
plain_ea(struct sp_buf *b)
{
    size_t at = 0, next = 0, end;

    for (; at < b->len; at += next) {
        if (b->len - at < 8)
            return false;
        next = sp_le32(b->data + at);
        if (next == 0 || next > b->len - at)
            return false;
        if (next == b->len - at)
            break;
    }
    if (at >= b->len)
        return false;
    end =
        8 + (size_t)b->data[at + 5] + 1 + ((size_t)b->data[at + 6] | (size_t)b->data[at + 7] << 8);
    if (end > b->len - at)
        return false;
    sp_store_le32(b->data + at, 0);
    b->len = at + end;
    return sp_ntfs_ea_ok(b->data, b->len);
}

static enum sp_code
read_one(const struct sp_ntfs3g_object *o, const char *theirs, const char *ours, const char *what,
    struct sp_ntfs3g_seen *s, struct sp_err *e)
{
    struct sp_buf b = SP_BUF_INIT;
    enum sp_code rc = SP_OK;
    bool ok = true;
    int why = ntfs3g_get(o->fd, theirs, &b);

    if (why == ENODATA)
        goto out;
    if (why != 0) {
        problem(s, why, what, "");
        goto out;
    }
    if (strcmp(ours, WINDOWS_SECURITY) == 0)
        ok = sp_ntfs_security_ok(b.data, b.len);
    else if (strcmp(ours, WINDOWS_REPARSE) == 0)
        ok = sp_ntfs_reparse_ok(b.data, b.len);
    else if (strcmp(ours, WINDOWS_EA) == 0)
        ok = plain_ea(&b);
    else if (strcmp(ours, WINDOWS_OBJECT_ID) == 0 && b.len < OBJECT_ID)
        sp_buf_put_zero(&b, OBJECT_ID - b.len);
    else if (strcmp(ours, WINDOWS_SHORT_NAME) == 0)
        ok = sp_wtf8_valid(b.data, b.len);
    if (!ok)
        problem(s, 0, what, " is malformed on the disk: let Windows repair the volume (chkdsk)");
    else
        rc = add(s, ours, "", b.data, b.len, e);
out:
    sp_buf_free(&b);
    return rc;
}

static void
read_link(const struct sp_ntfs3g_object *o, struct sp_ntfs3g_seen *s)
{
    struct sp_buf b = SP_BUF_INIT;
    struct sp_err why = {0};
    bool relative, volume;

    if (ntfs3g_get(o->fd, NTFS3G_REPARSE, &b) == 0 &&
        sp_ntfs_reparse_target(b.data, b.len, &s->target, &relative, &volume, &why) != SP_OK)
        problem(s, 0, why.text, "");
    sp_buf_free(&b);
}

enum sp_code
sp_ntfs3g_read(const struct sp_ntfs3g_object *o, const struct sp_ntfs3g_kind *kind,
    struct sp_ntfs3g_seen *ret, struct sp_err *e)
{
    static const struct {
        const char *theirs, *ours, *what;
    } all[] = {
        {NTFS3G_SECURITY, WINDOWS_SECURITY, "its security descriptor"},
        {NTFS3G_OBJECT_ID, WINDOWS_OBJECT_ID, "its object id"},
        {NTFS3G_EA, WINDOWS_EA, "the list of its extended attributes"},
        {NTFS3G_SHORT_NAME, WINDOWS_SHORT_NAME, "its short name"},
        {NTFS3G_REPARSE, WINDOWS_REPARSE, "its reparse data"},
    };
    struct sp_buf point = SP_BUF_INIT;
    uint32_t attributes = 0, tag = kind->tag;
    uint8_t value[4];
    enum sp_code rc = SP_OK;
    int why;

    if ((why = ntfs3g_attributes(o->fd, &attributes)) != 0 ||
        (why = sp_ntfs3g_times(o->fd, ret->times)) != 0) {
        if (why == ENOENT)
            return sp_fail(e, SP_ABSENT, SP_DOM_SOURCE, "it vanished");
        problem(ret, why, "its attributes", "");
        return SP_OK;
    }
    sp_store_le32(value, attributes);
    rc = add(ret, WINDOWS_ATTRIBUTES, "", value, sizeof(value), e);
    for (size_t i = 0; rc == SP_OK && i < sizeof(all) / sizeof(all[0]); i++) {
        if (strcmp(all[i].ours, WINDOWS_SHORT_NAME) == 0 && strcmp(o->name, ".") == 0)
            continue;
        /* What is read as plain content is not in the set in any other form. */
        if (strcmp(all[i].ours, WINDOWS_REPARSE) == 0 && kind->tag == 0)
            continue;
        rc = read_one(o, all[i].theirs, all[i].ours, all[i].what, ret, e);
    }
    if (rc != SP_OK)
        return rc;
    if (tag == 0 && (attributes & NTFS_REPARSE) != 0 &&
        ntfs3g_get(o->fd, NTFS3G_REPARSE, &point) == 0)
        tag = sp_ntfs_reparse_tag(point.data, point.len);
    sp_buf_free(&point);
    if (kind->type == SP_ENTRY_LINK)
        read_link(o, ret);
    if (kind->lost) {
        char text[160];

        (void)snprintf(text, sizeof(text),
            "what is in it is behind a reparse point (tag %08lx) that ntfs-3g cannot read: back it "
            "up on Windows",
            (unsigned long)tag);
        problem(ret, 0, text, "");
    }
    return read_streams(o, kind, tag, ret, e);
}
