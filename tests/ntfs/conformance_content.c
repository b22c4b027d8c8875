/* Content: reading, writing, sizes, streams, holes, compression. */
#include <stdlib.h>
#include <string.h>

#include "conformance.h"

#define FS p->fs->self
#define BLOCK ((uint64_t)64 << 10)

static enum outcome
reading(struct place *p)
{
    const size_t size = 3000000, step = 262144;
    uint8_t *bytes = malloc(size), *got = malloc(size);
    struct sp_ntfs_handle *h;
    size_t n = 0, at = 0;
    bool same = true;

    CHECK(bytes != NULL && got != NULL);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(i * 7 + (i >> 9));
    OK(p->fs->create_at(FS, p->dir, "file", false, 0, NULL, 0, &h, &p->e));
    OK(p->fs->write(FS, h, 0, bytes, size, &p->e));
    OK(p->fs->flush(FS, h, &p->e));
    OK(closed(p, h));
    OK(opened(p, "file", NTFS_READ, &h));
    for (; at < size; at += n) { /* in order, so that the next piece is asked for ahead */
        OK(p->fs->read(FS, h, at, got + at, step < size - at ? step : size - at, &n, &p->e));
        CHECK(n > 0);
    }
    same = memcmp(bytes, got, size) == 0;
    /* And out of order again. */
    for (size_t i = 0; i < 50 && same; i++) {
        at = i * 7919 * 31 % (size - 1000);
        OK(p->fs->read(FS, h, at, got, 1000, &n, &p->e));
        same = n == 1000 && memcmp(got, bytes + at, 1000) == 0;
    }
    CHECK(same);
    OK(p->fs->read(FS, h, size - 10, got, 1000, &n, &p->e));
    CHECK(n == 10);
    OK(p->fs->read(FS, h, size + 10, got, 1000, &n, &p->e));
    CHECK(n == 0);
    CHECK(p->fs->write(FS, h, 0, bytes, 1, &p->e) == SP_DENIED);
    OK(closed(p, h));
    free(bytes);
    free(got);
    return WORKS;
}

static enum outcome
sizes(struct place *p)
{
    struct sp_ntfs_handle *h;
    struct sp_ntfs_info info;
    char got[16] = "x";
    size_t n;

    OK(make_file(p, "file", "12345678", &h));
    OK(p->fs->resize(FS, h, 4, &p->e));
    OK(p->fs->resize(FS, h, 8, &p->e));
    OK(p->fs->read(FS, h, 0, got, sizeof got, &n, &p->e));
    CHECK(n == 8 && memcmp(got, "1234\0\0\0\0", 8) == 0);
    OK(p->fs->write(FS, h, 200000, "end", 3, &p->e));
    OK(p->fs->info(FS, h, &info, &p->e));
    CHECK(info.size == 200003);
    OK(p->fs->read(FS, h, 100000, got, 8, &n, &p->e));
    CHECK(n == 8 && memcmp(got, "\0\0\0\0\0\0\0\0", 8) == 0);
    OK(closed(p, h));
    OK(info_of(p, "file", &info));
    CHECK(info.size == 200003);
    return WORKS;
}

/* What is no sparse file has no holes. */
static enum outcome
allocation(struct place *p)
{
    struct sp_ntfs_handle *h;
    struct sp_ntfs_info info;

    OK(p->fs->create_at(FS, p->dir, "file", false, 0, NULL, 0, &h, &p->e));
    OK(p->fs->resize(FS, h, 1000000, &p->e));
    OK(p->fs->info(FS, h, &info, &p->e));
    OK(closed(p, h));
    KEPT(info.allocated >= 1000000);
    return WORKS;
}

struct seen {
    size_t n;
    uint64_t bytes;
    char last[64];
};

static enum sp_code
see(void *arg, const char *name, size_t len, uint64_t size, uint64_t allocated, struct sp_err *e)
{
    struct seen *s = arg;

    (void)e;
    (void)allocated;
    s->n++;
    s->bytes += size;
    (void)snprintf(s->last, sizeof s->last, "%.*s", (int)len, name);
    return SP_OK;
}

static enum outcome
streams_of(struct place *p, struct sp_ntfs_handle *h)
{
    struct sp_ntfs_handle *s;
    struct seen seen = {0};
    char got[16];
    size_t n;

    HERE(p->fs->open_stream(FS, h, "Zone", NTFS_WRITE, &s, &p->e));
    OK(p->fs->write(FS, s, 0, "stream", 6, &p->e));
    OK(closed(p, s));
    CHECK(p->fs->open_stream(FS, h, "zone", NTFS_WRITE, &s, &p->e) == SP_EXISTS);
    CHECK(p->fs->open_stream(FS, h, "none", NTFS_READ, &s, &p->e) == SP_ABSENT);
    CHECK(p->fs->open_stream(FS, h, "a:b", NTFS_WRITE, &s, &p->e) == SP_INVALID);
    OK(p->fs->open_stream(FS, h, "second", NTFS_WRITE, &s, &p->e));
    OK(closed(p, s));
    OK(p->fs->streams(FS, h, see, &seen, &p->e));
    CHECK(seen.n == 2 && seen.bytes == 6);
    OK(p->fs->open_stream(FS, h, "ZONE", NTFS_READ, &s, &p->e));
    OK(p->fs->read(FS, s, 0, got, sizeof got, &n, &p->e));
    CHECK(n == 6 && memcmp(got, "stream", 6) == 0);
    OK(closed(p, s));
    OK(p->fs->open_stream(FS, h, "second", NTFS_CHANGE, &s, &p->e));
    OK(p->fs->remove(FS, s, &p->e));
    OK(closed(p, s));
    memset(&seen, 0, sizeof seen);
    OK(p->fs->streams(FS, h, see, &seen, &p->e));
    CHECK(seen.n == 1 && strcmp(seen.last, "Zone") == 0);
    return WORKS;
}

static enum outcome
streams(struct place *p)
{
    struct sp_ntfs_handle *h;
    struct sp_ntfs_info info;

    OK(make_file(p, "file", "content", &h));
    const enum outcome was = streams_of(p, h);
    OK(closed(p, h));
    if (was != WORKS)
        return was;
    CHECK(holds(p, "file", "content"));
    OK(info_of(p, "file", &info));
    CHECK(info.size == 7);
    return WORKS;
}

static enum outcome
folder_streams(struct place *p)
{
    struct sp_ntfs_handle *h;

    OK(made_folder(p, "folder"));
    OK(opened(p, "folder", NTFS_LOOK, &h));
    const enum outcome was = streams_of(p, h);
    OK(closed(p, h));
    return was;
}

/* Into ranges: pairs of offset and length. */
static enum sp_code
ranges_of(struct place *p, struct sp_ntfs_handle *h, uint64_t size, struct sp_buf *ret)
{
    uint8_t in[16];

    sp_store_le64(in, 0);
    sp_store_le64(in + 8, size);
    return control(p, h, FSCTL_SP_QUERY_ALLOCATED_RANGES, in, sizeof in, ret);
}

static bool
is_range(const struct sp_buf *b, size_t i, uint64_t offset, uint64_t length)
{
    return b->len >= 16 * (i + 1) && sp_le64(b->data + 16 * i) == offset &&
           sp_le64(b->data + 16 * i + 8) == length;
}

static enum outcome
sparse_file(struct place *p, struct sp_ntfs_handle *h, struct sp_buf *got)
{
    struct sp_ntfs_info info;
    uint8_t zero[16], byte;
    size_t n;

    HERE(control(p, h, FSCTL_SP_SET_SPARSE, NULL, 0, got));
    OK(p->fs->resize(FS, h, 64 * BLOCK, &p->e));
    OK(p->fs->write(FS, h, 4 * BLOCK, "data", 4, &p->e));
    OK(p->fs->write(FS, h, 20 * BLOCK, "data", 4, &p->e));
    OK(p->fs->write(FS, h, 21 * BLOCK, "data", 4, &p->e));
    OK(p->fs->info(FS, h, &info, &p->e));
    KEPT((info.attributes & NTFS_SPARSE) != 0);
    HERE(ranges_of(p, h, 64 * BLOCK, got));
    KEPT(got->len == 32 && is_range(got, 0, 4 * BLOCK, BLOCK) &&
         is_range(got, 1, 20 * BLOCK, 2 * BLOCK));
    CHECK(info.allocated < 64 * BLOCK);
    sp_store_le64(zero, 20 * BLOCK);
    sp_store_le64(zero + 8, 21 * BLOCK);
    OK(control(p, h, FSCTL_SP_SET_ZERO_DATA, zero, sizeof zero, got));
    OK(ranges_of(p, h, 64 * BLOCK, got));
    CHECK(got->len == 32 && is_range(got, 1, 21 * BLOCK, BLOCK));
    OK(p->fs->read(FS, h, 20 * BLOCK, &byte, 1, &n, &p->e));
    CHECK(n == 1 && byte == 0);
    /* Not sparse any more: no hole is left. */
    OK(control(p, h, FSCTL_SP_SET_SPARSE, "\0", 1, got));
    OK(ranges_of(p, h, 64 * BLOCK, got));
    CHECK(is_range(got, 0, 0, 64 * BLOCK));
    return WORKS;
}

static enum outcome
sparse(struct place *p)
{
    struct sp_buf got = SP_BUF_INIT;
    struct sp_ntfs_handle *h;

    OK(p->fs->create_at(FS, p->dir, "file", false, 0, NULL, 0, &h, &p->e));
    const enum outcome was = sparse_file(p, h, &got);
    sp_buf_free(&got);
    OK(closed(p, h));
    return was;
}

static enum outcome
compressed(struct place *p, struct sp_ntfs_handle *h, struct sp_buf *got)
{
    struct sp_ntfs_info info;

    HERE(control(p, h, FSCTL_SP_SET_COMPRESSION, "\1", 2, got));
    HERE(control(p, h, FSCTL_SP_GET_COMPRESSION, NULL, 0, got));
    KEPT(got->len == 2 && got->data[0] == 2);
    OK(p->fs->info(FS, h, &info, &p->e));
    CHECK((info.attributes & NTFS_COMPRESSED) != 0);
    OK(control(p, h, FSCTL_SP_SET_COMPRESSION, "\0", 2, got));
    OK(p->fs->info(FS, h, &info, &p->e));
    CHECK((info.attributes & NTFS_COMPRESSED) == 0);
    return WORKS;
}

static enum outcome
compression(struct place *p)
{
    struct sp_buf got = SP_BUF_INIT;
    struct sp_ntfs_handle *h;
    enum outcome was;

    OK(make_file(p, "file", "aaaaaaaaaaaaaaaaaaaa", &h));
    was = compressed(p, h, &got);
    OK(closed(p, h));
    if (was == WORKS) {
        OK(p->fs->create_at(FS, p->dir, "folder", true, 0, NULL, 0, &h, &p->e));
        was = compressed(p, h, &got);
        OK(closed(p, h));
    }
    sp_buf_free(&got);
    return was;
}

const struct feature features_content[] = {{"reading", 0, reading}, {"sizes", 0, sizes},
    {"allocation", 0, allocation}, {"streams", NTFS_FS_STREAMS, streams},
    {"folder-streams", NTFS_FS_STREAMS, folder_streams}, {"sparse", NTFS_FS_SPARSE, sparse},
    {"compression", NTFS_FS_COMPRESSION, compression}, {NULL, 0, NULL}};
