#ifndef SP_PROTO_CHANNEL_H
#define SP_PROTO_CHANNEL_H

/* A channel: TCP, TLS and session on one libuv loop; used by the server and by the client's remote
 * store. Everything here is called on the loop's thread, and all callbacks come there, except
 * sp_loop_post, which any thread may call. Names the platform's sockets nowhere: libuv does.
 *
 *     connect / accept -> TLS handshake -> secured -> hellos -> event READY -> event … -> closed
 *
 * Memory is bounded: a server reads only while the session's output is short (SP_OUTPUT_HIGH), and
 * either side only while its user has not stopped the channel; about half a MiB is on its way in
 * buffers and TLS; all else is bounded by the session's limits. (A client goes on reading however
 * much it has to send: if both sides stopped, neither would go on.) */

#include <uv.h>

#include "proto/session.h"
#include "proto/tls.h"

struct sp_channel;

struct sp_channel_ops {
    /* TLS is up. A server's user now looks who it is (sp_channel_peer) and calls sp_channel_start,
     * at once or later; a client's channel starts by itself. May be NULL for a client. */
    void (*secured)(struct sp_channel *c, void *arg);
    /* READY, MESSAGE, ROOM. The payload may be taken (set to NULL). */
    void (*event)(struct sp_channel *c, void *arg, struct sp_event *ev);
    /* The output queue fell below SP_OUTPUT_LOW after it had been above SP_OUTPUT_HIGH. May be
     * NULL. */
    void (*drained)(struct sp_channel *c, void *arg);
    /* Over; called exactly once for every channel, never from inside another call of the user.
     * SP_OK: after sp_channel_close, the goodbye having been sent. by_peer: the peer's words. The
     * channel is freed when it returns. */
    void (*closed)(struct sp_channel *c, void *arg, const struct sp_err *why, bool by_peer);
};

/* --- connecting ---------------------------------------------------------------------------- */

struct sp_connect {
    const char *address; /* as sp_address_parse takes it; copied */
    struct sp_tls_context *tls;
    struct sp_session_options session; /* role and service are filled in; handshake_ms is
                                        * for TLS, too */
    uint32_t timeout_ms;               /* 0: SP_CONNECT_MS */
};
/* SP_OK: on its way; what becomes of it is told by the callbacks. */
enum sp_code sp_channel_connect(uv_loop_t *loop, const struct sp_connect *o,
    const struct sp_channel_ops *ops, void *arg, struct sp_channel **ret, struct sp_err *e);

/* --- listening ----------------------------------------------------------------------------- */

struct sp_listener;
struct sp_listen {
    const char *address; /* numeric, or "" for all (both families where there are two) */
    uint16_t port;       /* 0: any free one (sp_listener_port) */
    struct sp_tls_context *tls;
    unsigned half_open_max, connections_max, rate_burst, rate_per_minute; /* 0: limits.h */
    /* A connection was accepted and passed the limits: says who hears of it. false refuses it. */
    bool (*accept)(
        void *arg, struct sp_channel *c, const struct sp_channel_ops **ret_ops, void **ret_arg);
    void *arg;
};
enum sp_code sp_listener_new(
    uv_loop_t *loop, const struct sp_listen *o, struct sp_listener **ret, struct sp_err *e);
uint16_t sp_listener_port(const struct sp_listener *l);
/* For connections from now on (a renewed server certificate). */
void sp_listener_set_tls(struct sp_listener *l, struct sp_tls_context *tls);
struct sp_listener_stats {
    uint64_t accepted, refused_rate, refused_half_open, refused_full, handshakes_failed;
    uint64_t evicted;         /* strangers that made room for one of a quieter address */
    unsigned open, half_open; /* now; half_open: strangers (SP_HALF_OPEN_MAX) */
};
void sp_listener_stats(const struct sp_listener *l, struct sp_listener_stats *ret);
/* No more connections; those there are live on and are closed by their users. `done` (may be NULL)
 * when the listener's memory is gone. */
void sp_listener_close(struct sp_listener *l, void (*done)(void *arg), void *arg);

/* --- a channel ----------------------------------------------------------------------------- */

/* Server: begins the session. o->role and o->service are filled in here, and renew_only is set when
 * the peer's certificate expired. */
enum sp_code
sp_channel_start(struct sp_channel *c, const struct sp_session_options *o, struct sp_err *e);

const struct sp_tls_peer *sp_channel_peer(const struct sp_channel *c); /* NULL before secured */
const char *sp_channel_address(const struct sp_channel *c); /* the peer's, "192.0.2.1:4242" */
/* The session, for its requests and replies; NULL before it began. After calls that queue output
 * call sp_channel_flush once. */
struct sp_session *sp_channel_session(struct sp_channel *c);
void sp_channel_flush(struct sp_channel *c);
/* Stops and resumes events (back pressure). Half a minute is what a peer will bear. */
void sp_channel_stop(struct sp_channel *c, bool stop);
/* Goodbye with `why` (NULL or SP_OK: an orderly end), then closes when it was sent or after
 * SP_LINGER_MS. */
void sp_channel_close(struct sp_channel *c, const struct sp_err *why);
/* Closes without a word. */
void sp_channel_abort(struct sp_channel *c);
/* Bytes moved so far on the wire. */
void sp_channel_counts(const struct sp_channel *c, uint64_t *ret_in, uint64_t *ret_out);

/* --- calls from other threads -------------------------------------------------------------- */

/* A queue of calls to be made on the loop's thread, in order. */
struct sp_loop_queue;
enum sp_code sp_loop_queue_new(uv_loop_t *loop, struct sp_loop_queue **ret, struct sp_err *e);
/* Any thread. false: no memory, or the queue was closed; then fn is not called. */
bool sp_loop_post(struct sp_loop_queue *q, void (*fn)(void *arg), void *arg);
/* On the loop's thread: makes the calls that wait, takes no more, and frees itself within the loop.
 * No thread may post once this was called. */
void sp_loop_queue_close(struct sp_loop_queue *q);

#endif
