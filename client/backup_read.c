#include "client/backup_reader.h"

#include <stdlib.h>
#include <string.h>

#include "client/ntfs_meta.h"

/* A reader: describes changed objects, reads the content of changed files, makes their entries. */

#define TRIES 3                         /* for a file that changes while it is read live */
#define RETRY_MOST (UINT64_C(64) << 20) /* a large one would change again */
#define INLINE_VALUE 4096

static enum sp_code
sink_put(void *self, enum sp_chunk_kind kind, const struct sp_id *id, const struct sp_id *refs,
    size_t nrefs, const void *p, size_t n, struct sp_err *e)
{
    struct reader *r = self;

    return gather_submit(r->b, false, SP_BLOCK_NODES, kind, id, refs, nrefs, p, n, e);
}

/* The attribute stays in the entry: parts without their table, or a table without parts, are
 * nothing. */
static bool
keeps(const struct sp_attribute *a, const struct content *c)
{
    return c->extra > 0 || strcmp(a->name, WINDOWS_STREAMS) != 0;
}

/* What was described and read, as one entry that owns everything. Long attribute values become
 * chunks. */
static enum sp_code
assemble(struct reader *r, struct work *w, const struct sp_segment *segments, size_t nsegments,
    bool has_list, const struct sp_id *list, const struct content *content, uint32_t flags,
    struct sp_err *e)
{
    struct sp_entry en = *w->item->entry;
    struct sp_attribute *attributes = NULL;
    enum sp_code rc = SP_OK;
    size_t i, n = 0;

    en.flags |= flags;
    en.size = content->size;
    en.extra = content->extra;
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
            struct sp_attribute *a = &attributes[n];

            if (!keeps(&en.attributes[i], content))
                continue;
            n++;
            *a = en.attributes[i];
            if (a->len <= INLINE_VALUE)
                continue;
            rc = sp_hasher_id(r->hasher, SP_CHUNK_DATA, NULL, 0, a->value, a->len, &a->id, e);
            if (rc == SP_OK)
                rc = gather_submit(r->b, false, SP_BLOCK_FILES, SP_CHUNK_DATA, &a->id, NULL, 0,
                    a->value, a->len, e);
            a->external = true;
            a->value = NULL;
            a->len = 0;
        }
        en.attributes = attributes;
        en.nattributes = n;
    }
    if (rc == SP_OK)
        rc = sp_entry_copy(&en, &w->entry, e);
    free(attributes);
    return rc;
}

static const struct content nothing;

static bool
source_fault(const struct sp_err *e)
{
    return e->domain == SP_DOM_SOURCE;
}

/* Nothing goes away in a shadow: what cannot be found there by the name that its folder has is lost
 * or damaged, and that is told. */
static bool
vanished(const struct work *w, enum sp_code rc)
{
    return rc == SP_ABSENT && !w->item->shadow;
}

static enum sp_code
unreadable(struct reader *r, struct work *w, const struct sp_err *why, struct sp_err *e)
{
    backup_fault_free(w->fault);
    w->fault = backup_fault_new(w->item->entry, SP_FAULT_UNREADABLE, why);
    if (w->fault == NULL)
        return sp_fail_nomem(e);
    return assemble(r, w, NULL, 0, false, NULL, &nothing, SP_ENTRY_UNREADABLE, e);
}

static enum sp_code
read_file(struct reader *r, struct work *w, struct sp_err *e)
{
    struct sp_reading *reading;
    const struct sp_segment *segments;
    size_t nsegments;
    struct sp_id list;
    struct sp_err se = {0}, why = {0};
    struct content content = {0};
    bool has_list, changed = false;
    unsigned attempt;
    enum sp_code rc;

    for (attempt = 0;; attempt++) {
        sp_list_writer_reset(r->list);
        reading = NULL;
        rc = sp_reading_open(w->item, &reading, &se);
        if (rc == SP_OK)
            rc = backup_read_content(r, w, reading, &content, &se);
        if (rc != SP_OK) {
            if (reading != NULL)
                (void)sp_reading_close(reading, &changed, &why);
            if (!source_fault(&se)) {
                *e = se;
                return rc;
            }
            if (vanished(w, rc)) {
                backup_count(r->b, &r->b->count.files_vanished);
                return SP_OK; /* no entry: it is not there any more */
            }
            return unreadable(r, w, &se, e);
        }
        if ((rc = sp_reading_close(reading, &changed, &se)) != SP_OK)
            return unreadable(r, w, &se, e);
        changed = changed || content.shrunk;
        if (!changed || attempt + 1 == TRIES || sp_entry_content(w->item->entry) > RETRY_MOST)
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
        r, w, segments, nsegments, has_list, &list, &content, changed ? SP_ENTRY_CHANGED : 0, e);
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

/* The first one counts. */
static void
take_fault(struct work *w)
{
    if (w->fault != NULL || w->item->fault == NULL)
        return;
    w->fault = w->item->fault;
    w->item->fault = NULL;
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
        if (vanished(w, rc)) {
            backup_count(r->b, &r->b->count.files_vanished);
            return SP_OK;
        }
        return unreadable(r, w, &se, e);
    }
    take_fault(w);
    if (w->item->entry->type != SP_ENTRY_FILE)
        return assemble(r, w, NULL, 0, false, NULL, &nothing, 0, e);
    if ((rc = read_file(r, w, e)) != SP_OK)
        return rc;
    take_fault(w); /* of a stream that could not be opened beside the content */
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
    r.buffer = malloc(BACKUP_BUFFER_SIZE);
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
