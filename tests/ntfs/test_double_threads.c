/* Several threads on one tree: nothing is lost, and TSan finds nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/thread.h"
#include "double.h"

struct worker {
    struct ntfs_double *d;
    unsigned number;
    unsigned failures;
};

static void
work(void *arg)
{
    struct worker *w = arg;
    const struct sp_ntfs *fs = ntfs_double_table(w->d);
    struct sp_ntfs_handle *dir, *h;
    struct sp_err e = {0};
    char name[32];

    w->failures += fs->open_path(fs->self, "C:/dir", NTFS_LIST, &dir, &e) != SP_OK;
    for (unsigned i = 0; i < 50 && w->failures == 0; i++) {
        (void)snprintf(name, sizeof name, "file %u %u", w->number, i);
        w->failures += fs->create_at(fs->self, dir, name, false, 0, NULL, 0, &h, &e) != SP_OK;
        w->failures +=
            w->failures == 0 && fs->write(fs->self, h, 0, name, strlen(name), &e) != SP_OK;
        if (i % 2 == 0)
            w->failures += w->failures == 0 && fs->remove(fs->self, h, &e) != SP_OK;
        w->failures += w->failures == 0 && fs->close(fs->self, h, &e) != SP_OK;
    }
    fs->close(fs->self, dir, &e);
}

static enum sp_code
count(void *arg, const struct sp_ntfs_listed *l, struct sp_err *e)
{
    (void)l;
    (void)e;
    ++*(size_t *)arg;
    return SP_OK;
}

static void
many(void **state)
{
    struct ntfs_double *d = ntfs_double_new();
    const struct sp_ntfs *fs = ntfs_double_table(d);
    struct sp_thread *threads[4];
    struct worker workers[4];
    struct sp_ntfs_handle *dir;
    struct sp_err e = {0};
    size_t n = 0;

    (void)state;
    ntfs_double_volume(d, "C:/", NTFS_DOUBLE_NTFS);
    ntfs_double_folder(d, "C:/dir");
    for (unsigned i = 0; i < 4; i++) {
        workers[i] = (struct worker){d, i, 0};
        assert_int_equal(sp_thread_start("worker", work, &workers[i], &threads[i], &e), SP_OK);
    }
    for (unsigned i = 0; i < 4; i++) {
        sp_thread_join(threads[i]);
        assert_int_equal(workers[i].failures, 0);
    }
    assert_int_equal(fs->open_path(fs->self, "C:/dir", NTFS_LIST, &dir, &e), SP_OK);
    assert_int_equal(fs->list(fs->self, dir, count, &n, &e), SP_OK);
    assert_int_equal(n, 100);
    assert_int_equal(fs->close(fs->self, dir, &e), SP_OK);
    assert_int_equal(ntfs_double_handles(d), 0);
    ntfs_double_free(d);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(many)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
