/* Copies where something is wrong: damage in the source, damage at the target, chains with gaps, a
 * target that fails at any call. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/wire.h"
#include "copies.h"
#include "storage/crypto.h"

struct search {
    struct place *place;
    const uint8_t *id;
    char name[192];
};

static enum sp_code
match(void *arg, const char *name, uint64_t size, struct sp_err *e)
{
    struct search *s = arg;

    (void)size;
    (void)e;
    if (strstr(name, sp_hex16(s->id).s) != NULL && strstr(name, ".set") != NULL)
        strcpy(s->name, name);
    return SP_OK;
}

/* The object of a set; "": there is none. */
static struct search
object_of(struct place *p, const struct made_record *r)
{
    struct search s = {.place = p, .id = r->set_id};

    ok(sp_backend_list(p->below, "sets", match, &s, &err));
    return s;
}

static bool
has(struct place *p, const struct made_record *r)
{
    return object_of(p, r).name[0] != '\0';
}

static uint8_t *
find_id(uint8_t *p, size_t n, const struct sp_id *id)
{
    for (size_t i = 0; i + 32 <= n; i++)
        if (memcmp(p + i, id->b, 32) == 0)
            return p + i;
    return NULL;
}

/* One byte of the first block of the pack that holds the id, behind its header, is another one. */
static void
damage_block(struct place *p, const struct sp_id *id, enum sp_pack_kind kind)
{
    static const char *const folder[] = {[SP_PACK_DATA] = "packs", [SP_PACK_NODES] = "nodes"};
    struct listed *l = calloc(1, sizeof(*l));
    bool done = false;

    ok(sp_backend_list(p->below, folder[kind], list_object, l, &err));
    for (size_t i = 0; i < l->n && !done; i++) {
        uint8_t *bytes, *at;
        size_t n;

        ok(sp_backend_get_all(p->below, l->names[i], 1u << 26, &bytes, &n, &err));
        at = find_id(bytes, n, id);
        if (at != NULL) {
            at[kind == SP_PACK_DATA ? 40 : 200] ^= 1; /* the sealed part begins 32 bytes on */
            overwrite(p->below, l->names[i], bytes, n);
            done = true;
        }
        free(bytes);
    }
    assert_true(done);
    free(l);
}

/* The set that needs a bad block stays behind and is named; the others go; the gap is known. */
static void
test_bad_block(void **state)
{
    struct made_record r[3];
    struct counted f;
    struct sp_id bad;
    struct copied c = {.fail_at = 0};

    (void)state;
    make_sets(&one, r, 2);
    bad = one.data;
    make_set(one.store, &one.p, "job", &r[1], 3, (struct sp_id[4]){{{0}}}, &r[2]);
    damage_block(&source, &bad, SP_PACK_DATA);
    ok(copy_all(&c));
    assert_int_equal(c.t.sets_copied, 2);
    assert_int_equal(c.t.sets_failed, 1);
    assert_int_equal(c.failed, 1);
    assert_true(c.damages >= 1);
    assert_false(has(&target, &r[1]));
    f = check_all(&target);
    assert_int_equal(f.faults, 0);
    assert_int_equal(f.notes, 1); /* number 2 was not copied */
    assert_non_null(strstr(f.text, "numbers 2 to 2"));
    free_sets(r, 3);
}

/* The same with a node. */
static void
test_bad_node(void **state)
{
    struct made_record r[2];
    struct copied c = {.fail_at = 0};

    (void)state;
    make_sets(&one, r, 2);
    damage_block(&source, &one.root, SP_PACK_NODES);
    ok(copy_all(&c));
    assert_int_equal(c.t.sets_copied, 1);
    assert_int_equal(c.t.sets_failed, 1);
    assert_int_equal(faults(&target), 0);
    free_sets(r, 2);
}

/* A second copy of the block serves, and the first is named. */
static void
test_other_copy(void **state)
{
    struct made_record r[1];
    struct sp_id ids[2];
    uint8_t *block, *again;
    size_t len;
    struct copied c = {.fail_at = 0};

    (void)state;
    block = party_data(&one.p, 4096, &ids[0], &len);
    again = malloc(len);
    memcpy(again, block, len);
    put_block(one.store, block, len);
    ok(sp_store_flush(one.store, &err)); /* a pack of its own */
    put_data(one.store, &one.p, 4096);
    put_block(one.store, again, len);
    ids[1] = put_node(one.store, &one.p, ids, 1);
    party_record(&one.p, SP_RECORD_SET, "job", NULL, &ids[1], &r[0]);
    commit(one.store, SP_RECORD_SET, &r[0]);
    for (int i = 0; i < 2; i++) { /* whichever of the two is taken first */
        struct listed *l = calloc(1, sizeof(*l));
        uint8_t *p, *at;
        size_t n;

        ok(sp_backend_list(source.below, "packs", list_object, l, &err));
        assert_int_equal(l->n, 2);
        qsort(l->names, l->n, sizeof(l->names[0]), name_cmp);
        ok(sp_backend_get_all(source.below, l->names[i], 1u << 26, &p, &n, &err));
        at = find_id(p, n, &ids[0]);
        assert_non_null(at);
        at[40] ^= 1;
        overwrite(source.below, l->names[i], p, n);
        ok(copy_all(&c));
        assert_int_equal(c.t.sets_copied, 1);
        assert_int_equal(c.damages, i == 0);
        at[40] ^= 1;
        overwrite(source.below, l->names[i], p, n);
        free(p);
        free(l);
        assert_int_equal(faults(&target), 0);
        remove_all(target.below, "sets");
        remove_all(target.below, "packs");
        remove_all(target.below, "nodes");
        remove_all(target.below, "index");
    }
    free_sets(r, 1);
}

/* What the target lost is sent again, for sets that are there as well. */
static void
test_target_lost(void **state)
{
    struct made_record r[3];
    struct copied c = {.fail_at = 0};
    char name[192];

    (void)state;
    make_sets(&one, r, 3);
    ok(copy_all(&c));
    first_object(target.below, "packs", name, NULL);
    ok(sp_backend_remove(target.below, name, &err));
    first_object(target.below, "nodes", name, NULL);
    ok(sp_backend_remove(target.below, name, &err));
    assert_true(faults(&target) > 0);
    ok(copy_all(&c));
    assert_int_equal(c.t.sets_copied, 0);
    assert_true(c.t.sets_healed > 0);
    assert_int_equal(faults(&target), 0);
    same_sets();
    free_sets(r, 3);
}

/* A pack is gone before the listing that the commit goes by. */
static void
lose_pack(void *arg, const char *op, const char *name)
{
    struct copied *c = arg;
    char object[192];

    (void)name;
    if (c->once || strncmp(op, "list", 4) != 0 || count_objects(target.below, "packs") == 0)
        return;
    c->once = true;
    first_object(target.below, "packs", object, NULL);
    ok(sp_backend_remove(target.below, object, &err));
}

static void
test_lost_under_way(void **state)
{
    struct made_record r[1];
    struct copied c = {.before = lose_pack};

    (void)state;
    make_sets(&one, r, 1);
    ok(copy_all(&c));
    assert_true(c.once);
    assert_int_equal(c.t.sets_copied, 1);
    assert_int_equal(faults(&target), 0);
    same_sets();
    free_sets(r, 1);
}

/* The target fails at every call in turn: no set is there that is not whole, and the next copy has
 * them all. */
static void
test_every_failure(void **state)
{
    struct made_record r[3];
    struct copied whole = {.fail_at = 0};
    bool reached = true;

    (void)state;
    make_sets(&one, r, 3);
    for (uint64_t at = 1; reached; at++) {
        struct copied c = {.fail_at = at, .fail_with = at % 2 == 0 ? SP_IO : SP_FULL};
        enum sp_code rc = copy_all(&c);

        reached = c.calls >= at;
        if (reached && rc == SP_OK) /* what may fail: tidying, checkpoints that are left */
            assert_true(c.t.sets_copied + c.t.sets_failed + c.t.sets_there + c.t.sets_healed == 3);
        assert_int_equal(faults(&target), 0);
        if (at % 3 != 0)
            continue; /* go on from what this one left */
        ok(copy_all(&whole));
        assert_int_equal(whole.t.sets_copied + whole.t.sets_there + whole.t.sets_healed, 3);
        assert_int_equal(faults(&target), 0);
        same_sets();
        remove_all(target.below, "sets");
        remove_all(target.below, "packs");
        remove_all(target.below, "nodes");
        remove_all(target.below, "index");
        remove_all(target.below, "gaps");
        remove_all(target.below, "keys");
        remove_all(target.below, "hosts");
    }
    free_sets(r, 3);
}

/* --- chains ----------------------------------------------------------------------------------- */

static void
put_removal(const struct made_record *of, int64_t at_ns)
{
    struct sp_buf clear = SP_BUF_INIT, object = SP_BUF_INIT, signedb = SP_BUF_INIT;
    uint8_t signature[64];
    char name[160];

    sp_wire_put_uint(&clear, 1, 1);
    sp_wire_put_bytes(&clear, 2, of->set_id, 16);
    sp_wire_put_bytes(&clear, 3, one.p.host, 16);
    sp_wire_put_bytes(&clear, 4, "job", 3);
    sp_wire_put_uint(&clear, 5, of->sequence);
    sp_wire_put_bytes(&clear, 7, of->hash, 32);
    sp_buf_put_str(&signedb, "stillpoint record 1");
    sp_buf_put_u8(&signedb, 4);
    sp_buf_put_u32(&signedb, (uint32_t)clear.len);
    sp_buf_put(&signedb, clear.data, clear.len);
    ok(sp_ed25519_sign(one.p.secret, signedb.data, signedb.len, signature, &err));
    sp_wire_put_bytes(&object, 1, clear.data, clear.len);
    sp_wire_put_bytes(&object, 3, signature, 64);
    sp_record_object_name(SP_RECORD_REMOVAL, one.p.host, at_ns, of->set_id, name);
    ok(sp_backend_put(source.below, name, object.data, object.len, &err));
    sp_buf_free(&clear);
    sp_buf_free(&signedb);
    sp_buf_free(&object);
}

static void
lose(const struct made_record *r)
{
    struct search s = object_of(&source, r);

    ok(sp_backend_remove(source.below, s.name, &err));
}

/* A gap in the source: nothing of the job goes, unless gaps are accepted; a removal record, which
 * goes along, makes it none. */
static void
test_gap(void **state)
{
    struct made_record r[4];
    struct counted f;
    struct copied c = {.fail_at = 0};

    (void)state;
    make_sets(&one, r, 4);
    lose(&r[1]);
    ok(copy_all(&c));
    assert_int_equal(c.t.sets_refused, 3);
    assert_int_equal(c.t.sets_copied, 0);
    assert_int_equal(count_objects(target.below, "sets"), 0);
    c.o.accept_gaps = true;
    ok(copy_all(&c));
    assert_int_equal(c.t.sets_copied, 3);
    assert_int_equal(c.notes, 1);
    f = check_all(&target);
    assert_int_equal(f.faults, 0);
    assert_int_equal(f.notes, 1);

    remove_all(target.below, "sets");
    remove_all(target.below, "gaps");
    c.o.accept_gaps = false;
    put_removal(&r[1], 1000 * SP_SECOND);
    ok(copy_all(&c));
    assert_int_equal(c.t.sets_copied, 3);
    assert_int_equal(count_objects(target.below, "gaps"), 0);
    f = check_all(&target);
    assert_int_equal(f.faults + f.notes, 0);
    same_sets();
    free_sets(r, 4);
}

/* What was removed in the source stays at the target: it has a retention of its own. */
static void
test_removed_later(void **state)
{
    struct made_record r[3];
    struct copied c = {.fail_at = 0};

    (void)state;
    make_sets(&one, r, 2);
    ok(copy_all(&c));
    lose(&r[0]);
    put_removal(&r[0], 1000 * SP_SECOND);
    make_set(one.store, &one.p, "job", &r[1], 3, (struct sp_id[4]){{{0}}}, &r[2]);
    ok(copy_all(&c));
    assert_int_equal(c.t.sets_copied, 1);
    assert_true(has(&target, &r[0]));
    assert_int_equal(count_objects(target.below, "sets"), 3);
    assert_int_equal(faults(&target), 0);
    free_sets(r, 3);
}

struct pick {
    const struct made_record *r[4];
};

static bool
picked(void *arg, const struct sp_set *set, int64_t published_ns)
{
    const struct pick *p = arg;

    (void)published_ns;
    for (size_t i = 0; i < 4; i++)
        if (p->r[i] != NULL && memcmp(p->r[i]->set_id, set->set_id, 16) == 0)
            return true;
    return false;
}

/* The source removes its oldest set while it is copied: that is no damage. */
static void
remove_oldest(void *arg, const char *op, const char *name)
{
    struct copied *c = arg;
    struct listed *l;

    (void)op;
    (void)name;
    if (c->once)
        return;
    c->once = true;
    l = calloc(1, sizeof(*l));
    assert_non_null(l);
    list_records(&source, l);
    ok(sp_backend_remove(source.below, l->names[0], &err));
    sp_buf_free(&l->text);
    free(l);
}

static void
test_removed_meanwhile(void **state)
{
    struct made_record r[2];
    struct copied c = {.before = remove_oldest};

    (void)state;
    make_sets(&one, r, 2);
    ok(copy_all(&c));
    assert_int_equal(c.t.sets_failed, 0);
    assert_int_equal(c.t.sets_copied, 1);
    assert_int_equal(c.t.sets, 2);
    assert_int_equal(c.notes, 1);
    free_sets(r, 2);
}

/* Some sets, then others between them: check knows the gaps that were left, and the newest stays
 * the newest. */
static void
test_selected(void **state)
{
    struct made_record r[5];
    struct counted f;
    struct pick pick = {{&r[4], &r[1]}};
    struct copied c = {.fail_at = 0};
    struct sp_repository *to;
    struct sp_store_head head;

    (void)state;
    make_sets(&one, r, 5);
    c.o.wanted = picked;
    c.o.wanted_arg = &pick;
    ok(copy_all(&c));
    assert_int_equal(c.t.sets_copied, 2);
    assert_int_equal(c.t.sets_total, 2);
    f = check_all(&target);
    assert_int_equal(f.faults, 0);
    assert_int_equal(f.notes, 2); /* 1, and 3 to 4 */

    pick.r[0] = &r[2];
    pick.r[1] = NULL;
    ok(copy_all(&c));
    assert_int_equal(c.t.sets_copied, 1);
    f = check_all(&target);
    assert_int_equal(f.faults, 0);
    assert_int_equal(f.notes, 2); /* 1, and 4 */
    to = place_repository(&target, "look");
    ok(sp_repository_head(to, one.p.host, party_group(&one.p), "job", &head, &err));
    assert_memory_equal(head.set_hash, r[4].hash, 32);
    assert_true(head.set_whole);
    sp_store_head_clear(&head);
    sp_repository_free(to);

    c.o.wanted = NULL;
    ok(copy_all(&c));
    assert_int_equal(c.t.sets_copied, 2);
    assert_int_equal(c.t.sets_there, 3);
    f = check_all(&target);
    assert_int_equal(f.faults + f.notes, 0);
    assert_int_equal(count_objects(target.below, "gaps"), 0);
    same_sets();

    /* A set that is lost there now is no gap that was left. */
    {
        struct search s = object_of(&target, &r[3]);

        ok(sp_backend_remove(target.below, s.name, &err));
    }
    assert_int_equal(faults(&target), 1);
    free_sets(r, 5);
}

/* What tells of a gap counts only as it was written, for its host, under its own name. */
static void
test_gap_object(void **state)
{
    struct made_record r[3];
    struct pick pick = {{&r[2]}};
    struct copied c = {.fail_at = 0};
    char name[192], other[192];
    uint8_t *p;
    size_t n;

    (void)state;
    make_sets(&one, r, 3);
    c.o.wanted = picked;
    c.o.wanted_arg = &pick;
    ok(copy_all(&c));
    assert_int_equal(faults(&target), 0);
    first_object(target.below, "gaps", name, NULL);
    ok(sp_backend_get_all(target.below, name, 1024, &p, &n, &err));
    for (size_t i = 0; i < n; i++) { /* any byte of it */
        p[i] ^= 0x20;
        overwrite(target.below, name, p, n);
        assert_int_equal(faults(&target), 1);
        p[i] ^= 0x20;
    }
    overwrite(target.below, name, p, n - 1);
    assert_int_equal(faults(&target), 1);
    strcpy(other, name);
    other[strlen(other) - 1] = other[strlen(other) - 1] == '0' ? '1' : '0';
    ok(sp_backend_remove(target.below, name, &err));
    ok(sp_backend_put(target.below, other, p, n, &err));
    assert_int_equal(faults(&target), 1);
    ok(sp_backend_put(target.below, name, p, n, &err));
    assert_int_equal(faults(&target), 0);
    free(p);
    free_sets(r, 3);
}

/* Two copies into one target at once, each of a part: the gaps and the chain are right all the
 * same. */
static void
interfere(void *arg, const char *op, const char *name)
{
    struct copied *c = arg;
    struct copied second = {.o = c->o};

    (void)name;
    if (c->once || strncmp(op, "publish", 7) != 0)
        return;
    c->once = true;
    second.o.wanted = NULL;
    ok(copy_all(&second));
}

static void
test_two_at_once(void **state)
{
    struct made_record r[4];
    struct pick pick = {{&r[3], &r[1]}};
    struct counted f;
    struct copied c = {.before = interfere};

    (void)state;
    make_sets(&one, r, 4);
    c.o.wanted = picked;
    c.o.wanted_arg = &pick;
    ok(copy_all(&c));
    assert_true(c.once);
    assert_int_equal(c.t.sets_failed + c.t.sets_refused, 0);
    f = check_all(&target);
    assert_int_equal(f.faults + f.notes, 0);
    same_sets();
    free_sets(r, 4);
}

/* The job went on at the target by itself: nothing of the two ways is mixed. */
static void
test_fork(void **state)
{
    struct made_record r[3], other;
    struct sp_store *s;
    struct sp_id ids[4];
    struct copied c = {.fail_at = 0};

    (void)state;
    make_sets(&one, r, 2);
    ok(copy_all(&c));
    s = place_store(&target, &one.p, "direct");
    make_set(s, &one.p, "job", &r[1], 3, ids, &other);
    sp_store_free(s);
    make_set(one.store, &one.p, "job", &r[1], 3, ids, &r[2]);
    ok(copy_all(&c));
    assert_int_equal(c.t.sets_there, 2);
    assert_int_equal(c.t.sets_refused, 1);
    assert_false(has(&target, &r[2]));
    assert_true(has(&target, &other));
    assert_int_equal(faults(&target), 0);
    sp_buf_free(&other.object);
    free_sets(r, 3);
}

/* A record that its host did not sign is none, and what it would fork is not forked. */
static void
test_forged(void **state)
{
    struct made_record r[2], forged;
    struct party thief;
    char name[160];
    struct sp_id root = {{0}};
    struct copied c = {.fail_at = 0};

    (void)state;
    make_sets(&one, r, 2);
    party_init(&thief, "thief", &one.p);
    memcpy(thief.host, one.p.host, 16);
    root = one.root;
    party_record(&thief, SP_RECORD_SET, "job", &r[0], &root, &forged);
    sp_record_object_name(SP_RECORD_SET, one.p.host, 4000000000 * SP_SECOND, forged.set_id, name);
    ok(sp_backend_put(source.below, name, forged.object.data, forged.object.len, &err));
    ok(copy_all(&c));
    assert_int_equal(c.t.sets_copied, 2);
    assert_int_equal(c.t.sets_failed, 1);
    assert_false(has(&target, &forged));
    assert_int_equal(faults(&target), 0);
    sp_buf_free(&forged.object);
    party_free(&thief);
    free_sets(r, 2);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_bad_block, begin, end),
        cmocka_unit_test_setup_teardown(test_bad_node, begin, end),
        cmocka_unit_test_setup_teardown(test_other_copy, begin, end),
        cmocka_unit_test_setup_teardown(test_target_lost, begin, end),
        cmocka_unit_test_setup_teardown(test_lost_under_way, begin, end),
        cmocka_unit_test_setup_teardown(test_every_failure, begin, end),
        cmocka_unit_test_setup_teardown(test_gap, begin, end),
        cmocka_unit_test_setup_teardown(test_removed_later, begin, end),
        cmocka_unit_test_setup_teardown(test_removed_meanwhile, begin, end),
        cmocka_unit_test_setup_teardown(test_selected, begin, end),
        cmocka_unit_test_setup_teardown(test_gap_object, begin, end),
        cmocka_unit_test_setup_teardown(test_two_at_once, begin, end),
        cmocka_unit_test_setup_teardown(test_fork, begin, end),
        cmocka_unit_test_setup_teardown(test_forged, begin, end),
    };

    return cmocka_run_group_tests_name("copy_damage", tests, NULL, NULL);
}
