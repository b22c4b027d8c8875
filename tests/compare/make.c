#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/compare/make.h"

void
make_die(const char *what, const char *name)
{
    fprintf(stderr, "maketree: %s %s: %s\n", what, name, strerror(errno));
    exit(1);
}

void
make_left_out(const char *what)
{
    printf("maketree: left out: %s\n", what);
}

uint64_t
make_random(struct make *m) /* splitmix64 */
{
    uint64_t z = (m->state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

void
make_bytes(struct make *m, void *to, size_t n)
{
    unsigned char *p = to;
    while (n) {
        uint64_t r = make_random(m);
        size_t k = n < sizeof r ? n : sizeof r;
        memcpy(p, &r, k);
        p += k;
        n -= k;
    }
}

void
dir_in(const char *name)
{
    if (mkdir(name, 0700) != 0)
        make_die("cannot make the folder", name);
    if (chdir(name) != 0)
        make_die("cannot enter", name);
}

void
dir_out(struct make *m, const char *name, mode_t mode)
{
    if (chdir("..") != 0)
        make_die("cannot leave", name);
    if (chmod(name, mode) != 0)
        make_die("cannot set the mode of", name);
    make_stamp(m, name);
}

void
make_stamp_at(const char *name, int64_t sec, long nsec)
{
    const struct timespec t[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = sec, .tv_nsec = nsec}};
    if (utimensat(AT_FDCWD, name, t, AT_SYMLINK_NOFOLLOW) != 0)
        make_die("cannot set the time of", name);
}

void
make_stamp(struct make *m, const char *name)
{
    /* Between 2001 and 2023. */
    int64_t sec = 1000000000 + (int64_t)(make_random(m) % 700000000);
    make_stamp_at(name, sec, (long)(make_random(m) % 1000000000));
}

static void
write_all(int fd, const unsigned char *p, size_t n, const char *name)
{
    while (n) {
        ssize_t r = write(fd, p, n);
        if (r < 0)
            make_die("cannot write", name);
        p += r;
        n -= (size_t)r;
    }
}

void
make_file(struct make *m, const char *name, const void *p, size_t n, mode_t mode)
{
    int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        make_die("cannot make", name);
    write_all(fd, p, n, name);
    if (fchmod(fd, mode) != 0 || close(fd) != 0)
        make_die("cannot finish", name);
    make_stamp(m, name);
}

void
make_text(struct make *m, const char *name, const char *text)
{
    make_file(m, name, text, strlen(text), 0644);
}

void
make_random_file(struct make *m, const char *name, size_t n)
{
    unsigned char *p = malloc(n ? n : 1);
    if (!p)
        make_die("no memory for", name);
    make_bytes(m, p, n);
    make_file(m, name, p, n, 0640);
    free(p);
}

void
make_symlink(struct make *m, const char *target, const char *name)
{
    if (symlink(target, name) != 0)
        make_die("cannot make the symlink", name);
    make_stamp(m, name);
}

void
make_link(struct make *m, const char *from, const char *to)
{
    if (linkat(AT_FDCWD, from, AT_FDCWD, to, 0) != 0)
        make_die("cannot link", to);
    make_stamp(m, to);
}
