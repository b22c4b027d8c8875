#include "client/backup_run.h"

#include <stdlib.h>
#include <string.h>

/* The catalog's thread: takes entries in the walk's order, writes the tree, counts faults, and
 * makes checkpoints. */

#define CHECKPOINT_NS (15 * 60 * SP_SECOND)
#define CHECKPOINT_BYTES (UINT64_C(8) << 30)
#define PROGRESS_EVERY 512
#define CLOCK_EVERY 64
/* Nodes of the catalog hold several keys of this length each, so that no number of files makes it
 * deeper than its readers go. Four times PATH_MAX. */
#define LONGEST_KEY (16u << 10)
#define FAULT_BYTES (1u << 20) /* of faults kept: more than a record has room for */

struct cataloguer {
    struct backup *b;
    struct sp_catalog_writer *writer;
    struct sp_node_sink sink;
    struct sp_buf last_key;
    bool interrupted; /* an entry was not read: nothing behind it counts */
    int64_t checkpoint_at;
    uint64_t checkpoint_bytes;
    uint64_t since_progress;
};

static enum sp_code
sink_put(void *self, enum sp_chunk_kind kind, const struct sp_id *id, const struct sp_id *refs,
    size_t nrefs, const void *p, size_t n, struct sp_err *e)
{
    return gather_submit(self, true, SP_BLOCK_NODES, kind, id, refs, nrefs, p, n, e);
}

static void
progress(struct cataloguer *c)
{
    struct backup *b = c->b;
    struct sp_backup_stats stats;

    c->since_progress = 0;
    if (b->events->progress == NULL)
        return;
    backup_stats(b, &stats);
    sp_mutex_lock(&b->events_lock);
    b->events->progress(b->events->arg, &stats, c->last_key.data, c->last_key.len);
    sp_mutex_unlock(&b->events_lock);
}

/* Takes the fault over. */
static enum sp_code
record_fault(struct backup *b, struct sp_fault *f, struct sp_err *e)
{
    struct sp_fault *more;
    size_t n;

    b->sealed.faults_total++;
    if (b->events->fault != NULL) {
        sp_mutex_lock(&b->events_lock);
        b->events->fault(b->events->arg, f);
        sp_mutex_unlock(&b->events_lock);
    }
    n = f->key_len + strlen(f->text);
    if (b->sealed.nfaults == SP_RECORD_MAX_FAULTS || b->fault_bytes + n > FAULT_BYTES) {
        backup_fault_free(f);
        return SP_OK;
    }
    b->fault_bytes += n;
    if ((b->sealed.nfaults & (b->sealed.nfaults - 1)) == 0) { /* 0, 1, 2, 4, …: double */
        size_t cap = b->sealed.nfaults == 0 ? 1 : 2 * b->sealed.nfaults;

        more = realloc(b->sealed.faults, cap * sizeof(*more));
        if (more == NULL) {
            backup_fault_free(f);
            return sp_fail_nomem(e);
        }
        b->sealed.faults = more;
    }
    b->sealed.faults[b->sealed.nfaults++] = *f;
    free(f);
    return SP_OK;
}

/* What no node can hold of one object (the path, the attributes together) is a fault of that
 * object: it is kept without its attributes, or not at all. *ret: it is in the catalog. */
static enum sp_code
write_entry(struct cataloguer *c, struct work *w, bool *ret, struct sp_err *e)
{
    struct sp_err why = {0};
    struct sp_fault *f;
    bool bare;
    enum sp_code rc;

    if (w->entry->key_len > LONGEST_KEY)
        rc = sp_fail(&why, SP_INVALID, SP_DOM_SOURCE, "a path of %zu bytes is too long to be kept",
            w->entry->key_len);
    else
        rc = sp_catalog_writer_add(c->writer, w->entry, &why);
    *ret = rc == SP_OK;
    if (rc == SP_OK)
        return SP_OK;
    if (rc != SP_INVALID || why.domain != SP_DOM_SOURCE) {
        *e = why;
        return rc;
    }
    bare = w->entry->nattributes == 0 || w->entry->key_len > LONGEST_KEY;
    f = backup_fault_new(w->entry, bare ? SP_FAULT_UNREADABLE : SP_FAULT_ATTRIBUTES, &why);
    if (f == NULL)
        return sp_fail_nomem(e);
    if ((rc = record_fault(c->b, f, e)) != SP_OK || bare)
        return rc;
    w->entry->nattributes = 0;
    w->entry->flags |= SP_ENTRY_UNREADABLE;
    return write_entry(c, w, ret, e);
}

static enum sp_code
add(struct cataloguer *c, struct work *w, struct sp_err *e)
{
    struct backup *b = c->b;
    struct sp_fault *f = w->fault;
    bool written;
    enum sp_code rc;

    w->fault = NULL;
    if (f != NULL && (rc = record_fault(b, f, e)) != SP_OK)
        return rc;
    if (w->entry == NULL)
        return SP_OK;
    if ((rc = write_entry(c, w, &written, e)) != SP_OK || !written)
        return rc;
    if ((rc = backup_note_away(b, w->entry, e)) != SP_OK)
        return rc;
    b->totals.entries++;
    if (w->entry->type == SP_ENTRY_FILE) {
        b->totals.files++;
        b->totals.bytes += w->entry->size;
    }
    sp_buf_reset(&c->last_key);
    sp_buf_put(&c->last_key, w->entry->key, w->entry->key_len);
    return sp_buf_ok(&c->last_key, e);
}

static enum sp_code
checkpoint(struct cataloguer *c, struct sp_err *e)
{
    struct backup *b = c->b;
    struct sp_commit_result result = {0};
    struct sp_catalog_totals totals;
    struct sp_backup_stats stats;
    struct sp_id root;
    uint8_t hash[32];
    enum sp_set_state state;
    enum sp_code rc;

    rc = sp_catalog_writer_checkpoint(c->writer, &root, &totals, e);
    if (rc == SP_OK) {
        b->sealed.last_key = c->last_key.data;
        b->sealed.last_key_len = c->last_key.len;
        rc = backup_commit(b, SP_RECORD_CHECKPOINT, &root, &totals, &result, hash, &state, e);
        b->sealed.last_key = NULL;
        b->sealed.last_key_len = 0;
    }
    gather_open(b);
    if (rc == SP_OK && result.nmissing == 0) {
        b->checkpoints++;
        if (b->events->checkpoint != NULL) {
            backup_stats(b, &stats);
            sp_mutex_lock(&b->events_lock);
            b->events->checkpoint(b->events->arg, &stats);
            sp_mutex_unlock(&b->events_lock);
        }
    }
    /* Something missing: no checkpoint this time; the final commit names it and it is read again.
     */
    sp_commit_result_clear(&result);
    c->checkpoint_at = sp_clock_mono(b->env->clock);
    c->checkpoint_bytes = atomic_load(&b->count.bytes_read);
    return rc;
}

static bool
checkpoint_due(const struct cataloguer *c, bool waiting)
{
    const struct backup *b = c->b;
    uint64_t ns = b->o->checkpoint_ns ? b->o->checkpoint_ns : (uint64_t)CHECKPOINT_NS;
    uint64_t bytes = b->o->checkpoint_bytes ? b->o->checkpoint_bytes : CHECKPOINT_BYTES;

    if (c->interrupted || b->totals.entries == 0)
        return false;
    if (atomic_load(&c->b->count.bytes_read) - c->checkpoint_bytes >= bytes)
        return true;
    if (!waiting && c->since_progress % CLOCK_EVERY != 0)
        return false;
    return (uint64_t)(sp_clock_mono(b->env->clock) - c->checkpoint_at) >= ns;
}

static enum sp_code
take(struct cataloguer *c, struct work *w, struct sp_err *e)
{
    enum sp_code rc = SP_OK;

    if (w->abandoned)
        c->interrupted = true;
    if (!c->interrupted)
        rc = add(c, w, e);
    if (rc == SP_OK && ++c->since_progress >= PROGRESS_EVERY)
        progress(c);
    if (rc == SP_OK && checkpoint_due(c, false))
        rc = checkpoint(c, e);
    return rc;
}

static enum sp_code
take_all(struct cataloguer *c, struct sp_err *e)
{
    struct work *w, *next;
    bool waiting;
    enum sp_code rc = SP_OK;

    while ((w = order_pop(&c->b->order, &waiting)) != NULL || waiting) {
        for (; w != NULL; w = next) {
            next = w->next;
            if (rc == SP_OK)
                rc = take(c, w, e);
            backup_work_free(w);
        }
        if (waiting) {
            progress(c);
            if (checkpoint_due(c, true))
                rc = checkpoint(c, e);
        }
        if (rc != SP_OK)
            return rc;
    }
    return SP_OK;
}

enum sp_code
backup_catalog(struct backup *b, struct sp_err *e)
{
    struct cataloguer c = {.b = b, .last_key = SP_BUF_INIT};
    struct sp_err ce = {0};
    enum sp_code rc;

    memset(&b->totals, 0, sizeof(b->totals));
    c.sink.put = sink_put;
    c.sink.self = b;
    c.checkpoint_at = sp_clock_mono(b->env->clock);
    c.checkpoint_bytes = atomic_load(&b->count.bytes_read);
    if ((rc = sp_catalog_writer_new(b->keys, &c.sink, &c.writer, e)) != SP_OK)
        goto out;
    if ((rc = take_all(&c, e)) != SP_OK)
        goto out;
    if (atomic_load(&b->failed)) {
        rc = sp_fail(e, SP_CANCELLED, SP_DOM_SELF, "stopped because another part failed");
        goto out;
    }
    if (backup_stopping(b)) {
        /* The files before the interruption stay useful: the next run goes on from here. */
        rc = b->totals.entries > 0 && b->pass == 0 ? checkpoint(&c, &ce) : SP_OK;
        if (rc == SP_OK)
            rc = sp_fail(e, SP_CANCELLED, SP_DOM_SELF,
                "interrupted; no set was made, what is already stored is not sent again");
        else
            rc = sp_fail(e, SP_CANCELLED, SP_DOM_SELF,
                "interrupted; no set was made, and the last checkpoint failed: %s", ce.text);
        goto out;
    }
    rc = sp_catalog_writer_finish(c.writer, &b->root, &b->totals, e);
    progress(&c);
out:
    sp_catalog_writer_free(c.writer);
    sp_buf_free(&c.last_key);
    return rc;
}
