#include "client/backup_run.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* The walking thread: merges what it finds with the parent and decides for each object whether the
 * parent's entry is reused or the readers must look at it. */

static uint64_t
mix(uint64_t h)
{
    h ^= h >> 33;
    h *= UINT64_C(0xff51afd7ed558ccd);
    h ^= h >> 33;
    return h;
}

/* With a seed that stays the same, each file once in so many sets. */
static bool
has_its_turn(const struct backup *b, const struct sp_entry *en, unsigned share)
{
    uint64_t turn = b->o->run_seed + (b->head.has_set ? b->last.sequence : 0);
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    size_t i;

    for (i = 0; i < en->key_len; i++)
        h = (h ^ en->key[i]) * UINT64_C(0x100000001b3);
    return mix(h) % share == turn % share;
}

/* A rotating share of the unchanged files is read anyway (R15). */
static bool
audited(const struct backup *b, const struct sp_entry *en)
{
    unsigned share = b->o->audit == 0 ? 90 : b->o->audit;

    return share != UINT_MAX && en->type == SP_ENTRY_FILE && en->size > 0 &&
           has_its_turn(b, en, share);
}

/* Whether something that the parent's entry claims is not there: R6. Lists are followed only when
 * something at all is known to be missing. */
static enum sp_code
relies_on_missing(struct backup *b, const struct sp_entry *en, bool *ret, struct sp_err *e)
{
    struct sp_list_reader *reader = NULL;
    struct sp_segment segment;
    struct sp_err why = {0};
    uint64_t offset;
    enum sp_code rc = SP_OK;
    bool more = true;
    size_t i;

    *ret = false;
    if (b->nmissing == 0)
        return SP_OK;
    for (i = 0; i < en->nattributes && !*ret; i++)
        *ret = en->attributes[i].external && backup_id_missing(b, &en->attributes[i].id);
    if (*ret || en->type != SP_ENTRY_FILE)
        return SP_OK;
    if ((rc = sp_list_reader_new(&b->parent.source, en, &reader, &why)) == SP_OK)
        sp_list_reader_once(reader);
    while (rc == SP_OK && more && !*ret) {
        rc = sp_list_reader_next(reader, &segment, &offset, &more, &why);
        if (rc == SP_OK && more && !segment.hole)
            *ret = backup_id_missing(b, &segment.id);
    }
    sp_list_reader_free(reader);
    if (rc == SP_ABSENT || rc == SP_CORRUPT) { /* a list node is gone */
        *ret = true;
        return SP_OK;
    }
    if (rc != SP_OK)
        *e = why;
    return rc;
}

/* The parent's entry under this run's numbering of file systems and links. */
static enum sp_code
reuse(
    const struct sp_entry *old, const struct sp_entry *now, struct sp_entry **ret, struct sp_err *e)
{
    struct sp_entry *en;
    enum sp_code rc;

    if ((rc = sp_entry_copy(old, &en, e)) != SP_OK)
        return rc;
    en->flags = now->flags;
    en->device = now->device;
    if (now->links != 0) /* a listing of NTFS does not tell */
        en->links = now->links;
    if (now->btime_ns != 0) /* nor does the stat of NTFS on Linux of this */
        en->btime_ns = now->btime_ns;
    *ret = en;
    return SP_OK;
}

/* On NTFS a folder's listing has of a file with several names what it was when this name was used
 * last, and of one that somebody has open for writing (a database, a log) what it was when it was
 * opened: size and times may be old, and the file look unchanged (source.h). *ret_suspect: it
 * cannot be looked at; whoever reads it says why. */
static enum sp_code
refresh(struct work *w, const struct sp_entry *old, bool *ret_there, bool *ret_suspect,
    struct sp_err *e)
{
    struct sp_err why = {0};
    enum sp_code rc;

    *ret_there = true;
    *ret_suspect = false;
    if (old->type != SP_ENTRY_FILE || w->item->entry->type != SP_ENTRY_FILE ||
        (w->item->entry->flags & SP_ENTRY_WINDOWS) == 0)
        return SP_OK;
    rc = sp_item_refresh(w->item, &why);
    if (rc == SP_OK)
        return SP_OK;
    if (why.domain != SP_DOM_SOURCE) {
        *e = why;
        return rc;
    }
    /* In a shadow nothing goes away: what is listed and not found is for a reader to tell. */
    *ret_there = rc != SP_ABSENT || w->item->shadow;
    *ret_suspect = *ret_there;
    return SP_OK;
}

/* The same, but for what a change journal vouches for; a share of that is looked at as well, and what is
 * going to be read. */
static enum sp_code
look(struct backup *b, struct work *w, const struct sp_entry *old, bool *ret_there,
    bool *ret_suspect, struct sp_err *e)
{
    bool vouched = backup_journal_vouches(b, w, old);
    enum sp_code rc;

    if (vouched && !audited(b, w->item->entry) &&
        !has_its_turn(b, w->item->entry, b->o->usn_audit == 0 ? 30 : b->o->usn_audit)) {
        *ret_there = true;
        *ret_suspect = false;
        backup_count(b, &b->count.files_vouched);
        return SP_OK;
    }
    if ((rc = refresh(w, old, ret_there, ret_suspect, e)) == SP_OK && vouched && !*ret_suspect)
        backup_journal_audit(b, w, old, *ret_there);
    return rc;
}

static enum sp_code
decide(struct backup *b, struct work *w, bool *ret_read, struct sp_err *e)
{
    const struct sp_entry *now = w->item->entry, *old = NULL;
    bool missing = false, there, suspect;
    enum sp_code rc;

    *ret_read = true;
    if ((rc = parent_find(b, now->key, now->key_len, &old, e)) != SP_OK)
        return rc;
    if (old == NULL) {
        if (now->type == SP_ENTRY_FILE)
            backup_count(b, &b->count.files_new);
        return SP_OK;
    }
    if ((rc = look(b, w, old, &there, &suspect, e)) != SP_OK)
        return rc;
    if (!there) {
        backup_count(b, &b->count.files_vanished);
        *ret_read = false;
        return SP_OK;
    }
    now = w->item->entry;
    if ((rc = relies_on_missing(b, old, &missing, e)) != SP_OK)
        return rc;
    if (!missing && !suspect && sp_entry_unchanged(old, now) && !b->o->reread) {
        if (b->pass == 0 && audited(b, now)) {
            w->audit = true;
        } else {
            if (now->type == SP_ENTRY_FILE)
                backup_count(b, &b->count.files_unchanged);
            *ret_read = false;
            return reuse(old, now, &w->entry, e);
        }
    }
    if (now->type == SP_ENTRY_FILE)
        backup_count(b, w->audit ? &b->count.files_audited : &b->count.files_changed);
    /* The old chunks are compared first, so that what did not change asks nothing; not those of an
     * entry that lacks some: the store named what it found missing, not what hangs below that. */
    if (!missing && old->type == SP_ENTRY_FILE && now->type == SP_ENTRY_FILE)
        return sp_entry_copy(old, &w->old, e);
    return SP_OK;
}

/* What is in the set: reused, or to be read. */
static void
tell_seen(struct backup *b, const struct work *w)
{
    const struct sp_entry *en = w->item->entry;

    if (b->events->seen == NULL || b->pass > 0 || en->type != SP_ENTRY_FILE ||
        (!w->read && w->entry == NULL))
        return;
    sp_mutex_lock(&b->events_lock);
    b->events->seen(b->events->arg, en->key, en->key_len);
    sp_mutex_unlock(&b->events_lock);
}

static enum sp_code
take(struct backup *b, struct sp_item *item, struct sp_err *e)
{
    struct work *w = calloc(1, sizeof(*w));
    enum sp_code rc = SP_OK;

    if (w == NULL) {
        sp_item_free(item);
        return sp_fail_nomem(e);
    }
    w->item = item;
    if (item->fault != NULL && item->entry->type == 0) { /* not even a type: a fault and no entry */
        w->fault = item->fault;
        item->fault = NULL;
    } else {
        if ((rc = decide(b, w, &w->read, e)) != SP_OK) {
            backup_work_free(w);
            return rc;
        }
        tell_seen(b, w);
    }
    if (!w->read) {
        if (w->fault == NULL && item->fault != NULL) {
            w->fault = item->fault;
            item->fault = NULL;
        }
        sp_item_free(w->item); /* lets go of the folder's handle */
        w->item = NULL;
        w->done = true;
    }
    if (!order_push(&b->order, w)) {
        backup_work_free(w);
        return sp_fail(e, SP_CANCELLED, SP_DOM_SELF, "stopped");
    }
    return SP_OK;
}

void
backup_walker(void *arg)
{
    struct backup *b = arg;
    struct sp_item *item;
    struct sp_err e = {0};
    enum sp_code rc = SP_OK;

    while (rc == SP_OK && !backup_stopping(b)) {
        item = NULL;
        rc = sp_source_next(b->source, &item, &e);
        if (rc != SP_OK || item == NULL)
            break;
        rc = take(b, item, &e);
    }
    if (rc != SP_OK)
        backup_fail(b, &e);
    order_end(&b->order);
}
