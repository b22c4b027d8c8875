/* What files of Windows have besides their bytes, in a backup: parts behind the content, files that
 * are elsewhere, and listings that come late. */

#include <stdlib.h>
#include <string.h>

#include "client/content_check.h"
#include "client/nodes.h"
#include "client/ntfs_meta.h"
#include "tests/unit/base/support.h"
#include "tests/unit/client/fake_source.h"
#include "tests/unit/client/site.h"

#define TIME INT64_C(1700000000000000000)
#define W SP_ENTRY_WINDOWS

static struct sp_buf table;

/* The attribute with the table of these parts, valid until the next call. */
static struct sp_attribute
parts_of(const struct sp_ntfs_part *parts, size_t n)
{
    sp_buf_reset(&table);
    assert_ok(sp_ntfs_parts_encode(parts, n, &table, e));
    return (struct sp_attribute){.name = WINDOWS_STREAMS, .value = table.data, .len = table.len};
}

static struct fake_object
file_of(const char *path, uint64_t size, uint64_t extra)
{
    return (struct fake_object){.path = path,
        .type = SP_ENTRY_FILE,
        .flags = W,
        .links = 1,
        .size = size,
        .extra = extra,
        .file_id = 7,
        .mtime_ns = TIME,
        .seed = 1,
        .extra_seed = 2};
}

struct pieces {
    struct sp_segment s[4096];
    uint64_t offset[4096];
    size_t n;
};

static void
read_pieces(struct site *s, const struct sp_entry *en, struct pieces *ret)
{
    struct sp_nodes *nodes = NULL;
    struct sp_list_reader *r = NULL;
    struct sp_node_source source;
    bool more = true;

    assert_ok(sp_nodes_new(&sp_env_system, s->repository, s->keys, NULL, &nodes, e));
    source = sp_nodes_source(nodes);
    assert_ok(sp_list_reader_new(&source, en, &r, e));
    for (ret->n = 0; ret->n < 4096; ret->n++) {
        assert_ok(sp_list_reader_next(r, &ret->s[ret->n], &ret->offset[ret->n], &more, e));
        if (!more)
            break;
    }
    assert_false(more);
    sp_list_reader_free(r);
    sp_nodes_free(nodes);
}

/* `shift`: so many bytes less of its own are in the set than the object has. */
static void
assert_content(struct site *s, const struct sp_entry *en, const struct fake_object *o,
    uint64_t shift, struct pieces *p)
{
    struct sp_hasher *h = NULL;
    uint8_t *bytes = malloc(1 << 20);
    uint64_t end = 0;

    assert_non_null(bytes);
    assert_ok(sp_hasher_new(s->keys, &h, e));
    read_pieces(s, en, p);
    for (size_t i = 0; i < p->n; i++) {
        const struct sp_segment *g = &p->s[i];
        uint64_t at = p->offset[i] + (p->offset[i] >= en->size ? shift : 0);
        struct sp_id id;

        assert_true(p->offset[i] == end);
        end += g->length;
        if (g->hole)
            continue;
        assert_true(g->length <= 1 << 20);
        fake_bytes(o, at, bytes, (size_t)g->length);
        assert_ok(sp_hasher_id(h, SP_CHUNK_DATA, NULL, 0, bytes, (size_t)g->length, &id, e));
        assert_memory_equal(&id, &g->id, sizeof id);
    }
    assert_true(end == sp_entry_content(en));
    sp_hasher_free(h);
    free(bytes);
}

static bool
is_border(const struct pieces *p, uint64_t offset)
{
    for (size_t i = 0; i < p->n; i++)
        if (p->offset[i] == offset)
            return true;
    return false;
}

static void
small_pieces(struct site *s)
{
    s->split = (struct sp_split_params){
        .file_min = 1024, .file_avg = 4096, .file_max = 16384, .image_chunk = 4096};
    site_renew(s);
}

/* --- parts behind the content -------------------------------------------------------------------
 */

static void
parts_follow_the_content(void **state)
{
    static const struct fake_extent extents[] = {
        {300001, false}, {150000, false}, {40000, true}, {30000, false}};
    const struct sp_ntfs_part parts[] = {
        {NTFS_PART_STREAM, "one", 150000}, {NTFS_PART_STREAM, "two", 70000}};
    struct sp_attribute attribute = parts_of(parts, 2);
    static struct pieces a, b;
    struct fake_object o[2] = {file_of("a", 300001, 220000), file_of("b.vhdx", 5, 220000)};
    const struct fake_extent short_extents[] = {
        {5, false}, {150000, false}, {40000, true}, {30000, false}};
    struct sp_ntfs_part *got = NULL;
    size_t ngot = 0, same = 0;
    struct outcome r;
    struct site s;

    (void)state;
    site_new(&s, false);
    small_pieces(&s);
    for (int i = 0; i < 2; i++) {
        o[i].extents = i == 0 ? extents : short_extents;
        o[i].nextents = 4;
        o[i].attributes = &attribute;
        o[i].nattributes = 1;
    }
    o[1].seed = 9;
    fake_source_set(o, 2);
    site_run_well(&s, "parts", &r);
    assert_int_equal(r.result.stats.files, 2);
    assert_true(r.result.stats.bytes == 300006);
    assert_int_equal(r.result.stats.files_away, 0);
    assert_int_equal(r.nnotes, 0);
    for (int i = 0; i < 2; i++) {
        struct sp_entry *en = site_entry(&s, o[i].path);
        struct pieces *p = i == 0 ? &a : &b;

        assert_non_null(en);
        assert_true(en->size == o[i].size && en->extra == 220000 && en->flags == W);
        assert_int_equal(en->nattributes, 1);
        assert_ok(sp_ntfs_parts_decode(
            en->attributes[0].value, en->attributes[0].len, en->extra, &got, &ngot, e));
        assert_int_equal(ngot, 2);
        free(got);
        assert_content(&s, en, &o[i], 0, p);
        assert_true(is_border(p, en->size) && is_border(p, en->size + 150000));
        assert_true(is_border(p, en->size + 190000));
        assert_true(p->n > 30);
        free(en);
    }
    /* The same stream behind other content is the same chunks, and no image for its file's name. */
    for (size_t i = 0; i < b.n; i++)
        for (size_t k = 0; k < a.n; k++)
            same += !b.s[i].hole && memcmp(&a.s[k].id, &b.s[i].id, sizeof a.s[k].id) == 0;
    assert_true(same >= b.n - 2);
    /* Nothing changed: nothing is opened. */
    site_run_well(&s, "again", &r);
    assert_int_equal(r.result.stats.files_unchanged, 2);
    assert_int_equal(o[0].opened + o[1].opened, 2);
    /* Touched: its chunks are known without a question. */
    o[0].mtime_ns++;
    site_run_well(&s, "touched", &r);
    assert_int_equal(o[0].opened, 2);
    assert_int_equal(r.result.stats.files_changed, 1);
    site_free(&s);
}

static void
what_shrinks(void **state)
{
    const struct sp_ntfs_part parts[] = {{NTFS_PART_STREAM, "s", 90000}};
    struct sp_attribute attribute = parts_of(parts, 1);
    static struct pieces p;
    struct fake_object o[2] = {file_of("a", 50000, 90000), file_of("b", 50000, 90000)};
    struct sp_entry *en;
    struct outcome r;
    struct site s;

    (void)state;
    site_new(&s, false);
    small_pieces(&s);
    for (int i = 0; i < 2; i++) {
        o[i].attributes = &attribute;
        o[i].nattributes = 1;
    }
    o[0].extra_gone = 12345;
    o[1].own_gone = 20000;
    fake_source_set(o, 2);
    site_run(&s, "shrinks", &r);
    assert_int_equal(r.code, SP_OK);
    assert_int_equal(r.nfaults, 2);
    assert_int_equal(outcome_fault(&r, "a")->kind, SP_FAULT_CHANGED);
    assert_int_equal(outcome_fault(&r, "b")->kind, SP_FAULT_CHANGED);
    /* The part has the length that its table says; what is gone of it is a hole. */
    en = site_entry(&s, "a");
    assert_true(en->size == 50000 && en->extra == 90000);
    assert_int_equal(en->flags, W | SP_ENTRY_CHANGED);
    assert_content(&s, en, &o[0], 0, &p);
    assert_true(p.s[p.n - 1].hole && p.s[p.n - 1].length == 12345);
    free(en);
    /* The file is shorter; its part is whole behind what there is of it. */
    en = site_entry(&s, "b");
    assert_true(en->size == 30000 && en->extra == 90000);
    assert_content(&s, en, &o[1], 20000, &p);
    assert_true(is_border(&p, 30000) && !p.s[p.n - 1].hole);
    free(en);
    site_free(&s);
}

static void
what_cannot_be_read(void **state)
{
    const struct sp_ntfs_part parts[] = {{NTFS_PART_STREAM, "s", 90000}};
    const struct sp_attribute attributes[] = {
        {.name = WINDOWS_ATTRIBUTES, .value = (const uint8_t *)"\x20\0\0\0", .len = 4},
        parts_of(parts, 1)};
    struct fake_object o[2] = {file_of("a", 50000, 90000), file_of("b", INT64_MAX, 1)};
    struct sp_entry *en;
    struct outcome r;
    struct site s;

    (void)state;
    site_new(&s, false);
    for (int i = 0; i < 2; i++) {
        o[i].attributes = attributes;
        o[i].nattributes = 2;
    }
    o[0].unreadable = SP_DENIED;
    fake_source_set(o, 2);
    site_run(&s, "unreadable", &r);
    assert_int_equal(r.code, SP_OK);
    assert_int_equal(r.nfaults, 2);
    for (int i = 0; i < 2; i++) { /* no part, no table of parts */
        en = site_entry(&s, o[i].path);
        assert_int_equal(en->flags, W | SP_ENTRY_UNREADABLE);
        assert_true(en->size == 0 && en->extra == 0 && en->nsegments == 0);
        assert_int_equal(en->nattributes, 1);
        assert_string_equal(en->attributes[0].name, WINDOWS_ATTRIBUTES);
        free(en);
    }
    site_free(&s);
}

/* A shadow does not change: what is listed there and cannot be found is no file that went away. */
static void
nothing_vanishes_in_a_shadow(void **state)
{
    struct fake_object o[2] = {file_of("gone", 10, 0), file_of("lost", 10, 0)};
    struct sp_entry *en;
    struct outcome r;
    struct site s;

    (void)state;
    site_new(&s, false);
    o[0].unreadable = o[1].unreadable = SP_ABSENT;
    o[1].shadow = true;
    fake_source_set(o, 2);
    site_run(&s, "vanished", &r);
    assert_int_equal(r.code, SP_OK);
    assert_int_equal(r.nfaults, 1);
    assert_int_equal(r.result.stats.files_vanished, 1);
    assert_null(site_entry(&s, "gone"));
    en = site_entry(&s, "lost");
    assert_non_null(en);
    assert_true((en->flags & SP_ENTRY_UNREADABLE) != 0);
    free(en);
    site_free(&s);
}

/* --- elsewhere ----------------------------------------------------------------------------------
 */

static void
nothing_is_fetched(void **state)
{
    const struct sp_ntfs_part efs[] = {{NTFS_PART_EFS, "", 60000}};
    struct sp_attribute attribute = parts_of(efs, 1);
    const struct fake_extent sparse[] = {{5000000, false}, {30000, true}, {30000, false}};
    static struct pieces p;
    struct fake_object o[3] = {
        file_of("cloud", 5000000, 0), file_of("efs", 5000000, 60000), file_of("here", 10, 0)};
    struct sp_entry *en;
    struct outcome r;
    struct site s;

    (void)state;
    site_new(&s, false);
    small_pieces(&s);
    o[0].flags |= SP_ENTRY_AWAY;
    o[1].flags |= SP_ENTRY_AWAY;
    o[1].attributes = &attribute;
    o[1].nattributes = 1;
    o[1].extents = sparse;
    o[1].nextents = 3;
    fake_source_set(o, 3);
    for (int run = 0; run < 2; run++) {
        site_run_well(&s, "elsewhere", &r);
        assert_int_equal(r.result.stats.files_away, 1);
        assert_int_equal(site_sets(&s).newest.files_away, 1);
        assert_int_equal(r.nnotes, 1);
        assert_non_null(strstr(r.notes[0], "1 file is kept in the cloud"));
        assert_non_null(strstr(r.notes[0], "files/cloud"));
        assert_true(r.result.stats.bytes_read < 100000);
        assert_false(o[0].fetched || o[1].fetched);
        en = site_entry(&s, "cloud");
        assert_int_equal(en->flags, W | SP_ENTRY_AWAY);
        assert_int_equal(en->nsegments, 1);
        assert_true(en->segments[0].hole && en->segments[0].length == 5000000);
        free(en);
        en = site_entry(&s, "efs");
        assert_int_equal(en->flags, W | SP_ENTRY_AWAY);
        assert_true(en->size == 5000000 && en->extra == 60000);
        assert_content(&s, en, &o[1], 0, &p);
        assert_true(p.s[0].hole && p.s[0].length == 5030000 && p.n > 3);
        free(en);
        assert_int_equal(o[0].opened, 1);
    }
    /* It came back with the times that it had. */
    o[0].flags = W;
    site_run_well(&s, "back", &r);
    assert_int_equal(r.result.stats.files_away, 0);
    assert_int_equal(r.nnotes, 0);
    assert_int_equal(o[0].opened, 2);
    en = site_entry(&s, "cloud");
    assert_int_equal(en->flags, W);
    assert_content(&s, en, &o[0], 0, &p);
    assert_true(p.n > 100);
    free(en);
    site_free(&s);
}

/* --- late listings ------------------------------------------------------------------------------
 */

static void
listings_come_late(void **state)
{
    struct fake_object o[4] = {file_of("a", 1000, 0), file_of("b", 1000, 0), file_of("c", 1000, 0),
        file_of("d", 1000, 0)},
                       now;
    struct sp_entry *en;
    struct outcome r;
    struct site s;

    (void)state;
    site_new(&s, false);
    for (int i = 0; i < 3; i++)
        o[i].links = 2;
    o[2].flags = 0;
    fake_source_set(o, 4);
    site_run_well(&s, "first", &r);
    for (int i = 0; i < 4; i++)
        assert_int_equal(o[i].refreshed, 0);
    /* Written by another of its names, gone, of POSIX, of one name. */
    now = file_of("a", 2000, 0);
    now.links = 2;
    now.mtime_ns = TIME + 1;
    o[0].now = &now;
    o[1].gone = true;
    fake_source_note("told once a run");
    site_run_well(&s, "second", &r);
    fake_source_note(NULL);
    assert_int_equal(r.nnotes, 1);
    assert_string_equal(r.notes[0], "told once a run");
    assert_int_equal(o[0].refreshed, 1);
    assert_int_equal(o[1].refreshed, 1);
    assert_int_equal(o[2].refreshed, 0);
    assert_int_equal(o[3].refreshed, 1); /* somebody may be writing it */
    assert_int_equal(r.result.stats.files_changed, 1);
    assert_int_equal(r.result.stats.files_vanished, 1);
    assert_int_equal(r.result.stats.files_unchanged, 2);
    assert_int_equal(o[0].opened, 2);
    assert_null(site_entry(&s, "b"));
    en = site_entry(&s, "a");
    assert_true(en->mtime_ns == TIME + 1 && en->links == 2);
    free(en);
    /* What a listing does not tell stays as it was. */
    en = site_entry(&s, "d");
    assert_int_equal(en->links, 1);
    free(en);
    site_free(&s);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_follow_the_content),
        cmocka_unit_test(what_shrinks),
        cmocka_unit_test(what_cannot_be_read),
        cmocka_unit_test(nothing_vanishes_in_a_shadow),
        cmocka_unit_test(nothing_is_fetched),
        cmocka_unit_test(listings_come_late),
    };
    int rc = cmocka_run_group_tests(tests, NULL, NULL);

    sp_buf_free(&table);
    return rc;
}
