#ifndef SP_TESTS_PROTO_NET_H
#define SP_TESTS_PROTO_NET_H

/* A listener and channels on one loop over 127.0.0.1, with what they saw noted. */

#include "pki.h"

#include "base/buf.h"
#include "proto/channel.h"

struct peer { /* one channel */
    struct net *net;
    struct sp_channel *c; /* NULL once it is closed */
    bool server;
    unsigned secured, ready, drained, closed;
    struct sp_err why;
    bool by_peer;
    /* The test's part; may be NULL. The event is cleared by its giver. */
    void (*on_event)(struct peer *p, struct sp_event *ev);
    void *arg;
};

struct net {
    uv_loop_t loop;
    struct pki pki;
    struct sp_tls_context *server_tls, *client_tls;
    struct sp_listener *listener;
    uint16_t port;
    struct peer servers[64]; /* in the order in which they were accepted */
    unsigned nservers;
    void (*on_server_event)(struct peer *p, struct sp_event *ev);
    bool refuse_accept;
    uv_timer_t watchdog;
    bool timed_out;
};

/* `listen` NULL: the usual limits. */
void net_new(struct net *n, const struct sp_listen *listen);
/* Closes everything and runs the loop empty. */
void net_free(struct net *n);
/* Gives what net_new gives a client, and connects. */
void net_connect(struct net *n, struct peer *p);
void net_connect_as(struct net *n, struct peer *p, struct sp_tls_context *tls, const char *address,
    uint32_t timeout_ms, uint32_t handshake_ms);
/* Turns the loop until *what is true; the test fails after ten seconds. */
void net_until(struct net *n, const bool *what);
void net_until_count(struct net *n, const unsigned *what, unsigned at_least);
void net_turn(struct net *n); /* once, waits for nothing */

#endif
