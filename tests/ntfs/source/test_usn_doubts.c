/* In doubt a change journal saves nothing, and one sentence says why: whole runs over the double.
 */

#include <stdio.h>

#include "journaled.h"

enum doubt {
    DELETED,
    RECREATED,
    WRAPPED,
    DENIED,
    EXCHANGED,
    DAMAGED,
    SET_LOST,
    FILTER,
    JOB_ROOTS,
    REREAD,
    TOO_MANY,
    FAT
};

static void
damage(struct journaled *j)
{
    char path[512];
    FILE *f;

    assert_true(journaled_state(j, path));
    assert_non_null(f = fopen(path, "r+b"));
    assert_int_equal(fseek(f, 16, SEEK_SET), 0);
    assert_int_equal(fputc(0x5a, f), 0x5a);
    assert_int_equal(fclose(f), 0);
}

static void
make_doubt(struct journaled *j, enum doubt what)
{
    switch (what) {
    case DELETED:
        ntfs_double_journal_off(j->d, j->volume);
        break;
    case RECREATED:
        ntfs_double_journal(j->d, j->volume, 8);
        break;
    case WRAPPED:
        ntfs_double_journal_trim(j->d, j->volume, ntfs_double_journal_next(j->d, j->volume));
        break;
    case DENIED:
        ntfs_double_privileges(j->d, 0);
        break;
    case EXCHANGED: /* a clone with other days behind it: same numbers, other records */
        journaled_exchange(j);
        ntfs_double_set_now(j->d, ntfs_double_now(j->d) + NTFS_DOUBLE_SECOND);
        for (int i = 0; i < 30; i++)
            journaled_three(j);
        break;
    case DAMAGED:
        damage(j);
        break;
    case SET_LOST:
        assert_true(site_lose(&j->site, "sets/", 64) >= 2);
        site_reopen(&j->site);
        site_drop_cache(&j->site);
        break;
    case FILTER:
        j->patterns[0] = "*.log";
        break;
    case JOB_ROOTS:
        j->options.one_file_system = true;
        break;
    case REREAD:
        j->site.o.reread = true;
        break;
    case TOO_MANY:
        ntfs_double_write(j->d, journaled_at(j, "a"), 0, "A", 1);
        ntfs_double_write(j->d, journaled_at(j, "b"), 0, "B", 1);
        j->options.ids_most = 1;
        break;
    case FAT:
        ntfs_double_flags(j->d, j->volume, 0);
        break;
    }
}

static void
test_doubts(void **state)
{
    static const struct {
        enum doubt what;
        const char *told;
    } cases[] = {{DELETED, "the volume has none"}, {RECREATED, "made anew"},
        {WRAPPED, "are gone already"}, {DENIED, "only administrators"},
        {EXCHANGED, "not the one that was read last time"}, {DAMAGED, "damaged"},
        {SET_LOST, "no set to compare with"}, {FILTER, "exclude patterns"},
        {JOB_ROOTS, "exclude patterns"}, {REREAD, "read again"}, {TOO_MANY, "more than 1 files"},
        {FAT, "has none"}};
    struct outcome o;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct journaled j;
        uint64_t files;

        print_message("doubt %zu\n", i);
        journaled_new(&j);
        journaled_three(&j);
        journaled_settle(&j);
        make_doubt(&j, cases[i].what);
        journaled_well(&j, "doubted", &o);
        if (!journaled_told(&o, cases[i].told))
            fail_msg("%s", o.nnotes > 0 ? o.notes[0] : "nothing was told");
        assert_int_equal(o.result.stats.files_vouched + o.result.stats.journal_audited, 0);
        files = o.result.stats.files_changed + o.result.stats.files_unchanged +
                o.result.stats.files_new;
        assert_int_equal(files, 3);
        journaled_free(&j);
    }
}

/* The journal's own history goes on although the set was another. */
static void
test_recovers(void **state)
{
    struct journaled j;
    struct outcome o;

    (void)state;
    journaled_new(&j);
    journaled_three(&j);
    journaled_settle(&j);
    site_run_well(&j.site, "by hand, without", &o);
    journaled_well(&j, "another set", &o);
    assert_int_equal(o.result.stats.files_vouched, 0);
    journaled_well(&j, "its own", &o);
    assert_int_equal(o.result.stats.files_vouched, 3);
    ntfs_double_journal(j.d, j.volume, 9);
    journaled_well(&j, "made anew", &o);
    journaled_well(&j, "not restarted", &o);
    assert_int_equal(o.result.stats.files_vouched, 0);
    assert_true(journaled_told(&o, "restarted"));
    journaled_free(&j);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_doubts), cmocka_unit_test(test_recovers)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
