#include "client/usn_journal.h"

#define ROOM ((size_t)256 << 10)
#define MOST_CALLS (1u << 20) /* 256 GiB of records */
#define QUERY_ROOM 56         /* USN_JOURNAL_DATA_V0 */

/* learn.microsoft.com/en-us/windows/win32/debug/system-error-codes--1000-1299- */
#define ERROR_JOURNAL_DELETE_IN_PROGRESS 1178
#define ERROR_JOURNAL_NOT_ACTIVE 1179

enum sp_code
sp_usn_query(const struct sp_ntfs *t, struct sp_ntfs_handle *volume, struct sp_usn_range *ret,
    struct sp_err *e)
{
    struct sp_buf b = SP_BUF_INIT;
    struct sp_usn_range r;
    struct sp_cur c;
    bool more = false;
    enum sp_code rc;

    rc = t->control(t->self, volume, FSCTL_SP_QUERY_USN_JOURNAL, NULL, 0, QUERY_ROOM, &b, &more, e);
    if (rc != SP_OK) {
        if (e->os == ERROR_JOURNAL_NOT_ACTIVE || e->os == ERROR_JOURNAL_DELETE_IN_PROGRESS)
            rc = sp_fail(e, SP_ABSENT, SP_DOM_NONE,
                "the volume has none ('fsutil usn createjournal' makes one)");
        goto out;
    }
    c = sp_cur_of(b.data, b.len);
    r.journal = sp_cur_u64(&c);
    r.first = sp_cur_u64(&c);
    r.next = sp_cur_u64(&c);
    if (!sp_cur_ok(&c) || r.first > r.next || r.next > INT64_MAX)
        rc = sp_fail(e, SP_CORRUPT, SP_DOM_NONE, "what it says of itself makes no sense");
    else
        *ret = r;
out:
    sp_buf_free(&b);
    return rc;
}

static enum sp_code
malformed(struct sp_err *e)
{
    return sp_fail(e, SP_CORRUPT, SP_DOM_NONE, "its records make no sense");
}

/* USN_RECORD_V2, USN_RECORD_V3:
 * learn.microsoft.com/en-us/windows/win32/api/winioctl/ns-winioctl-usn_record_v3 */
static enum sp_code
parse_one(struct sp_cur *c, struct sp_usn_record *ret, struct sp_err *e)
{
    uint32_t length = sp_cur_u32(c);
    struct sp_cur r;
    unsigned major;
    uint64_t high = 0;

    if (!sp_cur_ok(c) || length < 4 || length % 8 != 0)
        return malformed(e);
    r = sp_cur_sub(c, length - 4);
    major = sp_cur_u16(&r);
    (void)sp_cur_u16(&r);
    if (major != 2 && major != 3)
        return malformed(e);
    ret->file_id = sp_cur_u64(&r);
    if (major == 3)
        high = sp_cur_u64(&r);
    (void)sp_cur_bytes(&r, major == 3 ? 16 : 8); /* the folder's */
    ret->usn = sp_cur_u64(&r);
    ret->time = sp_cur_u64(&r);
    ret->reason = sp_cur_u32(&r);
    (void)sp_cur_bytes(&r, 16); /* source, security id, attributes, where the name is */
    if (!sp_cur_ok(&r))
        return malformed(e);
    if (high != 0)
        return sp_fail(e, SP_UNSUPPORTED, SP_DOM_NONE,
            "its file ids have more than 64 bits, and those of listings do not");
    return SP_OK;
}

enum sp_code
sp_usn_parse(const void *p, size_t n, uint64_t from, sp_usn_each each, void *arg,
    uint64_t *ret_next, struct sp_err *e)
{
    struct sp_cur c = sp_cur_of(p, n);
    uint64_t next = sp_cur_u64(&c), least = from;
    struct sp_usn_record r;
    enum sp_code rc;

    if (!sp_cur_ok(&c) || next < from || next > INT64_MAX)
        return malformed(e);
    while (sp_cur_left(&c) > 0) {
        if ((rc = parse_one(&c, &r, e)) != SP_OK)
            return rc;
        if (r.usn < least || r.usn >= next)
            return malformed(e);
        least = r.usn + 1;
        if ((rc = each(arg, &r, e)) != SP_OK)
            return rc;
    }
    *ret_next = next;
    return SP_OK;
}

/* READ_USN_JOURNAL_DATA_V1: learn.microsoft.com/en-us/windows/win32/api/winioctl/
 * ns-winioctl-read_usn_journal_data_v1. Every reason, nothing waited for, versions 2 and 3. */
static void
ask(struct sp_buf *b, uint64_t journal, uint64_t from)
{
    sp_buf_reset(b);
    sp_buf_put_u64(b, from);
    sp_buf_put_u32(b, UINT32_MAX);
    sp_buf_put_u32(b, 0);
    sp_buf_put_u64(b, 0);
    sp_buf_put_u64(b, 0);
    sp_buf_put_u64(b, journal);
    sp_buf_put_u16(b, 2);
    sp_buf_put_u16(b, 3);
    sp_buf_put_u32(b, 0);
}

enum sp_code
sp_usn_read(const struct sp_ntfs *t, struct sp_ntfs_handle *volume, uint64_t journal, uint64_t from,
    uint64_t until, sp_usn_each each, void *arg, struct sp_err *e)
{
    struct sp_buf in = SP_BUF_INIT, out = SP_BUF_INIT;
    uint64_t next = from;
    bool more = false;
    enum sp_code rc = SP_OK;

    for (unsigned i = 0; from < until && rc == SP_OK; i++) {
        ask(&in, journal, from);
        sp_buf_reset(&out);
        if ((rc = sp_buf_ok(&in, e)) == SP_OK)
            rc = t->control(
                t->self, volume, FSCTL_SP_READ_USN_JOURNAL, in.data, in.len, ROOM, &out, &more, e);
        if (rc == SP_OK)
            rc = sp_usn_parse(out.data, out.len, from, each, arg, &next, e);
        if (rc == SP_OK && (next == from || i == MOST_CALLS))
            rc = sp_fail(e, SP_CORRUPT, SP_DOM_NONE, "it ends before its end");
        from = next;
    }
    sp_buf_free(&in);
    sp_buf_free(&out);
    return rc;
}
