#ifndef SP_STORAGE_SFTP_SESSION_H
#define SP_STORAGE_SFTP_SESSION_H

/* One SFTP session as a machine without I/O: requests go in, bytes come out; bytes go in, requests
 * are done. Any number of requests is under way at once, which libssh2's own SFTP calls do not
 * allow for anything but the reads and writes of one handle (one open, one stat, one folder at a
 * time: 768 index and pack folders would cost as many round trips). libssh2 carries the bytes
 * (storage/ssh.h).
 *
 * Follows draft-ietf-secsh-filexfer-02 (version 3) and of OpenSSH's PROTOCOL file:
 * fsync@openssh.com, statvfs@openssh.com, limits@openssh.com. Never posix-rename@openssh.com:
 * publishing must not replace.
 *
 * No locks inside: whoever owns it (storage/sftp_conn.h) calls with its own held. `done` is called
 * from within feed and end, with that lock held; it may submit further requests, and must not
 * block.
 *
 * What a hostile server can do is bounded (R18, R28): a packet has at most 256 KiB + 1 KiB and
 * never more than what was asked for; an answer to nothing, of another type than is due, longer
 * than its request, or one after the request's end, ends the session with SP_PROTOCOL; names in a
 * listing have at most 255 bytes and no '/' (a name that has one is passed over); texts of the
 * server are shown through sp_path_show, at most 200 bytes.
 */

#include "base/buf.h"
#include "storage/crypto.h" /* struct sp_span */
#include "base/err.h"

struct sp_sftp_session;

#define SP_SFTP_HANDLE_MAX 256u
#define SP_SFTP_PACKET_MAX (256u << 10)

enum sp_sftp_type {
    SP_SFTP_OPEN, /* path, flags → handle */
    SP_SFTP_CLOSE,
    SP_SFTP_READ,  /* handle, offset, n → to; got (0: end of file) */
    SP_SFTP_WRITE, /* handle, offset, n, from (alive until done) */
    SP_SFTP_FSTAT,
    SP_SFTP_LSTAT, /* path → attrs */
    SP_SFTP_STAT,
    SP_SFTP_OPENDIR,
    SP_SFTP_READDIR, /* handle → `name` is called for each; got: how many; 0: end */
    SP_SFTP_REMOVE,
    SP_SFTP_MKDIR,
    SP_SFTP_RMDIR,
    SP_SFTP_REALPATH, /* path → resolved */
    SP_SFTP_RENAME,   /* path, path2; version 3 says that an existing path2 is an error */
    SP_SFTP_STATVFS,  /* path → space */
    SP_SFTP_FSYNC,    /* handle */
    SP_SFTP_TYPES
};

enum {
    SP_SFTP_F_READ = 1,
    SP_SFTP_F_WRITE = 2,
    SP_SFTP_F_CREATE = 8,
    SP_SFTP_F_TRUNC = 16,
    SP_SFTP_F_EXCL = 32
};

struct sp_sftp_attrs {
    bool has_size, has_mode, has_times;
    uint64_t size;
    uint32_t mode;  /* POSIX, with the type's bits */
    uint32_t mtime; /* seconds since 1970, the server's clock */
};

struct sp_sftp_request { /* the submitter's memory, alive and unchanged until done */
    enum sp_sftp_type type;
    /* Bytes as they are, at most 4096. With a handle `path` is for the sentence of a failure only,
     * and may be NULL. */
    const char *path, *path2;
    uint8_t handle[SP_SFTP_HANDLE_MAX];
    size_t handle_len; /* filled by OPEN, OPENDIR */
    uint32_t flags, mode;
    uint64_t offset;
    void *to;
    const void *from;
    size_t n;
    /* Of READDIR; false: stop listing what this answer has. */
    bool (*name)(struct sp_sftp_request *q, const char *name, const struct sp_sftp_attrs *a);

    /* The answer. SP_OK, or: no such file SP_ABSENT; permission denied SP_DENIED; failure, bad
     * message, anything unknown SP_IO; unsupported SP_UNSUPPORTED; no connection, connection lost,
     * and whatever ended the session. */
    struct sp_err error;
    uint32_t status; /* SSH_FX_…, as the server sent it */
    size_t got;
    struct sp_sftp_attrs attrs;
    struct {
        uint64_t free_bytes, total_bytes;
    } space;
    char *resolved; /* malloc'd, the submitter's */
    void (*done)(struct sp_sftp_request *q);
    void *arg;

    struct sp_sftp_request *next; /* the session's, from here on */
    uint32_t id;
    size_t sent;
};

/* Begins with INIT; what is submitted before VERSION came waits. */
enum sp_code sp_sftp_session_new(struct sp_sftp_session **ret, struct sp_err *e);
void sp_sftp_session_free(struct sp_sftp_session *s); /* nothing may be under way: end first */

/* After the session has ended, done is called at once, with its end's error; so it is, with
 * SP_INVALID, where a path, a handle or n is over its limit. */
void sp_sftp_submit(struct sp_sftp_session *s, struct sp_sftp_request *q);

/* Received bytes. A failure is the end of the session: sp_sftp_session_end with it has been called,
 * and a view of sp_sftp_take is gone. */
enum sp_code sp_sftp_feed(struct sp_sftp_session *s, const void *p, size_t n, struct sp_err *e);
/* The next bytes to send, a view that stays until sp_sftp_sent; empty: nothing now. WRITE's payload
 * is given from where it lies, without a copy. */
struct sp_span sp_sftp_take(struct sp_sftp_session *s);
/* n of them (0: none) are on their way, and the view is given back; before the next feed, which
 * takes an answer to what was not sent for a lie. */
void sp_sftp_sent(struct sp_sftp_session *s, size_t n);
/* All requests are done with this error, in their order; later ones too. Only a WRITE whose payload
 * is in a view now is done when that is given back. The first end counts. */
void sp_sftp_session_end(struct sp_sftp_session *s, const struct sp_err *why);
/* Why it ended; NULL: it lives. */
const struct sp_err *sp_sftp_session_ended(const struct sp_sftp_session *s);

bool sp_sftp_ready(
    const struct sp_sftp_session *s); /* VERSION came, and limits@openssh.com where offered */
size_t sp_sftp_under_way(const struct sp_sftp_session *s);
bool sp_sftp_offers(const struct sp_sftp_session *s, enum sp_sftp_type type); /* FSYNC, STATVFS */
/* What one READ or WRITE may ask for: as limits@openssh.com says, within 32768 … 255 KiB; else
 * 32768. A server that gives less is read on from where it ended. */
size_t sp_sftp_read_max(const struct sp_sftp_session *s);
size_t sp_sftp_write_max(const struct sp_sftp_session *s);
/* How many files and folders may be open at once; 0: the server does not say. */
size_t sp_sftp_handles_max(const struct sp_sftp_session *s);

#endif
