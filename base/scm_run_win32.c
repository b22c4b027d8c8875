/* The process as a service: see scm_win32.h.
 *
 * The service manager calls back without an argument of ours, so what it calls is found in the one
 * global; it belongs to the process as the service does. */

#include "base/scm_win32.h"

#include <string.h>

static struct {
    const struct sp_scm_service *service;
    SERVICE_STATUS_HANDLE handle;
    SERVICE_STATUS status;
    CRITICAL_SECTION lock;
    enum sp_code rc;
    struct sp_err e;
} own;

static void
say(DWORD state, DWORD wait_ms)
{
    EnterCriticalSection(&own.lock);
    /* What has begun to stop does not run again. */
    if (!(own.status.dwCurrentState == SERVICE_STOP_PENDING && state == SERVICE_RUNNING)) {
        own.status.dwCurrentState = state;
        own.status.dwWaitHint = wait_ms;
        own.status.dwCheckPoint = wait_ms > 0 ? own.status.dwCheckPoint + 1 : 0;
        own.status.dwControlsAccepted =
            state == SERVICE_RUNNING ? SERVICE_ACCEPT_STOP | SERVICE_ACCEPT_PRESHUTDOWN |
                                           SERVICE_ACCEPT_SHUTDOWN | SERVICE_ACCEPT_POWEREVENT
                                     : 0;
        (void)SetServiceStatus(own.handle, &own.status);
    }
    LeaveCriticalSection(&own.lock);
}

/* https://learn.microsoft.com/en-us/windows/win32/api/winsvc/nc-winsvc-lphandler_function_ex */
static DWORD WINAPI
control(DWORD what, DWORD type, LPVOID data, LPVOID context)
{
    (void)data;
    (void)context;
    switch (what) {
    case SERVICE_CONTROL_STOP:
    case SERVICE_CONTROL_SHUTDOWN:
    case SERVICE_CONTROL_PRESHUTDOWN:
        say(SERVICE_STOP_PENDING, own.service->stop_ms);
        own.service->stop(own.service->arg);
        return NO_ERROR;
    case SERVICE_CONTROL_POWEREVENT:
        if (type == PBT_APMRESUMEAUTOMATIC)
            own.service->wake(own.service->arg);
        return NO_ERROR;
    case SERVICE_CONTROL_INTERROGATE:
        return NO_ERROR;
    default:
        return ERROR_CALL_NOT_IMPLEMENTED;
    }
}

static VOID WINAPI
service_main(DWORD argc, LPWSTR *argv)
{
    (void)argc;
    (void)argv;
    own.handle = RegisterServiceCtrlHandlerExW(own.service->name, control, NULL);
    if (own.handle == NULL) {
        own.rc = sp_fail_os(&own.e, SP_DOM_SELF, (int)GetLastError(), "no service handler");
        return;
    }
    own.status.dwServiceType = SERVICE_WIN32_OWN_PROCESS;
    say(SERVICE_RUNNING, 0);
    own.rc = own.service->body(own.service->arg, &own.e);
    if (own.rc != SP_OK) {
        own.status.dwWin32ExitCode = ERROR_SERVICE_SPECIFIC_ERROR;
        own.status.dwServiceSpecificExitCode = 1;
    }
    say(SERVICE_STOPPED, 0);
}

enum sp_code
sp_scm_dispatch(const struct sp_scm_service *s, struct sp_err *e)
{
    SERVICE_TABLE_ENTRYW table[] = {{(wchar_t *)(uintptr_t)s->name, service_main}, {NULL, NULL}};
    DWORD why;

    own.service = s;
    InitializeCriticalSection(&own.lock);
    if (!StartServiceCtrlDispatcherW(table)) {
        why = GetLastError();
        if (why == ERROR_FAILED_SERVICE_CONTROLLER_CONNECT)
            return sp_fail(e, SP_UNSUPPORTED, SP_DOM_SELF, "not started by the service manager");
        return sp_fail_os(e, SP_DOM_SELF, (int)why, "the service manager does not answer");
    }
    if (own.rc != SP_OK)
        *e = own.e;
    return own.rc;
}
