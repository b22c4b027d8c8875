/* The watch when memory runs out at any point: seeing never fails, finishing says it, and what got
 * lost is told. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "client/watch.h"
#include "tests/unit/base/nomem.h"
#include "tests/unit/client/tree.h"

static enum sp_code
read_path(void *arg, const void *key, size_t n, struct sp_buf *ret, struct sp_err *e)
{
    (void)arg;
    sp_key_to_path(key, n, ret);
    return sp_buf_ok(ret, e);
}

static enum sp_level
level(void *arg, const void *key, size_t n)
{
    (void)arg;
    (void)key;
    (void)n;
    return SP_LEVEL_CRASH;
}

static bool
yes(void *arg, const void *key, size_t n)
{
    (void)arg;
    (void)key;
    (void)n;
    return true;
}

static const char *const names[] = {"a.vmx", "a.vmdk", "mail.pst", "x.mdb"};

static void
test_all(void **state)
{
    const struct sp_watch_place place = {
        .read_path = read_path, .level = level, .in_set = yes, .in_use = yes};
    struct sp_bytes keys[4];
    struct tree t;
    bool lost = false, failed = false;
    int i;

    (void)state;
    tree_new(&t);
    tree_text(&t, "a.vmx",
        "displayName = \"a\"\nscsi0:0.fileName = \"a.vmdk\"\nscsi0:1.fileName = \"no.vmdk\"\n");
    tree_text(&t, "a.vmdk", "# Disk DescriptorFile\nRW 1 FLAT \"/dev/sda\" 0\n");
    tree_text(&t, "vmware.log", "TOOLS setting the tools version to '12389'\n");
    tree_text(&t, "mail.pst", "");
    tree_text(&t, "x.mdb", "");
    tree_text(&t, "x.ldb", "");
    for (i = 0; i < 4; i++) {
        keys[i] = tree_key(&t, names[i]);
    }
    for (i = 1; i < 10000; i++) {
        struct sp_verdict v = {0};
        struct sp_watch *w = NULL;
        struct sp_err e = {0};
        enum sp_code rc;
        bool enough;

        nomem_at(i);
        rc = sp_watch_new(&w, &e);
        for (size_t k = 0; rc == SP_OK && k < 4; k++)
            sp_watch_see(w, keys[k].p, keys[k].n);
        if (rc == SP_OK)
            rc = sp_watch_finish(w, &place, &v, &e);
        enough = !nomem_came();
        if (rc == SP_OK && v.ncomponents < 3) { /* in seeing: told, not failed */
            assert_int_equal(v.nnotes, 1);
            assert_non_null(strstr(v.notes[0], "not enough memory"));
            lost = true;
        } else if (rc != SP_OK) {
            assert_int_equal(rc, SP_NOMEM);
            failed = true;
        }
        if (enough)
            assert_int_equal(v.ncomponents, 3);
        sp_watch_free(w);
        sp_verdict_clear(&v);
        if (enough)
            break;
    }
    assert_true(lost && failed && i < 10000);
    for (i = 0; i < 4; i++)
        free(keys[i].p);
    tree_free(&t);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
