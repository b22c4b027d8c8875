/* A local disk in memory with a memory of its own: see localdisk.h. */

#include "localdisk.h"

#include <stdlib.h>
#include <string.h>

#include "cutstore_impl.h"

struct content { /* not written to once it has its lasting name */
    unsigned refs;
    bool folder;
    uint8_t *p;
    size_t n, cap;
};

struct entry {
    char *path;
    struct content *what;
};

struct event {
    uint64_t at;
    char *path;
    struct content *what; /* NULL: removed */
};

struct localdisk {
    struct sp_os os;
    uint64_t (*now)(void *arg);
    void *arg;
    struct entry *entries;
    size_t n, cap;
    struct event *events;
    size_t nevents, events_cap;
};

struct sp_file {
    struct content *what;
};

static void *
must(void *p)
{
    if (p == NULL)
        abort();
    return p;
}

static struct content *
hold(struct content *c)
{
    if (c != NULL)
        c->refs++;
    return c;
}

static void
let_go(struct content *c)
{
    if (c == NULL || --c->refs > 0)
        return;
    free(c->p);
    free(c);
}

static struct content *
content_new(bool folder)
{
    struct content *c = must(calloc(1, sizeof(*c)));

    c->refs = 1;
    c->folder = folder;
    return c;
}

static size_t
find(const struct localdisk *d, const char *path)
{
    size_t i;

    for (i = 0; i < d->n && strcmp(d->entries[i].path, path) != 0; i++)
        ;
    return i;
}

/* `what` NULL takes it away. */
static void
put(struct localdisk *d, const char *path, struct content *what)
{
    size_t at = find(d, path);

    if (at == d->n && what != NULL) {
        if (d->n == d->cap) {
            d->cap = d->cap == 0 ? 32 : d->cap * 2;
            d->entries = must(realloc(d->entries, d->cap * sizeof(*d->entries)));
        }
        d->entries[d->n++] = (struct entry){must(strdup(path)), NULL};
    }
    if (at == d->n)
        return;
    let_go(d->entries[at].what);
    d->entries[at].what = hold(what);
    if (what == NULL) {
        free(d->entries[at].path);
        d->entries[at] = d->entries[--d->n];
    }
}

static void
change(struct localdisk *d, const char *path, struct content *what)
{
    put(d, path, what);
    if (d->now == NULL)
        return;
    if (d->nevents == d->events_cap) {
        d->events_cap = d->events_cap == 0 ? 64 : d->events_cap * 2;
        d->events = must(realloc(d->events, d->events_cap * sizeof(*d->events)));
    }
    d->events[d->nevents++] = (struct event){d->now(d->arg), must(strdup(path)), hold(what)};
}

static enum sp_code
absent(const char *path, struct sp_err *e)
{
    return sp_fail(e, SP_ABSENT, SP_DOM_SELF, "there is no %s", path);
}

static enum sp_code
taken(const char *path, struct sp_err *e)
{
    return sp_fail(e, SP_EXISTS, SP_DOM_SELF, "%s is there already", path);
}

static bool
folder_there(const struct localdisk *d, const char *path)
{
    char up[1024];
    char *slash;
    size_t at;

    if (strlen(path) >= sizeof(up))
        return false;
    strcpy(up, path);
    if ((slash = strrchr(up, '/')) == NULL || slash == up)
        return true;
    *slash = '\0';
    at = find(d, up);
    return at < d->n && d->entries[at].what->folder;
}

/* --- the table ----------------------------------------------------------------------------- */

static enum sp_code
disk_open_read(void *self, const char *path, struct sp_file **ret, struct sp_err *e)
{
    struct localdisk *d = self;
    size_t at = find(d, path);

    if (at == d->n)
        return absent(path, e);
    *ret = must(calloc(1, sizeof(**ret)));
    (*ret)->what = hold(d->entries[at].what);
    return SP_OK;
}

static enum sp_code
disk_create(void *self, const char *path, struct sp_file **ret, struct sp_err *e)
{
    struct localdisk *d = self;
    struct content *c;

    if (find(d, path) < d->n)
        return taken(path, e);
    if (!folder_there(d, path))
        return absent(path, e);
    c = content_new(false);
    change(d, path, c);
    *ret = must(calloc(1, sizeof(**ret)));
    (*ret)->what = c;
    return SP_OK;
}

static enum sp_code
disk_read_at(void *self, struct sp_file *f, uint64_t offset, void *to, size_t n, size_t *ret_n,
    struct sp_err *e)
{
    const struct content *c = f->what;
    size_t left = offset < c->n ? c->n - (size_t)offset : 0;

    (void)self;
    (void)e;
    *ret_n = n < left ? n : left;
    if (*ret_n > 0)
        memcpy(to, c->p + offset, *ret_n);
    return SP_OK;
}

static enum sp_code
disk_write_at(
    void *self, struct sp_file *f, uint64_t offset, const void *p, size_t n, struct sp_err *e)
{
    struct content *c = f->what;
    size_t end = (size_t)offset + n;

    (void)self;
    (void)e;
    if (end > c->cap) {
        c->cap = end * 2;
        c->p = must(realloc(c->p, c->cap));
    }
    if (offset > c->n)
        memset(c->p + c->n, 0, (size_t)offset - c->n);
    if (n > 0)
        memcpy(c->p + offset, p, n);
    if (end > c->n)
        c->n = end;
    return SP_OK;
}

static void
tell(const struct content *c, struct sp_os_stat *ret)
{
    *ret = (struct sp_os_stat){.type = c->folder ? SP_OS_DIR : SP_OS_FILE, .size = c->n};
    ret->mtime_ns = INT64_MAX / 2; /* never old: nothing is swept */
    ret->device = 1;
    ret->inode = (uint64_t)(uintptr_t)c;
}

static enum sp_code
disk_file_stat(void *self, struct sp_file *f, struct sp_os_stat *ret, struct sp_err *e)
{
    (void)self;
    (void)e;
    tell(f->what, ret);
    return SP_OK;
}

static enum sp_code
disk_sync(void *self, struct sp_file *f, struct sp_err *e)
{
    (void)self;
    (void)f;
    (void)e;
    return SP_OK;
}

static enum sp_code
disk_close(void *self, struct sp_file *f, struct sp_err *e)
{
    (void)self;
    (void)e;
    let_go(f->what);
    free(f);
    return SP_OK;
}

static enum sp_code
disk_replace(void *self, const char *from, const char *to, struct sp_err *e)
{
    struct localdisk *d = self;
    size_t at = find(d, from);
    struct content *c;

    if (at == d->n)
        return absent(from, e);
    c = hold(d->entries[at].what);
    change(d, to, c);
    change(d, from, NULL);
    let_go(c);
    return SP_OK;
}

static enum sp_code
disk_publish(void *self, const char *from, const char *to, struct sp_err *e)
{
    if (find(self, to) < ((struct localdisk *)self)->n)
        return taken(to, e);
    return disk_replace(self, from, to, e);
}

static enum sp_code
disk_remove(void *self, const char *path, struct sp_err *e)
{
    struct localdisk *d = self;

    if (find(d, path) == d->n)
        return absent(path, e);
    change(d, path, NULL);
    return SP_OK;
}

static enum sp_code
disk_mkdir(void *self, const char *path, struct sp_err *e)
{
    struct localdisk *d = self;
    struct content *c;

    if (find(d, path) < d->n)
        return taken(path, e);
    if (!folder_there(d, path))
        return absent(path, e);
    c = content_new(true);
    change(d, path, c);
    let_go(c);
    return SP_OK;
}

static enum sp_code
disk_sync_dir(void *self, const char *path, struct sp_err *e)
{
    (void)self;
    (void)path;
    (void)e;
    return SP_OK;
}

static enum sp_code
disk_list(void *self, const char *path, bool want_stat,
    enum sp_code (*each)(
        void *arg, const char *name, const struct sp_os_stat *st, struct sp_err *e),
    void *arg, struct sp_err *e)
{
    struct localdisk *d = self;
    size_t n = strlen(path), count = 0, i;
    struct entry *found;
    enum sp_code rc = SP_OK;

    (void)want_stat;
    if (find(d, path) == d->n)
        return absent(path, e);
    found = must(malloc((d->n + 1) * sizeof(*found)));
    for (i = 0; i < d->n; i++) {
        const char *p = d->entries[i].path;

        if (strncmp(p, path, n) == 0 && p[n] == '/' && strchr(p + n + 1, '/') == NULL)
            found[count++] = (struct entry){must(strdup(p + n + 1)), hold(d->entries[i].what)};
    }
    for (i = 0; i < count; i++) { /* `each` may change the disk */
        struct sp_os_stat st;

        tell(found[i].what, &st);
        if (rc == SP_OK)
            rc = each(arg, found[i].path, &st, e);
        free(found[i].path);
        let_go(found[i].what);
    }
    free(found);
    return rc;
}

static enum sp_code
disk_stat(void *self, const char *path, struct sp_os_stat *ret, struct sp_err *e)
{
    struct localdisk *d = self;
    size_t at = find(d, path);

    if (at == d->n)
        return absent(path, e);
    tell(d->entries[at].what, ret);
    return SP_OK;
}

static enum sp_code
disk_space(void *self, const char *path, struct sp_os_space *ret, struct sp_err *e)
{
    (void)self;
    (void)path;
    (void)e;
    *ret = (struct sp_os_space){SIZE_MAX / 4, SIZE_MAX / 2};
    return SP_OK;
}

/* --- the disk ------------------------------------------------------------------------------ */

struct localdisk *
localdisk_new(uint64_t (*now)(void *arg), void *arg)
{
    struct localdisk *d = must(calloc(1, sizeof(*d)));

    d->now = now;
    d->arg = arg;
    d->os = (struct sp_os){.self = d,
        .open_read = disk_open_read,
        .create = disk_create,
        .read_at = disk_read_at,
        .write_at = disk_write_at,
        .file_stat = disk_file_stat,
        .sync = disk_sync,
        .close = disk_close,
        .publish = disk_publish,
        .replace = disk_replace,
        .remove = disk_remove,
        .mkdir = disk_mkdir,
        .rmdir = disk_remove,
        .sync_dir = disk_sync_dir,
        .list = disk_list,
        .stat = disk_stat,
        .space = disk_space};
    return d;
}

void
localdisk_free(struct localdisk *d)
{
    if (d == NULL)
        return;
    for (size_t i = 0; i < d->n; i++) {
        free(d->entries[i].path);
        let_go(d->entries[i].what);
    }
    for (size_t i = 0; i < d->nevents; i++) {
        free(d->events[i].path);
        let_go(d->events[i].what);
    }
    free(d->entries);
    free(d->events);
    free(d);
}

const struct sp_os *
localdisk_os(struct localdisk *d)
{
    return &d->os;
}

struct localdisk *
localdisk_at(const struct localdisk *d, uint64_t at)
{
    struct localdisk *s = localdisk_new(NULL, NULL);

    for (size_t i = 0; i < d->nevents && d->events[i].at <= at; i++)
        put(s, d->events[i].path, d->events[i].what);
    return s;
}

uint64_t
localdisk_state(const struct localdisk *d, uint64_t at)
{
    struct localdisk *s = localdisk_at(d, at);
    uint64_t h = 0;

    for (size_t i = 0; i < s->n; i++) {
        const struct entry *en = &s->entries[i];

        if (!en->what->folder)
            h += cut_mix(cut_hash(en->path, strlen(en->path)) ^ cut_hash(en->what->p, en->what->n));
    }
    localdisk_free(s);
    return cut_mix(h);
}
