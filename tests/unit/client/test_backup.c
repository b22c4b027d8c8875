/* The backup pipeline over quiet trees: what a run reads, asks, sends, and says. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "tests/unit/client/site.h"

#define MIB ((size_t)1 << 20)

static void
small_tree(struct site *s)
{
    site_file(s, "a", "one", 3);
    site_file(s, "empty", "", 0);
    site_file(s, "folder/b", "two", 3);
    site_random_file(s, "folder/deeper/large", 3 * MIB, 1);
    tree_symlink(&s->tree, "files/link", "folder/b");
    tree_fifo(&s->tree, "files/fifo");
    tree_dir(&s->tree, "files/nothing in it");
}

static void
round_trip_over(bool folder)
{
    struct site s;
    struct outcome o;

    site_new(&s, folder);
    small_tree(&s);
    site_run_well(&s, "first", &o);
    assert_int_equal(o.result.stats.files, 4);
    assert_int_equal(o.result.stats.files_new, 4);
    assert_int_equal(o.result.stats.bytes, 3 * MIB + 6);
    assert_int_equal(o.result.stats.bytes_read, 3 * MIB + 6);
    assert_int_equal(o.result.sequence, 1);
    assert_false(o.result.from_checkpoint);
    assert_false(o.result.chain_broken);
    site_assert_equal(&s);

    site_reopen(&s);
    site_file(&s, "folder/b", "three", 5);
    tree_remove(&s.tree, "files/a");
    site_run_well(&s, "second", &o);
    assert_int_equal(o.result.sequence, 2);
    assert_int_equal(o.result.stats.files_changed, 1);
    assert_int_equal(o.result.stats.files_new, 0);
    assert_int_equal(o.result.stats.files_unchanged, 2);
    assert_int_equal(o.result.stats.bytes_read, 5);
    assert_int_equal(site_sets(&s).sets, 2);
    site_assert_equal(&s);
    site_free(&s);
}

static void
test_round_trip(void **state)
{
    (void)state;
    round_trip_over(false);
    round_trip_over(true);
}

static size_t
questions(const struct site *s)
{
    const size_t *c = s->wrap.calls;

    return c[WRAP_HAVE] + c[WRAP_GET] + c[WRAP_HEAD] + c[WRAP_HOST] + c[WRAP_INFO];
}

/* A handful of questions, whatever the number of files; nothing is read, nothing new but the
 * record. */
static void
test_unchanged(void **state)
{
    static const size_t sizes[] = {30, 3000};
    struct site s;
    struct outcome o;

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        site_new(&s, false);
        site_many(&s, "many", sizes[i], 40);
        site_run_well(&s, "first", &o);
        assert_int_equal(o.result.stats.files, sizes[i]);
        for (int again = 0; again < 2; again++) {
            site_reopen(&s);
            site_run_well(&s, "unchanged", &o);
            assert_int_equal(o.result.stats.files_unchanged, sizes[i]);
            assert_int_equal(o.result.stats.bytes_read, 0);
            /* The folders above the root are others' to change: nodes of that. */
            assert_true(o.result.stats.chunks_new <= 3);
            assert_true(s.wrap.calls[WRAP_PUT] <= 1);
            assert_true(s.wrap.bytes_put < 100000);
            assert_int_equal(s.wrap.calls[WRAP_COMMIT], 1);
            assert_int_equal(s.wrap.calls[WRAP_GET], 0);
            assert_true(questions(&s) <= 5);
        }
        /* Without the cache the nodes come from the store, many at a time. */
        site_drop_cache(&s);
        site_reopen(&s);
        site_run_well(&s, "without the cache", &o);
        assert_true(s.wrap.calls[WRAP_PUT] <= 1);
        assert_true(questions(&s) <= 12);
        site_assert_equal(&s);
        site_free(&s);
    }
}

/* One folder changes among many: the questions are about the way to it. */
static void
test_little_changed(void **state)
{
    struct site s;
    struct outcome o;

    (void)state;
    site_new(&s, false);
    site_many(&s, "many", 3000, 40);
    site_run_well(&s, "first", &o);
    site_reopen(&s);
    site_file(&s, "many/003/new", "x", 1);
    site_run_well(&s, "second", &o);
    assert_int_equal(o.result.stats.files_new, 1);
    assert_true(s.wrap.calls[WRAP_HAVE] <= 8);
    assert_true(s.wrap.ids_asked <= 8);
    assert_int_equal(o.result.stats.bytes_read, 1);
    site_free(&s);
}

static void
test_changed_byte_of_a_large_file(void **state)
{
    struct site s;
    struct outcome o;
    int fd;

    (void)state;
    site_new(&s, false);
    site_random_file(&s, "large", 50 * MIB, 7);
    site_run_well(&s, "first", &o);
    assert_true(o.result.stats.bytes_new >= 50 * MIB);
    site_reopen(&s);
    fd = tree_open(&s.tree, "files/large", O_WRONLY);
    assert_int_equal(pwrite(fd, "!", 1, 20 * MIB), 1);
    close(fd);
    site_run_well(&s, "second", &o);
    assert_int_equal(o.result.stats.files_changed, 1);
    assert_int_equal(o.result.stats.bytes_read, 50 * MIB);
    /* The chunk, a list node or two, the folders above. */
    assert_true(o.result.stats.chunks_new <= 8);
    assert_true(o.result.stats.bytes_new <= 2 * MIB);
    assert_true(s.wrap.ids_asked <= 12);
    site_assert_equal(&s);
    site_free(&s);
}

/* What was changed within two seconds of the run is read again, whatever its times say. */
static void
test_same_size_rewrite(void **state)
{
    struct site s;
    struct outcome o;
    struct stat st;
    struct timespec times[2];
    struct sp_entry *en;
    char *path;

    (void)state;
    site_new(&s, false);
    s.settled = false;
    site_file(&s, "f", "before", 6);
    site_run_well(&s, "first", &o);
    en = site_entry(&s, "f");
    assert_true((en->flags & SP_ENTRY_RECHECK) != 0);
    free(en);
    /* With mtime put back; ctime cannot be, so it may differ: what RECHECK catches is a rewrite in
     * the very same tick. */
    path = tree_path(&s.tree, "files/f");
    assert_int_equal(stat(path, &st), 0);
    site_file(&s, "f", "after!", 6);
    times[0] = st.st_atim;
    times[1] = st.st_mtim;
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    free(path);
    site_reopen(&s);
    site_run_well(&s, "second", &o);
    assert_int_equal(o.result.stats.files_changed, 1);
    site_assert_equal(&s);
    /* And what did not change since is read once more, and then no longer. */
    site_reopen(&s);
    s.settled = true;
    site_run_well(&s, "third", &o);
    assert_int_equal(o.result.stats.files_changed, 1);
    assert_int_equal(o.result.stats.bytes_read, 6);
    assert_true(o.result.stats.chunks_new >= 1); /* the node without the flag */
    site_reopen(&s);
    site_run_well(&s, "fourth", &o);
    assert_int_equal(o.result.stats.files_unchanged, 1);
    assert_int_equal(o.result.stats.bytes_read, 0);
    site_free(&s);
}

static void
test_hard_links(void **state)
{
    struct site s;
    struct outcome o;
    struct sp_entry *a, *b;

    (void)state;
    site_new(&s, false);
    site_random_file(&s, "one", 300000, 1);
    tree_link(&s.tree, "files/one", "files/zwei");
    site_run_well(&s, "first", &o);
    for (int run = 0; run < 3; run++) {
        assert_non_null(a = site_entry(&s, "one"));
        assert_non_null(b = site_entry(&s, "zwei"));
        assert_int_equal(a->links, 2 + (run > 1));
        assert_int_equal(b->links, a->links);
        assert_int_equal(a->file_id, b->file_id);
        assert_int_equal(a->device, b->device);
        assert_true(sp_entry_same_content(a, b));
        free(a);
        free(b);
        site_assert_equal(&s);
        if (run == 1)
            tree_link(&s.tree, "files/one", "files/tres");
        site_reopen(&s);
        site_run_well(&s, "again", &o);
        assert_int_equal(o.result.stats.bytes_new > 50000, 0); /* nodes at most */
    }
    site_free(&s);
}

/* An entry of another type, size, or with more in it takes nothing from the old one. */
static void
test_replaced(void **state)
{
    struct site s;
    struct outcome o;

    (void)state;
    site_new(&s, false);
    site_random_file(&s, "was a file", 5000, 1);
    tree_symlink(&s.tree, "files/was a link", "a");
    tree_dir(&s.tree, "files/was a folder");
    site_file(&s, "was a folder/x", "x", 1);
    site_random_file(&s, "shrinks", 3 * MIB, 2);
    site_random_file(&s, "grows", 1000, 3);
    site_run_well(&s, "first", &o);
    tree_remove(&s.tree, "files/was a file");
    tree_dir(&s.tree, "files/was a file");
    site_file(&s, "was a file/y", "y", 1);
    tree_remove(&s.tree, "files/was a link");
    site_file(&s, "was a link", "file now", 8);
    tree_remove(&s.tree, "files/was a folder");
    tree_symlink(&s.tree, "files/was a folder", "b");
    site_random_file(&s, "shrinks", 1000, 2);
    site_random_file(&s, "grows", 3 * MIB, 3);
    site_reopen(&s);
    site_run_well(&s, "second", &o);
    site_assert_equal(&s);
    site_free(&s);
}

static void
sparse_file(struct site *s, const char *path, bool image)
{
    int fd = tree_open(&s->tree, path, O_CREAT | O_RDWR);
    char block[8192];

    memset(block, image ? 'i' : 's', sizeof block);
    assert_int_equal(pwrite(fd, block, sizeof block, 1 * MIB + 4096), sizeof block);
    assert_int_equal(pwrite(fd, block, sizeof block, 9 * MIB + 61440), sizeof block);
    assert_int_equal(pwrite(fd, block, 100, 9 * MIB + 200000), 100);
    assert_int_equal(ftruncate(fd, 20 * MIB + 17), 0);
    close(fd);
}

/* Holes stay holes; chunks of an image lie at multiples of their size also behind one. */
static void
test_sparse(void **state)
{
    struct site s;
    struct outcome o;
    struct sp_entry *en;
    uint64_t at = 0, data = 0;
    size_t i;

    (void)state;
    site_new(&s, false);
    sparse_file(&s, "files/sparse", false);
    sparse_file(&s, "files/disk.img", true);
    site_run_well(&s, "first", &o);
    assert_non_null(en = site_entry(&s, "disk.img"));
    assert_int_equal(en->size, 20 * MIB + 17);
    for (i = 0; i < en->nsegments; i++) {
        if (!en->segments[i].hole) {
            assert_true(at / 65536 == (at + en->segments[i].length - 1) / 65536);
            data += en->segments[i].length;
        }
        at += en->segments[i].length;
    }
    assert_int_equal(at, en->size);
    if (o.result.stats.bytes_read == 2 * en->size)
        print_message("the file system tells no holes\n");
    else
        assert_true(data < MIB);
    free(en);
    site_assert_equal(&s);
    site_reopen(&s);
    site_run_well(&s, "second", &o);
    assert_int_equal(o.result.stats.bytes_read, 0);
    site_free(&s);
}

/* The audit reads what did not change: all of it with a share of one, each file once in three sets
 * with a share of three; what differs behind unchanged times is told and kept as it is now. */
static void
test_audit(void **state)
{
    struct site s;
    struct outcome o;
    size_t audited = 0;

    (void)state;
    site_new(&s, false);
    site_many(&s, "many", 60, 100);
    sparse_file(&s, "files/sparse", false);
    site_run_well(&s, "first", &o);
    s.o.audit = 1;
    site_reopen(&s);
    site_run_well(&s, "all", &o);
    assert_int_equal(o.result.stats.files_audited, 61);
    assert_int_equal(o.result.stats.files_unchanged, 0);
    assert_int_equal(o.naudits, 0);
    assert_int_equal(o.result.stats.audit_differences, 0);
    assert_true(s.wrap.calls[WRAP_PUT] <= 1);
    s.o.audit = 3;
    for (int run = 0; run < 3; run++) {
        site_reopen(&s);
        site_run_well(&s, "a third", &o);
        assert_true(o.result.stats.files_audited > 5 && o.result.stats.files_audited < 40);
        audited += o.result.stats.files_audited;
    }
    assert_int_equal(audited, 61);
    site_free(&s);
}

static void
test_attributes(void **state)
{
    struct site s;
    struct outcome o;
    struct sp_entry *en;
    uint8_t *value = malloc(60000);
    char *path;

    (void)state;
    assert_non_null(value);
    site_new(&s, false);
    site_file(&s, "f", "x", 1);
    path = tree_path(&s.tree, "files/f");
    memset(value, 'v', 60000);
    if (setxattr(path, "user.small", value, 100, 0) != 0) {
        assert_int_equal(errno, ENOTSUP);
        skip();
    }
    /* ext4 may have no room for it. */
    bool large = setxattr(path, "user.large", value, 60000, 0) == 0;

    if (!large)
        print_message("no room for a large attribute here\n");
    site_run_well(&s, "first", &o);
    assert_non_null(en = site_entry(&s, "f"));
    for (size_t i = 0; i < en->nattributes; i++) {
        if (strcmp(en->attributes[i].name, "user.large") == 0)
            assert_true(en->attributes[i].external);
        if (strcmp(en->attributes[i].name, "user.small") == 0)
            assert_int_equal(en->attributes[i].len, 100);
    }
    free(en);
    site_assert_equal(&s);
    free(path);
    free(value);
    site_free(&s);
}

/* Unreadable for lack of rights is a fault, and only that file's. */
static int
run_as_nobody(void *arg)
{
    struct site *s = arg;
    struct outcome o;

    site_run(s, "as nobody", &o);
    return o.code == SP_OK && o.result.state == SP_SET_INCOMPLETE && o.nfaults == 2 &&
                   o.result.stats.faults == 2 && outcome_fault(&o, "secret") != NULL &&
                   outcome_fault(&o, "secret")->kind == SP_FAULT_UNREADABLE &&
                   outcome_fault(&o, "closed") != NULL
               ? 0
               : 1;
}

static void
test_unreadable(void **state)
{
    struct site s;
    char *path;

    (void)state;
    if (geteuid() != 0)
        skip();
    site_new(&s, false);
    site_file(&s, "secret", "x", 1);
    site_file(&s, "open", "y", 1);
    site_file(&s, "closed/z", "z", 1);
    path = tree_path(&s.tree, "files/secret");
    assert_int_equal(chmod(path, 0), 0);
    free(path);
    path = tree_path(&s.tree, "files/closed");
    assert_int_equal(chmod(path, 0), 0);
    free(path);
    assert_true(asprintf(&path, "chown -R 65534 '%s'", s.tree.path) > 0);
    assert_int_equal(system(path), 0);
    free(path);
    assert_int_equal(as_nobody(run_as_nobody, &s), 0);
    site_free(&s);
}

/* --- the chain -----------------------------------------------------------------------------------
 */

static void
test_chain(void **state)
{
    struct site s;
    struct outcome o, second;

    (void)state;
    site_new(&s, false);
    site_file(&s, "a", "a", 1);
    site_run_well(&s, "first", &o);
    s.o.known_sequence = o.result.sequence;
    memcpy(s.o.known_hash, o.result.record_hash, 32);
    site_reopen(&s);
    site_run_well(&s, "second", &second);
    assert_false(second.result.chain_broken);
    /* The newest set is gone, as after putting back an old state of the repository. */
    s.o.known_sequence = second.result.sequence;
    memcpy(s.o.known_hash, second.result.record_hash, 32);
    assert_int_equal(site_lose(&s, "sets", 64), 2);
    site_reopen(&s);
    site_run_well(&s, "after the loss", &o);
    assert_true(o.result.chain_broken);
    assert_int_equal(o.result.sequence, 1);
    /* Another set of the same number. */
    s.o.known_sequence = 1;
    s.o.known_hash[0] ^= 1;
    site_reopen(&s);
    site_run_well(&s, "another", &o);
    assert_true(o.result.chain_broken);
    site_free(&s);
}

/* A set that another key signed is no parent: its files are read. */
static void
test_foreign_signature(void **state)
{
    struct site s;
    struct outcome o;
    uint8_t own[32];

    (void)state;
    site_new(&s, false);
    site_file(&s, "a", "a", 1);
    memcpy(own, s.secret, 32);
    s.secret[5] ^= 1;
    /* The store refuses it to begin with. */
    site_run(&s, "foreign", &o);
    assert_int_equal(o.code, SP_CORRUPT);
    assert_int_equal(site_sets(&s).sets, 0);
    memcpy(s.secret, own, 32);
    site_reopen(&s);
    site_run_well(&s, "own", &o);
    site_free(&s);
}

static void
test_jobs(void **state)
{
    static char longest[257];
    struct site s;
    struct outcome o;

    (void)state;
    site_new(&s, false);
    site_file(&s, "a", "a", 1);
    memset(longest, 'j', 256);
    s.job = "";
    site_run(&s, "no name", &o);
    assert_int_equal(o.code, SP_INVALID);
    s.job = longest;
    site_run(&s, "256 bytes", &o);
    assert_int_equal(o.code, SP_INVALID);
    s.job = "\xff\xfe";
    site_run(&s, "no text", &o);
    assert_int_equal(o.code, SP_INVALID);
    assert_int_equal(s.wrap.calls[WRAP_HAVE], 0);
    longest[255] = '\0';
    s.job = longest;
    site_run_well(&s, "255 bytes", &o);
    /* Jobs have chains of their own. */
    s.job = "job";
    site_reopen(&s);
    site_run_well(&s, "job", &o);
    assert_int_equal(o.result.sequence, 1);
    assert_int_equal(site_sets(&s).sets, 2);
    site_free(&s);
}

/* What no record can hold is found out before anything is read. */
static void
test_impossible_record(void **state)
{
    struct site s;
    struct outcome o;
    const char **excludes = calloc(10001, sizeof(char *));

    (void)state;
    assert_non_null(excludes);
    site_new(&s, false);
    site_file(&s, "a", "a", 1);
    for (size_t i = 0; i < 10001; i++)
        excludes[i] = "x";
    s.o.excludes = excludes;
    s.o.nexcludes = 10001;
    site_run(&s, "too many excludes", &o);
    assert_int_equal(o.code, SP_INVALID);
    assert_int_equal(s.wrap.calls[WRAP_HAVE] + s.wrap.calls[WRAP_PUT], 0);
    free(excludes);
    site_free(&s);
}

static void
test_no_root(void **state)
{
    struct site s;
    struct outcome o;

    (void)state;
    site_new(&s, false);
    tree_remove(&s.tree, "files");
    site_run(&s, "no root", &o);
    assert_int_equal(o.code, SP_ABSENT);
    assert_int_equal(o.err.domain, SP_DOM_SOURCE);
    assert_int_equal(site_sets(&s).sets, 0);
    site_free(&s);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_unchanged),
        cmocka_unit_test(test_little_changed),
        cmocka_unit_test(test_changed_byte_of_a_large_file),
        cmocka_unit_test(test_same_size_rewrite),
        cmocka_unit_test(test_hard_links),
        cmocka_unit_test(test_replaced),
        cmocka_unit_test(test_sparse),
        cmocka_unit_test(test_audit),
        cmocka_unit_test(test_attributes),
        cmocka_unit_test(test_unreadable),
        cmocka_unit_test(test_chain),
        cmocka_unit_test(test_foreign_signature),
        cmocka_unit_test(test_jobs),
        cmocka_unit_test(test_impossible_record),
        cmocka_unit_test(test_no_root),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
