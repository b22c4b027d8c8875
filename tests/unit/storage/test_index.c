/* Index segments in use: how much memory, how many reads, what is found. Building and the format:
 * see test_index_build.c; what is damaged: test_index_damage.c. */

#include "indexes.h"

#include "base/thread.h"

/* --- a million ------------------------------------------------------------------------------- */

#define MANY 1000000u
#define PACKS 4000u
#define ABSENT 400000u

static enum sp_code
count_in_order(void *arg, const struct sp_index_entry *en, struct sp_err *e)
{
    struct {
        uint8_t key[SP_INDEX_KEY];
        size_t n;
    } *seen = arg;

    (void)e;
    assert_true(memcmp(seen->key, en->key, SP_INDEX_KEY) < 0);
    memcpy(seen->key, en->key, SP_INDEX_KEY);
    seen->n++;
    return SP_OK;
}

static void
a_million_entries(void **state)
{
    const uint64_t seed = 20261122;
    struct sp_random_seeded s = {seed};
    struct sp_random random = sp_random_seeded_of(&s);
    uint8_t(*ids)[32] = malloc((size_t)MANY * 32);
    struct sp_index_builder *b;
    struct sp_index_segment *g;
    struct sp_buf bytes = SP_BUF_INIT;
    struct {
        uint8_t key[SP_INDEX_KEY];
        size_t n;
    } seen = {{0}, 0};
    uint8_t name[32];
    size_t found = 20000, passed;

    (void)state;
    print_message("seed %llu\n", (unsigned long long)seed);
    ok(sp_random_fill(&random, ids, (size_t)MANY * 32, &err));
    ok(sp_index_builder_new(&b, &err));
    for (uint32_t i = 0; i < PACKS; i++)
        assert_int_equal(add_pack(b, i), i);
    for (uint32_t i = 0; i < MANY; i++)
        ok(sp_index_builder_add(b, ids[i], i % PACKS, 8 + i / PACKS, 1 + i % 1000, &err));
    assert_int_equal(sp_index_builder_count(b), MANY);
    ok(sp_index_builder_finish(b, NULL, 0, &bytes, name, &err));
    sp_index_builder_free(b);
    write_segment(&bytes);

    g = open_segment(name, true, true);
    assert_int_equal(sp_index_segment_count(g), MANY);
    assert_true(sp_index_segment_memory(g) <= MANY * 16 / 10);
    reads = 0;
    longest_read = 0;
    for (size_t i = 0; i < found; i++) {
        size_t at = i * (MANY / found) + i % 7;
        struct sp_index_entry en = {.pack = UINT32_MAX};

        ok(sp_index_segment_find(g, ids[at], take_first, &en, &err));
        assert_int_equal(en.pack, at % PACKS);
        assert_int_equal(en.offset, 8 + at / PACKS);
        assert_int_equal(en.length, 1 + at % 1000);
        assert_memory_equal(en.key, ids[at], SP_INDEX_KEY);
    }
    print_message("%zu reads of at most %zu bytes for %zu\n", reads, longest_read, found);
    assert_true(longest_read <= 4096);
    assert_true(reads < found + found / 20);

    reads = 0;
    passed = 0;
    for (size_t i = 0; i < ABSENT; i++) {
        struct sp_index_entry en = {.pack = UINT32_MAX};
        uint8_t id[32];
        size_t before = reads;

        ok(sp_random_fill(&random, id, sizeof(id), &err));
        ok(sp_index_segment_find(g, id, take_first, &en, &err));
        assert_int_equal(en.pack, UINT32_MAX);
        passed += reads > before;
    }
    print_message("%zu of %u absent ids pass the filter\n", passed, ABSENT);
    assert_true(passed * 50 < ABSENT);
    assert_true(passed > 0);

    ok(sp_index_segment_each(g, count_in_order, &seen, &err));
    assert_int_equal(seen.n, MANY);
    sp_index_segment_free(g);
    sp_buf_free(&bytes);
    free(ids);
}

/* --- finding --------------------------------------------------------------------------------- */

struct all {
    struct sp_index_entry en[1000];
    size_t n, stop_at;
};

static bool
take_all(void *arg, const struct sp_index_entry *en)
{
    struct all *a = arg;

    assert_true(a->n < 1000);
    a->en[a->n++] = *en;
    return a->n != a->stop_at;
}

static void
an_id_may_be_in_many_packs(void **state)
{
    struct all *a = calloc(1, sizeof(*a));
    struct sp_index_builder *b;
    struct sp_index_segment *g;
    struct sp_buf bytes = SP_BUF_INIT;
    uint8_t name[32], id[32], other[32];

    (void)state;
    ok(sp_index_builder_new(&b, &err));
    for (uint32_t i = 0; i < 900; i++)
        add_pack(b, i);
    make_id(1, id);
    for (uint32_t i = 900; i-- > 0;)
        ok(sp_index_builder_add(b, id, i, 8 + i, 10, &err));
    ok(sp_index_builder_add(b, id, 5, 8, 10, &err));
    for (uint32_t i = 0; i < 5000; i++) {
        make_id(1000 + i, other);
        other[0] = id[0];
        ok(sp_index_builder_add(b, other, 7, 100 + i, 10, &err));
    }
    ok(sp_index_builder_finish(b, NULL, 0, &bytes, name, &err));
    write_segment(&bytes);
    for (int filter = 0; filter < 2; filter++) {
        g = open_segment(name, true, filter != 0);
        a->n = a->stop_at = 0;
        ok(sp_index_segment_find(g, id, take_all, a, &err));
        assert_int_equal(a->n, 901);
        for (size_t i = 1; i < a->n; i++)
            assert_true(by_format(&a->en[i - 1], &a->en[i]) < 0);
        a->n = 0;
        a->stop_at = 3;
        ok(sp_index_segment_find(g, id, take_all, a, &err));
        assert_int_equal(a->n, 3);
        /* Only the first 16 bytes of an id are the key; the caller compares the rest. */
        a->n = a->stop_at = 0;
        id[31] ^= 1;
        ok(sp_index_segment_find(g, id, take_all, a, &err));
        assert_int_equal(a->n, 901);
        id[31] ^= 1;
        a->n = 0;
        id[15] ^= 1;
        ok(sp_index_segment_find(g, id, take_all, a, &err));
        assert_int_equal(a->n, 0);
        id[15] ^= 1;
        sp_index_segment_free(g);
    }
    sp_index_builder_free(b);
    sp_buf_free(&bytes);
    free(a);
}

/* Keys that no hash would give: found as well, with few reads. */
static void
unlikely_keys_are_found(void **state)
{
    enum { N = 20000 };
    struct sp_index_builder *b;
    struct sp_index_segment *g;
    struct sp_buf bytes = SP_BUF_INIT;
    uint8_t name[32], id[32];

    (void)state;
    for (int pattern = 0; pattern < 4; pattern++) {
        ok(sp_index_builder_new(&b, &err));
        add_pack(b, 0);
        for (uint32_t i = 0; i < N; i++) {
            odd_id(pattern, 2 * i, id);
            ok(sp_index_builder_add(b, id, 0, 8 + i, 10, &err));
        }
        ok(sp_index_builder_finish(b, NULL, 0, &bytes, name, &err));
        sp_index_builder_free(b);
        write_segment(&bytes);
        g = open_segment(name, true, false);
        for (uint32_t i = 0; i < 2 * N; i += i < 600 || i > 2 * N - 600 ? 1 : 97) {
            struct sp_index_entry en = {.pack = UINT32_MAX};

            reads = 0;
            odd_id(pattern, i, id);
            ok(sp_index_segment_find(g, id, take_first, &en, &err));
            if (i % 2 == 0)
                assert_int_equal(en.offset, 8 + i / 2);
            else
                assert_int_equal(en.pack, UINT32_MAX);
            assert_true(reads <= 14);
        }
        sp_index_segment_free(g);
    }
    sp_buf_free(&bytes);
}

static void
an_empty_segment_holds_nothing(void **state)
{
    struct sp_index_builder *b;
    struct sp_index_segment *g;
    struct sp_buf bytes = SP_BUF_INIT;
    struct sp_index_entry en = {.pack = UINT32_MAX};
    uint8_t name[32], id[32] = {0}, other[32] = {0};

    (void)state;
    ok(sp_index_builder_new(&b, &err));
    make_id(1, other);
    ok(sp_index_builder_finish(b, (const uint8_t(*)[32])other, 1, &bytes, name, &err));
    write_segment(&bytes);
    g = open_segment(name, true, true);
    assert_int_equal(sp_index_segment_count(g), 0);
    assert_int_equal(sp_index_segment_packs(g), 0);
    assert_memory_equal(sp_index_segment_name(g), name, 32);
    assert_int_equal(sp_index_segment_supersedes(g, 0, id), 1);
    assert_memory_equal(id, other, 32);
    assert_int_equal(sp_index_segment_supersedes(g, 1, id), 1);
    ok(sp_index_segment_find(g, id, take_first, &en, &err));
    memset(id, 255, 32);
    ok(sp_index_segment_find(g, id, take_first, &en, &err));
    assert_int_equal(en.pack, UINT32_MAX);
    ok(sp_index_segment_each(g, NULL, NULL, &err));
    sp_index_segment_free(g);
    sp_index_segment_free(NULL);
    sp_index_builder_free(b);
    sp_index_builder_free(NULL);
    sp_buf_free(&bytes);
}

/* --- threads --------------------------------------------------------------------------------- */

struct reader {
    struct sp_index_segment *g;
    uint32_t from;
    size_t found;
};

static bool
count_one(void *arg, const struct sp_index_entry *en)
{
    (void)en;
    ++*(size_t *)arg;
    return true;
}

static void
find_all(void *arg)
{
    struct reader *r = arg;

    for (uint32_t i = 0; i < 1000; i++) {
        struct sp_err e;
        uint8_t id[32];

        make_id((r->from + i) % 1000, id);
        if (sp_index_segment_find(r->g, id, count_one, &r->found, &e) != SP_OK)
            return;
    }
}

static void
any_thread_may_find(void **state)
{
    struct reader r[4];
    struct sp_thread *t[4];
    struct sp_index_segment *g;
    struct sp_buf bytes = SP_BUF_INIT;
    uint8_t name[32];

    (void)state;
    build_range(0, 99, &bytes, name);
    write_segment(&bytes);
    ok(sp_index_segment_open(&sp_os_system, segment_path, name, true, true, &g, &err));
    for (uint32_t i = 0; i < 4; i++) {
        r[i] = (struct reader){g, i * 250, 0};
        ok(sp_thread_start("reader", find_all, &r[i], &t[i], &err));
    }
    for (uint32_t i = 0; i < 4; i++) {
        sp_thread_join(t[i]);
        assert_int_equal(r[i].found, 1000);
    }
    sp_index_segment_free(g);
    sp_buf_free(&bytes);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_million_entries),
        cmocka_unit_test(an_id_may_be_in_many_packs),
        cmocka_unit_test(unlikely_keys_are_found),
        cmocka_unit_test(an_empty_segment_holds_nothing),
        cmocka_unit_test(any_thread_may_find),
    };

    return cmocka_run_group_tests(tests, indexes_setup, indexes_teardown);
}
