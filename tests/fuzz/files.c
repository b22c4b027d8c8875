#include "tests/fuzz/files.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "tests/fuzz/fuzz.h"

#define MOST ((uint64_t)64 << 20) /* bytes of one file: a target takes no more memory than that */

struct sp_file { /* a file or a folder; here, open and named are the same thing */
    char *path;  /* NULL: removed, and still open */
    bool folder;
    unsigned opened;
    struct sp_buf bytes;
    struct sp_file *next;
};

struct fuzz_files {
    struct sp_os os;
    struct sp_clock clock;
    struct sp_random_seeded seeded;
    struct sp_random random;
    struct sp_env env;
    struct sp_file *first;
};

static struct sp_file *
find(const struct fuzz_files *all, const char *path)
{
    struct sp_file *f = all->first;

    while (f != NULL && (f->path == NULL || strcmp(f->path, path) != 0))
        f = f->next;
    return f;
}

static struct sp_file *
make(struct fuzz_files *all, const char *path, bool folder)
{
    struct sp_file *f = calloc(1, sizeof(*f));

    FUZZ_MUST(f != NULL && (f->path = strdup(path)) != NULL);
    f->folder = folder;
    f->next = all->first;
    all->first = f;
    return f;
}

static void
drop(struct fuzz_files *all, struct sp_file *f)
{
    struct sp_file **at = &all->first;

    free(f->path);
    f->path = NULL;
    if (f->opened > 0)
        return;
    while (*at != f)
        at = &(*at)->next;
    *at = f->next;
    sp_buf_free(&f->bytes);
    free(f);
}

static enum sp_code
absent(const char *path, struct sp_err *e)
{
    return sp_fail(e, SP_ABSENT, SP_DOM_STORE, "%s is not there", path);
}

static enum sp_code
exists(const char *path, struct sp_err *e)
{
    return sp_fail(e, SP_EXISTS, SP_DOM_STORE, "%s is there", path);
}

static enum sp_code
files_open_read(void *self, const char *path, struct sp_file **ret, struct sp_err *e)
{
    struct sp_file *f = find(self, path);

    if (f == NULL || f->folder)
        return absent(path, e);
    f->opened++;
    *ret = f;
    return SP_OK;
}

static enum sp_code
files_create(void *self, const char *path, struct sp_file **ret, struct sp_err *e)
{
    if (find(self, path) != NULL)
        return exists(path, e);
    *ret = make(self, path, false);
    (*ret)->opened++;
    return SP_OK;
}

static enum sp_code
files_read_at(void *self, struct sp_file *f, uint64_t offset, void *to, size_t n, size_t *ret_n,
    struct sp_err *e)
{
    (void)self;
    (void)e;
    if (offset >= f->bytes.len)
        n = 0;
    else if (n > f->bytes.len - (size_t)offset)
        n = f->bytes.len - (size_t)offset;
    if (n > 0)
        memcpy(to, f->bytes.data + offset, n);
    *ret_n = n;
    return SP_OK;
}

static enum sp_code
files_write_at(
    void *self, struct sp_file *f, uint64_t offset, const void *p, size_t n, struct sp_err *e)
{
    (void)self;
    if (offset > MOST || n > MOST - offset)
        return sp_fail(e, SP_FULL, SP_DOM_STORE, "the file is full");
    if (offset + n > f->bytes.len)
        sp_buf_put_zero(&f->bytes, (size_t)offset + n - f->bytes.len);
    FUZZ_MUST(!f->bytes.failed);
    if (n > 0)
        memcpy(f->bytes.data + offset, p, n);
    return SP_OK;
}

static void
tell(const struct sp_file *f, struct sp_os_stat *ret)
{
    *ret = (struct sp_os_stat){.type = f->folder ? SP_OS_DIR : SP_OS_FILE,
        .size = f->bytes.len,
        .mtime_ns = FUZZ_NOW_NS,
        .device = 1,
        .inode = 1};
}

static enum sp_code
files_file_stat(void *self, struct sp_file *f, struct sp_os_stat *ret, struct sp_err *e)
{
    (void)self;
    (void)e;
    tell(f, ret);
    return SP_OK;
}

static enum sp_code
files_sync(void *self, struct sp_file *f, struct sp_err *e)
{
    (void)self;
    (void)f;
    (void)e;
    return SP_OK;
}

static enum sp_code
files_close(void *self, struct sp_file *f, struct sp_err *e)
{
    (void)e;
    FUZZ_MUST(f->opened > 0);
    if (--f->opened == 0 && f->path == NULL)
        drop(self, f);
    return SP_OK;
}

static enum sp_code
rename_to(struct fuzz_files *all, const char *from, const char *to, struct sp_err *e)
{
    struct sp_file *f = find(all, from), *old = find(all, to);

    if (f == NULL)
        return absent(from, e);
    if (old != NULL)
        drop(all, old);
    free(f->path);
    FUZZ_MUST((f->path = strdup(to)) != NULL);
    return SP_OK;
}

static enum sp_code
files_publish(void *self, const char *from, const char *to, struct sp_err *e)
{
    return find(self, to) != NULL ? exists(to, e) : rename_to(self, from, to, e);
}

static enum sp_code
files_replace(void *self, const char *from, const char *to, struct sp_err *e)
{
    return rename_to(self, from, to, e);
}

static enum sp_code
files_remove(void *self, const char *path, struct sp_err *e)
{
    struct sp_file *f = find(self, path);

    if (f == NULL)
        return absent(path, e);
    drop(self, f);
    return SP_OK;
}

static enum sp_code
files_mkdir(void *self, const char *path, struct sp_err *e)
{
    if (find(self, path) != NULL)
        return exists(path, e);
    (void)make(self, path, true);
    return SP_OK;
}

static enum sp_code
files_sync_dir(void *self, const char *path, struct sp_err *e)
{
    (void)self;
    (void)path;
    (void)e;
    return SP_OK;
}

/* Like a file system, it bears that `each` adds and removes. */
static enum sp_code
files_list(void *self, const char *path, bool want_stat,
    enum sp_code (*each)(
        void *arg, const char *name, const struct sp_os_stat *st, struct sp_err *e),
    void *arg, struct sp_err *e)
{
    struct fuzz_files *all = self;
    struct sp_os_stat stats[256];
    char *names[256];
    size_t n = strlen(path), count = 0;
    enum sp_code rc = SP_OK;

    (void)want_stat;
    for (const struct sp_file *f = all->first; f != NULL && count < 256; f = f->next) {
        if (f->path == NULL || strncmp(f->path, path, n) != 0 || f->path[n] != '/' ||
            strchr(f->path + n + 1, '/') != NULL)
            continue;
        tell(f, &stats[count]);
        FUZZ_MUST((names[count++] = strdup(f->path + n + 1)) != NULL);
    }
    for (size_t i = 0; i < count; i++) {
        if (rc == SP_OK)
            rc = each(arg, names[i], &stats[i], e);
        free(names[i]);
    }
    return rc;
}

static enum sp_code
files_stat(void *self, const char *path, struct sp_os_stat *ret, struct sp_err *e)
{
    const struct sp_file *f = find(self, path);

    if (f == NULL)
        return absent(path, e);
    tell(f, ret);
    return SP_OK;
}

static enum sp_code
files_space(void *self, const char *path, struct sp_os_space *ret, struct sp_err *e)
{
    (void)self;
    (void)path;
    (void)e;
    *ret = (struct sp_os_space){UINT64_C(1) << 40, UINT64_C(1) << 40};
    return SP_OK;
}

static int64_t
now(void *self)
{
    (void)self;
    return FUZZ_NOW_NS;
}

struct fuzz_files *
fuzz_files_new(void)
{
    struct fuzz_files *f = calloc(1, sizeof(*f));

    FUZZ_MUST(f != NULL);
    f->os = (struct sp_os){.self = f,
        .open_read = files_open_read,
        .create = files_create,
        .read_at = files_read_at,
        .write_at = files_write_at,
        .file_stat = files_file_stat,
        .sync = files_sync,
        .close = files_close,
        .publish = files_publish,
        .replace = files_replace,
        .remove = files_remove,
        .mkdir = files_mkdir,
        .rmdir = files_remove,
        .sync_dir = files_sync_dir,
        .list = files_list,
        .stat = files_stat,
        .space = files_space};
    f->clock = (struct sp_clock){.wall_ns = now, .mono_ns = now};
    f->seeded.state = 1;
    f->random = sp_random_seeded_of(&f->seeded);
    f->env = (struct sp_env){&f->os, &f->clock, &f->random};
    return f;
}

void
fuzz_files_free(struct fuzz_files *f)
{
    while (f->first != NULL) {
        FUZZ_MUST(f->first->opened == 0); /* all that was opened was closed */
        drop(f, f->first);
    }
    free(f);
}

const struct sp_env *
fuzz_files_env(const struct fuzz_files *f)
{
    return &f->env;
}

void
fuzz_files_put(struct fuzz_files *all, const char *path, const void *p, size_t n)
{
    struct sp_file *f = find(all, path);

    if (f == NULL)
        f = make(all, path, false);
    sp_buf_reset(&f->bytes);
    sp_buf_put(&f->bytes, p, n);
    FUZZ_MUST(!f->bytes.failed);
}

const uint8_t *
fuzz_files_get(const struct fuzz_files *all, const char *path, size_t *ret_n)
{
    static const uint8_t none;
    const struct sp_file *f = find(all, path);

    if (f == NULL)
        return NULL;
    *ret_n = f->bytes.len;
    return f->bytes.len > 0 ? f->bytes.data : &none;
}
