#ifndef SP_STORAGE_SFTP_STREAM_H
#define SP_STORAGE_SFTP_STREAM_H

/* Shared by sftp_stream.c (writing), sftp_stream_answers.c (the connection's thread) and
 * sftp_resume.c (going on over another connection).
 *
 * Bytes are cut into pieces of one size. A piece keeps its bytes until the server acknowledged all
 * of them; of what was acknowledged a check sum stays, 16 bytes a piece: AES-256-GMAC under a key
 * of the stream's own, the piece's number as nonce. It has to find what a server lost or kept in
 * part when it restarted; a keyed one of 128 bits does that for whatever bytes, at the speed of
 * memory (the processor's AES), which a hash like SHA-256 does not on machines without its
 * instructions. */

#include "storage/crypto.h"
#include "storage/sftp_ops.h"

struct stream_piece {
    struct sp_sftp_request q;
    struct sp_sftp_stream *w;
    struct stream_piece *next;
    uint8_t *bytes; /* behind it, of the stream's piece size */
    size_t n, done; /* done: acknowledged */
    size_t number;
    bool under_way;
};

struct stream_sum {
    uint8_t mac[SP_GMAC_SIZE];
    size_t n;
    bool acknowledged; /* not in order: a server may answer as it likes */
};

struct sp_sftp_stream {
    struct sp_sftp_conn *c;
    char *path;
    size_t window, size; /* of a piece */
    struct sp_gmac *gmac;

    struct stream_piece *filling;      /* the writer's */
    struct stream_piece *first, **end; /* not acknowledged, in order */
    struct stream_piece *spare;
    uint64_t unacknowledged;
    struct stream_sum *sums;
    size_t nsums, sums_cap;

    struct sp_sftp_request open, flush, last; /* last: CLOSE */
    size_t under_way, ending;                 /* ending: of flush and last */
    bool is_open;
    bool given_up; /* by its owner: goes when nothing is under way */
    bool told;     /* the failure was returned to the caller */
    bool over;     /* nothing can make it good: a flush or close that failed (R3), lost bytes */
    bool whole; /* its last piece has gone */
    bool finished;
    struct sp_err error;
};

/* All with the connection's lock held, or before anybody else knows the stream. */
void sp_sftp_stream_release(struct sp_sftp_stream *w); /* its memory */
void sp_sftp_stream_opened(struct sp_sftp_request *q);
void sp_sftp_stream_piece_done(struct sp_sftp_request *q);
void sp_sftp_stream_last_done(struct sp_sftp_request *q);
void
sp_sftp_stream_failed(struct sp_sftp_stream *w, const struct sp_err *why); /* the first counts */
void sp_sftp_stream_send_piece(struct sp_sftp_stream *w, struct stream_piece *p);
/* After each answer; ends a stream that was given up. */
void sp_sftp_stream_settle(struct sp_sftp_stream *w);
void sp_sftp_stream_send(struct sp_sftp_stream *w); /* what is not under way, in order */
enum sp_code sp_sftp_stream_error(struct sp_sftp_stream *w, struct sp_err *e);

#endif
