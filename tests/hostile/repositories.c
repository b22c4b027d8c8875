#include "repositories.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "storage/block_format.h"
#include "storage/crypto.h"
#include "storage/tree_node.h"
#include "tests/unit/base/support.h"

/* Nodes and blocks, field by field: see repositories.h. */

/* --- entries ---------------------------------------------------------------------------------- */

static void
put_piece(struct sp_buf *to, uint32_t field, const struct raw_piece *p, const struct sp_refs *refs)
{
    struct sp_buf part = SP_BUF_INIT;

    sp_wire_put_uint(&part, 1, p->length);
    sp_wire_put_uint(&part, 2, p->id != NULL ? sp_refs_ordinal(refs, p->id) : 0);
    sp_wire_put_item(to, field, part.data, part.len);
    sp_buf_free(&part);
}

static void
put_attribute(struct sp_buf *to, const struct raw_attribute *a, const struct sp_refs *refs)
{
    struct sp_buf part = SP_BUF_INIT;

    sp_wire_put_bytes(&part, 1, a->name, a->name_len);
    sp_wire_put_bytes(&part, 2, a->value, a->len);
    sp_wire_put_uint(&part, 3, a->id != NULL ? sp_refs_ordinal(refs, a->id) : 0);
    sp_wire_put_item(to, 21, part.data, part.len);
    sp_buf_free(&part);
}

static size_t
shared_with(const struct raw *before, const struct raw *x)
{
    const char *a = x->key, *b;
    size_t n = 0;

    if (before == NULL)
        return 0;
    b = before->key;
    while (n < x->key_len && n < before->key_len && a[n] == b[n])
        n++;
    return n;
}

static void
put_entry(struct sp_buf *to, const struct raw *x, size_t shared, const struct sp_refs *refs)
{
    struct sp_buf b = SP_BUF_INIT;

    sp_wire_put_uint(&b, 1, shared);
    sp_wire_put_bytes(&b, 2, (const char *)x->key + shared, x->key_len - shared);
    sp_wire_put_uint(&b, 3, x->type);
    sp_wire_put_uint(&b, 4, x->flags);
    sp_wire_put_uint(&b, 5, x->size);
    sp_wire_put_sint(&b, 6, x->mtime_ns);
    sp_wire_put_uint(&b, 9, x->file_id);
    sp_wire_put_uint(&b, 10, x->device);
    sp_wire_put_uint(&b, 11, x->links);
    sp_wire_put_uint(&b, 12, x->mode);
    sp_wire_put_uint(&b, 13, x->uid);
    sp_wire_put_uint(&b, 14, x->gid);
    if (x->user != NULL)
        sp_wire_put_bytes(&b, 15, x->user, strlen(x->user));
    if (x->group != NULL)
        sp_wire_put_bytes(&b, 16, x->group, strlen(x->group));
    sp_wire_put_uint(&b, 17, x->rdev);
    sp_wire_put_bytes(&b, 18, x->target, x->target_len);
    for (size_t i = 0; i < x->npieces; i++)
        put_piece(&b, 19, &x->pieces[i], refs);
    if (x->list != NULL)
        sp_wire_put_uint(&b, 20, sp_refs_ordinal(refs, x->list));
    for (size_t i = 0; i < x->nattributes; i++)
        put_attribute(&b, &x->attributes[i], refs);
    sp_wire_put_item(to, 2, b.data, b.len);
    assert_ok(sp_buf_ok(&b, e));
    sp_buf_free(&b);
}

static void
collect(struct sp_refs *refs, const struct raw *x)
{
    for (size_t i = 0; i < x->npieces; i++)
        if (x->pieces[i].id != NULL)
            assert_ok(sp_refs_add(refs, x->pieces[i].id, e));
    if (x->list != NULL)
        assert_ok(sp_refs_add(refs, x->list, e));
    for (size_t i = 0; i < x->nattributes; i++)
        if (x->attributes[i].id != NULL)
            assert_ok(sp_refs_add(refs, x->attributes[i].id, e));
}

/* --- nodes ------------------------------------------------------------------------------------ */

struct sp_id
raw_node(struct set *s, enum sp_chunk_kind kind, const struct sp_id *refs, size_t nrefs,
    const void *p, size_t n)
{
    struct sp_refs own = {0};
    struct sp_id id;

    for (size_t i = 0; i < nrefs; i++)
        assert_ok(sp_refs_add(&own, &refs[i], e));
    sp_refs_settle(&own);
    assert_ok(sp_hasher_id(s->hasher, kind, own.ids, own.n, p, n, &id, e));
    assert_ok(s->sink.put(s->sink.self, kind, &id, own.ids, own.n, p, n, e));
    sp_refs_free(&own);
    return id;
}

struct sp_id
raw_leaf(struct set *s, const struct raw *entries, size_t n)
{
    struct sp_refs refs = {0};
    struct sp_buf b = SP_BUF_INIT;
    struct sp_id id;

    for (size_t i = 0; i < n; i++)
        collect(&refs, &entries[i]);
    sp_refs_settle(&refs);
    for (size_t i = 0; i < n; i++)
        put_entry(&b, &entries[i], shared_with(i > 0 ? &entries[i - 1] : NULL, &entries[i]), &refs);
    assert_ok(sp_buf_ok(&b, e));
    id = raw_node(s, SP_CHUNK_TREE, refs.ids, refs.n, b.data, b.len);
    sp_buf_free(&b);
    sp_refs_free(&refs);
    return id;
}

struct sp_id
raw_parent(struct set *s, unsigned level, const struct raw_child *c, size_t n)
{
    struct sp_refs refs = {0};
    struct sp_buf b = SP_BUF_INIT, item = SP_BUF_INIT;
    struct sp_id id;

    for (size_t i = 0; i < n; i++)
        assert_ok(sp_refs_add(&refs, &c[i].id, e));
    sp_refs_settle(&refs);
    sp_wire_put_uint(&b, 1, level);
    for (size_t i = 0; i < n; i++) {
        sp_buf_reset(&item);
        sp_wire_put_bytes(&item, 1, c[i].first, c[i].first_len);
        sp_wire_put_uint(&item, 2, sp_refs_ordinal(&refs, &c[i].id));
        sp_wire_put_uint(&item, 3, c[i].entries);
        sp_wire_put_uint(&item, 4, c[i].bytes);
        sp_wire_put_item(&b, 3, item.data, item.len);
    }
    assert_ok(sp_buf_ok(&b, e));
    id = raw_node(s, SP_CHUNK_TREE, refs.ids, refs.n, b.data, b.len);
    sp_buf_free(&b);
    sp_buf_free(&item);
    sp_refs_free(&refs);
    return id;
}

struct sp_id
raw_list(struct set *s, unsigned level, const struct raw_piece *p, size_t n)
{
    struct sp_refs refs = {0};
    struct sp_buf b = SP_BUF_INIT;
    struct sp_id id;

    for (size_t i = 0; i < n; i++)
        if (p[i].id != NULL)
            assert_ok(sp_refs_add(&refs, p[i].id, e));
    sp_refs_settle(&refs);
    sp_wire_put_uint(&b, 1, level);
    for (size_t i = 0; i < n; i++)
        put_piece(&b, level == 0 ? 2 : 3, &p[i], &refs);
    assert_ok(sp_buf_ok(&b, e));
    id = raw_node(s, SP_CHUNK_LIST, refs.ids, refs.n, b.data, b.len);
    sp_buf_free(&b);
    sp_refs_free(&refs);
    return id;
}

void
raw_root(struct set *s, const struct raw *entries, size_t n)
{
    s->root = raw_leaf(s, entries, n);
    set_seal(s);
    set_seal_nodes(s);
}

void
raw_around(struct set *s, const struct raw *evil, size_t n)
{
    struct sp_id good = set_chunk(s, "good", 4);
    const struct raw_piece piece = {4, &good};
    const struct raw before[] = {FOLDER(""), FOLDER("a"),
        {KEY("a\0good"), .type = SP_ENTRY_FILE, .mode = 0644, .size = 4, .mtime_ns = SET_TIME,
            .pieces = &piece, .npieces = 1}};
    const struct raw after[] = {
        FOLDER("z"), {KEY("z\0good"), .type = SP_ENTRY_FILE, .mode = 0644, .size = 4,
                         .mtime_ns = SET_TIME, .pieces = &piece, .npieces = 1}};
    struct raw *middle = calloc(n + 1, sizeof *middle);
    uint64_t bytes = 0;

    assert_non_null(middle);
    middle[0] = (struct raw)FOLDER("m");
    for (size_t i = 0; i < n; i++) {
        middle[i + 1] = evil[i];
        bytes += evil[i].size;
    }
    const struct raw_child children[] = {{"", 0, raw_leaf(s, before, 3), 3, 4},
        {"m", 1, raw_leaf(s, middle, n + 1), n + 1, bytes}, {"z", 1, raw_leaf(s, after, 2), 2, 4}};

    free(middle);
    s->root = raw_parent(s, 1, children, 3);
    set_seal(s);
    set_seal_nodes(s);
}

/* --- blocks ----------------------------------------------------------------------------------- */

void
raw_plain(struct sp_buf *to, enum sp_chunk_kind kind, const void *p, size_t n)
{
    sp_buf_put_u32(to, 0);
    sp_buf_put_u32(to, (uint32_t)n + TABLE_ENTRY);
    sp_buf_put_u32(to, (uint32_t)n + TABLE_ENTRY);
    sp_buf_put_u16(to, 0);
    sp_buf_put_u8(to, (uint8_t)kind);
    sp_buf_put_u8(to, 0);
    sp_buf_put_u32(to, (uint32_t)n);
    sp_buf_put(to, p, n);
    assert_ok(sp_buf_ok(to, e));
}

void
raw_block(struct set *s, enum sp_block_kind kind, const struct sp_id *ids, size_t nids,
    const struct sp_id *refs, const uint32_t *nrefs, const void *plain, size_t n)
{
    static uint64_t counter;
    size_t padded = sp_padme(n), total = 0;
    uint8_t salt[16] = {'e', 'v', 'i', 'l'}, conn[32], key[32], *p;
    uint32_t epoch = sp_keys_epoch(s->keys);

    for (size_t i = 0; nrefs != NULL && i < nids; i++)
        total += nrefs[i];
    size_t header = BLOCK_FIXED + SP_ID_SIZE * nids;
    if (kind == SP_BLOCK_NODES)
        header += 4 * nids + SP_ID_SIZE * total;
    p = calloc(1, header + padded + SP_GCM_TAG);
    assert_non_null(p);
    memcpy(p, BLOCK_MAGIC, 4);
    p[AT_SUITE] = BLOCK_SUITE;
    p[AT_KIND] = (uint8_t)kind;
    p[AT_COUNT] = (uint8_t)nids;
    p[AT_COUNT + 1] = (uint8_t)(nids >> 8);
    sp_store_le32(p + AT_HEADER_LEN, (uint32_t)header);
    sp_store_le32(p + AT_SEALED_LEN, (uint32_t)(padded + SP_GCM_TAG));
    memcpy(p + AT_GROUP, sp_keys_group(s->keys), 16);
    sp_store_le32(p + AT_EPOCH, epoch);
    memcpy(p + AT_SALT, salt, 16);
    sp_store_le64(p + AT_COUNTER, ++counter);
    memcpy(p + BLOCK_FIXED, ids, SP_ID_SIZE * nids);
    if (kind == SP_BLOCK_NODES) {
        uint8_t *to = p + BLOCK_FIXED + SP_ID_SIZE * nids;

        for (size_t i = 0; i < nids; i++)
            sp_store_le32(to + 4 * i, nrefs != NULL ? nrefs[i] : 0);
        if (total > 0)
            memcpy(to + 4 * nids, refs, SP_ID_SIZE * total);
    }
    memcpy(p + header, plain, n);
    assert_ok(sp_block_conn_key(sp_keys_seal(s->keys, epoch), salt, conn, e));
    assert_ok(sp_block_key(conn, counter, kind, p + BLOCK_FIXED, nids, key, e));
    assert_ok(sp_aead_seal(key, p, header, p + header, padded, p + header, e));
    memory_store_add(&s->memory, p, header + padded + SP_GCM_TAG);
}
