#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "client/cli.h"
#include "client/hooks.h"

#define POLL_MS 20
#define GRACE_MS 2000 /* between asking and killing */

static void
child(const char *command, const struct sp_hook_env *vars)
{
    sigset_t none;

    (void)sigemptyset(&none);
    (void)pthread_sigmask(SIG_SETMASK, &none, NULL);
    (void)signal(SIGPIPE, SIG_DFL);
    (void)setpgid(0, 0); /* so that all it starts can be ended with it */
    for (; vars->name != NULL; vars++) {
        if (setenv(vars->name, vars->value, 1) != 0)
            _exit(127);
    }
    /* Results are ours to print: what the command says goes to standard error. */
    if (dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
        _exit(127);
    (void)execl("/bin/sh", "sh", "-c", command, (char *)NULL);
    _exit(127);
}

/* True when it ended within ms; false as well when more than `signals` signals came, and the user
 * does not want to wait any longer: that is what a second one says. */
static bool
wait_ms(pid_t pid, int64_t ms, int signals, int *ret_status)
{
    pid_t got;
    int times;

    for (;; ms -= POLL_MS) {
        got = waitpid(pid, ret_status, WNOHANG);
        if (got == pid || (got < 0 && errno != EINTR))
            return true;
        times = sp_signals_times();
        if (ms <= 0 || (times > signals && times >= 2))
            return false;
        sp_sleep_ms(POLL_MS);
    }
}

enum sp_code
sp_hook_run(const char *what, const char *command, const struct sp_hook_env *vars,
    int64_t timeout_ns, struct sp_err *e)
{
    int status = 0, signals = sp_signals_times();
    pid_t pid = fork();

    if (pid < 0)
        return sp_fail_os(e, SP_DOM_SELF, errno, "the %s command could not be started", what);
    if (pid == 0)
        child(command, vars);
    (void)setpgid(pid, pid);
    if (!wait_ms(pid, timeout_ns / 1000000, signals, &status)) {
        bool stopped = sp_signals_times() > signals && sp_signals_times() >= 2;

        (void)kill(-pid, SIGTERM);
        if (!wait_ms(pid, GRACE_MS, INT_MAX, &status)) {
            (void)kill(-pid, SIGKILL);
            (void)waitpid(pid, &status, 0);
        }
        (void)kill(-pid, SIGKILL); /* what it left behind */
        if (stopped)
            return sp_fail(e, SP_CANCELLED, SP_DOM_SELF,
                "interrupted; the %s command was stopped: %s", what, command);
        return sp_fail(e, SP_TIMEOUT, SP_DOM_CONFIG,
            "the %s command did not end within %lld s and was stopped: %s", what,
            (long long)(timeout_ns / SP_SECOND), command);
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return SP_OK;
    if (WIFEXITED(status))
        return sp_fail(e, SP_IO, SP_DOM_CONFIG, "the %s command ended with status %d: %s", what,
            WEXITSTATUS(status), command);
    return sp_fail(e, SP_IO, SP_DOM_CONFIG, "the %s command was ended by signal %d: %s", what,
        WTERMSIG(status), command);
}
