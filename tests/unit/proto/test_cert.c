#include "support.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "base/clock.h"
#include "base/text.h"
#include "proto/cert.h"

#define NOW (INT64_C(1800000000) * SP_SECOND)

static X509 *
parse(const char *pem)
{
    BIO *b = BIO_new_mem_buf(pem, -1);
    X509 *x = PEM_read_bio_X509(b, NULL, NULL, NULL);

    BIO_free(b);
    assert_non_null(x);
    return x;
}

/* What OpenSSL itself thinks of a chain for a purpose at a time. */
static int
verdict(const char *chain, const char *authority, int purpose, int64_t at_ns)
{
    X509 *leaf = parse(chain), *ca = parse(authority);
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    int error;

    assert_int_equal(X509_STORE_add_cert(store, ca), 1);
    assert_int_equal(X509_STORE_CTX_init(ctx, store, leaf, NULL), 1);
    X509_STORE_CTX_set_purpose(ctx, purpose);
    X509_STORE_CTX_set_time(ctx, X509_V_FLAG_X509_STRICT, (time_t)(at_ns / SP_SECOND));
    (void)X509_verify_cert(ctx);
    error = X509_STORE_CTX_get_error(ctx);
    X509_STORE_CTX_free(ctx);
    X509_STORE_free(store);
    X509_free(leaf);
    X509_free(ca);
    return error;
}

struct authority {
    char *cert, *key;
};

static int
setup(void **state)
{
    struct authority *a = calloc(1, sizeof(*a));

    assert_ok(sp_cert_authority(sp_validity_of(NOW, SP_VALID_AUTHORITY_NS), &a->cert, &a->key, e));
    *state = a;
    return 0;
}

static int
teardown(void **state)
{
    struct authority *a = *state;

    free(a->cert);
    sp_pem_free(a->key);
    free(a);
    return 0;
}

static void
authority(void **state)
{
    struct authority *a = *state, other = {NULL, NULL};
    struct sp_cert_info info, again;

    assert_ok(sp_cert_info(a->cert, &info, e));
    assert_true(info.authority);
    assert_int_equal(strlen(info.name), strlen("Stillpoint authority 12345678"));
    assert_int_equal(info.valid.from_ns, NOW - 86400 * SP_SECOND);
    assert_int_equal(info.valid.to_ns, NOW + SP_VALID_AUTHORITY_NS);
    assert_ok(sp_cert_matches(a->cert, a->key, e));
    assert_ok(sp_cert_authority(sp_validity_of(NOW, SP_SECOND), &other.cert, &other.key, e));
    assert_ok(sp_cert_info(other.cert, &again, e));
    assert_memory_not_equal(info.fingerprint, again.fingerprint, 32);
    assert_memory_not_equal(info.serial, again.serial, 20);
    assert_string_not_equal(info.name, again.name);
    assert_code(SP_INVALID, sp_cert_matches(a->cert, other.key, e));
    free(other.cert);
    sp_pem_free(other.key);
}

static void
server_certificate(void **state)
{
    struct authority *a = *state;
    static const char *const names[] = {"backup.example.org", "192.0.2.7", "2001:db8::7"};
    static const char *const injected[] = {"a.example,DNS:b.example"};
    char *chain = NULL, *key = NULL, *last = NULL;
    struct sp_cert_info info, ca, end;
    X509 *x;

    assert_ok(sp_cert_server(
        a->cert, a->key, names, 3, sp_validity_of(NOW, SP_VALID_SERVER_NS), &chain, &key, e));
    assert_ok(sp_cert_matches(chain, key, e));
    assert_ok(sp_cert_info(chain, &info, e));
    assert_string_equal(info.name, "Stillpoint server");
    assert_false(info.authority);
    assert_int_equal(verdict(chain, a->cert, X509_PURPOSE_SSL_SERVER, NOW), X509_V_OK);
    assert_int_equal(
        verdict(chain, a->cert, X509_PURPOSE_SSL_CLIENT, NOW), X509_V_ERR_INVALID_PURPOSE);
    x = parse(chain);
    assert_int_equal(X509_check_host(x, "backup.example.org", 0, 0, NULL), 1);
    assert_int_equal(X509_check_host(x, "other.example.org", 0, 0, NULL), 0);
    assert_int_equal(X509_check_ip_asc(x, "192.0.2.7", 0), 1);
    assert_int_equal(X509_check_ip_asc(x, "2001:db8::7", 0), 1);
    X509_free(x);

    assert_ok(sp_cert_last(chain, &last, e));
    assert_ok(sp_cert_info(last, &end, e));
    assert_ok(sp_cert_info(a->cert, &ca, e));
    assert_memory_equal(end.fingerprint, ca.fingerprint, 32);
    free(last);
    free(chain);
    sp_pem_free(key);

    assert_code(SP_INVALID, sp_cert_server(a->cert, a->key, injected, 1,
                                sp_validity_of(NOW, SP_SECOND), &chain, &key, e));
    assert_ok(
        sp_cert_server(a->cert, a->key, NULL, 0, sp_validity_of(NOW, SP_SECOND), &chain, &key, e));
    free(chain);
    sp_pem_free(key);
}

static void
host_certificate(void **state)
{
    struct authority *a = *state;
    uint8_t host[16] = {0xab, 0xcd, 1, 2, 3};
    char *key = NULL, *csr = NULL, *chain = NULL;
    struct sp_cert_info info;

    assert_ok(sp_cert_key(&key, e));
    assert_ok(sp_cert_request(key, &csr, e));
    assert_ok(sp_cert_issue(a->cert, a->key, csr, strlen(csr), host,
        sp_validity_of(NOW, SP_VALID_HOST_NS), &chain, &info, e));
    assert_string_equal(info.name, sp_hex16(host).s);
    assert_false(info.authority);
    assert_ok(sp_cert_matches(chain, key, e));
    assert_int_equal(verdict(chain, a->cert, X509_PURPOSE_SSL_CLIENT, NOW), X509_V_OK);
    assert_int_equal(
        verdict(chain, a->cert, X509_PURPOSE_SSL_SERVER, NOW), X509_V_ERR_INVALID_PURPOSE);
    assert_int_equal(
        verdict(chain, a->cert, X509_PURPOSE_SSL_CLIENT, NOW + SP_VALID_HOST_NS + 2 * SP_SECOND),
        X509_V_ERR_CERT_HAS_EXPIRED);
    assert_int_equal(verdict(chain, a->cert, X509_PURPOSE_SSL_CLIENT, NOW - 2 * 86400 * SP_SECOND),
        X509_V_ERR_CERT_NOT_YET_VALID);
    free(chain);
    free(csr);
    sp_pem_free(key);
}

/* A request by hand: what it asks for beside the key is not given, and what is wrong is refused. */
static char *
request_by_hand(const char *algorithm, bool as_authority, bool spoil)
{
    EVP_PKEY *key = strcmp(algorithm, "RSA") == 0
                        ? EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048)
                        : EVP_PKEY_Q_keygen(NULL, NULL, algorithm);
    X509_REQ *req = X509_REQ_new();
    BIO *b = BIO_new(BIO_s_mem());
    char *data, *text;
    long n;

    assert_non_null(key);
    X509_NAME_add_entry_by_txt(X509_REQ_get_subject_name(req), "CN", MBSTRING_ASC,
        (const unsigned char *)"somebody else", -1, -1, 0);
    if (as_authority) {
        STACK_OF(X509_EXTENSION) *list = sk_X509_EXTENSION_new_null();

        sk_X509_EXTENSION_push(
            list, X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints, "critical,CA:TRUE"));
        assert_int_equal(X509_REQ_add_extensions(req, list), 1);
        sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
    }
    assert_int_equal(X509_REQ_set_pubkey(req, key), 1);
    assert_true(X509_REQ_sign(req, key, strcmp(algorithm, "RSA") == 0 ? EVP_sha256() : NULL) > 0);
    if (spoil) { /* somebody else's key under this signature */
        EVP_PKEY *other = EVP_PKEY_Q_keygen(NULL, NULL, algorithm);

        assert_int_equal(X509_REQ_set_pubkey(req, other), 1);
        EVP_PKEY_free(other);
    }
    assert_int_equal(PEM_write_bio_X509_REQ(b, req), 1);
    n = BIO_get_mem_data(b, &data);
    text = malloc((size_t)n + 1);
    memcpy(text, data, (size_t)n);
    text[n] = '\0';
    BIO_free(b);
    X509_REQ_free(req);
    EVP_PKEY_free(key);
    return text;
}

static void
only_the_key_is_taken_from_a_request(void **state)
{
    struct authority *a = *state;
    uint8_t host[16] = {7};
    char *csr = request_by_hand("ED25519", true, false), *chain = NULL;
    struct sp_cert_info info;
    X509 *x;

    assert_ok(sp_cert_issue(
        a->cert, a->key, csr, strlen(csr), host, sp_validity_of(NOW, SP_SECOND), &chain, &info, e));
    assert_string_equal(info.name, sp_hex16(host).s);
    assert_false(info.authority);
    x = parse(chain);
    assert_int_equal(X509_check_ca(x), 0);
    X509_free(x);
    free(chain);
    free(csr);
}

static void
bad_requests(void **state)
{
    struct authority *a = *state;
    uint8_t host[16] = {7};
    char *bad[4], *chain = NULL;
    char *big = malloc(SP_CSR_MAX + 10);

    memset(big, 'x', SP_CSR_MAX + 10);
    big[SP_CSR_MAX + 9] = '\0';
    bad[0] = request_by_hand("ED25519", false, true);
    bad[1] = request_by_hand("RSA", false, false);
    bad[2] =
        strdup("-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n");
    bad[3] = big;
    for (int i = 0; i < 4; i++) {
        assert_code(SP_INVALID, sp_cert_issue(a->cert, a->key, bad[i], strlen(bad[i]), host,
                                    sp_validity_of(NOW, SP_SECOND), &chain, NULL, e));
        free(bad[i]);
    }
    assert_code(SP_INVALID, sp_cert_issue(a->cert, a->key, "", 0, host,
                                sp_validity_of(NOW, SP_SECOND), &chain, NULL, e));
    assert_null(chain);
}

static void
texts_that_are_something_else(void **state)
{
    struct authority *a = *state;
    struct sp_cert_info info;
    char *csr = NULL, *chain = NULL, *key = NULL;

    assert_code(SP_INVALID, sp_cert_info("", &info, e));
    assert_code(SP_INVALID, sp_cert_info("no certificate", &info, e));
    assert_code(SP_INVALID, sp_cert_info(a->key, &info, e));
    assert_code(SP_INVALID, sp_cert_request(a->cert, &csr, e));
    /* An encrypted key is refused and asks nobody for a password. */
    assert_code(SP_INVALID,
        sp_cert_request(
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
            "MIGbMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAgAAAAAAAAAAAICCAAwDAYIKoZIhvcNAgkFADAd\n"
            "BglghkgBZQMEASoEEAAAAAAAAAAAAAAAAAAAAAAEQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"
            "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
            "-----END ENCRYPTED PRIVATE KEY-----\n",
            &csr, e));
    /* A host's certificate is no authority. */
    assert_ok(
        sp_cert_server(a->cert, a->key, NULL, 0, sp_validity_of(NOW, SP_SECOND), &chain, &key, e));
    {
        char *c2 = NULL, *k2 = NULL;

        assert_code(SP_INVALID,
            sp_cert_server(chain, key, NULL, 0, sp_validity_of(NOW, SP_SECOND), &c2, &k2, e));
    }
    free(chain);
    sp_pem_free(key);
}

static void
renewal_from_two_thirds_of_a_life(void **state)
{
    struct sp_validity v = {300 * SP_SECOND, 600 * SP_SECOND};

    (void)state;
    assert_false(sp_validity_renew(&v, 400 * SP_SECOND));
    assert_false(sp_validity_renew(&v, 499 * SP_SECOND));
    assert_true(sp_validity_renew(&v, 500 * SP_SECOND));
    assert_true(sp_validity_renew(&v, 5000 * SP_SECOND));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(authority),
        cmocka_unit_test(server_certificate),
        cmocka_unit_test(host_certificate),
        cmocka_unit_test(only_the_key_is_taken_from_a_request),
        cmocka_unit_test(bad_requests),
        cmocka_unit_test(texts_that_are_something_else),
        cmocka_unit_test(renewal_from_two_thirds_of_a_life),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
