/* What commit does about the time that passes between its listing and the record's name, and behind
 * it (R8): see storage/commit.c. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/clock.h"
#include "expect.h"
#include "place.h"

#include "marked.h"

struct passing { /* the store's clock goes on before the n-th `op` on `folder` */
    const char *op, *folder;
    unsigned nth;
    int64_t by_ns;
};

static void
pass(void *arg, const char *op, const char *name)
{
    struct passing *p = arg;

    if (p->nth > 0 && strcmp(op, p->op) == 0 && strncmp(name, p->folder, strlen(p->folder)) == 0 &&
        --p->nth == 0)
        sp_backend_memory_advance(place.below, p->by_ns);
}

/* A commit during which that happens: its log, with reads. */
static const char *
commit_while(struct passing p, struct sp_store **ret)
{
    static struct passing passing;
    struct recorder *recorder;
    struct sp_store *s = open_store(&recorder, "cache");
    struct made_record r;
    struct sp_commit_result result;
    struct sp_id ids[2];

    passing = p;
    ids[0] = put_data(s, &host, 2000);
    ids[1] = put_node(s, &host, ids, 1);
    party_record(&host, SP_RECORD_SET, "job", NULL, &ids[1], &r);
    recorder_reset(recorder);
    recorder->reads = true;
    recorder->arg = &passing;
    recorder->before = pass;
    memset(&result, 0, sizeof(result));
    ok(sp_store_commit(s, SP_RECORD_SET, r.object.data, r.object.len, &result, &err));
    assert_int_equal(result.nmissing, 0);
    assert_int_equal(passing.nth, 0); /* or it did not happen */
    sp_buf_free(&r.object);
    *ret = s;
    return recorder_log(recorder);
}

/* How often packs were listed before and behind the record's name. */
static void
listings(const char *log, size_t *ret_before, size_t *ret_behind)
{
    const char *name = strstr(log, "publish sets\n");

    assert_non_null(name);
    *ret_before = *ret_behind = 0;
    for (const char *p = log; (p = strstr(p, "list packs\n")) != NULL; p++)
        ++*(p < name ? ret_before : ret_behind);
    assert_null(strstr(log, "remove sets\n"));
}

static void
expect_listings(struct passing p, size_t before, size_t behind)
{
    struct sp_store *s;
    size_t a, b;

    listings(commit_while(p, &s), &a, &b);
    if (a != before || b != behind)
        fail_msg("%s %s: %zu listings before the name and %zu behind it, not %zu and %zu", p.op,
            p.folder, a, b, before, behind);
    sp_store_free(s);
    assert_int_equal(remove_all(place.below, "sets"), 1);
}

#define HALF (SP_GRACE / 2)

static void
test_time_passes(void **state)
{
    (void)state;
    /* Before the listing any time may pass; and up to half of the grace behind it. */
    expect_listings((struct passing){"publish", "packs", 1, 10 * HALF}, 1, 0);
    expect_listings((struct passing){"list", "packs", 1, HALF - 60 * SP_SECOND}, 1, 0);
    expect_listings((struct passing){"publish", "sets", 1, HALF - 60 * SP_SECOND}, 1, 0);
    /* More: it is listed again, before the name, or behind it. */
    expect_listings((struct passing){"list", "packs", 1, HALF + SP_SECOND}, 2, 0);
    expect_listings((struct passing){"get", "nodes", 1, HALF + SP_SECOND}, 2, 0);
    expect_listings((struct passing){"list", "sets", 1, HALF + SP_SECOND}, 1, 1);
    expect_listings((struct passing){"publish", "sets", 1, HALF + SP_SECOND}, 1, 1);
    /* A clock that goes back says nothing. */
    expect_listings((struct passing){"get", "nodes", 1, -SP_SECOND * 10}, 2, 0);
    expect_listings((struct passing){"publish", "sets", 1, -SP_SECOND * 10}, 1, 1);
}

/* --- a store that is far away -------------------------------------------------------------- */

static _Atomic int64_t wall_ns;

static int64_t
test_wall(void *self)
{
    (void)self;
    return wall_ns;
}

static const struct sp_clock test_clock = {test_wall, test_wall, NULL};
static const struct sp_env far_env = {&sp_os_system, &test_clock, &sp_random_system};

struct pause { /* between the recheck and the name */
    int64_t by_ns;
    bool armed, done;
    atomic_bool swept; /* by the keeper, which asks for the time, too */
};

static void
pause_run(void *arg, const char *op, const char *name)
{
    struct pause *p = arg;

    if (strcmp(op, "sweep") == 0)
        atomic_store(&p->swept, true);
    else if (p->armed && !p->done && strcmp(op, "get") == 0 && strncmp(name, "nodes/", 6) == 0) {
        p->done = true;
        wall_ns += p->by_ns;
    }
}

/* How often the store is asked for its clock between the run's listing and its record's name, and
 * behind that. */
static void
questions(int64_t by_ns, size_t *ret_before, size_t *ret_behind)
{
    struct recorder *recorder = recorder_new(place.below);
    struct sp_repository *r;
    struct sp_store *s;
    struct made_record record;
    struct sp_commit_result result;
    struct sp_id ids[2];
    struct pause p = {.by_ns = by_ns};
    char path[128];
    const struct sp_repository_options o = {.cache_dir = path, .write = true};
    const char *log, *list, *name;
    int64_t since_ns;

    (void)snprintf(path, sizeof(path), "%s/far", place.base);
    recorder->head.ahead = 1u << 20;
    recorder->arg = &p;
    recorder->before = pause_run;
    wall_ns = sp_clock_wall(&sp_clock_system);
    ok(sp_repository_open(&recorder->head, &far_env, &o, &r, &err));
    ok(sp_lease_since(r->lease, &since_ns, &err)); /* the keeper has asked */
    ok(sp_store_repository_new(r, "test", host.host, party_group(&host), &s, &err));
    ids[0] = put_data(s, &host, 2000);
    ids[1] = put_node(s, &host, ids, 1);
    party_record(&host, SP_RECORD_SET, "job", NULL, &ids[1], &record);
    ok(sp_store_flush(s, &err));
    for (int i = 0; i < 1000 && !atomic_load(&p.swept); i++)
        sp_sleep_ms(10);
    recorder_reset(recorder);
    recorder->reads = true;
    p.armed = true;
    memset(&result, 0, sizeof(result));
    ok(sp_store_commit(s, SP_RECORD_SET, record.object.data, record.object.len, &result, &err));
    assert_int_equal(result.nmissing, 0);
    assert_true(p.done);
    log = recorder_log(recorder);
    list = strstr(log, "list packs\n");
    name = strstr(log, "publish sets\n");
    assert_true(list != NULL && name != NULL && list < name);
    *ret_before = *ret_behind = 0;
    for (const char *q = list; (q = strstr(q, "now\n")) != NULL; q++)
        ++*(q < name ? ret_before : ret_behind);
    sp_store_free(s);
    sp_buf_free(&record.object);
    assert_int_equal(remove_all(place.below, "sets"), 1);
}

/* It costs a far store one question, when nothing speaks for a pause; that one is never left out.
 */
static void
test_far(void **state)
{
    size_t before, behind;

    (void)state;
    questions(0, &before, &behind);
    assert_int_equal(before, 0);
    assert_int_equal(behind, 1);
    questions(2 * 60 * SP_SECOND, &before, &behind);
    assert_int_equal(before, 1);
    assert_int_equal(behind, 1);
    questions(-SP_SECOND, &before, &behind);
    assert_int_equal(before, 1);
    assert_int_equal(behind, 1);
}

/* Suspended while its record gets the name: what it needs is marked, and would be gone. */
static void
suspend(void *arg, const char *op, const char *name)
{
    bool *done = arg;
    char mark[96];

    if (*done || strcmp(op, "publish") != 0 || strncmp(name, "sets/", 5) != 0)
        return;
    *done = true;
    mark_all(true, true, mark);
    sp_backend_memory_advance(place.below, SP_GRACE);
}

static void
test_taken_back(void **state)
{
    struct recorder *recorder;
    struct sp_store *s;
    struct made_record r;
    struct sp_commit_result result;
    struct sp_id ids[2];
    enum sp_record_type type;
    bool done, stays;

    (void)state;
    for (int i = 0; i < 4; i++) {
        stays = i % 2 == 1; /* it cannot be removed */
        type = i < 2 ? SP_RECORD_SET : SP_RECORD_CHECKPOINT;
        s = open_store(&recorder, "cache");
        ids[0] = put_data(s, &host, 2000);
        ids[1] = put_node(s, &host, ids, 1);
        party_record(&host, type, "job", NULL, &ids[1], &r);
        ok(sp_store_flush(s, &err));
        recorder_reset(recorder);
        done = false;
        recorder->arg = &done;
        recorder->before = suspend;
        recorder->refuse = stays ? "remove" : NULL;
        memset(&result, 0, sizeof(result));
        if (stays) {
            gives(SP_REFUSED, sp_store_commit(s, type, r.object.data, r.object.len, &result, &err));
            assert_non_null(strstr(err.text, "not whole"));
            assert_int_equal(remove_all(place.below, "sets"), 1);
        } else {
            ok(sp_store_commit(s, type, r.object.data, r.object.len, &result, &err));
            assert_int_equal(result.nmissing, 1);
            assert_memory_equal(result.missing[0].b, ids[1].b, 32);
            assert_int_equal(count_objects(place.below, "sets"), 0);
            assert_string_equal(recorder_log(recorder), "publish sets\nsync\nremove sets\nsync\n");
        }
        assert_true(done);
        sp_commit_result_clear(&result);
        sp_store_free(s);
        sp_buf_free(&r.object);
        (void)remove_all(place.below, "marks");
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_time_passes, begin, end),
        cmocka_unit_test_setup_teardown(test_taken_back, begin, end),
        cmocka_unit_test_setup_teardown(test_far, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
