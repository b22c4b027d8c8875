/* Files over several windows, deep trees, many files, resuming; and what is fetched of them. */

#include "sets.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/unit/base/support.h"
#include "tree.h"

#define MIB ((size_t)1 << 20)
#define LARGE (34 * MIB) /* several windows */

struct fixture {
    struct tree t;
    struct set s;
    struct outcome o;
    uint8_t *big;
};

static void
begin(struct fixture *f)
{
    tree_new(&f->t);
    set_new(&f->s);
    set_dir(&f->s, "");
    f->big = malloc(LARGE);
    assert_non_null(f->big);
    fill(f->big, LARGE, 1);
}

static void
end(struct fixture *f)
{
    free(f->big);
    set_free(&f->s);
    tree_free(&f->t);
}

static void
over_windows(void **state)
{
    struct fixture f;
    const struct content sparse[] = {
        {NULL, UINT64_C(1) << 32}, {NULL, 0}, {NULL, 0}, {NULL, UINT64_C(1) << 32}};
    struct content c[4];
    struct stat st;
    uint64_t once = 0;

    (void)state;
    begin(&f);
    memcpy(c, sparse, sizeof c);
    c[1] = (struct content){f.big, 20 * MIB};
    c[2] = (struct content){f.big + 5, 3 * MIB};
    set_text(&f.s, "a", "before");
    set_bytes(&f.s, "large", f.big, LARGE, 300000);
    set_file(&f.s, "sparse", c, 4, 65536);
    set_text(&f.s, "z", "behind");
    set_commit(&f.s);
    set_restore_well(&f.s, f.t.path, NULL, &f.o);
    assert_bytes(f.t.path, "large", f.big, LARGE);
    assert_text(f.t.path, "a", "before");
    assert_text(f.t.path, "z", "behind");
    st = look(f.t.path, "sparse");
    assert_int_equal(st.st_size, (INT64_C(2) << 32) + (off_t)(23 * MIB));
    assert_true(st.st_blocks * 512 <= (off_t)(24 * MIB));
    {
        char *path = tree_path(&f.t, "sparse");
        uint8_t *got = malloc(23 * MIB);
        int fd = open(path, O_RDONLY | O_CLOEXEC);

        assert_non_null(got);
        assert_int_equal(pread(fd, got, 23 * MIB, INT64_C(1) << 32), 23 * MIB);
        assert_memory_equal(got, f.big, 20 * MIB);
        assert_memory_equal(got + 20 * MIB, f.big + 5, 3 * MIB);
        close(fd);
        free(got);
        free(path);
    }
    /* Also blocks at the edge of two windows were fetched once. */
    for (size_t i = 0; i < f.s.memory.nblocks; i++)
        if (f.s.memory.blocks[i].header.kind == SP_BLOCK_FILES)
            once += f.s.memory.blocks[i].n;
    assert_int_equal(f.o.stats.bytes_fetched, once);
    end(&f);
}

/* Files that a backup read at once: each block has chunks of two of them. */
static void
sharing_blocks(void **state)
{
    const size_t chunk = MIB / 4, half = LARGE / 2;
    struct fixture f;
    uint64_t once = 0;

    (void)state;
    begin(&f);
    for (size_t at = 0; at < half; at += chunk) {
        (void)set_chunk(&f.s, f.big + at, chunk);
        (void)set_chunk(&f.s, f.big + half + at, chunk);
    }
    set_seal(&f.s);
    for (size_t i = 0; i < f.s.memory.nblocks; i++)
        once += f.s.memory.blocks[i].n;
    set_bytes(&f.s, "a", f.big, half, chunk);
    set_bytes(&f.s, "b", f.big + half, half, chunk);
    set_commit(&f.s);
    set_restore_well(&f.s, f.t.path, NULL, &f.o);
    assert_bytes(f.t.path, "a", f.big, half);
    assert_bytes(f.t.path, "b", f.big + half, half);
    assert_true(f.o.stats.bytes_fetched >= once && f.o.stats.bytes_fetched < once + once / 4);
    end(&f);
}

static void
set_time(const struct tree *t, const char *path, time_t sec)
{
    struct timespec ts[2] = {{.tv_sec = sec}, {.tv_sec = sec}};
    char *p = tree_path(t, path);

    assert_int_equal(utimensat(AT_FDCWD, p, ts, 0), 0);
    free(p);
}

static void
change(const struct tree *t, const char *path, off_t at)
{
    char *p = tree_path(t, path);
    int fd = open(p, O_WRONLY | O_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, "changed", 7, at), 7);
    close(fd);
    free(p);
}

/* Files of which only the time differs are not written; of those that differ a little, a little is
 * fetched. */
static void
only_what_differs(void **state)
{
    struct fixture f;
    ino_t large, small, hole;
    uint64_t all;

    (void)state;
    begin(&f);
    f.s.block_chunks = 1;
    set_bytes(&f.s, "large", f.big, LARGE, 300000);
    set_bytes(&f.s, "small", f.big + 7, 900000, 100000);
    set_file(&f.s, "hole", (struct content[]){{NULL, MIB}, {f.big, 65536}, {NULL, MIB}}, 3, 65536);
    set_commit(&f.s);
    set_restore_well(&f.s, f.t.path, NULL, &f.o);
    all = f.o.stats.bytes_fetched;

    set_time(&f.t, "large", 1);
    set_time(&f.t, "small", 1);
    set_time(&f.t, "hole", 1);
    large = look(f.t.path, "large").st_ino;
    small = look(f.t.path, "small").st_ino;
    hole = look(f.t.path, "hole").st_ino;
    set_restore_well(&f.s, f.t.path, NULL, &f.o);
    assert_int_equal(f.o.stats.files_equal, 3);
    assert_true(f.o.stats.bytes_fetched < all / 100);
    assert_int_equal(look(f.t.path, "large").st_ino, large);
    assert_int_equal(look(f.t.path, "small").st_ino, small);
    assert_int_equal(look(f.t.path, "hole").st_ino, hole);
    assert_int_equal(look(f.t.path, "large").st_mtim.tv_sec, SET_TIME / 1000000000);

    change(&f.t, "large", 30 * (off_t)MIB);
    change(&f.t, "small", 500000);
    change(&f.t, "hole", 100); /* what was a hole is data */
    set_restore_well(&f.s, f.t.path, NULL, &f.o);
    assert_int_equal(f.o.stats.files_equal, 0);
    assert_int_equal(f.o.stats.files, 3);
    assert_true(f.o.stats.bytes_fetched > 300000 && f.o.stats.bytes_fetched < 700000);
    assert_bytes(f.t.path, "large", f.big, LARGE);
    assert_bytes(f.t.path, "small", f.big + 7, 900000);
    assert_true(look(f.t.path, "hole").st_blocks * 512 < (off_t)MIB);

    /* Cut short, and grown. */
    {
        char *p = tree_path(&f.t, "large"), *q = tree_path(&f.t, "small");

        assert_int_equal(truncate(p, 20 * (off_t)MIB), 0);
        assert_int_equal(truncate(q, 5 * (off_t)MIB), 0);
        free(p);
        free(q);
    }
    set_restore_well(&f.s, f.t.path, NULL, &f.o);
    assert_bytes(f.t.path, "large", f.big, LARGE);
    assert_bytes(f.t.path, "small", f.big + 7, 900000);
    assert_true(f.o.stats.bytes_fetched < all * 6 / 10);
    end(&f);
}

static void
a_hole_in_a_large_file(void **state)
{
    struct fixture f;
    struct sp_id id;
    size_t before;

    (void)state;
    begin(&f);
    f.s.block_chunks = 1;
    set_bytes(&f.s, "large", f.big, LARGE, 300000);
    set_text(&f.s, "z", "behind");
    set_commit(&f.s);
    id = set_chunk_id(&f.s, f.big + 300000, 300000);
    memory_store_lose(&f.s.memory, &id);
    set_restore(&f.s, f.t.path, NULL, &f.o);
    assert_int_equal(f.o.code, SP_OK);
    assert_int_equal(f.o.nfaults, 1);
    assert_non_null(strstr(outcome_fault(&f.o, "large"), "missing"));
    assert_text(f.t.path, "z", "behind");
    assert_int_equal(count_all(f.t.path), 1);
    before = f.s.memory.given;

    /* In its place there is one of the same size: that stays as it is. */
    {
        struct tree other;

        tree_new(&other);
        tree_file(&other, "large", f.big, LARGE);
        change(&other, "large", 300000);
        set_time(&other, "large", 5);
        set_restore(&f.s, other.path, NULL, &f.o);
        assert_int_equal(f.o.nfaults, 1);
        assert_int_equal(look(other.path, "large").st_mtim.tv_sec, 5);
        assert_int_equal(count_all(other.path), 2);
        assert_true(f.s.memory.given - before < 10);

        /* What is lost there may be here. */
        tree_file(&other, "large", f.big, LARGE);
        set_restore_well(&f.s, other.path, NULL, &f.o);
        assert_int_equal(f.o.stats.files_equal, 2);
        tree_free(&other);
    }
    end(&f);
}

static void
a_list_is_lost(void **state)
{
    struct fixture f;
    struct sp_entry *en;
    char *path;

    (void)state;
    begin(&f);
    en = set_bytes(&f.s, "large", f.big, LARGE, 100000);
    assert_true(en->has_list);
    /* The nodes so far are the file's lists: into blocks of their own. */
    set_text(&f.s, "small", "small");
    set_commit(&f.s);
    memory_store_lose(&f.s.memory, &en->list);
    /* The catalog was in the same block: put it back alone. */
    {
        struct sp_id root = f.s.root;

        f.s.nseen = 0;
        set_commit(&f.s);
        assert_memory_equal(&root, &f.s.root, sizeof root);
    }
    path = tree_path(&f.t, "");
    set_restore(&f.s, f.t.path, NULL, &f.o);
    assert_int_equal(f.o.code, SP_OK);
    assert_int_equal(f.o.nfaults, 1);
    assert_non_null(outcome_fault(&f.o, "large"));
    assert_text(f.t.path, "small", "small");
    assert_int_equal(count_all(f.t.path), 1);

    /* Also where a file of its size is there: it is not taken for equal. */
    tree_file(&f.t, "large", f.big, LARGE);
    set_time(&f.t, "large", 5);
    set_restore(&f.s, f.t.path, NULL, &f.o);
    assert_int_equal(f.o.nfaults, 1);
    assert_int_equal(look(f.t.path, "large").st_mtim.tv_sec, 5);
    free(path);
    end(&f);
}

/* --- shapes of trees
 * ------------------------------------------------------------------------------------ */

static void
deep(void **state)
{
    enum { LEVELS = 3000 };
    struct tree t;
    struct set s;
    struct outcome o;
    struct rlimit old, few;
    char *path = calloc(1, 2 * LEVELS + 64);
    size_t n;
    int fd;

    (void)state;
    assert_non_null(path);
    tree_new(&t);
    set_new(&s);
    set_dir(&s, "");
    for (int i = 0; i < LEVELS; i++) {
        strcat(path, i > 0 ? "/d" : "d");
        set_dir(&s, path)->mode = i % 100 == 50 ? 0500 : 0755;
        if (i % 500 == 499) {
            n = strlen(path);
            strcat(path, "/file");
            set_text(&s, path, "deep");
            strcpy(path + n, "/zlink");
            set_symlink(&s, path, "file");
            path[n] = '\0';
        }
    }
    strcat(path, "/linked");
    for (int i = 0; i < 2; i++) { /* one at the bottom, one at the top */
        struct sp_entry *en = set_text(&s, i == 0 ? path : "linked", "linked");

        en->device = 1;
        en->file_id = 7;
        en->links = 2;
    }
    set_commit(&s);
    /* Handles are bounded, whatever the depth. */
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    few = old;
    few.rlim_cur = 400;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    set_restore(&s, t.path, NULL, &o);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    assert_int_equal(o.code, SP_OK);
    if (o.nfaults > 0)
        fail_msg("%zu faults: %s", o.nfaults, o.faults[0].text);
    assert_int_equal(o.stats.entries, 1 + LEVELS + 12 + 2);
    fd = dup(t.fd);
    for (int i = 0; i < LEVELS; i++) {
        int next = openat(fd, "d", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        struct stat st;

        assert_true(next >= 0);
        close(fd);
        fd = next;
        assert_int_equal(fstat(fd, &st), 0);
        assert_int_equal(st.st_mtim.tv_sec, SET_TIME / 1000000000);
        assert_int_equal(st.st_mode & 07777, i % 100 == 50 ? 0500 : 0755);
        if (i % 500 == 499)
            assert_int_equal(faccessat(fd, "file", R_OK, AT_SYMLINK_NOFOLLOW), 0);
    }
    assert_int_equal(faccessat(fd, "linked", R_OK, AT_SYMLINK_NOFOLLOW), 0);
    close(fd);
    assert_int_equal(look(t.path, "linked").st_nlink, 2);
    free(path);
    set_free(&s);
    tree_free(&t);
}

/* More than a window of entries; most of them with the same content, which is fetched once a
 * window. */
static void
many(void **state)
{
    enum { FILES = 9000 };
    struct tree t;
    struct set s;
    struct outcome o;
    char path[64];
    size_t files = 0;

    (void)state;
    tree_new(&t);
    set_new(&s);
    set_dir(&s, "");
    for (int i = 0; i < FILES; i++) {
        if (i % 1000 == 0) {
            snprintf(path, sizeof path, "%02d", i / 1000);
            set_dir(&s, path)->mode = 0511;
        }
        snprintf(path, sizeof path, "%02d/%05d", i / 1000, i);
        set_text(&s, path, i % 100 == 0 ? path : "much the same");
        files++;
    }
    set_commit(&s);
    set_restore_well(&s, t.path, NULL, &o);
    assert_int_equal(o.stats.files, files);
    assert_true(o.nprogress >= 3);
    for (int i = 0; i < FILES; i += 50) {
        snprintf(path, sizeof path, "%02d/%05d", i / 1000, i);
        assert_text(t.path, path, i % 100 == 0 ? path : "much the same");
    }
    assert_int_equal(look(t.path, "03").st_mode & 07777, 0511);
    assert_int_equal(look(t.path, "03").st_mtim.tv_sec, SET_TIME / 1000000000);
    /* One question a window, and a few for the catalog. */
    assert_true(s.memory.gets < 60);
    set_free(&s);
    tree_free(&t);
}

/* Broken off at every question to the store, and resumed until it is done. */
static void
resuming(void **state)
{
    enum { FILES = 16 };
    struct fixture f;
    char path[64];
    int rounds = 0;

    (void)state;
    begin(&f);
    for (int i = 0; i < FILES; i++) {
        snprintf(path, sizeof path, "%02d", i);
        set_bytes(&f.s, path, f.big + i, 3 * MIB, 400000);
    }
    set_commit(&f.s);
    do {
        f.s.memory.fail_get = 4;
        f.s.memory.fail_code = SP_IO;
        set_restore(&f.s, f.t.path, NULL, &f.o);
        assert_int_equal(count_temporary(f.t.path), 0);
        rounds++;
        assert_true(rounds < 20);
    } while (f.o.code != SP_OK);
    assert_true(rounds > 1);
    for (int i = 0; i < FILES; i++) {
        snprintf(path, sizeof path, "%02d", i);
        assert_bytes(f.t.path, path, f.big + i, 3 * MIB);
    }
    assert_int_equal(f.o.stats.files, FILES);
    end(&f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(over_windows),
        cmocka_unit_test(sharing_blocks),
        cmocka_unit_test(only_what_differs),
        cmocka_unit_test(a_hole_in_a_large_file),
        cmocka_unit_test(a_list_is_lost),
        cmocka_unit_test(deep),
        cmocka_unit_test(many),
        cmocka_unit_test(resuming),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
