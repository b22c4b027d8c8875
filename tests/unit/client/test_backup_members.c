/* Who trusts whom (design §4). A member of the key group that uploads garbage under another's
 * future ids, or nodes with too few refs, harms no other host's sets; a host outside the group can
 * neither claim nor fetch another's chunks, even when it knows their ids. */

#include <stdlib.h>
#include <string.h>

#include "storage/compress.h"
#include "storage/repository.h"
#include "tests/unit/base/support.h"
#include "tests/unit/client/site.h"

#define IDS_MOST 4096

struct known_ids { /* what a host is going to store, as somebody who saw it elsewhere knows it */
    struct sp_backend *below;
    struct sp_id data[IDS_MOST], nodes[IDS_MOST];
    size_t ndata, nnodes;
};

static enum sp_code
learn_pack(void *arg, const char *object, uint64_t size, struct sp_err *err)
{
    struct known_ids *k = arg;
    struct sp_pack_trailer *t = NULL;
    struct sp_pack_block b;
    enum sp_pack_kind kind;
    uint8_t name[32];
    size_t i, j;

    (void)err;
    if (!sp_pack_object_parse(object, &kind, name))
        return SP_OK;
    assert_ok(sp_pack_trailer_read(k->below, kind, name, size, &t, e));
    for (i = 0; i < sp_pack_trailer_count(t); i++) {
        sp_pack_trailer_block(t, i, &b);
        for (j = 0; j < b.nids; j++) {
            struct sp_id *to =
                kind == SP_PACK_NODES ? &k->nodes[k->nnodes++] : &k->data[k->ndata++];

            assert_true(k->ndata < IDS_MOST && k->nnodes < IDS_MOST);
            memcpy(to->b, b.ids + 32 * j, 32);
        }
    }
    sp_pack_trailer_free(t);
    return SP_OK;
}

static void
learn(struct site *s, struct known_ids *k)
{
    struct sp_err err = {0};

    memset(k, 0, sizeof *k);
    k->below = s->below;
    if (sp_backend_list(s->below, "packs", learn_pack, k, &err) != SP_OK ||
        sp_backend_list(s->below, "nodes", learn_pack, k, &err) != SP_OK)
        fail_msg("%s", err.text);
    assert_true(k->ndata > 20 && k->nnodes > 0);
}

/* Blocks that claim these ids and hold something else: sealed without the check that an honest
 * uploader makes. */
static void
upload_false(struct sp_upload *u, const struct sp_keys *keys, enum sp_block_kind kind,
    const struct sp_id *ids, size_t n)
{
    struct sp_block_builder *b = NULL;
    struct sp_sealer *sealer = NULL;
    struct sp_compressor *c = NULL;
    struct sp_upload_durable durable;
    struct sp_buf out = SP_BUF_INIT;
    size_t i;

    assert_ok(sp_block_builder_new(kind, &b, e));
    assert_ok(sp_sealer_new(keys, &sp_random_system, &sealer, e));
    assert_ok(sp_compressor_new(3, &c, e));
    for (i = 0; i < n; i++) {
        sp_block_builder_reset(b);
        sp_buf_reset(&out);
        /* a node that needs nothing, data that is not what it says */
        assert_ok(sp_block_builder_add(b, kind == SP_BLOCK_NODES ? SP_CHUNK_TREE : SP_CHUNK_DATA,
            &ids[i], NULL, 0, "not what it says", 16, e));
        assert_ok(sp_block_seal(sealer, c, NULL, b, &out, e));
        assert_ok(sp_upload_put(u, out.data, out.len, &durable, e));
    }
    assert_ok(sp_upload_flush(u, &durable, e));
    sp_buf_free(&out);
    sp_compressor_free(c);
    sp_sealer_free(sealer);
    sp_block_builder_free(b);
}

static struct sp_repository *
open_repository(struct site *s, const char *cache)
{
    struct recorder *recorder = recorder_new(s->below);
    char *folder = tree_path(&s->tree, cache);
    const struct sp_repository_options o = {.cache_dir = folder, .write = true};
    struct sp_repository *r = NULL;

    assert_ok(sp_repository_open(&recorder->head, &sp_env_system, &o, &r, e));
    free(folder);
    return r;
}

static void
attack(struct site *s, const struct sp_keys *keys, const struct known_ids *k)
{
    struct sp_repository *r = open_repository(s, "other");
    struct sp_upload *u = NULL;
    uint8_t attacker[16];

    memset(attacker, 0xa7, sizeof attacker);
    assert_ok(sp_upload_new(r, attacker, sp_keys_group(keys), &u, e));
    upload_false(u, keys, SP_BLOCK_FILES, k->data, k->ndata);
    upload_false(u, keys, SP_BLOCK_NODES, k->nodes, k->nnodes);
    sp_upload_free(u);
    sp_repository_free(r);
}

static void
count_answers(struct site *s, bool nodes, const struct sp_id *ids, size_t n, size_t ret[3])
{
    uint8_t answers[IDS_MOST];

    memset(ret, 0, 3 * sizeof ret[0]);
    assert_ok(sp_store_have(s->repository, nodes, ids, n, answers, e));
    for (size_t i = 0; i < n; i++)
        ret[answers[i]]++;
}

static void
prepare(struct site *s, struct known_ids *k)
{
    struct outcome o;

    site_new(s, false);
    site_many(s, "many", 60, 900);
    site_random_file(s, "large", 2000000, 1);
    site_run_well(s, "elsewhere", &o);
    learn(s, k);
    site_renew(s); /* the same host and files, a repository that knows nothing yet */
}

static void
test_garbage_of_a_member(void **state)
{
    static struct known_ids k;
    struct site s;
    struct outcome o;
    size_t answers[3];

    (void)state;
    prepare(&s, &k);
    attack(&s, s.keys, &k);
    site_reopen(&s);
    /* the trap is set: data seems to be there, of a member; its nodes are never spoken of */
    count_answers(&s, false, k.data, k.ndata, answers);
    assert_int_equal(answers[SP_HAVE_MEMBERS], k.ndata);
    count_answers(&s, true, k.nodes, k.nnodes, answers);
    assert_int_equal(answers[SP_HAVE_NO], k.nnodes);

    site_run_well(&s, "among garbage", &o);
    assert_true(o.result.stats.chunks_new >= k.ndata);
    site_assert_equal(&s);
    count_answers(&s, false, k.data, k.ndata, answers);
    assert_int_equal(answers[SP_HAVE_MINE], k.ndata);
    site_run_well(&s, "again", &o);
    site_assert_equal(&s);
    site_free(&s);
}

static enum sp_code
count_blocks(void *arg, const uint8_t *block, size_t n, const uint32_t *wanted, size_t nwanted,
    struct sp_err *e)
{
    (void)block;
    (void)n;
    (void)wanted;
    (void)e;
    *(size_t *)arg += nwanted;
    return SP_OK;
}

static void
test_outside_the_group(void **state)
{
    static struct known_ids k;
    struct site s;
    struct outcome o;
    struct sp_keys *foreign = NULL;
    struct sp_repository *r;
    struct sp_reader_scope scope;
    uint8_t host[16];
    size_t answers[3], got = 0;

    (void)state;
    prepare(&s, &k);
    assert_ok(sp_keys_generate(&sp_random_system, &foreign, e));
    /* claims another's ids: the other does not even see them */
    attack(&s, foreign, &k);
    site_reopen(&s);
    count_answers(&s, false, k.data, k.ndata, answers);
    assert_int_equal(answers[SP_HAVE_NO], k.ndata);
    site_run_well(&s, "beside a stranger", &o);
    site_assert_equal(&s);

    /* asks for another's ids: only what it uploaded itself comes back */
    memset(host, 0xb8, sizeof host);
    scope.host = host;
    scope.group = sp_keys_group(foreign);
    r = open_repository(&s, "admit");
    for (unsigned copy = 0; copy < 3; copy++)
        assert_ok(sp_repository_get(r, &scope, k.data, k.ndata, copy, count_blocks, &got, e));
    assert_int_equal(got, k.ndata); /* its own garbage, once */
    sp_repository_free(r);
    sp_keys_free(foreign);
    site_free(&s);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_garbage_of_a_member),
        cmocka_unit_test(test_outside_the_group),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
