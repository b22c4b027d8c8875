/* The table: files and folders in memory, errno for errno those of Linux. See memdisk.h. */

#include "memdisk_impl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define NAME_LONGEST 255
#define PATH_LONGEST 4096
#define BEGIN_NS (INT64_C(1790000000) * SP_SECOND)

struct sp_file {
    struct memdisk *d;
    struct inode *inode;
    char *path;
    bool writable;
};

/* --- bytes ---------------------------------------------------------------------------------------
 */

void *
memdisk_need(void *p)
{
    if (p == NULL)
        abort();
    return p;
}

struct blob *
blob_ref(struct blob *b)
{
    if (b != NULL)
        b->refs++;
    return b;
}

void
blob_unref(struct blob *b)
{
    if (b != NULL && --b->refs == 0) {
        free(b->p);
        free(b);
    }
}

struct blob *
blob_new(const void *p, size_t n)
{
    struct blob *b = memdisk_need(calloc(1, sizeof(*b)));

    b->refs = 1;
    b->n = b->cap = n;
    b->p = memdisk_need(malloc(n + 1));
    if (p != NULL && n > 0)
        memcpy(b->p, p, n);
    else
        memset(b->p, 0, n);
    return b;
}

void
blob_own(struct blob **at, size_t n)
{
    struct blob *b = *at;

    if (b->refs > 1) {
        *at = blob_new(b->p, b->n);
        blob_unref(b);
        b = *at;
    }
    if (n <= b->n)
        return;
    if (n > b->cap) {
        b->cap = n > b->cap * 2 ? n : b->cap * 2;
        b->p = memdisk_need(realloc(b->p, b->cap + 1));
    }
    memset(b->p + b->n, 0, n - b->n);
    b->n = n;
}

/* --- inodes and names ----------------------------------------------------------------------------
 */

bool
memdisk_posix(const struct memdisk *d)
{
    return d->mode != MEMDISK_ORDERED;
}

struct inode *
memdisk_inode(struct memdisk *d, bool folder)
{
    struct inode *f = memdisk_need(calloc(1, sizeof(*f)));

    if (d->ninodes == d->inodes_cap) {
        d->inodes_cap = d->inodes_cap * 2 + 64;
        d->inodes = memdisk_need(realloc(d->inodes, d->inodes_cap * sizeof(struct inode *)));
    }
    f->id = (uint32_t)d->ninodes;
    f->folder = folder;
    f->mtime_ns = d->now_ns;
    if (!folder) {
        f->data = blob_new(NULL, 0);
        f->durable = blob_ref(f->data);
    }
    d->inodes[d->ninodes++] = f;
    return f;
}

struct memdisk *
memdisk_blank(enum memdisk_mode mode)
{
    struct memdisk *d = memdisk_need(calloc(1, sizeof(*d)));

    d->mode = mode;
    d->now_ns = BEGIN_NS;
    d->cut_at = d->fail_at = SIZE_MAX;
    sp_mutex_init(&d->lock);
    d->inodes_cap = 64;
    d->inodes = memdisk_need(calloc(d->inodes_cap, sizeof(struct inode *)));
    d->ninodes = 1;
    (void)memdisk_inode(d, true);
    d->inodes[1]->parent = 1;
    return d;
}

static size_t
place(const struct inode *folder, const char *name, bool *ret_there)
{
    size_t lo = 0, hi = folder->nslots;

    *ret_there = false;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int order = strcmp(folder->slots[mid].name, name);

        if (order == 0) {
            *ret_there = true;
            return mid;
        }
        if (order < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static struct inode *
seen(const struct memdisk *d, const struct inode *folder, const char *name)
{
    bool there;
    size_t at = place(folder, name, &there);
    const struct slot *s = &folder->slots[at];

    return there ? d->inodes[s->values[s->n - 1].inode] : NULL;
}

void
memdisk_enter(struct inode *folder, const char *name, uint64_t seq, uint32_t inode)
{
    bool there;
    size_t at = place(folder, name, &there);
    struct slot *s;

    if (!there) {
        if (folder->nslots == folder->cap) {
            folder->cap = folder->cap * 2 + 8;
            folder->slots = memdisk_need(realloc(folder->slots, folder->cap * sizeof(struct slot)));
        }
        s = folder->slots + at;
        memmove(s + 1, s, (folder->nslots - at) * sizeof(*s));
        folder->nslots++;
        *s = (struct slot){.name = memdisk_need(strdup(name))};
        s->values = memdisk_need(malloc(sizeof(struct value)));
        s->values[s->n++] = (struct value){0, 0};
    }
    s = folder->slots + at;
    s->values = memdisk_need(realloc(s->values, (s->n + 1) * sizeof(struct value)));
    s->values[s->n++] = (struct value){seq, inode};
}

static bool
empty(const struct inode *folder)
{
    for (size_t i = 0; i < folder->nslots; i++)
        if (folder->slots[i].values[folder->slots[i].n - 1].inode != 0)
            return false;
    return true;
}

/* --- paths ---------------------------------------------------------------------------------------
 */

struct spot { /* where a path leads: the folder that holds the last name, and that name */
    struct inode *folder;
    char name[NAME_LONGEST + 2]; /* "" for the root itself */
    bool too_long;
};

/* errno, or 0. Goes to the folder that holds the last name, as the kernel does: that name is looked
 * at later. */
static int
walk(const struct memdisk *d, const char *path, struct spot *ret)
{
    const char *p = path;

    if (*p != '/' || strlen(path) >= PATH_LONGEST)
        return *p == '/' ? ENAMETOOLONG : ENOENT;
    *ret = (struct spot){.folder = d->inodes[1]};
    for (;;) {
        size_t n;

        while (*p == '/')
            p++;
        if (*p == '\0')
            return 0;
        if (ret->name[0] != '\0') {
            struct inode *next = ret->too_long ? NULL : seen(d, ret->folder, ret->name);

            if (next == NULL)
                return ret->too_long ? ENAMETOOLONG : ENOENT;
            if (!next->folder)
                return ENOTDIR;
            ret->folder = next;
        }
        n = strcspn(p, "/");
        ret->too_long = n > NAME_LONGEST;
        (void)snprintf(ret->name, sizeof(ret->name), "%.*s", (int)(n > 255 ? 255 : n), p);
        p += n;
    }
}

/* errno, or 0 with *ret NULL when only the last name leads to nothing. */
static int
find(const struct memdisk *d, const char *path, struct spot *spot, struct inode **ret)
{
    int number = walk(d, path, spot);

    if (number != 0)
        return number;
    if (spot->too_long)
        return ENAMETOOLONG;
    *ret = spot->name[0] == '\0' ? spot->folder : seen(d, spot->folder, spot->name);
    return 0;
}

static int
find_there(const struct memdisk *d, const char *path, struct inode **ret)
{
    struct spot spot;
    int number = find(d, path, &spot, ret);

    return number != 0 ? number : *ret == NULL ? ENOENT : 0;
}

/* --- changing ------------------------------------------------------------------------------------
 */

static void
touch(struct memdisk *d, struct inode *f)
{
    f->seq = d->seq;
    f->mtime_ns = d->now_ns += 1000;
}

static void
enter(struct memdisk *d, struct spot *s, uint32_t inode)
{
    memdisk_enter(s->folder, s->name, d->seq, inode);
    touch(d, s->folder);
}

int
memdisk_do_create(struct memdisk *d, const char *path, struct inode **ret)
{
    struct spot s;
    struct inode *f = NULL;
    int number = find(d, path, &s, &f);

    if (number != 0 || f != NULL)
        return number != 0 ? number : EEXIST;
    d->seq++;
    f = memdisk_inode(d, false);
    touch(d, f);
    enter(d, &s, f->id);
    *ret = f;
    return 0;
}

int
memdisk_do_mkdir(struct memdisk *d, const char *path)
{
    struct spot s;
    struct inode *f = NULL;
    int number = find(d, path, &s, &f);

    if (number != 0 || f != NULL)
        return number != 0 ? number : EEXIST;
    d->seq++;
    f = memdisk_inode(d, true);
    f->parent = s.folder->id;
    touch(d, f);
    enter(d, &s, f->id);
    return 0;
}

int
memdisk_do_remove(struct memdisk *d, const char *path, bool folder)
{
    struct spot s;
    struct inode *f = NULL;
    int number = find(d, path, &s, &f);

    if (number != 0)
        return number;
    if (s.name[0] == '\0')
        return folder ? EBUSY : EISDIR;
    if (f == NULL)
        return ENOENT;
    if (f->folder != folder)
        return folder ? ENOTDIR : EISDIR;
    if (folder && !empty(f))
        return ENOTEMPTY;
    d->seq++;
    f->seq = d->seq;
    enter(d, &s, 0);
    return 0;
}

/* Whether `above` is `f` or holds it. */
static bool
within(const struct memdisk *d, const struct inode *f, const struct inode *above)
{
    for (;; f = d->inodes[f->parent]) {
        if (f == above)
            return true;
        if (f->parent == f->id)
            return false;
    }
}

/* What the kernel refuses, in its order. */
static int
may_rename(const struct memdisk *d, const struct spot *a, const struct inode *from,
    const struct spot *b, const struct inode *to, bool exclusive)
{
    if (from == NULL)
        return ENOENT;
    if (exclusive && to != NULL)
        return EEXIST;
    if (from->folder && within(d, b->folder, from))
        return EINVAL;
    if (to != NULL && to->folder && within(d, a->folder, to))
        return ENOTEMPTY;
    if (to == NULL || to == from)
        return 0;
    if (from->folder != to->folder)
        return from->folder ? ENOTDIR : EISDIR;
    return to->folder && !empty(to) ? ENOTEMPTY : 0;
}

int
memdisk_do_rename(struct memdisk *d, const char *from, const char *to, bool exclusive)
{
    struct spot a, b;
    struct inode *f = NULL, *g = NULL;
    int number;

    if ((number = walk(d, from, &a)) != 0 || (number = walk(d, to, &b)) != 0)
        return number;
    if (a.name[0] == '\0' || b.name[0] == '\0')
        return EBUSY;
    if ((number = find(d, from, &a, &f)) != 0)
        return number;
    if (f == NULL)
        return ENOENT;
    if ((number = find(d, to, &b, &g)) != 0)
        return number;
    if ((number = may_rename(d, &a, f, &b, g, exclusive)) != 0 || f == g)
        return number;
    d->seq++;
    enter(d, &a, 0);
    enter(d, &b, f->id);
    f->seq = d->seq;
    if (g != NULL)
        g->seq = d->seq;
    if (f->folder)
        f->parent = b.folder->id;
    return 0;
}

void
memdisk_do_write(struct memdisk *d, struct inode *f, uint64_t at, const void *p, size_t n)
{
    if (n == 0)
        return;
    blob_own(&f->data, (size_t)at + n);
    memcpy(f->data->p + at, p, n);
    touch(d, f);
}

/* --- flushing ------------------------------------------------------------------------------------
 */

static void
keep_last(struct inode *folder)
{
    size_t kept = 0;

    for (size_t i = 0; i < folder->nslots; i++) {
        struct slot *s = &folder->slots[i];

        if (!s->lost) {
            s->values[0] = s->values[s->n - 1];
            s->n = 1;
        }
        if (s->n == 1 && s->values[0].inode == 0) {
            free(s->name);
            free(s->values);
        } else {
            folder->slots[kept++] = *s;
        }
    }
    folder->nslots = kept;
}

static void
commit(struct memdisk *d, const struct inode *f)
{
    if (!d->frozen && f->seq > d->committed)
        d->committed = f->seq;
}

int
memdisk_do_sync(struct memdisk *d, struct inode *f, int fault)
{
    if (d->mode == MEMDISK_NO_FLUSH)
        return EINVAL;
    if (fault != 0) {
        f->lost = true;
        return fault;
    }
    if (!f->lost) {
        blob_unref(f->durable);
        f->durable = blob_ref(f->data);
    }
    commit(d, f);
    return 0;
}

int
memdisk_do_sync_dir(struct memdisk *d, const char *path, int fault)
{
    struct inode *f = NULL;
    int number = find_there(d, path, &f);

    if (number != 0 || !f->folder)
        return number != 0 ? number : ENOTDIR;
    if (d->mode >= MEMDISK_NO_FOLDER_FLUSH)
        return EINVAL;
    if (fault != 0) {
        d->frozen = true;
        for (size_t i = 0; i < f->nslots; i++)
            f->slots[i].lost |= f->slots[i].n > 1;
        return fault;
    }
    commit(d, f);
    if (memdisk_posix(d))
        keep_last(f);
    return 0;
}

void
memdisk_do_settle(struct memdisk *d)
{
    for (size_t i = 1; i < d->ninodes; i++) {
        struct inode *f = d->inodes[i];

        if (f->folder) {
            for (size_t k = 0; k < f->nslots; k++)
                f->slots[k].lost = false;
            keep_last(f);
        } else {
            blob_unref(f->durable);
            f->durable = blob_ref(f->data);
        }
    }
    d->committed = d->seq;
}

/* --- the table -----------------------------------------------------------------------------------
 */

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
        number = find_there(d, path, &f);
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

    if (number == 0 && find_there(d, path, &f) == 0 && f->folder) {
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

    if (number == 0 && (number = find_there(d, path, &f)) == 0 && !f->folder)
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

    if (number == 0 && (number = find_there(d, path, &f)) == 0)
        tell(f, ret);
    return leave(d, number, "look at", path, e);
}

static enum sp_code
mem_space(void *self, const char *path, struct sp_os_space *ret, struct sp_err *e)
{
    struct memdisk *d = self;
    struct inode *f = NULL;
    int number = enter_table(d, false);

    if (number == 0 && (number = find_there(d, path, &f)) == 0)
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
