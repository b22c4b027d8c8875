#include <stdlib.h>

#include "base/text.h"
#include "client/invitation.h"
#include "proto/token.h"
#include "tests/fuzz/fuzz.h"

/* `u8 what ‖ bytes`: what people hand on as one line: 0 a token, 1 what is in a token (its check
 * characters are made here), 2 an invitation, 3 the address of a server. */

static void
token(const char *line)
{
    struct sp_token t, again;
    struct sp_buf b = SP_BUF_INIT, b2 = SP_BUF_INIT;
    struct sp_err e = {0};

    memset(&t, 0, sizeof(t));
    memset(&again, 0, sizeof(again));
    if (FUZZ_TRY(sp_token_parse(line, &t, &e)) != SP_OK)
        return;
    FUZZ_OK(sp_token_print(&t, &b, &e));
    FUZZ_OK(sp_token_parse(sp_buf_str(&b), &again, &e));
    FUZZ_MUST(memcmp(&t, &again, sizeof(t)) == 0);
    FUZZ_OK(sp_token_print(&again, &b2, &e));
    FUZZ_MUST(strcmp(sp_buf_str(&b), sp_buf_str(&b2)) == 0);
    sp_buf_free(&b);
    sp_buf_free(&b2);
}

static void
invitation(const char *line)
{
    struct sp_buf b = SP_BUF_INIT;
    struct sp_err e = {0};
    uint8_t secret[32], again[32];

    if (FUZZ_TRY(sp_invitation_parse(line, secret, &e)) != SP_OK)
        return;
    sp_invitation_print(secret, &b);
    FUZZ_OK(sp_invitation_parse(sp_buf_str(&b), again, &e));
    FUZZ_MUST(memcmp(secret, again, 32) == 0);
    sp_buf_free(&b);
}

static void
address(const char *text)
{
    struct sp_err e = {0};
    char host[256];
    uint16_t port = 0;

    if (FUZZ_TRY(sp_address_parse(text, host, &port, &e)) != SP_OK)
        return;
    FUZZ_MUST(port != 0 && memchr(host, 0, sizeof(host)) != NULL);
    FUZZ_MUST(host[0] != '\0' && strpbrk(host, "[] /\\@\n") == NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_in in = {data, size};
    struct sp_buf b = SP_BUF_INIT;
    unsigned what = fuzz_u8(&in) % 4;

    if (what == 1) {
        sp_buf_put_str(&b, "sp1.");
        sp_base32_put(&b, in.p, in.n);
    } else {
        sp_buf_put(&b, in.p, in.n);
    }
    FUZZ_MUST(!b.failed);
    if (what <= 1)
        token(sp_buf_str(&b));
    else if (what == 2)
        invitation(sp_buf_str(&b));
    else
        address(sp_buf_str(&b));
    sp_buf_free(&b);
    return 0;
}
