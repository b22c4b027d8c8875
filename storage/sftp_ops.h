#ifndef SP_STORAGE_SFTP_OPS_H
#define SP_STORAGE_SFTP_OPS_H

/* What takes several requests, each as one job in the connection's own thread: no caller wakes
 * between its rounds, and any number runs at once. A job's memory is the caller's until it is
 * `over`; wait with sp_sftp_job_wait. A job never retries: reconnecting is the backend's. */

#include "storage/backend.h"
#include "storage/sftp_conn.h"

struct sp_sftp_job; /* opaque, malloc'd by start */

/* Waits until the job is over; SP_OK or its failure. Frees the job. */
enum sp_code sp_sftp_job_wait(struct sp_sftp_job *j, struct sp_err *e);

/* A part of a file: OPEN, all READs at once, CLOSE (not waited for). Exactly n bytes, or SP_CORRUPT
 * "shorter than expected"; SP_ABSENT. Two rounds. */
enum sp_code sp_sftp_start_read(struct sp_sftp_conn *c, const char *path, uint64_t offset, void *to,
    size_t n, struct sp_sftp_job **ret, struct sp_err *e);
/* A whole file of at most `limit` bytes, of a size that is not known: OPEN, then FSTAT and the
 * first READ together. */
enum sp_code sp_sftp_start_read_all(struct sp_sftp_conn *c, const char *path, size_t limit,
    struct sp_sftp_job **ret, struct sp_err *e);
/* After sp_sftp_job_wait's SP_OK would have freed it: call this instead. */
enum sp_code
sp_sftp_job_bytes(struct sp_sftp_job *j, uint8_t **ret, size_t *ret_n, struct sp_err *e);

/* Every file below the folders, folders opened side by side (at most 64 under way, or a quarter of
 * the handles that the server says it has, up to 256), depth at most 6; links and whatever is no
 * file or folder are passed over. A folder that is not there lists nothing. `each` is called from
 * the waiting thread, not from the connection's: results are handed over in batches, and the
 * listing waits when more than 4 MiB of names are waiting. Names are relative to `root`. */
enum sp_code sp_sftp_list(struct sp_sftp_conn *c, const char *root, const char *const *folders,
    size_t n, sp_backend_list_fn each, void *arg, struct sp_err *e);

/* The same; *ret_there: one of two paths was there behind the last folder that was opened. That is
 * asked beside the listing and takes no round of its own. */
enum sp_code sp_sftp_list_there(struct sp_sftp_conn *c, const char *root,
    const char *const *folders, size_t n, const char *const paths[2], bool *ret_there,
    sp_backend_list_fn each, void *arg, struct sp_err *e);

/* A stream into one new file (OPEN with EXCL, whose answer nobody waits for before there is need).
 * write copies into pieces of sp_sftp_write_max and returns when at most `window` bytes are not
 * acknowledged. A failure shows at the next call; a write that reports one has taken its bytes all
 * the same, so that after a resume the ones behind them go on. Until then nothing more is taken. */
struct sp_sftp_stream;
enum sp_code sp_sftp_stream_new(struct sp_sftp_conn *c, const char *path, size_t window,
    struct sp_sftp_stream **ret, struct sp_err *e);
enum sp_code
sp_sftp_stream_write(struct sp_sftp_stream *w, const void *p, size_t n, struct sp_err *e);
/* Waits for every acknowledgement; then FSYNC where offered (*ret_flushed), then CLOSE, each answer
 * checked (R3). */
enum sp_code sp_sftp_stream_finish(struct sp_sftp_stream *w, bool *ret_flushed, struct sp_err *e);
/* Of a finished one: what was written, piece by piece. The bytes of a piece, 0 behind the last; and
 * whether these are they: SP_CORRUPT. */
size_t sp_sftp_stream_part(const struct sp_sftp_stream *w, size_t number);
enum sp_code sp_sftp_stream_check(
    const struct sp_sftp_stream *w, size_t number, const void *p, struct sp_err *e);
/* Frees; closes what is open. The file stays. */
void sp_sftp_stream_free(struct sp_sftp_stream *w);
/* After the connection died (but is not freed): goes on over another one, to which it belongs from
 * here on, also when that fails; then with a further one, unless it is SP_CORRUPT or a flush or
 * close failed. OPENs the same file again without truncating it, reads back what was acknowledged
 * and holds it against the check sums kept (a server that restarted may have lost it: SP_CORRUPT),
 * and sends again what was not acknowledged. */
enum sp_code
sp_sftp_stream_resume(struct sp_sftp_stream *w, struct sp_sftp_conn *c, struct sp_err *e);

#endif
