/* Building index segments: see index.h. Entries are gathered in the form that they have in the
 * file, and the tables before them are put in front at the end, so that a segment of 9 million
 * entries takes little more memory than it has bytes. */

#include <stdlib.h>
#include <string.h>

#include "storage/index_format.h"

struct sp_index_builder {
    struct sp_index_pack *packs;
    size_t npacks, cap;
    uint32_t *table; /* of ordinals + 1, by name; 0 is free; a power of two, at most half full */
    size_t table_size;
    struct sp_buf entries;
    size_t n;
};

enum sp_code
sp_index_builder_new(struct sp_index_builder **ret, struct sp_err *e)
{
    struct sp_index_builder *b = calloc(1, sizeof(*b));

    if (b == NULL)
        return sp_fail_nomem(e);
    *ret = b;
    return SP_OK;
}

void
sp_index_builder_free(struct sp_index_builder *b)
{
    if (b == NULL)
        return;
    free(b->packs);
    free(b->table);
    sp_buf_free(&b->entries);
    free(b);
}

size_t
sp_index_builder_count(const struct sp_index_builder *b)
{
    return b->n;
}

/* --- packs ----------------------------------------------------------------------------------- */

static bool
same_pack(const struct sp_index_pack *a, const struct sp_index_pack *b)
{
    return memcmp(a->name, b->name, 32) == 0 && memcmp(a->uploader, b->uploader, 16) == 0 &&
           memcmp(a->group, b->group, 16) == 0 && a->size == b->size && a->kind == b->kind;
}

/* Where the pack is, or would be. Names are hashes. */
static size_t
slot_of(const struct sp_index_builder *b, const struct sp_index_pack *p)
{
    size_t mask = b->table_size - 1, at = (size_t)sp_le64(p->name) & mask;

    while (b->table[at] != 0 && !same_pack(&b->packs[b->table[at] - 1], p))
        at = (at + 1) & mask;
    return at;
}

static enum sp_code
grow_packs(struct sp_index_builder *b, struct sp_err *e)
{
    size_t cap = b->cap == 0 ? 64 : b->cap * 2;
    struct sp_index_pack *packs = realloc(b->packs, cap * sizeof(*packs));
    uint32_t *table;

    if (packs == NULL)
        return sp_fail_nomem(e);
    b->packs = packs;
    if ((table = calloc(cap * 2, sizeof(*table))) == NULL)
        return sp_fail_nomem(e);
    free(b->table);
    b->table = table;
    b->table_size = cap * 2;
    b->cap = cap;
    for (size_t i = 0; i < b->npacks; i++)
        b->table[slot_of(b, &b->packs[i])] = (uint32_t)i + 1;
    return SP_OK;
}

/* The same pack, told by two segments that are being merged, is one. */
enum sp_code
sp_index_builder_pack(struct sp_index_builder *b, const struct sp_index_pack *p,
    uint32_t *ret_ordinal, struct sp_err *e)
{
    size_t at;
    enum sp_code rc;

    if (p->kind != SP_PACK_DATA && p->kind != SP_PACK_NODES)
        return sp_fail(e, SP_INVALID, SP_DOM_SELF, "a pack of kind %d in an index", (int)p->kind);
    if (b->npacks == b->cap) {
        if (b->npacks >= SP_INDEX_MAX_ENTRIES)
            return sp_fail(e, SP_INVALID, SP_DOM_SELF, "too many packs for one index segment");
        if ((rc = grow_packs(b, e)) != SP_OK)
            return rc;
    }
    at = slot_of(b, p);
    if (b->table[at] == 0) {
        b->packs[b->npacks++] = *p;
        b->table[at] = (uint32_t)b->npacks;
    }
    *ret_ordinal = b->table[at] - 1;
    return SP_OK;
}

/* --- entries --------------------------------------------------------------------------------- */

enum sp_code
sp_index_builder_add(struct sp_index_builder *b, const uint8_t id[32], uint32_t pack,
    uint32_t offset, uint32_t length, struct sp_err *e)
{
    if (b->n >= SP_INDEX_MAX_ENTRIES)
        return sp_fail(e, SP_INVALID, SP_DOM_SELF, "too many entries for one index segment");
    if (pack >= b->npacks || length == 0 || (uint64_t)offset + length > b->packs[pack].size)
        return sp_fail(
            e, SP_INVALID, SP_DOM_SELF, "an index entry that points outside of its pack");
    if (!sp_buf_reserve(&b->entries, INDEX_ENTRY))
        return sp_buf_ok(&b->entries, e);
    sp_buf_put(&b->entries, id, SP_INDEX_KEY);
    sp_buf_put_u32(&b->entries, pack);
    sp_buf_put_u32(&b->entries, offset);
    sp_buf_put_u32(&b->entries, length);
    b->n++;
    return SP_OK;
}

/* Sorts, and drops what two segments said alike. */
static void
order(struct sp_index_builder *b)
{
    uint8_t *p = b->entries.data;
    size_t kept = 0;

    sp_index_sort(p, b->n);
    for (size_t i = 0; i < b->n; i++) {
        if (kept > 0 && memcmp(p + (kept - 1) * INDEX_ENTRY, p + i * INDEX_ENTRY, INDEX_ENTRY) == 0)
            continue;
        if (kept != i)
            memcpy(p + kept * INDEX_ENTRY, p + i * INDEX_ENTRY, INDEX_ENTRY);
        kept++;
    }
    b->n = kept;
    b->entries.len = kept * INDEX_ENTRY;
}

/* --- the file -------------------------------------------------------------------------------- */

/* As many lines as take at most 1¼ bytes an entry (5 to 10 bits an entry; the number of lines is a
 * power of two). With what is kept of the packs that stays under 1.6 bytes an entry; at 1 million
 * entries 2 % of the absent keys pass. */
static unsigned
lines_log2(size_t n)
{
    unsigned k = 0;

    while (k < 31 && ((uint64_t)INDEX_LINE << (k + 1)) <= (uint64_t)n + n / 4)
        k++;
    return k;
}

static void
put_head(const struct sp_index_builder *b, const uint8_t (*supersedes)[32], size_t nsupersedes,
    unsigned k, struct sp_buf *ret)
{
    sp_buf_put(ret, INDEX_MAGIC, 8);
    sp_buf_put_u32(ret, (uint32_t)b->npacks);
    sp_buf_put_u32(ret, (uint32_t)nsupersedes);
    sp_buf_put_u64(ret, b->n);
    sp_buf_put_u32(ret, k);
    sp_buf_put_u32(ret, 0);
    for (size_t i = 0; i < b->npacks; i++) {
        const struct sp_index_pack *p = &b->packs[i];

        sp_buf_put(ret, p->name, 32);
        sp_buf_put(ret, p->uploader, 16);
        sp_buf_put(ret, p->group, 16);
        sp_buf_put_u64(ret, p->size);
        sp_buf_put_u8(ret, (uint8_t)p->kind);
        sp_buf_put_zero(ret, 23);
    }
    for (size_t i = 0; i < nsupersedes; i++)
        sp_buf_put(ret, supersedes[i], 32);
}

static void
put_fanout(const struct sp_index_builder *b, struct sp_buf *ret)
{
    size_t at = 0;

    for (unsigned first = 0; first < 256; first++) {
        while (at < b->n && b->entries.data[at * INDEX_ENTRY] <= first)
            at++;
        sp_buf_put_u32(ret, (uint32_t)at);
    }
}

static void
put_filter(const struct sp_index_builder *b, unsigned k, struct sp_buf *ret)
{
    size_t at = ret->len;

    sp_buf_put_zero(ret, (size_t)INDEX_LINE << k);
    if (ret->failed)
        return;
    for (size_t i = 0; i < b->n; i++) {
        const uint8_t *key = b->entries.data + i * INDEX_ENTRY;
        uint8_t *line = ret->data + at + INDEX_LINE * sp_index_line(key, k);

        for (unsigned j = 0; j < INDEX_PROBES; j++) {
            unsigned bit = sp_index_bit(key, j);

            line[bit / 8] |= (uint8_t)(1u << (bit % 8));
        }
    }
}

enum sp_code
sp_index_builder_finish(struct sp_index_builder *b, const uint8_t (*supersedes)[32],
    size_t nsupersedes, struct sp_buf *ret, uint8_t ret_name[32], struct sp_err *e)
{
    struct sp_buf head = SP_BUF_INIT;
    uint8_t name[32];
    unsigned k;
    enum sp_code rc;

    if (nsupersedes > UINT32_MAX)
        return sp_fail(e, SP_INVALID, SP_DOM_SELF, "too many superseded index segments");
    if (b->n > 0)
        order(b);
    k = lines_log2(b->n);
    put_head(b, supersedes, nsupersedes, k, &head);
    put_fanout(b, &head);
    put_filter(b, k, &head);
    if ((rc = sp_buf_ok(&head, e)) != SP_OK)
        goto out;
    if (!sp_buf_reserve(&b->entries, head.len)) {
        rc = sp_buf_ok(&b->entries, e);
        goto out;
    }
    /* From here on the builder holds the segment; it is given away or lost. */
    if (b->entries.len > 0)
        memmove(b->entries.data + head.len, b->entries.data, b->entries.len);
    memcpy(b->entries.data, head.data, head.len);
    b->entries.len += head.len;
    b->n = 0;
    if ((rc = sp_sha256(b->entries.data, b->entries.len, name, e)) != SP_OK) {
        sp_buf_free(&b->entries);
        goto out;
    }
    memcpy(ret_name, name, sizeof(name));
    sp_buf_free(ret);
    *ret = b->entries;
    b->entries = (struct sp_buf)SP_BUF_INIT;
out:
    sp_buf_free(&head);
    return rc;
}
