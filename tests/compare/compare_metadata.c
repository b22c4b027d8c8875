#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "tests/compare/compare.h"

/* Extended attributes have no *at calls: the magic link of an O_PATH handle leads to the very
 * entry, also when that is a symlink. */
struct magic {
    char path[64];
};

static struct magic
magic(int fd)
{
    struct magic m;
    snprintf(m.path, sizeof m.path, "/proc/self/fd/%d", fd);
    return m;
}

struct names {
    char *bytes; /* as listxattr gave them */
    char **at;
    size_t n;
};

static int
by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool
list(struct compare *c, const struct side *s, const char *which, struct names *ret)
{
    struct magic m = magic(s->fd);
    size_t size = 64 * 1024; /* XATTR_LIST_MAX */
    *ret = (struct names){.bytes = need(NULL, size)};
    ssize_t n = listxattr(m.path, ret->bytes, size);
    if (n < 0) {
        if (errno == ENOTSUP)
            return true; /* none there */
        failure(c, "cannot list extended attributes in %s: %s", which, strerror(errno));
        return false;
    }
    for (char *p = ret->bytes; p < ret->bytes + n; p += strlen(p) + 1) {
        ret->at = need(ret->at, (ret->n + 1) * sizeof *ret->at);
        ret->at[ret->n++] = p;
    }
    if (ret->n)
        qsort(ret->at, ret->n, sizeof *ret->at, by_bytes);
    return true;
}

static void
compare_value(struct compare *c, const struct side *a, const struct side *b, const char *name)
{
    size_t size = 64 * 1024; /* XATTR_SIZE_MAX */
    char *va = need(NULL, size), *vb = need(NULL, size);
    ssize_t na = getxattr(magic(a->fd).path, name, va, size);
    ssize_t nb = getxattr(magic(b->fd).path, name, vb, size);
    if (na < 0 || nb < 0)
        failure(c, "cannot read extended attribute %s: %s", name, strerror(errno));
    else if (na != nb || memcmp(va, vb, (size_t)na) != 0)
        difference(c, "extended attribute %s differs", name);
    free(va);
    free(vb);
}

static void
compare_xattrs(struct compare *c, const struct side *a, const struct side *b)
{
    struct names na = {0}, nb = {0};
    if (list(c, a, "A", &na) && list(c, b, "B", &nb)) {
        size_t i = 0, j = 0;
        while (i < na.n || j < nb.n) {
            int order = i == na.n ? 1 : j == nb.n ? -1 : strcmp(na.at[i], nb.at[j]);
            if (order == 0)
                compare_value(c, a, b, na.at[i]);
            else
                difference(c, "extended attribute %s only in %s", order < 0 ? na.at[i] : nb.at[j],
                    order < 0 ? "A" : "B");
            i += order <= 0;
            j += order >= 0;
        }
    }
    free(na.bytes);
    free(na.at);
    free(nb.bytes);
    free(nb.at);
}

static void
compare_targets(struct compare *c, const struct side *a, const struct side *b)
{
    size_t size = 64 * 1024;
    char *ta = need(NULL, size), *tb = need(NULL, size);
    ssize_t na = readlinkat(a->fd, "", ta, size), nb = readlinkat(b->fd, "", tb, size);
    if (na < 0 || nb < 0)
        failure(c, "cannot read the symlink: %s", strerror(errno));
    else if (na != nb || memcmp(ta, tb, (size_t)na) != 0)
        difference(c, "the target of the symlink differs");
    free(ta);
    free(tb);
}

void
compare_metadata(struct compare *c, const struct side *a, const struct side *b)
{
    const struct stat *sa = &a->st, *sb = &b->st;
    if (sa->st_mode != sb->st_mode)
        difference(c, "mode %04o in A, %04o in B", sa->st_mode & 07777, sb->st_mode & 07777);
    if (sa->st_uid != sb->st_uid)
        difference(c, "uid %u in A, %u in B", sa->st_uid, sb->st_uid);
    if (sa->st_gid != sb->st_gid)
        difference(c, "gid %u in A, %u in B", sa->st_gid, sb->st_gid);
    if (sa->st_mtim.tv_sec != sb->st_mtim.tv_sec || sa->st_mtim.tv_nsec != sb->st_mtim.tv_nsec)
        difference(c, "mtime %lld.%09ld in A, %lld.%09ld in B", (long long)sa->st_mtim.tv_sec,
            sa->st_mtim.tv_nsec, (long long)sb->st_mtim.tv_sec, sb->st_mtim.tv_nsec);
    if ((S_ISCHR(sa->st_mode) || S_ISBLK(sa->st_mode)) && sa->st_rdev != sb->st_rdev)
        difference(c, "device %u:%u in A, %u:%u in B", major(sa->st_rdev), minor(sa->st_rdev),
            major(sb->st_rdev), minor(sb->st_rdev));
    if (S_ISLNK(sa->st_mode))
        compare_targets(c, a, b);
    compare_xattrs(c, a, b);
}
