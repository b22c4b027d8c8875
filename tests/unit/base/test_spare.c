#include "support.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/spare.h"

enum { LARGE = 1 << 20 };

static int
emptied(void **state)
{
    (void)state;
    sp_spare_empty();
    return sp_spare_waiting() == 0 ? 0 : -1;
}

static void
one_of_about_its_size_is_used_again(void **state)
{
    void *p = sp_spare_alloc(LARGE), *q;
    size_t waits;

    (void)state;
    assert_non_null(p);
    memset(p, 1, LARGE);
    sp_spare_free(p);
    waits = sp_spare_waiting();
    assert_in_range(waits, LARGE, LARGE + (64 << 10));
    /* Neither larger than it is, nor so small that most of it would lie idle. */
    q = sp_spare_alloc(2 * LARGE);
    assert_int_equal(sp_spare_waiting(), waits);
    sp_spare_free(q);
    waits = sp_spare_waiting();
    q = sp_spare_alloc(LARGE / 4);
    assert_int_equal(sp_spare_waiting(), waits);
    free(q);
    q = sp_spare_alloc(LARGE - 1000);
    assert_ptr_equal(q, p); /* the smaller one that fits */
    memset(q, 2, LARGE - 1000);
    sp_spare_free(q);
    q = sp_spare_alloc(LARGE * 3 / 4);
    assert_ptr_equal(q, p);
    sp_spare_free(q);
}

static void
small_ones_do_not_wait(void **state)
{
    void *p = sp_spare_alloc(0);

    (void)state;
    assert_non_null(p);
    sp_spare_free(p);
    p = sp_spare_alloc(SP_SPARE_LEAST / 2);
    assert_non_null(p);
    sp_spare_free(p);
    sp_spare_free(NULL);
    assert_int_equal(sp_spare_waiting(), 0);
}

/* The oldest goes first; one larger than all may be is not kept. */
static void
no_more_wait_than_may(void **state)
{
    enum { N = 64 };
    void *p[N], *q;
    size_t i, small = 3 * SP_SPARE_LEAST / 2;

    (void)state;
    for (i = 0; i < N; i++)
        assert_non_null(p[i] = malloc(LARGE)); /* malloc's own are taken too */
    for (i = 0; i < N; i++) {
        sp_spare_free(p[i]);
        assert_in_range(sp_spare_waiting(), 1, SP_SPARE_MOST);
    }
    assert_true(sp_spare_waiting() > SP_SPARE_MOST - 2 * LARGE);
    q = sp_spare_alloc(LARGE);
    assert_ptr_equal(q, p[N - SP_SPARE_MOST / sp_spare_size(q)]);
    sp_spare_free(q);
    q = malloc(SP_SPARE_MOST + LARGE);
    assert_non_null(q);
    i = sp_spare_waiting();
    sp_spare_free(q);
    assert_int_equal(sp_spare_waiting(), i);
    sp_spare_empty();
    for (i = 0; i < N; i++)
        assert_non_null(p[i] = malloc(small));
    for (i = 0; i < N; i++)
        sp_spare_free(p[i]); /* more than there are places */
    assert_in_range(sp_spare_waiting(), 1, SP_SPARE_MOST);
}

static void
it_is_mallocs_memory(void **state)
{
    void *p = sp_spare_alloc(LARGE), *more;

    (void)state;
    assert_non_null(p);
    sp_spare_free(p);
    p = sp_spare_alloc(LARGE);
    assert_non_null(more = realloc(p, 3 * LARGE));
    memset(more, 3, 3 * LARGE);
    free(more);
    assert_int_equal(sp_spare_waiting(), 0);
}

static void
buffers_use_it(void **state)
{
    struct sp_buf b = SP_BUF_INIT;
    uint8_t *data, *taken;
    struct sp_err e;
    size_t n;

    (void)state;
    assert_true(sp_buf_reserve(&b, LARGE));
    data = b.data;
    sp_buf_free(&b);
    assert_in_range(sp_spare_waiting(), LARGE, 2 * LARGE);
    assert_true(sp_buf_reserve(&b, LARGE));
    assert_ptr_equal(b.data, data);
    assert_true(sp_buf_reserve(&b, 2 * LARGE));
    sp_buf_put_zero(&b, 2 * LARGE);
    assert_int_equal(sp_buf_take(&b, &taken, &n, &e), SP_OK);
    free(taken);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(one_of_about_its_size_is_used_again, emptied),
        cmocka_unit_test_setup(small_ones_do_not_wait, emptied),
        cmocka_unit_test_setup(no_more_wait_than_may, emptied),
        cmocka_unit_test_setup(it_is_mallocs_memory, emptied),
        cmocka_unit_test_setup(buffers_use_it, emptied),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
