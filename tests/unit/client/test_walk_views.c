#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/path.h"
#include "tests/unit/client/tree.h"

/* Where the bytes of a volume are read, and which mount points are entered. */

static void
make_volumes(struct tree *t)
{
    tree_new(t);
    tree_text(t, "vol/live", "");
    tree_text(t, "vol/both", "live");
    tree_dir(t, "vol/inner");
    tree_text(t, "other", "");
    tree_text(t, "shadow/both", "shadow, longer");
    tree_text(t, "shadow/only/here", "");
    tree_dir(t, "shadow/inner");
    tree_text(t, "second/in second", "");
}

static void
test_crossing_into_a_view(void **state)
{
    struct tree t;
    struct walk w;
    char *shadow, *second;
    struct sp_item *it;

    (void)state;
    make_volumes(&t);
    shadow = tree_path(&t, "shadow");
    second = tree_path(&t, "second");
    walk_init(&w, &t);
    walk_root(&w, &t, "other");
    walk_root(&w, &t, "vol");
    walk_view(&w, &t, "vol", shadow, true, 0);
    walk_view(&w, &t, "vol/inner", second, true, 0);
    w.o.one_file_system = true; /* stops at no view */
    walk_all(&w);
    assert_int_equal(walk_faults(&w), 0);
    assert_null(walk_find(&w, "vol/live"));
    assert_non_null(it = walk_find(&w, "vol/both"));
    assert_int_equal(it->entry->size, 14);
    assert_true(it->shadow);
    assert_non_null(walk_find(&w, "vol/only/here"));
    assert_non_null(it = walk_find(&w, "vol/inner/in second"));
    assert_true(it->shadow);
    assert_non_null(walk_find(&w, "vol/inner"));
    assert_false(walk_find(&w, "other")->shadow);
    assert_false(w.items[0]->shadow);
    assert_true(walk_find(&w, "vol")->shadow);
    walk_free(&w);

    /* Roots at the mount point, below it, and two volumes deep: the folders above come from where
     * they are read. */
    walk_init(&w, &t);
    walk_root(&w, &t, "vol/inner/in second");
    walk_root(&w, &t, "vol/only/here");
    walk_view(&w, &t, "vol", shadow, true, 0);
    walk_view(&w, &t, "vol/inner", second, true, 0);
    walk_all(&w);
    assert_int_equal(walk_faults(&w), 0);
    assert_int_equal(walk_find(&w, "vol/only")->entry->flags, SP_ENTRY_IMPLIED);
    assert_int_equal(walk_find(&w, "vol/inner")->entry->flags, SP_ENTRY_IMPLIED);
    assert_non_null(walk_find(&w, "vol/inner/in second"));
    assert_int_equal(w.n, w.items[w.n - 1]->entry->key_len > 0
                              ? sp_key_depth(w.roots[1].p, w.roots[1].n) + 1 + 2
                              : 0);
    walk_free(&w);

    /* A root that only the live volume has is not there. */
    walk_init(&w, &t);
    walk_root(&w, &t, "vol/live");
    walk_view(&w, &t, "vol", shadow, true, 0);
    struct sp_err e = {0};

    assert_int_equal(sp_source_open(&sp_env_system, &w.o, &w.source, &e), SP_ABSENT);
    walk_free(&w);
    free(shadow);
    free(second);
    tree_free(&t);
}

/* Everything is read in a shadow in which the place of another volume is empty. */
static void
test_live_volume_in_a_shadow(void **state)
{
    struct tree t;
    struct walk w;
    char *shadow;
    struct sp_item *it;

    (void)state;
    make_volumes(&t);
    tree_text(&t, "vol/inner/deep/live", "x");
    shadow = tree_path(&t, "shadow");
    walk_init(&w, &t);
    walk_root(&w, &t, "vol");
    walk_view(&w, &t, "vol", shadow, true, 1);
    walk_view(&w, &t, "vol/inner", NULL, false, 0);
    walk_all(&w);
    assert_int_equal(walk_faults(&w), 0);
    assert_non_null(it = walk_find(&w, "vol/inner/deep/live"));
    assert_false(it->shadow);
    assert_int_equal(it->entry->flags, 0); /* by the start; the shadow's instant was long ago */
    assert_int_equal(walk_find(&w, "vol/both")->entry->flags, SP_ENTRY_RECHECK);
    assert_true(walk_find(&w, "vol/both")->shadow);
    walk_free(&w);

    /* The folders above a root in it are not in the shadow at all: they are looked at live. */
    walk_init(&w, &t);
    walk_root(&w, &t, "vol/inner/deep/live");
    walk_view(&w, &t, "vol", shadow, true, 0);
    walk_view(&w, &t, "vol/inner/deep", NULL, false, 0);
    walk_all(&w);
    assert_int_equal(walk_faults(&w), 0);
    assert_non_null(walk_find(&w, "vol/inner/deep/live"));
    walk_free(&w);

    /* Kept as an empty folder. */
    walk_init(&w, &t);
    walk_root(&w, &t, "vol");
    walk_view(&w, &t, "vol/inner", NULL, false, 0);
    w.views[w.o.nviews - 1].skip = true;
    walk_all(&w);
    assert_non_null(walk_find(&w, "vol/inner"));
    assert_null(walk_find(&w, "vol/inner/deep"));
    assert_int_equal(w.counts.crossed, 1);
    assert_int_equal(walk_faults(&w), 0);
    walk_free(&w);
    free(shadow);
    tree_free(&t);
}

static void
test_content_comes_from_the_view(void **state)
{
    struct tree t;
    struct walk w;
    struct sp_reading *r;
    struct sp_err e = {0};
    char *shadow, text[32] = "";
    size_t n;
    bool changed;

    (void)state;
    make_volumes(&t);
    shadow = tree_path(&t, "shadow/both");
    walk_init(&w, &t);
    walk_root(&w, &t, "vol/both");
    walk_view(&w, &t, "vol/both", shadow, true, 0); /* a file over a file */
    walk_all(&w);
    assert_int_equal(walk_faults(&w), 0);
    assert_int_equal(sp_item_describe(w.items[w.n - 1], &e), SP_OK);
    assert_int_equal(sp_reading_open(w.items[w.n - 1], &r, &e), SP_OK);
    assert_int_equal(sp_reading_read(r, 0, text, sizeof text, &n, &e), SP_OK);
    assert_string_equal(text, "shadow, longer");
    assert_int_equal(sp_reading_close(r, &changed, &e), SP_OK);
    walk_free(&w);
    free(shadow);

    /* The root of a volume, described by its own handle. */
    shadow = tree_path(&t, "shadow");
    assert_int_equal(fchmodat(t.fd, "shadow", 0710, 0), 0);
    walk_init(&w, &t);
    walk_root(&w, &t, "vol");
    walk_view(&w, &t, "vol", shadow, true, 0);
    walk_all(&w);
    assert_int_equal(sp_item_describe(walk_find(&w, "vol"), &e), SP_OK);
    assert_int_equal(walk_find(&w, "vol")->entry->mode, 0710);
    assert_null(walk_find(&w, "vol")->fault);
    walk_free(&w);
    free(shadow);
    tree_free(&t);
}

/* One file and one folder of a volume, each from another shadow; one folder live. */
static void
test_read_elsewhere(void **state)
{
    struct tree t;
    struct walk w;
    struct sp_reading *r;
    struct sp_err e = {0};
    char *shadow, *file, *folder, text[32] = "";
    size_t n;
    bool changed;

    (void)state;
    make_volumes(&t);
    tree_text(&t, "shadow/kept/old", "");
    tree_text(&t, "vol/kept/new", "");
    tree_text(&t, "second/both", "the second one");
    shadow = tree_path(&t, "shadow");
    file = tree_path(&t, "second/both");
    folder = tree_path(&t, "second");
    walk_init(&w, &t);
    walk_root(&w, &t, "vol");
    walk_view(&w, &t, "vol", shadow, true, 0);
    walk_view(&w, &t, "vol/both", file, true, 0);
    walk_view(&w, &t, "vol/kept", NULL, false, 0);
    walk_view(&w, &t, "vol/only", folder, true, 0);
    walk_all(&w);
    assert_int_equal(walk_faults(&w), 0);
    assert_true(walk_find(&w, "vol/both")->shadow);
    assert_int_equal(sp_reading_open(walk_find(&w, "vol/both"), &r, &e), SP_OK);
    assert_int_equal(sp_reading_read(r, 0, text, sizeof text, &n, &e), SP_OK);
    assert_string_equal(text, "the second one");
    assert_int_equal(sp_reading_close(r, &changed, &e), SP_OK);
    assert_non_null(walk_find(&w, "vol/only/in second"));
    assert_null(walk_find(&w, "vol/only/here"));
    assert_non_null(walk_find(&w, "vol/kept/new"));
    assert_false(walk_find(&w, "vol/kept/new")->shadow);
    assert_null(walk_find(&w, "vol/kept/old"));
    walk_free(&w);
    free(shadow);
    free(file);
    free(folder);
    tree_free(&t);
}

/* A volume that was promised and is not there says so. */
static void
test_missing_view(void **state)
{
    struct tree t;
    struct walk w;
    char *nothing;

    (void)state;
    make_volumes(&t);
    nothing = tree_path(&t, "no/such/shadow");
    walk_init(&w, &t);
    walk_root(&w, &t, "vol");
    walk_view(&w, &t, "vol/inner", nothing, true, 0);
    walk_all(&w);
    assert_int_equal(walk_faults(&w), 1);
    assert_int_equal(walk_find(&w, "vol/inner")->entry->type, 0);
    assert_int_equal(walk_find(&w, "vol/inner")->fault->kind, SP_FAULT_VANISHED);
    assert_non_null(walk_find(&w, "vol/both"));
    walk_free(&w);
    free(nothing);
    tree_free(&t);
}

/* --- real mounts, in a mount namespace of their own
 * ------------------------------------------------ */

/* 77: mounts cannot be made here. Else the number of what went wrong, or 0. */
static int
walk_mounts(struct tree *t)
{
    struct walk w;
    char *mnt = tree_path(t, "mnt"), *proc = tree_path(t, "proc");
    uint32_t here, there;

    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("tmpfs", mnt, "tmpfs", 0, NULL) != 0 || mount("proc", proc, "proc", 0, NULL) != 0)
        return 77;
    /* The handle from before belongs to the other namespace. */
    close(t->fd);
    t->fd = open(t->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    tree_text(t, "mnt/in", "");
    /* Entered, but for what the kernel makes up. */
    walk_init(&w, t);
    walk_root(&w, t, "");
    walk_all(&w);
    if (walk_faults(&w) != 0 || walk_find(&w, "mnt/in") == NULL)
        return 1;
    if (walk_find(&w, "proc") == NULL || walk_find(&w, "proc/self") != NULL)
        return 2;
    if (w.counts.crossed != 1)
        return 3;
    here = walk_find(&w, "a")->entry->device;
    there = walk_find(&w, "mnt/in")->entry->device;
    if (here == there || walk_find(&w, "mnt")->entry->device != there ||
        walk_find(&w, "z")->entry->device != here)
        return 4;
    walk_free(&w);
    walk_init(&w, t);
    walk_root(&w, t, "");
    w.o.one_file_system = true;
    walk_all(&w);
    if (walk_faults(&w) != 0 || walk_find(&w, "mnt") == NULL || walk_find(&w, "mnt/in") != NULL ||
        w.counts.crossed != 2)
        return 5;
    walk_free(&w);
    /* A volume of the job is entered. */
    walk_init(&w, t);
    walk_root(&w, t, "");
    walk_view(&w, t, "mnt", NULL, false, 0);
    w.o.one_file_system = true;
    walk_all(&w);
    if (walk_faults(&w) != 0 || walk_find(&w, "mnt/in") == NULL || w.counts.crossed != 1)
        return 6;
    walk_free(&w);
    /* A root is, whatever it lies in. */
    walk_init(&w, t);
    walk_root(&w, t, "mnt/in");
    walk_root(&w, t, "proc/sys/kernel/ostype");
    w.o.one_file_system = true;
    walk_all(&w);
    if (walk_faults(&w) != 0 || walk_find(&w, "mnt/in") == NULL ||
        walk_find(&w, "proc/sys/kernel/ostype") == NULL)
        return 7;
    walk_free(&w);
    free(mnt);
    free(proc);
    return 0;
}

static void
test_mounts(void **state)
{
    struct tree t;
    int status;
    pid_t pid;

    (void)state;
    tree_new(&t);
    tree_dir(&t, "mnt");
    tree_dir(&t, "proc");
    tree_text(&t, "a", "");
    tree_text(&t, "z", "");
    assert_true((pid = fork()) >= 0);
    if (pid == 0)
        _exit(walk_mounts(&t));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    tree_free(&t);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77) {
        printf("no right to mount: crossings are not tested\n");
        skip();
    }
    assert_int_equal(WEXITSTATUS(status), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crossing_into_a_view),
        cmocka_unit_test(test_live_volume_in_a_shadow),
        cmocka_unit_test(test_content_comes_from_the_view),
        cmocka_unit_test(test_read_elsewhere),
        cmocka_unit_test(test_missing_view),
        cmocka_unit_test(test_mounts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
