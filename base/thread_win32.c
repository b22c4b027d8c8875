/* Threads, mutexes, conditions over Win32: see thread.h. Slim locks and condition variables need no
 * memory of their own, cannot fail, and wait by a clock that nobody sets
 * (learn.microsoft.com/windows/win32/sync/condition-variables). */

#include "base/thread.h"

#include <process.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

_Static_assert(sizeof(SRWLOCK) <= sizeof(struct sp_mutex), "sp_mutex has no room");
_Static_assert(_Alignof(SRWLOCK) <= _Alignof(struct sp_mutex), "sp_mutex is not aligned");
_Static_assert(sizeof(CONDITION_VARIABLE) <= sizeof(struct sp_cond), "sp_cond has no room");
_Static_assert(_Alignof(CONDITION_VARIABLE) <= _Alignof(struct sp_cond), "sp_cond is not aligned");

static SRWLOCK *
mutex(struct sp_mutex *m)
{
    return (SRWLOCK *)(void *)m->impl;
}

static CONDITION_VARIABLE *
cond(struct sp_cond *c)
{
    return (CONDITION_VARIABLE *)(void *)c->impl;
}

void
sp_mutex_init(struct sp_mutex *m)
{
    InitializeSRWLock(mutex(m));
}

void
sp_mutex_destroy(struct sp_mutex *m)
{
    (void)m;
}

void
sp_mutex_lock(struct sp_mutex *m)
{
    AcquireSRWLockExclusive(mutex(m));
}

void
sp_mutex_unlock(struct sp_mutex *m)
{
    ReleaseSRWLockExclusive(mutex(m));
}

void
sp_cond_init(struct sp_cond *c)
{
    InitializeConditionVariable(cond(c));
}

void
sp_cond_destroy(struct sp_cond *c)
{
    (void)c;
}

void
sp_cond_wait(struct sp_cond *c, struct sp_mutex *m)
{
    if (!SleepConditionVariableSRW(cond(c), mutex(m), INFINITE, 0))
        abort();
}

bool
sp_cond_wait_ms(struct sp_cond *c, struct sp_mutex *m, uint32_t ms)
{
    if (SleepConditionVariableSRW(cond(c), mutex(m), ms < INFINITE ? ms : INFINITE - 1, 0))
        return true;
    if (GetLastError() != ERROR_TIMEOUT)
        abort();
    return false;
}

void
sp_cond_signal(struct sp_cond *c)
{
    WakeConditionVariable(cond(c));
}

void
sp_cond_broadcast(struct sp_cond *c)
{
    WakeAllConditionVariable(cond(c));
}

struct sp_thread {
    HANDLE handle;
    wchar_t name[16];
    void (*run)(void *arg);
    void *arg;
};

/* From Windows 10 1607; the headers of the cross compiler do not have it
 * (learn.microsoft.com/windows/win32/api/processthreadsapi/nf-processthreadsapi-setthreaddescription).
 * A thread without a name works just as well. */
static void
set_name(const wchar_t *name)
{
    typedef HRESULT(WINAPI * describe)(HANDLE, PCWSTR);
    HMODULE kernel = GetModuleHandleW(L"kernel32.dll");
    FARPROC found = kernel != NULL ? GetProcAddress(kernel, "SetThreadDescription") : NULL;
    describe set;

    if (found == NULL)
        return;
    memcpy(&set, &found, sizeof(set));
    (void)set(GetCurrentThread(), name);
}

static unsigned WINAPI
thread_main(void *arg)
{
    struct sp_thread *t = arg;

    set_name(t->name);
    t->run(t->arg);
    return 0;
}

#define STACK_BYTES (8u << 20) /* reserved, not taken; as much as threads have on Linux */

/* _beginthreadex, not CreateThread: the C library keeps data for each thread. */
enum sp_code
sp_thread_start(
    const char *name, void (*run)(void *arg), void *arg, struct sp_thread **ret, struct sp_err *e)
{
    struct sp_thread *t = calloc(1, sizeof(*t));
    uintptr_t handle;

    if (t == NULL)
        return sp_fail_nomem(e);
    for (size_t i = 0; name[i] != '\0' && i + 1 < sizeof(t->name) / sizeof(t->name[0]); i++)
        t->name[i] = (wchar_t)(unsigned char)name[i];
    t->run = run;
    t->arg = arg;
    handle =
        _beginthreadex(NULL, STACK_BYTES, thread_main, t, STACK_SIZE_PARAM_IS_A_RESERVATION, NULL);
    if (handle == 0) {
        DWORD why = GetLastError();

        free(t);
        return sp_fail_os(e, SP_DOM_SELF, (int)why, "cannot start thread %s", name);
    }
    t->handle = (HANDLE)handle;
    *ret = t;
    return SP_OK;
}

void
sp_thread_join(struct sp_thread *t)
{
    if (t == NULL)
        return;
    if (WaitForSingleObject(t->handle, INFINITE) != WAIT_OBJECT_0 || !CloseHandle(t->handle))
        abort();
    free(t);
}

unsigned
sp_cpu_count(void)
{
    DWORD_PTR mine = 0, all = 0;
    unsigned n = 0;

    /* 0 when the process has threads in more than one group of 64 processors
     * (learn.microsoft.com/windows/win32/api/winbase/nf-winbase-getprocessaffinitymask). */
    if (GetProcessAffinityMask(GetCurrentProcess(), &mine, &all))
        for (; mine != 0; mine &= mine - 1)
            n++;
    if (n == 0)
        n = GetActiveProcessorCount(ALL_PROCESSOR_GROUPS);
    return n < 1 ? 1 : n;
}
