/* slowlink LISTEN TARGET [ROUND-TRIP-MS [MBIT]]: a proxy on loopback between two TCP ports that
 * behaves like one line of that round trip and rate, shared by all its connections. Kernels without
 * netem have nothing that does, and Python is too slow for it.
 *
 * Each direction is a queue: what is read at a time t leaves when the line is free and all its bits
 * have passed, and arrives half a round trip later. A line that has more than QUEUE_MS waiting
 * takes nothing more, so that a sender feels its end as it would a router's. A connection carries
 * its first byte one round trip after it was made, which is what TCP's handshake takes. Slow start
 * and losses are not shown.
 *
 * SIGUSR1 cuts every connection with a reset; what is under way is gone. Without a rate only the
 * delay counts. Ends with SIGTERM. */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS 256
#define PIECE 16384
#define QUEUE_MS 60
#define MS 1000000

struct piece {
    struct piece *next;
    int64_t due;
    size_t n, sent;
    uint8_t bytes[PIECE];
};

struct way { /* one direction of a connection */
    struct piece *first, **last;
    size_t pieces;
    bool ended, told; /* the reader's end came; the writer was told */
};

struct connection {
    int fd[2]; /* who connected, and the target; way[i] is read from fd[i] */
    int64_t from;
    struct way way[2];
};

static struct connection connections[CONNECTIONS];
static size_t nconnections;
static int64_t free_at[2]; /* when the line's direction has passed on all it took */
static int64_t delay;
static double ns_per_byte;
static volatile sig_atomic_t cut_now;

static void
on_cut(int number)
{
    (void)number;
    cut_now = 1;
}

static void
die(const char *what)
{
    (void)fprintf(stderr, "slowlink: %s: %s\n", what, strerror(errno));
    exit(2);
}

static int64_t
now_ns(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static struct sockaddr_in
loopback(const char *port)
{
    struct sockaddr_in a;

    (void)memset(&a, 0, sizeof a);
    a.sin_family = AF_INET;
    a.sin_port = htons((uint16_t)strtoul(port, NULL, 10));
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return a;
}

static void
prepare(int fd)
{
    int on = 1;

    (void)fcntl(fd, F_SETFL, O_NONBLOCK);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

static void
take_connection(int listener, const struct sockaddr_in *target)
{
    int a = accept(listener, NULL, NULL), b, i;
    struct connection *c;

    if (a < 0)
        return;
    if (nconnections == CONNECTIONS || (b = socket(AF_INET, SOCK_STREAM, 0)) < 0) {
        (void)close(a);
        return;
    }
    /* On loopback this is done or refused at once. */
    if (connect(b, (const struct sockaddr *)target, sizeof *target) != 0) {
        (void)close(a);
        (void)close(b);
        return;
    }
    prepare(a);
    prepare(b);
    c = &connections[nconnections++];
    (void)memset(c, 0, sizeof *c);
    c->fd[0] = a;
    c->fd[1] = b;
    c->from = now_ns() + 2 * delay;
    for (i = 0; i < 2; i++)
        c->way[i].last = &c->way[i].first;
}

static void
end_connection(struct connection *c, bool reset)
{
    struct linger l = {.l_onoff = 1, .l_linger = 0};
    struct piece *p;
    int i;

    for (i = 0; i < 2; i++) {
        while ((p = c->way[i].first) != NULL) {
            c->way[i].first = p->next;
            free(p);
        }
        if (reset)
            (void)setsockopt(c->fd[i], SOL_SOCKET, SO_LINGER, &l, sizeof l);
        (void)close(c->fd[i]);
    }
    *c = connections[--nconnections];
    for (i = 0; i < 2; i++) {
        if (c->way[i].first == NULL)
            c->way[i].last = &c->way[i].first;
    }
}

static bool
line_full(int i, int64_t now)
{
    return free_at[i] > now + (int64_t)QUEUE_MS * MS;
}

/* One piece, so that connections share the line. false: the connection broke. */
static bool
take_piece(struct connection *c, int i, int64_t now)
{
    struct way *w = &c->way[i];
    struct piece *p = malloc(sizeof *p);
    ssize_t n;

    if (p == NULL)
        die("memory");
    n = read(c->fd[i], p->bytes, sizeof p->bytes);
    if (n <= 0) {
        free(p);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return true;
        w->ended = n == 0;
        return n == 0;
    }
    if (free_at[i] < now)
        free_at[i] = now;
    free_at[i] += (int64_t)((double)n * ns_per_byte);
    p->due = free_at[i] + delay;
    p->n = (size_t)n;
    p->sent = 0;
    p->next = NULL;
    *w->last = p;
    w->last = &p->next;
    w->pieces++;
    return true;
}

static bool
pass_on(struct connection *c, int i, int64_t now)
{
    struct way *w = &c->way[i];
    struct piece *p;
    ssize_t n;

    while ((p = w->first) != NULL && p->due <= now) {
        n = send(c->fd[!i], p->bytes + p->sent, p->n - p->sent, MSG_NOSIGNAL);
        if (n < 0)
            return errno == EAGAIN || errno == EINTR;
        p->sent += (size_t)n;
        if (p->sent < p->n)
            return true;
        w->first = p->next;
        if (w->first == NULL)
            w->last = &w->first;
        w->pieces--;
        free(p);
    }
    if (w->ended && w->first == NULL && !w->told) {
        w->told = true;
        (void)shutdown(c->fd[!i], SHUT_WR);
    }
    return true;
}

/* How long until something is due; and which sockets matter meanwhile. */
static int64_t
ask(struct pollfd *polls, int64_t now)
{
    int64_t wait = INT64_C(1000) * MS, until;
    size_t k;
    int i;

    for (k = 0; k < nconnections; k++) {
        struct connection *c = &connections[k];
        for (i = 0; i < 2; i++) {
            struct pollfd *q = &polls[2 * k + (size_t)i];
            const struct way *in = &c->way[i], *out = &c->way[!i];

            q->fd = c->fd[i];
            q->events = 0;
            q->revents = 0;
            until = 0;
            /* A reader that is slow keeps what is due; then its writer is not listened to. */
            if (now < c->from)
                until = c->from - now;
            else if (line_full(i, now))
                until = free_at[i] - now - (int64_t)QUEUE_MS * MS;
            else if (!in->ended && in->pieces < 256)
                q->events = POLLIN;
            if (until > 0 && until < wait)
                wait = until;
            if (out->first != NULL) {
                until = out->first->due - now;
                if (until <= 0)
                    q->events = (short)(q->events | POLLOUT);
                else if (until < wait)
                    wait = until;
            }
            if (q->events == 0)
                q->fd = -1; /* a hang-up is seen when it is read */
        }
    }
    return wait;
}

static void
serve(int listener, const struct sockaddr_in *target)
{
    static struct pollfd polls[2 * CONNECTIONS + 1];
    struct timespec t;
    size_t k, n;
    int64_t now, wait;
    bool alive;
    int i;

    for (;;) {
        n = nconnections;
        wait = ask(polls, now_ns());
        polls[2 * n] = (struct pollfd){.fd = listener, .events = POLLIN};
        t.tv_sec = wait / (INT64_C(1000) * MS);
        t.tv_nsec = wait % (INT64_C(1000) * MS);
        if (ppoll(polls, 2 * n + 1, &t, NULL) < 0 && errno != EINTR)
            die("poll");
        if (cut_now) {
            cut_now = 0;
            while (nconnections > 0)
                end_connection(&connections[0], true);
            continue;
        }
        now = now_ns();
        for (k = n; k-- > 0;) { /* backwards: the last one takes the place of one that ends */
            struct connection *c = &connections[k];
            alive = true;
            for (i = 0; i < 2 && alive; i++) {
                if (polls[2 * k + (size_t)i].revents != 0 && !c->way[i].ended && now >= c->from &&
                    !line_full(i, now) && c->way[i].pieces < 256)
                    alive = take_piece(c, i, now);
                if (alive)
                    alive = pass_on(c, i, now);
            }
            if (!alive)
                end_connection(c, true);
            else if (c->way[0].told && c->way[1].told)
                end_connection(c, false);
        }
        if (polls[2 * n].revents != 0)
            take_connection(listener, target);
    }
}

int
main(int argc, char **argv)
{
    struct sigaction s = {.sa_handler = on_cut};
    struct sockaddr_in here, target;
    int listener, on = 1;

    if (argc < 3 || argc > 5) {
        (void)fputs("usage: slowlink LISTEN TARGET [ROUND-TRIP-MS [MBIT]]\n", stderr);
        return 2;
    }
    here = loopback(argv[1]);
    target = loopback(argv[2]);
    delay = argc > 3 ? (int64_t)(strtod(argv[3], NULL) * MS / 2) : 0;
    ns_per_byte = argc > 4 ? 8000.0 / strtod(argv[4], NULL) : 0;
    (void)sigaction(SIGUSR1, &s, NULL);
    if ((listener = socket(AF_INET, SOCK_STREAM, 0)) < 0 ||
        setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        bind(listener, (struct sockaddr *)&here, sizeof here) != 0 || listen(listener, 64) != 0)
        die("listening");
    prepare(listener);
    serve(listener, &target);
}
