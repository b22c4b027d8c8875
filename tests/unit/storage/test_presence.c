/* What an open repository keeps in memory: the registry of packs, the memtable, sets of ids. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "expect.h"
#include "storage/keyset.h"
#include "storage/memtable.h"
#include "storage/presence.h"

static const uint64_t seed[2] = {1234567, 7654321};

static void
name_of(unsigned i, uint8_t to[32])
{
    memset(to, 0, 32);
    sp_store_le32(to, i * 2654435761u);
    sp_store_le32(to + 20, i);
}

static void
see(struct sp_presence *p, unsigned i, uint64_t size)
{
    uint8_t name[32];

    name_of(i, name);
    ok(sp_presence_list_see(p, SP_PACK_DATA, name, size, &err));
}

static uint32_t
find(struct sp_presence *p, unsigned i)
{
    uint8_t name[32];

    name_of(i, name);
    return sp_presence_find(p, SP_PACK_DATA, name);
}

static bool
listed(struct sp_presence *p, unsigned i)
{
    uint32_t at = find(p, i);

    return at != SP_NO_PACK && sp_presence_at(p, at)->listed;
}

static void
test_listing(void **state)
{
    struct sp_presence *p;
    uint8_t name[32];
    size_t lost = 99;
    uint32_t at, before, after;

    (void)state;
    ok(sp_presence_new(&p, &err));
    assert_int_equal(find(p, 1), SP_NO_PACK);
    sp_presence_list_begin(p);
    for (unsigned i = 0; i < 1000; i++)
        see(p, i, 1000 + i);
    see(p, 1000, SP_PACK_MIN_SIZE - 1); /* too short for a pack */
    assert_false(listed(p, 1));         /* not before the end */
    sp_presence_list_end(p, &lost);
    assert_int_equal(lost, 0);
    for (unsigned i = 0; i < 1000; i++) {
        assert_true(listed(p, i));
        assert_int_equal(sp_presence_at(p, find(p, i))->size, 1000 + i);
    }
    assert_int_equal(find(p, 1000), SP_NO_PACK);
    name_of(1, name);
    assert_int_equal(sp_presence_find(p, SP_PACK_NODES, name), SP_NO_PACK); /* another kind */

    /* One gone, one shorter, one that we made meanwhile. */
    before = find(p, 8);
    sp_presence_list_begin(p);
    for (unsigned i = 0; i < 1000; i++)
        if (i != 7)
            see(p, i, i == 8 ? 999 : 1000 + i);
    name_of(5000, name);
    ok(sp_presence_finished(p, SP_PACK_DATA, name, 5000, 0, &at, &err));
    sp_presence_list_end(p, &lost);
    assert_int_equal(lost, 2);
    assert_false(listed(p, 7));
    assert_true(listed(p, 5000));
    after = find(p, 8);
    assert_int_not_equal(before, after); /* what was said of the old one is void */
    assert_false(sp_presence_at(p, before)->listed);
    assert_int_equal(sp_presence_at(p, after)->size, 999);

    /* Ours is in no listing yet; whoever saw it otherwise keeps it. */
    sp_presence_list_begin(p);
    assert_false(sp_presence_seen(p, at));
    sp_presence_keep(p, at);
    sp_presence_list_end(p, &lost);
    assert_true(listed(p, 5000));
    assert_int_equal(lost, 999);
    sp_presence_free(p);
    sp_presence_free(NULL);
}

static void
test_mention(void **state)
{
    struct sp_presence *p;
    uint8_t name[32], a[16] = {1}, b[16] = {2};
    size_t lost;
    uint32_t at, again, origin, other;

    (void)state;
    ok(sp_presence_new(&p, &err));
    name_of(1, name);
    ok(sp_presence_mention(p, SP_PACK_DATA, name, 500, &at, &err));
    assert_false(sp_presence_at(p, at)->listed);
    sp_presence_list_begin(p);
    see(p, 1, 500);
    sp_presence_list_end(p, &lost);
    assert_int_equal(find(p, 1), at);
    assert_true(listed(p, 1));
    ok(sp_presence_mention(p, SP_PACK_DATA, name, 500, &again, &err));
    assert_int_equal(again, at);
    ok(sp_presence_mention(p, SP_PACK_DATA, name, 501, &again, &err));
    assert_int_equal(again, SP_NO_PACK); /* what is there has another size */

    ok(sp_presence_origin(p, a, b, &origin, &err));
    ok(sp_presence_origin(p, b, a, &other, &err));
    assert_int_not_equal(origin, other);
    ok(sp_presence_origin(p, a, b, &again, &err));
    assert_int_equal(again, origin);
    sp_presence_at(p, at)->origin = other;
    assert_memory_equal(sp_presence_uploader(p, sp_presence_at(p, at)), b, 16);
    assert_memory_equal(sp_presence_group(p, sp_presence_at(p, at)), a, 16);
    sp_presence_free(p);
}

struct found {
    uint32_t packs[16];
    size_t n, limit;
};

static bool
take(void *arg, const struct sp_index_entry *en)
{
    struct found *f = arg;

    f->packs[f->n++] = en->pack;
    return f->n < f->limit;
}

static void
test_memtable(void **state)
{
    struct sp_memtable *m;
    struct found f = {.limit = 16};
    uint8_t id[32];

    (void)state;
    ok(sp_memtable_new(seed, &m, &err));
    name_of(1, id);
    assert_true(sp_memtable_find(m, id, take, &f));
    for (unsigned i = 0; i < 5000; i++) {
        ok(sp_memtable_reserve(m, 3, &err));
        name_of(i, id);
        for (uint32_t k = 0; k < 3; k++)
            sp_memtable_add(m, id, i + k, i, 100);
    }
    assert_int_equal(sp_memtable_count(m), 15000);
    for (unsigned i = 0; i < 5000; i++) {
        f.n = 0;
        name_of(i, id);
        assert_true(sp_memtable_find(m, id, take, &f));
        assert_int_equal(f.n, 3);
        assert_int_equal(f.packs[0], i + 2); /* newest first */
        assert_int_equal(f.packs[2], i);
    }
    f.n = 0;
    f.limit = 1;
    assert_false(sp_memtable_find(m, id, take, &f));
    assert_int_equal(f.n, 1);
    name_of(5000, id);
    f.n = 0;
    assert_true(sp_memtable_find(m, id, take, &f));
    assert_int_equal(f.n, 0);
    assert_int_equal(sp_memtable_at(m, 3)->pack, 1);
    sp_memtable_free(m);
    sp_memtable_free(NULL);
}

static void
test_keyset(void **state)
{
    struct sp_keyset s, t;
    uint8_t id[32] = {0};
    bool fresh;

    (void)state;
    sp_keyset_init(&s, seed);
    sp_keyset_init(&t, seed);
    assert_false(sp_keyset_has(&s, id));
    ok(sp_keyset_add(&s, id, &fresh, &err)); /* sixteen zeros are a key like any other */
    assert_true(fresh);
    ok(sp_keyset_add(&s, id, &fresh, &err));
    assert_false(fresh);
    assert_true(sp_keyset_has(&s, id));
    for (unsigned i = 1; i < 20000; i += 2) {
        name_of(i, id);
        ok(sp_keyset_add(&s, id, &fresh, &err));
        assert_true(fresh);
    }
    assert_int_equal(sp_keyset_count(&s), 10001);
    for (unsigned i = 1; i < 20000; i++) {
        name_of(i, id);
        assert_int_equal(sp_keyset_has(&s, id), i % 2);
    }
    name_of(2, id);
    ok(sp_keyset_add(&t, id, NULL, &err));
    ok(sp_keyset_merge(&t, &s, &err));
    assert_int_equal(sp_keyset_count(&t), 10002);
    sp_keyset_clear(&s);
    assert_int_equal(sp_keyset_count(&s), 0);
    assert_false(sp_keyset_has(&s, id));
    ok(sp_keyset_add(&s, id, &fresh, &err)); /* usable again */
    assert_true(fresh);
    sp_keyset_clear(&s);
    sp_keyset_clear(&t);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_listing),
        cmocka_unit_test(test_mention),
        cmocka_unit_test(test_memtable),
        cmocka_unit_test(test_keyset),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
