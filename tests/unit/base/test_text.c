#include "support.h"

#include "base/text.h"

static void
hex_of_ids(void **state)
{
    uint8_t id[32];
    struct sp_buf b = SP_BUF_INIT;

    (void)state;
    for (size_t i = 0; i < sizeof(id); i++)
        id[i] = (uint8_t)(i * 8 + 7);
    assert_string_equal(sp_hex8(id).s, "070f171f272f373f");
    assert_string_equal(sp_hex16(id).s, "070f171f272f373f474f575f676f777f");
    assert_string_equal(
        sp_hex32(id).s, "070f171f272f373f474f575f676f777f878f979fa7afb7bfc7cfd7dfe7eff7ff");
    sp_buf_put_str(&b, "x");
    sp_buf_put_hex(&b, id, 2);
    sp_buf_put_hex(&b, id, 0);
    assert_string_equal(sp_buf_str(&b), "x070f");
    sp_buf_free(&b);
}

static void
hex_is_parsed_strictly(void **state)
{
    uint8_t to[3] = {9, 9, 9};

    (void)state;
    assert_true(sp_hex_parse("00ff1a", to, 3));
    assert_memory_equal(to, "\x00\xff\x1a", 3);
    assert_false(sp_hex_parse("00ff1", to, 3));
    assert_false(sp_hex_parse("00ff1a0", to, 3));
    assert_false(sp_hex_parse("00FF1A", to, 3));
    assert_false(sp_hex_parse("00ff1g", to, 3));
    assert_false(sp_hex_parse("", to, 3));
    assert_false(sp_hex_parse("0", to, 3));
    assert_memory_equal(to, "\x00\xff\x1a", 3);
    assert_true(sp_hex_parse("", to, 0));
}

static void
bytes_for_people(void **state)
{
    static const struct {
        uint64_t n;
        const char *text;
    } cases[] = {{0, "0 B"}, {12, "12 B"}, {999, "999 B"}, {1000, "1.00 kB"}, {1234, "1.23 kB"},
        {1235, "1.24 kB"}, {9994, "9.99 kB"}, {9995, "10.0 kB"}, {12345, "12.3 kB"},
        {99949, "99.9 kB"}, {99950, "100 kB"}, {999499, "999 kB"}, {999500, "1.00 MB"},
        {UINT64_C(1230000000), "1.23 GB"}, {UINT64_C(999500000000000000), "1.00 EB"},
        {UINT64_MAX, "18.4 EB"}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_string_equal(sp_text_bytes(cases[i].n).s, cases[i].text);
}

static void
counts_for_people(void **state)
{
    (void)state;
    assert_string_equal(sp_text_count(0).s, "0");
    assert_string_equal(sp_text_count(999).s, "999");
    assert_string_equal(sp_text_count(1000).s, "1 000");
    assert_string_equal(sp_text_count(155857).s, "155 857");
    assert_string_equal(sp_text_count(UINT64_MAX).s, "18 446 744 073 709 551 615");
}

static void
durations_for_people(void **state)
{
    static const struct {
        int64_t ns;
        const char *text;
    } cases[] = {{0, "0.00 s"}, {420000000, "0.42 s"}, {INT64_C(9994999999), "9.99 s"},
        {INT64_C(9995000000), "10.0 s"}, {INT64_C(59940000000), "59.9 s"},
        {INT64_C(59960000000), "1 min 00 s"}, {INT64_C(192000000000), "3 min 12 s"},
        {INT64_C(3599600000000), "1 h 00 min"}, {INT64_C(7500000000000), "2 h 05 min"},
        {-420000000, "-0.42 s"}, {INT64_MAX, "2562047 h 47 min"}, {INT64_MIN, "-2562047 h 47 min"}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_string_equal(sp_text_duration(cases[i].ns).s, cases[i].text);
}

static void
sizes_are_parsed(void **state)
{
    static const struct {
        const char *text;
        uint64_t n;
    } good[] = {{"0", 0}, {"12", 12}, {"12B", 12}, {"64K", 65536}, {"64k", 65536}, {"64KiB", 65536},
        {"64Ki", 65536}, {"64kB", 64000}, {"64KB", 64000}, {"100M", 104857600},
        {"100MB", 100000000}, {"1.5G", 1610612736}, {"1.5 GB", 1500000000}, {"1GiB", 1073741824},
        {"2T", UINT64_C(2199023255552)}, {"0.5k", 512}, {"1.001kB", 1001},
        {"0.999999999G", 1073741822}, {"15E", UINT64_C(15) << 60},
        {"18.4EB", UINT64_C(18400000000000000000)}, {"18446744073709551615", UINT64_MAX}};
    static const char *const bad[] = {"", "K", "-1", "+1", " 1", "1 ", "1  K", "1X", "1KK", "1Kib2",
        "1.5", "1.5B", "1.K", ".5K", "1.0000000001K", "18446744073709551616", "16E", "18.5EB",
        "15.99E9", "99999999T", "0x10", "1iB", "1.5.5K"};
    uint64_t n;

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        n = 1;
        if (!sp_text_parse_bytes(good[i].text, &n) || n != good[i].n)
            fail_msg("'%s' gave %llu", good[i].text, (unsigned long long)n);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        n = 4711;
        if (sp_text_parse_bytes(bad[i], &n) || n != 4711)
            fail_msg("'%s' was taken", bad[i]);
    }
}

static void
durations_are_parsed(void **state)
{
    static const struct {
        const char *text;
        int64_t s;
    } good[] = {{"0", 0}, {"90", 90}, {"90s", 90}, {"15m", 900}, {"8h", 28800}, {"3d", 259200},
        {"2w", 1209600}, {"9223372036", INT64_C(9223372036)}};
    static const char *const bad[] = {
        "", "s", "-1s", "1.5h", "1 h", "1hh", "1y", "9223372037", "15251w", "99999999999999999999"};
    int64_t ns;

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(sp_text_parse_duration(good[i].text, &ns));
        assert_true(ns == good[i].s * 1000000000);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ns = 4711;
        if (sp_text_parse_duration(bad[i], &ns) || ns != 4711)
            fail_msg("'%s' was taken", bad[i]);
    }
}

static void
whole_numbers_are_parsed(void **state)
{
    uint64_t n = 4711;

    (void)state;
    assert_true(sp_text_parse_u64("18446744073709551615", &n));
    assert_true(n == UINT64_MAX);
    assert_true(sp_text_parse_u64("007", &n));
    assert_int_equal(n, 7);
    assert_false(sp_text_parse_u64("18446744073709551616", &n));
    assert_false(sp_text_parse_u64("", &n));
    assert_false(sp_text_parse_u64("-1", &n));
    assert_false(sp_text_parse_u64("+1", &n));
    assert_false(sp_text_parse_u64(" 1", &n));
    assert_false(sp_text_parse_u64("1x", &n));
    assert_int_equal(n, 7);
}

static void
wipe_and_compare(void **state)
{
    uint8_t a[40], b[40];

    (void)state;
    memset(a, 7, sizeof(a));
    memset(b, 7, sizeof(b));
    assert_true(sp_equal_const(a, b, sizeof(a)));
    for (size_t i = 0; i < sizeof(a); i++) {
        b[i] ^= 0x80;
        assert_false(sp_equal_const(a, b, sizeof(a)));
        b[i] ^= 0x80;
    }
    assert_true(sp_equal_const(a, b, 0));
    sp_wipe(a + 1, sizeof(a) - 2);
    for (size_t i = 1; i < sizeof(a) - 1; i++)
        assert_int_equal(a[i], 0);
    assert_int_equal(a[0], 7);
    assert_int_equal(a[sizeof(a) - 1], 7);
    sp_wipe(NULL, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hex_of_ids),
        cmocka_unit_test(hex_is_parsed_strictly),
        cmocka_unit_test(bytes_for_people),
        cmocka_unit_test(counts_for_people),
        cmocka_unit_test(durations_for_people),
        cmocka_unit_test(sizes_are_parsed),
        cmocka_unit_test(durations_are_parsed),
        cmocka_unit_test(whole_numbers_are_parsed),
        cmocka_unit_test(wipe_and_compare),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
