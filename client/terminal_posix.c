#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <termios.h>
#include <unistd.h>

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

enum sp_code
sp_cli_ask_secret(struct sp_cli *c, const char *prompt, struct sp_buf *ret, struct sp_err *e)
{
    struct termios before, quiet;
    char line[4096];
    FILE *tty = fopen("/dev/tty", "r+e");
    size_t n;
    bool got;

    (void)c;
    if (tty == NULL)
        return sp_fail(e, SP_INVALID, SP_DOM_CONFIG,
            "%s is needed and there is no terminal to ask at; give --passphrase-file or "
            "--recovery-key-file",
            prompt);
    if (tcgetattr(fileno(tty), &before) != 0) {
        (void)fclose(tty);
        return sp_fail_os(e, SP_DOM_SELF, errno, "the terminal");
    }
    quiet = before;
    quiet.c_lflag &= ~(tcflag_t)ECHO;
    (void)tcsetattr(fileno(tty), TCSAFLUSH, &quiet);
    (void)fprintf(tty, "%s: ", prompt);
    (void)fflush(tty);
    got = fgets(line, sizeof(line), tty) != NULL;
    (void)tcsetattr(fileno(tty), TCSAFLUSH, &before);
    (void)fputc('\n', tty);
    (void)fclose(tty);
    if (!got)
        return sp_fail(e, SP_CANCELLED, SP_DOM_CONFIG, "nothing was typed");
    n = strcspn(line, "\r\n");
    sp_buf_put(ret, line, n);
    sp_wipe(line, sizeof(line));
    return sp_buf_ok(ret, e);
}
