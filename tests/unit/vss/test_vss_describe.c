/* What components are called by an administrator. */

#include "tests/unit/vss/writers.h"

#include "vss/describe.h"

struct row {
    const char *class_id, *logical_path, *name, *caption;
    enum sp_unit_kind kind;
    const char *unit, *method;
};

#define GUID "9A3B1C5E-0000-1111-2222-333344445555"

static const struct row rows[] = {
    /* Hyper-V until 2012 */
    {HYPER_V, "", GUID, "Backup Using Child Partition Snapshot\\web01", SP_UNIT_VM, "web01",
        "Child Partition Snapshot"},
    {HYPER_V, "", GUID, "Backup Using Saved State\\web01", SP_UNIT_VM, "web01", "Saved State"},
    {HYPER_V, "", "Initial Store", "Initial Store", SP_UNIT_HOST, "Initial Store", NULL},
    /* and since 2012 R2 */
    {HYPER_V, "", GUID, "Online\\web01", SP_UNIT_VM, "web01", "Online"},
    {HYPER_V, "", GUID, "Offline\\web01", SP_UNIT_VM, "web01", "Offline"},
    {HYPER_V, "", "Host Component", "Host Component", SP_UNIT_HOST, "Host Component", NULL},
    {HYPER_V, "", "host component", "Host\\Component", SP_UNIT_HOST, "Host\\Component", NULL},
    {HYPER_V, "", GUID, "ONLINE\\web01", SP_UNIT_VM, "web01", "Online"},
    /* names that mislead */
    {HYPER_V, "", GUID, "Online\\team\\web01", SP_UNIT_VM, "team\\web01", "Online"},
    {HYPER_V, "", GUID, "Offline\\Online\\x", SP_UNIT_VM, "Online\\x", "Offline"},
    {HYPER_V, "", GUID, "Online\\Offline", SP_UNIT_VM, "Offline", "Online"},
    {HYPER_V, "", GUID, "Online\\Backup Using Saved State\\a", SP_UNIT_VM,
        "Backup Using Saved State\\a", "Online"},
    {HYPER_V, "", GUID, "Online\\Host Component", SP_UNIT_VM, "Host Component", "Online"},
    {HYPER_V, "", GUID, "Online\\\\x", SP_UNIT_VM, "\\x", "Online"},
    /* without a method that can be told */
    {HYPER_V, "", GUID, "Online", SP_UNIT_VM, "Online", "unknown"},
    {HYPER_V, "", GUID, "Online\\", SP_UNIT_VM, "Online\\", "unknown"},
    {HYPER_V, "", GUID, "\\web01", SP_UNIT_VM, "\\web01", "unknown"},
    {HYPER_V, "", GUID, "", SP_UNIT_VM, GUID, "unknown"},
    {HYPER_V, "", "", "", SP_UNIT_VM, "The writer", "unknown"},
    {HYPER_V, "", GUID, "En ligne\\web01", SP_UNIT_VM, "web01", "En ligne"},
    /* SQL Server */
    {SQL_SERVER, "SRV\\INST", "DB1", "", SP_UNIT_DATABASE, "SRV\\INST/DB1", NULL},
    {SQL_SERVER, "SRV", "master", "a caption", SP_UNIT_DATABASE, "SRV/master", NULL},
    {SQL_SERVER, "SRV\\INST\\DB1", "catalog", "", SP_UNIT_DATABASE, "SRV\\INST\\DB1/catalog", NULL},
    {SQL_SERVER, "", "SRV", "", SP_UNIT_DATABASE, "SRV", NULL},
    {"A65FAA63-5EA8-4EBC-9DBD-A0C4DB26912A", "S", "D", "", SP_UNIT_DATABASE, "S/D", NULL},
    /* System State */
    {SYSTEM_WRITER, "", "System Files", "System Files", SP_UNIT_SYSTEM, "System Files", NULL},
    {"be000cbe-11fe-4426-9c58-531aa6355fc4", "ASR", "ASR", "ASR", SP_UNIT_SYSTEM, "ASR", NULL},
    /* any other */
    {OTHER_WRITER, "a\\b", "name", "A caption", SP_UNIT_OTHER, "A caption", NULL},
    {OTHER_WRITER, "a\\b", "name", "", SP_UNIT_OTHER, "name", NULL},
    {OTHER_WRITER, "", "", "", SP_UNIT_OTHER, "The writer", NULL},
};

static void
check(const struct sp_vss_writer *w, const struct sp_vss_component *c, const struct row *r)
{
    struct sp_unit u = {0};
    struct sp_err e;

    assert_int_equal(sp_vss_describe(w, c, &u, &e), SP_OK);
    assert_int_equal(u.kind, r->kind);
    assert_string_equal(u.name, r->unit);
    if (r->method != NULL)
        assert_string_equal(u.method, r->method);
    else
        assert_null(u.method);
    sp_unit_clear(&u);
    assert_null(u.name);
}

static void
test_names(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct sp_vss_metadata m = {0};
        struct sp_vss_writer *w = add_writer(&m, rows[i].class_id, "The writer");

        check(w, add_component(w, rows[i].logical_path, rows[i].name, rows[i].caption, true),
            &rows[i]);
        sp_vss_metadata_clear(&m);
    }
}

/* By what a writer says of itself (ne-vss-vss_usage_type), unless a component says no. */
static void
test_system_state(void **state)
{
    static const enum sp_unit_kind by_usage[] = {
        SP_UNIT_OTHER, SP_UNIT_SYSTEM, SP_UNIT_SYSTEM, SP_UNIT_OTHER, SP_UNIT_OTHER};
    struct sp_vss_metadata m = {0};
    struct sp_vss_writer *w = add_writer(&m, OTHER_WRITER, "Registry Writer");
    struct sp_vss_component *c = add_component(w, "", "Registry", "", false);
    struct row r = {.unit = "Registry"};

    (void)state;
    for (uint32_t usage = 0; usage < 5; usage++) {
        w->usage = usage;
        r.kind = by_usage[usage];
        check(w, c, &r);
    }
    c->flags = 4;
    r.kind = SP_UNIT_OTHER;
    w->usage = 1;
    check(w, c, &r);
    memcpy(w->class_id, SYSTEM_WRITER, 37);
    check(w, c, &r);
    memcpy(w->class_id, SQL_SERVER, 37); /* a database stays one */
    r.kind = SP_UNIT_DATABASE;
    check(w, c, &r);
    sp_vss_metadata_clear(&m);
}

static void
test_exchange(void **state)
{
    static const char up[] = "Microsoft Exchange Server\\Microsoft Information Store\\MAIL1";
    struct sp_vss_metadata m = {0};
    struct sp_vss_writer *w = add_writer(&m, EXCHANGE, "Microsoft Exchange Writer");
    struct row r = {.kind = SP_UNIT_MAILBOXES};

    (void)state;
    add_component(w, "", "Microsoft Exchange Server", "", false);
    add_component(w, "Microsoft Exchange Server", "Microsoft Information Store", "", false);
    add_component(w, up, GUID, "Sales", true);
    add_component(w, up, "9A3B", "Part", true); /* begins like the other, and is another */
    add_component(w, "Microsoft Exchange Server\\Microsoft Information Store\\MAIL1\\" GUID, "Logs",
        "", false);
    add_component(w,
        "Microsoft Exchange Server\\Microsoft Information Store\\MAIL1\\" GUID "\\deep", "File",
        "The file", false);
    r.unit = "Microsoft Information Store";
    check(w, &w->components[1], &r);
    r.unit = "Sales";
    check(w, &w->components[2], &r);
    r.unit = "Sales/Logs";
    check(w, &w->components[4], &r);
    r.unit = "Sales/The file";
    check(w, &w->components[5], &r);
    sp_vss_metadata_clear(&m);
}

static void
test_methods(void **state)
{
    (void)state;
    assert_int_equal(sp_vss_method_cap(NULL), SP_LEVEL_APPLICATION);
    assert_int_equal(sp_vss_method_cap("Online"), SP_LEVEL_APPLICATION);
    assert_int_equal(sp_vss_method_cap("Child Partition Snapshot"), SP_LEVEL_APPLICATION);
    assert_int_equal(sp_vss_method_cap("En ligne"), SP_LEVEL_CRASH);
    assert_int_equal(sp_vss_method_cap("Offline"), SP_LEVEL_CRASH);
    assert_int_equal(sp_vss_method_cap("offLINE"), SP_LEVEL_CRASH);
    assert_int_equal(sp_vss_method_cap("Saved State"), SP_LEVEL_CRASH);
    assert_int_equal(sp_vss_method_cap("Saved"), SP_LEVEL_CRASH);
    assert_true(sp_vss_is_hyper_v(HYPER_V));
    assert_true(sp_vss_is_hyper_v("66841CD4-6DED-4F4B-8F17-FD23F8DDC3DE"));
    assert_false(sp_vss_is_hyper_v(SQL_SERVER));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_system_state),
        cmocka_unit_test(test_exchange),
        cmocka_unit_test(test_methods),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
