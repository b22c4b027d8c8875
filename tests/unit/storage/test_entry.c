#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "expect.h"

#include "entries.h"
#include "storage/crypto.h"

static struct sp_entry *
copy_of(const struct sp_entry *en)
{
    struct sp_entry *c = NULL;

    ok(sp_entry_copy(en, &c, &err));
    return c;
}

static void
a_copy_owns_everything(void **state)
{
    struct draws d = {new_seed()};

    (void)state;
    for (int i = 0; i < 500; i++) {
        struct sp_entry *a = entry_draw(&d, "a\0b", 3), *b = copy_of(a), *c = copy_of(b);

        assert_true(sp_entry_memory(a) >= sizeof *a + 3);
        assert_int_equal(sp_entry_memory(a), sp_entry_memory(b));
        assert_true(entry_equal(a, b));
        /* The sanitizer tells when a copy still looks into what it was made of. */
        memset(a, 0xee, sizeof *a);
        free(a);
        assert_true(entry_equal(b, c));
        free(b);
        free(c);
    }
}

static struct sp_entry
plain(void)
{
    static const struct sp_segment segments[] = {
        {.length = 10, .id = {{1}}}, {.length = 5, .hole = true}, {.length = 7, .id = {{2}}}};
    static const struct sp_attribute attributes[] = {
        {.name = "user.a", .value = (const uint8_t *)"v", .len = 1},
        {.name = "user.b", .external = true, .id = {{3}}}};

    return (struct sp_entry){.key = (const uint8_t *)"k",
        .key_len = 1,
        .type = SP_ENTRY_FILE,
        .size = 22,
        .mtime_ns = 1,
        .ctime_ns = 2,
        .btime_ns = 3,
        .file_id = 4,
        .device = 5,
        .links = 6,
        .mode = 0644,
        .uid = 7,
        .gid = 8,
        .user = "u",
        .group = "g",
        .segments = segments,
        .nsegments = 3,
        .attributes = attributes,
        .nattributes = 2};
}

static void
unchanged(void **state)
{
    struct sp_entry old = plain(), now = plain();

    (void)state;
    now.device = 99;
    now.mode = 0600;
    now.nsegments = 0;
    assert_true(sp_entry_unchanged(&old, &now));
#define DIFFERS(change)                                                                            \
    do {                                                                                           \
        struct sp_entry keep = now;                                                                \
        now.change;                                                                                \
        assert_false(sp_entry_unchanged(&old, &now));                                              \
        now = keep;                                                                                \
    } while (0)
    DIFFERS(type = SP_ENTRY_FIFO);
    DIFFERS(size = 23);
    DIFFERS(mtime_ns = 2);
    DIFFERS(ctime_ns = 3);
    DIFFERS(file_id = 5);
#undef DIFFERS
    now.flags = SP_ENTRY_RECHECK;
    assert_true(sp_entry_unchanged(&old, &now));
    old.flags = SP_ENTRY_IMPLIED;
    assert_true(sp_entry_unchanged(&old, &now));
    for (uint32_t flag = SP_ENTRY_RECHECK; flag <= SP_ENTRY_CHANGED; flag <<= 1) {
        old.flags = flag;
        assert_false(sp_entry_unchanged(&old, &now));
    }
    old.flags = now.flags = SP_ENTRY_WINDOWS;
    old.extra = 100; /* a listing does not know it */
    old.atime_ns = 5;
    assert_true(sp_entry_unchanged(&old, &now));
    old.flags |= SP_ENTRY_AWAY;
    assert_false(sp_entry_unchanged(&old, &now));
    assert_false(sp_entry_unchanged(&now, &old));
    now.flags |= SP_ENTRY_AWAY;
    assert_true(sp_entry_unchanged(&old, &now));
    now.flags = 0;
    old.flags = SP_ENTRY_WINDOWS;
    assert_false(sp_entry_unchanged(&old, &now));
}

static void
same(void **state)
{
    struct sp_entry a = plain(), b = plain();
    struct sp_segment segments[3];
    struct sp_attribute attributes[2];

    (void)state;
    b.ctime_ns = b.btime_ns * 50;
    b.file_id = 77;
    b.device = 88;
    b.flags = SP_ENTRY_RECHECK | SP_ENTRY_IMPLIED;
    b.atime_ns = 99;
    assert_true(sp_entry_same(&a, &b));
#define DIFFERS(change)                                                                            \
    do {                                                                                           \
        struct sp_entry keep = b;                                                                  \
        memcpy(segments, a.segments, sizeof segments);                                             \
        memcpy(attributes, a.attributes, sizeof attributes);                                       \
        b.segments = segments;                                                                     \
        b.attributes = attributes;                                                                 \
        assert_true(sp_entry_same(&a, &b));                                                        \
        change;                                                                                    \
        assert_false(sp_entry_same(&a, &b));                                                       \
        assert_false(sp_entry_same(&b, &a));                                                       \
        b = keep;                                                                                  \
    } while (0)
    DIFFERS(b.key_len = 0);
    DIFFERS(b.type = SP_ENTRY_DIR);
    DIFFERS(b.flags |= SP_ENTRY_UNREADABLE);
    DIFFERS(b.flags |= SP_ENTRY_CHANGED);
    DIFFERS(b.flags |= SP_ENTRY_WINDOWS);
    DIFFERS(b.flags |= SP_ENTRY_AWAY);
    DIFFERS(b.extra++);
    DIFFERS(b.size++);
    DIFFERS(b.mtime_ns++);
    DIFFERS(b.btime_ns++);
    DIFFERS(b.links++);
    DIFFERS(b.mode++);
    DIFFERS(b.uid++);
    DIFFERS(b.gid++);
    DIFFERS(b.user = "x");
    DIFFERS(b.group = "x");
    DIFFERS(b.rdev++);
    DIFFERS(b.target = (const uint8_t *)"t"; b.target_len = 1);
    DIFFERS(b.nattributes--);
    DIFFERS(attributes[0].name = "user.c");
    DIFFERS(attributes[0].value = (const uint8_t *)"w");
    DIFFERS(attributes[0].len = 0);
    DIFFERS(attributes[1].id.b[31]++);
    DIFFERS(attributes[1].external = false);
    DIFFERS(b.nsegments--);
    DIFFERS(segments[0].length++);
    DIFFERS(segments[0].id.b[31]++);
    DIFFERS(segments[1].hole = false);
    DIFFERS(b.has_list = true; b.nsegments = 0);
#undef DIFFERS
}

static void
same_content(void **state)
{
    struct sp_entry a = plain(), b = plain();

    (void)state;
    b.mode = 0;
    b.mtime_ns = 50;
    b.nattributes = 0;
    assert_true(sp_entry_same_content(&a, &b));
    b.nsegments = 2;
    assert_false(sp_entry_same_content(&a, &b));
    a = plain();
    b = plain();
    a.has_list = b.has_list = true;
    a.nsegments = b.nsegments = 0;
    a.list.b[0] = b.list.b[0] = 9;
    assert_true(sp_entry_same_content(&a, &b));
    b.list.b[31] = 1;
    assert_false(sp_entry_same_content(&a, &b));
}

static void
content_hash(void **state)
{
    /* docs/format.md §10: u64 length ‖ id, or zeros for a hole. */
    struct sp_entry a = plain();
    uint8_t bytes[3 * 40] = {0}, want[32], got[32];

    (void)state;
    bytes[0] = 10;
    bytes[8] = 1;
    bytes[40] = 5;
    bytes[80] = 7;
    bytes[88] = 2;
    ok(sp_sha256(bytes, sizeof bytes, want, &err));
    ok(sp_entry_content_hash(&a, got, &err));
    assert_memory_equal(got, want, 32);

    a.nsegments = 0;
    a.has_list = true;
    a.list.b[5] = 6;
    memset(bytes, 0, sizeof bytes);
    bytes[0] = 22;
    bytes[13] = 6;
    ok(sp_sha256(bytes, 40, want, &err));
    ok(sp_entry_content_hash(&a, got, &err));
    assert_memory_equal(got, want, 32);

    a.size = 12;
    a.extra = 10;
    ok(sp_entry_content_hash(&a, got, &err));
    assert_memory_equal(got, want, 32);

    a.has_list = false;
    ok(sp_sha256(bytes, 0, want, &err));
    ok(sp_entry_content_hash(&a, got, &err));
    assert_memory_equal(got, want, 32);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_copy_owns_everything),
        cmocka_unit_test(unchanged),
        cmocka_unit_test(same),
        cmocka_unit_test(same_content),
        cmocka_unit_test(content_hash),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
