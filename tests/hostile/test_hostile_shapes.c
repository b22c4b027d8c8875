/* Catalogs and chunk lists of impossible or endless shape: nodes that refer to themselves, to each
 * other many times, to the wrong kind; sizes that do not add up, or that nothing holds; depth. What
 * is wrong is told, the rest of the set is restored, and nobody's time, memory or disk is used up
 * (R11, R18). */

#include "shop.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/clock.h"
#include "storage/record.h"
#include "storage/tree_node.h"
#include "tests/unit/base/support.h"

#define MEMORY ((size_t)96 << 20)

static struct outcome *
outcome(void)
{
    struct outcome *o = malloc(sizeof *o);

    assert_non_null(o);
    return o;
}

/* Restores a set around the entry; it must be told, and the rest restored. */
static void
is_told(struct set *s, const struct raw *evil, size_t n, size_t faults, const char *words)
{
    struct outcome *o = outcome();
    struct place p;

    place_new(&p);
    raw_around(s, evil, n);
    set_restore(s, p.target, NULL, o);
    if (o->code != SP_OK)
        fail_msg("%s: %s", words, o->err.text);
    if (o->nfaults != faults || (faults > 0 && strstr(o->faults[0].text, words) == NULL))
        fail_msg("%zu faults, not %zu with '%s': %s", o->nfaults, faults, words, o->faults[0].text);
    assert_text(p.target, "a/good", "good");
    assert_text(p.target, "z/good", "good");
    assert_int_equal(count_temporary(p.target), 0);
    place_free(&p);
    free(o);
}

/* --- content ------------------------------------------------------------------------------------
 */

static void
contents_that_do_not_add_up(void **state)
{
    (void)state;
    struct set s;

    bounds_begin("contents that do not add up", 60, MEMORY);
    set_new(&s);
    const struct sp_id four = set_chunk(&s, "four", 4), empty = set_chunk(&s, "", 0), gone = {{9}};
    const struct raw_piece one = {4, &four}, longer = {5, &four}, none = {4, &gone},
                           half[] = {{UINT64_C(1) << 63, NULL}, {UINT64_C(1) << 63, NULL}},
                           mixed[] = {{4, &four}, {UINT64_MAX - 3, NULL}}, zero = {0, &empty},
                           of_empty = {4, &empty}, large = {UINT64_C(1) << 32, &four};
    const struct sp_id leaf = raw_leaf(&s, &(struct raw)FOLDER(""), 1),
                       list = raw_list(&s, 0, &one, 1),
                       deeper = raw_list(&s, 1, &(struct raw_piece){4, &list}, 1),
                       wrong = raw_list(&s, 1, &(struct raw_piece){5, &list}, 1),
                       of_leaf = raw_list(&s, 1, &(struct raw_piece){4, &leaf}, 1),
                       of_data = raw_list(&s, 1, &(struct raw_piece){4, &four}, 1),
                       twice = raw_list(&s, 2, &(struct raw_piece){4, &list}, 1),
                       nothing = raw_list(&s, 0, NULL, 0), hollow = raw_list(&s, 0, half, 1),
                       wrapped = raw_list(&s, 0, mixed, 2), too_high = raw_list(&s, 8, &one, 1);
#define FILE_OF(...)                                                                               \
    {                                                                                              \
        KEY("m\0e"), .type = 1, .mode = 0600, __VA_ARGS__                                          \
    }
#define PIECES(p, n) .pieces = p, .npieces = n
    const struct {
        struct raw evil;
        const char *words;
    } all[] = {{FILE_OF(.size = 5, PIECES(&one, 1)), "less content"},
        {FILE_OF(.size = 3, PIECES(&one, 1)), "more content"}, {FILE_OF(.size = 4), "less content"},
        {FILE_OF(.size = UINT64_MAX - 8), "less content"},
        {FILE_OF(.size = 5, PIECES(&longer, 1)), "another length"},
        {FILE_OF(.size = 4, PIECES(&none, 1)), "missing"},
        {FILE_OF(.size = 4, PIECES(&of_empty, 1)), "another length"},
        {FILE_OF(.size = 0, PIECES(half, 2)), "more content"},
        {FILE_OF(.size = 4, PIECES(mixed, 2)), "more content"},
        {FILE_OF(.size = 0, PIECES(mixed, 2)), "more content"},
        {FILE_OF(.size = UINT64_C(1) << 32, PIECES(&large, 1)), "impossible"},
        {FILE_OF(.size = 0, PIECES(&zero, 1)), "malformed segment"},
        {FILE_OF(.size = 5, .list = &list), "add up"},
        {FILE_OF(.size = 4, .list = &four), "missing"},
        {FILE_OF(.size = 4, .list = &leaf), "another kind"},
        {FILE_OF(.size = 4, .list = &gone), "missing"},
        {FILE_OF(.size = 5, .list = &wrong), "add up"},
        {FILE_OF(.size = 4, .list = &of_leaf), "another kind"},
        {FILE_OF(.size = 4, .list = &of_data), "missing"},
        {FILE_OF(.size = 4, .list = &twice), "wrong level"},
        {FILE_OF(.size = 0, .list = &nothing), "malformed"},
        {FILE_OF(.size = 0, .list = &wrapped), "without bounds"},
        {FILE_OF(.size = 0, .list = &too_high), "impossible level"},
        {FILE_OF(.size = 4, PIECES(&one, 1), .list = &list), "told twice"},
        {FILE_OF(.size = UINT64_C(1) << 63, .list = &hollow), "long"},
        {{KEY("m\0e"), .type = 2, .mode = 0700, .size = 4, PIECES(&one, 1)}, "content without"},
        {{KEY("m\0e"), .type = 3, .target = "x", .target_len = 1, PIECES(&one, 1)},
            "content without"},
        {{KEY("m\0e"), .type = 4, .list = &list}, "content without"},
        {{KEY("m\0e"), .type = 6, .size = 1}, "content without"}};

    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        hostile_case();
        is_told(&s, &all[i].evil, 1, 1, all[i].words);
    }
    const struct raw good = FILE_OF(.size = 4, .list = &deeper);
    is_told(&s, &good, 1, 0, "");
    set_free(&s);
    bounds_end();
}

/* A file that nothing can hold, of holes: told, and the disk stays as it is. */
static void
sizes_beyond_all(void **state)
{
    (void)state;
    static const uint64_t sizes[] = {
        UINT64_C(1) << 60, INT64_MAX, UINT64_C(1) << 63, UINT64_MAX - 8};
    struct set s;
    struct statvfs before, after;

    bounds_begin("sizes beyond all", 60, MEMORY);
    set_new(&s);
    const struct sp_id x = set_chunk(&s, "x", 1);
    assert_int_equal(statvfs("/tmp", &before), 0);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const struct raw_piece hole = {sizes[i], NULL}, then[] = {{sizes[i] - 1, NULL}, {1, &x}};
        const struct raw evil = FILE_OF(.size = sizes[i], PIECES(&hole, 1)),
                         written = FILE_OF(.size = sizes[i], PIECES(then, 2));

        hostile_case();
        is_told(&s, &evil, 1, 1, "");
        is_told(&s, &written, 1, 1, "");
    }
    assert_int_equal(statvfs("/tmp", &after), 0);
    assert_true(after.f_bavail + ((256 << 20) / after.f_frsize) > before.f_bavail);
    set_free(&s);
    bounds_end();
}

/* --- lists that fold many times
 * ------------------------------------------------------------------- */

/* Each level refers to the one below `wide` times: *ret_size bytes in all. */
static struct sp_id
folded(struct set *s, const struct raw_piece *leaf, size_t n, unsigned levels, size_t wide,
    uint64_t *ret_size)
{
    struct raw_piece *p = calloc(wide, sizeof *p);
    struct sp_id id = raw_list(s, 0, leaf, n);
    uint64_t size = 0;

    assert_non_null(p);
    for (size_t i = 0; i < n; i++)
        size += leaf[i].length;
    for (unsigned l = 1; l < levels; l++) {
        for (size_t i = 0; i < wide; i++)
            p[i] = (struct raw_piece){size, &id};
        struct sp_id up = raw_list(s, l, p, wide);

        id = up;
        size *= wide;
    }
    free(p);
    *ret_size = size;
    return id;
}

static void
lists_that_fold(void **state)
{
    (void)state;
    struct set s;
    uint64_t size;

    bounds_begin("lists that fold", 60, MEMORY);
    set_new(&s);
    const struct sp_id x = set_chunk(&s, "x", 1);
    const struct raw_piece hole = {1, NULL}, data = {1, &x}, both[] = {{1, NULL}, {1, &x}};
    struct sp_id list = folded(&s, &hole, 1, 8, 128, &size);
    const struct raw holes = FILE_OF(.size = size, .list = &list);
    is_told(&s, &holes, 1, 1, "side by side");
    struct sp_id pieces = folded(&s, &data, 1, 8, 128, &size);
    const struct raw bytes = FILE_OF(.size = size, .list = &pieces);
    is_told(&s, &bytes, 1, 1, "more pieces");
    struct sp_id mixed = folded(&s, both, 2, 8, 128, &size);
    const struct raw alternate = FILE_OF(.size = size, .list = &mixed);
    is_told(&s, &alternate, 1, 1, "more pieces");
    set_free(&s);
    bounds_end();
}

/* 2^60 bytes, all of one chunk: no store holds them, no disk either. */
static void
one_chunk_for_ever(void **state)
{
    (void)state;
    static uint8_t content[1 << 20];
    struct said said = {0};
    struct shop s;
    char id[9], other[9], small[160];
    uint64_t size;
    struct sp_id gone = {{9}};

    shop_new(&s);
    fill(content, sizeof content, 1);
    struct sp_id chunk = set_chunk(&s.set, content, sizeof content);
    const struct raw_piece piece = {sizeof content, &chunk}, lost = {4, &gone};
    struct sp_id list = folded(&s.set, &piece, 1, 6, 256, &size);
    const struct raw evil[] = {FILE_OF(.size = size, .list = &list),
        {KEY("m\0lost"), .type = 1, .mode = 0600, .size = 4, PIECES(&lost, 1)}};

    assert_true(size == UINT64_C(1) << 60);
    raw_around(&s.set, evil, 2);
    shop_publish(&s, id);
    raw_around(&s.set, evil, 1);
    shop_publish(&s, other);
    shop_run(&said, 20, MEMORY, "show", id, "-R", "/", NULL);
    assert_said(&said, 0, "lost");
    shop_run(&said, 20, MEMORY, "find", "e", "--all-sets", NULL);
    assert_said(&said, 0, NULL);
    shop_run(&said, 20, MEMORY, "diff", id, other, NULL);
    assert_said(&said, 0, "lost");
    shop_run(&said, 8, MEMORY, "check", NULL); /* names the files below what is lost */
    assert_said(&said, 3, "m/lost");
    shop_run(&said, 20, MEMORY, "verify", id, NULL);
    assert_said(&said, 3, "m/lost");
    shop_run(&said, 20, MEMORY, "restore", id, "--dry-run", "--target", s.place.target, NULL);
    assert_said(&said, 0, NULL);
    (void)snprintf(small, sizeof small, "%s/small", s.home.path);
    assert_int_equal(mkdir(small, 0700), 0);
    if (geteuid() == 0 && mount("none", small, "tmpfs", 0, "size=16m") == 0) {
        shop_run(&said, 30, MEMORY, "restore", other, "--target", small, NULL);
        assert_said(&said, 2, "m/e");
        assert_int_equal(count_temporary(small), 0);
        assert_text(small, "a/good", "good");
        assert_int_equal(umount2(small, MNT_DETACH), 0);
    }
    said_clear(&said);
    shop_free(&s);
}

/* --- trees --------------------------------------------------------------------------------------
 */

static enum sp_code
restore_root(struct set *s, const struct place *p, struct outcome *o)
{
    set_seal(s);
    set_seal_nodes(s);
    set_restore(s, p->target, NULL, o);
    return o->code;
}

static void
trees_that_fold(void **state)
{
    (void)state;
    static const struct raw evil[] = {FOLDER(""), FOLDER("a")}, other[] = {FOLDER("b")};
    struct outcome *o = outcome();
    struct set s;
    struct place p;

    bounds_begin("trees that fold", 30, MEMORY);
    set_new(&s);
    place_new(&p);
    struct sp_id id = raw_leaf(&s, evil, 2), two = raw_leaf(&s, other, 1);
    /* The same node twice: under its own key, and as if it began elsewhere. */
    const struct raw_child same[] = {{"", 0, id, 2, 0}, {"", 0, id, 2, 0}},
                           moved[] = {{"", 0, id, 2, 0}, {"b", 1, id, 2, 0}},
                           more[] = {{"", 0, id, UINT64_MAX, 0}, {"b", 1, two, 1, 0}},
                           many[] = {{"", 0, id, 3, 0}, {"b", 1, two, 1, 0}};
    s.root = raw_parent(&s, 1, same, 2);
    assert_int_equal(restore_root(&s, &p, o), SP_CORRUPT);
    s.root = raw_parent(&s, 1, more, 2);
    assert_int_equal(restore_root(&s, &p, o), SP_CORRUPT);
    s.root = raw_parent(&s, 1, moved, 2);
    assert_int_equal(restore_root(&s, &p, o), SP_OK);
    assert_non_null(strstr(o->faults[0].text, "begin"));
    s.root = raw_parent(&s, 1, many, 2);
    assert_int_equal(restore_root(&s, &p, o), SP_OK);
    assert_int_equal(o->nfaults, 1);
    /* Levels that are not one below the other; more of them than there are. */
    for (unsigned level = 1; level < 80; level++) {
        const struct raw_child up = {"", 0, id, 2, 0};

        hostile_case();
        id = raw_parent(&s, level, &up, 1);
        s.root = id;
        assert_int_equal(restore_root(&s, &p, o), level < SP_TREE_LEVELS ? SP_OK : SP_CORRUPT);
        if (level < SP_TREE_LEVELS)
            assert_int_equal(o->nfaults, 0);
    }
    const struct raw_child far = {"b", 1, two, 1, 0};
    s.root = raw_parent(&s, 5, &far, 1);
    assert_int_equal(restore_root(&s, &p, o), SP_OK);
    assert_int_equal(o->nfaults, 1);
    place_free(&p);
    set_free(&s);
    free(o);
    bounds_end();
}

/* Ordinals that are none of the node's, and refs that nothing uses: in an entry's piece, its list,
 * its attribute, in a child, in a list. */
static void
ordinals_outside(void **state)
{
    (void)state;
    static const uint64_t ordinals[] = {2, 3, 255, UINT32_MAX, UINT64_C(1) << 32, UINT64_MAX};
    struct outcome *o = outcome();
    struct set s;
    struct place p;

    bounds_begin("ordinals outside", 30, MEMORY);
    set_new(&s);
    place_new(&p);
    const struct sp_id x = set_chunk(&s, "x", 1);
    for (size_t i = 0; i < sizeof ordinals / sizeof *ordinals; i++) {
        for (unsigned where = 0; where < 4; where++) {
            struct sp_buf b = SP_BUF_INIT, item = SP_BUF_INIT, part = SP_BUF_INIT;

            hostile_case();
            sp_wire_put_uint(&b, 1, where == 3);
            sp_wire_put_uint(&part, 1, where == 0);
            if (where == 1)
                sp_wire_put_bytes(&part, 1, "user.x", 6);
            sp_wire_put_uint(&part, where == 1 ? 3 : 2, ordinals[i]);
            if (where < 3) {
                sp_wire_put_bytes(&item, 2, "e", 1);
                sp_wire_put_uint(&item, 3, 1);
                sp_wire_put_uint(&item, 5, where != 1);
                if (where == 0)
                    sp_wire_put_item(&item, 19, part.data, part.len);
                if (where == 2)
                    sp_wire_put_uint(&item, 20, ordinals[i]);
                if (where == 1)
                    sp_wire_put_item(&item, 21, part.data, part.len);
            } else {
                sp_wire_put_uint(&item, 2, ordinals[i]);
                sp_wire_put_uint(&item, 3, 1);
            }
            sp_wire_put_item(&b, where < 3 ? 2 : 3, item.data, item.len);
            s.root = raw_node(&s, SP_CHUNK_TREE, &x, 1, b.data, b.len);
            assert_int_equal(restore_root(&s, &p, o), SP_CORRUPT);
            assert_listing(&p, "");
            sp_buf_free(&b);
            sp_buf_free(&item);
            sp_buf_free(&part);
        }
    }
    const struct sp_id ids[] = {x, {{1}}}; /* the second is of nothing */
    struct sp_buf b = SP_BUF_INIT;
    s.root = raw_node(&s, SP_CHUNK_TREE, ids, 2, b.data, b.len);
    assert_int_equal(restore_root(&s, &p, o), SP_CORRUPT);
    place_free(&p);
    set_free(&s);
    free(o);
    bounds_end();
}

/* What an id stands for is found out anew: a node cannot hold its own id, unless nobody looks. */
static void
nodes_that_lie(void **state)
{
    (void)state;
    static const struct raw forged[] = {FOLDER(""), EMPTY("forged")};
    const struct sp_id self = {{0x77}};
    struct sp_buf plain = SP_BUF_INIT, node = SP_BUF_INIT;
    struct outcome *o = outcome();
    struct said said = {0};
    const uint32_t one = 1;
    struct shop s;
    char id[9];

    shop_new(&s);
    s.set.root = self;
    /* A leaf under an id that is not its own. */
    for (size_t i = 0; i < 2; i++) {
        struct sp_buf b = SP_BUF_INIT;

        sp_wire_put_uint(&b, 1, 0);
        sp_wire_put_bytes(&b, 2, forged[i].key, forged[i].key_len);
        sp_wire_put_uint(&b, 3, forged[i].type);
        sp_wire_put_item(&node, 2, b.data, b.len);
        sp_buf_free(&b);
    }
    raw_plain(&plain, SP_CHUNK_TREE, node.data, node.len);
    raw_block(&s.set, SP_BLOCK_NODES, &self, 1, NULL, NULL, plain.data, plain.len);
    bounds_begin("a node under another's id", 20, MEMORY);
    set_restore(&s.set, s.place.target, NULL, o);
    assert_int_not_equal(o->code, SP_OK);
    assert_listing(&s.place, "");
    bounds_end();
    memory_store_lose(&s.set.memory, &self);
    /* An inner node that is its own child, and a list that is its own piece. */
    const struct raw_child child = {"", 0, self, 2, 0};
    sp_buf_reset(&node);
    sp_buf_reset(&plain);
    sp_wire_put_uint(&node, 1, 1);
    struct sp_buf b = SP_BUF_INIT;
    sp_wire_put_uint(&b, 2, 1);
    sp_wire_put_uint(&b, 3, child.entries);
    sp_wire_put_item(&node, 3, b.data, b.len);
    raw_plain(&plain, SP_CHUNK_TREE, node.data, node.len);
    raw_block(&s.set, SP_BLOCK_NODES, &self, 1, &self, &one, plain.data, plain.len);
    shop_publish(&s, id);
    shop_run(&said, 20, MEMORY, "check", NULL); /* follows the clear headers, which lie */
    shop_run(&said, 20, MEMORY, "check", "--read-data", NULL);
    shop_run(&said, 20, MEMORY, "show", id, "/", NULL);
    assert_said(&said, 3, "missing from the repository, or damaged");
    shop_run(&said, 20, MEMORY, "find", "*", NULL);
    assert_said(&said, 3, NULL);
    shop_run(&said, 20, MEMORY, "verify", id, NULL);
    assert_said(&said, 3, NULL);
    shop_run(&said, 20, MEMORY, "restore", id, "--target", s.place.target, NULL);
    assert_said(&said, 3, NULL);
    said_clear(&said);
    sp_buf_free(&b);
    sp_buf_free(&plain);
    sp_buf_free(&node);
    free(o);
    shop_free(&s);
}

/* As deep as a key can be. */
static void
depth(void **state)
{
    (void)state;
    size_t levels = hostile_long() ? 30000 : 5000;
    struct outcome *o = outcome();
    struct set s;
    struct place p;
    char *key = malloc(2 * levels + 3);
    struct raw *all = calloc(levels + 1, sizeof *all);
    struct raw_child *children = calloc(levels / 100 + 2, sizeof *children);
    size_t n = 0;

    assert_non_null(key);
    assert_non_null(all);
    assert_non_null(children);
    bounds_begin("depth", 200, (size_t)192 << 20);
    set_new(&s);
    /* In memory: a disk takes its time to remove as many. */
    place_new_in(&p, access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    for (size_t i = 0; i <= levels; i++) {
        memcpy(key + 2 * i, "d", 2);
        all[i] = (struct raw){
            .key = key, .key_len = i == 0 ? 0 : 2 * i - 1, .type = SP_ENTRY_DIR, .mode = 0700};
    }
    for (size_t at = 0; at <= levels; at += 100) {
        size_t m = levels + 1 - at < 100 ? levels + 1 - at : 100;

        children[n++] =
            (struct raw_child){all[at].key, all[at].key_len, raw_leaf(&s, all + at, m), m, 0};
    }
    free(all);
    /* Keys of 128 KiB: few of them go into one node. */
    unsigned level = 1;
    while (n > 1) {
        size_t kept = 0;

        for (size_t at = 0; at < n; kept++) {
            struct raw_child up = children[at];
            size_t bytes = 0, m = 0;

            up.entries = 0;
            for (; at + m < n && (m < 2 || bytes < 600000); m++) {
                bytes += children[at + m].first_len;
                up.entries += children[at + m].entries;
            }
            up.id = raw_parent(&s, level, children + at, m);
            children[kept] = up;
            at += m;
        }
        n = kept;
        level++;
    }
    s.root = children[0].id;
    assert_int_equal(restore_root(&s, &p, o), SP_OK);
    assert_int_equal(o->nfaults, 0);
    assert_int_equal(o->stats.entries, levels + 1);
    place_free(&p);
    set_free(&s);
    free(children);
    free(key);
    free(o);
    bounds_end();
}

/* --- as the set before
 * ---------------------------------------------------------------------------- */

struct newest {
    struct sp_set set;
    uint8_t hash[32];
};

static enum sp_code
take_newest(void *arg, const struct sp_set_info *i, struct sp_err *e)
{
    struct newest *n = arg;
    struct sp_set set;

    if (sp_set_record_decode(i->record, i->record_len, &set, e) == SP_OK &&
        set.sequence > n->set.sequence) {
        n->set = set;
        assert_int_equal(sp_record_hash(i->record, i->record_len, n->hash, e), SP_OK);
    }
    return SP_OK;
}

/* The set that a backup goes on from is the attacker's, well chained and signed: every file is said
 * to be unchanged, or to have content that folds, or to be something else. */
static void
evil_parent(struct shop *s, const char *source, unsigned kind)
{
    struct sp_cli c = {.env = &sp_env_system, .repository = s->repository};
    struct newest newest = {.set = {.sequence = 0}};
    struct sp_set_sealed sealed = {.host_name = (char *)(uintptr_t) "victim"};
    const struct sp_id gone = {{9}};
    const struct raw_piece hole = {1, NULL}, lost = {3000000, &gone};
    struct sp_opened_store o;
    struct raw all[16];
    struct sp_buf key = SP_BUF_INIT;
    uint64_t size;
    size_t n = 0;
    char id[9];

    assert_ok(sp_cli_open(&c, NULL, SP_OPEN_READ, &o, e));
    assert_ok(sp_store_list(o.store, false, false, take_newest, &newest, e));
    sp_cli_close(&o);
    assert_true(newest.set.sequence > 0);
    const struct sp_id list = folded(&s->set, &hole, 1, 8, 64, &size);
    sp_buf_put_str(&key, source + 1);
    all[n++] = (struct raw){.key = "", .type = SP_ENTRY_DIR, .flags = SP_ENTRY_IMPLIED};
    for (size_t i = 0; i < key.len; i++)
        if (key.data[i] == '/') {
            key.data[i] = 0;
            all[n++] = (struct raw){
                .key = key.data, .key_len = i, .type = SP_ENTRY_DIR, .flags = SP_ENTRY_IMPLIED};
        }
    size_t top = key.len;
    all[n++] = (struct raw){.key = key.data, .key_len = top, .type = SP_ENTRY_DIR, .mode = 0700};
    sp_buf_put(&key, "\0big", 4);
    struct raw big = {.key = key.data,
        .key_len = key.len,
        .type = SP_ENTRY_FILE,
        .mode = 0600,
        .size = kind == 0 ? size : 3000000};
    if (kind == 0)
        big.list = &list;
    else if (kind == 1)
        big.pieces = &lost, big.npieces = 1;
    else
        big.type = SP_ENTRY_DIR, big.size = 0;
    all[n++] = big;
    /* Views into the key: it must not move any more. */
    for (size_t i = 0; i < n; i++)
        all[i].key = key.data;
    raw_root(&s->set, all, n);
    shop_blocks(s);
    struct sp_set set = newest.set;
    set.sequence++;
    set.has_previous = true;
    memcpy(set.previous, newest.hash, 32);
    s->published_ns = sp_clock_wall(&sp_clock_system);
    shop_record(s, &set, &sealed, id);
    sp_buf_free(&key);
}

static void
as_the_parent(void **state)
{
    (void)state;
    static uint8_t content[3000000];

    for (unsigned kind = 0; kind < 3; kind++) {
        struct said said = {0};
        struct shop s;
        char source[128], big[512];

        shop_new(&s);
        fill(content, sizeof content, kind);
        tree_file(&s.home, "source/big", content, sizeof content);
        tree_text(&s.home, "source/small", "small");
        (void)snprintf(source, sizeof source, "%s/source", s.home.path);
        shop_run(&said, 30, (size_t)512 << 20, "backup", source, NULL);
        assert_said(&said, 0, NULL);
        evil_parent(&s, source, kind);
        content[1500000] ^= 1;
        tree_file(&s.home, "source/big", content, sizeof content);
        shop_run(&said, 30, (size_t)512 << 20, "backup", source, NULL);
        if (said.code != 0 && said.code != 1)
            assert_said(&said, 0, NULL);
        shop_run(&said, 30, MEMORY, "show", "latest", NULL);
        assert_said(&said, 0, "number 3 after"); /* it went on from the attacker's */
        shop_run(&said, 30, MEMORY, "restore", "latest", "--target", s.place.target, NULL);
        assert_said(&said, 0, NULL);
        (void)snprintf(big, sizeof big, "%s/big", source + 1);
        assert_bytes(s.place.target, big, content, sizeof content);
        said_clear(&said);
        shop_free(&s);
    }
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(contents_that_do_not_add_up),
        cmocka_unit_test(sizes_beyond_all),
        cmocka_unit_test(lists_that_fold),
        cmocka_unit_test(one_chunk_for_ever),
        cmocka_unit_test(trees_that_fold),
        cmocka_unit_test(ordinals_outside),
        cmocka_unit_test(nodes_that_lie),
        cmocka_unit_test(depth),
        cmocka_unit_test(as_the_parent),
    };
    int rc;

    if (argc > 1) /* one test alone, by its name */
        cmocka_set_test_filter(argv[1]);
    rc = cmocka_run_group_tests(tests, NULL, NULL);
    hostile_closing("shapes");
    return rc;
}
