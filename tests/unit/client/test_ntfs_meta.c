/* What NTFS keeps of an object, as plain bytes: parts, times, modes, names. Reparse points,
 * descriptors and extended attributes are in test_ntfs_bytes.c. */

#include "tests/unit/base/support.h"

#include "client/ntfs.h"
#include "client/ntfs_meta.h"

static void
put_part(struct sp_buf *b, uint8_t kind, const char *name, size_t n, uint64_t size)
{
    sp_buf_put_u8(b, kind);
    sp_buf_put_u32(b, (uint32_t)n);
    sp_buf_put(b, name, n);
    sp_buf_put_u64(b, size);
}

static void
parts(void **state)
{
    static const struct sp_ntfs_part in[] = {{NTFS_PART_STREAM, "Zone.Identifier", 70000},
        {NTFS_PART_STREAM, "b\xc3\xa4r", 0}, {NTFS_PART_EFS, "", UINT64_C(1) << 40}};
    struct sp_ntfs_part *out = NULL;
    struct sp_buf b = SP_BUF_INIT, by_hand = SP_BUF_INIT;
    uint64_t extra = 70000 + (UINT64_C(1) << 40);
    size_t n = 0;

    (void)state;
    assert_ok(sp_ntfs_parts_encode(in, 3, &b, e));
    put_part(&by_hand, 1, "Zone.Identifier", 15, 70000);
    put_part(&by_hand, 1, "b\xc3\xa4r", 4, 0);
    put_part(&by_hand, 2, "", 0, UINT64_C(1) << 40);
    assert_int_equal(b.len, by_hand.len);
    assert_memory_equal(b.data, by_hand.data, b.len);
    assert_ok(sp_ntfs_parts_decode(b.data, b.len, extra, &out, &n, e));
    assert_int_equal(n, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(out[i].kind, in[i].kind);
        assert_string_equal(out[i].name, in[i].name);
        assert_int_equal(out[i].size, in[i].size);
    }
    free(out);
    assert_code(SP_CORRUPT, sp_ntfs_parts_decode(b.data, b.len, extra - 1, &out, &n, e));
    for (size_t cut = 1; cut < b.len; cut++) {
        uint8_t *part = malloc(cut);

        memcpy(part, b.data, cut);
        assert_code(SP_CORRUPT, sp_ntfs_parts_decode(part, cut, extra, &out, &n, e));
        free(part);
    }
    sp_buf_free(&b);
    sp_buf_free(&by_hand);

    out = (struct sp_ntfs_part *)&b;
    assert_ok(sp_ntfs_parts_decode(NULL, 0, 0, &out, &n, e));
    assert_null(out);
    assert_int_equal(n, 0);
    assert_code(SP_CORRUPT, sp_ntfs_parts_decode(NULL, 0, 1, &out, &n, e));
}

static void
bad_parts(void **state)
{
    static const struct {
        uint8_t kind;
        const char *name;
        size_t n;
    } bad[] = {{0, "a", 1}, {3, "a", 1}, {1, "", 0}, {1, "a:b", 3}, {1, "a/b", 3}, {1, "a\\b", 3},
        {1, "a\0b", 3}, {1, "\xff", 1}, {2, "a", 1}};
    static const struct sp_ntfs_part twice[] = {
        {NTFS_PART_STREAM, "a", 1}, {NTFS_PART_EFS, "", 1}, {NTFS_PART_STREAM, "a", 2}};
    static const struct sp_ntfs_part huge[] = {
        {NTFS_PART_STREAM, "a", UINT64_MAX}, {NTFS_PART_STREAM, "b", 1}};
    static const struct sp_ntfs_part nameless[] = {{NTFS_PART_STREAM, "", 1}};
    struct sp_ntfs_part *out = NULL;
    struct sp_buf b = SP_BUF_INIT;
    size_t n = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        put_part(&b, bad[i].kind, bad[i].name, bad[i].n, 5);
        assert_code(SP_CORRUPT, sp_ntfs_parts_decode(b.data, b.len, 5, &out, &n, e));
        sp_buf_reset(&b);
    }
    put_part(&b, 1, "a", 1, 2);
    put_part(&b, 1, "b", 1, 2);
    put_part(&b, 1, "a", 1, 2);
    assert_code(SP_CORRUPT, sp_ntfs_parts_decode(b.data, b.len, 6, &out, &n, e));
    sp_buf_reset(&b);
    put_part(&b, 1, "a", 1, UINT64_MAX);
    put_part(&b, 1, "b", 1, 2);
    assert_code(SP_CORRUPT, sp_ntfs_parts_decode(b.data, b.len, 1, &out, &n, e));
    sp_buf_reset(&b);
    sp_buf_put_u8(&b, 1); /* a name longer than everything */
    sp_buf_put_u32(&b, UINT32_MAX);
    sp_buf_put_zero(&b, 20);
    assert_code(SP_CORRUPT, sp_ntfs_parts_decode(b.data, b.len, 0, &out, &n, e));
    sp_buf_reset(&b);

    assert_code(SP_INVALID, sp_ntfs_parts_encode(twice, 3, &b, e));
    assert_code(SP_INVALID, sp_ntfs_parts_encode(huge, 2, &b, e));
    assert_code(SP_INVALID, sp_ntfs_parts_encode(nameless, 1, &b, e));
    assert_int_equal(b.len, 0);
    sp_buf_free(&b);
}

static void
stream_names(void **state)
{
    char name[800];

    (void)state;
    assert_true(sp_ntfs_stream_name_ok("a", 1));
    assert_true(sp_ntfs_stream_name_ok("\x05 <>|*?\".", 9)); /* all but three are allowed */
    assert_true(sp_ntfs_stream_name_ok("\xed\xa0\x80", 3));  /* half of a pair */
    assert_false(sp_ntfs_stream_name_ok("", 0));
    assert_false(sp_ntfs_stream_name_ok("a:$DATA", 7));
    assert_false(sp_ntfs_stream_name_ok("../a", 4));
    assert_false(sp_ntfs_stream_name_ok("..\\a", 4));
    assert_false(sp_ntfs_stream_name_ok("a\0", 2));
    assert_false(sp_ntfs_stream_name_ok("\xc3", 1));
    memset(name, 'x', sizeof(name));
    assert_true(sp_ntfs_stream_name_ok(name, 255));
    assert_false(sp_ntfs_stream_name_ok(name, 256));
    for (size_t i = 0; i < 768; i += 3) /* three bytes, one unit */
        memcpy(name + i, "\xe2\x82\xac", 3);
    assert_true(sp_ntfs_stream_name_ok(name, 765));
    assert_false(sp_ntfs_stream_name_ok(name, 768));
    for (size_t i = 0; i < 512; i += 4) /* four bytes, two units */
        memcpy(name + i, "\xf0\x9f\x98\x80", 4);
    assert_true(sp_ntfs_stream_name_ok(name, 508));
    assert_false(sp_ntfs_stream_name_ok(name, 512));
}

static void
times(void **state)
{
    const int64_t epoch = INT64_C(116444736000000000);
    int64_t ends[2] = {sp_ntfs_ns(1), sp_ntfs_ns(INT64_MAX)};

    (void)state;
    assert_true(sp_ntfs_ns(0) == 0 && sp_ntfs_ticks(0) == 0);
    assert_true(sp_ntfs_ns(epoch + 1) == 100 && sp_ntfs_ns(epoch - 1) == -100);
    /* 2009-07-25 23:00:00, the worked example of
     * learn.microsoft.com/en-us/windows/win32/api/minwinbase/ns-minwinbase-filetime's counting */
    assert_true(sp_ntfs_ns(INT64_C(128930364000000000)) == INT64_C(1248562800000000000));
    assert_true(sp_ntfs_ticks(INT64_C(1248562800123456700)) == INT64_C(128930364001234567));
    assert_true(sp_ntfs_ticks(1) == epoch && sp_ntfs_ticks(-1) == epoch - 1);
    assert_true(sp_ntfs_ticks(-100) == epoch - 1 && sp_ntfs_ticks(-101) == epoch - 2);
    /* 1601, the year 30828, and what no clock says */
    assert_true(ends[0] < INT64_C(-9223372036854775700) && ends[1] > INT64_C(9223372036854775700));
    assert_true(sp_ntfs_ns(INT64_MIN) == ends[0] && sp_ntfs_ns(-2) == ends[0]);
    for (int i = 0; i < 2; i++)
        assert_true(sp_ntfs_ns(sp_ntfs_ticks(ends[i])) == ends[i]);
    assert_true(sp_ntfs_ticks(INT64_MIN) > 0 && sp_ntfs_ticks(INT64_MAX) > 0);
}

static void
modes(void **state)
{
    uint8_t value[4] = {0};
    struct sp_attribute a[] = {
        {.name = "user.x"}, {.name = WINDOWS_ATTRIBUTES, .value = value, .len = 4}};
    struct sp_entry en = {
        .type = SP_ENTRY_FILE, .mode = 0104755, .attributes = a, .nattributes = 2};

    (void)state;
    assert_int_equal(sp_ntfs_mode(&en), 04755);
    en.flags = SP_ENTRY_WINDOWS;
    assert_int_equal(sp_ntfs_mode(&en), 0644);
    sp_store_le32(value, NTFS_READONLY | NTFS_HIDDEN);
    assert_int_equal(sp_ntfs_attributes_of(&en), 3);
    assert_int_equal(sp_ntfs_mode(&en), 0444);
    en.type = SP_ENTRY_DIR;
    assert_int_equal(sp_ntfs_mode(&en), 0755);
    en.type = SP_ENTRY_LINK;
    assert_int_equal(sp_ntfs_mode(&en), 0777);
    a[1].len = 3;
    assert_int_equal(sp_ntfs_attributes_of(&en), 0);
    a[1].len = 4;
    a[1].external = true;
    assert_int_equal(sp_ntfs_attributes_of(&en), 0);
    assert_ptr_equal(sp_ntfs_find(&en, WINDOWS_ATTRIBUTES), &a[1]);
    assert_null(sp_ntfs_find(&en, WINDOWS_EA));
    en.nattributes = 0;
    assert_int_equal(sp_ntfs_attributes_of(&en), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts),
        cmocka_unit_test(bad_parts),
        cmocka_unit_test(stream_names),
        cmocka_unit_test(times),
        cmocka_unit_test(modes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
