/* The certificate: used, and renewed from two thirds of its life on. See remote_impl.h.
 *
 * It is renewed while the store is opened: over the connection that is there, with a new key, and
 * used from the next connection on. A certificate that expired is let in by a server that knows it,
 * for renewal alone: then the connection is made again at once with the new one. */

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "client/remote_impl.h"
#include "proto/cert.h"
#include "proto/tls.h"

enum sp_code
sp_remote_tls(struct remote *r, const char *key, const char *chain, struct sp_tls_context **ret,
    struct sp_err *e)
{
    struct sp_tls_client o = {
        .service = SP_SERVICE_NORMAL,
        .chain_pem = chain,
        .key_pem = key,
        .clock = r->env->clock,
    };

    memcpy(o.authority, r->o.authority_fingerprint, sizeof(o.authority));
    return sp_tls_client_new(&o, ret, e);
}

enum sp_code
sp_remote_pem(const uint8_t *p, size_t n, char **ret, struct sp_err *e)
{
    char *text;

    if (n == 0 || memchr(p, '\0', n) != NULL)
        return sp_fail(e, SP_PROTOCOL, SP_DOM_NET, "the server sent a certificate that is none");
    if ((text = malloc(n + 1)) == NULL)
        return sp_fail_nomem(e);
    memcpy(text, p, n);
    text[n] = '\0';
    *ret = text;
    return SP_OK;
}

/* What came is a certificate for our key, for the same host, by the same authority. */
static enum sp_code
check_chain(struct remote *r, const char *chain, const char *key, struct sp_err *e)
{
    struct sp_cert_info was, is, authority;
    char *last = NULL;
    enum sp_code rc;

    if ((rc = sp_cert_matches(chain, key, e)) != SP_OK ||
        (rc = sp_cert_info(r->tls_chain, &was, e)) != SP_OK ||
        (rc = sp_cert_info(chain, &is, e)) != SP_OK ||
        (rc = sp_cert_last(chain, &last, e)) != SP_OK)
        goto out;
    if ((rc = sp_cert_info(last, &authority, e)) != SP_OK)
        goto out;
    if (strcmp(was.name, is.name) != 0 ||
        memcmp(authority.fingerprint, r->o.authority_fingerprint, 32) != 0)
        rc = sp_fail(e, SP_PROTOCOL, SP_DOM_NET,
            "the server sent a certificate of another host or authority");
out:
    sp_pem_free(last);
    return rc;
}

static enum sp_code
ask(struct remote *r, const char *key, char **ret_chain, struct sp_err *e)
{
    struct call c;
    char *csr = NULL;
    enum sp_code rc;

    if ((rc = sp_cert_request(key, &csr, e)) != SP_OK)
        return rc;
    sp_call_init(&c, SP_MSG_RENEW);
    c.body = (const uint8_t *)csr;
    c.body_len = strlen(csr);
    if ((rc = sp_call_run(r, &c, e)) == SP_OK)
        rc = sp_remote_pem(c.answer.payload, c.answer.payload_len, ret_chain, e);
    sp_call_end(r, &c);
    sp_pem_free(csr);
    return rc;
}

static enum sp_code
renew(struct remote *r, struct sp_err *e)
{
    struct sp_tls_context *tls = NULL, *old;
    char *key = NULL, *chain = NULL;
    enum sp_code rc;

    if ((rc = sp_cert_key(&key, e)) != SP_OK || (rc = ask(r, key, &chain, e)) != SP_OK ||
        (rc = check_chain(r, chain, key, e)) != SP_OK ||
        (rc = sp_remote_tls(r, key, chain, &tls, e)) != SP_OK)
        goto out;
    if (r->o.renewed != NULL)
        r->o.renewed(r->o.arg, key, chain);
    sp_mutex_lock(&r->lock);
    old = r->tls;
    r->tls = tls;
    sp_mutex_unlock(&r->lock);
    sp_tls_context_free(old);
    sp_pem_free(r->tls_key);
    sp_pem_free(r->tls_chain);
    r->tls_key = key;
    r->tls_chain = chain;
    key = chain = NULL;
out:
    sp_pem_free(key);
    sp_pem_free(chain);
    return rc;
}

/* With the new certificate. */
static enum sp_code
connect_again(struct remote *r, struct sp_err *e)
{
    enum sp_code rc;

    sp_mutex_lock(&r->lock);
    r->opened = false;
    r->restart = true;
    sp_remote_wake(r);
    while (r->failed.code == SP_OK && !r->opened)
        sp_cond_wait(&r->changed, &r->lock);
    if ((rc = r->failed.code) != SP_OK)
        *e = r->failed;
    else if (r->hello.server_hello.renew_only)
        rc = sp_fail(e, SP_AUTH, SP_DOM_STORE,
            "the server %s renewed the certificate of this host and does not take the new one",
            r->target);
    sp_mutex_unlock(&r->lock);
    return rc;
}

enum sp_code
sp_remote_renew(struct remote *r, struct sp_err *e)
{
    struct sp_cert_info info;
    struct sp_err why = {0};
    bool expired;
    enum sp_code rc;

    sp_mutex_lock(&r->lock);
    expired = r->hello.server_hello.renew_only;
    sp_mutex_unlock(&r->lock);
    if ((rc = sp_cert_info(r->tls_chain, &info, e)) != SP_OK)
        return rc;
    if (!expired && !sp_validity_renew(&info.valid, sp_clock_wall(r->env->clock)))
        return SP_OK;
    rc = renew(r, &why);
    if (rc == SP_OK)
        return expired ? connect_again(r, e) : SP_OK;
    sp_err_context(&why, expired ? "the certificate of this host expired and could not be renewed"
                                 : "the certificate of this host could not be renewed");
    if (expired) {
        *e = why;
        return rc;
    }
    if (r->o.notice != NULL)
        r->o.notice(r->o.arg, why.text);
    return SP_OK;
}
