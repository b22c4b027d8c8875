/* The store suite: what is lost or bad underneath. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "store.h"
#include "unit/storage/expect.h"

static int
begin(void **state)
{
    (void)state;
    suite->begin(suite->arg);
    return 0;
}

static int
end(void **state)
{
    (void)state;
    suite->end(suite->arg);
    return 0;
}

struct findings {
    size_t faults, notes, ids;
    uint8_t set_id[16];
    bool set_named;
    char object[192];
};

static enum sp_code
find(void *arg, const struct sp_check_finding *f, struct sp_err *e)
{
    static const uint8_t none[16];
    struct findings *c = arg;

    (void)e;
    assert_true(strlen(f->text) > 0);
    if (f->severity == SP_FINDING_NOTE) {
        c->notes++;
        return SP_OK;
    }
    c->faults++;
    if (memcmp(f->set_id, none, sizeof(none)) != 0) {
        c->set_named = true;
        memcpy(c->set_id, f->set_id, sizeof(c->set_id));
        c->ids += f->nids;
    } else {
        memcpy(c->object, f->object, sizeof(c->object));
    }
    return SP_OK;
}

static struct findings
check(struct session *x, enum sp_check_depth depth, struct sp_check_totals *ret)
{
    struct sp_check_options o = {.depth = depth};
    struct findings c;

    memset(&c, 0, sizeof(c));
    ok(sp_store_check(x->s, &o, find, &c, ret, &err));
    assert_int_equal(ret->faults, c.faults);
    return c;
}

/* A set of which all data packs are gone. In whatever way the next run learns of it. */
static void
lost_data(bool reopen)
{
    struct session x;
    struct sp_id ids[5], root, *missing = NULL;
    struct made_record r, next;
    struct sp_store_head h;
    struct sp_commit_result result;
    struct sp_check_totals t;
    struct findings f;
    size_t n;
    bool more;

    session_begin(&x, "one", NULL);
    make_set(x.s, &x.p, "job", NULL, 4, ids, &r);
    f = check(&x, SP_CHECK_STRUCTURE, &t);
    assert_int_equal(f.faults, 0);
    assert_int_equal(t.sets, 1);
    assert_true(t.packs >= 2);
    assert_int_equal(t.chunks, 5);

    assert_true(remove_all(suite->below(suite->arg), "packs") > 0);
    if (reopen)
        session_again(&x);
    memset(&h, 0, sizeof(h));
    ok(sp_store_head(x.s, "job", &h, &err));
    assert_true(h.has_set);
    assert_false(h.set_whole);
    assert_int_equal(h.nmissing, 4);
    assert_false(h.missing_more);
    for (size_t i = 0; i < 4; i++) {
        assert_true(among(h.missing, 4, &ids[i]));
        assert_int_equal(have_one(x.s, false, &ids[i]), SP_HAVE_NO);
    }
    assert_int_equal(have_one(x.s, true, &ids[4]), SP_HAVE_MINE);
    sp_store_head_clear(&h);
    ok(sp_store_missing(x.s, r.set_id, &missing, &n, &more, &err));
    assert_int_equal(n, 4);
    assert_false(more);
    free(missing);

    f = check(&x, SP_CHECK_STRUCTURE, &t);
    assert_true(f.set_named);
    assert_memory_equal(f.set_id, r.set_id, 16);
    assert_int_equal(f.ids, 4);

    /* The old root again is not accepted; what is put again counts. */
    root = put_node(x.s, &x.p, ids, 4);
    party_record(&x.p, SP_RECORD_SET, "job", &r, &root, &next);
    memset(&result, 0, sizeof(result));
    ok(sp_store_commit(x.s, SP_RECORD_SET, next.object.data, next.object.len, &result, &err));
    assert_int_equal(result.nmissing, 4);
    sp_commit_result_clear(&result);
    sp_buf_free(&next.object);
    make_set(x.s, &x.p, "job", &r, 4, ids, &next);
    memset(&h, 0, sizeof(h));
    ok(sp_store_head(x.s, "job", &h, &err));
    assert_true(h.set_whole);
    assert_int_equal(h.nmissing, 0);
    sp_store_head_clear(&h);
    sp_buf_free(&next.object);
    sp_buf_free(&r.object);
    session_end(&x);
}

static void
test_lost_data(void **state)
{
    (void)state;
    lost_data(true);
}

static void
test_lost_while_open(void **state)
{
    (void)state;
    lost_data(false);
}

/* Without its root's node nothing is known of a set but that. */
static void
test_lost_nodes(void **state)
{
    struct session x;
    struct sp_id ids[5];
    struct made_record r;
    struct sp_store_head h;

    (void)state;
    session_begin(&x, "one", NULL);
    make_set(x.s, &x.p, "job", NULL, 4, ids, &r);
    assert_true(remove_all(suite->below(suite->arg), "nodes") > 0);
    session_again(&x);
    memset(&h, 0, sizeof(h));
    ok(sp_store_head(x.s, "job", &h, &err));
    assert_false(h.set_whole);
    assert_int_equal(h.nmissing, 1);
    assert_memory_equal(&h.missing[0], &ids[4], sizeof(ids[4]));
    assert_int_equal(have_one(x.s, true, &ids[4]), SP_HAVE_NO);
    assert_int_equal(have_one(x.s, false, &ids[0]), SP_HAVE_MINE);
    sp_store_head_clear(&h);
    sp_buf_free(&r.object);
    session_end(&x);
}

/* A store that lost the newest bytes shows empty files: they count as absent. */
static void
test_empty_pack(void **state)
{
    struct session x;
    struct sp_backend *b = suite->below(suite->arg);
    struct sp_id ids[3];
    struct made_record r;
    struct sp_store_head h;
    struct sp_check_totals t;
    char name[192];

    (void)state;
    session_begin(&x, "one", NULL);
    make_set(x.s, &x.p, "job", NULL, 2, ids, &r);
    first_object(b, "packs", name, NULL);
    overwrite(b, name, "", 0);
    session_again(&x);
    assert_int_equal(have_one(x.s, false, &ids[0]), SP_HAVE_NO);
    memset(&h, 0, sizeof(h));
    ok(sp_store_head(x.s, "job", &h, &err));
    assert_false(h.set_whole);
    assert_int_equal(h.nmissing, 2);
    sp_store_head_clear(&h);
    assert_true(check(&x, SP_CHECK_STRUCTURE, &t).faults >= 1);
    sp_buf_free(&r.object);
    session_end(&x);
}

static enum sp_code
count_block(void *arg, const uint8_t *block, size_t n, const uint32_t *wanted, size_t nwanted,
    struct sp_err *e)
{
    (void)block;
    (void)n;
    (void)wanted;
    (void)e;
    *(size_t *)arg += nwanted;
    return SP_OK;
}

/* One damaged byte inside of a pack: only reading finds it, and it takes nothing else with it. */
static void
test_damaged_byte(void **state)
{
    struct session x;
    struct sp_backend *b = suite->below(suite->arg);
    struct sp_id ids[4];
    struct made_record r;
    struct sp_check_totals t;
    struct findings f;
    uint8_t *bytes;
    char name[192];
    uint64_t size;
    size_t n, got = 0;

    (void)state;
    session_begin(&x, "one", NULL);
    make_set(x.s, &x.p, "job", NULL, 3, ids, &r);
    first_object(b, "packs", name, &size);
    ok(sp_backend_get_all(b, name, 1u << 30, &bytes, &n, &err));
    bytes[8 + 200] ^= 1; /* inside of the first block's seal */
    overwrite(b, name, bytes, n);
    free(bytes);
    session_again(&x);
    f = check(&x, SP_CHECK_STRUCTURE, &t);
    assert_int_equal(f.faults, 0);
    assert_int_equal(t.packs_read, 0);
    f = check(&x, SP_CHECK_DATA, &t);
    assert_int_equal(f.faults, 2); /* the pack, and the set that needs the chunk */
    assert_string_equal(f.object, name);
    assert_true(f.set_named);
    assert_int_equal(f.ids, 1);
    assert_int_equal(t.packs_read, t.packs);
    assert_true(t.bytes_read >= size);
    ok(sp_store_get(x.s, ids, 3, 0, count_block, &got, &err));
    assert_int_equal(got, 3); /* the other two are still to be had */
    sp_buf_free(&r.object);
    session_end(&x);
}

/* Runs over the parts together read every pack once. */
static void
test_check_parts(void **state)
{
    struct session x;
    struct made_record r;
    struct sp_id ids[41];
    struct sp_check_totals t;
    uint64_t read = 0, packs;

    (void)state;
    session_begin(&x, "one", NULL);
    make_set(x.s, &x.p, "job", NULL, 40, ids, &r);
    (void)check(&x, SP_CHECK_DATA, &t);
    packs = t.packs;
    assert_true(packs >= 3);
    assert_int_equal(t.packs_read, packs);
    for (uint32_t part = 1; part <= 3; part++) {
        struct sp_check_options o = {.depth = SP_CHECK_DATA, .part = part, .parts = 3};
        struct findings c;

        memset(&c, 0, sizeof(c));
        ok(sp_store_check(x.s, &o, find, &c, &t, &err));
        assert_int_equal(c.faults, 0);
        read += t.packs_read;
    }
    assert_int_equal(read, packs);
    {
        struct sp_check_options o = {.depth = SP_CHECK_DATA, .part = 4, .parts = 3};

        gives(SP_INVALID, sp_store_check(x.s, &o, find, NULL, &t, &err));
    }
    sp_buf_free(&r.object);
    session_end(&x);
}

/* A damaged record does not hide the others. */
static void
test_damaged_record(void **state)
{
    struct session x;
    struct sp_backend *b = suite->below(suite->arg);
    struct sp_id ids[3];
    struct made_record r[2];
    struct sp_store_head h;
    struct sp_check_totals t;
    char name[192] = "";
    struct sp_id *missing;
    size_t n;
    bool more;
    const uint8_t nobody[16] = {1};

    (void)state;
    session_begin(&x, "one", NULL);
    make_set(x.s, &x.p, "job", NULL, 2, ids, &r[0]);
    first_object(b, "sets", name, NULL);
    make_set(x.s, &x.p, "job", &r[0], 2, ids, &r[1]);
    overwrite(b, name, "rubbish", 7);
    session_again(&x);
    memset(&h, 0, sizeof(h));
    ok(sp_store_head(x.s, "job", &h, &err));
    assert_true(h.has_set && h.set_whole);
    assert_memory_equal(h.set_hash, r[1].hash, 32);
    sp_store_head_clear(&h);
    assert_true(check(&x, SP_CHECK_STRUCTURE, &t).faults >= 1);
    gives(SP_ABSENT, sp_store_missing(x.s, nobody, &missing, &n, &more, &err));
    sp_buf_free(&r[0].object);
    sp_buf_free(&r[1].object);
    session_end(&x);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

const struct CMUnitTest store_tests_damage[] = {
    TEST(test_lost_data),
    TEST(test_lost_while_open),
    TEST(test_lost_nodes),
    TEST(test_empty_pack),
    TEST(test_damaged_byte),
    TEST(test_check_parts),
    TEST(test_damaged_record),
};
const size_t store_tests_damage_n = sizeof(store_tests_damage) / sizeof(store_tests_damage[0]);
