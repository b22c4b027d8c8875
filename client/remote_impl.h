#ifndef SP_CLIENT_REMOTE_IMPL_H
#define SP_CLIENT_REMOTE_IMPL_H

/* Inside of the remote store (store_remote.h). Who looks after what:
 *
 *   store_remote.c      opening and freeing, the table of calls
 *   remote_loop.c       the thread of the libuv loop: connections, timers, wake-ups
 *   remote_send.c       what is sent next, in which order
 *   remote_events.c     what came from the server
 *   remote_reconnect.c  a connection begins, is lost, is made again; what the server has by then
 *   remote_put.c        blocks until they are acknowledged
 *   remote_call.c       one request and its answer, from the caller's side
 *   remote_requests.c   requests with one answer
 *   remote_stream.c     requests answered by a stream of items
 *   remote_commit.c     a commit, also when its answer was lost
 *   remote_complete.c   the completion of a set, likewise
 *   remote_renew.c      the certificate
 *
 * Callers and the loop's thread share this structure under one lock. Callers never touch channel or
 * session: they queue calls and blocks, wake the loop, and wait on a condition. Every call and
 * every block gets a number when it is queued, and they are sent in the order of these numbers,
 * also after a cut: a question that follows a put is always behind it on the wire.
 */

#include <uv.h>

#include "base/thread.h"
#include "client/store_remote.h"
#include "proto/channel.h"
#include "proto/token.h"
#include "storage/repository.h"

struct remote_pace {               /* tests are in a hurry */
    uint32_t first_ms, longest_ms; /* pauses before connecting again: 1 s, doubled up to 60 s */
    uint32_t starved_ms;           /* no credit and no acknowledgement for so long: FLUSH */
};

/* --- blocks: remote_put.c --------------------------------------------------------------------- */

struct put_block {
    struct put_block *next;
    uint64_t number;
    uint8_t *bytes;
    size_t n;
    const uint8_t *ids; /* inside bytes */
    size_t nids;
    bool tried; /* was given to a connection, perhaps one that is gone */
};

/* Blocks of one kind, in the order of putting, until acknowledged: first those sent over this
 * connection, then the others. */
struct lane {
    struct put_block *first, **end;
    struct put_block *unsent; /* the first that is not sent; NULL: all are */
    uint64_t acked;           /* of this connection */
    uint64_t sent_bytes;      /* not acknowledged */
};
enum { LANE_DATA, LANE_NODES, LANES };

/* --- calls: remote_call.c --------------------------------------------------------------------- */

struct item { /* of a streamed reply */
    struct item *next;
    uint64_t connection;
    size_t len; /* of the payload as it came: what it costs */
    struct sp_frame frame;
};

struct call { /* on its caller's stack */
    struct call *next;
    uint64_t number;
    struct sp_msg msg;
    const uint8_t *body; /* the payload, the caller's; copied for each sending */
    size_t body_len;
    /* Instead of body: makes the payload (malloc'd) for what is still wanted; *ret_n = 0: nothing
     * is, and the call is over. With the lock. May be NULL. */
    enum sp_code (*make)(struct call *c, uint8_t **ret, size_t *ret_n, struct sp_err *e);
    /* An item came. SP_PROTOCOL when it is not what was asked for. *ret_drop: the caller had it
     * before. With the lock. May be NULL. */
    enum sp_code (*came)(
        struct call *c, const struct sp_frame *f, bool *ret_drop, struct sp_err *e);
    void *arg;   /* of make and came */
    bool once;   /* not asked again after a cut: `lost` */
    bool ending; /* the caller wants no more */
    bool sent;   /* over this connection, as `tag` */
    unsigned sendings;
    uint32_t tag;
    struct sp_cond changed;
    struct item *items, **items_end;
    bool done;              /* out of the list; what follows is filled */
    bool lost;              /* cut before the answer came */
    struct sp_err err;      /* the answer was an error, or the store failed */
    struct sp_frame answer; /* else */
};

/* --- the store -------------------------------------------------------------------------------- */

enum remote_state {
    REMOTE_DOWN,     /* no connection, or one that is being made */
    REMOTE_RESUMING, /* connected; asking which of the unacknowledged blocks are there */
    REMOTE_LIVE
};

struct remote {
    struct sp_store head;
    const struct sp_env *env;
    struct sp_remote_options o; /* strings: of this structure, or not kept */
    char *address;              /* as given */
    const char *target;         /* host:port, inside address */
    char *tls_key, *tls_chain;
    struct remote_pace pace;
    struct sp_thread *thread;
    uv_async_t wake;

    /* The loop's thread alone. */
    uv_loop_t loop;
    uv_timer_t timer;    /* DOWN: the pause; LIVE: no credit */
    bool handles_closed; /* the loop ends */
    struct sp_channel *channel;
    bool closing; /* our end of the channel */
    uv_prepare_t prepare;
    bool more; /* to be sent when the session's queue is short again */
    bool starving;
    char sentence[1024]; /* for notice(), told when the lock is free */

    struct sp_mutex lock; /* of all that follows */
    struct sp_cond changed;
    struct sp_err failed; /* the first failure: every call gives it */
    bool stopping, cut, restart;
    struct sp_tls_context *tls;

    enum remote_state state;
    uint64_t connection;       /* counts them */
    bool opened;               /* the first one succeeded */
    struct sp_msg hello;       /* the last */
    struct sp_msg first_hello; /* what opening saw: never changes */
    uint8_t *conf;             /* the first */
    size_t conf_len;
    struct sp_repository_conf repository;

    uint64_t next_number;
    struct call *calls, **calls_end; /* in the order of their numbers */
    struct item *spent;              /* done with, the server not yet told */
    uint32_t flush_tag;              /* of a FLUSH of our own; 0: none */

    struct lane lanes[LANES];
    uint64_t charged; /* credit that all blocks in the lanes cost */
    unsigned waiting; /* callers of put() */
    struct sp_cond room;

    /* Resuming: the blocks being asked about are `asked` ones from *asked_at on. */
    uint32_t have_tag;
    unsigned asked_lane;
    struct put_block **asked_at;
    size_t asked;

    /* Time without a connection since something last went forward. */
    int64_t cut_at_ns; /* 0: connected */
    int64_t down_ns;
    uint32_t pause_ms;
};

static inline struct remote *
remote_of(struct sp_store *s)
{
    return (struct remote *)s;
}

/* store_remote.c: as sp_store_remote_open, at a pace of its own. */
enum sp_code sp_remote_open_paced(const struct sp_env *env, const struct sp_remote_options *o,
    const struct remote_pace *pace, struct sp_store **ret, struct sp_err *e);
/* The first failure, or SP_OK. Takes the lock. */
enum sp_code sp_remote_ready(struct remote *r, struct sp_err *e);
/* What a failing call means for the store: as the repository does it, some codes are final. */
enum sp_code sp_remote_done(struct remote *r, enum sp_code rc, const struct sp_err *e);

/* remote_loop.c */
enum sp_code sp_remote_start(struct remote *r, struct sp_err *e);
void sp_remote_stop(struct remote *r);
void sp_remote_wake(struct remote *r); /* any thread */
/* Those below on the loop's thread, with the lock. */
enum sp_code sp_remote_connect(struct remote *r, struct sp_err *e);
struct sp_session *sp_remote_session(struct remote *r); /* NULL */
void sp_remote_sleep(struct remote *r, uint32_t ms);    /* the timer, for a pause */

/* remote_send.c, remote_events.c: on the loop's thread, with the lock. */
void sp_remote_pump(struct remote *r); /* sends what can be sent now */
void sp_remote_send_flush(struct remote *r, struct sp_session *s);
void sp_remote_message(struct remote *r, struct sp_event *ev);

/* remote_reconnect.c: on the loop's thread, with the lock. */
void sp_remote_begin(struct remote *r, struct sp_frame *hello);
void sp_remote_lost(struct remote *r, const struct sp_err *why, bool by_peer);
void sp_remote_resume(struct remote *r, struct sp_session *s);
void sp_remote_resumed(struct remote *r, const struct sp_frame *answer);
void sp_remote_forward(struct remote *r); /* something went forward */

/* remote_put.c */
enum sp_code sp_remote_put(struct sp_store *s, uint8_t *block, size_t n, struct sp_err *e);
enum sp_code sp_remote_flush(struct sp_store *s, struct sp_err *e);
/* With the lock. */
void sp_remote_lanes_init(struct remote *r);
void sp_remote_lanes_clear(struct remote *r);
void sp_remote_lanes_rewind(struct remote *r); /* the connection is gone */
/* Frees the block at *at. */
void sp_remote_drop(struct remote *r, struct lane *l, struct put_block **at);
struct put_block *sp_remote_next_block(struct remote *r, unsigned *ret_lane); /* NULL */
/* SP_BUSY: no credit. */
enum sp_code sp_remote_send_block(struct remote *r, unsigned lane, struct sp_err *e);
void sp_remote_acked(struct remote *r, uint64_t data, uint64_t nodes);
/* No acknowledgement can come without a FLUSH. */
bool sp_remote_must_flush(const struct remote *r);
bool sp_remote_starved(struct remote *r);

/* remote_call.c: by callers, without the lock. */
void sp_call_init(struct call *c, enum sp_msg_type type);
enum sp_code sp_call_start(struct remote *r, struct call *c, struct sp_err *e);
/* Waits for the answer: SP_OK with c->answer, or its error. */
enum sp_code sp_call_wait(struct remote *r, struct call *c, struct sp_err *e);
/* Waits for an item; NULL: the call is over (sp_call_wait says how). */
struct item *sp_call_next(struct remote *r, struct call *c);
void sp_call_item_done(struct remote *r, struct item *it);
/* Ends it early when it is not over, and frees what it has. */
void sp_call_end(struct remote *r, struct call *c);
enum sp_code sp_call_run(struct remote *r, struct call *c, struct sp_err *e); /* start and wait */
/* With the lock. */
void sp_call_finish(struct remote *r, struct call *c, const struct sp_err *err);
struct call *sp_call_find(struct remote *r, uint32_t tag);
void sp_call_item_spent(struct remote *r, struct item *it);
/* The store failed: all calls end with the first failure, and the loop ends the connection. */
void sp_remote_fail(struct remote *r, const struct sp_err *e);

/* A server that dies of a commit or completion each time is not asked for ever. */
#define SP_REMOTE_LOST_MAX 16

/* remote_requests.c, remote_stream.c, remote_commit.c, remote_complete.c: the table's. */
enum sp_code
sp_remote_put_slot(struct sp_store *s, const uint8_t *slot, size_t n, struct sp_err *e);
enum sp_code sp_remote_host(
    struct sp_store *s, const uint8_t host[16], uint8_t **ret, size_t *ret_n, struct sp_err *e);
enum sp_code
sp_remote_head(struct sp_store *s, const char *job, struct sp_store_head *ret, struct sp_err *e);
enum sp_code sp_remote_have(struct sp_store *s, bool nodes, const struct sp_id *ids, size_t n,
    uint8_t *ret_answers, struct sp_err *e);
enum sp_code sp_remote_missing(struct sp_store *s, const uint8_t set_id[16], struct sp_id **ret,
    size_t *ret_n, bool *ret_more, struct sp_err *e);
enum sp_code sp_remote_slots(struct sp_store *s, const uint8_t group[16],
    enum sp_code (*each)(void *arg, const uint8_t *slot, size_t n, struct sp_err *e), void *arg,
    struct sp_err *e);
enum sp_code sp_remote_get(struct sp_store *s, const struct sp_id *ids, size_t n, unsigned copy,
    sp_store_block_fn each, void *arg, struct sp_err *e);
enum sp_code sp_remote_list(struct sp_store *s, bool all_hosts, bool checkpoints,
    enum sp_code (*each)(void *arg, const struct sp_set_info *i, struct sp_err *e), void *arg,
    struct sp_err *e);
enum sp_code sp_remote_check(struct sp_store *s, const struct sp_check_options *o, sp_check_fn each,
    void *arg, struct sp_check_totals *ret, struct sp_err *e);
enum sp_code sp_remote_commit(struct sp_store *s, enum sp_record_type type, const uint8_t *record,
    size_t n, struct sp_commit_result *ret, struct sp_err *e);
enum sp_code
sp_remote_complete(struct sp_store *s, const uint8_t *completion, size_t n, struct sp_err *e);
/* n ids out of a payload, malloc'd; NULL for none. */
enum sp_code
sp_remote_ids(const uint8_t *p, size_t bytes, struct sp_id **ret, size_t *ret_n, struct sp_err *e);

/* What a first connection that was not had means for the user. */
enum sp_code sp_remote_unreachable(struct sp_err *e, const char *target, const char *hint);

/* remote_renew.c: while opening, on the opener's thread. */
enum sp_code sp_remote_renew(struct remote *r, struct sp_err *e);
/* Text out of a message, malloc'd. */
enum sp_code sp_remote_pem(const uint8_t *p, size_t n, char **ret, struct sp_err *e);
/* A context for the key and chain. */
enum sp_code sp_remote_tls(struct remote *r, const char *key, const char *chain,
    struct sp_tls_context **ret, struct sp_err *e);

#endif
