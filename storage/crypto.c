#include "storage/crypto.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include "base/buf.h"
#include "base/text.h"

/* Fetching an algorithm takes a lock and a search through OpenSSL's providers, longer than hashing
 * a small chunk. So each is fetched once; afterwards these are only read, by all threads. The
 * template is an HMAC context that knows its digest but has no key yet: copying it avoids fetching
 * that digest. */
static struct {
    EVP_MD *sha256;
    EVP_CIPHER *gcm;
    EVP_MAC *hmac;
    EVP_MAC_CTX *hmac_template;
} lib;
static CRYPTO_ONCE lib_once = CRYPTO_ONCE_STATIC_INIT;

static const uint8_t zeros[32];

static void
lib_fetch(void)
{
    char digest[] = "SHA256";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };

    /* OpenSSL 3.0 uses its default context without asking whether there was memory for it. */
    if (OSSL_LIB_CTX_get0_global_default() == NULL)
        return;
    lib.sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    lib.gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    lib.hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    if (lib.hmac == NULL)
        return;
    EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(lib.hmac);
    if (ctx != NULL && !EVP_MAC_CTX_set_params(ctx, params)) {
        EVP_MAC_CTX_free(ctx);
        ctx = NULL;
    }
    lib.hmac_template = ctx;
}

/* OpenSSL 3.0 does not tell that memory which it asked of our functions was refused: an Ed25519
 * signature then just does not match. */
static _Thread_local bool no_memory;

static bool
had_no_memory(void)
{
    bool had = no_memory;

    no_memory = false;
    return had;
}

/* Takes what OpenSSL says from its queue, so that it does not speak up in the next call's place. */
static enum sp_code
lib_fail(struct sp_err *e, const char *what)
{
    unsigned long code = ERR_peek_last_error();
    const char *reason = code != 0 ? ERR_reason_error_string(code) : NULL;

    ERR_clear_error();
    if (had_no_memory() || (code != 0 && ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE))
        return sp_fail_nomem(e);
    return sp_fail(e, SP_INTERNAL, SP_DOM_CRYPTO, "OpenSSL cannot %s: %s", what,
        reason != NULL ? reason : "it gives no reason");
}

static enum sp_code
lib_ready(struct sp_err *e)
{
    if (!CRYPTO_THREAD_run_once(&lib_once, lib_fetch) || lib.sha256 == NULL || lib.gcm == NULL ||
        lib.hmac_template == NULL)
        return lib_fail(e, "provide SHA-256, AES-256-GCM and HMAC");
    return SP_OK;
}

/* --- OpenSSL's memory ---
 *
 * A size in front of each piece, which malloc knows but has no portable way to tell. */

#define SIZE_ROOM 16 /* keeps what malloc promises about alignment */

static void *
wiping_malloc(size_t n, const char *file, int line)
{
    uint8_t *p;

    (void)file;
    (void)line;
    if (n == 0)
        return NULL;
    if (n > SIZE_MAX - SIZE_ROOM || (p = malloc(n + SIZE_ROOM)) == NULL) {
        no_memory = true;
        return NULL;
    }
    memcpy(p, &n, sizeof(n));
    return p + SIZE_ROOM;
}

static void
wiping_free(void *p, const char *file, int line)
{
    uint8_t *start;
    size_t n;

    (void)file;
    (void)line;
    if (p == NULL)
        return;
    start = (uint8_t *)p - SIZE_ROOM;
    memcpy(&n, start, sizeof(n));
    sp_wipe(p, n);
    free(start);
}

static void *
wiping_realloc(void *p, size_t n, const char *file, int line)
{
    void *q;
    size_t had;

    if (p == NULL)
        return wiping_malloc(n, file, line);
    if (n == 0) {
        wiping_free(p, file, line);
        return NULL;
    }
    memcpy(&had, (uint8_t *)p - SIZE_ROOM, sizeof(had));
    if ((q = wiping_malloc(n, file, line)) == NULL)
        return NULL;
    memcpy(q, p, had < n ? had : n);
    wiping_free(p, file, line);
    return q;
}

void
sp_crypto_wipe_freed(void)
{
    /* Refused once OpenSSL has allocated anything; then its memory is as it comes. */
    (void)CRYPTO_set_mem_functions(wiping_malloc, wiping_realloc, wiping_free);
}

/* OpenSSL's functions may leave keys and what is derived from them on the stack below us. Seen: the
 * root secret after one HMAC, in registers that the dynamic linker had saved while it resolved a
 * function; that is why our programs are linked with -z now (cmake/stillpoint.cmake), and since then
 * nothing was found without this, either. It stays for libraries and compilers to come. Whoever gave
 * them a secret calls it afterwards, from the depth at which it called them; twice as deep as
 * anything seen to remain. */
#define BURN_DEPTH 16384

static __attribute__((noinline)) void
burn_stack(void)
{
    uint8_t below[BURN_DEPTH];

    sp_wipe(below, sizeof(below));
}

/* --- SHA-256 --- */

struct sp_sha256 {
    EVP_MD_CTX *ctx;
};

enum sp_code
sp_sha256(const void *p, size_t n, uint8_t ret[32], struct sp_err *e)
{
    enum sp_code rc = lib_ready(e);
    uint8_t digest[EVP_MAX_MD_SIZE];

    if (rc != SP_OK)
        return rc;
    if (!EVP_Digest(n > 0 ? p : zeros, n, digest, NULL, lib.sha256, NULL))
        return lib_fail(e, "compute SHA-256");
    memcpy(ret, digest, 32);
    return SP_OK;
}

enum sp_code
sp_sha256_new(struct sp_sha256 **ret, struct sp_err *e)
{
    enum sp_code rc = lib_ready(e);
    struct sp_sha256 *h = NULL;

    if (rc != SP_OK)
        return rc;
    if ((h = calloc(1, sizeof(*h))) == NULL || (h->ctx = EVP_MD_CTX_new()) == NULL) {
        ERR_clear_error();
        rc = sp_fail_nomem(e);
        goto out;
    }
    if (!EVP_DigestInit_ex2(h->ctx, lib.sha256, NULL)) {
        rc = lib_fail(e, "begin SHA-256");
        goto out;
    }
    *ret = h;
    h = NULL;
out:
    sp_sha256_free(h);
    return rc;
}

enum sp_code
sp_sha256_add(struct sp_sha256 *h, const void *p, size_t n, struct sp_err *e)
{
    if (n > 0 && !EVP_DigestUpdate(h->ctx, p, n))
        return lib_fail(e, "compute SHA-256");
    return SP_OK;
}

enum sp_code
sp_sha256_end(struct sp_sha256 *h, uint8_t ret[32], struct sp_err *e)
{
    uint8_t digest[EVP_MAX_MD_SIZE];

    if (!EVP_DigestFinal_ex(h->ctx, digest, NULL) || !EVP_DigestInit_ex2(h->ctx, lib.sha256, NULL))
        return lib_fail(e, "compute SHA-256");
    memcpy(ret, digest, 32);
    return SP_OK;
}

void
sp_sha256_free(struct sp_sha256 *h)
{
    if (h == NULL)
        return;
    EVP_MD_CTX_free(h->ctx);
    free(h);
}

/* --- HMAC and HKDF --- */

struct sp_hmac {
    EVP_MAC_CTX *ctx;
};

static enum sp_code
mac_keyed(const void *key, size_t key_n, EVP_MAC_CTX **ret, struct sp_err *e)
{
    enum sp_code rc = lib_ready(e);

    if (rc != SP_OK)
        return rc;
    EVP_MAC_CTX *ctx = EVP_MAC_CTX_dup(lib.hmac_template);
    if (ctx == NULL || !EVP_MAC_init(ctx, key, key_n, NULL)) {
        EVP_MAC_CTX_free(ctx);
        return lib_fail(e, "begin HMAC-SHA256");
    }
    *ret = ctx;
    return SP_OK;
}

static enum sp_code
mac_finish(
    EVP_MAC_CTX *ctx, const struct sp_span *parts, size_t nparts, uint8_t ret[32], struct sp_err *e)
{
    uint8_t mac[EVP_MAX_MD_SIZE];
    size_t n = 0;

    for (size_t i = 0; i < nparts; i++) {
        if (parts[i].n > 0 && !EVP_MAC_update(ctx, parts[i].p, parts[i].n))
            return lib_fail(e, "compute HMAC-SHA256");
    }
    if (!EVP_MAC_final(ctx, mac, &n, sizeof(mac)) || n != 32)
        return lib_fail(e, "compute HMAC-SHA256");
    memcpy(ret, mac, 32);
    sp_wipe(mac, sizeof(mac));
    return SP_OK;
}

static enum sp_code
mac_once(const void *key, size_t key_n, const struct sp_span *parts, size_t nparts, uint8_t ret[32],
    struct sp_err *e)
{
    EVP_MAC_CTX *ctx = NULL;
    enum sp_code rc = mac_keyed(key, key_n, &ctx, e);

    if (rc != SP_OK)
        return rc;
    rc = mac_finish(ctx, parts, nparts, ret, e);
    EVP_MAC_CTX_free(ctx);
    burn_stack();
    return rc;
}

enum sp_code
sp_hmac_new(const uint8_t key[32], struct sp_hmac **ret, struct sp_err *e)
{
    struct sp_hmac *h = calloc(1, sizeof(*h));
    enum sp_code rc;

    if (h == NULL)
        return sp_fail_nomem(e);
    if ((rc = mac_keyed(key, 32, &h->ctx, e)) != SP_OK) {
        free(h);
        return rc;
    }
    burn_stack();
    *ret = h;
    return SP_OK;
}

enum sp_code
sp_hmac(struct sp_hmac *h, const struct sp_span *parts, size_t nparts, uint8_t ret[32],
    struct sp_err *e)
{
    /* Without a key: back to the state behind the key, which the context keeps. */
    if (!EVP_MAC_init(h->ctx, NULL, 0, NULL))
        return lib_fail(e, "begin HMAC-SHA256");
    return mac_finish(h->ctx, parts, nparts, ret, e);
}

void
sp_hmac_free(struct sp_hmac *h)
{
    if (h == NULL)
        return;
    EVP_MAC_CTX_free(h->ctx);
    free(h);
}

static enum sp_code
expand(const uint8_t prk[32], const void *info, size_t info_n, uint8_t *out, size_t n,
    struct sp_err *e)
{
    uint8_t t[32];
    enum sp_code rc = SP_OK;

    for (unsigned i = 1; n > 0; i++) {
        uint8_t number = (uint8_t)i;
        struct sp_span parts[] = {{t, i > 1 ? sizeof(t) : 0}, {info, info_n}, {&number, 1}};
        size_t take = n < sizeof(t) ? n : sizeof(t);

        if ((rc = mac_once(prk, 32, parts, 3, t, e)) != SP_OK)
            break;
        memcpy(out, t, take);
        out += take;
        n -= take;
    }
    sp_wipe(t, sizeof(t));
    return rc;
}

enum sp_code
sp_hkdf(const void *ikm, size_t ikm_n, const void *salt, size_t salt_n, const void *info,
    size_t info_n, void *ret, size_t ret_n, struct sp_err *e)
{
    struct sp_span input = {ikm, ikm_n};
    uint8_t prk[32];
    uint8_t out[255 * 32];
    enum sp_code rc;

    if (ret_n > sizeof(out))
        return sp_fail(e, SP_INTERNAL, SP_DOM_CRYPTO, "HKDF cannot give %zu bytes", ret_n);
    /* RFC 5869 2.2: no salt is a salt of zeros. */
    if (salt_n == 0) {
        salt = zeros;
        salt_n = sizeof(zeros);
    }
    if ((rc = mac_once(salt, salt_n, &input, 1, prk, e)) == SP_OK &&
        (rc = expand(prk, info, info_n, out, ret_n, e)) == SP_OK)
        memcpy(ret, out, ret_n);
    sp_wipe(prk, sizeof(prk));
    sp_wipe(out, ret_n);
    return rc;
}

enum sp_code
sp_hkdf_expand(
    const uint8_t prk[32], const void *info, size_t info_n, uint8_t ret[32], struct sp_err *e)
{
    return expand(prk, info, info_n, ret, 32, e);
}

enum sp_code
sp_derive(const uint8_t x[32], const char *label, uint8_t ret[32], struct sp_err *e)
{
    static const char prefix[] = "stillpoint 1 ";
    char info[64];
    size_t n = strlen(label);

    if (n > sizeof(info) - (sizeof(prefix) - 1))
        return sp_fail(e, SP_INTERNAL, SP_DOM_CRYPTO, "the label \"%s\" is too long", label);
    memcpy(info, prefix, sizeof(prefix) - 1);
    memcpy(info + sizeof(prefix) - 1, label, n);
    return sp_hkdf(x, 32, NULL, 0, info, sizeof(prefix) - 1 + n, ret, 32, e);
}

/* --- AES-256-GCM --- */

/* OpenSSL counts in int. Nothing in the format comes near. */
static bool
aead_sizes_ok(size_t ad_n, size_t n)
{
    return ad_n <= INT_MAX - 64 && n <= INT_MAX - 64;
}

enum sp_code
sp_aead_seal(const uint8_t key[32], const void *ad, size_t ad_n, const void *in, size_t n,
    void *out, struct sp_err *e)
{
    EVP_CIPHER_CTX *ctx = NULL;
    uint8_t *to = out;
    int done = 0;
    enum sp_code rc = lib_ready(e);

    if (rc != SP_OK)
        return rc;
    if (!aead_sizes_ok(ad_n, n))
        return sp_fail(e, SP_INTERNAL, SP_DOM_CRYPTO, "%zu bytes are too many to seal at once", n);
    if ((ctx = EVP_CIPHER_CTX_new()) == NULL ||
        !EVP_EncryptInit_ex2(ctx, lib.gcm, key, zeros, NULL) ||
        (ad_n > 0 && !EVP_EncryptUpdate(ctx, NULL, &done, ad, (int)ad_n)) ||
        (n > 0 && !EVP_EncryptUpdate(ctx, to, &done, in, (int)n)) ||
        !EVP_EncryptFinal_ex(ctx, to + n, &done) ||
        !EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, SP_GCM_TAG, to + n))
        rc = lib_fail(e, "seal with AES-256-GCM");
    EVP_CIPHER_CTX_free(ctx);
    burn_stack();
    return rc;
}

enum sp_code
sp_aead_open(const uint8_t key[32], const void *ad, size_t ad_n, const void *in, size_t n,
    void *out, struct sp_err *e)
{
    EVP_CIPHER_CTX *ctx = NULL;
    uint8_t tag[SP_GCM_TAG];
    uint8_t *to = out;
    int done = 0;
    enum sp_code rc = lib_ready(e);

    if (rc != SP_OK)
        return rc;
    if (n < SP_GCM_TAG)
        return sp_fail(e, SP_CORRUPT, SP_DOM_CRYPTO, "sealed data is shorter than its tag");
    if (!aead_sizes_ok(ad_n, n))
        return sp_fail(e, SP_CORRUPT, SP_DOM_CRYPTO, "%zu bytes were never sealed at once", n);
    n -= SP_GCM_TAG;
    memcpy(tag, (const uint8_t *)in + n, sizeof(tag));
    if ((ctx = EVP_CIPHER_CTX_new()) == NULL ||
        !EVP_DecryptInit_ex2(ctx, lib.gcm, key, zeros, NULL) ||
        !EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, SP_GCM_TAG, tag) ||
        (ad_n > 0 && !EVP_DecryptUpdate(ctx, NULL, &done, ad, (int)ad_n)) ||
        (n > 0 && !EVP_DecryptUpdate(ctx, to, &done, in, (int)n))) {
        rc = lib_fail(e, "open with AES-256-GCM");
    } else if (EVP_DecryptFinal_ex(ctx, tag, &done) <= 0) {
        ERR_clear_error();
        rc = sp_fail(e, SP_CORRUPT, SP_DOM_CRYPTO,
            "sealed data does not authenticate: wrong key, or its bytes were changed");
    }
    if (rc != SP_OK && n > 0)
        memset(out, 0, n);
    EVP_CIPHER_CTX_free(ctx);
    burn_stack();
    return rc;
}

/* --- GMAC --- */

struct sp_gmac {
    EVP_CIPHER_CTX *ctx; /* keyed; each message sets its nonce */
};

enum sp_code
sp_gmac_new(const uint8_t key[32], struct sp_gmac **ret, struct sp_err *e)
{
    struct sp_gmac *g;
    enum sp_code rc = lib_ready(e);

    if (rc != SP_OK)
        return rc;
    if ((g = calloc(1, sizeof(*g))) == NULL)
        return sp_fail_nomem(e);
    if ((g->ctx = EVP_CIPHER_CTX_new()) == NULL ||
        !EVP_EncryptInit_ex2(g->ctx, lib.gcm, key, zeros, NULL)) {
        rc = lib_fail(e, "make a check sum with AES-256-GMAC");
        sp_gmac_free(g);
        return rc;
    }
    *ret = g;
    return SP_OK;
}

enum sp_code
sp_gmac(struct sp_gmac *g, uint64_t number, const void *p, size_t n, uint8_t ret[SP_GMAC_SIZE],
    struct sp_err *e)
{
    uint8_t nonce[12] = {0}, none[1];
    int done = 0;
    enum sp_code rc = SP_OK;

    if (!aead_sizes_ok(n, 0))
        return sp_fail(e, SP_INTERNAL, SP_DOM_CRYPTO, "%zu bytes are too many for one check sum", n);
    sp_store_le64(nonce, number);
    if (!EVP_EncryptInit_ex2(g->ctx, NULL, NULL, nonce, NULL) ||
        (n > 0 && !EVP_EncryptUpdate(g->ctx, NULL, &done, p, (int)n)) ||
        !EVP_EncryptFinal_ex(g->ctx, none, &done) ||
        !EVP_CIPHER_CTX_ctrl(g->ctx, EVP_CTRL_AEAD_GET_TAG, SP_GMAC_SIZE, ret))
        rc = lib_fail(e, "make a check sum with AES-256-GMAC");
    burn_stack();
    return rc;
}

void
sp_gmac_free(struct sp_gmac *g)
{
    if (g == NULL)
        return;
    EVP_CIPHER_CTX_free(g->ctx);
    free(g);
}

/* --- scrypt --- */

#define SCRYPT_MEMORY_MAX (UINT64_C(1) << 30)
#define SCRYPT_WORK_MAX (UINT64_C(4) << 30) /* half a minute on a slow machine */

uint64_t
sp_scrypt_work(unsigned log_n, unsigned r, unsigned p)
{
    uint64_t memory, work;

    if (log_n < 1 || log_n > 20 || r < 1 || r > 32 || p < 1 || p > 16)
        return 0;
    memory = ((uint64_t)r * 128) << log_n;
    work = memory * p;
    return memory <= SCRYPT_MEMORY_MAX && work <= SCRYPT_WORK_MAX ? work : 0;
}

enum sp_code
sp_scrypt(const char *passphrase, size_t n, const uint8_t salt[16], unsigned log_n, unsigned r,
    unsigned p, uint8_t ret[32], struct sp_err *e)
{
    EVP_KDF *kdf = NULL;
    EVP_KDF_CTX *ctx = NULL;
    uint8_t key[32];
    enum sp_code rc = SP_OK;

    if (sp_scrypt_work(log_n, r, p) == 0)
        return sp_fail(e, SP_REFUSED, SP_DOM_CRYPTO,
            "scrypt with N = 2^%u, r = %u, p = %u asks for more than this program grants", log_n, r,
            p);

    uint64_t cost = UINT64_C(1) << log_n;
    uint64_t block = r, parallel = p;
    /* OpenSSL's own bound is 32 MiB; beside the big table it counts its working blocks. */
    uint64_t memory = SCRYPT_MEMORY_MAX + (UINT64_C(64) << 20);
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_PASSWORD, (char *)passphrase, n),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, (uint8_t *)salt, 16),
        OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_N, &cost),
        OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_R, &block),
        OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_P, &parallel),
        OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_MAXMEM, &memory),
        OSSL_PARAM_construct_end(),
    };
    if ((kdf = EVP_KDF_fetch(NULL, "SCRYPT", NULL)) == NULL ||
        (ctx = EVP_KDF_CTX_new(kdf)) == NULL || EVP_KDF_derive(ctx, key, sizeof(key), params) <= 0)
        rc = lib_fail(e, "compute scrypt");
    else
        memcpy(ret, key, sizeof(key));
    sp_wipe(key, sizeof(key));
    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);
    burn_stack();
    return rc;
}

/* --- X25519 and Ed25519 --- */

static enum sp_code
raw_public(const char *type, const uint8_t secret[32], uint8_t ret[32], struct sp_err *e)
{
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key_ex(NULL, type, NULL, secret, 32);
    uint8_t out[32];
    size_t n = sizeof(out);
    enum sp_code rc = SP_OK;

    if (key == NULL || !EVP_PKEY_get_raw_public_key(key, out, &n) || n != sizeof(out))
        rc = lib_fail(e, "compute a public key");
    else
        memcpy(ret, out, sizeof(out));
    EVP_PKEY_free(key);
    burn_stack();
    return rc;
}

enum sp_code
sp_x25519_public(const uint8_t secret[32], uint8_t ret_public[32], struct sp_err *e)
{
    return raw_public("X25519", secret, ret_public, e);
}

enum sp_code
sp_x25519(const uint8_t secret[32], const uint8_t peer[32], uint8_t ret[32], struct sp_err *e)
{
    EVP_PKEY *mine = EVP_PKEY_new_raw_private_key_ex(NULL, "X25519", NULL, secret, 32);
    EVP_PKEY *theirs = EVP_PKEY_new_raw_public_key_ex(NULL, "X25519", NULL, peer, 32);
    EVP_PKEY_CTX *ctx = NULL;
    uint8_t shared[32] = {0};
    size_t n = sizeof(shared);
    enum sp_code rc = SP_OK;

    if (mine == NULL || theirs == NULL ||
        (ctx = EVP_PKEY_CTX_new_from_pkey(NULL, mine, NULL)) == NULL ||
        EVP_PKEY_derive_init(ctx) <= 0 || EVP_PKEY_derive_set_peer(ctx, theirs) <= 0) {
        rc = lib_fail(e, "prepare X25519");
    } else if (EVP_PKEY_derive(ctx, shared, &n) <= 0 || sp_equal_const(shared, zeros, 32)) {
        /* RFC 7748 6.1: a point of low order gives zero whatever the secret; OpenSSL fails then,
         * and for no other reason once the peer is set. */
        ERR_clear_error();
        rc = sp_fail(e, SP_CORRUPT, SP_DOM_CRYPTO, "the X25519 public key is a point of low order");
    } else {
        memcpy(ret, shared, sizeof(shared));
    }
    sp_wipe(shared, sizeof(shared));
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(theirs);
    EVP_PKEY_free(mine);
    burn_stack();
    return rc;
}

enum sp_code
sp_ed25519_public(const uint8_t secret[32], uint8_t ret_public[32], struct sp_err *e)
{
    return raw_public("ED25519", secret, ret_public, e);
}

enum sp_code
sp_ed25519_sign(
    const uint8_t secret[32], const void *p, size_t n, uint8_t ret[64], struct sp_err *e)
{
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key_ex(NULL, "ED25519", NULL, secret, 32);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    uint8_t signature[64];
    size_t len = sizeof(signature);
    enum sp_code rc = SP_OK;

    if (key == NULL || ctx == NULL || EVP_DigestSignInit(ctx, NULL, NULL, NULL, key) <= 0 ||
        EVP_DigestSign(ctx, signature, &len, n > 0 ? p : zeros, n) <= 0 || len != sizeof(signature))
        rc = lib_fail(e, "sign with Ed25519");
    else
        memcpy(ret, signature, sizeof(signature));
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(key);
    burn_stack();
    return rc;
}

enum sp_code
sp_ed25519_verify(const uint8_t public_key[32], const void *p, size_t n,
    const uint8_t signature[64], struct sp_err *e)
{
    EVP_PKEY *key = EVP_PKEY_new_raw_public_key_ex(NULL, "ED25519", NULL, public_key, 32);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    enum sp_code rc = SP_OK;

    if (key != NULL && ctx != NULL)
        (void)had_no_memory(); /* of others before us */
    if (key == NULL || ctx == NULL || EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, key) <= 0) {
        rc = lib_fail(e, "check an Ed25519 signature");
    } else if (EVP_DigestVerify(ctx, signature, 64, n > 0 ? p : zeros, n) != 1) {
        ERR_clear_error();
        if (had_no_memory())
            rc = sp_fail_nomem(e);
        else
            rc = sp_fail(e, SP_CORRUPT, SP_DOM_CRYPTO, "the Ed25519 signature does not match");
    }
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(key);
    return rc;
}
