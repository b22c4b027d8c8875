/* How a job names applications. */

#include "tests/unit/vss/writers.h"

#include "vss/pattern.h"

static struct sp_vss_pattern *
pattern(const char *text)
{
    struct sp_vss_pattern *p = NULL;
    struct sp_err e = {0};

    if (sp_vss_pattern_new(text, &p, &e) != SP_OK)
        fail_msg("%s: %s", text, e.text);
    assert_string_equal(sp_vss_pattern_text(p), text);
    return p;
}

static const struct sp_vss_subject db1 = {
    .writer = "SqlServerWriter",
    .writer_id = SQL_SERVER,
    .logical_path = "SRV\\INST",
    .name = "DB1",
    .kind = SP_UNIT_DATABASE,
    .unit = "SRV\\INST/DB1",
    .paths = (const char *const[]){"D:\\data\\DB1.mdf", "E:\\logs\\DB1.ldf"},
    .npaths = 2,
};

static void
test_applications(void **state)
{
    static const char *const yes[] = {"database:SRV\\INST/DB1", "database:srv\\inst\\db1",
        "DATABASE:*\\DB1", "database:*/DB?", "database:*", "database:S*I*B1",
        "writer:sqlserverwriter", "writer:" SQL_SERVER,
        "writer:{A65FAA63-5EA8-4EBC-9DBD-A0C4DB26912A}", "writer:*",
        "component:SqlServerWriter/SRV\\INST/DB1", "component:SqlServerWriter\\srv/inst\\db1",
        "component:{" SQL_SERVER "}/SRV/INST/DB1", "component:Sql*/*/*/DB?",
        "component:SqlServerWriter/**/DB1", "component:SqlServerWriter/**", "component:**/DB1",
        "component:**", "component:**/INST/**", "component:SqlServerWriter/**/SRV/**/DB1/**"};
    static const char *const no[] = {"database:DB1", "database:SRV\\INST/DB",
        "database:SRV\\INST/DB10", "database:*\\B1", "vm:SRV\\INST/DB1", "other:*", "system:*",
        "document:*", "writer:SqlServer", "writer:?", "component:SqlServerWriter/SRV\\INST/DB10",
        "component:SqlServerWriter/SRV\\INST", "component:SqlServerWriter/SRV\\INST/DB1/more",
        "component:SqlServerWriter/*/DB1", "component:SqlServerWriter/DB1", "component:*/*",
        "component:**/DB", "component:**/INST", "component:" HYPER_V "/**"};

    (void)state;
    for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++) {
        struct sp_vss_pattern *p = pattern(yes[i]);

        if (!sp_vss_pattern_match(p, &db1))
            fail_msg("%s", yes[i]);
        assert_false(sp_vss_pattern_is_path(p));
        assert_false(sp_vss_pattern_covers(p, "D:\\data", true));
        sp_vss_pattern_free(p);
    }
    for (size_t i = 0; i < sizeof no / sizeof no[0]; i++) {
        struct sp_vss_pattern *p = pattern(no[i]);

        if (sp_vss_pattern_match(p, &db1))
            fail_msg("%s", no[i]);
        sp_vss_pattern_free(p);
    }
    sp_vss_pattern_free(NULL);
}

/* DB1 is no prefix of DB10, nor the other way round, in every form. */
static void
test_whole_parts(void **state)
{
    static const char *const of_db1[] = {"database:*\\DB1", "database:SRV\\INST/DB1",
        "component:*/SRV\\INST/DB1", "component:**/DB1", "D:\\data\\DB1"};
    struct sp_vss_subject db10 = db1, below = db1;

    (void)state;
    db10.name = "DB10";
    db10.unit = "SRV\\INST/DB10";
    db10.paths = (const char *const[]){"D:\\data\\DB10\\a.mdf"};
    db10.npaths = 1;
    below.paths = (const char *const[]){"D:\\data\\DB1\\a.mdf"};
    below.npaths = 1;
    for (size_t i = 0; i < sizeof of_db1 / sizeof of_db1[0]; i++) {
        struct sp_vss_pattern *p = pattern(of_db1[i]);

        assert_true(sp_vss_pattern_match(p, &below));
        if (sp_vss_pattern_match(p, &db10))
            fail_msg("%s", of_db1[i]);
        sp_vss_pattern_free(p);
    }
}

struct cover {
    const char *pattern, *path;
    bool covers, above;
};

static void
test_paths(void **state)
{
    static const struct cover rows[] = {
        {"D:\\VMs\\web01", "D:\\VMs\\web01", true, true},
        {"D:\\VMs\\web01", "d:\\vms\\WEB01\\disk.vhdx", true, true},
        {"D:/VMs/web01/", "D:\\VMs\\web01\\disk.vhdx", true, true},
        {"D:\\VMs\\web01", "D:\\VMs\\web010", false, false},
        {"D:\\VMs\\web01", "D:\\VMs", false, true},
        {"D:\\VMs\\web01", "D:\\", false, true},
        {"D:\\VMs\\web01", "E:\\VMs\\web01", false, false},
        {"D:\\VMs\\*", "D:\\VMs\\web01\\disk.vhdx", true, true},
        {"D:\\VMs\\*", "D:\\VMs", false, true},
        {"D:\\*\\web01", "D:\\a\\b\\web01", false, false},
        {"D:\\*\\web01", "D:\\a\\web01\\x", true, true},
        {"D:\\", "D:\\x", true, true},
        {"D:", "D:\\x", true, true},
        {"\\\\?\\D:\\VMs", "D:\\VMs\\x", true, true},
        {"D:\\VMs", "\\\\?\\D:\\VMs\\x", true, true},
        {"\\\\srv\\share\\a", "\\\\SRV\\share\\a\\b", true, true},
        {"\\\\srv\\share\\a", "\\\\?\\UNC\\srv\\share\\a\\b", true, true},
        {"\\\\srv\\share\\a", "\\\\srv\\share", false, true},
        {"\\\\?\\Volume{1}\\a", "\\\\?\\volume{1}\\a\\b", true, true},
        {"\\\\D:\\VMs", "D:\\VMs", false, false},
        {"/srv/vm", "/srv/vm", true, true},
        {"/srv/vm", "/srv/vm/x/y", true, true},
        {"/srv/vm", "/srv/VM/x", false, false},
        {"/srv/vm", "/srv/vmx", false, false},
        {"/srv/vm", "/srv", false, true},
        {"/srv/vm", "/", false, true},
        {"/", "/srv", true, true},
        {"/srv/\xc3\xa9?", "/srv/\xc3\xa9\xc3\xa9", true, true},
        {"/srv/a\\b", "/srv/a\\b/c", true, true},
        {"/srv/a/b", "/srv/a\\b", false, false},
        {"/D:/VMs", "D:\\VMs", false, false},
        {"/srv/**", "/srv/a/b", true, true},
        {"/srv", "srv", false, false},
        {"/srv", "", false, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct sp_vss_pattern *p = pattern(rows[i].pattern);
        struct sp_vss_subject s = {.paths = &rows[i].path, .npaths = 1};

        assert_true(sp_vss_pattern_is_path(p));
        if (sp_vss_pattern_covers(p, rows[i].path, false) != rows[i].covers)
            fail_msg("%s covers %s", rows[i].pattern, rows[i].path);
        if (sp_vss_pattern_covers(p, rows[i].path, true) != rows[i].above)
            fail_msg("%s covers or lies below %s", rows[i].pattern, rows[i].path);
        assert_int_equal(sp_vss_pattern_match(p, &s), rows[i].covers);
        sp_vss_pattern_free(p);
    }
}

static void
test_verdict(void **state)
{
    struct sp_verdict v = {0};
    struct sp_verdict_writer *w;
    struct sp_verdict_component *c;
    struct sp_vss_pattern *of_writer = pattern("writer:Hyper*"), *of_vm = pattern("vm:web*"),
                          *of_path = pattern("/vm/web01");
    struct sp_err e;

    (void)state;
    assert_int_equal(sp_verdict_add_writer(&v, &w, &e), SP_OK);
    w->name = copy_of("Hyper-V");
    assert_int_equal(sp_verdict_add_component(&v, &c, &e), SP_OK);
    c->writer = 0;
    c->kind = SP_UNIT_VM;
    c->unit = copy_of("web01");
    assert_int_equal(sp_verdict_add_component(&v, &c, &e), SP_OK);
    c->kind = SP_UNIT_VM; /* found on disk: no writer */
    c->unit = copy_of("web02");
    c->paths = calloc(1, sizeof *c->paths);
    assert_non_null(c->paths);
    c->paths[c->npaths++] = copy_of("/vm/web01/a.vmdk");
    assert_true(sp_vss_pattern_match_component(of_writer, &v, 0));
    assert_false(sp_vss_pattern_match_component(of_writer, &v, 1));
    assert_true(sp_vss_pattern_match_component(of_vm, &v, 0));
    assert_true(sp_vss_pattern_match_component(of_vm, &v, 1));
    assert_false(sp_vss_pattern_match_component(of_path, &v, 0));
    assert_true(sp_vss_pattern_match_component(of_path, &v, 1));
    sp_verdict_clear(&v);
    sp_vss_pattern_free(of_writer);
    sp_vss_pattern_free(of_vm);
    sp_vss_pattern_free(of_path);
}

static void
test_refused(void **state)
{
    static const char *const bad[] = {"", "web01", "vm:", "vms:web01",
        "component:", "component:Writer", "component:///", "writer:", ":x", "D:data", "data\\x",
        "D:\\a\\..\\b", "/a/./b", "\\\\", "\\\\?\\..", "\\a"};
    char deep[400], long_text[5000];
    struct sp_vss_pattern *p = NULL;
    struct sp_err e;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        e = (struct sp_err){0};
        if (sp_vss_pattern_new(bad[i], &p, &e) != SP_INVALID)
            fail_msg("'%s' is taken", bad[i]);
        assert_non_null(strstr(e.text, "vm:NAME"));
        assert_null(p);
    }
    for (size_t i = 0; i < sizeof deep - 1; i++)
        deep[i] = i % 2 == 0 ? '/' : 'a';
    deep[sizeof deep - 1] = '\0';
    assert_int_equal(sp_vss_pattern_new(deep, &p, &e), SP_INVALID);
    deep[2 * 63] = '\0';
    assert_int_equal(sp_vss_pattern_new(deep, &p, &e), SP_OK);
    assert_true(sp_vss_pattern_covers(p, deep, false));
    deep[2 * 62] = '\0';
    assert_false(sp_vss_pattern_covers(p, deep, false));
    assert_true(sp_vss_pattern_covers(p, deep, true));
    sp_vss_pattern_free(p);
    p = NULL;
    memset(long_text, '*', sizeof long_text);
    memcpy(long_text, "vm:", 3);
    long_text[sizeof long_text - 1] = '\0';
    assert_int_equal(sp_vss_pattern_new(long_text, &p, &e), SP_INVALID);
}

/* Many wildcards over a name that nearly matches: the matcher goes back, and ends. */
static void
test_no_explosion(void **state)
{
    char text[200] = "vm:", name[4001];
    struct sp_vss_pattern *p;
    struct sp_vss_subject s = {.kind = SP_UNIT_VM, .unit = name};

    (void)state;
    for (size_t i = 0; i < 60; i++)
        memcpy(text + 3 + 2 * i, "*a", 3);
    strcat(text, "b");
    memset(name, 'a', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    p = pattern(text);
    assert_false(sp_vss_pattern_match(p, &s));
    name[sizeof name - 2] = 'b';
    assert_true(sp_vss_pattern_match(p, &s));
    sp_vss_pattern_free(p);
    memcpy(text, "component:", 11);
    for (size_t i = 0; i < 20; i++)
        strcat(text, "**/a/");
    strcat(text, "b");
    p = pattern(text);
    s = (struct sp_vss_subject){
        .writer = "a", .logical_path = "a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a"};
    assert_false(sp_vss_pattern_match(p, &s));
    s.name = "b";
    assert_true(sp_vss_pattern_match(p, &s));
    sp_vss_pattern_free(p);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_applications),
        cmocka_unit_test(test_whole_parts),
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_verdict),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_no_explosion),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
