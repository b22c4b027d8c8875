/* Certificates by OpenSSL: see cert.h. */

#include "proto/cert.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "base/clock.h"
#include "base/text.h"
#include "proto/cert_impl.h"
#include "proto/limits.h"

#define CHAIN_LENGTH_MAX 8
#define NAMES_MAX 64
#define DAY (86400 * SP_SECOND)

static enum sp_code
fail_ssl(struct sp_err *e, enum sp_code code, const char *what)
{
    unsigned long err = ERR_peek_last_error();
    const char *reason = err != 0 ? ERR_reason_error_string(err) : NULL;

    ERR_clear_error();
    return sp_fail(
        e, code, SP_DOM_CRYPTO, "%s%s%s", what, reason != NULL ? ": " : "", reason ? reason : "");
}

/* --- validity ------------------------------------------------------------------------------ */

struct sp_validity
sp_validity_of(int64_t now_ns, int64_t lifetime_ns)
{
    return (struct sp_validity){now_ns - DAY, now_ns + lifetime_ns};
}

bool
sp_validity_renew(const struct sp_validity *v, int64_t now_ns)
{
    return now_ns >= v->to_ns - (v->to_ns - v->from_ns) / 3;
}

/* --- PEM ----------------------------------------------------------------------------------- */

void
sp_pem_free(char *pem)
{
    if (pem == NULL)
        return;
    sp_wipe(pem, strlen(pem));
    free(pem);
}

/* A text that is encrypted must not have the library ask on a terminal. */
static int
no_password(char *buf, int size, int writing, void *arg)
{
    (void)buf;
    (void)size;
    (void)writing;
    (void)arg;
    return -1;
}

static enum sp_code
bio_of(const void *p, size_t n, BIO **ret, struct sp_err *e)
{
    if (n == 0 || n > SP_CHAIN_MAX)
        return sp_fail(e, SP_INVALID, SP_DOM_CRYPTO, "a text of %zu bytes is no certificate", n);
    if ((*ret = BIO_new_mem_buf(p, (int)n)) == NULL)
        return sp_fail_nomem(e);
    return SP_OK;
}

static enum sp_code
text_of(BIO *b, char **ret, struct sp_err *e)
{
    char *data = NULL, *text;
    long n = BIO_get_mem_data(b, &data);

    if (n <= 0)
        return fail_ssl(e, SP_INTERNAL, "a certificate could not be written");
    if ((text = malloc((size_t)n + 1)) == NULL)
        return sp_fail_nomem(e);
    memcpy(text, data, (size_t)n);
    text[n] = '\0';
    *ret = text;
    return SP_OK;
}

enum sp_code
sp_pem_chain(const char *pem, struct stack_st_X509 **ret, struct sp_err *e)
{
    STACK_OF(X509) *chain = NULL;
    BIO *b = NULL;
    X509 *x;
    enum sp_code rc;

    if ((rc = bio_of(pem, strlen(pem), &b, e)) != SP_OK)
        return rc;
    if ((chain = sk_X509_new_null()) == NULL) {
        rc = sp_fail_nomem(e);
        goto out;
    }
    while (sk_X509_num(chain) < CHAIN_LENGTH_MAX &&
           (x = PEM_read_bio_X509(b, NULL, no_password, NULL)) != NULL) {
        if (sk_X509_push(chain, x) <= 0) {
            X509_free(x);
            rc = sp_fail_nomem(e);
            goto out;
        }
    }
    if (sk_X509_num(chain) == 0) {
        rc = fail_ssl(e, SP_INVALID, "this is no certificate");
        goto out;
    }
    ERR_clear_error(); /* the end of the text counts as one */
    *ret = chain;
    chain = NULL;
out:
    sk_X509_pop_free(chain, X509_free);
    BIO_free(b);
    return rc;
}

enum sp_code
sp_pem_key(const char *pem, EVP_PKEY **ret, struct sp_err *e)
{
    BIO *b = NULL;
    EVP_PKEY *key;
    enum sp_code rc;

    if ((rc = bio_of(pem, strlen(pem), &b, e)) != SP_OK)
        return rc;
    if ((key = PEM_read_bio_PrivateKey(b, NULL, no_password, NULL)) == NULL)
        rc = fail_ssl(e, SP_INVALID, "this is no private key");
    else
        *ret = key;
    BIO_free(b);
    return rc;
}

static enum sp_code
first_of(const char *pem, X509 **ret, struct sp_err *e)
{
    STACK_OF(X509) *chain = NULL;
    enum sp_code rc;

    if ((rc = sp_pem_chain(pem, &chain, e)) != SP_OK)
        return rc;
    *ret = sk_X509_shift(chain);
    sk_X509_pop_free(chain, X509_free);
    return SP_OK;
}

/* The certificates one after the other. */
static enum sp_code
put_certs(X509 *first, X509 *second, char **ret, struct sp_err *e)
{
    BIO *b = BIO_new(BIO_s_mem());
    enum sp_code rc;

    if (b == NULL)
        return sp_fail_nomem(e);
    if (PEM_write_bio_X509(b, first) != 1 || (second != NULL && PEM_write_bio_X509(b, second) != 1))
        rc = fail_ssl(e, SP_INTERNAL, "a certificate could not be written");
    else
        rc = text_of(b, ret, e);
    BIO_free(b);
    return rc;
}

static enum sp_code
put_key(EVP_PKEY *key, char **ret, struct sp_err *e)
{
    BIO *b = BIO_new(BIO_s_secmem()); /* leaves no copies when it grows */
    enum sp_code rc;

    if (b == NULL)
        return sp_fail_nomem(e);
    if (PEM_write_bio_PrivateKey(b, key, NULL, NULL, 0, NULL, NULL) != 1)
        rc = fail_ssl(e, SP_INTERNAL, "a key could not be written");
    else
        rc = text_of(b, ret, e);
    BIO_free(b);
    return rc;
}

/* --- making certificates ------------------------------------------------------------------- */

static enum sp_code
make_key(EVP_PKEY **ret, struct sp_err *e)
{
    if ((*ret = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519")) == NULL)
        return fail_ssl(e, SP_INTERNAL, "a key could not be made");
    return SP_OK;
}

static bool
set_time(ASN1_TIME *to, int64_t ns)
{
    int64_t s = ns / SP_SECOND - (ns % SP_SECOND < 0);

    return ASN1_TIME_set(to, (time_t)s) != NULL;
}

/* 16 random bytes, positive. */
static bool
set_serial(X509 *x)
{
    uint8_t serial[16];
    BIGNUM *n;
    bool done;

    if (RAND_bytes(serial, sizeof(serial)) != 1)
        return false;
    serial[0] = (uint8_t)((serial[0] & 0x7f) | 0x40);
    if ((n = BN_bin2bn(serial, sizeof(serial), NULL)) == NULL)
        return false;
    done = BN_to_ASN1_INTEGER(n, X509_get_serialNumber(x)) != NULL;
    BN_free(n);
    return done;
}

static bool
set_name(X509_NAME *to, const char *name)
{
    return X509_NAME_add_entry_by_txt(
               to, "CN", MBSTRING_UTF8, (const unsigned char *)name, -1, -1, 0) == 1;
}

/* `value` is one of our own words, never a foreign one: OpenSSL parses it. */
static bool
add_extension(X509 *x, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509_EXTENSION *ext;
    bool done;

    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
    if ((ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value)) == NULL)
        return false;
    done = X509_add_ext(x, ext, -1) == 1;
    X509_EXTENSION_free(ext);
    return done;
}

/* A certificate without its extensions and signature. */
static enum sp_code
draft(const char *name, X509 *issuer, EVP_PKEY *key, struct sp_validity v, X509 **ret,
    struct sp_err *e)
{
    X509 *x = X509_new();

    if (x == NULL)
        return sp_fail_nomem(e);
    if (X509_set_version(x, X509_VERSION_3) != 1 || !set_serial(x) ||
        !set_time(X509_getm_notBefore(x), v.from_ns) || !set_time(X509_getm_notAfter(x), v.to_ns) ||
        !set_name(X509_get_subject_name(x), name) ||
        X509_set_issuer_name(x, X509_get_subject_name(issuer != NULL ? issuer : x)) != 1 ||
        X509_set_pubkey(x, key) != 1) {
        X509_free(x);
        return fail_ssl(e, SP_INTERNAL, "a certificate could not be made");
    }
    *ret = x;
    return SP_OK;
}

/* A certificate of an end: not an authority, for one use. */
static enum sp_code
finish(X509 *x, X509 *issuer, EVP_PKEY *issuer_key, const char *usage, struct sp_err *e)
{
    if (!add_extension(x, issuer, NID_basic_constraints, "critical,CA:FALSE") ||
        !add_extension(x, issuer, NID_key_usage, "critical,digitalSignature") ||
        !add_extension(x, issuer, NID_ext_key_usage, usage) ||
        !add_extension(x, issuer, NID_subject_key_identifier, "hash") ||
        !add_extension(x, issuer, NID_authority_key_identifier, "keyid:always") ||
        X509_sign(x, issuer_key, NULL) <= 0)
        return fail_ssl(e, SP_INTERNAL, "a certificate could not be issued");
    return SP_OK;
}

/* Four bytes of the public key's hash: enough to tell two authorities apart in a list. */
static enum sp_code
authority_name(EVP_PKEY *key, char to[64], struct sp_err *e)
{
    uint8_t raw[32], hash[32];
    size_t n = sizeof(raw);
    char hex[65];

    if (EVP_PKEY_get_raw_public_key(key, raw, &n) != 1 ||
        EVP_Q_digest(NULL, "SHA256", NULL, raw, n, hash, NULL) != 1)
        return fail_ssl(e, SP_INTERNAL, "a key could not be read");
    memcpy(hex, sp_hex32(hash).s, sizeof(hex));
    hex[8] = '\0';
    strcpy(to, "Stillpoint authority ");
    strcat(to, hex);
    return SP_OK;
}

enum sp_code
sp_cert_authority(struct sp_validity v, char **ret_cert, char **ret_key, struct sp_err *e)
{
    EVP_PKEY *key = NULL;
    X509 *x = NULL;
    char name[64], *cert = NULL, *text = NULL;
    enum sp_code rc;

    if ((rc = make_key(&key, e)) != SP_OK || (rc = authority_name(key, name, e)) != SP_OK ||
        (rc = draft(name, NULL, key, v, &x, e)) != SP_OK)
        goto out;
    if (!add_extension(x, x, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") ||
        !add_extension(x, x, NID_key_usage, "critical,keyCertSign") ||
        !add_extension(x, x, NID_subject_key_identifier, "hash") || X509_sign(x, key, NULL) <= 0) {
        rc = fail_ssl(e, SP_INTERNAL, "an authority could not be made");
        goto out;
    }
    if ((rc = put_certs(x, NULL, &cert, e)) != SP_OK || (rc = put_key(key, &text, e)) != SP_OK)
        goto out;
    *ret_cert = cert;
    *ret_key = text;
    cert = text = NULL;
out:
    free(cert);
    sp_pem_free(text);
    X509_free(x);
    EVP_PKEY_free(key);
    return rc;
}

/* An authority as its two texts. */
struct issuer {
    X509 *cert;
    EVP_PKEY *key;
};

static void
issuer_clear(struct issuer *i)
{
    X509_free(i->cert);
    EVP_PKEY_free(i->key);
}

static enum sp_code
issuer_read(const char *cert, const char *key, struct issuer *ret, struct sp_err *e)
{
    enum sp_code rc;

    if ((rc = first_of(cert, &ret->cert, e)) != SP_OK ||
        (rc = sp_pem_key(key, &ret->key, e)) != SP_OK) {
        sp_err_context(e, "the authority");
        return rc;
    }
    if (X509_check_ca(ret->cert) == 0 || X509_check_private_key(ret->cert, ret->key) != 1)
        return fail_ssl(
            e, SP_INVALID, "the authority's certificate and key do not belong together");
    return SP_OK;
}

/* A DNS name or an IP address, as what it is; foreign text, so nothing parses it as a list. */
static GENERAL_NAME *
general_name(const char *name)
{
    GENERAL_NAME *g = GENERAL_NAME_new();
    ASN1_OCTET_STRING *ip = a2i_IPADDRESS(name);
    ASN1_IA5STRING *dns = NULL;

    ERR_clear_error(); /* no address: then it is a name */
    if (g == NULL)
        goto fail;
    if (ip != NULL) {
        GENERAL_NAME_set0_value(g, GEN_IPADD, ip);
        return g;
    }
    if ((dns = ASN1_IA5STRING_new()) == NULL || ASN1_STRING_set(dns, name, -1) != 1)
        goto fail;
    GENERAL_NAME_set0_value(g, GEN_DNS, dns);
    return g;
fail:
    GENERAL_NAME_free(g);
    ASN1_OCTET_STRING_free(ip);
    ASN1_IA5STRING_free(dns);
    return NULL;
}

static bool
name_valid(const char *name)
{
    size_t n = strlen(name);

    return n > 0 && n <= 253 &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.:-_*") == n;
}

static enum sp_code
add_names(X509 *x, const char *const *names, size_t n, struct sp_err *e)
{
    GENERAL_NAMES *list = GENERAL_NAMES_new();
    enum sp_code rc = SP_OK;

    if (list == NULL)
        return sp_fail_nomem(e);
    for (size_t i = 0; i < n && rc == SP_OK; i++) {
        GENERAL_NAME *g;

        if (!name_valid(names[i]))
            rc = sp_fail(e, SP_INVALID, SP_DOM_CONFIG,
                "\"%s\" is no name of a server: use a DNS name or an IP address", names[i]);
        else if ((g = general_name(names[i])) == NULL)
            rc = sp_fail_nomem(e);
        else if (sk_GENERAL_NAME_push(list, g) <= 0) {
            GENERAL_NAME_free(g);
            rc = sp_fail_nomem(e);
        }
    }
    if (rc == SP_OK && n > 0 && X509_add1_ext_i2d(x, NID_subject_alt_name, list, 0, 0) != 1)
        rc = fail_ssl(e, SP_INTERNAL, "a certificate could not be made");
    GENERAL_NAMES_free(list);
    return rc;
}

enum sp_code
sp_cert_server(const char *authority, const char *authority_key, const char *const *names, size_t n,
    struct sp_validity v, char **ret_chain, char **ret_key, struct sp_err *e)
{
    struct issuer by = {NULL, NULL};
    EVP_PKEY *key = NULL;
    X509 *x = NULL;
    char *chain = NULL, *text = NULL;
    enum sp_code rc;

    if (n > NAMES_MAX)
        return sp_fail(e, SP_INVALID, SP_DOM_CONFIG, "more than %d names of one server", NAMES_MAX);
    if ((rc = issuer_read(authority, authority_key, &by, e)) != SP_OK ||
        (rc = make_key(&key, e)) != SP_OK ||
        (rc = draft("Stillpoint server", by.cert, key, v, &x, e)) != SP_OK ||
        (rc = add_names(x, names, n, e)) != SP_OK ||
        (rc = finish(x, by.cert, by.key, "serverAuth", e)) != SP_OK ||
        (rc = put_certs(x, by.cert, &chain, e)) != SP_OK || (rc = put_key(key, &text, e)) != SP_OK)
        goto out;
    *ret_chain = chain;
    *ret_key = text;
    chain = text = NULL;
out:
    free(chain);
    sp_pem_free(text);
    X509_free(x);
    EVP_PKEY_free(key);
    issuer_clear(&by);
    return rc;
}

/* --- hosts --------------------------------------------------------------------------------- */

enum sp_code
sp_cert_key(char **ret_key, struct sp_err *e)
{
    EVP_PKEY *key = NULL;
    enum sp_code rc;

    if ((rc = make_key(&key, e)) == SP_OK)
        rc = put_key(key, ret_key, e);
    EVP_PKEY_free(key);
    return rc;
}

enum sp_code
sp_cert_request(const char *key, char **ret_csr, struct sp_err *e)
{
    EVP_PKEY *pkey = NULL;
    X509_REQ *req = X509_REQ_new();
    BIO *b = BIO_new(BIO_s_mem());
    enum sp_code rc;

    if (req == NULL || b == NULL) {
        rc = sp_fail_nomem(e);
        goto out;
    }
    if ((rc = sp_pem_key(key, &pkey, e)) != SP_OK)
        goto out;
    /* The subject says nothing: the server names the host. */
    if (X509_REQ_set_version(req, X509_REQ_VERSION_1) != 1 || X509_REQ_set_pubkey(req, pkey) != 1 ||
        X509_REQ_sign(req, pkey, NULL) <= 0 || PEM_write_bio_X509_REQ(b, req) != 1) {
        rc = fail_ssl(e, SP_INTERNAL, "a certificate request could not be made");
        goto out;
    }
    rc = text_of(b, ret_csr, e);
out:
    BIO_free(b);
    X509_REQ_free(req);
    EVP_PKEY_free(pkey);
    return rc;
}

/* The public key of a request whose owner proved that it has the private one. *ret belongs to
 * *ret_req. */
static enum sp_code
read_request(const void *csr, size_t n, X509_REQ **ret_req, EVP_PKEY **ret, struct sp_err *e)
{
    BIO *b = NULL;
    X509_REQ *req = NULL;
    EVP_PKEY *key;
    enum sp_code rc;

    if (n > SP_CSR_MAX)
        return sp_fail(e, SP_INVALID, SP_DOM_CRYPTO, "a certificate request of %zu bytes", n);
    if ((rc = bio_of(csr, n, &b, e)) != SP_OK)
        return rc;
    if ((req = PEM_read_bio_X509_REQ(b, NULL, no_password, NULL)) == NULL)
        rc = fail_ssl(e, SP_INVALID, "this is no certificate request");
    else if ((key = X509_REQ_get0_pubkey(req)) == NULL || EVP_PKEY_get_id(key) != EVP_PKEY_ED25519)
        rc = fail_ssl(e, SP_INVALID, "a certificate request for a key that is not Ed25519");
    else if (X509_REQ_verify(req, key) != 1)
        rc = fail_ssl(e, SP_INVALID, "a certificate request whose signature is wrong");
    else {
        *ret_req = req;
        *ret = key;
        req = NULL;
    }
    X509_REQ_free(req);
    BIO_free(b);
    return rc;
}

enum sp_code
sp_cert_issue(const char *authority, const char *authority_key, const void *csr, size_t csr_len,
    const uint8_t host[16], struct sp_validity v, char **ret_chain, struct sp_cert_info *ret_info,
    struct sp_err *e)
{
    struct issuer by = {NULL, NULL};
    X509_REQ *req = NULL;
    EVP_PKEY *key = NULL;
    X509 *x = NULL;
    char *chain = NULL;
    struct sp_cert_info info;
    enum sp_code rc;

    if ((rc = issuer_read(authority, authority_key, &by, e)) != SP_OK ||
        (rc = read_request(csr, csr_len, &req, &key, e)) != SP_OK ||
        (rc = draft(sp_hex16(host).s, by.cert, key, v, &x, e)) != SP_OK ||
        (rc = finish(x, by.cert, by.key, "clientAuth", e)) != SP_OK ||
        (rc = put_certs(x, by.cert, &chain, e)) != SP_OK ||
        (rc = sp_cert_describe(x, &info, e)) != SP_OK)
        goto out;
    *ret_chain = chain;
    chain = NULL;
    if (ret_info != NULL)
        *ret_info = info;
out:
    free(chain);
    X509_free(x);
    X509_REQ_free(req);
    issuer_clear(&by);
    return rc;
}

/* --- reading certificates ------------------------------------------------------------------ */

static bool
get_time(const ASN1_TIME *from, int64_t *ret_ns)
{
    ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
    int days, seconds;
    bool done = epoch != NULL && ASN1_TIME_diff(&days, &seconds, epoch, from) == 1;

    if (done) {
        int64_t s = (int64_t)days * 86400 + seconds;

        /* The year 9999 of "no end" does not fit into nanoseconds. */
        if (s > INT64_MAX / SP_SECOND)
            s = INT64_MAX / SP_SECOND;
        else if (s < INT64_MIN / SP_SECOND)
            s = INT64_MIN / SP_SECOND;
        *ret_ns = s * SP_SECOND;
    }
    ASN1_TIME_free(epoch);
    return done;
}

static bool
get_serial(X509 *x, uint8_t to[20])
{
    BIGNUM *n = ASN1_INTEGER_to_BN(X509_get0_serialNumber(x), NULL);
    bool done = n != NULL && BN_bn2binpad(n, to, 20) == 20;

    BN_free(n);
    return done;
}

enum sp_code
sp_cert_describe(X509 *x, struct sp_cert_info *ret, struct sp_err *e)
{
    struct sp_cert_info info;
    unsigned int n = 0;

    memset(&info, 0, sizeof(info));
    /* A name with a NUL in it, or one too long, is none of ours: it stays empty. */
    {
        int at = X509_NAME_get_index_by_NID(X509_get_subject_name(x), NID_commonName, -1);
        const ASN1_STRING *s =
            at < 0 ? NULL
                   : X509_NAME_ENTRY_get_data(X509_NAME_get_entry(X509_get_subject_name(x), at));
        size_t len = s != NULL ? (size_t)ASN1_STRING_length(s) : 0;

        if (len > 0 && len < sizeof(info.name) && memchr(ASN1_STRING_get0_data(s), 0, len) == NULL)
            memcpy(info.name, ASN1_STRING_get0_data(s), len);
    }
    info.authority = X509_check_ca(x) == 1;
    if (!get_serial(x, info.serial) || !get_time(X509_get0_notBefore(x), &info.valid.from_ns) ||
        !get_time(X509_get0_notAfter(x), &info.valid.to_ns) ||
        X509_digest(x, EVP_sha256(), info.fingerprint, &n) != 1 || n != 32)
        return fail_ssl(e, SP_INVALID, "a certificate that cannot be read");
    *ret = info;
    return SP_OK;
}

enum sp_code
sp_cert_info(const char *pem, struct sp_cert_info *ret, struct sp_err *e)
{
    X509 *x = NULL;
    enum sp_code rc;

    if ((rc = first_of(pem, &x, e)) != SP_OK)
        return rc;
    rc = sp_cert_describe(x, ret, e);
    X509_free(x);
    return rc;
}

enum sp_code
sp_cert_last(const char *chain, char **ret, struct sp_err *e)
{
    STACK_OF(X509) *all = NULL;
    enum sp_code rc;

    if ((rc = sp_pem_chain(chain, &all, e)) != SP_OK)
        return rc;
    rc = put_certs(sk_X509_value(all, sk_X509_num(all) - 1), NULL, ret, e);
    sk_X509_pop_free(all, X509_free);
    return rc;
}

enum sp_code
sp_cert_matches(const char *chain, const char *key, struct sp_err *e)
{
    X509 *x = NULL;
    EVP_PKEY *pkey = NULL;
    enum sp_code rc;

    if ((rc = first_of(chain, &x, e)) != SP_OK || (rc = sp_pem_key(key, &pkey, e)) != SP_OK)
        goto out;
    if (X509_check_private_key(x, pkey) != 1)
        rc = fail_ssl(e, SP_INVALID, "the certificate and the key do not belong together");
out:
    X509_free(x);
    EVP_PKEY_free(pkey);
    return rc;
}
