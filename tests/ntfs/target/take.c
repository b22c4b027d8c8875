#include "take.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/ntfs_meta.h"
#include "tests/unit/base/support.h"

#define CHUNK ((size_t)60000)

struct taking {
    struct set *s;
    const struct sp_ntfs *fs;
    struct sp_entry *en;
    struct sp_ntfs_handle *dir, *h;
    const char *name;
    struct sp_ntfs_info info;
    struct sp_buf reparse;
    struct sp_ntfs_part *parts;
    size_t nparts;
    struct sp_buf *parts_data; /* one a part */
    struct sp_buf small[64];   /* streams that go into attributes */
    char small_name[64][320];
    size_t nsmall;
};

static void
read_all(struct taking *t, struct sp_ntfs_handle *h, uint64_t size, struct sp_buf *to)
{
    size_t got = 0;

    if (size == 0)
        return;
    assert_true(sp_buf_reserve(to, size));
    assert_ok(t->fs->read(t->fs->self, h, 0, to->data, size, &got, e));
    assert_int_equal(got, size);
    to->len = size;
}

static enum sp_code
collect(void *arg, const void *p, size_t n, struct sp_err *e)
{
    sp_buf_put(arg, p, n);
    return sp_buf_ok(arg, e);
}

static void
add_part(struct taking *t, enum sp_ntfs_part_kind kind, const char *name, struct sp_buf *data)
{
    t->parts = realloc(t->parts, (t->nparts + 1) * sizeof *t->parts);
    t->parts_data = realloc(t->parts_data, (t->nparts + 1) * sizeof *t->parts_data);
    assert_true(t->parts != NULL && t->parts_data != NULL);
    t->parts[t->nparts] = (struct sp_ntfs_part){kind, strdup(name), data->len};
    t->parts_data[t->nparts++] = *data;
}

static enum sp_code
each_stream(
    void *arg, const char *name, size_t n, uint64_t size, uint64_t allocated, struct sp_err *unused)
{
    struct taking *t = arg;
    struct sp_ntfs_handle *h = NULL;
    struct sp_buf data = SP_BUF_INIT;
    char copy[300];

    (void)allocated;
    (void)unused;
    (void)snprintf(copy, sizeof copy, "%.*s", (int)n, name);
    assert_ok(t->fs->open_stream(t->fs->self, t->h, copy, NTFS_READ, &h, e));
    read_all(t, h, size, &data);
    assert_ok(t->fs->close(t->fs->self, h, e));
    if (size > WINDOWS_STREAM_MAX) {
        add_part(t, NTFS_PART_STREAM, copy, &data);
    } else {
        assert_true(t->nsmall < 64);
        (void)snprintf(t->small_name[t->nsmall], 320, WINDOWS_STREAM "%s", copy);
        t->small[t->nsmall++] = data;
    }
    return SP_OK;
}

static void
put(struct taking *t, const char *name, const void *p, size_t n)
{
    set_attribute(t->s, t->en, name, p, n, n > 4096);
}

static int
by_name(const void *a, const void *b)
{
    const struct sp_attribute *x = a, *y = b;

    return strcmp(x->name, y->name);
}

static void
attributes(struct taking *t, const char *short_name)
{
    struct sp_buf b = SP_BUF_INIT, list = SP_BUF_INIT;
    struct sp_err ignored = {0};
    uint8_t word[4];
    bool more = false, sensitive = false;

    sp_store_le32(word, t->info.attributes);
    put(t, WINDOWS_ATTRIBUTES, word, 4);
    if (t->fs->security(t->fs->self, t->h, &b, &ignored) == SP_OK)
        put(t, WINDOWS_SECURITY, b.data, b.len);
    sp_buf_reset(&b);
    if (t->fs->eas(t->fs->self, t->h, &b, &ignored) == SP_OK && b.len > 0)
        put(t, WINDOWS_EA, b.data, b.len);
    sp_buf_reset(&b);
    if (t->fs->control(
            t->fs->self, t->h, FSCTL_SP_GET_OBJECT_ID, NULL, 0, 64, &b, &more, &ignored) == SP_OK)
        put(t, WINDOWS_OBJECT_ID, b.data, b.len);
    if (t->reparse.len > 0)
        put(t, WINDOWS_REPARSE, t->reparse.data, t->reparse.len);
    if (short_name[0] != '\0')
        put(t, WINDOWS_SHORT_NAME, short_name, strlen(short_name));
    if (t->en->type == SP_ENTRY_DIR &&
        t->fs->case_sensitive(t->fs->self, t->h, &sensitive, &ignored) == SP_OK && sensitive)
        put(t, WINDOWS_CASE, "\1", 1);
    for (size_t i = 0; i < t->nsmall; i++)
        put(t, t->small_name[i], t->small[i].data, t->small[i].len);
    if (t->nparts > 0) {
        assert_ok(sp_ntfs_parts_encode(t->parts, t->nparts, &list, e));
        put(t, WINDOWS_STREAMS, list.data, list.len);
    }
    qsort((void *)(uintptr_t)t->en->attributes, t->en->nattributes, sizeof *t->en->attributes,
        by_name);
    sp_buf_free(&list);
    sp_buf_free(&b);
}

static enum sp_entry_type
type_of(struct taking *t, struct sp_buf *target)
{
    bool folder = (t->info.attributes & NTFS_DIRECTORY) != 0, relative, volume = false, more;
    struct sp_err ignored = {0};

    if (t->info.reparse_tag != 0)
        assert_ok(t->fs->control(
            t->fs->self, t->h, FSCTL_SP_GET_REPARSE, NULL, 0, 16384, &t->reparse, &more, e));
    if (t->info.reparse_tag != 0 &&
        sp_ntfs_reparse_target(
            t->reparse.data, t->reparse.len, target, &relative, &volume, &ignored) == SP_OK &&
        !volume)
        return SP_ENTRY_LINK;
    target->len = 0;
    return folder ? SP_ENTRY_DIR : SP_ENTRY_FILE;
}

/* Between holes, as FSCTL_QUERY_ALLOCATED_RANGES has them. */
static size_t
ranges(struct taking *t, struct sp_ntfs_handle *h, const uint8_t *data, struct content *to,
    size_t most)
{
    struct sp_buf in = SP_BUF_INIT, out = SP_BUF_INIT;
    uint64_t size = t->info.size, at = 0;
    bool more = false;
    size_t n = 0;

    if ((t->info.attributes & NTFS_SPARSE) == 0) {
        to[0] = (struct content){data, size};
        return size > 0;
    }
    sp_buf_put_u64(&in, 0);
    sp_buf_put_u64(&in, size);
    assert_ok(t->fs->control(
        t->fs->self, h, FSCTL_SP_QUERY_ALLOCATED_RANGES, in.data, in.len, 4096, &out, &more, e));
    for (size_t i = 0; i < out.len; i += 16) {
        uint64_t from = sp_le64(out.data + i), end = from + sp_le64(out.data + i + 8);

        assert_true(n + 3 < most);
        if (from > at)
            to[n++] = (struct content){NULL, from - at};
        end = end > size ? size : end;
        to[n++] = (struct content){data + from, end - from};
        at = end;
    }
    if (at < size)
        to[n++] = (struct content){NULL, size - at};
    sp_buf_free(&in);
    sp_buf_free(&out);
    return n;
}

static void
content(struct taking *t, const char *key)
{
    struct content pieces[64];
    struct sp_ntfs_handle *h = NULL;
    struct sp_buf data = SP_BUF_INIT, raw = SP_BUF_INIT;
    bool encrypted = (t->info.attributes & NTFS_ENCRYPTED) != 0;
    bool away = encrypted || (t->info.attributes & NTFS_MUST_NOT_READ) != 0;
    uint64_t extra = 0;
    size_t n = 0;

    if (encrypted) {
        assert_ok(t->fs->efs_export(t->fs->self, t->dir, t->name, collect, &raw, e));
        add_part(t, NTFS_PART_EFS, "", &raw);
    } else if (!away) {
        assert_ok(t->fs->streams(t->fs->self, t->h, each_stream, t, e));
    }
    if (away) {
        pieces[n] = (struct content){NULL, t->info.size};
        n += t->info.size > 0;
    } else {
        assert_ok(t->fs->open_at(t->fs->self, t->dir, t->name, NTFS_FILE, NTFS_READ, &h, e));
        read_all(t, h, t->info.size, &data);
        n = ranges(t, h, data.data, pieces, 48);
        assert_ok(t->fs->close(t->fs->self, h, e));
    }
    for (size_t i = 0; i < t->nparts; i++) {
        assert_true(n < 64);
        if (t->parts[i].size > 0)
            pieces[n++] = (struct content){t->parts_data[i].data, t->parts[i].size};
        extra += t->parts[i].size;
    }
    t->en = set_file(t->s, key, pieces, n, CHUNK);
    t->en->size -= extra;
    t->en->extra = extra;
    t->en->flags = away ? SP_ENTRY_AWAY : 0;
    sp_buf_free(&data);
}

static void
clear(struct taking *t)
{
    for (size_t i = 0; i < t->nparts; i++) {
        free((char *)(uintptr_t)t->parts[i].name);
        sp_buf_free(&t->parts_data[i]);
    }
    free(t->parts);
    free(t->parts_data);
    for (size_t i = 0; i < t->nsmall; i++)
        sp_buf_free(&t->small[i]);
    sp_buf_free(&t->reparse);
}

/* *ret: it is a folder to go into. */
static struct sp_entry *
take_object(struct set *s, const struct sp_ntfs *fs, struct sp_ntfs_handle *dir, const char *name,
    const char *short_name, const char *key, bool *ret)
{
    struct taking t = {.s = s, .fs = fs, .dir = dir, .name = name};
    struct sp_buf target = SP_BUF_INIT;
    enum sp_entry_type type;

    assert_ok(fs->open_at(fs->self, dir, name, NTFS_ANY, NTFS_LOOK, &t.h, e));
    assert_ok(fs->info(fs->self, t.h, &t.info, e));
    type = type_of(&t, &target);
    if (type == SP_ENTRY_FILE) {
        content(&t, key);
    } else {
        t.en = set_entry(s, key, type);
        if (t.info.reparse_tag == 0 || type == SP_ENTRY_LINK)
            assert_ok(fs->streams(fs->self, t.h, each_stream, &t, e));
        assert_int_equal(t.nparts, 0);
        t.en->target_len = target.len;
        t.en->target = calloc(1, target.len + 1);
        assert_non_null(t.en->target);
        if (target.len > 0)
            memcpy((void *)(uintptr_t)t.en->target, target.data, target.len);
    }
    t.en->flags |= SP_ENTRY_WINDOWS;
    t.en->mode = 0;
    t.en->btime_ns = sp_ntfs_ns(t.info.btime);
    t.en->atime_ns = sp_ntfs_ns(t.info.atime);
    t.en->mtime_ns = sp_ntfs_ns(t.info.mtime);
    t.en->ctime_ns = sp_ntfs_ns(t.info.ctime);
    t.en->file_id = t.info.file_id;
    t.en->links = t.info.links;
    t.en->device = 1;
    attributes(&t, short_name);
    *ret = type == SP_ENTRY_DIR && t.info.reparse_tag == 0;
    assert_ok(fs->close(fs->self, t.h, e));
    clear(&t);
    sp_buf_free(&target);
    return t.en;
}

/* --- trees
 * --------------------------------------------------------------------------------------------- */

struct walking {
    struct set *s;
    const struct sp_ntfs *fs;
    struct sp_ntfs_handle *dir;
    const char *path;
};

static enum sp_code
each_name(void *arg, const struct sp_ntfs_listed *l, struct sp_err *unused)
{
    struct walking *w = arg, below;
    char *path = NULL, name[1024];
    bool into = false;

    (void)unused;
    (void)snprintf(name, sizeof name, "%.*s", (int)l->name_len, l->name);
    assert_true(asprintf(&path, "%s/%s", w->path, name) > 0);
    (void)take_object(w->s, w->fs, w->dir, name, l->short_name, path, &into);
    if (into) {
        below = (struct walking){w->s, w->fs, NULL, path};
        assert_ok(w->fs->open_at(w->fs->self, w->dir, name, NTFS_FOLDER, NTFS_LIST, &below.dir, e));
        assert_ok(w->fs->list(w->fs->self, below.dir, each_name, &below, e));
        assert_ok(w->fs->close(w->fs->self, below.dir, e));
    }
    free(path);
    return SP_OK;
}

static enum sp_code
short_of(void *arg, const struct sp_ntfs_listed *l, struct sp_err *e)
{
    (void)e;
    (void)snprintf(arg, 64, "%s", l->short_name);
    return SP_OK;
}

static void
open_above(const struct sp_ntfs *fs, const char *path, struct sp_ntfs_handle **ret)
{
    const char *end = strrchr(path, '/');
    char *up = NULL;

    assert_non_null(end);
    assert_true(asprintf(&up, "%.*s/", (int)(end - path), path) > 0);
    assert_ok(fs->open_path(fs->self, up, NTFS_LIST, ret, e));
    free(up);
}

struct sp_entry *
take_one(struct set *s, struct ntfs_double *d, const char *path)
{
    const struct sp_ntfs *fs = ntfs_double_table(d);
    struct sp_ntfs_handle *dir = NULL;
    const char *name = strrchr(path, '/') + 1;
    struct sp_entry *en;
    char short_name[64] = "";
    bool into;

    open_above(fs, path, &dir);
    assert_ok(fs->find(fs->self, dir, name, short_of, short_name, e));
    en = take_object(s, fs, dir, name, short_name, path, &into);
    assert_ok(fs->close(fs->self, dir, e));
    return en;
}

void
take_tree(struct set *s, struct ntfs_double *d, const char *path)
{
    struct walking w = {s, ntfs_double_table(d), NULL, path};
    char *up = strdup(path);

    assert_non_null(up);
    for (char *p = up; (p = strchr(p, '/')) != NULL; p++) {
        *p = '\0';
        set_dir(s, up)->flags = SP_ENTRY_IMPLIED | SP_ENTRY_WINDOWS;
        *p = '/';
    }
    free(up);
    (void)take_one(s, d, path);
    assert_ok(w.fs->open_path(w.fs->self, path, NTFS_LIST, &w.dir, e));
    assert_ok(w.fs->list(w.fs->self, w.dir, each_name, &w, e));
    assert_ok(w.fs->close(w.fs->self, w.dir, e));
}
