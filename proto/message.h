#ifndef SP_PROTO_MESSAGE_H
#define SP_PROTO_MESSAGE_H

/* The messages of the protocol (docs/protocol.md) as plain values; protobuf-c stays in message.c. A
 * message is what a frame's header says; ids, blocks, records, slots, certificates travel in the
 * raw payload beside it, whose layout is noted at each type below ("payload:").
 *
 * Strings are UTF-8 without control characters, NUL-terminated here. Encoding a sentence for the
 * user (text, reason, finding) replaces what is not; everything else that is not fails with
 * SP_INVALID. Decoding refuses it. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "proto/limits.h"

enum sp_msg_type {
    SP_MSG_NONE = 0,
    /* The first message of each side, and the last. */
    SP_MSG_SERVER_HELLO, /* payload: repository.conf (empty when enrolling) */
    SP_MSG_CLIENT_HELLO,
    SP_MSG_GOODBYE, /* either side: nothing follows */
    /* Any time, either side; the session answers and makes them by itself. */
    SP_MSG_PING,
    SP_MSG_PONG,
    /* Client to server, without a reply. */
    SP_MSG_PUT,    /* payload: a sealed block */
    SP_MSG_CREDIT, /* more bytes of streamed replies may be sent */
    SP_MSG_CANCEL, /* the tag is that of the request to end early */
    /* Server to client, without a request. */
    SP_MSG_ACK,
    /* Requests (client to server) and the replies that each may get. Every request may get ERROR.
     */
    SP_MSG_FLUSH,      /* → FLUSHED */
    SP_MSG_HAVE,       /* payload: n ids → HAVE_REPLY */
    SP_MSG_HEAD,       /* → HEAD_REPLY */
    SP_MSG_COMMIT,     /* payload: the record → COMMIT_REPLY */
    SP_MSG_GET,        /* payload: n ids → BLOCK …, DONE */
    SP_MSG_LIST,       /* → LIST_ITEM …, DONE */
    SP_MSG_MISSING,    /* → MISSING_REPLY */
    SP_MSG_SLOTS,      /* → SLOT …, DONE */
    SP_MSG_PUT_SLOT,   /* payload: a key slot → DONE */
    SP_MSG_HOST,       /* → HOST_REPLY; ERROR absent */
    SP_MSG_HOST_PUT,   /* payload: the caller's own host record → DONE */
    SP_MSG_CHECK,      /* → FINDING …, CHECK_DONE */
    SP_MSG_RENEW,      /* payload: CSR, PEM → RENEW_REPLY */
    SP_MSG_ENROLL,     /* payload: CSR, PEM → ENROLL_REPLY. Only when enrolling, once */
    SP_MSG_ENROLL_END, /* payload: host record ‖ key slots → DONE. Only after ENROLL, once */
    SP_MSG_COMPLETE,   /* payload: a completion → DONE. Only with SP_FEATURE_COMPLETIONS */
    /* Replies: the last frame of their tag. */
    SP_MSG_ERROR, /* to any request; with tag 0: the uploads of this session failed for good */
    SP_MSG_DONE,
    SP_MSG_FLUSHED,
    SP_MSG_HAVE_REPLY,   /* payload: n bytes, each enum sp_have's value (0 no, 1 mine, 2 members) */
    SP_MSG_HEAD_REPLY,   /* payload: set record ‖ checkpoint ‖ missing ids */
    SP_MSG_COMMIT_REPLY, /* payload: missing ids */
    SP_MSG_MISSING_REPLY, /* payload: missing ids */
    SP_MSG_HOST_REPLY,    /* payload: a host record */
    SP_MSG_CHECK_DONE,
    SP_MSG_RENEW_REPLY,  /* payload: certificate chain, PEM */
    SP_MSG_ENROLL_REPLY, /* payload: certificate chain ‖ authority ‖ repository.conf ‖ slots ‖
                            host record */
    /* Items of streamed replies: never the last of their tag; cost reply credit. */
    SP_MSG_BLOCK,     /* payload: u32le index × wanted, then a sealed block */
    /* payload: a set record or checkpoint; with SP_FEATURE_COMPLETIONS also a completion, directly before
     * its set */
    SP_MSG_LIST_ITEM,
    SP_MSG_SLOT,      /* payload: a key slot */
    SP_MSG_FINDING,   /* payload: ids lost by it */
    SP_MSG_TYPES      /* how many */
};

struct sp_features { /* lower-case words [a-z0-9-]; both sides' together are in force */
    size_t n;
    char name[SP_FEATURES_MAX][SP_FEATURE_MAX + 1];
};

struct sp_msg {
    enum sp_msg_type type;
    uint32_t tag; /* requests and replies: not 0; all else 0, but see ERROR and CANCEL */
    bool last;    /* of the tag; filled in by sp_msg_encode by the type */
    union {
        struct {
            uint32_t major, minor; /* filled in by the session */
            struct sp_features features;
            char program[SP_PROGRAM_MAX + 1];
            int64_t time_ns; /* the server's wall clock, to show only (R9) */
            uint8_t host[16];
            char host_name[SP_HOST_NAME_MAX + 1];
            bool has_group; /* false: the host is not bound to a key group yet */
            uint8_t group[16];
            bool writable;
            char reason[SP_REASON_MAX + 1]; /* when not writable */
            bool renew_only;                /* the certificate expired: only RENEW is served */
            uint32_t put_credit;            /* bytes */
        } server_hello;
        struct {
            uint32_t major, minor; /* filled in by the session */
            struct sp_features features;
            char program[SP_PROGRAM_MAX + 1];
            bool has_group;
            uint8_t group[16];
            uint32_t reply_credit; /* bytes */
        } client_hello;
        struct { /* GOODBYE and ERROR */
            enum sp_code code;
            enum sp_domain domain;
            char text[SP_TEXT_MAX + 1];
        } error;
        struct { /* PING, PONG */
            uint64_t nonce;
        } ping;
        struct {        /* PUT */
            bool nodes; /* which of the two counters of ACK it counts in: block kind 3 */
        } put;
        struct {
            uint32_t bytes;
        } credit;
        struct { /* ACK, FLUSHED: blocks of each kind, counted from the first put of the session */
            uint64_t data, nodes; /* so many are durable */
            uint32_t credit;      /* bytes granted again; filled in by the session */
        } ack;
        struct {
            bool nodes;
        } have;
        struct {
            char job[SP_JOB_MAX + 1];
        } head;
        struct {
            bool has_set, set_whole, has_checkpoint, checkpoint_whole;
            uint32_t set_len, checkpoint_len; /* parts of the payload; the rest are ids */
            bool more;                        /* more are missing than are named */
        } head_reply;
        struct {
            uint32_t type; /* 1 set, 2 checkpoint (enum sp_record_type) */
        } commit;
        struct {
            int64_t published_ns; /* of the server's clock; 0 when ids are missing */
            bool more;
        } commit_reply;
        struct {
            uint32_t copy;
        } get;
        struct {
            uint32_t wanted; /* indices at the start of the payload, 1 … SP_IDS_MAX */
        } block;
        struct {
            bool all_hosts, checkpoints;
        } list;
        struct {
            uint32_t type;        /* 1 set, 2 checkpoint, 3 completion */
            int64_t published_ns; /* of a completion: its set's */
            uint8_t host[16], set_id[16];
        } list_item;
        struct {
            uint8_t set_id[16];
        } missing;
        struct {
            bool more;
        } missing_reply;
        struct {
            bool has_group; /* false: all that the caller may see */
            uint8_t group[16];
        } slots;
        struct {
            uint8_t host[16];
        } host;
        struct {
            uint32_t depth, part, parts;
        } check;
        struct {
            uint32_t severity; /* 0 note, 1 fault */
            char object[SP_OBJECT_MAX + 1];
            uint8_t set_id[16];
            char text[SP_FINDING_MAX + 1];
        } finding;
        struct {
            uint64_t objects, packs, packs_read, bytes_read, sets, chunks, faults;
        } check_done;
        struct {
            uint8_t token_id[8];
            uint32_t secret_len;
            uint8_t secret[SP_TOKEN_SECRET_MAX];
            char host_name[SP_HOST_NAME_MAX + 1]; /* wanted; the token may bind another */
            uint8_t identity[32];                 /* the host's Ed25519 public key, for records */
            bool has_invitation;
            uint8_t invitation_id[16], invitation_proof[32];
        } enroll;
        struct {
            uint8_t host[16];
            char host_name[SP_HOST_NAME_MAX + 1]; /* as the server enrolled it */
            bool has_group;                       /* false: the client makes a new group */
            uint8_t group[16];
            /* parts of the payload; record: the host's record so far, when a machine takes it over */
            uint32_t chain_len, authority_len, conf_len, slot_len, record_len;
        } enroll_reply;
        struct {
            uint32_t record_len; /* parts of the payload */
            uint32_t nslots, slot_len[SP_ENROLL_SLOTS_MAX];
        } enroll_end;
    };
};

/* What kind of thing a type is. */
enum sp_msg_kind {
    SP_KIND_NONE,
    SP_KIND_HELLO,
    SP_KIND_CONTROL, /* GOODBYE PING PONG PUT CREDIT CANCEL ACK: no request, no reply */
    SP_KIND_REQUEST,
    SP_KIND_REPLY, /* the last of its tag */
    SP_KIND_ITEM   /* of a streamed reply */
};
struct sp_msg_info {
    const char *name; /* "Have", as in docs/protocol.md */
    enum sp_msg_kind kind;
    bool from_client, from_server;
    bool when_enrolling, when_normal;  /* which of the two services knows it */
    uint32_t payload_min, payload_max; /* bytes of all frames together */
    uint32_t payload_unit;             /* the payload is a multiple of this */
};
const struct sp_msg_info *sp_msg_info(enum sp_msg_type type);
/* `reply` (REPLY or ITEM) may answer `request`. */
bool sp_msg_answers(enum sp_msg_type request, enum sp_msg_type reply);
/* Tag and fields are within their bounds, strings included. Asked by encode and decode. */
bool sp_msg_valid(const struct sp_msg *m);
/* The message and a payload of so many bytes belong together: limits and unit of the type, and the
 * lengths that the message names. SP_PROTOCOL otherwise. Needs no payload: asked before there is
 * one. */
enum sp_code sp_msg_check_payload(const struct sp_msg *m, size_t payload_len, struct sp_err *e);

/* Appends the header of the frame that carries the payload's bytes from `offset` of `total`; every
 * frame but the first is a continuation that only repeats the tag. Used by frame.c. */
enum sp_code sp_msg_encode(
    const struct sp_msg *m, size_t total, size_t offset, struct sp_buf *ret, struct sp_err *e);
/* SP_PROTOCOL when it is no such message. *ret_total is the length of the whole payload, or 0 when
 * this frame carries all of it; *ret_part: a continuation (then only m->tag counts). */
enum sp_code sp_msg_decode(const void *header, size_t n, struct sp_msg *ret, uint32_t *ret_total,
    bool *ret_part, struct sp_err *e);

bool sp_features_have(const struct sp_features *f, const char *name);
/* SP_INVALID: too many, too long, not a word. Twice the same is harmless. */
enum sp_code sp_features_add(struct sp_features *f, const char *name, struct sp_err *e);

/* Fills an ERROR or GOODBYE from an error and the other way round ("server: " is not put before
 * it). The error's platform number is not carried. */
void sp_msg_set_error(struct sp_msg *m, enum sp_msg_type type, const struct sp_err *from);
enum sp_code sp_msg_get_error(const struct sp_msg *m, struct sp_err *ret);

#endif
