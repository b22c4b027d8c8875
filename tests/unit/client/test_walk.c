#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/path.h"
#include "client/filter.h"
#include "tests/unit/client/tree.h"

/* What a walk finds, in which order and with what metadata. */

/* --- order and completeness ----------------------------------------------------------------------
 */

#define MOST 600

static int
compare_keys(const void *a, const void *b)
{
    const struct sp_bytes *x = a, *y = b;

    return sp_key_cmp(x->p, x->n, y->p, y->n);
}

/* A tree of names of any bytes; returns the number of keys, the tree's own first. */
static size_t
random_tree(const struct tree *t, uint64_t *state, struct sp_bytes keys[MOST])
{
    char *paths[MOST];
    size_t n = 0, dirs[MOST], ndirs = 0;

    for (int tries = 0; tries < 800 && n < MOST - 1; tries++) {
        char path[512] = "";
        size_t len, name = 1 + test_random(state) % 4;
        struct stat st;

        if (ndirs > 0 && test_random(state) % 5 != 0)
            (void)snprintf(path, sizeof path, "%s/", paths[dirs[test_random(state) % ndirs]]);
        len = strlen(path);
        if (len > 60)
            continue;
        while (name-- > 0) {
            /* Few letters, so that one name often begins another; and the bytes around '/' and 0.
             */
            static const char few[] = "aab.-0!\x01\x2e\x7f\xff\x80 \n\\";
            char c = test_random(state) % 3 != 0 ? few[test_random(state) % (sizeof few - 1)]
                                                 : (char)(1 + test_random(state) % 255);

            path[len++] = c == '/' ? 'a' : c;
        }
        path[len] = '\0';
        const char *last = strrchr(path, '/') != NULL ? strrchr(path, '/') + 1 : path;

        if (strcmp(last, ".") == 0 || strcmp(last, "..") == 0 ||
            fstatat(t->fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0)
            continue;
        switch (test_random(state) % 5) {
        case 0:
        case 1:
            tree_dir(t, path);
            dirs[ndirs++] = n;
            break;
        case 2:
            tree_symlink(t, path, "nowhere");
            break;
        default:
            tree_text(t, path, "x");
        }
        assert_non_null(paths[n] = strdup(path));
        n++;
    }
    for (size_t i = 0; i < n; i++) {
        keys[i] = tree_key(t, paths[i]);
        free(paths[i]);
    }
    keys[n++] = tree_key(t, "");
    qsort(keys, n, sizeof *keys, compare_keys);
    return n;
}

static void
test_random_trees(void **unused)
{
    uint64_t state = test_seed();

    (void)unused;
    for (int round = 0; round < 12; round++) {
        static struct sp_bytes keys[MOST];
        struct tree t;
        struct walk w;
        size_t n, implied;

        tree_new(&t);
        n = random_tree(&t, &state, keys);
        walk_init(&w, &t);
        walk_root(&w, &t, "");
        walk_all(&w); /* checks the order */
        assert_int_equal(walk_faults(&w), 0);
        implied = sp_key_depth(keys[0].p, keys[0].n);
        assert_int_equal(w.n, n + implied);
        for (size_t i = 0; i < n; i++) {
            const struct sp_entry *en = w.items[implied + i]->entry;

            assert_int_equal(compare_keys(&keys[i],
                                 &(struct sp_bytes){(uint8_t *)(uintptr_t)en->key, en->key_len}),
                0);
            free(keys[i].p);
        }
        walk_free(&w);
        tree_free(&t);
    }
}

/* --- metadata ------------------------------------------------------------------------------------
 */

static void
check_against_stat(
    const struct tree *t, const struct walk *w, const char *path, enum sp_entry_type type)
{
    const struct sp_item *it = walk_find(w, path);
    const struct sp_entry *en;
    struct stat st;

    if (it == NULL)
        fail_msg("%s was not found", path);
    en = it->entry;
    assert_null(it->fault);
    assert_int_equal(fstatat(t->fd, path, &st, AT_SYMLINK_NOFOLLOW), 0);
    assert_int_equal(en->type, type);
    assert_int_equal(en->flags, 0);
    assert_int_equal(en->size, type == SP_ENTRY_FILE ? st.st_size : 0);
    assert_true(en->mtime_ns == st.st_mtim.tv_sec * INT64_C(1000000000) + st.st_mtim.tv_nsec);
    assert_true(en->ctime_ns == st.st_ctim.tv_sec * INT64_C(1000000000) + st.st_ctim.tv_nsec);
    assert_int_equal(en->file_id, st.st_ino);
    assert_int_equal(en->mode, st.st_mode & 07777);
    assert_int_equal(en->uid, st.st_uid);
    assert_int_equal(en->gid, st.st_gid);
    assert_int_equal(en->links, type == SP_ENTRY_DIR ? 1 : st.st_nlink);
    assert_string_equal(it->name, strrchr(path, '/') != NULL ? strrchr(path, '/') + 1 : path);
    assert_non_null(it->dir);
    assert_false(it->shadow);
}

static void
test_metadata(void **state)
{
    struct timespec old[2] = {{-1000, 7}, {-86400, 123456789}};
    struct tree t;
    struct walk w;
    struct statx st;
    bool device;
    int fd;

    (void)state;
    tree_new(&t);
    tree_text(&t, "d/file", "seventeen bytes..");
    assert_int_equal(fchmodat(t.fd, "d/file", 06751, 0), 0);
    assert_int_equal(utimensat(t.fd, "d/file", old, 0), 0);
    tree_link(&t, "d/file", "d/again");
    tree_link(&t, "d/file", "elsewhere");
    tree_symlink(&t, "loop", "loop");
    tree_symlink(&t, "d/up", "..");
    tree_symlink(&t, "\xff\xfe", "\x80");
    tree_fifo(&t, "fifo");
    tree_socket(&t, "socket");
    tree_dir(&t, "empty");
    tree_text(&t, "sparse", "");
    fd = tree_open(&t, "sparse", O_WRONLY);
    assert_int_equal(ftruncate(fd, INT64_C(1) << 40), 0);
    close(fd);
    device = mknodat(t.fd, "null", S_IFCHR | 0600, makedev(1, 3)) == 0 &&
             mknodat(t.fd, "block", S_IFBLK | 0600, makedev(259, 70000)) == 0;
    if (!device)
        printf("no right to make device nodes: these are not tested\n");
    walk_init(&w, &t);
    walk_root(&w, &t, "");
    walk_all(&w);
    check_against_stat(&t, &w, "d", SP_ENTRY_DIR);
    check_against_stat(&t, &w, "d/file", SP_ENTRY_FILE);
    check_against_stat(&t, &w, "d/again", SP_ENTRY_FILE);
    check_against_stat(&t, &w, "elsewhere", SP_ENTRY_FILE);
    check_against_stat(&t, &w, "loop", SP_ENTRY_LINK);
    check_against_stat(&t, &w, "d/up", SP_ENTRY_LINK);
    check_against_stat(&t, &w, "\xff\xfe", SP_ENTRY_LINK);
    check_against_stat(&t, &w, "fifo", SP_ENTRY_FIFO);
    check_against_stat(&t, &w, "socket", SP_ENTRY_SOCKET);
    check_against_stat(&t, &w, "empty", SP_ENTRY_DIR);
    check_against_stat(&t, &w, "sparse", SP_ENTRY_FILE);
    assert_true(walk_find(&w, "d/file")->entry->mtime_ns < 0);
    assert_int_equal(walk_find(&w, "d/file")->entry->links, 3);
    assert_int_equal(
        walk_find(&w, "elsewhere")->entry->file_id, walk_find(&w, "d/again")->entry->file_id);
    if (device) {
        check_against_stat(&t, &w, "null", SP_ENTRY_CHAR);
        check_against_stat(&t, &w, "block", SP_ENTRY_BLOCK);
        assert_true(walk_find(&w, "null")->entry->rdev == (UINT64_C(1) << 32 | 3));
        assert_true(walk_find(&w, "block")->entry->rdev == (UINT64_C(259) << 32 | 70000));
    }
    assert_int_equal(statx(t.fd, "d/file", AT_SYMLINK_NOFOLLOW, STATX_BTIME, &st), 0);
    if ((st.stx_mask & STATX_BTIME) != 0)
        assert_true(walk_find(&w, "d/file")->entry->btime_ns ==
                    st.stx_btime.tv_sec * INT64_C(1000000000) + st.stx_btime.tv_nsec);
    for (size_t i = 0; i < w.n; i++)
        assert_true(w.items[i]->entry->device >= 1 && w.items[i]->entry->device <= 3);
    assert_int_equal(w.items[0]->entry->device, 1);
    walk_free(&w);
    tree_free(&t);
}

static void
test_recheck(void **state)
{
    struct timespec times[2] = {{1000, 0}, {1000, 0}};
    struct tree t;
    struct walk w;
    int64_t changed, mtimes[] = {0, 1, -1};

    (void)state;
    tree_new(&t);
    tree_text(&t, "file", "x");
    assert_int_equal(utimensat(t.fd, "file", times, 0), 0);
    walk_init(&w, &t);
    walk_root(&w, &t, "file");
    walk_all(&w);
    assert_int_equal(w.items[w.n - 1]->entry->flags, 0);
    changed = w.items[w.n - 1]->entry->ctime_ns;
    walk_free(&w);
    /* Older by 2 s exactly, and by one nanosecond less. */
    for (int late = 0; late < 2; late++) {
        walk_init(&w, &t);
        walk_root(&w, &t, "file");
        w.o.started_ns = changed + INT64_C(2000000000) - late;
        walk_all(&w);
        assert_int_equal(w.items[w.n - 1]->entry->flags, late ? SP_ENTRY_RECHECK : 0);
        walk_free(&w);
    }
    /* mtime counts as well, and a view's instant instead of the start. */
    for (int i = 0; i < 3; i++) {
        times[1] = (struct timespec){(time_t)(changed / 1000000000) + 1000, 0};
        assert_int_equal(utimensat(t.fd, "file", times, 0), 0);
        walk_init(&w, &t);
        walk_root(&w, &t, "file");
        walk_view(
            &w, NULL, NULL, NULL, true, (changed / 1000000000 + 1002) * 1000000000 + mtimes[i]);
        w.o.started_ns = 1;
        walk_all(&w);
        assert_int_equal(w.items[w.n - 1]->entry->flags, mtimes[i] < 0 ? SP_ENTRY_RECHECK : 0);
        assert_true(w.items[w.n - 1]->shadow);
        walk_free(&w);
    }
    tree_free(&t);
}

/* --- roots ---------------------------------------------------------------------------------------
 */

static void
test_roots(void **state)
{
    static const struct {
        const char *path;
        unsigned flags;
    } want[] = {{"a", SP_ENTRY_IMPLIED}, {"a/b", SP_ENTRY_IMPLIED}, {"a/b/c", 0}, {"a/b/c/in", 0},
        {"a/b/file", 0}, {"a/d", 0}, {"a/d/e", 0}, {"a/d/e/f", 0}, {"a.z", 0},
        {"g", SP_ENTRY_IMPLIED}, {"g/h", 0}};
    struct tree t;
    struct walk w;
    size_t above;

    (void)state;
    tree_new(&t);
    tree_text(&t, "a/b/c/in", "");
    tree_text(&t, "a/b/file", "file");
    tree_text(&t, "a/b/not", "");
    tree_text(&t, "a/d/e/f", "");
    tree_text(&t, "a/x", "");
    tree_dir(&t, "a.z");
    tree_fifo(&t, "g/h");
    walk_init(&w, &t);
    walk_root(&w, &t, "a/b/c");
    walk_root(&w, &t, "a/b/file");
    walk_root(&w, &t, "a/d");
    walk_root(&w, &t, "a.z");
    walk_root(&w, &t, "g/h");
    walk_all(&w);
    above = sp_key_depth(w.roots[0].p, w.roots[0].n) - 2; /* the root of everything among them */
    assert_int_equal(w.items[0]->entry->key_len, 0);
    assert_int_equal(w.n, above + sizeof want / sizeof want[0]);
    for (size_t i = 0; i < above; i++) {
        assert_int_equal(w.items[i]->entry->flags & SP_ENTRY_IMPLIED, SP_ENTRY_IMPLIED);
        assert_int_equal(w.items[i]->entry->type, SP_ENTRY_DIR);
        assert_int_not_equal(w.items[i]->entry->mode, 0);
        assert_true(w.items[i]->entry->mtime_ns > 0);
    }
    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
        assert_ptr_equal(walk_find(&w, want[i].path), w.items[above + i]);
        assert_int_equal(w.items[above + i]->entry->flags, want[i].flags);
    }
    assert_int_equal(walk_faults(&w), 0);
    walk_free(&w);
    tree_free(&t);
}

static enum sp_code
open_code(struct walk *w, struct sp_err *e)
{
    enum sp_code rc = sp_source_open(&sp_env_system, &w->o, &w->source, e);

    if (rc != SP_OK)
        assert_null(w->source);
    walk_free(w);
    return rc;
}

static void
test_wrong_roots(void **state)
{
    struct sp_err e = {0};
    struct tree t;
    struct walk w;

    (void)state;
    tree_new(&t);
    tree_text(&t, "a/b", "");
    tree_symlink(&t, "link", "a");
    walk_init(&w, &t);
    walk_root(&w, &t, "a");
    walk_root(&w, &t, "nothing\n");
    assert_int_equal(open_code(&w, &e), SP_ABSENT);
    assert_int_equal(e.domain, SP_DOM_SOURCE);
    assert_non_null(strstr(e.text, "/nothing\\n' does not exist"));
    walk_init(&w, &t);
    walk_root(&w, &t, "no/folder/here");
    assert_int_equal(open_code(&w, &e), SP_ABSENT);
    /* Not canonical: its path leads through a link. The link itself may be a root. */
    walk_init(&w, &t);
    walk_root(&w, &t, "link/b");
    assert_int_equal(open_code(&w, &e), SP_INVALID);
    walk_init(&w, &t);
    walk_root(&w, &t, "link");
    walk_all(&w);
    assert_int_equal(w.items[w.n - 1]->entry->type, SP_ENTRY_LINK);
    walk_free(&w);
    walk_init(&w, &t);
    walk_root(&w, &t, "a/b/c");
    assert_int_equal(open_code(&w, &e), SP_INVALID);
    walk_init(&w, &t);
    assert_int_equal(open_code(&w, &e), SP_INVALID);
    walk_init(&w, &t);
    walk_root(&w, &t, "a");
    walk_root(&w, &t, "a/b");
    assert_int_equal(open_code(&w, &e), SP_INVALID);
    walk_init(&w, &t);
    walk_root(&w, &t, "link");
    walk_root(&w, &t, "a");
    assert_int_equal(open_code(&w, &e), SP_INVALID);
    walk_init(&w, &t);
    walk_root(&w, &t, "a");
    memcpy(w.roots[0].p, "..", 2);
    w.roots[0].n = 2;
    assert_int_equal(open_code(&w, &e), SP_INVALID);
    walk_init(&w, &t);
    walk_root(&w, &t, "a");
    w.o.nviews = 0;
    assert_int_equal(open_code(&w, &e), SP_INVALID);
    tree_free(&t);
}

static void
test_root_that_vanishes(void **state)
{
    struct tree t;
    struct walk w;
    struct sp_item *it;

    (void)state;
    tree_new(&t);
    tree_text(&t, "a/b", "");
    tree_text(&t, "c/d/e", "");
    tree_text(&t, "f", "");
    walk_init(&w, &t);
    walk_root(&w, &t, "a");
    walk_root(&w, &t, "c/d");
    walk_root(&w, &t, "f");
    walk_open(&w);
    tree_remove(&t, "a");
    tree_remove(&t, "c");
    walk_rest(&w);
    assert_int_equal(walk_faults(&w), 2);
    it = walk_find(&w, "a");
    assert_int_equal(it->fault->kind, SP_FAULT_VANISHED);
    assert_int_equal(it->entry->type, 0);
    assert_memory_equal(it->fault->key, it->entry->key, it->entry->key_len);
    /* Named once: by the folder above it. */
    assert_non_null(walk_find(&w, "c")->fault);
    assert_null(walk_find(&w, "f")->fault);
    walk_free(&w);
    tree_free(&t);
}

/* All of the file system, but everything left out that is not ours. */
static void
test_root_of_everything(void **state)
{
    char mine[128];
    const char *patterns[] = {"/*", "!/tmp", "/tmp/*", mine};
    struct sp_filter *f = NULL;
    struct sp_err e = {0};
    struct tree t;
    struct walk w;

    (void)state;
    tree_new(&t);
    tree_text(&t, "a/b", "");
    (void)snprintf(mine, sizeof mine, "!%s", t.path);
    assert_int_equal(sp_filter_new(patterns, 4, false, &f, &e), SP_OK);
    walk_init(&w, &t);
    w.roots[0] = (struct sp_bytes){NULL, 0};
    w.o.nroots = 1;
    w.o.filter = f;
    walk_all(&w);
    assert_int_equal(w.n, 5);
    assert_int_equal(w.items[0]->entry->key_len, 0);
    assert_int_equal(w.items[0]->entry->type, SP_ENTRY_DIR);
    assert_int_equal(w.items[0]->entry->flags & SP_ENTRY_IMPLIED, 0);
    assert_string_equal((const char *)w.items[1]->name, "tmp");
    assert_ptr_equal(walk_find(&w, "a/b"), w.items[4]);
    assert_true(w.counts.excluded > 3);
    walk_free(&w);
    sp_filter_free(f);
    tree_free(&t);
}

/* --- what is left out ----------------------------------------------------------------------------
 */

static void
test_filter(void **state)
{
    const char *patterns[] = {"*.o", "!keep.o", "skip/", "d"};
    struct sp_filter *f = NULL;
    struct sp_err e = {0};
    struct tree t;
    struct walk w;

    (void)state;
    tree_new(&t);
    tree_text(&t, "d/a.o", "");
    tree_text(&t, "d/keep.o", "");
    tree_text(&t, "d/skip/x", "");
    tree_text(&t, "d/skip/y", "");
    tree_text(&t, "d/e/skip", "");
    assert_int_equal(sp_filter_new(patterns, 4, false, &f, &e), SP_OK);
    walk_init(&w, &t);
    walk_root(&w, &t, "d"); /* a root is never left out */
    w.o.filter = f;
    walk_all(&w);
    assert_non_null(walk_find(&w, "d"));
    assert_non_null(walk_find(&w, "d/keep.o"));
    assert_non_null(walk_find(&w, "d/e/skip"));
    assert_null(walk_find(&w, "d/a.o"));
    assert_null(walk_find(&w, "d/skip"));
    assert_null(walk_find(&w, "d/skip/x"));
    assert_int_equal(w.counts.excluded, 2);
    walk_free(&w);
    sp_filter_free(f);
    tree_free(&t);
}

static void
test_cachedir_tag(void **state)
{
    static const char tag[] = "Signature: 8a477f597d28d172789f06886806bc55";
    struct tree t;
    struct walk w;

    (void)state;
    tree_new(&t);
    tree_text(&t, "yes/CACHEDIR.TAG", "Signature: 8a477f597d28d172789f06886806bc55\n# mine\n");
    tree_text(&t, "yes/a", "");
    tree_text(&t, "yes/z/z", "");
    tree_file(&t, "exact/CACHEDIR.TAG", tag, 43);
    tree_text(&t, "exact/a", "");
    tree_file(&t, "short/CACHEDIR.TAG", tag, 42);
    tree_text(&t, "short/a", "");
    tree_text(&t, "wrong/CACHEDIR.TAG", "signature: 8a477f597d28d172789f06886806bc55\n");
    tree_text(&t, "wrong/a", "");
    tree_symlink(&t, "link/CACHEDIR.TAG", "../yes/CACHEDIR.TAG");
    tree_text(&t, "link/a", "");
    tree_fifo(&t, "fifo/CACHEDIR.TAG");
    tree_text(&t, "fifo/a", "");
    for (int on = 0; on < 2; on++) {
        walk_init(&w, &t);
        walk_root(&w, &t, "");
        w.o.cachedir_tag = on;
        walk_all(&w);
        assert_int_equal(walk_find(&w, "yes/a") == NULL, on);
        assert_int_equal(walk_find(&w, "yes/z") == NULL, on);
        assert_int_equal(walk_find(&w, "yes/z/z") == NULL, on);
        assert_int_equal(walk_find(&w, "exact/a") == NULL, on);
        assert_non_null(walk_find(&w, "yes"));
        assert_non_null(walk_find(&w, "yes/CACHEDIR.TAG"));
        assert_non_null(walk_find(&w, "exact/CACHEDIR.TAG"));
        assert_non_null(walk_find(&w, "short/a"));
        assert_non_null(walk_find(&w, "wrong/a"));
        assert_non_null(walk_find(&w, "link/a"));
        assert_non_null(walk_find(&w, "fifo/a"));
        assert_int_equal(w.counts.excluded, on ? 3 : 0);
        walk_free(&w);
    }
    tree_free(&t);
}

/* --- faults --------------------------------------------------------------------------------------
 */

static int
walk_unreadable(void *arg)
{
    const struct tree *t = arg;
    struct walk w;
    struct sp_item *it;

    walk_init(&w, t);
    walk_root(&w, t, "");
    walk_all(&w);
    it = walk_find(&w, "no list");
    if (it == NULL || it->fault == NULL || it->fault->kind != SP_FAULT_FOLDER ||
        it->entry->type != SP_ENTRY_DIR || (it->entry->flags & SP_ENTRY_UNREADABLE) == 0 ||
        strstr(it->fault->text, "Permission denied") == NULL || it->fault->key_len != w.skip + 7 ||
        memcmp(it->fault->key, it->entry->key, it->fault->key_len) != 0)
        return 1;
    it = walk_find(&w, "no search/in");
    if (it == NULL || it->fault == NULL || it->fault->kind != SP_FAULT_UNREADABLE ||
        it->entry->type != 0)
        return 2;
    if (walk_find(&w, "no search") == NULL || walk_find(&w, "no search")->fault != NULL)
        return 3;
    if (walk_find(&w, "secret") == NULL || walk_find(&w, "secret")->fault != NULL)
        return 4; /* what it holds is for the reading to find out */
    if (walk_find(&w, "z") == NULL || walk_faults(&w) != 2)
        return 5;
    walk_free(&w);
    /* A root below a folder that cannot be listed. */
    walk_init(&w, t);
    walk_root(&w, t, "no list/in");
    walk_all(&w);
    if (walk_faults(&w) != 0 || walk_find(&w, "no list/in") == NULL)
        return 6;
    walk_free(&w);
    return 0;
}

static void
test_unreadable(void **state)
{
    struct tree t;

    (void)state;
    tree_new(&t);
    tree_text(&t, "no list/in", "");
    tree_text(&t, "no search/in", "");
    tree_text(&t, "secret", "");
    tree_text(&t, "z", "");
    assert_int_equal(fchmodat(t.fd, "no list", 0311, 0), 0);
    assert_int_equal(fchmodat(t.fd, "no search", 0644, 0), 0);
    assert_int_equal(fchmodat(t.fd, "secret", 0, 0), 0);
    assert_int_equal(as_nobody(walk_unreadable, &t), 0);
    tree_free(&t);
}

/* What goes away between the listing and the look is not there. */
static void
test_vanishing(void **state)
{
    struct tree t;
    struct walk w;

    (void)state;
    tree_new(&t);
    tree_text(&t, "d/a", "");
    tree_text(&t, "d/b", "");
    tree_text(&t, "d/c/x", "");
    tree_text(&t, "d/d", "");
    tree_text(&t, "z", "");
    walk_init(&w, &t);
    walk_root(&w, &t, "");
    walk_open(&w);
    while (walk_find(&w, "d/a") == NULL)
        assert_non_null(walk_next(&w));
    tree_remove(&t, "d/b");
    tree_remove(&t, "d/c");
    walk_rest(&w);
    assert_null(walk_find(&w, "d/b"));
    assert_null(walk_find(&w, "d/c"));
    assert_non_null(walk_find(&w, "d/d"));
    assert_int_equal(walk_faults(&w), 0);
    walk_free(&w);
    walk_init(&w, &t);
    walk_root(&w, &t, "");
    walk_open(&w);
    while (walk_find(&w, "d/a") == NULL)
        assert_non_null(walk_next(&w));
    tree_remove(&t, "d");
    walk_rest(&w);
    assert_null(walk_find(&w, "d/d"));
    assert_non_null(walk_find(&w, "z"));
    assert_int_equal(walk_faults(&w), 0);
    walk_free(&w);
    tree_free(&t);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_trees),
        cmocka_unit_test(test_metadata),
        cmocka_unit_test(test_recheck),
        cmocka_unit_test(test_roots),
        cmocka_unit_test(test_wrong_roots),
        cmocka_unit_test(test_root_that_vanishes),
        cmocka_unit_test(test_root_of_everything),
        cmocka_unit_test(test_filter),
        cmocka_unit_test(test_cachedir_tag),
        cmocka_unit_test(test_unreadable),
        cmocka_unit_test(test_vanishing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
