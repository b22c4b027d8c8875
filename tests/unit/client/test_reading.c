#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/path.h"
#include "tests/unit/client/tree.h"

/* The content of files, and what happens to them while it is read. */

static struct sp_item *
found(struct walk *w, const struct tree *t, const char *path)
{
    struct sp_item *it;

    walk_init(w, t);
    walk_root(w, t, path);
    walk_all(w);
    it = walk_find(w, path);
    assert_non_null(it);
    assert_null(it->fault);
    return it;
}

static struct sp_reading *
opened(struct sp_item *it)
{
    struct sp_reading *r = NULL;
    struct sp_err e = {0};

    if (sp_reading_open(it, &r, &e) != SP_OK)
        fail_msg("%s", e.text);
    return r;
}

static size_t
read_at(struct sp_reading *r, uint64_t offset, void *to, size_t n)
{
    struct sp_err e = {0};
    size_t got = SIZE_MAX;

    assert_int_equal(sp_reading_read(r, offset, to, n, &got, &e), SP_OK);
    return got;
}

static bool
closed(struct sp_reading *r)
{
    struct sp_err e = {0};
    bool changed;

    assert_int_equal(sp_reading_close(r, &changed, &e), SP_OK);
    return changed;
}

static void
test_content(void **state)
{
    struct sp_err e = {0};
    struct sp_reading *r;
    struct tree t;
    struct walk w;
    uint8_t buf[64];
    uint64_t length;
    bool hole = true;

    (void)state;
    tree_new(&t);
    tree_text(&t, "a", "0123456789");
    tree_text(&t, "empty", "");
    r = opened(found(&w, &t, "a"));
    assert_int_equal(read_at(r, 0, buf, sizeof buf), 10);
    assert_memory_equal(buf, "0123456789", 10);
    assert_int_equal(read_at(r, 7, buf, 2), 2);
    assert_memory_equal(buf, "78", 2);
    assert_int_equal(read_at(r, 10, buf, 2), 0);
    assert_int_equal(read_at(r, UINT64_MAX, buf, 2), 0);
    assert_int_equal(sp_reading_extent(r, 0, &hole, &length, &e), SP_OK);
    assert_false(hole);
    assert_int_equal(length, 10);
    assert_int_equal(sp_reading_extent(r, 10, &hole, &length, &e), SP_OK);
    assert_int_equal(length, 0);
    assert_false(closed(r));
    assert_int_equal(w.items[w.n - 1]->entry->flags, 0);
    walk_free(&w);
    r = opened(found(&w, &t, "empty"));
    assert_int_equal(sp_reading_extent(r, 0, &hole, &length, &e), SP_OK);
    assert_int_equal(length, 0);
    assert_int_equal(read_at(r, 0, buf, 1), 0);
    assert_false(closed(r));
    walk_free(&w);
    tree_free(&t);
}

/* --- holes ---------------------------------------------------------------------------------------
 */

#define UNIT (UINT64_C(1) << 20)

static void
test_holes(void **state)
{
    static const struct {
        bool hole;
        uint64_t length;
    } want[] = {
        {true, 3 * UNIT}, {false, UNIT}, {true, 5 * UNIT}, {false, UNIT}, {true, 2 * UNIT + 7}};
    struct sp_err e = {0};
    struct sp_reading *r;
    struct tree t;
    struct walk w;
    uint8_t *data = malloc(UNIT);
    uint64_t at = 0, length;
    bool hole;
    int fd;

    (void)state;
    assert_non_null(data);
    memset(data, 'd', UNIT);
    tree_new(&t);
    fd = tree_open(&t, "sparse", O_WRONLY | O_CREAT);
    assert_int_equal(pwrite(fd, data, UNIT, 3 * UNIT), UNIT);
    assert_int_equal(pwrite(fd, data, UNIT, 9 * UNIT), UNIT);
    assert_int_equal(ftruncate(fd, 12 * UNIT + 7), 0);
    if (lseek(fd, 0, SEEK_DATA) == 0) {
        printf("this file system does not tell holes\n");
        close(fd);
        free(data);
        tree_free(&t);
        skip();
    }
    close(fd);
    r = opened(found(&w, &t, "sparse"));
    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
        assert_int_equal(sp_reading_extent(r, at, &hole, &length, &e), SP_OK);
        assert_int_equal(hole, want[i].hole);
        assert_int_equal(length, want[i].length);
        /* From the middle of one. */
        assert_int_equal(sp_reading_extent(r, at + 5, &hole, &length, &e), SP_OK);
        assert_int_equal(hole, want[i].hole);
        assert_int_equal(length, want[i].length - 5);
        at += want[i].length;
    }
    assert_int_equal(at, 12 * UNIT + 7);
    assert_int_equal(read_at(r, 8 * UNIT, data, UNIT), UNIT);
    for (size_t i = 0; i < UNIT; i++)
        assert_int_equal(data[i], 0);
    assert_false(closed(r));
    walk_free(&w);
    /* Nothing but a hole. */
    fd = tree_open(&t, "hole", O_WRONLY | O_CREAT);
    assert_int_equal(ftruncate(fd, INT64_C(1) << 40), 0);
    r = opened(found(&w, &t, "hole"));
    assert_int_equal(sp_reading_extent(r, 0, &hole, &length, &e), SP_OK);
    assert_true(hole);
    assert_true(length == UINT64_C(1) << 40);
    /* It shrinks: what is behind its end now is no hole, but missing. */
    assert_int_equal(ftruncate(fd, 0), 0);
    close(fd);
    assert_int_equal(sp_reading_extent(r, 4096, &hole, &length, &e), SP_OK);
    assert_false(hole);
    assert_int_equal(read_at(r, 4096, data, 16), 0);
    assert_true(closed(r));
    walk_free(&w);
    free(data);
    tree_free(&t);
}

/* --- changes -------------------------------------------------------------------------------------
 */

static void
test_changes(void **state)
{
    struct sp_reading *r;
    struct sp_item *it;
    struct tree t;
    struct walk w;
    uint8_t buf[64];
    uint64_t id;
    int fd;

    (void)state;
    tree_new(&t);
    tree_text(&t, "f", "0123456789");
    /* Changed between walk and opening: what was opened counts. */
    it = found(&w, &t, "f");
    id = it->entry->file_id;
    tree_text(&t, "f", "longer than before");
    r = opened(it);
    assert_int_equal(it->entry->size, 18);
    assert_int_equal(it->entry->flags, SP_ENTRY_RECHECK);
    assert_int_equal(it->entry->file_id, id);
    assert_int_equal(read_at(r, 0, buf, sizeof buf), 18);
    assert_false(closed(r));
    walk_free(&w);
    /* Replaced by another file. */
    it = found(&w, &t, "f");
    tree_text(&t, "new", "new");
    tree_rename(&t, "new", "f");
    r = opened(it);
    assert_int_equal(it->entry->size, 3);
    assert_int_not_equal(it->entry->file_id, id);
    assert_int_equal(it->entry->flags, SP_ENTRY_RECHECK);
    assert_false(closed(r));
    walk_free(&w);
    /* Growing: read to the size at the opening, and told. */
    fd = tree_open(&t, "f", O_WRONLY);
    r = opened(found(&w, &t, "f"));
    assert_int_equal(pwrite(fd, "more", 4, 3), 4);
    assert_int_equal(read_at(r, 0, buf, sizeof buf), 3);
    assert_int_equal(read_at(r, 3, buf, sizeof buf), 0);
    assert_true(closed(r));
    walk_free(&w);
    /* Shrinking. */
    r = opened(found(&w, &t, "f"));
    assert_int_equal(ftruncate(fd, 2), 0);
    assert_int_equal(read_at(r, 0, buf, sizeof buf), 2);
    assert_int_equal(read_at(r, 2, buf, sizeof buf), 0);
    assert_true(closed(r));
    walk_free(&w);
    /* The same size, other bytes; and other rights. */
    r = opened(found(&w, &t, "f"));
    sp_sleep_ms(20); /* the clock of the file system goes in steps */
    assert_int_equal(pwrite(fd, "XY", 2, 0), 2);
    assert_true(closed(r));
    walk_free(&w);
    r = opened(found(&w, &t, "f"));
    sp_sleep_ms(20);
    assert_int_equal(fchmod(fd, 0600), 0);
    assert_true(closed(r));
    walk_free(&w);
    close(fd);
    /* Removed while it is open: its content is there to the end. */
    r = opened(found(&w, &t, "f"));
    sp_sleep_ms(20);
    tree_remove(&t, "f");
    assert_int_equal(read_at(r, 0, buf, sizeof buf), 2);
    assert_true(closed(r)); /* the number of links */
    walk_free(&w);
    tree_free(&t);
}

static enum sp_code
open_code(struct sp_item *it)
{
    struct sp_reading *r = NULL;
    struct sp_err e = {0};
    enum sp_code rc = sp_reading_open(it, &r, &e);

    if (rc != SP_OK) {
        assert_null(r);
        assert_int_equal(e.domain, SP_DOM_SOURCE);
    } else {
        assert_false(closed(r));
    }
    return rc;
}

/* Something else in the place of the file: never followed, never waited for. */
static void
test_no_file_any_more(void **state)
{
    struct sp_item *it;
    struct tree t;
    struct walk w;

    (void)state;
    tree_new(&t);
    tree_text(&t, "d/f", "x");
    it = found(&w, &t, "d/f");
    tree_remove(&t, "d/f");
    assert_int_equal(open_code(it), SP_ABSENT);
    tree_symlink(&t, "d/f", "/etc/passwd");
    assert_int_equal(open_code(it), SP_ABSENT);
    tree_remove(&t, "d/f");
    tree_fifo(&t, "d/f");
    assert_int_equal(open_code(it), SP_ABSENT);
    tree_remove(&t, "d/f");
    tree_dir(&t, "d/f");
    assert_int_equal(open_code(it), SP_ABSENT);
    tree_remove(&t, "d/f");
    tree_socket(&t, "s");
    tree_rename(&t, "s", "d/f");
    assert_int_equal(open_code(it), SP_ABSENT);
    tree_remove(&t, "d");
    assert_int_equal(open_code(it), SP_ABSENT);
    walk_free(&w);
    tree_free(&t);
}

static int
open_denied(void *arg)
{
    struct walk w;
    struct sp_reading *r = NULL;
    struct sp_err e = {0};
    enum sp_code rc = sp_reading_open(found(&w, arg, "secret"), &r, &e);

    walk_free(&w);
    return rc == SP_DENIED && strstr(e.text, "secret': Permission denied") != NULL ? 0 : 1;
}

static int
open_others(void *arg) /* as root this test makes them another's */
{
    struct walk w;
    uint8_t buf[8];
    struct sp_reading *r = opened(found(&w, arg, "others")); /* O_NOATIME is not ours to ask for */
    size_t n = read_at(r, 0, buf, sizeof buf);

    if (closed(r))
        return 2;
    walk_free(&w);
    return n == 6 ? 0 : 1;
}

static void
test_rights(void **state)
{
    struct tree t;

    (void)state;
    tree_new(&t);
    tree_text(&t, "secret", "secret");
    tree_text(&t, "others", "others");
    assert_int_equal(fchmodat(t.fd, "secret", 0, 0), 0);
    assert_int_equal(as_nobody(open_denied, &t), 0);
    assert_int_equal(as_nobody(open_others, &t), 0);
    tree_free(&t);
}

static void
test_access_time_stays(void **state)
{
    struct timespec times[2] = {{1000, 0}, {2000, 0}};
    struct tree t;
    struct walk w;
    struct stat st;
    uint8_t buf[8];
    struct sp_reading *r;

    (void)state;
    tree_new(&t);
    tree_text(&t, "d/f", "x");
    assert_int_equal(utimensat(t.fd, "d/f", times, 0), 0);
    assert_int_equal(utimensat(t.fd, "d", times, 0), 0);
    walk_init(&w, &t);
    walk_root(&w, &t, "d");
    walk_all(&w);
    r = opened(walk_find(&w, "d/f"));
    assert_int_equal(read_at(r, 0, buf, sizeof buf), 1);
    assert_false(closed(r));
    assert_int_equal(fstatat(t.fd, "d/f", &st, 0), 0);
    assert_int_equal(st.st_atim.tv_sec, 1000);
    assert_int_equal(fstatat(t.fd, "d", &st, 0), 0);
    assert_int_equal(st.st_atim.tv_sec, 1000);
    walk_free(&w);
    tree_free(&t);
}

/* A process that has a lease on the file and does not give it up: busy, after a bounded while. */
static void
test_lease(void **state)
{
    struct tree t;
    struct walk w;
    struct sp_item *it;
    int ready[2];
    char c;
    pid_t pid;

    (void)state;
    tree_new(&t);
    tree_text(&t, "f", "x");
    it = found(&w, &t, "f");
    assert_int_equal(pipe(ready), 0);
    assert_true((pid = fork()) >= 0);
    if (pid == 0) {
        int fd = tree_open(&t, "f", O_RDWR);

        (void)signal(SIGIO, SIG_IGN);
        c = fcntl(fd, F_SETLEASE, F_WRLCK) == 0 ? 'y' : 'n';
        if (write(ready[1], &c, 1) == 1)
            (void)poll(NULL, 0, 20000);
        _exit(0);
    }
    assert_int_equal(read(ready[0], &c, 1), 1);
    if (c == 'y')
        assert_int_equal(open_code(it), SP_BUSY);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    close(ready[0]);
    close(ready[1]);
    /* And readable afterwards. */
    assert_int_equal(open_code(it), SP_OK);
    walk_free(&w);
    tree_free(&t);
    if (c != 'y') {
        printf("no leases here: not tested\n");
        skip();
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_content),
        cmocka_unit_test(test_holes),
        cmocka_unit_test(test_changes),
        cmocka_unit_test(test_no_file_any_more),
        cmocka_unit_test(test_rights),
        cmocka_unit_test(test_access_time_stays),
        cmocka_unit_test(test_lease),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
