/* Opening index segments: see index.h. Everything a foreign file says is held against its size
 * before it is believed. */

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "storage/crypto.h"
#include "storage/index_format.h"
#include "storage/pack_format.h"

#define PIECE ((size_t)1 << 20)

static enum sp_code
fail_damaged(struct sp_err *e, const char *what)
{
    return sp_fail(e, SP_CORRUPT, SP_DOM_STORE, "it is damaged: %s", what);
}

enum sp_code
sp_index_read(struct sp_index_segment *s, uint64_t offset, void *to, size_t n, struct sp_err *e)
{
    size_t got = 0;
    enum sp_code rc = s->os->read_at(s->os->self, s->file, offset, to, n, &got, e);

    if (rc == SP_OK && got != n)
        rc = fail_damaged(e, "it is shorter than it was");
    return rc;
}

/* Header and lengths. */
static enum sp_code
read_header(struct sp_index_segment *s, uint64_t size, struct sp_err *e)
{
    uint8_t header[INDEX_HEADER] = {0};
    struct sp_cur c = sp_cur_of(header, sizeof(header));
    uint64_t want;
    uint32_t npacks, nsuperseded, k;
    enum sp_code rc;

    if (size < INDEX_HEADER)
        return fail_damaged(e, "it is too short");
    if ((rc = sp_index_read(s, 0, header, sizeof(header), e)) != SP_OK)
        return rc;
    if (memcmp(sp_cur_bytes(&c, 8), INDEX_MAGIC, 8) != 0)
        return fail_damaged(e, "it does not begin as an index segment does");
    npacks = sp_cur_u32(&c);
    nsuperseded = sp_cur_u32(&c);
    s->n = sp_cur_u64(&c);
    k = sp_cur_u32(&c);
    if (sp_cur_u32(&c) != 0 || s->n > UINT32_MAX || k > 31)
        return fail_damaged(e, "an impossible header");
    /* All below 2^42: no sum overflows. */
    s->entries_at = INDEX_HEADER + (uint64_t)npacks * INDEX_PACK +
                    (uint64_t)nsuperseded * INDEX_NAME + INDEX_FANOUT + ((uint64_t)INDEX_LINE << k);
    want = s->entries_at + s->n * INDEX_ENTRY;
    if (want != size || want > SIZE_MAX / 2)
        return fail_damaged(e, "its lengths do not add up");
    s->npacks = npacks;
    s->nsuperseded = nsuperseded;
    s->k = k;
    return SP_OK;
}

static enum sp_code
parse_pack(struct sp_cur *c, struct sp_index_pack *p, struct sp_err *e)
{
    static const uint8_t zeros[23];
    uint8_t kind;

    sp_cur_copy(c, p->name, 32);
    sp_cur_copy(c, p->uploader, 16);
    sp_cur_copy(c, p->group, 16);
    p->size = sp_cur_u64(c);
    kind = sp_cur_u8(c);
    if ((kind != SP_PACK_DATA && kind != SP_PACK_NODES) || p->size > PACK_MAX ||
        memcmp(sp_cur_bytes(c, 23), zeros, 23) != 0)
        return fail_damaged(e, "an impossible pack");
    p->kind = (enum sp_pack_kind)kind;
    return SP_OK;
}

static enum sp_code
read_packs(struct sp_index_segment *s, uint8_t *piece, struct sp_err *e)
{
    const size_t most = PIECE / INDEX_PACK;
    enum sp_code rc;

    if (s->npacks > 0 && (s->packs = calloc(s->npacks, sizeof(*s->packs))) == NULL)
        return sp_fail_nomem(e);
    for (size_t i = 0; i < s->npacks;) {
        size_t n = s->npacks - i < most ? s->npacks - i : most;
        struct sp_cur c = sp_cur_of(piece, n * INDEX_PACK);

        if ((rc = sp_index_read(s, INDEX_HEADER + i * INDEX_PACK, piece, n * INDEX_PACK, e)) !=
            SP_OK)
            return rc;
        for (size_t end = i + n; i < end; i++)
            if ((rc = parse_pack(&c, &s->packs[i], e)) != SP_OK)
                return rc;
    }
    return SP_OK;
}

static enum sp_code
read_fanout(struct sp_index_segment *s, uint64_t at, struct sp_err *e)
{
    uint8_t bytes[INDEX_FANOUT];
    uint32_t before = 0;
    enum sp_code rc;

    if ((rc = sp_index_read(s, at, bytes, sizeof(bytes), e)) != SP_OK)
        return rc;
    for (size_t i = 0; i < 256; i++) {
        s->fanout[i] = sp_le32(bytes + 4 * i);
        if (s->fanout[i] < before)
            return fail_damaged(e, "its counts fall");
        before = s->fanout[i];
    }
    return before == s->n ? SP_OK : fail_damaged(e, "its counts do not add up");
}

static enum sp_code
read_tables(struct sp_index_segment *s, bool keep_filter, uint8_t *piece, struct sp_err *e)
{
    uint64_t at = INDEX_HEADER + (uint64_t)s->npacks * INDEX_PACK;
    size_t filter = (size_t)INDEX_LINE << s->k;
    enum sp_code rc;

    if ((rc = read_packs(s, piece, e)) != SP_OK)
        return rc;
    if (s->nsuperseded > 0) {
        if ((s->superseded = malloc(s->nsuperseded * INDEX_NAME)) == NULL)
            return sp_fail_nomem(e);
        if ((rc = sp_index_read(s, at, s->superseded, s->nsuperseded * INDEX_NAME, e)) != SP_OK)
            return rc;
        at += (uint64_t)s->nsuperseded * INDEX_NAME;
    }
    if ((rc = read_fanout(s, at, e)) != SP_OK)
        return rc;
    /* A filter far larger than its entries are worth is not kept: the next read answers as well. */
    if (!keep_filter || filter > 4096 + 4 * s->n)
        return SP_OK;
    if ((s->filter = malloc(filter)) == NULL)
        return sp_fail_nomem(e);
    return sp_index_read(s, at + INDEX_FANOUT, s->filter, filter, e);
}

static enum sp_code
check_name(struct sp_index_segment *s, uint64_t size, uint8_t *piece, struct sp_err *e)
{
    struct sp_sha256 *hash = NULL;
    uint8_t name[32];
    enum sp_code rc;

    if ((rc = sp_sha256_new(&hash, e)) != SP_OK)
        return rc;
    for (uint64_t at = 0; at < size;) {
        size_t n = size - at < PIECE ? (size_t)(size - at) : PIECE;

        if ((rc = sp_index_read(s, at, piece, n, e)) != SP_OK ||
            (rc = sp_sha256_add(hash, piece, n, e)) != SP_OK)
            goto out;
        at += n;
    }
    if ((rc = sp_sha256_end(hash, name, e)) != SP_OK)
        goto out;
    if (memcmp(name, s->name, 32) != 0)
        rc = fail_damaged(e, "its bytes do not have the hash that is its name");
out:
    sp_sha256_free(hash);
    return rc;
}

enum sp_code
sp_index_segment_open(const struct sp_os *os, const char *path, const uint8_t name[32], bool verify,
    bool keep_filter, struct sp_index_segment **ret, struct sp_err *e)
{
    struct sp_index_segment *s = calloc(1, sizeof(*s));
    uint8_t *piece = NULL;
    struct sp_os_stat st;
    enum sp_code rc;

    if (s == NULL)
        return sp_fail_nomem(e);
    s->os = os;
    memcpy(s->name, name, 32);
    if ((rc = os->open_read(os->self, path, &s->file, e)) != SP_OK)
        goto out;
    if ((rc = os->file_stat(os->self, s->file, &st, e)) != SP_OK)
        goto out;
    if ((piece = malloc(st.size < PIECE ? (size_t)st.size + 1 : PIECE)) == NULL) {
        rc = sp_fail_nomem(e);
        goto out;
    }
    if ((rc = read_header(s, st.size, e)) != SP_OK)
        goto out;
    if ((rc = read_tables(s, keep_filter, piece, e)) != SP_OK)
        goto out;
    if (verify && (rc = check_name(s, st.size, piece, e)) != SP_OK)
        goto out;
    *ret = s;
    s = NULL;
out:
    if (rc != SP_OK)
        sp_err_context(e, "index segment %s", sp_hex8(name).s);
    sp_index_segment_free(s);
    free(piece);
    return rc;
}

void
sp_index_segment_free(struct sp_index_segment *s)
{
    struct sp_err ignored;

    if (s == NULL)
        return;
    /* Only read: a failing close loses nothing. */
    if (s->file != NULL)
        (void)s->os->close(s->os->self, s->file, &ignored);
    free(s->packs);
    free(s->superseded);
    free(s->filter);
    free(s);
}

const uint8_t *
sp_index_segment_name(const struct sp_index_segment *s)
{
    return s->name;
}

uint64_t
sp_index_segment_count(const struct sp_index_segment *s)
{
    return s->n;
}

size_t
sp_index_segment_packs(const struct sp_index_segment *s)
{
    return s->npacks;
}

const struct sp_index_pack *
sp_index_segment_pack(const struct sp_index_segment *s, size_t i)
{
    return &s->packs[i];
}

size_t
sp_index_segment_supersedes(const struct sp_index_segment *s, size_t i, uint8_t ret[32])
{
    if (i < s->nsuperseded)
        memcpy(ret, s->superseded + i * INDEX_NAME, 32);
    return s->nsuperseded;
}

size_t
sp_index_segment_memory(const struct sp_index_segment *s)
{
    return sizeof(*s) + s->npacks * sizeof(*s->packs) + s->nsuperseded * INDEX_NAME +
           (s->filter != NULL ? (size_t)INDEX_LINE << s->k : 0);
}
