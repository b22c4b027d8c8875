/* The backup pipeline over files that change, shrink and vanish while they are read, and over what
 * cannot be kept: each is a fault of that file alone, or none at all.
 *
 * The readers ask before every piece whether to go on; that is when the test moves things. */

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/unit/client/site.h"

#define MIB ((size_t)1 << 20)

struct motion {
    struct site *s;
    void (*move)(struct motion *m, unsigned nth); /* nth question of a reader, from 1 */
    unsigned items; /* of the walk: the readers wait until it has given them all; 0: they do not */
    pthread_mutex_t lock;
    atomic_uint walked;
    unsigned asked;
    bool done;
};

static bool
moving(void *arg)
{
    struct motion *m = arg;
    char name[16] = "";

    assert_int_equal(pthread_getname_np(pthread_self(), name, sizeof name), 0);
    if (strcmp(name, "walk") == 0)
        atomic_fetch_add(&m->walked, 1);
    if (strcmp(name, "read") != 0)
        return false;
    while (m->items > 0 && atomic_load(&m->walked) <= m->items)
        sp_sleep_ms(1);
    (void)pthread_mutex_lock(&m->lock);
    m->move(m, ++m->asked);
    (void)pthread_mutex_unlock(&m->lock);
    return false;
}

/* One large file, first run. The way to it and the file are five objects, and each is asked for
 * once: the sixth question is one in the middle of the reading. */
#define OBJECTS 5
#define LARGE (8 * MIB)

static void
run_moving(struct site *s, void (*move)(struct motion *m, unsigned nth), unsigned items,
    const char *what, struct outcome *o)
{
    struct motion m = {.s = s, .move = move, .items = items, .lock = PTHREAD_MUTEX_INITIALIZER};

    s->cancelled = moving;
    s->cancelled_arg = &m;
    site_run(s, what, o);
    s->cancelled = NULL;
    if (o->code != SP_OK)
        fail_msg("%s: %s", what, o->err.text);
    assert_true(m.done);
}

static void
site_with_large(struct site *s)
{
    site_new(s, false);
    site_random_file(s, "large", LARGE, 1);
}

static void
assert_quiet_run_mends(struct site *s)
{
    struct outcome o;

    site_reopen(s);
    site_run_well(s, "quiet again", &o);
    assert_int_equal(o.result.stats.files_changed + o.result.stats.files_new, 1);
    site_assert_equal(s);
}

static void
write_once(struct motion *m, unsigned nth)
{
    int fd;

    if (m->done || nth <= OBJECTS)
        return;
    fd = tree_open(&m->s->tree, "files/large", O_WRONLY);
    assert_int_equal(pwrite(fd, "changed", 7, 100), 7);
    close(fd);
    m->done = true;
}

static void
test_changed_once(void **state)
{
    struct site s;
    struct outcome o;

    (void)state;
    site_with_large(&s);
    run_moving(&s, write_once, 0, "changes once", &o);
    assert_int_equal(o.nfaults, 0);
    assert_int_equal(o.result.state, SP_SET_COMPLETE);
    assert_true(o.result.stats.bytes_read > LARGE); /* read again */
    site_assert_equal(&s);
    site_free(&s);
}

static void
write_on_and_on(struct motion *m, unsigned nth)
{
    m->done = false;
    write_once(m, nth);
    m->done = true;
}

static void
test_changing(void **state)
{
    struct site s;
    struct outcome o;
    struct sp_entry *en;

    (void)state;
    site_with_large(&s);
    run_moving(&s, write_on_and_on, 0, "changes on and on", &o);
    assert_int_equal(o.nfaults, 1);
    assert_non_null(outcome_fault(&o, "large"));
    assert_int_equal(outcome_fault(&o, "large")->kind, SP_FAULT_CHANGED);
    assert_int_equal(o.result.state, SP_SET_INCOMPLETE);
    assert_int_equal(o.result.stats.faults, 1);
    assert_int_equal(site_sets(&s).newest.state, SP_SET_INCOMPLETE);
    assert_non_null(en = site_entry(&s, "large"));
    assert_true((en->flags & SP_ENTRY_CHANGED) != 0);
    assert_int_equal(en->size, LARGE);
    free(en);
    assert_quiet_run_mends(&s);
    site_free(&s);
}

static void
shrink_once(struct motion *m, unsigned nth)
{
    int fd;

    if (m->done || nth <= OBJECTS)
        return;
    fd = tree_open(&m->s->tree, "files/large", O_WRONLY);
    assert_int_equal(ftruncate(fd, 100000), 0);
    close(fd);
    m->done = true;
}

static void
test_shrunk_once(void **state)
{
    struct site s;
    struct outcome o;

    (void)state;
    site_with_large(&s);
    run_moving(&s, shrink_once, 0, "shrinks once", &o);
    assert_int_equal(o.nfaults, 0);
    site_assert_equal(&s);
    site_free(&s);
}

static void
shrink_on_and_on(struct motion *m, unsigned nth)
{
    struct stat st;
    int fd;

    if (nth <= OBJECTS)
        return;
    fd = tree_open(&m->s->tree, "files/large", O_WRONLY);
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(ftruncate(fd, st.st_size - st.st_size / 8), 0);
    close(fd);
    m->done = true;
}

static void
test_shrinking(void **state)
{
    struct site s;
    struct outcome o;
    struct sp_entry *en;
    uint64_t total = 0;

    (void)state;
    site_with_large(&s);
    run_moving(&s, shrink_on_and_on, 0, "shrinks on and on", &o);
    assert_int_equal(o.nfaults, 1);
    assert_int_equal(outcome_fault(&o, "large")->kind, SP_FAULT_CHANGED);
    assert_non_null(en = site_entry(&s, "large"));
    assert_true((en->flags & SP_ENTRY_CHANGED) != 0);
    assert_true(en->size > 0 && en->size < LARGE);
    for (size_t i = 0; i < en->nsegments; i++)
        total += en->segments[i].length;
    assert_true(en->has_list || total == en->size);
    free(en);
    assert_quiet_run_mends(&s);
    site_free(&s);
}

static void
remove_open(struct motion *m, unsigned nth)
{
    if (m->done || nth <= OBJECTS)
        return;
    tree_remove(&m->s->tree, "files/large");
    m->done = true;
}

static void
remove_found(struct motion *m, unsigned nth)
{
    (void)nth;
    if (m->done)
        return;
    tree_remove(&m->s->tree, "files/large");
    m->done = true;
}

static void
replace_found(struct motion *m, unsigned nth)
{
    (void)nth;
    if (m->done)
        return;
    tree_remove(&m->s->tree, "files/large");
    tree_symlink(&m->s->tree, "files/large", "/etc/passwd");
    m->done = true;
}

/* Gone is gone: no entry, no fault. */
static void
test_vanished(void **state)
{
    static void (*const moves[])(struct motion *, unsigned) = {
        remove_open, remove_found, replace_found};
    struct site s;
    struct outcome o;

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        site_with_large(&s);
        run_moving(&s, moves[i], i == 0 ? 0 : OBJECTS, "vanishes", &o);
        assert_int_equal(o.nfaults, 0);
        assert_int_equal(o.result.state, SP_SET_COMPLETE);
        assert_int_equal(o.result.stats.files_vanished, 1);
        assert_int_equal(o.result.stats.files, 0);
        assert_null(site_entry(&s, "large"));
        site_reopen(&s);
        site_run_well(&s, "quiet again", &o);
        site_assert_equal(&s);
        site_free(&s);
    }
}

static void
remove_folder(struct motion *m, unsigned nth)
{
    (void)nth;
    if (m->done)
        return;
    tree_remove(&m->s->tree, "files/folder");
    m->done = true;
}

/* A folder stays as it was found, and is looked at again. */
static void
test_folder_vanished(void **state)
{
    struct site s;
    struct outcome o;
    struct sp_entry *en;

    (void)state;
    site_new(&s, false);
    for (int i = 0; i < 10; i++) {
        char path[32];

        (void)snprintf(path, sizeof path, "folder/%d", i);
        site_random_file(&s, path, 1000, (uint64_t)i);
    }
    run_moving(&s, remove_folder, 4 + 1 + 10, "a folder vanishes", &o);
    assert_int_equal(o.nfaults, 0);
    assert_int_equal(o.result.stats.files_vanished, 10);
    assert_non_null(en = site_entry(&s, "folder"));
    assert_true((en->flags & SP_ENTRY_RECHECK) != 0);
    free(en);
    site_reopen(&s);
    site_run_well(&s, "quiet again", &o);
    site_assert_equal(&s);
    site_free(&s);
}

/* --- what cannot be kept -------------------------------------------------------------------------
 */

/* Paths that no node holds: named as a fault, and everything else is kept.
 * Thousands of them would make the catalog too deep to be read. */
static void
test_endless_path(void **state)
{
    struct site s;
    struct outcome o;
    char name[201];
    int levels = (int)(SP_KEY_MAX / 200) + 3;

    (void)state;
    site_new(&s, false);
    memset(name, 'n', 200);
    name[200] = '\0';
    site_file(&s, "a", "a", 1);
    site_file(&s, "z", "z", 1);
    tree_deep(&s.tree, name, levels);
    tree_rename(&s.tree, name, "files/deep");
    site_run(&s, "an endless path", &o);
    assert_int_equal(o.code, SP_OK);
    assert_int_equal(o.result.state, SP_SET_INCOMPLETE);
    assert_true(o.nfaults > 1000);
    for (size_t i = 0; i < 32; i++)
        assert_int_equal(o.faults[i].kind, SP_FAULT_UNREADABLE);
    assert_int_equal(o.result.stats.entries + o.nfaults, 3 + 1 + 2 + 3 * (unsigned)levels);
    free(site_entry(&s, "z"));
    site_free(&s);
}

/* More faults than a record has room for: it has those that fit, and the number of all. */
static int
run_with_faults(void *arg)
{
    struct site *s = arg;
    struct outcome o;

    site_run(s, "as nobody", &o);
    if (o.code != SP_OK)
        print_message("%s\n", o.err.text);
    return o.code == SP_OK && o.result.state == SP_SET_INCOMPLETE && o.nfaults == 10500 &&
                   o.result.stats.faults == 10500
               ? 0
               : 1;
}

static void
test_many_faults(void **state)
{
    struct site s;
    char path[300], *command = NULL;
    int fd;

    (void)state;
    if (geteuid() != 0)
        skip();
    site_new(&s, false);
    tree_dir(&s.tree, "files/d");
    for (int i = 0; i < 10500; i++) {
        (void)snprintf(path, sizeof path, "%s/files/d/%0150d", s.tree.path, i);
        assert_true((fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0)) >= 0);
        close(fd);
    }
    assert_true(asprintf(&command, "chown -R 65534 '%s'", s.tree.path) > 0);
    assert_int_equal(system(command), 0);
    free(command);
    assert_int_equal(as_nobody(run_with_faults, &s), 0);
    site_free(&s);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_changed_once),
        cmocka_unit_test(test_changing),
        cmocka_unit_test(test_shrunk_once),
        cmocka_unit_test(test_shrinking),
        cmocka_unit_test(test_vanished),
        cmocka_unit_test(test_folder_vanished),
        cmocka_unit_test(test_endless_path),
        cmocka_unit_test(test_many_faults),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
