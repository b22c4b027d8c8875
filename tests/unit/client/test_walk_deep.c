#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/path.h"
#include "tests/unit/client/tree.h"

/* Walks that need much: depth, long paths, many names; and what becomes of folders whose
 * descriptors were closed in between. */

#define MOST_OPEN 64
/* The way down to `levels` of 20 bytes each: 6300 bytes, more than PATH_MAX. */
#define LEVELS 300
#define NAME "twenty bytes of name"

static char *
deep_path(int levels, const char *last)
{
    char *path = malloc((size_t)levels * sizeof NAME + strlen(last) + 1);

    assert_non_null(path);
    path[0] = '\0';
    for (int i = 0; i < levels; i++) {
        strcpy(path + (size_t)i * sizeof NAME, NAME);
        strcpy(path + (size_t)(i + 1) * sizeof NAME - 1, "/");
    }
    strcat(path, last);
    return path;
}

static void
test_deep(void **state)
{
    struct tree t;
    struct walk w;
    size_t before, most = 0;
    char *path;

    (void)state;
    tree_new(&t);
    tree_deep(&t, NAME, LEVELS);
    path = deep_path(LEVELS, "!");
    assert_true(strlen(path) > 4096);
    before = open_descriptors();
    walk_init(&w, &t);
    walk_root(&w, &t, "");
    walk_open(&w);
    /* Every item is kept, and with it a handle of its folder. */
    while (walk_next(&w) != NULL) {
        size_t now = open_descriptors();

        most = now > most ? now : most;
    }
    assert_true(most <= before + MOST_OPEN + 2);
    assert_int_equal(walk_faults(&w), 0);
    assert_int_equal(w.n, sp_key_depth(w.roots[0].p, w.roots[0].n) + 1 + 3 * LEVELS);
    assert_non_null(walk_find(&w, path));
    /* Described and read in an order that has nothing open, from the top and from the bottom. */
    for (size_t i = 0; i < w.n; i++) {
        struct sp_item *it = w.items[i % 2 == 0 ? i / 2 : w.n - 1 - i / 2];
        struct sp_err e = {0};

        assert_int_equal(sp_item_describe(it, &e), SP_OK);
        assert_null(it->fault);
        if (it->entry->type == SP_ENTRY_FILE) {
            struct sp_reading *r;
            bool changed = true;

            assert_int_equal(sp_reading_open(it, &r, &e), SP_OK);
            assert_int_equal(sp_reading_close(r, &changed, &e), SP_OK);
            assert_false(changed);
        }
        assert_true(open_descriptors() <= before + MOST_OPEN + 2);
    }
    walk_free(&w);
    assert_int_equal(open_descriptors(), before);
    /* A root down there. */
    walk_init(&w, &t);
    walk_root(&w, &t, path);
    walk_all(&w);
    assert_int_equal(walk_faults(&w), 0);
    assert_int_equal(w.items[w.n - 1]->entry->type, SP_ENTRY_FILE);
    assert_int_equal(w.n, sp_key_depth(w.roots[0].p, w.roots[0].n) + 1);
    walk_free(&w);
    free(path);
    tree_free(&t);
}

static void
test_very_deep(void **state)
{
    struct tree t;
    struct walk w;

    (void)state;
    tree_new(&t);
    tree_deep(&t, "d", 2500);
    walk_init(&w, &t);
    walk_root(&w, &t, "");
    walk_all(&w);
    assert_int_equal(walk_faults(&w), 0);
    assert_int_equal(w.n, sp_key_depth(w.roots[0].p, w.roots[0].n) + 1 + 3 * 2500);
    walk_free(&w);
    tree_free(&t);
}

/* --- a folder that is another one when the walk comes up again
 * ------------------------------------- */

static void
to_the_bottom(struct walk *w, const struct tree *t)
{
    char *bottom = deep_path(100, "!");

    tree_deep(t, NAME, 100);
    tree_text(t, "outside/!", "");
    tree_text(t, "outside/secret", "");
    tree_text(t, "outside/" NAME "/!", "");
    tree_text(t, "outside/~", "secret");
    walk_init(w, t);
    walk_root(w, t, NAME);
    walk_open(w);
    while (walk_find(w, bottom) == NULL)
        assert_non_null(walk_next(w));
    free(bottom);
}

/* A fault for each folder that was to be opened again below the place, and nothing of the wrong
 * one. */
static void
expect_faults(struct walk *w, const struct tree *t)
{
    struct sp_bytes root = tree_key(t, NAME "/" NAME);
    size_t faults = 0;

    walk_rest(w);
    for (size_t i = 0; i < w->n; i++) {
        const struct sp_fault *fault = w->items[i]->fault;
        const struct sp_entry *en = w->items[i]->entry;

        if (fault == NULL)
            continue;
        faults++;
        assert_int_equal(en->type, 0);
        assert_int_equal(fault->kind, SP_FAULT_FOLDER);
        assert_non_null(strstr(fault->text, "not walked to its end: "));
        assert_true(sp_key_within(root.p, root.n, fault->key, fault->key_len));
        /* It stands in the place of what was to come next there. */
        assert_true(sp_key_within(fault->key, fault->key_len, en->key, en->key_len));
        assert_int_equal(en->key_len, fault->key_len + 2);
    }
    assert_true(faults > 10 && faults < 100);
    assert_int_equal(walk_find(w, NAME "/" NAME "/~")->entry->type, 0);
    assert_null(walk_find(w, NAME "/" NAME "/secret"));
    assert_int_equal(walk_find(w, NAME "/~")->entry->type, SP_ENTRY_FILE);
    free(root.p);
}

static void
test_swapped_for_a_link(void **state)
{
    struct tree t;
    struct walk w;

    (void)state;
    tree_new(&t);
    to_the_bottom(&w, &t);
    tree_rename(&t, NAME "/" NAME, "gone");
    tree_symlink(&t, NAME "/" NAME, "../outside");
    expect_faults(&w, &t);
    walk_free(&w);
    tree_free(&t);
}

static void
test_swapped_for_a_folder(void **state)
{
    struct tree t;
    struct walk w;
    struct sp_err e = {0};
    size_t refused = 0;

    (void)state;
    tree_new(&t);
    to_the_bottom(&w, &t);
    tree_rename(&t, NAME "/" NAME, "gone");
    tree_rename(&t, "outside", NAME "/" NAME);
    expect_faults(&w, &t);
    /* The items of folders that are closed now can be described no more: a fault, not another's
     * data. */
    for (size_t i = 0; i < w.n; i++) {
        struct sp_item *it = w.items[i];

        if (it->fault != NULL)
            continue;
        assert_int_equal(sp_item_describe(it, &e), SP_OK);
        if (it->fault == NULL)
            continue;
        assert_int_equal(it->fault->kind, SP_FAULT_ATTRIBUTES);
        assert_int_equal(it->entry->flags, SP_ENTRY_UNREADABLE);
        refused++;
        if (it->entry->type == SP_ENTRY_FILE) {
            struct sp_reading *r = NULL;

            assert_int_equal(sp_reading_open(it, &r, &e), SP_CHANGED);
            assert_int_equal(e.domain, SP_DOM_SOURCE);
            assert_null(r);
        }
    }
    assert_true(refused > 10);
    walk_free(&w);
    tree_free(&t);
}

static void
test_removed(void **state)
{
    struct tree t;
    struct walk w;

    (void)state;
    tree_new(&t);
    to_the_bottom(&w, &t);
    tree_remove(&t, NAME "/" NAME);
    walk_rest(&w);
    assert_int_equal(walk_faults(&w), 0);
    assert_null(walk_find(&w, NAME "/" NAME "/~"));
    assert_non_null(walk_find(&w, NAME "/~"));
    walk_free(&w);
    tree_free(&t);
}

/* --- many names ----------------------------------------------------------------------------------
 */

#define NAMES 70000

static void
test_huge_folder(void **state)
{
    const char *temp = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    struct tree t;
    struct walk w;
    char *runs;
    int fd;

    (void)state;
    tree_new_in(&t, temp);
    tree_text(&t, "d/CACHEDIR.TAG", "Signature: 8a477f597d28d172789f06886806bc55");
    tree_text(&t, "d/file", "x");
    fd = tree_open(&t, "d", O_RDONLY);
    for (unsigned i = 0; i < NAMES - 2; i++) {
        char name[32];

        /* In no order, the number in front too. */
        (void)snprintf(name, sizeof name, "%x-%u", i * 2654435761u, i);
        assert_int_equal(symlinkat("x", fd, name), 0);
    }
    close(fd);
    tree_text(&t, "e", "");
    runs = tree_path(&t, "runs");
    for (int tag = 0; tag < 2; tag++) {
        walk_init(&w, &t);
        walk_root(&w, &t, "d");
        walk_root(&w, &t, "e");
        w.o.temp_dir = runs;
        w.o.cachedir_tag = tag;
        walk_all(&w);
        assert_int_equal(walk_faults(&w), 0);
        assert_int_equal(w.n, sp_key_depth(w.roots[0].p, w.roots[0].n) + 1 + (tag ? 1 : NAMES) + 1);
        assert_int_equal(w.counts.excluded, tag ? NAMES - 1 : 0);
        assert_non_null(walk_find(&w, "d/CACHEDIR.TAG"));
        assert_int_equal(walk_find(&w, "d/file") == NULL, tag);
        walk_free(&w);
    }
    /* Without a place to sort in: our fault, not the folder's. */
    walk_init(&w, &t);
    walk_root(&w, &t, "d");
    w.o.temp_dir = NULL;
    walk_open(&w);
    for (;;) {
        struct sp_item *it = NULL;
        struct sp_err e = {0};
        enum sp_code rc = sp_source_next(w.source, &it, &e);

        if (rc != SP_OK) {
            assert_int_equal(rc, SP_INVALID);
            break;
        }
        assert_non_null(it);
        sp_item_free(it);
    }
    walk_free(&w);
    free(runs);
    tree_free(&t);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_deep),
        cmocka_unit_test(test_very_deep),
        cmocka_unit_test(test_swapped_for_a_link),
        cmocka_unit_test(test_swapped_for_a_folder),
        cmocka_unit_test(test_removed),
        cmocka_unit_test(test_huge_folder),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
