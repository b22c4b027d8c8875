/* Every call fails once, and every wait never ends: nothing stays open, nothing is told, and no one
 * waits long. */

#include "tests/unit/vss/requester_kit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

/* Two sessions in the good case: the first is left for a failure that may pass. */
#define TWO_SESSIONS                                                                               \
    "writer bbbbbbbb-0000-4000-8000-000000000002 22222222-0000-4000-8000-000000000002 Moody\n"     \
    "  component filegroup \"\" Moody\n"                                                           \
    "    file @C@/moody a.dat\n"                                                                   \
    "  status snapshot 9 0x800423f3 attempt=1\n"

static const char *const call_names[] = {"create", "initialize_for_backup", "set_context",
    "set_backup_state", "gather_metadata", "gather_metadata.async", "metadata_count", "metadata",
    "free_metadata", "volume_supported", "start_set", "add_volume", "add_component", "prepare",
    "prepare.async", "gather_status", "gather_status.async", "status_count", "status",
    "free_status", "component_report", "do_snapshot", "do_snapshot.async", "properties",
    "succeeded", "complete", "complete.async", "abort", "document"};

/* What a run came to when one call failed. */
static enum sp_code
run_with(const char *fault, bool *ret_confirmed)
{
    struct kit k;
    enum sp_code rc;

    kit_new(&k);
    KIT_MACHINE(&k, SMALL, TWO_SESSIONS, fault);
    k.abort_fails = strncmp(fault, "fail abort", 10) == 0;
    rc = kit_take(&k);
    *ret_confirmed = false;
    if (rc == SP_OK) {
        assert_int_equal(kit_count(&k, "succeeded"), 0);
        assert_int_equal(sp_requester_finish(k.r, true, &k.err), SP_OK);
        *ret_confirmed = kit_verdict(&k)->confirmed;
        for (size_t i = 0; i < kit_verdict(&k)->ncomponents; i++) {
            const struct sp_verdict_component *c = &kit_verdict(&k)->components[i];

            assert_in_range(c->level, SP_LEVEL_LIVE, SP_LEVEL_APPLICATION);
            assert_int_not_equal(c->why, SP_WHY_UNKNOWN);
        }
    } else {
        assert_true(k.err.text[0] != '\0');
        assert_int_equal(k.err.code, rc);
        assert_int_equal(kit_count(&k, "succeeded"), 0);
        assert_int_equal(
            model_shadows(k.m), 0); /* nothing is left when it fails, not only in the end */
    }
    kit_free(&k);
    return rc;
}

static void
test_each_call_fails(void **state)
{
    char fault[128];
    bool confirmed;

    (void)state;
    for (size_t i = 0; i < sizeof call_names / sizeof call_names[0]; i++) {
        for (unsigned at = 1; at <= 5; at++) {
            (void)snprintf(fault, sizeof fault, "fail %s 0x8000ffff at=%u\n", call_names[i], at);
            if (run_with(fault, &confirmed) == SP_OK)
                assert_true(confirmed);
        }
    }
}

/* And from there on always. */
static void
test_each_call_goes_on_failing(void **state)
{
    static const uint32_t codes[] = {0x80042301, 0x8007000e, 0x800423f3};
    char fault[128];
    bool confirmed;

    (void)state;
    for (size_t i = 0; i < sizeof call_names / sizeof call_names[0]; i++) {
        for (size_t c = 0; c < sizeof codes / sizeof codes[0]; c++) {
            (void)snprintf(
                fault, sizeof fault, "fail %s 0x%08x at=1 times=0\n", call_names[i], codes[c]);
            (void)run_with(fault, &confirmed);
        }
    }
}

/* Those without which there can be no shadow set: an error, and not a verdict without evidence. */
static void
test_what_cannot_be_done_without(void **state)
{
    static const char *const needed[] = {"create", "initialize_for_backup", "set_context",
        "set_backup_state", "gather_metadata", "gather_metadata.async", "metadata_count",
        "free_metadata", "start_set", "add_volume", "prepare", "prepare.async", "gather_status",
        "gather_status.async", "status_count", "free_status", "do_snapshot", "do_snapshot.async",
        "properties"};
    char fault[128];

    (void)state;
    for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++) {
        struct kit k;

        kit_new(&k);
        (void)snprintf(fault, sizeof fault, "fail %s 0x80042306 at=1 times=0\n", needed[i]);
        KIT_MACHINE(&k, SMALL, fault);
        if (kit_take(&k) == SP_OK)
            fail_msg("%s failed and nothing came of it", needed[i]);
        assert_non_null(strstr(k.err.text, "0x80042306"));
        if (k.r != NULL) { /* what would have been in it is live, and why is told */
            assert_int_equal(kit_component(&k, "DB")->level, SP_LEVEL_LIVE);
            assert_int_equal(kit_component(&k, "DB")->why, SP_WHY_NO_SHADOW);
            assert_string_equal(kit_component(&k, "DB")->detail, k.err.text);
            assert_int_equal(sp_requester_finish(k.r, true, &k.err), SP_OK);
        }
        kit_free(&k);
    }
}

/* From StartSnapshotSet on a session that is left is aborted first. */
static void
test_abort_on_every_path(void **state)
{
    static const char *const after[] = {"add_volume", "add_component", "prepare", "prepare.async",
        "gather_status", "gather_status.async", "status_count", "do_snapshot", "do_snapshot.async",
        "properties"};
    char fault[128];

    (void)state;
    for (size_t i = 0; i < sizeof after / sizeof after[0]; i++) {
        struct kit k;

        kit_new(&k);
        (void)snprintf(fault, sizeof fault, "fail %s 0x8000ffff at=1 times=0\n", after[i]);
        KIT_MACHINE(&k, SMALL, fault);
        assert_int_not_equal(kit_take(&k), SP_OK);
        assert_int_equal(kit_count(&k, "abort"), kit_count(&k, "start_set"));
        assert_true(model_position(k.m, "abort", 1) < model_position(k.m, "release", 1));
        kit_free(&k);
    }
}

/* --- deadlines ------------------------------------------------------------------------------- */

static void
test_no_wait_without_deadline(void **state)
{
    static const char *const waits[] = {
        "gather_metadata", "prepare", "gather_status", "do_snapshot"};

    (void)state;
    for (size_t i = 0; i < sizeof waits / sizeof waits[0]; i++) {
        int64_t from = sp_clock_mono(&sp_clock_system);
        struct kit k;
        char fault[64];

        kit_new(&k);
        (void)snprintf(fault, sizeof fault, "pend %s.async forever\n", waits[i]);
        KIT_MACHINE(&k, SMALL, fault);
        assert_int_equal(kit_take(&k), SP_TIMEOUT);
        assert_non_null(strstr(k.err.text, "did not end within"));
        assert_int_equal(kit_count(&k, "cancel"), 1);
        assert_int_equal(kit_count(&k, "create"), 1); /* not again */
        assert_int_equal(kit_count(&k, "abort"), i == 0 ? 0 : 1);
        assert_int_equal(model_shadows(k.m), 0);
        kit_free(&k);
        assert_true(sp_clock_mono(&sp_clock_system) - from < SP_SECOND);
    }
}

/* The set is made: only the verdict suffers. */
static void
test_a_completion_that_never_ends(void **state)
{
    struct kit k;

    (void)state;
    kit_new(&k);
    KIT_MACHINE(&k, SMALL, "pend complete.async forever\n");
    assert_int_equal(kit_run(&k, true), SP_OK);
    assert_int_equal(kit_count(&k, "cancel"), 1);
    assert_int_equal(kit_count(&k, "abort"), 1);
    assert_false(kit_verdict(&k)->shadows[0].completed);
    assert_int_equal(kit_verdict(&k)->shadows[0].complete_hresult, SP_VSS_S_ASYNC_PENDING);
    assert_int_equal(kit_component(&k, "DB")->level, SP_LEVEL_CRASH);
    assert_int_equal(kit_component(&k, "DB")->why, SP_WHY_COMPLETE_FAILED);
    kit_free(&k);

    kit_new(&k); /* and nobody can be asked after it */
    KIT_MACHINE(&k, SMALL, "pend gather_status.async forever at=3\n");
    assert_int_equal(kit_run(&k, true), SP_OK);
    assert_true(kit_verdict(&k)->shadows[0].completed);
    assert_int_equal(kit_component(&k, "DB")->level, SP_LEVEL_CRASH);
    assert_int_equal(kit_component(&k, "DB")->why, SP_WHY_SILENT);
    assert_true(kit_said(&k, "after BackupComplete"));
    kit_free(&k);
}

static void
test_a_completion_that_fails(void **state)
{
    static const char *const faults[] = {
        "fail complete 0x80042318\n", "fail complete.async 0x80042318\n"};
    bool well = false;

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct kit k;

        kit_new(&k);
        KIT_MACHINE(&k, SMALL, faults[i]);
        assert_int_equal(kit_run(&k, true), SP_OK);
        assert_true(model_succeeded(k.m, "DB", &well));
        assert_int_equal(kit_count(&k, "abort"), 1);
        assert_false(kit_verdict(&k)->shadows[0].completed);
        assert_int_equal(kit_verdict(&k)->shadows[0].complete_hresult, 0x80042318);
        assert_int_equal(kit_component(&k, "DB")->level, SP_LEVEL_CRASH);
        assert_int_equal(kit_component(&k, "DB")->hresult, 0x80042318);
        assert_true(kit_verdict(&k)->confirmed);
        kit_free(&k);
    }
}

/* --- interruptions --------------------------------------------------------------------------- */

static void
test_interrupted_anywhere(void **state)
{
    bool done = false;
    unsigned at = 1;

    (void)state;
    for (; !done; at++) {
        struct kit k;
        enum sp_code rc;

        kit_new(&k);
        KIT_MACHINE(&k, SMALL, TWO_SESSIONS);
        k.stop_at = at;
        rc = kit_take(&k);
        done = rc == SP_OK;
        if (!done) {
            assert_int_equal(rc, SP_CANCELLED);
            assert_int_equal(model_shadows(k.m), 0);
        }
        kit_free(&k);
        assert_true(at < 100);
    }
    assert_true(at > 8); /* it is asked at every wait and pause */
}

/* While one wait goes on it is asked, too. */
static void
test_interrupted_while_waiting(void **state)
{
    int64_t from = sp_clock_mono(&sp_clock_system);
    struct kit k;

    (void)state;
    kit_new(&k);
    KIT_MACHINE(&k, SMALL, "pend do_snapshot.async forever\n");
    k.o.limits.snapshot_ms = 60000;
    k.stop_at = 6;
    assert_int_equal(kit_take(&k), SP_CANCELLED);
    assert_int_equal(kit_count(&k, "abort"), 1);
    kit_free(&k);
    assert_true(sp_clock_mono(&sp_clock_system) - from < 3 * SP_SECOND);
}

/* --- what is beside -------------------------------------------------------------------------- */

static void
test_no_vss_at_all(void **state)
{
    struct kit k;

    (void)state;
    kit_new(&k);
    KIT_MACHINE(&k, "no-start \"the service is disabled\"\n");
    assert_int_equal(kit_plan(&k), SP_UNSUPPORTED);
    assert_null(k.r);
    assert_non_null(strstr(k.err.text, "the service is disabled"));
    kit_free(&k);
}

/* One writer that cannot be read, or asked, is one less. */
static void
test_one_writer_is_not_all(void **state)
{
    struct kit k;

    (void)state;
    kit_new(&k);
    KIT_MACHINE(&k, SMALL, "broken", "fail metadata 0x80042311 at=2\n");
    assert_int_equal(kit_run(&k, true), SP_OK);
    assert_true(kit_said(&k, "writer 2 of 2"));
    assert_int_equal(kit_verdict(&k)->nwriters, 1);
    assert_int_equal(kit_component(&k, "DB")->level, SP_LEVEL_APPLICATION);
    kit_free(&k);

    kit_new(&k);
    KIT_MACHINE(&k, SMALL, "hyper-v", "fail add_component 0x80042308 at=2\n");
    assert_int_equal(kit_run(&k, true), SP_OK);
    assert_int_equal(kit_component(&k, "Files")->level, SP_LEVEL_CRASH);
    assert_int_equal(kit_component(&k, "Files")->why, SP_WHY_WRITER_FAILED);
    assert_int_equal(kit_component(&k, "Files")->hresult, 0x80042308);
    assert_int_equal(kit_component(&k, "DB")->level, SP_LEVEL_APPLICATION);
    assert_int_equal(kit_component(&k, "web01")->level, SP_LEVEL_APPLICATION);
    kit_free(&k);
}

/* A writer nobody in the set belongs to is recorded and changes nothing. */
static void
test_an_unconcerned_writer(void **state)
{
    const struct sp_verdict *v;
    struct kit k;

    (void)state;
    kit_new(&k);
    KIT_MACHINE(&k, SMALL,
        "writer eeeeeeee-0000-4000-8000-000000000003 33333333-0000-4000-8000-000000000003 "
        "Elsewhere\n"
        "  component filegroup \"\" Elsewhere\n"
        "    file /nowhere a.dat\n"
        "  status snapshot 9 0x800423f3\n");
    assert_int_equal(kit_run(&k, true), SP_OK);
    v = kit_verdict(&k);
    assert_int_equal(v->nwriters, 2);
    assert_false(v->writers[1].concerned);
    assert_int_equal(v->writers[1].stages[SP_STAGE_SNAPSHOT].hresult, 0x800423f3);
    assert_int_equal(v->shadows[0].attempts, 1);
    assert_int_equal(kit_component(&k, "DB")->level, SP_LEVEL_APPLICATION);
    kit_free(&k);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_call_fails),
        cmocka_unit_test(test_each_call_goes_on_failing),
        cmocka_unit_test(test_what_cannot_be_done_without),
        cmocka_unit_test(test_abort_on_every_path),
        cmocka_unit_test(test_no_wait_without_deadline),
        cmocka_unit_test(test_a_completion_that_never_ends),
        cmocka_unit_test(test_a_completion_that_fails),
        cmocka_unit_test(test_interrupted_anywhere),
        cmocka_unit_test(test_interrupted_while_waiting),
        cmocka_unit_test(test_no_vss_at_all),
        cmocka_unit_test(test_one_writer_is_not_all),
        cmocka_unit_test(test_an_unconcerned_writer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
