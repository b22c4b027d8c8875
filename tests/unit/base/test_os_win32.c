/* The table of file operations over Win32: what test_os.c asks of POSIX, and what only Windows
 * does. */

#include "support.h"

#include <wchar.h>
#include <windows.h>

#include "base/clock.h"
#include "base/path.h"
#include "base/sys_win32.h"
#include "base/thread.h"

static const struct sp_os *const os = &sp_os_system;

static char *
at(void **state, const char *name)
{
    char *path = sp_path_join(*state, name);

    assert_non_null(path);
    return path;
}

static wchar_t *
wide(const char *path)
{
    wchar_t *w = NULL;

    assert_ok(sp_win32_path(path, &w, e));
    return w;
}

static void
put(const char *path, const char *text)
{
    struct sp_file *f = NULL;

    assert_ok(os->create(os->self, path, &f, e));
    assert_ok(os->write_at(os->self, f, 0, text, strlen(text), e));
    assert_ok(os->sync(os->self, f, e));
    assert_ok(os->close(os->self, f, e));
}

static void
holds(const char *path, const char *text)
{
    uint8_t *p = NULL;
    size_t n = 0;

    assert_ok(sp_os_read_file(os, path, 1000, &p, &n, e));
    assert_int_equal(n, strlen(text));
    assert_memory_equal(p, text, n);
    free(p);
}

/* --- files ------------------------------------------------------------------------------------ */

static void
a_file_is_created_once(void **state)
{
    char *path = at(state, "f"), *dir = at(state, "d");
    struct sp_file *f = NULL, *g = NULL;
    struct sp_os_stat a, b;
    uint8_t got[16];
    size_t n;

    assert_ok(os->create(os->self, path, &f, e));
    assert_code(SP_EXISTS, os->create(os->self, path, &g, e));
    assert_ok(os->write_at(os->self, f, 5, "world", 5, e));
    assert_ok(os->write_at(os->self, f, 0, "hello", 5, e));
    /* A reader and a remover may come while it is written; a writer may not. */
    assert_ok(os->open_read(os->self, path, &g, e));
    assert_ok(os->read_at(os->self, g, 3, got, sizeof(got), &n, e));
    assert_int_equal(n, 7);
    assert_memory_equal(got, "loworld", 7);
    assert_ok(os->read_at(os->self, g, 10, got, 1, &n, e));
    assert_int_equal(n, 0);
    assert_ok(os->read_at(os->self, g, 1000, got, 1, &n, e));
    assert_int_equal(n, 0);
    assert_code(SP_DENIED, os->write_at(os->self, g, 0, "x", 1, e));
    assert_ok(os->file_stat(os->self, f, &a, e));
    assert_ok(os->close(os->self, f, e));
    assert_ok(os->stat(os->self, path, &b, e));
    assert_int_equal(b.type, SP_OS_FILE);
    assert_int_equal(b.size, 10);
    assert_true(a.device == b.device && a.inode == b.inode && b.inode != 0);
    assert_true(b.mtime_ns > INT64_C(1700000000) * SP_SECOND);
    assert_ok(os->remove(os->self, path, e)); /* g reads on */
    assert_ok(os->close(os->self, g, e));
    assert_code(SP_ABSENT, os->open_read(os->self, path, &g, e));
    assert_code(SP_ABSENT, os->remove(os->self, path, e));
    assert_ok(os->mkdir(os->self, dir, e));
    assert_code(SP_REFUSED, os->open_read(os->self, dir, &g, e));
    assert_true(os->remove(os->self, dir, &(struct sp_err){0}) != SP_OK);
    assert_ok(os->stat(os->self, dir, &b, e));
    assert_int_equal(b.type, SP_OS_DIR);
    free(path);
    free(dir);
}

static void
publish_never_replaces(void **state)
{
    char *a = at(state, "a"), *b = at(state, "b"), *c = at(state, "c"), *d = at(state, "d");

    put(a, "one");
    put(b, "two");
    assert_ok(os->mkdir(os->self, d, e));
    assert_code(SP_EXISTS, os->publish(os->self, a, b, e));
    assert_true(os->publish(os->self, a, d, &(struct sp_err){0}) != SP_OK);
    holds(a, "one");
    holds(b, "two");
    assert_code(SP_EXISTS, os->publish(os->self, a, a, e));
    assert_ok(os->publish(os->self, a, c, e));
    holds(c, "one");
    assert_code(SP_ABSENT, os->publish(os->self, a, a, e));
    assert_code(SP_ABSENT, os->publish(os->self, a, c, e));
    assert_ok(os->replace(os->self, c, b, e));
    holds(b, "one");
    assert_ok(os->replace(os->self, b, a, e)); /* nothing there */
    holds(a, "one");
    assert_code(SP_ABSENT, os->replace(os->self, b, a, e));
    free(a);
    free(b);
    free(c);
    free(d);
}

static void
a_read_only_file_is_removed(void **state)
{
    char *a = at(state, "a");
    wchar_t *w = wide(a);

    put(a, "one");
    assert_true(SetFileAttributesW(w, FILE_ATTRIBUTE_READONLY | FILE_ATTRIBUTE_HIDDEN));
    assert_ok(os->remove(os->self, a, e));
    assert_code(SP_ABSENT, os->remove(os->self, a, e));
    free(w);
    free(a);
}

/* --- folders ---------------------------------------------------------------------------------- */

static void
folders(void **state)
{
    char *d = at(state, "d"), *f = at(state, "d/f"), *below = at(state, "d/f/g");
    struct sp_err err = {0};
    struct sp_os_space space;
    enum sp_code rc;

    assert_ok(os->mkdir(os->self, d, e));
    assert_code(SP_EXISTS, os->mkdir(os->self, d, e));
    assert_code(SP_ABSENT, os->mkdir(os->self, below, e));
    put(f, "x");
    assert_code(SP_EXISTS, os->rmdir(os->self, d, e));
    assert_code(SP_ABSENT, os->stat(os->self, below, &(struct sp_os_stat){0}, e));
    /* A root is there, though nobody may make it. */
    assert_code(SP_EXISTS, os->mkdir(os->self, "C:/", e));
    assert_code(SP_EXISTS, os->mkdir(os->self, "C:", e));
    rc = os->sync_dir(os->self, d, &err);
    assert_true(rc == SP_OK || (rc == SP_UNSUPPORTED && err.os != 0));
    assert_code(SP_ABSENT, os->sync_dir(os->self, below, e));
    assert_ok(os->space(os->self, d, &space, e));
    assert_true(space.total_bytes >= space.free_bytes && space.free_bytes > 0);
    assert_ok(os->remove(os->self, f, e));
    assert_ok(os->rmdir(os->self, d, e));
    assert_code(SP_ABSENT, os->rmdir(os->self, d, e));
    free(d);
    free(f);
    free(below);
}

struct seen {
    unsigned files, folders;
    uint64_t bytes;
    const char *stop_at;
};

static enum sp_code
see(void *arg, const char *name, const struct sp_os_stat *st, struct sp_err *e)
{
    struct seen *s = arg;

    if (s->stop_at != NULL && strcmp(name, s->stop_at) == 0)
        return sp_fail(e, SP_CANCELLED, SP_DOM_SELF, "enough");
    assert_true(st->type == SP_OS_FILE || st->type == SP_OS_DIR);
    assert_string_not_equal(name, ".");
    assert_string_not_equal(name, "..");
    s->files += st->type == SP_OS_FILE;
    s->folders += st->type == SP_OS_DIR;
    s->bytes += st->size;
    return SP_OK;
}

static void
a_listing_tells_every_name_once(void **state)
{
    char *d = at(state, "d"), *f = at(state, "d/f-0"), *none = at(state, "none"), name[32];
    struct seen s = {0};

    assert_ok(os->mkdir(os->self, d, e));
    assert_ok(os->list(os->self, d, true, see, &s, e));
    assert_int_equal(s.files + s.folders, 0);
    for (int i = 0; i < 300; i++) {
        char *path;

        (void)snprintf(name, sizeof(name), "d/f-%d", i);
        path = at(state, name);
        if (i % 10 == 0 && i > 0)
            assert_ok(os->mkdir(os->self, path, e));
        else
            put(path, "1234567");
        free(path);
    }
    assert_ok(os->list(os->self, d, true, see, &s, e));
    assert_int_equal(s.folders, 29);
    assert_int_equal(s.files, 271);
    assert_int_equal(s.bytes, 7 * 271);
    s.stop_at = "f-17";
    assert_code(SP_CANCELLED, os->list(os->self, d, false, see, &s, e));
    assert_code(SP_ABSENT, os->list(os->self, none, false, see, &s, e));
    assert_code(SP_IO, os->list(os->self, f, false, see, &s, e));
    free(d);
    free(f);
    free(none);
}

/* --- names ------------------------------------------------------------------------------------ */

static void
paths_of_any_length(void **state)
{
    struct sp_buf path = SP_BUF_INIT;
    char name[151];

    memset(name, 'n', 150);
    name[150] = '\0';
    sp_buf_put_str(&path, *state);
    while (path.len < 750)
        sp_buf_printf(&path, "/%s", name);
    assert_ok(sp_os_mkdirs(os, sp_buf_str(&path), e));
    sp_buf_put_str(&path, "/file");
    assert_ok(sp_os_write_file(os, sp_buf_str(&path), "deep", 4, e));
    holds(sp_buf_str(&path), "deep");
    sp_buf_free(&path);
}

/* What Win32 would bend: each is a file of its own, and is listed as it was made. */
static void
names_are_not_bent(void **state)
{
    static const char *const names[] = {"CON", "con.txt", "nul", "COM1", "aux.", "dot.", "dots...",
        "space ", " space", "...", "a%TEMP%b", "caf\xc3\xa9", "cafe\xcc\x81", "\xf0\x9f\x92\xbe"};
    const size_t n = sizeof(names) / sizeof(names[0]);
    char *dir = at(state, "names");
    struct seen s = {0};

    assert_ok(os->mkdir(os->self, dir, e));
    for (size_t i = 0; i < n; i++) {
        char *path = sp_path_join(dir, names[i]);

        put(path, names[i]);
        free(path);
    }
    assert_ok(os->list(os->self, dir, true, see, &s, e));
    assert_int_equal(s.files, n);
    for (size_t i = 0; i < n; i++) {
        char *path = sp_path_join(dir, names[i]);

        holds(path, names[i]);
        s.stop_at = names[i];
        assert_code(SP_CANCELLED, os->list(os->self, dir, false, see, &s, e));
        free(path);
    }
    free(dir);
}

static void
a_stream_is_no_file(void **state)
{
    char *path = at(state, "f:stream");
    struct sp_file *f = NULL;

    assert_code(SP_INVALID, os->create(os->self, path, &f, e));
    free(path);
}

/* --- who else is there ------------------------------------------------------------------------ */

struct holder {
    wchar_t *path;
    HANDLE handle;
    uint32_t ms;
};

static void
let_go(void *arg)
{
    struct holder *h = arg;

    sp_sleep_ms(h->ms);
    assert_true(CloseHandle(h->handle));
}

/* As a scanner: nobody else may do anything, for so long. */
static struct sp_thread *
hold(struct holder *h, const char *path, uint32_t ms)
{
    struct sp_thread *t = NULL;

    h->path = wide(path);
    h->ms = ms;
    h->handle = CreateFileW(h->path, GENERIC_READ, 0, NULL, OPEN_EXISTING, 0, NULL);
    assert_true(h->handle != INVALID_HANDLE_VALUE);
    free(h->path);
    assert_ok(sp_thread_start("scanner", let_go, h, &t, e));
    return t;
}

static void
a_scanner_is_waited_for(void **state)
{
    char *a = at(state, "a"), *b = at(state, "b");
    struct holder h;
    struct sp_thread *t;
    int64_t began;

    put(a, "one");
    t = hold(&h, a, 300);
    began = sp_clock_mono(&sp_clock_system);
    assert_ok(os->remove(os->self, a, e));
    assert_true(sp_clock_mono(&sp_clock_system) - began >= 200 * INT64_C(1000000));
    sp_thread_join(t);

    put(a, "new");
    put(b, "old");
    t = hold(&h, a, 300);
    assert_ok(os->replace(os->self, a, b, e));
    sp_thread_join(t);
    holds(b, "new");

    put(a, "newer");
    t = hold(&h, b, 300);
    assert_ok(os->replace(os->self, a, b, e));
    sp_thread_join(t);
    holds(b, "newer");
    free(a);
    free(b);
}

static void
a_file_in_use_is_busy(void **state)
{
    char *a = at(state, "a");
    struct sp_file *f = NULL;
    struct holder h;
    struct sp_thread *t;

    put(a, "one");
    t = hold(&h, a, 4000);
    assert_code(SP_BUSY, os->open_read(os->self, a, &f, e));
    assert_code(SP_BUSY, os->remove(os->self, a, e)); /* after 2.5 s */
    sp_thread_join(t);
    holds(a, "one");
    free(a);
}

/* What is being read is replaced where the file system knows POSIX semantics, or when it is not
 * read any more. */
static void
what_is_read_may_be_replaced(void **state)
{
    char *a = at(state, "a"), *b = at(state, "b");
    struct sp_file *f = NULL;
    struct sp_err err = {0};
    uint8_t got[3];
    size_t n = 0;
    enum sp_code rc;

    put(a, "new");
    put(b, "old");
    assert_ok(os->open_read(os->self, b, &f, e));
    rc = os->replace(os->self, a, b, &err);
    assert_true(rc == SP_OK || rc == SP_DENIED || rc == SP_BUSY);
    assert_ok(os->read_at(os->self, f, 0, got, 3, &n, e));
    assert_memory_equal(got, "old", 3);
    assert_ok(os->close(os->self, f, e));
    if (rc != SP_OK)
        assert_ok(os->replace(os->self, a, b, e));
    holds(b, "new");
    free(a);
    free(b);
}

/* --- links ------------------------------------------------------------------------------------ */

static void
which_tags_are_links(void **state)
{
    const DWORD tagged = FILE_ATTRIBUTE_REPARSE_POINT;

    (void)state;
    assert_true(sp_win32_is_link(tagged, IO_REPARSE_TAG_SYMLINK));
    assert_true(sp_win32_is_link(tagged | FILE_ATTRIBUTE_DIRECTORY, IO_REPARSE_TAG_MOUNT_POINT));
    assert_false(sp_win32_is_link(0, IO_REPARSE_TAG_SYMLINK)); /* undefined without the attribute */
    assert_false(sp_win32_is_link(tagged, 0x80000013));        /* deduplicated */
    assert_false(sp_win32_is_link(tagged, 0x80000017));        /* compressed by the system */
    assert_false(sp_win32_is_link(tagged, 0x9000001a));        /* of a cloud */
}

static void
links_are_refused(void **state)
{
    char *target = at(state, "target"), *link = at(state, "link"), *d = at(state, "d"),
         *dlink = at(state, "dlink");
    wchar_t *t = wide(target), *l = wide(link), *wd = wide(d), *wdl = wide(dlink);
    struct sp_file *f = NULL;
    struct sp_os_stat st;
    DWORD made;

    put(target, "kept");
    assert_ok(os->mkdir(os->self, d, e));
    /* 2: also without the privilege, where the machine is in developer mode. Wine says that it made
     * one and made none. */
    if (!CreateSymbolicLinkW(l, t, 2) || !CreateSymbolicLinkW(wdl, wd, 3) ||
        (made = GetFileAttributesW(l)) == INVALID_FILE_ATTRIBUTES ||
        (made & FILE_ATTRIBUTE_REPARSE_POINT) == 0) {
        print_message("no symbolic link can be made here\n");
        skip();
    }
    assert_code(SP_REFUSED, os->open_read(os->self, link, &f, e));
    assert_code(SP_EXISTS, os->create(os->self, link, &f, e));
    assert_ok(os->stat(os->self, link, &st, e));
    assert_int_equal(st.type, SP_OS_LINK);
    assert_ok(os->stat(os->self, dlink, &st, e));
    assert_int_equal(st.type, SP_OS_LINK);
    assert_code(SP_EXISTS, os->publish(os->self, target, link, e));
    assert_ok(os->remove(os->self, link, e));
    assert_ok(os->remove(os->self, dlink, e));
    holds(target, "kept");
    assert_ok(os->stat(os->self, d, &st, e));
    free(target);
    free(link);
    free(d);
    free(dlink);
    free(t);
    free(l);
    free(wd);
    free(wdl);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, tmp_setup, tmp_teardown)
        IN_FOLDER(a_file_is_created_once),
        IN_FOLDER(publish_never_replaces),
        IN_FOLDER(a_read_only_file_is_removed),
        IN_FOLDER(folders),
        IN_FOLDER(a_listing_tells_every_name_once),
        IN_FOLDER(paths_of_any_length),
        IN_FOLDER(names_are_not_bent),
        IN_FOLDER(a_stream_is_no_file),
        IN_FOLDER(a_scanner_is_waited_for),
        IN_FOLDER(a_file_in_use_is_busy),
        IN_FOLDER(what_is_read_may_be_replaced),
        cmocka_unit_test(which_tags_are_links),
        IN_FOLDER(links_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
