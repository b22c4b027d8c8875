#ifndef SP_SERVER_CONN_H
#define SP_SERVER_CONN_H

/* One connection of a host, or of a machine that enrols.
 *
 * Requests become jobs in two lanes, each with one job under way at a time, so that what one lane
 * does never stops the other:
 *
 *   LANE_WRITE  puts, have, flush, commit, complete, in the order in which they came; on worker threads
 *   LANE_READ   all else, in order; what streams replies (get, list, slots, check) waits for the
 *               client's credit and has a thread of its own, the rest is on worker threads
 *
 * A job belongs to the loop's thread until it is started, then to the thread that runs it, then to
 * the loop's again. The upload belongs to whoever runs a job of LANE_WRITE. Nothing else is shared
 * but the stream, under its lock.
 *
 * Memory is bounded by what the protocol grants; reading stops when SP_CONN_QUEUE_HIGH bytes wait
 * in LANE_WRITE, for twenty seconds at most, because a client that hears nothing for long gives up.
 */

#include "server/server_impl.h"

#define SP_CONN_QUEUE_HIGH (8u << 20) /* bytes of puts that wait: reading stops */
#define SP_CONN_QUEUE_LOW (4u << 20)  /* and goes on */
#define SP_CONN_BATCH (2u << 20)      /* bytes of puts in one job */
#define SP_CONN_STOP_MS 20000
#define SP_CONN_STREAM_HIGH (1u << 20) /* bytes of items that wait for the loop */
#define SP_CONN_OUTPUT_HIGH (2u << 20) /* bytes of output, over which a stream waits */
#define SP_CONN_IDLE_MS 2000    /* nothing came: what was put is made durable and acknowledged */
#define SP_CONN_UNSAID_MS 60000 /* and so it is after this in any case */
#define SP_CONN_TOLD_MAX 16     /* refusals of one session that the log tells */

enum lane_name { LANE_WRITE, LANE_READ, LANES };
/* Jobs that no client asks. */
enum own_job {
    OWN_NOTHING,
    OWN_BEGIN, /* notes the session */
    OWN_FLUSH,
    OWN_END /* stores what came, notes the end */
};

struct conn_job {
    struct conn_job *next;
    struct sp_conn *conn;
    enum sp_msg_type type; /* SP_MSG_NONE: our own, see `own` */
    enum own_job own;
    struct sp_msg msg;
    uint8_t *payload;
    size_t n;

    /* What came of it. */
    struct sp_err error; /* code SP_OK: done */
    struct sp_msg reply;
    uint8_t *reply_payload;
    size_t reply_n;
    bool has_durable;
    struct sp_upload_durable durable;
    struct sp_roster *roster; /* certificates changed */
    char note[320];           /* for the log */
};

struct lane {
    struct conn_job *first, **end; /* waiting */
    struct conn_job *running;      /* LANE_WRITE: a list of puts, or one */
    size_t bytes;                  /* of both, payloads included */
};

struct stream_item {
    struct stream_item *next;
    struct sp_msg msg;
    uint8_t *payload;
    size_t n;
};

struct stream { /* of LANE_READ's running job */
    struct sp_mutex lock;
    struct sp_cond room;
    struct stream_item *first, **end;
    size_t bytes;
    bool cancelled, kicked; /* kicked: the loop was told that there are items */
    struct sp_thread *thread;
    bool finished; /* its thread is over: the job's reply follows the last item */
};

struct sp_conn {
    struct sp_server *server;
    struct sp_conn *next, **link;
    struct sp_channel *channel; /* NULL: over */
    enum sp_service service;
    char who[SP_STATE_NAME + SP_STATE_ADDRESS + 2]; /* for the log */
    char address[SP_STATE_ADDRESS];
    uint8_t host[16], group[16], fingerprint[32];
    char host_name[SP_STATE_NAME];
    bool begun;     /* a session that counts */
    bool ready;     /* both hellos were said */
    bool completions; /* the client knows them, too; set before the first job */
    bool ending;    /* no new jobs; goodbye when LANE_WRITE is through */
    bool ended;     /* OWN_END was queued */
    bool advancing; /* inside sp_conn_advance */
    unsigned told;  /* refusals in the log */
    struct lane lanes[LANES];
    struct stream stream;
    char program[SP_PROGRAM_MAX + 1];

    /* The thread that runs LANE_WRITE's job. */
    struct sp_upload *upload;
    struct sp_upload_durable put; /* blocks given to the upload */
    uint64_t stored_bytes;        /* by this host, this session's included */
    uint64_t unsaid_bytes;        /* not yet added to the state */
    int64_t session_id;           /* in the state; 0: none */
    bool puts_failed;

    /* The loop's. */
    bool puts_over;                        /* the client was told that its puts failed */
    struct sp_upload_durable taken, acked; /* puts that came; that are acknowledged */
    int64_t unsaid_mono;                   /* since when something is not acknowledged; 0 */
    uint64_t seen_in;                      /* bytes that had come in … */
    int64_t heard_mono;                    /* … when something last did */
    bool stopped;
    int64_t stopped_mono;
    uint64_t bytes_in, bytes_out;
    struct sp_err outcome;

    struct sp_enrolling enrolling; /* between Enroll and EnrollEnd */
};

/* --- conn.c: life */
enum sp_code
sp_conn_new(struct sp_server *s, struct sp_channel *c, struct sp_conn **ret, struct sp_err *e);
extern const struct sp_channel_ops sp_conn_ops;
/* Says goodbye with `why` and closes; what was put is made durable all the same. */
void sp_conn_end(struct sp_conn *c, const struct sp_err *why);
/* The server stops: finishes what LANE_WRITE has, acknowledges, says goodbye. */
void sp_conn_stop(struct sp_conn *c);
void sp_conn_tick(struct sp_conn *c, int64_t now_mono);
/* Stops reading when much waits, and reads again. */
void sp_conn_press_back(struct sp_conn *c);
/* When nothing is under way: the next step of the end. May free c. */
void sp_conn_settle(struct sp_conn *c);

/* --- conn_lane.c: jobs */
enum sp_code sp_conn_take(struct sp_conn *c, struct sp_frame *f, struct sp_err *e);
void sp_conn_own_job(struct sp_conn *c, enum own_job own);
void sp_conn_cancel(struct sp_conn *c, uint32_t tag);
/* Starts what can be started. May free c, when it is over. */
void sp_conn_advance(struct sp_conn *c);
void sp_conn_drop_waiting(struct sp_conn *c, enum lane_name lane);
/* What a job adds to its lane's bytes, so that a million of the smallest are not for free. */
size_t sp_conn_weight(const struct conn_job *j);
void sp_conn_finish_job(struct conn_job *j); /* the reply, and frees it */
void sp_conn_log(struct sp_conn *c, enum sp_log_level level, const char *fmt, ...) SP_PRINTF(3, 4);

/* --- jobs; on worker threads. Each fills error, or reply and payload. */
enum sp_code sp_conn_run_put(struct sp_conn *c, struct conn_job *j, struct sp_err *e);
enum sp_code sp_conn_run_have(struct sp_conn *c, struct conn_job *j, struct sp_err *e);
enum sp_code sp_conn_run_flush(struct sp_conn *c, struct conn_job *j, struct sp_err *e);
enum sp_code sp_conn_run_commit(struct sp_conn *c, struct conn_job *j, struct sp_err *e);
enum sp_code sp_conn_run_complete(struct sp_conn *c, struct conn_job *j, struct sp_err *e);
enum sp_code sp_conn_run_begin(struct sp_conn *c, struct conn_job *j, struct sp_err *e);
enum sp_code sp_conn_run_end(struct sp_conn *c, struct conn_job *j, struct sp_err *e);
enum sp_code sp_conn_run_read(struct sp_conn *c, struct conn_job *j, struct sp_err *e);
enum sp_code sp_conn_run_keys(struct sp_conn *c, struct conn_job *j, struct sp_err *e);
/* On a stream's thread: gives items by sp_stream_send. */
enum sp_code sp_conn_run_stream(struct sp_conn *c, struct conn_job *j, struct sp_err *e);

/* --- conn_stream.c */
void sp_stream_init(struct stream *st);
void sp_stream_destroy(struct stream *st);
bool sp_stream_start(struct sp_conn *c); /* for LANE_READ's running job */
/* Takes over the payload, also on failure; waits for room. SP_CANCELLED: nobody wants it any more.
 */
enum sp_code sp_stream_send(
    struct sp_conn *c, const struct sp_msg *m, uint8_t *payload, size_t n, struct sp_err *e);
bool sp_stream_cancelled(struct sp_conn *c);
void sp_stream_cancel(struct sp_conn *c);
void sp_stream_pump(struct sp_conn *c); /* items to the session, as credit and output allow */
void sp_stream_drop(struct sp_conn *c);

#endif
