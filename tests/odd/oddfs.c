/* A file system that misbehaves on request: oddfs FOLDER MOUNTPOINT CONTROL. It shows FOLDER, and
 * does what the words in the file CONTROL say, which is read again whenever it has changed. The
 * words:
 *
 *   fsync=ERR fsyncdir=ERR     flushing a file, a folder answers that (EINVAL EIO ENOTSUP ...)
 *   flush=ERR                  closing a file that was written answers that
 *   write=ERR read=ERR         and so on: open create rename link mkdir readdir stat unlink
 *   stale                      everything answers ESTALE
 *   quota=BYTES:ERR            once so much was written since the word was set, writing answers
 * that busy=N:ERR                 the first N tries to rename to a name answer that no-flags
 * renameat2's flags are not known no-link                    no hard links no-type listings do not
 * tell what is a folder lag=MS                     a name is listed only so long after it was given
 *   seconds                    times are whole seconds
 *   inodes                     other inode numbers than before the words were said
 *   fold                       A and a are one name
 *   zeroes                     what is written is taken, and zeroes are kept
 *   short=N                    of every read the last N bytes are missing
 *   slow=MS                    every write takes so long
 *
 * Nothing is cached by the kernel, so that a word counts at once. */

#define FUSE_USE_VERSION 31

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fuse.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#define WORDS 4096
#define NAMES 65536 /* given or tried names that are remembered */

static const char *folder, *control;

static struct {
    pthread_mutex_t lock;
    struct timespec read_at;
    char words[WORDS];
    uint64_t written;
    struct name {
        uint64_t hash; /* 0: free */
        int64_t given_ms;
        unsigned tries;
    } names[NAMES];
} odd = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* --- the words -----------------------------------------------------------------------------------
 */

static int64_t
now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* The lock is held. */
static void
look_at_control(void)
{
    struct stat st;
    ssize_t n = 0;
    int fd;

    if (stat(control, &st) != 0 ||
        (st.st_mtim.tv_sec == odd.read_at.tv_sec && st.st_mtim.tv_nsec == odd.read_at.tv_nsec))
        return;
    if ((fd = open(control, O_RDONLY | O_CLOEXEC)) >= 0) {
        n = read(fd, odd.words + 1, WORDS - 3);
        close(fd);
    }
    odd.words[0] = ' ';
    odd.words[n > 0 ? n + 1 : 1] = '\0';
    for (char *p = odd.words; *p != '\0'; p++)
        if (*p == '\n')
            *p = ' ';
    strcat(odd.words, " ");
    odd.read_at = st.st_mtim;
    odd.written = 0;
    memset(odd.names, 0, sizeof(odd.names));
}

/* The value of a word, "" for one without; false when it is not said. */
static bool
word(const char *name, char value[64])
{
    char want[64];
    const char *at;
    size_t n = (size_t)snprintf(want, sizeof(want), " %s", name);
    bool said = false;

    pthread_mutex_lock(&odd.lock);
    look_at_control();
    for (at = odd.words; !said && (at = strstr(at, want)) != NULL; at += n)
        if (at[n] == ' ' || at[n] == '=') {
            size_t len = at[n] == '=' ? strcspn(at + n + 1, " ") : 0;

            len = len < 63 ? len : 63;
            memcpy(value, at + n + 1, len);
            value[len] = '\0';
            said = true;
        }
    pthread_mutex_unlock(&odd.lock);
    return said;
}

static bool
is(const char *name)
{
    char value[64];

    return word(name, value);
}

static int
error_of(const char *name)
{
    static const struct {
        const char *name;
        int number;
    } known[] = {{"EINVAL", EINVAL}, {"EIO", EIO}, {"ENOTSUP", ENOTSUP}, {"ENOSPC", ENOSPC},
        {"EDQUOT", EDQUOT}, {"EROFS", EROFS}, {"ESTALE", ESTALE}, {"EBUSY", EBUSY},
        {"EACCES", EACCES}, {"ETXTBSY", ETXTBSY}, {"ENOTCONN", ENOTCONN}, {"ENOENT", ENOENT},
        {"EPERM", EPERM}};

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (strcmp(known[i].name, name) == 0)
            return known[i].number;
    return EIO;
}

/* What the operation is to answer: 0, or an error with its sign. */
static int
odd_answer(const char *operation)
{
    char value[64];

    if (is("stale"))
        return -ESTALE;
    return word(operation, value) ? -error_of(value) : 0;
}

#define ANSWER(operation)                                                                          \
    do {                                                                                           \
        int odd_error = odd_answer(operation);                                                     \
        if (odd_error != 0)                                                                        \
            return odd_error;                                                                      \
    } while (0)

/* --- names ---------------------------------------------------------------------------------------
 */

static struct name *
name_of(const char *path)
{
    uint64_t h = 1469598103934665603u;

    for (; *path != '\0'; path++)
        h = (h ^ (unsigned char)*path) * 1099511628211u;
    h |= 1;
    for (size_t i = h % NAMES, n = 0; n < NAMES; n++, i = (i + 1) % NAMES)
        if (odd.names[i].hash == 0 || odd.names[i].hash == h) {
            odd.names[i].hash = h;
            return &odd.names[i];
        }
    return &odd.names[h % NAMES];
}

static void
given(const char *path)
{
    pthread_mutex_lock(&odd.lock);
    name_of(path)->given_ms = now_ms();
    pthread_mutex_unlock(&odd.lock);
}

static bool
lags(const char *path)
{
    char value[64];
    bool hidden;

    if (!word("lag", value))
        return false;
    pthread_mutex_lock(&odd.lock);
    hidden = name_of(path)->given_ms > now_ms() - atoll(value);
    pthread_mutex_unlock(&odd.lock);
    return hidden;
}

/* The real path, in `to`. */
static const char *
real(const char *path, char to[PATH_MAX])
{
    int n = snprintf(to, PATH_MAX, "%s%s", folder, path);

    if (n >= 0 && is("fold"))
        for (char *p = to + strlen(folder); *p != '\0'; p++)
            *p = (char)tolower((unsigned char)*p);
    return to;
}

/* --- operations ----------------------------------------------------------------------------------
 */

static int
said(long rc)
{
    return rc < 0 ? -errno : 0;
}

static void
tweak(struct stat *st)
{
    if (is("seconds"))
        st->st_mtim.tv_nsec = st->st_ctim.tv_nsec = st->st_atim.tv_nsec = 0;
    if (is("inodes"))
        st->st_ino ^= (uint64_t)odd.read_at.tv_nsec << 20;
}

static int
o_getattr(const char *path, struct stat *st, struct fuse_file_info *fi)
{
    char p[PATH_MAX];
    int rc;

    ANSWER("stat");
    rc = said(fi != NULL ? fstat((int)fi->fh, st) : lstat(real(path, p), st));
    tweak(st);
    return rc;
}

static int
o_readdir(const char *path, void *buf, fuse_fill_dir_t fill, off_t at, struct fuse_file_info *fi,
    enum fuse_readdir_flags flags)
{
    char p[PATH_MAX], child[PATH_MAX + 257];
    struct dirent *entry;
    DIR *d;

    (void)at;
    (void)fi;
    (void)flags;
    ANSWER("readdir");
    if ((d = opendir(real(path, p))) == NULL)
        return -errno;
    while ((entry = readdir(d)) != NULL) {
        struct stat st = {.st_ino = entry->d_ino, .st_mode = (mode_t)entry->d_type << 12};

        snprintf(child, sizeof(child), "%s/%s", strcmp(path, "/") == 0 ? "" : path, entry->d_name);
        if (!lags(child))
            fill(buf, entry->d_name, is("no-type") ? NULL : &st, 0, (enum fuse_fill_dir_flags)0);
    }
    closedir(d);
    return 0;
}

static int
opened(int fd, struct fuse_file_info *fi)
{
    if (fd < 0)
        return -errno;
    fi->fh = (uint64_t)fd;
    fi->direct_io = 1;
    return 0;
}

static int
o_open(const char *path, struct fuse_file_info *fi)
{
    char p[PATH_MAX];

    ANSWER("open");
    return opened(open(real(path, p), fi->flags & ~O_NOFOLLOW), fi);
}

static int
o_create(const char *path, mode_t mode, struct fuse_file_info *fi)
{
    char p[PATH_MAX];
    int rc;

    ANSWER("create");
    if ((rc = opened(open(real(path, p), fi->flags, mode), fi)) == 0)
        given(path);
    return rc;
}

static int
o_read(const char *path, char *to, size_t n, off_t at, struct fuse_file_info *fi)
{
    char value[64];
    ssize_t got;

    (void)path;
    ANSWER("read");
    if ((got = pread((int)fi->fh, to, n, at)) < 0)
        return -errno;
    if (word("short", value) && got > 0)
        got = got > atoll(value) ? got - (ssize_t)atoll(value) : 0;
    return (int)got;
}

static int
o_write(const char *path, const char *from, size_t n, off_t at, struct fuse_file_info *fi)
{
    char value[64], *colon;
    bool over = false;
    ssize_t put;

    (void)path;
    ANSWER("write");
    if (word("slow", value))
        usleep((useconds_t)atoi(value) * 1000);
    if (word("quota", value)) {
        pthread_mutex_lock(&odd.lock);
        over = odd.written + n > strtoull(value, NULL, 10);
        odd.written += over ? 0 : n;
        pthread_mutex_unlock(&odd.lock);
        colon = strchr(value, ':');
        if (over)
            return -(colon == NULL ? ENOSPC : error_of(colon + 1));
    }
    if (is("zeroes")) {
        char *nothing = calloc(1, n);

        put = nothing == NULL ? -1 : pwrite((int)fi->fh, nothing, n, at);
        free(nothing);
    } else {
        put = pwrite((int)fi->fh, from, n, at);
    }
    return put < 0 ? -errno : (int)put;
}

static int
o_flush(const char *path, struct fuse_file_info *fi)
{
    (void)path;
    return (fcntl((int)fi->fh, F_GETFL) & O_ACCMODE) == O_RDONLY ? 0 : odd_answer("flush");
}

static int
o_release(const char *path, struct fuse_file_info *fi)
{
    (void)path;
    close((int)fi->fh);
    return 0;
}

static int
o_fsync(const char *path, int data, struct fuse_file_info *fi)
{
    (void)path;
    (void)data;
    ANSWER("fsync");
    return said(fsync((int)fi->fh));
}

static int
o_fsyncdir(const char *path, int data, struct fuse_file_info *fi)
{
    (void)path;
    (void)data;
    (void)fi;
    return odd_answer("fsyncdir");
}

static int
o_rename(const char *from, const char *to, unsigned flags)
{
    char p[PATH_MAX], q[PATH_MAX], value[64], *colon;
    bool busy = false;
    int rc;

    ANSWER("rename");
    if (flags != 0 && is("no-flags"))
        return -EINVAL;
    if (word("busy", value)) {
        pthread_mutex_lock(&odd.lock);
        busy = name_of(to)->tries++ < (unsigned)atoi(value);
        pthread_mutex_unlock(&odd.lock);
        colon = strchr(value, ':');
        if (busy)
            return -(colon == NULL ? EBUSY : error_of(colon + 1));
    }
    rc = said(renameat2(AT_FDCWD, real(from, p), AT_FDCWD, real(to, q), flags));
    if (rc == 0)
        given(to);
    return rc;
}

static int
o_link(const char *from, const char *to)
{
    char p[PATH_MAX], q[PATH_MAX];
    int rc;

    ANSWER("link");
    if ((rc = said(link(real(from, p), real(to, q)))) == 0)
        given(to);
    return rc;
}

static int
o_mkdir(const char *path, mode_t mode)
{
    char p[PATH_MAX];
    int rc;

    ANSWER("mkdir");
    if ((rc = said(mkdir(real(path, p), mode))) == 0)
        given(path);
    return rc;
}

static int
o_unlink(const char *path)
{
    char p[PATH_MAX];

    ANSWER("unlink");
    return said(unlink(real(path, p)));
}

static int
o_rmdir(const char *path)
{
    char p[PATH_MAX];

    return said(rmdir(real(path, p)));
}

static int
o_symlink(const char *text, const char *path)
{
    char p[PATH_MAX];

    return said(symlink(text, real(path, p)));
}

static int
o_readlink(const char *path, char *to, size_t n)
{
    char p[PATH_MAX];
    ssize_t got = readlink(real(path, p), to, n - 1);

    if (got < 0)
        return -errno;
    to[got] = '\0';
    return 0;
}

static int
o_truncate(const char *path, off_t size, struct fuse_file_info *fi)
{
    char p[PATH_MAX];

    return said(fi != NULL ? ftruncate((int)fi->fh, size) : truncate(real(path, p), size));
}

static int
o_chmod(const char *path, mode_t mode, struct fuse_file_info *fi)
{
    char p[PATH_MAX];

    (void)fi;
    return said(chmod(real(path, p), mode));
}

static int
o_chown(const char *path, uid_t uid, gid_t gid, struct fuse_file_info *fi)
{
    char p[PATH_MAX];

    (void)fi;
    return said(lchown(real(path, p), uid, gid));
}

static int
o_utimens(const char *path, const struct timespec t[2], struct fuse_file_info *fi)
{
    char p[PATH_MAX];

    (void)fi;
    return said(utimensat(AT_FDCWD, real(path, p), t, AT_SYMLINK_NOFOLLOW));
}

static int
o_statfs(const char *path, struct statvfs *st)
{
    char p[PATH_MAX];

    ANSWER("stat");
    return said(statvfs(real(path, p), st));
}

static int
o_setxattr(const char *path, const char *name, const char *value, size_t n, int flags)
{
    char p[PATH_MAX];

    return said(lsetxattr(real(path, p), name, value, n, flags));
}

static int
o_getxattr(const char *path, const char *name, char *value, size_t n)
{
    char p[PATH_MAX];
    ssize_t got = lgetxattr(real(path, p), name, value, n);

    return got < 0 ? -errno : (int)got;
}

static int
o_listxattr(const char *path, char *names, size_t n)
{
    char p[PATH_MAX];
    ssize_t got = llistxattr(real(path, p), names, n);

    return got < 0 ? -errno : (int)got;
}

static void *
o_init(struct fuse_conn_info *c, struct fuse_config *config)
{
    (void)c;
    config->use_ino = 1;
    config->attr_timeout = config->entry_timeout = config->negative_timeout = 0;
    config->nullpath_ok = 0;
    return NULL;
}

static const struct fuse_operations operations = {.init = o_init,
    .getattr = o_getattr,
    .readdir = o_readdir,
    .open = o_open,
    .create = o_create,
    .read = o_read,
    .write = o_write,
    .flush = o_flush,
    .release = o_release,
    .fsync = o_fsync,
    .fsyncdir = o_fsyncdir,
    .rename = o_rename,
    .link = o_link,
    .mkdir = o_mkdir,
    .unlink = o_unlink,
    .rmdir = o_rmdir,
    .symlink = o_symlink,
    .readlink = o_readlink,
    .truncate = o_truncate,
    .chmod = o_chmod,
    .chown = o_chown,
    .utimens = o_utimens,
    .statfs = o_statfs,
    .setxattr = o_setxattr,
    .getxattr = o_getxattr,
    .listxattr = o_listxattr};

int
main(int argc, char **argv)
{
    char *arguments[] = {argv[0], (char *)(uintptr_t) "-f", argc > 2 ? argv[2] : NULL, NULL};

    if (argc != 4) {
        fprintf(stderr, "usage: oddfs FOLDER MOUNTPOINT CONTROL\n");
        return 2;
    }
    folder = argv[1];
    control = argv[3];
    umask(0);
    return fuse_main(3, arguments, &operations, NULL);
}
