#ifndef SP_PROTO_TLS_H
#define SP_PROTO_TLS_H

/* TLS 1.3 as a pump between two byte streams, without I/O (R26): ciphertext in and out on one side,
 * plaintext in and out on the other. TLS 1.3 only; X25519 and P-256; no renegotiation, compression,
 * early data, tickets. One authority certificate is all that either side trusts: the server has it,
 * the client knows its SHA-256 fingerprint (pinned at enrolment) and finds it in the chain the
 * server shows.
 *
 * Two services, chosen by ALPN: normal ("stillpoint/1"), both sides show a certificate; enrolment
 * ("stillpoint-enroll/1"), only the server does. A client learns that its own certificate was
 * refused only after its handshake succeeded (TLS 1.3): the first read says so, in words for the
 * user.
 *
 * A context is immutable once made and may be shared by threads; one sp_tls is used by one thread
 * at a time. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "proto/cert.h"
#include "proto/session.h"

struct sp_tls_context;
struct sp_tls;

struct sp_tls_peer {
    enum sp_service service;
    bool has_certificate;
    bool expired; /* let through by `admit`, for renewal alone */
    struct sp_cert_info cert;
};

/* Server, normal service: a client certificate of our authority, otherwise valid; `p->expired`
 * tells that its time is over. SP_OK lets it in. SP_AUTH refuses it as revoked (when expired: as
 * expired); SP_ABSENT as unknown. Called during the handshake, on its thread. */
typedef enum sp_code (*sp_tls_admit_fn)(void *arg, const struct sp_tls_peer *p, struct sp_err *e);

struct sp_tls_server {
    const char *chain_pem; /* server certificate, then the authority's */
    const char *key_pem;
    const char *authority_pem; /* whom host certificates must come from */
    bool enrolment;            /* the enrolment service is offered too */
    sp_tls_admit_fn admit;     /* NULL: all that are not expired */
    void *admit_arg;
    const struct sp_clock *clock;
};
enum sp_code
sp_tls_server_new(const struct sp_tls_server *o, struct sp_tls_context **ret, struct sp_err *e);

struct sp_tls_client {
    enum sp_service service;
    const char *chain_pem; /* own certificate and key; NULL when enrolling */
    const char *key_pem;
    uint8_t authority[32]; /* SHA-256 of the authority's certificate (DER) */
    const struct sp_clock *clock;
};
enum sp_code
sp_tls_client_new(const struct sp_tls_client *o, struct sp_tls_context **ret, struct sp_err *e);
void
sp_tls_context_free(struct sp_tls_context *c); /* NULL is harmless; waits for no one: refcounted */

enum sp_code sp_tls_new(struct sp_tls_context *c, struct sp_tls **ret, struct sp_err *e);
void sp_tls_free(struct sp_tls *t); /* NULL is harmless */

/* Gives in ciphertext from the network; all n bytes are kept until read. Feed at most 64 KiB, then
 * read until nothing comes: that bounds memory. */
enum sp_code sp_tls_feed(struct sp_tls *t, const void *p, size_t n, struct sp_err *e);
/* Goes on with the handshake, then gives plaintext: *ret_n = 0 when more ciphertext is needed or
 * the peer said that it ends (sp_tls_ended). A failure is final; what is to be sent (an alert)
 * still is. SP_AUTH: certificates, with a sentence for the user; SP_PROTOCOL: no TLS 1.3, or
 * broken. */
enum sp_code sp_tls_read(struct sp_tls *t, void *to, size_t cap, size_t *ret_n, struct sp_err *e);
/* Encrypts; *ret_used < n when enough ciphertext waits to be taken, or before the handshake is
 * over. */
enum sp_code
sp_tls_write(struct sp_tls *t, const void *p, size_t n, size_t *ret_used, struct sp_err *e);
/* Ciphertext for the network: up to cap bytes, 0 when there is none. */
size_t sp_tls_take(struct sp_tls *t, void *to, size_t cap);
size_t sp_tls_waiting(const struct sp_tls *t); /* bytes that sp_tls_take would give */
/* Says that we end (close_notify). */
void sp_tls_end(struct sp_tls *t);

bool sp_tls_ready(const struct sp_tls *t);                     /* handshake over, peer accepted */
bool sp_tls_ended(const struct sp_tls *t);                     /* the peer ended in order */
const struct sp_tls_peer *sp_tls_peer(const struct sp_tls *t); /* NULL until ready */

#endif
