/* Index segments that are damaged, cut, or made by an enemy: refused, or harmless. */

#include "indexes.h"

static size_t
build_small(struct sp_buf *ret, uint8_t name[32])
{
    struct sp_index_builder *b;
    uint8_t supersedes[1][32];

    ok(sp_index_builder_new(&b, &err));
    add_pack(b, 0);
    add_pack(b, 1);
    make_id(999, supersedes[0]);
    for (uint32_t i = 0; i < 20; i++) {
        uint8_t id[32];

        make_id(i, id);
        ok(sp_index_builder_add(b, id, i % 2, 8 + i, 10, &err));
    }
    ok(sp_index_builder_finish(b, (const uint8_t(*)[32])supersedes, 1, ret, name, &err));
    sp_index_builder_free(b);
    return ret->len;
}

static bool
plausible(void *arg, const struct sp_index_entry *en)
{
    const struct sp_index_segment *g = arg;

    assert_true(en->pack < sp_index_segment_packs(g));
    assert_true(en->length > 0);
    assert_true((uint64_t)en->offset + en->length <= sp_index_segment_pack(g, en->pack)->size);
    return true;
}

static enum sp_code
plausible_each(void *arg, const struct sp_index_entry *en, struct sp_err *e)
{
    (void)e;
    (void)plausible(arg, en);
    return SP_OK;
}

/* Opened without its hash being checked: whatever it says, nothing but plausible entries come out.
 */
static void
use(const uint8_t name[32])
{
    struct sp_index_segment *g = NULL;
    enum sp_code rc = sp_index_segment_open(&counting, segment_path, name, false, true, &g, &err);

    if (rc != SP_OK) {
        assert_int_equal(rc, SP_CORRUPT);
        assert_null(g);
        return;
    }
    for (uint32_t i = 0; i < 25; i++) {
        uint8_t id[32];

        make_id(i, id);
        reads = 0;
        rc = sp_index_segment_find(g, id, plausible, g, &err);
        assert_true(rc == SP_OK || rc == SP_CORRUPT);
        assert_true(reads < 50);
    }
    rc = sp_index_segment_each(g, plausible_each, g, &err);
    assert_true(rc == SP_OK || rc == SP_CORRUPT);
    sp_index_segment_free(g);
}

static void
every_flipped_bit_is_found_or_harmless(void **state)
{
    struct sp_buf bytes = SP_BUF_INIT;
    struct sp_index_segment *g = NULL;
    uint8_t name[32];
    size_t n = build_small(&bytes, name);

    (void)state;
    for (size_t i = 0; i < n; i++) {
        bytes.data[i] ^= (uint8_t)(1u << (i % 8));
        write_segment(&bytes);
        gives(
            SP_CORRUPT, sp_index_segment_open(&counting, segment_path, name, true, true, &g, &err));
        assert_int_equal(strncmp(err.text, "index segment ", 14), 0);
        use(name);
        bytes.data[i] ^= (uint8_t)(1u << (i % 8));
    }
    write_segment(&bytes);
    ok(sp_index_segment_open(&counting, segment_path, name, true, true, &g, &err));
    sp_index_segment_free(g);
    sp_buf_free(&bytes);
}

static void
every_other_length_is_refused(void **state)
{
    struct sp_buf bytes = SP_BUF_INIT;
    struct sp_index_segment *g = NULL;
    uint8_t name[32];
    size_t n = build_small(&bytes, name);

    (void)state;
    sp_buf_put_zero(&bytes, 28);
    for (size_t i = 0; i <= n + 28; i++) {
        if (i == n)
            continue;
        write_bytes(bytes.data, i);
        gives(SP_CORRUPT,
            sp_index_segment_open(&counting, segment_path, name, false, true, &g, &err));
    }
    assert_null(g);
    sp_buf_free(&bytes);
}

static void
put_at(struct sp_buf *b, size_t at, uint64_t v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        b->data[at + i] = (uint8_t)(v >> (8 * i));
}

static void
impossible_tables_are_refused(void **state)
{
    static const struct {
        const char *what;
        size_t at, n;
        uint64_t v;
    } cases[] = {{"packs", 8, 4, UINT32_MAX}, {"superseded", 12, 4, UINT32_MAX},
        {"entries", 16, 8, UINT64_MAX}, {"entries", 16, 8, UINT32_MAX},
        {"entries", 16, 8, (UINT64_C(1) << 62) + 20}, {"lines", 24, 4, 31}, {"lines", 24, 4, 64},
        {"lines", 24, 4, 1}, {"zero", 28, 4, 1}, {"kind", 32 + 72, 1, 2}, {"kind", 32 + 72, 1, 0},
        {"size", 32 + 64, 8, UINT64_MAX}, {"zeros", 32 + 95, 1, 1},
        {"fan-out", 32 + 192 + 32, 4, UINT32_MAX}, {"fan-out", 32 + 192 + 32 + 1020, 4, 19},
        {"fan-out", 32 + 192 + 32 + 1020, 4, 21}, {"fan-out", 32 + 192 + 32 + 1016, 4, 21}};
    struct sp_buf bytes = SP_BUF_INIT;
    uint8_t name[32];
    size_t n = build_small(&bytes, name);

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t *copy = malloc(n);
        struct sp_index_segment *g = NULL;

        memcpy(copy, bytes.data, n);
        put_at(&bytes, cases[i].at, cases[i].v, cases[i].n);
        write_segment(&bytes);
        /* Also when the name is right: hashed well is not meant well. */
        ok(sp_sha256(bytes.data, n, name, &err));
        check_code(sp_index_segment_open(&counting, segment_path, name, true, true, &g, &err),
            SP_CORRUPT, cases[i].what, (int)i);
        memcpy(bytes.data, copy, n);
        free(copy);
    }
    sp_buf_free(&bytes);
}

/* The last two entries change places: in different buckets of the fan-out, and in one. */
static void
entries_out_of_order_end_a_merge(void **state)
{
    (void)state;
    for (int same_bucket = 0; same_bucket < 2; same_bucket++) {
        struct sp_index_builder *b;
        struct sp_index_segment *g;
        struct sp_buf bytes = SP_BUF_INIT;
        uint8_t name[32], id[32], entry[28], *last;

        ok(sp_index_builder_new(&b, &err));
        add_pack(b, 0);
        for (uint32_t i = 0; i < 5; i++) {
            make_id(i, id);
            id[0] = (uint8_t)(same_bucket ? 7 : i);
            ok(sp_index_builder_add(b, id, 0, 8, 10, &err));
        }
        ok(sp_index_builder_finish(b, NULL, 0, &bytes, name, &err));
        sp_index_builder_free(b);
        last = bytes.data + bytes.len - 28;
        memcpy(entry, last, 28);
        memcpy(last, last - 28, 28);
        memcpy(last - 28, entry, 28);
        write_segment(&bytes);
        g = open_segment(name, false, true);
        gives(SP_CORRUPT, sp_index_segment_each(g, plausible_each, g, &err));
        sp_index_segment_free(g);
        sp_buf_free(&bytes);
    }
}

static bool
count_one(void *arg, const struct sp_index_entry *en)
{
    (void)en;
    ++*(int *)arg;
    return true;
}

static void
an_entry_that_leaves_its_pack_is_not_told(void **state)
{
    struct sp_buf bytes = SP_BUF_INIT;
    struct sp_index_segment *g;
    uint8_t name[32], id[32] = {0};
    size_t n = build_small(&bytes, name);
    int calls = 0;

    (void)state;
    for (int i = 0; i < 3; i++) {
        static const size_t field[] = {12, 8, 4}; /* pack, offset, length: from the end */
        uint32_t old = sp_le32(bytes.data + n - field[i]);

        memcpy(id, bytes.data + n - 28, 16);
        put_at(&bytes, n - field[i], i == 0 ? 2 : 100002, 4);
        write_segment(&bytes);
        g = open_segment(name, false, true);
        gives(SP_CORRUPT, sp_index_segment_find(g, id, count_one, &calls, &err));
        assert_int_equal(calls, 0);
        sp_index_segment_free(g);
        put_at(&bytes, n - field[i], old, 4);
    }
    sp_buf_free(&bytes);
}

static void
a_filter_beyond_all_use_is_not_kept(void **state)
{
    struct sp_buf bytes = SP_BUF_INIT, big = SP_BUF_INIT;
    struct sp_index_segment *g;
    uint8_t name[32], id[32];
    size_t n = build_small(&bytes, name), head = 32 + 192 + 32 + 1024;
    int calls = 0;

    (void)state;
    /* 20 entries behind a filter of 64 KiB. */
    sp_buf_put(&big, bytes.data, head);
    put_at(&big, 24, 10, 4);
    sp_buf_put_zero(&big, 64 << 10);
    sp_buf_put(&big, bytes.data + head + 64, n - head - 64);
    write_segment(&big);
    g = open_segment(name, false, true);
    assert_true(sp_index_segment_memory(g) < 4096);
    make_id(3, id);
    ok(sp_index_segment_find(g, id, count_one, &calls, &err));
    assert_int_equal(calls, 1);
    sp_index_segment_free(g);
    sp_buf_free(&bytes);
    sp_buf_free(&big);
}

static void
a_failed_read_is_no_damage(void **state)
{
    struct sp_buf bytes = SP_BUF_INIT;
    struct sp_index_segment *g = NULL;
    uint8_t name[32], id[32];
    int calls = 0;

    (void)state;
    build_small(&bytes, name);
    write_segment(&bytes);
    read_fault = SP_IO;
    gives(SP_IO, sp_index_segment_open(&counting, segment_path, name, true, true, &g, &err));
    assert_null(g);
    read_fault = SP_OK;
    g = open_segment(name, true, true);
    read_fault = SP_IO;
    make_id(3, id);
    gives(SP_IO, sp_index_segment_find(g, id, count_one, &calls, &err));
    gives(SP_IO, sp_index_segment_each(g, plausible_each, g, &err));
    read_fault = SP_OK;
    /* Cut while it is open. */
    write_bytes(bytes.data, 100);
    gives(SP_CORRUPT, sp_index_segment_find(g, id, count_one, &calls, &err));
    gives(SP_CORRUPT, sp_index_segment_each(g, plausible_each, g, &err));
    assert_int_equal(calls, 0);
    sp_index_segment_free(g);
    g = NULL;
    ok(sp_os_system.remove(NULL, segment_path, &err));
    gives(SP_ABSENT, sp_index_segment_open(&counting, segment_path, name, true, true, &g, &err));
    assert_null(g);
    sp_buf_free(&bytes);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_flipped_bit_is_found_or_harmless),
        cmocka_unit_test(every_other_length_is_refused),
        cmocka_unit_test(impossible_tables_are_refused),
        cmocka_unit_test(entries_out_of_order_end_a_merge),
        cmocka_unit_test(an_entry_that_leaves_its_pack_is_not_told),
        cmocka_unit_test(a_filter_beyond_all_use_is_not_kept),
        cmocka_unit_test(a_failed_read_is_no_damage),
    };

    return cmocka_run_group_tests(tests, indexes_setup, indexes_teardown);
}
