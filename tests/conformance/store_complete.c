/* The store suite: completions, what VSS's writers said after the commit. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "store.h"
#include "storage/crypto.h"
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

struct listed {
    size_t n;
    struct {
        uint8_t set_id[16];
        uint8_t *completion; /* NULL: none */
        size_t completion_len;
    } v[8];
};

static enum sp_code
list_one(void *arg, const struct sp_set_info *i, struct sp_err *e)
{
    struct listed *l = arg;
    struct sp_set set;

    (void)e;
    assert_true(l->n < 8);
    assert_int_equal(i->type, SP_RECORD_SET); /* a completion is no set */
    ok(sp_set_record_decode(i->record, i->record_len, &set, &err));
    assert_memory_equal(set.set_id, i->set_id, 16);
    memcpy(l->v[l->n].set_id, i->set_id, 16);
    l->v[l->n].completion = NULL;
    if (i->completion != NULL) {
        l->v[l->n].completion = malloc(i->completion_len);
        assert_non_null(l->v[l->n].completion);
        memcpy(l->v[l->n].completion, i->completion, i->completion_len);
        l->v[l->n].completion_len = i->completion_len;
    }
    l->n++;
    return SP_OK;
}

/* The sets, newest first, are those of r, and set `which` (SIZE_MAX: none) has this completion, no
 * other has one. */
static void
lists(struct session *x, const struct made_record *r, size_t n, size_t which,
    const struct sp_buf *completion)
{
    for (int checkpoints = 0; checkpoints < 2; checkpoints++) {
        struct listed l = {.n = 0};

        ok(sp_store_list(x->s, false, checkpoints == 1, list_one, &l, &err));
        assert_int_equal(l.n, n);
        for (size_t i = 0; i < n; i++) {
            assert_memory_equal(l.v[i].set_id, r[n - 1 - i].set_id, 16);
            assert_int_equal(l.v[i].completion != NULL, n - 1 - i == which);
            if (l.v[i].completion == NULL)
                continue;
            assert_int_equal(l.v[i].completion_len, completion->len);
            assert_memory_equal(l.v[i].completion, completion->data, completion->len);
            free(l.v[i].completion);
        }
    }
}

static enum sp_code
complete(struct session *x, const struct sp_buf *completion)
{
    return sp_store_complete(x->s, completion->data, completion->len, &err);
}

/* It is its set's, also for who opens the store anew; it changes nothing else: the chain goes on,
 * and its head is the set. */
static void
test_complete(void **state)
{
    struct session x;
    struct made_record r[3];
    struct sp_id ids[3][3];
    struct sp_store_head h;
    struct sp_buf c = SP_BUF_INIT;

    (void)state;
    session_begin(&x, "one", NULL);
    make_set(x.s, &x.p, "job", NULL, 2, ids[0], &r[0]);
    make_set(x.s, &x.p, "job", &r[0], 2, ids[1], &r[1]);
    lists(&x, r, 2, SIZE_MAX, NULL);
    party_completion(&x.p, &r[1], SP_LEVEL_APPLICATION, &c);
    ok(complete(&x, &c));
    lists(&x, r, 2, 1, &c);
    session_again(&x);
    lists(&x, r, 2, 1, &c);

    memset(&h, 0, sizeof(h));
    ok(sp_store_head(x.s, "job", &h, &err));
    assert_true(h.has_set && h.set_whole && !h.has_checkpoint);
    assert_memory_equal(h.set_hash, r[1].hash, 32);
    sp_store_head_clear(&h);
    make_set(x.s, &x.p, "job", &r[1], 2, ids[2], &r[2]);
    lists(&x, r, 3, 1, &c);
    for (size_t i = 0; i < 3; i++)
        sp_buf_free(&r[i].object);
    sp_buf_free(&c);
    session_end(&x);
}

/* An older set's may come late. The same once more is harmless; another one comes too late. */
static void
test_complete_twice(void **state)
{
    struct session x;
    struct made_record r[2];
    struct sp_id ids[2][3];
    struct sp_buf c = SP_BUF_INIT, other = SP_BUF_INIT;
    size_t objects;

    (void)state;
    session_begin(&x, "one", NULL);
    make_set(x.s, &x.p, "job", NULL, 2, ids[0], &r[0]);
    make_set(x.s, &x.p, "job", &r[0], 2, ids[1], &r[1]);
    party_completion(&x.p, &r[0], SP_LEVEL_CRASH, &c);
    party_completion(&x.p, &r[0], SP_LEVEL_APPLICATION, &other);
    ok(complete(&x, &c));
    objects = count_objects(suite->below(suite->arg), "sets");
    ok(complete(&x, &c));
    session_again(&x);
    ok(complete(&x, &c));
    gives(SP_EXISTS, complete(&x, &other));
    gives(SP_EXISTS, complete(&x, &other));
    assert_int_equal(count_objects(suite->below(suite->arg), "sets"), objects);
    lists(&x, r, 2, 0, &c);
    for (size_t i = 0; i < 2; i++)
        sp_buf_free(&r[i].object);
    sp_buf_free(&other);
    sp_buf_free(&c);
    session_end(&x);
}

/* What is refused leaves nothing behind, and the right one is taken after it. */
static void
test_complete_forged(void **state)
{
    struct session x, other;
    struct party false_one;
    struct made_record r, theirs, none;
    struct sp_id ids[3];
    struct sp_buf c = SP_BUF_INIT, bad = SP_BUF_INIT;
    size_t objects;

    (void)state;
    session_begin(&x, "one", NULL);
    session_begin(&other, "other", &x.p);
    make_set(x.s, &x.p, "job", NULL, 2, ids, &r);
    make_set(other.s, &other.p, "job", NULL, 2, ids, &theirs);
    objects = count_objects(suite->below(suite->arg), "sets");
    party_completion(&x.p, &r, SP_LEVEL_CRASH, &c);

    none = r; /* no such set */
    none.set_id[0] ^= 1;
    party_completion(&x.p, &none, SP_LEVEL_CRASH, &bad);
    gives(SP_ABSENT, complete(&x, &bad));
    none = r; /* the set, with another record */
    none.hash[31] ^= 1;
    sp_buf_reset(&bad);
    party_completion(&x.p, &none, SP_LEVEL_CRASH, &bad);
    gives(SP_ABSENT, complete(&x, &bad));
    sp_buf_reset(&bad); /* another host's, by itself, and by me */
    party_completion(&other.p, &theirs, SP_LEVEL_CRASH, &bad);
    gives(SP_REFUSED, complete(&x, &bad));
    sp_buf_reset(&bad);
    party_completion(&x.p, &theirs, SP_LEVEL_CRASH, &bad);
    gives(SP_ABSENT, complete(&x, &bad));
    party_init(&false_one, "one", &x.p); /* my name, with another key */
    memcpy(false_one.host, x.p.host, sizeof(false_one.host));
    sp_buf_reset(&bad);
    party_completion(&false_one, &r, SP_LEVEL_CRASH, &bad);
    gives(SP_CORRUPT, complete(&x, &bad));
    party_free(&false_one);

    sp_buf_reset(
        &bad); /* each bit of the clear part, the level among them; the ends; a set's record */
    sp_buf_put(&bad, c.data, c.len);
    for (size_t i = 0; i < 96; i++) {
        enum sp_code rc;

        bad.data[i] ^= (uint8_t)(1u << i % 8);
        rc = complete(&x, &bad);
        assert_true(
            rc == SP_CORRUPT || rc == SP_REFUSED || rc == SP_UNSUPPORTED || rc == SP_ABSENT);
        bad.data[i] ^= (uint8_t)(1u << i % 8);
    }
    for (size_t n = c.len - 1; n > 0; n = n * 2 / 3) {
        bad.len = n;
        gives(SP_CORRUPT, complete(&x, &bad));
    }
    assert_int_not_equal(complete(&x, &r.object), SP_OK);
    assert_int_equal(count_objects(suite->below(suite->arg), "sets"), objects);
    lists(&x, &r, 1, SIZE_MAX, NULL);
    ok(complete(&x, &c));
    lists(&x, &r, 1, 0, &c);
    sp_buf_free(&bad);
    sp_buf_free(&c);
    sp_buf_free(&theirs.object);
    sp_buf_free(&r.object);
    session_end(&other);
    session_end(&x);
}

static void
completion_object(const struct party *p, const struct made_record *r, int64_t at_s, char to[160])
{
    sp_record_object_name(SP_RECORD_COMPLETION, p->host, at_s * INT64_C(1000000000), r->set_id, to);
}

/* Objects that someone laid into the repository: what is not the host's word on this very record is
 * passed over, hides nothing and keeps nothing out. */
static void
test_complete_laid_there(void **state)
{
    struct session x;
    struct party false_one;
    struct made_record r, wrong;
    struct sp_id ids[3];
    struct sp_buf c = SP_BUF_INIT, bad = SP_BUF_INIT;
    struct sp_backend *below;
    char object[160];

    (void)state;
    session_begin(&x, "one", NULL);
    make_set(x.s, &x.p, "job", NULL, 2, ids, &r);
    below = suite->below(suite->arg);
    party_completion(&x.p, &r, SP_LEVEL_CRASH, &c);

    completion_object(&x.p, &r, 1, object); /* long before */
    ok(sp_backend_put(below, object, "nonsense", 8, &err));
    party_init(&false_one, "one", &x.p);
    memcpy(false_one.host, x.p.host, sizeof(false_one.host));
    party_completion(&false_one, &r, SP_LEVEL_APPLICATION, &bad);
    completion_object(&x.p, &r, 2, object);
    ok(sp_backend_put(below, object, bad.data, bad.len, &err));
    party_free(&false_one);
    wrong = r;
    wrong.hash[0] ^= 1;
    sp_buf_reset(&bad);
    party_completion(&x.p, &wrong, SP_LEVEL_APPLICATION, &bad);
    completion_object(&x.p, &r, 3, object);
    ok(sp_backend_put(below, object, bad.data, bad.len, &err));

    lists(&x, &r, 1, SIZE_MAX, NULL);
    ok(complete(&x, &c));
    lists(&x, &r, 1, 0, &c);
    sp_buf_reset(&bad); /* the host's second word: the first counts */
    party_completion(&x.p, &r, SP_LEVEL_APPLICATION, &bad);
    completion_object(&x.p, &r, INT64_C(4000000000), object);
    ok(sp_backend_put(below, object, bad.data, bad.len, &err));
    lists(&x, &r, 1, 0, &c);
    sp_buf_free(&bad);
    sp_buf_free(&c);
    sp_buf_free(&r.object);
    session_end(&x);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

const struct CMUnitTest store_tests_complete[] = {
    TEST(test_complete),
    TEST(test_complete_twice),
    TEST(test_complete_forged),
    TEST(test_complete_laid_there),
};
const size_t store_tests_complete_n =
    sizeof(store_tests_complete) / sizeof(store_tests_complete[0]);
