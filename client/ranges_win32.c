#include "client/ranges_win32.h"

#define RANGE_BYTES 16 /* FILE_ALLOCATED_RANGE_BUFFER: u64 offset, u64 length */

/* A file that has shrunk has no data behind its end either: that is no hole. */
static bool
still_reaches(const struct sp_ranges *r)
{
    struct sp_ntfs_info now;
    struct sp_err ignored = {0};

    return r->h->t->info(r->h->t->self, r->file, &now, &ignored) == SP_OK && now.size >= r->size;
}

static enum sp_code
ask(struct sp_ranges *r, uint64_t offset, struct sp_err *e)
{
    const struct sp_ntfs *t = r->h->t;
    struct sp_buf out = SP_BUF_INIT;
    uint8_t in[RANGE_BYTES];
    bool more = false;
    uint64_t last = offset;
    enum sp_code rc;

    sp_store_le64(in, offset);
    sp_store_le64(in + 8, r->size - offset);
    rc = t->control(t->self, r->file, FSCTL_SP_QUERY_ALLOCATED_RANGES, in, sizeof in,
        (size_t)SP_RANGES_AT_ONCE * RANGE_BYTES, &out, &more, e);
    if (rc != SP_OK)
        goto out;
    r->n = 0;
    for (size_t at = 0; at + RANGE_BYTES <= out.len && r->n < SP_RANGES_AT_ONCE;
         at += RANGE_BYTES) {
        uint64_t from = sp_le64(out.data + at), n = sp_le64(out.data + at + 8);

        /* Rising, as documented (the first may begin before what was asked for); anything else is
         * not believed to be a hole. */
        if (n > UINT64_MAX - from || from + n < last || (from < last && r->n > 0)) {
            rc = sp_fail(e, SP_CORRUPT, SP_DOM_NONE, "the list of allocated ranges is malformed");
            goto out;
        }
        last = from + n;
        r->known[r->n].from = from;
        r->known[r->n++].to = last;
    }
    if (more && r->n == 0) {
        rc = sp_fail(e, SP_CORRUPT, SP_DOM_NONE, "the list of allocated ranges is malformed");
        goto out;
    }
    r->from = offset;
    r->till = more ? last : r->size;
out:
    sp_buf_free(&out);
    return rc;
}

enum sp_code
sp_ranges_at(
    struct sp_ranges *r, uint64_t offset, bool *ret_hole, uint64_t *ret_length, struct sp_err *e)
{
    uint64_t end;
    size_t i = 0;
    enum sp_code rc;

    *ret_hole = false;
    *ret_length = r->size - offset;
    if (!r->none && (offset < r->from || offset >= r->till)) {
        rc = ask(r, offset, e);
        if (rc == SP_UNSUPPORTED)
            r->none = true;
        else if (rc != SP_OK)
            return rc;
    }
    if (r->none)
        return SP_OK;
    while (i < r->n && r->known[i].to <= offset)
        i++;
    if (i < r->n && r->known[i].from <= offset) {
        end = r->known[i].to;
    } else {
        end = i < r->n ? r->known[i].from : r->till;
        *ret_hole = i < r->n || still_reaches(r);
    }
    *ret_length = (end < r->size ? end : r->size) - offset;
    return SP_OK;
}
