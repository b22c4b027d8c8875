/* See fake_proxy.h. */

#include "fake_proxy.h"

#include "fake_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

struct proxy {
    struct sp_mutex lock;
    uint64_t random, least, most, left; /* left: of the connection that is there */
    bool refuse, stop;
    unsigned cuts;
    uint16_t port, target;
    int listener, quit[2];
    struct sp_thread *thread;
};

struct way { /* one direction */
    int from, to;
    uint8_t buf[16384];
    size_t at, n;
};

/* With the lock. */
static uint64_t
draw(struct proxy *p)
{
    unsigned low = 0, high = 0;
    uint64_t v;

    if (p->most == 0)
        return UINT64_MAX;
    while (UINT64_C(2) << low <= p->least)
        low++;
    while (UINT64_C(2) << high <= p->most)
        high++;
    v = UINT64_C(1) << (low + fake_random(&p->random) % (high - low + 1));
    v += fake_random(&p->random) % v;
    return v < p->least ? p->least : v > p->most ? p->most : v;
}

/* false: the direction is over. */
static bool
move(struct proxy *p, struct way *w, short in, short out)
{
    ssize_t k;

    if (w->n == 0 && in != 0) {
        if ((k = read(w->from, w->buf, sizeof(w->buf))) <= 0)
            return false;
        w->at = 0;
        w->n = (size_t)k;
    }
    if (w->n > 0 && (out != 0 || w->at == 0)) {
        size_t some = w->n;

        sp_mutex_lock(&p->lock);
        if (some > p->left)
            some = (size_t)p->left;
        sp_mutex_unlock(&p->lock);
        k = send(w->to, w->buf + w->at, some, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (k < 0)
            return errno == EAGAIN;
        w->at += (size_t)k;
        w->n -= (size_t)k;
        sp_mutex_lock(&p->lock);
        p->left -= (uint64_t)k;
        sp_mutex_unlock(&p->lock);
    }
    return true;
}

static void
relay(struct proxy *p, int client, int server)
{
    static struct way up, down;
    struct linger reset = {1, 0};
    bool cut = false;

    up = (struct way){.from = client, .to = server};
    down = (struct way){.from = server, .to = client};
    for (;;) {
        struct pollfd fds[3] = {
            {.fd = client,
                .events = (short)((up.n == 0 ? POLLIN : 0) | (down.n > 0 ? POLLOUT : 0))},
            {.fd = server,
                .events = (short)((down.n == 0 ? POLLIN : 0) | (up.n > 0 ? POLLOUT : 0))},
            {.fd = p->quit[0], .events = POLLIN}};
        short end = POLLHUP | POLLERR;

        (void)poll(fds, 3, 20);
        sp_mutex_lock(&p->lock);
        cut = p->left == 0;
        sp_mutex_unlock(&p->lock);
        if (cut || fds[2].revents != 0 ||
            !move(p, &up, (short)(fds[0].revents & (POLLIN | end)), fds[1].revents & POLLOUT) ||
            !move(p, &down, (short)(fds[1].revents & (POLLIN | end)), fds[0].revents & POLLOUT))
            break;
    }
    sp_mutex_lock(&p->lock);
    if (cut)
        p->cuts++;
    if (cut && fake_random(&p->random) % 2 == 0) {
        (void)setsockopt(client, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
        (void)setsockopt(server, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    }
    sp_mutex_unlock(&p->lock);
}

static void
run(void *arg)
{
    struct proxy *p = arg;

    for (;;) {
        struct pollfd fds[2] = {
            {.fd = p->listener, .events = POLLIN}, {.fd = p->quit[0], .events = POLLIN}};
        struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(p->target)};
        int client, server;
        bool refuse;

        (void)poll(fds, 2, -1);
        if (fds[1].revents != 0)
            return;
        if ((client = accept(p->listener, NULL, NULL)) < 0)
            continue;
        sp_mutex_lock(&p->lock);
        refuse = p->refuse;
        p->left = draw(p);
        sp_mutex_unlock(&p->lock);
        to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        server = socket(AF_INET, SOCK_STREAM, 0);
        sure(server >= 0);
        if (!refuse && connect(server, (struct sockaddr *)&to, sizeof(to)) == 0)
            relay(p, client, server);
        close(client);
        close(server);
    }
}

struct proxy *
proxy_new(uint16_t target, uint64_t seed)
{
    struct proxy *p = calloc(1, sizeof(*p));
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t n = sizeof(at);

    sure(p != NULL);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    sp_mutex_init(&p->lock);
    p->random = seed;
    p->left = UINT64_MAX;
    p->target = target;
    p->listener = socket(AF_INET, SOCK_STREAM, 0);
    sure(p->listener >= 0);
    sure((bind(p->listener, (struct sockaddr *)&at, sizeof(at))) == (0));
    sure((listen(p->listener, 16)) == (0));
    sure((getsockname(p->listener, (struct sockaddr *)&at, &n)) == (0));
    p->port = ntohs(at.sin_port);
    sure(pipe(p->quit) == 0);
    assert_ok(sp_thread_start("proxy", run, p, &p->thread, e));
    return p;
}

uint16_t
proxy_port(const struct proxy *p)
{
    return p->port;
}

void
proxy_cut_after(struct proxy *p, uint64_t least, uint64_t most)
{
    sp_mutex_lock(&p->lock);
    p->least = least;
    p->most = most;
    p->left = draw(p);
    sp_mutex_unlock(&p->lock);
}

void
proxy_refuse(struct proxy *p, bool refuse)
{
    sp_mutex_lock(&p->lock);
    p->refuse = refuse;
    sp_mutex_unlock(&p->lock);
}

unsigned
proxy_cuts(struct proxy *p)
{
    unsigned cuts;

    sp_mutex_lock(&p->lock);
    cuts = p->cuts;
    sp_mutex_unlock(&p->lock);
    return cuts;
}

void
proxy_free(struct proxy *p)
{
    sure((write(p->quit[1], "q", 1)) == (1));
    sp_thread_join(p->thread);
    close(p->listener);
    close(p->quit[0]);
    close(p->quit[1]);
    sp_mutex_destroy(&p->lock);
    free(p);
}
