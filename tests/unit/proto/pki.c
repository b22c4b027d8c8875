#include "pki.h"

static int64_t
pki_wall(void *self)
{
    return ((struct pki *)self)->now;
}

void
pki_new(struct pki *p)
{
    static const uint8_t host[16] = {0xaa, 0xbb};
    char *csr = NULL;
    struct sp_cert_info info;

    memset(p, 0, sizeof(*p));
    p->now = PKI_NOW;
    p->clock = (struct sp_clock){pki_wall, pki_wall, p};
    assert_ok(sp_cert_authority(
        sp_validity_of(PKI_NOW, SP_VALID_AUTHORITY_NS), &p->authority, &p->authority_key, e));
    assert_ok(sp_cert_info(p->authority, &info, e));
    memcpy(p->fingerprint, info.fingerprint, 32);
    assert_ok(sp_cert_server(p->authority, p->authority_key, NULL, 0,
        sp_validity_of(PKI_NOW, SP_VALID_SERVER_NS), &p->server, &p->server_key, e));
    assert_ok(sp_cert_key(&p->host_key, e));
    assert_ok(sp_cert_request(p->host_key, &csr, e));
    assert_ok(sp_cert_issue(p->authority, p->authority_key, csr, strlen(csr), host,
        sp_validity_of(PKI_NOW, SP_VALID_HOST_NS), &p->host, NULL, e));
    free(csr);
}

void
pki_free(struct pki *p)
{
    free(p->authority);
    sp_pem_free(p->authority_key);
    free(p->server);
    sp_pem_free(p->server_key);
    free(p->host);
    sp_pem_free(p->host_key);
}

struct sp_tls_context *
pki_server(struct pki *p, bool enrolment, sp_tls_admit_fn admit, void *arg)
{
    struct sp_tls_server o = {
        p->server, p->server_key, p->authority, enrolment, admit, arg, &p->clock};
    struct sp_tls_context *c = NULL;

    assert_ok(sp_tls_server_new(&o, &c, e));
    return c;
}

struct sp_tls_context *
pki_client(struct pki *p)
{
    struct sp_tls_client o = {.service = SP_SERVICE_NORMAL,
        .chain_pem = p->host,
        .key_pem = p->host_key,
        .clock = &p->clock};
    struct sp_tls_context *c = NULL;

    memcpy(o.authority, p->fingerprint, 32);
    assert_ok(sp_tls_client_new(&o, &c, e));
    return c;
}

struct sp_tls_context *
pki_client_enrolling(struct pki *p)
{
    struct sp_tls_client o = {.service = SP_SERVICE_ENROLL, .clock = &p->clock};
    struct sp_tls_context *c = NULL;

    memcpy(o.authority, p->fingerprint, 32);
    assert_ok(sp_tls_client_new(&o, &c, e));
    return c;
}
