#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "client/nodecache.h"
#include "storage/compress.h"

/* The node cache: what was kept comes back in the next run, what no run needs goes, damage costs
 * only time. */

#define BLOCKS 40

static char folder[64];
static struct sp_keys *keys;
static uint8_t *blocks[BLOCKS];
static size_t lens[BLOCKS];
static struct sp_id ids[BLOCKS];

static void
make_block(size_t i, struct sp_sealer *sealer, struct sp_compressor *c, struct sp_hasher *h)
{
    struct sp_block_builder *b;
    struct sp_buf out = SP_BUF_INIT;
    struct sp_err e = {0};
    char text[64];

    (void)snprintf(text, sizeof(text), "node %zu", i);
    assert_int_equal(
        sp_hasher_id(h, SP_CHUNK_TREE, NULL, 0, text, strlen(text), &ids[i], &e), SP_OK);
    assert_int_equal(sp_block_builder_new(SP_BLOCK_NODES, &b, &e), SP_OK);
    assert_int_equal(
        sp_block_builder_add(b, SP_CHUNK_TREE, &ids[i], NULL, 0, text, strlen(text), &e), SP_OK);
    assert_int_equal(sp_block_seal(sealer, c, NULL, b, &out, &e), SP_OK);
    assert_int_equal(sp_buf_take(&out, &blocks[i], &lens[i], &e), SP_OK);
    sp_block_builder_free(b);
}

static int
setup(void **state)
{
    struct sp_sealer *sealer;
    struct sp_compressor *c;
    struct sp_hasher *h;
    struct sp_err e = {0};
    size_t i;

    (void)state;
    (void)strcpy(folder, "/tmp/sp-nodecache-XXXXXX");
    if (mkdtemp(folder) == NULL || sp_keys_generate(&sp_random_system, &keys, &e) != SP_OK ||
        sp_sealer_new(keys, &sp_random_system, &sealer, &e) != SP_OK ||
        sp_compressor_new(3, &c, &e) != SP_OK || sp_hasher_new(keys, &h, &e) != SP_OK)
        return -1;
    for (i = 0; i < BLOCKS; i++)
        make_block(i, sealer, c, h);
    sp_hasher_free(h);
    sp_compressor_free(c);
    sp_sealer_free(sealer);
    return 0;
}

static int
teardown(void **state)
{
    struct sp_err e = {0};
    size_t i;

    (void)state;
    for (i = 0; i < BLOCKS; i++)
        free(blocks[i]);
    sp_keys_free(keys);
    return sp_os_remove_tree(&sp_os_system, folder, &e) == SP_OK ? 0 : -1;
}

static struct sp_nodecache *
open_cache(void)
{
    struct sp_nodecache *c;
    struct sp_err e = {0};

    assert_int_equal(sp_nodecache_open(&sp_env_system, folder, &c, &e), SP_OK);
    return c;
}

static bool
has(struct sp_nodecache *c, size_t i)
{
    uint8_t *p = NULL;
    size_t n;

    if (!sp_nodecache_get(c, &ids[i], &p, &n))
        return false;
    assert_int_equal(n, lens[i]);
    assert_memory_equal(p, blocks[i], n);
    free(p);
    return true;
}

static enum sp_code
add_size(void *arg, const char *name, const struct sp_os_stat *st, struct sp_err *e)
{
    (void)name;
    (void)e;
    *(uint64_t *)arg += st->size;
    return SP_OK;
}

static uint64_t
size_on_disk(void)
{
    uint64_t n = 0;
    struct sp_err e = {0};

    assert_int_equal(sp_os_system.list(sp_os_system.self, folder, true, add_size, &n, &e), SP_OK);
    return n;
}

static void
test_keeps(void **state)
{
    struct sp_nodecache *c = open_cache();
    size_t i;

    (void)state;
    for (i = 0; i < BLOCKS; i++)
        sp_nodecache_add(c, blocks[i], lens[i]);
    assert_true(has(c, 7));
    sp_nodecache_free(c); /* no success: nothing is kept */
    c = open_cache();
    assert_false(has(c, 7));
    for (i = 0; i < BLOCKS; i++)
        sp_nodecache_add(c, blocks[i], lens[i]);
    sp_nodecache_trim(c);
    sp_nodecache_free(c);
    c = open_cache();
    for (i = 0; i < BLOCKS; i++)
        assert_true(has(c, i));
    sp_nodecache_free(c);
}

static void
test_drops_what_no_run_needs(void **state)
{
    struct sp_nodecache *c = open_cache();
    uint64_t before = size_on_disk();
    size_t i;

    (void)state;
    for (i = 0; i < 5; i++)
        sp_nodecache_use(c, &ids[i]);
    sp_nodecache_trim(c);
    sp_nodecache_free(c);
    assert_true(size_on_disk() < before / 4);
    c = open_cache();
    for (i = 0; i < BLOCKS; i++)
        assert_int_equal(has(c, i), i < 5);
    sp_nodecache_free(c);
}

static enum sp_code
truncate_one(void *arg, const char *name, const struct sp_os_stat *st, struct sp_err *e)
{
    char path[256];
    FILE *f;

    (void)arg;
    (void)st;
    (void)e;
    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    f = fopen(path, "r+");
    assert_non_null(f);
    assert_int_equal(fseek(f, 0, SEEK_SET), 0);
    assert_int_equal(fputs("garbage at the beginning", f) < 0, 0);
    assert_int_equal(fclose(f), 0);
    return SP_OK;
}

static void
test_damage(void **state)
{
    struct sp_nodecache *c;
    struct sp_err e = {0};

    (void)state;
    assert_int_equal(
        sp_os_system.list(sp_os_system.self, folder, true, truncate_one, NULL, &e), SP_OK);
    c = open_cache();
    assert_false(has(c, 0));
    sp_nodecache_add(c, blocks[0], lens[0]);
    sp_nodecache_trim(c);
    sp_nodecache_free(c);
    c = open_cache();
    assert_true(has(c, 0));
    sp_nodecache_free(c);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keeps),
        cmocka_unit_test(test_drops_what_no_run_needs),
        cmocka_unit_test(test_damage),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
