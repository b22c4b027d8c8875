#ifndef SP_STORAGE_SSH_LIBSSH2_H
#define SP_STORAGE_SSH_LIBSSH2_H

/* Between ssh_libssh2.c and ssh_libssh2_login.c: the two that know libssh2. */

#include <libssh2.h>

#include "storage/ssh_impl.h"

/* Before each piece. All are in one ring, because libssh2 1.11.1 forgets some: the two unused MAC
 * keys of each key exchange with AES-GCM (mac.c: no `init` that takes them). They go with the
 * session. */
struct piece {
    struct piece *before, *after;
    size_t n, pad; /* keeps malloc's alignment */
};

struct sp_ssh_wire {
    struct sp_ssh_socket *socket;
    LIBSSH2_SESSION *session;
    LIBSSH2_CHANNEL *channel;
    LIBSSH2_AGENT *agent;
    struct libssh2_agent_publickey *identity;
    const struct sp_ssh_answers *answers;
    unsigned questions;
    size_t memory;
    struct piece pieces;
    int last; /* libssh2's number of the last failure */
    bool wiping, mute;
    bool ended;   /* libssh2 was told that the connection is over */
    bool goodbye; /* the server said so itself */
    bool proven;  /* the server has shown that the key is its own */
    bool starved; /* libssh2 asked for memory, and got none */
    char farewell[224], words[224];
};

/* DONE, AGAIN or FAILED from libssh2's number, which is kept. */
int sp_ssh_wire_result(struct sp_ssh_wire *w, int rc);
/* Memory that libssh2 gives back. */
void *sp_ssh_wire_alloc(struct sp_ssh_wire *w, size_t n);

#endif
