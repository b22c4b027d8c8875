/* What may pass is tried again, a bounded number of times; what failed for good is left behind, and
 * taken once more alone. */

#include "tests/unit/vss/requester_kit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "vss/hresult.h"

/* Another program's shadow set goes on for the first calls of StartSnapshotSet. */
static void
test_busy(void **state)
{
    struct kit k;

    (void)state;
    kit_new(&k);
    KIT_MACHINE(&k, SMALL, "fail start_set 0x80042316 at=1 times=3\n");
    assert_int_equal(kit_run(&k, true), SP_OK);
    assert_int_equal(kit_count(&k, "start_set"), 4);
    assert_int_equal(kit_count(&k, "create"), 1);
    assert_int_equal(kit_verdict(&k)->shadows[0].attempts, 1);
    assert_true(kit_said(&k, "another program is making a shadow set"));
    kit_free(&k);
}

static void
test_busy_for_ever(void **state)
{
    int64_t from = sp_clock_mono(&sp_clock_system);
    struct kit k;

    (void)state;
    kit_new(&k);
    KIT_MACHINE(&k, SMALL, "fail start_set 0x80042316 at=1 times=0\n");
    assert_int_equal(kit_take(&k), SP_BUSY);
    assert_in_range(kit_count(&k, "start_set"), 2, 12); /* 40 ms, every 5 */
    assert_int_equal(kit_count(&k, "create"), 1);
    assert_int_equal(kit_count(&k, "abort"), 0); /* nothing was begun */
    kit_free(&k);
    assert_true(sp_clock_mono(&sp_clock_system) - from < SP_SECOND);
}

#define MOODY                                                                                      \
    "writer bbbbbbbb-0000-4000-8000-000000000002 22222222-0000-4000-8000-000000000002 Moody\n"     \
    "  component filegroup \"\" Moody\n"                                                           \
    "    file @C@/moody a.dat\n"

static void
test_a_failure_that_passes(void **state)
{
    static const struct {
        const char *status;
        uint32_t hresult;
    } faults[] = {{"  status snapshot 9 0x800423f1 attempt=1\n", 0x800423f1},
        {"  status snapshot 9 0x800423f2 attempt=1\n", 0x800423f2},
        {"  status prepared 7 0x800423f3 attempt=1\n", 0x800423f3},
        {"  gone snapshot attempt=1\n", SP_VSS_E_WRITER_SILENT}};
    bool well = false;

    (void)state;
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        struct kit k;

        kit_new(&k);
        KIT_MACHINE(&k, SMALL, MOODY, faults[i].status);
        assert_int_equal(kit_run(&k, true), SP_OK);
        assert_int_equal(kit_count(&k, "create"), 2); /* a new object, not the old one again */
        assert_int_equal(kit_count(&k, "abort"), 1);
        assert_true(model_position(k.m, "release", 1) < model_position(k.m, "create", 2));
        assert_int_equal(kit_verdict(&k)->nshadows, 1);
        assert_int_equal(kit_verdict(&k)->shadows[0].attempts, 2);
        assert_int_equal(kit_verdict(&k)->shadows[0].retried_for, faults[i].hresult);
        assert_int_equal(kit_component(&k, "Moody")->level, SP_LEVEL_APPLICATION);
        assert_int_equal(kit_component(&k, "DB")->level, SP_LEVEL_APPLICATION);
        assert_true(model_succeeded(k.m, "Moody", &well) && well);
        assert_true(kit_said(&k, "attempt 2 of 3"));
        kit_free(&k);
    }
}

/* The third time it is taken as it is: the others are not to suffer. */
static void
test_a_failure_that_does_not_pass(void **state)
{
    bool well = true;
    struct kit k;

    (void)state;
    kit_new(&k);
    KIT_MACHINE(&k, SMALL, MOODY, "  status snapshot 9 0x800423f3\n");
    assert_int_equal(kit_run(&k, true), SP_OK);
    assert_int_equal(kit_count(&k, "do_snapshot"), 3);
    assert_int_equal(kit_count(&k, "abort"), 2);
    assert_int_equal(kit_verdict(&k)->shadows[0].attempts, 3);
    assert_int_equal(kit_component(&k, "Moody")->level, SP_LEVEL_CRASH);
    assert_int_equal(kit_component(&k, "Moody")->hresult, 0x800423f3);
    assert_int_equal(kit_component(&k, "DB")->level, SP_LEVEL_APPLICATION);
    assert_true(model_succeeded(k.m, "Moody", &well));
    assert_false(well);
    kit_free(&k);

    kit_new(&k); /* as often as it is told */
    KIT_MACHINE(&k, SMALL, MOODY, "  status snapshot 9 0x800423f3\n");
    k.o.limits.attempts = 1;
    assert_int_equal(kit_run(&k, true), SP_OK);
    assert_int_equal(kit_count(&k, "do_snapshot"), 1);
    kit_free(&k);
}

static void
test_a_failure_for_good_is_not_tried_again(void **state)
{
    struct kit k;

    (void)state;
    kit_new(&k);
    KIT_MACHINE(&k, SMALL, "broken");
    assert_int_equal(kit_run(&k, true), SP_OK);
    assert_int_equal(kit_count(&k, "create"), 1);
    kit_free(&k);
}

/* Of the set as a whole: writes that could not be held, a set begun elsewhere meanwhile. */
static void
test_a_set_that_fails(void **state)
{
    static const char *const passing[] = {"fail do_snapshot.async 0x80042313\n",
        "fail do_snapshot.async 0x80042314\n", "fail prepare.async 0x800423f2\n",
        "fail gather_status.async 0x80042409\n"};
    struct kit k;

    (void)state;
    for (int i = 0; i < 4; i++) {
        kit_new(&k);
        KIT_MACHINE(&k, SMALL, passing[i]);
        assert_int_equal(kit_run(&k, true), SP_OK);
        assert_int_equal(kit_verdict(&k)->shadows[0].attempts, 2);
        kit_free(&k);
    }
    kit_new(&k);
    KIT_MACHINE(&k, SMALL, "fail do_snapshot.async 0x80042314 at=1 times=0\n");
    assert_int_not_equal(kit_take(&k), SP_OK);
    assert_int_equal(kit_count(&k, "do_snapshot"), 3);
    assert_non_null(strstr(k.err.text, "DoSnapshotSet"));
    kit_free(&k);
    kit_new(&k); /* a provider that says no says it again */
    KIT_MACHINE(&k, SMALL, "fail do_snapshot.async 0x80042306\n");
    assert_int_not_equal(kit_take(&k), SP_OK);
    assert_int_equal(kit_count(&k, "do_snapshot"), 1);
    kit_free(&k);
}

static bool
when_it_is_tried_again(void *arg)
{
    return kit_said(arg, "attempt 2 of 3");
}

static void
test_the_pause_between(void **state)
{
    int64_t from;
    struct kit k;

    (void)state;
    kit_new(&k);
    KIT_MACHINE(&k, SMALL, MOODY, "  status snapshot 9 0x800423f3 attempt=1\n");
    k.o.limits.pause_ms = 50;
    from = sp_clock_mono(&sp_clock_system);
    assert_int_equal(kit_run(&k, true), SP_OK);
    assert_true(sp_clock_mono(&sp_clock_system) - from >= 50 * (SP_SECOND / 1000));
    kit_free(&k);

    kit_new(&k); /* it ends when the user says so */
    KIT_MACHINE(&k, SMALL, MOODY, "  status snapshot 9 0x800423f3 attempt=1\n");
    k.o.limits.pause_ms = 60000;
    k.o.cancelled = when_it_is_tried_again;
    assert_int_equal(kit_take(&k), SP_CANCELLED);
    assert_non_null(strstr(k.err.text, "during a pause"));
    assert_int_equal(kit_count(&k, "create"), 1);
    kit_free(&k);
}

/* A writer that was restarted is known by its class; one that went away is silent. */
static void
test_writers_change_between_sessions(void **state)
{
    struct kit k;

    (void)state;
    kit_new(&k);
    KIT_MACHINE(&k, SMALL, MOODY, "  status snapshot 9 0x800423f3 attempt=1\n",
        "writer cccccccc-0000-4000-8000-000000000003 33333333-0000-4000-8000-000000000003 "
        "Restarted only-attempt=1\n"
        "  component filegroup \"\" Restarted\n"
        "    file @C@/restarted a.dat\n"
        "writer cccccccc-0000-4000-8000-000000000003 33333333-0000-4000-8000-00000000000f "
        "Restarted only-attempt=2\n"
        "  component filegroup \"\" Restarted\n"
        "    file @C@/restarted a.dat\n",
        "writer dddddddd-0000-4000-8000-000000000004 44444444-0000-4000-8000-000000000004 Gone "
        "only-attempt=1\n"
        "  component filegroup \"\" Gone\n"
        "    file @C@/gone a.dat\n");
    assert_int_equal(kit_run(&k, true), SP_OK);
    assert_int_equal(kit_component(&k, "Restarted")->level, SP_LEVEL_APPLICATION);
    assert_string_equal(
        kit_verdict(&k)->writers[kit_component(&k, "Restarted")->writer].instance_id,
        "33333333-0000-4000-8000-00000000000f");
    assert_int_equal(kit_component(&k, "Gone")->level, SP_LEVEL_CRASH);
    assert_int_equal(kit_component(&k, "Gone")->why, SP_WHY_SILENT);
    kit_free(&k);
}

/* --- one failing VM -------------------------------------------------------------------------- */

#define VM(n)                                                                                      \
    "  component filegroup \"\" 0000000" n "-AAAA-4000-8000-00000000000" n                         \
    " caption=\"Online\\vm" n "\"\n    file @D@/vms/vm" n " disk.vhdx\n    file @D@/vms/vm" n      \
    "/config * recursive\n"
#define HYPER_V                                                                                    \
    "writer 66841cd4-6ded-4f4b-8f17-fd23f8ddc3de 66666666-0000-4000-8000-000000000001 "            \
    "\"Microsoft Hyper-V VSS Writer\"\n"

static void
expect_seven(const struct kit *k)
{
    for (char n = '1'; n <= '8'; n++) {
        char unit[] = {'v', 'm', n, '\0'};

        if (n == '3')
            continue;
        assert_int_equal(kit_component(k, unit)->level, SP_LEVEL_APPLICATION);
        assert_int_equal(kit_component(k, unit)->shadow, 0);
    }
}

static void
eight_machine(struct kit *k, const char *failure)
{
    char folder[128];

    (void)snprintf(folder, sizeof folder, "%s/vms", k->d);
    kit_write(folder, "readme", "x");
    for (char n = '1'; n <= '8'; n++) {
        (void)snprintf(folder, sizeof folder, "%s/vms/vm%c", k->d, n);
        kit_write(folder, "disk.vhdx", "as it was");
        (void)snprintf(folder, sizeof folder, "%s/vms/vm%c/config", k->d, n);
        kit_write(folder, "vm.vmcx", "as it was");
    }
    KIT_MACHINE(k, SMALL, HYPER_V VM("1") VM("2") VM("3"), failure,
        VM("4") VM("5") VM("6") VM("7") VM("8"));
}

static void
test_eight_one_failing(void **state)
{
    bool well = true;
    struct kit k;

    (void)state;
    kit_new(&k);
    eight_machine(&k, "    failure 0x800423f4 text=\"the guest did not answer\" alone\n");
    assert_int_equal(kit_run(&k, true), SP_OK);
    expect_seven(&k);
    assert_int_equal(kit_component(&k, "DB")->level, SP_LEVEL_APPLICATION);
    assert_int_equal(kit_component(&k, "vm3")->level, SP_LEVEL_CRASH);
    assert_int_equal(kit_component(&k, "vm3")->why, SP_WHY_COMPONENT_FAILED);
    assert_int_equal(kit_component(&k, "vm3")->hresult, 0x800423f4);
    assert_string_equal(kit_component(&k, "vm3")->failure_text, "the guest did not answer");
    assert_int_equal(kit_component(&k, "vm3")->shadow, 0);
    /* What its writer said then, and what it said of the others later. */
    assert_int_equal(kit_verdict(&k)
                         ->writers[kit_component(&k, "vm3")->writer]
                         .stages[SP_STAGE_SNAPSHOT]
                         .hresult,
        SP_VSS_E_PARTIAL_FAILURE);
    assert_int_equal(kit_verdict(&k)
                         ->writers[kit_component(&k, "vm4")->writer]
                         .stages[SP_STAGE_SNAPSHOT]
                         .hresult,
        0);
    assert_int_equal(kit_verdict(&k)->nshadows, 1);
    assert_int_equal(kit_count(&k, "create"), 2); /* a new set, without it */
    assert_int_equal(kit_count(&k, "add_component"), 10 + 9);
    assert_true(kit_said(&k, "vm3 failed"));
    assert_false(model_succeeded(k.m, "00000003-AAAA-4000-8000-000000000003", &well));
    assert_true(model_succeeded(k.m, "00000004-AAAA-4000-8000-000000000004", &well) && well);
    kit_free(&k);
}

static void
test_the_second_set(void **state)
{
    const struct sp_requester_override *o;
    const struct sp_requester_volume *volumes;
    const struct sp_verdict_component *c;
    bool well = false;
    char path[160];
    struct kit k;

    (void)state;
    kit_new(&k);
    k.o.second_set = true;
    eight_machine(&k, "    failure 0x800423f4\n"); /* not alone */
    assert_int_equal(kit_take(&k), SP_OK);
    expect_seven(&k);
    c = kit_component(&k, "vm3");
    assert_int_equal(c->level, SP_LEVEL_APPLICATION);
    assert_int_equal(c->shadow, 1);
    assert_int_equal(c->failure, 0);
    assert_int_equal(kit_verdict(&k)->nshadows, 2);
    assert_true(kit_verdict(&k)->shadows[1].instant_ns >= kit_verdict(&k)->shadows[0].instant_ns);
    assert_string_not_equal(kit_verdict(&k)->shadows[0].id, kit_verdict(&k)->shadows[1].id);
    assert_int_equal(model_shadows(k.m), 2);
    assert_int_equal(kit_count(&k, "add_volume"), 2 + 2 + 1); /* its own alone */
    assert_int_equal(kit_count(&k, "create"), 3);

    assert_int_equal(
        sp_requester_overrides(k.r, &o), 2); /* a file by name, a folder for the pattern */
    (void)snprintf(path, sizeof path, "%s/vms/vm3/disk.vhdx", k.d);
    assert_string_equal(o[0].path, path);
    (void)snprintf(path, sizeof path, "%s/vms/vm3/config", k.d);
    assert_string_equal(o[1].path, path);
    assert_int_equal(o[0].shadow, 1);
    assert_int_equal(o[0].instant_ns, kit_verdict(&k)->shadows[1].instant_ns);
    (void)snprintf(path, sizeof path, "%s/vms/vm3", k.d);
    kit_write(path, "disk.vhdx", "changed");
    assert_true(strlen(o[0].read_path) > strlen("/vms/vm3/disk.vhdx"));
    o[0].read_path[strlen(o[0].read_path) - strlen("/disk.vhdx")] = '\0';
    kit_expect(o[0].read_path, "disk.vhdx", "as it was");
    kit_expect(o[1].read_path, "vm.vmcx", "as it was");
    assert_int_equal(sp_requester_volumes(k.r, &volumes), 2);
    assert_int_not_equal(strncmp(o[0].read_path, volumes[1].device, strlen(volumes[1].device)), 0);

    assert_int_equal(sp_requester_finish(k.r, true, &k.err), SP_OK);
    assert_int_equal(kit_count(&k, "complete"), 2);
    assert_true(kit_verdict(&k)->shadows[0].completed && kit_verdict(&k)->shadows[1].completed);
    assert_int_equal(kit_component(&k, "vm3")->level, SP_LEVEL_APPLICATION);
    assert_true(model_succeeded(k.m, "00000003-AAAA-4000-8000-000000000003", &well) && well);
    kit_free(&k);
}

static void
test_the_second_set_is_not_made(void **state)
{
    bool well = true;
    struct kit k;

    (void)state;
    kit_new(&k);
    k.o.second_set = true;
    eight_machine(&k, "    failure 0x800423f4\n");
    assert_int_equal(kit_run(&k, false), SP_OK);
    assert_int_equal(kit_count(&k, "complete"), 0);
    assert_int_equal(kit_count(&k, "abort"), 3); /* the first, the main one, the second */
    assert_false(model_succeeded(k.m, "00000004-AAAA-4000-8000-000000000004", &well));
    kit_free(&k);
}

/* It fails alone, too, or its set cannot be made: crash-consistent from the first, with the first
 * reason. */
static void
test_the_second_set_fails(void **state)
{
    static const char *const faults[] = {"", "fail do_snapshot.async 0x80042306 at=3\n",
        "fail create 0x8000ffff at=3\n", "fail prepare 0x80042306 at=3\n",
        "fail add_volume 0x8004230c at=5\n", "pend gather_status.async forever at=6 times=1\n",
        "fail add_component 0x80042308 at=20\n", "fail properties 0x80042308 at=3\n",
        "fail gather_metadata 0x80042318 at=3\n"};
    const struct sp_requester_override *o;

    (void)state;
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        struct kit k;
        char failure[256];

        kit_new(&k);
        k.o.second_set = true;
        (void)snprintf(failure, sizeof failure, "    failure 0x800423f4%s\n%s",
            i == 0 ? " alone" : "", ""); /* lines of the machine come last: they end the writer's */
        if (faults[i][0] == '\0') {
            eight_machine(&k, failure);
        } else {
            KIT_MACHINE(&k, SMALL, HYPER_V VM("1") VM("2") VM("3"), failure,
                VM("4") VM("5") VM("6") VM("7") VM("8"), faults[i]);
        }
        if (kit_take(&k) != SP_OK)
            fail_msg("'%s': %s", faults[i], k.err.text);
        expect_seven(&k);
        assert_int_equal(kit_component(&k, "vm3")->level, SP_LEVEL_CRASH);
        assert_int_equal(kit_component(&k, "vm3")->why, SP_WHY_COMPONENT_FAILED);
        assert_int_equal(kit_component(&k, "vm3")->shadow, 0);
        assert_int_equal(kit_verdict(&k)->nshadows, 1);
        assert_int_equal(model_shadows(k.m), 1);
        assert_int_equal(sp_requester_overrides(k.r, &o), 0);
        for (size_t w = 0; w < kit_verdict(&k)->ncomponents; w++)
            assert_true(kit_verdict(&k)->components[w].writer < kit_verdict(&k)->nwriters);
        assert_int_equal(sp_requester_finish(k.r, true, &k.err), SP_OK);
        expect_seven(&k);
        assert_int_equal(kit_component(&k, "vm3")->level, SP_LEVEL_CRASH);
        kit_free(&k);
    }
}

/* Reading its folder from elsewhere would take files from one that stays. */
static void
test_shared_folders_stay(void **state)
{
    struct kit k;

    (void)state;
    kit_new(&k);
    k.o.second_set = true;
    KIT_MACHINE(&k,
        "writer aaaaaaaa-0000-4000-8000-000000000001 11111111-0000-4000-8000-000000000001 Shared\n"
        "  component filegroup \"\" One\n"
        "    file @D@/all * recursive\n"
        "    failure 0x800423f4\n"
        "  component filegroup \"\" Two\n"
        "    file @D@/all/two a.dat\n");
    assert_int_equal(kit_run(&k, true), SP_OK);
    assert_int_equal(kit_component(&k, "One")->level, SP_LEVEL_CRASH);
    assert_int_equal(kit_component(&k, "Two")->level, SP_LEVEL_APPLICATION);
    assert_int_equal(kit_verdict(&k)->nshadows, 1);
    assert_true(kit_said(&k, "shares files or folders"));
    kit_free(&k);
}

/* Whoever fails next is left behind as well, but not for ever. */
static void
test_one_after_the_other(void **state)
{
    struct kit k;

    (void)state;
    kit_new(&k);
    KIT_MACHINE(&k, HYPER_V VM("1"), "    failure 0x800423f4 attempt=1\n", VM("2"),
        "    failure 0x800423f4 attempt=2\n", VM("3"), "    failure 0x800423f4 attempt=3\n",
        VM("4"), "    failure 0x800423f4 attempt=4\n", VM("5"),
        "    failure 0x800423f4 attempt=5\n", VM("6"));
    assert_int_equal(kit_run(&k, true), SP_OK);
    assert_int_equal(kit_count(&k, "do_snapshot"), 4); /* three times without, then as it is */
    assert_int_equal(kit_component(&k, "vm1")->level, SP_LEVEL_CRASH);
    assert_int_equal(kit_component(&k, "vm4")->level, SP_LEVEL_CRASH);
    assert_int_equal(kit_component(&k, "vm4")->why, SP_WHY_COMPONENT_FAILED);
    assert_int_equal(kit_component(&k, "vm5")->level, SP_LEVEL_APPLICATION);
    assert_int_equal(kit_component(&k, "vm6")->level, SP_LEVEL_APPLICATION);
    kit_free(&k);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_busy),
        cmocka_unit_test(test_busy_for_ever),
        cmocka_unit_test(test_a_failure_that_passes),
        cmocka_unit_test(test_a_failure_that_does_not_pass),
        cmocka_unit_test(test_a_failure_for_good_is_not_tried_again),
        cmocka_unit_test(test_a_set_that_fails),
        cmocka_unit_test(test_the_pause_between),
        cmocka_unit_test(test_writers_change_between_sessions),
        cmocka_unit_test(test_eight_one_failing),
        cmocka_unit_test(test_the_second_set),
        cmocka_unit_test(test_the_second_set_is_not_made),
        cmocka_unit_test(test_the_second_set_fails),
        cmocka_unit_test(test_shared_folders_stay),
        cmocka_unit_test(test_one_after_the_other),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
