#ifndef SP_TESTS_PROTO_PKI_H
#define SP_TESTS_PROTO_PKI_H

/* An authority with a server and a host, and the TLS contexts made from them. */

#include "support.h"

#include "base/clock.h"
#include "proto/tls.h"

#define PKI_NOW (INT64_C(1800000000) * SP_SECOND)

struct pki {
    char *authority, *authority_key;
    char *server, *server_key;
    char *host, *host_key;
    uint8_t fingerprint[32]; /* of the authority */
    int64_t now;             /* what `clock` says */
    struct sp_clock clock;
};

void pki_new(struct pki *p); /* at PKI_NOW, with usual life times */
void pki_free(struct pki *p);
struct sp_tls_context *pki_server(struct pki *p, bool enrolment, sp_tls_admit_fn admit, void *arg);
struct sp_tls_context *pki_client(struct pki *p);           /* with the host's certificate */
struct sp_tls_context *pki_client_enrolling(struct pki *p); /* without one */

#endif
