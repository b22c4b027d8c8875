/* What an entry of Windows is in words. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "client/ntfs_meta.h"
#include "client/present_windows.h"
#include "tests/unit/base/support.h"

static void
shows(const struct sp_entry *en, const char *want)
{
    struct sp_buf b = SP_BUF_INIT;

    sp_windows_show(en, &b);
    assert_string_equal(sp_buf_str(&b), want);
    sp_buf_free(&b);
}

static void
tells(const struct sp_entry *en, const char *want)
{
    struct sp_buf b = SP_BUF_INIT;
    struct sp_json j;

    sp_json_init(&j, &b);
    sp_json_object(&j);
    sp_windows_json(en, &j);
    sp_json_object_end(&j);
    assert_string_equal(sp_buf_str(&b), want);
    sp_buf_free(&b);
}

static void
words(void **state)
{
    struct sp_buf table = SP_BUF_INIT;
    const struct sp_ntfs_part parts[] = {
        {NTFS_PART_STREAM, "big\x1b[2J", 100000}, {NTFS_PART_STREAM, "x", 1}};
    struct sp_attribute a[] = {
        {.name = WINDOWS_ATTRIBUTES, .value = (const uint8_t *)"\x26\x08\0\0", .len = 4},
        {.name = WINDOWS_CASE, .value = (const uint8_t *)"\1", .len = 1},
        {.name = WINDOWS_STREAM "Zone.Identifier",
            .value = (const uint8_t *)"0123456789",
            .len = 10},
        {.name = WINDOWS_STREAM "long", .external = true}, {.name = WINDOWS_STREAMS}};
    struct sp_entry en = {.type = SP_ENTRY_FILE,
        .flags = SP_ENTRY_WINDOWS,
        .attributes = a,
        .nattributes = 1,
        .user = "",
        .group = ""};

    (void)state;
    shows(&en, "hidden, system, compressed");
    assert_false(sp_windows_is_elsewhere(&en));
    assert_ok(sp_ntfs_parts_encode(parts, 2, &table, e));
    a[4].value = table.data;
    a[4].len = table.len;
    en.nattributes = 5;
    en.extra = 100001;
    shows(&en,
        "hidden, system, compressed, case-sensitive; streams: Zone.Identifier (10 bytes), long "
        "(up to 64 KiB), big\\x1b[2J (100000 bytes), x (1 byte)");
    tells(&en,
        "{\"windows\":{\"file_attributes\":2086,\"attributes\":[\"hidden\",\"system\",\"archive\","
        "\"compressed\"],\"extra\":100001,\"streams\":[{\"name\":\"Zone.Identifier\",\"size\":10},"
        "{\"name\":\"long\"},{\"name\":\"big\\u001b[2J\",\"size\":100000},{\"name\":\"x\",\"size\":"
        "1}]}}");
    /* A table that is a lie, or not here. */
    en.extra = 77;
    shows(&en,
        "hidden, system, compressed, case-sensitive; streams: Zone.Identifier (10 bytes), long "
        "(up to 64 KiB), others (77 bytes together)");
    a[4].external = true;
    en.nattributes = 0;
    shows(&en, "");
    en.attributes = &a[4];
    en.nattributes = 1;
    shows(&en, "streams: others (77 bytes together)");
    en.flags = 0;
    shows(&en, "");
    tells(&en, "{}");
    sp_buf_free(&table);
}

static void
elsewhere(void **state)
{
    struct sp_buf table = SP_BUF_INIT;
    const struct sp_ntfs_part efs = {NTFS_PART_EFS, "", 5000};
    struct sp_attribute a[] = {
        {.name = WINDOWS_ATTRIBUTES, .value = (const uint8_t *)"\0\x14\x40\0", .len = 4},
        {.name = WINDOWS_REPARSE, .value = (const uint8_t *)"\x1a\0\0\x90\0\0\0\0", .len = 8}};
    struct sp_attribute raw[] = {
        {.name = WINDOWS_ATTRIBUTES, .value = (const uint8_t *)"\0\x40\0\0", .len = 4},
        {.name = WINDOWS_STREAMS}};
    struct sp_entry en = {.type = SP_ENTRY_FILE,
        .flags = SP_ENTRY_WINDOWS | SP_ENTRY_AWAY,
        .attributes = a,
        .nattributes = 2,
        .user = "",
        .group = ""};

    (void)state;
    assert_true(sp_windows_is_elsewhere(&en));
    shows(&en, "offline, placeholder, its content is elsewhere; reparse point 9000001a");
    tells(&en,
        "{\"windows\":{\"file_attributes\":4199424,\"attributes\":[\"reparse-point\",\"offline\","
        "\"recall-on-data-access\"],\"streams\":[],\"elsewhere\":true}}");
    assert_ok(sp_ntfs_parts_encode(&efs, 1, &table, e));
    raw[1].value = table.data;
    raw[1].len = table.len;
    en.attributes = raw;
    en.extra = 5000;
    assert_false(sp_windows_is_elsewhere(&en));
    shows(&en, "encrypted, kept as EFS stores it (5000 bytes)");
    tells(&en,
        "{\"windows\":{\"file_attributes\":16384,\"attributes\":[\"encrypted\"],\"extra\":5000,"
        "\"streams\":[],\"efs_bytes\":5000}}");
    en.extra = 4999; /* then it is not what it says */
    assert_true(sp_windows_is_elsewhere(&en));
    sp_buf_free(&table);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words),
        cmocka_unit_test(elsewhere),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
