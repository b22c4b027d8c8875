/* storage/keys.h: the secrets and the slots, against vectors computed from docs/format.md alone
 * with python3-cryptography; wrong and altered slots. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/wire.h"
#include "storage/crypto.h"
#include "storage/keys.h"
#include "vector.h"

static struct sp_err e;

static const char slot_passphrase[] =
    "08011210dd46e3f67b5028e8e34c131cde5a59091a10101112131415161718191a1b1c1d1e1f2001"
    "280330819cbca9928a96f5183a0570617065724004480850015a10000102030405060708090a0b0c"
    "0d0e0f7a7b0b4cd2daa4482ea13f181a876fb575942e6ae91dba735c68869329e0552cafd4b8ceb4"
    "18e7290be76998d4c6fc58a306e479f0dfff6c225d333b5cb97126c397f01a361f9e6122eb6f9eda"
    "bc43f5f61d84f8a82058ac96ba37c45bcb39131adffccf0dabdc73fcba1b74ba5e9144bff272cc55"
    "a4142abb5412110c";
static const char slot_recovery[] =
    "08011210dd46e3f67b5028e8e34c131cde5a59091a10303132333435363738393a3b3c3d3e3f2002"
    "280330819cbca9928a96f51862207d9c24316539825c1896e57f28197746793ce60cbee3ad47da9d"
    "07b85fa55e2a6a204d5bab89b0733d9d8dcecf04f321c90b761b7765a6bdb2bddbfad3e7abdf1f66"
    "7a7b240ab6cde075f5d23f622b1bad807429a05fabfaaca958d94aa872382675f41b065d0015f188"
    "99863220a33ff68ab983fb3c097d1e223facc3a6bbf92a939acd20e02b6b019dbe30e7640512f3ed"
    "247d3dc7d164ba039fc3fcad5d0ce6d547d9590e4e309adec70cd2bf5b76390fce00858677d9641c"
    "49616108c6";
static const char slot_invitation[] =
    "08011210dd46e3f67b5028e8e34c131cde5a59091a10ee30e0a4f9690f60ef2ab1a9f086632d2003"
    "280330819cbca9928a96f5183a07746f206a6f696e72204b8cb21b6764b2845a22b21660545026d1"
    "67aec4174e1e5c7c3d76d4c64e8f1c7a7b75dbcc32e9457438d2520618dcd40ad2361e8a847fe966"
    "29ca17c466195dc34db8b42056913f373d747fced10fd5a4ceb77c2b34b4c4070437190428599a25"
    "340409348ebf94682c439b8cee58d06ef1ecbc34a77ec2353c68304e270911b7cf5553b71760a810"
    "d30e9838bc021ea3871edb56b0ddbc12f216f840";

struct bytes {
    uint8_t p[1024];
    size_t n;
};

static struct bytes
bytes_of(const char *hex)
{
    struct bytes b;

    b.n = strlen(hex) / 2;
    assert_true(b.n <= sizeof(b.p));
    unhex(hex, b.p);
    return b;
}

static struct sp_keys *
vector_keys(void)
{
    struct bytes b = bytes_of(vector_secrets);
    struct sp_keys *k = NULL;

    assert_ok(sp_keys_decode(b.p, b.n, &k, &e));
    return k;
}

static void
assert_same_keys(const struct sp_keys *a, const struct sp_keys *b)
{
    struct sp_buf x = SP_BUF_INIT, y = SP_BUF_INIT;

    assert_ok(sp_keys_encode(a, &x, &e));
    assert_ok(sp_keys_encode(b, &y, &e));
    assert_int_equal(x.len, y.len);
    assert_memory_equal(x.data, y.data, x.len);
    sp_buf_wipe(&x);
    sp_buf_wipe(&y);
}

static void
known_keys(void **state)
{
    (void)state;
    struct sp_keys *k = vector_keys();
    struct sp_buf b = SP_BUF_INIT;

    assert_hex(sp_keys_group(k), "dd46e3f67b5028e8e34c131cde5a5909");
    assert_hex(sp_keys_id(k), "8870adc8fccb96b05296c9a936bd925ae2de91eaacaeac6050866a4043f39eaf");
    assert_hex(
        sp_keys_split(k), "402ec9e31c65f1c2d733bf16b4cf6c50034c7ef9be0d14e740f14dc9abdf0d5b");
    assert_hex(sp_keys_mac(k), "5f2967db1078ec53d8be145a941290e19c64f84274505f078362af5d787d3da5");
    assert_int_equal(sp_keys_epoch(k), 3);
    assert_hex(
        sp_keys_seal(k, 1), "2122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f40");
    assert_hex(
        sp_keys_seal(k, 3), "4142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f60");
    assert_null(sp_keys_seal(k, 0));
    assert_null(sp_keys_seal(k, 2));
    assert_null(sp_keys_seal(k, 4));
    assert_ok(sp_keys_encode(k, &b, &e));
    assert_int_equal(b.len, strlen(vector_secrets) / 2);
    assert_hex(b.data, "010102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20020001000"
                       "0002122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f4003000000"
                       "4142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f60");
    sp_buf_wipe(&b);
    sp_keys_free(k);
    sp_keys_free(NULL);
}

static void
generated(void **state)
{
    (void)state;
    struct sp_keys *a = NULL, *b = NULL, *next = NULL, *back = NULL;
    struct sp_buf buf = SP_BUF_INIT;

    assert_ok(sp_keys_generate(&sp_random_system, &a, &e));
    assert_ok(sp_keys_generate(&sp_random_system, &b, &e));
    assert_memory_not_equal(sp_keys_group(a), sp_keys_group(b), 16);
    assert_memory_not_equal(sp_keys_seal(a, 1), sp_keys_seal(b, 1), 32);
    assert_int_equal(sp_keys_epoch(a), 1);

    assert_ok(sp_keys_rotate(a, &sp_random_system, &next, &e));
    assert_int_equal(sp_keys_epoch(next), 2);
    assert_memory_equal(sp_keys_group(a), sp_keys_group(next), 16);
    assert_memory_equal(sp_keys_id(a), sp_keys_id(next), 32);
    assert_memory_equal(sp_keys_seal(a, 1), sp_keys_seal(next, 1), 32);
    assert_memory_not_equal(sp_keys_seal(next, 1), sp_keys_seal(next, 2), 32);
    assert_null(sp_keys_seal(a, 2));

    assert_ok(sp_keys_encode(next, &buf, &e));
    assert_ok(sp_keys_decode(buf.data, buf.len, &back, &e));
    assert_same_keys(next, back);
    sp_buf_wipe(&buf);
    sp_keys_free(a);
    sp_keys_free(b);
    sp_keys_free(next);
    sp_keys_free(back);
}

static enum sp_code
no_random(void *self, void *to, size_t n, struct sp_err *err)
{
    int *left = self;

    if ((*left)-- == 0)
        return sp_fail(err, SP_IO, SP_DOM_SELF, "no random bytes today");
    memset(to, 1, n);
    return SP_OK;
}

static void
random_fails(void **state)
{
    (void)state;
    struct sp_keys *k = vector_keys(), *none = NULL;
    struct sp_buf b = SP_BUF_INIT;
    uint8_t recipient[32];
    int left;
    const struct sp_random r = {no_random, &left};

    unhex("4d5bab89b0733d9d8dcecf04f321c90b761b7765a6bdb2bddbfad3e7abdf1f66", recipient);
    for (int n = 0; n < 2; n++) {
        left = n;
        assert_rc(sp_keys_generate(&r, &none, &e), SP_IO);
        left = n;
        assert_rc(sp_slot_seal_passphrase(k, "x", "", 0, &r, &b, &e), SP_IO);
        left = n;
        assert_rc(sp_slot_seal_recovery(k, recipient, "", 0, &r, &b, &e), SP_IO);
    }
    left = 0;
    assert_rc(sp_keys_rotate(k, &r, &none, &e), SP_IO);
    assert_null(none);
    assert_int_equal(b.len, 0);
    sp_buf_free(&b);
    sp_keys_free(k);
}

static void
malformed_secrets(void **state)
{
    (void)state;
    struct bytes good = bytes_of(vector_secrets), b;
    struct sp_keys *k = NULL;

    for (size_t n = 0; n < good.n; n++)
        assert_rc(sp_keys_decode(good.p, n, &k, &e), SP_CORRUPT);
    b = good;
    b.p[b.n++] = 0;
    assert_rc(sp_keys_decode(b.p, b.n, &k, &e), SP_CORRUPT);
    b = good;
    b.p[0] = 2;
    assert_rc(sp_keys_decode(b.p, b.n, &k, &e), SP_UNSUPPORTED);
    b = good;
    b.p[33] = 0; /* no epoch */
    assert_rc(sp_keys_decode(b.p, 35, &k, &e), SP_CORRUPT);
    b = good;
    b.p[33] = b.p[34] = 0xff; /* more epochs than bytes */
    assert_rc(sp_keys_decode(b.p, b.n, &k, &e), SP_CORRUPT);
    b = good;
    b.p[35] = 3; /* 3, 3 */
    assert_rc(sp_keys_decode(b.p, b.n, &k, &e), SP_CORRUPT);
    b = good;
    b.p[35] = 0; /* 0, 3 */
    assert_rc(sp_keys_decode(b.p, b.n, &k, &e), SP_CORRUPT);
    assert_null(k);
}

static void
last_epoch(void **state)
{
    (void)state;
    struct bytes b = bytes_of(vector_secrets);
    struct sp_keys *k = NULL, *next = NULL;

    memset(b.p + 35 + 36, 0xff, 4);
    assert_ok(sp_keys_decode(b.p, b.n, &k, &e));
    assert_int_equal(sp_keys_epoch(k), UINT32_MAX);
    assert_rc(sp_keys_rotate(k, &sp_random_system, &next, &e), SP_REFUSED);
    assert_null(next);
    sp_keys_free(k);
}

static void
known_slots(void **state)
{
    (void)state;
    struct bytes pw = bytes_of(slot_passphrase), rec = bytes_of(slot_recovery),
                 inv = bytes_of(slot_invitation);
    struct sp_keys *want = vector_keys(), *k = NULL;
    struct sp_slot_info info;
    uint8_t secret[32], invitation[32], id[16], proof[32];

    assert_ok(sp_slot_parse(pw.p, pw.n, &info, &e));
    assert_hex(info.group, "dd46e3f67b5028e8e34c131cde5a5909");
    assert_hex(info.id, "101112131415161718191a1b1c1d1e1f");
    assert_int_equal(info.kind, SP_SLOT_PASSPHRASE);
    assert_int_equal(info.epoch, 3);
    assert_true(info.created_ns == INT64_C(1795344507000000001));
    assert_string_equal(info.label, "paper");
    assert_ok(sp_slot_open_passphrase(pw.p, pw.n, "Gr\xc3\xbc\xc3\x9f\x65", &k, &e));
    assert_same_keys(want, k);
    sp_keys_free(k);

    for (uint8_t i = 0; i < 32; i++) {
        secret[i] = (uint8_t)(200 + i);
        invitation[i] = (uint8_t)(150 + i);
    }
    assert_ok(sp_slot_parse(rec.p, rec.n, &info, &e));
    assert_int_equal(info.kind, SP_SLOT_RECOVERY);
    assert_string_equal(info.label, "");
    assert_hex(info.recipient, "4d5bab89b0733d9d8dcecf04f321c90b761b7765a6bdb2bddbfad3e7abdf1f66");
    assert_ok(sp_slot_open_recovery(rec.p, rec.n, secret, &k, &e));
    assert_same_keys(want, k);
    sp_keys_free(k);

    assert_ok(sp_invitation_public(invitation, id, proof, &e));
    assert_hex(id, "ee30e0a4f9690f60ef2ab1a9f086632d");
    assert_hex(proof, "3989d3ebcfd68cb58dcba8a129854094713311c644396da72f555e141fd19d39");
    assert_ok(sp_slot_parse(inv.p, inv.n, &info, &e));
    assert_int_equal(info.kind, SP_SLOT_INVITATION);
    assert_memory_equal(info.id, id, 16);
    assert_ok(sp_sha256(proof, 32, proof, &e));
    assert_memory_equal(info.proof_hash, proof, 32);
    assert_ok(sp_slot_open_invitation(inv.p, inv.n, invitation, &k, &e));
    assert_same_keys(want, k);
    sp_keys_free(k);

    /* each by the wrong door, and with the wrong key */
    k = NULL;
    assert_rc(sp_slot_open_passphrase(rec.p, rec.n, "x", &k, &e), SP_INVALID);
    assert_rc(sp_slot_open_recovery(inv.p, inv.n, secret, &k, &e), SP_INVALID);
    assert_rc(sp_slot_open_invitation(pw.p, pw.n, invitation, &k, &e), SP_INVALID);
    assert_rc(sp_slot_open_passphrase(pw.p, pw.n, "Gruesse", &k, &e), SP_AUTH);
    assert_rc(sp_slot_open_passphrase(pw.p, pw.n, "", &k, &e), SP_AUTH);
    secret[5] ^= 1;
    invitation[5] ^= 1;
    assert_rc(sp_slot_open_recovery(rec.p, rec.n, secret, &k, &e), SP_AUTH);
    assert_rc(sp_slot_open_invitation(inv.p, inv.n, invitation, &k, &e), SP_AUTH);
    assert_null(k);
    sp_keys_free(want);
}

static void
sealed_and_opened(void **state)
{
    (void)state;
    struct sp_keys *want = NULL, *k = NULL;
    struct sp_buf b = SP_BUF_INIT, c = SP_BUF_INIT;
    struct sp_slot_info info;
    uint8_t secret[32], recipient[32];

    assert_ok(sp_keys_generate(&sp_random_system, &want, &e));
    sp_buf_put_str(&b, "before");
    assert_ok(
        sp_slot_seal_passphrase(want, "correct horse", "desk", 77, &sp_random_system, &b, &e));
    assert_memory_equal(b.data, "before", 6);
    assert_ok(sp_slot_parse(b.data + 6, b.len - 6, &info, &e));
    assert_string_equal(info.label, "desk");
    assert_true(info.created_ns == 77);
    assert_memory_equal(info.group, sp_keys_group(want), 16);
    assert_ok(sp_slot_open_passphrase(b.data + 6, b.len - 6, "correct horse", &k, &e));
    assert_same_keys(want, k);
    sp_keys_free(k);
    sp_buf_free(&b);

    memset(secret, 9, 32);
    assert_ok(sp_x25519_public(secret, recipient, &e));
    assert_ok(sp_slot_seal_recovery(want, recipient, "", -5, &sp_random_system, &b, &e));
    assert_ok(sp_slot_seal_recovery(want, recipient, "", -5, &sp_random_system, &c, &e));
    assert_int_equal(b.len, c.len);
    assert_memory_not_equal(b.data, c.data, b.len);
    assert_ok(sp_slot_parse(b.data, b.len, &info, &e));
    assert_true(info.created_ns == -5);
    assert_ok(sp_slot_open_recovery(b.data, b.len, secret, &k, &e));
    assert_same_keys(want, k);
    sp_keys_free(k);
    sp_buf_free(&b);
    sp_buf_free(&c);

    assert_ok(sp_slot_seal_invitation(want, secret, "new member", 1, &sp_random_system, &b, &e));
    assert_ok(sp_slot_open_invitation(b.data, b.len, secret, &k, &e));
    assert_same_keys(want, k);
    sp_keys_free(k);
    sp_buf_free(&b);

    /* refused, and nothing is appended */
    char label[129];
    memset(label, 'x', 128);
    label[128] = '\0';
    memset(recipient, 0, 32);
    assert_rc(
        sp_slot_seal_invitation(want, secret, label, 1, &sp_random_system, &b, &e), SP_INVALID);
    assert_rc(
        sp_slot_seal_invitation(want, secret, "\xff", 1, &sp_random_system, &b, &e), SP_INVALID);
    assert_rc(sp_slot_seal_passphrase(want, "", "", 1, &sp_random_system, &b, &e), SP_INVALID);
    assert_rc(sp_slot_seal_passphrase(want, "\xff", "", 1, &sp_random_system, &b, &e), SP_INVALID);
    assert_rc(sp_slot_seal_recovery(want, recipient, "", 1, &sp_random_system, &b, &e), SP_CORRUPT);
    assert_int_equal(b.len, 0);
    label[127] = '\0';
    assert_ok(sp_slot_seal_invitation(want, secret, label, 1, &sp_random_system, &b, &e));
    assert_ok(sp_slot_parse(b.data, b.len, &info, &e));
    assert_string_equal(info.label, label);
    sp_buf_free(&b);
    sp_keys_free(want);
}

/* What an altered slot may answer: wrong, malformed, not known, of another kind; never keys. */
static void
assert_refused(enum sp_code rc)
{
    assert_true(rc == SP_AUTH || rc == SP_CORRUPT || rc == SP_UNSUPPORTED || rc == SP_INVALID);
}

static void
altered_slots(void **state)
{
    (void)state;
    struct bytes rec = bytes_of(slot_recovery), inv = bytes_of(slot_invitation),
                 pw = bytes_of(slot_passphrase);
    struct sp_keys *k = NULL;
    uint8_t secret[32], invitation[32];

    for (uint8_t i = 0; i < 32; i++) {
        secret[i] = (uint8_t)(200 + i);
        invitation[i] = (uint8_t)(150 + i);
    }
    for (size_t bit = 0; bit < 8 * rec.n; bit++) {
        rec.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_refused(sp_slot_open_recovery(rec.p, rec.n, secret, &k, &e));
        rec.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t bit = 0; bit < 8 * inv.n; bit++) {
        inv.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_refused(sp_slot_open_invitation(inv.p, inv.n, invitation, &k, &e));
        inv.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    /* Cut short: a copy of its own, so that the sanitizer sees a look beyond the end. */
    for (size_t n = 0; n < inv.n; n++) {
        uint8_t *own = malloc(n + 1);
        assert_non_null(own);
        memcpy(own + 1, inv.p, n);
        assert_refused(sp_slot_open_invitation(own + 1, n, invitation, &k, &e));
        memcpy(own + 1, pw.p, n);
        assert_refused(sp_slot_open_passphrase(own + 1, n, "x", &k, &e));
        free(own);
    }
    rec.p[rec.n++] = 0x08; /* a field behind `wrapped` */
    rec.p[rec.n++] = 0x01;
    assert_rc(sp_slot_open_recovery(rec.p, rec.n, secret, &k, &e), SP_CORRUPT);
    assert_null(k);
}

/* A slot as another program might write it: with a field that this one does not know. */
static void
foreign_slot(void **state)
{
    (void)state;
    struct bytes secrets = bytes_of(vector_secrets);
    struct sp_keys *want = vector_keys(), *k = NULL;
    struct sp_slot_info info;
    uint8_t invitation[32] = {1}, id[16], proof[32], kek[32], wrapped[256];

    assert_ok(sp_invitation_public(invitation, id, proof, &e));
    assert_ok(sp_derive(invitation, "invitation wrap", kek, &e));
    for (int wrong = 0; wrong < 5; wrong++) {
        struct sp_buf b = SP_BUF_INIT;
        sp_wire_put_uint(&b, 1, wrong == 1 ? 2 : 1);
        sp_wire_put_bytes(&b, 2, wrong == 2 ? id : sp_keys_group(want), 16);
        sp_wire_put_bytes(&b, 3, id, 16);
        sp_wire_put_uint(&b, 4, wrong == 3 ? 4 : 3);
        sp_wire_put_uint(&b, 5, wrong == 4 ? 2 : 3);
        sp_wire_put_bytes(&b, 14, proof, 32);
        sp_wire_put_bytes(&b, 1000, "from the future", 15);
        assert_ok(sp_aead_seal(kek, b.data, b.len, secrets.p, secrets.n, wrapped, &e));
        sp_wire_put_bytes(&b, 15, wrapped, secrets.n + 16);
        assert_ok(sp_buf_ok(&b, &e));
        if (wrong == 0) {
            assert_ok(sp_slot_open_invitation(b.data, b.len, invitation, &k, &e));
            assert_same_keys(want, k);
            sp_keys_free(k);
            k = NULL;
        } else {
            /* another version or kind; a group or epoch that is not inside */
            assert_rc(sp_slot_open_invitation(b.data, b.len, invitation, &k, &e),
                wrong % 2 == 1 ? SP_UNSUPPORTED : SP_CORRUPT);
            assert_rc(
                sp_slot_parse(b.data, b.len, &info, &e), wrong % 2 == 1 ? SP_UNSUPPORTED : SP_OK);
        }
        sp_buf_free(&b);
    }
    sp_keys_free(want);
}

/* The passphrase slot of the vectors with other costs: refused before memory is taken for them. */
static void
greedy_slot(void **state)
{
    (void)state;
    static const uint32_t costs[][3] = {
        {21, 8, 1}, {20, 16, 1}, {16, 33, 1}, {16, 8, 17}, {UINT32_MAX, UINT32_MAX, UINT32_MAX}};
    uint8_t some[60] = {1};
    struct sp_keys *k = NULL;

    for (size_t i = 0; i < sizeof(costs) / sizeof(costs[0]); i++) {
        struct sp_buf b = SP_BUF_INIT;
        sp_wire_put_uint(&b, 1, 1);
        sp_wire_put_bytes(&b, 2, some, 16);
        sp_wire_put_bytes(&b, 3, some, 16);
        sp_wire_put_uint(&b, 4, 1);
        sp_wire_put_uint(&b, 5, 1);
        for (uint32_t f = 0; f < 3; f++)
            sp_wire_put_uint(&b, 8 + f, costs[i][f]);
        sp_wire_put_bytes(&b, 11, some, 16);
        sp_wire_put_bytes(&b, 15, some, 60);
        assert_ok(sp_buf_ok(&b, &e));
        assert_rc(sp_slot_open_passphrase(b.data, b.len, "x", &k, &e), SP_REFUSED);
        sp_buf_free(&b);
    }
    assert_null(k);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_keys),
        cmocka_unit_test(generated),
        cmocka_unit_test(random_fails),
        cmocka_unit_test(malformed_secrets),
        cmocka_unit_test(last_epoch),
        cmocka_unit_test(known_slots),
        cmocka_unit_test(sealed_and_opened),
        cmocka_unit_test(altered_slots),
        cmocka_unit_test(foreign_slot),
        cmocka_unit_test(greedy_slot),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
