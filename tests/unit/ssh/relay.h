#ifndef SP_TESTS_SSH_RELAY_H
#define SP_TESTS_SSH_RELAY_H

/* Between a client and an sshd on loopback, one connection after the other, in a process of its
 * own: cuts the server's answers after so many bytes, or changes one of them. What is set holds for
 * the next connection. */

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define RELAY_ALL SIZE_MAX

struct relay_plan { /* shared with the process */
    size_t cut_at;  /* so many bytes of the server come through; RELAY_ALL: all */
    size_t flip_at; /* this one of them has its highest bit turned; RELAY_ALL: none */
    int reset;      /* the cut is a reset, else an end */
    uint8_t tail[128];
    size_t tail_len;     /* sent in the place of what is cut off */
    volatile size_t got; /* of the last connection: bytes that came through */
    uint8_t seen[4096];  /* the first of them */
};

struct relay {
    pid_t pid;
    uint16_t port;
    struct relay_plan *plan;
};

void relay_start(struct relay *r, uint16_t to);
void relay_end(struct relay *r);

#endif
