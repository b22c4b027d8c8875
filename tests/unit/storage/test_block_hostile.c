/* Blocks that no honest writer made (rules R18, R22): altered ones, headers that lie, and blocks of
 * a member of the key group who seals rubbish with the right keys. Every buffer has its exact size,
 * so that the sanitizer sees a look beyond its end. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "vector.h"

#include "block_support.h"
#include "storage/block_format.h"
#include "storage/crypto.h"

static struct sp_err e;

static const char block_files[] =
    "5350423101010300a000000050000000dd46e3f67b5028e8e34c131cde5a59090300000000000000"
    "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf000000000000000037261b699971a0b351020b275df5fbcd"
    "be0221e37d92a9302b6f998a7a57d67b91592c16758bb4e7f4e5f33ca457c2a3761859e36ebeb55b"
    "e8be627748129b82b2397cc7809d975ea5c6363ddf26d1316a62b8c5d4073dd352253d4c66853dcf"
    "456ae90e7bd868d8a21c3459608aa781e0783dcfce54542fbfb63d64e0b3b09cca254710973f649c"
    "02bfe6675f7a9ad7a5fba9fdfdd077e4cdad16e6641aa837e93af4d6f8ff371f1ec7f20e3ff11f9f";
static const char block_nodes[] =
    "53504231010303002c01000048000000dd46e3f67b5028e8e34c131cde5a59090300000000000000"
    "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf0100000000000000219248bd0cd1863ef7a9b8c461bd6013"
    "b24b23c52faa0bb4476b71209a2115772743dc2c3d26b03d2076e91e08c048a539e5bbdf73ae333a"
    "4ca5fe33dc5f7407e97498c94e9f9414a0aaee0acbcb9ee8cc5c7a12bcf8ecc09d58181c3c9c0d56"
    "0100000003000000000000009c2d8ca476d10dd8d914ce8f6e8e1a67c2fbc334814767833db54569"
    "44c6f036896242212df2924d60bd211fd95996bdc09567158a6fdbaa5906c5edacaafbd59c2d8ca4"
    "76d10dd8d914ce8f6e8e1a67c2fbc334814767833db5456944c6f036e457b1c744454ec057130398"
    "ab8e74a7cb7ee27378d2e2867e20ed3d1e07b2b0928e62e939f3cce1625834b6881b1d255210633d"
    "a53676f8d97b8c56d509a26bd1f5d03af531ad6a99ffc8663355badd925ee416a84aa0f99e28f518"
    "646c3a9fb8bfc520c6bf194c";

static struct sp_opener *
opener_of(const struct sp_keys *k)
{
    struct sp_opener *o = NULL;

    assert_ok(sp_opener_new(k, &o, &e));
    return o;
}

static void
assert_refused(struct sp_opener *o, const uint8_t *p, size_t n)
{
    struct sp_opened *opened = NULL;
    enum sp_code rc = sp_block_open(o, p, n, &opened, &e);

    assert_true(rc == SP_CORRUPT || rc == SP_AUTH);
    assert_null(opened);
}

static void
every_bit_and_every_length(void **state)
{
    (void)state;
    static const char *const blocks[] = {block_files, block_nodes};
    struct sp_keys *k = vector_keys();
    struct sp_opener *o = opener_of(k);

    for (size_t i = 0; i < 2; i++) {
        size_t n = strlen(blocks[i]) / 2;
        uint8_t *p = malloc(n);
        struct sp_opened *opened = NULL;

        assert_non_null(p);
        unhex(blocks[i], p);
        assert_ok(sp_block_open(o, p, n, &opened, &e));
        sp_opened_free(opened);
        for (size_t bit = 0; bit < 8 * n; bit++) {
            p[bit / 8] ^= (uint8_t)(1u << bit % 8);
            assert_refused(o, p, n);
            p[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        for (size_t cut = 0; cut < n; cut++) {
            uint8_t *own = malloc(cut + 1);
            assert_non_null(own);
            memcpy(own + 1, p, cut);
            assert_refused(o, own + 1, cut);
            free(own);
        }
        uint8_t *more = calloc(1, n + 1);
        assert_non_null(more);
        memcpy(more, p, n);
        assert_refused(o, more, n + 1);
        free(more);
        free(p);
    }
    sp_opener_free(o);
    sp_keys_free(k);
}

/* Looks at all that a parsed header points to. */
static uint8_t
touch(const struct sp_block_header *h)
{
    struct sp_block_walk w;
    const uint8_t *id, *refs;
    size_t n, total = 0;
    uint8_t sum = (uint8_t)(h->group[15] + h->salt[15]);

    sp_block_walk_start(&w, h);
    while (sp_block_walk_next(&w, &id, &refs, &n)) {
        sum = (uint8_t)(sum + id[31]);
        if (n > 0)
            sum = (uint8_t)(sum + refs[32 * n - 1]);
        total += n;
    }
    assert_int_equal(total, h->refs_total);
    return sum;
}

static void
lying_headers(void **state)
{
    (void)state;
    static const uint32_t extremes[] = {0, 1, 2, 3, 4, 15, 63, 64, 96, 300, 0x7f, 0xff, 0x3ff,
        0x400, 0x401, 0x7fff, 0xffff, 0x10000, 0x3fffff, 0x400000, 0x400001, 0x7fffffff, 0x80000000,
        0xfffffff0, 0xffffffff};
    static const size_t fields[] = {4, 5, 6, 7, 8, 12, 32, 36, 160, 164, 168};
    struct sp_random_seeded r = {seed_of_today()};
    struct sp_keys *k = vector_keys();
    struct sp_opener *o = opener_of(k);
    size_t n = strlen(block_nodes) / 2, parsed = 0;

    for (int round = 0; round < 30000; round++) {
        size_t len = draw(&r) % 4 == 0 ? draw(&r) % (n + 1) : n;
        uint8_t *p = malloc(n + 1), *own = malloc(len + 1);
        struct sp_block_header h;
        size_t total = 0;

        assert_non_null(p);
        assert_non_null(own);
        unhex(block_nodes, p);
        for (size_t changes = draw(&r) % 3 + 1; changes > 0; changes--) {
            if (draw(&r) % 2)
                sp_store_le32(p + fields[draw(&r) % 11],
                    extremes[draw(&r) % (sizeof(extremes) / sizeof(extremes[0]))]);
            else
                p[draw(&r) % 172] = (uint8_t)draw(&r);
        }
        memcpy(own + 1, p, len);
        if (sp_block_header_parse(own + 1, len, &h, &e) == SP_OK) {
            parsed++;
            assert_true(h.header_len <= len);
            (void)touch(&h);
        }
        if (sp_block_length(own + 1, len, &total, &e) == SP_OK)
            assert_true(total <= SP_BLOCK_MAX_HEADER + SP_BLOCK_MAX_SEALED && len >= 16);
        struct sp_opened *opened = NULL;
        if (sp_block_open(o, own + 1, len, &opened, &e) == SP_OK) {
            /* Only when the changes changed nothing. */
            uint8_t whole[1024];
            unhex(block_nodes, whole);
            assert_int_equal(len, n);
            assert_memory_equal(own + 1, whole, n);
            sp_opened_free(opened);
        }
        free(own);
        free(p);
    }
    assert_true(parsed > 100); /* it did come through to what lies behind the lengths */
    sp_opener_free(o);
    sp_keys_free(k);
}

static void
header_grammar(void **state)
{
    (void)state;
    struct sp_block_header h = {.nids = 77};
    uint8_t files[1024], nodes[1024], p[1024];
    size_t fn = strlen(block_files) / 2, nn = strlen(block_nodes) / 2, len = 0;

    unhex(block_files, files);
    unhex(block_nodes, nodes);
    /* The header alone is enough for the parser. */
    assert_ok(sp_block_header_parse(files, 160, &h, &e));
    h.nids = 77;
    assert_rc(sp_block_header_parse(files, 159, &h, &e), SP_CORRUPT);
    assert_rc(sp_block_length(files, 15, &len, &e), SP_CORRUPT);
    assert_ok(sp_block_length(files, 16, &len, &e));
    assert_int_equal(len, fn);

    static const struct {
        size_t at;
        uint8_t value;
    } bad[] = {{0, 'X'}, {3, '2'}, {4, 0}, {4, 2}, {5, 0}, {5, 6}, {5, 3}, {6, 0}, {6, 2}, {6, 4},
        {7, 4}, {8, 161}, {8, 159}, {9, 1}, {11, 0x80}, {12, 0x4f}, {12, 27}, {12, 91}, {15, 1},
        {32, 0}, {36, 1}, {39, 1}};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        memcpy(p, files, fn);
        p[bad[i].at] = bad[i].value;
        assert_rc(sp_block_header_parse(p, fn, &h, &e), SP_CORRUPT);
    }
    memcpy(p, files, fn); /* two ids alike; two in the wrong order */
    memcpy(p + 96, p + 64, 32);
    assert_rc(sp_block_header_parse(p, fn, &h, &e), SP_CORRUPT);
    memcpy(p, files, fn);
    memcpy(p + 96, files + 128, 32);
    memcpy(p + 128, files + 96, 32);
    assert_rc(sp_block_header_parse(p, fn, &h, &e), SP_CORRUPT);

    memcpy(p, nodes, nn); /* refs: one more, one fewer, alike, in the wrong order */
    p[160]++;
    assert_rc(sp_block_header_parse(p, nn, &h, &e), SP_CORRUPT);
    p[160] = 0;
    assert_rc(sp_block_header_parse(p, nn, &h, &e), SP_CORRUPT);
    memcpy(p, nodes, nn);
    memcpy(p + 204, p + 236, 32);
    assert_rc(sp_block_header_parse(p, nn, &h, &e), SP_CORRUPT);
    memcpy(p + 236, nodes + 204, 32);
    assert_rc(sp_block_header_parse(p, nn, &h, &e), SP_CORRUPT);
    memcpy(p, nodes, nn); /* numbers whose sum wraps around 32 bits to the right one */
    memset(p + 160, 0xff, 4);
    p[164] = 5;
    assert_rc(sp_block_header_parse(p, nn, &h, &e), SP_CORRUPT);
    assert_int_equal(h.nids, 77);
}

/* --- rubbish under the right keys --- */

struct evil {
    enum sp_block_kind kind;
    struct sp_id ids[4];
    size_t nids;
    struct sp_buf plain;
};

/* Chunks "one" and "three" in a files block, ids right; the test spoils it. */
static struct evil
evil_start(const struct sp_keys *k)
{
    struct evil v = {.kind = SP_BLOCK_FILES, .nids = 2, .plain = SP_BUF_INIT};
    struct sp_hasher *h = NULL;

    assert_ok(sp_hasher_new(k, &h, &e));
    assert_ok(sp_hasher_id(h, SP_CHUNK_DATA, NULL, 0, "one", 3, &v.ids[0], &e));
    assert_ok(sp_hasher_id(h, SP_CHUNK_DATA, NULL, 0, "three", 5, &v.ids[1], &e));
    assert_true(sp_id_cmp(&v.ids[0], &v.ids[1]) != 0);
    bool swap = sp_id_cmp(&v.ids[0], &v.ids[1]) > 0;
    if (swap) {
        struct sp_id t = v.ids[0];
        v.ids[0] = v.ids[1];
        v.ids[1] = t;
    }
    sp_buf_put_u32(&v.plain, 0);
    sp_buf_put_u32(&v.plain, 24);
    sp_buf_put_u32(&v.plain, 24);
    sp_buf_put_u16(&v.plain, swap);
    sp_buf_put_u8(&v.plain, SP_CHUNK_DATA);
    sp_buf_put_u8(&v.plain, 0);
    sp_buf_put_u32(&v.plain, 3);
    sp_buf_put_u16(&v.plain, !swap);
    sp_buf_put_u8(&v.plain, SP_CHUNK_DATA);
    sp_buf_put_u8(&v.plain, 0);
    sp_buf_put_u32(&v.plain, 5);
    sp_buf_put_str(&v.plain, "onethree");
    assert_ok(sp_buf_ok(&v.plain, &e));
    sp_hasher_free(h);
    return v;
}

/* Pads and seals what is in v; opens it; frees. */
static enum sp_code
evil_open(const struct sp_keys *k, struct evil *v)
{
    struct sp_opener *o = opener_of(k);
    struct sp_opened *opened = NULL;
    size_t padded = sp_padme(v->plain.len);
    size_t header = 64 + 32 * v->nids + (v->kind == SP_BLOCK_NODES ? 4 * v->nids : 0);
    uint8_t *p = calloc(1, header + padded + 16), salt[16] = {9}, conn[32], key[32];

    assert_non_null(p);
    memcpy(p, "SPB1\x01", 5);
    p[5] = (uint8_t)v->kind;
    p[6] = (uint8_t)v->nids;
    sp_store_le32(p + 8, (uint32_t)header);
    sp_store_le32(p + 12, (uint32_t)padded + 16);
    memcpy(p + 16, sp_keys_group(k), 16);
    sp_store_le32(p + 32, sp_keys_epoch(k));
    memcpy(p + 40, salt, 16);
    memcpy(p + 64, v->ids, 32 * v->nids);
    memcpy(p + header, v->plain.data, v->plain.len);
    assert_ok(sp_block_conn_key(sp_keys_seal(k, sp_keys_epoch(k)), salt, conn, &e));
    assert_ok(sp_block_key(conn, 0, v->kind, p + 64, v->nids, key, &e));
    assert_ok(sp_aead_seal(key, p, header, p + header, padded, p + header, &e));
    enum sp_code rc = sp_block_open(o, p, header + padded + 16, &opened, &e);
    assert_true((rc == SP_OK) == (opened != NULL));
    sp_opened_free(opened);
    sp_opener_free(o);
    sp_buf_free(&v->plain);
    free(p);
    return rc;
}

static void
rubbish_inside(void **state)
{
    (void)state;
    struct sp_keys *k = vector_keys();
    struct evil v = evil_start(k);

    assert_ok(evil_open(k, &v)); /* unspoilt it opens: what follows is refused for what it spoils */

    static const struct {
        size_t at;
        uint8_t value;
        const char *what;
    } spoilt[] = {
        {0, 2, "a compression that is not known"},
        {0, 1, "says zstd, is none"},
        {1, 1, "zeros"},
        {3, 1, "zeros"},
        {4, 23, "packed length not raw"},
        {4, 25, "packed length not raw"},
        {8, 23, "raw length not packed"},
        {11, 0xff, "raw length of 4 GB"},
        {7, 0xff, "packed length of 4 GB"},
        {12, 2, "an ordinal beyond the last"},
        {13, 1, "an ordinal far beyond"},
        {14, 0, "chunk kind"},
        {14, 6, "chunk kind"},
        {14, SP_CHUNK_DOCUMENT, "another kind, so another id"},
        {15, 1, "zero"},
        {16, 2, "does not fill the block"},
        {16, 4, "overfills the block"},
        {19, 0x80, "a length of 2 GB"},
        {24, 4, "the second does not fill"},
        {27, 0xff, "the second overfills"},
        {28, 'O', "other content"},
        {35, 'E', "other content"},
    };
    for (size_t i = 0; i < sizeof(spoilt) / sizeof(spoilt[0]); i++) {
        v = evil_start(k);
        v.plain.data[spoilt[i].at] = spoilt[i].value;
        enum sp_code rc = evil_open(k, &v);
        if (rc != SP_CORRUPT)
            fail_msg("%s: %s", spoilt[i].what, sp_code_word(rc));
    }

    v = evil_start(k); /* one ordinal twice */
    v.plain.data[12] = v.plain.data[20];
    assert_rc(evil_open(k, &v), SP_CORRUPT);
    v = evil_start(k); /* both contents exchanged: each under the other's id */
    v.plain.data[12] ^= 1;
    v.plain.data[20] ^= 1;
    assert_rc(evil_open(k, &v), SP_CORRUPT);
    v = evil_start(k); /* a wrong id in the header, authentic */
    v.ids[1].b[31] ^= 1;
    assert_rc(evil_open(k, &v), SP_CORRUPT);
    v = evil_start(k); /* an id too many */
    memset(v.ids[2].b, 0xff, 32);
    v.nids = 3;
    assert_rc(evil_open(k, &v), SP_CORRUPT);
    v = evil_start(k); /* an id too few */
    v.nids = 1;
    assert_rc(evil_open(k, &v), SP_CORRUPT);
    v = evil_start(k); /* something in the padding */
    sp_buf_put_u8(&v.plain, 0);
    sp_buf_put_u8(&v.plain, 1);
    assert_rc(evil_open(k, &v), SP_CORRUPT);
    v = evil_start(k); /* behind the contents */
    v.plain.data[4] = v.plain.data[8] = 25;
    sp_buf_put_u8(&v.plain, 'x');
    assert_rc(evil_open(k, &v), SP_CORRUPT);
    v = evil_start(k); /* nothing at all */
    v.plain.len = 12;
    memset(v.plain.data, 0, 12);
    assert_rc(evil_open(k, &v), SP_CORRUPT);
    v = evil_start(
        k); /* the kind of the block is bound too: a node block without refs is well formed */
    v.kind = SP_BLOCK_NODES;
    assert_ok(evil_open(k, &v));
    sp_keys_free(k);
}

/* A zstd frame of many times what the block says, and one that says so itself. */
static void
bombs(void **state)
{
    (void)state;
    struct sp_keys *k = vector_keys();
    struct sp_compressor *c = NULL;
    uint8_t *zeros = calloc(1, 64u << 20), packed[16384];
    size_t n = 0;

    assert_non_null(zeros);
    assert_ok(sp_compressor_new(3, &c, &e));
    assert_ok(sp_compress(c, zeros, 64u << 20, packed, sizeof(packed), &n, &e));
    assert_true(n > 0);
    static const uint32_t says[] = {16, 24, 4u << 20, (4u << 20) + 1, 64u << 20, 0xffffffff};
    for (size_t i = 0; i < sizeof(says) / sizeof(says[0]); i++) {
        struct evil v = evil_start(k);
        v.plain.len = 0;
        sp_buf_put_u32(&v.plain, 1);
        sp_buf_put_u32(&v.plain, (uint32_t)n);
        sp_buf_put_u32(&v.plain, says[i]);
        sp_buf_put(&v.plain, packed, n);
        assert_rc(evil_open(k, &v), SP_CORRUPT);
    }
    sp_compressor_free(c);
    free(zeros);
    sp_keys_free(k);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_bit_and_every_length),
        cmocka_unit_test(lying_headers),
        cmocka_unit_test(header_grammar),
        cmocka_unit_test(rubbish_inside),
        cmocka_unit_test(bombs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
