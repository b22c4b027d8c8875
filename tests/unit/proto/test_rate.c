#include "support.h"

#include "proto/rate.h"

#define SECOND INT64_C(1000000000)

static void
a_burst_and_then_a_trickle(void **state)
{
    struct sp_rate *r = NULL;
    uint8_t a[16] = {1}, b[16] = {2};
    int64_t now = 5 * SECOND;

    (void)state;
    assert_ok(sp_rate_new(3, 60, 42, &r, e));
    for (int i = 0; i < 3; i++)
        assert_true(sp_rate_allow(r, a, now));
    assert_false(sp_rate_allow(r, a, now));
    assert_true(sp_rate_allow(r, b, now)); /* another address is another matter */
    now += SECOND - 1;
    assert_false(sp_rate_allow(r, a, now));
    now += 1;
    assert_true(sp_rate_allow(r, a, now));
    assert_false(sp_rate_allow(r, a, now)); /* a refused try costs nothing, an allowed one does */
    now += 100 * SECOND;
    for (int i = 0; i < 3; i++) /* no more than the burst was saved */
        assert_true(sp_rate_allow(r, a, now));
    assert_false(sp_rate_allow(r, a, now));
    sp_rate_free(r);
}

/* However many others come, the one that just tried too often is not the first to be forgotten. */
static void
many_addresses(void **state)
{
    struct chance c = chance_new("many_addresses");
    struct sp_rate *r = NULL;
    uint8_t a[16] = {1}, other[16];

    (void)state;
    assert_ok(sp_rate_new(100, 60, chance_u64(&c), &r, e));
    for (int i = 0; i < 100; i++)
        assert_true(sp_rate_allow(r, a, SECOND));
    for (int i = 0; i < 100000; i++) {
        chance_fill(&c, other, sizeof(other));
        assert_true(sp_rate_allow(r, other, SECOND));
    }
    assert_false(sp_rate_allow(r, a, SECOND));
    sp_rate_free(r);
    sp_rate_free(NULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_burst_and_then_a_trickle),
        cmocka_unit_test(many_addresses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
