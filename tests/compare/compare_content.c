#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "tests/compare/compare.h"

#define PIECE ((size_t)1 << 20)

/* A readable handle for an O_PATH one; does not touch atime where that is allowed. */
static int
reopen(int fd)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int r = open(path, O_RDONLY | O_NOATIME | O_CLOEXEC);
    if (r < 0 && errno == EPERM)
        r = open(path, O_RDONLY | O_CLOEXEC);
    return r;
}

/* SEEK_DATA or SEEK_HOLE with the end of the file for "no more". */
static off_t
seek(int fd, off_t at, int whence, off_t size)
{
    off_t r = lseek(fd, at, whence);
    if (r < 0) /* ENXIO: no data behind `at`; other errors: a file system without holes */
        return whence == SEEK_HOLE || errno == ENXIO ? size : at;
    return r < size ? r : size;
}

static bool
read_full(int fd, unsigned char *to, size_t n, off_t at)
{
    while (n) {
        ssize_t r = pread(fd, to, n, at);
        if (r < 0 && errno == EINTR)
            continue;
        if (r <= 0) {
            if (r == 0)
                errno = EIO; /* shorter than its size says */
            return false;
        }
        to += r;
        n -= (size_t)r;
        at += r;
    }
    return true;
}

static void
compare_bytes(struct compare *c, int a, int b, off_t size)
{
    unsigned char *buf = need(NULL, 2 * PIECE);
    off_t at = 0;
    for (;;) {
        off_t data_a = seek(a, at, SEEK_DATA, size), data_b = seek(b, at, SEEK_DATA, size);
        at = data_a < data_b ? data_a : data_b; /* holes in both read as the same zeros */
        if (at >= size)
            break;
        size_t n = size - at < (off_t)PIECE ? (size_t)(size - at) : PIECE;
        if (!read_full(a, buf, n, at) || !read_full(b, buf + PIECE, n, at)) {
            failure(c, "cannot read at %lld: %s", (long long)at, strerror(errno));
            break;
        }
        if (memcmp(buf, buf + PIECE, n) != 0) {
            size_t i = 0;
            while (buf[i] == buf[PIECE + i])
                i++;
            difference(c, "content differs at byte %lld", (long long)at + (long long)i);
            break;
        }
        at += (off_t)n;
    }
    free(buf);
}

static off_t
block_size(int fd)
{
    struct statvfs v;
    return fstatvfs(fd, &v) == 0 && v.f_bsize ? (off_t)v.f_bsize : 4096;
}

/* Every hole of A must be a hole of B, but for the blocks at its ends that B's coarser (or
 * differently aligned) blocks may have to fill. */
static void
compare_holes(struct compare *c, int a, int b, off_t size)
{
    off_t block = block_size(b), other = block_size(a);
    if (other > block)
        block = other;
    for (off_t at = 0; at < size;) {
        off_t hole = seek(a, at, SEEK_HOLE, size);
        off_t end = seek(a, hole, SEEK_DATA, size);
        off_t from = (hole + block - 1) / block * block;
        off_t to = end == size ? size : end / block * block;
        if (from + block <= to) {
            off_t data = seek(b, from, SEEK_DATA, size);
            if (data < to) {
                difference(c, "the hole of A at %lld to %lld holds data in B at %lld",
                    (long long)hole, (long long)end, (long long)data);
                return;
            }
        }
        at = end;
    }
}

void
compare_content(struct compare *c, const struct side *a, const struct side *b)
{
    int fa, fb;
    if (a->st.st_size != b->st.st_size) {
        difference(
            c, "size %lld in A, %lld in B", (long long)a->st.st_size, (long long)b->st.st_size);
        return;
    }
    if (a->st.st_size == 0)
        return;
    fa = reopen(a->fd);
    fb = fa < 0 ? -1 : reopen(b->fd);
    if (fb < 0) {
        failure(c, "cannot open it in %s: %s", fa < 0 ? "A" : "B", strerror(errno));
    } else {
        compare_bytes(c, fa, fb, a->st.st_size);
        if (!c->ignore_holes)
            compare_holes(c, fa, fb, a->st.st_size);
    }
    if (fa >= 0)
        close(fa);
    if (fb >= 0)
        close(fb);
}
