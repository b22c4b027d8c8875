#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "expect.h"

#include "base/random.h"
#include "entries.h"
#include "nodes_memory.h"
#include "storage/chunklist.h"
#include "storage/tree_node.h"

static struct sp_keys *keys;
static struct sp_hasher *hasher;

static int
group_setup(void **state)
{
    struct sp_random_seeded s = {42};
    struct sp_random r = sp_random_seeded_of(&s);

    (void)state;
    return sp_keys_generate(&r, &keys, &err) != SP_OK ||
           sp_hasher_new(keys, &hasher, &err) != SP_OK;
}

static int
group_teardown(void **state)
{
    (void)state;
    sp_hasher_free(hasher);
    sp_keys_free(keys);
    return 0;
}

/* A file as segments, adjacent holes joined. */
struct file {
    struct sp_segment *s;
    size_t n;
    uint64_t size;
};

static void
append(struct file *f, const struct sp_segment *s)
{
    f->size += s->length;
    if (s->hole && f->n > 0 && f->s[f->n - 1].hole)
        f->s[f->n - 1].length += s->length;
    else
        f->s[f->n++] = *s;
}

static struct file
file_draw(struct draws *d, size_t n, unsigned hole_in)
{
    struct file f = {.s = calloc(n + 1, sizeof *f.s)};

    assert_non_null(f.s);
    for (size_t i = 0; i < n; i++) {
        struct sp_segment s = {.length = draw_below(d, 800000) + 1};

        s.hole = hole_in > 0 && draw_below(d, hole_in) == 0;
        if (!s.hole)
            s.id = draw_id(d);
        append(&f, &s);
    }
    return f;
}

/* Writes the file and gives its entry; the segments are views into w. */
static struct sp_entry
file_write(struct sp_list_writer *w, const struct file *f)
{
    struct sp_entry en = {.key = (const uint8_t *)"f",
        .key_len = 1,
        .type = SP_ENTRY_FILE,
        .size = f->size,
        .user = "",
        .group = ""};

    for (size_t i = 0; i < f->n; i++)
        ok(sp_list_writer_add(w, f->s[i].length, f->s[i].hole ? NULL : &f->s[i].id, &err));
    ok(sp_list_writer_finish(w, &en.segments, &en.nsegments, &en.has_list, &en.list, &err));
    return en;
}

static void
same_segment(const struct sp_segment *a, const struct sp_segment *b)
{
    assert_true(a->length == b->length && a->hole == b->hole);
    assert_memory_equal(a->id.b, b->id.b, SP_ID_SIZE);
}

static void
reads_from(struct sp_list_reader *r, const struct file *f, size_t i, uint64_t offset, size_t most)
{
    struct sp_segment s;
    uint64_t at = 0;
    bool more = true;

    for (; i < f->n && most > 0; i++, most--) {
        ok(sp_list_reader_next(r, &s, &at, &more, &err));
        assert_true(more);
        same_segment(&s, &f->s[i]);
        assert_true(at == offset);
        offset += s.length;
    }
    if (i == f->n) {
        ok(sp_list_reader_next(r, &s, &at, &more, &err));
        assert_false(more);
    }
}

static void
seeks(struct sp_list_reader *r, const struct file *f, struct draws *d, unsigned times)
{
    uint64_t *offsets = calloc(f->n + 1, sizeof *offsets);

    assert_non_null(offsets);
    for (size_t i = 0; i < f->n; i++)
        offsets[i + 1] = offsets[i] + f->s[i].length;
    for (unsigned k = 0; k < times; k++) {
        size_t i = (size_t)draw_below(d, f->n + 1);
        uint64_t to = offsets[i];

        if (i == f->n)
            to += draw_below(d, 3) == 0 ? UINT64_MAX - to : draw_below(d, 3);
        else if (draw_below(d, 2) == 0)
            to += draw_below(d, f->s[i].length);
        ok(sp_list_reader_seek(r, to, &err));
        reads_from(r, f, i, offsets[i], (size_t)draw_below(d, 4));
    }
    free(offsets);
}

static void
files_come_back(void **state)
{
    static const size_t sizes[] = {
        0, 1, 2, 31, 32, 33, 100, 127, 128, 129, 1023, 1024, 1025, 5000, 100000};
    struct draws d = {new_seed()};
    struct sp_list_writer *w = NULL;
    struct nodes m;

    (void)state;
    nodes_init(&m);
    ok(sp_list_writer_new(hasher, &m.sink, &w, &err));
    for (size_t k = 0; k < 2 * sizeof sizes / sizeof *sizes; k++) {
        struct file f = file_draw(&d, sizes[k / 2], k % 2 == 0 ? 0 : 3);
        struct sp_entry en = file_write(w, &f);
        struct sp_list_reader *r = NULL;

        assert_true(en.has_list == (f.n > SP_INLINE_SEGMENTS));
        assert_int_equal(en.nsegments, en.has_list ? 0 : f.n);
        ok(sp_list_reader_new(&m.source, &en, &r, &err));
        reads_from(r, &f, 0, 0, SIZE_MAX);
        seeks(r, &f, &d, 300);
        sp_list_reader_free(r);
        free(f.s);
    }
    sp_list_writer_free(w);
    nodes_free(&m);
}

static void
a_file_of_one_hole(void **state)
{
    struct sp_list_writer *w = NULL;
    struct sp_segment hole = {.length = UINT64_C(1) << 40, .hole = true};
    struct file f = {.s = &hole, .n = 1, .size = hole.length};
    struct sp_list_reader *r = NULL;
    struct sp_entry en;
    struct nodes m;

    (void)state;
    nodes_init(&m);
    ok(sp_list_writer_new(hasher, &m.sink, &w, &err));
    for (int i = 0; i < 1000; i++)
        ok(sp_list_writer_add(w, hole.length / 1000, NULL, &err));
    ok(sp_list_writer_add(w, hole.length % 1000, NULL, &err));
    en = file_write(w, &(struct file){.s = NULL});
    en.size = hole.length;
    ok(sp_list_reader_new(&m.source, &en, &r, &err));
    reads_from(r, &f, 0, 0, SIZE_MAX);
    sp_list_reader_free(r);
    sp_list_writer_free(w);
    nodes_free(&m);
}

/* Holes that come in pieces, a writer used before or reset in the middle: the same list. */
static void
one_content_one_list(void **state)
{
    struct draws d = {new_seed()};
    struct file f = file_draw(&d, 3000, 3), other = file_draw(&d, 700, 5);
    struct sp_list_writer *w = NULL;
    struct sp_entry first, second;
    struct nodes m;

    (void)state;
    nodes_init(&m);
    ok(sp_list_writer_new(hasher, &m.sink, &w, &err));
    first = file_write(w, &f);
    file_write(w, &other);
    for (size_t i = 0; i < 300; i++)
        ok(sp_list_writer_add(w, 77, &f.s[0].id, &err));
    sp_list_writer_reset(w);
    for (size_t i = 0; i < f.n; i++) {
        uint64_t left = f.s[i].length;

        while (f.s[i].hole && left > 1) {
            uint64_t some = draw_below(&d, left - 1) + 1;

            ok(sp_list_writer_add(w, some, NULL, &err));
            left -= some;
        }
        ok(sp_list_writer_add(w, left, f.s[i].hole ? NULL : &f.s[i].id, &err));
    }
    second = file_write(w, &(struct file){.s = NULL});
    assert_true(first.has_list && second.has_list);
    assert_memory_equal(first.list.b, second.list.b, SP_ID_SIZE);
    free(f.s);
    free(other.s);
    sp_list_writer_free(w);
    nodes_free(&m);
}

static void
a_change_touches_few_nodes(void **state)
{
    struct draws d = {new_seed()};
    struct file f = file_draw(&d, 100000, 50), g = {.s = calloc(f.n + 1, sizeof *g.s)};
    struct sp_list_writer *w = NULL;
    struct sp_entry before, after;
    struct nodes m;
    size_t all;

    (void)state;
    assert_non_null(g.s);
    nodes_init(&m);
    ok(sp_list_writer_new(hasher, &m.sink, &w, &err));
    before = file_write(w, &f);
    all = m.added;
    assert_true(all > 100);
    for (int k = 0; k < 20; k++) {
        size_t at = (size_t)draw_below(&d, f.n);
        struct sp_segment s = {.length = 12345, .id = draw_id(&d)};

        /* Changed, put in, taken out. */
        g.n = 0;
        g.size = 0;
        for (size_t i = 0; i < f.n; i++) {
            if (i == at && k % 3 != 2)
                append(&g, &s);
            if (i != at || k % 3 == 1)
                append(&g, &f.s[i]);
        }
        m.added = 0;
        after = file_write(w, &g);
        assert_memory_not_equal(before.list.b, after.list.b, SP_ID_SIZE);
        /* A leaf or a few, and the path above them. */
        if (m.added > 16)
            fail_msg("%zu of %zu nodes are new", m.added, all);
    }
    free(f.s);
    free(g.s);
    sp_list_writer_free(w);
    nodes_free(&m);
}

static void
nodes_keep_their_bounds(void **state)
{
    struct draws d = {new_seed()};
    struct file f = file_draw(&d, 50000, 0);
    struct sp_list_writer *w = NULL;
    struct sp_ref_use use = {0};
    size_t small = 0, leaves = 0;
    struct nodes m;

    (void)state;
    nodes_init(&m);
    ok(sp_list_writer_new(hasher, &m.sink, &w, &err));
    file_write(w, &f);
    for (size_t i = 0; i < m.cap; i++) {
        struct sp_list_iter it;
        struct sp_segment s;
        uint64_t total;
        size_t n = 0;

        if (m.slots[i] == NULL)
            continue;
        ok(sp_list_open(m.slots[i], &use, &it, &total, &err));
        while (sp_list_next(&it, &use, &s))
            n++;
        assert_true(n <= 1024 && m.slots[i]->len <= 64 << 10);
        if (it.level == 0) {
            leaves++;
            small += n < 128;
        }
    }
    assert_true(leaves >= 50 && leaves < 200);
    assert_true(small <= 1); /* the last */
    sp_ref_use_free(&use);
    free(f.s);
    sp_list_writer_free(w);
    nodes_free(&m);
}

static void
misuse_and_a_full_sink(void **state)
{
    struct draws d = {new_seed()};
    struct sp_list_writer *w = NULL;
    struct sp_id id = draw_id(&d), list;
    const struct sp_segment *s;
    struct file f = file_draw(&d, 2000, 0);
    struct sp_list_reader *r = NULL;
    struct sp_entry en;
    struct nodes m;
    size_t n, i = 0;
    bool has;

    (void)state;
    nodes_init(&m);
    ok(sp_list_writer_new(hasher, &m.sink, &w, &err));
    gives(SP_INVALID, sp_list_writer_add(w, 0, &id, &err));
    gives(SP_INVALID, sp_list_writer_add(w, 0, NULL, &err));
    gives(SP_INVALID, sp_list_writer_add(w, UINT64_MAX, &id, &err));
    ok(sp_list_writer_add(w, INT64_MAX, NULL, &err));
    gives(SP_INVALID, sp_list_writer_add(w, 1, NULL, &err));
    sp_list_writer_reset(w);
    m.fail_put = 0;
    while (sp_list_writer_add(w, 10, &f.s[i].id, &err) == SP_OK)
        assert_true(++i < f.n);
    assert_int_equal(err.code, SP_FULL);
    gives(SP_INVALID, sp_list_writer_add(w, 10, &id, &err));
    gives(SP_INVALID, sp_list_writer_finish(w, &s, &n, &has, &list, &err));
    sp_list_writer_reset(w);
    en = file_write(w, &f);
    ok(sp_list_reader_new(&m.source, &en, &r, &err));
    reads_from(r, &f, 0, 0, SIZE_MAX);
    sp_list_reader_free(r);
    sp_list_writer_free(w);
    sp_list_writer_free(NULL);
    sp_list_reader_free(NULL);
    free(f.s);
    nodes_free(&m);
}

/* --- lies ------------------------------------------------------------------------------------- */

static enum sp_code
read_all(struct nodes *m, const struct sp_entry *en)
{
    struct sp_list_reader *r = NULL;
    struct sp_segment s;
    uint64_t at, end = 0;
    bool more = true;
    enum sp_code rc;

    if ((rc = sp_list_reader_new(&m->source, en, &r, &err)) != SP_OK)
        return rc;
    while ((rc = sp_list_reader_next(r, &s, &at, &more, &err)) == SP_OK && more)
        end = at + s.length;
    if (rc == SP_OK)
        assert_true(end == sp_entry_content(en));
    sp_list_reader_free(r);
    return rc;
}

static void
inline_lies(void **state)
{
    struct sp_segment s[2] = {{.length = 10, .id = {{1}}}, {.length = 5, .hole = true}};
    struct sp_entry en = {.type = SP_ENTRY_FILE, .size = 15, .segments = s, .nsegments = 2};
    struct nodes m;

    (void)state;
    nodes_init(&m);
    gives(SP_OK, read_all(&m, &en));
    en.size = 14;
    gives(SP_CORRUPT, read_all(&m, &en));
    en.size = 16;
    gives(SP_CORRUPT, read_all(&m, &en));
    s[0].length = UINT64_MAX;
    en.size = 4; /* what the sum would be if it went around */
    gives(SP_CORRUPT, read_all(&m, &en));
    en.nsegments = 0;
    gives(SP_CORRUPT, read_all(&m, &en));
    en.size = 0;
    gives(SP_OK, read_all(&m, &en));
    nodes_free(&m);
}

/* What is behind the file's own bytes is of the content too, in the entry and in lists. */
static void
content_behind_the_file(void **state)
{
    struct draws d = {new_seed()};
    struct sp_list_writer *w = NULL;
    struct nodes m;

    (void)state;
    nodes_init(&m);
    ok(sp_list_writer_new(hasher, &m.sink, &w, &err));
    for (size_t n = 20; n <= 6000; n *= 10) {
        struct file f = file_draw(&d, n, 4);
        struct sp_entry en = file_write(w, &f);
        struct sp_list_reader *r = NULL;
        struct sp_segment s;
        uint64_t at = 0, where;
        bool more = false;

        assert_int_equal(en.has_list, n > 20);
        en.flags = SP_ENTRY_WINDOWS;
        en.extra = draw_below(&d, en.size) + 1;
        gives(SP_CORRUPT, read_all(&m, &en));
        en.size -= en.extra;
        gives(SP_OK, read_all(&m, &en));
        ok(sp_list_reader_new(&m.source, &en, &r, &err));
        for (int i = 0; i < 50; i++) {
            where = en.size + draw_below(&d, en.extra);
            ok(sp_list_reader_seek(r, where, &err));
            ok(sp_list_reader_next(r, &s, &at, &more, &err));
            assert_true(more && at <= where && where - at < s.length);
        }
        ok(sp_list_reader_seek(r, sp_entry_content(&en), &err));
        ok(sp_list_reader_next(r, &s, &at, &more, &err));
        assert_false(more);
        sp_list_reader_free(r);
        en.extra++;
        gives(SP_CORRUPT, read_all(&m, &en));
        en.extra -= 2;
        gives(SP_CORRUPT, read_all(&m, &en));
        free(f.s);
    }
    sp_list_writer_free(w);
    nodes_free(&m);
}

static void
what_could_not_be_read_has_no_content(void **state)
{
    struct sp_entry en = {.type = SP_ENTRY_FILE, .size = 15, .flags = SP_ENTRY_UNREADABLE};
    struct sp_list_reader *r = NULL;
    struct sp_segment s;
    uint64_t at;
    bool more = true;
    struct nodes m;

    (void)state;
    nodes_init(&m);
    ok(sp_list_reader_new(&m.source, &en, &r, &err));
    ok(sp_list_reader_next(r, &s, &at, &more, &err));
    assert_false(more);
    sp_list_reader_free(r);
    nodes_free(&m);
}

/* Puts a list node of these segments under the id. */
static void
lie(struct nodes *m, const struct sp_id *id, unsigned level, const struct sp_segment *s, size_t n,
    enum sp_chunk_kind kind)
{
    struct sp_node_coder k = {0};

    ok(sp_list_encode(&k, level, s, n, &err));
    nodes_lie(m, id, kind, k.refs.ids, k.refs.n, k.out.data, k.out.len);
    sp_node_coder_free(&k);
}

static void
tree_lies(void **state)
{
    struct sp_segment leaf[3] = {
        {.length = 10, .id = {{1}}}, {.length = 5, .hole = true}, {.length = 7, .id = {{2}}}};
    struct sp_segment above[2] = {{.length = 22, .id = {{101}}}, {.length = 22, .id = {{102}}}};
    struct sp_entry en = {.type = SP_ENTRY_FILE, .size = 44, .has_list = true, .list = {{100}}};
    struct nodes m;

    (void)state;
    nodes_init(&m);
    lie(&m, &en.list, 1, above, 2, SP_CHUNK_LIST);
    lie(&m, &above[0].id, 0, leaf, 3, SP_CHUNK_LIST);
    lie(&m, &above[1].id, 0, leaf, 3, SP_CHUNK_LIST);
    gives(SP_OK, read_all(&m, &en));
    en.size = 43;
    gives(SP_CORRUPT, read_all(&m, &en));
    en.size = 45;
    gives(SP_CORRUPT, read_all(&m, &en));
    en.size = 44;
    /* A child of another length, level or kind; bytes that are no node. */
    lie(&m, &above[1].id, 0, leaf, 2, SP_CHUNK_LIST);
    gives(SP_CORRUPT, read_all(&m, &en));
    lie(&m, &above[1].id, 1, above, 1, SP_CHUNK_LIST);
    gives(SP_CORRUPT, read_all(&m, &en));
    lie(&m, &above[1].id, 0, leaf, 3, SP_CHUNK_TREE);
    gives(SP_CORRUPT, read_all(&m, &en));
    lie(&m, &above[1].id, 0, leaf, 3, SP_CHUNK_DATA);
    gives(SP_CORRUPT, read_all(&m, &en));
    nodes_lie(&m, &above[1].id, SP_CHUNK_LIST, NULL, 0, "\xff\xff", 2);
    gives(SP_CORRUPT, read_all(&m, &en));
    /* A source that goes in a circle comes to an end by the levels. */
    above[0].length = 44;
    above[0].id = en.list;
    lie(&m, &en.list, 7, above, 1, SP_CHUNK_LIST);
    gives(SP_CORRUPT, read_all(&m, &en));
    nodes_free(&m);
}

static enum sp_code
get_another(void *self, const struct sp_id *ids, size_t n, struct sp_node **ret, struct sp_err *e)
{
    struct nodes *m = self;
    struct sp_id other = {{101}};

    (void)ids;
    assert_int_equal(n, 1);
    return m->source.get(m->source.self, &other, 1, ret, e);
}

static void
a_source_that_gives_another_node(void **state)
{
    struct sp_segment leaf = {.length = 22, .id = {{1}}};
    struct sp_entry en = {.type = SP_ENTRY_FILE, .size = 22, .has_list = true, .list = {{100}}};
    struct sp_list_reader *r = NULL;
    struct sp_node_source source;
    struct sp_segment s;
    uint64_t at;
    bool more;
    struct nodes m;

    (void)state;
    nodes_init(&m);
    lie(&m, &(struct sp_id){{101}}, 0, &leaf, 1, SP_CHUNK_LIST);
    source = (struct sp_node_source){get_another, &m};
    ok(sp_list_reader_new(&source, &en, &r, &err));
    gives(SP_CORRUPT, sp_list_reader_next(r, &s, &at, &more, &err));
    sp_list_reader_free(r);
    nodes_free(&m);
}

/* A node that is away is asked for again by the next call; a seek goes around it. */
static void
a_missing_node(void **state)
{
    struct sp_segment leaf = {.length = 22, .id = {{1}}};
    struct sp_segment above[3] = {{.length = 22, .id = {{101}}}, {.length = 22, .id = {{102}}},
        {.length = 22, .id = {{103}}}};
    struct sp_entry en = {.type = SP_ENTRY_FILE, .size = 66, .has_list = true, .list = {{100}}};
    struct sp_list_reader *r = NULL;
    struct sp_segment s;
    uint64_t at = 0;
    bool more = false;
    struct nodes m;

    (void)state;
    nodes_init(&m);
    lie(&m, &en.list, 1, above, 3, SP_CHUNK_LIST);
    lie(&m, &above[0].id, 0, &leaf, 1, SP_CHUNK_LIST);
    lie(&m, &above[2].id, 0, &leaf, 1, SP_CHUNK_LIST);
    ok(sp_list_reader_new(&m.source, &en, &r, &err));
    ok(sp_list_reader_next(r, &s, &at, &more, &err));
    gives(SP_ABSENT, sp_list_reader_next(r, &s, &at, &more, &err));
    gives(SP_ABSENT, sp_list_reader_next(r, &s, &at, &more, &err));
    gives(SP_ABSENT, sp_list_reader_seek(r, 30, &err));
    ok(sp_list_reader_seek(r, 44, &err));
    ok(sp_list_reader_next(r, &s, &at, &more, &err));
    assert_true(more && at == 44);
    ok(sp_list_reader_seek(r, 5, &err));
    ok(sp_list_reader_next(r, &s, &at, &more, &err));
    assert_true(more && at == 0);
    lie(&m, &above[1].id, 0, &leaf, 1, SP_CHUNK_LIST);
    ok(sp_list_reader_next(r, &s, &at, &more, &err));
    assert_true(more && at == 22);
    sp_list_reader_free(r);
    nodes_free(&m);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_come_back),
        cmocka_unit_test(a_file_of_one_hole),
        cmocka_unit_test(one_content_one_list),
        cmocka_unit_test(a_change_touches_few_nodes),
        cmocka_unit_test(nodes_keep_their_bounds),
        cmocka_unit_test(misuse_and_a_full_sink),
        cmocka_unit_test(inline_lies),
        cmocka_unit_test(content_behind_the_file),
        cmocka_unit_test(what_could_not_be_read_has_no_content),
        cmocka_unit_test(tree_lies),
        cmocka_unit_test(a_source_that_gives_another_node),
        cmocka_unit_test(a_missing_node),
    };

    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
