/* Reading files on Windows: holes, streams, what EFS exports, what changes meanwhile. */

#include "walk.h"

#include <stdlib.h>
#include <string.h>

static void
read_back(struct sp_item *it, struct sp_buf *ret, uint64_t *ret_holes)
{
    struct sp_err e = {0};
    bool changed = true;

    sp_buf_reset(ret);
    if (nwalk_read(it, ret, ret_holes, &changed, &e) != SP_OK)
        fail_msg("it cannot be read: %s", e.text);
    assert_false(changed);
    assert_int_equal(ret->len, sp_entry_content(it->entry));
}

static void
test_sparse(void **state)
{
    struct ntfs_double_range ranges[100], at_end = {(5 << 20) - 65536, 65536};
    struct nwalk w;
    struct sp_buf is = SP_BUF_INIT, should = SP_BUF_INIT;
    uint64_t holes;

    (void)state;
    for (size_t i = 0; i < 100; i++) /* more than are asked for at once */
        ranges[i] = (struct ntfs_double_range){i * 262144 + 65536, 65536};
    nwalk_new(&w);
    ntfs_double_sparse(w.d, "C:/sparse", 100 * 262144, ranges, 100);
    ntfs_double_sparse(w.d, "C:/end", 5 << 20, &at_end, 1);
    ntfs_double_sparse(w.d, "C:/all hole", 1 << 20, NULL, 0);
    nwalk_root(&w, "C:/");
    nwalk_run(&w);
    read_back(nwalk_described(&w, "C:/sparse"), &is, &holes);
    assert_true(ntfs_double_read(w.d, "C:/sparse", "", &should));
    assert_int_equal(is.len, should.len);
    assert_memory_equal(is.data, should.data, is.len);
    assert_int_equal(holes, 100 * (262144 - 65536));
    read_back(nwalk_described(&w, "C:/end"), &is, &holes);
    assert_int_equal(holes, (5 << 20) - 65536);
    read_back(nwalk_described(&w, "C:/all hole"), &is, &holes);
    assert_int_equal(holes, 1 << 20);
    sp_buf_free(&is);
    sp_buf_free(&should);
    nwalk_free(&w);
}

/* Nothing of a deduplicated file is allocated, and yet it is no hole. */
static void
test_filtered(void **state)
{
    struct nwalk w;
    struct sp_buf is = SP_BUF_INIT;
    struct sp_item *it;
    uint64_t holes;

    (void)state;
    nwalk_new(&w);
    ntfs_double_text(w.d, "C:/dedup", "what the filter gives");
    ntfs_double_filtered(w.d, "C:/dedup", NTFS_TAG_DEDUP);
    ntfs_double_text(w.d, "C:/wof", "compressed by the system");
    ntfs_double_filtered(w.d, "C:/wof", NTFS_TAG_WOF);
    ntfs_double_stream(w.d, "C:/wof", "WofCompressedData", "zz", 2);
    nwalk_root(&w, "C:/");
    nwalk_run(&w);
    it = nwalk_described(&w, "C:/dedup");
    assert_true((it->entry->flags & SP_ENTRY_AWAY) == 0);
    read_back(it, &is, &holes);
    assert_memory_equal(is.data, "what the filter gives", 21);
    assert_int_equal(holes, 0);
    it = nwalk_described(&w, "C:/wof");
    assert_false(nwalk_has(it, WINDOWS_STREAM "WofCompressedData"));
    read_back(it, &is, &holes);
    assert_memory_equal(is.data, "compressed by the system", 24);
    assert_non_null(strstr(sp_buf_str(&w.notes), "2 files are deduplicated"));
    sp_buf_free(&is);
    nwalk_free(&w);
}

static void
test_long_streams(void **state)
{
    const size_t n = 200000;
    struct nwalk w;
    struct sp_buf is = SP_BUF_INIT;
    struct sp_item *it;
    struct sp_ntfs_part *parts = NULL;
    struct sp_err e = {0};
    const struct sp_attribute *a;
    uint8_t *big = malloc(n);
    uint64_t holes;
    size_t nparts = 0;

    (void)state;
    assert_non_null(big);
    for (size_t i = 0; i < n; i++)
        big[i] = (uint8_t)(i * 31 >> 3);
    nwalk_new(&w);
    ntfs_double_text(w.d, "C:/f", "main");
    ntfs_double_stream(w.d, "C:/f", "short", "s", 1);
    ntfs_double_stream(w.d, "C:/f", "long", big, n);
    ntfs_double_stream(w.d, "C:/f", "at the limit", big, WINDOWS_STREAM_MAX);
    ntfs_double_stream(w.d, "C:/f", "one more", big + 1, WINDOWS_STREAM_MAX + 1);
    nwalk_root(&w, "C:/");
    nwalk_run(&w);
    it = nwalk_described(&w, "C:/f");
    assert_true(nwalk_has(it, WINDOWS_STREAM "at the limit"));
    assert_false(nwalk_has(it, WINDOWS_STREAM "one more"));
    read_back(it, &is, &holes);
    assert_int_equal(it->entry->size, 4);
    assert_int_equal(it->entry->extra, n + WINDOWS_STREAM_MAX + 1);
    a = nwalk_attribute(it, WINDOWS_STREAMS);
    assert_int_equal(
        sp_ntfs_parts_decode(a->value, a->len, it->entry->extra, &parts, &nparts, &e), SP_OK);
    assert_int_equal(nparts, 2);
    for (size_t i = 0, at = 4; i < nparts; at += (size_t)parts[i++].size) {
        bool is_long = strcmp(parts[i].name, "long") == 0;

        assert_int_equal(parts[i].kind, NTFS_PART_STREAM);
        assert_int_equal(parts[i].size, is_long ? n : WINDOWS_STREAM_MAX + 1);
        assert_memory_equal(is.data + at, is_long ? big : big + 1, (size_t)parts[i].size);
    }
    for (size_t i = 1; i < it->entry->nattributes; i++)
        assert_true(strcmp(it->entry->attributes[i - 1].name, it->entry->attributes[i].name) < 0);
    /* A second opening says the same, once. */
    read_back(it, &is, &holes);
    assert_int_equal(it->entry->extra, n + WINDOWS_STREAM_MAX + 1);
    free(parts);
    free(big);
    sp_buf_free(&is);
    nwalk_free(&w);
}

static void
test_efs(void **state)
{
    const size_t large = 3 << 20; /* does not fit into memory aside */
    struct nwalk w;
    struct sp_buf is = SP_BUF_INIT;
    struct sp_item *it;
    uint8_t *p = calloc(1, large);
    uint64_t holes;

    (void)state;
    assert_non_null(p);
    for (int i = 0; i < 2; i++) {
        size_t n = i == 0 ? 5 : large;

        nwalk_new(&w);
        ntfs_double_key(w.d, false); /* the keys are another's */
        ntfs_double_file(w.d, "C:/secret", p, n);
        ntfs_double_stream(w.d, "C:/secret", "s", "stream", 6);
        ntfs_double_encrypt(w.d, "C:/secret");
        nwalk_root(&w, "C:/");
        nwalk_run(&w);
        it = nwalk_described(&w, "C:/secret");
        assert_true((it->entry->flags & SP_ENTRY_AWAY) != 0);
        assert_false(nwalk_has(it, WINDOWS_STREAM "s")); /* the raw form has it */
        read_back(it, &is, &holes);
        assert_int_equal(holes, n);
        assert_int_equal(it->entry->size, n);
        assert_true(it->entry->extra > n);
        assert_true(nwalk_has(it, WINDOWS_STREAMS));
        nwalk_free(&w);
    }
    free(p);
    sp_buf_free(&is);
}

/* --- what changes --------------------------------------------------------------------------------
 */

static void
test_changed(void **state)
{
    struct nwalk w;
    struct sp_item *it;
    struct sp_reading *r = NULL;
    struct sp_err e = {0};
    uint8_t block[16];
    size_t got;
    bool changed = false;

    (void)state;
    nwalk_new(&w);
    ntfs_double_text(w.d, "C:/f", "hello");
    nwalk_root(&w, "C:/");
    nwalk_run(&w);
    it = nwalk_described(&w, "C:/f");
    assert_int_equal(sp_reading_open(it, &r, &e), SP_OK);
    ntfs_double_write(w.d, "C:/f", 0, "HELLO, and more", 15);
    assert_int_equal(sp_reading_read(r, 0, block, sizeof block, &got, &e), SP_OK);
    assert_int_equal(got, 5); /* what was appended is the next run's */
    assert_int_equal(sp_reading_close(r, &changed, &e), SP_OK);
    assert_true(changed);

    /* Between the walk and the opening: what was opened counts, and the next run looks again. */
    ntfs_double_text(w.d, "C:/f", "12");
    assert_int_equal(sp_reading_open(it, &r, &e), SP_OK);
    assert_int_equal(it->entry->size, 2);
    assert_true((it->entry->flags & SP_ENTRY_RECHECK) != 0);
    assert_int_equal(sp_reading_close(r, &changed, &e), SP_OK);
    assert_false(changed);

    ntfs_double_remove(w.d, "C:/f");
    assert_int_equal(sp_reading_open(it, &r, &e), SP_ABSENT);
    assert_int_equal(e.domain, SP_DOM_SOURCE);
    ntfs_double_symlink(w.d, "C:/f", "elsewhere", false, true);
    assert_int_equal(sp_reading_open(it, &r, &e), SP_ABSENT); /* never through a link */
    nwalk_free(&w);
}

static void
test_busy(void **state)
{
    struct nwalk w;
    struct sp_item *it;
    struct sp_reading *r = NULL;
    struct sp_err e = {0};

    (void)state;
    nwalk_new(&w);
    ntfs_double_text(w.d, "C:/f", "hello");
    nwalk_root(&w, "C:/");
    nwalk_run(&w);
    it = nwalk_described(&w, "C:/f");
    ntfs_double_busy(w.d, "C:/f", 1);
    assert_int_equal(sp_reading_open(it, &r, &e), SP_BUSY);
    assert_int_equal(e.domain, SP_DOM_SOURCE);
    assert_non_null(strstr(e.text, "in use by another program (sharing violation)"));
    ntfs_double_busy(w.d, "C:/f", 0);
    nwalk_free(&w);
}

/* A stream that cannot be read costs the file nothing else, and is told of. */
static void
busy_stream(void *arg, struct ntfs_double *d, uint64_t nth, const char *call, const char *path)
{
    (void)nth;
    (void)arg;
    if (strcmp(call, "open_stream") == 0 && strstr(path, "f") != NULL)
        ntfs_double_fail(d, 1, SP_BUSY);
}

static void
test_stream_busy(void **state)
{
    struct nwalk w;
    struct sp_buf is = SP_BUF_INIT;
    struct sp_item *it;
    struct sp_err e = {0};
    uint8_t *big = calloc(1, 70000);
    uint64_t holes;
    bool changed;

    (void)state;
    assert_non_null(big);
    nwalk_new(&w);
    ntfs_double_text(w.d, "C:/f", "main");
    ntfs_double_stream(w.d, "C:/f", "long", big, 70000);
    nwalk_root(&w, "C:/");
    nwalk_run(&w);
    it = nwalk_described(&w, "C:/f");
    ntfs_double_hook(w.d, busy_stream, NULL);
    assert_int_equal(nwalk_read(it, &is, &holes, &changed, &e), SP_OK);
    ntfs_double_hook(w.d, NULL, NULL);
    assert_int_equal(is.len, 4);
    assert_non_null(it->fault);
    assert_non_null(strstr(it->fault->text, "long"));
    free(big);
    sp_buf_free(&is);
    nwalk_free(&w);
}

/* --- what is not there although its file is ------------------------------------------------------
 */

struct denial {
    const char *call;
    bool done;
};

static void
absent(void *arg, struct ntfs_double *d, uint64_t nth, const char *call, const char *path)
{
    struct denial *k = arg;

    (void)nth;
    (void)path;
    if (k->done || strcmp(call, k->call) != 0)
        return;
    k->done = true;
    ntfs_double_fail(d, 1, SP_ABSENT);
}

/* The path that EFS is asked by, the chunks of a deduplicated file: that they are missing does not
 * make the file one that vanished, of which nobody would be told. */
static void
test_not_vanished(void **state)
{
    static const char *const calls[] = {"efs_export", "read"};
    static const char *const files[] = {"C:/secret", "C:/plain"};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct denial k = {.call = calls[i]};
        struct nwalk w;
        struct sp_buf is = SP_BUF_INIT;
        struct sp_item *it;
        struct sp_err e = {0};
        uint64_t holes;
        bool changed;

        nwalk_new(&w);
        ntfs_double_text(w.d, "C:/plain", "plain");
        ntfs_double_text(w.d, "C:/secret", "secret");
        ntfs_double_encrypt(w.d, "C:/secret");
        nwalk_root(&w, "C:/");
        nwalk_run(&w);
        it = nwalk_described(&w, files[i]);
        ntfs_double_hook(w.d, absent, &k);
        assert_int_equal(nwalk_read(it, &is, &holes, &changed, &e), SP_IO);
        assert_int_equal(e.domain, SP_DOM_SOURCE);
        ntfs_double_hook(w.d, NULL, NULL);
        assert_true(k.done);
        sp_buf_free(&is);
        nwalk_free(&w);
    }
}

/* A stream that goes while its file is read ends there; the file stays. */
static void
test_stream_goes(void **state)
{
    const size_t n = 70000;
    uint8_t *big = calloc(1, n);
    struct nwalk w;
    const struct sp_ntfs *t;
    struct sp_ntfs_handle *dir = NULL, *file = NULL, *h = NULL;
    struct sp_reading *r = NULL;
    struct sp_item *it;
    struct sp_err e = {0};
    uint64_t length = 0;
    uint8_t byte;
    size_t got = 1;
    bool hole = true, changed = false;

    (void)state;
    assert_non_null(big);
    nwalk_new(&w);
    t = ntfs_double_table(w.d);
    ntfs_double_text(w.d, "C:/f", "f");
    ntfs_double_stream(w.d, "C:/f", "long", big, n);
    nwalk_root(&w, "C:/");
    nwalk_run(&w);
    it = nwalk_described(&w, "C:/f");
    assert_int_equal(sp_reading_open(it, &r, &e), SP_OK);
    assert_int_equal(it->entry->extra, n);
    assert_int_equal(t->open_path(t->self, "C:/", NTFS_LIST, &dir, &e), SP_OK);
    assert_int_equal(t->open_at(t->self, dir, "f", NTFS_FILE, NTFS_CHANGE, &file, &e), SP_OK);
    assert_int_equal(t->open_stream(t->self, file, "long", NTFS_CHANGE, &h, &e), SP_OK);
    assert_int_equal(t->remove(t->self, h, &e), SP_OK);
    assert_int_equal(t->close(t->self, h, &e), SP_OK);
    assert_int_equal(t->close(t->self, file, &e), SP_OK);
    assert_int_equal(t->close(t->self, dir, &e), SP_OK);
    assert_int_equal(sp_reading_extent(r, 1, &hole, &length, &e), SP_OK);
    assert_false(hole);
    assert_int_equal(length, n);
    assert_int_equal(sp_reading_read(r, 1, &byte, 1, &got, &e), SP_OK);
    assert_int_equal(got, 0);
    assert_int_equal(sp_reading_close(r, &changed, &e), SP_OK);
    nwalk_free(&w);
    free(big);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_not_vanished),
        cmocka_unit_test(test_stream_goes), cmocka_unit_test(test_sparse),
        cmocka_unit_test(test_filtered), cmocka_unit_test(test_long_streams),
        cmocka_unit_test(test_efs), cmocka_unit_test(test_changed), cmocka_unit_test(test_busy),
        cmocka_unit_test(test_stream_busy)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
