/* Attributes, times, access rights. */
#include <stdlib.h>
#include <string.h>

#include "conformance.h"

#define FS p->fs->self

static enum outcome
attributes(struct place *p)
{
    const uint32_t all = NTFS_READONLY | NTFS_HIDDEN | NTFS_SYSTEM | NTFS_ARCHIVE;
    struct sp_ntfs_info to = {.attributes = all}, info;
    struct sp_ntfs_handle *h;

    OK(make_file(p, "file", "x", &h));
    OK(p->fs->info(FS, h, &info, &p->e));
    CHECK((info.attributes & NTFS_ARCHIVE) != 0);
    OK(p->fs->set_basic(FS, h, &to, &p->e));
    OK(closed(p, h));
    OK(info_of(p, "file", &info));
    CHECK((info.attributes & all) == all);
    OK(opened(p, "file", NTFS_CHANGE, &h));
    to.attributes = NTFS_NORMAL;
    OK(p->fs->set_basic(FS, h, &to, &p->e));
    OK(p->fs->info(FS, h, &info, &p->e));
    CHECK((info.attributes & (NTFS_READONLY | NTFS_HIDDEN | NTFS_SYSTEM)) == 0);
    OK(closed(p, h));
    return WORKS;
}

/* No privilege lifts it. */
static enum outcome
read_only(struct place *p)
{
    const struct sp_ntfs_info to = {.attributes = NTFS_READONLY};
    struct sp_ntfs_handle *h;

    OK(make_file(p, "file", "x", &h));
    OK(p->fs->set_basic(FS, h, &to, &p->e));
    OK(p->fs->write(FS, h, 0, "y", 1, &p->e)); /* it may be written by who had it open */
    OK(closed(p, h));
    CHECK(holds(p, "file", "y"));
    const enum sp_code rc = opened(p, "file", NTFS_WRITE, &h);
    if (rc == SP_OK)
        OK(closed(p, h));
    KEPT(rc != SP_OK);
    CHECK(rc == SP_DENIED);
    return WORKS;
}

/* Those that are kept nowhere but in NTFS and its kin. */
static enum outcome
more_attributes(struct place *p)
{
    const struct sp_ntfs_info to = {.attributes = NTFS_NOT_INDEXED | NTFS_TEMPORARY};
    struct sp_ntfs_info info;
    struct sp_ntfs_handle *h;

    OK(make_file(p, "file", "x", &h));
    OK(p->fs->set_basic(FS, h, &to, &p->e));
    OK(closed(p, h));
    OK(info_of(p, "file", &info));
    KEPT((info.attributes & to.attributes) == to.attributes);
    OK(p->fs->create_at(
        FS, p->dir, "born", false, NTFS_HIDDEN | NTFS_NOT_INDEXED, NULL, 0, &h, &p->e));
    OK(closed(p, h));
    OK(info_of(p, "born", &info));
    CHECK((info.attributes & (NTFS_HIDDEN | NTFS_NOT_INDEXED)) == (NTFS_HIDDEN | NTFS_NOT_INDEXED));
    return WORKS;
}

/* An even number of seconds, so that every file system can keep them; `odd` needs 100 ns. */
#define TIME INT64_C(131000000000000000)
#define ODD (TIME + 1234567)

static enum outcome
one_time(struct place *p, struct sp_ntfs_info to, size_t field, bool folder)
{
    struct sp_ntfs_info info = {0};
    struct sp_ntfs_handle *h;
    int64_t want, got;

    OK(p->fs->create_at(FS, p->dir, folder ? "d" : "f", folder, 0, NULL, 0, &h, &p->e));
    OK(closed(p, h));
    OK(opened(p, folder ? "d" : "f", NTFS_CHANGE, &h));
    OK(p->fs->set_basic(FS, h, &to, &p->e));
    OK(closed(p, h));
    OK(info_of(p, folder ? "d" : "f", &info));
    memcpy(&want, (const char *)&to + field, sizeof want);
    memcpy(&got, (const char *)&info + field, sizeof got);
    KEPT(want == got);
    return WORKS;
}

static enum outcome
file_and_folder(struct place *p, struct sp_ntfs_info to, size_t field)
{
    const enum outcome was = one_time(p, to, field, false);

    return was == WORKS ? one_time(p, to, field, true) : was;
}

static enum outcome
mtime(struct place *p)
{
    return file_and_folder(
        p, (struct sp_ntfs_info){.mtime = TIME}, offsetof(struct sp_ntfs_info, mtime));
}

static enum outcome
mtime_exact(struct place *p)
{
    return file_and_folder(
        p, (struct sp_ntfs_info){.mtime = ODD}, offsetof(struct sp_ntfs_info, mtime));
}

static enum outcome
atime(struct place *p)
{
    return file_and_folder(
        p, (struct sp_ntfs_info){.atime = ODD}, offsetof(struct sp_ntfs_info, atime));
}

static enum outcome
btime(struct place *p)
{
    return file_and_folder(
        p, (struct sp_ntfs_info){.btime = ODD}, offsetof(struct sp_ntfs_info, btime));
}

static enum outcome
ctime_(struct place *p)
{
    return file_and_folder(
        p, (struct sp_ntfs_info){.ctime = ODD}, offsetof(struct sp_ntfs_info, ctime));
}

/* A time that a handle has set is not touched by its own writes; by another's it is. */
static enum outcome
time_holds(struct place *p)
{
    const struct sp_ntfs_info to = {.mtime = TIME};
    struct sp_ntfs_info info;
    struct sp_ntfs_handle *h;

    OK(make_file(p, "file", "x", &h));
    OK(p->fs->set_basic(FS, h, &to, &p->e));
    OK(p->fs->write(FS, h, 0, "yy", 2, &p->e));
    OK(closed(p, h));
    OK(info_of(p, "file", &info));
    KEPT(info.mtime == TIME);
    OK(opened(p, "file", NTFS_WRITE, &h));
    OK(p->fs->write(FS, h, 0, "zzz", 3, &p->e));
    OK(closed(p, h));
    OK(info_of(p, "file", &info));
    CHECK(info.mtime != TIME);
    return WORKS;
}

/* --- access rights: descriptors by hand
 * ----------------------------------------------------------- */

#define SYSTEM_SID "\1\1\0\0\0\0\0\5\x12\0\0\0"
#define EVERYONE_SID "\1\1\0\0\0\0\0\1\0\0\0\0"

static void
put_ace(struct sp_buf *b, uint8_t type, uint8_t flags, uint32_t mask, const char *sid)
{
    sp_buf_put_u8(b, type);
    sp_buf_put_u8(b, flags);
    sp_buf_put_u16(b, 20);
    sp_buf_put_u32(b, mask);
    sp_buf_put(b, sid, 12);
}

/* A DACL: everyone everything, SYSTEM to read (inherited, when `inherited`), or a SACL with one
 * audit ACE. */
static void
descriptor(struct sp_buf *b, uint16_t control, bool sacl, uint8_t flags)
{
    sp_buf_reset(b);
    sp_buf_put_u8(b, 1);
    sp_buf_put_u8(b, 0);
    sp_buf_put_u16(b, (uint16_t)(control | 0x8000 | (sacl ? 0x10 : 4)));
    sp_buf_put_u32(b, 0);
    sp_buf_put_u32(b, 0);
    sp_buf_put_u32(b, sacl ? 20 : 0);
    sp_buf_put_u32(b, sacl ? 0 : 20);
    sp_buf_put_u8(b, 2);
    sp_buf_put_u8(b, 0);
    sp_buf_put_u16(b, (uint16_t)(8 + 20 * (sacl ? 1 : 2)));
    sp_buf_put_u16(b, sacl ? 1 : 2);
    sp_buf_put_u16(b, 0);
    if (sacl) {
        put_ace(b, 2, 0x40 | flags, 0x10000, EVERYONE_SID); /* who deletes it */
        return;
    }
    put_ace(b, 0, flags, 0x1F01FF, EVERYONE_SID);
    put_ace(b, 0, flags | ((control & 0x1000) != 0 ? 0 : 0x10), 0x120089, SYSTEM_SID);
}

/* The ACL at `field` (12: SACL, 16: DACL) of a descriptor; empty: none. */
static bool
same_acl(const struct sp_buf *got, const struct sp_buf *want, size_t field)
{
    const uint32_t g = got->len >= 20 ? sp_le32(got->data + field) : 0,
                   w = sp_le32(want->data + field);

    if (g == 0 || g + 8 > got->len)
        return false;
    const size_t n = sp_le16(want->data + w + 2);
    return sp_le16(got->data + g + 2) == n && g + n <= got->len &&
           memcmp(got->data + g, want->data + w, n) == 0;
}

static enum outcome
set_and_get(struct place *p, const struct sp_buf *want, struct sp_buf *got, bool sacl)
{
    struct sp_ntfs_handle *h;
    enum sp_code rc;

    OK(made(p, "file", "x"));
    OK(opened(p, "file", NTFS_CHANGE, &h));
    rc = p->fs->set_security(FS, h, want->data, want->len, false, !sacl, sacl, &p->e);
    if (rc == SP_OK)
        rc = p->fs->security(FS, h, got, &p->e);
    OK(closed(p, h));
    HERE(rc);
    KEPT(same_acl(got, want, sacl ? 12 : 16));
    return WORKS;
}

/* Protected, and not: with inherited ACEs exactly as they were in it. */
static enum outcome
dacl(struct place *p)
{
    struct sp_buf want = SP_BUF_INIT, got = SP_BUF_INIT;
    enum outcome was;

    descriptor(&want, 0x1000, false, 0);
    was = set_and_get(p, &want, &got, false);
    if (was == WORKS && (sp_le16(got.data + 2) & 0x1000) == 0)
        was = not_kept(p, __FILE__, __LINE__, "protected");
    if (was == WORKS) {
        struct sp_ntfs_handle *h;
        OK(opened(p, "file", NTFS_CHANGE, &h));
        OK(p->fs->remove(FS, h, &p->e));
        OK(closed(p, h));
        descriptor(&want, 0x400, false, 0);
        was = set_and_get(p, &want, &got, false);
        if (was == WORKS)
            CHECK((sp_le16(got.data + 2) & 0x1400) == 0x400);
    }
    sp_buf_free(&want);
    sp_buf_free(&got);
    return was;
}

static enum outcome
sacl(struct place *p)
{
    struct sp_buf want = SP_BUF_INIT, got = SP_BUF_INIT;

    KEPT((p->may & NTFS_MAY_SECURITY) != 0);
    descriptor(&want, 0x2000, true, 0);
    const enum outcome was = set_and_get(p, &want, &got, true);
    sp_buf_free(&want);
    sp_buf_free(&got);
    return was;
}

/* A folder's inheritable ACEs come to what is made in it, marked so. */
static enum outcome
inherited(struct place *p, struct sp_ntfs_handle *dir, struct sp_buf *want, struct sp_buf *got)
{
    struct sp_ntfs_handle *h;
    struct sp_buf plain = SP_BUF_INIT;

    descriptor(want, 0x1000, false, 3); /* OBJECT_INHERIT, CONTAINER_INHERIT */
    HERE(p->fs->set_security(FS, dir, want->data, want->len, false, true, false, &p->e));
    OK(p->fs->create_at(FS, dir, "in", false, 0, NULL, 0, &h, &p->e));
    OK(p->fs->security(FS, h, got, &p->e));
    OK(closed(p, h));
    descriptor(&plain, 0x1000, false, 0x10); /* INHERITED_ACE */
    const bool same = same_acl(got, &plain, 16);
    /* One that brings its own is as it says from the first instant. */
    descriptor(&plain, 0x1000, false, 0);
    const enum sp_code rc =
        p->fs->create_at(FS, dir, "own", false, 0, plain.data, plain.len, &h, &p->e);
    const bool own =
        rc == SP_OK && p->fs->security(FS, h, got, &p->e) == SP_OK && same_acl(got, &plain, 16);
    if (rc == SP_OK)
        closed(p, h);
    sp_buf_free(&plain);
    KEPT(same);
    KEPT(own);
    return WORKS;
}

static enum outcome
inheritance(struct place *p)
{
    struct sp_buf want = SP_BUF_INIT, got = SP_BUF_INIT;
    struct sp_ntfs_handle *dir;

    OK(p->fs->create_at(FS, p->dir, "dir", true, 0, NULL, 0, &dir, &p->e));
    const enum outcome was = inherited(p, dir, &want, &got);
    OK(closed(p, dir));
    sp_buf_free(&want);
    sp_buf_free(&got);
    return was;
}

static enum outcome
owner(struct place *p)
{
    static const uint8_t to_system[] =
        "\1\0\0\x80\x14\0\0\0\x20\0\0\0\0\0\0\0\0\0\0\0" SYSTEM_SID SYSTEM_SID;
    struct sp_buf got = SP_BUF_INIT;
    struct sp_ntfs_handle *h;
    enum sp_code rc;

    KEPT((p->may & NTFS_MAY_RESTORE) != 0);
    OK(made(p, "file", "x"));
    OK(opened(p, "file", NTFS_CHANGE, &h));
    rc = p->fs->set_security(FS, h, to_system, sizeof to_system - 1, true, false, false, &p->e);
    if (rc == SP_OK)
        rc = p->fs->security(FS, h, &got, &p->e);
    OK(closed(p, h));
    const bool is = rc == SP_OK && got.len > 32 && sp_le32(got.data + 4) + 12 <= got.len &&
                    memcmp(got.data + sp_le32(got.data + 4), SYSTEM_SID, 12) == 0;
    sp_buf_free(&got);
    HERE(rc);
    KEPT(is);
    return WORKS;
}

const struct feature features_meta[] = {{"attributes", 0, attributes}, {"read-only", 0, read_only},
    {"more-attributes", 0, more_attributes}, {"mtime", 0, mtime}, {"mtime-100ns", 0, mtime_exact},
    {"atime", 0, atime}, {"btime", 0, btime}, {"ctime", 0, ctime_}, {"time-holds", 0, time_holds},
    {"dacl", NTFS_FS_ACLS, dacl}, {"sacl", NTFS_FS_ACLS, sacl}, {"owner", NTFS_FS_ACLS, owner},
    {"inheritance", NTFS_FS_ACLS, inheritance}, {NULL, 0, NULL}};
