/* storage/crypto.h against the published vectors; where the interface fixes sizes that no published
 * vector has (scrypt's salt), against python's hashlib and a plain transcription of the RFC. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "storage/crypto.h"
#include "vector.h"

static struct sp_err e;

/* FIPS 180-4, the examples of its companion document. */
static void
sha256(void **state)
{
    (void)state;
    uint8_t h[32];
    struct sp_sha256 *s = NULL;

    assert_ok(sp_sha256(NULL, 0, h, &e));
    assert_hex(h, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_ok(sp_sha256("abc", 3, h, &e));
    assert_hex(h, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");

    assert_ok(sp_sha256_new(&s, &e));
    for (int i = 0; i < 2; i++) { /* the second round: it started over */
        assert_ok(sp_sha256_add(s, "abcdbcdecdefdefgefghfghi", 24, &e));
        assert_ok(sp_sha256_add(s, NULL, 0, &e));
        assert_ok(sp_sha256_add(s, "ghijhijkijkljklmklmnlmnomnopnopq", 32, &e));
        assert_ok(sp_sha256_end(s, h, &e));
        assert_hex(h, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    }
    sp_sha256_free(s);
    sp_sha256_free(NULL);
}

/* RFC 4231, cases 1, 2 and 4: keys shorter than 32 bytes, which HMAC fills up with zeros itself. */
static void
hmac(void **state)
{
    (void)state;
    uint8_t key[32] = {0}, mac[32], data[50];
    struct sp_hmac *h = NULL;

    memset(key, 0x0b, 20);
    assert_ok(sp_hmac_new(key, &h, &e));
    struct sp_span whole = {"Hi There", 8};
    struct sp_span parts[] = {{"Hi", 2}, {NULL, 0}, {" There", 6}};
    for (int i = 0; i < 3; i++) {
        assert_ok(sp_hmac(h, &whole, 1, mac, &e));
        assert_hex(mac, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
        assert_ok(sp_hmac(h, parts, 3, mac, &e));
        assert_hex(mac, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    }
    sp_hmac_free(h);

    memset(key, 0, sizeof(key));
    memcpy(key, "Jefe", 4);
    assert_ok(sp_hmac_new(key, &h, &e));
    struct sp_span what = {"what do ya want for nothing?", 28};
    assert_ok(sp_hmac(h, &what, 1, mac, &e));
    assert_hex(mac, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    sp_hmac_free(h);

    for (uint8_t i = 0; i < 25; i++)
        key[i] = (uint8_t)(i + 1);
    memset(data, 0xcd, sizeof(data));
    assert_ok(sp_hmac_new(key, &h, &e));
    struct sp_span fifty = {data, sizeof(data)};
    assert_ok(sp_hmac(h, &fifty, 1, mac, &e));
    assert_hex(mac, "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b");
    sp_hmac_free(h);
    sp_hmac_free(NULL);
}

/* RFC 5869, appendix A.1 to A.3. */
static void
hkdf(void **state)
{
    (void)state;
    uint8_t ikm[80], salt[80], info[80], okm[82], prk[32];

    memset(ikm, 0x0b, 22);
    for (uint8_t i = 0; i < 13; i++)
        salt[i] = i;
    for (uint8_t i = 0; i < 10; i++)
        info[i] = (uint8_t)(0xf0 + i);
    assert_ok(sp_hkdf(ikm, 22, salt, 13, info, 10, okm, 42, &e));
    assert_hex(okm, "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"
                    "34007208d5b887185865");
    unhex("077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5", prk);
    assert_ok(sp_hkdf_expand(prk, info, 10, okm, &e));
    assert_hex(okm, "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf");

    for (uint8_t i = 0; i < 80; i++) {
        ikm[i] = i;
        salt[i] = (uint8_t)(0x60 + i);
        info[i] = (uint8_t)(0xb0 + i);
    }
    assert_ok(sp_hkdf(ikm, 80, salt, 80, info, 80, okm, 82, &e));
    assert_hex(okm, "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c"
                    "59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71"
                    "cc30c58179ec3e87c14c01d5c1f3434f1d87");

    memset(ikm, 0x0b, 22);
    assert_ok(sp_hkdf(ikm, 22, NULL, 0, NULL, 0, okm, 42, &e));
    assert_hex(okm, "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"
                    "9d201395faa4b61a96c8");

    uint8_t *most = malloc(255 * 32 + 1);
    assert_non_null(most);
    assert_ok(sp_hkdf(ikm, 22, NULL, 0, NULL, 0, most, 255 * 32, &e));
    assert_memory_equal(most, okm, 42);
    assert_rc(sp_hkdf(ikm, 22, NULL, 0, NULL, 0, most, 255 * 32 + 1, &e), SP_INTERNAL);
    free(most);
}

/* derive(x, label) of docs/format.md, computed by python3-cryptography. */
static void
derive(void **state)
{
    (void)state;
    uint8_t x[32], key[32];

    for (uint8_t i = 0; i < 32; i++)
        x[i] = i;
    assert_ok(sp_derive(x, "id", key, &e));
    assert_hex(key, "b03149163e3159e3113f3ae69ff8b24513d468ef65e800e17f1897fcc3486f06");
    assert_rc(
        sp_derive(x, "0123456789012345678901234567890123456789012345678901", key, &e), SP_INTERNAL);
}

/* The GCM specification (McGrew and Viega), cases 13 and 14, whose nonce is zero; then one with
 * additional data, computed by python3-cryptography. */
static void
aead(void **state)
{
    (void)state;
    uint8_t key[32] = {0}, zero[16] = {0}, out[64], back[64];

    assert_ok(sp_aead_seal(key, NULL, 0, NULL, 0, out, &e));
    assert_hex(out, "530f8afbc74536b9a963b4f1c4cb738b");
    assert_ok(sp_aead_open(key, NULL, 0, out, 16, back, &e));
    assert_ok(sp_aead_seal(key, NULL, 0, zero, 16, out, &e));
    assert_hex(out, "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919");

    for (uint8_t i = 0; i < 32; i++)
        key[i] = i;
    assert_ok(sp_aead_seal(key, "header", 6, "plain text", 10, out, &e));
    assert_hex(out, "7ed0d4b7db0cf7d870dcecb141fc3b225a000b493db916d2fc59");
    assert_ok(sp_aead_open(key, "header", 6, out, 26, back, &e));
    assert_memory_equal(back, "plain text", 10);

    /* in place */
    memcpy(back, "plain text", 10);
    assert_ok(sp_aead_seal(key, "header", 6, back, 10, back, &e));
    assert_memory_equal(back, out, 26);
    assert_ok(sp_aead_open(key, "header", 6, back, 26, back, &e));
    assert_memory_equal(back, "plain text", 10);
}

/* Case 13 again, which has nothing to seal; then a message with a number, by python3-cryptography. */
static void
gmac(void **state)
{
    (void)state;
    uint8_t key[32] = {0}, tag[SP_GMAC_SIZE];
    struct sp_gmac *g;

    assert_ok(sp_gmac_new(key, &g, &e));
    assert_ok(sp_gmac(g, 0, NULL, 0, tag, &e));
    assert_hex(tag, "530f8afbc74536b9a963b4f1c4cb738b");
    sp_gmac_free(g);
    for (uint8_t i = 0; i < 32; i++)
        key[i] = i;
    assert_ok(sp_gmac_new(key, &g, &e));
    for (int again = 0; again < 2; again++) { /* none leaves anything behind for the next */
        assert_ok(sp_gmac(g, UINT64_C(0x0102030405060708), "a piece of a stream", 19, tag, &e));
        assert_hex(tag, "47f84425b1d1837f1292562dc90d4e2a");
    }
    assert_ok(sp_gmac(g, 1, "a piece of a stream", 19, tag, &e));
    assert_int_not_equal(tag[0], 0x47);
    sp_gmac_free(g);
    sp_gmac_free(NULL);
}

static void
aead_refuses(void **state)
{
    (void)state;
    uint8_t key[32] = {7}, sealed[26], back[10];
    char ad[] = "header";

    assert_ok(sp_aead_seal(key, ad, 6, "plain text", 10, sealed, &e));
    for (size_t bit = 0; bit < 8 * sizeof(sealed); bit++) {
        sealed[bit / 8] ^= (uint8_t)(1u << bit % 8);
        memset(back, 0xee, sizeof(back));
        assert_rc(sp_aead_open(key, ad, 6, sealed, 26, back, &e), SP_CORRUPT);
        for (size_t i = 0; i < sizeof(back); i++)
            assert_int_equal(back[i], 0);
        sealed[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t n = 0; n < sizeof(sealed); n++)
        assert_rc(sp_aead_open(key, ad, 6, sealed, n, back, &e), SP_CORRUPT);
    assert_rc(sp_aead_open(key, ad, 5, sealed, 26, back, &e), SP_CORRUPT);
    ad[0] = 'H';
    assert_rc(sp_aead_open(key, ad, 6, sealed, 26, back, &e), SP_CORRUPT);
    ad[0] = 'h';
    key[31] ^= 1;
    assert_rc(sp_aead_open(key, ad, 6, sealed, 26, back, &e), SP_CORRUPT);
    key[31] ^= 1;
    assert_ok(sp_aead_open(key, ad, 6, sealed, 26, back, &e));
}

/* RFC 7914's own vectors have shorter salts than ours. These come from a transcription of its text
 * in python that gives the vectors of its section 12, and from hashlib.scrypt. */
static void
scrypt(void **state)
{
    (void)state;
    uint8_t salt[16], key[32], before[32];

    for (uint8_t i = 0; i < 16; i++)
        salt[i] = i;
    assert_ok(sp_scrypt("password", 8, salt, 4, 1, 1, key, &e));
    assert_hex(key, "94512e33c45a0549991de97375b4d1b1ec4a19d25def29220d10f314459dacc1");
    assert_ok(sp_scrypt("pleaseletmein", 13, salt, 6, 8, 3, key, &e));
    assert_hex(key, "9103a84382b35293599b3e8e6c13758ed761df1b7f8e0094cc92994b7372c4e9");
    memset(salt, 0, sizeof(salt));
    assert_ok(sp_scrypt("", 0, salt, 4, 1, 1, key, &e));
    assert_hex(key, "b2972034c2bf1a57feb1115e69387a00e4b7d086511502f8e53cbf9dd2ba17bc");

    static const struct {
        unsigned log_n, r, p;
    } refused[] = {{0, 8, 1}, {21, 1, 1}, {64, 8, 1}, {200, 8, 1}, {16, 0, 1}, {16, 33, 1},
        {16, 8, 0}, {16, 8, 17}, {20, 9, 1}, {19, 17, 1}, {~0u, ~0u, ~0u}};
    memcpy(before, key, 32);
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        assert_rc(sp_scrypt("x", 1, salt, refused[i].log_n, refused[i].r, refused[i].p, key, &e),
            SP_REFUSED);
    assert_memory_equal(before, key, 32);
}

/* RFC 7748, 5.2 and 6.1. */
static void
x25519(void **state)
{
    (void)state;
    uint8_t k[32], u[32], out[32], a[32], b[32], pa[32], pb[32];

    unhex("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4", k);
    unhex("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c", u);
    assert_ok(sp_x25519(k, u, out, &e));
    assert_hex(out, "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552");

    unhex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a", a);
    unhex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb", b);
    assert_ok(sp_x25519_public(a, pa, &e));
    assert_hex(pa, "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a");
    assert_ok(sp_x25519_public(b, pb, &e));
    assert_hex(pb, "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
    assert_ok(sp_x25519(a, pb, out, &e));
    assert_hex(out, "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
    assert_ok(sp_x25519(b, pa, out, &e));
    assert_hex(out, "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
}

/* Points of small order: 0, 1, one of order 8, p - 1, p, p + 1. */
static void
x25519_low_order(void **state)
{
    (void)state;
    static const char *const points[] = {
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    };
    uint8_t k[32] = {1, 2, 3}, u[32], out[32];

    for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++) {
        unhex(points[i], u);
        assert_rc(sp_x25519(k, u, out, &e), SP_CORRUPT);
    }
}

/* RFC 8032, 7.1, tests 1 and 2. */
static void
ed25519(void **state)
{
    (void)state;
    uint8_t secret[32], public_key[32], signature[64];

    unhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60", secret);
    assert_ok(sp_ed25519_public(secret, public_key, &e));
    assert_hex(public_key, "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
    assert_ok(sp_ed25519_sign(secret, NULL, 0, signature, &e));
    assert_hex(signature, "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb88215"
                          "90a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b");
    assert_ok(sp_ed25519_verify(public_key, NULL, 0, signature, &e));

    unhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb", secret);
    assert_ok(sp_ed25519_public(secret, public_key, &e));
    assert_hex(public_key, "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
    assert_ok(sp_ed25519_sign(secret, "\x72", 1, signature, &e));
    assert_hex(signature, "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e4"
                          "3e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00");
    assert_ok(sp_ed25519_verify(public_key, "\x72", 1, signature, &e));

    for (size_t bit = 0; bit < 8 * sizeof(signature); bit++) {
        signature[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_rc(sp_ed25519_verify(public_key, "\x72", 1, signature, &e), SP_CORRUPT);
        signature[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_rc(sp_ed25519_verify(public_key, "\x73", 1, signature, &e), SP_CORRUPT);
    for (size_t bit = 0; bit < 8 * sizeof(public_key); bit++) { /* some are no points at all */
        public_key[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_rc(sp_ed25519_verify(public_key, "\x72", 1, signature, &e), SP_CORRUPT);
        public_key[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sha256),
        cmocka_unit_test(hmac),
        cmocka_unit_test(hkdf),
        cmocka_unit_test(derive),
        cmocka_unit_test(aead),
        cmocka_unit_test(gmac),
        cmocka_unit_test(aead_refuses),
        cmocka_unit_test(scrypt),
        cmocka_unit_test(x25519),
        cmocka_unit_test(x25519_low_order),
        cmocka_unit_test(ed25519),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
