/* Everything of NTFS, from one double into a set and from there into another: equal, bit by bit,
 * after everything. Prints what is kept and what comes back as a table. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "round.h"
#include "tests/ntfs/feature_tree.h"
#include "tests/unit/base/support.h"

static void
every_feature(void **state)
{
    struct round *r = round_new(NTFS_DOUBLE_NTFS);
    enum feature_state made[FEATURE_COUNT];
    unsigned differences[FEATURE_COUNT] = {0}, all = 0;

    (void)state;
    assert_ok(feature_tree_make(ntfs_double_table(r->a), "C:/tree", made, stdout, e));
    round_take(r);
    round_restore(r, "D:/out");
    round_show(r);
    assert_int_equal(r->o.code, SP_OK);
    assert_int_equal(r->o.nfaults, 0);
    assert_int_equal(r->o.nnotes, 0);
    assert_int_equal(r->o.stats.not_supported, 0);
    round_same(r, "D:/out/C/tree", NTFS_SAME_ALL); /* first: the other one reads */
    assert_ok(feature_tree_compare(ntfs_double_table(r->a), SHADOW "tree", ntfs_double_table(r->b),
        "D:/out/C/tree", FEATURE_EXACT, differences, stdout, e));
    print_message("feature\tkept\trestored\n");
    for (int f = 0; f < FEATURE_COUNT; f++) {
        print_message("%s\t%s\t%s\n", feature_name((enum feature)f),
            made[f] == FEATURE_MADE ? "yes" : "no", differences[f] == 0 ? "yes" : "no");
        all += differences[f];
        assert_int_equal(made[f], FEATURE_MADE);
    }
    assert_int_equal(all, 0);
    round_free(r);
}

static void
small_tree(void **state)
{
    struct round *r = round_new(NTFS_DOUBLE_NTFS);

    (void)state;
    round_tree(r->a);
    round_take(r);
    round_restore(r, "D:/out");
    assert_int_equal(r->o.code, SP_OK);
    assert_int_equal(r->o.nfaults + r->o.nnotes, 0);
    round_same(r, "D:/out/C/tree", NTFS_SAME_ALL);
    assert_int_equal(round_temporary(r), 0);
    round_free(r);
}

/* In place: the drive itself; a drive that is not there is told. */
static void
in_place(void **state)
{
    struct round *r = round_new(NTFS_DOUBLE_NTFS);

    (void)state;
    round_tree(r->a);
    round_take(r);
    round_restore(r, NULL);
    assert_int_equal(r->o.code, SP_OK);
    assert_true(r->o.nfaults > 0);
    assert_non_null(strstr(r->o.faults[0].text, "no such drive"));
    ntfs_double_volume(r->b, "C:/", NTFS_DOUBLE_NTFS);
    round_restore(r, NULL);
    round_show(r);
    assert_int_equal(r->o.nfaults + r->o.nnotes, 0);
    round_same(r, "C:/tree", NTFS_SAME_ALL);
    round_free(r);
}

/* A list of streams that is itself so long that it comes only with the last piece: they wait
 * beside. */
static void
many_long_streams(void **state)
{
    struct round *r = round_new(NTFS_DOUBLE_NTFS);
    uint8_t *p = malloc(70000);
    char name[251];

    (void)state;
    assert_non_null(p);
    ntfs_double_text(r->a, "C:/tree/file", "the file itself");
    for (int i = 0; i < 20; i++) {
        memset(p, 'a' + i, 70000);
        memset(name, 'a' + i, sizeof name - 1);
        name[sizeof name - 1] = '\0';
        ntfs_double_stream(r->a, "C:/tree/file", name, p, 70000);
    }
    round_take(r);
    round_restore(r, "D:/out");
    round_show(r);
    assert_int_equal(r->o.code, SP_OK);
    assert_int_equal(r->o.nfaults + r->o.nnotes, 0);
    round_same(r, "D:/out/C/tree", NTFS_SAME_ALL);
    assert_int_equal(round_temporary(r), 0);
    free(p);
    round_free(r);
}

/* What is made in a folder that encrypts is encrypted: what was plain comes there by its name. */
static void
encrypted_folder(void **state)
{
    struct round *r = round_new(NTFS_DOUBLE_NTFS);

    (void)state;
    ntfs_double_text(r->a, "C:/tree/safe/plain", "plain");
    ntfs_double_text(r->a, "C:/tree/safe/plain folder/plain", "plain");
    ntfs_double_text(r->a, "C:/tree/safe/secret", "secret");
    ntfs_double_encrypt(r->a, "C:/tree/safe/secret");
    ntfs_double_encrypt(r->a, "C:/tree/safe");
    round_take(r);
    round_restore(r, "D:/out");
    round_show(r);
    assert_int_equal(r->o.code, SP_OK);
    assert_int_equal(r->o.nfaults + r->o.nnotes, 0);
    round_same(r, "D:/out/C/tree", NTFS_SAME_ALL);
    assert_int_equal(round_temporary(r), 0);
    round_free(r);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_feature),
        cmocka_unit_test(small_tree),
        cmocka_unit_test(in_place),
        cmocka_unit_test(many_long_streams),
        cmocka_unit_test(encrypted_folder),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
