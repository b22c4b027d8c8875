#include <windows.h>

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "base/clock.h"
#include "base/path.h"
#include "client/cli.h"
#include "client/hooks.h"

/* cmd.exe runs the user's command, in a job object: what it starts ends with it
 * (learn.microsoft.com/en-us/windows/win32/procthread/job-objects). It begins as a console process
 * group of its own, so that our Ctrl-C is not its Ctrl-C and Ctrl-Break can be sent to it alone. */

#define POLL_MS 20
#define GRACE_MS 2000 /* between asking and killing */

struct hook {
    HANDLE job;
    PROCESS_INFORMATION process;
};

static enum sp_code
wide(const char *s, WCHAR **ret, struct sp_err *e)
{
    uint16_t *w = NULL;
    size_t n = 0;
    enum sp_code rc = sp_wtf8_to_utf16(s, strlen(s) + 1, &w, &n, e); /* its NUL too */

    if (rc == SP_OK)
        *ret = (WCHAR *)w;
    return rc;
}

/* --- the environment: ours, with the variables of the run put over it
 * ----------------------------- */

static bool
is_set_by(const WCHAR *line, const WCHAR *const *ours, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const WCHAR *eq = wcschr(ours[i], L'=');
        size_t name = (size_t)(eq - ours[i]) + 1;

        if (_wcsnicmp(line, ours[i], name) == 0)
            return true;
    }
    return false;
}

static WCHAR *
merge(const WCHAR *block, const WCHAR *const *ours, size_t n)
{
    size_t total = 1;
    const WCHAR *p;
    WCHAR *merged, *to;

    for (p = block; *p != 0; p += wcslen(p) + 1)
        total += wcslen(p) + 1;
    for (size_t i = 0; i < n; i++)
        total += wcslen(ours[i]) + 1;
    if ((merged = malloc(total * sizeof *merged)) == NULL)
        return NULL;
    to = merged;
    for (p = block; *p != 0; p += wcslen(p) + 1) {
        if (is_set_by(p, ours, n))
            continue;
        wmemcpy(to, p, wcslen(p) + 1);
        to += wcslen(p) + 1;
    }
    for (size_t i = 0; i < n; i++) {
        wmemcpy(to, ours[i], wcslen(ours[i]) + 1);
        to += wcslen(ours[i]) + 1;
    }
    *to = 0;
    return merged;
}

#define MOST_VARS 8

static enum sp_code
environment(const struct sp_hook_env *vars, WCHAR **ret, struct sp_err *e)
{
    WCHAR *ours[MOST_VARS] = {0}, *block;
    size_t n = 0;
    enum sp_code rc = SP_OK;

    for (; vars->name != NULL && n < MOST_VARS && rc == SP_OK; vars++) {
        struct sp_buf line = SP_BUF_INIT;

        sp_buf_printf(&line, "%s=%s", vars->name, vars->value);
        if ((rc = sp_buf_ok(&line, e)) == SP_OK &&
            (rc = wide(sp_buf_str(&line), &ours[n], e)) == SP_OK)
            n++;
        sp_buf_free(&line);
    }
    if (rc == SP_OK) {
        block = GetEnvironmentStringsW();
        *ret = block == NULL ? NULL : merge(block, (const WCHAR *const *)ours, n);
        if (block != NULL)
            (void)FreeEnvironmentStringsW(block);
        if (*ret == NULL)
            rc = sp_fail_nomem(e);
    }
    for (size_t i = 0; i < n; i++)
        free(ours[i]);
    return rc;
}

/* --- the process ---------------------------------------------------------------------------------
 */

static enum sp_code
start(struct hook *h, const char *what, const char *command, WCHAR *env, struct sp_err *e)
{
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits = {0};
    STARTUPINFOW si = {.cb = sizeof si, .dwFlags = STARTF_USESTDHANDLES};
    struct sp_buf line = SP_BUF_INIT;
    WCHAR *text = NULL, shell[MAX_PATH];
    UINT n = GetSystemDirectoryW(shell, MAX_PATH - 9);
    BOOL ok;
    enum sp_code rc;

    if (n == 0 || n >= MAX_PATH - 9)
        return sp_fail(e, SP_IO, SP_DOM_SELF, "the system folder of Windows is not to be found");
    (void)wcscat(shell, L"\\cmd.exe");
    /* With /s all between the first and the last quote is the command as it stands. */
    sp_buf_printf(&line, "cmd.exe /d /s /c \"%s\"", command);
    if ((rc = sp_buf_ok(&line, e)) == SP_OK)
        rc = wide(sp_buf_str(&line), &text, e);
    sp_buf_free(&line);
    if (rc != SP_OK)
        return rc;
    /* Results are ours to print: what the command says goes to standard error. */
    si.hStdInput = GetStdHandle(STD_INPUT_HANDLE);
    si.hStdOutput = si.hStdError = GetStdHandle(STD_ERROR_HANDLE);
    (void)SetHandleInformation(si.hStdError, HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT);
    limits.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE;
    h->job = CreateJobObjectW(NULL, NULL);
    ok = h->job != NULL &&
         SetInformationJobObject(h->job, JobObjectExtendedLimitInformation, &limits, sizeof limits);
    ok = ok && CreateProcessW(shell, text, NULL, NULL, TRUE,
                   CREATE_SUSPENDED | CREATE_NEW_PROCESS_GROUP | CREATE_UNICODE_ENVIRONMENT, env,
                   NULL, &si, &h->process);
    if (ok && !AssignProcessToJobObject(h->job, h->process.hProcess)) {
        (void)TerminateProcess(h->process.hProcess, 1);
        ok = FALSE;
    }
    if (!ok)
        rc = sp_fail_os(
            e, SP_DOM_SELF, (int)GetLastError(), "the %s command could not be started", what);
    else
        (void)ResumeThread(h->process.hThread);
    free(text);
    return rc;
}

/* True when it ended within ms; false as well when more than `signals` events came, and the user
 * does not want to wait any longer: that is what a second one says. */
static bool
wait_ms(HANDLE process, int64_t ms, int signals)
{
    int times;

    for (;; ms -= POLL_MS) {
        if (WaitForSingleObject(process, POLL_MS) == WAIT_OBJECT_0)
            return true;
        times = sp_signals_times();
        if (ms <= 0 || (times > signals && times >= 2))
            return false;
    }
}

static enum sp_code
finish(struct hook *h, const char *what, const char *command, int64_t timeout_ns, struct sp_err *e)
{
    int signals = sp_signals_times();
    DWORD status = 0;
    bool stopped;

    if (!wait_ms(h->process.hProcess, timeout_ns / 1000000, signals)) {
        stopped = sp_signals_times() > signals && sp_signals_times() >= 2;
        (void)GenerateConsoleCtrlEvent(CTRL_BREAK_EVENT, h->process.dwProcessId);
        (void)wait_ms(h->process.hProcess, GRACE_MS, INT_MAX);
        (void)TerminateJobObject(h->job, 1);
        if (stopped)
            return sp_fail(e, SP_CANCELLED, SP_DOM_SELF,
                "interrupted; the %s command was stopped: %s", what, command);
        return sp_fail(e, SP_TIMEOUT, SP_DOM_CONFIG,
            "the %s command did not end within %lld s and was stopped: %s", what,
            (long long)(timeout_ns / SP_SECOND), command);
    }
    if (!GetExitCodeProcess(h->process.hProcess, &status))
        return sp_fail_os(e, SP_DOM_SELF, (int)GetLastError(), "the %s command", what);
    if (status != 0)
        return sp_fail(e, SP_IO, SP_DOM_CONFIG, "the %s command ended with status %ld: %s", what,
            (long)status, command);
    return SP_OK;
}

enum sp_code
sp_hook_run(const char *what, const char *command, const struct sp_hook_env *vars,
    int64_t timeout_ns, struct sp_err *e)
{
    struct hook h = {0};
    WCHAR *env = NULL;
    enum sp_code rc;

    if ((rc = environment(vars, &env, e)) == SP_OK &&
        (rc = start(&h, what, command, env, e)) == SP_OK)
        rc = finish(&h, what, command, timeout_ns, e);
    if (h.process.hThread != NULL)
        (void)CloseHandle(h.process.hThread);
    if (h.process.hProcess != NULL)
        (void)CloseHandle(h.process.hProcess);
    if (h.job != NULL)
        (void)CloseHandle(h.job); /* ends what it left behind */
    free(env);
    return rc;
}
