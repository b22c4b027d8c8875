#ifndef SP_STORAGE_CRYPTO_H
#define SP_STORAGE_CRYPTO_H

/* The cryptographic primitives of the format (docs/format.md), over OpenSSL 3's EVP: the one file of
 * storage/ that includes OpenSSL. All functions may be called from any thread. Failures of the
 * library itself are SP_INTERNAL/SP_DOM_CRYPTO (or SP_NOMEM); a wrong tag, key or signature is an answer
 * of its own. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define SP_HASH_SIZE 32
#define SP_KEY_SIZE 32
#define SP_GCM_TAG 16

/* What OpenSSL gives back is overwritten from now on: it forgets to do so itself, with the text of a private key
 * for one. A program that holds keys calls this first in main; afterwards it has no effect. */
void sp_crypto_wipe_freed(void);

enum sp_code sp_sha256(const void *p, size_t n, uint8_t ret[32], struct sp_err *e);

struct sp_sha256; /* incremental */
enum sp_code sp_sha256_new(struct sp_sha256 **ret, struct sp_err *e);
enum sp_code sp_sha256_add(struct sp_sha256 *h, const void *p, size_t n, struct sp_err *e);
/* Gives the digest and starts over. */
enum sp_code sp_sha256_end(struct sp_sha256 *h, uint8_t ret[32], struct sp_err *e);
void sp_sha256_free(struct sp_sha256 *h);

/* A keyed HMAC-SHA256 context for many short messages: the keyed state is copied, not derived, for
 * each. One thread at a time. */
struct sp_hmac;
struct sp_span {
    const void *p;
    size_t n;
};
enum sp_code sp_hmac_new(const uint8_t key[32], struct sp_hmac **ret, struct sp_err *e);
enum sp_code sp_hmac(struct sp_hmac *h, const struct sp_span *parts, size_t nparts, uint8_t ret[32],
    struct sp_err *e);
void sp_hmac_free(struct sp_hmac *h);

/* HKDF (RFC 5869) with SHA-256. salt may be NULL with 0. */
enum sp_code sp_hkdf(const void *ikm, size_t ikm_n, const void *salt, size_t salt_n, const void *info,
    size_t info_n, void *ret, size_t ret_n, struct sp_err *e);
enum sp_code sp_hkdf_expand(const uint8_t prk[32], const void *info, size_t info_n, uint8_t ret[32],
    struct sp_err *e);
/* docs/format.md §3: derive(x, label). */
enum sp_code sp_derive(const uint8_t x[32], const char *label, uint8_t ret[32], struct sp_err *e);

/* AES-256-GCM, nonce 12 zero bytes: a key seals once. `out` has n + 16 (seal) or n - 16 (open) bytes
 * and may be `in`. open: SP_CORRUPT when the tag does not match; `out` is then zeroed. */
enum sp_code sp_aead_seal(const uint8_t key[32], const void *ad, size_t ad_n, const void *in, size_t n,
    void *out, struct sp_err *e);
enum sp_code sp_aead_open(const uint8_t key[32], const void *ad, size_t ad_n, const void *in, size_t n,
    void *out, struct sp_err *e);

/* GMAC (NIST SP 800-38D) with AES-256: a tag of a message that has a number of its own under this key.
 * For check sums that stay inside the program. One thread at a time. */
#define SP_GMAC_SIZE 16
struct sp_gmac;
enum sp_code sp_gmac_new(const uint8_t key[32], struct sp_gmac **ret, struct sp_err *e);
enum sp_code sp_gmac(struct sp_gmac *g, uint64_t number, const void *p, size_t n,
    uint8_t ret[SP_GMAC_SIZE], struct sp_err *e);
void sp_gmac_free(struct sp_gmac *g);

/* The bytes that scrypt with these numbers goes through; 0: more than this program grants (docs/format.md
 * §4), or none at all. */
uint64_t sp_scrypt_work(unsigned log_n, unsigned r, unsigned p);
/* Refuses the limits of docs/format.md §4 with SP_REFUSED before memory is taken. */
enum sp_code sp_scrypt(const char *passphrase, size_t n, const uint8_t salt[16], unsigned log_n,
    unsigned r, unsigned p, uint8_t ret[32], struct sp_err *e);

enum sp_code sp_x25519_public(const uint8_t secret[32], uint8_t ret_public[32], struct sp_err *e);
/* SP_CORRUPT for a low-order point (all-zero result). */
enum sp_code sp_x25519(const uint8_t secret[32], const uint8_t peer[32], uint8_t ret[32],
    struct sp_err *e);

enum sp_code sp_ed25519_public(const uint8_t secret[32], uint8_t ret_public[32], struct sp_err *e);
enum sp_code sp_ed25519_sign(const uint8_t secret[32], const void *p, size_t n, uint8_t ret[64],
    struct sp_err *e);
/* SP_OK, or SP_CORRUPT when the signature does not match. */
enum sp_code sp_ed25519_verify(const uint8_t public_key[32], const void *p, size_t n,
    const uint8_t signature[64], struct sp_err *e);

#endif
