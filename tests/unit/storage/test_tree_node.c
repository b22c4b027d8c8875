#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "expect.h"

#include "entries.h"
#include "storage/format.pb-c.h"
#include "storage/tree_node.h"

/* A node over a coder's output; the coder must outlive it. */
static struct sp_node
node_over(const struct sp_node_coder *k, enum sp_chunk_kind kind)
{
    return (struct sp_node){.id = {{0xab}},
        .kind = kind,
        .refs = k->refs.ids,
        .nrefs = k->refs.n,
        .data = k->out.data,
        .len = k->out.len};
}

static void
reads_back(
    struct sp_tree_reader *r, const struct sp_node *n, struct sp_entry *const *all, size_t count)
{
    const struct sp_entry *en = NULL;

    ok(sp_tree_reader_open(r, n, NULL, &err));
    for (size_t i = 0; i < count; i++) {
        ok(sp_tree_reader_next(r, &en, &err));
        assert_non_null(en);
        assert_true(entry_equal(en, all[i]));
    }
    for (int k = 0; k < 2; k++) {
        ok(sp_tree_reader_next(r, &en, &err));
        assert_null(en);
    }
}

static void
entries_come_back(void **state)
{
    struct draws d = {new_seed()};
    struct sp_node_coder k = {0};
    struct sp_tree_reader *r = NULL;

    (void)state;
    ok(sp_tree_reader_new(&r, &err));
    for (size_t i = 0; i < 100; i++) {
        size_t n = i < 3 ? i : (size_t)draw_below(&d, 400);
        struct sp_entry **all = entries_draw(&d, n);
        size_t bound = 0;
        struct sp_node node;

        ok(sp_tree_encode_entries(&k, all, n, &err));
        node = node_over(&k, SP_CHUNK_TREE);
        for (size_t j = 0; j < n; j++)
            bound += sp_entry_encoded_max(all[j]);
        assert_true(node.len <= bound);
        assert_true(n > 0 || node.len == 0);
        reads_back(r, &node, all, n);
        entries_free(all, n);
    }
    sp_tree_reader_free(r);
    sp_node_coder_free(&k);
}

static void
extreme_values_come_back(void **state)
{
    uint8_t key[3000];
    struct sp_segment segment = {.length = UINT64_MAX, .id = {{255}}};
    struct sp_attribute attributes[300];
    char names[300][8];
    struct sp_entry en = {.key = key,
        .key_len = sizeof key,
        .type = SP_ENTRY_FILE,
        .flags = UINT32_MAX,
        .size = UINT64_MAX,
        .mtime_ns = INT64_MIN,
        .ctime_ns = INT64_MAX,
        .btime_ns = -1,
        .atime_ns = INT64_MIN,
        .file_id = UINT64_MAX,
        .device = UINT32_MAX,
        .links = UINT32_MAX,
        .mode = 07777,
        .uid = UINT32_MAX,
        .gid = UINT32_MAX,
        .user = "\xff\xfe",
        .group = "g",
        .rdev = UINT64_MAX,
        .segments = &segment,
        .nsegments = 1,
        .attributes = attributes,
        .nattributes = 300};
    struct sp_entry *all[] = {&en};
    struct sp_node_coder k = {0};
    struct sp_tree_reader *r = NULL;
    struct sp_node node;

    (void)state;
    memset(key, 'k', sizeof key);
    for (int i = 0; i < 300; i++) {
        snprintf(names[i], sizeof names[i], "u.%03d", i);
        attributes[i] = (struct sp_attribute){.name = names[i], .value = key, .len = (size_t)i};
    }
    ok(sp_tree_encode_entries(&k, all, 1, &err));
    node = node_over(&k, SP_CHUNK_TREE);
    ok(sp_tree_reader_new(&r, &err));
    reads_back(r, &node, all, 1);
    sp_tree_reader_free(r);
    sp_node_coder_free(&k);
}

/* --- against protobuf-c ----------------------------------------------------------------------- */

static void
same_bytes(const ProtobufCBinaryData *b, const void *p, size_t n)
{
    assert_int_equal(b->len, n);
    if (n > 0)
        assert_memory_equal(b->data, p, n);
}

static void
same_ref(const struct sp_node *n, uint32_t ref, const struct sp_id *id)
{
    assert_in_range(ref, 1, n->nrefs);
    assert_memory_equal(n->refs[ref - 1].b, id->b, SP_ID_SIZE);
}

static void
same_content(const struct sp_node *n, const Sp__Format__Entry *p, const struct sp_entry *en)
{
    assert_int_equal(p->n_segments, en->nsegments);
    for (size_t i = 0; i < en->nsegments; i++) {
        assert_true(p->segments[i]->length == en->segments[i].length);
        if (en->segments[i].hole)
            assert_int_equal(p->segments[i]->ref, 0);
        else
            same_ref(n, p->segments[i]->ref, &en->segments[i].id);
    }
    if (en->has_list)
        same_ref(n, p->list_ref, &en->list);
    else
        assert_int_equal(p->list_ref, 0);
    assert_int_equal(p->n_attributes, en->nattributes);
    for (size_t i = 0; i < en->nattributes; i++) {
        const struct sp_attribute *a = &en->attributes[i];

        same_bytes(&p->attributes[i]->name, a->name, strlen(a->name));
        same_bytes(&p->attributes[i]->value, a->value, a->len);
        if (a->external)
            same_ref(n, p->attributes[i]->ref, &a->id);
        else
            assert_int_equal(p->attributes[i]->ref, 0);
    }
}

static void
same_entry(const struct sp_node *n, const Sp__Format__Entry *p, const struct sp_entry *en)
{
    assert_true(p->shared <= en->key_len);
    same_bytes(&p->suffix, en->key + p->shared, en->key_len - p->shared);
    assert_int_equal(p->type, en->type);
    assert_int_equal(p->flags, en->flags);
    assert_true(p->size == en->size);
    assert_true(p->mtime_ns == en->mtime_ns);
    assert_true(p->ctime_ns == en->ctime_ns);
    assert_true(p->btime_ns == en->btime_ns);
    assert_true(p->file_id == en->file_id);
    assert_int_equal(p->device, en->device);
    assert_int_equal(p->links, en->links);
    assert_int_equal(p->mode, en->mode);
    assert_int_equal(p->uid, en->uid);
    assert_int_equal(p->gid, en->gid);
    same_bytes(&p->user, en->user, strlen(en->user));
    same_bytes(&p->group, en->group, strlen(en->group));
    assert_true(p->rdev == en->rdev);
    same_bytes(&p->target, en->target, en->target_len);
    same_content(n, p, en);
    assert_true(p->atime_ns == en->atime_ns);
    assert_true(p->extra == en->extra);
}

static void
packs_to(const ProtobufCMessage *m, const struct sp_node *n)
{
    uint8_t *packed = malloc(protobuf_c_message_get_packed_size(m) + 1);

    assert_non_null(packed);
    assert_int_equal(protobuf_c_message_pack(m, packed), n->len);
    assert_memory_equal(packed, n->data, n->len);
    free(packed);
}

static void
protobuf_agrees_on_entries(void **state)
{
    struct draws d = {new_seed()};
    struct sp_node_coder k = {0};

    (void)state;
    for (int round = 0; round < 10; round++) {
        struct sp_entry **all = entries_draw(&d, 300);
        Sp__Format__TreeNode *t;
        struct sp_node n;

        ok(sp_tree_encode_entries(&k, all, 300, &err));
        n = node_over(&k, SP_CHUNK_TREE);
        t = sp__format__tree_node__unpack(NULL, n.len, n.data);
        assert_non_null(t);
        assert_int_equal(t->level, 0);
        assert_int_equal(t->n_entries, 300);
        assert_int_equal(t->n_children, 0);
        for (size_t i = 0; i < 300; i++)
            same_entry(&n, t->entries[i], all[i]);
        /* Its bytes are ours, so what it writes is what we read. */
        packs_to(&t->base, &n);
        sp__format__tree_node__free_unpacked(t, NULL);
        entries_free(all, 300);
    }
    sp_node_coder_free(&k);
}

static size_t
draw_children(struct draws *d, struct sp_tree_child *c, char (*keys)[24], size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int len = snprintf(keys[i], sizeof keys[i], "k%08zu", i * 3);

        c[i] = (struct sp_tree_child){.first = (const uint8_t *)keys[i],
            .first_len = i == 0 && draw_below(d, 2) == 0 ? 0 : (size_t)len,
            .id = draw_id(d),
            .entries = draw_below(d, 1000) + 1,
            .bytes = draw(d) >> (8 + draw_below(d, 56))};
    }
    return n;
}

static void
children_come_back_and_protobuf_agrees(void **state)
{
    struct draws d = {new_seed()};
    struct sp_tree_child c[200], *got = NULL;
    char keys[200][24];
    size_t cap = 0, n = 0;
    struct sp_node_coder k = {0};
    struct sp_ref_use use = {0};

    (void)state;
    for (unsigned level = 1; level < SP_TREE_LEVELS; level++) {
        size_t count = draw_children(&d, c, keys, (size_t)draw_below(&d, 199) + 1);
        Sp__Format__TreeNode *t;
        struct sp_node node;

        ok(sp_tree_encode_children(&k, level, c, count, &err));
        node = node_over(&k, SP_CHUNK_TREE);
        ok(sp_tree_children(&node, NULL, &use, &got, &cap, &n, &err));
        assert_int_equal(n, count);
        t = sp__format__tree_node__unpack(NULL, node.len, node.data);
        assert_non_null(t);
        assert_int_equal(t->level, level);
        assert_int_equal(t->n_children, count);
        for (size_t i = 0; i < count; i++) {
            const Sp__Format__Child *p = t->children[i];

            assert_int_equal(got[i].first_len, c[i].first_len);
            assert_memory_equal(got[i].first, c[i].first, c[i].first_len);
            assert_memory_equal(got[i].id.b, c[i].id.b, SP_ID_SIZE);
            assert_true(got[i].entries == c[i].entries && got[i].bytes == c[i].bytes);
            same_bytes(&p->first, c[i].first, c[i].first_len);
            same_ref(&node, p->ref, &c[i].id);
            assert_true(p->entries == c[i].entries && p->bytes == c[i].bytes);
        }
        packs_to(&t->base, &node);
        sp__format__tree_node__free_unpacked(t, NULL);
    }
    free(got);
    sp_ref_use_free(&use);
    sp_node_coder_free(&k);
}

static void
lists_come_back_and_protobuf_agrees(void **state)
{
    struct draws d = {new_seed()};
    struct sp_segment s[500], got;
    struct sp_node_coder k = {0};
    struct sp_ref_use use = {0};

    (void)state;
    for (unsigned level = 0; level < SP_LIST_LEVELS; level++) {
        size_t count = (size_t)draw_below(&d, 499) + 1;
        uint64_t total = 0, told = 0;
        struct sp_list_iter it;
        Sp__Format__ListNode *t;
        struct sp_node node;

        for (size_t i = 0; i < count; i++) {
            s[i] = (struct sp_segment){.length = (draw(&d) >> (10 + draw_below(&d, 53))) + 1};
            s[i].hole = level == 0 && draw_below(&d, 3) == 0;
            if (!s[i].hole)
                s[i].id = i > 0 && draw_below(&d, 3) == 0 ? s[0].id : draw_id(&d);
            total += s[i].length;
        }
        ok(sp_list_encode(&k, level, s, count, &err));
        node = node_over(&k, SP_CHUNK_LIST);
        ok(sp_list_open(&node, &use, &it, &told, &err));
        assert_true(told == total);
        assert_int_equal(it.level, level);
        t = sp__format__list_node__unpack(NULL, node.len, node.data);
        assert_non_null(t);
        assert_int_equal(t->level, level);
        assert_int_equal(level == 0 ? t->n_segments : t->n_children, count);
        for (size_t i = 0; i < count; i++) {
            uint32_t ref = level == 0 ? t->segments[i]->ref : t->children[i]->ref;

            assert_true(sp_list_next(&it, &use, &got));
            assert_true(got.length == s[i].length && got.hole == s[i].hole);
            assert_memory_equal(got.id.b, s[i].id.b, SP_ID_SIZE);
            assert_true(
                (level == 0 ? t->segments[i]->length : t->children[i]->length) == s[i].length);
            if (s[i].hole)
                assert_int_equal(ref, 0);
            else
                same_ref(&node, ref, &s[i].id);
        }
        assert_false(sp_list_next(&it, &use, &got));
        packs_to(&t->base, &node);
        sp__format__list_node__free_unpacked(t, NULL);
    }
    sp_ref_use_free(&use);
    sp_node_coder_free(&k);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_come_back),
        cmocka_unit_test(extreme_values_come_back),
        cmocka_unit_test(protobuf_agrees_on_entries),
        cmocka_unit_test(children_come_back_and_protobuf_agrees),
        cmocka_unit_test(lists_come_back_and_protobuf_agrees),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
