/* Objects that claim or unfold to more than anyone has: blocks, records, key slots, index segments,
 * files of a terabyte, records without number. Memory and time are bounded, the claim is told, and
 * the good set beside them is still listed and restored (R11, R18). */

#include "shop.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "storage/block_format.h"
#include "storage/crypto.h"
#include "base/wire.h"
#include "storage/index_format.h"
#include "storage/record_impl.h"
#include "storage/slot.h"
#include "tests/unit/base/support.h"

#define MEMORY ((size_t)64 << 20)

/* --- blocks -------------------------------------------------------------------------------------
 */

/* A zstd frame of `blocks` blocks of 128 KiB of one byte, four bytes each. */
static void
put_frame(struct sp_buf *to, uint8_t descriptor, uint8_t window, uint64_t content, size_t blocks)
{
    sp_buf_put_u32(to, 0xfd2fb528);
    sp_buf_put_u8(to, descriptor);
    if ((descriptor & 0x20) == 0)
        sp_buf_put_u8(to, window);
    if ((descriptor & 0xc0) == 0xc0)
        sp_buf_put_u64(to, content);
    for (size_t i = 0; i < blocks; i++) {
        uint32_t head = (uint32_t)(i + 1 == blocks) | 1u << 1 | (128u << 10) << 3;

        sp_buf_put_u8(to, (uint8_t)head);
        sp_buf_put_u8(to, (uint8_t)(head >> 8));
        sp_buf_put_u8(to, (uint8_t)(head >> 16));
        sp_buf_put_u8(to, 'z');
    }
}

static void
put_packed(struct sp_buf *to, uint32_t packed, uint32_t raw, const struct sp_buf *frame)
{
    sp_buf_put_u8(to, PACKED_ZSTD);
    sp_buf_put_u8(to, 0);
    sp_buf_put_u16(to, 0);
    sp_buf_put_u32(to, packed);
    sp_buf_put_u32(to, raw);
    sp_buf_put(to, frame->data, frame->len);
    assert_ok(sp_buf_ok(to, e));
}

static void
blocks_that_unfold(void **state)
{
    (void)state;
    static const struct {
        uint8_t descriptor, window;
        uint64_t content;
        size_t blocks;
        uint32_t raw;
    } all[] = {{0, 0x60, 0, 2048, 1024}, {0, 0x60, 0, 1000000, 1024},
        {0, 0x60, 0, 1000000, 4 << 20}, {0, 0x60, 0, 1000000, UINT32_MAX}, {0, 0xa8, 0, 2, 1024},
        {0, 0xff, 0, 2, 1024}, {0xc0, 0x60, UINT64_C(1) << 60, 2, 1024},
        {0xe0, 0, UINT64_C(1) << 60, 2, 1024}, {0xe0, 0, UINT64_MAX, 2, 1024},
        {0xe0, 0, 1024, 100000, 1024}, {0, 0x60, 0, 0, 4 << 20}};
    struct outcome *o = malloc(sizeof *o);

    assert_non_null(o);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct sp_buf frame = SP_BUF_INIT, plain = SP_BUF_INIT;
        const struct sp_id bomb = {{(uint8_t)(i + 1)}};
        const struct raw_piece piece = {1016, &bomb};
        const struct raw evil = {
            KEY("m\0e"), .type = 1, .mode = 0600, .size = 1016, .pieces = &piece, .npieces = 1};
        struct set s;
        struct place p;

        set_new(&s);
        place_new(&p);
        put_frame(&frame, all[i].descriptor, all[i].window, all[i].content, all[i].blocks);
        put_packed(&plain, (uint32_t)frame.len, all[i].raw, &frame);
        raw_block(&s, SP_BLOCK_FILES, &bomb, 1, NULL, NULL, plain.data, plain.len);
        sp_buf_free(&frame);
        sp_buf_free(&plain);
        bounds_begin("a block that unfolds", 8, MEMORY);
        raw_around(&s, &evil, 1);
        set_restore(&s, p.target, NULL, o);
        bounds_end();
        assert_int_equal(o->code, SP_OK);
        assert_int_equal(o->nfaults, 1);
        assert_text(p.target, "a/good", "good");
        assert_text(p.target, "z/good", "good");
        place_free(&p);
        set_free(&s);
    }
    free(o);
}

/* --- records ------------------------------------------------------------------------------------
 */

/* A set beside which the bombs lie. */
static void
good_set(struct shop *s, char id[9])
{
    raw_around(&s->set, NULL, 0);
    shop_publish(s, id);
}

static void
good_is_there(struct shop *s, const char *id)
{
    struct said said = {0};
    char other[160];
    static unsigned n;

    (void)snprintf(other, sizeof other, "%s/%u", s->place.target, n++);
    shop_run(&said, 30, MEMORY, "list", NULL);
    assert_said(&said, 0, id);
    shop_run(&said, 30, MEMORY, "restore", id, "--target", other, NULL);
    assert_said(&said, 0, NULL);
    assert_text(other, "z/good", "good");
    said_clear(&said);
}

/* A record with a sealed part of any bytes. */
static void
put_record(struct shop *s, const struct sp_buf *sealed_plain, const struct sp_buf *tail)
{
    struct sp_set set = {.job = "bomb", .sequence = 1, .state = SP_SET_COMPLETE};
    struct sp_buf clear = SP_BUF_INIT, sign = SP_BUF_INIT, record = SP_BUF_INIT,
                  plain = SP_BUF_INIT;
    const struct stored_block *block;
    uint8_t signature[64];
    struct sp_id id;
    char name[160];

    assert_ok(sp_random_fill(&sp_random_system, set.set_id, 16, e));
    memcpy(set.host, s->profile->host, 16);
    memcpy(set.group, sp_keys_group(s->set.keys), 16);
    set.root = s->set.root;
    assert_ok(sp_set_encode(&set, &clear, e));
    raw_plain(&plain, SP_CHUNK_RECORD, sealed_plain->data, sealed_plain->len);
    assert_ok(sp_hasher_id(
        s->set.hasher, SP_CHUNK_RECORD, NULL, 0, sealed_plain->data, sealed_plain->len, &id, e));
    raw_block(&s->set, SP_BLOCK_RECORD, &id, 1, NULL, NULL, plain.data, plain.len);
    block = &s->set.memory.blocks[s->set.memory.nblocks - 1];
    sp_buf_put_str(&sign, "stillpoint record 1");
    sp_buf_put_u8(&sign, SP_RECORD_SET);
    sp_buf_put_u32(&sign, (uint32_t)clear.len);
    sp_buf_put(&sign, clear.data, clear.len);
    sp_buf_put(&sign, block->bytes, block->n);
    assert_ok(sp_ed25519_sign(s->profile->signing_secret, sign.data, sign.len, signature, e));
    sp_wire_put_item(&record, 1, clear.data, clear.len);
    sp_wire_put_item(&record, 2, block->bytes, block->n);
    sp_wire_put_item(&record, 3, signature, sizeof signature);
    if (tail != NULL)
        sp_buf_put(&record, tail->data, tail->len);
    assert_ok(sp_buf_ok(&record, e));
    s->published_ns += SP_SECOND;
    sp_record_object_name(SP_RECORD_SET, set.host, s->published_ns, set.set_id, name);
    shop_file(s, name, record.data, record.len);
    memory_store_lose(&s->set.memory, &id);
    sp_buf_free(&clear);
    sp_buf_free(&sign);
    sp_buf_free(&record);
    sp_buf_free(&plain);
}

static void
records_that_unfold(void **state)
{
    (void)state;
    static const uint8_t fields[] = {0x1a, 0x22, 0x2a, 0x3a}; /* root, volume, fault, exclude */
    struct said said = {0};
    struct shop s;
    char id[9];

    shop_new(&s);
    good_set(&s, id);
    for (size_t f = 0; f < sizeof fields; f++) {
        struct sp_buf sealed = SP_BUF_INIT;

        for (unsigned i = 0; i < (fields[f] == 0x2a ? 1200000u : 200000u); i++) {
            sp_buf_put_u8(&sealed, fields[f]);
            sp_buf_put_u8(&sealed, 0);
        }
        put_record(&s, &sealed, NULL);
        sp_buf_free(&sealed);
    }
    struct sp_buf tail = SP_BUF_INIT, none = SP_BUF_INIT;
    for (size_t i = 0; i < 1000000; i++) { /* unknown fields, two bytes each */
        sp_buf_put_u8(&tail, 0x78);
        sp_buf_put_u8(&tail, 1);
    }
    put_record(&s, &none, &tail);
    sp_buf_free(&tail);
    sp_buf_free(&none);
    shop_run(&said, 30, MEMORY, "list", "--all", NULL);
    assert_said(&said, 0, id);
    shop_run(&said, 30, MEMORY, "show", "bomb", NULL);
    shop_run(&said, 30, MEMORY, "show", "bomb~2", NULL);
    assert_said(&said, 0, "does not open");
    shop_run(&said, 30, MEMORY, "find", "good", "--all-sets", NULL);
    shop_run(&said, 30, MEMORY, "check", NULL);
    good_is_there(&s, id);
    said_clear(&said);
    shop_free(&s);
}

static void
records_without_number(void **state)
{
    (void)state;
    unsigned n = hostile_long() ? 20000 : 1000;
    struct said said = {0};
    struct shop s;
    char id[9], name[160];
    uint8_t other[16];

    shop_new(&s);
    good_set(&s, id);
    for (unsigned i = 0; i < n; i++) {
        sp_store_le64(other, i);
        sp_store_le64(other + 8, ~(uint64_t)i);
        sp_record_object_name(SP_RECORD_SET, s.profile->host, s.published_ns, other, name);
        shop_file(&s, name, "rubbish", 7);
    }
    shop_run(&said, 120, (size_t)128 << 20, "list", "--all", NULL);
    assert_said(&said, 0, id);
    good_is_there(&s, id);
    said_clear(&said);
    shop_free(&s);
}

/* --- key slots ----------------------------------------------------------------------------------
 */

static long
resident(void)
{
    struct rusage u;

    assert_int_equal(getrusage(RUSAGE_SELF, &u), 0);
    return u.ru_maxrss;
}

static void
slots_that_cost(void **state)
{
    (void)state;
    static const struct {
        unsigned log_n, r, p;
    } all[] = {{40, 8, 1}, {63, 1, 1}, {64, 1, 1}, {UINT32_MAX, 1, 1}, {20, 32, 1}, {21, 1, 1},
        {16, 8, UINT32_MAX}, {16, UINT32_MAX, 1}, {10, 8, 17}, {10, 33, 1}, {0, 8, 1}, {16, 0, 1},
        {16, 8, 0}, {20, 8, 16}, {20, 8, 5}, {20, 4, 9}};
    struct said said = {0};
    struct shop s;
    struct sp_err err = {0};
    char id[9], file[128], name[160];
    uint8_t salt[16] = {1}, key[32], wrapped[96] = {0};

    bounds_begin("what scrypt may cost", 8, MEMORY);
    long before = resident();
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        hostile_case();
        assert_int_equal(
            sp_scrypt("x", 1, salt, all[i].log_n, all[i].r, all[i].p, key, &err), SP_REFUSED);
        assert_non_null(strstr(err.text, "more than this program grants"));
    }
    assert_true(resident() - before < 65536);
    bounds_end();
    shop_new(&s);
    good_set(&s, id);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct sp_slot slot = {.info = {.kind = SP_SLOT_PASSPHRASE, .epoch = UINT32_MAX},
            .log_n = all[i].log_n,
            .r = all[i].r,
            .p = all[i].p};
        struct sp_buf b = SP_BUF_INIT;

        memcpy(slot.info.group, sp_keys_group(s.set.keys), 16);
        memset(slot.info.id, (int)i + 1, 16);
        memcpy(slot.info.label, "\x1b[2J", 5);
        sp_slot_put_clear(&b, &slot);
        sp_slot_put_wrapped(&b, wrapped, sizeof wrapped);
        (void)snprintf(name, sizeof name, "keys/%.32s/%.32s", sp_hex16(slot.info.group).s,
            sp_hex16(slot.info.id).s);
        shop_file(&s, name, b.data, b.len);
        sp_buf_free(&b);
    }
    tree_text(&s.home, "passphrase", "guess\n");
    (void)snprintf(file, sizeof file, "%s/passphrase", s.home.path);
    shop_run(&said, 30, MEMORY, "key", "list", NULL);
    good_is_there(&s, id);
    tree_remove(&s.home, "state");
    tree_dir(&s.home, "state");
    shop_run(&said, 30, MEMORY, "list", "-r", s.repository, "--passphrase-file", file, NULL);
    assert_said(&said, 6, "does not open");
    said_clear(&said);
    shop_free(&s);
}

/* Each is within what one slot may cost; together they would take an hour. */
static void
slots_without_end(void **state)
{
    (void)state;
    struct said said = {0};
    struct shop s;
    char file[128], name[160];
    uint8_t wrapped[96] = {0};

    if (!hostile_long())
        skip();
    shop_new(&s);
    for (int i = 0; i < 200; i++) {
        struct sp_slot slot = {
            .info = {.kind = SP_SLOT_PASSPHRASE, .epoch = UINT32_MAX}, .log_n = 20, .r = 8, .p = 4};
        struct sp_buf b = SP_BUF_INIT;

        hostile_case();
        memcpy(slot.info.group, sp_keys_group(s.set.keys), 16);
        memset(slot.info.id, i, 16);
        sp_slot_put_clear(&b, &slot);
        sp_slot_put_wrapped(&b, wrapped, sizeof wrapped);
        (void)snprintf(name, sizeof name, "keys/%.32s/%.32s", sp_hex16(slot.info.group).s,
            sp_hex16(slot.info.id).s);
        shop_file(&s, name, b.data, b.len);
        sp_buf_free(&b);
    }
    tree_text(&s.home, "passphrase", "guess\n");
    (void)snprintf(file, sizeof file, "%s/passphrase", s.home.path);
    tree_remove(&s.home, "state");
    tree_dir(&s.home, "state");
    shop_run(
        &said, 240, (size_t)3 << 30, "list", "-r", s.repository, "--passphrase-file", file, NULL);
    assert_said(&said, 6, "more passphrase slots than can be tried");
    said_clear(&said);
    shop_free(&s);
}

/* --- index --------------------------------------------------------------------------------------
 */

static void
put_segment(struct shop *s, uint32_t npacks, const uint8_t *superseded, uint32_t nsuperseded,
    uint64_t n, uint32_t k, bool fan)
{
    struct sp_buf b = SP_BUF_INIT;
    uint8_t hash[32];
    char name[96];

    sp_buf_put_str(&b, INDEX_MAGIC);
    sp_buf_put_u32(&b, npacks);
    sp_buf_put_u32(&b, nsuperseded);
    sp_buf_put_u64(&b, n);
    sp_buf_put_u32(&b, k);
    sp_buf_put_u32(&b, 0);
    for (uint32_t i = 0; i < npacks && i < 4; i++) {
        sp_buf_put_zero(&b, 64);
        sp_buf_put_u64(&b, 1 << 20);
        sp_buf_put_u8(&b, 1);
        sp_buf_put_zero(&b, 23);
    }
    sp_buf_put(&b, superseded, (size_t)(nsuperseded < 64 ? nsuperseded : 64) * 32);
    for (size_t i = 0; i < 256; i++)
        sp_buf_put_u32(&b, fan ? (uint32_t)n : UINT32_MAX - (uint32_t)i);
    for (size_t i = 0; i < (size_t)1 << (k < 12 ? k : 0); i++)
        sp_buf_put_zero(&b, 64);
    for (uint64_t i = 0; i < n && i < 100; i++)
        sp_buf_put_zero(&b, 28);
    assert_ok(sp_buf_ok(&b, e));
    assert_ok(sp_sha256(b.data, b.len, hash, e));
    (void)snprintf(name, sizeof name, "index/%.2s/%s", sp_hex32(hash).s, sp_hex32(hash).s);
    shop_file(s, name, b.data, b.len);
    sp_buf_free(&b);
}

/* The names of all segments that are there. */
static uint32_t
segments(struct shop *s, uint8_t *to, uint32_t most)
{
    char path[512];
    uint32_t n = 0;

    for (unsigned i = 0; i < 256; i++) {
        struct dirent *d;
        DIR *dir;

        (void)snprintf(path, sizeof path, "%s/index/%02x", s->repository, i);
        if ((dir = opendir(path)) == NULL)
            continue;
        while ((d = readdir(dir)) != NULL && n < most)
            n += strlen(d->d_name) == 64 && sp_hex_parse(d->d_name, to + 32 * n, 32);
        (void)closedir(dir);
    }
    return n;
}

static void
segments_that_lie(void **state)
{
    (void)state;
    static uint8_t names[64 * 32];
    struct said said = {0};
    struct shop s;
    char id[9];

    shop_new(&s);
    good_set(&s, id);
    uint32_t n = segments(&s, names, 64);
    put_segment(&s, 0, names, n, 0, 0, true); /* in the place of all that is true: nothing */
    put_segment(&s, 1, names, n, 1, 0, true); /* a pack that is nowhere */
    put_segment(&s, UINT32_MAX, names, 0, 0, 0, true);
    put_segment(&s, 0, names, UINT32_MAX, 0, 0, true);
    put_segment(&s, 0, names, 0, UINT64_MAX, 0, true);
    put_segment(&s, 0, names, 0, UINT32_MAX, 31, true);
    put_segment(&s, 0, names, 0, 0, UINT32_MAX, true);
    put_segment(&s, 1, names, 0, 50, 3, false);
    good_is_there(&s, id);
    shop_run(&said, 30, MEMORY, "check", NULL);
    tree_remove(&s.home, "cache");
    tree_dir(&s.home, "cache");
    good_is_there(&s, id);
    said_clear(&said);
    shop_free(&s);
}

/* --- objects of a terabyte
 * ------------------------------------------------------------------------ */

static void
objects_of_a_terabyte(void **state)
{
    (void)state;
    static const char *const names[] = {
        "index/00/0000000000000000000000000000000000000000000000000000000000000000",
        "packs/00/0000000000000000000000000000000000000000000000000000000000000000",
        "nodes/00/0000000000000000000000000000000000000000000000000000000000000000",
        "hosts/00000000000000000000000000000000", "leases/x", "marks/x", "tmp/x"};
    struct said said = {0};
    struct shop s;
    char id[9], name[160];
    static const uint8_t other[16] = {9};

    shop_new(&s);
    good_set(&s, id);
    for (size_t i = 0; i <= sizeof names / sizeof *names + 1; i++) {
        size_t known = sizeof names / sizeof *names;
        char path[320];

        if (i == known)
            sp_record_object_name(SP_RECORD_SET, s.profile->host, s.published_ns, other, name);
        else if (i > known)
            (void)snprintf(name, sizeof name, "keys/%.32s/%.32s",
                sp_hex16(sp_keys_group(s.set.keys)).s, sp_hex16(other).s);
        shop_file(&s, i < known ? names[i] : name, "x", 1);
        (void)snprintf(path, sizeof path, "%s/%s", s.repository, i < known ? names[i] : name);
        assert_int_equal(truncate(path, INT64_C(1) << 40), 0);
    }
    good_is_there(&s, id);
    shop_run(&said, 10, MEMORY, "check", NULL);
    assert_said(&said, 3, "FAULT");
    shop_run(&said, 30, MEMORY, "key", "list", NULL);
    said_clear(&said);
    shop_free(&s);
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_that_unfold),
        cmocka_unit_test(records_that_unfold),
        cmocka_unit_test(records_without_number),
        cmocka_unit_test(slots_that_cost),
        cmocka_unit_test(slots_without_end),
        cmocka_unit_test(segments_that_lie),
        cmocka_unit_test(objects_of_a_terabyte),
    };
    int rc;

    if (argc > 1) /* one test alone, by its name */
        cmocka_set_test_filter(argv[1]);
    rc = cmocka_run_group_tests(tests, NULL, NULL);
    hostile_closing("bombs");
    return rc;
}
