/* Content through a handle: MS-FSA 2.1.5.3 (read), 2.1.5.4 (write), 2.1.5.14.4 (end of file). */
#include <string.h>

#include "double_tree.h"

static bool
named(const struct sp_ntfs_handle *h)
{
    return h->stream_name[0] != '\0';
}

enum sp_code
dbl_read(struct sp_ntfs_handle *h, uint64_t at, void *to, size_t n, size_t *ret_n, struct sp_err *e)
{
    struct dbl_stream *s = h->stream;

    if (s == NULL || !dbl_can(h, NTFS_READ))
        return dbl_fail(e, s == NULL ? W_INVALID_PARAMETER : W_ACCESS_DENIED);
    if (h->node->away && !named(h)) {
        dbl_fetch(h->d, h->node);
    }
    const size_t most = at >= s->size ? 0 : s->size - at < n ? (size_t)(s->size - at) : n;
    dbl_stream_read(s, at, to, most);
    dbl_touch(h->d, h->node, h, T_ACCESS);
    *ret_n = most;
    return SP_OK;
}

enum sp_code
dbl_write(struct sp_ntfs_handle *h, uint64_t at, const void *p, size_t n, struct sp_err *e)
{
    struct dbl_stream *s = h->stream;
    int os;

    if (s == NULL || s->removed || !dbl_can(h, NTFS_WRITE))
        return dbl_fail(e, s == NULL || s->removed ? W_INVALID_PARAMETER : W_ACCESS_DENIED);
    const bool extends = at + n > s->size, overwrites = at < s->size;
    if (n > 0 && (os = dbl_stream_write(h->node, s, at, p, n)) != 0)
        return dbl_fail(e, os);
    if (n == 0)
        return SP_OK;
    dbl_touch(h->d, h->node, h, T_MODIFY | T_CHANGE | T_ARCHIVE);
    if (extends)
        dbl_usn(h->node, h->name, named(h) ? USN_NAMED_EXTEND : USN_DATA_EXTEND);
    if (overwrites)
        dbl_usn(h->node, h->name, named(h) ? USN_NAMED_OVERWRITE : USN_DATA_OVERWRITE);
    return SP_OK;
}

enum sp_code
dbl_resize(struct sp_ntfs_handle *h, uint64_t size, struct sp_err *e)
{
    struct dbl_stream *s = h->stream;
    int os;

    if (s == NULL || s->removed || !dbl_can(h, NTFS_WRITE))
        return dbl_fail(e, s == NULL || s->removed ? W_INVALID_PARAMETER : W_ACCESS_DENIED);
    if (size > INT64_MAX)
        return dbl_fail(e, W_INVALID_PARAMETER);
    const uint64_t old = s->size;
    if ((os = dbl_stream_resize(h->node, s, size)) != 0)
        return dbl_fail(e, os);
    dbl_touch(h->d, h->node, h, T_MODIFY | T_CHANGE | T_ARCHIVE);
    if (size > old)
        dbl_usn(h->node, h->name, named(h) ? USN_NAMED_EXTEND : USN_DATA_EXTEND);
    if (size < old)
        dbl_usn(h->node, h->name, named(h) ? USN_NAMED_TRUNCATION : USN_DATA_TRUNCATION);
    return SP_OK;
}
