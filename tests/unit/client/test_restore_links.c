/* Hard links: groups of every type, in part, over what exists, and when something is lost. */

#include "sets.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/base/support.h"
#include "tree.h"

static struct sp_entry *
linked(struct sp_entry *en, uint64_t id, uint32_t links)
{
    en->device = 1;
    en->file_id = id;
    en->links = links;
    return en;
}

static void
assert_one_file(const char *folder, const char *a, const char *b, nlink_t links)
{
    struct stat x = look(folder, a), y = look(folder, b);

    assert_int_equal(x.st_ino, y.st_ino);
    assert_int_equal(x.st_nlink, links);
}

static void
assert_old(struct stat st)
{
    assert_int_equal(st.st_mtim.tv_sec, SET_TIME / 1000000000);
    assert_int_equal(st.st_mtim.tv_nsec, SET_TIME % 1000000000);
}

static void
groups(struct set *s)
{
    set_dir(s, "");
    set_dir(s, "a")->mode = 0555;
    set_dir(s, "b");
    linked(set_text(s, "a/one", "one file"), 1, 3);
    linked(set_text(s, "a/two", "one file"), 1, 3);
    linked(set_text(s, "b/three", "one file"), 1, 3);
    linked(set_symlink(s, "a/link", "target"), 2, 2);
    linked(set_symlink(s, "b/link", "target"), 2, 2);
    linked(set_entry(s, "a/fifo", SP_ENTRY_FIFO), 3, 2);
    linked(set_entry(s, "fifo", SP_ENTRY_FIFO), 3, 2);
    linked(set_text(s, "b/outside", "another name is not in the set"), 4, 2);
    /* The same number on another file system, and no number at all. */
    linked(set_text(s, "b/other device", "other"), 1, 3)->device = 2;
    linked(set_text(s, "b/no number", "none"), 0, 2);
    linked(set_text(s, "b/no number either", "none"), 0, 2);
    set_commit(s);
}

static void
every_type(void **state)
{
    struct tree t;
    struct set s;
    struct outcome o;

    (void)state;
    tree_new(&t);
    set_new(&s);
    groups(&s);
    for (int i = 0; i < 2; i++) {
        set_restore_well(&s, t.path, NULL, &o);
        assert_text(t.path, "b/three", "one file");
        assert_one_file(t.path, "a/one", "a/two", 3);
        assert_one_file(t.path, "a/one", "b/three", 3);
        assert_one_file(t.path, "a/link", "b/link", 2);
        assert_one_file(t.path, "a/fifo", "fifo", 2);
        assert_int_equal(look(t.path, "b/outside").st_nlink, 1);
        assert_int_equal(look(t.path, "b/other device").st_nlink, 1);
        assert_int_equal(look(t.path, "b/no number").st_nlink, 1);
        assert_old(look(t.path, "a"));
        assert_old(look(t.path, "b"));
        assert_old(look(t.path, ""));
        assert_old(look(t.path, "a/one"));
        assert_int_equal(look(t.path, "a").st_mode & 07777, 0555);
        assert_int_equal(o.stats.entries, 14);
        assert_int_equal(o.stats.files, 7);
        assert_int_equal(o.stats.files_equal, i == 0 ? 0 : 7);
    }
    set_free(&s);
    tree_free(&t);
}

static void
some_of_a_group(void **state)
{
    static const char *const patterns[] = {"/a/two", "/b/three"};
    struct tree t;
    struct set s;
    struct outcome o;
    struct sp_filter *f = NULL;
    struct sp_restore_options options = {0};

    (void)state;
    tree_new(&t);
    set_new(&s);
    groups(&s);
    assert_ok(sp_filter_new(patterns, 2, false, &f, e));
    options.select = f;
    set_restore_well(&s, t.path, &options, &o);
    assert_one_file(t.path, "a/two", "b/three", 2);
    assert_false(exists(t.path, "a/one"));
    assert_int_equal(o.stats.entries, 2);
    sp_filter_free(f);
    set_free(&s);
    tree_free(&t);
}

static void
over_what_exists(void **state)
{
    struct tree t;
    struct set s;
    struct outcome o;

    (void)state;
    tree_new(&t);
    set_new(&s);
    groups(&s);
    /* Names that should be one file are several, and one that should not be among them is. */
    tree_text(&t, "a/one", "first");
    tree_text(&t, "a/two", "one file");
    tree_symlink(&t, "b/three", "two");
    tree_text(&t, "foreign", "foreign");
    tree_link(&t, "foreign", "a/link");
    tree_link(&t, "foreign", "b/outside");
    tree_dir(&t, "fifo");
    set_restore(&s, t.path, NULL, &o);
    assert_int_equal(o.code, SP_OK);
    assert_int_equal(o.nfaults, 0);
    assert_one_file(t.path, "a/one", "a/two", 3);
    assert_one_file(t.path, "a/one", "b/three", 3);
    assert_one_file(t.path, "a/link", "b/link", 2);
    assert_one_file(t.path, "a/fifo", "fifo", 2);
    assert_text(t.path, "foreign", "foreign");
    assert_int_equal(look(t.path, "foreign").st_nlink, 1);
    assert_int_equal(count_temporary(t.path), 0);
    set_free(&s);
    tree_free(&t);
}

/* The first of a group cannot be restored: the next takes its part. Its content is lost: so is that
 * of all, told for each, asked for once. */
static void
without_the_first(void **state)
{
    struct tree t;
    struct set s;
    struct outcome o;
    struct sp_id id;
    char path[64];

    (void)state;
    tree_new(&t);
    set_new(&s);
    s.block_chunks = 1;
    set_dir(&s, "");
    linked(set_text(&s, "blocked", "text"), 1, 3);
    linked(set_text(&s, "second", "text"), 1, 3);
    linked(set_text(&s, "third", "text"), 1, 3);
    for (int i = 0; i < 10; i++) {
        snprintf(path, sizeof path, "lost %d", i);
        linked(set_text(&s, path, "lost"), 2, 10);
    }
    set_commit(&s);
    id = set_chunk_id(&s, "lost", 4);
    memory_store_lose(&s.memory, &id);
    tree_text(&t, "blocked/in it", "full");
    set_restore(&s, t.path, NULL, &o);
    assert_int_equal(o.code, SP_OK);
    assert_int_equal(o.nfaults, 11);
    assert_non_null(outcome_fault(&o, "blocked"));
    assert_non_null(outcome_fault(&o, "lost 9"));
    assert_text(t.path, "third", "text");
    assert_one_file(t.path, "second", "third", 2);
    assert_true(s.memory.gets < 10);
    set_free(&s);
    tree_free(&t);
}

/* Entries that claim to be one object and are not of one type. */
static void
a_group_that_lies(void **state)
{
    struct tree t;
    struct set s;
    struct outcome o;

    (void)state;
    tree_new(&t);
    set_new(&s);
    set_dir(&s, "");
    linked(set_symlink(&s, "a", "/etc/passwd"), 1, 3);
    linked(set_text(&s, "b", "a file"), 1, 3);
    linked(set_symlink(&s, "c", "/etc/passwd"), 1, 3);
    set_commit(&s);
    set_restore_well(&s, t.path, NULL, &o);
    assert_true(S_ISLNK(look(t.path, "a").st_mode));
    assert_text(t.path, "b", "a file");
    assert_one_file(t.path, "a", "c", 2);
    set_free(&s);
    tree_free(&t);
}

/* More than fit into one batch, with names of a group far apart, in many folders. */
static void
many(void **state)
{
    enum { FOLDERS = 30, FILES = 200 };
    struct tree t;
    struct set s;
    struct outcome o;
    char path[64], text[64];

    (void)state;
    tree_new(&t);
    set_new(&s);
    set_dir(&s, "");
    for (int d = 0; d < FOLDERS; d++) {
        snprintf(path, sizeof path, "%02d", d);
        set_dir(&s, path);
        for (int i = 0; i < FILES; i++) {
            snprintf(path, sizeof path, "%02d/%03d", d, i);
            snprintf(text, sizeof text, "file %d", i);
            linked(set_text(&s, path, text), (uint64_t)i + 1, FOLDERS);
        }
    }
    set_commit(&s);
    set_restore_well(&s, t.path, NULL, &o);
    assert_int_equal(o.stats.files, FOLDERS * FILES);
    for (int i = 0; i < FILES; i += 7) {
        snprintf(path, sizeof path, "00/%03d", i);
        snprintf(text, sizeof text, "29/%03d", i);
        assert_one_file(t.path, path, text, FOLDERS);
    }
    assert_old(look(t.path, "00"));
    assert_old(look(t.path, "29"));
    set_free(&s);
    tree_free(&t);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type),
        cmocka_unit_test(some_of_a_group),
        cmocka_unit_test(over_what_exists),
        cmocka_unit_test(without_the_first),
        cmocka_unit_test(a_group_that_lies),
        cmocka_unit_test(many),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
