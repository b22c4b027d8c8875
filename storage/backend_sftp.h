#ifndef SP_STORAGE_BACKEND_SFTP_H
#define SP_STORAGE_BACKEND_SFTP_H

/* The backend of an SFTP account (design §10), over connections that it opens, keeps and opens
 * again.
 *
 *   backend_sftp.c         opening, the table of calls
 *   backend_sftp_pool.c    connections: two to begin with, up to `connections` under load;
 * reconnecting backend_sftp_write.c   tmp/, acknowledged, flushed, closed, named; folders on the
 * way backend_sftp_read.c    fetches, listings backend_sftp_probe.c   what the server can do, by
 * doing, while the run already reads
 *
 * Publishing: tmp/<kind><32 hex of the run>-<n>, OPEN with EXCL, every WRITE acknowledged, FSYNC
 * where offered, CLOSE, RENAME (plain: an existing name is an error). An answer to RENAME that was
 * lost with its connection is settled by looking: the temporary name gone and the object there with
 * the right size: it was us (temporary names are ours alone). SP_FULL: a plain failure while
 * statvfs has no room for what was written. Reconnecting: pauses of 0.5, 1, 2, 4 … 60 s with
 * jitter, for `patience_ms`; then SP_UNREACHABLE for good. A refused login is tried once again and
 * then final. Requests that were under way are sent again when that is harmless; REMOVE and MKDIR
 * are settled by looking.
 */

#include "storage/backend.h"
#include "storage/ssh.h"

struct sp_sftp_place { /* sftp://[user@]host[:port]/path; a path beginning with /~/ is relative to
                          the login's folder */
    char *user, *host, *path;
    uint16_t port; /* 0: none was given */
};
/* SP_INVALID names what is wrong. %XX is decoded; a password in it is refused (it would be seen by
 * others). user may be NULL: the caller's own name. */
enum sp_code sp_sftp_place_parse(const char *url, struct sp_sftp_place *ret, struct sp_err *e);
void sp_sftp_place_free(struct sp_sftp_place *p);
/* The canonical text: "sftp://user@host[:port]/path", malloc'd. */
enum sp_code sp_sftp_place_text(const struct sp_sftp_place *p, char **ret, struct sp_err *e);

struct sp_sftp_backend_options {
    /* One more connection; called from any thread, one at a time. */
    enum sp_code (*connect)(void *arg, struct sp_sftp_link **ret, struct sp_err *e);
    void *arg;
    void (*release)(void *arg); /* at free; may be NULL */
    const char *path;           /* on the server: absolute, or relative to where the login lands */
    const char *address;        /* for sentences: "user@host" */
    unsigned connections;       /* at most; 0: 4 */
    uint32_t patience_ms;       /* 0: 15 minutes */
    void (*notice)(void *arg, const char *sentence); /* reconnecting, and gaps; may be NULL */
    bool (*stop)(void *arg);                         /* true: SP_CANCELLED soon; may be NULL */
};
/* As sp_backend_dir_open. `o` is copied. */
enum sp_code sp_backend_sftp_open(const struct sp_env *env, const struct sp_sftp_backend_options *o,
    bool create, struct sp_backend **ret, struct sp_err *e);
/* What the probe found, for doctor and init, after waiting for it: one line each, "" when good. */
struct sp_sftp_gaps {
    bool no_flush, no_space, replaces, no_remove, read_only;
};
enum sp_code sp_backend_sftp_gaps(struct sp_backend *b, struct sp_sftp_gaps *ret, struct sp_err *e);

#endif
