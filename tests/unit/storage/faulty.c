/* See faulty.h. */

#include "faulty.h"

#include <stdlib.h>
#include <string.h>

struct sp_file {
    struct sp_file *below; /* of the table below, which knows its own */
    char *path;
};

static enum sp_code
asked(struct faulty *f, const char *op, const char *path, struct sp_err *e)
{
    if (!f->silent) {
        sp_mutex_lock(&f->lock);
        sp_buf_printf(&f->log, "%s %s\n", op, path);
        sp_mutex_unlock(&f->lock);
    }
    return f->before == NULL ? SP_OK : f->before(f->arg, op, path, e);
}

static enum sp_code
wrap(const char *path, struct sp_file *below, struct sp_file **ret)
{
    struct sp_file *f = malloc(sizeof(*f));

    if (f == NULL || (f->path = strdup(path)) == NULL)
        abort();
    f->below = below;
    *ret = f;
    return SP_OK;
}

static enum sp_code
faulty_open_read(void *self, const char *path, struct sp_file **ret, struct sp_err *e)
{
    struct faulty *f = self;
    struct sp_file *below;
    enum sp_code rc = asked(f, "open_read", path, e);

    if (rc != SP_OK || (rc = f->below->open_read(f->below->self, path, &below, e)) != SP_OK)
        return rc;
    return wrap(path, below, ret);
}

static enum sp_code
faulty_create(void *self, const char *path, struct sp_file **ret, struct sp_err *e)
{
    struct faulty *f = self;
    struct sp_file *below;
    enum sp_code rc = asked(f, "create", path, e);

    if (rc != SP_OK || (rc = f->below->create(f->below->self, path, &below, e)) != SP_OK)
        return rc;
    return wrap(path, below, ret);
}

static enum sp_code
faulty_read_at(void *self, struct sp_file *file, uint64_t offset, void *to, size_t n, size_t *ret_n,
    struct sp_err *e)
{
    struct faulty *f = self;
    enum sp_code rc = asked(f, "read_at", file->path, e);

    if (rc == SP_OK)
        rc = f->below->read_at(f->below->self, file->below, offset, to, n, ret_n, e);
    if (rc == SP_OK && f->flip_reads && *ret_n > 0 && offset % 2 == 0)
        *(uint8_t *)to ^= 1;
    return rc;
}

static enum sp_code
faulty_write_at(
    void *self, struct sp_file *file, uint64_t offset, const void *p, size_t n, struct sp_err *e)
{
    struct faulty *f = self;
    struct sp_err ignored = {0};
    enum sp_code rc = asked(f, "write_at", file->path, e);

    if (rc != SP_OK && f->tear_writes)
        (void)f->below->write_at(f->below->self, file->below, offset, p, n / 2, &ignored);
    return rc != SP_OK ? rc : f->below->write_at(f->below->self, file->below, offset, p, n, e);
}

static enum sp_code
faulty_file_stat(void *self, struct sp_file *file, struct sp_os_stat *ret, struct sp_err *e)
{
    struct faulty *f = self;
    enum sp_code rc = asked(f, "file_stat", file->path, e);

    return rc != SP_OK ? rc : f->below->file_stat(f->below->self, file->below, ret, e);
}

static enum sp_code
faulty_sync(void *self, struct sp_file *file, struct sp_err *e)
{
    struct faulty *f = self;
    enum sp_code rc = asked(f, "sync", file->path, e);

    return rc != SP_OK ? rc : f->below->sync(f->below->self, file->below, e);
}

static enum sp_code
faulty_close(void *self, struct sp_file *file, struct sp_err *e)
{
    struct faulty *f = self;
    struct sp_err fault = {0};
    enum sp_code rc = asked(f, "close", file->path, &fault);
    enum sp_code below = f->below->close(f->below->self, file->below, e);

    if (rc != SP_OK)
        *e = fault;
    free(file->path);
    free(file);
    return rc != SP_OK ? rc : below;
}

static enum sp_code
faulty_publish(void *self, const char *from, const char *to, struct sp_err *e)
{
    struct faulty *f = self;
    enum sp_code rc = asked(f, "publish", to, e);

    if (rc != SP_OK)
        return rc;
    if (f->publish_replaces)
        return f->below->replace(f->below->self, from, to, e);
    return f->below->publish(f->below->self, from, to, e);
}

static enum sp_code
faulty_replace(void *self, const char *from, const char *to, struct sp_err *e)
{
    struct faulty *f = self;
    enum sp_code rc = asked(f, "replace", to, e);

    return rc != SP_OK ? rc : f->below->replace(f->below->self, from, to, e);
}

static enum sp_code
faulty_remove(void *self, const char *path, struct sp_err *e)
{
    struct faulty *f = self;
    enum sp_code rc = asked(f, "remove", path, e);

    return rc != SP_OK ? rc : f->below->remove(f->below->self, path, e);
}

static enum sp_code
faulty_mkdir(void *self, const char *path, struct sp_err *e)
{
    struct faulty *f = self;
    enum sp_code rc = asked(f, "mkdir", path, e);

    return rc != SP_OK ? rc : f->below->mkdir(f->below->self, path, e);
}

static enum sp_code
faulty_rmdir(void *self, const char *path, struct sp_err *e)
{
    struct faulty *f = self;
    enum sp_code rc = asked(f, "rmdir", path, e);

    return rc != SP_OK ? rc : f->below->rmdir(f->below->self, path, e);
}

static enum sp_code
faulty_sync_dir(void *self, const char *path, struct sp_err *e)
{
    struct faulty *f = self;
    enum sp_code rc = asked(f, "sync_dir", path, e);

    return rc != SP_OK ? rc : f->below->sync_dir(f->below->self, path, e);
}

static enum sp_code
faulty_list(void *self, const char *path, bool want_stat,
    enum sp_code (*each)(
        void *arg, const char *name, const struct sp_os_stat *st, struct sp_err *e),
    void *arg, struct sp_err *e)
{
    struct faulty *f = self;
    enum sp_code rc = asked(f, "list", path, e);

    return rc != SP_OK ? rc : f->below->list(f->below->self, path, want_stat, each, arg, e);
}

static enum sp_code
faulty_stat(void *self, const char *path, struct sp_os_stat *ret, struct sp_err *e)
{
    struct faulty *f = self;
    enum sp_code rc = asked(f, "stat", path, e);

    if (rc == SP_OK && (rc = f->below->stat(f->below->self, path, ret, e)) == SP_OK)
        ret->mtime_ns += f->stat_skew_ns;
    return rc;
}

static enum sp_code
faulty_space(void *self, const char *path, struct sp_os_space *ret, struct sp_err *e)
{
    struct faulty *f = self;
    enum sp_code rc = asked(f, "space", path, e);

    return rc != SP_OK ? rc : f->below->space(f->below->self, path, ret, e);
}

void
faulty_init(struct faulty *f, const struct sp_os *below)
{
    *f = (struct faulty){.below = below,
        .os = {.self = f,
            .open_read = faulty_open_read,
            .create = faulty_create,
            .read_at = faulty_read_at,
            .write_at = faulty_write_at,
            .file_stat = faulty_file_stat,
            .sync = faulty_sync,
            .close = faulty_close,
            .publish = faulty_publish,
            .replace = faulty_replace,
            .remove = faulty_remove,
            .mkdir = faulty_mkdir,
            .rmdir = faulty_rmdir,
            .sync_dir = faulty_sync_dir,
            .list = faulty_list,
            .stat = faulty_stat,
            .space = faulty_space}};
    sp_mutex_init(&f->lock);
}

void
faulty_free(struct faulty *f)
{
    sp_buf_free(&f->log);
    sp_mutex_destroy(&f->lock);
}

void
faulty_reset_log(struct faulty *f)
{
    sp_buf_reset(&f->log);
}

size_t
faulty_count(struct faulty *f, const char *text)
{
    const char *line = sp_buf_str(&f->log);
    size_t n = 0;

    while (*line != '\0') {
        n += strncmp(line, text, strlen(text)) == 0;
        line = strchr(line, '\n') + 1;
    }
    return n;
}
