#include "support.h"

#include "base/text.h"

/* 0x233, the published check value of CRC-10/CDMA2000, is the "HK" at the end of the first. */
static void
known_codes(void **state)
{
    struct sp_buf b = SP_BUF_INIT;
    uint8_t key[32];

    (void)state;
    sp_base32_put(&b, "123456789", 9);
    assert_string_equal(sp_buf_str(&b), "64S36-D1N6R-VKGE8-HK");
    sp_buf_reset(&b);
    sp_base32_put(&b, "", 0);
    assert_string_equal(sp_buf_str(&b), "ZZ");
    sp_buf_reset(&b);
    for (size_t i = 0; i < sizeof(key); i++)
        key[i] = (uint8_t)i;
    sp_base32_put(&b, key, sizeof(key));
    assert_string_equal(
        sp_buf_str(&b), "000G4-0R40M-30E20-9185G-R38E1-W8124-GK2GA-HC5RR-34D1P-70X3R-FGM3");
    sp_buf_free(&b);
}

static void
every_length_comes_back(void **state)
{
    uint8_t in[70];

    (void)state;
    for (size_t i = 0; i < sizeof(in); i++)
        in[i] = (uint8_t)(255 - i * 37);
    for (size_t n = 0; n <= sizeof(in); n++) {
        struct sp_buf text = SP_BUF_INIT, out = SP_BUF_INIT;

        sp_base32_put(&text, in, n);
        sp_buf_put_str(&out, "kept");
        assert_ok(sp_base32_parse(sp_buf_str(&text), &out, e));
        assert_int_equal(out.len, 4 + n);
        assert_memory_equal(out.data, "kept", 4);
        if (n > 0)
            assert_memory_equal(out.data + 4, in, n);
        sp_buf_free(&text);
        sp_buf_free(&out);
    }
}

static void
as_people_write_it(void **state)
{
    struct sp_buf out = SP_BUF_INIT;
    uint8_t key[32];

    (void)state;
    for (size_t i = 0; i < sizeof(key); i++)
        key[i] = (uint8_t)i;
    assert_ok(sp_base32_parse(
        " oOog4Or4om3oe2o 9i85g-r38el\tw8L24gk2gahc5rr34dIp7ox3rfgm3\r\n", &out, e));
    assert_int_equal(out.len, 32);
    assert_memory_equal(out.data, key, 32);
    sp_buf_free(&out);
}

static void
wrong(const char *text)
{
    struct sp_buf out = SP_BUF_INIT;

    assert_code(SP_INVALID, sp_base32_parse(text, &out, e));
    assert_int_equal(out.len, 0);
    sp_buf_free(&out);
}

static void
mistakes_are_seen(void **state)
{
    struct sp_err err = {0};
    struct sp_buf out = SP_BUF_INIT;

    (void)state;
    wrong("");
    wrong("-");
    wrong("Z");
    wrong("00");
    wrong("64S36-D1N6R-VKGE8-H");
    wrong("64S36-D1N6R-VKGE8-HKA");
    wrong("64S36-D1N6R-VKGE8-HKAAAAAA");
    wrong("64S36-D1N6R-VKGE9-HK"); /* the bits that fill up must be zero */
    wrong("U4S36-D1N6R-VKGE8-HK");
    wrong("64S36-D1N6R-VKGE8-H\xc3\x9f");
    wrong("64S36_D1N6R_VKGE8_HK");
    /* The place is named, the code is not repeated: it may be a key. */
    assert_int_equal(sp_base32_parse("64S!6", &out, &err), SP_INVALID);
    assert_non_null(strstr(err.text, "character 4"));
    assert_null(strstr(err.text, "64S"));
    sp_buf_free(&out);
}

/* One text for one key: a character that adds no byte is a mistake even if it is all zero bits. */
static void
there_is_one_way_to_write_it(void **state)
{
    struct sp_buf b = SP_BUF_INIT;
    char longer[8];

    (void)state;
    sp_base32_put(&b, "\x5a", 1);
    assert_int_equal(b.len, 4);
    (void)snprintf(longer, sizeof(longer), "%.2s0%s", sp_buf_str(&b), sp_buf_str(&b) + 2);
    wrong(longer);
    sp_buf_free(&b);
}

/* The reason for a checksum: each single wrong character and each swap of two neighbours. */
static void
typing_mistakes_never_pass(void **state)
{
    static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    struct sp_buf text = SP_BUF_INIT, out = SP_BUF_INIT;
    struct sp_err err = {0};
    uint8_t key[32];
    char plain[80], typed[80];
    size_t n = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(key); i++)
        key[i] = (uint8_t)(i * i * 31 + 17 * i + 5);
    sp_base32_put(&text, key, sizeof(key));
    for (const char *p = sp_buf_str(&text); *p != '\0'; p++)
        if (*p != '-')
            plain[n++] = *p;
    plain[n] = '\0';
    assert_int_equal(n, 54);
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < 32; k++) {
            strcpy(typed, plain);
            typed[i] = alphabet[k];
            if (typed[i] != plain[i])
                assert_int_equal(sp_base32_parse(typed, &out, &err), SP_INVALID);
        }
        strcpy(typed, plain);
        typed[i] = plain[i + 1];
        typed[i + 1] = plain[i];
        if (i + 1 < n && typed[i] != plain[i])
            assert_int_equal(sp_base32_parse(typed, &out, &err), SP_INVALID);
    }
    assert_int_equal(out.len, 0);
    assert_int_equal(sp_base32_parse(plain, &out, &err), SP_OK);
    sp_buf_free(&text);
    sp_buf_free(&out);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_codes),
        cmocka_unit_test(every_length_comes_back),
        cmocka_unit_test(as_people_write_it),
        cmocka_unit_test(mistakes_are_seen),
        cmocka_unit_test(there_is_one_way_to_write_it),
        cmocka_unit_test(typing_mistakes_never_pass),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
