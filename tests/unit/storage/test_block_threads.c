/* Threads that share a sealer (rule R27): no two blocks have one counter, and all open. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "vector.h"

#include "base/thread.h"
#include "block_support.h"

static struct sp_err e;

enum { THREADS = 4, BLOCKS = 150 };

struct worker {
    const struct sp_keys *keys;
    struct sp_sealer *sealer;
    unsigned number;
    enum sp_code rc;
    struct sp_err err;
    struct sp_buf out[BLOCKS];
};

static enum sp_code
seal_blocks(struct worker *w)
{
    struct sp_hasher *hasher = NULL;
    struct sp_compressor *compressor = NULL;
    struct sp_opener *opener = NULL;
    struct sp_block_builder *builder = NULL;
    enum sp_code rc;

    if ((rc = sp_hasher_new(w->keys, &hasher, &w->err)) != SP_OK ||
        (rc = sp_compressor_new(1, &compressor, &w->err)) != SP_OK ||
        (rc = sp_opener_new(w->keys, &opener, &w->err)) != SP_OK ||
        (rc = sp_block_builder_new(SP_BLOCK_FILES, &builder, &w->err)) != SP_OK)
        goto out;
    for (unsigned i = 0; i < BLOCKS; i++) {
        /* Half of the blocks are the same in all threads. */
        unsigned content[2] = {i, i % 2 ? w->number : 0};
        struct sp_id id;

        sp_block_builder_reset(builder);
        if ((rc = sp_hasher_id(hasher, SP_CHUNK_DATA, NULL, 0, content, sizeof(content), &id,
                 &w->err)) != SP_OK ||
            (rc = sp_block_builder_add(builder, SP_CHUNK_DATA, &id, NULL, 0, content,
                 sizeof(content), &w->err)) != SP_OK ||
            (rc = sp_block_seal(w->sealer, compressor, opener, builder, &w->out[i], &w->err)) !=
                SP_OK)
            goto out;
    }
out:
    sp_block_builder_free(builder);
    sp_opener_free(opener);
    sp_compressor_free(compressor);
    sp_hasher_free(hasher);
    return rc;
}

static void
run(void *arg)
{
    struct worker *w = arg;

    w->rc = seal_blocks(w);
}

static void
one_sealer_many_threads(void **state)
{
    (void)state;
    static struct worker workers[THREADS];
    struct sp_thread *threads[THREADS];
    static bool seen[THREADS * BLOCKS];
    struct sp_keys *keys = vector_keys();
    struct sp_sealer *sealer = NULL;
    struct sp_opener *opener = NULL;

    assert_ok(sp_sealer_new(keys, &sp_random_system, &sealer, &e));
    assert_ok(sp_opener_new(keys, &opener, &e));
    for (unsigned i = 0; i < THREADS; i++) {
        workers[i].keys = keys;
        workers[i].sealer = sealer;
        workers[i].number = i;
        assert_ok(sp_thread_start("sealer", run, &workers[i], &threads[i], &e));
    }
    for (unsigned i = 0; i < THREADS; i++)
        sp_thread_join(threads[i]);

    const uint8_t *salt = NULL;
    for (unsigned i = 0; i < THREADS; i++) {
        e = workers[i].err;
        assert_ok(workers[i].rc);
        for (unsigned k = 0; k < BLOCKS; k++) {
            const struct sp_buf *b = &workers[i].out[k];
            struct sp_block_header h;
            struct sp_opened *o = NULL;

            assert_ok(sp_block_header_parse(b->data, b->len, &h, &e));
            assert_true(h.counter < THREADS * BLOCKS);
            assert_false(seen[h.counter]);
            seen[h.counter] = true;
            if (salt == NULL)
                salt = h.salt;
            assert_memory_equal(salt, h.salt, 16);
            assert_ok(sp_block_open(opener, b->data, b->len, &o, &e));
            sp_opened_free(o);
        }
    }
    assert_int_equal(sp_sealer_count(sealer), THREADS * BLOCKS);
    for (unsigned i = 0; i < THREADS; i++)
        for (unsigned k = 0; k < BLOCKS; k++)
            sp_buf_free(&workers[i].out[k]);
    sp_opener_free(opener);
    sp_sealer_free(sealer);
    sp_keys_free(keys);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_sealer_many_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
