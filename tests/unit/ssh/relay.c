#include "tests/unit/ssh/relay.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static void
must(bool good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "relay.c: %s: %s\n", what, strerror(errno));
    abort();
}

static struct sockaddr_in
loopback(uint16_t port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};

    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return a;
}

static bool
put(int fd, const uint8_t *p, size_t n)
{
    while (n > 0) {
        ssize_t k = send(fd, p, n, MSG_NOSIGNAL);

        if (k <= 0)
            return false;
        p += k;
        n -= (size_t)k;
    }
    return true;
}

/* What the server said; false: the connection is over. */
static bool
answer(struct relay_plan *p, int client, uint8_t *bytes, size_t n)
{
    bool cut = n >= p->cut_at - p->got;
    size_t at = p->got;

    if (cut)
        n = p->cut_at - at;
    if (p->flip_at >= at && p->flip_at - at < n)
        bytes[p->flip_at - at] ^= 0x80;
    if (at < sizeof(p->seen))
        memcpy(p->seen + at, bytes, n < sizeof(p->seen) - at ? n : sizeof(p->seen) - at);
    if (!put(client, bytes, n))
        return false;
    p->got = at + n;
    return !cut || (p->tail_len > 0 && put(client, p->tail, p->tail_len));
}

static void
carry(struct relay_plan *p, int client, int server)
{
    struct pollfd fds[2] = {{.fd = client, .events = POLLIN}, {.fd = server, .events = POLLIN}};
    static uint8_t bytes[32768];
    ssize_t n;

    p->got = 0;
    while (p->cut_at > 0 && poll(fds, 2, -1) > 0) {
        if (fds[0].revents != 0 &&
            ((n = recv(client, bytes, sizeof(bytes), 0)) <= 0 || !put(server, bytes, (size_t)n)))
            return;
        if (fds[1].revents != 0 && ((n = recv(server, bytes, sizeof(bytes), 0)) <= 0 ||
                                       !answer(p, client, bytes, (size_t)n)))
            return;
        if (p->got == p->cut_at) /* the tail is sent: nothing more comes */
            fds[1].fd = -1;
    }
}

static void
serve(int listener, struct relay_plan *p, uint16_t to)
{
    const struct linger at_once = {1, 0};
    struct sockaddr_in a = loopback(to);
    int client, server;

    while ((client = accept(listener, NULL, NULL)) >= 0) {
        server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        must(connect(server, (struct sockaddr *)&a, sizeof(a)) == 0, "connect");
        carry(p, client, server);
        if (p->reset)
            (void)setsockopt(client, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
        else
            (void)shutdown(client, SHUT_WR); /* an end, even with bytes of the client unread */
        (void)close(client);
        (void)close(server);
    }
}

void
relay_start(struct relay *r, uint16_t to)
{
    struct sockaddr_in a = loopback(0);
    socklen_t n = sizeof(a);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    must(fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0 && listen(fd, 8) == 0 &&
             getsockname(fd, (struct sockaddr *)&a, &n) == 0,
        "listen");
    r->port = ntohs(a.sin_port);
    r->plan =
        mmap(NULL, sizeof(*r->plan), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    must(r->plan != MAP_FAILED && (r->pid = fork()) >= 0, "fork");
    if (r->pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
        serve(fd, r->plan, to);
        _exit(0);
    }
    (void)close(fd);
}

void
relay_end(struct relay *r)
{
    (void)kill(r->pid, SIGKILL);
    (void)waitpid(r->pid, NULL, 0);
    (void)munmap(r->plan, sizeof(*r->plan));
}
