/* Many reads under way: order, bounds, failures, and that nothing is left under way (far.c aborts).
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "expect.h"
#include "tests/conformance/far.h"
#include "storage/ahead.h"

#define OBJECTS 100u
#define SIZE 1000u
#define AHEAD (10 * SIZE)

struct plan {
    struct far *far;
    size_t next, n;
    bool whole;
    size_t limit;
};

static struct plan
begin(size_t ahead)
{
    struct plan p = {.n = OBJECTS, .limit = SIZE};
    struct sp_backend *memory = NULL;
    uint8_t bytes[SIZE];
    char name[32];

    ok(sp_backend_memory_new(&memory, &err));
    for (size_t i = 0; i < OBJECTS; i++) {
        memset(bytes, (int)i, sizeof bytes);
        (void)snprintf(name, sizeof name, "sets/%03zu", i);
        ok(sp_backend_put(memory, name, bytes, sizeof bytes, &err));
    }
    p.far = far_new(memory, ahead);
    return p;
}

static bool
next(void *arg, struct sp_ahead_read *ret)
{
    struct plan *p = arg;

    if (p->next == p->n)
        return false;
    (void)snprintf(ret->name, sizeof ret->name, "sets/%03zu", p->next);
    ret->whole = p->whole;
    ret->limit = p->limit;
    ret->n = SIZE;
    ret->tag = p->next++;
    return true;
}

/* Takes up to `most` of them, and holds each against what was put. Gives how many failed. */
static size_t
take(struct plan *p, size_t most, enum sp_code failure)
{
    struct sp_ahead *a = NULL;
    const struct sp_ahead_read *read;
    const uint8_t *bytes;
    size_t n, i, failed = 0;

    ok(sp_ahead_new(&p->far->head, next, p, &a, &err));
    for (i = 0; i < most; i++) {
        struct sp_err why = {0};
        enum sp_code rc = sp_ahead_take(a, &read, &bytes, &n, &why);

        if (read == NULL)
            break;
        assert_int_equal(read->tag, i);
        if (rc != SP_OK) {
            assert_int_equal(rc, failure);
            assert_int_equal(why.code, rc);
            assert_null(bytes);
            failed++;
            continue;
        }
        assert_int_equal(n, SIZE);
        for (size_t k = 0; k < n; k++)
            assert_int_equal(bytes[k], i);
    }
    if (most > OBJECTS)
        assert_int_equal(i, p->n);
    sp_ahead_free(a);
    assert_int_equal(p->far->under_way, 0);
    return failed;
}

static void
in_order(void **state)
{
    (void)state;
    for (int whole = 0; whole < 2; whole++) {
        struct plan p = begin(AHEAD);

        p.whole = whole != 0;
        assert_int_equal(take(&p, SIZE_MAX, SP_OK), 0);
        /* Ten at a time, each of them two rounds. */
        assert_int_equal(p.far->most_bytes, AHEAD);
        assert_in_range(far_rounds(p.far), 2 * OBJECTS / 10, 2 * OBJECTS / 10 + 2);
        sp_backend_free(&p.far->head);
    }
}

static void
near(void **state)
{
    struct plan p = begin(0);

    (void)state;
    assert_int_equal(take(&p, SIZE_MAX, SP_OK), 0);
    assert_int_equal(p.far->most_bytes, SIZE);
    sp_backend_free(&p.far->head);
}

/* One that is larger than what may be under way goes alone. */
static void
larger_than_all(void **state)
{
    struct plan p = begin(SIZE / 2);

    (void)state;
    assert_int_equal(take(&p, SIZE_MAX, SP_OK), 0);
    assert_int_equal(p.far->most_bytes, SIZE);
    sp_backend_free(&p.far->head);
}

/* Wherever the caller ends, nothing is left under way. */
static void
left_early(void **state)
{
    (void)state;
    for (int whole = 0; whole < 2; whole++)
        for (size_t most = 0; most < 15; most++) {
            struct plan p = begin(AHEAD);

            p.whole = whole != 0;
            (void)take(&p, most, SP_OK);
            sp_backend_free(&p.far->head);
        }
}

/* What fails is the failure of that read alone. */
static void
failures(void **state)
{
    (void)state;
    for (int whole = 0; whole < 2; whole++)
        for (size_t at = 1; at <= OBJECTS; at += 9) {
            struct plan p = begin(AHEAD);

            p.whole = whole != 0;
            p.far->fail_prefix = "sets/";
            p.far->fail_start_at = at;
            assert_int_equal(take(&p, SIZE_MAX, SP_IO), 1);
            p.next = 0;
            far_reset(p.far);
            p.far->fail_finish_at = at;
            p.far->code = SP_UNREACHABLE;
            assert_int_equal(take(&p, SIZE_MAX, SP_UNREACHABLE), 1);
            p.next = 0;
            far_reset(p.far);
            p.far->fail_finish_at = at; /* left while a failed one is under way */
            (void)take(&p, at > 5 ? at - 5 : 1, SP_UNREACHABLE);
            sp_backend_free(&p.far->head);
        }
}

static void
longer_than_its_limit(void **state)
{
    struct plan p = begin(AHEAD);

    (void)state;
    p.whole = true;
    p.limit = SIZE - 1;
    assert_int_equal(take(&p, SIZE_MAX, SP_CORRUPT), OBJECTS);
    sp_backend_free(&p.far->head);
}

static void
kept(void **state)
{
    struct plan p = begin(AHEAD);
    struct sp_ahead *a = NULL;
    const struct sp_ahead_read *read;
    const uint8_t *bytes;
    uint8_t *mine = NULL;
    size_t n;

    (void)state;
    p.whole = true;
    ok(sp_ahead_new(&p.far->head, next, &p, &a, &err));
    ok(sp_ahead_take(a, &read, &bytes, &n, &err));
    ok(sp_ahead_keep(a, &mine, &err));
    gives(SP_INVALID, sp_ahead_keep(a, &mine, &err));
    ok(sp_ahead_take(a, &read, &bytes, &n, &err));
    sp_ahead_free(a);
    assert_int_equal(mine[SIZE - 1], 0);
    free(mine);
    sp_backend_free(&p.far->head);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_order),
        cmocka_unit_test(near),
        cmocka_unit_test(larger_than_all),
        cmocka_unit_test(left_early),
        cmocka_unit_test(failures),
        cmocka_unit_test(longer_than_its_limit),
        cmocka_unit_test(kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
