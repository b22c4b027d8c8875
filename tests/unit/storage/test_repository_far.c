/* A repository far away: what it saves itself to ask changes nothing in what is relied on. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/clock.h"
#include "expect.h"
#include "place.h"
#include "storage/repository_impl.h"

static struct place place;
static struct party host;
static struct far *far;

static int
begin(void **state)
{
    (void)state;
    place_begin(&place, false);
    far = far_new(place.below, 64u << 10);
    place.below = &far->head;
    party_init(&host, "host", NULL);
    place_admit(&place, &host);
    return 0;
}

static int
end(void **state)
{
    (void)state;
    party_free(&host);
    place_end(&place);
    return 0;
}

static struct sp_repository *
open_it(bool write, const char *cache)
{
    struct recorder *recorder = recorder_new(place.below);
    struct sp_repository *r = NULL;
    char path[128];
    const struct sp_repository_options o = {.cache_dir = path, .write = write, .host = host.host};

    (void)snprintf(path, sizeof path, "%s/%s", place.base, cache);
    ok(sp_repository_open(&recorder->head, &sp_env_system, &o, &r, &err));
    return r;
}

static enum sp_code
count(void *arg, const struct sp_set_info *i, struct sp_err *e)
{
    (void)i;
    (void)e;
    ++*(size_t *)arg;
    return SP_OK;
}

static size_t
sets_of(struct sp_repository *r)
{
    size_t n = 0;

    ok(sp_repository_list(r, host.host, false, count, &n, &err));
    return n;
}

/* R20: its listing comes back empty, and its configuration is gone. */
static void
unmounted(void **state)
{
    struct sp_repository *r = open_it(true, "cache");
    size_t lost;

    (void)state;
    assert_true(remove_all(place.below, "") > 0);
    gives(SP_UNREACHABLE, sp_repository_refresh(r, &lost, &err));
    sp_repository_free(r);
}

/* What opening listed serves once: who asks again is told what came since. */
static void
listed_once(void **state)
{
    struct sp_repository *r, *other;
    struct sp_store *s = NULL;
    struct made_record sets[2];
    struct sp_store_head head;
    struct sp_id ids[3];
    size_t gone;

    (void)state;
    s = place_store(&place, &host, "other");
    make_set(s, &host, "job", NULL, 2, ids, &sets[0]);
    r = open_it(true, "cache");
    other = open_it(false, "reader");
    make_set(s, &host, "job", &sets[0], 2, ids, &sets[1]);
    assert_int_equal(sets_of(other), 1);
    assert_int_equal(sets_of(other), 2);
    ok(sp_repository_head(r, host.host, party_group(&host), "job", &head, &err));
    assert_memory_equal(head.set_hash, sets[0].hash, 32);
    sp_store_head_clear(&head);
    ok(sp_repository_head(r, host.host, party_group(&host), "job", &head, &err));
    assert_memory_equal(head.set_hash, sets[1].hash, 32);
    assert_true(head.set_whole);
    sp_store_head_clear(&head);
    /* And so of packs. */
    gone = remove_all(place.below, "packs");
    assert_true(gone > 0);
    ok(sp_repository_head(r, host.host, party_group(&host), "job", &head, &err));
    assert_false(head.set_whole);
    assert_int_equal(head.nmissing, 2);
    sp_store_head_clear(&head);
    sp_repository_free(other);
    sp_repository_free(r);
    sp_store_free(s);
    sp_buf_free(&sets[0].object);
    sp_buf_free(&sets[1].object);
}

struct listed {
    struct made_record *sets;
    size_t n, at, completions;
    bool (*has)(size_t i);
};

static bool
every_third_has_none(size_t i)
{
    return i % 3 != 2;
}

static bool
last_has_none(size_t i)
{
    return every_third_has_none(i) && i != 9;
}

/* The newest first, each with its own. */
static enum sp_code
listed(void *arg, const struct sp_set_info *i, struct sp_err *e)
{
    struct listed *l = arg;
    const struct made_record *of = &l->sets[l->n - 1 - l->at];
    struct sp_completion c;

    assert_memory_equal(i->set_id, of->set_id, 16);
    assert_int_equal(i->completion != NULL, l->has(l->n - 1 - l->at));
    if (i->completion != NULL) {
        ok(sp_completion_decode(i->completion, i->completion_len, &c, e));
        assert_memory_equal(c.record, of->hash, 32);
        l->completions++;
    }
    l->at++;
    return SP_OK;
}

static struct listed
list_all(struct sp_repository *r, struct made_record *sets, size_t n, bool (*has)(size_t))
{
    struct listed l = {sets, n, 0, 0, has};

    far_reset(far);
    ok(sp_repository_list(r, host.host, false, listed, &l, &err));
    assert_int_equal(l.at, n);
    return l;
}

static enum sp_code
count_completed(void *arg, const struct sp_set_info *i, struct sp_err *e)
{
    (void)e;
    *(size_t *)arg += i->completion != NULL;
    return SP_OK;
}

/* The time of the oldest name that the set has. */
static int64_t
sets_published(struct sp_repository *r, const uint8_t set_id[16])
{
    struct sp_record_names names = {NULL, 0, 0};
    int64_t oldest = INT64_MAX;

    ok(sp_records_list(r, host.host, &names, &err));
    for (size_t i = 0; i < names.n; i++)
        if (names.v[i].type == SP_RECORD_SET && memcmp(names.v[i].set_id, set_id, 16) == 0 &&
            names.v[i].published_ns < oldest)
            oldest = names.v[i].published_ns;
    sp_records_free(&names);
    return oldest;
}

/* Completions come side by side, as records do, and each to its own set: also where sets have none,
 * two, a bad one, or one that was gone when it was asked for. */
static void
completions_side_by_side(void **state)
{
    enum { SETS = 15 };
    struct made_record sets[SETS];
    struct sp_store *s = place_store(&place, &host, "other");
    struct sp_record_names names = {NULL, 0, 0};
    struct sp_buf c = SP_BUF_INIT;
    struct sp_repository *r;
    struct sp_id ids[3];
    char object[160];
    size_t rounds, twice = 0;

    (void)state;
    for (size_t i = 0; i < SETS; i++) {
        make_set(s, &host, "job", i == 0 ? NULL : &sets[i - 1], 2, ids, &sets[i]);
        if (i % 3 == 2)
            continue;
        sp_buf_reset(&c);
        party_completion(&host, &sets[i], SP_LEVEL_APPLICATION, &c);
        ok(sp_store_complete(s, c.data, c.len, &err));
    }
    sp_store_free(s);
    r = open_it(false, "cache");
    assert_int_equal(list_all(r, sets, SETS, every_third_has_none).completions, 10);
    rounds = far_rounds(far);
    assert_in_range(rounds, 4, 16); /* 2 and more for each of them, if one by one */
    /* A bad one in front of the good one of set 3, which counts; a second one of set 4. */
    for (size_t i = 3; i < 5; i++) {
        sp_buf_reset(&c);
        party_completion(&host, &sets[i], SP_LEVEL_CRASH, &c);
        sp_record_object_name(SP_RECORD_COMPLETION, host.host,
            i == 3 ? 1 : INT64_C(4000000000) * SP_SECOND, sets[i].set_id, object);
        ok(sp_backend_put(place.below, object, c.data, c.len - (i == 3), &err));
    }
    assert_int_equal(list_all(r, sets, SETS, every_third_has_none).completions, 10);
    assert_in_range(far_rounds(far), 4, 18);
    /* That of set 9 goes while it is listed. */
    ok(sp_records_list(r, host.host, &names, &err));
    for (size_t i = 0; i < names.n; i++)
        if (names.v[i].type == SP_RECORD_COMPLETION &&
            memcmp(names.v[i].set_id, sets[9].set_id, 16) == 0)
            sp_record_object_name(SP_RECORD_COMPLETION, host.host, names.v[i].published_ns,
                names.v[i].set_id, object);
    ok(sp_backend_remove(place.below, object, &err));
    assert_int_equal(list_all(r, sets, SETS, last_has_none).completions, 9);
    sp_records_free(&names);
    /* One set under two names, which a commit that was repeated leaves: both have it. */
    sp_record_object_name(
        SP_RECORD_SET, host.host, INT64_C(4100000000) * SP_SECOND, sets[SETS - 2].set_id, object);
    ok(sp_backend_put(
        place.below, object, sets[SETS - 2].object.data, sets[SETS - 2].object.len, &err));
    ok(sp_repository_list(r, host.host, false, count_completed, &twice, &err));
    assert_int_equal(twice, 10);
    sp_record_object_name(SP_RECORD_SET, host.host,
        sets_published(r, sets[SETS - 2].set_id) + SP_SECOND, sets[SETS - 2].set_id, object);
    ok(sp_backend_put(
        place.below, object, sets[SETS - 2].object.data, sets[SETS - 2].object.len, &err));
    twice = 0;
    ok(sp_repository_list(r, host.host, false, count_completed, &twice, &err));
    assert_int_equal(twice, 11);
    sp_repository_free(r);
    sp_buf_free(&c);
    for (size_t i = 0; i < SETS; i++)
        sp_buf_free(&sets[i].object);
}

/* A commit looks at what is there behind what opening saw (R8). */
static void
lost_since_opening(void **state)
{
    struct sp_store *s = NULL;
    struct sp_repository *r;
    struct sp_store_head head;
    struct sp_commit_result result;
    struct made_record sets[2];
    struct sp_id ids[3];

    (void)state;
    s = place_store(&place, &host, "other");
    make_set(s, &host, "job", NULL, 2, ids, &sets[0]);
    sp_store_free(s);
    r = open_it(true, "cache");
    ok(sp_store_repository_new(r, "test", host.host, party_group(&host), &s, &err));
    ok(sp_store_head(s, "job", &head, &err));
    assert_true(head.set_whole);
    sp_store_head_clear(&head);
    assert_true(remove_all(place.below, "packs") > 0);
    party_record(&host, SP_RECORD_SET, "job", &sets[0], &ids[2], &sets[1]);
    ok(sp_store_commit(s, SP_RECORD_SET, sets[1].object.data, sets[1].object.len, &result, &err));
    assert_int_equal(result.nmissing, 2);
    sp_commit_result_clear(&result);
    sp_store_free(s);
    sp_buf_free(&sets[0].object);
    sp_buf_free(&sets[1].object);
}

static enum sp_code
take_block(void *arg, const uint8_t *block, size_t n, const uint32_t *wanted, size_t nwanted,
    struct sp_err *e)
{
    size_t *left = arg;

    (void)block;
    (void)n;
    (void)wanted;
    if (*left == 0)
        return sp_fail(e, SP_CANCELLED, SP_DOM_SELF, "enough");
    *left -= nwanted;
    return SP_OK;
}

#define CHUNKS 40u

/* Wherever a get is ended, or its store, nothing is left under way; and one read that fails for a
 * moment takes nothing with it. */
static void
ended_anywhere(void **state)
{
    struct sp_store *s = place_store(&place, &host, "other");
    struct sp_repository *r;
    struct made_record set;
    struct sp_id ids[CHUNKS + 1];
    size_t left, i;

    (void)state;
    make_set(s, &host, "job", NULL, CHUNKS, ids, &set);
    sp_store_free(s);
    r = open_it(false, "reader");
    for (i = 0; i < CHUNKS; i++) {
        left = i;
        gives(SP_CANCELLED, sp_repository_get(r, NULL, ids, CHUNKS, 0, take_block, &left, &err));
        assert_int_equal(far->under_way, 0);
    }
    far->fail_prefix = "packs/";
    for (i = 1; i <= 2; i++) {
        far_reset(far);
        far->fail_finish_at = i;
        left = CHUNKS;
        ok(sp_repository_get(r, NULL, ids, CHUNKS, 0, take_block, &left, &err));
        assert_int_equal(left, 0);
        far_reset(far);
        far->fail_start_at = i;
        far->code = SP_UNREACHABLE;
        left = CHUNKS;
        gives(SP_UNREACHABLE, sp_repository_get(r, NULL, ids, CHUNKS, 0, take_block, &left, &err));
        assert_int_equal(far->under_way, 0);
        far->code = SP_IO;
    }
    sp_repository_cancel(r);
    gives(SP_CANCELLED, sp_repository_get(r, NULL, ids, CHUNKS, 0, take_block, &left, &err));
    sp_repository_free(r);
    sp_buf_free(&set.object);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(unmounted, begin, end),
        cmocka_unit_test_setup_teardown(listed_once, begin, end),
        cmocka_unit_test_setup_teardown(completions_side_by_side, begin, end),
        cmocka_unit_test_setup_teardown(lost_since_opening, begin, end),
        cmocka_unit_test_setup_teardown(ended_anywhere, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
