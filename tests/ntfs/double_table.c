/* The table: every call counts, may be told to fail, is told to the hook, and takes the lock. */
#include <stdlib.h>
#include <string.h>

#include "double_tree.h"

/* The path of the object, or of the name asked for in it; malloc'd. */
static char *
path_for(struct ntfs_double *d, const struct sp_ntfs_handle *h, const char *name)
{
    struct sp_buf path = SP_BUF_INIT;

    sp_mutex_lock(&d->lock);
    if (h != NULL && h->node != NULL)
        dbl_path_of(h->node, h->name, &path);
    else if (h != NULL)
        sp_buf_put_str(&path, h->volume->paths[0]);
    if (name != NULL && name[0] != '\0') {
        if (path.len > 0 && path.data[path.len - 1] != '/')
            sp_buf_put_u8(&path, '/');
        sp_buf_put_str(&path, name);
    }
    sp_mutex_unlock(&d->lock);
    char *text = dbl_dup(sp_buf_str(&path));
    sp_buf_free(&path);
    return text;
}

/* SP_OK: the lock is held, and so it is after a failure; `leave` gives it back. */
enum sp_code
dbl_enter(struct ntfs_double *d, const char *call, const struct sp_ntfs_handle *h, const char *name,
    struct sp_err *e)
{
    sp_mutex_lock(&d->lock);
    const uint64_t nth = ++d->calls;
    const bool fails = nth == d->fail_at;
    const enum sp_code code = d->fail_code;
    const ntfs_double_hook_fn hook = d->hook;
    void *arg = d->hook_arg;
    d->now += 10000;
    if (hook != NULL) {
        sp_mutex_unlock(&d->lock);
        char *path = path_for(d, h, name);
        hook(arg, d, nth, call, path);
        free(path);
        sp_mutex_lock(&d->lock);
    }
    if (!fails)
        return SP_OK;
    static const struct {
        enum sp_code code;
        int os;
    } numbers[] = {{SP_IO, W_IO_DEVICE}, {SP_FULL, W_DISK_FULL}, {SP_DENIED, W_ACCESS_DENIED},
        {SP_NOMEM, W_NO_MEMORY}, {SP_BUSY, W_SHARING}, {SP_ABSENT, W_FILE_NOT_FOUND},
        {SP_UNSUPPORTED, W_NOT_SUPPORTED}};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        if (numbers[i].code == code)
            return dbl_fail(e, numbers[i].os);
    return sp_fail(e, code, SP_DOM_NONE, "injected");
}

enum sp_code
dbl_leave(struct ntfs_double *d, enum sp_code rc)
{
    sp_mutex_unlock(&d->lock);
    return rc;
}

static unsigned
t_privileges(void *self)
{
    struct ntfs_double *d = self;

    sp_mutex_lock(&d->lock);
    const unsigned may = d->may;
    sp_mutex_unlock(&d->lock);
    return may;
}

static enum sp_code
t_open_path(void *self, const char *path, enum sp_ntfs_access access, struct sp_ntfs_handle **ret,
    struct sp_err *e)
{
    struct ntfs_double *d = self;
    enum sp_code rc = dbl_enter(d, "open_path", NULL, path, e);

    if (rc == SP_OK)
        rc = dbl_open_path(d, d->may, path, true, access, ret, e);
    return dbl_leave(d, rc);
}

static enum sp_code
t_close(void *self, struct sp_ntfs_handle *h, struct sp_err *e)
{
    struct ntfs_double *d = self;
    const enum sp_code rc = dbl_enter(d, "close", h, NULL, e);

    dbl_close(h);
    return dbl_leave(d, rc);
}

static enum sp_code
tell(struct ntfs_double *d, enum sp_code rc, struct dbl_listing *l, sp_ntfs_each_name each,
    void *arg, struct sp_err *e)
{
    dbl_leave(d, rc);
    for (size_t i = 0; rc == SP_OK && i < l->n; i++) {
        const struct dbl_line *line = &l->lines[i];
        const struct sp_ntfs_listed one = {
            line->name, strlen(line->name), line->short_name, line->info};
        rc = each(arg, &one, e);
    }
    dbl_listing_free(l);
    return rc;
}

static enum sp_code
t_list(void *self, struct sp_ntfs_handle *h, sp_ntfs_each_name each, void *arg, struct sp_err *e)
{
    struct dbl_listing l = {0};
    enum sp_code rc = dbl_enter(self, "list", h, NULL, e);

    if (rc == SP_OK)
        rc = dbl_list(h, NULL, &l, e);
    return tell(self, rc, &l, each, arg, e);
}

static enum sp_code
t_find(void *self, struct sp_ntfs_handle *h, const char *name, sp_ntfs_each_name each, void *arg,
    struct sp_err *e)
{
    struct dbl_listing l = {0};
    enum sp_code rc = dbl_enter(self, "find", h, name, e);

    if (rc == SP_OK)
        rc = dbl_list(h, name, &l, e);
    return tell(self, rc, &l, each, arg, e);
}

static enum sp_code
t_streams(
    void *self, struct sp_ntfs_handle *h, sp_ntfs_each_stream each, void *arg, struct sp_err *e)
{
    struct dbl_listing l = {0};
    enum sp_code rc = dbl_enter(self, "streams", h, NULL, e);

    if (rc == SP_OK)
        rc = dbl_streams(h, &l, e);
    dbl_leave(self, rc);
    for (size_t i = 0; rc == SP_OK && i < l.n; i++)
        rc = each(arg, l.lines[i].name, strlen(l.lines[i].name), l.lines[i].info.size,
            l.lines[i].info.allocated, e);
    dbl_listing_free(&l);
    return rc;
}

static enum sp_code
t_efs_export(void *self, struct sp_ntfs_handle *dir, const char *name, sp_ntfs_take take, void *arg,
    struct sp_err *e)
{
    struct ntfs_double *d = self;
    struct sp_buf raw = SP_BUF_INIT;
    enum sp_code rc = dbl_enter(d, "efs_export", dir, name, e);

    if (rc == SP_OK)
        rc = dbl_efs_export(d, d->may, dir, name, &raw, e);
    dbl_leave(d, rc);
    for (size_t at = 0; rc == SP_OK && at < raw.len;) {
        const size_t n = raw.len - at < 40000 ? raw.len - at : 40000;
        rc = take(arg, raw.data + at, n, e);
        at += n;
    }
    sp_buf_free(&raw);
    return rc;
}

static enum sp_code
t_efs_import(void *self, struct sp_ntfs_handle *dir, const char *name, bool folder,
    sp_ntfs_give give, void *arg, struct sp_err *e)
{
    struct ntfs_double *d = self;
    struct sp_buf raw = SP_BUF_INIT;
    enum sp_code rc = dbl_enter(d, "efs_import", dir, name, e);
    size_t n = 1;

    dbl_leave(d, rc);
    while (rc == SP_OK && n > 0) {
        if (!sp_buf_reserve(&raw, 16384))
            rc = sp_fail_nomem(e);
        else if ((rc = give(arg, raw.data + raw.len, 16384, &n, e)) == SP_OK)
            raw.len += n;
    }
    sp_mutex_lock(&d->lock);
    if (rc == SP_OK)
        rc = dbl_efs_import(d, d->may, dir, name, folder, &raw, e);
    dbl_leave(d, rc);
    sp_buf_free(&raw);
    return rc;
}

const struct sp_ntfs *
ntfs_double_table(struct ntfs_double *d)
{
    return &d->table;
}

void
dbl_table_fill(struct ntfs_double *d)
{
    d->table = (struct sp_ntfs){.self = d,
        .privileges = t_privileges,
        .open_path = t_open_path,
        .close = t_close,
        .list = t_list,
        .find = t_find,
        .streams = t_streams,
        .efs_export = t_efs_export,
        .efs_import = t_efs_import};
    dbl_calls_fill(&d->table);
}
