#include <stdlib.h>

#include "proto/tls.h"
#include "tests/fuzz/files.h"
#include "tests/fuzz/fuzz.h"

/* `u8 role ‖ bytes`: what a stranger sends before the handshake is over, to a server (even) or a
 * client that enrols: at once and in pieces. No one is let in. */

struct contexts {
    struct sp_tls_context *server, *client;
};

static int64_t
now(void *self)
{
    (void)self;
    return FUZZ_NOW_NS;
}

/* Live until the program ends. */
static const struct contexts *
contexts(void)
{
    static const struct sp_clock clock = {now, now, NULL};
    static struct contexts c;
    const char *const names[] = {"localhost"};
    struct sp_validity v = sp_validity_of(FUZZ_NOW_NS, SP_VALID_SERVER_NS);
    char *authority = NULL, *authority_key = NULL, *chain = NULL, *key = NULL;
    struct sp_tls_server server = {.enrolment = true, .clock = &clock};
    struct sp_tls_client client = {.service = SP_SERVICE_ENROLL, .clock = &clock};
    struct sp_err e = {0};

    if (c.server != NULL)
        return &c;
    FUZZ_OK(sp_cert_authority(v, &authority, &authority_key, &e));
    FUZZ_OK(sp_cert_server(authority, authority_key, names, 1, v, &chain, &key, &e));
    server.chain_pem = chain;
    server.key_pem = key;
    server.authority_pem = authority;
    FUZZ_OK(sp_tls_server_new(&server, &c.server, &e));
    FUZZ_OK(sp_tls_client_new(&client, &c.client, &e));
    sp_pem_free(authority);
    sp_pem_free(authority_key);
    sp_pem_free(chain);
    sp_pem_free(key);
    return &c;
}

static void
run(struct sp_tls_context *c, const uint8_t *p, size_t n, struct fuzz_dice *dice)
{
    struct sp_tls *t = NULL;
    struct sp_err e = {0};
    uint8_t plain[256], cipher[4096];
    size_t got = 0, taken = 0, some;
    enum sp_code rc;

    FUZZ_OK(sp_tls_new(c, &t, &e));
    (void)FUZZ_TRY(sp_tls_read(t, plain, sizeof(plain), &got, &e));
    rc = SP_OK;
    for (size_t at = 0; rc == SP_OK && at < n;) {
        size_t piece = n - at < 65536 ? n - at : 65536;

        if (dice != NULL)
            piece = 1 + fuzz_below(dice, piece < 100 ? piece : 100);
        if ((rc = FUZZ_TRY(sp_tls_feed(t, p + at, piece, &e))) == SP_OK)
            rc = FUZZ_TRY(sp_tls_read(t, plain, sizeof(plain), &got, &e));
        FUZZ_MUST(rc != SP_OK || got == 0);
        at += piece;
    }
    while ((some = sp_tls_take(t, cipher, sizeof(cipher))) > 0)
        taken += some;
    FUZZ_MUST(taken < 65536 && sp_tls_waiting(t) == 0);
    FUZZ_MUST(!sp_tls_ready(t) && sp_tls_peer(t) == NULL);
    sp_tls_free(t);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_dice dice = fuzz_dice_of(data, size);
    struct fuzz_in in = {data, size};
    bool client = (fuzz_u8(&in) & 1) != 0;
    struct sp_tls_context *c = client ? contexts()->client : contexts()->server;

    run(c, in.p, in.n, NULL);
    run(c, in.p, in.n, &dice);
    return 0;
}
