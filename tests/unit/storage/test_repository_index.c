/* What a repository knows of its packs, and where it knows it from. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/text.h"
#include "expect.h"
#include "place.h"
#include "storage/memtable.h"

static struct place place;
static struct party host;

static int
begin(void **state)
{
    (void)state;
    place_begin(&place, true);
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

static struct sp_upload *
upload_of(struct sp_repository *r)
{
    struct sp_upload *u;

    ok(sp_upload_new(r, host.host, party_group(&host), &u, &err));
    return u;
}

static struct sp_id
put(struct sp_upload *u, size_t n, struct sp_upload_durable *ret)
{
    struct sp_upload_durable durable;
    struct sp_id id;
    size_t len;
    uint8_t *block = party_data(&host, n, &id, &len);

    ok(sp_upload_put(u, block, len, ret == NULL ? &durable : ret, &err));
    free(block);
    return id;
}

static void
flush(struct sp_upload *u)
{
    struct sp_upload_durable durable;

    ok(sp_upload_flush(u, &durable, &err));
}

static enum sp_have
have(struct sp_upload *u, const struct sp_id *id)
{
    uint8_t answer;

    ok(sp_upload_have(u, false, id, 1, &answer, &err));
    return (enum sp_have)answer;
}

/* n chunks in packs and index; the repository is closed again. */
static void
fill(struct sp_id *ids, size_t n)
{
    struct sp_repository *r = place_repository(&place, "filler");
    struct sp_upload *u = upload_of(r);

    for (size_t i = 0; i < n; i++)
        ids[i] = put(u, 4096, NULL);
    flush(u);
    sp_upload_free(u);
    sp_repository_free(r);
}

static void
all_mine(struct sp_repository *r, const struct sp_id *ids, size_t n)
{
    struct sp_upload *u = upload_of(r);

    for (size_t i = 0; i < n; i++)
        assert_int_equal(have(u, &ids[i]), SP_HAVE_MINE);
    sp_upload_free(u);
}

static void
drop_cache(const char *name)
{
    char path[128];

    (void)snprintf(path, sizeof(path), "%s/%s", place.base, name);
    ok(sp_os_remove_tree(&sp_os_system, path, &err));
}

/* The one file of a cache folder, or "". */
static enum sp_code
keep_name(void *arg, const char *name, const struct sp_os_stat *st, struct sp_err *e)
{
    (void)st;
    (void)e;
    strcpy(arg, name);
    return SP_OK;
}

static void
cache_file(struct sp_repository *r, const char *cache, char path[400])
{
    char folder[128], name[256] = "";

    (void)snprintf(folder, sizeof(folder), "%s/%s/%.32s", place.base, cache,
        sp_hex16(sp_repository_conf(r)->id).s);
    ok(sp_os_system.list(NULL, folder, false, keep_name, name, &err));
    (void)snprintf(path, 400, "%s/%.200s", folder, name);
}

static void
test_reopened(void **state)
{
    struct sp_id ids[40];
    struct sp_repository *r;
    struct recorder *recorder;

    (void)state;
    fill(ids, 40);
    assert_int_equal(count_objects(place.below, "index"), 1);
    ok(place_open(&place, true, "cache", &recorder, &r));
    all_mine(r, ids, 40);
    sp_repository_free(r);

    /* With the cache nothing but listings is read; without it the segment, never the packs. */
    for (int i = 0; i < 2; i++) {
        recorder = recorder_new(place.below);
        recorder->reads = true;
        {
            char path[128];
            const struct sp_repository_options o = {.cache_dir = path, .write = true};

            (void)snprintf(path, sizeof(path), "%s/cache", place.base);
            ok(sp_repository_open(&recorder->head, &sp_env_system, &o, &r, &err));
        }
        all_mine(r, ids, 40);
        assert_null(strstr(recorder_log(recorder), "get packs"));
        assert_int_equal(strstr(recorder_log(recorder), "get index") != NULL, i == 1);
        sp_repository_free(r);
        drop_cache("cache");
    }
}

/* Packs that no segment speaks of tell themselves; the next flush writes what they told. */
static void
test_learnt(void **state)
{
    struct sp_id ids[40];
    struct sp_repository *r;
    struct sp_upload *u;

    (void)state;
    fill(ids, 40);
    assert_int_equal(remove_all(place.below, "index"), 1);
    for (int i = 0; i < 2; i++) { /* with a cache of before, and with none */
        r = place_repository(&place, i == 0 ? "filler" : "cache");
        u = upload_of(r);
        for (size_t k = 0; k < 40; k++)
            assert_int_equal(have(u, &ids[k]), SP_HAVE_MINE);
        assert_int_equal(count_objects(place.below, "index"), 0); /* reading writes nothing */
        if (i == 1)
            flush(u);
        sp_upload_free(u);
        sp_repository_free(r);
        assert_int_equal(count_objects(place.below, "index"), 1);
        if (i == 0)
            remove_all(place.below, "index");
    }
}

/* A segment that is not what its name says is done without; a damaged copy is fetched again. */
static void
test_bad_segment(void **state)
{
    struct sp_id ids[10];
    struct sp_repository *r;
    uint8_t *p;
    size_t n;
    char name[192], path[400];
    FILE *f;

    (void)state;
    fill(ids, 10);
    r = place_repository(&place, "cache");
    cache_file(r, "cache", path);
    sp_repository_free(r);
    f = fopen(path, "w"); /* what a power cut may leave */
    assert_non_null(f);
    assert_int_equal(fclose(f), 0);
    r = place_repository(&place, "cache");
    all_mine(r, ids, 10);
    sp_repository_free(r);

    first_object(place.below, "index", name, NULL);
    ok(sp_backend_get_all(place.below, name, 1u << 20, &p, &n, &err));
    p[n - 1] ^= 1;
    overwrite(place.below, name, p, n);
    drop_cache("cache");
    r = place_repository(&place, "cache");
    all_mine(r, ids, 10);
    sp_repository_free(r);
    overwrite(place.below, name, p, n / 2);
    r = place_repository(&place, "cache");
    all_mine(r, ids, 10);
    sp_repository_free(r);
    free(p);
}

static void
test_truncated_pack(void **state)
{
    struct sp_id ids[4];
    struct sp_repository *r;
    struct sp_upload *u;
    uint8_t *p;
    size_t n, lost;
    char name[192];

    (void)state;
    fill(ids, 4);
    first_object(place.below, "packs", name, NULL);
    ok(sp_backend_get_all(place.below, name, 1u << 20, &p, &n, &err));
    r = place_repository(&place, "cache");
    u = upload_of(r);
    assert_int_equal(have(u, &ids[0]), SP_HAVE_MINE);
    for (size_t size = 0; size < n; size += n / 3) {
        overwrite(place.below, name, p, size);
        ok(sp_repository_refresh(r, &lost, &err));
        assert_int_equal(lost, size == 0); /* only the first time it was there before */
        assert_int_equal(have(u, &ids[0]), SP_HAVE_NO);
    }
    overwrite(place.below, name, p, n);
    ok(sp_repository_refresh(r, &lost, &err));
    assert_int_equal(have(u, &ids[0]), SP_HAVE_MINE); /* it came back */
    free(p);
    sp_upload_free(u);
    sp_repository_free(r);
}

/* A pack of another repository is none of ours. */
static void
test_foreign_pack(void **state)
{
    struct place other;
    struct sp_repository *r;
    struct sp_upload *u;
    struct sp_id id;
    uint8_t *p;
    size_t n, lost;
    char name[192];

    (void)state;
    place_begin(&other, false);
    r = place_repository(&other, "cache");
    u = upload_of(r);
    id = put(u, 4096, NULL);
    flush(u);
    sp_upload_free(u);
    sp_repository_free(r);
    first_object(other.below, "packs", name, NULL);
    ok(sp_backend_get_all(other.below, name, 1u << 20, &p, &n, &err));
    r = place_repository(&place, "cache");
    u = upload_of(r);
    ok(sp_backend_put(place.below, name, p, n, &err));
    ok(sp_repository_refresh(r, &lost, &err));
    assert_int_equal(have(u, &id), SP_HAVE_NO);
    sp_upload_free(u);
    sp_repository_free(r);
    free(p);
    place_end(&other);
}

static struct sp_repository *
open_folder(const char *cache)
{
    struct sp_repository *r = NULL;
    struct sp_backend *b;
    char folder[128], path[128];
    const struct sp_repository_options o = {.cache_dir = path, .write = true};

    (void)snprintf(folder, sizeof(folder), "%s/repository", place.base);
    (void)snprintf(path, sizeof(path), "%s/%s", place.base, cache);
    ok(sp_backend_dir_open(&sp_env_system, folder, false, &b, &err));
    ok(sp_repository_open(b, &sp_env_system, &o, &r, &err));
    return r;
}

/* Two programs on one repository, even with one cache folder: each sees after a refresh what the
 * other has done. */
static void
test_two_programs(void **state)
{
    struct sp_repository *a = open_folder("cache");
    struct sp_repository *b = open_folder("cache");
    struct sp_upload *ua = upload_of(a), *ub = upload_of(b);
    struct sp_id x = put(ua, 4096, NULL), y = put(ub, 4096, NULL);
    size_t lost;

    (void)state;
    assert_int_equal(have(ub, &x), SP_HAVE_NO);
    flush(ua);
    flush(ub);
    ok(sp_repository_refresh(b, &lost, &err));
    assert_int_equal(lost, 0);
    assert_int_equal(have(ub, &x), SP_HAVE_MINE);
    ok(sp_repository_refresh(a, &lost, &err));
    assert_int_equal(have(ua, &y), SP_HAVE_MINE);
    sp_upload_free(ua);
    sp_upload_free(ub);
    sp_repository_free(a);
    sp_repository_free(b);
}

/* The index folder is deleted, or its segments are replaced by another program, while we run. */
static void
test_index_gone_while_open(void **state)
{
    struct sp_id ids[10];
    struct sp_repository *r;
    size_t lost;

    (void)state;
    fill(ids, 10);
    r = place_repository(&place, "cache");
    remove_all(place.below, "index");
    ok(sp_repository_refresh(r, &lost, &err));
    assert_int_equal(lost, 0);
    all_mine(r, ids, 10);
    sp_repository_free(r);
}

static void
test_cut_upload(void **state)
{
    struct sp_repository *r = place_repository(&place, "cache");
    struct sp_upload *u = upload_of(r);
    struct sp_upload_durable d = {0, 0};
    struct sp_id ids[40], node;
    uint8_t *block;
    size_t len, i;

    (void)state;
    /* 64 KiB a pack and nearly 8 KiB a block: durable is a prefix, a pack at a time. */
    for (i = 0; i < 40; i++) {
        ids[i] = put(u, 8000, &d);
        assert_true(d.data <= i + 1);
        assert_true(i + 1 - d.data <= 8);
    }
    assert_true(d.data >= 32);
    assert_int_equal(d.nodes, 0);
    block = party_node(&host, ids, 1, &node, &len);
    ok(sp_upload_put(u, block, len, &d, &err));
    free(block);
    assert_int_equal(d.nodes, 0);
    ok(sp_upload_flush(u, &d, &err));
    assert_int_equal(d.data, 40);
    assert_int_equal(d.nodes, 1);
    assert_true(count_objects(place.below, "packs") >= 5);

    /* What is open when an upload ends is kept for the next run. */
    ids[0] = put(u, 100, NULL);
    sp_upload_free(u);
    sp_upload_free(NULL);
    sp_repository_free(r);
    r = place_repository(&place, "cache");
    all_mine(r, ids, 40);
    sp_repository_free(r);
}

static void
test_bad_blocks(void **state)
{
    struct sp_repository *r = place_repository(&place, "cache");
    struct sp_upload *u = upload_of(r);
    struct sp_upload_durable d;
    struct party other;
    struct sp_id id;
    uint8_t *block;
    size_t len;

    (void)state;
    party_init(&other, "other", NULL);
    block = party_data(&other, 500, &id, &len);
    gives(SP_REFUSED, sp_upload_put(u, block, len, &d, &err)); /* another group's */
    free(block);
    block = party_data(&host, 500, &id, &len);
    gives(SP_CORRUPT, sp_upload_put(u, block, len - 1, &d, &err));
    gives(SP_CORRUPT, sp_upload_put(u, block, 10, &d, &err));
    block[5] = SP_BLOCK_RECORD;
    gives(SP_INVALID, sp_upload_put(u, block, len, &d, &err));
    block[0] = 'x';
    gives(SP_CORRUPT, sp_upload_put(u, block, len, &d, &err));
    free(block);
    id = put(u, 500, NULL); /* which harmed nothing */
    flush(u);
    assert_int_equal(have(u, &id), SP_HAVE_MINE);
    party_free(&other);
    sp_upload_free(u);
    sp_repository_free(r);
}

/* Many small segments become one, and what it replaces goes. */
static void
test_tidy(void **state)
{
    struct sp_store *s = place_store(&place, &host, "cache");
    struct made_record r[12];
    struct sp_id ids[12][4], all[36];
    struct sp_repository *again;
    size_t most = 0;

    (void)state;
    for (size_t i = 0; i < 12; i++) {
        size_t n;

        make_set(s, &host, "job", i == 0 ? NULL : &r[i - 1], 3, ids[i], &r[i]);
        memcpy(all + 3 * i, ids[i], 3 * sizeof(ids[i][0]));
        n = count_objects(place.below, "index");
        most = n > most ? n : most;
    }
    assert_true(most <= 8); /* the ninth is merged as soon as it is there */
    assert_true(count_objects(place.below, "index") < 8);
    for (size_t i = 0; i < 36; i++)
        assert_int_equal(have_one(s, false, &all[i]), SP_HAVE_MINE);
    sp_store_free(s);
    again = place_repository(&place, "another cache");
    all_mine(again, all, 36);
    sp_repository_free(again);
    for (size_t i = 0; i < 12; i++)
        sp_buf_free(&r[i].object);
}

/* --- more than memory should hold ---------------------------------------------------------- */

#define MANY (SP_MEMTABLE_FULL / SP_BLOCK_MAX_IDS + 3)

static enum sp_code
count_wanted(void *arg, const uint8_t *block, size_t n, const uint32_t *wanted, size_t nwanted,
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
gets_all(struct sp_repository *r, const struct sp_id *ids)
{
    size_t got = 0;

    ok(sp_repository_get(r, NULL, ids, MANY, 0, count_wanted, &got, &err));
    assert_int_equal(got, MANY);
}

static void
test_spill(void **state)
{
    struct sp_id *ids = malloc(SP_BLOCK_MAX_IDS * sizeof(*ids)), some[MANY];
    struct sp_repository *r = place_repository(&place, "filler");
    struct sp_upload *u = upload_of(r);
    struct sp_upload_durable d;
    struct recorder *recorder;
    char path[400];
    size_t before;

    (void)state;
    assert_non_null(ids);
    for (size_t i = 0; i < MANY; i++) {
        size_t len;
        uint8_t *block = party_many(&host, SP_BLOCK_MAX_IDS, 8, ids, &len);

        some[i] = ids[i % SP_BLOCK_MAX_IDS];
        ok(sp_upload_put(u, block, len, &d, &err));
        free(block);
    }
    /* While it still uploads the index has been written once. */
    assert_int_equal(count_objects(place.below, "index"), 1);
    flush(u);
    assert_int_equal(count_objects(place.below, "index"), 2);
    sp_upload_free(u);
    sp_repository_free(r);

    /* Without the index and for reading only: into the cache folder, never into the repository. */
    assert_int_equal(remove_all(place.below, "index"), 2);
    ok(place_open(&place, false, "cache", &recorder, &r));
    assert_string_equal(recorder_log(recorder), "");
    cache_file(r, "cache", path);
    assert_non_null(strstr(path, ".local"));
    gets_all(r, some);
    sp_repository_free(r);

    /* The next program of this cache need not read those trailers again. */
    recorder = recorder_new(place.below);
    recorder->reads = true;
    {
        char folder[128];
        const struct sp_repository_options o = {.cache_dir = folder, .write = true};

        (void)snprintf(folder, sizeof(folder), "%s/cache", place.base);
        ok(sp_repository_open(&recorder->head, &sp_env_system, &o, &r, &err));
    }
    before = 0;
    for (const char *p = recorder_log(recorder); (p = strstr(p, "get packs")) != NULL; p++)
        before++;
    assert_true(before < count_objects(place.below, "packs") / 2);
    gets_all(r, some);
    u = upload_of(r);
    flush(u); /* and one that writes puts them into the repository */
    assert_int_equal(count_objects(place.below, "index"), 2);
    sp_upload_free(u);
    sp_repository_free(r);
    free(ids);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_reopened, begin, end),
        cmocka_unit_test_setup_teardown(test_learnt, begin, end),
        cmocka_unit_test_setup_teardown(test_bad_segment, begin, end),
        cmocka_unit_test_setup_teardown(test_truncated_pack, begin, end),
        cmocka_unit_test_setup_teardown(test_foreign_pack, begin, end),
        cmocka_unit_test_setup_teardown(test_two_programs, begin, end),
        cmocka_unit_test_setup_teardown(test_index_gone_while_open, begin, end),
        cmocka_unit_test_setup_teardown(test_cut_upload, begin, end),
        cmocka_unit_test_setup_teardown(test_bad_blocks, begin, end),
        cmocka_unit_test_setup_teardown(test_tidy, begin, end),
        cmocka_unit_test_setup_teardown(test_spill, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
