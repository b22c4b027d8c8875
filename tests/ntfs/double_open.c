/* Opening, making, closing: MS-FSA 2.1.5.1. */
#include <stdlib.h>
#include <string.h>

#include "double_tree.h"

bool
dbl_is_empty_folder(const struct dbl_node *n)
{
    return n->folder && n->nnames == 0;
}

/* The system has it fetched:
 * learn.microsoft.com/en-us/windows/win32/fileio/file-attribute-constants (RECALL_ON_OPEN,
 * RECALL_ON_DATA_ACCESS, OFFLINE). */
void
dbl_fetch(struct ntfs_double *d, struct dbl_node *n)
{
    d->recalls++;
    n->away = false;
    n->attributes &= ~NTFS_MUST_NOT_READ;
}

bool
dbl_can(const struct sp_ntfs_handle *h, enum sp_ntfs_access least)
{
    if (h->node == NULL || h->gone)
        return false;
    switch (least) {
    case NTFS_LOOK:
        return true;
    case NTFS_READ:
        return h->access == NTFS_READ || h->access == NTFS_WRITE;
    case NTFS_LIST:
        return h->access == NTFS_LIST;
    case NTFS_CHANGE:
        return h->access == NTFS_CHANGE || h->access == NTFS_WRITE;
    default:
        return h->access == NTFS_WRITE;
    }
}

static int
may_open(struct ntfs_double *d, unsigned may, struct dbl_node *n, enum sp_ntfs_access access)
{
    const bool writes = access == NTFS_CHANGE || access == NTFS_WRITE;

    if (n->busy > 0) {
        n->busy--;
        return W_SHARING;
    }
    if (n->deny == NTFS_DOUBLE_DENY_ALWAYS && access != NTFS_LOOK)
        return W_ACCESS_DENIED;
    if (n->deny != NTFS_DOUBLE_ALLOW && access != NTFS_LOOK &&
        (may & (writes ? NTFS_MAY_RESTORE : NTFS_MAY_BACKUP)) == 0)
        return W_ACCESS_DENIED;
    if (writes && (n->volume->flags & NTFS_FS_READ_ONLY) != 0)
        return W_WRITE_PROTECT;
    if (access == NTFS_LIST && !n->folder)
        return W_DIRECTORY | W_IS_FOLDER;
    /* MS-FSA 2.1.5.1.2.1: FILE_WRITE_DATA on a read-only file, whatever the ACL or the backup
     * intent. */
    if (access == NTFS_WRITE && !n->folder && (n->attributes & NTFS_READONLY) != 0)
        return W_ACCESS_DENIED;
    /* Without its key an encrypted file's content cannot be opened:
     * learn.microsoft.com/en-us/windows/win32/ fileio/file-encryption. The attributes can. */
    if (n->encrypted && !n->folder && !d->key && (access == NTFS_READ || access == NTFS_WRITE))
        return W_ACCESS_DENIED;
    if ((n->attributes & NTFS_RECALL_ON_OPEN) != 0)
        dbl_fetch(d, n);
    return 0;
}

enum sp_code
dbl_open_node(struct ntfs_double *d, unsigned may, struct dbl_volume *v, struct dbl_node *n,
    struct dbl_name *nm, enum sp_ntfs_access access, struct sp_ntfs_handle **ret, struct sp_err *e)
{
    struct sp_ntfs_handle *h;
    const int os = n != NULL ? may_open(d, may, n, access) : 0;

    if (os != 0)
        return dbl_fail(e, os);
    if ((h = calloc(1, sizeof *h)) == NULL)
        return sp_fail_nomem(e);
    h->d = d;
    h->volume = v;
    h->node = n;
    h->name = nm;
    h->access = access;
    h->may = may;
    h->stream_name = dbl_dup("");
    if (nm != NULL)
        nm->refs++;
    if (n != NULL) {
        n->handles++;
        h->stream = n->folder ? NULL : dbl_stream_find(n, "");
        /* CreateHardLink: what another name's listing says is brought up to date when it is opened.
         */
        if ((v->flags & NTFS_FS_READ_ONLY) == 0)
            dbl_refresh(nm);
    }
    d->handles++;
    *ret = h;
    return SP_OK;
}

enum sp_code
dbl_open_at(struct ntfs_double *d, unsigned may, struct sp_ntfs_handle *dir, const char *name,
    enum sp_ntfs_what what, enum sp_ntfs_access access, struct sp_ntfs_handle **ret,
    struct sp_err *e)
{
    struct dbl_name *nm = dir->name;
    struct dbl_node *n = dir->node;

    if (n == NULL || dir->gone || dir->stream_name[0] != '\0')
        return dbl_fail(e, W_INVALID_HANDLE);
    if (name[0] != '\0') {
        if (!n->folder)
            return dbl_fail(e, W_INVALID_PARAMETER);
        if (!dbl_name_ok(name))
            return dbl_fail(e, W_INVALID_NAME);
        if ((nm = dbl_find(n, name)) == NULL)
            return dbl_fail(e, W_FILE_NOT_FOUND);
        n = nm->node;
    }
    if (nm != NULL && nm->pending)
        return dbl_fail(e, W_DELETE_PENDING);
    if ((what == NTFS_FILE && n->folder) || (what == NTFS_FOLDER && !n->folder))
        return dbl_fail(e, W_DIRECTORY | W_IS_FOLDER);
    return dbl_open_node(d, may, n->volume, n, nm, access, ret, e);
}

enum sp_code
dbl_open_stream(struct sp_ntfs_handle *h, const char *stream, enum sp_ntfs_access access,
    struct sp_ntfs_handle **ret, struct sp_err *e)
{
    struct dbl_node *n = h->node;
    struct dbl_stream *s;
    enum sp_code rc;

    if (n == NULL || h->gone || h->stream_name[0] != '\0')
        return dbl_fail(e, W_INVALID_HANDLE);
    if ((n->volume->flags & NTFS_FS_STREAMS) == 0)
        return dbl_fail(e, W_NOT_SUPPORTED);
    if (stream[0] == '\0' || strpbrk(stream, ":/\\") != NULL || strlen(stream) > 255 * 3)
        return dbl_fail(e, W_INVALID_NAME);
    if (access != NTFS_READ && access != NTFS_WRITE && access != NTFS_CHANGE)
        return dbl_fail(e, W_INVALID_PARAMETER);
    s = dbl_stream_find(n, stream);
    if (access == NTFS_WRITE && s != NULL)
        return dbl_fail(e, W_ALREADY_EXISTS);
    if (access != NTFS_WRITE && s == NULL)
        return dbl_fail(e, W_FILE_NOT_FOUND);
    if ((rc = dbl_open_node(h->d, h->may, n->volume, n, h->name, access, ret, e)) != SP_OK)
        return rc;
    if (s == NULL) {
        s = dbl_stream_add(n, stream);
        dbl_touch(h->d, n, NULL, T_CHANGE | T_ARCHIVE);
        dbl_usn(n, h->name, USN_STREAM);
    }
    (*ret)->stream = s;
    free((*ret)->stream_name);
    (*ret)->stream_name = dbl_dup(s->name);
    return SP_OK;
}

static void
born(struct ntfs_double *d, struct sp_ntfs_handle *dir, struct dbl_node *n, struct dbl_name *nm,
    uint32_t attributes)
{
    struct dbl_node *up = dir->node;

    n->attributes |= attributes & DBL_SETTABLE;
    /* MS-FSA 2.1.5.1.1: compression and encryption come from the folder. */
    if ((up->volume->flags & NTFS_FS_ENCRYPTION) != 0)
        n->encrypted = up->encrypted || (attributes & NTFS_ENCRYPTED) != 0;
    if ((up->attributes & NTFS_COMPRESSED) != 0 && !n->encrypted) {
        n->attributes |= n->folder ? NTFS_COMPRESSED : 0;
        if (!n->folder)
            n->streams->compressed = true;
    }
    /* Since Windows 10 1803 a folder takes over the flag:
     * learn.microsoft.com/en-us/windows/wsl/case-sensitivity */
    n->case_sensitive = n->folder && up->case_sensitive;
    dbl_tunnel_take(d, nm);
    dbl_touch(d, up, NULL, T_MODIFY | T_CHANGE);
    dbl_refresh(nm);
    dbl_usn(n, nm, USN_CREATE);
}

enum sp_code
dbl_create_at(struct ntfs_double *d, unsigned may, struct sp_ntfs_handle *dir, const char *name,
    bool folder, uint32_t attributes, const void *security, size_t security_len,
    struct sp_ntfs_handle **ret, struct sp_err *e)
{
    struct dbl_node *up = dir->node, *n;
    struct dbl_name *nm;
    enum sp_code rc;

    if (up == NULL || dir->gone || !up->folder || dir->stream_name[0] != '\0')
        return dbl_fail(e, W_INVALID_HANDLE);
    if (!dbl_name_ok(name))
        return dbl_fail(e, W_INVALID_NAME);
    if ((up->volume->flags & NTFS_FS_READ_ONLY) != 0)
        return dbl_fail(e, W_WRITE_PROTECT);
    if (up->deny == NTFS_DOUBLE_DENY_ALWAYS ||
        (up->deny == NTFS_DOUBLE_DENY && (may & NTFS_MAY_RESTORE) == 0))
        return dbl_fail(e, W_ACCESS_DENIED);
    if ((nm = dbl_find(up, name)) != NULL)
        return dbl_fail(e, nm->pending ? W_DELETE_PENDING : W_ALREADY_EXISTS);
    if (up->links == 0 && up != up->volume->root)
        return dbl_fail(e, W_FILE_NOT_FOUND); /* a removed folder */
    if ((attributes & NTFS_ENCRYPTED) != 0 && (up->volume->flags & NTFS_FS_ENCRYPTION) == 0)
        return dbl_fail(e, W_NOT_SUPPORTED);
    if (security != NULL && (up->volume->flags & NTFS_FS_ACLS) != 0) {
        struct dbl_node trial = {.security = SP_BUF_INIT};
        sp_buf_put(&trial.security, up->security.data, up->security.len);
        const int os = dbl_security_set(&trial, may, security, security_len, true, true, false);
        sp_buf_free(&trial.security);
        if (os != 0)
            return dbl_fail(e, os);
    }
    n = dbl_node_new(d, up->volume, folder);
    nm = dbl_name_add(up, name, n);
    if ((up->volume->flags & NTFS_FS_ACLS) != 0)
        dbl_inherit(d, may, up, folder, security, security_len, &n->security);
    born(d, dir, n, nm, attributes & ~NTFS_READONLY);
    if ((rc = dbl_open_node(d, may, up->volume, n, nm, NTFS_WRITE, ret, e)) != SP_OK)
        dbl_name_take(nm);
    else
        n->attributes |= attributes & NTFS_READONLY; /* the handle that made it may write it */
    return rc;
}

void
dbl_close(struct sp_ntfs_handle *h)
{
    struct dbl_node *n = h->node;

    if (n != NULL) {
        if (!h->gone && h->name != NULL && !h->name->removed &&
            (n->volume->flags & NTFS_FS_READ_ONLY) == 0)
            dbl_refresh(h->name);
        if (--n->handles == 0)
            dbl_usn_close(n, h->name);
        if (h->name != NULL && h->name->pending && !h->name->removed && h->name->refs == 2) {
            n->handles++;
            dbl_name_take(h->name);
            n->handles--;
        }
    }
    h->d->handles--;
    dbl_name_release(h->name);
    if (n != NULL)
        dbl_node_maybe_free(n);
    free(h->stream_name);
    free(h);
}
