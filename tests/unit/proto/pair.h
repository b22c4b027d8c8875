#ifndef SP_TESTS_PROTO_PAIR_H
#define SP_TESTS_PROTO_PAIR_H

/* A client and a server session and the bytes between them, with what each side saw written down.
 */

#include "support.h"

#include "base/buf.h"
#include "base/clock.h"
#include "proto/session.h"

struct side {
    struct sp_session *s;
    struct sp_event last; /* the last event that was not NONE; its payload is freed */
    struct sp_buf log;    /* a line an event */
    struct sp_buf sent;   /* every byte that this side sent, when record is set */
    size_t payload_len;   /* of the last event */
    unsigned closed;      /* how often SP_EVENT_CLOSED came */
    struct sp_err why;
    bool by_peer;
};

struct pair {
    struct side client, server;
    int64_t now;
    size_t piece; /* bytes handed over at once */
    bool record;
    bool hold; /* the test says what a client is done with, not pump */
};

struct sp_session_options client_options(void);
struct sp_session_options server_options(void); /* writable */
void pair_new(struct pair *p, const struct sp_session_options *client,
    const struct sp_session_options *server);
void pair_free(struct pair *p);
/* Moves bytes both ways until nothing moves. The client is done with every item at once. */
void pair_pump(struct pair *p);
/* A pair with the default options that has said hello. */
void pair_ready(struct pair *p);
/* One side's output into the other once; false: there was none. */
bool pair_move(struct pair *p, struct side *from, struct side *to);
/* Bytes from nowhere into one side. */
void side_feed(struct pair *p, struct side *to, const void *bytes, size_t n);
void side_event(struct pair *p, struct side *to, struct sp_event *ev); /* notes and clears it */

/* Encodes and feeds a message that a session of ours would not send; returns false once the side is
 * closed. */
void side_feed_message(struct pair *p, struct side *to, const struct sp_msg *m, size_t payload_len);

#endif
