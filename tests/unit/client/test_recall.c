/* What this machine remembers of its chains, against what is listed. */

#include "tests/unit/base/support.h"

#include "client/recall.h"

struct told {
    unsigned n;
    char last[1024];
};

static void
on_fault(void *arg, const struct sp_check_finding *f)
{
    struct told *t = arg;

    t->n++;
    (void)snprintf(t->last, sizeof(t->last), "%s", f->text);
}

static void
heads(void **state)
{
    struct sp_profile p = {.folder = *state};
    struct sp_cli c = {.env = &sp_env_system};
    struct sp_opened_store o = {.profile = &p};
    struct sp_listed v[2];
    struct sp_sets sets = {.v = v, .n = 2};
    const uint8_t hash[32] = {7};
    struct told told = {0};
    size_t i;

    memset(v, 0, sizeof(v));
    memset(p.host, 1, sizeof(p.host));
    for (i = 0; i < 2; i++) {
        v[i].type = SP_RECORD_SET;
        memset(v[i].set.host, 1, 16);
        strcpy(v[i].set.job, "nightly");
        v[i].set.sequence = i + 1;
        v[i].sign = SP_SIGNED_BY_HOST;
        strcpy(v[i].host_name, "here");
    }
    memcpy(v[1].hash, hash, 32);
    assert_ok(sp_recall_heads(&c, &o, &sets, on_fault, &told, e));
    assert_int_equal(told.n, 0); /* nothing is remembered */

    assert_ok(sp_profile_set_head(&sp_env_system, &p, "nightly", 2, hash, e));
    assert_ok(sp_recall_heads(&c, &o, &sets, on_fault, &told, e));
    assert_int_equal(told.n, 0);

    v[1].hash[0]++;
    assert_ok(sp_recall_heads(&c, &o, &sets, on_fault, &told, e));
    assert_int_equal(told.n, 1);
    assert_non_null(strstr(told.last, "is not the one"));

    sets.n = 1;
    assert_ok(sp_recall_heads(&c, &o, &sets, on_fault, &told, e));
    assert_int_equal(told.n, 2);
    assert_non_null(strstr(told.last, "has the number 1"));

    /* One with a higher number that the host has not signed does not stand in for it. */
    sets.n = 2;
    v[1].set.sequence = 3;
    v[1].sign = SP_SIGNED_NOT;
    assert_ok(sp_recall_heads(&c, &o, &sets, on_fault, &told, e));
    assert_int_equal(told.n, 3);
    assert_non_null(strstr(told.last, "has the number 1"));
    v[1].sign = SP_SIGNED_FOREIGN;
    assert_ok(sp_recall_heads(&c, &o, &sets, on_fault, &told, e));
    assert_int_equal(told.n, 4);

    /* Where the host's record is gone nobody can tell, and no set is missed for that. */
    v[1].set.sequence = 2;
    memcpy(v[1].hash, hash, 32);
    for (i = 0; i < 2; i++) {
        v[i].sign = SP_SIGNED_NOT;
        v[i].host_name[0] = '\0';
    }
    assert_ok(sp_recall_heads(&c, &o, &sets, on_fault, &told, e));
    assert_int_equal(told.n, 4);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(heads, tmp_setup, tmp_teardown)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
