/* Dependencies, what writers exclude, and metadata that nobody sane would give. */

#include "tests/unit/vss/world.h"

#define WRITER_B "22222222-2222-3333-4444-555555555555"
#define WRITER_C "33333333-2222-3333-4444-555555555555"

static bool
depends_on(const struct world *w, const char *unit, const char *other)
{
    const struct sp_vss_choice *c = choice(w, unit);

    assert_non_null(c);
    for (size_t i = 0; i < c->ndepends; i++)
        if (strcmp(w->plan.choices[c->depends[i]].unit.name, other) == 0)
            return true;
    return false;
}

/* A needs B needs C needs A: each is added once, and it ends. B and C have no files. */
static void
test_fixpoint(void **state)
{
    struct world w = {0};
    struct sp_vss_component *c;

    (void)state;
    c = add_component(add_writer(&w.m, OTHER_WRITER, "WA"), "", "A", "", true);
    add_file(c, at("/d/a"), "f", false);
    depend(c, "22222222-2222-3333-4444-555555555555", "X\\Y", "b"); /* no case */
    depend(c, WRITER_B, "x\\y", "B");
    depend(c, OTHER_WRITER, "", "A"); /* itself */
    c = add_component(add_writer(&w.m, WRITER_B, "WB"), "x\\y", "B", "", true);
    depend(c, WRITER_C, "", "C");
    c = add_component(add_writer(&w.m, WRITER_C, "WC"), "", "C", "", true);
    depend(c, OTHER_WRITER, "", "A");
    add_component(&w.m.writers[2], "C", "below C", "", false);
    add_component(&w.m.writers[1], "far", "away", "", true);
    root(&w, "/d");
    plan(&w);
    is_added(&w, "A");
    is_added(&w, "B");
    is_added(&w, "C");
    comes_with(&w, "below C", "C");
    is_none(&w, "away");
    assert_true(depends_on(&w, "A", "B"));
    assert_true(depends_on(&w, "A", "A"));
    assert_int_equal(choice(&w, "A")->ndepends, 2); /* each once */
    assert_true(depends_on(&w, "B", "C"));
    assert_true(depends_on(&w, "C", "A"));
    assert_int_equal(w.plan.nlacks, 0);
    world_free(&w);
}

static void
test_needs_what_is_not_there(void **state)
{
    struct world w = {0};
    struct sp_vss_writer *b;
    struct sp_vss_component *c;

    (void)state;
    c = add_component(add_writer(&w.m, OTHER_WRITER, "WA"), "", "A", "", true);
    add_file(c, at("/d/a"), "f", false);
    depend(c, WRITER_B, "p", "outside");
    depend(c, WRITER_B, "p", "partly");
    depend(c, WRITER_B, "p", "excluded");
    depend(c, WRITER_B, "p", "dark");
    depend(c, WRITER_B, "p", "missing");
    depend(c, WRITER_C, "", "no writer");
    b = add_writer(&w.m, WRITER_B, "WB");
    add_file(add_component(b, "p", "outside", "", true), at("/x/a"), "f", false);
    c = add_component(b, "p", "partly", "", true);
    add_file(c, at("/d/p"), "f", false);
    add_file(c, at("/x/p"), "f", false);
    add_file(add_component(b, "p", "excluded", "", true), at("/d/e"), "f", false);
    add_file(add_component(b, "p", "dark", "", true), at("/e/dark"), "f", false);
    root(&w, "/d");
    root(&w, "/e");
    w.dark = "/e";
    application_exclude(&w, "component:WB/p/excluded");
    plan(&w);
    is_added(&w, "A");
    is_none(&w, "outside");
    assert_false(choice(&w, "excluded")->added);
    assert_int_equal(w.plan.nlacks, 6);
    assert_non_null(strstr(w.plan.lacks[0], "A (WA) depends on outside (WB), whose files"));
    assert_non_null(strstr(w.plan.lacks[1], "partly (WB), whose files are not all"));
    assert_non_null(strstr(w.plan.lacks[2], "application-exclude"));
    assert_non_null(strstr(w.plan.lacks[3], "no shadow"));
    assert_non_null(strstr(w.plan.lacks[4], "p\\missing of the writer " WRITER_B));
    assert_non_null(strstr(w.plan.lacks[5], WRITER_C ", which is not on this machine"));
    /* those that are told of are edges all the same: the verdict looks at them */
    assert_true(depends_on(&w, "A", "partly"));
    assert_true(depends_on(&w, "A", "excluded"));
    assert_true(depends_on(&w, "A", "dark"));
    assert_int_equal(choice(&w, "A")->ndepends, 3);
    world_free(&w);
}

/* A dependency on a part is met by what it comes with; DB1 is not DB10 here either. */
static void
test_needs_a_part(void **state)
{
    struct world w = {0};
    struct sp_vss_writer *b;
    struct sp_vss_component *c;

    (void)state;
    c = add_component(add_writer(&w.m, OTHER_WRITER, "WA"), "", "A", "", true);
    add_file(c, at("/d/a"), "f", false);
    depend(c, WRITER_B, "DB1", "part");
    b = add_writer(&w.m, WRITER_B, "WB");
    add_component(b, "", "DB1", "", true);
    add_component(b, "DB1", "part", "", false);
    add_component(b, "", "DB10", "", true);
    root(&w, "/d");
    plan(&w);
    is_added(&w, "DB1");
    comes_with(&w, "part", "DB1");
    is_none(&w, "DB10");
    assert_true(depends_on(&w, "A", "part"));
    world_free(&w);
}

/* --- excludes --------------------------------------------------------------------------------- */

static void
exclude(struct sp_vss_writer *w, const char *path, const char *spec, bool recursive)
{
    struct sp_err e;

    assert_int_equal(
        sp_vss_files_add(&w->excludes, &w->nexcludes, path, spec, recursive, "", SP_VSS_FILE, &e),
        SP_OK);
}

static void
test_excludes(void **state)
{
    static const char *const want[] = {
        "/a\\ b/\\[x\\]\\!\\#/page.sys",
        "/a/?.tmp",
        "!/a/?.tmp/",
        "/a/*",
        "!/a/*/",
        "/a/**/*.log",
        "!/a/**/*.log/",
        "/a/**/one",
        "/a/tmp/*",
        "/all/*",
    };
    struct world w = {0};
    struct sp_vss_writer *writer = add_writer(&w.m, OTHER_WRITER, "Other");

    (void)state;
    add_file(add_component(writer, "", "A", "", true), at("/d/a"), "f", false);
    exclude(writer, at("/d/a/tmp"), "*", true);
    exclude(writer, at("/d/a b/[x]!#"), "page.sys", false);
    exclude(writer, at("/d/a"), "?.tmp", false);
    exclude(writer, at("/d/a"), "*", false);
    exclude(writer, at("/d/a"), "*.log", true);
    exclude(writer, at("/d/a"), "one", true);
    exclude(writer, at("/d/all"), "*.*", true);
    exclude(writer, "relative", "*", true);
    exclude(writer, at("/d/a"), "", true);
    exclude(writer, at("/d/a"), "../b", false);
    exclude(writer, at("/d/a"), "b\nc", false);
    writer = add_writer(&w.m, WRITER_B, "Not concerned");
    add_file(add_component(writer, "", "B", "", true), at("/x"), "f", false);
    exclude(writer, at("/d/b"), "*", true);
    root(&w, "/d");
    plan(&w);
    assert_int_equal(w.plan.nexcludes, sizeof want / sizeof want[0]);
    for (size_t i = 0; i < w.plan.nexcludes; i++) {
        const char *p = w.plan.excludes[i], *folder = sp_path_backslash ? "/D:" : "/d";
        size_t back = *p == '!', n = strlen(folder);

        assert_int_equal(want[i][0] == '!', back);
        assert_int_equal(strncmp(p + back, folder, n), 0);
        assert_string_equal(p + back + n, want[i] + back);
    }
    application_exclude(&w, "writer:Other"); /* nobody takes part: nothing is left out */
    plan(&w);
    assert_int_equal(w.plan.nexcludes, 0);
    world_free(&w);
}

/* --- hostile ---------------------------------------------------------------------------------- */

static void
test_ten_thousand(void **state)
{
    struct world w = {0};
    struct sp_vss_writer *writer = add_writer(&w.m, OTHER_WRITER, "Many");

    (void)state;
    for (int i = 0; i < 10000; i++) {
        char name[32], path[64];
        struct sp_vss_component *c;

        snprintf(name, sizeof name, "c%d", i);
        snprintf(path, sizeof path, "/d/many/%d", i);
        c = add_component(writer, i % 100 == 0 ? "" : "c0\\x", name, "", i % 2 == 0);
        add_file(c, at(path), "f", false);
        snprintf(name, sizeof name, "c%d", (i + 100) % 10000);
        depend(c, OTHER_WRITER, "", name);
    }
    application(&w, "other:*");
    application(&w, "component:Many/**");
    plan(&w);
    assert_int_equal(w.plan.nchoices, 10000);
    assert_int_equal(w.plan.nroots, 10000);
    is_added(&w, "c0");
    is_added(&w, "c100");
    comes_with(&w, "c1", "c0");
    assert_int_equal(w.plan.nlacks, 9900);
    world_free(&w);
}

/* Each below the one before, so deep that any recursion would end the program. */
static void
test_deep(void **state)
{
    struct world w = {0};
    struct sp_vss_writer *writer = add_writer(&w.m, EXCHANGE, "Deep");
    char path[4 * 1000] = "";

    (void)state;
    for (int i = 0; i < 1000; i++) {
        char name[32];

        snprintf(name, sizeof name, "n%d", i);
        add_component(writer, path, "n", name, true);
        if (i > 0)
            strcat(path, "\\");
        strcat(path, "n");
    }
    add_file(&writer->components[999], at("/d"), "f", false);
    root(&w, "/d");
    plan(&w);
    assert_int_equal(w.plan.nchoices, 1000);
    is_added(&w, "n0");
    assert_int_equal(w.plan.choices[999].parent, 0);
    world_free(&w);
}

/* No names, names twice, a name that is another's path, parts of nothing. */
static void
test_odd_names(void **state)
{
    struct world w = {0};
    struct sp_vss_writer *writer = add_writer(&w.m, OTHER_WRITER, "");
    struct sp_vss_component *c;

    (void)state;
    c = add_component(writer, "", "", "", true);
    add_file(c, at("/x"), "f", false);
    depend(c, "", "", "");
    c = add_component(writer, "\\\\\\", "", "none", true);
    add_file(c, at("/d/none"), "f", false);
    depend(c, OTHER_WRITER, "", "");
    add_file(add_component(writer, "a", "b", "first", true), at("/d/1"), "f", false);
    add_file(add_component(writer, "a", "b", "second", true), at("/d/2"), "f", false);
    add_file(add_component(writer, "", "a\\b", "third", true), at("/d/3"), "f", false);
    add_file(add_component(writer, "a\\b", "", "fourth", true), at("/d/4"), "f", false);
    add_file(add_component(writer, "a\\b", "below", "below", true), at("/d/5"), "f", false);
    c = add_component(writer, "", "bad files", "", true);
    add_file(c, "", "", false);
    add_file(c, "..", "..", true);
    add_file(c, at("/d"), "", false);
    root(&w, "/d");
    plan(&w);
    is_added(&w, "none"); /* nobody's ancestor, nobody's part */
    is_added(&w, "first");
    is_added(&w, "second");
    is_added(&w, "third");
    is_added(&w, "fourth");
    assert_true(choice(&w, "below")->parent != SIZE_MAX);
    assert_int_equal(choice(&w, "bad files")->why, SP_WHY_PARTLY_OUTSIDE);
    world_free(&w);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fixpoint),
        cmocka_unit_test(test_needs_what_is_not_there),
        cmocka_unit_test(test_needs_a_part),
        cmocka_unit_test(test_excludes),
        cmocka_unit_test(test_ten_thousand),
        cmocka_unit_test(test_deep),
        cmocka_unit_test(test_odd_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
