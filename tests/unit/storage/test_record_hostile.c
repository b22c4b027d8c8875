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
#include "entries.h"
#include "storage/compress.h"
#include "storage/crypto.h"
#include "storage/record.h"

/* Records that no writer makes, signed and sealed by one who has the keys, and random damage (R18).
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

static const uint8_t set_id[16] = {9, 9};

/* SetClear as fields that a test can spoil. */
struct clear {
    uint64_t version;
    size_t set_id_n, host_n, previous_n, root_n, group_n, job_n, program_n;
    const char *job;
    uint64_t sequence, state, applications, files_level;
};
#define CLEAR                                                                                      \
    {                                                                                              \
        .version = 1, .set_id_n = 16, .host_n = 16, .root_n = 32, .group_n = 16, .job_n = 3,       \
        .program_n = 1, .job = "job", .sequence = 1, .state = 2                                    \
    }

static void
put_clear(struct sp_buf *b, const struct clear *c)
{
    uint8_t bytes[64] = {0};

    sp_wire_put_uint(b, 1, c->version);
    sp_wire_put_bytes(b, 2, set_id, c->set_id_n);
    sp_wire_put_bytes(b, 3, host.id, c->host_n);
    sp_wire_put_bytes(b, 4, c->job, c->job_n);
    sp_wire_put_uint(b, 5, c->sequence);
    sp_wire_put_bytes(b, 6, bytes, c->previous_n);
    sp_wire_put_uint(b, 7, c->state);
    sp_wire_put_bytes(b, 10, bytes, c->root_n);
    sp_wire_put_uint(b, 17, c->applications);
    sp_wire_put_uint(b, 18, c->files_level);
    sp_wire_put_bytes(b, 19,
        "ppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppp", c->program_n);
    sp_wire_put_bytes(b, 20, host.group, c->group_n);
}

/* A record with these bytes as its clear and sealed part (none: plain NULL), signed by the host. */
static void
craft(struct sp_buf *object, enum sp_record_type type, const struct sp_buf *clear,
    const struct sp_buf *plain)
{
    struct sp_buf block = SP_BUF_INIT, message = SP_BUF_INIT;
    struct sp_block_builder *b = NULL;
    uint8_t signature[64];
    struct sp_id id;

    if (plain != NULL) {
        ok(sp_hasher_id(hasher, SP_CHUNK_RECORD, NULL, 0, plain->data, plain->len, &id, &err));
        ok(sp_block_builder_new(SP_BLOCK_RECORD, &b, &err));
        ok(sp_block_builder_add(b, SP_CHUNK_RECORD, &id, NULL, 0, plain->data, plain->len, &err));
        ok(sp_block_seal(sealer, compressor, NULL, b, &block, &err));
        sp_block_builder_free(b);
    }
    sp_buf_put_str(&message, "stillpoint record 1");
    sp_buf_put_u8(&message, (uint8_t)type);
    sp_buf_put_u32(&message, (uint32_t)clear->len);
    sp_buf_put(&message, clear->data, clear->len);
    sp_buf_put(&message, block.data, block.len);
    ok(sp_buf_ok(&message, &err));
    ok(sp_ed25519_sign(secret, message.data, message.len, signature, &err));
    sp_buf_reset(object);
    sp_wire_put_bytes(object, 1, clear->data, clear->len);
    sp_wire_put_bytes(object, 2, block.data, block.len);
    sp_wire_put_bytes(object, 3, signature, sizeof signature);
    ok(sp_buf_ok(object, &err));
    sp_buf_free(&block);
    sp_buf_free(&message);
}

/* What decoding says of this clear part; the signature is good in any case. */
static enum sp_code
decode_clear(const struct clear *c)
{
    struct sp_buf clear = SP_BUF_INIT, object = SP_BUF_INIT;
    struct sp_set set;
    enum sp_code rc, signed_rc;

    put_clear(&clear, c);
    craft(&object, SP_RECORD_SET, &clear, NULL);
    signed_rc = sp_record_check_signature(SP_RECORD_SET, object.data, object.len, &host, &err);
    rc = sp_set_record_decode(object.data, object.len, &set, &err);
    assert_int_equal(rc, signed_rc);
    sp_buf_free(&clear);
    sp_buf_free(&object);
    return rc;
}

static void
clear_parts(void **state)
{
    (void)state;
    gives(SP_OK, decode_clear(&(struct clear)CLEAR));
#define SAYS(code, change)                                                                         \
    do {                                                                                           \
        struct clear c = CLEAR;                                                                    \
        change;                                                                                    \
        gives(code, decode_clear(&c));                                                             \
    } while (0)
    SAYS(SP_CORRUPT, c.version = 0);
    SAYS(SP_UNSUPPORTED, c.version = 2);
    SAYS(SP_UNSUPPORTED, c.version = UINT32_MAX);
    SAYS(SP_CORRUPT, c.set_id_n = 15);
    SAYS(SP_CORRUPT, c.set_id_n = 0);
    SAYS(SP_CORRUPT, c.host_n = 15);
    SAYS(SP_CORRUPT, c.group_n = 0);
    SAYS(SP_CORRUPT, c.root_n = 0);
    SAYS(SP_CORRUPT, c.root_n = 33);
    SAYS(SP_CORRUPT, c.previous_n = 32);
    SAYS(SP_CORRUPT, c.sequence = 2);
    SAYS(SP_OK, c.sequence = 2; c.previous_n = 32);
    SAYS(SP_CORRUPT, c.sequence = 2; c.previous_n = 31);
    SAYS(SP_CORRUPT, c.sequence = 0);
    SAYS(SP_CORRUPT, c.state = 0);
    SAYS(SP_CORRUPT, c.state = 4);
    SAYS(SP_CORRUPT, c.applications = 4);
    SAYS(SP_CORRUPT, c.files_level = UINT32_MAX);
    SAYS(SP_CORRUPT, c.job_n = 0);
    SAYS(SP_CORRUPT, c.job = "\xff\xff\xff");
    SAYS(SP_OK, c.program_n = 63);
    SAYS(SP_CORRUPT, c.program_n = 64);
#undef SAYS
}

static void
a_job_of_256_bytes(void **state)
{
    char job[256];
    struct clear c = CLEAR;

    (void)state;
    memset(job, 'j', sizeof job);
    c.job = job;
    c.job_n = 255;
    gives(SP_OK, decode_clear(&c));
    c.job_n = 256;
    gives(SP_CORRUPT, decode_clear(&c));
}

/* A checkpoint that is signed as a set. */
static void
a_state_of_another_type(void **state)
{
    struct sp_buf clear = SP_BUF_INIT, object = SP_BUF_INIT;
    struct clear c = CLEAR;
    struct sp_set set;

    (void)state;
    c.state = 1;
    put_clear(&clear, &c);
    craft(&object, SP_RECORD_SET, &clear, NULL);
    ok(sp_set_record_decode(object.data, object.len, &set, &err));
    gives(
        SP_CORRUPT, sp_record_check_signature(SP_RECORD_SET, object.data, object.len, &host, &err));
    craft(&object, SP_RECORD_CHECKPOINT, &clear, NULL);
    ok(sp_record_check_signature(SP_RECORD_CHECKPOINT, object.data, object.len, &host, &err));
    sp_buf_free(&clear);
    sp_buf_free(&object);
}

/* A newer writer's fields are ignored; as many as to fill the memory are not. */
static void
unknown_fields(void **state)
{
    struct sp_buf clear = SP_BUF_INIT, object = SP_BUF_INIT;
    struct clear c = CLEAR;
    struct sp_set set;

    (void)state;
    put_clear(&clear, &c);
    sp_wire_put_uint(&clear, 100, 5);
    sp_wire_put_bytes(&clear, 101, "new", 3);
    craft(&object, SP_RECORD_SET, &clear, NULL);
    sp_wire_put_bytes(&object, 9, "new", 3);
    ok(sp_record_check_signature(SP_RECORD_SET, object.data, object.len, &host, &err));
    ok(sp_set_record_decode(object.data, object.len, &set, &err));
    while (clear.len < 65 << 10)
        sp_wire_put_uint(&clear, 100, 5);
    craft(&object, SP_RECORD_SET, &clear, NULL);
    gives(SP_CORRUPT, sp_set_record_decode(object.data, object.len, &set, &err));
    sp_buf_free(&clear);
    sp_buf_free(&object);
}

static void
envelopes(void **state)
{
    struct sp_buf clear = SP_BUF_INIT, good = SP_BUF_INIT, b = SP_BUF_INIT;
    struct clear c = CLEAR;
    uint8_t signature[64] = {0};
    struct sp_set set;

    (void)state;
    put_clear(&clear, &c);
    craft(&good, SP_RECORD_SET, &clear, NULL);
    gives(SP_CORRUPT, sp_set_record_decode("", 0, &set, &err));
    for (size_t n = 0; n < good.len; n++)
        gives(SP_CORRUPT, sp_set_record_decode(good.data, n, &set, &err));
    ok(sp_set_record_decode(good.data, good.len, &set, &err));
    /* A part twice, out of order, of another type, of another length. */
    sp_buf_put(&b, good.data, good.len);
    sp_wire_put_bytes(&b, 3, signature, 64);
    gives(SP_CORRUPT, sp_set_record_decode(b.data, b.len, &set, &err));
    sp_buf_reset(&b);
    sp_wire_put_bytes(&b, 3, signature, 64);
    sp_wire_put_bytes(&b, 1, clear.data, clear.len);
    gives(SP_CORRUPT, sp_set_record_decode(b.data, b.len, &set, &err));
    sp_buf_reset(&b);
    sp_wire_put_bytes(&b, 1, clear.data, clear.len);
    sp_wire_put_uint(&b, 2, 5);
    sp_wire_put_bytes(&b, 3, signature, 64);
    gives(SP_CORRUPT, sp_set_record_decode(b.data, b.len, &set, &err));
    sp_buf_reset(&b);
    sp_wire_put_bytes(&b, 1, clear.data, clear.len);
    sp_wire_put_bytes(&b, 3, signature, 63);
    gives(SP_CORRUPT, sp_set_record_decode(b.data, b.len, &set, &err));
    sp_buf_reset(&b);
    sp_wire_put_bytes(&b, 3, signature, 64);
    gives(SP_CORRUPT, sp_set_record_decode(b.data, b.len, &set, &err));
    /* Over 16 MiB nothing is looked at. */
    sp_buf_reset(&b);
    sp_buf_put(&b, good.data, good.len);
    sp_wire_put_varint(&b, 9 << 3 | 2);
    sp_wire_put_varint(&b, 16 << 20);
    sp_buf_put_zero(&b, 16 << 20);
    ok(sp_buf_ok(&b, &err));
    gives(SP_CORRUPT, sp_set_record_decode(b.data, b.len, &set, &err));
    sp_buf_free(&b);
    sp_buf_free(&clear);
    sp_buf_free(&good);
}

static void
completions_and_removals(void **state)
{
    struct sp_buf clear = SP_BUF_INIT, object = SP_BUF_INIT;

    (void)state;
    for (enum sp_record_type type = SP_RECORD_COMPLETION; type <= SP_RECORD_REMOVAL; type++) {
        enum sp_record_type other = SP_RECORD_COMPLETION + SP_RECORD_REMOVAL - type;

        for (int what = 0; what < 4; what++) {
            sp_buf_reset(&clear);
            sp_wire_put_uint(&clear, 1, what == 1 ? 2 : 1);
            sp_wire_put_bytes(&clear, 2, set_id, 16);
            sp_wire_put_bytes(&clear, 3, what == 2 ? set_id : host.id, what == 3 ? 15 : 16);
            craft(&object, type, &clear, NULL);
            gives(what == 0   ? SP_OK
                  : what == 1 ? SP_UNSUPPORTED
                              : SP_CORRUPT,
                sp_record_check_signature(type, object.data, object.len, &host, &err));
            if (what == 0)
                gives(SP_CORRUPT,
                    sp_record_check_signature(other, object.data, object.len, &host, &err));
        }
    }
    sp_buf_free(&clear);
    sp_buf_free(&object);
}

/* --- the sealed part -----------------------------------------------------------------------------
 */

static enum sp_code
open_plain(const struct sp_buf *plain)
{
    struct sp_buf clear = SP_BUF_INIT, object = SP_BUF_INIT;
    struct sp_set_sealed sealed = {0};
    struct clear c = CLEAR;
    enum sp_code rc;

    put_clear(&clear, &c);
    craft(&object, SP_RECORD_SET, &clear, plain);
    rc = sp_set_record_open(object.data, object.len, opener, &sealed, &err);
    sp_set_sealed_clear(&sealed);
    sp_buf_free(&clear);
    sp_buf_free(&object);
    return rc;
}

static void
sealed_parts(void **state)
{
    struct sp_buf b = SP_BUF_INIT;

    (void)state;
#define SAYS(code, put)                                                                            \
    do {                                                                                           \
        b.len = 0;                                                                                 \
        sp_wire_put_bytes(&b, 1, set_id, 16);                                                      \
        put;                                                                                       \
        gives(code, open_plain(&b));                                                               \
    } while (0)
    SAYS(SP_OK, );
    SAYS(SP_OK, sp_wire_put_item(&b, 3, "a\0b", 3));
    SAYS(SP_OK, sp_wire_put_item(&b, 3, "", 0));
    SAYS(SP_CORRUPT, sp_wire_put_item(&b, 3, "a\0", 2));
    SAYS(SP_CORRUPT, sp_wire_put_item(&b, 3, "..", 2));
    SAYS(SP_CORRUPT, sp_wire_put_bytes(&b, 9, "a/b", 3));
    SAYS(SP_CORRUPT, sp_wire_put_bytes(&b, 2, "\xff", 1));
    SAYS(SP_CORRUPT, sp_wire_put_bytes(&b, 8, "\xff", 1));
    SAYS(SP_CORRUPT, sp_wire_put_item(&b, 7, "\xff", 1));
    SAYS(SP_CORRUPT, sp_wire_put_item(&b, 5, "", 0)); /* a fault without a kind */
    SAYS(SP_OK, sp_wire_put_item(&b, 5, "\x10\x05", 2));
    SAYS(SP_CORRUPT, sp_wire_put_item(&b, 5, "\x10\x06", 2));
    SAYS(SP_CORRUPT, sp_wire_put_item(&b, 5, "\x10\x05\x1a\x01\xff", 5));
    SAYS(SP_OK, sp_wire_put_item(&b, 4, "\x20\x03", 2));
    SAYS(SP_CORRUPT, sp_wire_put_item(&b, 4, "\x20\x04", 2));
    SAYS(SP_CORRUPT, sp_wire_put_item(&b, 4, "\x2a\x05x", 3));
    SAYS(SP_CORRUPT, b.len = 0; sp_wire_put_bytes(&b, 1, set_id, 15));
    SAYS(SP_CORRUPT, b.len = 0; sp_wire_put_bytes(&b, 1, host.id, 16));
    SAYS(SP_CORRUPT, b.len = 0; sp_wire_put_uint(&b, 10, 1));
    SAYS(SP_CORRUPT, sp_buf_put(&b, "\xff\xff\xff", 3));
    /* One more than there may be, and what would take a hundred times its size in memory. */
    SAYS(SP_OK, for (int i = 0; i < 10000; i++) sp_wire_put_item(&b, 5, "\x10\x01", 2));
    SAYS(SP_CORRUPT, for (int i = 0; i < 10001; i++) sp_wire_put_item(&b, 5, "\x10\x01", 2));
    SAYS(SP_CORRUPT, for (int i = 0; i < 10001; i++) sp_wire_put_item(&b, 3, "", 0));
    SAYS(SP_CORRUPT, for (int i = 0; i < 10001; i++) sp_wire_put_item(&b, 7, "", 0));
    SAYS(SP_CORRUPT, for (int i = 0; i < 400000; i++) sp_wire_put_item(&b, 5, "", 0));
    SAYS(SP_CORRUPT, for (int i = 0; i < 400000; i++) sp_wire_put_item(&b, 4, "", 0));
#undef SAYS
    sp_buf_free(&b);
}

/* --- verdicts ------------------------------------------------------------------------------------
 */

/* A field of the verdict, alone in it. */
static void
put_verdict(struct sp_buf *b, uint32_t field, const void *p, size_t n)
{
    struct sp_buf v = SP_BUF_INIT;

    sp_wire_put_item(&v, field, p, n);
    sp_wire_put_item(b, 20, v.data, v.len);
    sp_buf_free(&v);
}

/* So many items of a field, all alike. */
static void
put_many(struct sp_buf *b, uint32_t field, size_t count, const void *p, size_t n)
{
    struct sp_buf v = SP_BUF_INIT;

    for (size_t i = 0; i < count; i++)
        sp_wire_put_item(&v, field, p, n);
    sp_wire_put_item(b, 20, v.data, v.len);
    sp_buf_free(&v);
}

/* A component with a list or text of that length. */
static void
put_long(struct sp_buf *b, uint32_t field, size_t count, size_t n)
{
    struct sp_buf c = SP_BUF_INIT, text = SP_BUF_INIT;

    for (size_t i = 0; i < n; i++)
        sp_buf_put_u8(&text, field == 12 ? 1 : 'x');
    for (size_t i = 0; i < count; i++)
        sp_wire_put_item(&c, field, text.data, text.len);
    put_verdict(b, 4, c.data, c.len);
    sp_buf_free(&c);
    sp_buf_free(&text);
}

static void
verdicts(void **state)
{
    static const char id[] = "66841cd4-6ded-4f4b-8f17-fd23f8ddc3de";
    char spoilt[64], field[64];
    struct sp_buf b = SP_BUF_INIT;

    (void)state;
#define SAYS(code, put)                                                                            \
    do {                                                                                           \
        b.len = 0;                                                                                 \
        sp_wire_put_bytes(&b, 1, set_id, 16);                                                      \
        put;                                                                                       \
        gives(code, open_plain(&b));                                                               \
    } while (0)
    SAYS(SP_OK, sp_wire_put_item(&b, 20, "", 0));
    SAYS(SP_OK, put_verdict(&b, 3, "", 0));
    SAYS(SP_OK, put_verdict(&b, 3, "\x50\x03", 2)); /* levels */
    SAYS(SP_CORRUPT, put_verdict(&b, 3, "\x50\x04", 2));
    SAYS(SP_OK, put_verdict(&b, 4, "\xa8\x01\x03", 3));
    SAYS(SP_CORRUPT, put_verdict(&b, 4, "\xa8\x01\x04", 3));
    SAYS(SP_OK, put_verdict(&b, 3, "\x58\x63", 2)); /* a reason of later */
    SAYS(SP_OK, put_verdict(&b, 4, "\x30\x63", 2)); /* a kind of later */
    SAYS(SP_CORRUPT, put_verdict(&b, 4, "\x08\x01", 2)); /* indices: writer */
    SAYS(SP_CORRUPT, put_verdict(&b, 4, "\x58\x02", 2)); /* parent */
    SAYS(SP_CORRUPT, put_verdict(&b, 4, "\x58\x01", 2)); /* itself */
    SAYS(SP_CORRUPT, put_verdict(&b, 4, "\x68\x01", 2)); /* shadow */
    SAYS(SP_OK, put_verdict(&b, 4, "\x62\x01\x01", 3)); /* depends */
    SAYS(SP_CORRUPT, put_verdict(&b, 4, "\x62\x01\x02", 3));
    SAYS(SP_CORRUPT, put_verdict(&b, 4, "\x62\x01\x00", 3));
    SAYS(SP_CORRUPT, put_verdict(&b, 4, "\x08\xff\xff\xff\xff\x0f", 6));
    SAYS(SP_CORRUPT, put_verdict(&b, 4, "\x1a\x01\xff", 3)); /* texts */
    SAYS(SP_CORRUPT, put_verdict(&b, 7, "\xff", 1));
    for (size_t i = 0; i <= 36; i++) { /* identifiers */
        memcpy(spoilt, id, sizeof(id));
        spoilt[i] = i == 36 ? 'a' : 'G';
        spoilt[37] = '\0';
        field[0] = '\x0a';
        field[1] = (char)strlen(spoilt);
        memcpy(field + 2, spoilt, strlen(spoilt));
        SAYS(SP_CORRUPT, put_verdict(&b, i % 2 == 0 ? 3 : 5, field, 2 + strlen(spoilt)));
    }
    field[0] = '\x0a';
    field[1] = 36;
    memcpy(field + 2, id, 36);
    SAYS(SP_OK, put_verdict(&b, 3, field, 38));
    /* One more than there may be of each. */
    SAYS(SP_OK, put_many(&b, 3, 1000, "", 0));
    SAYS(SP_CORRUPT, put_many(&b, 3, 1001, "", 0));
    SAYS(SP_OK, put_many(&b, 4, 10000, "", 0));
    SAYS(SP_CORRUPT, put_many(&b, 4, 10001, "", 0));
    SAYS(SP_OK, put_many(&b, 5, 100, "", 0));
    SAYS(SP_CORRUPT, put_many(&b, 5, 101, "", 0));
    SAYS(SP_OK, put_many(&b, 6, 1000, "", 0));
    SAYS(SP_CORRUPT, put_many(&b, 6, 1001, "", 0));
    SAYS(SP_OK, put_many(&b, 7, 1000, "", 0));
    SAYS(SP_CORRUPT, put_many(&b, 7, 1001, "", 0));
    SAYS(SP_OK, put_long(&b, 20, 20000, 1));
    SAYS(SP_CORRUPT, put_long(&b, 20, 20001, 1));
    SAYS(SP_OK, put_long(&b, 12, 1, 20000));
    SAYS(SP_CORRUPT, put_long(&b, 12, 1, 20001));
    SAYS(SP_OK, put_long(&b, 7, 1, 4096));
    SAYS(SP_CORRUPT, put_long(&b, 7, 1, 4097));
    SAYS(SP_OK, put_long(&b, 20, 1, 4096));
    SAYS(SP_CORRUPT, put_long(&b, 20, 1, 4097));
    /* What would take a hundred times its size in memory. */
    SAYS(SP_CORRUPT, put_many(&b, 4, 400000, "", 0));
    SAYS(SP_CORRUPT, put_many(&b, 3, 400000, "", 0));
#undef SAYS
    sp_buf_free(&b);
}

/* --- random damage -------------------------------------------------------------------------------
 */

static void
random_damage(void **state)
{
    struct draws d = {new_seed()};
    struct sp_buf clear = SP_BUF_INIT, plain = SP_BUF_INIT, object = SP_BUF_INIT;
    struct clear c = CLEAR;

    (void)state;
    put_clear(&clear, &c);
    sp_wire_put_bytes(&plain, 1, set_id, 16);
    sp_wire_put_item(&plain, 3, "home", 4);
    sp_wire_put_item(&plain, 5, "\x10\x05", 2);
    craft(&object, SP_RECORD_SET, &clear, &plain);
    for (int i = 0; i < 4000; i++) {
        size_t at = (size_t)draw_below(&d, object.len), len = object.len;
        struct sp_set_sealed sealed = {0};
        struct sp_set set;
        uint8_t *tight;
        enum sp_code rc;

        if (draw_below(&d, 10) == 0)
            len = (size_t)draw_below(&d, len);
        /* In memory of just this size the sanitizer sees a byte too many. */
        tight = malloc(len + 1);
        assert_non_null(tight);
        memcpy(tight + 1, object.data, len);
        if (at < len)
            tight[1 + at] ^= (uint8_t)(1u << draw_below(&d, 8));
        rc = sp_record_check_signature(SP_RECORD_SET, tight + 1, len, &host, &err);
        if (len < object.len || at < len)
            assert_true(rc == SP_CORRUPT || rc == SP_UNSUPPORTED);
        rc = sp_set_record_decode(tight + 1, len, &set, &err);
        assert_true(rc == SP_OK || rc == SP_CORRUPT || rc == SP_UNSUPPORTED);
        rc = sp_set_record_open(tight + 1, len, opener, &sealed, &err);
        assert_true(rc == SP_OK || rc == SP_CORRUPT || rc == SP_UNSUPPORTED || rc == SP_AUTH);
        sp_set_sealed_clear(&sealed);
        free(tight);
    }
    sp_buf_free(&clear);
    sp_buf_free(&plain);
    sp_buf_free(&object);
}

/* Damage under the seal, by one who has the keys. */
static void
random_damage_inside(void **state)
{
    struct draws d = {new_seed()};
    struct sp_buf plain = SP_BUF_INIT;

    (void)state;
    sp_wire_put_bytes(&plain, 1, set_id, 16);
    sp_wire_put_bytes(&plain, 2, "name", 4);
    sp_wire_put_item(&plain, 3, "home\0me", 7);
    sp_wire_put_item(&plain, 4, "\x0a\x01/\x12\x03vfs\x20\x02", 10);
    sp_wire_put_item(&plain, 5, "\x0a\x01k\x10\x05\x1a\x03why", 10);
    sp_wire_put_item(&plain, 7, "*.tmp", 5);
    sp_wire_put_bytes(&plain, 9, "home", 4);
    for (int i = 0; i < 500; i++) {
        size_t at = (size_t)draw_below(&d, plain.len), len = plain.len;
        uint8_t was = plain.data[at];
        enum sp_code rc;

        plain.data[at] = (uint8_t)draw(&d);
        if (draw_below(&d, 4) == 0)
            plain.len = (size_t)draw_below(&d, len) + 1;
        rc = open_plain(&plain);
        assert_true(rc == SP_OK || rc == SP_CORRUPT);
        plain.len = len;
        plain.data[at] = was;
    }
    ok(open_plain(&plain));
    sp_buf_free(&plain);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clear_parts),
        cmocka_unit_test(a_job_of_256_bytes),
        cmocka_unit_test(a_state_of_another_type),
        cmocka_unit_test(unknown_fields),
        cmocka_unit_test(envelopes),
        cmocka_unit_test(completions_and_removals),
        cmocka_unit_test(sealed_parts),
        cmocka_unit_test(verdicts),
        cmocka_unit_test(random_damage),
        cmocka_unit_test(random_damage_inside),
    };

    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
