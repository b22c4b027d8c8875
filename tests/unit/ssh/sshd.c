#include "tests/unit/ssh/sshd.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/os.h"

static void
die(const char *what)
{
    fprintf(stderr, "sshd.c: %s: %s\n", what, strerror(errno));
    abort();
}

void
run_command(const char *format, ...)
{
    char text[1200];
    va_list ap;

    va_start(ap, format);
    (void)vsnprintf(text, sizeof(text), format, ap);
    va_end(ap);
    if (system(text) != 0)
        die(text);
}

const char *
sshd_path(const char *folder, const char *name)
{
    static char paths[16][200];
    static unsigned next;
    char *to = paths[next++ % 16];

    (void)snprintf(to, 200, "%s/%s", folder, name);
    return to;
}

void
sshd_world(char folder[64])
{
    (void)snprintf(folder, 64, "/tmp/sp-ssh-XXXXXX");
    if (mkdtemp(folder) == NULL)
        die("mkdtemp");
    if (geteuid() == 0)
        (void)mkdir("/run/sshd", 0755); /* sshd's, for privilege separation */
    run_command(
        "cd %s && for t in ed25519 ecdsa rsa; do ssh-keygen -q -t $t -N '' -f host_$t || exit 1; "
        "done "
        "&& cp host_ed25519 host_spare && ssh-keygen -q -t ed25519 -N '' -f host_other && "
        "ssh-keygen -q -t ed25519 -N '' -f key_ed25519 && "
        "ssh-keygen -q -t ecdsa -N '' -f key_ecdsa && ssh-keygen -q -t rsa -N '' -f key_rsa && "
        "ssh-keygen -q -t rsa -m PEM -N '' -f key_rsa_pem && "
        "ssh-keygen -q -t ed25519 -a 2 -N 'open sesame' -f key_locked && "
        "ssh-keygen -q -t rsa -m PEM -N 'open sesame' -f key_locked_pem && "
        "ssh-keygen -q -t ecdsa -a 2 -N 'open sesame' -f key_locked_ecdsa && "
        "cat key_*.pub > authorized && ssh-keygen -q -t ed25519 -N '' -f stranger",
        folder);
}

void
sshd_world_end(const char *folder)
{
    struct sp_err e = {0};

    (void)sp_os_remove_tree(&sp_os_system, folder, &e);
}

/* --- ports --------------------------------------------------------------------------------- */

static int
listen_somewhere(uint16_t *ret_port)
{
    struct sockaddr_in a = {.sin_family = AF_INET};
    socklen_t n = sizeof(a);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) != 0 || listen(fd, 8) != 0 ||
        getsockname(fd, (struct sockaddr *)&a, &n) != 0)
        die("listen");
    *ret_port = ntohs(a.sin_port);
    return fd;
}

uint16_t
free_port(void)
{
    uint16_t port;

    (void)close(listen_somewhere(&port));
    return port;
}

static bool
answers(uint16_t port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool yes;

    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    yes = connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0;
    (void)close(fd);
    return yes;
}

/* --- sshd ---------------------------------------------------------------------------------- */

static void
write_config(const struct sshd *s, const char *hosts, const char *config)
{
    FILE *f = fopen(sshd_path(s->folder, "config"), "w");
    char list[100], *save = NULL;

    if (f == NULL)
        die("config");
    fprintf(f, "%s\n", config);
    (void)snprintf(list, sizeof(list), "%s", hosts);
    for (char *t = strtok_r(list, " ", &save); t != NULL; t = strtok_r(NULL, " ", &save))
        fprintf(f, "HostKey %s/host_%s\n", s->folder, t);
    fprintf(f,
        "ListenAddress 127.0.0.1\nPort %u\nAuthorizedKeysFile %s/authorized\nStrictModes "
        "no\nUsePAM no\n"
        "PermitRootLogin yes\nPidFile none\nLogLevel DEBUG1\nMaxStartups 100\n",
        (unsigned)s->port, s->folder);
    if (strstr(config, "Subsystem") == NULL)
        fprintf(f, "Subsystem sftp internal-sftp\n");
    if (fclose(f) != 0)
        die("config");
}

void
sshd_start(struct sshd *s, const char *folder, const char *hosts, const char *config)
{
    int log;

    (void)snprintf(s->folder, sizeof(s->folder), "%s", folder);
    s->port = free_port();
    write_config(s, hosts, config);
    if ((log = open(sshd_path(folder, "log"), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)) < 0)
        die("log");
    if ((s->pid = fork()) < 0)
        die("fork");
    if (s->pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
        (void)dup2(log, 2);
        (void)unsetenv("LD_PRELOAD"); /* the sanitizer's is not for sshd */
        execl("/usr/sbin/sshd", "/usr/sbin/sshd", "-D", "-e", "-f", sshd_path(folder, "config"),
            (char *)NULL);
        _exit(127);
    }
    (void)close(log);
    for (unsigned i = 0; !answers(s->port); i++) {
        if (i > 500 || waitpid(s->pid, NULL, WNOHANG) != 0) {
            fprintf(stderr, "%s\n", sshd_log(s));
            die("sshd does not start");
        }
        sp_sleep_ms(20);
    }
}

/* Children of `parent`, and theirs. */
static unsigned
signal_below(pid_t parent, int signal)
{
    DIR *d = opendir("/proc");
    struct dirent *entry;
    unsigned n = 0;

    while (d != NULL && (entry = readdir(d)) != NULL) {
        char path[300], state;
        int pid = atoi(entry->d_name), above;
        FILE *f;

        (void)snprintf(path, sizeof(path), "/proc/%d/stat", pid);
        if (pid <= 0 || (f = fopen(path, "r")) == NULL)
            continue;
        if (fscanf(f, "%*d (%*[^)]) %c %d", &state, &above) == 2 && above == parent) {
            n += 1 + signal_below(pid, signal);
            (void)kill(pid, signal);
        }
        (void)fclose(f);
    }
    if (d != NULL)
        (void)closedir(d);
    return n;
}

unsigned
sshd_signal_sessions(const struct sshd *s, int signal)
{
    return signal_below(s->pid, signal);
}

void
sshd_end(struct sshd *s)
{
    if (s->pid <= 0)
        return;
    (void)signal_below(s->pid, SIGCONT);
    (void)signal_below(s->pid, SIGKILL);
    (void)kill(s->pid, SIGKILL);
    (void)waitpid(s->pid, NULL, 0);
    s->pid = 0;
}

char *
sshd_log(const struct sshd *s)
{
    FILE *f = fopen(sshd_path(s->folder, "log"), "r");
    char *text = calloc(1, 1 << 20);

    if (f == NULL || text == NULL)
        die("log");
    if (fread(text, 1, (1 << 20) - 1, f) == 0 && ferror(f))
        die("log");
    (void)fclose(f);
    return text;
}

/* --- what is no sshd ----------------------------------------------------------------------- */

static void
serve(int fd, const char *say, bool endless, bool close_then)
{
    int kept[64];
    size_t nkept = 0;

    for (;;) {
        int c = accept(fd, NULL, NULL);

        if (c < 0)
            _exit(0);
        do {
            if (say != NULL && send(c, say, strlen(say), MSG_NOSIGNAL) < 0)
                break;
        } while (endless);
        if (close_then || nkept == 64)
            (void)close(c);
        else
            kept[nkept++] = c;
        (void)kept;
    }
}

void
listener_start(struct listener *l, const char *say, bool endless, bool close_then)
{
    int fd = listen_somewhere(&l->port);

    if ((l->pid = fork()) < 0)
        die("fork");
    if (l->pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
        serve(fd, say, endless, close_then);
    }
    (void)close(fd);
}

void
listener_end(struct listener *l)
{
    (void)kill(l->pid, SIGKILL);
    (void)waitpid(l->pid, NULL, 0);
}
