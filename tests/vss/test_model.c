/* The model itself: what is injected comes where it was asked for; what is not given back is
 * counted. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/vss/steps.h"

static const struct model_ref one = {CLASS, INSTANCE, 1, "", "One"};

static void
test_what_is_in_order(void **state)
{
    static const char *const letters[] = {"IXSMNnFBvVCPGTtfDGTtfQRUOKGTtfO.", /* the whole backup */
        "IMBVSCPAGf.",        /* aborted, and asked once more; the default context */
        "IXSMBVCPGfDA.",      /* aborted after the shadow */
        "IZA.",               /* a janitor: of another's set; nothing to abort */
        "IXSMBVCPGfDGfkcA.",  /* BackupComplete cancelled, then aborted */
        "IXSMBVCpwGfdwGfA."}; /* asyncs waited for later */

    (void)state;
    for (size_t i = 0; i < sizeof letters / sizeof letters[0]; i++) {
        struct run r = begun("");

        for (const char *c = letters[i]; *c != '.'; c++) {
            uint32_t hr = step(&r, *c);

            if (r.a && (*c == 'w' || *c == 'c')) {
                model_release_async(r.a);
                r.a = NULL;
            }
            if (hr && *c != 'Z')
                fail_msg("%s: %c gave 0x%08x\n%s", letters[i], *c, (unsigned)hr, model_trace(r.m));
        }
        model_release(r.s);
        assert_int_equal(model_illegal(r.m), 0);
        assert_int_equal(model_unended(r.m), 0);
        assert_int_equal(model_shadows(r.m), 0);
        assert_int_equal(model_asyncs_open(r.m), 0);
        assert_int_equal(model_sessions_open(r.m), 0);
        model_free(r.m);
    }
}

static void
test_what_is_not_given_back(void **state)
{
    struct run r = begun("");
    struct model_session *other;
    char id[37];

    (void)state;
    walk(&r, "IXSMBV.");
    assert_int_equal(model_create(r.m, &other), 0);
    assert_int_equal(model_sessions_open(r.m), 2);
    assert_int_equal(model_initialize_for_backup(other), 0);
    { /* one shadow set at a time, over all sessions */
        struct model_session *mine = r.s;

        r.s = other;
        walk(&r, "SM.");
        assert_int_equal(model_start_set(other, id), SP_VSS_E_SET_IN_PROGRESS);
        r.s = mine;
    }
    assert_int_equal(model_illegal(r.m), 0);
    model_release(r.s); /* begun, neither completed nor aborted */
    assert_int_equal(model_unended(r.m), 1);
    assert_int_equal(model_start_set(other, id), 0);
    r.s = other;
    walk(&r, "VCPGfD.");
    assert_int_equal(model_shadows(r.m), 1);
    assert_int_equal(waited(&r, model_gather_status, false), 0);
    assert_int_equal(model_asyncs_open(r.m), 1);
    model_release_async(r.a); /* neither waited for nor cancelled */
    r.a = NULL;
    assert_int_equal(model_asyncs_open(r.m), 0);
    assert_int_equal(model_illegal(r.m), 1);
    assert_int_equal(model_abort(other), 0);
    assert_int_equal(model_shadows(r.m), 0);
    ended(&r);
}

static void
test_errors_of_other_kinds(void **state)
{
    static const struct model_ref none = {CLASS, INSTANCE, 1, "", "None"},
                                  child = {CLASS, INSTANCE, 2, "Two", "Child"},
                                  two = {CLASS, INSTANCE, 1, "", "Two"};
    struct run r = begun("");
    struct model_report report;
    char id[37];
    bool well;

    (void)state;
    walk(&r, "IXSMBV.");
    assert_int_equal(model_add_volume(r.s, VOLUME, id), SP_VSS_E_EXISTS);
    assert_int_equal(model_add_volume(r.s, "\\\\?\\Volume{2}\\", id), SP_VSS_E_VOLUME_UNSUPPORTED);
    assert_int_equal(model_add_volume(r.s, "\\\\?\\Volume{3}\\", id), SP_VSS_E_NOT_FOUND);
    assert_int_equal(model_add_component(r.s, &none), SP_VSS_E_NOT_FOUND);
    assert_int_equal(model_add_component(r.s, &one), 0);
    assert_int_equal(model_add_component(r.s, &one), SP_VSS_E_EXISTS);
    assert_int_equal(model_illegal(r.m), 0);
    assert_int_equal(model_add_component(r.s, &child), SP_VSS_E_INVALIDARG);
    assert_int_equal(model_illegal(r.m), 1);
    assert_int_equal(model_component_report(r.s, &one, &report), 0);
    assert_false(report.stamped);
    walk(&r, "PGfDGf.");
    assert_int_equal(model_component_report(r.s, &one, &report), 0);
    assert_true(report.stamped);
    assert_int_equal(model_set_succeeded(r.s, &two, true), SP_VSS_E_NOT_FOUND);
    assert_int_equal(model_illegal(r.m), 2);
    assert_false(model_succeeded(r.m, "One", &well));
    assert_int_equal(model_set_succeeded(r.s, &one, false), 0);
    assert_true(model_succeeded(r.m, "One", &well));
    assert_false(well);
    walk(&r, "KGf.");
    ended(&r);
}

static void
test_failures_are_injected(void **state)
{
    struct run r = begun("fail start_set 0x80042316 times=2\n"
                         "fail do_snapshot.async 0x80042313\n"
                         "fail create 0x80070005 at=2\n");
    struct model_session *other;

    (void)state;
    assert_int_equal(model_create(r.m, &other), SP_VSS_E_ACCESSDENIED);
    walk(&r, "IXSM.");
    assert_int_equal(step(&r, 'B'), SP_VSS_E_SET_IN_PROGRESS);
    assert_int_equal(step(&r, 'B'), SP_VSS_E_SET_IN_PROGRESS);
    walk(&r, "BVCPGfD.");
    assert_int_equal(r.status, 0x80042313u);
    assert_int_equal(model_shadows(r.m), 0);
    assert_int_equal(model_illegal(r.m), 0);
    assert_int_equal(step(&r, 'U'), SP_VSS_E_BAD_STATE); /* not where DoSnapshotSet failed */
    assert_int_equal(step(&r, 'A'), 0);
    assert_int_equal(model_count(r.m, "start_set"), 3);
    assert_int_equal(model_count(r.m, "do_snapshot.async"), 1);
    assert_true(model_position(r.m, "start_set", 3) > model_position(r.m, "gather_metadata", 1));
    assert_int_equal(model_position(r.m, "start_set", 4), 0);
    ended(&r);
}

static void
test_asyncs_pend(void **state)
{
    struct run r = begun("pend prepare.async 500\npend do_snapshot.async forever\n");
    uint32_t status;

    (void)state;
    walk(&r, "IXSMBVCp.");
    assert_int_equal(model_wait(r.a, 0, &status), 0);
    assert_int_equal(status, SP_VSS_S_ASYNC_PENDING);
    assert_int_equal(model_wait(r.a, 499, &status), 0);
    assert_int_equal(status, SP_VSS_S_ASYNC_PENDING);
    assert_int_equal(model_wait(r.a, 499, &status), 0);
    assert_int_equal(status, SP_VSS_S_ASYNC_FINISHED);
    assert_int_equal(steps_clock_ms, 1500);
    model_release_async(r.a);
    r.a = NULL;
    walk(&r, "Gfd.");
    assert_int_equal(model_wait(r.a, 1000000, &status), 0);
    assert_int_equal(status, SP_VSS_S_ASYNC_PENDING);
    assert_int_equal(model_cancel(r.a), 0);
    assert_int_equal(model_cancel(r.a), SP_VSS_S_ASYNC_CANCELLED);
    assert_int_equal(model_wait(r.a, 1000, &status), 0);
    assert_int_equal(status, SP_VSS_S_ASYNC_CANCELLED);
    assert_int_equal(step(&r, 'Q'), SP_VSS_E_BAD_STATE);
    assert_int_equal(step(&r, 'A'), 0);
    assert_int_equal(model_unended(r.m), 0);
    ended(&r);
}

static void
expect_status(struct run *r, uint32_t state, uint32_t hresult)
{
    struct model_status st;

    walk(r, "G.");
    assert_int_equal(model_status(r->s, 0, &st), 0);
    assert_int_equal(st.state, state);
    assert_int_equal(st.hresult, hresult);
    walk(r, "f.");
}

static void
test_what_writers_answer(void **state)
{
    struct run r = begun(""), without = begun(""), told, stable, silent, gone, attempt;
    uint32_t n;

    (void)state;
    walk(&r, "IXSMBVCP.");
    expect_status(&r, SP_VSS_STABLE, 0);
    walk(&r, "D.");
    expect_status(&r, SP_VSS_WAITING_FOR_BACKUP_COMPLETE, 0);
    walk(&r, "UK.");
    expect_status(&r, SP_VSS_STABLE, 0);
    ended(&r);

    walk(&without, "IXSMBVPGfD.");
    expect_status(&without, SP_VSS_STABLE, 0); /* none of its components was added */
    ended(&without);

    told = begun("status prepared 7 0x800423f3 with=Two\nstatus prepared 2 0x800423f2 with=One\n");
    walk(&told, "IXSMBVCP.");
    expect_status(&told, SP_VSS_WAITING_FOR_FREEZE, SP_VSS_E_WRITER_TIMEOUT);
    ended(&told);

    stable = begun("writer " CLASS " 11111111-2222-4333-8444-00000000000b Other stable\n"
                   "component database \"\" Three\n");
    walk(&stable, "IXSMBVC.");
    {
        static const struct model_ref three = {
            CLASS, "11111111-2222-4333-8444-00000000000b", 1, "", "Three"};
        struct model_status st;

        assert_int_equal(model_add_component(stable.s, &three), 0);
        walk(&stable, "PGfDG.");
        assert_int_equal(model_status(stable.s, 1, &st), 0);
        assert_int_equal(st.state, SP_VSS_STABLE);
    }
    ended(&stable);

    silent = begun("writer " CLASS " 11111111-2222-4333-8444-00000000000b Mute silent\n");
    walk(&silent, "IXSMBVCPG.");
    {
        struct model_status st;

        assert_int_equal(model_status(silent.s, 1, &st), 0);
        assert_int_equal(st.hresult, SP_VSS_E_WRITER_SILENT);
    }
    ended(&silent);

    gone = begun("gone snapshot\n");
    walk(&gone, "IXSMBVCPG.");
    assert_int_equal(model_status_count(gone.s, &n), 0);
    assert_int_equal(n, 1);
    walk(&gone, "fDG.");
    assert_int_equal(model_status_count(gone.s, &n), 0);
    assert_int_equal(n, 0);
    ended(&gone);

    attempt = begun("status snapshot 9 0x800423f2 attempt=1\n");
    walk(&attempt, "IXSMBVCPGfD.");
    expect_status(&attempt, SP_VSS_FAILED_AT_FREEZE, SP_VSS_E_WRITER_TIMEOUT);
    walk(&attempt, "A.");
    model_release(attempt.s);
    assert_int_equal(model_create(attempt.m, &attempt.s), 0);
    walk(&attempt, "IXSMBVCPGfD.");
    expect_status(&attempt, SP_VSS_WAITING_FOR_BACKUP_COMPLETE, 0);
    walk(&attempt, "A.");
    ended(&attempt);
}

static void
test_components_fail(void **state)
{
    static const struct model_ref two = {CLASS, INSTANCE, 1, "", "Two"};
    static const char lines[] =
        "component database \"\" Three\nfailure 0x800423f4 app=0x80004005 text=\"out of words\"\n";
    static const struct model_ref three = {CLASS, INSTANCE, 1, "", "Three"};
    struct run r = begun(lines);
    struct model_report report;

    (void)state;
    walk(&r, "IXSMBVC.");
    assert_int_equal(model_add_component(r.s, &three), 0);
    walk(&r, "PG.");
    walk(&r, "f.");
    walk(&r, "D.");
    expect_status(&r, SP_VSS_WAITING_FOR_BACKUP_COMPLETE, SP_VSS_E_PARTIAL_FAILURE);
    assert_int_equal(model_component_report(r.s, &three, &report), 0);
    assert_int_equal(report.failure, SP_VSS_E_WRITER_NOT_RETRYABLE);
    assert_int_equal(report.app, 0x80004005u);
    assert_string_equal(report.text, "out of words");
    assert_int_equal(model_component_report(r.s, &one, &report), 0);
    assert_int_equal(report.failure, 0);
    assert_int_equal(model_component_report(r.s, &two, &report), SP_VSS_E_NOT_FOUND);
    walk(&r, "A.");
    model_release(r.s);

    /* Alone it does well. */
    assert_int_equal(model_create(r.m, &r.s), 0);
    walk(&r, "IXSMBV.");
    assert_int_equal(model_add_component(r.s, &three), 0);
    walk(&r, "PGfD.");
    expect_status(&r, SP_VSS_WAITING_FOR_BACKUP_COMPLETE, 0);
    walk(&r, "A.");
    ended(&r);
}

static void
test_scripts_that_cannot_be_read(void **state)
{
    static const char *const wrong[] = {"volume X", "writer 12 34 Name",
        "component database \"\" A", "status prepared 1 0",
        "writer " CLASS " " INSTANCE " W\ncomponent table \"\" A", "fail no_such_call 0x80042301",
        "fail prepare.later 1", "fail prepare twelve", "pend prepare 12", "what is this",
        "volume X /x supported", "shadows /a\nshadows /b", "writer " CLASS " " INSTANCE " \"open",
        "writer " CLASS " " INSTANCE " W\nstatus frozen 1 0"};

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        char why[256] = "";

        if (model_new(wrong[i], &steps_host, why))
            fail_msg("it is read: %s", wrong[i]);
        assert_non_null(strstr(why, "line "));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_in_order),
        cmocka_unit_test(test_what_is_not_given_back),
        cmocka_unit_test(test_errors_of_other_kinds),
        cmocka_unit_test(test_failures_are_injected),
        cmocka_unit_test(test_asyncs_pend),
        cmocka_unit_test(test_what_writers_answer),
        cmocka_unit_test(test_components_fail),
        cmocka_unit_test(test_scripts_that_cannot_be_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
