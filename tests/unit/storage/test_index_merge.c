/* Merging of index segments, against what the builder makes of the same entries. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/random.h"
#include "expect.h"
#include "storage/index_merge.h"

static char base[64];
static struct sp_index_cache cache;

static int
begin(void **state)
{
    const uint8_t id[16] = {1};

    (void)state;
    strcpy(base, "/tmp/sp-merge-XXXXXX");
    if (mkdtemp(base) == NULL)
        return -1;
    return sp_index_cache_open(&sp_env_system, base, id, &cache, &err) == SP_OK ? 0 : -1;
}

static int
end(void **state)
{
    (void)state;
    sp_index_cache_close(&cache);
    return sp_os_remove_tree(&sp_os_system, base, &err) == SP_OK ? 0 : -1;
}

static struct sp_index_pack
pack_of(uint32_t i)
{
    struct sp_index_pack p = {.size = 1u << 20, .kind = i % 3 == 0 ? SP_PACK_NODES : SP_PACK_DATA};

    sp_store_le32(p.name, i);
    p.name[31] = 1;
    p.uploader[0] = (uint8_t)i;
    return p;
}

/* Entry k: a pack below `packs`, and few enough keys that some come several times. */
static void
entry_of(uint32_t k, uint32_t packs, uint8_t id[32], uint32_t *pack, uint32_t *offset)
{
    struct sp_random_seeded s = {k / 3};
    struct sp_random r = sp_random_seeded_of(&s);

    ok(sp_random_fill(&r, id, 32, &err));
    *pack = (k * 7) % packs;
    *offset = 8 + k % 1000;
}

/* Segment of the entries from … to; its packs in another order than the numbers. */
static struct sp_index_segment *
build(uint32_t from, uint32_t to, uint32_t packs, uint32_t skip, uint8_t name[32])
{
    struct sp_index_builder *b;
    struct sp_index_segment *s;
    struct sp_buf bytes = SP_BUF_INIT;
    uint32_t *ordinals = calloc(packs, sizeof(*ordinals));

    assert_non_null(ordinals);
    ok(sp_index_builder_new(&b, &err));
    for (uint32_t i = packs; i-- > 0;) {
        struct sp_index_pack p = pack_of(i);

        if (i != skip)
            ok(sp_index_builder_pack(b, &p, &ordinals[i], &err));
    }
    for (uint32_t k = from; k < to; k++) {
        uint8_t id[32];
        uint32_t pack, offset;

        entry_of(k, packs, id, &pack, &offset);
        if (pack != skip)
            ok(sp_index_builder_add(b, id, ordinals[pack], offset, 100, &err));
    }
    ok(sp_index_builder_finish(b, NULL, 0, &bytes, name, &err));
    ok(sp_index_cache_write(&cache, name, true, bytes.data, bytes.len, &err));
    ok(sp_index_cache_use(&cache, name, true, true, &s, &err));
    sp_buf_free(&bytes);
    sp_index_builder_free(b);
    free(ordinals);
    return s;
}

struct all {
    struct sp_index_segment *s;
    struct sp_buf b; /* key, pack's name, offset, length of each entry */
    struct sp_index_entry last;
    size_t n;
};

static enum sp_code
gather(void *arg, const struct sp_index_entry *en, struct sp_err *e)
{
    struct all *a = arg;

    if (a->n > 0) { /* sorted by key, pack, offset; none twice */
        int order = memcmp(a->last.key, en->key, SP_INDEX_KEY);

        assert_true(order < 0 ||
                    (order == 0 && (a->last.pack < en->pack ||
                                       (a->last.pack == en->pack && a->last.offset < en->offset))));
    }
    a->last = *en;
    a->n++;
    sp_buf_put(&a->b, en->key, SP_INDEX_KEY);
    sp_buf_put(&a->b, sp_index_segment_pack(a->s, en->pack)->name, 32);
    sp_buf_put_u32(&a->b, en->offset);
    sp_buf_put_u32(&a->b, en->length);
    return sp_buf_ok(&a->b, e);
}

#define RECORD (SP_INDEX_KEY + 32 + 8)

static int
compare(const void *a, const void *b)
{
    return memcmp(a, b, RECORD);
}

static struct all
contents(struct sp_index_segment *s)
{
    struct all a = {.s = s, .b = SP_BUF_INIT};

    ok(sp_index_segment_each(s, gather, &a, &err));
    assert_int_equal(a.n, sp_index_segment_count(s));
    if (a.n > 0)
        qsort(a.b.data, a.n, RECORD, compare);
    return a;
}

static bool
found(void *arg, const struct sp_index_entry *en)
{
    (void)en;
    ++*(size_t *)arg;
    return true;
}

/* Overlapping inputs, one pack vanished: the same entries as one segment built from all. */
static void
test_merge(void **state)
{
    enum { PACKS = 20, GONE = 5, INPUTS = 4 };
    static const uint32_t from[INPUTS] = {0, 5000, 4000, 12000},
                          to[INPUTS] = {6000, 9000, 13000, 12100};
    struct sp_index_merge_input in[INPUTS];
    struct sp_index_pack packs[PACKS];
    struct sp_index_segment *merged, *expected;
    struct all a, b;
    uint8_t name[32], want[32], other[32], names[INPUTS][32];

    (void)state;
    for (uint32_t i = 0, n = 0; i < PACKS; i++)
        if (i != GONE)
            packs[n++] = pack_of(i);
    for (size_t i = 0; i < INPUTS; i++) {
        in[i].segment = build(from[i], to[i], PACKS, SP_NO_PACK, names[i]);
        in[i].packs = malloc(PACKS * sizeof(*in[i].packs));
        assert_non_null(in[i].packs);
        for (uint32_t k = 0; k < PACKS; k++) {
            uint32_t number = sp_le32(sp_index_segment_pack(in[i].segment, k)->name);

            in[i].packs[k] = number == GONE ? SP_NO_PACK : number > GONE ? number - 1 : number;
        }
    }
    ok(sp_index_merge(&cache, in, INPUTS, packs, PACKS - 1, name, &err));
    {
        char *path = sp_index_cache_path(&cache, name, true);

        ok(sp_index_segment_open(&sp_os_system, path, name, true, true, &merged, &err));
        free(path);
    }
    expected = build(0, 13000, PACKS, GONE, want);
    a = contents(merged);
    b = contents(expected);
    assert_int_equal(a.n, b.n);
    assert_memory_equal(a.b.data, b.b.data, a.b.len);

    assert_int_equal(sp_index_segment_supersedes(merged, 0, other), INPUTS);
    for (size_t i = 0; i < INPUTS; i++) {
        (void)sp_index_segment_supersedes(merged, i, other);
        assert_memory_equal(other, names[i], 32);
    }
    for (uint32_t k = 0; k < 13000; k += 7) { /* through fan-out and filter */
        uint8_t id[32];
        uint32_t pack, offset;
        size_t n = 0, m = 0;

        entry_of(k, PACKS, id, &pack, &offset);
        ok(sp_index_segment_find(merged, id, found, &n, &err));
        ok(sp_index_segment_find(expected, id, found, &m, &err));
        assert_int_equal(n, m);
    }
    sp_buf_free(&a.b);
    sp_buf_free(&b.b);
    sp_index_segment_free(merged);
    sp_index_segment_free(expected);
    for (size_t i = 0; i < INPUTS; i++) {
        sp_index_segment_free(in[i].segment);
        free(in[i].packs);
    }
}

/* Everything gone: an empty segment is one. */
static void
test_merge_nothing(void **state)
{
    struct sp_index_merge_input in[2];
    struct sp_index_segment *merged;
    uint32_t none[3] = {SP_NO_PACK, SP_NO_PACK, SP_NO_PACK};
    uint8_t names[2][32], name[32];

    (void)state;
    for (uint32_t i = 0; i < 2; i++) {
        in[i].segment = build(i * 10, i * 10 + 10, 3, SP_NO_PACK, names[i]);
        in[i].packs = none;
    }
    ok(sp_index_merge(&cache, in, 2, NULL, 0, name, &err));
    ok(sp_index_cache_use(&cache, name, true, true, &merged, &err));
    assert_int_equal(sp_index_segment_count(merged), 0);
    sp_index_segment_free(merged);
    for (uint32_t i = 0; i < 2; i++)
        sp_index_segment_free(in[i].segment);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_merge, begin, end),
        cmocka_unit_test_setup_teardown(test_merge_nothing, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
