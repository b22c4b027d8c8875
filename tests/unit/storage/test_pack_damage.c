/* Packs that are damaged, cut, or made by an enemy. */

#include "packs.h"
#include "tests/conformance/packname.h"

static void
every_flipped_bit_is_found(void **state)
{
    struct sp_backend *b = memory();
    struct written p;
    uint8_t *bytes;
    size_t trailer;

    (void)state;
    write_pack(b, SP_PACK_NODES, 3, 9, &p);
    bytes = whole(b, &p);
    trailer = p.size - 48 - sp_le32(bytes + p.size - 16);
    for (size_t i = 0; i < p.size; i++) {
        struct sp_pack_trailer *t = NULL;

        bytes[i] ^= (uint8_t)(1u << (i % 8));
        ok(sp_backend_remove(b, p.object, &err));
        ok(sp_backend_put(b, p.object, bytes, p.size, &err));
        gives(SP_CORRUPT, sp_pack_verify(b, SP_PACK_NODES, p.name, p.size, NULL, NULL, &err));
        assert_int_equal(strncmp(err.text, "pack ", 5), 0);
        check_code(sp_pack_trailer_read(b, SP_PACK_NODES, p.name, p.size, &t, &err),
            i < trailer ? SP_OK : SP_CORRUPT, "trailer", (int)i);
        sp_pack_trailer_free(t);
        bytes[i] ^= (uint8_t)(1u << (i % 8));
    }
    /* The first bad one is named. */
    bytes[8 + 96 + 4 + 80 + 70] ^= 1;
    ok(sp_backend_remove(b, p.object, &err));
    ok(sp_backend_put(b, p.object, bytes, p.size, &err));
    gives(SP_CORRUPT, sp_pack_verify(b, SP_PACK_NODES, p.name, p.size, NULL, NULL, &err));
    assert_non_null(strstr(err.text, "block 1 "));
    free(bytes);
    sp_backend_free(b);
}

static void
every_length_but_the_right_one_is_found(void **state)
{
    struct sp_backend *b = memory();
    struct written p;
    uint8_t *bytes;

    (void)state;
    write_pack(b, SP_PACK_DATA, 2, 9, &p);
    bytes = whole(b, &p);
    bytes = realloc(bytes, p.size + 1);
    assert_non_null(bytes);
    bytes[p.size] = 0;
    for (size_t n = 0; n <= p.size + 1; n++) {
        struct sp_pack_trailer *t = NULL;

        if (n == p.size)
            continue;
        ok(sp_backend_remove(b, p.object, &err));
        ok(sp_backend_put(b, p.object, bytes, n, &err));
        gives(SP_CORRUPT, sp_pack_trailer_read(b, SP_PACK_DATA, p.name, n, &t, &err));
        gives(SP_CORRUPT, sp_pack_verify(b, SP_PACK_DATA, p.name, n, NULL, NULL, &err));
        /* The listing said one thing, the object is another. */
        if (n < p.size)
            gives(SP_CORRUPT, sp_pack_trailer_read(b, SP_PACK_DATA, p.name, p.size, &t, &err));
        assert_null(t);
    }
    ok(sp_backend_remove(b, p.object, &err));
    gives(SP_ABSENT, sp_pack_verify(b, SP_PACK_DATA, p.name, p.size, NULL, NULL, &err));
    gives(SP_CORRUPT,
        sp_pack_verify(b, SP_PACK_DATA, p.name, (UINT64_C(1) << 30) + 1, NULL, NULL, &err));
    gives(SP_CORRUPT, sp_pack_verify(b, SP_PACK_DATA, p.name, UINT64_MAX, NULL, NULL, &err));
    free(bytes);
    sp_backend_free(b);
}

/* A pack whose trailer (given from its number of blocks on) is evil, but hashed right. */
static enum sp_code
read_evil(enum sp_pack_kind kind, size_t room, const struct sp_buf *rest)
{
    struct sp_backend *b = memory();
    struct sp_buf pack = SP_BUF_INIT, trailer = SP_BUF_INIT;
    struct sp_pack_trailer *t = NULL;
    uint8_t name[32], hash[32];
    char object[96];
    enum sp_code rc;

    sp_buf_put(&pack, kind == SP_PACK_NODES ? "SPP1\1\3\0\0" : "SPP1\1\1\0\0", 8);
    sp_buf_put_zero(&pack, room);
    sp_buf_put(&trailer, &origin, 48);
    sp_buf_put(&trailer, rest->data, rest->len);
    ok(sp_sha256(trailer.data, trailer.len, hash, &err));
    sp_buf_put(&pack, trailer.data, trailer.len);
    sp_buf_put(&pack, hash, 32);
    sp_buf_put_u32(&pack, (uint32_t)trailer.len);
    sp_buf_put_u32(&pack, 0);
    sp_buf_put(&pack, "SPPTRAIL", 8);
    pack_name_of(kind, pack.data, pack.len, name);
    sp_pack_object_name(kind, name, object);
    ok(sp_backend_put(b, object, pack.data, pack.len, &err));
    rc = sp_pack_trailer_read(b, kind, name, pack.len, &t, &err);
    sp_pack_trailer_free(t);
    sp_buf_free(&pack);
    sp_buf_free(&trailer);
    sp_backend_free(b);
    return rc;
}

struct evil {
    const char *what;
    uint32_t blocks, length, ids, conf, slots, slot;
    bool unsorted, more;
    enum sp_pack_kind kind;
    enum sp_code want;
};

static void
evil_trailers_are_refused(void **state)
{
    /* 200 bytes between header and trailer, one block with two ids; then what is different. */
    static const struct evil cases[] = {
        {"good", 1, 200, 2, 4, 1, 4, false, false, SP_PACK_NODES, SP_OK},
        {"good", 1, 200, 2, 0, 0, 0, false, false, SP_PACK_DATA, SP_OK},
        {"no block", 0, 200, 2, 4, 1, 4, false, false, SP_PACK_NODES, SP_CORRUPT},
        {"more blocks", 2, 200, 2, 4, 1, 4, false, false, SP_PACK_NODES, SP_CORRUPT},
        {"blocks", 0xffffffff, 200, 2, 4, 1, 4, false, false, SP_PACK_NODES, SP_CORRUPT},
        {"short", 1, 199, 2, 4, 1, 4, false, false, SP_PACK_NODES, SP_CORRUPT},
        {"long", 1, 201, 2, 4, 1, 4, false, false, SP_PACK_NODES, SP_CORRUPT},
        {"longest", 1, 0xffffffff, 2, 4, 1, 4, false, false, SP_PACK_NODES, SP_CORRUPT},
        {"none", 1, 0, 2, 4, 1, 4, false, false, SP_PACK_NODES, SP_CORRUPT},
        {"no ids", 1, 200, 0, 4, 1, 4, false, false, SP_PACK_NODES, SP_CORRUPT},
        {"more ids", 1, 200, 3, 4, 1, 4, false, false, SP_PACK_NODES, SP_CORRUPT},
        {"ids", 1, 200, 1025, 4, 1, 4, false, false, SP_PACK_NODES, SP_CORRUPT},
        {"all ids", 1, 200, 0xffffffff, 4, 1, 4, false, false, SP_PACK_NODES, SP_CORRUPT},
        {"unsorted", 1, 200, 2, 4, 1, 4, true, false, SP_PACK_NODES, SP_CORRUPT},
        {"conf", 1, 200, 2, 5, 1, 4, false, false, SP_PACK_NODES, SP_CORRUPT},
        {"conf", 1, 200, 2, 0xffffffff, 1, 4, false, false, SP_PACK_NODES, SP_CORRUPT},
        {"slots", 1, 200, 2, 4, 2, 4, false, false, SP_PACK_NODES, SP_CORRUPT},
        {"slots", 1, 200, 2, 4, 0xffffffff, 4, false, false, SP_PACK_NODES, SP_CORRUPT},
        {"no slots", 1, 200, 2, 4, 0, 4, false, false, SP_PACK_NODES, SP_CORRUPT},
        {"slot", 1, 200, 2, 4, 1, 5, false, false, SP_PACK_NODES, SP_CORRUPT},
        {"slot", 1, 200, 2, 4, 1, 0xffffffff, false, false, SP_PACK_NODES, SP_CORRUPT},
        {"data conf", 1, 200, 2, 4, 0, 0, false, false, SP_PACK_DATA, SP_CORRUPT},
        {"data slots", 1, 200, 2, 0, 1, 4, false, false, SP_PACK_DATA, SP_CORRUPT},
        {"more", 1, 200, 2, 4, 1, 4, false, true, SP_PACK_NODES, SP_CORRUPT},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct evil *c = &cases[i];
        struct sp_buf rest = SP_BUF_INIT;

        sp_buf_put_u32(&rest, c->blocks);
        sp_buf_put_u32(&rest, c->length);
        sp_buf_put_u32(&rest, c->ids);
        sp_buf_put_zero(&rest, 32);
        sp_buf_put_zero(&rest, 31);
        sp_buf_put_u8(&rest, c->unsorted ? 9 : 1);
        sp_buf_put_zero(&rest, 31);
        sp_buf_put_u8(&rest, 2);
        sp_buf_put_u32(&rest, c->conf);
        sp_buf_put_zero(&rest, c->conf == 0 ? 0 : 4);
        sp_buf_put_u32(&rest, c->slots);
        if (c->slot != 0) {
            sp_buf_put_u32(&rest, c->slot);
            sp_buf_put_zero(&rest, 4);
        }
        if (c->more)
            sp_buf_put_u8(&rest, 0);
        check_code(read_evil(c->kind, 200, &rest), c->want, c->what, (int)i);
        sp_buf_free(&rest);
    }
}

static enum sp_code
failing_get(
    struct sp_backend *b, const char *name, uint64_t offset, void *to, size_t n, struct sp_err *e)
{
    (void)b;
    (void)name;
    (void)offset;
    (void)to;
    (void)n;
    return sp_fail(e, SP_IO, SP_DOM_STORE, "no answer");
}

static void
a_failed_read_is_no_damage(void **state)
{
    struct sp_backend *b = memory();
    struct sp_backend_ops ops = *b->ops;
    const struct sp_backend_ops *real = b->ops;
    struct sp_pack_trailer *t = NULL;
    struct written p;

    (void)state;
    write_pack(b, SP_PACK_DATA, 2, 9, &p);
    ops.get = failing_get;
    b->ops = &ops;
    gives(SP_IO, sp_pack_trailer_read(b, SP_PACK_DATA, p.name, p.size, &t, &err));
    gives(SP_IO, sp_pack_verify(b, SP_PACK_DATA, p.name, p.size, NULL, NULL, &err));
    assert_null(t);
    b->ops = real;
    sp_backend_free(b);
}

static void
name_and_beginning_must_be_right(void **state)
{
    struct sp_backend *b = memory();
    struct written p, other;
    uint8_t *bytes;

    (void)state;
    write_pack(b, SP_PACK_DATA, 2, 9, &p);
    bytes = whole(b, &p);

    /* A good pack under another's name. */
    memset(other.name, 0x5a, 32);
    sp_pack_object_name(SP_PACK_DATA, other.name, other.object);
    ok(sp_backend_put(b, other.object, bytes, p.size, &err));
    gives(SP_CORRUPT, sp_pack_verify(b, SP_PACK_DATA, other.name, p.size, NULL, NULL, &err));
    assert_non_null(strstr(err.text, "another pack's"));

    /* The trailer by itself. */
    bytes[p.size - 49] ^= 1;
    ok(sp_backend_remove(b, p.object, &err));
    ok(sp_backend_put(b, p.object, bytes, p.size, &err));
    gives(SP_CORRUPT, sp_pack_verify(b, SP_PACK_DATA, p.name, p.size, NULL, NULL, &err));
    assert_non_null(strstr(err.text, "its hash differs"));
    bytes[p.size - 49] ^= 1;

    /* Every byte of the beginning, which the name speaks for as it must be. */
    for (size_t i = 0; i < 8; i++) {
        bytes[i] ^= 2;
        ok(sp_backend_remove(b, p.object, &err));
        ok(sp_backend_put(b, p.object, bytes, p.size, &err));
        gives(SP_CORRUPT, sp_pack_verify(b, SP_PACK_DATA, p.name, p.size, NULL, NULL, &err));
        assert_non_null(strstr(err.text, "begin"));
        bytes[i] ^= 2;
    }
    free(bytes);
    sp_backend_free(b);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_flipped_bit_is_found),
        cmocka_unit_test(name_and_beginning_must_be_right),
        cmocka_unit_test(every_length_but_the_right_one_is_found),
        cmocka_unit_test(evil_trailers_are_refused),
        cmocka_unit_test(a_failed_read_is_no_damage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
