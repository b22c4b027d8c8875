/* Restoring what is whole, to an empty target, over existing ones, in part, in a dry run. */

#include "sets.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "tests/unit/base/support.h"
#include "tree.h"

static void
assert_time(struct stat st, int64_t ns)
{
    assert_int_equal(st.st_mtim.tv_sec * INT64_C(1000000000) + st.st_mtim.tv_nsec, ns);
}

static void
few(struct set *s)
{
    set_dir(s, "");
    set_dir(s, "a")->mode = 0750;
    set_text(s, "a/one", "one");
    set_text(s, "a/two", "two two")->mode = 0600;
    set_dir(s, "a/empty");
    set_text(s, "b", "");
    set_symlink(s, "c", "a/one");
    set_commit(s);
}

static void
every_kind(void **state)
{
    struct tree t;
    struct set s;
    struct outcome o;
    struct stat st;
    struct sp_entry *en;
    uint8_t big[100000], value[5000];

    (void)state;
    tree_new(&t);
    set_new(&s);
    fill(big, sizeof big, 1);
    fill(value, sizeof value, 2);
    set_dir(&s, "");
    set_dir(&s, "d")->mode = 02550;
    set_attribute(&s, set_dir(&s, "d/x"), "user.large", value, 3000, true);
    en = set_bytes(&s, "d/file", big, sizeof big, 9999);
    en->mode = 06755;
    en->uid = 12345;
    en->gid = 54321;
    en->mtime_ns = -1500000000;
    set_attribute(&s, en, "user.inline", "value", 5, false);
    set_attribute(&s, en, "user.none", "", 0, false);
    set_file(&s, "sparse",
        (struct content[]){
            {NULL, 1 << 20}, {big, 4096}, {NULL, 4 << 20}, {big, 5000}, {NULL, 3 << 20}},
        5, 65536);
    set_symlink(&s, "link", "nowhere")->uid = 77;
    set_entry(&s, "fifo", SP_ENTRY_FIFO)->mode = 0622;
    set_entry(&s, "socket", SP_ENTRY_SOCKET);
    en = set_entry(&s, "null", SP_ENTRY_CHAR);
    en->rdev = UINT64_C(1) << 32 | 3;
    en = set_entry(&s, "block", SP_ENTRY_BLOCK);
    en->rdev = UINT64_C(4095) << 32 | 1048575;
    set_commit(&s);
    set_restore_well(&s, t.path, NULL, &o);

    assert_bytes(t.path, "d/file", big, sizeof big);
    st = look(t.path, "d/file");
    assert_int_equal(st.st_mode & 07777, geteuid() == 0 ? 06755 : 0755);
    assert_time(st, -1500000000);
    assert_int_equal(look(t.path, "d").st_mode & 07777, 02550);
    assert_time(look(t.path, "d"), SET_TIME);
    assert_time(look(t.path, "d/x"), SET_TIME);
    st = look(t.path, "sparse");
    assert_int_equal(st.st_size, (8 << 20) + 9096);
    assert_true(st.st_blocks * 512 < 1 << 20);
    assert_time(look(t.path, "link"), SET_TIME);
    assert_true(S_ISFIFO(look(t.path, "fifo").st_mode));
    assert_int_equal(look(t.path, "fifo").st_mode & 07777, 0622);
    assert_time(look(t.path, "fifo"), SET_TIME);
    assert_true(S_ISSOCK(look(t.path, "socket").st_mode));
    if (geteuid() == 0) {
        assert_int_equal(look(t.path, "d/file").st_uid, 12345);
        assert_int_equal(look(t.path, "d/file").st_gid, 54321);
        assert_int_equal(look(t.path, "link").st_uid, 77);
        assert_int_equal(look(t.path, "null").st_rdev, makedev(1, 3));
        assert_int_equal(look(t.path, "block").st_rdev, makedev(4095, 1048575));
        assert_true(S_ISBLK(look(t.path, "block").st_mode));
    }
    {
        char *path = tree_path(&t, "d/file"), *x = tree_path(&t, "d/x");
        uint8_t got[5000];

        assert_int_equal(getxattr(path, "user.inline", got, sizeof got), 5);
        assert_memory_equal(got, "value", 5);
        assert_int_equal(getxattr(path, "user.none", got, sizeof got), 0);
        assert_int_equal(getxattr(x, "user.large", got, sizeof got), 3000);
        assert_memory_equal(got, value, 3000);
        free(path);
        free(x);
    }
    assert_int_equal(o.stats.entries, 10);
    assert_int_equal(o.stats.matched, 10);
    assert_int_equal(o.stats.files, 2);
    assert_int_equal(o.stats.bytes, sizeof big + (8 << 20) + 9096);
    assert_int_equal(o.stats.files_equal, 0);
    assert_int_equal(o.stats.not_supported, 0);
    assert_true(o.stats.bytes_fetched > 0);
    assert_true(o.nprogress > 0);

    /* Again: nothing is fetched, nothing is new. */
    {
        struct stat before = look(t.path, "d/file"), after;
        size_t gets = s.memory.given;

        set_restore_well(&s, t.path, NULL, &o);
        after = look(t.path, "d/file");
        assert_int_equal(before.st_ino, after.st_ino);
        assert_int_equal(before.st_ctim.tv_sec, after.st_ctim.tv_sec);
        assert_int_equal(before.st_ctim.tv_nsec, after.st_ctim.tv_nsec);
        assert_int_equal(o.stats.entries, 10);
        assert_int_equal(o.stats.files_equal, 2);
        assert_int_equal(o.stats.bytes_equal, o.stats.bytes);
        /* The catalog, and the one long attribute. */
        assert_true(s.memory.given - gets <= 4);
    }
    set_free(&s);
    tree_free(&t);
}

/* R14: an earlier restore that a power cut ended may have left a file with its size, its times and zeros. */
static void
what_is_there_counts_by_its_bytes(void **state)
{
    static const size_t sizes[] = {5000, 3 << 20};
    uint8_t *bytes = malloc(3 << 20);
    char name[2] = "0", *path;
    struct tree t;
    struct set s;
    struct outcome o;

    (void)state;
    assert_non_null(bytes);
    tree_new(&t);
    set_new(&s);
    fill(bytes, 3 << 20, 7);
    set_dir(&s, "");
    for (size_t i = 0; i < 2; i++, name[0]++)
        set_bytes(&s, name, bytes, sizes[i], 65536);
    set_commit(&s);
    set_restore_well(&s, t.path, NULL, &o);
    for (name[0] = '0'; name[0] < '2'; name[0]++) {
        struct stat st = look(t.path, name);
        const struct timespec times[2] = {st.st_atim, st.st_mtim};
        int fd;

        path = tree_path(&t, name);
        assert_true((fd = open(path, O_WRONLY | O_CLOEXEC)) >= 0);
        assert_int_equal(pwrite(fd, "", 1, 4000), 1);
        assert_int_equal(futimens(fd, times), 0);
        assert_int_equal(close(fd), 0);
        free(path);
    }
    set_restore_well(&s, t.path, NULL, &o);
    assert_int_equal(o.stats.files_equal, 0);
    for (size_t i = 0; i < 2; i++) {
        name[0] = (char)('0' + i);
        assert_bytes(t.path, name, bytes, sizes[i]);
    }
    set_free(&s);
    tree_free(&t);
    free(bytes);
}

static void
target_is_made(void **state)
{
    struct tree t;
    struct set s;
    struct outcome o;
    char *target;

    (void)state;
    tree_new(&t);
    set_new(&s);
    few(&s);
    target = tree_path(&t, "not/there/yet");
    set_restore_well(&s, target, NULL, &o);
    assert_text(target, "a/one", "one");
    assert_int_equal(look(target, "").st_mode & 07777, 0755);
    assert_time(look(target, ""), SET_TIME);
    free(target);
    set_free(&s);
    tree_free(&t);
}

/* --- choosing
 * ------------------------------------------------------------------------------------------ */

static struct sp_filter *
filter(const char *pattern)
{
    struct sp_filter *f = NULL;

    assert_ok(sp_filter_new(&pattern, 1, false, &f, e));
    return f;
}

static void
selecting(void **state)
{
    struct tree t;
    struct set s;
    struct outcome o;
    struct sp_restore_options options = {0};
    struct sp_filter *f;
    char path[64];

    (void)state;
    tree_new(&t);
    set_new(&s);
    set_dir(&s, "");
    set_dir(&s, "a")->mode = 0711;
    set_dir(&s, "a/deep");
    set_text(&s, "a/deep/wanted", "wanted");
    set_text(&s, "a/deep/other", "other");
    set_text(&s, "a/plain", "plain");
    for (int i = 0; i < 20; i++) {
        snprintf(path, sizeof path, "b%02d", i);
        set_dir(&s, path);
        snprintf(path, sizeof path, "b%02d/file", i);
        set_text(&s, path, path);
    }
    set_commit(&s);
    options.select = f = filter("/a/deep/wanted");
    set_restore_well(&s, t.path, &options, &o);
    assert_text(t.path, "a/deep/wanted", "wanted");
    assert_int_equal(count_all(t.path), 3);
    assert_int_equal(look(t.path, "a").st_mode & 07777, 0711);
    assert_time(look(t.path, "a"), SET_TIME);
    assert_int_equal(o.stats.matched, 1);
    assert_int_equal(o.stats.entries, 1);
    sp_filter_free(f);

    options.select = f = filter("/b07");
    set_restore_well(&s, t.path, &options, &o);
    assert_int_equal(o.stats.matched, 2);
    assert_text(t.path, "b07/file", "b07/file");
    assert_false(exists(t.path, "b06"));
    sp_filter_free(f);

    options.select = f = filter("/nothing/such");
    set_restore_well(&s, t.path, &options, &o);
    assert_int_equal(o.stats.matched, 0);
    assert_int_equal(o.stats.entries, 0);
    sp_filter_free(f);
    set_free(&s);
    tree_free(&t);
}

static void
stripping(void **state)
{
    struct tree t;
    struct set s;
    struct outcome o;
    struct sp_restore_options options = {.strip = 2};

    (void)state;
    tree_new(&t);
    set_new(&s);
    set_dir(&s, "")->flags = SP_ENTRY_IMPLIED;
    set_dir(&s, "home")->flags = SP_ENTRY_IMPLIED;
    set_dir(&s, "home/x")->mode = 0700;
    set_text(&s, "home/x/file", "of x");
    set_dir(&s, "home/x/dir")->mode = 0555;
    set_text(&s, "home/x/dir/file", "of x");
    set_dir(&s, "home/y")->mode = 0701;
    set_text(&s, "home/y/file", "the file of y");
    set_dir(&s, "home/y/dir");
    set_text(&s, "home/y/dir/other", "of y");
    set_text(&s, "file", "too high");
    set_commit(&s);
    set_restore(&s, t.path, &options, &o);
    assert_int_equal(o.code, SP_OK);
    assert_int_equal(o.nfaults, 1);
    assert_non_null(strstr(outcome_fault(&o, "file"), "nothing is left of its path"));
    assert_text(t.path, "file", "the file of y"); /* the last one */
    assert_text(t.path, "dir/file", "of x");
    assert_text(t.path, "dir/other", "of y");
    assert_int_equal(look(t.path, "dir").st_mode & 07777, 0755);
    assert_int_equal(look(t.path, "").st_mode & 07777, 0701);
    assert_int_equal(count_all(t.path), 4);
    set_free(&s);
    tree_free(&t);
}

static void
implied_folders(void **state)
{
    struct tree t;
    struct set s;
    struct outcome o;
    struct stat before;

    (void)state;
    tree_new(&t);
    set_new(&s);
    set_dir(&s, "")->flags = SP_ENTRY_IMPLIED;
    set_dir(&s, "etc")->flags = SP_ENTRY_IMPLIED;
    s.entries[1]->mode = 0711;
    set_dir(&s, "etc/conf");
    set_text(&s, "etc/conf/file", "x");
    set_dir(&s, "none")->flags = SP_ENTRY_IMPLIED;
    set_commit(&s);
    tree_dir(&t, "keep");
    before = look(t.path, "");
    set_restore_well(&s, t.path, NULL, &o);
    assert_int_equal(look(t.path, "etc").st_mode & 07777, 0711);
    assert_false(exists(t.path, "none"));
    assert_int_equal(look(t.path, "").st_mode, before.st_mode); /* the user's own folder */
    assert_int_equal(o.stats.entries, 2);
    assert_int_equal(o.stats.matched, 2);
    set_free(&s);
    tree_free(&t);
}

/* Every key at its own path: the folders above are the system's. */
static void
in_place(void **state)
{
    struct tree t;
    struct set s;
    struct outcome o;
    struct stat before;
    char path[256];

    (void)state;
    tree_new(&t);
    set_new(&s);
    tree_dir(&t, "held");
    tree_symlink(&t, "elsewhere", "held");
    before = look(t.path, "held");
    set_dir(&s, "")->flags = SP_ENTRY_IMPLIED;
    snprintf(path, sizeof path, "%s/held", t.path + 1);
    set_dirs(&s, path)->flags = SP_ENTRY_IMPLIED;
    snprintf(path, sizeof path, "%s/held/new", t.path + 1);
    set_dir(&s, path)->mode = 0700;
    snprintf(path, sizeof path, "%s/held/new/file", t.path + 1);
    set_text(&s, path, "in place");
    snprintf(path, sizeof path, "%s/made", t.path + 1);
    set_dir(&s, path)->flags = SP_ENTRY_IMPLIED;
    s.entries[s.nentries - 1]->mode = 0705;
    snprintf(path, sizeof path, "%s/made/file", t.path + 1);
    set_text(&s, path, "in place");
    snprintf(path, sizeof path, "%s/elsewhere", t.path + 1);
    set_dir(&s, path)->flags = SP_ENTRY_IMPLIED;
    snprintf(path, sizeof path, "%s/elsewhere/file", t.path + 1);
    set_text(&s, path, "through a link");
    set_commit(&s);
    set_restore(&s, NULL, NULL, &o);
    assert_int_equal(o.code, SP_OK);
    assert_int_equal(o.nfaults, 1);
    assert_non_null(strstr(outcome_fault(&o, path), "symbolic link"));
    assert_true(S_ISLNK(look(t.path, "elsewhere").st_mode));
    assert_false(exists(t.path, "held/file"));
    assert_text(t.path, "held/new/file", "in place");
    assert_int_equal(look(t.path, "held/new").st_mode & 07777, 0700);
    assert_int_equal(look(t.path, "held").st_mode, before.st_mode);
    assert_int_equal(look(t.path, "made").st_mode & 07777, 0705);
    assert_time(look(t.path, "made"), SET_TIME);
    set_free(&s);
    tree_free(&t);
}

static void
unreadable(void **state)
{
    struct tree t;
    struct set s;
    struct outcome o;

    (void)state;
    tree_new(&t);
    set_new(&s);
    set_dir(&s, "");
    set_dir(&s, "d")->flags = SP_ENTRY_UNREADABLE;
    set_text(&s, "d/readable", "x");
    set_entry(&s, "d/secret", SP_ENTRY_FILE)->flags = SP_ENTRY_UNREADABLE;
    s.entries[s.nentries - 1]->size = 1000;
    set_commit(&s);
    set_restore(&s, t.path, NULL, &o);
    assert_int_equal(o.code, SP_OK);
    assert_int_equal(o.nfaults, 2);
    assert_non_null(outcome_fault(&o, "d"));
    assert_non_null(strstr(outcome_fault(&o, "d/secret"), "not in the set"));
    assert_false(exists(t.path, "d/secret"));
    assert_text(t.path, "d/readable", "x");
    assert_time(look(t.path, "d"), SET_TIME);
    set_free(&s);
    tree_free(&t);
}

/* --- what exists
 * ---------------------------------------------------------------------------------------- */

/* Every type of object in the way of every type. */
static void
types_in_the_way(void **state)
{
    static const char *const kinds[] = {"file", "dir", "link", "fifo"};
    struct tree t;
    struct set s;
    struct outcome o;
    char path[64], inside[80];

    (void)state;
    tree_new(&t);
    set_new(&s);
    set_dir(&s, "");
    tree_text(&t, "outside/untouched", "untouched");
    for (int want = 0; want < 4; want++) {
        for (int is = 0; is < 4; is++) {
            snprintf(path, sizeof path, "%s over %s", kinds[want], kinds[is]);
            snprintf(inside, sizeof inside, "%s/inside", path);
            if (want == 0) {
                set_text(&s, path, "new");
            } else if (want == 1) {
                set_dir(&s, path);
                set_text(&s, inside, "inside");
            } else if (want == 2) {
                set_symlink(&s, path, "new");
            } else {
                set_entry(&s, path, SP_ENTRY_FIFO);
            }
            if (is == 0)
                tree_text(&t, path, "old");
            else if (is == 1)
                tree_dir(&t, path);
            else if (is == 2)
                tree_symlink(&t, path, "outside");
            else
                tree_fifo(&t, path);
        }
    }
    set_text(&s, "file over full folder", "new");
    tree_text(&t, "file over full folder/inside", "precious");
    set_commit(&s);
    set_restore(&s, t.path, NULL, &o);
    assert_int_equal(o.code, SP_OK);
    assert_int_equal(o.nfaults, 1);
    assert_non_null(outcome_fault(&o, "file over full folder"));
    assert_text(t.path, "file over full folder/inside", "precious");
    for (int want = 0; want < 4; want++) {
        for (int is = 0; is < 4; is++) {
            struct stat st;

            snprintf(path, sizeof path, "%s over %s", kinds[want], kinds[is]);
            snprintf(inside, sizeof inside, "%s/inside", path);
            st = look(t.path, path);
            if (want == 0)
                assert_text(t.path, path, "new");
            else if (want == 1)
                assert_text(t.path, inside, "inside");
            else if (want == 2)
                assert_true(S_ISLNK(st.st_mode) && st.st_size == 3);
            else
                assert_true(S_ISFIFO(st.st_mode));
            assert_time(st, SET_TIME);
        }
    }
    assert_false(exists(t.path, "outside/inside"));
    assert_text(t.path, "outside/untouched", "untouched");
    assert_int_equal(count_temporary(t.path), 0);
    set_free(&s);
    tree_free(&t);
}

static void
age(const char *folder, const char *path, int64_t sec)
{
    struct timespec ts[2] = {{.tv_sec = (time_t)sec}, {.tv_sec = (time_t)sec}};
    char *p = NULL;

    assert_true(asprintf(&p, "%s/%s", folder, path) > 0);
    assert_int_equal(utimensat(AT_FDCWD, p, ts, AT_SYMLINK_NOFOLLOW), 0);
    free(p);
}

static void
keep_and_newer(void **state)
{
    struct tree t;
    struct set s;
    struct outcome o;
    struct sp_restore_options keep = {.if_exists = SP_IF_EXISTS_KEEP};
    struct sp_restore_options newer = {.if_exists = SP_IF_EXISTS_NEWER};
    struct stat dir;

    (void)state;
    tree_new(&t);
    set_new(&s);
    set_dir(&s, "");
    set_dir(&s, "d");
    set_text(&s, "d/new", "new");
    set_text(&s, "d/older", "of the set");
    set_text(&s, "d/younger", "of the set");
    set_symlink(&s, "d/link", "of the set");
    set_dir(&s, "f");
    set_text(&s, "f/inside", "inside");
    set_commit(&s);
    tree_dir(&t, "d");
    tree_text(&t, "d/older", "old");
    tree_text(&t, "d/younger", "young");
    tree_symlink(&t, "d/link", "here");
    tree_text(&t, "f", "a file");
    age(t.path, "d/older", 1400000000);
    age(t.path, "d/younger", 1600000000);
    age(t.path, "d/link", 1600000000);
    age(t.path, "f", 1600000000);
    tree_dir(&t, "d/sub");
    dir = look(t.path, "d");

    set_restore(&s, t.path, &keep, &o);
    assert_int_equal(o.code, SP_OK);
    assert_text(t.path, "d/new", "new");
    assert_text(t.path, "d/older", "old");
    assert_text(t.path, "d/younger", "young");
    assert_int_equal(look(t.path, "d/link").st_size, 4);
    assert_int_equal(look(t.path, "d").st_mode, dir.st_mode);
    assert_text(t.path, "f", "a file");
    assert_int_equal(o.nfaults, 2); /* the folder f and what is in it */
    assert_int_equal(o.stats.kept, 5);
    assert_int_equal(o.stats.entries, 1);

    set_restore(&s, t.path, &newer, &o);
    assert_int_equal(o.code, SP_OK);
    assert_text(t.path, "d/older", "of the set");
    assert_text(t.path, "d/younger", "young");
    assert_int_equal(o.stats.kept, 5); /* root, d, new (as old as in the set), younger, link */
    assert_int_equal(o.nfaults, 2);

    set_restore_well(&s, t.path, NULL, &o);
    assert_text(t.path, "d/younger", "of the set");
    assert_text(t.path, "f/inside", "inside");
    assert_int_equal(o.stats.kept, 0);
    set_free(&s);
    tree_free(&t);
}

/* What an existing object has and the set has not goes; what is right stays as it is. */
static void
attributes_put_right(void **state)
{
    struct tree t;
    struct set s;
    struct outcome o;
    char *path, *dir, *other;
    ino_t inode;

    (void)state;
    tree_new(&t);
    set_new(&s);
    set_dir(&s, "");
    set_dir(&s, "d");
    set_attribute(&s, set_text(&s, "d/file", "the same"), "user.a", "right", 5, false);
    set_text(&s, "linked", "the same")->mode = 0640;
    set_commit(&s);
    tree_text(&t, "d/file", "the same");
    tree_text(&t, "linked", "the same");
    tree_link(&t, "linked", "other name");
    path = tree_path(&t, "d/file");
    dir = tree_path(&t, "d");
    other = tree_path(&t, "other name");
    assert_int_equal(chmod(other, 0600), 0);
    assert_int_equal(setxattr(path, "user.a", "wrong", 5, 0), 0);
    assert_int_equal(setxattr(path, "user.b", "more", 4, 0), 0);
    assert_int_equal(setxattr(dir, "user.b", "more", 4, 0), 0);
    age(t.path, "d/file", SET_TIME / 1000000000);
    {
        struct timespec ts[2] = {{.tv_nsec = UTIME_OMIT},
            {.tv_sec = SET_TIME / 1000000000, .tv_nsec = SET_TIME % 1000000000}};

        assert_int_equal(utimensat(AT_FDCWD, path, ts, 0), 0);
        assert_int_equal(utimensat(AT_FDCWD, other, ts, 0), 0);
    }
    inode = look(t.path, "d/file").st_ino;
    set_restore_well(&s, t.path, NULL, &o);
    assert_int_equal(look(t.path, "d/file").st_ino, inode);
    assert_int_equal(o.stats.files_equal, 2);
    {
        char got[8];

        assert_int_equal(getxattr(path, "user.a", got, sizeof got), 5);
        assert_memory_equal(got, "right", 5);
        assert_true(getxattr(path, "user.b", got, sizeof got) < 0 && errno == ENODATA);
        assert_true(getxattr(dir, "user.b", got, sizeof got) < 0 && errno == ENODATA);
    }
    /* Another name of an existing file is not ours: it keeps its mode. */
    assert_int_equal(look(t.path, "linked").st_mode & 07777, 0640);
    assert_int_equal(look(t.path, "other name").st_mode & 07777, 0600);
    assert_text(t.path, "linked", "the same");
    free(path);
    free(dir);
    free(other);
    set_free(&s);
    tree_free(&t);
}

static void
leftovers_are_removed(void **state)
{
    struct tree t;
    struct set s;
    struct outcome o;

    (void)state;
    tree_new(&t);
    set_new(&s);
    few(&s);
    tree_text(&t, "a/.stillpoint-restore-0011223344556677-00000001", "left");
    tree_symlink(&t, "a/.stillpoint-restore-0011223344556677-00000002", "left");
    tree_text(&t, "a/stillpoint-restore", "the user's own");
    set_restore_well(&s, t.path, NULL, &o); /* counts what is left */
    assert_true(exists(t.path, "a/stillpoint-restore"));
    set_free(&s);
    tree_free(&t);
}

/* --- dry run
 * ------------------------------------------------------------------------------------------- */

static void
dry_run(void **state)
{
    struct tree t;
    struct set s;
    struct outcome o;
    struct sp_restore_options options = {.dry_run = true};
    struct stat before;
    char *target;
    size_t given;

    (void)state;
    tree_new(&t);
    set_new(&s);
    few(&s);
    target = tree_path(&t, "not there");
    set_restore_well(&s, t.path, NULL, &o);
    given = s.memory.given;

    memset(&o, 0, sizeof o);
    set_restore(&s, target, &options, &o);
    assert_int_equal(o.code, SP_OK);
    assert_false(exists(t.path, "not there"));
    assert_string_equal(outcome_would(&o, "a/one"), "restore");
    assert_int_equal(o.stats.entries, 6);
    assert_int_equal(o.stats.files, 3);

    tree_text(&t, "a/two", "changed");
    before = look(t.path, "a");
    set_restore(&s, t.path, &options, &o);
    assert_int_equal(o.code, SP_OK);
    assert_string_equal(outcome_would(&o, "a/one"), "equal");
    assert_string_equal(outcome_would(&o, "a/two"), "replace");
    assert_text(t.path, "a/two", "changed");
    assert_int_equal(look(t.path, "a").st_ctim.tv_nsec, before.st_ctim.tv_nsec);
    assert_int_equal(o.stats.files_equal, 2);
    assert_int_equal(o.stats.bytes_fetched, 0);
    assert_true(s.memory.given - given <= 2); /* the catalog, twice */
    free(target);
    set_free(&s);
    tree_free(&t);
}

/* --- without rights
 * ------------------------------------------------------------------------------------- */

struct poor {
    struct set *s;
    const char *target;
    struct outcome o;
};

static int
restore_poorly(void *arg)
{
    struct poor *p = arg;

    for (int i = 0; i < 2; i++) { /* the second time over read-only folders */
        set_restore(p->s, p->target, &(struct sp_restore_options){.temp_dir = p->target}, &p->o);
        if (p->o.code != SP_OK || p->o.nfaults != 1 || p->o.nnotes != 4)
            fprintf(stderr, "%d: %s, %zu faults, %zu notes: %s: %s\n", i, p->o.err.text,
                p->o.nfaults, p->o.nnotes, p->o.faults[0].path, p->o.faults[0].text);
        if (p->o.code != SP_OK || p->o.nfaults != 1 || p->o.nnotes != 4 ||
            outcome_fault(&p->o, "device") == NULL)
            return 1;
        if (p->o.stats.not_supported != 8)
            fprintf(stderr, "%d: %d not supported\n", i, (int)p->o.stats.not_supported);
        if (p->o.stats.not_supported != 8)
            return 2;
    }
    return 0;
}

static void
as_a_user(void **state)
{
    struct tree t;
    struct set s;
    struct poor p = {.s = &s};
    struct sp_entry *en;

    (void)state;
    if (geteuid() != 0)
        skip();
    tree_new(&t);
    set_new(&s);
    set_dir(&s, "");
    set_dir(&s, "read only")->mode = 0555;
    set_text(&s, "read only/file", "x")->mode = 0444;
    set_dir(&s, "read only/below")->mode = 0;
    en = set_text(&s, "read only/below/file", "x");
    en->mode = 04755;
    set_attribute(
        &s, en, "security.capability", "\1\0\0\2\0\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20, false);
    set_attribute(&s, en, "trusted.x", "x", 1, false);
    en = set_text(&s, "attributes", "x");
    en->mode = 0400;
    en->uid = en->gid = 65534;
    set_attribute(&s, en, "user.x", "x", 1, false);
    en = set_entry(&s, "device", SP_ENTRY_CHAR);
    en->rdev = UINT64_C(1) << 32 | 3;
    for (int i = 0; i < 2; i++) { /* links in folders that have their rights already */
        en = set_text(&s, i == 0 ? "read only/below/linked" : "read only/linked", "linked");
        en->links = 2;
        en->file_id = 9;
        en->uid = en->gid = 65534;
    }
    set_commit(&s);
    tree_dir(&t, "home");
    assert_int_equal(chmod(t.path, 0755), 0);
    p.target = tree_path(&t, "home");
    assert_int_equal(chown(p.target, 65534, 65534), 0);
    assert_int_equal(as_nobody(restore_poorly, &p), 0);
    assert_text(p.target, "read only/file", "x");
    assert_int_equal(look(p.target, "read only").st_mode & 07777, 0555);
    assert_int_equal(look(p.target, "read only/below").st_mode & 07777, 0);
    assert_int_equal(look(p.target, "read only/linked").st_nlink, 2);
    assert_time(look(p.target, "read only"), SET_TIME);
    assert_time(look(p.target, "read only/below"), SET_TIME);
    /* Not a set-user-ID program of somebody else. */
    assert_int_equal(look(p.target, "read only/below/file").st_mode & 07777, 0755);
    assert_int_equal(look(p.target, "attributes").st_mode & 07777, 0400);
    free((char *)(uintptr_t)p.target);
    set_free(&s);
    tree_free(&t);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind),
        cmocka_unit_test(what_is_there_counts_by_its_bytes),
        cmocka_unit_test(target_is_made),
        cmocka_unit_test(selecting),
        cmocka_unit_test(stripping),
        cmocka_unit_test(implied_folders),
        cmocka_unit_test(in_place),
        cmocka_unit_test(unreadable),
        cmocka_unit_test(types_in_the_way),
        cmocka_unit_test(keep_and_newer),
        cmocka_unit_test(attributes_put_right),
        cmocka_unit_test(leftovers_are_removed),
        cmocka_unit_test(dry_run),
        cmocka_unit_test(as_a_user),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
