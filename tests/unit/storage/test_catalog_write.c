#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "expect.h"

#include "storage/crypto.h"
#include "storage/tree_node.h"
#include "trees.h"

static void
two_hundred_thousand_come_back(void **state)
{
    struct draws d = {new_seed()};
    size_t n = 200000;
    struct sp_entry **all = entries_draw(&d, n);
    struct sp_catalog_totals want = {n, 0, 0}, got;
    struct sp_catalog_writer *w = NULL;
    struct sp_catalog *c;
    struct sp_id root;
    struct nodes m;

    (void)state;
    nodes_init(&m);
    ok(sp_catalog_writer_new(tree_keys, &m.sink, &w, &err));
    for (size_t i = 0; i < n; i++) {
        ok(sp_catalog_writer_add(w, all[i], &err));
        want.bytes += all[i]->size;
        want.files += all[i]->type == SP_ENTRY_FILE;
    }
    ok(sp_catalog_writer_finish(w, &root, &got, &err));
    assert_memory_equal(&got, &want, sizeof got);
    sp_catalog_writer_free(w);
    c = tree_open(&m, &root);
    ok(sp_catalog_totals(c, &got, &err));
    assert_true(got.entries == want.entries && got.bytes == want.bytes);
    m.gets = 0;
    tree_gives(c, all, n);
    /* A reading in order asks in batches. */
    assert_true(m.gets < m.added / 10);
    assert_true(m.read == m.added);
    sp_catalog_free(c);
    entries_free(all, n);
    nodes_free(&m);
}

static void
few_come_back(void **state)
{
    struct draws d = {new_seed()};
    struct sp_catalog_totals t;

    (void)state;
    for (size_t n = 0; n < 40; n += n < 4 ? 1 : 17) {
        struct sp_entry **all = entries_draw(&d, n);
        struct sp_catalog *c;
        struct sp_id root;
        uint64_t bytes = 0;
        struct nodes m;

        nodes_init(&m);
        root = tree_write(&m, all, n);
        assert_int_equal(m.added, 1);
        c = tree_open(&m, &root);
        for (size_t i = 0; i < n; i++)
            bytes += all[i]->size;
        ok(sp_catalog_totals(c, &t, &err));
        assert_true(t.entries == n && t.bytes == bytes && t.files == 0);
        tree_gives(c, all, n);
        ok(sp_catalog_seek(c, "", 0, &err));
        tree_gives(c, all, n);
        ok(sp_catalog_totals(c, &t, &err));
        sp_catalog_free(c);
        entries_free(all, n);
        nodes_free(&m);
    }
}

static void
one_entry_changes_few_nodes(void **state)
{
    struct draws d = {new_seed()};
    size_t n = 100000;
    struct sp_entry **all = entries_draw(&d, n), **some = calloc(n + 1, sizeof *some);
    struct nodes m;
    struct sp_id root, changed, again;
    size_t whole;

    (void)state;
    assert_non_null(some);
    nodes_init(&m);
    root = tree_write(&m, all, n);
    whole = m.added;
    assert_true(whole > 300);
    for (int k = 0; k < 2; k++) {
        size_t out = (size_t)draw_below(&d, n);

        for (size_t i = 0; i < n - 1; i++)
            some[i] = all[i < out ? i : i + 1];
        m.added = 0;
        changed = tree_write(&m, some, n - 1);
        assert_memory_not_equal(&changed, &root, sizeof root);
        if (m.added > 12)
            fail_msg("%zu of %zu nodes are new", m.added, whole);
    }
    /* And in again: the tree that was, whatever came before. */
    m.added = 0;
    again = tree_write(&m, all, n);
    assert_memory_equal(&again, &root, sizeof root);
    assert_int_equal(m.added, 0);
    free(some);
    entries_free(all, n);
    nodes_free(&m);
}

static void
a_checkpoint_is_a_finish_that_disturbs_nothing(void **state)
{
    struct draws d = {new_seed()};
    size_t n = 8000;
    struct sp_entry **all = entries_draw(&d, n);
    struct sp_catalog_writer *w = NULL;
    struct sp_catalog_totals t;
    struct sp_id root, plain;
    struct nodes m;

    (void)state;
    nodes_init(&m);
    plain = tree_write(&m, all, n);
    ok(sp_catalog_writer_new(tree_keys, &m.sink, &w, &err));
    for (size_t i = 0; i <= n; i++) {
        if (i < 3 || i == n || draw_below(&d, 1500) == 0) {
            struct sp_id want = tree_write(&m, all, i);

            ok(sp_catalog_writer_checkpoint(w, &root, &t, &err));
            assert_memory_equal(&root, &want, sizeof root);
            assert_true(t.entries == i);
        }
        if (i < n)
            ok(sp_catalog_writer_add(w, all[i], &err));
    }
    ok(sp_catalog_writer_finish(w, &root, &t, &err));
    assert_memory_equal(&root, &plain, sizeof root);
    gives(SP_INVALID, sp_catalog_writer_checkpoint(w, &root, &t, &err));
    gives(SP_INVALID, sp_catalog_writer_finish(w, &root, &t, &err));
    gives(SP_INVALID, sp_catalog_writer_add(w, all[0], &err));
    sp_catalog_writer_free(w);
    sp_catalog_writer_free(NULL);
    entries_free(all, n);
    nodes_free(&m);
}

/* --- the cuts of docs/format.md §10, by a second implementation ------------------------------- */

static uint64_t
weight_of(const struct sp_entry *en)
{
    uint64_t w = en->key_len + 48 + 36 * en->nsegments + en->target_len + strlen(en->user) +
                 strlen(en->group);

    for (size_t i = 0; i < en->nattributes; i++)
        w += strlen(en->attributes[i].name) + en->attributes[i].len;
    return w;
}

static bool
cut_after(const uint64_t gear[256], const uint8_t *key, size_t n, uint64_t weight)
{
    uint64_t h = 0;

    for (size_t i = 0; i < n; i++) {
        h = (h << 1) + gear[key[i]];
        h ^= h >> 29;
    }
    h *= UINT64_C(0x9E3779B97F4A7C15);
    h ^= h >> 32;
    return h % (UINT64_C(1) << 32) < (UINT64_C(1) << 32) * weight / 32768;
}

static void
gear_of(uint8_t level, uint64_t gear[256])
{
    struct sp_hmac *h = NULL;

    ok(sp_hmac_new(sp_keys_split(tree_keys), &h, &err));
    for (unsigned b = 0; b < 256; b++) {
        uint8_t message[9] = "catalog", mac[32];
        const struct sp_span part = {message, sizeof message};

        message[7] = level;
        message[8] = (uint8_t)b;
        ok(sp_hmac(h, &part, 1, mac, &err));
        gear[b] = sp_le64(mac);
    }
    sp_hmac_free(h);
}

struct item { /* an entry or a child */
    const uint8_t *key;
    size_t len;
    uint64_t weight, entries;
};

/* Gathers the items of one level into nodes, in place; each node is an item of the level above. */
static size_t
gather(unsigned level, struct item *items, size_t n)
{
    uint64_t gear[256];
    size_t made = 0, least = level == 0 ? 1 : 2;

    gear_of((uint8_t)level, gear);
    for (size_t i = 0; i < n;) {
        struct item node = {.key = items[i].key, .len = items[i].len};
        size_t start = i;
        uint64_t sum = 0;
        bool cut = false;

        while (i < n && !cut && (i - start < least || sum + items[i].weight <= 65536)) {
            sum += items[i].weight;
            node.entries += items[i].entries;
            cut = i - start + 1 >= least && sum >= 8192 &&
                  cut_after(gear, items[i].key, items[i].len, items[i].weight);
            i++;
        }
        node.weight = node.len + 48;
        items[made++] = node;
    }
    return made;
}

/* The nodes of one level of the tree, from the left. */
static struct sp_tree_child *
nodes_at(
    struct nodes *m, const struct sp_id *id, unsigned at, struct sp_tree_child *list, size_t *n)
{
    struct sp_tree_child *children = NULL;
    struct sp_ref_use use = {0};
    size_t count = 0, cap = 0;
    unsigned level = 0;

    ok(sp_tree_level(nodes_find(m, id), &level, &err));
    assert_true(level > at);
    ok(sp_tree_children(nodes_find(m, id), NULL, &use, &children, &cap, &count, &err));
    if (level == at + 1) {
        list = realloc(list, (*n + count) * sizeof *list);
        assert_non_null(list);
        memcpy(list + *n, children, count * sizeof *list);
        *n += count;
    }
    for (size_t i = 0; level > at + 1 && i < count; i++)
        list = nodes_at(m, &children[i].id, at, list, n);
    free(children);
    sp_ref_use_free(&use);
    return list;
}

/* With keys so long that the tree is high while it is small. */
static struct sp_entry **
long_entries_draw(struct draws *d, size_t n)
{
    struct sp_entry **all = calloc(n, sizeof *all);
    char key[700];

    assert_non_null(all);
    for (size_t i = 0; i < n; i++) {
        size_t len = (size_t)draw_below(d, 300) + 300;

        snprintf(key, sizeof key, "%06zu", i);
        for (size_t k = 6; k < len; k++)
            key[k] = (char)('a' + draw_below(d, 26));
        all[i] = entry_draw(d, key, len);
    }
    return all;
}

static void
the_cuts_are_those_of_the_format(void **state)
{
    struct draws d = {new_seed()};
    size_t n = 10000, count;
    struct sp_entry **all = long_entries_draw(&d, n);
    struct item *items = calloc(n, sizeof *items);
    unsigned level = 0, root_level = 0;
    uint64_t weight = 0;
    struct sp_id root;
    struct nodes m;

    (void)state;
    assert_non_null(items);
    nodes_init(&m);
    root = tree_write(&m, all, n);
    ok(sp_tree_level(nodes_find(&m, &root), &root_level, &err));
    assert_true(root_level >= 2);
    for (size_t i = 0; i < n; i++) {
        items[i] = (struct item){all[i]->key, all[i]->key_len, weight_of(all[i]), 1};
        weight += items[i].weight;
    }
    for (count = gather(0, items, n); count > 1; count = gather(++level, items, count)) {
        struct sp_tree_child *list = NULL;
        size_t got = 0;

        /* Between the least and the most, about the usual. */
        if (level == 0)
            assert_true(weight / count > 16 << 10 && weight / count < 56 << 10);
        assert_true(level < root_level);
        list = nodes_at(&m, &root, level, list, &got);
        assert_int_equal(got, count);
        for (size_t i = 0; i < count; i++) {
            assert_true(list[i].entries == items[i].entries);
            assert_int_equal(list[i].first_len, items[i].len);
            assert_memory_equal(list[i].first, items[i].key, items[i].len);
        }
        free(list);
    }
    assert_int_equal(level, root_level);
    free(items);
    entries_free(all, n);
    nodes_free(&m);
}

static void
nodes_keep_their_bounds(void **state)
{
    struct draws d = {new_seed()};
    size_t n = 20000, small = 0;
    struct sp_entry **all = entries_draw(&d, n);
    struct sp_tree_reader *r = NULL;
    struct nodes m;

    (void)state;
    nodes_init(&m);
    tree_write(&m, all, n);
    ok(sp_tree_reader_new(&r, &err));
    for (size_t i = 0; i < m.cap; i++) {
        const struct sp_entry *en = NULL;
        uint64_t weight = 0;
        unsigned level = 0;

        if (m.slots[i] == NULL)
            continue;
        assert_true(m.slots[i]->len < 128 << 10);
        ok(sp_tree_level(m.slots[i], &level, &err));
        if (level > 0)
            continue;
        ok(sp_tree_reader_open(r, m.slots[i], NULL, &err));
        while (sp_tree_reader_next(r, &en, &err) == SP_OK && en != NULL)
            weight += weight_of(en);
        assert_true(weight <= 64 << 10);
        small += weight < 8 << 10;
    }
    assert_true(small <= 1); /* the last */
    sp_tree_reader_free(r);
    entries_free(all, n);
    nodes_free(&m);
}

/* Keys so long that every one fills a node: the levels must still come to an end. */
static void
very_long_keys(void **state)
{
    enum { N = 40 };
    struct draws d = {new_seed()};
    struct sp_entry *all[N];
    uint8_t *key = malloc(SP_KEY_MAX);
    struct sp_catalog *c;
    struct sp_id root;
    struct nodes m;

    (void)state;
    assert_non_null(key);
    memset(key, 'k', SP_KEY_MAX);
    for (size_t i = 0; i < N; i++) {
        key[0] = (uint8_t)('A' + i);
        all[i] = entry_draw(&d, key, SP_KEY_MAX - (i == 7 ? 0 : (size_t)draw_below(&d, 70000)));
    }
    nodes_init(&m);
    root = tree_write(&m, all, N);
    c = tree_open(&m, &root);
    tree_gives(c, all, N);
    sp_catalog_free(c);
    for (size_t i = 0; i < N; i++)
        free(all[i]);
    free(key);
    nodes_free(&m);
}

static struct sp_entry
file_at(const char *key)
{
    return (struct sp_entry){.key = (const uint8_t *)key,
        .key_len = strlen(key),
        .type = SP_ENTRY_FILE,
        .user = "",
        .group = ""};
}

static void
what_the_writer_refuses(void **state)
{
    struct sp_segment s[33] = {{.length = 10, .id = {{1}}}, {.length = 5, .hole = true}};
    struct sp_attribute a[2] = {{.name = "user.b"}, {.name = "user.a"}};
    struct sp_catalog_writer *w = NULL;
    struct sp_catalog_totals t;
    struct sp_entry en = file_at("m");
    uint8_t *big = calloc(1, 1 << 20);
    struct sp_id root, plain;
    struct nodes m;

    (void)state;
    assert_non_null(big);
    nodes_init(&m);
    ok(sp_catalog_writer_new(tree_keys, &m.sink, &w, &err));
    ok(sp_catalog_writer_add(w, &en, &err));
    gives(SP_INVALID, sp_catalog_writer_add(w, &en, &err));
#define REFUSED(key_text, change)                                                                  \
    do {                                                                                           \
        en = file_at(key_text);                                                                    \
        change;                                                                                    \
        gives(SP_INVALID, sp_catalog_writer_add(w, &en, &err));                                    \
    } while (0)
    REFUSED("l", );
    REFUSED("", );
    REFUSED("n/o", );
    REFUSED("..", );
    REFUSED("n", en.type = 0);
    REFUSED("n", en.type = 8);
    REFUSED("n", en.mode = 0100644);
    REFUSED("n", en.size = 1);
    REFUSED("n", en.type = SP_ENTRY_DIR; en.size = 4096);
    REFUSED("n", en.segments = s; en.nsegments = 2; en.size = 14);
    REFUSED("n", en.segments = s; en.nsegments = 2; en.size = 16);
    REFUSED("n", en.segments = s; en.nsegments = 3; en.size = 15);
    REFUSED("n", en.segments = s; en.nsegments = 33; en.size = 15);
    REFUSED("n", en.segments = s; en.nsegments = 2; en.size = 15; en.has_list = true);
    REFUSED("n", en.segments = s; en.nsegments = 2; en.size = 10; en.extra = 5);
    REFUSED("n", en.segments = s; en.nsegments = 2; en.size = 15; en.extra = 1;
            en.flags = SP_ENTRY_WINDOWS);
    REFUSED("n", en.segments = s; en.nsegments = 2; en.size = 10; en.extra = 4;
            en.flags = SP_ENTRY_WINDOWS);
    /* 15, if sums went around. */
    REFUSED("n", en.segments = s; en.nsegments = 2; en.size = UINT64_MAX; en.extra = 16;
            en.flags = SP_ENTRY_WINDOWS);
    REFUSED("n", en.flags = SP_ENTRY_AWAY);
    REFUSED("n", en.type = SP_ENTRY_DIR; en.flags = SP_ENTRY_WINDOWS | SP_ENTRY_AWAY);
    REFUSED("n", en.attributes = a; en.nattributes = 2);
    REFUSED("n", en.target = big; en.target_len = 1);
    REFUSED("n", en.attributes = a; en.nattributes = 1; a[0].value = big; a[0].len = 1 << 20);
    a[0].len = 0;
    memset(big, 'n', 1 << 20);
    REFUSED("n", en.key = big; en.key_len = SP_KEY_MAX + 1);
#undef REFUSED
    /* A refusal leaves no trace. */
    en = file_at("n");
    en.flags = SP_ENTRY_UNREADABLE;
    en.size = 4711;
    ok(sp_catalog_writer_add(w, &en, &err));
    ok(sp_catalog_writer_finish(w, &root, &t, &err));
    sp_catalog_writer_free(w);
    assert_true(t.entries == 2 && t.files == 2 && t.bytes == 4711);
    ok(sp_catalog_writer_new(tree_keys, &m.sink, &w, &err));
    en = file_at("m");
    ok(sp_catalog_writer_add(w, &en, &err));
    en = file_at("n");
    en.flags = SP_ENTRY_UNREADABLE;
    en.size = 4711;
    ok(sp_catalog_writer_add(w, &en, &err));
    ok(sp_catalog_writer_finish(w, &plain, &t, &err));
    assert_memory_equal(&root, &plain, sizeof root);
    sp_catalog_writer_free(w);
    free(big);
    nodes_free(&m);
}

/* The sums of a tree are of what the files themselves hold. */
static void
sums_are_of_the_files(void **state)
{
    const struct sp_segment s[] = {{.length = 10, .id = {{1}}}, {.length = 5, .hole = true}};
    struct sp_catalog_writer *w = NULL;
    struct sp_catalog_totals t;
    struct sp_catalog *c = NULL;
    const struct sp_entry *got = NULL;
    struct sp_entry en = file_at("m");
    struct sp_id root;
    struct nodes m;

    (void)state;
    nodes_init(&m);
    en.segments = s;
    en.nsegments = 2;
    en.flags = SP_ENTRY_WINDOWS;
    en.size = 4;
    en.extra = 11;
    en.atime_ns = -6;
    ok(sp_catalog_writer_new(tree_keys, &m.sink, &w, &err));
    ok(sp_catalog_writer_add(w, &en, &err));
    ok(sp_catalog_writer_finish(w, &root, &t, &err));
    assert_true(t.files == 1 && t.bytes == 4);
    ok(sp_catalog_open(&m.source, &root, &c, &err));
    ok(sp_catalog_totals(c, &t, &err));
    assert_true(t.entries == 1 && t.bytes == 4);
    ok(sp_catalog_next(c, &got, &err));
    assert_true(entry_equal(got, &en));
    sp_catalog_free(c);
    sp_catalog_writer_free(w);
    nodes_free(&m);
}

static void
a_full_sink_ends_the_writer(void **state)
{
    struct draws d = {new_seed()};
    size_t n = 5000, i = 0;
    struct sp_entry **all = entries_draw(&d, n);
    struct sp_catalog_writer *w = NULL;
    struct sp_catalog_totals t;
    struct sp_id root;
    struct nodes m;

    (void)state;
    nodes_init(&m);
    m.fail_put = 3;
    ok(sp_catalog_writer_new(tree_keys, &m.sink, &w, &err));
    while (sp_catalog_writer_add(w, all[i], &err) == SP_OK)
        assert_true(++i < n);
    assert_int_equal(err.code, SP_FULL);
    gives(SP_INVALID, sp_catalog_writer_add(w, all[i], &err));
    gives(SP_INVALID, sp_catalog_writer_finish(w, &root, &t, &err));
    sp_catalog_writer_free(w);
    /* A checkpoint that fails harms nothing: it may be tried again. */
    ok(sp_catalog_writer_new(tree_keys, &m.sink, &w, &err));
    for (i = 0; i < 100; i++)
        ok(sp_catalog_writer_add(w, all[i], &err));
    m.fail_put = 0;
    gives(SP_FULL, sp_catalog_writer_checkpoint(w, &root, &t, &err));
    ok(sp_catalog_writer_checkpoint(w, &root, &t, &err));
    ok(sp_catalog_writer_finish(w, &root, &t, &err));
    sp_catalog_writer_free(w);
    entries_free(all, n);
    nodes_free(&m);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_hundred_thousand_come_back),
        cmocka_unit_test(few_come_back),
        cmocka_unit_test(one_entry_changes_few_nodes),
        cmocka_unit_test(a_checkpoint_is_a_finish_that_disturbs_nothing),
        cmocka_unit_test(the_cuts_are_those_of_the_format),
        cmocka_unit_test(nodes_keep_their_bounds),
        cmocka_unit_test(very_long_keys),
        cmocka_unit_test(what_the_writer_refuses),
        cmocka_unit_test(sums_are_of_the_files),
        cmocka_unit_test(a_full_sink_ends_the_writer),
    };

    return cmocka_run_group_tests(tests, tree_setup, tree_teardown);
}
