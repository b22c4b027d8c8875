/* TLS 1.3 by OpenSSL over memory: see tls.h. */

#include "proto/tls.h"

#include <limits.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>

#include "base/text.h"
#include "proto/cert_impl.h"
#include "proto/limits.h"

#define ALPN_NORMAL "stillpoint/1"
#define ALPN_ENROLL "stillpoint-enroll/1"

struct sp_tls_context {
    atomic_int refs;
    SSL_CTX *ssl;
    bool server, enrolment;
    enum sp_service service;  /* client */
    uint8_t pin[32];          /* client */
    STACK_OF(X509) * trusted; /* server: the authority */
    sp_tls_admit_fn admit;
    void *admit_arg;
    const struct sp_clock *clock;
};

struct sp_tls {
    struct sp_tls_context *c;
    SSL *ssl;
    BIO *in, *out; /* owned by ssl */
    bool ready, ended;
    struct sp_tls_peer peer;
    struct sp_err refused; /* why the peer's certificate was not taken, in our words */
    struct sp_err failed;
};

static const char *
alpn_name(enum sp_service service)
{
    return service == SP_SERVICE_ENROLL ? ALPN_ENROLL : ALPN_NORMAL;
}

static enum sp_code
fail_ssl(struct sp_err *e, enum sp_code code, const char *what)
{
    unsigned long err = ERR_peek_last_error();
    const char *reason = err != 0 ? ERR_reason_error_string(err) : NULL;

    ERR_clear_error();
    return sp_fail(
        e, code, SP_DOM_CRYPTO, "%s%s%s", what, reason != NULL ? ": " : "", reason ? reason : "");
}

/* --- certificates of the peer -------------------------------------------------------------- */

static struct sp_tls *
tls_of(X509_STORE_CTX *store)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());

    return SSL_get_app_data(ssl);
}

static void
prepare(X509_STORE_CTX *store, const struct sp_tls_context *c, STACK_OF(X509) * trusted)
{
    X509_STORE_CTX_set0_trusted_stack(store, trusted);
    X509_STORE_CTX_set_flags(store, X509_V_FLAG_X509_STRICT);
    X509_STORE_CTX_set_time(store, 0, (time_t)(sp_clock_wall(c->clock) / SP_SECOND));
}

/* The alert that the peer gets follows from `error`. */
static int
refuse(X509_STORE_CTX *store, int error)
{
    X509_STORE_CTX_set_error(store, error);
    return 0;
}

static X509 *
find_pinned(STACK_OF(X509) * chain, const uint8_t pin[32])
{
    for (int i = 0; i < sk_X509_num(chain); i++) {
        uint8_t hash[32];
        unsigned int n = 0;

        if (X509_digest(sk_X509_value(chain, i), EVP_sha256(), hash, &n) == 1 && n == 32 &&
            sp_equal_const(hash, pin, 32))
            return sk_X509_value(chain, i);
    }
    return NULL;
}

/* A client looks at a server: the chain must end in the authority whose fingerprint we were given.
 */
static int
verify_server(X509_STORE_CTX *store, void *arg)
{
    struct sp_tls *t = tls_of(store);
    struct sp_err *e = &t->refused;
    X509 *pinned = find_pinned(X509_STORE_CTX_get0_untrusted(store), t->c->pin);
    STACK_OF(X509) *trusted = NULL;
    int error;

    (void)arg;
    if (pinned == NULL) {
        (void)sp_fail(e, SP_AUTH, SP_DOM_NET,
            "this is not the server that the host was enrolled with: its authority's fingerprint "
            "is "
            "another one. Either the address leads elsewhere or the server was set up anew; then "
            "enroll again");
        return refuse(store, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY);
    }
    if ((trusted = sk_X509_new_null()) == NULL || sk_X509_push(trusted, pinned) <= 0) {
        sk_X509_free(trusted);
        (void)sp_fail_nomem(e);
        return refuse(store, X509_V_ERR_OUT_OF_MEM);
    }
    prepare(store, t->c, trusted);
    if (X509_verify_cert(store) == 1) {
        sk_X509_free(trusted);
        return 1;
    }
    sk_X509_free(trusted);
    error = X509_STORE_CTX_get_error(store);
    if (error == X509_V_ERR_CERT_HAS_EXPIRED)
        (void)sp_fail(e, SP_AUTH, SP_DOM_NET,
            "the certificate of the server expired, or the clock of this machine is wrong");
    else if (error == X509_V_ERR_CERT_NOT_YET_VALID)
        (void)sp_fail(e, SP_AUTH, SP_DOM_NET,
            "the certificate of the server is not valid yet: is the clock of this machine right?");
    else
        (void)sp_fail(e, SP_AUTH, SP_DOM_NET, "the certificate of the server cannot be trusted: %s",
            X509_verify_cert_error_string(error));
    return refuse(store, error);
}

/* An expired host's certificate is judged by `admit` after all the rest was found right. */
static int
pass_expired(int ok, X509_STORE_CTX *store)
{
    struct sp_tls *t = tls_of(store);

    if (!ok && X509_STORE_CTX_get_error(store) == X509_V_ERR_CERT_HAS_EXPIRED &&
        X509_STORE_CTX_get_error_depth(store) == 0) {
        t->peer.expired = true;
        return 1;
    }
    return ok;
}

static int
admit(struct sp_tls *t, X509_STORE_CTX *store)
{
    struct sp_err *e = &t->refused;
    enum sp_code rc = SP_OK;

    if (t->c->admit != NULL)
        rc = t->c->admit(t->c->admit_arg, &t->peer, e);
    else if (t->peer.expired)
        rc = sp_fail(e, SP_AUTH, SP_DOM_NET, "it expired");
    if (rc == SP_OK) {
        X509_STORE_CTX_set_error(store, X509_V_OK);
        return 1;
    }
    sp_err_context(e, "the certificate of host %s was refused", t->peer.cert.name);
    if (rc == SP_ABSENT)
        return refuse(store, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY);
    if (rc != SP_AUTH)
        return refuse(store, X509_V_ERR_UNSPECIFIED);
    return refuse(store, t->peer.expired ? X509_V_ERR_CERT_HAS_EXPIRED : X509_V_ERR_CERT_REVOKED);
}

/* A server looks at a host. */
static int
verify_host(X509_STORE_CTX *store, void *arg)
{
    struct sp_tls *t = tls_of(store);
    X509 *leaf = X509_STORE_CTX_get0_cert(store);

    (void)arg;
    prepare(store, t->c, t->c->trusted);
    X509_STORE_CTX_set_verify_cb(store, pass_expired);
    if (X509_verify_cert(store) != 1) {
        int error = X509_STORE_CTX_get_error(store);

        (void)sp_fail(&t->refused, SP_AUTH, SP_DOM_NET,
            "the certificate of a client was refused: %s", X509_verify_cert_error_string(error));
        return refuse(store, error);
    }
    if (sp_cert_describe(leaf, &t->peer.cert, &t->refused) != SP_OK)
        return refuse(store, X509_V_ERR_UNSPECIFIED);
    t->peer.has_certificate = true;
    return admit(t, store);
}

/* --- contexts ------------------------------------------------------------------------------ */

/* The service decides whether a client must show a certificate; a client that names none gets none.
 */
static int
select_alpn(SSL *ssl, const unsigned char **ret, unsigned char *ret_n, const unsigned char *in,
    unsigned int n, void *arg)
{
    const struct sp_tls_context *c = arg;

    for (int service = SP_SERVICE_NORMAL; service <= SP_SERVICE_ENROLL; service++) {
        const char *name = alpn_name((enum sp_service)service);

        if (service == SP_SERVICE_ENROLL && !c->enrolment)
            continue;
        for (unsigned int at = 0; at < n && in[at] < n - at; at += in[at] + 1u) {
            if (in[at] != strlen(name) || memcmp(in + at + 1, name, in[at]) != 0)
                continue;
            *ret = in + at + 1;
            *ret_n = in[at];
            if (service == SP_SERVICE_ENROLL)
                SSL_set_verify(ssl, SSL_VERIFY_NONE, NULL);
            return SSL_TLSEXT_ERR_OK;
        }
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

static enum sp_code
use_chain(SSL_CTX *ssl, const char *chain_pem, const char *key_pem, struct sp_err *e)
{
    STACK_OF(X509) *chain = NULL;
    EVP_PKEY *key = NULL;
    X509 *leaf = NULL;
    enum sp_code rc;

    if ((rc = sp_pem_chain(chain_pem, &chain, e)) != SP_OK ||
        (rc = sp_pem_key(key_pem, &key, e)) != SP_OK)
        goto out;
    leaf = sk_X509_shift(chain);
    if (SSL_CTX_use_certificate(ssl, leaf) != 1 || SSL_CTX_set1_chain(ssl, chain) != 1)
        rc = fail_ssl(e, SP_INVALID, "the certificate cannot be used");
    else if (SSL_CTX_use_PrivateKey(ssl, key) != 1 || SSL_CTX_check_private_key(ssl) != 1)
        rc = fail_ssl(e, SP_INVALID, "the certificate and its key do not belong together");
out:
    X509_free(leaf);
    sk_X509_pop_free(chain, X509_free);
    EVP_PKEY_free(key);
    return rc;
}

static enum sp_code
context_new(
    bool server, const struct sp_clock *clock, struct sp_tls_context **ret, struct sp_err *e)
{
    struct sp_tls_context *c = calloc(1, sizeof(*c));

    if (c == NULL)
        return sp_fail_nomem(e);
    atomic_init(&c->refs, 1);
    c->server = server;
    c->clock = clock;
    c->ssl = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
    if (c->ssl == NULL || SSL_CTX_set_min_proto_version(c->ssl, TLS1_3_VERSION) != 1 ||
        SSL_CTX_set_max_proto_version(c->ssl, TLS1_3_VERSION) != 1 ||
        SSL_CTX_set1_groups_list(c->ssl, "X25519:P-256") != 1 ||
        SSL_CTX_set_num_tickets(c->ssl, 0) != 1 || SSL_CTX_set_max_early_data(c->ssl, 0) != 1) {
        sp_tls_context_free(c);
        return fail_ssl(e, SP_INTERNAL, "TLS 1.3 cannot be set up");
    }
    SSL_CTX_set_options(c->ssl, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET);
    SSL_CTX_set_mode(c->ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                 SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN);
    SSL_CTX_set_session_cache_mode(c->ssl, SSL_SESS_CACHE_OFF);
    *ret = c;
    return SP_OK;
}

enum sp_code
sp_tls_server_new(const struct sp_tls_server *o, struct sp_tls_context **ret, struct sp_err *e)
{
    struct sp_tls_context *c = NULL;
    enum sp_code rc;

    if ((rc = context_new(true, o->clock, &c, e)) != SP_OK)
        return rc;
    if ((rc = use_chain(c->ssl, o->chain_pem, o->key_pem, e)) != SP_OK ||
        (rc = sp_pem_chain(o->authority_pem, &c->trusted, e)) != SP_OK)
        goto out;
    c->enrolment = o->enrolment;
    c->admit = o->admit;
    c->admit_arg = o->admit_arg;
    SSL_CTX_set_verify(c->ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    SSL_CTX_set_cert_verify_callback(c->ssl, verify_host, NULL);
    SSL_CTX_set_alpn_select_cb(c->ssl, select_alpn, c);
    *ret = c;
    c = NULL;
out:
    sp_tls_context_free(c);
    return rc;
}

enum sp_code
sp_tls_client_new(const struct sp_tls_client *o, struct sp_tls_context **ret, struct sp_err *e)
{
    struct sp_tls_context *c = NULL;
    const char *name = alpn_name(o->service);
    uint8_t wire[32];
    enum sp_code rc;

    if ((rc = context_new(false, o->clock, &c, e)) != SP_OK)
        return rc;
    c->service = o->service;
    memcpy(c->pin, o->authority, sizeof(c->pin));
    if (o->chain_pem != NULL && (rc = use_chain(c->ssl, o->chain_pem, o->key_pem, e)) != SP_OK)
        goto out;
    SSL_CTX_set_verify(c->ssl, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_cert_verify_callback(c->ssl, verify_server, NULL);
    wire[0] = (uint8_t)strlen(name);
    memcpy(wire + 1, name, strlen(name));
    if (SSL_CTX_set_alpn_protos(c->ssl, wire, wire[0] + 1u) != 0) {
        rc = fail_ssl(e, SP_INTERNAL, "TLS 1.3 cannot be set up");
        goto out;
    }
    *ret = c;
    c = NULL;
out:
    sp_tls_context_free(c);
    return rc;
}

void
sp_tls_context_free(struct sp_tls_context *c)
{
    if (c == NULL || atomic_fetch_sub(&c->refs, 1) != 1)
        return;
    SSL_CTX_free(c->ssl);
    sk_X509_pop_free(c->trusted, X509_free);
    free(c);
}

/* --- a connection -------------------------------------------------------------------------- */

enum sp_code
sp_tls_new(struct sp_tls_context *c, struct sp_tls **ret, struct sp_err *e)
{
    struct sp_tls *t = calloc(1, sizeof(*t));

    if (t == NULL)
        return sp_fail_nomem(e);
    t->ssl = SSL_new(c->ssl);
    t->in = BIO_new(BIO_s_mem());
    t->out = BIO_new(BIO_s_mem());
    if (t->ssl == NULL || t->in == NULL || t->out == NULL || SSL_set_app_data(t->ssl, t) != 1) {
        BIO_free(t->in);
        BIO_free(t->out);
        SSL_free(t->ssl);
        free(t);
        return fail_ssl(e, SP_NOMEM, "TLS 1.3 cannot be set up");
    }
    SSL_set_bio(t->ssl, t->in, t->out);
    if (c->server)
        SSL_set_accept_state(t->ssl);
    else
        SSL_set_connect_state(t->ssl);
    atomic_fetch_add(&c->refs, 1);
    t->c = c;
    *ret = t;
    return SP_OK;
}

void
sp_tls_free(struct sp_tls *t)
{
    if (t == NULL)
        return;
    SSL_free(t->ssl);
    sp_tls_context_free(t->c);
    free(t);
}

static enum sp_code
keep_failure(struct sp_tls *t, struct sp_err *e)
{
    t->failed = *e;
    return e->code;
}

/* What a peer's alert means to the user (RFC 8446 §6.2). */
static enum sp_code
fail_alert(const struct sp_tls *t, int alert, struct sp_err *e)
{
    if (alert == SSL_AD_NO_APPLICATION_PROTOCOL || alert == SSL_AD_PROTOCOL_VERSION)
        return sp_fail(e, SP_UNSUPPORTED, SP_DOM_NET,
            alert == SSL_AD_PROTOCOL_VERSION
                ? "%s does not speak TLS 1.3"
                : "%s does not offer this service (backup or enrolment)",
            t->c->server ? "the client" : "the server");
    if (t->c->server)
        switch (alert) {
        case SSL_AD_BAD_CERTIFICATE:
        case SSL_AD_UNSUPPORTED_CERTIFICATE:
        case SSL_AD_CERTIFICATE_REVOKED:
        case SSL_AD_CERTIFICATE_EXPIRED:
        case SSL_AD_CERTIFICATE_UNKNOWN:
        case SSL_AD_UNKNOWN_CA:
            return sp_fail(e, SP_AUTH, SP_DOM_NET, "the client does not trust this server (%s)",
                SSL_alert_desc_string_long(alert));
        default:
            return sp_fail(e, SP_PROTOCOL, SP_DOM_NET, "the client ended the connection (%s)",
                SSL_alert_desc_string_long(alert));
        }
    switch (alert) {
    case SSL_AD_CERTIFICATE_EXPIRED:
        return sp_fail(e, SP_AUTH, SP_DOM_NET,
            "the certificate of this host expired and the server does not renew it: enroll the "
            "host "
            "again with a token from \"stillpointd host replace\"");
    case SSL_AD_CERTIFICATE_REVOKED:
        return sp_fail(e, SP_AUTH, SP_DOM_NET,
            "the server revoked the certificate of this host: ask its administrator");
    case SSL_AD_UNKNOWN_CA:
        return sp_fail(e, SP_AUTH, SP_DOM_NET,
            "the server does not know the certificate of this host: the host was enrolled with "
            "another server, or removed from this one");
    case SSL_AD_CERTIFICATE_REQUIRED:
        return sp_fail(
            e, SP_AUTH, SP_DOM_NET, "the server wants a certificate: enroll this host first");
    case SSL_AD_BAD_CERTIFICATE:
    case SSL_AD_DECRYPT_ERROR: /* its signature is not the authority's, or ours not the key's */
    case SSL_AD_UNSUPPORTED_CERTIFICATE:
    case SSL_AD_CERTIFICATE_UNKNOWN:
    case SSL_AD_ACCESS_DENIED:
        return sp_fail(e, SP_AUTH, SP_DOM_NET,
            "the server refused the certificate of this host (%s)",
            SSL_alert_desc_string_long(alert));
    default:
        return sp_fail(e, SP_PROTOCOL, SP_DOM_NET, "the server ended the connection (%s)",
            SSL_alert_desc_string_long(alert));
    }
}

/* The first error in the queue says what happened; the others that it followed. */
static enum sp_code
fail_connection(struct sp_tls *t, struct sp_err *e)
{
    unsigned long err = ERR_peek_error();
    int reason = ERR_GET_REASON(err);

    if (t->refused.code != SP_OK) {
        *e = t->refused;
    } else if (ERR_GET_LIB(err) == ERR_LIB_SSL && reason >= SSL_AD_REASON_OFFSET) {
        (void)fail_alert(t, reason - SSL_AD_REASON_OFFSET, e);
    } else if (ERR_GET_LIB(err) == ERR_LIB_SSL &&
               reason == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE) {
        (void)sp_fail(e, SP_AUTH, SP_DOM_NET, "the client showed no certificate");
    } else if (ERR_GET_LIB(err) == ERR_LIB_SSL && reason == SSL_R_NO_APPLICATION_PROTOCOL) {
        (void)sp_fail(
            e, SP_UNSUPPORTED, SP_DOM_NET, "the client asked for a service that is not offered");
    } else {
        const char *text = ERR_reason_error_string(err);

        (void)sp_fail(e, SP_PROTOCOL, SP_DOM_NET, "%s does not speak TLS 1.3 as it should (%s)",
            t->c->server ? "the client" : "the server", text != NULL ? text : "no reason");
    }
    ERR_clear_error();
    return keep_failure(t, e);
}

enum sp_code
sp_tls_feed(struct sp_tls *t, const void *p, size_t n, struct sp_err *e)
{
    size_t written = 0;

    if (t->failed.code != SP_OK) {
        *e = t->failed;
        return e->code;
    }
    if (n > 0 && (BIO_write_ex(t->in, p, n, &written) != 1 || written != n)) {
        ERR_clear_error();
        (void)sp_fail_nomem(e);
        return keep_failure(t, e);
    }
    return SP_OK;
}

/* The handshake is over: is it the one that we wanted? */
static enum sp_code
check_handshake(struct sp_tls *t, struct sp_err *e)
{
    const unsigned char *name = NULL;
    unsigned int n = 0;
    enum sp_service service;

    SSL_get0_alpn_selected(t->ssl, &name, &n);
    for (service = SP_SERVICE_NORMAL; service <= SP_SERVICE_ENROLL; service++)
        if (n == strlen(alpn_name(service)) && memcmp(name, alpn_name(service), n) == 0)
            break;
    if (service > SP_SERVICE_ENROLL || (!t->c->server && service != t->c->service) ||
        SSL_version(t->ssl) != TLS1_3_VERSION) {
        (void)sp_fail(e, SP_UNSUPPORTED, SP_DOM_NET, "%s does not speak Stillpoint's protocol",
            t->c->server ? "the client" : "the server");
        return keep_failure(t, e);
    }
    t->peer.service = service;
    if (!t->c->server) {
        X509 *x = SSL_get0_peer_certificate(t->ssl);

        if (x == NULL || sp_cert_describe(x, &t->peer.cert, e) != SP_OK) {
            (void)sp_fail(e, SP_AUTH, SP_DOM_NET, "the server showed no certificate");
            return keep_failure(t, e);
        }
        t->peer.has_certificate = true;
    }
    t->ready = true;
    return SP_OK;
}

static enum sp_code
shake(struct sp_tls *t, struct sp_err *e)
{
    int done;

    ERR_clear_error();
    done = SSL_do_handshake(t->ssl);
    if (done == 1)
        return check_handshake(t, e);
    if (SSL_get_error(t->ssl, done) == SSL_ERROR_WANT_READ)
        return SP_OK;
    return fail_connection(t, e);
}

enum sp_code
sp_tls_read(struct sp_tls *t, void *to, size_t cap, size_t *ret_n, struct sp_err *e)
{
    size_t n = 0;
    enum sp_code rc;

    if (t->failed.code != SP_OK) {
        *e = t->failed;
        return e->code;
    }
    if (!t->ready && (rc = shake(t, e)) != SP_OK)
        return rc;
    if (!t->ready || t->ended || cap == 0) {
        *ret_n = 0;
        return SP_OK;
    }
    ERR_clear_error();
    if (SSL_read_ex(t->ssl, to, cap, &n) == 1) {
        *ret_n = n;
        return SP_OK;
    }
    switch (SSL_get_error(t->ssl, 0)) {
    case SSL_ERROR_ZERO_RETURN:
        t->ended = true;
        *ret_n = 0;
        return SP_OK;
    case SSL_ERROR_WANT_READ:
        *ret_n = 0;
        return SP_OK;
    default:
        return fail_connection(t, e);
    }
}

enum sp_code
sp_tls_write(struct sp_tls *t, const void *p, size_t n, size_t *ret_used, struct sp_err *e)
{
    const uint8_t *in = p;
    size_t used = 0;

    if (t->failed.code != SP_OK) {
        *e = t->failed;
        return e->code;
    }
    while (t->ready && used < n && sp_tls_waiting(t) < SP_CIPHERTEXT_HIGH) {
        size_t step = 0;

        ERR_clear_error();
        if (SSL_write_ex(t->ssl, in + used, n - used, &step) != 1) {
            /* A peer's half-sent key update: goes on when the rest of it was read. */
            if (SSL_get_error(t->ssl, 0) == SSL_ERROR_WANT_READ)
                break;
            return fail_connection(t, e);
        }
        used += step;
    }
    *ret_used = used;
    return SP_OK;
}

size_t
sp_tls_take(struct sp_tls *t, void *to, size_t cap)
{
    size_t n = 0;

    if (cap == 0 || BIO_ctrl_pending(t->out) == 0)
        return 0;
    if (BIO_read_ex(t->out, to, cap, &n) != 1)
        return 0;
    return n;
}

size_t
sp_tls_waiting(const struct sp_tls *t)
{
    return BIO_ctrl_pending(t->out);
}

void
sp_tls_end(struct sp_tls *t)
{
    if (!t->ready || t->failed.code != SP_OK)
        return;
    ERR_clear_error();
    (void)SSL_shutdown(t->ssl); /* 0: sent, the peer's was not awaited */
    ERR_clear_error();
}

bool
sp_tls_ready(const struct sp_tls *t)
{
    return t->ready;
}

bool
sp_tls_ended(const struct sp_tls *t)
{
    return t->ended;
}

const struct sp_tls_peer *
sp_tls_peer(const struct sp_tls *t)
{
    return t->ready ? &t->peer : NULL;
}
