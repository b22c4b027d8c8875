#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/thread.h"
#include "client/cli.h"

/* A thread takes the signals with sigwait, so that no handler has to be safe for anything. All
 * other threads block them (base/thread.h). The one global of the client: signals belong to the
 * process. */

static atomic_int received;
static atomic_int times;
static atomic_bool at_once;
static struct sp_mutex lock;
static struct sp_store *store;

/* With the lock. Also a store that is opened after the signal came: nobody repeats it for that. */
static void
cancel_if_due(void)
{
    if (store != NULL && sp_signals_cancel(NULL))
        sp_store_cancel(store);
}

static void *
wait_for_signals(void *arg)
{
    sigset_t *set = arg;
    int which, n;

    for (;;) {
        if (sigwait(set, &which) != 0)
            continue;
        atomic_store(&received, which);
        n = atomic_fetch_add(&times, 1) + 1;
        if (n >= 3)
            _exit(128 + which);
        sp_mutex_lock(&lock);
        cancel_if_due();
        sp_mutex_unlock(&lock);
    }
    return NULL;
}

void
sp_signals_install(void)
{
    static sigset_t set;
    pthread_t thread;

    if (sigemptyset(&set) != 0 || sigaddset(&set, SIGINT) != 0 || sigaddset(&set, SIGTERM) != 0)
        return;
    sp_mutex_init(&lock);
    (void)signal(SIGPIPE, SIG_IGN);
    if (pthread_sigmask(SIG_BLOCK, &set, NULL) != 0)
        return;
    if (pthread_create(&thread, NULL, wait_for_signals, &set) == 0)
        (void)pthread_detach(thread);
}

void
sp_signals_at_once(void)
{
    atomic_store(&at_once, true);
}

bool
sp_signals_stop(void *unused)
{
    (void)unused;
    return atomic_load(&received) != 0;
}

bool
sp_signals_cancel(void *unused)
{
    (void)unused;
    return atomic_load(&times) >= (atomic_load(&at_once) ? 1 : 2);
}

int
sp_signals_times(void)
{
    return atomic_load(&times);
}

int
sp_signals_which(void)
{
    return atomic_load(&received);
}

void
sp_signals_store(struct sp_store *s)
{
    sp_mutex_lock(&lock);
    store = s;
    cancel_if_due();
    sp_mutex_unlock(&lock);
}
