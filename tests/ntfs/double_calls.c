/* The calls of the table that need no more than the lock. */
#include "double_tree.h"

static enum sp_code
t_info(void *self, struct sp_ntfs_handle *h, struct sp_ntfs_info *ret, struct sp_err *e)
{
    struct ntfs_double *d = self;
    enum sp_code rc = dbl_enter(d, "info", h, NULL, e);

    if (rc == SP_OK)
        rc = dbl_info(h, ret, e);
    return dbl_leave(d, rc);
}

static enum sp_code
t_volume(void *self, struct sp_ntfs_handle *h, struct sp_ntfs_volume *ret, struct sp_err *e)
{
    struct ntfs_double *d = self;
    enum sp_code rc = dbl_enter(d, "volume", h, NULL, e);

    if (rc == SP_OK)
        rc = dbl_volume_info(h, ret, e);
    return dbl_leave(d, rc);
}

static enum sp_code
t_security(void *self, struct sp_ntfs_handle *h, struct sp_buf *ret, struct sp_err *e)
{
    struct ntfs_double *d = self;
    enum sp_code rc = dbl_enter(d, "security", h, NULL, e);

    if (rc == SP_OK)
        rc = dbl_security(h, ret, e);
    return dbl_leave(d, rc);
}

static enum sp_code
t_eas(void *self, struct sp_ntfs_handle *h, struct sp_buf *ret, struct sp_err *e)
{
    struct ntfs_double *d = self;
    enum sp_code rc = dbl_enter(d, "eas", h, NULL, e);

    if (rc == SP_OK)
        rc = dbl_eas(h, ret, e);
    return dbl_leave(d, rc);
}

static enum sp_code
t_case_sensitive(void *self, struct sp_ntfs_handle *h, bool *ret, struct sp_err *e)
{
    struct ntfs_double *d = self;
    enum sp_code rc = dbl_enter(d, "case_sensitive", h, NULL, e);

    if (rc == SP_OK)
        rc = dbl_case_sensitive(h, ret, e);
    return dbl_leave(d, rc);
}

static enum sp_code
t_control(void *self, struct sp_ntfs_handle *h, uint32_t code, const void *in, size_t in_len,
    size_t room, struct sp_buf *ret, bool *ret_more, struct sp_err *e)
{
    struct ntfs_double *d = self;
    enum sp_code rc = dbl_enter(d, "control", h, NULL, e);

    if (rc == SP_OK)
        rc = dbl_control(h, code, in, in_len, room, ret, ret_more, e);
    return dbl_leave(d, rc);
}

static enum sp_code
t_read(void *self, struct sp_ntfs_handle *h, uint64_t offset, void *to, size_t n, size_t *ret_n,
    struct sp_err *e)
{
    struct ntfs_double *d = self;
    enum sp_code rc = dbl_enter(d, "read", h, NULL, e);

    if (rc == SP_OK)
        rc = dbl_read(h, offset, to, n, ret_n, e);
    return dbl_leave(d, rc);
}

static enum sp_code
t_write(void *self, struct sp_ntfs_handle *h, uint64_t offset, const void *p, size_t n,
    struct sp_err *e)
{
    struct ntfs_double *d = self;
    enum sp_code rc = dbl_enter(d, "write", h, NULL, e);

    if (rc == SP_OK)
        rc = dbl_write(h, offset, p, n, e);
    return dbl_leave(d, rc);
}

static enum sp_code
t_resize(void *self, struct sp_ntfs_handle *h, uint64_t size, struct sp_err *e)
{
    struct ntfs_double *d = self;
    enum sp_code rc = dbl_enter(d, "resize", h, NULL, e);

    if (rc == SP_OK)
        rc = dbl_resize(h, size, e);
    return dbl_leave(d, rc);
}

static enum sp_code
t_flush(void *self, struct sp_ntfs_handle *h, struct sp_err *e)
{
    struct ntfs_double *d = self;
    enum sp_code rc = dbl_enter(d, "flush", h, NULL, e);

    if (rc == SP_OK)
        rc = h->node == NULL || h->gone ? dbl_fail(e, W_INVALID_HANDLE)
             : !dbl_can(h, NTFS_WRITE)  ? dbl_fail(e, W_ACCESS_DENIED)
                                        : SP_OK;
    return dbl_leave(d, rc);
}

static enum sp_code
t_set_basic(void *self, struct sp_ntfs_handle *h, const struct sp_ntfs_info *to, struct sp_err *e)
{
    struct ntfs_double *d = self;
    enum sp_code rc = dbl_enter(d, "set_basic", h, NULL, e);

    if (rc == SP_OK)
        rc = dbl_set_basic(h, to, e);
    return dbl_leave(d, rc);
}

static enum sp_code
t_set_security(void *self, struct sp_ntfs_handle *h, const void *p, size_t n, bool owner, bool dacl,
    bool sacl, struct sp_err *e)
{
    struct ntfs_double *d = self;
    enum sp_code rc = dbl_enter(d, "set_security", h, NULL, e);

    if (rc == SP_OK)
        rc = dbl_set_security(h, p, n, owner, dacl, sacl, e);
    return dbl_leave(d, rc);
}

static enum sp_code
t_set_eas(void *self, struct sp_ntfs_handle *h, const void *p, size_t n, struct sp_err *e)
{
    struct ntfs_double *d = self;
    enum sp_code rc = dbl_enter(d, "set_eas", h, NULL, e);

    if (rc == SP_OK)
        rc = dbl_set_eas(h, p, n, e);
    return dbl_leave(d, rc);
}

static enum sp_code
t_set_short_name(void *self, struct sp_ntfs_handle *h, const char *name, struct sp_err *e)
{
    struct ntfs_double *d = self;
    enum sp_code rc = dbl_enter(d, "set_short_name", h, NULL, e);

    if (rc == SP_OK)
        rc = dbl_set_short_name(h, name, e);
    return dbl_leave(d, rc);
}

static enum sp_code
t_set_case_sensitive(void *self, struct sp_ntfs_handle *h, bool on, struct sp_err *e)
{
    struct ntfs_double *d = self;
    enum sp_code rc = dbl_enter(d, "set_case_sensitive", h, NULL, e);

    if (rc == SP_OK)
        rc = dbl_set_case_sensitive(h, on, e);
    return dbl_leave(d, rc);
}

static enum sp_code
t_rename(void *self, struct sp_ntfs_handle *h, struct sp_ntfs_handle *dir, const char *name,
    bool replace, struct sp_err *e)
{
    struct ntfs_double *d = self;
    enum sp_code rc = dbl_enter(d, "rename", h, NULL, e);

    if (rc == SP_OK)
        rc = dbl_rename(h, dir, name, replace, e);
    return dbl_leave(d, rc);
}

static enum sp_code
t_link(void *self, struct sp_ntfs_handle *h, struct sp_ntfs_handle *dir, const char *name,
    bool replace, struct sp_err *e)
{
    struct ntfs_double *d = self;
    enum sp_code rc = dbl_enter(d, "link", h, NULL, e);

    if (rc == SP_OK)
        rc = dbl_link(h, dir, name, replace, e);
    return dbl_leave(d, rc);
}

static enum sp_code
t_remove(void *self, struct sp_ntfs_handle *h, struct sp_err *e)
{
    struct ntfs_double *d = self;
    enum sp_code rc = dbl_enter(d, "remove", h, NULL, e);

    if (rc == SP_OK)
        rc = dbl_remove(h, e);
    return dbl_leave(d, rc);
}

static enum sp_code
t_open_at(void *self, struct sp_ntfs_handle *dir, const char *name, enum sp_ntfs_what what,
    enum sp_ntfs_access access, struct sp_ntfs_handle **ret, struct sp_err *e)
{
    struct ntfs_double *d = self;
    enum sp_code rc = dbl_enter(d, "open_at", dir, name, e);

    if (rc == SP_OK)
        rc = dbl_open_at(d, d->may, dir, name, what, access, ret, e);
    return dbl_leave(d, rc);
}

static enum sp_code
t_open_stream(void *self, struct sp_ntfs_handle *h, const char *stream, enum sp_ntfs_access access,
    struct sp_ntfs_handle **ret, struct sp_err *e)
{
    struct ntfs_double *d = self;
    enum sp_code rc = dbl_enter(d, "open_stream", h, NULL, e);

    if (rc == SP_OK)
        rc = dbl_open_stream(h, stream, access, ret, e);
    return dbl_leave(d, rc);
}

static enum sp_code
t_create_at(void *self, struct sp_ntfs_handle *dir, const char *name, bool folder,
    uint32_t attributes, const void *security, size_t security_len, struct sp_ntfs_handle **ret,
    struct sp_err *e)
{
    struct ntfs_double *d = self;
    enum sp_code rc = dbl_enter(d, "create_at", dir, name, e);

    if (rc == SP_OK)
        rc =
            dbl_create_at(d, d->may, dir, name, folder, attributes, security, security_len, ret, e);
    return dbl_leave(d, rc);
}

void
dbl_calls_fill(struct sp_ntfs *t)
{
    t->info = t_info;
    t->volume = t_volume;
    t->security = t_security;
    t->eas = t_eas;
    t->case_sensitive = t_case_sensitive;
    t->control = t_control;
    t->read = t_read;
    t->write = t_write;
    t->resize = t_resize;
    t->flush = t_flush;
    t->set_basic = t_set_basic;
    t->set_security = t_set_security;
    t->set_eas = t_set_eas;
    t->set_short_name = t_set_short_name;
    t->set_case_sensitive = t_set_case_sensitive;
    t->rename = t_rename;
    t->link = t_link;
    t->remove = t_remove;
    t->open_at = t_open_at;
    t->open_stream = t_open_stream;
    t->create_at = t_create_at;
}
