#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <termios.h>
#include <unistd.h>

#include "base/clock.h"
#include "client/cli.h"

void
sp_cli_platform_start(struct sp_cli *c)
{
    const struct rlimit none = {0, 0};
    struct rlimit limit;

    (void)setrlimit(RLIMIT_CORE, &none); /* a core dump would hold the keys */
    /* Blocks of up to a megabyte are made by one thread and freed by another, all the time. By
     * default glibc learns to keep them in its arenas, which then grow to several times what is in
     * use (measured: 207 MB instead of 86 MB over TLS, for 5 % of time). A fixed threshold gives
     * them back at once. */
    (void)mallopt(M_MMAP_THRESHOLD, 128 * 1024);
    /* Folder handles of a deep walk and the server's connections: as many as we may have. */
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
    c->terminal = isatty(STDERR_FILENO) == 1;
}

/* Until a line was typed; false: a signal came first. */
static bool
wait_for_line(int fd)
{
    struct pollfd tty = {.fd = fd, .events = POLLIN};
    sigset_t came;

    for (;;) {
        if (sp_signals_stop(NULL))
            return false;
        if (sigpending(&came) == 0 &&
            (sigismember(&came, SIGINT) == 1 || sigismember(&came, SIGTERM) == 1))
            return false;
        if (poll(&tty, 1, 100) > 0)
            return true;
    }
}

bool
sp_cli_can_ask(void)
{
    int fd = open("/dev/tty", O_RDWR | O_CLOEXEC);
    bool can = fd >= 0 && tcgetpgrp(fd) == getpgrp(); /* asking from the background stops us */

    if (fd >= 0)
        (void)close(fd);
    return can;
}

/* Signals that would end the program wait until the terminal shows again what is typed. Then they
 * do what they always do: end it here, or, where a thread takes them, ask the command to stop. */
static enum sp_code
ask(FILE *tty, const char *prompt, bool shown, struct sp_buf *ret, struct sp_err *e)
{
    struct termios before, now;
    char line[4096];
    sigset_t ending, blocked;
    size_t n;
    bool got, stopped;

    if (tcgetattr(fileno(tty), &before) != 0)
        return sp_fail_os(e, SP_DOM_SELF, errno, "the terminal");
    (void)sigemptyset(&ending);
    (void)sigaddset(&ending, SIGINT);
    (void)sigaddset(&ending, SIGTERM);
    (void)pthread_sigmask(SIG_BLOCK, &ending, &blocked);
    now = before;
    if (!shown)
        now.c_lflag &= ~(tcflag_t)ECHO;
    (void)tcsetattr(fileno(tty), TCSAFLUSH, &now);
    (void)fprintf(tty, "%s: ", prompt);
    (void)fflush(tty);
    stopped = !wait_for_line(fileno(tty));
    got = !stopped && fgets(line, sizeof(line), tty) != NULL;
    (void)tcsetattr(fileno(tty), TCSAFLUSH, &before);
    if (!shown || !got)
        (void)fputc('\n', tty);
    (void)fflush(tty);
    (void)pthread_sigmask(SIG_SETMASK, &blocked, NULL);
    /* It was seen pending; the thread that takes it tells which it is, for the exit code. */
    for (unsigned i = 0; stopped && i < 100 && !sp_signals_stop(NULL); i++)
        sp_sleep_ms(10);
    if (stopped)
        return sp_fail(e, SP_CANCELLED, SP_DOM_CONFIG, "interrupted");
    if (!got)
        return sp_fail(e, SP_CANCELLED, SP_DOM_CONFIG, "nothing was typed");
    n = strcspn(line, "\r\n");
    sp_buf_put(ret, line, n);
    sp_wipe(line, sizeof(line));
    return sp_buf_ok(ret, e);
}

enum sp_code
sp_cli_ask_secret(struct sp_cli *c, const char *prompt, struct sp_buf *ret, struct sp_err *e)
{
    FILE *tty = fopen("/dev/tty", "r+e");
    enum sp_code rc;

    (void)c;
    if (tty == NULL)
        return sp_fail(e, SP_INVALID, SP_DOM_CONFIG,
            "%s is needed and there is no terminal to ask at; give --passphrase-file or "
            "--recovery-key-file",
            prompt);
    rc = ask(tty, prompt, false, ret, e);
    (void)fclose(tty);
    return rc;
}

enum sp_code
sp_cli_ask_line(struct sp_cli *c, const char *prompt, struct sp_buf *ret, struct sp_err *e)
{
    FILE *tty = fopen("/dev/tty", "r+e");
    enum sp_code rc;

    (void)c;
    if (tty == NULL)
        return sp_fail(e, SP_INVALID, SP_DOM_CONFIG, "there is no terminal to ask at");
    rc = ask(tty, prompt, true, ret, e);
    (void)fclose(tty);
    return rc;
}
