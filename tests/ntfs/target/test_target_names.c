/* Names, drives as folders, sets of other systems, case. */

#include <stdlib.h>
#include <string.h>

#include "client/target.h"
#include "round.h"
#include "tests/unit/base/support.h"

#define WINDOWS SP_ENTRY_WINDOWS

static enum sp_code
check(struct sp_target_dir *d, const char *name, uint32_t flags)
{
    struct sp_err err = {0};
    enum sp_code rc = sp_target_name_check(d, name, strlen(name), flags, &err);

    assert_true(rc == SP_OK || (rc == SP_INVALID && err.text[0] != '\0'));
    return rc;
}

static void
grammar(void **state)
{
    static const char *const never[] = {"", ".", "..", "a/b", "a\\b", "a:b", "C:",
        "a\x01"
        "b",
        "a\nb", "a<b", "a>b", "a\"b", "a|b", "a?b", "a*b", "\xff", "a\xc0\x80",
        "\xed\xa0\x80\xed\xb0\x80"};
    static const char *const from_windows[] = {"CON", "con", "Con.txt", "PRN", "AUX", "NUL",
        "NUL .x", "COM1", "com9.tar.gz", "LPT1", "COM\xc2\xb9", "LPT\xc2\xb2.x", "CONIN$", "a.",
        "a ", "...", " ."};
    static const char *const always[] = {"a", "...a", ".a", " a", "CONS", "COM", "COM10", "LPTX",
        "AUXX", "a.CON", "\xc3\xa4", "\xf0\x9f\x98\x80", "\xed\xa0\x80", "a;b", "a+b", "a'b",
        "a,b=c[1]"};
    char longest[800];

    (void)state;
    for (size_t i = 0; i < sizeof never / sizeof never[0]; i++)
        for (uint32_t flags = 0; flags <= WINDOWS; flags += WINDOWS)
            if (check(NULL, never[i], flags) == SP_OK)
                fail_msg("'%s' was taken", never[i]);
    for (size_t i = 0; i < sizeof from_windows / sizeof from_windows[0]; i++) {
        if (check(NULL, from_windows[i], 0) == SP_OK)
            fail_msg("'%s' was taken from Linux", from_windows[i]);
        if (check(NULL, from_windows[i], WINDOWS) != SP_OK)
            fail_msg("'%s' was not taken from Windows", from_windows[i]);
    }
    for (size_t i = 0; i < sizeof always / sizeof always[0]; i++)
        for (uint32_t flags = 0; flags <= WINDOWS; flags += WINDOWS)
            if (check(NULL, always[i], flags) != SP_OK)
                fail_msg("'%s' was not taken", always[i]);
    assert_code(SP_INVALID, sp_target_name_check(NULL, "a\0b", 3, WINDOWS, e));
    memset(longest, 'x', sizeof longest);
    assert_ok(sp_target_name_check(NULL, longest, 255, 0, e));
    assert_code(SP_INVALID, sp_target_name_check(NULL, longest, 256, 0, e));
    for (size_t i = 0; i < 128; i++)
        memcpy(longest + 4 * i, "\xf0\x9f\x98\x80", 4); /* two units each */
    assert_ok(sp_target_name_check(NULL, longest, 4 * 127, 0, e));
    assert_code(SP_INVALID, sp_target_name_check(NULL, longest, 4 * 128, 0, e));
}

/* What a key begins with stands for a folder of the target, each for one of its own. */
static void
tops(void **state)
{
    static const struct {
        const char *key, *folder;
    } cases[] = {{"C:", "C"}, {"d:", "D"}, {"\\\\server\\share", "server+share"},
        {"\\\\a\\b-c", "a+b-c"}, {"\\\\a-b\\c", "a-b+c"}, {"\\\\a\\b+c", "a+b+c"},
        {"\\\\?\\Volume{01}", "Volume{01}"}};
    struct ntfs_double *d = ntfs_double_new();
    struct sp_target_options o = {.path = "D:/new/out", .make = true, .probe = true};
    struct sp_target *t = NULL;
    struct sp_target_dir *made = NULL, *again = NULL;
    struct sp_target_stat st;
    char path[64];

    (void)state;
    ntfs_double_volume(d, "D:/", NTFS_DOUBLE_NTFS);
    ntfs_double_set_here(d);
    assert_ok(sp_target_open(&sp_env_system, &o, &t, e));
    assert_true(sp_target_made(t));
    assert_true(sp_target_folds(sp_target_root(t)));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *key = cases[i].key;

        assert_int_equal(check(sp_target_root(t), key, WINDOWS), SP_OK);
        assert_int_equal(check(sp_target_root(t), key, 0), SP_INVALID);
        assert_ok(sp_target_dir_make(sp_target_root(t), key, NULL, &made, e));
        assert_int_equal(check(made, key, WINDOWS), SP_INVALID); /* only there */
        assert_ok(sp_target_look(sp_target_root(t), key, &st, e));
        assert_int_equal(st.type, SP_ENTRY_DIR);
        assert_ok(sp_target_dir_enter(sp_target_root(t), key, &again, e));
        (void)snprintf(path, sizeof path, "D:/new/out/%s", cases[i].folder);
        assert_true(ntfs_double_exists(d, path));
        sp_target_dir_release(made);
        sp_target_dir_release(again);
    }
    assert_int_equal(check(sp_target_root(t), "\\\\a+b\\c", WINDOWS), SP_INVALID);
    assert_int_equal(check(sp_target_root(t), "\\\\server", WINDOWS), SP_INVALID);
    assert_int_equal(check(sp_target_root(t), "\\\\a\\b\\c", WINDOWS), SP_INVALID);
    assert_int_equal(check(sp_target_root(t), "\\\\?\\Volume{\\x}", WINDOWS), SP_INVALID);
    assert_int_equal(check(sp_target_root(t), "\\\\a\\..", WINDOWS), SP_OK); /* "a+..": one name */
    sp_target_free(t);
    o.path = NULL;
    assert_ok(sp_target_open(&sp_env_system, &o, &t, e));
    assert_int_equal(check(sp_target_root(t), "D:", WINDOWS), SP_OK);
    assert_int_equal(check(sp_target_root(t), "folder", WINDOWS), SP_INVALID);
    assert_int_equal(check(sp_target_root(t), "D:", 0), SP_INVALID);
    assert_code(SP_ABSENT, sp_target_look(sp_target_root(t), "Q:", &st, e));
    assert_code(SP_ABSENT, sp_target_dir_make(sp_target_root(t), "Q:", NULL, &made, e));
    assert_ok(sp_target_dir_enter(sp_target_root(t), "D:", &made, e));
    assert_ok(sp_target_look(made, "new", &st, e));
    sp_target_dir_release(made);
    sp_target_free(t);
    assert_int_equal(ntfs_double_handles(d), 0);
    ntfs_double_free(d);
}

/* A set of Linux: content, times, read-only, holes, links; the rest is told. */
static void
from_linux(void **state)
{
    struct round *r = round_new(NTFS_DOUBLE_NTFS);
    struct content holes[] = {{"begin", 5}, {NULL, 4 << 20}, {"end", 3}};
    struct sp_ntfs_info info;
    struct sp_buf b = SP_BUF_INIT;
    struct sp_entry *en;

    (void)state;
    set_dir(&r->s, "home");
    en = set_text(&r->s, "home/text", "text");
    en->mtime_ns = INT64_C(1600000000000000100);
    set_attribute(&r->s, en, "user.x", "1", 1, false);
    en = set_text(&r->s, "home/read only", "text");
    en->mode = 0444;
    set_file(&r->s, "home/sparse", holes, 3, 65536);
    set_symlink(&r->s, "home/link", "text");
    set_symlink(&r->s, "home/to a folder", "./");
    set_entry(&r->s, "home/fifo", SP_ENTRY_FIFO);
    set_text(&r->s, "home/nul.txt", "a device");
    set_text(&r->s, "home/a:b", "a stream");
    set_text(&r->s, "home/README", "1");
    set_text(&r->s, "home/readme", "2");
    set_text(&r->s, "C:", "no drive");
    set_commit(&r->s);
    round_restore(r, "D:/out");
    assert_int_equal(r->o.code, SP_OK);
    round_show(r);
    assert_int_equal(r->o.nfaults, 5);
    assert_non_null(strstr(outcome_fault(&r->o, "home/fifo"), "no devices, FIFOs or sockets"));
    assert_non_null(strstr(outcome_fault(&r->o, "home/nul.txt"), "device"));
    assert_non_null(strstr(outcome_fault(&r->o, "home/a:b"), "':'"));
    assert_non_null(outcome_fault(&r->o, "home/readme"));
    assert_non_null(outcome_fault(&r->o, "C:"));
    assert_int_equal(r->o.nnotes, 2);
    ntfs_double_info(r->b, "D:/out/home/text", &info);
    assert_int_equal(info.mtime, 116444736000000000 + 16000000000000001);
    assert_int_equal(info.attributes & NTFS_READONLY, 0);
    ntfs_double_info(r->b, "D:/out/home/read only", &info);
    assert_true((info.attributes & NTFS_READONLY) != 0);
    ntfs_double_info(r->b, "D:/out/home/sparse", &info);
    assert_int_equal(info.size, (4 << 20) + 8);
    assert_true((info.attributes & NTFS_SPARSE) != 0 && info.allocated < 300000);
    ntfs_double_info(r->b, "D:/out/home/link", &info);
    assert_int_equal(info.reparse_tag, NTFS_TAG_SYMLINK);
    assert_int_equal(info.attributes & NTFS_DIRECTORY, 0);
    ntfs_double_info(r->b, "D:/out/home/to a folder", &info);
    assert_true((info.attributes & NTFS_DIRECTORY) != 0);
    assert_false(ntfs_double_exists(r->b, "D:/out/home/fifo"));
    assert_true(ntfs_double_read(r->b, "D:/out/home/README", "", &b));
    assert_memory_equal(b.data, "1", 1);
    sp_buf_free(&b);
    round_restore(r, "D:/out"); /* again: read-only is no obstacle */
    assert_int_equal(r->o.nfaults, 5);
    round_free(r);
}

/* Nobody else may read what is on its way. */
static bool seen_private;

static void
look_at_rights(void *arg, struct ntfs_double *d, uint64_t nth, const char *call, const char *path)
{
    static const char open_to_all[] =
        "\x01\x01\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00"; /* S-1-1-0 */
    const struct sp_ntfs *fs = ntfs_double_table(d);
    struct sp_ntfs_handle *h = NULL;
    struct sp_buf sd = SP_BUF_INIT;
    struct sp_err err = {0};

    (void)arg;
    (void)nth;
    if (strcmp(call, "write") != 0 || strchr(path, '/') == NULL || seen_private)
        return;
    seen_private = true;
    assert_ok(fs->open_path(fs->self, path, NTFS_LOOK, &h, e));
    assert_ok(fs->security(fs->self, h, &sd, e));
    assert_true((sd.data[3] & 0x10) != 0); /* protected */
    for (size_t i = 0; i + 12 <= sd.len; i++)
        assert_memory_not_equal(sd.data + i, open_to_all, 12);
    (void)fs->close(fs->self, h, &err);
    sp_buf_free(&sd);
}

static void
private_until_whole(void **state)
{
    struct round *r = round_new(NTFS_DOUBLE_NTFS);

    (void)state;
    ntfs_double_text(r->a, "C:/tree/open", "to all");
    ntfs_double_security(r->a, "C:/tree/open", "O:BAG:SYD:(A;;FA;;;WD)");
    round_take(r);
    ntfs_double_security(r->b, "D:/", "O:BAG:SYD:(A;OICI;FA;;;WD)");
    ntfs_double_hook(r->b, look_at_rights, NULL);
    seen_private = false;
    round_restore(r, "D:/out");
    ntfs_double_hook(r->b, NULL, NULL);
    assert_true(seen_private);
    assert_int_equal(r->o.nfaults, 0);
    round_same(r, "D:/out/C/tree", NTFS_SAME_ALL & ~(unsigned)NTFS_SAME_ATIME);
    round_free(r);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grammar),
        cmocka_unit_test(tops),
        cmocka_unit_test(from_linux),
        cmocka_unit_test(private_until_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
