#include "client/backup_run.h"

#include <stdio.h>
#include <string.h>

/* Sealing and committing the record of a set or a checkpoint. */

static void
fill_clear(struct backup *b, enum sp_record_type type, const struct sp_id *root,
    const struct sp_catalog_totals *totals, struct sp_set *set)
{
    memset(set, 0, sizeof(*set));
    memcpy(set->set_id, b->set_id, 16);
    memcpy(set->host, b->o->host, 16);
    memcpy(set->group, sp_keys_group(b->keys), 16);
    (void)snprintf(set->job, sizeof(set->job), "%s", b->o->job);
    set->sequence = b->head.has_set ? b->last.sequence + 1 : 1;
    set->has_previous = b->head.has_set;
    if (b->head.has_set)
        memcpy(set->previous, b->head.set_hash, 32);
    set->state = type == SP_RECORD_CHECKPOINT ? SP_SET_CHECKPOINT
                 : b->sealed.faults_total > 0 ? SP_SET_INCOMPLETE
                                              : SP_SET_COMPLETE;
    set->started_ns = b->started_ns;
    set->ended_ns = sp_clock_wall(b->env->clock);
    set->root = *root;
    set->entries = totals->entries;
    set->files = totals->files;
    set->bytes = totals->bytes;
    set->files_away = b->files_away;
    set->bytes_read = atomic_load(&b->count.bytes_read);
    set->bytes_new = atomic_load(&b->count.bytes_new);
    set->bytes_stored = atomic_load(&b->count.bytes_stored);
    set->applications = b->applications;
    set->files_level = b->files_level;
    (void)snprintf(
        set->program, sizeof(set->program), "stillpoint %s %s", SP_VERSION, b->sealed.platform);
}

enum sp_code
backup_try_record(struct backup *b, struct sp_err *e)
{
    const struct sp_catalog_totals none = {0};
    const struct sp_id root = {{0}};
    struct sp_set set;
    struct sp_buf record = SP_BUF_INIT;
    enum sp_code rc;

    fill_clear(b, SP_RECORD_CHECKPOINT, &root, &none, &set);
    rc = sp_set_record_encode(SP_RECORD_CHECKPOINT, &set, &b->sealed, b->sealer, b->compressor,
        b->opener, b->hasher, b->o->signing_secret, &record, e);
    sp_buf_free(&record);
    return rc;
}

enum sp_code
backup_before_commit(struct backup *b, struct sp_err *e)
{
    const struct sp_verdict *verdict = NULL;
    enum sp_code rc;

    if (b->events->before_commit == NULL)
        return SP_OK;
    sp_mutex_lock(&b->events_lock);
    rc = b->events->before_commit(b->events->arg, &verdict, &b->applications, &b->files_level, e);
    sp_mutex_unlock(&b->events_lock);
    if (rc != SP_OK)
        return rc;
    b->sealed.has_verdict = verdict != NULL;
    if (verdict != NULL)
        b->sealed.verdict = *verdict; /* borrowed, as all but the faults */
    return SP_OK;
}

enum sp_code
backup_commit(struct backup *b, enum sp_record_type type, const struct sp_id *root,
    const struct sp_catalog_totals *totals, struct sp_commit_result *ret, uint8_t ret_hash[32],
    enum sp_set_state *ret_state, struct sp_err *e)
{
    struct sp_set set;
    struct sp_buf record = SP_BUF_INIT;
    enum sp_code rc;

    if ((rc = gather_drain(b, e)) != SP_OK)
        return rc;
    /* Counted only now: draining sends the last blocks. */
    b->sealed.files_changed = atomic_load(&b->count.files_changed);
    b->sealed.files_new = atomic_load(&b->count.files_new);
    fill_clear(b, type, root, totals, &set);
    rc = sp_set_record_encode(type, &set, &b->sealed, b->sealer, b->compressor, b->opener,
        b->hasher, b->o->signing_secret, &record, e);
    if (rc == SP_OK)
        rc = sp_record_hash(record.data, record.len, ret_hash, e);
    if (rc == SP_OK)
        rc = sp_store_commit(b->store, type, record.data, record.len, ret, e);
    if (rc == SP_OK)
        *ret_state = set.state;
    sp_buf_free(&record);
    return rc;
}
