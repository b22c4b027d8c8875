#include "client/backup_run.h"

#include <stdlib.h>
#include <string.h>

/* The order of the walk, kept while readers finish in any order. */

#define OVERHEAD 256 /* of the allocator, the item's name and its share of a folder's handle */

void
backup_work_free(struct work *w)
{
    if (w == NULL)
        return;
    sp_item_free(w->item);
    free(w->old);
    free(w->entry);
    backup_fault_free(w->fault);
    free(w);
}

/* What it takes now: before the reading the old entry and the item, then the new entry with all its
 * attributes. */
static size_t
weight_of(const struct work *w)
{
    size_t n = sizeof(*w) + OVERHEAD;

    if (w->item != NULL)
        n += sp_entry_memory(w->item->entry);
    if (w->old != NULL)
        n += sp_entry_memory(w->old);
    if (w->entry != NULL)
        n += sp_entry_memory(w->entry);
    if (w->fault != NULL)
        n += sizeof(*w->fault) + w->fault->key_len + strlen(w->fault->text);
    return n;
}

void
order_init(struct order *o)
{
    sp_mutex_init(&o->lock);
    sp_cond_init(&o->changed);
    o->head = o->tail = NULL;
    o->bytes = o->peak = 0;
    o->ended = o->aborted = false;
}

void
order_destroy(struct order *o)
{
    struct work *w;

    while ((w = o->head) != NULL) {
        o->head = w->next;
        backup_work_free(w);
    }
    sp_cond_destroy(&o->changed);
    sp_mutex_destroy(&o->lock);
}

bool
order_push(struct order *o, struct work *w)
{
    bool ok;

    w->weight = weight_of(w);
    sp_mutex_lock(&o->lock);
    while (!o->aborted && o->head != NULL && o->bytes + w->weight > ORDER_LIMIT)
        sp_cond_wait(&o->changed, &o->lock);
    ok = !o->aborted;
    if (ok) {
        w->next = NULL;
        if (o->tail != NULL)
            o->tail->next = w;
        else
            o->head = w;
        o->tail = w;
        o->bytes += w->weight;
        if (o->bytes > o->peak)
            o->peak = o->bytes;
        if (o->head == w)
            sp_cond_broadcast(&o->changed);
    }
    sp_mutex_unlock(&o->lock);
    return ok;
}

void
order_done(struct order *o, struct work *w)
{
    size_t weight = weight_of(w);

    sp_mutex_lock(&o->lock);
    o->bytes = o->bytes - w->weight + weight;
    if (o->bytes > o->peak)
        o->peak = o->bytes;
    w->weight = weight;
    w->done = true;
    if (o->head == w)
        sp_cond_broadcast(&o->changed);
    sp_mutex_unlock(&o->lock);
}

struct work *
order_pop(struct order *o, bool *ret_waiting)
{
    struct work *w = NULL;

    *ret_waiting = false;
    sp_mutex_lock(&o->lock);
    while (!o->aborted && (o->head == NULL ? !o->ended : !o->head->done) && !*ret_waiting)
        *ret_waiting = !sp_cond_wait_ms(&o->changed, &o->lock, 200);
    if (!o->aborted && o->head != NULL && o->head->done) {
        *ret_waiting = false;
        w = o->head;
        o->head = w->next;
        if (o->head == NULL)
            o->tail = NULL;
        o->bytes -= w->weight;
        sp_cond_broadcast(&o->changed);
    }
    sp_mutex_unlock(&o->lock);
    return w;
}

void
order_end(struct order *o)
{
    sp_mutex_lock(&o->lock);
    o->ended = true;
    sp_cond_broadcast(&o->changed);
    sp_mutex_unlock(&o->lock);
}

void
order_abort(struct order *o)
{
    sp_mutex_lock(&o->lock);
    o->aborted = true;
    sp_cond_broadcast(&o->changed);
    sp_mutex_unlock(&o->lock);
}
