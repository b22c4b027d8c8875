#ifndef SP_PROTO_CERT_H
#define SP_PROTO_CERT_H

/* Certificates: the server's own authority, its certificate, and those it issues to hosts. All keys
 * are Ed25519 (RFC 8410), all certificates X.509 v3, all texts PEM. Clock and validity come from
 * the caller.
 *
 *   authority  CN "Stillpoint authority <8 hex>", CA, may only sign certificates
 *   server     CN "Stillpoint server", subject alternative names, serverAuth
 *   host       CN = the host's id, 32 hex digits, clientAuth
 *
 * The chain that a server shows and a host gets is the certificate followed by the authority's. PEM
 * texts returned are malloc'd and NUL-terminated; those with keys are freed by sp_pem_free, which
 * wipes. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct sp_validity {
    int64_t from_ns, to_ns; /* wall time; whole seconds count */
};
/* What stillpointd uses: from a day before now (clocks differ), for so long after it. */
#define SP_VALID_AUTHORITY_NS (INT64_C(20) * 365 * 86400 * 1000000000)
#define SP_VALID_SERVER_NS (INT64_C(2) * 365 * 86400 * 1000000000)
#define SP_VALID_HOST_NS (INT64_C(365) * 86400 * 1000000000)
struct sp_validity sp_validity_of(int64_t now_ns, int64_t lifetime_ns);
/* Two thirds of its life are over. */
bool sp_validity_renew(const struct sp_validity *v, int64_t now_ns);

struct sp_cert_info {
    char name[128];          /* common name */
    uint8_t serial[20];      /* big endian, left-filled with zeros */
    uint8_t fingerprint[32]; /* SHA-256 of the DER bytes */
    struct sp_validity valid;
    bool authority;
};

enum sp_code
sp_cert_authority(struct sp_validity v, char **ret_cert, char **ret_key, struct sp_err *e);
/* names: DNS names and IP addresses, at most 64. *ret_chain: the certificate and the authority's.
 */
enum sp_code
sp_cert_server(const char *authority, const char *authority_key, const char *const *names, size_t n,
    struct sp_validity v, char **ret_chain, char **ret_key, struct sp_err *e);

/* A host's key, and the request (CSR) that proves its possession. */
enum sp_code sp_cert_key(char **ret_key, struct sp_err *e);
enum sp_code sp_cert_request(const char *key, char **ret_csr, struct sp_err *e);
/* Issues a host's certificate. Only the public key is taken from the request, whose signature must
 * be right (SP_INVALID) and whose key Ed25519. `csr` need not be NUL-terminated. *ret_info may be
 * NULL. */
enum sp_code sp_cert_issue(const char *authority, const char *authority_key, const void *csr,
    size_t csr_len, const uint8_t host[16], struct sp_validity v, char **ret_chain,
    struct sp_cert_info *ret_info, struct sp_err *e);

/* Of the first certificate in the text. SP_INVALID. */
enum sp_code sp_cert_info(const char *pem, struct sp_cert_info *ret, struct sp_err *e);
/* The last certificate of a chain (the authority's), as a PEM text of its own. */
enum sp_code sp_cert_last(const char *chain, char **ret, struct sp_err *e);
/* The key belongs to the first certificate of the chain. SP_INVALID. */
enum sp_code sp_cert_matches(const char *chain, const char *key, struct sp_err *e);

void sp_pem_free(char *pem); /* NULL is harmless */

#endif
