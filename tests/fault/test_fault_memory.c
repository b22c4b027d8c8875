/* The n-th call for memory gives none, under every command that works on a folder. */

#include "storage/crypto.h"
#include "tests/fault/sweep.h"

static void
test_memory(void **state)
{
    (void)state;
    assert_int_equal(sweep_all("memory", true, 4, 8), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_memory)};

    sp_crypto_wipe_freed(); /* OpenSSL asks our functions from now on, and they the traps */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
