/* Whole files and trees, over the system's table and over one in which the n-th call fails. */

#include "support.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/path.h"

static char *
in(void **state, const char *name)
{
    char *p = sp_path_join(*state, name);

    assert_non_null(p);
    return p;
}

/* The system's table with a count: call number `fail_at` fails with `code` and does nothing, except
 * that close releases. */
struct counted {
    unsigned calls, fail_at;
    enum sp_code code;
    unsigned open_files, file_syncs, dir_syncs;
    const char *last; /* the name of the call that failed */
    bool lies_about_size;
};

static bool
fails(struct counted *c, const char *what, struct sp_err *e)
{
    if (++c->calls != c->fail_at)
        return false;
    c->last = what;
    (void)sp_fail(e, c->code, SP_DOM_STORE, "%s failed on purpose", what);
    return true;
}

static const struct sp_os *const real = &sp_os_system;

static enum sp_code
c_open_read(void *self, const char *path, struct sp_file **ret, struct sp_err *e)
{
    struct counted *c = self;
    enum sp_code rc =
        fails(c, "open_read", e) ? c->code : real->open_read(real->self, path, ret, e);

    c->open_files += rc == SP_OK;
    return rc;
}

static enum sp_code
c_create(void *self, const char *path, struct sp_file **ret, struct sp_err *e)
{
    struct counted *c = self;
    enum sp_code rc = fails(c, "create", e) ? c->code : real->create(real->self, path, ret, e);

    c->open_files += rc == SP_OK;
    return rc;
}

static enum sp_code
c_read_at(void *self, struct sp_file *f, uint64_t offset, void *to, size_t n, size_t *ret_n,
    struct sp_err *e)
{
    struct counted *c = self;

    return fails(c, "read_at", e) ? c->code : real->read_at(real->self, f, offset, to, n, ret_n, e);
}

static enum sp_code
c_write_at(
    void *self, struct sp_file *f, uint64_t offset, const void *p, size_t n, struct sp_err *e)
{
    struct counted *c = self;

    return fails(c, "write_at", e) ? c->code : real->write_at(real->self, f, offset, p, n, e);
}

static enum sp_code
c_file_stat(void *self, struct sp_file *f, struct sp_os_stat *ret, struct sp_err *e)
{
    struct counted *c = self;
    enum sp_code rc = fails(c, "file_stat", e) ? c->code : real->file_stat(real->self, f, ret, e);

    if (rc == SP_OK && c->lies_about_size)
        ret->size = 0;
    return rc;
}

static enum sp_code
c_sync(void *self, struct sp_file *f, struct sp_err *e)
{
    struct counted *c = self;

    c->file_syncs++;
    return fails(c, "sync", e) ? c->code : real->sync(real->self, f, e);
}

static enum sp_code
c_close(void *self, struct sp_file *f, struct sp_err *e)
{
    struct counted *c = self;
    struct sp_err ignored;

    c->open_files--;
    if (!fails(c, "close", e))
        return real->close(real->self, f, e);
    (void)real->close(real->self, f, &ignored);
    return c->code;
}

static enum sp_code
c_replace(void *self, const char *from, const char *to, struct sp_err *e)
{
    struct counted *c = self;

    return fails(c, "replace", e) ? c->code : real->replace(real->self, from, to, e);
}

static enum sp_code
c_remove(void *self, const char *path, struct sp_err *e)
{
    struct counted *c = self;

    return fails(c, "remove", e) ? c->code : real->remove(real->self, path, e);
}

static enum sp_code
c_mkdir(void *self, const char *path, struct sp_err *e)
{
    struct counted *c = self;

    return fails(c, "mkdir", e) ? c->code : real->mkdir(real->self, path, e);
}

static enum sp_code
c_rmdir(void *self, const char *path, struct sp_err *e)
{
    struct counted *c = self;

    return fails(c, "rmdir", e) ? c->code : real->rmdir(real->self, path, e);
}

static enum sp_code
c_sync_dir(void *self, const char *path, struct sp_err *e)
{
    struct counted *c = self;

    c->dir_syncs++;
    return fails(c, "sync_dir", e) ? c->code : real->sync_dir(real->self, path, e);
}

static enum sp_code
c_list(void *self, const char *path, bool want_stat,
    enum sp_code (*each)(
        void *arg, const char *name, const struct sp_os_stat *st, struct sp_err *e),
    void *arg, struct sp_err *e)
{
    struct counted *c = self;

    return fails(c, "list", e) ? c->code : real->list(real->self, path, want_stat, each, arg, e);
}

static enum sp_code
c_stat(void *self, const char *path, struct sp_os_stat *ret, struct sp_err *e)
{
    struct counted *c = self;

    return fails(c, "stat", e) ? c->code : real->stat(real->self, path, ret, e);
}

static struct sp_os
counted_of(struct counted *c)
{
    struct sp_os os = *real;

    os.self = c;
    os.open_read = c_open_read;
    os.create = c_create;
    os.read_at = c_read_at;
    os.write_at = c_write_at;
    os.file_stat = c_file_stat;
    os.sync = c_sync;
    os.close = c_close;
    os.replace = c_replace;
    os.remove = c_remove;
    os.mkdir = c_mkdir;
    os.rmdir = c_rmdir;
    os.sync_dir = c_sync_dir;
    os.list = c_list;
    os.stat = c_stat;
    return os;
}

static void
holds(const char *path, const char *text)
{
    uint8_t *p;
    size_t n;

    assert_ok(sp_os_read_file(real, path, 100000, &p, &n, e));
    assert_int_equal(n, strlen(text));
    assert_memory_equal(p, text, n);
    free(p);
}

static enum sp_code
count_name(void *arg, const char *name, const struct sp_os_stat *st, struct sp_err *e)
{
    (void)name;
    (void)st;
    (void)e;
    ++*(unsigned *)arg;
    return SP_OK;
}

static unsigned
names_in(const char *dir)
{
    unsigned n = 0;

    assert_ok(real->list(real->self, dir, false, count_name, &n, e));
    return n;
}

static void
write_and_read(void **state)
{
    char *path = in(state, "f");
    struct counted c = {.calls = 0};
    struct sp_os os = counted_of(&c);
    struct stat st;

    assert_ok(sp_os_write_file(&os, path, "one", 3, e));
    holds(path, "one");
    assert_int_equal(c.file_syncs, 1);
    assert_int_equal(c.dir_syncs, 1);
    assert_ok(sp_os_write_file(&os, path, "", 0, e));
    holds(path, "");
    assert_int_equal(names_in(*state), 1);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    free(path);
}

static void
a_relative_path_will_do(void **state)
{
    assert_int_equal(chdir(*state), 0);
    assert_ok(sp_os_write_file(real, "f", "one", 3, e));
    holds("f", "one");
    assert_ok(sp_os_mkdirs(real, "a/b", e));
    assert_ok(sp_os_remove_tree(real, "a", e));
    assert_int_equal(names_in("."), 1);
    assert_int_equal(chdir("/"), 0);
}

static void
either_the_old_or_the_new_bytes(void **state)
{
    char *path = in(state, "f");
    unsigned calls;

    for (calls = 1;; calls++) {
        struct counted c = {.fail_at = calls, .code = SP_IO};
        struct sp_os os = counted_of(&c);
        struct sp_err err = {0};
        enum sp_code rc;

        assert_ok(sp_os_write_file(real, path, "old", 3, e));
        rc = sp_os_write_file(&os, path, "newer", 5, &err);
        assert_int_equal(c.open_files, 0);
        if (c.last == NULL) {
            assert_int_equal(rc, SP_OK);
            break;
        }
        if (strcmp(c.last, "stat") == 0 || strcmp(c.last, "list") == 0) {
            /* It is written; what killed writers left stays for the next. */
            assert_int_equal(rc, SP_OK);
            holds(path, "newer");
            continue;
        }
        assert_int_equal(rc, SP_IO);
        assert_string_equal(c.last, strtok(err.text, " "));
        holds(path, strcmp(c.last, "sync_dir") == 0 ? "newer" : "old");
        /* Nothing temporary is left. */
        assert_int_equal(names_in(*state), 1);
    }
    /* create, write_at, sync, close, replace, sync_dir, stat, list all had their turn. */
    assert_int_equal(calls, 9);
    holds(path, "newer");
    free(path);
}

static void
make_file_of(const char *path, time_t age_s)
{
    const struct timespec then[2] = {{time(NULL) - age_s, 0}, {time(NULL) - age_s, 0}};
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);

    assert_true(fd >= 0);
    assert_int_equal(futimens(fd, then), 0);
    assert_int_equal(close(fd), 0);
}

static void
what_killed_writers_left_goes_when_it_is_old(void **state)
{
    enum { DAY = 24 * 3600 };
    char *path = in(state, "f"), *old = in(state, "f.tmp-0123456789abcdef");
    char *young = in(state, "f.tmp-1123456789abcdef"),
         *others = in(state, "g.tmp-0123456789abcdef");
    char *name = in(state, "f.tmp-0123456789abcdefx"),
         *folder = in(state, "f.tmp-2123456789abcdef");

    make_file_of(old, 2 * DAY);
    make_file_of(young, DAY / 2);
    make_file_of(others, 2 * DAY);
    make_file_of(name, 2 * DAY);
    assert_int_equal(mkdir(folder, 0700), 0);
    assert_ok(sp_os_write_file(real, path, "x", 1, e));
    assert_int_not_equal(access(old, F_OK), 0);
    assert_int_equal(names_in(*state), 5);
    holds(path, "x");
    free(path);
    free(old);
    free(young);
    free(others);
    free(name);
    free(folder);
}

static void
a_folder_without_flush_is_no_failure(void **state)
{
    char *path = in(state, "f");
    struct counted c = {.fail_at = 6, .code = SP_UNSUPPORTED};
    struct sp_os os = counted_of(&c);

    assert_ok(sp_os_write_file(&os, path, "x", 1, e));
    assert_string_equal(c.last, "sync_dir");
    holds(path, "x");
    free(path);
}

static void
writing_replaces_a_link_and_not_its_target(void **state)
{
    char *link = in(state, "link"), *target = in(state, "target");
    struct sp_os_stat st;

    assert_ok(sp_os_write_file(real, target, "precious", 8, e));
    assert_int_equal(symlink(target, link), 0);
    assert_ok(sp_os_write_file(real, link, "x", 1, e));
    holds(target, "precious");
    assert_ok(real->stat(real->self, link, &st, e));
    assert_int_equal(st.type, SP_OS_FILE);
    free(link);
    free(target);
}

static void
reading_keeps_to_the_limit(void **state)
{
    char *path = in(state, "f");
    uint8_t *p = NULL;
    size_t n = 4711;

    assert_ok(sp_os_write_file(real, path, "12345", 5, e));
    for (int lie = 0; lie < 2; lie++) {
        struct counted c = {.lies_about_size = lie == 1};
        struct sp_os os = counted_of(&c);

        assert_ok(sp_os_read_file(&os, path, 5, &p, &n, e));
        assert_int_equal(n, 5);
        assert_memory_equal(p, "12345", 5);
        free(p);
        assert_ok(sp_os_read_file(&os, path, SIZE_MAX, &p, &n, e));
        assert_int_equal(n, 5);
        free(p);
        p = NULL;
        n = 4711;
        assert_code(SP_REFUSED, sp_os_read_file(&os, path, 4, &p, &n, e));
        assert_code(SP_REFUSED, sp_os_read_file(&os, path, 0, &p, &n, e));
        assert_null(p);
        assert_int_equal(n, 4711);
        assert_int_equal(c.open_files, 0);
    }
    assert_code(SP_ABSENT, sp_os_read_file(real, "/nowhere/at/all", 4, &p, &n, e));
    free(path);
}

/* /proc says 0 for the size of everything. */
static void
reading_where_sizes_are_unknown(void **state)
{
    uint8_t *p;
    size_t n;

    (void)state;
    if (access("/proc/self/maps", R_OK) != 0)
        skip();
    assert_ok(sp_os_read_file(real, "/proc/self/maps", 1u << 20, &p, &n, e));
    assert_true(n > 500);
    free(p);
}

static void
a_large_file_of_unknown_size(void **state)
{
    char *path = in(state, "f");
    struct counted c = {.lies_about_size = true};
    struct sp_os os = counted_of(&c);
    uint8_t *p, *big = malloc(300000);
    size_t n;

    assert_non_null(big);
    for (size_t i = 0; i < 300000; i++)
        big[i] = (uint8_t)(i * 7 + i / 256);
    assert_ok(sp_os_write_file(real, path, big, 300000, e));
    assert_ok(sp_os_read_file(&os, path, 300000, &p, &n, e));
    assert_int_equal(n, 300000);
    assert_memory_equal(p, big, n);
    free(p);
    assert_code(SP_REFUSED, sp_os_read_file(&os, path, 299999, &p, &n, e));
    free(big);
    free(path);
}

static void
reading_tells_every_failure(void **state)
{
    char *path = in(state, "f");
    static const char *const order[] = {"open_read", "file_stat", "read_at"};

    assert_ok(sp_os_write_file(real, path, "12345", 5, e));
    for (unsigned i = 0; i < 3; i++) {
        struct counted c = {.fail_at = i + 1, .code = SP_IO};
        struct sp_os os = counted_of(&c);
        uint8_t *p = NULL;
        size_t n;

        assert_code(SP_IO, sp_os_read_file(&os, path, 100, &p, &n, e));
        assert_string_equal(c.last, order[i]);
        assert_null(p);
        assert_int_equal(c.open_files, 0);
    }
    free(path);
}

static void
folders_down_to_the_last(void **state)
{
    char *deep = in(state, "a/b//c/d/"), *b = in(state, "a/b"), *file = in(state, "a/f");
    char *below = in(state, "a/f/x"), *link = in(state, "l"), *through = in(state, "l/y");
    char *dangling = in(state, "dead"), *under = in(state, "dead/z");
    struct sp_err err = {.code = SP_OK, .text = "untouched"};
    struct sp_os_stat st;

    assert_int_equal(sp_os_mkdirs(real, deep, &err), SP_OK);
    assert_int_equal(sp_os_mkdirs(real, deep, &err), SP_OK);
    assert_string_equal(err.text, "untouched");
    deep[strlen(deep) - 1] = '\0';
    assert_ok(real->stat(real->self, deep, &st, e));
    assert_int_equal(st.type, SP_OS_DIR);
    assert_ok(sp_os_mkdirs(real, b, e));
    assert_ok(sp_os_mkdirs(real, "/", e));
    assert_ok(sp_os_write_file(real, file, "x", 1, e));
    assert_code(SP_EXISTS, sp_os_mkdirs(real, file, e));
    assert_code(SP_IO, sp_os_mkdirs(real, below, e));
    /* A folder may be a link to another disk; a link to nothing is none. */
    assert_int_equal(symlink(b, link), 0);
    assert_ok(sp_os_mkdirs(real, through, e));
    assert_int_equal(symlink("nothing", dangling), 0);
    assert_code(SP_ABSENT, sp_os_mkdirs(real, under, e));
    free(deep);
    free(b);
    free(file);
    free(below);
    free(link);
    free(through);
    free(dangling);
    free(under);
}

/* What is above an existing folder may be closed to us: it is not touched. Its own new name is
 * flushed, where that can be done. */
static void
folders_above_are_left_alone(void **state)
{
    char *sub = in(state, "sub");
    struct counted c = {.calls = 0};
    struct sp_os os = counted_of(&c);

    assert_ok(sp_os_mkdirs(&os, sub, e));
    assert_int_equal(c.calls, 2);
    assert_ok(sp_os_mkdirs(&os, sub, e));
    assert_int_equal(c.calls, 4); /* mkdir, stat */
    free(sub);
}

static void
a_tree_goes_and_links_are_not_followed(void **state)
{
    char *tree = in(state, "tree"), *deep = in(state, "tree/a/b/c"), *out = in(state, "outside");
    char *kept = in(state, "outside/kept"), *link = in(state, "tree/a/link");
    char *file = in(state, "tree/a/file");
    struct sp_err err = {.code = SP_OK, .text = "untouched"};

    assert_ok(sp_os_mkdirs(real, deep, e));
    assert_ok(sp_os_mkdirs(real, out, e));
    assert_ok(sp_os_write_file(real, kept, "x", 1, e));
    assert_ok(sp_os_write_file(real, file, "x", 1, e));
    assert_int_equal(symlink(out, link), 0);
    assert_int_equal(sp_os_remove_tree(real, tree, &err), SP_OK);
    assert_int_equal(sp_os_remove_tree(real, tree, &err), SP_OK);
    assert_string_equal(err.text, "untouched");
    assert_int_equal(names_in(*state), 1);
    holds(kept, "x");
    /* A link itself goes, a file too. */
    assert_int_equal(symlink(out, tree), 0);
    assert_ok(sp_os_remove_tree(real, tree, e));
    holds(kept, "x");
    assert_ok(sp_os_remove_tree(real, kept, e));
    assert_int_equal(names_in(out), 0);
    free(tree);
    free(deep);
    free(out);
    free(kept);
    free(link);
    free(file);
}

static void
a_tree_tells_every_failure(void **state)
{
    char *tree = in(state, "tree"), *file = in(state, "tree/d/f");
    char *d = in(state, "tree/d");
    static const char *const order[] = {"stat", "list", "list", "remove", "rmdir", "rmdir"};

    for (unsigned i = 0; i < 6; i++) {
        struct counted c = {.fail_at = i + 1, .code = SP_DENIED};
        struct sp_os os = counted_of(&c);

        assert_ok(sp_os_mkdirs(real, d, e));
        assert_ok(sp_os_write_file(real, file, "x", 1, e));
        assert_code(SP_DENIED, sp_os_remove_tree(&os, tree, e));
        assert_string_equal(c.last, order[i]);
    }
    free(tree);
    free(file);
    free(d);
}

static void
the_environment_is_the_system(void **state)
{
    (void)state;
    assert_ptr_equal(sp_env_system.os, &sp_os_system);
    assert_non_null(sp_env_system.clock);
    assert_non_null(sp_env_system.random);
}

#define with_folder(f) cmocka_unit_test_setup_teardown(f, tmp_setup, tmp_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        with_folder(write_and_read),
        with_folder(a_relative_path_will_do),
        with_folder(either_the_old_or_the_new_bytes),
        with_folder(what_killed_writers_left_goes_when_it_is_old),
        with_folder(a_folder_without_flush_is_no_failure),
        with_folder(writing_replaces_a_link_and_not_its_target),
        with_folder(reading_keeps_to_the_limit),
        cmocka_unit_test(reading_where_sizes_are_unknown),
        with_folder(a_large_file_of_unknown_size),
        with_folder(reading_tells_every_failure),
        with_folder(folders_down_to_the_last),
        with_folder(folders_above_are_left_alone),
        with_folder(a_tree_goes_and_links_are_not_followed),
        with_folder(a_tree_tells_every_failure),
        cmocka_unit_test(the_environment_is_the_system),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
