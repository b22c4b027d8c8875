/* What tests build and change from outside: the table's own operations, with every right and no
 * fault. */
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "double_work.h"

void
dbl_want(struct work *w, enum sp_code rc)
{
    if (rc != SP_OK)
        dbl_die("%s: %s", w->path, w->e.text);
}

struct dbl_node *
dbl_lookup(struct ntfs_double *d, const char *path, struct dbl_name **ret_name)
{
    size_t len;
    struct dbl_volume *v = dbl_volume_at(d, path, &len);
    struct dbl_node *n;
    const char *at;

    if (v == NULL)
        dbl_die("%s: no such volume", path);
    n = v->root;
    *ret_name = NULL;
    at = strlen(path) < len ? path + strlen(path) : path + len;
    while (n != NULL && *at != '\0') {
        const size_t part = strcspn(at, "/");
        char *name = dbl_dup_n(at, part);
        if (part > 0) {
            *ret_name = n->folder ? dbl_find(n, name) : NULL;
            n = *ret_name != NULL ? (*ret_name)->node : NULL;
        }
        free(name);
        at += part + (at[part] == '/' ? 1 : 0);
    }
    return n;
}

static void
aside(struct work *w, struct dbl_node *n)
{
    w->deny = n->deny;
    w->busy = n->busy;
    w->read_only = !n->folder && (n->attributes & NTFS_READONLY) != 0;
    w->recalls = (n->attributes & NTFS_RECALL_ON_OPEN) != 0;
    w->key = w->d->key;
    n->deny = NTFS_DOUBLE_ALLOW;
    n->busy = 0;
    w->d->key = true;
    n->attributes &= ~NTFS_RECALL_ON_OPEN;
    if (w->read_only)
        n->attributes &= ~NTFS_READONLY;
}

static void
back(struct work *w, struct dbl_node *n)
{
    n->deny = w->deny;
    n->busy = w->busy;
    w->d->key = w->key;
    if (w->recalls)
        n->attributes |= NTFS_RECALL_ON_OPEN;
    if (w->read_only)
        n->attributes |= NTFS_READONLY;
}

static void
open_existing(struct work *w, enum sp_ntfs_access access)
{
    struct dbl_name *nm;
    struct dbl_node *n = dbl_lookup(w->d, w->path, &nm);

    if (n == NULL)
        dbl_die("%s: not there", w->path);
    aside(w, n);
    dbl_want(w, dbl_open_node(w->d, DBL_EVERYTHING, n->volume, n, nm, access, &w->h, &w->e));
    back(w, n);
}

struct work
dbl_begin(struct ntfs_double *d, const char *path, enum sp_ntfs_access access)
{
    struct work w = {.d = d, .path = path};

    sp_mutex_lock(&d->lock);
    if (access != NTFS_LIST)
        open_existing(&w, access);
    return w;
}

void
dbl_end(struct work *w)
{
    if (w->h != NULL)
        dbl_close(w->h);
    sp_mutex_unlock(&w->d->lock);
}

void
dbl_make(struct work *w, bool folder)
{
    struct dbl_name *nm;
    char *up = dbl_dup(w->path);
    const char *name;
    size_t len;

    if (dbl_lookup(w->d, w->path, &nm) != NULL) {
        open_existing(w, NTFS_WRITE);
        free(up);
        return;
    }
    dbl_volume_at(w->d, w->path, &len);
    char *cut = strrchr(up, '/');
    name = w->path + (cut - up) + 1;
    cut[(size_t)(cut - up) < len ? 1 : 0] = '\0';
    struct work dir = {.d = w->d, .path = up};
    dbl_make(&dir, true);
    dbl_want(w, dbl_create_at(w->d, DBL_EVERYTHING, dir.h, name, folder, 0, NULL, 0, &w->h, &w->e));
    dbl_close(dir.h);
    free(up);
}

void
ntfs_double_folder(struct ntfs_double *d, const char *path)
{
    struct work w = dbl_begin(d, path, NTFS_LIST);
    dbl_make(&w, true);
    dbl_end(&w);
}

void
ntfs_double_file(struct ntfs_double *d, const char *path, const void *p, size_t n)
{
    struct work w = dbl_begin(d, path, NTFS_LIST);
    dbl_make(&w, false);
    dbl_want(&w, dbl_resize(w.h, 0, &w.e));
    dbl_want(&w, dbl_write(w.h, 0, p, n, &w.e));
    dbl_end(&w);
}

void
ntfs_double_text(struct ntfs_double *d, const char *path, const char *text)
{
    ntfs_double_file(d, path, text, strlen(text));
}

void
ntfs_double_write(struct ntfs_double *d, const char *path, uint64_t offset, const void *p, size_t n)
{
    struct work w = dbl_begin(d, path, NTFS_WRITE);
    dbl_want(&w, dbl_write(w.h, offset, p, n, &w.e));
    dbl_end(&w);
}

static void
control(struct work *w, uint32_t code, const void *p, size_t n)
{
    struct sp_buf none = SP_BUF_INIT;
    bool more;
    dbl_want(w, dbl_control(w->h, code, p, n, 0, &none, &more, &w->e));
    sp_buf_free(&none);
}

void
ntfs_double_sparse(struct ntfs_double *d, const char *path, uint64_t size,
    const struct ntfs_double_range *ranges, size_t n)
{
    struct work w = dbl_begin(d, path, NTFS_LIST);
    dbl_make(&w, false);
    control(&w, FSCTL_SP_SET_SPARSE, NULL, 0);
    dbl_want(&w, dbl_resize(w.h, 0, &w.e));
    dbl_want(&w, dbl_resize(w.h, size, &w.e));
    for (size_t i = 0; i < n; i++)
        for (uint64_t at = ranges[i].offset, last = at + ranges[i].length; at < last;) {
            uint8_t part[512];
            const size_t len =
                last - at < 512 - at % 512 ? (size_t)(last - at) : (size_t)(512 - at % 512);
            memset(part, (int)((at >> 9) + 1), sizeof part);
            dbl_want(&w, dbl_write(w.h, at, part, len, &w.e));
            at += len;
        }
    dbl_end(&w);
}

void
ntfs_double_stream(
    struct ntfs_double *d, const char *path, const char *stream, const void *p, size_t n)
{
    struct work w = dbl_begin(d, path, NTFS_WRITE);
    struct sp_ntfs_handle *s = NULL;
    struct dbl_stream *old = dbl_stream_find(w.h->node, stream);
    if (old != NULL)
        dbl_stream_remove(w.h->node, old);
    struct dbl_node *of = w.h->node;
    aside(&w, of);
    dbl_want(&w, dbl_open_stream(w.h, stream, NTFS_WRITE, &s, &w.e));
    dbl_want(&w, dbl_write(s, 0, p, n, &w.e));
    dbl_close(s);
    back(&w, of);
    dbl_end(&w);
}

void
ntfs_double_attributes(struct ntfs_double *d, const char *path, uint32_t attributes)
{
    struct work w = dbl_begin(d, path, NTFS_CHANGE);
    const struct sp_ntfs_info to = {.attributes = attributes | NTFS_NORMAL};
    dbl_want(&w, dbl_set_basic(w.h, &to, &w.e));
    dbl_end(&w);
}

void
ntfs_double_times(
    struct ntfs_double *d, const char *path, int64_t b, int64_t a, int64_t m, int64_t c)
{
    struct work w = dbl_begin(d, path, NTFS_CHANGE);
    const struct sp_ntfs_info to = {.btime = b, .atime = a, .mtime = m, .ctime = c};
    dbl_want(&w, dbl_set_basic(w.h, &to, &w.e));
    dbl_end(&w);
}

void
ntfs_double_security(struct ntfs_double *d, const char *path, const char *sddl)
{
    struct work w = dbl_begin(d, path, NTFS_CHANGE);
    struct sp_buf sd = SP_BUF_INIT;
    ntfs_double_sddl(sddl, &sd);
    dbl_want(&w, dbl_set_security(w.h, sd.data, sd.len,
                     strstr(sddl, "O:") != NULL || strstr(sddl, "G:") != NULL,
                     strstr(sddl, "D:") != NULL, strstr(sddl, "S:") != NULL, &w.e));
    sp_buf_free(&sd);
    dbl_end(&w);
}

void
ntfs_double_ea(struct ntfs_double *d, const char *path, const char *name, const void *p, size_t n,
    uint8_t flags)
{
    struct work w = dbl_begin(d, path, NTFS_WRITE);
    struct sp_buf ea = SP_BUF_INIT;
    sp_buf_put_u32(&ea, 0);
    sp_buf_put_u8(&ea, flags);
    sp_buf_put_u8(&ea, (uint8_t)strlen(name));
    sp_buf_put_u16(&ea, (uint16_t)n);
    sp_buf_put(&ea, name, strlen(name) + 1);
    sp_buf_put(&ea, p, n);
    dbl_want(&w, dbl_set_eas(w.h, ea.data, ea.len, &w.e));
    sp_buf_free(&ea);
    dbl_end(&w);
}

void
ntfs_double_reparse(struct ntfs_double *d, const char *path, const void *p, size_t n)
{
    struct work w = dbl_begin(d, path, NTFS_WRITE);
    control(&w, FSCTL_SP_SET_REPARSE, p, n);
    dbl_end(&w);
}

static void
link_to(struct ntfs_double *d, const char *path, const char *target, bool folder, uint32_t tag,
    bool relative)
{
    struct work w = dbl_begin(d, path, NTFS_LIST);
    struct sp_buf b = SP_BUF_INIT;
    uint16_t *units;
    size_t n;

    const char *print = strncmp(target, "\\??\\", 4) == 0 ? target + 4 : target;
    dbl_want(&w, sp_wtf8_to_utf16(target, strlen(target), &units, &n, &w.e));
    const size_t skip = (size_t)(print - target), s_len = 2 * n, p_len = 2 * (n - skip);
    const bool symlink = tag == NTFS_TAG_SYMLINK;
    sp_buf_put_u32(&b, tag);
    sp_buf_put_u16(&b, (uint16_t)((symlink ? 12 : 8) + s_len + p_len + (symlink ? 0 : 4)));
    sp_buf_put_u16(&b, 0);
    sp_buf_put_u16(&b, 0);
    sp_buf_put_u16(&b, (uint16_t)s_len);
    sp_buf_put_u16(&b, (uint16_t)(s_len + (symlink ? 0 : 2)));
    sp_buf_put_u16(&b, (uint16_t)p_len);
    if (symlink)
        sp_buf_put_u32(&b, relative ? 1 : 0);
    for (size_t i = 0; i < n; i++)
        sp_buf_put_u16(&b, units[i]);
    if (!symlink) /* junctions end both names with a NUL, as mklink does */
        sp_buf_put_u16(&b, 0);
    for (size_t i = skip; i < n; i++)
        sp_buf_put_u16(&b, units[i]);
    if (!symlink)
        sp_buf_put_u16(&b, 0);
    dbl_make(&w, folder);
    control(&w, FSCTL_SP_SET_REPARSE, b.data, b.len);
    free(units);
    sp_buf_free(&b);
    dbl_end(&w);
}

void
ntfs_double_symlink(
    struct ntfs_double *d, const char *path, const char *target, bool folder, bool relative)
{
    link_to(d, path, target, folder, NTFS_TAG_SYMLINK, relative);
}

void
ntfs_double_junction(struct ntfs_double *d, const char *path, const char *target)
{
    link_to(d, path, target, true, NTFS_TAG_MOUNT_POINT, false);
}

void
ntfs_double_object_id(struct ntfs_double *d, const char *path, const uint8_t id[16])
{
    struct work w = dbl_begin(d, path, NTFS_WRITE);
    uint8_t buffer[64] = {0};
    memcpy(buffer, id, 16);
    control(&w, FSCTL_SP_SET_OBJECT_ID, buffer, sizeof buffer);
    dbl_end(&w);
}

void
ntfs_double_compress(struct ntfs_double *d, const char *path)
{
    struct work w = dbl_begin(d, path, NTFS_WRITE);
    control(&w, FSCTL_SP_SET_COMPRESSION, "\1", 2);
    dbl_end(&w);
}
