#include "client/service.h"

#include <windows.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "base/scm_win32.h"
#include "base/sys_win32.h"
#include "client/runner_win32.h"

/* `stillpoint service` with Windows' service manager. */

#define START_MS 30000
#define STOP_MS 90000 /* a run may need 60 s for its checkpoint */

/* What a backup and a restore need; LocalSystem has more, and the process does without it. Passing
 * through folders (SeChangeNotify) is everyone's, and goes when it is not named here.
 * https://learn.microsoft.com/en-us/windows/win32/api/winsvc/ns-winsvc-service_required_privileges_infow
 */
static const wchar_t privileges[] = L"SeBackupPrivilege\0SeRestorePrivilege\0SeSecurityPrivilege\0"
                                    L"SeManageVolumePrivilege\0SeCreateSymbolicLinkPrivilege\0"
                                    L"SeChangeNotifyPrivilege\0";

static enum sp_code
only_linux(const struct sp_service_ask *a, struct sp_err *e)
{
    if (a->user)
        return sp_fail(e, SP_UNSUPPORTED, SP_DOM_CONFIG,
            "Windows has no services of a single user: have the Task Scheduler start 'stillpoint "
            "service run' when you log on (schtasks /create /sc onlogon /tn Stillpoint /tr "
            "\"stillpoint service run\"), or install the service as administrator");
    if (a->scheduler || a->root != NULL)
        return sp_fail(e, SP_INVALID, SP_DOM_CONFIG,
            "%s is for Linux; the service of Windows follows every schedule itself",
            a->root != NULL ? "--root" : "--scheduler");
    return SP_OK;
}

/* What the service is; both strings malloc'd. */
static enum sp_code
describe(const struct sp_service_ask *a, struct sp_scm_spec *s, char **ret_program,
    wchar_t **ret_arguments, struct sp_err *e)
{
    struct sp_buf b = SP_BUF_INIT;
    enum sp_code rc;

    if ((rc = sp_runner_program(ret_program, e)) != SP_OK)
        return rc;
    sp_buf_put_str(&b, "service run");
    if (a->config_file != NULL) /* a path: no quotes in it, no backslash at its end */
        sp_buf_printf(&b, " --config \"%s\"", a->config_file);
    (void)sp_buf_str(&b);
    if ((rc = sp_buf_ok(&b, e)) == SP_OK)
        rc = sp_win32_wide(sp_buf_str(&b), ret_arguments, e);
    sp_buf_free(&b);
    *s = (struct sp_scm_spec){.name = SP_SERVICE_NAME,
        .display = L"Stillpoint backup",
        .description =
            L"Backs up this machine by the schedule of its jobs. 'stillpoint service status' "
            L"tells when each runs next.",
        .program = *ret_program,
        .arguments = *ret_arguments,
        .privileges = privileges,
        .preshutdown_ms = STOP_MS};
    return rc;
}

enum sp_code
sp_service_install(const struct sp_service_ask *a, struct sp_buf *said, struct sp_err *e)
{
    struct sp_scm_spec s;
    char *program = NULL;
    wchar_t *arguments = NULL;
    enum sp_code rc;

    if ((rc = only_linux(a, e)) == SP_OK &&
        (rc = describe(a, &s, &program, &arguments, e)) == SP_OK &&
        (rc = sp_scm_install(&s, said, e)) == SP_OK &&
        (rc = sp_eventlog_register(SP_SERVICE_NAME, program, e)) == SP_OK)
        rc = sp_scm_start(SP_SERVICE_NAME, START_MS, e);
    if (rc == SP_OK)
        sp_buf_put_str(said, "the service Stillpoint is installed and runs\n");
    free(program);
    free(arguments);
    return rc;
}

enum sp_code
sp_service_remove(const struct sp_service_ask *a, struct sp_buf *said, struct sp_err *e)
{
    enum sp_code rc;

    if ((rc = only_linux(a, e)) != SP_OK)
        return rc;
    rc = sp_scm_remove(SP_SERVICE_NAME, STOP_MS, e);
    if (rc == SP_ABSENT) {
        sp_err_clear(e);
        sp_buf_put_str(said, "there was no service\n");
        rc = SP_OK;
    }
    return rc == SP_OK ? sp_eventlog_unregister(SP_SERVICE_NAME, e) : rc;
}

enum sp_code
sp_service_start(const struct sp_service_ask *a, struct sp_buf *said, struct sp_err *e)
{
    enum sp_code rc = only_linux(a, e);

    (void)said;
    return rc == SP_OK ? sp_scm_start(SP_SERVICE_NAME, START_MS, e) : rc;
}

enum sp_code
sp_service_stop(const struct sp_service_ask *a, struct sp_buf *said, struct sp_err *e)
{
    enum sp_code rc = only_linux(a, e);

    (void)said;
    return rc == SP_OK ? sp_scm_stop(SP_SERVICE_NAME, STOP_MS, e) : rc;
}

enum sp_code
sp_service_look(const struct sp_service_ask *a, struct sp_service_look *ret, struct sp_err *e)
{
    static const enum sp_service_state states[] = {[SP_SCM_ABSENT] = SP_SERVICE_ABSENT,
        [SP_SCM_STOPPED] = SP_SERVICE_STOPPED,
        [SP_SCM_RUNNING] = SP_SERVICE_RUNNING,
        [SP_SCM_CHANGING] = SP_SERVICE_CHANGING};
    struct sp_service_look look = {.what = "the service Stillpoint"};
    struct sp_scm_spec s;
    enum sp_scm_state state = SP_SCM_ABSENT;
    bool same = true;
    char *program = NULL;
    wchar_t *arguments = NULL;
    enum sp_code rc;

    if ((rc = only_linux(a, e)) == SP_OK &&
        (rc = describe(a, &s, &program, &arguments, e)) == SP_OK &&
        (rc = sp_scm_look(&s, &state, &same, e)) == SP_OK) {
        look.state = states[state];
        look.stale =
            !same; /* of another program or configuration file; it follows changes itself */
        if (state == SP_SCM_ABSENT)
            look.what[0] = '\0';
        *ret = look;
    }
    free(program);
    free(arguments);
    return rc;
}

/* --- running
 * -------------------------------------------------------------------------------------------- */

struct serving {
    const struct sp_service_ask *a;
    struct sp_runner *runner; /* there before anybody can ask it to stop */
};

static enum sp_code
body(void *arg, struct sp_err *e)
{
    struct serving *s = arg;

    enum sp_code rc = sp_runner_as_service(s->runner, e);

    return rc == SP_OK ? sp_runner_run(s->runner, e) : rc;
}

static void
stop(void *arg)
{
    struct serving *s = arg;

    sp_runner_stop(s->runner);
}

static void
wake(void *arg)
{
    struct serving *s = arg;

    sp_runner_wake(s->runner);
}

/* The console's handler gets no argument; there is one foreground a process. */
static struct sp_runner *foreground;

static BOOL WINAPI
on_console(DWORD what)
{
    sp_runner_stop(foreground);
    if (what == CTRL_C_EVENT || what == CTRL_BREAK_EVENT)
        return TRUE;
    Sleep(INFINITE); /* the process ends when this returns: the loop ends it before */
    return TRUE;
}

enum sp_code
sp_service_serve(const struct sp_service_ask *a, struct sp_err *e)
{
    struct serving s = {a, NULL};
    struct sp_scm_service service = {SP_SERVICE_NAME, body, stop, wake, &s, STOP_MS};
    enum sp_code rc;

    if ((rc = sp_runner_new(a, &s.runner, e)) != SP_OK)
        return rc;
    rc = sp_scm_dispatch(&service, e);
    if (rc == SP_UNSUPPORTED) { /* from a console */
        sp_err_clear(e);
        foreground = s.runner;
        (void)SetConsoleCtrlHandler(NULL, FALSE);
        (void)SetConsoleCtrlHandler(on_console, TRUE);
        rc = sp_runner_run(s.runner, e);
    }
    sp_runner_free(s.runner);
    return rc;
}
