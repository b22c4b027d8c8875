/* Content: blocks of 64 KiB, some of which are holes. */
#include <stdlib.h>
#include <string.h>

#include "double_tree.h"

uint8_t dbl_zeros[DBL_BLOCK];

struct dbl_stream *
dbl_stream_find(struct dbl_node *n, const char *name)
{
    for (struct dbl_stream *s = n->streams; s != NULL; s = s->next)
        if (!s->removed && dbl_same_name(s->name, name, false))
            return s;
    return NULL;
}

struct dbl_stream *
dbl_stream_add(struct dbl_node *n, const char *name)
{
    struct dbl_stream **at = &n->streams, *s = calloc(1, sizeof *s);

    if (s == NULL)
        dbl_die("no memory");
    s->name = dbl_dup(name);
    s->compressed = (n->attributes & NTFS_COMPRESSED) != 0;
    while (*at != NULL)
        at = &(*at)->next;
    *at = s;
    return s;
}

static uint8_t **
slot(struct dbl_stream *s, uint64_t block, bool make)
{
    const size_t section = (size_t)(block / DBL_SECTION);

    if (section >= s->nsections) {
        if (!make)
            return NULL;
        s->sections = realloc(s->sections, (section + 1) * sizeof *s->sections);
        if (s->sections == NULL)
            dbl_die("no memory");
        memset(s->sections + s->nsections, 0, (section + 1 - s->nsections) * sizeof *s->sections);
        s->nsections = section + 1;
    }
    if (s->sections[section] == NULL && make) {
        s->sections[section] = calloc(DBL_SECTION, sizeof **s->sections);
        if (s->sections[section] == NULL)
            dbl_die("no memory");
    }
    return s->sections[section] != NULL ? &s->sections[section][block % DBL_SECTION] : NULL;
}

static void
release(struct dbl_node *n, struct dbl_stream *s, uint64_t block)
{
    uint8_t **at = slot(s, block, false);

    if (at == NULL || *at == NULL)
        return;
    if (*at != dbl_zeros)
        free(*at);
    *at = NULL;
    s->blocks--;
    n->volume->used -= DBL_BLOCK;
}

/* Room for the block, all zero when it had none. */
static int
allocate(struct dbl_node *n, struct dbl_stream *s, uint64_t block)
{
    uint8_t **at = slot(s, block, true);

    if (*at != NULL)
        return 0;
    if (n->volume->capacity - n->volume->used < DBL_BLOCK)
        return W_DISK_FULL;
    *at = dbl_zeros;
    s->blocks++;
    n->volume->used += DBL_BLOCK;
    return 0;
}

void
dbl_stream_remove(struct dbl_node *n, struct dbl_stream *s)
{
    for (uint64_t b = 0; b < (uint64_t)s->nsections * DBL_SECTION; b++)
        release(n, s, b);
    s->size = 0;
    s->removed = true;
}

void
dbl_stream_free(struct dbl_node *n, struct dbl_stream *s)
{
    struct dbl_stream **at = &n->streams;

    dbl_stream_remove(n, s);
    for (size_t i = 0; i < s->nsections; i++)
        free(s->sections[i]);
    while (*at != s)
        at = &(*at)->next;
    *at = s->next;
    free(s->sections);
    free(s->name);
    free(s);
}

/* MS-FSA 2.1.5.12.27: of a plain stream whole clusters; of a sparse or compressed one what it has.
 * A filter's file (deduplicated) and a placeholder have nothing. */
uint64_t
dbl_stream_allocated(const struct dbl_node *n, const struct dbl_stream *s)
{
    if (n->filtered || (n->away && s->name[0] == '\0'))
        return 0;
    if (s->sparse)
        return s->blocks * DBL_BLOCK;
    const uint64_t whole = (s->size + DBL_CLUSTER - 1) / DBL_CLUSTER * DBL_CLUSTER;
    return s->compressed ? (whole / 2 + DBL_CLUSTER - 1) / DBL_CLUSTER * DBL_CLUSTER : whole;
}

void
dbl_stream_read(const struct dbl_stream *s, uint64_t at, uint8_t *to, size_t n)
{
    while (n > 0) {
        const size_t in = (size_t)(at % DBL_BLOCK), step = n < DBL_BLOCK - in ? n : DBL_BLOCK - in;
        uint8_t **block = slot((struct dbl_stream *)(uintptr_t)s, at / DBL_BLOCK, false);
        if (block == NULL || *block == NULL)
            memset(to, 0, step);
        else
            memcpy(to, *block + in, step);
        at += step;
        to += step;
        n -= step;
    }
}

/* A stream that is not sparse has no holes up to its size: MS-FSA 2.1.5.14.4. */
int
dbl_stream_resize(struct dbl_node *n, struct dbl_stream *s, uint64_t size)
{
    const uint64_t old = (s->size + DBL_BLOCK - 1) / DBL_BLOCK;
    const uint64_t now = (size + DBL_BLOCK - 1) / DBL_BLOCK;
    int os = 0;

    if (n->volume->kind == NTFS_DOUBLE_FAT32 && size > UINT32_MAX)
        return W_FILE_TOO_LARGE;
    if (size < s->size && size % DBL_BLOCK != 0)
        dbl_stream_zero(n, s, size, now * DBL_BLOCK < s->size ? now * DBL_BLOCK : s->size);
    for (uint64_t b = now; b < old; b++)
        release(n, s, b);
    for (uint64_t b = old; !s->sparse && b < now && os == 0; b++)
        os = allocate(n, s, b);
    for (uint64_t b = old; os != 0 && b < now; b++)
        release(n, s, b);
    if (os == 0)
        s->size = size;
    return os;
}

int
dbl_stream_write(
    struct dbl_node *n, struct dbl_stream *s, uint64_t at, const uint8_t *p, size_t len)
{
    int os = 0;

    if (at + len > s->size && (os = dbl_stream_resize(n, s, at + len)) != 0)
        return os;
    while (len > 0) {
        const size_t in = (size_t)(at % DBL_BLOCK);
        const size_t step = len < DBL_BLOCK - in ? len : DBL_BLOCK - in;
        if ((os = allocate(n, s, at / DBL_BLOCK)) != 0)
            return os;
        uint8_t **block = slot(s, at / DBL_BLOCK, true);
        if (*block == dbl_zeros && (*block = calloc(1, DBL_BLOCK)) == NULL)
            dbl_die("no memory");
        memcpy(*block + in, p, step);
        at += step;
        p += step;
        len -= step;
    }
    return 0;
}

/* FSCTL_SET_ZERO_DATA: whole blocks of a sparse stream are given back, the rest is written over.
 * learn.microsoft.com/en-us/windows/win32/api/winioctl/ni-winioctl-fsctl_set_zero_data */
void
dbl_stream_zero(struct dbl_node *n, struct dbl_stream *s, uint64_t from, uint64_t to)
{
    to = to < s->size ? to : s->size;
    while (from < to) {
        const size_t in = (size_t)(from % DBL_BLOCK);
        const uint64_t step = to - from < DBL_BLOCK - in ? to - from : DBL_BLOCK - in;
        uint8_t **block = slot(s, from / DBL_BLOCK, false);
        if (s->sparse && in == 0 && (step == DBL_BLOCK || from + step == s->size))
            release(n, s, from / DBL_BLOCK);
        else if (block != NULL && *block != NULL && *block != dbl_zeros)
            memset(*block + in, 0, (size_t)step);
        from += step;
    }
}

int
dbl_stream_sparse(struct dbl_node *n, struct dbl_stream *s, bool on)
{
    int os = 0;

    for (uint64_t b = 0; !on && b * DBL_BLOCK < s->size && os == 0; b++)
        os = allocate(n, s, b);
    if (os == 0)
        s->sparse = on;
    return os;
}

bool
dbl_stream_range(const struct dbl_stream *s, uint64_t at, uint64_t *ret_at, uint64_t *ret_n)
{
    uint64_t b = at / DBL_BLOCK, last;
    const uint64_t end = (s->size + DBL_BLOCK - 1) / DBL_BLOCK;
    uint8_t **block;

    if (at >= s->size)
        return false;
    while (b < end &&
           ((block = slot((struct dbl_stream *)(uintptr_t)s, b, false)) == NULL || *block == NULL))
        b = block == NULL ? (b / DBL_SECTION + 1) * DBL_SECTION : b + 1;
    if (b >= end)
        return false;
    for (last = b; last < end; last++)
        if ((block = slot((struct dbl_stream *)(uintptr_t)s, last, false)) == NULL ||
            *block == NULL)
            break;
    *ret_at = b * DBL_BLOCK > at ? b * DBL_BLOCK : at;
    *ret_n = (last * DBL_BLOCK < s->size ? last * DBL_BLOCK : s->size) - *ret_at;
    return true;
}
