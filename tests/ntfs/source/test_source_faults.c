/* Every call of the file system fails once: never a crash or a leak, and what is not there
 * afterwards has been said. And a tree that changes while it is walked. */

#include "walk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
build(struct nwalk *w, uint8_t *big, size_t n)
{
    static const struct ntfs_double_range range = {65536, 65536};

    nwalk_new(w);
    ntfs_double_volume(w->d, "D:/", NTFS_DOUBLE_NTFS);
    ntfs_double_text(w->d, "D:/f", "x");
    ntfs_double_text(w->d, "C:/a/f", "hello");
    ntfs_double_stream(w->d, "C:/a/f", "s", "x", 1);
    ntfs_double_stream(w->d, "C:/a/f", "long", big, n);
    ntfs_double_ea(w->d, "C:/a/f", "EA", "x", 1, 0);
    ntfs_double_sparse(w->d, "C:/a/sparse", 1 << 20, &range, 1);
    ntfs_double_text(w->d, "C:/a/secret", "secret");
    ntfs_double_encrypt(w->d, "C:/a/secret");
    ntfs_double_symlink(w->d, "C:/link", "a\\f", false, true);
    ntfs_double_junction(w->d, "C:/mnt", "\\??\\Volume{01234567-89ab-cdef-0123-456789abcdef}\\");
    ntfs_double_alias(w->d, "D:/", "C:/mnt/");
    ntfs_double_text(w->d, "C:/z/f", "x");
    nwalk_root(w, "C:/");
}

static const char *const all[] = {"C:/", "C:/a", "C:/a/f", "C:/a/secret", "C:/a/sparse", "C:/link",
    "C:/mnt", "C:/mnt/f", "C:/z", "C:/z/f"};

struct whole { /* what one pass came to */
    size_t nattributes[10];
    uint64_t content[10];
};

/* Walks, describes and reads everything. false: the run ended, with a reason. */
static bool
pass(struct nwalk *w, struct whole *ret, size_t *ret_told)
{
    struct sp_err e = {0};
    struct sp_buf content = SP_BUF_INIT;
    enum sp_code rc = nwalk_try(w, &e);

    memset(ret, 0, sizeof *ret);
    *ret_told = 0;
    if (rc != SP_OK) {
        assert_true(e.text[0] != '\0' && e.domain != SP_DOM_NONE);
        return false;
    }
    for (size_t i = 0; i < w->n && rc == SP_OK; i++) {
        struct sp_item *it = w->items[i];
        uint64_t holes;
        bool changed;

        if (it->fault != NULL && it->entry->type == 0)
            ++*ret_told;
        if (it->entry->type == 0)
            continue;
        rc = sp_item_describe(it, &e);
        if (rc == SP_OK && it->entry->type == SP_ENTRY_FILE) {
            sp_buf_reset(&content);
            rc = nwalk_read(it, &content, &holes, &changed, &e);
        }
        if (rc != SP_OK) {
            assert_true(e.text[0] != '\0' && e.domain != SP_DOM_NONE);
            ++*ret_told; /* a fault of the file, or the run's end */
            rc = e.domain == SP_DOM_SOURCE ? SP_OK : rc;
        }
        if (it->fault != NULL)
            ++*ret_told;
        for (size_t k = 0; k < 10; k++)
            if (nwalk_find(w, all[k]) == it) {
                ret->nattributes[k] = it->entry->nattributes;
                ret->content[k] = content.len;
            }
    }
    sp_buf_free(&content);
    return rc == SP_OK;
}

static void
each_call_fails(enum sp_code code)
{
    const size_t n = 70000;
    uint8_t *big = calloc(1, n);
    struct nwalk w;
    struct whole good, bad;
    size_t told = 0, faults = 0, ends = 0;
    uint64_t calls;

    assert_non_null(big);
    build(&w, big, n);
    calls = ntfs_double_calls(w.d);
    assert_true(pass(&w, &good, &told));
    assert_int_equal(told, 0);
    calls = ntfs_double_calls(w.d) - calls;
    for (size_t k = 0; k < 10; k++)
        (void)nwalk_need(&w, all[k]);
    nwalk_free(&w);
    for (uint64_t i = 1; i <= calls; i++) {
        bool whole;

        build(&w, big, n);
        ntfs_double_fail(w.d, i, code);
        if (!pass(&w, &bad, &told)) {
            ends++;
        } else if (told > 0) {
            faults++;
        } else {
            whole = memcmp(&good, &bad, sizeof good) == 0;
            for (size_t k = 0; k < 10; k++)
                whole = whole && nwalk_find(&w, all[k]) != NULL;
            /* SP_ABSENT is an answer: it is not there (any more). */
            if (!whole && code != SP_ABSENT)
                fail_msg("call %u failed, something is missing, and nobody said so", (unsigned)i);
        }
        nwalk_free(&w);
    }
    print_message("%u calls: %zu runs ended, %zu had faults\n", (unsigned)calls, ends, faults);
    assert_true(faults + ends > 0);
    free(big);
}

static void
test_io(void **state)
{
    (void)state;
    each_call_fails(SP_IO);
}

static void
test_denied(void **state)
{
    (void)state;
    each_call_fails(SP_DENIED);
}

static void
test_absent(void **state)
{
    (void)state;
    each_call_fails(SP_ABSENT);
}

static void
test_nomem(void **state)
{
    (void)state;
    each_call_fails(SP_NOMEM);
}

/* --- a tree that moves ---------------------------------------------------------------------------
 */

struct mover {
    int what;
    bool done;
};

static void
move(void *arg, struct ntfs_double *d, uint64_t nth, const char *call, const char *path)
{
    struct mover *m = arg;

    (void)nth;
    if (m->done || strcmp(call, "open_at") != 0 || strcmp(path, "C:/b") != 0)
        return;
    m->done = true;
    switch (m->what) {
    case 0: /* the folder goes between the listing and its opening */
        ntfs_double_remove(d, "C:/b");
        break;
    case 1: /* another one takes its place */
        ntfs_double_rename(d, "C:/b", "C:/zz");
        ntfs_double_text(d, "C:/b/other", "x");
        break;
    case 2: /* a file */
        ntfs_double_remove(d, "C:/b");
        ntfs_double_text(d, "C:/b", "now a file");
        break;
    default: /* a junction that leads out */
        ntfs_double_rename(d, "C:/b", "C:/zz");
        ntfs_double_junction(d, "C:/b", "\\??\\C:\\a");
        break;
    }
}

static void
test_moving(void **state)
{
    (void)state;
    for (int what = 0; what < 4; what++) {
        struct mover m = {.what = what};
        struct nwalk w;

        nwalk_new(&w);
        ntfs_double_text(w.d, "C:/a/f", "x");
        ntfs_double_text(w.d, "C:/b/in", "x");
        ntfs_double_text(w.d, "C:/c/f", "x");
        nwalk_root(&w, "C:/");
        ntfs_double_hook(w.d, move, &m);
        nwalk_run(&w);
        ntfs_double_hook(w.d, NULL, NULL);
        assert_true(m.done);
        assert_non_null(nwalk_find(&w, "C:/c/f"));
        assert_null(nwalk_find(&w, "C:/b/f")); /* not what the junction leads to */
        assert_null(nwalk_find(&w, "C:/b/in"));
        switch (what) {
        case 0:
            assert_null(nwalk_find(&w, "C:/b"));
            break;
        case 1:
            assert_non_null(nwalk_find(&w, "C:/b/other"));
            break;
        case 2:
            assert_int_equal(nwalk_need(&w, "C:/b")->entry->type, SP_ENTRY_FILE);
            break;
        default:
            assert_int_equal(nwalk_need(&w, "C:/b")->entry->type, SP_ENTRY_LINK);
            break;
        }
        for (size_t i = 0; i < w.n; i++)
            assert_null(w.items[i]->fault);
        nwalk_free(&w);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_io), cmocka_unit_test(test_denied),
        cmocka_unit_test(test_absent), cmocka_unit_test(test_nomem), cmocka_unit_test(test_moving)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
