#include <stdlib.h>

#include "base/buf.h"
#include "base/clock.h"
#include "proto/cert.h"
#include "tests/fuzz/files.h"
#include "tests/fuzz/fuzz.h"

/* `u8 what ‖ bytes`: 0 a certificate's PEM text, 1 its DER bytes (the text is made here), 2 a
 * certificate request's text, 3 its bytes. */

struct authority {
    char *cert, *key;
};

/* Lives until the program ends. */
static const struct authority *
authority(void)
{
    static struct authority a;
    struct sp_err e = {0};

    if (a.cert == NULL)
        FUZZ_OK(sp_cert_authority(
            sp_validity_of(FUZZ_NOW_NS, SP_VALID_AUTHORITY_NS), &a.cert, &a.key, &e));
    return &a;
}

static char *
pem(const char *what, const uint8_t *p, size_t n)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    struct sp_buf b = SP_BUF_INIT;
    uint8_t *text;
    size_t len;
    struct sp_err e = {0};

    sp_buf_printf(&b, "-----BEGIN %s-----\n", what);
    for (size_t i = 0; i < n; i += 3) {
        uint32_t v = (uint32_t)p[i] << 16 | (i + 1 < n ? (uint32_t)p[i + 1] << 8 : 0) |
                     (i + 2 < n ? p[i + 2] : 0);

        for (unsigned k = 0; k < 4; k++)
            sp_buf_put_u8(&b, k > n - i ? '=' : (uint8_t)digits[v >> (18 - 6 * k) & 63]);
        if (i % 48 == 45)
            sp_buf_put_u8(&b, '\n');
    }
    sp_buf_printf(&b, "\n-----END %s-----\n", what);
    sp_buf_put_u8(&b, 0);
    FUZZ_OK(sp_buf_take(&b, &text, &len, &e));
    return (char *)text;
}

static void
certificate(const char *text)
{
    struct sp_cert_info info;
    struct sp_err e = {0};
    char *last = NULL;

    if (FUZZ_TRY(sp_cert_info(text, &info, &e)) == SP_OK) {
        FUZZ_MUST(memchr(info.name, 0, sizeof(info.name)) != NULL);
        (void)sp_validity_renew(&info.valid, FUZZ_NOW_NS);
        (void)FUZZ_TRY(sp_cert_matches(text, authority()->key, &e));
    }
    if (FUZZ_TRY(sp_cert_last(text, &last, &e)) == SP_OK) /* which may have impossible times */
        (void)FUZZ_TRY(sp_cert_info(last, &info, &e));
    sp_pem_free(last);
}

static void
request(const char *text)
{
    static const uint8_t host[16] = {0xab};
    struct sp_cert_info info, last_info;
    struct sp_err e = {0};
    char *chain = NULL, *last = NULL;

    if (FUZZ_TRY(sp_cert_issue(authority()->cert, authority()->key, text, strlen(text), host,
            sp_validity_of(FUZZ_NOW_NS, SP_VALID_HOST_NS), &chain, &info, &e)) != SP_OK)
        return;
    FUZZ_MUST(strcmp(info.name, "ab000000000000000000000000000000") == 0 && !info.authority);
    FUZZ_OK(sp_cert_last(chain, &last, &e));
    FUZZ_OK(sp_cert_info(last, &last_info, &e));
    FUZZ_MUST(last_info.authority);
    sp_pem_free(chain);
    sp_pem_free(last);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_in in = {data, size};
    unsigned what = fuzz_u8(&in) % 4;
    struct sp_buf b = SP_BUF_INIT;
    char *made = NULL;
    const char *text;

    sp_buf_put(&b, in.p, in.n);
    text = sp_buf_str(&b);
    if ((what & 1) != 0)
        text = made = pem(what == 1 ? "CERTIFICATE" : "CERTIFICATE REQUEST", in.p, in.n);
    if (what < 2)
        certificate(text);
    else
        request(text);
    free(made);
    sp_buf_free(&b);
    return 0;
}
