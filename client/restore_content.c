#include <stdlib.h>

#include "client/restore_run.h"

/* Planning the content of files: which of their chunks go to which window. */

enum sp_code
plan_submit(struct restore *r, struct sp_err *e)
{
    struct window *w = r->plan;

    if (w == NULL)
        return SP_OK;
    r->plan = NULL;
    sp_mutex_lock(&r->lock);
    r->windows++;
    sp_mutex_unlock(&r->lock);
    if (sp_queue_push(r->to_fetch, w, 1))
        return SP_OK;
    sp_mutex_lock(&r->lock);
    r->windows--;
    sp_mutex_unlock(&r->lock);
    window_free(w);
    return sp_fail(e, SP_CANCELLED, SP_DOM_SELF, "stopped");
}

/* A window with an open piece for the file. */
static enum sp_code
open_piece(struct restore *r, struct file *f, bool probe, struct sp_err *e)
{
    struct window *w;
    struct piece *p;
    enum sp_code rc;

    if (r->plan != NULL && r->plan->npieces == WINDOW_PIECES) {
        if ((rc = plan_submit(r, e)) != SP_OK)
            return rc;
    }
    if (r->plan == NULL && (rc = window_new(r, &r->plan, e)) != SP_OK)
        return rc;
    w = r->plan;
    p = &w->pieces[w->npieces++];
    *p = (struct piece){.file = f, .first = w->nparts, .probe = probe};
    p->task.window = w;
    atomic_fetch_add(&f->refs, 1);
    w->memory += sizeof *f + sp_entry_memory(f->entry);
    return SP_OK;
}

/* The open piece is the file's last: what its end needs is added. */
static enum sp_code
close_last(struct restore *r, struct file *f, struct sp_err *e)
{
    struct window *w = r->plan;
    uint32_t chunk;
    size_t n = 0;
    enum sp_code rc;

    for (size_t i = 0; i < f->entry->nattributes; i++) {
        const struct sp_attribute *a = &f->entry->attributes[i];

        if (!a->external || n++ >= SP_TARGET_LONG_ATTRIBUTES)
            continue;
        if ((rc = window_add_chunk(w, &a->id, SP_TARGET_ATTRIBUTE_MAX, &chunk, e)) != SP_OK)
            return rc;
    }
    w->pieces[w->npieces - 1].last = true;
    if (w->memory >= WINDOW_MEMORY || w->bytes >= WINDOW_BYTES || w->nparts >= WINDOW_PARTS)
        return plan_submit(r, e);
    return SP_OK;
}

enum sp_code
plan_end(struct restore *r, struct file *f, struct sp_err *e)
{
    enum sp_code rc;

    if ((rc = open_piece(r, f, false, e)) != SP_OK)
        return rc;
    return close_last(r, f, e);
}

static enum sp_code
add_segment(struct restore *r, struct file *f, bool probe, const struct sp_segment *s,
    uint64_t offset, struct sp_err *e)
{
    uint32_t chunk = PART_HOLE;
    enum sp_code rc;

    /* There is always an open piece; a full window goes on in the next one. */
    if (r->plan->nparts >= WINDOW_PARTS ||
        (!s->hole && r->plan->bytes > 0 && r->plan->bytes + s->length > WINDOW_BYTES)) {
        if ((rc = plan_submit(r, e)) != SP_OK)
            return rc;
        if ((rc = open_piece(r, f, probe, e)) != SP_OK)
            return rc;
    }
    if (!s->hole &&
        (rc = window_add_chunk(r->plan, &s->id, (uint32_t)s->length, &chunk, e)) != SP_OK)
        return rc;
    return window_add_part(r->plan, offset, s->length, chunk, e);
}

/* A chunk belongs to the file's own bytes or to what follows them, never to both. */
static bool
spans(const struct sp_entry *en, uint64_t offset, const struct sp_segment *s)
{
    return offset < en->size && s->length > en->size - offset;
}

/* Of a file whose content is elsewhere no byte of its own can be here. */
static bool
is_hidden(const struct sp_entry *en, uint64_t offset)
{
    return (en->flags & SP_ENTRY_AWAY) != 0 && offset < en->size;
}

struct reading {       /* the content of a file that is being planned */
    struct file *file; /* counted, and its entry a copy, when it is one of several */
    struct sp_entry *entry;
    struct sp_list_reader *list;
    uint64_t expected;
    bool ended;
};

/* What the list says must be a file: contiguous, as long as the entry, of possible chunks. *ret_n:
 * bytes of the window that it took; ended: there is no more. */
static enum sp_code
read_segment(struct restore *r, struct reading *g, const struct sp_entry *en, bool probe,
    uint64_t *ret_n, struct sp_err *e)
{
    struct sp_segment s;
    uint64_t offset;
    bool more = true;
    enum sp_code rc;

    *ret_n = 0;
    if ((rc = sp_list_reader_next(g->list, &s, &offset, &more, e)) != SP_OK)
        return rc;
    if (!more) {
        g->ended = true;
        return g->expected == sp_entry_content(en)
                   ? SP_OK
                   : sp_fail(e, SP_CORRUPT, SP_DOM_STORE, "its list of chunks ends too early");
    }
    if (offset != g->expected || s.length > sp_entry_content(en) - g->expected ||
        (!s.hole && (s.length == 0 || s.length > SP_BLOCK_MAX_RAW || spans(en, offset, &s) ||
                        is_hidden(en, offset))))
        return sp_fail(e, SP_CORRUPT, SP_DOM_STORE, "its list of chunks is impossible");
    g->expected += s.length;
    *ret_n = s.hole ? 0 : s.length;
    return s.length > 0 ? add_segment(r, g->file, probe, &s, offset, e) : SP_OK;
}

static enum sp_code
read_segments(
    struct restore *r, struct file *f, const struct sp_entry *en, bool probe, struct sp_err *e)
{
    struct reading g = {.file = f};
    uint64_t n;
    enum sp_code rc;

    if ((rc = sp_list_reader_new(&r->source, en, &g.list, e)) != SP_OK)
        return rc;
    while (rc == SP_OK && !g.ended && !atomic_load(&f->gone) &&
           !(f->how == FILE_COMPARE && atomic_load(&f->differs)))
        rc = read_segment(r, &g, en, probe, &n, e);
    sp_list_reader_free(g.list);
    return rc;
}

static uint64_t
data_bytes(const struct sp_entry *en)
{
    uint64_t bytes = 0;

    for (size_t i = 0; i < en->nsegments && bytes <= WINDOW_BYTES; i++)
        if (!en->segments[i].hole)
            bytes +=
                en->segments[i].length < WINDOW_BYTES ? en->segments[i].length : WINDOW_BYTES + 1;
    return bytes;
}

bool
plan_is_bare(const struct sp_entry *en)
{
    return en->extra == 0 && (en->flags & SP_ENTRY_AWAY) == 0;
}

bool
plan_is_small(const struct sp_entry *en)
{
    return !en->has_list && data_bytes(en) <= WINDOW_BYTES;
}

/* --- large files that stand side by side
 * -------------------------------------------------------------- */

/* A backup reads several files at once, and their chunks share blocks: one file after the other
 * would fetch and open every block as often as it has files. So each window has a part of each. */
struct abreast {
    size_t n;
    struct reading files[WINDOW_ABREAST];
};

void
plan_forget(struct restore *r)
{
    struct abreast *a = r->abreast;

    for (size_t i = 0; a != NULL && i < a->n; i++) {
        sp_list_reader_free(a->files[i].list);
        free(a->files[i].entry);
        file_release(a->files[i].file);
    }
    free(a);
    r->abreast = NULL;
}

static enum sp_code
keep_abreast(struct restore *r, struct file *f, const struct sp_entry *en, struct sp_err *e)
{
    struct reading *g;
    enum sp_code rc;

    if (r->abreast == NULL && (r->abreast = calloc(1, sizeof *r->abreast)) == NULL)
        return sp_fail_nomem(e);
    g = &r->abreast->files[r->abreast->n];
    *g = (struct reading){.file = f};
    if ((rc = sp_entry_copy(en, &g->entry, e)) != SP_OK)
        return rc;
    atomic_fetch_add(&f->refs, 1);
    r->abreast->n++;
    return SP_OK;
}

/* The file's part of this window: one piece, or what did not fit goes on in the next one. */
static enum sp_code
read_share(struct restore *r, struct reading *g, uint64_t bytes, size_t parts, struct sp_err *e)
{
    struct sp_err why = {0};
    uint64_t n, sum = 0;
    enum sp_code rc;

    if ((rc = open_piece(r, g->file, false, e)) != SP_OK)
        return rc;
    if (g->list == NULL)
        rc = sp_list_reader_new(&r->source, g->entry, &g->list, &why);
    for (size_t i = 0; rc == SP_OK && !g->ended && i < parts && sum < bytes; i++, sum += n) {
        if (atomic_load(&g->file->gone))
            g->ended = true;
        else
            rc = read_segment(r, g, g->entry, false, &n, &why);
    }
    if (rc == SP_ABSENT || rc == SP_CORRUPT) {
        r->plan->pieces[r->plan->npieces - 1].lost = restore_err_copy(&why);
        g->ended = true;
    } else if (rc != SP_OK) {
        *e = why;
        return rc;
    }
    return g->ended ? close_last(r, g->file, e) : SP_OK;
}

/* A file has one piece in a window, since pieces are written side by side. */
static enum sp_code
plan_abreast(struct restore *r, struct sp_err *e)
{
    struct abreast *a = r->abreast;
    size_t left = a != NULL ? a->n : 0;
    enum sp_code rc = SP_OK;

    while (rc == SP_OK && left > 0) {
        /* All shares in one window, though the last chunk of each goes beyond it. */
        uint64_t bytes = left > 1 ? WINDOW_BYTES / left - WINDOW_BYTES / 32 : UINT64_MAX;
        size_t parts = left > 1 ? WINDOW_PARTS / left : SIZE_MAX;

        rc = plan_submit(r, e);
        for (size_t i = 0; rc == SP_OK && i < a->n; i++) {
            if (a->files[i].ended)
                continue;
            rc = read_share(r, &a->files[i], bytes, parts, e);
            left -= a->files[i].ended;
        }
    }
    if (rc == SP_OK) /* else when the run has failed, and no folder is taken for done */
        plan_forget(r);
    return rc;
}

enum sp_code
plan_drain(struct restore *r, struct sp_err *e)
{
    enum sp_code rc;

    if ((rc = plan_abreast(r, e)) != SP_OK || (rc = plan_submit(r, e)) != SP_OK)
        return rc;
    sp_mutex_lock(&r->lock);
    while (r->windows > 0 && !atomic_load(&r->failed))
        sp_cond_wait(&r->changed, &r->lock);
    sp_mutex_unlock(&r->lock);
    if (atomic_load(&r->failed))
        return sp_fail(e, SP_CANCELLED, SP_DOM_SELF, "stopped");
    return SP_OK;
}

/* Of a file that is new: to others nothing is compared. */
static bool
may_wait(const struct file *f, const struct sp_entry *en)
{
    return f->how == FILE_WRITE && f->old == NULL && f->leader == NULL && plan_is_bare(en) &&
           !plan_is_small(en);
}

enum sp_code
plan_content(struct restore *r, struct file *f, const struct sp_entry *en, struct sp_err *e)
{
    const struct window *w;
    bool probe = f->old != NULL;
    struct sp_err why = {0};
    enum sp_code rc;

    if (may_wait(f, en)) {
        if ((rc = keep_abreast(r, f, en, e)) != SP_OK || r->abreast->n < WINDOW_ABREAST)
            return rc;
        return plan_abreast(r, e);
    }
    if ((rc = plan_abreast(r, e)) != SP_OK)
        return rc;
    w = r->plan;
    if (w != NULL && plan_is_small(en) &&
        (w->bytes + data_bytes(en) > WINDOW_BYTES || w->nparts + en->nsegments > WINDOW_PARTS)) {
        if ((rc = plan_submit(r, e)) != SP_OK)
            return rc;
    }
    if ((rc = open_piece(r, f, probe, e)) != SP_OK)
        return rc;
    rc = read_segments(r, f, en, probe, &why);
    if (rc == SP_ABSENT || rc == SP_CORRUPT) {
        /* Told where this piece is written: others of the file may be under way. */
        r->plan->pieces[r->plan->npieces - 1].lost = restore_err_copy(&why);
    } else if (rc != SP_OK) {
        *e = why;
        return rc;
    }
    if (f->how == FILE_COMPARE)
        return SP_OK;
    return close_last(r, f, e);
}
