/* The two halves together: a backup of one double by the client's own source, and a restore of it
 * to another. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/restore.h"
#include "tests/ntfs/double.h"
#include "tests/ntfs/feature_tree.h"
#include "tests/unit/base/support.h"
#include "tests/unit/client/site.h"

#define SHADOW "//?/GLOBALROOT/Device/HarddiskVolumeShadowCopy1/"

static void
on_fault(void *arg, const void *key, size_t n, const struct sp_err *why)
{
    (void)arg;
    (void)n;
    print_message("fault: %s: %s\n", (const char *)key, why->text);
}

static void
on_note(void *arg, const char *sentence)
{
    (void)arg;
    print_message("note: %s\n", sentence);
}

/* The harness backs up one folder of this machine, by its key: "tmp\0x\0files". Here the first
 * component is a volume. */
static void
there_and_back(void **state)
{
    struct site site;
    struct ntfs_double *a = ntfs_double_new(), *b = ntfs_double_new();
    enum feature_state made[FEATURE_COUNT];
    unsigned differences[FEATURE_COUNT] = {0}, all = 0;
    struct sp_restore_options o = {.target = "D:/out", .temp_dir = "/tmp/sp-test-restore"};
    struct sp_restore_events events = {.fault = on_fault, .note = on_note};
    struct sp_restore_stats stats;
    struct sp_buf report = SP_BUF_INIT;
    struct site_sets sets;
    struct outcome run;
    char files[128], volume[64], was[256], is[256];
    size_t top;

    (void)state;
    memset(&site, 0, sizeof site);
    site_new(&site, false);
    assert_true(snprintf(files, sizeof files, "%s/files", site.tree.path + 1) < (int)sizeof files);
    top = strcspn(files, "/");
    assert_true(snprintf(volume, sizeof volume, "%.*s/", (int)top, files) < (int)sizeof volume);
    assert_true(snprintf(was, sizeof was, SHADOW "%s", files + top + 1) < (int)sizeof was);
    assert_true(snprintf(is, sizeof is, "D:/out/%s", files) < (int)sizeof is);
    ntfs_double_volume(a, volume, NTFS_DOUBLE_NTFS);
    ntfs_double_folder(a, files);
    assert_ok(feature_tree_make(ntfs_double_table(a), files, made, stdout, e));
    ntfs_double_shadow(a, volume, SHADOW);
    /* The time of access is put forward by an hour at least, or not at all: reading live changes
     * none. */
    ntfs_double_set_now(a, INT64_C(129383352007654322) + 60 * NTFS_DOUBLE_SECOND);
    ntfs_double_set_here(a);
    site_run_well(&site, "backup", &run);
    assert_int_equal(run.nfaults, 0);
    sets = site_sets(&site);
    ntfs_double_volume(b, "D:/", NTFS_DOUBLE_NTFS);
    ntfs_double_set_here(b);
    assert_ok(sp_restore_run(
        &sp_env_system, site.repository, site.keys, &sets.newest.root, &o, &events, &stats, e));
    assert_int_equal(stats.faults, 0);
    assert_int_equal(stats.not_supported, 0);
    if (ntfs_double_compare(a, was, b, is, NTFS_SAME_ALL, &report) > 0)
        fail_msg("differences:\n%s", sp_buf_str(&report));
    assert_ok(feature_tree_compare(ntfs_double_table(a), was, ntfs_double_table(b), is,
        FEATURE_EXACT, differences, stdout, e));
    print_message("feature\tkept\trestored\n");
    for (int f = 0; f < FEATURE_COUNT; f++) {
        print_message("%s\t%s\t%s\n", feature_name((enum feature)f),
            made[f] == FEATURE_MADE ? "yes" : "no", differences[f] == 0 ? "yes" : "no");
        all += differences[f];
        assert_int_equal(made[f], FEATURE_MADE);
    }
    assert_int_equal(all, 0);
    assert_int_equal(ntfs_double_handles(a) + ntfs_double_handles(b), 0);
    sp_buf_free(&report);
    site_free(&site);
    ntfs_double_free(a);
    ntfs_double_free(b);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_and_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
