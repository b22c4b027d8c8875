#ifndef SP_STORAGE_SFTP_SESSION_IMPL_H
#define SP_STORAGE_SFTP_SESSION_IMPL_H

/* Shared by sftp_session.c (requests: waiting, sent, ended) and sftp_feed.c (packets) and
 * sftp_answer.c (what they say). A request waits in `waiting` until its packet is encoded, by take;
 * from then on it has a slot, and its id is the slot's number and how often the slot was used: an
 * answer that comes a second time meets an id that nobody has. */

#include "storage/sftp_packet.h"

enum {
    SESSION_SLOTS_LOG2 = 12, /* under way at once; the others wait */
    SESSION_SLOTS = 1 << SESSION_SLOTS_LOG2,
    SESSION_NONE = UINT16_MAX,
    SESSION_HEADERS = 32 << 10, /* encoded ahead */
    SESSION_PATH_MAX = 4096,
    SESSION_DATA_HEADER = 4 + 1 + 4 + 4, /* of DATA: length, type, id, length of the bytes */
    SESSION_LEAST = 32768                /* what every server takes and gives */
};
#define SESSION_IN_MAX (SP_SFTP_PACKET_MAX + 1024u)
#define SESSION_IO_MAX (255u << 10)

struct session_slot {
    struct sp_sftp_request *q; /* NULL: free, and `next` is the next free one */
    uint16_t prev, next;       /* under way, in the order of their submission */
    uint32_t used;
};

struct sp_sftp_session {
    enum { SESSION_HELLO, SESSION_LIMITS, SESSION_READY, SESSION_ENDED } state;
    struct sp_err why;
    bool offers[SP_SFTP_TYPES];
    size_t read_max, write_max, handles_max;
    uint32_t limits_id;

    struct sp_sftp_request *waiting, **waiting_end;
    size_t nwaiting;
    struct session_slot slots[SESSION_SLOTS];
    uint16_t first, last, free;
    size_t nslots;

    struct sp_buf out; /* whole packets but for a last WRITE's payload; fixed memory */
    size_t out_sent;
    size_t sent;                     /* bytes of the stream so far; wraps */
    struct sp_sftp_request *payload; /* the WRITE that `out` ends with */
    size_t payload_sent;
    bool lent;                        /* a view is out */
    struct sp_sftp_request *deferred; /* ended while its payload was in that view */

    struct sp_buf in;             /* a packet that is not whole yet */
    struct sp_sftp_request *data; /* a READ whose bytes are coming in */
    size_t data_left;
};

/* Takes a request off its slot and has it done. q->error is set, or it was a success. */
void sp_sftp_session_done(struct sp_sftp_session *s, struct sp_sftp_request *q);
/* NULL: nobody asked with this id, or not yet. */
struct sp_sftp_request *sp_sftp_session_find(struct sp_sftp_session *s, uint32_t id);
/* A whole packet other than DATA; c begins behind its type. */
enum sp_code
sp_sftp_session_answer(struct sp_sftp_session *s, uint8_t type, struct sp_cur *c, struct sp_err *e);
enum sp_code sp_sftp_broken(struct sp_err *e, const char *what);

#endif
