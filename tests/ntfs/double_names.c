/* Names that come and go: MS-FSA 2.1.5.14.3 (disposition), 2.1.5.14.7 (link), 2.1.5.14.11 (rename).
 */
#include <stdlib.h>
#include <string.h>

#include "double_tree.h"

/* The name is free, or is made so. A folder is never replaced, a read-only file is (FILE_RENAME_
 * IGNORE_READONLY_ATTRIBUTE: learn.microsoft.com/en-us/windows-hardware/drivers/ddi/ntifs/
 * ns-ntifs-_file_rename_information). `own`: what is renamed, which may be there under another
 * case. */
static int
make_room(struct sp_ntfs_handle *h, struct dbl_node *dir, const char *name, bool replace,
    const struct dbl_name *own)
{
    struct dbl_name *there = dbl_find(dir, name);

    if (there == NULL || there == own)
        return 0;
    if (!replace)
        return W_ALREADY_EXISTS;
    if (there->node->folder || there->node->deny == NTFS_DOUBLE_DENY_ALWAYS)
        return W_ACCESS_DENIED;
    if ((dir->volume->flags & NTFS_FS_POSIX_UNLINK) == 0 && there->node->handles > 0 &&
        there->node != h->node)
        return W_ACCESS_DENIED; /* it is open */
    if (there->node->links == 1)
        dbl_usn(there->node, there, USN_DELETE);
    else
        dbl_usn(there->node, there, USN_LINK);
    dbl_touch(h->d, there->node, NULL, T_CHANGE);
    if (there->node->handles == 0)
        dbl_usn_close(there->node, there);
    dbl_name_take(there); /* not tunneled: what replaces it was there before it went */
    return 0;
}

static int
check(struct sp_ntfs_handle *h, struct sp_ntfs_handle *dir, const char *name)
{
    if (h->node == NULL || h->gone || dir->node == NULL || !dir->node->folder || dir->gone)
        return W_INVALID_HANDLE;
    if (h->stream_name[0] != '\0' || dir->stream_name[0] != '\0' || h->name == NULL)
        return W_INVALID_PARAMETER;
    if (!dbl_can(h, NTFS_CHANGE))
        return W_ACCESS_DENIED;
    if (!dbl_name_ok(name))
        return W_INVALID_NAME;
    if (h->volume != dir->volume)
        return W_OTHER_DEVICE;
    if (dir->node->deny == NTFS_DOUBLE_DENY_ALWAYS ||
        (dir->node->deny == NTFS_DOUBLE_DENY && (h->may & NTFS_MAY_RESTORE) == 0))
        return W_ACCESS_DENIED;
    if (dir->node->links == 0 && dir->node != dir->volume->root)
        return W_FILE_NOT_FOUND;
    return h->name->removed ? W_FILE_NOT_FOUND : 0;
}

static bool
open_inside(const struct dbl_node *dir)
{
    for (size_t i = 0; i < dir->nnames; i++)
        if (dir->names[i]->node->handles > 0 || open_inside(dir->names[i]->node))
            return true;
    return false;
}

static bool
inside(const struct dbl_node *n, const struct dbl_node *of)
{
    while (n != of && n->up != NULL)
        n = n->up->dir;
    return n == of;
}

enum sp_code
dbl_rename(struct sp_ntfs_handle *h, struct sp_ntfs_handle *dir, const char *name, bool replace,
    struct sp_err *e)
{
    struct dbl_node *n = h->node, *to = dir->node;
    struct dbl_name *old = h->name, *nm;
    int os = check(h, dir, name);

    if (os == 0 && n->folder && (inside(to, n) || (to != old->dir && open_inside(n))))
        os = W_ACCESS_DENIED;
    if (os == 0 && n->folder && open_inside(n))
        os = W_ACCESS_DENIED;
    if (os == 0)
        os = make_room(h, to, name, replace, old);
    if (os != 0)
        return dbl_fail(e, os);
    if (old->dir == to && strcmp(old->name, name) == 0)
        return SP_OK;
    dbl_usn(n, old, USN_OLD_NAME);
    struct dbl_node *from = old->dir;
    dbl_tunnel_put(h->d, old);
    n->handles++; /* the record stays while it has no name */
    nm = NULL;
    dbl_name_take(old);
    nm = dbl_name_add(to, name, n);
    n->handles--;
    dbl_tunnel_take(h->d, nm);
    nm->refs++;
    dbl_name_release(h->name);
    h->name = nm;
    dbl_touch(h->d, from, NULL, T_MODIFY | T_CHANGE);
    dbl_touch(h->d, to, NULL, T_MODIFY | T_CHANGE);
    dbl_touch(h->d, n, h, T_CHANGE | T_ARCHIVE);
    dbl_refresh(nm);
    dbl_usn(n, nm, USN_NEW_NAME);
    return SP_OK;
}

enum sp_code
dbl_link(struct sp_ntfs_handle *h, struct sp_ntfs_handle *dir, const char *name, bool replace,
    struct sp_err *e)
{
    struct dbl_node *n = h->node;
    struct dbl_name *nm;
    int os = check(h, dir, name);

    if (os == 0 && n->folder)
        os = W_ACCESS_DENIED; /* STATUS_FILE_IS_A_DIRECTORY */
    if (os == 0 && (h->volume->flags & NTFS_FS_HARD_LINKS) == 0)
        os = W_BAD_FUNCTION;
    if (os == 0 && n->links >= DBL_MAX_LINKS)
        os = W_TOO_MANY_LINKS;
    nm = os == 0 ? dbl_find(dir->node, name) : NULL;
    if (nm != NULL && nm->node == n && replace && strcmp(nm->name, name) == 0)
        return SP_OK;
    if (os == 0)
        os = make_room(h, dir->node, name, replace, NULL);
    if (os != 0)
        return dbl_fail(e, os);
    nm = dbl_name_add(dir->node, name, n);
    nm->short_name[0] = '\0'; /* a second name has none */
    dbl_touch(h->d, dir->node, NULL, T_MODIFY | T_CHANGE);
    /* MS-FSA 2.1.5.14.7: the change time even when this handle has set it. */
    dbl_touch(h->d, n, NULL, T_CHANGE);
    dbl_usn(n, nm, USN_LINK);
    return SP_OK;
}

enum sp_code
dbl_remove(struct sp_ntfs_handle *h, struct sp_err *e)
{
    struct dbl_node *n = h->node;

    if (n == NULL || h->gone)
        return dbl_fail(e, W_INVALID_HANDLE);
    if (!dbl_can(h, NTFS_CHANGE) || n == h->volume->root)
        return dbl_fail(e, W_ACCESS_DENIED);
    h->gone = true;
    if (h->stream_name[0] != '\0') {
        if (!h->stream->removed) {
            dbl_stream_remove(n, h->stream);
            dbl_touch(h->d, n, NULL, T_CHANGE | T_ARCHIVE);
            dbl_usn(n, h->name, USN_STREAM);
        }
        return SP_OK;
    }
    if (h->name->removed)
        return SP_OK;
    if (n->folder && n->nnames > 0) {
        h->gone = false;
        return dbl_fail(e, W_DIR_NOT_EMPTY);
    }
    dbl_tunnel_put(h->d, h->name);
    dbl_touch(h->d, h->name->dir, NULL, T_MODIFY | T_CHANGE);
    dbl_touch(h->d, n, NULL, T_CHANGE);
    dbl_usn(n, h->name, n->links == 1 ? USN_DELETE : USN_LINK);
    if ((h->volume->flags & NTFS_FS_POSIX_UNLINK) != 0)
        dbl_name_take(h->name);
    else
        h->name->pending = true;
    return SP_OK;
}
