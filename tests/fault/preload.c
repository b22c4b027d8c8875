/* Loaded before the libraries of a whole program (LD_PRELOAD): one call of a kind fails.
 *
 *   SP_FAULT=KIND:N:ERRNO[:on]   the N-th call of that kind fails with that number, and with `on`
 * all after it; KIND:0:0 only counts SP_FAULT_BELOW=PATH[:PATH…]  files: only what is opened, made
 * or named below these counts SP_FAULT_REPORT=FILE         at the end: "KIND COUNT FIRED\n"
 *
 * Kinds: memory, open, read, write, fsync, close, rename, mkdir, unlink, stat, attr (rights, times,
 * owners), list, socket (connect, accept, send, recv and reads and writes of sockets), random,
 * thread. A failing close, of what was written to, does close; a failing write of ENOSPC has first
 * written half. Programs that a program starts are let alone. */

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <netdb.h>
#include <pthread.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum kind {
    MEMORY,
    OPEN,
    READ,
    WRITE,
    FSYNC,
    CLOSE,
    RENAME,
    MKDIR,
    UNLINK,
    STAT,
    ATTR,
    LIST,
    SOCKET,
    RANDOM,
    THREAD,
    KINDS
};
static const char *const names[KINDS] = {"memory", "open", "read", "write", "fsync", "close",
    "rename", "mkdir", "unlink", "stat", "attr", "list", "socket", "random", "thread"};

static enum kind wanted = KINDS;
static long nth;
static int number;
static bool on;
static char below[4][512];
static size_t nbelow;
static char report[512];
static atomic_long calls, fired;
static atomic_bool ready;
static _Thread_local int inside;

#define REAL(type, name, ...)                                                                      \
    static type (*real_##name)(__VA_ARGS__);                                                       \
    if (real_##name == NULL) {                                                                     \
        inside++;                                                                                  \
        *(void **)&real_##name = dlsym(RTLD_NEXT, #name);                                          \
        inside--;                                                                                  \
    }

static void
begin(void)
{
    const char *what = getenv("SP_FAULT"), *where = getenv("SP_FAULT_BELOW"),
               *to = getenv("SP_FAULT_REPORT");
    char kind[16] = "", more[8] = "";

    if (what == NULL || sscanf(what, "%15[a-z]:%ld:%d:%7s", kind, &nth, &number, more) < 3)
        return;
    on = strcmp(more, "on") == 0;
    for (unsigned k = 0; k < KINDS; k++)
        if (strcmp(kind, names[k]) == 0)
            wanted = (enum kind)k;
    while (where != NULL && *where != '\0' && nbelow < 4) {
        size_t n = strcspn(where, ":");

        (void)snprintf(below[nbelow++], sizeof below[0], "%.*s", (int)n, where);
        where += n + (where[n] == ':');
    }
    if (to != NULL)
        (void)snprintf(report, sizeof report, "%s", to);
    unsetenv("SP_FAULT");
    unsetenv("LD_PRELOAD");
}

/* Where it crashed, and then it ends as it would have. */
static void
crashed(int sig)
{
    void *frames[40];

    inside++;
    backtrace_symbols_fd(frames, backtrace(frames, 40), 2);
    (void)signal(sig, SIG_DFL);
    (void)raise(sig);
}

__attribute__((constructor)) static void
start(void)
{
    void *first[2];

    inside++;
    begin();
    (void)backtrace(first, 2); /* loads what it needs */
    (void)signal(SIGSEGV, crashed);
    (void)signal(SIGABRT, crashed);
    inside--;
    atomic_store(&ready, true);
}

static void
tell(void)
{
    char line[100];
    int n, fd;

    if (report[0] == '\0')
        return;
    inside++;
    n = snprintf(line, sizeof line, "%s %ld %ld\n", wanted < KINDS ? names[wanted] : "none",
        atomic_load(&calls), atomic_load(&fired));
    if ((fd = open(report, O_WRONLY | O_CREAT | O_TRUNC, 0600)) >= 0) {
        if (write(fd, line, (size_t)n) != n)
            abort();
        close(fd);
    }
    report[0] = '\0';
    inside--;
}

__attribute__((destructor)) static void
end(void)
{
    tell();
}

void
_exit(int code)
{
    REAL(void, _exit, int)
    tell();
    real__exit(code);
    __builtin_unreachable();
}

static bool
turn(enum kind k)
{
    long n;

    if (k != wanted || inside > 0 || !atomic_load(&ready))
        return false;
    n = atomic_fetch_add(&calls, 1) + 1;
    if (nth == 0 || n < nth || (n > nth && !on))
        return false;
    atomic_fetch_add(&fired, 1);
    errno = number;
    return true;
}

/* --- where ---------------------------------------------------------------------------------------
 */

static bool
path_counts(const char *path)
{
    if (nbelow == 0)
        return true;
    for (size_t i = 0; path != NULL && i < nbelow; i++)
        if (strncmp(path, below[i], strlen(below[i])) == 0)
            return true;
    return false;
}

static bool
fd_counts(int fd)
{
    char link[64], path[PATH_MAX];
    ssize_t n;

    if (nbelow == 0)
        return true;
    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    if ((n = readlink(link, path, sizeof path - 1)) < 0)
        return false;
    path[n] = '\0';
    return path_counts(path);
}

static bool
at_counts(int dir, const char *path)
{
    return path != NULL && path[0] == '/' ? path_counts(path) : fd_counts(dir);
}

static bool
is_file(int fd)
{
    struct stat st;
    int kept = errno;
    bool ret;

    inside++;
    ret = fstat(fd, &st) == 0 && (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode));
    inside--;
    errno = kept;
    return ret;
}

static bool
is_socket(int fd)
{
    struct stat st;
    int kept = errno;
    bool ret;

    inside++;
    ret = fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode);
    inside--;
    errno = kept;
    return ret;
}

/* A file that is only read or empty, or a folder, loses nothing by its close. */
static bool
is_written(int fd)
{
    struct stat st;
    int kept = errno, flags = fcntl(fd, F_GETFL);
    bool ret;

    inside++;
    ret = flags >= 0 && (flags & O_ACCMODE) != O_RDONLY && fstat(fd, &st) == 0 &&
          S_ISREG(st.st_mode) && st.st_size > 0;
    inside--;
    errno = kept;
    return ret;
}

/* Asks only those of the wanted kind for their path. */
#define FD(k, fd) (wanted == (k) && inside == 0 && is_file(fd) && fd_counts(fd) && turn(k))
#define AT(k, dir, path) (wanted == (k) && inside == 0 && at_counts(dir, path) && turn(k))
#define SOCK(fd) (wanted == SOCKET && inside == 0 && is_socket(fd) && turn(SOCKET))

/* --- memory --------------------------------------------------------------------------------------
 */

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);
void *__libc_memalign(size_t align, size_t n);

void *
malloc(size_t n)
{
    return turn(MEMORY) ? NULL : __libc_malloc(n);
}

void *
calloc(size_t n, size_t size)
{
    return turn(MEMORY) ? NULL : __libc_calloc(n, size);
}

void *
realloc(void *p, size_t n)
{
    return turn(MEMORY) ? NULL : __libc_realloc(p, n);
}

int
posix_memalign(void **ret, size_t align, size_t n)
{
    void *p = turn(MEMORY) ? NULL : __libc_memalign(align, n);

    if (p == NULL)
        return ENOMEM;
    *ret = p;
    return 0;
}

void *
aligned_alloc(size_t align, size_t n)
{
    return turn(MEMORY) ? NULL : __libc_memalign(align, n);
}

/* --- files ---------------------------------------------------------------------------------------
 */

static mode_t
mode_of(int flags, va_list ap)
{
    return (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(ap, mode_t) : 0;
}

#define DEFINE_OPEN(name)                                                                          \
    int name(const char *path, int flags, ...)                                                     \
    {                                                                                              \
        REAL(int, name, const char *, int, ...)                                                    \
        va_list ap;                                                                                \
        mode_t mode;                                                                               \
        va_start(ap, flags);                                                                       \
        mode = mode_of(flags, ap);                                                                 \
        va_end(ap);                                                                                \
        return AT(OPEN, AT_FDCWD, path) ? -1 : real_##name(path, flags, mode);                     \
    }
#define DEFINE_OPENAT(name)                                                                        \
    int name(int dir, const char *path, int flags, ...)                                            \
    {                                                                                              \
        REAL(int, name, int, const char *, int, ...)                                               \
        va_list ap;                                                                                \
        mode_t mode;                                                                               \
        va_start(ap, flags);                                                                       \
        mode = mode_of(flags, ap);                                                                 \
        va_end(ap);                                                                                \
        return AT(OPEN, dir, path) ? -1 : real_##name(dir, path, flags, mode);                     \
    }
DEFINE_OPEN(open)
DEFINE_OPEN(open64)
DEFINE_OPENAT(openat)
DEFINE_OPENAT(openat64)

ssize_t
read(int fd, void *p, size_t n)
{
    REAL(ssize_t, read, int, void *, size_t)
    return FD(READ, fd) || SOCK(fd) ? -1 : real_read(fd, p, n);
}

ssize_t
pread64(int fd, void *p, size_t n, off64_t at)
{
    REAL(ssize_t, pread64, int, void *, size_t, off64_t)
    return FD(READ, fd) ? -1 : real_pread64(fd, p, n, at);
}

ssize_t
pread(int fd, void *p, size_t n, off_t at)
{
    return pread64(fd, p, n, at);
}

ssize_t
preadv64(int fd, const struct iovec *v, int n, off64_t at)
{
    REAL(ssize_t, preadv64, int, const struct iovec *, int, off64_t)
    return FD(READ, fd) ? -1 : real_preadv64(fd, v, n, at);
}

ssize_t
write(int fd, const void *p, size_t n)
{
    REAL(ssize_t, write, int, const void *, size_t)
    if (FD(WRITE, fd)) {
        if (number == ENOSPC && n > 1)
            (void)!real_write(fd, p, n / 2);
        errno = number;
        return -1;
    }
    return SOCK(fd) ? -1 : real_write(fd, p, n);
}

ssize_t
pwrite64(int fd, const void *p, size_t n, off64_t at)
{
    REAL(ssize_t, pwrite64, int, const void *, size_t, off64_t)
    if (FD(WRITE, fd)) {
        if (number == ENOSPC && n > 1)
            (void)!real_pwrite64(fd, p, n / 2, at);
        errno = number;
        return -1;
    }
    return real_pwrite64(fd, p, n, at);
}

ssize_t
pwrite(int fd, const void *p, size_t n, off_t at)
{
    return pwrite64(fd, p, n, at);
}

int
fsync(int fd)
{
    REAL(int, fsync, int)
    return FD(FSYNC, fd) ? -1 : real_fsync(fd);
}

int
fdatasync(int fd)
{
    REAL(int, fdatasync, int)
    return FD(FSYNC, fd) ? -1 : real_fdatasync(fd);
}

int
close(int fd)
{
    REAL(int, close, int)
    bool fails = wanted == CLOSE && is_written(fd) && FD(CLOSE, fd);
    int ret = real_close(fd);

    if (fails)
        errno = number;
    return fails ? -1 : ret;
}

int
rename(const char *from, const char *to)
{
    REAL(int, rename, const char *, const char *)
    return AT(RENAME, AT_FDCWD, to) ? -1 : real_rename(from, to);
}

int
renameat(int a, const char *from, int b, const char *to)
{
    REAL(int, renameat, int, const char *, int, const char *)
    return AT(RENAME, b, to) ? -1 : real_renameat(a, from, b, to);
}

int
renameat2(int a, const char *from, int b, const char *to, unsigned flags)
{
    REAL(int, renameat2, int, const char *, int, const char *, unsigned)
    return AT(RENAME, b, to) ? -1 : real_renameat2(a, from, b, to, flags);
}

int
linkat(int a, const char *from, int b, const char *to, int flags)
{
    REAL(int, linkat, int, const char *, int, const char *, int)
    return AT(RENAME, b, to) ? -1 : real_linkat(a, from, b, to, flags);
}

int
mkdir(const char *path, mode_t mode)
{
    REAL(int, mkdir, const char *, mode_t)
    return AT(MKDIR, AT_FDCWD, path) ? -1 : real_mkdir(path, mode);
}

int
mkdirat(int dir, const char *path, mode_t mode)
{
    REAL(int, mkdirat, int, const char *, mode_t)
    return AT(MKDIR, dir, path) ? -1 : real_mkdirat(dir, path, mode);
}

int
symlinkat(const char *target, int dir, const char *path)
{
    REAL(int, symlinkat, const char *, int, const char *)
    return AT(MKDIR, dir, path) ? -1 : real_symlinkat(target, dir, path);
}

int
unlink(const char *path)
{
    REAL(int, unlink, const char *)
    return AT(UNLINK, AT_FDCWD, path) ? -1 : real_unlink(path);
}

int
unlinkat(int dir, const char *path, int flags)
{
    REAL(int, unlinkat, int, const char *, int)
    return AT(UNLINK, dir, path) ? -1 : real_unlinkat(dir, path, flags);
}

int
fstat64(int fd, struct stat64 *st)
{
    REAL(int, fstat64, int, struct stat64 *)
    return FD(STAT, fd) ? -1 : real_fstat64(fd, st);
}

int
fstat(int fd, struct stat *st)
{
    return fstat64(fd, (struct stat64 *)st);
}

int
fstatat64(int dir, const char *path, struct stat64 *st, int flags)
{
    REAL(int, fstatat64, int, const char *, struct stat64 *, int)
    return AT(STAT, dir, path) ? -1 : real_fstatat64(dir, path, st, flags);
}

int
lstat64(const char *path, struct stat64 *st)
{
    REAL(int, lstat64, const char *, struct stat64 *)
    return AT(STAT, AT_FDCWD, path) ? -1 : real_lstat64(path, st);
}

int
statx(int dir, const char *path, int flags, unsigned mask, struct statx *st)
{
    REAL(int, statx, int, const char *, int, unsigned, struct statx *)
    return AT(STAT, dir, path) ? -1 : real_statx(dir, path, flags, mask, st);
}

struct dirent64 *
readdir64(DIR *d)
{
    REAL(struct dirent64 *, readdir64, DIR *)
    return FD(LIST, dirfd(d)) ? NULL : real_readdir64(d);
}

int __openat64_2(int dir, const char *path, int flags);

int
__openat64_2(int dir, const char *path, int flags)
{
    return openat64(dir, path, flags);
}

int
fchmod(int fd, mode_t mode)
{
    REAL(int, fchmod, int, mode_t)
    return FD(ATTR, fd) ? -1 : real_fchmod(fd, mode);
}

int
futimens(int fd, const struct timespec t[2])
{
    REAL(int, futimens, int, const struct timespec *)
    return FD(ATTR, fd) ? -1 : real_futimens(fd, t);
}

int
utimensat(int dir, const char *path, const struct timespec t[2], int flags)
{
    REAL(int, utimensat, int, const char *, const struct timespec *, int)
    return AT(ATTR, dir, path) ? -1 : real_utimensat(dir, path, t, flags);
}

int
fchownat(int dir, const char *path, uid_t u, gid_t g, int flags)
{
    REAL(int, fchownat, int, const char *, uid_t, gid_t, int)
    return AT(ATTR, dir, path) ? -1 : real_fchownat(dir, path, u, g, flags);
}

int
ftruncate64(int fd, off64_t n)
{
    REAL(int, ftruncate64, int, off64_t)
    return FD(WRITE, fd) ? -1 : real_ftruncate64(fd, n);
}

/* --- the C library's own -------------------------------------------------------------------------
 *
 * glibc's name service aborts or crashes when there is no memory for its configuration; that is not
 * ours to test. */

int
getpwuid_r(uid_t id, struct passwd *p, char *buf, size_t n, struct passwd **ret)
{
    REAL(int, getpwuid_r, uid_t, struct passwd *, char *, size_t, struct passwd **)
    inside++;
    int rc = real_getpwuid_r(id, p, buf, n, ret);

    inside--;
    return rc;
}

int
getgrgid_r(gid_t id, struct group *g, char *buf, size_t n, struct group **ret)
{
    REAL(int, getgrgid_r, gid_t, struct group *, char *, size_t, struct group **)
    inside++;
    int rc = real_getgrgid_r(id, g, buf, n, ret);

    inside--;
    return rc;
}

int
getpwnam_r(const char *name, struct passwd *p, char *buf, size_t n, struct passwd **ret)
{
    REAL(int, getpwnam_r, const char *, struct passwd *, char *, size_t, struct passwd **)
    inside++;
    int rc = real_getpwnam_r(name, p, buf, n, ret);

    inside--;
    return rc;
}

int
getgrnam_r(const char *name, struct group *g, char *buf, size_t n, struct group **ret)
{
    REAL(int, getgrnam_r, const char *, struct group *, char *, size_t, struct group **)
    inside++;
    int rc = real_getgrnam_r(name, g, buf, n, ret);

    inside--;
    return rc;
}

int
getaddrinfo(
    const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **ret)
{
    REAL(int, getaddrinfo, const char *, const char *, const struct addrinfo *, struct addrinfo **)
    inside++;
    int rc = real_getaddrinfo(host, service, hints, ret);

    inside--;
    return rc;
}

/* --- sockets, random bytes, threads --------------------------------------------------------------
 */

int
connect(int fd, const struct sockaddr *to, socklen_t n)
{
    REAL(int, connect, int, const struct sockaddr *, socklen_t)
    return SOCK(fd) ? -1 : real_connect(fd, to, n);
}

int
accept4(int fd, struct sockaddr *from, socklen_t *n, int flags)
{
    REAL(int, accept4, int, struct sockaddr *, socklen_t *, int)
    return SOCK(fd) ? -1 : real_accept4(fd, from, n, flags);
}

ssize_t
send(int fd, const void *p, size_t n, int flags)
{
    REAL(ssize_t, send, int, const void *, size_t, int)
    return SOCK(fd) ? -1 : real_send(fd, p, n, flags);
}

ssize_t
recv(int fd, void *p, size_t n, int flags)
{
    REAL(ssize_t, recv, int, void *, size_t, int)
    return SOCK(fd) ? -1 : real_recv(fd, p, n, flags);
}

ssize_t
sendmsg(int fd, const struct msghdr *m, int flags)
{
    REAL(ssize_t, sendmsg, int, const struct msghdr *, int)
    return SOCK(fd) ? -1 : real_sendmsg(fd, m, flags);
}

ssize_t
recvmsg(int fd, struct msghdr *m, int flags)
{
    REAL(ssize_t, recvmsg, int, struct msghdr *, int)
    return SOCK(fd) ? -1 : real_recvmsg(fd, m, flags);
}

ssize_t
writev(int fd, const struct iovec *v, int n)
{
    REAL(ssize_t, writev, int, const struct iovec *, int)
    return SOCK(fd) ? -1 : real_writev(fd, v, n);
}

ssize_t
getrandom(void *p, size_t n, unsigned flags)
{
    REAL(ssize_t, getrandom, void *, size_t, unsigned)
    return turn(RANDOM) ? -1 : real_getrandom(p, n, flags);
}

int
pthread_create(pthread_t *ret, const pthread_attr_t *attr, void *(*run)(void *), void *arg)
{
    REAL(int, pthread_create, pthread_t *, const pthread_attr_t *, void *(*)(void *), void *)
    Dl_info caller;

    /* libuv ends the program when it cannot make its pool; it knows no other answer. */
    if (dladdr(__builtin_return_address(0), &caller) != 0 && caller.dli_fname != NULL &&
        strstr(caller.dli_fname, "libuv") != NULL)
        return real_pthread_create(ret, attr, run, arg);
    return turn(THREAD) ? number : real_pthread_create(ret, attr, run, arg);
}
