/* The table of the system itself, on the disk the tests run on. */

#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/path.h"

static const struct sp_os *const os = &sp_os_system;

static char *
in(void **state, const char *name)
{
    char *p = sp_path_join(*state, name);

    assert_non_null(p);
    return p;
}

static void
put(const char *path, const char *text)
{
    struct sp_file *f;

    assert_ok(os->create(os->self, path, &f, e));
    assert_ok(os->write_at(os->self, f, 0, text, strlen(text), e));
    assert_ok(os->close(os->self, f, e));
}

static void
holds(const char *path, const char *text)
{
    uint8_t *p;
    size_t n;

    assert_ok(sp_os_read_file(os, path, 1000, &p, &n, e));
    assert_int_equal(n, strlen(text));
    assert_memory_equal(p, text, n);
    free(p);
}

static void
a_file_is_created_once_and_for_us_alone(void **state)
{
    char *path = in(state, "f");
    mode_t before = umask(0);
    struct sp_file *f, *g = NULL;
    struct stat st;

    assert_ok(os->create(os->self, path, &f, e));
    (void)umask(before);
    assert_code(SP_EXISTS, os->create(os->self, path, &g, e));
    assert_null(g);
    assert_int_equal(lstat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_ok(os->close(os->self, f, e));
    assert_code(SP_ABSENT, os->create(os->self, "/nowhere/at/all", &g, e));
    free(path);
}

static void
descriptors_do_not_reach_other_programs(void **state)
{
    char *path = in(state, "f");
    struct sp_file *f;
    int lowest = dup(0);

    assert_true(lowest >= 0);
    assert_int_equal(close(lowest), 0);
    assert_ok(os->create(os->self, path, &f, e));
    assert_true((fcntl(lowest, F_GETFD) & FD_CLOEXEC) != 0);
    assert_ok(os->close(os->self, f, e));
    assert_int_equal(fcntl(lowest, F_GETFD), -1);
    assert_ok(os->open_read(os->self, path, &f, e));
    assert_true((fcntl(lowest, F_GETFD) & FD_CLOEXEC) != 0);
    assert_ok(os->close(os->self, f, e));
    free(path);
}

static void
reads_and_writes_at_places(void **state)
{
    char *path = in(state, "f"), got[16];
    struct sp_os_stat st;
    struct sp_file *f;
    size_t n = 99;

    assert_ok(os->create(os->self, path, &f, e));
    assert_ok(os->write_at(os->self, f, 3, "defg", 4, e));
    assert_ok(os->write_at(os->self, f, 0, "abc", 3, e));
    assert_ok(os->write_at(os->self, f, 0, "", 0, e));
    assert_ok(os->sync(os->self, f, e));
    assert_ok(os->file_stat(os->self, f, &st, e));
    assert_int_equal(st.size, 7);
    assert_int_equal(st.type, SP_OS_FILE);
    assert_ok(os->read_at(os->self, f, 0, got, 7, &n, e));
    assert_int_equal(n, 7);
    assert_memory_equal(got, "abcdefg", 7);
    assert_ok(os->read_at(os->self, f, 5, got, sizeof(got), &n, e));
    assert_int_equal(n, 2);
    assert_memory_equal(got, "fg", 2);
    assert_ok(os->read_at(os->self, f, 7, got, sizeof(got), &n, e));
    assert_int_equal(n, 0);
    assert_ok(os->read_at(os->self, f, 1u << 30, got, sizeof(got), &n, e));
    assert_int_equal(n, 0);
    n = 99;
    assert_code(SP_IO, os->read_at(os->self, f, UINT64_MAX, got, 2, &n, e));
    assert_code(SP_IO, os->read_at(os->self, f, INT64_MAX, got, 2, &n, e));
    assert_int_equal(n, 99);
    assert_code(SP_IO, os->write_at(os->self, f, UINT64_MAX, "x", 1, e));
    assert_ok(os->close(os->self, f, e));
    free(path);
}

static void
what_was_opened_to_read_cannot_be_written(void **state)
{
    char *path = in(state, "f");
    struct sp_file *f;

    put(path, "x");
    assert_ok(os->open_read(os->self, path, &f, e));
    assert_code(SP_IO, os->write_at(os->self, f, 0, "y", 1, e));
    assert_ok(os->close(os->self, f, e));
    holds(path, "x");
    free(path);
}

static void
links_and_special_files_are_refused(void **state)
{
    char *target = in(state, "target"), *link = in(state, "link"), *pipe = in(state, "pipe");
    char *dangling = in(state, "dangling"), *nowhere = in(state, "nowhere");
    struct sp_file *f = NULL;
    struct sp_os_stat st;

    put(target, "secret");
    assert_int_equal(symlink(target, link), 0);
    assert_int_equal(symlink(nowhere, dangling), 0);
    assert_int_equal(mkfifo(pipe, 0600), 0);
    assert_code(SP_REFUSED, os->open_read(os->self, link, &f, e));
    assert_code(SP_EXISTS, os->create(os->self, link, &f, e));
    assert_code(SP_EXISTS, os->create(os->self, dangling, &f, e));
    assert_code(SP_ABSENT, os->stat(os->self, nowhere, &st, e));
    /* Without waiting for a writer. */
    assert_code(SP_REFUSED, os->open_read(os->self, pipe, &f, e));
    assert_code(SP_REFUSED, os->open_read(os->self, *state, &f, e));
    assert_code(SP_ABSENT, os->open_read(os->self, nowhere, &f, e));
    assert_null(f);
    free(target);
    free(link);
    free(pipe);
    free(dangling);
    free(nowhere);
}

static void
publish_never_replaces(void **state)
{
    char *a = in(state, "a"), *b = in(state, "b"), *link = in(state, "link");
    struct sp_os_stat st;

    put(a, "A");
    assert_ok(os->publish(os->self, a, b, e));
    holds(b, "A");
    assert_code(SP_ABSENT, os->stat(os->self, a, &st, e));
    put(a, "B");
    assert_code(SP_EXISTS, os->publish(os->self, a, b, e));
    holds(a, "B");
    holds(b, "A");
    assert_int_equal(symlink("nowhere", link), 0);
    assert_code(SP_EXISTS, os->publish(os->self, a, link, e));
    assert_ok(os->remove(os->self, a, e));
    assert_ok(os->remove(os->self, b, e));
    assert_code(SP_ABSENT, os->publish(os->self, a, b, e));
    free(a);
    free(b);
    free(link);
}

static void
replace_replaces(void **state)
{
    char *a = in(state, "a"), *b = in(state, "b");
    struct sp_os_stat st;

    put(a, "new");
    put(b, "old");
    assert_ok(os->replace(os->self, a, b, e));
    holds(b, "new");
    assert_code(SP_ABSENT, os->stat(os->self, a, &st, e));
    assert_code(SP_ABSENT, os->replace(os->self, a, b, e));
    holds(b, "new");
    free(a);
    free(b);
}

static void
folders(void **state)
{
    char *d = in(state, "d"), *f = in(state, "d/f");
    mode_t before = umask(0);
    struct stat st;

    assert_ok(os->mkdir(os->self, d, e));
    (void)umask(before);
    assert_int_equal(lstat(d, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    assert_code(SP_EXISTS, os->mkdir(os->self, d, e));
    assert_code(SP_ABSENT, os->mkdir(os->self, "/nowhere/at", e));
    put(f, "x");
    assert_code(SP_EXISTS, os->rmdir(os->self, d, e));
    assert_ok(os->sync_dir(os->self, d, e));
    assert_ok(os->remove(os->self, f, e));
    assert_code(SP_ABSENT, os->remove(os->self, f, e));
    assert_ok(os->rmdir(os->self, d, e));
    assert_code(SP_ABSENT, os->rmdir(os->self, d, e));
    assert_code(SP_ABSENT, os->sync_dir(os->self, d, e));
    free(d);
    free(f);
}

static void
stat_tells_and_does_not_follow(void **state)
{
    char *f = in(state, "f"), *link = in(state, "link"), *pipe = in(state, "pipe");
    int64_t now = sp_clock_wall(&sp_clock_system);
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {-5, 250000000}};
    struct sp_os_stat a, b;
    struct stat st;

    put(f, "12345");
    assert_ok(os->stat(os->self, f, &a, e));
    assert_int_equal(a.type, SP_OS_FILE);
    assert_int_equal(a.size, 5);
    assert_true(a.mtime_ns > now - 60 * SP_SECOND && a.mtime_ns < now + 60 * SP_SECOND);
    assert_int_equal(stat(f, &st), 0);
    assert_true(a.inode == st.st_ino && a.device == st.st_dev);
    assert_int_equal(symlink(f, link), 0);
    assert_ok(os->stat(os->self, link, &b, e));
    assert_int_equal(b.type, SP_OS_LINK);
    assert_true(b.inode != a.inode);
    assert_int_equal(mkfifo(pipe, 0600), 0);
    assert_ok(os->stat(os->self, pipe, &b, e));
    assert_int_equal(b.type, SP_OS_OTHER);
    assert_ok(os->stat(os->self, *state, &b, e));
    assert_int_equal(b.type, SP_OS_DIR);
    /* Before 1970. */
    assert_int_equal(utimensat(AT_FDCWD, f, times, 0), 0);
    assert_ok(os->stat(os->self, f, &a, e));
    assert_true(a.mtime_ns == -5 * SP_SECOND + 250000000);
    free(f);
    free(link);
    free(pipe);
}

struct listing {
    unsigned files, folders, links, others;
    uint64_t bytes;
    unsigned stop_after;
};

static enum sp_code
note(void *arg, const char *name, const struct sp_os_stat *st, struct sp_err *e)
{
    struct listing *l = arg;

    assert_string_not_equal(name, ".");
    assert_string_not_equal(name, "..");
    l->files += st->type == SP_OS_FILE;
    l->folders += st->type == SP_OS_DIR;
    l->links += st->type == SP_OS_LINK;
    l->others += st->type == SP_OS_OTHER;
    l->bytes += st->size;
    if (l->stop_after > 0 && --l->stop_after == 0)
        return sp_fail(e, SP_ABSENT, SP_DOM_SELF, "enough");
    return SP_OK;
}

static void
a_listing_tells_every_name_once(void **state)
{
    struct listing l = {.files = 0};
    char name[32], *path;

    for (int i = 0; i < 300; i++) {
        (void)snprintf(name, sizeof(name), "f%d", i);
        path = in(state, name);
        put(path, "ab");
        free(path);
    }
    path = in(state, "d");
    assert_ok(os->mkdir(os->self, path, e));
    free(path);
    path = in(state, "l");
    assert_int_equal(symlink("d", path), 0);
    free(path);
    path = in(state, "p\n");
    assert_int_equal(mkfifo(path, 0600), 0);
    free(path);
    assert_ok(os->list(os->self, *state, false, note, &l, e));
    assert_int_equal(l.files, 300);
    assert_int_equal(l.folders, 1);
    assert_int_equal(l.links, 1);
    assert_int_equal(l.others, 1);
    l = (struct listing){.files = 0};
    assert_ok(os->list(os->self, *state, true, note, &l, e));
    assert_int_equal(l.files, 300);
    assert_int_equal(l.folders + l.links + l.others, 3);
    assert_true(l.bytes >= 600);
    /* What `each` says ends it, whatever the code. */
    l = (struct listing){.stop_after = 7};
    assert_code(SP_ABSENT, os->list(os->self, *state, false, note, &l, e));
    assert_int_equal(l.files + l.folders + l.links + l.others, 7);
    assert_code(SP_ABSENT, os->list(os->self, "/nowhere/at/all", false, note, &l, e));
}

static void
space_is_told(void **state)
{
    struct sp_os_space s = {0};

    assert_ok(os->space(os->self, *state, &s, e));
    assert_true(s.total_bytes > 0);
    assert_true(s.free_bytes <= s.total_bytes);
    assert_code(SP_ABSENT, os->space(os->self, "/nowhere/at/all", &s, e));
}

static void
messages_show_names_harmless(void **state)
{
    struct sp_err err = {0};
    struct sp_file *f;

    (void)state;
    assert_int_equal(os->open_read(os->self, "/nowhere/\x1b[31m\n", &f, &err), SP_ABSENT);
    assert_non_null(strstr(err.text, "/nowhere/\\x1b[31m\\n"));
    assert_int_equal(err.os, ENOENT);
    assert_int_equal(err.domain, SP_DOM_STORE);
}

#define with_folder(f) cmocka_unit_test_setup_teardown(f, tmp_setup, tmp_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        with_folder(a_file_is_created_once_and_for_us_alone),
        with_folder(descriptors_do_not_reach_other_programs),
        with_folder(reads_and_writes_at_places),
        with_folder(what_was_opened_to_read_cannot_be_written),
        with_folder(links_and_special_files_are_refused),
        with_folder(publish_never_replaces),
        with_folder(replace_replaces),
        with_folder(folders),
        with_folder(stat_tells_and_does_not_follow),
        with_folder(a_listing_tells_every_name_once),
        with_folder(space_is_told),
        cmocka_unit_test(messages_show_names_harmless),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
