/* Jobs, from the caller's side: starting and waiting. */

#include "storage/sftp_job.h"

#include <stdlib.h>
#include <string.h>

void
sp_sftp_job_free(struct sp_sftp_job *j)
{
    free(j->pieces);
    free(j->bytes);
    free(j->path);
    free(j);
}

static enum sp_code
start(struct sp_sftp_conn *c, const char *path, struct sp_sftp_job *j, size_t npieces,
    struct sp_sftp_job **ret, struct sp_err *e)
{
    if (npieces > JOB_READS)
        npieces = JOB_READS;
    if ((j->path = strdup(path)) == NULL ||
        (j->pieces = calloc(npieces + 1, sizeof(*j->pieces))) == NULL) {
        sp_sftp_job_free(j);
        return sp_fail_nomem(e);
    }
    j->c = c;
    j->npieces = npieces;
    sp_sftp_conn_lock(c);
    sp_sftp_job_begin(j);
    sp_sftp_conn_unlock(c);
    *ret = j;
    return SP_OK;
}

enum sp_code
sp_sftp_start_read(struct sp_sftp_conn *c, const char *path, uint64_t offset, void *to, size_t n,
    struct sp_sftp_job **ret, struct sp_err *e)
{
    struct sp_sftp_job *j = calloc(1, sizeof(*j));

    if (j == NULL)
        return sp_fail_nomem(e);
    j->to = to;
    j->offset = offset;
    j->n = n;
    return start(c, path, j, n / (32 << 10) + 1, ret, e);
}

enum sp_code
sp_sftp_start_read_all(struct sp_sftp_conn *c, const char *path, size_t limit,
    struct sp_sftp_job **ret, struct sp_err *e)
{
    struct sp_sftp_job *j = calloc(1, sizeof(*j));

    if (j == NULL)
        return sp_fail_nomem(e);
    j->whole = true;
    j->limit = limit < SIZE_MAX / 2 ? limit : SIZE_MAX / 2;
    j->n = j->limit < JOB_FIRST ? j->limit + 1 : JOB_FIRST;
    if ((j->to = j->bytes = malloc(j->n)) == NULL) {
        sp_sftp_job_free(j);
        return sp_fail_nomem(e);
    }
    return start(c, path, j, limit / (32 << 10) + 1, ret, e);
}

static enum sp_code
wait_over(struct sp_sftp_job *j, uint8_t **bytes, size_t *n, struct sp_err *e)
{
    struct sp_sftp_conn *c = j->c;
    enum sp_code rc;
    bool closing;

    sp_sftp_conn_lock(c);
    while (!j->over)
        sp_sftp_conn_wait(c);
    if ((rc = j->error.code) != SP_OK) {
        *e = j->error;
    } else if (bytes != NULL) {
        uint8_t *fit = realloc(j->bytes, j->n > 0 ? j->n : 1);

        *bytes = fit != NULL ? fit : j->bytes;
        *n = j->n;
        j->bytes = NULL;
    }
    j->waited = true;
    closing = j->closing; /* then close_done frees it */
    sp_sftp_conn_unlock(c);
    if (!closing)
        sp_sftp_job_free(j);
    return rc;
}

enum sp_code
sp_sftp_job_wait(struct sp_sftp_job *j, struct sp_err *e)
{
    return wait_over(j, NULL, NULL, e);
}

enum sp_code
sp_sftp_job_bytes(struct sp_sftp_job *j, uint8_t **ret, size_t *ret_n, struct sp_err *e)
{
    uint8_t *bytes = NULL;
    size_t n = 0;
    enum sp_code rc = wait_over(j, &bytes, &n, e);

    if (rc != SP_OK)
        return rc;
    *ret = bytes;
    *ret_n = n;
    return SP_OK;
}
