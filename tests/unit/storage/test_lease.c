/* Leases and the sweeping of temporary files: see storage/lease.h. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/text.h"
#include "expect.h"
#include "place.h"
#include "storage/backend_memory.h"
#include "storage/lease.h"

static struct sp_backend *store, *mine, *other; /* two openings of one store */
static _Atomic int64_t mono_ns; /* the keeper looks, too */

static int64_t
test_mono(void *self)
{
    (void)self;
    return mono_ns;
}

static const struct sp_clock test_clock = {test_mono, test_mono, NULL};
static const struct sp_env test_env = {&sp_os_system, &test_clock, &sp_random_system};

static int
begin(void **state)
{
    (void)state;
    mono_ns = SP_SECOND;
    ok(sp_backend_memory_new(&store, &err));
    ok(sp_backend_memory_again(store, &mine, &err));
    ok(sp_backend_memory_again(store, &other, &err));
    return 0;
}

static int
end(void **state)
{
    (void)state;
    sp_backend_free(mine);
    sp_backend_free(other);
    sp_backend_free(store);
    return 0;
}

/* The one lease that is there: its number; UINT64_MAX: there is none. */
static enum sp_code
look(void *arg, const char *object, uint64_t size, struct sp_err *e)
{
    uint64_t *n = arg;
    uint8_t run[16];

    (void)size;
    (void)e;
    assert_int_equal(*n, UINT64_MAX);
    assert_true(sp_lease_object_parse(object, run, n));
    assert_memory_equal(run, mine->run, 16);
    return SP_OK;
}

static uint64_t
lease_there(void)
{
    uint64_t n = UINT64_MAX;

    ok(sp_backend_list(store, "leases", look, &n, &err));
    return n;
}

static void
test_names(void **state)
{
    static const char *const bad[] = {"leases/", "leases/00112233445566778899aabbccddeeff",
        "leases/00112233445566778899aabbccddeeff-", "leases/00112233445566778899aabbccddeeff-x",
        "leases/00112233445566778899AABBCCDDEEFF-1", "marks/00112233445566778899aabbccddeeff-1"};
    uint8_t run[16];
    uint64_t n;
    char object[96];

    (void)state;
    sp_lease_object_name(mine->run, 17, object);
    assert_true(sp_object_name_valid(object));
    assert_true(sp_lease_object_parse(object, run, &n));
    assert_memory_equal(run, mine->run, 16);
    assert_int_equal(n, 17);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(sp_lease_object_parse(bad[i], run, &n));
    }
}

/* It is there from the first to the last that holds it, and renewed when that is due. */
static void
test_life(void **state)
{
    struct sp_lease *l;
    int64_t now_ns, told_ns;
    uint64_t n;

    (void)state;
    ok(sp_lease_new(mine, &test_env, &l, &err));
    assert_int_equal(lease_there(), UINT64_MAX);
    assert_int_equal(sp_lease_store_now(l), 0);
    sp_lease_hold(l);
    assert_int_equal(lease_there(), 0);
    sp_lease_hold(l);
    sp_lease_renew(l);
    mono_ns += SP_LEASE_RENEW - SP_SECOND;
    sp_lease_renew(l);
    assert_int_equal(lease_there(), 0);
    mono_ns += 2 * SP_SECOND;
    sp_lease_renew(l);
    assert_int_equal(lease_there(), 1); /* and the one before is gone */
    sp_lease_renew(l);
    assert_int_equal(lease_there(), 1);
    ok(sp_backend_now(store, &now_ns, &err));
    mono_ns += 60 * SP_SECOND;
    told_ns = sp_lease_store_now(l) - now_ns;
    assert_true(told_ns > 30 * SP_SECOND && told_ns <= 60 * SP_SECOND);
    sp_lease_release(l);
    assert_int_equal(lease_there(), 1);
    sp_lease_release(l);
    assert_int_equal(lease_there(), UINT64_MAX);
    sp_lease_hold(l); /* another run of the same opening */
    assert_int_equal(lease_there(), 2);
    sp_lease_free(l);
    assert_int_equal(lease_there(), UINT64_MAX);
    sp_lease_free(NULL);

    /* The store cannot be reached: it stays, and nobody asks for anything. */
    ok(sp_lease_new(mine, &test_env, &l, &err));
    sp_lease_hold(l);
    n = lease_there();
    sp_lease_leave(l);
    mono_ns += 2 * SP_LEASE_RENEW;
    sp_lease_renew(l);
    sp_lease_release(l);
    sp_lease_free(l);
    assert_int_equal(lease_there(), n);
    sp_lease_leave(NULL);
}

/* Of a store far away nobody waits for it, and its clock is asked for once. */
static void
test_far(void **state)
{
    struct sp_lease *l;
    int64_t before_ns, since_ns, asked_ns, again_ns;

    (void)state;
    mine->ahead = 1u << 20;
    ok(sp_backend_now(store, &before_ns, &err));
    ok(sp_lease_new(mine, &sp_env_system, &l, &err));
    ok(sp_lease_since(l, &since_ns, &err));
    assert_true(since_ns >= before_ns);
    sp_backend_memory_advance(store, 5 * SP_LEASE_DEAD);
    ok(sp_lease_since(l, &again_ns, &err));
    assert_int_equal(again_ns, since_ns);
    ok(sp_lease_ask(l, &asked_ns, &err));
    assert_true(asked_ns - since_ns >= 5 * SP_LEASE_DEAD);
    ok(sp_lease_since(l, &again_ns, &err));
    assert_int_equal(again_ns, asked_ns);
    sp_lease_hold(l);
    for (int i = 0; i < 500 && lease_there() == UINT64_MAX; i++)
        sp_sleep_ms(10);
    assert_int_equal(lease_there(), 0);
    sp_lease_free(l);
    assert_int_equal(lease_there(), UINT64_MAX);
}

/* A store that takes nothing, or gives nothing up, has none; and nobody fails for it. */
static void
test_without(void **state)
{
    struct recorder *r = recorder_new(mine);
    struct sp_lease *l;

    (void)state;
    r->fail_at = 1;
    r->fail_on = true;
    r->code = SP_FULL;
    ok(sp_lease_new(&r->head, &test_env, &l, &err));
    sp_lease_hold(l);
    sp_lease_renew(l);
    assert_int_equal(lease_there(), UINT64_MAX);
    sp_lease_release(l);
    sp_lease_free(l);
    sp_backend_free(&r->head);

    mine->caps.remove = false;
    ok(sp_lease_new(mine, &test_env, &l, &err));
    sp_lease_hold(l);
    assert_int_equal(lease_there(), UINT64_MAX);
    sp_lease_free(l);
}

/* --- sweeping ------------------------------------------------------------------------------ */

/* Whether what is begun now gets its name after the others swept. */
static bool
survives(struct sp_backend_writer *w)
{
    static unsigned number;
    char object[40];

    (void)snprintf(object, sizeof(object), "packs/00/%u", ++number);
    sp_lease_sweep(other);
    return sp_backend_publish(mine, w, object, &err) == SP_OK;
}

static struct sp_backend_writer *
write_some(void)
{
    struct sp_backend_writer *w;

    ok(sp_backend_begin(mine, &w, &err));
    ok(sp_backend_write(mine, w, "half", 4, &err));
    return w;
}

static void
test_sweep(void **state)
{
    struct sp_backend_writer *w;
    struct sp_lease *l;

    (void)state;
    /* Without a lease: its run may be about to write it. */
    w = write_some();
    sp_backend_memory_advance(store, SP_LEASE_DEAD - 60 * SP_SECOND);
    assert_true(survives(w));
    w = write_some();
    sp_backend_memory_advance(store, SP_LEASE_DEAD + SP_SECOND);
    assert_false(survives(w));

    /* With one that is renewed, however old it is. */
    ok(sp_lease_new(mine, &test_env, &l, &err));
    sp_lease_hold(l);
    w = write_some();
    for (int i = 0; i < 5; i++) {
        sp_backend_memory_advance(store, SP_LEASE_DEAD - 60 * SP_SECOND);
        mono_ns += SP_LEASE_RENEW + SP_SECOND;
        sp_lease_renew(l);
    }
    sp_backend_memory_advance(store, SP_LEASE_DEAD - 60 * SP_SECOND);
    assert_true(survives(w));

    /* Its own stay in any case. */
    w = write_some();
    sp_backend_memory_advance(store, 100 * SP_LEASE_DEAD);
    sp_lease_sweep(mine);
    ok(sp_backend_publish(mine, w, "packs/00/own", &err));

    /* With a dead one: and that goes as well. */
    w = write_some();
    sp_backend_memory_advance(store, SP_LEASE_DEAD + SP_SECOND);
    assert_int_not_equal(lease_there(), UINT64_MAX);
    assert_false(survives(w));
    assert_int_equal(lease_there(), UINT64_MAX);
    sp_lease_free(l);

    /* A clock that went back makes nobody old. */
    w = write_some();
    sp_backend_memory_advance(store, -100 * SP_LEASE_DEAD);
    assert_true(survives(w));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_names, begin, end),
        cmocka_unit_test_setup_teardown(test_life, begin, end),
        cmocka_unit_test_setup_teardown(test_far, begin, end),
        cmocka_unit_test_setup_teardown(test_without, begin, end),
        cmocka_unit_test_setup_teardown(test_sweep, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
