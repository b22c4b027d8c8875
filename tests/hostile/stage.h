#ifndef SP_TESTS_HOSTILE_STAGE_H
#define SP_TESTS_HOSTILE_STAGE_H

/* A server under attack: a host that goes on backing up and restoring in a thread of its own
 * whatever happens, a hostile host with a certificate, a hostile member of the honest one's key
 * group, and what the server logs. */

#include <stdatomic.h>

#include "peers.h"

struct honest {
    struct running *r;
    struct member m;
    struct sp_thread *thread;
    atomic_bool stop;
    atomic_uint rounds;   /* backups that were restored and found equal */
    atomic_uint connects; /* new connections that were let in */
    atomic_int worst_ms;  /* of a round */
    struct sp_id data;    /* of its first round: for the attackers */
    struct peer_set first;
    unsigned jobs_done;
};

struct stage {
    struct place place;
    struct running r;
    struct heard heard;
    struct honest honest;
    struct member mallory; /* of a group of her own */
    struct member mate;    /* of the honest host's group */
    size_t heap;           /* when all was set up */
    unsigned from;         /* the last address that attacked */
};

/* Tests that came to their end: each counts itself. When one alone was to run and did not, the
 * teardown ends the process at once: connections that a failed test left open would hold the
 * server. */
extern unsigned stage_passed;
extern bool stage_alone;

/* For a group of tests. */
int stage_setup(void **state);
int stage_teardown(void **state);
/* Another address for each attack. */
unsigned stage_from(struct stage *s);
/* The honest host finishes `rounds` more within `ms`. */
void stage_goes_on(struct stage *s, unsigned rounds, int ms);
/* Waits until the memory in use is no more than `bytes` over that of the beginning. */
void stage_memory(struct stage *s, size_t bytes, const char *what);

#endif
