/* Making and opening repositories, and their small objects. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/text.h"
#include "expect.h"
#include "place.h"
#include "storage/crypto.h"

static struct place place;

static int
begin(void **state)
{
    (void)state;
    place_begin(&place, false);
    return 0;
}

static int
end(void **state)
{
    (void)state;
    place_end(&place);
    return 0;
}

static enum sp_code
open_as(bool write, const uint8_t *server_id)
{
    struct recorder *recorder = recorder_new(place.below);
    struct sp_repository *r = NULL;
    char path[128];
    const struct sp_repository_options o = {
        .cache_dir = path, .write = write, .server_id = server_id};
    enum sp_code rc;

    (void)snprintf(path, sizeof(path), "%s/cache", place.base);
    rc = sp_repository_open(&recorder->head, &sp_env_system, &o, &r, &err);
    if (rc == SP_OK)
        sp_repository_free(r);
    return rc;
}

static void
test_create(void **state)
{
    const struct sp_repository_conf conf = {.pack_size = 0};
    const uint8_t zero[16] = {0}, server[16] = {1, 2, 3};
    struct sp_repository_conf made;
    struct sp_backend *b;
    uint8_t *p;
    size_t n;

    (void)state;
    gives(SP_EXISTS, sp_repository_create(place.below, &sp_env_system, &conf, NULL, &err));
    ok(sp_backend_memory_new(&b, &err));
    ok(sp_repository_create(b, &sp_env_system, &conf, server, &err));
    ok(sp_backend_get_all(b, "repository.conf", 4096, &p, &n, &err));
    ok(sp_repository_conf_decode(p, n, &made, &err));
    free(p);
    assert_memory_not_equal(made.id, zero, 16);
    assert_int_equal(made.pack_size, 16u << 20);
    ok(sp_backend_get_all(b, "owner", 4096, &p, &n, &err));
    assert_int_equal(n, 40);
    assert_memory_equal(p, "server 01020300000000000000000000000000\n", 40);
    free(p);
    sp_backend_free(b);
}

static void
test_no_conf(void **state)
{
    (void)state;
    ok(open_as(true, NULL));
    ok(sp_backend_remove(place.below, "repository.conf", &err));
    gives(SP_ABSENT, open_as(false, NULL));
    assert_non_null(strstr(err.text, "mounted"));
}

static void
test_bad_conf(void **state)
{
    uint8_t *p, hash[32];
    size_t n;
    char text[512];

    (void)state;
    ok(sp_backend_get_all(place.below, "repository.conf", 4096, &p, &n, &err));
    p[30] ^= 1;
    overwrite(place.below, "repository.conf", p, n);
    free(p);
    gives(SP_CORRUPT, open_as(false, NULL));
    strcpy(text, "stillpoint repository\nversion = 9\n");
    ok(sp_sha256(text, strlen(text), hash, &err));
    (void)snprintf(text + strlen(text), 100, "sha256 = %s\n", sp_hex32(hash).s);
    overwrite(place.below, "repository.conf", text, strlen(text));
    gives(SP_UNSUPPORTED, open_as(false, NULL));
    assert_non_null(strstr(err.text, "version 9"));
}

static void
test_owner(void **state)
{
    const uint8_t server[16] = {0xaa}, other[16] = {0xbb};
    const char text[] = "server aa000000000000000000000000000000\n";

    (void)state;
    ok(open_as(true, server)); /* one without an owner, opened by a server */
    ok(sp_backend_put(place.below, "owner", text, strlen(text), &err));
    gives(SP_REFUSED, open_as(true, NULL));
    assert_non_null(strstr(err.text, "aa000000000000000000000000000000"));
    assert_non_null(strstr(err.text, "read-only"));
    ok(open_as(false, NULL));
    ok(open_as(true, server));
    gives(SP_REFUSED, open_as(true, other));
    overwrite(place.below, "owner", "someone\n", 8);
    gives(SP_REFUSED, open_as(true, server));
    ok(open_as(false, NULL));
}

/* What was unmounted while it was open does not look like one that lost everything. */
static void
test_unmounted(void **state)
{
    struct sp_repository *r = place_repository(&place, "cache");
    size_t lost = 0;

    (void)state;
    ok(sp_repository_refresh(r, &lost, &err));
    ok(sp_backend_remove(place.below, "repository.conf", &err));
    gives(SP_UNREACHABLE, sp_repository_refresh(r, &lost, &err));
    sp_repository_free(r);
}

/* --- small objects ------------------------------------------------------------------------- */

static enum sp_code
count(void *arg, const uint8_t *slot, size_t n, struct sp_err *e)
{
    (void)slot;
    (void)n;
    (void)e;
    ++*(size_t *)arg;
    return SP_OK;
}

static size_t
slots_of(struct sp_repository *r, const uint8_t *group)
{
    size_t n = 0;

    ok(sp_repository_slots(r, group, count, &n, &err));
    return n;
}

/* The very same being there is success only behind a barrier: who named it may have been killed
 * before its own. */
static void
test_there_already(void **state)
{
    struct recorder *recorder;
    struct sp_repository *r = NULL;
    struct party a;

    (void)state;
    party_init(&a, "a", NULL);
    ok(place_open(&place, true, "cache", &recorder, &r));
    ok(sp_repository_put_slot(r, a.slot.data, a.slot.len, &err));
    ok(sp_repository_put_host(r, a.encoded.data, a.encoded.len, &err));
    recorder->reads = true;
    recorder_reset(recorder);
    ok(sp_repository_put_slot(r, a.slot.data, a.slot.len, &err));
    assert_non_null(strstr(recorder_log(recorder), "list keys\nsync\n"));
    recorder_reset(recorder);
    ok(sp_repository_put_host(r, a.encoded.data, a.encoded.len, &err));
    assert_non_null(strstr(recorder_log(recorder), "list hosts\n"));
    assert_non_null(strstr(recorder_log(recorder), "sync\n"));
    sp_repository_free(r);
    party_free(&a);
}

static void
test_slots(void **state)
{
    struct sp_repository *r = place_repository(&place, "cache");
    struct sp_slot_info info;
    struct party a, b;
    char name[160];

    (void)state;
    party_init(&a, "a", NULL);
    party_init(&b, "b", NULL);
    ok(sp_repository_put_slot(r, a.slot.data, a.slot.len, &err));
    ok(sp_repository_put_slot(r, a.slot.data, a.slot.len, &err));
    ok(sp_repository_put_slot(r, b.slot.data, b.slot.len, &err));
    assert_int_equal(slots_of(r, NULL), 2);
    assert_int_equal(slots_of(r, party_group(&a)), 1);
    assert_int_not_equal(sp_repository_put_slot(r, a.slot.data, a.slot.len - 1, &err), SP_OK);

    /* Another slot under that name is not replaced, and one under a false name is none. */
    ok(sp_slot_parse(a.slot.data, a.slot.len, &info, &err));
    (void)snprintf(
        name, sizeof(name), "keys/%.32s/%.32s", sp_hex16(info.group).s, sp_hex16(info.id).s);
    overwrite(place.below, name, b.slot.data, b.slot.len);
    assert_int_equal(slots_of(r, party_group(&a)), 0);
    gives(SP_EXISTS, sp_repository_put_slot(r, a.slot.data, a.slot.len, &err));
    ok(sp_repository_remove_slot(r, info.group, info.id, &err));
    ok(sp_repository_put_slot(r, a.slot.data, a.slot.len, &err));
    assert_int_equal(slots_of(r, party_group(&a)), 1);
    gives(SP_ABSENT, sp_repository_remove_slot(r, info.id, info.group, &err));
    party_free(&a);
    party_free(&b);
    sp_repository_free(r);
}

static void
has_host(struct sp_repository *r, const uint8_t host[16], const struct sp_buf *expected)
{
    uint8_t *p;
    size_t n;

    ok(sp_repository_host(r, host, &p, &n, &err));
    assert_int_equal(n, expected->len);
    assert_memory_equal(p, expected->data, n);
    free(p);
}

static void
test_hosts(void **state)
{
    struct sp_repository *r = place_repository(&place, "cache");
    struct sp_buf second = SP_BUF_INIT, third = SP_BUF_INIT;
    struct party a;
    char name[192];
    uint8_t *p;
    size_t n;

    (void)state;
    party_init(&a, "a", NULL);
    gives(SP_ABSENT, sp_repository_host(r, a.host, &p, &n, &err));
    ok(sp_repository_put_host(r, a.encoded.data, a.encoded.len, &err));
    ok(sp_repository_put_host(r, a.encoded.data, a.encoded.len, &err)); /* the very same */
    assert_int_equal(count_objects(place.below, "hosts"), 1);
    has_host(r, a.host, &a.encoded);
    strcpy(a.record.name, "renamed");
    ok(sp_host_encode(&a.record, a.keys, &second, &err));
    strcpy(a.record.name, "renamed again");
    ok(sp_host_encode(&a.record, a.keys, &third, &err));
    ok(sp_repository_put_host(r, second.data, second.len, &err));
    ok(sp_repository_put_host(r, third.data, third.len, &err));
    assert_int_equal(count_objects(place.below, "hosts"), 3);
    has_host(r, a.host, &third);

    /* A newest one that is damaged or empty counts as absent; the number is not used again. */
    (void)snprintf(name, sizeof(name), "hosts/%.32s.2", sp_hex16(a.host).s);
    overwrite(place.below, name, "rubbish", 7);
    has_host(r, a.host, &second);
    overwrite(place.below, name, "", 0);
    has_host(r, a.host, &second);
    ok(sp_repository_put_host(r, third.data, third.len, &err));
    has_host(r, a.host, &third);
    assert_int_equal(count_objects(place.below, "hosts"), 4);
    sp_buf_free(&second);
    sp_buf_free(&third);
    party_free(&a);
    sp_repository_free(r);
}

/* While the newest record cannot be read an older one must not come into force: it may hold a key
 * that was replaced. */
static void
test_host_unreadable(void **state)
{
    struct recorder *recorder;
    struct sp_repository *r;
    struct party a;
    uint8_t *p = NULL;
    size_t n;

    (void)state;
    party_init(&a, "a", NULL);
    ok(place_open(&place, true, "cache", &recorder, &r));
    ok(sp_repository_put_host(r, a.encoded.data, a.encoded.len, &err));
    recorder_reset(recorder);
    recorder->fail_at = 2; /* the list, then this */
    gives(SP_IO, sp_repository_host(r, a.host, &p, &n, &err));
    party_free(&a);
    sp_repository_free(r);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_create, begin, end),
        cmocka_unit_test_setup_teardown(test_no_conf, begin, end),
        cmocka_unit_test_setup_teardown(test_bad_conf, begin, end),
        cmocka_unit_test_setup_teardown(test_owner, begin, end),
        cmocka_unit_test_setup_teardown(test_unmounted, begin, end),
        cmocka_unit_test_setup_teardown(test_slots, begin, end),
        cmocka_unit_test_setup_teardown(test_there_already, begin, end),
        cmocka_unit_test_setup_teardown(test_hosts, begin, end),
        cmocka_unit_test_setup_teardown(test_host_unreadable, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
