/* Packs: written and read back, and held against docs/format.md §7 by hand. What is damaged: see
 * test_pack_damage.c. */

#include "packs.h"

/* --- names ----------------------------------------------------------------------------------- */

#define HEX "ab0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcd"

static void
names_go_both_ways(void **state)
{
    static const char *const bad[] = {"", "packs", "packs/ab/", "packs/ac/" HEX, "packs/AB/" HEX,
        "packs/ab/" HEX ".bad", "packs/ab/" HEX "00", "index/ab/" HEX, "packsxab/" HEX,
        "xpacks/ab/" HEX, "nodes/ab" HEX, "nodes/ab/xy0123456789abcdef0123456789abcdef0123456789",
        "packs/ab/AB0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcd"};
    uint8_t name[32], got[32];
    enum sp_pack_kind kind;
    char object[96];

    (void)state;
    for (size_t i = 0; i < 32; i++)
        name[i] = (uint8_t)(i == 0 ? 0xab : (0x01 + 0x22 * ((i - 1) % 8)));
    sp_pack_object_name(SP_PACK_DATA, name, object);
    assert_string_equal(object, "packs/ab/" HEX);
    assert_true(sp_object_name_valid(object));
    assert_true(sp_pack_object_parse(object, &kind, got));
    assert_int_equal(kind, SP_PACK_DATA);
    assert_memory_equal(got, name, 32);
    sp_pack_object_name(SP_PACK_NODES, name, object);
    assert_string_equal(object, "nodes/ab/" HEX);
    assert_true(sp_pack_object_parse(object, &kind, got));
    assert_int_equal(kind, SP_PACK_NODES);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(sp_pack_object_parse(bad[i], &kind, got));
    assert_int_equal(sp_pack_kind_of(SP_BLOCK_NODES), SP_PACK_NODES);
    assert_int_equal(sp_pack_kind_of(SP_BLOCK_FILES), SP_PACK_DATA);
    assert_int_equal(sp_pack_kind_of(SP_BLOCK_IMAGES), SP_PACK_DATA);
    assert_int_equal(sp_pack_kind_of(SP_BLOCK_DOCUMENTS), SP_PACK_DATA);
}

/* --- the format, by hand --------------------------------------------------------------------- */

static void
check_format(struct sp_backend *b, enum sp_pack_kind kind, size_t n, uint64_t seed)
{
    struct written p;
    struct sp_buf block = SP_BUF_INIT, rest = SP_BUF_INIT;
    struct sp_cur c, t;
    uint8_t *bytes, hash[32];
    const uint8_t *footer;
    uint32_t trailer;
    bool nodes = kind == SP_PACK_NODES;

    write_pack(b, kind, n, seed, &p);
    bytes = whole(b, &p);
    assert_memory_equal(bytes, nodes ? "SPP1\1\3\0\0" : "SPP1\1\1\0\0", 8);
    footer = bytes + p.size - 48;
    trailer = sp_le32(footer + 32);
    assert_int_equal(sp_le32(footer + 36), 0);
    assert_memory_equal(footer + 40, "SPPTRAIL", 8);
    ok(sp_sha256(footer - trailer, trailer, hash, &err));
    assert_memory_equal(hash, footer, 32);
    /* The name: of all that is no block. */
    sp_buf_put(&rest, bytes, 8);
    sp_buf_put(&rest, footer - trailer, trailer + 48);
    ok(sp_sha256(rest.data, rest.len, hash, &err));
    assert_memory_equal(hash, p.name, 32);
    sp_buf_free(&rest);

    c = sp_cur_of(bytes + 8, p.size - 8 - 48 - trailer);
    t = sp_cur_of(footer - trailer, trailer);
    assert_memory_equal(sp_cur_bytes(&t, 48), &origin, 48);
    assert_int_equal(sp_cur_u32(&t), n);
    for (size_t i = 0; i < n; i++) {
        make_block(nodes ? SP_BLOCK_NODES : SP_BLOCK_FILES, i + 1, 64, seed + i, &block);
        assert_memory_equal(sp_cur_bytes(&c, block.len), block.data, block.len);
        assert_int_equal(sp_cur_u32(&t), block.len);
        assert_int_equal(sp_cur_u32(&t), i + 1);
        ok(sp_sha256(block.data, block.len, hash, &err));
        assert_memory_equal(sp_cur_bytes(&t, 32), hash, 32);
        assert_memory_equal(sp_cur_bytes(&t, 32 * (i + 1)), block.data + 64, 32 * (i + 1));
    }
    assert_true(sp_cur_done(&c));
    if (nodes) {
        assert_int_equal(sp_cur_u32(&t), 8);
        assert_memory_equal(sp_cur_bytes(&t, 8), "the conf", 8);
        assert_int_equal(sp_cur_u32(&t), 3);
        assert_int_equal(sp_cur_u32(&t), 10);
        assert_memory_equal(sp_cur_bytes(&t, 10), "first slot", 10);
        assert_int_equal(sp_cur_u32(&t), 0);
        assert_int_equal(sp_cur_u32(&t), 5);
        assert_memory_equal(sp_cur_bytes(&t, 5), "third", 5);
    } else {
        assert_int_equal(sp_cur_u32(&t), 0);
        assert_int_equal(sp_cur_u32(&t), 0);
    }
    assert_true(sp_cur_done(&t));
    sp_buf_free(&block);
    free(bytes);
}

static void
the_bytes_are_those_of_the_format(void **state)
{
    struct sp_backend *b = memory();

    (void)state;
    check_format(b, SP_PACK_DATA, 1, 100);
    check_format(b, SP_PACK_DATA, 5, 200);
    check_format(b, SP_PACK_NODES, 1, 300);
    check_format(b, SP_PACK_NODES, 7, 400);
    sp_backend_free(b);
}

/* --- reading --------------------------------------------------------------------------------- */

static enum sp_code
same_block(void *arg, const struct sp_pack_block *place, const uint8_t *block, struct sp_err *e)
{
    const uint8_t **at = arg;
    uint8_t hash[32];

    (void)e;
    /* In order, without a gap, with the bytes of the file. */
    assert_memory_equal(block, *at, place->length);
    ok(sp_sha256(block, place->length, hash, &err));
    assert_memory_equal(hash, place->sha256, 32);
    *at += place->length;
    return SP_OK;
}

static enum sp_code
stop(void *arg, const struct sp_pack_block *place, const uint8_t *block, struct sp_err *e)
{
    (void)place;
    (void)block;
    ++*(int *)arg;
    return sp_fail(e, SP_CANCELLED, SP_DOM_SELF, "enough");
}

static void
check_reading(struct sp_backend *b, enum sp_pack_kind kind, size_t n)
{
    struct written p;
    struct sp_pack_trailer *t;
    uint8_t *bytes;
    const uint8_t *at;
    uint32_t offset = 8;
    int calls = 0;

    write_pack(b, kind, n, 77, &p);
    bytes = whole(b, &p);
    ok(sp_pack_trailer_read(b, kind, p.name, p.size, &t, &err));
    assert_memory_equal(sp_pack_trailer_origin(t), &origin, sizeof(origin));
    assert_int_equal(sp_pack_trailer_count(t), n);
    for (size_t i = 0; i < n; i++) {
        struct sp_pack_block block;

        sp_pack_trailer_block(t, i, &block);
        assert_int_equal(block.offset, offset);
        assert_int_equal(block.nids, i + 1);
        assert_memory_equal(block.ids, bytes + offset + 64, 32 * (i + 1));
        offset += block.length;
    }
    if (kind == SP_PACK_NODES) {
        assert_int_equal(sp_pack_trailer_conf(t).n, 8);
        assert_memory_equal(sp_pack_trailer_conf(t).p, "the conf", 8);
        assert_int_equal(sp_pack_trailer_slots(t), 3);
        assert_int_equal(sp_pack_trailer_slot(t, 1).n, 0);
        assert_int_equal(sp_pack_trailer_slot(t, 2).n, 5);
        assert_memory_equal(sp_pack_trailer_slot(t, 2).p, "third", 5);
    } else {
        assert_null(sp_pack_trailer_conf(t).p);
        assert_int_equal(sp_pack_trailer_conf(t).n, 0);
        assert_int_equal(sp_pack_trailer_slots(t), 0);
    }
    sp_pack_trailer_free(t);

    at = bytes + 8;
    ok(sp_pack_verify(b, kind, p.name, p.size, same_block, &at, &err));
    assert_ptr_equal(at, bytes + offset);
    ok(sp_pack_verify(b, kind, p.name, p.size, NULL, NULL, &err));
    gives(SP_CANCELLED, sp_pack_verify(b, kind, p.name, p.size, stop, &calls, &err));
    assert_int_equal(calls, 1);
    free(bytes);
}

static void
what_was_written_is_read(void **state)
{
    struct sp_backend *b = memory();

    (void)state;
    sp_pack_trailer_free(NULL);
    check_reading(b, SP_PACK_DATA, 1);
    check_reading(b, SP_PACK_DATA, 9);
    check_reading(b, SP_PACK_NODES, 4);
    sp_backend_free(b);
}

/* Asks the backend for at most 1 MiB at a time. */
static const struct sp_backend_ops *below_ops;

static enum sp_code
modest_get(
    struct sp_backend *b, const char *name, uint64_t offset, void *to, size_t n, struct sp_err *e)
{
    assert_true(n <= 1u << 20);
    return below_ops->get(b, name, offset, to, n, e);
}

static void
big_packs_are_read_in_pieces(void **state)
{
    struct sp_backend *b = memory();
    struct sp_backend_ops ops = *b->ops;
    struct sp_pack_writer *w;
    struct sp_buf block = SP_BUF_INIT;
    struct written p;
    struct sp_pack_trailer *t;
    uint8_t *bytes;
    const uint8_t *at;
    uint32_t offset[8];

    (void)state;
    ok(sp_pack_writer_new(b, SP_PACK_DATA, &origin, &w, &err));
    for (size_t i = 0; i < 8; i++) {
        struct sp_pack_place place;

        /* A long trailer (256 KiB), and blocks longer than a piece. */
        make_block(i % 2 == 0 ? SP_BLOCK_IMAGES : SP_BLOCK_FILES, 1024, i % 3 == 0 ? 1u << 20 : 256,
            i, &block);
        ok(sp_pack_writer_add(w, block.data, block.len, &place, &err));
        offset[i] = place.offset;
    }
    ok(sp_pack_writer_finish(w, NULL, 0, NULL, 0, p.name, &p.size, &err));
    sp_pack_object_name(SP_PACK_DATA, p.name, p.object);
    bytes = whole(b, &p);
    below_ops = b->ops;
    ops.get = modest_get;
    b->ops = &ops;
    ok(sp_pack_trailer_read(b, SP_PACK_DATA, p.name, p.size, &t, &err));
    for (size_t i = 0; i < 8; i++) {
        struct sp_pack_block place;

        sp_pack_trailer_block(t, i, &place);
        assert_int_equal(place.offset, offset[i]);
        assert_int_equal(place.nids, 1024);
        assert_memory_equal(place.ids, bytes + place.offset + 64, 32 * 1024);
    }
    sp_pack_trailer_free(t);
    at = bytes + 8;
    ok(sp_pack_verify(b, SP_PACK_DATA, p.name, p.size, same_block, &at, &err));
    b->ops = below_ops;
    sp_buf_free(&block);
    free(bytes);
    sp_backend_free(b);
}

/* --- refusing to write ----------------------------------------------------------------------- */

static enum sp_code
count(void *arg, const char *name, uint64_t size, struct sp_err *e)
{
    (void)name;
    (void)size;
    (void)e;
    ++*(size_t *)arg;
    return SP_OK;
}

static size_t
objects(struct sp_backend *b)
{
    size_t n = 0;

    ok(sp_backend_list(b, "", count, &n, &err));
    return n;
}

static void
foreign_blocks_are_refused(void **state)
{
    struct sp_backend *b = memory();
    struct sp_pack_writer *w;
    struct sp_pack_place place = {7, 7};
    struct sp_buf block = SP_BUF_INIT;
    struct written p;

    (void)state;
    ok(sp_pack_writer_new(b, SP_PACK_DATA, &origin, &w, &err));
    make_block(SP_BLOCK_NODES, 2, 64, 1, &block);
    gives(SP_INVALID, sp_pack_writer_add(w, block.data, block.len, &place, &err));
    make_block(SP_BLOCK_RECORD, 1, 64, 1, &block);
    gives(SP_INVALID, sp_pack_writer_add(w, block.data, block.len, &place, &err));
    make_block(SP_BLOCK_FILES, 2, 64, 1, &block);
    block.data[20] ^= 1; /* group */
    gives(SP_INVALID, sp_pack_writer_add(w, block.data, block.len, &place, &err));
    make_block(SP_BLOCK_FILES, 2, 64, 1, &block);
    gives(SP_CORRUPT, sp_pack_writer_add(w, block.data, block.len - 1, &place, &err));
    gives(SP_CORRUPT, sp_pack_writer_add(w, block.data, 70, &place, &err));
    gives(SP_CORRUPT, sp_pack_writer_add(w, block.data, 0, &place, &err));
    sp_buf_put_u8(&block, 0);
    gives(SP_CORRUPT, sp_pack_writer_add(w, block.data, block.len, &place, &err));
    block.data[0] = 'X';
    gives(SP_CORRUPT, sp_pack_writer_add(w, block.data, block.len - 1, &place, &err));
    assert_int_equal(place.offset, 7);
    assert_int_equal(sp_pack_writer_blocks(w), 0);
    assert_int_equal(sp_pack_writer_size(w), 0);
    gives(SP_INVALID, sp_pack_writer_finish(w, NULL, 0, NULL, 0, p.name, &p.size, &err));
    assert_int_equal(objects(b), 0);

    /* What was refused left no trace: the pack is still good. */
    ok(sp_pack_writer_new(b, SP_PACK_NODES, &origin, &w, &err));
    make_block(SP_BLOCK_FILES, 2, 64, 1, &block);
    gives(SP_INVALID, sp_pack_writer_add(w, block.data, block.len, &place, &err));
    make_block(SP_BLOCK_NODES, 2, 64, 1, &block);
    ok(sp_pack_writer_add(w, block.data, block.len, &place, &err));
    ok(sp_pack_writer_finish(w, "", 0, NULL, 0, p.name, &p.size, &err));
    ok(sp_pack_verify(b, SP_PACK_NODES, p.name, p.size, NULL, NULL, &err));

    ok(sp_pack_writer_new(b, SP_PACK_DATA, &origin, &w, &err));
    sp_pack_writer_abort(w);
    sp_pack_writer_abort(NULL);
    assert_int_equal(objects(b), 1);
    sp_buf_free(&block);
    sp_backend_free(b);
}

static int writes_left;

static enum sp_code
failing_write(struct sp_backend_writer *w, const void *p, size_t n, struct sp_err *e)
{
    if (writes_left-- == 0)
        return sp_fail(e, SP_FULL, SP_DOM_STORE, "no space left");
    return below_ops->write(w, p, n, e);
}

static void
a_failed_write_ends_the_pack(void **state)
{
    struct sp_backend *b = memory();
    struct sp_backend_ops ops = *b->ops;
    struct sp_buf block = SP_BUF_INIT;

    (void)state;
    below_ops = b->ops;
    ops.write = failing_write;
    b->ops = &ops;
    make_block(SP_BLOCK_FILES, 1, 64, 1, &block);
    /* Header, first block, second block, trailer. */
    for (int i = 0; i < 4; i++) {
        struct sp_pack_writer *w = NULL;
        struct sp_pack_place place;
        uint8_t name[32];
        uint64_t size;

        writes_left = i;
        check_code(sp_pack_writer_new(b, SP_PACK_DATA, &origin, &w, &err), i == 0 ? SP_FULL : SP_OK,
            "new", __LINE__);
        if (i == 0)
            continue;
        check_code(sp_pack_writer_add(w, block.data, block.len, &place, &err),
            i == 1 ? SP_FULL : SP_OK, "add", __LINE__);
        check_code(sp_pack_writer_add(w, block.data, block.len, &place, &err),
            i == 1   ? SP_IO
            : i == 2 ? SP_FULL
                     : SP_OK,
            "add", __LINE__);
        check_code(sp_pack_writer_finish(w, NULL, 0, NULL, 0, name, &size, &err),
            i == 3 ? SP_FULL : SP_IO, "finish", __LINE__);
    }
    assert_int_equal(objects(b), 0);
    b->ops = below_ops;
    sp_buf_free(&block);
    sp_backend_free(b);
}

static void
the_same_pack_again_is_success(void **state)
{
    struct sp_backend *b = memory();
    struct written p, again;
    uint8_t *bytes;
    char bad[128];
    uint64_t size;

    (void)state;
    write_pack(b, SP_PACK_DATA, 3, 5, &p);
    write_pack(b, SP_PACK_DATA, 3, 5, &again);
    assert_memory_equal(p.name, again.name, 32);
    assert_int_equal(p.size, again.size);
    assert_int_equal(objects(b), 1);

    /* One that was cut short, or kept its length and lost bytes, keeps nobody out (R4, R6). */
    bytes = whole(b, &p);
    for (int i = 0; i < 3; i++) {
        static const size_t sizes[] = {0, 100};

        if (i == 2)
            memset(bytes + p.size / 2, 0, 40);
        ok(sp_backend_remove(b, p.object, &err));
        ok(sp_backend_put(b, p.object, bytes, i == 2 ? p.size : sizes[i], &err));
        write_pack(b, SP_PACK_DATA, 3, 5, &again);
        ok(sp_pack_verify(b, SP_PACK_DATA, p.name, p.size, NULL, NULL, &err));
        (void)snprintf(bad, sizeof(bad), i == 0 ? "%s.bad" : "%s.%d.bad", p.object, i);
        ok(sp_backend_size(b, bad, &size, &err));
        assert_int_equal(size, i == 2 ? p.size : sizes[i]);
    }
    assert_int_equal(objects(b), 4);
    free(bytes);
    sp_backend_free(b);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_go_both_ways),
        cmocka_unit_test(the_bytes_are_those_of_the_format),
        cmocka_unit_test(what_was_written_is_read),
        cmocka_unit_test(big_packs_are_read_in_pieces),
        cmocka_unit_test(foreign_blocks_are_refused),
        cmocka_unit_test(a_failed_write_ends_the_pack),
        cmocka_unit_test(the_same_pack_again_is_success),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
