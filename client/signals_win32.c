#include <windows.h>

#include <signal.h>
#include <stdatomic.h>

#include "base/thread.h"
#include "client/cli.h"

/* Console events: learn.microsoft.com/en-us/windows/console/handlerroutine. They come in a thread
 * of their own, so that the handler may take locks. Ctrl-C counts as SIGINT; Ctrl-Break, which is
 * what the service sends to a run, and the events at the end of a session count as SIGTERM. After
 * the handler of those the system ends the process, so it does not return: the run has what time
 * Windows leaves it (five seconds for a closed window) to make its checkpoint and end by itself. */

#define WHICH_TERM 15 /* exit code 143, as everywhere else */

static atomic_int received;
static atomic_int times;
static atomic_bool at_once;
static struct sp_mutex lock;
static struct sp_store *store;

/* With the lock. Also a store that is opened after the event came: nobody repeats it for that. */
static void
cancel_if_due(void)
{
    if (store != NULL && sp_signals_cancel(NULL))
        sp_store_cancel(store);
}

static void
came(int which)
{
    atomic_store(&received, which);
    if (atomic_fetch_add(&times, 1) + 1 >= 3)
        TerminateProcess(GetCurrentProcess(), (UINT)(128 + which));
    sp_mutex_lock(&lock);
    cancel_if_due();
    sp_mutex_unlock(&lock);
}

/* Session 0 is the services' alone, and what they start. */
static bool
in_services_session(void)
{
    DWORD session = 1;

    return ProcessIdToSessionId(GetCurrentProcessId(), &session) && session == 0;
}

static BOOL WINAPI
on_event(DWORD event)
{
    switch (event) {
    case CTRL_C_EVENT:
        came(SIGINT);
        return TRUE;
    case CTRL_BREAK_EVENT:
        came(WHICH_TERM);
        return TRUE;
    case CTRL_LOGOFF_EVENT:
        /* Told to what services started, of any user, and does not say whose session ends
         * (learn.microsoft.com/windows/console/handlerroutine): no reason to end a backup. */
        if (in_services_session())
            return TRUE;
        /* fallthrough */
    case CTRL_CLOSE_EVENT:
    case CTRL_SHUTDOWN_EVENT:
        came(WHICH_TERM);
        Sleep(INFINITE);
        return TRUE;
    default:
        return FALSE;
    }
}

void
sp_signals_install(void)
{
    sp_mutex_init(&lock);
    /* A parent may have had Ctrl-C ignored, and children inherit that. */
    (void)SetConsoleCtrlHandler(NULL, FALSE);
    (void)SetConsoleCtrlHandler(on_event, TRUE);
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
