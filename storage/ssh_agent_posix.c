/* The agent's socket: see ssh_agent.h. */

#include "storage/ssh_agent.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#define AGENT_MS 60000

static int
ready(int fd, short what)
{
    struct pollfd p = {fd, what, 0};
    int n;

    do
        n = poll(&p, 1, AGENT_MS);
    while (n < 0 && errno == EINTR);
    return n > 0 ? 0 : n == 0 ? -ETIMEDOUT : -errno;
}

ssize_t
sp_ssh_agent_send(intptr_t fd, const void *p, size_t n)
{
    int rc = ready((int)fd, POLLOUT);
    ssize_t put;

    if (rc != 0)
        return rc;
    put = send((int)fd, p, n, MSG_NOSIGNAL);
    return put < 0 ? (errno == EAGAIN ? -ETIMEDOUT : -errno) : put;
}

ssize_t
sp_ssh_agent_recv(intptr_t fd, void *to, size_t n)
{
    int rc = ready((int)fd, POLLIN);
    ssize_t got;

    if (rc != 0)
        return rc;
    got = recv((int)fd, to, n, 0);
    return got < 0 ? (errno == EAGAIN ? -ETIMEDOUT : -errno) : got == 0 ? -ECONNRESET : got;
}
