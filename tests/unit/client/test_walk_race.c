#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/path.h"
#include "base/thread.h"
#include "client/dir.h"
#include "tests/unit/client/tree.h"

/* What others do to the tree while it is walked, described and read; and the handles under many
 * threads. */

#define LASTS (SP_SECOND * 2 / 5)

/* Longer on a machine so busy that not everything has happened yet. */
static bool
goes_on(int64_t begun, bool all_seen)
{
    int64_t passed = sp_clock_mono(&sp_clock_system) - begun;

    return passed < LASTS || (!all_seen && passed < 20 * SP_SECOND);
}

struct swapper {
    const struct tree *t;
    atomic_bool stop;
    atomic_uint swaps;
};

/* The folder `f`, a link to the folder outside, another folder, nothing, and `f` again. */
static void
swap(void *arg)
{
    struct swapper *s = arg;
    int fd = s->t->fd;

    while (!atomic_load(&s->stop)) {
        if (renameat(fd, "f", fd, "aside") != 0 || symlinkat("outside", fd, "f") != 0)
            break;
        sp_sleep_ms(0);
        if (unlinkat(fd, "f", 0) != 0 || renameat(fd, "outside", fd, "f") != 0)
            break;
        sp_sleep_ms(0);
        if (renameat(fd, "f", fd, "outside") != 0 || renameat(fd, "aside", fd, "f") != 0)
            break;
        sp_sleep_ms(0);
        atomic_fetch_add(&s->swaps, 1);
    }
}

static void
check_item(const struct tree *t, const struct walk *w, struct sp_item *it, bool *ret_inside)
{
    struct sp_err e = {0};
    struct sp_reading *r;
    char text[16] = "";
    size_t n = 0;
    bool changed;

    (void)t;
    *ret_inside = false;
    if (sp_item_describe(it, &e) != SP_OK)
        return;
    if (it->entry->key_len > w->skip + 2 && memcmp(it->entry->key + w->skip, "f\0", 2) == 0) {
        /* A link in the place of the folder has nothing below it; the other folder has, by its own
         * right, but never under the handle of this one. */
        *ret_inside = true;
        if (it->entry->type != SP_ENTRY_FILE || sp_reading_open(it, &r, &e) != SP_OK)
            return;
        assert_int_equal(sp_reading_read(r, 0, text, sizeof text - 1, &n, &e), SP_OK);
        assert_int_equal(sp_reading_close(r, &changed, &e), SP_OK);
        if (strcmp(it->name, "own") == 0)
            assert_string_equal(text, "own");
        else if (strcmp(it->name, "secret") == 0)
            assert_string_equal(text, "secret");
        else
            assert_string_equal(it->name, "same");
    }
}

/* While it is swapped: a link's folder is never reported, each walk is of one folder, ordered, and
 * ends. */
static void
test_swapped_folder(void **state)
{
    struct swapper s;
    struct sp_thread *thread;
    struct sp_err e = {0};
    struct tree t;
    size_t walks = 0, inside = 0, links = 0;
    int64_t begun = sp_clock_mono(&sp_clock_system);

    (void)state;
    tree_new(&t);
    tree_text(&t, "f/own", "own");
    tree_text(&t, "f/same", "own");
    tree_text(&t, "f/sub/own", "own");
    tree_text(&t, "outside/secret", "secret");
    tree_text(&t, "outside/same", "secret");
    tree_text(&t, "z", "");
    s.t = &t;
    atomic_init(&s.stop, false);
    atomic_init(&s.swaps, 0);
    assert_int_equal(sp_thread_start("swapper", swap, &s, &thread, &e), SP_OK);
    while (goes_on(begun, walks > 10 && inside > 0 && links > 0 && atomic_load(&s.swaps) > 10)) {
        struct walk w;
        bool own, secret;

        walk_init(&w, &t);
        walk_root(&w, &t, "");
        walk_all(&w);
        own = walk_find(&w, "f/own") != NULL && walk_find(&w, "f/own")->entry->type != 0;
        secret = walk_find(&w, "f/secret") != NULL;
        assert_false(own && secret);
        if (walk_find(&w, "f") != NULL && walk_find(&w, "f")->entry->type == SP_ENTRY_LINK) {
            links++;
            assert_false(own || secret);
        }
        assert_non_null(walk_find(&w, "z"));
        for (size_t i = 0; i < w.n; i++) {
            bool is_inside;

            check_item(&t, &w, w.items[i], &is_inside);
            inside += is_inside;
        }
        walks++;
        walk_free(&w);
    }
    atomic_store(&s.stop, true);
    sp_thread_join(thread);
    printf("%zu walks, %u swaps, %zu items inside, %zu links\n", walks, atomic_load(&s.swaps),
        inside, links);
    assert_true(walks > 10 && atomic_load(&s.swaps) > 10 && inside > 0 && links > 0);
    tree_free(&t);
}

/* Two folders that change places as fast as can be: what is in a folder is that folder's. */
static void
exchange(void *arg)
{
    struct swapper *s = arg;

    while (!atomic_load(&s->stop))
        if (renameat2(s->t->fd, "f", s->t->fd, "outside", RENAME_EXCHANGE) == 0)
            atomic_fetch_add(&s->swaps, 1);
}

static void
test_exchanged_folders(void **state)
{
    struct swapper s;
    struct sp_thread *thread;
    struct sp_err e = {0};
    struct tree t;
    struct stat own, outside;
    size_t both[2] = {0, 0};
    int64_t begun = sp_clock_mono(&sp_clock_system);

    (void)state;
    tree_new(&t);
    tree_text(&t, "f/own", "");
    tree_text(&t, "outside/secret", "");
    if (renameat2(t.fd, "f", t.fd, "outside", RENAME_EXCHANGE) != 0 ||
        renameat2(t.fd, "f", t.fd, "outside", RENAME_EXCHANGE) != 0) {
        printf("this file system cannot exchange names\n");
        tree_free(&t);
        skip();
    }
    assert_int_equal(fstatat(t.fd, "f", &own, 0), 0);
    assert_int_equal(fstatat(t.fd, "outside", &outside, 0), 0);
    s.t = &t;
    atomic_init(&s.stop, false);
    atomic_init(&s.swaps, 0);
    assert_int_equal(sp_thread_start("exchanger", exchange, &s, &thread, &e), SP_OK);
    while (goes_on(begun, both[0] > 10 && both[1] > 10 && atomic_load(&s.swaps) > 10)) {
        struct walk w;
        struct sp_item *f;

        walk_init(&w, &t);
        walk_root(&w, &t, "");
        walk_all(&w);
        f = walk_find(&w, "f");
        assert_non_null(f);
        if (f->entry->type == SP_ENTRY_DIR) { /* or replaced too often: a fault */
            bool is_own = f->entry->file_id == own.st_ino;

            assert_true(is_own || f->entry->file_id == outside.st_ino);
            assert_null(walk_find(&w, is_own ? "f/secret" : "f/own"));
            both[is_own]++;
        }
        walk_free(&w);
    }
    atomic_store(&s.stop, true);
    sp_thread_join(thread);
    printf("%zu and %zu walks, %u exchanges\n", both[0], both[1], atomic_load(&s.swaps));
    tree_free(&t);
}

/* A folder on the way to the root, swapped for a link to a place with the same names. */
static void
swap_above(void *arg)
{
    struct swapper *s = arg;
    int fd = s->t->fd;

    while (!atomic_load(&s->stop)) {
        if (renameat(fd, "above", fd, "aside") != 0 || symlinkat("/etc", fd, "above") != 0)
            break;
        sp_sleep_ms(0);
        if (unlinkat(fd, "above", 0) != 0 || renameat(fd, "aside", fd, "above") != 0)
            break;
        sp_sleep_ms(0);
        atomic_fetch_add(&s->swaps, 1);
    }
}

static void
test_swapped_above_a_root(void **state)
{
    struct swapper s;
    struct sp_thread *thread;
    struct sp_err e = {0};
    struct tree t;
    struct stat passwd;
    size_t walks = 0, opened = 0;
    int64_t begun = sp_clock_mono(&sp_clock_system);

    (void)state;
    assert_int_equal(stat("/etc/passwd", &passwd), 0);
    tree_new(&t);
    tree_text(&t, "above/passwd", "ours");
    tree_text(&t, "above/group", "ours");
    s.t = &t;
    atomic_init(&s.stop, false);
    atomic_init(&s.swaps, 0);
    assert_int_equal(sp_thread_start("swapper", swap_above, &s, &thread, &e), SP_OK);
    while (goes_on(begun, walks > 10 && opened > 0 && atomic_load(&s.swaps) > 10)) {
        struct walk w;
        enum sp_code rc;

        walk_init(&w, &t);
        walk_root(&w, &t, "above/passwd");
        rc = sp_source_open(&sp_env_system, &w.o, &w.source, &e);
        assert_true(rc == SP_OK || rc == SP_ABSENT || rc == SP_INVALID);
        if (rc == SP_OK) {
            opened++;
            walk_rest(&w);
        }
        for (size_t i = 0; i < w.n; i++) {
            struct sp_item *it = w.items[i];
            struct sp_reading *r;
            char text[8] = "";
            size_t n;
            bool changed;

            assert_false(it->entry->file_id == passwd.st_ino && it->entry->type == SP_ENTRY_FILE &&
                         it->entry->size == (uint64_t)passwd.st_size);
            if (it->entry->type != SP_ENTRY_FILE || sp_reading_open(it, &r, &e) != SP_OK)
                continue;
            assert_int_equal(sp_reading_read(r, 0, text, 7, &n, &e), SP_OK);
            assert_string_equal(text, "ours");
            assert_int_equal(sp_reading_close(r, &changed, &e), SP_OK);
        }
        walks++;
        walk_free(&w);
    }
    atomic_store(&s.stop, true);
    sp_thread_join(thread);
    assert_true(walks > 10 && opened > 0 && atomic_load(&s.swaps) > 10);
    tree_free(&t);
}

/* --- handles under threads -----------------------------------------------------------------------
 */

#define CHAINS 4
#define DEPTH 20
#define LIMIT 6
#define THREADS 4

struct users {
    struct sp_source_dir *dirs[CHAINS][DEPTH];
    ino_t inodes[CHAINS][DEPTH];
    uint64_t seed;
    atomic_uint wrong, uses;
};

static void
use_at_random(void *arg)
{
    struct users *u = arg;
    uint64_t state = u->seed + atomic_fetch_add(&u->uses, 1);

    for (int i = 0; i < 1500; i++) {
        size_t c = test_random(&state) % CHAINS, d = test_random(&state) % DEPTH;
        struct sp_source_dir *dir = sp_dir_hold(u->dirs[c][d]);
        struct sp_err e = {0};
        struct stat st;
        union sp_dir_at at;

        if (sp_dir_use(dir, &at, &e) != SP_OK) {
            atomic_fetch_add(&u->wrong, 1);
        } else {
            if (fstat(at.fd, &st) != 0 || st.st_ino != u->inodes[c][d])
                atomic_fetch_add(&u->wrong, 1);
            sp_dir_unuse(dir);
            atomic_fetch_add(&u->uses, 1);
        }
        sp_dir_release(dir);
    }
}

static void
test_handles(void **state)
{
    const struct sp_dir_kind kind = {.live = true};
    struct users u = {.seed = test_seed()};
    struct sp_thread *threads[THREADS];
    struct sp_source_dir *top;
    struct sp_dirs *pool;
    struct sp_err e = {0};
    struct tree t;
    size_t before = open_descriptors();

    (void)state;
    tree_new(&t);
    assert_int_equal(sp_dirs_new(LIMIT, NULL, &pool, &e), SP_OK);
    assert_int_equal(sp_dir_anchor(pool, t.path, &kind, &top, &e), SP_OK);
    for (int c = 0; c < CHAINS; c++) {
        struct sp_source_dir *up = top;
        char name[2] = {(char)('a' + c), '\0'};

        tree_deep(&t, name, DEPTH);
        for (int d = 0; d < DEPTH; d++) {
            struct stat st;
            union sp_dir_at at;

            assert_int_equal(sp_dir_open(up, name, NULL, false, &u.dirs[c][d], &at, &e), SP_OK);
            assert_int_equal(fstat(at.fd, &st), 0);
            u.inodes[c][d] = st.st_ino;
            up = u.dirs[c][d];
            sp_dir_unuse(up);
            assert_true(sp_dirs_open_count(pool) <= LIMIT);
        }
    }
    atomic_init(&u.wrong, 0);
    atomic_init(&u.uses, 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(sp_thread_start("user", use_at_random, &u, &threads[i], &e), SP_OK);
    for (int i = 0; i < 20; i++) {
        assert_true(sp_dirs_open_count(pool) <= LIMIT + 2 * THREADS);
        sp_sleep_ms(1);
    }
    for (int i = 0; i < THREADS; i++)
        sp_thread_join(threads[i]);
    assert_int_equal(atomic_load(&u.wrong), 0);
    assert_true(sp_dirs_open_count(pool) <= LIMIT);
    /* The folders above live as long as one below is held; so does the pool. */
    sp_dirs_release(pool);
    sp_dir_release(top);
    for (int c = 0; c < CHAINS; c++)
        for (int d = 0; d < DEPTH; d++)
            sp_dir_release(u.dirs[c][d]);
    tree_free(&t);
    assert_int_equal(open_descriptors(), before);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_swapped_folder),
        cmocka_unit_test(test_exchanged_folders),
        cmocka_unit_test(test_swapped_above_a_root),
        cmocka_unit_test(test_handles),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
