#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "expect.h"

#include "base/wire.h"
#include "storage/compress.h"
#include "storage/crypto.h"
#include "storage/record_impl.h"
#include "verdicts.h"

/* Completions: they come back as they were; what someone spoilt, cut, or put together anew is none.
 */

static struct sp_keys *keys;
static struct sp_sealer *sealer;
static struct sp_compressor *compressor;
static struct sp_opener *opener;
static struct sp_hasher *hasher;
static uint8_t secret[32] = {7};
static struct sp_host host = {.id = {1, 2, 3}, .nkeys = 1};

static int
group_setup(void **state)
{
    struct sp_random_seeded s = {1};
    struct sp_random r = sp_random_seeded_of(&s);

    (void)state;
    ok(sp_keys_generate(&r, &keys, &err));
    ok(sp_sealer_new(keys, &r, &sealer, &err));
    ok(sp_compressor_new(3, &compressor, &err));
    ok(sp_opener_new(keys, &opener, &err));
    ok(sp_hasher_new(keys, &hasher, &err));
    ok(sp_ed25519_public(secret, host.keys[0], &err));
    memcpy(host.group, sp_keys_group(keys), 16);
    return 0;
}

static int
group_teardown(void **state)
{
    (void)state;
    sp_hasher_free(hasher);
    sp_opener_free(opener);
    sp_compressor_free(compressor);
    sp_sealer_free(sealer);
    sp_keys_free(keys);
    return 0;
}

static struct sp_completion
clear_draw(struct draws *d)
{
    struct sp_completion c = {.applications = (enum sp_level)draw_below(d, 4)};

    for (size_t i = 0; i < 16; i++)
        c.set_id[i] = (uint8_t)draw(d);
    memcpy(c.host, host.id, 16);
    memcpy(c.record, draw_id(d).b, 32);
    return c;
}

/* Documents of these lengths; owned. */
static void
documents_draw(struct draws *d, struct sp_completion_sealed *s, const size_t *lengths, size_t n)
{
    s->documents = calloc(n + 1, sizeof s->documents[0]);
    assert_non_null(s->documents);
    for (size_t i = 0; i < n; i++) {
        struct sp_completion_document *to = &s->documents[s->ndocuments++];

        to->name = malloc(32);
        to->p = malloc(lengths[i] + 1);
        assert_true(to->name != NULL && to->p != NULL);
        (void)snprintf(to->name, 32, "writer-%zu.xml", i);
        to->n = lengths[i];
        for (size_t k = 0; k < to->n; k++)
            to->p[k] = (uint8_t)(draw(d) >> 60);
    }
}

static enum sp_code
encode(const struct sp_completion *c, const struct sp_completion_sealed *s, struct sp_buf *ret)
{
    return sp_completion_encode(c, s, sealer, compressor, opener, hasher, secret, ret, &err);
}

static enum sp_code
check(const struct sp_buf *object)
{
    return sp_record_check_signature(SP_RECORD_COMPLETION, object->data, object->len, &host, &err);
}

static void
they_come_back(void **state)
{
    static const size_t lengths[][4] = {
        {0}, {1}, {0, 5}, {1 << 20, 1}, {(1 << 20) + 1, 0, 3000}, {3 << 20, 2 << 20, 3 << 20}};
    static const size_t counts[] = {0, 1, 2, 2, 3, 3};
    struct draws d = {new_seed()};

    (void)state;
    for (size_t i = 0; i < 30; i++) {
        struct sp_completion c = clear_draw(&d), got;
        struct sp_completion_sealed s = {.ndocuments = 0}, open;
        struct sp_buf object = SP_BUF_INIT;
        size_t which = i % 6;

        s.verdict = verdict_draw(&d, (size_t)draw_below(&d, 9), 2);
        documents_draw(&d, &s, lengths[which], counts[which]);
        ok(encode(&c, &s, &object));
        ok(check(&object));
        ok(sp_completion_decode(object.data, object.len, &got, &err));
        assert_memory_equal(got.set_id, c.set_id, 16);
        assert_memory_equal(got.host, c.host, 16);
        assert_memory_equal(got.record, c.record, 32);
        assert_int_equal(got.applications, c.applications);
        ok(sp_completion_open(object.data, object.len, opener, &open, &err));
        assert_memory_equal(open.set_id, c.set_id, 16);
        verdict_same(&s.verdict, &open.verdict);
        assert_int_equal(open.ndocuments, s.ndocuments);
        for (size_t k = 0; k < s.ndocuments; k++) {
            assert_string_equal(open.documents[k].name, s.documents[k].name);
            assert_int_equal(open.documents[k].n, s.documents[k].n);
            assert_memory_equal(open.documents[k].p, s.documents[k].p, s.documents[k].n);
        }
        sp_completion_sealed_clear(&open);
        sp_completion_sealed_clear(&s);
        sp_buf_free(&object);
    }
}

/* Documents that are too long for the object are left out, with a note; the rest is there. */
static void
too_long_documents(void **state)
{
    static const size_t lengths[] = {100, 8 << 20, 5 << 20, 4 << 20, 200};
    struct draws d = {new_seed()};
    struct sp_completion c = clear_draw(&d);
    struct sp_completion_sealed s = {.ndocuments = 0}, open;
    struct sp_buf object = SP_BUF_INIT;

    (void)state;
    documents_draw(&d, &s, lengths, 5);
    ok(encode(&c, &s, &object));
    ok(sp_completion_open(object.data, object.len, opener, &open, &err));
    assert_int_equal(open.ndocuments, 3);
    assert_string_equal(open.documents[1].name, "writer-2.xml");
    assert_int_equal(open.verdict.nnotes, 1);
    assert_non_null(strstr(open.verdict.notes[0], "2 of the documents"));
    assert_int_equal(s.verdict.nnotes, 0); /* the caller's is as it was */
    sp_completion_sealed_clear(&open);
    sp_completion_sealed_clear(&s);
    sp_buf_free(&object);
}

static void
impossible_ones(void **state)
{
    struct draws d = {new_seed()};
    struct sp_completion c = clear_draw(&d);
    struct sp_completion_sealed s = {.ndocuments = 0};
    struct sp_buf object = SP_BUF_INIT;
    struct sp_verdict_component *component;

    (void)state;
    c.applications = (enum sp_level)4;
    gives(SP_INVALID, encode(&c, &s, &object));
    c.applications = SP_LEVEL_CRASH;
    ok(sp_verdict_add_component(&s.verdict, &component, &err));
    component->shadow = 0;
    gives(SP_INVALID, encode(&c, &s, &object));
    component->shadow = SP_NO_INDEX;
    documents_draw(&d, &s, (size_t[]){3}, 1);
    s.documents[0].name[0] = '\0';
    gives(SP_INVALID, encode(&c, &s, &object));
    s.documents[0].name[0] = 'w';
    ok(encode(&c, &s, &object));
    sp_completion_sealed_clear(&s);
    sp_buf_free(&object);
}

/* Each bit counts: of the clear part, the level among it, of the blocks, of the signature. */
static void
random_damage(void **state)
{
    struct draws d = {new_seed()};
    struct sp_completion c = clear_draw(&d), got;
    struct sp_completion_sealed s = {.ndocuments = 0}, open;
    struct sp_buf object = SP_BUF_INIT;

    (void)state;
    s.verdict = verdict_draw(&d, 3, 2);
    documents_draw(&d, &s, (size_t[]){100, 2000}, 2);
    ok(encode(&c, &s, &object));
    for (int i = 0; i < 3000; i++) {
        size_t at = i < 600 ? (size_t)i / 8 : (size_t)draw_below(&d, object.len), len = object.len;
        uint8_t *tight;
        enum sp_code rc;

        if (draw_below(&d, 10) == 0)
            len = (size_t)draw_below(&d, len);
        tight = malloc(len + 1);
        assert_non_null(tight);
        memcpy(tight + 1, object.data, len);
        if (at < len)
            tight[1 + at] ^= (uint8_t)(1u << i % 8);
        rc = sp_record_check_signature(SP_RECORD_COMPLETION, tight + 1, len, &host, &err);
        assert_true(rc == SP_CORRUPT || rc == SP_UNSUPPORTED);
        rc = sp_completion_decode(tight + 1, len, &got, &err);
        assert_true(rc == SP_OK || rc == SP_CORRUPT || rc == SP_UNSUPPORTED);
        rc = sp_completion_open(tight + 1, len, opener, &open, &err);
        if (rc == SP_OK)
            sp_completion_sealed_clear(&open);
        else
            assert_true(rc == SP_CORRUPT || rc == SP_UNSUPPORTED || rc == SP_AUTH);
        free(tight);
    }
    sp_completion_sealed_clear(&s);
    sp_buf_free(&object);
}

/* Signs parts anew, as the host itself could. */
static void
put_together(const struct sp_cur *clear, const struct sp_buf *sealed, struct sp_buf *object)
{
    struct sp_buf c = SP_BUF_INIT;

    sp_buf_reset(object);
    sp_buf_put(&c, clear->p, clear->left);
    ok(sp_record_put(SP_RECORD_COMPLETION, &c, sealed, secret, object, &err));
    sp_buf_free(&c);
}

static enum sp_code
open_parts(const struct sp_cur *clear, const struct sp_buf *sealed)
{
    struct sp_completion_sealed open;
    struct sp_buf object = SP_BUF_INIT;
    enum sp_code rc;

    put_together(clear, sealed, &object);
    ok(check(&object));
    if ((rc = sp_completion_open(object.data, object.len, opener, &open, &err)) == SP_OK)
        sp_completion_sealed_clear(&open);
    sp_buf_free(&object);
    return rc;
}

/* True parts in another arrangement: another set's sealed part, documents that are missing, twice,
 * or in another order, and what is no completion's at all. */
static void
other_arrangements(void **state)
{
    struct draws d = {new_seed()};
    struct sp_completion c[2] = {clear_draw(&d), clear_draw(&d)};
    struct sp_buf object[2] = {SP_BUF_INIT, SP_BUF_INIT}, sealed = SP_BUF_INIT;
    struct sp_record_parts parts[2];
    size_t at[4] = {0};
    const uint8_t *p;

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct sp_completion_sealed s = {.ndocuments = 0};

        documents_draw(&d, &s, (size_t[]){2000, 2000}, 2);
        ok(encode(&c[i], &s, &object[i]));
        ok(sp_record_split(object[i].data, object[i].len, &parts[i], &err));
        sp_completion_sealed_clear(&s);
    }
    p = parts[0].sealed.p;
    for (int i = 1; i < 4; i++) {
        ok(sp_block_length(p + at[i - 1], 16, &at[i], &err));
        at[i] += at[i - 1];
    }
    assert_int_equal(at[3], parts[0].sealed.left);
#define SAYS(code, put)                                                                            \
    do {                                                                                           \
        sp_buf_reset(&sealed);                                                                     \
        put;                                                                                       \
        gives(code, open_parts(&parts[0].clear, &sealed));                                         \
    } while (0)
#define BLOCK(i) sp_buf_put(&sealed, p + at[i], at[(i) + 1] - at[i])
    SAYS(SP_OK, BLOCK(0); BLOCK(1); BLOCK(2));
    SAYS(SP_CORRUPT, BLOCK(0); BLOCK(1));
    SAYS(SP_CORRUPT, BLOCK(0); BLOCK(2); BLOCK(1));
    SAYS(SP_CORRUPT, BLOCK(0); BLOCK(1); BLOCK(2); BLOCK(2));
    SAYS(SP_CORRUPT, BLOCK(0); BLOCK(1); BLOCK(2); sp_buf_put_u8(&sealed, 0));
    SAYS(SP_CORRUPT, BLOCK(1); BLOCK(2));
    SAYS(SP_CORRUPT, BLOCK(0); BLOCK(0); BLOCK(1));
    SAYS(SP_CORRUPT, );
    SAYS(SP_CORRUPT, sp_buf_put(&sealed, parts[1].sealed.p, parts[1].sealed.left));
#undef BLOCK
#undef SAYS
    sp_buf_free(&sealed);
    sp_buf_free(&object[0]);
    sp_buf_free(&object[1]);
}

/* Sealed parts that no writer makes, by one who has the keys. */
static void
sealed_parts(void **state)
{
    struct draws d = {new_seed()};
    struct sp_completion c = clear_draw(&d);
    struct sp_completion_sealed none = {.ndocuments = 0};
    struct sp_buf object = SP_BUF_INIT, plain = SP_BUF_INIT, sealed = SP_BUF_INIT;
    struct sp_record_parts parts;
    struct sp_id id;

    (void)state;
    ok(encode(&c, &none, &object));
    ok(sp_record_split(object.data, object.len, &parts, &err));
#define SAYS(code, put)                                                                            \
    do {                                                                                           \
        sp_buf_reset(&plain);                                                                      \
        sp_buf_reset(&sealed);                                                                     \
        sp_wire_put_bytes(&plain, 1, c.set_id, 16);                                                \
        put;                                                                                       \
        ok(sp_record_seal(SP_BLOCK_RECORD, SP_CHUNK_RECORD, plain.data, plain.len, sealer,         \
            compressor, opener, hasher, &id, &sealed, &err));                                      \
        gives(code, open_parts(&parts.clear, &sealed));                                            \
    } while (0)
    SAYS(SP_OK, sp_wire_put_item(&plain, 2, "", 0));
    SAYS(SP_CORRUPT, ); /* no verdict */
    SAYS(SP_CORRUPT, plain.len = 0; sp_wire_put_item(&plain, 2, "", 0));
    SAYS(SP_CORRUPT, plain.data[4] ^= 1; sp_wire_put_item(&plain, 2, "", 0));
    SAYS(SP_CORRUPT,
        sp_wire_put_item(&plain, 2, "\x22\x02\x08\x01", 4)); /* a writer that is not there */
    SAYS(SP_OK, sp_wire_put_item(&plain, 2, "", 0); sp_wire_put_item(&plain, 3, "\x0a\x01x", 3));
    SAYS(SP_CORRUPT, sp_wire_put_item(&plain, 2, "", 0); sp_wire_put_item(&plain, 3, "", 0));
    SAYS(SP_CORRUPT, sp_wire_put_item(&plain, 2, "", 0);
         sp_wire_put_item(&plain, 3, "\x0a\x01x\x10\x01", 5)); /* a byte that is not there */
    SAYS(SP_CORRUPT, sp_wire_put_item(&plain, 2, "", 0);
         sp_wire_put_item(&plain, 3, "\x0a\x01x\x10\xff\xff\xff\xff\xff\x7f", 10));
    SAYS(SP_OK, sp_wire_put_item(&plain, 2, "", 0);
         for (int i = 0; i < 100; i++) sp_wire_put_item(&plain, 3, "\x0a\x01x", 3));
    SAYS(SP_CORRUPT, sp_wire_put_item(&plain, 2, "", 0);
         for (int i = 0; i < 101; i++) sp_wire_put_item(&plain, 3, "\x0a\x01x", 3));
#undef SAYS
    sp_buf_free(&plain);
    sp_buf_free(&sealed);
    sp_buf_free(&object);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(they_come_back),
        cmocka_unit_test(too_long_documents),
        cmocka_unit_test(impossible_ones),
        cmocka_unit_test(random_damage),
        cmocka_unit_test(other_arrangements),
        cmocka_unit_test(sealed_parts),
    };

    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
