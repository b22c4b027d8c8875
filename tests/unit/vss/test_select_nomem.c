/* Memory runs out at any point: it is said, nothing is given, and nothing is lost (the leak check
 * is the sanitizer's). */

#include "tests/unit/base/nomem.h"
#include "tests/unit/vss/world.h"

#include "vss/vmware.h"

/* Until it needs no more; gives how many it needed. */
static int
sweep(enum sp_code (*run)(void *arg, struct sp_err *e), void *arg)
{
    for (int i = 1; i < 100000; i++) {
        struct sp_err e = {0};
        enum sp_code rc;
        bool enough;

        nomem_at(i);
        rc = run(arg, &e);
        enough = !nomem_came();
        if (enough) {
            assert_int_equal(rc, SP_OK);
            return i - 1;
        }
        assert_int_equal(rc, SP_NOMEM);
        assert_int_equal(e.code, SP_NOMEM);
    }
    fail_msg("it never has enough");
    return 0;
}

static enum sp_code
run_select(void *arg, struct sp_err *e)
{
    struct world *w = arg;
    enum sp_code rc = world_try(w, e);

    if (rc != SP_OK)
        assert_int_equal(w->plan.nchoices, 0); /* untouched */
    sp_vss_plan_clear(&w->plan);
    return rc;
}

static void
test_select(void **state)
{
    struct world w = {0};
    struct sp_vss_writer *b;
    struct sp_vss_component *c;
    struct sp_err e;

    (void)state;
    b = add_writer(&w.m, HYPER_V, "Hyper-V");
    c = add_component(b, "", "9A3B", "Online\\web01", true);
    add_file(c, at("/d/vm"), "*", true);
    add_file(c, at("/e/vm"), "a.vhdx", false);
    depend(c, OTHER_WRITER, "", "meta");
    depend(c, OTHER_WRITER, "", "missing");
    b = add_writer(&w.m, OTHER_WRITER, "Other");
    add_component(b, "", "meta", "", true);
    add_component(b, "meta", "below", "", false);
    c = add_component(b, "x", "partly", "", true);
    add_file(c, at("/d/p"), "p", false);
    add_file(c, at("/x/p"), "p", false);
    add_file(add_component(b, "x", "dark", "", true), at("/f"), "p", false);
    add_file(add_component(b, "x", "out", "", true), at("/d"), "p", false);
    assert_int_equal(sp_vss_files_add(&b->excludes, &b->nexcludes, at("/d"), "*.tmp", false, "",
                         SP_VSS_FILE, &e),
        SP_OK);
    root(&w, "/d");
    root(&w, "/f");
    w.dark = "/f";
    application(&w, "vm:web*");
    application(&w, "vm:none");
    application_exclude(&w, "component:Other/x/out");
    assert_true(sweep(run_select, &w) > 100);
    world_free(&w);
}

static enum sp_code
run_pattern(void *arg, struct sp_err *e)
{
    struct sp_vss_pattern *p = NULL;
    enum sp_code rc = sp_vss_pattern_new(arg, &p, e);

    assert_int_equal(p != NULL, rc == SP_OK);
    sp_vss_pattern_free(p);
    return rc;
}

static void
test_pattern(void **state)
{
    (void)state;
    assert_true(sweep(run_pattern, (void *)(uintptr_t) "component:A/**/b") > 0);
    assert_true(sweep(run_pattern, (void *)(uintptr_t) "D:\\VMs") > 0);
}

static enum sp_code
run_metadata(void *arg, struct sp_err *e)
{
    struct sp_vss_metadata m = {0};
    struct sp_vss_writer *w;
    struct sp_vss_component *c;
    enum sp_code rc;

    (void)arg;
    if ((rc = sp_vss_metadata_add(&m, &w, e)) == SP_OK &&
        (rc = sp_vss_writer_add(w, &c, e)) == SP_OK &&
        (rc = sp_vss_files_add(&c->files, &c->nfiles, "a", "b", true, "c", SP_VSS_FILE, e)) ==
            SP_OK)
        rc = sp_vss_dependency_add(c, SQL_SERVER, "a", "b", e);
    sp_vss_metadata_clear(&m);
    return rc;
}

static void
test_metadata(void **state)
{
    (void)state;
    assert_int_equal(sweep(run_metadata, NULL), 9);
}

static enum sp_code
run_vmware(void *arg, struct sp_err *e)
{
    static const char vmx[] =
        "displayName = \"x\"\nscsi0:0.fileName = \"a.vmdk\"\ncheckpoint.vmState = \"a.vmss\"\n";
    static const char vmsd[] =
        "snapshot0.filename = \"s.vmsn\"\nsnapshot0.disk0.fileName = \"b.vmdk\"\n";
    static const char vmdk[] =
        "# Disk DescriptorFile\nparentFileNameHint=\"c.vmdk\"\nRW 1 FLAT \"a-flat.vmdk\" 0\n";
    static const char log[] = "TOOLS setting the tools version to '12389'\n";
    struct sp_vmware v = {0};
    enum sp_code rc;

    (void)arg;
    if ((rc = sp_vmware_config(&v, "x", vmx, sizeof vmx - 1, e)) == SP_OK &&
        (rc = sp_vmware_snapshots(&v, vmsd, sizeof vmsd - 1, e)) == SP_OK &&
        (rc = sp_vmware_disk(&v, vmdk, sizeof vmdk - 1, e)) == SP_OK)
        rc = sp_vmware_log(&v, log, sizeof log - 1, e);
    if (rc == SP_OK)
        assert_int_equal(v.nfiles, 10);
    sp_vmware_clear(&v);
    return rc;
}

static void
test_vmware(void **state)
{
    (void)state;
    assert_true(sweep(run_vmware, NULL) > 15);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_select),
        cmocka_unit_test(test_pattern),
        cmocka_unit_test(test_metadata),
        cmocka_unit_test(test_vmware),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
