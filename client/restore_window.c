#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "client/restore_run.h"

/* Windows: as much of the catalog's order as fits into memory, and what of which file it needs.
 * restore_content.c fills them. */

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

enum sp_code
window_add_chunk(
    struct window *w, const struct sp_id *id, uint32_t room, uint32_t *ret, struct sp_err *e)
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

enum sp_code
window_add_part(
    struct window *w, uint64_t offset, uint64_t length, uint32_t chunk, struct sp_err *e)
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
