#include "client/backup_run.h"

#include <stdlib.h>
#include <string.h>

#include "base/path.h"

/* A reader: describes changed objects and reads the content of changed files: splits it, names the
 * chunks and gives them to the gatherers. */

#define READ_SIZE (512u << 10)
#define BUFFER_SIZE (READ_SIZE + (1u << 20)) /* a chunk is at most 1 MiB */
#define TRIES 3                              /* for a file that changes while it is read live */
#define RETRY_MOST (UINT64_C(64) << 20)      /* a large one would change again */
#define INLINE_VALUE 4096

struct reader {
    struct backup *b;
    struct sp_hasher *hasher;
    struct sp_list_writer *list;
    struct sp_nodes *nodes; /* of its own: the parent's chunk lists */
    struct whole_nodes whole;
    struct sp_node_source source;
    struct sp_node_sink sink;
    uint8_t *buffer;
    bool other_holes; /* the file read last has not the holes that its old entry says */
};

/* Where the parent's chunks of the same file lie. */
struct old_chunks {
    struct sp_list_reader *reader;
    struct sp_segment at;
    uint64_t offset;
    bool more;
    bool other_holes; /* than the file has now */
};

static enum sp_code
sink_put(void *self, enum sp_chunk_kind kind, const struct sp_id *id, const struct sp_id *refs,
    size_t nrefs, const void *p, size_t n, struct sp_err *e)
{
    struct reader *r = self;

    return gather_submit(r->b, false, SP_BLOCK_NODES, kind, id, refs, nrefs, p, n, e);
}

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
        if (fill + READ_SIZE > BUFFER_SIZE) { /* keep the open chunk only */
            memmove(r->buffer, r->buffer + start, fill - start);
            base += start;
            fill -= start;
            seen -= start;
            start = 0;
        }
        want = length - done < READ_SIZE ? (size_t)(length - done) : READ_SIZE;
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

/* The content of one file, once. *ret_size is what was read, holes included. */
static enum sp_code
read_content(struct reader *r, struct work *w, struct sp_reading *reading, uint64_t *ret_size,
    struct sp_err *e)
{
    const struct sp_entry *en = w->item->entry;
    struct old_chunks old;
    uint8_t head[512];
    size_t head_n = 0, name_n;
    const char *name = sp_key_name(en->key, en->key_len, &name_n);
    uint64_t offset = 0, length = 0, got = 0;
    bool image, whole, hole, end = false;
    enum sp_code rc = SP_OK;

    old_open(r, w->old, &old);
    if (en->size > 0)
        rc = sp_reading_read(reading, 0, head, sizeof(head), &head_n, e);
    image = sp_split_is_image(name, name_n, head, head_n);
    whole = en->size <= sp_split_whole(r->b->splitter, image);
    while (rc == SP_OK && offset < en->size && !end) {
        if ((rc = sp_reading_extent(reading, offset, &hole, &length, e)) != SP_OK)
            break;
        if (length == 0)
            break;
        if (hole) {
            rc = sp_list_writer_add(r->list, length, NULL, e);
            old_hole(&old, offset, length);
            got = length;
        } else {
            rc = read_data(r, reading, &old, image, whole, offset, length, &got, &end, e);
        }
        offset += got;
    }
    sp_list_reader_free(old.reader);
    r->other_holes = old.other_holes;
    if (rc == SP_OK)
        *ret_size = offset;
    return rc;
}

/* What was described and read, as one entry that owns everything. Long attribute values become
 * chunks. */
static enum sp_code
assemble(struct reader *r, struct work *w, const struct sp_segment *segments, size_t nsegments,
    bool has_list, const struct sp_id *list, uint64_t size, uint32_t flags, struct sp_err *e)
{
    struct sp_entry en = *w->item->entry;
    struct sp_attribute *attributes = NULL;
    enum sp_code rc = SP_OK;
    size_t i;

    en.flags |= flags;
    en.size = size;
    en.segments = segments;
    en.nsegments = nsegments;
    en.has_list = has_list;
    if (has_list)
        en.list = *list;
    if (en.nattributes > 0) {
        attributes = calloc(en.nattributes, sizeof(*attributes));
        if (attributes == NULL)
            return sp_fail_nomem(e);
        for (i = 0; i < en.nattributes && rc == SP_OK; i++) {
            attributes[i] = en.attributes[i];
            if (attributes[i].len <= INLINE_VALUE)
                continue;
            rc = sp_hasher_id(r->hasher, SP_CHUNK_DATA, NULL, 0, attributes[i].value,
                attributes[i].len, &attributes[i].id, e);
            if (rc == SP_OK)
                rc = gather_submit(r->b, false, SP_BLOCK_FILES, SP_CHUNK_DATA, &attributes[i].id,
                    NULL, 0, attributes[i].value, attributes[i].len, e);
            attributes[i].external = true;
            attributes[i].value = NULL;
            attributes[i].len = 0;
        }
        en.attributes = attributes;
    }
    if (rc == SP_OK)
        rc = sp_entry_copy(&en, &w->entry, e);
    free(attributes);
    return rc;
}

static bool
source_fault(const struct sp_err *e)
{
    return e->domain == SP_DOM_SOURCE;
}

static enum sp_code
unreadable(struct reader *r, struct work *w, const struct sp_err *why, struct sp_err *e)
{
    backup_fault_free(w->fault);
    w->fault = backup_fault_new(w->item->entry, SP_FAULT_UNREADABLE, why);
    if (w->fault == NULL)
        return sp_fail_nomem(e);
    return assemble(r, w, NULL, 0, false, NULL, 0, SP_ENTRY_UNREADABLE, e);
}

static enum sp_code
read_file(struct reader *r, struct work *w, struct sp_err *e)
{
    struct sp_reading *reading;
    const struct sp_segment *segments;
    size_t nsegments;
    struct sp_id list;
    struct sp_err se = {0}, why = {0};
    uint64_t size = 0;
    bool has_list, changed = false;
    unsigned attempt;
    enum sp_code rc;

    for (attempt = 0;; attempt++) {
        sp_list_writer_reset(r->list);
        reading = NULL;
        rc = sp_reading_open(w->item, &reading, &se);
        if (rc == SP_OK)
            rc = read_content(r, w, reading, &size, &se);
        if (rc != SP_OK) {
            if (reading != NULL)
                (void)sp_reading_close(reading, &changed, &why);
            if (!source_fault(&se)) {
                *e = se;
                return rc;
            }
            if (rc == SP_ABSENT) {
                backup_count(r->b, &r->b->count.files_vanished);
                return SP_OK; /* no entry: it is not there any more */
            }
            return unreadable(r, w, &se, e);
        }
        if ((rc = sp_reading_close(reading, &changed, &se)) != SP_OK)
            return unreadable(r, w, &se, e);
        if (size < w->item->entry->size)
            changed = true;
        if (!changed || attempt + 1 == TRIES || w->item->entry->size > RETRY_MOST)
            break;
    }
    rc = sp_list_writer_finish(r->list, &segments, &nsegments, &has_list, &list, e);
    if (rc != SP_OK)
        return rc;
    if (changed) {
        (void)sp_fail(&why, SP_CHANGED, SP_DOM_SOURCE,
            "it changed while it was read; what is kept may mix old and new");
        backup_fault_free(w->fault);
        w->fault = backup_fault_new(w->item->entry, SP_FAULT_CHANGED, &why);
        if (w->fault == NULL)
            return sp_fail_nomem(e);
    }
    return assemble(
        r, w, segments, nsegments, has_list, &list, size, changed ? SP_ENTRY_CHANGED : 0, e);
}

/* A file system may tell the same zeros as a hole today and as data tomorrow (space that was
 * reserved and never written: ext4 and XFS go by what is in memory): no alarm for that. */
static void
audit(struct reader *r, struct work *w)
{
    struct backup *b = r->b;

    if (!w->audit || w->entry == NULL || w->old == NULL || r->other_holes ||
        (w->entry->flags & (SP_ENTRY_UNREADABLE | SP_ENTRY_CHANGED)) != 0)
        return;
    if (!sp_entry_unchanged(w->old, w->entry) || sp_entry_same_content(w->old, w->entry))
        return;
    atomic_fetch_add(&b->count.audit_differences, 1);
    if (b->events->audit != NULL) {
        sp_mutex_lock(&b->events_lock);
        b->events->audit(b->events->arg, w->entry->key, w->entry->key_len);
        sp_mutex_unlock(&b->events_lock);
    }
}

static enum sp_code
process(struct reader *r, struct work *w, struct sp_err *e)
{
    struct sp_err se = {0};
    enum sp_code rc;

    rc = sp_item_describe(w->item, &se);
    if (rc != SP_OK) {
        if (!source_fault(&se)) {
            *e = se;
            return rc;
        }
        if (rc == SP_ABSENT) {
            backup_count(r->b, &r->b->count.files_vanished);
            return SP_OK;
        }
        return unreadable(r, w, &se, e);
    }
    if (w->item->fault != NULL) {
        w->fault = w->item->fault;
        w->item->fault = NULL;
    }
    if (w->item->entry->type != SP_ENTRY_FILE)
        return assemble(r, w, NULL, 0, false, NULL, 0, 0, e);
    if ((rc = read_file(r, w, e)) != SP_OK)
        return rc;
    audit(r, w);
    return SP_OK;
}

void
backup_reader(void *arg)
{
    struct backup *b = arg;
    struct reader r = {.b = b};
    struct work *w;
    struct sp_err e = {0};
    enum sp_code rc;

    r.sink.put = sink_put;
    r.sink.self = &r;
    r.buffer = malloc(BUFFER_SIZE);
    rc = r.buffer == NULL ? sp_fail_nomem(&e) : SP_OK;
    if (rc == SP_OK)
        rc = sp_hasher_new(b->keys, &r.hasher, &e);
    if (rc == SP_OK)
        rc = sp_list_writer_new(r.hasher, &r.sink, &r.list, &e);
    if (rc == SP_OK)
        rc = sp_nodes_beside(b->nodes, &r.nodes, &e);
    if (rc == SP_OK) {
        r.whole.b = b;
        r.whole.below = sp_nodes_source(r.nodes);
        r.source = backup_whole_source(&r.whole);
    }
    while (rc == SP_OK && (w = order_take(&b->order)) != NULL) {
        if (backup_stopping(b)) {
            w->abandoned = true;
        } else {
            rc = process(&r, w, &e);
            if (rc == SP_CANCELLED && !atomic_load(&b->failed)) {
                w->abandoned = true; /* the user's interruption, not a failure */
                rc = SP_OK;
            }
        }
        if (rc == SP_OK) {
            sp_item_free(w->item);
            w->item = NULL;
            free(w->old);
            w->old = NULL;
            order_done(&b->order, w);
        }
    }
    if (rc != SP_OK)
        backup_fail(b, &e);
    sp_nodes_free(r.nodes);
    sp_list_writer_free(r.list);
    sp_hasher_free(r.hasher);
    free(r.buffer);
}
