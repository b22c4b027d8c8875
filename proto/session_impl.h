#ifndef SP_PROTO_SESSION_IMPL_H
#define SP_PROTO_SESSION_IMPL_H

/* Inside of session*.c: the state, and who looks after which part of it.
 *
 *   session.c         life: hello, feed, end
 *   session_time.c    deadlines
 *   session_rules.c   what the peer may send now; asked before memory is taken for a payload
 *   session_calls.c   what the user sends: requests, puts, replies, acknowledgements
 *   session_credit.c  credit both ways
 *   session_output.c  the queue of bytes to send
 */

#include "proto/session.h"

enum session_state {
    SESSION_HELLO, /* the peer's hello is awaited */
    SESSION_READY,
    SESSION_CLOSED /* nothing is sent or taken any more; a Goodbye may be in the queue */
};

enum enroll_state { ENROLL_NOT_YET, ENROLL_ASKED, ENROLL_GRANTED, ENROLL_ENDING, ENROLL_OVER };

struct request { /* in flight */
    uint32_t tag;
    enum sp_msg_type type;
    uint32_t bytes;    /* of its payload */
    uint32_t answered; /* client: ids in the blocks that came, or items */
    bool cancelled;
};

struct output { /* one frame */
    struct output *next;
    uint8_t *head; /* prefix and header */
    size_t head_len;
    const uint8_t *slice; /* of a payload */
    size_t slice_len;
    uint8_t *payload; /* freed with this frame, the last of its message */
    bool pong;
};

/* The charges of the puts of one kind that are not durable yet, oldest first: a ring. */
struct charges {
    uint32_t *ring;
    size_t cap, first, n; /* cap is a power of two */
    uint64_t put;         /* blocks, ever; durable: put - n */
};

struct sp_session {
    enum sp_role role;
    enum sp_service service;
    enum session_state state;
    struct sp_msg hello, peer_hello;
    uint8_t *hello_payload;
    size_t hello_payload_len;
    uint32_t minor; /* in force */
    struct sp_frame_decoder *decoder;

    struct request requests[SP_REQUESTS_MAX];
    size_t nrequests;
    uint64_t request_bytes;
    uint32_t next_tag;
    enum enroll_state enroll;

    /* Put credit: what the client may still put. The server keeps the charges, the client the
     * counts. */
    uint64_t put_credit;
    struct charges charges[2]; /* data, nodes */
    uint64_t durable[2];
    bool puts_failed;
    /* Reply credit: what the server may still send. The client: what its user has of it, and what
     * the user is done with but the server was not yet told. */
    uint64_t reply_credit, reply_window, reply_held, reply_back;

    struct output *out, **out_end;
    size_t out_sent; /* bytes of the first frame that are gone */
    size_t queued;   /* bytes, all frames */
    bool pong_waits;

    int64_t now, started, heard, moved; /* moved: output was taken, or began to wait */
    int64_t begun;                      /* the message that is coming; 0: none is */
    int64_t paused_at;
    int64_t handshake_ns, ping_ns, idle_ns, stall_ns, enroll_ns;
    bool paused, pinging;
    uint64_t ping_nonce;

    bool tell; /* SP_EVENT_CLOSED is still to be given */
    struct sp_err why;
    bool by_peer;
};

/* session.c */
const char *sp_session_peer_word(const struct sp_session *s); /* "the server", "the client" */
/* Our own trouble (memory): ends the session with a Goodbye. */
void sp_session_break(struct sp_session *s, const struct sp_err *e);

/* SP_EVENT_CLOSED, once it is due and was not given yet. */
void sp_session_tell(struct sp_session *s, struct sp_event *ret);

/* session_rules.c; of type sp_frame_admit_fn, arg the session */
enum sp_code
sp_session_admit(void *arg, const struct sp_msg *m, size_t payload_len, struct sp_err *e);

/* session_calls.c */
struct request *sp_session_find(struct sp_session *s, uint32_t tag); /* NULL */
enum sp_code
sp_session_begin_request(struct sp_session *s, const struct sp_msg *m, size_t n, struct sp_err *e);
void sp_session_end_request(struct sp_session *s, struct request *r);

/* session_credit.c */
uint32_t sp_session_charge(size_t payload_len);
enum sp_code sp_session_charge_put(struct sp_session *s, bool nodes, size_t n, struct sp_err *e);
/* Server: so many are durable; gives the credit that comes back. */
enum sp_code sp_session_release(
    struct sp_session *s, uint64_t data, uint64_t nodes, uint32_t *ret_credit, struct sp_err *e);
void sp_session_free_charges(struct sp_session *s);

/* session_output.c. On SP_OK the payload belongs to the queue. */
enum sp_code sp_session_queue(
    struct sp_session *s, const struct sp_msg *m, uint8_t *payload, size_t n, struct sp_err *e);
void sp_session_drop_output(struct sp_session *s);

#endif
