/* The double where the suite for every table cannot ask: what is injected, what only NTFS does by
 * itself, the journal, the comparer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "client/ntfs_here.h"
#include "double.h"

#define FS fs->self

static struct ntfs_double *d;
static const struct sp_ntfs *fs;
static struct sp_err e;

static int
setup(void **state)
{
    (void)state;
    d = ntfs_double_new();
    ntfs_double_volume(d, "C:/", NTFS_DOUBLE_NTFS);
    ntfs_double_text(d, "C:/dir/file", "content");
    ntfs_double_set_here(d);
    fs = sp_ntfs_here();
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    assert_int_equal(ntfs_double_handles(d), 0);
    ntfs_double_set_here(NULL);
    ntfs_double_free(d);
    return 0;
}

static struct sp_ntfs_handle *
open_path(const char *path, enum sp_ntfs_access access)
{
    struct sp_ntfs_handle *h = NULL;
    assert_int_equal(fs->open_path(FS, path, access, &h, &e), SP_OK);
    return h;
}

static void
shut(struct sp_ntfs_handle *h)
{
    assert_int_equal(fs->close(FS, h, &e), SP_OK);
}

static void
faults(void **state)
{
    struct sp_ntfs_handle *h, *dir = open_path("C:/dir", NTFS_LIST);
    struct sp_ntfs_info info;

    (void)state;
    ntfs_double_busy(d, "C:/dir/file", 2);
    assert_int_equal(fs->open_at(FS, dir, "file", NTFS_ANY, NTFS_LOOK, &h, &e), SP_BUSY);
    assert_int_equal(e.os, 32);
    assert_int_equal(fs->open_at(FS, dir, "file", NTFS_ANY, NTFS_READ, &h, &e), SP_BUSY);
    assert_int_equal(fs->open_at(FS, dir, "file", NTFS_ANY, NTFS_READ, &h, &e), SP_OK);
    const uint64_t before = ntfs_double_calls(d);
    ntfs_double_fail(d, 2, SP_FULL);
    assert_int_equal(fs->info(FS, h, &info, &e), SP_OK);
    assert_int_equal(fs->info(FS, h, &info, &e), SP_FULL);
    assert_int_equal(e.os, 112);
    assert_int_equal(fs->info(FS, h, &info, &e), SP_OK);
    assert_int_equal(ntfs_double_calls(d), before + 3);
    ntfs_double_fail(d, 1, SP_IO);
    assert_int_equal(fs->close(FS, h, &e), SP_IO);
    /* Rights: what the ACL denies, the privilege gives; nothing gives what is denied for good. */
    ntfs_double_deny(d, "C:/dir/file", NTFS_DOUBLE_DENY);
    assert_int_equal(fs->open_at(FS, dir, "file", NTFS_ANY, NTFS_READ, &h, &e), SP_OK);
    shut(h);
    ntfs_double_privileges(d, 0);
    assert_int_equal(fs->open_at(FS, dir, "file", NTFS_ANY, NTFS_READ, &h, &e), SP_DENIED);
    ntfs_double_privileges(d, NTFS_MAY_BACKUP);
    ntfs_double_deny(d, "C:/dir/file", NTFS_DOUBLE_DENY_ALWAYS);
    assert_int_equal(fs->open_at(FS, dir, "file", NTFS_ANY, NTFS_READ, &h, &e), SP_DENIED);
    shut(dir);
}

static void
out_of_space(void **state)
{
    static uint8_t block[65536];
    struct sp_ntfs_handle *h = open_path("C:/dir/file", NTFS_WRITE);

    (void)state;
    ntfs_double_capacity(d, "C:/", ntfs_double_used(d, "C:/") + 65536);
    assert_int_equal(fs->write(FS, h, 65536, block, sizeof block, &e), SP_OK);
    assert_int_equal(fs->write(FS, h, 131072, block, sizeof block, &e), SP_FULL);
    assert_int_equal(fs->resize(FS, h, 1, &e), SP_OK);
    assert_int_equal(fs->write(FS, h, 65536, block, sizeof block, &e), SP_OK);
    shut(h);
}

static void
change_tree(void *arg, struct ntfs_double *of, uint64_t nth, const char *call, const char *path)
{
    (void)nth;
    if (strcmp(call, "open_at") == 0 && strcmp(path, "C:/dir/file") == 0) {
        ntfs_double_remove(of, path);
        ntfs_double_hook(of, NULL, NULL);
        ++*(int *)arg;
    }
}

static void
hook(void **state)
{
    struct sp_ntfs_handle *h, *dir = open_path("C:/dir", NTFS_LIST);
    int called = 0;

    (void)state;
    ntfs_double_hook(d, change_tree, &called);
    assert_int_equal(fs->open_at(FS, dir, "file", NTFS_ANY, NTFS_READ, &h, &e), SP_ABSENT);
    assert_int_equal(called, 1);
    shut(dir);
}

static enum sp_code
size_of(void *arg, const struct sp_ntfs_listed *l, struct sp_err *err)
{
    (void)err;
    if (strcmp(l->name, "other") == 0)
        *(uint64_t *)arg = l->info.size;
    return SP_OK;
}

/* The listing of another name is as old as its last use. */
static void
stale_listing(void **state)
{
    struct sp_ntfs_handle *h, *dir;
    uint64_t size = 99;

    (void)state;
    ntfs_double_link(d, "C:/dir/file", "C:/dir/other");
    ntfs_double_write(d, "C:/dir/file", 0, "longer content", 14);
    dir = open_path("C:/dir", NTFS_LIST);
    assert_int_equal(fs->list(FS, dir, size_of, &size, &e), SP_OK);
    assert_int_equal(size, 7);
    assert_int_equal(fs->open_at(FS, dir, "other", NTFS_ANY, NTFS_LOOK, &h, &e), SP_OK);
    shut(h);
    assert_int_equal(fs->list(FS, dir, size_of, &size, &e), SP_OK);
    assert_int_equal(size, 14);
    shut(dir);
}

static void
tunneling(void **state)
{
    const int64_t long_ago = INT64_C(130000000000000000);
    struct sp_ntfs_info info;

    (void)state;
    ntfs_double_times(d, "C:/dir/file", long_ago, 0, 0, 0);
    ntfs_double_remove(d, "C:/dir/file");
    ntfs_double_text(d, "C:/dir/file", "new");
    ntfs_double_info(d, "C:/dir/file", &info);
    assert_int_equal(info.btime, long_ago);
    ntfs_double_times(d, "C:/dir/file", long_ago, 0, 0, 0);
    ntfs_double_rename(d, "C:/dir/file", "C:/dir/moved");
    ntfs_double_text(d, "C:/dir/temporary", "new");
    ntfs_double_rename(d, "C:/dir/temporary", "C:/dir/file");
    ntfs_double_info(d, "C:/dir/file", &info);
    assert_int_equal(info.btime, long_ago);
    ntfs_double_rename(d, "C:/dir/file", "C:/dir/moved");
    ntfs_double_set_now(d, ntfs_double_now(d) + 16 * NTFS_DOUBLE_SECOND);
    ntfs_double_text(d, "C:/dir/file", "newer");
    ntfs_double_info(d, "C:/dir/file", &info);
    assert_int_not_equal(info.btime, long_ago);
}

static void
placeholders(void **state)
{
    struct sp_ntfs_handle *h, *dir = open_path("C:/dir", NTFS_LIST);
    struct sp_ntfs_info info;
    char byte;
    size_t n;

    (void)state;
    ntfs_double_placeholder(
        d, "C:/dir/cloud", 5000, NTFS_OFFLINE | NTFS_RECALL_ON_DATA, 0x9000001A);
    ntfs_double_placeholder(d, "C:/dir/projected", 5000, NTFS_RECALL_ON_OPEN, 0x9000001C);
    assert_int_equal(fs->open_at(FS, dir, "cloud", NTFS_ANY, NTFS_LOOK, &h, &e), SP_OK);
    assert_int_equal(fs->info(FS, h, &info, &e), SP_OK);
    assert_true((info.attributes & NTFS_MUST_NOT_READ) != 0 && NTFS_TAG_IS_CLOUD(info.reparse_tag));
    assert_int_equal(info.size, 5000);
    shut(h);
    assert_int_equal(ntfs_double_recalls(d), 0);
    assert_int_equal(fs->open_at(FS, dir, "cloud", NTFS_ANY, NTFS_READ, &h, &e), SP_OK);
    assert_int_equal(fs->read(FS, h, 0, &byte, 1, &n, &e), SP_OK);
    assert_int_equal(ntfs_double_recalls(d), 1);
    shut(h);
    assert_int_equal(fs->open_at(FS, dir, "projected", NTFS_ANY, NTFS_LOOK, &h, &e), SP_OK);
    assert_int_equal(ntfs_double_recalls(d), 2);
    shut(h);
    /* A filter's file reads as ever, although it holds nothing itself. */
    ntfs_double_filtered(d, "C:/dir/file", NTFS_TAG_DEDUP);
    assert_int_equal(fs->open_at(FS, dir, "file", NTFS_ANY, NTFS_READ, &h, &e), SP_OK);
    assert_int_equal(fs->info(FS, h, &info, &e), SP_OK);
    assert_int_equal(info.allocated, 0);
    assert_int_equal(fs->read(FS, h, 0, &byte, 1, &n, &e), SP_OK);
    assert_true(n == 1 && byte == 'c');
    shut(h);
    shut(dir);
}

/* One call of the journal: the records' reasons, or'ed; *ret_n how many. */
static enum sp_code
journal(struct sp_ntfs_handle *v, uint64_t id, uint64_t from, unsigned most, uint32_t *ret_reasons,
    size_t *ret_n)
{
    struct sp_buf in = SP_BUF_INIT, out = SP_BUF_INIT;
    enum sp_code rc;

    sp_buf_put_u64(&in, from);
    sp_buf_put_u32(&in, UINT32_MAX);
    sp_buf_put_zero(&in, 20);
    sp_buf_put_u64(&in, id);
    sp_buf_put_u16(&in, 2);
    sp_buf_put_u16(&in, (uint16_t)most);
    sp_buf_put_u32(&in, 0);
    rc = fs->control(FS, v, FSCTL_SP_READ_USN_JOURNAL, in.data, in.len, 65536, &out, NULL, &e);
    *ret_reasons = 0;
    *ret_n = 0;
    for (size_t at = 8; rc == SP_OK && at < out.len; at += sp_le32(out.data + at)) {
        assert_int_equal(sp_le16(out.data + at + 4), most);
        *ret_reasons |= sp_le32(out.data + at + (most == 2 ? 40 : 56));
        ++*ret_n;
    }
    sp_buf_free(&in);
    sp_buf_free(&out);
    return rc;
}

static void
usn(void **state)
{
    struct sp_ntfs_handle *v = open_path("//./C:", NTFS_READ);
    uint32_t reasons;
    uint64_t at;
    size_t n;

    (void)state;
    assert_int_equal(journal(v, 7, 0, 2, &reasons, &n), SP_ABSENT);
    assert_int_equal(e.os, 1179);
    ntfs_double_journal(d, "C:/", 7);
    at = ntfs_double_journal_next(d, "C:/");
    assert_int_equal(journal(v, 7, at, 2, &reasons, &n), SP_OK);
    assert_int_equal(n, 0);
    ntfs_double_write(d, "C:/dir/file", 0, "longer content", 14);
    assert_int_equal(journal(v, 7, at, 2, &reasons, &n), SP_OK);
    assert_int_equal(reasons, 0x80000003); /* extend, overwrite, close */
    assert_int_equal(journal(v, 7, at, 3, &reasons, &n), SP_OK);
    assert_int_equal(reasons, 0x80000003);
    const uint64_t then = ntfs_double_journal_next(d, "C:/");
    ntfs_double_rename(d, "C:/dir/file", "C:/dir/new");
    assert_int_equal(journal(v, 7, then, 2, &reasons, &n), SP_OK);
    assert_int_equal(reasons, 0x80003000);
    assert_int_equal(journal(v, 8, then, 2, &reasons, &n), SP_INVALID);
    ntfs_double_journal_trim(d, "C:/", then);
    assert_int_equal(journal(v, 7, at, 2, &reasons, &n), SP_ABSENT);
    assert_int_equal(e.os, 1181);
    assert_int_equal(journal(v, 7, then, 2, &reasons, &n), SP_OK);
    assert_true(n > 0);
    shut(v);
}

static void
compare(void **state)
{
    struct ntfs_double *other = ntfs_double_new();
    struct sp_buf report = SP_BUF_INIT;
    const struct ntfs_double_range range = {1 << 20, 70000};

    (void)state;
    ntfs_double_volume(other, "D:/", NTFS_DOUBLE_NTFS);
    ntfs_double_stream(d, "C:/dir/file", "zone", "3", 1);
    ntfs_double_sparse(d, "C:/dir/sparse", 4 << 20, &range, 1);
    ntfs_double_security(d, "C:/dir/file", "D:P(A;;FA;;;BA)");
    ntfs_double_shadow(d, "C:/", "//?/GLOBALROOT/Device/HarddiskVolumeShadowCopy1/");
    assert_int_equal(
        ntfs_double_compare(d, "C:/", d, "//?/GLOBALROOT/Device/HarddiskVolumeShadowCopy1/",
            NTFS_SAME_ALL, &report),
        0);
    /* The shadow stays as it was. */
    ntfs_double_write(d, "C:/dir/file", 0, "C", 1);
    ntfs_double_attributes(d, "C:/dir/file", NTFS_HIDDEN);
    ntfs_double_text(d, "C:/dir/more", "x");
    assert_int_equal(
        ntfs_double_compare(d, "C:/", d, "//?/GLOBALROOT/Device/HarddiskVolumeShadowCopy1/",
            NTFS_SAME_CONTENT | NTFS_SAME_ATTRIBUTES, &report),
        3);
    assert_string_equal(sp_buf_str(&report), "dir/file: attributes 0x20, not 0x2\ndir/file: "
                                             "content: other bytes from 0 on\ndir/more: missing\n");
    ntfs_double_folder(other, "D:/dir");
    sp_buf_reset(&report);
    assert_int_equal(
        ntfs_double_compare(d, "C:/dir", other, "D:/dir", NTFS_SAME_CONTENT, &report), 3);
    sp_buf_free(&report);
    ntfs_double_free(other);
}

static void
shadow_is_read_only(void **state)
{
    struct sp_ntfs_handle *h, *dir;

    (void)state;
    ntfs_double_shadow(d, "C:/", "//?/GLOBALROOT/Device/HarddiskVolumeShadowCopy1/");
    dir = open_path("//?/GLOBALROOT/Device/HarddiskVolumeShadowCopy1/dir", NTFS_LIST);
    assert_int_equal(fs->create_at(FS, dir, "x", false, 0, NULL, 0, &h, &e), SP_DENIED);
    assert_int_equal(fs->open_at(FS, dir, "file", NTFS_ANY, NTFS_CHANGE, &h, &e), SP_DENIED);
    shut(dir);
}

/* Links on the way of open_path are followed, and below a handle never. */
static void
paths(void **state)
{
    struct sp_ntfs_handle *h, *root;
    struct sp_ntfs_info info;

    (void)state;
    ntfs_double_junction(d, "C:/junction", "\\?\?\\C:\\dir");
    ntfs_double_symlink(d, "C:/deep/er/link", "..\\..\\junction", true, true);
    ntfs_double_symlink(d, "C:/circle", "circle", true, true);
    h = open_path("C:/deep/er/LINK/file", NTFS_READ);
    assert_int_equal(fs->info(FS, h, &info, &e), SP_OK);
    assert_int_equal(info.size, 7);
    shut(h);
    assert_int_not_equal(fs->open_path(FS, "C:/circle/x", NTFS_LOOK, &h, &e), SP_OK);
    assert_int_equal(fs->open_path(FS, "E:/", NTFS_LOOK, &h, &e), SP_ABSENT);
    root = open_path("C:/", NTFS_LIST);
    assert_int_equal(fs->open_at(FS, root, "junction", NTFS_ANY, NTFS_LOOK, &h, &e), SP_OK);
    assert_int_equal(fs->info(FS, h, &info, &e), SP_OK);
    assert_int_equal(info.reparse_tag, NTFS_TAG_MOUNT_POINT);
    shut(h);
    shut(root);
}

static void
keys(void **state)
{
    struct sp_ntfs_handle *h, *dir = open_path("C:/dir", NTFS_LIST);

    (void)state;
    ntfs_double_encrypt(d, "C:/dir/file");
    ntfs_double_key(d, false);
    assert_int_equal(fs->open_at(FS, dir, "file", NTFS_ANY, NTFS_READ, &h, &e), SP_DENIED);
    assert_int_equal(fs->open_at(FS, dir, "file", NTFS_ANY, NTFS_CHANGE, &h, &e), SP_OK);
    shut(h);
    shut(dir);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {T(faults), T(out_of_space), T(hook), T(stale_listing),
        T(tunneling), T(placeholders), T(usn), T(compare), T(shadow_is_read_only), T(paths),
        T(keys)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
