/* The store suite: commit, head, list. */

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

static struct sp_store_head
head(struct session *x, const char *job)
{
    struct sp_store_head h;

    memset(&h, 0, sizeof(h));
    ok(sp_store_head(x->s, job, &h, &err));
    return h;
}

struct listed {
    uint8_t ids[16][16];
    enum sp_record_type types[16];
    int64_t last_ns;
    size_t n;
};

static enum sp_code
list_one(void *arg, const struct sp_set_info *i, struct sp_err *e)
{
    struct listed *l = arg;
    struct sp_set set;

    (void)e;
    assert_true(l->n < 16);
    assert_true(l->n == 0 || i->published_ns <= l->last_ns);
    ok(sp_set_record_decode(i->record, i->record_len, &set, &err));
    assert_memory_equal(set.set_id, i->set_id, 16);
    assert_memory_equal(set.host, i->host, 16);
    l->last_ns = i->published_ns;
    l->types[l->n] = i->type;
    memcpy(l->ids[l->n++], i->set_id, 16);
    return SP_OK;
}

static struct listed
list(struct session *x, bool all, bool checkpoints)
{
    struct listed l = {.n = 0};

    ok(sp_store_list(x->s, all, checkpoints, list_one, &l, &err));
    return l;
}

static void
test_commit(void **state)
{
    struct session x;
    struct made_record r[3];
    struct sp_id ids[3][6];
    struct sp_store_head h;
    struct listed l;

    (void)state;
    session_begin(&x, "one", NULL);
    h = head(&x, "job");
    assert_false(h.has_set);
    assert_false(h.has_checkpoint);
    assert_int_equal(h.nmissing, 0);
    sp_store_head_clear(&h);

    for (size_t i = 0; i < 3; i++) {
        make_set(x.s, &x.p, "job", i == 0 ? NULL : &r[i - 1], 5, ids[i], &r[i]);
        h = head(&x, "job");
        assert_true(h.has_set);
        assert_true(h.set_whole);
        assert_false(h.has_checkpoint);
        assert_int_equal(h.set_len, r[i].object.len);
        assert_memory_equal(h.set, r[i].object.data, h.set_len);
        assert_memory_equal(h.set_hash, r[i].hash, 32);
        assert_int_equal(h.nmissing, 0);
        sp_store_head_clear(&h);
    }
    h = head(&x, "another job");
    assert_false(h.has_set);
    sp_store_head_clear(&h);

    session_again(&x);
    h = head(&x, "job");
    assert_true(h.has_set && h.set_whole);
    assert_memory_equal(h.set_hash, r[2].hash, 32);
    sp_store_head_clear(&h);
    l = list(&x, false, true);
    assert_int_equal(l.n, 3);
    for (size_t i = 0; i < 3; i++)
        assert_memory_equal(l.ids[i], r[2 - i].set_id, 16); /* newest first */
    for (size_t i = 0; i < 3; i++)
        sp_buf_free(&r[i].object);
    session_end(&x);
}

/* What a new root claims and is not there is named, and nothing is committed; with it there, it is.
 */
static void
test_commit_missing(void **state)
{
    struct session x;
    struct sp_id ids[3], inner, root;
    struct made_record r;
    struct sp_commit_result result;
    uint8_t *late, *late_node;
    size_t late_n, late_node_n;

    (void)state;
    session_begin(&x, "one", NULL);
    ids[0] = put_data(x.s, &x.p, 1000);
    late = party_data(&x.p, 1000, &ids[1], &late_n);
    late_node = party_node(&x.p, ids, 1, &inner, &late_node_n);
    ids[2] = inner;
    root = put_node(x.s, &x.p, ids, 3);
    party_record(&x.p, SP_RECORD_SET, "job", NULL, &root, &r);

    memset(&result, 0, sizeof(result));
    ok(sp_store_commit(x.s, SP_RECORD_SET, r.object.data, r.object.len, &result, &err));
    assert_int_equal(result.nmissing, 2);
    assert_true(among(result.missing, 2, &ids[1]));
    assert_true(among(result.missing, 2, &inner));
    assert_true(sp_id_cmp(&result.missing[0], &result.missing[1]) < 0);
    assert_false(result.missing_more);
    sp_commit_result_clear(&result);
    assert_int_equal(list(&x, false, true).n, 0);

    put_block(x.s, late_node, late_node_n);
    put_block(x.s, late, late_n);
    commit(x.s, SP_RECORD_SET, &r);
    assert_int_equal(list(&x, false, false).n, 1);
    sp_buf_free(&r.object);
    session_end(&x);
}

/* A root that was never put at all. */
static void
test_commit_no_root(void **state)
{
    struct session x;
    struct sp_id data, nowhere;
    struct made_record r;
    struct sp_commit_result result;

    (void)state;
    session_begin(&x, "one", NULL);
    memset(&nowhere, 0x33, sizeof(nowhere));
    data = put_data(x.s, &x.p, 1000);
    for (int i = 0; i < 2; i++) { /* a chunk of data is no root either */
        const struct sp_id *root = i == 0 ? &nowhere : &data;

        party_record(&x.p, SP_RECORD_SET, "job", NULL, root, &r);
        memset(&result, 0, sizeof(result));
        ok(sp_store_commit(x.s, SP_RECORD_SET, r.object.data, r.object.len, &result, &err));
        assert_int_equal(result.nmissing, 1);
        assert_memory_equal(&result.missing[0], root, sizeof(*root));
        sp_commit_result_clear(&result);
        sp_buf_free(&r.object);
    }
    session_end(&x);
}

/* A member's data may be referred to, a member's node never. */
static void
test_commit_members(void **state)
{
    struct session a, b;
    struct sp_id data, node, root;
    struct made_record r;
    struct sp_commit_result result;
    struct sp_store_head h;

    (void)state;
    session_begin(&a, "first", NULL);
    session_begin(&b, "second", &a.p);
    data = put_data(a.s, &a.p, 1000);
    node = put_node(a.s, &a.p, &data, 1);
    ok(sp_store_flush(a.s, &err));

    party_record(&b.p, SP_RECORD_SET, "job", NULL, &node, &r);
    memset(&result, 0, sizeof(result));
    ok(sp_store_commit(b.s, SP_RECORD_SET, r.object.data, r.object.len, &result, &err));
    assert_int_equal(result.nmissing, 1);
    assert_memory_equal(&result.missing[0], &node, sizeof(node));
    sp_commit_result_clear(&result);
    sp_buf_free(&r.object);

    root = put_node(b.s, &b.p, &data, 1);
    party_record(&b.p, SP_RECORD_SET, "job", NULL, &root, &r);
    commit(b.s, SP_RECORD_SET, &r);
    h = head(&b, "job");
    assert_true(h.set_whole);
    sp_store_head_clear(&h);
    sp_buf_free(&r.object);
    session_end(&b);
    session_end(&a);
}

static void
refuse(struct session *x, enum sp_code code, const struct made_record *r)
{
    struct sp_commit_result result;

    memset(&result, 0, sizeof(result));
    gives(code, sp_store_commit(x->s, SP_RECORD_SET, r->object.data, r->object.len, &result, &err));
}

/* Two runs of one job: the second to finish is refused, and may go on from the new head. */
static void
test_chain(void **state)
{
    struct session x;
    struct sp_store *other;
    struct sp_id ids[3], root;
    struct made_record first, second, bad, third;

    (void)state;
    session_begin(&x, "one", NULL);
    other = suite->open(suite->arg, &x.p);
    make_set(x.s, &x.p, "job", NULL, 2, ids, &first);

    root = put_node(other, &x.p, ids, 2);
    ok(sp_store_flush(other, &err));
    party_record(&x.p, SP_RECORD_SET, "job", NULL, &root, &second); /* again number 1 */
    {
        struct session y = {.p = x.p, .s = other};

        refuse(&y, SP_REFUSED, &second);
    }
    bad = first;
    bad.hash[0] ^= 1;
    party_record(&x.p, SP_RECORD_SET, "job", &bad, &root, &third); /* follows no one */
    refuse(&x, SP_REFUSED, &third);
    sp_buf_free(&third.object);
    bad = first;
    bad.sequence++;
    party_record(&x.p, SP_RECORD_SET, "job", &bad, &root, &third); /* leaves one out */
    refuse(&x, SP_REFUSED, &third);
    sp_buf_free(&third.object);
    assert_int_equal(list(&x, false, true).n, 1);

    party_record(&x.p, SP_RECORD_SET, "job", &first, &root, &third);
    commit(other, SP_RECORD_SET, &third);
    refuse(&x, SP_REFUSED, &third);                         /* twice is not once */
    make_set(x.s, &x.p, "another job", NULL, 2, ids, &bad); /* its own chain */
    assert_int_equal(list(&x, false, true).n, 3);
    sp_buf_free(&bad.object);
    sp_buf_free(&third.object);
    sp_buf_free(&second.object);
    sp_buf_free(&first.object);
    sp_store_free(other);
    session_end(&x);
}

/* Records that are not this host's to commit. */
static void
test_commit_foreign(void **state)
{
    struct session x, other;
    struct party false_one;
    struct sp_id ids[2];
    struct made_record r;
    struct sp_commit_result result;

    (void)state;
    session_begin(&x, "one", NULL);
    session_begin(&other, "other", NULL);
    ids[0] = put_data(x.s, &x.p, 1000);
    ids[1] = put_node(x.s, &x.p, ids, 1);

    party_record(&other.p, SP_RECORD_SET, "job", NULL, &ids[1], &r);
    refuse(&x, SP_REFUSED, &r);
    sp_buf_free(&r.object);

    party_init(&false_one, "one", &x.p); /* says that it is x, and signs with another key */
    memcpy(false_one.host, x.p.host, sizeof(false_one.host));
    party_record(&false_one, SP_RECORD_SET, "job", NULL, &ids[1], &r);
    refuse(&x, SP_CORRUPT, &r);
    party_free(&false_one);
    sp_buf_free(&r.object);

    party_record(&x.p, SP_RECORD_CHECKPOINT, "job", NULL, &ids[1], &r);
    memset(&result, 0, sizeof(result)); /* a checkpoint is no set */
    assert_int_not_equal(
        sp_store_commit(x.s, SP_RECORD_SET, r.object.data, r.object.len, &result, &err), SP_OK);
    sp_buf_free(&r.object);
    assert_int_equal(list(&x, false, true).n, 0);
    session_end(&other);
    session_end(&x);
}

static void
test_checkpoints(void **state)
{
    struct session x;
    struct sp_id ids[4][2];
    struct made_record c[2], set, after;
    struct sp_store_head h;
    struct listed l;

    (void)state;
    session_begin(&x, "one", NULL);
    for (size_t i = 0; i < 2; i++) {
        ids[i][0] = put_data(x.s, &x.p, 1000);
        ids[i][1] = put_node(x.s, &x.p, ids[i], 1);
        party_record(&x.p, SP_RECORD_CHECKPOINT, "job", NULL, &ids[i][1], &c[i]);
        commit(x.s, SP_RECORD_CHECKPOINT, &c[i]);
        h = head(&x, "job");
        assert_false(h.has_set);
        assert_true(h.has_checkpoint && h.checkpoint_whole);
        assert_int_equal(h.checkpoint_len, c[i].object.len);
        assert_memory_equal(h.checkpoint, c[i].object.data, h.checkpoint_len);
        sp_store_head_clear(&h);
        assert_int_equal(list(&x, false, false).n, 0);
        l = list(&x, false, true);
        assert_int_equal(l.n, 1); /* the one before is replaced */
        assert_int_equal(l.types[0], SP_RECORD_CHECKPOINT);
    }
    make_set(x.s, &x.p, "job", NULL, 1, ids[2], &set);
    h = head(&x, "job");
    assert_true(h.has_set);
    assert_false(h.has_checkpoint); /* the set removed it */
    sp_store_head_clear(&h);
    assert_int_equal(list(&x, false, true).n, 1);

    ids[3][0] = put_data(x.s, &x.p, 1000);
    ids[3][1] = put_node(x.s, &x.p, ids[3], 1);
    party_record(&x.p, SP_RECORD_CHECKPOINT, "job", &set, &ids[3][1], &after);
    commit(x.s, SP_RECORD_CHECKPOINT, &after);
    session_again(&x);
    h = head(&x, "job");
    assert_true(h.has_set && h.set_whole && h.has_checkpoint && h.checkpoint_whole);
    assert_memory_equal(h.set_hash, set.hash, 32);
    sp_store_head_clear(&h);
    sp_buf_free(&after.object);
    sp_buf_free(&set.object);
    for (size_t i = 0; i < 2; i++)
        sp_buf_free(&c[i].object);
    session_end(&x);
}

/* Two hosts at once: each has its own sets. */
static void
test_two_hosts(void **state)
{
    struct session a, b;
    struct sp_id ida[6], idb[6];
    struct made_record ra, rb;
    struct listed l;

    (void)state;
    session_begin(&a, "a", NULL);
    session_begin(&b, "b", NULL);
    for (size_t i = 0; i < 5; i++) {
        ida[i] = put_data(a.s, &a.p, 20000);
        idb[i] = put_data(b.s, &b.p, 20000);
    }
    ida[5] = put_node(a.s, &a.p, ida, 5);
    idb[5] = put_node(b.s, &b.p, idb, 5);
    party_record(&a.p, SP_RECORD_SET, "job", NULL, &ida[5], &ra);
    party_record(&b.p, SP_RECORD_SET, "job", NULL, &idb[5], &rb);
    commit(a.s, SP_RECORD_SET, &ra);
    commit(b.s, SP_RECORD_SET, &rb);
    l = list(&a, false, false);
    assert_int_equal(l.n, 1);
    assert_memory_equal(l.ids[0], ra.set_id, 16);
    l = list(&b, false, false);
    assert_int_equal(l.n, 1);
    assert_memory_equal(l.ids[0], rb.set_id, 16);
    assert_true(list(&a, true, false).n >= 1); /* whatever it may see */
    sp_buf_free(&ra.object);
    sp_buf_free(&rb.object);
    session_end(&b);
    session_end(&a);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

const struct CMUnitTest store_tests_commit[] = {
    TEST(test_commit),
    TEST(test_commit_missing),
    TEST(test_commit_no_root),
    TEST(test_commit_members),
    TEST(test_chain),
    TEST(test_commit_foreign),
    TEST(test_checkpoints),
    TEST(test_two_hosts),
};
const size_t store_tests_commit_n = sizeof(store_tests_commit) / sizeof(store_tests_commit[0]);
