#ifndef SP_STORAGE_SSH_AGENT_H
#define SP_STORAGE_SSH_AGENT_H

/* How libssh2's agent code reads and writes the agent's socket (ssh_agent_posix.c). It does so by
 * the session's own callbacks, waits for whole answers, and takes no end for one: so both wait, at
 * most a while, and an end is a failure. A user may be asked by the agent meanwhile, whence the
 * long while. On Windows libssh2 speaks to its agents by other means, and nothing comes here. */

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

ssize_t sp_ssh_agent_send(intptr_t fd, const void *p, size_t n); /* or -errno */
ssize_t sp_ssh_agent_recv(intptr_t fd, void *to, size_t n);

#endif
