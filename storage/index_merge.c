/* K-way merge of sorted segments: see index_merge.h. Two passes over the inputs: the first counts,
 * which settles where everything lies in the result, the second writes. */

#include "storage/index_merge.h"

#include <stdlib.h>
#include <string.h>

#include "storage/crypto.h"
#include "storage/index_format.h"

#define PIECE_ENTRIES 2340u /* of each input in memory: 64 KiB */
#define PIECE_OUT (1u << 20)

struct stream { /* the entries of one input, those left out skipped, packs renamed */
    const struct sp_index_merge_input *in;
    uint8_t *piece;
    size_t have, at; /* entries in `piece` */
    uint64_t next;   /* the first one behind it */
    uint8_t head[INDEX_ENTRY];
    bool done;
};

struct merge {
    struct sp_index_cache *cache;
    const struct sp_index_merge_input *in;
    size_t n;
    const struct sp_index_pack *packs;
    size_t npacks;
    struct stream *streams;
    uint8_t *same; /* entries of one key: renaming packs changes their order */
    size_t nsame, same_cap;
    uint32_t fanout[256];
    uint64_t count;
    unsigned k;
    uint8_t *filter;
    struct sp_index_file out;
    uint8_t *piece;
    size_t piece_n;
};

static enum sp_code
advance(struct stream *s, struct sp_err *e)
{
    struct sp_index_segment *g = s->in->segment;
    enum sp_code rc;

    for (;;) {
        const uint8_t *entry;
        uint32_t pack;

        if (s->at == s->have) {
            uint64_t left = g->n - s->next;
            size_t n = left < PIECE_ENTRIES ? (size_t)left : PIECE_ENTRIES;

            if (n == 0) {
                s->done = true;
                return SP_OK;
            }
            rc = sp_index_read(
                g, g->entries_at + s->next * INDEX_ENTRY, s->piece, n * INDEX_ENTRY, e);
            if (rc != SP_OK)
                return rc;
            s->next += n;
            s->have = n;
            s->at = 0;
        }
        entry = s->piece + s->at++ * INDEX_ENTRY;
        pack = sp_le32(entry + SP_INDEX_KEY);
        if (pack >= g->npacks || s->in->packs[pack] == SP_NO_PACK)
            continue;
        memcpy(s->head, entry, INDEX_ENTRY);
        sp_store_le32(s->head + SP_INDEX_KEY, s->in->packs[pack]);
        return SP_OK;
    }
}

static enum sp_code
rewind_streams(struct merge *m, struct sp_err *e)
{
    size_t i;
    enum sp_code rc;

    for (i = 0; i < m->n; i++) {
        struct stream *s = &m->streams[i];

        s->in = &m->in[i];
        s->have = s->at = 0;
        s->next = 0;
        s->done = false;
        if ((rc = advance(s, e)) != SP_OK)
            return rc;
    }
    return SP_OK;
}

static enum sp_code
hold(struct merge *m, const uint8_t *entry, struct sp_err *e)
{
    if (m->nsame == m->same_cap) {
        size_t cap = m->same_cap == 0 ? 64 : m->same_cap * 2;
        uint8_t *more = realloc(m->same, cap * INDEX_ENTRY);

        if (more == NULL)
            return sp_fail_nomem(e);
        m->same = more;
        m->same_cap = cap;
    }
    memcpy(m->same + m->nsame++ * INDEX_ENTRY, entry, INDEX_ENTRY);
    return SP_OK;
}

/* All entries with the least key, in order and each once; none at the end. */
static enum sp_code
next_key(struct merge *m, struct sp_err *e)
{
    const uint8_t *least = NULL;
    uint8_t key[SP_INDEX_KEY];
    size_t i, kept = 0;
    enum sp_code rc;

    m->nsame = 0;
    for (i = 0; i < m->n; i++)
        if (!m->streams[i].done &&
            (least == NULL || memcmp(m->streams[i].head, least, SP_INDEX_KEY) < 0))
            least = m->streams[i].head;
    if (least == NULL)
        return SP_OK;
    memcpy(key, least, sizeof(key));
    for (i = 0; i < m->n; i++) {
        struct stream *s = &m->streams[i];

        while (!s->done && memcmp(s->head, key, sizeof(key)) == 0)
            if ((rc = hold(m, s->head, e)) != SP_OK || (rc = advance(s, e)) != SP_OK)
                return rc;
    }
    if (m->nsame == 0) /* never: somebody has the least key */
        return sp_fail(e, SP_INTERNAL, SP_DOM_SELF, "a merge lost its place");
    sp_index_sort(m->same, m->nsame);
    for (i = 1; i < m->nsame; i++)
        if (memcmp(m->same + kept * INDEX_ENTRY, m->same + i * INDEX_ENTRY, INDEX_ENTRY) != 0)
            memmove(m->same + ++kept * INDEX_ENTRY, m->same + i * INDEX_ENTRY, INDEX_ENTRY);
    m->nsame = kept + 1;
    return SP_OK;
}

static enum sp_code
count(struct merge *m, struct sp_err *e)
{
    size_t i;
    enum sp_code rc;

    if ((rc = rewind_streams(m, e)) != SP_OK)
        return rc;
    while ((rc = next_key(m, e)) == SP_OK && m->nsame > 0) {
        m->count += m->nsame;
        m->fanout[m->same[0]] += (uint32_t)m->nsame;
    }
    for (i = 1; i < 256; i++)
        m->fanout[i] += m->fanout[i - 1];
    if (rc == SP_OK && m->count > SP_INDEX_MAX_ENTRIES)
        rc = sp_fail(e, SP_INTERNAL, SP_DOM_SELF, "an index segment would become too large");
    return rc;
}

static enum sp_code
drain(struct merge *m, struct sp_err *e)
{
    enum sp_code rc = sp_index_file_write(&m->out, m->piece, m->piece_n, e);

    m->piece_n = 0;
    return rc;
}

static enum sp_code
emit(struct merge *m, const void *p, size_t n, struct sp_err *e)
{
    const uint8_t *from = p;
    enum sp_code rc;

    while (n > 0) {
        size_t part = PIECE_OUT - m->piece_n < n ? PIECE_OUT - m->piece_n : n;

        memcpy(m->piece + m->piece_n, from, part);
        m->piece_n += part;
        from += part;
        n -= part;
        if (m->piece_n == PIECE_OUT && (rc = drain(m, e)) != SP_OK)
            return rc;
    }
    return SP_OK;
}

/* What lies before the fan-out. */
static enum sp_code
emit_head(struct merge *m, struct sp_err *e)
{
    struct sp_buf b = SP_BUF_INIT;
    size_t i;
    enum sp_code rc;

    sp_buf_put(&b, INDEX_MAGIC, 8);
    sp_buf_put_u32(&b, (uint32_t)m->npacks);
    sp_buf_put_u32(&b, (uint32_t)m->n);
    sp_buf_put_u64(&b, m->count);
    sp_buf_put_u32(&b, m->k);
    sp_buf_put_u32(&b, 0);
    for (i = 0; i < m->npacks; i++) {
        sp_buf_put(&b, m->packs[i].name, 32);
        sp_buf_put(&b, m->packs[i].uploader, 16);
        sp_buf_put(&b, m->packs[i].group, 16);
        sp_buf_put_u64(&b, m->packs[i].size);
        sp_buf_put_u8(&b, (uint8_t)m->packs[i].kind);
        sp_buf_put_zero(&b, 23);
    }
    for (i = 0; i < m->n; i++)
        sp_buf_put(&b, m->in[i].segment->name, 32);
    for (i = 0; i < 256; i++)
        sp_buf_put_u32(&b, m->fanout[i]);
    if ((rc = sp_buf_ok(&b, e)) == SP_OK)
        rc = emit(m, b.data, b.len, e);
    sp_buf_free(&b);
    return rc;
}

static void
add_to_filter(struct merge *m, const uint8_t *key)
{
    uint8_t *line = m->filter + INDEX_LINE * sp_index_line(key, m->k);
    unsigned i;

    for (i = 0; i < INDEX_PROBES; i++) {
        unsigned bit = sp_index_bit(key, i);

        line[bit / 8] |= (uint8_t)(1u << (bit % 8));
    }
}

/* Head, room for the filter, entries; then the filter. */
static enum sp_code
write_out(struct merge *m, struct sp_err *e)
{
    size_t filter;
    uint64_t filter_at;
    enum sp_code rc;

    while (m->k < 31 && ((uint64_t)INDEX_LINE << (m->k + 1)) <= m->count + m->count / 4)
        m->k++;
    filter = (size_t)INDEX_LINE << m->k;
    if ((m->filter = calloc(1, filter)) == NULL)
        return sp_fail_nomem(e);
    if ((rc = emit_head(m, e)) != SP_OK || (rc = drain(m, e)) != SP_OK)
        return rc;
    filter_at = m->out.at;
    m->out.at += filter;
    if ((rc = rewind_streams(m, e)) != SP_OK)
        return rc;
    while ((rc = next_key(m, e)) == SP_OK && m->nsame > 0) {
        add_to_filter(m, m->same);
        if ((rc = emit(m, m->same, m->nsame * INDEX_ENTRY, e)) != SP_OK)
            return rc;
    }
    if (rc != SP_OK || (rc = drain(m, e)) != SP_OK)
        return rc;
    m->out.at = filter_at;
    return sp_index_file_write(&m->out, m->filter, filter, e);
}

static enum sp_code
hash_out(struct merge *m, uint8_t name[32], struct sp_err *e)
{
    const struct sp_os *os = m->out.os;
    struct sp_sha256 *h = NULL;
    uint64_t at = 0;
    size_t n;
    enum sp_code rc;

    if ((rc = sp_sha256_new(&h, e)) != SP_OK)
        return rc;
    do {
        if ((rc = os->read_at(os->self, m->out.f, at, m->piece, PIECE_OUT, &n, e)) != SP_OK ||
            (rc = sp_sha256_add(h, m->piece, n, e)) != SP_OK)
            goto out;
        at += n;
    } while (n == PIECE_OUT);
    rc = sp_sha256_end(h, name, e);
out:
    sp_sha256_free(h);
    return rc;
}

enum sp_code
sp_index_merge(struct sp_index_cache *c, const struct sp_index_merge_input *in, size_t n,
    const struct sp_index_pack *packs, size_t npacks, uint8_t ret_name[32], struct sp_err *e)
{
    struct merge m = {.cache = c, .in = in, .n = n, .packs = packs, .npacks = npacks};
    uint8_t name[32] = {0}, *pieces = malloc(n * PIECE_ENTRIES * INDEX_ENTRY);
    size_t i;
    enum sp_code rc;

    m.streams = calloc(n, sizeof(*m.streams));
    m.piece = malloc(PIECE_OUT);
    if (pieces == NULL || m.streams == NULL || m.piece == NULL) {
        rc = sp_fail_nomem(e);
        goto out;
    }
    for (i = 0; i < n; i++)
        m.streams[i].piece = pieces + i * PIECE_ENTRIES * INDEX_ENTRY;
    if ((rc = count(&m, e)) != SP_OK || (rc = sp_index_file_begin(c, &m.out, e)) != SP_OK)
        goto out;
    if ((rc = write_out(&m, e)) == SP_OK)
        rc = hash_out(&m, name, e);
    rc = sp_index_file_end(c, &m.out, name, true, rc, e);
    if (rc == SP_OK)
        memcpy(ret_name, name, sizeof(name));
out:
    free(m.filter);
    free(m.same);
    free(m.piece);
    free(m.streams);
    free(pieces);
    return rc;
}
