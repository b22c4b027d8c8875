/* What a silent change journal saves, and what it may not: whole runs over the double. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "journaled.h"

static void
assert_content(
    struct journaled *j, const char *name, uint64_t size, uint64_t changed, struct outcome *o)
{
    struct sp_entry *en = site_entry(&j->site, name);

    assert_non_null(en);
    assert_int_equal(en->size, size);
    free(en);
    assert_int_equal(o->result.stats.files_changed, changed);
}

/* What is saved, and that it can be turned off. */
static void
test_calls(void **state)
{
    const size_t folders = 20, files = 50;
    struct journaled j;
    struct outcome o;
    uint64_t calls[2];
    char name[64];

    (void)state;
    journaled_new(&j);
    for (size_t i = 0; i < folders; i++) {
        for (size_t k = 0; k < files; k++) {
            (void)snprintf(name, sizeof name, "%zu/%zu", i, k);
            ntfs_double_text(j.d, journaled_at(&j, name), "x");
        }
    }
    journaled_settle(&j);
    for (size_t i = 0; i < 2; i++) {
        calls[i] = ntfs_double_calls(j.d);
        if (i == 0)
            site_run_well(&j.site, "without", &o);
        else
            journaled_well(&j, "with", &o);
        calls[i] = ntfs_double_calls(j.d) - calls[i];
        assert_int_equal(o.result.stats.files_unchanged, folders * files);
        assert_int_equal(o.result.stats.bytes_read, 0);
        if (i == 0) { /* its set is another one than what is remembered belongs to */
            assert_int_equal(o.result.stats.files_vouched, 0);
            journaled_well(&j, "anew", &o);
            assert_true(journaled_told(&o, "not the one that it was read for"));
            assert_int_equal(o.result.stats.files_vouched, 0);
        }
    }
    assert_int_equal(o.nnotes, 0);
    assert_int_equal(o.result.stats.journal_differences, 0);
    assert_int_equal(
        o.result.stats.files_vouched + o.result.stats.journal_audited, folders * files);
    print_message("%u calls without, %u with; %u of %zu audited\n", (unsigned)calls[0],
        (unsigned)calls[1], (unsigned)o.result.stats.journal_audited, folders * files);
    assert_true(o.result.stats.journal_audited >= 10 && o.result.stats.journal_audited <= 70);
    assert_true(calls[1] <= 3 * o.result.stats.journal_audited + 8 * folders + 40);
    journaled_free(&j);
}

/* Every turn of the audit comes: thirty runs look at each file. */
static void
test_audit_turns(void **state)
{
    struct journaled j;
    struct outcome o;
    uint64_t audited = 0;

    (void)state;
    journaled_new(&j);
    journaled_three(&j);
    j.site.o.usn_audit = 5;
    journaled_settle(&j);
    for (int i = 0; i < 5; i++) {
        journaled_well(&j, "turn", &o);
        audited += o.result.stats.journal_audited;
    }
    assert_int_equal(audited, 3);
    journaled_free(&j);
}

enum change { WRITTEN, RENAMED, REPLACED, LINKED, SECURITY, STREAM, EA, REMOVED, ATTRIBUTES };

static void
do_change(struct journaled *j, enum change what)
{
    char to[512];
    struct sp_ntfs_info was;

    switch (what) {
    case WRITTEN:
        ntfs_double_write(j->d, journaled_at(j, "a"), 0, "AAA", 3);
        break;
    case RENAMED:
        (void)snprintf(to, sizeof to, "%s", journaled_at(j, "c"));
        ntfs_double_rename(j->d, journaled_at(j, "a"), to);
        break;
    case REPLACED: /* same size, times put back */
        ntfs_double_info(j->d, journaled_at(j, "a"), &was);
        ntfs_double_remove(j->d, journaled_at(j, "a"));
        ntfs_double_text(j->d, journaled_at(j, "a"), "AAA");
        ntfs_double_times(j->d, journaled_at(j, "a"), was.btime, was.atime, was.mtime, was.ctime);
        break;
    case LINKED: /* written by its other name: the listing of this one stays as it is */
        (void)snprintf(to, sizeof to, "%s", journaled_at(j, "other"));
        ntfs_double_write(j->d, to, 0, "BBBB", 4);
        break;
    case SECURITY:
        ntfs_double_security(j->d, journaled_at(j, "a"), "D:(A;;FA;;;WD)");
        break;
    case STREAM:
        ntfs_double_stream(j->d, journaled_at(j, "a"), "s", "x", 1);
        break;
    case EA:
        ntfs_double_ea(j->d, journaled_at(j, "a"), "E", "x", 1, 0);
        break;
    case REMOVED:
        ntfs_double_remove(j->d, journaled_at(j, "a"));
        break;
    case ATTRIBUTES:
        ntfs_double_attributes(j->d, journaled_at(j, "a"), NTFS_HIDDEN);
        break;
    }
}

static void
test_changes(void **state)
{
    static const struct {
        enum change what;
        unsigned changed, added, vouched; /* of a, b, db, other */
    } cases[] = {{WRITTEN, 1, 0, 3}, {RENAMED, 0, 1, 3}, {REPLACED, 1, 0, 3}, {LINKED, 2, 0, 2},
        {SECURITY, 1, 0, 3}, {STREAM, 1, 0, 3}, {EA, 1, 0, 3}, {REMOVED, 0, 0, 3},
        {ATTRIBUTES, 1, 0, 3}};
    struct outcome o;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct journaled j;
        char to[512];

        journaled_new(&j);
        journaled_three(&j);
        (void)snprintf(to, sizeof to, "%s", journaled_at(&j, "other"));
        ntfs_double_link(j.d, journaled_at(&j, "b"), to);
        journaled_settle(&j);
        do_change(&j, cases[i].what);
        journaled_well(&j, "changed", &o);
        print_message("case %zu\n", i);
        assert_int_equal(o.nnotes, 0);
        assert_int_equal(o.result.stats.files_changed, cases[i].changed);
        assert_int_equal(o.result.stats.files_new, cases[i].added);
        assert_int_equal(o.result.stats.files_vouched, cases[i].vouched);
        journaled_well(&j, "and again", &o);
        assert_int_equal(o.result.stats.files_changed + o.result.stats.files_new, 0);
        assert_int_equal(o.result.stats.files_vouched, cases[i].what == REMOVED ? 3 : 4);
        journaled_free(&j);
    }
}

/* A database that is open for days: the second time it leaves no record. */
static void
test_open_writer(void **state)
{
    struct journaled j;
    struct outcome o;
    struct sp_ntfs_handle *h;

    (void)state;
    journaled_new(&j);
    journaled_three(&j);
    journaled_settle(&j);
    h = journaled_open(&j, "db");
    journaled_write(&j, h, "longer");
    journaled_well(&j, "written", &o);
    assert_content(&j, "db", 6, 1, &o);
    for (int i = 0; i < 3; i++) {
        journaled_write(&j, h, i == 0 ? "LONGER" : i == 1 ? "lOnger" : "loNger");
        journaled_well(&j, "and again", &o);
        assert_int_equal(o.result.stats.files_changed, 1);
        assert_int_equal(o.result.stats.files_vouched, 2);
    }
    journaled_well(&j, "open and not written", &o);
    assert_int_equal(o.result.stats.files_changed, 0);
    assert_int_equal(o.result.stats.files_vouched, 2); /* who knows */
    journaled_close(&j, h);
    journaled_well(&j, "closed", &o);
    assert_int_equal(o.result.stats.files_vouched, 2);
    journaled_well(&j, "long closed", &o);
    assert_int_equal(o.result.stats.files_vouched, 3);
    journaled_free(&j);
}

/* It was open before the journal's oldest record: nothing of it is known until the machine is
 * restarted. */
static void
test_open_before_all(void **state)
{
    struct journaled j;
    struct outcome o;
    struct sp_ntfs_handle *h;

    (void)state;
    journaled_new(&j);
    journaled_three(&j);
    h = journaled_open(&j, "db");
    journaled_write(&j, h, "one");
    ntfs_double_text(j.d, journaled_at(&j, "b"), "bbb");
    ntfs_double_journal_trim(j.d, j.volume, ntfs_double_journal_next(j.d, j.volume));
    journaled_well(&j, "first", &o);
    for (int i = 0; i < 3; i++) {
        journaled_write(&j, h, i == 0 ? "two" : i == 1 ? "TWO" : "Two");
        journaled_well(&j, "silent", &o);
        assert_int_equal(o.result.stats.files_changed, 1);
        assert_int_equal(o.result.stats.files_vouched, 0);
        assert_true(journaled_told(&o, "restarted"));
    }
    journaled_write(&j, h, "bye"); /* up to the crash, which closes nothing */
    ntfs_double_journal_mute(j.d, j.volume, true);
    journaled_close(&j, h);
    ntfs_double_journal_mute(j.d, j.volume, false);
    journaled_restart(&j);
    journaled_well(&j, "after the restart", &o);
    assert_int_equal(o.result.stats.files_changed, 1);
    assert_int_equal(o.result.stats.files_vouched, 0);
    journaled_well(&j, "settled", &o);
    assert_int_equal(o.result.stats.files_vouched, 3);
    journaled_free(&j);
}

static void
take_shadow(struct journaled *j, void *arg)
{
    struct sp_ntfs_handle **h = arg;
    static char name[64];

    if (h[0] != NULL)
        journaled_write(j, h[0], "before");
    (void)snprintf(
        name, sizeof name, "//?/GLOBALROOT/Shadow%u/", (unsigned)ntfs_double_calls(j->d));
    ntfs_double_shadow(j->d, j->volume, name);
    if (h[1] != NULL)
        journaled_write(j, h[1], "behind");
    j->views[0] = (struct sp_view_map){.key = (const uint8_t *)""};
    j->views[1] = (struct sp_view_map){.key = (const uint8_t *)j->volume,
        .key_len = strlen(j->volume) - 1,
        .read_path = name,
        .shadow = true};
    j->site.o.source.views = j->views;
    j->site.o.source.nviews = 2;
}

/* What is written while the shadow is made is in this set or in the next one. */
static void
test_shadow(void **state)
{
    struct journaled j;
    struct outcome o;
    struct sp_ntfs_handle *h[2] = {NULL, NULL};

    (void)state;
    journaled_new(&j);
    journaled_three(&j);
    j.between = take_shadow;
    j.arg = h;
    journaled_settle(&j);
    journaled_well(&j, "quiet", &o);
    assert_int_equal(o.result.stats.files_vouched, 3);
    h[0] = journaled_open(&j, "a");
    h[1] = journaled_open(&j, "b");
    journaled_well(&j, "written", &o);
    assert_content(&j, "a", 6, 1, &o);
    assert_content(&j, "b", 3, 1, &o);
    journaled_close(&j, h[0]);
    h[0] = NULL;
    ntfs_double_journal_mute(j.d, j.volume, true); /* nothing more of b */
    journaled_well(&j, "the next", &o);
    ntfs_double_journal_mute(j.d, j.volume, false);
    assert_content(&j, "b", 6, 1, &o);
    assert_int_equal(o.nnotes, 0);
    assert_int_equal(o.result.stats.files_vouched, 1); /* db */
    journaled_close(&j, h[1]);
    journaled_free(&j);
}

/* --- the audit -----------------------------------------------------------------------------------
 */

static void
test_lies(void **state)
{
    struct journaled j;
    struct outcome o;
    struct sp_ntfs_handle *h;
    char path[512];

    (void)state;
    journaled_new(&j);
    journaled_three(&j);
    journaled_settle(&j);
    h = journaled_open(&j, "b");
    ntfs_double_journal_mute(j.d, j.volume, true);
    journaled_write(&j, h, "changed");
    ntfs_double_journal_mute(j.d, j.volume, false);
    journaled_well(&j, "believed", &o); /* that is the risk, and what the audit is for */
    assert_int_equal(o.result.stats.files_vouched, 3);
    j.site.o.usn_audit = 1;
    journaled_well(&j, "audited", &o);
    assert_int_equal(o.result.stats.journal_differences, 1);
    assert_int_equal(o.result.stats.files_vouched, 0);
    assert_int_equal(o.result.stats.journal_audited, 2); /* a, b; not db behind it */
    assert_content(&j, "b", 7, 1, &o);
    assert_false(journaled_state(&j, path));
    j.site.o.usn_audit = 1000003;
    journaled_well(&j, "not believed", &o);
    assert_true(journaled_told(&o, "first run that reads it"));
    assert_int_equal(o.result.stats.files_vouched, 0);
    journaled_close(&j, h);
    journaled_free(&j);
}

/* Live, a file may change after the journal was read, or its folder go away: that is no lie. */
static void
change_late(void *arg, struct ntfs_double *d, uint64_t nth, const char *call, const char *path)
{
    struct journaled *j = arg;
    size_t n = strlen(path);
    char to[512];

    (void)nth;
    if (strcmp(call, "open_at") != 0 || n < 6)
        return;
    if (strcmp(path + n - 2, "/b") == 0) {
        ntfs_double_hook(d, NULL, NULL);
        ntfs_double_write(d, journaled_at(j, "b"), 0, "later", 5);
    } else if (strcmp(path + n - 6, "/dir/f") == 0) {
        ntfs_double_hook(d, NULL, NULL);
        (void)snprintf(to, sizeof to, "%s", journaled_at(j, "gone"));
        ntfs_double_rename(d, journaled_at(j, "dir/f"), to);
        ntfs_double_text(d, journaled_at(j, "dir/f"), "another");
    }
}

static void
test_late(void **state)
{
    struct outcome o;

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct journaled j;

        journaled_new(&j);
        journaled_three(&j);
        if (i == 1) {
            ntfs_double_remove(j.d, journaled_at(&j, "b"));
            ntfs_double_text(j.d, journaled_at(&j, "dir/f"), "one");
        }
        journaled_settle(&j);
        j.site.o.usn_audit = 1;
        ntfs_double_hook(j.d, change_late, &j);
        journaled_well(&j, "changed meanwhile", &o);
        if (i == 0)
            assert_content(&j, "b", 5, 1, &o);
        assert_int_equal(o.result.stats.journal_audited, 3);
        assert_int_equal(o.result.stats.journal_differences, 0);
        journaled_well(&j, "and then", &o);
        assert_int_equal(o.nnotes, 0);
        assert_int_equal(o.result.stats.journal_audited, 2);
        journaled_free(&j);
    }
}

/* --- the n-th call fails -------------------------------------------------------------------------
 */

static void
test_failing_calls(void **state)
{
    uint64_t n = 1;
    bool done = false;

    (void)state;
    for (; !done; n++) {
        struct journaled j;
        struct outcome o;
        struct sp_ntfs_handle *h;
        uint64_t before;

        journaled_new(&j);
        journaled_three(&j);
        journaled_settle(&j);
        h = journaled_open(&j, "db");
        journaled_write(&j, h, "longer");
        before = ntfs_double_calls(j.d);
        ntfs_double_fail(j.d, n, SP_IO);
        journaled_run(&j, "one call fails", &o);
        done = ntfs_double_calls(j.d) - before < n;
        ntfs_double_fail(j.d, 0, SP_OK);
        if (o.code == SP_OK && o.result.state == SP_SET_COMPLETE)
            assert_content(&j, "db", 6, o.result.stats.files_changed, &o);
        journaled_write(&j, h, "LoNgEr and longer");
        journaled_run(&j, "whole again", &o);
        assert_int_equal(o.code, SP_OK);
        assert_content(&j, "db", 17, o.result.stats.files_changed, &o);
        journaled_close(&j, h);
        journaled_free(&j);
    }
    print_message("%u calls failed\n", (unsigned)n - 1);
    assert_true(n > 20);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_calls),
        cmocka_unit_test(test_audit_turns), cmocka_unit_test(test_changes),
        cmocka_unit_test(test_open_writer), cmocka_unit_test(test_open_before_all),
        cmocka_unit_test(test_shadow), cmocka_unit_test(test_lies), cmocka_unit_test(test_late),
        cmocka_unit_test(test_failing_calls)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
