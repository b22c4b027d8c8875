/* What a job or a restore demands, and what is below it. */

#include "tests/unit/base/support.h"

#include <stdlib.h>
#include <string.h>

#include "client/demand.h"

static struct sp_demands
demands(const char *a, const char *b)
{
    struct sp_demands d = {0};

    assert_ok(sp_demand_add(&d, a, e));
    if (b != NULL)
        assert_ok(sp_demand_add(&d, b, e));
    return d;
}

static void
test_forms(void **state)
{
    struct sp_demands d = {0};

    (void)state;
    assert_ok(sp_demand_add(&d, "application", e));
    assert_ok(sp_demand_add(&d, "  crash  else  keep ", e));
    assert_ok(sp_demand_add(&d, "application for vm:web 01 else leave-out", e));
    assert_ok(sp_demand_add(&d, "live for /srv/somebody else/x else keep", e));
    assert_ok(sp_demand_add(&d, "crash for /srv/data else discard", e));
    assert_int_equal(d.n, 5);
    assert_int_equal(d.v[0].level, SP_LEVEL_APPLICATION);
    assert_null(d.v[0].pattern);
    assert_int_equal(d.v[0].below, SP_BELOW_DEFAULT);
    assert_int_equal(d.v[1].level, SP_LEVEL_CRASH);
    assert_int_equal(d.v[1].below, SP_BELOW_KEEP);
    assert_string_equal(sp_vss_pattern_text(d.v[2].pattern), "vm:web 01");
    assert_int_equal(d.v[2].below, SP_BELOW_LEAVE_OUT);
    assert_string_equal(sp_vss_pattern_text(d.v[3].pattern), "/srv/somebody else/x");
    assert_true(sp_vss_pattern_is_path(d.v[4].pattern));
    assert_int_equal(d.v[4].below, SP_BELOW_DISCARD);
    sp_demands_clear(&d);
    assert_int_equal(d.n, 0);
}

static void
test_wrong_forms(void **state)
{
    static const char *const wrong[] = {"", "much", "none", "application for", "application for ",
        "application of vm:a", "crash else", "crash else burn", "application else keep for vm:a",
        "for vm:a", "Application", "crash forvm:a"};
    struct sp_demands d = {0};
    enum sp_if_below below;

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct sp_err e = {0};

        if (sp_demand_add(&d, wrong[i], &e) != SP_INVALID)
            fail_msg("'%s' was taken", wrong[i]);
        assert_int_equal(e.domain, SP_DOM_CONFIG);
        assert_int_equal(d.n, 0);
        assert_non_null(strstr(e.text, "application, crash or live"));
    }
    struct sp_err e = {0};

    assert_int_equal(
        sp_demand_add(&d, "crash for nonsense:x", &e), SP_INVALID); /* says the forms of patterns */
    assert_non_null(strstr(e.text, "nonsense"));
    assert_int_equal(sp_demand_parse_below("burn", &below, &e), SP_INVALID);
    assert_non_null(strstr(e.text, "keep, discard or leave-out"));
}

/* --- a set ------------------------------------------------------------------------------------ */

static char root[] = "/", srv[] = "/srv", share[] = "/srv/share", remote[] = "it is remote",
            none[] = "";

struct set {
    struct sp_verdict verdict;
    struct sp_volume volumes[3];
    struct sp_demand_subject subject;
};

static void
put(struct set *s, const char *unit, enum sp_unit_kind kind, enum sp_level level, enum sp_why why,
    const char *path)
{
    struct sp_verdict_component *c;

    assert_ok(sp_verdict_add_component(&s->verdict, &c, e));
    c->writer = 0;
    c->unit = strdup(unit);
    c->name = strdup(unit);
    c->kind = kind;
    c->level = level;
    c->why = why;
    c->shadow = 0;
    c->added = true;
    c->paths = calloc(1, sizeof *c->paths);
    assert_non_null(c->paths);
    c->paths[0] = strdup(path);
    c->npaths = 1;
}

static void
set_new(struct set *s)
{
    struct sp_verdict_writer *w;
    struct sp_verdict_shadow *shadow;

    *s = (struct set){.volumes = {{.path = root, .consistency = SP_LEVEL_CRASH, .reason = none},
                          {.path = srv, .consistency = SP_LEVEL_CRASH, .reason = none},
                          {.path = share, .consistency = SP_LEVEL_LIVE, .reason = remote}}};
    s->verdict.vss = true;
    assert_ok(sp_verdict_add_writer(&s->verdict, &w, e));
    w->name = strdup("Some Writer");
    strcpy(w->class_id, "66841cd4-6ded-4f4b-8f17-fd23f8ddc3de");
    assert_ok(sp_verdict_add_shadow(&s->verdict, &shadow, e));
    put(s, "web01", SP_UNIT_VM, SP_LEVEL_APPLICATION, SP_WHY_TOOK_PART, "/vm/web01");
    put(s, "web02", SP_UNIT_VM, SP_LEVEL_CRASH, SP_WHY_WRITER_FAILED, "/vm/web02");
    put(s, "old", SP_UNIT_VM, SP_LEVEL_NONE, SP_WHY_LEFT_OUT, "/vm/old");
    s->subject = (struct sp_demand_subject){.verdict = &s->verdict,
        .files_level = SP_LEVEL_CRASH, /* without the share */
        .volumes = s->volumes,
        .nvolumes = 2};
}

static void
set_free(struct set *s)
{
    sp_verdict_clear(&s->verdict);
}

static size_t
below(struct set *s, const char *demand, struct sp_demand_findings *ret)
{
    struct sp_demands d = demands(demand, NULL);

    assert_ok(sp_demands_check(&d, &s->subject, ret, e));
    for (size_t i = 0; i < ret->n; i++) {
        assert_ptr_equal(ret->v[i].demand, &d.v[0]);
        ret->v[i].demand = NULL;
    }
    sp_demands_clear(&d);
    return ret->n;
}

static void
check(struct set *s, const char *demand, size_t n, size_t component, const char *words)
{
    struct sp_demand_findings f = {0};

    if (below(s, demand, &f) != n)
        fail_msg("%s: %zu below instead of %zu (%s)", demand, f.n, n, f.n > 0 ? f.v[0].text : "");
    if (n > 0) {
        assert_int_equal(f.v[0].component, component);
        if (strstr(f.v[0].text, words) == NULL)
            fail_msg("no '%s' in: %s", words, f.v[0].text);
        assert_int_equal(f.v[0].below, SP_BELOW_DISCARD);
    }
    sp_demand_findings_clear(&f);
}

static void
test_whole_set(void **state)
{
    struct set s;

    (void)state;
    set_new(&s);
    /* What was left out is not in the set. */
    check(&s, "application", 1, 1, "web02");
    check(&s, "crash", 0, 0, "");
    check(&s, "live", 0, 0, "");
    s.subject.nvolumes = 3;
    s.subject.files_level = SP_LEVEL_LIVE;
    check(&s, "crash", 1, SIZE_MAX, "/srv/share are live: it is remote");
    check(&s, "application", 2, 1, "web02");
    check(&s, "live", 0, 0, "");
    s.subject.nvolumes = 0; /* a record that names none */
    check(&s, "crash", 1, SIZE_MAX, "read while in use");
    set_free(&s);
}

/* A plain tree of files has no application that could be below. */
static void
test_no_applications(void **state)
{
    struct set s;
    struct sp_verdict empty = {0};

    (void)state;
    set_new(&s);
    s.subject.verdict = NULL;
    check(&s, "application", 0, 0, "");
    check(&s, "application for vm:web01", 1, SIZE_MAX, "no application took part");
    check(&s, "application for /srv/data", 0, 0, "");
    s.subject.verdict = &empty;
    check(&s, "application", 0, 0, "");
    s.subject.files_level = SP_LEVEL_LIVE;
    s.volumes[0].consistency = SP_LEVEL_LIVE;
    check(&s, "application", 1, SIZE_MAX, "files of / are live");
    set_free(&s);
}

static void
test_patterns(void **state)
{
    struct set s;

    (void)state;
    set_new(&s);
    check(&s, "application for vm:web01", 0, 0, "");
    check(&s, "application for vm:web*", 1, 1, "is demanded of vm:web*");
    check(&s, "crash for vm:web*", 0, 0, "");
    check(&s, "application for vm:web03", 1, SIZE_MAX, "no application in the set is called so");
    check(&s, "live for vm:web03", 1, SIZE_MAX, "called so");
    /* Asked for by its name it is missed, whoever left it out. */
    check(&s, "live for vm:old", 1, 2, "old");
    set_free(&s);
}

static void
test_paths(void **state)
{
    struct set s;

    (void)state;
    set_new(&s);
    s.subject.nvolumes = 3;
    s.subject.files_level = SP_LEVEL_LIVE;
    check(&s, "application for /vm/web01", 0, 0, "");
    check(&s, "application for /vm/web02", 1, 1, "web02");
    /* No application has files there: the volume's level. */
    check(&s, "application for /srv/data", 0, 0, "");
    check(&s, "crash for /srv/share/deep", 1, SIZE_MAX, "/srv/share are live");
    check(&s, "live for /srv/share/deep", 0, 0, "");
    /* And of the volumes below it. */
    check(&s, "crash for /srv", 1, SIZE_MAX, "/srv/share are live");
    s.subject.nvolumes = 0;
    check(&s, "crash for /nowhere", 1, SIZE_MAX, "nothing of it is taken");
    set_free(&s);
}

static void
test_what_then(void **state)
{
    struct sp_demands d = demands("application", "application for vm:web02 else leave-out");
    struct sp_demand_findings f = {0};
    struct set s;

    (void)state;
    set_new(&s);
    assert_ok(sp_demands_check(&d, &s.subject, &f, e));
    assert_int_equal(f.n, 2);
    assert_int_equal(f.v[0].below, SP_BELOW_DISCARD);
    assert_int_equal(f.v[1].below, SP_BELOW_LEAVE_OUT);
    sp_demand_findings_clear(&f);
    d.below = SP_BELOW_KEEP;
    assert_ok(sp_demands_check(&d, &s.subject, &f, e));
    assert_int_equal(f.v[0].below, SP_BELOW_KEEP);
    assert_int_equal(f.v[1].below, SP_BELOW_LEAVE_OUT);
    sp_demand_findings_clear(&f);
    sp_demands_clear(&d);
    set_free(&s);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_forms),
        cmocka_unit_test(test_wrong_forms), cmocka_unit_test(test_whole_set),
        cmocka_unit_test(test_no_applications), cmocka_unit_test(test_patterns),
        cmocka_unit_test(test_paths), cmocka_unit_test(test_what_then)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
