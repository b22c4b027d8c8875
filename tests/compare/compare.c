#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/compare/compare.h"

/* One folder on the way down: the names of both sides and how far they are done. */
struct level {
    char **names[2];
    size_t n[2], at[2];
    struct stat st[2]; /* who ".." must be when coming back up */
    size_t path_len;
};

/* A longer path is shown by its two ends. */
#define SHOWN ((size_t)200)

char *
escaped(const char *path)
{
    size_t n = strlen(path);
    char *r = need(NULL, 4 * (2 * SHOWN + 8)), *to = r;
    if (n == 0)
        *to++ = '.';
    for (size_t i = 0; i < n; i++) {
        unsigned char ch = (unsigned char)path[i];
        if (n > 2 * SHOWN && i == SHOWN) {
            to += sprintf(to, "[...]");
            i = n - SHOWN - 1;
        } else if (ch < 0x20 || ch >= 0x7f || ch == '\\') {
            to += sprintf(to, "\\x%02x", ch);
        } else {
            *to++ = (char)ch;
        }
    }
    *to = 0;
    return r;
}

static void
report(struct compare *c, const char *kind, const char *format, va_list args)
{
    char *path = escaped(c->path);
    printf("%s%s: ", kind, path);
    free(path);
    vprintf(format, args);
    putchar('\n');
}

void
difference(struct compare *c, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    report(c, "", format, args);
    va_end(args);
    c->differences++;
}

void
failure(struct compare *c, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    report(c, "cannot compare ", format, args);
    va_end(args);
    c->failures++;
}

void *
need(void *p, size_t n)
{
    p = realloc(p, n ? n : 1);
    if (!p) {
        fputs("compare: out of memory\n", stderr);
        exit(2);
    }
    return p;
}

static void
path_push(struct compare *c, const char *name)
{
    size_t n = strlen(name);
    if (c->path_len + n + 2 > c->path_size) {
        c->path_size = 2 * (c->path_len + n + 2);
        c->path = need(c->path, c->path_size);
    }
    if (c->path_len)
        c->path[c->path_len++] = '/';
    memcpy(c->path + c->path_len, name, n + 1);
    c->path_len += n;
}

static void
path_pop(struct compare *c, size_t len)
{
    c->path_len = len;
    c->path[len] = 0;
}

static bool
excluded(const struct compare *c)
{
    for (size_t i = 0; i < c->n_exclude; i++)
        if (strcmp(c->exclude[i], c->path) == 0)
            return true;
    return false;
}

static int
by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The sorted names in an open folder; false after a failure was reported. */
static bool
read_names(struct compare *c, int fd, const char *which, char ***ret, size_t *ret_n)
{
    char **names = NULL;
    size_t n = 0, size = 0;
    int again = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = again < 0 ? NULL : fdopendir(again);
    if (!d) {
        failure(c, "cannot list the folder in %s: %s", which, strerror(errno));
        if (again >= 0)
            close(again);
        return false;
    }
    for (;;) {
        errno = 0;
        struct dirent *e = readdir(d);
        if (!e)
            break;
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        if (n == size) {
            size = size ? 2 * size : 64;
            names = need(names, size * sizeof *names);
        }
        size_t len = strlen(e->d_name) + 1;
        names[n] = need(NULL, len);
        memcpy(names[n++], e->d_name, len);
    }
    if (errno)
        failure(c, "the folder in %s could not be listed to its end: %s", which, strerror(errno));
    closedir(d);
    if (n)
        qsort(names, n, sizeof *names, by_bytes);
    *ret = names;
    *ret_n = n;
    return true;
}

static void
level_free(struct level *l)
{
    for (int s = 0; s < 2; s++) {
        for (size_t i = 0; i < l->n[s]; i++)
            free(l->names[s][i]);
        free(l->names[s]);
    }
}

static const char *
type_name(mode_t mode)
{
    switch (mode & S_IFMT) {
    case S_IFREG:
        return "file";
    case S_IFDIR:
        return "folder";
    case S_IFLNK:
        return "symlink";
    case S_IFCHR:
        return "character device";
    case S_IFBLK:
        return "block device";
    case S_IFIFO:
        return "FIFO";
    case S_IFSOCK:
        return "socket";
    default:
        return "unknown thing";
    }
}

/* Everything about one entry that stands on both sides. True: both are folders to go down into. */
static bool
compare_entry(struct compare *c, const struct side *a, const struct side *b)
{
    c->entries++;
    if ((a->st.st_mode & S_IFMT) != (b->st.st_mode & S_IFMT)) {
        difference(c, "a %s in A, a %s in B", type_name(a->st.st_mode), type_name(b->st.st_mode));
        return false;
    }
    bool known = !S_ISDIR(a->st.st_mode) && compare_link(c, &a->st, &b->st);
    compare_metadata(c, a, b);
    if (S_ISREG(a->st.st_mode) && !known)
        compare_content(c, a, b);
    return S_ISDIR(a->st.st_mode);
}

static bool
side_open(struct compare *c, int dir, const char *name, const char *which, struct side *ret)
{
    ret->fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (ret->fd < 0 || fstat(ret->fd, &ret->st) != 0) {
        failure(c, "cannot look at it in %s: %s", which, strerror(errno));
        if (ret->fd >= 0)
            close(ret->fd);
        return false;
    }
    return true;
}

/* The walk's state: the open folder of each side and the levels above it. */
struct walk {
    int dir[2];
    struct level *levels;
    size_t n, size;
};

static const char *const sides[2] = {"A", "B"};

/* Takes the two folder handles over, and becomes the walk's place. */
static bool
go_down(struct compare *c, struct walk *w, const int dir[2])
{
    struct level l = {.path_len = c->path_len};
    bool fine = true;
    for (int s = 0; s < 2; s++) {
        fine = fine && fstat(dir[s], &l.st[s]) == 0;
        fine = fine && read_names(c, dir[s], sides[s], &l.names[s], &l.n[s]);
    }
    if (!fine) {
        level_free(&l);
        return false;
    }
    if (w->n == w->size) {
        w->size = w->size ? 2 * w->size : 64;
        w->levels = need(w->levels, w->size * sizeof *w->levels);
    }
    w->levels[w->n++] = l;
    for (int s = 0; s < 2; s++) {
        if (w->dir[s] >= 0)
            close(w->dir[s]);
        w->dir[s] = dir[s];
    }
    return true;
}

static void
go_up(struct walk *w)
{
    level_free(&w->levels[--w->n]);
    for (int s = 0; s < 2; s++) {
        int up = -1;
        if (w->n) {
            const struct stat *want = &w->levels[w->n - 1].st[s];
            struct stat st;
            up = openat(w->dir[s], "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
            if (up < 0 || fstat(up, &st) != 0 || st.st_ino != want->st_ino ||
                st.st_dev != want->st_dev) {
                fprintf(stderr, "compare: the way back up in %s is not what it was\n", sides[s]);
                exit(2);
            }
        }
        close(w->dir[s]);
        w->dir[s] = up;
    }
}

/* One name of the folder at hand, in both or one of the sides. */
static void
step(struct compare *c, struct walk *w)
{
    struct level *l = &w->levels[w->n - 1];
    const char *name[2];
    int order;
    for (int s = 0; s < 2; s++)
        name[s] = l->at[s] < l->n[s] ? l->names[s][l->at[s]] : NULL;
    order = !name[0] ? 1 : !name[1] ? -1 : strcmp(name[0], name[1]);
    l->at[0] += order <= 0;
    l->at[1] += order >= 0;

    path_push(c, order <= 0 ? name[0] : name[1]);
    struct side a, b;
    bool down = false;
    if (excluded(c)) {
        /* neither looked at nor counted */
    } else if (order != 0) {
        difference(c, "only in %s", order < 0 ? "A" : "B");
    } else if (side_open(c, w->dir[0], name[0], "A", &a)) {
        if (side_open(c, w->dir[1], name[1], "B", &b)) {
            down = compare_entry(c, &a, &b) && go_down(c, w, (const int[2]){a.fd, b.fd});
            if (!down)
                close(b.fd);
        }
        if (!down)
            close(a.fd);
    }
    if (!down)
        path_pop(c, l->path_len);
}

static void
compare_trees(struct compare *c, const char *root_a, const char *root_b)
{
    struct walk w = {.dir = {-1, -1}};
    struct side a, b;
    const char *roots[2] = {root_a, root_b};
    struct side *side[2] = {&a, &b};
    for (int s = 0; s < 2; s++) {
        /* The roots are what the user names: a link there is followed. */
        side[s]->fd = open(roots[s], O_PATH | O_CLOEXEC);
        if (side[s]->fd < 0 || fstat(side[s]->fd, &side[s]->st) != 0) {
            fprintf(stderr, "compare: %s: %s\n", roots[s], strerror(errno));
            exit(2);
        }
    }
    if (!compare_entry(c, &a, &b) || !go_down(c, &w, (const int[2]){a.fd, b.fd})) {
        close(a.fd);
        close(b.fd);
    }
    while (w.n) {
        const struct level *l = &w.levels[w.n - 1];
        if (l->at[0] < l->n[0] || l->at[1] < l->n[1]) {
            step(c, &w);
            continue;
        }
        go_up(&w);
        path_pop(c, w.n ? w.levels[w.n - 1].path_len : 0);
    }
    free(w.levels);
}

static int
usage(void)
{
    fputs(
        "usage: compare [--ignore-holes] [--exclude REL]... A B\n"
        "Prints one line a difference of two trees; exit 0 equal, 1 different, 2 not comparable.\n",
        stderr);
    return 2;
}

/* The index of the first of the two trees; 0 when the command line is wrong. */
static int
options(struct compare *c, int argc, char **argv)
{
    int i;
    for (i = 1; i < argc && strncmp(argv[i], "--", 2) == 0; i++) {
        if (strcmp(argv[i], "--ignore-holes") == 0)
            c->ignore_holes = true;
        else if (strcmp(argv[i], "--exclude") == 0 && i + 1 < argc)
            c->exclude[c->n_exclude++] = argv[++i];
        else
            return 0;
    }
    return argc - i == 2 ? i : 0;
}

int
main(int argc, char **argv)
{
    struct compare c = {0};
    int first, rc;
    c.path = need(NULL, c.path_size = 256);
    c.path[0] = 0;
    c.exclude = need(NULL, (size_t)argc * sizeof *c.exclude);
    if ((first = options(&c, argc, argv)) == 0) {
        rc = usage();
    } else {
        compare_trees(&c, argv[first], argv[first + 1]);
        printf("compare: %llu entries, %llu differences", c.entries, c.differences);
        if (c.failures)
            printf(", %llu not comparable", c.failures);
        putchar('\n');
        rc = fflush(stdout) != 0 || c.failures ? 2 : c.differences ? 1 : 0;
    }
    free(c.path);
    free(c.exclude);
    links_free(&c);
    return rc;
}
