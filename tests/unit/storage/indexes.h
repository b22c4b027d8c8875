#ifndef SP_TESTS_INDEXES_H
#define SP_TESTS_INDEXES_H

/* What the tests of index segments share: packs and ids by number, a folder for the segment's file,
 * and a table that counts reads. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "expect.h"
#include "storage/index_format.h"

static char segment_folder[64], segment_path[96];
static size_t reads, longest_read;
static enum sp_code read_fault; /* SP_OK: none */
static struct sp_os counting;

static inline enum sp_code
counting_read_at(void *self, struct sp_file *f, uint64_t offset, void *to, size_t n, size_t *ret_n,
    struct sp_err *e)
{
    reads++;
    if (n > longest_read)
        longest_read = n;
    if (read_fault != SP_OK)
        return sp_fail(e, read_fault, SP_DOM_STORE, "no answer");
    return sp_os_system.read_at(self, f, offset, to, n, ret_n, e);
}

static inline int
indexes_setup(void **state)
{
    (void)state;
    counting = sp_os_system;
    counting.read_at = counting_read_at;
    strcpy(segment_folder, "/tmp/sp-index-XXXXXX");
    if (mkdtemp(segment_folder) == NULL)
        return -1;
    (void)snprintf(segment_path, sizeof(segment_path), "%s/segment", segment_folder);
    return 0;
}

static inline int
indexes_teardown(void **state)
{
    (void)state;
    return sp_os_remove_tree(&sp_os_system, segment_folder, &err) == SP_OK ? 0 : -1;
}

static inline void
write_bytes(const void *p, size_t n)
{
    FILE *f = fopen(segment_path, "w");

    assert_non_null(f);
    assert_int_equal(fwrite(p, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

static inline void
write_segment(const struct sp_buf *b)
{
    write_bytes(b->data, b->len);
}

static inline struct sp_index_segment *
open_segment(const uint8_t name[32], bool verify, bool keep_filter)
{
    struct sp_index_segment *g;

    ok(sp_index_segment_open(&counting, segment_path, name, verify, keep_filter, &g, &err));
    return g;
}

/* The number-th id: random. */
static inline void
make_id(uint64_t number, uint8_t id[32])
{
    struct sp_random_seeded s = {number * 0x9e3779b97f4a7c15u + 3};
    struct sp_random r = sp_random_seeded_of(&s);

    ok(sp_random_fill(&r, id, 32, &err));
}

static inline struct sp_index_pack
make_pack(uint32_t number)
{
    struct sp_index_pack p = {
        .size = 100000 + number, .kind = number % 2 == 0 ? SP_PACK_DATA : SP_PACK_NODES};

    make_id(0x100000000u + number, p.name);
    memset(p.uploader, (int)(1 + number % 7), 16);
    memset(p.group, (int)(100 + number % 7), 16);
    return p;
}

static inline uint32_t
add_pack(struct sp_index_builder *b, uint32_t number)
{
    struct sp_index_pack p = make_pack(number);
    uint32_t ordinal = 0;

    ok(sp_index_builder_pack(b, &p, &ordinal, &err));
    return ordinal;
}

/* Rising with `i`, and as far from uniform as can be. */
static inline void
odd_id(int pattern, uint32_t i, uint8_t id[32])
{
    size_t at = pattern == 0 ? 12 : pattern == 1 ? 4 : 1;

    memset(id, pattern == 1 ? 255 : pattern == 2 ? 0 : 7, 32);
    for (size_t j = 0; j < 4; j++)
        id[at + j] = (uint8_t)(i >> (24 - 8 * j));
    if (pattern == 3) { /* two clusters at the ends of one bucket */
        id[1] = i % 40000 < 20000 ? 0 : 255;
        for (size_t j = 0; j < 4; j++)
            id[8 + j] = (uint8_t)(i >> (24 - 8 * j));
    }
}

static inline int
compare_bytes(const void *a, const void *b)
{
    return sp_index_entry_cmp(a, b);
}

static inline bool
take_first(void *arg, const struct sp_index_entry *en)
{
    struct sp_index_entry *to = arg;

    *to = *en;
    return false;
}

static inline int
by_format(const void *a, const void *b)
{
    const struct sp_index_entry *x = a, *y = b;
    int order = memcmp(x->key, y->key, SP_INDEX_KEY);

    if (order != 0)
        return order;
    if (x->pack != y->pack)
        return x->pack < y->pack ? -1 : 1;
    return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* Packs first … last, ten entries each. */
static inline void
build_range(uint32_t first, uint32_t last, struct sp_buf *ret, uint8_t name[32])
{
    struct sp_index_builder *b;

    ok(sp_index_builder_new(&b, &err));
    for (uint32_t i = first; i <= last; i++) {
        uint32_t ordinal = add_pack(b, i);

        for (uint32_t j = 0; j < 10; j++) {
            uint8_t id[32];

            make_id(i * 10 + j, id);
            ok(sp_index_builder_add(b, id, ordinal, 8 + 50 * j, 50, &err));
        }
    }
    ok(sp_index_builder_finish(b, NULL, 0, ret, name, &err));
    sp_index_builder_free(b);
}

#endif
