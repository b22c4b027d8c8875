#ifndef SP_STORAGE_SFTP_CONN_H
#define SP_STORAGE_SFTP_CONN_H

/* One connection: a session (sftp_session.h), its lock, and the link that carries its bytes. Any
 * thread submits; the link's own thread pumps. A link is libssh2 over a socket (ssh.h), or a fake
 * server of the tests. */

#include "base/os.h"
#include "base/thread.h"
#include "storage/sftp_session.h"

struct sp_sftp_conn;
struct sp_sftp_link;

struct sp_sftp_link_ops {
    /* Starts pumping from a thread of its own: sp_sftp_conn_{feed,take,sent,lost}. Called once. */
    enum sp_code (*start)(struct sp_sftp_link *l, struct sp_sftp_conn *c, struct sp_err *e);
    /* There is something to send, or the session was ended from outside (sp_sftp_conn_state: then
     * the link calls lost and closes, without waiting for its peer); from any thread, with the
     * connection's lock held, never blocks. */
    void (*kick)(struct sp_sftp_link *l);
    /* Ends the pump (its thread is joined) and frees the link; also before start. */
    void (*free)(struct sp_sftp_link *l);
};
struct sp_sftp_link {
    const struct sp_sftp_link_ops *ops;
};

/* Takes over `l`, also on failure. The session is not ready yet. */
enum sp_code sp_sftp_conn_begin(
    struct sp_sftp_link *l, struct sp_sftp_conn **ret, struct sp_err *e);
/* Waits until it is, at most timeout_ms (SP_TIMEOUT), or until it has ended. */
enum sp_code sp_sftp_conn_ready(struct sp_sftp_conn *c, uint32_t timeout_ms, struct sp_err *e);
/* Both. Takes over `l`, also on failure. Waits until the session is ready, at most timeout_ms
 * (SP_TIMEOUT). */
enum sp_code sp_sftp_conn_new(
    struct sp_sftp_link *l, uint32_t timeout_ms, struct sp_sftp_conn **ret, struct sp_err *e);
/* Whatever is under way ends with SP_CANCELLED. */
void sp_sftp_conn_free(struct sp_sftp_conn *c);

void sp_sftp_conn_lock(struct sp_sftp_conn *c);
void sp_sftp_conn_unlock(struct sp_sftp_conn *c);
struct sp_sftp_session *sp_sftp_conn_session(struct sp_sftp_conn *c); /* the lock is held */
/* The lock is held; wakes the link. */
void sp_sftp_conn_submit(struct sp_sftp_conn *c, struct sp_sftp_request *q);
/* Waits, with the lock held, until somebody's done called sp_sftp_conn_wake. Use in a loop on the
 * caller's own flag. */
void sp_sftp_conn_wait(struct sp_sftp_conn *c);
void sp_sftp_conn_wake(struct sp_sftp_conn *c);
/* Submits, waits, gives q->error's code; without the lock. */
enum sp_code sp_sftp_conn_call(struct sp_sftp_conn *c, struct sp_sftp_request *q, struct sp_err *e);
/* Ends the session from outside: everything under way is done with `why`. */
void sp_sftp_conn_end(struct sp_sftp_conn *c, const struct sp_err *why);
/* SP_OK while the session lives, else why it ended. */
enum sp_code sp_sftp_conn_state(struct sp_sftp_conn *c, struct sp_err *e);

/* --- for links; each takes the lock
 * ---------------------------------------------------------------- */

/* SP_OK, or the session is over and the link may close. */
enum sp_code sp_sftp_conn_feed(struct sp_sftp_conn *c, const void *p, size_t n);
/* As sp_sftp_take; the view stays until sent, lost, or a feed that fails, also without the lock. */
struct sp_span sp_sftp_conn_take(struct sp_sftp_conn *c);
void sp_sftp_conn_sent(struct sp_sftp_conn *c, size_t n);
void sp_sftp_conn_lost(struct sp_sftp_conn *c, const struct sp_err *why);
/* Whether an answer is being waited for: silence then is a stall. */
bool sp_sftp_conn_busy(struct sp_sftp_conn *c);

#endif
