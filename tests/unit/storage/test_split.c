/* storage/split.h: the cuts against the format's text, and what deduplication builds on: cuts that
 * depend on the content alone, whatever the pieces, and find back to each other after a change. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/random.h"
#include "storage/crypto.h"
#include "storage/split.h"
#include "vector.h"

static struct sp_err e;

static const struct sp_split_params small = {256, 1024, 2048, 4096};

static uint64_t
seed_of_today(void)
{
    const char *given = getenv("SP_TEST_SEED");
    uint64_t seed = given != NULL ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);

    print_message("seed %llu (SP_TEST_SEED)\n", (unsigned long long)seed);
    return seed;
}

static uint64_t
draw(struct sp_random_seeded *s)
{
    struct sp_random r = sp_random_seeded_of(s);
    uint64_t v = 0;

    assert_ok(sp_random_fill(&r, &v, sizeof(v), &e));
    return v;
}

static uint8_t *
noise(struct sp_random_seeded *s, size_t n)
{
    struct sp_random r = sp_random_seeded_of(s);
    uint8_t *p = malloc(n);

    assert_non_null(p);
    assert_ok(sp_random_fill(&r, p, n, &e));
    return p;
}

static struct sp_splitter *
splitter(const struct sp_split_params *p, uint8_t key0)
{
    struct sp_splitter *s = NULL;
    uint8_t key[32];

    for (uint8_t i = 0; i < 32; i++)
        key[i] = (uint8_t)(key0 + i);
    assert_ok(sp_splitter_new(p, key, &s, &e));
    return s;
}

struct cuts {
    size_t n;
    size_t at[1 << 16];
};

/* Pieces of at most `most` bytes, of random size when `sizes` is given. The end is the last cut. */
static struct cuts *
cut_up(const struct sp_splitter *s, bool image, const uint8_t *p, size_t n, size_t most,
    struct sp_random_seeded *sizes)
{
    struct cuts *c = calloc(1, sizeof(*c));
    struct sp_split st;

    assert_non_null(c);
    sp_split_start(&st, s, image);
    for (size_t pos = 0; pos < n;) {
        size_t piece = sizes != NULL ? draw(sizes) % most + 1 : most;
        if (piece > n - pos)
            piece = n - pos;
        /* A copy of its own, so that the sanitizer sees a look beyond its end. */
        uint8_t *own = malloc(piece);
        assert_non_null(own);
        memcpy(own, p + pos, piece);
        for (size_t done = 0; done < piece;) {
            bool cut = false;
            size_t got = sp_split_next(&st, own + done, piece - done, &cut);
            assert_in_range(got, 1, piece - done);
            done += got;
            if (cut) {
                assert_true(c->n < 1 << 16);
                c->at[c->n++] = pos + done;
            } else {
                assert_int_equal(done, piece);
            }
        }
        free(own);
        pos += piece;
    }
    if (c->n == 0 || c->at[c->n - 1] != n)
        c->at[c->n++] = n;
    return c;
}

static void
assert_same(const struct cuts *a, const struct cuts *b)
{
    assert_int_equal(a->n, b->n);
    assert_memory_equal(a->at, b->at, a->n * sizeof(a->at[0]));
}

/* Computed in python from docs/format.md alone: the key 100, 101, … 131; the content the SHA-256 of
 * the u32 0, 1, … 1023, one after the other. */
static void
known_cuts(void **state)
{
    (void)state;
    static const size_t lengths[] = {2048, 1162, 1065, 579, 1050, 420, 1334, 1049, 1074, 1369, 1081,
        1444, 1445, 1042, 1159, 1091, 1368, 1038, 1806, 1453, 1406, 311, 320, 1286, 1357, 1073,
        1771, 917, 250};
    uint8_t data[32768];

    for (uint32_t i = 0; i < 1024; i++) {
        uint8_t number[4];
        sp_store_le32(number, i);
        assert_ok(sp_sha256(number, 4, data + 32 * (size_t)i, &e));
    }
    struct sp_splitter *s = splitter(&small, 100);
    struct cuts *c = cut_up(s, false, data, sizeof(data), sizeof(data), NULL);
    assert_int_equal(c->n, sizeof(lengths) / sizeof(lengths[0]));
    for (size_t i = 0, at = 0; i < c->n; i++) {
        at += lengths[i];
        assert_int_equal(c->at[i], at);
    }
    free(c);
    sp_splitter_free(s);
}

static void
same_cuts_whatever_the_pieces(void **state)
{
    (void)state;
    static const struct sp_split_params all[] = {{256, 1024, 2048, 4096}, {64, 128, 129, 4096},
        {65, 4096, 5000, 8192}, {100, 256, 1000, 4096}};
    struct sp_random_seeded r = {seed_of_today()};

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        struct sp_splitter *s = splitter(&all[i], 3);
        size_t n = 50000 + draw(&r) % 20000;
        uint8_t *p = noise(&r, n);
        for (int image = 0; image < 2; image++) {
            struct cuts *whole = cut_up(s, image, p, n, n, NULL);
            static const size_t most[] = {1, 2, 3, 5, 64, 300, 3000, 40000};
            for (size_t k = 0; k < sizeof(most) / sizeof(most[0]); k++) {
                struct cuts *c = cut_up(s, image, p, n, most[k], &r);
                assert_same(whole, c);
                free(c);
            }
            /* bounds */
            for (size_t k = 0, from = 0; k < whole->n; from = whole->at[k++]) {
                size_t len = whole->at[k] - from;
                assert_true(len <= sp_split_max(s, image));
                if (image && k + 1 < whole->n)
                    assert_int_equal(len, all[i].image_chunk);
                else if (k + 1 < whole->n)
                    assert_true(len > all[i].file_min);
            }
            free(whole);
        }
        free(p);
        sp_splitter_free(s);
    }
}

/* Content in which nothing is ever found is cut at the maximum, and where everything is found
 * behind the minimum. */
static void
constant_content(void **state)
{
    (void)state;
    struct sp_splitter *s = splitter(&small, 1);
    uint8_t *p = malloc(100000);

    assert_non_null(p);
    for (unsigned b = 0; b < 256; b++) {
        memset(p, (int)b, 100000);
        struct cuts *c = cut_up(s, false, p, 100000, 777, NULL);
        for (size_t k = 0, from = 0; k + 1 < c->n; from = c->at[k++]) {
            assert_in_range(c->at[k] - from, small.file_min + 1, small.file_max);
            assert_int_equal(c->at[k] - from, c->at[0]); /* equal content, equal chunks */
        }
        free(c);
    }
    free(p);
    sp_splitter_free(s);
}

static bool
has(const struct cuts *c, size_t at)
{
    for (size_t i = 0; i < c->n; i++)
        if (c->at[i] == at)
            return true;
    return false;
}

static void
finds_back_after_a_change(void **state)
{
    (void)state;
    struct sp_random_seeded r = {seed_of_today()};
    struct sp_splitter *s = splitter(&small, 9);
    enum { N = 200000 };
    uint8_t *p = noise(&r, N);
    struct cuts *before = cut_up(s, false, p, N, N, NULL);

    for (int round = 0; round < 20; round++) {
        size_t at = 1000 + draw(&r) % 50000, more = draw(&r) % 100 + 1;
        uint8_t *q = malloc(N + more);
        assert_non_null(q);
        memcpy(q, p, at);
        memset(q + at, round, more);
        memcpy(q + at + more, p + at, N - at);
        struct cuts *after = cut_up(s, false, q, N + more, 4000, NULL);

        size_t kept = 0, lost = 0, missed_behind = 0;
        for (size_t i = 0; i < before->n; i++) {
            if (before->at[i] <= at) {
                /* Before the insertion nothing moves. */
                assert_true(before->at[i] == at || has(after, before->at[i]));
            } else if (has(after, before->at[i] + more)) {
                kept++;
            } else {
                lost++;
                missed_behind = before->at[i] - at;
            }
        }
        assert_true(kept > 50);
        assert_true(lost < 40);
        assert_true(missed_behind < 50000);
        free(after);
        free(q);
    }
    free(before);
    free(p);
    sp_splitter_free(s);
}

static void
keyed(void **state)
{
    (void)state;
    struct sp_random_seeded r = {seed_of_today()};
    struct sp_splitter *a = splitter(&small, 1), *b = splitter(&small, 2),
                       *a2 = splitter(&small, 1);
    enum { N = 500000 };
    uint8_t *p = noise(&r, N);
    struct cuts *ca = cut_up(a, false, p, N, N, NULL), *cb = cut_up(b, false, p, N, N, NULL);
    struct cuts *ca2 = cut_up(a2, false, p, N, N, NULL);
    size_t common = 0;

    for (size_t i = 0; i + 1 < ca->n; i++)
        common += has(cb, ca->at[i]);
    assert_true(ca->n > 300);
    assert_true(common < 10);
    assert_same(ca, ca2);
    free(ca);
    free(ca2);
    free(cb);
    free(p);
    sp_splitter_free(a);
    sp_splitter_free(a2);
    sp_splitter_free(b);
}

/* Normalised chunking with a minimum of a quarter lands somewhat above the average. */
static void
mean_size(void **state)
{
    (void)state;
    struct sp_random_seeded r = {seed_of_today()};
    static const struct sp_split_params p16 = {4096, 16384, 49152, 65536}; /* defaults / 16 */
    struct sp_splitter *s = splitter(&p16, 77);
    enum { N = 16 << 20 };
    uint8_t *p = noise(&r, N);
    struct cuts *c = cut_up(s, false, p, N, 1 << 20, NULL);
    size_t at_max = 0;

    assert_in_range(N / c->n, 16384, 16384 * 5 / 4);
    for (size_t i = 0, from = 0; i < c->n; from = c->at[i++])
        at_max += c->at[i] - from == p16.file_max;
    assert_true(at_max * 50 < c->n); /* hardly ever the arbitrary cut */
    free(c);
    free(p);
    sp_splitter_free(s);
}

static void
restart_forgets(void **state)
{
    (void)state;
    struct sp_random_seeded r = {5};
    struct sp_splitter *s = splitter(&small, 4);
    uint8_t *p = noise(&r, 20000);

    for (int image = 0; image < 2; image++) {
        struct cuts *c = cut_up(s, image, p, 20000, 20000, NULL);
        struct sp_split st;
        bool cut = false;

        sp_split_start(&st, s, image);
        assert_int_equal(sp_split_next(&st, p + 7, 250, &cut), 250);
        assert_false(cut);
        sp_split_restart(&st);
        assert_int_equal(sp_split_next(&st, p, 20000, &cut), c->at[0]);
        assert_true(cut);
        /* A cut restarts by itself. */
        assert_int_equal(
            sp_split_next(&st, p + c->at[0], 20000 - c->at[0], &cut), c->at[1] - c->at[0]);
        assert_true(cut);
        assert_int_equal(sp_split_next(&st, p, 0, &cut), 0);
        assert_false(cut);
        free(c);
    }
    free(p);
    sp_splitter_free(s);
}

static void
params(void **state)
{
    (void)state;
    static const struct sp_split_params bad[] = {
        {63, 1024, 2048, 4096},
        {1024, 1024, 2048, 4096},
        {256, 1024, 1024, 4096},
        {256, 1000, 2048, 4096},
        {256, 1024, (1 << 20) + 1, 4096},
        {256, 1024, 2048, 2048},
        {256, 1024, 2048, 5000},
        {256, 1024, 2048, 512 << 10},
        {256, 1024, 2048, 0},
        {0, 0, 0, 0},
    };
    struct sp_splitter *s = NULL;
    uint8_t key[32] = {0};

    assert_true(sp_split_params_valid(&sp_split_defaults));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(sp_split_params_valid(&bad[i]));
        assert_rc(sp_splitter_new(&bad[i], key, &s, &e), SP_INVALID);
        assert_null(s);
    }
    static const struct sp_split_params most = {(1 << 19) - 1, 1 << 19, 1 << 20, 256 << 10};
    assert_true(sp_split_params_valid(&most));

    s = splitter(&sp_split_defaults, 0);
    assert_int_equal(sp_split_max(s, false), 786432);
    assert_int_equal(sp_split_max(s, true), 65536);
    assert_int_equal(sp_split_whole(s, false), 262144);
    assert_int_equal(sp_split_whole(s, true), 65536);
    sp_splitter_free(s);
    sp_splitter_free(NULL);
}

static bool
is_image(const char *name, const char *head, size_t n)
{
    return sp_split_is_image(name, strlen(name), (const uint8_t *)head, n);
}

static void
images(void **state)
{
    (void)state;
    static const char *const yes[] = {"a.vhdx", "a.VHD", "x.avhdx", "x.avhd", "disk-flat.Vmdk",
        "b.vdi", "c.qcow2", "c.qcow", "d.img", "e.RAW", "f.hdd", ".img"};
    static const char *const no[] = {"", "vhdx", "a.vhdx.txt", "a.imgx", "aimg", "img", "a.im"};

    for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++)
        assert_true(is_image(yes[i], "", 0));
    for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++)
        assert_false(is_image(no[i], "", 0));
    assert_false(sp_split_is_image("a.vhdx", 4, NULL, 0));

    assert_true(is_image("x", "vhdxfile\0\0", 10));
    assert_true(is_image("x", "KDMV\1\0\0\0", 8));
    assert_true(is_image("x", "QFI\xfb\0\0\0\3", 8));
    assert_false(is_image("x", "vhdxfile", 7));
    assert_false(is_image("x", "KDM", 3));
    assert_false(is_image("x", "\0QFI\xfb", 5));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_cuts),
        cmocka_unit_test(same_cuts_whatever_the_pieces),
        cmocka_unit_test(constant_content),
        cmocka_unit_test(finds_back_after_a_change),
        cmocka_unit_test(keyed),
        cmocka_unit_test(mean_size),
        cmocka_unit_test(restart_forgets),
        cmocka_unit_test(params),
        cmocka_unit_test(images),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
