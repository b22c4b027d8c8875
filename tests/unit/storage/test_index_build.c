/* Index segments: built, held against docs/format.md §8 by hand, merged. */

#include "indexes.h"

/* --- the format, by hand --------------------------------------------------------------------- */

static void
check_format(size_t n, uint32_t want_k)
{
    struct sp_index_entry *want = calloc(n + 1, sizeof(*want));
    struct sp_index_builder *b;
    struct sp_buf bytes = SP_BUF_INIT;
    struct sp_cur c;
    uint8_t name[32], hash[32], supersedes[2][32], *filter;
    const uint8_t *fanout, *has;
    uint32_t k;
    size_t at = 0;

    ok(sp_index_builder_new(&b, &err));
    for (uint32_t i = 0; i < 3; i++)
        add_pack(b, i);
    for (size_t i = 0; i < n; i++) {
        uint8_t id[32];

        /* Every fifth id a second time, in another pack. */
        make_id(i % 5 == 4 ? i - 4 : i, id);
        want[i].pack = (uint32_t)(i % 5 == 4 ? 2 : i % 2);
        want[i].offset = (uint32_t)(70000 - i);
        want[i].length = (uint32_t)(100 + i);
        memcpy(want[i].key, id, SP_INDEX_KEY);
        ok(sp_index_builder_add(b, id, want[i].pack, want[i].offset, want[i].length, &err));
    }
    make_id(1000001, supersedes[0]);
    make_id(1000002, supersedes[1]);
    ok(sp_index_builder_finish(b, (const uint8_t(*)[32])supersedes, 2, &bytes, name, &err));
    qsort(want, n, sizeof(*want), by_format);

    ok(sp_sha256(bytes.data, bytes.len, hash, &err));
    assert_memory_equal(hash, name, 32);
    c = sp_cur_of(bytes.data, bytes.len);
    assert_memory_equal(sp_cur_bytes(&c, 8), "SPINDEX1", 8);
    assert_int_equal(sp_cur_u32(&c), 3);
    assert_int_equal(sp_cur_u32(&c), 2);
    assert_int_equal(sp_cur_u64(&c), n);
    k = sp_cur_u32(&c);
    assert_int_equal(k, want_k);
    assert_int_equal(sp_cur_u32(&c), 0);
    for (uint32_t i = 0; i < 3; i++) {
        struct sp_index_pack p = make_pack(i);
        static const uint8_t zeros[23];

        assert_memory_equal(sp_cur_bytes(&c, 32), p.name, 32);
        assert_memory_equal(sp_cur_bytes(&c, 16), p.uploader, 16);
        assert_memory_equal(sp_cur_bytes(&c, 16), p.group, 16);
        assert_int_equal(sp_cur_u64(&c), p.size);
        assert_int_equal(sp_cur_u8(&c), i % 2 == 0 ? 1 : 3);
        assert_memory_equal(sp_cur_bytes(&c, 23), zeros, 23);
    }
    assert_memory_equal(sp_cur_bytes(&c, 64), supersedes, 64);
    fanout = sp_cur_bytes(&c, 4 * 256);
    has = sp_cur_bytes(&c, (size_t)64 << k);
    filter = calloc((size_t)1 << k, 64);
    for (size_t i = 0; i < n; i++) {
        uint8_t key[16];
        uint64_t bits;

        sp_cur_copy(&c, key, 16);
        assert_memory_equal(key, want[i].key, 16);
        assert_int_equal(sp_cur_u32(&c), want[i].pack);
        assert_int_equal(sp_cur_u32(&c), want[i].offset);
        assert_int_equal(sp_cur_u32(&c), want[i].length);
        memcpy(&bits, key, 8); /* this test's machine is little endian, as the format */
        for (int j = 0; j < 6; j++, bits >>= 9) {
            uint32_t line;

            memcpy(&line, key + 8, 4);
            line %= 1u << k;
            filter[64 * line + (bits % 512) / 8] |= (uint8_t)(1 << (bits % 512 % 8));
        }
    }
    assert_true(sp_cur_done(&c));
    assert_memory_equal(has, filter, (size_t)64 << k);
    for (size_t first = 0; first < 256; first++) {
        while (at < n && want[at].key[0] <= first)
            at++;
        assert_int_equal(sp_le32(fanout + 4 * first), at);
    }
    sp_index_builder_free(b);
    sp_buf_free(&bytes);
    free(filter);
    free(want);
}

static void
the_bytes_are_those_of_the_format(void **state)
{
    (void)state;
    check_format(0, 0);
    check_format(1, 0);
    check_format(102, 0);
    check_format(103, 1); /* two lines: 128 bytes, 1¼ an entry */
    check_format(3000, 5);
}

/* --- building -------------------------------------------------------------------------------- */

static void
the_builder_refuses_nonsense(void **state)
{
    struct sp_index_builder *b;
    struct sp_index_pack p = make_pack(0);
    uint8_t id[32] = {0};
    uint32_t ordinal = 77;

    (void)state;
    ok(sp_index_builder_new(&b, &err));
    gives(SP_INVALID, sp_index_builder_add(b, id, 0, 8, 1, &err));
    p.kind = (enum sp_pack_kind)2;
    gives(SP_INVALID, sp_index_builder_pack(b, &p, &ordinal, &err));
    assert_int_equal(ordinal, 77);
    add_pack(b, 0);
    p = make_pack(0);
    gives(SP_INVALID, sp_index_builder_add(b, id, 1, 8, 1, &err));
    gives(SP_INVALID, sp_index_builder_add(b, id, 0, 8, 0, &err));
    gives(SP_INVALID, sp_index_builder_add(b, id, 0, (uint32_t)p.size, 1, &err));
    gives(SP_INVALID, sp_index_builder_add(b, id, 0, UINT32_MAX, UINT32_MAX, &err));
    ok(sp_index_builder_add(b, id, 0, (uint32_t)p.size - 1, 1, &err));
    assert_int_equal(sp_index_builder_count(b), 1);
    sp_index_builder_free(b);
}

static void
packs_are_told_apart_by_all_they_are(void **state)
{
    struct sp_index_builder *b;
    struct sp_index_pack p;
    uint32_t ordinal;

    (void)state;
    ok(sp_index_builder_new(&b, &err));
    for (uint32_t i = 0; i < 500; i++)
        assert_int_equal(add_pack(b, i), i);
    for (uint32_t i = 0; i < 500; i++)
        assert_int_equal(add_pack(b, i), i);
    p = make_pack(3);
    p.size++;
    ok(sp_index_builder_pack(b, &p, &ordinal, &err));
    assert_int_equal(ordinal, 500);
    p.uploader[0] ^= 1;
    ok(sp_index_builder_pack(b, &p, &ordinal, &err));
    assert_int_equal(ordinal, 501);
    sp_index_builder_free(b);
}

static void
sorting_is_sorting(void **state)
{
    enum { N = 20000 };
    uint8_t *p = malloc((size_t)N * INDEX_ENTRY), *q = malloc((size_t)N * INDEX_ENTRY);

    (void)state;
    for (int pattern = 0; pattern < 4; pattern++) {
        struct sp_random_seeded s = {(uint64_t)pattern + 5};
        struct sp_random random = sp_random_seeded_of(&s);

        ok(sp_random_fill(&random, p, (size_t)N * INDEX_ENTRY, &err));
        for (size_t i = 0; pattern > 0 && i < N; i++) {
            uint8_t *en = p + i * INDEX_ENTRY;

            /* Few keys; one key; keys that differ in their last byte only. */
            memset(en, pattern == 1 ? en[0] % 3 : 9, pattern == 3 ? 15 : 16);
            memset(en + 16, 0, 3);
        }
        memcpy(q, p, (size_t)N * INDEX_ENTRY);
        sp_index_sort(p, N);
        qsort(q, N, INDEX_ENTRY, compare_bytes);
        for (size_t i = 0; i < N; i++)
            assert_memory_equal(p + i * INDEX_ENTRY, q + i * INDEX_ENTRY, 24);
    }
    sp_index_sort(p, 0);
    sp_index_sort(p, 1);
    free(p);
    free(q);
}

/* --- merging --------------------------------------------------------------------------------- */

struct merge {
    struct sp_index_builder *to;
    const uint32_t *ordinals;
};

static enum sp_code
copy_entry(void *arg, const struct sp_index_entry *en, struct sp_err *e)
{
    struct merge *m = arg;
    uint8_t id[32] = {0};

    memcpy(id, en->key, SP_INDEX_KEY);
    return sp_index_builder_add(m->to, id, m->ordinals[en->pack], en->offset, en->length, e);
}

static enum sp_code
stop_at_once(void *arg, const struct sp_index_entry *en, struct sp_err *e)
{
    (void)en;
    ++*(int *)arg;
    return sp_fail(e, SP_CANCELLED, SP_DOM_SELF, "enough");
}

static void
segments_are_merged(void **state)
{
    struct sp_index_builder *b;
    struct sp_index_segment *g;
    struct sp_buf bytes = SP_BUF_INIT, all = SP_BUF_INIT;
    uint8_t names[2][32], name[32], want[32], got[32];
    int calls = 0;

    (void)state;
    /* They overlap: packs 30 to 49 are in both. */
    ok(sp_index_builder_new(&b, &err));
    for (uint32_t i = 0; i < 2; i++) {
        uint32_t ordinals[70];
        struct merge m = {b, ordinals};

        build_range(i == 0 ? 0 : 30, i == 0 ? 49 : 99, &bytes, names[i]);
        write_segment(&bytes);
        g = open_segment(names[i], true, false);
        for (size_t p = 0; p < sp_index_segment_packs(g); p++)
            ok(sp_index_builder_pack(b, sp_index_segment_pack(g, p), &ordinals[p], &err));
        ok(sp_index_segment_each(g, copy_entry, &m, &err));
        gives(SP_CANCELLED, sp_index_segment_each(g, stop_at_once, &calls, &err));
        assert_int_equal(calls, i + 1);
        sp_index_segment_free(g);
    }
    assert_int_equal(sp_index_builder_count(b), 500 + 700);
    ok(sp_index_builder_finish(b, (const uint8_t(*)[32])names, 2, &bytes, name, &err));
    sp_index_builder_free(b);
    write_segment(&bytes);
    g = open_segment(name, true, true);
    assert_int_equal(sp_index_segment_count(g), 1000);
    assert_int_equal(sp_index_segment_packs(g), 100);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(sp_index_segment_supersedes(g, i, got), 2);
        assert_memory_equal(got, names[i], 32);
    }
    for (uint32_t i = 0; i < 1000; i++) {
        struct sp_index_entry en = {.pack = UINT32_MAX};
        struct sp_index_pack p = make_pack(i / 10);
        uint8_t id[32];

        make_id(i, id);
        ok(sp_index_segment_find(g, id, take_first, &en, &err));
        assert_memory_equal(sp_index_segment_pack(g, en.pack)->name, p.name, 32);
        assert_int_equal(sp_index_segment_pack(g, en.pack)->size, p.size);
        assert_int_equal(sp_index_segment_pack(g, en.pack)->kind, p.kind);
        assert_int_equal(en.offset, 8 + 50 * (i % 10));
    }
    sp_index_segment_free(g);

    /* Built at once it is the same, but for the names that it replaces. */
    build_range(0, 99, &all, want);
    assert_int_equal(bytes.len, all.len + 64);
    assert_memory_equal(
        bytes.data + 32 + 96 * 100 + 64, all.data + 32 + 96 * 100, all.len - 32 - 96 * 100);
    sp_buf_free(&bytes);
    sp_buf_free(&all);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_bytes_are_those_of_the_format),
        cmocka_unit_test(the_builder_refuses_nonsense),
        cmocka_unit_test(packs_are_told_apart_by_all_they_are),
        cmocka_unit_test(sorting_is_sorting),
        cmocka_unit_test(segments_are_merged),
    };

    return cmocka_run_group_tests(tests, indexes_setup, indexes_teardown);
}
