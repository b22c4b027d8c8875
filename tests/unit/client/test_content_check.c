/* Proving that a store has the content of files: what is lost is named, what is there in any copy
 * is good, nothing is fetched twice. */

#include "sets.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/content_check.h"
#include "client/nodes.h"
#include "client/seen.h"
#include "storage/crypto.h"
#include "tests/unit/base/support.h"

struct damage {
    char path[64][64], why[64][256];
    size_t n, progress;
};

static void
on_damaged(void *arg, const void *key, size_t n, const char *why)
{
    struct damage *d = arg;

    assert_true(d->n < 64 && n < 64);
    memcpy(d->path[d->n], key, n);
    d->path[d->n][n] = '\0';
    (void)snprintf(d->why[d->n++], 256, "%s", why);
}

static void
on_progress(void *arg, const struct sp_content_stats *s, const void *key, size_t n)
{
    struct damage *d = arg;

    assert_true(s->files > 0 && key != NULL && n > 0);
    d->progress++;
}

/* Checks every entry of the set; `d` and `ret` tell. */
static enum sp_code
check(struct set *s, struct damage *d, struct sp_content_stats *ret, struct sp_err *e)
{
    struct sp_content_events events = {.damaged = on_damaged, .progress = on_progress, .arg = d};
    struct sp_content_check *c = NULL;
    struct sp_nodes *nodes = NULL;
    struct sp_node_source source;
    size_t i;
    enum sp_code rc;

    memset(d, 0, sizeof(*d));
    memset(ret, 0, sizeof(*ret));
    assert_int_equal(
        sp_nodes_new(&sp_env_system, &s->memory.store, s->keys, NULL, &nodes, e), SP_OK);
    source = sp_nodes_source(nodes);
    rc = sp_content_check_new(&s->memory.store, s->keys, &source, &events, &c, e);
    assert_int_equal(rc, SP_OK);
    for (i = 0; i < s->nentries && rc == SP_OK; i++)
        rc = sp_content_check_add(c, s->entries[i], e);
    if (rc == SP_OK)
        rc = sp_content_check_finish(c, ret, e);
    sp_content_check_free(c);
    sp_nodes_free(nodes);
    return rc;
}

static void
lose(struct set *s, const char *text)
{
    struct sp_id id = set_chunk_id(s, text, strlen(text));

    memory_store_lose(&s->memory, &id);
}

static void
whole(void **state)
{
    struct sp_content_stats stats;
    struct content parts[] = {{"first", 5}, {NULL, 1 << 20}, {"last", 4}};
    struct damage d;
    struct set s;

    (void)state;
    set_new(&s);
    set_dir(&s, "");
    set_text(&s, "a", "one");
    set_text(&s, "b", "two");
    set_text(&s, "c", "one");
    set_text(&s, "empty", "");
    set_file(&s, "sparse", parts, 3, 100);
    set_symlink(&s, "link", "a");
    set_commit(&s);
    assert_ok(check(&s, &d, &stats, e));
    assert_int_equal(d.n, 0);
    assert_int_equal(stats.damaged, 0);
    assert_int_equal(stats.files, 5);
    assert_int_equal(stats.bytes, 3 * 3 + 9 + (1 << 20));
    assert_int_equal(stats.chunks, 4); /* "one" is one chunk */
    assert_true(d.progress > 0);
    set_free(&s);
}

static void
lost_chunks(void **state)
{
    struct sp_content_stats stats;
    struct damage d;
    struct set s;

    (void)state;
    set_new(&s);
    s.block_chunks = 1;
    set_dir(&s, "");
    set_bytes(&s, "a", "lost good", 9, 5);
    set_text(&s, "b", "good");
    set_text(&s, "c", "lost ");
    set_attribute(&s, set_text(&s, "d", "x"), "user.long", "value of it", 11, true);
    set_commit(&s);
    lose(&s, "lost ");
    assert_ok(check(&s, &d, &stats, e));
    assert_int_equal(d.n, 2);
    assert_string_equal(d.path[0], "a");
    assert_string_equal(d.path[1], "c");
    assert_non_null(strstr(d.why[0], "is missing"));
    assert_int_equal(stats.damaged, 2);
    assert_int_equal(stats.files, 4);
    lose(&s, "value of it");
    assert_ok(check(&s, &d, &stats, e));
    assert_int_equal(d.n, 3);
    assert_string_equal(d.path[2], "d");
    set_free(&s);
}

/* A bad block harms all that is in it, unless another copy is good. */
static void
bad_blocks(void **state)
{
    struct sp_content_stats stats;
    struct damage d;
    struct sp_id id;
    struct set s;

    (void)state;
    set_new(&s);
    set_dir(&s, "");
    set_text(&s, "a", "one");
    set_text(&s, "b", "two");
    set_seal(&s);
    set_text(&s, "c", "three");
    set_commit(&s);
    id = set_chunk_id(&s, "two", 3);
    memory_store_double(&s.memory, &id);
    memory_store_damage(&s.memory, &id, 1);
    assert_ok(check(&s, &d, &stats, e));
    assert_int_equal(d.n, 0);
    assert_true(s.memory.highest_copy >= 1);
    memory_store_damage(&s.memory, &id, 2);
    assert_ok(check(&s, &d, &stats, e));
    assert_int_equal(d.n, 2);
    assert_string_equal(d.path[0], "a");
    assert_non_null(strstr(d.why[0], "is damaged: "));
    set_free(&s);
}

/* An entry that speaks of another length than the chunk has: a file of the wrong size would come
 * back. */
static void
lying_entries(void **state)
{
    struct sp_content_stats stats;
    struct sp_segment *segment;
    struct sp_entry *en;
    struct damage d;
    struct set s;

    (void)state;
    set_new(&s);
    set_dir(&s, "");
    set_text(&s, "good", "same");
    en = set_text(&s, "lie", "same");
    segment = (struct sp_segment *)(uintptr_t)en->segments;
    segment->length = 5;
    en->size = 5;
    set_commit(&s);
    assert_ok(check(&s, &d, &stats, e));
    assert_int_equal(d.n, 1);
    assert_string_equal(d.path[0], "lie");
    assert_non_null(strstr(d.why[0], "length"));
    segment->length = 4; /* and less than the file is long */
    assert_ok(check(&s, &d, &stats, e));
    assert_int_equal(d.n, 1);
    assert_string_equal(d.path[0], "lie");
    set_free(&s);
}

/* More uses of chunks than a window holds; a file over several windows is named once, one that is
 * equal is not fetched again. */
static void
many_windows(void **state)
{
    enum { PIECES = 40000, DIFFERENT = PIECES / 30 + 1, SIZE = 8 };
    static uint8_t p[DIFFERENT][SIZE];
    static struct content pieces[PIECES];
    struct sp_content_stats stats;
    struct damage d;
    struct sp_id id;
    struct set s;
    size_t i;

    (void)state;
    fill(p, sizeof(p), 7);
    for (i = 0; i < PIECES; i++) {
        pieces[i].p = p[i / 30];
        pieces[i].n = SIZE;
    }
    set_new(&s);
    set_dir(&s, "");
    set_text(&s, "before", "before");
    set_file(&s, "large", pieces, PIECES, SIZE);
    set_file(&s, "twin", pieces, PIECES, SIZE);
    set_seal(&s);
    set_text(&s, "zz", "behind");
    set_commit(&s);
    assert_ok(check(&s, &d, &stats, e));
    assert_int_equal(d.n, 0);
    assert_true(d.progress >= 2); /* windows */
    assert_true(stats.chunks >= DIFFERENT + 2 && stats.chunks < DIFFERENT + 100);
    for (i = 0; i < s.memory.nblocks; i++) { /* all that the two are made of */
        id = set_chunk_id(&s, p[i * 1000 % DIFFERENT], SIZE);
        memory_store_damage(&s.memory, &id, 1);
    }
    assert_ok(check(&s, &d, &stats, e));
    assert_true(d.progress >= 3); /* what is not proven is asked for in each of them */
    assert_int_equal(stats.damaged, d.n);
    assert_true(d.n >= 2);
    for (i = 1; i < d.n; i++)
        assert_true(strcmp(d.path[i - 1], d.path[i]) < 0); /* each once, in order */
    assert_string_equal(d.path[d.n - 1], "twin");
    set_free(&s);
}

/* A store that fails is no damage: nothing is known. */
static void
failing_store(void **state)
{
    struct sp_content_stats stats;
    struct sp_err err = {0};
    struct damage d;
    struct set s;

    (void)state;
    set_new(&s);
    set_dir(&s, "");
    set_text(&s, "a", "one");
    set_commit(&s);
    s.memory.fail_get = 1;
    s.memory.fail_code = SP_UNREACHABLE;
    assert_int_equal(check(&s, &d, &stats, &err), SP_UNREACHABLE);
    assert_int_equal(d.n, 0);
    set_free(&s);
}

static int
by_bytes(const void *a, const void *b)
{
    return memcmp(a, b, 32);
}

/* Also when they come in order, as ids out of a window do. */
static void
seen_in_order(void **state)
{
    enum { COUNT = 20000 };
    static uint8_t keys[COUNT][32];
    struct sp_seen *seen = NULL;
    size_t i, known = 0;

    (void)state;
    fill(keys, sizeof(keys), 3);
    qsort(keys, COUNT, 32, by_bytes);
    assert_ok(sp_seen_new(4 * COUNT, &seen, e));
    for (i = 0; i < COUNT; i++)
        sp_seen_add(seen, keys[i]);
    for (i = 0; i < COUNT; i++)
        known += sp_seen_has(seen, keys[i]);
    assert_true(known > COUNT * 95 / 100);
    sp_seen_free(seen);
}

/* Never a false yes; within the limit, next to no forgetting. */
static void
what_was_seen(void **state)
{
    enum { COUNT = 20000, LIMIT = 4096 };
    struct sp_seen *seen = NULL;
    uint8_t key[32];
    uint32_t i, known = 0;

    (void)state;
    assert_ok(sp_seen_new(LIMIT, &seen, e));
    for (i = 0; i < COUNT; i++) {
        assert_ok(sp_sha256(&i, sizeof(i), key, e));
        assert_false(sp_seen_has(seen, key));
        sp_seen_add(seen, key);
        assert_true(sp_seen_has(seen, key));
    }
    for (i = COUNT - LIMIT / 2; i < COUNT; i++) {
        assert_ok(sp_sha256(&i, sizeof(i), key, e));
        known += sp_seen_has(seen, key);
    }
    assert_true(known > LIMIT / 2 * 9 / 10);
    sp_seen_free(seen);
    sp_seen_free(NULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole),
        cmocka_unit_test(lost_chunks),
        cmocka_unit_test(bad_blocks),
        cmocka_unit_test(lying_entries),
        cmocka_unit_test(many_windows),
        cmocka_unit_test(failing_store),
        cmocka_unit_test(seen_in_order),
        cmocka_unit_test(what_was_seen),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
