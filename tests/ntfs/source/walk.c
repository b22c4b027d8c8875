#include "walk.h"

#include <stdlib.h>
#include <string.h>

#include "base/path.h"

#define HOUR (INT64_C(3600) * INT64_C(1000000000))

void
nwalk_new(struct nwalk *w)
{
    memset(w, 0, sizeof *w);
    w->env = sp_env_system;
    w->d = ntfs_double_new();
    ntfs_double_set_here(w->d);
    ntfs_double_volume(w->d, "C:/", NTFS_DOUBLE_NTFS);
    w->views[0] = (struct sp_view_map){.key = (const uint8_t *)""};
    w->o.views = w->views;
    w->o.nviews = 1;
    w->o.roots = w->roots;
    w->o.temp_dir = getenv("TMPDIR") != NULL ? getenv("TMPDIR") : "/tmp";
    w->o.started_ns = sp_ntfs_ns(ntfs_double_now(w->d)) + HOUR;
}

void
nwalk_drop(struct nwalk *w)
{
    for (size_t i = 0; i < w->n; i++)
        sp_item_free(w->items[i]);
    w->n = 0;
    sp_source_free(w->source);
    w->source = NULL;
    sp_buf_reset(&w->notes);
}

void
nwalk_free(struct nwalk *w)
{
    nwalk_drop(w);
    assert_int_equal(ntfs_double_handles(w->d), 0);
    for (size_t i = 0; i < w->o.nroots; i++)
        free(w->roots[i].p);
    for (size_t i = 1; i < w->o.nviews; i++)
        free((void *)(uintptr_t)w->views[i].key);
    free(w->items);
    sp_buf_free(&w->notes);
    ntfs_double_free(w->d);
}

/* "//server/share/x" and "C:/x" alike. */
void
nwalk_key(const char *path, struct sp_buf *ret)
{
    size_t start = ret->len, first = 2;

    if (strncmp(path, "//", 2) == 0) {
        const char *share = strchr(path + 2, '/');

        assert_non_null(share);
        first = (size_t)(share - path) + 1 + strcspn(share + 1, "/");
    }
    for (size_t i = 0; path[i] != '\0'; i++) {
        if (path[i] == '/' && i >= first && path[i + 1] == '\0')
            break;
        sp_buf_put_u8(ret, path[i] != '/' ? (uint8_t)path[i] : i < first ? '\\' : 0);
    }
    assert_true(ret->len > start && !ret->failed);
}

static struct sp_bytes
key_of(const char *path)
{
    struct sp_buf key = SP_BUF_INIT;
    struct sp_bytes ret;
    struct sp_err e = {0};

    nwalk_key(path, &key);
    assert_int_equal(sp_buf_take(&key, &ret.p, &ret.n, &e), SP_OK);
    return ret;
}

void
nwalk_root(struct nwalk *w, const char *path)
{
    w->roots[w->o.nroots++] = key_of(path);
}

void
nwalk_view(struct nwalk *w, const char *path, const char *read_path, bool shadow)
{
    struct sp_bytes key = key_of(path);

    w->views[w->o.nviews++] = (struct sp_view_map){
        .key = key.p, .key_len = key.n, .read_path = read_path, .shadow = shadow};
}

enum sp_code
nwalk_open(struct nwalk *w, struct sp_err *e)
{
    nwalk_drop(w);
    return sp_source_open(&w->env, &w->o, &w->source, e);
}

enum sp_code
nwalk_try(struct nwalk *w, struct sp_err *e)
{
    enum sp_code rc = nwalk_open(w, e);

    while (rc == SP_OK) {
        struct sp_item *it = NULL;

        if ((rc = sp_source_next(w->source, &it, e)) != SP_OK || it == NULL)
            break;
        if (w->n == w->cap) {
            w->cap = w->cap == 0 ? 64 : 2 * w->cap;
            w->items = realloc(w->items, w->cap * sizeof *w->items);
            assert_non_null(w->items);
        }
        if (w->n > 0) {
            const struct sp_entry *last = w->items[w->n - 1]->entry;

            assert_true(
                sp_key_cmp(last->key, last->key_len, it->entry->key, it->entry->key_len) < 0);
        }
        w->items[w->n++] = it;
    }
    return rc;
}

void
nwalk_run(struct nwalk *w)
{
    struct sp_err e = {0};

    if (nwalk_try(w, &e) != SP_OK)
        fail_msg("the walk ended: %s", e.text);
    sp_source_counts(w->source, &w->counts);
    sp_buf_reset(&w->notes);
    for (size_t i = 0; sp_source_note(w->source, i, &w->notes); i++)
        sp_buf_put_u8(&w->notes, '\n');
    (void)sp_buf_str(&w->notes);
}

struct sp_item *
nwalk_find(const struct nwalk *w, const char *path)
{
    struct sp_bytes key = key_of(path);
    struct sp_item *found = NULL;

    for (size_t i = 0; i < w->n && found == NULL; i++)
        if (sp_key_cmp(w->items[i]->entry->key, w->items[i]->entry->key_len, key.p, key.n) == 0)
            found = w->items[i];
    free(key.p);
    return found;
}

struct sp_item *
nwalk_need(const struct nwalk *w, const char *path)
{
    struct sp_item *it = nwalk_find(w, path);

    if (it == NULL)
        fail_msg("%s was not found", path);
    return it;
}

struct sp_item *
nwalk_described(const struct nwalk *w, const char *path)
{
    struct sp_item *it = nwalk_need(w, path);
    struct sp_err e = {0};

    if (sp_item_describe(it, &e) != SP_OK)
        fail_msg("%s cannot be described: %s", path, e.text);
    if (it->fault != NULL)
        fail_msg("%s: %s", path, it->fault->text);
    return it;
}

bool
nwalk_has(const struct sp_item *it, const char *name)
{
    return sp_ntfs_find(it->entry, name) != NULL;
}

const struct sp_attribute *
nwalk_attribute(const struct sp_item *it, const char *name)
{
    const struct sp_attribute *a = sp_ntfs_find(it->entry, name);

    if (a == NULL)
        fail_msg("it has no attribute %s", name);
    return a;
}

enum sp_code
nwalk_read(struct sp_item *it, struct sp_buf *ret, uint64_t *ret_holes, bool *ret_changed,
    struct sp_err *e)
{
    struct sp_reading *r = NULL;
    struct sp_err ignored = {0};
    uint64_t offset = 0, all;
    enum sp_code rc;

    *ret_holes = 0;
    if ((rc = sp_reading_open(it, &r, e)) != SP_OK)
        return rc;
    all = sp_entry_content(it->entry);
    while (offset < all) {
        uint64_t length = 0;
        bool hole = false;

        if ((rc = sp_reading_extent(r, offset, &hole, &length, e)) != SP_OK)
            break;
        assert_true(length > 0 && length <= all - offset);
        if (offset < it->entry->size) /* never over the border */
            assert_true(length <= it->entry->size - offset);
        if (hole) {
            *ret_holes += length;
            sp_buf_put_zero(ret, (size_t)length);
            offset += length;
            continue;
        }
        while (length > 0) {
            uint8_t block[7001];
            size_t want = length < sizeof block ? (size_t)length : sizeof block, got = 0;

            if ((rc = sp_reading_read(r, offset, block, want, &got, e)) != SP_OK || got == 0)
                break;
            sp_buf_put(ret, block, got);
            offset += got;
            length -= got;
        }
        if (length > 0)
            break;
    }
    if (rc != SP_OK)
        (void)sp_reading_close(r, ret_changed, &ignored);
    else
        rc = sp_reading_close(r, ret_changed, e);
    return rc;
}
