/* Trees are copied with names, contents, holes left out, times, modes and links: what a shadow
 * shows. */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tests/vss/double_internal.h"

static bool copy_entry(const char *from, const char *to, const char *without);

static char *
joined(const char *folder, const char *name)
{
    size_t n = strlen(folder) + strlen(name) + 2;
    char *p = malloc(n);

    if (!p)
        abort();
    snprintf(p, n, "%s/%s", strcmp(folder, "/") == 0 ? "" : folder, name);
    return p;
}

static bool
copy_bytes(int in, int out, off_t size)
{
    static char buf[1 << 16];
    off_t at = 0;

    while (at < size) {
        off_t data = lseek(in, at, SEEK_DATA), end;

        if (data < 0)
            break; /* a hole to the end */
        end = lseek(in, data, SEEK_HOLE);
        for (at = data; at < end;) {
            size_t want = (size_t)(end - at) < sizeof buf ? (size_t)(end - at) : sizeof buf;
            ssize_t n = pread(in, buf, want, at);

            if (n <= 0 || pwrite(out, buf, (size_t)n, at) != n)
                return false;
            at += n;
        }
    }
    return ftruncate(out, size) == 0;
}

static bool
copy_file(const char *from, const char *to, const struct stat *st)
{
    int in = open(from, O_RDONLY | O_CLOEXEC), out = -1;
    bool well = false;

    if (in >= 0)
        out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (out >= 0)
        well = copy_bytes(in, out, st->st_size);
    if (in >= 0)
        close(in);
    if (out >= 0)
        well = close(out) == 0 && well;
    return well;
}

static bool
copy_link(const char *from, const char *to)
{
    char target[4096];
    ssize_t n = readlink(from, target, sizeof target - 1);

    if (n < 0)
        return false;
    target[n] = '\0';
    return symlink(target, to) == 0;
}

static bool
copy_folder(const char *from, const char *to, const char *without)
{
    DIR *d;
    struct dirent *de;
    bool well = true;

    if (mkdir(to, 0700) != 0)
        return false;
    d = opendir(from);
    if (!d)
        return false;
    while (well && (de = readdir(d))) {
        char *a, *b;

        if (strcmp(de->d_name, ".") == 0 || strcmp(de->d_name, "..") == 0)
            continue;
        a = joined(from, de->d_name);
        b = joined(to, de->d_name);
        if (strcmp(a, without) != 0)
            well = copy_entry(a, b, without);
        free(a);
        free(b);
    }
    closedir(d);
    return well;
}

static bool
copy_entry(const char *from, const char *to, const char *without)
{
    struct stat st;
    struct timespec times[2];
    bool well;

    if (lstat(from, &st) != 0)
        return errno == ENOENT; /* gone meanwhile: not of that instant */
    if (S_ISLNK(st.st_mode))
        return copy_link(from, to);
    if (S_ISDIR(st.st_mode))
        well = copy_folder(from, to, without);
    else if (S_ISREG(st.st_mode))
        well = copy_file(from, to, &st);
    else
        return true; /* sockets and such are not of a volume's files */
    times[0] = st.st_atim;
    times[1] = st.st_mtim;
    return well && chmod(to, st.st_mode & 07777) == 0 && utimensat(AT_FDCWD, to, times, 0) == 0;
}

/* The folders above `to`, which is `without`'s child, are made. */
static bool
host_copy(void *arg, const char *from, const char *to)
{
    char *parents = strdup(to), *without = strdup(to), *slash;
    bool well;

    (void)arg;
    if (!parents || !without)
        abort();
    for (slash = strchr(parents + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(parents, 0700);
        *slash = '/';
    }
    slash = strstr(without, "/HarddiskVolumeShadowCopy");
    if (slash)
        *slash = '\0';
    well = copy_entry(from, to, without);
    free(parents);
    free(without);
    return well;
}

static void
host_remove(void *arg, const char *tree)
{
    struct stat st;
    struct dirent *de;
    DIR *d;

    if (lstat(tree, &st) != 0)
        return;
    if (!S_ISDIR(st.st_mode)) {
        unlink(tree);
        return;
    }
    chmod(tree, 0700);
    d = opendir(tree);
    while (d && (de = readdir(d))) {
        char *below;

        if (strcmp(de->d_name, ".") == 0 || strcmp(de->d_name, "..") == 0)
            continue;
        below = joined(tree, de->d_name);
        host_remove(arg, below);
        free(below);
    }
    if (d)
        closedir(d);
    rmdir(tree);
}

static uint64_t
host_now(void *arg)
{
    struct timespec t;

    (void)arg;
    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void
host_sleep(void *arg, uint32_t ms)
{
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};

    (void)arg;
    while (nanosleep(&t, &t) != 0 && errno == EINTR)
        ;
}

const struct model_host double_host = {.copy = host_copy,
    .remove = host_remove,
    .now_ms = host_now,
    .sleep_ms = host_sleep,
    .separator = '/',
    .fold = false};
