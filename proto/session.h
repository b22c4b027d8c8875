#ifndef SP_PROTO_SESSION_H
#define SP_PROTO_SESSION_H

/* A session: the rules of one connection as a state machine without I/O (docs/protocol.md). Bytes
 * from the peer go in by sp_session_feed and come out as events; messages go in by the calls of the
 * role and come out as bytes by sp_session_output. Works over any ordered byte stream; channel.h
 * drives it over TLS and TCP.
 *
 *     server                                   client
 *       ServerHello --------------------------->
 *       <--------------------------- ClientHello   (the client waits for the server's)
 *       <--------------- requests, puts, credit
 *       replies, items, acknowledgements ------>
 *       either: Ping <-> Pong … Goodbye, then nothing
 *
 * The session enforces, and ends the session with one Goodbye that says why when the peer errs:
 * hello first, versions, who may send what on which service, tags (known, unique while in flight),
 * requests in flight and their bytes, payload limits, credit both ways, acknowledgements only of
 * what was put, answers as many as ids were asked, deadlines.
 *
 * Credit. A payload costs its length, at least SP_CHARGE_MIN. A put costs put credit, which the
 * server grants in its hello and gives back with ACK and FLUSHED for every block that became
 * durable: the session remembers the sizes, its user only says the two counters. An item of a
 * streamed reply costs reply credit; the client's user says when it is done with one
 * (sp_session_consumed) and the session sends Credit in good portions.
 *
 * One thread at a time. `now_ns` is monotonic time. Payloads given in are malloc'd and belong to
 * the session from a call that returned SP_OK on; on failure they stay the caller's. */

#include "proto/frame.h"

enum sp_role { SP_ROLE_CLIENT, SP_ROLE_SERVER };
enum sp_service { SP_SERVICE_NORMAL, SP_SERVICE_ENROLL };

struct sp_session;

struct sp_session_options {
    enum sp_role role;
    enum sp_service service;
    /* Own hello: SERVER_HELLO (its fields writable, renew_only, put_credit count: puts are refused
     * when not writable, everything but RENEW when renew_only) or CLIENT_HELLO. Credit 0: the
     * default. */
    struct sp_msg hello;
    const uint8_t *hello_payload; /* copied; repository.conf */
    size_t hello_payload_len;
    /* 0: those of limits.h. For tests. */
    uint32_t major, minor;
    uint32_t handshake_ms, ping_ms, idle_ms, stall_ms, enroll_ms;
};

enum sp_event_type {
    SP_EVENT_NONE,    /* all bytes were taken, nothing happened */
    SP_EVENT_READY,   /* the peer's hello is accepted; it is in `frame`. Now requests may be sent */
    SP_EVENT_MESSAGE, /* server: a request, PUT, or CANCEL of a request in flight
                         client: a reply, an item, ACK, or ERROR with tag 0 */
    SP_EVENT_ROOM,  /* server: reply credit came. (A client gets put credit back with ACK, FLUSHED)
                     */
    SP_EVENT_CLOSED /* over: `why`. Comes once. Output that is left (a Goodbye) should still be sent
                     */
};
struct sp_event {
    enum sp_event_type type;
    struct sp_frame frame;
    /* MESSAGE of a reply, item or CANCEL: the request it belongs to. */
    enum sp_msg_type request;
    /* CLOSED: the peer's goodbye in its words (by_peer), its mistake (SP_PROTOCOL), a deadline
     * (SP_TIMEOUT), the end of the stream (SP_UNREACHABLE), or SP_OK after our own goodbye. */
    struct sp_err why;
    bool by_peer;
};
void sp_event_clear(struct sp_event *ev);

enum sp_code sp_session_new(
    const struct sp_session_options *o, int64_t now_ns, struct sp_session **ret, struct sp_err *e);
void sp_session_free(struct sp_session *s); /* NULL is harmless */

/* Takes bytes until one event is ready or all are taken; the caller goes on with the rest. Never
 * fails: a peer's mistake or lack of memory is SP_EVENT_CLOSED. After that all bytes are taken and
 * ignored. */
void sp_session_feed(struct sp_session *s, int64_t now_ns, const void *p, size_t n,
    size_t *ret_used, struct sp_event *ret);
/* The stream ended (error NULL: orderly). SP_EVENT_CLOSED unless that was before. */
void sp_session_end(struct sp_session *s, const struct sp_err *error, struct sp_event *ret);
/* When sp_session_tick wants to be called, INT64_MAX: never. Ask again after every other call. */
int64_t sp_session_deadline(const struct sp_session *s);
/* Pings, and ends the session when a deadline passed: SP_EVENT_CLOSED or NONE. */
void sp_session_tick(struct sp_session *s, int64_t now_ns, struct sp_event *ret);
/* The caller stopped reading for reasons of its own (true) or reads again: silence is not counted
 * meanwhile. Half a minute is what the peer will bear. */
void sp_session_pause(struct sp_session *s, bool paused, int64_t now_ns);

/* The next bytes to send, a view until the next call of any function; false: none. */
bool sp_session_output(struct sp_session *s, const uint8_t **ret, size_t *ret_n);
void
sp_session_sent(struct sp_session *s, int64_t now_ns, size_t n); /* so many of them were taken */
size_t sp_session_queued(const struct sp_session *s); /* bytes that wait, payloads included */

bool sp_session_is_ready(const struct sp_session *s);
bool sp_session_is_closed(const struct sp_session *s);
uint32_t sp_session_minor(const struct sp_session *s); /* in force: the smaller of the two */
bool sp_session_feature(const struct sp_session *s, const char *name);  /* both sides named it */
const struct sp_msg *sp_session_peer_hello(const struct sp_session *s); /* once ready */

/* --- client -------------------------------------------------------------------------------- */

/* Sends a request; its tag is chosen here. SP_BUSY: too many in flight (wait for a reply), SP_AUTH:
 * the server serves only RENEW, SP_REFUSED: not ready or closed. */
enum sp_code sp_session_request(struct sp_session *s, const struct sp_msg *m, uint8_t *payload,
    size_t n, uint32_t *ret_tag, struct sp_err *e);
/* SP_BUSY: no credit for it now: wait for ACK, and when no request is in flight, send FLUSH.
 * SP_DENIED: the server is read-only. */
enum sp_code
sp_session_put(struct sp_session *s, bool nodes, uint8_t *block, size_t n, struct sp_err *e);
bool sp_session_put_fits(const struct sp_session *s, size_t n);
/* An item with a payload of so many bytes is done with. Call it once for every item. */
enum sp_code sp_session_consumed(struct sp_session *s, size_t payload_len, struct sp_err *e);
/* Asks the server to end a request early; its replies go on until the last. Harmless when it is
 * over. */
enum sp_code sp_session_cancel(struct sp_session *s, uint32_t tag, struct sp_err *e);

/* --- server -------------------------------------------------------------------------------- */

/* Sends a reply or an item; m->tag must be in flight (SP_INTERNAL otherwise) and the type an answer
 * to it. Items: SP_BUSY when there is no credit (wait for SP_EVENT_ROOM). FLUSHED also
 * acknowledges. SP_REFUSED: closed. */
enum sp_code sp_session_reply(
    struct sp_session *s, const struct sp_msg *m, uint8_t *payload, size_t n, struct sp_err *e);
/* Short for ERROR with the code, domain and text of *error. */
enum sp_code sp_session_reply_error(
    struct sp_session *s, uint32_t tag, const struct sp_err *error, struct sp_err *e);
bool sp_session_reply_fits(const struct sp_session *s, size_t payload_len);
/* The first `data` and `nodes` blocks put in this session are durable (never less than before;
 * saying the same again sends nothing). */
enum sp_code sp_session_ack(struct sp_session *s, uint64_t data, uint64_t nodes, struct sp_err *e);
/* Puts can no longer be stored: tells the client once (ERROR, tag 0). Later puts are taken and
 * dropped, their credit is not given back. */
enum sp_code
sp_session_fail_puts(struct sp_session *s, const struct sp_err *error, struct sp_err *e);

/* --- both ---------------------------------------------------------------------------------- */

/* Queues a Goodbye behind what is queued; nothing else can be sent after it. `why` code SP_OK: an
 * orderly end. The next feed or tick gives SP_EVENT_CLOSED. Harmless when closed. */
void sp_session_goodbye(struct sp_session *s, const struct sp_err *why);

#endif
