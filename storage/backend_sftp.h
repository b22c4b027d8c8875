#ifndef SP_STORAGE_BACKEND_SFTP_H
#define SP_STORAGE_BACKEND_SFTP_H

/* The backend of an SFTP account (design §10), over connections that it opens, keeps and opens again.
 *
 *   backend_sftp.c          opening, the table of calls
 *   backend_sftp_pool.c     connections: one to begin with, up to `connections` under load
 *   backend_sftp_dial.c     connecting, and again after an outage
 *   backend_sftp_ask.c      asking again where that is harmless, several things at once
 *   backend_sftp_look.c     what is there: sizes, absence, room
 *   backend_sftp_read.c     fetches, listings
 *   backend_sftp_write.c    tmp/, acknowledged, flushed, closed
 *   backend_sftp_name.c     names: given, moved, taken
 *   backend_sftp_folders.c  folders on the way, and the barrier
 *   backend_sftp_clock.c    the server's clock, sweeping
 *   backend_sftp_probe.c    what the server can do, by doing, beside the first writing
 *
 * Publishing: tmp/<kind><32 hex of the run>-<n>, OPEN with EXCL, every WRITE acknowledged, FSYNC where
 * offered, CLOSE, RENAME (plain: an existing name is an error; where the probe saw that the server
 * replaces, it is looked first). An answer to RENAME that was lost with its connection is settled by
 * looking: the temporary name gone and the object there with the right size: it was us (temporary
 * names are ours alone). A stream whose connection died goes on over another one, after what had
 * been acknowledged was read back; but a file whose FSYNC was not answered is read back and written
 * once more, since that flush may have failed unheard (R3). SP_FULL: a plain failure while statvfs has
 * no room.
 *
 * Connections: one; another one, made in the background, when every one has something under way and
 * has carried 8 MiB: a short run never has more than the first. A server that refuses more is lived
 * with. Connecting again: at once, then after pauses of 0.5, 1, 2, 4 … 60 s, with jitter, for
 * `patience_ms`; then SP_UNREACHABLE for good. A login that is refused, or a server that breaks the
 * protocol, is tried once again and then final, and so is a folder that has become another one
 * (SP_REFUSED). An outage that the first try does not heal is told once, and its end. Requests that
 * were under way are sent again when that is harmless; REMOVE and MKDIR are settled by looking. The
 * first connection of all is tried three times within 1.2 s.
 *
 * Caps: at open what the handshake offers, and `writable` if the server lets repository.conf be opened
 * for writing; when it does not, sp_backend_may_write has the probe run and decide. Else the probe runs beside
 * the first writing, and caps are final when the first object has its name (`remove` a round later), or
 * sp_backend_sftp_gaps returned; a login that may change that file but make none hears SP_DENIED from its
 * first object. Who only reads leaves no trace. caps.flush_folder: OPEN of a folder and FSYNC of that
 * handle work, as on OpenSSH over Linux; without it sync proves nothing about names.
 *
 * Memory: 4 MiB and one piece for each open writer, `ahead` (8 MiB) for fetches, which is the caller's; of
 * a listing 4 MiB and 8 bytes a name; of each folder that was seen its name. */

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
    void (*release)(void *arg); /* at free, after a successful open; may be NULL */
    const char *path;           /* on the server: absolute, or relative to where the login lands */
    const char *address;        /* for sentences: "user@host" */
    unsigned connections;       /* at most; 0: 4 */
    uint32_t patience_ms;       /* 0: 15 minutes */
    /* Reconnecting, and gaps, from any thread; may be NULL. */
    void (*notice)(void *arg, const char *sentence);
    /* true: SP_CANCELLED soon. Asked from any thread, often: a look at a flag. May be NULL. */
    bool (*stop)(void *arg);
};
/* As sp_backend_dir_open. `o` is copied. */
enum sp_code sp_backend_sftp_open(const struct sp_env *env, const struct sp_sftp_backend_options *o,
    bool create, struct sp_backend **ret, struct sp_err *e);
/* What the probe found, for doctor and init, after waiting for it (and starting it). */
struct sp_sftp_gaps {
    bool no_flush, no_space, replaces, no_remove, read_only;
};
enum sp_code sp_backend_sftp_gaps(struct sp_backend *b, struct sp_sftp_gaps *ret, struct sp_err *e);

#endif
