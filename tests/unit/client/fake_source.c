#include "tests/unit/client/fake_source.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/path.h"

static struct fake_object *objects;
static size_t nobjects;

void
fake_source_set(struct fake_object *v, size_t n)
{
    objects = v;
    nobjects = n;
}

/* --- bytes ------------------------------------------------------------------------------------ */

static uint8_t
byte_at(uint64_t seed, uint64_t at)
{
    uint64_t z = (seed << 40) + at / 8;

    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return (uint8_t)((z ^ (z >> 31)) >> (at % 8 * 8));
}

static struct fake_extent
extent_at(const struct fake_object *o, uint64_t offset)
{
    uint64_t at = 0, border = offset < o->size ? o->size : o->size + o->extra;
    struct fake_extent all = {border - offset, false};

    for (size_t i = 0; i < o->nextents; i++) {
        at += o->extents[i].length;
        if (offset < at)
            return (struct fake_extent){at - offset, o->extents[i].hole};
    }
    return all;
}

void
fake_bytes(const struct fake_object *o, uint64_t offset, uint8_t *to, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint64_t at = offset + i;

        to[i] = extent_at(o, at).hole ? 0
                : at < o->size        ? byte_at(o->seed, at)
                                      : byte_at(o->extra_seed, at - o->size);
    }
}

/* --- walking ---------------------------------------------------------------------------------- */

struct sp_source {
    struct sp_buf root;
    size_t above; /* bytes of the root's key that are given so far, as folders above it */
    bool began;
    size_t next;
};

enum sp_code
sp_source_open(const struct sp_env *env, const struct sp_source_options *o, struct sp_source **ret,
    struct sp_err *e)
{
    struct sp_source *s = calloc(1, sizeof *s);

    (void)env;
    if (s == NULL)
        return sp_fail_nomem(e);
    sp_buf_put(&s->root, o->roots[0].p, o->roots[0].n);
    *ret = s;
    return SP_OK;
}

void
sp_source_free(struct sp_source *s)
{
    if (s != NULL)
        sp_buf_free(&s->root);
    free(s);
}

static const char *told;

bool
sp_source_note(struct sp_source *s, size_t i, struct sp_buf *ret)
{
    (void)s;
    if (i > 0 || told == NULL)
        return false;
    sp_buf_put_str(ret, told);
    return true;
}

void
fake_source_note(const char *sentence)
{
    told = sentence;
}

void
sp_source_counts(const struct sp_source *s, struct sp_source_counts *ret)
{
    (void)s;
    *ret = (struct sp_source_counts){0, 0};
}

static struct sp_entry
entry_of(const struct fake_object *o, const struct sp_buf *key, bool full)
{
    return (struct sp_entry){.key = key->data,
        .key_len = key->len,
        .type = o->type,
        .flags = o->flags,
        .size = o->size,
        .extra = full ? o->extra : 0,
        .mtime_ns = o->mtime_ns,
        .ctime_ns = o->mtime_ns,
        .btime_ns = o->btime_ns,
        .atime_ns = full ? o->atime_ns : 0,
        .file_id = o->file_id,
        .device = 1,
        .links = full ? o->links : 0,
        .user = "",
        .group = "",
        .attributes = o->attributes,
        .nattributes = full ? o->nattributes : 0};
}

static void
item_of(const struct sp_entry *en, struct fake_object *o, struct sp_item **ret)
{
    struct sp_item *it = calloc(1, sizeof *it);
    struct sp_err e = {0};
    enum sp_code rc;

    assert(it != NULL);
    rc = sp_entry_copy(en, &it->entry, &e);
    assert(rc == SP_OK);
    (void)rc;
    it->shadow = o != NULL && o->shadow;
    it->name = (char *)o; /* its folder and name are nobody else's business */
    *ret = it;
}

enum sp_code
sp_source_next(struct sp_source *s, struct sp_item **ret, struct sp_err *e)
{
    static const struct fake_object folder = {
        .type = SP_ENTRY_DIR, .flags = SP_ENTRY_IMPLIED, .links = 1};
    struct sp_buf key = SP_BUF_INIT;
    struct sp_entry en;

    (void)e;
    *ret = NULL;
    if (!s->began || s->above < s->root.len) {
        const uint8_t *end;

        if (s->began) {
            end = memchr(s->root.data + s->above + 1, 0, s->root.len - s->above - 1);
            s->above = end != NULL ? (size_t)(end - s->root.data) : s->root.len;
        }
        s->began = true;
        sp_buf_put(&key, s->root.data, s->above);
        en = entry_of(&folder, &key, true);
        if (en.key == NULL)
            en.key = (const uint8_t *)"";
        if (s->above == s->root.len)
            en.flags = 0;
        item_of(&en, NULL, ret);
    } else if (s->next < nobjects) {
        struct fake_object *o = &objects[s->next++];

        sp_buf_put(&key, s->root.data, s->root.len);
        sp_buf_put_u8(&key, 0);
        for (const char *p = o->path; *p != '\0'; p++)
            sp_buf_put_u8(&key, *p == '/' ? 0 : (uint8_t)*p);
        en = entry_of(o, &key, false);
        item_of(&en, o, ret);
    }
    sp_buf_free(&key);
    return SP_OK;
}

void
sp_item_free(struct sp_item *it)
{
    if (it == NULL)
        return;
    free(it->entry);
    free(it);
}

static struct fake_object *
object_of(const struct sp_item *it)
{
    return (struct fake_object *)(void *)it->name;
}

static enum sp_code
look(struct sp_item *it, struct sp_err *e)
{
    const struct fake_object *o = object_of(it);
    struct sp_buf key = SP_BUF_INIT;
    struct sp_entry en;

    if (o == NULL)
        return SP_OK;
    if (o->gone)
        return sp_fail(e, SP_ABSENT, SP_DOM_SOURCE, "it vanished");
    sp_buf_put(&key, it->entry->key, it->entry->key_len);
    en = entry_of(o->now != NULL ? o->now : o, &key, true);
    free(it->entry);
    it->entry = NULL;
    (void)sp_entry_copy(&en, &it->entry, e);
    sp_buf_free(&key);
    return SP_OK;
}

enum sp_code
sp_item_refresh(struct sp_item *it, struct sp_err *e)
{
    object_of(it)->refreshed++;
    return look(it, e);
}

enum sp_code
sp_item_describe(struct sp_item *it, struct sp_err *e)
{
    return look(it, e);
}

/* --- reading ---------------------------------------------------------------------------------- */

struct sp_reading {
    struct fake_object *o;
    const struct fake_object *is; /* what is read */
};

enum sp_code
sp_reading_open(struct sp_item *it, struct sp_reading **ret, struct sp_err *e)
{
    struct fake_object *o = object_of(it);
    struct sp_reading *r;

    o->opened++;
    if (o->unreadable != SP_OK)
        return sp_fail(e, o->unreadable, SP_DOM_SOURCE, "it cannot be opened");
    if ((r = calloc(1, sizeof *r)) == NULL)
        return sp_fail_nomem(e);
    r->o = o;
    r->is = o->now != NULL ? o->now : o;
    *ret = r;
    return SP_OK;
}

enum sp_code
sp_reading_extent(
    struct sp_reading *r, uint64_t offset, bool *ret_hole, uint64_t *ret_length, struct sp_err *e)
{
    struct fake_extent x = extent_at(r->is, offset);

    (void)e;
    if ((r->is->flags & SP_ENTRY_AWAY) != 0 && offset < r->is->size)
        x = (struct fake_extent){r->is->size - offset, true};
    *ret_hole = x.hole;
    *ret_length = x.length;
    return SP_OK;
}

enum sp_code
sp_reading_read(
    struct sp_reading *r, uint64_t offset, void *to, size_t n, size_t *ret_n, struct sp_err *e)
{
    const struct fake_object *o = r->is;
    uint64_t end = offset < o->size ? o->size - o->own_gone : o->size + o->extra - o->extra_gone;

    (void)e;
    r->o->fetched = r->o->fetched || ((o->flags & SP_ENTRY_AWAY) != 0 && offset < o->size);
    *ret_n = offset >= end ? 0 : end - offset < n ? (size_t)(end - offset) : n;
    if (*ret_n > 7777) /* as reads may */
        *ret_n = 7777;
    fake_bytes(o, offset, to, *ret_n);
    return SP_OK;
}

enum sp_code
sp_reading_close(struct sp_reading *r, bool *ret_changed, struct sp_err *e)
{
    (void)e;
    *ret_changed = false;
    free(r);
    return SP_OK;
}
