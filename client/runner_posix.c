#include "client/runner_posix.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/path.h"
#include "client/run_log.h"
#include "client/service.h"

/* The scheduler among processes and signals. Everything happens in one thread that takes its
 * signals when it waits, so no handler runs at any time. */

#define METERED_KEPT (30 * SP_SECOND)

struct runner {
    const struct sp_service_ask *a;
    char *program;
    sigset_t signals; /* blocked; taken by sigtimedwait */
    bool stop_said;
    bool journal;       /* standard error is the journal's */
    int64_t metered_ns; /* monotonic, when the network was last asked; 0: never */
    enum sp_known metered;
};
struct sp_child {
    pid_t pid;
};

enum sp_code
sp_runner_program(char **ret, struct sp_err *e)
{
    char path[4096];
    ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

    if (n <= 0)
        return sp_fail_os(e, SP_DOM_SELF, errno, "cannot find the path of this program");
    path[n] = '\0';
    *ret = strdup(path);
    return *ret == NULL ? sp_fail_nomem(e) : SP_OK;
}

static enum sp_wake
wait_for(void *self, uint32_t ms)
{
    struct runner *r = self;
    struct timespec t = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000};

    switch (sigtimedwait(&r->signals, NULL, &t)) {
    case SIGTERM:
    case SIGINT:
        if (!r->stop_said) {
            r->stop_said = true;
            return SP_WAKE_STOP;
        }
        return SP_WAKE_TIME;
    case SIGCHLD:
        return SP_WAKE_CHILD;
    default: /* the time is over, SIGHUP, or a signal that is nobody's */
        return SP_WAKE_TIME;
    }
}

/* In the child: only what is safe between fork and exec. */
static void
become(const struct runner *r, const struct sp_job *job, int log, pid_t parent)
{
    const char *argv[8];
    size_t n = 0;
    sigset_t none;
    int null = open("/dev/null", O_RDONLY);

    argv[n++] = r->program;
    argv[n++] = "backup";
    if (r->a->config_file != NULL) {
        argv[n++] = "--config";
        argv[n++] = r->a->config_file;
    }
    argv[n++] = "--";
    argv[n++] = job->name;
    argv[n] = NULL;
    (void)setpgid(0, 0);                    /* Ctrl-C is for the service, which then asks the run */
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM); /* a service that is killed leaves no run behind */
    if (getppid() != parent || dup2(null, STDIN_FILENO) < 0 || dup2(log, STDOUT_FILENO) < 0 ||
        dup2(log, STDERR_FILENO) < 0)
        _exit(127);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)execv(r->program, (char *const *)(uintptr_t)argv);
    _exit(127);
}

static enum sp_code
start(void *self, const struct sp_job *job, struct sp_child **ret, struct sp_err *e)
{
    struct runner *r = self;
    struct sp_child *c = calloc(1, sizeof(*c));
    char *log = NULL, when[32];
    pid_t parent = getpid();
    int fd = -1;
    enum sp_code rc;

    if (c == NULL)
        return sp_fail_nomem(e);
    if ((rc = sp_run_log(r->a->env, job->name, &log, e)) != SP_OK)
        goto out;
    fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        rc = sp_fail_os(e, SP_DOM_SELF, errno, "cannot open the log %s", log);
        goto out;
    }
    sp_time_local(sp_clock_wall(r->a->env->clock), when);
    (void)dprintf(fd, "--- %s\n", when);
    c->pid = fork();
    if (c->pid == 0)
        become(r, job, fd, parent);
    if (c->pid < 0) {
        rc = sp_fail_os(e, SP_DOM_SELF, errno, "no process could be started");
        goto out;
    }
    *ret = c;
    c = NULL;
out:
    if (fd >= 0)
        (void)close(fd);
    free(log);
    free(c);
    return rc;
}

static bool
ended(void *self, struct sp_child *c, int *ret_exit)
{
    int status = 0;
    pid_t got = waitpid(c->pid, &status, WNOHANG);

    (void)self;
    if (got == 0 || (got < 0 && errno == EINTR))
        return false;
    *ret_exit = got < 0               ? 128
                : WIFEXITED(status)   ? WEXITSTATUS(status)
                : WIFSIGNALED(status) ? 128 + WTERMSIG(status)
                                      : 128;
    free(c);
    return true;
}

static void
stop(void *self, struct sp_child *c, bool now)
{
    (void)self;
    (void)kill(now ? -c->pid : c->pid, now ? SIGKILL : SIGTERM);
}

static enum sp_known
on_battery(void *self)
{
    (void)self;
    return sp_machine_on_battery();
}

static enum sp_known
on_metered(void *self)
{
    struct runner *r = self;
    int64_t now = sp_clock_mono(r->a->env->clock);

    /* Asking takes a process, and the end of a process wakes the loop, which asks again. */
    if (r->metered_ns == 0 || now - r->metered_ns >= METERED_KEPT) {
        r->metered = sp_machine_on_metered();
        r->metered_ns = now;
    }
    return r->metered;
}

/* A line to standard error; the journal takes the level from its front (sd-daemon(3)). */
static void
event(void *self, enum sp_event what, const char *job, const char *sentence)
{
    static const int levels[] = {[SP_EVENT_START] = 6,
        [SP_EVENT_SUCCESS] = 6,
        [SP_EVENT_PARTLY] = 4,
        [SP_EVENT_FAILURE] = 3,
        [SP_EVENT_SERVICE] = 6,
        [SP_EVENT_NOTE] = 5};
    struct runner *r = self;
    struct sp_buf line = SP_BUF_INIT;
    char when[32];

    if (r->journal) {
        sp_buf_printf(&line, "<%d>", levels[what]);
    } else {
        sp_time_local(sp_clock_wall(r->a->env->clock), when);
        sp_buf_printf(&line, "%s ", when);
    }
    if (job != NULL) {
        sp_text_show(job, &line);
        sp_buf_put_str(&line, ": ");
    }
    sp_text_show(sentence, &line);
    (void)fprintf(stderr, "%s\n", sp_buf_str(&line));
    sp_buf_free(&line);
}

enum sp_code
sp_service_serve(const struct sp_service_ask *a, struct sp_err *e)
{
    struct runner r = {.a = a, .journal = getenv("JOURNAL_STREAM") != NULL};
    struct sp_scheduler_table table = {.self = &r,
        .local = sp_local_system,
        .wait = wait_for,
        .start = start,
        .ended = ended,
        .stop = stop,
        .on_battery = on_battery,
        .on_metered = on_metered,
        .event = event};
    struct sp_scheduler_options o = {.env = a->env, .table = &table, .config_file = a->config_file};
    char *host = NULL;
    enum sp_code rc;

    (void)sigemptyset(&r.signals);
    (void)sigaddset(&r.signals, SIGTERM);
    (void)sigaddset(&r.signals, SIGINT);
    (void)sigaddset(&r.signals, SIGHUP);
    (void)sigaddset(&r.signals, SIGCHLD);
    if (sigprocmask(SIG_BLOCK, &r.signals, NULL) != 0)
        return sp_fail_os(e, SP_DOM_SELF, errno, "cannot take the signals");
    if ((rc = sp_runner_program(&r.program, e)) == SP_OK &&
        (rc = sp_os_hostname(&host, e)) == SP_OK) {
        o.host = host;
        rc = sp_scheduler_run(&o, e);
    }
    free(host);
    free(r.program);
    return rc;
}
