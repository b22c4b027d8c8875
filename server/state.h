#ifndef SP_SERVER_STATE_H
#define SP_SERVER_STATE_H

/* What the server remembers: state.db in its folder, on local disk (SQLite, write-ahead log).
 * Hosts, certificates, enrolment tokens, invitations, sessions, runs, events, and a heartbeat. All
 * about sets is in the repository; losing this file loses who the hosts are.
 *
 * `run` and the administrator's commands are processes of their own on one database: a call waits
 * up to five seconds for another's transaction. Any thread; calls of one process follow each other.
 * They block and belong on worker threads. Times are wall-clock nanoseconds of the server; 0 is
 * "never".
 *
 *   state.c         the database, its schema, statements (state_sql.h); the only file with SQLite
 *   state_hosts.c   hosts and certificates
 *   state_tokens.c  tokens and invitations
 *   state_log.c     sessions, runs, events, heartbeat
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "proto/cert.h"

#define SP_STATE_NAME 64    /* bytes of a host's name with its NUL */
#define SP_STATE_ADDRESS 64 /* bytes of a peer's address with its NUL */

struct sp_state;

/* create: makes it when it is not there; otherwise SP_ABSENT. SP_UNSUPPORTED: of a newer version.
 */
enum sp_code sp_state_open(const char *path, bool create, struct sp_state **ret, struct sp_err *e);
void sp_state_close(struct sp_state *s); /* NULL is harmless */
/* A number that changes when another process has changed something. */
enum sp_code sp_state_version(struct sp_state *s, int64_t *ret, struct sp_err *e);

/* One server for one state: held while `run` lives, gone with the process. SP_BUSY: another has it.
 */
struct sp_state_lock;
enum sp_code sp_state_lock(const char *path, struct sp_state_lock **ret, struct sp_err *e);
void sp_state_unlock(struct sp_state_lock *l); /* NULL is harmless */

/* --- hosts and certificates ----------------------------------------------------------------------
 */

/* [A-Za-z0-9] and then up to 62 of [A-Za-z0-9._-]. SP_INVALID with a sentence otherwise. */
enum sp_code sp_state_check_name(const char *name, struct sp_err *e);

struct sp_state_host {
    uint8_t id[16], group[16], identity[32];
    char name[SP_STATE_NAME];
    int64_t enrolled_ns, seen_ns, revoked_ns;
    int64_t certificate_to_ns; /* of the newest certificate */
    uint64_t bytes;            /* stored by it since it was enrolled */
    int64_t run_ns;            /* its newest committed set */
};
typedef enum sp_code (*sp_state_host_fn)(
    void *arg, const struct sp_state_host *h, struct sp_err *e);
/* By name. */
enum sp_code sp_state_hosts(struct sp_state *s, sp_state_host_fn each, void *arg, struct sp_err *e);
enum sp_code sp_state_host(
    struct sp_state *s, const uint8_t id[16], struct sp_state_host *ret, struct sp_err *e);
enum sp_code sp_state_host_named(
    struct sp_state *s, const char *name, struct sp_state_host *ret, struct sp_err *e);
/* SP_AUTH with the sentence for the user when the host is not known or was revoked. */
enum sp_code sp_state_host_active(struct sp_state *s, const uint8_t id[16], struct sp_err *e);
/* The host, its certificates and its unused tokens are worth nothing from now on; a name that only
 * has a token loses it. SP_ABSENT; SP_EXISTS: it was revoked before. */
enum sp_code
sp_state_revoke(struct sp_state *s, const char *name, int64_t now_ns, struct sp_err *e);
/* seen_ns 0: leaves it. */
enum sp_code sp_state_host_used(struct sp_state *s, const uint8_t id[16], uint64_t more_bytes,
    int64_t seen_ns, struct sp_err *e);

/* An enrolment that succeeded: uses up token and invitation, makes or takes over the host, adds the
 * certificate; all of it or nothing. SP_AUTH: one of the two was used meanwhile; SP_EXISTS: there
 * is a host of that name. */
struct sp_state_enrolment {
    uint8_t token[8];
    bool replaces; /* the host is there: its old certificates are revoked, a revocation is lifted */
    uint8_t host[16], group[16], identity[32];
    const char *name;
    struct sp_cert_info certificate;
    bool has_invitation;
    uint8_t invitation[16];
};
enum sp_code sp_state_enrol(
    struct sp_state *s, const struct sp_state_enrolment *n, int64_t now_ns, struct sp_err *e);

/* A renewed certificate. Of one host the newest 16 are remembered; older ones are unknown. */
enum sp_code sp_state_certificate_add(struct sp_state *s, const uint8_t host[16],
    const struct sp_cert_info *c, int64_t now_ns, struct sp_err *e);
struct sp_state_certificate { /* who may connect with what */
    uint8_t fingerprint[32], host[16], group[16];
    char name[SP_STATE_NAME];
    bool revoked; /* it, or its host */
};
typedef enum sp_code (*sp_state_certificate_fn)(
    void *arg, const struct sp_state_certificate *c, struct sp_err *e);
/* All, in the order of fingerprints. */
enum sp_code sp_state_certificates(
    struct sp_state *s, sp_state_certificate_fn each, void *arg, struct sp_err *e);

/* --- tokens and invitations ----------------------------------------------------------------------
 */

#define SP_STATE_TOKEN_TRIES 10 /* wrong secrets, after which a token is void */

struct sp_state_token {
    uint8_t id[8], secret_hash[32];
    char name[SP_STATE_NAME];
    bool replaces; /* for the host below */
    uint8_t host[16];
    int64_t created_ns, expires_ns, used_ns;
    unsigned failures;
    bool is_void; /* replaced by a newer one, or the host was revoked */
};
/* Voids the unused tokens of the same name. */
enum sp_code
sp_state_token_add(struct sp_state *s, const struct sp_state_token *t, struct sp_err *e);
enum sp_code sp_state_token(
    struct sp_state *s, const uint8_t id[8], struct sp_state_token *ret, struct sp_err *e);
/* A wrong secret was shown for it. */
enum sp_code sp_state_token_failed(struct sp_state *s, const uint8_t id[8], struct sp_err *e);
/* Those that can still be used at now_ns, by name. */
typedef enum sp_code (*sp_state_token_fn)(
    void *arg, const struct sp_state_token *t, struct sp_err *e);
enum sp_code sp_state_tokens(
    struct sp_state *s, int64_t now_ns, sp_state_token_fn each, void *arg, struct sp_err *e);

/* When the slot of an invitation was first seen here (R9: its own date is another's clock). What is
 * there already stays. *ret_ns is the time that counts. */
enum sp_code sp_state_invitation(struct sp_state *s, const uint8_t slot[16],
    const uint8_t group[16], int64_t now_ns, int64_t *ret_ns, struct sp_err *e);
enum sp_code
sp_state_invitation_remove(struct sp_state *s, const uint8_t slot[16], struct sp_err *e);
struct sp_state_invitation {
    uint8_t slot[16], group[16];
};
/* Those seen before `before_ns`; at most `cap`. */
enum sp_code sp_state_invitations_before(struct sp_state *s, int64_t before_ns,
    struct sp_state_invitation *to, size_t cap, size_t *ret_n, struct sp_err *e);

/* --- what happened -------------------------------------------------------------------------------
 */

enum sp_code sp_state_session_begin(struct sp_state *s, const uint8_t host[16], const char *address,
    const char *program, int64_t now_ns, int64_t *ret_id, struct sp_err *e);
enum sp_code sp_state_session_end(struct sp_state *s, int64_t id, const char *outcome,
    uint64_t bytes_in, uint64_t bytes_out, int64_t now_ns, struct sp_err *e);
/* At start: those that a server which died left open. */
enum sp_code sp_state_sessions_lost(struct sp_state *s, int64_t now_ns, struct sp_err *e);

struct sp_state_run { /* a committed set */
    uint8_t host[16], set_id[16];
    char host_name[SP_STATE_NAME]; /* filled in when read */
    char job[256];
    uint64_t sequence, files, bytes, bytes_new;
    int64_t started_ns, published_ns;
    bool complete;
};
enum sp_code sp_state_run_add(struct sp_state *s, const struct sp_state_run *r, struct sp_err *e);
typedef enum sp_code (*sp_state_run_fn)(void *arg, const struct sp_state_run *r, struct sp_err *e);
/* Newest first. */
enum sp_code sp_state_runs(
    struct sp_state *s, unsigned limit, sp_state_run_fn each, void *arg, struct sp_err *e);

/* kind: a short word ("enrolled", "refused"); host may be NULL. No secrets. */
enum sp_code sp_state_event(struct sp_state *s, const uint8_t *host, const char *kind,
    const char *text, int64_t now_ns, struct sp_err *e);
/* Sessions and events from before `before_ns`, tokens that expired before it. */
enum sp_code sp_state_trim(struct sp_state *s, int64_t before_ns, struct sp_err *e);

struct sp_state_beat { /* what `run` says of itself every few seconds */
    int64_t started_ns, beat_ns;
    char address[SP_STATE_ADDRESS]; /* it listens on */
    uint16_t port;
    unsigned sessions;
    uint64_t free_bytes, total_bytes; /* of the repository's file system; 0: not known */
    char trouble[256];                /* "" or what is wrong */
};
enum sp_code
sp_state_beat_write(struct sp_state *s, const struct sp_state_beat *b, struct sp_err *e);
/* SP_ABSENT: it never ran. */
enum sp_code sp_state_beat_read(struct sp_state *s, struct sp_state_beat *ret, struct sp_err *e);

#endif
