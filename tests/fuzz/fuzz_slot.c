#include <stdlib.h>

#include "base/wire.h"
#include "storage/slot.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/material.h"

/* `u8 what`, then
 *   0  a key slot as it stands
 *   1  `u16 length ‖ fields before the last ‖ secrets`: wrapped under an invitation
 *   2  secrets
 *   3  a host record as it stands
 *   4  the fields of a host record before the last; its MAC is made here */

static const uint8_t invitation[32] = {3, 1, 4};

static void
secrets(const uint8_t *p, size_t n, bool right)
{
    struct sp_keys *k = NULL;
    struct sp_buf b = SP_BUF_INIT;
    struct sp_err e = {0};

    if (FUZZ_TRY(sp_keys_decode(p, n, &k, &e)) != SP_OK) {
        FUZZ_MUST(!right);
        return;
    }
    /* One form: what is understood is written in the very same bytes. */
    FUZZ_OK(sp_keys_encode(k, &b, &e));
    FUZZ_MUST(b.len == n && memcmp(b.data, p, n) == 0);
    FUZZ_MUST(sp_keys_seal(k, sp_keys_epoch(k)) != NULL);
    FUZZ_MUST(sp_keys_seal(k, 0) == NULL);
    sp_keys_free(k);
    sp_buf_wipe(&b);
}

static void
opened(struct sp_keys *k)
{
    struct sp_buf b = SP_BUF_INIT;
    struct sp_err e = {0};

    FUZZ_OK(sp_keys_encode(k, &b, &e));
    secrets(b.data, b.len, true);
    sp_keys_free(k);
    sp_buf_wipe(&b);
}

static void
slot(const uint8_t *p, size_t n)
{
    static const uint8_t recovery[32] = {5, 5, 5};
    struct sp_slot_info info;
    struct sp_slot s;
    struct sp_keys *k = NULL;
    struct sp_buf b = SP_BUF_INIT;
    struct sp_err e = {0};

    if (FUZZ_TRY(sp_slot_parse(p, n, &info, &e)) != SP_OK) {
        FUZZ_MUST(e.code == SP_CORRUPT || e.code == SP_UNSUPPORTED);
        return;
    }
    FUZZ_MUST(memchr(info.label, 0, sizeof(info.label)) != NULL);
    FUZZ_OK(sp_slot_read(p, n, &s, &e));
    FUZZ_MUST(s.ad == p && s.ad_n < n && s.wrapped + s.wrapped_n == p + n);
    sp_slot_put_clear(&b, &s);
    sp_slot_put_wrapped(&b, s.wrapped, s.wrapped_n);
    FUZZ_MUST(!b.failed);
    if (s.wrapped_n > 0) { /* empty is left out, and then it is no slot */
        struct sp_slot again;

        FUZZ_OK(sp_slot_read(b.data, b.len, &again, &e));
        FUZZ_MUST(memcmp(&again.info, &s.info, sizeof(s.info)) == 0);
        FUZZ_MUST(again.wrapped_n == s.wrapped_n);
    }
    sp_buf_free(&b);
    /* scrypt's limits are asked before memory is taken; what would only be slow is not tried. */
    if (info.kind != SP_SLOT_PASSPHRASE || s.log_n > 20 || s.r > 32 || s.p > 16)
        FUZZ_MUST(sp_slot_open_passphrase(p, n, "x", &k, &e) != SP_OK);
    else if (s.log_n <= 6 && s.r <= 8 && s.p <= 2 &&
             FUZZ_TRY(sp_slot_open_passphrase(p, n, "fuzz", &k, &e)) == SP_OK)
        opened(k);
    if (FUZZ_TRY(sp_slot_open_recovery(p, n, recovery, &k, &e)) == SP_OK)
        opened(k);
    if (FUZZ_TRY(sp_slot_open_invitation(p, n, invitation, &k, &e)) == SP_OK)
        opened(k);
}

static void
wrapped(struct fuzz_in *in)
{
    struct fuzz_in clear = fuzz_part(in);
    struct sp_buf b = SP_BUF_INIT;
    struct sp_err e = {0};
    uint8_t kek[32], *sealed = malloc(in->n + SP_GCM_TAG);

    FUZZ_MUST(sealed != NULL);
    FUZZ_OK(sp_derive(invitation, "invitation wrap", kek, &e));
    FUZZ_OK(sp_aead_seal(kek, clear.p, clear.n, in->p, in->n, sealed, &e));
    sp_buf_put(&b, clear.p, clear.n);
    sp_slot_put_wrapped(&b, sealed, in->n + SP_GCM_TAG);
    FUZZ_MUST(!b.failed);
    slot(b.data, b.len);
    sp_buf_free(&b);
    free(sealed);
}

static void
host(const uint8_t *p, size_t n)
{
    struct sp_host h, again;
    struct sp_buf b = SP_BUF_INIT;
    struct sp_err e = {0};
    enum sp_code rc = FUZZ_TRY(sp_host_decode(p, n, NULL, &h, &e)), with;

    with = FUZZ_TRY(sp_host_decode(p, n, fuzz_keys(), &again, &e));
    FUZZ_MUST(with != SP_OK || rc == SP_OK);
    if (rc != SP_OK)
        return;
    FUZZ_MUST(h.nkeys >= 1 && h.nkeys <= 16 && h.name[0] != '\0');
    FUZZ_MUST(memchr(h.name, 0, sizeof(h.name)) != NULL);
    if (with != SP_OK || FUZZ_TRY(sp_host_encode(&h, fuzz_keys(), &b, &e)) != SP_OK)
        return;
    FUZZ_OK(sp_host_decode(b.data, b.len, fuzz_keys(), &again, &e));
    FUZZ_MUST(memcmp(&again, &h, sizeof(h)) == 0);
    sp_buf_free(&b);
}

static void
host_of(const struct fuzz_in *in)
{
    struct sp_span all = {in->p, in->n};
    struct sp_hmac *mac = NULL;
    struct sp_buf b = SP_BUF_INIT;
    struct sp_err e = {0};
    uint8_t code[32];

    FUZZ_OK(sp_hmac_new(sp_keys_mac(fuzz_keys()), &mac, &e));
    FUZZ_OK(sp_hmac(mac, &all, 1, code, &e));
    sp_hmac_free(mac);
    sp_buf_put(&b, in->p, in->n);
    sp_wire_put_bytes(&b, 15, code, sizeof(code));
    FUZZ_MUST(!b.failed);
    host(b.data, b.len);
    sp_buf_free(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_in in = {data, size};

    switch (fuzz_u8(&in) % 5) {
    case 0:
        slot(in.p, in.n);
        break;
    case 1:
        wrapped(&in);
        break;
    case 2:
        secrets(in.p, in.n, false);
        break;
    case 3:
        host(in.p, in.n);
        break;
    default:
        host_of(&in);
        break;
    }
    return 0;
}
