/* Looking at what is open: MS-FSA 2.1.5.12 (file information), 2.1.5.6.3 (listing), 2.1.5.13. */
#include <stdlib.h>
#include <string.h>

#include "double_tree.h"

static const char *const kinds[] = {"NTFS", "ReFS", "FAT32", "exFAT", "NTFS"};

enum sp_code
dbl_volume_info(struct sp_ntfs_handle *h, struct sp_ntfs_volume *ret, struct sp_err *e)
{
    (void)e;
    memset(ret, 0, sizeof *ret);
    strcpy(ret->file_system, kinds[h->volume->kind]);
    ret->flags = h->volume->flags;
    ret->cluster = DBL_CLUSTER;
    ret->serial = h->volume->serial;
    ret->remote = h->volume->kind == NTFS_DOUBLE_SMB;
    ret->removable = h->volume->kind == NTFS_DOUBLE_FAT32 || h->volume->kind == NTFS_DOUBLE_EXFAT;
    return SP_OK;
}

enum sp_code
dbl_info(struct sp_ntfs_handle *h, struct sp_ntfs_info *ret, struct sp_err *e)
{
    if (h->node == NULL || h->gone)
        return dbl_fail(e, W_INVALID_HANDLE);
    dbl_info_of(h->node, h->stream_name[0] != '\0' ? h->stream : NULL, ret);
    /* CreateHardLink: GetFileInformationByHandle brings this name's listing up to date. */
    if ((h->volume->flags & NTFS_FS_READ_ONLY) == 0 && h->name != NULL && !h->name->removed)
        dbl_refresh(h->name);
    return SP_OK;
}

static struct dbl_line *
line_add(struct dbl_listing *l, const char *name)
{
    if ((l->n & (l->n + 1)) == 0)
        l->lines = realloc(l->lines, (l->n * 2 + 2) * sizeof *l->lines);
    if (l->lines == NULL)
        dbl_die("no memory");
    struct dbl_line *line = &l->lines[l->n++];
    memset(line, 0, sizeof *line);
    line->name = dbl_dup(name);
    return line;
}

void
dbl_listing_free(struct dbl_listing *l)
{
    for (size_t i = 0; i < l->n; i++)
        free(l->lines[i].name);
    free(l->lines);
    l->lines = NULL;
    l->n = 0;
}

enum sp_code
dbl_list(struct sp_ntfs_handle *h, const char *only, struct dbl_listing *ret, struct sp_err *e)
{
    const struct dbl_name *one = NULL;

    if (h->node == NULL || h->stream_name[0] != '\0' || !h->node->folder)
        return dbl_fail(e, W_INVALID_PARAMETER);
    if (!dbl_can(h, NTFS_LIST))
        return dbl_fail(e, W_ACCESS_DENIED);
    if (only != NULL && !dbl_name_ok(only))
        return dbl_fail(e, W_INVALID_NAME);
    if (only != NULL && (one = dbl_find(h->node, only)) == NULL)
        return dbl_fail(e, W_FILE_NOT_FOUND);
    for (size_t i = 0; i < h->node->nnames; i++) {
        const struct dbl_name *nm = h->node->names[i];
        if (one != NULL && nm != one)
            continue;
        struct dbl_line *line = line_add(ret, nm->name);
        memcpy(line->short_name, nm->short_name, sizeof line->short_name);
        line->info = nm->copy;
    }
    dbl_touch(h->d, h->node, h, T_ACCESS);
    return SP_OK;
}

enum sp_code
dbl_streams(struct sp_ntfs_handle *h, struct dbl_listing *ret, struct sp_err *e)
{
    if (h->node == NULL || h->gone)
        return dbl_fail(e, W_INVALID_HANDLE);
    if ((h->volume->flags & NTFS_FS_STREAMS) == 0)
        return dbl_fail(e, W_NOT_SUPPORTED);
    for (const struct dbl_stream *s = h->node->streams; s != NULL; s = s->next)
        if (s->name[0] != '\0' && !s->removed) {
            struct dbl_line *line = line_add(ret, s->name);
            line->info.size = s->size;
            line->info.allocated = dbl_stream_allocated(h->node, s);
        }
    return SP_OK;
}

/* What the ACL denies is denied here, not at opening: an NTFS_LOOK gets the attributes in any case.
 */
static bool
denied(const struct sp_ntfs_handle *h)
{
    return h->node->deny == NTFS_DOUBLE_DENY_ALWAYS ||
           (h->node->deny == NTFS_DOUBLE_DENY && (h->may & NTFS_MAY_BACKUP) == 0);
}

enum sp_code
dbl_security(struct sp_ntfs_handle *h, struct sp_buf *ret, struct sp_err *e)
{
    if (h->node == NULL || h->gone)
        return dbl_fail(e, W_INVALID_HANDLE);
    if ((h->volume->flags & NTFS_FS_ACLS) == 0)
        return dbl_fail(e, W_NOT_SUPPORTED);
    if (denied(h))
        return dbl_fail(e, W_ACCESS_DENIED);
    dbl_security_get(h->node, (h->may & NTFS_MAY_SECURITY) != 0, ret);
    return sp_buf_ok(ret, e);
}

enum sp_code
dbl_eas(struct sp_ntfs_handle *h, struct sp_buf *ret, struct sp_err *e)
{
    if (h->node == NULL || h->gone || h->stream_name[0] != '\0')
        return dbl_fail(e, W_INVALID_HANDLE);
    if ((h->volume->flags & NTFS_FS_EAS) == 0)
        return dbl_fail(e, W_NO_EAS);
    if (denied(h))
        return dbl_fail(e, W_ACCESS_DENIED);
    sp_buf_reset(ret);
    sp_buf_put(ret, h->node->eas.data, h->node->eas.len);
    return sp_buf_ok(ret, e);
}

/* FileCaseSensitiveInformation: local NTFS alone. */
enum sp_code
dbl_case_sensitive(struct sp_ntfs_handle *h, bool *ret, struct sp_err *e)
{
    if (h->node == NULL || h->gone || !h->node->folder)
        return dbl_fail(e, W_INVALID_PARAMETER);
    if (h->volume->kind != NTFS_DOUBLE_NTFS)
        return dbl_fail(e, W_NOT_SUPPORTED);
    *ret = h->node->case_sensitive;
    return SP_OK;
}
