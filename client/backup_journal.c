#include "client/backup_run.h"

#include <string.h>

#include "client/dir.h"

/* What a silent change journal saves: the look at a file that a late listing makes necessary
 * (usn.h), and the rotating share of files that are looked at all the same (R15). */

static uint64_t
serial_of(const struct work *w)
{
    return sp_dir_known(w->item->dir)->device;
}

bool
backup_journal_vouches(const struct backup *b, const struct work *w, const struct sp_entry *old)
{
    const struct sp_entry *now = w->item->entry;

    return b->o->usn != NULL && b->pass == 0 && w->item->dir != NULL &&
           now->type == SP_ENTRY_FILE && (now->flags & SP_ENTRY_WINDOWS) != 0 &&
           sp_entry_unchanged(old, now) &&
           sp_usn_vouches(b->o->usn, now->key, now->key_len, serial_of(w), now->file_id);
}

void
backup_journal_audit(struct backup *b, const struct work *w, const struct sp_entry *old, bool there)
{
    const struct sp_entry *now = w->item->entry;

    backup_count(b, &b->count.journal_audited);
    /* Live, a folder above may have been renamed meanwhile: that leaves no record of what is in it.
     */
    if (!there || now->file_id != old->file_id || sp_entry_unchanged(old, now))
        return;
    /* Nor is it a lie when it changed since the journal was read: then it says so by now. */
    if (!sp_usn_still_vouches(b->o->usn, now->key, now->key_len, serial_of(w), old->file_id))
        return;
    backup_count(b, &b->count.journal_differences);
    sp_usn_distrust(b->o->usn, now->key, now->key_len);
    if (b->events->journal == NULL)
        return;
    sp_mutex_lock(&b->events_lock);
    b->events->journal(b->events->arg, now->key, now->key_len);
    sp_mutex_unlock(&b->events_lock);
}

static const char *
doubt(const struct backup *b)
{
    if (!b->head.has_set)
        return "there is no set to compare with";
    if (b->o->reread)
        return "everything is read again";
    if (b->use_checkpoint)
        return "the last run did not end, and this one goes on from its checkpoint";
    if (!b->use_set || b->nmissing > 0 || !b->head.set_whole)
        return "the last set is not whole, or not from this machine";
    if (b->last.state != SP_SET_COMPLETE)
        return "the last set is incomplete";
    return NULL;
}

void
backup_journal_compare(struct backup *b)
{
    struct sp_usn_parent parent = {.doubt = doubt(b), .sequence = b->last.sequence};
    struct sp_buf note = SP_BUF_INIT;

    if (b->o->usn == NULL)
        return;
    memcpy(parent.record_hash, b->head.set_hash, sizeof parent.record_hash);
    sp_usn_compare(b->o->usn, &parent);
    for (size_t i = 0; sp_usn_note(b->o->usn, i, &note); i++) {
        backup_note(b, sp_buf_str(&note));
        sp_buf_reset(&note);
    }
    sp_buf_free(&note);
}

void
backup_journal_finish(struct backup *b, const struct sp_backup_result *result)
{
    struct sp_err why = {0};

    if (b->o->usn != NULL &&
        sp_usn_finish(b->o->usn, result->sequence, result->record_hash, &why) != SP_OK)
        backup_note(b, why.text);
}
