/* The agent's socket: see ssh_agent.h. libssh2 reaches Pageant by a window's message and OpenSSH's
 * agent by its pipe (src/agent_win.c of libssh2), never by the session's callbacks. */

#include "storage/ssh_agent.h"

#include <errno.h>

ssize_t
sp_ssh_agent_send(intptr_t fd, const void *p, size_t n)
{
    (void)fd;
    (void)p;
    (void)n;
    return -ENOTCONN;
}

ssize_t
sp_ssh_agent_recv(intptr_t fd, void *to, size_t n)
{
    (void)fd;
    (void)to;
    (void)n;
    return -ENOTCONN;
}
