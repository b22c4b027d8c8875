#ifndef SP_PROTO_CERT_IMPL_H
#define SP_PROTO_CERT_IMPL_H

/* What cert.c does for tls.c. OpenSSL's types by their tags: its headers are for the two .c files
 * alone. */

#include "proto/cert.h"

struct x509_st;
struct evp_pkey_st;
struct stack_st_X509;

/* All certificates of a text, at least one, at most 8. */
enum sp_code sp_pem_chain(const char *pem, struct stack_st_X509 **ret, struct sp_err *e);
enum sp_code sp_pem_key(const char *pem, struct evp_pkey_st **ret, struct sp_err *e);
enum sp_code sp_cert_describe(struct x509_st *x, struct sp_cert_info *ret, struct sp_err *e);

#endif
