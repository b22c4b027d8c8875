/* storage/compress.h: what comes back, what is not worth it, and that a hostile frame is an answer.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/random.h"
#include "storage/compress.h"
#include "vector.h"

#define MIB (1u << 20)

static struct sp_err e;

static uint8_t *
noise(size_t n, uint64_t seed)
{
    struct sp_random_seeded s = {seed};
    struct sp_random r = sp_random_seeded_of(&s);
    uint8_t *p = malloc(n);

    assert_non_null(p);
    assert_ok(sp_random_fill(&r, p, n, &e));
    return p;
}

static uint8_t *
text(size_t n)
{
    static const char *const words[] = {
        "backup ", "set ", "of ", "the ", "host\n", "pack ", "node "};
    uint8_t *p = noise(n + 8, 42);
    uint8_t *to = malloc(n + 8);

    assert_non_null(to);
    for (size_t i = 0, k = 0; i < n; k++) {
        const char *w = words[p[k] % 7];
        memcpy(to + i, w, strlen(w));
        i += strlen(w);
    }
    free(p);
    return to;
}

static size_t
there_and_back(struct sp_compressor *c, const uint8_t *p, size_t n)
{
    uint8_t *packed = malloc(n + 1), *back = malloc(n + 1);
    size_t got = 12345678;

    assert_non_null(packed);
    assert_non_null(back);
    packed[n] = back[n] = 0xa5;
    assert_ok(sp_compress(c, p, n, packed, n, &got, &e));
    if (got != 0) {
        assert_true(got <= n - n * 3 / 100);
        assert_ok(sp_decompress(c, packed, got, back, n, &e));
        assert_memory_equal(p, back, n);
    }
    assert_int_equal(packed[n], 0xa5);
    assert_int_equal(back[n], 0xa5);
    free(packed);
    free(back);
    return got;
}

static void
round_trip(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 2, 50, 1000, 32767, 32768, 32769, 100003, MIB, 4 * MIB};
    static const int levels[] = {1, 3, 9};
    uint8_t *p = text(4 * MIB);

    for (size_t l = 0; l < 3; l++) {
        struct sp_compressor *c = NULL;
        assert_ok(sp_compressor_new(levels[l], &c, &e));
        for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
            size_t got = there_and_back(c, p, sizes[i]);
            if (sizes[i] >= 1000)
                assert_in_range(got, 1, sizes[i] / 2);
        }
        sp_compressor_free(c);
    }
    free(p);
    sp_compressor_free(NULL);
}

static void
not_worth_it(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 1000, 32768, 65536, MIB};
    struct sp_compressor *c = NULL;
    uint8_t *p = noise(MIB, 1);

    assert_ok(sp_compressor_new(3, &c, &e));
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
        assert_int_equal(there_and_back(c, p, sizes[i]), 0);
    sp_compressor_free(c);
    free(p);
}

/* The quick look must not take these for packed data: one part of eight is text; bytes that are all
 * equally frequent but in order; noise that repeats. */
static void
worth_it_all_the_same(void **state)
{
    (void)state;
    struct sp_compressor *c = NULL;
    uint8_t *p = noise(MIB, 2), *t = text(MIB / 8);

    assert_ok(sp_compressor_new(3, &c, &e));
    memcpy(p + 300000, t, MIB / 8);
    assert_in_range(there_and_back(c, p, MIB), MIB / 2, MIB - MIB / 16);

    for (size_t i = 0; i < MIB; i++)
        p[i] = (uint8_t)i;
    assert_in_range(there_and_back(c, p, MIB), 1, MIB / 100);

    uint8_t *r = noise(8192, 3);
    for (size_t i = 0; i < MIB; i += 8192)
        memcpy(p + i, r, 8192);
    assert_in_range(there_and_back(c, p, MIB), 1, MIB / 50);

    sp_compressor_free(c);
    free(r);
    free(t);
    free(p);
}

static void
little_room(void **state)
{
    (void)state;
    struct sp_compressor *c = NULL;
    uint8_t *p = text(100000), *to = malloc(100000);
    size_t got = 99, full = 0;

    assert_non_null(to);
    assert_ok(sp_compressor_new(3, &c, &e));
    assert_ok(sp_compress(c, p, 100000, to, 100000, &full, &e));
    assert_true(full > 0);
    memset(to, 0xa5, 100000);
    assert_ok(sp_compress(c, p, 100000, to, full / 2, &got, &e));
    assert_int_equal(got, 0);
    assert_int_equal(to[full / 2], 0xa5);
    assert_ok(sp_compress(c, p, 100000, to, 0, &got, &e));
    assert_int_equal(got, 0);
    sp_compressor_free(c);
    free(to);
    free(p);

    assert_rc(sp_compressor_new(0, &c, &e), SP_INVALID);
    assert_rc(sp_compressor_new(20, &c, &e), SP_INVALID);
}

static void
hostile(void **state)
{
    (void)state;
    struct sp_compressor *c = NULL;
    enum { RAW = 3000 };
    uint8_t *p = text(RAW), packed[RAW + 64], back[RAW + 64];
    size_t n = 0;

    assert_ok(sp_compressor_new(3, &c, &e));
    assert_ok(sp_compress(c, p, RAW, packed, RAW, &n, &e));
    assert_true(n > 0);
    assert_rc(sp_decompress(c, packed, n, back, RAW - 1, &e), SP_CORRUPT);
    assert_rc(sp_decompress(c, packed, n, back, RAW + 1, &e), SP_CORRUPT);
    for (size_t i = 0; i < n; i++)
        assert_rc(sp_decompress(c, packed, i, back, RAW, &e), SP_CORRUPT);
    packed[n] = 0; /* a byte behind it */
    assert_rc(sp_decompress(c, packed, n + 1, back, RAW, &e), SP_CORRUPT);
    /* an empty skippable frame behind it, before it, alone; then two frames */
    uint8_t skip[8] = {0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0};
    memcpy(packed + n, skip, 8);
    assert_rc(sp_decompress(c, packed, n + 8, back, RAW, &e), SP_CORRUPT);
    assert_rc(sp_decompress(c, skip, 8, back, 0, &e), SP_CORRUPT);
    memmove(packed + 8, packed, n);
    memcpy(packed, skip, 8);
    assert_rc(sp_decompress(c, packed, n + 8, back, RAW, &e), SP_CORRUPT);
    assert_ok(sp_decompress(c, packed + 8, n, back, RAW, &e));
    assert_memory_equal(p, back, RAW);

    /* Raw blocks, the size not said, a window of 4 MiB and of more: RFC 8878, 3.1.1. */
    uint8_t frame[] = {0x28, 0xb5, 0x2f, 0xfd, 0x00, 12 << 3, 0x19, 0, 0, 'a', 'b', 'c'};
    assert_ok(sp_decompress(c, frame, sizeof(frame), back, 3, &e));
    assert_memory_equal(back, "abc", 3);
    assert_rc(sp_decompress(c, frame, sizeof(frame), back, 2, &e), SP_CORRUPT);
    assert_rc(sp_decompress(c, frame, sizeof(frame), back, 4, &e), SP_CORRUPT);
    frame[5] = (12 << 3) + 1;
    assert_rc(sp_decompress(c, frame, sizeof(frame), back, 3, &e), SP_CORRUPT);
    frame[5] = 31 << 3;
    assert_rc(sp_decompress(c, frame, sizeof(frame), back, 3, &e), SP_CORRUPT);

    /* Whatever bits are wrong: an answer, and never more than RAW bytes. */
    for (size_t bit = 0; bit < 8 * n; bit++) {
        packed[8 + bit / 8] ^= (uint8_t)(1u << bit % 8);
        back[RAW] = 0xa5;
        (void)sp_decompress(c, packed + 8, n, back, RAW, &e);
        assert_int_equal(back[RAW], 0xa5);
        packed[8 + bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    sp_compressor_free(c);
    free(p);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(not_worth_it),
        cmocka_unit_test(worth_it_all_the_same),
        cmocka_unit_test(little_room),
        cmocka_unit_test(hostile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
