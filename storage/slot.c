/* Key slots: wrapping a key group's secrets and opening them again (docs/format.md §4). */

#include <stdbool.h>
#include <string.h>

#include "base/path.h"
#include "base/text.h"
#include "storage/crypto.h"
#include "storage/keys.h"
#include "storage/slot.h"

/* What this program writes; readers take what the slot says, within bounds. */
#define SCRYPT_LOG_N 16
#define SCRYPT_R 8
#define SCRYPT_P 1

/* --- writing --- */

static enum sp_code
slot_start(const struct sp_keys *k, enum sp_slot_kind kind, const char *label, int64_t now_ns,
    struct sp_slot *ret, struct sp_err *e)
{
    size_t n = strlen(label);

    *ret =
        (struct sp_slot){.info = {.kind = kind, .epoch = sp_keys_epoch(k), .created_ns = now_ns}};
    if (n >= sizeof(ret->info.label) || !sp_utf8_valid(label, n))
        return sp_fail(e, SP_INVALID, SP_DOM_CONFIG,
            "a key slot's label is UTF-8 text of at most %zu bytes", sizeof(ret->info.label) - 1);
    memcpy(ret->info.label, label, n);
    memcpy(ret->info.group, sp_keys_group(k), 16);
    return SP_OK;
}

/* Appends the slot, its secrets wrapped by `kek`. */
static enum sp_code
slot_finish(const struct sp_slot *s, const struct sp_keys *k, const uint8_t kek[32],
    struct sp_buf *ret, struct sp_err *e)
{
    struct sp_buf b = SP_BUF_INIT, secrets = SP_BUF_INIT, wrapped = SP_BUF_INIT;
    enum sp_code rc;

    sp_slot_put_clear(&b, s);
    if ((rc = sp_buf_ok(&b, e)) != SP_OK || (rc = sp_keys_encode(k, &secrets, e)) != SP_OK)
        goto out;
    if (!sp_buf_reserve(&wrapped, secrets.len + SP_GCM_TAG)) {
        rc = sp_buf_ok(&wrapped, e);
        goto out;
    }
    if ((rc = sp_aead_seal(kek, b.data, b.len, secrets.data, secrets.len, wrapped.data, e)) !=
        SP_OK)
        goto out;
    wrapped.len = secrets.len + SP_GCM_TAG;
    sp_slot_put_wrapped(&b, wrapped.data, wrapped.len);
    if ((rc = sp_buf_ok(&b, e)) != SP_OK)
        goto out;
    sp_buf_put(ret, b.data, b.len);
    rc = sp_buf_ok(ret, e);
out:
    sp_buf_wipe(&secrets);
    sp_buf_free(&wrapped);
    sp_buf_free(&b);
    return rc;
}

enum sp_code
sp_slot_seal_passphrase(const struct sp_keys *k, const char *passphrase, const char *label,
    int64_t now_ns, const struct sp_random *r, struct sp_buf *ret, struct sp_err *e)
{
    size_t n = strlen(passphrase);
    uint8_t kek[32];
    struct sp_slot s;
    enum sp_code rc;

    if (n == 0 || !sp_utf8_valid(passphrase, n))
        return sp_fail(e, SP_INVALID, SP_DOM_CONFIG, "a passphrase is UTF-8 text and not empty");
    if ((rc = slot_start(k, SP_SLOT_PASSPHRASE, label, now_ns, &s, e)) != SP_OK)
        return rc;
    s.log_n = SCRYPT_LOG_N;
    s.r = SCRYPT_R;
    s.p = SCRYPT_P;
    if ((rc = sp_random_fill(r, s.info.id, sizeof(s.info.id), e)) == SP_OK &&
        (rc = sp_random_fill(r, s.salt, sizeof(s.salt), e)) == SP_OK &&
        (rc = sp_scrypt(passphrase, n, s.salt, s.log_n, s.r, s.p, kek, e)) == SP_OK)
        rc = slot_finish(&s, k, kek, ret, e);
    sp_wipe(kek, sizeof(kek));
    return rc;
}

static enum sp_code
recovery_kek(const uint8_t secret[32], const uint8_t peer[32], const uint8_t ephemeral[32],
    const uint8_t recipient[32], uint8_t ret[32], struct sp_err *e)
{
    static const char info[] = "stillpoint 1 recovery";
    uint8_t shared[32], salt[64];
    enum sp_code rc;

    memcpy(salt, ephemeral, 32);
    memcpy(salt + 32, recipient, 32);
    if ((rc = sp_x25519(secret, peer, shared, e)) == SP_OK)
        rc = sp_hkdf(shared, 32, salt, sizeof(salt), info, sizeof(info) - 1, ret, 32, e);
    sp_wipe(shared, sizeof(shared));
    return rc;
}

enum sp_code
sp_slot_seal_recovery(const struct sp_keys *k, const uint8_t recipient[32], const char *label,
    int64_t now_ns, const struct sp_random *r, struct sp_buf *ret, struct sp_err *e)
{
    uint8_t secret[32], kek[32];
    struct sp_slot s;
    enum sp_code rc;

    if ((rc = slot_start(k, SP_SLOT_RECOVERY, label, now_ns, &s, e)) != SP_OK)
        return rc;
    memcpy(s.info.recipient, recipient, 32);
    if ((rc = sp_random_fill(r, s.info.id, sizeof(s.info.id), e)) == SP_OK &&
        (rc = sp_random_fill(r, secret, sizeof(secret), e)) == SP_OK &&
        (rc = sp_x25519_public(secret, s.ephemeral, e)) == SP_OK &&
        (rc = recovery_kek(secret, recipient, s.ephemeral, recipient, kek, e)) == SP_OK)
        rc = slot_finish(&s, k, kek, ret, e);
    sp_wipe(secret, sizeof(secret));
    sp_wipe(kek, sizeof(kek));
    return rc;
}

enum sp_code
sp_invitation_public(
    const uint8_t invitation[32], uint8_t ret_id[16], uint8_t ret_proof[32], struct sp_err *e)
{
    uint8_t id[32], proof[32];
    enum sp_code rc;

    if ((rc = sp_derive(invitation, "invitation id", id, e)) != SP_OK ||
        (rc = sp_derive(invitation, "invitation proof", proof, e)) != SP_OK)
        return rc;
    memcpy(ret_id, id, 16);
    memcpy(ret_proof, proof, 32);
    return SP_OK;
}

enum sp_code
sp_slot_seal_invitation(const struct sp_keys *k, const uint8_t invitation[32], const char *label,
    int64_t now_ns, const struct sp_random *r, struct sp_buf *ret, struct sp_err *e)
{
    uint8_t proof[32], kek[32];
    struct sp_slot s;
    enum sp_code rc;

    (void)r; /* all randomness is in the invitation: its holder must find the slot by it */
    if ((rc = slot_start(k, SP_SLOT_INVITATION, label, now_ns, &s, e)) != SP_OK)
        return rc;
    if ((rc = sp_invitation_public(invitation, s.info.id, proof, e)) == SP_OK &&
        (rc = sp_sha256(proof, sizeof(proof), s.info.proof_hash, e)) == SP_OK &&
        (rc = sp_derive(invitation, "invitation wrap", kek, e)) == SP_OK)
        rc = slot_finish(&s, k, kek, ret, e);
    sp_wipe(proof, sizeof(proof));
    sp_wipe(kek, sizeof(kek));
    return rc;
}

/* --- reading --- */

enum sp_code
sp_slot_parse(const void *slot, size_t n, struct sp_slot_info *ret, struct sp_err *e)
{
    struct sp_slot s;
    enum sp_code rc = sp_slot_read(slot, n, &s, e);

    if (rc != SP_OK)
        return rc;
    *ret = s.info;
    ret->work = s.info.kind == SP_SLOT_PASSPHRASE ? sp_scrypt_work(s.log_n, s.r, s.p) : 0;
    return SP_OK;
}

static enum sp_code
slot_read_kind(const void *slot, size_t n, enum sp_slot_kind kind, const char *what,
    struct sp_slot *ret, struct sp_err *e)
{
    struct sp_slot s;
    enum sp_code rc = sp_slot_read(slot, n, &s, e);

    if (rc != SP_OK)
        return rc;
    if (s.info.kind != kind)
        return sp_fail(e, SP_INVALID, SP_DOM_CONFIG, "the key slot is not one that %s opens", what);
    *ret = s;
    return SP_OK;
}

static enum sp_code
slot_unwrap(const struct sp_slot *s, const uint8_t kek[32], const char *what, struct sp_keys **ret,
    struct sp_err *e)
{
    struct sp_buf secrets = SP_BUF_INIT;
    struct sp_keys *k = NULL;
    enum sp_code rc;

    if (!sp_buf_reserve(&secrets, s->wrapped_n + 1)) {
        rc = sp_buf_ok(&secrets, e);
        goto out;
    }
    rc = sp_aead_open(kek, s->ad, s->ad_n, s->wrapped, s->wrapped_n, secrets.data, e);
    if (rc == SP_CORRUPT)
        rc = sp_fail(e, SP_AUTH, SP_DOM_CRYPTO,
            "%s does not open the key slot: it is wrong, or the slot was altered (the two look the "
            "same)",
            what);
    if (rc != SP_OK)
        goto out;
    secrets.len = s->wrapped_n - SP_GCM_TAG;
    if ((rc = sp_keys_decode(secrets.data, secrets.len, &k, e)) != SP_OK)
        goto out;
    if (memcmp(sp_keys_group(k), s->info.group, 16) != 0 || sp_keys_epoch(k) != s->info.epoch) {
        rc = sp_fail(e, SP_CORRUPT, SP_DOM_CRYPTO,
            "the key slot holds other keys than it says: it was made wrongly");
        goto out;
    }
    *ret = k;
    k = NULL;
out:
    sp_keys_free(k);
    sp_buf_wipe(&secrets);
    return rc;
}

enum sp_code
sp_slot_open_passphrase(
    const void *slot, size_t n, const char *passphrase, struct sp_keys **ret, struct sp_err *e)
{
    uint8_t kek[32];
    struct sp_slot s;
    enum sp_code rc;

    if ((rc = slot_read_kind(slot, n, SP_SLOT_PASSPHRASE, "a passphrase", &s, e)) != SP_OK)
        return rc;
    rc = sp_scrypt(passphrase, strlen(passphrase), s.salt, s.log_n, s.r, s.p, kek, e);
    if (rc == SP_OK)
        rc = slot_unwrap(&s, kek, "the passphrase", ret, e);
    sp_wipe(kek, sizeof(kek));
    return rc;
}

enum sp_code
sp_slot_open_recovery(
    const void *slot, size_t n, const uint8_t secret[32], struct sp_keys **ret, struct sp_err *e)
{
    static const char what[] = "the recovery key";
    uint8_t mine[32], kek[32];
    struct sp_slot s;
    enum sp_code rc;

    if ((rc = slot_read_kind(slot, n, SP_SLOT_RECOVERY, "a recovery key", &s, e)) != SP_OK ||
        (rc = sp_x25519_public(secret, mine, e)) != SP_OK)
        return rc;
    if (memcmp(mine, s.info.recipient, 32) != 0)
        return sp_fail(e, SP_AUTH, SP_DOM_CRYPTO,
            "the key slot is for another recovery key, or it was altered");
    rc = recovery_kek(secret, s.ephemeral, s.ephemeral, s.info.recipient, kek, e);
    if (rc == SP_CORRUPT)
        rc =
            sp_fail(e, SP_AUTH, SP_DOM_CRYPTO, "the key slot was altered: %s cannot open it", what);
    if (rc == SP_OK)
        rc = slot_unwrap(&s, kek, what, ret, e);
    sp_wipe(kek, sizeof(kek));
    return rc;
}

enum sp_code
sp_slot_open_invitation(const void *slot, size_t n, const uint8_t invitation[32],
    struct sp_keys **ret, struct sp_err *e)
{
    uint8_t kek[32];
    struct sp_slot s;
    enum sp_code rc;

    if ((rc = slot_read_kind(slot, n, SP_SLOT_INVITATION, "an invitation", &s, e)) != SP_OK ||
        (rc = sp_derive(invitation, "invitation wrap", kek, e)) != SP_OK)
        return rc;
    rc = slot_unwrap(&s, kek, "the invitation", ret, e);
    sp_wipe(kek, sizeof(kek));
    return rc;
}
