#include "tests/unit/client/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/path.h"

#define FOLDER (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

void
tree_new_in(struct tree *t, const char *folder)
{
    assert_true(snprintf(t->path, sizeof t->path, "%s/stillpoint-tree-XXXXXX", folder) <
                (int)sizeof t->path);
    assert_non_null(mkdtemp(t->path));
    /* Others look into it in tests of rights. */
    assert_int_equal(chmod(t->path, 0755), 0);
    assert_true((t->fd = open(t->path, FOLDER)) >= 0);
}

void
tree_new(struct tree *t)
{
    const char *base = getenv("TMPDIR");

    tree_new_in(t, base != NULL ? base : "/tmp");
}

static bool
is_folder(int dir, const char *name)
{
    struct stat st;

    return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

/* Empties the folder `name`: the way down and up again by descriptors of this folder and its own;
 * the way up is "..", so that depth costs nothing. */
static void
empty(int top, const char *name)
{
    int dir, depth = 0;

    assert_int_equal(fchmodat(top, name, 0700, 0), 0);
    assert_true((dir = openat(top, name, FOLDER)) >= 0);
    for (;;) {
        char below[256] = "";
        struct dirent *entry;
        DIR *d;

        d = fdopendir(openat(dir, ".", FOLDER));
        assert_non_null(d);
        while ((entry = readdir(d)) != NULL) {
            if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
                continue;
            if (unlinkat(dir, entry->d_name, is_folder(dir, entry->d_name) ? AT_REMOVEDIR : 0) == 0)
                continue;
            assert_true(errno == ENOTEMPTY || errno == EEXIST);
            strcpy(below, entry->d_name);
            break;
        }
        closedir(d);
        if (below[0] == '\0' && depth == 0)
            break;
        int next;

        if (below[0] != '\0')
            assert_int_equal(fchmodat(dir, below, 0700, 0), 0);
        assert_true((next = openat(dir, below[0] != '\0' ? below : "..", FOLDER)) >= 0);
        close(dir);
        dir = next;
        depth += below[0] != '\0' ? 1 : -1;
    }
    close(dir);
}

void
tree_free(struct tree *t)
{
    empty(t->fd, ".");
    close(t->fd);
    assert_int_equal(rmdir(t->path), 0);
    t->fd = -1;
}

/* The folder above `path`, made where missing; *name is the last component. */
static int
above(const struct tree *t, const char *path, const char **name)
{
    int dir = fcntl(t->fd, F_DUPFD_CLOEXEC, 0);

    assert_true(dir >= 0);
    for (const char *slash; (slash = strchr(path, '/')) != NULL; path = slash + 1) {
        char one[256];
        int next;

        assert_true(slash - path < 256);
        memcpy(one, path, (size_t)(slash - path));
        one[slash - path] = '\0';
        assert_true(mkdirat(dir, one, 0755) == 0 || errno == EEXIST);
        assert_true((next = openat(dir, one, FOLDER)) >= 0);
        close(dir);
        dir = next;
    }
    *name = path;
    return dir;
}

void
tree_dir(const struct tree *t, const char *path)
{
    const char *name;
    int dir = above(t, path, &name);

    assert_int_equal(mkdirat(dir, name, 0755), 0);
    close(dir);
}

void
tree_file(const struct tree *t, const char *path, const void *p, size_t n)
{
    const char *name;
    int dir = above(t, path, &name);
    int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, p, n), n);
    assert_int_equal(close(fd), 0);
    close(dir);
}

void
tree_text(const struct tree *t, const char *path, const char *text)
{
    tree_file(t, path, text, strlen(text));
}

void
tree_symlink(const struct tree *t, const char *path, const char *target)
{
    const char *name;
    int dir = above(t, path, &name);

    assert_int_equal(symlinkat(target, dir, name), 0);
    close(dir);
}

void
tree_fifo(const struct tree *t, const char *path)
{
    const char *name;
    int dir = above(t, path, &name);

    assert_int_equal(mkfifoat(dir, name, 0600), 0);
    close(dir);
}

void
tree_socket(const struct tree *t, const char *name)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    assert_true(fd >= 0);
    assert_true(
        snprintf(a.sun_path, sizeof a.sun_path, "%s/%s", t->path, name) < (int)sizeof a.sun_path);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    close(fd);
}

void
tree_link(const struct tree *t, const char *from, const char *to)
{
    const char *from_name, *to_name;
    int from_dir = above(t, from, &from_name), to_dir = above(t, to, &to_name);

    assert_int_equal(linkat(from_dir, from_name, to_dir, to_name, 0), 0);
    close(from_dir);
    close(to_dir);
}

void
tree_rename(const struct tree *t, const char *from, const char *to)
{
    const char *from_name, *to_name;
    int from_dir = above(t, from, &from_name), to_dir = above(t, to, &to_name);

    assert_int_equal(renameat(from_dir, from_name, to_dir, to_name), 0);
    close(from_dir);
    close(to_dir);
}

void
tree_remove(const struct tree *t, const char *path)
{
    const char *name;
    int dir = above(t, path, &name);
    bool folder = is_folder(dir, name);

    if (folder)
        empty(dir, name);
    assert_int_equal(unlinkat(dir, name, folder ? AT_REMOVEDIR : 0), 0);
    close(dir);
}

void
tree_deep(const struct tree *t, const char *name, int levels)
{
    int dir = fcntl(t->fd, F_DUPFD_CLOEXEC, 0);

    assert_true(dir >= 0);
    for (int i = 0; i < levels; i++) {
        static const char *const files[] = {"!", "~"};
        int next;

        assert_int_equal(mkdirat(dir, name, 0755), 0);
        assert_true((next = openat(dir, name, FOLDER)) >= 0);
        close(dir);
        dir = next;
        for (int f = 0; f < 2; f++) {
            int fd = openat(dir, files[f], O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

            assert_true(fd >= 0);
            close(fd);
        }
    }
    close(dir);
}

int
tree_open(const struct tree *t, const char *path, int flags)
{
    const char *name;
    int dir = above(t, path, &name), fd = openat(dir, name, flags | O_CLOEXEC, 0644);

    assert_true(fd >= 0);
    close(dir);
    return fd;
}

char *
tree_path(const struct tree *t, const char *path)
{
    char *full = sp_path_join(t->path, path);

    assert_non_null(full);
    return full;
}

struct sp_bytes
tree_key(const struct tree *t, const char *path)
{
    char *full = tree_path(t, path);
    struct sp_buf key = SP_BUF_INIT;
    struct sp_bytes ret;
    struct sp_err e = {0};

    assert_int_equal(sp_key_from_path(full, &key, &e), SP_OK);
    assert_int_equal(sp_buf_take(&key, &ret.p, &ret.n, &e), SP_OK);
    free(full);
    return ret;
}

/* --- walking -------------------------------------------------------------------------------------
 */

void
walk_init(struct walk *w, const struct tree *t)
{
    struct sp_bytes key = tree_key(t, "");

    memset(w, 0, sizeof *w);
    w->skip = key.n + 1;
    free(key.p);
    w->o.roots = w->roots;
    w->o.views = w->views;
    w->o.started_ns = ((int64_t)time(NULL) + 3600) * INT64_C(1000000000);
    w->o.temp_dir = "/tmp";
    walk_view(w, NULL, NULL, NULL, false, 0);
}

void
walk_root(struct walk *w, const struct tree *t, const char *path)
{
    assert_true(w->o.nroots < 16);
    w->roots[w->o.nroots++] = tree_key(t, path);
}

void
walk_view(struct walk *w, const struct tree *t, const char *path, const char *read_path,
    bool shadow, int64_t instant_ns)
{
    struct sp_bytes key = path != NULL ? tree_key(t, path) : (struct sp_bytes){NULL, 0};

    assert_true(w->o.nviews < 16);
    /* Given again: instead. */
    if (path == NULL)
        w->o.nviews = 0;
    w->views[w->o.nviews++] = (struct sp_view_map){.key = key.p,
        .key_len = key.n,
        .read_path = read_path,
        .shadow = shadow,
        .instant_ns = instant_ns};
}

void
walk_open(struct walk *w)
{
    struct sp_err e = {0};

    if (sp_source_open(&sp_env_system, &w->o, &w->source, &e) != SP_OK)
        fail_msg("%s", e.text);
}

struct sp_item *
walk_next(struct walk *w)
{
    struct sp_item *it = NULL;
    struct sp_err e = {0};

    if (sp_source_next(w->source, &it, &e) != SP_OK)
        fail_msg("%s", e.text);
    if (it == NULL) {
        sp_source_counts(w->source, &w->counts);
        return NULL;
    }
    assert_true(it->fault != NULL || it->entry->type != 0);
    assert_non_null(it->entry->user);
    if (w->n > 0) {
        const struct sp_entry *before = w->items[w->n - 1]->entry;

        assert_true(
            sp_key_cmp(before->key, before->key_len, it->entry->key, it->entry->key_len) < 0);
    }
    if (w->n == w->cap) {
        w->cap = w->cap == 0 ? 64 : 2 * w->cap;
        assert_non_null(w->items = realloc(w->items, w->cap * sizeof(struct sp_item *)));
    }
    return w->items[w->n++] = it;
}

void
walk_rest(struct walk *w)
{
    while (walk_next(w) != NULL)
        ;
}

void
walk_all(struct walk *w)
{
    walk_open(w);
    walk_rest(w);
}

struct sp_item *
walk_find(const struct walk *w, const char *path)
{
    for (size_t i = 0; i < w->n; i++) {
        const struct sp_entry *en = w->items[i]->entry;
        size_t n = strlen(path), at = 0;

        if (n == 0 && en->key_len == w->skip - 1)
            return w->items[i];
        if (en->key_len != w->skip + n)
            continue;
        while (at < n && (path[at] == '/' ? '\0' : (uint8_t)path[at]) == en->key[w->skip + at])
            at++;
        if (at == n)
            return w->items[i];
    }
    return NULL;
}

size_t
walk_faults(const struct walk *w)
{
    size_t n = 0;

    for (size_t i = 0; i < w->n; i++)
        n += w->items[i]->fault != NULL;
    return n;
}

void
walk_free(struct walk *w)
{
    /* The source first: the items keep what they need. */
    sp_source_free(w->source);
    for (size_t i = 0; i < w->n; i++)
        sp_item_free(w->items[i]);
    free(w->items);
    for (size_t i = 0; i < w->o.nroots; i++)
        free(w->roots[i].p);
    for (size_t i = 0; i < w->o.nviews; i++)
        free((void *)(uintptr_t)w->views[i].key);
    memset(w, 0, sizeof *w);
}

/* --- others --------------------------------------------------------------------------------------
 */

size_t
open_descriptors(void)
{
    DIR *d = opendir("/proc/self/fd");
    size_t n = 0;

    assert_non_null(d);
    while (readdir(d) != NULL)
        n++;
    closedir(d);
    return n - 3; /* . and .. and itself */
}

int
as_nobody(int (*fn)(void *arg), void *arg)
{
    pid_t pid = fork();
    int status;

    assert_true(pid >= 0);
    if (pid == 0) {
        if (geteuid() == 0 && (setgroups(0, NULL) != 0 || setgid(65534) != 0 || setuid(65534) != 0))
            _exit(120);
        _exit(fn(arg));
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

uint64_t
test_random(uint64_t *state)
{
    uint64_t z = (*state += 0x9E3779B97F4A7C15u);

    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

uint64_t
test_seed(void)
{
    const char *given = getenv("SP_SEED");
    uint64_t seed = given != NULL ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);

    printf("seed %llu\n", (unsigned long long)seed);
    return seed;
}
