/* A hostile client against the real server: with a certificate, without one, without TLS. An honest
 * host goes on beside every attack (stage.h). */

#include "hostile_client.h"

/* Nothing was written where nothing is to be, nothing is left open. */
static void
test_nothing_is_left(void **state)
{
    struct stage *s = *state;
    char out[65536];
    int64_t end = now_ms() + 5000;

    stage_memory(s, 6u << 20, "all attacks together");
    do {
        assert_int_equal(place_run(&s->place, out, sizeof(out), "status", "--json"), SP_EXIT_DONE);
        sp_sleep_ms(50);
    } while (strstr(out, "\"running\":true") == NULL && now_ms() < end);
    assert_non_null(strstr(out, "\"running\":true"));
    stage_goes_on(s, 4, 15000);
    /* A sentence is never the peer's alone: its name or address stands before it. */
    assert_int_equal(heard_with(&s->heard, "\x1b"), 0);
    stage_passed++;
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frames),
        cmocka_unit_test(test_frames_in_pieces),
        cmocka_unit_test(test_wrong_places),
        cmocka_unit_test(test_hellos),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_put_beyond_credit),
        cmocka_unit_test(test_foreign_things),
        cmocka_unit_test(test_blocks),
        cmocka_unit_test(test_false_ids),
        cmocka_unit_test(test_tiny_frames),
        cmocka_unit_test(test_log_is_bounded),
        cmocka_unit_test(test_never_reads),
        cmocka_unit_test(test_half_open),
        cmocka_unit_test(test_squatters),
        cmocka_unit_test(test_flood),
        cmocka_unit_test(test_tls),
        cmocka_unit_test(test_tls_oddities),
        cmocka_unit_test(test_enrolment),
        cmocka_unit_test(test_nothing_is_left),
    };
    int64_t began = now_ms();
    int failed;

    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
        stage_alone = true;
    }
    failed = cmocka_run_group_tests(tests, stage_setup, stage_teardown);
    hostile_closing("hostile client", cases, began);
    return failed;
}
