/* The requester's sequence (shared rules: vss/requester.h), call by call, over a strict model of
 * VSS. */

#include "tests/unit/vss/requester_kit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The trace without numbers of sessions and results, remarks and arguments: "start create …". */
static char *
calls(const struct kit *k)
{
    const char *p = model_trace(k->m);
    char *all = calloc(1, strlen(p) + 1);

    assert_non_null(all);
    while (*p != '\0') {
        size_t n = strcspn(p, "\n");
        char line[512] = "", session[16], call[64];

        (void)snprintf(line, sizeof line, "%.*s", (int)n, p);
        if (strchr(line, '#') == NULL && sscanf(line, "%15s %63s", session, call) == 2) {
            (void)strcat(all, call);
            (void)strcat(all, " ");
        }
        p += n + (p[n] != '\0');
    }
    return all;
}

static void
expect_calls(const struct kit *k, const char *expected)
{
    char *all = calls(k);

    if (strcmp(all, expected) != 0)
        fail_msg("the calls were\n%s\nand should be\n%s", all, expected);
    free(all);
}

#define BEGIN                                                                                      \
    "start create initialize_for_backup set_context set_backup_state gather_metadata "             \
    "gather_metadata.async metadata_count metadata free_metadata "
#define STATUS "gather_status gather_status.async status_count status free_status "
#define TAKE                                                                                       \
    "volume_supported volume_supported start_set add_volume add_volume add_component "             \
    "add_component prepare prepare.async " STATUS "do_snapshot do_snapshot.async " STATUS          \
    "component_report component_report properties properties document "

static void
test_the_whole_sequence(void **state)
{
    struct kit k;

    (void)state;
    kit_new(&k);
    KIT_MACHINE(&k, SMALL);
    assert_int_equal(kit_run(&k, true), SP_OK);
    kit_check(&k);
    expect_calls(&k,
        BEGIN TAKE "succeeded succeeded complete complete.async " STATUS "document release end ");
    /* COPY, chosen by components, bootable, no partial files; the context of a backup. */
    assert_non_null(strstr(model_trace(k.m), "set_context 0 "));
    assert_int_equal(k.stop_at, 0);
    kit_free(&k);
}

static void
test_a_set_that_is_not_made(void **state)
{
    struct kit k;
    bool well;

    (void)state;
    kit_new(&k);
    KIT_MACHINE(&k, SMALL);
    assert_int_equal(kit_run(&k, false), SP_OK);
    assert_false(kit_verdict(&k)->confirmed);
    assert_int_equal(sp_requester_finish(k.r, true, &k.err), SP_INTERNAL); /* once */
    kit_check(&k);
    expect_calls(&k, BEGIN TAKE "abort release end ");
    assert_false(model_succeeded(k.m, "DB", &well));
    kit_free(&k);

    kit_new(&k); /* and without finish */
    KIT_MACHINE(&k, SMALL);
    assert_int_equal(kit_take(&k), SP_OK);
    kit_check(&k);
    expect_calls(&k, BEGIN TAKE "abort release end ");
    kit_free(&k);
}

static void
test_success_is_told_last(void **state)
{
    struct kit k;
    bool well = false;

    (void)state;
    kit_new(&k);
    KIT_MACHINE(&k, SMALL);
    assert_int_equal(kit_take(&k), SP_OK);
    assert_int_equal(kit_count(&k, "succeeded"), 0);
    assert_int_equal(kit_count(&k, "complete"), 0);
    assert_int_equal(kit_component(&k, "DB")->level, SP_LEVEL_APPLICATION);
    assert_false(kit_verdict(&k)->confirmed);
    assert_int_equal(sp_requester_take(k.r, &k.err), SP_INTERNAL); /* once */
    assert_int_equal(sp_requester_finish(k.r, true, &k.err), SP_OK);
    assert_true(model_succeeded(k.m, "DB", &well));
    assert_true(well);
    assert_true(kit_verdict(&k)->confirmed);
    assert_int_equal(kit_component(&k, "DB")->level, SP_LEVEL_APPLICATION);
    assert_int_equal(model_shadows(k.m), 1); /* readable until free */
    kit_free(&k);
}

/* What was added and did not take part is told so. */
static void
test_failure_is_told(void **state)
{
    struct kit k;
    bool well = true;

    (void)state;
    kit_new(&k);
    KIT_MACHINE(&k, SMALL, "broken");
    assert_int_equal(kit_run(&k, true), SP_OK);
    assert_true(model_succeeded(k.m, "Broken", &well));
    assert_false(well);
    assert_true(model_succeeded(k.m, "DB", &well));
    assert_true(well);
    assert_int_equal(kit_component(&k, "Broken")->level, SP_LEVEL_CRASH);
    assert_int_equal(kit_component(&k, "Broken")->hresult, 0x800423f4);
    kit_free(&k);
}

static void
test_what_the_backup_is(void **state)
{
    static const struct {
        uint32_t asked, got;
    } types[] = {{0, 5}, {SP_VSS_BT_COPY, 5}, {SP_VSS_BT_FULL, 1}, {SP_VSS_BT_INCREMENTAL, 2},
        {SP_VSS_BT_DIFFERENTIAL, 3}, {SP_VSS_BT_LOG, 4}};

    (void)state;
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        struct kit k;
        char line[64];

        kit_new(&k);
        KIT_MACHINE(&k, SMALL);
        k.o.backup_type = types[i].asked;
        assert_int_equal(kit_run(&k, true), SP_OK);
        assert_int_equal(kit_verdict(&k)->shadows[0].backup_type, types[i].got);
        (void)snprintf(line, sizeof line, "set_backup_state 1 1 %u 0 ", types[i].got);
        if (strstr(model_trace(k.m), line) == NULL)
            fail_msg("no '%s' in\n%s", line, model_trace(k.m));
        kit_free(&k);
    }
}

static void
test_what_is_recorded(void **state)
{
    const struct sp_verdict *v;
    const struct sp_verdict_component *c;
    struct kit k;

    (void)state;
    kit_new(&k);
    KIT_MACHINE(&k, SMALL, "system", "event System VSS 8193 2 \"Something went wrong.\"\n",
        "pend do_snapshot.async 20\n");
    assert_int_equal(kit_run(&k, true), SP_OK);
    v = kit_verdict(&k);
    assert_true(v->vss);
    assert_int_equal(v->nshadows, 1);
    assert_int_equal(strlen(v->shadows[0].id), 36);
    assert_true(v->shadows[0].took_ns >= 15000000);
    assert_true(v->shadows[0].instant_ns > INT64_C(1000000000000000000));
    assert_int_equal(v->shadows[0].attempts, 1);
    assert_int_equal(v->shadows[0].retried_for, 0);
    assert_true(v->shadows[0].completed);
    c = kit_component(&k, "DB");
    assert_true(c->added);
    assert_int_equal(c->shadow, 0);
    assert_int_equal(c->files_live, 0);
    assert_int_equal(c->npaths, 2);
    assert_int_equal(c->why, SP_WHY_TOOK_PART);
    for (int i = 0; i < SP_STAGES; i++) {
        const struct sp_verdict_status *s = &v->writers[c->writer].stages[i];

        assert_true(s->asked && s->answered);
        assert_int_equal(
            s->state, i == SP_STAGE_SNAPSHOT ? SP_VSS_WAITING_FOR_BACKUP_COMPLETE : SP_VSS_STABLE);
    }
    assert_true(v->writers[c->writer].concerned);
    assert_true(v->nevents >= 1);
    assert_int_equal(v->events[0].id, 8193);
    kit_free(&k);
}

/* --- volumes --------------------------------------------------------------------------------- */

static void
test_one_set_for_all_volumes(void **state)
{
    const struct sp_requester_volume *v;
    struct kit k;

    (void)state;
    kit_new(&k);
    kit_write(k.c, "a", "frozen");
    KIT_MACHINE(&k, SMALL,
        "volume \"\\\\?\\Volume{e0000000-0000-4000-8000-000000000003}\\\" @C@/mounted\n"
        "volume \"\\\\?\\Volume{d0000000-0000-4000-8000-000000000002}\\\" @C@/again\n"
        "volume \"\\\\?\\Volume{f0000000-0000-4000-8000-000000000004}\\\" @C@/share remote\n"
        "volume \"\\\\?\\Volume{f0000000-0000-4000-8000-000000000005}\\\" @C@/fat unsupported "
        "fs=FAT32\n"
        "volume \"\" @C@/nameless\n");
    assert_int_equal(kit_take(&k), SP_OK);
    kit_write(k.c, "a", "changed");
    assert_int_equal(kit_count(&k, "start_set"), 1);
    assert_int_equal(kit_count(&k, "do_snapshot"), 1);
    assert_int_equal(kit_count(&k, "add_volume"), 3); /* one mounted twice is added once */
    assert_int_equal(sp_requester_volumes(k.r, &v), 7);
    assert_string_equal(v[0].mount, k.c);
    kit_expect(v[0].device, "a", "frozen");
    assert_int_equal(v[0].shadow, 0);
    assert_null(v[0].reason);
    for (int i = 1; i < 7; i++) {
        bool none = strstr(v[i].mount, "share") != NULL || strstr(v[i].mount, "fat") != NULL ||
                    strstr(v[i].mount, "nameless") != NULL;

        assert_int_equal(v[i].device == NULL, none);
        assert_int_equal(v[i].reason != NULL, none);
        assert_int_equal(v[i].shadow, none ? SP_NO_INDEX : 0);
        assert_int_equal(v[i].remote, strstr(v[i].mount, "share") != NULL);
        assert_true(i == 1 || strcmp(v[i].mount, v[i - 1].mount) > 0 ||
                    strncmp(v[i].mount, k.d, strlen(k.d)) == 0);
    }
    kit_free(&k);
}

static void
test_one_file_system(void **state)
{
    const struct sp_requester_volume *v;
    struct kit k;

    (void)state;
    kit_new(&k);
    KIT_MACHINE(
        &k, SMALL, "volume \"\\\\?\\Volume{e0000000-0000-4000-8000-000000000003}\\\" @C@/files\n");
    k.o.one_file_system = true;
    assert_int_equal(kit_run(&k, true), SP_OK);
    assert_int_equal(sp_requester_volumes(k.r, &v), 2);
    assert_int_equal(kit_count(&k, "add_volume"), 2);
    /* Its files are not read: it was not told to take part. */
    assert_int_equal(kit_component(&k, "Files")->why, SP_WHY_NO_SHADOW);
    assert_int_equal(kit_component(&k, "Files")->level, SP_LEVEL_LIVE);
    assert_int_equal(kit_component(&k, "DB")->level, SP_LEVEL_APPLICATION);
    kit_free(&k);
}

/* AddToSnapshotSet is the first to tell: all is chosen again, without it. */
static void
test_a_volume_that_turns_out_to_have_none(void **state)
{
    const struct sp_requester_volume *v;
    struct kit k;

    (void)state;
    kit_new(&k);
    KIT_MACHINE(&k, SMALL, "fail add_volume 0x8004230c at=2\n");
    assert_int_equal(kit_run(&k, true), SP_OK);
    assert_int_equal(sp_requester_volumes(k.r, &v), 2);
    assert_non_null(v[0].device);
    assert_null(v[1].device);
    assert_non_null(strstr(v[1].reason, "VSS_E_VOLUME_NOT_SUPPORTED"));
    assert_int_equal(kit_component(&k, "DB")->level, SP_LEVEL_LIVE); /* half of it is there */
    assert_int_equal(kit_component(&k, "DB")->why, SP_WHY_NO_SHADOW);
    assert_int_equal(kit_component(&k, "DB")->files_live, 1);
    assert_int_equal(kit_component(&k, "Files")->level, SP_LEVEL_APPLICATION);
    assert_int_equal(kit_verdict(&k)->shadows[0].attempts, 1);
    kit_free(&k);
}

static void
test_no_volume_at_all(void **state)
{
    const struct sp_requester_volume *v;
    struct kit k;

    (void)state;
    kit_new(&k);
    KIT_MACHINE(&k, SMALL, "fail volume_supported 0x80070005 times=0\n",
        "fail add_volume 0x8004230c times=0\n");
    assert_int_equal(kit_run(&k, true), SP_OK);
    assert_int_equal(sp_requester_volumes(k.r, &v), 2);
    assert_null(v[0].device);
    assert_null(v[1].device);
    assert_int_equal(kit_count(&k, "do_snapshot"), 0);
    assert_int_equal(kit_verdict(&k)->nshadows, 0);
    assert_int_equal(kit_component(&k, "Files")->level, SP_LEVEL_LIVE);
    kit_free(&k);
}

/* --- documents ------------------------------------------------------------------------------- */

static enum sp_code
collect(void *arg, const char *name, const void *p, size_t n, struct sp_err *e)
{
    struct sp_buf *b = arg;

    (void)e;
    assert_non_null(memchr(p, '<', n));
    sp_buf_printf(b, "%s\n", name);
    return SP_OK;
}

static void
test_documents(void **state)
{
    char expected[256];
    struct sp_buf names = SP_BUF_INIT;
    struct kit k;

    (void)state;
    kit_new(&k);
    KIT_MACHINE(&k, SMALL);
    assert_int_equal(kit_plan(&k), SP_OK);
    assert_int_equal(sp_requester_documents(k.r, collect, &names, &k.err), SP_OK);
    assert_string_equal(sp_buf_str(&names),
        "writer-aaaaaaaa-0000-4000-8000-000000000001-11111111-0000-4000-8000-000000000001.xml\n");
    assert_int_equal(sp_requester_take(k.r, &k.err), SP_OK);
    sp_buf_reset(&names);
    assert_int_equal(sp_requester_documents(k.r, collect, &names, &k.err), SP_OK);
    (void)snprintf(expected, sizeof expected,
        "writer-aaaaaaaa-0000-4000-8000-000000000001-11111111-0000-4000-8000-000000000001.xml\n"
        "backup-%s.xml\n",
        kit_verdict(&k)->shadows[0].id);
    assert_string_equal(sp_buf_str(&names), expected);
    assert_int_equal(sp_requester_finish(k.r, true, &k.err), SP_OK);
    assert_true(model_position(k.m, "document", 2) > model_position(k.m, "complete", 1));
    sp_buf_free(&names);
    kit_free(&k);
}

static void
test_guest_versions(void **state)
{
    struct kit k;

    (void)state;
    kit_new(&k);
    KIT_MACHINE(&k, "hyper-v");
    assert_int_equal(kit_run(&k, true), SP_OK);
    assert_string_equal(kit_component(&k, "web01")->version, "10.0.20341");
    assert_null(kit_component(&k, "web08")->version);
    assert_int_equal(kit_component(&k, "web08")->why, SP_WHY_METHOD);
    kit_free(&k);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_whole_sequence),
        cmocka_unit_test(test_a_set_that_is_not_made),
        cmocka_unit_test(test_success_is_told_last),
        cmocka_unit_test(test_failure_is_told),
        cmocka_unit_test(test_what_the_backup_is),
        cmocka_unit_test(test_what_is_recorded),
        cmocka_unit_test(test_one_set_for_all_volumes),
        cmocka_unit_test(test_one_file_system),
        cmocka_unit_test(test_a_volume_that_turns_out_to_have_none),
        cmocka_unit_test(test_no_volume_at_all),
        cmocka_unit_test(test_documents),
        cmocka_unit_test(test_guest_versions),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
