/* Writing packs as streams: see pack.h. The trailer grows beside the stream, with the hash of each
 * block; what is not a block is hashed at the end, for the name. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "storage/pack_format.h"

struct sp_pack_writer {
    struct sp_backend *b;
    struct sp_backend_writer *out; /* NULL once published */
    enum sp_pack_kind kind;
    struct sp_pack_origin origin;
    struct sp_buf table; /* the trailer's entries */
    uint64_t size;       /* of the file so far */
    uint32_t blocks;
    bool failed;
};

static enum sp_code
append(struct sp_pack_writer *w, const void *p, size_t n, struct sp_err *e)
{
    enum sp_code rc = sp_backend_write(w->b, w->out, p, n, e);

    if (rc == SP_OK)
        w->size += n;
    return rc;
}

enum sp_code
sp_pack_writer_new(struct sp_backend *b, enum sp_pack_kind kind,
    const struct sp_pack_origin *origin, struct sp_pack_writer **ret, struct sp_err *e)
{
    struct sp_pack_writer *w = calloc(1, sizeof(*w));
    uint8_t header[PACK_HEADER];
    enum sp_code rc;

    if (w == NULL)
        return sp_fail_nomem(e);
    w->b = b;
    w->kind = kind;
    w->origin = *origin;
    if ((rc = sp_backend_begin(b, &w->out, e)) != SP_OK)
        goto out;
    sp_pack_header(kind, header);
    if ((rc = append(w, header, sizeof(header), e)) != SP_OK)
        goto out;
    *ret = w;
    w = NULL;
out:
    sp_pack_writer_abort(w);
    return rc;
}

void
sp_pack_writer_abort(struct sp_pack_writer *w)
{
    if (w == NULL)
        return;
    sp_backend_abort(w->b, w->out);
    sp_buf_free(&w->table);
    free(w);
}

uint64_t
sp_pack_writer_size(const struct sp_pack_writer *w)
{
    return w->size - PACK_HEADER;
}

size_t
sp_pack_writer_blocks(const struct sp_pack_writer *w)
{
    return w->blocks;
}

/* Whether the block is whole and belongs into this pack. */
static enum sp_code
check_block(const struct sp_pack_writer *w, const void *block, size_t n,
    struct sp_block_header *ret, struct sp_err *e)
{
    enum sp_code rc = sp_block_header_parse(block, n, ret, e);

    if (rc != SP_OK)
        return rc;
    if (n != (size_t)ret->header_len + ret->sealed_len)
        return sp_fail(e, SP_CORRUPT, SP_DOM_STORE, "block of %zu bytes, where its header says %zu",
            n, (size_t)ret->header_len + ret->sealed_len);
    if (ret->kind == SP_BLOCK_RECORD || sp_pack_kind_of(ret->kind) != w->kind)
        return sp_fail(e, SP_INVALID, SP_DOM_STORE,
            "a block of kind %d does not belong in a pack of %s", (int)ret->kind,
            w->kind == SP_PACK_NODES ? "nodes" : "data");
    if (memcmp(ret->group, w->origin.group, 16) != 0)
        return sp_fail(e, SP_INVALID, SP_DOM_STORE,
            "a block of key group %s does not belong in a pack of group %s", sp_hex8(ret->group).s,
            sp_hex8(w->origin.group).s);
    return SP_OK;
}

enum sp_code
sp_pack_writer_add(struct sp_pack_writer *w, const void *block, size_t n, struct sp_pack_place *ret,
    struct sp_err *e)
{
    struct sp_block_header h;
    uint8_t hash[32];
    size_t entry;
    uint32_t offset = (uint32_t)w->size;
    enum sp_code rc;

    if (w->failed)
        return sp_fail(e, SP_IO, SP_DOM_STORE, "writing this pack failed before");
    if ((rc = check_block(w, block, n, &h, e)) != SP_OK)
        return rc;
    entry = 40 + 32 * h.nids;
    /* Far beyond what a writer aims at; the rest of the trailer is small. */
    if (n > PACK_MAX - PACK_MAX_TRAILER - PACK_FOOTER - w->size ||
        entry > PACK_MAX_TRAILER / 2 - w->table.len)
        return sp_fail(e, SP_INVALID, SP_DOM_SELF, "a pack cannot grow beyond %llu bytes",
            (unsigned long long)w->size);
    if ((rc = sp_sha256(block, n, hash, e)) != SP_OK)
        return rc;
    if (!sp_buf_reserve(&w->table, entry))
        return sp_buf_ok(&w->table, e);
    /* From here on a failure leaves the stream in the middle of a block. */
    w->failed = true;
    if ((rc = append(w, block, n, e)) != SP_OK)
        return rc;
    sp_buf_put_u32(&w->table, (uint32_t)n);
    sp_buf_put_u32(&w->table, (uint32_t)h.nids);
    sp_buf_put(&w->table, hash, sizeof(hash));
    sp_buf_put(&w->table, h.ids, 32 * h.nids);
    w->blocks++;
    w->failed = false;
    *ret = (struct sp_pack_place){offset, (uint32_t)n};
    return SP_OK;
}

static enum sp_code
build_trailer(const struct sp_pack_writer *w, const void *conf, size_t conf_n,
    const struct sp_span *slots, size_t nslots, struct sp_buf *ret, struct sp_err *e)
{
    uint64_t n = PACK_MIN_TRAILER + w->table.len;

    if (w->kind != SP_PACK_NODES) {
        conf_n = 0;
        nslots = 0;
    }
    for (size_t i = 0; i < nslots && n <= PACK_MAX_TRAILER; i++)
        n += 4 + (uint64_t)slots[i].n;
    if (conf_n > PACK_MAX_TRAILER || n + conf_n > PACK_MAX_TRAILER)
        return sp_fail(
            e, SP_INVALID, SP_DOM_SELF, "the key slots do not fit into the trailer of a pack");
    sp_buf_put(ret, w->origin.uploader, 16);
    sp_buf_put(ret, w->origin.group, 16);
    sp_buf_put(ret, w->origin.repository, 16);
    sp_buf_put_u32(ret, w->blocks);
    sp_buf_put(ret, w->table.data, w->table.len);
    sp_buf_put_u32(ret, (uint32_t)conf_n);
    sp_buf_put(ret, conf, conf_n);
    sp_buf_put_u32(ret, (uint32_t)nslots);
    for (size_t i = 0; i < nslots; i++) {
        sp_buf_put_u32(ret, (uint32_t)slots[i].n);
        sp_buf_put(ret, slots[i].p, slots[i].n);
    }
    return sp_buf_ok(ret, e);
}

static enum sp_code
add_footer(struct sp_buf *trailer, struct sp_err *e)
{
    uint8_t hash[32];
    size_t n = trailer->len;
    enum sp_code rc = sp_sha256(trailer->data, n, hash, e);

    if (rc != SP_OK)
        return rc;
    sp_buf_put(trailer, hash, sizeof(hash));
    sp_buf_put_u32(trailer, (uint32_t)n);
    sp_buf_put_u32(trailer, 0);
    sp_buf_put(trailer, PACK_ENDING, 8);
    return sp_buf_ok(trailer, e);
}

/* Moves what has the pack's name but not its bytes to a free name that ends in ".bad" (R4): a
 * write-back mount that died leaves such, and it must not keep the good one out. */
static enum sp_code
set_aside(struct sp_backend *b, const char *object, struct sp_err *e)
{
    enum sp_code rc = SP_EXISTS;

    for (int i = 0; i < 10 && rc == SP_EXISTS; i++) {
        char bad[112];

        (void)snprintf(bad, sizeof(bad), i == 0 ? "%s.bad" : "%s.%d.bad", object, i);
        rc = sp_backend_move(b, object, bad, e);
    }
    /* Someone else did it. */
    return rc == SP_ABSENT ? SP_OK : rc;
}

/* Whether the very pack is there already: an uploader that was cut off sends the same blocks again,
 * and they become the same pack. Its length alone proves nothing: a store that does not flush may
 * have kept the length and lost the bytes. SP_ABSENT: the name is free now. */
static enum sp_code
look_for(struct sp_pack_writer *w, const uint8_t name[32], const char *object, struct sp_err *e)
{
    uint64_t size = 0;
    enum sp_code rc = sp_backend_size(w->b, object, &size, e);

    if (rc != SP_OK)
        return rc;
    rc = size != w->size ? SP_CORRUPT : sp_pack_verify(w->b, w->kind, name, size, NULL, NULL, e);
    if (rc != SP_CORRUPT)
        return rc;
    rc = set_aside(w->b, object, e);
    return rc == SP_OK ? SP_ABSENT : rc;
}

static enum sp_code
publish(struct sp_pack_writer *w, const uint8_t name[32], const char *object, struct sp_err *e)
{
    struct sp_backend_writer *out = w->out;
    struct sp_err ignored;
    uint64_t size = 0;
    enum sp_code rc = look_for(w, name, object, e);

    if (rc != SP_OK && rc != SP_ABSENT)
        return rc;
    /* Also when it is there: the next barrier has to cover it. */
    w->out = NULL;
    rc = sp_backend_publish(w->b, out, object, e);
    /* The name speaks for the bytes, and what came just now was flushed before. */
    if (rc == SP_EXISTS && sp_backend_size(w->b, object, &size, &ignored) == SP_OK &&
        size == w->size)
        return SP_OK;
    return rc;
}

enum sp_code
sp_pack_writer_finish(struct sp_pack_writer *w, const void *conf, size_t conf_n,
    const struct sp_span *slots, size_t nslots, uint8_t ret_name[32], uint64_t *ret_size,
    struct sp_err *e)
{
    struct sp_buf trailer = SP_BUF_INIT;
    uint8_t name[32];
    char object[96];
    enum sp_code rc;

    if (w->failed) {
        rc = sp_fail(e, SP_IO, SP_DOM_STORE, "writing this pack failed before");
        goto out;
    }
    if (w->blocks == 0) {
        rc = sp_fail(e, SP_INVALID, SP_DOM_SELF, "a pack without blocks");
        goto out;
    }
    if ((rc = build_trailer(w, conf, conf_n, slots, nslots, &trailer, e)) != SP_OK)
        goto out;
    if ((rc = add_footer(&trailer, e)) != SP_OK)
        goto out;
    if ((rc = append(w, trailer.data, trailer.len, e)) != SP_OK)
        goto out;
    if ((rc = sp_pack_name(w->kind, trailer.data, trailer.len, name, e)) != SP_OK)
        goto out;
    sp_pack_object_name(w->kind, name, object);
    if ((rc = publish(w, name, object, e)) != SP_OK)
        goto out;
    memcpy(ret_name, name, sizeof(name));
    *ret_size = w->size;
out:
    sp_buf_free(&trailer);
    sp_pack_writer_abort(w);
    return rc;
}
