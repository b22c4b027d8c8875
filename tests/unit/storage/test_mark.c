/* Marks: their form, what an uploader makes of them, and what commit does about the time that
 * passes (R8): see storage/lease.h. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/text.h"
#include "expect.h"
#include "place.h"

#include "marked.h"

/* --- the form ------------------------------------------------------------------------------ */

static void
some_mark(struct sp_mark *m, struct sp_mark_pack packs[3])
{
    memset(packs, 0, 3 * sizeof(*packs));
    packs[0].kind = packs[1].kind = SP_PACK_DATA;
    packs[1].name[31] = 1;
    packs[2].kind = SP_PACK_NODES;
    *m = (struct sp_mark){.id = {1, 2, 3}, .packs = packs, .n = 3};
}

static void
test_form(void **state)
{
    struct sp_mark_pack packs[3], swapped;
    struct sp_mark m, got;
    struct sp_buf b = SP_BUF_INIT;
    uint8_t id[16], name[32] = {0};
    char object[96];

    (void)state;
    some_mark(&m, packs);
    ok(sp_mark_encode(&m, &b, &err));
    assert_int_equal(b.len, 28 + 3 * 33 + 32);
    ok(sp_mark_decode(b.data, b.len, &got, &err));
    assert_memory_equal(got.id, m.id, 16);
    assert_int_equal(got.n, 3);
    assert_true(sp_mark_has(&got, SP_PACK_DATA, name) && sp_mark_has(&got, SP_PACK_NODES, name));
    name[31] = 1;
    assert_true(sp_mark_has(&got, SP_PACK_DATA, name));
    assert_false(sp_mark_has(&got, SP_PACK_NODES, name));
    sp_mark_free(&got);
    sp_mark_free(&got);

    /* Every single byte counts, and each length. */
    for (size_t i = 0; i < b.len; i++) {
        b.data[i] ^= 1;
        gives(SP_CORRUPT, sp_mark_decode(b.data, b.len, &got, &err));
        b.data[i] ^= 1;
        gives(SP_CORRUPT, sp_mark_decode(b.data, i, &got, &err));
    }
    sp_buf_reset(&b);
    m.n = 0;
    ok(sp_mark_encode(&m, &b, &err));
    ok(sp_mark_decode(b.data, b.len, &got, &err));
    assert_int_equal(got.n, 0);
    sp_mark_free(&got);

    /* One spelling for one meaning. */
    m.n = 3;
    swapped = packs[0];
    packs[0] = packs[1];
    packs[1] = swapped;
    gives(SP_INVALID, sp_mark_encode(&m, &b, &err));
    packs[1] = packs[0];
    gives(SP_INVALID, sp_mark_encode(&m, &b, &err));
    some_mark(&m, packs);
    packs[2].kind = 2;
    gives(SP_INVALID, sp_mark_encode(&m, &b, &err));
    sp_buf_free(&b);

    sp_mark_object_name(m.id, object);
    assert_true(sp_object_name_valid(object) && sp_mark_object_parse(object, id));
    assert_memory_equal(id, m.id, 16);
    assert_false(sp_mark_object_parse("marks/00", id));
    assert_false(sp_mark_object_parse("marks/00112233445566778899aabbccddeeff.bad", id));
}

/* --- what an uploader makes of them -------------------------------------------------------- */

static bool
head_whole(struct sp_store *s, size_t *ret_missing)
{
    struct sp_store_head h;
    bool whole;

    memset(&h, 0, sizeof(h));
    ok(sp_store_head(s, "job", &h, &err));
    assert_true(h.has_set);
    whole = h.set_whole;
    *ret_missing = h.nmissing;
    sp_store_head_clear(&h);
    return whole;
}

static enum sp_code
any_block(void *arg, const uint8_t *block, size_t n, const uint32_t *wanted, size_t nwanted,
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
test_marked_is_absent(void **state)
{
    struct recorder *recorder;
    struct sp_store *s = open_store(&recorder, "cache"), *reader;
    struct made_record first;
    struct sp_repository *r;
    struct sp_id ids[3], *missing = NULL;
    size_t n = 0, got = 0;
    bool more;
    char mark[96];

    (void)state;
    make_set(s, &host, "job", NULL, 2, ids, &first);
    assert_true(head_whole(s, &n));
    mark_all(true, false, mark);
    assert_int_equal(have_one(s, false, &ids[0]), SP_HAVE_MINE); /* it was not listed again */
    assert_false(head_whole(s, &n)); /* now it was: what was known is void */
    assert_int_equal(n, 2);
    assert_int_equal(have_one(s, false, &ids[0]), SP_HAVE_NO);
    assert_int_equal(have_one(s, true, &ids[2]), SP_HAVE_MINE);
    /* Reading does not care, of this opening or any other. */
    ok(sp_store_get(s, ids, 3, 0, any_block, &got, &err));
    assert_int_equal(got, 3);
    ok(sp_store_missing(s, first.set_id, &missing, &n, &more, &err));
    assert_int_equal(n, 0);
    free(missing);
    missing = NULL;
    assert_false(
        head_whole(s, &n)); /* and what a reader found whole is not taken for whole by a run */
    ok(place_open(&place, false, "reader", &recorder, &r));
    ok(sp_store_repository_new(r, "test", host.host, party_group(&host), &reader, &err));
    ok(sp_store_missing(reader, first.set_id, &missing, &n, &more, &err));
    assert_int_equal(n, 0);
    free(missing);
    sp_store_free(reader);
    sp_store_free(s);

    /* A run that opens now, with the cache of the one before. */
    s = open_store(&recorder, "cache");
    assert_int_equal(have_one(s, false, &ids[0]), SP_HAVE_NO);
    assert_false(head_whole(s, &n));
    /* The removal gave up. */
    ok(sp_backend_remove(place.below, mark, &err));
    assert_true(head_whole(s, &n));
    assert_int_equal(have_one(s, false, &ids[0]), SP_HAVE_MINE);
    sp_store_free(s);
    sp_buf_free(&first.object);
}

static enum sp_code
count_faults(void *arg, const struct sp_check_finding *f, struct sp_err *e)
{
    (void)e;
    *(size_t *)arg += f->severity == SP_FINDING_FAULT && strncmp(f->object, "marks/", 6) == 0;
    return SP_OK;
}

/* A commit names what lies only in marked packs; what is sent again, the very same blocks, makes
 * packs of other names, also when it was marked before. */
static void
test_commit_names_the_marked(void **state)
{
    struct recorder *recorder;
    struct sp_store *s = open_store(&recorder, "cache");
    struct made_record r;
    struct sp_commit_result result;
    struct sp_check_options o = {.depth = SP_CHECK_DATA};
    struct sp_check_totals totals;
    struct sp_repository *repository;
    struct sp_id ids[2];
    uint8_t *blocks[2], *copy;
    size_t sizes[2], faults = 0;
    char mark[96];

    (void)state;
    blocks[0] = party_data(&host, 2000, &ids[0], &sizes[0]);
    blocks[1] = party_node(&host, ids, 1, &ids[1], &sizes[1]);
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < 2; i++) {
            copy = malloc(sizes[i]);
            memcpy(copy, blocks[i], sizes[i]);
            ok(sp_store_put(s, copy, sizes[i], &err));
        }
        ok(sp_store_flush(s, &err));
        mark_all(true, true, mark);
        if (round == 0)
            party_record(&host, SP_RECORD_SET, "job", NULL, &ids[1], &r);
        memset(&result, 0, sizeof(result));
        ok(sp_store_commit(s, SP_RECORD_SET, r.object.data, r.object.len, &result, &err));
        assert_int_equal(result.nmissing, 1); /* the root; below it nothing is looked at */
        assert_memory_equal(result.missing[0].b, ids[1].b, 32);
        sp_commit_result_clear(&result);
        assert_int_equal(count_objects(place.below, "sets"), 0);
        assert_int_equal(count_objects(place.below, "packs"), (size_t)round + 1);
        assert_int_equal(count_objects(place.below, "nodes"), (size_t)round + 1);
        assert_int_equal(have_one(s, false, &ids[0]), SP_HAVE_NO);
    }
    for (size_t i = 0; i < 2; i++)
        ok(sp_store_put(s, blocks[i], sizes[i], &err));
    memset(&result, 0, sizeof(result));
    ok(sp_store_commit(s, SP_RECORD_SET, r.object.data, r.object.len, &result, &err));
    assert_int_equal(result.nmissing, 0);
    sp_store_free(s);
    /* Packs with a block more than once are good ones. */
    ok(place_open(&place, false, "check", &recorder, &repository));
    ok(sp_repository_check(repository, NULL, &o, count_faults, &faults, &totals, &err));
    assert_int_equal(totals.faults, 0);
    sp_repository_free(repository);
    sp_buf_free(&r.object);
}

/* --- one that cannot be understood --------------------------------------------------------- */

static void
refused_while_there(const char *object)
{
    struct sp_check_options o = {.depth = SP_CHECK_STRUCTURE};
    struct sp_check_totals totals;
    struct recorder *recorder;
    struct sp_repository *r;
    struct sp_store *s = NULL;
    size_t found = 0;

    ok(place_open(&place, true, "writer", &recorder, &r)); /* a server serves restores meanwhile */
    ok(sp_repository_check(r, NULL, &o, count_faults, &found, &totals, &err));
    assert_int_equal(found, 1);
    gives(SP_REFUSED, sp_store_repository_new(r, "test", host.host, party_group(&host), &s, &err));
    assert_non_null(strstr(err.text, object));
    ok(place_open(&place, false, "reader", &recorder, &r));
    ok(sp_store_repository_new(r, "test", host.host, party_group(&host), &s, &err));
    sp_store_free(s);
}

static void
test_damaged(void **state)
{
    struct recorder *recorder;
    struct sp_store *s = open_store(&recorder, "cache");
    struct made_record first, second;
    struct sp_commit_result result;
    struct sp_id ids[3];
    uint8_t *p;
    size_t n;
    char mark[96];

    (void)state;
    make_set(s, &host, "job", NULL, 2, ids, &first);
    mark_all(true, true, mark);
    ok(sp_backend_get_all(place.below, mark, 1u << 20, &p, &n, &err));
    p[n / 2] ^= 1;
    overwrite(place.below, mark, p, n);
    refused_while_there(mark);
    overwrite(place.below, mark, "", 0);
    refused_while_there(mark);
    p[n / 2] ^= 1;
    overwrite(place.below, mark, p, n);
    ok(sp_backend_move(place.below, mark, "marks/00112233445566778899aabbccddeeff", &err));
    refused_while_there("marks/00112233445566778899aabbccddeeff");
    ok(sp_backend_move(place.below, "marks/00112233445566778899aabbccddeeff", mark, &err));
    p[n / 2] ^= 1;
    overwrite(place.below, mark, p, n);

    /* One that comes while a run is under way. */
    party_record(&host, SP_RECORD_SET, "job", &first, &ids[2], &second);
    memset(&result, 0, sizeof(result));
    gives(SP_REFUSED,
        sp_store_commit(s, SP_RECORD_SET, second.object.data, second.object.len, &result, &err));
    ok(sp_backend_remove(place.below, mark, &err));
    ok(sp_store_commit(s, SP_RECORD_SET, second.object.data, second.object.len, &result, &err));
    sp_store_free(s);
    free(p);
    sp_buf_free(&first.object);
    sp_buf_free(&second.object);
}

/* A mark of `n` packs that nobody has. */
static void
put_mark(uint8_t number, size_t n)
{
    struct sp_mark m = {.id = {8, number}, .n = n};
    struct sp_buf b = SP_BUF_INIT;
    char object[96];

    assert_non_null(m.packs = calloc(n, sizeof(*m.packs)));
    for (size_t i = 0; i < n; i++) {
        m.packs[i].kind = SP_PACK_DATA;
        for (unsigned k = 0; k < 4; k++)
            m.packs[i].name[k] = (uint8_t)(i >> (24 - 8 * k) & 0xff);
    }
    ok(sp_mark_encode(&m, &b, &err));
    sp_mark_object_name(m.id, object);
    ok(sp_backend_put(place.below, object, b.data, b.len, &err));
    sp_mark_free(&m);
    sp_buf_free(&b);
}

/* Whoever can write in the store can lay down any number of marks, each of its full size: what they
 * take of memory is bounded (R18), and nothing is written while there are too many. */
static void
test_too_many(void **state)
{
    struct sp_repository *r = NULL;
    size_t packs = 0;

    (void)state;
    for (uint8_t i = 0; i < 3; i++)
        put_mark(i, SP_MARK_PACKS);
    ok(place_open(&place, true, "cache", NULL, &r));
    for (size_t i = 0; i < r->marks.n; i++)
        packs += r->marks.v[i].n;
    assert_true(packs <= SP_MARKS_PACKS);
    gives(SP_REFUSED, sp_marks_check(r, &err));
    assert_non_null(strstr(err.text, "more packs"));
    sp_repository_free(r);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_form),
        cmocka_unit_test_setup_teardown(test_marked_is_absent, begin, end),
        cmocka_unit_test_setup_teardown(test_commit_names_the_marked, begin, end),
        cmocka_unit_test_setup_teardown(test_damaged, begin, end),
        cmocka_unit_test_setup_teardown(test_too_many, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
