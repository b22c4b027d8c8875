/* Services as the service manager keeps them: see scm_win32.h. */

#include "base/scm_win32.h"

#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "base/sys_win32.h"

#define POLL_MS 100
#define RESTART_MS 60000
#define RESET_S 86400

static enum sp_code
fail(struct sp_err *e, DWORD why, const char *what)
{
    if (why == ERROR_ACCESS_DENIED)
        return sp_fail(e, SP_DENIED, SP_DOM_CONFIG,
            "Windows lets only administrators %s: open the console with 'Run as administrator' and "
            "run it again",
            what);
    if (why == ERROR_SERVICE_DOES_NOT_EXIST)
        return sp_fail(e, SP_ABSENT, SP_DOM_CONFIG, "the service is not installed");
    if (why == ERROR_SERVICE_MARKED_FOR_DELETE)
        return sp_fail(e, SP_BUSY, SP_DOM_CONFIG,
            "the service is being removed; close the Services window and Event Viewer, then run it "
            "again");
    return sp_fail_os(e, SP_DOM_SELF, (int)why, "cannot %s", what);
}

static enum sp_code
open_service(const wchar_t *name, DWORD access, const char *what, SC_HANDLE *ret_manager,
    SC_HANDLE *ret, struct sp_err *e)
{
    SC_HANDLE manager = OpenSCManagerW(NULL, NULL, SC_MANAGER_CONNECT), service;
    DWORD why;

    if (manager == NULL)
        return fail(e, GetLastError(), what);
    service = OpenServiceW(manager, name, access);
    if (service == NULL) {
        why = GetLastError();
        (void)CloseServiceHandle(manager);
        return fail(e, why, what);
    }
    *ret_manager = manager;
    *ret = service;
    return SP_OK;
}

/* "C:\…\stillpoint.exe" service run: in quotes, because what a path with spaces means without them
 * is whatever lies at C:\Program.exe. */
static enum sp_code
command_line(const struct sp_scm_spec *s, wchar_t **ret, struct sp_err *e)
{
    wchar_t *program = NULL, *line;
    size_t n;
    enum sp_code rc;

    if ((rc = sp_win32_wide(s->program, &program, e)) != SP_OK)
        return rc;
    for (wchar_t *p = program; *p != 0; p++)
        *p = *p == L'/' ? L'\\' : *p;
    n = wcslen(program) + wcslen(s->arguments) + 4;
    if ((line = malloc(n * sizeof(*line))) == NULL) {
        free(program);
        return sp_fail_nomem(e);
    }
    (void)swprintf(line, n, L"\"%ls\" %ls", program, s->arguments);
    free(program);
    *ret = line;
    return SP_OK;
}

static enum sp_code
configure(SC_HANDLE service, const struct sp_scm_spec *s, struct sp_buf *said, struct sp_err *e)
{
    SC_ACTION actions[3] = {{SC_ACTION_RESTART, RESTART_MS}, {SC_ACTION_RESTART, RESTART_MS},
        {SC_ACTION_RESTART, RESTART_MS}};
    SERVICE_DESCRIPTIONW description = {(wchar_t *)(uintptr_t)s->description};
    SERVICE_FAILURE_ACTIONSW failure = {
        .dwResetPeriod = RESET_S, .cActions = 3, .lpsaActions = actions};
    SERVICE_FAILURE_ACTIONS_FLAG flag = {TRUE}; /* a bad exit code is a failure as well */
    SERVICE_DELAYED_AUTO_START_INFO delayed = {TRUE};
    SERVICE_PRESHUTDOWN_INFO preshutdown = {s->preshutdown_ms};
    SERVICE_REQUIRED_PRIVILEGES_INFOW privileges = {(wchar_t *)(uintptr_t)s->privileges};

    const struct {
        DWORD level;
        void *value;
        const char *what;
    } settings[] = {{SERVICE_CONFIG_DESCRIPTION, &description, "its description"},
        {SERVICE_CONFIG_FAILURE_ACTIONS, &failure, "to start it again after a failure"},
        {SERVICE_CONFIG_FAILURE_ACTIONS_FLAG, &flag, "that a bad exit code is a failure"},
        {SERVICE_CONFIG_DELAYED_AUTO_START_INFO, &delayed, "to start it a little later"},
        {SERVICE_CONFIG_PRESHUTDOWN_INFO, &preshutdown, "to wait for it at shutdown"},
        {SERVICE_CONFIG_REQUIRED_PRIVILEGES_INFO, &privileges,
            "to take the privileges it does not need"}};

    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
        if (ChangeServiceConfig2W(service, settings[i].level, settings[i].value))
            continue;
        if (GetLastError() != ERROR_INVALID_LEVEL)
            return fail(e, GetLastError(), "set up the service");
        /* Wine, not Windows: said, and gone without. */
        sp_buf_printf(said, "this system does not know how %s\n", settings[i].what);
    }
    return SP_OK;
}

enum sp_code
sp_scm_install(const struct sp_scm_spec *s, struct sp_buf *said, struct sp_err *e)
{
    SC_HANDLE manager = NULL, service = NULL;
    wchar_t *line = NULL;
    bool made = false;
    enum sp_code rc;

    if ((rc = command_line(s, &line, e)) != SP_OK)
        return rc;
    manager = OpenSCManagerW(NULL, NULL, SC_MANAGER_CONNECT | SC_MANAGER_CREATE_SERVICE);
    if (manager == NULL) {
        rc = fail(e, GetLastError(), "install services");
        goto out;
    }
    service =
        CreateServiceW(manager, s->name, s->display, SERVICE_ALL_ACCESS, SERVICE_WIN32_OWN_PROCESS,
            SERVICE_AUTO_START, SERVICE_ERROR_NORMAL, line, NULL, NULL, NULL, s->account, NULL);
    made = service != NULL;
    if (service == NULL && GetLastError() == ERROR_SERVICE_EXISTS) {
        service = OpenServiceW(manager, s->name, SERVICE_ALL_ACCESS);
        if (service != NULL &&
            !ChangeServiceConfigW(service, SERVICE_WIN32_OWN_PROCESS, SERVICE_AUTO_START,
                SERVICE_ERROR_NORMAL, line, NULL, NULL, NULL, s->account, NULL, s->display)) {
            rc = fail(e, GetLastError(), "change the service");
            goto out;
        }
    }
    rc = service == NULL ? fail(e, GetLastError(), "install services")
                         : configure(service, s, said, e);
    if (rc != SP_OK && made) /* half of it is worse than nothing */
        (void)DeleteService(service);
out:
    if (service != NULL)
        (void)CloseServiceHandle(service);
    if (manager != NULL)
        (void)CloseServiceHandle(manager);
    free(line);
    return rc;
}

/* Until the service has the state, or the time is over. */
static enum sp_code
wait_for(SC_HANDLE service, DWORD state, DWORD wait_ms, struct sp_err *e)
{
    SERVICE_STATUS_PROCESS st;
    DWORD n;
    ULONGLONG end = GetTickCount64() + wait_ms;

    for (;;) {
        if (!QueryServiceStatusEx(service, SC_STATUS_PROCESS_INFO, (BYTE *)&st, sizeof(st), &n))
            return fail(e, GetLastError(), "ask for the state of the service");
        if (st.dwCurrentState == state)
            return SP_OK;
        if (state == SERVICE_RUNNING && st.dwCurrentState == SERVICE_STOPPED)
            return sp_fail(e, SP_IO, SP_DOM_SELF,
                "the service ended at once (%lu); the Event Log, source Stillpoint, tells why",
                st.dwWin32ExitCode);
        if (GetTickCount64() >= end)
            return sp_fail(e, SP_TIMEOUT, SP_DOM_SELF,
                "the service did not %s within %lu s; 'service status' tells when it has",
                state == SERVICE_RUNNING ? "start" : "stop", wait_ms / 1000);
        Sleep(POLL_MS);
    }
}

static enum sp_code
stop(SC_HANDLE service, DWORD wait_ms, struct sp_err *e)
{
    SERVICE_STATUS st;
    DWORD why;

    if (!ControlService(service, SERVICE_CONTROL_STOP, &st)) {
        why = GetLastError();
        if (why == ERROR_SERVICE_NOT_ACTIVE)
            return SP_OK;
        if (why != ERROR_SERVICE_CANNOT_ACCEPT_CTRL) /* starting or stopping already */
            return fail(e, why, "stop the service");
    }
    return wait_for(service, SERVICE_STOPPED, wait_ms, e);
}

enum sp_code
sp_scm_remove(const wchar_t *name, DWORD wait_ms, struct sp_err *e)
{
    SC_HANDLE manager, service;
    enum sp_code rc;

    if ((rc = open_service(name, SERVICE_STOP | SERVICE_QUERY_STATUS | DELETE, "remove services",
             &manager, &service, e)) != SP_OK)
        return rc;
    rc = stop(service, wait_ms, e);
    if (rc == SP_OK && !DeleteService(service))
        rc = fail(e, GetLastError(), "remove the service");
    (void)CloseServiceHandle(service);
    (void)CloseServiceHandle(manager);
    return rc;
}

enum sp_code
sp_scm_start(const wchar_t *name, DWORD wait_ms, struct sp_err *e)
{
    SC_HANDLE manager, service;
    enum sp_code rc;

    if ((rc = open_service(name, SERVICE_START | SERVICE_QUERY_STATUS, "start services", &manager,
             &service, e)) != SP_OK)
        return rc;
    if (!StartServiceW(service, 0, NULL) && GetLastError() != ERROR_SERVICE_ALREADY_RUNNING)
        rc = fail(e, GetLastError(), "start the service");
    else
        rc = wait_for(service, SERVICE_RUNNING, wait_ms, e);
    (void)CloseServiceHandle(service);
    (void)CloseServiceHandle(manager);
    return rc;
}

enum sp_code
sp_scm_stop(const wchar_t *name, DWORD wait_ms, struct sp_err *e)
{
    SC_HANDLE manager, service;
    enum sp_code rc;

    if ((rc = open_service(name, SERVICE_STOP | SERVICE_QUERY_STATUS, "stop services", &manager,
             &service, e)) != SP_OK)
        return rc;
    rc = stop(service, wait_ms, e);
    (void)CloseServiceHandle(service);
    (void)CloseServiceHandle(manager);
    return rc;
}

/* Whether the service starts this line. */
static enum sp_code
same_line(SC_HANDLE service, const struct sp_scm_spec *s, bool *ret, struct sp_err *e)
{
    QUERY_SERVICE_CONFIGW *config = NULL;
    wchar_t *line = NULL;
    DWORD n = 0;
    enum sp_code rc;

    if ((rc = command_line(s, &line, e)) != SP_OK)
        return rc;
    if (!QueryServiceConfigW(service, NULL, 0, &n) && GetLastError() != ERROR_INSUFFICIENT_BUFFER)
        rc = fail(e, GetLastError(), "read the service's settings");
    else if ((config = malloc(n)) == NULL)
        rc = sp_fail_nomem(e);
    else if (!QueryServiceConfigW(service, config, n, &n))
        rc = fail(e, GetLastError(), "read the service's settings");
    else
        *ret = _wcsicmp(config->lpBinaryPathName, line) == 0;
    free(config);
    free(line);
    return rc;
}

enum sp_code
sp_scm_look(const struct sp_scm_spec *s, enum sp_scm_state *ret, bool *ret_same, struct sp_err *e)
{
    SERVICE_STATUS_PROCESS st;
    SC_HANDLE manager, service;
    bool same = true;
    DWORD n;
    enum sp_code rc;

    rc = open_service(s->name, SERVICE_QUERY_STATUS | SERVICE_QUERY_CONFIG, "see services",
        &manager, &service, e);
    if (rc == SP_ABSENT) {
        sp_err_clear(e);
        *ret = SP_SCM_ABSENT;
        *ret_same = true;
        return SP_OK;
    }
    if (rc != SP_OK)
        return rc;
    if (!QueryServiceStatusEx(service, SC_STATUS_PROCESS_INFO, (BYTE *)&st, sizeof(st), &n))
        rc = fail(e, GetLastError(), "ask for the state of the service");
    else
        rc = same_line(service, s, &same, e);
    (void)CloseServiceHandle(service);
    (void)CloseServiceHandle(manager);
    if (rc != SP_OK)
        return rc;
    *ret_same = same;
    *ret = st.dwCurrentState == SERVICE_RUNNING   ? SP_SCM_RUNNING
           : st.dwCurrentState == SERVICE_STOPPED ? SP_SCM_STOPPED
                                                  : SP_SCM_CHANGING;
    return SP_OK;
}
