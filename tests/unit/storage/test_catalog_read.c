#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "expect.h"

#include "base/path.h"
#include "storage/tree_node.h"
#include "trees.h"

/* A key of the tree, or one near it. */
static void
draw_key(struct draws *d, struct sp_entry *const *all, size_t n, struct sp_buf *key)
{
    const struct sp_entry *en = all[draw_below(d, n)];
    size_t len = en->key_len;

    sp_buf_reset(key);
    switch (draw_below(d, 5)) {
    case 0:
        len = (size_t)draw_below(d, len + 1);
        break;
    case 1:
        sp_buf_put(key, en->key, len);
        sp_buf_put_u8(key, (uint8_t)draw(d));
        return;
    case 2:
        sp_buf_put(key, en->key, len);
        key->data[draw_below(d, len)] = (uint8_t)draw(d);
        return;
    default:
        break;
    }
    sp_buf_put(key, en->key, len);
}

static void
gives_some(struct sp_catalog *c, struct sp_entry *const *all, size_t n, size_t at, size_t most)
{
    const struct sp_entry *en = NULL;

    for (; at < n && most > 0; at++, most--) {
        ok(sp_catalog_next(c, &en, &err));
        assert_non_null(en);
        assert_true(entry_equal(en, all[at]));
    }
    if (at == n) {
        ok(sp_catalog_next(c, &en, &err));
        assert_null(en);
    }
}

static void
seek_and_find_against_an_array(void **state)
{
    struct draws d = {new_seed()};
    size_t n = 30000, found = 0;
    struct sp_entry **all = entries_draw(&d, n);
    struct sp_buf key = SP_BUF_INIT;
    struct sp_catalog *c;
    struct sp_id root;
    struct nodes m;

    (void)state;
    nodes_init(&m);
    root = tree_write(&m, all, n);
    c = tree_open(&m, &root);
    for (int i = 0; i < 400; i++) {
        const struct sp_entry *en = NULL;
        size_t at;
        bool there;

        draw_key(&d, all, n, &key);
        at = entries_at(all, n, key.data, key.len);
        there = at < n && sp_key_cmp(all[at]->key, all[at]->key_len, key.data, key.len) == 0;
        if (draw_below(&d, 2) == 0) {
            ok(sp_catalog_seek(c, key.data, key.len, &err));
            gives_some(c, all, n, at, (size_t)draw_below(&d, 5));
        } else if (there) {
            ok(sp_catalog_find(c, key.data, key.len, &en, &err));
            assert_true(entry_equal(en, all[at]));
            gives_some(c, all, n, at + 1, (size_t)draw_below(&d, 3));
            found++;
        } else {
            gives(SP_ABSENT, sp_catalog_find(c, key.data, key.len, &en, &err));
        }
    }
    assert_true(found > 25);
    ok(sp_catalog_seek(c, "\xff", 1, &err));
    gives_some(c, all, n, n, 1);
    ok(sp_catalog_seek(c, "", 0, &err));
    tree_gives(c, all, n);
    sp_catalog_free(c);
    sp_catalog_free(NULL);
    sp_buf_free(&key);
    entries_free(all, n);
    nodes_free(&m);
}

/* A path is found in as many reads as the tree has levels, the next one beside it in none. */
static void
finding_reads_one_path(void **state)
{
    struct draws d = {new_seed()};
    size_t n = 20000;
    struct sp_entry **all = entries_draw(&d, n);
    const struct sp_entry *en = NULL;
    unsigned level = 0;
    struct sp_id root;
    struct nodes m;

    (void)state;
    nodes_init(&m);
    root = tree_write(&m, all, n);
    ok(sp_tree_level(nodes_find(&m, &root), &level, &err));
    for (int i = 0; i < 50; i++) {
        struct sp_catalog *c;
        size_t at = (size_t)draw_below(&d, n);

        m.read = 0;
        c = tree_open(&m, &root);
        ok(sp_catalog_find(c, all[at]->key, all[at]->key_len, &en, &err));
        assert_int_equal(m.read, level + 1);
        sp_catalog_free(c);
    }
    entries_free(all, n);
    nodes_free(&m);
}

/* --- damage ----------------------------------------------------------------------------------- */

/* The nodes of level `at` below the root, from the left. */
static size_t
children_at(
    struct nodes *m, const struct sp_id *id, unsigned at, struct sp_tree_child *list, size_t n)
{
    struct sp_tree_child *children = NULL;
    struct sp_ref_use use = {0};
    size_t count = 0, cap = 0;
    unsigned level = 0;

    ok(sp_tree_level(nodes_find(m, id), &level, &err));
    ok(sp_tree_children(nodes_find(m, id), NULL, &use, &children, &cap, &count, &err));
    for (size_t i = 0; i < count; i++) {
        if (level == at + 1)
            list[n++] = children[i];
        else
            n = children_at(m, &children[i].id, at, list, n);
    }
    free(children);
    sp_ref_use_free(&use);
    return n;
}

struct gap {
    uint64_t from, to; /* entries out of reach */
};

/* Reads on past each failure and checks that just the entries of the gaps are missing. */
static void
reads_around(struct sp_catalog *c, struct sp_entry *const *all, size_t n, const struct gap *gaps,
    size_t ngaps, enum sp_code code)
{
    const struct sp_entry *en = NULL;
    size_t gap = 0;

    for (size_t i = 0; i < n;) {
        if (gap < ngaps && gaps[gap].from == i) {
            gives(code, sp_catalog_next(c, &en, &err));
            if (draw_below(&(struct draws){i}, 2) == 0)
                gives(code, sp_catalog_next(c, &en, &err));
            ok(sp_catalog_skip(c, &err));
            gives(SP_INVALID, sp_catalog_skip(c, &err));
            i = gaps[gap++].to;
            continue;
        }
        ok(sp_catalog_next(c, &en, &err));
        assert_non_null(en);
        assert_true(entry_equal(en, all[i]));
        i++;
    }
    assert_int_equal(gap, ngaps);
    ok(sp_catalog_next(c, &en, &err));
    assert_null(en);
}

/* Keys of 500 bytes: three levels from 12 000 entries. */
static struct sp_entry **
high_tree_draw(struct draws *d, size_t n)
{
    struct sp_entry **all = calloc(n, sizeof *all);
    char key[600];

    assert_non_null(all);
    for (size_t i = 0; i < n; i++) {
        snprintf(key, sizeof key, "%06zu%0500llx", 2 * i, (unsigned long long)draw(d));
        all[i] = entry_draw(d, key, strlen(key));
    }
    return all;
}

static void
bad_nodes_are_gone_around(void **state)
{
    struct draws d = {new_seed()};
    size_t n = 12000, count;
    struct sp_entry **all = high_tree_draw(&d, n);
    struct sp_tree_child *list = calloc(n, sizeof *list);

    (void)state;
    assert_non_null(list);
    for (unsigned level = 0; level < 2; level++) {
        for (int how = 0; how < 3; how++) {
            struct gap gaps[5];
            size_t ngaps = 0;
            uint64_t at = 0;
            struct sp_catalog *c;
            struct sp_id root;
            struct nodes m;

            nodes_init(&m);
            root = tree_write(&m, all, n);
            count = children_at(&m, &root, level, list, 0);
            assert_true(count > (level == 0 ? 100u : 1u));
            for (size_t i = 0; i < count; i++) {
                const struct sp_node *x = nodes_find(&m, &list[i].id);

                at += list[i].entries;
                /* The first, the last, two neighbours and one alone; above, just one. */
                if (level == 0 && i != 0 && i != count - 1 && i != 50 && i != 51 && i != 80)
                    continue;
                if (level == 1 && i != 1)
                    continue;
                gaps[ngaps++] = (struct gap){at - list[i].entries, at};
                if (how == 0)
                    nodes_remove(&m, &list[i].id);
                else if (how == 1)
                    nodes_lie(
                        &m, &list[i].id, SP_CHUNK_TREE, x->refs, x->nrefs, x->data, x->len - 1);
                else
                    nodes_lie(&m, &list[i].id, SP_CHUNK_LIST, x->refs, x->nrefs, x->data, x->len);
            }
            c = tree_open(&m, &root);
            reads_around(c, all, n, gaps, ngaps, how == 0 ? SP_ABSENT : SP_CORRUPT);
            for (size_t i = 0; i < ngaps; i++) {
                const struct sp_entry *en = NULL;
                const struct sp_entry *lost = all[gaps[i].to - 1];

                /* What is out of reach is not told to be absent. */
                gives(SP_CORRUPT, sp_catalog_find(c, lost->key, lost->key_len, &en, &err));
                gives(how == 0 ? SP_ABSENT : SP_CORRUPT,
                    sp_catalog_seek(c, lost->key, lost->key_len, &err));
                ok(sp_catalog_skip(c, &err));
                if (i + 1 < ngaps && gaps[i + 1].from == gaps[i].to)
                    continue;
                ok(sp_catalog_next(c, &en, &err));
                if (gaps[i].to < n)
                    assert_true(entry_equal(en, all[gaps[i].to]));
                else
                    assert_null(en);
            }
            sp_catalog_free(c);
            nodes_free(&m);
        }
    }
    free(list);
    entries_free(all, n);
}

static void
a_bad_root(void **state)
{
    struct draws d = {new_seed()};
    struct sp_entry **all = entries_draw(&d, 50);
    struct sp_catalog *c = NULL;
    struct sp_id root;
    struct nodes m;

    (void)state;
    nodes_init(&m);
    root = tree_write(&m, all, 50);
    gives(SP_ABSENT, sp_catalog_open(&m.source, &(struct sp_id){{1}}, &c, &err));
    nodes_lie(&m, &root, SP_CHUNK_TREE, NULL, 0, "\x12\x05zz", 4);
    gives(SP_CORRUPT, sp_catalog_open(&m.source, &root, &c, &err));
    nodes_remove(&m, &root);
    gives(SP_ABSENT, sp_catalog_open(&m.source, &root, &c, &err));
    assert_null(c);
    entries_free(all, 50);
    nodes_free(&m);
}

/* --- a source that lies ----------------------------------------------------------------------- */

/* Reads all, past every failure; gives how many entries came and failures were met. */
static void
read_what_there_is(struct nodes *m, const struct sp_id *root, size_t most, size_t *ret_entries,
    size_t *ret_failures)
{
    const struct sp_entry *en = NULL;
    struct sp_catalog *c = NULL;
    enum sp_code rc;

    *ret_entries = *ret_failures = 0;
    if ((rc = sp_catalog_open(&m->source, root, &c, &err)) != SP_OK) {
        assert_true(rc == SP_CORRUPT || rc == SP_ABSENT);
        ++*ret_failures;
        return;
    }
    while ((rc = sp_catalog_next(c, &en, &err)) != SP_OK || en != NULL) {
        if (rc == SP_OK) {
            assert_true(++*ret_entries <= most);
            continue;
        }
        assert_true(rc == SP_CORRUPT || rc == SP_ABSENT);
        assert_true(++*ret_failures <= most);
        ok(sp_catalog_skip(c, &err));
    }
    sp_catalog_free(c);
}

static void
put_node(struct nodes *m, struct sp_node_coder *k, const struct sp_id *id)
{
    nodes_lie(m, id, SP_CHUNK_TREE, k->refs.ids, k->refs.n, k->out.data, k->out.len);
}

/* A chain of nodes of one child each, `top` levels above one leaf; *ret_root is the highest. */
static void
chain(struct nodes *m, unsigned top, struct sp_id *ret_root)
{
    struct sp_entry en = {
        .key = (const uint8_t *)"k", .key_len = 1, .type = SP_ENTRY_FIFO, .user = "", .group = ""};
    struct sp_entry *one = &en;
    struct sp_tree_child child = {.first = en.key, .first_len = 1, .id = {{1}}, .entries = 1};
    struct sp_node_coder k = {0};

    ok(sp_tree_encode_entries(&k, &one, 1, &err));
    put_node(m, &k, &child.id);
    for (unsigned level = 1; level <= top; level++) {
        ok(sp_tree_encode_children(&k, level, &child, 1, &err));
        child.id.b[0]++;
        put_node(m, &k, &child.id);
    }
    *ret_root = child.id;
    sp_node_coder_free(&k);
}

static void
depth_is_bounded(void **state)
{
    struct sp_tree_child self = {
        .first = (const uint8_t *)"k", .first_len = 1, .id = {{99}}, .entries = 1};
    struct sp_node_coder k = {0};
    size_t entries, failures;
    struct sp_id root;
    struct nodes m;

    (void)state;
    nodes_init(&m);
    chain(&m, SP_TREE_LEVELS - 1, &root);
    read_what_there_is(&m, &root, 10, &entries, &failures);
    assert_true(entries == 1 && failures == 0);
    chain(&m, SP_TREE_LEVELS, &root);
    read_what_there_is(&m, &root, 10, &entries, &failures);
    assert_true(entries == 0 && failures == 1);
    /* A node that is its own child. */
    for (unsigned level = 1; level < SP_TREE_LEVELS; level++) {
        ok(sp_tree_encode_children(&k, level, &self, 1, &err));
        put_node(&m, &k, &self.id);
        read_what_there_is(&m, &self.id, 10, &entries, &failures);
        assert_true(entries == 0 && failures == 1);
    }
    sp_node_coder_free(&k);
    nodes_free(&m);
}

static void
a_node_in_the_place_of_another(void **state)
{
    struct draws d = {new_seed()};
    size_t n = 6000, entries, failures;
    struct sp_entry **all = high_tree_draw(&d, n);

    (void)state;
    for (int i = 0; i < 12; i++) {
        const struct sp_node *a, *b;
        size_t x, y;
        struct sp_id root, id;
        struct nodes m;

        nodes_init(&m);
        root = tree_write(&m, all, n);
        do {
            x = (size_t)draw_below(&d, m.cap);
            y = (size_t)draw_below(&d, m.cap);
            a = m.slots[x];
            b = m.slots[y];
        } while (a == NULL || b == NULL || a == b);
        id = a->id;
        nodes_lie(&m, &id, SP_CHUNK_TREE, b->refs, b->nrefs, b->data, b->len);
        read_what_there_is(&m, &root, n, &entries, &failures);
        /* The claims of the parent are not met; as a root any tree would do. */
        if (sp_id_cmp(&id, &root) != 0)
            assert_true(failures == 1 && entries < n);
        nodes_free(&m);
    }
    entries_free(all, n);
}

static void
random_damage(void **state)
{
    struct draws d = {new_seed()};
    size_t n = 4000, entries, failures, refused = 0;
    struct sp_entry **all = high_tree_draw(&d, n);
    struct sp_id root;
    struct nodes m;

    (void)state;
    nodes_init(&m);
    root = tree_write(&m, all, n);
    for (int i = 0; i < 50; i++) {
        struct sp_node *x;
        uint8_t *bytes;
        size_t len;
        struct sp_id id;

        do
            x = m.slots[draw_below(&d, m.cap)];
        while (x == NULL);
        id = x->id;
        len = x->len;
        bytes = malloc(2 * len);
        assert_non_null(bytes);
        memcpy(bytes, x->data, len);
        memcpy(bytes + len, x->data, len);
        for (uint64_t k = draw_below(&d, 16) + 1; k > 0; k--)
            bytes[draw_below(&d, len)] ^= (uint8_t)(1u << draw_below(&d, 8));
        nodes_lie(&m, &id, SP_CHUNK_TREE, x->refs, x->nrefs, bytes, len);
        read_what_there_is(&m, &root, n, &entries, &failures);
        refused += failures > 0;
        x = nodes_find(&m, &id);
        nodes_lie(&m, &id, SP_CHUNK_TREE, x->refs, x->nrefs, bytes + len, len);
        free(bytes);
    }
    assert_true(refused > 12);
    read_what_there_is(&m, &root, n, &entries, &failures);
    assert_true(entries == n && failures == 0);
    entries_free(all, n);
    nodes_free(&m);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(seek_and_find_against_an_array),
        cmocka_unit_test(finding_reads_one_path),
        cmocka_unit_test(bad_nodes_are_gone_around),
        cmocka_unit_test(a_bad_root),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(a_node_in_the_place_of_another),
        cmocka_unit_test(random_damage),
    };

    return cmocka_run_group_tests(tests, tree_setup, tree_teardown);
}
