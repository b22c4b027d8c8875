/* The whole pipeline over a Windows volume: what a second run reads, and what an open writer hides.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/ntfs_meta.h"
#include "tests/ntfs/double.h"
#include "tests/unit/client/site.h"

/* The harness backs up one folder of this machine, by its key: "tmp\0x\0files". Here the first
 * component is a volume. */
struct place {
    struct site site;
    struct ntfs_double *d;
    char files[128], path[512];
};

static void
place_new(struct place *p)
{
    char volume[64];

    memset(p, 0, sizeof *p);
    site_new(&p->site, false);
    p->d = ntfs_double_new();
    ntfs_double_set_here(p->d);
    (void)snprintf(p->files, sizeof p->files, "%s/files", p->site.tree.path + 1);
    (void)snprintf(volume, sizeof volume, "%.*s/", (int)strcspn(p->files, "/"), p->files);
    ntfs_double_volume(p->d, volume, NTFS_DOUBLE_NTFS);
    ntfs_double_folder(p->d, p->files);
}

static void
place_free(struct place *p)
{
    assert_int_equal(ntfs_double_handles(p->d), 0);
    site_free(&p->site);
    ntfs_double_free(p->d);
}

static const char *
at(struct place *p, const char *name)
{
    (void)snprintf(p->path, sizeof p->path, "%s/%s", p->files, name);
    return p->path;
}

static void
build(struct place *p)
{
    static const struct ntfs_double_range range = {1 << 20, 65536};
    const size_t n = 100000;
    uint8_t *big = malloc(n);

    assert_non_null(big);
    for (size_t i = 0; i < n; i++)
        big[i] = (uint8_t)(i >> 5 ^ i);
    ntfs_double_text(p->d, at(p, "plain"), "hello");
    ntfs_double_file(p->d, at(p, "streams"), big, n);
    ntfs_double_stream(p->d, at(p, "streams"), "long", big, n);
    ntfs_double_stream(p->d, at(p, "streams"), "short", "s", 1);
    ntfs_double_sparse(p->d, at(p, "sparse"), 8 << 20, &range, 1);
    ntfs_double_text(p->d, at(p, "secret"), "secret");
    ntfs_double_encrypt(p->d, at(p, "secret"));
    ntfs_double_placeholder(
        p->d, at(p, "cloud"), 1 << 20, NTFS_OFFLINE | NTFS_RECALL_ON_DATA, UINT32_C(0x9000001A));
    ntfs_double_text(p->d, at(p, "dedup"), "through the filter");
    ntfs_double_filtered(p->d, at(p, "dedup"), NTFS_TAG_DEDUP);
    ntfs_double_symlink(p->d, at(p, "link"), "plain", false, true);
    ntfs_double_text(p->d, at(p, "dir/in"), "x");
    free(big);
}

static void
test_second_run(void **state)
{
    struct place p;
    struct outcome first, second;
    struct sp_entry *en;
    uint64_t calls;

    (void)state;
    place_new(&p);
    build(&p);
    site_run_well(&p.site, "first", &first);
    assert_int_equal(ntfs_double_recalls(p.d), 0);
    en = site_entry(&p.site, "streams");
    assert_non_null(en);
    assert_int_equal(en->size, 100000);
    assert_int_equal(en->extra, 100000);
    assert_non_null(sp_ntfs_find(en, WINDOWS_STREAMS));
    free(en);
    en = site_entry(&p.site, "secret");
    assert_true((en->flags & SP_ENTRY_AWAY) != 0 && en->extra > 0);
    free(en);
    en = site_entry(&p.site, "cloud");
    assert_true((en->flags & SP_ENTRY_AWAY) != 0 && en->extra == 0 && en->size == 1 << 20);
    free(en);
    calls = ntfs_double_calls(p.d);
    site_run_well(&p.site, "second", &second);
    assert_int_equal(second.result.stats.files_changed, 0);
    assert_int_equal(second.result.stats.files_new, 0);
    assert_int_equal(second.result.stats.bytes_read, 0);
    assert_int_equal(second.result.stats.files_unchanged, first.result.stats.files_new);
    print_message("second run: %u calls for %u files\n", (unsigned)(ntfs_double_calls(p.d) - calls),
        (unsigned)second.result.stats.files);
    place_free(&p);
}

/* What a run over files that did not change asks: a file's look by a handle is three calls
 * (opening, asking, closing), a folder's listing five and its own look. */
static void
test_calls(void **state)
{
    const size_t folders = 20, files = 50;
    struct place p;
    struct outcome o;
    uint64_t calls;
    char name[64];

    (void)state;
    place_new(&p);
    for (size_t i = 0; i < folders; i++) {
        for (size_t k = 0; k < files; k++) {
            (void)snprintf(name, sizeof name, "%zu/%zu", i, k);
            ntfs_double_text(p.d, at(&p, name), "x");
        }
    }
    site_run_well(&p.site, "first", &o);
    calls = ntfs_double_calls(p.d);
    site_run_well(&p.site, "second", &o);
    calls = ntfs_double_calls(p.d) - calls;
    assert_int_equal(o.result.stats.files_unchanged, folders * files);
    print_message(
        "%u calls for %zu files in %zu folders\n", (unsigned)calls, folders * files, folders);
    assert_true(calls <= 3 * folders * files + 8 * folders + 60);
    place_free(&p);
}

/* A database that stays open: its folder's line is as old as its opening. */
static void
test_open_writer(void **state)
{
    struct place p;
    struct outcome o;
    const struct sp_ntfs *t;
    struct sp_ntfs_handle *dir = NULL, *h = NULL;
    struct sp_err e = {0};
    struct sp_entry *en;

    (void)state;
    place_new(&p);
    ntfs_double_text(p.d, at(&p, "db"), "old");
    ntfs_double_text(p.d, at(&p, "other"), "x");
    site_run_well(&p.site, "first", &o);
    t = ntfs_double_table(p.d);
    assert_int_equal(t->open_path(t->self, p.files, NTFS_LIST, &dir, &e), SP_OK);
    assert_int_equal(t->open_at(t->self, dir, "db", NTFS_FILE, NTFS_WRITE, &h, &e), SP_OK);
    assert_int_equal(t->write(t->self, h, 0, "NEW AND MORE", 12, &e), SP_OK);
    site_run(&p.site, "second", &o);
    assert_int_equal(o.code, SP_OK);
    assert_int_equal(o.result.stats.files_changed, 1);
    assert_int_equal(o.result.stats.files_unchanged, 1);
    en = site_entry(&p.site, "db");
    assert_int_equal(en->size, 12);
    free(en);
    assert_int_equal(t->close(t->self, h, &e), SP_OK);
    assert_int_equal(t->close(t->self, dir, &e), SP_OK);
    place_free(&p);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_second_run),
        cmocka_unit_test(test_calls), cmocka_unit_test(test_open_writer)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
