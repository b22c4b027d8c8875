#ifndef SP_SERVER_SERVER_IMPL_H
#define SP_SERVER_SERVER_IMPL_H

/* Inside of the running server.
 *
 *   server.c      opening, running, ending
 *   listener.c    connections: who may come in
 *   upkeep.c      what happens by the clock: hosts revoked, heartbeat, sweeping, certificates
 *   conn.c        one connection's life; conn_lane.c, conn_put.c, conn_read.c, conn_stream.c,
 * conn_keys.c
 *
 * Everything is the loop's thread's but what conn.h says otherwise. */

#include <stdatomic.h>
#include <uv.h>

#include "base/thread.h"
#include "proto/channel.h"
#include "server/enroll.h"
#include "server/roster.h"
#include "server/server.h"
#include "server/state.h"
#include "storage/repository.h"

#define SP_TICK_MS 500  /* revocations, idle sessions */
#define SP_BEAT_MS 5000 /* heartbeat */
#define SP_TELL_MS 60000 /* of strangers, so many ends in so long are told one by one: */
#define SP_TELL_MAX 20
#define SP_SWEEP_MS 3600000
#define SP_STOP_MS 8000 /* for sessions to end in order */
#define SP_DIE_MS 10000 /* and then it ends */

/* Of the platform (platform_posix.c, platform_win32.c): the signals that end a server, then 0. */
#define SP_ENDS_MAX 4
extern const int sp_platform_ends[SP_ENDS_MAX + 1];

struct sp_conn;

struct sp_server {
    const struct sp_env *env;
    struct sp_log *log;
    struct sp_home home;
    struct sp_state *state;
    struct sp_state_lock *lock;
    struct sp_repository *repository;
    struct sp_enroller *enroller;
    uint8_t *conf; /* repository.conf */
    size_t conf_len;

    uv_loop_t loop;
    struct sp_loop_queue *calls;
    struct sp_tls_context *tls;
    struct sp_listener *listener;
    uv_signal_t ends[SP_ENDS_MAX];
    size_t nends;
    uv_timer_t tick, stopper;
    uv_check_t after_poll; /* streams go on when output was taken */

    struct sp_roster *roster;
    atomic_uint_fast64_t roster_order;
    struct sp_conn *conns; /* all that the listener let in and that are not gone */
    int64_t started_ns, beat_mono, sweep_mono, stop_mono;
    int64_t state_version;
    struct sp_mutex check_lock; /* one check at a time in the whole server */
    struct sp_cond check_free;

    uint32_t put_credit;
    unsigned nsessions; /* of the connections: begun */
    uint16_t port;
    bool has_loop, has_handles, signals;
    bool watching, beating, sweeping; /* work of that kind is under way */
    bool checking;
    bool stopping, closing;
    char trouble[256];
    unsigned strangers_told, strangers_untold; /* refused, since tell_mono */
    int64_t tell_mono;
    struct sp_listener_stats told; /* what the log knows of the listener */
};

/* Posts to the loop; waits for memory rather than failing, because what is posted must happen. Any
 * thread. */
void sp_server_post(struct sp_server *s, void (*fn)(void *arg), void *arg);
/* Loads a roster that knows everything committed to the state before the call. Worker threads. */
enum sp_code sp_server_load_roster(struct sp_server *s, struct sp_roster **ret, struct sp_err *e);
/* Takes it over when it is newer than the present one; ends the sessions of who was revoked. */
void sp_server_take_roster(struct sp_server *s, struct sp_roster *r);
/* A connection is gone: ends the loop when it was the last of a server that stops. */
void sp_server_conn_gone(struct sp_server *s);
void sp_server_begin_stop(struct sp_server *s);
void sp_server_close(struct sp_server *s); /* closes the handles: the loop ends */
void sp_server_event(struct sp_server *s, const uint8_t *host, const char *kind, const char *text);

/* listener.c */
enum sp_code sp_server_listen(struct sp_server *s, struct sp_err *e);
enum sp_code sp_server_make_tls(struct sp_server *s, struct sp_tls_context **ret, struct sp_err *e);

/* upkeep.c */
void sp_upkeep_tick(struct sp_server *s);

#endif
