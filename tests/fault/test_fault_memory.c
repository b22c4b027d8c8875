/* The n-th call for memory gives none, under every command that works on a folder, and under each
 * function that asks OpenSSL. */

#include "storage/crypto.h"
#include "tests/fault/sweep.h"

static char *none[4], **arguments = none;

/* --- crypto --------------------------------------------------------------------------------------
 */

static uint8_t secret[32], public_key[32], signature[64], sealed[16 + 5], shared[32];

static enum sp_code
op_verify(struct sp_err *e)
{
    return sp_ed25519_verify(public_key, "bytes", 5, signature, e);
}

static enum sp_code
op_sign(struct sp_err *e)
{
    uint8_t ret[64];

    return sp_ed25519_sign(secret, "bytes", 5, ret, e);
}

static enum sp_code
op_open(struct sp_err *e)
{
    uint8_t out[5];

    return sp_aead_open(secret, "ad", 2, sealed, sizeof sealed, out, e);
}

static enum sp_code
op_agree(struct sp_err *e)
{
    uint8_t ret[32];

    return sp_x25519(secret, shared, ret, e);
}

static enum sp_code
op_stretch(struct sp_err *e)
{
    uint8_t ret[32], salt[16] = {0};

    return sp_scrypt("word", 4, salt, 4, 1, 1, ret, e);
}

/* What there was no memory to check is not wrong for that. */
static void
test_crypto(void **state)
{
    static enum sp_code (*const ops[])(struct sp_err * e) = {
        op_verify, op_sign, op_open, op_agree, op_stretch};
    struct sp_err e = {0};
    size_t cases = 0;

    (void)state;
    trap_off();
    secret[0] = 7;
    assert_int_equal(sp_ed25519_public(secret, public_key, &e), SP_OK);
    assert_int_equal(sp_ed25519_sign(secret, "bytes", 5, signature, &e), SP_OK);
    assert_int_equal(sp_aead_seal(secret, "ad", 2, "bytes", 5, sealed, &e), SP_OK);
    assert_int_equal(sp_x25519_public(secret, shared, &e), SP_OK);
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        assert_int_equal(ops[i](&e), SP_OK);
        trap_forget();
        trap_count();
        assert_int_equal(ops[i](&e), SP_OK);
        trap_off();
        for (size_t site = 0; site < trap_nsites(); site++)
            for (uint64_t nth = 1; nth <= trap_site(site)->count; nth++) {
                const struct trap_case c = {.site = site, .nth = nth, .os_errno = 12};
                enum sp_code rc;

                trap_fail(&c);
                rc = ops[i](&e);
                trap_off();
                cases++;
                if (rc != SP_OK && rc != SP_NOMEM)
                    fail_msg("operation %zu, site %zu: %s", i, site, e.text);
            }
        assert_int_equal(ops[i](&e), SP_OK);
    }
    signature[3] ^= 1;
    assert_int_equal(op_verify(&e), SP_CORRUPT);
    assert_true(cases > 20);
}

/* --- commands ------------------------------------------------------------------------------------
 */

static void
test_memory(void **state)
{
    (void)state;
    assert_int_equal(sweep_all("memory", true, 3, arguments), 0);
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crypto), cmocka_unit_test(test_memory)};
    struct sp_err e = {0};
    uint8_t hash[32];

    /* OpenSSL asks our functions from now on, and they the traps. What it makes once is made here:
     * OpenSSL 3.0 itself crashes when its first thousand allocations do not all succeed (its
     * default context is used without being asked whether it came to be). */
    sp_crypto_wipe_freed();
    if (sp_sha256("", 0, hash, &e) != SP_OK)
        return 1;
    trap_init(4);
    arguments = argc > 0 ? argv : arguments;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
