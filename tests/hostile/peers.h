#ifndef SP_TESTS_HOSTILE_PEERS_H
#define SP_TESTS_HOSTILE_PEERS_H

/* What a hostile peer works with: a socket from any loopback address, TLS that says what it is told
 * to (or none), frames with any bytes in them, and how the other side ended it. Beside it what the
 * assertions need: the memory in use, the lines that a program logged. */

#include "tests/unit/server/peer.h"

#include <openssl/ssl.h>

#include "base/buf.h"
#include "base/log.h"
#include "proto/frame.h"

/* --- a connection --------------------------------------------------------------------------------
 */

struct wire {
    int fd; /* -1: none */
    SSL_CTX *ctx;
    SSL *ssl;          /* NULL: no TLS */
    BIO *in, *out;     /* the SSL's */
    bool shaken;       /* the handshake is over */
    bool eof;          /* the other side closed */
    bool notified;     /* with a close_notify */
    int alert;         /* that came; -1: none */
    char error[200];   /* of TLS, on our side */
    struct sp_buf got; /* plaintext that came and was not looked at */
    struct sp_frame_decoder *decoder;
    struct sp_buf *tape; /* plaintext that came is written down here; may be NULL */
};

struct wire_tls {            /* what to say */
    const char *chain, *key; /* NULL: no certificate */
    const char *alpn;        /* "stillpoint/1"; NULL: none; more than one by ',' */
    int version;             /* 0: 1.3 */
};
#define WIRE_NORMAL "stillpoint/1"
#define WIRE_ENROLL "stillpoint-enroll/1"

/* 127.0.0.<from> as the own address, 0: 127.0.0.1. false: it was refused. */
bool wire_connect(struct wire *w, uint16_t port, unsigned from);
/* The handshake; false: it failed (alert, error). The server's certificate is not looked at: the
 * hostile one has nothing to lose. */
bool wire_shake(struct wire *w, const struct wire_tls *o, int ms);
void wire_start_tls(struct wire *w, const struct wire_tls *o); /* the ClientHello waits in `out` */
void wire_close(struct wire *w);                               /* harmless twice */

/* Through TLS when there is one. false: the other side takes no more, or is gone. */
bool wire_send(struct wire *w, const void *p, size_t n, int ms);
/* Into the socket as they are. */
bool wire_send_raw(struct wire *w, const void *p, size_t n, int ms);
/* What TLS has to send, `n` bytes of it at most (0: all). */
bool wire_flush(struct wire *w, size_t n, int ms);
/* Waits until something came, or the end. false: nothing did. */
bool wire_fill(struct wire *w, int ms);
/* The next whole frame. false: none within the time, or the end. The caller clears it. */
bool wire_frame(struct wire *w, struct sp_frame *ret, int ms);

/* --- frames --------------------------------------------------------------------------------------
 */

/* A frame as an honest side would make it. */
void frame_put(struct sp_buf *b, const struct sp_msg *m, const void *payload, size_t n);
/* A frame with any header, which claims a payload of `claimed` bytes. */
void frame_raw(struct sp_buf *b, const void *header, size_t n, uint32_t claimed);
/* Protocol Buffers: fields of a header. */
void pb_varint(struct sp_buf *b, unsigned field, uint64_t v);
void pb_bytes(struct sp_buf *b, unsigned field, const void *p, size_t n);

/* TCP, TLS as the member (NULL: to enrol), the server's hello taken, ours said. */
void wire_open(struct wire *w, const struct running *r, const struct member *m, unsigned from);
bool wire_try_open(struct wire *w, const struct running *r, const struct member *m, unsigned from);

/* --- how it ended --------------------------------------------------------------------------------
 */

struct ending {
    bool closed, goodbye;
    struct sp_msg bye;
    unsigned errors;       /* Error messages */
    struct sp_msg error;   /* the last */
    unsigned frames, last; /* all; the last ones of their tag */
    int64_t took_ms;
};
/* Reads until the other side closes. */
void wire_ending(struct wire *w, struct ending *ret, int ms);

/* --- around --------------------------------------------------------------------------------------
 */

size_t heap_now(void); /* bytes that are allocated in this process */
int64_t now_ms(void);
bool hostile_long(void); /* STILLPOINT_LONG */
/* SP_SEED, or a fixed one; printed by hostile_closing. */
uint64_t hostile_seed(void);
uint64_t hostile_random(uint64_t *state);
/* The one line at the end. */
void hostile_closing(const char *name, unsigned long cases, int64_t began_ms);

struct heard { /* lines of a log */
    struct sp_mutex lock;
    struct sp_buf text; /* a line each */
    unsigned lines, warnings;
};
void heard_init(struct heard *h);
void heard_free(struct heard *h);
void heard_line(void *arg, enum sp_log_level level, const char *line); /* a sp_log_fn */
unsigned heard_warnings(struct heard *h);
unsigned heard_with(struct heard *h, const char *part); /* lines that say it */

#endif
