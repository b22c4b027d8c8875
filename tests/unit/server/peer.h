#ifndef SP_TESTS_SERVER_PEER_H
#define SP_TESTS_SERVER_PEER_H

/* A client of the raw protocol, one call after the other, and a server in a thread. */

#include "member.h"

#include "base/thread.h"
#include "proto/channel.h"
#include "server/server.h"

struct running {
    struct place *place;
    struct sp_server *server;
    struct sp_thread *thread;
    struct sp_log *log;
    uint16_t port;
    struct sp_err end;
};
void running_start(struct running *r, struct place *p);
/* The same with a log of the caller's, which running_stop frees. */
void running_start_logged(struct running *r, struct place *p, struct sp_log *log);
void running_stop(struct running *r); /* fails the test unless it ended in order */

#define PEER_INBOX 512
struct peer {
    uv_loop_t loop;
    uv_timer_t timer;
    struct sp_tls_context *tls;
    struct sp_channel *channel;
    bool ready, closed, by_peer;
    struct sp_err why; /* of the end */
    struct sp_msg hello;
    size_t hello_payload_len;
    struct sp_frame inbox[PEER_INBOX]; /* replies and items */
    size_t n;
    uint64_t ack_data, ack_nodes;
    struct sp_err puts; /* an error of the uploads */
    bool hold;          /* gives no credit back */
};
/* Connects as a host (or to enrol: m NULL) and waits for the hello or the end. */
void peer_open(struct peer *p, const struct running *r, const struct member *m);
/* The same, as a program that knows a feature; the other knows none. */
void peer_open_knowing(
    struct peer *p, const struct running *r, const struct member *m, const char *feature);
void peer_close(struct peer *p);
bool peer_wait(struct peer *p, bool (*until)(struct peer *p), int ms);
/* Sends; the payload is copied. */
uint32_t peer_send(struct peer *p, struct sp_msg *m, const void *payload, size_t n);
void peer_put(struct peer *p, bool nodes, const struct sp_buf *block);
/* Waits for the last reply of a tag and gives it; items of the tag stay in the inbox. */
void peer_reply(struct peer *p, uint32_t tag, struct sp_frame *ret);
/* The two in one; fails the test unless the reply is of that type. */
void peer_ask(struct peer *p, struct sp_msg *m, const void *payload, size_t n,
    enum sp_msg_type want, struct sp_frame *ret);
/* The same for a request that is refused. */
void
peer_refused(struct peer *p, struct sp_msg *m, const void *payload, size_t n, enum sp_code want);
size_t peer_items(const struct peer *p, uint32_t tag);
void peer_run(struct peer *p, int ms); /* only lets time pass */
bool peer_is_closed(struct peer *p);

/* Enrols over the network with a token of `host add`. */
void peer_enroll(const struct running *r, const char *name, struct member *m);
/* Puts a data chunk and a root that refers to it, and commits a set of that root; `previous` and
 * sequence as member_set. *ret_hash: of the record. */
struct peer_set {
    struct sp_id data, root;
    uint8_t set_id[16], hash[32];
};
void peer_backup(struct peer *p, struct member *m, const char *job, uint64_t sequence,
    const uint8_t *previous, struct peer_set *ret);

#endif
