/* Copies between repositories: what arrives is what was there, nothing goes twice, and what is bad
 * stays behind. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "copies.h"

/* Everything of the target holds under a full check, and the sets are those of the source. */
static void
test_all(void **state)
{
    struct made_record r[5];
    struct copied c = {.fail_at = 0};

    (void)state;
    make_sets(&one, r, 5);
    ok(copy_all(&c));
    assert_int_equal(c.t.sets_copied, 5);
    assert_int_equal(c.t.sets_total, 5);
    assert_true(c.t.bytes > 5 * 3 * 4096);
    assert_int_equal(faults(&target), 0);
    same_sets();
    free_sets(r, 5);
}

/* The same again: nothing is written but a barrier or two, and it is said. */
static void
test_second(void **state)
{
    struct made_record r[3];
    struct copied c = {.fail_at = 0};

    (void)state;
    make_sets(&one, r, 3);
    ok(copy_all(&c));
    ok(copy_all(&c));
    assert_int_equal(c.t.sets_copied, 0);
    assert_int_equal(c.t.sets_there, 3);
    assert_int_equal(c.t.blocks, 0);
    assert_int_equal(c.t.bytes, 0);
    assert_int_equal(c.published, 0);
    free_sets(r, 3);
}

/* Interrupted at any block: what arrived is there for the next one, and is not sent again. */
static bool
stop_there(void *arg)
{
    struct copied *c = arg;

    return c->t.blocks >= c->stop_at;
}

static void
test_interrupted(void **state)
{
    struct made_record r[2];
    struct copied whole = {.fail_at = 0};
    uint64_t sent = 0;

    (void)state;
    make_sets(&one, r, 2);
    for (uint64_t at = 1; at <= 7; at++) { /* one block each, of eight */
        struct copied c = {.stop_at = 1};

        c.o.stop = stop_there;
        gives(SP_CANCELLED, copy_all(&c));
        assert_int_equal(faults(&target), 0);
        sent += c.t.blocks;
        if (c.t.sets_there == 1)
            break;
    }
    ok(copy_all(&whole));
    assert_int_equal(sent + whole.t.blocks, 8);
    assert_int_equal(faults(&target), 0);
    same_sets();
    free_sets(r, 2);
}

/* A third copy brings what was new, and not what the sets before had. */
static void
test_next(void **state)
{
    struct made_record r[4];
    struct sp_id ids[4];
    struct copied c = {.fail_at = 0};

    (void)state;
    make_sets(&one, r, 2);
    ok(copy_all(&c));
    ids[0] = put_data(one.store, &one.p, 4096);
    ids[1] = one.data; /* of the last set */
    ids[1] = put_node(one.store, &one.p, ids, 2);
    ids[2] = one.root; /* its node */
    ids[1] = put_node(one.store, &one.p, ids + 1, 2);
    party_record(&one.p, SP_RECORD_SET, "job", &r[1], &ids[1], &r[2]);
    commit(one.store, SP_RECORD_SET, &r[2]);
    ok(copy_all(&c));
    assert_int_equal(c.t.sets_copied, 1);
    assert_int_equal(c.t.sets_there, 2);
    assert_int_equal(c.t.blocks, 3); /* a chunk, two nodes */
    assert_int_equal(faults(&target), 0);
    same_sets();
    free_sets(r, 3);
}

/* Hosts with keys of their own, and members of one group: each one's packs stay its own. */
static void
test_hosts(void **state)
{
    struct made_record r[2], s[2], m[1];
    struct sp_id shared[2];
    struct copied c = {.fail_at = 0};
    struct who two, member;

    (void)state;
    who_begin(&two, "two", NULL);
    who_begin(&member, "member", &one.p);
    make_sets(&one, r, 2);
    make_sets(&two, s, 2);
    /* The member relies on a chunk that only host one uploaded. */
    who_again(&member);
    shared[0] = one.data;
    assert_int_equal(have_one(member.store, false, &shared[0]), SP_HAVE_MEMBERS);
    shared[1] = put_node(member.store, &member.p, shared, 1);
    party_record(&member.p, SP_RECORD_SET, "job", NULL, &shared[1], &m[0]);
    commit(member.store, SP_RECORD_SET, &m[0]);
    ok(copy_all(&c));
    assert_int_equal(c.t.sets_copied, 5);
    assert_int_equal(faults(&target), 0);
    same_sets();
    assert_int_equal(packs_of(&two.p, SP_PACK_NODES), 2);
    assert_int_equal(packs_of(&member.p, SP_PACK_NODES), 1);
    assert_true(packs_of(&one.p, SP_PACK_DATA) >= 1);
    free_sets(r, 2);
    free_sets(s, 2);
    free_sets(m, 1);
    who_end(&member);
    who_end(&two);
}

/* Two members that each uploaded a chunk: the copy of the one is not taken for that of the other,
 * which nobody opened here. */
static void
test_own_copies(void **state)
{
    struct made_record a, b;
    struct sp_id ids[2];
    struct sp_store *s;
    struct who member;
    struct copied c = {.fail_at = 0};
    uint8_t *block, *again;
    size_t len;

    (void)state;
    who_begin(&member, "member", &one.p);
    block = party_data(&one.p, 4096, &ids[0], &len);
    again = malloc(len);
    memcpy(again, block, len);
    put_block(one.store, block, len);
    put_block(member.store, again, len);
    ids[1] = put_node(one.store, &one.p, ids, 1);
    party_record(&one.p, SP_RECORD_SET, "job", NULL, &ids[1], &a);
    commit(one.store, SP_RECORD_SET, &a);
    ids[1] = put_node(member.store, &member.p, ids, 1);
    party_record(&member.p, SP_RECORD_SET, "job", NULL, &ids[1], &b);
    commit(member.store, SP_RECORD_SET, &b);
    ok(copy_all(&c));
    assert_int_equal(c.t.sets_copied, 2);
    for (int i = 0; i < 2; i++) {
        s = place_store(&target, i == 0 ? &one.p : &member.p, "look");
        assert_int_equal(have_one(s, false, &ids[0]), SP_HAVE_MINE);
        sp_store_free(s);
    }
    sp_buf_free(&a.object);
    sp_buf_free(&b.object);
    who_end(&member);
}

/* A completion goes with its set, under its time. */
static void
test_completion(void **state)
{
    struct made_record r[2];
    struct sp_buf b = SP_BUF_INIT;
    struct copied c = {.fail_at = 0};

    (void)state;
    make_sets(&one, r, 1);
    ok(copy_all(&c));
    party_completion(&one.p, &r[0], SP_LEVEL_APPLICATION, &b);
    ok(sp_store_complete(one.store, b.data, b.len, &err));
    ok(copy_all(&c)); /* the set was there already */
    assert_int_equal(c.t.sets_there, 1);
    same_sets();
    ok(copy_all(&c));
    same_sets();
    assert_int_equal(faults(&target), 0);
    sp_buf_free(&b);
    free_sets(r, 1);
}

/* Nothing is written by a dry run, and it says what would be sent. */
static void
test_dry_run(void **state)
{
    struct made_record r[3];
    struct copied c = {.fail_at = 0}, again = {.fail_at = 0};

    (void)state;
    make_sets(&one, r, 3);
    c.o.dry_run = true;
    ok(copy_all(&c));
    assert_int_equal(c.t.sets_copied, 3);
    assert_int_equal(count_objects(target.below, "packs"), 0);
    assert_int_equal(count_objects(target.below, "sets"), 0);
    assert_int_equal(count_objects(target.below, "keys"), 0);
    ok(copy_all(&again));
    assert_int_equal(c.t.bytes, again.t.bytes);
    assert_int_equal(c.t.blocks, again.t.blocks);
    free_sets(r, 3);
}

/* With a key every block is opened; with another's none is. */
static void
test_opened(void **state)
{
    struct made_record r[2];
    struct party other;
    struct copied c = {.fail_at = 0};

    (void)state;
    make_sets(&one, r, 2);
    party_init(&other, "other", NULL);
    c.o.keys = other.keys;
    ok(copy_all(&c));
    assert_int_equal(c.t.sets_failed, 2);
    assert_int_equal(count_objects(target.below, "sets"), 0);
    c.o.keys = one.p.keys;
    ok(copy_all(&c));
    assert_int_equal(c.t.sets_copied, 2);
    party_free(&other);
    free_sets(r, 2);
}

/* A repository of its own keys takes in others' only when it is told to. */
static void
test_other_group(void **state)
{
    struct made_record r[1];
    struct party other;
    struct copied c = {.fail_at = 0};

    (void)state;
    make_sets(&one, r, 1);
    party_init(&other, "other", NULL);
    place_admit(&target, &other);
    gives(SP_REFUSED, copy_all(&c));
    assert_int_equal(count_objects(target.below, "sets"), 0);
    c.o.add_groups = true;
    ok(copy_all(&c));
    assert_int_equal(c.t.sets_copied, 1);
    party_free(&other);
    free_sets(r, 1);
}

static void
test_same_repository(void **state)
{
    struct sp_repository *a = place_repository(&source, "a"), *b = place_repository(&source, "b");
    const struct sp_copy_side from = {.repository = a}, to = {.repository = b};
    const struct sp_copy_options o = {.dry_run = false};
    struct sp_copy_totals t;

    (void)state;
    gives(SP_INVALID, sp_copy(&from, &to, &o, &t, &err));
    sp_repository_free(a);
    sp_repository_free(b);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_all, begin, end),
        cmocka_unit_test_setup_teardown(test_second, begin, end),
        cmocka_unit_test_setup_teardown(test_interrupted, begin, end),
        cmocka_unit_test_setup_teardown(test_next, begin, end),
        cmocka_unit_test_setup_teardown(test_hosts, begin, end),
        cmocka_unit_test_setup_teardown(test_own_copies, begin, end),
        cmocka_unit_test_setup_teardown(test_completion, begin, end),
        cmocka_unit_test_setup_teardown(test_dry_run, begin, end),
        cmocka_unit_test_setup_teardown(test_opened, begin, end),
        cmocka_unit_test_setup_teardown(test_other_group, begin, end),
        cmocka_unit_test_setup_teardown(test_same_repository, begin, end),
    };

    return cmocka_run_group_tests_name("copy", tests, NULL, NULL);
}
