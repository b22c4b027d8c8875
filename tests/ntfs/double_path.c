/* Paths: volumes by their longest name, and links on the way, which open_path follows. */
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "double_tree.h"

static bool
starts(const char *path, const char *with, size_t n)
{
    char *head = dbl_dup(path);
    bool yes = strlen(path) >= n;

    if (yes) {
        char *want = dbl_dup(with);
        head[n] = want[n] = '\0';
        yes = dbl_same_name(head, want, false);
        free(want);
    }
    free(head);
    return yes;
}

/* "C:/x" and "C:" are on "C:/". */
struct dbl_volume *
dbl_volume_at(struct ntfs_double *d, const char *path, size_t *ret_len)
{
    struct dbl_volume *found = NULL;

    *ret_len = 0;
    for (struct dbl_volume *v = d->volumes; v != NULL; v = v->next)
        for (size_t i = 0; i < sizeof v->paths / sizeof v->paths[0] && v->paths[i] != NULL; i++) {
            const size_t n = strlen(v->paths[i]), bare = n - 1;
            const bool here = starts(path, v->paths[i], n) ||
                              (strlen(path) == bare && starts(path, v->paths[i], bare));
            if (here && n > *ret_len) {
                found = v;
                *ret_len = n;
            }
        }
    return found;
}

/* Where a link leads, as a path with '/'; "" : not one that is followed. MS-FSCC 2.1.2.4, 2.1.2.5.
 */
static bool
link_target(const struct dbl_node *n, struct sp_buf *ret, bool *ret_relative)
{
    const uint8_t *p = n->reparse.data;
    uint16_t *units;
    size_t header, at, len, got;
    char *text;
    struct sp_err e = {0};

    if (n->tag != NTFS_TAG_SYMLINK && n->tag != NTFS_TAG_MOUNT_POINT)
        return false;
    header = n->tag == NTFS_TAG_SYMLINK ? 20 : 16;
    *ret_relative = n->tag == NTFS_TAG_SYMLINK && (sp_le32(p + 16) & 1) != 0;
    at = header + sp_le16(p + 8);
    len = sp_le16(p + 10);
    units = calloc(len / 2 + 1, 2);
    if (units == NULL)
        dbl_die("no memory");
    for (size_t i = 0; i < len / 2; i++)
        units[i] = sp_le16(p + at + 2 * i);
    if (sp_utf16_to_wtf8(units, len / 2, &text, &got, &e) != SP_OK)
        dbl_die("a link's target");
    for (size_t i = 0; i < got; i++)
        if (text[i] == '\\')
            text[i] = '/';
    sp_buf_reset(ret);
    if (strncmp(text, "/?\?/Volume{", 11) == 0)
        sp_buf_put_str(ret, "//?/");
    sp_buf_put_str(ret, strncmp(text, "/?\?/", 4) == 0 ? text + 4 : text);
    free(units);
    free(text);
    return true;
}

/* "a/b/../c" is "a/c"; what stands before `fixed` bytes stays. */
static void
drop_dots(char *path, size_t fixed)
{
    char *at;

    while (
        (at = strstr(path + fixed, "../")) != NULL || (at = strstr(path + fixed, "/..")) != NULL) {
        char *from = at[0] == '/' ? at + 1 : at, *up = from - 1;
        while (up > path + fixed && up[-1] != '/')
            up--;
        const char *rest = from[2] == '/' ? from + 3 : from + 2;
        memmove(up > path + fixed ? up : path + fixed, rest, strlen(rest) + 1);
    }
}

static enum sp_code
walk(struct ntfs_double *d, unsigned may, const char *path, size_t skip, struct dbl_volume *v,
    bool follow_last, enum sp_ntfs_access access, char **ret_again, struct sp_ntfs_handle **ret,
    struct sp_err *e)
{
    struct dbl_node *n = v->root;
    struct dbl_name *nm = NULL;
    size_t at = strlen(path) < skip ? strlen(path) : skip;
    struct sp_buf target = SP_BUF_INIT;
    enum sp_code rc = SP_OK;
    bool relative;

    while (rc == SP_OK && path[at] != '\0') {
        const size_t len = strcspn(path + at, "/"), start = at;
        char *name = dbl_dup(path + at);
        name[len] = '\0';
        at += len + (path[at + len] == '/' ? 1 : 0);
        if (len == 0) {
            rc = SP_OK;
        } else if (!n->folder || !dbl_name_ok(name)) {
            rc = dbl_fail(e, n->folder ? W_INVALID_NAME : W_PATH_NOT_FOUND);
        } else if ((nm = dbl_find(n, name)) == NULL) {
            rc = dbl_fail(e, path[at] == '\0' ? W_FILE_NOT_FOUND : W_PATH_NOT_FOUND);
        } else if ((follow_last || path[at] != '\0') && link_target(nm->node, &target, &relative)) {
            struct sp_buf whole = SP_BUF_INIT;
            if (relative)
                sp_buf_put(&whole, path, start);
            sp_buf_put(&whole, target.data, target.len);
            if (path[at] != '\0') {
                sp_buf_put_u8(&whole, '/');
                sp_buf_put_str(&whole, path + at);
            }
            *ret_again = dbl_dup(sp_buf_str(&whole));
            if (relative)
                drop_dots(*ret_again, skip);
            sp_buf_free(&whole);
            free(name);
            goto out;
        } else {
            n = nm->node;
        }
        free(name);
    }
    if (rc == SP_OK)
        rc = dbl_open_node(d, may, v, n, nm, access, ret, e);
out:
    sp_buf_free(&target);
    return rc;
}

/* "//./C:" and "//?/Volume{…}" without the slash are the volume itself. */
static struct dbl_volume *
whole_volume(struct ntfs_double *d, const char *path)
{
    size_t len;
    const bool device = strncmp(path, "//./", 4) == 0;
    const char *name = device ? path + 4 : path;
    struct dbl_volume *v = dbl_volume_at(d, name, &len);

    return v != NULL && len == strlen(name) + 1 && (device || strncmp(path, "//?/", 4) == 0) ? v
                                                                                             : NULL;
}

enum sp_code
dbl_open_path(struct ntfs_double *d, unsigned may, const char *path, bool follow_last,
    enum sp_ntfs_access access, struct sp_ntfs_handle **ret, struct sp_err *e)
{
    struct dbl_volume *v = whole_volume(d, path);
    char *now = dbl_dup(path);
    enum sp_code rc = SP_OK;
    size_t len;

    if (v != NULL) {
        /* learn.microsoft.com/en-us/windows/win32/fileio/change-journals: for administrators. */
        rc = (may & NTFS_MAY_BACKUP) == 0 ? dbl_fail(e, W_ACCESS_DENIED)
                                          : dbl_open_node(d, may, v, NULL, NULL, access, ret, e);
        free(now);
        return rc;
    }
    for (int i = 0; i < 32; i++) {
        char *again = NULL;
        if ((v = dbl_volume_at(d, now, &len)) == NULL)
            rc = dbl_fail(e, W_PATH_NOT_FOUND);
        else
            rc = walk(d, may, now, len, v, follow_last, access, &again, ret, e);
        free(now);
        now = again;
        if (now == NULL)
            return rc;
    }
    rc = dbl_fail(e, W_IO_DEVICE); /* links in a circle */
    free(now);
    return rc;
}
