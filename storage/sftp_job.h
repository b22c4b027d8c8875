#ifndef SP_STORAGE_SFTP_JOB_H
#define SP_STORAGE_SFTP_JOB_H

/* A read of several requests: shared by sftp_ops.c (the caller's side) and sftp_read.c (the
 * connection's thread). All of a job is under the connection's lock. */

#include "storage/sftp_ops.h"

enum {
    JOB_READS = 64,       /* under way for one job */
    JOB_FIRST = 255 << 10 /* of a file of unknown size, in the round that asks for its size; what
                             it does not fill is given back */
};

struct job_piece {
    struct sp_sftp_request q;
    struct sp_sftp_job *job;
};

struct sp_sftp_job {
    struct sp_sftp_conn *c;
    char *path;
    uint8_t *to;     /* the caller's, or `bytes` */
    uint64_t offset; /* in the file */
    size_t n;        /* bytes that are to come */
    size_t next;     /* of them, not yet asked for */
    bool whole, sized;
    size_t limit;
    uint8_t *bytes;

    struct sp_sftp_request open, stat, close;
    struct job_piece *pieces;
    size_t npieces, under_way;
    bool over, waited, closing;
    struct sp_err error;
};

void sp_sftp_job_free(struct sp_sftp_job *j);
/* Its first request; the lock is held. */
void sp_sftp_job_begin(struct sp_sftp_job *j);

#endif
