/* The n-th operation of the table of files fails, under every command that works on a folder. */

#include "tests/fault/sweep.h"

static char *none[4], **arguments = none;

static void
test_files(void **state)
{
    (void)state;
    assert_int_equal(sweep_all("files", false, 3, arguments), 0);
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_files)};

    trap_init(6);
    arguments = argc > 0 ? argv : arguments;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
