#include "client/backup_run.h"

#include <stdlib.h>
#include <string.h>

/* The order of the walk, kept while readers finish in any order. */

#define LOW_BYTES (ORDER_LIMIT / 4 * 3)
#define LOW_UNREAD (READ_AHEAD / 2)
#define RIPE 32      /* done objects that are worth waking the catalog's thread for */
#define AT_ONCE 64   /* given to it */
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
    memset(o, 0, sizeof(*o));
    sp_mutex_init(&o->lock);
    sp_cond_init(&o->room);
    sp_cond_init(&o->unread);
    sp_cond_init(&o->ready);
}

void
order_destroy(struct order *o)
{
    struct work *w;

    while ((w = o->head) != NULL) {
        o->head = w->next;
        backup_work_free(w);
    }
    sp_cond_destroy(&o->ready);
    sp_cond_destroy(&o->unread);
    sp_cond_destroy(&o->room);
    sp_mutex_destroy(&o->lock);
}

/* --- waking: the lock is held --------------------------------------------------------------------
 */

/* Room for many, or nothing left that could make more. */
static bool
roomy(const struct order *o)
{
    return o->head == NULL || (o->bytes <= LOW_BYTES && o->nunread <= LOW_UNREAD);
}

static void
wake_walk(struct order *o)
{
    if (o->walk_waits && roomy(o))
        sp_cond_signal(&o->room);
}

static void
wake_catalog(struct order *o)
{
    if (!o->catalog_waits || o->head == NULL || !o->head->done)
        return;
    if (o->walk_waits || o->ended || o->ripe >= RIPE) {
        o->ripe = 0;
        sp_cond_signal(&o->ready);
    }
}

/* --- the walk ------------------------------------------------------------------------------------
 */

static bool
fits(const struct order *o, const struct work *w)
{
    return o->head == NULL ||
           (o->bytes + w->weight <= ORDER_LIMIT && (!w->read || o->nunread < READ_AHEAD));
}

static void
append(struct order *o, struct work *w)
{
    w->next = w->next_read = NULL;
    if (o->tail != NULL)
        o->tail->next = w;
    else
        o->head = w;
    o->tail = w;
    o->bytes += w->weight;
    if (o->bytes > o->peak)
        o->peak = o->bytes;
    if (w->done)
        o->ripe++;
    if (!w->read)
        return;
    if (o->last_unread != NULL)
        o->last_unread->next_read = w;
    else
        o->first_unread = w;
    o->last_unread = w;
    o->nunread++;
    if (o->idle_readers > 0)
        sp_cond_signal(&o->unread);
}

bool
order_push(struct order *o, struct work *w)
{
    bool ok;

    w->weight = weight_of(w);
    sp_mutex_lock(&o->lock);
    while (!o->aborted && !fits(o, w)) {
        o->walk_waits = true;
        wake_catalog(o); /* it may not have been told of the last ones */
        sp_cond_wait(&o->room, &o->lock);
    }
    o->walk_waits = false;
    ok = !o->aborted;
    if (ok) {
        append(o, w);
        wake_catalog(o);
    }
    sp_mutex_unlock(&o->lock);
    return ok;
}

void
order_end(struct order *o)
{
    sp_mutex_lock(&o->lock);
    o->ended = true;
    sp_cond_broadcast(&o->unread);
    sp_cond_broadcast(&o->ready);
    sp_mutex_unlock(&o->lock);
}

/* --- readers -------------------------------------------------------------------------------------
 */

struct work *
order_take(struct order *o)
{
    struct work *w = NULL;

    sp_mutex_lock(&o->lock);
    o->idle_readers++;
    while (!o->aborted && o->first_unread == NULL && !o->ended)
        sp_cond_wait(&o->unread, &o->lock);
    o->idle_readers--;
    if (!o->aborted && o->first_unread != NULL) {
        w = o->first_unread;
        o->first_unread = w->next_read;
        if (o->first_unread == NULL)
            o->last_unread = NULL;
        o->nunread--;
        wake_walk(o);
    }
    sp_mutex_unlock(&o->lock);
    return w;
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
    o->ripe++;
    wake_catalog(o);
    sp_mutex_unlock(&o->lock);
}

/* --- the catalog's thread ------------------------------------------------------------------------
 */

static bool
nothing_ready(const struct order *o)
{
    return !o->aborted && (o->head == NULL ? !o->ended : !o->head->done);
}

struct work *
order_pop(struct order *o, bool *ret_waiting)
{
    struct work *first = NULL, *last;
    size_t n;

    *ret_waiting = false;
    sp_mutex_lock(&o->lock);
    o->catalog_waits = true;
    while (nothing_ready(o) && !*ret_waiting)
        *ret_waiting = !sp_cond_wait_ms(&o->ready, &o->lock, 200);
    o->catalog_waits = false;
    if (!o->aborted && o->head != NULL && o->head->done) {
        *ret_waiting = false;
        first = last = o->head;
        o->bytes -= last->weight;
        for (n = 1; n < AT_ONCE && last->next != NULL && last->next->done; n++) {
            last = last->next;
            o->bytes -= last->weight;
        }
        o->head = last->next;
        o->ripe = 0;
        last->next = NULL;
        if (o->head == NULL)
            o->tail = NULL;
        wake_walk(o);
    }
    sp_mutex_unlock(&o->lock);
    return first;
}

void
order_abort(struct order *o)
{
    sp_mutex_lock(&o->lock);
    o->aborted = true;
    sp_cond_broadcast(&o->room);
    sp_cond_broadcast(&o->unread);
    sp_cond_broadcast(&o->ready);
    sp_mutex_unlock(&o->lock);
}
