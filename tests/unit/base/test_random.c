#include "support.h"

#include <errno.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/random.h"

/* In the place of the C library's: gives few bytes at a time, is interrupted, or fails. */
static struct {
    size_t most;
    int interruptions, why;
} fault;

ssize_t
getrandom(void *to, size_t n, unsigned flags)
{
    if (fault.interruptions > 0) {
        fault.interruptions--;
        errno = EINTR;
        return -1;
    }
    if (fault.why != 0) {
        errno = fault.why;
        return -1;
    }
    return syscall(SYS_getrandom, to, fault.most != 0 && n > fault.most ? fault.most : n, flags);
}

static void
system_source_fills_every_byte(void **state)
{
    uint8_t a[1000] = {0}, seen[1000] = {0};
    struct sp_err e = {0};

    (void)state;
    /* A byte that stays zero for 16 fills is no chance: 2^-128. */
    for (int i = 0; i < 16; i++) {
        assert_int_equal(sp_random_fill(&sp_random_system, a, sizeof(a), &e), SP_OK);
        for (size_t k = 0; k < sizeof(a); k++)
            seen[k] |= a[k];
    }
    for (size_t k = 0; k < sizeof(a); k++)
        assert_int_not_equal(seen[k], 0);
    assert_int_equal(sp_random_fill(&sp_random_system, a, 0, &e), SP_OK);
}

static void
system_source_stays_in_bounds(void **state)
{
    struct sp_err e = {0};

    (void)state;
    for (size_t n = 0; n < 40; n++) {
        uint8_t p[48];

        memset(p, 0xaa, sizeof(p));
        assert_int_equal(sp_random_fill(&sp_random_system, p, n, &e), SP_OK);
        for (size_t k = n; k < sizeof(p); k++)
            assert_int_equal(p[k], 0xaa);
    }
}

static void
system_source_gives_all_or_fails(void **state)
{
    uint8_t a[64], seen[64] = {0};

    (void)state;
    fault.most = 5;
    for (int i = 0; i < 16; i++) {
        fault.interruptions = 3;
        assert_ok(sp_random_fill(&sp_random_system, a, sizeof(a), e));
        for (size_t k = 0; k < sizeof(a); k++)
            seen[k] |= a[k];
    }
    for (size_t k = 0; k < sizeof(a); k++)
        assert_int_not_equal(seen[k], 0);
    fault.most = 0;
    fault.why = ENOSYS;
    assert_code(SP_UNSUPPORTED, sp_random_fill(&sp_random_system, a, sizeof(a), e));
    fault.why = 0;
}

/* The first values of splitmix64 from 1234567, as published with its reference code. */
static void
seeded_is_splitmix64(void **state)
{
    struct sp_random_seeded s = {.state = 1234567};
    struct sp_random r = sp_random_seeded_of(&s);
    struct sp_err e = {0};
    uint64_t want[] = {UINT64_C(6457827717110365317), UINT64_C(3203168211198807973),
        UINT64_C(9817491932198370423)};
    uint8_t got[24];

    (void)state;
    assert_int_equal(sp_random_fill(&r, got, sizeof(got), &e), SP_OK);
    for (size_t i = 0; i < 3; i++) {
        uint64_t v = 0;

        for (size_t k = 8; k-- > 0;)
            v = v << 8 | got[8 * i + k];
        assert_true(v == want[i]);
    }
}

static void
seeded_repeats(void **state)
{
    struct sp_random_seeded s = {.state = 5}, t = {.state = 5}, u = {.state = 6};
    struct sp_random r = sp_random_seeded_of(&s), q = sp_random_seeded_of(&t),
                     o = sp_random_seeded_of(&u);
    struct sp_err e = {0};
    uint8_t a[13], b[13], c[13];

    (void)state;
    assert_int_equal(sp_random_fill(&r, a, sizeof(a), &e), SP_OK);
    assert_int_equal(sp_random_fill(&q, b, sizeof(b), &e), SP_OK);
    assert_int_equal(sp_random_fill(&o, c, sizeof(c), &e), SP_OK);
    assert_memory_equal(a, b, sizeof(a));
    assert_memory_not_equal(a, c, sizeof(a));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(system_source_fills_every_byte),
        cmocka_unit_test(system_source_stays_in_bounds),
        cmocka_unit_test(system_source_gives_all_or_fails),
        cmocka_unit_test(seeded_is_splitmix64),
        cmocka_unit_test(seeded_repeats),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
