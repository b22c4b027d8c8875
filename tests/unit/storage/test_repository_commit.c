/* Commit: its order (R2), and what failures leave behind. */

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

/* A store over a recorder. */
static struct sp_store *
open_store(struct recorder **ret, const char *cache)
{
    struct sp_repository *r;
    struct sp_store *s;

    ok(place_open(&place, true, cache, ret, &r));
    ok(sp_store_repository_new(r, "test", host.host, party_group(&host), &s, &err));
    return s;
}

/* Blocks of a small set are put; its record is made, not committed. */
static void
prepare(struct sp_store *s, enum sp_record_type type, const struct made_record *previous,
    struct made_record *ret)
{
    struct sp_id ids[3];

    ids[0] = put_data(s, &host, 2000);
    ids[1] = put_data(s, &host, 2000);
    ids[2] = put_node(s, &host, ids, 2);
    party_record(&host, type, "job", previous, &ids[2], ret);
}

static enum sp_code
try_commit(struct sp_store *s, enum sp_record_type type, const struct made_record *r)
{
    struct sp_commit_result result;
    enum sp_code rc;

    memset(&result, 0, sizeof(result));
    rc = sp_store_commit(s, type, r->object.data, r->object.len, &result, &err);
    if (rc == SP_OK)
        assert_int_equal(result.nmissing, 0);
    sp_commit_result_clear(&result);
    return rc;
}

/* Packs, barrier, index, barrier, (recheck,) record, barrier. */
static void
test_order(void **state)
{
    struct recorder *recorder;
    struct sp_store *s = open_store(&recorder, "cache");
    struct made_record checkpoint, set;

    (void)state;
    prepare(s, SP_RECORD_CHECKPOINT, NULL, &checkpoint);
    /* All of it is in open packs, and the run has its lease. */
    assert_string_equal(recorder_log(recorder), "publish leases\n");
    recorder_reset(recorder);
    ok(try_commit(s, SP_RECORD_CHECKPOINT, &checkpoint));
    assert_string_equal(recorder_log(recorder), "publish packs\n"
                                                "publish nodes\n"
                                                "sync\n"
                                                "publish index\n"
                                                "sync\n"
                                                "publish sets\n"
                                                "sync\n");
    recorder_reset(recorder);
    prepare(s, SP_RECORD_SET, NULL, &set);
    ok(try_commit(s, SP_RECORD_SET, &set));
    assert_string_equal(recorder_log(recorder), "publish packs\n"
                                                "publish nodes\n"
                                                "sync\n"
                                                "publish index\n"
                                                "sync\n"
                                                "publish sets\n"
                                                "sync\n"
                                                "remove sets\n"); /* the checkpoint */
    recorder_reset(recorder);
    ok(sp_store_flush(s, &err));
    assert_string_equal(recorder_log(recorder), ""); /* nothing to do */
    sp_buf_free(&checkpoint.object);
    sp_buf_free(&set.object);
    sp_store_free(s);
}

/* The recheck is one against a fresh listing: between the index and the record. */
static void
test_recheck(void **state)
{
    struct recorder *recorder;
    struct sp_store *s = open_store(&recorder, "cache");
    struct made_record set;
    const char *log, *list, *record, *index;

    (void)state;
    prepare(s, SP_RECORD_SET, NULL, &set);
    recorder->reads = true;
    ok(try_commit(s, SP_RECORD_SET, &set));
    log = recorder_log(recorder);
    index = strstr(log, "publish index\n");
    record = strstr(log, "publish sets\n");
    assert_non_null(index);
    assert_non_null(record);
    list = strstr(index, "list packs\n");
    assert_true(list != NULL && list < record);
    list = strstr(index, "list nodes\n");
    assert_true(list != NULL && list < record);
    list = strstr(index, "get nodes\n");
    assert_true(list != NULL && list < record);
    assert_null(strstr(log, "get packs\n")); /* presence needs no data */
    sp_buf_free(&set.object);
    sp_store_free(s);
}

/* Whatever call of a commit fails: no set is seen, the store says the same ever after, and the next
 * run succeeds and sends nothing twice that was durable. */
static void
fault_at_every_call(enum sp_code code)
{
    uint64_t n, failures = 0;
    bool reached = true, failed;

    for (n = 1; reached; n++) {
        struct recorder *recorder;
        struct sp_store *s;
        struct made_record set, again;
        struct sp_store_head h;
        uint8_t answer;
        struct sp_id id = {{0}};
        char cache[32], first[SP_ERR_TEXT];

        place_begin(&place, false);
        place_admit(&place, &host);
        (void)snprintf(cache, sizeof(cache), "cache %u", (unsigned)n);
        s = open_store(&recorder, cache);
        prepare(s, SP_RECORD_SET, NULL, &set);
        recorder_reset(recorder);
        recorder->fail_at = n;
        recorder->code = code;
        failed = try_commit(s, SP_RECORD_SET, &set) != SP_OK;
        reached = recorder->calls >= n;
        if (!failed) { /* the call was one that is asked again, or can be done without */
            assert_int_equal(count_objects(place.below, "sets"), 1);
        } else {
            failures++;
            assert_int_equal(err.code, code);
            assert_int_equal(count_objects(place.below, "sets"), 0);
            strcpy(first, err.text);
            gives(code, sp_store_have(s, false, &id, 1, &answer, &err));
            assert_string_equal(err.text, first);
            gives(code, sp_store_flush(s, &err));
            assert_string_equal(err.text, first);
            gives(code, try_commit(s, SP_RECORD_SET, &set));
            assert_int_equal(count_objects(place.below, "sets"), 0);
        }
        sp_store_free(s);

        s = open_store(&recorder, cache);
        memset(&h, 0, sizeof(h));
        ok(sp_store_head(s, "job", &h, &err));
        assert_int_equal(h.has_set, !failed);
        assert_int_equal(h.nmissing, 0);
        sp_store_head_clear(&h);
        prepare(s, SP_RECORD_SET, failed ? NULL : &set, &again);
        ok(try_commit(s, SP_RECORD_SET, &again));
        sp_store_free(s);
        sp_buf_free(&set.object);
        sp_buf_free(&again.object);
        place_end(&place);
        assert_true(n < 200);
    }
    assert_true(n > 15 && failures > 10); /* or nothing was tested */
}

static void
test_faults(void **state)
{
    (void)state;
    party_init(&host, "host", NULL);
    fault_at_every_call(SP_IO);
    fault_at_every_call(SP_FULL);
    party_free(&host);
}

/* The same for an open, a head and puts that fill packs: a failure is said, and harms no set. */
static void
test_faults_before(void **state)
{
    struct recorder *recorder;
    struct sp_store *s = open_store(&recorder, "cache");
    struct made_record first, second;
    struct sp_store_head h;
    uint64_t n;
    bool reached = true, failed;

    (void)state;
    prepare(s, SP_RECORD_SET, NULL, &first);
    ok(try_commit(s, SP_RECORD_SET, &first));
    sp_store_free(s);
    for (n = 1; reached; n++) {
        struct sp_err e = {0};
        char cache[32];

        (void)snprintf(cache, sizeof(cache), "cache %u", (unsigned)(n % 2));
        s = open_store(&recorder, cache);
        recorder_reset(recorder);
        recorder->fail_at = n;
        memset(&h, 0, sizeof(h));
        failed = sp_store_head(s, "job", &h, &e) != SP_OK;
        if (!failed)
            assert_true(h.has_set && h.set_whole); /* a block that fails once is asked for again */
        sp_store_head_clear(&h);
        for (int i = 0; i < 20 && !failed; i++) {
            struct sp_id id;
            size_t len;
            uint8_t *block = party_data(&host, 8000, &id, &len);

            failed = sp_store_put(s, block, len, &e) != SP_OK;
        }
        if (failed)
            assert_int_equal(e.code, SP_IO);
        reached = recorder->calls >= n;
        sp_store_free(s);
        assert_true(n < 400);
    }
    assert_true(n > 15);
    s = open_store(&recorder, "cache");
    prepare(s, SP_RECORD_SET, &first, &second);
    ok(try_commit(s, SP_RECORD_SET, &second));
    sp_store_free(s);
    sp_buf_free(&first.object);
    sp_buf_free(&second.object);
}

/* --- time ---------------------------------------------------------------------------------- */

static int64_t
backwards(void *self)
{
    return *(int64_t *)self -= 100 * SP_SECOND;
}

/* The publisher's clock goes back; the order of the names does not (R9). */
static void
test_clock(void **state)
{
    int64_t now_ns = INT64_C(1800000000) * SP_SECOND, last_ns = 0;
    const struct sp_clock clock = {backwards, backwards, &now_ns};
    const struct sp_env env = {&sp_os_system, &clock, &sp_random_system};
    struct recorder *recorder = recorder_new(place.below);
    struct made_record r[4];
    struct sp_repository *repository;
    struct sp_store *s;
    char path[128];
    const struct sp_repository_options o = {.cache_dir = path, .write = true};

    (void)state;
    (void)snprintf(path, sizeof(path), "%s/cache", place.base);
    ok(sp_repository_open(&recorder->head, &env, &o, &repository, &err));
    ok(sp_store_repository_new(repository, "test", host.host, party_group(&host), &s, &err));
    for (size_t i = 0; i < 4; i++) {
        struct sp_commit_result result;

        prepare(s, SP_RECORD_SET, i == 0 ? NULL : &r[i - 1], &r[i]);
        memset(&result, 0, sizeof(result));
        ok(sp_store_commit(s, SP_RECORD_SET, r[i].object.data, r[i].object.len, &result, &err));
        assert_int_equal(result.nmissing, 0);
        assert_true(result.published_ns > last_ns);
        last_ns = result.published_ns;
    }
    sp_store_free(s);
    for (size_t i = 0; i < 4; i++)
        sp_buf_free(&r[i].object);
}

/* --- what is known whole ------------------------------------------------------------------- */

static size_t
lines(const char *log, const char *line)
{
    size_t n = 0;

    for (; (log = strstr(log, line)) != NULL; log++)
        n++;
    return n;
}

/* A tree that was proven is not read again for the next set, until a pack vanishes. */
static void
test_known_whole(void **state)
{
    struct recorder *recorder;
    struct sp_store *s = open_store(&recorder, "cache");
    struct made_record first, second;
    struct sp_store_head h;
    struct sp_id refs[33], data, root;
    size_t before;

    (void)state;
    for (size_t i = 0; i < 32; i++) { /* nodes in several packs */
        struct sp_id ids[100];
        size_t len;
        uint8_t *block = party_many(&host, 100, 20, ids, &len);

        put_block(s, block, len);
        refs[i] = put_node(s, &host, ids, 100);
    }
    root = put_node(s, &host, refs, 32);
    party_record(&host, SP_RECORD_SET, "job", NULL, &root, &first);
    recorder->reads = true;
    ok(try_commit(s, SP_RECORD_SET, &first));
    assert_true(count_objects(place.below, "nodes") >= 4);
    before = lines(recorder_log(recorder), "get nodes\n");
    assert_true(before >= 4);

    recorder_reset(recorder);
    memset(&h, 0, sizeof(h));
    ok(sp_store_head(s, "job", &h, &err));
    assert_true(h.set_whole);
    sp_store_head_clear(&h);
    data = put_data(s, &host, 100);
    refs[32] = put_node(s, &host, &data, 1);
    root = put_node(s, &host, refs, 33);
    party_record(&host, SP_RECORD_SET, "job", &first, &root, &second);
    ok(try_commit(s, SP_RECORD_SET, &second));
    assert_true(lines(recorder_log(recorder), "get nodes\n") <= 2); /* only the new ones */

    assert_true(remove_all(place.below, "packs") > 0);
    ok(sp_store_head(s, "job", &h, &err));
    assert_false(h.set_whole);
    assert_int_equal(h.nmissing, 3201);
    sp_store_head_clear(&h);
    sp_buf_free(&first.object);
    sp_buf_free(&second.object);
    sp_store_free(s);
}

/* A node whose block went bad counts as missing, and what is put again counts. */
static void
test_bad_node(void **state)
{
    struct recorder *recorder;
    struct sp_store *s = open_store(&recorder, "cache");
    struct made_record first, second;
    struct sp_store_head h;
    struct sp_id ids[3];
    uint8_t *p;
    size_t n;
    char name[192];

    (void)state;
    make_set(s, &host, "job", NULL, 2, ids, &first);
    sp_store_free(s);
    first_object(place.below, "nodes", name, NULL);
    ok(sp_backend_get_all(place.below, name, 1u << 20, &p, &n, &err));
    p[8] ^= 1; /* the first block's first byte; the trailer is as it was */
    overwrite(place.below, name, p, n);
    free(p);
    s = open_store(&recorder, "another cache"); /* without what the first one proved */
    assert_int_equal(have_one(s, true, &ids[2]), SP_HAVE_MINE); /* nobody has looked yet */
    memset(&h, 0, sizeof(h));
    ok(sp_store_head(s, "job", &h, &err));
    assert_false(h.set_whole);
    assert_int_equal(h.nmissing, 1);
    assert_memory_equal(&h.missing[0], &ids[2], sizeof(ids[2]));
    sp_store_head_clear(&h);
    assert_int_equal(have_one(s, true, &ids[2]), SP_HAVE_NO);
    make_set(s, &host, "job", &first, 2, ids, &second);
    ok(sp_store_head(s, "job", &h, &err));
    assert_true(h.set_whole);
    sp_store_head_clear(&h);
    sp_buf_free(&first.object);
    sp_buf_free(&second.object);
    sp_store_free(s);
}

/* What a check found bad the next run stores again, although it has read nothing of it itself; a
 * check that finds the pack good again takes that back. */
static enum sp_code
any_finding(void *arg, const struct sp_check_finding *f, struct sp_err *e)
{
    (void)e;
    *(bool *)arg |= f->severity == SP_FINDING_FAULT;
    return SP_OK;
}

static bool
check_finds_faults(void)
{
    const struct sp_check_options o = {.depth = SP_CHECK_DATA};
    struct sp_check_totals totals;
    struct sp_repository *r;
    bool faults = false;

    ok(place_open(&place, false, "cache", NULL, &r));
    ok(sp_repository_check(r, NULL, &o, any_finding, &faults, &totals, &err));
    sp_repository_free(r);
    return faults;
}

static void
test_bad_found_by_check(void **state)
{
    struct recorder *recorder;
    struct sp_store *s = open_store(&recorder, "cache");
    struct made_record first, second;
    struct sp_id ids[3];
    uint8_t *p;
    size_t n;
    char name[192];

    (void)state;
    make_set(s, &host, "job", NULL, 2, ids, &first);
    sp_store_free(s);
    first_object(place.below, "packs", name, NULL);
    ok(sp_backend_get_all(place.below, name, 1u << 20, &p, &n, &err));
    p[n / 4] ^= 1;
    overwrite(place.below, name, p, n);
    assert_true(check_finds_faults());
    s = open_store(&recorder, "another cache");
    assert_int_equal(have_one(s, false, &ids[0]), SP_HAVE_MINE); /* told to the other cache */
    sp_store_free(s);
    s = open_store(&recorder, "cache");
    assert_int_equal(have_one(s, false, &ids[0]), SP_HAVE_NO);
    make_set(s, &host, "job", &first, 2, ids, &second);
    sp_store_free(s);

    p[n / 4] ^= 1; /* it is put back: and trusted once it was read */
    overwrite(place.below, name, p, n);
    assert_false(check_finds_faults());
    s = open_store(&recorder, "cache");
    assert_int_equal(have_one(s, false, &ids[0]), SP_HAVE_MINE);
    sp_store_free(s);
    free(p);
    sp_buf_free(&first.object);
    sp_buf_free(&second.object);
}

/* --- from run to run ------------------------------------------------------------------------- */

static int64_t now_of_test_ns;

static int64_t
test_now(void *self)
{
    (void)self;
    return now_of_test_ns;
}

static const struct sp_clock test_clock_table = {test_now, test_now, NULL};

/* Opens with the test's clock and gives how often nodes were read for a head that is whole. */
static size_t
nodes_read_for_head(void)
{
    static const struct sp_env env = {&sp_os_system, &test_clock_table, &sp_random_system};
    struct recorder *recorder = recorder_new(place.below);
    struct sp_repository *r;
    struct sp_store_head h;
    char path[128];
    const struct sp_repository_options o = {.cache_dir = path, .write = true};
    size_t n;

    (void)snprintf(path, sizeof(path), "%s/cache", place.base);
    recorder->reads = true;
    ok(sp_repository_open(&recorder->head, &env, &o, &r, &err));
    memset(&h, 0, sizeof(h));
    ok(sp_repository_head(r, host.host, party_group(&host), "job", &h, &err));
    assert_true(h.has_set);
    n = h.set_whole ? lines(recorder_log(recorder), "get nodes\n") : 1000;
    sp_store_head_clear(&h);
    sp_repository_free(r);
    return n;
}

static enum sp_code
find_known(void *arg, const char *name, const struct sp_os_stat *st, struct sp_err *e)
{
    (void)st;
    (void)e;
    if (strncmp(name, "known-", 6) == 0)
        strcpy(arg, name);
    return SP_OK;
}

/* Trailer and bytes: each process reads the node packs back before it relies on them. */
#define READ_BACK 2

/* What one run proved the next one need not walk again, while nothing speaks against it. */
static void
test_known_file(void **state)
{
    struct sp_store *s;
    struct recorder *recorder;
    struct made_record r;
    struct sp_id ids[3];
    struct sp_repository *repository;
    char folder[128], name[256] = "", path[400];
    uint8_t *p;
    size_t n;

    (void)state;
    s = open_store(&recorder, "cache");
    make_set(s, &host, "job", NULL, 2, ids, &r);
    sp_store_free(s);
    now_of_test_ns = sp_clock_wall(&sp_clock_system);
    assert_int_equal(nodes_read_for_head(), READ_BACK);
    now_of_test_ns -= 3600 * SP_SECOND; /* a clock that went back */
    assert_int_equal(nodes_read_for_head(), READ_BACK + 1);
    assert_int_equal(nodes_read_for_head(), READ_BACK); /* proven anew */
    now_of_test_ns += 8 * 24 * 3600 * SP_SECOND;        /* a week is over */
    assert_int_equal(nodes_read_for_head(), READ_BACK + 1);
    assert_int_equal(nodes_read_for_head(), READ_BACK);

    /* A damaged file is none. */
    ok(place_open(&place, true, "cache", NULL, &repository));
    (void)snprintf(folder, sizeof(folder), "%s/cache/%.32s", place.base,
        sp_hex16(sp_repository_conf(repository)->id).s);
    sp_repository_free(repository);
    ok(sp_os_system.list(NULL, folder, false, find_known, name, &err));
    assert_true(name[0] != '\0');
    (void)snprintf(path, sizeof(path), "%s/%.200s", folder, name);
    ok(sp_os_read_file(&sp_os_system, path, 1u << 20, &p, &n, &err));
    for (size_t i = 0; i < n; i += 7) {
        p[i] ^= 1;
        ok(sp_os_write_file(&sp_os_system, path, p, n, &err));
        p[i] ^= 1;
        assert_int_equal(nodes_read_for_head(), READ_BACK + 1);
    }
    ok(sp_os_write_file(&sp_os_system, path, p, n / 2, &err));
    assert_int_equal(nodes_read_for_head(), READ_BACK + 1);
    assert_int_equal(nodes_read_for_head(), READ_BACK);
    free(p);

    /* A pack that the proof may rest on is gone. */
    assert_true(remove_all(place.below, "packs") > 0);
    assert_int_equal(nodes_read_for_head(), 1000);
    sp_buf_free(&r.object);
}

#define DAY (24 * 3600 * SP_SECOND)

/* The minute in which the host's node packs were read last, as the next program knows it. */
static uint32_t
minute_remembered(void)
{
    static const struct sp_env env = {&sp_os_system, &test_clock_table, &sp_random_system};
    const struct sp_reader_scope scope = {host.host, party_group(&host)};
    struct sp_repository *r;
    char path[128];
    const struct sp_repository_options o = {.cache_dir = path, .write = true};
    uint32_t minute = 0;
    size_t lost;

    (void)snprintf(path, sizeof(path), "%s/cache", place.base);
    ok(sp_repository_open(&recorder_new(place.below)->head, &env, &o, &r, &err));
    ok(sp_repository_refresh(r, &lost, &err));
    assert_non_null(sp_known_of(r, &scope));
    for (size_t i = 0; i < sp_presence_count(r->presence); i++) {
        const struct sp_pack_state *s = sp_presence_at(r->presence, (uint32_t)i);

        if (s->kind == SP_PACK_NODES && s->proved_min > minute)
            minute = s->proved_min;
    }
    sp_repository_free(r);
    return minute;
}

/* Which packs were read when is kept although nothing new was proven, and longer than what was: or
 * a run would read the same packs as the one before, and all of them at once each week. */
static void
test_times_of_reading_are_kept(void **state)
{
    struct sp_store *s;
    struct recorder *recorder;
    struct made_record r;
    struct sp_id ids[3];
    uint32_t minute;

    (void)state;
    s = open_store(&recorder, "cache");
    make_set(s, &host, "job", NULL, 2, ids, &r);
    sp_store_free(s);
    now_of_test_ns = sp_clock_wall(&sp_clock_system) + DAY;
    minute = (uint32_t)(now_of_test_ns / (60 * SP_SECOND));
    assert_int_equal(nodes_read_for_head(), READ_BACK);
    assert_int_equal(minute_remembered(), minute);
    now_of_test_ns += 9 * DAY;
    assert_int_equal(minute_remembered(), minute);
    sp_buf_free(&r.object);
}

/* --- read-only ----------------------------------------------------------------------------- */

static enum sp_code
ignore_finding(void *arg, const struct sp_check_finding *f, struct sp_err *e)
{
    (void)f;
    (void)e;
    ++*(size_t *)arg;
    return SP_OK;
}

static enum sp_code
count_set(void *arg, const struct sp_set_info *i, struct sp_err *e)
{
    (void)i;
    (void)e;
    ++*(size_t *)arg;
    return SP_OK;
}

static enum sp_code
no_block(void *arg, const uint8_t *block, size_t n, const uint32_t *wanted, size_t nwanted,
    struct sp_err *e)
{
    (void)block;
    (void)n;
    (void)wanted;
    (void)e;
    *(size_t *)arg += nwanted;
    return SP_OK;
}

/* Everything that reads, on a repository in which much is wrong: and nothing is written (R12). */
static void
test_read_only(void **state)
{
    struct recorder *recorder;
    struct sp_store *s = open_store(&recorder, "cache");
    struct made_record r[2];
    struct sp_id ids[4], *missing = NULL;
    struct sp_check_options o = {.depth = SP_CHECK_DATA};
    struct sp_check_totals t;
    struct sp_repository *repository;
    struct sp_store_info info;
    struct sp_commit_result result;
    size_t findings = 0, sets = 0, got = 0, n, objects, lost;
    uint8_t answer, *block;
    bool more;
    char name[192];

    (void)state;
    make_set(s, &host, "job", NULL, 3, ids, &r[0]);
    remove_all(place.below, "index");
    make_set(s, &host, "job", &r[0], 3, ids, &r[1]);
    first_object(place.below, "packs", name, NULL);
    overwrite(place.below, name, "short", 5);
    sp_store_free(s);
    objects = count_objects(place.below, "");

    for (int write = 0; write < 2; write++) { /* check does not, even when it could */
        ok(place_open(&place, write == 1, write == 1 ? "one" : "other", &recorder, &repository));
        ok(sp_repository_check(repository, NULL, &o, ignore_finding, &findings, &t, &err));
        assert_true(t.faults > 0);
        ok(sp_repository_check(repository, host.host, &o, ignore_finding, &findings, &t, &err));
        assert_true(t.faults > 0);
        ok(sp_repository_refresh(repository, &lost, &err));
        if (write == 1) {
            assert_string_equal(recorder_log(recorder), "");
            sp_repository_free(repository);
        } else {
            gives(SP_REFUSED,
                sp_repository_put_slot(repository, host.slot.data, host.slot.len, &err));
            gives(SP_REFUSED,
                sp_repository_put_host(repository, host.encoded.data, host.encoded.len, &err));
            gives(SP_REFUSED, sp_repository_remove_slot(repository, host.host, host.host, &err));
            ok(sp_store_repository_new(
                repository, "test", host.host, party_group(&host), &s, &err));
            ok(sp_store_info(s, &info, &err));
            assert_false(info.writable);
            assert_true(strlen(info.why_not) > 0);
            ok(sp_store_list(s, true, true, count_set, &sets, &err));
            assert_int_equal(sets, 2);
            ok(sp_store_missing(s, r[0].set_id, &missing, &n, &more, &err));
            free(missing);
            ok(sp_store_get(s, ids, 4, 0, no_block, &got, &err));
            gives(SP_REFUSED, sp_store_have(s, false, ids, 1, &answer, &err));
            gives(SP_REFUSED, sp_store_flush(s, &err));
            block = party_data(&host, 100, ids, &n);
            gives(SP_REFUSED, sp_store_put(s, block, n, &err));
            memset(&result, 0, sizeof(result));
            gives(SP_REFUSED, sp_store_commit(s, SP_RECORD_SET, r[0].object.data, r[0].object.len,
                                  &result, &err));
            assert_string_equal(recorder_log(recorder), "");
            sp_store_free(s);
        }
        assert_int_equal(count_objects(place.below, ""), objects);
    }
    sp_buf_free(&r[0].object);
    sp_buf_free(&r[1].object);
}

/* A node that rotted where it lies is not relied on, though name and size of its pack are as they
 * were and all of it was known whole. */
static void
test_rotten_node(void **state)
{
    struct sp_store *s;
    struct recorder *recorder;
    struct made_record r;
    struct sp_id ids[3];
    struct sp_store_head h;
    char name[192];
    uint8_t *p;
    size_t n;

    (void)state;
    s = open_store(&recorder, "cache");
    make_set(s, &host, "job", NULL, 2, ids, &r);
    sp_store_free(s);
    first_object(place.below, "nodes", name, NULL);
    ok(sp_backend_get_all(place.below, name, 1u << 30, &p, &n, &err));
    now_of_test_ns = sp_clock_wall(&sp_clock_system);
    assert_int_equal(nodes_read_for_head(), READ_BACK); /* whole, and known */
    p[8 + 64 + 3 * 32 + 20] ^= 1;                       /* behind the header: sealed */
    overwrite(place.below, name, p, n);
    assert_int_equal(nodes_read_for_head(), 1000); /* not whole */
    s = open_store(&recorder, "cache");
    memset(&h, 0, sizeof(h));
    ok(sp_store_head(s, "job", &h, &err));
    assert_false(h.set_whole);
    assert_int_equal(h.nmissing, 1);
    assert_memory_equal(h.missing[0].b, ids[2].b, 32);
    assert_int_equal(have_one(s, true, &ids[2]), SP_HAVE_NO);
    sp_store_head_clear(&h);
    sp_store_free(s);
    free(p);
    sp_buf_free(&r.object);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_order, begin, end),
        cmocka_unit_test_setup_teardown(test_recheck, begin, end),
        cmocka_unit_test(test_faults),
        cmocka_unit_test_setup_teardown(test_faults_before, begin, end),
        cmocka_unit_test_setup_teardown(test_clock, begin, end),
        cmocka_unit_test_setup_teardown(test_known_whole, begin, end),
        cmocka_unit_test_setup_teardown(test_bad_node, begin, end),
        cmocka_unit_test_setup_teardown(test_bad_found_by_check, begin, end),
        cmocka_unit_test_setup_teardown(test_known_file, begin, end),
        cmocka_unit_test_setup_teardown(test_times_of_reading_are_kept, begin, end),
        cmocka_unit_test_setup_teardown(test_rotten_node, begin, end),
        cmocka_unit_test_setup_teardown(test_read_only, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
