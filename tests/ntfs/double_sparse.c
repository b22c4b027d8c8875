/* FSCTL_SET_SPARSE, FSCTL_SET_ZERO_DATA, FSCTL_QUERY_ALLOCATED_RANGES.
 * learn.microsoft.com/en-us/windows/win32/fileio/sparse-file-operations */
#include "double_tree.h"

static int
ranges(const struct sp_ntfs_handle *h, struct sp_cur *in, size_t room, struct sp_buf *ret,
    bool *ret_more)
{
    const struct dbl_stream *s = h->stream;
    uint64_t at = sp_cur_u64(in), end = sp_cur_u64(in), from = 0, n = 0;

    if (!sp_cur_ok(in) || at > INT64_MAX || end > INT64_MAX - at)
        return W_INVALID_PARAMETER;
    end += at;
    end = end < s->size ? end : s->size;
    /* A filter's file shows what it holds itself: nothing. */
    if (h->node->filtered || h->node->away)
        return 0;
    while (at < end) {
        if (!s->sparse) {
            from = at;
            n = end - at;
        } else if (!dbl_stream_range(s, at, &from, &n) || from >= end) {
            break;
        }
        n = n < end - from ? n : end - from;
        if (ret->len + 16 > room) {
            *ret_more = true;
            break;
        }
        sp_buf_put_u64(ret, from);
        sp_buf_put_u64(ret, n);
        at = from + n;
    }
    return 0;
}

int
dbl_control_sparse(struct sp_ntfs_handle *h, uint32_t code, struct sp_cur *in, size_t room,
    struct sp_buf *ret, bool *ret_more)
{
    int os;

    if ((h->volume->flags & NTFS_FS_SPARSE) == 0)
        return W_BAD_FUNCTION;
    if (h->stream == NULL || h->stream->removed)
        return W_INVALID_PARAMETER; /* folders */
    if (!dbl_can(h, code == FSCTL_SP_QUERY_ALLOCATED_RANGES ? NTFS_READ : NTFS_WRITE))
        return W_ACCESS_DENIED;
    if (code == FSCTL_SP_QUERY_ALLOCATED_RANGES)
        return ranges(h, in, room, ret, ret_more);
    if (code == FSCTL_SP_SET_SPARSE) {
        const bool on = sp_cur_left(in) == 0 || sp_cur_u8(in) != 0;
        if ((os = dbl_stream_sparse(h->node, h->stream, on)) != 0)
            return os;
        dbl_touch(h->d, h->node, h, T_CHANGE);
        dbl_usn(h->node, h->name, USN_BASIC);
        return 0;
    }
    const uint64_t from = sp_cur_u64(in), to = sp_cur_u64(in);
    if (!sp_cur_ok(in) || from > INT64_MAX || to > INT64_MAX || from > to)
        return W_INVALID_PARAMETER;
    dbl_stream_zero(h->node, h->stream, from, to);
    dbl_touch(h->d, h->node, h, T_MODIFY | T_CHANGE | T_ARCHIVE);
    dbl_usn(h->node, h->name, USN_DATA_OVERWRITE);
    return 0;
}
