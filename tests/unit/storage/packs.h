#ifndef SP_TESTS_PACKS_H
#define SP_TESTS_PACKS_H

/* What the tests of packs share. The blocks have true headers and meaningless sealed parts: a pack
 * never looks inside. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "expect.h"
#include "storage/pack.h"

static const struct sp_pack_origin origin = {
    {0xa0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
    {0xb0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
    {0xc0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}};

/* docs/format.md §6.2. `sealed` must be a power of two, which is a PADMÉ length. */
static inline void
make_block(enum sp_block_kind kind, size_t nids, size_t sealed, uint64_t seed, struct sp_buf *ret)
{
    struct sp_random_seeded s = {seed};
    struct sp_random r = sp_random_seeded_of(&s);
    size_t header = 64 + 32 * nids + (kind == SP_BLOCK_NODES ? 4 * nids : 0), n;

    sp_buf_reset(ret);
    sp_buf_put(ret, "SPB1", 4);
    sp_buf_put_u8(ret, 1);
    sp_buf_put_u8(ret, (uint8_t)kind);
    sp_buf_put_u16(ret, (uint16_t)nids);
    sp_buf_put_u32(ret, (uint32_t)header);
    sp_buf_put_u32(ret, (uint32_t)(sealed + 16));
    sp_buf_put(ret, origin.group, 16);
    sp_buf_put_u32(ret, 1);
    sp_buf_put_u32(ret, 0);
    sp_buf_put_zero(ret, 16);
    sp_buf_put_u64(ret, seed);
    for (size_t i = 0; i < nids; i++) {
        uint8_t id[32];

        ok(sp_random_fill(&r, id, sizeof(id), &err));
        id[0] = (uint8_t)(i >> 8); /* rising */
        id[1] = (uint8_t)i;
        sp_buf_put(ret, id, sizeof(id));
    }
    if (kind == SP_BLOCK_NODES)
        sp_buf_put_zero(ret, 4 * nids);
    n = ret->len;
    assert_true(sp_buf_reserve(ret, sealed + 16));
    ok(sp_random_fill(&r, ret->data + n, sealed + 16, &err));
    ret->len += sealed + 16;
}

struct written {
    uint8_t name[32];
    uint64_t size;
    char object[96];
};

/* `n` blocks, the i-th with i + 1 ids and the seed seed + i. */
static inline void
write_pack(
    struct sp_backend *b, enum sp_pack_kind kind, size_t n, uint64_t seed, struct written *ret)
{
    struct sp_pack_writer *w;
    struct sp_buf block = SP_BUF_INIT;
    const struct sp_span slots[] = {{"first slot", 10}, {"", 0}, {"third", 5}};
    uint32_t offset = 8;

    ok(sp_pack_writer_new(b, kind, &origin, &w, &err));
    assert_int_equal(sp_pack_writer_size(w), 0);
    for (size_t i = 0; i < n; i++) {
        struct sp_pack_place place;

        make_block(
            kind == SP_PACK_NODES ? SP_BLOCK_NODES : SP_BLOCK_FILES, i + 1, 64, seed + i, &block);
        ok(sp_pack_writer_add(w, block.data, block.len, &place, &err));
        assert_int_equal(place.offset, offset);
        assert_int_equal(place.length, block.len);
        offset += place.length;
        assert_int_equal(sp_pack_writer_blocks(w), i + 1);
        assert_int_equal(sp_pack_writer_size(w), offset - 8);
    }
    ok(sp_pack_writer_finish(w, "the conf", 8, slots, 3, ret->name, &ret->size, &err));
    sp_pack_object_name(kind, ret->name, ret->object);
    sp_buf_free(&block);
}

static inline uint8_t *
whole(struct sp_backend *b, const struct written *p)
{
    uint8_t *bytes;
    size_t n;

    ok(sp_backend_get_all(b, p->object, 1u << 30, &bytes, &n, &err));
    assert_int_equal(n, p->size);
    return bytes;
}

static inline struct sp_backend *
memory(void)
{
    struct sp_backend *b;

    ok(sp_backend_memory_new(&b, &err));
    return b;
}

#endif
