#include "client/runner_win32.h"

#include <windows.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "base/clock.h"
#include "base/path.h"
#include "base/scm_win32.h"
#include "base/sys_win32.h"
#include "client/run_log.h"

/* The scheduler among processes. A run is a process in a job object of its own: what it starts ends
 * with it, and all of it with us, however we end. It shares our console (a service makes itself
 * one), because Ctrl-Break is how a console program is asked to stop, and only reaches processes of
 * the sender's console. https://learn.microsoft.com/en-us/windows/console/generateconsolectrlevent
 */

#define RUNS_MOST (MAXIMUM_WAIT_OBJECTS - 2)
#define CRASH 139 /* 128 + 11: what POSIX says of a bad access */

struct sp_child {
    HANDLE process, job;
    DWORD id;
};
struct sp_runner {
    const struct sp_service_ask *a;
    char *program;
    HANDLE stop, wake;       /* auto-reset events */
    struct sp_eventlog *log; /* NULL: to standard error */
    struct sp_child *runs[RUNS_MOST];
    DWORD nruns;
};

enum sp_code
sp_runner_program(char **ret, struct sp_err *e)
{
    wchar_t path[32768];
    DWORD n = GetModuleFileNameW(NULL, path, 32768);
    enum sp_code rc;

    if (n == 0 || n >= 32768)
        return sp_fail_os(
            e, SP_DOM_SELF, (int)GetLastError(), "cannot find the path of this program");
    if ((rc = sp_win32_narrow(path, ret, e)) == SP_OK) {
        for (char *p = *ret; *p != '\0'; p++)
            *p = *p == '\\' ? '/' : *p;
    }
    return rc;
}

static enum sp_wake
wait_for(void *self, uint32_t ms)
{
    struct sp_runner *r = self;
    HANDLE handles[MAXIMUM_WAIT_OBJECTS] = {r->stop, r->wake};
    DWORD got;

    for (DWORD i = 0; i < r->nruns; i++)
        handles[2 + i] = r->runs[i]->process;
    got = WaitForMultipleObjects(2 + r->nruns, handles, FALSE, ms);
    if (got == WAIT_OBJECT_0)
        return SP_WAKE_STOP;
    return got > WAIT_OBJECT_0 + 1 && got < WAIT_OBJECT_0 + 2 + r->nruns ? SP_WAKE_CHILD
                                                                         : SP_WAKE_TIME;
}

/* --- starting
 * ------------------------------------------------------------------------------------------- */

/* As CommandLineToArgvW and the C runtime take it apart: backslashes count only before a quote.
 * https://learn.microsoft.com/en-us/cpp/c-language/parsing-c-command-line-arguments */
static void
put_argument(struct sp_buf *b, const char *text)
{
    size_t slashes = 0;

    sp_buf_put_str(b, b->len > 0 ? " \"" : "\"");
    for (const char *p = text; *p != '\0'; p++) {
        if (*p == '"') {
            for (size_t i = 0; i <= slashes; i++) /* those before it once more, and one for it */
                sp_buf_put_u8(b, '\\');
        }
        slashes = *p == '\\' ? slashes + 1 : 0;
        sp_buf_put_u8(b, (uint8_t)*p);
    }
    for (size_t i = 0; i < slashes; i++)
        sp_buf_put_u8(b, '\\');
    sp_buf_put_u8(b, '"');
}

static enum sp_code
command_line(const struct sp_runner *r, const struct sp_job *job, wchar_t **ret, struct sp_err *e)
{
    struct sp_buf b = SP_BUF_INIT;
    enum sp_code rc;

    put_argument(&b, r->program);
    put_argument(&b, "backup");
    if (r->a->config_file != NULL) {
        put_argument(&b, "--config");
        put_argument(&b, r->a->config_file);
    }
    put_argument(&b, "--");
    put_argument(&b, job->name);
    (void)sp_buf_str(&b);
    rc = sp_buf_ok(&b, e);
    if (rc == SP_OK)
        rc = sp_win32_wide(sp_buf_str(&b), ret, e);
    sp_buf_free(&b);
    return rc;
}

/* Written on at its end, readable by others meanwhile, inherited by the run. */
static enum sp_code
open_log(const struct sp_runner *r, const struct sp_job *job, HANDLE *ret, struct sp_err *e)
{
    SECURITY_ATTRIBUTES inherit = {.nLength = sizeof(inherit), .bInheritHandle = TRUE};
    char *path = NULL, when[32], line[64];
    wchar_t *wide = NULL;
    DWORD n;
    HANDLE log;
    enum sp_code rc;

    if ((rc = sp_run_log(r->a->env, job->name, &path, e)) != SP_OK)
        return rc;
    if ((rc = sp_win32_path(path, &wide, e)) == SP_OK &&
        (rc = sp_win32_tight(false, &inherit.lpSecurityDescriptor, e)) == SP_OK) {
        log = CreateFileW(wide, FILE_APPEND_DATA | SYNCHRONIZE,
            FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, &inherit, OPEN_ALWAYS,
            FILE_ATTRIBUTE_NORMAL | FILE_FLAG_OPEN_REPARSE_POINT, NULL);
        (void)LocalFree(inherit.lpSecurityDescriptor);
        if (log == INVALID_HANDLE_VALUE) {
            rc = sp_win32_fail(e, SP_DOM_SELF, GetLastError(), "open the log", path);
        } else {
            sp_time_local(sp_clock_wall(r->a->env->clock), when);
            (void)snprintf(line, sizeof(line), "--- %s\r\n", when);
            (void)WriteFile(log, line, (DWORD)strlen(line), &n, NULL);
            *ret = log;
        }
    }
    free(wide);
    free(path);
    return rc;
}

/* Suspended, until it is in its job object: nothing it starts can be outside. It inherits two
 * handles and no others.
 * https://learn.microsoft.com/en-us/windows/win32/api/processthreadsapi/nf-processthreadsapi-updateprocthreadattribute
 */
static enum sp_code
start_suspended(wchar_t *line, HANDLE null, HANDLE log, PROCESS_INFORMATION *ret, struct sp_err *e)
{
    STARTUPINFOEXW si = {.StartupInfo = {.cb = sizeof(si), .dwFlags = STARTF_USESTDHANDLES}};
    HANDLE inherited[2] = {null, log};
    SIZE_T n = 0;
    bool listed = false;
    enum sp_code rc = SP_OK;

    si.StartupInfo.hStdInput = null;
    si.StartupInfo.hStdOutput = si.StartupInfo.hStdError = log;
    (void)InitializeProcThreadAttributeList(NULL, 1, 0, &n);
    si.lpAttributeList = malloc(n);
    if (si.lpAttributeList == NULL)
        return sp_fail_nomem(e);
    listed = InitializeProcThreadAttributeList(si.lpAttributeList, 1, 0, &n);
    if (!listed ||
        !UpdateProcThreadAttribute(si.lpAttributeList, 0, PROC_THREAD_ATTRIBUTE_HANDLE_LIST,
            inherited, sizeof(inherited), NULL, NULL) ||
        !CreateProcessW(NULL, line, NULL, NULL, TRUE,
            CREATE_SUSPENDED | CREATE_NEW_PROCESS_GROUP | EXTENDED_STARTUPINFO_PRESENT |
                BELOW_NORMAL_PRIORITY_CLASS,
            NULL, NULL, &si.StartupInfo, ret))
        rc = sp_fail_os(e, SP_DOM_SELF, (int)GetLastError(), "no process could be started");
    if (listed)
        DeleteProcThreadAttributeList(si.lpAttributeList);
    free(si.lpAttributeList);
    return rc;
}

static enum sp_code
enter_job(struct sp_child *c, struct sp_err *e)
{
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits = {0};

    limits.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE;
    c->job = CreateJobObjectW(NULL, NULL);
    if (c->job == NULL ||
        !SetInformationJobObject(
            c->job, JobObjectExtendedLimitInformation, &limits, sizeof(limits)) ||
        !AssignProcessToJobObject(c->job, c->process))
        return sp_fail_os(e, SP_DOM_SELF, (int)GetLastError(), "the run cannot be held together");
    return SP_OK;
}

static void
child_free(struct sp_child *c)
{
    if (c->process != NULL)
        (void)CloseHandle(c->process);
    if (c->job != NULL)
        (void)CloseHandle(c->job);
    free(c);
}

static enum sp_code
start(void *self, const struct sp_job *job, struct sp_child **ret, struct sp_err *e)
{
    SECURITY_ATTRIBUTES inherit = {.nLength = sizeof(inherit), .bInheritHandle = TRUE};
    struct sp_runner *r = self;
    struct sp_child *c;
    PROCESS_INFORMATION process = {0};
    HANDLE log = NULL, null = INVALID_HANDLE_VALUE;
    wchar_t *line = NULL;
    enum sp_code rc;

    if (r->nruns == RUNS_MOST)
        return sp_fail(e, SP_BUSY, SP_DOM_SELF, "%d runs are under way already", RUNS_MOST);
    if ((c = calloc(1, sizeof(*c))) == NULL)
        return sp_fail_nomem(e);
    if ((rc = command_line(r, job, &line, e)) != SP_OK || (rc = open_log(r, job, &log, e)) != SP_OK)
        goto out;
    null = CreateFileW(
        L"NUL", GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE, &inherit, OPEN_EXISTING, 0, NULL);
    if ((rc = start_suspended(line, null, log, &process, e)) != SP_OK)
        goto out;
    c->process = process.hProcess;
    c->id = process.dwProcessId;
    if ((rc = enter_job(c, e)) == SP_OK && ResumeThread(process.hThread) == (DWORD)-1)
        rc = sp_fail_os(e, SP_DOM_SELF, (int)GetLastError(), "the run could not be started");
    if (rc != SP_OK) {
        (void)TerminateProcess(c->process, 1);
        goto out;
    }
    r->runs[r->nruns++] = c;
    *ret = c;
    c = NULL;
out:
    if (process.hThread != NULL)
        (void)CloseHandle(process.hThread);
    if (log != NULL)
        (void)CloseHandle(log);
    if (null != INVALID_HANDLE_VALUE)
        (void)CloseHandle(null);
    if (c != NULL)
        child_free(c);
    free(line);
    return rc;
}

static bool
ended(void *self, struct sp_child *c, int *ret_exit)
{
    struct sp_runner *r = self;
    DWORD code = 0;

    if (WaitForSingleObject(c->process, 0) != WAIT_OBJECT_0)
        return false;
    (void)GetExitCodeProcess(c->process, &code);
    *ret_exit = code <= 255 ? (int)code : CRASH; /* 0xc0000005 and its like */
    for (DWORD i = 0; i < r->nruns; i++) {
        if (r->runs[i] == c)
            r->runs[i--] = r->runs[--r->nruns];
    }
    child_free(c);
    return true;
}

static void
stop(void *self, struct sp_child *c, bool now)
{
    (void)self;
    if (now)
        (void)TerminateJobObject(c->job, 128 + 9);
    else /* without a console it fails, and the time until `now` passes */
        (void)GenerateConsoleCtrlEvent(CTRL_BREAK_EVENT, c->id);
}

/* --- the rest of the table
 * -------------------------------------------------------------------------------- */

static enum sp_known
on_battery(void *self)
{
    (void)self;
    return sp_machine_on_battery();
}

static enum sp_known
on_metered(void *self)
{
    (void)self;
    return sp_machine_on_metered();
}

static void
event(void *self, enum sp_event what, const char *job, const char *sentence)
{
    static const WORD types[] = {[SP_EVENT_START] = EVENTLOG_INFORMATION_TYPE,
        [SP_EVENT_SUCCESS] = EVENTLOG_INFORMATION_TYPE,
        [SP_EVENT_PARTLY] = EVENTLOG_WARNING_TYPE,
        [SP_EVENT_FAILURE] = EVENTLOG_ERROR_TYPE,
        [SP_EVENT_SERVICE] = EVENTLOG_INFORMATION_TYPE,
        [SP_EVENT_NOTE] = EVENTLOG_WARNING_TYPE};
    struct sp_runner *r = self;
    struct sp_buf line = SP_BUF_INIT;
    char when[32];

    if (r->log == NULL) {
        sp_time_local(sp_clock_wall(r->a->env->clock), when);
        sp_buf_printf(&line, "%s ", when);
    }
    if (job != NULL) {
        sp_text_show(job, &line);
        sp_buf_put_str(&line, ": ");
    }
    sp_text_show(sentence, &line);
    if (r->log != NULL)
        sp_eventlog_write(r->log, types[what], (WORD)what, sp_buf_str(&line));
    else
        (void)fprintf(stderr, "%s\n", sp_buf_str(&line));
    sp_buf_free(&line);
}

enum sp_code
sp_runner_new(const struct sp_service_ask *a, struct sp_runner **ret, struct sp_err *e)
{
    struct sp_runner *r = calloc(1, sizeof(*r));
    enum sp_code rc;

    if (r == NULL)
        return sp_fail_nomem(e);
    r->a = a;
    r->stop = CreateEventW(NULL, FALSE, FALSE, NULL);
    r->wake = CreateEventW(NULL, FALSE, FALSE, NULL);
    if (r->stop == NULL || r->wake == NULL)
        rc = sp_fail_os(e, SP_DOM_SELF, (int)GetLastError(), "no event objects");
    else
        rc = sp_runner_program(&r->program, e);
    if (rc == SP_OK)
        *ret = r;
    else
        sp_runner_free(r);
    return rc;
}

/* Somebody logs off: none of a service's business, and by itself its console would end it
 * (learn.microsoft.com/windows/console/handlerroutine). */
static BOOL WINAPI
stay(DWORD event)
{
    return event == CTRL_LOGOFF_EVENT;
}

enum sp_code
sp_runner_as_service(struct sp_runner *r, struct sp_err *e)
{
    if (GetConsoleWindow() == NULL)
        (void)AllocConsole(); /* without one a run is not asked, and ended when its time is over */
    (void)SetConsoleCtrlHandler(stay, TRUE);
    return sp_eventlog_open(SP_SERVICE_NAME, &r->log, e);
}

enum sp_code
sp_runner_run(struct sp_runner *r, struct sp_err *e)
{
    struct sp_scheduler_table table = {.self = r,
        .local = sp_local_system,
        .wait = wait_for,
        .start = start,
        .ended = ended,
        .stop = stop,
        .on_battery = on_battery,
        .on_metered = on_metered,
        .event = event};
    struct sp_scheduler_options o = {.env = r->a->env,
        .table = &table,
        .config_file = r->a->config_file,
        .may_idle = r->log != NULL};
    char *host = NULL;
    enum sp_code rc;

    if ((rc = sp_os_hostname(&host, e)) == SP_OK) {
        o.host = host;
        rc = sp_scheduler_run(&o, e);
    }
    if (rc != SP_OK && r->log != NULL) /* a service has nowhere else to say it */
        event(r, SP_EVENT_FAILURE, NULL, e->text);
    free(host);
    return rc;
}

void
sp_runner_stop(struct sp_runner *r)
{
    (void)SetEvent(r->stop);
}

void
sp_runner_wake(struct sp_runner *r)
{
    (void)SetEvent(r->wake);
}

void
sp_runner_free(struct sp_runner *r)
{
    if (r == NULL)
        return;
    if (r->stop != NULL)
        (void)CloseHandle(r->stop);
    if (r->wake != NULL)
        (void)CloseHandle(r->wake);
    sp_eventlog_close(r->log);
    free(r->program);
    free(r);
}
