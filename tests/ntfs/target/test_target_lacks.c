/* Places that cannot have everything, and users who may not: what is lost is told once a kind, all
 * else comes back, and nothing is made up. */

#include <stdlib.h>
#include <string.h>

#include "round.h"
#include "tests/unit/base/support.h"

#define KEPT_ANYWHERE (NTFS_SAME_CONTENT | NTFS_SAME_MTIME)

static struct round *
restored_to(enum ntfs_double_kind kind, uint32_t without, unsigned may)
{
    struct round *r = round_new(kind);

    round_tree(r->a);
    ntfs_double_times(r->a, "C:/tree/a/plain", 0, 0, 130000000000000000, 0);
    round_take(r);
    if (without != 0)
        ntfs_double_flags(r->b, "D:/", 0x7FFFFFF & ~without & ~(unsigned)NTFS_FS_READ_ONLY);
    ntfs_double_privileges(r->b, may);
    round_restore(r, "D:/out");
    assert_int_equal(r->o.code, SP_OK);
    return r;
}

/* Looking for names touches times: last. */
static void
end(struct round *r)
{
    assert_int_equal(round_temporary(r), 0);
    round_free(r);
}

#define ALL_MAY (NTFS_MAY_BACKUP | NTFS_MAY_RESTORE | NTFS_MAY_SECURITY | NTFS_MAY_LINK)

/* NTFS without one thing at a time: exactly that is missing, and told. */
static void
one_thing(void **state)
{
    static const struct {
        uint32_t flag;
        unsigned lost;
        const char *note;
    } cases[] = {
        {NTFS_FS_ACLS, NTFS_SAME_SECURITY, "access control lists and owners"},
        {NTFS_FS_STREAMS, NTFS_SAME_STREAMS, "alternate data streams"},
        {NTFS_FS_EAS, NTFS_SAME_EAS, "extended attributes"},
        {NTFS_FS_OBJECT_IDS, NTFS_SAME_OBJECT_IDS, "object ids"},
        {NTFS_FS_COMPRESSION, NTFS_SAME_COMPRESSION, "compressed"},
        {NTFS_FS_SPARSE, NTFS_SAME_RANGES, "holes"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct round *r = restored_to(NTFS_DOUBLE_NTFS, cases[i].flag, ALL_MAY);

        assert_int_equal(r->o.nfaults, 0);
        assert_int_equal(r->o.nnotes, 1);
        if (!round_has_note(r, cases[i].note))
            fail_msg("%s: %s", cases[i].note, r->o.notes[0]);
        assert_true(r->o.stats.not_supported > 0);
        round_same(r, "D:/out/C/tree", NTFS_SAME_ALL & ~cases[i].lost);
        end(r);
    }
}

static const char *
fault_of(const struct round *r, const char *path)
{
    const char *text = outcome_fault(&r->o, path);

    if (text == NULL) {
        round_show(r);
        fail_msg("no fault at %s", path);
    }
    return text;
}

static void
encrypted_elsewhere(void **state)
{
    struct round *r = restored_to(NTFS_DOUBLE_NTFS, NTFS_FS_ENCRYPTION, ALL_MAY);

    (void)state;
    assert_int_equal(r->o.nfaults, 1);
    assert_non_null(strstr(fault_of(r, "C:/tree/d/encrypted"), "encrypted by Windows (EFS)"));
    assert_false(ntfs_double_exists(r->b, "D:/out/C/tree/d/encrypted"));
    end(r);
}

static void
no_links(void **state)
{
    struct round *r = restored_to(NTFS_DOUBLE_NTFS, NTFS_FS_HARD_LINKS, ALL_MAY);
    struct sp_ntfs_info info;

    (void)state;
    assert_int_equal(r->o.nfaults, 0);
    round_same(r, "D:/out/C/tree", NTFS_SAME_CONTENT); /* each a copy */
    ntfs_double_info(r->b, "D:/out/C/tree/third", &info);
    assert_int_equal(info.links, 1);
    end(r);
    r = restored_to(NTFS_DOUBLE_NTFS, NTFS_FS_REPARSE, ALL_MAY);
    assert_int_equal(r->o.nfaults, 3);
    assert_non_null(strstr(fault_of(r, "C:/tree/c/link"), "no links"));
    assert_non_null(strstr(fault_of(r, "C:/tree/c/junction"), "no links"));
    assert_false(ntfs_double_exists(r->b, "D:/out/C/tree/c/link"));
    end(r);
}

/* FAT, exFAT, ReFS, a share: whatever they lack, files are there with their bytes. */
static void
other_file_systems(void **state)
{
    static const enum ntfs_double_kind kinds[] = {
        NTFS_DOUBLE_FAT32, NTFS_DOUBLE_EXFAT, NTFS_DOUBLE_REFS, NTFS_DOUBLE_SMB};

    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct round *r = restored_to(kinds[i], 0, ALL_MAY);
        struct sp_buf large = SP_BUF_INIT, plain = SP_BUF_INIT;

        round_show(r);
        assert_true(r->o.nnotes > 0);
        assert_true(ntfs_double_read(r->b, "D:/out/C/tree/a/large", "", &large));
        assert_true(ntfs_double_read(r->b, "D:/out/C/tree/a/plain", "", &plain));
        assert_int_equal(large.len, 150000);
        assert_memory_equal(plain.data, "plain", 5);
        for (size_t n = 0; n < r->o.nnotes; n++) /* once each */
            for (size_t m = 0; m < n; m++)
                assert_string_not_equal(r->o.notes[n], r->o.notes[m]);
        sp_buf_free(&large);
        sp_buf_free(&plain);
        end(r);
    }
}

static void
privileges(void **state)
{
    struct round *r = restored_to(NTFS_DOUBLE_NTFS, 0, ALL_MAY & ~(unsigned)NTFS_MAY_SECURITY);

    (void)state;
    assert_int_equal(r->o.nfaults, 0);
    assert_int_equal(r->o.nnotes, 1);
    assert_true(round_has_note(r, "audited"));
    round_same(r, "D:/out/C/tree", NTFS_SAME_ALL & ~(unsigned)NTFS_SAME_SECURITY);
    end(r);
    r = restored_to(NTFS_DOUBLE_NTFS, 0, ALL_MAY & ~(unsigned)NTFS_MAY_LINK);
    assert_int_equal(r->o.nfaults, 2);
    assert_non_null(strstr(fault_of(r, "C:/tree/c/link"), "developer mode"));
    assert_false(ntfs_double_exists(r->b, "D:/out/C/tree/c/link"));
    end(r);
    r = restored_to(NTFS_DOUBLE_NTFS, 0, 0);
    assert_true(round_has_note(r, "owners cannot be set"));
    assert_true(round_has_note(r, "short names"));
    assert_true(round_has_note(r, "audited"));
    end(r);
}

/* What lies in the cloud: named, and no file of zeros. */
static void
in_the_cloud(void **state)
{
    struct round *r = round_new(NTFS_DOUBLE_NTFS);

    (void)state;
    ntfs_double_placeholder(r->a, "C:/tree/photo", 5000, NTFS_RECALL_ON_DATA, 0x9000601A);
    ntfs_double_placeholder(r->a, "C:/tree/tape", 5000, NTFS_OFFLINE, NTFS_TAG_HSM);
    ntfs_double_text(r->a, "C:/tree/dedup", "deduplicated");
    ntfs_double_filtered(r->a, "C:/tree/dedup", NTFS_TAG_DEDUP);
    round_take(r);
    round_restore(r, "D:/out");
    assert_int_equal(r->o.code, SP_OK);
    assert_int_equal(r->o.nfaults, 2);
    assert_non_null(strstr(fault_of(r, "C:/tree/photo"), "in the cloud"));
    assert_non_null(strstr(fault_of(r, "C:/tree/tape"), "in the cloud"));
    assert_false(ntfs_double_exists(r->b, "D:/out/C/tree/photo"));
    assert_false(ntfs_double_exists(r->b, "D:/out/C/tree/tape"));
    assert_int_equal(ntfs_double_recalls(r->a), 0);
    {
        struct sp_ntfs_info info;
        struct sp_buf b = SP_BUF_INIT;

        ntfs_double_info(r->b, "D:/out/C/tree/dedup", &info);
        assert_int_equal(info.reparse_tag, 0);
        assert_true(ntfs_double_read(r->b, "D:/out/C/tree/dedup", "", &b));
        assert_int_equal(b.len, 12);
        assert_memory_equal(b.data, "deduplicated", 12);
        sp_buf_free(&b);
    }
    assert_int_equal(r->o.nnotes, 0);
    end(r);
}

/* What was backed up through a mount point comes back into a folder; one that is empty is one
 * again. */
static void
mounted(void **state)
{
    static const char *const volume = "\\??\\Volume{00000000-0000-0000-0000-000000000001}\\";
    struct round *r = round_new(NTFS_DOUBLE_NTFS);
    struct sp_ntfs_info info;

    (void)state;
    ntfs_double_junction(r->a, "C:/tree/empty", volume);
    ntfs_double_junction(r->a, "C:/tree/full", volume);
    take_tree(&r->s, r->a, "C:/tree");
    set_text(&r->s, "C:/tree/full/file", "of another volume")->flags = SP_ENTRY_WINDOWS;
    set_commit(&r->s);
    round_restore(r, "D:/out");
    assert_int_equal(r->o.nfaults, 0);
    assert_int_equal(r->o.nnotes, 1);
    assert_true(round_has_note(r, "a mount point"));
    ntfs_double_info(r->b, "D:/out/C/tree/empty", &info);
    assert_int_equal(info.reparse_tag, NTFS_TAG_MOUNT_POINT);
    ntfs_double_info(r->b, "D:/out/C/tree/full", &info);
    assert_int_equal(info.reparse_tag, 0);
    assert_true(ntfs_double_exists(r->b, "D:/out/C/tree/full/file"));
    end(r);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_thing),
        cmocka_unit_test(encrypted_elsewhere),
        cmocka_unit_test(no_links),
        cmocka_unit_test(other_file_systems),
        cmocka_unit_test(privileges),
        cmocka_unit_test(in_the_cloud),
        cmocka_unit_test(mounted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
