/* stillpoint with made-up files of Windows in the place of this system's, for make.sh: what a
 * backup of NTFS puts into a repository, made where there is none. GOLDEN_SECOND=1: what the second
 * set finds. */

#include <stdlib.h>

#include "client/ntfs_meta.h"
#include "tests/unit/client/fake_source.h"

#define TIME INT64_C(987654321123456700) /* in ticks of 100 ns */
#define ZONE "[ZoneTransfer]\r\nZoneId=3\r\n"
#define NAMED(n, v)                                                                                \
    {                                                                                              \
        .name = n, .value = (const uint8_t *)(v), .len = sizeof(v) - 1                             \
    }
/* Owner and group are Administrators, no DACL: MS-DTYP 2.4.6 */
#define SID "\1\2\0\0\0\0\0\5\x20\0\0\0\x20\2\0\0"
#define SECURITY "\1\0\0\x80\x14\0\0\0\x24\0\0\0\0\0\0\0\0\0\0\0" SID SID
#define CLOUD "\x1a\x90\0\x90\4\0\0\0\1\2\3\4" /* IO_REPARSE_TAG_CLOUD_9, opaque data */
#define LONG_EA 5000

static uint8_t streams[256], efs[32], ea[LONG_EA];
static struct sp_attribute plain[] = {NAMED(WINDOWS_ATTRIBUTES, "\x26\x08\0\0"),
    NAMED(WINDOWS_SECURITY, SECURITY), NAMED(WINDOWS_SHORT_NAME, "PLAIN~1.TXT"),
    NAMED(WINDOWS_STREAM "Zone.Identifier", ZONE)};
static struct sp_attribute folder[] = {NAMED(WINDOWS_ATTRIBUTES, "\x10\0\0\0"),
    NAMED(WINDOWS_CASE, "\1"), {.name = WINDOWS_EA, .value = ea, .len = sizeof(ea)}};
static struct sp_attribute parts[] = {
    NAMED(WINDOWS_ATTRIBUTES, "\x20\2\0\0"), {.name = WINDOWS_STREAMS, .value = streams}};
static struct sp_attribute cloud[] = {
    NAMED(WINDOWS_ATTRIBUTES, "\x20\x16\x40\0"), NAMED(WINDOWS_REPARSE, CLOUD)};
static struct sp_attribute raw[] = {
    NAMED(WINDOWS_ATTRIBUTES, "\x20\x40\0\0"), {.name = WINDOWS_STREAMS, .value = efs}};
static const struct fake_extent sparse[] = {{700000, false}, {1 << 20, true}, {100, false},
    {300000, false}, {65536, true}, {100000, false}, {1 << 20, true}};

#define FILE_OF(p, s, x, a)                                                                        \
    {                                                                                              \
        .path = p, .type = SP_ENTRY_FILE, .flags = SP_ENTRY_WINDOWS, .links = 1, .size = s,        \
        .extra = x, .mtime_ns = TIME, .btime_ns = TIME - 1000, .atime_ns = TIME + 1000,            \
        .file_id = sizeof(p), .seed = 3, .extra_seed = 4, .attributes = a,                         \
        .nattributes = sizeof(a) / sizeof((a)[0])                                                  \
    }
static struct fake_object objects[] = {
    {.path = "Folder",
        .type = SP_ENTRY_DIR,
        .flags = SP_ENTRY_WINDOWS,
        .links = 1,
        .mtime_ns = TIME,
        .btime_ns = TIME - 1000,
        .atime_ns = TIME + 1000,
        .file_id = 40,
        .attributes = folder,
        .nattributes = 3},
    FILE_OF("Folder/cloud", 12345678, 0, cloud),
    FILE_OF("Folder/encrypted", 5000, 90000, raw),
    FILE_OF("Folder/streams", 700000 + (1 << 20) + 100, 300000 + 65536 + 100000 + (1 << 20), parts),
    FILE_OF("plain text.txt", 1000, 0, plain),
    FILE_OF("second", 40, 0, plain),
};

static void
put_parts(
    struct sp_attribute *to, uint8_t *room, size_t size, const struct sp_ntfs_part *v, size_t n)
{
    struct sp_buf b = SP_BUF_INIT;
    struct sp_err e = {0};

    if (sp_ntfs_parts_encode(v, n, &b, &e) != SP_OK || b.len > size)
        abort();
    for (size_t i = 0; i < b.len; i++)
        room[i] = b.data[i];
    to->len = b.len;
    sp_buf_free(&b);
}

__attribute__((constructor)) static void
make(void)
{
    const struct sp_ntfs_part two[] = {{NTFS_PART_STREAM, "long", 300000 + 65536 + 100000},
        {NTFS_PART_STREAM, "h\xc3\xb6hle", 1 << 20}};
    const struct sp_ntfs_part one = {NTFS_PART_EFS, "", 90000};
    size_t n = sizeof(objects) / sizeof(objects[0]);

    put_parts(&parts[1], streams, sizeof(streams), two, 2);
    put_parts(&raw[1], efs, sizeof(efs), &one, 1);
    /* One FILE_FULL_EA_INFORMATION: no next, no flags, "N", the rest its value. */
    ea[5] = 1;
    ea[6] = (LONG_EA - 10) & 0xff;
    ea[7] = (LONG_EA - 10) >> 8;
    ea[8] = 'N';
    for (size_t i = 10; i < sizeof(ea); i++)
        ea[i] = (uint8_t)(i * 7);
    objects[1].flags |= SP_ENTRY_AWAY;
    objects[2].flags |= SP_ENTRY_AWAY;
    objects[3].extents = sparse;
    objects[3].nextents = 7;
    fake_source_set(objects, getenv("GOLDEN_SECOND") != NULL ? n : n - 1);
}
