#include "storage/tree_node.h"

#include <string.h>

/* Fields in rising order of number, zero and empty left out: see the messages in format.proto. */

void
sp_node_coder_free(struct sp_node_coder *k)
{
    sp_buf_free(&k->out);
    sp_buf_free(&k->item);
    sp_buf_free(&k->part);
    sp_refs_free(&k->refs);
}

static void
start(struct sp_node_coder *k)
{
    sp_buf_reset(&k->out);
    sp_buf_reset(&k->item);
    sp_buf_reset(&k->part);
    sp_refs_reset(&k->refs);
}

/* For the next part of the same node: that there was no memory for one before it is not forgotten, or a
 * node without that part would be made. */
static void
next(struct sp_buf *b)
{
    b->len = 0;
}

static enum sp_code
finish(struct sp_node_coder *k, struct sp_err *e)
{
    enum sp_code rc;

    if ((rc = sp_buf_ok(&k->out, e)) != SP_OK || (rc = sp_buf_ok(&k->item, e)) != SP_OK ||
        (rc = sp_buf_ok(&k->part, e)) != SP_OK)
        return rc;
    if (k->out.len > SP_NODE_MAX)
        return sp_fail(e, SP_INTERNAL, SP_DOM_SELF, "a node of %zu bytes was made", k->out.len);
    return SP_OK;
}

static void
put_segment(struct sp_node_coder *k, struct sp_buf *to, uint32_t field, const struct sp_segment *s)
{
    next(&k->part);
    sp_wire_put_uint(&k->part, 1, s->length);
    sp_wire_put_uint(&k->part, 2, s->hole ? 0 : sp_refs_ordinal(&k->refs, &s->id));
    sp_wire_put_item(to, field, k->part.data, k->part.len);
}

static void
put_attribute(struct sp_node_coder *k, const struct sp_attribute *a)
{
    next(&k->part);
    sp_wire_put_bytes(&k->part, 1, a->name, strlen(a->name));
    sp_wire_put_bytes(&k->part, 2, a->value, a->len);
    if (a->external)
        sp_wire_put_uint(&k->part, 3, sp_refs_ordinal(&k->refs, &a->id));
    sp_wire_put_item(&k->item, 21, k->part.data, k->part.len);
}

static void
put_entry(struct sp_node_coder *k, const struct sp_entry *en, size_t shared)
{
    struct sp_buf *b = &k->item;

    next(b);
    sp_wire_put_uint(b, 1, shared);
    sp_wire_put_bytes(b, 2, en->key + shared, en->key_len - shared);
    sp_wire_put_uint(b, 3, (uint64_t)en->type);
    sp_wire_put_uint(b, 4, en->flags);
    sp_wire_put_uint(b, 5, en->size);
    sp_wire_put_sint(b, 6, en->mtime_ns);
    sp_wire_put_sint(b, 7, en->ctime_ns);
    sp_wire_put_sint(b, 8, en->btime_ns);
    sp_wire_put_uint(b, 9, en->file_id);
    sp_wire_put_uint(b, 10, en->device);
    sp_wire_put_uint(b, 11, en->links);
    sp_wire_put_uint(b, 12, en->mode);
    sp_wire_put_uint(b, 13, en->uid);
    sp_wire_put_uint(b, 14, en->gid);
    sp_wire_put_bytes(b, 15, en->user, strlen(en->user));
    sp_wire_put_bytes(b, 16, en->group, strlen(en->group));
    sp_wire_put_uint(b, 17, en->rdev);
    sp_wire_put_bytes(b, 18, en->target, en->target_len);
    for (size_t i = 0; i < en->nsegments; i++)
        put_segment(k, b, 19, &en->segments[i]);
    if (en->has_list)
        sp_wire_put_uint(b, 20, sp_refs_ordinal(&k->refs, &en->list));
    for (size_t i = 0; i < en->nattributes; i++)
        put_attribute(k, &en->attributes[i]);
    sp_wire_put_sint(b, 22, en->atime_ns);
    sp_wire_put_uint(b, 23, en->extra);
    sp_wire_put_item(&k->out, 2, b->data, b->len);
}

static enum sp_code
collect(struct sp_refs *refs, const struct sp_entry *en, struct sp_err *e)
{
    enum sp_code rc;

    for (size_t i = 0; i < en->nsegments; i++) {
        if (!en->segments[i].hole && (rc = sp_refs_add(refs, &en->segments[i].id, e)) != SP_OK)
            return rc;
    }
    if (en->has_list && (rc = sp_refs_add(refs, &en->list, e)) != SP_OK)
        return rc;
    for (size_t i = 0; i < en->nattributes; i++) {
        const struct sp_attribute *a = &en->attributes[i];

        if (a->external && (rc = sp_refs_add(refs, &a->id, e)) != SP_OK)
            return rc;
    }
    return SP_OK;
}

static size_t
common(const struct sp_entry *a, const struct sp_entry *b)
{
    size_t n = a->key_len < b->key_len ? a->key_len : b->key_len, i = 0;

    while (i < n && a->key[i] == b->key[i])
        i++;
    return i;
}

enum sp_code
sp_tree_encode_entries(
    struct sp_node_coder *k, struct sp_entry *const *entries, size_t n, struct sp_err *e)
{
    enum sp_code rc;

    start(k);
    for (size_t i = 0; i < n; i++) {
        if ((rc = collect(&k->refs, entries[i], e)) != SP_OK)
            return rc;
    }
    sp_refs_settle(&k->refs);
    for (size_t i = 0; i < n; i++)
        put_entry(k, entries[i], i == 0 ? 0 : common(entries[i - 1], entries[i]));
    return finish(k, e);
}

enum sp_code
sp_tree_encode_children(struct sp_node_coder *k, unsigned level,
    const struct sp_tree_child *children, size_t n, struct sp_err *e)
{
    enum sp_code rc;

    start(k);
    for (size_t i = 0; i < n; i++) {
        if ((rc = sp_refs_add(&k->refs, &children[i].id, e)) != SP_OK)
            return rc;
    }
    sp_refs_settle(&k->refs);
    sp_wire_put_uint(&k->out, 1, level);
    for (size_t i = 0; i < n; i++) {
        const struct sp_tree_child *c = &children[i];

        next(&k->item);
        sp_wire_put_bytes(&k->item, 1, c->first, c->first_len);
        sp_wire_put_uint(&k->item, 2, sp_refs_ordinal(&k->refs, &c->id));
        sp_wire_put_uint(&k->item, 3, c->entries);
        sp_wire_put_uint(&k->item, 4, c->bytes);
        sp_wire_put_item(&k->out, 3, k->item.data, k->item.len);
    }
    return finish(k, e);
}

enum sp_code
sp_list_encode(struct sp_node_coder *k, unsigned level, const struct sp_segment *segments, size_t n,
    struct sp_err *e)
{
    enum sp_code rc;

    start(k);
    for (size_t i = 0; i < n; i++) {
        if (!segments[i].hole && (rc = sp_refs_add(&k->refs, &segments[i].id, e)) != SP_OK)
            return rc;
    }
    sp_refs_settle(&k->refs);
    sp_wire_put_uint(&k->out, 1, level);
    for (size_t i = 0; i < n; i++)
        put_segment(k, &k->out, level == 0 ? 2 : 3, &segments[i]);
    return finish(k, e);
}

size_t
sp_entry_encoded_max(const struct sp_entry *en)
{
    /* Tags and lengths of 2 + 5 bytes for the entry and each string, 2 + 10 for each number. */
    size_t n = 7 + 18 * 12 + 5 * 7;

    n += en->key_len + en->target_len + strlen(en->user) + strlen(en->group);
    n += en->nsegments * 24;
    for (size_t i = 0; i < en->nattributes; i++)
        n += 30 + strlen(en->attributes[i].name) + en->attributes[i].len;
    return n;
}

enum sp_code
sp_node_store(const struct sp_node_coder *k, enum sp_chunk_kind kind, struct sp_hasher *hasher,
    const struct sp_node_sink *sink, struct sp_id *ret, struct sp_err *e)
{
    const struct sp_refs *refs = &k->refs;
    struct sp_id id;
    enum sp_code rc;

    rc = sp_hasher_id(hasher, kind, refs->ids, refs->n, k->out.data, k->out.len, &id, e);
    if (rc != SP_OK)
        return rc;
    rc = sink->put(sink->self, kind, &id, refs->ids, refs->n, k->out.data, k->out.len, e);
    if (rc != SP_OK)
        return rc;
    *ret = id;
    return SP_OK;
}
