/* Threads, mutexes, conditions over POSIX threads: see thread.h. */

#include "base/thread.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

_Static_assert(sizeof(pthread_mutex_t) <= sizeof(struct sp_mutex), "sp_mutex has no room");
_Static_assert(_Alignof(pthread_mutex_t) <= _Alignof(struct sp_mutex), "sp_mutex is not aligned");
_Static_assert(sizeof(pthread_cond_t) <= sizeof(struct sp_cond), "sp_cond has no room");
_Static_assert(_Alignof(pthread_cond_t) <= _Alignof(struct sp_cond), "sp_cond is not aligned");

static pthread_mutex_t *
mutex(struct sp_mutex *m)
{
    return (pthread_mutex_t *)(void *)m->impl;
}

static pthread_cond_t *
cond(struct sp_cond *c)
{
    return (pthread_cond_t *)(void *)c->impl;
}

/* None of these calls fails in a correct program, and after a failure nothing can go on safely. */
static void
must(int rc)
{
    if (rc != 0)
        abort();
}

void
sp_mutex_init(struct sp_mutex *m)
{
    must(pthread_mutex_init(mutex(m), NULL));
}

void
sp_mutex_destroy(struct sp_mutex *m)
{
    must(pthread_mutex_destroy(mutex(m)));
}

void
sp_mutex_lock(struct sp_mutex *m)
{
    must(pthread_mutex_lock(mutex(m)));
}

void
sp_mutex_unlock(struct sp_mutex *m)
{
    must(pthread_mutex_unlock(mutex(m)));
}

void
sp_cond_init(struct sp_cond *c)
{
    pthread_condattr_t attr;

    must(pthread_condattr_init(&attr));
    must(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC));
    must(pthread_cond_init(cond(c), &attr));
    must(pthread_condattr_destroy(&attr));
}

void
sp_cond_destroy(struct sp_cond *c)
{
    must(pthread_cond_destroy(cond(c)));
}

void
sp_cond_wait(struct sp_cond *c, struct sp_mutex *m)
{
    must(pthread_cond_wait(cond(c), mutex(m)));
}

bool
sp_cond_wait_ms(struct sp_cond *c, struct sp_mutex *m, uint32_t ms)
{
    struct timespec until;
    int rc;

    must(clock_gettime(CLOCK_MONOTONIC, &until));
    until.tv_sec += ms / 1000;
    until.tv_nsec += (long)(ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    rc = pthread_cond_timedwait(cond(c), mutex(m), &until);
    if (rc == ETIMEDOUT)
        return false;
    must(rc);
    return true;
}

void
sp_cond_signal(struct sp_cond *c)
{
    must(pthread_cond_signal(cond(c)));
}

void
sp_cond_broadcast(struct sp_cond *c)
{
    must(pthread_cond_broadcast(cond(c)));
}

struct sp_thread {
    pthread_t id;
    char name[16];
    void (*run)(void *arg);
    void *arg;
};

static void *
thread_main(void *arg)
{
    struct sp_thread *t = arg;

    /* A thread without a name works just as well. */
    (void)pthread_setname_np(pthread_self(), t->name);
    t->run(t->arg);
    return NULL;
}

/* What another process or the terminal sends is for the main thread; what the thread itself causes
 * must stay deliverable, or a crash would lose its report. */
static void
outside_signals(sigset_t *set)
{
    static const int own[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS};

    must(sigfillset(set));
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
        must(sigdelset(set, own[i]));
}

enum sp_code
sp_thread_start(
    const char *name, void (*run)(void *arg), void *arg, struct sp_thread **ret, struct sp_err *e)
{
    struct sp_thread *t = calloc(1, sizeof(*t));
    sigset_t blocked, before;
    int rc;

    if (t == NULL)
        return sp_fail_nomem(e);
    (void)snprintf(t->name, sizeof(t->name), "%s", name);
    t->run = run;
    t->arg = arg;
    /* The mask is inherited: set before, so that there is no moment without it. */
    outside_signals(&blocked);
    must(pthread_sigmask(SIG_BLOCK, &blocked, &before));
    rc = pthread_create(&t->id, NULL, thread_main, t);
    must(pthread_sigmask(SIG_SETMASK, &before, NULL));
    if (rc != 0) {
        free(t);
        return sp_fail_os(e, SP_DOM_SELF, rc, "cannot start thread %s", name);
    }
    *ret = t;
    return SP_OK;
}

void
sp_thread_join(struct sp_thread *t)
{
    if (t == NULL)
        return;
    must(pthread_join(t->id, NULL));
    free(t);
}

unsigned
sp_cpu_count(void)
{
    cpu_set_t set;
    long n;

    /* Fails on machines with more than CPU_SETSIZE processors. */
    if (sched_getaffinity(0, sizeof(set), &set) == 0)
        n = CPU_COUNT(&set);
    else
        n = sysconf(_SC_NPROCESSORS_ONLN);
    return n < 1 ? 1 : (unsigned)n;
}
