/* Preloaded under every test: writes down each key that AES-256-GCM is given for sealing, with a digest of
 * what it seals, so that unique.py can show that over all tests no key ever sealed two contents (R27). The
 * nonce of storage/crypto.c is constant because every block has a key of its own; that is what stands or falls
 * here. Only storage/crypto.c calls EVP_EncryptInit_ex2: OpenSSL's own TLS and libssh2 do not come this way.
 * What encrypts nothing is no seal: sp_gmac's check sums, which have a number of their own as the nonce and never
 * leave the process.
 *
 * SP_WITNESS names the file that records of 56 bytes (key, digest, program) are appended to; without it, or when
 * it is empty (tests with fixed randomness and fixed keys say so in CMake), nothing is done. */

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/evp.h>

int witness_init(EVP_CIPHER_CTX *, const EVP_CIPHER *, const unsigned char *, const unsigned char *,
    const OSSL_PARAM[]) __asm__("EVP_EncryptInit_ex2");
int witness_update(EVP_CIPHER_CTX *, unsigned char *, int *, const unsigned char *, int) __asm__("EVP_EncryptUpdate");
int witness_final(EVP_CIPHER_CTX *, unsigned char *, int *) __asm__("EVP_EncryptFinal_ex");

/* One seal runs from its first call to its last on one thread. */
static _Thread_local struct {
    EVP_CIPHER_CTX *ctx;
    uint8_t key[32];
    uint64_t digest;
    bool seals; /* something is encrypted */
} now;

static void *
next(const char *name)
{
    void *f = dlsym(RTLD_NEXT, name), *library;

    /* An interpreter loads the library for itself alone. */
    if (f == NULL && (library = dlopen("libcrypto.so.3", RTLD_LAZY | RTLD_NOLOAD)) != NULL)
        f = dlsym(library, name);
    if (f == NULL)
        abort();
    return f;
}

static void
mix(const unsigned char *p, int n)
{
    for (int i = 0; i < n; i++)
        now.digest = (now.digest ^ p[i]) * UINT64_C(0x100000001b3); /* FNV-1a: no adversary here */
    now.digest = (now.digest ^ (uint64_t)n) * UINT64_C(0x100000001b3);
}

static void
write_down(void)
{
    const char *path = getenv("SP_WITNESS");
    uint8_t record[56] = {0};
    int fd;

    if (path == NULL || path[0] == '\0')
        return;
    memcpy(record, now.key, 32);
    memcpy(record + 32, &now.digest, 8);
    memcpy(record + 40, program_invocation_short_name, strnlen(program_invocation_short_name, 16));
    fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return; /* a test without file descriptors or as another user; unique.py counts what came */
    ssize_t done = write(fd, record, sizeof record);
    (void)done;
    (void)close(fd);
}

int
witness_init(EVP_CIPHER_CTX *ctx, const EVP_CIPHER *cipher, const unsigned char *key, const unsigned char *iv,
    const OSSL_PARAM params[])
{
    static int (*real)(EVP_CIPHER_CTX *, const EVP_CIPHER *, const unsigned char *, const unsigned char *,
        const OSSL_PARAM[]);

    if (real == NULL)
        *(void **)&real = next("EVP_EncryptInit_ex2");
    now.ctx = ctx;
    now.digest = UINT64_C(0xcbf29ce484222325);
    now.seals = false;
    if (key != NULL)
        memcpy(now.key, key, 32);
    return real(ctx, cipher, key, iv, params);
}

int
witness_update(EVP_CIPHER_CTX *ctx, unsigned char *out, int *ret_n, const unsigned char *in, int n)
{
    static int (*real)(EVP_CIPHER_CTX *, unsigned char *, int *, const unsigned char *, int);

    if (real == NULL)
        *(void **)&real = next("EVP_EncryptUpdate");
    if (ctx == now.ctx) {
        mix(in, n);
        now.seals = now.seals || out != NULL;
    }
    return real(ctx, out, ret_n, in, n);
}

int
witness_final(EVP_CIPHER_CTX *ctx, unsigned char *out, int *ret_n)
{
    static int (*real)(EVP_CIPHER_CTX *, unsigned char *, int *);

    if (real == NULL)
        *(void **)&real = next("EVP_EncryptFinal_ex");
    if (ctx == now.ctx) {
        if (now.seals)
            write_down();
        now.ctx = NULL;
    }
    return real(ctx, out, ret_n);
}
