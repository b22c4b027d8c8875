#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "client/restore_run.h"

/* Windows: as much of the catalog's order as fits into memory, and what of which file it needs. */

enum sp_code
window_new(struct restore *r, struct window **ret, struct sp_err *e)
{
    struct window *w = calloc(1, sizeof *w);

    if (w == NULL)
        return sp_fail_nomem(e);
    sp_mutex_init(&w->lock);
    w->r = r;
    w->table_cap = 1024;
    w->pieces = calloc(WINDOW_PIECES, sizeof *w->pieces);
    w->table = malloc(w->table_cap * sizeof *w->table);
    if (w->pieces == NULL || w->table == NULL) {
        window_free(w);
        return sp_fail_nomem(e);
    }
    memset(w->table, 0xff, w->table_cap * sizeof *w->table);
    *ret = w;
    return SP_OK;
}

/* One piece of memory for the content of a window, and used again for a later one: in the heaps of
 * many threads, given back late, it would come to a multiple. */
enum sp_code
window_make_room(struct window *w, struct sp_err *e)
{
    struct restore *r = w->r;
    size_t total = 0;

    for (size_t i = 0; i < w->nchunks; i++) {
        w->chunks[i].at = total;
        total += w->chunks[i].room;
    }
    w->content_size = total > WINDOW_CONTENT ? total : WINDOW_CONTENT;
    if (total <= WINDOW_CONTENT) {
        sp_mutex_lock(&r->lock);
        for (size_t i = 0; i < 2 && w->content == NULL; i++) {
            w->content = r->spare[i];
            r->spare[i] = NULL;
        }
        sp_mutex_unlock(&r->lock);
    }
    if (w->content == NULL && (w->content = malloc(w->content_size)) == NULL)
        return sp_fail_nomem(e);
    return SP_OK;
}

static void
give_back(struct window *w)
{
    struct restore *r = w->r;

    if (w->content != NULL && w->content_size == WINDOW_CONTENT) {
        sp_mutex_lock(&r->lock);
        for (size_t i = 0; i < 2 && w->content != NULL; i++) {
            if (r->spare[i] == NULL) {
                r->spare[i] = w->content;
                w->content = NULL;
            }
        }
        sp_mutex_unlock(&r->lock);
    }
    free(w->content);
}

void
window_free(struct window *w)
{
    if (w == NULL)
        return;
    for (size_t i = 0; w->pieces != NULL && i < w->npieces; i++) {
        restore_err_free(w->pieces[i].lost);
        file_release(w->pieces[i].file);
    }
    sp_mutex_destroy(&w->lock);
    free(w->pieces);
    free(w->parts);
    free(w->chunks);
    give_back(w);
    free(w->table);
    free(w);
}

/* --- chunks by id
 * -------------------------------------------------------------------------------------- */

/* Ids are uniform, but whoever made the set chose them: a bad case costs time within one window. */
static size_t
slot_of(const struct window *w, const struct sp_id *id)
{
    uint64_t h;
    size_t i;

    memcpy(&h, id->b, sizeof h);
    for (i = (size_t)h & (w->table_cap - 1); w->table[i] != PART_HOLE;
         i = (i + 1) & (w->table_cap - 1))
        if (memcmp(w->chunks[w->table[i]].id.b, id->b, SP_ID_SIZE) == 0)
            break;
    return i;
}

uint32_t
window_find(const struct window *w, const struct sp_id *id)
{
    return w->table[slot_of(w, id)];
}

static enum sp_code
grow_table(struct window *w, struct sp_err *e)
{
    size_t cap = w->table_cap * 2;
    uint32_t *table = malloc(cap * sizeof *table);

    if (table == NULL)
        return sp_fail_nomem(e);
    memset(table, 0xff, cap * sizeof *table);
    free(w->table);
    w->table = table;
    w->table_cap = cap;
    for (size_t i = 0; i < w->nchunks; i++)
        w->table[slot_of(w, &w->chunks[i].id)] = (uint32_t)i;
    return SP_OK;
}

static enum sp_code
grow(void **array, size_t *cap, size_t n, size_t size, struct sp_err *e)
{
    size_t more = *cap == 0 ? 256 : *cap * 2;
    void *p;

    if (n < *cap)
        return SP_OK;
    if ((p = realloc(*array, more * size)) == NULL)
        return sp_fail_nomem(e);
    *array = p;
    *cap = more;
    return SP_OK;
}

static enum sp_code
add_chunk(struct window *w, const struct sp_id *id, uint32_t room, uint32_t *ret, struct sp_err *e)
{
    size_t at = slot_of(w, id);
    struct chunk *c;
    void *array = w->chunks;
    enum sp_code rc;

    if (w->table[at] != PART_HOLE) {
        /* A file that lies about a chunk's length does not harm one that does not. */
        c = &w->chunks[w->table[at]];
        w->bytes += room > c->room ? room - c->room : 0;
        c->room = room > c->room ? room : c->room;
        *ret = w->table[at];
        return SP_OK;
    }
    if ((rc = grow(&array, &w->chunks_cap, w->nchunks, sizeof *w->chunks, e)) != SP_OK)
        return rc;
    w->chunks = array;
    if (w->nchunks * 2 >= w->table_cap) {
        if ((rc = grow_table(w, e)) != SP_OK)
            return rc;
        at = slot_of(w, id);
    }
    c = &w->chunks[w->nchunks];
    *c = (struct chunk){.id = *id, .room = room};
    w->bytes += room;
    *ret = w->table[at] = (uint32_t)w->nchunks++;
    return SP_OK;
}

static enum sp_code
add_part(struct window *w, uint64_t offset, uint64_t length, uint32_t chunk, struct sp_err *e)
{
    void *array = w->parts;
    enum sp_code rc;

    if ((rc = grow(&array, &w->parts_cap, w->nparts, sizeof *w->parts, e)) != SP_OK)
        return rc;
    w->parts = array;
    w->parts[w->nparts++] = (struct part){offset, length, chunk};
    w->pieces[w->npieces - 1].n++;
    return SP_OK;
}

/* --- files
 * ---------------------------------------------------------------------------------------------- */

enum sp_code
file_new(struct folder *folder, const struct sp_entry *en, struct file **ret, struct sp_err *e)
{
    size_t n;
    const char *name = sp_key_name(en->key, en->key_len, &n);
    struct file *f = calloc(1, sizeof *f + n + 1);
    struct sp_entry bare = *en;
    enum sp_code rc;

    if (f == NULL)
        return sp_fail_nomem(e);
    bare.segments = NULL;
    bare.nsegments = 0;
    if ((rc = sp_entry_copy(&bare, &f->entry, e)) != SP_OK) {
        free(f);
        return rc;
    }
    if (n > 0)
        memcpy(f + 1, name, n);
    f->name = (char *)(f + 1);
    atomic_init(&f->refs, 1);
    folder_hold(folder);
    f->folder = folder;
    *ret = f;
    return SP_OK;
}

void
file_release(struct file *f)
{
    if (f == NULL || atomic_fetch_sub(&f->refs, 1) != 1)
        return;
    sp_target_file_drop(f->out);
    sp_target_old_close(f->old);
    folder_release(f->folder);
    restore_err_free(f->failed);
    free(f->entry);
    free(f);
}

void
file_fail(struct file *f, const struct sp_err *why)
{
    if (f->failed == NULL)
        f->failed = restore_err_copy(why);
    atomic_store(&f->gone, true);
    sp_target_file_drop(f->out); /* its space may be needed */
    f->out = NULL;
}

/* --- planning
 * ------------------------------------------------------------------------------------------- */

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

enum sp_code
plan_drain(struct restore *r, struct sp_err *e)
{
    enum sp_code rc;

    if ((rc = plan_submit(r, e)) != SP_OK)
        return rc;
    sp_mutex_lock(&r->lock);
    while (r->windows > 0 && !atomic_load(&r->failed))
        sp_cond_wait(&r->changed, &r->lock);
    sp_mutex_unlock(&r->lock);
    if (atomic_load(&r->failed))
        return sp_fail(e, SP_CANCELLED, SP_DOM_SELF, "stopped");
    return SP_OK;
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
        if ((rc = add_chunk(w, &a->id, SP_TARGET_ATTRIBUTE_MAX, &chunk, e)) != SP_OK)
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
    if (!s->hole && (rc = add_chunk(r->plan, &s->id, (uint32_t)s->length, &chunk, e)) != SP_OK)
        return rc;
    return add_part(r->plan, offset, s->length, chunk, e);
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

/* What the list says must be a file: contiguous, as long as the entry, of possible chunks. */
static enum sp_code
read_segments(
    struct restore *r, struct file *f, const struct sp_entry *en, bool probe, struct sp_err *e)
{
    struct sp_list_reader *reader = NULL;
    struct sp_segment s;
    uint64_t offset, expected = 0;
    bool more = true;
    enum sp_code rc;

    if ((rc = sp_list_reader_new(&r->source, en, &reader, e)) != SP_OK)
        return rc;
    while (rc == SP_OK && !atomic_load(&f->gone) &&
           !(f->how == FILE_COMPARE && atomic_load(&f->differs))) {
        if ((rc = sp_list_reader_next(reader, &s, &offset, &more, e)) != SP_OK || !more)
            break;
        if (offset != expected || s.length > sp_entry_content(en) - expected ||
            (!s.hole && (s.length == 0 || s.length > SP_BLOCK_MAX_RAW || spans(en, offset, &s) ||
                            is_hidden(en, offset))))
            rc = sp_fail(e, SP_CORRUPT, SP_DOM_STORE, "its list of chunks is impossible");
        else if (s.length > 0)
            rc = add_segment(r, f, probe, &s, offset, e);
        expected += s.length;
    }
    sp_list_reader_free(reader);
    if (rc == SP_OK && !more && expected != sp_entry_content(en))
        rc = sp_fail(e, SP_CORRUPT, SP_DOM_STORE, "its list of chunks ends too early");
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

enum sp_code
plan_content(struct restore *r, struct file *f, const struct sp_entry *en, struct sp_err *e)
{
    const struct window *w = r->plan;
    bool probe = f->old != NULL;
    struct sp_err why = {0};
    enum sp_code rc;

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
