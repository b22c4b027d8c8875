/* A source that somebody else has taken over. Who copies holds no key, so it cannot tell a host
 * record that was made up from a true one: what the target knows of a host stays, and nothing that
 * the host did not sign comes under its name. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/wire.h"
#include "copies.h"

static struct party evil; /* has keys of its own, and none of the group's */

static int
begin_forged(void **state)
{
    (void)begin(state);
    party_init(&evil, "evil", NULL);
    return 0;
}

static int
end_forged(void **state)
{
    party_free(&evil);
    return end(state);
}

/* A record of host one's, in its group, with the keys of evil: behind its own, or alone. Its MAC is
 * of another group's key, as who has not this group's can make it. */
static void
forge_host(bool behind)
{
    struct sp_host h = one.p.record;
    struct sp_buf object = SP_BUF_INIT;
    struct sp_repository *r;
    size_t at = 0;

    if (!behind) {
        h.nkeys = 0;
        remove_all(source.below, "hosts");
    }
    memcpy(h.keys[h.nkeys++], evil.record.keys[0], 32);
    memcpy(h.group, party_group(&evil), 16);
    ok(sp_host_encode(&h, evil.keys, &object, &err));
    while (memcmp(object.data + at, party_group(&evil), 16) != 0)
        at++;
    memcpy(object.data + at, party_group(&one.p), 16);
    r = place_repository(&source, "forger");
    ok(sp_repository_put_host(r, object.data, object.len, &err));
    sp_repository_free(r);
    sp_buf_free(&object);
}

/* What the target knows of the host is what the host wrote. */
static void
host_is_true(void)
{
    struct sp_repository *r = NULL;
    uint8_t *p = NULL;
    size_t n = 0;

    ok(place_open(&target, false, "looker", NULL, &r));
    ok(sp_repository_host(r, one.p.host, &p, &n, &err));
    assert_int_equal(n, one.p.encoded.len);
    assert_memory_equal(p, one.p.encoded.data, n);
    free(p);
    sp_repository_free(r);
}

static size_t
records(struct place *p)
{
    struct listed *l = malloc(sizeof(*l));
    size_t n;

    assert_non_null(l);
    list_records(p, l);
    n = l->n;
    sp_buf_free(&l->text);
    free(l);
    return n;
}

/* A set in the name of host one, signed by evil. */
static void
forge_set(const struct made_record *previous)
{
    struct party forger = one.p;
    struct made_record forged;

    memcpy(forger.secret, evil.secret, sizeof(forger.secret));
    party_record(&forger, SP_RECORD_SET, "job", previous, &one.root, &forged);
    who_again(&one);
    commit(one.store, SP_RECORD_SET, &forged);
    sp_buf_free(&forged.object);
}

/* A key is put behind the host's own, and a set signed by it: neither comes into the target. */
static void
test_key_added(void **state)
{
    struct made_record r[2];
    struct copied c = {.fail_at = 0};

    (void)state;
    make_sets(&one, r, 2);
    ok(copy_all(&c));
    assert_int_equal(c.t.sets_copied, 2);
    forge_host(true);
    forge_set(&r[1]);
    ok(copy_all(&c));
    assert_int_equal(c.t.sets_copied, 0);
    assert_true(c.t.sets_refused > 0);
    host_is_true();
    assert_int_equal(records(&target), 2);
    assert_int_equal(faults(&target), 0);
    free_sets(r, 2);
}

/* With the key the same is known to be forged, by a target too that knows nothing of the host. */
static void
test_key_added_opened(void **state)
{
    struct made_record r[2];
    struct copied c = {.fail_at = 0};

    (void)state;
    make_sets(&one, r, 2);
    forge_host(true);
    forge_set(&r[1]);
    c.o.keys = one.p.keys;
    ok(copy_all(&c));
    assert_int_equal(c.t.sets_copied, 0);
    assert_int_equal(records(&target), 0);
    free_sets(r, 2);
}

static void
add_key(void)
{
    struct sp_host h = one.p.record;
    struct sp_buf object = SP_BUF_INIT;
    struct sp_repository *r;

    memcpy(h.keys[h.nkeys++], evil.record.keys[0], 32);
    ok(sp_host_encode(&h, one.p.keys, &object, &err));
    r = place_repository(&source, "forger");
    ok(sp_repository_put_host(r, object.data, object.len, &err));
    sp_repository_free(r);
    sp_buf_free(&object);
}

/* A host that was set up anew: its record has another key. Who has the group's key can tell that it
 * is true, and so can a server, which has taken it from the host itself. */
static void
set_up_anew(bool opened)
{
    struct made_record r[2];
    struct copied c = {.fail_at = 0};

    make_sets(&one, r, 2);
    ok(copy_all(&c));
    add_key();
    forge_set(&r[1]);
    ok(copy_all(&c));
    assert_int_equal(c.t.sets_copied, 0);
    assert_int_equal(c.t.sets_refused, 3);
    assert_non_null(strstr(c.text, "--open"));
    c.o.keys = opened ? one.p.keys : NULL;
    c.o.hosts_proven = !opened;
    ok(copy_all(&c));
    assert_int_equal(c.t.sets_copied, 1);
    assert_int_equal(records(&target), 3);
    assert_int_equal(faults(&target), 0);
    free_sets(r, 2);
}

static void
test_set_up_anew(void **state)
{
    (void)state;
    set_up_anew(true);
}

static void
test_of_a_server(void **state)
{
    (void)state;
    set_up_anew(false);
}

static void
put_removal(const struct made_record *of, const struct party *signer)
{
    struct sp_buf clear = SP_BUF_INIT, object = SP_BUF_INIT, text = SP_BUF_INIT;
    uint8_t signature[64];
    char name[160];

    sp_wire_put_uint(&clear, 1, 1);
    sp_wire_put_bytes(&clear, 2, of->set_id, 16);
    sp_wire_put_bytes(&clear, 3, one.p.host, 16);
    sp_wire_put_bytes(&clear, 4, "job", 3);
    sp_wire_put_uint(&clear, 5, of->sequence);
    sp_wire_put_bytes(&clear, 7, of->hash, 32);
    sp_buf_put_str(&text, "stillpoint record 1");
    sp_buf_put_u8(&text, 4);
    sp_buf_put_u32(&text, (uint32_t)clear.len);
    sp_buf_put(&text, clear.data, clear.len);
    ok(sp_ed25519_sign(signer->secret, text.data, text.len, signature, &err));
    sp_wire_put_bytes(&object, 1, clear.data, clear.len);
    sp_wire_put_bytes(&object, 3, signature, 64);
    sp_record_object_name(SP_RECORD_REMOVAL, one.p.host, 1000 * SP_SECOND, of->set_id, name);
    (void)sp_backend_remove(source.below, name, &err);
    ok(sp_backend_put(source.below, name, object.data, object.len, &err));
    sp_buf_free(&clear);
    sp_buf_free(&object);
    sp_buf_free(&text);
}

/* The host's record is another's altogether, and so is the signature of a removal: nothing of it
 * comes into the target, whose check stays clean. */
static void
test_removal(void **state)
{
    struct made_record r[3], s[1];
    struct copied c = {.fail_at = 0};
    struct who member;

    (void)state;
    who_begin(&member, "member", &one.p);
    make_sets(&one, r, 3);
    make_sets(&member, s, 1);
    ok(copy_all(&c));
    assert_int_equal(c.t.sets_copied, 4);
    forge_host(false);
    place_admit(&source, &member.p);
    r[2].sequence = 4; /* of a set that nobody has */
    r[2].set_id[0] ^= 1;
    put_removal(&r[2], &evil);
    ok(copy_all(&c));
    assert_int_equal(c.t.sets_copied, 0);
    host_is_true();
    assert_int_equal(records(&target), 4);
    assert_int_equal(faults(&target), 0);
    free_sets(s, 1);
    free_sets(r, 3);
    who_end(&member);
}

/* Once it was listed, the removal is another's. */
static void
swap_removal(void *arg, const char *op, const char *name)
{
    struct copied *c = arg;
    struct made_record r = {.sequence = 1};

    if (c->once || strcmp(op, "list") != 0 || strncmp(name, "gaps", 4) != 0)
        return;
    c->once = true;
    put_removal(&r, &evil);
}

/* What is passed on is what was held against its signature, also where a store gives other bytes
 * the second time. */
static void
test_removal_swapped(void **state)
{
    struct made_record r[1], removed = {.sequence = 1};
    struct copied c = {.fail_at = 0};

    (void)state;
    make_sets(&one, r, 1);
    put_removal(&removed, &one.p);
    c.before = swap_removal;
    ok(copy_all(&c));
    assert_true(c.once);
    assert_int_equal(records(&target), 1);
    assert_int_equal(faults(&target), 0);
    free_sets(r, 1);
}

/* The only set that the target has lies under the last second that there is. */
static void
move_to_the_end(const struct made_record *r)
{
    struct listed *l = malloc(sizeof(*l));
    char name[160];

    assert_non_null(l);
    list_records(&target, l);
    assert_int_equal(l->n, 1);
    ok(sp_backend_remove(target.below, l->names[0], &err));
    sp_record_object_name(
        SP_RECORD_SET, one.p.host, INT64_MAX / SP_SECOND * SP_SECOND, r->set_id, name);
    ok(sp_backend_put(target.below, name, r->object.data, r->object.len, &err));
    sp_buf_free(&l->text);
    free(l);
}

/* A store can give a record any time in its name, also one that nothing comes after: it is refused
 * in words, and the time does not begin again from the other end. */
static void
test_end_of_time(void **state)
{
    struct made_record r[2];
    struct copied c = {.fail_at = 0};
    struct sp_commit_result result;
    struct sp_store *s;

    (void)state;
    make_sets(&one, r, 1);
    ok(copy_all(&c));
    move_to_the_end(&r[0]);
    s = one.store;
    one.store = place_store(&target, &one.p, "cache-end");
    memset(&result, 0, sizeof(result));
    party_record(&one.p, SP_RECORD_SET, "job", &r[0], &one.root, &r[1]);
    gives(SP_CORRUPT, sp_store_commit(one.store, SP_RECORD_SET, r[1].object.data, r[1].object.len,
                          &result, &err));
    assert_non_null(strstr(err.text, "2262"));
    sp_store_free(one.store);
    one.store = s;
    commit(one.store, SP_RECORD_SET, &r[1]);
    ok(copy_all(&c));
    assert_int_equal(c.t.sets_copied, 0);
    assert_true(c.t.sets_refused + c.t.sets_failed == 1);
    assert_int_equal(records(&target), 1);
    free_sets(r, 2);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_key_added, begin_forged, end_forged),
        cmocka_unit_test_setup_teardown(test_key_added_opened, begin_forged, end_forged),
        cmocka_unit_test_setup_teardown(test_set_up_anew, begin_forged, end_forged),
        cmocka_unit_test_setup_teardown(test_of_a_server, begin_forged, end_forged),
        cmocka_unit_test_setup_teardown(test_removal, begin_forged, end_forged),
        cmocka_unit_test_setup_teardown(test_removal_swapped, begin_forged, end_forged),
        cmocka_unit_test_setup_teardown(test_end_of_time, begin_forged, end_forged),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
