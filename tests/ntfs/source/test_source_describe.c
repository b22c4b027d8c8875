/* What is kept of an object beside its content: docs/format.md §10, ntfs_meta.h. */

#include "walk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CLOUD UINT32_C(0x9000001A)

static void
expect(const struct sp_item *it, const char *name, const void *p, size_t n)
{
    const struct sp_attribute *a = nwalk_attribute(it, name);

    assert_int_equal(a->len, n);
    assert_memory_equal(a->value, p, n);
}

static void
test_everything(void **state)
{
    static const uint8_t id[16] = {1, 2, 3};
    struct nwalk w;
    struct sp_item *it;
    struct sp_buf sd = SP_BUF_INIT;
    const struct sp_attribute *a;

    (void)state;
    nwalk_new(&w);
    ntfs_double_text(w.d, "C:/A long name.txt", "hello");
    ntfs_double_security(w.d, "C:/A long name.txt", "O:BAG:SYD:P(A;;FA;;;SY)S:(AU;SAFA;FW;;;WD)");
    ntfs_double_ea(w.d, "C:/A long name.txt", "COMMENT", "ea", 2, 0);
    ntfs_double_object_id(w.d, "C:/A long name.txt", id);
    ntfs_double_stream(w.d, "C:/A long name.txt", "Zone.Identifier", "[ZoneTransfer]", 14);
    ntfs_double_stream(w.d, "C:/A long name.txt", "empty", "", 0);
    ntfs_double_short_name(w.d, "C:/A long name.txt", "ALONG~1.TXT");
    ntfs_double_attributes(
        w.d, "C:/A long name.txt", NTFS_HIDDEN | NTFS_SYSTEM | NTFS_READONLY | NTFS_ARCHIVE);
    ntfs_double_link(w.d, "C:/A long name.txt", "C:/second");
    ntfs_double_text(w.d, "C:/plain", "x");
    ntfs_double_text(w.d, "C:/packed", "x");
    ntfs_double_compress(w.d, "C:/packed");
    ntfs_double_folder(w.d, "C:/dir");
    ntfs_double_stream(w.d, "C:/dir", "on a folder", "s", 1);
    nwalk_root(&w, "C:/");
    nwalk_run(&w);
    it = nwalk_described(&w, "C:/A long name.txt");
    assert_int_equal(sp_ntfs_attributes_of(it->entry) & 0x27,
        NTFS_HIDDEN | NTFS_SYSTEM | NTFS_READONLY | NTFS_ARCHIVE);
    ntfs_double_sddl("O:BAG:SYD:P(A;;FA;;;SY)S:(AU;SAFA;FW;;;WD)", &sd);
    a = nwalk_attribute(it, WINDOWS_SECURITY);
    assert_true(sp_ntfs_security_ok(a->value, a->len));
    assert_int_equal(a->len, sd.len);
    assert_true(sp_ntfs_ea_ok(
        nwalk_attribute(it, WINDOWS_EA)->value, nwalk_attribute(it, WINDOWS_EA)->len));
    a = nwalk_attribute(it, WINDOWS_OBJECT_ID);
    assert_int_equal(a->len, 64);
    assert_memory_equal(a->value, id, 16);
    expect(it, WINDOWS_STREAM "Zone.Identifier", "[ZoneTransfer]", 14);
    expect(it, WINDOWS_STREAM "empty", "", 0);
    expect(it, WINDOWS_SHORT_NAME, "ALONG~1.TXT", 11);
    assert_int_equal(it->entry->links, 2);
    for (size_t i = 1; i < it->entry->nattributes; i++)
        assert_true(strcmp(it->entry->attributes[i - 1].name, it->entry->attributes[i].name) < 0);
    it = nwalk_described(&w, "C:/plain");
    assert_false(nwalk_has(it, WINDOWS_EA));
    assert_false(nwalk_has(it, WINDOWS_OBJECT_ID)); /* and asking has made none */
    assert_false(nwalk_has(nwalk_described(&w, "C:/plain"), WINDOWS_OBJECT_ID));
    assert_true(
        (sp_ntfs_attributes_of(nwalk_described(&w, "C:/packed")->entry) & NTFS_COMPRESSED) != 0);
    expect(nwalk_described(&w, "C:/dir"), WINDOWS_STREAM "on a folder", "s", 1);
    assert_int_equal(w.notes.len, 0);
    sp_buf_free(&sd);
    nwalk_free(&w);
}

static void
test_links(void **state)
{
    struct nwalk w;
    struct sp_item *it;

    (void)state;
    nwalk_new(&w);
    ntfs_double_symlink(w.d, "C:/rel", "..\\x y", false, true);
    ntfs_double_symlink(w.d, "C:/abs", "\\??\\C:\\dir\\f", false, false);
    ntfs_double_junction(w.d, "C:/junction", "\\??\\C:\\dir");
    nwalk_root(&w, "C:/");
    nwalk_run(&w);
    it = nwalk_described(&w, "C:/rel");
    assert_int_equal(it->entry->target_len, 6);
    assert_memory_equal(it->entry->target, "../x y", 6);
    assert_true(nwalk_has(it, WINDOWS_REPARSE));
    it = nwalk_described(&w, "C:/abs");
    assert_memory_equal(it->entry->target, "C:/dir/f", 8);
    it = nwalk_described(&w, "C:/junction");
    assert_memory_equal(it->entry->target, "C:/dir", 6);
    assert_true(nwalk_has(it, WINDOWS_REPARSE));
    nwalk_free(&w);
}

static void
test_no_privileges(void **state)
{
    struct nwalk w;
    struct sp_item *it;
    struct sp_err e = {0};

    (void)state;
    nwalk_new(&w);
    ntfs_double_privileges(w.d, 0);
    ntfs_double_text(w.d, "C:/a", "x");
    ntfs_double_text(w.d, "C:/b", "x");
    ntfs_double_text(w.d, "C:/dir/f", "x");
    ntfs_double_deny(w.d, "C:/b", NTFS_DOUBLE_DENY);
    ntfs_double_deny(w.d, "C:/dir", NTFS_DOUBLE_DENY);
    nwalk_root(&w, "C:/");
    nwalk_run(&w);
    (void)nwalk_described(&w, "C:/a"); /* no fault for the SACL that is missing */
    it = nwalk_need(&w, "C:/b");
    assert_int_equal(sp_item_describe(it, &e), SP_OK);
    assert_non_null(it->fault);
    assert_int_equal(it->fault->kind, SP_FAULT_ATTRIBUTES);
    assert_non_null(strstr(it->fault->text, "security descriptor"));
    assert_true((it->entry->flags & SP_ENTRY_UNREADABLE) != 0);
    it = nwalk_need(&w, "C:/dir");
    assert_int_equal(it->fault->kind, SP_FAULT_FOLDER);
    sp_buf_reset(&w.notes);
    assert_true(sp_source_note(w.source, 0, &w.notes));
    assert_non_null(strstr(sp_buf_str(&w.notes), "SACL"));
    assert_false(sp_source_note(w.source, 1, &w.notes));
    nwalk_free(&w);
}

static void
test_other_file_systems(void **state)
{
    static const enum ntfs_double_kind kinds[] = {
        NTFS_DOUBLE_REFS, NTFS_DOUBLE_FAT32, NTFS_DOUBLE_EXFAT, NTFS_DOUBLE_SMB};

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        struct nwalk w;
        struct sp_item *it;
        struct sp_buf content = SP_BUF_INIT;
        struct sp_err e = {0};
        uint64_t holes;
        bool changed;

        nwalk_new(&w);
        ntfs_double_volume(w.d, "D:/", kinds[i]);
        ntfs_double_text(w.d, "D:/dir/f", "hello");
        nwalk_root(&w, "D:/");
        nwalk_run(&w);
        it = nwalk_described(&w, "D:/dir/f");
        assert_true(nwalk_has(it, WINDOWS_ATTRIBUTES));
        assert_int_equal(nwalk_has(it, WINDOWS_SECURITY),
            kinds[i] == NTFS_DOUBLE_REFS || kinds[i] == NTFS_DOUBLE_SMB);
        (void)nwalk_described(&w, "D:/dir");
        assert_int_equal(nwalk_read(it, &content, &holes, &changed, &e), SP_OK);
        assert_int_equal(content.len, 5);
        assert_false(changed);
        sp_buf_free(&content);
        nwalk_free(&w);
    }
}

static void
test_placeholders(void **state)
{
    struct nwalk w;
    struct sp_item *it;
    struct sp_buf content = SP_BUF_INIT;
    struct sp_err e = {0};
    static const char *const away[] = {"C:/cloud", "C:/hsm", "C:/on open"};
    uint64_t holes;
    bool changed;

    (void)state;
    nwalk_new(&w);
    ntfs_double_placeholder(w.d, "C:/cloud", 100000, NTFS_OFFLINE | NTFS_RECALL_ON_DATA, CLOUD);
    ntfs_double_placeholder(w.d, "C:/hsm", 100000, NTFS_OFFLINE, NTFS_TAG_HSM);
    ntfs_double_placeholder(w.d, "C:/on open", 100000, NTFS_RECALL_ON_OPEN, CLOUD);
    ntfs_double_stream(w.d, "C:/cloud", "s", "x", 1);
    ntfs_double_text(w.d, "C:/here", "offline, says someone");
    ntfs_double_attributes(w.d, "C:/here", NTFS_OFFLINE);
    nwalk_root(&w, "C:/");
    nwalk_run(&w);
    for (size_t i = 0; i < 3; i++) {
        it = nwalk_described(&w, away[i]);
        assert_int_equal(it->entry->type, SP_ENTRY_FILE);
        assert_true((it->entry->flags & SP_ENTRY_AWAY) != 0);
        assert_int_equal(it->entry->size, 100000);
        assert_true(nwalk_has(it, WINDOWS_ATTRIBUTES));
        assert_int_equal(sp_item_refresh(it, &e), SP_OK);
        sp_buf_reset(&content);
        assert_int_equal(nwalk_read(it, &content, &holes, &changed, &e), SP_OK);
        assert_int_equal(holes, 100000);
        assert_int_equal(it->entry->extra, 0);
    }
    assert_true(nwalk_has(nwalk_need(&w, "C:/cloud"), WINDOWS_REPARSE));
    assert_int_equal(ntfs_double_recalls(w.d), 0);
    it = nwalk_described(&w, "C:/here");
    assert_true((it->entry->flags & SP_ENTRY_AWAY) == 0);
    sp_buf_free(&content);
    sp_buf_reset(&w.notes);
    for (size_t i = 0; sp_source_note(w.source, i, &w.notes); i++)
        sp_buf_put_u8(&w.notes, '\n');
    assert_non_null(strstr(sp_buf_str(&w.notes), "1 files would be fetched"));
    assert_non_null(strstr(sp_buf_str(&w.notes), "alternate streams, which were not read"));
    nwalk_free(&w);
}

/* What a listing has of a file with several names may be old. */
static void
test_stale_listing(void **state)
{
    struct nwalk w;
    struct sp_item *it;
    struct sp_err e = {0};

    (void)state;
    nwalk_new(&w);
    ntfs_double_text(w.d, "C:/a", "1");
    ntfs_double_link(w.d, "C:/a", "C:/b");
    ntfs_double_write(w.d, "C:/a", 0, "12345678", 8); /* by this name: the other's line is old */
    nwalk_root(&w, "C:/");
    nwalk_run(&w);
    it = nwalk_need(&w, "C:/b");
    assert_int_equal(it->entry->size, 1);
    assert_int_equal(it->entry->links, 0); /* a listing does not say */
    assert_int_equal(sp_item_refresh(it, &e), SP_OK);
    assert_int_equal(it->entry->size, 8);
    assert_int_equal(it->entry->links, 2);
    ntfs_double_remove(w.d, "C:/b");
    assert_int_equal(sp_item_refresh(it, &e), SP_ABSENT);
    assert_int_equal(sp_item_describe(it, &e), SP_ABSENT);
    assert_int_equal(e.domain, SP_DOM_SOURCE);
    nwalk_free(&w);
}

static void
test_long_streams(void **state)
{
    struct nwalk w;
    struct sp_item *it;
    struct sp_err e = {0};
    uint8_t *big = calloc(1, 70000);

    (void)state;
    assert_non_null(big);
    nwalk_new(&w);
    ntfs_double_folder(w.d, "C:/dir");
    ntfs_double_stream(w.d, "C:/dir", "long", big, 70000);
    ntfs_double_stream(w.d, "C:/dir", "short", "s", 1);
    nwalk_root(&w, "C:/");
    nwalk_run(&w);
    it = nwalk_need(&w, "C:/dir");
    assert_int_equal(sp_item_describe(it, &e), SP_OK);
    assert_non_null(it->fault); /* named, never silent */
    assert_int_equal(it->fault->kind, SP_FAULT_ATTRIBUTES);
    assert_non_null(strstr(it->fault->text, "long"));
    assert_true(nwalk_has(it, WINDOWS_STREAM "short"));
    free(big);
    nwalk_free(&w);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_everything),
        cmocka_unit_test(test_links), cmocka_unit_test(test_no_privileges),
        cmocka_unit_test(test_other_file_systems), cmocka_unit_test(test_placeholders),
        cmocka_unit_test(test_stale_listing), cmocka_unit_test(test_long_streams)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
