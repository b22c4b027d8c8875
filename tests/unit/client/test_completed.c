/* A set and its completion: only one that the set's host signed, for this record, has the last
 * word; in the list, and where the set itself is looked at. */

#include "completions.h"

#include "client/sets.h"

struct look { /* what list and show say of the one set */
    struct sp_listed listed;
    struct sp_found_set found;
};

static void
look_at(struct shelf *s, struct look *ret)
{
    struct sp_cli c = {.env = &sp_env_system};
    struct sp_sets sets;

    assert_ok(sp_sets_list(&s->opened, false, false, NULL, &sets, e));
    assert_int_equal(sets.n, 1);
    ret->listed = sets.v[0];
    sp_sets_clear(&sets);
    assert_ok(sp_cli_find_set(&c, &s->opened, "nightly", &ret->found, e));
}

static void
expect(struct shelf *s, enum sp_completed completed, enum sp_level level, bool unconfirmed)
{
    struct look l;
    const struct sp_verdict *v;

    look_at(s, &l);
    assert_int_equal(l.listed.completed, completed);
    assert_int_equal(l.listed.applications, level);
    assert_int_equal(l.listed.unconfirmed, unconfirmed);
    assert_int_equal(l.found.completed, completed);
    assert_int_equal(l.found.applications, level);
    assert_int_equal(l.found.unconfirmed, unconfirmed);
    v = sp_found_set_verdict(&l.found);
    assert_non_null(v);
    assert_int_equal(v->components[0].level, level);
    assert_int_equal(v->confirmed, completed == SP_COMPLETED_WELL);
    sp_found_set_clear(&l.found);
}

static void
without(void **state)
{
    struct shelf s;

    (void)state;
    shelf_init(&s, SP_LEVEL_APPLICATION, true);
    expect(&s, SP_COMPLETED_NOT, SP_LEVEL_APPLICATION, true);
    shelf_free(&s);
    shelf_init(&s, SP_LEVEL_CRASH, true); /* what is no more than crash needs no confirmation */
    expect(&s, SP_COMPLETED_NOT, SP_LEVEL_CRASH, false);
    shelf_free(&s);
}

static void
without_vss(void **state)
{
    struct shelf s;
    struct look l;

    (void)state;
    shelf_init(&s, SP_LEVEL_NONE, false);
    look_at(&s, &l);
    assert_int_equal(l.listed.applications, SP_LEVEL_NONE);
    assert_false(l.listed.unconfirmed);
    assert_null(sp_found_set_verdict(&l.found));
    sp_found_set_clear(&l.found);
    shelf_free(&s);
}

static void
the_last_word(void **state)
{
    struct shelf s;

    (void)state;
    shelf_init(&s, SP_LEVEL_APPLICATION, true);
    shelf_complete(&s, SP_LEVEL_APPLICATION, &s.own, NULL);
    expect(&s, SP_COMPLETED_WELL, SP_LEVEL_APPLICATION, false);
    shelf_complete(&s, SP_LEVEL_CRASH, &s.own, NULL); /* BackupComplete failed */
    expect(&s, SP_COMPLETED_WELL, SP_LEVEL_CRASH, false);
    shelf_free(&s);
}

static void
not_the_hosts(void **state)
{
    struct shelf s;
    struct sp_completion c;

    (void)state;
    shelf_init(&s, SP_LEVEL_APPLICATION, true);
    shelf_complete(&s, SP_LEVEL_APPLICATION, &s.stranger, NULL);
    expect(&s, SP_COMPLETED_DISTRUST, SP_LEVEL_APPLICATION, true);

    c = shelf_clear(&s, SP_LEVEL_APPLICATION); /* of an older set of the host's */
    memset(c.record, 9, 32);
    shelf_complete(&s, SP_LEVEL_APPLICATION, &s.own, &c);
    expect(&s, SP_COMPLETED_DISTRUST, SP_LEVEL_APPLICATION, true);

    c = shelf_clear(&s, SP_LEVEL_APPLICATION);
    memset(c.set_id, 9, 16);
    shelf_complete(&s, SP_LEVEL_APPLICATION, &s.own, &c);
    expect(&s, SP_COMPLETED_DISTRUST, SP_LEVEL_APPLICATION, true);

    shelf_complete(&s, SP_LEVEL_APPLICATION, &s.own, NULL);
    s.completion.data[s.completion.len - 1] ^= 1;
    expect(&s, SP_COMPLETED_DISTRUST, SP_LEVEL_APPLICATION, true);
    s.completion.data[s.completion.len - 1] ^= 1;
    s.completion.len /= 2;
    expect(&s, SP_COMPLETED_DISTRUST, SP_LEVEL_APPLICATION, true);
    shelf_free(&s);
}

static void
nobody_can_tell(void **state)
{
    struct shelf s;

    (void)state;
    shelf_init(&s, SP_LEVEL_APPLICATION, true);
    shelf_complete(&s, SP_LEVEL_APPLICATION, &s.own, NULL);
    sp_buf_reset(&s.host);
    expect(&s, SP_COMPLETED_UNKNOWN, SP_LEVEL_APPLICATION, true);
    shelf_free(&s);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without),
        cmocka_unit_test(without_vss),
        cmocka_unit_test(the_last_word),
        cmocka_unit_test(not_the_hosts),
        cmocka_unit_test(nobody_can_tell),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
