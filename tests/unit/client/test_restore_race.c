/* Another process puts links in the place of folders and of what is being restored, all the time:
 * nothing outside of the target is ever written, changed or removed (R24). */

#include "sets.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/thread.h"
#include "tests/unit/base/support.h"
#include "tree.h"

#define ROUNDS 100

struct attack {
    const struct tree *t;
    atomic_bool stop;
    atomic_uint swaps;
};

/* The folder "target/in" and a link to the outside change places, at once, to and fro. */
static void
swap_folder(void *arg)
{
    struct attack *a = arg;
    char path[64];
    struct stat st;

    while (!atomic_load(&a->stop)) {
        if (fstatat(a->t->fd, "target/spare", &st, AT_SYMLINK_NOFOLLOW) != 0 ||
            !S_ISLNK(st.st_mode)) {
            /* The restore replaced the link by a folder, and the old one is here. */
            snprintf(path, sizeof path, "away %u", atomic_load(&a->swaps));
            (void)renameat(a->t->fd, "target/spare", a->t->fd, path);
            if (symlinkat("../outside", a->t->fd, "target/spare") != 0)
                continue;
        }
        if (renameat2(a->t->fd, "target/in", a->t->fd, "target/spare", RENAME_EXCHANGE) == 0)
            atomic_fetch_add(&a->swaps, 1);
    }
}

/* A link takes the place of names in the folder. */
static void
swap_names(void *arg)
{
    struct attack *a = arg;
    char path[64];

    for (unsigned i = 0; !atomic_load(&a->stop); i++) {
        snprintf(path, sizeof path, "target/in/%02u", i % 40);
        if (unlinkat(a->t->fd, path, 0) == 0 || i % 3 == 0)
            if (symlinkat("../../outside/precious", a->t->fd, path) != 0)
                continue; /* the restore was there first */
        atomic_fetch_add(&a->swaps, 1);
    }
}

static void
attacked(void (*attack)(void *arg))
{
    struct tree t;
    struct set s;
    struct attack a = {.t = &t};
    struct sp_thread *thread = NULL;
    char path[64], *target;
    struct stat before, precious;
    size_t outside;

    tree_new(&t);
    set_new(&s);
    set_dir(&s, "");
    set_dir(&s, "in");
    set_dir(&s, "in/folder");
    for (int i = 0; i < 40; i++) {
        snprintf(path, sizeof path, "in/%02d", i);
        if (i % 4 == 0)
            set_symlink(&s, path, "x");
        else
            set_text(&s, path, path)->mode = 0666;
        if (i % 5 == 1) {
            s.entries[s.nentries - 1]->links = 8;
            s.entries[s.nentries - 1]->file_id = 1;
            s.entries[s.nentries - 1]->device = 1;
        }
        snprintf(path, sizeof path, "in/folder/%02d", i);
        set_text(&s, path, path)->mode = 0666;
    }
    set_commit(&s);
    tree_text(&t, "outside/precious", "precious");
    tree_text(&t, "outside/folder/precious", "precious");
    tree_dir(&t, "target/in");
    target = tree_path(&t, "target");
    path[0] = '\0';
    {
        char *out = tree_path(&t, "outside");

        assert_int_equal(chmod(out, 0755), 0);
        outside = count_all(out);
        free(out);
    }
    before = look(t.path, "outside");
    precious = look(t.path, "outside/precious");

    assert_ok(sp_thread_start("attack", attack, &a, &thread, e));
    for (int round = 0; round < ROUNDS; round++) {
        struct outcome o;

        set_restore(&s, target, NULL, &o);
        /* Faults are to be expected, and failures of a target that moves too. */
        assert_true(o.code == SP_OK || o.err.domain == SP_DOM_DESTINATION);
    }
    atomic_store(&a.stop, true);
    sp_thread_join(thread);
    print_message("%u swaps\n", atomic_load(&a.swaps));
    assert_true(atomic_load(&a.swaps) > 0);

    assert_text(t.path, "outside/precious", "precious");
    assert_text(t.path, "outside/folder/precious", "precious");
    {
        struct stat now = look(t.path, "outside");
        char *out = tree_path(&t, "outside");

        assert_int_equal(count_all(out), outside);
        assert_int_equal(now.st_mode, before.st_mode);
        assert_int_equal(now.st_mtim.tv_sec, before.st_mtim.tv_sec);
        assert_int_equal(now.st_mtim.tv_nsec, before.st_mtim.tv_nsec);
        assert_int_equal(now.st_ctim.tv_nsec, before.st_ctim.tv_nsec);
        assert_int_equal(
            look(t.path, "outside/precious").st_ctim.tv_nsec, precious.st_ctim.tv_nsec);
        assert_int_equal(look(t.path, "outside/precious").st_nlink, 1);
        free(out);
    }
    free(target);
    set_free(&s);
    tree_free(&t);
}

static void
links_for_folders(void **state)
{
    (void)state;
    attacked(swap_folder);
}

static void
links_for_names(void **state)
{
    (void)state;
    attacked(swap_names);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(links_for_folders),
        cmocka_unit_test(links_for_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
