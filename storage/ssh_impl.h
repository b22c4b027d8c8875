#ifndef SP_STORAGE_SSH_IMPL_H
#define SP_STORAGE_SSH_IMPL_H

/* Inside the SSH link (ssh.h):
 *
 * - ssh_socket.c: a loop of libuv and one TCP connection as two buffers of bytes
 * - ssh_libssh2.c, ssh_libssh2_login.c: the SSH session over those buffers, never waiting
 * - ssh_key.c: a key file: read, encrypted or not
 * - ssh_login.c: which methods, in which order, and the sentence when none did
 * - ssh_hostkeys.c: what known_hosts says; ssh_crypto.c: what that needs of OpenSSL
 * - ssh_open.c: TCP, key exchange, host key, login, channel: in the thread of the caller
 * - ssh_link.c: the pump, in a thread of its own
 *
 * The loop runs in one thread at a time: the opener's, then the pump's. Only sp_ssh_socket_kick may
 * be called from elsewhere. */

#include <sys/types.h>

#include "base/clock.h"
#include "storage/ssh.h"

/* --- ssh_socket.c -------------------------------------------------------------------------- */

struct sp_ssh_socket;

struct sp_ssh_patience { /* for what waits in the caller's thread */
    const struct sp_clock *clock;
    int64_t until_ns; /* monotonic */
    bool (*stop)(void *arg);
    void *arg;
};
/* SP_OK: wait on. SP_TIMEOUT without a sentence of its own, SP_CANCELLED. */
enum sp_code sp_ssh_patience(const struct sp_ssh_patience *p, struct sp_err *e);

/* All addresses of the host, one after the other, each with its part of the time. Sentences begin
 * with "cannot connect". */
enum sp_code sp_ssh_socket_connect(const char *host, uint16_t port, const struct sp_ssh_patience *p,
    struct sp_ssh_socket **ret, struct sp_err *e);
void sp_ssh_socket_free(struct sp_ssh_socket *s); /* never waits for the other side */
/* Sends what is waiting; then until bytes came or went, kick, or wait_ms. */
void sp_ssh_socket_turn(struct sp_ssh_socket *s, uint32_t wait_ms);
void sp_ssh_socket_kick(struct sp_ssh_socket *s);
/* Takes all n bytes, or none when the connection broke (-1): how much waits is the caller's to see.
 */
ssize_t sp_ssh_socket_send(struct sp_ssh_socket *s, const void *p, size_t n);
size_t sp_ssh_socket_waiting(const struct sp_ssh_socket *s);
/* Bytes; 0 after the end; -EAGAIN when there are none now; -1 when the connection broke. */
ssize_t sp_ssh_socket_recv(struct sp_ssh_socket *s, void *to, size_t n);
/* SP_OK, or what became of the connection; also when bytes are left to recv. */
enum sp_code sp_ssh_socket_state(const struct sp_ssh_socket *s, struct sp_err *e);
/* Counts what the kernel gave and took: whoever remembers it sees whether anything moved. */
uint64_t sp_ssh_socket_moved(const struct sp_ssh_socket *s);
uint64_t sp_ssh_socket_received(const struct sp_ssh_socket *s);
uintptr_t sp_ssh_socket_fd(const struct sp_ssh_socket *s);

/* --- ssh_libssh2.c ------------------------------------------------------------------------- */

/* Whatever says `int` gives one of these. Again: turn the socket, then call the same again. */
enum { SP_SSH_DONE = 0, SP_SSH_AGAIN = 1, SP_SSH_FAILED = -1 };

struct sp_ssh_wire;

/* `key_types`: host key algorithms in the order they are asked for; NULL: the usual order. */
enum sp_code sp_ssh_wire_new(struct sp_ssh_socket *socket, const char *key_types,
    const struct sp_ssh_options *o, struct sp_ssh_wire **ret, struct sp_err *e);
void sp_ssh_wire_free(struct sp_ssh_wire *w); /* says goodbye if that can be sent at once */

int sp_ssh_wire_handshake(struct sp_ssh_wire *w);
/* The server's key, a view. */
struct sp_span sp_ssh_wire_hostkey(struct sp_ssh_wire *w);
/* "publickey,password": what the server takes; DONE with NULL: nothing is needed, we are in. */
int sp_ssh_wire_methods(struct sp_ssh_wire *w, const char *user, const char **ret);
int sp_ssh_wire_password(struct sp_ssh_wire *w, const char *user, const char *password);
/* `key`: the file's bytes. */
int sp_ssh_wire_key(
    struct sp_ssh_wire *w, const char *user, const struct sp_buf *key, const char *passphrase);
/* Keys of the agent, one after the other: FAILED when there is no agent. next gives false at the
 * end; its name is a view. */
int sp_ssh_wire_agent(struct sp_ssh_wire *w);
bool sp_ssh_wire_agent_next(struct sp_ssh_wire *w, const char **ret_name);
int sp_ssh_wire_agent_login(struct sp_ssh_wire *w, const char *user);
/* Calls `answer` for each question, from within. */
struct sp_ssh_answers {
    /* false: none is to be had. */
    bool (*answer)(void *arg, const char *question, struct sp_buf *secret);
    void *arg;
};
int sp_ssh_wire_keyboard(struct sp_ssh_wire *w, const char *user, const struct sp_ssh_answers *a);
int sp_ssh_wire_channel(struct sp_ssh_wire *w);    /* opens it and asks for "sftp" */
void sp_ssh_wire_logged_in(struct sp_ssh_wire *w); /* secrets need no wiping from here on */

/* > 0 bytes, 0 the end, -EAGAIN, or SP_SSH_FAILED. */
ssize_t sp_ssh_wire_read(struct sp_ssh_wire *w, void *to, size_t n);
/* After -EAGAIN the same bytes must be offered again. */
ssize_t sp_ssh_wire_write(struct sp_ssh_wire *w, const void *p, size_t n);
int sp_ssh_wire_keepalive(struct sp_ssh_wire *w);

/* What the last FAILED was. */
enum sp_ssh_fault {
    SP_SSH_F_OTHER,
    SP_SSH_F_LOST,      /* the connection broke; see sp_ssh_socket_state */
    SP_SSH_F_COMMON,    /* no algorithm that both know */
    SP_SSH_F_REFUSED,   /* a login, a channel */
    SP_SSH_F_EXPIRED,   /* the password has to be changed */
    SP_SSH_F_KEYFILE,   /* cannot be read with this passphrase, or at all */
    SP_SSH_F_SIGNATURE, /* the server could not prove that the key is its own */
    SP_SSH_F_NOMEM
};
enum sp_ssh_fault sp_ssh_wire_fault(const struct sp_ssh_wire *w);
/* libssh2's words, and the server's farewell where it sent one. For sentences, printable. */
const char *sp_ssh_wire_words(struct sp_ssh_wire *w);
const char *sp_ssh_wire_farewell(const struct sp_ssh_wire *w); /* "" when there was none */
void sp_ssh_wire_facts(struct sp_ssh_wire *w, struct sp_ssh_facts *f);

/* --- ssh_key.c ----------------------------------------------------------------------------- */

/* A private key's file, at most 64 KiB. Wipe `ret`. */
enum sp_code sp_ssh_key_read(const char *path, struct sp_buf *ret, struct sp_err *e);
bool sp_ssh_key_encrypted(const struct sp_buf *key);
/* Appends what the digits stand for; false: they are none. */
bool sp_ssh_base64(const char *s, size_t n, struct sp_buf *ret);
/* Untrusted text for a sentence: printable, cut to what `to` holds. */
void sp_ssh_show(const void *text, size_t n, char *to, size_t cap);

/* --- ssh_hostkeys.c ------------------------------------------------------------------------ */

/* "SHA256:…" of a key's wire form. */
enum sp_code sp_ssh_fingerprint(const uint8_t *key, size_t n, char ret[64], struct sp_err *e);
/* The type's name, the first string of the wire form; false: it has none. */
bool sp_ssh_key_type(struct sp_span key, char ret[64]);
/* Fills known, known_file, known_line of `k` by the files. A file that cannot be read is a failure,
 * one that is absent is not. */
enum sp_code sp_ssh_hostkeys_look(
    const char *const *files, size_t n, struct sp_ssh_hostkey *k, struct sp_err *e);
/* The types of the keys that the files have for this host, each once, comma separated ("" for
 * none), so that the server is asked for the key that is known. */
enum sp_code sp_ssh_hostkeys_types(const char *const *files, size_t n, const char *host,
    uint16_t port, struct sp_buf *ret, struct sp_err *e);

/* --- ssh_crypto.c -------------------------------------------------------------------------- */

enum sp_code
sp_ssh_hmac_sha1(struct sp_span key, const char *text, size_t n, uint8_t ret[20], struct sp_err *e);

/* --- ssh_login.c --------------------------------------------------------------------------- */

struct sp_ssh_opening {
    const struct sp_ssh_options *o;
    struct sp_ssh_socket *socket;
    struct sp_ssh_wire *wire;
    struct sp_ssh_patience patience;
    struct sp_ssh_facts *facts;
    char at[320]; /* "user@host:port" */
};
/* One turn of the loop; fails when it is time to give up. `doing`: "the key exchange". */
enum sp_code sp_ssh_open_wait(struct sp_ssh_opening *p, const char *doing, struct sp_err *e);
/* The sentence for a FAILED of the wire. */
enum sp_code sp_ssh_open_fault(struct sp_ssh_opening *p, const char *doing, struct sp_err *e);
enum sp_code sp_ssh_login(struct sp_ssh_opening *p, struct sp_err *e);

/* --- ssh_link.c ---------------------------------------------------------------------------- */

/* Takes over socket and wire, also on failure. */
enum sp_code sp_ssh_link_new(const struct sp_env *env, const struct sp_ssh_options *o,
    const char *at, struct sp_ssh_socket *socket, struct sp_ssh_wire *wire,
    const struct sp_ssh_facts *facts, struct sp_sftp_link **ret, struct sp_err *e);

#endif
