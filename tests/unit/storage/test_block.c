/* storage/block.h: what is built, sealed and opened again. The vectors were computed from
 * docs/format.md alone with python3-cryptography and zstd's command line. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "vector.h"

#include "block_support.h"
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
static const char block_zstd[] =
    "53504231010502008000000060000000dd46e3f67b5028e8e34c131cde5a59090100000000000000"
    "000000000000000000000000000000000807060504030201d3a7cbf77dd3eaa704fe719fd5e2c893"
    "4f8b023a81ea63a21885f4c4c285530ee474540a63414fb9cac0edae4d02026d2460d6a691f6ef60"
    "31cda92d522312e256523db5ff3992518a9dc15a7317a393b792e31eb2eed207a4d273d7fe6d06a7"
    "54fa11366700b4c04338f688649fbeb4b777c6b0bee0cf916303b06a48f1c348393f0020fb9c7164"
    "6923d96650d4b04ee761d520575190af10919ffa6e2ace65";

struct tools { /* all that one thread needs */
    struct sp_keys *keys;
    struct sp_hasher *hasher;
    struct sp_sealer *sealer;
    struct sp_compressor *compressor;
    struct sp_opener *opener;
};

static struct tools
tools_of(struct sp_keys *k, const struct sp_random *r)
{
    struct tools t = {.keys = k};

    assert_ok(sp_hasher_new(k, &t.hasher, &e));
    assert_ok(sp_sealer_new(k, r, &t.sealer, &e));
    assert_ok(sp_compressor_new(3, &t.compressor, &e));
    assert_ok(sp_opener_new(k, &t.opener, &e));
    return t;
}

static void
tools_free(struct tools *t)
{
    sp_hasher_free(t->hasher);
    sp_sealer_free(t->sealer);
    sp_compressor_free(t->compressor);
    sp_opener_free(t->opener);
    sp_keys_free(t->keys);
}

static struct sp_block_builder *
builder_of(enum sp_block_kind kind)
{
    struct sp_block_builder *b = NULL;

    assert_ok(sp_block_builder_new(kind, &b, &e));
    return b;
}

static struct sp_id
add(struct tools *t, struct sp_block_builder *b, enum sp_chunk_kind kind, const struct sp_id *refs,
    size_t nrefs, const void *p, size_t n)
{
    struct sp_id id;

    assert_ok(sp_hasher_id(t->hasher, kind, refs, nrefs, p, n, &id, &e));
    assert_ok(sp_block_builder_add(b, kind, &id, refs, nrefs, p, n, &e));
    return id;
}

static void
known_blocks(void **state)
{
    (void)state;
    struct tools t = tools_of(vector_keys(), &fixed_random);
    struct sp_block_builder *files = builder_of(SP_BLOCK_FILES),
                            *nodes = builder_of(SP_BLOCK_NODES);
    struct sp_buf out = SP_BUF_INIT;
    struct sp_id id, refs[3];
    uint8_t noise[23];

    unhex("c8dc11aecc8a3921ecdd7d726c7d1bc385a6d8e8e0bc02", noise);
    unhex("896242212df2924d60bd211fd95996bdc09567158a6fdbaa5906c5edacaafbd5", refs[0].b);
    unhex("9c2d8ca476d10dd8d914ce8f6e8e1a67c2fbc334814767833db5456944c6f036", refs[1].b);
    unhex("e457b1c744454ec057130398ab8e74a7cb7ee27378d2e2867e20ed3d1e07b2b0", refs[2].b);
    id = add(&t, files, SP_CHUNK_DATA, NULL, 0, "hello", 5);
    assert_hex(id.b, "37261b699971a0b351020b275df5fbcdbe0221e37d92a9302b6f998a7a57d67b");
    id = add(&t, files, SP_CHUNK_DATA, NULL, 0, NULL, 0);
    assert_hex(id.b, "b2397cc7809d975ea5c6363ddf26d1316a62b8c5d4073dd352253d4c66853dcf");
    id = add(&t, files, SP_CHUNK_DATA, NULL, 0, noise, sizeof(noise));
    assert_hex(id.b, "91592c16758bb4e7f4e5f33ca457c2a3761859e36ebeb55be8be627748129b82");
    id = add(&t, nodes, SP_CHUNK_TREE, refs, 3, "a tree node", 11);
    assert_hex(id.b, "2743dc2c3d26b03d2076e91e08c048a539e5bbdf73ae333a4ca5fe33dc5f7407");
    id = add(&t, nodes, SP_CHUNK_LIST, refs + 1, 1, "a list", 6);
    assert_hex(id.b, "219248bd0cd1863ef7a9b8c461bd6013b24b23c52faa0bb4476b71209a211577");
    id = add(&t, nodes, SP_CHUNK_TREE, NULL, 0, "", 0);
    assert_hex(id.b, "e97498c94e9f9414a0aaee0acbcb9ee8cc5c7a12bcf8ecc09d58181c3c9c0d56");

    assert_ok(sp_block_seal(t.sealer, t.compressor, t.opener, files, &out, &e));
    assert_int_equal(out.len, strlen(block_files) / 2);
    assert_hex(out.data,
        "5350423101010300a000000050000000dd46e3f67b5028e8e34c131cde5a59090300000000000000a0a1a2a3a4"
        "a5a6a7a8a9aaabacadaeaf000000000000000037261b699971a0b351020b275df5fbcdbe0221e37d92a9302b6f"
        "998a7a57d67b91592c16758bb4e7f4e5f33ca457c2a3761859e36ebeb55be8be627748129b82b2397cc7809d97"
        "5ea5c6363ddf26d1316a62b8c5d4073dd352253d4c66853dcf456ae90e7bd868d8a21c3459608aa781e0783dcf"
        "ce54542fbfb63d64e0b3b09cca254710973f649c02bfe6675f7a9ad7a5fba9fdfdd077e4cdad16e6641aa837e9"
        "3af4d6f8ff371f1ec7f20e3ff11f9f");
    assert_ok(sp_block_seal(t.sealer, t.compressor, t.opener, nodes, &out, &e)); /* appended */
    assert_int_equal(out.len, (strlen(block_files) + strlen(block_nodes)) / 2);
    assert_hex(out.data + strlen(block_files) / 2,
        "53504231010303002c01000048000000dd46e3f67b5028e8e34c131cde5a59090300000000000000a0a1a2a3a4"
        "a5a6a7a8a9aaabacadaeaf0100000000000000219248bd0cd1863ef7a9b8c461bd6013b24b23c52faa0bb4476b"
        "71209a2115772743dc2c3d26b03d2076e91e08c048a539e5bbdf73ae333a4ca5fe33dc5f7407e97498c94e9f94"
        "14a0aaee0acbcb9ee8cc5c7a12bcf8ecc09d58181c3c9c0d560100000003000000000000009c2d8ca476d10dd8"
        "d914ce8f6e8e1a67c2fbc334814767833db5456944c6f036896242212df2924d60bd211fd95996bdc09567158a"
        "6fdbaa5906c5edacaafbd59c2d8ca476d10dd8d914ce8f6e8e1a67c2fbc334814767833db5456944c6f036e457"
        "b1c744454ec057130398ab8e74a7cb7ee27378d2e2867e20ed3d1e07b2b0928e62e939f3cce1625834b6881b1d"
        "255210633da53676f8d97b8c56d509a26bd1f5d03af531ad6a99ffc8663355badd925ee416a84aa0f99e28f518"
        "646c3a9fb8bfc520c6bf194c");

    sp_buf_free(&out);
    sp_block_builder_free(files);
    sp_block_builder_free(nodes);
    tools_free(&t);
}

/* Another epoch, another writer's compression. */
static void
known_compressed_block(void **state)
{
    (void)state;
    struct tools t = tools_of(vector_keys(), &fixed_random);
    uint8_t block[1024];
    size_t n = strlen(block_zstd) / 2;
    struct sp_opened *o = NULL;
    struct sp_chunk c;
    size_t xs = 0;

    unhex(block_zstd, block);
    assert_ok(sp_block_open(t.opener, block, n, &o, &e));
    assert_int_equal(sp_opened_count(o), 2);
    for (size_t i = 0; i < 2; i++) {
        sp_opened_get(o, i, &c);
        assert_int_equal(c.kind, SP_CHUNK_DOCUMENT);
        if (c.len == 300) {
            xs++;
            for (size_t k = 0; k < 300; k++)
                assert_int_equal(c.data[k], 'x');
        } else {
            assert_int_equal(c.len, 1280);
            for (size_t k = 0; k < 1280; k += 32)
                assert_memory_equal(c.data + k, "the same words again and again, ", 32);
        }
    }
    assert_int_equal(xs, 1);
    sp_opened_free(o);
    sp_opened_free(NULL);
    tools_free(&t);
}

struct made {
    struct sp_id id;
    enum sp_chunk_kind kind;
    struct sp_id refs[9];
    size_t nrefs;
    uint8_t *p;
    size_t n;
};

static void
some_refs(struct sp_random_seeded *r, struct made *m)
{
    m->nrefs = draw(r) % 10;
    draw_bytes(r, m->refs, sizeof(m->refs));
    qsort(m->refs, m->nrefs, sizeof(m->refs[0]), sp_id_cmp);
}

static void
assert_chunk(const struct made *m, const struct sp_chunk *c)
{
    assert_memory_equal(c->id->b, m->id.b, 32);
    assert_int_equal(c->kind, m->kind);
    assert_int_equal(c->len, m->n);
    assert_memory_equal(c->data, m->p, m->n);
    assert_int_equal(c->nrefs, m->nrefs);
    if (m->nrefs > 0)
        assert_memory_equal(c->refs, m->refs, 32 * m->nrefs);
}

/* Blocks of all kinds with random chunks: what goes in comes out, in the order of the ids; the
 * header says the same without a key. */
static void
there_and_back(void **state)
{
    (void)state;
    struct tools t = tools_of(vector_keys(), &sp_random_system);
    struct sp_random_seeded r = {seed_of_today()};

    for (int round = 0; round < 60; round++) {
        enum sp_block_kind kind = (enum sp_block_kind)(1 + draw(&r) % 5);
        struct sp_block_builder *b = builder_of(kind);
        struct made made[40];
        size_t want = kind == SP_BLOCK_RECORD ? 1 : 1 + draw(&r) % 40, n = 0;
        struct sp_buf out = SP_BUF_INIT;

        for (; n < want; n++) {
            struct made *m = &made[n];
            memset(m, 0, sizeof(*m));
            m->kind = kind <= SP_BLOCK_IMAGES   ? SP_CHUNK_DATA
                      : kind == SP_BLOCK_NODES  ? (draw(&r) % 2 ? SP_CHUNK_TREE : SP_CHUNK_LIST)
                      : kind == SP_BLOCK_RECORD ? SP_CHUNK_RECORD
                                                : SP_CHUNK_DOCUMENT;
            m->n = draw(&r) % 3000 + 1;
            if (!sp_block_builder_fits(b, m->n))
                break;
            m->p = malloc(m->n);
            assert_non_null(m->p);
            if (draw(&r) % 2)
                draw_bytes(&r, m->p, m->n);
            else
                memset(m->p, (int)n, m->n);
            if (kind == SP_BLOCK_NODES)
                some_refs(&r, m);
            m->id = add(&t, b, m->kind, m->refs, m->nrefs, m->p, m->n);
        }
        assert_false(sp_block_builder_empty(b));
        assert_ok(sp_block_seal(t.sealer, t.compressor, t.opener, b, &out, &e));

        struct sp_block_header h;
        size_t len = 0;
        assert_ok(sp_block_length(out.data, 16, &len, &e));
        assert_int_equal(len, out.len);
        assert_ok(sp_block_header_parse(out.data, out.len, &h, &e));
        assert_int_equal(h.kind, kind);
        assert_int_equal(h.nids, n);
        assert_int_equal(h.epoch, 3);
        assert_int_equal(h.counter, round);
        assert_memory_equal(h.group, sp_keys_group(t.keys), 16);

        struct sp_opened *o = NULL;
        struct sp_block_walk w;
        assert_ok(sp_block_open(t.opener, out.data, out.len, &o, &e));
        assert_int_equal(sp_opened_count(o), n);
        assert_true(sp_opened_bytes(o) > sp_block_builder_raw(b));
        sp_block_walk_start(&w, &h);
        for (size_t i = 0; i < n; i++) {
            const uint8_t *id = NULL, *refs = NULL;
            struct sp_chunk c, found;
            size_t nrefs = 99, same = 99;

            sp_opened_get(o, i, &c);
            assert_memory_equal(c.id->b, h.ids + 32 * i, 32);
            assert_true(sp_block_walk_next(&w, &id, &refs, &nrefs));
            assert_ptr_equal(id, h.ids + 32 * i);
            assert_int_equal(nrefs, c.nrefs);
            assert_ptr_equal(refs, sp_block_refs(&h, i, &same));
            assert_int_equal(same, nrefs);
            if (nrefs > 0)
                assert_memory_equal(refs, c.refs, 32 * nrefs);
            assert_true(sp_opened_find(o, &made[i].id, &found));
            assert_chunk(&made[i], &found);
        }
        const uint8_t *id, *refs;
        size_t nrefs;
        struct sp_chunk c;
        assert_false(sp_block_walk_next(&w, &id, &refs, &nrefs));
        made[0].id.b[31] ^= 1;
        assert_false(sp_opened_find(o, &made[0].id, &c));

        for (size_t i = 0; i < n; i++)
            free(made[i].p);
        sp_opened_free(o);
        sp_buf_free(&out);
        sp_block_builder_free(b);
    }
    assert_int_equal(sp_sealer_count(t.sealer), 60);
    tools_free(&t);
}

/* Noise, so that nothing is gained by compression: the sealed part stays below the limit of its
 * kind. */
static void
limits(void **state)
{
    (void)state;
    static const struct {
        enum sp_block_kind block;
        enum sp_chunk_kind chunk;
        size_t limit;
    } kinds[] = {{SP_BLOCK_FILES, SP_CHUNK_DATA, 1u << 20},
        {SP_BLOCK_IMAGES, SP_CHUNK_DATA, 256u << 10}, {SP_BLOCK_NODES, SP_CHUNK_TREE, 128u << 10},
        {SP_BLOCK_DOCUMENTS, SP_CHUNK_DOCUMENT, 1u << 20}};
    static const size_t sizes[] = {700, 5000, 65536};
    struct tools t = tools_of(vector_keys(), &sp_random_system);
    struct sp_random_seeded r = {seed_of_today()};
    uint8_t *p = malloc(4u << 20);

    assert_non_null(p);
    draw_bytes(&r, p, 4u << 20);
    for (size_t k = 0; k < 4; k++) {
        struct sp_block_builder *b = builder_of(kinds[k].block);
        for (size_t s = 0; s < 3; s++) {
            struct sp_buf out = SP_BUF_INIT;
            struct sp_block_header h;
            size_t n = 0;

            while (sp_block_builder_fits(b, sizes[s])) {
                add(&t, b, kinds[k].chunk, NULL, 0, p + n * sizes[s], sizes[s]);
                n++;
            }
            assert_true(n <= SP_BLOCK_MAX_IDS);
            assert_int_equal(sp_block_builder_raw(b), n * sizes[s]);
            struct sp_id id = {{1}};
            assert_rc(
                sp_block_builder_add(b, kinds[k].chunk, &id, NULL, 0, p, sizes[s], &e), SP_INVALID);
            assert_ok(sp_block_seal(t.sealer, t.compressor, t.opener, b, &out, &e));
            assert_ok(sp_block_header_parse(out.data, out.len, &h, &e));
            assert_int_equal(h.nids, n);
            assert_true(h.sealed_len <= kinds[k].limit);
            if (n < SP_BLOCK_MAX_IDS) /* and no further below than one chunk and the padding */
                assert_true(h.sealed_len + sizes[s] + kinds[k].limit / 16 > kinds[k].limit);
            sp_buf_free(&out);
            sp_block_builder_reset(b);
            assert_true(sp_block_builder_empty(b));
            assert_int_equal(sp_block_builder_raw(b), 0);
        }
        /* An empty builder takes 1 MiB whatever its kind, and that seals and opens. */
        struct sp_buf out = SP_BUF_INIT;
        assert_true(sp_block_builder_fits(b, 1u << 20));
        assert_false(sp_block_builder_fits(b, (1u << 20) + 1));
        add(&t, b, kinds[k].chunk, NULL, 0, p, 1u << 20);
        assert_false(sp_block_builder_fits(b, 1));
        assert_ok(sp_block_seal(t.sealer, t.compressor, t.opener, b, &out, &e));
        sp_buf_free(&out);
        sp_block_builder_free(b);
    }

    /* 1024 ids and no more */
    struct sp_block_builder *b = builder_of(SP_BLOCK_FILES);
    struct sp_buf out = SP_BUF_INIT;
    for (uint32_t i = 0; i < SP_BLOCK_MAX_IDS; i++) {
        assert_true(sp_block_builder_fits(b, 4));
        add(&t, b, SP_CHUNK_DATA, NULL, 0, &i, sizeof(i));
    }
    assert_false(sp_block_builder_fits(b, 0));
    assert_ok(sp_block_seal(t.sealer, t.compressor, t.opener, b, &out, &e));
    sp_buf_free(&out);
    sp_block_builder_free(b);

    /* A record is one chunk, of up to what a block may hold. */
    b = builder_of(SP_BLOCK_RECORD);
    assert_true(sp_block_builder_fits(b, 3u << 20));
    assert_false(sp_block_builder_fits(b, 4u << 20));
    add(&t, b, SP_CHUNK_RECORD, NULL, 0, p, 3u << 20);
    assert_false(sp_block_builder_fits(b, 1));
    assert_ok(sp_block_seal(t.sealer, t.compressor, t.opener, b, &out, &e));
    sp_buf_free(&out);
    sp_block_builder_free(b);
    sp_block_builder_free(NULL);
    free(p);
    tools_free(&t);
}

static void
builder_refuses(void **state)
{
    (void)state;
    struct sp_block_builder *b = builder_of(SP_BLOCK_NODES), *files = builder_of(SP_BLOCK_FILES);
    struct sp_id id = {{1}}, refs[2] = {{{2}}, {{1}}};

    assert_rc(sp_block_builder_add(b, SP_CHUNK_TREE, &id, refs, 2, "x", 1, &e), SP_INVALID);
    refs[1] = refs[0];
    assert_rc(sp_block_builder_add(b, SP_CHUNK_TREE, &id, refs, 2, "x", 1, &e), SP_INVALID);
    assert_rc(sp_block_builder_add(b, SP_CHUNK_DATA, &id, NULL, 0, "x", 1, &e), SP_INVALID);
    assert_rc(sp_block_builder_add(files, SP_CHUNK_DATA, &id, refs, 1, "x", 1, &e), SP_INVALID);
    assert_rc(sp_block_builder_add(files, SP_CHUNK_TREE, &id, NULL, 0, "x", 1, &e), SP_INVALID);
    assert_rc(sp_block_builder_add(files, SP_CHUNK_RECORD, &id, NULL, 0, "x", 1, &e), SP_INVALID);

    /* more refs than a header holds; then as many as it does */
    enum { MANY = (4 << 20) / 32 };
    struct sp_id *many = calloc(MANY, sizeof(*many));
    assert_non_null(many);
    for (uint32_t i = 0; i < MANY; i++) {
        many[i].b[0] = (uint8_t)(i >> 16);
        many[i].b[1] = (uint8_t)(i >> 8);
        many[i].b[2] = (uint8_t)i;
    }
    assert_rc(sp_block_builder_add(b, SP_CHUNK_TREE, &id, many, MANY, "x", 1, &e), SP_INVALID);
    assert_true(sp_block_builder_empty(b));
    struct tools t = tools_of(vector_keys(), &sp_random_system);
    struct sp_buf out = SP_BUF_INIT;
    add(&t, b, SP_CHUNK_TREE, many, MANY - 4, "x", 1);
    assert_rc(sp_block_builder_add(b, SP_CHUNK_TREE, &id, refs, 1, "y", 1, &e), SP_INVALID);
    assert_ok(sp_block_seal(t.sealer, t.compressor, t.opener, b, &out, &e));
    sp_buf_free(&out);
    free(many);
    sp_block_builder_free(b);
    sp_block_builder_free(files);
    tools_free(&t);
}

static void
seal_refuses(void **state)
{
    (void)state;
    struct tools t = tools_of(vector_keys(), &sp_random_system);
    struct sp_block_builder *b = builder_of(SP_BLOCK_FILES);
    struct sp_buf out = SP_BUF_INIT;

    sp_buf_put_str(&out, "kept");
    assert_rc(sp_block_seal(t.sealer, t.compressor, t.opener, b, &out, &e), SP_INVALID);
    add(&t, b, SP_CHUNK_DATA, NULL, 0, "same", 4);
    add(&t, b, SP_CHUNK_DATA, NULL, 0, "other", 5);
    add(&t, b, SP_CHUNK_DATA, NULL, 0, "same", 4);
    assert_rc(sp_block_seal(t.sealer, t.compressor, t.opener, b, &out, &e), SP_INVALID);

    /* R13: an id that is not its content's is caught before anything is sent. */
    struct sp_id wrong = {{7}};
    sp_block_builder_reset(b);
    add(&t, b, SP_CHUNK_DATA, NULL, 0, "right", 5);
    assert_ok(sp_block_builder_add(b, SP_CHUNK_DATA, &wrong, NULL, 0, "wrong", 5, &e));
    assert_rc(sp_block_seal(t.sealer, t.compressor, t.opener, b, &out, &e), SP_INTERNAL);
    assert_int_equal(out.len, 4);
    assert_memory_equal(out.data, "kept", 4);
    sp_buf_free(&out);

    /* Without the check it is sealed, and whoever opens it refuses. */
    struct sp_opened *o = NULL;
    assert_ok(sp_block_seal(t.sealer, t.compressor, NULL, b, &out, &e));
    assert_rc(sp_block_open(t.opener, out.data, out.len, &o, &e), SP_CORRUPT);
    assert_null(o);
    sp_buf_free(&out);
    sp_block_builder_free(b);
    tools_free(&t);
}

/* R22, R27: nothing of two sealings of one content is alike but what must be. */
static void
never_twice_the_same(void **state)
{
    (void)state;
    struct tools t = tools_of(vector_keys(), &sp_random_system);
    struct tools u = tools_of(vector_keys(), &sp_random_system);
    struct sp_block_builder *b = builder_of(SP_BLOCK_FILES);
    struct sp_buf out[3] = {SP_BUF_INIT, SP_BUF_INIT, SP_BUF_INIT};
    struct sp_block_header h[3];

    add(&t, b, SP_CHUNK_DATA, NULL, 0, "the same content", 16);
    assert_ok(sp_block_seal(t.sealer, t.compressor, t.opener, b, &out[0], &e));
    assert_ok(sp_block_seal(t.sealer, t.compressor, t.opener, b, &out[1], &e));
    assert_ok(sp_block_seal(u.sealer, u.compressor, t.opener, b, &out[2], &e));
    for (size_t i = 0; i < 3; i++)
        assert_ok(sp_block_header_parse(out[i].data, out[i].len, &h[i], &e));
    assert_memory_equal(h[0].salt, h[1].salt, 16);
    assert_memory_not_equal(h[0].salt, h[2].salt, 16);
    assert_true(h[0].counter == 0 && h[1].counter == 1 && h[2].counter == 0);
    for (size_t i = 0; i < 3; i++)
        for (size_t k = i + 1; k < 3; k++)
            for (uint32_t at = 0; at + 8 <= h[i].sealed_len; at += 8)
                assert_memory_not_equal(
                    out[i].data + h[i].header_len + at, out[k].data + h[k].header_len + at, 8);
    for (size_t i = 0; i < 3; i++)
        sp_buf_free(&out[i]);
    sp_block_builder_free(b);
    tools_free(&t);
    tools_free(&u);
}

/* More connections than the opener remembers, of two epochs, in turn and back. */
static void
many_connections(void **state)
{
    (void)state;
    enum { N = 40 };
    struct tools t = tools_of(vector_keys(), &sp_random_system);
    struct sp_keys *rotated = NULL;
    struct sp_opener *both = NULL;
    struct sp_block_builder *b = builder_of(SP_BLOCK_FILES);
    struct sp_buf out[N];
    struct sp_opened *o = NULL;

    assert_ok(sp_keys_rotate(t.keys, &sp_random_system, &rotated, &e));
    assert_ok(sp_opener_new(rotated, &both, &e));
    add(&t, b, SP_CHUNK_DATA, NULL, 0, "content", 7);
    for (size_t i = 0; i < N; i++) {
        struct sp_sealer *s = NULL;
        out[i] = (struct sp_buf)SP_BUF_INIT;
        assert_ok(sp_sealer_new(i % 2 ? rotated : t.keys, &sp_random_system, &s, &e));
        assert_ok(sp_block_seal(s, t.compressor, both, b, &out[i], &e));
        sp_sealer_free(s);
    }
    for (size_t round = 0; round < 3; round++) {
        for (size_t i = 0; i < N; i++) {
            size_t at = round == 1 ? N - 1 - i : i;
            assert_ok(sp_block_open(both, out[at].data, out[at].len, &o, &e));
            sp_opened_free(o);
            o = NULL;
            /* The old keys do not have the new epoch. */
            enum sp_code rc = sp_block_open(t.opener, out[at].data, out[at].len, &o, &e);
            assert_int_equal(rc, at % 2 ? SP_AUTH : SP_OK);
            sp_opened_free(o);
            o = NULL;
        }
    }
    /* nor does another group have any */
    struct sp_keys *other = NULL;
    struct sp_opener *stranger = NULL;
    assert_ok(sp_keys_generate(&sp_random_system, &other, &e));
    assert_ok(sp_opener_new(other, &stranger, &e));
    assert_rc(sp_block_open(stranger, out[0].data, out[0].len, &o, &e), SP_AUTH);
    assert_null(o);

    for (size_t i = 0; i < N; i++)
        sp_buf_free(&out[i]);
    sp_opener_free(stranger);
    sp_opener_free(both);
    sp_opener_free(NULL);
    sp_keys_free(other);
    sp_keys_free(rotated);
    sp_block_builder_free(b);
    tools_free(&t);
}

static void
padme(void **state)
{
    (void)state;
    /* By hand: 9 = 1001b has E = 3, S = 2, so one low bit is zero: 10. */
    static const size_t known[][2] = {{0, 0}, {1, 1}, {2, 2}, {3, 3}, {7, 7}, {8, 8}, {9, 10},
        {10, 10}, {100, 104}, {1000, 1024}, {1024, 1024}, {1025, 1088}, {65536, 65536},
        {65537, 67584}, {1 << 20, 1 << 20}, {(1 << 20) + 1, (1 << 20) + (1 << 15)}};

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        assert_int_equal(sp_padme(known[i][0]), known[i][1]);
    for (size_t n = 0; n < 100000; n++) {
        size_t p = sp_padme(n);
        assert_true(p >= n && (p - n) * 100 <= n * 12);
        assert_int_equal(sp_padme(p), p);
        assert_true(p <= sp_padme(n + 1));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_blocks),
        cmocka_unit_test(known_compressed_block),
        cmocka_unit_test(there_and_back),
        cmocka_unit_test(limits),
        cmocka_unit_test(builder_refuses),
        cmocka_unit_test(seal_refuses),
        cmocka_unit_test(never_twice_the_same),
        cmocka_unit_test(many_connections),
        cmocka_unit_test(padme),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
