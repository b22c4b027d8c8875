/* Restores onto what is there: what is equal stays, what differs is as in the set afterwards, and
 * what has other names, another's short name or no right to be written to is dealt with. */

#include <stdlib.h>
#include <string.h>

#include "round.h"
#include "tests/unit/base/support.h"

static struct round *
restored(void)
{
    struct round *r = round_new(NTFS_DOUBLE_NTFS);

    round_tree(r->a);
    round_take(r);
    round_restore(r, "D:/out");
    assert_int_equal(r->o.code, SP_OK);
    assert_int_equal(r->o.nfaults + r->o.nnotes, 0);
    return r;
}

static void
once_more(struct round *r)
{
    round_restore(r, "D:/out");
    if (r->o.code != SP_OK || r->o.nfaults + r->o.nnotes > 0) {
        round_show(r);
        fail_msg("the second restore");
    }
    round_same(r, "D:/out/C/tree", NTFS_SAME_ALL & ~(unsigned)NTFS_SAME_ATIME);
    assert_int_equal(round_temporary(r), 0);
}

static void
nothing_to_do(void **state)
{
    struct round *r = restored();
    struct sp_ntfs_info before, after;

    (void)state;
    ntfs_double_info(r->b, "D:/out/C/tree/a/large", &before);
    once_more(r);
    ntfs_double_info(r->b, "D:/out/C/tree/a/large", &after);
    assert_int_equal(before.file_id, after.file_id); /* not written again */
    assert_true(r->o.stats.files_equal >= 5);
    round_free(r);
}

static void
everything_changed(void **state)
{
    struct round *r = restored();

    (void)state;
    ntfs_double_text(r->b, "D:/out/C/tree/a/plain", "PLAIN");
    ntfs_double_attributes(r->b, "D:/out/C/tree/a/large", NTFS_READONLY | NTFS_SYSTEM);
    ntfs_double_attributes(r->b, "D:/out/C/tree/a/read only", NTFS_NORMAL);
    ntfs_double_stream(r->b, "D:/out/C/tree/a/large", "strange", "x", 1);
    ntfs_double_stream(r->b, "D:/out/C/tree/a", "strange", "x", 1);
    ntfs_double_stream(r->b, "D:/out/C/tree/a", "of a folder", "other", 5);
    ntfs_double_security(r->b, "D:/out/C/tree/b/secret", "O:WDD:P(A;;FA;;;WD)");
    ntfs_double_security(r->b, "D:/out/C/tree/b", "O:WDD:P(A;;FA;;;WD)");
    ntfs_double_ea(r->b, "D:/out/C/tree/b/ea", "THREE", "3", 1, 0);
    ntfs_double_short_name(r->b, "D:/out/C/tree/b/a long name.text", "OTHER.TXT");
    ntfs_double_remove(r->b, "D:/out/C/tree/c/junction");
    ntfs_double_text(r->b, "D:/out/C/tree/c/junction", "a file");
    ntfs_double_remove(r->b, "D:/out/C/tree/c/link");
    ntfs_double_symlink(r->b, "D:/out/C/tree/c/link", "elsewhere", false, true);
    ntfs_double_remove(r->b, "D:/out/C/tree/d/second");
    ntfs_double_text(r->b, "D:/out/C/tree/d/second", "not linked");
    once_more(r);
    round_free(r);
}

/* A read-only file is replaced; other names of what is there are nobody's to change. */
static void
other_names(void **state)
{
    struct round *r = restored();
    struct sp_buf b = SP_BUF_INIT;
    struct sp_ntfs_info info;

    (void)state;
    ntfs_double_text(r->b, "D:/out/C/tree/a/read only", "changed");
    ntfs_double_attributes(r->b, "D:/out/C/tree/a/read only", NTFS_READONLY);
    ntfs_double_link(r->b, "D:/out/C/tree/a/large", "D:/outside");
    ntfs_double_attributes(r->b, "D:/outside", NTFS_HIDDEN);
    once_more(r);
    ntfs_double_info(r->b, "D:/outside", &info);
    assert_int_equal(info.links, 1);
    assert_true((info.attributes & NTFS_HIDDEN) != 0);
    assert_true(ntfs_double_read(r->b, "D:/outside", "", &b));
    assert_int_equal(b.len, 150000);
    sp_buf_free(&b);
    round_free(r);
}

/* A name that is the short one of another file never is that file. */
static void
short_names(void **state)
{
    struct round *r = round_new(NTFS_DOUBLE_NTFS);
    struct sp_buf b = SP_BUF_INIT;
    const char *why;

    (void)state;
    ntfs_double_text(r->a, "C:/tree/LONGNA~1.TXT", "named so");
    ntfs_double_text(r->a, "C:/tree/own name of it.txt", "has a short one");
    ntfs_double_short_name(r->a, "C:/tree/own name of it.txt", "MINE");
    round_take(r);
    ntfs_double_text(r->b, "D:/out/C/tree/long name of another.txt", "do not touch");
    ntfs_double_short_name(r->b, "D:/out/C/tree/long name of another.txt", "LONGNA~1.TXT");
    round_restore(r, "D:/out");
    assert_int_equal(r->o.nfaults, 1);
    why = outcome_fault(&r->o, "C:/tree/LONGNA~1.TXT");
    assert_non_null(why);
    assert_non_null(strstr(why, "short name (8.3) of long name of another.txt"));
    assert_true(ntfs_double_read(r->b, "D:/out/C/tree/long name of another.txt", "", &b));
    assert_int_equal(b.len, 12);
    sp_buf_free(&b);
    round_free(r);
    /* Those that Windows gives by itself give way in folders of our own. */
    r = round_new(NTFS_DOUBLE_NTFS);
    ntfs_double_text(r->a, "C:/tree/longname one.txt", "1");
    ntfs_double_short_name(r->a, "C:/tree/longname one.txt", "A.TXT");
    ntfs_double_text(r->a, "C:/tree/longname two.txt", "2");
    ntfs_double_short_name(r->a, "C:/tree/longname two.txt", "LONGNA~1.TXT");
    ntfs_double_text(r->a, "C:/tree/zz longname.txt", "3");
    ntfs_double_short_name(r->a, "C:/tree/zz longname.txt", "");
    ntfs_double_text(r->a, "C:/tree/ZZLONG~1.TXT", "4");
    round_take(r);
    round_restore(r, "D:/out");
    round_show(r);
    assert_int_equal(r->o.nfaults + r->o.nnotes, 0);
    round_same(r, "D:/out/C/tree", NTFS_SAME_ALL & ~(unsigned)NTFS_SAME_SHORT_NAMES);
    round_free(r);
}

/* What a broken run left goes, when nobody has touched it for an hour. */
static void
leftovers(void **state)
{
    struct round *r = restored();
    static const char *const old = "D:/out/C/tree/a/.stillpoint-restore-0123456789abcdef-00000000";
    static const char *const fresh =
        "D:/out/C/tree/b/.stillpoint-restore-0123456789abcdef-00000001";

    (void)state;
    ntfs_double_text(r->b, old, "left");
    ntfs_double_set_now(r->b, ntfs_double_now(r->b) + 7200 * NTFS_DOUBLE_SECOND);
    ntfs_double_text(r->b, fresh, "being written");
    ntfs_double_text(r->b, "D:/out/C/tree/a/plain", "PLAIN");
    ntfs_double_text(r->b, "D:/out/C/tree/b/ea", "EA");
    round_restore(r, "D:/out");
    assert_int_equal(r->o.nfaults, 0);
    assert_false(ntfs_double_exists(r->b, old));
    assert_true(ntfs_double_exists(r->b, fresh));
    round_free(r);
}

static void
shorten(void *arg, struct ntfs_double *d, uint64_t nth, const char *call, const char *path)
{
    bool *done = arg;

    (void)nth;
    if (*done || strcmp(call, "control") != 0 || strcmp(path, "D:/out/C/tree/a/large") != 0)
        return;
    *done = true;
    ntfs_double_text(d, path, "short now");
}

/* What takes the place of a file is a copy of it: never one with zeros where that has ended. */
static void
shrinks_while_copied(void **state)
{
    struct round *r = restored();
    struct sp_buf b = SP_BUF_INIT;
    bool done = false;

    (void)state;
    ntfs_double_stream(r->b, "D:/out/C/tree/a/large", "strange", "x", 1);
    ntfs_double_hook(r->b, shorten, &done);
    round_restore(r, "D:/out");
    ntfs_double_hook(r->b, NULL, NULL);
    assert_true(done);
    assert_int_equal(r->o.nfaults, 1);
    assert_non_null(outcome_fault(&r->o, "C:/tree/a/large"));
    assert_true(ntfs_double_read(r->b, "D:/out/C/tree/a/large", "", &b));
    assert_int_equal(b.len, 9);
    assert_int_equal(round_temporary(r), 0);
    sp_buf_free(&b);
    round_free(r);
}

static void
no_room(void **state)
{
    struct round *r = round_new(NTFS_DOUBLE_NTFS);

    (void)state;
    round_tree(r->a);
    round_take(r);
    ntfs_double_capacity(r->b, "D:/", 300000);
    round_restore(r, "D:/out");
    assert_int_equal(r->o.code, SP_FULL);
    assert_int_equal(r->o.err.domain, SP_DOM_DESTINATION);
    assert_int_equal(round_temporary(r), 0);
    round_free(r);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_to_do),
        cmocka_unit_test(everything_changed),
        cmocka_unit_test(other_names),
        cmocka_unit_test(short_names),
        cmocka_unit_test(leftovers),
        cmocka_unit_test(shrinks_while_copied),
        cmocka_unit_test(no_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
