/* A hostile server against the real client: a server with a true repository behind it that lies
 * about it, and one that speaks no sense at all. Whatever it says: the client ends, with a reason,
 * within a deadline; what it gives out as restored is what was backed up; what a client has to keep
 * to itself is not sent. */

#include "hostile_server.h"

#include "base/clock.h"

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_truth, setup, teardown),
        cmocka_unit_test_setup_teardown(test_has_what_it_has_not, setup, teardown),
        cmocka_unit_test_setup_teardown(test_members_that_are_none, setup, teardown),
        cmocka_unit_test_setup_teardown(test_members_of_noise, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nonsense, setup, teardown),
        cmocka_unit_test_setup_teardown(test_gives_something_else, setup, teardown),
        cmocka_unit_test_setup_teardown(test_gives_too_much, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rolled_back, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lists, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refuses, setup, teardown),
        cmocka_unit_test_setup_teardown(test_silent, setup, teardown),
        cmocka_unit_test(test_babble),
    };
    int64_t began = sp_clock_mono(&sp_clock_system);
    int failed;

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    began = (sp_clock_mono(&sp_clock_system) - began) / 1000000;
    print_message("hostile server: %lu cases, no seed, %lld.%lld s\n", cases,
        (long long)(began / 1000), (long long)(began % 1000 / 100));
    return failed;
}
