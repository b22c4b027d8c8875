/* Which components take part in a backup: the set, the tree of logical paths, volumes, patterns. */

#include "tests/unit/vss/world.h"

static void
sql(struct world *w, const char *db, const char *data, const char *logs)
{
    struct sp_vss_writer *writer =
        w->m.nwriters > 0 ? &w->m.writers[0] : add_writer(&w->m, SQL_SERVER, "SqlServerWriter");
    struct sp_vss_component *c = add_component(writer, "SRV\\INST", db, "", true);
    char name[32];

    snprintf(name, sizeof name, "%s.mdf", db);
    add_file(c, at(data), name, false);
    snprintf(name, sizeof name, "%s.ldf", db);
    add_file(c, at(logs), name, false);
}

/* --- the set ---------------------------------------------------------------------------------- */

static void
test_in_the_set(void **state)
{
    struct world w = {0};
    const struct sp_vss_choice *c;

    (void)state;
    sql(&w, "DB1", "/d/sql", "/e/logs");
    sql(&w, "DB2", "/f/sql", "/f/sql");
    root(&w, "/d");
    root(&w, "/e/logs");
    plan(&w);
    is_added(&w, "SRV\\INST/DB1");
    is_none(&w, "SRV\\INST/DB2");
    assert_int_equal(w.plan.nchoices, 1);
    c = choice(&w, "SRV\\INST/DB1");
    assert_int_equal(c->unit.kind, SP_UNIT_DATABASE);
    assert_int_equal(c->writer, 0);
    assert_int_equal(c->component, 0);
    assert_false(c->asked);
    assert_int_equal(c->npaths, 2);
    assert_string_equal(c->paths[0], at("/d/sql/DB1.mdf"));
    assert_string_equal(c->paths[1], at("/e/logs/DB1.ldf"));
    assert_int_equal(w.plan.nroots, 0);
    assert_int_equal(w.plan.nlacks, 0);
    world_free(&w);
}

static void
test_nothing(void **state)
{
    struct world w = {0};

    (void)state;
    plan(&w);
    assert_int_equal(w.plan.nchoices, 0);
    add_writer(&w.m, OTHER_WRITER, "Empty");
    root(&w, "/d");
    plan(&w);
    assert_int_equal(w.plan.nchoices, 0);
    sp_vss_plan_clear(&w.plan);
    world_free(&w);
}

/* A folder's name that begins like a root's is another folder; a root may be the file itself. */
static void
test_whole_names(void **state)
{
    struct world w = {0};

    (void)state;
    sql(&w, "DB1", "/d/sql", "/d/sql");
    sql(&w, "DB2", "/d/sql2", "/d/sql2");
    sql(&w, "DB3", "/d/one", "/d/one");
    root(&w, "/d/sql");
    root(&w, "/d/one/DB3.mdf");
    root(&w, "/d/one/DB3.ldf");
    root(&w, "/d/one/DB");
    plan(&w);
    is_added(&w, "SRV\\INST/DB1");
    is_none(&w, "SRV\\INST/DB2");
    is_added(&w, "SRV\\INST/DB3");
    world_free(&w);
}

static void
test_case(void **state)
{
    struct world w = {0};

    (void)state;
    sql(&w, "DB1", "/d/SQL/\xc3\x84", "/d/sql/\xc3\xa4");
    root(&w, "/d/Sql/\xc3\xa4");
    plan(&w);
    if (sp_path_backslash)
        is_added(&w, "SRV\\INST/DB1");
    else
        is_none(&w, "SRV\\INST/DB1");
    world_free(&w);
}

static void
test_partly_outside(void **state)
{
    struct world w = {0};
    struct sp_vss_component *c;

    (void)state;
    sql(&w, "DB1", "/d/sql", "/e/logs");
    c = add_component(&w.m.writers[0], "SRV\\INST", "ALT", "", true);
    add_file(c, at("/d/sql"), "a.mdf", false);
    free(c->files[0].alternate);
    c->files[0].alternate = copy_of(at("/x/copy"));
    c = add_component(&w.m.writers[0], "SRV\\INST", "ODD", "", true);
    add_file(c, at("/d/sql"), "o.mdf", false);
    add_file(c, "not absolute", "x", false);
    root(&w, "/d");
    plan(&w);
    is_left(&w, "SRV\\INST/DB1", SP_WHY_PARTLY_OUTSIDE, at("/e/logs/DB1.ldf"));
    is_none(&w, "SRV\\INST/ALT"); /* where its content really lies */
    assert_int_equal(choice(&w, "SRV\\INST/ODD")->why, SP_WHY_PARTLY_OUTSIDE);
    root(&w, "/x/copy");
    plan(&w);
    is_added(&w, "SRV\\INST/ALT");
    assert_string_equal(choice(&w, "SRV\\INST/ALT")->paths[0], at("/x/copy/a.mdf"));
    world_free(&w);
}

static void
test_patterns_of_files(void **state)
{
    struct world w = {0};
    struct sp_vss_writer *writer = add_writer(&w.m, OTHER_WRITER, "Other");
    struct sp_vss_component *c;

    (void)state;
    add_file(add_component(writer, "", "flat", "", true), at("/d/flat"), "*.mdf", false);
    add_file(add_component(writer, "", "every", "", true), at("/d/every"), "*", false);
    add_file(add_component(writer, "", "deep", "", true), at("/d/deep"), "*.mdf", true);
    c = add_component(writer, "", "whole", "", true);
    add_file(c, at("/e/whole"), "*", true);
    add_file(c, at("/e/whole"), "more*", true);
    add_file(add_component(writer, "", "other", "", true), at("/d"), "*.sys", false);
    root(&w, "/d/flat/a.mdf");
    root(&w, "/d/every/folder");
    root(&w, "/d/deep/in/here");
    root(&w, "/e");
    plan(&w);
    is_left(&w, "flat", SP_WHY_PARTLY_OUTSIDE, at("/d/flat/*.mdf"));
    is_none(&w, "every");
    is_left(&w, "deep", SP_WHY_PARTLY_OUTSIDE, at("/d/deep/*.mdf"));
    is_added(&w, "whole");
    is_none(&w, "other");
    assert_int_equal(choice(&w, "whole")->npaths, 1);
    assert_string_equal(choice(&w, "whole")->paths[0], at("/e/whole"));
    world_free(&w);
}

static void
test_no_shadow(void **state)
{
    struct world w = {0};
    char detail[300];

    (void)state;
    sql(&w, "DB1", "/d/sql", "/f/logs");
    sql(&w, "DB2", "/d/sql", "/d/sql");
    sql(&w, "DB3", "/f/sql", "/x/logs");
    root(&w, "/d");
    root(&w, "/f");
    w.dark = "/f";
    plan(&w);
    snprintf(detail, sizeof detail, "%s: it is FAT", at("/f/logs/DB1.ldf"));
    is_left(&w, "SRV\\INST/DB1", SP_WHY_NO_SHADOW, detail);
    is_added(&w, "SRV\\INST/DB2");
    is_left(&w, "SRV\\INST/DB3", SP_WHY_PARTLY_OUTSIDE, at("/x/logs/DB3.ldf"));
    world_free(&w);
}

/* --- the tree --------------------------------------------------------------------------------- */

static void
tree(struct world *w)
{
    struct sp_vss_writer *writer = add_writer(&w->m, OTHER_WRITER, "Other");

    add_file(add_component(writer, "", "A", "", true), at("/d/a"), "a", false);
    add_file(add_component(writer, "A", "S", "", true), at("/d/s"), "s", false);
    add_file(add_component(writer, "A\\S", "N", "", false), at("/d/n"), "n", false);
    add_file(add_component(writer, "\\A\\\\", "T", "", true), at("/d/t"), "t", false);
    add_file(add_component(writer, "A1", "U", "", true), at("/d/u"), "u", false);
}

static void
test_with_the_one_above(void **state)
{
    struct world w = {0};

    (void)state;
    tree(&w);
    root(&w, "/d");
    plan(&w);
    is_added(&w, "A");
    comes_with(&w, "S", "A");
    comes_with(&w, "N", "A");
    comes_with(&w, "T", "A");
    is_added(&w, "U"); /* A is no prefix of A1 */
    world_free(&w);
}

static void
test_one_by_one(void **state)
{
    struct world w = {0};

    (void)state;
    tree(&w);
    root(&w, "/d/a");
    root(&w, "/d/s");
    root(&w, "/d/n");
    plan(&w);
    is_left(&w, "A", SP_WHY_PARTLY_OUTSIDE, at("/d/t/t"));
    is_added(&w, "S");
    comes_with(&w, "N", "S");
    is_none(&w, "T");
    world_free(&w);

    tree(&w); /* what cannot be selected has nothing to come with */
    root(&w, "/d/n");
    plan(&w);
    is_left(&w, "N", SP_WHY_PARTLY_OUTSIDE, at("/d/s/s"));
    is_none(&w, "S");
    is_none(&w, "A");
    world_free(&w);

    tree(&w); /* nor is a part without a shadow */
    root(&w, "/d");
    w.dark = "/d/t";
    plan(&w);
    assert_int_equal(choice(&w, "A")->why, SP_WHY_NO_SHADOW);
    is_added(&w, "S");
    assert_int_equal(choice(&w, "T")->why, SP_WHY_NO_SHADOW);
    world_free(&w);
}

/* DB1 is a database, DB10 another; what lies below DB1 is DB1's alone. */
static void
test_whole_parts(void **state)
{
    struct world w = {0};
    struct sp_vss_component *c;

    (void)state;
    sql(&w, "DB1", "/d/sql", "/d/sql");
    sql(&w, "DB10", "/d/sql", "/x/logs");
    c = add_component(&w.m.writers[0], "SRV\\INST\\DB1", "catalog", "", true);
    add_file(c, at("/d/text"), "*", true);
    c = add_component(&w.m.writers[0], "SRV\\INST\\DB10", "catalog10", "", true);
    add_file(c, at("/d/text10"), "*", true);
    root(&w, "/d");
    plan(&w);
    is_added(&w, "SRV\\INST/DB1");
    is_left(&w, "SRV\\INST/DB10", SP_WHY_PARTLY_OUTSIDE, at("/x/logs/DB10.ldf"));
    comes_with(&w, "SRV\\INST\\DB1/catalog", "SRV\\INST/DB1");
    is_added(&w, "SRV\\INST\\DB10/catalog10");
    world_free(&w);
}

/* What cannot be selected stands for itself alone, and holds nobody. */
static void
test_not_selectable(void **state)
{
    struct world w = {0};
    struct sp_vss_writer *writer = add_writer(&w.m, OTHER_WRITER, "Other");

    (void)state;
    add_file(add_component(writer, "", "Top", "", false), at("/d/top"), "t", false);
    add_component(writer, "Top", "Group", "", false);
    add_file(add_component(writer, "Top\\Group", "In", "", true), at("/d/in"), "i", false);
    add_file(add_component(writer, "Top\\Group", "Out", "", true), at("/x/out"), "o", false);
    root(&w, "/d");
    plan(&w);
    is_added(&w, "Top");
    is_added(&w, "Group"); /* metadata only, above what is in the set */
    is_added(&w, "In");
    is_none(&w, "Out");
    world_free(&w);
}

static void
test_metadata_only(void **state)
{
    struct world w = {0};
    struct sp_vss_writer *writer = add_writer(&w.m, OTHER_WRITER, "Other"), *other;

    (void)state;
    add_component(writer, "a", "beside", "", true);
    add_file(add_component(writer, "a", "files", "", true), at("/d"), "f", false);
    add_component(writer, "a\\files", "below", "", true);
    add_component(writer, "b", "far", "", true);
    other = add_writer(&w.m, "22222222-2222-3333-4444-555555555555", "Other");
    add_component(other, "a", "stranger", "", true);
    root(&w, "/d");
    plan(&w);
    is_added(&w, "beside");
    is_added(&w, "files");
    comes_with(&w, "below", "files");
    is_none(&w, "far");
    is_none(&w, "stranger");
    world_free(&w);
}

/* A group that could be selected, but for what is outside, is no application of its own when it has
 * no files. */
static void
test_group_partly_outside(void **state)
{
    struct world w = {0};

    (void)state;
    sql(&w, "DB1", "/d/sql", "/d/sql");
    sql(&w, "DB2", "/x/sql", "/x/sql");
    add_component(&w.m.writers[0], "SRV", "INST", "", true);
    root(&w, "/d");
    plan(&w);
    is_added(&w, "SRV\\INST/DB1");
    is_none(&w, "SRV\\INST/DB2");
    is_none(&w, "SRV/INST");
    root(&w, "/x");
    plan(&w);
    is_added(&w, "SRV/INST");
    comes_with(&w, "SRV\\INST/DB1", "SRV/INST");
    comes_with(&w, "SRV\\INST/DB2", "SRV/INST");
    world_free(&w);
}

/* --- patterns --------------------------------------------------------------------------------- */

static void
test_asked(void **state)
{
    struct world w = {0};

    (void)state;
    sql(&w, "DB1", "/d/sql", "/e/logs");
    sql(&w, "DB10", "/d/sql", "/f/logs");
    sql(&w, "DB2", "/d/sql", "/d/sql");
    root(&w, "/e");
    application(&w, "database:*\\DB1");
    application(&w, "vm:web09");
    plan(&w);
    is_added(&w, "SRV\\INST/DB1");
    assert_true(choice(&w, "SRV\\INST/DB1")->asked);
    is_none(&w, "SRV\\INST/DB10");
    is_none(&w, "SRV\\INST/DB2");
    assert_int_equal(w.plan.nroots, 1); /* /e is there already */
    assert_string_equal(w.plan.roots[0], at("/d/sql/DB1.mdf"));
    assert_int_equal(w.plan.nlacks, 1);
    assert_non_null(strstr(w.plan.lacks[0], "'vm:web09'"));
    world_free(&w);
}

static void
test_asked_roots(void **state)
{
    struct world w = {0};
    struct sp_vss_writer *writer = add_writer(&w.m, OTHER_WRITER, "Other");
    struct sp_vss_component *c = add_component(writer, "", "A", "", true);

    (void)state;
    add_file(c, at("/d/a"), "*", true);
    add_file(c, at("/d/a/inside"), "f", false);
    add_file(c, at("/d/a1"), "f", false);
    add_file(c, at("/d/a1"), "f", false);
    add_file(add_component(writer, "A", "below", "", false), at("/e"), "f", false);
    application(&w, "component:Other/A");
    plan(&w);
    is_added(&w, "A");
    comes_with(&w, "below", "A");
    assert_true(choice(&w, "below")->asked);
    assert_int_equal(w.plan.nroots, 3);
    assert_string_equal(w.plan.roots[0], at("/d/a"));
    assert_string_equal(w.plan.roots[1], at("/d/a1/f"));
    assert_string_equal(w.plan.roots[2], at("/e/f"));
    world_free(&w);
}

/* A part that cannot come alone is asked for with what it comes with. */
static void
test_asked_part(void **state)
{
    struct world w = {0};

    (void)state;
    tree(&w);
    application(&w, "component:Other/A/S/N");
    plan(&w);
    is_none(&w, "A");
    is_added(&w, "S");
    comes_with(&w, "N", "S");
    assert_true(choice(&w, "S")->asked);
    assert_int_equal(w.plan.nroots, 2);
    world_free(&w);
}

static void
test_no_whole_volume(void **state)
{
    struct world w = {0};
    struct sp_vss_component *c =
        add_component(add_writer(&w.m, OTHER_WRITER, "Other"), "", "boot", "", true);

    (void)state;
    add_file(c, sp_path_backslash ? "C:\\" : "/", "*.sys", false);
    add_file(c, at("/d/x"), "f", false);
    application(&w, "other:boot");
    plan(&w);
    assert_int_equal(w.plan.nroots, 1);
    assert_int_equal(w.plan.nlacks, 1);
    assert_non_null(strstr(w.plan.lacks[0], "whole volume"));
    assert_int_equal(choice(&w, "boot")->why, SP_WHY_PARTLY_OUTSIDE);
    world_free(&w);
}

static void
test_asked_without_shadow(void **state)
{
    struct world w = {0};

    (void)state;
    sql(&w, "DB1", "/f/sql", "/f/sql");
    application(&w, "database:*");
    w.dark = "/f";
    plan(&w);
    assert_int_equal(w.plan.nroots, 2);
    assert_int_equal(choice(&w, "SRV\\INST/DB1")->why, SP_WHY_NO_SHADOW);
    world_free(&w);
}

static void
test_excluded(void **state)
{
    struct world w = {0};

    (void)state;
    sql(&w, "DB1", "/d/sql", "/d/sql");
    sql(&w, "DB10", "/d/sql", "/d/sql");
    add_file(
        add_component(&w.m.writers[0], "SRV\\INST\\DB1", "text", "", true), at("/d"), "t", false);
    add_component(&w.m.writers[0], "SRV", "INST", "", true);
    root(&w, "/d");
    application(&w, "database:*");
    application_exclude(&w, "database:*\\DB1");
    plan(&w);
    is_left(&w, "SRV\\INST/DB1", SP_WHY_NOT_CHOSEN, NULL);
    is_left(&w, "SRV\\INST\\DB1/text", SP_WHY_NOT_CHOSEN, NULL);
    is_added(&w, "SRV\\INST/DB10");
    /* it would have brought DB1 with it */
    is_left(&w, "SRV/INST", SP_WHY_NOT_CHOSEN, "SRV\\INST/DB1 (SqlServerWriter)");
    world_free(&w);
}

static void
test_excluded_brings_no_roots(void **state)
{
    struct world w = {0};

    (void)state;
    sql(&w, "DB1", "/d/sql", "/d/sql");
    sql(&w, "DB2", "/d/sql", "/d/sql");
    application(&w, "writer:SqlServerWriter");
    application_exclude(&w, "database:*\\DB1");
    plan(&w);
    assert_int_equal(w.plan.nroots, 2);
    is_added(&w, "SRV\\INST/DB2");
    assert_int_equal(choice(&w, "SRV\\INST/DB1")->why, SP_WHY_NOT_CHOSEN);
    world_free(&w);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_in_the_set),
        cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_whole_names),
        cmocka_unit_test(test_case),
        cmocka_unit_test(test_partly_outside),
        cmocka_unit_test(test_patterns_of_files),
        cmocka_unit_test(test_no_shadow),
        cmocka_unit_test(test_with_the_one_above),
        cmocka_unit_test(test_one_by_one),
        cmocka_unit_test(test_whole_parts),
        cmocka_unit_test(test_not_selectable),
        cmocka_unit_test(test_metadata_only),
        cmocka_unit_test(test_group_partly_outside),
        cmocka_unit_test(test_asked),
        cmocka_unit_test(test_asked_roots),
        cmocka_unit_test(test_asked_part),
        cmocka_unit_test(test_no_whole_volume),
        cmocka_unit_test(test_asked_without_shadow),
        cmocka_unit_test(test_excluded),
        cmocka_unit_test(test_excluded_brings_no_roots),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
