#include "client/target_impl_win32.h"

/* What an object is, as the catalog tells it apart (ntfs_meta.h). */

#define MOST_REPARSE ((size_t)16 << 10) /* MAXIMUM_REPARSE_DATA_BUFFER_SIZE */

bool
target_tag_is_whole(uint32_t tag)
{
    switch (tag) {
    case NTFS_TAG_MOUNT_POINT:
    case NTFS_TAG_SYMLINK:
    case NTFS_TAG_APPEXECLINK:
    case NTFS_TAG_LX_SYMLINK:
    case NTFS_TAG_LX_FIFO:
    case NTFS_TAG_LX_CHR:
    case NTFS_TAG_LX_BLK:
    case NTFS_TAG_AF_UNIX:
        return true;
    default:
        return false;
    }
}

enum sp_code
target_reparse(struct sp_target *t, struct sp_ntfs_handle *h, struct sp_buf *ret, struct sp_err *e)
{
    const struct sp_ntfs *fs = t->fs;
    bool more = false;
    enum sp_code rc;

    rc = fs->control(fs->self, h, FSCTL_SP_GET_REPARSE, NULL, 0, MOST_REPARSE, ret, &more, e);
    if (rc != SP_OK)
        return target_fail(e, "what it is a link to cannot be read");
    return SP_OK;
}

enum sp_code
target_type(struct sp_target *t, struct sp_ntfs_handle *h, const struct sp_ntfs_info *info,
    enum sp_entry_type *ret, struct sp_err *e)
{
    bool folder = (info->attributes & NTFS_DIRECTORY) != 0, relative = false, volume = false;
    struct sp_buf data = SP_BUF_INIT, target = SP_BUF_INIT;
    struct sp_err why = {0};
    enum sp_code rc = SP_OK;

    *ret = folder ? SP_ENTRY_DIR : SP_ENTRY_FILE;
    if (info->reparse_tag == NTFS_TAG_SYMLINK || info->reparse_tag == NTFS_TAG_LX_SYMLINK ||
        (folder && NTFS_TAG_IS_SURROGATE(info->reparse_tag)))
        *ret = SP_ENTRY_LINK;
    if (info->reparse_tag != NTFS_TAG_MOUNT_POINT)
        return SP_OK;
    if ((rc = target_reparse(t, h, &data, e)) == SP_OK &&
        sp_ntfs_reparse_target(data.data, data.len, &target, &relative, &volume, &why) == SP_OK)
        *ret = volume ? SP_ENTRY_DIR : SP_ENTRY_LINK;
    sp_buf_free(&data);
    sp_buf_free(&target);
    return rc;
}

enum sp_code
target_stat(
    struct sp_target *t, struct sp_ntfs_handle *h, struct sp_target_stat *ret, struct sp_err *e)
{
    struct sp_ntfs_info info;
    struct sp_target_stat st = {0};
    enum sp_code rc;

    if ((rc = t->fs->info(t->fs->self, h, &info, e)) != SP_OK)
        return target_fail(e, "what is there cannot be looked at");
    if ((rc = target_type(t, h, &info, &st.type, e)) != SP_OK)
        return rc;
    st.size = st.type == SP_ENTRY_FILE ? info.size : 0;
    st.mtime_ns = sp_ntfs_ns(info.mtime);
    st.device = info.volume;
    st.inode = info.file_id;
    st.links = info.links;
    *ret = st;
    return SP_OK;
}
