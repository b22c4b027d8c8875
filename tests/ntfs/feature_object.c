#include "tests/ntfs/feature_object.h"

#include <stdlib.h>
#include <string.h>

#define PIECE (256u << 10)

const char *
aspect_name(int aspect)
{
    static const char *const names[ASPECT_COUNT] = {"security", "extended attributes",
        "reparse data", "object id", "allocated ranges", "streams", "content"};

    return names[aspect];
}

void
object_clear(struct object *o)
{
    for (int i = 0; i < ASPECT_COUNT; i++)
        sp_buf_free(&o->aspects[i]);
}

static bool
none_here(enum sp_code rc)
{
    return rc == SP_UNSUPPORTED || rc == SP_ABSENT;
}

/* Length and a sum of the content; whole contents would not fit. FNV-1a over 64 bits. */
static enum sp_code
sum(const struct sp_ntfs *fs, struct sp_ntfs_handle *h, struct sp_buf *to, struct sp_err *e)
{
    uint64_t hash = UINT64_C(14695981039346656037), offset = 0;
    uint8_t *p = malloc(PIECE);
    size_t n = 1;
    enum sp_code rc = p == NULL ? sp_fail_nomem(e) : SP_OK;

    while (rc == SP_OK && n > 0) {
        if ((rc = fs->read(fs->self, h, offset, p, PIECE, &n, e)) != SP_OK)
            break;
        for (size_t i = 0; i < n; i++)
            hash = (hash ^ p[i]) * UINT64_C(1099511628211);
        offset += n;
    }
    free(p);
    sp_buf_put_u64(to, offset);
    sp_buf_put_u64(to, hash);
    return rc;
}

struct streams {
    const struct sp_ntfs *fs;
    struct sp_ntfs_handle *h;
    struct sp_buf names; /* each with its NUL */
    size_t n;
};

static enum sp_code
take_stream(
    void *arg, const char *name, size_t n, uint64_t size, uint64_t allocated, struct sp_err *e)
{
    struct streams *s = arg;

    (void)size;
    (void)allocated;
    sp_buf_put(&s->names, name, n);
    sp_buf_put_u8(&s->names, 0);
    s->n++;
    return sp_buf_ok(&s->names, e);
}

static int
by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static enum sp_code
read_streams(
    const struct sp_ntfs *fs, struct sp_ntfs_handle *h, struct sp_buf *to, struct sp_err *e)
{
    struct streams s = {.fs = fs, .h = h, .names = SP_BUF_INIT};
    const char **sorted = NULL, *p;
    enum sp_code rc = fs->streams(fs->self, h, take_stream, &s, e);

    if (rc == SP_OK && s.n > 0 && (sorted = calloc(s.n, sizeof *sorted)) == NULL)
        rc = sp_fail_nomem(e);
    p = (const char *)s.names.data;
    for (size_t i = 0; rc == SP_OK && i < s.n; i++, p += strlen(p) + 1)
        sorted[i] = p;
    if (rc == SP_OK && s.n > 0)
        qsort(sorted, s.n, sizeof *sorted, by_text);
    for (size_t i = 0; rc == SP_OK && i < s.n; i++) {
        struct sp_ntfs_handle *one = NULL;

        sp_buf_put(to, sorted[i], strlen(sorted[i]) + 1);
        if ((rc = fs->open_stream(fs->self, h, sorted[i], NTFS_READ, &one, e)) != SP_OK)
            break;
        rc = sum(fs, one, to, e);
        if (fs->close(fs->self, one, e) != SP_OK && rc == SP_OK)
            rc = e->code;
    }
    free(sorted);
    sp_buf_free(&s.names);
    return none_here(rc) ? SP_OK : rc;
}

static enum sp_code
ask(const struct sp_ntfs *fs, struct sp_ntfs_handle *h, uint32_t code, const void *in,
    size_t in_len, size_t room, struct sp_buf *to, struct sp_err *e)
{
    bool more = false;
    enum sp_code rc = fs->control(fs->self, h, code, in, in_len, room, to, &more, e);

    return none_here(rc) ? SP_OK : rc;
}

static enum sp_code
read_ranges(const struct sp_ntfs *fs, struct sp_ntfs_handle *h, uint64_t size, struct sp_buf *to,
    struct sp_err *e)
{
    struct sp_buf in = SP_BUF_INIT;
    enum sp_code rc;

    sp_buf_put_u64(&in, 0);
    sp_buf_put_u64(&in, size);
    rc = ask(fs, h, FSCTL_SP_QUERY_ALLOCATED_RANGES, in.data, in.len, 65536, to, e);
    sp_buf_free(&in);
    return rc;
}

/* Without content. */
static enum sp_code
look(const struct sp_ntfs *fs, struct sp_ntfs_handle *h, struct object *o, struct sp_err *e)
{
    enum sp_code rc = fs->info(fs->self, h, &o->info, e);

    if (rc == SP_OK && none_here(rc = fs->security(fs->self, h, &o->aspects[ASPECT_SECURITY], e)))
        rc = SP_OK;
    if (rc == SP_OK && none_here(rc = fs->eas(fs->self, h, &o->aspects[ASPECT_EAS], e)))
        rc = SP_OK;
    if (rc == SP_OK && (o->info.attributes & NTFS_REPARSE) != 0)
        rc = ask(fs, h, FSCTL_SP_GET_REPARSE, NULL, 0, 16384, &o->aspects[ASPECT_REPARSE], e);
    if (rc == SP_OK)
        rc = ask(fs, h, FSCTL_SP_GET_OBJECT_ID, NULL, 0, 64, &o->aspects[ASPECT_OBJECT_ID], e);
    if (rc == SP_OK && (o->info.attributes & NTFS_DIRECTORY) != 0 &&
        none_here(rc = fs->case_sensitive(fs->self, h, &o->case_sensitive, e)))
        rc = SP_OK;
    return rc;
}

enum sp_code
object_read(const struct sp_ntfs *fs, struct sp_ntfs_handle *dir, const char *name,
    struct object *ret, struct sp_err *e)
{
    struct sp_ntfs_handle *h = NULL;
    bool content;
    enum sp_code rc = fs->open_at(fs->self, dir, name, NTFS_ANY, NTFS_LOOK, &h, e);

    if (rc != SP_OK)
        return rc;
    if ((rc = look(fs, h, ret, e)) == SP_OK)
        rc = read_streams(fs, h, &ret->aspects[ASPECT_STREAMS], e);
    if (fs->close(fs->self, h, e) != SP_OK && rc == SP_OK)
        rc = e->code;
    content = (ret->info.attributes & (NTFS_DIRECTORY | NTFS_REPARSE)) == 0;
    if (rc != SP_OK || !content)
        return rc;
    if ((rc = fs->open_at(fs->self, dir, name, NTFS_FILE, NTFS_READ, &h, e)) != SP_OK)
        return rc;
    if ((ret->info.attributes & NTFS_SPARSE) != 0)
        rc = read_ranges(fs, h, ret->info.size, &ret->aspects[ASPECT_RANGES], e);
    if (rc == SP_OK)
        rc = sum(fs, h, &ret->aspects[ASPECT_CONTENT], e);
    if (fs->close(fs->self, h, e) != SP_OK && rc == SP_OK)
        rc = e->code;
    return rc;
}
