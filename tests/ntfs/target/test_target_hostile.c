/* Restores while others change what is there, and with a call that fails anywhere: nothing leaves
 * the target, no success that is none, nothing under its real name that is not whole, no handle
 * left open. */

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "client/target_impl_win32.h"
#include "round.h"
#include "tests/unit/base/support.h"
#include "tests/unit/base/thin.h"

static void
few(struct ntfs_double *a)
{
    static const struct ntfs_double_range range = {1 << 20, 4096};

    ntfs_double_text(a, "C:/tree/a/one", "one");
    ntfs_double_attributes(a, "C:/tree/a/one", NTFS_READONLY);
    ntfs_double_text(a, "C:/tree/a/two", "two");
    ntfs_double_stream(a, "C:/tree/a/two", "s", "stream", 6);
    ntfs_double_link(a, "C:/tree/a/two", "C:/tree/b/two");
    ntfs_double_symlink(a, "C:/tree/a/link", "one", false, true);
    ntfs_double_sparse(a, "C:/tree/b/sparse", 2 << 20, &range, 1);
    ntfs_double_text(a, "C:/tree/b/secret", "encrypted");
    ntfs_double_encrypt(a, "C:/tree/b/secret");
    ntfs_double_text(a, "C:/tree/b/a long name.txt", "short");
    ntfs_double_short_name(a, "C:/tree/b/a long name.txt", "S.TXT");
    ntfs_double_security(a, "C:/tree/b/a long name.txt", "O:BAG:SYD:P(A;;FA;;;SY)");
}

/* The same set to a new place each time. */
static void
anew(struct round *r)
{
    ntfs_double_free(r->b);
    r->b = ntfs_double_new();
    ntfs_double_volume(r->b, "D:/", NTFS_DOUBLE_NTFS);
    ntfs_double_text(r->b, "D:/outside/mine", "mine");
}

static struct round *
prepared(uint64_t *ret_calls)
{
    struct round *r = round_new(NTFS_DOUBLE_NTFS);

    few(r->a);
    round_take(r);
    anew(r);
    round_restore(r, "D:/out");
    assert_int_equal(r->o.nfaults + r->o.nnotes, 0);
    round_same(r, "D:/out/C/tree", NTFS_SAME_ALL);
    *ret_calls = ntfs_double_calls(r->b);
    return r;
}

/* --- others at work
 * ------------------------------------------------------------------------------------ */

struct attack {
    uint64_t at;
    const char *folder;
    bool folder_there; /* not a link, another folder */
    bool done;
    atomic_bool busy; /* one thread at a time, and not by its own calls */
};

/* As another program would; refused while something in it is open. */
static bool
move_away(const struct sp_ntfs *fs, const char *folder)
{
    struct sp_ntfs_handle *h = NULL, *to = NULL;
    struct sp_err err = {0};
    bool moved;

    moved = fs->open_path(fs->self, folder, NTFS_CHANGE, &h, &err) == SP_OK &&
            fs->open_path(fs->self, "D:/", NTFS_LIST, &to, &err) == SP_OK &&
            fs->rename(fs->self, h, to, "away", false, &err) == SP_OK;
    if (h != NULL)
        (void)fs->close(fs->self, h, &err);
    if (to != NULL)
        (void)fs->close(fs->self, to, &err);
    return moved;
}

static void
swap(void *arg, struct ntfs_double *d, uint64_t nth, const char *call, const char *path)
{
    struct attack *a = arg;

    (void)call;
    (void)path;
    if (atomic_exchange(&a->busy, true))
        return;
    if (nth >= a->at && !a->done && ntfs_double_exists(d, a->folder) &&
        move_away(ntfs_double_table(d), a->folder)) {
        a->done = true;
        if (a->folder_there)
            ntfs_double_folder(d, a->folder);
        else
            ntfs_double_junction(d, a->folder, "\\??\\D:\\outside");
    }
    atomic_store(&a->busy, false);
}

static void
untouched(struct ntfs_double *d)
{
    static const char *const names[] = {"one", "two", "link", "sparse", "secret", "a", "b", "tree"};
    struct sp_buf b = SP_BUF_INIT;
    char path[64];

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        (void)snprintf(path, sizeof path, "D:/outside/%s", names[i]);
        if (ntfs_double_exists(d, path))
            fail_msg("%s was restored through a link", path);
    }
    assert_true(ntfs_double_read(d, "D:/outside/mine", "", &b));
    assert_memory_equal(b.data, "mine", 4);
    sp_buf_free(&b);
}

static void
links_put_in_place(void **state)
{
    static const char *const folders[] = {
        "D:/out/C/tree/a", "D:/out/C/tree", "D:/out/C/tree/b", "D:/out/C"};
    uint64_t calls, happened = 0;
    struct round *r = prepared(&calls);

    (void)state;
    for (uint64_t n = 1; n <= calls; n += THIN) {
        struct attack a = {.at = n, .folder = folders[n / THIN % 4], .folder_there = n / THIN % 3 == 0};

        anew(r);
        ntfs_double_hook(r->b, swap, &a);
        round_restore(r, "D:/out");
        ntfs_double_hook(r->b, NULL, NULL);
        untouched(r->b);
        happened += a.done;
    }
    assert_true(happened > calls / THIN / 2);
    round_free(r);
}

/* Over what is there: a link for a folder is replaced, and never gone through. */
static void
links_that_were_there(void **state)
{
    uint64_t calls;
    struct round *r = prepared(&calls);

    (void)state;
    anew(r);
    ntfs_double_folder(r->b, "D:/out/C/tree");
    ntfs_double_junction(r->b, "D:/out/C/tree/a", "\\??\\D:\\outside");
    ntfs_double_symlink(r->b, "D:/out/C/tree/b", "..\\..\\..\\outside", true, true);
    round_restore(r, "D:/out");
    assert_int_equal(r->o.nfaults, 0);
    untouched(r->b);
    round_same(r, "D:/out/C/tree", NTFS_SAME_ALL);
    anew(r); /* one for a file */
    ntfs_double_symlink(r->b, "D:/out/C/tree/a/one", "\\??\\D:\\outside\\mine", false, false);
    round_restore(r, "D:/out");
    assert_int_equal(r->o.nfaults, 0);
    untouched(r->b);
    round_same(r, "D:/out/C/tree", NTFS_SAME_ALL & ~(unsigned)NTFS_SAME_ATIME);
    round_free(r);
}

/* A link is no folder; a mount point is one that gets attributes, and nothing is made in it. */
static void
points(void **state)
{
    struct ntfs_double *d = ntfs_double_new();
    struct sp_target_options o = {.path = "D:/"};
    struct sp_entry en = {.type = SP_ENTRY_FILE, .user = "", .group = ""};
    struct sp_target_dir *dir = NULL;
    struct sp_target_file *f = NULL;
    struct sp_target *t = NULL;
    struct sp_target_stat st;

    (void)state;
    ntfs_double_volume(d, "D:/", NTFS_DOUBLE_NTFS);
    ntfs_double_junction(d, "D:/junction", "\\??\\D:\\x");
    ntfs_double_symlink(d, "D:/link", "x", true, true);
    ntfs_double_junction(d, "D:/mount", "\\??\\Volume{00000000-0000-0000-0000-000000000001}\\");
    ntfs_double_set_here(d);
    assert_ok(sp_target_open(&sp_env_system, &o, &t, e));
    assert_code(SP_REFUSED, sp_target_dir_enter(sp_target_root(t), "junction", &dir, e));
    assert_code(SP_REFUSED, sp_target_dir_enter(sp_target_root(t), "link", &dir, e));
    assert_code(SP_REFUSED, sp_target_old_open(sp_target_root(t), "link", NULL, e));
    assert_ok(sp_target_look(sp_target_root(t), "mount", &st, e));
    assert_int_equal(st.type, SP_ENTRY_DIR);
    assert_ok(sp_target_dir_enter(sp_target_root(t), "mount", &dir, e));
    assert_code(SP_REFUSED, sp_target_file_create(dir, &en, &f, e));
    assert_code(SP_REFUSED, sp_target_look(dir, "x", &st, e));
    assert_ok(sp_target_dir_open_up(dir, e));
    assert_ok(sp_target_dir_put_back(dir, true, e));
    sp_target_dir_release(dir);
    sp_target_free(t);
    assert_int_equal(ntfs_double_handles(d), 0);
    ntfs_double_free(d);
}

/* More folders than handles are kept: they come back, but only as the folders they were. */
static void
handles(void **state)
{
    enum { FOLDERS = TARGET_HANDLES + 50 };
    struct ntfs_double *d = ntfs_double_new();
    struct sp_target_options o = {.path = "D:/"};
    struct sp_target_dir *dirs[FOLDERS];
    struct sp_target *t = NULL;
    struct sp_target_stat st;
    char name[32];

    (void)state;
    ntfs_double_volume(d, "D:/", NTFS_DOUBLE_NTFS);
    ntfs_double_set_here(d);
    assert_ok(sp_target_open(&sp_env_system, &o, &t, e));
    for (size_t i = 0; i < FOLDERS; i++) {
        (void)snprintf(name, sizeof name, "%zu", i);
        assert_ok(sp_target_dir_make(
            i % 3 == 2 ? dirs[i - 1] : sp_target_root(t), name, NULL, &dirs[i], e));
    }
    assert_true(ntfs_double_handles(d) <= TARGET_HANDLES + 1);
    for (size_t i = 0; i < FOLDERS; i++)
        assert_code(SP_ABSENT, sp_target_look(dirs[i], "nothing", &st, e));
    assert_true(ntfs_double_handles(d) <= TARGET_HANDLES + 1);
    ntfs_double_rename(d, "D:/0", "D:/away");
    ntfs_double_folder(d, "D:/0");
    assert_code(SP_CHANGED, sp_target_look(dirs[0], "nothing", &st, e));
    ntfs_double_rename(d, "D:/1", "D:/away too");
    ntfs_double_junction(d, "D:/1", "\\??\\D:\\0");
    assert_code(SP_CHANGED, sp_target_look(dirs[1], "nothing", &st, e));
    assert_code(SP_CHANGED, sp_target_look(dirs[2], "nothing", &st, e)); /* was in 1 */
    assert_code(SP_ABSENT, sp_target_look(dirs[3], "nothing", &st, e));
    for (size_t i = 0; i < FOLDERS; i++)
        sp_target_dir_release(dirs[i]);
    sp_target_free(t);
    assert_int_equal(ntfs_double_handles(d), 0);
    ntfs_double_free(d);
}

/* --- failing calls
 * ------------------------------------------------------------------------------------- */

/* Whatever has its real name is whole. */
static void
whole_or_absent(struct round *r)
{
    static const char *const files[] = {
        "a/one", "a/two", "b/two", "b/sparse", "b/secret", "b/a long name.txt"};
    char from[64], to[64];

    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        struct sp_buf a = SP_BUF_INIT, b = SP_BUF_INIT;

        (void)snprintf(from, sizeof from, "C:/tree/%s", files[i]);
        (void)snprintf(to, sizeof to, "D:/out/C/tree/%s", files[i]);
        if (ntfs_double_exists(r->b, to)) {
            assert_true(ntfs_double_read(r->a, from, "", &a));
            assert_true(ntfs_double_read(r->b, to, "", &b));
            if (a.len != b.len || memcmp(a.data, b.data, a.len) != 0)
                fail_msg("%s is not whole", to);
        }
        sp_buf_free(&a);
        sp_buf_free(&b);
    }
}

static void
failing(enum sp_code code)
{
    uint64_t calls, told = 0, left = 0;
    struct round *r = prepared(&calls);

    for (uint64_t n = 1; n <= calls; n += THIN) {
        anew(r);
        ntfs_double_fail(r->b, n, code);
        round_restore(r, "D:/out");
        ntfs_double_fail(r->b, 0, SP_OK);
        whole_or_absent(r);
        if (r->o.code != SP_OK || r->o.nfaults > 0 || r->o.stats.not_supported > 0) {
            told++;
            continue;
        }
        /* The call that failed may be the one that takes a temporary name away. */
        if (round_temporary(r) == 0)
            round_same(r, "D:/out/C/tree", NTFS_SAME_ALL & ~(unsigned)NTFS_SAME_ATIME);
        else
            left++;
    }
    print_message("%llu calls, %llu told, %llu leave a temporary name\n", (unsigned long long)calls,
        (unsigned long long)told, (unsigned long long)left);
    assert_true(left <= 4); /* of the probe, and of what waits to be imported, tried and done */
    assert_true(
        told > calls / THIN / 3); /* the rest are closes of what was only looked at, and courtesies */
    round_free(r);
}

static void
failing_calls(void **state)
{
    (void)state;
    failing(SP_IO);
}

static void
failing_for_lack_of_rights(void **state)
{
    (void)state;
    failing(SP_DENIED);
}

static void
failing_for_lack_of_room(void **state)
{
    uint64_t calls, ended = 0;
    struct round *r = prepared(&calls);

    (void)state;
    for (uint64_t n = 1; n <= calls; n += 3 * THIN) {
        anew(r);
        ntfs_double_fail(r->b, n, SP_FULL);
        round_restore(r, "D:/out");
        ntfs_double_fail(r->b, 0, SP_OK);
        whole_or_absent(r);
        ended += r->o.code == SP_FULL;
    }
    assert_true(ended > calls / THIN / 9);
    round_free(r);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(links_put_in_place),
        cmocka_unit_test(links_that_were_there),
        cmocka_unit_test(points),
        cmocka_unit_test(handles),
        cmocka_unit_test(failing_calls),
        cmocka_unit_test(failing_for_lack_of_rights),
        cmocka_unit_test(failing_for_lack_of_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
