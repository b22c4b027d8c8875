/* Reparse points, extended attributes, object ids, EFS, the USN journal. */
#include <stdlib.h>
#include <string.h>

#include "conformance.h"

#define FS p->fs->self

/* Symlinks: header, 12 bytes, then both names; mount points 8 bytes, and each name with its NUL. */
static void
link_buffer(struct sp_buf *b, uint32_t tag, const char *target, bool relative)
{
    const size_t n = 2 * strlen(target), end = tag == NTFS_TAG_SYMLINK ? 0 : 2;

    sp_buf_reset(b);
    sp_buf_put_u32(b, tag);
    sp_buf_put_u16(b, (uint16_t)((end == 0 ? 12 : 8) + 2 * (n + end)));
    sp_buf_put_u16(b, 0);
    sp_buf_put_u16(b, 0);
    sp_buf_put_u16(b, (uint16_t)n);
    sp_buf_put_u16(b, (uint16_t)(n + end));
    sp_buf_put_u16(b, (uint16_t)n);
    if (end == 0)
        sp_buf_put_u32(b, relative ? 1 : 0);
    for (int twice = 0; twice < 2; twice++) {
        for (const char *c = target; *c != '\0'; c++)
            sp_buf_put_u16(b, (uint8_t)*c);
        sp_buf_put_zero(b, end);
    }
}

static enum outcome
point(struct place *p, const char *name, bool folder, const struct sp_buf *b, struct sp_buf *got)
{
    struct sp_ntfs_info info;
    struct sp_ntfs_handle *h;
    uint8_t header[8] = {0};

    OK(p->fs->create_at(FS, p->dir, name, folder, 0, NULL, 0, &h, &p->e));
    enum sp_code rc = control(p, h, FSCTL_SP_SET_REPARSE, b->data, b->len, got);
    if (rc == SP_OK)
        rc = control(p, h, FSCTL_SP_GET_REPARSE, NULL, 0, got);
    OK(closed(p, h));
    HERE(rc);
    CHECK(got->len == b->len && memcmp(got->data, b->data, b->len) == 0);
    /* It is opened itself, never what it names. */
    OK(info_of(p, name, &info));
    CHECK((info.attributes & NTFS_REPARSE) != 0 && info.reparse_tag == sp_le32(b->data));
    CHECK(((info.attributes & NTFS_DIRECTORY) != 0) == folder);
    OK(opened(p, name, NTFS_WRITE, &h));
    memcpy(header, b->data, 4);
    header[0] ^= 1; /* another tag */
    CHECK(control(p, h, FSCTL_SP_DELETE_REPARSE, header, 8, got) == SP_INVALID);
    header[0] ^= 1;
    OK(control(p, h, FSCTL_SP_DELETE_REPARSE, header, 8, got));
    CHECK(control(p, h, FSCTL_SP_GET_REPARSE, NULL, 0, got) == SP_ABSENT);
    OK(closed(p, h));
    return WORKS;
}

static enum outcome
with_buffer(struct place *p, uint32_t tag, const char *target, bool folder)
{
    struct sp_buf b = SP_BUF_INIT, got = SP_BUF_INIT;

    link_buffer(&b, tag, target, target[0] != '\\');
    enum outcome was = point(p, "point", folder, &b, &got);
    if (was == WORKS) { /* what is malformed is refused */
        struct sp_ntfs_handle *h;
        OK(p->fs->create_at(FS, p->dir, "bad", folder, 0, NULL, 0, &h, &p->e));
        b.data[4]++;
        if (control(p, h, FSCTL_SP_SET_REPARSE, b.data, b.len, &got) != SP_INVALID)
            was = broken(p, __FILE__, __LINE__, "a malformed buffer is invalid");
        OK(closed(p, h));
    }
    sp_buf_free(&b);
    sp_buf_free(&got);
    return was;
}

static enum outcome
symlinks(struct place *p)
{
    KEPT((p->may & NTFS_MAY_LINK) != 0);
    return with_buffer(p, NTFS_TAG_SYMLINK, "..\\some where", false);
}

static enum outcome
junctions(struct place *p)
{
    return with_buffer(p, NTFS_TAG_MOUNT_POINT, "\\?\?\\C:\\nowhere at all", true);
}

static enum outcome
full_folder(struct place *p)
{
    struct sp_buf b = SP_BUF_INIT, got = SP_BUF_INIT;
    struct sp_ntfs_handle *h, *in;

    OK(p->fs->create_at(FS, p->dir, "full", true, 0, NULL, 0, &h, &p->e));
    OK(p->fs->create_at(FS, h, "in", false, 0, NULL, 0, &in, &p->e));
    OK(closed(p, in));
    link_buffer(&b, NTFS_TAG_MOUNT_POINT, "\\?\?\\C:\\nowhere", false);
    const enum sp_code rc = control(p, h, FSCTL_SP_SET_REPARSE, b.data, b.len, &got);
    OK(closed(p, h));
    sp_buf_free(&b);
    sp_buf_free(&got);
    KEPT(rc != SP_UNSUPPORTED);
    CHECK(rc == SP_EXISTS);
    return WORKS;
}

static enum outcome
wsl_links(struct place *p)
{
    static const char lx[] = "\x1D\0\0\xA0\x0A\0\0\0\2\0\0\0target"; /* version 2, UTF-8 */
    struct sp_buf b = SP_BUF_INIT, got = SP_BUF_INIT;

    sp_buf_put(&b, lx, sizeof lx - 1);
    const enum outcome was = point(p, "lx", false, &b, &got);
    sp_buf_free(&b);
    sp_buf_free(&got);
    return was;
}

static void
ea_buffer(struct sp_buf *b, const char *name, const char *value)
{
    sp_buf_reset(b);
    sp_buf_put_u32(b, 0);
    sp_buf_put_u8(b, 0);
    sp_buf_put_u8(b, (uint8_t)strlen(name));
    sp_buf_put_u16(b, (uint16_t)strlen(value));
    sp_buf_put(b, name, strlen(name) + 1);
    sp_buf_put_str(b, value);
}

static enum outcome
ea_steps(struct place *p, struct sp_ntfs_handle *h, struct sp_buf *b, struct sp_buf *got)
{
    struct sp_ntfs_info info;

    HERE(p->fs->eas(FS, h, got, &p->e));
    CHECK(got->len == 0);
    ea_buffer(b, "User.One", "value");
    HERE(p->fs->set_eas(FS, h, b->data, b->len, &p->e));
    OK(p->fs->eas(FS, h, got, &p->e));
    KEPT(got->len >= 22 && memcmp(got->data + 8, "USER.ONE\0value", 14) == 0);
    OK(p->fs->info(FS, h, &info, &p->e));
    CHECK(info.ea_size > 0);
    ea_buffer(b, "SECOND", "2");
    OK(p->fs->set_eas(FS, h, b->data, b->len, &p->e));
    ea_buffer(b, "user.one", "");
    OK(p->fs->set_eas(FS, h, b->data, b->len, &p->e));
    OK(p->fs->eas(FS, h, got, &p->e));
    CHECK(got->len >= 16 && sp_le32(got->data) == 0 &&
          memcmp(got->data + 8,
              "SECOND\0"
              "2",
              8) == 0);
    b->data[6] = 200; /* longer than it is */
    CHECK(p->fs->set_eas(FS, h, b->data, b->len, &p->e) == SP_INVALID);
    return WORKS;
}

static enum outcome
eas(struct place *p)
{
    struct sp_buf b = SP_BUF_INIT, got = SP_BUF_INIT;
    struct sp_ntfs_handle *h;

    OK(make_file(p, "file", "x", &h));
    const enum outcome was = ea_steps(p, h, &b, &got);
    OK(closed(p, h));
    sp_buf_free(&b);
    sp_buf_free(&got);
    return was;
}

static enum outcome
id_steps(struct place *p, struct sp_ntfs_handle *a, struct sp_ntfs_handle *b, struct sp_buf *got)
{
    struct sp_ntfs_info info;
    uint8_t id[64] = "stillpoint:";

    OK(p->fs->info(FS, a, &info, &p->e));
    sp_store_le64(id + 48, info.file_id); /* so that a second run does not meet the first one's */
    memcpy(id + 8, id + 48, 8);
    const enum sp_code rc = control(p, a, FSCTL_SP_GET_OBJECT_ID, NULL, 0, got);
    KEPT(rc != SP_UNSUPPORTED);
    CHECK(rc == SP_ABSENT);
    HERE(control(p, a, FSCTL_SP_SET_OBJECT_ID, id, 64, got));
    OK(control(p, a, FSCTL_SP_GET_OBJECT_ID, NULL, 0, got));
    CHECK(got->len == 64 && memcmp(got->data, id, 64) == 0);
    CHECK(control(p, a, FSCTL_SP_SET_OBJECT_ID, id, 64, got) == SP_EXISTS);
    CHECK(control(p, b, FSCTL_SP_SET_OBJECT_ID, id, 64, got) == SP_EXISTS);
    return WORKS;
}

static enum outcome
object_ids(struct place *p)
{
    struct sp_buf got = SP_BUF_INIT;
    struct sp_ntfs_handle *a, *b;

    KEPT((p->may & NTFS_MAY_RESTORE) != 0);
    OK(make_file(p, "a", "x", &a));
    OK(make_file(p, "b", "x", &b));
    const enum outcome was = id_steps(p, a, b, &got);
    OK(closed(p, a));
    OK(closed(p, b));
    sp_buf_free(&got);
    return was;
}

static enum sp_code
take(void *arg, const void *data, size_t n, struct sp_err *e)
{
    struct sp_buf *b = arg;

    sp_buf_put(b, data, n);
    return sp_buf_ok(b, e);
}

struct giving {
    const struct sp_buf *from;
    size_t at;
};

static enum sp_code
give(void *arg, void *to, size_t n, size_t *ret_n, struct sp_err *e)
{
    struct giving *g = arg;
    const size_t left = g->from->len - g->at;

    (void)e;
    *ret_n = n < left ? n : left;
    memcpy(to, g->from->data + g->at, *ret_n);
    g->at += *ret_n;
    return SP_OK;
}

static enum outcome
efs(struct place *p)
{
    struct sp_buf raw = SP_BUF_INIT;
    struct giving g = {&raw, 0};
    struct sp_ntfs_handle *h;
    struct sp_ntfs_info info = {0};
    enum sp_code rc;

    HERE(p->fs->create_at(FS, p->dir, "secret", false, NTFS_ENCRYPTED, NULL, 0, &h, &p->e));
    OK(p->fs->write(FS, h, 0, "secret", 6, &p->e));
    OK(closed(p, h));
    OK(info_of(p, "secret", &info));
    KEPT((info.attributes & NTFS_ENCRYPTED) != 0);
    rc = p->fs->efs_export(FS, p->dir, "secret", take, &raw, &p->e);
    if (rc == SP_OK)
        rc = p->fs->efs_import(FS, p->dir, "again", false, give, &g, &p->e);
    g.at = 0;
    const enum sp_code twice =
        rc == SP_OK ? p->fs->efs_import(FS, p->dir, "again", false, give, &g, &p->e) : SP_EXISTS;
    sp_buf_free(&raw);
    HERE(rc);
    CHECK(twice == SP_EXISTS);
    OK(info_of(p, "again", &info));
    CHECK((info.attributes & NTFS_ENCRYPTED) != 0 && holds(p, "again", "secret"));
    return WORKS;
}

/* The record of a file's last change. */
static enum outcome
usn_data(struct place *p)
{
    struct sp_buf got = SP_BUF_INIT;
    struct sp_ntfs_handle *h;
    struct sp_ntfs_info info = {0};

    OK(make_file(p, "file", "x", &h));
    OK(closed(p, h));
    OK(opened(p, "file", NTFS_READ, &h));
    enum sp_code rc = control(p, h, FSCTL_SP_READ_FILE_USN_DATA, NULL, 0, &got);
    if (rc == SP_OK)
        rc = p->fs->info(FS, h, &info, &p->e);
    OK(closed(p, h));
    const bool good = rc == SP_OK && got.len >= 68 && sp_le16(got.data + 4) == 2 &&
                      sp_le64(got.data + 8) == info.file_id && sp_le16(got.data + 56) == 8 &&
                      sp_le64(got.data + 24) > 0;
    sp_buf_free(&got);
    HERE(rc);
    CHECK(good);
    return WORKS;
}

const struct feature features_more[] = {{"symlinks", NTFS_FS_REPARSE, symlinks},
    {"junctions", NTFS_FS_REPARSE, junctions},
    {"reparse-full-folder", NTFS_FS_REPARSE, full_folder},
    {"wsl-links", NTFS_FS_REPARSE, wsl_links}, {"extended-attributes", NTFS_FS_EAS, eas},
    {"object-ids", NTFS_FS_OBJECT_IDS, object_ids}, {"efs", NTFS_FS_ENCRYPTION, efs},
    {"usn-data", NTFS_FS_USN, usn_data}, {NULL, 0, NULL}};
