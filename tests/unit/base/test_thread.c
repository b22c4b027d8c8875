#include "support.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>

#include "base/clock.h"
#include "base/thread.h"

struct shared {
    struct sp_mutex m;
    struct sp_cond c;
    unsigned count;
    bool go;
};

static void
count_up(void *arg)
{
    struct shared *s = arg;

    for (int i = 0; i < 20000; i++) {
        sp_mutex_lock(&s->m);
        s->count++;
        sp_mutex_unlock(&s->m);
    }
}

static void
a_mutex_excludes(void **state)
{
    struct shared s = {.count = 0};
    struct sp_thread *t[4];

    (void)state;
    sp_mutex_init(&s.m);
    for (size_t i = 0; i < 4; i++)
        assert_ok(sp_thread_start("count", count_up, &s, &t[i], e));
    for (size_t i = 0; i < 4; i++)
        sp_thread_join(t[i]);
    assert_int_equal(s.count, 80000);
    sp_mutex_destroy(&s.m);
    sp_thread_join(NULL);
}

static void
wait_for_go(void *arg)
{
    struct shared *s = arg;

    sp_mutex_lock(&s->m);
    while (!s->go)
        sp_cond_wait(&s->c, &s->m);
    s->count++;
    sp_mutex_unlock(&s->m);
}

static void
a_broadcast_wakes_all(void **state)
{
    struct shared s = {.go = false};
    struct sp_thread *t[5];

    (void)state;
    sp_mutex_init(&s.m);
    sp_cond_init(&s.c);
    for (size_t i = 0; i < 5; i++)
        assert_ok(sp_thread_start("wait", wait_for_go, &s, &t[i], e));
    sp_mutex_lock(&s.m);
    s.go = true;
    sp_cond_broadcast(&s.c);
    sp_mutex_unlock(&s.m);
    for (size_t i = 0; i < 5; i++)
        sp_thread_join(t[i]);
    assert_int_equal(s.count, 5);
    sp_cond_destroy(&s.c);
    sp_mutex_destroy(&s.m);
}

static void
a_timed_wait_ends(void **state)
{
    struct shared s = {.go = false};
    int64_t before, took;
    bool woken = true;

    (void)state;
    sp_mutex_init(&s.m);
    sp_cond_init(&s.c);
    sp_mutex_lock(&s.m);
    before = sp_clock_mono(&sp_clock_system);
    /* A wait may end early by itself; the time must be up when it says so. */
    while (woken)
        woken = sp_cond_wait_ms(&s.c, &s.m, 1050);
    took = sp_clock_mono(&sp_clock_system) - before;
    sp_mutex_unlock(&s.m);
    assert_true(took >= INT64_C(1050) * 1000000);
    assert_true(took < INT64_C(30000) * 1000000);
    sp_cond_destroy(&s.c);
    sp_mutex_destroy(&s.m);
}

static void
set_go(void *arg)
{
    struct shared *s = arg;

    sp_mutex_lock(&s->m);
    s->go = true;
    sp_cond_signal(&s->c);
    sp_mutex_unlock(&s->m);
}

static void
a_signal_ends_a_timed_wait(void **state)
{
    struct shared s = {.go = false};
    struct sp_thread *t;

    (void)state;
    sp_mutex_init(&s.m);
    sp_cond_init(&s.c);
    sp_mutex_lock(&s.m);
    assert_ok(sp_thread_start("go", set_go, &s, &t, e));
    while (!s.go)
        assert_true(sp_cond_wait_ms(&s.c, &s.m, 60000));
    sp_mutex_unlock(&s.m);
    sp_thread_join(t);
    sp_cond_destroy(&s.c);
    sp_mutex_destroy(&s.m);
}

struct seen {
    sigset_t mask;
    char name[32];
};

static void
look_around(void *arg)
{
    struct seen *s = arg;

    (void)pthread_sigmask(SIG_BLOCK, NULL, &s->mask);
    (void)pthread_getname_np(pthread_self(), s->name, sizeof(s->name));
}

static void
a_thread_has_a_name_and_hears_no_signals(void **state)
{
    static const int outside[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGCHLD, SIGALRM, SIGUSR1};
    struct seen s = {.name = ""};
    struct sp_thread *t;
    sigset_t mine;

    (void)state;
    assert_ok(sp_thread_start("a name that is far too long", look_around, &s, &t, e));
    sp_thread_join(t);
    assert_string_equal(s.name, "a name that is ");
    for (size_t i = 0; i < sizeof(outside) / sizeof(outside[0]); i++)
        assert_int_equal(sigismember(&s.mask, outside[i]), 1);
    /* A crash must still be reported. */
    assert_int_equal(sigismember(&s.mask, SIGSEGV), 0);
    /* The starter's own mask is as it was. */
    assert_int_equal(pthread_sigmask(SIG_BLOCK, NULL, &mine), 0);
    assert_int_equal(sigismember(&mine, SIGINT), 0);
}

static void
processors_are_those_we_may_use(void **state)
{
    cpu_set_t all, one;
    size_t cpu = 0;

    (void)state;
    assert_true(sp_cpu_count() >= 1);
    if (sched_getaffinity(0, sizeof(all), &all) != 0)
        skip();
    while (!CPU_ISSET(cpu, &all))
        cpu++;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
    assert_int_equal(sp_cpu_count(), 1);
    assert_int_equal(sched_setaffinity(0, sizeof(all), &all), 0);
    assert_int_equal(sp_cpu_count(), CPU_COUNT(&all));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mutex_excludes),
        cmocka_unit_test(a_broadcast_wakes_all),
        cmocka_unit_test(a_timed_wait_ends),
        cmocka_unit_test(a_signal_ends_a_timed_wait),
        cmocka_unit_test(a_thread_has_a_name_and_hears_no_signals),
        cmocka_unit_test(processors_are_those_we_may_use),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
