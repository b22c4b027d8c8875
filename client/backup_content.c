#include "client/backup_reader.h"

#include <string.h>

#include "base/path.h"

/* The content of one file: its own bytes and what follows them, split, named and given to the
 * gatherers. What the parent has at the same place is compared first. */

/* Where the parent's chunks of the same file lie. */
struct old_chunks {
    struct sp_list_reader *reader;
    struct sp_segment at;
    uint64_t offset;
    bool more;
    bool other_holes; /* than the file has now */
};

static void
old_next(struct old_chunks *o)
{
    struct sp_err e = {0};

    if (sp_list_reader_next(o->reader, &o->at, &o->offset, &o->more, &e) != SP_OK)
        o->more = false; /* only a short cut: without it the store is asked */
}

static void
old_open(struct reader *r, const struct sp_entry *old, struct old_chunks *o)
{
    struct sp_err e = {0};

    memset(o, 0, sizeof(*o));
    if (old == NULL || (old->flags & SP_ENTRY_UNREADABLE) != 0)
        return;
    if (sp_list_reader_new(&r->source, old, &o->reader, &e) != SP_OK)
        return;
    o->more = true;
    old_next(o);
}

static void
old_seek(struct old_chunks *o, uint64_t offset)
{
    while (o->more && o->offset < offset) {
        o->other_holes = o->other_holes || o->at.hole;
        old_next(o);
    }
}

static bool
old_has(struct reader *r, struct old_chunks *o, uint64_t offset, const struct sp_id *id)
{
    old_seek(o, offset);
    if (!o->more || o->offset != offset)
        return false;
    o->other_holes = o->other_holes || o->at.hole;
    return !o->at.hole && memcmp(&o->at.id, id, sizeof(*id)) == 0 && !backup_id_missing(r->b, id);
}

static void
old_hole(struct old_chunks *o, uint64_t offset, uint64_t length)
{
    old_seek(o, offset);
    if (o->more && o->offset == offset && o->at.hole && o->at.length == length)
        old_next(o);
    else
        o->other_holes = true;
}

static enum sp_code
emit(struct reader *r, struct old_chunks *o, enum sp_block_kind kind, uint64_t offset,
    const uint8_t *p, size_t n, struct sp_err *e)
{
    struct sp_id id;
    enum sp_code rc;

    if ((rc = sp_hasher_id(r->hasher, SP_CHUNK_DATA, NULL, 0, p, n, &id, e)) != SP_OK)
        return rc;
    if (!old_has(r, o, offset, &id)) {
        rc = gather_submit(r->b, false, kind, SP_CHUNK_DATA, &id, NULL, 0, p, n, e);
        if (rc != SP_OK)
            return rc;
    }
    return sp_list_writer_add(r->list, n, &id, e);
}

/* One run of data, from `offset` for `length` bytes or to where the file ends. The chunks never
 * span a hole. *ret_end: the file ended early. */
static enum sp_code
read_data(struct reader *r, struct sp_reading *reading, struct old_chunks *o, bool image,
    bool whole, uint64_t offset, uint64_t length, uint64_t *ret_read, bool *ret_end,
    struct sp_err *e)
{
    struct sp_split split;
    enum sp_block_kind kind = image ? SP_BLOCK_IMAGES : SP_BLOCK_FILES;
    size_t start = 0, seen = 0, fill = 0, want, got, used;
    uint64_t base = offset; /* of buffer[0] in the file */
    uint64_t done = 0;
    bool cut;
    enum sp_code rc;

    *ret_end = false;
    sp_split_start(&split, r->b->splitter, image);
    if (image) /* aligned to the file, also behind a hole */
        split.in_chunk = (uint32_t)(offset % r->b->info.split.image_chunk);
    while (done < length) {
        if (backup_stopping(r->b))
            return sp_fail(e, SP_CANCELLED, SP_DOM_SELF, "interrupted");
        if (fill + BACKUP_READ_SIZE > BACKUP_BUFFER_SIZE) { /* keep the open chunk only */
            memmove(r->buffer, r->buffer + start, fill - start);
            base += start;
            fill -= start;
            seen -= start;
            start = 0;
        }
        want = length - done < BACKUP_READ_SIZE ? (size_t)(length - done) : BACKUP_READ_SIZE;
        rc = sp_reading_read(reading, offset + done, r->buffer + fill, want, &got, e);
        if (rc != SP_OK)
            return rc;
        if (got == 0) {
            *ret_end = true;
            break;
        }
        done += got;
        fill += got;
        atomic_fetch_add(&r->b->count.bytes_read, got);
        if (whole) {
            seen = fill;
            continue;
        }
        while (seen < fill) {
            used = sp_split_next(&split, r->buffer + seen, fill - seen, &cut);
            seen += used;
            if (!cut)
                continue;
            rc = emit(r, o, kind, base + start, r->buffer + start, seen - start, e);
            if (rc != SP_OK)
                return rc;
            start = seen;
        }
    }
    if (fill > start) {
        rc = emit(r, o, kind, base + start, r->buffer + start, fill - start, e);
        if (rc != SP_OK)
            return rc;
    }
    *ret_read = done;
    return SP_OK;
}

static enum sp_code
read_hole(
    struct reader *r, struct old_chunks *o, uint64_t offset, uint64_t length, struct sp_err *e)
{
    old_hole(o, offset, length);
    return sp_list_writer_add(r->list, length, NULL, e);
}

/* The file's own bytes. Nothing is read of one that is away: that would fetch them from the cloud.
 */
static enum sp_code
read_own(struct reader *r, const struct sp_entry *en, struct sp_reading *reading,
    struct old_chunks *o, struct content *c, struct sp_err *e)
{
    uint8_t head[512];
    size_t head_n = 0, name_n;
    const char *name = sp_key_name(en->key, en->key_len, &name_n);
    uint64_t length = 0, got;
    bool image, whole, hole, end = false;
    enum sp_code rc = SP_OK;

    if ((en->flags & SP_ENTRY_AWAY) != 0) {
        c->size = en->size;
        return en->size > 0 ? read_hole(r, o, 0, en->size, e) : SP_OK;
    }
    if (en->size > 0)
        rc = sp_reading_read(reading, 0, head,
            en->size < sizeof(head) ? (size_t)en->size : sizeof(head), &head_n, e);
    image = sp_split_is_image(name, name_n, head, head_n);
    whole = en->size <= sp_split_whole(r->b->splitter, image);
    while (rc == SP_OK && c->size < en->size && !end) {
        if ((rc = sp_reading_extent(reading, c->size, &hole, &length, e)) != SP_OK)
            break;
        if (length == 0)
            break;
        if (length > en->size - c->size)
            length = en->size - c->size;
        got = length;
        rc = hole ? read_hole(r, o, c->size, length, e)
                  : read_data(r, reading, o, image, whole, c->size, length, &got, &end, e);
        c->size += got;
    }
    c->shrunk = c->size < en->size;
    return rc;
}

/* What follows: parts, each split for itself, since no extent reaches over the border of two. The
 * table of the parts has been made, so what is gone of one meanwhile is a hole: every part has its
 * size. */
static enum sp_code
read_parts(struct reader *r, const struct sp_entry *en, struct sp_reading *reading,
    struct old_chunks *o, struct content *c, struct sp_err *e)
{
    uint64_t offset = en->size, length, got;
    bool hole, end;
    enum sp_code rc = SP_OK;

    for (; rc == SP_OK && c->extra < en->extra; c->extra += length, offset += length) {
        if ((rc = sp_reading_extent(reading, offset, &hole, &length, e)) != SP_OK)
            break;
        if (length == 0 || length > en->extra - c->extra) {
            c->shrunk = c->shrunk || length == 0;
            hole = hole || length == 0;
            length = en->extra - c->extra;
        }
        got = 0;
        if (!hole)
            rc = read_data(r, reading, o, false, false, offset, length, &got, &end, e);
        if (rc == SP_OK && got < length) {
            c->shrunk = c->shrunk || !hole;
            rc = read_hole(r, o, offset + got, length - got, e);
        }
    }
    return rc;
}

/* The content of one file, once. */
enum sp_code
backup_read_content(struct reader *r, struct work *w, struct sp_reading *reading,
    struct content *ret, struct sp_err *e)
{
    const struct sp_entry *en = w->item->entry;
    struct content c = {0};
    struct old_chunks old;
    enum sp_code rc;

    if (en->size > INT64_MAX || en->extra > INT64_MAX - en->size)
        return sp_fail(e, SP_UNSUPPORTED, SP_DOM_SOURCE, "it is longer than a file can be");
    old_open(r, w->old, &old);
    if ((rc = read_own(r, en, reading, &old, &c, e)) == SP_OK)
        rc = read_parts(r, en, reading, &old, &c, e);
    sp_list_reader_free(old.reader);
    r->other_holes = old.other_holes;
    if (rc == SP_OK)
        *ret = c;
    return rc;
}
