/* What the walk finds on a Windows volume: kinds, order, names, mount points, shadows. */

#include "walk.h"

#include <stdio.h>
#include <string.h>

#include "base/path.h"

static enum sp_entry_type
type_at(const struct nwalk *w, const char *path)
{
    return nwalk_need(w, path)->entry->type;
}

static void
test_kinds(void **state)
{
    static const uint8_t exec_link[] = {0x1B, 0, 0, 0x80, 8, 0, 0, 0, 3, 0, 0, 0, 'a', 0, 0, 0};
    static const uint8_t lx[] = {0x1D, 0, 0, 0xA0, 8, 0, 0, 0, 2, 0, 0, 0, 't', 'm', 'p', '/'};
    struct nwalk w;

    (void)state;
    nwalk_new(&w);
    ntfs_double_text(w.d, "C:/f", "hello");
    ntfs_double_folder(w.d, "C:/dir");
    ntfs_double_symlink(w.d, "C:/link", "dir\\x", false, true);
    ntfs_double_symlink(w.d, "C:/link to folder", "dir", true, true);
    ntfs_double_junction(w.d, "C:/junction", "\\??\\C:\\dir");
    ntfs_double_text(w.d, "C:/dir/in", "x");
    ntfs_double_text(w.d, "C:/app.exe", "");
    ntfs_double_reparse(w.d, "C:/app.exe", exec_link, sizeof exec_link);
    ntfs_double_text(w.d, "C:/wsl", "");
    ntfs_double_reparse(w.d, "C:/wsl", lx, sizeof lx);
    nwalk_root(&w, "C:/");
    nwalk_run(&w);
    assert_int_equal(type_at(&w, "C:/f"), SP_ENTRY_FILE);
    assert_int_equal(type_at(&w, "C:/dir"), SP_ENTRY_DIR);
    assert_int_equal(type_at(&w, "C:/link"), SP_ENTRY_LINK);
    assert_int_equal(type_at(&w, "C:/link to folder"), SP_ENTRY_LINK);
    assert_int_equal(type_at(&w, "C:/junction"), SP_ENTRY_LINK);
    assert_int_equal(type_at(&w, "C:/app.exe"), SP_ENTRY_FILE);
    assert_int_equal(type_at(&w, "C:/wsl"), SP_ENTRY_LINK);
    assert_null(nwalk_find(&w, "C:/junction/in"));
    assert_null(nwalk_find(&w, "C:/link to folder/in"));
    assert_non_null(nwalk_find(&w, "C:/dir/in"));
    for (size_t i = 0; i < w.n; i++) {
        assert_null(w.items[i]->fault);
        assert_true((w.items[i]->entry->flags & SP_ENTRY_WINDOWS) != 0);
        assert_true((w.items[i]->entry->flags & SP_ENTRY_RECHECK) == 0);
    }
    nwalk_free(&w);
}

static void
test_from_the_listing(void **state)
{
    struct nwalk w;
    struct sp_ntfs_info i;
    const struct sp_entry *en;
    uint64_t before;
    char path[64];

    (void)state;
    nwalk_new(&w);
    ntfs_double_text(w.d, "C:/f", "hello");
    ntfs_double_times(w.d, "C:/f", 130000000000000001, 131000000000000002, 132000000000000003,
        133000000000000004);
    for (int n = 0; n < 100; n++) {
        (void)snprintf(path, sizeof path, "C:/many/%d", n);
        ntfs_double_text(w.d, path, "x");
    }
    nwalk_root(&w, "C:/");
    before = ntfs_double_calls(w.d);
    nwalk_run(&w);
    assert_true(ntfs_double_calls(w.d) - before < 40); /* no file was opened */
    ntfs_double_info(w.d, "C:/f", &i);
    en = nwalk_need(&w, "C:/f")->entry;
    assert_int_equal(en->size, 5);
    assert_int_equal(en->file_id, i.file_id);
    assert_true(en->btime_ns == sp_ntfs_ns(130000000000000001));
    assert_true(en->atime_ns == sp_ntfs_ns(131000000000000002));
    assert_true(en->mtime_ns == sp_ntfs_ns(132000000000000003));
    assert_true(en->ctime_ns == sp_ntfs_ns(133000000000000004));
    nwalk_free(&w);
}

static void
test_roots(void **state)
{
    struct nwalk w;
    struct sp_err e = {0};
    const struct sp_entry *en;

    (void)state;
    nwalk_new(&w);
    ntfs_double_volume(w.d, "D:/", NTFS_DOUBLE_NTFS);
    ntfs_double_volume(w.d, "//server/share/", NTFS_DOUBLE_SMB);
    ntfs_double_text(w.d, "C:/Users/a/f", "x");
    ntfs_double_text(w.d, "C:/Windows/f", "x");
    ntfs_double_text(w.d, "D:/data/f", "x");
    ntfs_double_text(w.d, "//server/share/x/f", "x");
    nwalk_root(&w, "C:/Users");
    nwalk_root(&w, "D:/data/f");
    nwalk_root(&w, "//server/share/x");
    nwalk_run(&w);
    en = w.items[0]->entry; /* above all drives */
    assert_int_equal(en->key_len, 0);
    assert_int_equal(en->type, SP_ENTRY_DIR);
    assert_true((en->flags & SP_ENTRY_IMPLIED) != 0);
    assert_int_equal(sp_item_describe(w.items[0], &e), SP_OK);
    assert_true((nwalk_need(&w, "C:/")->entry->flags & SP_ENTRY_IMPLIED) != 0);
    assert_true(nwalk_need(&w, "C:/")->entry->mtime_ns != 0);
    assert_true(nwalk_has(nwalk_described(&w, "C:/"), WINDOWS_SECURITY));
    assert_true((nwalk_need(&w, "C:/Users")->entry->flags & SP_ENTRY_IMPLIED) == 0);
    assert_non_null(nwalk_find(&w, "C:/Users/a/f"));
    assert_null(nwalk_find(&w, "C:/Windows"));
    assert_non_null(nwalk_find(&w, "D:/data/f"));
    assert_non_null(nwalk_find(&w, "//server/share/x/f"));
    nwalk_free(&w);

    nwalk_new(&w);
    nwalk_root(&w, "C:/none");
    assert_int_equal(nwalk_open(&w, &e), SP_ABSENT);
    nwalk_free(&w);
    nwalk_new(&w);
    nwalk_root(&w, "E:/");
    assert_true(nwalk_open(&w, &e) != SP_OK);
    nwalk_free(&w);
    nwalk_new(&w);
    ntfs_double_text(w.d, "C:/dir/f", "x");
    ntfs_double_junction(w.d, "C:/junction", "\\??\\C:\\dir");
    nwalk_root(&w, "C:/junction/f"); /* no link is followed below a drive */
    assert_int_equal(nwalk_open(&w, &e), SP_INVALID);
    nwalk_free(&w);
}

static void
test_names(void **state)
{
    /* Upper before lower case, by bytes; a lone surrogate; what only a case-sensitive folder has.
     */
    static const char *const names[] = {"Z", "a", "\xC3\xA4", "\xED\xA0\x80", "\xF0\x9F\x98\x80"};
    struct nwalk w;
    char path[32];

    (void)state;
    nwalk_new(&w);
    for (size_t i = 0; i < 5; i++) {
        (void)snprintf(path, sizeof path, "C:/n/%s", names[4 - i]);
        ntfs_double_text(w.d, path, "x");
    }
    ntfs_double_folder(w.d, "C:/cs");
    ntfs_double_case(w.d, "C:/cs", true);
    ntfs_double_text(w.d, "C:/cs/a", "1");
    ntfs_double_text(w.d, "C:/cs/A", "22");
    nwalk_root(&w, "C:/");
    nwalk_run(&w);
    assert_int_equal(nwalk_need(&w, "C:/cs/a")->entry->size, 1);
    assert_int_equal(nwalk_need(&w, "C:/cs/A")->entry->size, 2);
    for (size_t i = 0; i < 5; i++) {
        (void)snprintf(path, sizeof path, "C:/n/%s", names[i]);
        (void)nwalk_need(&w, path);
    }
    assert_true(nwalk_has(nwalk_described(&w, "C:/cs"), WINDOWS_CASE));
    assert_false(nwalk_has(nwalk_described(&w, "C:/n"), WINDOWS_CASE));
    nwalk_free(&w);
}

/* --- mount points --------------------------------------------------------------------------------
 */

static void
mount(struct nwalk *w, const char *at, const char *guid, const char *volume)
{
    char target[80], path[80];

    (void)snprintf(target, sizeof target, "\\??\\Volume{%s}\\", guid);
    ntfs_double_junction(w->d, at, target);
    (void)snprintf(path, sizeof path, "%s/", at);
    ntfs_double_alias(w->d, volume, path);
}

#define GUID "01234567-89ab-cdef-0123-456789abcdef"

static void
test_mount_points(void **state)
{
    struct nwalk w;
    const struct sp_entry *en;

    (void)state;
    nwalk_new(&w);
    ntfs_double_volume(w.d, "D:/", NTFS_DOUBLE_NTFS);
    ntfs_double_text(w.d, "D:/deep/f", "x");
    mount(&w, "C:/mnt", GUID, "D:/");
    nwalk_root(&w, "C:/");
    nwalk_run(&w);
    en = nwalk_need(&w, "C:/mnt")->entry;
    assert_int_equal(en->type, SP_ENTRY_DIR);
    assert_true(en->device != nwalk_need(&w, "C:/")->entry->device);
    assert_non_null(nwalk_find(&w, "C:/mnt/deep/f"));
    assert_true(nwalk_has(nwalk_described(&w, "C:/mnt"), WINDOWS_REPARSE));
    assert_int_equal(w.counts.crossed, 0);

    w.o.one_file_system = true;
    nwalk_run(&w);
    assert_int_equal(nwalk_need(&w, "C:/mnt")->entry->type, SP_ENTRY_DIR);
    assert_true(nwalk_has(nwalk_described(&w, "C:/mnt"), WINDOWS_REPARSE));
    assert_null(nwalk_find(&w, "C:/mnt/deep"));
    assert_int_equal(w.counts.crossed, 1);

    w.o.one_file_system = false;
    nwalk_view(&w, "C:/mnt", NULL, false);
    w.views[1].skip = true;
    nwalk_run(&w);
    assert_null(nwalk_find(&w, "C:/mnt/deep"));
    assert_int_equal(w.counts.crossed, 1);
    nwalk_free(&w);

    nwalk_new(&w); /* a root that lies behind one */
    ntfs_double_volume(w.d, "D:/", NTFS_DOUBLE_NTFS);
    ntfs_double_text(w.d, "D:/deep/f", "x");
    mount(&w, "C:/mnt", GUID, "D:/");
    nwalk_root(&w, "C:/mnt/deep");
    nwalk_run(&w);
    assert_non_null(nwalk_find(&w, "C:/mnt/deep/f"));
    nwalk_free(&w);
}

static void
test_volume_below_itself(void **state)
{
    struct nwalk w;

    (void)state;
    nwalk_new(&w);
    ntfs_double_text(w.d, "C:/dir/f", "x");
    mount(&w, "C:/dir/self", GUID, "C:/");
    nwalk_root(&w, "C:/");
    nwalk_run(&w);
    assert_int_equal(nwalk_need(&w, "C:/dir/self")->entry->type, SP_ENTRY_DIR);
    assert_null(nwalk_find(&w, "C:/dir/self/dir"));
    assert_int_equal(w.counts.crossed, 1);
    nwalk_free(&w);
}

static void
test_volume_gone(void **state)
{
    struct nwalk w;

    (void)state;
    nwalk_new(&w);
    ntfs_double_junction(w.d, "C:/mnt", "\\??\\Volume{" GUID "}\\");
    ntfs_double_text(w.d, "C:/z", "x");
    nwalk_root(&w, "C:/");
    nwalk_run(&w);
    assert_non_null(nwalk_need(&w, "C:/mnt")->fault);
    assert_int_equal(nwalk_need(&w, "C:/mnt")->fault->kind, SP_FAULT_FOLDER);
    assert_non_null(nwalk_find(&w, "C:/z"));
    nwalk_free(&w);
}

#define SHADOW "//?/GLOBALROOT/Device/HarddiskVolumeShadowCopy1/"
#define SHADOW2 "//?/GLOBALROOT/Device/HarddiskVolumeShadowCopy2/"

static void
test_shadows(void **state)
{
    struct nwalk w;
    struct sp_item *it;

    (void)state;
    nwalk_new(&w);
    ntfs_double_volume(w.d, "D:/", NTFS_DOUBLE_NTFS);
    ntfs_double_volume(w.d, "E:/", NTFS_DOUBLE_NTFS);
    ntfs_double_text(w.d, "C:/f", "old");
    ntfs_double_text(w.d, "D:/deep/f", "old");
    ntfs_double_text(w.d, "E:/f", "live");
    mount(&w, "C:/mnt", GUID, "D:/");
    mount(&w, "C:/other", "11234567-89ab-cdef-0123-456789abcdef", "E:/");
    ntfs_double_shadow(w.d, "C:/", SHADOW);
    ntfs_double_shadow(w.d, "D:/", SHADOW2);
    ntfs_double_text(w.d, "C:/f", "newer");
    ntfs_double_text(w.d, "D:/deep/f", "newer");
    ntfs_double_text(w.d, "C:/later", "x");
    nwalk_root(&w, "C:/");
    nwalk_view(&w, "C:/", SHADOW, true);
    nwalk_view(&w, "C:/mnt", SHADOW2, true);
    nwalk_run(&w);
    it = nwalk_need(&w, "C:/f");
    assert_true(it->shadow);
    assert_int_equal(it->entry->size, 3);
    assert_null(nwalk_find(&w, "C:/later"));
    it = nwalk_need(&w, "C:/mnt/deep/f");
    assert_true(it->shadow);
    assert_int_equal(it->entry->size, 3);
    assert_true(nwalk_has(nwalk_described(&w, "C:/mnt"), WINDOWS_REPARSE));
    /* A volume that is not in the shadow set is not mixed into it. */
    assert_int_equal(nwalk_need(&w, "C:/other")->entry->type, SP_ENTRY_DIR);
    assert_null(nwalk_find(&w, "C:/other/f"));
    assert_int_equal(w.counts.crossed, 1);
    nwalk_free(&w);
}

/* A component that failed in the first shadow set is read from a second one; and what is written after the
 * shadow was made, live. */
static void
test_read_elsewhere(void **state)
{
    struct nwalk w;
    struct sp_buf content = SP_BUF_INIT;
    struct sp_err e = {0};
    uint64_t holes;
    bool changed;

    (void)state;
    nwalk_new(&w);
    ntfs_double_text(w.d, "C:/vm/disk", "first");
    ntfs_double_text(w.d, "C:/vm/other", "first");
    ntfs_double_text(w.d, "C:/state/folder/old", "first");
    ntfs_double_text(w.d, "C:/conf/in", "first");
    ntfs_double_shadow(w.d, "C:/", SHADOW);
    ntfs_double_text(w.d, "C:/vm/disk", "the second");
    ntfs_double_text(w.d, "C:/vm/other", "the second");
    ntfs_double_text(w.d, "C:/conf/in", "the second");
    ntfs_double_shadow(w.d, "C:/", SHADOW2);
    ntfs_double_text(w.d, "C:/vm/disk", "live");
    ntfs_double_text(w.d, "C:/state/folder/new", "live");
    nwalk_root(&w, "C:/");
    nwalk_view(&w, "C:/", SHADOW, true);
    nwalk_view(&w, "C:/vm/disk", SHADOW2 "vm/disk", true);
    nwalk_view(&w, "C:/conf", SHADOW2 "conf", true);
    nwalk_view(&w, "C:/state/folder", NULL, false);
    nwalk_run(&w);
    assert_int_equal(nwalk_need(&w, "C:/vm/disk")->entry->size, strlen("the second"));
    assert_true(nwalk_need(&w, "C:/vm/disk")->shadow);
    assert_int_equal(nwalk_read(nwalk_need(&w, "C:/vm/disk"), &content, &holes, &changed, &e), SP_OK);
    assert_string_equal(sp_buf_str(&content), "the second");
    assert_int_equal(nwalk_need(&w, "C:/vm/other")->entry->size, strlen("first"));
    assert_int_equal(nwalk_need(&w, "C:/conf/in")->entry->size, strlen("the second"));
    assert_int_equal(nwalk_need(&w, "C:/state/folder/new")->entry->size, strlen("live"));
    assert_false(nwalk_need(&w, "C:/state/folder/new")->shadow);
    assert_non_null(nwalk_find(&w, "C:/state/folder/old"));
    sp_buf_free(&content);
    nwalk_free(&w);
}

static void
lose(void *arg, struct ntfs_double *d, uint64_t nth, const char *call, const char *path)
{
    (void)arg;
    (void)nth;
    if (strcmp(call, "open_at") == 0 && strstr(path, "/lost") != NULL)
        ntfs_double_fail(d, 1, SP_ABSENT);
}

/* Its folder has the name: in a shadow that is no folder that went away, but a damaged one. */
static void
test_lost_in_shadow(void **state)
{
    (void)state;
    for (int shadow = 0; shadow < 2; shadow++) {
        struct nwalk w;

        nwalk_new(&w);
        ntfs_double_text(w.d, "C:/lost/f", "x");
        ntfs_double_text(w.d, "C:/z/f", "x");
        ntfs_double_shadow(w.d, "C:/", SHADOW);
        nwalk_root(&w, "C:/");
        if (shadow == 1)
            nwalk_view(&w, "C:/", SHADOW, true);
        ntfs_double_hook(w.d, lose, NULL);
        nwalk_run(&w);
        ntfs_double_hook(w.d, NULL, NULL);
        assert_non_null(nwalk_find(&w, "C:/z/f"));
        if (shadow == 0)
            assert_null(nwalk_find(&w, "C:/lost"));
        else
            assert_non_null(nwalk_need(&w, "C:/lost")->fault);
        nwalk_free(&w);
    }
}

/* A cloned disk has the serial number and the file ids of the other: its files are no further names
 * of those. */
static void
test_cloned_volume(void **state)
{
    struct sp_entry *first, *second, *clone;
    struct nwalk w;

    (void)state;
    nwalk_new(&w);
    ntfs_double_text(w.d, "C:/first", "x");
    ntfs_double_link(w.d, "C:/first", "C:/second");
    ntfs_double_shadow(w.d, "C:/", "E:/"); /* a copy of all of it */
    ntfs_double_text(w.d, "C:/first", "newer on this one");
    nwalk_root(&w, "C:/");
    nwalk_root(&w, "E:/");
    nwalk_run(&w);
    first = nwalk_described(&w, "C:/first")->entry;
    second = nwalk_described(&w, "C:/second")->entry;
    clone = nwalk_described(&w, "E:/first")->entry;
    assert_int_equal(first->links, 2);
    assert_int_equal(first->file_id, clone->file_id);
    assert_int_equal(first->device, second->device);
    assert_int_not_equal(first->device, clone->device);
    nwalk_free(&w);
}

/* --- size ----------------------------------------------------------------------------------------
 */

static void
test_huge_folder(void **state)
{
    const size_t many = 100000;
    struct nwalk w;
    char path[64];

    (void)state;
    nwalk_new(&w);
    ntfs_double_short_names(w.d, "C:/", false);
    for (size_t i = 0; i < many; i++) {
        /* In NTFS's order, which is by upper case, and so not ours. */
        (void)snprintf(path, sizeof path, "C:/h/%c-%06zx-and-more", i % 2 == 0 ? 'n' : 'N', i);
        ntfs_double_text(w.d, path, "");
    }
    nwalk_root(&w, "C:/h");
    nwalk_run(&w);
    assert_int_equal(w.n, many + 3);
    nwalk_free(&w);
}

static void
test_deep(void **state)
{
    const size_t levels = 2000;
    struct nwalk w;
    struct sp_buf path = SP_BUF_INIT;

    (void)state;
    nwalk_new(&w);
    sp_buf_put_str(&path, "C:");
    for (size_t i = 0; i < levels; i++)
        sp_buf_put_str(&path, "/d");
    sp_buf_put_str(&path, "/f");
    ntfs_double_text(w.d, sp_buf_str(&path), "deepest");
    nwalk_root(&w, "C:/");
    nwalk_run(&w);
    assert_int_equal(w.n, levels + 3);
    assert_true(ntfs_double_handles(w.d) <= 70);
    /* Handles that were closed meanwhile come back. */
    (void)nwalk_described(&w, sp_buf_str(&path));
    (void)nwalk_described(&w, "C:/d/d/d");
    sp_buf_free(&path);
    nwalk_free(&w);
}

static void
test_cachedir(void **state)
{
    static const char tag[] = "Signature: 8a477f597d28d172789f06886806bc55\n";
    struct nwalk w;

    (void)state;
    nwalk_new(&w);
    ntfs_double_text(w.d, "C:/cache/CACHEDIR.TAG", tag);
    ntfs_double_text(w.d, "C:/cache/big", "x");
    ntfs_double_text(w.d, "C:/not/CACHEDIR.TAG", "something else");
    ntfs_double_text(w.d, "C:/not/f", "x");
    ntfs_double_placeholder(w.d, "C:/away/CACHEDIR.TAG", 1000, NTFS_OFFLINE | NTFS_RECALL_ON_DATA,
        UINT32_C(0x9000001A));
    ntfs_double_text(w.d, "C:/away/f", "x");
    nwalk_root(&w, "C:/");
    w.o.cachedir_tag = true;
    nwalk_run(&w);
    assert_non_null(nwalk_find(&w, "C:/cache/CACHEDIR.TAG"));
    assert_null(nwalk_find(&w, "C:/cache/big"));
    assert_non_null(nwalk_find(&w, "C:/not/f"));
    assert_non_null(nwalk_find(&w, "C:/away/f"));
    assert_int_equal(w.counts.excluded, 1);
    assert_int_equal(ntfs_double_recalls(w.d), 0);
    nwalk_free(&w);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_from_the_listing), cmocka_unit_test(test_roots),
        cmocka_unit_test(test_names), cmocka_unit_test(test_mount_points),
        cmocka_unit_test(test_volume_below_itself), cmocka_unit_test(test_volume_gone),
        cmocka_unit_test(test_shadows), cmocka_unit_test(test_read_elsewhere), cmocka_unit_test(test_lost_in_shadow),
        cmocka_unit_test(test_cloned_volume), cmocka_unit_test(test_huge_folder),
        cmocka_unit_test(test_deep), cmocka_unit_test(test_cachedir)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
