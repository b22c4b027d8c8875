/* What files of Windows have besides their bytes, restored: the pipeline gives all of it to the
 * target, never takes a file for equal by its bytes alone, and says which files cannot be here. And
 * checked for being there. */

#include "sets.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/content_check.h"
#include "client/nodes.h"
#include "client/ntfs_meta.h"
#include "client/target.h"
#include "tests/unit/base/support.h"
#include "tree.h"

#define W SP_ENTRY_WINDOWS
#define MOST (64u << 20)

/* --- what the target is told
 * ---------------------------------------------------------------------- */

static struct {
    struct sp_mutex lock;
    uint8_t *bytes; /* of the content of the file called `name`, holes as 0xee */
    uint64_t size, end, resized;
    size_t creates, writes, spanning, back;
    bool resizes, tells; /* `tells`: files that are elsewhere can be made */
} told;

static void
told_begin(uint64_t size)
{
    free(told.bytes);
    told.bytes = malloc(MOST);
    assert_non_null(told.bytes);
    memset(told.bytes, 0xee, MOST);
    told.size = size;
    told.end = told.resized = 0;
    told.creates = told.writes = told.spanning = told.back = 0;
    told.resizes = told.tells = false;
}

enum sp_code __real_sp_target_file_create(struct sp_target_dir *d, const struct sp_entry *en,
    struct sp_target_file **ret, struct sp_err *e);
enum sp_code __wrap_sp_target_file_create(struct sp_target_dir *d, const struct sp_entry *en,
    struct sp_target_file **ret, struct sp_err *e);
enum sp_code __real_sp_target_file_write(
    struct sp_target_file *f, uint64_t offset, const void *p, size_t n, struct sp_err *e);
enum sp_code __wrap_sp_target_file_write(
    struct sp_target_file *f, uint64_t offset, const void *p, size_t n, struct sp_err *e);
enum sp_code
__real_sp_target_file_resize(struct sp_target_file *f, uint64_t size, struct sp_err *e);
enum sp_code
__wrap_sp_target_file_resize(struct sp_target_file *f, uint64_t size, struct sp_err *e);

enum sp_code
__wrap_sp_target_file_create(struct sp_target_dir *d, const struct sp_entry *en,
    struct sp_target_file **ret, struct sp_err *e)
{
    struct sp_entry here = *en;

    sp_mutex_lock(&told.lock);
    told.creates++;
    sp_mutex_unlock(&told.lock);
    if (told.tells)
        here.flags &= ~(uint32_t)SP_ENTRY_AWAY;
    return __real_sp_target_file_create(d, &here, ret, e);
}

enum sp_code
__wrap_sp_target_file_write(
    struct sp_target_file *f, uint64_t offset, const void *p, size_t n, struct sp_err *e)
{
    sp_mutex_lock(&told.lock);
    assert_true(n > 0 && offset <= MOST && n <= MOST - offset);
    memcpy(told.bytes + offset, p, n);
    told.writes++;
    told.spanning += offset < told.size && offset + n > told.size;
    told.back += offset < told.end;
    told.end = offset + n;
    sp_mutex_unlock(&told.lock);
    return __real_sp_target_file_write(f, offset, p, n, e);
}

enum sp_code
__wrap_sp_target_file_resize(struct sp_target_file *f, uint64_t size, struct sp_err *e)
{
    sp_mutex_lock(&told.lock);
    told.resizes = true;
    told.resized = size;
    sp_mutex_unlock(&told.lock);
    return __real_sp_target_file_resize(f, size, e);
}

/* --- sets
 * ----------------------------------------------------------------------------------------- */

struct fixture {
    struct tree t;
    struct set s;
    struct outcome o;
    uint8_t *own, *behind;
};
#define OWN (300u << 10)
#define BEHIND (200u << 10)

static void
begin(struct fixture *f)
{
    tree_new(&f->t);
    set_new(&f->s);
    set_dir(&f->s, "");
    f->own = malloc(OWN);
    f->behind = malloc(BEHIND);
    assert_true(f->own != NULL && f->behind != NULL);
    fill(f->own, OWN, 1);
    fill(f->behind, BEHIND, 2);
}

static void
end(struct fixture *f)
{
    set_free(&f->s);
    tree_free(&f->t);
    free(f->own);
    free(f->behind);
}

/* A file with `own` and one stream behind it. */
static struct sp_entry *
with_stream(struct fixture *f, const char *path, const struct content *c, size_t n, uint64_t own,
    uint32_t flags, size_t chunk)
{
    struct sp_entry *en = set_file(&f->s, path, c, n, chunk);
    const struct sp_ntfs_part part = {flags & SP_ENTRY_AWAY ? NTFS_PART_EFS : NTFS_PART_STREAM,
        flags & SP_ENTRY_AWAY ? "" : "stream", en->size - own};
    struct sp_buf table = SP_BUF_INIT;

    en->flags = flags;
    en->extra = en->size - own;
    en->size = own;
    assert_ok(sp_ntfs_parts_encode(&part, 1, &table, e));
    set_attribute(&f->s, en, WINDOWS_STREAMS, table.data, table.len, false);
    sp_buf_free(&table);
    return en;
}

/* --- writing
 * -------------------------------------------------------------------------------------- */

static void
all_goes_to_the_target(void **state)
{
    struct fixture f;
    struct content c[4];
    struct sp_restore_options again = {.if_exists = SP_IF_EXISTS_REPLACE};
    size_t first;

    (void)state;
    begin(&f);
    c[0] = (struct content){f.own, OWN};
    c[1] = (struct content){NULL, 70000}; /* a hole at the end of the file itself */
    c[2] = (struct content){f.behind, BEHIND};
    c[3] = (struct content){NULL, 5000};
    /* 9000 chunks: several windows, and a list. */
    with_stream(&f, "file", c, 4, OWN + 70000, W, 57);
    set_commit(&f.s);
    told_begin(OWN + 70000);
    set_restore_well(&f.s, f.t.path, NULL, &f.o);
    assert_memory_equal(told.bytes, f.own, OWN);
    assert_memory_equal(told.bytes + OWN + 70000, f.behind, BEHIND);
    assert_int_equal(told.bytes[OWN], 0xee); /* never written: a hole */
    assert_int_equal(told.spanning, 0);
    assert_int_equal(told.back, 0);
    assert_true(told.resizes && told.resized == OWN + 70000);
    assert_int_equal(look(f.t.path, "file").st_size, OWN + 70000);
    assert_true(f.o.stats.bytes == OWN + 70000);
    /* Again: its bytes are the same, its streams nobody knows. Of what is the same nothing is
     * fetched. */
    again.target = f.t.path;
    first = told.writes;
    told_begin(OWN + 70000);
    set_restore_well(&f.s, f.t.path, &again, &f.o);
    assert_int_equal(f.o.stats.files_equal, 0);
    assert_int_equal(told.writes, first);
    assert_memory_equal(told.bytes + OWN + 70000, f.behind, BEHIND);
    end(&f);
}

/* Neither what is as long as the content, nor an empty one, nor one with the same bytes. */
static void
never_equal_by_its_bytes(void **state)
{
    struct fixture f;
    struct content c[2];
    struct sp_restore_options o = {.if_exists = SP_IF_EXISTS_REPLACE};

    (void)state;
    begin(&f);
    c[0] = (struct content){f.own, 1000};
    c[1] = (struct content){f.behind, 3000};
    with_stream(&f, "as-long", c, 2, 1000, W, 500);
    with_stream(&f, "empty", &c[1], 1, 0, W, 500);
    with_stream(&f, "same", c, 2, 1000, W, 500);
    set_commit(&f.s);
    tree_text(&f.t, "empty", "");
    tree_file(&f.t, "same", f.own, 1000);
    {
        uint8_t both[4000];

        memcpy(both, f.own, 1000);
        memcpy(both + 1000, f.behind, 3000);
        tree_file(&f.t, "as-long", both, sizeof both);
    }
    o.target = f.t.path;
    told_begin(MOST);
    set_restore_well(&f.s, f.t.path, &o, &f.o);
    assert_int_equal(f.o.stats.files_equal, 0);
    assert_int_equal(told.creates, 3);
    assert_int_equal(told.writes, 2 + 6 + 6 + 2 + 6);
    assert_bytes(f.t.path, "as-long", f.own, 1000);
    assert_bytes(f.t.path, "same", f.own, 1000);
    assert_int_equal(look(f.t.path, "empty").st_size, 0);
    o.dry_run = true; /* and no dry run says so */
    set_restore(&f.s, f.t.path, &o, &f.o);
    assert_string_equal(outcome_would(&f.o, "same"), "replace");
    assert_string_equal(outcome_would(&f.o, "empty"), "replace");
    end(&f);
}

/* --- elsewhere
 * -------------------------------------------------------------------------------------- */

static void
away_is_a_fault_and_not_fetched(void **state)
{
    struct fixture f;
    struct content c[2] = {{NULL, 5000000}, {NULL, 0}};
    struct sp_id id;
    size_t given;

    (void)state;
    begin(&f);
    f.s.block_chunks = 1;
    c[1] = (struct content){f.behind, BEHIND};
    set_file(&f.s, "cloud", c, 1, 1)->flags = W | SP_ENTRY_AWAY;
    with_stream(&f, "efs", c, 2, 5000000, W | SP_ENTRY_AWAY, BEHIND);
    set_text(&f.s, "here", "here");
    set_commit(&f.s);
    told_begin(MOST);
    given = f.s.memory.given;
    set_restore(&f.s, f.t.path, NULL, &f.o);
    given = f.s.memory.given - given;
    assert_int_equal(f.o.code, SP_OK);
    assert_int_equal(f.o.nfaults, 2);
    assert_non_null(strstr(outcome_fault(&f.o, "cloud"), "Windows"));
    assert_non_null(strstr(outcome_fault(&f.o, "efs"), "Windows"));
    assert_false(exists(f.t.path, "cloud"));
    assert_false(exists(f.t.path, "efs"));
    assert_text(f.t.path, "here", "here");
    assert_int_equal(count_temporary(f.t.path), 0);
    assert_int_equal(told.writes, 1);
    /* As much as without the block that has its raw data. */
    id = set_chunk_id(&f.s, f.behind, BEHIND);
    memory_store_lose(&f.s.memory, &id);
    tree_remove(&f.t, "here");
    told_begin(MOST);
    given += f.s.memory.given;
    set_restore(&f.s, f.t.path, NULL, &f.o);
    assert_int_equal(f.o.nfaults, 2);
    assert_non_null(strstr(outcome_fault(&f.o, "efs"), "Windows"));
    assert_int_equal(f.s.memory.given, given);
    end(&f);
}

/* Where they can be made: no byte of them is written, no old file read, and what is behind them
 * comes. */
static void
away_is_no_zeros(void **state)
{
    struct fixture f;
    struct content c[2] = {{NULL, 5000000}, {NULL, 0}};
    struct sp_restore_options o = {.if_exists = SP_IF_EXISTS_REPLACE};
    uint8_t zeros[1000] = {0};

    (void)state;
    begin(&f);
    c[1] = (struct content){f.behind, BEHIND};
    with_stream(&f, "efs", c, 2, 5000000, W | SP_ENTRY_AWAY, 10000);
    set_file(&f.s, "cloud", c, 1, 1)->flags = W | SP_ENTRY_AWAY;
    c[0].n = sizeof zeros;
    set_file(&f.s, "zeros", c, 1, 1)->flags = W | SP_ENTRY_AWAY;
    set_commit(&f.s);
    tree_file(&f.t, "zeros", zeros, sizeof zeros); /* with the bytes that the hole would be */
    o.target = f.t.path;
    told_begin(5000000);
    told.tells = true;
    set_restore_well(&f.s, f.t.path, &o, &f.o);
    assert_int_equal(f.o.stats.files_equal, 0);
    assert_memory_equal(told.bytes + 5000000, f.behind, BEHIND);
    for (size_t i = 0; i < 5000000; i += 1000)
        assert_int_equal(told.bytes[i], 0xee);
    assert_int_equal(told.creates, 3 + 1); /* one was tried first */
    end(&f);
}

/* --- hostile
 * ---------------------------------------------------------------------------------------- */

static void
impossible_content(void **state)
{
    struct fixture f;
    struct content c[2];
    struct sp_entry *en;

    (void)state;
    begin(&f);
    /* A chunk that is of the file and of a part; one of a file that is elsewhere. */
    en = set_bytes(&f.s, "spans", f.own, 1000, 1000);
    en->flags = W;
    en->size = 999;
    en->extra = 1;
    en = set_bytes(&f.s, "away", f.own, 1000, 100);
    en->flags = W | SP_ENTRY_AWAY;
    c[0] = (struct content){NULL, 1000};
    c[1] = (struct content){f.own, 1000};
    en = set_file(&f.s, "good", c, 2, 100); /* a hole may span */
    en->flags = W;
    en->size = 500;
    en->extra = 1500;
    set_commit(&f.s);
    told_begin(500);
    told.tells = true;
    set_restore(&f.s, f.t.path, NULL, &f.o);
    assert_int_equal(f.o.nfaults, 2);
    assert_non_null(strstr(outcome_fault(&f.o, "spans"), "impossible"));
    assert_non_null(strstr(outcome_fault(&f.o, "away"), "impossible"));
    assert_int_equal(look(f.t.path, "good").st_size, 500);
    assert_memory_equal(told.bytes + 1000, f.own, 1000);
    end(&f);
}

/* --- links
 * ------------------------------------------------------------------------------------------ */

/* Entries that go through sorting on disk keep what they have. */
static void
links_have_their_streams(void **state)
{
    struct fixture f;
    struct content c[2];

    (void)state;
    begin(&f);
    c[0] = (struct content){f.own, 1000};
    c[1] = (struct content){f.behind, 70000};
    for (int i = 0; i < 2; i++) {
        struct sp_entry *en = with_stream(&f, i == 0 ? "a" : "b", c, 2, 1000, W, 5000);

        en->links = 2;
        en->device = 1;
        en->file_id = 44;
    }
    set_commit(&f.s);
    told_begin(1000);
    set_restore_well(&f.s, f.t.path, NULL, &f.o);
    assert_memory_equal(told.bytes + 1000, f.behind, 70000);
    assert_int_equal(look(f.t.path, "a").st_ino, look(f.t.path, "b").st_ino);
    assert_int_equal(look(f.t.path, "a").st_size, 1000);
    end(&f);
}

/* --- verify
 * ----------------------------------------------------------------------------------------- */

static void
on_damaged(void *arg, const void *key, size_t n, const char *why)
{
    (void)why;
    assert_true(n == 4 && memcmp(key, "file", 4) == 0);
    ++*(size_t *)arg;
}

static void
parts_are_verified(void **state)
{
    struct fixture f;
    struct content c[2];
    struct sp_id id;

    (void)state;
    begin(&f);
    f.s.block_chunks = 1;
    c[0] = (struct content){f.own, 1000};
    c[1] = (struct content){f.behind, 70000};
    with_stream(&f, "file", c, 2, 1000, W, 1000);
    set_commit(&f.s);
    id = set_chunk_id(&f.s, f.behind + 69000, 1000);
    for (size_t lost = 0; lost < 2; lost++) {
        size_t damaged = 0;
        struct sp_content_events events = {.damaged = on_damaged, .arg = &damaged};
        struct sp_content_check *check = NULL;
        struct sp_content_stats stats;
        struct sp_nodes *nodes = NULL;
        struct sp_node_source source;

        assert_ok(sp_nodes_new(&sp_env_system, &f.s.memory.store, f.s.keys, NULL, &nodes, e));
        source = sp_nodes_source(nodes);
        assert_ok(sp_content_check_new(&f.s.memory.store, f.s.keys, &source, &events, &check, e));
        for (size_t i = 0; i < f.s.nentries; i++)
            assert_ok(sp_content_check_add(check, f.s.entries[i], e));
        assert_ok(sp_content_check_finish(check, &stats, e));
        assert_int_equal(damaged, lost);
        assert_int_equal(stats.chunks, 71 - lost);
        sp_content_check_free(check);
        sp_nodes_free(nodes);
        memory_store_lose(&f.s.memory, &id);
    }
    end(&f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_goes_to_the_target),
        cmocka_unit_test(never_equal_by_its_bytes),
        cmocka_unit_test(away_is_a_fault_and_not_fetched),
        cmocka_unit_test(away_is_no_zeros),
        cmocka_unit_test(impossible_content),
        cmocka_unit_test(links_have_their_streams),
        cmocka_unit_test(parts_are_verified),
    };
    int rc;

    sp_mutex_init(&told.lock);
    rc = cmocka_run_group_tests(tests, NULL, NULL);
    sp_mutex_destroy(&told.lock);
    free(told.bytes);
    return rc;
}
