#include <stdlib.h>
#include <string.h>

#include "base/spare.h"
#include "client/restore_run.h"

/* Fetching: what a window needs and no existing file has, in large batches; blocks are opened by
 * the workers while more arrive. For what does not open, or not hold what it says, the next copy is
 * asked. */

#define RUN_LEAST 16 /* files written by one thread in a row, */
#define RUN_PIECES 256
#define RUN_BYTES (2u << 20) /* or when these bytes are reached */

/* --- workers
 * -------------------------------------------------------------------------------------------- */

void
restore_worker(void *arg)
{
    struct worker *w = arg;
    struct task *t;

    while ((t = sp_queue_pop(w->r->tasks)) != NULL)
        t->run(w, t);
}

/* Waits until every task of the window is done. */
static void
wait_tasks(struct window *w)
{
    struct restore *r = w->r;

    sp_mutex_lock(&r->lock);
    while (w->busy > 0)
        sp_cond_wait(&r->changed, &r->lock);
    sp_mutex_unlock(&r->lock);
}

static void
end_window(struct window *w)
{
    struct restore *r = w->r;

    window_free(w); /* its files and folders end here */
    restore_progress(r);
    sp_mutex_lock(&r->lock);
    r->is_writing = false;
    r->windows--;
    sp_cond_broadcast(&r->changed);
    sp_mutex_unlock(&r->lock);
}

void
task_done(struct window *w)
{
    struct restore *r = w->r;
    bool ended;

    sp_mutex_lock(&r->lock);
    ended = --w->busy == 0 && w->writing;
    if (!ended)
        sp_cond_broadcast(&r->changed);
    sp_mutex_unlock(&r->lock);
    if (ended)
        end_window(w);
}

/* The queue of tasks is never aborted: after a failure they come to nothing one by one. */
static void
give_task(struct window *w, struct task *t, size_t bytes)
{
    struct restore *r = w->r;

    sp_mutex_lock(&r->lock);
    w->busy++;
    sp_mutex_unlock(&r->lock);
    t->window = w;
    (void)sp_queue_push(r->tasks, t, bytes);
}

/* --- what exists already
 * ------------------------------------------------------------------------------ */

void
keep_data(struct window *w, struct chunk *c, const uint8_t *data, size_t n)
{
    bool mine;

    sp_mutex_lock(&w->lock);
    mine = !c->taken;
    c->taken = true;
    sp_mutex_unlock(&w->lock);
    if (!mine)
        return;
    if (n > 0)
        memcpy(w->content + c->at, data, n);
    sp_mutex_lock(&w->lock);
    c->data = w->content + c->at;
    c->got = (uint32_t)n;
    sp_mutex_unlock(&w->lock);
}

/* The part is in the existing file. Its bytes, proven by their id, are as good as fetched ones. */
static bool
probe_part(struct worker *worker, struct piece *p, const struct part *part)
{
    struct file *f = p->file;
    struct window *w = p->task.window;
    struct sp_err ignored = {0};
    struct sp_id id;
    struct chunk *c;
    size_t n = (size_t)part->length, got = 0;
    bool same;

    if (part->chunk == PART_HOLE)
        return sp_target_old_is_hole(f->old, part->offset, part->length);
    c = &w->chunks[part->chunk];
    if (part->offset >= f->old_size || part->length > f->old_size - part->offset)
        return false;
    if (worker->scratch == NULL && (worker->scratch = malloc(SP_BLOCK_MAX_RAW)) == NULL)
        return false; /* then it is fetched */
    same = sp_target_old_read(f->old, part->offset, worker->scratch, n, &got, &ignored) == SP_OK &&
           got == n &&
           sp_hasher_id(worker->hasher, SP_CHUNK_DATA, NULL, 0, worker->scratch, n, &id,
               &ignored) == SP_OK &&
           memcmp(id.b, c->id.b, SP_ID_SIZE) == 0;
    if (same && f->how != FILE_COMPARE)
        keep_data(w, c, worker->scratch, n);
    return same;
}

static void
probe(struct worker *worker, struct task *t)
{
    struct piece *p = (struct piece *)t;
    struct file *f = p->file;
    bool comparing = f->how == FILE_COMPARE, equal = true;
    uint64_t total = 0;

    for (size_t i = p->first; i < p->first + p->n; i++) {
        if (atomic_load(&worker->r->failed) || (comparing && atomic_load(&f->differs)))
            break;
        equal = probe_part(worker, p, &t->window->parts[i]) && equal;
        total += t->window->parts[i].length;
        if (comparing && !equal)
            atomic_store(&f->differs, true);
    }
    if (comparing && p->lost != NULL)
        atomic_store(&f->differs, true);
    p->equal = equal && plan_is_bare(f->entry) && total == f->entry->size && f->old_size == total &&
               p->lost == NULL;
    task_done(t->window);
}

/* --- getting
 * -------------------------------------------------------------------------------------------- */

struct block { /* a sealed block on its way to a worker */
    struct task task;
    size_t n, nwanted;
    uint8_t *bytes;
    uint32_t wanted[]; /* chunks of the window */
};

static void
note_why(struct window *w, const struct sp_err *why)
{
    sp_mutex_lock(&w->lock);
    w->why = *why;
    sp_mutex_unlock(&w->lock);
}

static void
open_block(struct worker *worker, struct task *t)
{
    struct block *b = (struct block *)t;
    struct window *w = t->window;
    struct sp_opened *opened = NULL;
    struct sp_chunk chunk;
    struct sp_err e = {0};
    enum sp_code rc;

    rc = atomic_load(&worker->r->failed)
             ? sp_fail(&e, SP_CANCELLED, SP_DOM_SELF, "stopped")
             : sp_block_peek(worker->opener, b->bytes, b->n, &opened, &e);
    for (size_t i = 0; rc == SP_OK && i < b->nwanted; i++) {
        struct chunk *c = &w->chunks[b->wanted[i]];

        if (!sp_opened_find(opened, &c->id, &chunk) || chunk.kind != SP_CHUNK_DATA ||
            chunk.len > c->room)
            continue;
        keep_data(w, c, chunk.data, chunk.len);
    }
    if (rc == SP_OK && sp_opened_count(opened) > b->nwanted)
        carry_add(w, opened);
    if (rc == SP_NOMEM)
        restore_fail(worker->r, &e);
    else if (rc != SP_OK)
        note_why(w, &e);
    sp_opened_free(opened);
    sp_spare_free(b->bytes);
    free(b);
    task_done(w);
}

struct fetch {
    struct window *w;
    const uint32_t *asked; /* chunk of each id asked for */
    size_t blocks;
};

static enum sp_code
fetched(void *arg, const uint8_t *block, size_t n, const uint32_t *wanted, size_t nwanted,
    struct sp_err *e)
{
    struct fetch *f = arg;
    struct restore *r = f->w->r;
    struct block *b;

    if (atomic_load(&r->failed))
        return sp_fail(e, SP_CANCELLED, SP_DOM_SELF, "stopped");
    b = calloc(1, sizeof *b + nwanted * sizeof b->wanted[0]);
    if (b == NULL || (b->bytes = sp_spare_alloc(n)) == NULL) {
        free(b);
        return sp_fail_nomem(e);
    }
    memcpy(b->bytes, block, n);
    b->n = n;
    b->nwanted = nwanted;
    for (size_t i = 0; i < nwanted; i++)
        b->wanted[i] = f->asked[wanted[i]];
    b->task.run = open_block;
    f->blocks++;
    sp_mutex_lock(&r->tell_lock);
    r->stats.bytes_fetched += n;
    sp_mutex_unlock(&r->tell_lock);
    give_task(f->w, &b->task, n);
    return SP_OK;
}

/* One round: what is wanted and not there. *ret_blocks = 0: there is no such copy of anything. */
static enum sp_code
get_copy(struct window *w, unsigned copy, struct sp_id *ids, uint32_t *asked, size_t *ret_asked,
    size_t *ret_blocks, struct sp_err *e)
{
    struct fetch f = {w, asked, 0};
    size_t n = 0;
    enum sp_code rc;

    for (size_t i = 0; i < w->nchunks; i++) {
        if (!w->chunks[i].wanted || w->chunks[i].data != NULL)
            continue;
        ids[n] = w->chunks[i].id;
        asked[n++] = (uint32_t)i;
    }
    *ret_asked = n;
    *ret_blocks = 0;
    if (n == 0)
        return SP_OK;
    rc = sp_store_get(w->r->store, ids, n, copy, fetched, &f, e);
    wait_tasks(w);
    *ret_blocks = f.blocks;
    /* One bad object never blocks the others: what it held may have another copy. */
    if (rc == SP_ABSENT || rc == SP_CORRUPT) {
        note_why(w, e);
        *ret_blocks = f.blocks + 1;
        rc = SP_OK;
    }
    return rc;
}

static void
mark_wanted(struct window *w)
{
    for (size_t i = 0; i < w->npieces; i++) {
        const struct piece *p = &w->pieces[i];
        const struct sp_entry *en = p->file->entry;

        if (p->file->how == FILE_COMPARE || atomic_load(&p->file->gone))
            continue;
        for (size_t a = 0; p->last && a < en->nattributes; a++) {
            uint32_t c =
                en->attributes[a].external ? window_find(w, &en->attributes[a].id) : PART_HOLE;

            if (c != PART_HOLE)
                w->chunks[c].wanted = true;
        }
        if (p->equal)
            continue;
        for (size_t k = p->first; k < p->first + p->n; k++)
            if (w->parts[k].chunk != PART_HOLE)
                w->chunks[w->parts[k].chunk].wanted = true;
    }
}

static enum sp_code
get_all(struct window *w, struct sp_err *e)
{
    struct sp_id *ids = calloc(w->nchunks + 1, sizeof *ids);
    uint32_t *asked = calloc(w->nchunks + 1, sizeof *asked);
    size_t n = 1, blocks = 1;
    enum sp_code rc = SP_OK;

    if (ids == NULL || asked == NULL)
        rc = sp_fail_nomem(e);
    else
        carry_take(w);
    for (unsigned copy = 0; rc == SP_OK && copy < RESTORE_COPIES && n > 0 && blocks > 0; copy++)
        rc = get_copy(w, copy, ids, asked, &n, &blocks, e);
    free(ids);
    free(asked);
    return rc;
}

/* --- the fetcher
 * ---------------------------------------------------------------------------------------- */

static void
give_probes(struct window *w)
{
    for (size_t i = 0; i < w->npieces; i++) {
        struct piece *p = &w->pieces[i];

        if (!p->probe)
            continue;
        p->task.run = probe;
        give_task(w, &p->task, sizeof *p);
    }
}

/* Threads that make files in one folder wait for each other in the kernel: neighbours go to one of
 * them. */
static size_t
run_length(const struct window *w, size_t from)
{
    const struct folder *folder = w->pieces[from].file->folder;
    uint64_t bytes = 0;
    size_t n = 0;

    while (from + n < w->npieces && n < RUN_PIECES && bytes < RUN_BYTES) {
        const struct piece *p = &w->pieces[from + n];

        if (n >= RUN_LEAST && p->file->folder != folder)
            break;
        for (size_t i = p->first; i < p->first + p->n; i++)
            if (w->parts[i].chunk != PART_HOLE)
                bytes += w->parts[i].length;
        n++;
    }
    return n;
}

static void
give_writes(struct window *w)
{
    for (size_t i = 0; i < w->npieces; i += w->pieces[i].run) {
        struct piece *p = &w->pieces[i];

        p->run = run_length(w, i);
        p->task.run = window_write;
        give_task(w, &p->task, sizeof *p);
    }
}

/* One window at a time is written: files that go on in the next one are handed over in order. */
static void
write_window(struct window *w)
{
    struct restore *r = w->r;

    sp_mutex_lock(&r->lock);
    while (r->is_writing)
        sp_cond_wait(&r->changed, &r->lock);
    r->is_writing = true;
    w->writing = true;
    w->busy = 1; /* ours, until all are given out */
    sp_mutex_unlock(&r->lock);
    give_writes(w);
    task_done(w);
}

void
restore_fetcher(void *arg)
{
    struct restore *r = arg;
    struct window *w;

    while ((w = sp_queue_pop(r->to_fetch)) != NULL) {
        struct sp_err e = {0};
        enum sp_code rc = SP_OK;

        rc = window_make_room(w, &e);
        if (rc == SP_OK && !atomic_load(&r->failed)) {
            give_probes(w);
            wait_tasks(w);
            mark_wanted(w);
            rc = get_all(w, &e);
        }
        if (rc != SP_OK)
            restore_fail(r, &e);
        write_window(w);
    }
}
