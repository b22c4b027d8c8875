/* The table over a disk in memory: see memdisk.h. */

#include "memdisk_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct sp_file {
    struct memdisk *d;
    struct inode *inode;
    char *path;
    bool writable;
};

static enum sp_code
fail(struct sp_err *e, int number, const char *what, const char *path)
{
    return sp_fail_os(e, SP_DOM_STORE, number, "cannot %s %s", what, path);
}

/* The lock is held from here to leave(). EIO and the like once the power is gone. */
static int
enter_table(struct memdisk *d, bool changes)
{
    sp_mutex_lock(&d->lock);
    if (changes && d->nops >= d->cut_at)
        d->off = true;
    if (changes && d->frozen && !d->off)
        return EROFS;
    return d->off ? d->cut_number : 0;
}

static enum sp_code
leave(struct memdisk *d, int number, const char *what, const char *path, struct sp_err *e)
{
    sp_mutex_unlock(&d->lock);
    return number == 0 ? SP_OK : fail(e, number, what, path);
}

static struct sp_file *
new_file(struct memdisk *d, struct inode *f, const char *path, bool writable)
{
    struct sp_file *file = memdisk_need(calloc(1, sizeof(*file)));

    *file = (struct sp_file){d, f, memdisk_need(strdup(path)), writable};
    d->open++;
    return file;
}

static enum sp_code
mem_open_read(void *self, const char *path, struct sp_file **ret, struct sp_err *e)
{
    struct memdisk *d = self;
    struct inode *f = NULL;
    int number = enter_table(d, false);
    bool folder = false;

    if (number == 0)
        number = memdisk_find(d, path, &f);
    if (number == 0 && !(folder = f->folder))
        *ret = new_file(d, f, path, false);
    if (folder) {
        sp_mutex_unlock(&d->lock);
        return sp_fail(e, SP_REFUSED, SP_DOM_STORE, "%s is not a file", path);
    }
    return leave(d, number, "open", path, e);
}

static enum sp_code
mem_create(void *self, const char *path, struct sp_file **ret, struct sp_err *e)
{
    struct memdisk *d = self;
    struct inode *f = NULL;
    int number = enter_table(d, true);

    if (number == 0 && (number = memdisk_do_create(d, path, &f)) == 0) {
        (void)memdisk_note(d, OP_CREATE, path, NULL);
        *ret = new_file(d, f, path, true);
    }
    return leave(d, number, "create", path, e);
}

static bool
range_ok(uint64_t offset, size_t n)
{
    return offset <= INT64_MAX && n <= (uint64_t)INT64_MAX - offset;
}

static enum sp_code
mem_read_at(void *self, struct sp_file *f, uint64_t offset, void *to, size_t n, size_t *ret_n,
    struct sp_err *e)
{
    struct memdisk *d = f->d;
    int number = enter_table(d, false);

    (void)self;
    if (number == 0 && !range_ok(offset, n))
        number = EOVERFLOW;
    if (number == 0) {
        const struct blob *b = f->inode->data;
        size_t left = offset < b->n ? b->n - (size_t)offset : 0;

        *ret_n = n < left ? n : left;
        if (*ret_n > 0)
            memcpy(to, b->p + offset, *ret_n);
    }
    return leave(d, number, "read", f->path, e);
}

static enum sp_code
mem_write_at(
    void *self, struct sp_file *f, uint64_t offset, const void *p, size_t n, struct sp_err *e)
{
    struct memdisk *d = f->d;
    int number = enter_table(d, n > 0);

    (void)self;
    if (number == 0 && !range_ok(offset, n))
        number = EFBIG;
    else if (number == 0 && !f->writable && n > 0)
        number = EBADF;
    if (number == 0 && n > 0) {
        struct op *op;

        memdisk_do_write(d, f->inode, offset, p, n);
        op = memdisk_note(d, OP_WRITE, f->path, NULL);
        op->inode = f->inode->id;
        op->offset = offset;
        op->bytes = blob_new(p, n);
    }
    return leave(d, number, "write", f->path, e);
}

static void
tell(const struct inode *f, struct sp_os_stat *ret)
{
    *ret = (struct sp_os_stat){.type = f->folder ? SP_OS_DIR : SP_OS_FILE,
        .size = f->folder ? 0 : f->data->n,
        .mtime_ns = f->mtime_ns,
        .device = 1,
        .inode = f->id};
}

static enum sp_code
mem_file_stat(void *self, struct sp_file *f, struct sp_os_stat *ret, struct sp_err *e)
{
    int number = enter_table(f->d, false);

    (void)self;
    if (number == 0)
        tell(f->inode, ret);
    return leave(f->d, number, "look at", f->path, e);
}

/* What a flush that is to fail now fails with. */
static int
fault_now(const struct memdisk *d)
{
    return d->nops == d->fail_at ? d->fail_number : 0;
}

static enum sp_code
mem_sync(void *self, struct sp_file *f, struct sp_err *e)
{
    struct memdisk *d = f->d;
    int number = enter_table(d, true);

    (void)self;
    if (number == 0) {
        struct op *op;

        number = memdisk_do_sync(d, f->inode, fault_now(d));
        op = memdisk_note(d, OP_SYNC, f->path, NULL);
        op->inode = f->inode->id;
        op->failed = number != 0;
    }
    return leave(d, number, "flush", f->path, e);
}

static enum sp_code
mem_close(void *self, struct sp_file *f, struct sp_err *e)
{
    struct memdisk *d = f->d;
    int number = enter_table(d, false);
    enum sp_code rc;

    (void)self;
    d->open--;
    rc = leave(d, number, "close", f->path, e);
    free(f->path);
    free(f);
    return rc;
}

static enum sp_code
named(struct memdisk *d, enum op_kind kind, const char *from, const char *to, struct sp_err *e)
{
    int number = enter_table(d, true);

    if (number == 0)
        number = memdisk_do_rename(d, from, to, kind == OP_PUBLISH);
    if (number == 0)
        (void)memdisk_note(d, kind, to, from);
    return leave(d, number, kind == OP_PUBLISH ? "publish" : "replace", to, e);
}

static enum sp_code
mem_publish(void *self, const char *from, const char *to, struct sp_err *e)
{
    return named(self, OP_PUBLISH, from, to, e);
}

static enum sp_code
mem_replace(void *self, const char *from, const char *to, struct sp_err *e)
{
    return named(self, OP_REPLACE, from, to, e);
}

static enum sp_code
mem_remove(void *self, const char *path, struct sp_err *e)
{
    struct memdisk *d = self;
    int number = enter_table(d, true);

    if (number == 0 && (number = memdisk_do_remove(d, path, false)) == 0)
        (void)memdisk_note(d, OP_REMOVE, path, NULL);
    return leave(d, number, "remove", path, e);
}

static enum sp_code
mem_mkdir(void *self, const char *path, struct sp_err *e)
{
    struct memdisk *d = self;
    int number = enter_table(d, true);

    if (number == 0 && (number = memdisk_do_mkdir(d, path)) == 0)
        (void)memdisk_note(d, OP_MKDIR, path, NULL);
    return leave(d, number, "create folder", path, e);
}

static enum sp_code
mem_rmdir(void *self, const char *path, struct sp_err *e)
{
    struct memdisk *d = self;
    int number = enter_table(d, true);

    if (number == 0 && (number = memdisk_do_remove(d, path, true)) == 0)
        (void)memdisk_note(d, OP_RMDIR, path, NULL);
    return leave(d, number, "remove folder", path, e);
}

static enum sp_code
mem_sync_dir(void *self, const char *path, struct sp_err *e)
{
    struct memdisk *d = self;
    struct inode *f = NULL;
    int number = enter_table(d, true);
    bool opened = false;
    enum sp_code rc;

    if (number == 0 && memdisk_find(d, path, &f) == 0 && f->folder) {
        opened = true;
        number = memdisk_do_sync_dir(d, path, fault_now(d));
        memdisk_note(d, OP_SYNC_DIR, path, NULL)->failed = number != 0;
    } else if (number == 0) {
        number = memdisk_do_sync_dir(d, path, 0);
    }
    rc = leave(d, number, "flush folder", path, e);
    if (opened && number == EINVAL)
        rc = e->code = SP_UNSUPPORTED;
    return rc;
}

/* A copy of what is to be told, so that `each` may use the disk. */
struct told {
    char *name;
    struct sp_os_stat st;
};

static enum sp_code
mem_list(void *self, const char *path, bool want_stat,
    enum sp_code (*each)(
        void *arg, const char *name, const struct sp_os_stat *st, struct sp_err *e),
    void *arg, struct sp_err *e)
{
    struct memdisk *d = self;
    struct inode *f = NULL;
    struct told *all = NULL;
    size_t n = 0;
    int number = enter_table(d, false);
    enum sp_code rc;

    if (number == 0 && (number = memdisk_find(d, path, &f)) == 0 && !f->folder)
        number = ENOTDIR;
    if (number == 0)
        all = memdisk_need(calloc(f->nslots + 1, sizeof(*all)));
    for (size_t i = 0; number == 0 && i < f->nslots; i++) {
        const struct slot *s = &f->slots[i];
        const struct inode *child = d->inodes[s->values[s->n - 1].inode];

        if (child == NULL)
            continue;
        all[n].name = memdisk_need(strdup(s->name));
        tell(child, &all[n++].st);
    }
    rc = leave(d, number, "list", path, e);
    for (size_t i = 0; i < n; i++) {
        if (!want_stat)
            all[i].st = (struct sp_os_stat){.type = all[i].st.type};
        if (rc == SP_OK)
            rc = each(arg, all[i].name, &all[i].st, e);
        free(all[i].name);
    }
    free(all);
    return rc;
}

static enum sp_code
mem_stat(void *self, const char *path, struct sp_os_stat *ret, struct sp_err *e)
{
    struct memdisk *d = self;
    struct inode *f = NULL;
    int number = enter_table(d, false);

    if (number == 0 && (number = memdisk_find(d, path, &f)) == 0)
        tell(f, ret);
    return leave(d, number, "look at", path, e);
}

static enum sp_code
mem_space(void *self, const char *path, struct sp_os_space *ret, struct sp_err *e)
{
    struct memdisk *d = self;
    struct inode *f = NULL;
    int number = enter_table(d, false);

    if (number == 0 && (number = memdisk_find(d, path, &f)) == 0)
        *ret = (struct sp_os_space){UINT64_C(1) << 40, UINT64_C(1) << 40};
    return leave(d, number, "ask for the free space of", path, e);
}

const struct sp_os *
memdisk_os(struct memdisk *d)
{
    d->os = (struct sp_os){.self = d,
        .open_read = mem_open_read,
        .create = mem_create,
        .read_at = mem_read_at,
        .write_at = mem_write_at,
        .file_stat = mem_file_stat,
        .sync = mem_sync,
        .close = mem_close,
        .publish = mem_publish,
        .replace = mem_replace,
        .remove = mem_remove,
        .mkdir = mem_mkdir,
        .rmdir = mem_rmdir,
        .sync_dir = mem_sync_dir,
        .list = mem_list,
        .stat = mem_stat,
        .space = mem_space};
    return &d->os;
}
