/* The parts of the change journal's reader: ids, what a volume answers, what is remembered. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "client/usn_ids.h"
#include "client/usn_journal.h"
#include "client/usn_state.h"
#include "storage/crypto.h"
#include "tests/ntfs/double.h"

/* --- ids -----------------------------------------------------------------------------------------
 */

static void
test_ids(void **state)
{
    const size_t n = 200000;
    struct sp_usn_ids s;
    struct sp_err e = {0};
    uint64_t x = 1;

    (void)state;
    sp_usn_ids_init(&s, 150000);
    /* Each of 131072 ids, some twice, in no order; the even ones end open. */
    for (size_t i = 0; i < n; i++) {
        uint64_t id;

        x = (x * 5 + 3) % 131072; /* a full period */
        id = x * UINT64_C(0x100000001);
        assert_int_equal(
            sp_usn_ids_add(&s, id, x % 2 == 0 ? SP_USN_CLOSED : SP_USN_OPEN, &e), SP_OK);
        assert_int_equal(
            sp_usn_ids_add(&s, id, x % 2 == 0 ? SP_USN_OPEN : SP_USN_CLOSED, &e), SP_OK);
        assert_int_equal(sp_usn_ids_add(&s, id, SP_USN_SEEN, &e), SP_OK);
    }
    assert_int_equal(sp_usn_ids_settle(&s, &e), SP_OK);
    assert_int_equal(s.n, 131072);
    for (size_t i = 0; i < s.n; i++) {
        assert_true(s.ids[i] == i * UINT64_C(0x100000001));
        assert_int_equal(s.open[i], i % 2 == 0);
    }
    assert_true(sp_usn_ids_has(&s, UINT64_C(0x100000001)));
    assert_false(sp_usn_ids_has(&s, 1));
    assert_false(sp_usn_ids_has(&s, UINT64_MAX));
    sp_usn_ids_free(&s);
}

static void
test_too_many(void **state)
{
    struct sp_usn_ids s;
    struct sp_err e = {0};
    enum sp_code rc = SP_OK;

    (void)state;
    sp_usn_ids_init(&s, 100000);
    for (uint64_t i = 1; i <= 100001 && rc == SP_OK; i++)
        rc = sp_usn_ids_add(&s, i, SP_USN_SEEN, &e);
    if (rc == SP_OK)
        rc = sp_usn_ids_settle(&s, &e);
    assert_int_equal(rc, SP_FULL);
    assert_true(s.room <= 100000);
    sp_usn_ids_free(&s);
}

/* --- answers -------------------------------------------------------------------------------------
 */

static void
put_record(
    struct sp_buf *b, unsigned major, uint64_t id, uint64_t high, uint64_t usn, uint32_t reason)
{
    sp_buf_put_u32(b, major == 3 ? 80 : 64);
    sp_buf_put_u16(b, (uint16_t)major);
    sp_buf_put_u16(b, 0);
    sp_buf_put_u64(b, id);
    if (major == 3)
        sp_buf_put_u64(b, high);
    sp_buf_put_zero(b, major == 3 ? 16 : 8);
    sp_buf_put_u64(b, usn);
    sp_buf_put_u64(b, 5);
    sp_buf_put_u32(b, reason);
    sp_buf_put_zero(b, 20);
}

struct seen {
    struct sp_usn_record r[8];
    size_t n;
};

static enum sp_code
see(void *arg, const struct sp_usn_record *r, struct sp_err *e)
{
    struct seen *s = arg;

    (void)e;
    assert_true(s->n < 8);
    s->r[s->n++] = *r;
    return SP_OK;
}

static enum sp_code
parse(struct sp_buf *b, uint64_t from, struct seen *s)
{
    struct sp_err e = {0};
    uint64_t next = 0;
    uint8_t *exact = malloc(b->len + 1); /* a byte too far is seen by the sanitizer */
    enum sp_code rc;

    memcpy(exact, b->data, b->len);
    exact = realloc(exact, b->len);
    memset(s, 0, sizeof *s);
    rc = sp_usn_parse(exact, b->len, from, see, s, &next, &e);
    free(exact);
    assert_true(rc == SP_OK || e.code == rc);
    return rc;
}

static void
test_records(void **state)
{
    struct sp_buf b = SP_BUF_INIT;
    struct seen s;

    (void)state;
    sp_buf_put_u64(&b, 1000);
    put_record(&b, 2, 11, 0, 100, 1);
    put_record(&b, 3, 12, 0, 200, SP_USN_CLOSE | 2);
    assert_int_equal(parse(&b, 100, &s), SP_OK);
    assert_int_equal(s.n, 2);
    assert_int_equal(s.r[0].file_id, 11);
    assert_int_equal(s.r[0].usn, 100);
    assert_int_equal(s.r[0].time, 5);
    assert_int_equal(s.r[1].file_id, 12);
    assert_true(s.r[1].reason == (SP_USN_CLOSE | 2));
    assert_int_equal(parse(&b, 101, &s), SP_CORRUPT); /* before what was asked for */
    for (size_t n = 0; n < b.len; n++) {              /* cut off */
        struct sp_buf cut = {b.data, n, n, false};

        assert_int_equal(parse(&cut, 100, &s), n == 8 || n == 72 ? SP_OK : SP_CORRUPT);
    }
    put_record(&b, 2, 13, 0, 200, 1); /* the same place twice */
    assert_int_equal(parse(&b, 100, &s), SP_CORRUPT);
    sp_buf_reset(&b);
    sp_buf_put_u64(&b, 1000);
    put_record(&b, 3, 11, 1, 100, 1); /* ReFS */
    assert_int_equal(parse(&b, 100, &s), SP_UNSUPPORTED);
    for (uint32_t length = 0; length < 64; length += 4) {
        sp_buf_reset(&b);
        sp_buf_put_u64(&b, 1000);
        put_record(&b, 2, 11, 0, 100, 1);
        sp_store_le32(b.data + 8, length);
        assert_int_equal(parse(&b, 100, &s), SP_CORRUPT);
    }
    sp_buf_reset(&b);
    sp_buf_put_u64(&b, 1000);
    put_record(&b, 4, 11, 0, 100, 1);
    assert_int_equal(parse(&b, 100, &s), SP_CORRUPT);
    sp_buf_free(&b);
}

/* A volume whose journal never comes to its end. */
static enum sp_code
stands_still(void *self, struct sp_ntfs_handle *h, uint32_t code, const void *in, size_t in_len,
    size_t room, struct sp_buf *ret, bool *ret_more, struct sp_err *e)
{
    const uint8_t *p = in;

    (void)self;
    (void)h;
    (void)e;
    assert_int_equal(code, FSCTL_SP_READ_USN_JOURNAL);
    assert_int_equal(in_len, 48);
    assert_true(room >= 65536);
    sp_buf_put_u64(ret, sp_le64(p));
    *ret_more = false;
    return SP_OK;
}

static void
test_no_progress(void **state)
{
    const struct sp_ntfs t = {.control = stands_still};
    struct sp_err e = {0};
    struct seen s = {0};

    (void)state;
    assert_int_equal(sp_usn_read(&t, NULL, 7, 100, 200, see, &s, &e), SP_CORRUPT);
    assert_int_equal(sp_usn_read(&t, NULL, 7, 200, 200, see, &s, &e), SP_OK);
}

/* --- what is remembered --------------------------------------------------------------------------
 */

static void
test_state(void **state)
{
    uint64_t carried[] = {3, 9, UINT64_MAX};
    struct sp_usn_state s = {.serial = 1,
        .journal = 2,
        .next = 300,
        .has_last = true,
        .last_usn = 299,
        .last_id = 5,
        .last_time = 6,
        .settled = true,
        .mono_ns = -7,
        .sequence = 8,
        .carried = carried,
        .ncarried = 3};
    struct sp_usn_state got;
    struct sp_buf b = SP_BUF_INIT;
    struct sp_err e = {0};

    (void)state;
    memset(s.scope, 1, 32);
    memset(s.record_hash, 2, 32);
    assert_int_equal(sp_usn_state_encode(&s, &b, &e), SP_OK);
    assert_int_equal(sp_usn_state_decode(b.data, b.len, &got, &e), SP_OK);
    assert_int_equal(got.next, 300);
    assert_true(got.settled && got.has_last && got.mono_ns == -7);
    assert_int_equal(got.ncarried, 3);
    assert_memory_equal(got.carried, carried, sizeof carried);
    assert_memory_equal(got.record_hash, s.record_hash, 32);
    sp_usn_state_clear(&got);
    for (size_t i = 0; i < b.len; i++) { /* any byte */
        b.data[i] ^= 0x40;
        assert_int_equal(sp_usn_state_decode(b.data, b.len, &got, &e), SP_CORRUPT);
        b.data[i] ^= 0x40;
    }
    for (size_t n = 0; n < b.len; n++)
        assert_int_equal(sp_usn_state_decode(b.data, n, &got, &e), SP_CORRUPT);
    /* Whole, and senseless. */
    carried[1] = 3;
    sp_buf_reset(&b);
    assert_int_equal(sp_usn_state_encode(&s, &b, &e), SP_OK);
    assert_int_equal(sp_usn_state_decode(b.data, b.len, &got, &e), SP_CORRUPT);
    carried[1] = 9;
    s.last_usn = 300;
    sp_buf_reset(&b);
    assert_int_equal(sp_usn_state_encode(&s, &b, &e), SP_OK);
    assert_int_equal(sp_usn_state_decode(b.data, b.len, &got, &e), SP_CORRUPT);
    sp_buf_free(&b);
}

/* --- over the double -----------------------------------------------------------------------------
 */

static void
test_double(void **state)
{
    struct ntfs_double *d = ntfs_double_new();
    const struct sp_ntfs *t = ntfs_double_table(d);
    struct sp_usn_range r = {0};
    struct sp_ntfs_handle *h = NULL;
    struct sp_ntfs_info info;
    struct sp_err e = {0};
    struct seen s = {0};

    (void)state;
    ntfs_double_volume(d, "C:/", NTFS_DOUBLE_REFS);
    assert_int_equal(t->open_path(t->self, "//./C:", NTFS_READ, &h, &e), SP_OK);
    assert_int_equal(sp_usn_query(t, h, &r, &e), SP_ABSENT);
    ntfs_double_journal(d, "C:/", 42);
    assert_int_equal(sp_usn_query(t, h, &r, &e), SP_OK);
    assert_int_equal(r.journal, 42);
    assert_true(r.first == r.next);
    ntfs_double_text(d, "C:/x", "x");
    ntfs_double_info(d, "C:/x", &info);
    assert_int_equal(
        sp_usn_read(t, h, 42, r.next, ntfs_double_journal_next(d, "C:/"), see, &s, &e), SP_OK);
    assert_true(s.n > 0);
    assert_int_equal(s.r[s.n - 1].file_id, info.file_id);
    assert_true((s.r[s.n - 1].reason & SP_USN_CLOSE) != 0);
    assert_int_equal(t->close(t->self, h, &e), SP_OK);
    ntfs_double_free(d);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_ids), cmocka_unit_test(test_too_many),
        cmocka_unit_test(test_records), cmocka_unit_test(test_no_progress),
        cmocka_unit_test(test_state), cmocka_unit_test(test_double)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
