/* restore --require: what a set has to show before anything of it is restored. */

#include "completions.h"

#include "client/require.h"

static enum sp_code
require(struct shelf *s, const char *demand, struct sp_err *e)
{
    struct sp_cli c = {.env = &sp_env_system};
    struct sp_report r = {.c = &c};
    struct sp_demands d = {0};
    struct sp_found_set f;
    enum sp_code rc;

    if ((rc = sp_cli_find_set(&c, &s->opened, "nightly", &f, e)) != SP_OK)
        return rc;
    if (demand == NULL || (rc = sp_demand_add(&d, demand, e)) == SP_OK)
        rc = sp_require_set(&d, &f, &r, e);
    sp_demands_clear(&d);
    sp_found_set_clear(&f);
    return rc;
}

static void
as_it_is(void **state)
{
    struct shelf s;

    (void)state;
    shelf_init(&s, SP_LEVEL_APPLICATION, true);
    shelf_complete(&s, SP_LEVEL_APPLICATION, &s.own, NULL);
    assert_ok(require(&s, NULL, e));
    assert_ok(require(&s, "application", e));
    assert_ok(require(&s, "application for vm:web01", e));
    assert_code(SP_REFUSED, require(&s, "application for vm:web02", e));
    shelf_complete(&s, SP_LEVEL_CRASH, &s.own, NULL); /* the completion has the last word */
    assert_code(SP_REFUSED, require(&s, "application", e));
    assert_code(SP_REFUSED, require(&s, "application for vm:web01", e));
    assert_ok(require(&s, "crash", e));
    assert_ok(require(&s, NULL, e));
    shelf_free(&s);
}

/* Nothing shows that BackupComplete went well: not without a completion, not by a forged one. */
static void
unconfirmed(void **state)
{
    struct shelf s;

    (void)state;
    shelf_init(&s, SP_LEVEL_APPLICATION, true);
    assert_code(SP_REFUSED, require(&s, "application", e));
    assert_ok(require(&s, "crash", e));
    assert_ok(require(&s, "crash for vm:web01", e));
    shelf_complete(&s, SP_LEVEL_APPLICATION, &s.stranger, NULL);
    assert_code(SP_REFUSED, require(&s, "application for vm:web01", e));
    shelf_free(&s);
}

/* Files alone: none is missed. */
static void
no_applications(void **state)
{
    struct shelf s;

    (void)state;
    shelf_init(&s, SP_LEVEL_NONE, false);
    assert_ok(require(&s, "application", e));
    assert_ok(require(&s, "crash", e));
    assert_code(SP_REFUSED, require(&s, "application for vm:web01", e));
    shelf_free(&s);
}

/* Whose words are they? */
static void
not_signed(void **state)
{
    struct shelf s;

    (void)state;
    shelf_init(&s, SP_LEVEL_APPLICATION, true);
    shelf_complete(&s, SP_LEVEL_APPLICATION, &s.own, NULL);
    s.record.data[s.record.len - 1] ^= 1;
    assert_code(SP_REFUSED, require(&s, "live", e));
    assert_ok(require(&s, NULL, e));
    shelf_free(&s);
}

static void
lowered(void **state)
{
    struct sp_verdict v = {0};
    struct sp_verdict_component *c;

    (void)state;
    assert_ok(sp_verdict_add_component(&v, &c, e));
    c->level = SP_LEVEL_APPLICATION;
    c->why = SP_WHY_TOOK_PART;
    c->detail = strdup("x");
    assert_ok(sp_verdict_add_component(&v, &c, e));
    c->level = SP_LEVEL_LIVE;
    c->why = SP_WHY_NO_SHADOW;
    sp_require_lower(&v);
    assert_int_equal(v.components[0].level, SP_LEVEL_CRASH);
    assert_int_equal(v.components[0].why, SP_WHY_UNFINISHED);
    assert_null(v.components[0].detail);
    assert_int_equal(v.components[1].level, SP_LEVEL_LIVE);
    assert_int_equal(v.components[1].why, SP_WHY_NO_SHADOW);
    sp_verdict_clear(&v);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_it_is),
        cmocka_unit_test(unconfirmed),
        cmocka_unit_test(no_applications),
        cmocka_unit_test(not_signed),
        cmocka_unit_test(lowered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
