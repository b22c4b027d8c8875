/* Completions in a repository: how one becomes durable, what a listing costs, what check says. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/text.h"
#include "expect.h"
#include "place.h"
#include "storage/repository_impl.h"

static struct place place;
static struct party host;

static int
begin(void **state)
{
    (void)state;
    place_begin(&place, false);
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

static struct sp_store *
open_store(struct recorder **ret, const char *cache)
{
    struct sp_repository *r;
    struct sp_store *s;

    ok(place_open(&place, true, cache, ret, &r));
    ok(sp_store_repository_new(r, "test", host.host, party_group(&host), &s, &err));
    return s;
}

static void
make_sets(struct sp_store *s, struct made_record *r, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct sp_id ids[3];

        make_set(s, &host, "job", i == 0 ? NULL : &r[i - 1], 2, ids, &r[i]);
    }
}

static void
free_sets(struct made_record *r, size_t n)
{
    for (size_t i = 0; i < n; i++)
        sp_buf_free(&r[i].object);
}

struct seen {
    size_t sets, completions;
};

static enum sp_code
count(void *arg, const struct sp_set_info *i, struct sp_err *e)
{
    struct seen *s = arg;

    (void)e;
    s->sets++;
    s->completions += i->completion != NULL;
    return SP_OK;
}

static struct seen
list(struct sp_store *s)
{
    struct seen seen = {0, 0};

    ok(sp_store_list(s, false, true, count, &seen, &err));
    return seen;
}

static size_t
lines(const char *log, const char *line)
{
    size_t n = 0;

    for (const char *at = strstr(log, line); at != NULL; at = strstr(at + 1, line))
        n++;
    return n;
}

/* Published, then the barrier, and nothing else. Again: only the barrier. */
static void
test_order(void **state)
{
    struct recorder *recorder;
    struct sp_store *s = open_store(&recorder, "cache");
    struct sp_buf c = SP_BUF_INIT;
    struct made_record r;

    (void)state;
    make_sets(s, &r, 1);
    party_completion(&host, &r, SP_LEVEL_APPLICATION, &c);
    recorder_reset(recorder);
    ok(sp_store_complete(s, c.data, c.len, &err));
    assert_string_equal(recorder_log(recorder), "publish sets\nsync\n");
    recorder_reset(recorder);
    ok(sp_store_complete(s, c.data, c.len, &err));
    assert_string_equal(recorder_log(recorder), "sync\n");
    sp_store_free(s);
    sp_buf_free(&c);
    free_sets(&r, 1);
}

/* Whichever step fails: no success, and nothing that is seen; the next try has it. */
static void
test_failures(void **state)
{
    struct made_record r;
    struct sp_buf c = SP_BUF_INIT;
    struct sp_store *s = open_store(NULL, "cache");
    unsigned failures = 0;
    bool reached = true;

    (void)state;
    make_sets(s, &r, 1);
    party_completion(&host, &r, SP_LEVEL_APPLICATION, &c);
    sp_store_free(s);
    for (uint64_t at = 1; reached; at++) {
        struct recorder *recorder;

        s = open_store(&recorder, "cache");
        recorder_reset(recorder);
        recorder->calls = 0;
        recorder->fail_at = at;
        recorder->code = SP_IO;
        if (sp_store_complete(s, c.data, c.len, &err) != SP_OK) {
            assert_int_equal(err.code, SP_IO);
            failures++;
        } else {
            reached = recorder->calls >= at;
            assert_false(reached);
        }
        recorder->fail_at = 0;
        sp_store_free(s);
        assert_int_equal(count_objects(place.below, "sets"), reached ? 1 : 2);
        assert_true(at < 100);
    }
    assert_true(failures >= 4); /* names, set, publish, sync */
    s = open_store(NULL, "cache");
    ok(sp_store_complete(s, c.data, c.len, &err));
    assert_int_equal(list(s).completions, 1);
    sp_store_free(s);
    sp_buf_free(&c);
    free_sets(&r, 1);
}

/* A listing reads each set's record, and one object more for each completion that there is. */
static void
test_cost_of_a_list(void **state)
{
    struct recorder *recorder;
    struct sp_store *s = open_store(&recorder, "cache");
    struct made_record r[4];
    struct seen seen;

    (void)state;
    make_sets(s, r, 4);
    recorder_reset(recorder);
    recorder->reads = true;
    seen = list(s);
    assert_true(seen.sets == 4 && seen.completions == 0);
    assert_int_equal(lines(recorder_log(recorder), "get sets\n"), 4);
    assert_int_equal(lines(recorder_log(recorder), "get hosts\n"), 0);
    assert_int_equal(lines(recorder_log(recorder), "list "), 1);
    recorder->reads = false;
    for (size_t i = 1; i < 3; i++) {
        struct sp_buf c = SP_BUF_INIT;

        party_completion(&host, &r[i], SP_LEVEL_APPLICATION, &c);
        ok(sp_store_complete(s, c.data, c.len, &err));
        sp_buf_free(&c);
    }
    recorder_reset(recorder);
    recorder->reads = true;
    seen = list(s);
    assert_true(seen.sets == 4 && seen.completions == 2);
    assert_int_equal(lines(recorder_log(recorder), "get sets\n"), 6);
    assert_int_equal(lines(recorder_log(recorder), "get hosts\n"), 1); /* once */
    sp_store_free(s);
    free_sets(r, 4);
}

/* Names of a host never go back in time, completions among them. */
static void
test_names_go_on(void **state)
{
    struct sp_store *s = open_store(NULL, "cache");
    struct sp_record_names names = {NULL, 0, 0};
    struct sp_repository *r;
    struct made_record sets[3];
    int64_t last = INT64_MAX;

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct sp_buf c = SP_BUF_INIT;
        struct sp_id ids[3];

        make_set(s, &host, "job", i == 0 ? NULL : &sets[i - 1], 2, ids, &sets[i]);
        party_completion(&host, &sets[i], SP_LEVEL_CRASH, &c);
        ok(sp_store_complete(s, c.data, c.len, &err));
        sp_buf_free(&c);
    }
    sp_store_free(s);
    r = place_repository(&place, "names");
    ok(sp_records_list(r, host.host, &names, &err));
    assert_int_equal(names.n, 6);
    for (size_t i = 0; i < 6; i++) {
        assert_true(names.v[i].published_ns < last);
        assert_int_equal(names.v[i].type, i % 2 == 0 ? SP_RECORD_COMPLETION : SP_RECORD_SET);
        last = names.v[i].published_ns;
    }
    sp_records_free(&names);
    sp_repository_free(r);
    free_sets(sets, 3);
}

/* --- check ------------------------------------------------------------------------------------ */

struct found {
    size_t faults, notes;
    char object[192], text[400]; /* of the last one */
    uint8_t set_id[16];
};

static enum sp_code
take(void *arg, const struct sp_check_finding *f, struct sp_err *e)
{
    struct found *c = arg;

    (void)e;
    *(f->severity == SP_FINDING_NOTE ? &c->notes : &c->faults) += 1;
    strcpy(c->text, f->text);
    strcpy(c->object, f->object);
    memcpy(c->set_id, f->set_id, 16);
    return SP_OK;
}

static struct found
check(void)
{
    const struct sp_check_options o = {.depth = SP_CHECK_STRUCTURE};
    struct sp_repository *r = NULL;
    struct sp_check_totals t;
    struct found c;

    memset(&c, 0, sizeof(c));
    ok(place_open(&place, false, "checker", NULL, &r));
    ok(sp_repository_check(r, NULL, &o, take, &c, &t, &err));
    sp_repository_free(r);
    return c;
}

/* Lays a completion where it is named, and takes it away again after the check. */
static struct found
check_with(
    const struct party *by, const struct made_record *of, const uint8_t named[16], size_t cut)
{
    struct sp_buf c = SP_BUF_INIT;
    struct found f;
    char object[160];

    party_completion((struct party *)(uintptr_t)by, of, SP_LEVEL_APPLICATION, &c);
    sp_record_object_name(
        SP_RECORD_COMPLETION, host.host, INT64_C(4000000000) * SP_SECOND, named, object);
    ok(sp_backend_put(place.below, object, c.data, c.len - cut, &err));
    f = check();
    if (f.faults + f.notes > 0) {
        assert_string_equal(f.object, object);
        assert_memory_equal(f.set_id, named, 16);
    }
    ok(sp_backend_remove(place.below, object, &err));
    sp_buf_free(&c);
    return f;
}

static void
test_check(void **state)
{
    struct sp_store *s = open_store(NULL, "cache");
    struct sp_buf c = SP_BUF_INIT;
    struct made_record r[2], other;
    struct party false_one;
    struct found f;

    (void)state;
    make_sets(s, r, 2);
    f = check_with(&host, &r[0], r[0].set_id, 0); /* as it should be */
    assert_true(f.faults == 0 && f.notes == 0);
    f = check_with(&host, &r[0], r[0].set_id, 1); /* cut */
    assert_true(f.faults == 1 && f.notes == 0);
    f = check_with(&host, &r[0], r[1].set_id, 0); /* under another's name */
    assert_true(f.faults == 1 && f.notes == 0);
    other = r[0];
    other.hash[3] ^= 1; /* of a record that was never there */
    f = check_with(&host, &other, r[0].set_id, 0);
    assert_true(f.faults == 1 && f.notes == 0);
    assert_non_null(strstr(f.text, "another record"));
    other.set_id[3] ^= 1; /* of no set */
    f = check_with(&host, &other, other.set_id, 0);
    assert_true(f.faults == 0 && f.notes == 1);
    assert_non_null(strstr(f.text, "not in the repository"));
    party_init(&false_one, "host", &host); /* not signed by the host */
    memcpy(false_one.host, host.host, sizeof(false_one.host));
    f = check_with(&false_one, &r[0], r[0].set_id, 0);
    assert_true(f.faults == 1 && f.notes == 0);
    party_free(&false_one);

    party_completion(&host, &r[0], SP_LEVEL_CRASH, &c); /* a second one */
    ok(sp_store_complete(s, c.data, c.len, &err));
    f = check();
    assert_true(f.faults == 0 && f.notes == 0);
    f = check_with(&host, &r[0], r[0].set_id, 0);
    assert_true(f.faults == 0 && f.notes == 1);
    assert_non_null(strstr(f.text, "earlier"));
    f = check_with(&host, &r[1], r[1].set_id, 0); /* of the other set, it is the first */
    assert_true(f.faults == 0 && f.notes == 0);
    sp_buf_free(&c);
    sp_store_free(s);
    free_sets(r, 2);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_order),
        TEST(test_failures),
        TEST(test_cost_of_a_list),
        TEST(test_names_go_on),
        TEST(test_check),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
