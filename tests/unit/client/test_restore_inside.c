/* Parts of restore by themselves: names that differ in case only, entries packed for sorting,
 * handles of folders, giving names. */

#include "sets.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/restore_run.h"
#include "client/target_impl_posix.h"
#include "tests/unit/base/support.h"
#include "tree.h"

static const struct sp_entry plain = {.type = SP_ENTRY_FILE, .user = "", .group = ""};

static bool
claim(struct folder *f, const char *name)
{
    bool is_new = false;

    assert_ok(folder_claim(f, name, strlen(name), &is_new, e));
    return is_new;
}

static void
names_that_differ_in_case(void **state)
{
    static const struct {
        const char *a, *b;
    } twins[] = {{"readme", "README"}, {"Straße", "STRAßE"}, {"äöü", "ÄÖÜ"}, {"ελλάδα", "ΕΛΛάΔΑ"},
        {"Привет", "ПРИВЕТ"}, {"ёж", "Ёж"}, {"žluť", "ŽLUŤ"}, {"łódź", "ŁÓDŹ"},
        {"a\xff"
         "b",
            "A\xff"
            "B"}};
    static const char *const others[] = {
        "x", "y", "a b", "a  b", "×", "÷", "\xff", "\xfe", "日本", "日木", ""};
    struct sp_target target = {.folds = true};
    struct sp_target_dir dir = {.t = &target};
    struct folder f = {.dir = &dir};
    char name[32];

    (void)state;
    for (size_t i = 0; i < sizeof twins / sizeof twins[0]; i++) {
        assert_true(claim(&f, twins[i].a));
        if (claim(&f, twins[i].b))
            fail_msg("%s and %s", twins[i].a, twins[i].b);
    }
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        assert_true(claim(&f, others[i]));
    for (int i = 0; i < 5000; i++) {
        snprintf(name, sizeof name, "name %d", i);
        assert_true(claim(&f, name));
        snprintf(name, sizeof name, "NAME %d", i);
        assert_false(claim(&f, name));
    }
    target.folds = false;
    assert_true(claim(&f, "readme"));
    nameset_free(f.names);
}

static void
packed_entries(void **state)
{
    static const struct sp_segment segments[] = {
        {.length = 10, .hole = true}, {.length = UINT64_MAX, .id = {{1, 2, 3}}}};
    static const struct sp_attribute attributes[] = {
        {.name = "user.a", .value = (const uint8_t *)"a\0b", .len = 3},
        {.name = "user.b", .external = true, .id = {{9}}}};
    struct sp_entry en = {.key = (const uint8_t *)"a\0b",
        .key_len = 3,
        .type = SP_ENTRY_FILE,
        .flags = 8,
        .size = UINT64_MAX,
        .mtime_ns = INT64_MIN,
        .file_id = 77,
        .device = 3,
        .links = 2,
        .mode = 07777,
        .uid = UINT32_MAX,
        .gid = 5,
        .user = "me",
        .group = "",
        .rdev = 99,
        .target = (const uint8_t *)"to",
        .target_len = 2,
        .segments = segments,
        .nsegments = 2,
        .attributes = attributes,
        .nattributes = 2};
    struct sp_buf b = SP_BUF_INIT;
    struct sp_entry *back = NULL;

    (void)state;
    entry_pack(&en, &b);
    assert_ok(entry_unpack(b.data, b.len, &back, e));
    assert_true(sp_entry_same(&en, back));
    assert_int_equal(back->flags, 8);
    assert_int_equal(back->size, UINT64_MAX);
    assert_int_equal(back->file_id, 77);
    assert_int_equal(back->device, 3);
    free(back);
    for (size_t n = 0; n < b.len; n++) /* a torn file of the temporary folder */
        assert_code(SP_CORRUPT, entry_unpack(b.data, n, &back, e));
    en.has_list = true;
    en.nsegments = en.nattributes = 0;
    en.list.b[31] = 4;
    sp_buf_reset(&b);
    entry_pack(&en, &b);
    assert_ok(entry_unpack(b.data, b.len, &back, e));
    assert_true(sp_entry_same(&en, back));
    free(back);
    sp_buf_free(&b);
}

/* More folders than descriptors are kept: they come back, but only as the folders they were. */
static void
handles(void **state)
{
    enum { FOLDERS = TARGET_HANDLES + 100 };
    struct tree t;
    struct sp_target *target = NULL;
    struct sp_target_options o = {0};
    struct sp_target_dir *dirs[FOLDERS];
    struct sp_target_stat st;
    size_t before = open_descriptors();
    char name[32];

    (void)state;
    tree_new(&t);
    o.path = t.path;
    assert_ok(sp_target_open(&sp_env_system, &o, &target, e));
    for (size_t i = 0; i < FOLDERS; i++) {
        snprintf(name, sizeof name, "%zu", i);
        assert_ok(sp_target_dir_make(
            i % 3 == 2 ? dirs[i - 1] : sp_target_root(target), name, NULL, &dirs[i], e));
    }
    assert_true(open_descriptors() <= before + 2 + TARGET_HANDLES);
    for (size_t i = 0; i < FOLDERS; i++)
        assert_code(SP_ABSENT, sp_target_look(dirs[i], "nothing", &st, e));
    assert_true(open_descriptors() <= before + 2 + TARGET_HANDLES);
    /* The last ones are open, the first ones are not. */
    tree_rename(&t, "0", "away");
    tree_dir(&t, "0");
    assert_code(SP_CHANGED, sp_target_look(dirs[0], "nothing", &st, e));
    tree_rename(&t, "1", "away too");
    tree_symlink(&t, "1", "0");
    assert_code(SP_REFUSED, sp_target_look(dirs[1], "nothing", &st, e));
    assert_code(SP_REFUSED, sp_target_look(dirs[2], "nothing", &st, e)); /* was in 1 */
    assert_code(SP_ABSENT, sp_target_look(dirs[3], "nothing", &st, e));
    for (size_t i = 0; i < FOLDERS; i++)
        sp_target_dir_release(dirs[i]);
    sp_target_free(target);
    assert_int_equal(open_descriptors(), before + 1); /* the tree's own */
    tree_free(&t);
}

static void
giving_names(void **state)
{
    struct tree t;
    struct sp_target *target = NULL;
    struct sp_target_options o = {0};
    struct sp_target_dir *root;
    struct sp_target_file *f = NULL;
    struct sp_target_stat st, other;
    struct sp_entry en = {.type = SP_ENTRY_FILE, .user = "", .group = "", .size = 3, .mode = 0600};
    struct sp_err flaw;

    (void)state;
    tree_new(&t);
    o.path = t.path;
    assert_ok(sp_target_open(&sp_env_system, &o, &target, e));
    root = sp_target_root(target);
    tree_text(&t, "taken", "taken");
    tree_text(&t, "full/inside", "x");
    tree_dir(&t, "empty");
    for (int i = 0; i < 4; i++) {
        assert_ok(sp_target_file_create(root, &plain, &f, e));
        assert_ok(sp_target_file_write(f, 0, "abc", 3, e));
        if (i == 0)
            assert_code(SP_EXISTS, sp_target_file_publish(f, &en, "taken", false, &st, &flaw, e));
        else if (i == 1)
            assert_code(SP_EXISTS, sp_target_file_publish(f, &en, "full", true, &st, &flaw, e));
        else if (i == 2)
            assert_ok(sp_target_file_publish(f, &en, "empty", true, &st, &flaw, e));
        else
            assert_ok(sp_target_file_publish(f, &en, "new", false, &st, &flaw, e));
    }
    assert_text(t.path, "taken", "taken");
    assert_text(t.path, "full/inside", "x");
    assert_text(t.path, "empty", "abc");
    assert_text(t.path, "new", "abc");

    /* What it is to be a link of has changed: no link. */
    assert_ok(sp_target_look(root, "taken", &other, e));
    assert_code(SP_CHANGED, sp_target_link(root, "new", &other, root, &plain, "link", true, e));
    assert_false(exists(t.path, "link"));
    assert_code(SP_EXISTS, sp_target_link(root, "new", &st, root, &plain, "taken", false, e));
    assert_ok(sp_target_link(root, "new", &st, root, &plain, "link", false, e));
    assert_ok(sp_target_link(root, "new", &st, root, &plain, "link", true, e)); /* is one already */
    assert_int_equal(look(t.path, "new").st_nlink, 2);
    assert_int_equal(count_temporary(t.path), 0);
    sp_target_free(target);
    tree_free(&t);
}

/* What another restore is writing at this moment is not taken for what a dead one left. */
static void
two_at_once(void **state)
{
    struct tree t;
    struct sp_target *one = NULL, *two = NULL;
    struct sp_target_options o = {0};
    struct sp_target_file *f = NULL, *g = NULL;
    struct sp_entry en = {.type = SP_ENTRY_FILE, .user = "", .group = "", .size = 3, .mode = 0600};
    struct sp_err flaw;

    (void)state;
    tree_new(&t);
    o.path = t.path;
    assert_ok(sp_target_open(&sp_env_system, &o, &one, e));
    assert_ok(sp_target_open(&sp_env_system, &o, &two, e));
    assert_ok(sp_target_file_create(sp_target_root(one), &plain, &f, e));
    assert_ok(sp_target_file_write(f, 0, "one", 3, e));
    tree_text(&t, ".stillpoint-restore-0123456789abcdef-00000000", "dead");
    assert_ok(sp_target_file_create(sp_target_root(two), &plain, &g, e));
    assert_ok(sp_target_file_write(g, 0, "two", 3, e));
    assert_int_equal(count_temporary(t.path), 2);
    assert_ok(sp_target_file_publish(f, &en, "one", false, NULL, &flaw, e));
    assert_ok(sp_target_file_publish(g, &en, "two", false, NULL, &flaw, e));
    assert_text(t.path, "one", "one");
    assert_text(t.path, "two", "two");
    assert_int_equal(count_all(t.path), 2);
    sp_target_free(one);
    sp_target_free(two);
    tree_free(&t);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_that_differ_in_case),
        cmocka_unit_test(packed_entries),
        cmocka_unit_test(handles),
        cmocka_unit_test(giving_names),
        cmocka_unit_test(two_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
