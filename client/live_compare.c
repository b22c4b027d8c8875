#include "client/live_compare.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/path.h"
#include "client/filter.h"
#include "client/source.h"
#include "storage/chunklist.h"
#include "vss/shadow.h"

#define READ_BYTES (1u << 20)

struct compare {
    struct sp_cli *c;
    struct sp_set_reader *reader;
    const struct sp_live_options *o;
    struct sp_live_events events;
    struct sp_live_stats stats;
    struct sp_hasher *hasher;
    struct sp_filter *filter;
    uint8_t *buffer;
    size_t buffer_len;
    char *temp;
};

static void
tell(struct compare *c, char what, const void *key, size_t n, bool is_dir, const char *text)
{
    c->stats.added += what == '+';
    c->stats.removed += what == '-';
    c->stats.changed += what == 'M';
    c->stats.unreadable += what == '?';
    if (c->events.difference != NULL)
        c->events.difference(c->events.arg, what, key, n, is_dir, text);
}

/* --- content ---------------------------------------------------------------------------------- */

/* Exactly n bytes; *ret_whole false: the file ends before. */
static enum sp_code
read_range(struct compare *c, struct sp_reading *r, uint64_t offset, size_t n, bool *ret_whole,
    struct sp_err *e)
{
    size_t done, got;
    uint8_t *more;
    enum sp_code rc;

    if (n > c->buffer_len) {
        if ((more = realloc(c->buffer, n)) == NULL)
            return sp_fail_nomem(e);
        c->buffer = more;
        c->buffer_len = n;
    }
    for (done = 0; done < n; done += got) {
        rc = sp_reading_read(r, offset + done, c->buffer + done, n - done, &got, e);
        if (rc != SP_OK)
            return rc;
        if (got == 0) {
            *ret_whole = false;
            return SP_OK;
        }
    }
    *ret_whole = true;
    return SP_OK;
}

/* A hole in the set: nothing but zeros live. */
static enum sp_code
same_hole(struct compare *c, struct sp_reading *r, uint64_t offset, uint64_t length, bool *ret,
    struct sp_err *e)
{
    uint64_t n;
    bool hole, whole;
    size_t i;
    enum sp_code rc;

    while (length > 0) {
        if ((rc = sp_reading_extent(r, offset, &hole, &n, e)) != SP_OK)
            return rc;
        if (n > length || n == 0)
            n = length;
        if (!hole) {
            if (n > READ_BYTES)
                n = READ_BYTES;
            if ((rc = read_range(c, r, offset, (size_t)n, &whole, e)) != SP_OK)
                return rc;
            for (i = 0; whole && i < n; i++)
                whole = c->buffer[i] == 0;
            if (!whole) {
                *ret = false;
                return SP_OK;
            }
        }
        offset += n;
        length -= n;
    }
    *ret = true;
    return SP_OK;
}

static enum sp_code
same_chunk(struct compare *c, struct sp_reading *r, const struct sp_segment *s, uint64_t offset,
    bool *ret, struct sp_err *e)
{
    struct sp_id id;
    enum sp_code rc;

    if (s->length > SP_BLOCK_MAX_RAW)
        return sp_fail(e, SP_CORRUPT, SP_DOM_STORE, "a chunk of the set is too long");
    if ((rc = read_range(c, r, offset, (size_t)s->length, ret, e)) != SP_OK || !*ret)
        return rc;
    rc = sp_hasher_id(c->hasher, SP_CHUNK_DATA, NULL, 0, c->buffer, (size_t)s->length, &id, e);
    if (rc == SP_OK)
        *ret = sp_id_cmp(&id, &s->id) == 0;
    return rc;
}

/* What of the segment is to be compared; only a hole is cut. */
static bool
within(uint64_t from, uint64_t until, uint64_t *offset, struct sp_segment *s)
{
    if (*offset >= until || *offset + s->length <= from)
        return false;
    if (s->hole && *offset < from) {
        s->length -= from - *offset;
        *offset = from;
    }
    if (s->hole && s->length > until - *offset)
        s->length = until - *offset;
    return true;
}

/* From `from` to `until` in the content. */
static enum sp_code
same_segments(struct compare *c, struct sp_reading *r, const struct sp_entry *en, uint64_t from,
    uint64_t until, bool *ret, struct sp_err *e)
{
    struct sp_list_reader *list = NULL;
    struct sp_segment s;
    uint64_t offset;
    bool more = true, same = true;
    enum sp_code rc;

    if ((rc = sp_list_reader_new(&c->reader->source, en, &list, e)) != SP_OK)
        return rc;
    while (same && (rc = sp_list_reader_next(list, &s, &offset, &more, e)) == SP_OK && more) {
        if (!within(from, until, &offset, &s))
            continue;
        rc = s.hole ? same_hole(c, r, offset, s.length, &same, e)
                    : same_chunk(c, r, &s, offset, &same, e);
        if (rc != SP_OK)
            break;
    }
    sp_list_reader_free(list);
    if (rc == SP_OK)
        *ret = same;
    return rc;
}

/* --- two of one name -------------------------------------------------------------------------- */

static void
add_word(struct sp_buf *b, const char *word)
{
    sp_buf_printf(b, "%s%s", b->len > 0 ? ", " : "", word);
}

/* Faults of the file or its part of the catalog are told; others end the comparison. */
static enum sp_code
compare_content(struct compare *c, const struct sp_entry *en, struct sp_item *it,
    struct sp_buf *words, struct sp_err *e)
{
    struct sp_reading *r = NULL;
    struct sp_err why = {0}, ignored = {0};
    bool same = true, changed = false, streams = true;
    uint64_t from;
    enum sp_code rc;

    if ((en->flags & SP_ENTRY_UNREADABLE) != 0) {
        add_word(words, "it could not be read when the set was made");
        return SP_OK;
    }
    if ((rc = sp_reading_open(it, &r, &why)) == SP_OK) {
        /* What is elsewhere is not fetched to be compared. */
        from = ((en->flags | it->entry->flags) & SP_ENTRY_AWAY) != 0 ? en->size : 0;
        streams = en->extra == it->entry->extra;
        rc = same_segments(c, r, en, from, streams ? sp_entry_content(en) : en->size, &same, &why);
        if (rc == SP_OK)
            rc = sp_reading_close(r, &changed, &why);
        else
            (void)sp_reading_close(r, &changed, &ignored);
    }
    c->stats.files++;
    c->stats.bytes += en->size;
    if (rc == SP_NOMEM || rc == SP_CANCELLED || rc == SP_UNREACHABLE ||
        (rc != SP_OK && why.domain == SP_DOM_STORE && !sp_set_reader_goes_on(rc))) {
        *e = why;
        return rc;
    }
    if (rc != SP_OK)
        tell(c, '?', en->key, en->key_len, false, why.text);
    else if (changed)
        add_word(words, "it changed while it was compared");
    else if (!same)
        add_word(words, "content");
    if (rc == SP_OK && !streams)
        add_word(words, "streams");
    return SP_OK;
}

static enum sp_code
compare_both(struct compare *c, const struct sp_entry *en, struct sp_item *it, struct sp_err *e)
{
    const struct sp_entry *live;
    struct sp_buf words = SP_BUF_INIT;
    struct sp_err why = {0};
    char text[96];
    bool posix;
    enum sp_code rc = SP_OK;

    if (it->fault != NULL) {
        tell(c, '?', en->key, en->key_len, it->entry->type == SP_ENTRY_DIR, it->fault->text);
        return SP_OK;
    }
    if (en->links > 1 && (it->entry->flags & SP_ENTRY_WINDOWS) != 0 &&
        sp_item_refresh(it, &why) != SP_OK) { /* source.h: the listing may be late */
        tell(c, '?', en->key, en->key_len, it->entry->type == SP_ENTRY_DIR, why.text);
        return SP_OK;
    }
    live = it->entry;
    if (en->type != live->type) {
        add_word(&words, "type");
    } else {
        if (en->type == SP_ENTRY_FILE && en->size != live->size) {
            (void)snprintf(text, sizeof(text), "size %llu now %llu", (unsigned long long)en->size,
                (unsigned long long)live->size);
            add_word(&words, text);
        }
        if (en->mtime_ns != live->mtime_ns && en->type != SP_ENTRY_DIR)
            add_word(&words, "mtime");
        posix = ((en->flags | live->flags) & SP_ENTRY_WINDOWS) == 0;
        if (posix && en->mode != live->mode)
            add_word(&words, "mode");
        if (posix && (en->uid != live->uid || en->gid != live->gid))
            add_word(&words, "owner");
        if (posix && en->rdev != live->rdev)
            add_word(&words, "device");
        if (((en->flags ^ live->flags) & SP_ENTRY_AWAY) != 0)
            add_word(&words, (en->flags & SP_ENTRY_AWAY) != 0 ? "its content is here now"
                                                              : "its content is elsewhere now");
        if (en->type == SP_ENTRY_LINK && sp_item_describe(it, &why) == SP_OK &&
            (en->target_len != it->entry->target_len ||
                memcmp(en->target, it->entry->target, en->target_len) != 0))
            add_word(&words, "target");
        if (en->type == SP_ENTRY_FILE && en->size == live->size)
            rc = compare_content(c, en, it, &words, e);
    }
    if (rc == SP_OK && (rc = sp_buf_ok(&words, e)) == SP_OK && words.len > 0)
        tell(c, 'M', en->key, en->key_len, en->type == SP_ENTRY_DIR, sp_buf_str(&words));
    sp_buf_free(&words);
    return rc;
}

/* --- the merge -------------------------------------------------------------------------------- */

/* Pseudo file systems and what was mounted after the set was made are not entered. */
static enum sp_code
make_views(struct compare *c, const struct sp_shadow *s, struct sp_view_map **ret, size_t *ret_n,
    struct sp_err *e)
{
    size_t i, k, n = sp_shadow_count(s);
    struct sp_view_map *views = calloc(n + 1, sizeof(*views));
    const struct sp_set_sealed *sealed = c->o->sealed;
    struct sp_buf path = SP_BUF_INIT;

    if (views == NULL)
        return sp_fail_nomem(e);
    views[0].key = (const uint8_t *)"";
    *ret_n = 1;
    for (i = 0; i < n; i++) {
        const struct sp_shadow_volume *v = sp_shadow_volume(s, i);
        bool known = false;

        if (v->key_len == 0)
            continue;
        sp_buf_reset(&path);
        sp_key_to_path(v->key, v->key_len, &path);
        for (k = 0; k < sealed->nvolumes && !known; k++)
            known = strcmp(sealed->volumes[k].path, sp_buf_str(&path)) == 0;
        views[*ret_n].key = v->key;
        views[*ret_n].key_len = v->key_len;
        views[(*ret_n)++].skip = v->pseudo || !known;
    }
    sp_buf_free(&path);
    *ret = views;
    return SP_OK;
}

static enum sp_code
merge(struct compare *c, struct sp_source *source, const struct sp_bytes *root, struct sp_err *e)
{
    const struct sp_entry *en = NULL;
    struct sp_item *it = NULL;
    bool next_entry = true, next_item = source != NULL;
    int order;
    enum sp_code rc;

    if ((rc = sp_catalog_seek(c->reader->catalog, root->p, root->n, e)) != SP_OK)
        return rc;
    for (;;) {
        if (next_entry) {
            if ((rc = sp_set_reader_next(c->reader, &en, e)) != SP_OK)
                break;
            if (en != NULL && !sp_key_within(root->p, root->n, en->key, en->key_len))
                en = NULL;
        }
        if (next_item) {
            sp_item_free(it);
            it = NULL;
            if ((rc = sp_source_next(source, &it, e)) != SP_OK)
                break;
            if (it != NULL && (it->entry->flags & SP_ENTRY_IMPLIED) != 0) {
                next_entry = false;
                continue;
            }
        }
        if (en == NULL && it == NULL)
            break;
        order = en == NULL   ? 1
                : it == NULL ? -1
                             : sp_key_cmp(en->key, en->key_len, it->entry->key, it->entry->key_len);
        if (c->events.progress != NULL)
            c->events.progress(c->events.arg, &c->stats, (order > 0 ? it->entry : en)->key,
                (order > 0 ? it->entry : en)->key_len);
        if (order < 0)
            tell(c, '-', en->key, en->key_len, en->type == SP_ENTRY_DIR, "");
        else if (order > 0)
            tell(c, it->fault != NULL ? '?' : '+', it->entry->key, it->entry->key_len,
                it->entry->type == SP_ENTRY_DIR, it->fault != NULL ? it->fault->text : "");
        else if ((rc = compare_both(c, en, it, e)) != SP_OK)
            break;
        next_entry = en != NULL && order <= 0;
        next_item = it != NULL && order >= 0;
    }
    sp_item_free(it);
    return rc;
}

static enum sp_code
compare_root(struct compare *c, const struct sp_bytes *root, struct sp_err *e)
{
    struct sp_shadow_root shadow_root = {root->p, root->n};
    struct sp_shadow_options so = {.roots = &shadow_root, .nroots = 1, .want = SP_SHADOW_NONE};
    struct sp_source_options o;
    struct sp_shadow *shadow = NULL;
    struct sp_source *source = NULL;
    struct sp_view_map *views = NULL;
    struct sp_err gone = {0}, ignored = {0};
    size_t nviews = 0;
    enum sp_code rc;

    memset(&o, 0, sizeof(o));
    if ((rc = sp_shadow_plan(c->c->env, &so, &shadow, e)) != SP_OK)
        return rc;
    if ((rc = make_views(c, shadow, &views, &nviews, e)) != SP_OK)
        goto out;
    o.roots = root;
    o.nroots = 1;
    o.views = views;
    o.nviews = nviews;
    o.filter = c->filter;
    o.cachedir_tag = c->o->cachedir_tag;
    o.started_ns = sp_clock_wall(c->c->env->clock);
    o.temp_dir = c->temp;
    rc = sp_source_open(c->c->env, &o, &source, &gone);
    if (rc != SP_OK && rc != SP_ABSENT) {
        *e = gone;
        goto out;
    }
    rc = merge(c, source, root, e);
    sp_source_free(source);
out:
    free(views);
    if (sp_shadow_release(shadow, &ignored) != SP_OK && rc == SP_OK) { /* nothing was made */
        *e = ignored;
        rc = ignored.code;
    }
    return rc;
}

enum sp_code
sp_live_compare(struct sp_cli *cli, const struct sp_keys *keys, struct sp_set_reader *reader,
    const struct sp_live_options *o, const struct sp_live_events *events, struct sp_live_stats *ret,
    struct sp_err *e)
{
    struct compare c;
    char *cache = NULL;
    size_t i;
    enum sp_code rc;

    memset(&c, 0, sizeof(c));
    c.c = cli;
    c.reader = reader;
    c.o = o;
    c.events = *events;
    if ((rc = sp_hasher_new(keys, &c.hasher, e)) != SP_OK)
        return rc;
    rc = sp_filter_new(
        (const char *const *)o->sealed->excludes, o->sealed->nexcludes, false, &c.filter, e);
    if (rc == SP_OK)
        rc = sp_os_place(SP_PLACE_CACHE, &cache, e);
    if (rc == SP_OK && (c.temp = sp_path_join(cache, "tmp")) == NULL)
        rc = sp_fail_nomem(e);
    for (i = 0; i < o->nroots && rc == SP_OK; i++)
        rc = compare_root(&c, &o->roots[i], e);
    sp_hasher_free(c.hasher);
    sp_filter_free(c.filter);
    free(c.buffer);
    free(c.temp);
    free(cache);
    if (rc == SP_OK)
        *ret = c.stats;
    return rc;
}
