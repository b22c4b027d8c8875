/* FSCTL_…: reparse points, object ids, compression here; sparse streams and the journal beside.
 * learn.microsoft.com/en-us/openspecs/windows_protocols/ms-fsa 2.1.5.9 (2.1.5.10 in newer editions)
 */
#include <string.h>

#include "double_tree.h"

/* The names of a symlink or mount point lie inside: MS-FSCC 2.1.2.4, 2.1.2.5. */
static bool
names_fit(const uint8_t *p, size_t n, size_t header)
{
    if (n < header)
        return false;
    const size_t room = n - header;
    const size_t s_at = sp_le16(p + 8), s_len = sp_le16(p + 10), p_at = sp_le16(p + 12),
                 p_len = sp_le16(p + 14);
    return (s_at | s_len | p_at | p_len) % 2 == 0 && s_at + s_len <= room && p_at + p_len <= room &&
           s_len > 0;
}

static int
check_reparse(const struct sp_ntfs_handle *h, const uint8_t *p, size_t n)
{
    const struct dbl_node *f = h->node;

    if (n < 8 || n > 16384)
        return W_BAD_REPARSE;
    const uint32_t tag = sp_le32(p);
    /* Who is not Microsoft has a GUID behind the header. */
    const size_t header = (tag & 0x80000000u) != 0 ? 8 : 24;
    if (n < header || sp_le16(p + 4) != n - header)
        return W_BAD_REPARSE;
    if (tag <= 2)
        return W_BAD_TAG;
    if ((tag == NTFS_TAG_SYMLINK && !names_fit(p, n, 20)) ||
        (tag == NTFS_TAG_MOUNT_POINT && !names_fit(p, n, 16)))
        return W_BAD_REPARSE;
    /* learn.microsoft.com/en-us/windows/win32/fileio/reparse-point-operations */
    if (tag == NTFS_TAG_MOUNT_POINT && !f->folder)
        return W_DIRECTORY;
    if (tag == NTFS_TAG_SYMLINK && (h->may & NTFS_MAY_LINK) == 0)
        return W_NO_PRIVILEGE;
    if (f->tag != 0 && f->tag != tag)
        return W_TAG_MISMATCH;
    if (f->eas.len > 0)
        return W_NO_EAS;
    /* Bit 28, the D bit, lets a folder have children: MS-FSCC 2.1.2.1. */
    if (f->folder && !dbl_is_empty_folder(f) && (tag & 0x10000000u) == 0)
        return W_DIR_NOT_EMPTY;
    return 0;
}

static int
set_reparse(struct sp_ntfs_handle *h, const uint8_t *p, size_t n)
{
    int os;

    if ((h->volume->flags & NTFS_FS_REPARSE) == 0)
        return W_BAD_FUNCTION;
    if (!dbl_can(h, NTFS_WRITE))
        return W_ACCESS_DENIED;
    if ((os = check_reparse(h, p, n)) != 0)
        return os;
    sp_buf_reset(&h->node->reparse);
    sp_buf_put(&h->node->reparse, p, n);
    h->node->tag = sp_le32(p);
    dbl_touch(h->d, h->node, h, T_CHANGE | T_ARCHIVE);
    dbl_usn(h->node, h->name, USN_REPARSE);
    return 0;
}

static int
delete_reparse(struct sp_ntfs_handle *h, const uint8_t *p, size_t n)
{
    if ((h->volume->flags & NTFS_FS_REPARSE) == 0)
        return W_BAD_FUNCTION;
    if (!dbl_can(h, NTFS_WRITE))
        return W_ACCESS_DENIED;
    if (n < 8 || sp_le16(p + 4) != 0)
        return W_BAD_REPARSE;
    if (h->node->tag == 0)
        return W_NOT_REPARSE;
    if (sp_le32(p) != h->node->tag)
        return W_TAG_MISMATCH;
    sp_buf_free(&h->node->reparse);
    h->node->tag = 0;
    dbl_touch(h->d, h->node, h, T_CHANGE | T_ARCHIVE);
    dbl_usn(h->node, h->name, USN_REPARSE);
    return 0;
}

static int
give(struct sp_buf *ret, const void *p, size_t n, size_t room, bool *ret_more)
{
    *ret_more = n > room;
    sp_buf_put(ret, p, n < room ? n : room);
    return 0;
}

/* learn.microsoft.com/en-us/windows/win32/api/winioctl/ni-winioctl-fsctl_set_object_id:
 * SE_RESTORE_NAME, one an object, each once on a volume. */
static int
set_object_id(struct sp_ntfs_handle *h, const uint8_t *p, size_t n)
{
    if ((h->volume->flags & NTFS_FS_OBJECT_IDS) == 0)
        return W_BAD_FUNCTION;
    if (!dbl_can(h, NTFS_WRITE) || (h->may & NTFS_MAY_RESTORE) == 0)
        return W_ACCESS_DENIED;
    if (n != 64)
        return W_INVALID_PARAMETER;
    if (h->node->has_object_id)
        return W_ALREADY_EXISTS;
    for (const struct dbl_node *o = h->volume->nodes; o != NULL; o = o->next)
        if (o->has_object_id && memcmp(o->object_id, p, 16) == 0)
            return W_DUP_NAME;
    memcpy(h->node->object_id, p, 64);
    h->node->has_object_id = true;
    dbl_touch(h->d, h->node, h, T_CHANGE);
    dbl_usn(h->node, h->name, USN_OBJECT_ID);
    return 0;
}

/* learn.microsoft.com/en-us/windows/win32/api/winioctl/ni-winioctl-fsctl_set_compression; not what
 * is encrypted: learn.microsoft.com/en-us/windows/win32/fileio/file-encryption. */
static int
set_compression(struct sp_ntfs_handle *h, const uint8_t *p, size_t n)
{
    if ((h->volume->flags & NTFS_FS_COMPRESSION) == 0)
        return W_BAD_FUNCTION;
    if (!dbl_can(h, NTFS_WRITE))
        return W_ACCESS_DENIED;
    if (n < 2 || p[0] > 2 || p[1] != 0)
        return W_INVALID_PARAMETER;
    if (h->node->encrypted)
        return W_BAD_FUNCTION;
    if (h->node->folder)
        h->node->attributes =
            (h->node->attributes & ~NTFS_COMPRESSED) | (p[0] != 0 ? NTFS_COMPRESSED : 0);
    else
        h->stream->compressed = p[0] != 0;
    dbl_touch(h->d, h->node, h, T_CHANGE);
    dbl_usn(h->node, h->name, USN_COMPRESSION);
    return 0;
}

static int
get_compression(const struct sp_ntfs_handle *h, size_t room, struct sp_buf *ret, bool *ret_more)
{
    const bool on =
        h->node->folder ? (h->node->attributes & NTFS_COMPRESSED) != 0 : h->stream->compressed;
    const uint8_t format[2] = {on ? 2 : 0, 0}; /* COMPRESSION_FORMAT_LZNT1 */

    return give(ret, format, 2, room, ret_more);
}

enum sp_code
dbl_control(struct sp_ntfs_handle *h, uint32_t code, const void *in, size_t in_len, size_t room,
    struct sp_buf *ret, bool *ret_more, struct sp_err *e)
{
    struct sp_cur cur = sp_cur_of(in, in_len);
    bool more = false;
    int os = 0;

    sp_buf_reset(ret);
    if (h->gone || (h->node == NULL && code != FSCTL_SP_QUERY_USN_JOURNAL &&
                       code != FSCTL_SP_READ_USN_JOURNAL))
        return dbl_fail(e, W_INVALID_HANDLE);
    switch (code) {
    case FSCTL_SP_GET_REPARSE:
        os = h->node->tag == 0
                 ? (h->volume->flags & NTFS_FS_REPARSE) != 0 ? W_NOT_REPARSE : W_BAD_FUNCTION
                 : give(ret, h->node->reparse.data, h->node->reparse.len, room, &more);
        break;
    case FSCTL_SP_SET_REPARSE:
        os = set_reparse(h, in, in_len);
        break;
    case FSCTL_SP_DELETE_REPARSE:
        os = delete_reparse(h, in, in_len);
        break;
    case FSCTL_SP_GET_OBJECT_ID:
        os = (h->volume->flags & NTFS_FS_OBJECT_IDS) == 0 ? W_BAD_FUNCTION
             : h->node->has_object_id ? give(ret, h->node->object_id, 64, room, &more)
                                      : W_FILE_NOT_FOUND;
        break;
    case FSCTL_SP_SET_OBJECT_ID:
        os = set_object_id(h, in, in_len);
        break;
    case FSCTL_SP_SET_COMPRESSION:
        os = set_compression(h, in, in_len);
        break;
    case FSCTL_SP_GET_COMPRESSION:
        os = (h->volume->flags & NTFS_FS_COMPRESSION) == 0 ? W_BAD_FUNCTION
                                                           : get_compression(h, room, ret, &more);
        break;
    case FSCTL_SP_SET_SPARSE:
    case FSCTL_SP_SET_ZERO_DATA:
    case FSCTL_SP_QUERY_ALLOCATED_RANGES:
        os = dbl_control_sparse(h, code, &cur, room, ret, &more);
        break;
    case FSCTL_SP_QUERY_USN_JOURNAL:
    case FSCTL_SP_READ_USN_JOURNAL:
    case FSCTL_SP_READ_FILE_USN_DATA:
        os = dbl_control_usn(h, code, &cur, room, ret, &more);
        break;
    default:
        os = W_BAD_FUNCTION;
    }
    if (os != 0)
        return dbl_fail(e, os);
    if (ret_more != NULL)
        *ret_more = more;
    return sp_buf_ok(ret, e);
}
