#ifndef SP_PROTO_CHANNEL_IMPL_H
#define SP_PROTO_CHANNEL_IMPL_H

/* Inside of channel*.c.
 *
 *   channel.c          the phases, and what a user calls
 *   channel_io.c       bytes: socket -> TLS -> session -> events, and back
 *   channel_connect.c  resolving and connecting
 *   channel_listen.c   accepting, limits
 *   channel_post.c     calls from other threads
 *
 * A user's calls only change state and ask for a turn of the loop (sp_channel_kick): all callbacks
 * come from the loop, never from inside a call. */

#include "proto/channel.h"

enum channel_phase {
    CHANNEL_RESOLVING,
    CHANNEL_CONNECTING,
    CHANNEL_SHAKING, /* TLS handshake */
    CHANNEL_SECURED, /* server: its user looks who it is */
    CHANNEL_OPEN,    /* there is a session */
    CHANNEL_ENDING,  /* what waits is still sent; what comes is thrown away */
    CHANNEL_CLOSING  /* the handles are being closed */
};

#define CHANNEL_BUFFER 65536
#define CHANNEL_RECORD 16384 /* what one TLS record holds */

struct sp_channel {
    uv_loop_t *loop;
    enum channel_phase phase;
    bool server;
    const struct sp_channel_ops *ops;
    void *arg;

    uv_tcp_t tcp;
    uv_timer_t timer;
    uv_idle_t kick;
    bool has_tcp;     /* initialised and not closed */
    unsigned handles; /* that are not closed yet */
    int64_t deadline; /* of the phase; INT64_MAX: none */
    int64_t timer_at; /* what the timer is set to */
    int64_t handshake_ns;
    char address[64]; /* the peer's */
    uint64_t in, out; /* bytes on the wire */

    struct sp_tls *tls;
    struct sp_session *session;
    struct sp_session_options client; /* for the session that a client begins */

    uint8_t read_buf[CHANNEL_BUFFER];
    uint8_t plain[CHANNEL_RECORD];
    size_t plain_at, plain_len;
    bool reading, stopped, eof;

    uint8_t write_buf[CHANNEL_BUFFER]; /* in use while `writing` */
    uv_write_t write_req;
    uv_shutdown_t shutdown_req;
    bool writing, shut, high;
    bool mute; /* TLS failed: what the session still wants to say cannot be said */

    struct sp_err why;
    bool by_peer, decided; /* `why` is final */

    /* connecting */
    uv_getaddrinfo_t resolve_req;
    uv_connect_t connect_req;
    bool resolving;
    struct addrinfo *addresses, *next;
    int64_t connect_until;
    char target[300]; /* as the user wrote it */

    /* accepted */
    struct sp_listener *listener; /* NULL once it is closed */
    uint8_t from[16];             /* the address as the listener counts it */
    uint64_t number;              /* in the order in which they were accepted */
    bool half_open;               /* a stranger */
    bool greeted;                 /* it said hello */
};

int64_t sp_channel_now(void);
unsigned sp_channel_port(const struct sockaddr_storage *name);
void sp_channel_kick(struct sp_channel *c);

/* channel.c */
enum sp_code sp_channel_new(uv_loop_t *loop, struct sp_tls_context *tls, bool server,
    struct sp_channel **ret, struct sp_err *e);
/* TCP is there: begins the handshake. */
void sp_channel_begin(struct sp_channel *c);
/* The channel ends for a reason; the first one counts. What waits to be sent still is. */
void sp_channel_decide(struct sp_channel *c, const struct sp_err *why, bool by_peer);
/* Closes the handles now; `closed` comes when they are. */
void sp_channel_shut(struct sp_channel *c);
void sp_channel_released(struct sp_channel *c); /* a handle or request came back */
void sp_channel_set_timer(struct sp_channel *c);
/* An error of libuv as one of ours: SP_UNREACHABLE, SP_TIMEOUT, … */
enum sp_code sp_channel_fail_uv(struct sp_err *e, int status, const char *what);

/* channel_io.c */
void sp_channel_turn(struct sp_channel *c); /* everything that can move moves */

/* channel_connect.c */
void sp_channel_connect_timeout(struct sp_channel *c);
void sp_channel_forget_addresses(struct sp_channel *c);

/* channel_listen.c */
void sp_listener_ready(struct sp_channel *c);  /* the peer said hello */
void sp_listener_forget(struct sp_channel *c); /* the channel is gone */

#endif
