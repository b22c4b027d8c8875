/* Changing what is open: MS-FSA 2.1.5.14.2 (basic), .5 (EAs: 2.1.5.9), .13 (short name), 2.1.5.16
 * (security). */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "double_tree.h"

enum sp_code
dbl_set_basic(struct sp_ntfs_handle *h, const struct sp_ntfs_info *to, struct sp_err *e)
{
    struct dbl_node *n = h->node;

    if (n == NULL || h->gone)
        return dbl_fail(e, W_INVALID_HANDLE);
    if (!dbl_can(h, NTFS_CHANGE))
        return dbl_fail(e, W_ACCESS_DENIED);
    if (to->btime < 0 || to->atime < 0 || to->mtime < 0 || to->ctime < 0)
        return dbl_fail(e, W_INVALID_PARAMETER);
    /* A folder cannot be temporary: MS-FSA 2.1.5.14.2. */
    if (to->attributes != 0 && n->folder && (to->attributes & NTFS_TEMPORARY) != 0)
        return dbl_fail(e, W_INVALID_PARAMETER);
    if (to->attributes != 0)
        n->attributes = (n->attributes & ~DBL_SETTABLE) | (to->attributes & DBL_SETTABLE);
    if (to->btime != 0)
        n->btime = dbl_grain(n->volume, 'b', to->btime);
    if (to->atime != 0) {
        n->atime = dbl_grain(n->volume, 'a', to->atime);
        h->set_atime = true;
    }
    if (to->mtime != 0) {
        n->mtime = dbl_grain(n->volume, 'm', to->mtime);
        h->set_mtime = true;
    }
    if (to->ctime != 0) {
        n->ctime = dbl_grain(n->volume, 'c', to->ctime);
        h->set_ctime = true;
    }
    dbl_touch(h->d, n, h, T_CHANGE);
    dbl_usn(n, h->name, USN_BASIC);
    return SP_OK;
}

enum sp_code
dbl_set_security(struct sp_ntfs_handle *h, const void *p, size_t n, bool owner, bool dacl,
    bool sacl, struct sp_err *e)
{
    int os;

    if (h->node == NULL || h->gone)
        return dbl_fail(e, W_INVALID_HANDLE);
    if ((h->volume->flags & NTFS_FS_ACLS) == 0)
        return dbl_fail(e, W_NOT_SUPPORTED);
    if (!dbl_can(h, NTFS_CHANGE))
        return dbl_fail(e, W_ACCESS_DENIED);
    if ((os = dbl_security_set(h->node, h->may, p, n, owner, dacl, sacl)) != 0)
        return dbl_fail(e, os);
    dbl_touch(h->d, h->node, h, T_CHANGE | T_ARCHIVE);
    dbl_usn(h->node, h->name, USN_SECURITY);
    return SP_OK;
}

/* One FILE_FULL_EA_INFORMATION (MS-FSCC 2.4.16) at `at`; 0: malformed; *ret_next 0: it was the
 * last. */
static size_t
ea_at(const uint8_t *p, size_t n, size_t at, size_t *ret_next)
{
    if (n - at < 9)
        return 0;
    const size_t name = p[at + 5], value = (size_t)(p[at + 6] | p[at + 7] << 8),
                 len = 8 + name + 1 + value;
    const uint32_t next = sp_le32(p + at);
    if (name == 0 || len > n - at || p[at + 8 + name] != 0 ||
        (next != 0 && (next < len || next % 4 != 0 || next > n - at)))
        return 0;
    *ret_next = next;
    return len;
}

static void
ea_put(struct sp_buf *to, size_t *last, const uint8_t *ea, size_t len)
{
    while (to->len % 4 != 0)
        sp_buf_put_u8(to, 0);
    if (to->len > 0)
        sp_store_le32(to->data + *last, (uint32_t)(to->len - *last));
    *last = to->len;
    sp_buf_put_u32(to, 0);
    sp_buf_put(to, ea + 4, len - 4);
    for (size_t i = 0; i < ea[5]; i++) {
        uint8_t *c = to->data + *last + 8 + i;
        *c = (uint8_t)toupper(*c);
    }
}

static bool
ea_same(const uint8_t *a, const uint8_t *b)
{
    bool same = a[5] == b[5];

    for (size_t i = 0; same && i < a[5]; i++)
        same = toupper(a[8 + i]) == toupper(b[8 + i]);
    return same;
}

/* Whether `list` (well-formed) has one of this name. */
static bool
ea_has(const uint8_t *list, size_t n, const uint8_t *ea)
{
    size_t next;

    for (size_t at = 0; n > 0 && ea_at(list, n, at, &next) != 0; at += next) {
        if (ea_same(list + at, ea))
            return true;
        if (next == 0)
            break;
    }
    return false;
}

enum sp_code
dbl_set_eas(struct sp_ntfs_handle *h, const void *p, size_t n, struct sp_err *e)
{
    struct dbl_node *f = h->node;
    struct sp_buf to = SP_BUF_INIT;
    size_t last = 0, next, len;
    int os = 0;

    if (f == NULL || h->gone || h->stream_name[0] != '\0')
        return dbl_fail(e, W_INVALID_HANDLE);
    if ((h->volume->flags & NTFS_FS_EAS) == 0)
        return dbl_fail(e, W_NO_EAS);
    if (!dbl_can(h, NTFS_WRITE))
        return dbl_fail(e, W_ACCESS_DENIED);
    /* One or the other: learn.microsoft.com/en-us/windows/win32/fileio/reparse-points */
    if (f->tag != 0)
        return dbl_fail(e, W_NO_EAS);
    for (size_t at = 0; os == 0 && n > 0; at += next) {
        if ((len = ea_at(p, n, at, &next)) == 0)
            os = W_EA_LIST_BAD;
        else if (strpbrk((const char *)p + at + 8, "\"*+,/:;<=>?[\\]|") != NULL)
            os = W_INVALID_EA_NAME;
        if (os != 0 || next == 0)
            break;
    }
    for (size_t at = 0;
         os == 0 && f->eas.len > 0 && (len = ea_at(f->eas.data, f->eas.len, at, &next)) != 0;
         at += next) {
        if (!ea_has(p, n, f->eas.data + at))
            ea_put(&to, &last, f->eas.data + at, len);
        if (next == 0)
            break;
    }
    for (size_t at = 0; os == 0 && n > 0 && (len = ea_at(p, n, at, &next)) != 0; at += next) {
        const uint8_t *ea = (const uint8_t *)p + at;
        if (len > 9u + ea[5])
            ea_put(&to, &last, ea, len);
        if (next == 0)
            break;
    }
    if (os == 0 && to.len > 65535)
        os = W_EA_LIST_BAD;
    if (os == 0) {
        sp_buf_free(&f->eas);
        f->eas = to;
        dbl_touch(h->d, f, h, T_CHANGE | T_ARCHIVE);
        dbl_usn(f, h->name, USN_EA);
        return SP_OK;
    }
    sp_buf_free(&to);
    return dbl_fail(e, os);
}

/* learn.microsoft.com/en-us/windows/win32/api/winbase/nf-winbase-setfileshortnamew: needs
 * SE_RESTORE_NAME; a clash is an error; an empty name removes it. */
enum sp_code
dbl_set_short_name(struct sp_ntfs_handle *h, const char *name, struct sp_err *e)
{
    struct dbl_name *there;

    if (h->node == NULL || h->gone || h->name == NULL || h->name->removed)
        return dbl_fail(e, W_INVALID_HANDLE);
    if (h->volume->kind != NTFS_DOUBLE_NTFS)
        return dbl_fail(e, W_NOT_SUPPORTED);
    if (!dbl_can(h, NTFS_CHANGE))
        return dbl_fail(e, W_ACCESS_DENIED);
    if ((h->may & NTFS_MAY_RESTORE) == 0)
        return dbl_fail(e, W_NO_PRIVILEGE);
    if (name[0] != '\0' && (!dbl_short_ok(name) || h->name->dir->case_sensitive))
        return dbl_fail(e, W_INVALID_NAME);
    there = name[0] != '\0' ? dbl_find(h->name->dir, name) : NULL;
    if (there != NULL && there != h->name)
        return dbl_fail(e, W_ALREADY_EXISTS);
    memset(h->name->short_name, 0, sizeof h->name->short_name);
    if (!dbl_same_name(h->name->name, name, true))
        strncpy(h->name->short_name, name, sizeof h->name->short_name - 1);
    dbl_touch(h->d, h->node, h, T_CHANGE | T_ARCHIVE);
    dbl_usn(h->node, h->name, USN_NEW_NAME);
    return SP_OK;
}

/* learn.microsoft.com/en-us/windows/wsl/case-sensitivity: off is refused where names differ in case
 * only. */
enum sp_code
dbl_set_case_sensitive(struct sp_ntfs_handle *h, bool on, struct sp_err *e)
{
    struct dbl_node *n = h->node;

    if (n == NULL || h->gone || !n->folder)
        return dbl_fail(e, W_INVALID_PARAMETER);
    if (h->volume->kind != NTFS_DOUBLE_NTFS)
        return dbl_fail(e, W_NOT_SUPPORTED);
    if (!dbl_can(h, NTFS_WRITE))
        return dbl_fail(e, W_ACCESS_DENIED);
    for (size_t i = 1; !on && i < n->nnames; i++)
        if (dbl_same_name(n->names[i - 1]->name, n->names[i]->name, false))
            return dbl_fail(e, W_DIR_NOT_EMPTY);
    n->case_sensitive = on;
    dbl_touch(h->d, n, h, T_CHANGE);
    return SP_OK;
}
